// SPDX-License-Identifier: Apache-2.0
#include "stats/rate.h"

#include "base/test.h"
#include "stats/binomial.h"

static bool within(double got, double want, double absolute) {
    if (fabs(got - want) <= absolute) return true;
    printf("# got %.12g, want %.12g\n", got, want);
    return false;
}
static uint64_t draw_hits(uint64_t n, double p) {
    return binomial_quantile(test_uniform(), n, p);
}
static struct rate draw_rate(uint64_t n_max) {
    uint64_t n = 1 + test_below(n_max);
    return (struct rate){ test_below(n + 1), n };
}

TEST(rate_wilson_matches_published_values) {
    static const struct {
        struct rate r;
        double lo, hi, within;
    } rows[] = {
        { { 0, 1 }, 0, .7935, 5e-5 },
        { { 0, 5 }, 0, .4345, 5e-5 },
        { { 1, 5 }, .0362, .6245, 5e-5 },
        { { 3, 20 }, .0524, .3604, 5e-5 },
        { { 5, 56 }, .0387, .1926, 5e-5 },
        { { 0, 56 }, 0, .0642, 5e-5 },
        { { 28, 467 }, .0418, .0853, 5e-5 },
        { { 3, 1992 }, .00051, .00442, 5e-6 },
        { { 10, 10 }, .7225, 1, 5e-5 },
        { { 5, 83 }, .0260034010, .1333842809, 5e-11 }, // statsmodels
        { { 0, 50 }, 0, .0713475991, 5e-11 },
        { { 81, 263 }, .2553, .3662, 5e-5 }, // Newcombe 1998, Stat. Med. 17, 857-872, table I
        { { 15, 148 }, .0624, .1605, 5e-5 },
        { { 0, 20 }, 0, .1611, 5e-5 },
        { { 1, 29 }, .0061, .1718, 5e-5 },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct estimate e = rate_wilson(rows[i].r, 0.95);
        CHECK(e.defined && e.bounded);
        CHECK(e.value == (double)rows[i].r.k / (double)rows[i].r.n);
        CHECK(within(e.lo, rows[i].lo, rows[i].within) && within(e.hi, rows[i].hi, rows[i].within));
    }
}

TEST(rate_of_nothing_is_undefined) {
    struct rate none = { 0, 0 }, wrong = { 3, 2 }, one = { 1, 2 };
    CHECK(!rate_wilson(none, 0.95).defined && !rate_wilson(wrong, 0.95).defined);
    CHECK(!rate_difference(none, one, 0.95).defined && !rate_difference(one, none, 0.95).defined);
    CHECK(!rate_difference(one, none, 0.95).bounded && rate_difference(one, none, 0.95).value == 0);
    CHECK(!rate_test(none, one).defined && !rate_test(one, wrong).defined);
    CHECK(!rate_ratio(none, one, 0.95).defined &&
          !rate_ratio((struct rate){ 0, 4 }, (struct rate){ 0, 9 }, 0.95).defined);
    CHECK(rate_least_expected(none, one) == 0);
    CHECK(!rate_poisson(3, 0, 0.95).defined && !rate_poisson(3, -1, 0.95).defined);
    CHECK(!rate_poisson(3, NAN, 0.95).defined && !rate_poisson(3, INFINITY, 0.95).defined);
    CHECK(!rate_wilson_weighted(1, 0, 2).defined && !rate_wilson_weighted(-1, 3, 2).defined);
    CHECK(!rate_wilson_weighted(NAN, 3, 2).defined && !rate_wilson_weighted(4, 3, 2).defined);
}

TEST(rate_without_a_confidence_has_no_bounds) {
    double wrong[] = { 0, 1, -1, 2, NAN };
    struct rate r = { 1, 4 };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        CHECK(rate_wilson(r, wrong[i]).defined && !rate_wilson(r, wrong[i]).bounded);
        CHECK(rate_difference(r, r, wrong[i]).defined && !rate_difference(r, r, wrong[i]).bounded);
        CHECK(rate_ratio(r, r, wrong[i]).value == 1 && !rate_ratio(r, r, wrong[i]).bounded);
        CHECK(rate_poisson(3, 2, wrong[i]).value == 1.5 && !rate_poisson(3, 2, wrong[i]).bounded);
    }
}

// Newcombe 1998, Stat. Med. 17, 873-890, table II, method 10; the first rate less the second.
TEST(rate_difference_matches_published_values) {
    static const struct {
        struct rate first, second;
        double lo, hi;
    } rows[] = {
        { { 56, 70 }, { 48, 80 }, .0524, .3339 }, { { 9, 10 }, { 3, 10 }, .1705, .8090 },
        { { 6, 7 }, { 2, 7 }, .0582, .8062 },     { { 5, 56 }, { 0, 29 }, -.0381, .1926 },
        { { 0, 10 }, { 0, 20 }, -.1611, .2775 },  { { 0, 10 }, { 0, 10 }, -.2775, .2775 },
        { { 10, 10 }, { 0, 20 }, .6791, 1 },      { { 10, 10 }, { 0, 10 }, .6075, 1 },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct estimate e = rate_difference(rows[i].second, rows[i].first, 0.95);
        CHECK(e.bounded && within(e.lo, rows[i].lo, 6e-5) && within(e.hi, rows[i].hi, 6e-5));
    }
    struct estimate e = rate_difference((struct rate){ 240, 95000 }, (struct rate){ 30, 5000 }, 0.95);
    CHECK(within(e.lo, .0016478921, 5e-11) && within(e.hi, .0060435758, 5e-11));
}

TEST(rate_test_matches_published_values) {
    struct significance s = rate_test((struct rate){ 12, 99 }, (struct rate){ 5, 83 }); // statsmodels
    CHECK(s.defined && within(s.z, -1.4078304151, 5e-11) && within(s.p, .1591812918, 5e-11));
    CHECK(within(s.p_down, s.p / 2, 1e-15) && within(s.p_up, 1 - s.p / 2, 1e-15));
    CHECK(within(rate_test((struct rate){ 240, 95000 }, (struct rate){ 30, 5000 }).z, 4.6136255956, 5e-11));
    s = rate_test((struct rate){ 60, 10000 }, (struct rate){ 90, 10000 });
    CHECK(within(s.z * s.z, 6.0453400504, 5e-11) && within(s.p, .0139430473, 5e-11));
    s = rate_test((struct rate){ 0, 10 }, (struct rate){ 0, 3 });
    CHECK(s.defined && s.z == 0 && s.p == 1 && s.p_up == 1 && s.p_down == 1);
    CHECK(rate_test((struct rate){ 4, 4 }, (struct rate){ 3, 3 }).p == 1);
    CHECK(within(rate_least_expected((struct rate){ 3, 30 }, (struct rate){ 5, 10 }), 2, 1e-12));
}

TEST(rate_answers_are_symmetric) {
    for (int i = 0; i < 2000; i++) {
        struct rate a = draw_rate(i % 2 ? 20 : 100000), b = draw_rate(i % 3 ? 20 : 100000);
        struct rate not_a = { a.n - a.k, a.n }, not_b = { b.n - b.k, b.n };
        struct estimate ab = rate_difference(a, b, 0.9), ba = rate_difference(b, a, 0.9);
        struct estimate not = rate_difference(not_a, not_b, 0.9);
        CHECK(within(ab.lo, -ba.hi, 1e-13) && within(ab.hi, -ba.lo, 1e-13) && ab.value == -ba.value);
        CHECK(within(not .lo, ba.lo, 1e-12) && within(not .hi, ba.hi, 1e-12));
        CHECK(ab.lo <= ab.value && ab.value <= ab.hi && ab.lo >= -1 - 1e-12 && ab.hi <= 1 + 1e-12);
        struct significance s = rate_test(a, b), t = rate_test(b, a);
        CHECK(s.z == -t.z && s.p == t.p && s.p_up == t.p_down);
        struct estimate r = rate_ratio(a, b, 0.9), q = rate_ratio(b, a, 0.9);
        CHECK(r.defined == (a.k + b.k > 0) && q.defined == r.defined);
        if (!r.defined) continue;
        CHECK(r.lo == 0 ? q.hi == INFINITY : within(r.lo * q.hi, 1, 1e-6));
        CHECK(r.lo <= r.value && r.value <= r.hi);
    }
}

// More of the same makes intervals narrower, more confidence makes them wider, and more hits move them up.
TEST(rate_intervals_are_monotone) {
    for (int i = 0; i < 1000; i++) {
        struct rate r = draw_rate(300), more = { r.k * 3, r.n * 3 };
        struct estimate e = rate_wilson(r, 0.9), narrow = rate_wilson(more, 0.9), wide = rate_wilson(r, 0.99);
        CHECK(narrow.hi - narrow.lo < e.hi - e.lo && wide.lo <= e.lo && wide.hi >= e.hi);
        CHECK(0 <= e.lo && e.lo <= e.value && e.value <= e.hi && e.hi <= 1 && e.lo < e.hi);
        struct estimate p = rate_poisson(r.k, 2, 0.9), q = rate_poisson(r.k + 1, 2, 0.9);
        CHECK(p.lo < q.lo && p.hi < q.hi && p.lo <= p.value && p.value <= p.hi);
        if (r.k == r.n) continue;
        struct estimate up = rate_wilson((struct rate){ r.k + 1, r.n }, 0.9);
        CHECK(up.lo > e.lo && up.hi > e.hi);
    }
}

// The ratio's bounds are the ratios that the score test just does not reject; at 1 it is rate_test.
TEST(rate_ratio_agrees_with_the_score_test) {
    struct estimate e = rate_ratio((struct rate){ 16, 80 }, (struct rate){ 36, 40 }, 0.95);
    CHECK(e.value == 4.5 && within(e.lo, 2.94, 5e-3) && within(e.hi, 7.15, 5e-3)); // Koopman's example
    e = rate_ratio((struct rate){ 0, 20 }, (struct rate){ 3, 20 }, 0.95);
    CHECK(e.value == INFINITY && e.hi == INFINITY && e.lo > 0.5 && e.lo < 1);
    e = rate_ratio((struct rate){ 3, 20 }, (struct rate){ 0, 20 }, 0.95);
    CHECK(e.value == 0 && e.lo == 0 && e.hi > 1 && e.hi < 2);
    for (int i = 0; i < 3000; i++) {
        struct rate a = draw_rate(60), b = draw_rate(60);
        struct significance s = rate_test(a, b);
        if (a.k + b.k == 0 || fabs(s.p - 0.05) < 1e-9) continue;
        if (a.k == a.n && b.k == b.n) continue;
        e = rate_ratio(a, b, 0.95);
        CHECK((s.p < 0.05) == (e.lo > 1 || e.hi < 1));
    }
}

TEST(rate_poisson_matches_published_values) {
    static const struct {
        uint64_t k;
        double lo, hi;
    } rows[] = {
        // Garwood's table, as printed in textbooks
        { 0, 0, 3.6889 },        { 1, .0253, 5.5716 },     { 5, 1.6235, 11.6683 },
        { 10, 4.7954, 18.3904 }, { 20, 12.2165, 30.8884 }, { 100, 81.3640, 121.6272 },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct estimate e = rate_poisson(rows[i].k, 1, 0.95);
        CHECK(e.value == (double)rows[i].k && within(e.lo, rows[i].lo, 5e-4) &&
              within(e.hi, rows[i].hi, 5e-4));
    }
    struct estimate e = rate_poisson(56, 28, 0.95);
    CHECK(e.value == 2 && within(e.lo, 42.301798182630215 / 28, 1e-12) &&
          within(e.hi, 72.720658007584944 / 28, 1e-12));
}

// --- coverage -----------------------------------------------------------------------------------------

// Exactly, by summing over all outcomes: Wilson's interval has a coverage near what it says, on average.
TEST(rate_wilson_covers) {
    for (uint64_t n = 5; n <= 100; n += 19) {
        double all = 0, least = 1;
        enum { POINTS = 199 };
        for (int at = 1; at <= POINTS; at++) {
            double p = (double)at / (POINTS + 1), covered = 0, below = 0;
            for (uint64_t k = 0; k <= n; k++) {
                struct estimate e = rate_wilson((struct rate){ k, n }, 0.95);
                double up_to = binomial_cdf(k, n, p);
                if (e.lo <= p && p <= e.hi) covered += up_to - below;
                below = up_to;
            }
            all += covered / POINTS;
            if (covered < least) least = covered;
        }
        CHECK(all > 0.945 && all < 0.965 && least > 0.82);
    }
}

// Garwood's interval never covers less than it says.
TEST(rate_poisson_covers) {
    for (double mean = 0.5; mean < 40; mean *= 1.7) {
        double covered = 0, term = exp(-mean);
        for (uint64_t k = 0; k < 200; k++) {
            struct estimate e = rate_poisson(k, 1, 0.95);
            if (e.lo <= mean && mean <= e.hi) covered += term;
            term *= mean / (double)(k + 1);
        }
        CHECK(covered >= 0.95 && covered < 0.999);
    }
}

TEST(rate_comparisons_cover_and_hold_their_level) {
    static const struct {
        uint64_t n_old, n_new;
        double p_old, p_new;
    } rows[] = {
        { 30, 30, .2, .4 }, { 200, 50, .05, .05 }, { 2000, 300, .02, .03 }, { 5000, 5000, .01, .01 }
    };
    enum { ROUNDS = 3000 };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        int differences = 0, ratios = 0, alarms = 0;
        for (int round = 0; round < ROUNDS; round++) {
            struct rate old = { draw_hits(rows[i].n_old, rows[i].p_old), rows[i].n_old };
            struct rate new = { draw_hits(rows[i].n_new, rows[i].p_new), rows[i].n_new };
            struct estimate d = rate_difference(old, new, 0.95);
            differences += d.lo <= rows[i].p_new - rows[i].p_old && rows[i].p_new - rows[i].p_old <= d.hi;
            alarms += rate_test(old, new).p < 0.05;
            if (round % 10) continue;
            struct estimate r = rate_ratio(old, new, 0.95);
            ratios += !r.defined ||
                      (r.lo <= rows[i].p_new / rows[i].p_old && rows[i].p_new / rows[i].p_old <= r.hi);
        }
        CHECK(differences > ROUNDS * 0.93 && differences < ROUNDS * 0.99);
        CHECK(ratios > ROUNDS / 10 * 0.90);
        if (rows[i].p_old == rows[i].p_new)
            CHECK(alarms > ROUNDS * 0.02 && alarms < ROUNDS * 0.07);
        else
            CHECK(alarms > ROUNDS * 0.1);
    }
}
