// SPDX-License-Identifier: Apache-2.0
// What the rules of failures are asked with: the incidents of a service in an environment, what people
// said of them, the flags that were turned and the canaries that failed. thread: as the db.
#pragma once

#include "delivery/failure.h"
#include "facts/db.h"

struct causes_scope {
    struct str service, environment;
    bool production; // what names no environment is of this one too
};
// Fills the lists of the ask, in memory of the arena; by key.
NODISCARD enum err causes_read(struct db *d, struct arena *a, const struct causes_scope *scope,
                               struct failure_ask *ask);
