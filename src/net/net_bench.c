// SPDX-License-Identifier: Apache-2.0
// net_bench: what a request over loopback costs the server, in CPU time of its one loop thread (the
// client runs in the main thread), and what the parser costs alone.
#include <nghttp2/nghttp2.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "net/net_internal.h"

static double thread_cpu_s(pthread_t t) {
    clockid_t id;
    struct timespec now;
    if (pthread_getcpuclockid(t, &id) != 0 || clock_gettime(id, &now) != 0) abort();
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

static void handle(void *ctx, struct net_request *rq) {
    (void)ctx;
    net_reply(rq, &(struct net_reply){ .status = 200, .body = net_bytes_static(STR("ok")) });
}

static int connect_to(struct net_server *s) {
    char address[32];
    int fd;
    (void)snprintf(address, sizeof address, "127.0.0.1:%u", net_server_port(s, 0));
    if (sock_connect(address, &fd) != ERR_OK) abort();
    return fd;
}

static void wait_fd(int fd, short events) {
    struct pollfd p = { .fd = fd, .events = events };
    (void)poll(&p, 1, -1);
}

static void send_all(int fd, struct str s) {
    while (s.len) {
        struct iovec iov = { (char *)s.ptr, s.len };
        size_t n = 0;
        if (sock_send(fd, &iov, 1, &n) == ERR_AGAIN) wait_fd(fd, POLLOUT);
        s = str_sub(s, n, s.len);
    }
}

static size_t receive(int fd, char *dst, size_t n) {
    size_t got = 0;
    while (sock_recv(fd, dst, n, &got) == ERR_AGAIN) wait_fd(fd, POLLIN);
    return got;
}

static void http1(struct net_server *s, uint64_t n, size_t body) {
    int fd = connect_to(s);
    char answer[4096];
    struct buf rq;
    buf_init(&rq, body + 4096);
    buf_fmt(&rq,
            "POST /v1/traces HTTP/1.1\r\nHost: localhost:4318\r\nUser-Agent: bench\r\n"
            "Content-Type: application/x-protobuf\r\nContent-Length: %zu\r\n\r\n",
            body);
    if (!buf_reserve(&rq, body)) abort();
    memset(rq.ptr + rq.len, 'x', body);
    rq.len += body;
    for (uint64_t i = 0; i < n; i++) {
        send_all(fd, buf_view(&rq));
        if (receive(fd, answer, sizeof answer) == 0) abort();
    }
    buf_fini(&rq);
    sock_close(fd);
}

struct upload {
    size_t left;
    bool busy;
};

static ssize_t read_upload(nghttp2_session *session, int32_t id, uint8_t *dst, size_t n, uint32_t *flags,
                           nghttp2_data_source *source, void *arg) {
    struct upload *u = source->ptr;
    (void)session, (void)id, (void)arg;
    size_t got = u->left < n ? u->left : n;
    memset(dst, 'x', got);
    u->left -= got;
    if (u->left == 0) *flags |= NGHTTP2_DATA_FLAG_EOF;
    return (ssize_t)got;
}

static int on_close(nghttp2_session *session, int32_t id, uint32_t code, void *arg) {
    struct upload *u = nghttp2_session_get_stream_user_data(session, id);
    if (code != 0) abort();
    u->busy = false;
    ++*(uint64_t *)arg;
    return 0;
}

static void submit(nghttp2_session *session, struct upload *u, size_t body) {
    static const char *const text[][2] = { { ":method", "POST" },
                                           { ":scheme", "http" },
                                           { ":path", "/v1/traces" },
                                           { ":authority", "localhost:4318" },
                                           { "content-type", "application/x-protobuf" } };
    nghttp2_nv nv[5];
    for (int i = 0; i < 5; i++)
        nv[i] = (nghttp2_nv){ (uint8_t *)text[i][0], (uint8_t *)text[i][1], strlen(text[i][0]),
                              strlen(text[i][1]), 0 };
    while (u->busy) u++; // fewer than all are
    *u = (struct upload){ body, true };
    nghttp2_data_provider p = { .source.ptr = u, .read_callback = read_upload };
    if (nghttp2_submit_request(session, NULL, nv, 5, &p, u) < 0) abort();
}

// 16 streams at a time.
static void http2(struct net_server *s, uint64_t n, size_t body) {
    enum { FLIGHT = 16 };
    static struct upload uploads[FLIGHT];
    int fd = connect_to(s);
    uint64_t begun = 0, done = 0;
    char in[65536];
    nghttp2_session_callbacks *cb;
    nghttp2_session *session;
    if (nghttp2_session_callbacks_new(&cb) != 0) abort();
    nghttp2_session_callbacks_set_on_stream_close_callback(cb, on_close);
    if (nghttp2_session_client_new(&session, cb, &done) != 0) abort();
    nghttp2_session_callbacks_del(cb);
    if (nghttp2_submit_settings(session, NGHTTP2_FLAG_NONE, NULL, 0) != 0) abort();
    while (done < n) {
        for (; begun < n && begun - done < FLIGHT; begun++) submit(session, uploads, body);
        const uint8_t *p;
        ssize_t len;
        while ((len = nghttp2_session_mem_send(session, &p)) > 0)
            send_all(fd, (struct str){ (const char *)p, (size_t)len });
        size_t got = receive(fd, in, sizeof in);
        if (got == 0 || nghttp2_session_mem_recv(session, (uint8_t *)in, got) < 0) abort();
    }
    nghttp2_session_del(session);
    sock_close(fd);
}

static void measure(const char *what, void (*run)(struct net_server *, uint64_t, size_t), uint64_t n,
                    size_t body) {
    struct mem_budget budget = { .limit = 64 << 20 };
    struct net_opts opts = { .body_budget = &budget, .n_loops = 1 };
    struct net_listen listen = { .address = "127.0.0.1:0", .handler = handle };
    struct net_server *s;
    struct err_ctx ctx = { 0 };
    if (net_server_new(&opts, &s) != ERR_OK || net_server_listen(s, &listen, &ctx) != ERR_OK ||
        net_server_start(s) != ERR_OK)
        abort();
    double best = 1e9;
    for (int round = 0; round < 3; round++) {
        double before = thread_cpu_s(s->loops[0].thread.id);
        run(s, n, body);
        double cpu = thread_cpu_s(s->loops[0].thread.id) - before;
        if (cpu < best) best = cpu;
    }
    printf("%-8s %8zu bytes: %8.2f us/request, %6.3f CPU s/GB\n", what, body, best / (double)n * 1e6,
           best / ((double)n * (double)body) * 1e9);
    net_server_free(s);
}

static void measure_parser(void) {
    static const char head[] =
        "POST /v1/traces HTTP/1.1\r\nHost: localhost:4318\r\nUser-Agent: OTel-OTLP-Exporter/1.30\r\n"
        "Content-Type: application/x-protobuf\r\nContent-Encoding: gzip\r\n"
        "Accept-Encoding: gzip\r\nConnection: keep-alive\r\nContent-Length: 4300\r\n\r\n";
    enum { N = 200000 };
    struct arena a;
    arena_init(&a, 1 << 20, NULL);
    double before = thread_cpu_s(pthread_self());
    for (int i = 0; i < N; i++) {
        struct h1_scan s = { 0 };
        struct h1_error err;
        struct h1_head h;
        arena_reset(&a);
        char *copy = arena_copy(&a, head, sizeof head - 1);
        if (h1_scan(&s, (struct str){ copy, sizeof head - 1 }, &err) != H1_DONE ||
            !h1_parse(&s, copy, &a, &h, &err))
            abort();
    }
    printf("h1_parse %8zu bytes: %8.0f ns\n", sizeof head - 1,
           (thread_cpu_s(pthread_self()) - before) / N * 1e9);
    arena_fini(&a);
}

int main(void) {
    measure_parser();
    measure("http1", http1, 20000, 4300);
    measure("http1", http1, 1500, 400000);
    measure("http2", http2, 40000, 4300);
    measure("http2", http2, 1500, 400000);
    return 0;
}
