// SPDX-License-Identifier: Apache-2.0
// Statements about one service in one environment, run one after the other: ?1 is the service, ?2 the
// environment, ?3 the ns that rule 7 looks back; a statement need not have all. thread: that of the db.
#pragma once

#include "facts/db.h"

NODISCARD enum err scoped_run(struct db *d, const char *const *texts, size_t n, struct str service,
                              struct str environment);
