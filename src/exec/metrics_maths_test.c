// SPDX-License-Identifier: Apache-2.0
#include "exec/metrics_fixture_test.h"

#define S SECOND
#define SPAN(trace, start, service, name) \
    { \
        trace, (start)*S, S, service, name, { .type = VALUE_NIL }, { \
            .type = VALUE_NIL \
        } \
    }

// Two intervals. By service: a 3 1, b 2 2, c 1 0, d 0 3.
static const struct metric_range range = { .start_ns = 0, .end_ns = 20 * S, .step_ns = 10 * S };
static const struct fake_span spans[] = {
    SPAN(1, 1, "a", "x"), SPAN(2, 2, "a", "x"),   SPAN(3, 3, "a", "y"),   SPAN(4, 11, "a", "x"),
    SPAN(5, 4, "b", "x"), SPAN(6, 5, "b", "y"),   SPAN(7, 12, "b", "y"),  SPAN(8, 13, "b", "y"),
    SPAN(9, 6, "c", "x"), SPAN(10, 14, "d", "x"), SPAN(11, 15, "d", "x"), SPAN(12, 16, "d", "y"),
};
static const struct fake_run run = { .range = &range, .spans = spans, .n = sizeof spans / sizeof *spans };
static const struct field by_service[] = { FIELD_OF_SERVICE }, by_name[] = { FIELD_OF_NAME };
static const struct field by_both[] = { FIELD_OF_SERVICE, FIELD_OF_NAME };
static const struct field by_both_turned[] = { FIELD_OF_NAME, FIELD_OF_SERVICE };

#define COUNT_BY(fields) \
    { \
        .kind = QL_METRIC_FUNCTION, .function = QL_COUNT_OVER_TIME, .by = fields, \
        .n_by = sizeof(fields) / sizeof *(fields) \
    }
static const struct ql_metric count_all = { .function = QL_COUNT_OVER_TIME,
                                            .text = { "{} | count_over_time()", 22 } };
static const struct ql_metric count_by_service = COUNT_BY(by_service), count_by_name = COUNT_BY(by_name);
static const struct ql_metric count_by_both = COUNT_BY(by_both), count_by_turned = COUNT_BY(by_both_turned);

static void check_seconds(struct ql_metric m, const struct ql_second *s, uint32_t n, const char *want) {
    m.seconds = s;
    m.n_seconds = n;
    CHECK_RUN(&m, &run, want);
}

TEST(metric_topk_and_bottomk_choose_at_each_time) {
    struct ql_second top = { .kind = QL_TOPK, .k = 2 }, bottom = { .kind = QL_BOTTOMK, .k = 1 };
    check_seconds(
        count_by_service, &top, 1,
        "{resource.service.name=a} 3 -\n{resource.service.name=b} 2 2\n{resource.service.name=d} - 3\n");
    check_seconds(count_by_service, &bottom, 1,
                  "{resource.service.name=c} - 0\n{resource.service.name=d} 0 -\n");
    top.k = 100;
    check_seconds(count_by_service, &top, 1,
                  "{resource.service.name=a} 3 1\n{resource.service.name=b} 2 2\n"
                  "{resource.service.name=c} 1 0\n{resource.service.name=d} 0 3\n");
}

// Of equal samples the earlier series stays.
TEST(metric_topk_is_decided_on_ties) {
    struct ql_second s[] = { { .kind = QL_KEEP, .op = QL_EQ, .value = 0 }, { .kind = QL_TOPK, .k = 1 } };
    static const struct fake_span two[] = { SPAN(1, 1, "b", "x"), SPAN(2, 2, "a", "x") };
    struct fake_run r = { .range = &range, .spans = two, .n = 2 };
    struct ql_metric m = count_by_service;
    m.seconds = s;
    m.n_seconds = 2;
    CHECK_RUN(&m, &r, "{resource.service.name=a} - 0\n");
}

TEST(metric_filters_drop_samples) {
    static const struct {
        enum ql_op op;
        const char *want;
    } cases[] = {
        { QL_GT, "{resource.service.name=a} 3 -\n{resource.service.name=d} - 3\n" },
        { QL_GE,
          "{resource.service.name=a} 3 -\n{resource.service.name=b} 2 2\n{resource.service.name=d} - 3\n" },
        { QL_EQ, "{resource.service.name=b} 2 2\n" },
        { QL_NE,
          "{resource.service.name=a} 3 1\n{resource.service.name=c} 1 0\n{resource.service.name=d} 0 3\n" },
        { QL_LT,
          "{resource.service.name=a} - 1\n{resource.service.name=c} 1 0\n{resource.service.name=d} 0 -\n" },
        { QL_LE, "{resource.service.name=a} - 1\n{resource.service.name=b} 2 2\n"
                 "{resource.service.name=c} 1 0\n{resource.service.name=d} 0 -\n" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct ql_second s = { .kind = QL_KEEP, .op = cases[i].op, .value = 2 };
        check_seconds(count_by_service, &s, 1, cases[i].want);
    }
}

TEST(metric_second_stages_run_in_the_order_that_they_are_written_in) {
    struct ql_second s[] = { { .kind = QL_TOPK, .k = 1 },
                             { .kind = QL_KEEP, .op = QL_LT, .value = 3 },
                             { .kind = QL_BOTTOMK, .k = 3 } };
    check_seconds(count_by_service, s, 3, ""); // the greatest are 3 and 3
    struct ql_second t[] = { s[1], s[0], s[2] };
    check_seconds(count_by_service, t, 3, "{resource.service.name=b} 2 2\n");
}

static struct ql_metric op(enum ql_op o, const struct ql_metric *l, const struct ql_metric *r) {
    return (struct ql_metric){ .kind = QL_METRIC_OP, .op = o, .left = l, .right = r, .text = STR("l / r") };
}

TEST(metric_arithmetic_matches_equal_labels) {
    struct ql_metric m = op(QL_MUL, &count_by_both, &count_by_turned); // the same labels, in another order
    CHECK_RUN(&m, &run,
              "{name=x, resource.service.name=a} 4 1\n{name=x, resource.service.name=b} 1 0\n"
              "{name=x, resource.service.name=c} 1 0\n{name=x, resource.service.name=d} 0 4\n"
              "{name=y, resource.service.name=a} 1 0\n{name=y, resource.service.name=b} 1 4\n"
              "{name=y, resource.service.name=d} 0 1\n");
    m = op(QL_ADD, &count_by_service, &count_by_name); // nothing in common
    CHECK_RUN(&m, &run, "");
    struct ql_second keep = { .kind = QL_KEEP, .op = QL_GT, .value = 2 };
    struct ql_metric high = count_by_service;
    high.seconds = &keep;
    high.n_seconds = 1;
    m = op(QL_SUB, &high, &count_by_service); // only what both sides have, series and samples
    CHECK_RUN(&m, &run, "{resource.service.name=a} 0 -\n{resource.service.name=d} - 0\n");
}

TEST(metric_arithmetic_fans_out_an_unlabelled_side) {
    struct ql_metric m = op(QL_DIV, &count_by_service, &count_all);
    CHECK_RUN(&m, &run,
              "{resource.service.name=a} 0.5 0.166666666667\n{resource.service.name=b} 0.333333333333 "
              "0.333333333333\n"
              "{resource.service.name=c} 0.166666666667 0\n{resource.service.name=d} 0 0.5\n");
    m = op(QL_DIV, &count_all, &count_by_service); // x / 0 is no sample
    CHECK_RUN(&m, &run,
              "{resource.service.name=a} 2 6\n{resource.service.name=b} 3 3\n"
              "{resource.service.name=c} 6 -\n{resource.service.name=d} - 2\n");
    m = op(QL_ADD, &count_all, &count_all);
    CHECK_RUN(&m, &run, "{__name__=(l / r)} 12 12\n");
}

TEST(metric_arithmetic_takes_constants) {
    struct ql_metric hundred = { .kind = QL_METRIC_CONST, .value = 100 }, zero = { .kind = QL_METRIC_CONST };
    struct ql_metric m = op(QL_SUB, &count_by_service, &hundred), n;
    CHECK_RUN(&m, &run,
              "{resource.service.name=a} -97 -99\n{resource.service.name=b} -98 -98\n"
              "{resource.service.name=c} -99 -100\n{resource.service.name=d} -100 -97\n");
    m = op(QL_SUB, &hundred, &count_all);
    CHECK_RUN(&m, &run, "{__name__=(l / r)} 94 94\n");
    m = op(QL_DIV, &count_all, &zero);
    CHECK_RUN(&m, &run, "");
    m = op(QL_MUL, &hundred, &hundred);
    n = op(QL_ADD, &count_all, &m);
    CHECK_RUN(&n, &run, "{__name__=(l / r)} 10006 10006\n");
}

TEST(metric_second_stages_over_arithmetic) {
    struct ql_metric m = op(QL_DIV, &count_by_service, &count_all);
    struct ql_second s[] = { { .kind = QL_TOPK, .k = 1 } };
    m.seconds = s;
    m.n_seconds = 1;
    CHECK_RUN(&m, &run, "{resource.service.name=a} 0.5 -\n{resource.service.name=d} - 0.5\n");
}

TEST(metric_finish_cuts_series) {
    struct fake_run r = run;
    r.max_series = 2;
    CHECK_RUN(&count_by_service, &r, "{resource.service.name=a} 3 1\n{resource.service.name=b} 2 2\ncut\n");
    r.max_series = 4;
    CHECK_RUN(&count_by_service, &r,
              "{resource.service.name=a} 3 1\n{resource.service.name=b} 2 2\n"
              "{resource.service.name=c} 1 0\n{resource.service.name=d} 0 3\n");
}

// Looks at the caller's clock while the answer of four series of 10000 intervals is made.
static uint32_t looks_of(const struct ql_metric *m, uint32_t exemplars) {
    static const struct metric_range long_range = { .end_ns = 100000 * S, .step_ns = 10 * S };
    struct metric_range with = long_range;
    struct fake_run r = run;
    struct buf b;
    uint32_t looks = 0, all;
    with.exemplars = exemplars;
    r.range = &with;
    r.looks = &looks;
    buf_init(&b, SIZE_MAX);
    metric_run_text(m, &r, &b);
    all = looks;
    for (r.stop_at = 1; r.stop_at <= all; r.stop_at++) {
        CHECK(metric_run_try(m, &r, &b) == ERR_CANCELED);
        CHECK_U64(looks, r.stop_at);
    }
    buf_fini(&b);
    return all;
}

// Each stage goes over 40000 cells at least: of the groups, of the series without a sample, and its own.
TEST(metric_answers_end_as_soon_as_the_caller_says_so) {
    struct ql_metric topk = count_by_service, keep = count_by_service, ratio, join;
    struct ql_second best[] = { { .kind = QL_TOPK, .k = 1 } };
    struct ql_second kept[] = { { .kind = QL_KEEP, .op = QL_GT, .value = 0 } };
    topk.seconds = best;
    keep.seconds = kept;
    topk.n_seconds = keep.n_seconds = 1;
    ratio = op(QL_DIV, &count_by_service, &count_all);
    join = op(QL_DIV, &count_by_service, &count_by_service);
    CHECK_U64(looks_of(&count_by_service, 0), 8);
    CHECK_U64(looks_of(&count_by_service, 10), 16);
    CHECK_U64(looks_of(&topk, 0), 8 + 9 + 2); // two series are left
    CHECK_U64(looks_of(&keep, 0), 8 + 4 + 4);
    CHECK_U64(looks_of(&ratio, 0), 8 + 1 + 4);
    CHECK_U64(looks_of(&join, 0), 8 + 4 + 4);
}
