// SPDX-License-Identifier: Apache-2.0
// From the columns of a block back into a span table.
#include "block/load_internal.h"

#include "block/cache.h"
#include "block/columns.h"

// Rows are loaded in slices, so that memory stays bounded.
enum { SLICE_ROWS = 4096, KEPT_BYTES_MAX = 32 << 20, GAP_ROWS_MAX = 1024 };

enum err load_chunk_of(struct loader *l, struct in_file *f, size_t column, struct pq_chunk **out) {
    int table = f == &l->b->spans ? 0 : f == &l->b->events ? 1 : 2;
    if (!f->pq || column >= f->pq->n_columns) return ERR_CORRUPT;
    if (!l->open[table]) l->open[table] = arena_zalloc(&l->s->arena, f->pq->n_columns * sizeof **l->open);
    if (!l->open[table]) return ERR_NOMEM;
    struct pq_chunk **c = &l->open[table][column];
    if (!*c) {
        struct pq_chunk *fresh = ARENA_NEW(&l->s->arena, struct pq_chunk);
        if (!fresh) return ERR_NOMEM;
        TRY(scan_chunk(f, l->s, l->group, column, fresh));
        *c = fresh;
    }
    *out = *c;
    return ERR_OK;
}

enum err load_read(struct loader *l, struct in_file *f, size_t column, uint32_t from, uint32_t to,
                   struct pq_vector *out) {
    struct pq_chunk *c;
    TRY(load_chunk_of(l, f, column, &c));
    return cache_read(l->s, c, from, to, out);
}

enum err load_walk(struct loader *l, struct in_file *f, size_t column, uint32_t from, uint32_t to,
                   struct walk *w) {
    *w = (struct walk){ .type = ATTR_STRING };
    return load_read(l, f, column, from, to, &w->v);
}

bool load_wants_scope(const struct block_wanted *w, enum field_scope scope) {
    for (uint32_t i = 0; w && i < w->n; i++)
        if (w->fields[i].scope == scope || w->fields[i].scope == FIELD_UNSCOPED) return true;
    return !w;
}

static bool wants_intrinsic(const struct block_wanted *w, enum intrinsic x) {
    for (uint32_t i = 0; w && i < w->n; i++)
        if (w->fields[i].intrinsic == x) return true;
    return !w;
}

// --- spans -----------------------------------------------------------------------------------------

static enum err map_entity(struct loader *l, bool is_resource, uint32_t i, uint32_t *out) {
    uint32_t *map = is_resource ? l->resource : l->scope;
    const struct span_entity *e = is_resource ? l->b->resource : l->b->scope;
    if (i >= (is_resource ? l->b->n_resources : l->b->n_scopes)) return ERR_CORRUPT;
    if (map[i] == SPAN_NONE) {
        if (is_resource)
            TRY(span_table_resource(l->dst, e[i].bytes, e[i].service, &map[i]));
        else
            TRY(span_table_scope(l->dst, e[i].bytes, &map[i]));
    }
    *out = map[i];
    return ERR_OK;
}

static enum err empty_scope(struct loader *l, uint32_t *out) {
    if (l->no_scope == SPAN_NONE) TRY(span_table_scope(l->dst, STR(""), &l->no_scope));
    *out = l->no_scope;
    return ERR_OK;
}

// The parent's id: kept beside the row, or that of the row so many back.
static enum err load_parents(struct loader *l, uint32_t from, uint32_t to, uint64_t *out) {
    struct in_file *f = &l->b->spans;
    struct pq_vector v;
    const int32_t *back;
    const uint8_t *ids;
    uint32_t n_group = f->pq->groups[l->group].n_rows, low = from, high = to;
    TRY(load_read(l, f, SC_PARENT, from, to, &v));
    TRY(vector_i32(&v, &l->s->arena, &back));
    for (uint32_t i = 0; i < to - from; i++) {
        int64_t at = (int64_t)from + i - back[i];
        if (at < 0 || at >= n_group) return ERR_CORRUPT;
        if (at < low) low = (uint32_t)at;
        if (at >= high) high = (uint32_t)at + 1;
    }
    TRY(load_read(l, f, SC_SPAN_ID, low, high, &v));
    TRY(vector_fixed(&v, &l->s->arena, 8, &ids));
    for (uint32_t i = 0; i < to - from; i++) {
        out[i] = 0;
        if (back[i] != 0) memcpy(&out[i], ids + 8 * (size_t)((int64_t)from + i - back[i] - low), 8);
    }
    TRY(load_read(l, f, SC_PARENT_ID, from, to, &v));
    TRY(vector_fixed(&v, &l->s->arena, 8, &ids));
    for (uint32_t i = 0; i < v.n_values; i++) memcpy(&out[v.rows ? v.rows[i] : i], ids + 8ull * i, 8);
    return ERR_OK;
}

struct span_rows {
    const uint8_t *trace_id, *span_id;
    uint64_t *parent;
    const int64_t *start, *duration;
    struct walk name, status, resource; // in every row
    struct walk kind, scope, flags;     // the same, where they are read
    struct walk message, state, dropped_attributes, dropped_events, dropped_links, rest;
    struct walks attrs;
    struct event_rows events;
    struct link_rows links;
};

// Of a column that has a value in every row.
static enum err load_full(struct loader *l, enum span_column c, uint32_t from, uint32_t to,
                          struct walk *out) {
    TRY(load_walk(l, &l->b->spans, c, from, to, out));
    return out->v.rows || out->v.n_values != to - from ? ERR_CORRUPT : ERR_OK;
}

static enum err open_spans(struct loader *l, uint32_t from, uint32_t to, struct span_rows *r) {
    struct in_file *f = &l->b->spans;
    struct arena *a = &l->s->arena;
    struct pq_vector v;
    if (!l->wanted) {
        TRY(load_read(l, f, SC_TRACE_ID, from, to, &v));
        TRY(vector_fixed(&v, a, 16, &r->trace_id));
    }
    TRY(load_read(l, f, SC_SPAN_ID, from, to, &v));
    TRY(vector_fixed(&v, a, 8, &r->span_id));
    r->parent = ARENA_ARRAY(a, to - from, uint64_t);
    if (!r->parent) return ERR_NOMEM;
    TRY(load_parents(l, from, to, r->parent));
    TRY(load_read(l, f, SC_START, from, to, &v));
    TRY(vector_i64(&v, a, &r->start));
    TRY(load_read(l, f, SC_DURATION, from, to, &v));
    TRY(vector_i64(&v, a, &r->duration));
    TRY(load_full(l, SC_NAME, from, to, &r->name));
    TRY(load_full(l, SC_STATUS, from, to, &r->status));
    TRY(load_full(l, SC_RESOURCE, from, to, &r->resource));
    if (wants_intrinsic(l->wanted, INTRINSIC_KIND)) TRY(load_full(l, SC_KIND, from, to, &r->kind));
    if (load_wants_scope(l->wanted, FIELD_INSTRUMENTATION)) TRY(load_full(l, SC_SCOPE, from, to, &r->scope));
    if (wants_intrinsic(l->wanted, INTRINSIC_STATUS_MESSAGE))
        TRY(load_walk(l, f, SC_STATUS_MESSAGE, from, to, &r->message));
    if (wants_intrinsic(l->wanted, INTRINSIC_TRACE_STATE))
        TRY(load_walk(l, f, SC_TRACE_STATE, from, to, &r->state));
    if (!l->wanted) {
        TRY(load_full(l, SC_FLAGS, from, to, &r->flags));
        TRY(load_walk(l, f, SC_DROPPED_ATTRIBUTES, from, to, &r->dropped_attributes));
        TRY(load_walk(l, f, SC_DROPPED_EVENTS, from, to, &r->dropped_events));
        TRY(load_walk(l, f, SC_DROPPED_LINKS, from, to, &r->dropped_links));
    }
    if (load_wants_rest(l, BLOCK_ROWS_SPANS, FIELD_SPAN)) TRY(load_walk(l, f, SC_REST, from, to, &r->rest));
    TRY(load_attrs(l, f, l->b->span_attrs, l->b->n_span_attrs, FIELD_SPAN, from, to, &l->dst->attrs,
                   &r->attrs));
    TRY(load_events(l, from, to, &r->events));
    return load_links(l, from, to, &r->links);
}

static struct str text_at(struct walk *w, uint32_t i) {
    return walk_to(w, i) ? walk_text(w) : STR("");
}

static uint32_t number_at(struct walk *w, uint32_t i) {
    return walk_to(w, i) ? walk_u32(w) : 0;
}

static enum err add_span(struct loader *l, struct span_rows *r, uint32_t from, uint32_t i) {
    struct span_in in = { .trace_id = l->wanted ? l->trace_id : r->trace_id + 16ull * i,
                          .parent_id = r->parent[i],
                          .start_ns = (uint64_t)r->start[i],
                          .end_ns = (uint64_t)r->start[i] + (uint64_t)r->duration[i],
                          .name = text_at(&r->name, i),
                          .trace_state = text_at(&r->state, i),
                          .status_message = text_at(&r->message, i),
                          .flags = number_at(&r->flags, i),
                          .kind = (uint8_t)number_at(&r->kind, i),
                          .status = (uint8_t)number_at(&r->status, i),
                          .dropped_attributes = number_at(&r->dropped_attributes, i),
                          .dropped_events = number_at(&r->dropped_events, i),
                          .dropped_links = number_at(&r->dropped_links, i) };
    memcpy(&in.span_id, r->span_id + 8ull * i, 8);
    TRY(map_entity(l, true, number_at(&r->resource, i), &in.resource));
    if (walk_to(&r->scope, i))
        TRY(map_entity(l, false, walk_u32(&r->scope), &in.scope));
    else
        TRY(empty_scope(l, &in.scope));
    TRY(load_row_attrs(l, &l->dst->attrs, &r->attrs, &r->rest, i));
    in.attrs = l->row.in;
    in.n_attrs = l->row.n;
    TRY(span_table_add(l->dst, &in, &l->row.rest));
    TRY(load_add_events(l, &r->events, from + i, in.start_ns));
    return load_add_links(l, &r->links, from + i);
}

static enum err loader_init(struct loader *l, uint32_t group) {
    struct block *b = l->b;
    TRY(block_open(b, l->s));
    if (group >= b->spans.pq->n_groups) return ERR_CORRUPT;
    l->group = group;
    l->no_scope = SPAN_NONE;
    l->resource = mem_alloc((b->n_resources + 1ull) * sizeof *l->resource);
    l->scope = mem_alloc((b->n_scopes + 1ull) * sizeof *l->scope);
    attr_scratch_init(&l->row);
    if (!l->resource || !l->scope) return ERR_NOMEM;
    for (uint32_t i = 0; i < b->n_resources; i++) l->resource[i] = SPAN_NONE;
    for (uint32_t i = 0; i < b->n_scopes; i++) l->scope[i] = SPAN_NONE;
    return ERR_OK;
}

static void loader_fini(struct loader *l) {
    attr_scratch_fini(&l->row);
    mem_free(l->resource);
    mem_free(l->scope);
}

static void forget_chunks(struct loader *l) {
    arena_reset(&l->s->arena);
    memset(l->open, 0, sizeof l->open);
}

static enum err check_run(const struct loader *l, uint32_t first, uint32_t n) {
    uint32_t rows = l->b->spans.pq->groups[l->group].n_rows;
    return first > rows || n > rows - first ? ERR_CORRUPT : ERR_OK;
}

// A run of any length, slice by slice.
static enum err load_run(struct loader *l, uint32_t first, uint32_t n) {
    TRY(check_run(l, first, n));
    for (uint32_t at = first; at < first + n; at += SLICE_ROWS) {
        uint32_t to = first + n - at < SLICE_ROWS ? first + n : at + SLICE_ROWS;
        struct span_rows r = { 0 };
        forget_chunks(l);
        TRY(open_spans(l, at, to, &r));
        for (uint32_t i = 0; i < to - at; i++) TRY(add_span(l, &r, at, i));
    }
    return ERR_OK;
}

// How many of the runs are read in one slice: what lies between them costs less than to begin anew.
static uint32_t runs_together(const struct block_trace_run *runs, uint32_t n) {
    uint32_t end = runs[0].first + runs[0].n, k = 1;
    for (; k < n; k++) {
        if (runs[k].first < end || runs[k].first - end > GAP_ROWS_MAX) break;
        if (runs[k].first + runs[k].n - runs[0].first > SLICE_ROWS) break;
        end = runs[k].first + runs[k].n;
    }
    return k;
}

static enum err load_together(struct loader *l, const struct block_trace_run *runs, uint32_t n) {
    uint32_t from = runs[0].first, to = runs[n - 1].first + runs[n - 1].n;
    struct span_rows r = { 0 };
    for (uint32_t i = 0; i < n; i++) TRY(check_run(l, runs[i].first, runs[i].n));
    if (l->s->arena.used > KEPT_BYTES_MAX) forget_chunks(l);
    TRY(open_spans(l, from, to, &r));
    for (uint32_t i = 0; i < n; i++) {
        l->trace_id = runs[i].id;
        for (uint32_t k = 0; k < runs[i].n; k++) TRY(add_span(l, &r, from, runs[i].first - from + k));
    }
    return ERR_OK;
}

enum err block_load(struct block *b, struct block_scan *s, uint32_t group, uint32_t first, uint32_t n,
                    struct span_table *dst) {
    struct loader l = { .b = b, .s = s, .dst = dst };
    enum err e = loader_init(&l, group);
    if (e == ERR_OK) e = load_run(&l, first, n);
    loader_fini(&l);
    return e;
}

enum err block_load_traces(struct block *b, struct block_scan *s, uint32_t group,
                           const struct block_wanted *wanted, const struct block_trace_run *runs, uint32_t n,
                           struct span_table *dst) {
    struct loader l = { .b = b, .s = s, .dst = dst, .wanted = wanted };
    enum err e = loader_init(&l, group);
    block_scan_reset(s);
    for (uint32_t i = 0, k; i < n && e == ERR_OK; i += k) {
        l.trace_id = runs[i].id;
        k = runs[i].n > SLICE_ROWS ? 1 : runs_together(runs + i, n - i);
        e = runs[i].n > SLICE_ROWS ? load_run(&l, runs[i].first, runs[i].n) : load_together(&l, runs + i, k);
    }
    loader_fini(&l);
    return e;
}
