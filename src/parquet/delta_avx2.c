// SPDX-License-Identifier: Apache-2.0
// A step of differences four at a time, where the processor can: two values lie within 16 bytes, are put
// into a lane each, and shifted by as many bits as stand before them.
#include "parquet/delta.h"

#include <string.h>

#if defined(__x86_64__)
#include <immintrin.h>

enum { WIDTH_MAX = 57 }; // at any bit, 8 bytes hold that many

// Of 8 values, which take as many bytes as each has bits.
struct layout {
    uint8_t bytes[2][32]; // of each lane, counted from where the pair begins
    uint64_t shifts[2][4];
    uint8_t pair[4]; // where it does
};
static struct layout layouts[WIDTH_MAX + 1];

__attribute__((constructor)) static void layouts_fill(void) {
    for (unsigned width = 1; width <= WIDTH_MAX; width++) {
        struct layout *l = &layouts[width];
        for (unsigned i = 0; i < 8; i++) {
            unsigned first = i / 2 * 2 * width / 8, bit = i * width - first * 8;
            l->pair[i / 2] = (uint8_t)first;
            l->shifts[i / 4][i % 4] = bit % 8;
            for (unsigned k = 0; k < 8; k++) l->bytes[i / 4][i % 4 * 8 + k] = (uint8_t)(bit / 8 + k);
        }
    }
}

#define AVX2 __attribute__((target("avx2")))

AVX2 static inline __m256i load4(const struct layout *l, const uint8_t *src, int half, __m256i mask) {
    __m128i low = _mm_loadu_si128((const __m128i *)(const void *)(src + l->pair[2 * half]));
    __m128i high = _mm_loadu_si128((const __m128i *)(const void *)(src + l->pair[2 * half + 1]));
    __m256i bytes = _mm256_loadu_si256((const __m256i *)(const void *)l->bytes[half]);
    __m256i shifts = _mm256_loadu_si256((const __m256i *)(const void *)l->shifts[half]);
    __m256i v = _mm256_inserti128_si256(_mm256_castsi128_si256(low), high, 1);
    return _mm256_and_si256(_mm256_srlv_epi64(_mm256_shuffle_epi8(v, bytes), shifts), mask);
}

AVX2 static inline __m256i mask_of(unsigned width) {
    return _mm256_set1_epi64x((int64_t)(((uint64_t)1 << width) - 1));
}

AVX2 static uint64_t sum_step(const uint8_t *src, unsigned width) {
    const struct layout *l = &layouts[width];
    __m256i mask = mask_of(width), sum = _mm256_setzero_si256();
    uint64_t lanes[4];
    for (int i = 0; i < DELTA_STEP / 8; i++, src += width) {
        sum = _mm256_add_epi64(sum, load4(l, src, 0, mask));
        sum = _mm256_add_epi64(sum, load4(l, src, 1, mask));
    }
    memcpy(lanes, &sum, sizeof lanes);
    return lanes[0] + lanes[1] + lanes[2] + lanes[3];
}

// v[0], v[0] + v[1], …, each plus what stands before them in every lane of *last.
AVX2 static inline __m256i running(__m256i v, __m256i *last) {
    v = _mm256_add_epi64(v, _mm256_slli_si256(v, 8));
    __m256i low = _mm256_permute4x64_epi64(v, 0x55); // v[1] everywhere
    v = _mm256_add_epi64(v, _mm256_blend_epi32(_mm256_setzero_si256(), low, 0xf0));
    v = _mm256_add_epi64(v, *last);
    *last = _mm256_permute4x64_epi64(v, 0xff);
    return v;
}

AVX2 static uint64_t unpack_step(const uint8_t *src, unsigned width, uint64_t min, uint64_t before,
                                 int64_t *dst) {
    const struct layout *l = &layouts[width];
    __m256i mask = mask_of(width), least = _mm256_set1_epi64x((int64_t)min);
    __m256i last = _mm256_set1_epi64x((int64_t)before);
    for (int i = 0; i < DELTA_STEP / 8; i++, src += width) {
        for (int half = 0; half < 2; half++, dst += 4) {
            __m256i v = running(_mm256_add_epi64(load4(l, src, half, mask), least), &last);
            _mm256_storeu_si256((__m256i *)(void *)dst, v);
        }
    }
    return (uint64_t)dst[-1];
}

bool delta_step_fast(const uint8_t *src, unsigned width, uint64_t min, uint64_t *last, int64_t *dst) {
    if (width == 0 || width > WIDTH_MAX || !__builtin_cpu_supports("avx2")) return false;
    if (dst)
        *last = unpack_step(src, width, min, *last, dst);
    else
        *last += sum_step(src, width) + DELTA_STEP * min;
    return true;
}
#else
bool delta_step_fast(const uint8_t *src, unsigned width, uint64_t min, uint64_t *last, int64_t *dst) {
    (void)src, (void)width, (void)min, (void)last, (void)dst;
    return false;
}
#endif
