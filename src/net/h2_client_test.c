// SPDX-License-Identifier: Apache-2.0
#include "net/h2_client_test.h"

#include <nghttp2/nghttp2.h>
#include <stdlib.h>

static int on_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name,
                     size_t name_len, const uint8_t *value, size_t value_len, uint8_t flags, void *arg) {
    struct h2_stream *s = nghttp2_session_get_stream_user_data(session, frame->hd.stream_id);
    (void)flags, (void)arg;
    if (!s) return 0;
    buf_add(&s->text, name, name_len);
    buf_str(&s->text, STR(": "));
    buf_add(&s->text, value, value_len);
    buf_char(&s->text, '\n');
    return 0;
}

static int on_data(nghttp2_session *session, uint8_t flags, int32_t id, const uint8_t *data, size_t len,
                   void *arg) {
    struct h2_stream *s = nghttp2_session_get_stream_user_data(session, id);
    struct h2_client *c = arg;
    (void)flags;
    (void)nghttp2_session_consume_connection(session, len);
    if (!c->no_window) (void)nghttp2_session_consume_stream(session, id, len);
    if (s) buf_add(&s->data, data, len);
    return 0;
}

static int on_frame(nghttp2_session *session, const nghttp2_frame *frame, void *arg) {
    struct h2_client *c = arg;
    if (frame->hd.type == NGHTTP2_GOAWAY) {
        c->n_goaway++;
        c->goaway_last = frame->goaway.last_stream_id;
        c->goaway_error = frame->goaway.error_code;
    }
    struct h2_stream *s = nghttp2_session_get_stream_user_data(session, frame->hd.stream_id);
    if (s && frame->hd.type == NGHTTP2_DATA) s->n_data++;
    return 0;
}

static int on_close(nghttp2_session *session, int32_t id, uint32_t code, void *arg) {
    struct h2_stream *s = nghttp2_session_get_stream_user_data(session, id);
    (void)arg;
    if (!s) return 0;
    s->closed = true;
    s->error = code;
    return 0;
}

void h2_open(struct kit *k, struct h2_client *c, uint32_t stream_window) {
    memset(c, 0, sizeof *c);
    kit_connect(k, &c->c);
    nghttp2_session_callbacks *cb;
    nghttp2_option *o;
    CHECK(nghttp2_session_callbacks_new(&cb) == 0 && nghttp2_option_new(&o) == 0);
    nghttp2_option_set_no_auto_window_update(o, 1);
    nghttp2_option_set_no_http_messaging(o, 1); // it may send what it likes
    nghttp2_session_callbacks_set_on_header_callback(cb, on_header);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(cb, on_data);
    nghttp2_session_callbacks_set_on_frame_recv_callback(cb, on_frame);
    nghttp2_session_callbacks_set_on_stream_close_callback(cb, on_close);
    CHECK(nghttp2_session_client_new2(&c->session, cb, c, o) == 0);
    nghttp2_option_del(o);
    nghttp2_session_callbacks_del(cb);
    nghttp2_settings_entry window = { NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, stream_window };
    CHECK(nghttp2_submit_settings(c->session, NGHTTP2_FLAG_NONE, &window, 1) == 0);
}

void h2_close(struct h2_client *c) {
    nghttp2_session_del(c->session);
    for (size_t i = 0; i < c->n_streams; i++) {
        buf_fini(&c->streams[i]->text);
        buf_fini(&c->streams[i]->data);
        free(c->streams[i]);
    }
    kit_close(&c->c);
}

static ssize_t read_upload(nghttp2_session *session, int32_t id, uint8_t *dst, size_t n, uint32_t *flags,
                           nghttp2_data_source *source, void *arg) {
    struct h2_stream *s = source->ptr;
    (void)session, (void)id, (void)arg;
    struct str rest = str_sub(s->upload, s->sent, n);
    if (rest.len) memcpy(dst, rest.ptr, rest.len);
    s->sent += rest.len;
    if (s->sent < s->upload.len) return (ssize_t)rest.len;
    if (s->more) return rest.len ? (ssize_t)rest.len : NGHTTP2_ERR_DEFERRED;
    *flags |= NGHTTP2_DATA_FLAG_EOF;
    return (ssize_t)rest.len;
}

static nghttp2_nv nv(const char *name, const char *value) {
    return (nghttp2_nv){ (uint8_t *)name, (uint8_t *)value, strlen(name), strlen(value),
                         NGHTTP2_NV_FLAG_NONE };
}

struct h2_stream *h2_send(struct h2_client *c, const char *method, const char *path,
                          const char *const *headers, struct str body) {
    nghttp2_nv list[160] = { nv(":method", method), nv(":scheme", "http"), nv(":path", path),
                             nv(":authority", "h") };
    size_t n = 4;
    for (; headers && *headers; headers += 2) {
        CHECK(n < 160);
        list[n++] = nv(headers[0], headers[1]);
    }
    CHECK(c->n_streams < H2_STREAMS_MAX);
    struct h2_stream *s = calloc(1, sizeof *s); // not one of those that a test lets fail
    CHECK(s != NULL);
    c->streams[c->n_streams++] = s;
    buf_init(&s->text, 1 << 20);
    buf_init(&s->data, 64 << 20);
    s->upload = body;
    nghttp2_data_provider provider = { .source.ptr = s, .read_callback = read_upload };
    s->id = nghttp2_submit_request(c->session, NULL, list, n, body.ptr ? &provider : NULL, s);
    CHECK(s->id > 0);
    return s;
}

struct h2_stream *h2_grpc(struct h2_client *c, const char *path, struct str framed) {
    static const char *const headers[] = { "content-type", "application/grpc", "te", "trailers", NULL };
    return h2_send(c, "POST", path, headers, framed);
}

static bool flush(struct h2_client *c) {
    bool some = false;
    for (;;) {
        const uint8_t *p;
        ssize_t n = nghttp2_session_mem_send(c->session, &p);
        if (n <= 0) return some;
        some = true;
        kit_send(&c->c, (struct str){ (const char *)p, (size_t)n });
        if (c->c.in.len > (1 << 20)) return some; // the answers have their turn
    }
}

bool h2_pump(struct h2_client *c) {
    bool some = flush(c);
    some |= kit_pump(&c->c);
    struct buf *in = &c->c.in;
    if (in->len == 0) return some;
    ssize_t n = nghttp2_session_mem_recv(c->session, (uint8_t *)in->ptr, in->len);
    CHECK(n == (ssize_t)in->len);
    buf_reset(in);
    return true;
}

void h2_pumps(struct h2_client *c, int n) {
    for (int i = 0; i < n; i++) (void)h2_pump(c);
}

void h2_wait(struct h2_client *c, struct h2_stream *s) {
    for (int i = 0; i < 5000 && !s->closed && !c->c.closed; i++) (void)h2_pump(c);
    CHECK(s->closed);
}

void h2_reset(struct h2_client *c, struct h2_stream *s, uint32_t code) {
    CHECK(nghttp2_submit_rst_stream(c->session, NGHTTP2_FLAG_NONE, s->id, code) == 0);
}

struct str h2_header(const struct h2_stream *s, const char *name) {
    struct str rest = buf_view(&s->text), line, key, value, want = str_of(name);
    while (rest.len) {
        (void)str_cut(rest, '\n', &line, &rest);
        size_t colon = want.len;
        key = str_sub(line, 0, colon);
        value = str_sub(line, colon, line.len);
        if (str_eq(key, want) && str_starts(value, STR(": "))) return str_sub(value, 2, value.len);
    }
    return (struct str){ 0 };
}
