// SPDX-License-Identifier: Apache-2.0
// Threads that run queries, so that no loop thread ever waits for a disk.
#include "api/api_internal.h"

enum { WORKERS_MAX = 64 };

struct job {
    void (*run)(struct api *a, struct net_request *rq);
    struct api *api;
    struct net_request *rq;
};

struct workers {
    struct mutex lock;
    struct cond changed;
    struct thread threads[WORKERS_MAX];
    uint32_t n_threads;
    struct job *queue; // a ring
    uint32_t first, n, max;
    bool stopping;
};

static void work(void *ctx) {
    struct workers *w = ctx;
    mutex_lock(&w->lock);
    for (;;) {
        while (w->n == 0 && !w->stopping) cond_wait(&w->changed, &w->lock);
        if (w->n == 0) break;
        struct job j = w->queue[w->first];
        w->first = (w->first + 1) % w->max;
        w->n--;
        mutex_unlock(&w->lock);
        j.run(j.api, j.rq);
        mutex_lock(&w->lock);
    }
    mutex_unlock(&w->lock);
}

enum err workers_new(uint32_t n, uint32_t max_queued, struct workers **out) {
    struct workers *w = mem_zalloc(sizeof *w);
    if (!w) return ERR_NOMEM;
    mutex_init(&w->lock);
    cond_init(&w->changed);
    w->max = max_queued;
    w->queue = mem_alloc(max_queued * sizeof *w->queue);
    enum err e = w->queue ? ERR_OK : ERR_NOMEM;
    for (uint32_t i = 0; i < n && i < WORKERS_MAX && e == ERR_OK; i++) {
        e = thread_start(&w->threads[i], "takt-query", work, w);
        if (e == ERR_OK) w->n_threads++;
    }
    if (e != ERR_OK)
        workers_free(w);
    else
        *out = w;
    return e;
}

void workers_stop(struct workers *w) {
    mutex_lock(&w->lock);
    w->stopping = true;
    cond_broadcast(&w->changed);
    mutex_unlock(&w->lock);
    for (uint32_t i = 0; i < w->n_threads; i++) thread_join(&w->threads[i]);
    w->n_threads = 0;
}

void workers_free(struct workers *w) {
    if (!w) return;
    workers_stop(w);
    cond_fini(&w->changed);
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
        cond_signal(&w->changed);
    }
    mutex_unlock(&w->lock);
    return full ? ERR_LIMIT : ERR_OK;
}
