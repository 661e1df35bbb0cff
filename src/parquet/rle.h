// SPDX-License-Identifier: Apache-2.0
// Parquet's hybrid of runs and bit-packed groups: codes of dictionaries, definition levels and
// booleans. Source: apache/parquet-format, Encodings.md, "RLE".
#pragma once

#include "base/cursor.h"

// Appends n values that fit in `width` bits (1 to 32).
void rle_encode(struct buf *out, const uint32_t *v, size_t n, unsigned width);
// Appends n bits (width 1) out of little-endian words; unused bits of the last word may be anything,
// and are changed.
void rle_encode_bits(struct buf *out, uint64_t *bits, size_t n);
// Appends one run.
void rle_encode_run(struct buf *out, uint64_t n, uint32_t value, unsigned width);

// A position in encoded data, which has BITPACK_SLACK bytes to spare behind its end. The calls
// return false where the data is damaged or too short. Copy the struct to look ahead.
struct rle {
    const uint8_t *pos, *end;
    unsigned width;        // 0 to 32
    uint64_t left;         // values left in the current run
    uint32_t value;        // of a plain run
    const uint8_t *packed; // bit-packed run: its first group; NULL in a plain run
    uint64_t at;           // values of the bit-packed run that are behind us
};

NODISCARD bool rle_open(struct rle *r, struct str data, unsigned width);
NODISCARD bool rle_read(struct rle *r, uint32_t *dst, size_t n);
NODISCARD bool rle_skip(struct rle *r, size_t n);
// Width 1 only. Passes n bits, counting the ones.
NODISCARD bool rle_count_ones(struct rle *r, size_t n, size_t *out_ones);
// Width 1 only. Passes n bits and writes base + i for each one bit i, in order, to dst; dst has room
// for 8 numbers more than there are ones.
NODISCARD bool rle_find_ones(struct rle *r, size_t n, uint32_t base, uint32_t *dst, size_t *out_ones);
