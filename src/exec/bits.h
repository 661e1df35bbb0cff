// SPDX-License-Identifier: Apache-2.0
// Bitmaps over rows and the loops that fill them: AVX2 where the machine has it, chosen at the
// first use, with a plain twin of every loop. Bits past the end of a bitmap are 0. thread: any.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

static inline size_t bits_words(uint32_t n) {
    return ((size_t)n + 63) / 64;
}
static inline bool bit_get(const uint64_t *bits, uint32_t i) {
    return bits[i / 64] >> (i % 64) & 1;
}
static inline void bit_set(uint64_t *bits, uint32_t i) {
    bits[i / 64] |= 1ull << (i % 64);
}
static inline void bit_clear(uint64_t *bits, uint32_t i) {
    bits[i / 64] &= ~(1ull << (i % 64));
}

void bits_fill(uint64_t *bits, uint32_t n); // all n set
void bits_set_range(uint64_t *bits, uint32_t from, uint32_t to);
bool bits_any(const uint64_t *bits, uint32_t n);
bool bits_any_range(const uint64_t *bits, uint32_t from, uint32_t to);
uint64_t bits_count(const uint64_t *bits, uint32_t n);
uint64_t bits_count_range(const uint64_t *bits, uint32_t from, uint32_t to);
void bits_and(uint64_t *a, const uint64_t *b, uint32_t n);     // a &= b
void bits_and_not(uint64_t *a, const uint64_t *b, uint32_t n); // a &= ~b
void bits_or(uint64_t *a, const uint64_t *b, uint32_t n);      // a |= b
void bits_not(uint64_t *a, uint32_t n);
// The first set bit >= from, or n.
uint32_t bits_next(const uint64_t *bits, uint32_t from, uint32_t n);
// The places of all that are set, of the first n bits; returns how many. Room: as many as bits_count.
uint32_t bits_places(const uint64_t *bits, uint32_t n, uint32_t *out);
// The last set bit < to, or BITS_NONE.
enum { BITS_NONE = 0xffffffffu };
uint32_t bits_prev(const uint64_t *bits, uint32_t to);

// Each sets those of the bits `at + i` that are in the mask (of as many rows; NULL: all are) and for which
// value i passes; the others are left as they are. Values of 64 rows without a bit in the mask are not looked
// at.
void bits_codes_equal(uint64_t *bits, const uint64_t *mask, uint32_t at, const uint32_t *codes, uint32_t n,
                      uint32_t code);
// pass[code] is 0 or 1; codes are below n_pass.
void bits_codes_pass(uint64_t *bits, const uint64_t *mask, uint32_t at, const uint32_t *codes, uint32_t n,
                     const uint8_t *pass, uint32_t n_pass);
void bits_ints_between(uint64_t *bits, const uint64_t *mask, uint32_t at, const int64_t *v, uint32_t n,
                       int64_t min, int64_t max);

// Tests: the plain twins from now on, or what the machine has again.
void bits_force_plain(bool plain);
