// SPDX-License-Identifier: Apache-2.0
// From facts to what the measures read: rollouts with their kinds, the commits that each brought,
// the incidents that each caused, and the packed figures; per service and environment, always from
// scratch, so that the result is the same whatever came first.
//
// Tables: `stale` (what is to be derived: stale.h), `rollout`, `rollout_commit`, `link`, `series`.
// thread: as the db; inside a transaction.
#pragma once

#include "intake/fact.h"

#define DERIVE_MEMORY_MAX (1ull << 30) // of one service in one environment

// The definition of the tables, to be given to fact_tables.
extern const char derive_tables[];

// Derives at most n of what is stale. *out_left: more is.
NODISCARD enum err derive_some(struct db *d, unsigned n, bool *out_left);
