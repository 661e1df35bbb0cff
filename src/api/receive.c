// SPDX-License-Identifier: Apache-2.0
// OTLP in: judge a request on the loop thread, hand it to ingest, answer when it is durable.
// Source: opentelemetry.io/docs/specs/otlp.
#include <stdio.h>

#include "api/api_internal.h"
#include "base/pb.h"
#include "otlp/check.h"
#include "otlp/json.h"

#define OTHER_SIGNAL_TEXT \
    "Takt takes traces only. Switch the other exporters off at the sender: OTEL_METRICS_EXPORTER=none and " \
    "OTEL_LOGS_EXPORTER=none."

static const char service_prefix[] = "/opentelemetry.proto.collector.";
static const char export_path[] = "/opentelemetry.proto.collector.trace.v1.TraceService/Export";

struct call {
    struct ingest_request ingest;
    struct api *api;
    struct net_request *rq;
    struct net_body *body;
    struct arena arena;
    struct buf unpacked, protobuf;
    uint64_t budget; // bytes taken for the two
    struct otlp_check check;
    enum body_format format;
};

// --- answers -------------------------------------------------------------------------------------------

// An OTLP error over HTTP is a google.rpc.Status in the encoding of the request.
static void reply_status(struct net_request *rq, enum body_format format, int http, enum net_grpc_status code,
                         struct str text, uint32_t retry_ms) {
    struct buf pb, json;
    struct net_header h = { STR("content-type"),
                            format == BODY_JSON ? TYPE_JSON : STR("application/x-protobuf") };
    if (rq->is_grpc) {
        net_reply(
            rq, &(struct net_reply){ .grpc_status = code, .grpc_message = text, .retry_after_ms = retry_ms });
        return;
    }
    buf_init(&pb, 64 << 10);
    buf_init(&json, 64 << 10);
    pb_varint(&pb, 1, (uint64_t)code);
    pb_bytes(&pb, 2, text);
    enum err e = ERR_OK;
    if (format == BODY_JSON) e = otlp_pb_to_json(&otlp_rpc_status, buf_view(&pb), OTLP_FLAVOUR_OTLP, &json);
    struct net_bytes body =
        net_bytes_copy(rq, e == ERR_OK && format == BODY_JSON ? buf_view(&json) : buf_view(&pb));
    buf_fini(&pb);
    buf_fini(&json);
    net_reply(rq,
              &(struct net_reply){
                  .status = http, .headers = &h, .n_headers = 1, .body = body, .retry_after_ms = retry_ms });
}

static void cors_headers(const struct api *a, const struct net_request *rq, struct net_header *h, size_t *n) {
    struct str origin = net_request_header(rq, STR("origin"));
    for (uint32_t i = 0; origin.ptr && i < a->opts.n_cors_origins; i++) {
        bool any = str_eq(a->opts.cors_origins[i], STR("*"));
        if (!any && !str_eq(a->opts.cors_origins[i], origin)) continue;
        h[(*n)++] = (struct net_header){ STR("access-control-allow-origin"), any ? STR("*") : origin };
        h[(*n)++] = (struct net_header){ STR("vary"), STR("origin") };
        return;
    }
}

static void partial_text(const struct otlp_check *c, struct buf *out) {
    for (int i = 0; i < OTLP_REFUSE_COUNT; i++) {
        if (c->by_reason[i] == 0) continue;
        if (out->len) buf_str(out, STR("; "));
        buf_fmt(out, "%u span%s: %s", c->by_reason[i], c->by_reason[i] == 1 ? "" : "s",
                otlp_refuse_text((enum otlp_refuse)i));
    }
}

// ExportTraceServiceResponse { partial_success = 1 { rejected_spans = 1, error_message = 2 } }
static void reply_success(struct call *c) {
    struct net_request *rq = c->rq;
    struct buf pb, text, json;
    struct net_header h[4] = { { STR("content-type"),
                                 c->format == BODY_JSON ? TYPE_JSON : STR("application/x-protobuf") } };
    size_t n = 1;
    buf_init(&pb, 64 << 10);
    buf_init(&text, 16 << 10);
    buf_init(&json, 64 << 10);
    if (c->check.n_refused) {
        partial_text(&c->check, &text);
        size_t mark = pb_begin(&pb, 1);
        pb_varint(&pb, 1, c->check.n_refused);
        pb_bytes(&pb, 2, buf_view(&text));
        pb_end(&pb, mark);
    }
    enum err e = ERR_OK;
    bool as_json = !rq->is_grpc && c->format == BODY_JSON;
    if (as_json) e = otlp_pb_to_json(&otlp_export_response, buf_view(&pb), OTLP_FLAVOUR_OTLP, &json);
    cors_headers(c->api, rq, h, &n);
    struct net_bytes body = net_bytes_copy(rq, as_json && e == ERR_OK ? buf_view(&json) : buf_view(&pb));
    buf_fini(&pb);
    buf_fini(&text);
    buf_fini(&json);
    net_reply(rq, &(struct net_reply){ .status = 200, .headers = h, .n_headers = n, .body = body });
}

// --- the call --------------------------------------------------------------------------------------------

static void call_free(struct call *c) {
    net_body_release(c->body);
    buf_fini(&c->unpacked);
    buf_fini(&c->protobuf);
    if (c->budget) mem_budget_give(c->api->opts.body_budget, c->budget);
    arena_fini(&c->arena);
    mem_free(c);
}

static void refuse(struct call *c, const char *reason, enum err e, int http, struct str text) {
    struct api *a = c->api;
    struct receiver_stats *s = &a->receivers[c->rq->kind];
    atomic_fetch_add(&s->refused_requests, 1);
    refusals_note(&a->refusals, clock_unix_ns(a->opts.clock), c->rq->kind, reason, text, c->rq->peer);
    bool retry = http == 429 || http == 503;
    reply_status(c->rq, c->format, http, grpc_status_of(e), text, retry ? 1000 : 0);
    call_free(c);
}

static void refuse_err(struct call *c, enum err e, const struct err_ctx *ctx) {
    struct str text = str_of(ctx->text[0] ? ctx->text : err_text(e));
    switch (e) {
    case ERR_LIMIT: refuse(c, "too_large", ERR_LIMIT, 413, text); return;
    case ERR_NOMEM: refuse(c, "memory", ERR_LIMIT, 429, text); return;
    case ERR_UNSUPPORTED: refuse(c, "unsupported", ERR_UNSUPPORTED, 415, text); return;
    default: refuse(c, "malformed", ERR_INVALID, 400, text);
    }
}

static void note_accepted(struct call *c) {
    struct api *a = c->api;
    struct receiver_stats *s = &a->receivers[c->rq->kind];
    uint64_t now = c->ingest.received_ns, zero = 0;
    atomic_fetch_add(&s->requests, 1);
    atomic_fetch_add(&s->spans, c->check.n_spans - c->check.n_refused);
    atomic_fetch_add(&s->refused_spans, c->check.n_refused);
    atomic_fetch_add(&s->bytes, c->rq->body.len);
    atomic_fetch_add(&s->unknown_fields, c->check.n_unknown);
    if (c->check.n_spans > c->check.n_refused) {
        atomic_compare_exchange_strong(&s->first_ns, &zero, now);
        s->last_ns = now;
    }
    for (int i = 0; i < OTLP_REFUSE_COUNT; i++) {
        if (c->check.by_reason[i] == 0) continue;
        atomic_fetch_add(&a->refused_by_reason[i], c->check.by_reason[i]);
        refusals_note(&a->refusals, now, c->rq->kind, otlp_refuse_label((enum otlp_refuse)i),
                      str_of(otlp_refuse_text((enum otlp_refuse)i)), c->rq->peer);
    }
}

static void done(struct ingest_request *ir, enum err e) {
    struct call *c = (struct call *)ir; // the first member
    if (e == ERR_OK) {
        note_accepted(c);
        reply_success(c);
        call_free(c);
    } else if (e == ERR_LIMIT) {
        refuse(c, "disk", ERR_LIMIT, 429,
               STR("the disk budget is used up; data is refused until there is room"));
    } else if (e == ERR_NOMEM) {
        refuse(c, "memory", ERR_LIMIT, 429, STR("out of memory; please send again later"));
    } else {
        refuse(c, "unavailable", ERR_UNAVAILABLE, 503,
               STR("the spans could not be stored; please send again"));
    }
}

// Takes the size of a buffer out of the memory for bodies.
static enum err pay(struct call *c, const struct buf *b) {
    if (!mem_budget_take(c->api->opts.body_budget, b->cap)) return ERR_NOMEM;
    c->budget += b->cap;
    return ERR_OK;
}

static enum err packing_of(const struct net_request *rq, enum body_packing *out, struct err_ctx *ctx) {
    struct str name = rq->is_grpc ? rq->grpc_encoding : net_request_header(rq, STR("content-encoding"));
    if (rq->is_grpc && !rq->grpc_compressed) name = STR("identity");
    if (!name.ptr || name.len == 0 || str_eq_nocase(name, STR("identity")))
        *out = BODY_RAW;
    else if (str_eq_nocase(name, STR("gzip")))
        *out = BODY_GZIP;
    else if (str_eq_nocase(name, STR("zstd")))
        *out = BODY_ZSTD;
    else
        return err_set(ctx, ERR_UNSUPPORTED, "content encoding \"%.*s\" is not known; use gzip, zstd or none",
                       (int)(name.len < 40 ? name.len : 40), name.ptr);
    return ERR_OK;
}

// Unpacks, turns JSON to protobuf, and judges every span.
static enum err prepare(struct call *c, struct err_ctx *ctx) {
    struct net_request *rq = c->rq;
    enum body_packing packing = BODY_RAW;
    struct str plain = rq->body, protobuf;
    size_t max = c->api->opts.max_decoded_bytes;
    TRY(packing_of(rq, &packing, ctx));
    if (packing != BODY_RAW) {
        TRY(body_unpack(packing, rq->body, max, &c->unpacked, ctx));
        TRY(pay(c, &c->unpacked));
        plain = buf_view(&c->unpacked);
    }
    TRY(body_to_protobuf(c->format, plain, &c->protobuf, &protobuf, ctx));
    if (c->protobuf.cap) TRY(pay(c, &c->protobuf));
    TRY(otlp_check(protobuf, &c->arena, &c->check, ctx));
    c->ingest.protobuf = protobuf;
    c->ingest.record = (struct record){ .packing = packing,
                                        .format = c->format,
                                        .unpacked_len = (uint32_t)plain.len,
                                        .refused = c->check.refused,
                                        .n_refused = c->check.n_refused,
                                        .body = rq->body };
    return ERR_OK;
}

static void receive(struct api *a, struct net_request *rq, enum body_format format) {
    struct call *c = mem_zalloc(sizeof *c);
    struct err_ctx ctx = { 0 };
    if (!c) {
        reply_status(rq, format, 503, NET_GRPC_UNAVAILABLE, STR("out of memory"), 1000);
        return;
    }
    c->api = a;
    c->rq = rq;
    c->format = format;
    c->body = net_body_take(rq);
    arena_init(&c->arena, SIZE_MAX, NULL);
    buf_init(&c->unpacked, a->opts.max_decoded_bytes * 2);
    buf_init(&c->protobuf, a->opts.max_decoded_bytes * 2);
    c->ingest.received_ns = clock_unix_ns(a->opts.clock);
    c->ingest.done = done;
    enum err e = prepare(c, &ctx);
    if (e != ERR_OK) {
        refuse_err(c, e, &ctx);
    } else if (c->check.n_spans == c->check.n_refused) {
        done(&c->ingest, ERR_OK); // nothing to store
    } else {
        ingest_submit(a->opts.ingest, &c->ingest);
    }
}

// --- routing ---------------------------------------------------------------------------------------------

static void preflight(struct api *a, struct net_request *rq) {
    struct net_header h[8] = {
        { STR("access-control-allow-methods"), STR("POST, OPTIONS") },
        { STR("access-control-max-age"), STR("7200") },
    };
    size_t n = 2;
    struct str wanted = net_request_header(rq, STR("access-control-request-headers"));
    h[n++] = (struct net_header){ STR("access-control-allow-headers"),
                                  wanted.ptr ? wanted : STR("content-type, content-encoding") };
    cors_headers(a, rq, h, &n);
    net_reply(rq, &(struct net_reply){ .status = 204, .headers = h, .n_headers = n });
}

static bool format_of(struct str type, enum body_format *out) {
    struct str head, tail;
    (void)str_cut(type, ';', &head, &tail);
    head = str_trim(head);
    *out = str_eq_nocase(head, STR("application/json")) ? BODY_JSON : BODY_PROTOBUF;
    return *out == BODY_JSON || str_eq_nocase(head, STR("application/x-protobuf")) ||
           str_eq_nocase(head, STR("application/protobuf"));
}

static void refuse_plain(struct api *a, struct net_request *rq, const char *reason, int status,
                         const char *text) {
    atomic_fetch_add(&a->receivers[rq->kind].refused_requests, 1);
    refusals_note(&a->refusals, clock_unix_ns(a->opts.clock), rq->kind, reason, str_of(text), rq->peer);
    reply_error(rq, status, "%s", text);
}

static void handle_grpc(struct api *a, struct net_request *rq) {
    if (str_eq(rq->path, str_of(export_path))) {
        receive(a, rq, BODY_PROTOBUF);
        return;
    }
    bool other = str_starts(rq->path, str_of(service_prefix));
    struct str text = other ? STR(OTHER_SIGNAL_TEXT) : STR("no such method");
    atomic_fetch_add(&a->receivers[rq->kind].refused_requests, 1);
    refusals_note(&a->refusals, clock_unix_ns(a->opts.clock), rq->kind, "method", text, rq->peer);
    net_reply(rq, &(struct net_reply){ .grpc_status = NET_GRPC_UNIMPLEMENTED, .grpc_message = text });
}

void otlp_handle(struct api *a, struct net_request *rq) {
    enum body_format format;
    char text[200];
    if (rq->is_grpc) {
        handle_grpc(a, rq);
        return;
    }
    if (str_eq(rq->path, STR("/v1/logs")) || str_eq(rq->path, STR("/v1/metrics"))) {
        refuse_plain(a, rq, "signal", 404, OTHER_SIGNAL_TEXT);
        return;
    }
    if (!str_eq(rq->path, STR("/v1/traces"))) {
        (void)snprintf(text, sizeof text,
                       "no such path; OTLP over HTTP is POST /v1/traces, the web app is at %.*s",
                       STR_ARG(a->opts.addresses[API_HTTP]));
        refuse_plain(a, rq, "path", 404, text);
        return;
    }
    if (str_eq(rq->method, STR("OPTIONS"))) {
        preflight(a, rq);
        return;
    }
    if (!str_eq(rq->method, STR("POST"))) {
        refuse_plain(a, rq, "method", 405, "traces are sent with POST");
        return;
    }
    struct str type = net_request_header(rq, STR("content-type"));
    if (!type.ptr || !format_of(type, &format)) {
        (void)snprintf(text, sizeof text,
                       "content type \"%.*s\" is not known; send application/x-protobuf or application/json",
                       (int)(type.len < 60 ? type.len : 60), type.ptr ? type.ptr : "");
        refuse_plain(a, rq, "content_type", 415, text);
        return;
    }
    receive(a, rq, format);
}

void api_note_refused(void *ctx, int kind, enum net_refusal why, const char *text, struct str peer) {
    struct api *a = ctx;
    atomic_fetch_add(&a->receivers[kind].refused_requests, 1);
    if (kind == API_HTTP) return;
    refusals_note(&a->refusals, clock_unix_ns(a->opts.clock), kind, net_refusal_text(why), str_of(text),
                  peer);
}
