// SPDX-License-Identifier: Apache-2.0
#include "delivery/gauges_keeper.h"

#include "base/log.h"
#include "os/clock.h"
#include "os/rounds.h"

#define EVERY_NS (60 * 1000000000ull)
#define SOONEST_NS (5 * 1000000000ull)
#define MEMORY_MAX (64ull << 20) // names and values of all services
enum { REST = 20 };              // times as long as a reading took, until the next one: 5 % of a core at most

struct gauges_keeper {
    struct gauges_keeper_opts opts;
    struct rounds rounds;
    uint64_t soonest, latest; // of the next reading
    uint64_t changes;         // that the last one saw
    struct mutex lock;        // of all below
    struct arena arena;       // of the gauges
    struct gauges gauges;
};

static enum err read_into(struct gauges_keeper *k, struct arena *a, struct gauges *out) {
    struct db *db;
    TRY(delivery_reader(k->opts.delivery, &db));
    enum err e = gauges_read(db, a, (int64_t)clock_unix_ns(k->opts.clock),
                             delivery_failure_severity(k->opts.delivery), out);
    delivery_reader_done(k->opts.delivery, db);
    return e;
}

// What cannot be read leaves the last gauges as they are; their age tells.
static void look(struct gauges_keeper *k) {
    struct arena a, old;
    struct gauges g;
    arena_init(&a, MEMORY_MAX, NULL);
    enum err e = read_into(k, &a, &g);
    if (e != ERR_OK) {
        log_warn("gauges.not_read", KV_Z("error", err_text(e)));
        arena_fini(&a);
        return;
    }
    mutex_lock(&k->lock);
    old = k->arena;
    k->arena = a;
    k->gauges = g;
    mutex_unlock(&k->lock);
    arena_fini(&old);
}

static uint64_t larger(uint64_t a, uint64_t b) {
    return a > b ? a : b;
}

// Reads when facts have changed, and else once in a while, for the days move on.
static uint64_t look_if_due(void *ctx) {
    struct gauges_keeper *k = ctx;
    uint64_t now = clock_mono_ns(k->opts.clock), changes = delivery_changes(k->opts.delivery);
    if (now < k->soonest) return k->soonest - now;
    if (now < k->latest && changes == k->changes)
        return k->latest - now < k->opts.soonest_ns ? k->latest - now : k->opts.soonest_ns;
    k->changes = changes;
    look(k);
    uint64_t ended = clock_mono_ns(k->opts.clock), pause = (ended - now) * REST;
    k->soonest = ended + larger(pause, k->opts.soonest_ns);
    k->latest = ended + larger(pause, k->opts.every_ns);
    return k->soonest - ended;
}

enum err gauges_keeper_start(const struct gauges_keeper_opts *o, struct gauges_keeper **out) {
    struct gauges_keeper *k = mem_zalloc(sizeof *k);
    *out = NULL;
    if (!k) return ERR_NOMEM;
    k->opts = *o;
    if (!k->opts.every_ns) k->opts.every_ns = EVERY_NS;
    if (!k->opts.soonest_ns) k->opts.soonest_ns = SOONEST_NS;
    mutex_init(&k->lock);
    arena_init(&k->arena, MEMORY_MAX, NULL);
    enum err e = rounds_start(&k->rounds, "takt-gauges", 0, look_if_due, k);
    if (e == ERR_OK)
        *out = k;
    else
        gauges_keeper_stop(k);
    return e;
}

void gauges_keeper_stop(struct gauges_keeper *k) {
    if (!k) return;
    rounds_stop(&k->rounds);
    arena_fini(&k->arena);
    mutex_fini(&k->lock);
    mem_free(k);
}

void gauges_keeper_see(struct gauges_keeper *k, void (*see)(void *ctx, const struct gauges *g), void *ctx) {
    mutex_lock(&k->lock);
    see(ctx, &k->gauges);
    mutex_unlock(&k->lock);
}
