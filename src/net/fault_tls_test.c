// SPDX-License-Identifier: Apache-2.0
// TLS whose sockets fail: the n-th call of the kernel, for every n; a client that is gone after its
// n-th byte, for every n; bytes that come and go in drops. Over HTTP/1.1, HTTP/2 and gRPC: whatever
// hangs on the connection ends, nothing leaks, and the others live on.
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <nghttp2/nghttp2.h>
#include <openssl/err.h>
#include <openssl/ssl.h>

#include "net/identity_test.h"

enum { BODY = 60 << 10, TURNS = 8000 };
enum talk { TALK_HTTP1, TALK_HTTP2, TALK_GRPC, TALKS };

static struct identity server_id;
static char body[BODY + 5]; // of gRPC: with a prefix

static unsigned open_files(void) {
    unsigned n = 0;
    for (int fd = 0; fd < 256; fd++) n += fcntl(fd, F_GETFD) >= 0;
    return n;
}

// A client past src/os, so that only calls of the server fail. OpenSSL speaks with two buffers,
// whose bytes pass through the socket here.
struct client {
    struct kit *kit;
    int fd;
    SSL_CTX *ctx;
    SSL *ssl;
    BIO *from, *to;          // the server
    size_t drop;             // bytes at most that pass in one turn
    uint64_t sent, reset_at; // gone (RST) after so many bytes
    bool closed;
    struct buf in;
};

static void client_open(struct kit *k, struct client *c, enum talk talk) {
    static const unsigned char h1[] = "\x08http/1.1", h2[] = "\x02h2";
    struct sockaddr_in to = { .sin_family = AF_INET,
                              .sin_port = htons(net_server_port(k->server, 0)),
                              .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    *c = (struct client){ .kit = k, .drop = 64 << 10, .reset_at = UINT64_MAX };
    buf_init(&c->in, 8 << 20);
    c->fd = socket(AF_INET, SOCK_STREAM, 0);
    CHECK(c->fd >= 0 && connect(c->fd, (struct sockaddr *)&to, sizeof to) == 0);
    CHECK(fcntl(c->fd, F_SETFL, O_NONBLOCK) == 0);
    c->ctx = SSL_CTX_new(TLS_client_method());
    c->ssl = c->ctx ? SSL_new(c->ctx) : NULL;
    c->from = BIO_new(BIO_s_mem());
    c->to = BIO_new(BIO_s_mem());
    CHECK(c->ssl && c->from && c->to);
    SSL_set_bio(c->ssl, c->from, c->to);
    SSL_set_connect_state(c->ssl);
    CHECK(SSL_set_alpn_protos(c->ssl, talk == TALK_HTTP1 ? h1 : h2, talk == TALK_HTTP1 ? 9 : 3) == 0);
}

static void hang_up(struct client *c) {
    struct linger now = { .l_onoff = 1 };
    if (c->fd < 0) return;
    (void)setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
    (void)close(c->fd);
    c->fd = -1;
    c->closed = true;
}

static void client_close(struct client *c) {
    if (c->fd >= 0) (void)close(c->fd);
    SSL_free(c->ssl);
    SSL_CTX_free(c->ctx);
    buf_fini(&c->in);
}

static bool pass_out(struct client *c) {
    static char bytes[64 << 10];
    char *p;
    long n = BIO_get_mem_data(c->to, &p);
    uint64_t left = c->reset_at - c->sent;
    if (n > (long)c->drop) n = (long)c->drop;
    if ((uint64_t)n > left) n = (long)left;
    if (n > 0) {
        ssize_t sent = send(c->fd, p, (size_t)n, MSG_NOSIGNAL);
        if (sent < 0 && errno != EAGAIN) c->closed = true;
        if (sent <= 0) return false;
        CHECK(BIO_read(c->to, bytes, (int)sent) == sent);
        c->sent += (uint64_t)sent;
    }
    if (c->sent == c->reset_at) hang_up(c);
    return n > 0;
}

static bool pass_in(struct client *c) {
    static char bytes[64 << 10];
    ssize_t n = recv(c->fd, bytes, c->drop, 0);
    if (n > 0) CHECK(BIO_write(c->from, bytes, (int)n) == n);
    if (n == 0 || (n < 0 && errno != EAGAIN)) c->closed = true;
    return n > 0;
}

static void client_turn(struct client *c) {
    bool some = !c->closed && pass_out(c);
    kit_turn(c->kit);
    if (!c->closed) some |= pass_in(c);
    if (some || c->closed) return;
    (void)poll(NULL, 0, c->kit->now_ns % 5 == 0); // what the server lost sight of ends by time
    c->kit->now_ns += 20000001;
}

// After a call of OpenSSL that returned rc: false: it is over. Neither is a hang.
static bool go_on(struct client *c, int rc) {
    int why = SSL_get_error(c->ssl, rc);
    if (why != SSL_ERROR_WANT_READ && why != SSL_ERROR_WANT_WRITE) return false;
    bool was_closed = c->closed;
    client_turn(c);
    return !was_closed;
}

static bool shake(struct client *c) {
    for (int i = 0, rc; i < TURNS; i++) {
        ERR_clear_error();
        if ((rc = SSL_do_handshake(c->ssl)) != 1) {
            if (go_on(c, rc)) continue;
            return false;
        }
        while (!c->closed && BIO_ctrl_pending(c->to) > 0) client_turn(c);
        return !c->closed;
    }
    test_fail(__FILE__, __LINE__, "neither a handshake nor an end");
}

static void put(struct client *c, struct str s) {
    if (s.len && !c->closed) CHECK(SSL_write(c->ssl, s.ptr, (int)s.len) == (int)s.len);
}

// More of what the server said; false: it is over.
static bool get(struct client *c) {
    for (int i = 0; i < TURNS; i++) {
        char part[16384];
        ERR_clear_error();
        int n = SSL_read(c->ssl, part, sizeof part);
        if (n > 0) {
            buf_add(&c->in, part, (size_t)n);
            return true;
        }
        if (!go_on(c, n)) return false;
    }
    test_fail(__FILE__, __LINE__, "neither bytes nor an end");
}

// --- what is said ----------------------------------------------------------------------------------

static bool talk_http1(struct client *c) {
    char head[128];
    int n = snprintf(head, sizeof head, "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n", BODY);
    buf_reset(&c->in);
    put(c, (struct str){ head, (size_t)n });
    put(c, (struct str){ body, BODY });
    while (c->in.len < BODY || !str_ends(buf_view(&c->in), (struct str){ body, BODY }))
        if (!get(c)) return false;
    return true;
}

struct answer {
    size_t n_data, sent, len;
    bool closed, failed;
};

static int on_data(nghttp2_session *s, uint8_t flags, int32_t id, const uint8_t *p, size_t n, void *arg) {
    (void)s, (void)flags, (void)id, (void)p;
    ((struct answer *)arg)->n_data += n;
    return 0;
}

static int on_close(nghttp2_session *s, int32_t id, uint32_t code, void *arg) {
    (void)s, (void)id;
    ((struct answer *)arg)->closed = true;
    ((struct answer *)arg)->failed = code != 0;
    return 0;
}

static ssize_t upload(nghttp2_session *s, int32_t id, uint8_t *dst, size_t n, uint32_t *flags,
                      nghttp2_data_source *source, void *arg) {
    struct answer *a = arg;
    (void)s, (void)id;
    struct str rest = str_sub((struct str){ source->ptr, a->len }, a->sent, n);
    memcpy(dst, rest.ptr, rest.len);
    a->sent += rest.len;
    if (a->sent == a->len) *flags |= NGHTTP2_DATA_FLAG_EOF;
    return (ssize_t)rest.len;
}

#define NV(name, value) \
    { (uint8_t *)name, (uint8_t *)value, sizeof name - 1, sizeof value - 1, NGHTTP2_NV_FLAG_NONE }

static void submit(nghttp2_session *s, struct answer *a, bool grpc) {
    nghttp2_nv nv[] = {
        NV(":method", "POST"), NV(":scheme", "https"), NV(":path", "/echo"),
        NV(":authority", "h"), NV("te", "trailers"),   NV("content-type", "application/grpc")
    };
    static const char prefix[5] = { 0, 0, 0, (char)(BODY >> 8 & 255), (char)(BODY & 255) };
    a->len = grpc ? BODY + 5 : BODY;
    if (grpc) memcpy(body, prefix, sizeof prefix);
    nghttp2_data_provider from = { .source.ptr = body, .read_callback = upload };
    CHECK(nghttp2_submit_request(s, NULL, nv, grpc ? 6 : 4, &from, NULL) > 0);
}

static bool converse(struct client *c, nghttp2_session *s, struct answer *a) {
    while (!a->closed) {
        const uint8_t *p;
        for (ssize_t n; (n = nghttp2_session_mem_send(s, &p)) > 0;)
            put(c, (struct str){ (const char *)p, (size_t)n });
        buf_reset(&c->in);
        if (!get(c) || nghttp2_session_mem_recv(s, (uint8_t *)c->in.ptr, c->in.len) < 0) return false;
    }
    return !a->failed && a->n_data == a->len;
}

static bool talk_http2(struct client *c, bool grpc) {
    nghttp2_session_callbacks *cb;
    nghttp2_session *s;
    struct answer a = { 0 };
    CHECK(nghttp2_session_callbacks_new(&cb) == 0);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(cb, on_data);
    nghttp2_session_callbacks_set_on_stream_close_callback(cb, on_close);
    CHECK(nghttp2_session_client_new(&s, cb, &a) == 0);
    nghttp2_session_callbacks_del(cb);
    CHECK(nghttp2_submit_settings(s, NGHTTP2_FLAG_NONE, NULL, 0) == 0);
    submit(s, &a, grpc);
    bool ok = converse(c, s, &a);
    nghttp2_session_del(s);
    return ok;
}

static bool talk_on(struct client *c, enum talk talk) {
    return talk == TALK_HTTP1 ? talk_http1(c) && talk_http1(c) : talk_http2(c, talk == TALK_GRPC);
}

// A whole connection of the client that is given, opened and closed here.
static bool talk_once(struct kit *k, enum talk talk) {
    struct client c;
    client_open(k, &c, talk);
    bool ok = shake(&c) && talk_on(&c, talk);
    client_close(&c);
    for (int i = 0; i < 3; i++) kit_turn(k);
    return ok;
}

static void begin(struct kit *k) {
    if (!server_id.key) identity_make(&server_id, "server", NULL);
    for (size_t i = 0; i < sizeof body; i++) body[i] = (char)('a' + test_below(26));
    kit_init(k);
    k->listen.cert_file = server_id.cert_file;
    k->listen.key_file = server_id.key_file;
    kit_start(k, false);
}

static void forget_identity(void) {
    identity_free(&server_id);
    server_id = (struct identity){ 0 };
}

// Somebody who was there before says something more, unless so much time has passed that his
// connection was idle for too long.
static void check_other(struct client *other, uint64_t then_ns) {
    if (other->kit->now_ns - then_ns < 100000000000u) CHECK(talk_http1(other));
}

static void check_answers(struct kit *k) {
    KIT_UNTIL(k, k->n_sent == kit_stats(k).requests); // every answer was told delivered or not, once
    CHECK(k->n_delivered <= k->n_sent);
}

// --- the tests -------------------------------------------------------------------------------------

static uint64_t count_calls(enum talk talk, int with_errno) {
    struct kit k;
    begin(&k);
    sock_fail_at(0, with_errno);
    CHECK(talk_once(&k, talk));
    uint64_t n = sock_fail_seen();
    sock_fail_at(0, 0);
    kit_fini(&k);
    return n;
}

static void fail_every_call(enum talk talk, int with_errno) {
    uint64_t n_calls = count_calls(talk, with_errno), n_failed = 0;
    for (uint64_t nth = 1; nth <= n_calls; nth++) {
        struct kit k;
        struct client other;
        unsigned files = open_files();
        begin(&k);
        client_open(&k, &other, TALK_HTTP1);
        CHECK(shake(&other) && talk_http1(&other));
        for (int i = 0; i < 5; i++) kit_turn(&k); // so that he is not asked about meanwhile
        uint64_t then_ns = k.now_ns;
        sock_fail_at(nth, with_errno);
        bool ok = talk_once(&k, talk);
        sock_fail_at(0, 0);
        n_failed += !ok;
        check_other(&other, then_ns);
        CHECK(talk_once(&k, talk)); // whoever comes next
        client_close(&other);
        check_answers(&k);
        kit_fini(&k);
        CHECK_U64(open_files(), files);
        if (nth > 25) nth += test_below(6); // the middle of a body is all alike
    }
    CHECK(n_failed > 3);
    forget_identity();
}

TEST(fault_tls_of_any_call_over_http1) {
    fail_every_call(TALK_HTTP1, ECONNRESET);
}
TEST(fault_tls_of_any_call_over_http2) {
    fail_every_call(TALK_HTTP2, ECONNRESET);
}
TEST(fault_tls_of_any_call_over_grpc) {
    fail_every_call(TALK_GRPC, ENOBUFS);
}
// The socket says that it would block though it would not, and never says that it no longer does:
// such a connection ends by time at the latest.
TEST(fault_tls_of_a_socket_that_blocks_for_ever) {
    for (enum talk talk = 0; talk < TALKS; talk++) fail_every_call(talk, EAGAIN);
}

// How many bytes the client sends: of the handshake, and in all.
static void measure(enum talk talk, uint64_t *shaken, uint64_t *all) {
    struct kit k;
    struct client c;
    begin(&k);
    client_open(&k, &c, talk);
    CHECK(shake(&c));
    *shaken = c.sent;
    CHECK(talk_on(&c, talk));
    *all = c.sent;
    client_close(&c);
    kit_fini(&k);
}

// The client is gone after some byte. Within its handshake that is a refusal, and counted.
static void reset_at(enum talk talk, uint64_t at, bool in_handshake) {
    struct kit k;
    struct client c, other;
    unsigned files = open_files();
    begin(&k);
    client_open(&k, &other, TALK_HTTP1);
    CHECK(shake(&other));
    client_open(&k, &c, talk);
    kit_turn(&k);
    c.reset_at = at;
    CHECK(!(shake(&c) && talk_on(&c, talk)));
    CHECK(c.closed);
    client_close(&c);
    KIT_UNTIL(&k, kit_stats(&k).open == 1);
    CHECK_U64(kit_stats(&k).refused[NET_REFUSED_TLS], in_handshake);
    CHECK(talk_http1(&other));
    client_close(&other);
    check_answers(&k);
    kit_fini(&k);
    CHECK_U64(open_files(), files);
}

TEST(fault_tls_of_a_client_that_is_gone_at_any_byte) {
    for (enum talk talk = 0; talk < TALKS; talk++) {
        uint64_t shaken, all;
        measure(talk, &shaken, &all);
        CHECK(shaken > 100 && all > BODY);
        for (uint64_t at = 1; at <= shaken; at += 1 + test_below(32)) reset_at(talk, at, true);
        for (uint64_t at = shaken + 1; at < all; at += 1 + test_below(at < shaken + 200 ? 60 : 6000))
            reset_at(talk, at, false);
    }
    forget_identity();
}

// The socket would block at any byte.
TEST(fault_tls_of_bytes_that_come_in_drops) {
    for (enum talk talk = 0; talk < TALKS; talk++) {
        struct kit k;
        struct client c;
        begin(&k);
        client_open(&k, &c, talk);
        c.drop = 1;
        CHECK(shake(&c));
        c.drop = 1 + test_below(300);
        CHECK(talk_on(&c, talk));
        client_close(&c);
        check_answers(&k);
        CHECK(k.n_delivered == k.n_sent && k.n_sent > 0);
        kit_fini(&k);
    }
    forget_identity();
}
