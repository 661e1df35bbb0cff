// SPDX-License-Identifier: Apache-2.0
// One connection of HTTP/1.1: one request at a time; while it is with its handler the connection is
// not read, so pipelined requests wait in the socket.
//
//   HEAD ─▶ BODY ⇄ WAIT ─▶ HANDLER ─http1_reply─▶ REPLY ─▶ HEAD, or the end
#include "net/net_internal.h"

void http1_start(struct conn *c) {
    c->h1 = (struct http1){ .phase = HTTP1_HEAD };
}

static const char *reason(int status) {
    static const struct {
        int status;
        const char *text;
    } reasons[] = {
        { 200, "OK" },
        { 201, "Created" },
        { 202, "Accepted" },
        { 204, "No Content" },
        { 301, "Moved Permanently" },
        { 302, "Found" },
        { 304, "Not Modified" },
        { 400, "Bad Request" },
        { 401, "Unauthorized" },
        { 403, "Forbidden" },
        { 404, "Not Found" },
        { 405, "Method Not Allowed" },
        { 408, "Request Timeout" },
        { 409, "Conflict" },
        { 413, "Content Too Large" },
        { 414, "URI Too Long" },
        { 415, "Unsupported Media Type" },
        { 422, "Unprocessable Content" },
        { 429, "Too Many Requests" },
        { 431, "Request Header Fields Too Large" },
        { 500, "Internal Server Error" },
        { 501, "Not Implemented" },
        { 503, "Service Unavailable" },
        { 505, "HTTP Version Not Supported" },
    };
    for (size_t i = 0; i < sizeof reasons / sizeof *reasons; i++)
        if (reasons[i].status == status) return reasons[i].text;
    return "Status";
}

// --- answers --------------------------------------------------------------------------------------

// For a request that never became an exchange.
static void answer_error(struct conn *c, enum net_refusal why, struct h1_error err) {
    conn_refused(c, why, err.text);
    buf_fmt(&c->out,
            "HTTP/1.1 %d %s\r\ndate: %.*s\r\ncontent-type: text/plain; charset=utf-8\r\n"
            "content-length: %zu\r\nconnection: close\r\n\r\n%s",
            err.status, reason(err.status), STR_ARG(loop_date(c->loop)), strlen(err.text), err.text);
    conn_finish(c);
}

static bool has_body(const struct exch *x) {
    return x->status != 204 && x->status != 304 && !str_eq(x->rq.method, STR("HEAD"));
}

static void compose_head(struct conn *c, struct exch *x) {
    struct buf *b = &c->out;
    buf_fmt(b, "HTTP/1.1 %d %s\r\ndate: %.*s\r\n", x->status, reason(x->status), STR_ARG(loop_date(c->loop)));
    for (size_t i = 0; i < x->n_reply_headers; i++) {
        buf_str(b, x->reply_headers[i].name);
        buf_str(b, STR(": "));
        buf_str(b, x->reply_headers[i].value);
        buf_str(b, STR("\r\n"));
    }
    if (x->retry_after_s) buf_fmt(b, "retry-after: %u\r\n", x->retry_after_s);
    if (x->stream) {
        if (!c->h1.http10 && has_body(x)) buf_str(b, STR("transfer-encoding: chunked\r\n"));
    } else if (x->status != 204 && x->status != 304) {
        buf_fmt(b, "content-length: %zu\r\n", x->one.bytes.data.len);
    }
    if (!c->h1.keep_alive)
        buf_str(b, STR("connection: close\r\n"));
    else if (c->h1.http10)
        buf_str(b, STR("connection: keep-alive\r\n"));
    buf_str(b, STR("\r\n"));
}

// The client still sends a body that nobody reads: after the answer the connection cannot be used.
static void begin_reply(struct conn *c, struct exch *x) {
    bool draining = c->loop->phase >= SERVER_DRAINING;
    bool open_ended = x->stream && c->h1.http10; // the end of the connection ends the answer
    if (draining || open_ended || !x->remote_end) c->h1.keep_alive = false;
    x->begun = true;
    x->phase = EXCH_REPLY;
    c->h1.phase = HTTP1_REPLY;
    compose_head(c, x);
    if (!has_body(x)) x->one.pos = x->one.bytes.data.len;
}

void http1_reply(struct exch *x) {
    if (!x->begun) begin_reply(x->conn, x);
    conn_ready(x->conn);
}

static bool reply_end(struct conn *c) {
    bool keep = c->h1.keep_alive;
    exch_done(TAKE(c->h1.x), true);
    http1_start(c);
    if (!keep) conn_finish(c);
    return keep;
}

static enum err write_whole(struct conn *c, struct exch *x) {
    struct str rest = str_sub(x->one.bytes.data, x->one.pos, x->one.bytes.data.len);
    enum err e = conn_flush(c, &rest);
    x->one.pos = x->one.bytes.data.len - rest.len;
    return e;
}

static bool is_chunked(const struct conn *c, const struct exch *x) {
    return !c->h1.http10 && has_body(x);
}

// Takes the next piece in hand; what stands before and behind the pieces goes through c->out. false:
// there is none now.
static bool take_piece(struct conn *c, struct exch *x, bool *abort) {
    bool end, chunked = is_chunked(c, x), some = exch_take(x, &end, abort);
    size_t n = x->one.bytes.data.len;
    if (!has_body(x)) x->one.pos = n;
    if (some && chunked) buf_fmt(&c->out, "%zx\r\n", n);
    if (!some && end && chunked) buf_str(&c->out, STR("0\r\n\r\n"));
    c->h1.ended = !some && end;
    return some || end;
}

// AGAIN: the socket is full, or the handler has not written more.
static enum err write_stream(struct conn *c, struct exch *x) {
    bool abort = false;
    for (uint64_t start = c->written;;) {
        TRY(write_whole(c, x));
        if (c->h1.ended) return ERR_OK;
        if (exch_drop(x) && is_chunked(c, x)) buf_str(&c->out, STR("\r\n"));
        if (c->written - start > RUN_BYTES) { // others have their turn
            conn_ready(c);
            return ERR_AGAIN;
        }
        bool some = take_piece(c, x, &abort);
        if (abort) return ERR_CANCELED;
        if (some) continue;
        struct str none = { 0 };
        TRY(conn_flush(c, &none));
        return ERR_AGAIN;
    }
}

static bool write_reply(struct conn *c) {
    struct exch *x = c->h1.x;
    enum err e = x->stream ? write_stream(c, x) : write_whole(c, x);
    if (e == ERR_OK) return reply_end(c);
    if (e != ERR_AGAIN)
        conn_close(c);
    else if (c->hung_up)
        exch_cancel(x);
    return false;
}

// --- requests -------------------------------------------------------------------------------------

static void after_body(struct conn *c) {
    c->h1.phase = HTTP1_HANDLER;
    exch_body_end(c->h1.x); // a refusal sets HTTP1_REPLY
}

static void begin_body(struct conn *c, struct exch *x, bool expects) {
    c->h1.phase = HTTP1_BODY;
    if (!x->has_length && !c->h1.chunked) {
        after_body(c);
        return;
    }
    struct str none = STR("");
    enum body_next r = exch_feed(x, &none); // reserves a body of known length
    if (r == BODY_FULL) after_body(c);
    if (r == BODY_RESERVE) c->h1.phase = HTTP1_WAIT;
    c->h1.expects = expects && r != BODY_FULL && r != BODY_BAD;
}

static bool fill_exchange(struct conn *c, struct exch *x, struct h1_error *err) {
    char *head = arena_copy(&x->arena, c->view.ptr, c->h1.scan.pos);
    struct h1_head h;
    *err = (struct h1_error){ 503, "out of memory" };
    if (!head || !h1_parse(&c->h1.scan, head, &x->arena, &h, err)) return false;
    x->rq.method = h.method;
    x->rq.host = h.host;
    x->fields = h.headers;
    x->n_fields = (uint32_t)h.n_headers;
    x->has_length = h.has_length;
    x->length = h.length;
    x->remote_end = !h.chunked && h.length == 0;
    c->h1.chunked = h.chunked;
    c->h1.keep_alive = h.keep_alive;
    c->h1.http10 = h.http10;
    c->h1.expects = h.expect_continue;
    if (str_eq(h.method, STR("CONNECT"))) {
        *err = (struct h1_error){ 501, "this is not a proxy" };
        return false;
    }
    if (exch_target(x, h.target)) return true;
    if (!x->arena.failed) *err = (struct h1_error){ 400, "malformed target" };
    return false;
}

static void begin_request(struct conn *c) {
    timer_disarm(&c->timer);
    struct exch *x = exch_new(c);
    struct h1_error err = { 503, "out of memory" };
    if (!x || !fill_exchange(c, x, &err)) {
        answer_error(c, err.status == 503 ? NET_REFUSED_MEMORY : NET_REFUSED_MALFORMED, err);
        return;
    }
    conn_consume(c, c->h1.scan.pos);
    c->h1.x = x;
    c->h1.phase = HTTP1_HANDLER;
    bool expects = c->h1.expects;
    c->h1.expects = false;
    if (exch_begin(x)) begin_body(c, x, expects);
}

static bool wait_for_head(struct conn *c) {
    struct loop *l = c->loop;
    bool idle = c->view.len == 0;
    if (idle && l->phase >= SERVER_DRAINING && l->grace.kind == TIMER_OFF)
        conn_finish(c);
    else if (idle && c->timer.kind == TIMER_OFF)
        timer_arm(&l->timers, &c->timer, TIMER_IDLE, l->now_ns);
    else if (!idle && c->timer.kind != TIMER_HEADER)
        timer_arm(&l->timers, &c->timer, TIMER_HEADER, l->now_ns);
    return false;
}

static bool read_head(struct conn *c) {
    struct h1_error err;
    enum h1_result r = c->view.len > c->h1.scan.pos ? h1_scan(&c->h1.scan, c->view, &err) : H1_MORE;
    if (r == H1_DONE) begin_request(c);
    if (r == H1_BAD) answer_error(c, err.status == 400 ? NET_REFUSED_MALFORMED : NET_REFUSED_TOO_LARGE, err);
    if (r != H1_MORE) return true;
    enum err e = conn_fill(c, H1_READ_BYTES);
    if (e == ERR_AGAIN) return wait_for_head(c);
    if (e == ERR_NOMEM) answer_error(c, NET_REFUSED_MEMORY, (struct h1_error){ 503, "out of memory" });
    if (e == ERR_CANCELED || e == ERR_IO) conn_close(c);
    return e == ERR_OK;
}

// Straight from the socket into the body.
static bool receive_body(struct conn *c, struct exch *x) {
    size_t room, n;
    uint8_t *dst = body_room(&x->body, &room);
    enum err e = conn_read(c, dst, room, &n);
    if (e == ERR_AGAIN) return false;
    if (e != ERR_OK) {
        conn_close(c);
        return false;
    }
    body_advance(&x->body, n);
    x->progress += n;
    c->turn_bytes += n;
    if (n == room) after_body(c);
    return true;
}

static bool read_length_body(struct conn *c, struct exch *x) {
    if (c->view.len == 0) return receive_body(c, x);
    struct str in = c->view;
    enum body_next r = exch_feed(x, &in);
    conn_consume(c, c->view.len - in.len);
    if (r == BODY_FULL) after_body(c);
    return true;
}

static bool read_chunked_body(struct conn *c, struct exch *x) {
    if (c->view.len == 0) {
        enum err e = conn_fill(c, H2_STREAM_WINDOW);
        if (e == ERR_AGAIN) return false;
        if (e != ERR_OK) {
            conn_close(c);
            return false;
        }
        c->turn_bytes += c->view.len;
    }
    struct str in = c->view, piece;
    enum h1_result r = h1_chunk(&c->h1.chunk, &in, &piece);
    conn_consume(c, c->view.len - in.len);
    if (r == H1_DATA && exch_feed(x, &piece) == BODY_RESERVE) c->h1.phase = HTTP1_WAIT;
    if (r == H1_DONE) after_body(c);
    if (r == H1_BAD) exch_refuse(x, NET_REFUSED_MALFORMED, 400, "malformed chunk");
    return true;
}

static bool read_body(struct conn *c) {
    struct exch *x = c->h1.x;
    if (c->h1.expects) {
        if (c->view.len == 0) buf_str(&c->out, STR("HTTP/1.1 100 Continue\r\n\r\n"));
        c->h1.expects = false;
    }
    struct str none = { 0 };
    enum err e = conn_flush(c, &none);
    if (e != ERR_OK && e != ERR_AGAIN) {
        conn_close(c);
        return false;
    }
    return c->h1.chunked ? read_chunked_body(c, x) : read_length_body(c, x);
}

void http1_resume(struct exch *x) {
    struct conn *c = x->conn;
    if (x->phase == EXCH_BODY) c->h1.phase = HTTP1_BODY;
    conn_ready(c);
}

static bool step(struct conn *c) {
    switch (c->h1.phase) {
    case HTTP1_HEAD: return read_head(c);
    case HTTP1_BODY: return read_body(c);
    case HTTP1_REPLY: return write_reply(c);
    default:
        if (c->hung_up) exch_cancel(c->h1.x);
        return false;
    }
}

void http1_run(struct conn *c) {
    c->turn_bytes = 0;
    while (c->phase == CONN_HTTP1 && step(c)) {
        if (c->turn_bytes < RUN_BYTES) continue;
        conn_ready(c);
        return;
    }
}

void http1_timeout(struct conn *c) {
    if (c->h1.phase != HTTP1_HEAD) return;
    if (c->in.len)
        answer_error(c, NET_REFUSED_TIMEOUT,
                     (struct h1_error){ 408, "the head of the request came too slowly" });
    else
        conn_finish(c);
}

void http1_drain(struct conn *c) {
    if (c->h1.phase == HTTP1_HEAD && c->in.len == 0) conn_finish(c);
}
