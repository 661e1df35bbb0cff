// SPDX-License-Identifier: Apache-2.0
// One connection of HTTP/2, on top of nghttp2: bytes in become exchanges, answers become frames.
//
// Flow control is where memory is bounded. The window of the connection is given back at once,
// always: streams are interleaved, and holding it would let a stream that waits stop the one that
// it waits for. The window of a stream is given back only when its bytes lie in admitted memory,
// so a stream that waits holds at most H2_STREAM_WINDOW. Once the memory is there, the window is
// opened for the whole rest of the body: one frame instead of many, and full speed on long lines.
#include "net/net_internal.h"

#include <nghttp2/nghttp2.h>

static struct exch *exch_of(nghttp2_session *session, int32_t stream_id) {
    return nghttp2_session_get_stream_user_data(session, stream_id);
}

// --- body -----------------------------------------------------------------------------------------

// A failure here can only be want of memory; then the stream stalls and its timer ends it.
static void give_window(struct exch *x) {
    size_t n = x->window_owed;
    x->window_owed = 0;
    (void)nghttp2_session_consume_stream(x->conn->h2.session, x->stream_id, n);
}

static void open_window(struct exch *x) {
    if (x->window_open || !x->body.known || !x->body.block) return;
    x->window_open = true;
    uint64_t left = x->body.want - x->body.block->len;
    if (left <= H2_STREAM_WINDOW) return;
    int32_t size = left < H2_GRANT_WINDOW ? (int32_t)left : H2_GRANT_WINDOW;
    (void)nghttp2_session_set_local_window_size(x->conn->h2.session, NGHTTP2_FLAG_NONE, x->stream_id, size);
}

static int on_data(nghttp2_session *session, uint8_t flags, int32_t stream_id, const uint8_t *data,
                   size_t len, void *arg) {
    (void)flags, (void)arg;
    struct exch *x = exch_of(session, stream_id);
    if (nghttp2_session_consume_connection(session, len) != 0) return NGHTTP2_ERR_CALLBACK_FAILURE;
    if (!x || (x->phase != EXCH_BODY && x->phase != EXCH_WAIT)) return 0; // nobody reads it any more
    struct str in = { (const char *)data, len };
    x->window_owed += len;
    if (exch_feed(x, &in) == BODY_RESERVE) return 0;
    if (x->phase != EXCH_BODY) return 0;
    give_window(x);
    open_window(x);
    return 0;
}

void http2_resume(struct exch *x) {
    struct conn *c = x->conn;
    conn_ready(c);
    if (x->phase != EXCH_BODY) return;
    if (x->remote_end) {
        exch_body_end(x);
        return;
    }
    give_window(x);
    open_window(x);
}

// --- head -----------------------------------------------------------------------------------------

static int on_begin_headers(nghttp2_session *session, const nghttp2_frame *frame, void *arg) {
    struct conn *c = arg;
    if (frame->hd.type != NGHTTP2_HEADERS || frame->headers.cat != NGHTTP2_HCAT_REQUEST) return 0;
    struct exch *x = exch_new(c);
    if (!x) {
        conn_refused(c, NET_REFUSED_MEMORY, "no memory for a request");
        return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE; // resets the stream
    }
    x->stream_id = frame->hd.stream_id;
    c->h2.n_streams++;
    timer_disarm(&c->timer);
    timer_arm(&c->loop->timers, &x->timer, TIMER_HEADER, c->loop->now_ns);
    (void)nghttp2_session_set_stream_user_data(session, x->stream_id, x); // the stream is there
    return 0;
}

static void take_pseudo(struct exch *x, struct str name, struct str value) {
    struct str copy = str_dup(&x->arena, value);
    x->head_bytes += value.len;
    if (str_eq(name, STR(":method")))
        x->rq.method = copy;
    else if (str_eq(name, STR(":path")))
        x->rq.path_raw = copy; // the target, until the head is complete
    else if (str_eq(name, STR(":authority")))
        x->rq.host = copy;
}

static int on_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name,
                     size_t name_len, const uint8_t *value, size_t value_len, uint8_t flags, void *arg) {
    (void)flags, (void)arg;
    struct exch *x = exch_of(session, frame->hd.stream_id);
    if (!x || frame->headers.cat != NGHTTP2_HCAT_REQUEST) return 0; // trailers mean nothing to us
    struct str n = { (const char *)name, name_len }, v = { (const char *)value, value_len };
    if (x->head_bad) return 0;
    if (name_len && name[0] == ':')
        take_pseudo(x, n, v);
    else if (!exch_field(x, n, v))
        return 0; // head_bad says it
    return 0;
}

static void begin_request(struct conn *c, struct exch *x, bool end) {
    struct net_request *rq = &x->rq;
    x->remote_end = end;
    if (!rq->host.ptr) rq->host = net_header_in(x->fields, x->n_fields, STR("host"));
    struct str target = rq->path_raw;
    timer_disarm(&x->timer);
    if (!x->head_bad && !x->arena.failed && str_eq(rq->method, STR("CONNECT"))) {
        exch_refuse(x, NET_REFUSED_MALFORMED, 501, "this is not a proxy");
        return;
    }
    if (!x->head_bad && !exch_target(x, target) && !x->arena.failed) {
        exch_refuse(x, NET_REFUSED_MALFORMED, 400, "malformed target");
        return;
    }
    if (!exch_begin(x)) return;
    if (end) {
        exch_body_end(x);
        return;
    }
    struct str none = STR("");
    enum body_next r = exch_feed(x, &none); // reserves a body of known length
    if (r == BODY_MORE || r == BODY_FULL) open_window(x);
    struct str expect = net_request_header(rq, STR("expect"));
    if (!str_eq_nocase(expect, STR("100-continue")) || r == BODY_BAD) return;
    nghttp2_nv go = { (uint8_t *)":status", (uint8_t *)"100", 7, 3, NGHTTP2_NV_FLAG_NONE };
    (void)nghttp2_submit_headers(c->h2.session, NGHTTP2_FLAG_NONE, x->stream_id, NULL, &go, 1, NULL);
}

static int on_frame(nghttp2_session *session, const nghttp2_frame *frame, void *arg) {
    bool headers = frame->hd.type == NGHTTP2_HEADERS;
    if (!headers && frame->hd.type != NGHTTP2_DATA) return 0;
    struct exch *x = exch_of(session, frame->hd.stream_id);
    bool end = frame->hd.flags & NGHTTP2_FLAG_END_STREAM;
    if (!x) return 0;
    if (headers && frame->headers.cat == NGHTTP2_HCAT_REQUEST)
        begin_request(arg, x, end);
    else if (end)
        exch_body_end(x);
    return 0;
}

static int on_stream_close(nghttp2_session *session, int32_t stream_id, uint32_t error_code, void *arg) {
    struct conn *c = arg;
    struct exch *x = exch_of(session, stream_id);
    if (!x) return 0;
    (void)nghttp2_session_set_stream_user_data(session, stream_id, NULL);
    exch_done(x, x->end_sent && error_code == NGHTTP2_NO_ERROR);
    if (--c->h2.n_streams == 0) timer_arm(&c->loop->timers, &c->timer, TIMER_IDLE, c->loop->now_ns);
    return 0;
}

// The answer is complete while the client still sends. Some clients take a reset at this point for
// a failure of the whole call, so it comes a little later; until then the window of the stream holds
// the client back.
static int on_frame_sent(nghttp2_session *session, const nghttp2_frame *frame, void *arg) {
    struct conn *c = arg;
    if (frame->hd.type == NGHTTP2_GOAWAY && frame->goaway.error_code != NGHTTP2_NO_ERROR && !c->h2.invalid)
        conn_refused(c, NET_REFUSED_MALFORMED, nghttp2_http2_strerror(frame->goaway.error_code));
    bool ends = frame->hd.type == NGHTTP2_HEADERS || frame->hd.type == NGHTTP2_DATA;
    if (!ends || !(frame->hd.flags & NGHTTP2_FLAG_END_STREAM)) return 0;
    struct exch *x = exch_of(session, frame->hd.stream_id);
    if (!x) return 0;
    x->end_sent = true;
    if (!x->remote_end) timer_arm(&x->loop->timers, &x->timer, TIMER_LINGER, x->loop->now_ns);
    return 0;
}

static int on_invalid(nghttp2_session *session, const nghttp2_frame *frame, int code, void *arg) {
    struct conn *c = arg;
    (void)session, (void)frame;
    c->h2.invalid = true;
    conn_refused(c, NET_REFUSED_MALFORMED, nghttp2_strerror(code));
    return 0;
}

// --- answers --------------------------------------------------------------------------------------

enum { NV_MAX = REPLY_HEADERS_MAX + 8 };
struct nv_list {
    nghttp2_nv nv[NV_MAX];
    size_t n;
};

static void nv_add(struct nv_list *l, struct str name, struct str value) {
    ASSERT(l->n < NV_MAX);
    l->nv[l->n++] =
        (nghttp2_nv){ (uint8_t *)name.ptr, (uint8_t *)value.ptr, name.len, value.len, NGHTTP2_NV_FLAG_NONE };
}

static void nv_number(struct nv_list *l, struct str name, uint64_t v, char text[static 24]) {
    char *p = text + 24;
    do {
        *--p = (char)('0' + v % 10);
        v /= 10;
    } while (v);
    nv_add(l, name, (struct str){ p, (size_t)(text + 24 - p) });
}

static void nv_grpc(struct nv_list *l, const struct exch *x, char text[static 24]) {
    nv_number(l, STR("grpc-status"), x->grpc_status, text);
    if (x->grpc_message.len) nv_add(l, STR("grpc-message"), x->grpc_message);
    if (x->grpc_details.len) nv_add(l, STR("grpc-status-details-bin"), x->grpc_details);
}

static int submit_trailers(nghttp2_session *session, struct exch *x) {
    struct nv_list l = { .n = 0 };
    char number[24];
    nv_grpc(&l, x, number);
    return nghttp2_submit_trailer(session, x->stream_id, l.nv, l.n);
}

static ssize_t read_answer(nghttp2_session *session, int32_t stream_id, uint8_t *dst, size_t n,
                           uint32_t *flags, nghttp2_data_source *source, void *arg) {
    (void)stream_id, (void)arg;
    struct exch *x = source->ptr;
    bool end, abort;
    size_t got = exch_pull(x, dst, n, &end, &abort);
    if (abort) return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE; // resets the stream
    x->deferred = got == 0 && !end;
    if (x->deferred) return NGHTTP2_ERR_DEFERRED;
    if (!end) return (ssize_t)got;
    *flags |= NGHTTP2_DATA_FLAG_EOF;
    if (!x->rq.is_grpc) return (ssize_t)got;
    *flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
    return submit_trailers(session, x) == 0 ? (ssize_t)got : NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
}

static bool has_body(const struct exch *x) {
    if (x->rq.is_grpc) return x->stream || x->has_one;
    if (x->status == 204 || x->status == 304 || str_eq(x->rq.method, STR("HEAD"))) return false;
    return x->stream || x->one.bytes.data.len;
}

static void nv_head(struct nv_list *l, const struct exch *x, bool body, char text[3][24]) {
    const struct net_request *rq = &x->rq;
    nv_number(l, STR(":status"), rq->is_grpc ? 200u : (uint64_t)x->status, text[0]);
    nv_add(l, STR("date"), loop_date(x->loop));
    if (rq->is_grpc) nv_add(l, STR("content-type"), STR("application/grpc"));
    for (size_t i = 0; i < x->n_reply_headers; i++) {
        const struct net_header *h = &x->reply_headers[i];
        if (rq->is_grpc && str_eq(h->name, STR("content-type"))) continue;
        nv_add(l, h->name, h->value);
    }
    if (rq->is_grpc) {
        if (!body) nv_grpc(l, x, text[1]); // "trailers only"
        return;
    }
    if (!x->stream && x->status != 204 && x->status != 304)
        nv_number(l, STR("content-length"), x->one.bytes.data.len, text[1]);
    if (x->retry_after_s) nv_number(l, STR("retry-after"), x->retry_after_s, text[2]);
}

static void begin_reply(struct conn *c, struct exch *x) {
    struct nv_list l = { .n = 0 };
    char text[3][24];
    bool body = has_body(x);
    nv_head(&l, x, body, text);
    nghttp2_data_provider provider = { .source.ptr = x, .read_callback = read_answer };
    x->begun = true;
    x->phase = EXCH_REPLY;
    timer_arm(&c->loop->timers, &x->timer, TIMER_WRITE, c->loop->now_ns);
    x->progress = x->progress_mark = 0;
    if (nghttp2_submit_response(c->h2.session, x->stream_id, l.nv, l.n, body ? &provider : NULL) != 0)
        (void)nghttp2_submit_rst_stream(c->h2.session, NGHTTP2_FLAG_NONE, x->stream_id,
                                        NGHTTP2_INTERNAL_ERROR);
}

void http2_reply(struct exch *x) {
    struct conn *c = x->conn;
    if (!x->begun)
        begin_reply(c, x);
    else if (x->deferred)
        (void)nghttp2_session_resume_data(c->h2.session, x->stream_id); // fails when nothing is deferred
    conn_ready(c);
}

void http2_stalled(struct exch *x) {
    struct conn *c = x->conn;
    bool stuck = x->progress == x->progress_mark && !x->deferred;
    if (x->end_sent || stuck) {
        uint32_t code = x->end_sent ? NGHTTP2_NO_ERROR : NGHTTP2_CANCEL;
        if (!x->end_sent) conn_refused(c, NET_REFUSED_TIMEOUT, "the client does not read its answers");
        (void)nghttp2_submit_rst_stream(c->h2.session, NGHTTP2_FLAG_NONE, x->stream_id, code);
        conn_ready(c);
        return;
    }
    x->progress_mark = x->progress;
    timer_arm(&c->loop->timers, &x->timer, TIMER_WRITE, c->loop->now_ns);
}

// --- session --------------------------------------------------------------------------------------

static void *h2_malloc(size_t n, void *arg) {
    (void)arg;
    return mem_alloc(n);
}

static void h2_free(void *p, void *arg) {
    (void)arg;
    mem_free(p);
}

static void *h2_calloc(size_t n, size_t size, void *arg) {
    (void)arg;
    size_t bytes;
    return __builtin_mul_overflow(n, size, &bytes) ? NULL : mem_zalloc(bytes);
}

static void *h2_realloc(void *p, size_t n, void *arg) {
    (void)arg;
    return mem_realloc(p, n);
}

static bool set_callbacks(nghttp2_session_callbacks **out) {
    nghttp2_session_callbacks *cb;
    if (nghttp2_session_callbacks_new(&cb) != 0) return false;
    nghttp2_session_callbacks_set_on_begin_headers_callback(cb, on_begin_headers);
    nghttp2_session_callbacks_set_on_header_callback(cb, on_header);
    nghttp2_session_callbacks_set_on_frame_recv_callback(cb, on_frame);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(cb, on_data);
    nghttp2_session_callbacks_set_on_stream_close_callback(cb, on_stream_close);
    nghttp2_session_callbacks_set_on_frame_send_callback(cb, on_frame_sent);
    nghttp2_session_callbacks_set_on_invalid_frame_recv_callback(cb, on_invalid);
    *out = cb;
    return true;
}

// Resets: a burst of 1000, then 33 a second. Continuations: a head of 64 KiB needs four frames of
// the smallest maximum; eight leave room.
static bool set_options(nghttp2_option **out) {
    nghttp2_option *o;
    if (nghttp2_option_new(&o) != 0) return false;
    nghttp2_option_set_no_auto_window_update(o, 1);
    nghttp2_option_set_no_closed_streams(o, 1);
    nghttp2_option_set_stream_reset_rate_limit(o, 1000, 33);
    nghttp2_option_set_max_continuations(o, 8);
    nghttp2_option_set_max_outbound_ack(o, 1000);
    *out = o;
    return true;
}

static enum err send_settings(struct conn *c) {
    const nghttp2_settings_entry settings[] = {
        { NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, c->loop->server->opts.max_streams },
        { NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, H2_STREAM_WINDOW },
        { NGHTTP2_SETTINGS_MAX_FRAME_SIZE, 64 << 10 },
        { NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, H1_HEAD_MAX }, // but one field: 64 KiB, as nghttp2 has it
    };
    nghttp2_session *s = c->h2.session;
    if (nghttp2_submit_settings(s, NGHTTP2_FLAG_NONE, settings, sizeof settings / sizeof *settings) != 0 ||
        nghttp2_session_set_local_window_size(s, NGHTTP2_FLAG_NONE, 0, H2_CONN_WINDOW) != 0)
        return ERR_NOMEM;
    if (c->loop->phase >= SERVER_DRAINING) http2_drain(c, false);
    return ERR_OK;
}

enum err http2_start(struct conn *c) {
    static const nghttp2_mem door = { NULL, h2_malloc, h2_free, h2_calloc, h2_realloc };
    nghttp2_mem mem = door;
    nghttp2_session_callbacks *cb = NULL;
    nghttp2_option *options = NULL;
    c->h2 = (struct http2){ 0 };
    bool ok = set_callbacks(&cb) && set_options(&options) &&
              nghttp2_session_server_new3(&c->h2.session, cb, c, options, &mem) == 0;
    nghttp2_session_callbacks_del(cb);
    nghttp2_option_del(options);
    if (!ok) return ERR_NOMEM;
    timer_arm(&c->loop->timers, &c->timer, TIMER_HEADER, c->loop->now_ns);
    return send_settings(c);
}

void http2_free(struct conn *c) {
    nghttp2_session_del(c->h2.session);
    c->h2.session = NULL;
}

static enum err receive(struct conn *c, struct str in) {
    ssize_t n = nghttp2_session_mem_recv(c->h2.session, (const uint8_t *)in.ptr, in.len);
    if (n >= 0) return ERR_OK;
    conn_refused(c, n == NGHTTP2_ERR_NOMEM ? NET_REFUSED_MEMORY : NET_REFUSED_MALFORMED,
                 nghttp2_strerror((int)n));
    return ERR_IO;
}

static enum err read_all(struct conn *c) {
    if (c->view.len) {
        struct str in = c->view;
        c->view = (struct str){ 0 };
        TRY(receive(c, in));
    }
    for (size_t got, sum = 0; sum < RUN_BYTES; sum += got) {
        enum err e = conn_read(c, c->loop->scratch, SCRATCH_BYTES, &got);
        if (e == ERR_AGAIN) return ERR_OK;
        TRY(e);
        TRY(receive(c, (struct str){ (char *)c->loop->scratch, got }));
    }
    conn_ready(c);
    return ERR_OK;
}

// Collects frames in the buffer of the loop; only what the socket does not take is kept by the
// connection. CANCELED: the library has run out of memory.
static enum err send_frames(struct conn *c, size_t *out_n) {
    struct buf *b = &c->loop->out;
    buf_reset(b);
    while (b->len < OUT_BYTES) {
        const uint8_t *frame;
        ssize_t n = nghttp2_session_mem_send(c->h2.session, &frame);
        if (n < 0) return ERR_CANCELED;
        if (n == 0) break;
        buf_add(b, frame, (size_t)n);
        if (b->failed) return ERR_CANCELED;
    }
    *out_n = b->len;
    struct str rest = buf_view(b);
    enum err e = conn_flush(c, &rest);
    if (e == ERR_AGAIN) buf_str(&c->out, rest);
    return e;
}

static enum err flush(struct conn *c) {
    struct str none = { 0 };
    TRY(conn_flush(c, &none));
    for (size_t n = 1, sum = 0; n; sum += n) {
        if (sum > RUN_BYTES) {
            conn_ready(c);
            return ERR_OK;
        }
        TRY(send_frames(c, &n));
    }
    return ERR_OK;
}

void http2_run(struct conn *c) {
    enum err in = read_all(c), out = flush(c);
    if (out == ERR_AGAIN) out = ERR_OK;
    bool over = !nghttp2_session_want_read(c->h2.session) && !nghttp2_session_want_write(c->h2.session);
    if (out != ERR_OK || in == ERR_CANCELED)
        conn_close(c);
    else if (in != ERR_OK || over)
        conn_finish(c);
}

void http2_timeout(struct conn *c) {
    (void)nghttp2_session_terminate_session(c->h2.session, NGHTTP2_NO_ERROR); // no stream is open
    conn_ready(c);
}

void http2_drain(struct conn *c, bool last) {
    nghttp2_session *s = c->h2.session;
    if (last)
        (void)nghttp2_submit_goaway(s, NGHTTP2_FLAG_NONE, nghttp2_session_get_last_proc_stream_id(s),
                                    NGHTTP2_NO_ERROR, NULL, 0);
    else
        (void)nghttp2_submit_shutdown_notice(s);
    conn_ready(c);
}
