// SPDX-License-Identifier: Apache-2.0
// Two versions compared within strata, and the comparisons put together: by route, by minute, or by both.
// A version that merely gets more of the traffic of a bad route, or serves in a bad hour, does not look
// worse then, as it does in totals. Strata may be many and small. A stratum without requests of either
// version says nothing and is left out, as is one with k > n. thread: any.
//
// d is the dispersion of units (pods, minutes) inside each arm and stratum, see dispersion.h: it widens
// variances and takes p from Student's t. NULL: requests are independent.
#pragma once

#include "stats/compare.h"
#include "stats/dispersion.h"

struct stratum {
    struct rate old, new;
};

size_t strata_used(const struct stratum *s, size_t n); // those that are not left out

// The Cochran-Mantel-Haenszel test, without correction for continuity: z^2 is its chi-square with one degree
// of freedom; positive: new has more hits. z = 0 and every p = 1 where no stratum has both hits and misses;
// undefined without strata. Mantel, Haenszel, J. National Cancer Institute 22 (1959) 719-748.
struct significance strata_test(const struct stratum *s, size_t n, const struct dispersion *d);

// The Mantel-Haenszel risk difference, new - old: the mean of the strata's differences, weighted by
// n_old n_new / (n_old + n_new). Defined as soon as there is a stratum. The variance is Sato's, which holds
// for few large strata and for many small ones. Not bounded where strata_test says z = 0 for want of hits or
// misses, nor for a conf outside (0, 1). Bounds are cut to [-1, 1]. Greenland, Robins, Biometrics 41 (1985)
// 55-68; Sato, Biometrics 45 (1989) 1323-1324.
struct estimate strata_difference(const struct stratum *s, size_t n, const struct dispersion *d, double conf);

// The Mantel-Haenszel risk ratio, new / old, with the logarithmic interval of Greenland and Robins. Defined
// when there are hits; INFINITY or 0 and not bounded when the hits are all of one version.
struct estimate strata_ratio(const struct stratum *s, size_t n, const struct dispersion *d, double conf);

// The three of hits and requests that are weighted, by what sampling left out. Each arm's counts are to be
// those of as many requests as say as much, which is its weights' sum over its design effect
// (weighted_effect), alike in all strata; then the value of each answer is that of the weights, and its
// variance that of the sample. size: the requests that the stratum was made from, which the test's variance
// of small strata needs; strata of fewer than two are left out. Counts that are whole, with their sum as the
// size, have the answers of the functions above.
struct weighted_stratum {
    struct weighted_rate old, new;
    double size;
};
struct strata_answer {
    struct significance test;
    struct estimate difference, ratio;
};
struct strata_answer strata_weighted(const struct weighted_stratum *s, size_t n, const struct dispersion *d,
                                     double conf);

// Van Elteren's test: Mann-Whitney tests of the strata, each weighted by 1 / (n_old + n_new + 1). Of
// latencies, with one `each` for a route. share is that of all pairs inside strata, with the same weights.
// Undefined without a stratum that has both versions; no deviation at all: z is 0 and every p is 1. No
// correction for continuity. Van Elteren, Bulletin of the International Statistical Institute 37 (1960)
// 351-361.
struct strata_shift {
    struct significance test;
    double share; // 0.5: neither way
};
struct strata_shift strata_shift(const struct mann_whitney *each, size_t n, const struct dispersion *d);
