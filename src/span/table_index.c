// SPDX-License-Identifier: Apache-2.0
// The rows of a table by trace: counted, dealt out, and each trace sorted by itself, which mostly is
// in order already.
#include "span/order.h"
#include "span/table_batch.h"

// Counts the rows of each trace and gives each its place in the order; *out_most = the largest.
static void place_traces(const struct span_table *t, struct table_index *x, uint32_t *next,
                         uint32_t *out_most) {
    uint32_t at = 0, most = 0;
    memset(next, 0, x->n_traces * sizeof *next);
    for (uint32_t row = 0; row < x->n_rows; row++) next[SEG_AT(&t->trace, row, uint32_t)]++;
    for (uint32_t i = 0; i < x->n_traces; i++) {
        struct batch_trace *tr = &x->traces[i];
        *tr = (struct batch_trace){ .first = at, .n = next[i] };
        memcpy(tr->id, span_trace_at(t, i)->id, 16);
        if (tr->n > most) most = tr->n;
        next[i] = at;
        at += tr->n;
    }
    for (uint32_t row = 0; row < x->n_rows; row++) x->order[next[SEG_AT(&t->trace, row, uint32_t)]++] = row;
    *out_most = most;
}

static void bound_trace(const struct span_table *t, struct batch_trace *tr, const struct span_key *keys) {
    for (uint32_t i = 0; i < tr->n; i++) {
        uint64_t end = SEG_AT(&t->end_ns, keys[i].row, uint64_t);
        if (end < keys[i].start_ns) end = keys[i].start_ns;
        if (end > tr->end_ns) tr->end_ns = end;
    }
    tr->start_ns = keys[0].start_ns;
    tr->last_start_ns = keys[tr->n - 1].start_ns;
}

static enum err drop_row(struct table_index *x, uint32_t row) {
    size_t words = (x->n_rows + 63ull) / 64;
    if (!x->live) {
        x->live = ARENA_ARRAY(&x->arena, words, uint64_t);
        if (!x->live) return ERR_NOMEM;
        memset(x->live, 0xff, words * sizeof *x->live);
        if (x->n_rows % 64) x->live[words - 1] = (1ull << x->n_rows % 64) - 1;
    }
    x->live[row / 64] &= ~(1ull << row % 64);
    return ERR_OK;
}

// Sorts the rows of a trace and drops those that are equal to others. The order stays without gaps
// inside the trace; between traces they are closed later.
static enum err sort_trace(const struct span_table *t, struct table_index *x, struct batch_trace *tr,
                           struct span_key *keys) {
    uint32_t *order = x->order + tr->first, kept;
    if (tr->n == 0) return ERR_OK;
    for (uint32_t i = 0; i < tr->n; i++) keys[i] = span_key_of(t, order[i]);
    span_keys_sort(keys, tr->n, keys + tr->n);
    bound_trace(t, tr, keys);
    TRY(span_keys_settle(t, keys, tr->n, &kept));
    if (kept < tr->n) { // those left out are what the rows have and the kept ones have not
        for (uint32_t i = 0; i < tr->n; i++) TRY(drop_row(x, order[i]));
        for (uint32_t i = 0; i < kept; i++) x->live[keys[i].row / 64] |= 1ull << keys[i].row % 64;
    }
    for (uint32_t i = 0; i < kept; i++) order[i] = keys[i].row;
    tr->n = kept;
    return ERR_OK;
}

static enum err make(const struct span_table *t, struct table_index *x) {
    struct arena *a = &x->arena;
    uint32_t most = 0, at = 0;
    x->traces = ARENA_ARRAY(a, x->n_traces + 1ull, struct batch_trace);
    x->order = ARENA_ARRAY(a, x->n_rows + 1ull, uint32_t);
    uint32_t *next = ARENA_ARRAY(a, x->n_traces + 1ull, uint32_t);
    if (!x->traces || !x->order || !next) return ERR_NOMEM;
    place_traces(t, x, next, &most);
    struct span_key *keys = mem_alloc((most * 3ull / 2 + 2) * sizeof *keys);
    enum err e = keys ? ERR_OK : ERR_NOMEM;
    for (uint32_t i = 0; i < x->n_traces && e == ERR_OK; i++) e = sort_trace(t, x, &x->traces[i], keys);
    mem_free(keys);
    TRY(e);
    for (uint32_t i = 0; i < x->n_traces && x->live; i++) {
        struct batch_trace *tr = &x->traces[i];
        memmove(x->order + at, x->order + tr->first, tr->n * sizeof *x->order);
        tr->first = at;
        at += tr->n;
    }
    return ERR_OK;
}

enum err table_index_make(const struct span_table *t, uint32_t n_rows, struct table_index *out) {
    uint32_t n_traces = atomic_load_explicit(&t->n_traces, memory_order_acquire);
    *out = (struct table_index){ .n_rows = n_rows, .n_traces = n_traces };
    arena_init(&out->arena, SIZE_MAX, NULL);
    enum err e = make(t, out);
    if (e != ERR_OK) table_index_fini(out);
    return e;
}

void table_index_fini(struct table_index *x) {
    arena_fini(&x->arena);
    *x = (struct table_index){ 0 };
}
