// SPDX-License-Identifier: Apache-2.0
// How much more counts vary from pod to pod, or from minute to minute, than independent requests would; and
// tests of two rates that allow for it (quasi-binomial). One bad pod, a retry storm or one busy client make
// requests alike, and a plain test then takes chance for a difference.
//
// Pearson's chi-square over its degrees of freedom: McCullagh, Nelder, Generalized Linear Models (1989),
// section 4.5. A struct dispersion adds up groups of units that should have one rate each, such as the pods
// of the old version and those of the new; zeroed, it knows of nothing. One factor stands for all groups:
// where routes vary very differently, tests over routes are somewhat too sure (7 % instead of 5 % alarms in
// simulations); route by route they are not. thread: one at a time.
#pragma once

#include "stats/rate.h"
#include "stats/weighted.h"

struct dispersion {
    double chi2;
    double df; // units less groups
};

// A group of n units. Units with n = 0 or k > n do not count; a group in which nothing (or everything) hits,
// or with one unit, says nothing and adds nothing. Units should expect one hit and one miss or more on
// average, or the factor is unsteady: take pods, or longer stretches than a minute, then.
void dispersion_add(struct dispersion *d, const struct rate *units, size_t n);
// The same of counts that are weighted, each divided by its design effect (stats/weighted.h).
void dispersion_add_weighted(struct dispersion *d, const struct weighted_rate *units, size_t n);
// The same of counts that have no upper end (Poisson), k over an exposure; NULL: all the same. Units with an
// exposure of 0 or less do not count.
void dispersion_add_counts(struct dispersion *d, const uint64_t *k, const double *exposure, size_t n);

// chi2 / df: 1 when units vary as chance has it. Undefined for df = 0. Bounds: chi2 / quantiles of
// chi-square.
struct estimate dispersion_factor(const struct dispersion *d, double conf);
// What variances are multiplied by: the factor, but never below 1; 1 for NULL and for df = 0.
double dispersion_widening(const struct dispersion *d);
// Deviations on either side of an interval: of Student's t with df, of the normal distribution for NULL and
// for df = 0. 0 for a conf that is not inside (0, 1).
double dispersion_critical(const struct dispersion *d, double conf);
// A z that takes no account of dispersion, divided by the root of the widening; p from Student's t with df.
// As it is for NULL and for df = 0. NaN: undefined.
struct significance dispersion_significance(const struct dispersion *d, double z);

// rate_test, and rate_difference with the counts divided by the widening. d may be NULL.
struct significance dispersion_test(const struct dispersion *d, struct rate old, struct rate new);
struct estimate dispersion_difference(const struct dispersion *d, struct rate old, struct rate new,
                                      double conf);
