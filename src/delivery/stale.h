// SPDX-License-Identifier: Apache-2.0
// Which services and environments are to be derived anew: rows of the table `stale`.
// thread: as the db; inside a transaction.
#pragma once

#include "intake/fact.h"

// What a changed fact makes stale. For fact_apply and fact_settle, whose ctx is the db.
NODISCARD enum err stale_note(void *db, const struct fact_change *c);
// All there is; what was derived goes.
NODISCARD enum err stale_note_all(struct db *d);
// A repository's history has grown.
NODISCARD enum err stale_note_repo(struct db *d, struct str repo);
