// SPDX-License-Identifier: Apache-2.0
// Threads that run queries, so that no loop thread ever waits for a disk. Whoever was at work last is called
// first: its memory is warm, in the caches as in the heap. One that a long query has lowered
// (query/crew.h) ends after it, and the keeper, which no query lowers, starts another in its place.
#include "api/api_internal.h"

enum { WORKERS_MAX = 64 };
#define TRY_AGAIN_NS 1000000000ull // when the system gave no thread

struct job {
    void (*run)(struct api *a, struct net_request *rq);
    struct api *api;
    struct net_request *rq;
};

struct workers {
    struct mutex lock;
    struct cond ended; // for the keeper
    struct worker {
        struct workers *all;
        struct thread thread;
        struct cond called;
        bool is_called;
        struct worker *before; // of the idle ones, who was at work before it
        bool is_over;          // a new one is wanted
    } workers[WORKERS_MAX], *idle;
    uint32_t n_workers, n_over;
    struct thread keeper;
    struct job *queue; // a ring
    uint32_t first, n, max;
    bool stopping;
};

// --- the threads -----------------------------------------------------------------------------------

static void run_next(struct workers *w) {
    struct job j = w->queue[w->first];
    w->first = (w->first + 1) % w->max;
    w->n--;
    mutex_unlock(&w->lock);
    j.run(j.api, j.rq);
    mutex_lock(&w->lock);
}

static void call_one(struct workers *w) {
    struct worker *x = w->idle;
    if (!x) return; // all are at work, and look again before they rest
    w->idle = x->before;
    x->is_called = true;
    cond_signal(&x->called);
}

static void rest(struct workers *w, struct worker *me) {
    me->is_called = false;
    me->before = w->idle;
    w->idle = me;
    while (!me->is_called) cond_wait(&me->called, &w->lock);
}

static void work(void *ctx) {
    struct worker *me = ctx;
    struct workers *w = me->all;
    thread_hurry();
    mutex_lock(&w->lock);
    // At the end nobody starts another: then what waits is answered by whoever there is.
    while (!thread_is_lowered() || w->stopping) {
        while (w->n == 0 && !w->stopping) rest(w, me);
        if (w->n == 0) break;
        run_next(w);
    }
    if (!w->stopping) {
        me->is_over = true;
        w->n_over++;
        cond_signal(&w->ended);
    }
    mutex_unlock(&w->lock);
}

static enum err start(struct worker *me) {
    return thread_start(&me->thread, "takt-query", work, me);
}

// Starts others for those that are over; under the lock.
static void replace(struct workers *w) {
    for (uint32_t i = 0; i < w->n_workers; i++) {
        struct worker *x = &w->workers[i];
        if (!x->is_over) continue;
        thread_join(&x->thread);
        if (start(x) != ERR_OK) continue;
        x->is_over = false;
        w->n_over--;
    }
}

static void keep(void *ctx) {
    struct workers *w = ctx;
    mutex_lock(&w->lock);
    while (!w->stopping) {
        replace(w);
        if (w->n_over)
            (void)cond_wait_for(&w->ended, &w->lock, TRY_AGAIN_NS);
        else
            cond_wait(&w->ended, &w->lock);
    }
    mutex_unlock(&w->lock);
}

// --- life ------------------------------------------------------------------------------------------

static enum err start_all(struct workers *w, uint32_t n) {
    for (uint32_t i = 0; i < n && i < WORKERS_MAX; i++) {
        TRY(start(&w->workers[i]));
        w->n_workers++;
    }
    return thread_start(&w->keeper, "takt-keeper", keep, w);
}

enum err workers_new(uint32_t n, uint32_t max_queued, struct workers **out) {
    struct workers *w = mem_zalloc(sizeof *w);
    if (!w) return ERR_NOMEM;
    mutex_init(&w->lock);
    cond_init(&w->ended);
    for (uint32_t i = 0; i < WORKERS_MAX; i++) {
        w->workers[i].all = w;
        cond_init(&w->workers[i].called);
    }
    w->max = max_queued;
    w->queue = mem_alloc(max_queued * sizeof *w->queue);
    enum err e = w->queue ? start_all(w, n) : ERR_NOMEM;
    if (e != ERR_OK)
        workers_free(w);
    else
        *out = w;
    return e;
}

void workers_stop(struct workers *w) {
    mutex_lock(&w->lock);
    w->stopping = true;
    cond_signal(&w->ended);
    while (w->idle) call_one(w);
    mutex_unlock(&w->lock);
    thread_join(&w->keeper);
    for (uint32_t i = 0; i < w->n_workers; i++) thread_join(&w->workers[i].thread);
    w->n_workers = 0;
    mutex_lock(&w->lock);
    while (w->n) run_next(w); // where no thread was left
    mutex_unlock(&w->lock);
}

void workers_free(struct workers *w) {
    if (!w) return;
    workers_stop(w);
    for (uint32_t i = 0; i < WORKERS_MAX; i++) cond_fini(&w->workers[i].called);
    cond_fini(&w->ended);
    mutex_fini(&w->lock);
    mem_free(w->queue);
    mem_free(w);
}

enum err workers_run(struct workers *w, void (*run)(struct api *a, struct net_request *rq), struct api *a,
                     struct net_request *rq) {
    mutex_lock(&w->lock);
    bool full = w->n == w->max || w->stopping;
    if (!full) {
        w->queue[(w->first + w->n++) % w->max] = (struct job){ run, a, rq };
        call_one(w);
    }
    mutex_unlock(&w->lock);
    return full ? ERR_LIMIT : ERR_OK;
}
