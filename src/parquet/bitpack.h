// SPDX-License-Identifier: Apache-2.0
// Integers of `width` bits side by side, lowest bit first, in groups of 8 values (= width bytes).
// The kernels work in words: dst of packing and src of unpacking have BITPACK_SLACK bytes to spare
// behind the last group.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { BITPACK_SLACK = 16 };

void bitpack_u32(uint8_t *dst, const uint32_t *src, size_t n_groups, unsigned width); // width <= 32
void bitpack_u64(uint8_t *dst, const uint64_t *src, size_t n_groups, unsigned width); // width <= 64
void bitunpack_u32(uint32_t *dst, const uint8_t *src, size_t n_groups, unsigned width);
// The same where the processor has the instructions; false: it was not done. bitunpack_u32 asks it.
bool bitunpack_fast(uint32_t *dst, const uint8_t *src, size_t n_groups, unsigned width);
void bitunpack_u64(uint64_t *dst, const uint8_t *src, size_t n_groups, unsigned width);

// Bits that v needs; 0 for 0.
static inline unsigned bit_width(uint64_t v) {
    return v ? 64 - (unsigned)__builtin_clzll(v) : 0;
}
