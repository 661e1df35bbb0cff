// SPDX-License-Identifier: Apache-2.0
#include "parquet/stats.h"

enum stats_order stats_order_of(const struct pq_column *c) {
    if (c->type == PQ_DOUBLE) return STATS_DOUBLE;
    if (c->type == PQ_BYTE_ARRAY || c->type == PQ_FIXED) return STATS_BYTES;
    return c->logical == PQ_UNSIGNED ? STATS_UNSIGNED : STATS_SIGNED;
}

// Most comparisons of strings end in their first 8 bytes.
static inline uint64_t key_of(struct str s) {
    uint64_t key = 0;
    if (s.len >= 8)
        memcpy(&key, s.ptr, 8);
    else if (s.len)
        memcpy(&key, s.ptr, s.len);
    return __builtin_bswap64(key);
}

uint64_t stats_key(enum stats_order order, union stats_value v) {
    if (order == STATS_BYTES) return key_of(v.s);
    return (uint64_t)v.i ^ (order == STATS_SIGNED ? (uint64_t)1 << 63 : 0);
}

static void add_bytes(struct minmax *m, struct str s) {
    uint64_t key = key_of(s);
    if (!m->any) {
        *m = (struct minmax){ true, { .s = s }, { .s = s }, key, key };
        return;
    }
    if (key < m->min_key || (key == m->min_key && str_cmp(s, m->min.s) < 0)) {
        m->min.s = s;
        m->min_key = key;
    }
    if (key > m->max_key || (key == m->max_key && str_cmp(s, m->max.s) > 0)) {
        m->max.s = s;
        m->max_key = key;
    }
}

static void add_double(struct minmax *m, double v) {
    if (v != v) return;
    if (!m->any)
        *m = (struct minmax){ .any = true, .min.f = v, .max.f = v };
    else if (v < m->min.f)
        m->min.f = v;
    else if (v > m->max.f)
        m->max.f = v;
}

static bool less(enum stats_order order, int64_t a, int64_t b) {
    return order == STATS_UNSIGNED ? (uint64_t)a < (uint64_t)b : a < b;
}

static void add_range(struct minmax *m, enum stats_order order, int64_t min, int64_t max) {
    if (!m->any || less(order, min, m->min.i)) m->min.i = min;
    if (!m->any || less(order, m->max.i, max)) m->max.i = max;
    m->any = true;
}

void minmax_add(struct minmax *m, enum stats_order order, union stats_value v) {
    if (order == STATS_BYTES)
        add_bytes(m, v.s);
    else if (order == STATS_DOUBLE)
        add_double(m, v.f);
    else
        add_range(m, order, v.i, v.i);
}

void minmax_merge(struct minmax *m, enum stats_order order, const struct minmax *from) {
    if (!from->any) return;
    minmax_add(m, order, from->min);
    minmax_add(m, order, from->max);
}

void minmax_i64(struct minmax *m, enum stats_order order, const int64_t *v, size_t n) {
    if (n == 0) return;
    // With the top bit flipped, unsigned numbers sort as signed ones do.
    int64_t flip = order == STATS_UNSIGNED ? INT64_MIN : 0;
    int64_t min = v[0] ^ flip, max = min;
    for (size_t i = 1; i < n; i++) {
        int64_t x = v[i] ^ flip;
        min = x < min ? x : min;
        max = x > max ? x : max;
    }
    add_range(m, order, min ^ flip, max ^ flip);
}

void minmax_i32(struct minmax *m, enum stats_order order, const int32_t *v, size_t n) {
    if (n == 0) return;
    int32_t flip = order == STATS_UNSIGNED ? INT32_MIN : 0;
    int32_t min = v[0] ^ flip, max = min;
    for (size_t i = 1; i < n; i++) {
        int32_t x = v[i] ^ flip;
        min = x < min ? x : min;
        max = x > max ? x : max;
    }
    if (order == STATS_UNSIGNED)
        add_range(m, order, (int64_t)(uint32_t)(min ^ flip), (int64_t)(uint32_t)(max ^ flip));
    else
        add_range(m, order, min, max);
}

void minmax_bools(struct minmax *m, const uint8_t *v, size_t n) {
    if (n == 0) return;
    size_t ones = 0;
    for (size_t i = 0; i < n; i++) ones += v[i] != 0;
    add_range(m, STATS_SIGNED, ones == n, ones > 0);
}

void minmax_fixed(struct minmax *m, const uint8_t *v, size_t n, uint32_t len) {
    for (size_t i = 0; i < n; i++) add_bytes(m, (struct str){ (const char *)v + i * len, len });
}

static void bound_of(const struct pq_column *c, union stats_value v, struct stats_bound *out) {
    size_t n = c->type == PQ_BOOLEAN ? 1 : c->type == PQ_INT32 ? 4 : 8;
    memcpy(out->space, &v, n); // little-endian; an INT32's low half
    out->bytes = (struct str){ out->space, n };
}

// The longest start of s that is at most STATS_TEXT_MAX bytes and, of text, whole characters.
static struct str cut(const struct pq_column *c, struct str s) {
    size_t n = STATS_TEXT_MAX;
    if (c->logical == PQ_STRING)
        for (int back = 0; back < 3 && ((uint8_t)s.ptr[n] & 0xc0) == 0x80; back++) n--;
    return str_sub(s, 0, n);
}

void stats_lower(const struct pq_column *c, union stats_value v, struct stats_bound *out, bool *exact) {
    if (c->type == PQ_DOUBLE && v.f == 0) v.f = -0.0; // the zeros are equal: the format wants this one
    if (stats_order_of(c) != STATS_BYTES) {
        bound_of(c, v, out);
        return;
    }
    out->bytes = v.s;
    if (c->type == PQ_FIXED || v.s.len <= STATS_TEXT_MAX) return;
    out->bytes = cut(c, v.s);
    *exact = false;
}

static size_t put_utf8(char *p, uint32_t cp) {
    if (cp < 0x80) {
        p[0] = (char)cp;
        return 1;
    }
    size_t n = cp < 0x800 ? 2 : cp < 0x10000 ? 3 : 4;
    for (size_t i = n - 1; i > 0; i--, cp >>= 6) p[i] = (char)(0x80 | (cp & 0x3f));
    p[0] = (char)((0xf00u >> n & 0xf0) | cp);
    return n;
}

// The code point that starts at p, of well-formed text.
static uint32_t get_utf8(const char *p, size_t n) {
    uint32_t cp = (uint8_t)p[0];
    if (n > 1) cp &= 0x7fu >> n;
    for (size_t i = 1; i < n; i++) cp = cp << 6 | ((uint8_t)p[i] & 0x3f);
    return cp;
}

// Replaces the last character that has a successor by it; 0 when none has.
static size_t raise_text(char *p, size_t len) {
    while (len > 0) {
        size_t start = len - 1;
        while (((uint8_t)p[start] & 0xc0) == 0x80) start--;
        uint32_t cp = get_utf8(p + start, len - start) + 1;
        if (cp == 0xd800) cp = 0xe000;
        if (cp <= 0x10ffff) return start + put_utf8(p + start, cp);
        len = start;
    }
    return 0;
}

static size_t raise_bytes(char *p, size_t len) {
    while (len > 0 && (uint8_t)p[len - 1] == 0xff) len--;
    if (len > 0) p[len - 1]++;
    return len;
}

void stats_upper(const struct pq_column *c, union stats_value v, struct stats_bound *out, bool *exact) {
    if (c->type == PQ_DOUBLE && v.f == 0) v.f = 0.0;
    if (stats_order_of(c) != STATS_BYTES) {
        bound_of(c, v, out);
        return;
    }
    out->bytes = v.s;
    if (c->type == PQ_FIXED || v.s.len <= STATS_TEXT_MAX) return;
    struct str start = cut(c, v.s);
    memcpy(out->space, start.ptr, start.len);
    bool text = c->logical == PQ_STRING && str_is_utf8(start);
    size_t len = text ? raise_text(out->space, start.len) : raise_bytes(out->space, start.len);
    if (len == 0) return; // nothing shorter is above it
    out->bytes = (struct str){ out->space, len };
    *exact = false;
}

static int cmp_numbers(const struct pq_column *c, struct str a, struct str b) {
    union stats_value x = { 0 }, y = { 0 };
    size_t n = c->type == PQ_BOOLEAN ? 1 : c->type == PQ_INT32 ? 4 : 8;
    if (a.len != n || b.len != n) return 0;
    memcpy(&x, a.ptr, n);
    memcpy(&y, b.ptr, n);
    if (c->type == PQ_DOUBLE) return (x.f > y.f) - (x.f < y.f);
    enum stats_order order = stats_order_of(c);
    if (c->type == PQ_INT32 && order == STATS_SIGNED) x.i = (int32_t)x.i, y.i = (int32_t)y.i;
    return less(order, y.i, x.i) - less(order, x.i, y.i);
}

int stats_cmp(const struct pq_column *c, struct str a, struct str b) {
    return stats_order_of(c) == STATS_BYTES ? str_cmp(a, b) : cmp_numbers(c, a, b);
}
