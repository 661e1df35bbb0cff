// SPDX-License-Identifier: Apache-2.0
#include "query/crew.h"

#include "base/mem.h"
#include "os/thread.h"

enum { CREW_MAX = 64 };

struct job {
    bool (*work)(void *ctx, uint32_t worker);
    void *ctx;
    uint32_t helping; // helpers inside
    bool done;        // nothing is left to take
    struct job *next, *prev;
};

struct crew {
    struct mutex lock;
    struct cond offered, left;
    struct thread threads[CREW_MAX];
    struct helper {
        struct crew *crew;
        uint32_t number;
    } helpers[CREW_MAX];
    uint32_t n;
    struct job *jobs; // a ring; the next to be helped first
    bool stopping;
};

static void ring_add(struct crew *c, struct job *j) {
    j->next = j->prev = j;
    if (c->jobs) {
        j->next = c->jobs;
        j->prev = c->jobs->prev;
        j->prev->next = j->next->prev = j;
    } else {
        c->jobs = j;
    }
}

static void ring_remove(struct crew *c, struct job *j) {
    if (c->jobs == j) c->jobs = j->next == j ? NULL : j->next;
    j->prev->next = j->next;
    j->next->prev = j->prev;
}

// The next job in turn that has something left.
static struct job *pick(struct crew *c) {
    struct job *first = c->jobs;
    for (struct job *j = first; j;) {
        c->jobs = j->next;
        if (!j->done) return j;
        j = j->next == first ? NULL : j->next;
    }
    return NULL;
}

static void help(void *arg) {
    struct helper *h = arg;
    struct crew *c = h->crew;
    mutex_lock(&c->lock);
    while (!c->stopping) {
        struct job *j = pick(c);
        if (!j) {
            cond_wait(&c->offered, &c->lock);
            continue;
        }
        j->helping++;
        mutex_unlock(&c->lock);
        bool more = j->work(j->ctx, h->number);
        mutex_lock(&c->lock);
        if (!more) j->done = true;
        if (--j->helping == 0) cond_broadcast(&c->left);
    }
    mutex_unlock(&c->lock);
}

void crew_run(struct crew *c, bool (*work)(void *ctx, uint32_t worker), void *ctx) {
    struct job j = { .work = work, .ctx = ctx };
    if (!c || c->n == 0) {
        while (work(ctx, 0)) {}
        return;
    }
    mutex_lock(&c->lock);
    ring_add(c, &j);
    cond_broadcast(&c->offered);
    mutex_unlock(&c->lock);
    while (work(ctx, 0)) {}
    mutex_lock(&c->lock);
    j.done = true;
    while (j.helping) cond_wait(&c->left, &c->lock);
    ring_remove(c, &j);
    mutex_unlock(&c->lock);
}

enum err crew_new(uint32_t n, struct crew **out) {
    struct crew *c = mem_zalloc(sizeof *c);
    if (!c) return ERR_NOMEM;
    mutex_init(&c->lock);
    cond_init(&c->offered);
    cond_init(&c->left);
    enum err e = ERR_OK;
    for (uint32_t i = 0; i < n && i < CREW_MAX && e == ERR_OK; i++) {
        c->helpers[i] = (struct helper){ c, i + 1 };
        e = thread_start(&c->threads[i], "takt-crew", help, &c->helpers[i]);
        if (e == ERR_OK) c->n++;
    }
    if (e != ERR_OK)
        crew_free(c);
    else
        *out = c;
    return e;
}

uint32_t crew_size(const struct crew *c) {
    return c ? c->n : 0;
}

void crew_free(struct crew *c) {
    if (!c) return;
    mutex_lock(&c->lock);
    c->stopping = true;
    cond_broadcast(&c->offered);
    mutex_unlock(&c->lock);
    for (uint32_t i = 0; i < c->n; i++) thread_join(&c->threads[i]);
    cond_fini(&c->offered);
    cond_fini(&c->left);
    mutex_fini(&c->lock);
    mem_free(c);
}
