// SPDX-License-Identifier: Apache-2.0
// Inside `block` only: from the columns of a table to the columns of a row group. A table's rows
// stand in order of arrival; a row group's in the block's. Values are scattered by position, then
// packed.
#pragma once

#include "block/columns.h"
#include "block/restkeys_build.h"
#include "parquet/parquet.h"

// Where rows of an attribute table go: place[row] is the position within the row group, or
// >= n_rows for rows that are elsewhere.
struct gather {
    const uint32_t *place;
    uint32_t n_rows;     // of the row group
    struct arena *arena; // of the row group
    uint64_t *bits;      // scratch: n_rows bits, all clear between calls
    void *dense;         // scratch: n_rows values of eight or four bytes
    struct str *dict;    // scratch, grows in the arena
};
NODISCARD enum err gather_init(struct gather *g, const uint32_t *place, uint32_t n_rows, struct arena *a);

// The values of a chosen column, ready for pq_column_write. Values longer than LARGE_VALUE_BYTES and
// those without a text (see any.h) are left out: they go to the rest. texts: of the choice, for this
// column. The arrays are the arena's.
enum { LARGE_VALUE_BYTES = 64 << 10 };
NODISCARD enum err gather_column(struct gather *g, const struct attr_column *c, const struct str *texts,
                                 struct pq_values *out);

// A sparse pair column (rows, u32 values): packed rows and values; out_n of them.
NODISCARD enum err gather_pairs(struct gather *g, const struct segvec *rows, const struct segvec *vals,
                                uint32_t n, uint32_t **out_rows, uint32_t **out_vals, uint32_t *out_n);

// The whole dictionary as one array.
NODISCARD enum err gather_dict(struct gather *g, const struct dict *d, const struct str **out);

// The rest column: what the rows' own rest holds, what fits no chosen column, and large values.
// large(ctx, AnyValue bytes, out hash) keeps such a value elsewhere.
struct rest_sink {
    enum err (*large)(void *ctx, struct str any, uint8_t out_hash[16]);
    void *ctx;
};
// keys: of the attributes in it.
NODISCARD enum err gather_rest(struct gather *g, const struct attr_table *t,
                               const struct column_choice *choice, const struct rest_sink *sink,
                               struct rest_keys *keys, struct pq_values *out);
