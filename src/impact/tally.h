// SPDX-License-Identifier: Apache-2.0
// Inside impact_judge only: the requests of both arms counted within strata. A stratum is what route, caller
// and minute have in common; minutes with few requests of a caller are put together, or most of them would
// have one arm only. thread: the arms are the caller's.
#pragma once

#include "impact/judge.h"
#include "stats/dispersion.h"
#include "stats/histogram.h"
#include "stats/strata.h"

struct counting {
    struct arena *a;
    const struct arms *arms; // sorted
    struct impact_rules rules;
    uint32_t base, n_minutes;        // of all samples
    uint8_t *seen;                   // by minute: a bit for each arm
    uint16_t limit[ARMS_ROUTES_MAX]; // the bucket of the old 95th percentile; faster or equal is no hit
    bool has_limit[ARMS_ROUTES_MAX];
};
struct sample_range {
    uint32_t from, to;
};
// ERR_LIMIT: from the first to the last are more minutes than a judgement can be of.
NODISCARD enum err counting_init(struct counting *c, struct arena *a, const struct arms *arms,
                                 struct impact_rules rules);

struct tally { // of the hits of one question
    struct weighted_stratum *strata;
    uint32_t n, cap;
    struct weighted_sum of[ARM_COUNT]; // as weighted; all else is divided by the design effect of its arm
    struct weighted_rate pods[ARM_COUNT][ARMS_PODS_MAX];
    struct weighted_rate *slots[ARM_COUNT]; // time_is_arm: by quarter of an hour
    uint32_t n_slots;
};
NODISCARD enum err tally_range(const struct counting *c, enum impact_kind kind, struct sample_range r,
                               struct tally *out);
struct weighted_rate tally_total(const struct tally *t, enum arm arm);
// How much more units of an arm vary than chance has it: the larger of what pods and, where time is what is
// compared, quarters of an hour show.
struct dispersion tally_dispersion(const struct tally *t);

// Durations, without those of cold pods. Alike: each arm as if both had the requests of a stratum in one
// proportion, that of the product of their numbers over their sum; strata of one arm are left out. So a shift
// of the mix moves no percentile. Li, Morgan, Zaslavsky, J. American Statistical Association 113 (2018)
// 390-400.
struct spread {
    uint64_t own[ARM_COUNT][ARMS_BUCKETS], alike[ARM_COUNT][ARMS_BUCKETS];
};
NODISCARD enum err spread_range(const struct counting *c, struct sample_range r, struct spread *out);
struct histogram spread_own(const struct counting *c, const struct spread *s, enum arm arm);
struct histogram spread_alike(const struct counting *c, const struct spread *s, enum arm arm);
