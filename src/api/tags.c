// SPDX-License-Identifier: Apache-2.0
#include "api/tags.h"

#include <stdio.h>
#include <stdlib.h>

#include "api/api_internal.h"

// As Tempo lists them, in its order.
static const struct str intrinsics[] = {
#define NAME(text) \
    { "" text, sizeof(text) - 1 }
    NAME("duration"),
    NAME("name"),
    NAME("status"),
    NAME("statusMessage"),
    NAME("kind"),
    NAME("rootServiceName"),
    NAME("rootName"),
    NAME("traceDuration"),
    NAME("event:name"),
    NAME("event:timeSinceStart"),
    NAME("link:spanID"),
    NAME("link:traceID"),
    NAME("instrumentation:name"),
    NAME("instrumentation:version"),
    NAME("trace:id"),
    NAME("span:id"),
    NAME("span:parentID"),
    NAME("span:status"),
    NAME("span:statusMessage"),
    NAME("span:duration"),
    NAME("span:name"),
    NAME("span:kind"),
    NAME("trace:rootName"),
    NAME("trace:rootService"),
    NAME("trace:duration"),
#undef NAME
};

const struct str *tags_intrinsics(uint32_t *out_n) {
    *out_n = sizeof intrinsics / sizeof *intrinsics;
    return intrinsics;
}

enum err tags_ask_read(struct ask *k, struct tags_ask *t) {
    const struct params *p = &k->params;
    *t = (struct tags_ask){ .scope = params_get(p, STR("scope")), .q = params_get(p, STR("q")) };
    TRY(params_range(p, k->limits->clock, &t->start_ns, &t->end_ns, &k->ctx));
    return params_number(p, STR("limit"), UINT32_MAX, &t->limit, &k->ctx);
}

// The filter of what may be half a query. NULL: none.
static enum err read_filter(struct ask *k, const struct tags_ask *t, struct ql_query **out) {
    *out = NULL;
    if (t->q.len == 0) return ERR_OK;
    if (t->q.len > QL_TEXT_MAX)
        return err_set(&k->ctx, ERR_INVALID, "q is longer than %d bytes", QL_TEXT_MAX);
    ASSERT(k->n_queries < ASK_QUERIES_MAX);
    TRY(ql_parse_lenient(&k->arena, t->q, out));
    if (!*out) return ERR_OK;
    k->queries[k->n_queries++] = *out;
    k->text = (*out)->text; // what errors from here on are about
    return ERR_OK;
}

static void note_limit(struct ask *k, uint64_t limit, const char *what) {
    if (!k->partial[0])
        (void)snprintf(k->partial, sizeof k->partial, "there are more than %llu %s (limit)",
                       (unsigned long long)limit, what);
}

static void tail(const void *stats, struct message *m, bool last) {
    (void)last;
    tempo_tag_metrics(m, stats);
}

// --- names -----------------------------------------------------------------------------------------------

enum {
    ALL_SCOPES = 1 << FIELD_SPAN | 1 << FIELD_RESOURCE | 1 << FIELD_EVENT | 1 << FIELD_LINK |
                 1 << FIELD_INSTRUMENTATION
};

// Bits of enum field_scope, and whether intrinsics are wanted.
static enum err read_scope(struct ask *k, struct str scope, uint32_t *scopes, bool *with_intrinsics) {
    *scopes = 0;
    *with_intrinsics = true;
    if (str_eq(scope, STR("intrinsic"))) return ERR_OK;
    *scopes = ALL_SCOPES;
    if (scope.len == 0 || str_eq(scope, STR("none"))) return ERR_OK;
    *with_intrinsics = false;
    *scopes = 0;
    if (str_eq(scope, STR("trace"))) return ERR_OK; // has no attributes of its own
    for (int s = FIELD_SPAN; s < FIELD_SCOPE_COUNT; s++)
        if (str_eq(scope, field_scope_name((enum field_scope)s))) {
            *scopes = 1u << s;
            return ERR_OK;
        }
    return err_set(&k->ctx, ERR_INVALID,
                   "scope is one of resource, span, event, link, instrumentation, intrinsic, none");
}

static enum err write_name(struct tempo_pieces *out, uint32_t number, struct str name) {
    tempo_item_begin(out);
    message_text(&out->message, number, name);
    return tempo_item_end(out);
}

// A scope in as many parts as pieces of protobuf want: each is one item.
enum { SCOPE_PART_BYTES = 256 << 10 };
static enum err write_scope(struct tempo_pieces *out, struct str scope, const struct str *names, uint32_t n) {
    struct message *m = &out->message;
    bool in_parts = out->most && !m->is_json;
    for (uint32_t i = 0; i < n;) {
        tempo_item_begin(out);
        message_begin(m, TEMPO_LIST);
        message_text(m, TEMPO_SCOPE_NAME, scope);
        for (size_t from = m->buf.len; i < n; i++) {
            if (in_parts && m->buf.len - from > SCOPE_PART_BYTES) break;
            message_text(m, TEMPO_SCOPE_TAGS, names[i]);
        }
        message_end(m);
        TRY(tempo_item_end(out));
    }
    return ERR_OK;
}

static enum err write_scopes(struct tempo_pieces *out, const struct tag_names *n, bool with_intrinsics) {
    static const enum field_scope order[] = { FIELD_RESOURCE, FIELD_SPAN, FIELD_EVENT, FIELD_LINK,
                                              FIELD_INSTRUMENTATION };
    if (with_intrinsics)
        TRY(write_scope(out, STR("intrinsic"), intrinsics, sizeof intrinsics / sizeof *intrinsics));
    for (size_t i = 0; i < sizeof order / sizeof *order; i++) {
        const struct tag_scope *s = &n->scopes[order[i]];
        TRY(write_scope(out, field_scope_name(order[i]), s->names, s->n));
    }
    return ERR_OK;
}

static int by_text(const void *x, const void *y) {
    return str_cmp(*(const struct str *)x, *(const struct str *)y);
}

// v1 knows no scopes: each name once.
static enum err write_names(struct ask *k, struct tempo_pieces *out, const struct tag_names *n,
                            bool with_intrinsics, uint64_t limit) {
    size_t total = 0, at = 0;
    for (int s = 0; s < FIELD_SCOPE_COUNT; s++) total += n->scopes[s].n;
    struct str *all = ARENA_ARRAY(&k->arena, total + 1, struct str);
    if (!all) return ERR_NOMEM;
    for (int s = 0; s < FIELD_SCOPE_COUNT; s++)
        for (uint32_t i = 0; i < n->scopes[s].n; i++) all[at++] = n->scopes[s].names[i];
    if (total > 1) qsort(all, total, sizeof *all, by_text);
    size_t kept = 0;
    for (size_t i = 0; i < total; i++)
        if (kept == 0 || !str_eq(all[i], all[kept - 1])) all[kept++] = all[i];
    if (limit && kept > limit) {
        note_limit(k, limit, "names");
        kept = limit;
    }
    for (size_t i = 0; with_intrinsics && i < sizeof intrinsics / sizeof *intrinsics; i++)
        TRY(write_name(out, TEMPO_LIST, intrinsics[i]));
    for (size_t i = 0; i < kept; i++) TRY(write_name(out, TEMPO_LIST, all[i]));
    return ERR_OK;
}

enum err tags_answer_names(struct ask *k, const struct tags_ask *t, enum tags_version version,
                           struct tempo_pieces *out) {
    uint32_t scopes;
    bool with_intrinsics;
    struct tag_names n;
    struct ql_query *filter = NULL;
    struct query_bounds bounds = ask_bounds(k, t->start_ns, t->end_ns);
    TRY(read_scope(k, t->scope, &scopes, &with_intrinsics));
    if (version == TAGS_V1) with_intrinsics = str_eq(t->scope, STR("intrinsic"));
    if (version == TAGS_V2) TRY(read_filter(k, t, &filter));
    TRY(tags_names(k->view, scopes, filter, &bounds, (uint32_t)t->limit, &n, &k->ctx));
    ask_note_scan(k, &n.stats);
    enum err e = n.partial ? ask_note_partial(k, n.why, &n.stats) : ERR_OK;
    if (n.cut) note_limit(k, t->limit, "names in a scope");
    out->tail = tail;
    out->tail_ctx = &n.stats;
    if (e == ERR_OK)
        e = version == TAGS_V1 ? write_names(k, out, &n, with_intrinsics, t->limit)
                               : write_scopes(out, &n, with_intrinsics);
    if (e == ERR_OK) e = tempo_pieces_end(out);
    tag_names_fini(&n);
    return e;
}

// --- values ----------------------------------------------------------------------------------------------

struct str tags_type_name(enum value_type t) {
    switch (t) {
    case VALUE_BOOL: return STR("bool");
    case VALUE_INT: return STR("int");
    case VALUE_FLOAT: return STR("float");
    case VALUE_DURATION: return STR("duration");
    case VALUE_STATUS:
    case VALUE_KIND: return STR("keyword");
    case VALUE_NIL:
    case VALUE_STRING:
    case VALUE_ANY:
    case VALUE_TYPE_COUNT:
    default: return STR("string");
    }
}

static enum err write_value(struct tempo_pieces *out, enum tags_version version, struct str type,
                            struct str text) {
    struct message *m = &out->message;
    tempo_item_begin(out);
    if (version == TAGS_V1) {
        message_text(m, TEMPO_LIST, text);
    } else {
        message_begin(m, TEMPO_LIST);
        message_text(m, TEMPO_VALUE_TYPE, type);
        message_text(m, TEMPO_VALUE_TEXT, text);
        message_end(m);
    }
    return tempo_item_end(out);
}

static enum err write_keywords(struct tempo_pieces *out, enum tags_version version, const char *const *words,
                               uint32_t n) {
    struct query_stats none = { 0 };
    out->tail = tail;
    out->tail_ctx = &none;
    for (uint32_t i = 0; i < n; i++) TRY(write_value(out, version, STR("keyword"), str_of(words[i])));
    return tempo_pieces_end(out);
}

static enum err write_values(struct tempo_pieces *out, enum tags_version version,
                             const struct tag_values *v) {
    struct buf text;
    enum err e = ERR_OK;
    buf_init(&text, SIZE_MAX);
    for (uint32_t i = 0; i < v->n && e == ERR_OK; i++) {
        buf_reset(&text);
        value_text(&v->values[i], &text);
        e = text.failed ? ERR_NOMEM
                        : write_value(out, version, tags_type_name(v->values[i].type), buf_view(&text));
    }
    buf_fini(&text);
    return e;
}

// Times, ids and numbers of the tree: every span has its own.
bool tags_is_unlisted(const struct field *f) {
    switch (f->intrinsic) {
    case INTRINSIC_DURATION:
    case INTRINSIC_TRACE_DURATION:
    case INTRINSIC_EVENT_TIME:
    case INTRINSIC_SPAN_ID:
    case INTRINSIC_PARENT_ID:
    case INTRINSIC_TRACE_ID:
    case INTRINSIC_LINK_TRACE_ID:
    case INTRINSIC_LINK_SPAN_ID:
    case INTRINSIC_CHILD_COUNT:
    case INTRINSIC_NESTED_LEFT:
    case INTRINSIC_NESTED_RIGHT:
    case INTRINSIC_NESTED_PARENT:
    case INTRINSIC_PARENT: return true;
    default: return f->of_parent;
    }
}

static enum err answer_field(struct ask *k, const struct tags_ask *t, const struct field *f,
                             enum tags_version version, struct tempo_pieces *out) {
    static const char *const statuses[] = { "ok", "error", "unset" };
    static const char *const kinds[] = {
        "client", "server", "producer", "consumer", "internal", "unspecified"
    };
    struct query_bounds bounds = ask_bounds(k, t->start_ns, t->end_ns);
    struct ql_query *filter = NULL;
    struct tag_values v;
    if (f->intrinsic == INTRINSIC_STATUS && !f->of_parent) return write_keywords(out, version, statuses, 3);
    if (f->intrinsic == INTRINSIC_KIND && !f->of_parent) return write_keywords(out, version, kinds, 6);
    if (tags_is_unlisted(f)) return write_keywords(out, version, NULL, 0);
    if (version == TAGS_V2) TRY(read_filter(k, t, &filter));
    TRY(tags_values(k->view, f, filter, &bounds, (uint32_t)t->limit, &v, &k->ctx));
    ask_note_scan(k, &v.stats);
    enum err e = v.partial ? ask_note_partial(k, v.why, &v.stats) : ERR_OK;
    if (v.cut) note_limit(k, t->limit, "values");
    out->tail = tail;
    out->tail_ctx = &v.stats;
    if (e == ERR_OK) e = write_values(out, version, &v);
    if (e == ERR_OK) e = tempo_pieces_end(out);
    tag_values_fini(&v);
    return e;
}

static enum err answer_v1(struct ask *k, const struct tags_ask *t, struct tempo_pieces *out) {
    static const char *const statuses[] = { "unset", "ok", "error" };
    static const char *const errors[] = { "true" };
    struct field f = { .scope = FIELD_UNSCOPED, .key = t->name };
    if (str_eq(t->name, STR("status.code"))) return write_keywords(out, TAGS_V1, statuses, 3);
    if (str_eq(t->name, STR("error"))) return write_keywords(out, TAGS_V1, errors, 1);
    if (str_eq(t->name, STR("root.service.name")))
        f = (struct field){ .scope = FIELD_SPAN, .intrinsic = INTRINSIC_ROOT_SERVICE };
    if (str_eq(t->name, STR("root.name")))
        f = (struct field){ .scope = FIELD_SPAN, .intrinsic = INTRINSIC_ROOT_NAME };
    if (str_eq(t->name, STR("name"))) f = (struct field){ .scope = FIELD_SPAN, .intrinsic = INTRINSIC_NAME };
    return answer_field(k, t, &f, TAGS_V1, out);
}

enum err tags_answer_values(struct ask *k, const struct tags_ask *t, enum tags_version version,
                            struct tempo_pieces *out) {
    struct field f;
    if (t->name.len == 0) return err_set(&k->ctx, ERR_INVALID, "the name of the tag is missing");
    if (version == TAGS_V1) return answer_v1(k, t, out);
    k->text = t->name;
    TRY(ql_parse_field(&k->arena, t->name, &f, &k->ctx));
    return answer_field(k, t, &f, version, out);
}

// --- HTTP ------------------------------------------------------------------------------------------------

static enum err names_v1(struct ask *k, struct tempo_pieces *out) {
    struct tags_ask t;
    TRY(tags_ask_read(k, &t));
    return tags_answer_names(k, &t, TAGS_V1, out);
}

static enum err names_v2(struct ask *k, struct tempo_pieces *out) {
    struct tags_ask t;
    TRY(tags_ask_read(k, &t));
    return tags_answer_names(k, &t, TAGS_V2, out);
}

// The part of the path between `prefix` and "/values"; it may hold slashes.
static enum err values(struct ask *k, struct str prefix, enum tags_version version,
                       struct tempo_pieces *out) {
    struct tags_ask t;
    struct str tail_part = STR("/values");
    if (!str_ends(k->path, tail_part) || k->path.len <= prefix.len + tail_part.len)
        return err_set(&k->ctx, ERR_NOT_FOUND, "no such path");
    TRY(tags_ask_read(k, &t));
    t.name = str_sub(k->path, prefix.len, k->path.len - prefix.len - tail_part.len);
    return tags_answer_values(k, &t, version, out);
}

static enum err values_v1(struct ask *k, struct tempo_pieces *out) {
    return values(k, STR("/api/search/tag/"), TAGS_V1, out);
}

static enum err values_v2(struct ask *k, struct tempo_pieces *out) {
    return values(k, STR("/api/v2/search/tag/"), TAGS_V2, out);
}

void tags_v1_handle(struct api *a, struct net_request *rq) {
    reply_tempo(a, rq, &tempo_tags_response, names_v1);
}

void tags_v2_handle(struct api *a, struct net_request *rq) {
    reply_tempo(a, rq, &tempo_tags_v2_response, names_v2);
}

void values_v1_handle(struct api *a, struct net_request *rq) {
    reply_tempo(a, rq, &tempo_values_response, values_v1);
}

void values_v2_handle(struct api *a, struct net_request *rq) {
    reply_tempo(a, rq, &tempo_values_v2_response, values_v2);
}
