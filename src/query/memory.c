// SPDX-License-Identifier: Apache-2.0
#include "query/memory.h"

#include "os/clock.h"
#include "os/thread.h"
#include "query/source.h"

enum {
    PIECE = 1 << 20,
    FIRST_PART = 8,    // an eighth of all is for the first piece of each question
    WAIT_STEP_MS = 10, // between looks at the clock and the client
    WAIT_MS = 250,
};
#define MS_NS 1000000ull

struct query_memory {
    uint64_t limit;
    struct mutex lock; // of all below
    struct cond given;
    uint64_t used, waits, refused;
    uint64_t n_begun;            // questions that got something, ever
    uint32_t n_shares, n_held;   // that have something: while they run, as answers
    struct query_share *waiting; // those of which a thread waits
};

enum err query_memory_new(uint64_t limit, struct query_memory **out) {
    struct query_memory *m = mem_zalloc(sizeof *m);
    if (!m) return ERR_NOMEM;
    m->limit = limit;
    mutex_init(&m->lock);
    cond_init(&m->given);
    *out = m;
    return ERR_OK;
}

void query_memory_free(struct query_memory *m) {
    if (!m) return;
    ASSERT(m->used == 0);
    cond_fini(&m->given);
    mutex_fini(&m->lock);
    mem_free(m);
}

uint64_t query_memory_most(uint64_t limit) {
    return limit - limit / FIRST_PART;
}

void query_memory_stats(struct query_memory *m, struct query_memory_stats *out) {
    mutex_lock(&m->lock);
    *out = (struct query_memory_stats){ m->used, m->limit, m->waits, m->refused };
    mutex_unlock(&m->lock);
}

// --- taking ------------------------------------------------------------------------------------------------

// What there is for it: whole pieces; where they do not fit, what is needed alone; else 0. Under the lock.
static uint64_t bytes_for(const struct query_memory *m, const struct mem_budget *b, uint64_t need) {
    uint64_t most = b->reserved == 0 && need <= PIECE ? m->limit : query_memory_most(m->limit);
    uint64_t exact = need - b->reserved, n = (exact + PIECE - 1) / PIECE * PIECE;
    if (m->used + n <= most) return n;
    return m->used + exact <= most ? exact : 0;
}

// Under the lock.
static bool try_take(struct query_memory *m, struct query_share *s, uint64_t need) {
    struct mem_budget *b = &s->budget;
    uint64_t n = bytes_for(m, b, need);
    if (n == 0) return false;
    if (s->number == 0) {
        s->number = ++m->n_begun;
        m->n_shares++;
    }
    m->used += n;
    b->reserved += n;
    return true;
}

// --- waiting -----------------------------------------------------------------------------------------------

static void refuse(struct query_memory *m, struct query_share *s) {
    if (s->is_refused) return;
    s->is_refused = true;
    m->refused++;
}

static void begin_waiting(struct query_memory *m, struct query_share *s) {
    if (s->n_waiting++ > 0) return;
    s->after = m->waiting;
    m->waiting = s;
    m->waits++;
}

static void end_waiting(struct query_memory *m, struct query_share *s) {
    struct query_share **at = &m->waiting;
    if (--s->n_waiting > 0) return;
    while (*at != s) at = &(*at)->after;
    *at = s->after;
}

// Nobody will give anything back: a question of which one thread waits does not end.
static void refuse_youngest_if_stuck(struct query_memory *m) {
    struct query_share *youngest = NULL;
    uint32_t n = 0;
    for (struct query_share *s = m->waiting; s; s = s->after) {
        if (s->is_refused) return; // it is about to give back what it has
        if (s->number == 0) continue;
        n++;
        if (!youngest || s->number > youngest->number) youngest = s;
    }
    if (n == 0 || n < m->n_shares || m->n_held > 0) return;
    refuse(m, youngest);
    cond_broadcast(&m->given);
}

static bool is_over(const struct query_share *s) {
    return s->bounds && bounds_check(s->bounds) != ERR_OK;
}

// A question that is over meanwhile gets nothing, but is not refused.
static bool wait_for_some(struct query_memory *m, struct query_share *s, uint64_t need) {
    begin_waiting(m, s);
    bool ok = false, over = false;
    uint64_t until =
        clock_mono_ns(clock_real()) + WAIT_MS * MS_NS; // however often others give something back
    while (!ok && !over && !s->is_refused && clock_mono_ns(clock_real()) < until) {
        over = is_over(s);
        if (!over) refuse_youngest_if_stuck(m);
        if (over || s->is_refused) break;
        (void)cond_wait_for(&m->given, &m->lock, WAIT_STEP_MS * MS_NS);
        ok = need <= s->budget.reserved || try_take(m, s, need);
    }
    end_waiting(m, s);
    if (!ok && !over) refuse(m, s);
    return ok;
}

// Several threads of a question may be here at once.
static bool reserve(struct mem_budget *b, uint64_t need) {
    struct query_share *s = (struct query_share *)b;
    struct query_memory *m = s->of;
    mutex_lock(&m->lock);
    bool ok = need <= b->reserved || try_take(m, s, need);
    if (!ok && !s->is_refused) ok = wait_for_some(m, s, need);
    mutex_unlock(&m->lock);
    return ok;
}

static bool has(struct mem_budget *b, uint64_t need) {
    struct query_memory *m = ((struct query_share *)b)->of;
    mutex_lock(&m->lock);
    bool ok = need <= b->reserved || bytes_for(m, b, need) > 0;
    mutex_unlock(&m->lock);
    return ok;
}

// --- giving ------------------------------------------------------------------------------------------------

// Under the lock.
static void give(struct query_memory *m, uint64_t bytes) {
    ASSERT(m->used >= bytes);
    m->used -= bytes;
    cond_broadcast(&m->given);
}

void query_share_init(struct query_share *s, const struct query_bounds *b) {
    *s = (struct query_share){ .budget = { .limit = b->memory_max }, .of = b->memory, .bounds = b };
    if (!s->of) return;
    s->budget.reserve = reserve;
    s->budget.has = has;
}

void query_share_end(struct query_share *s, struct query_held *held) {
    struct query_memory *m = s->of;
    uint64_t kept = held ? s->budget.used : 0;
    if (!m || s->number == 0) return;
    ASSERT(kept <= s->budget.reserved && s->n_waiting == 0);
    mutex_lock(&m->lock);
    m->n_shares--;
    if (kept) m->n_held++;
    if (kept) *held = (struct query_held){ m, kept };
    give(m, s->budget.reserved - kept);
    mutex_unlock(&m->lock);
    s->budget.reserved = 0;
    s->number = 0;
}

void query_held_release(struct query_held *held) {
    struct query_memory *m = held->of;
    if (!m) return;
    mutex_lock(&m->lock);
    m->n_held--;
    give(m, held->bytes);
    mutex_unlock(&m->lock);
    *held = (struct query_held){ 0 };
}

enum err query_share_cause(const struct query_share *s, enum err e) {
    if (e != ERR_NOMEM || s->is_refused || !s->bounds) return e;
    enum err over = bounds_check(s->bounds);
    return over == ERR_OK ? e : over;
}

enum err query_share_explain(const struct query_share *s, enum err e, struct err_ctx *ctx) {
    if (!s->is_refused || (e != ERR_OK && e != ERR_NOMEM && e != ERR_AGAIN)) return e;
    return err_set(
        ctx, ERR_AGAIN,
        "the memory of all queries (query.max_memory_total, %llu MiB) is used up by others; try again",
        (unsigned long long)s->of->limit >> 20);
}
