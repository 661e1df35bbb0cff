// SPDX-License-Identifier: Apache-2.0
// Life of the server: listeners, loop threads, counters, and the stop in three steps: all loops
// accept no more (deaf), connections end by themselves (draining), the rest is cut.
#include "net/net_internal.h"

#include <stdio.h>

const char *net_refusal_text(enum net_refusal r) {
    static const char *const texts[NET_REFUSED_COUNT] = {
#define X(name, text) [NET_REFUSED_##name] = text,
        NET_REFUSAL_TABLE(X)
#undef X
    };
    return (unsigned)r < NET_REFUSED_COUNT ? texts[r] : "unknown";
}

static void set_default(uint32_t *v, uint32_t value) {
    if (*v == 0) *v = value;
}

static void set_defaults(struct net_opts *o) {
    set_default(&o->n_loops, thread_cores());
    if (o->n_loops > LOOPS_MAX) o->n_loops = LOOPS_MAX;
    set_default(&o->max_connections, 4096);
    set_default(&o->max_streams, 128);
    set_default(&o->max_waiting, 256);
    if (o->max_head_bytes == 0) o->max_head_bytes = 64 << 20;
    set_default(&o->admit_wait_ms, 1000);
    set_default(&o->retry_after_ms, 1000);
    set_default(&o->header_timeout_ms, 10000);
    set_default(&o->body_timeout_ms, 30000);
    set_default(&o->idle_timeout_ms, 120000);
    set_default(&o->write_timeout_ms, 30000);
    set_default(&o->drain_grace_ms, 300);
}

enum err net_server_new(const struct net_opts *opts, struct net_server **out) {
    ASSERT(opts->body_budget);
    struct net_server *s = mem_zalloc(sizeof *s);
    if (!s) return ERR_NOMEM;
    s->opts = *opts;
    set_defaults(&s->opts);
    s->clock = opts->clock ? opts->clock : clock_real();
    s->heads.limit = s->opts.max_head_bytes;
    s->refs = 1;
    mutex_init(&s->lock);
    cond_init(&s->changed);
    admission_init(&s->admission, opts->body_budget, s->opts.max_waiting);
    s->loops = mem_zalloc(s->opts.n_loops * sizeof *s->loops);
    enum err e = s->loops ? ERR_OK : ERR_NOMEM;
    while (e == ERR_OK && s->n_loops < s->opts.n_loops) e = loop_init(&s->loops[s->n_loops++], s);
    if (e != ERR_OK) {
        net_server_free(s);
        return e;
    }
    *out = s;
    return ERR_OK;
}

static enum err hear(struct net_server *s, struct listener *ln) {
    for (unsigned i = 0; i < s->n_loops; i++)
        TRY(poller_add(&s->loops[i].poller, ln->fd, EPOLLIN | EPOLLEXCLUSIVE, ln));
    return ERR_OK;
}

enum err net_server_listen(struct net_server *s, const struct net_listen *listen, struct err_ctx *ctx) {
    ASSERT(s->phase == SERVER_NEW && listen->handler && !listen->cert_file == !listen->key_file);
    if (s->n_listeners == LISTENERS_MAX)
        return err_set(ctx, ERR_LIMIT, "more than %d listeners", LISTENERS_MAX);
    struct listener *ln = &s->listeners[s->n_listeners];
    *ln = (struct listener){ .server = s, .fd = -1, .index = s->n_listeners, .opts = *listen };
    if (ln->opts.max_body_bytes == 0) ln->opts.max_body_bytes = 16 << 20;
    if (listen->cert_file)
        TRY(tls_server_new(listen->cert_file, listen->key_file, listen->client_ca_file, &ln->tls, ctx));
    enum err e = sock_listen(listen->address, &ln->fd, ctx);
    if (e == ERR_OK) e = hear(s, ln);
    if (e != ERR_OK) {
        sock_close(ln->fd); // takes it out of the pollers as well
        tls_server_free(ln->tls);
        return e;
    }
    s->n_listeners++;
    return ERR_OK;
}

uint16_t net_server_port(const struct net_server *s, unsigned listener) {
    ASSERT(listener < s->n_listeners);
    return sock_port(s->listeners[listener].fd);
}

bool net_server_is_loopback(const struct net_server *s, unsigned listener) {
    ASSERT(listener < s->n_listeners);
    return sock_is_loopback(s->listeners[listener].fd);
}

enum err net_server_start(struct net_server *s) {
    ASSERT(s->phase == SERVER_NEW);
    s->phase = SERVER_RUNNING;
    for (unsigned i = 0; i < s->n_loops; i++) {
        char name[16];
        (void)snprintf(name, sizeof name, "net-%u", i);
        TRY(thread_start(&s->loops[i].thread, name, loop_main, &s->loops[i]));
    }
    return ERR_OK;
}

void net_server_stats(const struct net_server *s, unsigned listener, struct net_stats *out) {
    ASSERT(listener < s->n_listeners);
    *out = (struct net_stats){ 0 };
    uint64_t closed = 0;
    for (unsigned i = 0; i < s->n_loops; i++) {
        const struct counters *k = &s->loops[i].counters[listener];
        closed += k->closed; // before `connections`, so that `open` cannot be negative
        out->connections += k->connections;
        out->requests += k->requests;
        out->bytes_in += k->bytes_in;
        out->bytes_out += k->bytes_out;
        for (int r = 0; r < NET_REFUSED_COUNT; r++) out->refused[r] += k->refused[r];
    }
    out->open = out->connections - closed;
}

uint32_t net_server_waiting(const struct net_server *s) {
    return s->admission.n_waiting;
}

void server_refused(struct net_server *s, struct listener *ln, struct counters *k, enum net_refusal why,
                    const char *text, const char *peer) {
    count_add(&k->refused[why], 1);
    if (s->opts.on_refused)
        s->opts.on_refused(s->opts.on_refused_ctx, ln->opts.kind, why, text, str_of(peer));
}

static void set_phase(struct net_server *s, uint32_t phase) {
    s->phase = phase;
    for (unsigned i = 0; i < s->n_loops; i++) wake_signal(&s->loops[i].wake);
}

// Waits for the drain. The deadline is measured by the kernel's clock, as cond_wait_for does.
static enum err wait_drained(struct net_server *s, unsigned n_running, uint32_t deadline_ms) {
    uint64_t end = clock_mono_ns(clock_real()) + (uint64_t)deadline_ms * 1000000u, now;
    enum err e = ERR_OK;
    mutex_lock(&s->lock);
    while (s->n_deaf < n_running) cond_wait(&s->changed, &s->lock);
    while (s->n_conns && e == ERR_OK) {
        now = clock_mono_ns(clock_real());
        if (now >= end)
            e = ERR_TIMEOUT;
        else
            (void)cond_wait_for(&s->changed, &s->lock, end - now);
    }
    mutex_unlock(&s->lock);
    return e;
}

enum err net_server_stop(struct net_server *s, uint32_t deadline_ms) {
    if (s->phase == SERVER_STOPPED) return ERR_OK;
    unsigned n_running = 0;
    for (unsigned i = 0; i < s->n_loops; i++) n_running += s->loops[i].thread.started;
    enum err e = ERR_OK;
    if (n_running) {
        set_phase(s, SERVER_DRAINING);
        e = wait_drained(s, n_running, deadline_ms);
        set_phase(s, SERVER_CUT);
    }
    for (unsigned i = 0; i < s->n_loops; i++) {
        struct loop *l = &s->loops[i];
        if (l->thread.started)
            thread_join(&l->thread);
        else if (l->poller.fd >= 0)
            loop_end(l);
    }
    s->phase = SERVER_STOPPED;
    for (unsigned i = 0; i < s->n_listeners; i++) sock_close(s->listeners[i].fd);
    return e;
}

void server_unref(struct net_server *s) {
    if (--s->refs) return;
    for (unsigned i = 0; i < s->n_loops; i++) loop_fini(&s->loops[i]);
    for (unsigned i = 0; i < s->n_listeners; i++) tls_server_free(s->listeners[i].tls);
    mem_free(s->loops);
    admission_fini(&s->admission);
    mutex_fini(&s->lock);
    cond_fini(&s->changed);
    mem_free(s);
}

void net_server_free(struct net_server *s) {
    if (!s) return;
    enum err e = net_server_stop(s, 0);
    ASSERT(e == ERR_OK || e == ERR_TIMEOUT);
    server_unref(s);
}
