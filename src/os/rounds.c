// SPDX-License-Identifier: Apache-2.0
#include "os/rounds.h"

static void run(void *arg) {
    struct rounds *r = arg;
    uint64_t rest = r->first_ns;
    mutex_lock(&r->lock);
    for (;;) {
        while (rest && !r->stopping && cond_wait_for(&r->wake, &r->lock, rest)) continue;
        if (r->stopping) break;
        mutex_unlock(&r->lock);
        rest = r->round(r->ctx);
        mutex_lock(&r->lock);
    }
    mutex_unlock(&r->lock);
}

enum err rounds_start(struct rounds *r, const char *name, uint64_t first_ns, uint64_t (*round)(void *ctx),
                      void *ctx) {
    *r = (struct rounds){ .first_ns = first_ns, .round = round, .ctx = ctx };
    mutex_init(&r->lock);
    cond_init(&r->wake);
    return thread_start(&r->thread, name, run, r);
}

void rounds_stop(struct rounds *r) {
    if (!r->round) return;
    mutex_lock(&r->lock);
    r->stopping = true;
    cond_broadcast(&r->wake);
    mutex_unlock(&r->lock);
    thread_join(&r->thread);
    cond_fini(&r->wake);
    mutex_fini(&r->lock);
    r->round = NULL;
}

bool rounds_stopping(const struct rounds *r) {
    return r->stopping;
}
