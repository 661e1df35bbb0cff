// SPDX-License-Identifier: Apache-2.0
// Tells the story of tell.h: the past over several connections at once, since each event is answered
// when it is durable and many share a write; then the present, as its times come.
#include <stdlib.h>

#include "load/client_internal.h"
#include "load/load.h"
#include "load/tell.h"
#include "os/clock.h"
#include "os/thread.h"

enum { TELLERS = 32, TRIES_MAX = 20, TICK_MS = 50 };
#define TELL_MEMORY_MAX ((size_t)64 << 20)
static const uint64_t ms_ns = 1000000;

struct story {
    const struct story_opts *opts;
    const atomic_bool *stop;
    struct client_target target;
    struct ships ships;
    struct arena arena;
    struct telling telling;
    _Atomic uint32_t next; // of the events of the past
    _Atomic bool failed;
    char why[200];
};

static void rest(const atomic_bool *stop, uint64_t ms) {
    struct mutex m;
    struct cond c;
    mutex_init(&m);
    cond_init(&c);
    mutex_lock(&m);
    uint64_t until = clock_mono_ns(clock_real()) + ms * ms_ns;
    while (!*stop && clock_mono_ns(clock_real()) < until) (void)cond_wait_for(&c, &m, 10 * ms_ns);
    mutex_unlock(&m);
    cond_fini(&c);
    mutex_fini(&m);
}

// A server that asks for patience gets it; one that refuses does not want it, and the others go on.
static bool tell(struct story *s, struct client *c, const struct told *what) {
    struct client_answer a;
    for (unsigned i = 0; i < TRIES_MAX && !*s->stop; i++) {
        client_post(c, &(struct http1_post){ what->path, what->type, what->headers, what->body, false }, &a);
        if (a.result == CLIENT_ACKED) return true;
        if (a.result == CLIENT_REFUSED) break;
        rest(s->stop, a.retry_after_ms);
    }
    if (!*s->stop && !atomic_exchange(&s->failed, true)) memcpy(s->why, a.text, sizeof s->why);
    return false;
}

static void tell_some(void *ctx) {
    struct story *s = ctx;
    struct client *c = NULL;
    if (client_new(&s->target, s->stop, &c) != ERR_OK) return; // the others do its part
    for (uint32_t i; !*s->stop && !s->failed && (i = s->next++) < s->telling.n;)
        (void)tell(s, c, &s->telling.items[i]);
    client_free(c);
}

static enum err result(struct story *s, struct err_ctx *ctx) {
    if (s->telling.failed) return ERR_NOMEM;
    return s->failed ? err_set(ctx, ERR_UNAVAILABLE, "%s: %s", s->opts->url, s->why) : ERR_OK;
}

static enum err commit(struct story *s, struct ship *ships, uint32_t n) {
    return s->opts->commit ? s->opts->commit(s->opts->ctx, ships, n) : ERR_OK;
}

static enum err tell_past(struct story *s, struct err_ctx *ctx) {
    struct thread tellers[TELLERS - 1] = { 0 };
    TRY(commit(s, s->ships.past, s->ships.n_past));
    for (uint32_t i = 0; i < s->ships.n_past; i++) tell_ship(&s->telling, &s->ships.past[i]);
    tell_flags(&s->telling, &s->ships);
    TRY(result(s, ctx));
    for (unsigned i = 0; i < TELLERS - 1; i++)
        if (thread_start(&tellers[i], "takt-teller", tell_some, s) != ERR_OK) break;
    tell_some(s);
    for (unsigned i = 0; i < TELLERS - 1; i++) thread_join(&tellers[i]);
    return result(s, ctx);
}

static int by_due(const void *pa, const void *pb) {
    const struct told *a = pa, *b = pb;
    return a->due_ns < b->due_ns ? -1 : a->due_ns > b->due_ns;
}

// One delivery, from its merge to its end.
static enum err tell_live(struct story *s, struct client *c, struct err_ctx *ctx) {
    struct ship h;
    ships_next(&s->ships, &h);
    while (!*s->stop && (int64_t)clock_unix_ns(clock_real()) < h.merged) rest(s->stop, TICK_MS);
    if (*s->stop) return ERR_OK;
    arena_reset(&s->arena);
    s->telling.items = NULL;
    s->telling.n = s->telling.cap = 0;
    TRY(commit(s, &h, 1));
    tell_ship(&s->telling, &h);
    if (h.fate == SHIP_WELL) tell_flag_of(&s->telling, &h);
    TRY(result(s, ctx));
    qsort(s->telling.items, s->telling.n, sizeof *s->telling.items, by_due);
    for (uint32_t i = 0; i < s->telling.n && !*s->stop; i++) {
        while (!*s->stop && (int64_t)clock_unix_ns(clock_real()) < s->telling.items[i].due_ns)
            rest(s->stop, TICK_MS);
        (void)tell(s, c, &s->telling.items[i]);
    }
    return result(s, ctx);
}

static enum err tell_all(struct story *s, struct err_ctx *ctx) {
    struct client *c;
    TRY(client_target_of(s->opts->url, &s->target, ctx));
    TRY(tell_past(s, ctx));
    TRY(client_new(&s->target, s->stop, &c));
    enum err e = ERR_OK;
    while (e == ERR_OK && !*s->stop) e = tell_live(s, c, ctx);
    client_free(c);
    return e;
}

enum err story_run(const struct story_opts *opts, const atomic_bool *stop, struct err_ctx *ctx) {
    struct story *s = mem_zalloc(sizeof *s);
    if (!s) return ERR_NOMEM;
    s->opts = opts;
    s->stop = stop;
    arena_init(&s->arena, TELL_MEMORY_MAX, NULL);
    s->telling.arena = &s->arena;
    ships_init(&s->ships, opts->seed, (int64_t)opts->start_ns);
    enum err e = tell_all(s, ctx);
    arena_fini(&s->arena);
    mem_free(s);
    return e;
}
