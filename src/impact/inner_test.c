// SPDX-License-Identifier: Apache-2.0
// Spans within requests, with a planted truth.
#include "impact/inner.h"

#include <stdio.h>

#include "base/hash.h"
#include "base/test.h"

// n traces with one request and up to most spans within it, the mean of which is half of most.
static void put(struct inner *x, enum arm arm, unsigned n, const char *route, unsigned most) {
    for (unsigned i = 0; i < n; i++) {
        uint8_t id[16];
        for (unsigned k = 0; k < 16; k++) id[k] = (uint8_t)test_rand();
        CHECK_OK(inner_add(x, id, arm, true, str_of(route)));
        for (uint64_t k = test_below(most + 1ull); k; k--) CHECK_OK(inner_add(x, id, arm, false, STR("db")));
    }
}

TEST(inner_spans_that_fall_to_a_fraction_are_lost) {
    static const struct {
        const char *why;
        unsigned n, old, new;
        bool known, lost;
    } cases[] = {
        { "as before", 500, 8, 8, true, false }, { "none are left", 500, 8, 0, true, true },
        { "a quarter", 500, 8, 2, true, true },  { "just half", 500, 8, 4, true, false },
        { "too few", 150, 8, 0, false, false },  { "none to lose", 500, 1, 0, false, false },
        { "more", 500, 8, 20, true, false },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct inner x;
        inner_init(&x);
        put(&x, ARM_OLD, cases[i].n, "GET /", cases[i].old);
        put(&x, ARM_NEW, cases[i].n, "GET /", cases[i].new);
        struct inner_answer a = inner_judge(&x);
        bool right = a.known == cases[i].known && a.lost == cases[i].lost;
        if (!right) printf("# %s: %g, then %g, of %g\n", cases[i].why, a.old, a.new, a.requests);
        CHECK(right);
        inner_fini(&x);
    }
}

// The new version gets the routes that have few spans anyway.
TEST(inner_spans_are_not_lost_by_a_shift_of_the_mix) {
    struct inner x;
    inner_init(&x);
    put(&x, ARM_OLD, 2000, "GET /big", 40);
    put(&x, ARM_OLD, 250, "GET /small", 2);
    put(&x, ARM_NEW, 250, "GET /big", 40);
    put(&x, ARM_NEW, 4000, "GET /small", 2);
    struct inner_answer a = inner_judge(&x);
    CHECK(a.known && !a.lost && a.requests == 500);
    CHECK(a.new > 0.8 * a.old &&a.new < 1.2 * a.old);
    inner_fini(&x);
}

// Beside more rare routes than are told apart, which come last as in traffic.
TEST(inner_spans_of_busy_routes_are_told_apart_however_many_rare_ones_there_are) {
    enum { RARE = 1500 };
    struct inner x;
    char rare[24];
    inner_init(&x);
    put(&x, ARM_OLD, 2000, "GET /big", 40);
    put(&x, ARM_OLD, 250, "GET /small", 2);
    put(&x, ARM_NEW, 250, "GET /big", 40);
    put(&x, ARM_NEW, 2000, "GET /small", 2);
    for (unsigned i = 0; i < RARE; i++) {
        (void)snprintf(rare, sizeof rare, "GET /user/%u", i);
        put(&x, ARM_OLD, 1, rare, 2);
        put(&x, ARM_NEW, 1, rare, 2);
    }
    struct inner_answer a = inner_judge(&x);
    CHECK(a.known && !a.lost && a.requests == 500 + RARE);
    CHECK(a.new > 0.8 * a.old &&a.new < 1.2 * a.old);
    inner_fini(&x);
}

// Of a trace of both versions it cannot be told which one lost something; one without its request is cut.
TEST(inner_spans_of_mixed_and_cut_traces_do_not_count) {
    struct inner x;
    inner_init(&x);
    uint8_t mixed[16] = { 1 }, cut[16] = { 2 };
    CHECK_OK(inner_add(&x, mixed, ARM_OLD, true, STR("a")));
    CHECK_OK(inner_add(&x, mixed, ARM_NEW, true, STR("a")));
    CHECK_OK(inner_add(&x, cut, ARM_OLD, false, STR("db")));
    CHECK_OK(inner_add(&x, cut, ARM_COUNT, true, STR("a")));
    CHECK(inner_judge(&x).requests == 0);
    inner_fini(&x);
}

TEST(inner_forgets_whole_traces_alike_when_there_are_too_many) {
    struct inner x;
    inner_init(&x);
    put(&x, ARM_OLD, INNER_TRACES_MAX, "GET /", 8);
    put(&x, ARM_NEW, INNER_TRACES_MAX / 2, "GET /", 0);
    CHECK(x.shift == 1 && x.n <= INNER_TRACES_MAX);
    struct inner_answer a = inner_judge(&x);
    CHECK(a.lost && a.old > 3.9 && a.old < 4.1 && a.new == 0);
    inner_fini(&x);
}

// A trace of two requests, of twice as many routes as are told apart. backwards: the traces, and its
// requests.
static void put_two(struct inner *x, uint64_t seed, uint64_t i, bool backwards) {
    uint64_t drawn = hash_u64(seed + i);
    uint8_t id[16] = { 0 };
    char route[2][24];
    memcpy(id, &i, sizeof i);
    for (unsigned k = 0; k < 2; k++)
        (void)snprintf(route[k], sizeof route[k], "GET /%u",
                       (unsigned)(drawn >> 20 * k) % (2 * INNER_ROUTES_MAX));
    enum arm arm = drawn >> 60 & 1 ? ARM_OLD : ARM_NEW;
    for (unsigned k = 0; k < 2; k++)
        CHECK_OK(inner_add(x, id, arm, true, str_of(route[backwards ? 1 - k : k])));
    for (uint64_t k = drawn >> 40 & 15; k; k--) CHECK_OK(inner_add(x, id, arm, false, STR("db")));
}

TEST(inner_spans_are_judged_alike_in_any_order) {
    enum { TRACES = 6000 };
    struct inner_answer of[2];
    uint64_t seed = test_rand();
    for (unsigned backwards = 0; backwards < 2; backwards++) {
        struct inner x;
        inner_init(&x);
        for (unsigned i = 0; i < TRACES; i++) put_two(&x, seed, backwards ? TRACES - 1 - i : i, backwards);
        of[backwards] = inner_judge(&x);
        inner_fini(&x);
    }
    CHECK(of[0].known && of[0].requests == of[1].requests);
    CHECK(of[0].old == of[1].old && of[0].new == of[1].new);
}
