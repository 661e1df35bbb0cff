// SPDX-License-Identifier: Apache-2.0
// The client against a receiver that answers from a script.
#include "load/client.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/test.h"
#include "load/load.h"
#include "os/socket.h"
#include "os/thread.h"

struct receiver {
    int fd;
    const char *const *script; // an answer per request; NULL ends; "" closes without an answer
    size_t n_requests;
    struct thread thread;
    char url[64];
};

static size_t read_request(int fd) {
    static const char length[] = "Content-Length: ";
    char in[4096];
    size_t n = 0, want = SIZE_MAX, got = 0;
    const char *end = NULL;
    while (got < want) {
        ssize_t k = read(fd, in + n, sizeof in - 1 - n);
        if (k <= 0) return 0;
        got += (size_t)k;
        if (end) continue; // the body: only counted
        in[n += (size_t)k] = '\0';
        end = strstr(in, "\r\n\r\n");
        if (end) want = (size_t)(end + 4 - in) + strtoul(strstr(in, length) + strlen(length), NULL, 10);
        n = end ? 0 : n;
    }
    return got;
}

static void receive(void *arg) {
    struct receiver *r = arg;
    int fd = -1;
    for (size_t i = 0; r->script[i]; i++) {
        while (fd < 0) fd = accept(r->fd, NULL, NULL);
        if (read_request(fd)) r->n_requests++;
        if (r->script[i][0]) (void)!write(fd, r->script[i], strlen(r->script[i]));
        if (r->script[i][0]) continue;
        close(fd);
        fd = -1;
    }
    if (fd >= 0) close(fd);
}

static void receiver_start(struct receiver *r, const char *const *script) {
    *r = (struct receiver){ .fd = socket(AF_INET, SOCK_STREAM, 0), .script = script };
    CHECK(listen(r->fd, 8) == 0); // an unbound socket gets a free port
    (void)snprintf(r->url, sizeof r->url, "http://127.0.0.1:%u/", sock_port(r->fd));
    CHECK_OK(thread_start(&r->thread, "receiver", receive, r));
}

static void receiver_stop(struct receiver *r) {
    thread_join(&r->thread);
    close(r->fd);
}

#define ANSWER(head, body) "HTTP/1.1 " head "\r\n\r\n" body
static const char ok[] = ANSWER("200 OK\r\nContent-Length: 0", "");
// partial_success { rejected_spans: 3, error_message: "bad" }
static const char partial[] = ANSWER("200 OK\r\ncontent-length: 9", "\x0a\x07\x08\x03\x12\x03"
                                                                    "bad");

static struct client_answer ask(struct client *c) {
    struct client_answer a;
    client_send(c, STR("body"), &a);
    return a;
}

TEST(client_understands_answers) {
    static const char *const script[] = { ok,
                                          partial,
                                          ANSWER("429 Slow\r\nRetry-After: 7\r\nContent-Length: 2", "no"),
                                          ANSWER("400 Bad\r\nContent-Length: 0", ""),
                                          "",
                                          ok,
                                          "nonsense\r\n\r\n",
                                          NULL };
    struct receiver r;
    struct client_target to;
    struct client *c;
    struct err_ctx ctx = { .text = "" };
    atomic_bool stop = false;
    receiver_start(&r, script);
    CHECK_OK(client_target_of(r.url, &to, &ctx));
    CHECK_OK(client_new(&to, &stop, &c));
    CHECK(ask(c).result == CLIENT_ACKED);
    struct client_answer a = ask(c);
    CHECK(a.result == CLIENT_ACKED && a.rejected_spans == 3 && strcmp(a.text, "bad") == 0);
    a = ask(c);
    CHECK(a.result == CLIENT_RETRY && a.retry_after_ms == 7000);
    CHECK(ask(c).result == CLIENT_REFUSED);
    CHECK(ask(c).result == CLIENT_LOST);  // closed without an answer
    CHECK(ask(c).result == CLIENT_ACKED); // a new connection
    CHECK(ask(c).result == CLIENT_LOST);
    client_free(c);
    receiver_stop(&r);
    CHECK_U64(r.n_requests, 7);
}

TEST(targets_are_parsed) {
    struct client_target to;
    struct err_ctx ctx = { .text = "" };
    CHECK_OK(client_target_of("http://127.0.0.1", &to, &ctx));
    CHECK_STR(str_of(to.address), STR("127.0.0.1:4318"));
    CHECK_OK(client_target_of("grpc://[::1]:99", &to, &ctx));
    CHECK_STR(str_of(to.address), STR("[::1]:99"));
    CHECK(to.is_grpc);
    static const char *const bad[] = {
        "",           "127.0.0.1:4318", "https://127.0.0.1",      "http://",
        "http://a:b", "http://a:0",     "http://127.0.0.1:65536", "http://127.0.0.1:1/path"
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        CHECK(client_target_of(bad[i], &to, &ctx) == ERR_INVALID);
}

TEST(run_sends_a_whole_trace_in_spite_of_refusals) {
    static const char *const script[] = {
        ANSWER("503 Wait\r\nRetry-After: 0\r\nContent-Length: 0", ""), ok, "", ok, ok, NULL
    };
    struct receiver r;
    struct err_ctx ctx = { .text = "" };
    atomic_bool stop = false;
    struct load_stats stats;
    receiver_start(&r, script);
    struct load_opts opts = { .gen = { .seed = 1, .shape = LOAD_WIDE, .n_spans = 1200 }, .url = r.url };
    CHECK_OK(load_run(&opts, &stop, &stats, &ctx));
    receiver_stop(&r);
    CHECK_U64(stats.spans, 1200);
    CHECK_U64(stats.acked_spans, 1200);
    CHECK_U64(stats.requests, 3);
    CHECK_U64(stats.retries, 1);
    CHECK_U64(stats.reconnects, 1);
}

TEST(run_stops_when_told) {
    struct err_ctx ctx = { .text = "" };
    atomic_bool stop = true;
    struct load_stats stats;
    struct load_opts opts = { .gen = { .rate = 10 }, .url = "http://127.0.0.1:1" };
    CHECK_OK(load_run(&opts, &stop, &stats, &ctx));
    CHECK_U64(stats.acked_spans, 0);
}
