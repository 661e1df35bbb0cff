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

TEST(sweep_gathers_by_several_threads_at_once) {
    struct trial t;
    struct crew *crew;
    struct arena parsed, answer;
    struct ql_query *q;
    struct err_ctx ctx = { 0 };
    struct query_memory *m;
    struct query_stats stats = { 0 };
    struct gathering g = { .inside = 0 };
    char why[200];
    trial_start(&t, (struct trial_opts){ .cut_spans = 1000000, .mem_store = true });
    for (uint64_t i = 0; i < BLOCKS; i++) {
        struct spec s = { i + 1, 1, 0, TRIAL_NOW_NS, TRIAL_NOW_NS + 1, "a", "one", false };
        CHECK_OK(submit_specs(&t, &s, 1));
        CHECK_OK(trial_flush(&t));
    }
    struct view *v = ingest_view(t.in);
    CHECK_OK(crew_new(HELPERS, &crew));
    CHECK_OK(query_memory_new(64 << 20, &m));
    arena_init(&parsed, SIZE_MAX, NULL);
    arena_init(&answer, SIZE_MAX, NULL);
    CHECK_OK(ql_parse(&parsed, STR("{ }"), &q, &ctx));
    struct query_bounds bounds = { .crew = crew, .memory = m };
    struct sweep s = { .view = v,
                       .bounds = &bounds,
                       .filter = q,
                       .answer = &answer,
                       .each = gather,
                       .end = join,
                       .ctx = &g,
                       .stats = &stats,
                       .why = why };
    CHECK_U64(sweep_workers(&bounds), HELPERS + 1);
    CHECK_OK(sweep_run(&s, &ctx));
    CHECK(g.at_once > 1);
    CHECK(!s.partial && g.n_ends == 1 && g.n_names == BLOCKS && g.rows == BLOCKS && stats.spans == BLOCKS);
    struct query_memory_stats now;
    query_memory_stats(m, &now);
    CHECK_U64(now.bytes, answer.used); // of all of them
    arena_fini(&answer);
    query_held_release(&s.held);
    query_memory_free(m);
    crew_free(crew);
    ql_free(q);
    arena_fini(&parsed);
    view_unref(v);
    trial_fini(&t);
}
