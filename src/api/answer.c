// SPDX-License-Identifier: Apache-2.0
// From a request to a question, and from what became of it to the reply.
#include "api/api_internal.h"

static bool client_is_gone(void *rq) {
    return net_request_canceled(rq);
}

double saturation_of(const struct api *a, const struct ingest_stats *s) {
    return s->disk_full ? 1.0 : (double)a->opts.body_budget->used / (double)a->opts.body_budget->limit;
}

// A question that waited for a worker has had that of its time.
static uint64_t deadline_of(const struct api *a, const struct net_request *rq) {
    uint64_t own = rq->arrived_ns + a->opts.query_timeout_ns;
    if (a->opts.query_timeout_ns == 0) return rq->deadline_ns;
    return rq->deadline_ns && rq->deadline_ns < own ? rq->deadline_ns : own;
}

struct ask_limits limits_of(struct api *a, struct net_request *rq) {
    return (struct ask_limits){ .clock = a->opts.clock,
                                .crew = a->opts.crew,
                                .timeout_ns = a->opts.query_timeout_ns,
                                .memory_max = a->opts.query_max_memory,
                                .trace_bytes_max = a->opts.max_trace_bytes,
                                .memory = a->opts.query_memory,
                                .progress_ns = a->opts.query_progress_ns,
                                .deadline_ns = deadline_of(a, rq),
                                .canceled = client_is_gone,
                                .canceled_ctx = rq };
}

bool wants_protobuf(const struct net_request *rq) {
    struct str accept = net_request_header(rq, STR("accept"));
    return accept.ptr && memmem(accept.ptr, accept.len, "application/protobuf", 20) != NULL;
}

void reply_failed(struct api *a, struct net_request *rq, const struct ask *k, enum err e) {
    struct buf text;
    metrics_note_end(a, e);
    buf_init(&text, SIZE_MAX);
    ask_explain(k, e, &text);
    if (e == ERR_AGAIN)
        reply_busy(rq, k->ctx.text[0] ? k->ctx.text : err_text(e));
    else
        reply_buf(rq, ask_status(e), TYPE_TEXT, &text);
    buf_fini(&text);
}

enum { NOTES_MAX = 3 };

// What an answer says beside its body.
static size_t notes_of(const struct ask *k, struct net_header h[static NOTES_MAX]) {
    size_t n = 0;
    if (k->next[0]) h[n++] = (struct net_header){ STR("x-takt-next"), str_of(k->next) };
    if (k->scan[0]) h[n++] = (struct net_header){ STR("x-takt-scan"), str_of(k->scan) };
    if (k->partial[0]) h[n++] = (struct net_header){ STR("x-takt-partial"), str_of(k->partial) };
    return n;
}

static void reply_good(struct net_request *rq, const struct ask *k, struct str type, struct buf *body) {
    struct net_header h[NOTES_MAX];
    reply_buf_with(rq, 200, type, body, h, notes_of(k, h));
}

// --- long answers ----------------------------------------------------------------------------------------

// JSON goes out while it is written, so that only what its reader has not taken is in memory. What fits
// into one piece is a whole answer.
struct pieces {
    struct net_request *rq;
    const struct ask *k;
    bool begun;
};

static enum err send_piece(void *ctx, struct buf *json, bool last) {
    struct pieces *p = ctx;
    struct net_header h[NOTES_MAX];
    if (last && !p->begun) return ERR_OK;
    if (!p->begun) TRY(reply_begin(p->rq, 200, TYPE_JSON, h, notes_of(p->k, h)));
    p->begun = true;
    TRY(reply_write(p->rq, json));
    return last || reply_piece(json) ? ERR_OK : ERR_NOMEM;
}

void reply_tempo(struct api *a, struct net_request *rq, const struct otlp_message *m,
                 enum err (*answer)(struct ask *k, struct tempo_pieces *out)) {
    struct view *v = ingest_view(a->opts.ingest);
    struct ask_limits limits = limits_of(a, rq);
    struct tempo_pieces out;
    struct ask k;
    bool metrics = m == &tempo_range_response || m == &tempo_instant_response; // always JSON
    bool protobuf = !metrics && wants_protobuf(rq);
    struct pieces p = { .rq = rq, .k = &k };
    ask_init(&k, v, &limits, rq->query);
    k.path = rq->path;
    tempo_pieces_init(&out, m, !protobuf);
    if (!protobuf && !reply_takes_gzip(rq)) {
        out.most = REPLY_PIECE_BYTES;
        out.send = send_piece;
        out.send_ctx = &p;
    }
    enum err e = answer(&k, &out);
    if (p.begun) {
        metrics_note_end(a, e);
        net_reply_end(rq, NULL, e != ERR_OK);
    } else if (e != ERR_OK) {
        reply_failed(a, rq, &k, e);
    } else {
        reply_good(rq, &k, protobuf ? TYPE_PROTOBUF : TYPE_JSON, &out.message.buf);
    }
    tempo_pieces_fini(&out);
    ask_fini(&k);
    view_unref(v);
}

// --- JSON of our own -------------------------------------------------------------------------------------

void reply_asked(struct api *a, struct net_request *rq,
                 enum err (*answer)(struct ask *k, struct json_writer *w)) {
    struct view *v = ingest_view(a->opts.ingest);
    struct ask_limits limits = limits_of(a, rq);
    struct buf json;
    struct ask k;
    ask_init(&k, v, &limits, rq->query);
    k.path = rq->path;
    buf_init(&json, SIZE_MAX);
    struct json_writer w = json_writer_on(&json);
    w.nonfinite_string = true;
    enum err e = answer(&k, &w);
    if (e != ERR_OK)
        reply_failed(a, rq, &k, e);
    else
        reply_good(rq, &k, TYPE_JSON, &json);
    buf_fini(&json);
    ask_fini(&k);
    view_unref(v);
}
