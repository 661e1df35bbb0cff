// SPDX-License-Identifier: Apache-2.0
// The n-th call of a socket fails, for every n: whatever hangs on it ends, nothing leaks, and the
// next client is served.
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <arpa/inet.h>
#include <netinet/in.h>

#include "net/kit_test.h"

enum { BODY = 300 << 10, TURNS = 3000 };

static const int errnos[] = { ECONNRESET, EMFILE, ENOBUFS };
enum { ERRNOS = sizeof errnos / sizeof *errnos };

static unsigned open_files(void) {
    unsigned n = 0;
    for (int fd = 0; fd < 256; fd++) n += fcntl(fd, F_GETFD) >= 0;
    return n;
}

// A client that goes past src/os, so that only calls of the server fail.
struct client {
    struct kit *kit;
    int fd;
    struct buf in;
    bool closed;
};

static void client_open(struct kit *k, struct client *c) {
    struct sockaddr_in to = { .sin_family = AF_INET,
                              .sin_port = htons(net_server_port(k->server, 0)),
                              .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    *c = (struct client){ .kit = k, .fd = socket(AF_INET, SOCK_STREAM, 0) };
    buf_init(&c->in, 8 << 20);
    CHECK(c->fd >= 0 && connect(c->fd, (struct sockaddr *)&to, sizeof to) == 0);
    CHECK(fcntl(c->fd, F_SETFL, O_NONBLOCK) == 0);
}

static void client_close(struct client *c) {
    (void)close(c->fd);
    buf_fini(&c->in);
}

static void client_turn(struct client *c) {
    static char bytes[64 << 10];
    ssize_t n = recv(c->fd, bytes, sizeof bytes, 0);
    if (n > 0) buf_add(&c->in, bytes, (size_t)n);
    if (n == 0 || (n < 0 && errno != EAGAIN)) c->closed = true;
    if (n <= 0 && !c->closed) { // a listener that rests and a connection that idles wait for time
        (void)poll(NULL, 0, c->kit->now_ns % 5 == 0);
        c->kit->now_ns += 20000001;
    }
    kit_turn(c->kit);
}

static void client_send(struct client *c, struct str s) {
    for (int i = 0; s.len && i < TURNS && !c->closed; i++) {
        ssize_t n = send(c->fd, s.ptr, s.len, MSG_NOSIGNAL);
        if (n > 0) s = str_sub(s, (size_t)n, s.len);
        if (n < 0 && errno != EAGAIN) return; // the server has closed
        client_turn(c);
    }
}

// Waits until the text has come, or the server closed. Neither is a hang.
static bool client_gets(struct client *c, struct str text) {
    for (int i = 0; i < TURNS; i++) {
        if (c->in.len && memmem(c->in.ptr, c->in.len, text.ptr, text.len)) return true;
        if (c->closed) return false;
        client_turn(c);
    }
    test_fail(__FILE__, __LINE__, "neither an answer nor an end");
}

static bool echo(struct client *c, const char *body, size_t len) {
    char head[128];
    int n = snprintf(head, sizeof head, "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: %zu\r\n\r\n", len);
    buf_reset(&c->in);
    client_send(c, (struct str){ head, (size_t)n });
    client_send(c, (struct str){ body, len });
    return client_gets(c, (struct str){ body + len - 16, 16 });
}

static bool greet_http2(struct kit *k) {
    static const char hello[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0"; // and empty SETTINGS
    struct client c;
    client_open(k, &c);
    client_send(&c, (struct str){ hello, sizeof hello - 1 });
    bool ok = client_gets(&c, (struct str){ "\0\0\0\4\1\0\0\0\0", 9 }); // they are acknowledged
    client_close(&c);
    return ok;
}

static bool talk(struct kit *k, const char *body) {
    struct client c;
    client_open(k, &c);
    bool ok = echo(&c, body, BODY) && echo(&c, body, 1000);
    client_close(&c);
    for (int i = 0; i < 3; i++) kit_turn(k);
    return greet_http2(k) && ok;
}

TEST(fault_of_any_call_ends_what_hangs_on_it_and_no_more) {
    char *body = malloc(BODY);
    CHECK(body);
    for (int i = 0; i < BODY; i++) body[i] = (char)('a' + test_below(26));
    for (int e = 0; e < ERRNOS; e++) {
        uint64_t n_calls = 1, n_failed = 0;
        for (uint64_t nth = 1; nth <= n_calls; nth++) {
            unsigned files = open_files();
            struct kit k;
            kit_init(&k);
            k.opts.max_connections = 4;
            kit_start(&k, false);
            sock_fail_at(nth, errnos[e]);
            bool ok = talk(&k, body);
            n_calls = sock_fail_seen();
            sock_fail_at(0, 0);
            n_failed += !ok;
            CHECK(ok || nth <= n_calls);
            CHECK(talk(&k, body)); // whoever comes next
            kit_fini(&k);
            CHECK_U64(open_files(), files);
            if (n_calls > nth + 40 && nth > 12)
                nth += test_below(4); // the middle of a long body is all alike
        }
        CHECK(n_failed > 3);
    }
    free(body);
}

TEST(fault_of_any_call_of_a_start_is_an_error) {
    for (int e = 0; e < ERRNOS; e++) {
        bool failed = true;
        for (uint64_t nth = 1; failed; nth++) {
            unsigned files = open_files();
            struct err_ctx ctx = { 0 };
            struct kit k;
            kit_init(&k);
            sock_fail_at(nth, errnos[e]);
            enum err err = net_server_new(&k.opts, &k.server);
            if (err == ERR_OK) err = net_server_listen(k.server, &k.listen, &ctx);
            failed = sock_fail_seen() >= nth;
            sock_fail_at(0, 0);
            CHECK((err != ERR_OK) == failed);
            net_server_free(TAKE(k.server));
            kit_fini(&k);
            CHECK_U64(open_files(), files);
            CHECK(nth < 20);
        }
    }
}
