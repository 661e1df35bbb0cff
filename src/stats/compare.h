// SPDX-License-Identifier: Apache-2.0
// Comparisons of two samples, from the values or from counts per bucket; and what to do with the p-values
// of many comparisons. For samples of several routes at once see strata.h. thread: the arrays are the
// caller's.
#pragma once

#include "base/mem.h"
#include "stats/histogram.h"
#include "stats/interval.h"

// --- are new values larger? ---------------------------------------------------------------------------

// The Mann-Whitney test. Sensitive to a shift of everything; a regression of the slowest 1 % alone hardly
// shows in it: compare percentiles, or the shares above a limit (rate_test), for that.
struct mann_whitney {
    double n_old, n_new;      // values
    double u;                 // pairs in which the new value is larger, those with a tie by half
    double share;             // u of all pairs: how probably a new value is larger; 0.5: neither way
    double variance;          // of u if there is no difference, corrected for ties
    bool exact;               // p from the exact distribution, not the normal one
    struct significance test; // undefined if either sample is empty
};

// Sorts both arrays; NaN are left out. Without ties and for n_old * n_new <= 625 p is exact; otherwise
// normal, with the correction for continuity: z = (|u - mean| - 1/2) / deviation, with the sign of u - mean.
// All values equal: z is 0 and every p is 1. O(n log n). Mann, Whitney, Annals of
// Mathematical Statistics 18 (1947) 50-60; Lehmann, Nonparametrics (1975), chapter 1.
struct mann_whitney compare_values(double *old, size_t n_old, double *new, size_t n_new);
// The same where values of a bucket count as equal: n counts each, of the same buckets in ascending order.
// It is exactly the test of values that are rounded to their bucket.
struct mann_whitney compare_buckets(const uint64_t *old, const uint64_t *new, size_t n);

// --- by how much? -------------------------------------------------------------------------------------

// new - old of percentiles: the percentile and its order-statistic interval in each sample, put together by
// estimate_difference. out[i] is of p[i]; n_p <= PERCENTILES_MAX. Reorders both arrays. Bounded only where
// both samples are large enough for an interval (see percentile.h).
void compare_percentiles(double *old, size_t n_old, double *new, size_t n_new, const double *p, size_t n_p,
                         double conf, struct estimate *out);
// Of buckets, the same or different ones; bounds allow for all that a bucket hides.
struct estimate compare_histograms(struct histogram old, struct histogram new, double p, double conf);

// --- many comparisons ---------------------------------------------------------------------------------

// Adjusted p-values: calling everything with q[i] <= 0.05 a difference has an expected share of false
// calls of at most 0.05 of all calls, for independent or positively dependent tests.
// Benjamini, Hochberg, J. Royal Statistical Society B 57 (1995) 289-300. A p that is NaN or outside [0, 1]
// was not tested: its q is NaN, and it does not count among the n. q may be p. ERR_NOMEM: q is untouched.
NODISCARD enum err compare_adjust(struct arena *a, const double *p, size_t n, double *q);
