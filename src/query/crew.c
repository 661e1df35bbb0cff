// SPDX-License-Identifier: Apache-2.0
#include "query/crew.h"

#include "base/mem.h"
#include "os/clock.h"
#include "os/thread.h"

enum {
    CREW_MAX = 63,            // helpers of each kind: with the query's own thread a bit each
    LONG_AFTER_NS = 20000000, // of the query's own thread
};

struct job {
    bool (*work)(void *ctx, uint32_t worker);
    void *ctx;
    uint64_t numbers;   // a bit for each helper's number that is in use
    uint64_t helped_ns; // by all helpers
    bool is_long;       // only those that go last help it
    bool done;          // nothing is left to take
    struct job *next, *prev;
};

struct crew {
    struct mutex lock;
    struct cond offered[2], left; // offered: to helpers of each kind
    struct thread threads[2 * CREW_MAX];
    struct helper {
        struct crew *crew;
        bool goes_last;
    } helpers[2 * CREW_MAX];
    uint32_t n;         // of each kind
    uint32_t n_threads; // started
    struct job *jobs;   // a ring
    bool stopping, lowers_callers;
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

// --- helpers ---------------------------------------------------------------------------------------

static uint64_t all_numbers(const struct crew *c) {
    return (1ull << c->n) - 1;
}

// The job that was helped least, of those that have something left and room for one more.
static struct job *pick(const struct crew *c, bool is_long) {
    struct job *best = NULL, *j = c->jobs;
    if (!j) return NULL;
    do {
        bool open = !j->done && j->is_long == is_long && j->numbers != all_numbers(c);
        if (open && (!best || j->helped_ns < best->helped_ns)) best = j;
        j = j->next;
    } while (j != c->jobs);
    return best;
}

// One piece, without the lock.
static void help_once(struct crew *c, struct job *j) {
    bool was_long = j->is_long;
    unsigned number = (unsigned)__builtin_ctzll(~j->numbers);
    j->numbers |= 1ull << number;
    mutex_unlock(&c->lock);
    uint64_t began = clock_mono_ns(clock_real());
    bool more = j->work(j->ctx, number + 1);
    uint64_t took = clock_mono_ns(clock_real()) - began;
    mutex_lock(&c->lock);
    if (!more) j->done = true;
    j->helped_ns += took;
    j->numbers &= ~(1ull << number);
    if (j->numbers == 0) cond_broadcast(&c->left);
    // It became long meanwhile: its number is for one of the others.
    if (j->is_long && !was_long && !j->done) cond_broadcast(&c->offered[true]);
}

static void help(void *arg) {
    struct helper *h = arg;
    struct crew *c = h->crew;
    if (h->goes_last)
        thread_lower();
    else
        thread_hurry();
    mutex_lock(&c->lock);
    while (!c->stopping) {
        struct job *j = pick(c, h->goes_last);
        if (j)
            help_once(c, j);
        else
            cond_wait(&c->offered[h->goes_last], &c->lock);
    }
    mutex_unlock(&c->lock);
}

// --- the thread of a query -------------------------------------------------------------------------

static void call_long(struct crew *c, struct job *j) {
    mutex_lock(&c->lock);
    j->is_long = true;
    cond_broadcast(&c->offered[true]);
    mutex_unlock(&c->lock);
    if (c->lowers_callers) thread_lower();
}

static void work_along(struct crew *c, struct job *j) {
    uint64_t began = clock_mono_ns(clock_real()), cpu = thread_cpu_ns();
    while (j->work(j->ctx, 0)) {
        if (j->is_long || clock_mono_ns(clock_real()) - began < LONG_AFTER_NS) continue;
        // Who only waited for a core is not long yet.
        if (thread_cpu_ns() - cpu >= LONG_AFTER_NS / 2) call_long(c, j);
    }
}

void crew_run(struct crew *c, bool (*work)(void *ctx, uint32_t worker), void *ctx) {
    struct job j = { .work = work, .ctx = ctx };
    if (!c) {
        while (work(ctx, 0)) {}
        return;
    }
    mutex_lock(&c->lock);
    ring_add(c, &j);
    cond_broadcast(&c->offered[false]);
    mutex_unlock(&c->lock);
    work_along(c, &j);
    mutex_lock(&c->lock);
    j.done = true;
    while (j.numbers) cond_wait(&c->left, &c->lock);
    ring_remove(c, &j);
    mutex_unlock(&c->lock);
}

// --- life ------------------------------------------------------------------------------------------

static enum err start_helpers(struct crew *c) {
    for (uint32_t i = 0; i < 2 * c->n; i++) {
        c->helpers[i] = (struct helper){ c, i % 2 };
        TRY(thread_start(&c->threads[i], i % 2 ? "takt-crew-long" : "takt-crew", help, &c->helpers[i]));
        c->n_threads++;
    }
    return ERR_OK;
}

enum err crew_new(uint32_t n, struct crew **out) {
    struct crew *c = mem_zalloc(sizeof *c);
    if (!c) return ERR_NOMEM;
    mutex_init(&c->lock);
    cond_init(&c->offered[0]);
    cond_init(&c->offered[1]);
    cond_init(&c->left);
    c->n = n < CREW_MAX ? n : CREW_MAX;
    enum err e = start_helpers(c);
    if (e != ERR_OK)
        crew_free(c);
    else
        *out = c;
    return e;
}

uint32_t crew_size(const struct crew *c) {
    return c ? c->n : 0;
}

void crew_lower_callers(struct crew *c) {
    c->lowers_callers = true;
}

void crew_free(struct crew *c) {
    if (!c) return;
    mutex_lock(&c->lock);
    c->stopping = true;
    cond_broadcast(&c->offered[0]);
    cond_broadcast(&c->offered[1]);
    mutex_unlock(&c->lock);
    for (uint32_t i = 0; i < c->n_threads; i++) thread_join(&c->threads[i]);
    cond_fini(&c->offered[0]);
    cond_fini(&c->offered[1]);
    cond_fini(&c->left);
    mutex_fini(&c->lock);
    mem_free(c);
}
