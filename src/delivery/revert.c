// SPDX-License-Identifier: Apache-2.0
#include "delivery/revert.h"

#include "vcs/sha.h"

enum { CHAIN_MAX = 64 }; // of reverts of reverts: what pushes tell may even run in a circle
#define NOT_BROUGHT UINT32_MAX

// The first with a sha of 20 bytes.
static uint32_t index_of(const struct brought *all, uint32_t n, struct str sha) {
    if (sha.len != SHA_BYTES) return NOT_BROUGHT;
    uint32_t low = 0, high = n;
    while (low < high) {
        uint32_t mid = low + (high - low) / 2;
        if (str_cmp(all[mid].sha, sha) < 0)
            low = mid + 1;
        else
            high = mid;
    }
    return low < n && str_eq(all[low].sha, sha) ? low : NOT_BROUGHT;
}

uint32_t brought_by(const struct brought *all, uint32_t n, struct str sha) {
    char bytes[SHA_BYTES];
    if (sha.len == 2 * (size_t)SHA_BYTES) {
        if (!hex_decode(sha, bytes, SHA_BYTES)) return ROLLOUT_NONE;
        sha = (struct str){ bytes, SHA_BYTES };
    }
    uint32_t at = index_of(all, n, sha);
    return at == NOT_BROUGHT ? ROLLOUT_NONE : all[at].rollout;
}

bool revert_is_rework(const struct rollout *r) {
    return r->reverts != ROLLOUT_NONE && !r->lead->kind.len;
}

// A redeploy of it may have come between.
static bool ran_before(const struct rollouts *all, uint32_t bad, const struct rollout *r) {
    if (r->before == ROLLOUT_NONE) return false;
    struct str identity = deploy_identity(all->items[bad].lead);
    return r->before == bad ||
           (identity.len && str_eq(identity, deploy_identity(all->items[r->before].lead)));
}

static void note_revert(struct rollouts *all, uint32_t bad, uint32_t by) {
    struct rollout *b = &all->items[bad], *r = &all->items[by];
    if (r->reverts == ROLLOUT_NONE || bad > r->reverts) r->reverts = bad;
    if (b->reverted_by == ROLLOUT_NONE || by < b->reverted_by) b->reverted_by = by;
    if (r->kind == ROLLOUT_NORMAL && revert_is_rework(r) && ran_before(all, bad, r)) r->kind = ROLLOUT_HOTFIX;
}

// A commit of the same rollout that a commit reverts.
static uint32_t target_beside(const struct brought *all, uint32_t n, uint32_t i) {
    uint32_t at = index_of(all, n, all[i].reverts);
    return at != NOT_BROUGHT && all[at].rollout == all[i].rollout ? at : NOT_BROUGHT;
}

// Of a chain within one rollout every second commit is undone, from the last one back.
static void undo_beside(struct brought *all, uint32_t n) {
    for (uint32_t i = 0; i < n; i++) all[i].answered = all[i].undone = false;
    for (uint32_t i = 0; i < n; i++) {
        uint32_t at = target_beside(all, n, i);
        if (at != NOT_BROUGHT) all[at].answered = true;
    }
    for (uint32_t i = 0; i < n; i++) {
        if (all[i].answered) continue;
        uint32_t at = target_beside(all, n, i);
        for (unsigned step = 0; at != NOT_BROUGHT && step < CHAIN_MAX; step++) {
            all[at].undone |= step % 2 == 0;
            at = target_beside(all, n, at);
        }
    }
}

// The number of reverts from a commit back to what is none: an odd one takes away, an even one lands again.
static bool takes_away(const struct brought *all, uint32_t n, uint32_t i) {
    unsigned reverts = 0;
    for (uint32_t at = i; at != NOT_BROUGHT && all[at].reverts.len && reverts < CHAIN_MAX; reverts++)
        at = index_of(all, n, all[at].reverts);
    return reverts % 2 != 0;
}

void reverts_find(struct rollouts *all, struct brought *brought, uint32_t n) {
    undo_beside(brought, n);
    for (uint32_t i = 0; i < n; i++) {
        const struct brought *b = &brought[i];
        if (!b->reverts.len || b->undone || !takes_away(brought, n, i)) continue;
        uint32_t bad = brought_by(brought, n, b->reverts);
        if (bad != ROLLOUT_NONE && bad < b->rollout) // else never shipped, or shipped together
            note_revert(all, bad, b->rollout);
    }
}
