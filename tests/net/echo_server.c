// SPDX-License-Identifier: Apache-2.0
// A small server for the interop script: echoes bodies, streams, sleeps, refuses. Prints its ports,
// stops on SIGTERM.
//   echo_server [--tls CERT KEY [CA]] [--budget BYTES] [--max-body BYTES] [--loops N]
//               [--admit-wait MS]
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "net/net.h"
#include "os/thread.h"

static void echo_later(void *arg);

// /echo answers at once, /later from another thread, /stream in pieces, /sink counts the bytes.
static void stream(void *arg) {
    struct net_request *rq = arg;
    struct net_reply r = { .status = 200 };
    static char block[64 << 10];
    if (net_reply_begin(rq, &r) != ERR_OK) abort();
    for (int i = 0; i < 64; i++)
        if (net_reply_write(rq, net_bytes_static((struct str){ block, sizeof block })) != ERR_OK) break;
    net_reply_end(rq, NULL, false);
}

// A few workers take the jobs that may not run on a loop thread.
enum { WORKERS = 8, JOBS_MAX = 4096 };
static struct {
    struct mutex lock;
    struct cond some;
    struct {
        void (*run)(void *);
        void *arg;
    } jobs[JOBS_MAX];
    size_t first, n;
    bool stop;
} pool;

static void detached(void (*run)(void *), void *arg) {
    mutex_lock(&pool.lock);
    if (pool.n == JOBS_MAX) abort();
    size_t i = (pool.first + pool.n++) % JOBS_MAX;
    pool.jobs[i].run = run;
    pool.jobs[i].arg = arg;
    cond_signal(&pool.some);
    mutex_unlock(&pool.lock);
}

static void work(void *arg) {
    (void)arg;
    mutex_lock(&pool.lock);
    while (pool.n || !pool.stop) {
        if (pool.n == 0) {
            cond_wait(&pool.some, &pool.lock);
            continue;
        }
        size_t i = pool.first % JOBS_MAX;
        pool.first = (pool.first + 1) % JOBS_MAX;
        pool.n--;
        void (*run)(void *) = pool.jobs[i].run;
        void *job = pool.jobs[i].arg;
        mutex_unlock(&pool.lock);
        run(job);
        mutex_lock(&pool.lock);
    }
    mutex_unlock(&pool.lock);
}

static void release_body(void *body) {
    net_body_release(body);
}

static void echo(struct net_request *rq) {
    struct net_reply r = { .status = 200 };
    struct str type = net_request_header(rq, STR("content-type"));
    struct net_header h = { STR("content-type"), type };
    struct net_body *b = net_body_take(rq);
    if (type.ptr) r.headers = &h, r.n_headers = 1;
    if (b) r.body = (struct net_bytes){ net_body_bytes(b), release_body, b };
    net_reply(rq, &r);
}

static void echo_later(void *arg) {
    usleep(20000);
    echo(arg);
}

static void sink(struct net_request *rq) {
    char text[32];
    int n = snprintf(text, sizeof text, "%zu\n", rq->body.len);
    struct net_reply r = { .status = 200 };
    r.body = rq->is_grpc ? net_bytes_static(STR("")) : net_bytes_copy(rq, (struct str){ text, (size_t)n });
    net_reply(rq, &r);
}

static void handle(void *ctx, struct net_request *rq) {
    (void)ctx;
    struct str p = rq->path;
    if (str_ends(p, STR("/echo")) || str_ends(p, STR("/Echo")))
        echo(rq);
    else if (str_ends(p, STR("/later")) || str_ends(p, STR("/Later")))
        detached(echo_later, rq);
    else if (str_ends(p, STR("/stream")) || str_ends(p, STR("/Stream")))
        detached(stream, rq);
    else if (str_ends(p, STR("/sink")) || str_ends(p, STR("/Export")))
        sink(rq);
    else
        net_reply(rq, &(struct net_reply){ .status = 404,
                                           .body = net_bytes_static(STR("not found\n")),
                                           .grpc_status = NET_GRPC_UNIMPLEMENTED,
                                           .grpc_message = STR("no such method: 100 % \xc3\xa4") });
}

static void refused(void *ctx, int kind, enum net_refusal why, const char *text, struct str peer) {
    (void)ctx, (void)kind;
    if (getenv("ECHO_VERBOSE"))
        fprintf(stderr, "refused %s: %s (%.*s)\n", net_refusal_text(why), text, STR_ARG(peer));
}

static uint64_t number(const char *z) {
    return z ? strtoull(z, NULL, 10) : 0;
}

int main(int argc, char **argv) {
    struct mem_budget budget = { .limit = 64 << 20 };
    struct net_opts opts = { .body_budget = &budget, .on_refused = refused };
    struct net_listen plain = { .address = "127.0.0.1:0", .handler = handle };
    struct net_listen tls = plain;
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--tls") == 0) {
            tls.cert_file = argv[++i];
            tls.key_file = argv[++i];
            if (i + 1 < argc && argv[i + 1][0] != '-') tls.client_ca_file = argv[++i];
        } else if (strcmp(argv[i], "--budget") == 0) {
            budget.limit = number(argv[++i]);
        } else if (strcmp(argv[i], "--max-body") == 0) {
            plain.max_body_bytes = tls.max_body_bytes = number(argv[++i]);
        } else if (strcmp(argv[i], "--admit-wait") == 0) {
            opts.admit_wait_ms = (uint32_t)number(argv[++i]);
        } else if (strcmp(argv[i], "--loops") == 0) {
            opts.n_loops = (uint32_t)number(argv[++i]);
        }
    }
    static struct thread workers[WORKERS];
    mutex_init(&pool.lock);
    cond_init(&pool.some);
    for (int i = 0; i < WORKERS; i++)
        if (thread_start(&workers[i], "worker", work, NULL) != ERR_OK) return 1;
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigprocmask(SIG_BLOCK, &set, NULL);
    struct net_server *s;
    struct err_ctx ctx = { 0 };
    if (net_server_new(&opts, &s) != ERR_OK || net_server_listen(s, &plain, &ctx) != ERR_OK ||
        (tls.cert_file && net_server_listen(s, &tls, &ctx) != ERR_OK) || net_server_start(s) != ERR_OK) {
        fprintf(stderr, "echo_server: %s\n", ctx.text);
        return 1;
    }
    printf("plain %u tls %u\n", net_server_port(s, 0), tls.cert_file ? net_server_port(s, 1) : 0);
    fflush(stdout);
    int sig;
    sigwait(&set, &sig);
    enum err e = net_server_stop(s, 5000);
    struct net_stats st;
    net_server_stats(s, 0, &st);
    printf("%s requests %llu open %llu\n", e == ERR_OK ? "stopped" : "cut", (unsigned long long)st.requests,
           (unsigned long long)st.open);
    mutex_lock(&pool.lock);
    pool.stop = true;
    cond_broadcast(&pool.some);
    mutex_unlock(&pool.lock);
    for (int i = 0; i < WORKERS; i++) thread_join(&workers[i]);
    net_server_free(s);
    return e == ERR_OK ? 0 : 1;
}
