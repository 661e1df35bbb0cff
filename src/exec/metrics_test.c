// SPDX-License-Identifier: Apache-2.0
// Worked examples of every function, with numbers by hand.
#include "exec/metrics_fixture_test.h"

#define NIL \
    { .type = VALUE_NIL }
#define INT(x) \
    { .type = VALUE_INT, .i = (x) }
#define FLOAT(x) \
    { .type = VALUE_FLOAT, .f = (x) }
#define TEXT(x) \
    { \
        .type = VALUE_STRING, .s = { x, sizeof(x) - 1 } \
    }
#define S SECOND

// Intervals (100, 110], (110, 120], (120, 130] s.
static const struct metric_range range = { .start_ns = 100 * S, .end_ns = 130 * S, .step_ns = 10 * S };
static const struct metric_range instant = { .start_ns = 100 * S, .end_ns = 130 * S, .is_instant = true };
static const struct fake_span spans[] = {
    { 1, 101 * S, 1 * S, "a", "x", INT(1), NIL },
    { 1, 105 * S, 2 * S, "b", "y", NIL, NIL },
    { 2, 110 * S, 3 * S, "a", "x", FLOAT(2.5), NIL },
    { 2, 110 * S + 1, 4 * S, "a", "x", INT(4), NIL }, // the next interval
    { 3, 130 * S, 5 * S, NULL, "x", TEXT("big"), NIL },
    { 3, 130 * S + 1, 6 * S, "a", "x", INT(7), NIL }, // too late
    { 4, 100 * S, 7 * S, "a", "x", INT(8), NIL },     // too early for a range, not for an instant
};
enum { N_SPANS = sizeof spans / sizeof *spans };
static const struct fake_run in_range = { .range = &range, .spans = spans, .n = N_SPANS };
static const struct fake_run at_once = { .range = &instant, .spans = spans, .n = N_SPANS };

TEST(metric_rate_is_spans_per_second) {
    struct ql_metric m = { .function = QL_RATE };
    CHECK_RUN(&m, &in_range, "{__name__=rate} 0.3 0.1 0.1\n");
    CHECK_RUN(&m, &at_once, "{__name__=rate} 0.2\n"); // 6 of 30 s
    struct field by[] = { FIELD_OF_SERVICE };
    m.by = by;
    m.n_by = 1;
    CHECK_RUN(&m, &in_range,
              "{resource.service.name=a} 0.2 0.1 0\n"
              "{resource.service.name=b} 0.1 0 0\n"
              "{resource.service.name=nil} 0 0 0.1\n");
}

TEST(metric_count_over_time_counts) {
    struct ql_metric m = { .function = QL_COUNT_OVER_TIME };
    CHECK_RUN(&m, &in_range, "{__name__=count_over_time} 3 1 1\n");
    CHECK_RUN(&m, &at_once, "{__name__=count_over_time} 6\n");
}

TEST(metric_labels_are_typed_and_nil_is_left_out) {
    struct field by[] = { FIELD_OF_SIZE, FIELD_OF_SERVICE };
    struct ql_metric m = { .function = QL_COUNT_OVER_TIME, .by = by, .n_by = 1 };
    CHECK_RUN(&m, &in_range,
              "{span.size=1} 1 0 0\n"
              "{span.size=4} 0 1 0\n"
              "{span.size=2.5} 1 0 0\n" // floats after ints
              "{span.size=big} 0 0 1\n"
              "{span.size=nil} 1 0 0\n");
    m.n_by = 2;
    CHECK_RUN(&m, &in_range,
              "{resource.service.name=b} 1 0 0\n"
              "{span.size=big} 0 0 1\n"
              "{span.size=1, resource.service.name=a} 1 0 0\n"
              "{span.size=4, resource.service.name=a} 0 1 0\n"
              "{span.size=2.5, resource.service.name=a} 1 0 0\n");
}

TEST(metric_min_max_avg_sum_over_time) {
    struct ql_metric m = { .function = QL_MIN_OVER_TIME, .of = FIELD_OF_DURATION };
    CHECK_RUN(&m, &in_range, "{__name__=min_over_time} 1 4 5\n");
    m.function = QL_MAX_OVER_TIME;
    CHECK_RUN(&m, &in_range, "{__name__=max_over_time} 3 4 5\n");
    m.function = QL_AVG_OVER_TIME;
    CHECK_RUN(&m, &in_range, "{__name__=avg_over_time} 2 4 5\n");
    m.function = QL_SUM_OVER_TIME;
    CHECK_RUN(&m, &in_range, "{__name__=sum_over_time} 6 4 5\n");
    CHECK_RUN(&m, &at_once, "{__name__=sum_over_time} 22\n");
}

// Spans without a number are not counted, and make no series.
TEST(metric_functions_skip_what_is_no_number) {
    struct field by[] = { FIELD_OF_SERVICE };
    struct ql_metric m = { .function = QL_MIN_OVER_TIME, .of = FIELD_OF_SIZE };
    CHECK_RUN(&m, &in_range, "{__name__=min_over_time} 1 4 -\n");
    m.function = QL_AVG_OVER_TIME;
    CHECK_RUN(&m, &in_range, "{__name__=avg_over_time} 1.75 4 -\n");
    m.function = QL_SUM_OVER_TIME;
    m.by = by;
    m.n_by = 1;
    CHECK_RUN(&m, &in_range, "{resource.service.name=a} 3.5 4 -\n");
    m.of = (struct field)FIELD_OF_ANY_SIZE; // found row by row
    CHECK_RUN(&m, &in_range, "{resource.service.name=a} 3.5 4 -\n");
    m.of = (struct field)FIELD_OF_NAME;
    CHECK_RUN(&m, &in_range, "");
}

TEST(metric_quantile_over_time_answers_the_nearest_rank) {
    static const double qs[] = { 0, 0.5, 1 };
    struct ql_metric m = {
        .function = QL_QUANTILE_OVER_TIME, .of = FIELD_OF_DURATION, .quantiles = qs, .n_quantiles = 3
    };
    // 2 s lies in the bucket [1.984375, 2.000000) * 2^30 ns …: its middle is 2.004877312 s.
    CHECK_RUN(&m, &in_range, "{p=0} 1 4 5\n{p=0.5} 2.004877312 4 5\n{p=1} 3 4 5\n");
    struct field by[] = { FIELD_OF_SERVICE };
    m.by = by;
    m.n_by = 1;
    m.quantiles = &qs[2];
    m.n_quantiles = 1;
    CHECK_RUN(&m, &in_range,
              "{p=1} 0 0 5\n"
              "{resource.service.name=a, p=1} 3 4 0\n"
              "{resource.service.name=b, p=1} 2 0 0\n");
    m.n_by = 0;
    m.of = (struct field)FIELD_OF_SIZE;
    CHECK_RUN(&m, &in_range, "{p=1} 2.5 4 0\n");
}

TEST(metric_histogram_over_time_rounds_up_to_powers_of_two) {
    struct ql_metric m = { .function = QL_HISTOGRAM_OVER_TIME, .of = FIELD_OF_DURATION };
    CHECK_RUN(&m, &in_range,
              "{__bucket=1.073741824} 1 0 0\n"
              "{__bucket=2.147483648} 1 0 0\n"
              "{__bucket=4.294967296} 1 1 0\n"
              "{__bucket=8.589934592} 0 0 1\n");
    m.of = (struct field)FIELD_OF_SIZE; // 1 is below 2
    CHECK_RUN(&m, &in_range, "{__bucket=4} 1 1 0\n");
}

TEST(metric_histogram_takes_numbers_of_any_size) {
    static const struct fake_span s[] = {
        { 1, 101 * S, 1, "a", "x", INT(INT64_MAX), NIL },
        { 2, 101 * S, 1, "a", "x", FLOAT(0x1p70), NIL },
        { 3, 101 * S, 1, "a", "x", FLOAT(2), NIL },
        { 4, 101 * S, 1, "a", "x", INT(2), NIL },
        { 5, 101 * S, 1, "a", "x", INT(-9), NIL },
        { 6, 101 * S, 1, "a", "x", FLOAT(1.99), NIL },
        { 7, 101 * S, 1, "a", "x", INT(3), NIL },
        { 8, 101 * S, 1, "a", "x", FLOAT(0x1.8p70), NIL },
        { 9, 101 * S, 1, "a", "x", FLOAT(__builtin_inf()), NIL },
    };
    struct ql_metric m = { .function = QL_HISTOGRAM_OVER_TIME, .of = FIELD_OF_SIZE };
    struct fake_run r = { .range = &instant, .spans = s, .n = sizeof s / sizeof *s };
    CHECK_RUN(&m, &r,
              "{__bucket=2} 2\n{__bucket=4} 1\n{__bucket=9223372036854776000} 1\n"
              "{__bucket=1.1805916207174113e+21} 1\n{__bucket=2.3611832414348226e+21} 1\n");
}

TEST(metric_sums_do_not_depend_on_rounding) {
    static const struct fake_span s[] = {
        { 1, 101 * S, 1, "a", "x", FLOAT(1e100), NIL },
        { 2, 101 * S, 1, "a", "x", FLOAT(1), NIL },
        { 3, 101 * S, 1, "a", "x", FLOAT(-1e100), NIL },
        { 4, 101 * S, 1, "a", "x", INT(2), NIL },
        { 5, 101 * S, 1, "a", "x", FLOAT(__builtin_nan("")), NIL },
    };
    struct ql_metric m = { .function = QL_SUM_OVER_TIME, .of = FIELD_OF_SIZE };
    struct fake_run r = { .range = &instant, .spans = s, .n = sizeof s / sizeof *s };
    CHECK_RUN(&m, &r, "{__name__=sum_over_time} 3\n");
    m.function = QL_AVG_OVER_TIME;
    CHECK_RUN(&m, &r, "{__name__=avg_over_time} 0.75\n"); // of four: NaN does not count
}

TEST(metric_plan_checks_the_range) {
    struct arena a;
    arena_init(&a, SIZE_MAX, NULL);
    struct ql_metric m = { .function = QL_RATE };
    struct metric_plan *p;
    struct metric_range r = { .start_ns = 0, .end_ns = METRIC_STEPS_MAX, .step_ns = 1 };
    CHECK_OK(metric_plan_new(&a, &m, &r, &p));
    CHECK_U64(metric_plan_steps(p), METRIC_STEPS_MAX);
    CHECK_U64(metric_plan_time(p, METRIC_STEPS_MAX - 1), METRIC_STEPS_MAX);
    r.end_ns++;
    CHECK_U64(metric_plan_new(&a, &m, &r, &p), ERR_LIMIT);
    r.step_ns = 7;
    CHECK_OK(metric_plan_new(&a, &m, &r, &p));
    CHECK_U64(metric_plan_time(p, metric_plan_steps(p) - 1),
              10003); // the last interval ends behind the range
    r.step_ns = 0;
    CHECK_U64(metric_plan_new(&a, &m, &r, &p), ERR_INVALID);
    r.is_instant = true;
    CHECK_OK(metric_plan_new(&a, &m, &r, &p));
    CHECK_U64(metric_plan_steps(p), 1);
    CHECK_U64(metric_plan_time(p, 0), r.end_ns);
    r.end_ns = 0;
    r.start_ns = 1;
    CHECK_U64(metric_plan_new(&a, &m, &r, &p), ERR_INVALID);
    arena_fini(&a);
}

// Times are read only where a stretch straddles a border.
TEST(metric_add_reads_times_only_at_borders) {
    static struct fake_span s[1000];
    for (uint32_t i = 0; i < 1000; i++) // 10 in an interval of 100 s; stretches of 30 rows
        s[i] = (struct fake_span){ i + 1, (i + 1) * 10 * S, 1, "a", "x", INT(1), NIL };
    struct arena a;
    arena_init(&a, SIZE_MAX, NULL);
    struct metric_range r = { .start_ns = 0, .end_ns = 10000 * S, .step_ns = 5000 * S };
    struct ql_metric m = { .function = QL_RATE };
    struct metric_plan *p;
    struct metric_acc *acc;
    struct fake_batch f;
    CHECK_OK(fake_batch_open(&f, s, 1000, (struct fake_shape){ .stretch = 30 }));
    CHECK_OK(metric_plan_new(&a, &m, &r, &p));
    CHECK_OK(metric_acc_new(p, NULL, NULL, &acc));
    CHECK_OK(fake_add(acc, p, &f, 0));
    CHECK_U64(f.starts_read, 30); // rows 480 … 509
    fake_batch_close(&f);
    metric_acc_free(acc);
    arena_fini(&a);
}

TEST(metric_add_counts_only_rows_that_live) {
    struct arena a;
    arena_init(&a, SIZE_MAX, NULL);
    struct ql_metric m = { .function = QL_COUNT_OVER_TIME };
    struct metric_plan *p;
    struct metric_acc *acc;
    struct metric_series *out;
    struct fake_batch f;
    uint64_t live = 0x05;
    uint32_t n;
    bool cut;
    CHECK_OK(fake_batch_open(&f, spans, N_SPANS, (struct fake_shape){ 0 }));
    f.batch.live = &live;
    CHECK_OK(metric_plan_new(&a, &m, &range, &p));
    CHECK_OK(metric_acc_new(p, NULL, NULL, &acc));
    CHECK_OK(fake_add(acc, p, &f, 0));
    CHECK_OK(metric_finish(&a, &m, &acc, 1, NULL, 0, &out, &n, &cut));
    CHECK(n == 1 && out[0].samples[0] == 2);
    fake_batch_close(&f);
    metric_acc_free(acc);
    arena_fini(&a);
}
