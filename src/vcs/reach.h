// SPDX-License-Identifier: Apache-2.0
// Which commits a rollout delivered first: those reachable from its commit and from that of no earlier
// successful rollout of its scope (a service in an environment). Not `previous..current`: after a hotfix
// from an old branch that would count commits twice. Pure: numbers in, numbers out.
//
// A reach remembers what was delivered, so a rollout costs only its new commits. Rules:
//   - The first successful rollout is the baseline: everything behind it counts as delivered, nothing is
//     listed. Before it nothing is known, so an earlier failed one is a baseline as well.
//   - A rollout whose commit has no row (or an absent one) is unknown. It is never "all of history".
//   - After a successful rollout that is unknown, the next one that brings new commits is unknown too:
//     which of them came with the one before, nobody knows. It counts as delivered, so the one after it is
//     exact again.
//   - A rollout of what was delivered before (rollback, redeploy) has the empty set.
//   - A failed rollout has a set, but delivers nothing.
//   - Where the walk meets a parent without a row (a shallow clone), the set is marked as cut.
// thread: one at a time for each reach.
#pragma once

#include "vcs/graph.h"

enum { REACH_SET_MAX = 5000 }; // commits listed for one rollout

struct reach;

struct reach_commit {
    uint32_t row;
    bool is_merge; // two parents or more: no change of its own, to be left out of measures
};

enum reach_kind {
    REACH_SET,          // the commits are known
    REACH_BASELINE,     // nothing earlier to compare with
    REACH_UNKNOWN,      // the commit of the rollout is not known
    REACH_UNKNOWN_BASE, // the commit of the successful rollout before it is not known
};

struct reach_set {
    enum reach_kind kind;
    uint32_t n;                         // listed; 0 unless REACH_SET
    const struct reach_commit *commits; // nearest to the rollout's commit first
    uint32_t n_new;                     // reached for the first time, listed or not
    uint32_t n_merges;                  // among n_new
    bool is_capped;                     // n < n_new: more than REACH_SET_MAX
    bool is_cut;                        // history ends within the set: there may be more
};

// ERR_NOMEM.
NODISCARD enum err reach_new(struct reach **out);
void reach_free(struct reach *r); // NULL is fine

// The next rollout of the scope, in the order of time. g may have got more rows since the last call; rows
// keep their meaning. row: of the rollout's commit, GRAPH_NONE = unknown. The set's commits live in a.
// ERR_NOMEM, ERR_INVALID (a node's parents lie outside of g); then nothing has changed.
NODISCARD enum err reach_add(struct reach *r, const struct graph_view *g, uint32_t row, bool is_success,
                             struct arena *a, struct reach_set *out);
// As a failed rollout that is forgotten at once: what would `row` deliver now?
NODISCARD enum err reach_peek(struct reach *r, const struct graph_view *g, uint32_t row, struct arena *a,
                              struct reach_set *out);

uint32_t reach_count(const struct reach *r); // rollouts added
// Back to the state after the first n rollouts: for one that came late and belongs in between, or when
// commits became known that were not. The caller adds the rest again.
void reach_rewind(struct reach *r, uint32_t n);
// Is it behind one of the successful rollouts?
bool reach_has(const struct reach *r, uint32_t row);
