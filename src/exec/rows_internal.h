// SPDX-License-Identifier: Apache-2.0
// Inside `exec` only: the parts of a field's column, and what of them was loaded.
#pragma once

#include "exec/rows.h"
#include "exec/tree.h"

struct rows_range { // loaded rows [from, to) of a part
    uint32_t from, to;
    struct vec vec;
    struct rows_range *next;
};
struct leaf;
struct rows_judged { // which entries of a dictionary pass a comparison
    const struct leaf *leaf;
    const uint8_t *pass;   // 0 or 1, by code
    uint32_t n_pass, only; // of them so many; the last of them
    struct rows_judged *next;
};
struct rows_part {
    const struct batch_part *part;
    struct rows_judged *judged;
    struct rows_range **chunk; // of each chunk of the table; NULL = not loaded
    struct rows_range *ranges; // all
    bool whole;                // every chunk is there
};

enum rows_kind {
    ROWS_COLUMN,   // a column of a table
    ROWS_UNSCOPED, // sub: by enum field_scope
    ROWS_PARENT,   // sub[0]: the field of the parent
    ROWS_TREE,     // follows from the parents
};
struct rows_field {
    struct field field;
    enum rows_kind kind;
    enum batch_table table; // COLUMN
    bool is_open;
    struct rows_part *parts;
    uint32_t n_parts;
    uint32_t sub[FIELD_SCOPE_COUNT];
};

struct rows {
    struct batch *batch;
    struct tree tree;
    struct rows_field *fields;
    uint32_t n, cap;
    const uint32_t *owners[BATCH_TABLE_COUNT]; // of children; NULL = not asked yet
    uint32_t n_table[BATCH_TABLE_COUNT];
    bool has_owners[BATCH_TABLE_COUNT];
    const uint64_t **ids, **starts; // per chunk of spans
    const uint64_t *parent_ids;     // of all spans; NULL = not asked yet
};

// Opens the parts of a field (COLUMN).
NODISCARD enum err rows_open(struct rows *r, uint32_t i);
// Loads part p of field i at the wanted rows of its table.
NODISCARD enum err rows_want_part(struct rows *r, uint32_t i, uint32_t p, const uint64_t *bitmap);
// Where an unscoped field is found at a span: its COLUMN field, and, if that is one of children, the
// child rows to look at (some may lack it). false: nowhere.
bool rows_resolve(const struct rows *r, uint32_t i, uint32_t row, uint32_t *field, enum batch_table *table,
                  uint32_t *from, uint32_t *to);
