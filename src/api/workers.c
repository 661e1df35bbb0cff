// SPDX-License-Identifier: Apache-2.0
// Threads that run queries, so that no loop thread ever waits for a disk. Whoever was at work last is called
// first: its memory is warm, in the caches as in the heap. One that a long query has lowered
// (query/crew.h) ends after it; as soon as it is lowered the keeper, which no query lowers, starts another,
// so that small queries need not wait for a few long ones.
#include "api/api_internal.h"

enum { WORKERS_MAX = 64, LONG_MAX = 4 }; // LONG_MAX: queries at once beyond the number of workers
#define TRY_AGAIN_NS 1000000000ull       // when the system gave no thread

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
        bool is_started, is_warm, is_long, is_over;
    } workers[WORKERS_MAX], *idle;
    uint32_t n_places, n_wanted, n_fresh; // fresh: started, and not lowered
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

// A new one, whose memory is cold, is called last.
static void rest(struct workers *w, struct worker *me) {
    struct worker **at = &w->idle;
    while (*at && !me->is_warm) at = &(*at)->before;
    me->is_called = false;
    me->is_warm = true;
    me->before = *at;
    *at = me;
    while (!me->is_called) cond_wait(&me->called, &w->lock);
}

static void note_long(void *ctx) {
    struct worker *me = ctx;
    mutex_lock(&me->all->lock);
    me->is_long = true;
    me->all->n_fresh--;
    cond_signal(&me->all->ended);
    mutex_unlock(&me->all->lock);
}

static void work(void *ctx) {
    struct worker *me = ctx;
    struct workers *w = me->all;
    thread_hurry();
    thread_when_lowered(note_long, me);
    mutex_lock(&w->lock);
    // At the end nobody starts another: then what waits is answered by whoever there is.
    while (!thread_is_lowered() || w->stopping) {
        while (w->n == 0 && !w->stopping) rest(w, me);
        if (w->n == 0) break;
        run_next(w);
    }
    if (!w->stopping) {
        me->is_over = true;
        cond_signal(&w->ended);
    }
    mutex_unlock(&w->lock);
}

static enum err start(struct worker *me) {
    TRY(thread_start(&me->thread, "takt-query", work, me));
    me->is_started = true;
    me->is_warm = me->is_long = me->is_over = false;
    me->all->n_fresh++;
    return ERR_OK;
}

// Starts others for those that are lowered or over, as far as there are places; under the lock. false: the
// system gave no thread.
static bool replace(struct workers *w) {
    for (uint32_t i = 0; i < w->n_places; i++) {
        struct worker *x = &w->workers[i];
        if (x->is_started && x->is_over) {
            thread_join(&x->thread);
            x->is_started = false;
        }
        if (!x->is_started && w->n_fresh < w->n_wanted && start(x) != ERR_OK) return false;
    }
    return true;
}

static void keep(void *ctx) {
    struct workers *w = ctx;
    mutex_lock(&w->lock);
    while (!w->stopping) {
        if (replace(w))
            cond_wait(&w->ended, &w->lock);
        else
            (void)cond_wait_for(&w->ended, &w->lock, TRY_AGAIN_NS);
    }
    mutex_unlock(&w->lock);
}

// --- life ------------------------------------------------------------------------------------------

static enum err start_all(struct workers *w, uint32_t n) {
    enum err e = ERR_OK;
    w->n_wanted = n < WORKERS_MAX ? n : WORKERS_MAX;
    w->n_places = n && n + LONG_MAX < WORKERS_MAX ? n + LONG_MAX : w->n_wanted;
    mutex_lock(&w->lock);
    for (uint32_t i = 0; i < w->n_wanted && e == ERR_OK; i++) e = start(&w->workers[i]);
    mutex_unlock(&w->lock);
    return e == ERR_OK ? thread_start(&w->keeper, "takt-keeper", keep, w) : e;
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
    for (uint32_t i = 0; i < w->n_places; i++)
        if (w->workers[i].is_started) thread_join(&w->workers[i].thread);
    w->n_places = 0;
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
