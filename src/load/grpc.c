// SPDX-License-Identifier: Apache-2.0
// OTLP over gRPC: one unary call at a time on an nghttp2 session.
#include <nghttp2/nghttp2.h>
#include <stdio.h>

#include "base/base64.h"
#include "base/cursor.h"
#include "base/pb.h"
#include "load/client_internal.h"

enum { GRPC_OK = 0, GRPC_RESOURCE_EXHAUSTED = 8, GRPC_UNAVAILABLE = 14, PREFIX = 5, NO_STATUS = UINT32_MAX };

// One call, and the session that it runs on.
struct session {
    nghttp2_session *h2;
    int32_t stream;
    bool closed;
    unsigned char prefix[PREFIX];
    struct str body;
    size_t sent; // of prefix and body
    uint32_t status;
    char message[160];
    struct buf answer, details;
};

static ssize_t give_body(nghttp2_session *h2, int32_t stream, uint8_t *out, size_t n, uint32_t *flags,
                         nghttp2_data_source *source, void *user) {
    (void)h2, (void)stream, (void)user;
    struct session *s = source->ptr;
    size_t done = 0;
    for (; done < n && s->sent < PREFIX; done++) out[done] = s->prefix[s->sent++];
    size_t left = s->body.len + PREFIX - s->sent, take = n - done < left ? n - done : left;
    if (take) memcpy(out + done, s->body.ptr + (s->sent - PREFIX), take);
    s->sent += take;
    if (s->sent == s->body.len + PREFIX) *flags |= NGHTTP2_DATA_FLAG_EOF;
    return (ssize_t)(done + take);
}

static int on_header(nghttp2_session *h2, const nghttp2_frame *frame, const uint8_t *name, size_t name_len,
                     const uint8_t *value, size_t value_len, uint8_t flags, void *user) {
    (void)h2, (void)flags;
    struct session *s = user;
    struct str n = { (const char *)name, name_len }, v = { (const char *)value, value_len };
    uint64_t status;
    if (frame->hd.stream_id != s->stream) return 0;
    if (str_eq(n, STR("grpc-status")) && str_u64(v, &status) && status < NO_STATUS)
        s->status = (uint32_t)status;
    if (str_eq(n, STR("grpc-message"))) (void)snprintf(s->message, sizeof s->message, "%.*s", STR_ARG(v));
    if (str_eq(n, STR("grpc-status-details-bin"))) (void)!base64_decode(v, &s->details);
    return 0;
}

static int on_data(nghttp2_session *h2, uint8_t flags, int32_t stream, const uint8_t *data, size_t n,
                   void *user) {
    (void)h2, (void)flags;
    struct session *s = user;
    if (stream == s->stream) buf_add(&s->answer, data, n);
    return 0;
}

static int on_close(nghttp2_session *h2, int32_t stream, uint32_t code, void *user) {
    (void)h2, (void)code;
    struct session *s = user;
    if (stream == s->stream) s->closed = true;
    return 0;
}

void grpc_close(struct client *c) {
    struct session *s = c->http2;
    if (!s) return;
    nghttp2_session_del(s->h2);
    buf_fini(&s->answer);
    buf_fini(&s->details);
    mem_free(s);
    c->http2 = NULL;
}

static enum err open_session(struct client *c) {
    if (c->http2) return ERR_OK;
    struct session *s = mem_zalloc(sizeof *s);
    nghttp2_session_callbacks *callbacks = NULL;
    if (!s || nghttp2_session_callbacks_new(&callbacks)) {
        mem_free(s);
        return ERR_NOMEM;
    }
    nghttp2_session_callbacks_set_on_header_callback(callbacks, on_header);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_data);
    nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_close);
    int failed = nghttp2_session_client_new(&s->h2, callbacks, s);
    nghttp2_session_callbacks_del(callbacks);
    if (failed) {
        mem_free(s);
        return ERR_NOMEM;
    }
    buf_init(&s->answer, CLIENT_ANSWER_MAX);
    buf_init(&s->details, CLIENT_ANSWER_MAX);
    c->http2 = s;
    return nghttp2_submit_settings(s->h2, NGHTTP2_FLAG_NONE, NULL, 0) ? ERR_NOMEM : ERR_OK;
}

#define HEADER(n, v) \
    { (uint8_t *)(uintptr_t)(n), (uint8_t *)(uintptr_t)(v), strlen(n), strlen(v), NGHTTP2_NV_FLAG_NONE }

static enum err submit(struct client *c, struct str body) {
    struct session *s = c->http2;
    const nghttp2_nv headers[] = {
        HEADER(":method", "POST"),
        HEADER(":scheme", "http"),
        HEADER(":authority", c->to.authority),
        HEADER(":path", "/opentelemetry.proto.collector.trace.v1.TraceService/Export"),
        HEADER("content-type", "application/grpc"),
        HEADER("te", "trailers"),
        HEADER("user-agent", "takt-load"),
    };
    s->body = body;
    s->sent = 0;
    s->closed = false;
    s->status = NO_STATUS;
    s->message[0] = '\0';
    buf_reset(&s->answer);
    buf_reset(&s->details);
    s->prefix[0] = 0; // not compressed
    for (int i = 0; i < 4; i++) s->prefix[1 + i] = (unsigned char)(body.len >> (24 - 8 * i));
    nghttp2_data_provider provider = { { .ptr = s }, give_body };
    s->stream =
        nghttp2_submit_request(s->h2, NULL, headers, sizeof headers / sizeof *headers, &provider, NULL);
    return s->stream < 0 ? ERR_IO : ERR_OK;
}

static enum err flush(struct client *c) {
    struct session *s = c->http2;
    for (;;) {
        const uint8_t *data;
        ssize_t n = nghttp2_session_mem_send(s->h2, &data);
        if (n < 0) return ERR_IO;
        if (n == 0) return ERR_OK;
        struct iovec iov = { (void *)(uintptr_t)data, (size_t)n };
        TRY(client_write(c, &iov, 1));
    }
}

static enum err run_call(struct client *c, struct str body) {
    TRY(open_session(c));
    TRY(submit(c, body));
    struct session *s = c->http2;
    while (!s->closed) {
        TRY(flush(c));
        TRY(client_read(c));
        ssize_t used = nghttp2_session_mem_recv(s->h2, (const uint8_t *)c->in.ptr, c->in.len);
        if (used < 0 || (size_t)used != c->in.len) return ERR_IO;
        buf_reset(&c->in);
    }
    return flush(c);
}

// google.rpc.Status: details (3) are Any (type 1, value 2); RetryInfo holds a Duration (1).
static void read_retry_info(struct str details, struct client_answer *out) {
    struct reader status = reader_of(details);
    struct pb_field any, f;
    while (pb_next(&status, &any)) {
        if (any.number != 3 || any.wire != PB_BYTES) continue;
        struct reader r = reader_of(any.bytes);
        struct str type = STR(""), value = STR("");
        while (pb_next(&r, &f)) {
            if (f.wire != PB_BYTES) continue;
            if (f.number == 1) type = f.bytes;
            if (f.number == 2) value = f.bytes;
        }
        if (!str_ends(type, STR("/google.rpc.RetryInfo"))) continue;
        r = reader_of(value);
        if (!pb_next(&r, &f) || f.wire != PB_BYTES) continue;
        r = reader_of(f.bytes);
        uint64_t ms = 0;
        while (pb_next(&r, &f)) {
            if (f.number == 1) ms += f.value % 1000000 * 1000;
            if (f.number == 2) ms += f.value / 1000000;
        }
        out->retry_after_ms = ms < CLIENT_RETRY_MAX_MS ? (uint32_t)ms : CLIENT_RETRY_MAX_MS;
    }
}

void grpc_send(struct client *c, struct str body, struct client_answer *out) {
    enum err e = run_call(c, body);
    struct session *s = c->http2;
    if (e != ERR_OK || s->status == NO_STATUS) {
        client_text(out, "%s", e ? err_text(e) : "no grpc-status");
        return;
    }
    if (s->status == GRPC_OK) {
        out->result = CLIENT_ACKED;
        if (s->answer.len >= PREFIX)
            client_read_response(str_sub(buf_view(&s->answer), PREFIX, s->answer.len), out);
        return;
    }
    bool patience = s->status == GRPC_RESOURCE_EXHAUSTED || s->status == GRPC_UNAVAILABLE;
    out->result = patience ? CLIENT_RETRY : CLIENT_REFUSED;
    client_text(out, "gRPC status %u %s", s->status, s->message);
    read_retry_info(buf_view(&s->details), out);
}
