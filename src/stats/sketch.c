// SPDX-License-Identifier: Apache-2.0
#include "stats/sketch.h"

#include <math.h>

enum { BUCKET_BITS = 6, MANTISSA_BITS = 52 };

struct place { // of a magnitude above 0
    uint32_t octave, bucket;
};

// Octaves are the exponents of doubles, 64 further up, so that denormals have octaves of their own.
static struct place place_of(double magnitude) {
    uint32_t shift = SKETCH_SHIFT;
    uint64_t bits;
    if (magnitude < 0x1p-1022) {
        magnitude *= 0x1p64;
        shift = 0;
    }
    memcpy(&bits, &magnitude, sizeof bits);
    return (struct place){ (uint32_t)(bits >> MANTISSA_BITS) + shift,
                           bits >> (MANTISSA_BITS - BUCKET_BITS) & (SKETCH_OCTAVE - 1) };
}

// The middle of a bucket.
static double place_value(struct place p) {
    int exponent = (int)p.octave - SKETCH_SHIFT - 1023;
    if (exponent == 1024) return INFINITY;
    return ldexp(1 + ((double)p.bucket + 0.5) / SKETCH_OCTAVE, exponent);
}

// Makes the table cover an octave. Old tables stay in the arena: they are small, and a table grows
// by at least four octaves.
static bool side_cover(struct arena *a, struct sketch_side *s, uint32_t octave) {
    uint32_t first = s->n ? s->first : octave + 1, end = s->n ? (uint32_t)s->first + s->n : octave;
    if (octave >= first && octave < end) return true;
    if (octave < first) first = octave >= 3 ? octave - 3 : 0;
    if (octave >= end) end = octave + 4 < SKETCH_OCTAVES ? octave + 4 : SKETCH_OCTAVES;
    struct sketch_chunk **chunks = arena_zalloc(a, (end - first) * sizeof(struct sketch_chunk *));
    if (!chunks) return false;
    if (s->n) memcpy(chunks + (s->first - first), s->chunks, s->n * sizeof *chunks);
    *s = (struct sketch_side){ chunks, (uint16_t)first, (uint16_t)(end - first) };
    return true;
}

// Room in a chunk and in those above it, as far as a count with `more` added may reach.
static bool chunk_room(struct arena *a, struct sketch_chunk **at, uint32_t bucket, uint64_t more) {
    bool carry = false;
    while (more || carry) {
        if (!*at && !(*at = ARENA_NEW(a, struct sketch_chunk))) return false;
        carry = (*at)->n[bucket] + (more & UINT8_MAX) + carry > UINT8_MAX;
        more >>= 8;
        at = &(*at)->above;
    }
    return true;
}

static void chunk_add(struct sketch_chunk *c, uint32_t bucket, uint64_t more) {
    uint32_t carry = 0;
    for (; more || carry; c = c->above, more >>= 8) {
        uint32_t sum = c->n[bucket] + (uint32_t)(more & UINT8_MAX) + carry;
        c->n[bucket] = (uint8_t)sum;
        carry = sum >> 8;
    }
}

static uint64_t chunk_count(const struct sketch_chunk *c, uint32_t bucket) {
    uint64_t n = 0;
    for (uint32_t level = 0; c; c = c->above, level++) {
        DASSERT(level < SKETCH_LEVELS);
        n |= (uint64_t)c->n[bucket] << (8 * level);
    }
    return n;
}

static enum err side_add(struct arena *a, struct sketch_side *s, struct place p, uint64_t count) {
    if (!side_cover(a, s, p.octave)) return ERR_NOMEM;
    struct sketch_chunk **at = &s->chunks[p.octave - s->first];
    if (!chunk_room(a, at, p.bucket, count)) return ERR_NOMEM;
    chunk_add(*at, p.bucket, count);
    return ERR_OK;
}

static void widen(struct sketch *s, double min, double max, uint64_t n) {
    if (s->n == 0 || min < s->min) s->min = min;
    if (s->n == 0 || max > s->max) s->max = max;
    s->n += n;
}

enum err sketch_slow_(struct arena *a, struct sketch *s, double x) {
    if (isnan(x)) return ERR_OK;
    x += 0.0; // of the two zeros one
    if (x > 0) TRY(side_add(a, &s->positive, place_of(x), 1));
    if (x < 0) TRY(side_add(a, &s->negative, place_of(-x), 1));
    if (x == 0) s->zeros++;
    widen(s, x, x, 1);
    return ERR_OK;
}

enum err sketch_add(struct arena *a, struct sketch *s, double x) {
    return sketch_add_fast(a, s, x);
}

// The octaves of normal positive doubles that the table covers: [first, first + n).
struct window {
    struct sketch_chunk **chunks;
    uint32_t first, n;
};
static struct window window_of(const struct sketch_side *s) {
    uint32_t first = s->first > SKETCH_SHIFT ? s->first : SKETCH_SHIFT + 1, end = (uint32_t)s->first + s->n;
    if (end > 2047 + SKETCH_SHIFT) end = 2047 + SKETCH_SHIFT;
    if (end <= first) return (struct window){ 0 };
    return (struct window){ s->chunks + (first - s->first), first, end - first };
}

// What sketch_add_fast does, with what it keeps of the sketch in registers.
enum err sketch_add_many(struct arena *a, struct sketch *s, const double *x, size_t n) {
    struct window w = window_of(&s->positive);
    double min = INFINITY, max = -INFINITY;
    uint64_t added = 0;
    for (size_t i = 0; i < n; i++) {
        uint64_t bits;
        memcpy(&bits, &x[i], sizeof bits);
        uint32_t at = (uint32_t)(bits >> MANTISSA_BITS) + SKETCH_SHIFT - w.first;
        struct sketch_chunk *c = at < w.n ? w.chunks[at] : NULL;
        uint8_t *count = c ? &c->n[bits >> (MANTISSA_BITS - BUCKET_BITS) & (SKETCH_OCTAVE - 1)] : NULL;
        if (__builtin_expect(!count || *count == UINT8_MAX, 0)) {
            TRY(sketch_slow_(a, s, x[i]));
            w = window_of(&s->positive);
            continue;
        }
        ++*count;
        added++;
        min = x[i] < min ? x[i] : min;
        max = x[i] > max ? x[i] : max;
    }
    if (added) widen(s, min, max, added);
    return ERR_OK;
}

// Whole chunks at once, as far as no count goes past 8 bits. false: bucket by bucket, then.
static bool chunk_merge(struct sketch_chunk *c, const struct sketch_chunk *from) {
    uint32_t over = 0;
    if (c->above || from->above) return false;
    for (int i = 0; i < SKETCH_OCTAVE; i++) over |= (uint32_t)c->n[i] + from->n[i];
    if (over > UINT8_MAX) return false;
    for (int i = 0; i < SKETCH_OCTAVE; i++) c->n[i] = (uint8_t)(c->n[i] + from->n[i]);
    return true;
}

static enum err side_merge(struct arena *a, struct sketch_side *s, const struct sketch_side *from) {
    for (uint32_t i = 0; i < from->n; i++) {
        if (!from->chunks[i]) continue;
        if (!side_cover(a, s, from->first + i)) return ERR_NOMEM;
        struct sketch_chunk **at = &s->chunks[from->first + i - s->first];
        if (!*at && !(*at = ARENA_NEW(a, struct sketch_chunk))) return ERR_NOMEM;
        if (chunk_merge(*at, from->chunks[i])) continue;
        for (uint32_t k = 0; k < SKETCH_OCTAVE; k++) {
            uint64_t n = chunk_count(from->chunks[i], k);
            if (n) TRY(side_add(a, s, (struct place){ from->first + i, k }, n));
        }
    }
    return ERR_OK;
}

enum err sketch_merge(struct arena *a, struct sketch *s, const struct sketch *from) {
    if (from->n == 0) return ERR_OK;
    TRY(side_merge(a, &s->positive, &from->positive));
    TRY(side_merge(a, &s->negative, &from->negative));
    s->zeros += from->zeros;
    widen(s, from->min, from->max, from->n);
    return ERR_OK;
}

// --- as bytes -------------------------------------------------------------------------------------

// Levels of a chunk: which buckets have a digit there, and those digits.
static void chunk_pack(const struct sketch_chunk *c, struct buf *out) {
    uint8_t levels = 0;
    for (const struct sketch_chunk *x = c; x; x = x->above) levels++;
    wr_u8(out, levels);
    for (; c; c = c->above) {
        uint64_t there = 0;
        uint8_t digits[SKETCH_OCTAVE], n = 0;
        for (uint32_t i = 0; i < SKETCH_OCTAVE; i++) {
            if (!c->n[i]) continue;
            there |= 1ull << i;
            digits[n++] = c->n[i];
        }
        wr_u64le(out, there);
        buf_add(out, digits, n);
    }
}

static enum err chunk_unpack(struct arena *a, struct reader *r, struct sketch_chunk **at) {
    uint8_t levels = rd_u8(r);
    if (levels > SKETCH_LEVELS) return ERR_CORRUPT;
    for (; levels > 0; levels--, at = &(*at)->above) {
        uint64_t there = rd_u64le(r);
        struct str digits = rd_bytes(r, (size_t)__builtin_popcountll(there));
        if (r->bad) return ERR_CORRUPT;
        if (!(*at = ARENA_NEW(a, struct sketch_chunk))) return ERR_NOMEM;
        for (size_t i = 0; there; there &= there - 1, i++)
            (*at)->n[__builtin_ctzll(there)] = (uint8_t)digits.ptr[i];
    }
    return ERR_OK;
}

static void side_pack(const struct sketch_side *s, struct buf *out) {
    wr_varint(out, s->n);
    if (s->n == 0) return;
    wr_varint(out, s->first);
    for (uint32_t i = 0; i < s->n; i++) chunk_pack(s->chunks[i], out);
}

static enum err side_unpack(struct arena *a, struct reader *r, struct sketch_side *out) {
    uint64_t n = rd_varint(r), first = n ? rd_varint(r) : 0;
    *out = (struct sketch_side){ .n = 0 };
    if (r->bad || n > SKETCH_OCTAVES || first > SKETCH_OCTAVES - n) return ERR_CORRUPT;
    if (n == 0) return ERR_OK;
    struct sketch_chunk **chunks = arena_zalloc(a, n * sizeof(struct sketch_chunk *));
    if (!chunks) return ERR_NOMEM;
    for (uint32_t i = 0; i < n; i++) TRY(chunk_unpack(a, r, &chunks[i]));
    *out = (struct sketch_side){ chunks, (uint16_t)first, (uint16_t)n };
    return ERR_OK;
}

void sketch_pack(const struct sketch *s, struct buf *out) {
    wr_varint(out, s->n);
    wr_varint(out, s->zeros);
    buf_add(out, &s->min, sizeof s->min);
    buf_add(out, &s->max, sizeof s->max);
    side_pack(&s->positive, out);
    side_pack(&s->negative, out);
}

enum err sketch_unpack(struct arena *a, struct reader *r, struct sketch *out) {
    *out = (struct sketch){ .n = rd_varint(r) };
    out->zeros = rd_varint(r);
    struct str ends = rd_bytes(r, 2 * sizeof out->min);
    if (r->bad) return ERR_CORRUPT;
    memcpy(&out->min, ends.ptr, sizeof out->min);
    memcpy(&out->max, ends.ptr + sizeof out->min, sizeof out->max);
    TRY(side_unpack(a, r, &out->positive));
    TRY(side_unpack(a, r, &out->negative));
    return r->bad ? ERR_CORRUPT : ERR_OK;
}

// --- reading --------------------------------------------------------------------------------------

struct walk {
    const struct sketch *s;
    bool down; // from the largest value to the least
    enum { WALK_FIRST, WALK_ZEROS, WALK_LAST } part;
    uint32_t pos; // of the next bucket of the part
};

enum { RUN = 16 }; // buckets that are passed together where they are empty

static bool run_is_empty(const struct sketch_chunk *c, uint32_t first) {
    uint64_t any = 0, eight;
    for (; c; c = c->above)
        for (uint32_t i = 0; i < RUN; i += 8) {
            memcpy(&eight, &c->n[first + i], sizeof eight);
            any |= eight;
        }
    return any == 0;
}

static bool side_next(const struct sketch_side *s, uint32_t *pos, bool backward, struct place *p,
                      uint64_t *n) {
    uint32_t all = (uint32_t)s->n * SKETCH_OCTAVE;
    while (*pos < all) {
        uint32_t at = backward ? all - 1 - *pos : *pos, i = at / SKETCH_OCTAVE;
        if (*pos % SKETCH_OCTAVE == 0 && !s->chunks[i]) {
            *pos += SKETCH_OCTAVE;
            continue;
        }
        if (*pos % RUN == 0 && run_is_empty(s->chunks[i], at % SKETCH_OCTAVE / RUN * RUN)) {
            *pos += RUN;
            continue;
        }
        (*pos)++;
        *n = chunk_count(s->chunks[i], at % SKETCH_OCTAVE);
        *p = (struct place){ s->first + i, at % SKETCH_OCTAVE };
        if (*n) return true;
    }
    return false;
}

static double clamp(const struct sketch *s, double x) {
    return x < s->min ? s->min : x > s->max ? s->max : x;
}

// The next bucket in the walk's direction: its sign and place, and how many values are in it.
static bool walk_next(struct walk *w, int *sign, struct place *p, uint64_t *n) {
    const struct sketch_side *first = w->down ? &w->s->positive : &w->s->negative;
    const struct sketch_side *last = w->down ? &w->s->negative : &w->s->positive;
    if (w->part == WALK_FIRST) {
        *sign = w->down ? 1 : -1;
        if (side_next(first, &w->pos, true, p, n)) return true; // from the largest numbers on
        w->part = WALK_ZEROS;
    }
    if (w->part == WALK_ZEROS) {
        w->part = WALK_LAST;
        w->pos = 0;
        *sign = 0;
        if ((*n = w->s->zeros) > 0) return true;
    }
    *sign = w->down ? -1 : 1;
    return side_next(last, &w->pos, false, p, n);
}

static double walk_value(const struct walk *w, int sign, struct place p) {
    return sign == 0 ? 0 : clamp(w->s, sign * place_value(p));
}

void sketch_each(const struct sketch *s, void (*each)(void *ctx, double value, uint64_t count), void *ctx) {
    struct walk w = { .s = s };
    struct place p = { 0 };
    int sign;
    for (uint64_t n; walk_next(&w, &sign, &p, &n);) each(ctx, walk_value(&w, sign, p), n);
}

// r / n is compared as doubles, so that q = 0.07 of 100 values is the 7th, although 0.07 * 100 > 7.
static uint64_t rank_of(double q, uint64_t n) {
    double guess = ceil(q * (double)n);
    uint64_t r = guess >= (double)n ? n : guess < 1 ? 1 : (uint64_t)guess;
    while (r > 1 && (double)(r - 1) / (double)n >= q) r--;
    while (r < n && (double)r / (double)n < q) r++;
    return r;
}

double sketch_quantile(const struct sketch *s, double q) {
    if (s->n == 0 || !(q >= 0 && q <= 1)) return NAN;
    uint64_t left = rank_of(q, s->n), n;
    if (left == 1) return s->min;
    if (left == s->n) return s->max;
    // From the end that is nearer.
    struct walk w = { .s = s, .down = left > s->n / 2 };
    struct place p = { 0 };
    int sign = 0;
    if (w.down) left = s->n - left + 1;
    while (walk_next(&w, &sign, &p, &n)) {
        if (n >= left) return walk_value(&w, sign, p);
        left -= n;
    }
    return w.down ? s->min : s->max;
}
