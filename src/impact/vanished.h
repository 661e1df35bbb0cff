// SPDX-License-Identifier: Apache-2.0
// Routes that the old arm serves and the new one does not, though it would if nothing had changed. Within
// each minute that somebody asked for a route, the arms' shares of what its busiest caller asked for beside
// it say how likely it is that the old arm got all of the route: (old + 1) / (old + new + 1), exactly, if the
// requests of the route count as one; and no less than a half, so that no minute tells more than a coin
// would. The product over the minutes is a p-value. Before against after: the quarters of an hour in which
// the route was served are as if drawn from those of both times. A route is lost when its p is at most
// VANISHED_ERROR over the number of routes of the old arm (Bonferroni), so that of a thousand rollouts that
// take nothing away one is wronged at most. Pure. thread: the arms are the caller's.
#pragma once

#include "impact/judge.h"
#include "impact/scan.h"

#define VANISHED_ERROR 0.001
enum { VANISHED_MAX = ROUTE_COUNTS_MAX }; // that are named: the busiest

struct vanished_route {
    struct str route;
    uint64_t requests; // of the old arm, as kept
    uint32_t units;    // minutes, or quarters of an hour, in which it was served
    double p;
    struct arms_examples examples; // of the old arm
};
struct vanished {
    struct vanished_route lost[VANISHED_MAX];
    uint32_t n;          // of lost
    uint32_t n_routes;   // of the old arm
    uint32_t n_testable; // of those: their absence would have shown
    struct str gained;   // the busiest route that only the new arm has: a lost one may have a new name
    bool by_quarter;     // units are quarters of an hour
};
// The arms are sorted (arms_sort). Names are of the arms. ERR_NOMEM; ERR_LIMIT as impact_judge's.
NODISCARD enum err vanished_find(struct arena *a, const struct arms *arms, struct impact_rules rules,
                                 struct vanished *out);
