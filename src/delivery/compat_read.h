// SPDX-License-Identifier: Apache-2.0
// From the facts of a scope to what compat_run computes over. thread: as the db.
#pragma once

#include "delivery/compat.h"
#include "delivery/scope.h"

// Deploys and incidents of all time, since links have no age; changes of deploys in [from, to) only.
// Everything lies in the arena.
NODISCARD enum err compat_read(struct db *d, struct arena *a, const struct scope *s, enum measure_clock clock,
                               int64_t from, int64_t to, struct compat_facts *out);
