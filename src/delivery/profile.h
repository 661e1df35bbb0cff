// SPDX-License-Identifier: Apache-2.0
// The tempo profile: what holds the tempo back most, how mature each dimension is, and which failure
// modes show. Every statement is a finding with its evidence and threshold; what the data cannot tell is
// said to be so and never counts as good. Pure. thread: any.
#pragma once

#include "delivery/finding.h"

enum { PROFILE_RULES = 24, PROFILE_MODES = 19, PROFILE_DIMENSIONS = 6, PROFILE_STEPS = 2 };

// The rules in their order; the first that is answered yes is the headline. The last one, "nothing",
// is yes when no other is.
void profile_rules(const struct finding_case *c, struct finding out[static PROFILE_RULES]);
// The index of the headline.
unsigned profile_headline(const struct finding rules[static PROFILE_RULES]);

// A dimension stands on the last step up to which all are answered yes: 0 manual and monthly, 1
// automated and weekly, 2 progressive and daily. Where the next step cannot be known, it may stand as high
// as the last one before a no.
struct profile_dimension {
    const char *name;
    struct finding steps[PROFILE_STEPS];
    unsigned level, most;
};
void profile_ladder(const struct finding_case *c, struct profile_dimension out[static PROFILE_DIMENSIONS]);

// Signs of trouble that Takt knows by name; yes: it is there.
void profile_modes(const struct finding_case *c, struct finding out[static PROFILE_MODES]);
