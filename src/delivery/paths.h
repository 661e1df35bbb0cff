// SPDX-License-Identifier: Apache-2.0
// Which commits are a service's, in a repository of several: those that touch one of the paths that the
// catalogue names for it. Read from the repository once, then kept (table git_path). A commit whose files
// cannot be read counts: nothing is left out by guessing. thread: as the db; inside a transaction.
#pragma once

#include "facts/db.h"
#include "vcs/sha.h"

struct paths;
// *out is NULL when the service has no paths. ERR_NOMEM.
NODISCARD enum err paths_new(struct db *d, struct str service, struct paths **out);
void paths_free(struct paths *p); // NULL is fine
// Is it one of them, or within one? Of a service without paths each is.
bool paths_want(const struct paths *p, struct str path);
NODISCARD enum err paths_touch(struct paths *p, int64_t repo, const struct sha *commit, bool *out);
