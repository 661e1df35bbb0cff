// SPDX-License-Identifier: Apache-2.0
#include "exec/metrics_fixture_test.h"

#define S SECOND
#define N 300

static struct fake_span spans[N];

// One span a second, of traces of two, in three services.
static void make_spans(void) {
    static const char *const services[] = { "a", "b", "c" };
    for (uint32_t i = 0; i < N; i++)
        spans[i] = (struct fake_span){ i / 2 + 1, (i + 1) * S,         (i + 1) * 1000000ull, services[i % 3],
                                       "x",       VALUE_OF_INT(i + 5), VALUE_OF_NIL };
}

struct shown {
    struct arena arena;
    struct metric_series *s;
    uint32_t n, steps, exemplars;
};

static struct shown run(const struct ql_metric *m, const struct metric_range *range) {
    struct shown x = { 0 };
    struct metric_plan *p;
    struct metric_acc *acc;
    struct fake_batch f;
    bool cut;
    make_spans();
    arena_init(&x.arena, SIZE_MAX, NULL);
    CHECK_OK(metric_plan_new(&x.arena, m, range, &p));
    CHECK_OK(metric_acc_new(p, NULL, NULL, &acc));
    CHECK_OK(fake_batch_open(&f, spans, N, (struct fake_shape){ 0 }));
    CHECK_OK(fake_add(acc, p, &f, 0));
    fake_batch_close(&f); // answers borrow nothing of it
    CHECK_OK(metric_finish(&x.arena, m, &acc, 1, NULL, 0, &x.s, &x.n, &cut));
    metric_acc_free(acc);
    x.steps = metric_plan_steps(p);
    for (uint32_t i = 0; i < x.n; i++) x.exemplars += x.s[i].n_exemplars;
    return x;
}

static const struct field by_service[] = { FIELD_OF_SERVICE };
static const struct metric_range range = { .end_ns = N * S, .step_ns = 10 * S, .exemplars = 15 };

TEST(metric_exemplars_are_spans_of_their_series) {
    struct ql_metric m = { .function = QL_RATE, .by = by_service, .n_by = 1 };
    struct shown x = run(&m, &range);
    CHECK_U64(x.exemplars, 15);
    for (uint32_t i = 0; i < x.n; i++) {
        for (uint32_t k = 0; k < x.s[i].n_exemplars; k++) {
            const struct metric_exemplar *e = &x.s[i].exemplars[k];
            uint32_t row = (uint32_t)(e->time_ns / S) - 1, trace;
            memcpy(&trace, e->trace_id, sizeof trace);
            CHECK(row < N && spans[row].start_ns == e->time_ns);
            CHECK_U64(trace, spans[row].trace);
            CHECK(e->value == (double)spans[row].duration_ns / 1e9); // how long it took
            CHECK_U64(e->n_labels, 1);
            CHECK_STR(e->labels[0].key, STR("resource.service.name"));
            CHECK_STR(e->labels[0].value.s, str_of(spans[row].service));
            CHECK_STR(x.s[i].labels[0].value.s, str_of(spans[row].service));
            CHECK(k == 0 || x.s[i].exemplars[k - 1].time_ns <= e->time_ns);
        }
    }
    arena_fini(&x.arena);
}

// Of 30 intervals, 15 exemplars lie in every second one; 45 in all, some of them with two.
TEST(metric_exemplars_are_spread_over_the_intervals) {
    for (uint32_t want = 1; want <= 60; want++) {
        struct ql_metric m = { .function = QL_COUNT_OVER_TIME, .by = by_service, .n_by = 1 };
        struct metric_range r = range;
        r.exemplars = want;
        struct shown x = run(&m, &r);
        uint32_t in[30] = { 0 }, least = UINT32_MAX, most = 0;
        CHECK_U64(x.exemplars, want);
        for (uint32_t i = 0; i < x.n; i++)
            for (uint32_t k = 0; k < x.s[i].n_exemplars; k++)
                in[(x.s[i].exemplars[k].time_ns / S - 1) / 10]++;
        for (uint32_t i = 0; i < 30; i++) {
            if (in[i] < least) least = in[i];
            if (in[i] > most) most = in[i];
            if (want == 15) CHECK_U64(in[i] + in[i ^ 1], 1);
        }
        CHECK(most - least <= 1);
        arena_fini(&x.arena);
    }
}

TEST(metric_exemplars_are_one_for_a_trace) {
    struct ql_metric m = { .function = QL_MAX_OVER_TIME, .of = FIELD_OF_SIZE, .by = by_service, .n_by = 1 };
    struct metric_range r = range;
    r.exemplars = METRIC_EXEMPLARS_MAX;
    struct shown x = run(&m, &r);
    bool seen[N] = { 0 };
    CHECK(x.exemplars > 50 && x.exemplars <= 90); // a cell has one
    for (uint32_t i = 0; i < x.n; i++) {
        for (uint32_t k = 0; k < x.s[i].n_exemplars; k++) {
            const struct metric_exemplar *e = &x.s[i].exemplars[k];
            uint32_t trace, row = (uint32_t)(e->time_ns / S) - 1;
            memcpy(&trace, e->trace_id, sizeof trace);
            CHECK(!seen[trace]);
            seen[trace] = true;
            CHECK(e->value == (double)spans[row].size.i);
            CHECK_U64(e->n_labels, 2);
            CHECK_STR(e->labels[1].key, STR("span.size"));
            CHECK_U64(e->labels[1].value.type, VALUE_INT);
            CHECK_U64(e->labels[1].value.i, spans[row].size.i);
        }
    }
    arena_fini(&x.arena);
}

TEST(metric_exemplars_are_off_at_zero) {
    struct ql_metric m = { .function = QL_RATE };
    struct metric_range r = range;
    r.exemplars = 0;
    struct shown x = run(&m, &r);
    CHECK_U64(x.exemplars, 0);
    CHECK_U64(x.n, 1);
    arena_fini(&x.arena);
}

// An exemplar goes to the bucket that counts it, and to the first quantile that reaches it.
TEST(metric_exemplars_of_histograms_and_quantiles) {
    static const double qs[] = { 1, 0.25, 0.5 };
    struct ql_metric m = { .function = QL_HISTOGRAM_OVER_TIME, .of = FIELD_OF_DURATION };
    struct shown x = run(&m, &range);
    CHECK_U64(x.exemplars, 15);
    for (uint32_t i = 0; i < x.n; i++)
        for (uint32_t k = 0; k < x.s[i].n_exemplars; k++) {
            double bucket = x.s[i].labels[0].value.f, v = x.s[i].exemplars[k].value;
            CHECK(v <= bucket && v > bucket / 2);
        }
    arena_fini(&x.arena);
    m = (struct ql_metric){
        .function = QL_QUANTILE_OVER_TIME, .of = FIELD_OF_DURATION, .quantiles = qs, .n_quantiles = 3
    };
    x = run(&m, &range);
    CHECK_U64(x.exemplars, 15);
    CHECK_U64(x.n, 3); // 0.25, 0.5, 1
    for (uint32_t i = 0; i < 3; i++)
        for (uint32_t k = 0; k < x.s[i].n_exemplars; k++) {
            const struct metric_exemplar *e = &x.s[i].exemplars[k];
            uint32_t step = (uint32_t)((e->time_ns - 1) / (10 * S));
            CHECK(x.s[i].samples[step] >= e->value);
            CHECK(i == 0 || x.s[i - 1].samples[step] < e->value);
        }
    arena_fini(&x.arena);
}
