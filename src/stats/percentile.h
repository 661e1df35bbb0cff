// SPDX-License-Identifier: Apache-2.0
// Exact percentiles of an array, with confidence intervals that assume nothing about how the values are
// spread. Arrays are reordered in place; no memory is taken, and the expected time is linear (see order.h).
// For streams of spans there is sketch.h; these are for hundreds or millions of values kept as they are.
// thread: the array is the caller's.
#pragma once

#include "stats/interval.h"

enum { PERCENTILES_MAX = 16 }; // asked for at once

// Percentile p (0.5: the median) of n values: with h = (n - 1) p and the values x[0] <= x[1] <= ..., it is
// x[floor h] + (h - floor h) (x[floor h + 1] - x[floor h]). Definition 7 of Hyndman and Fan, The American
// Statistician 50 (1996) 361-365; the default of numpy and R, and SQL's PERCENTILE_CONT.
// out[i] is of p[i]: undefined for no values and for a p outside [0, 1]; with the order-statistic interval
// of percentile_ranks where there is one. n_p <= PERCENTILES_MAX (asserted); p in any order.
// Doubles: NaN are left out, and the number of the other values is returned. Between infinities of both signs
// a percentile is NaN, as numpy has it. Integers: beyond 2^53 the answer is rounded to a double.
size_t percentile_doubles(double *x, size_t n, const double *p, size_t n_p, double conf,
                          struct estimate *out);
void percentile_ints(int64_t *x, size_t n, const double *p, size_t n_p, double conf, struct estimate *out);

// The lower of the two middle values, x[floor((n - 1) / 2)]: a value that was measured. DevLake's median.
// false for no values. Doubles: NaN are left out.
bool percentile_lower_median_doubles(double *x, size_t n, double *out);
bool percentile_lower_median_ints(int64_t *x, size_t n, int64_t *out);

// The mean, undefined for no values. The sum of integers is exact; that of doubles is compensated
// (Neumaier, ZAMM 54 (1974) 39-51), so that the order of values makes no difference but in contrived cases.
// NaN are left out here too.
struct estimate percentile_mean_doubles(const double *x, size_t n);
struct estimate percentile_mean_ints(const int64_t *x, size_t n);

// The ranks (from 1) of the two values that hold percentile p of the population between them with
// a probability of conf or more, each side missing it with (1 - conf) / 2 or less. Not defined where n is too
// small for that (a median at 95 % needs 6 values, p95 needs 72, p99 368), where p or conf is
// not inside (0, 1), and for n = 0. Independent values; ties only add to the coverage.
// From Binomial(n, p): Conover, Practical Nonparametric Statistics (1999), section 3.2.
// Above 2^30 values the normal distribution takes over, with ranks to spare.
struct ranks {
    bool defined;
    uint64_t lo, hi; // 1 <= lo < hi <= n
};
struct ranks percentile_ranks(uint64_t n, double p, double conf);
