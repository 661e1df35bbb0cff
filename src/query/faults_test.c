// SPDX-License-Identifier: Apache-2.0
// Questions whose n-th allocation fails: they end in ERR_NOMEM or in an answer that says that it is
// partial, and leak nothing.
#include "query/answers.h"
#include "query/fixture_test.h"
#include "query/series.h"

static enum err hear_found(void *ctx, const struct find_trace *t) {
    (void)ctx;
    CHECK(t->summary.spans > 0);
    return ERR_OK;
}
static enum err hear(void *ctx, const struct query_stats *s) {
    (void)s;
    ++*(uint32_t *)ctx;
    return ERR_OK;
}

static enum err run_find(struct view *v, const struct ql_query *q, uint32_t want) {
    uint32_t heard = 0;
    struct find_result r;
    struct err_ctx ctx = { 0 };
    struct find f = { .query = q,
                      .bounds = { .clock = clock_real() },
                      .limit = 1000,
                      .spans_per_set = 2,
                      .teller = { hear, &heard, 1 },
                      .found = hear_found };
    enum err e = find_run(v, &f, &r, &ctx);
    if (e != ERR_OK) return e;
    CHECK(r.n == want || (r.partial && r.n < want));
    find_fini(&r);
    return ERR_OK;
}

static enum err run_series(struct view *v, const struct ql_query *q) {
    struct series_answer r;
    struct err_ctx ctx = { 0 };
    struct series_query s = { .query = q,
                              .bounds = { .start_ns = 1, .end_ns = INT64_MAX / 2, .clock = clock_real() },
                              .exemplars = 20 };
    enum err e = series_run(v, &s, &r, &ctx);
    if (e == ERR_OK) series_fini(&r);
    return e;
}

static uint32_t count_traces(const struct model *m) {
    uint32_t n = 0;
    for (uint32_t i = 0; i < m->n; i++) n += i == 0 || memcmp(m->at[i].trace, m->at[i - 1].trace, 16) != 0;
    return n;
}

static void fail_each(struct trial *t, const char *text) {
    struct arena a;
    struct ql_query *q;
    struct err_ctx ctx = { 0 };
    struct view *v = ingest_view(t->in);
    uint32_t refused = 0;
    model_sort(&t->model);
    arena_init(&a, SIZE_MAX, NULL);
    CHECK_OK(ql_parse(&a, str_of(text), &q, &ctx));
    for (uint64_t n = 1, failed = 1; failed; n += 1 + test_below(n / 16 + 1)) {
        mem_fail_at(n, false);
        enum err e = q->is_metrics ? run_series(v, q) : run_find(v, q, count_traces(&t->model));
        failed = mem_fail_seen() >= n;
        mem_fail_at(0, false);
        CHECK(e == ERR_OK || e == ERR_NOMEM);
        refused += e == ERR_NOMEM;
    }
    CHECK(refused > 0);
    ql_free(q);
    arena_fini(&a);
    view_unref(v);
}

TEST(faults_of_memory_end_a_question_cleanly) {
    static const char *const questions[] = { "{ }", "{ } >> { } || { }", "{ } | rate() by (name)",
                                             "{ rootName != \"none\" } | max_over_time(duration)" };
    struct trial t;
    trial_start(&t, (struct trial_opts){ .random = { .spans_max = 3, .duplicate_percent = 20 },
                                         .cut_spans = 100000,
                                         .mem_store = true });
    for (int i = 0; i < 3; i++) {
        submit_random(&t, 2);
        if (i < 2) CHECK_OK(trial_flush(&t));
    }
    trial_settle(&t);
    for (uint64_t kept = 0; kept <= 1 << 20; kept += 1 << 20) {
        answers_limit(kept);
        for (size_t i = 0; i < sizeof questions / sizeof *questions; i++) fail_each(&t, questions[i]);
    }
    answers_limit(0);
    trial_fini(&t);
}
