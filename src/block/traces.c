// SPDX-License-Identifier: Apache-2.0
// traces.parquet: what a search answers from, a row for each trace of each row group.
#include "block/build.h"

#include <stdlib.h>

#include "span/services.h"

enum { STATUS_ERROR = 2 }; // STATUS_CODE_ERROR

enum err traces_open(struct build *b) {
    struct pq_column_opts o[TC_COUNT] = {
        [TC_TRACE_ID] = { .encoding = PQ_ENC_PLAIN, .codec = PQ_CODEC_NONE, .bloom = true },
        [TC_START] = { .encoding = PQ_ENC_DELTA, .codec = PQ_CODEC_NONE },
        [TC_FIRST_ROW] = { .encoding = PQ_ENC_DELTA, .codec = PQ_CODEC_NONE },
        [TC_SERVICES] = { .no_min_max = true },
    };
    return build_open(b, &b->traces, FILE_TRACES, o, NULL);
}

struct trace_rows {
    uint32_t n, n_roots;
    uint8_t *id;
    int32_t *first, *rows, *errors;
    int64_t *start, *duration, *last, *longest;
    uint32_t *root_at;
    struct str *root_service, *root_name, *services;
    size_t *services_off;
};

static bool trace_rows_alloc(struct trace_rows *r, struct arena *a, uint32_t n) {
    *r = (struct trace_rows){
        .n = n,
        .id = ARENA_ARRAY(a, n * 16ull, uint8_t),
        .first = ARENA_ARRAY(a, n, int32_t),
        .rows = ARENA_ARRAY(a, n, int32_t),
        .errors = ARENA_ARRAY(a, n, int32_t),
        .start = ARENA_ARRAY(a, n, int64_t),
        .duration = ARENA_ARRAY(a, n, int64_t),
        .last = ARENA_ARRAY(a, n, int64_t),
        .longest = ARENA_ARRAY(a, n, int64_t),
        .root_at = ARENA_ARRAY(a, n, uint32_t),
        .root_service = ARENA_ARRAY(a, n, struct str),
        .root_name = ARENA_ARRAY(a, n, struct str),
        .services = ARENA_ARRAY(a, n, struct str),
        .services_off = ARENA_ARRAY(a, n + 1ull, size_t),
    };
    return !a->failed;
}

// The root is the first span without a parent id.
static void summarise(const struct build *b, const struct group *g, const struct order_run *run, uint32_t i,
                      struct trace_rows *out) {
    const struct span_table *t = b->t;
    uint32_t first = run->first - g->order->first, root = SPAN_NONE, errors = 0;
    uint64_t start = UINT64_MAX, end = 0, last = 0, longest = 0;
    for (uint32_t p = first; p < first + run->n; p++) {
        uint32_t row = g->rows[p];
        uint64_t from = SEG_AT(&t->start_ns, row, uint64_t), duration = span_duration_ns(t, row);
        if (from < start) start = from;
        if (from > last) last = from;
        if (from + duration > end) end = from + duration;
        if (duration > longest) longest = duration;
        errors += SEG_AT(&t->status, row, uint8_t) == STATUS_ERROR;
        if (root == SPAN_NONE && SEG_AT(&t->parent_id, row, uint64_t) == 0) root = row;
    }
    memcpy(out->id + i * 16ull, span_trace_at(t, run->trace)->id, 16);
    out->first[i] = (int32_t)first;
    out->rows[i] = (int32_t)run->n;
    out->errors[i] = (int32_t)errors;
    out->start[i] = (int64_t)start;
    out->duration[i] = (int64_t)(end - start);
    out->last[i] = (int64_t)(last - start);
    out->longest[i] = (int64_t)longest;
    if (root == SPAN_NONE) return;
    out->root_at[out->n_roots] = i;
    out->root_service[out->n_roots] = span_service(t, root);
    out->root_name[out->n_roots++] = span_name(t, root);
}

static enum err write_columns(struct build *b, const struct trace_rows *r) {
    struct pq_writer *w = b->traces.pq;
    size_t n = r->n;
    TRY(pq_row_group_begin(w, r->n, NULL, 0));
    TRY(pq_column_write(w, TC_TRACE_ID, &(struct pq_values){ .n_values = n, .fixed = r->id }));
    TRY(pq_column_write(w, TC_FIRST_ROW, &(struct pq_values){ .n_values = n, .i32 = r->first }));
    TRY(pq_column_write(w, TC_ROWS, &(struct pq_values){ .n_values = n, .i32 = r->rows }));
    TRY(pq_column_write(w, TC_START, &(struct pq_values){ .n_values = n, .i64 = r->start }));
    TRY(pq_column_write(w, TC_DURATION, &(struct pq_values){ .n_values = n, .i64 = r->duration }));
    TRY(pq_column_write(w, TC_LAST, &(struct pq_values){ .n_values = n, .i64 = r->last }));
    struct pq_values root = { .rows = r->root_at, .n_values = r->n_roots, .strs = r->root_service };
    TRY(pq_column_write(w, TC_ROOT_SERVICE, &root));
    root.strs = r->root_name;
    TRY(pq_column_write(w, TC_ROOT_NAME, &root));
    TRY(pq_column_write(w, TC_ERRORS, &(struct pq_values){ .n_values = n, .i32 = r->errors }));
    TRY(pq_column_write(w, TC_LONGEST, &(struct pq_values){ .n_values = n, .i64 = r->longest }));
    TRY(pq_column_write(w, TC_SERVICES, &(struct pq_values){ .n_values = n, .strs = r->services }));
    return pq_row_group_end(w);
}

enum err traces_group(struct build *b, const struct group *g) {
    struct arena *a = &b->group_arena;
    uint32_t n = g->order->n_runs;
    struct services_tally tally;
    struct trace_rows r;
    struct buf json;
    if (!trace_rows_alloc(&r, a, n)) return ERR_NOMEM;
    TRY(services_tally_init(&tally, a, b->t, b->t->n_resources));
    buf_init(&json, SIZE_MAX);
    for (uint32_t i = 0; i < n; i++) {
        const struct order_run *run = &b->order.runs[g->order->first_run + i];
        uint32_t n_roots = r.n_roots;
        summarise(b, g, run, i, &r);
        if (b->opts->on_trace)
            b->opts->on_trace(b->opts->on_trace_ctx, run->trace, r.errors[i] > 0,
                              r.n_roots == n_roots || g->orphans[i]);
        r.services_off[i] = json.len;
        services_write(&tally, g->rows + (run->first - g->order->first), run->n, &json);
    }
    r.services_off[n] = json.len;
    for (uint32_t i = 0; i < n; i++)
        r.services[i] =
            (struct str){ json.ptr + r.services_off[i], r.services_off[i + 1] - r.services_off[i] };
    enum err e = json.failed ? ERR_NOMEM : write_columns(b, &r);
    buf_fini(&json);
    return e;
}
