// SPDX-License-Identifier: Apache-2.0
#include "span/table.h"

#include "base/pb.h"

// The index maps the hash of a trace id to its number. Slots are read while one writer adds, so
// they are atomic; when it grows, the new one is published whole and the old one stays in the arena
// for readers that hold it: they miss only traces that were not published to them.
struct span_index {
    uint32_t mask;
    _Atomic uint32_t slots[]; // trace number + 1, 0 = free
};

enum { INDEX_MIN = 256, ROWS_MAX = 1 << 28 };

void span_table_init(struct span_table *t, size_t limit_bytes, struct mem_budget *budget) {
    memset(t, 0, sizeof *t);
    arena_init(&t->arena, limit_bytes, budget);
    t->arena.pooled = true;
    dict_init(&t->names, &t->arena);
    dict_init(&t->texts, &t->arena);
    attrs_init(&t->attrs, &t->arena);
    attrs_init(&t->events.attrs, &t->arena);
    attrs_init(&t->links.attrs, &t->arena);
    map_init(&t->resource_map, RESOURCES_MAX);
    map_init(&t->scope_map, RESOURCES_MAX);
}

void span_table_fini(struct span_table *t) {
    dict_fini(&t->names);
    dict_fini(&t->texts);
    attrs_fini(&t->attrs);
    attrs_fini(&t->events.attrs);
    attrs_fini(&t->links.attrs);
    map_fini(&t->resource_map);
    map_fini(&t->scope_map);
    arena_fini(&t->arena);
}

// --- resources and scopes ----------------------------------------------------------------------

static bool entity_eq(const void *ctx, uint32_t index, const void *key) {
    const struct segvec *v = ctx;
    return str_eq(SEG_AT(v, index, struct span_entity).bytes, *(const struct str *)key);
}

static uint64_t entity_rehash(const void *ctx, uint32_t index) {
    const struct segvec *v = ctx;
    return hash_str(SEG_AT(v, index, struct span_entity).bytes);
}

static enum err entity_put(struct span_table *t, struct segvec *v, _Atomic uint32_t *n, struct map *map,
                           struct str bytes, struct str service, uint32_t *out) {
    uint64_t hash = hash_str(bytes);
    uint32_t i = *n;
    *out = map_get(map, hash, entity_eq, v, &bytes);
    if (*out != MAP_NONE) return ERR_OK;
    if (i == RESOURCES_MAX) return ERR_LIMIT;
    if (!segvec_room(v, &t->arena, i, sizeof(struct span_entity))) return ERR_NOMEM;
    struct span_entity e = { str_dup(&t->arena, bytes), str_dup(&t->arena, service) };
    if (!e.bytes.ptr || !e.service.ptr) return ERR_NOMEM;
    SEG_AT(v, i, struct span_entity) = e;
    TRY(map_put(map, hash, i, entity_rehash, v));
    *out = i;
    atomic_store_explicit(n, i + 1, memory_order_release);
    return ERR_OK;
}

enum err span_table_resource(struct span_table *t, struct str bytes, struct str service, uint32_t *out) {
    return entity_put(t, &t->resources, &t->n_resources, &t->resource_map, bytes, service, out);
}

enum err span_table_scope(struct span_table *t, struct str bytes, uint32_t *out) {
    return entity_put(t, &t->scopes, &t->n_scopes, &t->scope_map, bytes, STR(""), out);
}

// --- the index of traces -----------------------------------------------------------------------

static uint64_t id_hash(const uint8_t id[16]) {
    return hash_bytes(id, 16);
}

static uint32_t index_find(const struct span_table *t, const struct span_index *x, const uint8_t id[16],
                           uint64_t hash) {
    if (!x) return SPAN_NONE;
    for (uint32_t i = (uint32_t)hash & x->mask;; i = (i + 1) & x->mask) {
        uint32_t slot = atomic_load_explicit(&x->slots[i], memory_order_acquire);
        if (slot == 0) return SPAN_NONE;
        if (memcmp(span_trace_at(t, slot - 1)->id, id, 16) == 0) return slot - 1;
    }
}

// Asks for the slot of an id, so that it is there when the trace is put.
static void index_prefetch(const struct span_index *x, uint64_t hash) {
    if (x) mem_fetch((const void *)&x->slots[(uint32_t)hash & x->mask]);
}

static void index_place(struct span_index *x, const uint8_t id[16], uint32_t trace) {
    uint32_t i = (uint32_t)id_hash(id) & x->mask;
    while (atomic_load_explicit(&x->slots[i], memory_order_relaxed) != 0) i = (i + 1) & x->mask;
    atomic_store_explicit(&x->slots[i], trace + 1, memory_order_release);
}

static enum err index_grow(struct span_table *t) {
    struct span_index *old = t->index;
    uint32_t n = old ? (old->mask + 1) * 2 : INDEX_MIN;
    struct span_index *x = arena_zalloc(&t->arena, sizeof *x + (size_t)n * sizeof x->slots[0]);
    if (!x) return ERR_NOMEM;
    x->mask = n - 1;
    for (uint32_t i = 0; i < t->n_traces; i++) index_place(x, span_trace_at(t, i)->id, i);
    atomic_store_explicit(&t->index, x, memory_order_release);
    return ERR_OK;
}

static enum err trace_put(struct span_table *t, const uint8_t id[16], uint64_t hash, uint32_t *out) {
    *out = index_find(t, t->index, id, hash);
    if (*out != SPAN_NONE) return ERR_OK;
    uint32_t n = t->n_traces;
    if (!t->index || (n + 1) * 2ull > t->index->mask) TRY(index_grow(t));
    if (!segvec_room(&t->traces, &t->arena, n, sizeof(struct span_trace))) return ERR_NOMEM;
    struct span_trace *tr = span_trace_at(t, n);
    memcpy(tr->id, id, 16);
    tr->n_rows = 0;
    atomic_store_explicit(&tr->last_row, SPAN_NONE, memory_order_relaxed);
    index_place(t->index, id, n);
    *out = n;
    atomic_store_explicit(&t->n_traces, n + 1, memory_order_release);
    return ERR_OK;
}

uint32_t span_table_find(const struct span_table *t, uint32_t n_rows, const uint8_t id[16]) {
    uint32_t trace = index_find(t, atomic_load_explicit(&t->index, memory_order_acquire), id, id_hash(id));
    if (trace == SPAN_NONE) return SPAN_NONE;
    uint32_t row = atomic_load_explicit(&span_trace_at(t, trace)->last_row, memory_order_acquire);
    while (row != SPAN_NONE && row >= n_rows) row = span_table_prev(t, row);
    return row;
}

// --- rows --------------------------------------------------------------------------------------

static bool rows_room(struct span_table *t, uint32_t row) {
    struct arena *a = &t->arena;
    return segvec_room(&t->trace, a, row, 4) && segvec_room(&t->prev, a, row, 4) &&
           segvec_room(&t->span_id, a, row, 8) && segvec_room(&t->parent_id, a, row, 8) &&
           segvec_room(&t->start_ns, a, row, 8) && segvec_room(&t->end_ns, a, row, 8) &&
           segvec_room(&t->name, a, row, 4) && segvec_room(&t->flags, a, row, 4) &&
           segvec_room(&t->resource, a, row, 4) && segvec_room(&t->scope, a, row, 4) &&
           segvec_room(&t->kind, a, row, 1) && segvec_room(&t->status, a, row, 1);
}

static enum err sparse_add(struct span_table *t, struct span_sparse *s, uint32_t row, uint32_t value) {
    uint32_t n = s->n;
    if (!segvec_room(&s->rows, &t->arena, n, 4) || !segvec_room(&s->vals, &t->arena, n, 4)) return ERR_NOMEM;
    SEG_AT(&s->rows, n, uint32_t) = row;
    SEG_AT(&s->vals, n, uint32_t) = value;
    atomic_store_explicit(&s->n, n + 1, memory_order_release);
    return ERR_OK;
}

static enum err sparse_text(struct span_table *t, struct span_sparse *s, uint32_t row, struct str text) {
    uint32_t id;
    if (text.len == 0) return ERR_OK;
    TRY(dict_put(&t->texts, text, &id));
    return sparse_add(t, s, row, id);
}

static enum err sparse_count(struct span_table *t, struct span_sparse *s, uint32_t row, uint32_t value) {
    return value ? sparse_add(t, s, row, value) : ERR_OK;
}

// A text that no column of text may hold goes to the rest of its row.
static struct str text_or_rest(struct str s, uint32_t field, struct buf *rest) {
    if (str_is_utf8(s)) return s;
    pb_bytes(rest, field, s);
    return STR("");
}

enum err span_table_add(struct span_table *t, const struct span_in *in, struct buf *rest) {
    uint32_t row = t->n, trace, name;
    uint64_t trace_hash = id_hash(in->trace_id);
    if (row == ROWS_MAX) return ERR_LIMIT;
    if (row == segvec_seg_first(segvec_seg(row)) && !rows_room(t, row)) return ERR_NOMEM;
    index_prefetch(t->index, trace_hash);
    TRY(dict_put(&t->names, text_or_rest(in->name, REST_NAME, rest), &name));
    SEG_PUT(&t->span_id, row, uint64_t, in->span_id);
    SEG_PUT(&t->parent_id, row, uint64_t, in->parent_id);
    SEG_PUT(&t->start_ns, row, uint64_t, in->start_ns);
    SEG_PUT(&t->end_ns, row, uint64_t, in->end_ns);
    SEG_PUT(&t->name, row, uint32_t, name);
    SEG_PUT(&t->flags, row, uint32_t, in->flags);
    SEG_PUT(&t->resource, row, uint32_t, in->resource);
    SEG_PUT(&t->scope, row, uint32_t, in->scope);
    SEG_PUT(&t->kind, row, uint8_t, in->kind);
    SEG_PUT(&t->status, row, uint8_t, in->status);
    TRY(sparse_text(t, &t->status_message, row, text_or_rest(in->status_message, REST_STATUS_MESSAGE, rest)));
    TRY(sparse_text(t, &t->trace_state, row, text_or_rest(in->trace_state, REST_TRACE_STATE, rest)));
    TRY(sparse_count(t, &t->dropped_attributes, row, in->dropped_attributes));
    TRY(sparse_count(t, &t->dropped_events, row, in->dropped_events));
    TRY(sparse_count(t, &t->dropped_links, row, in->dropped_links));
    TRY(attrs_add(&t->attrs, row, in->attrs, in->n_attrs, rest));
    TRY(trace_put(t, in->trace_id, trace_hash, &trace));
    struct span_trace *tr = span_trace_at(t, trace);
    SEG_PUT(&t->trace, row, uint32_t, trace);
    SEG_PUT(&t->prev, row, uint32_t, tr->last_row);
    tr->n_rows++;
    atomic_store_explicit(&tr->last_row, row, memory_order_release);
    t->n = row + 1;
    return ERR_OK;
}

enum err span_table_add_event(struct span_table *t, const struct span_event_in *in, struct buf *rest) {
    struct span_events *e = &t->events;
    struct arena *a = &t->arena;
    uint32_t n = e->n, name;
    if (!segvec_room(&e->span, a, n, 4) || !segvec_room(&e->time_ns, a, n, 8) ||
        !segvec_room(&e->name, a, n, 4) || !segvec_room(&e->dropped, a, n, 4))
        return ERR_NOMEM;
    TRY(dict_put(&t->texts, text_or_rest(in->name, REST_NAME, rest), &name));
    SEG_AT(&e->span, n, uint32_t) = t->n - 1;
    SEG_AT(&e->time_ns, n, uint64_t) = in->time_ns;
    SEG_AT(&e->name, n, uint32_t) = name;
    SEG_AT(&e->dropped, n, uint32_t) = in->dropped;
    TRY(attrs_add(&e->attrs, n, in->attrs, in->n_attrs, rest));
    atomic_store_explicit(&e->n, n + 1, memory_order_release);
    return ERR_OK;
}

enum err span_table_add_link(struct span_table *t, const struct span_link_in *in, struct buf *rest) {
    struct span_links *l = &t->links;
    struct arena *a = &t->arena;
    uint32_t n = l->n, state;
    if (!segvec_room(&l->span, a, n, 4) || !segvec_room(&l->trace_hi, a, n, 8) ||
        !segvec_room(&l->trace_lo, a, n, 8) || !segvec_room(&l->span_id, a, n, 8) ||
        !segvec_room(&l->state, a, n, 4) || !segvec_room(&l->flags, a, n, 4) ||
        !segvec_room(&l->dropped, a, n, 4))
        return ERR_NOMEM;
    TRY(dict_put(&t->texts, text_or_rest(in->trace_state, REST_TRACE_STATE, rest), &state));
    SEG_AT(&l->span, n, uint32_t) = t->n - 1;
    memcpy(&SEG_AT(&l->trace_hi, n, uint64_t), in->trace_id, 8);
    memcpy(&SEG_AT(&l->trace_lo, n, uint64_t), in->trace_id + 8, 8);
    SEG_AT(&l->span_id, n, uint64_t) = in->span_id;
    SEG_AT(&l->state, n, uint32_t) = state;
    SEG_AT(&l->flags, n, uint32_t) = in->flags;
    SEG_AT(&l->dropped, n, uint32_t) = in->dropped;
    TRY(attrs_add(&l->attrs, n, in->attrs, in->n_attrs, rest));
    atomic_store_explicit(&l->n, n + 1, memory_order_release);
    return ERR_OK;
}

// --- reading -----------------------------------------------------------------------------------

uint32_t span_sparse_get(const struct span_sparse *s, uint32_t row, uint32_t none) {
    uint32_t n = atomic_load_explicit(&s->n, memory_order_acquire);
    uint32_t i = segvec_find_u32(&s->rows, n, row);
    return i < n && SEG_AT(&s->rows, i, uint32_t) == row ? SEG_AT(&s->vals, i, uint32_t) : none;
}

static uint32_t run_of(const struct segvec *rows, uint32_t n, uint32_t row, uint32_t *out_n) {
    uint32_t first = segvec_find_u32(rows, n, row), end = first;
    while (end < n && SEG_AT(rows, end, uint32_t) == row) end++;
    *out_n = end - first;
    return first;
}

uint32_t span_table_events(const struct span_table *t, uint32_t row, uint32_t *out_n) {
    return run_of(&t->events.span, atomic_load_explicit(&t->events.n, memory_order_acquire), row, out_n);
}

uint32_t span_table_links(const struct span_table *t, uint32_t row, uint32_t *out_n) {
    return run_of(&t->links.span, atomic_load_explicit(&t->links.n, memory_order_acquire), row, out_n);
}
