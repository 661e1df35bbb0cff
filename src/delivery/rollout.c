// SPDX-License-Identifier: Apache-2.0
#include "delivery/rollout.h"

#include <stdlib.h>

#include "base/map.h"

bool deploy_state_of(struct str text, enum deploy_state *out) {
    static const struct {
        const char *text;
        enum deploy_state state;
    } states[] = { { "pending", DEPLOY_PENDING },
                   { "in_progress", DEPLOY_RUNNING },
                   { "success", DEPLOY_SUCCESS },
                   { "failure", DEPLOY_FAILURE },
                   { "aborted", DEPLOY_CANCELLED } };
    for (size_t i = 0; i < sizeof states / sizeof *states; i++)
        if (str_eq(text, str_of(states[i].text))) {
            *out = states[i].state;
            return true;
        }
    return false;
}

const char *rollout_kind_text(enum rollout_kind k) {
    static const char *const texts[ROLLOUT_KIND_COUNT] = { "normal",   "first",  "redeploy",
                                                           "rollback", "reroll", "hotfix" };
    return texts[k];
}
const char *rollout_state_text(enum rollout_state s) {
    static const char *const texts[ROLLOUT_STATE_COUNT] = { "open", "success", "failed", "cancelled" };
    return texts[s];
}

struct str deploy_identity(const struct deploy *d) {
    return d->digest.len ? d->digest : d->version.len ? d->version : d->sha;
}

// --- attempts in order -------------------------------------------------------------------------------------

static int64_t least(int64_t a, int64_t b) {
    return a && (!b || a < b) ? a : b;
}

// A source that tells no start tells an end. An end before the start is an error of a clock; the
// attempt has begun by then.
static int64_t begun(const struct deploy *d) {
    return least(d->started, least(d->succeeded, d->ended));
}

static int64_t ended(const struct deploy *d) {
    if (d->state == DEPLOY_SUCCESS) return d->succeeded ? d->succeeded : d->ended ? d->ended : d->started;
    if (d->state == DEPLOY_FAILURE || d->state == DEPLOY_CANCELLED) return d->ended ? d->ended : d->started;
    return 0;
}

static int order_i64(int64_t a, int64_t b) {
    return (a > b) - (a < b);
}

static int by_begin(const void *pa, const void *pb) {
    const struct deploy *a = pa, *b = pb;
    int c = order_i64(begun(a), begun(b));
    if (!c) c = order_i64(ended(a), ended(b));
    return c ? c : str_cmp(a->key, b->key);
}

// --- groups ------------------------------------------------------------------------------------------------

// What the attempts of a rollout left on one target.
struct target {
    struct str name;
    const struct deploy *last;
    uint32_t attempts;
    struct target *next;
};
struct group {
    struct rollout r;
    uint32_t number; // the later begun, the greater
    struct target *targets;
    struct group *next; // of all, the newest first
};

// The newest group under a name: of an identity, of a group that a source names, of a target. Every
// attempt looks into them once, so that any number of versions and targets costs no more than its own.
struct newest {
    struct str name;
    struct group *group;
    struct target *target; // of the group, in the table of targets
};
struct names {
    struct map map;
    struct newest *items;
    uint32_t n, cap;
};
struct grouping {
    struct arena *a;
    struct group *all;
    struct names identities, unnamed, groups, targets; // unnamed: of groups that no source names
};

static bool is_name(const void *ctx, uint32_t i, const void *key) {
    return str_eq(((const struct names *)ctx)->items[i].name, *(const struct str *)key);
}
static uint64_t hash_name(const void *ctx, uint32_t i) {
    return hash_str(((const struct names *)ctx)->items[i].name);
}

static struct newest *names_find(const struct names *n, struct str name) {
    uint32_t i = map_get(&n->map, hash_str(name), is_name, n, &name);
    return i == MAP_NONE ? NULL : &n->items[i];
}

static enum err names_set(struct arena *a, struct names *n, struct str name, struct group *g,
                          struct target *t) {
    struct newest *found = names_find(n, name);
    if (!found) {
        struct newest *items = arena_grow(a, n->items, n->n, &n->cap, sizeof *items);
        if (!items) return ERR_NOMEM;
        n->items = items;
        found = &items[n->n];
        *found = (struct newest){ .name = name };
        TRY(map_put(&n->map, hash_str(name), n->n++, hash_name, n));
    }
    found->group = g;
    found->target = t;
    return ERR_OK;
}

static struct group *newest_of(const struct names *n, struct str name) {
    const struct newest *found = name.len ? names_find(n, name) : NULL;
    return found ? found->group : NULL;
}

static bool in_gap(const struct group *g, const struct deploy *d) {
    return g && begun(d) - g->r.started <= ROLLOUT_GAP_NS;
}

// The newest group that an attempt may belong to by its name or identity.
static struct group *same_group(const struct grouping *gr, const struct deploy *d) {
    struct group *named = newest_of(&gr->groups, d->group);
    struct group *same = newest_of(d->group.len ? &gr->unnamed : &gr->identities, deploy_identity(d));
    if (!in_gap(same, d)) return named;
    return named && named->number > same->number ? named : same;
}

// The group of an attempt, or NULL: a new one begins.
static struct group *group_for(const struct grouping *gr, const struct deploy *d) {
    struct group *g = same_group(gr, d);
    const struct newest *on = names_find(&gr->targets, d->target);
    if (!g || !on || on->group->number < g->number) return g;
    // Another version went there since, or it has this one already.
    return on->group == g && on->target->last->state != DEPLOY_SUCCESS ? g : NULL;
}

static enum err add_to(struct grouping *gr, struct group *g, const struct deploy *d) {
    const struct newest *on = names_find(&gr->targets, d->target);
    struct target *t = on && on->group == g ? on->target : NULL;
    if (!t) {
        t = ARENA_NEW(gr->a, struct target);
        if (!t) return ERR_NOMEM;
        *t = (struct target){ .name = d->target, .next = g->targets };
        g->targets = t;
        g->r.targets++;
        TRY(names_set(gr->a, &gr->targets, d->target, g, t));
    }
    t->last = d;
    t->attempts++;
    g->r.attempts++;
    if (d->state == DEPLOY_SUCCESS) g->r.first_success = least(g->r.first_success, ended(d));
    return ERR_OK;
}

static enum err group_new(struct grouping *gr, const struct deploy *d, struct group **out) {
    struct group *g = ARENA_NEW(gr->a, struct group);
    if (!g) return ERR_NOMEM;
    g->r = (struct rollout){ .lead = d,
                             .started = begun(d),
                             .before = ROLLOUT_NONE,
                             .undoes = ROLLOUT_NONE,
                             .reverts = ROLLOUT_NONE,
                             .reverted_by = ROLLOUT_NONE };
    g->number = gr->all ? gr->all->number + 1 : 0;
    g->next = gr->all;
    gr->all = *out = g;
    struct str identity = deploy_identity(d);
    if (identity.len) TRY(names_set(gr->a, &gr->identities, identity, g, NULL));
    if (d->group.len) return names_set(gr->a, &gr->groups, d->group, g, NULL);
    return identity.len ? names_set(gr->a, &gr->unnamed, identity, g, NULL) : ERR_OK;
}

// Its id is the key of its first attempt: other events do not change it, short of an earlier attempt.
static void conclude(struct group *g, struct str scope) {
    struct rollout *r = &g->r;
    unsigned seen[DEPLOY_CANCELLED + 1] = { 0 };
    int64_t last = 0;
    for (const struct target *t = g->targets; t; t = t->next) {
        seen[t->last->state]++;
        if (t->attempts > 1) r->retried = true;
        if (ended(t->last) > last) last = ended(t->last);
    }
    r->done_targets = seen[DEPLOY_SUCCESS];
    r->mixed = seen[DEPLOY_SUCCESS] && seen[DEPLOY_SUCCESS] < r->targets;
    r->state = seen[DEPLOY_PENDING] + seen[DEPLOY_RUNNING] ? ROLLOUT_OPEN
               : seen[DEPLOY_FAILURE]                      ? ROLLOUT_FAILED
               : seen[DEPLOY_CANCELLED]                    ? ROLLOUT_CANCELLED
                                                           : ROLLOUT_SUCCESS;
    r->finished = r->state == ROLLOUT_OPEN ? 0 : last;
    r->id = hash_xxh64(scope.ptr, scope.len);
    r->id = hash_u64(r->id ^ hash_xxh64(r->lead->key.ptr, r->lead->key.len));
}

// --- kinds -------------------------------------------------------------------------------------------------

static int by_finish(const void *pa, const void *pb) {
    const struct rollout *a = pa, *b = pb;
    if ((a->finished == 0) != (b->finished == 0)) return a->finished == 0 ? 1 : -1;
    int c = order_i64(a->finished, b->finished);
    if (!c) c = order_i64(a->started, b->started);
    if (!c) c = str_cmp(a->lead->key, b->lead->key);
    return c ? c : (a->id > b->id) - (a->id < b->id);
}

static bool holds_nocase(struct str s, struct str part) {
    for (size_t i = 0; i + part.len <= s.len; i++)
        if (str_eq_nocase(str_sub(s, i, part.len), part)) return true;
    return false;
}

static bool is_hotfix(const struct deploy *d) {
    return str_eq(d->kind, STR("hotfix")) || d->fixes.len || holds_nocase(d->ref, STR("hotfix")) ||
           holds_nocase(d->version, STR("hotfix"));
}

// One success of the series after another. `first_seen` is the success that brought a version first:
// a version that comes again is older or newer than what runs, by that order.
struct running {
    const struct rollouts *all;
    uint32_t current, current_seen; // index; ROLLOUT_NONE: nothing yet
    struct map seen;                // identity → index of its first success
    uint32_t *last;                 // by that index: its last success
};

static bool same_identity(const void *ctx, uint32_t i, const void *key) {
    const struct rollouts *all = ctx;
    return str_eq(deploy_identity(all->items[i].lead), *(const struct str *)key);
}
static uint64_t rehash(const void *ctx, uint32_t i) {
    const struct rollouts *all = ctx;
    return hash_str(deploy_identity(all->items[i].lead));
}

// The first rollout after the version that is gone back to: V1, V2, V3, V1 takes back V2, and V3 too.
static uint32_t undone_by(const struct running *run, uint32_t back_to, uint32_t at) {
    for (uint32_t i = run->last[back_to] + 1; i < at; i++)
        if (run->all->items[i].state == ROLLOUT_SUCCESS) return i;
    return ROLLOUT_NONE;
}

static enum rollout_kind kind_of(const struct running *run, const struct rollout *r, uint32_t seen) {
    if (str_eq(r->lead->kind, STR("rollback"))) return ROLLOUT_ROLLBACK;
    if (run->current == ROLLOUT_NONE) return ROLLOUT_FIRST;
    if (seen != ROLLOUT_NONE && seen == run->current_seen) return ROLLOUT_REDEPLOY;
    if (seen != ROLLOUT_NONE) return seen < run->current_seen ? ROLLOUT_ROLLBACK : ROLLOUT_REROLL;
    return is_hotfix(r->lead) ? ROLLOUT_HOTFIX : ROLLOUT_NORMAL;
}

static enum err name_one(struct running *run, uint32_t i) {
    struct rollout *r = &run->all->items[i];
    struct str identity = deploy_identity(r->lead);
    uint64_t hash = hash_str(identity);
    uint32_t seen = identity.len ? map_get(&run->seen, hash, same_identity, run->all, &identity) : MAP_NONE;
    r->before = run->current;
    r->kind = kind_of(run, r, seen);
    if (r->state != ROLLOUT_SUCCESS) {
        if (r->kind != ROLLOUT_HOTFIX && r->kind != ROLLOUT_ROLLBACK) r->kind = ROLLOUT_NORMAL;
        return ERR_OK;
    }
    if (r->kind == ROLLOUT_ROLLBACK) r->undoes = seen != MAP_NONE ? undone_by(run, seen, i) : run->current;
    if (identity.len && seen == MAP_NONE) {
        TRY(map_put(&run->seen, hash, i, rehash, run->all));
        seen = i;
    }
    if (seen != MAP_NONE) run->last[seen] = i;
    run->current = i;
    run->current_seen = seen;
    return ERR_OK;
}

static enum err name_kinds(const struct rollouts *all) {
    struct running run = { .all = all, .current = ROLLOUT_NONE, .current_seen = ROLLOUT_NONE };
    enum err e = ERR_OK;
    run.last = mem_alloc((all->n + 1ull) * sizeof *run.last);
    if (!run.last) return ERR_NOMEM;
    map_init(&run.seen, all->n + 1);
    for (uint32_t i = 0; i < all->n && e == ERR_OK; i++) e = name_one(&run, i);
    map_fini(&run.seen);
    mem_free(run.last);
    return e;
}

static enum err group_all(struct grouping *gr, const struct deploy *deploys, uint32_t n) {
    for (uint32_t i = 0; i < n; i++) {
        struct group *g = group_for(gr, &deploys[i]);
        if (!g) TRY(group_new(gr, &deploys[i], &g));
        TRY(add_to(gr, g, &deploys[i]));
    }
    return ERR_OK;
}

// What is known of groups lives as long as they are made; the rollouts are copied out of them.
static enum err group_into(struct grouping *gr, struct arena *a, struct str scope, struct deploy *deploys,
                           uint32_t n, struct rollouts *out) {
    struct names *names[] = { &gr->identities, &gr->unnamed, &gr->groups, &gr->targets };
    for (int i = 0; i < 4; i++) map_init(&names[i]->map, n + 1);
    enum err e = group_all(gr, deploys, n);
    for (int i = 0; i < 4; i++) map_fini(&names[i]->map);
    TRY(e);
    out->n = gr->all ? gr->all->number + 1 : 0;
    out->items = ARENA_ARRAY(a, out->n + 1ull, struct rollout);
    if (!out->items) return ERR_NOMEM;
    for (struct group *g = gr->all; g; g = g->next) {
        conclude(g, scope);
        out->items[g->number] = g->r;
    }
    return ERR_OK;
}

enum err rollouts_of(struct arena *a, struct str scope, struct deploy *deploys, uint32_t n,
                     struct rollouts *out) {
    struct arena own;
    struct grouping gr = { .a = &own };
    *out = (struct rollouts){ 0 };
    if (n) qsort(deploys, n, sizeof *deploys, by_begin);
    arena_init(&own, a->limit, a->budget);
    enum err e = group_into(&gr, a, scope, deploys, n, out);
    arena_fini(&own);
    TRY(e);
    if (out->n) qsort(out->items, out->n, sizeof *out->items, by_finish);
    return name_kinds(out);
}
