// SPDX-License-Identifier: Apache-2.0
// What traces.parquet says of the traces of a row group.
#include "block/batch_internal.h"

static enum err read_i32(struct block_batch *b, enum trace_column c, uint32_t n, const int32_t **out) {
    struct pq_vector v;
    TRY(batch_read(b, &b->block->traces, c, 0, n, &v));
    return vector_i32(&v, &b->scan->arena, out);
}

static enum err read_i64(struct block_batch *b, enum trace_column c, uint32_t n, const int64_t **out) {
    struct pq_vector v;
    TRY(batch_read(b, &b->block->traces, c, 0, n, &v));
    return vector_i64(&v, &b->scan->arena, out);
}

// Runs follow each other, so first_row need not be read. They must leave no row out: all else relies
// on it.
enum err batch_read_traces(struct block_batch *b) {
    struct arena *a = &b->scan->arena;
    uint32_t n = b->block->traces.pq->groups[b->group].n_rows, at = 0;
    const int32_t *rows;
    const int64_t *start, *duration, *last;
    const uint8_t *ids;
    struct pq_vector v;
    if (memo_traces_find(b->block, b->group, &b->batch)) return ERR_OK;
    struct batch_trace *out = ARENA_ARRAY(a, n + 1ull, struct batch_trace);
    uint32_t *firsts = ARENA_ARRAY(a, n + 1ull, uint32_t);
    if (!out || !firsts) return ERR_NOMEM;
    TRY(batch_read(b, &b->block->traces, TC_TRACE_ID, 0, n, &v));
    TRY(vector_fixed(&v, a, 16, &ids));
    TRY(read_i32(b, TC_ROWS, n, &rows));
    TRY(read_i64(b, TC_START, n, &start));
    TRY(read_i64(b, TC_DURATION, n, &duration));
    TRY(read_i64(b, TC_LAST, n, &last));
    for (uint32_t i = 0; i < n; i++) {
        struct batch_trace *tr = &out[i];
        if (start[i] < 0 || duration[i] < 0 || last[i] < 0 || rows[i] <= 0 ||
            (uint32_t)rows[i] > b->batch.n_rows - at)
            return ERR_CORRUPT;
        memcpy(tr->id, ids + 16ull * i, 16);
        tr->start_ns = (uint64_t)start[i];
        tr->end_ns = tr->start_ns + (uint64_t)duration[i];
        tr->last_start_ns = tr->start_ns + (uint64_t)last[i];
        tr->first = firsts[i] = at;
        tr->n = (uint32_t)rows[i];
        at += tr->n;
    }
    if (at != b->batch.n_rows) return ERR_CORRUPT;
    b->batch.traces = out;
    b->batch.firsts = firsts;
    b->batch.n_traces = n;
    memo_traces_keep(b->block, b->group, &b->batch);
    return ERR_OK;
}

enum err batch_trace_codes(struct block_batch *b, const uint32_t **out) {
    struct batch_memo *m = b->memo;
    if (!m->trace_of) {
        uint32_t *codes = ARENA_ARRAY(&b->scan->arena, b->batch.n_rows + 1ull, uint32_t);
        if (!codes) return ERR_NOMEM;
        for (uint32_t i = 0; i < b->batch.n_traces; i++) {
            const struct batch_trace *tr = &b->batch.traces[i];
            for (uint32_t row = tr->first; row < tr->first + tr->n; row++) codes[row] = i;
        }
        m->trace_of = codes;
    }
    *out = m->trace_of;
    return ERR_OK;
}

enum err batch_roots(struct block_batch *b, size_t column, struct value *out) {
    uint32_t n = b->batch.n_traces;
    struct pq_vector v;
    const struct str *texts;
    TRY(batch_read(b, &b->block->traces, column, 0, n, &v));
    TRY(vector_strs(&v, &b->scan->arena, &texts));
    for (uint32_t i = 0; i < n; i++) out[i] = VALUE_OF_NIL;
    for (uint32_t i = 0; i < v.n_values; i++) out[v.rows ? v.rows[i] : i] = VALUE_OF_STR(texts[i]);
    return ERR_OK;
}
