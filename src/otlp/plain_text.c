// SPDX-License-Identifier: Apache-2.0
#include <math.h>
#include <stdlib.h>

#include "base/json.h"
#include "otlp/plain.h"

static void put_text(struct buf *out, struct str s) {
    buf_char(out, '"');
    for (size_t i = 0; i < s.len; i++) {
        unsigned char c = (unsigned char)s.ptr[i];
        if (c >= 0x20 && c < 0x7f && c != '"' && c != '\\')
            buf_char(out, (char)c);
        else
            buf_fmt(out, "\\x%02x", c);
    }
    buf_char(out, '"');
}

static void put_hex(struct buf *out, struct str s) {
    for (size_t i = 0; i < s.len; i++) buf_fmt(out, "%02x", (unsigned char)s.ptr[i]);
}

static void put_value(struct buf *out, const struct plain_value *v);

static void put_pair(struct buf *out, const struct plain_pair *p) {
    put_text(out, p->key);
    buf_char(out, '=');
    put_value(out, p->value);
}

static void put_value(struct buf *out, const struct plain_value *v) {
    struct json_writer w = json_writer_on(out);
    if (!v) {
        buf_str(out, STR("none"));
        return;
    }
    switch (v->kind) {
    case PLAIN_EMPTY: buf_str(out, STR("empty")); break;
    case PLAIN_STRING: put_text(out, v->text); break;
    case PLAIN_BOOL: jw_bool(&w, v->integer != 0); break;
    case PLAIN_INT: buf_fmt(out, "int %lld", (long long)v->integer); break;
    case PLAIN_DOUBLE:
        buf_str(out, STR("double "));
        if (isfinite(v->real))
            jw_f64(&w, v->real);
        else
            buf_fmt(out, "%s", isnan(v->real) ? "nan" : v->real < 0 ? "-inf" : "inf");
        break;
    case PLAIN_ARRAY:
        buf_char(out, '[');
        for (const struct plain_value *e = v->values; e; e = e->next) {
            put_value(out, e);
            if (e->next) buf_char(out, ' ');
        }
        buf_char(out, ']');
        break;
    case PLAIN_KVLIST:
        buf_char(out, '{');
        for (const struct plain_pair *p = v->pairs; p; p = p->next) {
            put_pair(out, p);
            if (p->next) buf_char(out, ' ');
        }
        buf_char(out, '}');
        break;
    case PLAIN_BYTES:
        buf_str(out, STR("bytes "));
        put_hex(out, v->text);
        break;
    }
}

struct line {
    struct str key, text;
};

static int compare(const void *a, const void *b) {
    const struct line *x = a, *y = b;
    int c = str_cmp(x->key, y->key);
    return c ? c : str_cmp(x->text, y->text);
}

static enum err put_attrs(struct buf *out, const struct plain_attrs *attrs, struct arena *a) {
    size_t n = 0, i = 0;
    for (const struct plain_pair *p = attrs->first; p; p = p->next) n++;
    struct line *lines = ARENA_ARRAY(a, n, struct line);
    if (!lines) return ERR_NOMEM;
    for (const struct plain_pair *p = attrs->first; p; p = p->next, i++) {
        size_t before = out->len; // the buffer lends its end to put each attribute down
        put_pair(out, p);
        struct str text = str_dup(a, str_sub(buf_view(out), before, out->len));
        if (out->failed || !text.ptr) return ERR_NOMEM;
        lines[i] = (struct line){ p->key, text };
        out->len = before;
    }
    if (n) qsort(lines, n, sizeof *lines, compare);
    buf_str(out, STR(" attrs{"));
    for (i = 0; i < n; i++) {
        if (i) buf_char(out, ' ');
        buf_str(out, lines[i].text);
    }
    buf_fmt(out, "} dropped=%u", attrs->dropped);
    return ERR_OK;
}

static void put_field(struct buf *out, const char *name, struct str text) {
    buf_fmt(out, " %s=", name);
    put_text(out, text);
}

static void put_id(struct buf *out, const char *name, struct str id) {
    buf_fmt(out, " %s=", name);
    put_hex(out, id);
}

static void put_strings(struct buf *out, const char *name, const struct plain_string *s) {
    buf_fmt(out, " %s=[", name);
    for (; s; s = s->next) {
        put_text(out, s->text);
        if (s->next) buf_char(out, ' ');
    }
    buf_char(out, ']');
}

static enum err put_resource(struct buf *out, const struct plain_resource_spans *r, struct arena *a) {
    buf_str(out, STR(" resource("));
    TRY(put_attrs(out, &r->attrs, a));
    for (const struct plain_entity *e = r->entities; e; e = e->next) {
        buf_str(out, STR(" entity("));
        put_field(out, "schema", e->schema_url);
        put_field(out, "type", e->type);
        put_strings(out, "ids", e->id_keys);
        put_strings(out, "descriptions", e->description_keys);
        buf_char(out, ')');
    }
    buf_char(out, ')');
    put_field(out, "schema", r->schema_url);
    return ERR_OK;
}

static enum err put_scope(struct buf *out, const struct plain_scope_spans *s, struct arena *a) {
    buf_str(out, STR(" scope("));
    put_field(out, "name", s->name);
    put_field(out, "version", s->version);
    TRY(put_attrs(out, &s->attrs, a));
    buf_char(out, ')');
    put_field(out, "schema", s->schema_url);
    return ERR_OK;
}

static enum err put_events(struct buf *out, const struct plain_span *s, struct arena *a) {
    for (const struct plain_event *e = s->events; e; e = e->next) {
        buf_fmt(out, " event( time=%llu", (unsigned long long)e->time_ns);
        put_field(out, "name", e->name);
        TRY(put_attrs(out, &e->attrs, a));
        buf_char(out, ')');
    }
    buf_fmt(out, " dropped_events=%u", s->dropped_events);
    return ERR_OK;
}

static enum err put_links(struct buf *out, const struct plain_span *s, struct arena *a) {
    for (const struct plain_link *l = s->links; l; l = l->next) {
        buf_str(out, STR(" link("));
        put_id(out, "trace", l->trace_id);
        put_id(out, "span", l->span_id);
        put_field(out, "state", l->trace_state);
        buf_fmt(out, " flags=%u", l->flags);
        TRY(put_attrs(out, &l->attrs, a));
        buf_char(out, ')');
    }
    buf_fmt(out, " dropped_links=%u", s->dropped_links);
    return ERR_OK;
}

enum err plain_span_text(const struct plain_resource_spans *r, const struct plain_scope_spans *s,
                         const struct plain_span *span, struct arena *a, struct buf *out) {
    buf_str(out, STR("trace="));
    put_hex(out, span->trace_id);
    put_id(out, "span", span->span_id);
    put_id(out, "parent", span->parent_span_id);
    put_field(out, "name", span->name);
    buf_fmt(out, " kind=%d start=%llu end=%llu flags=%u", span->kind, (unsigned long long)span->start_ns,
            (unsigned long long)span->end_ns, span->flags);
    put_field(out, "state", span->trace_state);
    buf_fmt(out, " status=%d", span->status_code);
    put_field(out, "message", span->status_message);
    TRY(put_attrs(out, &span->attrs, a));
    TRY(put_events(out, span, a));
    TRY(put_links(out, span, a));
    TRY(put_scope(out, s, a));
    TRY(put_resource(out, r, a));
    buf_char(out, '\n');
    return out->failed ? ERR_NOMEM : ERR_OK;
}

enum err plain_sort(struct str lines, bool unique, struct arena *a, struct buf *out) {
    size_t n = 0, i = 0, bytes = lines.len;
    for (size_t k = 0; k < lines.len; k++) n += lines.ptr[k] == '\n';
    struct line *sorted = ARENA_ARRAY(a, n, struct line);
    if (!sorted || !buf_reserve(out, bytes)) return ERR_NOMEM;
    for (; i < n; i++) (void)str_cut(lines, '\n', &sorted[i].text, &lines), sorted[i].key = STR("");
    if (n) qsort(sorted, n, sizeof *sorted, compare);
    for (i = 0; i < n; i++) {
        if (unique && i > 0 && str_eq(sorted[i].text, sorted[i - 1].text)) continue;
        buf_str(out, sorted[i].text);
        buf_char(out, '\n');
    }
    return out->failed ? ERR_NOMEM : ERR_OK;
}

enum err plain_canonical(const struct plain_request *q, struct arena *a, struct buf *out) {
    struct buf lines;
    enum err e = ERR_OK;
    buf_init(&lines, out->limit);
    for (const struct plain_resource_spans *r = q->resources; r; r = r->next)
        for (const struct plain_scope_spans *s = r->scopes; s; s = s->next)
            for (const struct plain_span *span = s->spans; span && e == ERR_OK; span = span->next)
                e = plain_span_text(r, s, span, a, &lines);
    if (e == ERR_OK) e = plain_sort(buf_view(&lines), false, a, out);
    buf_fini(&lines);
    return e;
}
