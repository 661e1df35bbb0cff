// SPDX-License-Identifier: Apache-2.0
// A whole connection: bytes go into a server that is driven by hand, as HTTP/2 when the first byte is
// even (the preface and settings are put in front), as they are when it is odd. Handlers answer at
// once, in pieces, or later. Afterwards everything must have been given back.
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net/net_internal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { HELD_MAX = 64, TURNS_MAX = 64 };
static struct net_server *server;
static struct mem_budget budget = { .limit = 1 << 20 };
static struct net_request *held[HELD_MAX];
static size_t n_held;
static uint64_t now_ns = 1;

static uint64_t fixed_ns(struct clock *c) {
    (void)c;
    return now_ns;
}
static struct clock still = { fixed_ns, fixed_ns };

static void handle(void *ctx, struct net_request *rq) {
    (void)ctx;
    struct net_reply r = { .status = 200, .body = net_bytes_copy(rq, rq->body) };
    bool hold = str_starts(rq->path, STR("/h"));
    if (hold && n_held < HELD_MAX) {
        held[n_held++] = rq;
    } else if (str_starts(rq->path, STR("/s")) && net_reply_begin(rq, &r) == ERR_OK) {
        (void)!net_reply_write(rq, net_bytes_static(STR("piece")));
        net_reply_end(rq, NULL, rq->body.len & 1);
    } else {
        net_reply(rq, &r);
    }
}

static void start(void) {
    struct net_opts opts = { .body_budget = &budget, .clock = &still, .n_loops = 1, .max_waiting = 8 };
    struct net_listen listen = { .address = "127.0.0.1:0", .handler = handle, .max_body_bytes = 300000 };
    struct err_ctx ctx = { 0 };
    if (net_server_new(&opts, &server) != ERR_OK || net_server_listen(server, &listen, &ctx) != ERR_OK)
        abort();
}

static void answer_held(void) {
    while (n_held)
        net_reply(held[--n_held], &(struct net_reply){ .status = 200, .grpc_status = NET_GRPC_ABORTED });
}

// What the server has to say goes nowhere; it must only not wait for it.
static void swallow(int fd) {
    char sink[65536];
    while (recv(fd, sink, sizeof sink, MSG_DONTWAIT) > 0) continue;
}

static void push(int fd, struct loop *l, const char *p, size_t n, size_t step) {
    while (n) {
        ssize_t sent = send(fd, p, n < step ? n : step, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (sent <= 0) return;
        p += sent;
        n -= (size_t)sent;
        loop_turn(l, 0);
        swallow(fd);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const char hello[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0";
    if (!server) start();
    if (size < 2 || size > 200000) return 0;
    struct loop *l = &server->loops[0];
    struct conn *c;
    int fd[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fd) != 0) abort();
    if (conn_new(l, &server->listeners[0], fd[0], (char[SOCK_TEXT_MAX]){ "fuzz" }, &c) != ERR_OK) abort();
    conn_adopt(c, l);
    if (data[0] % 2 == 0) push(fd[1], l, hello, sizeof hello - 1, SIZE_MAX);
    push(fd[1], l, (const char *)data + 2, size - 2, size > 4096 ? SIZE_MAX : (size_t)data[1] + 1);
    if (data[0] & 2) now_ns += 40000000000u; // every timeout strikes
    for (int i = 0; i < 3; i++) loop_turn(l, 0);
    answer_held();
    for (int i = 0; i < 3; i++) loop_turn(l, 0);
    close(fd[1]);
    for (int i = 0; i < TURNS_MAX && l->conns; i++) {
        now_ns += 40000000000u;
        loop_turn(l, 0);
        answer_held(); // requests that stood behind the first
    }
    loop_turn(l, 0);
    ASSERT(!l->conns && budget.used == 0 && server->heads.used == 0 && server->refs == 1 &&
           server->n_conns == 0);
    return 0;
}
