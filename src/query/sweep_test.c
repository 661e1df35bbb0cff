// SPDX-License-Identifier: Apache-2.0
// Batches are gathered by several threads at once: none of them waits for another that waits for memory.
#include "query/sweep.h"

#include <time.h>

#include "query/fixture_test.h"
#include "query/source.h"

enum { HELPERS = 2, BLOCKS = 12, TRIES_MAX = 2000 };

struct gathering {
    _Atomic uint32_t inside, at_once; // calls: now, and most
    _Atomic uint32_t rows;
    struct {
        _Atomic bool busy;
        const char **names;
        uint32_t n;
    } of[HELPERS + 1];
    uint32_t n_ends, n_names;
};

// Each is inside until another is.
static enum err gather(void *ctx, const struct swept *x) {
    struct gathering *g = ctx;
    uint32_t inside = ++g->inside;
    if (inside > g->at_once) g->at_once = inside;
    CHECK(x->worker <= HELPERS && !atomic_exchange(&g->of[x->worker].busy, true));
    for (int i = 0; i < TRIES_MAX && g->at_once < 2; i++)
        (void)nanosleep(&(struct timespec){ .tv_nsec = 1000000 }, NULL);
    g->rows += x->batch->n_rows;
    char *name = arena_alloc(x->answer, 5);
    CHECK(name);
    memcpy(name, "name", 5);
    g->of[x->worker].names = arena_copy(x->answer, &name, sizeof name);
    g->of[x->worker].n++;
    g->of[x->worker].busy = false;
    g->inside--;
    return ERR_OK;
}

// What the workers put into the answer is there still.
static enum err join(void *ctx) {
    struct gathering *g = ctx;
    g->n_ends++;
    for (int i = 0; i <= HELPERS; i++) {
        g->n_names += g->of[i].n;
        if (g->of[i].n) CHECK(strcmp(g->of[i].names[0], "name") == 0);
    }
    return ERR_OK;
}

struct sweeping {
    struct trial trial;
    struct view *view;
    struct crew *crew;
    struct query_memory *memory;
    struct arena parsed, answer;
    struct ql_query *q;
    struct query_bounds bounds;
    struct query_stats stats;
    struct sweep sweep;
    char why[200];
};

static void sweeping_begin(struct sweeping *w) {
    struct err_ctx ctx = { 0 };
    *w = (struct sweeping){ .why = "" };
    trial_start(&w->trial, (struct trial_opts){ .cut_spans = 1000000, .mem_store = true });
    for (uint64_t i = 0; i < BLOCKS; i++) {
        struct spec s = { i + 1, 1, 0, TRIAL_NOW_NS, TRIAL_NOW_NS + 1, "a", "one", false };
        CHECK_OK(submit_specs(&w->trial, &s, 1));
        CHECK_OK(trial_flush(&w->trial));
    }
    w->view = ingest_view(w->trial.in);
    CHECK_OK(crew_new(HELPERS, &w->crew));
    CHECK_OK(query_memory_new(64 << 20, &w->memory));
    arena_init(&w->parsed, SIZE_MAX, NULL);
    arena_init(&w->answer, SIZE_MAX, NULL);
    CHECK_OK(ql_parse(&w->parsed, STR("{ }"), &w->q, &ctx));
    w->bounds = (struct query_bounds){ .crew = w->crew, .memory = w->memory };
    w->sweep = (struct sweep){ .view = w->view,
                               .bounds = &w->bounds,
                               .filter = w->q,
                               .answer = &w->answer,
                               .stats = &w->stats,
                               .why = w->why };
}

static void sweeping_end(struct sweeping *w) {
    struct query_memory_stats now;
    query_memory_stats(w->memory, &now);
    CHECK_U64(now.bytes, w->answer.used); // of all of them
    arena_fini(&w->answer);
    query_held_release(&w->sweep.held);
    query_memory_free(w->memory);
    crew_free(w->crew);
    ql_free(w->q);
    arena_fini(&w->parsed);
    view_unref(w->view);
    trial_fini(&w->trial);
}

TEST(sweep_gathers_by_several_threads_at_once) {
    struct sweeping w;
    struct gathering g = { .inside = 0 };
    struct err_ctx ctx = { 0 };
    sweeping_begin(&w);
    w.sweep.each = gather;
    w.sweep.end = join;
    w.sweep.ctx = &g;
    CHECK_U64(sweep_workers(&w.bounds), HELPERS + 1);
    CHECK_OK(sweep_run(&w.sweep, &ctx));
    CHECK(g.at_once > 1 && !w.sweep.partial);
    CHECK(g.n_ends == 1 && g.n_names == BLOCKS && g.rows == BLOCKS && w.stats.spans == BLOCKS);
    sweeping_end(&w);
}

// --- memory that is used up ------------------------------------------------------------------------------

struct hoarding {
    struct arena *answer;
    bool while_gathering; // or only at the end
    uint32_t n_ends;
};

static enum err hoard(struct arena *a, uint64_t bytes) {
    while (bytes > 0 && arena_alloc(a, 64 << 10)) bytes -= 64 << 10;
    return bytes ? ERR_NOMEM : ERR_OK;
}

static enum err hoard_batch(void *ctx, const struct swept *x) {
    const struct hoarding *h = ctx;
    return hoard(x->answer, h->while_gathering ? 32 << 20 : 0);
}

// More than is left, if nothing is given for it.
static enum err hoard_end(void *ctx) {
    struct hoarding *h = ctx;
    h->n_ends++;
    return hoard(h->answer, h->while_gathering ? 1 << 20 : 32 << 20);
}

// Used up while batches are gathered: what was gathered is joined, with memory of its own. Used up by that:
// the answer is partial likewise.
TEST(sweep_tells_what_it_has_when_memory_is_used_up) {
    for (int at_end = 0; at_end < 2; at_end++) {
        struct sweeping w;
        struct err_ctx ctx = { 0 };
        sweeping_begin(&w);
        struct hoarding h = { .answer = &w.answer, .while_gathering = !at_end };
        w.bounds.memory_max = 8 << 20;
        w.sweep.each = hoard_batch;
        w.sweep.end = hoard_end;
        w.sweep.ctx = &h;
        CHECK_OK(sweep_run(&w.sweep, &ctx));
        CHECK(w.sweep.partial && h.n_ends == 1 && strstr(w.why, "query.max_memory"));
        if (!at_end) CHECK(w.answer.used > 8 << 20); // the end had its part
        sweeping_end(&w);
    }
}
