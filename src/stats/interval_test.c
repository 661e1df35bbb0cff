// SPDX-License-Identifier: Apache-2.0
#include "stats/interval.h"

#include "base/test.h"

static struct estimate bounded(double lo, double value, double hi) {
    return (struct estimate){ true, true, value, lo, hi };
}

TEST(estimate_difference_squares_and_adds) {
    struct estimate d = estimate_difference(bounded(7, 10, 14), bounded(17, 20, 23));
    CHECK(d.defined && d.bounded && d.value == 10 && d.lo == 10 - 5 && d.hi == 10 + hypot(3, 3));
    d = estimate_difference(bounded(7, 10, INFINITY), bounded(17, 20, 23));
    CHECK(d.bounded && d.lo == -INFINITY && d.hi == 10 + hypot(3, 3));
    d = estimate_difference(bounded(11, 10, 14), bounded(17, 20, 19)); // intervals beside their values
    CHECK(d.lo == 5 && d.hi == 10);
}

TEST(estimate_difference_of_less_is_less) {
    struct estimate none = { 0 }, value = { .defined = true, .value = 3 };
    struct estimate d = estimate_difference(value, bounded(1, 2, 3));
    CHECK(d.defined && d.value == -1 && !d.bounded && d.lo == 0 && d.hi == 0);
    d = estimate_difference(bounded(1, 2, 3), none);
    CHECK(!d.defined && !d.bounded && d.value == 0);
    d = estimate_difference(none, value);
    CHECK(!d.defined && d.value == 0);
}

TEST(significance_of_z_and_t) {
    struct significance s = significance_of(1.959963984540054), t = significance_of_t(-12.706204736174694, 1);
    CHECK(s.defined && fabs(s.p - 0.05) < 1e-14 && fabs(s.p_up - 0.025) < 1e-14 &&
          fabs(s.p_down - 0.975) < 1e-14);
    CHECK(t.defined && fabs(t.p - 0.05) < 1e-12 && fabs(t.p_down - 0.025) < 1e-12 && t.z < -12);
    CHECK(significance_of(0).p == 1 && significance_of(0).p_up == 0.5 && significance_of_t(0, 3).p == 1);
    CHECK(significance_of(INFINITY).p == 0 && significance_of(-INFINITY).p_up == 1);
    CHECK(!significance_of(NAN).defined && significance_of(NAN).p == 0);
    CHECK(!significance_of_t(1, 0).defined && !significance_of_t(NAN, 3).defined);
    CHECK(!significance_of_t(1, INFINITY).defined);
}
