// SPDX-License-Identifier: Apache-2.0
#include "exec/metrics_fixture_test.h"

#define S SECOND
#define NIL \
    { .type = VALUE_NIL }
#define INT(x) \
    { .type = VALUE_INT, .i = (x) }

// Selected: what takes 5 s or more. Statuses follow the trace: 0 unset, 1 ok, 2 error.
static const struct metric_range range = { .start_ns = 0, .end_ns = 20 * S, .step_ns = 10 * S };
static const struct fake_span spans[] = {
    { 1, 1 * S, 9 * S, "a", "x", INT(7), NIL },  { 1, 2 * S, 1 * S, "b", "x", INT(7), NIL },
    { 2, 3 * S, 9 * S, "a", "y", NIL, NIL },     { 2, 11 * S, 1 * S, "a", "x", INT(9), NIL },
    { 4, 12 * S, 1 * S, "b", "y", INT(8), NIL }, { 5, 13 * S, 1 * S, "b", "z", INT(9), NIL },
};
static const struct fake_run run = {
    .range = &range, .spans = spans, .n = sizeof spans / sizeof *spans, .selected_ns = 5 * S
};

TEST(metric_compare_counts_values_on_both_sides) {
    struct ql_metric m = { .function = QL_COMPARE, .top = 10 };
    CHECK_RUN(&m, &run,
              "{__meta_type=baseline, name=x} 1 1\n"
              "{__meta_type=baseline, name=y} 0 1\n"
              "{__meta_type=baseline, name=z} 0 1\n"
              "{__meta_type=baseline, resource.service.name=a} 0 1\n"
              "{__meta_type=baseline, resource.service.name=b} 1 2\n"
              "{__meta_type=baseline, span.size=7} 1 0\n"
              "{__meta_type=baseline, span.size=8} 0 1\n"
              "{__meta_type=baseline, span.size=9} 0 2\n"
              "{__meta_type=baseline, status=ok} 1 1\n"
              "{__meta_type=baseline, status=error} 0 2\n"
              "{__meta_type=baseline_total, name=nil} 1 3\n"
              "{__meta_type=baseline_total, resource.service.name=nil} 1 3\n"
              "{__meta_type=baseline_total, span.size=nil} 1 3\n"
              "{__meta_type=baseline_total, status=nil} 1 3\n"
              "{__meta_type=selection, name=x} 1 0\n"
              "{__meta_type=selection, name=y} 1 0\n"
              "{__meta_type=selection, resource.service.name=a} 2 0\n"
              "{__meta_type=selection, span.size=7} 1 0\n"
              "{__meta_type=selection, status=ok} 1 0\n"
              "{__meta_type=selection, status=error} 1 0\n"
              "{__meta_type=selection_total, name=nil} 2 0\n"
              "{__meta_type=selection_total, resource.service.name=nil} 2 0\n"
              "{__meta_type=selection_total, span.size=nil} 1 0\n" // of two spans one has it
              "{__meta_type=selection_total, status=nil} 2 0\n");
}

// By count, then by value; totals count what is not shown too.
TEST(metric_compare_shows_the_most_frequent_values) {
    struct ql_metric m = { .function = QL_COMPARE, .top = 1 };
    CHECK_RUN(&m, &run,
              "{__meta_type=baseline, name=x} 1 1\n"
              "{__meta_type=baseline, resource.service.name=b} 1 2\n"
              "{__meta_type=baseline, span.size=9} 0 2\n"
              "{__meta_type=baseline, status=ok} 1 1\n"
              "{__meta_type=baseline_total, name=nil} 1 3\n"
              "{__meta_type=baseline_total, resource.service.name=nil} 1 3\n"
              "{__meta_type=baseline_total, span.size=nil} 1 3\n"
              "{__meta_type=baseline_total, status=nil} 1 3\n"
              "{__meta_type=selection, name=x} 1 0\n"
              "{__meta_type=selection, resource.service.name=a} 2 0\n"
              "{__meta_type=selection, span.size=7} 1 0\n"
              "{__meta_type=selection, status=ok} 1 0\n"
              "{__meta_type=selection_total, name=nil} 2 0\n"
              "{__meta_type=selection_total, resource.service.name=nil} 2 0\n"
              "{__meta_type=selection_total, span.size=nil} 1 0\n"
              "{__meta_type=selection_total, status=nil} 2 0\n");
}

// The selection's time is [from, to); selected spans outside of it are of the baseline.
TEST(metric_compare_limits_the_selection_in_time) {
    struct ql_metric m = { .function = QL_COMPARE, .top = 1, .from_ns = 1 * S, .to_ns = 3 * S };
    static const struct fake_span two[] = {
        { 1, 1 * S, 9 * S, "a", NULL, NIL, NIL },
        { 3, 3 * S, 9 * S, "b", NULL, NIL, NIL },
    };
    struct fake_run r = run;
    r.spans = two;
    r.n = 2;
    CHECK_RUN(&m, &r,
              "{__meta_type=baseline, resource.service.name=b} 1 0\n"
              "{__meta_type=baseline, status=unset} 1 0\n"
              "{__meta_type=baseline_total, resource.service.name=nil} 1 0\n"
              "{__meta_type=baseline_total, status=nil} 1 0\n"
              "{__meta_type=selection, resource.service.name=a} 1 0\n"
              "{__meta_type=selection, status=ok} 1 0\n"
              "{__meta_type=selection_total, resource.service.name=nil} 1 0\n"
              "{__meta_type=selection_total, status=nil} 1 0\n");
}

// Whatever the split: an attribute with one value too many is not shown but as a total.
TEST(metric_compare_says_when_there_are_too_many_values) {
    enum { N = METRIC_COMPARE_VALUES_MAX + 1 };
    static struct fake_span many[N];
    for (uint32_t i = 0; i < N; i++)
        many[i] = (struct fake_span){ i * 3 + 1, 1 * S, 9 * S, NULL, NULL, VALUE_OF_INT(i), VALUE_OF_NIL };
    struct ql_metric m = { .function = QL_COMPARE, .top = 1 };
    struct fake_run r = { .range = &range, .spans = many, .selected_ns = 5 * S };
    for (uint32_t parts = 0; parts < 3; parts++) {
        r.parts = parts;
        r.n = N;
        CHECK_RUN(&m, &r,
                  "{__meta_type=selection, status=ok} 10001 0\n"
                  "{__meta_type=selection_total, span.size=nil} 10001 0\n"
                  "{__meta_type=selection_total, status=nil} 10001 0\n"
                  "{__meta_type=selection, __meta_error=__too_many_values__, span.size=nil} 0 0\n");
        r.n = N - 1;
        CHECK_RUN(&m, &r,
                  "{__meta_type=selection, span.size=0} 1 0\n"
                  "{__meta_type=selection, status=ok} 10000 0\n"
                  "{__meta_type=selection_total, span.size=nil} 10000 0\n"
                  "{__meta_type=selection_total, status=nil} 10000 0\n");
    }
}

TEST(metric_compare_ends_as_soon_as_the_caller_says_so) {
    enum { N = 9000 };
    static struct fake_span many[N]; // a run of 4500 rows in each interval
    for (uint32_t i = 0; i < N; i++)
        many[i] = (struct fake_span){ i + 1, (i < N / 2 ? 1 : 11) * S, 1, "a", "x", INT(i % 3000), NIL };
    struct ql_metric m = { .function = QL_COMPARE, .top = 3000 };
    uint32_t looks, of_all;
    struct fake_run r = run;
    struct buf b;
    r.spans = many;
    r.n = N;
    r.shape.stretch = N / 2;
    r.looks = &looks;
    buf_init(&b, SIZE_MAX);
    metric_run_text(&m, &r, &b);
    of_all = looks;
    // Name, service, size and status; 3000 groups as of 64 cells each; then 6000 cells three times.
    CHECK_U64(of_all, 4 * 2 + 3000 * 64 / 4096 + 4);
    for (r.stop_at = 1; r.stop_at <= of_all; r.stop_at++) {
        CHECK(metric_run_try(&m, &r, &b) == ERR_CANCELED);
        CHECK_U64(looks, r.stop_at);
    }
    buf_fini(&b);
}
