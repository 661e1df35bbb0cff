// SPDX-License-Identifier: Apache-2.0
#include "stats/binomial.h"

#include <math.h>

#include "base/test.h"

// A second way: probabilities term by term, in logarithms of 80 bits.
static long double cdf_by_terms(uint64_t k, uint64_t n, double p) {
    long double sum = 0, ln_choose = 0;
    for (uint64_t i = 0; i <= k && i <= n; i++) {
        sum += expl(ln_choose + i * logl(p) + (n - i) * log1pl(-(long double)p));
        ln_choose += logl((long double)(n - i)) - logl((long double)i + 1);
    }
    return sum;
}

TEST(binomial_is_the_sum_of_its_terms) {
    for (int i = 0; i < 1000; i++) {
        uint64_t n = 1 + test_below(i % 2 ? 30 : 2000), k = test_below(n);
        double p = i % 5 ? test_uniform() : test_uniform() / 100;
        long double want = cdf_by_terms(k, n, p);
        CHECK(fabsl(binomial_cdf(k, n, p) - want) <= 1e-11L * want + 1e-300L);
        CHECK(fabsl(binomial_upper(k + 1, n, p) - (1 - want)) <= 1e-11L);
    }
}

TEST(binomial_small_values_and_ends) {
    CHECK(fabs(binomial_cdf(1, 3, 0.5) - 0.5) < 1e-15);
    CHECK(fabs(binomial_upper(3, 3, 0.1) - 0.001) < 1e-17);
    CHECK(fabs(binomial_upper(30, 270, 0.05) / 4.306910777e-5 - 1) < 1e-9); // scipy
    CHECK(binomial_cdf(3, 3, 0.2) == 1 && binomial_upper(0, 3, 0.2) == 1 && binomial_upper(4, 3, 0.2) == 0);
    CHECK(binomial_cdf(0, 3, 0) == 1 && binomial_cdf(2, 3, 1) == 0 && binomial_upper(3, 3, 1) == 1);
    CHECK(binomial_cdf(0, 0, 0.5) == 1 && isnan(binomial_cdf(0, 1, 1.5)) && isnan(binomial_upper(0, 1, NAN)));
}

TEST(binomial_quantile_is_the_least_that_reaches) {
    for (int i = 0; i < 2000; i++) {
        uint64_t n = test_below(i % 4 ? 60 : 1000000);
        double p = i % 3 ? test_uniform() : i % 2 ? test_uniform() / 1000 : 1 - test_uniform() / 1000;
        double q = i % 7 ? test_uniform() : (double)test_below(2);
        uint64_t k = binomial_quantile(q, n, p);
        CHECK(k <= n && binomial_cdf(k, n, p) >= q);
        CHECK(k == 0 || binomial_cdf(k - 1, n, p) < q);
    }
    CHECK_U64(binomial_quantile(0.5, 10, 0), 0);
    CHECK_U64(binomial_quantile(0.5, 10, 1), 10);
    CHECK_U64(binomial_quantile(1, 10, 0.5), 10);
    CHECK_U64(binomial_quantile(0, 10, 0.5), 0);
}
