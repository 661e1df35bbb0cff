// SPDX-License-Identifier: Apache-2.0
// From the catalogue to the names that facts settle by (intake/name.h): what other tools call a service, and
// of a repository that one service alone has the name that a hook without a service takes from it, where no
// service is called so. thread: as the db; inside a transaction.
#pragma once

#include "facts/db.h"

// Fills foreign_name from the catalogue; the facts are to be made anew then, so that none waits any more.
NODISCARD enum err names_fill(struct db *d);
// The catalogue has changed: the facts that go by other names now are noted. Until names_some has settled
// them they go by what they were called before.
NODISCARD enum err names_changed(struct db *d);
// Settles at most n of them anew, and notes what that makes stale. *out_left: more are.
NODISCARD enum err names_some(struct db *d, unsigned n, bool *out_left);
