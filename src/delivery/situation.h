// SPDX-License-Identifier: Apache-2.0
// What findings look at beside measures, counted from the facts of a scope and window.
// thread: as the db.
#pragma once

#include "delivery/finding.h"
#include "delivery/scope.h"

struct situation_ask {
    struct scope scope;
    int64_t from, to, now;     // [from, to)
    unsigned failure_severity; // as struct measure_ask has it
};
// Names lie in the arena.
NODISCARD enum err situation_read(struct db *d, struct arena *a, const struct situation_ask *ask,
                                  struct finding_facts *out);
