// SPDX-License-Identifier: Apache-2.0
// Estimates from samples, against the population that they were drawn from.
#include "stats/weighted.h"

#include "base/test.h"
#include "stats/strata.h"

static bool within(double got, double want, double share) {
    if (fabs(got - want) <= share * fabs(want)) return true;
    printf("# got %.12g, want %.12g\n", got, want);
    return false;
}

TEST(weighted_alike_is_as_many_as_were_drawn) {
    struct weighted_sum s = { 0 };
    CHECK(weighted_effect(&s) == 1 && weighted_effective(&s) == 0 && weighted_effective_hits(&s) == 0);
    for (int i = 0; i < 300; i++) weighted_add(&s, 10, i % 3 == 0);
    struct weighted_rate r = weighted_rate_of(&s);
    CHECK(r.k == 1000 && r.n == 3000 && weighted_is_rate(r));
    CHECK(within(weighted_effective(&s), 300, 1e-12) && within(weighted_effective_hits(&s), 100, 1e-12));
    CHECK(within(weighted_effect(&s), 10, 1e-12));
    s = (struct weighted_sum){ 0 };
    for (int i = 0; i < 50; i++) weighted_add(&s, 4, false); // no hit at all
    CHECK(within(weighted_effect(&s), 4, 1e-12));
    CHECK(!weighted_is_rate((struct weighted_rate){ 1, 0 }) &&
          !weighted_is_rate((struct weighted_rate){ 2, 1 }));
}

TEST(weighted_unlike_counts_for_less_than_was_drawn) {
    struct weighted_sum s = { 0 };
    for (int i = 0; i < 100; i++) weighted_add(&s, 1, false);
    weighted_add(&s, 100, false);
    CHECK(within(weighted_effective(&s), 200.0 * 200 / 10100, 1e-12)); // 4, of 101
}

// All hits and a tenth of the rest are kept: the rate is estimated without bias, as surely as the effect
// says.
TEST(weighted_effect_is_the_variance_of_what_was_sampled_by_outcome) {
    enum { POPULATION = 4000, DRAWS = 1500 };
    double sum = 0, squares = 0, effect = 0, p = 0.05;
    for (int i = 0; i < DRAWS; i++) {
        struct weighted_sum s = { 0 };
        for (int k = 0; k < POPULATION; k++) {
            bool hit = test_uniform() < p;
            if (hit || test_uniform() < 0.1) weighted_add(&s, hit ? 1 : 10, hit);
        }
        struct weighted_rate r = weighted_rate_of(&s);
        sum += r.k / r.n;
        squares += r.k / r.n * (r.k / r.n);
        effect += weighted_effect(&s);
    }
    double mean = sum / DRAWS, variance = squares / DRAWS - mean * mean;
    CHECK(within(mean, p, 0.01));
    CHECK(within(variance * POPULATION / (p * (1 - p)), effect / DRAWS, 0.15));
}

TEST(weighted_counts_add_up_to_what_the_weights_say) {
    double weights[5] = { 2.5, 0, 2.5, 2.5, 2.5 };
    uint64_t counts[5];
    weighted_counts(weights, 5, 4 * 2.5 * 2.5, counts); // four values
    CHECK(counts[0] == 1 && counts[1] == 0 && counts[2] == 1 && counts[3] == 1 && counts[4] == 1);
    weighted_counts(weights, 5, 10, counts); // as ten, of 1 each: none is lost by rounding
    CHECK_U64(counts[0] + counts[1] + counts[2] + counts[3] + counts[4], 10);
    weighted_counts(weights, 5, 0, counts);
    CHECK_U64(counts[0] + counts[4], 0);
}

// Unchanged arms, sampled differently and by outcome: alarms are no more than the level says.
TEST(weighted_strata_hold_their_level_and_agree_with_whole_counts) {
    struct stratum whole[2] = { { { 5, 100 }, { 9, 120 } }, { { 1, 30 }, { 4, 20 } } };
    struct weighted_stratum alike[2];
    for (int i = 0; i < 2; i++)
        alike[i] = (struct weighted_stratum){
            { (double)whole[i].old.k, (double)whole[i].old.n },
            { (double)whole[i].new.k, (double)whole[i].new.n },
            (double)(whole[i].old.n + whole[i].new.n),
        };
    struct strata_answer a = strata_weighted(alike, 2, NULL, 0.95);
    CHECK(a.test.z == strata_test(whole, 2, NULL).z);
    CHECK(a.difference.lo == strata_difference(whole, 2, NULL, 0.95).lo);
    CHECK(a.ratio.hi == strata_ratio(whole, 2, NULL, 0.95).hi);
    alike[0].size = 1; // one request says nothing of two arms
    alike[1].size = 0;
    CHECK(!strata_weighted(alike, 2, NULL, 0.95).test.defined);

    enum { TRIALS = 2000, STRATA = 10 };
    unsigned alarms = 0, covered = 0;
    for (int trial = 0; trial < TRIALS; trial++) {
        struct weighted_stratum s[STRATA] = { 0 };
        struct weighted_sum of[2] = { 0 };
        for (int i = 0; i < STRATA * 200; i++) {
            unsigned arm = (unsigned)test_below(2);
            bool hit = test_uniform() < 0.1;
            double keep = arm == 0 ? 0.5 : hit ? 1 : 0.2;
            if (test_uniform() >= keep) continue;
            struct weighted_stratum *at = &s[i % STRATA];
            struct weighted_rate *r = arm ? &at->new : &at->old;
            r->n += 1 / keep;
            r->k += hit ? 1 / keep : 0;
            at->size++;
            weighted_add(&of[arm], 1 / keep, hit);
        }
        for (int i = 0; i < STRATA; i++) {
            double old = weighted_effect(&of[0]), new = weighted_effect(&of[1]);
            s[i].old = (struct weighted_rate){ s[i].old.k / old, s[i].old.n / old };
            s[i].new = (struct weighted_rate){ s[i].new.k / new, s[i].new.n / new };
        }
        a = strata_weighted(s, STRATA, NULL, 0.95);
        alarms += a.test.p < 0.05;
        covered += a.difference.lo <= 0 && a.difference.hi >= 0;
    }
    printf("# alarms %.4f, covered %.4f\n", alarms / (double)TRIALS, covered / (double)TRIALS);
    CHECK(alarms > 0.025 * TRIALS && alarms < 0.08 * TRIALS);
    CHECK(covered > 0.92 * TRIALS);
}
