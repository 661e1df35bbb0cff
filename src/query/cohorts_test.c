// SPDX-License-Identifier: Apache-2.0
// Traces in two cohorts as the plain interpreter sorts them, however they lie; and samples of them.
#include "query/cohorts.h"

#include "query/fixture_test.h"
#include "query/plain_test.h"

static void run(struct view *v, const struct cohorts_query *q, struct cohorts *out) {
    struct err_ctx ctx = { 0 };
    enum err e = cohorts_run(v, q, out, &ctx);
    if (e != ERR_OK) printf("# %.*s: %s: %s\n", STR_ARG(q->query->text), err_text(e), ctx.text);
    CHECK_OK(e);
    CHECK(!out->partial);
}

// --- against the plain interpreter -------------------------------------------------------------------------

static bool is_in(const struct selection *x, const struct plain_span *s) {
    return (x->to_ns == 0 || (s->start_ns > x->from_ns && s->start_ns <= x->to_ns)) &&
           s->duration_ns >= x->min_ns && (x->max_ns == 0 || s->duration_ns <= x->max_ns);
}

// Of which cohort a trace is; COHORT_COUNT: of none.
static enum cohort plain_cohort(const struct plain_data *d, const struct plain_trace *t,
                                const struct cohorts_query *q) {
    struct arena a;
    const struct query_bounds *b = &q->bounds;
    enum cohort of = COHORT_COUNT;
    arena_init(&a, SIZE_MAX, NULL);
    struct plain_sets sets = plain_run(&a, d, t, q->query->pipeline);
    for (uint32_t i = 0; i < sets.n; i++)
        for (uint32_t k = 0; k < t->n; k++) {
            const struct plain_span *s = &d->spans[t->first + k];
            bool in_range =
                (!b->start_ns && !b->end_ns) || (s->start_ns > b->start_ns && s->start_ns <= b->end_ns);
            if (!sets.at[i].has[k] || !in_range) continue;
            if (of != COHORT_SELECTION) of = is_in(&q->selection, s) ? COHORT_SELECTION : COHORT_REST;
        }
    arena_fini(&a);
    return of;
}

static const struct cohort_trace *find_in(const struct cohorts *c, const uint8_t id[16]) {
    const struct cohort_trace *found = NULL;
    for (uint32_t i = 0; i < c->n; i++)
        if (memcmp(c->traces[i].id, id, 16) == 0) {
            CHECK(!found); // once
            found = &c->traces[i];
        }
    return found;
}

static bool is_same(const struct cohort_trace *a, const struct cohort_trace *b) {
    return memcmp(a->id, b->id, sizeof a->id) == 0 && a->of == b->of && a->hash == b->hash;
}

// The sample is the first ones of all, by cohort.
static bool is_sample(const struct cohorts *some, const struct cohorts *all, uint32_t limit) {
    uint32_t seen[COHORT_COUNT] = { 0 }, n = 0;
    for (uint32_t i = 0; i < all->n; i++) {
        if (seen[all->traces[i].of]++ >= limit) continue;
        if (n == some->n || !is_same(&some->traces[n], &all->traces[i])) return false;
        n++;
    }
    return n == some->n && memcmp(some->total, all->total, sizeof all->total) == 0;
}

static bool by_several_threads(struct view *v, const struct cohorts_query *q, const struct cohorts *want) {
    struct cohorts got;
    struct cohorts_query shared = *q;
    CHECK_OK(crew_new(2, &shared.bounds.crew));
    run(v, &shared, &got);
    bool same = got.n == want->n && memcmp(got.total, want->total, sizeof got.total) == 0;
    for (uint32_t i = 0; i < got.n && same; i++) same = is_same(&got.traces[i], &want->traces[i]);
    cohorts_fini(&got);
    crew_free(shared.bounds.crew);
    return same;
}

bool check_cohorts(struct view *v, const struct plain_data *d, const struct cohorts_query *q) {
    struct cohorts all, some;
    struct cohorts_query small = *q;
    uint64_t total[COHORT_COUNT + 1] = { 0 };
    bool same = true;
    run(v, q, &all);
    for (uint32_t i = 0; i < d->n_traces; i++) {
        enum cohort of = plain_cohort(d, &d->traces[i], q);
        const struct cohort_trace *t = find_in(&all, d->spans[d->traces[i].first].trace);
        total[of]++;
        if (of == COHORT_COUNT ? !t : t && t->of == of) continue;
        printf("# %.*s: a trace is of cohort %d, not %d\n", STR_ARG(q->query->text), of, t ? (int)t->of : -1);
        same = false;
    }
    for (int i = 0; i < COHORT_COUNT; i++) same &= all.total[i] == total[i] && all.shown[i] == total[i];
    same &= by_several_threads(v, q, &all);
    small.limit = 1 + (uint32_t)test_below(5);
    run(v, &small, &some);
    same &= is_sample(&some, &all, small.limit);
    cohorts_fini(&some);
    cohorts_fini(&all);
    return same;
}

// --- by hand -----------------------------------------------------------------------------------------------

enum { MS = 1000000 };

struct asked {
    struct arena arena;
    struct cohorts_query q;
};

static void ask(struct asked *a, const char *text, struct selection s) {
    struct ql_query *q;
    struct err_ctx ctx = { 0 };
    arena_init(&a->arena, SIZE_MAX, NULL);
    CHECK_OK(ql_parse(&a->arena, str_of(text), &q, &ctx));
    a->q = (struct cohorts_query){ .query = q, .selection = s, .limit = COHORT_TRACES_MAX };
}

static void asked_fini(struct asked *a) {
    ql_free((struct ql_query *)a->q.query);
    arena_fini(&a->arena);
}

// The numbers of the traces of a cohort.
static void check_numbers(struct view *v, const char *text, struct selection s, const char *rest,
                          const char *selection) {
    struct asked a;
    struct cohorts c;
    struct buf found[COHORT_COUNT];
    ask(&a, text, s);
    run(v, &a.q, &c);
    for (int of = 0; of < COHORT_COUNT; of++) {
        buf_init(&found[of], SIZE_MAX);
        for (uint64_t number = 0; number < 10; number++) {
            uint8_t id[16];
            spec_trace_id(number, id);
            const struct cohort_trace *t = find_in(&c, id);
            if (t && (int)t->of == of) buf_fmt(&found[of], "%llu", (unsigned long long)number);
        }
    }
    CHECK_STR(buf_view(&found[COHORT_REST]), str_of(rest));
    CHECK_STR(buf_view(&found[COHORT_SELECTION]), str_of(selection));
    for (int of = 0; of < COHORT_COUNT; of++) buf_fini(&found[of]);
    cohorts_fini(&c);
    asked_fini(&a);
}

// The first trace has its slow span in one block, its other in another.
static void fill(struct trial *t) {
    uint64_t at = TRIAL_NOW_NS;
    struct spec slow[] = { { 1, 1, 0, at + 1000, at + 900 * MS, "shop", "root", false } };
    struct spec quick[] = { { 1, 2, 1, at + 2000, at + 5 * MS, "cart", "leaf", false },
                            { 2, 1, 0, at + 3000, at + 10 * MS, "shop", "root", false },
                            { 3, 1, 0, at + 9000, at + 700 * MS, "shop", "root", false },
                            { 3, 2, 1, at + 9500, at + 2 * MS, "cart", "leaf", false } };
    trial_start(t, (struct trial_opts){ .cut_spans = 1000000, .mem_store = true });
    CHECK_OK(submit_specs(t, slow, 1));
    CHECK_OK(trial_flush(t));
    CHECK_OK(submit_specs(t, quick, 4));
    CHECK_OK(trial_flush(t));
    CHECK_OK(submit_specs(t, slow, 1)); // again, in memory
}

TEST(cohorts_are_of_whole_traces) {
    struct trial t;
    uint64_t at = TRIAL_NOW_NS;
    fill(&t);
    struct view *v = ingest_view(t.in);
    check_numbers(v, "{ }", (struct selection){ .min_ns = 500 * MS }, "2", "13");
    check_numbers(v, "{ }", (struct selection){ .max_ns = 6 * MS }, "2", "13"); // a leaf of theirs
    check_numbers(v, "{ name = \"root\" }", (struct selection){ .max_ns = 15 * MS }, "13", "2");
    check_numbers(v, "{ name = \"leaf\" }", (struct selection){ .min_ns = 500 * MS }, "13", "");
    check_numbers(v, "{ name = \"root\" } >> { name = \"leaf\" }", (struct selection){ .max_ns = 3 * MS },
                  "1", "3");
    check_numbers(v, "{ }", (struct selection){ .from_ns = at + 1000, .to_ns = at + 3000 }, "3", "12");
    check_numbers(v, "{ }", (struct selection){ .from_ns = at + 2000, .to_ns = at + 8000, .min_ns = 6 * MS },
                  "13", "2");
    check_numbers(v, "{ name = \"nothing\" }", (struct selection){ .min_ns = 1 }, "", "");
    view_unref(v);
    trial_fini(&t);
}

static bool is_gone(void *ctx) {
    (void)ctx;
    return true;
}

TEST(cohorts_end_at_a_deadline_and_with_their_client) {
    struct trial t;
    struct asked a;
    struct cohorts c;
    struct err_ctx ctx = { 0 };
    fill(&t);
    struct view *v = ingest_view(t.in);
    ask(&a, "{ }", (struct selection){ .min_ns = 1 });
    a.q.bounds = (struct query_bounds){ .clock = clock_real(), .deadline_ns = 1 };
    CHECK(cohorts_run(v, &a.q, &c, &ctx) == ERR_TIMEOUT); // before anything was looked at
    a.q.bounds = (struct query_bounds){ .canceled = is_gone };
    CHECK(cohorts_run(v, &a.q, &c, &ctx) == ERR_CANCELED);
    asked_fini(&a);
    ask(&a, "{ } | rate()", (struct selection){ .min_ns = 1 });
    CHECK(cohorts_run(v, &a.q, &c, &ctx) == ERR_INVALID);
    asked_fini(&a);
    view_unref(v);
    trial_fini(&t);
}

TEST(cohorts_survive_lack_of_memory) {
    struct trial t;
    fill(&t);
    struct view *v = ingest_view(t.in);
    for (uint64_t n = 1;; n++) {
        struct asked a;
        struct cohorts c;
        struct err_ctx ctx = { 0 };
        ask(&a, "{ }", (struct selection){ .min_ns = 500 * MS });
        mem_fail_at(n, true);
        enum err e = cohorts_run(v, &a.q, &c, &ctx);
        mem_fail_at(0, false);
        if (e == ERR_OK) {
            CHECK(c.total[COHORT_REST] == 1 && c.total[COHORT_SELECTION] == 2);
            cohorts_fini(&c);
        }
        asked_fini(&a);
        if (e == ERR_OK) break;
        CHECK(e == ERR_NOMEM);
    }
    view_unref(v);
    trial_fini(&t);
}

// Where there are many, each of them is as likely to be in the sample.
TEST(cohorts_are_sampled_fairly_and_always_the_same) {
    enum { TRACES = 3000, LIMIT = 300 };
    struct trial t;
    struct asked a;
    struct cohorts first, again;
    struct spec *s = mem_zalloc(TRACES * sizeof *s);
    CHECK(s);
    trial_start(&t, (struct trial_opts){ .cut_spans = 1000000, .mem_store = true });
    for (uint64_t i = 0; i < TRACES; i++)
        s[i] = (struct spec){ i + 1,  1,    0,    TRIAL_NOW_NS + i, TRIAL_NOW_NS + i + (i % 2 ? 5 : 500) * MS,
                              "shop", "op", false };
    struct buf body;
    buf_init(&body, SIZE_MAX);
    spec_body(s, TRACES, &body);
    CHECK_OK(trial_send(t.in, buf_view(&body), t.now_ns));
    struct view *v = ingest_view(t.in);
    ask(&a, "{ }", (struct selection){ .min_ns = 100 * MS });
    a.q.limit = LIMIT;
    run(v, &a.q, &first);
    view_unref(v);
    CHECK_OK(trial_flush(&t));
    v = ingest_view(t.in);
    run(v, &a.q, &again);
    CHECK(first.n == 2 * LIMIT && first.shown[0] == LIMIT && first.total[0] == TRACES / 2 &&
          first.total[1] == TRACES / 2);
    CHECK_U64(again.n, first.n);
    for (uint32_t i = 0; i < first.n; i++) CHECK(is_same(&first.traces[i], &again.traces[i]));
    uint32_t early = 0;
    for (uint32_t i = 0; i < first.n; i++) {
        uint8_t id[16];
        for (uint64_t k = 1; k <= TRACES / 2; k++) {
            spec_trace_id(k, id);
            early += memcmp(id, first.traces[i].id, 16) == 0;
        }
    }
    CHECK(early > LIMIT * 8 / 10 && early < LIMIT * 12 / 10); // half of them, give or take
    cohorts_fini(&first);
    cohorts_fini(&again);
    asked_fini(&a);
    view_unref(v);
    buf_fini(&body);
    mem_free(s);
    trial_fini(&t);
}
