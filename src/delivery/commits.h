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

struct commit_row { // as it is given; it dies with the call
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
    struct commit_set *of;         // of each rollout
    struct figure_commit *commits; // by rollout; what else is known of them was given
    struct brought *brought;       // by sha
    struct commit_merge *merges;   // by rollout
    uint32_t n, cap, n_brought, cap_brought, n_merges, cap_merges;
};
// Takes the commits one after the other, by rollout: of a long history they are not held.
struct commit_sink {
    enum err (*each)(void *ctx, uint32_t rollout, const struct commit_row *c);
    void *ctx;
};
// The history is that of the repository which knows most of the rollouts' shas.
// Of a service with paths in the catalogue only commits that touch them count.
// Shas lie in the arena. After an error too the sets are to be given back.
NODISCARD enum err commit_sets_of(struct histories *h, struct arena *a, struct str service,
                                  const struct rollouts *all, const struct commit_sink *sink,
                                  struct commit_sets *out);
void commit_sets_fini(struct commit_sets *s);
