// SPDX-License-Identifier: Apache-2.0
// The lists of traces of the web app: the plain one, and searches in TraceQL.
#include "api/page.h"

#include <stdio.h>
#include <stdlib.h>

#include "api/api_internal.h"
#include "api/search.h"
#include "query/search.h"
#include "span/services.h"

// Of a search that is sorted by anything but time; the best of them are the page.
enum { SORTED_MAX = 5000 };

enum sort { SORT_NEWEST, SORT_SLOWEST, SORT_SPANS };

// The services, and behind them how many spans of all are in error.
static enum err write_services(struct json_writer *w, struct str text) {
    struct services s;
    struct service_count c;
    uint64_t errors = 0;
    jw_key(w, STR("services"));
    jw_array(w);
    services_begin(&s, text);
    while (services_next(&s, &c)) {
        jw_object(w);
        jw_key(w, STR("name"));
        jw_str(w, c.name);
        jw_key(w, STR("spans"));
        jw_u64(w, c.spans);
        jw_key(w, STR("errors"));
        jw_u64(w, c.errors);
        jw_object_end(w);
        errors += c.errors;
    }
    jw_array_end(w);
    jw_key(w, STR("errors"));
    jw_u64(w, errors);
    return services_end(&s);
}

// The members of the object at hand.
static enum err write_summary(struct json_writer *w, const struct trace_summary *t) {
    char hex[32];
    hex_encode(t->id, 16, hex);
    jw_key(w, STR("traceId"));
    jw_str(w, (struct str){ hex, 32 });
    jw_key(w, STR("rootService"));
    if (t->has_root)
        jw_str(w, t->root_service);
    else
        jw_null(w);
    jw_key(w, STR("rootName"));
    if (t->has_root)
        jw_str(w, t->root_name);
    else
        jw_null(w);
    jw_key(w, STR("startUnixNano"));
    jw_u64_str(w, t->start_ns);
    jw_key(w, STR("durationNano"));
    jw_u64_str(w, t->duration_ns);
    jw_key(w, STR("spans"));
    jw_u64(w, t->spans);
    return write_services(w, t->services);
}

static void write_scan(struct json_writer *w, const struct query_stats *s) {
    jw_object(w);
    jw_key(w, STR("traces"));
    jw_u64(w, s->traces);
    jw_key(w, STR("spans"));
    jw_u64(w, s->spans);
    jw_key(w, STR("bytes"));
    jw_u64(w, s->bytes);
    jw_key(w, STR("blocks"));
    jw_u64(w, s->blocks);
    jw_key(w, STR("blocksTotal"));
    jw_u64(w, s->blocks_total);
    jw_key(w, STR("groups"));
    jw_u64(w, s->groups);
    jw_key(w, STR("groupsTotal"));
    jw_u64(w, s->groups_total);
    jw_object_end(w);
}

static void write_or_null(struct json_writer *w, struct str key, const char *text) {
    jw_key(w, key);
    if (text[0])
        jw_str(w, str_of(text));
    else
        jw_null(w);
}

// --- the plain list --------------------------------------------------------------------------------------

static enum err write_list(struct json_writer *w, const struct ask *k, const struct find_result *r) {
    jw_object(w);
    jw_key(w, STR("traces"));
    jw_array(w);
    for (uint32_t i = 0; i < r->n; i++) {
        jw_object(w);
        TRY(write_summary(w, &r->traces[i].summary));
        jw_object_end(w);
    }
    jw_array_end(w);
    jw_key(w, STR("total"));
    jw_u64(w, r->total);
    jw_key(w, STR("complete"));
    jw_bool(w, k->partial[0] == '\0');
    write_or_null(w, STR("cursor"), k->next);
    jw_object_end(w);
    return ERR_OK;
}

static enum err answer_list(struct ask *k, struct json_writer *w) {
    struct search_ask s;
    struct find_result r;
    struct str errors = params_get(&k->params, STR("errors"));
    TRY(search_ask_read(k, &s));
    struct search how = { .service = params_get(&k->params, STR("service")),
                          .operation = params_get(&k->params, STR("operation")),
                          .errors = str_eq(errors, STR("1")),
                          .min_duration_ns = s.min_duration_ns,
                          .max_duration_ns = s.max_duration_ns };
    if (search_text(&k->arena, &how, &s.q) == ERR_INVALID)
        return err_set(&k->ctx, ERR_INVALID, "the name of a service or an operation is not UTF-8");
    s.bare = true;
    s.count = true;
    TRY(search_ask_find(k, &s, &r));
    enum err e = write_list(w, k, &r);
    k->next[0] = '\0'; // it stands in the body
    find_fini(&r);
    return e;
}

void takt_traces_handle(struct api *a, struct net_request *rq) {
    reply_asked(a, rq, answer_list);
}

// --- searches --------------------------------------------------------------------------------------------

struct str page_type_name(enum value_type t) {
    static const char *const names[VALUE_TYPE_COUNT] = {
        "nil", "bool", "int", "float", "duration", "status", "kind", "string", "any",
    };
    return str_of(names[t]);
}

static void write_attributes(struct json_writer *w, const struct find_attr *attrs, uint32_t n) {
    struct buf text;
    buf_init(&text, SIZE_MAX);
    jw_key(w, STR("attributes"));
    jw_array(w);
    for (uint32_t i = 0; i < n; i++) {
        buf_reset(&text);
        value_text(&attrs[i].value, &text);
        jw_object(w);
        jw_key(w, STR("key"));
        jw_str(w, attrs[i].key);
        jw_key(w, STR("type"));
        jw_str(w, page_type_name(attrs[i].value.type));
        jw_key(w, STR("value"));
        jw_str(w, buf_view(&text));
        jw_object_end(w);
        w->out->failed |= text.failed;
    }
    jw_array_end(w);
    buf_fini(&text);
}

static void write_span(struct json_writer *w, const struct find_span *s) {
    char hex[16];
    hex_encode(&s->span_id, 8, hex);
    jw_object(w);
    jw_key(w, STR("spanId"));
    jw_str(w, (struct str){ hex, 16 });
    jw_key(w, STR("name"));
    if (s->has_name)
        jw_str(w, s->name);
    else
        jw_null(w);
    jw_key(w, STR("startUnixNano"));
    jw_u64_str(w, s->start_ns);
    jw_key(w, STR("durationNano"));
    jw_u64_str(w, s->duration_ns);
    jw_key(w, STR("error"));
    jw_bool(w, s->is_error);
    write_attributes(w, s->attrs, s->n_attrs);
    jw_object_end(w);
}

static enum err write_found(struct json_writer *w, const struct find_trace *t) {
    jw_object(w);
    TRY(write_summary(w, &t->summary));
    jw_key(w, STR("sets"));
    jw_array(w);
    for (uint32_t i = 0; i < t->n_sets; i++) {
        const struct find_set *s = &t->sets[i];
        jw_object(w);
        write_attributes(w, s->attrs, s->n_attrs);
        jw_key(w, STR("matched"));
        jw_u64(w, s->matched);
        jw_key(w, STR("spans"));
        jw_array(w);
        for (uint32_t j = 0; j < s->n_spans; j++) write_span(w, &s->spans[j]);
        jw_array_end(w);
        jw_object_end(w);
    }
    jw_array_end(w);
    jw_object_end(w);
    return ERR_OK;
}

// Two fields may go by one name (span.x, resource.x).
static void write_columns(struct json_writer *w, const struct find_result *r) {
    jw_key(w, STR("columns"));
    jw_array(w);
    for (uint32_t i = 0; i < r->n_columns; i++) {
        bool again = r->columns[i].ptr == NULL;
        for (uint32_t k = 0; k < i && !again; k++)
            again = r->columns[k].ptr && str_eq(r->columns[k], r->columns[i]);
        if (!again) jw_str(w, r->columns[i]);
    }
    jw_array_end(w);
}

static enum err write_page(struct json_writer *w, const struct ask *k, const struct find_result *r,
                           uint32_t n) {
    jw_object(w);
    jw_key(w, STR("traces"));
    jw_array(w);
    for (uint32_t i = 0; i < n; i++) TRY(write_found(w, &r->traces[i]));
    jw_array_end(w);
    write_columns(w, r);
    jw_key(w, STR("total"));
    jw_u64(w, r->total);
    jw_key(w, STR("matchedSpans"));
    jw_u64(w, r->matched_spans);
    jw_key(w, STR("exact"));
    jw_bool(w, r->is_exact);
    jw_key(w, STR("complete"));
    jw_bool(w, k->partial[0] == '\0');
    write_or_null(w, STR("why"), k->partial);
    write_or_null(w, STR("cursor"), k->next);
    jw_key(w, STR("scan"));
    write_scan(w, &r->stats);
    jw_object_end(w);
    return ERR_OK;
}

static int newest_first(const struct find_trace *a, const struct find_trace *b) {
    if (a->summary.start_ns != b->summary.start_ns) return a->summary.start_ns > b->summary.start_ns ? -1 : 1;
    return memcmp(a->summary.id, b->summary.id, 16);
}

static int slowest_first(const void *x, const void *y) {
    const struct find_trace *a = x, *b = y;
    if (a->summary.duration_ns != b->summary.duration_ns)
        return a->summary.duration_ns > b->summary.duration_ns ? -1 : 1;
    return newest_first(a, b);
}

static uint64_t matched_of(const struct find_trace *t) {
    uint64_t n = 0;
    for (uint32_t i = 0; i < t->n_sets; i++) n += t->sets[i].matched;
    return n;
}

static int most_spans_first(const void *x, const void *y) {
    const struct find_trace *a = x, *b = y;
    uint64_t n_a = matched_of(a), n_b = matched_of(b);
    if (n_a != n_b) return n_a > n_b ? -1 : 1;
    return newest_first(a, b);
}

// All that was found is sorted; what is past SORTED_MAX was not, and the answer says so.
static void sort_found(struct ask *k, struct find_result *r, enum sort sort) {
    if (r->n > 1)
        qsort(r->traces, r->n, sizeof *r->traces, sort == SORT_SLOWEST ? slowest_first : most_spans_first);
    if (r->has_more && !k->partial[0])
        (void)snprintf(k->partial, sizeof k->partial, "only the newest %d of the traces were sorted",
                       SORTED_MAX);
    k->next[0] = '\0';
}

static enum err read_sort(struct ask *k, enum sort *out) {
    struct str s = params_get(&k->params, STR("sort"));
    *out = SORT_NEWEST;
    if (str_eq(s, STR("slowest"))) *out = SORT_SLOWEST;
    if (str_eq(s, STR("spans"))) *out = SORT_SPANS;
    if (s.len && *out == SORT_NEWEST && !str_eq(s, STR("newest")))
        return err_set(&k->ctx, ERR_INVALID, "sort is one of newest, slowest, spans");
    return ERR_OK;
}

enum err page_search(struct ask *k, struct json_writer *w) {
    struct search_ask s;
    struct find_result r;
    enum sort sort;
    TRY(search_ask_read(k, &s));
    TRY(search_ask_check(k, &s));
    TRY(params_bool(&k->params, STR("count"), &s.count, &k->ctx));
    TRY(read_sort(k, &sort));
    s.bare = false;
    s.errors = true;
    uint64_t limit = s.limit;
    if (sort != SORT_NEWEST) {
        s.limit = SORTED_MAX;
        s.count = true;
        s.has_after = false;
    }
    TRY(search_ask_find(k, &s, &r));
    if (sort != SORT_NEWEST) sort_found(k, &r, sort);
    enum err e = write_page(w, k, &r, limit < r.n ? (uint32_t)limit : r.n);
    k->next[0] = '\0';
    find_fini(&r);
    return e;
}

void takt_search_handle(struct api *a, struct net_request *rq) {
    reply_asked(a, rq, page_search);
}
