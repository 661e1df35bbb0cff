// SPDX-License-Identifier: Apache-2.0
// What each rollout of a series brought: the commits that no rollout before it had delivered, found
// in the imported histories (tables git_repo and git_commit) and among what pushes told (pushes.h).
// thread: as the db.
#pragma once

#include "delivery/failure.h"
#include "facts/db.h"

// The graphs of the repositories that were asked for, each loaded once.
struct histories;
NODISCARD enum err histories_new(struct db *d, struct histories **out);
void histories_free(struct histories *h); // NULL is fine

struct commit_row {
    struct figure_commit figure;
    struct str sha; // 20 bytes
    struct str author, subject;
};
struct commit_set {
    enum commits_state state;
    uint32_t n;         // commits, without merges
    uint32_t n_changes; // pull or merge requests that they name
};
// A commit that a rollout contains first and that is no change of its own: a merge, or the rollout's own
// commit where it is not known what else it brought.
struct commit_merge {
    struct str sha; // 20 bytes
    uint32_t rollout;
};
struct commit_sets {
    struct commit_set *of; // of each rollout
    struct commit_row *commits;
    uint32_t n;
    struct brought *brought; // by sha
    uint32_t n_brought;
    struct commit_merge *merges; // by rollout
    uint32_t n_merges;
};
// The history is that of the repository which knows most of the rollouts' shas.
// Of a service with paths in the catalogue only commits that touch them count.
NODISCARD enum err commit_sets_of(struct histories *h, struct arena *a, struct str service,
                                  const struct rollouts *all, struct commit_sets *out);
