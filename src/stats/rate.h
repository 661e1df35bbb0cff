// SPDX-License-Identifier: Apache-2.0
// Rates: k of n, and k events in a stretch of time; their confidence intervals, differences and ratios.
// A rate of n = 0 is undefined, never 0, and so is one with k > n. Probabilities are shares, not percent.
// conf is the confidence of intervals, two-sided, inside (0, 1): 0.95; otherwise nothing is bounded.
// thread: any.
#pragma once

#include "stats/interval.h"

struct rate {
    uint64_t k, n; // k of n
};

// k / n with Wilson's score interval, without continuity correction; inside [0, 1], and of a positive
// width even for k = 0 and k = n. Wilson, J. American Statistical Association 22 (1927) 209-212.
struct estimate rate_wilson(struct rate r, double conf);
// The same of k of n that need not be whole numbers, 0 <= k <= n, n > 0, and of any critical value z > 0:
// for counts that are weighted, or divided by a dispersion. Undefined outside these.
struct estimate rate_wilson_weighted(double k, double n, double z);

// new - old with Newcombe's hybrid score interval, see estimate_difference. Undefined if either is.
struct estimate rate_difference(struct rate old, struct rate new, double conf);

// The score test of two rates: z = (new - old) / sqrt(q (1 - q) (1 / n_old + 1 / n_new)), q the rate of both
// together; z^2 is Pearson's chi-square of the 2x2 table, without continuity correction. Where nothing
// tells the two apart (k = 0 or k = n in both), z is 0 and every p is 1. Undefined if either rate is.
// Fleiss, Levin, Paik, Statistical Methods for Rates and Proportions (2003), section 3.2.
struct significance rate_test(struct rate old, struct rate new);
// The least expected number in a cell of that table: below about 5 the test's p is a rough one
// (Cochran, Biometrics 10 (1954) 417-451). 0 if either rate is undefined.
double rate_least_expected(struct rate old, struct rate new);

// The relative risk new / old with the score interval, which agrees with rate_test: old.k = 0 gives
// a bound of INFINITY, new.k = 0 one of 0. Defined for old.k > 0 (new.k = 0: 0); for old.k = 0 < new.k the
// value is INFINITY; bounds are good to 6 digits or more. Undefined when both are 0 (nothing is known) and if
// either rate is undefined. Koopman, Biometrics 40 (1984) 513-517; Miettinen, Nurminen, Statistics in
// Medicine 4 (1985) 213-226.
struct estimate rate_ratio(struct rate old, struct rate new, double conf);

// k events over an exposure (days, requests, ...): events per unit with the exact Poisson interval
// [chi2(a / 2; 2k) / 2, chi2(1 - a / 2; 2k + 2) / 2] / exposure, a = 1 - conf; lo = 0 for k = 0.
// Undefined for exposure <= 0 or not finite. Garwood, Biometrika 28 (1936) 437-442.
struct estimate rate_poisson(uint64_t k, double exposure, double conf);
