// SPDX-License-Identifier: Apache-2.0
// The rows of a figure that are neither rollouts nor incidents, in JSON: changes, runs, tasks, tests,
// canaries and flags. thread: as the db.
#pragma once

#include "base/json.h"
#include "delivery/measure.h"
#include "facts/db.h"

// Is it such a row?
bool row_is_input(const struct measure_row *row);
// Its members, into the object that is open.
NODISCARD enum err row_put(struct db *d, const struct measure_row *row, struct json_writer *w);
