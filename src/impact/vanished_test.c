// SPDX-License-Identifier: Apache-2.0
// Routes that vanish, with a planted truth, and how often one is called lost that only chance kept away.
#include "impact/vanished.h"

#include "impact/trial_test.h"

static void find(struct trial *t, bool by_time) {
    CHECK_OK(arms_sort(&t->arms));
    CHECK_OK(vanished_find(&t->a, &t->arms, (struct impact_rules){ .time_is_arm = by_time }, &t->v));
}

static void one(struct trial *t, enum arm arm, uint64_t minute, const char *route, const char *caller,
                unsigned pod) {
    char name[16];
    uint64_t id[2] = { test_rand(), test_rand() };
    (void)snprintf(name, sizeof name, "%d-%u", (int)arm, pod);
    struct arms_request r = { .arm = arm,
                              .route = str_of(route),
                              .caller = str_of(caller),
                              .pod = str_of(name),
                              .duration_ns = 1000000,
                              .start_ns = T0 + minute * MINUTE + test_below(MINUTE) };
    memcpy(r.trace_id, id, 16);
    CHECK_OK(arms_add(&t->arms, &r));
}
// n requests in each minute, of which the new arm gets its share.
static void serve(struct trial *t, uint64_t from, uint64_t to, unsigned n, double share, const char *route,
                  const char *caller) {
    for (uint64_t m = from; m < to; m++)
        for (unsigned i = 0; i < n; i++)
            one(t, test_uniform() < share ? ARM_NEW : ARM_OLD, m, route, caller, (unsigned)test_below(3));
}

TEST(vanished_route_is_lost_once_its_absence_is_no_chance) {
    struct trial *t = begin();
    serve(t, 0, 40, 20, 0.5, "GET /", "");
    serve(t, 0, 40, 3, 0, "POST /pay", "");   // gone
    serve(t, 0, 40, 3, 0.5, "GET /cart", ""); // as before
    serve(t, 0, 8, 3, 0, "GET /rare", "");    // in so few minutes it may be chance
    serve(t, 0, 40, 2, 1, "POST /payment", "");
    find(t, false);
    CHECK_U64(t->v.n_routes, 4);
    CHECK_U64(t->v.n_testable, 3);
    CHECK(t->v.n == 1 && t->v.lost[0].requests == 120 && t->v.lost[0].units == 40);
    CHECK_STR(t->v.lost[0].route, STR("POST /pay"));
    CHECK(t->v.lost[0].p < 1e-9 && t->v.lost[0].examples.n == 3);
    CHECK_STR(t->v.gained, STR("POST /payment"));
    end(t);
}

// A canary gets little: what it would have got of a route must be enough.
TEST(vanished_route_of_a_small_share_needs_longer) {
    for (unsigned minutes = 20; minutes <= 240; minutes += 220) {
        struct trial *t = begin();
        serve(t, 0, minutes, 40, 0.1, "GET /", "");
        serve(t, 0, minutes, 3, 0, "POST /pay", "");
        find(t, false);
        CHECK(t->v.n == (minutes == 240));
        end(t);
    }
}

// A burst within one minute is one request; a caller who is kept on the old version took nothing away; nor
// did one user on one instance.
TEST(vanished_is_not_what_stays_with_the_old_version_for_another_reason) {
    struct trial *t = begin();
    serve(t, 0, 60, 20, 0.5, "GET /", "");
    serve(t, 0, 60, 3, 0.5, "GET /cart", "");
    serve(t, 7, 8, 500, 0, "POST /batch", "");
    serve(t, 0, 60, 5, 0, "GET /report", "billing"); // and nothing else
    serve(t, 0, 60, 5, 0, "GET /both", "sticky");
    serve(t, 0, 60, 5, 0, "GET /other", "sticky");
    for (uint64_t m = 0; m < 60; m++) one(t, ARM_OLD, m, "GET /admin", "", 1);
    find(t, false);
    CHECK_U64(t->v.n, 0);
    CHECK_U64(t->v.n_testable, 2);
    end(t);
}

// Minutes that one version served as a whole say no more than a coin.
TEST(vanished_is_not_told_by_a_few_minutes_however_busy) {
    for (unsigned minutes = 5; minutes <= 20; minutes += 15) {
        struct trial *t = begin();
        serve(t, 0, minutes, 200, 1, "GET /", "");
        serve(t, 0, minutes, 1, 0, "GET /", "");
        serve(t, 0, minutes, 5, 0, "POST /pay", "");
        find(t, false);
        CHECK(t->v.n == (minutes == 20));
        end(t);
    }
}

TEST(vanished_before_against_after_goes_by_quarters) {
    for (unsigned hours = 1; hours <= 6; hours += 5) {
        struct trial *t = begin();
        serve(t, 0, 60 * hours, 10, 0, "GET /", "");
        serve(t, 60 * hours, 120 * hours, 10, 1, "GET /", "");
        serve(t, 0, 60 * hours, 1, 0, "POST /pay", "");
        serve(t, 30, 60, 9, 0, "GET /nightly", "");
        find(t, true);
        CHECK(t->v.by_quarter && t->v.n == (hours == 6));
        CHECK_U64(t->v.n_testable, hours == 6 ? 2 : 0);
        if (t->v.n) CHECK_U64(t->v.lost[0].units, 24);
        end(t);
    }
}

TEST(vanished_of_no_requests_is_not_known) {
    struct trial *t = begin();
    find(t, false);
    CHECK(t->v.n == 0 && t->v.n_routes == 0);
    serve(t, 0, 60, 5, 0, "GET /", "");
    find(t, false);
    CHECK(t->v.n == 0 && t->v.n_testable == 0);
    end(t);
}

// Of rollouts that take nothing away: routes of all sizes, in bursts, of minutes that went to one arm as a
// whole. One in a thousand may be wronged.
TEST(vanished_hardly_ever_wrongs_a_rollout) {
    enum { ROLLOUTS = 1500, ROUTES = 12, MINUTES = 45 };
    unsigned wronged = 0;
    for (unsigned i = 0; i < ROLLOUTS; i++) {
        struct trial *t = begin();
        double share = 0.05 + 0.9 * test_uniform();
        for (uint64_t m = 0; m < MINUTES; m++) {
            bool whole = test_uniform() < 0.3, to_new = test_uniform() < share;
            for (unsigned r = 0; r < ROUTES; r++) {
                char route[8];
                (void)snprintf(route, sizeof route, "r%u", r);
                if (test_uniform() > 1.0 / (1 + r)) continue;
                bool burst = test_uniform() < 0.3, burst_new = test_uniform() < share;
                for (unsigned n = 1 + (unsigned)test_below(4); n; n--) {
                    bool new = whole ? to_new : burst ? burst_new : test_uniform() < share;
                    one(t, new ? ARM_NEW : ARM_OLD, m, route, "", (unsigned)test_below(3));
                }
            }
        }
        find(t, false);
        wronged += t->v.n > 0;
        end(t);
    }
    CHECK(wronged <= 6); // of 1.5 at most that are expected
}

TEST(vanished_survives_a_lack_of_memory) {
    struct trial *t = begin();
    serve(t, 0, 40, 20, 0.5, "GET /", "a");
    serve(t, 0, 40, 3, 0, "POST /pay", "b");
    CHECK_OK(arms_sort(&t->arms));
    for (size_t max = 0; max < 20000; max += 512) {
        struct arena a;
        struct vanished v;
        arena_init(&a, max, NULL);
        enum err e = vanished_find(&a, &t->arms, (struct impact_rules){ 0 }, &v);
        CHECK(e == ERR_OK || e == ERR_NOMEM);
        arena_fini(&a);
    }
    end(t);
}
