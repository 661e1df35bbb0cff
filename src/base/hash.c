// SPDX-License-Identifier: Apache-2.0
#include "base/hash.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

static uint64_t seed;

void hash_seed(uint64_t s) {
    seed = s;
}

uint64_t hash_bytes(const void *p, size_t n) {
    return XXH3_64bits_withSeed(p, n, seed);
}

uint64_t hash_xxh64(const void *p, size_t n) {
    return XXH64(p, n, 0);
}

static uint32_t crc_table(uint32_t crc, const uint8_t *p, size_t n) {
    for (; n; n--) {
        crc ^= *p++;
        for (int k = 0; k < 8; k++) crc = crc >> 1 ^ (0x82f63b78u & (0u - (crc & 1)));
    }
    return crc;
}

#if defined(__x86_64__)
#include <nmmintrin.h>
__attribute__((target("sse4.2"))) static uint32_t crc_sse(uint32_t crc, const uint8_t *p, size_t n) {
    uint64_t c = crc;
    for (; n >= 8; n -= 8, p += 8) {
        uint64_t w;
        memcpy(&w, p, 8);
        c = _mm_crc32_u64(c, w);
    }
    for (; n; n--) c = _mm_crc32_u8((uint32_t)c, *p++);
    return (uint32_t)c;
}
static bool has_sse(void) {
    return __builtin_cpu_supports("sse4.2");
}
#else
static uint32_t crc_sse(uint32_t crc, const uint8_t *p, size_t n) {
    return crc_table(crc, p, n);
}
static bool has_sse(void) {
    return false;
}
#endif

uint32_t crc32c(uint32_t crc, const void *p, size_t n) {
    return ~(has_sse() ? crc_sse(~crc, p, n) : crc_table(~crc, p, n));
}
