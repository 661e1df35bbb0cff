// SPDX-License-Identifier: Apache-2.0
// One kernel per direction and type, written for any width and compiled once for each: with the
// width a constant, all shifts and places become constants.
#include "parquet/bitpack.h"

#include <string.h>

#include "base/err.h"

#define INLINE static inline __attribute__((always_inline))

#define WIDTHS_TO_32(X) \
    X(1) \
    X(2) \
    X(3) \
    X(4) \
    X(5) \
    X(6) \
    X(7) \
    X(8) \
    X(9) \
    X(10) \
    X(11) \
    X(12) \
    X(13) \
    X(14) \
    X(15) \
    X(16) X(17) X(18) X(19) X(20) X(21) X(22) X(23) X(24) X(25) X(26) X(27) X(28) X(29) X(30) X(31) X(32)
#define WIDTHS_TO_64(X) \
    WIDTHS_TO_32(X) \
    X(33) \
    X(34) \
    X(35) \
    X(36) \
    X(37) \
    X(38) \
    X(39) \
    X(40) \
    X(41) \
    X(42) \
    X(43) \
    X(44) \
    X(45) \
    X(46) \
    X(47) \
    X(48) X(49) X(50) X(51) X(52) X(53) X(54) X(55) X(56) X(57) X(58) X(59) X(60) X(61) X(62) X(63) X(64)

INLINE void store64(uint8_t *p, uint64_t v) {
    memcpy(p, &v, 8);
}
INLINE uint64_t load64(const uint8_t *p) {
    uint64_t v;
    memcpy(&v, p, 8);
    return v;
}

// Adds one value to the word in hand; a full word is stored.
INLINE void put(uint8_t **dst, uint64_t *word, unsigned *used, uint64_t v, unsigned width) {
    *word |= v << *used;
    if (*used + width >= 64) {
        store64(*dst, *word);
        *dst += 8;
        *word = *used ? v >> (64 - *used) : 0;
        *used = *used + width - 64;
    } else {
        *used += width;
    }
}

#define PACK_KERNEL(type) \
    INLINE void pack_##type(uint8_t *dst, const type *src, size_t n_groups, unsigned width) { \
        for (; n_groups; n_groups--, src += 8, dst += width) { \
            uint8_t *p = dst; \
            uint64_t word = 0; \
            unsigned used = 0; \
            _Pragma("GCC unroll 8") for (int i = 0; i < 8; i++) put(&p, &word, &used, src[i], width); \
            store64(p, word); \
        } \
    }
PACK_KERNEL(uint32_t)
PACK_KERNEL(uint64_t)

INLINE uint64_t get(const uint8_t *src, unsigned bit, unsigned width) {
    const uint8_t *p = src + bit / 8;
    uint64_t v = load64(p) >> bit % 8;
    if (bit % 8 + width > 64) v |= (uint64_t)p[8] << (64 - bit % 8);
    return v & (UINT64_MAX >> (64 - width));
}

#define UNPACK_KERNEL(type) \
    INLINE void unpack_##type(type *dst, const uint8_t *src, size_t n_groups, unsigned width) { \
        for (; n_groups; n_groups--, src += width, dst += 8) { \
            _Pragma("GCC unroll 8") for (unsigned i = 0; i < 8; i++) dst[i] = \
                (type)get(src, i * width, width); \
        } \
    }
UNPACK_KERNEL(uint32_t)
UNPACK_KERNEL(uint64_t)

void bitpack_u32(uint8_t *dst, const uint32_t *src, size_t n_groups, unsigned width) {
    switch (width) {
#define X(w) \
    case w: pack_uint32_t(dst, src, n_groups, w); break;
        WIDTHS_TO_32(X)
#undef X
    default: ASSERT(width == 0);
    }
}

void bitpack_u64(uint8_t *dst, const uint64_t *src, size_t n_groups, unsigned width) {
    switch (width) {
#define X(w) \
    case w: pack_uint64_t(dst, src, n_groups, w); break;
        WIDTHS_TO_64(X)
#undef X
    default: ASSERT(width == 0);
    }
}

void bitunpack_u32(uint32_t *dst, const uint8_t *src, size_t n_groups, unsigned width) {
    if (n_groups > 2 && bitunpack_fast(dst, src, n_groups, width)) return;
    switch (width) {
#define X(w) \
    case w: unpack_uint32_t(dst, src, n_groups, w); break;
        WIDTHS_TO_32(X)
#undef X
    default: ASSERT(width == 0); memset(dst, 0, n_groups * 8 * sizeof *dst);
    }
}

void bitunpack_u64(uint64_t *dst, const uint8_t *src, size_t n_groups, unsigned width) {
    switch (width) {
#define X(w) \
    case w: unpack_uint64_t(dst, src, n_groups, w); break;
        WIDTHS_TO_64(X)
#undef X
    default: ASSERT(width == 0); memset(dst, 0, n_groups * 8 * sizeof *dst);
    }
}
