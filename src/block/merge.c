// SPDX-License-Identifier: Apache-2.0
#include "block/merge.h"

#include <stdlib.h>

#include "block/build.h"
#include "block/columns.h"
#include "block/open.h"

struct merge {
    const struct block_merge_opts *opts;
    struct block_write_opts write; // what the builders of files ask for
    struct build build;
    struct span_table entities; // resources and scopes of all inputs, each once
    struct block_scan scan;
    struct arena arena;
    uint8_t *ids; // of all traces, one for each row of traces.parquet
    uint32_t n_ids, cap_ids;
    uint64_t n_spans;
};

// --- one schema for all ------------------------------------------------------------------------------------

static int by_name(const void *x, const void *y) {
    const struct pq_column *a = *(const struct pq_column *const *)x, *b = *(const struct pq_column *const *)y;
    return str_cmp(a->name, b->name);
}

// Adds the attribute columns of a file; all[] may hold a name several times.
static void add_columns(const struct in_file *f, size_t n_fixed, const struct pq_column **all, uint32_t *n) {
    for (size_t i = n_fixed; f->pq && i < f->pq->n_columns; i++) all[(*n)++] = &f->pq->columns[i];
}

static enum err choose(struct merge *m, const struct pq_column **all, uint32_t n, struct str scope,
                       struct column_choice *out) {
    struct arena *a = &m->arena;
    struct str *name = ARENA_ARRAY(a, n + 1ull, struct str), key;
    enum attr_type *type = ARENA_ARRAY(a, n + 1ull, enum attr_type);
    uint32_t kept = 0;
    if (!name || !type) return ERR_NOMEM;
    if (n > 1) qsort(all, n, sizeof *all, by_name);
    for (uint32_t i = 0; i < n; i++) {
        if (kept && str_eq(name[kept - 1], all[i]->name)) continue;
        name[kept] = all[i]->name;
        if (!column_name_read(a, all[i]->name, scope, &key, &type[kept])) return ERR_CORRUPT;
        kept++;
    }
    for (uint32_t i = 0; i < kept; i++)
        for (uint32_t k = i + 1; k < kept; k++)
            if (str_eq_nocase(name[i], name[k])) return ERR_UNSUPPORTED;
    if (kept > BLOCK_COLUMNS_MAX) return ERR_UNSUPPORTED;
    *out = (struct column_choice){ .n = kept, .name = name, .type = type };
    return ERR_OK;
}

static enum err choose_columns(struct merge *m) {
    const struct block_merge_opts *o = m->opts;
    struct build *b = &m->build;
    size_t room = (size_t)o->n_inputs * BLOCK_COLUMNS_MAX + 1;
    const struct pq_column **s = ARENA_ARRAY(&m->arena, room, const struct pq_column *);
    const struct pq_column **e = ARENA_ARRAY(&m->arena, room, const struct pq_column *);
    const struct pq_column **l = ARENA_ARRAY(&m->arena, room, const struct pq_column *);
    uint32_t n_s = 0, n_e = 0, n_l = 0;
    if (!s || !e || !l) return ERR_NOMEM;
    for (uint32_t i = 0; i < o->n_inputs; i++) {
        const struct block *in = o->inputs[i];
        add_columns(&in->spans, SC_COUNT, s, &n_s);
        add_columns(&in->events, EC_COUNT, e, &n_e);
        add_columns(&in->links, LC_COUNT, l, &n_l);
        b->has_events |= in->events.pq != NULL;
        b->has_links |= in->links.pq != NULL;
    }
    TRY(choose(m, s, n_s, STR("span"), &b->span_attrs));
    TRY(choose(m, e, n_e, STR("event"), &b->event_attrs));
    return choose(m, l, n_l, STR("link"), &b->link_attrs);
}

// --- what the row groups refer to
// ----------------------------------------------------------------------------

static enum err map_entities(struct merge *m, const struct block *in, uint32_t **resource, uint32_t **scope) {
    *resource = ARENA_ARRAY(&m->arena, in->n_resources + 1ull, uint32_t);
    *scope = ARENA_ARRAY(&m->arena, in->n_scopes + 1ull, uint32_t);
    if (!*resource || !*scope) return ERR_NOMEM;
    for (uint32_t i = 0; i < in->n_resources; i++)
        TRY(span_table_resource(&m->entities, in->resource[i].bytes, in->resource[i].service,
                                &(*resource)[i]));
    for (uint32_t i = 0; i < in->n_scopes; i++)
        TRY(span_table_scope(&m->entities, in->scope[i].bytes, &(*scope)[i]));
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
        TRY(scan_read(&in->large, &m->scan, g, 0, 0, n, &v));
        TRY(vector_fixed(&v, &m->scan.arena, 16, &hashes));
        TRY(scan_read(&in->large, &m->scan, g, 1, 0, n, &v));
        TRY(vector_strs(&v, &m->scan.arena, &values));
        for (uint32_t i = 0; i < n; i++) {
            uint8_t hash[16];
            TRY(build_keep_large(&m->build, values[i], hash));
            if (memcmp(hash, hashes + 16ull * i, 16) != 0) return ERR_UNSUPPORTED;
        }
    }
    return ERR_OK;
}

// --- the row groups
// --------------------------------------------------------------------------------------------

static enum err copy_or_empty(struct merge *m, struct out_file *to, const struct in_file *from,
                              size_t group) {
    if (from->pq) return pq_copy_row_group(to->pq, from->pq, group, m->scan.decoder, NULL, 0);
    TRY(pq_row_group_begin(to->pq, 0, NULL, 0));
    return pq_row_group_end(to->pq);
}

static enum err keep_ids(struct merge *m, struct block *in, uint32_t group) {
    struct block_traces t;
    TRY(block_read_traces(in, &m->scan, group, false, &t));
    if (m->n_ids + t.n > m->cap_ids) {
        uint32_t cap = (m->n_ids + t.n) * 2;
        uint8_t *more = arena_array(&m->arena, cap, 16);
        if (!more) return ERR_NOMEM;
        if (m->n_ids) memcpy(more, m->ids, m->n_ids * 16ull);
        m->ids = more;
        m->cap_ids = cap;
    }
    memcpy(m->ids + m->n_ids * 16ull, t.id, t.n * 16ull);
    m->n_ids += t.n;
    return ERR_OK;
}

static enum err copy_block(struct merge *m, struct block *in) {
    uint32_t *resource, *scope;
    TRY(map_entities(m, in, &resource, &scope));
    arena_reset(&m->scan.arena);
    TRY(copy_large(m, in));
    struct pq_remap remaps[] = { { STR("resource"), resource, in->n_resources },
                                 { STR("scope"), scope, in->n_scopes } };
    for (uint32_t g = 0; g < in->spans.pq->n_groups; g++) {
        TRY(pq_copy_row_group(m->build.spans.pq, in->spans.pq, g, m->scan.decoder, remaps, 2));
        TRY(copy_or_empty(m, &m->build.traces, &in->traces, g));
        if (m->build.has_events) TRY(copy_or_empty(m, &m->build.events, &in->events, g));
        if (m->build.has_links) TRY(copy_or_empty(m, &m->build.links, &in->links, g));
        TRY(keep_ids(m, in, g));
    }
    m->n_spans += in->meta.n_spans;
    return ERR_OK;
}

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

static enum err merge_all(struct merge *m, uint64_t *bytes) {
    struct build *b = &m->build;
    uint32_t n_split;
    for (uint32_t i = 0; i < m->opts->n_inputs; i++) TRY(block_open(m->opts->inputs[i], &m->scan));
    TRY(choose_columns(m));
    TRY(spans_open(b));
    TRY(traces_open(b));
    if (b->has_events) TRY(events_open(b));
    if (b->has_links) TRY(links_open(b));
    for (uint32_t i = 0; i < m->opts->n_inputs; i++) TRY(copy_block(m, m->opts->inputs[i]));
    uint32_t n_rows = m->n_ids;
    TRY(find_split(m, &n_split));
    m->n_ids = n_rows;
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
}

enum err block_merge(const struct block_merge_opts *opts, struct block_meta *out) {
    struct merge m = {
        .opts = opts,
        .write = { .store = opts->store, .tenant = opts->tenant, .id = opts->id, .version = opts->version }
    };
    uint64_t bytes = 0;
    if (opts->n_inputs > BLOCK_MERGE_INPUTS_MAX) return ERR_LIMIT;
    span_table_init(&m.entities, SIZE_MAX, opts->budget);
    arena_init(&m.arena, SIZE_MAX, opts->budget);
    arena_init(&m.build.arena, SIZE_MAX, opts->budget);
    arena_init(&m.build.group_arena, SIZE_MAX, opts->budget);
    m.build.opts = &m.write;
    m.build.t = &m.entities;
    enum err e = block_scan_init(&m.scan, opts->budget);
    if (e == ERR_OK) e = merge_all(&m, &bytes);
    if (e != ERR_OK)
        build_abort(&m.build);
    else {
        *out = (struct block_meta){ .format = BLOCK_FORMAT,
                                    .n_spans = m.n_spans,
                                    .n_traces = m.n_ids,
                                    .bytes = bytes,
                                    .main = TIME_RANGE_NONE,
                                    .outliers = TIME_RANGE_NONE,
                                    .received = TIME_RANGE_NONE };
        memcpy(out->id, opts->id, sizeof out->id);
        sum_metas(opts, out);
    }
    block_scan_fini(&m.scan);
    arena_fini(&m.build.group_arena);
    arena_fini(&m.build.arena);
    arena_fini(&m.arena);
    span_table_fini(&m.entities);
    return e;
}
