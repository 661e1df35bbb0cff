// SPDX-License-Identifier: Apache-2.0
// Inside `span` only: the parts of a table's batch.
#pragma once

#include "span/table_batch.h"

// What was resolved, in the batch's arena.
struct table_memo {
    uint32_t n_events, n_links; // of the rows that the index covers
    uint32_t *parents;          // per row
    const uint32_t *owners[BATCH_TABLE_COUNT];
};
// NULL = no memory.
struct table_memo *table_memo(struct table_batch *b);

static inline struct table_batch *table_batch_of(struct batch *b) {
    return (struct table_batch *)b;
}

// Elements [from, to) side by side: where they are if they lie so, else a copy. NULL = no memory.
const void *table_slice(struct table_batch *b, const struct segvec *v, uint32_t from, uint32_t to,
                        size_t size);

// table_columns.c
enum err table_column(struct batch *b, enum batch_table table, const struct field *f,
                      struct batch_column *out);
enum err table_load(struct batch *b, const struct batch_part *p, uint32_t from, uint32_t to, struct vec *out);
enum err table_may_hold(struct batch *b, const struct batch_part *p, const struct value *v, bool *out);

// table_parents.c
NODISCARD enum err table_resolve_parents(struct table_batch *b, uint32_t *out);
// table_summary.c
// The row of a trace's root: the first without a parent id; SPAN_NONE without one.
uint32_t table_root(const struct table_batch *b, const struct batch_trace *tr);
NODISCARD enum err table_summarise(struct table_batch *b, const uint64_t *wanted, struct batch_summary *out);
