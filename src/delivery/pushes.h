// SPDX-License-Identifier: Apache-2.0
// The commits that pushes told of (table pushed_commit): a history where none was imported, and what came
// after an import where one was. A commit may have been told by several pushes; what they say of who holds
// whom is joined, so their order does not matter. thread: as the db.
#pragma once

#include "facts/db.h"
#include "vcs/graph.h"

struct pushed_commit {
    int64_t authored, committed, change;
    uint8_t flags; // COMMIT_BAD_AUTHORED, COMMIT_BAD_COMMITTED
    bool is_merge;
    struct str author, subject;
    struct str reverts, picked; // 20 bytes, or empty
};
// Adds the commits of a repository ("github.com/acme/shop") that the graph does not have, with what they
// hold. Where a push did not tell all, the graph has a parent that is absent.
NODISCARD enum err pushes_add_to(struct db *d, struct str repo, struct graph *g, bool *out_any);
// Texts lie in the arena. *out_found: a push told of it.
NODISCARD enum err pushes_read(struct db *d, struct arena *a, struct str repo, const struct sha *id,
                               struct pushed_commit *out, bool *out_found);
// Makes stale whatever was rolled out from the repository. Inside a transaction.
NODISCARD enum err pushes_note(struct db *d, struct str repo);
