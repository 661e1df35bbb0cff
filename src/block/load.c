// SPDX-License-Identifier: Apache-2.0
// From the columns of a block back into a span table.
#include "block/open.h"

#include "block/any.h"
#include "block/cache.h"
#include "block/columns.h"
#include "block/restkeys.h"
#include "span/wire.h"

// Rows are loaded in slices, so that memory stays bounded.
enum { SLICE_ROWS = 4096, KEPT_BYTES_MAX = 32 << 20, GAP_ROWS_MAX = 1024 };

// A column's values walked in step with the rows.
struct walk {
    struct pq_vector v;
    uint32_t at;
    uint32_t key; // of the destination's attribute table
    enum attr_type type;
    struct str name;
    struct str *any; // ATTR_ANY in codes: the values read so far, by code
};

// Moves to row; true if the column has a value there. Rows are asked for in ascending order.
static bool walk_to(struct walk *w, uint32_t row) {
    if (!w->v.rows) {
        w->at = row;
        return row < w->v.n_values;
    }
    while (w->at < w->v.n_values && w->v.rows[w->at] < row) w->at++;
    return w->at < w->v.n_values && w->v.rows[w->at] == row;
}

static struct str walk_text(const struct walk *w) {
    return w->v.repr == PQ_CODES ? w->v.dict->strs[w->v.codes[w->at]] : w->v.strs[w->at];
}

// Entries of a dictionary are read once each, and only those that a row has.
static enum err walk_any(struct walk *w, struct arena *a, struct str *out) {
    if (w->v.repr != PQ_CODES) return any_read(w->v.strs[w->at], a, out);
    uint32_t code = w->v.codes[w->at];
    if (!w->any) w->any = arena_zalloc(a, (w->v.dict->n + 1ull) * sizeof *w->any);
    if (!w->any) return ERR_NOMEM;
    if (!w->any[code].ptr) TRY(any_read(w->v.dict->strs[code], a, &w->any[code]));
    *out = w->any[code];
    return ERR_OK;
}

static uint64_t walk_bits(const struct walk *w) {
    bool coded = w->v.repr == PQ_CODES;
    uint32_t i = coded ? w->v.codes[w->at] : w->at;
    uint64_t bits = 0;
    switch (w->type) {
    case ATTR_INT: return (uint64_t)(coded ? w->v.dict->i64[i] : w->v.i64[i]);
    case ATTR_FLOAT: memcpy(&bits, coded ? &w->v.dict->f64[i] : &w->v.f64[i], sizeof bits); return bits;
    case ATTR_BOOL: return w->v.bools[i];
    default: return 0;
    }
}

static uint32_t walk_u32(const struct walk *w) {
    return (uint32_t)(w->v.repr == PQ_CODES ? w->v.dict->i32[w->v.codes[w->at]] : w->v.i32[w->at]);
}

static bool repr_fits(const struct walk *w) {
    bool coded = w->v.repr == PQ_CODES;
    switch (w->type) {
    case ATTR_INT: return coded || w->v.repr == PQ_I64;
    case ATTR_FLOAT: return coded || w->v.repr == PQ_F64;
    case ATTR_BOOL: return w->v.repr == PQ_BOOLS;
    default: return coded || w->v.repr == PQ_STRS;
    }
}

struct walks {
    struct walk *at;
    uint32_t n;
};

// The attributes of a row on their way into a table.
struct row {
    struct attr_scratch scratch;
    struct attr_in *in;
    uint32_t n, cap;
    struct str *kvs; // from the rest
    uint32_t n_kvs, cap_kvs;
};

struct loader {
    struct block *b;
    struct block_scan *s;
    const struct block_wanted *wanted; // NULL: everything
    struct span_table *dst;
    uint32_t group;
    const uint8_t *trace_id;   // with `wanted`: of the run
    struct pq_chunk **open[3]; // of spans, events, links: by column; in the scan's arena
    struct row row;
    uint32_t *resource, *scope; // of the block -> of the table, SPAN_NONE = not yet
};

// A column of the row group, opened once for all rows that are loaded of it.
static enum err load_chunk_of(struct loader *l, struct in_file *f, size_t column, struct pq_chunk **out) {
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

static enum err load_read(struct loader *l, struct in_file *f, size_t column, uint32_t from, uint32_t to,
                          struct pq_vector *out) {
    struct pq_chunk *c;
    TRY(load_chunk_of(l, f, column, &c));
    return cache_read(l->s, c, from, to, out);
}

static bool wants_key(const struct block_wanted *w, enum field_scope scope, struct str key) {
    for (uint32_t i = 0; w && i < w->n; i++) {
        const struct field *f = &w->fields[i];
        if (f->intrinsic == INTRINSIC_NONE && (f->scope == scope || f->scope == FIELD_UNSCOPED) &&
            str_eq(f->key, key))
            return true;
    }
    return !w;
}

// Is anything of the scope read?
static bool wants_scope(const struct block_wanted *w, enum field_scope scope) {
    for (uint32_t i = 0; w && i < w->n; i++)
        if (w->fields[i].scope == scope || w->fields[i].scope == FIELD_UNSCOPED) return true;
    return !w;
}

// May an attribute that is wanted stand in the rest of these rows?
static bool wants_rest(const struct loader *l, enum block_rows rows, enum field_scope scope) {
    for (uint32_t i = 0; l->wanted && i < l->wanted->n; i++) {
        const struct field *f = &l->wanted->fields[i];
        if (f->intrinsic == INTRINSIC_NONE && (f->scope == scope || f->scope == FIELD_UNSCOPED) &&
            block_rest_may_hold(l->b, rows, l->group, f->key))
            return true;
    }
    return !l->wanted;
}

static bool wants_intrinsic(const struct block_wanted *w, enum intrinsic x) {
    for (uint32_t i = 0; w && i < w->n; i++)
        if (w->fields[i].intrinsic == x) return true;
    return !w;
}

// The attribute columns that are wanted and have a value between the rows.
static enum err open_attrs(struct loader *l, struct in_file *f, const struct attr_def *defs, uint32_t n,
                           enum field_scope scope, uint32_t from, uint32_t to, struct attr_table *t,
                           struct walks *out) {
    *out = (struct walks){ ARENA_ARRAY(&l->s->arena, n + 1ull, struct walk), 0 };
    if (!out->at) return ERR_NOMEM;
    for (uint32_t i = 0; i < n; i++) {
        struct walk *w = &out->at[out->n];
        *w = (struct walk){ .type = defs[i].type, .name = defs[i].key };
        if (f->pq->groups[l->group].chunks[defs[i].column].stats.null_count == f->pq->groups[l->group].n_rows)
            continue;
        if (!wants_key(l->wanted, scope, defs[i].key)) continue;
        TRY(load_read(l, f, defs[i].column, from, to, &w->v));
        if (w->v.n_values == 0) continue;
        if (!repr_fits(w)) return ERR_CORRUPT;
        TRY(attrs_key(t, w->name, &w->key));
        out->n++;
    }
    return ERR_OK;
}

static void *grown(void *p, uint32_t n, uint32_t *cap, size_t size) {
    if (n < *cap) return p;
    *cap = *cap ? *cap * 2 : 64;
    return mem_realloc(p, *cap * size);
}

static enum err row_add(struct row *r, struct attr_in in) {
    struct attr_in *more = grown(r->in, r->n, &r->cap, sizeof *more);
    if (!more) return ERR_NOMEM;
    r->in = more;
    r->in[r->n++] = in;
    return ERR_OK;
}

static enum err large_kv(struct block *b, struct block_scan *s, struct str msg, struct str *out) {
    struct reader r = reader_of(msg);
    struct pb_field f;
    struct str key = STR(""), hash = STR(""), value;
    struct buf kv;
    while (pb_next(&r, &f)) {
        if (f.number == REST_LARGE_KEY && f.wire == PB_BYTES) key = f.bytes;
        if (f.number == REST_LARGE_HASH && f.wire == PB_BYTES) hash = f.bytes;
    }
    TRY(large_find(b, s, hash, &value));
    buf_init(&kv, SIZE_MAX);
    pb_bytes(&kv, KV_KEY, key);
    pb_bytes(&kv, KV_VALUE, value);
    *out = str_dup(&s->arena, buf_view(&kv));
    buf_fini(&kv);
    return out->ptr ? ERR_OK : ERR_NOMEM;
}

static enum err row_kv(struct row *r, struct str kv) {
    struct str *more = grown(r->kvs, r->n_kvs, &r->cap_kvs, sizeof *more);
    if (!more) return ERR_NOMEM;
    r->kvs = more;
    r->kvs[r->n_kvs++] = kv;
    return ERR_OK;
}

// What the rest of the row holds: attributes join the others, fields of the row stay rest.
static enum err row_rest(struct block *b, struct block_scan *s, struct attr_table *t, struct row *r,
                         struct str rest) {
    struct reader rd = reader_of(rest);
    struct pb_field f;
    uint32_t n;
    r->n_kvs = 0;
    for (const uint8_t *from = rd.pos; pb_next(&rd, &f); from = rd.pos) {
        struct str kv = f.bytes;
        if (f.number == REST_LARGE && f.wire == PB_BYTES) TRY(large_kv(b, s, f.bytes, &kv));
        if (f.number == REST_ATTRIBUTE || f.number == REST_LARGE)
            TRY(row_kv(r, kv));
        else
            buf_add(&r->scratch.rest, from, (size_t)(rd.pos - from));
    }
    if (rd.bad) return ERR_CORRUPT;
    TRY(attrs_collect(t, r->kvs, r->n_kvs, &r->scratch, &n));
    for (uint32_t i = 0; i < n; i++) TRY(row_add(r, r->scratch.in[i]));
    return ERR_OK;
}

// Collects the attributes of one row: those of the columns, then those of the rest.
static enum err row_attrs(struct block *b, struct block_scan *s, struct attr_table *t, struct row *r,
                          struct walks *ws, struct walk *rest, uint32_t row) {
    r->n = 0;
    buf_reset(&r->scratch.rest);
    for (uint32_t i = 0; i < ws->n; i++) {
        struct walk *w = &ws->at[i];
        if (!walk_to(w, row)) continue;
        struct attr_in in = { .key = w->key, .value = { .type = w->type } };
        if (w->type == ATTR_ANY)
            TRY(walk_any(w, &s->arena, &in.value.text));
        else if (w->type == ATTR_STRING)
            in.value.text = walk_text(w);
        else
            in.value.bits = walk_bits(w);
        TRY(row_add(r, in));
    }
    return walk_to(rest, row) ? row_rest(b, s, t, r, walk_text(rest)) : ERR_OK;
}

static void row_fini(struct row *r) {
    attr_scratch_fini(&r->scratch);
    mem_free(r->in);
    mem_free(r->kvs);
}

// --- spans -----------------------------------------------------------------------------------------

static enum err open_walk(struct loader *l, struct in_file *f, size_t column, uint32_t from, uint32_t to,
                          struct walk *w) {
    *w = (struct walk){ .type = ATTR_STRING };
    return load_read(l, f, column, from, to, &w->v);
}

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

// Events (links) are found by their span's row: those of [from, to) lie together.
static enum err find_children(struct loader *l, struct in_file *f, uint32_t from, uint32_t to,
                              uint32_t *out_from, uint32_t *out_to, const int32_t **out_rows) {
    struct pq_chunk *c;
    struct pq_vector v;
    uint32_t low = 0, high;
    *out_from = *out_to = 0;
    if (!f->pq) return ERR_OK;
    TRY(load_chunk_of(l, f, 0, &c));
    high = c->n_rows;
    TRY(pq_chunk_bounds(c));
    for (size_t p = 0; c->bounds && p < c->n_pages; p++) {
        int32_t min, max;
        if (c->bounds[p].min.len != 4 || c->bounds[p].max.len != 4) continue;
        memcpy(&min, c->bounds[p].min.ptr, 4);
        memcpy(&max, c->bounds[p].max.ptr, 4);
        if (max < (int32_t)from) low = c->pages[p].first_row + c->pages[p].n_rows;
        if (min >= (int32_t)to && c->pages[p].first_row < high) high = c->pages[p].first_row;
    }
    if (low >= high) return ERR_OK;
    TRY(cache_read(l->s, c, low, high, &v));
    TRY(vector_i32(&v, &l->s->arena, out_rows));
    uint32_t i = 0, k;
    while (i < v.n_values && (*out_rows)[i] < (int32_t)from) i++;
    for (k = i; k < v.n_values && (*out_rows)[k] < (int32_t)to;) k++;
    *out_rows += i;
    *out_from = low + i;
    *out_to = low + k;
    return ERR_OK;
}

struct event_rows {
    uint32_t at, n;
    const int32_t *span;
    const int64_t *offset;
    const struct str *name;
    const int32_t *dropped;
    struct walks attrs;
    struct walk rest;
};

static enum err open_events(struct loader *l, uint32_t from, uint32_t to, struct event_rows *e) {
    struct in_file *f = &l->b->events;
    struct pq_vector v;
    uint32_t a, z;
    *e = (struct event_rows){ 0 };
    if (!wants_scope(l->wanted, FIELD_EVENT)) return ERR_OK;
    TRY(find_children(l, f, from, to, &a, &z, &e->span));
    e->n = z - a;
    if (e->n == 0) return ERR_OK;
    TRY(load_read(l, f, EC_OFFSET, a, z, &v));
    TRY(vector_i64(&v, &l->s->arena, &e->offset));
    TRY(load_read(l, f, EC_NAME, a, z, &v));
    TRY(vector_strs(&v, &l->s->arena, &e->name));
    TRY(load_read(l, f, EC_DROPPED, a, z, &v));
    TRY(vector_i32(&v, &l->s->arena, &e->dropped));
    TRY(open_walk(l, f, EC_REST, a, z, &e->rest));
    return open_attrs(l, f, l->b->event_attrs, l->b->n_event_attrs, FIELD_EVENT, a, z, &l->dst->events.attrs,
                      &e->attrs);
}

static enum err add_events(struct loader *l, struct event_rows *e, uint32_t row, uint64_t start_ns) {
    while (e->at < e->n && (uint32_t)e->span[e->at] < row) e->at++; // of rows that are not loaded
    for (; e->at < e->n && (uint32_t)e->span[e->at] == row; e->at++) {
        TRY(row_attrs(l->b, l->s, &l->dst->events.attrs, &l->row, &e->attrs, &e->rest, e->at));
        struct span_event_in in = { .time_ns = start_ns + (uint64_t)e->offset[e->at],
                                    .name = e->name[e->at],
                                    .dropped = (uint32_t)e->dropped[e->at],
                                    .attrs = l->row.in,
                                    .n_attrs = l->row.n };
        TRY(span_table_add_event(l->dst, &in, &l->row.scratch.rest));
    }
    return ERR_OK;
}

struct link_rows {
    uint32_t at, n;
    const int32_t *span, *flags, *dropped;
    const uint8_t *trace_id, *span_id;
    const struct str *state;
    struct walks attrs;
    struct walk rest;
};

static enum err open_links(struct loader *l, uint32_t from, uint32_t to, struct link_rows *k) {
    struct in_file *f = &l->b->links;
    struct pq_vector v;
    uint32_t a, z;
    *k = (struct link_rows){ 0 };
    if (!wants_scope(l->wanted, FIELD_LINK)) return ERR_OK;
    TRY(find_children(l, f, from, to, &a, &z, &k->span));
    k->n = z - a;
    if (k->n == 0) return ERR_OK;
    TRY(load_read(l, f, LC_TRACE_ID, a, z, &v));
    TRY(vector_fixed(&v, &l->s->arena, 16, &k->trace_id));
    TRY(load_read(l, f, LC_SPAN_ID, a, z, &v));
    TRY(vector_fixed(&v, &l->s->arena, 8, &k->span_id));
    TRY(load_read(l, f, LC_TRACE_STATE, a, z, &v));
    TRY(vector_strs(&v, &l->s->arena, &k->state));
    TRY(load_read(l, f, LC_FLAGS, a, z, &v));
    TRY(vector_i32(&v, &l->s->arena, &k->flags));
    TRY(load_read(l, f, LC_DROPPED, a, z, &v));
    TRY(vector_i32(&v, &l->s->arena, &k->dropped));
    TRY(open_walk(l, f, LC_REST, a, z, &k->rest));
    return open_attrs(l, f, l->b->link_attrs, l->b->n_link_attrs, FIELD_LINK, a, z, &l->dst->links.attrs,
                      &k->attrs);
}

static enum err add_links(struct loader *l, struct link_rows *k, uint32_t row) {
    while (k->at < k->n && (uint32_t)k->span[k->at] < row) k->at++;
    for (; k->at < k->n && (uint32_t)k->span[k->at] == row; k->at++) {
        TRY(row_attrs(l->b, l->s, &l->dst->links.attrs, &l->row, &k->attrs, &k->rest, k->at));
        struct span_link_in in = { .trace_state = k->state[k->at],
                                   .flags = (uint32_t)k->flags[k->at],
                                   .dropped = (uint32_t)k->dropped[k->at],
                                   .attrs = l->row.in,
                                   .n_attrs = l->row.n };
        memcpy(in.trace_id, k->trace_id + 16ull * k->at, 16);
        memcpy(&in.span_id, k->span_id + 8ull * k->at, 8);
        TRY(span_table_add_link(l->dst, &in, &l->row.scratch.rest));
    }
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
    const int32_t *kind, *status, *flags, *resource, *scope;
    const struct str *name;
    struct walk message, state, dropped_attributes, dropped_events, dropped_links, rest;
    struct walks attrs;
    struct event_rows events;
    struct link_rows links;
};

static enum err load_i32(struct loader *l, enum span_column c, uint32_t from, uint32_t to,
                         const int32_t **out) {
    struct pq_vector v;
    TRY(load_read(l, &l->b->spans, c, from, to, &v));
    return vector_i32(&v, &l->s->arena, out);
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
    TRY(load_read(l, f, SC_NAME, from, to, &v));
    TRY(vector_strs(&v, a, &r->name));
    TRY(load_i32(l, SC_STATUS, from, to, &r->status));
    TRY(load_i32(l, SC_RESOURCE, from, to, &r->resource));
    if (wants_intrinsic(l->wanted, INTRINSIC_KIND)) TRY(load_i32(l, SC_KIND, from, to, &r->kind));
    if (wants_scope(l->wanted, FIELD_INSTRUMENTATION)) TRY(load_i32(l, SC_SCOPE, from, to, &r->scope));
    if (wants_intrinsic(l->wanted, INTRINSIC_STATUS_MESSAGE))
        TRY(open_walk(l, f, SC_STATUS_MESSAGE, from, to, &r->message));
    if (wants_intrinsic(l->wanted, INTRINSIC_TRACE_STATE))
        TRY(open_walk(l, f, SC_TRACE_STATE, from, to, &r->state));
    if (!l->wanted) {
        TRY(load_i32(l, SC_FLAGS, from, to, &r->flags));
        TRY(open_walk(l, f, SC_DROPPED_ATTRIBUTES, from, to, &r->dropped_attributes));
        TRY(open_walk(l, f, SC_DROPPED_EVENTS, from, to, &r->dropped_events));
        TRY(open_walk(l, f, SC_DROPPED_LINKS, from, to, &r->dropped_links));
    }
    if (wants_rest(l, BLOCK_ROWS_SPANS, FIELD_SPAN)) TRY(open_walk(l, f, SC_REST, from, to, &r->rest));
    TRY(open_attrs(l, f, l->b->span_attrs, l->b->n_span_attrs, FIELD_SPAN, from, to, &l->dst->attrs,
                   &r->attrs));
    TRY(open_events(l, from, to, &r->events));
    return open_links(l, from, to, &r->links);
}

static enum err add_span(struct loader *l, struct span_rows *r, uint32_t from, uint32_t i) {
    struct span_in in = { .trace_id = l->wanted ? l->trace_id : r->trace_id + 16ull * i,
                          .parent_id = r->parent[i],
                          .start_ns = (uint64_t)r->start[i],
                          .end_ns = (uint64_t)r->start[i] + (uint64_t)r->duration[i],
                          .name = r->name[i],
                          .trace_state = walk_to(&r->state, i) ? walk_text(&r->state) : STR(""),
                          .status_message = walk_to(&r->message, i) ? walk_text(&r->message) : STR(""),
                          .flags = r->flags ? (uint32_t)r->flags[i] : 0,
                          .kind = r->kind ? (uint8_t)r->kind[i] : 0,
                          .status = (uint8_t)r->status[i] };
    memcpy(&in.span_id, r->span_id + 8ull * i, 8);
    if (walk_to(&r->dropped_attributes, i)) in.dropped_attributes = walk_u32(&r->dropped_attributes);
    if (walk_to(&r->dropped_events, i)) in.dropped_events = walk_u32(&r->dropped_events);
    if (walk_to(&r->dropped_links, i)) in.dropped_links = walk_u32(&r->dropped_links);
    TRY(map_entity(l, true, (uint32_t)r->resource[i], &in.resource));
    if (r->scope)
        TRY(map_entity(l, false, (uint32_t)r->scope[i], &in.scope));
    else
        TRY(span_table_scope(l->dst, STR(""), &in.scope));
    TRY(row_attrs(l->b, l->s, &l->dst->attrs, &l->row, &r->attrs, &r->rest, i));
    in.attrs = l->row.in;
    in.n_attrs = l->row.n;
    TRY(span_table_add(l->dst, &in, &l->row.scratch.rest));
    TRY(add_events(l, &r->events, from + i, in.start_ns));
    return add_links(l, &r->links, from + i);
}

static enum err loader_init(struct loader *l, uint32_t group) {
    struct block *b = l->b;
    TRY(block_open(b, l->s));
    if (group >= b->spans.pq->n_groups) return ERR_CORRUPT;
    l->group = group;
    l->resource = mem_alloc((b->n_resources + 1ull) * sizeof *l->resource);
    l->scope = mem_alloc((b->n_scopes + 1ull) * sizeof *l->scope);
    attr_scratch_init(&l->row.scratch);
    if (!l->resource || !l->scope) return ERR_NOMEM;
    for (uint32_t i = 0; i < b->n_resources; i++) l->resource[i] = SPAN_NONE;
    for (uint32_t i = 0; i < b->n_scopes; i++) l->scope[i] = SPAN_NONE;
    return ERR_OK;
}

static void loader_fini(struct loader *l) {
    row_fini(&l->row);
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
