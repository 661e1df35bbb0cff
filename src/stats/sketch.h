// SPDX-License-Identifier: Apache-2.0
// A quantile sketch over any doubles: counts per bucket, 64 buckets to an octave, so that an answer
// is at most 1/128 (0.8 %) away from the value that it stands for. Buckets never collapse, and their
// number is bounded by what a double can be; the least and the greatest value are kept exactly.
//
// Adding and merging commute: the same values give the same sketch in any order and any split.
//
// Quantile q of n values is the value of the least rank r (1 … n, ascending) with r / n >= q; q = 0
// is the least value. This is the nearest rank; nothing is interpolated.
//
// A zeroed struct is an empty sketch. Memory is the arena's. thread: one at a time.
#pragma once

#include <string.h>

#include "base/cursor.h"
#include "base/mem.h"

enum {
    SKETCH_OCTAVE = 64, // buckets of an octave
    SKETCH_LEVELS = 8,  // digits of a count, 8 bits each
    SKETCH_SHIFT = 64,  // octaves for denormals, below those of the exponents of doubles
    SKETCH_OCTAVES = 2048 + SKETCH_SHIFT,
};

// The lowest 8 bits of the counts of an octave's buckets; the bits above them where a count has any.
struct sketch_chunk {
    uint8_t n[SKETCH_OCTAVE];
    struct sketch_chunk *above;
};
struct sketch_side {              // values of one sign, by magnitude
    struct sketch_chunk **chunks; // of octaves [first, first + n); NULL: empty
    uint16_t first, n;
};
struct sketch {
    uint64_t n;      // values
    uint64_t zeros;  // of them
    double min, max; // n > 0
    struct sketch_side positive, negative;
};

// NaN is not counted. ERR_NOMEM leaves the sketch as it was.
NODISCARD enum err sketch_add(struct arena *a, struct sketch *s, double x);
// The same for many values; ERR_NOMEM leaves some of them in.
NODISCARD enum err sketch_add_many(struct arena *a, struct sketch *s, const double *x, size_t n);
// Adds what `from` counted. After ERR_NOMEM s is of no use.
NODISCARD enum err sketch_merge(struct arena *a, struct sketch *s, const struct sketch *from);
// As bytes of this process, and back into an empty sketch. ERR_CORRUPT: they are no sketch.
void sketch_pack(const struct sketch *s, struct buf *out);
NODISCARD enum err sketch_unpack(struct arena *a, struct reader *r, struct sketch *out);
double sketch_quantile(const struct sketch *s, double q); // NaN: empty, or q is not in [0, 1]
// The buckets that hold something, ascending: the value that they answer with and their count.
void sketch_each(const struct sketch *s, void (*each)(void *ctx, double value, uint64_t count), void *ctx);

// For values of which many come: the bucket's chunk is there already in nearly every case.
NODISCARD enum err sketch_slow_(struct arena *a, struct sketch *s, double x);
static inline enum err sketch_add_fast(struct arena *a, struct sketch *s, double x) {
    uint64_t bits;
    memcpy(&bits, &x, sizeof bits);
    // A negative or denormal x falls out of every window here, as does NaN.
    uint32_t octave = (uint32_t)(bits >> 52) + SKETCH_SHIFT, at = octave - s->positive.first;
    if (__builtin_expect(at < s->positive.n && octave > SKETCH_SHIFT && octave < 2047 + SKETCH_SHIFT, 1)) {
        struct sketch_chunk *c = s->positive.chunks[at];
        uint32_t i = bits >> 46 & (SKETCH_OCTAVE - 1);
        if (__builtin_expect(c && c->n[i] != UINT8_MAX && s->n, 1)) {
            c->n[i]++;
            s->n++;
            if (x < s->min) s->min = x;
            if (x > s->max) s->max = x;
            return ERR_OK;
        }
    }
    return sketch_slow_(a, s, x);
}
