// SPDX-License-Identifier: Apache-2.0
// Arms and verdicts with a planted truth.
#include "delivery/impact_judge.h"

#include <math.h>

#include "base/test.h"

#define MINUTE 60000000000ull
#define T0 (29000000ull * MINUTE)

struct plan { // of one arm
    uint64_t requests;
    double error_share, ms, slow_share; // slow: ten times the ms
    unsigned pods;
    const char *route;
};

static double chance(void) {
    return (double)(test_rand() >> 11) * 0x1p-53;
}

static void put(struct arms *s, enum arm arm, uint64_t minute_from, uint64_t minutes, struct plan p) {
    for (uint64_t i = 0; i < p.requests; i++) {
        char pod[16];
        struct arms_request r = { .arm = arm, .route = str_of(p.route ? p.route : "GET /") };
        uint64_t id[2] = { test_rand(), test_rand() };
        memcpy(r.trace_id, id, 16);
        (void)snprintf(pod, sizeof pod, "%d-%u", (int)arm, (unsigned)(test_rand() % (p.pods ? p.pods : 1)));
        r.pod = str_of(pod);
        r.start_ns = T0 + (minute_from + test_below(minutes)) * MINUTE + test_below(MINUTE);
        r.error = chance() < p.error_share;
        r.duration_ns = (uint64_t)(p.ms * 1e6 * exp(0.4 * (chance() + chance() + chance() - 1.5)) *
                                   (chance() < p.slow_share ? 10 : 1));
        CHECK_OK(arms_add(s, &r));
    }
}

struct trial {
    struct arms arms;
    struct arena a;
    struct impact_judgement j;
};
static struct trial *begin(void) {
    struct trial *t = mem_zalloc(sizeof *t);
    arms_init(&t->arms);
    arena_init(&t->a, SIZE_MAX, NULL);
    return t;
}
static void end(struct trial *t) {
    arms_fini(&t->arms);
    arena_fini(&t->a);
    mem_free(t);
}
static enum impact_verdict judge(struct trial *t, struct impact_rules rules) {
    CHECK_OK(impact_judge(&t->a, &t->arms, rules, &t->j));
    return t->j.verdict;
}

TEST(impact_of_no_change_is_clean_once_an_effect_is_excluded) {
    struct trial *t = begin();
    put(&t->arms, ARM_OLD, 0, 30, (struct plan){ 8000, 0.01, 50, 0, 4, NULL });
    put(&t->arms, ARM_NEW, 0, 30, (struct plan){ 8000, 0.01, 50, 0, 4, NULL });
    CHECK(judge(t, (struct impact_rules){ 0 }) == IMPACT_CLEAN);
    CHECK_U64(t->j.old.requests, 8000);
    CHECK_U64(t->j.n, 4);
    end(t);
}

TEST(impact_of_few_requests_is_insufficient_whatever_they_say) {
    struct trial *t = begin();
    put(&t->arms, ARM_OLD, 0, 30, (struct plan){ 5000, 0.01, 50, 0, 4, NULL });
    put(&t->arms, ARM_NEW, 0, 30, (struct plan){ 150, 0.9, 500, 0, 4, NULL });
    CHECK(judge(t, (struct impact_rules){ 0 }) == IMPACT_INSUFFICIENT);
    end(t);
    t = begin(); // 200 without an error exclude nothing
    put(&t->arms, ARM_OLD, 0, 30, (struct plan){ 250, 0, 50, 0, 4, NULL });
    put(&t->arms, ARM_NEW, 0, 30, (struct plan){ 250, 0, 50, 0, 4, NULL });
    CHECK(judge(t, (struct impact_rules){ 0 }) == IMPACT_INSUFFICIENT);
    end(t);
    t = begin();
    CHECK(judge(t, (struct impact_rules){ 0 }) == IMPACT_INSUFFICIENT);
    end(t);
}

TEST(impact_confirms_errors_and_names_the_route) {
    struct trial *t = begin();
    put(&t->arms, ARM_OLD, 0, 30, (struct plan){ 4000, 0.01, 50, 0, 4, "GET /a" });
    put(&t->arms, ARM_NEW, 0, 30, (struct plan){ 4000, 0.01, 50, 0, 4, "GET /a" });
    put(&t->arms, ARM_OLD, 0, 30, (struct plan){ 2000, 0.01, 50, 0, 4, "POST /b" });
    put(&t->arms, ARM_NEW, 0, 30, (struct plan){ 2000, 0.06, 50, 0, 4, "POST /b" });
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
    put(&t->arms, ARM_OLD, 0, 30, (struct plan){ 6000, 0.01, 200, 0, 4, NULL });
    put(&t->arms, ARM_NEW, 0, 30, (struct plan){ 6000, 0.01, 260, 0, 4, NULL });
    CHECK(judge(t, (struct impact_rules){ 0 }) == IMPACT_CONFIRMED);
    CHECK(t->j.tests[1].verdict == IMPACT_CONFIRMED && t->j.tests[0].verdict == IMPACT_CLEAN);
    CHECK(t->j.tests[1].examples.n == ARMS_EXAMPLES);
    end(t);
    t = begin(); // slow in the first two minutes of each new pod only
    put(&t->arms, ARM_OLD, 0, 30, (struct plan){ 6000, 0.01, 200, 0, 4, NULL });
    put(&t->arms, ARM_NEW, 0, 2, (struct plan){ 800, 0.01, 2000, 0, 4, NULL });
    put(&t->arms, ARM_NEW, 2, 28, (struct plan){ 6000, 0.01, 200, 0, 4, NULL });
    CHECK(judge(t, (struct impact_rules){ 0 }) == IMPACT_CLEAN);
    CHECK(judge(t, (struct impact_rules){ .keeps_cold = true }) == IMPACT_CONFIRMED);
    end(t);
}

TEST(impact_is_not_taken_in_by_a_shift_of_the_mix) {
    struct trial *t = begin(); // the bad route gets most of the new traffic
    put(&t->arms, ARM_OLD, 0, 30, (struct plan){ 9000, 0.001, 20, 0, 4, "GET /good" });
    put(&t->arms, ARM_OLD, 0, 30, (struct plan){ 1000, 0.08, 300, 0, 4, "GET /bad" });
    put(&t->arms, ARM_NEW, 0, 30, (struct plan){ 1000, 0.001, 20, 0, 4, "GET /good" });
    put(&t->arms, ARM_NEW, 0, 30, (struct plan){ 9000, 0.08, 300, 0, 4, "GET /bad" });
    CHECK(judge(t, (struct impact_rules){ 0 }) < IMPACT_SUSPECT);
    end(t);
    t = begin(); // a bad hour, in which the new version had most of the traffic
    put(&t->arms, ARM_OLD, 0, 10, (struct plan){ 9000, 0.001, 20, 0, 4, NULL });
    put(&t->arms, ARM_NEW, 0, 10, (struct plan){ 500, 0.001, 20, 0, 4, NULL });
    put(&t->arms, ARM_OLD, 10, 10, (struct plan){ 500, 0.2, 300, 0, 4, NULL });
    put(&t->arms, ARM_NEW, 10, 10, (struct plan){ 9000, 0.2, 300, 0, 4, NULL });
    CHECK(judge(t, (struct impact_rules){ 0 }) < IMPACT_SUSPECT);
    end(t);
}

TEST(impact_does_not_take_one_bad_pod_for_the_version) {
    struct trial *t = begin();
    put(&t->arms, ARM_OLD, 0, 30, (struct plan){ 4000, 0.01, 50, 0, 4, NULL });
    put(&t->arms, ARM_NEW, 0, 30, (struct plan){ 3000, 0.01, 50, 0, 3, NULL });
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
    put(&t->arms, ARM_OLD, 0, 120, (struct plan){ 6000, 0.01, 50, 0, 4, NULL });
    put(&t->arms, ARM_NEW, 130, 120, (struct plan){ 6000, 0.04, 50, 0, 4, NULL });
    CHECK(judge(t, (struct impact_rules){ 0 }) == IMPACT_INSUFFICIENT);
    CHECK(judge(t, (struct impact_rules){ .time_is_arm = true }) == IMPACT_CONFIRMED);
    end(t);
}

TEST(arms_forget_whole_traces_alike_when_there_are_too_many) {
    struct trial *t = begin();
    t->arms.shift = 0;
    put(&t->arms, ARM_OLD, 0, 30, (struct plan){ 20000, 0.02, 50, 0, 4, NULL });
    uint32_t n = t->arms.n;
    t->arms.shift = 2;
    put(&t->arms, ARM_NEW, 0, 30, (struct plan){ 20000, 0.02, 50, 0, 4, NULL });
    CHECK_U64(n, 20000);
    CHECK(t->arms.n - n > 4500 && t->arms.n - n < 5500);
    CHECK_U64(t->arms.added[ARM_NEW], 20000);
    end(t);
}

TEST(arms_survive_a_lack_of_memory) {
    for (uint64_t at = 1; at < 40; at++) {
        struct trial *t = begin();
        struct arms_request r = { .route = STR("a"), .pod = STR("p"), .start_ns = T0 };
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
