// SPDX-License-Identifier: Apache-2.0
// When the impact of incidents began, in the record of delivery: an event of Takt's own (source
// "takt/onset"), from which the fact ONSET is made, so that it outlives the traces. thread: any.
#pragma once

#include "delivery/delivery.h"
#include "impact/onset.h"
#include "impact/record.h"

// Incidents whose traces may still tell when their impact began: noticed `after` ns ago or more, of the last
// three days, of a known service, without a final answer for that moment, and nobody has said when they
// began; the newest first, a page of IMPACT_DUE_MAX. One whose environment nobody told is of production.
// Without the names of services.
NODISCARD enum err onset_list_due(struct db *db, struct arena *a, const struct impact_due_ask *ask,
                                  struct onset_ask **out, uint32_t *out_n);
// Keeps what was found, unless the same was kept before.
NODISCARD enum err onset_record(struct delivery *d, const struct onset_ask *ask, const struct onset *found);
