// SPDX-License-Identifier: Apache-2.0
// Inside impact.c and its parts: a computation under way.
#pragma once

#include "impact/impact.h"
#include "impact/variants.h"

#define HOUR_NS (3600 * 1000000000ll)
#define SCALE_POINTS 100.0

// What spans call the new version: requests, and others that were read. What finds spans of it asks for all.
struct impact_new_names {
    struct str items[2 * VERSIONS_MAX];
    uint32_t n;
    bool cut; // there were more
};

struct computing {
    struct arena *a;
    const struct impact_source *src;
    struct impact_ask *ask;
    struct impact_report *out;
    struct err_ctx *ctx;
    struct impact_variants variants; // of a flag
    struct versions versions;        // of a flag: its variants
    bool is_new[VERSIONS_MAX];
    uint32_t old; // index of the baseline; VERSIONS_MAX: none
    bool new_seen;
    struct impact_new_names new_names;
    struct arms_told told;              // what the requests that were compared say of their sampling,
    uint64_t compared;                  // of so many
    struct impact_window before, after; // BEFORE_AFTER
    struct impact_window window;        // CONCURRENT: both serve
};

void impact_say(struct impact_lines *l, struct str text);
uint64_t impact_requests_in(const struct versions *v, uint32_t i, struct impact_window w);

// Flags (flag.c): which traces were served what; then which variant is the new one.
NODISCARD enum err impact_read_variants(struct computing *c);
void impact_choose_variant(struct computing *c);
void impact_explain_variants(struct computing *c, double all, double without);

// Which arm a request is of in the phase that was judged.
struct impact_arm_rule impact_rule_of(struct computing *c);
// The new version's arm is all that there is.
struct impact_arm_rule impact_rule_of_new(struct computing *c);
// Reads the windows before and after the rollout as arms, for their routes alone.
NODISCARD enum err impact_find_lost_in_time(struct computing *c);
// What is not seen any more (blind.c): routes that vanished are asked for once more, and spans counted.
NODISCARD enum err impact_find_blind(struct computing *c);

// Words (words.c).
void impact_explain(struct computing *c);
