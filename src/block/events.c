// SPDX-License-Identifier: Apache-2.0
// events.parquet and links.parquet: flat tables whose row groups match those of the spans. A row
// names its span by the span's row within the row group.
#include "block/build.h"

#include <stdlib.h>

struct item { // an event or link of the row group
    uint32_t span, index;
};

static int by_span(const void *x, const void *y) {
    const struct item *a = x, *b = y;
    if (a->span != b->span) return a->span < b->span ? -1 : 1;
    return (a->index > b->index) - (a->index < b->index);
}

// Those whose spans are in the row group, in the order of the spans; place[index] = position.
static enum err pick(struct arena *a, const struct group *g, const struct segvec *span, uint32_t n,
                     struct item **out, uint32_t *out_n, uint32_t **out_place) {
    struct item *items = ARENA_ARRAY(a, n + 1ull, struct item);
    uint32_t *place = ARENA_ARRAY(a, n + 1ull, uint32_t), found = 0;
    if (!items || !place) return ERR_NOMEM;
    for (uint32_t i = 0; i < n; i++) {
        uint32_t p = g->place[SEG_AT(span, i, uint32_t)];
        place[i] = SPAN_NONE;
        if (p < g->n) items[found++] = (struct item){ p, i };
    }
    if (found > 1) qsort(items, found, sizeof *items, by_span);
    for (uint32_t i = 0; i < found; i++) place[items[i].index] = i;
    place[n] = SPAN_NONE; // one that a failure left unfinished may have attributes
    *out = items;
    *out_n = found;
    *out_place = place;
    return ERR_OK;
}

static enum err write_rows(struct out_file *f, size_t column, struct arena *a, const struct item *items,
                           uint32_t n) {
    int32_t *rows = ARENA_ARRAY(a, n + 1ull, int32_t);
    if (!rows) return ERR_NOMEM;
    for (uint32_t i = 0; i < n; i++) rows[i] = (int32_t)items[i].span;
    return pq_column_write(f->pq, column, &(struct pq_values){ .n_values = n, .i32 = rows });
}

static enum err write_u32(struct out_file *f, size_t column, struct arena *a, const struct item *items,
                          uint32_t n, const struct segvec *v) {
    int32_t *out = ARENA_ARRAY(a, n + 1ull, int32_t);
    if (!out) return ERR_NOMEM;
    for (uint32_t i = 0; i < n; i++) out[i] = (int32_t)SEG_AT(v, items[i].index, uint32_t);
    return pq_column_write(f->pq, column, &(struct pq_values){ .n_values = n, .i32 = out });
}

static enum err write_text(struct build *b, struct out_file *f, size_t column, const struct item *items,
                           uint32_t n, const struct segvec *ids) {
    struct str *out = ARENA_ARRAY(&b->group_arena, n + 1ull, struct str);
    if (!out) return ERR_NOMEM;
    for (uint32_t i = 0; i < n; i++) out[i] = dict_get(&b->t->texts, SEG_AT(ids, items[i].index, uint32_t));
    return pq_column_write(f->pq, column, &(struct pq_values){ .n_values = n, .strs = out });
}

static enum err write_attributes(struct build *b, struct out_file *f, size_t rest_column, uint32_t *place,
                                 uint32_t n, const struct attr_table *t, const struct column_choice *choice) {
    struct gather ga;
    struct pq_values rest;
    struct rest_keys keys;
    TRY(gather_init(&ga, place, n, &b->group_arena));
    rest_keys_init(&keys, &b->group_arena);
    TRY(gather_rest(&ga, t, choice, &b->rest, &keys, &rest));
    TRY(rest_keys_write(&keys, f->pq, (uint32_t)b->marks.len));
    TRY(pq_column_write(f->pq, rest_column, &rest));
    return build_attrs(b, f, rest_column + 1, &ga, t, choice);
}

enum err events_open(struct build *b) {
    struct pq_column_opts o[EC_COUNT] = {
        [EC_ROW] = { .encoding = PQ_ENC_DELTA, .codec = PQ_CODEC_NONE },
    };
    return build_open(b, &b->events, FILE_EVENTS, o, &b->event_attrs);
}

enum err events_group(struct build *b, const struct group *g) {
    const struct span_events *e = &b->t->events;
    struct arena *a = &b->group_arena;
    struct item *items;
    uint32_t n, *place;
    TRY(pick(a, g, &e->span, e->n, &items, &n, &place));
    int64_t *offset = ARENA_ARRAY(a, n + 1ull, int64_t);
    if (!offset) return ERR_NOMEM;
    for (uint32_t i = 0; i < n; i++) // from the start of its span; wraps, so that any time comes back
        offset[i] = (int64_t)(SEG_AT(&e->time_ns, items[i].index, uint64_t) -
                              SEG_AT(&b->t->start_ns, g->rows[items[i].span], uint64_t));
    TRY(pq_row_group_begin(b->events.pq, n, NULL, 0));
    TRY(write_rows(&b->events, EC_ROW, a, items, n));
    TRY(pq_column_write(b->events.pq, EC_OFFSET, &(struct pq_values){ .n_values = n, .i64 = offset }));
    TRY(write_text(b, &b->events, EC_NAME, items, n, &e->name));
    TRY(write_u32(&b->events, EC_DROPPED, a, items, n, &e->dropped));
    TRY(write_attributes(b, &b->events, EC_REST, place, n, &e->attrs, &b->event_attrs));
    return pq_row_group_end(b->events.pq);
}

enum err links_open(struct build *b) {
    struct pq_column_opts o[LC_COUNT] = {
        [LC_ROW] = { .encoding = PQ_ENC_DELTA, .codec = PQ_CODEC_NONE },
        [LC_SPAN_ID] = { .encoding = PQ_ENC_PLAIN, .codec = PQ_CODEC_NONE, .no_min_max = true },
    };
    return build_open(b, &b->links, FILE_LINKS, o, &b->link_attrs);
}

enum err links_group(struct build *b, const struct group *g) {
    const struct span_links *l = &b->t->links;
    struct arena *a = &b->group_arena;
    struct item *items;
    uint32_t n, *place;
    TRY(pick(a, g, &l->span, l->n, &items, &n, &place));
    uint8_t *traces = ARENA_ARRAY(a, n * 16ull + 1, uint8_t), *spans = ARENA_ARRAY(a, n * 8ull + 1, uint8_t);
    if (!traces || !spans) return ERR_NOMEM;
    for (uint32_t i = 0; i < n; i++) {
        memcpy(traces + i * 16ull, &SEG_AT(&l->trace_hi, items[i].index, uint64_t), 8);
        memcpy(traces + i * 16ull + 8, &SEG_AT(&l->trace_lo, items[i].index, uint64_t), 8);
        memcpy(spans + i * 8ull, &SEG_AT(&l->span_id, items[i].index, uint64_t), 8);
    }
    TRY(pq_row_group_begin(b->links.pq, n, NULL, 0));
    TRY(write_rows(&b->links, LC_ROW, a, items, n));
    TRY(pq_column_write(b->links.pq, LC_TRACE_ID, &(struct pq_values){ .n_values = n, .fixed = traces }));
    TRY(pq_column_write(b->links.pq, LC_SPAN_ID, &(struct pq_values){ .n_values = n, .fixed = spans }));
    TRY(write_text(b, &b->links, LC_TRACE_STATE, items, n, &l->state));
    TRY(write_u32(&b->links, LC_FLAGS, a, items, n, &l->flags));
    TRY(write_u32(&b->links, LC_DROPPED, a, items, n, &l->dropped));
    TRY(write_attributes(b, &b->links, LC_REST, place, n, &l->attrs, &b->link_attrs));
    return pq_row_group_end(b->links.pq);
}
