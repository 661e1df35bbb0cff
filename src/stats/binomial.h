// SPDX-License-Identifier: Apache-2.0
// The binomial distribution: the number of hits of n independent trials, each with probability p. Exact
// but for rounding: through the incomplete beta function, Abramowitz, Stegun 26.5.24. Time O(sqrt(n)).
// thread: any.
#pragma once

#include <stdint.h>

// p outside [0, 1] gives NaN.
double binomial_cdf(uint64_t k, uint64_t n, double p);   // P(hits <= k); 1 for k >= n
double binomial_upper(uint64_t k, uint64_t n, double p); // P(hits >= k); 1 for k = 0, 0 for k > n
// The least k with P(hits <= k) >= q; q and p in [0, 1] (asserted).
uint64_t binomial_quantile(double q, uint64_t n, double p);
