// SPDX-License-Identifier: Apache-2.0
#include "stats/percentile.h"

#include <stdlib.h>

#include "base/test.h"
#include "stats/binomial.h"

static int cmp(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double one(double p, const double *values, size_t n) {
    double x[64];
    memcpy(x, values, n * sizeof *x);
    struct estimate e;
    CHECK_U64(percentile_doubles(x, n, &p, 1, 0.95, &e), n);
    CHECK(e.defined);
    return e.value;
}
#define ONE(p, ...) one(p, (double[]){ __VA_ARGS__ }, sizeof((double[]){ __VA_ARGS__ }) / sizeof(double))

TEST(percentile_matches_published_values) { // numpy.percentile's and R's own examples
    CHECK(ONE(0.5, 10, 7, 4, 3, 2, 1) == 3.5);
    CHECK(ONE(0.25, 1, 2, 3, 4) == 1.75 && ONE(0.75, 4, 3, 2, 1) == 3.25);
    CHECK(fabs(ONE(0.9, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10) - 9.1) < 1e-14);
    CHECK(ONE(0, 5, 1, 9) == 1 && ONE(1, 5, 1, 9) == 9 && ONE(0.5, 5, 1, 9) == 5 && ONE(0.3, 8) == 8);
    CHECK(ONE(0.5, -1e308, 1.5e308) == 0.25e308);
    CHECK(ONE(0.5, INFINITY, INFINITY) == INFINITY && isnan(ONE(0.5, INFINITY, -INFINITY)));
    CHECK(ONE(0.5, 1, INFINITY, -INFINITY) == 1);
}

TEST(percentile_of_nothing_is_undefined) {
    double p[] = { 0.5, -0.1, 1.1, NAN }, nan[] = { NAN, NAN }, x[] = { 1, 2, NAN };
    int64_t ints[] = { 4 };
    struct estimate e[4];
    memset(e, 0xff, sizeof e);
    CHECK_U64(percentile_doubles(nan, 2, p, 4, 0.95, e), 0);
    for (int i = 0; i < 4; i++) CHECK(!e[i].defined && !e[i].bounded && e[i].value == 0);
    CHECK_U64(percentile_doubles(x, 3, p, 4, 0.95, e), 2);
    CHECK(e[0].defined && e[0].value == 1.5 && !e[0].bounded && !e[1].defined && !e[2].defined &&
          !e[3].defined);
    percentile_ints(ints, 0, p, 4, 0.95, e);
    CHECK(!e[0].defined);
    percentile_ints(ints, 1, p, 4, 0.95, e);
    CHECK(e[0].defined && e[0].value == 4 && !e[1].defined);
    double d;
    int64_t i;
    CHECK(!percentile_lower_median_doubles(nan, 2, &d) && !percentile_lower_median_ints(ints, 0, &i));
    CHECK(!percentile_mean_doubles(nan, 2).defined && !percentile_mean_ints(ints, 0).defined);
}

TEST(percentile_lower_median_is_a_measured_value) {
    double d[] = { 4, NAN, 1, 3, 2 }, got;
    int64_t even[] = { 10, 40, 20, 30 }, odd[] = { INT64_MAX, INT64_MIN, 0 }, out;
    CHECK(percentile_lower_median_doubles(d, 5, &got) && got == 2);
    CHECK(percentile_lower_median_ints(even, 4, &out) && out == 20);
    CHECK(percentile_lower_median_ints(odd, 3, &out) && out == 0);
}

static double by_sorting(const double *sorted, size_t n, double p) {
    double h = (double)(n - 1) * p;
    size_t lo = (size_t)h, hi = lo + 1 < n ? lo + 1 : lo;
    return sorted[lo] + (h - (double)lo) * (sorted[hi] - sorted[lo]);
}

TEST(percentile_agrees_with_sorting) {
    enum { N = 4000 };
    static double x[N], sorted[N];
    static int64_t ints[N];
    for (int round = 0; round < 300; round++) {
        size_t n = 1 + test_below(round % 3 ? 100 : N), n_p = test_below(PERCENTILES_MAX + 1);
        double p[PERCENTILES_MAX];
        struct estimate e[PERCENTILES_MAX], of_ints[PERCENTILES_MAX];
        for (size_t i = 0; i < n; i++) {
            x[i] = round % 2 ? (double)test_below(30) - 10 : floor(-log(test_uniform()) * 1e6);
            ints[i] = (int64_t)x[i];
        }
        for (size_t i = 0; i < n_p; i++) p[i] = test_below(8) ? test_uniform() : (double)test_below(5) / 4;
        memcpy(sorted, x, sizeof x);
        qsort(sorted, n, sizeof *sorted, cmp);
        CHECK_U64(percentile_doubles(x, n, p, n_p, 0.95, e), n);
        percentile_ints(ints, n, p, n_p, 0.95, of_ints);
        for (size_t i = 0; i < n_p; i++) {
            CHECK(e[i].defined && e[i].value == by_sorting(sorted, n, p[i]));
            CHECK(memcmp(&e[i].value, &of_ints[i].value, sizeof(double)) == 0 && e[i].lo == of_ints[i].lo);
            struct ranks r = percentile_ranks(n, p[i], 0.95);
            CHECK(e[i].bounded == r.defined && of_ints[i].bounded == r.defined);
            if (r.defined) CHECK(e[i].lo == sorted[r.lo - 1] && e[i].hi == sorted[r.hi - 1]);
            if (r.defined) CHECK(e[i].lo <= e[i].value && e[i].value <= e[i].hi);
        }
    }
}

TEST(percentile_of_extreme_integers) {
    int64_t x[] = { INT64_MAX, INT64_MIN, INT64_MIN, INT64_MAX };
    double p[] = { 0, 0.5, 1 };
    struct estimate e[3];
    percentile_ints(x, 4, p, 3, 0.95, e);
    CHECK(e[0].value == -0x1p63 && e[1].value == 0 && e[2].value == 0x1p63);
}

TEST(percentile_ranks_match_published_values) {
    static const struct {
        uint64_t n;
        double p;
        uint64_t lo, hi; // 0: none
    } rows[] = {
        { 5, .5, 0, 0 },
        { 6, .5, 1, 6 },
        { 10, .5, 2, 9 },
        { 20, .5, 6, 15 },
        { 100, .5, 40, 61 },
        { 1000, .99, 983, 997 },
        { 10000, .99, 9880, 9920 },
        { 71, .95, 0, 0 },
        { 72, .95, 64, 72 },
        { 367, .99, 0, 0 },
        { 0, .5, 0, 0 },
        { 100, 0, 0, 0 },
        { 100, 1, 0, 0 },
        { 100, NAN, 0, 0 },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct ranks r = percentile_ranks(rows[i].n, rows[i].p, 0.95);
        if (r.lo != rows[i].lo || r.hi != rows[i].hi)
            printf("# n %u, p %g: %u to %u\n", (unsigned)rows[i].n, rows[i].p, (unsigned)r.lo,
                   (unsigned)r.hi);
        CHECK(r.defined == (rows[i].lo > 0) && r.lo == rows[i].lo && r.hi == rows[i].hi);
    }
    CHECK(percentile_ranks(368, .99, 0.95).defined);
    CHECK(!percentile_ranks(100, .5, 0).defined && !percentile_ranks(100, .5, 1).defined);
}

// The probability of holding the percentile, by the binomial distribution: enough, and no rank to spare.
TEST(percentile_ranks_cover) {
    for (int i = 0; i < 2000; i++) {
        uint64_t n = 1 + test_below(i % 2 ? 200 : 100000);
        double p = i % 3 ? test_uniform() : 0.99, conf = i % 5 ? 0.95 : 0.5 + test_uniform() * 0.499,
               tail = (1 - conf) / 2;
        struct ranks r = percentile_ranks(n, p, conf);
        double none_below = binomial_cdf(0, n, p), all_below = binomial_upper(n, n, p);
        if (!r.defined) {
            CHECK(none_below >= tail - 1e-12 || all_below > tail - 1e-12);
            continue;
        }
        CHECK(1 <= r.lo && r.lo < r.hi && r.hi <= n);
        CHECK(binomial_cdf(r.hi - 1, n, p) - binomial_cdf(r.lo - 1, n, p) >= conf - 1e-12);
        CHECK(binomial_cdf(r.lo, n, p) >= tail - 1e-12 && binomial_upper(r.hi - 1, n, p) >= tail - 1e-12);
    }
}

TEST(percentile_ranks_of_billions_are_close_and_wider) {
    double ps[] = { 0.001, 0.5, 0.95, 0.999 };
    for (int i = 0; i < 4; i++) {
        struct ranks exact = percentile_ranks(1ull << 30, ps[i], 0.95);
        struct ranks large = percentile_ranks((1ull << 30) + 1, ps[i], 0.95);
        CHECK(exact.defined && large.defined && large.lo <= exact.lo && large.hi >= exact.hi);
        CHECK(exact.lo - large.lo < 8 && large.hi - exact.hi < 8);
    }
    CHECK(!percentile_ranks(1ull << 40, 1e-13, 0.95).defined);
    CHECK(percentile_ranks(UINT64_MAX, 0.5, 0.95).defined);
}

TEST(percentile_intervals_cover_in_simulation) {
    enum { ROUNDS = 2000, N = 150 };
    double ps[] = { 0.5, 0.75, 0.9, 0.95 };
    int covered[4] = { 0 };
    for (int round = 0; round < ROUNDS; round++) {
        double x[N];
        struct estimate e[4];
        for (int i = 0; i < N; i++) x[i] = -log(test_uniform());
        percentile_doubles(x, N, ps, 4, 0.95, e);
        for (int i = 0; i < 4; i++) covered[i] += e[i].lo <= -log(1 - ps[i]) && -log(1 - ps[i]) <= e[i].hi;
    }
    for (int i = 0; i < 4; i++) CHECK(covered[i] > ROUNDS * 0.935 && covered[i] < ROUNDS * 0.99);
}

TEST(percentile_mean_is_the_same_in_any_order) {
    enum { N = 2000 };
    static double x[N];
    for (int i = 0; i < N; i++) x[i] = exp(test_uniform() * 60 - 30) * (test_below(2) ? 1 : -1);
    double mean = percentile_mean_doubles(x, N).value;
    for (int round = 0; round < 50; round++) {
        for (size_t i = N - 1; i > 0; i--) {
            size_t k = test_below(i + 1);
            double t = x[i];
            x[i] = x[k];
            x[k] = t;
        }
        CHECK(percentile_mean_doubles(x, N).value == mean);
    }
    double few[] = { 1, NAN, 1e100, 1, -1e100 };
    CHECK(percentile_mean_doubles(few, 5).value == 0.5);
    double inf[] = { 1, INFINITY };
    CHECK(percentile_mean_doubles(inf, 2).value == INFINITY);
    int64_t ints[] = { INT64_MAX, INT64_MAX, INT64_MIN, INT64_MIN };
    CHECK(percentile_mean_ints(ints, 4).value == -0.5 && percentile_mean_ints(ints, 2).value == 0x1p63);
}
