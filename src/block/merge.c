// SPDX-License-Identifier: Apache-2.0
#include "block/merge.h"

#include "block/build.h"
#include "block/merge_columns.h"
#include "block/open.h"

#include <stdlib.h>

struct merge {
    const struct block_merge_opts *opts;
    struct err_ctx *why;
    struct block_write_opts write; // what the builders of files ask for
    struct build build;
    struct span_table entities; // resources and scopes of all inputs, each once
    struct block_scan scan;
    struct arena arena;
    struct merge_plan plan;
    struct merge_columns columns;
    struct entity_map { // per input: its resources and scopes -> those of `entities`
        uint32_t *resource, *scope;
    } * maps;
    uint8_t *ids; // of the traces of all row groups of the output
    uint32_t n_ids, cap_ids;
    uint64_t n_spans;
};

// --- what the row groups refer to ----------------------------------------------------------------

static enum err map_entities(struct merge *m, const struct block *in, struct entity_map *map) {
    map->resource = ARENA_ARRAY(&m->arena, in->n_resources + 1ull, uint32_t);
    map->scope = ARENA_ARRAY(&m->arena, in->n_scopes + 1ull, uint32_t);
    if (!map->resource || !map->scope) return ERR_NOMEM;
    for (uint32_t i = 0; i < in->n_resources; i++)
        TRY(span_table_resource(&m->entities, in->resource[i].bytes, in->resource[i].service,
                                &map->resource[i]));
    for (uint32_t i = 0; i < in->n_scopes; i++)
        TRY(span_table_scope(&m->entities, in->scope[i].bytes, &map->scope[i]));
    return ERR_OK;
}

static enum err map_all(struct merge *m) {
    uint32_t n = m->opts->n_inputs;
    m->maps = ARENA_ARRAY(&m->arena, n + 1ull, struct entity_map);
    if (!m->maps) return ERR_NOMEM;
    for (uint32_t i = 0; i < n; i++) TRY(map_entities(m, m->opts->inputs[i], &m->maps[i]));
    return ERR_OK;
}

// Rows refer to large values by hash. The hash of a value is the same in every block, except where
// two values of one block had the same: such a block cannot be joined with one that has either.
static enum err copy_large(struct merge *m, struct block *in) {
    struct pq_vector v;
    const uint8_t *hashes;
    const struct str *values;
    if (!in->large.pq) return ERR_OK;
    for (size_t g = 0; g < in->large.pq->n_groups; g++) {
        uint32_t n = in->large.pq->groups[g].n_rows;
        arena_reset(&m->scan.arena);
        TRY(scan_read(&in->large, &m->scan, g, 0, 0, n, &v));
        TRY(vector_fixed(&v, &m->scan.arena, 16, &hashes));
        TRY(scan_read(&in->large, &m->scan, g, 1, 0, n, &v));
        TRY(vector_strs(&v, &m->scan.arena, &values));
        for (uint32_t i = 0; i < n; i++) {
            uint8_t hash[16];
            TRY(build_keep_large(&m->build, values[i], hash));
            if (memcmp(hash, hashes + 16ull * i, 16) != 0)
                return err_set(m->why, ERR_UNSUPPORTED, "two large values have the same hash");
        }
    }
    return ERR_OK;
}

// Of the blocks of which a row group is copied; before anything that is written anew adds its own.
static enum err copy_all_large(struct merge *m) {
    for (uint32_t i = 0; i < m->opts->n_inputs; i++) {
        bool is_copied = false;
        for (uint32_t g = 0; g < m->plan.n_groups; g++)
            is_copied |= m->plan.groups[g].input == i && m->plan.groups[g].batch == 0;
        if (is_copied) TRY(copy_large(m, m->opts->inputs[i]));
    }
    return ERR_OK;
}

static enum err add_id(struct merge *m, const uint8_t id[16]) {
    if (m->n_ids == m->cap_ids) {
        uint32_t cap = m->cap_ids ? m->cap_ids * 2 : 1024;
        uint8_t *more = arena_array(&m->arena, cap, 16);
        if (!more) return ERR_NOMEM;
        if (m->n_ids) memcpy(more, m->ids, m->n_ids * 16ull);
        m->ids = more;
        m->cap_ids = cap;
    }
    memcpy(m->ids + 16ull * m->n_ids++, id, 16);
    return ERR_OK;
}

// --- row groups that are copied ------------------------------------------------------------------

static enum err copy_or_empty(struct merge *m, struct out_file *to, const struct in_file *from,
                              size_t group) {
    if (from->pq) return pq_copy_row_group(to->pq, from->pq, group, m->scan.decoder, NULL, 0);
    TRY(pq_row_group_begin(to->pq, 0, NULL, 0));
    return pq_row_group_end(to->pq);
}

static enum err copy_group(struct merge *m, const struct merge_group *g) {
    const struct block *in = m->opts->inputs[g->input];
    const struct entity_map *map = &m->maps[g->input];
    struct build *b = &m->build;
    uint32_t number = (uint32_t)b->marks.len;
    struct pq_remap remaps[] = { { STR("resource"), map->resource, in->n_resources },
                                 { STR("scope"), map->scope, in->n_scopes } };
    TRY(pq_copy_row_group(b->spans.pq, in->spans.pq, g->group, m->scan.decoder, remaps, 2));
    TRY(rest_keys_copy(b->spans.pq, number, in->spans.pq, g->group));
    TRY(copy_or_empty(m, &b->traces, &in->traces, g->group));
    if (b->has_events) {
        TRY(copy_or_empty(m, &b->events, &in->events, g->group));
        TRY(rest_keys_copy(b->events.pq, number, in->events.pq, g->group));
    }
    if (b->has_links) {
        TRY(copy_or_empty(m, &b->links, &in->links, g->group));
        TRY(rest_keys_copy(b->links.pq, number, in->links.pq, g->group));
    }
    buf_char(&b->marks, mark_letter(g->mark));
    m->n_spans += g->n_rows;
    return ERR_OK;
}

// --- row groups that are written anew --------------------------------------------------------------

// Resources and scopes of the table get the numbers that they have in the output.
static enum err same_entities(struct merge *m, struct span_table *t) {
    uint32_t number;
    for (uint32_t i = 0; i < m->entities.n_resources; i++) {
        const struct span_entity *e = span_resource_at(&m->entities, i);
        TRY(span_table_resource(t, e->bytes, e->service, &number));
        ASSERT(number == i);
    }
    for (uint32_t i = 0; i < m->entities.n_scopes; i++) {
        TRY(span_table_scope(t, span_scope_at(&m->entities, i)->bytes, &number));
        ASSERT(number == i);
    }
    return ERR_OK;
}

// The rows of a row group but for those of dropped traces.
static enum err load_group(struct merge *m, const struct merge_group *g, struct span_table *t) {
    struct block *in = m->opts->inputs[g->input];
    uint32_t from = 0;
    while (from < g->n_rows) { // to the next dropped one
        uint32_t to = g->n_rows, after = g->n_rows;
        for (uint32_t i = 0; i < m->opts->n_dropped; i++) {
            struct block_run runs[BLOCK_RUNS_MAX];
            uint32_t n;
            TRY(block_find(in, &m->scan, m->opts->dropped[i], runs, &n));
            for (uint32_t k = 0; k < n; k++) {
                if (runs[k].group != g->group || runs[k].first < from || runs[k].first >= to) continue;
                to = runs[k].first;
                after = to + runs[k].n;
            }
        }
        if (to > from) TRY(block_load(in, &m->scan, g->group, from, to - from, t));
        from = after;
    }
    return ERR_OK;
}

// Loads row groups from *at on, as many as memory is for, but at least one.
static enum err load_some(struct merge *m, const struct merge_group *g, uint32_t n, struct span_table *t,
                          uint32_t *at) {
    uint64_t most = m->opts->encode_bytes;
    TRY(same_entities(m, t));
    do {
        TRY(load_group(m, &g[*at], t));
        ++*at;
    } while (*at < n && (most == 0 || t->arena.used < most));
    span_table_publish(t);
    return ERR_OK;
}

static enum err write_order(struct merge *m, struct group_mark mark) {
    struct build *b = &m->build;
    for (uint32_t i = 0; i < b->order.n_groups; i++) {
        TRY(build_group(b, &b->order.groups[i]));
        buf_char(&b->marks, mark_letter(mark));
    }
    for (uint32_t i = 0; i < b->order.n_runs; i++)
        TRY(add_id(m, span_trace_at(b->t, b->order.runs[i].trace)->id));
    m->n_spans += b->order.n_rows;
    return ERR_OK;
}

static enum err write_table(struct merge *m, const struct span_table *t, bool is_outlier, struct arena *a) {
    struct build *b = &m->build;
    bool *outlier = arena_alloc(a, t->n + 1ull);
    if (!outlier) return ERR_NOMEM;
    memset(outlier, is_outlier, t->n);
    b->t = t;
    b->n_rows = t->n;
    enum err e = order_sort(t, t->n, outlier, a, &b->order);
    if (e == ERR_OK) e = build_invert(b, a);
    if (e == ERR_OK) e = merge_columns_bind(&m->columns, b, a);
    if (e == ERR_OK) e = write_order(m, (struct group_mark){ is_outlier, true });
    b->t = &m->entities;
    return e;
}

static enum err write_batch(struct merge *m, const struct merge_group *g, uint32_t n) {
    enum err e = ERR_OK;
    for (uint32_t at = 0; at < n && e == ERR_OK;) {
        struct span_table t;
        struct arena a;
        span_table_init(&t, SIZE_MAX, m->opts->budget);
        arena_init(&a, SIZE_MAX, m->opts->budget);
        e = load_some(m, g, n, &t, &at);
        if (e == ERR_OK && t.n > 0) e = write_table(m, &t, g->mark.is_outlier, &a);
        arena_fini(&a);
        span_table_fini(&t);
    }
    return e;
}

// --- the block -------------------------------------------------------------------------------------

static int by_id(const void *x, const void *y) {
    return memcmp(x, y, 16);
}

// Traces that stand in two row groups, or that another live block holds: sorted, each once.
static enum err find_split(struct merge *m, uint32_t *out_n) {
    uint32_t n = 0, n_split = 0;
    bool *split = arena_zalloc(&m->arena, m->n_ids + 1ull);
    const uint8_t **ids = ARENA_ARRAY(&m->arena, m->n_ids + 1ull, const uint8_t *);
    if (!split || !ids) return ERR_NOMEM;
    if (m->n_ids > 1) qsort(m->ids, m->n_ids, 16, by_id);
    for (uint32_t i = 0; i < m->n_ids; i++) {
        if (n && memcmp(m->ids + 16ull * (n - 1), m->ids + 16ull * i, 16) == 0) {
            split[n - 1] = true;
            continue;
        }
        memmove(m->ids + 16ull * n++, m->ids + 16ull * i, 16);
    }
    for (uint32_t i = 0; i < n; i++) ids[i] = m->ids + 16ull * i;
    for (uint32_t i = 0; i < m->opts->n_others; i++)
        TRY(block_hold_many(m->opts->others[i], &m->scan, ids, n, split));
    for (uint32_t i = 0; i < n; i++)
        if (split[i]) memmove(m->ids + 16ull * n_split++, m->ids + 16ull * i, 16);
    *out_n = n_split;
    return ERR_OK;
}

static enum err write_groups(struct merge *m) {
    const struct merge_plan *p = &m->plan;
    for (uint32_t i = 0, to; i < p->n_groups; i = to) {
        const struct merge_group *g = &p->groups[i];
        to = i + 1;
        while (g->batch && to < p->n_groups && p->groups[to].batch == g->batch) to++;
        TRY(g->batch ? write_batch(m, g, to - i) : copy_group(m, g));
    }
    for (uint32_t i = 0; i < p->n_traces; i++)
        if (p->groups[p->traces[i].group].batch == 0) TRY(add_id(m, p->traces[i].id));
    return ERR_OK;
}

static enum err merge_all(struct merge *m, uint64_t *bytes, uint64_t *n_traces) {
    const struct block_merge_opts *o = m->opts;
    struct build *b = &m->build;
    uint32_t n_split;
    for (uint32_t i = 0; i < o->n_inputs; i++) {
        TRY(block_open(o->inputs[i], &m->scan));
        b->has_events |= o->inputs[i]->events.pq != NULL;
        b->has_links |= o->inputs[i]->links.pq != NULL;
    }
    TRY(merge_plan_make(o->inputs, o->n_inputs, &m->scan, &m->arena, &m->plan));
    merge_plan_drop(&m->plan, o->dropped, o->n_dropped);
    TRY(merge_columns_choose(&m->columns, o->inputs, &m->plan, &m->arena, m->why));
    merge_columns_set(&m->columns, b);
    TRY(map_all(m));
    TRY(copy_all_large(m));
    TRY(build_begin(b));
    TRY(write_groups(m));
    *n_traces = m->n_ids;
    TRY(find_split(m, &n_split));
    return build_finish(b, m->ids, n_split, bytes);
}

static void sum_metas(const struct block_merge_opts *o, struct block_meta *out) {
    for (uint32_t i = 0; i < o->n_inputs; i++) {
        const struct block_meta *in = block_meta(o->inputs[i]);
        time_range_join(&out->main, in->main);
        time_range_join(&out->outliers, in->outliers);
        time_range_join(&out->received, in->received);
        if (in->level >= out->level)
            out->level = in->level < UINT8_MAX ? (uint8_t)(in->level + 1) : in->level;
    }
    if (o->n_inputs == 1)
        out->level = block_meta(o->inputs[0])->level; // the same block, but for what is left out
}

enum err block_merge(const struct block_merge_opts *opts, struct block_meta *out) {
    struct err_ctx unread = { 0 };
    struct merge m = {
        .opts = opts,
        .why = opts->why ? opts->why : &unread,
        .write = { .store = opts->store, .tenant = opts->tenant, .id = opts->id, .version = opts->version }
    };
    uint64_t bytes = 0, n_traces = 0;
    if (opts->n_inputs > BLOCK_MERGE_INPUTS_MAX) return ERR_LIMIT;
    span_table_init(&m.entities, SIZE_MAX, opts->budget);
    arena_init(&m.arena, SIZE_MAX, opts->budget);
    build_init(&m.build, &m.write, opts->budget);
    m.build.t = &m.entities;
    enum err e = block_scan_init(&m.scan, opts->budget);
    if (e == ERR_OK) e = merge_all(&m, &bytes, &n_traces);
    if (e != ERR_OK)
        build_abort(&m.build);
    else {
        *out = (struct block_meta){ .format = BLOCK_FORMAT,
                                    .n_spans = m.n_spans,
                                    .n_traces = n_traces,
                                    .bytes = bytes,
                                    .main = TIME_RANGE_NONE,
                                    .outliers = TIME_RANGE_NONE,
                                    .received = TIME_RANGE_NONE };
        memcpy(out->id, opts->id, sizeof out->id);
        sum_metas(opts, out);
    }
    block_scan_fini(&m.scan);
    build_fini(&m.build);
    arena_fini(&m.arena);
    span_table_fini(&m.entities);
    return e;
}
