// SPDX-License-Identifier: Apache-2.0
#include "net/kit_test.h"

#include <poll.h>
#include <stdio.h>

static uint64_t kit_unix_ns(struct clock *c) {
    (void)c;
    return 784111777000000000u; // Sun, 06 Nov 1994 08:49:37 GMT
}

static uint64_t kit_mono_ns(struct clock *c) {
    return ((struct kit *)((char *)c - offsetof(struct kit, clock)))->now_ns;
}

static void release_body(void *body) {
    net_body_release(body);
}

void kit_on_sent(void *kit, bool delivered) {
    struct kit *k = kit;
    mutex_lock(&k->lock);
    k->n_sent++;
    k->n_delivered += delivered;
    cond_broadcast(&k->changed);
    mutex_unlock(&k->lock);
}

static void kit_handle(void *ctx, struct net_request *rq) {
    struct kit *k = ctx;
    struct net_reply r = { .status = 200, .on_sent = kit_on_sent, .on_sent_ctx = k };
    if (str_eq(rq->path, STR("/hold"))) {
        mutex_lock(&k->lock);
        ASSERT(k->n_held < KIT_HELD_MAX);
        k->held[k->n_held++] = rq;
        cond_broadcast(&k->changed);
        mutex_unlock(&k->lock);
        return;
    }
    if (str_eq(rq->path, STR("/echo"))) {
        struct net_body *b = net_body_take(rq);
        if (b) r.body = (struct net_bytes){ net_body_bytes(b), release_body, b };
    } else {
        r.status = 404;
        r.body = net_bytes_copy(rq, rq->path);
        r.grpc_status = NET_GRPC_UNIMPLEMENTED;
        r.grpc_message = STR("no such method");
    }
    net_reply(rq, &r);
}

static void kit_refused(void *ctx, int kind, enum net_refusal why, const char *text, struct str peer) {
    struct kit *k = ctx;
    (void)kind, (void)peer;
    mutex_lock(&k->lock);
    (void)snprintf(k->refusal, sizeof k->refusal, "%s: %s", net_refusal_text(why), text);
    mutex_unlock(&k->lock);
}

void kit_init(struct kit *k) {
    *k = (struct kit){ .now_ns = 1000000000u, .clock = { kit_unix_ns, kit_mono_ns } };
    mutex_init(&k->lock);
    cond_init(&k->changed);
    k->budget.limit = 1 << 20;
    k->opts = (struct net_opts){ .body_budget = &k->budget,
                                 .clock = &k->clock,
                                 .n_loops = 1,
                                 .on_refused = kit_refused,
                                 .on_refused_ctx = k };
    k->listen = (struct net_listen){ .address = "127.0.0.1:0", .handler = kit_handle, .ctx = k, .kind = 7 };
}

void kit_start(struct kit *k, bool threaded) {
    struct err_ctx ctx = { 0 };
    k->threaded = threaded;
    if (threaded) k->opts.clock = NULL;
    CHECK_OK(net_server_new(&k->opts, &k->server));
    if (net_server_listen(k->server, &k->listen, &ctx) != ERR_OK) printf("# %s\n", ctx.text);
    CHECK(ctx.text[0] == '\0');
    (void)snprintf(k->address, sizeof k->address, "127.0.0.1:%u", net_server_port(k->server, 0));
    if (threaded) CHECK_OK(net_server_start(k->server));
}

void kit_fini(struct kit *k) {
    for (size_t i = 0; i < k->n_held; i++) net_reply(k->held[i], &(struct net_reply){ .status = 200 });
    if (k->server) {
        struct net_server *s = k->server;
        enum err e = net_server_stop(s, 0);
        CHECK(e == ERR_OK || e == ERR_TIMEOUT);
        CHECK_U64(kit_stats(k).open, 0);
        CHECK_U64(s->refs, 1); // no exchange, no body is left
        CHECK_U64(s->heads.used, 0);
        net_server_free(s);
    }
    CHECK_U64(k->budget.used, 0);
    cond_fini(&k->changed);
    mutex_fini(&k->lock);
}

void kit_turn(struct kit *k) {
    if (!k->threaded) loop_turn(&k->server->loops[0], 0);
}

void kit_wait_turn(struct kit *k) {
    kit_turn(k);
    (void)poll(NULL, 0, 1);
    kit_turn(k);
}

void kit_advance(struct kit *k, uint64_t ms) {
    k->now_ns += ms * 1000000u;
    for (int i = 0; i < 3; i++) kit_turn(k);
}

struct net_request *kit_held(struct kit *k) {
    for (int i = 0; i < 5000; i++) {
        kit_turn(k);
        mutex_lock(&k->lock);
        if (k->n_held == 0 && k->threaded) (void)cond_wait_for(&k->changed, &k->lock, 2000000);
        struct net_request *rq = k->n_held ? k->held[0] : NULL;
        if (rq) memmove(k->held, k->held + 1, --k->n_held * sizeof *k->held);
        mutex_unlock(&k->lock);
        if (rq) return rq;
        if (!k->threaded) (void)poll(NULL, 0, 1);
    }
    test_fail(__FILE__, __LINE__, "no request came");
}

size_t kit_n_held(struct kit *k) {
    mutex_lock(&k->lock);
    size_t n = k->n_held;
    mutex_unlock(&k->lock);
    return n;
}

struct net_stats kit_stats(struct kit *k) {
    struct net_stats s;
    net_server_stats(k->server, 0, &s);
    return s;
}

void kit_connect(struct kit *k, struct kit_client *c) {
    *c = (struct kit_client){ .kit = k };
    buf_init(&c->in, 64 << 20);
    CHECK_OK(sock_connect(k->address, &c->fd));
    struct pollfd p = { .fd = c->fd, .events = POLLOUT };
    CHECK(poll(&p, 1, 5000) == 1);
    kit_turn(k);
}

void kit_close(struct kit_client *c) {
    sock_close(c->fd);
    c->fd = -1;
    buf_fini(&c->in);
}

bool kit_receive(struct kit_client *c) {
    size_t n = 0;
    if (c->closed || !buf_reserve(&c->in, 64 << 10)) return false;
    enum err e = sock_recv(c->fd, c->in.ptr + c->in.len, 64 << 10, &n);
    if (e == ERR_AGAIN) return false;
    c->in.len += n;
    c->closed = n == 0;
    return true;
}

bool kit_pump(struct kit_client *c) {
    struct pollfd p = { .fd = c->fd, .events = POLLIN };
    kit_turn(c->kit);
    if (kit_receive(c)) return true;
    (void)poll(&p, 1, c->kit->threaded ? 10 : 1);
    kit_turn(c->kit);
    return kit_receive(c);
}

void kit_send(struct kit_client *c, struct str bytes) {
    for (int i = 0; bytes.len && i < 100000; i++) {
        struct iovec iov = { (char *)bytes.ptr, bytes.len };
        size_t n = 0;
        enum err e = sock_send(c->fd, &iov, 1, &n);
        if (e == ERR_IO) return; // the server has closed: the test sees it otherwise
        bytes = str_sub(bytes, n, bytes.len);
        if (e == ERR_AGAIN) (void)kit_pump(c);
    }
    CHECK(bytes.len == 0);
    kit_turn(c->kit);
}

void kit_expect(struct kit_client *c, const char *text) {
    size_t len = strlen(text);
    for (int i = 0; i < 5000; i++) {
        char *at = c->in.len ? memmem(c->in.ptr, c->in.len, text, len) : NULL;
        if (at) {
            size_t end = (size_t)(at - c->in.ptr) + len;
            memmove(c->in.ptr, c->in.ptr + end, c->in.len - end);
            c->in.len -= end;
            return;
        }
        if (c->closed) break;
        (void)kit_pump(c);
    }
    printf("# wanted \"%s\"\n# got \"%.*s\"%s\n", text, c->in.len < 2000 ? (int)c->in.len : 2000, c->in.ptr,
           c->closed ? ", closed" : "");
    test_fail(__FILE__, __LINE__, "kit_expect");
}

void kit_expect_closed(struct kit_client *c) {
    for (int i = 0; i < 5000 && !c->closed; i++) (void)kit_pump(c);
    if (c->in.len) printf("# left: %.*s\n", (int)c->in.len, c->in.ptr);
    CHECK(c->closed && c->in.len == 0);
}
