// SPDX-License-Identifier: Apache-2.0
#include "delivery/revert.h"

#include "vcs/sha.h"

uint32_t brought_by(const struct brought *all, uint32_t n, struct str sha) {
    char bytes[SHA_BYTES];
    if (sha.len == 2 * (size_t)SHA_BYTES) {
        if (!hex_decode(sha, bytes, SHA_BYTES)) return ROLLOUT_NONE;
        sha = (struct str){ bytes, SHA_BYTES };
    }
    if (sha.len != SHA_BYTES) return ROLLOUT_NONE;
    uint32_t low = 0, high = n;
    while (low < high) {
        uint32_t mid = low + (high - low) / 2;
        if (str_cmp(all[mid].sha, sha) < 0)
            low = mid + 1;
        else
            high = mid;
    }
    return low < n && str_eq(all[low].sha, sha) ? all[low].rollout : ROLLOUT_NONE;
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

void reverts_find(struct rollouts *all, const struct brought *brought, uint32_t n) {
    for (uint32_t i = 0; i < n; i++) {
        const struct brought *b = &brought[i];
        if (!b->reverts.len) continue;
        uint32_t bad = brought_by(brought, n, b->reverts);
        if (bad != ROLLOUT_NONE && bad < b->rollout) // else never shipped, or shipped together
            note_revert(all, bad, b->rollout);
    }
}
