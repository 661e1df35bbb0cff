// SPDX-License-Identifier: Apache-2.0
#include "block/load_internal.h"

#include "block/cache.h"
#include "block/columns.h"

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

enum err load_events(struct loader *l, uint32_t from, uint32_t to, struct event_rows *e) {
    struct in_file *f = &l->b->events;
    struct pq_vector v;
    uint32_t a, z;
    *e = (struct event_rows){ 0 };
    if (!load_wants_scope(l->wanted, FIELD_EVENT)) return ERR_OK;
    TRY(find_children(l, f, from, to, &a, &z, &e->span));
    e->n = z - a;
    if (e->n == 0) return ERR_OK;
    TRY(load_read(l, f, EC_OFFSET, a, z, &v));
    TRY(vector_i64(&v, &l->s->arena, &e->offset));
    TRY(load_read(l, f, EC_NAME, a, z, &v));
    TRY(vector_strs(&v, &l->s->arena, &e->name));
    TRY(load_read(l, f, EC_DROPPED, a, z, &v));
    TRY(vector_i32(&v, &l->s->arena, &e->dropped));
    TRY(load_walk(l, f, EC_REST, a, z, &e->rest));
    return load_attrs(l, f, l->b->event_attrs, l->b->n_event_attrs, FIELD_EVENT, a, z, &l->dst->events.attrs,
                      &e->attrs);
}

enum err load_add_events(struct loader *l, struct event_rows *e, uint32_t row, uint64_t start_ns) {
    while (e->at < e->n && (uint32_t)e->span[e->at] < row) e->at++; // of rows that are not loaded
    for (; e->at < e->n && (uint32_t)e->span[e->at] == row; e->at++) {
        TRY(load_row_attrs(l, &l->dst->events.attrs, &e->attrs, &e->rest, e->at));
        struct span_event_in in = { .time_ns = start_ns + (uint64_t)e->offset[e->at],
                                    .name = e->name[e->at],
                                    .dropped = (uint32_t)e->dropped[e->at],
                                    .attrs = l->row.in,
                                    .n_attrs = l->row.n };
        TRY(span_table_add_event(l->dst, &in, &l->row.rest));
    }
    return ERR_OK;
}

enum err load_links(struct loader *l, uint32_t from, uint32_t to, struct link_rows *k) {
    struct in_file *f = &l->b->links;
    struct pq_vector v;
    uint32_t a, z;
    *k = (struct link_rows){ 0 };
    if (!load_wants_scope(l->wanted, FIELD_LINK)) return ERR_OK;
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
    TRY(load_walk(l, f, LC_REST, a, z, &k->rest));
    return load_attrs(l, f, l->b->link_attrs, l->b->n_link_attrs, FIELD_LINK, a, z, &l->dst->links.attrs,
                      &k->attrs);
}

enum err load_add_links(struct loader *l, struct link_rows *k, uint32_t row) {
    while (k->at < k->n && (uint32_t)k->span[k->at] < row) k->at++;
    for (; k->at < k->n && (uint32_t)k->span[k->at] == row; k->at++) {
        TRY(load_row_attrs(l, &l->dst->links.attrs, &k->attrs, &k->rest, k->at));
        struct span_link_in in = { .trace_state = k->state[k->at],
                                   .flags = (uint32_t)k->flags[k->at],
                                   .dropped = (uint32_t)k->dropped[k->at],
                                   .attrs = l->row.in,
                                   .n_attrs = l->row.n };
        memcpy(in.trace_id, k->trace_id + 16ull * k->at, 16);
        memcpy(&in.span_id, k->span_id + 8ull * k->at, 8);
        TRY(span_table_add_link(l->dst, &in, &l->row.rest));
    }
    return ERR_OK;
}
