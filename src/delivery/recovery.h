// SPDX-License-Identifier: Apache-2.0
// When failed rollouts were recovered from, by the failures of one series. Pure. thread: any.
#pragma once

#include "delivery/failure.h"

struct recoveries {
    const struct failure_ask *ask;
    const struct failures *found;
    // Of each rollout its first link that decides with an incident, of each link the next one.
    uint32_t *first_of, *next_of;
    uint32_t *remedies; // rollouts that may mend others
    uint32_t n_remedies;
};
// Borrows ask and found, which are of one failures_of. ERR_NOMEM.
NODISCARD enum err recoveries_of(struct arena *a, const struct failure_ask *ask, const struct failures *found,
                                 struct recoveries *out);
// The earliest of the rollout's rollback, a fix, a revert of a commit of it, the end of an incident that it
// caused; 0: not yet.
int64_t recovered_at(const struct recoveries *r, uint32_t rollout);
