// SPDX-License-Identifier: Apache-2.0
// Eight values at once, where the processor can: the bytes that hold each value are put into a lane,
// which is shifted by as many bits as stand before the value. Up to 25 bits, so that four bytes hold
// one at any bit.
#include "parquet/bitpack.h"

#include <stdbool.h>
#include <string.h>

#if defined(__x86_64__)
#include <immintrin.h>

struct layout {
    uint8_t bytes[32]; // of each lane, counted from the half's first byte
    uint32_t shifts[8];
    unsigned second; // where the upper half begins
};

static struct layout layout_of(unsigned width) {
    struct layout l = { .second = 4 * width / 8 };
    for (unsigned i = 0; i < 8; i++) {
        unsigned bit = i * width - (i < 4 ? 0 : l.second * 8);
        l.shifts[i] = bit % 8;
        for (unsigned k = 0; k < 4; k++) l.bytes[i * 4 + k] = (uint8_t)(bit / 8 + k);
    }
    return l;
}

__attribute__((target("avx2"))) static void unpack(uint32_t *dst, const uint8_t *src, size_t n_groups,
                                                   unsigned width) {
    struct layout l = layout_of(width);
    __m256i bytes = _mm256_loadu_si256((const __m256i *)(const void *)l.bytes);
    __m256i shifts = _mm256_loadu_si256((const __m256i *)(const void *)l.shifts);
    __m256i mask = _mm256_set1_epi32((int)(((uint32_t)1 << width) - 1));
    for (; n_groups; n_groups--, src += width, dst += 8) {
        __m128i low = _mm_loadu_si128((const __m128i *)(const void *)src);
        __m128i high = _mm_loadu_si128((const __m128i *)(const void *)(src + l.second));
        __m256i v = _mm256_inserti128_si256(_mm256_castsi128_si256(low), high, 1);
        v = _mm256_srlv_epi32(_mm256_shuffle_epi8(v, bytes), shifts);
        _mm256_storeu_si256((__m256i *)(void *)dst, _mm256_and_si256(v, mask));
    }
}

bool bitunpack_fast(uint32_t *dst, const uint8_t *src, size_t n_groups, unsigned width) {
    enum { WIDTH_MAX = 25 };
    if (width == 0 || width > WIDTH_MAX || !__builtin_cpu_supports("avx2")) return false;
    unpack(dst, src, n_groups, width);
    return true;
}
#else
bool bitunpack_fast(uint32_t *dst, const uint8_t *src, size_t n_groups, unsigned width) {
    (void)dst, (void)src, (void)n_groups, (void)width;
    return false;
}
#endif
