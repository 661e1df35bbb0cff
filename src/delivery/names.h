// SPDX-License-Identifier: Apache-2.0
// From the catalogue to the names that facts settle by (intake/name.h): what other tools call a service, and
// of a repository that one service alone has the name that a hook without a service takes from it, where no
// service is called so. thread: as the db; inside a transaction.
#pragma once

#include "facts/db.h"

// Fills foreign_name from the catalogue; the facts are to be made anew then.
NODISCARD enum err names_fill(struct db *d);
// The catalogue has changed: the facts that go by other names now are settled anew, and what that makes stale
// is noted.
NODISCARD enum err names_changed(struct db *d);
