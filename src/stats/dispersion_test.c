// SPDX-License-Identifier: Apache-2.0
#include "stats/dispersion.h"

#include "base/test.h"
#include "stats/binomial.h"
#include "stats/special.h"

static bool within(double got, double want, double absolute) {
    if (fabs(got - want) <= absolute) return true;
    printf("# got %.12g, want %.12g\n", got, want);
    return false;
}
static struct rate draw(uint64_t n, double p) {
    return (struct rate){ binomial_quantile(test_uniform(), n, p), n };
}

TEST(dispersion_is_pearson_over_degrees) {
    struct dispersion d = { 0 };
    struct rate units[] = { { 10, 100 }, { 20, 100 }, { 30, 100 }, { 0, 0 }, { 5, 4 } };
    dispersion_add(&d, units, 5);
    CHECK(within(d.chi2, 200.0 / 16, 1e-12) && d.df == 2); // 100 * 0.2 * 0.8 = 16
    CHECK(within(dispersion_factor(&d, 0.95).value, 6.25, 1e-12));
    CHECK(within(dispersion_factor(&d, 0.95).lo, 12.5 / 7.377758908, 1e-8)); // tables: chi2(.975; 2)
    CHECK(within(dispersion_factor(&d, 0.95).hi, 12.5 / 0.050635616, 1e-4));
    uint64_t counts[] = { 4, 6, 8, 99 };
    double exposure[] = { 1, 1, 1, 0 }, twice[] = { 2, 3, 4 };
    dispersion_add_counts(&d, counts, exposure, 4); // 8 / 6 with 2
    CHECK(within(d.chi2, 12.5 + 8.0 / 6, 1e-12) && d.df == 4);
    dispersion_add_counts(&d, counts, NULL, 3);
    CHECK(within(d.chi2, 12.5 + 16.0 / 6, 1e-12) && d.df == 6);
    dispersion_add_counts(&d, counts, twice, 3); // exactly 2 each
    CHECK(within(d.chi2, 12.5 + 16.0 / 6, 1e-12) && d.df == 8);
}

TEST(dispersion_of_nothing) {
    struct dispersion d = { 0 };
    struct rate quiet[] = { { 0, 9 }, { 0, 5 } }, full[] = { { 9, 9 }, { 5, 5 } }, one[] = { { 3, 9 } };
    uint64_t zeros[] = { 0, 0, 0 };
    dispersion_add(&d, quiet, 2);
    dispersion_add(&d, full, 2);
    dispersion_add(&d, one, 1);
    dispersion_add(&d, NULL, 0);
    dispersion_add_counts(&d, zeros, NULL, 3);
    CHECK(d.df == 0 && d.chi2 == 0 && !dispersion_factor(&d, 0.95).defined);
    CHECK(dispersion_widening(&d) == 1 && dispersion_widening(NULL) == 1);
    CHECK(dispersion_critical(&d, 0.95) == normal_two_sided(0.95) && dispersion_critical(NULL, 1) == 0);
    struct rate old = { 5, 83 }, new = { 12, 99 }, none = { 0, 0 };
    CHECK(dispersion_test(&d, old, new).p == rate_test(old, new).p);
    CHECK(dispersion_difference(NULL, old, new, 0.9).lo == rate_difference(old, new, 0.9).lo);
    CHECK(!dispersion_test(&d, old, none).defined && !dispersion_difference(&d, none, new, 0.9).defined);
    CHECK(dispersion_test(&d, (struct rate){ 0, 5 }, (struct rate){ 0, 6 }).p_up == 1);
    CHECK(!dispersion_difference(&d, old, new, 1.5).bounded &&
          dispersion_difference(&d, old, new, 1.5).defined);
}

TEST(dispersion_only_ever_widens) {
    for (int i = 0; i < 1000; i++) {
        struct dispersion d = { test_uniform() * 20, 1 + (double)test_below(20) };
        struct rate old = { 1 + test_below(40), 50 + test_below(100) },
                    new = { test_below(40), 40 + test_below(100) };
        CHECK(dispersion_test(&d, old, new).p >= rate_test(old, new).p - 1e-12);
        struct estimate wide = dispersion_difference(&d, old, new, 0.9),
                        plain = rate_difference(old, new, 0.9);
        CHECK(within(wide.value, plain.value, 1e-14) && wide.hi - wide.lo >= plain.hi - plain.lo - 1e-12);
        CHECK(wide.lo <= wide.value && wide.value <= wide.hi);
        struct estimate f = dispersion_factor(&d, 0.9);
        CHECK(f.lo <= f.value && f.value <= f.hi && dispersion_widening(&d) == fmax(f.value, 1));
    }
}

// Independent requests: the factor is near 1, and its interval covers 1.
TEST(dispersion_of_independent_requests_is_one) {
    enum { ROUNDS = 1000, UNITS = 20 };
    double mean = 0;
    int covered = 0;
    for (int round = 0; round < ROUNDS; round++) {
        struct rate units[UNITS];
        struct dispersion d = { 0 };
        for (int i = 0; i < UNITS; i++) units[i] = draw(200 + 10 * (uint64_t)i, 0.1);
        dispersion_add(&d, units, UNITS);
        struct estimate f = dispersion_factor(&d, 0.95);
        mean += f.value / ROUNDS;
        covered += f.lo <= 1 && 1 <= f.hi;
    }
    CHECK(within(mean, 1, 0.04) && covered > ROUNDS * 0.93 && covered < ROUNDS * 0.975);
}

// Pods of both versions differ among themselves, the versions do not.
TEST(dispersion_keeps_pods_from_faking_a_regression) {
    enum { ROUNDS = 2000, PODS = 5, SIZE = 1000 };
    int plain = 0, widened = 0, covered = 0, found = 0;
    for (int round = 0; round < ROUNDS; round++) {
        struct rate old[PODS], new[PODS], all_old = { 0, 0 }, all_new = { 0, 0 };
        struct dispersion d = { 0 };
        for (int i = 0; i < PODS; i++) {
            old[i] = draw(SIZE, 0.02 + 0.06 * test_uniform());
            new[i] = draw(SIZE, 0.02 + 0.06 * test_uniform());
            all_old.k += old[i].k, all_old.n += SIZE, all_new.k += new[i].k, all_new.n += SIZE;
        }
        dispersion_add(&d, old, PODS);
        dispersion_add(&d, new, PODS);
        plain += rate_test(all_old, all_new).p < 0.05;
        widened += dispersion_test(&d, all_old, all_new).p < 0.05;
        struct estimate e = dispersion_difference(&d, all_old, all_new, 0.95);
        covered += e.lo <= 0 && 0 <= e.hi;
        all_new.k += SIZE * PODS / 20; // 5 points more
        found += dispersion_test(&d, all_old, all_new).p < 0.05;
    }
    CHECK(plain > ROUNDS * 0.3 && widened < ROUNDS * 0.075 && widened > ROUNDS * 0.02);
    CHECK(covered > ROUNDS * 0.92 && found > ROUNDS * 0.7);
}
