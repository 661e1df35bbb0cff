// SPDX-License-Identifier: Apache-2.0
// Searches as Tempo's API has them: with TraceQL, or by tags and durations, which become TraceQL.
#include "api/search.h"

#include <stdio.h>

#include "api/api_internal.h"
#include "api/print.h"

enum { LIMIT_DEFAULT = 20, SPSS_DEFAULT = 3 };

// --- what is asked ---------------------------------------------------------------------------------------

void search_cursor_write(const struct trace_summary *t, char out[static SEARCH_CURSOR_MAX]) {
    char hex[33] = { 0 };
    hex_encode(t->id, 16, hex);
    (void)snprintf(out, SEARCH_CURSOR_MAX, "%llu-%s", (unsigned long long)t->start_ns, hex);
}

bool search_cursor_read(struct str text, uint64_t *start_ns, uint8_t id[16]) {
    struct str start, hex;
    return str_cut(text, '-', &start, &hex) && str_u64(start, start_ns) && print_parse_trace_id(hex, id);
}

static bool is_known(struct str name) {
    static const char *const known[] = { "q",
                                         "tags",
                                         "minDuration",
                                         "maxDuration",
                                         "limit",
                                         "spss",
                                         "start",
                                         "end",
                                         "since",
                                         "cursor",
                                         "skip_ast_transformations" };
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (str_eq(name, str_of(known[i]))) return true;
    return false;
}

// The oldest form: what is no parameter is a tag.
static enum err read_loose_tags(struct ask *k, struct search_ask *s) {
    struct str rest = k->params.query;
    struct search_tag t;
    while (params_next(&k->params, &rest, &t.key, &t.value)) {
        if (is_known(t.key) || t.value.len == 0) continue;
        if (s->n_tags == SEARCH_TAGS_MAX)
            return err_set(&k->ctx, ERR_INVALID, "more than %d tags", SEARCH_TAGS_MAX);
        s->tags[s->n_tags++] = t;
    }
    return ERR_OK;
}

enum err search_ask_read(struct ask *k, struct search_ask *s) {
    const struct params *p = &k->params;
    struct str tags = params_get(p, STR("tags")), cursor = params_get(p, STR("cursor"));
    *s = (struct search_ask){ .q = params_get(p, STR("q")),
                              .limit = LIMIT_DEFAULT,
                              .tags = ARENA_ARRAY(&k->arena, SEARCH_TAGS_MAX, struct search_tag) };
    if (!s->tags) return ERR_NOMEM;
    TRY(params_number(p, STR("limit"), SEARCH_LIMIT_MAX, &s->limit, &k->ctx));
    TRY(params_number(p, STR("spss"), SEARCH_SPSS_MAX, &s->spss, &k->ctx));
    TRY(params_duration(p, STR("minDuration"), &s->min_duration_ns, &k->ctx));
    TRY(params_duration(p, STR("maxDuration"), &s->max_duration_ns, &k->ctx));
    TRY(params_range(p, k->limits->clock, &s->start_ns, &s->end_ns, &k->ctx));
    if (s->limit == 0) return err_set(&k->ctx, ERR_INVALID, "limit must be greater than 0");
    if (cursor.len) s->has_after = search_cursor_read(cursor, &s->after_start_ns, s->after_id);
    if (cursor.len && !s->has_after) return err_set(&k->ctx, ERR_INVALID, "the cursor is not one of ours");
    return search_tags_parse(k, tags, s);
}

enum err search_ask_check(struct ask *k, struct search_ask *s) {
    if (s->q.len && s->n_tags) return err_set(&k->ctx, ERR_INVALID, "q and tags do not go together");
    if (s->limit == 0) s->limit = LIMIT_DEFAULT;
    if (s->spss == 0) s->spss = SPSS_DEFAULT;
    if (s->limit > SEARCH_LIMIT_MAX)
        return err_set(&k->ctx, ERR_INVALID, "limit is at most %d", SEARCH_LIMIT_MAX);
    if (s->spss > SEARCH_SPSS_MAX)
        return err_set(&k->ctx, ERR_INVALID, "spans per span set are at most %d", SEARCH_SPSS_MAX);
    if (s->max_duration_ns && s->max_duration_ns < s->min_duration_ns)
        return err_set(&k->ctx, ERR_INVALID, "maxDuration is less than minDuration");
    if (s->q.len) return ERR_OK;
    s->bare = true;
    return search_tags_text(k, s, &s->q);
}

enum err search_ask_find(struct ask *k, const struct search_ask *s, struct find_result *out) {
    struct ql_query *q;
    TRY(ask_parse_search(k, s->q, &q));
    struct find f = { .query = q,
                      .bounds = ask_bounds(k, s->start_ns, s->end_ns),
                      .limit = (uint32_t)s->limit,
                      .spans_per_set = s->bare ? 0 : (uint32_t)s->spss,
                      .count = s->count,
                      .errors = s->errors,
                      .has_after = s->has_after,
                      .after_start_ns = s->after_start_ns,
                      .teller = s->teller,
                      .found = s->found };
    memcpy(f.after_id, s->after_id, sizeof f.after_id);
    TRY(find_run(k->view, &f, out, &k->ctx));
    ask_note_scan(k, &out->stats);
    if (out->has_more && out->n) search_cursor_write(&out->traces[out->n - 1].summary, k->next);
    enum err e = out->partial ? ask_note_partial(k, out->why, &out->stats) : ERR_OK;
    if (e != ERR_OK) find_fini(out);
    return e;
}

// --- what is found ---------------------------------------------------------------------------------------

// Hex without leading zeros, as Tempo writes it.
static struct str short_id(const uint8_t id[16], char hex[32]) {
    struct str s = { hex, 32 };
    hex_encode(id, 16, hex);
    while (s.len > 1 && *s.ptr == '0') s = str_sub(s, 1, s.len);
    return s;
}

static void write_attributes(struct message *m, uint32_t number, const struct find_attr *attrs, uint32_t n) {
    for (uint32_t i = 0; i < n; i++)
        if (attrs[i].value.type != VALUE_NIL) tempo_attribute(m, number, attrs[i].key, &attrs[i].value);
}

static void write_span(struct message *m, const struct find_span *s) {
    char hex[16];
    hex_encode(&s->span_id, 8, hex);
    message_begin(m, TEMPO_SET_SPANS);
    message_text(m, TEMPO_SPAN_ID, (struct str){ hex, 16 });
    if (s->has_name) message_text(m, TEMPO_SPAN_NAME, s->name);
    message_number(m, TEMPO_SPAN_START, s->start_ns);
    message_number(m, TEMPO_SPAN_DURATION, s->duration_ns);
    write_attributes(m, TEMPO_SPAN_ATTRIBUTES, s->attrs, s->n_attrs);
    message_end(m);
}

static void write_set(struct message *m, uint32_t number, const struct find_set *s) {
    message_begin(m, number);
    for (uint32_t i = 0; i < s->n_spans; i++) write_span(m, &s->spans[i]);
    message_number(m, TEMPO_SET_MATCHED, s->matched);
    write_attributes(m, TEMPO_SET_ATTRIBUTES, s->attrs, s->n_attrs);
    message_end(m);
}

// The first set stands there twice: also alone, for clients that know of no more.
static void write_sets(struct message *m, const struct find_set *sets, uint32_t n) {
    if (n == 0) return;
    write_set(m, TEMPO_SPAN_SET, &sets[0]);
    message_again(m, TEMPO_SPAN_SETS);
    for (uint32_t i = 1; i < n; i++) write_set(m, TEMPO_SPAN_SETS, &sets[i]);
}

static enum err write_trace(struct tempo_pieces *out, const struct trace_summary *t,
                            const struct find_set *sets, uint32_t n_sets) {
    struct message *m = &out->message;
    char hex[32];
    uint64_t ms = t->duration_ns / 1000000;
    tempo_item_begin(out);
    message_begin(m, TEMPO_LIST);
    message_text(m, TEMPO_TRACE_ID, short_id(t->id, hex));
    message_text(m, TEMPO_ROOT_SERVICE, t->has_root ? t->root_service : STR("<root span not yet received>"));
    message_text(m, TEMPO_ROOT_NAME, t->has_root ? t->root_name : STR(""));
    message_number(m, TEMPO_START, t->start_ns);
    message_number(m, TEMPO_DURATION_MS, ms < UINT32_MAX ? ms : UINT32_MAX);
    write_sets(m, sets, n_sets);
    message_services(m, TEMPO_SERVICE_STATS, t->services);
    message_end(m);
    return tempo_item_end(out);
}

static void tail(const void *stats, struct message *m, bool last) {
    (void)last;
    tempo_search_metrics(m, stats);
}

static enum err add_trace(void *pieces, const struct find_trace *t) {
    return write_trace(pieces, &t->summary, t->sets, t->n_sets);
}

static enum err tell(void *pieces, const struct query_stats *so_far) {
    struct tempo_pieces *out = pieces;
    out->tail_ctx = so_far;
    return tempo_pieces_end(out);
}

// What is written of a trace that comes later is fetched: it lies all over memory.
static void fetch_ahead(const struct find_result *r, uint32_t i) {
    enum { AHEAD = 8, LINE = 64, LINES_MAX = 5 };
    if (i + AHEAD >= r->n) return;
    struct str text = r->traces[i + AHEAD].summary.services;
    for (size_t k = 0; k < text.len && k < LINE * LINES_MAX; k += LINE) mem_fetch(text.ptr + k);
}

enum err search_answer(struct ask *k, struct search_ask *s, struct tempo_pieces *out) {
    struct find_result r;
    struct query_stats none = { 0 };
    TRY(search_ask_check(k, s));
    out->tail = tail;
    out->tail_ctx = &none;
    if (out->send && !out->message.is_json) { // JSON is one text: nothing can be told on the way
        s->teller = (struct query_teller){ tell, out, k->limits->progress_ns };
        s->found = add_trace;
    }
    TRY(search_ask_find(k, s, &r));
    enum err e = ERR_OK;
    out->tail_ctx = &r.stats;
    for (uint32_t i = 0; i < r.n && e == ERR_OK; i++) {
        fetch_ahead(&r, i);
        e = add_trace(out, &r.traces[i]);
    }
    if (e == ERR_OK) e = tempo_pieces_end(out);
    find_fini(&r);
    return e;
}

static enum err answer(struct ask *k, struct tempo_pieces *out) {
    struct search_ask s;
    const struct params *p = &k->params;
    TRY(search_ask_read(k, &s));
    bool has_range = params_get(p, STR("start")).len || params_get(p, STR("end")).len;
    if (s.q.len == 0 && s.n_tags == 0 && !has_range) TRY(read_loose_tags(k, &s));
    return search_answer(k, &s, out);
}

void search_handle(struct api *a, struct net_request *rq) {
    reply_tempo(a, rq, &tempo_search_response, answer);
}
