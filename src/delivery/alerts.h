// SPDX-License-Identifier: Apache-2.0
// Alerts by team over the last weeks: those that a tool sent, and the incidents that a tool opened by
// itself. An alert that is an incident by rule is one of each, and counted once as an alert. thread: that
// of the db.
#pragma once

#include "delivery/scope.h"

enum { ALERT_WEEKS = 5 };

struct alert_team {
    struct str team;             // the catalogue's, else the one that the alert names; empty: none
    uint64_t weeks[ALERT_WEEKS]; // alerts in each, the last one first
    uint64_t firing, incidents;  // now; of the last week
};
// Of the weeks that end at `to`; the team with the most alerts in the last one first. The first error of a
// call ends the reading.
NODISCARD enum err alerts_each(struct db *db, const struct scope *s, int64_t to,
                               enum err (*each)(void *ctx, const struct alert_team *t), void *ctx);
