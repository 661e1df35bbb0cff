// SPDX-License-Identifier: Apache-2.0
// CloudEvents (binary, structured, batch), a CDEvent without that envelope, and what lies inside:
// CDEvents (hook_cdevents.c) and our own events for scripts (hook_plain.c).
#include "intake/hook_events.h"

#include "base/base64.h"

// --- headers of the binary mode ------------------------------------------------------------------

static void put_unquoted(struct buf *b, struct str s) {
    if (s.len < 2 || s.ptr[0] != '"' || s.ptr[s.len - 1] != '"') {
        buf_str(b, s);
        return;
    }
    for (size_t i = 1; i < s.len - 1; i++) {
        if (s.ptr[i] == '\\' && i + 1 < s.len - 1) i++;
        buf_char(b, s.ptr[i]);
    }
}

// Undoes a quoted string, then percent encoding, once.
static struct str ce_header(struct hook_in *in, const char *name) {
    struct str s = hook_header(in, name), out;
    struct buf quoted, b;
    buf_init(&quoted, SIZE_MAX);
    buf_init(&b, SIZE_MAX);
    put_unquoted(&quoted, s);
    s = buf_view(&quoted);
    for (size_t i = 0; i < s.len; i++) {
        char c = s.ptr[i];
        if (c == '%' && hex_decode(str_sub(s, i + 1, 2), &c, 1)) i += 2;
        buf_char(&b, c);
    }
    if (quoted.failed || b.failed) in->arena->failed = true;
    out = str_dup(in->arena, buf_view(&b));
    if (!str_is_utf8(out) || str_find(out, '\0') >= 0)
        in->err = err_set(in->ctx, ERR_INVALID, "the header %s is not UTF-8, or has U+0000", name);
    buf_fini(&quoted);
    buf_fini(&b);
    return out;
}

// --- one event -----------------------------------------------------------------------------------

struct envelope {
    struct str id, source, type;
    int64_t time;
    struct doc data;
    struct str body; // the event in structured form
};

static const char *const takt_prefix = "dev.takt.";

static void event_read(struct hook_in *in, const struct envelope *e) {
    struct str id = str_fmt(in->arena, "%.*s %.*s", STR_ARG(e->source), STR_ARG(e->id));
    struct intake_event *ev;
    enum fact_kind kind;
    if (str_starts(e->type, STR("dev.cdevents.")) || str_starts(e->type, STR("dev.cdeventsx."))) {
        cdevent_read(in, id, e->type, e->data);
    } else if (str_starts(e->type, str_of(takt_prefix)) &&
               intake_kind(str_sub(e->type, 9, e->type.len), &kind)) {
        (void)hook_event(in, id, e->type, e->time);
        plain_read(in, kind, e->id, time_or(e->time, in->r->received), e->data);
    } else {
        (void)hook_unknown(in, id, e->type);
    }
    ev = in->out->n ? &in->out->events[in->out->n - 1] : &in->spare;
    ev->body = e->body;
    if (!ev->known) ev->time = time_or(e->time, ev->time);
}

static void version_check(struct hook_in *in, struct str version) {
    if (!str_starts(version, STR("1.")))
        in->err = err_set(in->ctx, ERR_INVALID, "specversion: expected \"1.0\" of CloudEvents");
}

// data_base64 holds JSON, which becomes a document of its own.
static struct doc coded_data(struct hook_in *in, struct doc e) {
    struct doc none = { NULL, e.of };
    struct buf b;
    struct document *d = ARENA_NEW(in->arena, struct document);
    buf_init(&b, INTAKE_BODY_MAX);
    enum err err = d ? base64_decode(doc_text(e, "data_base64"), &b) : ERR_NOMEM;
    struct str text = str_dup(in->arena, buf_view(&b));
    buf_fini(&b);
    if (err == ERR_INVALID) {
        doc_fail(e, "data_base64", "expected base64");
        return none;
    }
    if (err == ERR_OK) err = document_read(text, INTAKE_DEPTH_MAX, in->arena, d, in->ctx);
    if (err != ERR_OK) in->err = err;
    return err == ERR_OK ? (struct doc){ d->root, e.of } : none;
}

// Of other types the data may be anything.
static bool is_ours(struct str type) {
    return str_starts(type, STR("dev.cdevents")) || str_starts(type, str_of(takt_prefix));
}

static void structured_read(struct hook_in *in, struct doc d) {
    struct envelope e = { .id = doc_need_id(d, "id"),
                          .source = doc_need(d, "source"),
                          .type = doc_need(d, "type"),
                          .time = doc_stamp(d, "time"),
                          .data = doc_at(d, "data"),
                          .body = d.node->text };
    version_check(in, doc_need(d, "specversion"));
    if (in->err != ERR_OK || in->doc.err != ERR_OK) return;
    if (!e.data.node && is_ours(e.type) && doc_has(d, "data_base64")) e.data = coded_data(in, d);
    event_read(in, &e);
}

// The event in its structured form, so that its body alone is enough to read it again.
static struct str as_structured(struct hook_in *in, const struct envelope *e, struct str time,
                                struct str data) {
    struct buf b;
    struct json_writer w = json_writer_on(&b);
    buf_init(&b, SIZE_MAX);
    jw_object(&w);
    jw_key(&w, STR("specversion")), jw_str(&w, STR("1.0"));
    jw_key(&w, STR("id")), jw_str(&w, e->id);
    jw_key(&w, STR("source")), jw_str(&w, e->source);
    jw_key(&w, STR("type")), jw_str(&w, e->type);
    if (time.len) jw_key(&w, STR("time")), jw_str(&w, time);
    if (data.len) jw_key(&w, STR("data")), jw_raw(&w, data);
    jw_object_end(&w);
    if (b.failed) in->arena->failed = true;
    struct str out = str_dup(in->arena, buf_view(&b));
    buf_fini(&b);
    return out;
}

static struct str needed_header(struct hook_in *in, const char *name) {
    struct str s = ce_header(in, name);
    if (s.len == 0 && in->err == ERR_OK)
        in->err = err_set(in->ctx, ERR_INVALID, "the header %s is missing or empty", name);
    return s;
}

static enum err binary_read(struct hook_in *in) {
    struct str time = ce_header(in, "ce-time");
    struct envelope e = { .id = needed_header(in, "ce-id"),
                          .source = needed_header(in, "ce-source"),
                          .type = needed_header(in, "ce-type") };
    version_check(in, ce_header(in, "ce-specversion"));
    if (time.len && !stamp_read(time, &e.time) && in->err == ERR_OK)
        in->err =
            err_set(in->ctx, ERR_INVALID, "the header ce-time is not a time such as 2026-01-31T12:00:00Z");
    TRY(in->err);
    if (in->r->body.len) TRY(hook_document(in, in->r->body, &e.data));
    if (!e.data.node) e.data.of = &in->doc;
    in->doc.arena = in->arena;
    in->doc.ctx = in->ctx;
    e.body = as_structured(in, &e, time, in->r->body);
    event_read(in, &e);
    return hook_end(in);
}

// --- a request -----------------------------------------------------------------------------------

// A CDEvent that is not in an envelope.
static void bare_read(struct hook_in *in, struct doc d) {
    struct doc c = doc_object(d, "context");
    struct envelope e = { .id = doc_need_id(c, "id"),
                          .source = doc_need(c, "source"),
                          .type = doc_need(c, "type"),
                          .data = d,
                          .body = d.node->text };
    if (in->doc.err == ERR_OK) event_read(in, &e);
}

static bool is_structured(struct doc d) {
    return doc_has(d, "specversion") && doc_has(d, "type") && doc_has(d, "source");
}

static enum err events_read(struct hook_in *in) {
    struct str type = hook_header(in, "Content-Type"), structured = STR("application/cloudevents");
    bool announced = str_eq_nocase(str_sub(type, 0, structured.len), structured);
    struct doc d;
    if (!announced && hook_header(in, "ce-id").len + hook_header(in, "ce-type").len) return binary_read(in);
    TRY(hook_document(in, in->r->body, &d));
    if (d.node->kind == JSON_ARRAY) {
        for (struct doc c = doc_first(d); c.node && in->err == ERR_OK && in->doc.err == ERR_OK;
             c = doc_next(c))
            structured_read(in, c);
    } else if (doc_has(d, "context") && !is_structured(d)) {
        bare_read(in, d);
    } else {
        structured_read(in, d);
    }
    return hook_end(in);
}

const struct hook hook_events = { "events", HOOK_FORMS(hook_token_forms), events_read };
