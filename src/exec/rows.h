// SPDX-License-Identifier: Apache-2.0
// Fields of a batch's spans as values by row, whatever they are made of: an attribute of one scope,
// an unscoped one (the first scope that has it), the parent's, the first event's, or a number that
// follows from the tree. The bridge between columns and everything that looks at single rows.
// Memory is the batch's arena's. thread: that of the batch.
#pragma once

#include "exec/bits.h"
#include "span/batch.h"

struct rows;
enum { ROWS_CHUNK = 4096 }; // rows are loaded by multiples of it

// Fields outlive the rows. No column is read yet.
NODISCARD enum err rows_new(struct batch *b, const struct field *fields, uint32_t n, struct rows **out);

// A further field, by what it is: its number.
NODISCARD enum err rows_field_of(struct rows *r, const struct field *f, uint32_t *out);

// Makes field i readable at the rows of the bitmap (NULL: at all rows). More rows may be asked for
// later. Only stretches of rows that hold a wanted one are decoded.
NODISCARD enum err rows_want(struct rows *r, uint32_t i, const uint64_t *bitmap);

// The value of field i at a wanted row. An event's (link's) field: of the first event that has it.
struct value rows_value(const struct rows *r, uint32_t i, uint32_t row);

// One by one: the rows of a span's events (links) are [*from, *to), once the owners are known; and the value
// of field i, which is a column of that table and wanted, at such a row.
NODISCARD enum err rows_owners(struct rows *r, enum batch_table t);
void rows_children(const struct rows *r, enum batch_table t, uint32_t span, uint32_t *from, uint32_t *to);
struct value rows_column_value(const struct rows *r, uint32_t i, uint32_t row);

// The id (the 8 bytes as they are) and the start of a span. Read in stretches around the row.
NODISCARD enum err rows_span_id(struct rows *r, uint32_t row, uint64_t *out);
NODISCARD enum err rows_start(struct rows *r, uint32_t row, uint64_t *out);

// Where field i is one dictionary over all rows (service names, span names, kinds …): the code of
// each wanted row into *dict. false: ask for values.
bool rows_codes(const struct rows *r, uint32_t i, const uint32_t **codes, const struct value **dict,
                uint32_t *n_dict);

// What was loaded of a field that is one column of spans: a part's values in rows from `from` on. A
// row may be in pieces of several parts, the first that is not NIL counts; also rows that nobody
// wanted may be there.
struct rows_piece {
    const struct batch_part *part;
    uint32_t from;
    const struct vec *vec;
};
struct rows_cursor { // zeroed: before the first piece. Pieces come part by part
    uint32_t part;
    const void *at;
};
bool rows_is_column(const struct rows *r, uint32_t i); // false: ask for values
bool rows_piece_next(const struct rows *r, uint32_t i, struct rows_cursor *c, struct rows_piece *out);
