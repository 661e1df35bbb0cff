// SPDX-License-Identifier: Apache-2.0
// Generator and client together: asks for what is due, sends it, and paces itself by the clock.
#include "load/client.h"
#include "load/load.h"
#include "os/clock.h"
#include "os/thread.h"

enum { REQUEST_MAX = 256 << 20, TICK_MS = 20 };
static const uint64_t ms_ns = 1000000, second_ns = 1000000000;
static const uint64_t linger_ns = 10000000000;   // for spans of traces that have begun
static const uint64_t patience_ns = 30000000000; // with a receiver that does not answer

struct run {
    const struct load_opts *opts;
    const atomic_bool *stop;
    struct clock *clock;
    struct load_gen *gen;
    struct client *client;
    struct buf body;
    struct load_stats stats;
    uint64_t began_ns, reported_ns, answered_ns;
    bool has_answered; // ever
    char last_text[200];
};

static uint64_t elapsed(struct run *r) {
    return clock_mono_ns(r->clock) - r->began_ns;
}

static void report(struct run *r) {
    uint64_t now_ns = r->stats.elapsed_ns = elapsed(r);
    if (!r->opts->progress || now_ns - r->reported_ns < second_ns) return;
    r->reported_ns = now_ns;
    r->opts->progress(r->opts->progress_ctx, &r->stats);
}

// Waits in small steps, so that a stop is noticed.
static void rest(struct run *r, uint64_t ns) {
    struct mutex m;
    struct cond c;
    mutex_init(&m);
    cond_init(&c);
    mutex_lock(&m);
    for (uint64_t until = elapsed(r) + ns, now; !*r->stop && (now = elapsed(r)) < until;) {
        uint64_t step = until - now < TICK_MS * ms_ns ? until - now : TICK_MS * ms_ns;
        (void)cond_wait_for(&c, &m, step);
        report(r);
    }
    mutex_unlock(&m);
    cond_fini(&c);
    mutex_fini(&m);
}

static bool out_of_time(struct run *r) {
    uint64_t now_ns = elapsed(r), duration_ns = r->opts->duration_ns;
    return (duration_ns && now_ns >= duration_ns + linger_ns) || now_ns - r->answered_ns >= patience_ns;
}

// Sends one request until it is answered for good. false: stopped or given up before that.
static bool deliver(struct run *r, size_t n_spans) {
    r->answered_ns = elapsed(r);
    while (!*r->stop && !out_of_time(r)) {
        struct client_answer a;
        client_send(r->client, buf_view(&r->body), &a);
        if (a.result != CLIENT_LOST) r->answered_ns = elapsed(r);
        r->has_answered |= a.result != CLIENT_LOST;
        if (a.text[0]) memcpy(r->last_text, a.text, sizeof a.text);
        if (a.is_closed && !r->has_answered) return false; // mistyped, or not started: no use in waiting
        report(r);
        switch (a.result) {
        case CLIENT_ACKED:
            r->stats.acked_spans += n_spans;
            r->stats.rejected_spans += a.rejected_spans;
            return true;
        case CLIENT_REFUSED: r->stats.refused_requests++; return true;
        case CLIENT_RETRY: r->stats.retries++; break;
        case CLIENT_LOST: r->stats.reconnects++; break;
        }
        rest(r, a.retry_after_ms * ms_ns);
    }
    return false;
}

static enum err send_all(struct run *r) {
    uint64_t duration_ns = r->opts->duration_ns;
    while (!*r->stop && !load_gen_done(r->gen)) {
        if (duration_ns && elapsed(r) >= duration_ns) load_gen_finish(r->gen);
        if (duration_ns && elapsed(r) >= duration_ns + linger_ns) break;
        size_t n = 0;
        buf_reset(&r->body);
        TRY(load_gen_next(r->gen, clock_unix_ns(r->clock), &r->body, &n));
        if (n == 0) {
            rest(r, TICK_MS * ms_ns);
            continue;
        }
        r->stats.spans += n;
        r->stats.requests++;
        r->stats.bytes += r->body.len;
        if (!deliver(r, n)) break;
    }
    return ERR_OK;
}

enum err load_run(const struct load_opts *opts, const atomic_bool *stop, struct load_stats *out,
                  struct err_ctx *ctx) {
    *out = (struct load_stats){ 0 };
    struct client_target target;
    TRY(client_target_of(opts->url, &target, ctx));
    struct run r = { .opts = opts, .stop = stop, .clock = clock_real() };
    r.began_ns = clock_mono_ns(r.clock);
    buf_init(&r.body, REQUEST_MAX);
    enum err e = load_gen_new(&opts->gen, &r.gen);
    if (!e) e = client_new(&target, stop, &r.client);
    if (!e) e = send_all(&r);
    r.stats.elapsed_ns = elapsed(&r);
    *out = r.stats;
    if (!e && r.stats.requests && !r.stats.acked_spans)
        e = err_set(ctx, ERR_UNAVAILABLE, "%s: %s", opts->url, r.last_text);
    client_free(r.client);
    load_gen_free(r.gen);
    buf_fini(&r.body);
    return e;
}
