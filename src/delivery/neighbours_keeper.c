// SPDX-License-Identifier: Apache-2.0
#include "delivery/neighbours_keeper.h"

#include "base/log.h"
#include "delivery/calls.h"
#include "os/clock.h"
#include "os/rounds.h"

#define SECOND_NS 1000000000ull
#define WINDOW_NS (600 * SECOND_NS) // of spans looked at once, at most
#define LATE_NS (60 * SECOND_NS)    // spans may come this much after they began
#define DEADLINE_NS (5 * SECOND_NS)
#define MEMORY_MAX (64ull << 20)
enum { REST = 20 }; // times as long as a look took, until the next one

struct neighbours_keeper {
    struct neighbours_keeper_opts opts;
    struct rounds rounds;
    uint64_t looked_to; // ns since 1970; 0: not yet
};

static bool is_stopped(void *ctx) {
    return rounds_stopping(&((struct neighbours_keeper *)ctx)->rounds);
}

struct keeping {
    struct arena *arena;
    struct neighbours seen;
    struct calls calls; // that no event tells yet
    int64_t now;
};
static enum err keep(struct db *db, void *ctx) {
    struct keeping *k = ctx;
    TRY(neighbours_keep(db, &k->seen, k->now));
    return calls_find(db, k->arena, &k->seen, &k->calls);
}

static enum err look(struct neighbours_keeper *k, struct arena *a, uint64_t now) {
    uint64_t from = now - WINDOW_NS;
    if (k->looked_to && k->looked_to - LATE_NS > from) from = k->looked_to - LATE_NS;
    struct query_bounds bounds = { .start_ns = from,
                                   .end_ns = now,
                                   .clock = k->opts.clock,
                                   .deadline_ns = clock_mono_ns(k->opts.clock) + DEADLINE_NS,
                                   .memory_max = MEMORY_MAX,
                                   .canceled = is_stopped,
                                   .canceled_ctx = k };
    struct keeping keeping = { .arena = a, .now = (int64_t)now };
    struct err_ctx ctx = { 0 };
    struct view *v = k->opts.take(k->opts.ctx);
    enum err e = neighbours_read(a, v, &bounds, &keeping.seen, &ctx);
    k->opts.give(v);
    TRY(e);
    if (keeping.seen.n) TRY(delivery_write(k->opts.delivery, keep, &keeping));
    TRY(calls_tell(k->opts.delivery, a, &keeping.calls, keeping.now));
    k->looked_to = now; // only now: what could not be kept is looked at again
    return ERR_OK;
}

static uint64_t look_and_rest(void *ctx) {
    struct neighbours_keeper *k = ctx;
    uint64_t began = clock_mono_ns(k->opts.clock);
    struct arena a;
    arena_init(&a, MEMORY_MAX, NULL);
    enum err e = look(k, &a, clock_unix_ns(k->opts.clock));
    if (e != ERR_OK && e != ERR_CANCELED) log_warn("neighbours.not_read", KV_Z("error", err_text(e)));
    arena_fini(&a);
    uint64_t rest = (clock_mono_ns(k->opts.clock) - began) * REST;
    return rest > k->opts.every_ns ? rest : k->opts.every_ns;
}

enum err neighbours_keeper_start(const struct neighbours_keeper_opts *o, struct neighbours_keeper **out) {
    struct neighbours_keeper *k = mem_zalloc(sizeof *k);
    *out = NULL;
    if (!k) return ERR_NOMEM;
    k->opts = *o;
    enum err e = rounds_start(&k->rounds, "takt-neighbours", o->every_ns, look_and_rest, k);
    if (e == ERR_OK)
        *out = k;
    else
        neighbours_keeper_stop(k);
    return e;
}

void neighbours_keeper_stop(struct neighbours_keeper *k) {
    if (!k) return;
    rounds_stop(&k->rounds);
    mem_free(k);
}
