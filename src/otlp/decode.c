// SPDX-License-Identifier: Apache-2.0
#include "otlp/decode.h"

#include "span/canon.h"
#include "span/wire.h"

enum { ENTITY_CACHE = 4096, ENTITY_BYTES_MAX = 64 << 20, LINE_BYTES = 64, PREFETCH_MAX = 128 << 10 };

// Resources arrive again and again as the same bytes: their raw form, hashed, finds the entity
// without canonicalising it. A slot holds the last one with that hash.
struct entity_slot {
    struct str raw, schema_url;
    uint32_t entity; // SPAN_NONE = free
};

struct list { // slices of the message at hand
    struct str *at;
    uint32_t n, cap;
};

struct otlp_decoder {
    struct span_table *table;
    struct arena slots_arena; // the raw bytes in the slots
    struct arena scratch;     // of one request
    struct buf canon;
    struct attr_scratch row;
    struct list events, links;
    struct entity_slot resources[ENTITY_CACHE], scopes[ENTITY_CACHE];
    // the request at hand
    const uint32_t *refused;
    uint32_t n_refused, ordinal, added;
};

enum err otlp_decoder_new(struct span_table *t, struct otlp_decoder **out) {
    struct otlp_decoder *d = mem_zalloc(sizeof *d);
    if (!d) return ERR_NOMEM;
    d->table = t;
    arena_init(&d->slots_arena, ENTITY_BYTES_MAX, NULL);
    arena_init(&d->scratch, SIZE_MAX, NULL);
    buf_init(&d->canon, SIZE_MAX);
    attr_scratch_init(&d->row);
    for (int i = 0; i < ENTITY_CACHE; i++) d->resources[i].entity = d->scopes[i].entity = SPAN_NONE;
    *out = d;
    return ERR_OK;
}

void otlp_decoder_free(struct otlp_decoder *d) {
    if (!d) return;
    arena_fini(&d->slots_arena);
    arena_fini(&d->scratch);
    buf_fini(&d->canon);
    attr_scratch_fini(&d->row);
    mem_free(d->events.at);
    mem_free(d->links.at);
    mem_free(d);
}

static enum err list_add(struct list *l, struct str s) {
    struct str *more = mem_grow(l->at, l->n, &l->cap, sizeof *more);
    if (!more) return ERR_NOMEM;
    l->at = more;
    l->at[l->n++] = s;
    return ERR_OK;
}

// --- events and links ------------------------------------------------------------------------------

static enum err decode_event(struct otlp_decoder *d, struct str msg) {
    struct attr_table *attrs = &d->table->events.attrs;
    struct span_event_in e = { .name = STR("") };
    struct reader r = reader_of(msg);
    struct pb_field f;
    attrs_begin(attrs, &d->row);
    while (pb_next(&r, &f)) {
        if (f.number == EVENT_TIME && f.wire == PB_FIXED64) e.time_ns = f.value;
        if (f.number == EVENT_NAME && f.wire == PB_BYTES) e.name = f.bytes;
        if (f.number == EVENT_DROPPED && f.wire == PB_VARINT) e.dropped = (uint32_t)f.value;
        if (f.number == EVENT_ATTRIBUTE && f.wire == PB_BYTES) TRY(attrs_collect(attrs, f.bytes, &d->row));
    }
    e.attrs = d->row.in;
    e.n_attrs = d->row.n;
    return span_table_add_event(d->table, &e, &d->row.rest);
}

// A column of ids has no room for another length, nor for zeros that differ from nothing: the rest has.
static void read_id(struct otlp_decoder *d, struct str id, void *out, size_t len, uint32_t rest_field) {
    static const char zeros[16];
    if (id.len == len && memcmp(id.ptr, zeros, len) != 0)
        memcpy(out, id.ptr, len);
    else if (id.len)
        pb_bytes(&d->row.rest, rest_field, id);
}

static enum err decode_link(struct otlp_decoder *d, struct str msg) {
    struct attr_table *attrs = &d->table->links.attrs;
    struct span_link_in l = { .trace_state = STR("") };
    struct str trace_id = STR(""), span_id = STR("");
    struct reader r = reader_of(msg);
    struct pb_field f;
    attrs_begin(attrs, &d->row);
    while (pb_next(&r, &f)) {
        if (f.number == LINK_TRACE_ID && f.wire == PB_BYTES) trace_id = f.bytes;
        if (f.number == LINK_SPAN_ID && f.wire == PB_BYTES) span_id = f.bytes;
        if (f.number == LINK_TRACE_STATE && f.wire == PB_BYTES) l.trace_state = f.bytes;
        if (f.number == LINK_DROPPED && f.wire == PB_VARINT) l.dropped = (uint32_t)f.value;
        if (f.number == LINK_FLAGS && f.wire == PB_FIXED32) l.flags = (uint32_t)f.value;
        if (f.number == LINK_ATTRIBUTE && f.wire == PB_BYTES) TRY(attrs_collect(attrs, f.bytes, &d->row));
    }
    read_id(d, trace_id, l.trace_id, 16, REST_TRACE_ID);
    read_id(d, span_id, &l.span_id, 8, REST_SPAN_ID);
    l.attrs = d->row.in;
    l.n_attrs = d->row.n;
    return span_table_add_link(d->table, &l, &d->row.rest);
}

// --- spans -----------------------------------------------------------------------------------------

static void read_status(struct otlp_decoder *d, struct str msg, struct span_in *s, uint64_t *code) {
    struct reader r = reader_of(msg);
    struct pb_field f;
    (void)d;
    while (pb_next(&r, &f)) {
        if (f.number == STATUS_MESSAGE && f.wire == PB_BYTES) s->status_message = f.bytes;
        if (f.number == STATUS_CODE && f.wire == PB_VARINT) *code = f.value;
    }
}

static uint8_t small_or_rest(struct otlp_decoder *d, uint64_t v, uint32_t rest_field) {
    if (v > UINT8_MAX) pb_varint(&d->row.rest, rest_field, v);
    return v > UINT8_MAX ? 0 : (uint8_t)v;
}

static enum err read_span(struct otlp_decoder *d, struct str msg, struct span_in *s) {
    struct reader r = reader_of(msg);
    struct pb_field f;
    struct str parent = STR("");
    uint64_t kind = 0, status = 0;
    d->events.n = d->links.n = 0;
    attrs_begin(&d->table->attrs, &d->row);
    while (pb_next(&r, &f)) {
        switch (f.number << 3 | f.wire) {
        case SPAN_TRACE_ID << 3 | PB_BYTES: s->trace_id = (const uint8_t *)f.bytes.ptr; break;
        case SPAN_SPAN_ID << 3 | PB_BYTES: memcpy(&s->span_id, f.bytes.ptr, 8); break;
        case SPAN_TRACE_STATE << 3 | PB_BYTES: s->trace_state = f.bytes; break;
        case SPAN_PARENT_ID << 3 | PB_BYTES: parent = f.bytes; break;
        case SPAN_NAME << 3 | PB_BYTES: s->name = f.bytes; break;
        case SPAN_KIND << 3 | PB_VARINT: kind = f.value; break;
        case SPAN_START << 3 | PB_FIXED64: s->start_ns = f.value; break;
        case SPAN_END << 3 | PB_FIXED64: s->end_ns = f.value; break;
        case SPAN_ATTRIBUTE << 3 | PB_BYTES: TRY(attrs_collect(&d->table->attrs, f.bytes, &d->row)); break;
        case SPAN_DROPPED_ATTRIBUTES << 3 | PB_VARINT: s->dropped_attributes = (uint32_t)f.value; break;
        case SPAN_EVENT << 3 | PB_BYTES: TRY(list_add(&d->events, f.bytes)); break;
        case SPAN_DROPPED_EVENTS << 3 | PB_VARINT: s->dropped_events = (uint32_t)f.value; break;
        case SPAN_LINK << 3 | PB_BYTES: TRY(list_add(&d->links, f.bytes)); break;
        case SPAN_DROPPED_LINKS << 3 | PB_VARINT: s->dropped_links = (uint32_t)f.value; break;
        case SPAN_STATUS << 3 | PB_BYTES: read_status(d, f.bytes, s, &status); break;
        case SPAN_FLAGS << 3 | PB_FIXED32: s->flags = (uint32_t)f.value; break;
        default: break; // counted by the check
        }
    }
    read_id(d, parent, &s->parent_id, 8, REST_PARENT_ID);
    s->kind = small_or_rest(d, kind, REST_KIND);
    s->status = small_or_rest(d, status, REST_STATUS_CODE);
    return r.bad || !s->trace_id ? ERR_INVALID : ERR_OK;
}

static enum err decode_span(struct otlp_decoder *d, struct str msg, uint32_t resource, uint32_t scope) {
    struct span_in s = { .name = STR(""),
                         .trace_state = STR(""),
                         .status_message = STR(""),
                         .resource = resource,
                         .scope = scope };
    if (d->n_refused && d->refused[0] == d->ordinal) {
        d->refused++;
        d->n_refused--;
        d->ordinal++;
        return ERR_OK;
    }
    d->ordinal++;
    TRY(read_span(d, msg, &s));
    s.attrs = d->row.in;
    s.n_attrs = d->row.n;
    TRY(span_table_add(d->table, &s, &d->row.rest));
    for (uint32_t i = 0; i < d->events.n; i++) TRY(decode_event(d, d->events.at[i]));
    for (uint32_t i = 0; i < d->links.n; i++) TRY(decode_link(d, d->links.at[i]));
    d->added++;
    return ERR_OK;
}

// --- resources and scopes ----------------------------------------------------------------------------

// The raw bytes of an entity message; several occurrences merge, as protobuf has it, by standing
// behind each other.
static void merge_raw(struct otlp_decoder *d, struct str *raw, struct str more) {
    if (raw->len == 0) {
        *raw = more;
        return;
    }
    char *p = arena_alloc(&d->scratch, raw->len + more.len);
    if (!p) return;
    memcpy(p, raw->ptr, raw->len);
    memcpy(p + raw->len, more.ptr, more.len);
    *raw = (struct str){ p, raw->len + more.len };
}

static enum err canonicalise(struct otlp_decoder *d, bool is_resource, struct str raw, struct str url,
                             uint32_t *out) {
    struct str service;
    buf_reset(&d->canon);
    if (is_resource) {
        TRY(canon_resource(raw, url, &d->scratch, &d->canon, &service));
        return span_table_resource(d->table, buf_view(&d->canon), service, out);
    }
    TRY(canon_scope(raw, url, &d->scratch, &d->canon));
    return span_table_scope(d->table, buf_view(&d->canon), out);
}

static enum err entity(struct otlp_decoder *d, bool is_resource, struct str raw, struct str url,
                       uint32_t *out) {
    uint64_t hash = hash_str(raw) ^ hash_u64(hash_str(url));
    struct entity_slot *slot = (is_resource ? d->resources : d->scopes) + hash % ENTITY_CACHE;
    if (slot->entity != SPAN_NONE && str_eq(slot->raw, raw) && str_eq(slot->schema_url, url)) {
        *out = slot->entity;
        return ERR_OK;
    }
    TRY(canonicalise(d, is_resource, raw, url, out));
    struct entity_slot fresh = { str_dup(&d->slots_arena, raw), str_dup(&d->slots_arena, url), *out };
    if (fresh.raw.ptr && fresh.schema_url.ptr) *slot = fresh; // else the cache is full: slower, not wrong
    return ERR_OK;
}

// The body lies in the cache of another core, if in any, and a walk from length to length waits for each
// line that it steps on: so they are all asked for beforehand.
static void prefetch(struct str msg) {
    size_t n = msg.len < PREFETCH_MAX ? msg.len : PREFETCH_MAX;
    for (size_t i = 0; i < n; i += LINE_BYTES) mem_fetch(msg.ptr + i);
}

static enum err decode_scope_spans(struct otlp_decoder *d, struct str msg, uint32_t resource) {
    struct str raw = STR(""), url = STR("");
    struct reader r = reader_of(msg);
    struct pb_field f;
    uint32_t scope;
    prefetch(msg);
    while (pb_next(&r, &f)) {
        if (f.number == SS_SCOPE && f.wire == PB_BYTES) merge_raw(d, &raw, f.bytes);
        if (f.number == SS_SCHEMA_URL && f.wire == PB_BYTES) url = f.bytes;
    }
    TRY(entity(d, false, raw, url, &scope));
    for (r = reader_of(msg); pb_next(&r, &f);)
        if (f.number == SS_SPANS && f.wire == PB_BYTES) TRY(decode_span(d, f.bytes, resource, scope));
    return ERR_OK;
}

static enum err decode_resource_spans(struct otlp_decoder *d, struct str msg) {
    struct str raw = STR(""), url = STR("");
    struct reader r = reader_of(msg);
    struct pb_field f;
    uint32_t resource;
    while (pb_next(&r, &f)) {
        if (f.number == RS_RESOURCE && f.wire == PB_BYTES) merge_raw(d, &raw, f.bytes);
        if (f.number == RS_SCHEMA_URL && f.wire == PB_BYTES) url = f.bytes;
    }
    TRY(entity(d, true, raw, url, &resource));
    for (r = reader_of(msg); pb_next(&r, &f);)
        if (f.number == RS_SCOPE_SPANS && f.wire == PB_BYTES) TRY(decode_scope_spans(d, f.bytes, resource));
    return ERR_OK;
}

enum err otlp_decode(struct otlp_decoder *d, struct str body, const uint32_t *refused, uint32_t n_refused,
                     uint32_t *out_added) {
    struct reader r = reader_of(body);
    struct pb_field f;
    d->refused = refused;
    d->n_refused = n_refused;
    d->ordinal = d->added = 0;
    arena_reset(&d->scratch);
    while (pb_next(&r, &f))
        if (f.number == REQUEST_RESOURCE_SPANS && f.wire == PB_BYTES) TRY(decode_resource_spans(d, f.bytes));
    *out_added = d->added;
    return d->scratch.failed ? ERR_NOMEM : r.bad ? ERR_INVALID : ERR_OK;
}
