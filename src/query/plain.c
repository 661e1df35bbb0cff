// SPDX-License-Identifier: Apache-2.0
// From canonical bytes to plain structs, and what follows from the tree of a trace.
#include "query/plain.h"

#include "span/canon.h"
#include "span/wire.h"

void *plain_alloc(struct arena *a, size_t n, size_t size) {
    void *p = arena_array(a, n ? n : 1, size);
    ASSERT(p != NULL);
    return memset(p, 0, (n ? n : 1) * size);
}

static uint32_t count_of(struct str message, uint32_t number) {
    struct reader r = reader_of(message);
    struct pb_field f;
    uint32_t n = 0;
    while (pb_next(&r, &f)) n += f.number == number;
    return n;
}

// --- decoding ------------------------------------------------------------------------------------

static struct value any_of(struct str any) {
    struct reader r = reader_of(any);
    struct pb_field f;
    struct value v = { .type = VALUE_ANY, .s = any };
    while (pb_next(&r, &f)) switch (f.number) {
        case ANY_STRING: v = VALUE_OF_STR(f.bytes); break;
        case ANY_BOOL: v = VALUE_OF_BOOL(f.value); break;
        case ANY_INT: v = VALUE_OF_INT(pb_int64(&f)); break;
        case ANY_DOUBLE: v = VALUE_OF_FLOAT(pb_double(&f)); break;
        default: v = (struct value){ .type = VALUE_ANY, .s = any };
        }
    return v;
}

static struct plain_attr attr_of(struct str kv) {
    struct reader r = reader_of(kv);
    struct pb_field f;
    struct plain_attr a = { .value = { .type = VALUE_ANY, .s = STR("") } };
    while (pb_next(&r, &f)) {
        if (f.number == KV_KEY) a.key = f.bytes;
        if (f.number == KV_VALUE) a.value = any_of(f.bytes);
    }
    return a;
}

static struct plain_attrs attrs_of(struct arena *a, struct str message, uint32_t number) {
    struct plain_attrs out = { .at = PLAIN_NEW(a, count_of(message, number), struct plain_attr) };
    struct reader r = reader_of(message);
    struct pb_field f;
    while (pb_next(&r, &f))
        if (f.number == number) out.at[out.n++] = attr_of(f.bytes);
    return out;
}

static struct plain_event event_of(struct arena *a, struct str message) {
    struct reader r = reader_of(message);
    struct pb_field f;
    struct plain_event e = { .attrs = attrs_of(a, message, EVENT_ATTRIBUTE) };
    while (pb_next(&r, &f)) {
        if (f.number == EVENT_TIME) e.time_ns = f.value;
        if (f.number == EVENT_NAME) e.name = f.bytes;
    }
    return e;
}

static struct plain_link link_of(struct arena *a, struct str message) {
    struct reader r = reader_of(message);
    struct pb_field f;
    struct plain_link l = { .attrs = attrs_of(a, message, LINK_ATTRIBUTE) };
    while (pb_next(&r, &f)) {
        if (f.number == LINK_TRACE_ID) l.trace_id = f.bytes;
        if (f.number == LINK_SPAN_ID) l.span_id = f.bytes;
    }
    return l;
}

static void take_status(struct plain_span *s, struct str message) {
    struct reader r = reader_of(message);
    struct pb_field f;
    while (pb_next(&r, &f)) {
        if (f.number == STATUS_MESSAGE) s->status_message = f.bytes;
        if (f.number == STATUS_CODE) s->status = (int32_t)f.value;
    }
}

static void take_field(struct arena *a, struct plain_span *s, const struct pb_field *f) {
    switch (f->number) {
    case SPAN_TRACE_ID: memcpy(s->trace, f->bytes.ptr, 16); break;
    case SPAN_SPAN_ID: memcpy(s->id, f->bytes.ptr, 8); break;
    case SPAN_PARENT_ID: s->parent_id = f->bytes; break;
    case SPAN_NAME: s->name = f->bytes; break;
    case SPAN_TRACE_STATE: s->trace_state = f->bytes; break;
    case SPAN_KIND: s->kind = (int32_t)f->value; break;
    case SPAN_START: s->start_ns = f->value; break;
    case SPAN_END: s->end_ns = f->value; break;
    case SPAN_EVENT: s->events[s->n_events++] = event_of(a, f->bytes); break;
    case SPAN_LINK: s->links[s->n_links++] = link_of(a, f->bytes); break;
    case SPAN_STATUS: take_status(s, f->bytes); break;
    default: break;
    }
}

static void take_entities(struct arena *a, struct plain_span *s, const struct model_span *m) {
    struct str resource, scope, schema;
    struct pb_field f;
    canon_entity_split(m->resource, &resource, &schema);
    canon_entity_split(m->scope, &scope, &schema);
    s->resource = attrs_of(a, resource, RESOURCE_ATTRIBUTE);
    s->scope = attrs_of(a, scope, SCOPE_ATTRIBUTE);
    s->service = m->service;
    struct reader r = reader_of(scope);
    while (pb_next(&r, &f)) {
        if (f.number == SCOPE_NAME) s->scope_name = f.bytes;
        if (f.number == SCOPE_VERSION) s->scope_version = f.bytes;
    }
}

static struct plain_span span_of(struct arena *a, const struct model_span *m) {
    struct plain_span s = { .events = PLAIN_NEW(a, count_of(m->span, SPAN_EVENT), struct plain_event),
                            .links = PLAIN_NEW(a, count_of(m->span, SPAN_LINK), struct plain_link),
                            .attrs = attrs_of(a, m->span, SPAN_ATTRIBUTE),
                            .parent = SPAN_NONE };
    struct reader r = reader_of(m->span);
    struct pb_field f;
    while (pb_next(&r, &f)) take_field(a, &s, &f);
    take_entities(a, &s, m);
    s.duration_ns = s.end_ns > s.start_ns ? s.end_ns - s.start_ns : 0;
    return s;
}

// --- the tree ------------------------------------------------------------------------------------

static uint64_t last_moment(const struct plain_span *s) {
    return s->start_ns + s->duration_ns;
}

// Of several spans with the id: the one that ends last as it was sent, of those the last in order.
static uint32_t find_parent(const struct plain_data *d, const struct plain_trace *t, struct str id) {
    uint32_t best = SPAN_NONE;
    for (uint32_t i = t->first; i < t->first + t->n; i++) {
        if (!str_eq(id, (struct str){ (const char *)d->spans[i].id, 8 })) continue;
        if (best == SPAN_NONE || d->spans[i].end_ns >= d->spans[best].end_ns) best = i;
    }
    return best;
}

// Whether the way up from a span comes back to it.
static bool is_its_own_ancestor(const struct plain_data *d, const struct plain_trace *t, uint32_t at) {
    uint32_t steps = 0, up = d->spans[at].parent;
    for (; up != SPAN_NONE && up != at && steps < t->n; steps++) up = d->spans[up].parent;
    return up == at;
}

// Spans that go round in a circle hang on nothing.
static void cut_circles(struct plain_data *d, const struct plain_trace *t) {
    bool *cut = PLAIN_NEW(&d->arena, t->n, bool);
    for (uint32_t i = 0; i < t->n; i++) cut[i] = is_its_own_ancestor(d, t, t->first + i);
    for (uint32_t i = 0; i < t->n; i++)
        if (cut[i]) d->spans[t->first + i].parent = SPAN_NONE;
}

// Depth first from a span, numbering on the way in and out.
static void number(struct plain_data *d, const struct plain_trace *t, uint32_t at, int64_t above,
                   int64_t *counter) {
    struct plain_span *s = &d->spans[at];
    s->nested_parent = above;
    s->nested_left = ++*counter;
    for (uint32_t i = t->first; i < t->first + t->n; i++)
        if (d->spans[i].parent == at) number(d, t, i, s->nested_left, counter);
    s->nested_right = ++*counter;
}

static void link_trace(struct plain_data *d, struct plain_trace *t) {
    int64_t counter = 0;
    t->start_ns = UINT64_MAX;
    t->root = SPAN_NONE;
    for (uint32_t i = t->first; i < t->first + t->n; i++) {
        struct plain_span *s = &d->spans[i];
        if (s->start_ns < t->start_ns) t->start_ns = s->start_ns;
        if (last_moment(s) > t->end_ns) t->end_ns = last_moment(s);
        if (s->parent_id.len == 0 && t->root == SPAN_NONE) t->root = i;
        if (s->parent_id.len > 0) s->parent = find_parent(d, t, s->parent_id);
    }
    cut_circles(d, t);
    for (uint32_t i = t->first; i < t->first + t->n; i++)
        if (d->spans[i].parent != SPAN_NONE) d->spans[d->spans[i].parent].children++;
    for (uint32_t i = t->first; i < t->first + t->n; i++)
        if (d->spans[i].parent_id.len == 0) number(d, t, i, -1, &counter);
}

void plain_init(struct plain_data *d, struct model *m) {
    *d = (struct plain_data){ .n_spans = m->n };
    model_sort(m);
    arena_init(&d->arena, SIZE_MAX, NULL);
    d->n_spans = m->n;
    d->spans = PLAIN_NEW(&d->arena, m->n, struct plain_span);
    d->traces = PLAIN_NEW(&d->arena, m->n, struct plain_trace);
    for (uint32_t i = 0; i < m->n; i++) {
        d->spans[i] = span_of(&d->arena, &m->at[i]);
        if (i == 0 || memcmp(d->spans[i].trace, d->spans[i - 1].trace, 16) != 0)
            d->traces[d->n_traces++] = (struct plain_trace){ .first = i };
        d->traces[d->n_traces - 1].n++;
    }
    for (uint32_t i = 0; i < d->n_traces; i++) link_trace(d, &d->traces[i]);
}

void plain_fini(struct plain_data *d) {
    arena_fini(&d->arena);
}
