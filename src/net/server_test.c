// SPDX-License-Identifier: Apache-2.0
// The server with its own threads: answers from other threads, the budget under a crowd, the stop.
#include <nghttp2/nghttp2.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include "net/h2_client_test.h"

#define HOST "Host: h\r\n"

// --- life -----------------------------------------------------------------------------------------

static void never(void *ctx, struct net_request *rq) {
    (void)ctx;
    net_reply(rq, &(struct net_reply){ .status = 500 });
}

TEST(server_busy_port_and_bad_listeners) {
    struct mem_budget budget = { 0 };
    struct net_opts opts = { .body_budget = &budget };
    struct net_server *s;
    struct err_ctx ctx = { 0 };
    CHECK_OK(net_server_new(&opts, &s));
    CHECK_OK(net_server_listen(s, &(struct net_listen){ .address = "127.0.0.1:0", .handler = never }, &ctx));
    char address[32];
    (void)snprintf(address, sizeof address, "127.0.0.1:%u", net_server_port(s, 0));
    struct net_listen again = { .address = address, .handler = never };
    CHECK(net_server_listen(s, &again, &ctx) == ERR_EXISTS);
    CHECK(strstr(ctx.text, address) != NULL);
    ctx.text[0] = '\0';
    again.address = "nonsense";
    CHECK(net_server_listen(s, &again, &ctx) == ERR_INVALID);
    again.address = "127.0.0.1:0";
    for (int i = 1; i < LISTENERS_MAX; i++) CHECK_OK(net_server_listen(s, &again, &ctx));
    ctx.text[0] = '\0';
    CHECK(net_server_listen(s, &again, &ctx) == ERR_LIMIT);
    CHECK(net_server_port(s, 1) != net_server_port(s, 2));
    net_server_free(s); // never started
    CHECK_STR(str_of(net_refusal_text(NET_REFUSED_BUDGET)), STR("budget"));
}

TEST(server_new_without_memory) {
    struct mem_budget budget = { 0 };
    struct net_opts opts = { .body_budget = &budget, .n_loops = 3 };
    for (uint64_t at = 1; at < 100; at++) {
        struct net_server *s = NULL;
        mem_fail_at(at, false);
        enum err e = net_server_new(&opts, &s);
        mem_fail_at(0, false);
        if (e == ERR_OK) {
            net_server_free(s);
            CHECK(at > 3);
            return;
        }
        CHECK(e == ERR_NOMEM && s == NULL);
    }
    CHECK(false);
}

TEST(server_connections_go_to_the_emptiest_loop) {
    struct kit k;
    kit_init(&k);
    k.opts.n_loops = 3;
    k.opts.max_connections = 9;
    kit_start(&k, true);
    struct kit_client c[10];
    for (int i = 0; i < 9; i++) {
        kit_connect(&k, &c[i]);
        kit_send(&c[i], STR("GET /x HTTP/1.1\r\n" HOST "\r\n"));
        kit_expect(&c[i], "\r\n\r\n/x");
    }
    for (int i = 0; i < 3; i++) CHECK_U64(k.server->loops[i].n_conns, 3);
    kit_connect(&k, &c[9]); // one too many
    kit_expect_closed(&c[9]);
    CHECK_U64(kit_stats(&k).refused[NET_REFUSED_CONNECTIONS], 1);
    CHECK_U64(kit_stats(&k).open, 9);
    for (int i = 0; i < 10; i++) kit_close(&c[i]);
    KIT_UNTIL(&k, kit_stats(&k).open == 0);
    kit_fini(&k);
}

// Without descriptors the listener rests for a while instead of spinning, then goes on.
TEST(server_out_of_descriptors) {
    struct kit k;
    struct kit_client c;
    struct rlimit before, none;
    kit_init(&k);
    kit_start(&k, false);
    CHECK(getrlimit(RLIMIT_NOFILE, &before) == 0);
    c = (struct kit_client){ .kit = &k };
    buf_init(&c.in, 1 << 20);
    CHECK_OK(sock_connect(k.address, &c.fd));
    int next = dup(c.fd);
    CHECK(next > 0 && close(next) == 0);
    none = before;
    none.rlim_cur = (rlim_t)next;
    CHECK(setrlimit(RLIMIT_NOFILE, &none) == 0);
    for (int i = 0; i < 1000 && !kit_stats(&k).refused[NET_REFUSED_CONNECTIONS]; i++) kit_wait_turn(&k);
    for (int i = 0; i < 3; i++) kit_wait_turn(&k);
    uint64_t refused = kit_stats(&k).refused[NET_REFUSED_CONNECTIONS];
    CHECK(setrlimit(RLIMIT_NOFILE, &before) == 0);
    CHECK_U64(refused, 1);
    CHECK_U64(kit_stats(&k).connections, 0);
    kit_advance(&k, 100);
    kit_send(&c, STR("GET /x HTTP/1.1\r\n" HOST "\r\n"));
    kit_expect(&c, "\r\n\r\n/x");
    kit_close(&c);
    kit_fini(&k);
}

// --- answers from other threads -------------------------------------------------------------------

// A worker that answers what the handler holds, until told to stop.
struct worker {
    struct kit *k;
    struct thread thread;
    bool stop; // under the kit's lock
    uint64_t n_answered;
};

static void work(void *arg) {
    struct worker *w = arg;
    struct kit *k = w->k;
    mutex_lock(&k->lock);
    while (!w->stop || k->n_held) {
        if (k->n_held == 0) {
            (void)cond_wait_for(&k->changed, &k->lock, 1000000);
            continue;
        }
        struct net_request *rq = k->held[--k->n_held];
        w->n_answered++;
        mutex_unlock(&k->lock);
        char copy[16];
        size_t n = rq->query.len < sizeof copy ? rq->query.len : sizeof copy;
        memcpy(copy, rq->query.ptr, n);
        net_reply(rq,
                  &(struct net_reply){ .status = 200, .body = net_bytes_copy(rq, (struct str){ copy, n }) });
        mutex_lock(&k->lock);
    }
    mutex_unlock(&k->lock);
}

static void worker_start(struct worker *w, struct kit *k) {
    *w = (struct worker){ .k = k };
    CHECK_OK(thread_start(&w->thread, "worker", work, w));
}

static void worker_stop(struct worker *w) {
    mutex_lock(&w->k->lock);
    w->stop = true;
    mutex_unlock(&w->k->lock);
    thread_join(&w->thread);
}

TEST(server_answers_by_other_threads) {
    struct kit k;
    struct worker w[2];
    kit_init(&k);
    k.opts.n_loops = 2;
    kit_start(&k, true);
    for (int i = 0; i < 2; i++) worker_start(&w[i], &k);
    struct kit_client h1[3];
    struct h2_client h2[2];
    for (int i = 0; i < 3; i++) kit_connect(&k, &h1[i]);
    for (int i = 0; i < 2; i++) h2_open(&k, &h2[i], 1 << 20);
    char text[64], want[64];
    for (int round = 0; round < 40; round++) {
        struct h2_stream *s[2][5];
        for (int i = 0; i < 3; i++) {
            int n = snprintf(text, sizeof text, "GET /hold?%d-%d HTTP/1.1\r\n" HOST "\r\n", round, i);
            kit_send(&h1[i], (struct str){ text, (size_t)n });
        }
        for (int i = 0; i < 2; i++) {
            for (int j = 0; j < 5; j++) {
                (void)snprintf(text, sizeof text, "/hold?%d.%d.%d", round, i, j);
                s[i][j] = h2_send(&h2[i], "GET", text, NULL, (struct str){ NULL, 0 });
            }
        }
        for (int i = 0; i < 3; i++) {
            (void)snprintf(want, sizeof want, "\r\n\r\n%d-%d", round, i);
            kit_expect(&h1[i], want);
        }
        for (int i = 0; i < 2; i++) {
            for (int j = 0; j < 5; j++) {
                (void)snprintf(want, sizeof want, "%d.%d.%d", round, i, j);
                h2_wait(&h2[i], s[i][j]);
                CHECK_STR(buf_view(&s[i][j]->data), str_of(want));
            }
        }
    }
    for (int i = 0; i < 2; i++) worker_stop(&w[i]);
    CHECK_U64(w[0].n_answered + w[1].n_answered, 40 * 13);
    CHECK_U64(kit_stats(&k).requests, 40 * 13);
    for (int i = 0; i < 3; i++) kit_close(&h1[i]);
    for (int i = 0; i < 2; i++) h2_close(&h2[i]);
    kit_fini(&k);
}

// Clients that come, ask and vanish at any moment, while workers answer.
TEST(server_survives_clients_that_vanish) {
    struct kit k;
    struct worker w;
    kit_init(&k);
    k.opts.n_loops = 2;
    kit_start(&k, true);
    worker_start(&w, &k);
    for (int round = 0; round < 60; round++) {
        struct kit_client c[4];
        for (int i = 0; i < 4; i++) {
            kit_connect(&k, &c[i]);
            struct str in = STR("POST /hold?x HTTP/1.1\r\n" HOST "Content-Length: 9\r\n\r\nsome data"
                                "GET /hold?y HTTP/1.1\r\n" HOST "\r\n");
            kit_send(&c[i], str_sub(in, 0, test_below(in.len + 1)));
        }
        for (int i = 0; i < 4; i++) {
            if (test_below(2)) (void)kit_pump(&c[i]);
            kit_close(&c[i]);
        }
    }
    KIT_UNTIL(&k, kit_stats(&k).open == 0);
    worker_stop(&w);
    kit_fini(&k);
}

struct streamer {
    struct net_request *rq;
    struct thread thread;
    enum err result;
    _Atomic uint64_t written;
};

static void write_pieces(void *arg) {
    static const char block[64 << 10];
    struct streamer *s = arg;
    struct net_reply head = { .status = 200 };
    s->result = net_reply_begin(s->rq, &head);
    for (int i = 0; i < 160 && s->result == ERR_OK; i++) {
        s->result = net_reply_write(s->rq, net_bytes_static((struct str){ block, sizeof block }));
        if (s->result == ERR_OK) s->written += sizeof block;
    }
    net_reply_end(s->rq, NULL, false);
}

// 10 MiB to a client that reads slowly: the writer waits, then all of it arrives. And one that
// never reads any of it and leaves: the writer is told.
TEST(server_slow_reader_holds_the_writer_back) {
    for (int h2 = 0; h2 < 2; h2++) {
        for (int leave = 0; leave < 2; leave++) {
            struct kit k;
            kit_init(&k);
            kit_start(&k, true);
            struct kit_client c;
            struct h2_client c2;
            struct h2_stream *stream = NULL;
            if (h2) {
                h2_open(&k, &c2, 64 << 10);
                c2.no_window = true;
                stream = h2_send(&c2, "GET", "/hold", NULL, (struct str){ NULL, 0 });
                H2_UNTIL(&c2, stream->data.len || kit_n_held(&k));
            } else {
                kit_connect(&k, &c);
                kit_send(&c, STR("GET /hold HTTP/1.0\r\n\r\n"));
            }
            struct streamer s = { .rq = kit_held(&k) };
            CHECK_OK(thread_start(&s.thread, "streamer", write_pieces, &s));
            if (h2) H2_UNTIL(&c2, s.written >= NET_STREAM_BYTES);
            KIT_UNTIL(&k, s.written >= NET_STREAM_BYTES);
            (void)poll(NULL, 0, 20);
            if (h2) CHECK(s.written <= 2 * NET_STREAM_BYTES); // the rest has to wait
            if (leave) {
                if (h2)
                    h2_close(&c2);
                else
                    kit_close(&c);
                thread_join(&s.thread);
                CHECK(s.result == ERR_CANCELED || s.written == 160 * (64 << 10));
                kit_fini(&k);
                continue;
            }
            if (h2) {
                c2.no_window = false;
                CHECK(nghttp2_submit_window_update(c2.session, NGHTTP2_FLAG_NONE, stream->id, 20 << 20) == 0);
                h2_wait(&c2, stream);
                CHECK_U64(stream->data.len, 160 * (64 << 10));
                h2_close(&c2);
            } else {
                while (!c.closed) (void)kit_pump(&c);
                CHECK(c.in.len > 160 * (64 << 10));
                kit_close(&c);
            }
            thread_join(&s.thread);
            CHECK_OK(s.result);
            kit_fini(&k);
        }
    }
}

// --- the budget under a crowd ---------------------------------------------------------------------

// 60 clients send 200 KiB each at once against a budget of 1 MiB: each gets 200 or 429, some get
// 200, and the budget is never passed (mem_budget_take sees to that; here nobody hangs).
TEST(server_crowd_against_a_small_budget) {
    enum { CROWD = 60 };
    static char body[200 << 10];
    struct kit k;
    struct kit_client c[CROWD];
    size_t sent[CROWD] = { 0 };
    kit_init(&k);
    k.opts.n_loops = 2;
    k.opts.admit_wait_ms = 200;
    k.opts.max_waiting = 20;
    kit_start(&k, true);
    struct worker w;
    worker_start(&w, &k);
    char head[128];
    int head_len = snprintf(head, sizeof head,
                            "POST /hold HTTP/1.1\r\n" HOST "Connection: close\r\nContent-Length: %zu\r\n\r\n",
                            sizeof body);
    for (int i = 0; i < CROWD; i++) {
        kit_connect(&k, &c[i]);
        kit_send(&c[i], (struct str){ head, (size_t)head_len });
    }
    int open = CROWD, ok = 0, refused = 0;
    for (int turn = 0; open && turn < 100000; turn++) {
        for (int i = 0; i < CROWD; i++) {
            if (c[i].fd < 0) continue;
            struct iovec iov = { body + sent[i], sizeof body - sent[i] };
            size_t n = 0;
            if (iov.iov_len && sock_send(c[i].fd, &iov, 1, &n) == ERR_OK) sent[i] += n;
            (void)kit_receive(&c[i]);
            if (!c[i].closed) continue;
            struct str in = buf_view(&c[i].in);
            ok += str_starts(in, STR("HTTP/1.1 200 "));
            refused += str_starts(in, STR("HTTP/1.1 429 "));
            kit_close(&c[i]);
            open--;
        }
        CHECK(k.budget.used <= k.budget.limit + CROWD * sizeof body); // takers may pass it for an instant
        if (turn % 16 == 0) (void)poll(NULL, 0, 1);
    }
    worker_stop(&w);
    CHECK(open == 0);
    CHECK(ok > 0);
    CHECK_U64(ok + refused, CROWD);
    CHECK_U64(kit_stats(&k).refused[NET_REFUSED_BUDGET], refused);
    kit_fini(&k);
}

// --- stop -----------------------------------------------------------------------------------------

struct stopper {
    struct net_server *server;
    struct thread thread;
    uint32_t deadline_ms;
    enum err result;
    _Atomic bool done;
};

static void stop(void *arg) {
    struct stopper *s = arg;
    s->result = net_server_stop(s->server, s->deadline_ms);
    s->done = true;
}

static void stopper_start(struct stopper *s, struct kit *k, uint32_t deadline_ms) {
    *s = (struct stopper){ .server = k->server, .deadline_ms = deadline_ms };
    CHECK_OK(thread_start(&s->thread, "stopper", stop, s));
}

TEST(server_stop_lets_requests_end) {
    struct kit k;
    struct kit_client a, idle, silent;
    struct h2_client b;
    struct stopper st;
    kit_init(&k);
    k.opts.drain_grace_ms = 20;
    kit_start(&k, true);
    kit_connect(&k, &a);
    kit_connect(&k, &idle);
    kit_connect(&k, &silent);
    h2_open(&k, &b, 1 << 20);
    kit_send(&a, STR("GET /hold?a HTTP/1.1\r\n" HOST "\r\n"));
    struct net_request *ra = kit_held(&k);
    struct h2_stream *s = h2_send(&b, "GET", "/hold", NULL, (struct str){ NULL, 0 });
    H2_UNTIL(&b, kit_n_held(&k));
    struct net_request *rb = kit_held(&k);
    kit_send(&idle, STR("GET /x HTTP/1.1\r\n" HOST "\r\n"));
    kit_expect(&idle, "\r\n\r\n/x");
    stopper_start(&st, &k, 10000);
    kit_expect_closed(&idle);
    kit_expect_closed(&silent);
    kit_close(&silent);
    H2_UNTIL(&b, b.n_goaway == 2); // the notice, then the last stream
    CHECK_U64(b.goaway_last, s->id);
    CHECK(!st.done);
    int fd = -1;
    struct kit_client late = { .kit = &k };
    CHECK_OK(sock_connect(k.address, &fd));
    late.fd = fd;
    buf_init(&late.in, 1 << 20);
    net_reply(ra, &(struct net_reply){ .status = 200, .body = net_bytes_static(STR("a")) });
    kit_expect(&a, "connection: close\r\n\r\na");
    kit_expect_closed(&a);
    net_reply(rb, &(struct net_reply){ .status = 200 });
    h2_wait(&b, s);
    CHECK_STR(h2_header(s, ":status"), STR("200"));
    H2_UNTIL(&b, b.c.closed);
    kit_close(&a);
    kit_close(&idle);
    h2_close(&b);
    thread_join(&st.thread);
    CHECK_OK(st.result);
    kit_close(&late);
    CHECK_OK(net_server_stop(k.server, 0)); // may be repeated
    kit_fini(&k);
}

TEST(server_stop_cuts_after_its_deadline_and_late_answers_are_safe) {
    struct kit k;
    struct kit_client c;
    kit_init(&k);
    k.opts.drain_grace_ms = 1;
    kit_start(&k, true);
    kit_connect(&k, &c);
    kit_send(&c, STR("POST /hold HTTP/1.1\r\n" HOST "Content-Length: 3\r\n\r\nabc"));
    struct net_request *rq = kit_held(&k);
    struct net_body *b = net_body_take(rq);
    CHECK(net_server_stop(k.server, 20) == ERR_TIMEOUT);
    kit_expect_closed(&c);
    CHECK(net_request_canceled(rq));
    net_server_free(TAKE(k.server)); // the request and the body keep what they need
    CHECK_STR(rq->body, STR("abc"));
    net_reply(rq, &(struct net_reply){ .status = 200, .on_sent = kit_on_sent, .on_sent_ctx = &k });
    CHECK(k.n_sent == 1 && k.n_delivered == 0);
    CHECK_STR(net_body_bytes(b), STR("abc"));
    CHECK(k.budget.used > 0);
    net_body_release(b);
    kit_close(&c);
    kit_fini(&k);
}

// Clients send calls without a pause while the server stops. Every call that the handler saw is
// answered; what was not processed is told to be so (GOAWAY, refused stream), never cut in between.
TEST(server_stop_loses_no_call_that_was_handled) {
    enum { CLIENTS = 3 };
    struct kit k;
    struct worker w;
    struct stopper st;
    struct h2_client *c = calloc(CLIENTS, sizeof *c);
    CHECK(c != NULL);
    kit_init(&k);
    k.opts.n_loops = 2;
    k.opts.drain_grace_ms = 30;
    kit_start(&k, true);
    worker_start(&w, &k);
    for (int i = 0; i < CLIENTS; i++) h2_open(&k, &c[i], 1 << 20);
    bool stopping = false;
    for (int turn = 0; turn < 100000; turn++) {
        int over = 0;
        for (int i = 0; i < CLIENTS; i++) {
            bool told = c[i].n_goaway > 0 || c[i].c.closed;
            for (int j = 0; j < 4 && !told && c[i].n_streams < 1000; j++)
                (void)h2_grpc(&c[i], "/hold?z", (struct str){ "\0\0\0\0\1a", 6 });
            (void)h2_pump(&c[i]);
            over += c[i].c.closed;
        }
        if (turn == 20) stopper_start(&st, &k, 10000), stopping = true;
        if (over == CLIENTS) break;
    }
    CHECK(stopping);
    thread_join(&st.thread);
    worker_stop(&w);
    CHECK_OK(st.result);
    uint64_t answered = 0;
    for (int i = 0; i < CLIENTS; i++) {
        CHECK(c[i].n_goaway >= 1 && c[i].goaway_error == NGHTTP2_NO_ERROR);
        for (size_t j = 0; j < c[i].n_streams; j++) {
            struct h2_stream *s = c[i].streams[j];
            bool ok = str_eq(h2_header(s, "grpc-status"), STR("0")) && s->error == 0;
            if (s->id <= c[i].goaway_last) CHECK(ok);
            answered += ok;
        }
        h2_close(&c[i]);
    }
    CHECK(answered > 0);
    CHECK_U64(answered, kit_stats(&k).requests);
    CHECK_U64(answered, w.n_answered);
    free(c);
    kit_fini(&k);
}
