// SPDX-License-Identifier: Apache-2.0
// Arms and verdicts with a planted truth.
#include "impact/judge.h"

#include <math.h>

#include "impact/trial_test.h"

struct plan { // of one arm
    uint64_t requests;
    double error_share, ms, slow_share; // slow: ten times the ms
    unsigned pods;
    const char *route;
    const char *caller;
    double keep, keep_errors; // of sampling; 0: all are kept, and nothing is said
};

#define PLAN(requests, errors, ms, slow, pods, route) \
    ((struct plan){ requests, errors, ms, slow, pods, route, NULL, 0, 0 })

static void put(struct arms *s, enum arm arm, uint64_t minute_from, uint64_t minutes, struct plan p) {
    for (uint64_t i = 0; i < p.requests; i++) {
        char pod[16];
        struct arms_request r = { .arm = arm, .route = str_of(p.route ? p.route : "GET /") };
        uint64_t id[2] = { test_rand(), test_rand() };
        memcpy(r.trace_id, id, 16);
        (void)snprintf(pod, sizeof pod, "%d-%u", (int)arm, (unsigned)(test_rand() % (p.pods ? p.pods : 1)));
        r.pod = str_of(pod);
        r.start_ns = T0 + (minute_from + test_below(minutes)) * MINUTE + test_below(MINUTE);
        r.error = test_uniform() < p.error_share;
        r.caller = str_of(p.caller ? p.caller : "");
        double keep = r.error ? p.keep_errors : p.keep;
        if (keep > 0 && test_uniform() >= keep) continue;
        if (keep > 0) r.weight = 1 / keep;
        r.duration_ns =
            (uint64_t)(p.ms * 1e6 * exp(0.4 * (test_uniform() + test_uniform() + test_uniform() - 1.5)) *
                       (test_uniform() < p.slow_share ? 10 : 1));
        CHECK_OK(arms_add(s, &r));
    }
}

static enum impact_verdict judge(struct trial *t, struct impact_rules rules) {
    CHECK_OK(impact_judge(&t->a, &t->arms, rules, &t->j));
    return t->j.verdict;
}

TEST(impact_of_no_change_is_clean_once_an_effect_is_excluded) {
    struct trial *t = begin();
    put(&t->arms, ARM_OLD, 0, 30, PLAN(8000, 0.01, 50, 0, 4, NULL));
    put(&t->arms, ARM_NEW, 0, 30, PLAN(8000, 0.01, 50, 0, 4, NULL));
    CHECK(judge(t, (struct impact_rules){ 0 }) == IMPACT_CLEAN);
    CHECK_U64(t->j.old.requests, 8000);
    CHECK_U64(t->j.n, 4);
    end(t);
}

TEST(impact_of_few_requests_is_insufficient_whatever_they_say) {
    struct trial *t = begin();
    put(&t->arms, ARM_OLD, 0, 30, PLAN(5000, 0.01, 50, 0, 4, NULL));
    put(&t->arms, ARM_NEW, 0, 30, PLAN(150, 0.9, 500, 0, 4, NULL));
    CHECK(judge(t, (struct impact_rules){ 0 }) == IMPACT_INSUFFICIENT);
    end(t);
    t = begin(); // 200 without an error exclude nothing
    put(&t->arms, ARM_OLD, 0, 30, PLAN(250, 0, 50, 0, 4, NULL));
    put(&t->arms, ARM_NEW, 0, 30, PLAN(250, 0, 50, 0, 4, NULL));
    CHECK(judge(t, (struct impact_rules){ 0 }) == IMPACT_INSUFFICIENT);
    end(t);
    t = begin();
    CHECK(judge(t, (struct impact_rules){ 0 }) == IMPACT_INSUFFICIENT);
    end(t);
}

TEST(impact_confirms_errors_and_names_the_route) {
    struct trial *t = begin();
    put(&t->arms, ARM_OLD, 0, 30, PLAN(4000, 0.01, 50, 0, 4, "GET /a"));
    put(&t->arms, ARM_NEW, 0, 30, PLAN(4000, 0.01, 50, 0, 4, "GET /a"));
    put(&t->arms, ARM_OLD, 0, 30, PLAN(2000, 0.01, 50, 0, 4, "POST /b"));
    put(&t->arms, ARM_NEW, 0, 30, PLAN(2000, 0.06, 50, 0, 4, "POST /b"));
    CHECK(judge(t, (struct impact_rules){ 0 }) == IMPACT_CONFIRMED);
    bool found = false;
    for (uint32_t i = 0; i < t->j.n; i++) {
        const struct impact_test *x = &t->j.tests[i];
        if (str_eq(x->route, STR("GET /a"))) CHECK(x->verdict < IMPACT_SUSPECT);
        if (!str_eq(x->route, STR("POST /b")) || x->kind != IMPACT_ERRORS) continue;
        found = x->verdict == IMPACT_CONFIRMED && x->examples.n == ARMS_EXAMPLES;
        CHECK(x->difference.lo < 0.05 && x->difference.hi > 0.05);
    }
    CHECK(found);
    end(t);
}

TEST(impact_of_latency_is_confirmed_and_cold_pods_are_not_blamed) {
    struct trial *t = begin();
    put(&t->arms, ARM_OLD, 0, 30, PLAN(6000, 0.01, 200, 0, 4, NULL));
    put(&t->arms, ARM_NEW, 0, 30, PLAN(6000, 0.01, 260, 0, 4, NULL));
    CHECK(judge(t, (struct impact_rules){ 0 }) == IMPACT_CONFIRMED);
    CHECK(t->j.tests[1].verdict == IMPACT_CONFIRMED && t->j.tests[0].verdict < IMPACT_SUSPECT);
    CHECK(t->j.tests[1].examples.n == ARMS_EXAMPLES);
    end(t);
    t = begin(); // slow in the first two minutes of each new pod only
    put(&t->arms, ARM_OLD, 0, 30, PLAN(6000, 0.01, 200, 0, 4, NULL));
    put(&t->arms, ARM_NEW, 0, 2, PLAN(800, 0.01, 2000, 0, 4, NULL));
    put(&t->arms, ARM_NEW, 2, 28, PLAN(6000, 0.01, 200, 0, 4, NULL));
    CHECK(judge(t, (struct impact_rules){ 0 }) <
          IMPACT_SUSPECT); // so few errors need not be enough for clean
    CHECK(t->j.tests[1].verdict == IMPACT_CLEAN);
    CHECK(judge(t, (struct impact_rules){ .keeps_cold = true }) == IMPACT_CONFIRMED);
    end(t);
}

TEST(impact_is_not_taken_in_by_a_shift_of_the_mix) {
    struct trial *t = begin(); // the bad route gets most of the new traffic
    put(&t->arms, ARM_OLD, 0, 30, PLAN(9000, 0.001, 20, 0, 4, "GET /good"));
    put(&t->arms, ARM_OLD, 0, 30, PLAN(1000, 0.08, 300, 0, 4, "GET /bad"));
    put(&t->arms, ARM_NEW, 0, 30, PLAN(1000, 0.001, 20, 0, 4, "GET /good"));
    put(&t->arms, ARM_NEW, 0, 30, PLAN(9000, 0.08, 300, 0, 4, "GET /bad"));
    CHECK(judge(t, (struct impact_rules){ 0 }) < IMPACT_SUSPECT);
    end(t);
    t = begin(); // a bad hour, in which the new version had most of the traffic
    put(&t->arms, ARM_OLD, 0, 10, PLAN(9000, 0.001, 20, 0, 4, NULL));
    put(&t->arms, ARM_NEW, 0, 10, PLAN(500, 0.001, 20, 0, 4, NULL));
    put(&t->arms, ARM_OLD, 10, 10, PLAN(500, 0.2, 300, 0, 4, NULL));
    put(&t->arms, ARM_NEW, 10, 10, PLAN(9000, 0.2, 300, 0, 4, NULL));
    CHECK(judge(t, (struct impact_rules){ 0 }) < IMPACT_SUSPECT);
    end(t);
}

// Half an hour of an arm, of two callers: one that fails and waits more than the other.
static void put_callers(struct arms *s, enum arm arm, uint64_t calm, uint64_t rough, double worse,
                        double slower) {
    put(s, arm, 0, 30,
        (struct plan){
            .requests = calm, .error_share = 0.002 * worse, .ms = 30 * slower, .pods = 4, .caller = "web" });
    put(s, arm, 0, 30,
        (struct plan){ .requests = rough,
                       .error_share = 0.05 * worse,
                       .ms = 200 * slower,
                       .pods = 4,
                       .caller = "batch" });
}

TEST(impact_is_not_faked_by_a_shift_of_callers) {
    struct trial *t = begin();
    put_callers(&t->arms, ARM_OLD, 9000, 1000, 1, 1);
    put_callers(&t->arms, ARM_NEW, 1000, 9000, 1, 1);
    CHECK(judge(t, (struct impact_rules){ 0 }) < IMPACT_SUSPECT);
    CHECK(t->j.new.error_rate.value > 4 * t->j.old.error_rate.value); // what it looks like
    CHECK(t->j.new.p95.value > 1.2 * t->j.old.p95.value);
    CHECK(judge(t, (struct impact_rules){ .time_is_arm = true }) < IMPACT_SUSPECT);
    end(t);
}

TEST(impact_is_not_hidden_by_a_shift_of_callers) {
    struct trial *t = begin();
    put_callers(&t->arms, ARM_OLD, 2000, 8000, 1, 1);
    put_callers(&t->arms, ARM_NEW, 8000, 2000, 2.5, 1);
    CHECK(judge(t, (struct impact_rules){ 0 }) == IMPACT_CONFIRMED);
    CHECK(t->j.new.error_rate.value < t->j.old.error_rate.value && t->j.tests[0].difference.lo > 0);
    end(t);
    t = begin(); // slower, though the requests as they are got faster
    put_callers(&t->arms, ARM_OLD, 2000, 8000, 1, 1);
    put_callers(&t->arms, ARM_NEW, 9800, 200, 1, 1.5);
    CHECK(judge(t, (struct impact_rules){ 0 }) == IMPACT_CONFIRMED);
    CHECK(t->j.new.p95.value < t->j.old.p95.value && t->j.tests[1].difference.lo > 0);
    CHECK(t->j.tests[1].verdict == IMPACT_CONFIRMED);
    end(t);
}

TEST(arms_keep_the_busiest_callers_of_a_route_apart) {
    enum { CALLERS = 300 };
    struct trial *t = begin();
    char name[32];
    for (int i = 0; i < CALLERS; i++) { // ever more, but eight in between have most
        (void)snprintf(name, sizeof name, "caller %d", i);
        put(&t->arms, ARM_OLD, 0, 5,
            (struct plan){ .requests = i / 8 == 25 ? 1000 : 1 + (uint64_t)i / 16, .ms = 1, .caller = name });
    }
    put(&t->arms, ARM_NEW, 0, 5, (struct plan){ .requests = 5, .ms = 1, .route = "GET /b", .caller = "x" });
    CHECK_OK(arms_sort(&t->arms));
    uint64_t n[ARMS_CALLERS_MAX + 1] = { 0 };
    unsigned apart = 0;
    for (uint32_t i = 0; i < t->arms.n; i++) {
        const struct arms_sample *x = &t->arms.samples[i];
        n[x->caller] += x->route == t->arms.samples[0].route;
        CHECK(i == 0 || x->route > x[-1].route || x->caller >= x[-1].caller);
    }
    for (unsigned c = 0; c < ARMS_CALLERS_MAX; c++) apart += n[c] > 0;
    CHECK_U64(apart, ARMS_CALLERS_OF_ROUTE);
    for (unsigned c = 200; c < 208; c++) CHECK_U64(n[c], 1000);
    CHECK(n[ARMS_CALLER_POOLED] > 1000);
    // Callers past the names that are kept are one, on either route.
    CHECK_U64(t->arms.n_pooled, ARMS_CALLERS_MAX - ARMS_CALLERS_OF_ROUTE + 2);
    uint64_t pooled = n[ARMS_CALLER_POOLED];
    CHECK_OK(arms_sort(&t->arms)); // again: nothing moves
    n[ARMS_CALLER_POOLED] = 0;
    for (uint32_t i = 0; i < t->arms.n; i++)
        n[t->arms.samples[i].caller] += t->arms.samples[i].caller == ARMS_CALLER_POOLED;
    CHECK(n[ARMS_CALLER_POOLED] >= pooled);
    end(t);
}

TEST(impact_of_what_was_sampled_by_outcome_is_weighted) {
    struct trial *t = begin(); // the new arm keeps every error and an eighth of the rest
    put(&t->arms, ARM_OLD, 0, 30,
        (struct plan){
            .requests = 12000, .error_share = 0.02, .ms = 50, .pods = 4, .keep = 0.5, .keep_errors = 0.5 });
    put(&t->arms, ARM_NEW, 0, 30,
        (struct plan){
            .requests = 12000, .error_share = 0.02, .ms = 50, .pods = 4, .keep = 0.125, .keep_errors = 1 });
    CHECK(judge(t, (struct impact_rules){ 0 }) < IMPACT_SUSPECT);
    CHECK(t->j.weighted && t->j.new.requests > 11000 && t->j.new.requests < 13000);
    CHECK(t->j.new.effective < t->arms.added[ARM_NEW]);
    CHECK(fabs(t->j.new.error_rate.value - 0.02) < 0.006);
    end(t);
    t = begin(); // and doubled: what is there is seen
    put(&t->arms, ARM_OLD, 0, 30,
        (struct plan){
            .requests = 24000, .error_share = 0.01, .ms = 50, .pods = 4, .keep = 0.125, .keep_errors = 1 });
    put(&t->arms, ARM_NEW, 0, 30,
        (struct plan){
            .requests = 24000, .error_share = 0.03, .ms = 50, .pods = 4, .keep = 0.125, .keep_errors = 1 });
    CHECK(judge(t, (struct impact_rules){ 0 }) == IMPACT_CONFIRMED);
    CHECK(t->j.tests[0].difference.lo < 0.02 && t->j.tests[0].difference.hi > 0.02);
    end(t);
}

TEST(impact_of_few_spans_is_insufficient_whatever_they_stand_for) {
    struct trial *t = begin(); // 20,000 requests, of which some 100 were kept
    put(&t->arms, ARM_OLD, 0, 30,
        (struct plan){ .requests = 20000, .ms = 50, .pods = 4, .keep = 1, .keep_errors = 1 });
    put(&t->arms, ARM_NEW, 0, 30,
        (struct plan){ .requests = 20000,
                       .error_share = 0.5,
                       .ms = 50,
                       .pods = 4,
                       .keep = 0.005,
                       .keep_errors = 0.005 });
    CHECK(judge(t, (struct impact_rules){ 0 }) == IMPACT_INSUFFICIENT);
    CHECK(t->j.new.requests > 10000 && t->j.new.effective < IMPACT_REQUESTS_MIN);
    end(t);
}

TEST(impact_does_not_take_one_bad_pod_for_the_version) {
    struct trial *t = begin();
    put(&t->arms, ARM_OLD, 0, 30, PLAN(4000, 0.01, 50, 0, 4, NULL));
    put(&t->arms, ARM_NEW, 0, 30, PLAN(3000, 0.01, 50, 0, 3, NULL));
    for (int i = 0; i < 1000; i++) { // a fourth pod, on a bad node
        struct arms_request r = {
            .arm = ARM_NEW, .route = STR("GET /"), .pod = STR("bad"), .duration_ns = 50000000
        };
        uint64_t id[2] = { test_rand(), test_rand() };
        memcpy(r.trace_id, id, 16);
        r.start_ns = T0 + test_below(30) * MINUTE;
        r.error = test_below(10) == 0;
        CHECK_OK(arms_add(&t->arms, &r));
    }
    CHECK(judge(t, (struct impact_rules){ 0 }) < IMPACT_SUSPECT);
    CHECK(t->j.widening > 5);
    end(t);
}

TEST(impact_before_and_after_have_no_minute_in_common) {
    struct trial *t = begin();
    put(&t->arms, ARM_OLD, 0, 120, PLAN(6000, 0.01, 50, 0, 4, NULL));
    put(&t->arms, ARM_NEW, 130, 120, PLAN(6000, 0.04, 50, 0, 4, NULL));
    CHECK(judge(t, (struct impact_rules){ 0 }) == IMPACT_INSUFFICIENT);
    CHECK(judge(t, (struct impact_rules){ .time_is_arm = true }) == IMPACT_CONFIRMED);
    end(t);
}

TEST(arms_forget_whole_traces_alike_when_there_are_too_many) {
    struct trial *t = begin();
    t->arms.shift = 0;
    put(&t->arms, ARM_OLD, 0, 30, PLAN(20000, 0.02, 50, 0, 4, NULL));
    uint32_t n = t->arms.n;
    t->arms.shift = 2;
    put(&t->arms, ARM_NEW, 0, 30, PLAN(20000, 0.02, 50, 0, 4, NULL));
    CHECK_U64(n, 20000);
    CHECK(t->arms.n - n > 4500 && t->arms.n - n < 5500);
    CHECK_U64(t->arms.added[ARM_NEW], 20000);
    end(t);
}

TEST(arms_survive_a_lack_of_memory) {
    for (uint64_t at = 1; at < 60; at++) {
        struct trial *t = begin();
        struct arms_request r = { .route = STR("a"), .pod = STR("p"), .caller = STR("c"), .start_ns = T0 };
        mem_fail_at(at, true);
        enum err e = ERR_OK;
        for (int i = 0; i < 3000 && e == ERR_OK; i++) {
            r.trace_id[0] = (uint8_t)i;
            r.arm = i & 1;
            e = arms_add(&t->arms, &r);
        }
        if (e == ERR_OK) e = impact_judge(&t->a, &t->arms, (struct impact_rules){ 0 }, &t->j);
        mem_fail_at(0, false);
        CHECK(e == ERR_OK || e == ERR_NOMEM);
        end(t);
    }
}
