// SPDX-License-Identifier: Apache-2.0
#include "stats/binomial.h"

#include <math.h>

#include "base/err.h"
#include "stats/special.h"

double binomial_cdf(uint64_t k, uint64_t n, double p) {
    if (!(p >= 0 && p <= 1)) return NAN;
    return k >= n ? 1 : beta_q((double)k + 1, (double)(n - k), p);
}

double binomial_upper(uint64_t k, uint64_t n, double p) {
    if (!(p >= 0 && p <= 1)) return NAN;
    if (k == 0 || k > n) return k == 0 ? 1 : 0;
    return beta_p((double)k, (double)(n - k) + 1, p);
}

// The normal quantile with the first correction for skewness; it is seldom off by more than one.
static uint64_t guess(double q, uint64_t n, double p) {
    double z = normal_quantile(q), sd = sqrt((double)n * p * (1 - p));
    double k = round((double)n * p + z * sd + (z * z - 1) * (1 - 2 * p) / 6 - 0.5);
    if (!(k > 0)) return 0;
    return k < (double)n ? (uint64_t)k : n;
}

// Doubling steps away from the guess find bounds, halving finds the answer between them.
uint64_t binomial_quantile(double q, uint64_t n, double p) {
    ASSERT(q >= 0 && q <= 1 && p >= 0 && p <= 1);
    uint64_t hi = guess(q, n, p), step = 1, lo; // the answer is in [lo, hi]
    while (hi < n && binomial_cdf(hi, n, p) < q) hi += step < n - hi ? step : n - hi, step *= 2;
    for (lo = hi, step = 1; lo > 0 && binomial_cdf(lo - 1, n, p) >= q; step *= 2) {
        hi = lo - 1;
        lo = hi > step ? hi - step : 0;
    }
    while (lo < hi) {
        uint64_t mid = lo + (hi - lo) / 2;
        if (binomial_cdf(mid, n, p) < q)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}
