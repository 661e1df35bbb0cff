// SPDX-License-Identifier: Apache-2.0
#include "ingest/head.h"

#include "block/order.h"
#include "ingest/head_index.h"

enum err head_new(size_t limit_bytes, struct mem_budget *budget, uint64_t now_ns, struct head **out) {
    struct head *h = mem_zalloc(sizeof *h);
    if (!h) return ERR_NOMEM;
    span_table_init(&h->table, limit_bytes, budget);
    h->opened_ns = now_ns;
    h->received_min_ns = UINT64_MAX;
    h->start_min_ns = UINT64_MAX;
    h->refs = 1;
    head_knowledge_init(&h->knowledge);
    enum err e = otlp_decoder_new(&h->table, &h->decoder);
    if (e != ERR_OK)
        head_unref(h);
    else
        *out = h;
    return e;
}

struct head *head_ref(struct head *h) {
    atomic_fetch_add(&h->refs, 1);
    return h;
}

void head_unref(struct head *h) {
    if (!h || atomic_fetch_sub(&h->refs, 1) != 1) return;
    head_knowledge_fini(&h->knowledge);
    otlp_decoder_free(h->decoder);
    span_table_fini(&h->table);
    mem_free(h);
}

static enum err note_batch(struct head *h, uint32_t first_row, uint64_t received_ns) {
    struct arena *a = &h->table.arena;
    if (!segvec_room(&h->batch_row, a, h->n_batches, 4) || !segvec_room(&h->batch_ns, a, h->n_batches, 8))
        return ERR_NOMEM;
    SEG_AT(&h->batch_row, h->n_batches, uint32_t) = first_row;
    SEG_AT(&h->batch_ns, h->n_batches, uint64_t) = received_ns;
    h->n_batches++;
    return ERR_OK;
}

static void note_starts(struct head *h, uint32_t from, uint64_t received_ns) {
    uint64_t min = h->start_min_ns, max = h->start_max_ns;
    for (uint32_t row = from; row < h->table.n; row++) {
        uint64_t start = SEG_AT(&h->table.start_ns, row, uint64_t);
        if (is_outlier(start, received_ns)) continue;
        if (start < min) min = start;
        if (start > max) max = start;
    }
    h->start_min_ns = min;
    h->start_max_ns = max;
}

enum err head_apply(struct head *h, struct str protobuf, const uint32_t *refused, uint32_t n_refused,
                    uint64_t seq, uint64_t received_ns, uint32_t *out_added) {
    ASSERT(!h->failed && seq > h->last_seq);
    uint32_t first_row = h->table.n;
    enum err e = note_batch(h, first_row, received_ns);
    if (e == ERR_OK) e = otlp_decode(h->decoder, protobuf, refused, n_refused, out_added);
    if (e != ERR_OK) {
        h->failed = true;
        return e;
    }
    if (h->first_seq == 0) h->first_seq = seq;
    h->last_seq = seq;
    if (received_ns < h->received_min_ns) h->received_min_ns = received_ns;
    if (received_ns > h->received_max_ns) h->received_max_ns = received_ns;
    note_starts(h, first_row, received_ns);
    span_table_publish(&h->table);
    return ERR_OK;
}

uint64_t head_received_ns(void *ctx, uint32_t row) {
    const struct head *h = ctx;
    uint32_t i = segvec_find_u32(&h->batch_row, h->n_batches, row + 1);
    return i ? SEG_AT(&h->batch_ns, i - 1, uint64_t) : h->opened_ns;
}
