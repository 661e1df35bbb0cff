// SPDX-License-Identifier: Apache-2.0
// Who calls whom, kept as events: one for each caller, callee and calendar month (UTC) in which traces showed
// it. What is made from events stays the same when the traces are gone, and when facts are made again.
#pragma once

#include "delivery/delivery.h"
#include "delivery/neighbours.h"

struct calls {
    struct neighbours_seen *items; // of a caller and a callee each, in no order
    uint32_t n;
};
// Those of the calls seen whose month is not known to have them, as many as a month has room for
// (NEIGHBOURS_CALLS_MAX). In memory of the arena; texts stay those of `seen`. thread: as the db.
NODISCARD enum err calls_find(struct db *db, struct arena *a, const struct neighbours *seen,
                              struct calls *out);
// Tells them, as events received now (ns UTC). After an error some are kept and others not: found and told
// again, the rest is. Told twice they change no fact. thread: any but the writer's.
NODISCARD enum err calls_tell(struct delivery *d, struct arena *a, const struct calls *calls, int64_t now);
