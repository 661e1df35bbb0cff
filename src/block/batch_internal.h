// SPDX-License-Identifier: Apache-2.0
// Inside `block` only: the parts of a row group's batch.
#pragma once

#include "block/batch.h"
#include "block/open.h"
#include "span/parts.h"

// What was read once, in the arena of the scan. A NULL is not there yet.
struct batch_memo {
    uint32_t *trace_of; // per row: the number of its trace
    struct memo_table {
        uint32_t n; // rows
        const uint32_t *owners;
        bool has_rest; // was read: n_rest values
        const uint32_t *rest_rows;
        const struct str *rests;
        uint32_t n_rest;
    } table[BATCH_TABLE_COUNT];
    struct pq_chunk *resource, *scope; // with their dictionaries
};

static inline struct block_batch *block_batch_of(struct batch *b) {
    return (struct block_batch *)b;
}

static inline struct in_file *batch_file(struct block_batch *b, enum batch_table t) {
    return t == BATCH_SPANS ? &b->block->spans : t == BATCH_EVENTS ? &b->block->events : &b->block->links;
}

// Opens a column of the row group; reads rows of it. What was read is counted.
NODISCARD enum err batch_chunk(struct block_batch *b, struct in_file *f, size_t column, struct pq_chunk *out);
NODISCARD enum err batch_chunk_read(struct block_batch *b, struct pq_chunk *c, uint32_t from, uint32_t to,
                                    struct pq_vector *out);
NODISCARD enum err batch_read(struct block_batch *b, struct in_file *f, size_t column, uint32_t from,
                              uint32_t to, struct pq_vector *out);
// No row of the column has a value.
bool batch_is_empty(const struct block_batch *b, const struct in_file *f, size_t column);

// Where a part's values are, and how a range of them is read.
struct source {
    enum err (*load)(struct block_batch *b, struct source *s, uint32_t from, uint32_t to, struct vec *out);
    struct pq_chunk chunk;
    bool coded;               // the part has the chunk's dictionary
    const struct value *kept; // which is there as values already; NULL: it is not
    bool is_any;              // values are OTLP/JSON texts
    bool not_negative;        // what is below 0 counts as 0
    bool has_stats;           // minimum, maximum and bloom filter speak of all of the part's values
    bool is_empty;            // no row of the chunk has a value: then those without one have `fill`
    uint32_t fill;            // the code of rows without a value
    const uint32_t *codes;    // by row
    struct few few;           // rows with values of their own
};

// batch_load.c: the functions of sources.
enum err source_load_chunk(struct block_batch *b, struct source *s, uint32_t from, uint32_t to,
                           struct vec *out);
enum err source_load_duration(struct block_batch *b, struct source *s, uint32_t from, uint32_t to,
                              struct vec *out);
// Rows without a value have the code `fill`, or "".
enum err source_load_filled(struct block_batch *b, struct source *s, uint32_t from, uint32_t to,
                            struct vec *out);
// Names; odd ones stand in the rest, and behind the entries of the dictionary.
enum err source_load_names(struct block_batch *b, struct source *s, uint32_t from, uint32_t to,
                           struct vec *out);
enum err source_load_codes(struct block_batch *b, struct source *s, uint32_t from, uint32_t to,
                           struct vec *out);
enum err source_load_few(struct block_batch *b, struct source *s, uint32_t from, uint32_t to,
                         struct vec *out);
enum err source_load_ids(struct block_batch *b, struct source *s, uint32_t from, uint32_t to,
                         struct vec *out);

// memo.c: the traces of a row group, when they were kept.
bool memo_traces_find(const struct block *b, uint32_t group, struct batch *out);
void memo_traces_keep(struct block *b, uint32_t group, const struct batch *traces);

// batch_numbers.c
enum err batch_numbers(struct batch *b, enum batch_number what, const uint32_t *rows, uint32_t n,
                       uint64_t *out);

// batch_traces.c
NODISCARD enum err batch_read_traces(struct block_batch *b);
NODISCARD enum err batch_trace_codes(struct block_batch *b, const uint32_t **out);
// has_root says which traces have one; both texts are "" without.
NODISCARD enum err batch_roots(struct block_batch *b, size_t column, struct value *out);

// batch_summaries.c
enum err batch_summaries(struct batch *b, const uint64_t *wanted, const struct batch_summary **out);

// batch_rest.c: the rests of the rows of a table.
NODISCARD enum err batch_rests(struct block_batch *b, enum batch_table t, struct memo_table **out);
NODISCARD enum err batch_rest_part(struct block_batch *b, enum batch_table t, struct str key,
                                   struct batch_part *out, bool *found);

// batch_columns.c
enum err batch_column_open(struct batch *b, enum batch_table t, const struct field *f,
                           struct batch_column *out);
enum err batch_part_load(struct batch *b, const struct batch_part *p, uint32_t from, uint32_t to,
                         struct vec *out);
enum err batch_part_may_hold(struct batch *b, const struct batch_part *p, const struct value *v, bool *out);
bool batch_part_rows_with(struct batch *b, const struct batch_part *p, uint32_t code, struct batch_rows *out);
// The column of resources (scopes) of the row group, whose dictionary says which occur.
NODISCARD enum err batch_entities(struct block_batch *b, bool is_scope, struct pq_chunk **out);
// The bounds of the pages of a chunk; INT32 and INT64 with minimum and maximum. NULL: none are known.
NODISCARD enum err batch_page_bounds(struct block_batch *b, struct pq_chunk *c,
                                     const struct batch_bounds **out, uint32_t *out_n);
