// SPDX-License-Identifier: Apache-2.0
#include "otlp/check.h"

#include "span/attrs.h"
#include "span/wire.h"

const char *otlp_refuse_label(enum otlp_refuse r) {
    static const char *const labels[] = {
#define X(name, label, text) label,
        OTLP_REFUSE_TABLE(X)
#undef X
    };
    return labels[r];
}

const char *otlp_refuse_text(enum otlp_refuse r) {
    static const char *const texts[] = {
#define X(name, label, text) text,
        OTLP_REFUSE_TABLE(X)
#undef X
    };
    return texts[r];
}

// The walk keeps one verdict for the span (or resource, or scope) that it is in: the first reason.
struct walk {
    struct otlp_check *out;
    struct arena *arena;
    uint32_t cap; // of out->refused
    int verdict;  // enum otlp_refuse, or -1
    bool bad;     // the body does not parse
};

static void refuse(struct walk *w, enum otlp_refuse why) {
    if (w->verdict < 0) w->verdict = (int)why;
}

enum { VARINT_SURE = 9 }; // a varint of so many bytes has at most 63 bits: it cannot be too large

static void walk_value(struct walk *w, struct str any, int depth);

static bool key_is_good(struct str key) {
    return key.len <= ATTR_KEY_MAX && str_is_utf8(key);
}

static void walk_kv(struct walk *w, struct str kv, int depth) {
    struct reader r = reader_of(kv);
    struct pb_field f;
    while (pb_next(&r, &f)) {
        if (f.number == KV_KEY && f.wire == PB_BYTES) {
            if (!key_is_good(f.bytes)) refuse(w, OTLP_REFUSE_KEY);
        } else if (f.number == KV_VALUE && f.wire == PB_BYTES) {
            walk_value(w, f.bytes, depth);
        } else {
            w->out->n_unknown++;
        }
    }
    w->bad |= r.bad;
}

static void walk_list(struct walk *w, struct str list, bool pairs, int depth) {
    struct reader r = reader_of(list);
    struct pb_field f;
    if (depth > OTLP_VALUE_DEPTH_MAX) {
        refuse(w, OTLP_REFUSE_DEPTH);
        return;
    }
    while (pb_next(&r, &f)) {
        if (f.number != LIST_VALUES || f.wire != PB_BYTES)
            w->out->n_unknown++;
        else if (pairs)
            walk_kv(w, f.bytes, depth);
        else
            walk_value(w, f.bytes, depth);
    }
    w->bad |= r.bad;
}

// A lone text, number or truth in its usual form: nearly all values, and nothing to find in them.
static inline bool is_plain(struct str any) {
    const uint8_t *p = (const uint8_t *)any.ptr;
    if (any.len < 2) return false;
    switch (p[0]) {
    case ANY_STRING << 3 | PB_BYTES: return p[1] < 0x80 && p[1] + 2u == any.len;
    case ANY_INT << 3 | PB_VARINT:
    case ANY_BOOL << 3 | PB_VARINT: break;
    case ANY_DOUBLE << 3 | PB_FIXED64: return any.len == 9;
    default: return false;
    }
    size_t i = 1;
    while (i < any.len && p[i] >= 0x80) i++;
    return i + 1 == any.len && i <= VARINT_SURE; // i: its bytes
}

// Most pairs are told to be good here, without the cursors.
static inline void walk_attribute(struct walk *w, struct str kv) {
    struct str key, any;
    if (__builtin_expect(!attr_kv_usual(kv, &key, &any) || !is_plain(any), 0))
        walk_kv(w, kv, 0);
    else if (__builtin_expect(!str_is_ascii(key), 0) && !str_is_utf8(key))
        refuse(w, OTLP_REFUSE_KEY);
}

static void walk_value(struct walk *w, struct str any, int depth) {
    static const uint8_t wires[] = {
        [ANY_STRING] = PB_BYTES, [ANY_BOOL] = PB_VARINT,  [ANY_INT] = PB_VARINT, [ANY_DOUBLE] = PB_FIXED64,
        [ANY_ARRAY] = PB_BYTES,  [ANY_KVLIST] = PB_BYTES, [ANY_BYTES] = PB_BYTES
    };
    struct reader r = reader_of(any);
    struct pb_field f;
    if (is_plain(any)) return;
    while (pb_next(&r, &f)) {
        if (f.number > ANY_BYTES || f.wire != (enum pb_wire)wires[f.number])
            w->out->n_unknown++;
        else if (f.number == ANY_ARRAY || f.number == ANY_KVLIST)
            walk_list(w, f.bytes, f.number == ANY_KVLIST, depth + 1);
    }
    w->bad |= r.bad;
}

// A message that has attributes in field `attribute`; its other fields have numbers up to `last`.
static void walk_with_attributes(struct walk *w, struct str msg, uint32_t attribute, uint32_t last) {
    struct reader r = reader_of(msg);
    struct pb_field f;
    while (pb_next(&r, &f)) {
        if (f.number == attribute && f.wire == PB_BYTES)
            walk_attribute(w, f.bytes);
        else if (f.number > last)
            w->out->n_unknown++;
    }
    w->bad |= r.bad;
}

static bool is_id(struct str id, size_t len) {
    static const char zeros[16];
    return id.len == len && memcmp(id.ptr, zeros, len) != 0;
}

static void walk_status(struct walk *w, struct str status) {
    struct reader r = reader_of(status);
    struct pb_field f;
    while (pb_next(&r, &f))
        if (f.number != STATUS_MESSAGE && f.number != STATUS_CODE) w->out->n_unknown++;
    w->bad |= r.bad;
}

static void walk_span(struct walk *w, struct str span) {
    struct reader r = reader_of(span);
    struct pb_field f;
    bool has_trace = false, has_span = false;
    while (pb_next(&r, &f)) {
        switch (f.number) {
        case SPAN_TRACE_ID:
            if (f.wire == PB_BYTES) has_trace = is_id(f.bytes, 16);
            break;
        case SPAN_SPAN_ID:
            if (f.wire == PB_BYTES) has_span = is_id(f.bytes, 8);
            break;
        case SPAN_START:
        case SPAN_END:
            if (f.wire == PB_FIXED64 && f.value > INT64_MAX) refuse(w, OTLP_REFUSE_TIME);
            break;
        case SPAN_ATTRIBUTE:
            if (f.wire == PB_BYTES) walk_attribute(w, f.bytes);
            break;
        case SPAN_EVENT:
            if (f.wire == PB_BYTES) walk_with_attributes(w, f.bytes, EVENT_ATTRIBUTE, EVENT_DROPPED);
            break;
        case SPAN_LINK:
            if (f.wire == PB_BYTES) walk_with_attributes(w, f.bytes, LINK_ATTRIBUTE, LINK_FLAGS);
            break;
        case SPAN_STATUS:
            if (f.wire == PB_BYTES) walk_status(w, f.bytes);
            break;
        default:
            if (f.number > SPAN_FLAGS) w->out->n_unknown++;
        }
    }
    w->bad |= r.bad;
    if (!has_trace)
        refuse(w, OTLP_REFUSE_TRACE_ID);
    else if (!has_span)
        refuse(w, OTLP_REFUSE_SPAN_ID);
}

static void note_refused(struct walk *w) {
    struct otlp_check *c = w->out;
    if (c->n_refused == w->cap) {
        uint32_t cap = w->cap ? w->cap * 2 : 16;
        uint32_t *more = ARENA_ARRAY(w->arena, cap, uint32_t);
        if (!more) return;
        if (c->n_refused) memcpy(more, c->refused, c->n_refused * sizeof *more);
        c->refused = more;
        w->cap = cap;
    }
    c->refused[c->n_refused++] = c->n_spans;
    c->by_reason[w->verdict]++;
}

// inherited: what the resource already did wrong; it refuses every span below.
static void walk_scope_spans(struct walk *w, struct str ss, int inherited) {
    struct reader r = reader_of(ss);
    struct pb_field f;
    w->verdict = inherited;
    while (pb_next(&r, &f)) { // the scope may stand behind its spans, so it is judged first
        if (f.number == SS_SCOPE && f.wire == PB_BYTES)
            walk_with_attributes(w, f.bytes, SCOPE_ATTRIBUTE, SCOPE_DROPPED);
        else if (f.number > SS_SCHEMA_URL)
            w->out->n_unknown++;
    }
    int scope = w->verdict;
    for (r = reader_of(ss); pb_next(&r, &f);) {
        if (f.number != SS_SPANS || f.wire != PB_BYTES) continue;
        w->verdict = scope;
        walk_span(w, f.bytes);
        if (w->verdict >= 0) note_refused(w);
        w->out->n_spans++;
    }
    w->bad |= r.bad;
}

static void walk_resource_spans(struct walk *w, struct str rs) {
    struct reader r = reader_of(rs);
    struct pb_field f;
    w->verdict = -1;
    while (pb_next(&r, &f)) {
        if (f.number == RS_RESOURCE && f.wire == PB_BYTES)
            walk_with_attributes(w, f.bytes, RESOURCE_ATTRIBUTE, RESOURCE_ENTITY);
        else if (f.number > RS_SCHEMA_URL)
            w->out->n_unknown++;
    }
    int resource = w->verdict;
    for (r = reader_of(rs); pb_next(&r, &f);)
        if (f.number == RS_SCOPE_SPANS && f.wire == PB_BYTES) walk_scope_spans(w, f.bytes, resource);
    w->bad |= r.bad;
}

enum err otlp_check(struct str body, struct arena *arena, struct otlp_check *out, struct err_ctx *ctx) {
    struct reader r = reader_of(body);
    struct pb_field f;
    *out = (struct otlp_check){ 0 };
    struct walk w = { .out = out, .arena = arena };
    while (!w.bad && pb_next(&r, &f)) {
        if (f.number == REQUEST_RESOURCE_SPANS && f.wire == PB_BYTES)
            walk_resource_spans(&w, f.bytes);
        else
            out->n_unknown++;
    }
    if (w.bad || r.bad)
        return err_set(ctx, ERR_INVALID,
                       "the body is not an ExportTraceServiceRequest in protobuf: it breaks off or has a "
                       "malformed field before byte %zu of %zu",
                       (size_t)((const char *)r.pos - body.ptr), body.len);
    return arena->failed ? ERR_NOMEM : ERR_OK;
}
