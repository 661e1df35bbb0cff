// SPDX-License-Identifier: Apache-2.0
#include "block/build.h"

enum err spans_open(struct build *b) {
    // Ids and times are random bits: no codec gains on them, and scans want them bare.
    struct pq_column_opts o[SC_COUNT] = {
        [SC_TRACE_ID] = { .encoding = PQ_ENC_DICT, .codec = PQ_CODEC_NONE },
        [SC_SPAN_ID] = { .encoding = PQ_ENC_PLAIN, .codec = PQ_CODEC_NONE, .no_min_max = true },
        [SC_PARENT_ID] = { .encoding = PQ_ENC_PLAIN, .codec = PQ_CODEC_NONE, .no_min_max = true },
        [SC_START] = { .encoding = PQ_ENC_DELTA, .codec = PQ_CODEC_NONE },
        [SC_DURATION] = { .encoding = PQ_ENC_DELTA, .codec = PQ_CODEC_NONE },
        [SC_KIND] = { .encoding = PQ_ENC_DICT }, // few values, which searches look for
        [SC_STATUS] = { .encoding = PQ_ENC_DICT },
        [SC_RESOURCE] = { .encoding = PQ_ENC_DICT, .codec = PQ_CODEC_NONE },
        [SC_SCOPE] = { .encoding = PQ_ENC_DICT, .codec = PQ_CODEC_NONE },
    };
    return build_open(b, &b->spans, FILE_SPANS, o, &b->span_attrs);
}

// --- parents -------------------------------------------------------------------------------------

// Of spans with one id the one that ends last stands for it, then the later in the order: never
// the order of arrival.
static bool stands_for(const struct span_table *t, const struct group *g, uint32_t a, uint32_t b) {
    uint64_t x = SEG_AT(&t->end_ns, g->rows[a], uint64_t), y = SEG_AT(&t->end_ns, g->rows[b], uint64_t);
    return x != y ? x > y : a > b;
}

// Finds spans of a run by id: a table of positions + 1, of a power of two > 2n slots.
struct id_index {
    uint32_t *slots;
    uint32_t mask;
};

static void id_index_make(struct id_index *x, const struct span_table *t, const struct group *g,
                          uint32_t first, uint32_t n) {
    x->mask = 1;
    while (x->mask < n * 2) x->mask *= 2;
    memset(x->slots, 0, x->mask * sizeof *x->slots);
    x->mask--;
    for (uint32_t p = first; p < first + n; p++) {
        uint64_t id = SEG_AT(&t->span_id, g->rows[p], uint64_t);
        uint32_t i = (uint32_t)hash_u64(id) & x->mask;
        while (x->slots[i] && SEG_AT(&t->span_id, g->rows[x->slots[i] - 1], uint64_t) != id)
            i = (i + 1) & x->mask;
        if (!x->slots[i] || stands_for(t, g, p, x->slots[i] - 1)) x->slots[i] = p + 1;
    }
}

static uint32_t id_index_get(const struct id_index *x, const struct span_table *t, const struct group *g,
                             uint64_t id) {
    uint32_t i = (uint32_t)hash_u64(id) & x->mask;
    while (x->slots[i]) {
        if (SEG_AT(&t->span_id, g->rows[x->slots[i] - 1], uint64_t) == id) return x->slots[i] - 1;
        i = (i + 1) & x->mask;
    }
    return SPAN_NONE;
}

// parent: rows to go back to the parent inside the run, 0 = not there; then the id is kept, if any.
static enum err write_parents(struct build *b, const struct group *g) {
    struct arena *a = &b->group_arena;
    const struct span_table *t = b->t;
    int32_t *back = ARENA_ARRAY(a, g->n, int32_t);
    uint32_t *rows = ARENA_ARRAY(a, g->n, uint32_t), n = 0;
    uint64_t *ids = ARENA_ARRAY(a, g->n, uint64_t);
    struct id_index x = { ARENA_ARRAY(a, g->n * 4ull + 4, uint32_t), 0 };
    if (!back || !rows || !ids || !x.slots) return ERR_NOMEM;
    for (uint32_t r = 0; r < g->order->n_runs; r++) {
        const struct order_run *run = &b->order.runs[g->order->first_run + r];
        uint32_t first = run->first - g->order->first;
        id_index_make(&x, t, g, first, run->n);
        for (uint32_t p = first; p < first + run->n; p++) {
            uint64_t id = SEG_AT(&t->parent_id, g->rows[p], uint64_t);
            uint32_t at = id ? id_index_get(&x, t, g, id) : SPAN_NONE;
            back[p] = at == SPAN_NONE ? 0 : (int32_t)(p - at);
            if (id == 0 || back[p] != 0) continue;
            g->orphans[r] = true;
            rows[n] = p;
            ids[n++] = id;
        }
    }
    TRY(pq_column_write(b->spans.pq, SC_PARENT, &(struct pq_values){ .n_values = g->n, .i32 = back }));
    return pq_column_write(b->spans.pq, SC_PARENT_ID,
                           &(struct pq_values){ .rows = rows, .n_values = n, .fixed = (const uint8_t *)ids });
}

// --- the other fixed columns -----------------------------------------------------------------------

static enum err write_trace_ids(struct build *b, const struct group *g) {
    arena_reset(&b->column_arena);
    uint32_t *codes = ARENA_ARRAY(&b->column_arena, g->n, uint32_t);
    struct str *dict = ARENA_ARRAY(&b->column_arena, g->order->n_runs, struct str);
    if (!codes || !dict) return ERR_NOMEM;
    for (uint32_t r = 0; r < g->order->n_runs; r++) {
        const struct order_run *run = &b->order.runs[g->order->first_run + r];
        dict[r] = (struct str){ (const char *)span_trace_at(b->t, run->trace)->id, 16 };
        for (uint32_t i = 0; i < run->n; i++) codes[run->first - g->order->first + i] = r;
    }
    struct pq_values v = { .n_values = g->n, .codes = codes, .dict = dict, .n_dict = g->order->n_runs };
    return pq_column_write(b->spans.pq, SC_TRACE_ID, &v);
}

static enum err write_ids_and_times(struct build *b, const struct group *g) {
    const struct span_table *t = b->t;
    uint64_t *ids = ARENA_ARRAY(&b->group_arena, g->n, uint64_t);
    int64_t *start = ARENA_ARRAY(&b->group_arena, g->n, int64_t);
    int64_t *duration = ARENA_ARRAY(&b->group_arena, g->n, int64_t);
    struct time_range *range = g->order->is_outlier ? &b->outliers : &b->main;
    if (!ids || !start || !duration) return ERR_NOMEM;
    for (uint32_t p = 0; p < g->n; p++) {
        uint64_t from = SEG_AT(&t->start_ns, g->rows[p], uint64_t);
        ids[p] = SEG_AT(&t->span_id, g->rows[p], uint64_t);
        start[p] = (int64_t)from;
        duration[p] = (int64_t)(SEG_AT(&t->end_ns, g->rows[p], uint64_t) - from);
        time_range_add(range, from);
    }
    TRY(pq_column_write(b->spans.pq, SC_SPAN_ID,
                        &(struct pq_values){ .n_values = g->n, .fixed = (const uint8_t *)ids }));
    TRY(write_parents(b, g));
    TRY(pq_column_write(b->spans.pq, SC_START, &(struct pq_values){ .n_values = g->n, .i64 = start }));
    return pq_column_write(b->spans.pq, SC_DURATION,
                           &(struct pq_values){ .n_values = g->n, .i64 = duration });
}

static enum err write_small(struct build *b, const struct group *g, enum span_column c,
                            const struct segvec *v, size_t size) {
    arena_reset(&b->column_arena);
    int32_t *out = ARENA_ARRAY(&b->column_arena, g->n, int32_t);
    if (!out) return ERR_NOMEM;
    for (uint32_t p = 0; p < g->n; p++)
        out[p] =
            size == 1 ? (int32_t)SEG_AT(v, g->rows[p], uint8_t) : (int32_t)SEG_AT(v, g->rows[p], uint32_t);
    return pq_column_write(b->spans.pq, c, &(struct pq_values){ .n_values = g->n, .i32 = out });
}

static enum err write_names(struct build *b, const struct group *g, struct gather *ga) {
    uint32_t *codes = ARENA_ARRAY(&b->group_arena, g->n, uint32_t);
    struct pq_values v = { .n_values = g->n, .codes = codes, .n_dict = b->t->names.n };
    if (!codes) return ERR_NOMEM;
    for (uint32_t p = 0; p < g->n; p++) codes[p] = SEG_AT(&b->t->name, g->rows[p], uint32_t);
    TRY(gather_dict(ga, &b->t->names, &v.dict));
    return pq_column_write(b->spans.pq, SC_NAME, &v);
}

static enum err write_sparse_text(struct build *b, enum span_column c, const struct span_sparse *s,
                                  struct gather *ga) {
    uint32_t *rows, *ids, n;
    TRY(gather_pairs(ga, &s->rows, &s->vals, s->n, &rows, &ids, &n));
    struct str *strs = ARENA_ARRAY(ga->arena, n + 1ull, struct str);
    if (!strs) return ERR_NOMEM;
    for (uint32_t i = 0; i < n; i++) strs[i] = dict_get(&b->t->texts, ids[i]);
    return pq_column_write(b->spans.pq, c, &(struct pq_values){ .rows = rows, .n_values = n, .strs = strs });
}

static enum err write_sparse_count(struct build *b, enum span_column c, const struct span_sparse *s,
                                   struct gather *ga) {
    uint32_t *rows, *vals, n;
    TRY(gather_pairs(ga, &s->rows, &s->vals, s->n, &rows, &vals, &n));
    return pq_column_write(b->spans.pq, c,
                           &(struct pq_values){ .rows = rows, .n_values = n, .i32 = (const int32_t *)vals });
}

enum err spans_group(struct build *b, const struct group *g) {
    const struct span_table *t = b->t;
    struct gather ga;
    struct pq_values rest;
    struct rest_keys keys;
    TRY(gather_init(&ga, g->place, g->n, &b->group_arena));
    TRY(pq_row_group_begin(b->spans.pq, g->n, NULL, 0));
    TRY(write_trace_ids(b, g));
    TRY(write_ids_and_times(b, g));
    TRY(write_names(b, g, &ga));
    TRY(write_small(b, g, SC_KIND, &t->kind, 1));
    TRY(write_small(b, g, SC_STATUS, &t->status, 1));
    TRY(write_sparse_text(b, SC_STATUS_MESSAGE, &t->status_message, &ga));
    TRY(write_sparse_text(b, SC_TRACE_STATE, &t->trace_state, &ga));
    TRY(write_small(b, g, SC_FLAGS, &t->flags, 4));
    TRY(write_small(b, g, SC_RESOURCE, &t->resource, 4));
    TRY(write_small(b, g, SC_SCOPE, &t->scope, 4));
    TRY(write_sparse_count(b, SC_DROPPED_ATTRIBUTES, &t->dropped_attributes, &ga));
    TRY(write_sparse_count(b, SC_DROPPED_EVENTS, &t->dropped_events, &ga));
    TRY(write_sparse_count(b, SC_DROPPED_LINKS, &t->dropped_links, &ga));
    rest_keys_init(&keys, &b->group_arena);
    TRY(gather_rest(&ga, &t->attrs, &b->span_attrs, &b->rest, &keys, &rest));
    TRY(rest_keys_write(&keys, b->spans.pq, (uint32_t)b->marks.len));
    TRY(pq_column_write(b->spans.pq, SC_REST, &rest));
    TRY(build_attrs(b, &b->spans, SC_COUNT, &ga, &t->attrs, &b->span_attrs));
    return pq_row_group_end(b->spans.pq);
}
