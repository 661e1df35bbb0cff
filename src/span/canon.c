// SPDX-License-Identifier: Apache-2.0
#include "span/canon.h"

#include <stdlib.h>

#include "span/wire.h"

// --- attributes, sorted --------------------------------------------------------------------------

struct item {
    struct str key;
    struct attr_value value; // or its text is the whole KeyValue:
    uint64_t start;          // of the key: eight bytes that compare as it does
    uint32_t order;
    bool is_raw;
};

struct items {
    struct item *at;
    uint32_t n, cap;
    struct arena *arena;
};

// A new item to be filled; NULL = no memory, which sticks in the arena.
static struct item *items_add(struct items *s) {
    if (s->n == s->cap) {
        uint32_t cap = s->cap ? s->cap * 2 : 32;
        struct item *more = ARENA_ARRAY(s->arena, cap, struct item);
        if (!more) return NULL;
        if (s->n) memcpy(more, s->at, s->n * sizeof *more);
        s->at = more;
        s->cap = cap;
    }
    struct item *it = &s->at[s->n];
    it->order = s->n++;
    it->is_raw = false;
    return it;
}

static void items_add_whole(struct items *s, struct str key, struct str kv) {
    struct item *it = items_add(s);
    if (!it) return;
    it->key = key;
    it->value.text = kv;
    it->is_raw = true;
}

static int by_key(const void *a, const void *b) {
    const struct item *x = a, *y = b;
    int c = str_cmp(x->key, y->key);
    return c ? c : (x->order > y->order) - (x->order < y->order);
}

static void item_write(const struct item *it, uint32_t field, struct buf *out) {
    if (it->is_raw)
        pb_bytes(out, field, it->value.text);
    else
        attr_kv_write(out, field, it->key, &it->value);
}

static uint64_t start_of(struct str key) {
    uint64_t start = 0;
    if (key.len) memcpy(&start, key.ptr, key.len < sizeof start ? key.len : sizeof start);
    return __builtin_bswap64(start);
}

static bool is_before(const struct item *a, const struct item *b) {
    return a->start != b->start ? a->start < b->start : by_key(a, b) < 0;
}

// The usual few are put in order by their numbers.
static void items_write(struct items *s, uint32_t field, struct buf *out) {
    enum { FEW = 48 };
    if (s->n > FEW) {
        qsort(s->at, s->n, sizeof *s->at, by_key);
        for (uint32_t i = 0; i < s->n; i++) item_write(&s->at[i], field, out);
        return;
    }
    uint8_t order[FEW];
    for (uint32_t i = 0; i < s->n; i++) {
        uint32_t k = i;
        s->at[i].start = start_of(s->at[i].key);
        for (; k > 0 && is_before(&s->at[i], &s->at[order[k - 1]]); k--) order[k] = order[k - 1];
        order[k] = (uint8_t)i;
    }
    for (uint32_t i = 0; i < s->n; i++) item_write(&s->at[order[i]], field, out);
}

static void items_add_raw(struct items *s, struct str kv) {
    struct str key = { NULL, 0 }, any;
    if (!attr_kv(kv, &key, &any)) {
        items_add_whole(s, key, kv);
        return;
    }
    struct item *it = items_add(s);
    if (!it) return;
    it->key = key;
    it->value = attr_value_of(any);
}

// The attributes of a row of an attribute table: its columns, then what its rest holds.
static void items_add_row(struct items *s, const struct attr_table *t, uint32_t row, struct str rest) {
    struct str shape = attrs_shape(t, row);
    for (size_t i = 0; i < shape.len; i += sizeof(uint16_t)) {
        uint16_t col;
        memcpy(&col, shape.ptr + i, sizeof col);
        const struct attr_column *c = attrs_column(t, col);
        uint32_t at = attr_column_find(c, atomic_load_explicit(&c->n, memory_order_acquire), row);
        struct item *it = items_add(s);
        if (!it) return;
        it->key = c->key;
        it->value = attr_column_value(c, at);
    }
    struct reader r = reader_of(rest);
    struct pb_field f;
    while (pb_next(&r, &f))
        if (f.number == REST_ATTRIBUTE && f.wire == PB_BYTES) items_add_raw(s, f.bytes);
}

// --- entities ------------------------------------------------------------------------------------

static void write_nonempty(struct buf *out, uint32_t field, struct str s) {
    if (s.len) pb_bytes(out, field, s);
}

static void write_nonzero(struct buf *out, uint32_t field, uint64_t v) {
    if (v) pb_varint(out, field, v);
}

// Of an attribute that comes twice the first counts, here as in questions.
static struct str service_of(const struct items *s) {
    for (uint32_t i = 0; i < s->n; i++) {
        const struct item *it = &s->at[i];
        if (it->is_raw || !str_eq(it->key, STR("service.name"))) continue;
        return it->value.type == ATTR_STRING && str_is_utf8(it->value.text) ? it->value.text : STR("");
    }
    return STR("");
}

enum err canon_resource(struct str raw, struct str schema_url, struct arena *scratch, struct buf *out,
                        struct str *service) {
    struct items attrs = { .arena = scratch }, refs = { .arena = scratch };
    struct reader r = reader_of(raw);
    struct pb_field f;
    uint32_t dropped = 0;
    while (pb_next(&r, &f)) {
        if (f.number == RESOURCE_ATTRIBUTE && f.wire == PB_BYTES) items_add_raw(&attrs, f.bytes);
        if (f.number == RESOURCE_DROPPED && f.wire == PB_VARINT) dropped = (uint32_t)f.value;
        if (f.number == RESOURCE_ENTITY && f.wire == PB_BYTES)
            items_add_whole(&refs, (struct str){ NULL, 0 }, f.bytes);
    }
    size_t mark = pb_begin(out, ENTITY_MESSAGE);
    items_write(&attrs, RESOURCE_ATTRIBUTE, out);
    write_nonzero(out, RESOURCE_DROPPED, dropped);
    items_write(&refs, RESOURCE_ENTITY, out);
    pb_end(out, mark);
    write_nonempty(out, ENTITY_SCHEMA_URL, schema_url);
    *service = service_of(&attrs);
    return scratch->failed || out->failed ? ERR_NOMEM : ERR_OK;
}

enum err canon_scope(struct str raw, struct str schema_url, struct arena *scratch, struct buf *out) {
    struct items attrs = { .arena = scratch };
    struct reader r = reader_of(raw);
    struct pb_field f;
    struct str name = STR(""), version = STR("");
    uint32_t dropped = 0;
    while (pb_next(&r, &f)) {
        if (f.number == SCOPE_NAME && f.wire == PB_BYTES) name = f.bytes;
        if (f.number == SCOPE_VERSION && f.wire == PB_BYTES) version = f.bytes;
        if (f.number == SCOPE_ATTRIBUTE && f.wire == PB_BYTES) items_add_raw(&attrs, f.bytes);
        if (f.number == SCOPE_DROPPED && f.wire == PB_VARINT) dropped = (uint32_t)f.value;
    }
    size_t mark = pb_begin(out, ENTITY_MESSAGE);
    write_nonempty(out, SCOPE_NAME, name);
    write_nonempty(out, SCOPE_VERSION, version);
    items_write(&attrs, SCOPE_ATTRIBUTE, out);
    write_nonzero(out, SCOPE_DROPPED, dropped);
    pb_end(out, mark);
    write_nonempty(out, ENTITY_SCHEMA_URL, schema_url);
    return scratch->failed || out->failed ? ERR_NOMEM : ERR_OK;
}

void canon_entity_split(struct str entity, struct str *message, struct str *schema_url) {
    struct reader r = reader_of(entity);
    struct pb_field f;
    *message = *schema_url = STR("");
    while (pb_next(&r, &f)) {
        if (f.wire != PB_BYTES) continue;
        if (f.number == ENTITY_MESSAGE) *message = f.bytes;
        if (f.number == ENTITY_SCHEMA_URL) *schema_url = f.bytes;
    }
}

// --- spans ---------------------------------------------------------------------------------------

// A field of the row that its rest holds, or the one of its column.
static struct pb_field rest_or(struct str rest, uint32_t field, struct pb_field column) {
    if (rest.len == 0) return column;
    struct reader r = reader_of(rest);
    struct pb_field f;
    while (pb_next(&r, &f))
        if (f.number == field) return f;
    return column;
}

static struct str rest_text(struct str rest, uint32_t field, struct str column) {
    if (rest.len == 0) return column;
    return rest_or(rest, field, (struct pb_field){ .bytes = column }).bytes;
}

static struct str text_of(const struct span_table *t, const struct span_sparse *s, uint32_t row) {
    uint32_t id = span_sparse_get(s, row, SPAN_NONE);
    return id == SPAN_NONE ? STR("") : dict_get(&t->texts, id);
}

static void write_event(const struct span_table *t, uint32_t i, struct arena *scratch, struct buf *out) {
    const struct span_events *e = &t->events;
    struct items attrs = { .arena = scratch };
    struct str rest = attrs_rest(&e->attrs, i);
    uint64_t time_ns = SEG_AT(&e->time_ns, i, uint64_t);
    size_t mark = pb_begin(out, SPAN_EVENT);
    if (time_ns) pb_fixed64(out, EVENT_TIME, time_ns);
    write_nonempty(out, EVENT_NAME,
                   rest_text(rest, REST_NAME, dict_get(&t->texts, SEG_AT(&e->name, i, uint32_t))));
    items_add_row(&attrs, &e->attrs, i, rest);
    items_write(&attrs, EVENT_ATTRIBUTE, out);
    write_nonzero(out, EVENT_DROPPED, SEG_AT(&e->dropped, i, uint32_t));
    pb_end(out, mark);
}

static void write_link(const struct span_table *t, uint32_t i, struct arena *scratch, struct buf *out) {
    static const char zeros[16];
    const struct span_links *l = &t->links;
    struct items attrs = { .arena = scratch };
    struct str rest = attrs_rest(&l->attrs, i);
    char trace_id[16], span_id[8];
    memcpy(trace_id, &SEG_AT(&l->trace_hi, i, uint64_t), 8);
    memcpy(trace_id + 8, &SEG_AT(&l->trace_lo, i, uint64_t), 8);
    memcpy(span_id, &SEG_AT(&l->span_id, i, uint64_t), 8);
    struct str trace = { trace_id, memcmp(trace_id, zeros, 16) ? 16 : 0 };
    struct str span = { span_id, memcmp(span_id, zeros, 8) ? 8 : 0 };
    struct str state = dict_get(&t->texts, SEG_AT(&l->state, i, uint32_t));
    uint32_t flags = SEG_AT(&l->flags, i, uint32_t);
    size_t mark = pb_begin(out, SPAN_LINK);
    write_nonempty(out, LINK_TRACE_ID, rest_text(rest, REST_TRACE_ID, trace));
    write_nonempty(out, LINK_SPAN_ID, rest_text(rest, REST_SPAN_ID, span));
    write_nonempty(out, LINK_TRACE_STATE, rest_text(rest, REST_TRACE_STATE, state));
    items_add_row(&attrs, &l->attrs, i, rest);
    items_write(&attrs, LINK_ATTRIBUTE, out);
    write_nonzero(out, LINK_DROPPED, SEG_AT(&l->dropped, i, uint32_t));
    if (flags) pb_fixed32(out, LINK_FLAGS, flags);
    pb_end(out, mark);
}

static void write_status(const struct span_table *t, uint32_t row, struct str rest, struct buf *out) {
    struct str message = rest_text(rest, REST_STATUS_MESSAGE, text_of(t, &t->status_message, row));
    uint64_t code =
        rest_or(rest, REST_STATUS_CODE, (struct pb_field){ .value = SEG_AT(&t->status, row, uint8_t) }).value;
    if (!message.len && !code) return;
    size_t mark = pb_begin(out, SPAN_STATUS);
    write_nonempty(out, STATUS_MESSAGE, message);
    write_nonzero(out, STATUS_CODE, code);
    pb_end(out, mark);
}

enum err canon_span(const struct span_table *t, uint32_t row, struct arena *scratch, struct buf *out) {
    struct str rest = attrs_rest(&t->attrs, row);
    struct items attrs = { .arena = scratch };
    uint64_t span_id = SEG_AT(&t->span_id, row, uint64_t), parent = SEG_AT(&t->parent_id, row, uint64_t);
    uint64_t start = SEG_AT(&t->start_ns, row, uint64_t), end = SEG_AT(&t->end_ns, row, uint64_t);
    uint32_t flags = SEG_AT(&t->flags, row, uint32_t), n, first;
    pb_bytes(out, SPAN_TRACE_ID, (struct str){ (const char *)span_trace_id(t, row), 16 });
    pb_bytes(out, SPAN_SPAN_ID, (struct str){ (const char *)&span_id, 8 });
    write_nonempty(out, SPAN_TRACE_STATE,
                   rest_text(rest, REST_TRACE_STATE, text_of(t, &t->trace_state, row)));
    write_nonempty(out, SPAN_PARENT_ID,
                   rest_text(rest, REST_PARENT_ID, (struct str){ (const char *)&parent, parent ? 8 : 0 }));
    write_nonempty(out, SPAN_NAME, rest_text(rest, REST_NAME, span_name(t, row)));
    write_nonzero(
        out, SPAN_KIND,
        rest_or(rest, REST_KIND, (struct pb_field){ .value = SEG_AT(&t->kind, row, uint8_t) }).value);
    if (start) pb_fixed64(out, SPAN_START, start);
    if (end) pb_fixed64(out, SPAN_END, end);
    items_add_row(&attrs, &t->attrs, row, rest);
    items_write(&attrs, SPAN_ATTRIBUTE, out);
    write_nonzero(out, SPAN_DROPPED_ATTRIBUTES, span_sparse_get(&t->dropped_attributes, row, 0));
    first = span_table_events(t, row, &n);
    for (uint32_t i = 0; i < n; i++) write_event(t, first + i, scratch, out);
    write_nonzero(out, SPAN_DROPPED_EVENTS, span_sparse_get(&t->dropped_events, row, 0));
    first = span_table_links(t, row, &n);
    for (uint32_t i = 0; i < n; i++) write_link(t, first + i, scratch, out);
    write_nonzero(out, SPAN_DROPPED_LINKS, span_sparse_get(&t->dropped_links, row, 0));
    write_status(t, row, rest, out);
    if (flags) pb_fixed32(out, SPAN_FLAGS, flags);
    return scratch->failed || out->failed ? ERR_NOMEM : ERR_OK;
}
