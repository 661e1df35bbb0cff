// SPDX-License-Identifier: Apache-2.0
#include "delivery/gauges_keeper.h"

#include "base/log.h"
#include "os/clock.h"
#include "os/thread.h"

#define EVERY_NS (60 * 1000000000ull)
#define SOONEST_NS (5 * 1000000000ull)
#define MEMORY_MAX (64ull << 20) // names and values of all services
enum { REST = 20 };              // times as long as a reading took, until the next one: 5 % of a core at most

struct gauges_keeper {
    struct gauges_keeper_opts opts;
    struct thread thread;
    struct mutex lock; // of all below
    struct cond wake;
    bool stop;
    struct arena arena; // of the gauges
    struct gauges gauges;
};

static enum err read_into(struct gauges_keeper *k, struct arena *a, struct gauges *out) {
    struct db *db;
    TRY(delivery_reader(k->opts.delivery, &db));
    enum err e = gauges_read(db, a, (int64_t)clock_unix_ns(k->opts.clock), out);
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

// Until the next reading is due. With the lock.
static void rest(struct gauges_keeper *k, uint64_t began, uint64_t changes) {
    uint64_t ended = clock_mono_ns(k->opts.clock), pause = (ended - began) * REST;
    uint64_t soonest = pause > k->opts.soonest_ns ? pause : k->opts.soonest_ns;
    uint64_t latest = pause > k->opts.every_ns ? pause : k->opts.every_ns;
    while (!k->stop) {
        uint64_t rested = clock_mono_ns(k->opts.clock) - ended;
        if (rested >= latest) return;
        if (rested >= soonest && delivery_changes(k->opts.delivery) != changes) return;
        uint64_t left = rested < soonest ? soonest - rested : latest - rested;
        (void)cond_wait_for(&k->wake, &k->lock, left < k->opts.soonest_ns ? left : k->opts.soonest_ns);
    }
}

static void run(void *ctx) {
    struct gauges_keeper *k = ctx;
    mutex_lock(&k->lock);
    while (!k->stop) {
        mutex_unlock(&k->lock);
        uint64_t began = clock_mono_ns(k->opts.clock), changes = delivery_changes(k->opts.delivery);
        look(k);
        mutex_lock(&k->lock);
        rest(k, began, changes);
    }
    mutex_unlock(&k->lock);
}

enum err gauges_keeper_start(const struct gauges_keeper_opts *o, struct gauges_keeper **out) {
    struct gauges_keeper *k = mem_zalloc(sizeof *k);
    *out = NULL;
    if (!k) return ERR_NOMEM;
    k->opts = *o;
    if (!k->opts.every_ns) k->opts.every_ns = EVERY_NS;
    if (!k->opts.soonest_ns) k->opts.soonest_ns = SOONEST_NS;
    mutex_init(&k->lock);
    cond_init(&k->wake);
    arena_init(&k->arena, MEMORY_MAX, NULL);
    enum err e = thread_start(&k->thread, "takt-gauges", run, k);
    if (e == ERR_OK)
        *out = k;
    else
        gauges_keeper_stop(k);
    return e;
}

void gauges_keeper_stop(struct gauges_keeper *k) {
    if (!k) return;
    mutex_lock(&k->lock);
    k->stop = true;
    cond_broadcast(&k->wake);
    mutex_unlock(&k->lock);
    thread_join(&k->thread);
    arena_fini(&k->arena);
    cond_fini(&k->wake);
    mutex_fini(&k->lock);
    mem_free(k);
}

void gauges_keeper_see(struct gauges_keeper *k, void (*see)(void *ctx, const struct gauges *g), void *ctx) {
    mutex_lock(&k->lock);
    see(ctx, &k->gauges);
    mutex_unlock(&k->lock);
}
