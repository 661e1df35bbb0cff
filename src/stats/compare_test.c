// SPDX-License-Identifier: Apache-2.0
#include "stats/compare.h"

#include "base/test.h"
#include "stats/percentile.h"
#include "stats/special.h"

static bool within(double got, double want, double absolute) {
    if (fabs(got - want) <= absolute) return true;
    printf("# got %.12g, want %.12g\n", got, want);
    return false;
}
static double lognormal(void) {
    return exp(normal_quantile(test_uniform()));
}

static struct mann_whitney mw(const double *old, size_t n_old, const double *new, size_t n_new) {
    double x[64], y[64];
    memcpy(x, old, n_old * sizeof *x);
    memcpy(y, new, n_new * sizeof *y);
    return compare_values(x, n_old, y, n_new);
}

TEST(compare_values_matches_published_values) {
    // Males and females of scipy's example: exact without ties.
    double males[] = { 19, 22, 16, 29, 24 }, females[] = { 20, 11, 17, 12 };
    struct mann_whitney w = mw(females, 4, males, 5);
    CHECK(w.exact && w.u == 17 && w.share == 17.0 / 20 && within(w.test.p, 1.0 / 9, 1e-15));
    CHECK(within(2 * normal_upper(w.test.z), .1113468865, 5e-11)); // its asymptotic p
    double a[] = { 12, 15, 15, 18, 20, 22, 22, 22, 30, 41 }, b[] = { 10, 12, 13, 15, 15, 16, 18, 18, 20, 21 };
    w = mw(b, 10, a, 10);
    CHECK(!w.exact && w.u == 75 && w.share == .75 && within(w.variance, 172.3684210526, 5e-11));
    CHECK(within(w.test.z, 1.8661099679, 5e-11) && within(w.test.p, .0620259817, 5e-11));
    double c[] = { 0, 1, 2, 1, 0, 0 }, zeros[] = { 0, 0, 0, 0, 0, 0 };
    w = mw(zeros, 6, c, 6);
    CHECK(w.u == 27 && within(w.variance, 22.5, 1e-12) && within(w.test.z, 1.7919573408, 5e-11));
    CHECK(within(w.test.p, .0731397997, 5e-11));
    double control[] = { 1, 1, 1, 1, 1, 1, 1, 1, 1, 1 },
           slow[] = { 100, 100, 100, 100, 100, 100, 100, 1, 1, 1 };
    w = mw(control, 10, slow, 10);
    CHECK(within(w.test.z, 3.1528636904, 5e-11) && within(w.test.p, .0016167728, 5e-11));
}

TEST(compare_values_of_nothing_and_of_equals) {
    double nan[] = { NAN, NAN }, x[] = { 1, NAN, 1 }, y[] = { 1, 1 };
    struct mann_whitney w = compare_values(nan, 2, y, 2);
    CHECK(!w.test.defined && w.test.p == 0 && w.n_old == 0 && w.n_new == 2);
    CHECK(!compare_values(y, 2, nan, 0).test.defined && !compare_buckets(NULL, NULL, 0).test.defined);
    w = compare_values(x, 3, y, 2);
    CHECK(w.test.defined && w.test.z == 0 && w.test.p == 1 && w.test.p_up == 1 && w.share == .5);
    CHECK(w.n_old == 2 && w.variance == 0);
    double lo[] = { -INFINITY, 0 }, hi[] = { INFINITY, 5 };
    CHECK(compare_values(lo, 2, hi, 2).u == 4);
}

// A second way: every pair, and for the exact p every choice of n_new places out of all.
TEST(compare_values_agrees_with_counting_pairs_and_arrangements) {
    for (int round = 0; round < 400; round++) {
        double x[8], y[8], u = 0;
        size_t n = 1 + test_below(7), m = 1 + test_below(7);
        for (size_t i = 0; i < n; i++) x[i] = round % 2 ? test_uniform() : (double)test_below(6);
        for (size_t i = 0; i < m; i++) y[i] = round % 2 ? test_uniform() + 0.2 : (double)test_below(6);
        for (size_t i = 0; i < n; i++)
            for (size_t k = 0; k < m; k++) u += y[k] > x[i] ? 1 : y[k] == x[i] ? 0.5 : 0;
        struct mann_whitney w = compare_values(x, n, y, m);
        CHECK(w.u == u && (w.exact || round % 2 == 0));
        if (!w.exact) continue;
        uint64_t all = 0, up = 0, down = 0;
        for (uint32_t set = 0; set < 1u << (n + m); set++) {
            if ((size_t)__builtin_popcount(set) != m) continue;
            uint32_t pairs = 0;
            for (size_t i = 0; i < n + m; i++)
                if (set >> i & 1) pairs += (uint32_t)__builtin_popcount(~set & ((1u << i) - 1));
            all++;
            up += pairs >= u;
            down += pairs <= u;
        }
        CHECK(within(w.test.p_up, (double)up / (double)all, 1e-15));
        CHECK(within(w.test.p_down, (double)down / (double)all, 1e-15));
    }
}

TEST(compare_values_is_symmetric_and_equals_buckets) {
    enum { N = 60, BUCKETS = 15 };
    for (int round = 0; round < 500; round++) {
        double x[N], y[N];
        uint64_t of_x[BUCKETS] = { 0 }, of_y[BUCKETS] = { 0 };
        size_t n = 1 + test_below(N), m = 1 + test_below(N);
        for (size_t i = 0; i < n; i++) of_x[(size_t)(x[i] = (double)test_below(BUCKETS))]++;
        for (size_t i = 0; i < m; i++) of_y[(size_t)(y[i] = (double)test_below(BUCKETS))]++;
        struct mann_whitney w = compare_values(x, n, y, m), b = compare_buckets(of_x, of_y, BUCKETS);
        struct mann_whitney back = compare_values(y, m, x, n);
        CHECK(w.u == b.u && w.variance == b.variance && w.test.p == b.test.p && w.exact == b.exact);
        CHECK(w.u + back.u == (double)(n * m) && w.test.p == back.test.p && w.test.p_up == back.test.p_down);
        CHECK(w.test.z == -back.test.z || (w.test.z == 0 && back.test.z == 0));
    }
}

TEST(compare_values_exact_and_normal_meet) {
    double x[25], y[26];
    for (int round = 0; round < 200; round++) {
        for (int i = 0; i < 25; i++) x[i] = test_uniform();
        for (int i = 0; i < 26; i++) y[i] = test_uniform() + 0.1;
        struct mann_whitney exact = compare_values(x, 25, y, 25);
        CHECK(exact.exact && !compare_values(x, 25, y, 26).exact);
        CHECK(within(exact.test.p, fmin(2 * normal_upper(fabs(exact.test.z)), 1), 0.006));
    }
    double one[] = { 3 }, many[625];
    for (int i = 0; i < 625; i++) many[i] = i + 4;
    struct mann_whitney w = compare_values(one, 1, many, 625);
    CHECK(w.exact && within(w.test.p_up, 1.0 / 626, 1e-15));
}

TEST(compare_buckets_of_billions) {
    uint64_t old[] = { 4000000000000, 3000000000000, 1 }, new[] = { 3999900000000, 3000100000000, 1 };
    struct mann_whitney w = compare_buckets(old, new, 3);
    CHECK(w.test.defined && w.test.z > 20 && w.share > 0.5 && w.share < 0.50001);
    w = compare_buckets(old, old, 3);
    CHECK(w.test.z == 0 && w.test.p == 1 && w.share == 0.5);
}

TEST(compare_values_holds_its_level_and_finds_shifts) {
    enum { ROUNDS = 3000 };
    int alarms = 0, of_ties = 0, of_small = 0, found = 0;
    for (int round = 0; round < ROUNDS; round++) {
        double x[60], y[60];
        for (int i = 0; i < 60; i++) x[i] = lognormal(), y[i] = lognormal();
        alarms += mw(x, 60, y, 60).test.p < 0.05;
        of_small += mw(x, 8, y, 8).test.p < 0.05;
        for (int i = 0; i < 60; i++) y[i] *= 2;
        found += mw(x, 60, y, 60).test.p < 0.05;
        for (int i = 0; i < 60; i++) x[i] = floor(x[i]), y[i] = floor(y[i] / 2);
        of_ties += mw(x, 60, y, 60).test.p < 0.05;
    }
    CHECK(alarms > ROUNDS * 0.035 && alarms < ROUNDS * 0.065 && of_ties < ROUNDS * 0.065);
    CHECK(of_small > ROUNDS * 0.02 && of_small < ROUNDS * 0.06 && found > ROUNDS * 0.9);
}

TEST(compare_percentiles_covers_from_values_and_from_buckets) {
    enum { ROUNDS = 600, N_OLD = 400, N_NEW = 250, BUCKETS = 80 };
    double p[] = { 0.5, 0.9, 0.95 }, edges[BUCKETS + 1] = { 0 };
    int covered[3] = { 0 }, of_buckets[3] = { 0 };
    for (int i = 1; i < BUCKETS; i++) edges[i] = 0.02 * pow(1.13, i);
    edges[BUCKETS] = INFINITY;
    for (int round = 0; round < ROUNDS; round++) {
        double x[N_OLD], y[N_NEW];
        uint64_t of_x[BUCKETS] = { 0 }, of_y[BUCKETS] = { 0 };
        for (int i = 0; i < N_OLD; i++) {
            size_t b = 0;
            for (x[i] = lognormal(); x[i] > edges[b + 1]; b++) {}
            of_x[b]++;
        }
        for (int i = 0; i < N_NEW; i++) {
            size_t b = 0;
            for (y[i] = 1.3 * lognormal(); y[i] > edges[b + 1]; b++) {}
            of_y[b]++;
        }
        struct estimate e[3];
        compare_percentiles(x, N_OLD, y, N_NEW, p, 3, 0.95, e);
        for (int i = 0; i < 3; i++) {
            double want = 0.3 * exp(normal_quantile(p[i]));
            struct estimate h = compare_histograms((struct histogram){ edges, of_x, BUCKETS },
                                                   (struct histogram){ edges, of_y, BUCKETS }, p[i], 0.95);
            CHECK(e[i].bounded && h.bounded && e[i].lo <= e[i].value && e[i].value <= e[i].hi);
            covered[i] += e[i].lo <= want && want <= e[i].hi;
            of_buckets[i] += h.lo <= want && want <= h.hi;
        }
    }
    for (int i = 0; i < 3; i++) {
        CHECK(covered[i] > ROUNDS * 0.91);
        CHECK(of_buckets[i] > ROUNDS * 0.93);
    }
}

TEST(compare_percentiles_of_too_little_has_no_bounds) {
    double x[] = { 1, 2, 3, 4, 5, 6 }, y[] = { 4, 2 }, p = 0.5;
    struct estimate e;
    compare_percentiles(x, 6, y, 2, &p, 1, 0.95, &e);
    CHECK(e.defined && e.value == -0.5 && !e.bounded && e.lo == 0);
    compare_percentiles(x, 6, y, 0, &p, 1, 0.95, &e);
    CHECK(!e.defined && e.value == 0);
}

// --- many comparisons -----------------------------------------------------------------------------------

TEST(compare_adjust_matches_the_paper) { // Benjamini and Hochberg's own example, section 4.1
    double p[] = { .0001, .0004, .0019, .0095, .0201, .0278, .0298, .0344,
                   .0459, .3240, .4262, .5719, .6528, .7590, 1.000 };
    double q[15];
    struct arena a;
    arena_init(&a, SIZE_MAX, NULL);
    CHECK_OK(compare_adjust(&a, p, 15, q));
    for (int i = 0; i < 15; i++) CHECK((q[i] <= 0.05) == (i < 4));
    CHECK(within(q[0], .0015, 1e-15) && within(q[3], .035625, 1e-15) && within(q[4], .0603, 1e-15));
    CHECK(within(q[14], 1, 0));
    CHECK_OK(compare_adjust(&a, p, 0, q));
    arena_fini(&a);
}

// A second way: q is the least of p_j n / (number of p up to p_j) over all p_j that are not below p.
TEST(compare_adjust_is_the_least_bound) {
    struct arena a;
    arena_init(&a, SIZE_MAX, NULL);
    for (int round = 0; round < 300; round++) {
        enum { N = 60 };
        double p[N], q[N];
        size_t n = test_below(N), m = 0;
        for (size_t i = 0; i < n; i++) p[i] = round % 2 ? test_uniform() : (double)test_below(8) / 7;
        for (size_t i = 0; i < n; i++)
            if (test_below(10) == 0) p[i] = test_below(2) ? NAN : -0.5;
        for (size_t i = 0; i < n; i++) m += p[i] >= 0;
        CHECK_OK(compare_adjust(&a, p, n, q));
        for (size_t i = 0; i < n; i++) {
            double least = 1;
            for (size_t j = 0; j < n; j++) {
                size_t up_to = 0;
                for (size_t k = 0; k < n; k++) up_to += p[k] >= 0 && p[k] <= p[j];
                if (p[j] >= p[i]) least = fmin(least, p[j] * (double)m / (double)up_to);
            }
            if (p[i] >= 0)
                CHECK(within(q[i], least, 1e-15) && q[i] >= p[i]);
            else
                CHECK(isnan(q[i]));
        }
        CHECK_OK(compare_adjust(&a, p, n, p)); // in place
        for (size_t i = 0; i < n; i++) CHECK(p[i] == q[i] || isnan(q[i]));
        arena_reset(&a);
    }
    arena_fini(&a);
}

TEST(compare_adjust_fails_without_memory) {
    double p[] = { 0.1, 0.2 }, q[] = { 7, 7 };
    struct arena a;
    arena_init(&a, 0, NULL);
    CHECK_U64(compare_adjust(&a, p, 2, q), ERR_NOMEM);
    CHECK(q[0] == 7 && q[1] == 7);
    arena_fini(&a);
    arena_init(&a, SIZE_MAX, NULL);
    mem_fail_at(1, true);
    CHECK_U64(compare_adjust(&a, p, 2, q), ERR_NOMEM);
    mem_fail_at(0, false);
    CHECK_OK(compare_adjust(&a, p, 2, q));
    CHECK(q[0] == 0.2 && q[1] == 0.2);
    arena_fini(&a);
}
