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

enum { RETRY_MS = 1000, UNPACK_GROWTH = 4 };

static const char service_prefix[] = "/opentelemetry.proto.collector.";
static const char export_path[] = "/opentelemetry.proto.collector.trace.v1.TraceService/Export";

struct call {
    struct ingest_request ingest;
    struct api *api;
    struct net_request *rq;
    struct net_body *body;
    struct arena arena;
    struct buf unpacked, protobuf;
    uint64_t reserved; // of the work budget
    struct otlp_check check;
    enum body_format format;
};

// --- answers -------------------------------------------------------------------------------------------

enum { HEADERS_MAX = 8, REFUSAL_MAX = 256, ORIGIN_SHOWN = 80 };

struct headers {
    struct net_header list[HEADERS_MAX];
    size_t n;
};

static void put_header(struct headers *h, struct str name, struct str value) {
    ASSERT(h->n < HEADERS_MAX);
    h->list[h->n++] = (struct net_header){ name, value };
}

// "*", or the origin, where pages of it may send; ptr NULL: they may not, or it is no page.
static struct str allowed_origin(const struct api *a, const struct net_request *rq) {
    struct str origin = net_request_header(rq, STR("origin"));
    for (uint32_t i = 0; origin.ptr && i < a->opts.n_cors_origins; i++) {
        bool any = str_eq(a->opts.cors_origins[i], STR("*"));
        if (any || str_eq(a->opts.cors_origins[i], origin)) return any ? STR("*") : origin;
    }
    return (struct str){ NULL, 0 };
}

// Every answer has them, errors too: a page cannot read an answer without.
static void put_cors(const struct api *a, const struct net_request *rq, struct headers *h) {
    struct str allowed = allowed_origin(a, rq);
    if (!allowed.ptr) return;
    put_header(h, STR("access-control-allow-origin"), allowed);
    put_header(h, STR("vary"), STR("origin"));
}

static struct str type_of(enum body_format format) {
    return format == BODY_JSON ? TYPE_JSON : STR("application/x-protobuf");
}

// A message in the encoding of the request.
static struct net_bytes message_bytes(struct net_request *rq, enum body_format format,
                                      const struct otlp_message *m, const struct buf *pb) {
    struct buf json;
    if (rq->is_grpc || format != BODY_JSON) return net_bytes_copy(rq, buf_view(pb));
    buf_init(&json, 64 << 10);
    enum err e = otlp_pb_to_json(m, buf_view(pb), OTLP_FLAVOUR_OTLP, &json);
    struct net_bytes bytes = net_bytes_copy(rq, e == ERR_OK ? buf_view(&json) : STR("{}"));
    buf_fini(&json);
    return bytes;
}

// An OTLP error over HTTP is a google.rpc.Status.
static void reply_status(const struct api *a, struct net_request *rq, enum body_format format, int http,
                         enum net_grpc_status code, struct str text, uint32_t retry_ms) {
    struct net_reply r = {
        .status = http, .grpc_status = code, .grpc_message = text, .retry_after_ms = retry_ms
    };
    struct headers h = { .n = 0 };
    struct buf pb;
    if (!rq->is_grpc) {
        buf_init(&pb, 64 << 10);
        pb_varint(&pb, 1, (uint64_t)code);
        pb_bytes(&pb, 2, text);
        r.body = message_bytes(rq, format, &otlp_rpc_status, &pb);
        buf_fini(&pb);
        put_header(&h, STR("content-type"), type_of(format));
        put_cors(a, rq, &h);
        r.headers = h.list;
        r.n_headers = h.n;
    }
    net_reply(rq, &r);
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
    struct buf pb, text;
    struct headers h = { .n = 0 };
    buf_init(&pb, 64 << 10);
    buf_init(&text, 16 << 10);
    if (c->check.n_refused) {
        partial_text(&c->check, &text);
        size_t mark = pb_begin(&pb, 1);
        pb_varint(&pb, 1, c->check.n_refused);
        pb_bytes(&pb, 2, buf_view(&text));
        pb_end(&pb, mark);
    }
    if (!rq->is_grpc) {
        put_header(&h, STR("content-type"), type_of(c->format));
        put_cors(c->api, rq, &h);
    }
    struct net_bytes body = message_bytes(rq, c->format, &otlp_export_response, &pb);
    buf_fini(&pb);
    buf_fini(&text);
    net_reply(rq, &(struct net_reply){ .status = 200, .headers = h.list, .n_headers = h.n, .body = body });
}

// --- the call --------------------------------------------------------------------------------------------

// Memory for what is made of a body is taken before it is made, and what was too much given back.
static enum err reserve(struct call *c, uint64_t bytes) {
    if (!mem_budget_take(c->api->opts.work_budget, bytes)) return ERR_NOMEM;
    c->reserved += bytes;
    return ERR_OK;
}

static void settle(struct call *c, uint64_t bytes) {
    if (bytes >= c->reserved) return;
    mem_budget_give(c->api->opts.work_budget, c->reserved - bytes);
    c->reserved = bytes;
}

static void call_free(struct call *c) {
    net_body_release(c->body);
    buf_fini(&c->unpacked);
    buf_fini(&c->protobuf);
    settle(c, 0);
    arena_fini(&c->arena);
    mem_free(c);
}

const char *refuse_label(enum refuse r) {
    static const char *const labels[] = {
#define X(name, label) label,
        REFUSE_TABLE(X)
#undef X
    };
    return labels[r];
}

static void note_refused(struct api *a, int kind, enum refuse why, struct str text, struct str peer) {
    atomic_fetch_add(&a->receivers[kind].refused[why], 1);
    refusals_note(&a->refusals, clock_unix_ns(a->opts.clock), kind, refuse_label(why), text, peer);
}

static void refuse(struct call *c, enum refuse why, enum err e, int http, struct str text) {
    note_refused(c->api, c->rq->kind, why, text, c->rq->peer);
    bool retry = http == 429 || http == 503;
    reply_status(c->api, c->rq, c->format, http, grpc_status_of(e), text, retry ? RETRY_MS : 0);
    call_free(c);
}

static void refuse_err(struct call *c, enum err e, const struct err_ctx *ctx) {
    struct str text = str_of(ctx->text[0] ? ctx->text : err_text(e));
    switch (e) {
    case ERR_LIMIT: refuse(c, REFUSE_TOO_LARGE, ERR_LIMIT, 413, text); return;
    case ERR_NOMEM: refuse(c, REFUSE_MEMORY, ERR_LIMIT, 429, text); return;
    case ERR_UNSUPPORTED: refuse(c, REFUSE_UNSUPPORTED, ERR_UNSUPPORTED, 415, text); return;
    default: refuse(c, REFUSE_MALFORMED, ERR_INVALID, 400, text);
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
        refuse(c, REFUSE_DISK, ERR_LIMIT, 429,
               STR("the disk budget is used up; data is refused until there is room"));
    } else if (e == ERR_INVALID) {
        refuse(c, REFUSE_TOO_LARGE, ERR_LIMIT, 413,
               STR("the request has more spans than the memory can hold"));
    } else if (e == ERR_NOMEM) {
        refuse(c, REFUSE_MEMORY, ERR_LIMIT, 429, STR("out of memory; please send again later"));
    } else {
        refuse(c, REFUSE_UNAVAILABLE, ERR_UNAVAILABLE, 503,
               STR("the spans could not be stored; please send again"));
    }
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

// With the memory that the body claims to need, and more when it needs more.
static enum err unpack(struct call *c, enum body_packing packing, struct str *out, struct err_ctx *ctx) {
    size_t max = c->api->opts.max_decoded_bytes, room = body_unpacked_guess(packing, c->rq->body, max);
    enum err e = ERR_LIMIT;
    while (e == ERR_LIMIT) {
        settle(c, 0);
        buf_fini(&c->unpacked);
        buf_init(&c->unpacked, max + 1);
        TRY(reserve(c, room));
        e = body_unpack(packing, c->rq->body, room, &c->unpacked, ctx);
        if (room == max) break;
        room = room < max / UNPACK_GROWTH ? room * UNPACK_GROWTH : max;
    }
    settle(c, c->unpacked.cap);
    *out = buf_view(&c->unpacked);
    return e;
}

// Unpacks, turns JSON to protobuf, and judges every span.
static enum err prepare(struct call *c, struct err_ctx *ctx) {
    struct net_request *rq = c->rq;
    enum body_packing packing = BODY_RAW;
    struct str plain = rq->body, protobuf;
    TRY(packing_of(rq, &packing, ctx));
    if (packing != BODY_RAW)
        TRY(unpack(c, packing, &plain, ctx));
    else
        TRY(reserve(c, plain.len)); // for the log, which packs it
    uint64_t before = c->reserved;
    if (c->format == BODY_JSON) TRY(reserve(c, plain.len / 2)); // mostly more than enough
    TRY(body_to_protobuf(c->format, plain, &c->protobuf, &protobuf, ctx));
    if (before + c->protobuf.cap > c->reserved) TRY(reserve(c, before + c->protobuf.cap - c->reserved));
    settle(c, before + c->protobuf.cap);
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
        note_refused(a, rq->kind, REFUSE_MEMORY, STR("out of memory"), rq->peer);
        reply_status(a, rq, format, 503, NET_GRPC_UNAVAILABLE, STR("out of memory"), RETRY_MS);
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

#define METHODS STR("POST, OPTIONS")

static void preflight(struct api *a, struct net_request *rq) {
    struct headers h = { .n = 0 };
    struct str wanted = net_request_header(rq, STR("access-control-request-headers"));
    put_header(&h, STR("access-control-allow-methods"), METHODS);
    put_header(&h, STR("access-control-max-age"), STR("7200"));
    put_header(&h, STR("access-control-allow-headers"),
               wanted.ptr ? wanted : STR("content-type, content-encoding"));
    put_cors(a, rq, &h);
    net_reply(rq, &(struct net_reply){ .status = 204, .headers = h.list, .n_headers = h.n });
}

static bool format_of(struct str type, enum body_format *out) {
    struct str head, tail;
    (void)str_cut(type, ';', &head, &tail);
    head = str_trim(head);
    *out = str_eq_nocase(head, STR("application/json")) ? BODY_JSON : BODY_PROTOBUF;
    return *out == BODY_JSON || str_eq_nocase(head, STR("application/x-protobuf")) ||
           str_eq_nocase(head, STR("application/protobuf"));
}

static void refuse_plain(struct api *a, struct net_request *rq, enum refuse why, int status,
                         const char *text) {
    struct headers h = { .n = 0 };
    char line[REFUSAL_MAX + 1];
    int n = snprintf(line, sizeof line, "%.*s\n", REFUSAL_MAX - 1, text);
    note_refused(a, rq->kind, why, str_of(text), rq->peer);
    put_header(&h, STR("content-type"), TYPE_TEXT);
    put_cors(a, rq, &h);
    if (status == 405) put_header(&h, STR("allow"), METHODS);
    net_reply(rq, &(struct net_reply){ .status = status,
                                       .headers = h.list,
                                       .n_headers = h.n,
                                       .body = net_bytes_copy(rq, (struct str){ line, (size_t)n }) });
}

// A browser tells the page nothing of this: it is for who looks at the network, or at what was refused.
static void refuse_origin(struct api *a, struct net_request *rq) {
    char text[REFUSAL_MAX];
    struct str shown = str_sub(net_request_header(rq, STR("origin")), 0, ORIGIN_SHOWN);
    (void)snprintf(
        text, sizeof text,
        "pages of \"%.*s\" may not send spans: the setting otlp.http.cors_origins lists the origins "
        "whose pages may",
        STR_ARG(shown));
    refuse_plain(a, rq, REFUSE_ORIGIN, 403, text);
}

static void handle_grpc(struct api *a, struct net_request *rq) {
    if (str_eq(rq->path, str_of(export_path))) {
        receive(a, rq, BODY_PROTOBUF);
        return;
    }
    bool other = str_starts(rq->path, str_of(service_prefix));
    struct str text = other ? STR(OTHER_SIGNAL_TEXT) : STR("no such method");
    note_refused(a, rq->kind, other ? REFUSE_SIGNAL : REFUSE_METHOD, text, rq->peer);
    net_reply(rq, &(struct net_reply){ .grpc_status = NET_GRPC_UNIMPLEMENTED, .grpc_message = text });
}

static void refuse_path(struct api *a, struct net_request *rq) {
    char text[REFUSAL_MAX];
    if (str_eq(rq->path, STR("/v1/logs")) || str_eq(rq->path, STR("/v1/metrics"))) {
        refuse_plain(a, rq, REFUSE_SIGNAL, 404, OTHER_SIGNAL_TEXT);
        return;
    }
    (void)snprintf(text, sizeof text,
                   "no such path; OTLP over HTTP is POST /v1/traces, the web app is at %.*s",
                   STR_ARG(a->opts.addresses[API_HTTP]));
    refuse_plain(a, rq, REFUSE_PATH, 404, text);
}

static void refuse_type(struct api *a, struct net_request *rq, struct str type) {
    char text[REFUSAL_MAX];
    (void)snprintf(text, sizeof text,
                   "content type \"%.*s\" is not known; send application/x-protobuf or application/json",
                   (int)(type.len < 60 ? type.len : 60), type.ptr ? type.ptr : "");
    refuse_plain(a, rq, REFUSE_CONTENT_TYPE, 415, text);
}

void otlp_handle(struct api *a, struct net_request *rq) {
    enum body_format format;
    struct str type = net_request_header(rq, STR("content-type"));
    if (rq->is_grpc)
        handle_grpc(a, rq);
    else if (is_page(rq) &&
             !allowed_origin(a, rq).ptr) // a browser asks first, but not where names were moved
        refuse_origin(a, rq);
    else if (str_eq(rq->method, STR("OPTIONS")) && str_starts(rq->path, STR("/v1/")))
        preflight(a, rq);
    else if (!str_eq(rq->path, STR("/v1/traces")))
        refuse_path(a, rq);
    else if (!str_eq(rq->method, STR("POST")))
        refuse_plain(a, rq, REFUSE_METHOD, 405, "traces are sent with POST");
    else if (!type.ptr || !format_of(type, &format))
        refuse_type(a, rq, type);
    else
        receive(a, rq, format);
}

static enum refuse refuse_of_net(enum net_refusal why) {
    switch (why) {
    case NET_REFUSED_TOO_LARGE: return REFUSE_TOO_LARGE;
    case NET_REFUSED_MALFORMED: return REFUSE_MALFORMED;
    case NET_REFUSED_TIMEOUT: return REFUSE_TIMEOUT;
    case NET_REFUSED_CONNECTIONS: return REFUSE_CONNECTIONS;
    case NET_REFUSED_TLS: return REFUSE_TLS;
    case NET_REFUSED_BUDGET:
    case NET_REFUSED_MEMORY:
    case NET_REFUSED_COUNT:
    default: return REFUSE_MEMORY;
    }
}

void api_note_refused(void *ctx, int kind, enum net_refusal why, const char *text, struct str peer) {
    struct api *a = ctx;
    if (kind == API_HTTP)
        atomic_fetch_add(&a->receivers[kind].refused[refuse_of_net(why)], 1);
    else
        note_refused(a, kind, refuse_of_net(why), str_of(text), peer);
}
