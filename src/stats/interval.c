// SPDX-License-Identifier: Apache-2.0
#include "stats/interval.h"

#include "stats/special.h"

// Rounding, and an interval that does not hold its value, must not turn a distance around.
static double gap(double from, double to) {
    double d = to - from;
    return d > 0 ? d : 0;
}

struct estimate estimate_difference(struct estimate old, struct estimate new) {
    struct estimate d = { .defined = old.defined && new.defined };
    if (!d.defined) return d;
    d.value = new.value - old.value;
    d.bounded = old.bounded && new.bounded;
    if (!d.bounded) return d;
    d.lo = d.value - hypot(gap(new.lo, new.value), gap(old.value, old.hi));
    d.hi = d.value + hypot(gap(new.value, new.hi), gap(old.lo, old.value));
    return d;
}

static struct significance from_tails(double z, double p_up, double p_down) {
    double p = 2 * fmin(p_up, p_down);
    return (struct significance){ true, z, p < 1 ? p : 1, p_up, p_down };
}

struct significance significance_of(double z) {
    if (isnan(z)) return (struct significance){ 0 };
    return from_tails(z, normal_upper(z), normal_upper(-z));
}

struct significance significance_of_t(double t, double df) {
    if (isnan(t) || !(df > 0 && df < INFINITY)) return (struct significance){ 0 };
    return from_tails(t, student_upper(t, df), student_upper(-t, df));
}
