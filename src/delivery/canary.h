// SPDX-License-Identifier: Apache-2.0
// The canaries of a rollout, and the steps of one: which share of the requests its version was to get from
// when on, as its tool told it. thread: as the db.
#pragma once

#include "facts/db.h"

// The canaries c of the rollout r, whose id is ?1: those of its version that ran while it did, or ended
// within a day before, since a canary comes first. What the rollout does not tell of its times rules none
// out.
#define CANARIES_OF_ROLLOUT \
    " FROM rollout r JOIN canary c ON c.service = r.service AND ifnull(c.environment, r.environment) =" \
    " r.environment AND c.version <> '' AND c.version IN (r.version, r.digest, lower(r.sha))" \
    " AND coalesce(c.ended_at, c.started_at, r.started_at, 0) >= ifnull(r.started_at, 0) - 86400000000000" \
    " AND coalesce(c.started_at, 0) <= ifnull(r.finished_at, 9223372036854775807) WHERE r.id = ?1"

enum { CANARY_STEPS_MAX = 256 };
struct canary_step {
    int64_t at;    // from here until the next one
    double weight; // %; 0 after it failed, 100 after it was promoted
};
struct canary_steps {
    struct canary_step *items; // by time; in memory of the arena
    uint32_t n;                // 0: no weights were told, or more of them than CANARY_STEPS_MAX
};
// Of the last canary of a rollout.
NODISCARD enum err canary_steps_of(struct db *d, struct arena *a, uint64_t rollout, struct canary_steps *out);
