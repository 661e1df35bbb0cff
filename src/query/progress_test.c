// SPDX-License-Identifier: Apache-2.0
// What is told while a question runs: traces that are in the answer, as they are there, each once; and
// what was looked at, which only grows.
#include "query/crew.h"
#include "query/fixture_test.h"
#include "query/series.h"

#define SECOND 1000000000ull

// A second goes by with every look at it, so that there is always something to tell.
struct quick_clock {
    struct clock clock;
    _Atomic uint64_t now_ns;
};
static uint64_t quick_ns(struct clock *c) {
    return ((struct quick_clock *)c)->now_ns += SECOND;
}

enum { TOLD_MAX = 4096 };
struct ear {
    uint8_t ids[TOLD_MAX][16];
    struct find_trace traces[TOLD_MAX]; // what they hold is the answer's
    uint32_t n, messages;
    struct query_stats last;
    enum err refuse; // what the third message ends in
};

static enum err hear_found(void *ctx, const struct find_trace *t) {
    struct ear *e = ctx;
    CHECK(e->n < TOLD_MAX);
    memcpy(e->ids[e->n], t->summary.id, 16);
    e->traces[e->n++] = *t;
    return ERR_OK;
}

static enum err hear(void *ctx, const struct query_stats *s) {
    struct ear *e = ctx;
    CHECK(s->traces >= e->last.traces && s->spans >= e->last.spans && s->bytes >= e->last.bytes);
    CHECK(s->groups >= e->last.groups && s->groups <= s->groups_total && s->blocks <= s->blocks_total);
    e->last = *s;
    return ++e->messages == 3 ? e->refuse : ERR_OK;
}

static void check_told(const struct ear *e, const struct find_result *r) {
    for (uint32_t i = 0; i < e->n; i++) {
        uint32_t at = 0;
        for (uint32_t k = 0; k < i; k++) CHECK(memcmp(e->ids[k], e->ids[i], 16) != 0);
        while (at < r->n && memcmp(r->traces[at].summary.id, e->ids[i], 16) != 0) at++;
        CHECK(at < r->n);
        const struct find_trace *told = &e->traces[i], *found = &r->traces[at];
        CHECK_U64(told->summary.start_ns, found->summary.start_ns);
        CHECK_U64(told->summary.spans, found->summary.spans);
        CHECK_STR(told->summary.root_name, found->summary.root_name);
        CHECK(told->sets == found->sets && told->n_sets == found->n_sets); // the very same
    }
    CHECK(e->last.traces <= r->stats.traces && e->last.spans <= r->stats.spans);
    CHECK(e->last.bytes <= r->stats.bytes);
}

static struct ql_query *parse(struct arena *a, const char *text) {
    struct ql_query *q;
    struct err_ctx ctx = { 0 };
    arena_init(a, SIZE_MAX, NULL);
    CHECK_OK(ql_parse(a, str_of(text), &q, &ctx));
    return q;
}

static uint32_t look(struct view *v, const char *text, uint32_t limit, struct crew *crew) {
    static struct ear ear;
    struct quick_clock clock = { .clock = { quick_ns, quick_ns } };
    struct find_result r, quiet;
    struct err_ctx ctx = { 0 };
    struct arena a;
    struct ql_query *q = parse(&a, text);
    memset(&ear, 0, sizeof ear);
    struct find f = {
        .query = q, .bounds = { .clock = &clock.clock, .crew = crew }, .limit = limit, .spans_per_set = 2
    };
    CHECK_OK(find_run(v, &f, &quiet, &ctx));
    f.teller = (struct query_teller){ hear, &ear, SECOND };
    f.found = hear_found;
    CHECK_OK(find_run(v, &f, &r, &ctx));
    CHECK(ear.messages > 0);
    CHECK_U64(r.n, quiet.n);
    for (uint32_t i = 0; i < r.n; i++)
        CHECK(memcmp(r.traces[i].summary.id, quiet.traces[i].summary.id, 16) == 0);
    check_told(&ear, &r);
    find_fini(&r);
    find_fini(&quiet);
    ql_free(q);
    arena_fini(&a);
    return ear.n;
}

// gap_ns: between the times of blocks; 0: they overlap.
static void fill(struct trial *t, uint64_t gap_ns) {
    trial_start(t,
                (struct trial_opts){ .random = { .spans_max = 4 }, .cut_spans = 100000, .mem_store = true });
    for (int i = 0; i < 6; i++) {
        submit_random(t, 5);
        t->now_ns += gap_ns;
        if (i < 5) CHECK_OK(trial_flush(t));
    }
}

TEST(progress_tells_of_traces_that_stay) {
    static const char *const questions[] = { "{ }", "{ status = error } | select(name)" };
    uint32_t told = 0;
    struct crew *crew;
    CHECK_OK(crew_new(2, &crew));
    for (int round = 0; round < 4; round++) {
        struct trial t;
        fill(&t, round < 2 ? 1000 * SECOND : 0);
        struct view *v = ingest_view(t.in);
        for (size_t i = 0; i < sizeof questions / sizeof *questions; i++)
            for (uint32_t limit = 1; limit <= 200; limit += 1 + limit / 2)
                told += look(v, questions[i], limit, round % 2 ? crew : NULL);
        view_unref(v);
        trial_fini(&t);
    }
    crew_free(crew);
    CHECK(told > 50);
}

TEST(progress_ends_a_question_that_nobody_hears) {
    struct trial t;
    struct arena a;
    struct quick_clock clock = { .clock = { quick_ns, quick_ns } };
    static struct ear ear;
    struct find_result r;
    struct series_answer x;
    struct err_ctx ctx = { 0 };
    fill(&t, 1000 * SECOND);
    struct view *v = ingest_view(t.in);
    struct ql_query *q = parse(&a, "{ }");
    ear = (struct ear){ .refuse = ERR_CANCELED };
    struct find f = { .query = q,
                      .bounds = { .clock = &clock.clock },
                      .limit = 1000,
                      .teller = { hear, &ear, SECOND },
                      .found = hear_found };
    CHECK(find_run(v, &f, &r, &ctx) == ERR_CANCELED);
    CHECK_U64(ear.messages, 3);
    ql_free(q);
    arena_fini(&a);
    q = parse(&a, "{ } | rate()");
    ear = (struct ear){ .refuse = ERR_CANCELED };
    struct series_query s = { .query = q,
                              .bounds = { .start_ns = 1, .end_ns = INT64_MAX / 2, .clock = &clock.clock },
                              .teller = { hear, &ear, SECOND } };
    CHECK(series_run(v, &s, &x, &ctx) == ERR_CANCELED);
    CHECK_U64(ear.messages, 3);
    ear = (struct ear){ .refuse = ERR_OK };
    CHECK_OK(series_run(v, &s, &x, &ctx));
    CHECK(ear.messages > 3 && ear.last.spans > 0 && ear.last.spans <= x.stats.spans);
    series_fini(&x);
    ql_free(q);
    arena_fini(&a);
    view_unref(v);
    trial_fini(&t);
}

static bool is_gone(void *ctx) {
    return *(bool *)ctx;
}

TEST(progress_of_an_answer_ends_with_its_time_or_its_reader) {
    struct trial t;
    struct arena a;
    struct quick_clock clock = { .clock = { quick_ns, quick_ns } };
    struct series_answer x;
    struct err_ctx ctx = { 0 };
    bool gone = false;
    fill(&t, 1000 * SECOND);
    struct view *v = ingest_view(t.in);
    struct ql_query *q = parse(&a, "{ } | rate() by (name)");
    enum { ALLOWED = 12 }; // looks
    struct series_query s = { .query = q,
                              .bounds = { .start_ns = 1,
                                          .end_ns = INT64_MAX / 2,
                                          .clock = &clock.clock,
                                          .deadline_ns = ALLOWED * SECOND,
                                          .canceled = is_gone,
                                          .canceled_ctx = &gone } };
    CHECK_OK(series_run(v, &s, &x, &ctx)); // counting took all of it
    CHECK(x.partial && strstr(x.why, "query.timeout"));
    CHECK(x.bounds.deadline_ns > ALLOWED * SECOND &&
          x.bounds.deadline_ns <= (ALLOWED + ALLOWED / 4 + 2) * SECOND);
    CHECK_OK(series_go_on(&x, 1000 * SECOND, &ctx)); // the reader took its time
    clock.now_ns += 990 * SECOND;
    CHECK_OK(series_go_on(&x, 0, &ctx));
    gone = true;
    CHECK(series_go_on(&x, 0, &ctx) == ERR_CANCELED);
    gone = false;
    clock.now_ns += 10 * SECOND;
    CHECK(series_go_on(&x, 0, &ctx) == ERR_TIMEOUT && strstr(ctx.text, "before its answer was written"));
    series_fini(&x);
    s.bounds.deadline_ns = 0;
    CHECK_OK(series_run(v, &s, &x, &ctx));
    CHECK(!x.partial);
    CHECK_OK(series_go_on(&x, 0, &ctx)); // all the time there is
    series_fini(&x);
    ql_free(q);
    arena_fini(&a);
    view_unref(v);
    trial_fini(&t);
}
