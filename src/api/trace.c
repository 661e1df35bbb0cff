// SPDX-License-Identifier: Apache-2.0
// Trace by id, as Tempo's API has it, and what the web app asks about one trace.
#include "api/trace.h"

#include "api/api_internal.h"
#include "api/print.h"
#include "base/pb.h"
#include "otlp/encode.h"
#include "otlp/json.h"
#include "query/pick.h"
#include "span/canon.h"

enum { SPAN_ROWS_MAX = 5000 }; // of one question for details

// The path's part behind `prefix`, up to the next slash.
static struct str id_of_path(const struct net_request *rq, struct str prefix, struct str *tail) {
    struct str head;
    (void)str_cut(str_sub(rq->path, prefix.len, rq->path.len), '/', &head, tail);
    return head;
}

// start, end (0 = none), mode: they narrow where we look.
static enum err take_limits(const struct params *p, struct trace_limits *out, struct err_ctx *ctx) {
    struct str mode = params_get(p, STR("mode"));
    TRY(params_time(p, STR("start"), &out->start_ns, ctx));
    TRY(params_time(p, STR("end"), &out->end_ns, ctx));
    if (out->end_ns && out->end_ns <= out->start_ns)
        return err_set(ctx, ERR_INVALID, "end must be after start");
    if (out->start_ns && !out->end_ns) out->end_ns = INT64_MAX;
    out->skip_heads = str_eq(mode, STR("blocks"));
    out->skip_blocks = str_eq(mode, STR("ingesters"));
    if (mode.len == 0 || out->skip_heads || out->skip_blocks || str_eq(mode, STR("all")) ||
        str_eq(mode, STR("external")))
        return ERR_OK;
    return err_set(ctx, ERR_INVALID, "mode is one of all, blocks, ingesters, external");
}

// false: answered with 400.
static bool read_limits(struct api *a, struct net_request *rq, struct trace_limits *out) {
    struct params p = params_of(rq);
    struct err_ctx ctx = { 0 };
    *out = (struct trace_limits){ .bytes_max = a->opts.max_trace_bytes, .memory = a->opts.query_memory };
    if (take_limits(&p, out, &ctx) == ERR_OK) return true;
    reply_error(rq, 400, "%s", ctx.text);
    return false;
}

// Of a trace, its loading too.
static void reply_without(struct net_request *rq, const struct trace *t, enum err e, const char *what) {
    struct err_ctx ctx = { 0 };
    e = trace_explain(t, e, &ctx);
    if (e == ERR_AGAIN)
        reply_busy(rq, ctx.text);
    else
        reply_error(rq, e == ERR_UNSUPPORTED ? 500 : status_of(e), "%s: %s", what, err_text(e));
}

// Loads the trace of the path; false: answered already.
static bool load(struct api *a, struct net_request *rq, struct str prefix, struct str *tail,
                 struct trace *out) {
    uint8_t id[16];
    struct trace_limits limits;
    struct str hex = id_of_path(rq, prefix, tail);
    if (!print_parse_trace_id(hex, id)) {
        reply_error(rq, 400, "\"%.*s\" is not a trace id: up to 32 hexadecimal digits are expected",
                    (int)(hex.len < 60 ? hex.len : 60), hex.ptr);
        return false;
    }
    if (!read_limits(a, rq, &limits)) return false;
    struct view *v = ingest_view(a->opts.ingest);
    enum err e = trace_load(v, id, &limits, out);
    view_unref(v);
    if (e != ERR_OK) reply_without(rq, out, e, "the trace cannot be read");
    return e == ERR_OK;
}

// A trace as it goes out.
struct written {
    const struct trace *t;
    struct arena scratch;
    struct long_reply reply;
    struct otlp_steps steps;
};

static void written_init(struct written *w, struct net_request *rq, const struct trace *t, bool as_pb) {
    w->t = t;
    arena_init(&w->scratch, SIZE_MAX, t->arena.budget);
    long_reply_init(&w->reply, rq, as_pb ? TYPE_PROTOBUF : TYPE_JSON, t->n, !as_pb);
    w->steps = (struct otlp_steps){ long_reply_step, &w->reply };
}

static void written_end(struct written *w, enum err e) {
    struct err_ctx ctx = { 0 };
    arena_fini(&w->scratch);
    e = trace_explain(w->t, e, &ctx);
    long_reply_end(&w->reply, e, ctx.text);
}

static enum err encode(struct written *w) {
    const struct trace *t = w->t;
    return otlp_encode(&t->table, t->rows, t->n, &w->scratch, w->steps, &w->reply.buf);
}

static enum err encode_json(struct written *w, const struct otlp_message *m, struct json_writer *json) {
    const struct trace *t = w->t;
    return otlp_encode_json(&t->table, t->rows, t->n, &w->scratch, w->steps, m, OTLP_FLAVOUR_TEMPO, json);
}

// Tempo's paths end with the id.
static bool load_whole(struct api *a, struct net_request *rq, struct str prefix, struct trace *out) {
    struct str tail;
    (void)id_of_path(rq, prefix, &tail);
    if (!str_ends(rq->path, STR("/")) && tail.len == 0) return load(a, rq, prefix, &tail, out);
    reply_error(rq, 404, "no such path");
    return false;
}

void trace_v1_handle(struct api *a, struct net_request *rq) {
    struct trace t;
    struct written w;
    if (!load_whole(a, rq, STR("/api/traces/"), &t)) return;
    if (t.n == 0 || t.partial) {
        if (t.partial)
            reply_error(rq, 422, "%s", t.why);
        else
            reply_error(rq, 404, "trace not found");
        trace_fini(&t);
        return;
    }
    bool as_pb = wants_protobuf(rq);
    written_init(&w, rq, &t, as_pb);
    struct json_writer json = json_writer_on(&w.reply.buf);
    written_end(&w, as_pb ? encode(&w) : encode_json(&w, &otlp_batches, &json));
    trace_fini(&t);
}

// TraceByIDResponse { trace = 1, metrics = 2 { inspectedBytes = 1 }, status = 3, message = 4 }
static enum err v2_protobuf(struct written *w) {
    struct buf *out = &w->reply.buf;
    size_t mark = pb_begin(out, 1);
    TRY(encode(w));
    pb_end(out, mark);
    mark = pb_begin(out, 2);
    if (w->t->bytes_read) pb_varint(out, 1, w->t->bytes_read);
    pb_end(out, mark);
    if (!w->t->partial) return ERR_OK;
    pb_varint(out, 3, 1);
    pb_bytes(out, 4, str_of(w->t->why));
    return ERR_OK;
}

static enum err v2_json(struct written *written) {
    const struct trace *t = written->t;
    struct json_writer w = json_writer_on(&written->reply.buf);
    w.nonfinite_string = true;
    jw_object(&w);
    jw_key(&w, STR("trace"));
    TRY(encode_json(written, &otlp_traces_data, &w));
    jw_key(&w, STR("metrics"));
    jw_object(&w);
    if (t->bytes_read) {
        jw_key(&w, STR("inspectedBytes"));
        jw_u64_str(&w, t->bytes_read);
    }
    jw_object_end(&w);
    if (t->partial) {
        jw_key(&w, STR("status"));
        jw_str(&w, STR("PARTIAL"));
        jw_key(&w, STR("message"));
        jw_str(&w, str_of(t->why));
    }
    jw_object_end(&w);
    return ERR_OK;
}

static enum err read_depth(struct ask *k, struct str name, int64_t *out) {
    struct str s = params_get(&k->params, name);
    if (s.len == 0 || (str_i64(s, out) && *out >= -1)) return ERR_OK;
    return err_set(&k->ctx, ERR_INVALID, "%.*s is a number of levels, or -1 for all", STR_ARG(name));
}

// q, keep_hierarchy, match_depth, ancestor_depth.
static enum err pick_asked(struct ask *k, struct trace *t) {
    struct str q = params_get(&k->params, STR("q"));
    struct ql_query *query;
    struct pick p = { .ancestor_depth = -1 };
    if (q.len == 0) return ERR_OK;
    TRY(params_bool(&k->params, STR("keep_hierarchy"), &p.ancestors, &k->ctx));
    TRY(read_depth(k, STR("match_depth"), &p.match_depth));
    TRY(read_depth(k, STR("ancestor_depth"), &p.ancestor_depth));
    TRY(ask_parse(k, q, &query));
    TRY(pick_check(query, &k->ctx));
    p.query = query;
    return pick_run(t, &p, &k->ctx);
}

// false: answered with an error.
static bool pick_spans(struct api *a, struct net_request *rq, struct trace *t) {
    struct ask_limits limits = limits_of(a, rq);
    struct ask k;
    ask_init(&k, NULL, &limits, rq->query);
    enum err e = pick_asked(&k, t);
    if (e == ERR_NOMEM) e = trace_explain(t, e, &k.ctx);
    if (e != ERR_OK) reply_failed(a, rq, &k, e);
    ask_fini(&k);
    return e == ERR_OK;
}

void trace_v2_handle(struct api *a, struct net_request *rq) {
    struct trace t;
    struct written w;
    if (!load_whole(a, rq, STR("/api/v2/traces/"), &t)) return;
    if (pick_spans(a, rq, &t)) {
        bool as_pb = wants_protobuf(rq);
        written_init(&w, rq, &t, as_pb);
        written_end(&w, as_pb ? v2_protobuf(&w) : v2_json(&w));
    }
    trace_fini(&t);
}

// --- the web app -----------------------------------------------------------------------------------------

struct columns { // of a trace, as the skeleton wants them
    uint64_t *span_id, *parent_id, *start, *end;
    struct str *name, *message, *service;
    uint32_t *resource;
    uint8_t *kind, *status, *flags;
};

static bool columns_alloc(struct columns *c, struct arena *a, uint32_t n, uint32_t n_res) {
    *c = (struct columns){ ARENA_ARRAY(a, n + 1ull, uint64_t),
                           ARENA_ARRAY(a, n + 1ull, uint64_t),
                           ARENA_ARRAY(a, n + 1ull, uint64_t),
                           ARENA_ARRAY(a, n + 1ull, uint64_t),
                           ARENA_ARRAY(a, n + 1ull, struct str),
                           ARENA_ARRAY(a, n + 1ull, struct str),
                           ARENA_ARRAY(a, n_res + 1ull, struct str),
                           ARENA_ARRAY(a, n + 1ull, uint32_t),
                           ARENA_ARRAY(a, n + 1ull, uint8_t),
                           ARENA_ARRAY(a, n + 1ull, uint8_t),
                           arena_zalloc(a, n + 1ull) };
    return !a->failed;
}

enum err trace_skeleton(struct trace *t, struct skeleton_input *out) {
    const struct span_table *tb = &t->table;
    struct columns c;
    uint32_t n;
    if (!columns_alloc(&c, &t->arena, t->n, tb->n_resources)) return ERR_NOMEM;
    for (uint32_t i = 0; i < t->n; i++) {
        uint32_t row = t->rows[i], message = span_sparse_get(&tb->status_message, row, SPAN_NONE);
        c.span_id[i] = SEG_AT(&tb->span_id, row, uint64_t);
        c.parent_id[i] = SEG_AT(&tb->parent_id, row, uint64_t);
        c.start[i] = SEG_AT(&tb->start_ns, row, uint64_t);
        c.end[i] = SEG_AT(&tb->end_ns, row, uint64_t);
        c.name[i] = span_name(tb, row);
        c.message[i] = message == SPAN_NONE ? STR("") : dict_get(&tb->texts, message);
        c.resource[i] = SEG_AT(&tb->resource, row, uint32_t);
        c.kind[i] = SEG_AT(&tb->kind, row, uint8_t);
        c.status[i] = SEG_AT(&tb->status, row, uint8_t);
        (void)span_table_events(tb, row, &n);
        if (n) c.flags[i] |= SKELETON_EVENTS;
        (void)span_table_links(tb, row, &n);
        if (n) c.flags[i] |= SKELETON_LINKS;
    }
    for (uint32_t i = 0; i < tb->n_resources; i++) c.service[i] = span_resource_at(tb, i)->service;
    *out = (struct skeleton_input){ .n = t->n,
                                    .n_known = t->partial ? t->n + 1 : t->n,
                                    .span_id = c.span_id,
                                    .parent_id = c.parent_id,
                                    .start_ns = c.start,
                                    .end_ns = c.end,
                                    .name = c.name,
                                    .message = c.message,
                                    .resource = c.resource,
                                    .kind = c.kind,
                                    .status = c.status,
                                    .flags = c.flags,
                                    .n_resources = tb->n_resources,
                                    .service = c.service };
    if (t->n) memcpy(out->trace_id, span_trace_id(tb, t->rows[0]), 16);
    return ERR_OK;
}

static void reply_skeleton(struct net_request *rq, struct trace *t) {
    struct skeleton_input in;
    struct skeleton_tree tree;
    struct buf out;
    buf_init(&out, SIZE_MAX);
    enum err e = trace_skeleton(t, &in);
    if (e == ERR_OK) e = skeleton_tree(&t->arena, &in, &tree);
    if (e == ERR_OK) e = skeleton_encode(&t->arena, &in, &tree, &out);
    struct net_header partial = { STR("x-takt-partial"), str_of(t->why) };
    if (e != ERR_OK)
        reply_without(rq, t, e, "the trace cannot be laid out");
    else
        reply_buf_with(rq, 200, STR("application/octet-stream"), &out, &partial, t->partial ? 1 : 0);
    buf_fini(&out);
}

// "12,13,20-25" → rows of the skeleton; ERR_INVALID when it is not that, ERR_LIMIT when it is too much.
static enum err parse_rows(struct str s, uint32_t n_rows, struct arena *a, uint32_t **out, uint32_t *out_n) {
    uint32_t *rows = ARENA_ARRAY(a, SPAN_ROWS_MAX, uint32_t), n = 0;
    struct str part, from, to;
    if (!rows) return ERR_NOMEM;
    while (s.len) {
        uint64_t low, high;
        (void)str_cut(s, ',', &part, &s);
        bool range = str_cut(part, '-', &from, &to);
        if (!str_u64(from, &low) || !(range ? str_u64(to, &high) : str_u64(from, &high))) return ERR_INVALID;
        if (low > high || high >= n_rows) return ERR_INVALID;
        for (uint64_t i = low; i <= high; i++) {
            if (n == SPAN_ROWS_MAX) return ERR_LIMIT;
            rows[n++] = (uint32_t)i;
        }
    }
    *out = rows;
    *out_n = n;
    return n > 0 ? ERR_OK : ERR_INVALID;
}

static enum err write_entity(struct json_writer *w, struct str key, struct str url_key,
                             const struct otlp_message *m, struct str entity) {
    struct str message, url;
    canon_entity_split(entity, &message, &url);
    jw_key(w, key);
    TRY(otlp_json_write(m, message, OTLP_FLAVOUR_OTLP, w));
    if (!url.len) return ERR_OK;
    jw_key(w, url_key);
    jw_str(w, url);
    return ERR_OK;
}

static enum err write_span(const struct trace *t, uint32_t skeleton_row, uint32_t row, struct arena *items,
                           struct buf *pb, struct json_writer *w) {
    const struct span_table *tb = &t->table;
    jw_object(w);
    jw_key(w, STR("row"));
    jw_u64(w, skeleton_row);
    TRY(write_entity(w, STR("resource"), STR("resourceSchemaUrl"), &otlp_resource,
                     span_resource_at(tb, SEG_AT(&tb->resource, row, uint32_t))->bytes));
    TRY(write_entity(w, STR("scope"), STR("scopeSchemaUrl"), &otlp_scope,
                     span_scope_at(tb, SEG_AT(&tb->scope, row, uint32_t))->bytes));
    jw_key(w, STR("span"));
    buf_reset(pb);
    arena_reset(items);
    TRY(canon_span(tb, row, items, pb));
    TRY(otlp_json_write(&otlp_span, buf_view(pb), OTLP_FLAVOUR_OTLP, w));
    jw_object_end(w);
    return ERR_OK;
}

static enum err write_spans(struct trace *t, const struct skeleton_tree *tree, const uint32_t *rows,
                            uint32_t n, struct buf *out) {
    struct json_writer w = json_writer_on(out);
    struct arena items;
    struct buf pb;
    enum err e = ERR_OK;
    buf_init(&pb, SIZE_MAX);
    arena_init(&items, SIZE_MAX, NULL);
    w.nonfinite_string = true;
    jw_object(&w);
    jw_key(&w, STR("spans"));
    jw_array(&w);
    for (uint32_t i = 0; i < n && e == ERR_OK; i++)
        e = write_span(t, rows[i], t->rows[tree->order[rows[i]]], &items, &pb, &w);
    jw_array_end(&w);
    jw_object_end(&w);
    arena_fini(&items);
    buf_fini(&pb);
    return e;
}

static void reply_spans(struct net_request *rq, struct trace *t) {
    struct skeleton_input in;
    struct skeleton_tree tree;
    uint32_t *rows, n;
    struct buf out;
    enum err e = parse_rows(param(rq, STR("rows")), t->n, &t->arena, &rows, &n);
    if (e == ERR_INVALID || e == ERR_LIMIT) {
        reply_error(rq, 400, "rows is a list like 3,7,10-20 of at most %d rows below %u", SPAN_ROWS_MAX,
                    t->n);
        return;
    }
    buf_init(&out, SIZE_MAX);
    if (e == ERR_OK) e = trace_skeleton(t, &in);
    if (e == ERR_OK) e = skeleton_tree(&t->arena, &in, &tree);
    if (e == ERR_OK) e = write_spans(t, &tree, rows, n, &out);
    if (e != ERR_OK)
        reply_without(rq, t, e, "the spans cannot be written");
    else
        reply_buf(rq, 200, TYPE_JSON, &out);
    buf_fini(&out);
}

static void reply_tree(struct net_request *rq, struct trace *t) {
    struct buf out;
    buf_init(&out, SIZE_MAX);
    enum err e = print_trace_tree(t, &out);
    if (e != ERR_OK)
        reply_without(rq, t, e, "the trace cannot be written");
    else
        reply_buf(rq, 200, TYPE_TEXT, &out);
    buf_fini(&out);
}

static void reply_json(struct net_request *rq, struct trace *t) {
    struct written w;
    written_init(&w, rq, t, false);
    written_end(&w, print_trace_json(t, w.steps, &w.reply.buf));
}

void takt_trace_handle(struct api *a, struct net_request *rq) {
    struct trace t;
    struct str tail;
    if (!load(a, rq, STR("/api/takt/traces/"), &tail, &t)) return;
    if (t.n == 0)
        reply_error(rq, 404, "trace not found");
    else if (str_eq(tail, STR("skeleton")))
        reply_skeleton(rq, &t);
    else if (str_eq(tail, STR("spans")))
        reply_spans(rq, &t);
    else if (str_eq(tail, STR("tree")))
        reply_tree(rq, &t);
    else if (str_eq(tail, STR("json")))
        reply_json(rq, &t);
    else
        reply_error(rq, 404, "no such path");
    trace_fini(&t);
}
