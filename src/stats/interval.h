// SPDX-License-Identifier: Apache-2.0
// What a measure answers with: a value, and where the bounds of its confidence interval are known,
// those too. A measure of nothing is not 0 but undefined.
//
// All of src/stats is pure: no clock, no I/O, and the same input gives the same bits. thread: any.
#pragma once

#include <math.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct estimate {
    bool defined;  // the value is there
    bool bounded;  // lo <= value <= hi are there as well; never without a value
    double value;  // 0 unless defined; in the unit of what was measured
    double lo, hi; // 0 unless bounded; may be -INFINITY and INFINITY, where a side has no end
};

// The interval of new - old of two independent measures, from the interval of each: "square and add",
// MOVER. From Wilson's intervals it is Newcombe's hybrid score interval.
// Newcombe, Statistics in Medicine 17 (1998) 873-890, method 10; Zou, Donner, ibid. 27 (2008) 1693-1702.
// Bounded only when both are; defined only when both are.
struct estimate estimate_difference(struct estimate old, struct estimate new);

// A test of whether `new` is larger or smaller than `old`. The p-values are those of no difference.
struct significance {
    bool defined;  // otherwise everything is 0
    double z;      // standard deviations; positive: new is larger
    double p;      // two-sided
    double p_up;   // one-sided: small when new is larger
    double p_down; // one-sided: small when new is smaller
};
// The p-values of a z that is normal when there is no difference. NaN: undefined.
struct significance significance_of(double z);
// The same of Student's t with df > 0 degrees of freedom; z is t.
struct significance significance_of_t(double t, double df);
