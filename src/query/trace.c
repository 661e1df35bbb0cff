// SPDX-License-Identifier: Apache-2.0
#include "query/trace.h"

#include <stdio.h>
#include <stdlib.h>

#include "block/order.h"
#include "span/copy.h"

void trace_fini(struct trace *t) {
    span_table_fini(&t->table);
    arena_fini(&t->arena);
    query_share_end(&t->share, NULL);
}

static void set_partial(struct trace *t, uint64_t bytes_max) {
    t->partial = true;
    (void)snprintf(
        t->why, sizeof t->why,
        "the trace is larger than query.max_trace_bytes (%llu bytes); the answer holds a part of its "
        "spans",
        (unsigned long long)bytes_max);
}

static enum err load_head(const struct head *h, const uint8_t id[16], struct trace *t) {
    uint32_t n = span_table_count(&h->table), row = span_table_find(&h->table, n, id);
    struct span_copier *c;
    if (row == SPAN_NONE) return ERR_OK;
    TRY(span_copier_new(&h->table, &t->table, &c));
    enum err e = ERR_OK;
    for (; row != SPAN_NONE && e == ERR_OK; row = span_table_prev(&h->table, row)) e = span_copy(c, row);
    span_copier_free(c);
    return e;
}

static bool overlaps(const struct block_meta *m, const struct trace_limits *l) {
    if (l->start_ns == 0 && l->end_ns == 0) return true;
    bool in_main = m->main.min_ns <= l->end_ns && m->main.max_ns >= l->start_ns;
    return in_main || (m->outliers.min_ns <= l->end_ns && m->outliers.max_ns >= l->start_ns);
}

static enum err load_block(struct block *b, const uint8_t id[16], struct block_scan *s, struct trace *t) {
    struct block_run runs[BLOCK_RUNS_MAX];
    uint32_t n;
    TRY(block_find(b, s, id, runs, &n));
    for (uint32_t i = 0; i < n; i++)
        TRY(block_load(b, s, runs[i].group, runs[i].first, runs[i].n, &t->table));
    return ERR_OK;
}

static enum err load_all(struct view *v, const uint8_t id[16], const struct trace_limits *l,
                         struct mem_budget *budget, struct trace *t) {
    struct block_scan s;
    for (uint32_t i = 0; i < v->n_heads && !l->skip_heads; i++) TRY(load_head(v->heads[i], id, t));
    if (v->n_blocks == 0 || l->skip_blocks) return ERR_OK;
    enum err e = block_scan_init(&s, budget);
    for (uint32_t i = 0; i < v->n_blocks && e == ERR_OK; i++)
        if (overlaps(block_meta(v->blocks[i]), l)) e = load_block(v->blocks[i], id, &s, t);
    t->bytes_read = s.bytes_read;
    block_scan_fini(&s);
    return e;
}

static uint64_t start_of(void *table, uint32_t row) {
    return SEG_AT(&((struct span_table *)table)->start_ns, row, uint64_t);
}

enum err trace_explain(const struct trace *t, enum err e, struct err_ctx *ctx) {
    return e == ERR_OK ? e : query_share_explain(&t->share, e, ctx);
}

static enum err order_rows(struct trace *t) {
    struct order order;
    TRY(order_make(&t->table, t->table.n, start_of, &t->table, &t->arena, &order));
    t->rows = order.rows;
    t->n = order.n_rows;
    return ERR_OK;
}

enum err trace_load(struct view *v, const uint8_t id[16], const struct trace_limits *limits,
                    struct trace *t) {
    memset(t, 0, sizeof *t);
    query_share_init(&t->share, &(struct query_bounds){ .memory = limits->memory });
    struct mem_budget *budget = limits->budget ? limits->budget : &t->share.budget;
    span_table_init(&t->table, limits->bytes_max ? limits->bytes_max : SIZE_MAX, budget);
    arena_init(&t->arena, SIZE_MAX, budget);
    enum err e = load_all(v, id, limits, budget, t);
    t->share.bounds = NULL;
    if ((e == ERR_NOMEM || e == ERR_LIMIT) && !t->share.is_refused && t->table.n > 0) {
        set_partial(t, limits->bytes_max);
        e = ERR_OK;
    }
    span_table_publish(&t->table);
    if (e == ERR_OK && t->table.n > 0) e = order_rows(t);
    if (e == ERR_NOMEM && t->share.is_refused) e = ERR_AGAIN;
    if (e != ERR_OK) trace_fini(t);
    return e;
}

// --- is it whole? ------------------------------------------------------------------------------------------

enum { WHOLE_BYTES_MAX = 32 << 20 };

static int by_id(const void *x, const void *y) {
    const uint64_t *a = x, *b = y;
    return (*a > *b) - (*a < *b);
}

static enum err has_all_parents(struct trace *t, bool *out) {
    const struct span_table *tb = &t->table;
    uint64_t *ids = ARENA_ARRAY(&t->arena, t->n, uint64_t), parent;
    bool has_root = false, all = true;
    if (!ids) return ERR_NOMEM;
    for (uint32_t i = 0; i < t->n; i++) ids[i] = SEG_AT(&tb->span_id, t->rows[i], uint64_t);
    qsort(ids, t->n, sizeof *ids, by_id);
    for (uint32_t i = 0; i < t->n; i++) {
        parent = SEG_AT(&tb->parent_id, t->rows[i], uint64_t);
        has_root |= parent == 0;
        if (parent) all &= bsearch(&parent, ids, t->n, sizeof *ids, by_id) != NULL;
    }
    *out = has_root && all;
    return ERR_OK;
}

enum err trace_is_whole(struct view *v, const uint8_t id[16], bool *out) {
    struct trace t;
    TRY(trace_load(v, id, &(struct trace_limits){ .bytes_max = WHOLE_BYTES_MAX }, &t));
    enum err e = t.n == 0 ? ERR_NOT_FOUND : t.partial ? ERR_LIMIT : has_all_parents(&t, out);
    trace_fini(&t);
    return e;
}
