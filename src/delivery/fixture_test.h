// SPDX-License-Identifier: Apache-2.0
// An empty store of facts in memory, for tests of what is derived from them. thread: one.
#pragma once

#include "intake/fact.h"

// With all tables; for db_close.
struct db *fixture_facts(void);
// For fact_apply, whose ctx is the db: what the change makes stale.
enum err fixture_note(void *db, const struct fact_change *c);
