// SPDX-License-Identifier: Apache-2.0
#include "span/copy.h"

#include "base/pb.h"

struct column_map {        // columns of a source's attribute table -> keys of the destination's
    struct attr_key **key; // NULL = not yet
    uint32_t n;
};

struct span_copier {
    const struct span_table *src;
    struct span_table *dst;
    struct arena arena;
    uint32_t *resource, *scope; // of the source -> of the destination, SPAN_NONE = not yet
    uint32_t n_resources, n_scopes;
    struct column_map attrs, events, links;
    struct attr_scratch scratch;
};

static uint32_t *none_array(struct arena *a, uint32_t n) {
    uint32_t *p = ARENA_ARRAY(a, n + 1ull, uint32_t);
    for (uint32_t i = 0; p && i < n; i++) p[i] = SPAN_NONE;
    return p;
}

static struct column_map map_new(struct arena *a, const struct attr_table *t) {
    uint32_t n = atomic_load_explicit(&t->n_columns, memory_order_acquire);
    return (struct column_map){ arena_zalloc(a, (n + 1ull) * sizeof(struct attr_key *)), n };
}

enum err span_copier_new(const struct span_table *src, struct span_table *dst, struct span_copier **out) {
    struct span_copier *c = mem_zalloc(sizeof *c);
    if (!c) return ERR_NOMEM;
    c->src = src;
    c->dst = dst;
    arena_init(&c->arena, SIZE_MAX, NULL);
    attr_scratch_init(&c->scratch);
    c->n_resources = atomic_load_explicit(&src->n_resources, memory_order_acquire);
    c->n_scopes = atomic_load_explicit(&src->n_scopes, memory_order_acquire);
    c->resource = none_array(&c->arena, c->n_resources);
    c->scope = none_array(&c->arena, c->n_scopes);
    c->attrs = map_new(&c->arena, &src->attrs);
    c->events = map_new(&c->arena, &src->events.attrs);
    c->links = map_new(&c->arena, &src->links.attrs);
    *out = c;
    if (!c->arena.failed) return ERR_OK;
    span_copier_free(c);
    return ERR_NOMEM;
}

void span_copier_free(struct span_copier *c) {
    if (!c) return;
    arena_fini(&c->arena);
    attr_scratch_fini(&c->scratch);
    mem_free(c);
}

// Attributes that did not fit a column there may fit one here; fields of the row stay rest.
static enum err copy_rest(struct span_copier *c, struct str rest, struct attr_table *to) {
    struct reader r = reader_of(rest);
    struct pb_field f;
    for (const uint8_t *from = r.pos; pb_next(&r, &f); from = r.pos) {
        if (f.number == REST_ATTRIBUTE && f.wire == PB_BYTES)
            TRY(attrs_collect(to, f.bytes, &c->scratch));
        else
            buf_add(&c->scratch.rest, from, (size_t)(r.pos - from));
    }
    return ERR_OK;
}

// Collects the attributes of a row into c->scratch.
static enum err copy_attrs(struct span_copier *c, const struct attr_table *from, struct column_map *map,
                           uint32_t row, struct attr_table *to) {
    struct str shape = attrs_shape(from, row), rest = attrs_rest(from, row);
    attrs_begin(to, &c->scratch);
    for (size_t i = 0; i < shape.len; i += sizeof(uint16_t)) {
        uint16_t col;
        memcpy(&col, shape.ptr + i, sizeof col);
        const struct attr_column *column = attrs_column(from, col);
        uint32_t n = atomic_load_explicit(&column->n, memory_order_acquire);
        struct attr_in in = { .key = col < map->n ? map->key[col] : NULL };
        if (!in.key) TRY(attrs_key(to, column->key, &in.key));
        if (col < map->n) map->key[col] = in.key;
        in.value = attr_column_value(column, attr_column_find(column, n, row));
        TRY(attr_scratch_add(&c->scratch, in));
    }
    return rest.len ? copy_rest(c, rest, to) : ERR_OK;
}

// A resource that came after the copier was made is looked up each time.
static enum err copy_entity(struct span_copier *c, bool is_resource, uint32_t i, uint32_t *out) {
    uint32_t *map = is_resource ? c->resource : c->scope, n = is_resource ? c->n_resources : c->n_scopes;
    if (i < n && map[i] != SPAN_NONE) {
        *out = map[i];
        return ERR_OK;
    }
    const struct span_entity *e = is_resource ? span_resource_at(c->src, i) : span_scope_at(c->src, i);
    if (is_resource)
        TRY(span_table_resource(c->dst, e->bytes, e->service, out));
    else
        TRY(span_table_scope(c->dst, e->bytes, out));
    if (i < n) map[i] = *out;
    return ERR_OK;
}

static enum err copy_events(struct span_copier *c, uint32_t row) {
    const struct span_events *e = &c->src->events;
    uint32_t n, first = span_table_events(c->src, row, &n);
    for (uint32_t i = first; i < first + n; i++) {
        TRY(copy_attrs(c, &e->attrs, &c->events, i, &c->dst->events.attrs));
        struct span_event_in in = { .time_ns = SEG_AT(&e->time_ns, i, uint64_t),
                                    .name = dict_get(&c->src->texts, SEG_AT(&e->name, i, uint32_t)),
                                    .dropped = SEG_AT(&e->dropped, i, uint32_t),
                                    .attrs = c->scratch.in,
                                    .n_attrs = c->scratch.n };
        TRY(span_table_add_event(c->dst, &in, &c->scratch.rest));
    }
    return ERR_OK;
}

static enum err copy_links(struct span_copier *c, uint32_t row) {
    const struct span_links *l = &c->src->links;
    uint32_t n, first = span_table_links(c->src, row, &n);
    for (uint32_t i = first; i < first + n; i++) {
        TRY(copy_attrs(c, &l->attrs, &c->links, i, &c->dst->links.attrs));
        struct span_link_in in = { .span_id = SEG_AT(&l->span_id, i, uint64_t),
                                   .trace_state = dict_get(&c->src->texts, SEG_AT(&l->state, i, uint32_t)),
                                   .flags = SEG_AT(&l->flags, i, uint32_t),
                                   .dropped = SEG_AT(&l->dropped, i, uint32_t),
                                   .attrs = c->scratch.in,
                                   .n_attrs = c->scratch.n };
        memcpy(in.trace_id, &SEG_AT(&l->trace_hi, i, uint64_t), 8);
        memcpy(in.trace_id + 8, &SEG_AT(&l->trace_lo, i, uint64_t), 8);
        TRY(span_table_add_link(c->dst, &in, &c->scratch.rest));
    }
    return ERR_OK;
}

static struct str sparse_text(const struct span_table *t, const struct span_sparse *s, uint32_t row) {
    uint32_t id = span_sparse_get(s, row, SPAN_NONE);
    return id == SPAN_NONE ? STR("") : dict_get(&t->texts, id);
}

enum err span_copy(struct span_copier *c, uint32_t row) {
    const struct span_table *s = c->src;
    struct span_in in = { .trace_id = span_trace_id(s, row),
                          .span_id = SEG_AT(&s->span_id, row, uint64_t),
                          .parent_id = SEG_AT(&s->parent_id, row, uint64_t),
                          .start_ns = SEG_AT(&s->start_ns, row, uint64_t),
                          .end_ns = SEG_AT(&s->end_ns, row, uint64_t),
                          .name = span_name(s, row),
                          .trace_state = sparse_text(s, &s->trace_state, row),
                          .status_message = sparse_text(s, &s->status_message, row),
                          .flags = SEG_AT(&s->flags, row, uint32_t),
                          .dropped_attributes = span_sparse_get(&s->dropped_attributes, row, 0),
                          .dropped_events = span_sparse_get(&s->dropped_events, row, 0),
                          .dropped_links = span_sparse_get(&s->dropped_links, row, 0),
                          .kind = SEG_AT(&s->kind, row, uint8_t),
                          .status = SEG_AT(&s->status, row, uint8_t) };
    TRY(copy_entity(c, true, SEG_AT(&s->resource, row, uint32_t), &in.resource));
    TRY(copy_entity(c, false, SEG_AT(&s->scope, row, uint32_t), &in.scope));
    TRY(copy_attrs(c, &s->attrs, &c->attrs, row, &c->dst->attrs));
    in.attrs = c->scratch.in;
    in.n_attrs = c->scratch.n;
    TRY(span_table_add(c->dst, &in, &c->scratch.rest));
    TRY(copy_events(c, row));
    return copy_links(c, row);
}
