// SPDX-License-Identifier: Apache-2.0
// The root and the services of each trace, as traces.parquet has them.
#include "span/services.h"
#include "span/table_batch_internal.h"

uint32_t table_root(const struct table_batch *b, const struct batch_trace *tr) {
    for (uint32_t i = 0; i < tr->n; i++) {
        uint32_t row = b->index->order[tr->first + i];
        if (SEG_AT(&b->table->parent_id, row, uint64_t) == 0) return row;
    }
    return SPAN_NONE;
}

static void find_root(const struct table_batch *b, const struct batch_trace *tr, struct batch_summary *out) {
    uint32_t root = table_root(b, tr);
    *out = (struct batch_summary){ .has_root = root != SPAN_NONE,
                                   .root_service = STR(""),
                                   .root_name = STR("") };
    if (root == SPAN_NONE) return;
    out->root_service = span_service(b->table, root);
    out->root_name = span_name(b->table, root);
}

static bool is_wanted(const uint64_t *wanted, uint32_t i) {
    return !wanted || wanted[i / 64] >> (i % 64) & 1;
}

// The services of all are one text; where it lies is known when it is whole.
enum err table_summarise(struct table_batch *b, const uint64_t *wanted, struct batch_summary *out) {
    struct arena *a = b->batch.arena;
    struct services_tally tally;
    struct buf text;
    uint32_t n = 0;
    TRY(services_tally_init(&tally, a, b->table,
                            atomic_load_explicit(&b->table->n_resources, memory_order_acquire)));
    buf_init(&text, SIZE_MAX);
    for (uint32_t i = 0; i < b->index->n_traces; i++) {
        const struct batch_trace *tr = &b->index->traces[i];
        size_t before = text.len;
        if (!is_wanted(wanted, i)) continue;
        find_root(b, tr, &out[n]);
        services_write(&tally, b->index->order + tr->first, tr->n, &text);
        out[n++].services.len = text.len - before;
    }
    bool failed = text.failed;
    const char *at = str_dup(a, buf_view(&text)).ptr;
    buf_fini(&text);
    for (uint32_t i = 0; i < n; i++) {
        out[i].services.ptr = at;
        at += out[i].services.len;
    }
    return failed || a->failed ? ERR_NOMEM : ERR_OK;
}
