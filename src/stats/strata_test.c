// SPDX-License-Identifier: Apache-2.0
#include "stats/strata.h"

#include "base/test.h"
#include "stats/binomial.h"
#include "stats/special.h"

static bool within(double got, double want, double absolute) {
    if (fabs(got - want) <= absolute) return true;
    printf("# got %.12g, want %.12g\n", got, want);
    return false;
}
static struct rate draw(uint64_t n, double p) {
    if (n > 30) return (struct rate){ binomial_quantile(test_uniform(), n, p), n };
    struct rate r = { 0, n };
    for (uint64_t i = 0; i < n; i++) r.k += test_uniform() < p;
    return r;
}
static struct stratum stratum(uint64_t k_old, uint64_t n_old, uint64_t k_new, uint64_t n_new) {
    return (struct stratum){ { k_old, n_old }, { k_new, n_new } };
}

TEST(strata_match_published_values) { // statsmodels' StratifiedTable
    struct stratum s[] = { stratum(15, 3000, 20, 2000), stratum(10, 7000, 2, 1000) };
    struct significance t = strata_test(s, 2, NULL);
    CHECK(within(t.z * t.z, 4.3766220937, 5e-11) && within(t.p, .0364351358, 5e-11) && t.z > 0);
    CHECK(within(t.p_up, t.p / 2, 1e-15) && strata_used(s, 2) == 2);
    // By hand: sums of 20 * 3000 / 5000 + 2 * 7000 / 8000 and 15 * 2000 / 5000 + 10 * 1000 / 8000.
    CHECK(within(strata_ratio(s, 2, NULL, 0.95).value, 13.75 / 7.25, 1e-12));
    CHECK(within(strata_difference(s, 2, NULL, 0.95).value, 6.5 / (1200 + 875), 1e-12));
}

// Against the formulas as the papers write them, worked out apart from this code; and one stratum by Katz's
// logarithmic interval, which that of Greenland and Robins is then.
TEST(strata_intervals_match_worked_examples) {
    struct stratum s[] = { stratum(15, 3000, 20, 2000), stratum(10, 7000, 2, 1000) };
    struct estimate d = strata_difference(s, 2, NULL, 0.95), r = strata_ratio(s, 2, NULL, 0.95);
    CHECK(within(d.lo, -0.000115155848386405, 1e-14) && within(d.hi, 0.00638021608935026, 1e-14));
    CHECK(within(r.lo, 1.030693393630306, 1e-11) && within(r.hi, 3.489794796939113, 1e-11));
    r = strata_ratio(s, 1, NULL, 0.95);
    double deviation = sqrt(1.0 / 20 - 1.0 / 2000 + 1.0 / 15 - 1.0 / 3000);
    CHECK(within(r.value, 2, 1e-14) && within(log(r.hi / 2), normal_two_sided(0.95) * deviation, 1e-12));
}

TEST(strata_do_not_take_a_shift_of_traffic_for_a_regression) {
    // Both routes fail alike in both versions; the new one has four times the bad route's share.
    struct stratum s[] = { stratum(20, 2000, 80, 8000), stratum(40, 8000, 10, 2000) };
    struct significance t = strata_test(s, 2, NULL);
    CHECK(within(t.z, 0, 1e-12) && within(t.p, 1, 1e-12));
    CHECK(within(strata_difference(s, 2, NULL, 0.95).value, 0, 1e-15));
    CHECK(within(strata_ratio(s, 2, NULL, 0.95).value, 1, 1e-12));
    CHECK(rate_test((struct rate){ 60, 10000 }, (struct rate){ 90, 10000 }).p < 0.02); // what totals say
}

TEST(strata_of_nothing) {
    struct stratum none[] = { stratum(0, 0, 1, 5), stratum(1, 5, 0, 0), stratum(6, 5, 1, 5) };
    CHECK(strata_used(none, 3) == 0 && !strata_test(none, 3, NULL).defined);
    CHECK(!strata_difference(none, 3, NULL, .95).defined && !strata_ratio(none, 3, NULL, .95).defined);
    CHECK(!strata_test(none, 0, NULL).defined && !strata_shift(NULL, 0, NULL).test.defined);
    struct stratum quiet[] = { stratum(0, 50, 0, 60), stratum(0, 5, 0, 6) };
    CHECK(strata_test(quiet, 2, NULL).p == 1 && strata_test(quiet, 2, NULL).p_up == 1);
    struct estimate e = strata_difference(quiet, 2, NULL, .95);
    CHECK(e.defined && e.value == 0 && !e.bounded && !strata_ratio(quiet, 2, NULL, .95).defined);
    struct stratum one_sided[] = { stratum(0, 50, 3, 60) };
    e = strata_ratio(one_sided, 1, NULL, .95);
    CHECK(e.defined && e.value == INFINITY && !e.bounded);
    CHECK(strata_difference(one_sided, 1, NULL, .95).bounded &&
          !strata_difference(one_sided, 1, NULL, 1).bounded);
}

// Strata that say nothing change nothing; versions exchanged turn everything around; one stratum is
// nearly the plain score test.
TEST(strata_are_symmetric_and_leave_out_what_says_nothing) {
    for (int round = 0; round < 1000; round++) {
        struct stratum s[12], back[12];
        size_t n = 1 + test_below(10);
        for (size_t i = 0; i < n; i++) {
            uint64_t n_old = 1 + test_below(200), n_new = 1 + test_below(200);
            s[i] = stratum(test_below(n_old + 1), n_old, test_below(n_new + 1), n_new);
            back[i] = (struct stratum){ s[i].new, s[i].old };
        }
        s[n] = stratum(0, 0, 5, 9);
        s[n + 1] = stratum(5, 9, 0, 0);
        struct significance t = strata_test(s, n, NULL), more = strata_test(s, n + 2, NULL);
        struct significance u = strata_test(back, n, NULL);
        CHECK(t.z == more.z && within(t.z, -u.z, 1e-12) && within(t.p_up, u.p_down, 1e-12));
        struct estimate d = strata_difference(s, n, NULL, .9), e = strata_difference(back, n, NULL, .9);
        CHECK(within(d.value, -e.value, 1e-13) && within(d.lo, -e.hi, 1e-12) && within(d.hi, -e.lo, 1e-12));
        struct estimate r = strata_ratio(s, n, NULL, .9), q = strata_ratio(back, n, NULL, .9);
        if (r.bounded) CHECK(within(r.lo * q.hi, 1, 1e-11) && r.lo <= r.value && r.value <= r.hi);
        struct significance plain = rate_test(s[0].old, s[0].new), one = strata_test(s, 1, NULL);
        double all = (double)(s[0].old.n + s[0].new.n);
        CHECK(within(one.z, plain.z * sqrt((all - 1) / all), 1e-10));
    }
}

// The variance of Greenland and Robins holds for few large strata; there it and Sato's must agree.
TEST(strata_difference_has_the_variance_of_greenland_and_robins) {
    for (int round = 0; round < 200; round++) {
        struct stratum s[3];
        double up = 0, weight = 0;
        for (int i = 0; i < 3; i++) {
            double base = 0.02 + 0.2 * test_uniform();
            s[i] = (struct stratum){ draw(20000 + test_below(80000), base),
                                     draw(20000 + test_below(80000), base + 0.02) };
            double k0 = (double)s[i].old.k, n0 = (double)s[i].old.n, k1 = (double)s[i].new.k,
                   n1 = (double)s[i].new.n;
            up += (k1 * (n1 - k1) * n0 * n0 * n0 + k0 * (n0 - k0) * n1 * n1 * n1) /
                  (n0 * n1 * (n0 + n1) * (n0 + n1));
            weight += n0 * n1 / (n0 + n1);
        }
        struct estimate e = strata_difference(s, 3, NULL, 0.95);
        double half = normal_two_sided(0.95) * sqrt(up) / weight;
        CHECK(e.bounded && within((e.hi - e.lo) / 2 / half, 1, 0.03));
    }
}

// Few large strata and many small ones; the base rate differs from stratum to stratum, the shares of
// traffic do so too.
TEST(strata_cover_and_hold_their_level) {
    static const struct {
        size_t n;
        uint64_t size;
        double effect;
    } rows[] = { { 4, 800, 0 }, { 4, 800, .03 }, { 250, 8, 0 }, { 250, 8, .08 } };
    enum { ROUNDS = 1500 };
    for (size_t row = 0; row < sizeof rows / sizeof *rows; row++) {
        int covered = 0, alarms = 0, crude = 0;
        for (int round = 0; round < ROUNDS; round++) {
            struct stratum s[250];
            struct rate old = { 0, 0 }, new = { 0, 0 };
            for (size_t i = 0; i < rows[row].n; i++) {
                double part = (double)i / (double)rows[row].n, base = 0.02 + 0.3 * part;
                uint64_t n_new = 1 + (uint64_t)((double)rows[row].size * (0.2 + part));
                uint64_t n_old = 1 + (uint64_t)((double)rows[row].size * (1.2 - part));
                s[i] = (struct stratum){ draw(n_old, base), draw(n_new, base + rows[row].effect) };
                old.k += s[i].old.k, old.n += s[i].old.n, new.k += s[i].new.k, new.n += s[i].new.n;
            }
            struct estimate e = strata_difference(s, rows[row].n, NULL, 0.95);
            covered += e.lo <= rows[row].effect && rows[row].effect <= e.hi;
            alarms += strata_test(s, rows[row].n, NULL).p < 0.05;
            crude += rate_test(old, new).p < 0.05;
        }
        CHECK(covered > ROUNDS * 0.92 && covered < ROUNDS * 0.98);
        if (rows[row].effect > 0)
            CHECK(alarms > ROUNDS * 0.5);
        else
            CHECK(alarms > ROUNDS * 0.02 && alarms < ROUNDS * 0.08 && crude > ROUNDS * 0.9);
    }
}

// Every pod has its own rate in every route: with the dispersion the level nearly holds (routes vary by
// different factors, and one factor stands for all), without it not at all.
TEST(strata_with_dispersion_hold_their_level) {
    enum { ROUNDS = 1000, ROUTES = 3, PODS = 4, SIZE = 600 };
    int plain = 0, widened = 0, covered = 0;
    for (int round = 0; round < ROUNDS; round++) {
        struct stratum s[ROUTES] = { 0 };
        struct dispersion d = { 0 };
        for (int route = 0; route < ROUTES; route++) {
            struct rate old[PODS], new[PODS];
            for (int pod = 0; pod < PODS; pod++) {
                double base = 0.05 * (route + 1);
                old[pod] = draw(SIZE, base * (0.6 + 0.8 * test_uniform()));
                new[pod] = draw(SIZE, base * (0.6 + 0.8 * test_uniform()));
                s[route].old.k += old[pod].k, s[route].old.n += SIZE;
                s[route].new.k += new[pod].k, s[route].new.n += SIZE;
            }
            dispersion_add(&d, old, PODS);
            dispersion_add(&d, new, PODS);
        }
        CHECK(d.df == 2 * ROUTES * (PODS - 1));
        plain += strata_test(s, ROUTES, NULL).p < 0.05;
        widened += strata_test(s, ROUTES, &d).p < 0.05;
        struct estimate e = strata_difference(s, ROUTES, &d, 0.95), r = strata_ratio(s, ROUTES, &d, 0.95);
        covered += e.lo <= 0 && 0 <= e.hi;
        CHECK((e.lo <= 0 && 0 <= e.hi) == (r.lo <= 1 && 1 <= r.hi) || strata_test(s, ROUTES, &d).p < 0.1);
    }
    CHECK(plain > ROUNDS * 0.3 && widened < ROUNDS * 0.11 && widened > ROUNDS * 0.02);
    CHECK(covered > ROUNDS * 0.89);
}

TEST(strata_shift_is_mann_whitney_within_routes) {
    enum { N = 40 };
    int alarms = 0, crude = 0, found = 0;
    for (int round = 0; round < 500; round++) {
        double fast_old[N], fast_new[N / 4], slow_old[N / 4], slow_new[N], old[N * 2], new[N * 2];
        size_t n_old = 0, n_new = 0;
        double shift = round % 2 ? 1.7 : 1;
        for (int i = 0; i < N; i++) old[n_old++] = fast_old[i] = exp(normal_quantile(test_uniform()));
        for (int i = 0; i < N; i++)
            new[n_new++] = slow_new[i] = 9 * shift *exp(normal_quantile(test_uniform()));
        for (int i = 0; i < N / 4; i++) {
            old[n_old++] = slow_old[i] = 9 * exp(normal_quantile(test_uniform()));
            new[n_new++] = fast_new[i] = shift *exp(normal_quantile(test_uniform()));
        }
        struct mann_whitney routes[] = { compare_values(fast_old, N, fast_new, N / 4),
                                         compare_values(slow_old, N / 4, slow_new, N),
                                         compare_values(slow_old, 0, slow_new, N) };
        struct strata_shift t = strata_shift(routes, 3, NULL);
        CHECK(t.test.defined && t.share >= 0 && t.share <= 1);
        double want = 0, variance = 0; // both strata have the same weight
        for (int i = 0; i < 2; i++) want += routes[i].u - N * N / 8.0, variance += routes[i].variance;
        CHECK(within(t.test.z, want / sqrt(variance), 1e-12));
        CHECK(within(t.share, (routes[0].u + routes[1].u) / (N * N / 2.0), 1e-12));
        if (round % 2)
            found += t.test.p_up < 0.05;
        else
            alarms += t.test.p < 0.05, crude += compare_values(old, n_old, new, n_new).test.p < 0.05;
    }
    CHECK(alarms < 25 && crude > 200 && found > 100);
}
