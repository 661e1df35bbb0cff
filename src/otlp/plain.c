// SPDX-License-Identifier: Apache-2.0
// Numbers of fields are written out here on purpose: a mistake in the tables of otlp/schema.c must
// not be repeated by what is meant to find it.
#include "otlp/plain.h"

#include "base/pb.h"

#define APPEND(first, last, node) \
    do { \
        if (last) \
            (last)->next = (node); \
        else \
            (first) = (node); \
        (last) = (node); \
    } while (0)

#define FRESH(a, var) \
    do { \
        (var) = arena_zalloc((a), sizeof *(var)); \
        if (!(var)) return ERR_NOMEM; \
    } while (0)

// A loop over the fields of a message; `is(n, w)` is the field n of wire type w.
#define EACH_FIELD(pb) \
    struct reader r = reader_of(pb); \
    for (struct pb_field f; pb_next(&r, &f);)
#define is(n, w) (f.number == (n) && f.wire == PB_##w)
#define FINISH return r.bad ? ERR_INVALID : ERR_OK

static enum err read_value(struct arena *a, struct str pb, unsigned depth, struct plain_value *v);

// Another member of the oneof takes the place of the one before; the same container is merged.
static void become(struct plain_value *v, enum plain_kind kind) {
    if (v->kind != kind) *v = (struct plain_value){ .next = v->next, .kind = kind };
}

static enum err read_pair(struct arena *a, struct str pb, unsigned depth, struct plain_pair *p) {
    EACH_FIELD(pb) {
        if (is(1, BYTES)) p->key = f.bytes;
        if (is(2, BYTES)) {
            if (!p->value) FRESH(a, p->value);
            TRY(read_value(a, f.bytes, depth, p->value));
        }
    }
    FINISH;
}

static enum err read_array(struct arena *a, struct str pb, unsigned depth, struct plain_value *v) {
    EACH_FIELD(pb) {
        if (!is(1, BYTES)) continue;
        struct plain_value *element;
        FRESH(a, element);
        TRY(read_value(a, f.bytes, depth, element));
        APPEND(v->values, v->last_value, element);
    }
    FINISH;
}

static enum err read_kvlist(struct arena *a, struct str pb, unsigned depth, struct plain_value *v) {
    EACH_FIELD(pb) {
        if (!is(1, BYTES)) continue;
        struct plain_pair *pair;
        FRESH(a, pair);
        TRY(read_pair(a, f.bytes, depth, pair));
        APPEND(v->pairs, v->last_pair, pair);
    }
    FINISH;
}

static void set_scalar(struct plain_value *v, enum plain_kind kind, const struct pb_field *f) {
    become(v, kind);
    if (kind == PLAIN_INT) v->integer = pb_int64(f);
    if (kind == PLAIN_BOOL) v->integer = f->value != 0;
    if (kind == PLAIN_DOUBLE) v->real = pb_double(f);
    if (kind == PLAIN_STRING || kind == PLAIN_BYTES) v->text = f->bytes;
}

static enum err read_value(struct arena *a, struct str pb, unsigned depth, struct plain_value *v) {
    EACH_FIELD(pb) {
        if (is(1, BYTES)) set_scalar(v, PLAIN_STRING, &f);
        if (is(2, VARINT)) set_scalar(v, PLAIN_BOOL, &f);
        if (is(3, VARINT)) set_scalar(v, PLAIN_INT, &f);
        if (is(4, FIXED64)) set_scalar(v, PLAIN_DOUBLE, &f);
        if (is(7, BYTES)) set_scalar(v, PLAIN_BYTES, &f);
        if (!is(5, BYTES) && !is(6, BYTES)) continue;
        if (depth == PLAIN_DEPTH_MAX) return ERR_LIMIT;
        become(v, f.number == 5 ? PLAIN_ARRAY : PLAIN_KVLIST);
        TRY((f.number == 5 ? read_array : read_kvlist)(a, f.bytes, depth + 1, v));
    }
    FINISH;
}

static enum err add_attr(struct arena *a, struct str pb, struct plain_attrs *attrs) {
    struct plain_pair *pair;
    FRESH(a, pair);
    TRY(read_pair(a, pb, 0, pair));
    APPEND(attrs->first, attrs->last, pair);
    return ERR_OK;
}

static enum err read_event(struct arena *a, struct str pb, struct plain_event *e) {
    EACH_FIELD(pb) {
        if (is(1, FIXED64)) e->time_ns = f.value;
        if (is(2, BYTES)) e->name = f.bytes;
        if (is(3, BYTES)) TRY(add_attr(a, f.bytes, &e->attrs));
        if (is(4, VARINT)) e->attrs.dropped = (uint32_t)f.value;
    }
    FINISH;
}

static enum err read_link(struct arena *a, struct str pb, struct plain_link *l) {
    EACH_FIELD(pb) {
        if (is(1, BYTES)) l->trace_id = f.bytes;
        if (is(2, BYTES)) l->span_id = f.bytes;
        if (is(3, BYTES)) l->trace_state = f.bytes;
        if (is(4, BYTES)) TRY(add_attr(a, f.bytes, &l->attrs));
        if (is(5, VARINT)) l->attrs.dropped = (uint32_t)f.value;
        if (is(6, FIXED32)) l->flags = (uint32_t)f.value;
    }
    FINISH;
}

static enum err read_status(struct str pb, struct plain_span *s) {
    EACH_FIELD(pb) {
        if (is(2, BYTES)) s->status_message = f.bytes;
        if (is(3, VARINT)) s->status_code = (int32_t)f.value;
    }
    FINISH;
}

static enum err add_event(struct arena *a, struct str pb, struct plain_span *s) {
    struct plain_event *event;
    FRESH(a, event);
    TRY(read_event(a, pb, event));
    APPEND(s->events, s->last_event, event);
    return ERR_OK;
}

static enum err add_link(struct arena *a, struct str pb, struct plain_span *s) {
    struct plain_link *link;
    FRESH(a, link);
    TRY(read_link(a, pb, link));
    APPEND(s->links, s->last_link, link);
    return ERR_OK;
}

static enum err read_span(struct arena *a, struct str pb, struct plain_span *s) {
    EACH_FIELD(pb) {
        if (is(1, BYTES)) s->trace_id = f.bytes;
        if (is(2, BYTES)) s->span_id = f.bytes;
        if (is(3, BYTES)) s->trace_state = f.bytes;
        if (is(4, BYTES)) s->parent_span_id = f.bytes;
        if (is(5, BYTES)) s->name = f.bytes;
        if (is(6, VARINT)) s->kind = (int32_t)f.value;
        if (is(7, FIXED64)) s->start_ns = f.value;
        if (is(8, FIXED64)) s->end_ns = f.value;
        if (is(9, BYTES)) TRY(add_attr(a, f.bytes, &s->attrs));
        if (is(10, VARINT)) s->attrs.dropped = (uint32_t)f.value;
        if (is(11, BYTES)) TRY(add_event(a, f.bytes, s));
        if (is(12, VARINT)) s->dropped_events = (uint32_t)f.value;
        if (is(13, BYTES)) TRY(add_link(a, f.bytes, s));
        if (is(14, VARINT)) s->dropped_links = (uint32_t)f.value;
        if (is(15, BYTES)) TRY(read_status(f.bytes, s));
        if (is(16, FIXED32)) s->flags = (uint32_t)f.value;
    }
    FINISH;
}

static enum err read_scope(struct arena *a, struct str pb, struct plain_scope_spans *s) {
    EACH_FIELD(pb) {
        if (is(1, BYTES)) s->name = f.bytes;
        if (is(2, BYTES)) s->version = f.bytes;
        if (is(3, BYTES)) TRY(add_attr(a, f.bytes, &s->attrs));
        if (is(4, VARINT)) s->attrs.dropped = (uint32_t)f.value;
    }
    FINISH;
}

static enum err read_scope_spans(struct arena *a, struct str pb, struct plain_scope_spans *s) {
    EACH_FIELD(pb) {
        if (is(1, BYTES)) TRY(read_scope(a, f.bytes, s));
        if (is(3, BYTES)) s->schema_url = f.bytes;
        if (!is(2, BYTES)) continue;
        struct plain_span *span;
        FRESH(a, span);
        TRY(read_span(a, f.bytes, span));
        APPEND(s->spans, s->last_span, span);
    }
    FINISH;
}

static enum err read_entity(struct arena *a, struct str pb, struct plain_entity *e) {
    EACH_FIELD(pb) {
        if (is(1, BYTES)) e->schema_url = f.bytes;
        if (is(2, BYTES)) e->type = f.bytes;
        if (!is(3, BYTES) && !is(4, BYTES)) continue;
        struct plain_string *s;
        FRESH(a, s);
        s->text = f.bytes;
        if (f.number == 3)
            APPEND(e->id_keys, e->last_id_key, s);
        else
            APPEND(e->description_keys, e->last_description_key, s);
    }
    FINISH;
}

static enum err read_resource(struct arena *a, struct str pb, struct plain_resource_spans *s) {
    EACH_FIELD(pb) {
        if (is(1, BYTES)) TRY(add_attr(a, f.bytes, &s->attrs));
        if (is(2, VARINT)) s->attrs.dropped = (uint32_t)f.value;
        if (!is(3, BYTES)) continue;
        struct plain_entity *entity;
        FRESH(a, entity);
        TRY(read_entity(a, f.bytes, entity));
        APPEND(s->entities, s->last_entity, entity);
    }
    FINISH;
}

static enum err read_resource_spans(struct arena *a, struct str pb, struct plain_resource_spans *s) {
    EACH_FIELD(pb) {
        if (is(1, BYTES)) TRY(read_resource(a, f.bytes, s));
        if (is(3, BYTES)) s->schema_url = f.bytes;
        if (!is(2, BYTES)) continue;
        struct plain_scope_spans *scope;
        FRESH(a, scope);
        TRY(read_scope_spans(a, f.bytes, scope));
        APPEND(s->scopes, s->last_scope, scope);
    }
    FINISH;
}

static uint32_t count_spans(const struct plain_request *q) {
    uint32_t n = 0;
    for (const struct plain_resource_spans *r = q->resources; r; r = r->next)
        for (const struct plain_scope_spans *s = r->scopes; s; s = s->next)
            for (const struct plain_span *span = s->spans; span; span = span->next) n++;
    return n;
}

static enum err read_request(struct arena *a, struct str pb, struct plain_request *q) {
    EACH_FIELD(pb) {
        if (!is(1, BYTES)) continue;
        struct plain_resource_spans *resource;
        FRESH(a, resource);
        TRY(read_resource_spans(a, f.bytes, resource));
        APPEND(q->resources, q->last_resource, resource);
    }
    FINISH;
}

enum err plain_decode(struct str pb, struct arena *a, struct plain_request *out) {
    struct plain_request q = { 0 };
    TRY(read_request(a, pb, &q));
    q.n_spans = count_spans(&q);
    *out = q;
    return ERR_OK;
}
