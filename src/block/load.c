// SPDX-License-Identifier: Apache-2.0
// From the columns of a block back into a span table.
#include "block/open.h"

#include "block/any.h"
#include "block/columns.h"
#include "span/wire.h"

enum { SLICE_ROWS = 4096 }; // rows are loaded in slices, so that memory stays bounded

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

// The attribute columns that have a value between the rows.
static enum err open_attrs(struct block_scan *s, struct in_file *f, size_t group, const struct attr_def *defs,
                           uint32_t n, uint32_t from, uint32_t to, struct attr_table *t, struct walks *out) {
    *out = (struct walks){ ARENA_ARRAY(&s->arena, n + 1ull, struct walk), 0 };
    if (!out->at) return ERR_NOMEM;
    for (uint32_t i = 0; i < n; i++) {
        struct walk *w = &out->at[out->n];
        *w = (struct walk){ .type = defs[i].type, .name = defs[i].key };
        if (f->pq->groups[group].chunks[defs[i].column].stats.null_count == f->pq->groups[group].n_rows)
            continue;
        TRY(scan_read(f, s, group, defs[i].column, from, to, &w->v));
        if (w->v.n_values == 0) continue;
        if (!repr_fits(w)) return ERR_CORRUPT;
        TRY(attrs_key(t, w->name, &w->key));
        out->n++;
    }
    return ERR_OK;
}

// The attributes of a row on their way into a table.
struct row {
    struct attr_scratch scratch;
    struct attr_in *in;
    uint32_t n, cap;
    struct str *kvs; // from the rest
    uint32_t n_kvs, cap_kvs;
};

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

// Finds a value of large.parquet. Rare and large: the table is searched each time.
static enum err find_large(struct block *b, struct block_scan *s, struct str hash, struct str *out) {
    struct pq_vector v;
    const uint8_t *hashes;
    const struct str *value;
    if (!b->large.pq || b->large.pq->n_groups != 1 || hash.len != 16) return ERR_CORRUPT;
    uint32_t n = b->large.pq->groups[0].n_rows;
    TRY(scan_read(&b->large, s, 0, 0, 0, n, &v));
    TRY(vector_fixed(&v, &s->arena, 16, &hashes));
    for (uint32_t i = 0; i < n; i++) {
        if (memcmp(hashes + 16ull * i, hash.ptr, 16) != 0) continue;
        TRY(scan_read(&b->large, s, 0, 1, i, i + 1, &v));
        TRY(vector_strs(&v, &s->arena, &value));
        *out = value[0];
        return ERR_OK;
    }
    return ERR_CORRUPT;
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
    TRY(find_large(b, s, hash, &value));
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

struct loader {
    struct block *b;
    struct block_scan *s;
    struct span_table *dst;
    uint32_t group;
    struct row row;
    uint32_t *resource, *scope; // of the block -> of the table, SPAN_NONE = not yet
};

static enum err open_walk(struct loader *l, struct in_file *f, size_t column, uint32_t from, uint32_t to,
                          struct walk *w) {
    *w = (struct walk){ .type = ATTR_STRING };
    return scan_read(f, l->s, l->group, column, from, to, &w->v);
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
    struct pq_chunk c;
    struct pq_vector v;
    uint32_t low = 0, high;
    *out_from = *out_to = 0;
    if (!f->pq) return ERR_OK;
    TRY(scan_chunk(f, l->s, l->group, 0, &c));
    high = c.n_rows;
    TRY(pq_chunk_pages(&c));
    TRY(pq_chunk_bounds(&c));
    for (size_t p = 0; c.bounds && p < c.n_pages; p++) {
        int32_t min, max;
        if (c.bounds[p].min.len != 4 || c.bounds[p].max.len != 4) continue;
        memcpy(&min, c.bounds[p].min.ptr, 4);
        memcpy(&max, c.bounds[p].max.ptr, 4);
        if (max < (int32_t)from) low = c.pages[p].first_row + c.pages[p].n_rows;
        if (min >= (int32_t)to && c.pages[p].first_row < high) high = c.pages[p].first_row;
    }
    if (low >= high) return ERR_OK;
    TRY(pq_chunk_read(&c, low, high, &l->s->arena, &v));
    scan_count(l->s, &c, low, high);
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
    TRY(find_children(l, f, from, to, &a, &z, &e->span));
    e->n = z - a;
    if (e->n == 0) return ERR_OK;
    TRY(scan_read(f, l->s, l->group, EC_OFFSET, a, z, &v));
    TRY(vector_i64(&v, &l->s->arena, &e->offset));
    TRY(scan_read(f, l->s, l->group, EC_NAME, a, z, &v));
    TRY(vector_strs(&v, &l->s->arena, &e->name));
    TRY(scan_read(f, l->s, l->group, EC_DROPPED, a, z, &v));
    TRY(vector_i32(&v, &l->s->arena, &e->dropped));
    TRY(open_walk(l, f, EC_REST, a, z, &e->rest));
    return open_attrs(l->s, f, l->group, l->b->event_attrs, l->b->n_event_attrs, a, z, &l->dst->events.attrs,
                      &e->attrs);
}

static enum err add_events(struct loader *l, struct event_rows *e, uint32_t row, uint64_t start_ns) {
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
    TRY(find_children(l, f, from, to, &a, &z, &k->span));
    k->n = z - a;
    if (k->n == 0) return ERR_OK;
    TRY(scan_read(f, l->s, l->group, LC_TRACE_ID, a, z, &v));
    TRY(vector_fixed(&v, &l->s->arena, 16, &k->trace_id));
    TRY(scan_read(f, l->s, l->group, LC_SPAN_ID, a, z, &v));
    TRY(vector_fixed(&v, &l->s->arena, 8, &k->span_id));
    TRY(scan_read(f, l->s, l->group, LC_TRACE_STATE, a, z, &v));
    TRY(vector_strs(&v, &l->s->arena, &k->state));
    TRY(scan_read(f, l->s, l->group, LC_FLAGS, a, z, &v));
    TRY(vector_i32(&v, &l->s->arena, &k->flags));
    TRY(scan_read(f, l->s, l->group, LC_DROPPED, a, z, &v));
    TRY(vector_i32(&v, &l->s->arena, &k->dropped));
    TRY(open_walk(l, f, LC_REST, a, z, &k->rest));
    return open_attrs(l->s, f, l->group, l->b->link_attrs, l->b->n_link_attrs, a, z, &l->dst->links.attrs,
                      &k->attrs);
}

static enum err add_links(struct loader *l, struct link_rows *k, uint32_t row) {
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
    TRY(scan_read(f, l->s, l->group, SC_PARENT, from, to, &v));
    TRY(vector_i32(&v, &l->s->arena, &back));
    for (uint32_t i = 0; i < to - from; i++) {
        int64_t at = (int64_t)from + i - back[i];
        if (at < 0 || at >= n_group) return ERR_CORRUPT;
        if (at < low) low = (uint32_t)at;
        if (at >= high) high = (uint32_t)at + 1;
    }
    TRY(scan_read(f, l->s, l->group, SC_SPAN_ID, low, high, &v));
    TRY(vector_fixed(&v, &l->s->arena, 8, &ids));
    for (uint32_t i = 0; i < to - from; i++) {
        out[i] = 0;
        if (back[i] != 0) memcpy(&out[i], ids + 8 * (size_t)((int64_t)from + i - back[i] - low), 8);
    }
    TRY(scan_read(f, l->s, l->group, SC_PARENT_ID, from, to, &v));
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
    TRY(scan_read(&l->b->spans, l->s, l->group, c, from, to, &v));
    return vector_i32(&v, &l->s->arena, out);
}

static enum err open_spans(struct loader *l, uint32_t from, uint32_t to, struct span_rows *r) {
    struct in_file *f = &l->b->spans;
    struct arena *a = &l->s->arena;
    struct pq_vector v;
    TRY(scan_read(f, l->s, l->group, SC_TRACE_ID, from, to, &v));
    TRY(vector_fixed(&v, a, 16, &r->trace_id));
    TRY(scan_read(f, l->s, l->group, SC_SPAN_ID, from, to, &v));
    TRY(vector_fixed(&v, a, 8, &r->span_id));
    r->parent = ARENA_ARRAY(a, to - from, uint64_t);
    if (!r->parent) return ERR_NOMEM;
    TRY(load_parents(l, from, to, r->parent));
    TRY(scan_read(f, l->s, l->group, SC_START, from, to, &v));
    TRY(vector_i64(&v, a, &r->start));
    TRY(scan_read(f, l->s, l->group, SC_DURATION, from, to, &v));
    TRY(vector_i64(&v, a, &r->duration));
    TRY(scan_read(f, l->s, l->group, SC_NAME, from, to, &v));
    TRY(vector_strs(&v, a, &r->name));
    TRY(load_i32(l, SC_KIND, from, to, &r->kind));
    TRY(load_i32(l, SC_STATUS, from, to, &r->status));
    TRY(load_i32(l, SC_FLAGS, from, to, &r->flags));
    TRY(load_i32(l, SC_RESOURCE, from, to, &r->resource));
    TRY(load_i32(l, SC_SCOPE, from, to, &r->scope));
    TRY(open_walk(l, f, SC_STATUS_MESSAGE, from, to, &r->message));
    TRY(open_walk(l, f, SC_TRACE_STATE, from, to, &r->state));
    TRY(open_walk(l, f, SC_DROPPED_ATTRIBUTES, from, to, &r->dropped_attributes));
    TRY(open_walk(l, f, SC_DROPPED_EVENTS, from, to, &r->dropped_events));
    TRY(open_walk(l, f, SC_DROPPED_LINKS, from, to, &r->dropped_links));
    TRY(open_walk(l, f, SC_REST, from, to, &r->rest));
    TRY(open_attrs(l->s, f, l->group, l->b->span_attrs, l->b->n_span_attrs, from, to, &l->dst->attrs,
                   &r->attrs));
    TRY(open_events(l, from, to, &r->events));
    return open_links(l, from, to, &r->links);
}

static enum err add_span(struct loader *l, struct span_rows *r, uint32_t from, uint32_t i) {
    struct span_in in = { .trace_id = r->trace_id + 16ull * i,
                          .parent_id = r->parent[i],
                          .start_ns = (uint64_t)r->start[i],
                          .end_ns = (uint64_t)r->start[i] + (uint64_t)r->duration[i],
                          .name = r->name[i],
                          .trace_state = walk_to(&r->state, i) ? walk_text(&r->state) : STR(""),
                          .status_message = walk_to(&r->message, i) ? walk_text(&r->message) : STR(""),
                          .flags = (uint32_t)r->flags[i],
                          .kind = (uint8_t)r->kind[i],
                          .status = (uint8_t)r->status[i] };
    memcpy(&in.span_id, r->span_id + 8ull * i, 8);
    if (walk_to(&r->dropped_attributes, i)) in.dropped_attributes = walk_u32(&r->dropped_attributes);
    if (walk_to(&r->dropped_events, i)) in.dropped_events = walk_u32(&r->dropped_events);
    if (walk_to(&r->dropped_links, i)) in.dropped_links = walk_u32(&r->dropped_links);
    TRY(map_entity(l, true, (uint32_t)r->resource[i], &in.resource));
    TRY(map_entity(l, false, (uint32_t)r->scope[i], &in.scope));
    TRY(row_attrs(l->b, l->s, &l->dst->attrs, &l->row, &r->attrs, &r->rest, i));
    in.attrs = l->row.in;
    in.n_attrs = l->row.n;
    TRY(span_table_add(l->dst, &in, &l->row.scratch.rest));
    TRY(add_events(l, &r->events, from + i, in.start_ns));
    return add_links(l, &r->links, from + i);
}

static enum err load_slice(struct loader *l, uint32_t from, uint32_t to) {
    struct span_rows r;
    TRY(open_spans(l, from, to, &r));
    for (uint32_t i = 0; i < to - from; i++) TRY(add_span(l, &r, from, i));
    return ERR_OK;
}

enum err block_load(struct block *b, struct block_scan *s, uint32_t group, uint32_t first, uint32_t n,
                    struct span_table *dst) {
    struct loader l = { .b = b, .s = s, .dst = dst, .group = group };
    TRY(block_open(b, s));
    if (group >= b->spans.pq->n_groups || first > b->spans.pq->groups[group].n_rows ||
        n > b->spans.pq->groups[group].n_rows - first)
        return ERR_CORRUPT;
    l.resource = mem_alloc((b->n_resources + 1ull) * sizeof *l.resource);
    l.scope = mem_alloc((b->n_scopes + 1ull) * sizeof *l.scope);
    attr_scratch_init(&l.row.scratch);
    enum err e = l.resource && l.scope ? ERR_OK : ERR_NOMEM;
    for (uint32_t i = 0; e == ERR_OK && i < b->n_resources; i++) l.resource[i] = SPAN_NONE;
    for (uint32_t i = 0; e == ERR_OK && i < b->n_scopes; i++) l.scope[i] = SPAN_NONE;
    for (uint32_t at = first; e == ERR_OK && at < first + n; at += SLICE_ROWS) {
        arena_reset(&s->arena);
        e = load_slice(&l, at, first + n - at < SLICE_ROWS ? first + n : at + SLICE_ROWS);
    }
    row_fini(&l.row);
    mem_free(l.resource);
    mem_free(l.scope);
    return e;
}
