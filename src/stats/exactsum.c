// SPDX-License-Identifier: Apache-2.0
#include "stats/exactsum.h"

#include <math.h>

enum {
    DIGIT_BITS = 32,
    LEAST_EXPONENT = -1074, // weight of the lowest bit
    // 2^1024 is bit 2098; 2^64 values of that size reach bit 2162; 128-bit integers far below.
    DIGITS = 70,
    PENDING_MAX = 1 << 29, // each addition moves a digit by less than 2^32
};
_Static_assert(DIGITS *DIGIT_BITS > 2162 + 1, "every sum fits");

// Brings all digits but the last into [0, 2^32); the last keeps the sign.
static void carry(int64_t *digits, uint32_t n) {
    int64_t over = 0;
    for (uint32_t i = 0; i + 1 < n; i++) {
        int64_t d = digits[i] + over;
        over = d >> DIGIT_BITS;
        digits[i] = d & UINT32_MAX;
    }
    if (n) digits[n - 1] += over;
}

static enum err cover(struct arena *a, struct exactsum *s, uint32_t first, uint32_t end) {
    uint32_t old_end = (uint32_t)s->first + s->n_digits;
    if (s->n_digits) {
        if (first >= s->first && end <= old_end) return ERR_OK;
        if (s->first < first) first = s->first;
        if (old_end > end) end = old_end;
    }
    int64_t *digits = arena_zalloc(a, (end - first) * sizeof *digits);
    if (!digits) return ERR_NOMEM;
    if (s->n_digits) memcpy(digits + (s->first - first), s->digits, s->n_digits * sizeof *digits);
    s->digits = digits;
    s->first = (uint16_t)first;
    s->n_digits = (uint16_t)(end - first);
    return ERR_OK;
}

// The last digit must have room for the carries of everything below it.
static enum err settle(struct arena *a, struct exactsum *s, uint32_t more) {
    if ((uint64_t)s->pending + more < PENDING_MAX || s->n_digits == 0) return ERR_OK;
    uint32_t end = (uint32_t)s->first + s->n_digits;
    int64_t last = s->digits[s->n_digits - 1];
    if (end < DIGITS && (last > INT32_MAX || last < INT32_MIN)) TRY(cover(a, s, s->first, end + 1));
    carry(s->digits, s->n_digits);
    s->pending = 1;
    return ERR_OK;
}

enum err exactsum_add(struct arena *a, struct exactsum *s, double x) {
    if (!isfinite(x)) {
        if (isnan(x)) s->has_nan = true;
        if (x > 0) s->has_inf = true;
        if (x < 0) s->has_minus_inf = true;
        return ERR_OK;
    }
    if (x == 0) return ERR_OK;
    uint64_t bits;
    memcpy(&bits, &x, sizeof bits);
    uint32_t exponent = bits >> 52 & 2047; // a denormal has the weight of exponent 1, without the top bit
    uint64_t mantissa = (bits & ((1ull << 52) - 1)) | (exponent ? 1ull << 52 : 0);
    uint32_t shift = exponent ? exponent - 1 : 0, at = shift / DIGIT_BITS;
    TRY(cover(a, s, at, at + 3));
    TRY(settle(a, s, 1));
    unsigned __int128 m = (unsigned __int128)mantissa << (shift % DIGIT_BITS);
    int64_t *d = s->digits + (at - s->first);
    for (int i = 0; i < 3; i++, m >>= DIGIT_BITS) {
        int64_t part = (int64_t)(m & UINT32_MAX);
        d[i] += x < 0 ? -part : part;
    }
    s->pending++;
    return ERR_OK;
}

enum err exactsum_merge(struct arena *a, struct exactsum *s, const struct exactsum *from) {
    if (from->n_digits) {
        uint32_t end = (uint32_t)from->first + from->n_digits;
        TRY(cover(a, s, from->first, end));
        TRY(settle(a, s, from->pending + 1));
        for (uint32_t i = 0; i < from->n_digits; i++)
            s->digits[from->first - s->first + i] += from->digits[i];
        s->pending += from->pending + 1;
    }
    s->whole += from->whole;
    s->has_nan |= from->has_nan;
    s->has_inf |= from->has_inf;
    s->has_minus_inf |= from->has_minus_inf;
    return ERR_OK;
}

void exactsum_pack(const struct exactsum *s, struct buf *out) {
    wr_u8(out, (uint8_t)(s->has_nan | s->has_inf << 1 | s->has_minus_inf << 2));
    wr_u64le(out, (uint64_t)s->whole);
    wr_u64le(out, (uint64_t)((unsigned __int128)s->whole >> 64));
    wr_varint(out, s->n_digits);
    if (s->n_digits == 0) return;
    wr_varint(out, s->first);
    wr_varint(out, s->pending);
    for (uint32_t i = 0; i < s->n_digits; i++) wr_u64le(out, (uint64_t)s->digits[i]);
}

enum err exactsum_unpack(struct arena *a, struct reader *r, struct exactsum *out) {
    uint8_t flags = rd_u8(r);
    uint64_t low = rd_u64le(r), high = rd_u64le(r), n = rd_varint(r);
    *out = (struct exactsum){ .whole = (__int128)((unsigned __int128)high << 64 | low),
                              .has_nan = flags & 1,
                              .has_inf = flags & 2,
                              .has_minus_inf = flags & 4 };
    if (n == 0) return r->bad ? ERR_CORRUPT : ERR_OK;
    uint64_t first = rd_varint(r);
    out->pending = (uint32_t)rd_varint(r);
    if (r->bad || n > DIGITS || first > DIGITS - n) return ERR_CORRUPT;
    TRY(cover(a, out, (uint32_t)first, (uint32_t)(first + n)));
    for (uint32_t i = 0; i < n; i++) out->digits[i] = (int64_t)rd_u64le(r);
    return r->bad ? ERR_CORRUPT : ERR_OK;
}

// The integers join the digits from 2^0 on, which is bit 1074.
static void add_whole(int64_t *digits, __int128 whole) {
    enum { ONE = -LEAST_EXPONENT };
    bool minus = whole < 0;
    unsigned __int128 m = minus ? -(unsigned __int128)whole : (unsigned __int128)whole;
    uint32_t at = ONE / DIGIT_BITS, up = ONE % DIGIT_BITS;
    for (int i = 0; i < 4; i++, m >>= DIGIT_BITS) {
        uint64_t part = (uint64_t)(m & UINT32_MAX) << up;
        int64_t low = (int64_t)(part & UINT32_MAX), high = (int64_t)(part >> DIGIT_BITS);
        digits[at + i] += minus ? -low : low;
        digits[at + i + 1] += minus ? -high : high;
    }
}

// The 64 bits from the highest one down, with the lowest set when anything below them is: rounding
// that to 53 bits rounds the whole number.
static double round_digits(const int64_t *digits, uint32_t n) {
    uint32_t top = n - 1;
    while (top > 0 && digits[top] == 0) top--;
    unsigned __int128 m = 0;
    uint32_t low = top >= 2 ? top - 2 : 0;
    for (uint32_t i = top + 1; i-- > low;) m = m << DIGIT_BITS | (uint32_t)digits[i];
    bool rest = false;
    for (uint32_t i = 0; i < low; i++) rest |= digits[i] != 0;
    int scale = (int)low * DIGIT_BITS;
    while (m >> 64) {
        rest |= m & 1;
        m >>= 1;
        scale++;
    }
    return ldexp((double)((uint64_t)m | rest), scale + LEAST_EXPONENT);
}

double exactsum_round(const struct exactsum *s) {
    if (s->has_nan || (s->has_inf && s->has_minus_inf)) return NAN;
    if (s->has_inf) return INFINITY;
    if (s->has_minus_inf) return -INFINITY;
    int64_t digits[DIGITS] = { 0 };
    for (uint32_t i = 0; i < s->n_digits; i++) digits[s->first + i] = s->digits[i];
    add_whole(digits, s->whole);
    carry(digits, DIGITS);
    bool minus = digits[DIGITS - 1] < 0;
    if (minus) {
        for (uint32_t i = 0; i < DIGITS; i++) digits[i] = -digits[i];
        carry(digits, DIGITS);
    }
    double x = round_digits(digits, DIGITS);
    return minus ? -x : x;
}
