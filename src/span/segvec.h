// SPDX-License-Identifier: Apache-2.0
// A vector whose elements never move: segments of 64, 128, 256 … elements. One writer appends,
// any reader may read an element that was published to it (the count travels beside, with release
// and acquire), without a lock. The memory is an arena's.
#pragma once

#include "base/mem.h"

enum { SEGVEC_FIRST = 64, SEGVEC_SEGS = 26 }; // room for 2^32 elements
enum { SEGVEC_AHEAD = 128 };                  // bytes

struct segvec {
    char *seg[SEGVEC_SEGS];
};

static inline unsigned segvec_seg(uint32_t i) {
    return 57u - (unsigned)__builtin_clzll((uint64_t)i + SEGVEC_FIRST);
}
static inline uint32_t segvec_seg_first(unsigned seg) { // index of a segment's first element
    return (uint32_t)(((uint64_t)SEGVEC_FIRST << seg) - SEGVEC_FIRST);
}
static inline uint32_t segvec_seg_len(unsigned seg) {
    return (uint32_t)SEGVEC_FIRST << seg;
}
static inline void *segvec_at(const struct segvec *v, uint32_t i, size_t size) {
    unsigned seg = segvec_seg(i);
    return v->seg[seg] + (size_t)(i - segvec_seg_first(seg)) * size;
}
// Makes element i addressable; appends go in order, so at most one segment is missing.
NODISCARD static inline bool segvec_room(struct segvec *v, struct arena *a, uint32_t i, size_t size) {
    unsigned seg = segvec_seg(i);
    if (__builtin_expect(v->seg[seg] != NULL, 1)) return true;
    v->seg[seg] = arena_array(a, segvec_seg_len(seg), size);
    return v->seg[seg] != NULL;
}

#define SEG_AT(v, i, type) (*(type *)segvec_at((v), (i), sizeof(type)))

// Writes element i, and asks for the memory of those to come: a row goes to more vectors than the
// processor follows by itself.
#define SEG_PUT(v, i, type, value) \
    do { \
        type *at_ = (type *)segvec_at((v), (i), sizeof(type)); \
        __builtin_prefetch((char *)at_ + SEGVEC_AHEAD, 1); \
        *at_ = (value); \
    } while (0)

// The first of the ascending u32 elements [low, high) that is >= x; high if none is. Within a
// segment there are no branches, which would be guessed wrong half of the time.
static inline uint32_t segvec_find_in(const struct segvec *v, uint32_t low, uint32_t high, uint32_t x) {
    while (low < high) {
        unsigned seg = segvec_seg(low);
        if (seg == segvec_seg(high - 1)) {
            const uint32_t *all = (const uint32_t *)(const void *)v->seg[seg],
                           *p = all + low - segvec_seg_first(seg);
            uint32_t n = high - low;
            for (; n > 1; n -= n / 2) p += n / 2 & (0u - (p[n / 2 - 1] < x));
            return (uint32_t)(p - all) + segvec_seg_first(seg) + (*p < x);
        }
        uint32_t mid = segvec_seg_first(segvec_seg(high - 1));
        if (SEG_AT(v, mid, uint32_t) < x)
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

// The same for all n.
static inline uint32_t segvec_find_u32(const struct segvec *v, uint32_t n, uint32_t x) {
    return segvec_find_in(v, 0, n, x);
}
