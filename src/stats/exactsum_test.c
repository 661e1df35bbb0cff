// SPDX-License-Identifier: Apache-2.0
#include "stats/exactsum.h"

#include <math.h>

#include "base/test.h"

static uint64_t bits_of(double x) {
    uint64_t bits;
    memcpy(&bits, &x, sizeof bits);
    return bits;
}

static double sum_of(const double *x, size_t n) {
    struct arena a;
    arena_init(&a, SIZE_MAX, NULL);
    struct exactsum s = { 0 };
    for (size_t i = 0; i < n; i++) CHECK_OK(exactsum_add(&a, &s, x[i]));
    double sum = exactsum_round(&s);
    arena_fini(&a);
    return sum;
}
#define SUM(...) sum_of((double[]){ __VA_ARGS__ }, sizeof((double[]){ __VA_ARGS__ }) / sizeof(double))

TEST(exactsum_loses_nothing) {
    CHECK(SUM(1e308, 1e308, -1e308) == 1e308); // past the largest double and back
    CHECK(SUM(1, 1e100, 1, -1e100) == 2);
    CHECK(SUM(0.1, 0.2, -0.3) == 0x1p-55); // what the three doubles truly add up to
    CHECK(SUM(1e300, -1e300, 0x1p-1074) == 0x1p-1074);
    CHECK(SUM(-5, 3) == -2);
    CHECK(SUM(1.5) == 1.5 && SUM(-1.5) == -1.5 && SUM(0, -0.0) == 0);
    CHECK(SUM(0x1.fffffffffffffp1023, 0x1.fffffffffffffp1023) == INFINITY);
    CHECK(SUM(-0x1.fffffffffffffp1023, -0x1p1000) == -INFINITY ||
          SUM(-0x1.fffffffffffffp1023, -0x1p1000) < 0);
}

TEST(exactsum_rounds_once_to_even) {
    CHECK(SUM(0x1p53, 1) == 0x1p53);                // a tie: to even
    CHECK(SUM(0x1p53, 3) == 0x1p53 + 4);            // a tie, the other way
    CHECK(SUM(0x1p53, 1, 0x1p-1074) == 0x1p53 + 2); // a hair more than the tie
    CHECK(SUM(-0x1p53, -1, -0x1p-1074) == -0x1p53 - 2);
    CHECK(SUM(0x1p53, 0.5, 0.5, 0.25, -0.25, 1) == 0x1p53 + 2);
    CHECK(SUM(0x1.fffffffffffffp1023, 0x1p969) == 0x1.fffffffffffffp1023); // below half a step
    CHECK(SUM(0x1.fffffffffffffp1023, 0x1p970) == INFINITY);
}

TEST(exactsum_adds_what_is_not_finite_as_ieee_does) {
    CHECK(SUM(INFINITY, 1) == INFINITY);
    CHECK(SUM(-INFINITY, 1e308) == -INFINITY);
    CHECK(isnan(SUM(INFINITY, -INFINITY)));
    CHECK(isnan(SUM(NAN, INFINITY)));
    CHECK(SUM() == 0);
}

TEST(exactsum_adds_integers_and_doubles_in_one_rounding) {
    struct arena a;
    arena_init(&a, SIZE_MAX, NULL);
    struct exactsum s = { 0 };
    exactsum_add_int(&s, INT64_MIN);
    exactsum_add_int(&s, INT64_MIN);
    CHECK(exactsum_round(&s) == -0x1p64);
    exactsum_add_int(&s, INT64_MAX);
    exactsum_add_int(&s, INT64_MAX);
    CHECK(exactsum_round(&s) == -2);
    CHECK_OK(exactsum_add(&a, &s, 2.25));
    CHECK(exactsum_round(&s) == 0.25);
    exactsum_add_int(&s, 1ll << 53);
    exactsum_add_int(&s, 1);
    CHECK(exactsum_round(&s) == 0x1p53 + 2); // 2^53 + 1.25
    arena_fini(&a);
}

// Against 128-bit integers: all values are multiples of 2^-40.
TEST(exactsum_is_the_true_sum_rounded) {
    for (int round = 0; round < 300; round++) {
        struct arena a;
        arena_init(&a, SIZE_MAX, NULL);
        struct exactsum s = { 0 };
        __int128 want = 0;
        for (uint64_t i = test_below(200); i > 0; i--) {
            int64_t m = (int64_t)(test_rand() >> (11 + test_below(50)));
            unsigned up = (unsigned)test_below(40);
            if (test_below(2)) m = -m;
            want += (__int128)m * ((__int128)1 << up);
            CHECK_OK(exactsum_add(&a, &s, ldexp((double)m, (int)up - 40)));
        }
        CHECK_U64(bits_of(exactsum_round(&s)), bits_of(ldexp((double)want, -40))); // gcc rounds to even
        arena_fini(&a);
    }
}

static double draw(int kind) {
    for (;;) {
        uint64_t bits = test_rand();
        double x;
        memcpy(&x, &bits, sizeof x);
        if (kind == 1) x = ldexp((double)(int64_t)bits, -(int)test_below(80));
        if (kind == 2) x = (double)test_below(1000) * 0x1p-1074;
        if (isfinite(x)) return x;
    }
}

TEST(exactsum_is_the_same_in_any_order_and_any_split) {
    enum { N = 300, PARTS = 6 };
    static double x[N];
    for (int round = 0; round < 100; round++) {
        struct arena a;
        arena_init(&a, SIZE_MAX, NULL);
        struct exactsum all = { 0 }, part[PARTS] = { 0 };
        uint32_t left = 1 + (uint32_t)test_below(PARTS);
        for (int i = 0; i < N; i++) x[i] = draw(round % 3);
        for (int i = 0; i < N; i++) CHECK_OK(exactsum_add(&a, &all, x[i]));
        for (int i = N; i-- > 0;) CHECK_OK(exactsum_add(&a, &part[test_below(left)], x[i]));
        for (int64_t i = -20; i < 30; i++) {
            exactsum_add_int(&all, i * 1000003);
            exactsum_add_int(&part[test_below(left)], i * 1000003);
        }
        while (left > 1) {
            uint32_t from = (uint32_t)test_below(left), to = (uint32_t)test_below(left);
            if (from == to) continue;
            CHECK_OK(exactsum_merge(&a, &part[to], &part[from]));
            part[from] = part[--left];
        }
        CHECK_U64(bits_of(exactsum_round(&part[0])), bits_of(exactsum_round(&all)));
        arena_fini(&a);
    }
}

// Sums that merge with themselves double; the digits carry many times on the way.
TEST(exactsum_carries) {
    struct arena a;
    arena_init(&a, SIZE_MAX, NULL);
    struct exactsum s = { 0 }, copy = { 0 };
    CHECK_OK(exactsum_add(&a, &s, 0x1.fffffffffffffp-1000));
    CHECK_OK(exactsum_add(&a, &s, -0x1p-1060));
    double want = exactsum_round(&s);
    for (int i = 0; i < 1500; i++) {
        copy = (struct exactsum){ 0 };
        CHECK_OK(exactsum_merge(&a, &copy, &s));
        CHECK_OK(exactsum_merge(&a, &s, &copy));
    }
    CHECK(exactsum_round(&s) == ldexp(want, 1500));
    arena_fini(&a);
}

TEST(exactsum_fails_without_memory_and_stays_whole) {
    struct arena a;
    arena_init(&a, SIZE_MAX, NULL);
    struct exactsum s = { 0 }, t = { 0 };
    CHECK_OK(exactsum_add(&a, &s, 1));
    CHECK_OK(exactsum_add(&a, &t, 1e200));
    a.limit = a.used;
    a.pos = a.end;
    CHECK_U64(exactsum_add(&a, &s, 1e-300), ERR_NOMEM);
    CHECK_U64(exactsum_merge(&a, &s, &t), ERR_NOMEM);
    CHECK_OK(exactsum_add(&a, &s, 2)); // needs none
    CHECK(exactsum_round(&s) == 3);
    a.limit = SIZE_MAX;
    CHECK_OK(exactsum_merge(&a, &s, &t));
    CHECK(exactsum_round(&s) == 1e200);
    arena_fini(&a);
}
