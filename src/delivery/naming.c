// SPDX-License-Identifier: Apache-2.0
#include "delivery/naming.h"

#include <stdio.h>
#include <stdlib.h>

enum { SHORT_SHA = 7, NAMES_EACH = 5 };

static bool is_short_sha(struct str s) {
    for (size_t i = 0; i < s.len; i++)
        if (!strchr("0123456789abcdefABCDEF", s.ptr[i])) return false;
    return s.len >= SHORT_SHA;
}

bool naming_is_itself(const struct rollout *r, struct str name) {
    char id[17];
    (void)snprintf(id, sizeof id, "%016llx", (unsigned long long)r->id);
    return name.len && (str_eq(name, str_of(id)) || str_eq(name, r->lead->key));
}

bool naming_is_alone(const struct rollout *r, struct str name) {
    return naming_is_itself(r, name) || (name.len && str_eq(name, r->lead->group));
}

bool naming_is(const struct rollout *r, struct str name) {
    const struct deploy *d = r->lead;
    if (name.len == 0) return false;
    if (naming_is_alone(r, name) || str_eq(name, d->version) || str_eq(name, d->digest)) return true;
    return is_short_sha(name) && name.len <= d->sha.len && str_eq_nocase(str_sub(d->sha, 0, name.len), name);
}

// --- all at once -------------------------------------------------------------------------------------------

static int by_name(const void *pa, const void *pb) {
    const struct naming_entry *a = pa, *b = pb;
    int c = str_cmp(a->name, b->name);
    return c ? c : (a->rollout > b->rollout) - (a->rollout < b->rollout);
}

static struct str lower(struct arena *a, struct str s) {
    struct str out = str_dup(a, s);
    for (size_t i = 0; i < out.len; i++)
        if (out.ptr[i] >= 'A' && out.ptr[i] <= 'F') ((char *)out.ptr)[i] = (char)(out.ptr[i] + 'a' - 'A');
    return out;
}

static void add(struct naming *n, struct str name, uint32_t rollout, bool alone) {
    if (name.len) n->names[n->n_names++] = (struct naming_entry){ name, rollout, alone };
}

enum err naming_of(struct arena *a, const struct rollouts *all, struct naming *out) {
    *out = (struct naming){ .all = all };
    out->names = ARENA_ARRAY(a, (uint64_t)all->n * NAMES_EACH + 1, struct naming_entry);
    out->shas = ARENA_ARRAY(a, all->n + 1ull, struct naming_entry);
    if (!out->names || !out->shas) return ERR_NOMEM;
    for (uint32_t i = 0; i < all->n; i++) {
        const struct deploy *d = all->items[i].lead;
        add(out, str_fmt(a, "%016llx", (unsigned long long)all->items[i].id), i, true);
        add(out, d->key, i, true);
        add(out, d->group, i, true);
        add(out, d->version, i, false);
        add(out, d->digest, i, false);
        if (d->sha.len) out->shas[out->n_shas++] = (struct naming_entry){ lower(a, d->sha), i, false };
    }
    if (a->failed) return ERR_NOMEM;
    if (out->n_names) qsort(out->names, out->n_names, sizeof *out->names, by_name);
    if (out->n_shas) qsort(out->shas, out->n_shas, sizeof *out->shas, by_name);
    return ERR_OK;
}

// How many entries have a name below this one; past: or begin with it.
static uint32_t place_of(const struct naming_entry *items, uint32_t n, struct str name, bool past,
                         bool is_prefix) {
    uint32_t low = 0, high = n;
    while (low < high) {
        uint32_t mid = low + (high - low) / 2;
        struct str have = items[mid].name;
        int c = str_cmp(is_prefix ? str_sub(have, 0, name.len) : have, name);
        if (c < 0 || (past && c == 0))
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

struct naming_at naming_find(const struct naming *n, struct str name) {
    char digits[64];
    struct naming_at at = { n->names, n->names, n->shas, n->shas };
    if (!name.len) return at;
    at.end = n->names + place_of(n->names, n->n_names, name, true, false);
    at.at = n->names + place_of(n->names, n->n_names, name, false, false);
    if (name.len > sizeof digits || !is_short_sha(name)) return at;
    for (size_t i = 0; i < name.len; i++)
        digits[i] = (char)(name.ptr[i] >= 'A' && name.ptr[i] <= 'F' ? name.ptr[i] + 'a' - 'A' : name.ptr[i]);
    struct str sha = { digits, name.len };
    at.sha_end = n->shas + place_of(n->shas, n->n_shas, sha, true, true);
    at.sha = n->shas + place_of(n->shas, n->n_shas, sha, false, true);
    return at;
}

bool naming_next(struct naming_at *at, uint32_t *rollout, bool *alone) {
    const struct naming_entry *e = at->at < at->end ? at->at++ : at->sha < at->sha_end ? at->sha++ : NULL;
    if (!e) return false;
    *rollout = e->rollout;
    *alone = e->alone;
    return true;
}

uint32_t naming_first(const struct naming *n, struct str name, bool alone) {
    struct naming_at at = naming_find(n, name);
    uint32_t first = ROLLOUT_NONE;
    for (; at.at < at.end && first == ROLLOUT_NONE; at.at++)
        if (n->all->items[at.at->rollout].state == ROLLOUT_SUCCESS && (at.at->alone || !alone))
            first = at.at->rollout;
    for (; !alone && at.sha < at.sha_end; at.sha++)
        if (at.sha->rollout < first && n->all->items[at.sha->rollout].state == ROLLOUT_SUCCESS)
            first = at.sha->rollout;
    return first;
}
