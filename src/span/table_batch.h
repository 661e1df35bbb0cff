// SPDX-License-Identifier: Apache-2.0
// A span table as a batch: the head of a tenant, or traces that were joined from several places.
// thread: a reader of the table; the index is immutable once made and may be shared.
#pragma once

#include "span/batch.h"
#include "span/table.h"

// The order of the rows of a table by trace, without equal spans: made once per state of a head.
struct table_index {
    uint32_t n_rows; // of the table that it covers
    uint32_t n_traces;
    struct batch_trace *traces; // in the order of the table's traces; n = 0: none among the rows
    uint32_t *order;
    uint64_t *live; // NULL: all rows
    struct arena arena;
};
NODISCARD enum err table_index_make(const struct span_table *t, uint32_t n_rows, struct table_index *out);
void table_index_fini(struct table_index *x);

struct table_batch {
    struct batch batch; // the first member
    const struct span_table *table;
    const struct table_index *index;
    void *memo; // private: what was resolved
};
// Table and index outlive the batch. Everything it gives lives in the arena.
void table_batch_open(struct table_batch *b, const struct span_table *t, const struct table_index *x,
                      struct arena *a);
