// SPDX-License-Identifier: Apache-2.0
// DELTA_BINARY_PACKED: differences to the value before, less the smallest of the block, bit-packed.
// Source: apache/parquet-format, Encodings.md, "Delta Encoding". Written in blocks of 128 values in
// four miniblocks of 32, the numbers that all writers use.
#pragma once

#include "base/cursor.h"

enum { DELTA_STEP = 32 };

void delta_encode_i32(struct buf *out, const int32_t *v, size_t n);
void delta_encode_i64(struct buf *out, const int64_t *v, size_t n);
// Bytes that n values (one of the arrays is NULL) would take, judged by at most 4,096 of them.
uint64_t delta_estimate(const int32_t *narrow, const int64_t *wide, size_t n);

// A position in encoded data, which has BITPACK_SLACK bytes to spare behind its end.
struct delta {
    const uint8_t *pos, *end;
    uint64_t total; // values of the whole
    uint64_t left;  // values not yet given
    uint64_t last, min_delta;
    const uint8_t *widths; // of the miniblocks of the block in hand
    uint32_t mini_per_block, mini_size, mini, mini_left;
    bool first;                    // the first value, which is in the header, is still to be given
    uint32_t ready_pos, ready_end; // values unpacked but not yet given
    int64_t ready[DELTA_STEP];
};

// false on a damaged header or more than max_values values.
NODISCARD bool delta_open(struct delta *d, struct str data, uint64_t max_values);
// The next n values; false where the data is damaged or has fewer.
NODISCARD bool delta_read(struct delta *d, int64_t *dst, size_t n);
NODISCARD bool delta_skip(struct delta *d, size_t n);
// What follows the encoded values, once all of them were read.
struct str delta_rest(const struct delta *d);

// Of a step of DELTA_STEP differences at src, to each of which min is added: their running sums on top
// of *last (dst NULL: only what *last becomes). false: it was not done; where the processor has the
// instructions it is.
NODISCARD bool delta_step_fast(const uint8_t *src, unsigned width, uint64_t min, uint64_t *last,
                               int64_t *dst);
