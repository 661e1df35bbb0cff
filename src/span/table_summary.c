// SPDX-License-Identifier: Apache-2.0
// The root and the services of each trace, as traces.parquet has them.
#include <stdlib.h>

#include "span/table_batch_internal.h"

enum { STATUS_ERROR = 2 };

// Counts per resource, valid where the stamp is the trace's.
struct tally {
    uint32_t *stamp, *slot;
    struct batch_service *counts;
    uint32_t n;
};

static void tally_row(struct tally *y, const struct span_table *t, uint32_t row, uint32_t stamp) {
    uint32_t resource = SEG_AT(&t->resource, row, uint32_t);
    if (y->stamp[resource] != stamp) {
        y->stamp[resource] = stamp;
        y->slot[resource] = y->n;
        y->counts[y->n++] = (struct batch_service){ span_resource_at(t, resource)->service, 0, 0 };
    }
    struct batch_service *c = &y->counts[y->slot[resource]];
    c->spans++;
    c->errors += SEG_AT(&t->status, row, uint8_t) == STATUS_ERROR;
}

static int by_name(const void *x, const void *y) {
    return str_cmp(((const struct batch_service *)x)->name, ((const struct batch_service *)y)->name);
}

// Sorted by name; instances of a service are one.
static void merge_services(struct tally *y) {
    uint32_t n = 0;
    if (y->n > 1) qsort(y->counts, y->n, sizeof *y->counts, by_name);
    for (uint32_t i = 0; i < y->n; i++) {
        if (n > 0 && str_eq(y->counts[n - 1].name, y->counts[i].name)) {
            y->counts[n - 1].spans += y->counts[i].spans;
            y->counts[n - 1].errors += y->counts[i].errors;
        } else {
            y->counts[n++] = y->counts[i];
        }
    }
    y->n = n;
}

uint32_t table_root(const struct table_batch *b, const struct batch_trace *tr) {
    for (uint32_t i = 0; i < tr->n; i++) {
        uint32_t row = b->index->order[tr->first + i];
        if (SEG_AT(&b->table->parent_id, row, uint64_t) == 0) return row;
    }
    return SPAN_NONE;
}

static enum err summarise(struct table_batch *b, const struct batch_trace *tr, struct tally *y,
                          uint32_t stamp, struct batch_summary *out) {
    const struct span_table *t = b->table;
    *out = (struct batch_summary){ .root_service = STR(""), .root_name = STR("") };
    y->n = 0;
    for (uint32_t i = 0; i < tr->n; i++) {
        uint32_t row = b->index->order[tr->first + i];
        tally_row(y, t, row, stamp);
    }
    uint32_t root = table_root(b, tr);
    if (root != SPAN_NONE) {
        out->has_root = true;
        out->root_service = span_service(t, root);
        out->root_name = span_name(t, root);
    }
    merge_services(y);
    out->n_services = y->n;
    out->services = arena_copy(b->batch.arena, y->counts, y->n * sizeof *y->counts);
    return out->services ? ERR_OK : ERR_NOMEM;
}

enum err table_summarise(struct table_batch *b, const uint64_t *wanted, struct batch_summary *out) {
    struct arena *a = b->batch.arena;
    uint32_t n = atomic_load_explicit(&b->table->n_resources, memory_order_acquire);
    struct tally y = { arena_zalloc(a, (n + 1ull) * sizeof(uint32_t)), ARENA_ARRAY(a, n + 1ull, uint32_t),
                       ARENA_ARRAY(a, n + 1ull, struct batch_service), 0 };
    if (!y.stamp || !y.slot || !y.counts) return ERR_NOMEM;
    for (uint32_t i = 0; i < b->index->n_traces; i++)
        if (!wanted || wanted[i / 64] >> (i % 64) & 1)
            TRY(summarise(b, &b->index->traces[i], &y, i + 1, &out[i]));
    return ERR_OK;
}
