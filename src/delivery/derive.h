// SPDX-License-Identifier: Apache-2.0
// From facts to what the measures read: rollouts with their kinds, the commits that each brought,
// the incidents that each caused, and the packed figures; per service and environment, always from
// scratch, so that the result is the same whatever came first.
//
// Tables: `stale` (what is to be derived), `rollout`, `rollout_commit`, `link`, `series`.
// thread: as the db; inside a transaction.
#pragma once

#include "intake/fact.h"

#define DERIVE_MEMORY_MAX (1ull << 30) // of one service in one environment

// The definition of the tables, to be given to fact_tables.
extern const char derive_tables[];

// Notes which services and environments a changed fact makes stale. For fact_apply.
NODISCARD enum err derive_note(struct db *d, const struct fact_change *c);
NODISCARD enum err derive_note_all(struct db *d);
// A repository's history has grown.
NODISCARD enum err derive_note_repo(struct db *d, struct str repo);

// Derives at most n of what is stale. *out_left: more is.
NODISCARD enum err derive_some(struct db *d, unsigned n, bool *out_left);
