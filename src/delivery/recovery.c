// SPDX-License-Identifier: Apache-2.0
#include "delivery/recovery.h"

#include "delivery/naming.h"

enum err recoveries_of(struct arena *a, const struct failure_ask *ask, const struct failures *found,
                       struct recoveries *out) {
    const struct rollouts *all = ask->rollouts;
    *out = (struct recoveries){ .ask = ask, .found = found };
    out->first_of = ARENA_ARRAY(a, all->n + 1ull, uint32_t);
    out->next_of = ARENA_ARRAY(a, found->n + 1ull, uint32_t);
    out->remedies = ARENA_ARRAY(a, all->n + 1ull, uint32_t);
    if (!out->first_of || !out->next_of || !out->remedies) return ERR_NOMEM;
    for (uint32_t k = 0; k < all->n; k++) {
        const struct rollout *r = &all->items[k];
        out->first_of[k] = ROLLOUT_NONE;
        if (r->state == ROLLOUT_SUCCESS && (r->kind == ROLLOUT_HOTFIX || r->kind == ROLLOUT_ROLLBACK))
            out->remedies[out->n_remedies++] = k;
    }
    for (uint32_t i = 0; i < found->n; i++) {
        const struct failure_link *l = &found->links[i];
        if (l->rollout == ROLLOUT_NONE || l->incident == ROLLOUT_NONE || !l->decides) continue;
        out->next_of[i] = out->first_of[l->rollout];
        out->first_of[l->rollout] = i;
    }
    return ERR_OK;
}

static void take_earlier(int64_t *best, int64_t t, int64_t after) {
    if (t && t >= after && (*best == 0 || t < *best)) *best = t;
}

static bool mends(const struct rollouts *all, uint32_t remedy, uint32_t rollout) {
    const struct rollout *r = &all->items[remedy];
    if (r->kind == ROLLOUT_HOTFIX)
        return r->lead->fixes.len ? naming_is(&all->items[rollout], r->lead->fixes) : r->before == rollout;
    return r->undoes != ROLLOUT_NONE && r->undoes <= rollout; // past it takes it back too
}

int64_t recovered_at(const struct recoveries *r, uint32_t rollout) {
    const struct rollouts *all = r->ask->rollouts;
    int64_t best = 0, after = all->items[rollout].finished;
    uint32_t low = 0, high = r->n_remedies;
    while (low < high) {
        uint32_t mid = low + (high - low) / 2;
        if (r->remedies[mid] <= rollout)
            low = mid + 1;
        else
            high = mid;
    }
    for (uint32_t i = low; i < r->n_remedies && best == 0; i++) // they are by their ends: the first is it
        if (mends(all, r->remedies[i], rollout))
            take_earlier(&best, all->items[r->remedies[i]].finished, after);
    if (all->items[rollout].reverted_by != ROLLOUT_NONE)
        take_earlier(&best, all->items[all->items[rollout].reverted_by].finished, after);
    for (uint32_t i = r->first_of[rollout]; i != ROLLOUT_NONE; i = r->next_of[i])
        take_earlier(&best, r->ask->incidents[r->found->links[i].incident].recovered, after);
    return best;
}
