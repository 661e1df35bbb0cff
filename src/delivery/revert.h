// SPDX-License-Identifier: Apache-2.0
// Reverts of what was delivered: "This reverts commit SHA" in a commit that a rollout brought, of a commit
// that an earlier rollout of the series brought. What reverts a revert lands the change again: it blames
// nobody; what reverts that blames the landing. Pure. thread: any.
#pragma once

#include "delivery/rollout.h"

// A commit that a rollout brought, by sha (20 bytes, ascending in the array, then by rollout).
struct brought {
    struct str sha, reverts; // reverts: 20 bytes, or empty
    uint32_t rollout;
    bool answered,
        undone; // by reverts_find: a commit of the same rollout reverts it; and is not undone itself
};
// The rollout that brought a commit first, by its sha in hex or bytes; ROLLOUT_NONE.
uint32_t brought_by(const struct brought *all, uint32_t n, struct str sha);

// Sets `reverts` and `reverted_by`; a normal rollout becomes a hotfix where it reverts what ran before it.
void reverts_find(struct rollouts *all, struct brought *brought, uint32_t n);
// Unplanned work: it reverts a commit, and its source gives it no kind of its own.
bool revert_is_rework(const struct rollout *r);
