// SPDX-License-Identifier: Apache-2.0
#include "delivery/failure.h"

#include <stdlib.h>

#include "delivery/held.h"
#include "delivery/naming.h"

// What is asked for each incident is sorted once, so that an incident costs what belongs to it.
struct finding {
    struct arena *a;   // of the links
    struct arena *own; // of what is sorted: as long as they are looked for
    const struct failure_ask *ask;
    struct failures *out;
    uint32_t cap;
    struct naming names;
    uint8_t *remedied;   // of each rollout: the rules of its links without an incident, as bits
    uint32_t *canary_of; // of each canary: its rollout
    uint32_t *impact_of; // of each rollout: its impact, or ROLLOUT_NONE
    uint32_t *verdicts;  // by incident, then as they were given
    struct held_list undone, traced, turned, canaries; // of rollbacks, rollouts, flags, canaries
    // The incident at hand.
    uint32_t from;        // where its links begin
    const uint32_t *said; // its verdicts
    uint32_t n_said;
};

static bool can_fail(const struct rollout *r) { // it was in production whole
    return r->state == ROLLOUT_SUCCESS;
}

// --- links -------------------------------------------------------------------------------------------------

// What people said of an incident.
static uint32_t verdicts_on(const struct finding *f, struct str incident, const uint32_t **out) {
    uint32_t low = 0, high = f->ask->n_verdicts, n = 0;
    while (low < high) {
        uint32_t mid = low + (high - low) / 2;
        if (str_cmp(f->ask->verdicts[f->verdicts[mid]].incident, incident) < 0)
            low = mid + 1;
        else
            high = mid;
    }
    *out = f->verdicts + low;
    while (low + n < f->ask->n_verdicts && str_eq(f->ask->verdicts[(*out)[n]].incident, incident)) n++;
    return n;
}

// On the incident at hand. Of another service: versions and groups of services are alike.
static const struct verdict *verdict_on(const struct finding *f, uint32_t rollout, bool elsewhere) {
    const struct rollout *r = &f->ask->rollouts->items[rollout];
    for (uint32_t i = 0; i < f->n_said; i++) {
        const struct verdict *said = &f->ask->verdicts[f->said[i]];
        if (elsewhere ? naming_is_itself(r, said->rollout) : naming_is(r, said->rollout)) return said;
    }
    return NULL;
}

static enum err add_link(struct finding *f, struct failure_link link) {
    struct failure_link *links = arena_grow(f->a, f->out->links, f->out->n, &f->cap, sizeof *links);
    if (!links) return ERR_NOMEM;
    f->out->links = links;
    f->out->links[f->out->n++] = link;
    return f->a->failed ? ERR_NOMEM : ERR_OK;
}

// Once for a rollout, incident and rule; it is then.
static bool is_linked(struct finding *f, uint32_t rollout, uint32_t incident, enum failure_rule rule) {
    if (incident == ROLLOUT_NONE) {
        bool was = f->remedied[rollout] & 1u << rule;
        f->remedied[rollout] |= (uint8_t)(1u << rule);
        return was;
    }
    for (uint32_t i = f->from; i < f->out->n; i++) {
        const struct failure_link *l = &f->out->links[i];
        if (l->rollout == rollout && l->incident == incident && l->rule == rule) return true;
    }
    return false;
}

static enum err add(struct finding *f, uint32_t rollout, uint32_t incident, enum failure_rule rule,
                    struct str evidence) {
    const struct verdict *v =
        incident == ROLLOUT_NONE ? NULL : verdict_on(f, rollout, f->ask->incidents[incident].elsewhere);
    if ((v && !v->confirms) || is_linked(f, rollout, incident, rule)) return ERR_OK;
    return add_link(f, (struct failure_link){ .rollout = rollout,
                                              .incident = incident,
                                              .flag = ROLLOUT_NONE,
                                              .rule = rule,
                                              .confirmed = v != NULL,
                                              .evidence = evidence });
}

static struct str name_of(const struct rollout *r) {
    struct str s = r->lead->version.len ? r->lead->version : deploy_identity(r->lead);
    return s.len ? s : r->lead->key;
}

// Rule 3 without an incident: what took a rollout back, or mends it, says that it failed.
static enum err add_remedy(struct finding *f, uint32_t i) {
    const struct rollouts *all = f->ask->rollouts;
    const struct rollout *r = &all->items[i];
    if (r->state != ROLLOUT_SUCCESS) return ERR_OK;
    if (r->kind == ROLLOUT_ROLLBACK && r->undoes != ROLLOUT_NONE)
        return add(f, r->undoes, ROLLOUT_NONE, FAILURE_REMEDY,
                   str_fmt(f->a, "rolled back to %.*s", STR_ARG(name_of(r))));
    if (r->kind != ROLLOUT_HOTFIX) return ERR_OK;
    if (!r->lead->fixes.len)
        return r->before == ROLLOUT_NONE || r->reverts != ROLLOUT_NONE // which says what it mends
                   ? ERR_OK
                   : add(f, r->before, ROLLOUT_NONE, FAILURE_REMEDY,
                         str_fmt(f->a, "the next rollout, %.*s, is a hotfix", STR_ARG(name_of(r))));
    uint32_t bad = ROLLOUT_NONE, k; // the last one before it
    bool alone;
    for (struct naming_at at = naming_find(&f->names, r->lead->fixes); naming_next(&at, &k, &alone);)
        if (k < i && can_fail(&all->items[k]) && (bad == ROLLOUT_NONE || k > bad)) bad = k;
    return bad == ROLLOUT_NONE ? ERR_OK
                               : add(f, bad, ROLLOUT_NONE, FAILURE_SAID,
                                     str_fmt(f->a, "%.*s says that it fixes %.*s", STR_ARG(name_of(r)),
                                             STR_ARG(r->lead->fixes)));
}

static enum err add_revert(struct finding *f, uint32_t i) {
    const struct rollout *all = f->ask->rollouts->items;
    uint32_t by = all[i].reverted_by;
    if (by == ROLLOUT_NONE) return ERR_OK;
    return add(f, i, ROLLOUT_NONE, FAILURE_REMEDY,
               str_fmt(f->a, "%.*s reverts a commit of it", STR_ARG(name_of(&all[by]))));
}

// Rule 6: what the traces of a rollout showed.
static const struct failure_impact *impact_of(const struct finding *f, uint32_t rollout) {
    uint32_t i = f->impact_of[rollout];
    return i == ROLLOUT_NONE ? NULL : &f->ask->impacts[i];
}

// A person on what the traces showed, without an incident.
static const struct verdict *verdict_on_traces(const struct finding *f, uint32_t rollout) {
    const uint32_t *said;
    uint32_t n = verdicts_on(f, FAILURE_BY_TRACES, &said);
    for (uint32_t i = 0; i < n; i++)
        if (naming_is_alone(&f->ask->rollouts->items[rollout], f->ask->verdicts[said[i]].rollout))
            return &f->ask->verdicts[said[i]];
    return NULL;
}

static enum err add_impacts(struct finding *f) {
    for (uint32_t i = 0; f->ask->n_impacts && i < f->ask->rollouts->n; i++) {
        const struct failure_impact *x = impact_of(f, i);
        const struct verdict *v = x ? verdict_on_traces(f, i) : NULL;
        if (!x || (v && !v->confirms)) continue;
        TRY(add(f, i, ROLLOUT_NONE, FAILURE_TRACES, x->evidence));
        f->out->links[f->out->n - 1].confirmed = v != NULL;
    }
    return ERR_OK;
}

// With an incident that began while it was new, a suspicion is enough.
static enum err add_traced(struct finding *f, uint32_t i) {
    const uint32_t *found;
    uint32_t n = held_at(&f->traced, f->ask->incidents[i].began, &found);
    for (uint32_t k = 0; k < n; k++)
        TRY(add(f, found[k], i, FAILURE_TRACES, impact_of(f, found[k])->evidence));
    return ERR_OK;
}

static bool decides_alone(const struct finding *f, const struct failure_link *l) {
    if (l->rule != FAILURE_TRACES || l->confirmed) return true;
    const struct failure_impact *x = impact_of(f, l->rollout);
    return x && x->confirmed;
}

static enum err add_named(struct finding *f, uint32_t i) {
    struct str cause = f->ask->incidents[i].caused_by;
    if (!cause.len) return ERR_OK;
    uint32_t k = naming_first(&f->names, cause, true);
    if (k != ROLLOUT_NONE) return add(f, k, i, FAILURE_SAID, STR("the incident names this rollout"));
    k = naming_first(&f->names, cause, false); // it brought the version
    if (k != ROLLOUT_NONE)
        return add(f, k, i, FAILURE_VERSION,
                   str_fmt(f->a, "the incident names %.*s, which this rollout brought", STR_ARG(cause)));
    k = brought_by(f->ask->brought, f->ask->n_brought, cause);
    return k == ROLLOUT_NONE ? ERR_OK
                             : add(f, k, i, FAILURE_VERSION,
                                   str_fmt(f->a, "the incident names commit %.*s, which this rollout brought",
                                           STR_ARG(cause)));
}

// Rule 3 with an incident: it began after the bad rollout, and the rollback came in time for it.
static enum err add_rolled_back(struct finding *f, uint32_t i) {
    const struct rollouts *all = f->ask->rollouts;
    const uint32_t *found;
    uint32_t n = held_at(&f->undone, f->ask->incidents[i].began, &found);
    for (uint32_t k = 0; k < n; k++)
        TRY(add(f, all->items[found[k]].undoes, i, FAILURE_REMEDY,
                str_fmt(f->a, "the incident began after it and before it was rolled back to %.*s",
                        STR_ARG(name_of(&all->items[found[k]])))));
    return ERR_OK;
}

// --- flags and canaries ------------------------------------------------------------------------------------

static bool denies_flag(const struct finding *f, const struct flag_turn *t) {
    for (uint32_t i = 0; i < f->n_said; i++) {
        const struct verdict *v = &f->ask->verdicts[f->said[i]];
        if (!v->confirms && (str_eq(v->rollout, t->name) || str_eq(v->rollout, t->key))) return true;
    }
    return false;
}

static enum err add_flag(struct finding *f, uint32_t i, uint32_t k) {
    const struct flag_turn *t = &f->ask->flags[k];
    int64_t before = f->ask->incidents[i].began - t->changed;
    if (before < 0 || denies_flag(f, t)) return ERR_OK;
    return add_link(
        f, (struct failure_link){ .rollout = ROLLOUT_NONE,
                                  .incident = i,
                                  .flag = k,
                                  .rule = FAILURE_FLAG,
                                  .evidence = str_fmt(f->a, "flag %.*s was changed (%.*s) %lld min earlier",
                                                      STR_ARG(t->name), STR_ARG(t->action),
                                                      (long long)(before / 60000000000ll)) });
}

// Rule 4: the flag that the incident names, or what was turned shortly before it began.
static enum err add_flags(struct finding *f, uint32_t i) {
    const struct incident *inc = &f->ask->incidents[i];
    const uint32_t *found;
    uint32_t n = held_at(&f->turned, inc->began, &found);
    for (uint32_t k = 0; k < n; k++) TRY(add_flag(f, i, found[k]));
    for (uint32_t k = 0; inc->caused_by.len && k < f->ask->n_flags; k++) {
        const struct flag_turn *t = &f->ask->flags[k];
        bool near = inc->began - t->changed <= FAILURE_FLAG_WINDOW_NS; // it is there already
        bool named = str_eq(inc->caused_by, t->name) || str_eq(inc->caused_by, t->key);
        if (named && !near) TRY(add_flag(f, i, k));
    }
    return ERR_OK;
}

// The last rollout of a canary's version that had begun when the canary ended.
static uint32_t rollout_of_canary(const struct finding *f, const struct failed_canary *c) {
    const struct rollout *all = f->ask->rollouts->items;
    uint32_t found = ROLLOUT_NONE, k;
    bool alone;
    for (struct naming_at at = naming_find(&f->names, c->version); naming_next(&at, &k, &alone);) {
        if (all[k].started > c->ended) continue;
        if (found == ROLLOUT_NONE || all[k].started > all[found].started ||
            (all[k].started == all[found].started && k < found))
            found = k;
    }
    return found;
}

// Rule 5, of an incident, or (ROLLOUT_NONE) by itself.
static enum err add_canary(struct finding *f, uint32_t i, uint32_t k) {
    const struct failed_canary *c = &f->ask->canaries[k];
    uint32_t bad = f->canary_of[k], before = f->out->n;
    if (bad == ROLLOUT_NONE) return ERR_OK;
    TRY(add(f, bad, i, FAILURE_CANARY,
            str_fmt(f->a, "its canary failed at %.0f %% of the traffic", c->weight)));
    if (f->out->n > before)
        f->out->links[before].aborted =
            c->weight < FAILURE_WHOLE_WEIGHT || !can_fail(&f->ask->rollouts->items[bad]);
    return ERR_OK;
}

static enum err add_canaries(struct finding *f, uint32_t i) {
    const uint32_t *found;
    uint32_t n = held_at(&f->canaries, f->ask->incidents[i].began, &found);
    for (uint32_t k = 0; k < n; k++) TRY(add_canary(f, i, found[k]));
    return ERR_OK;
}

// How many rollouts had finished at a moment; those that have not stand last.
static uint32_t finished_by(const struct rollouts *all, int64_t moment) {
    uint32_t low = 0, high = all->n;
    while (low < high) {
        uint32_t mid = low + (high - low) / 2;
        if (all->items[mid].finished && all->items[mid].finished <= moment)
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

// Rule 7: the last success within the window before it began.
static enum err add_near(struct finding *f, uint32_t i) {
    const struct incident *inc = &f->ask->incidents[i];
    const struct rollouts *all = f->ask->rollouts;
    for (uint32_t k = finished_by(all, inc->began); k-- > 0;) {
        const struct rollout *r = &all->items[k];
        int64_t after = inc->began - r->finished;
        if (after > FAILURE_WINDOW_NS) return ERR_OK;
        if (!can_fail(r)) continue;
        const struct verdict *v = verdict_on(f, k, false);
        if (v && !v->confirms) continue;
        return add(f, k, i, FAILURE_NEAR,
                   str_fmt(f->a, "the last rollout before it, %lld min earlier",
                           (long long)(after / 60000000000ll)));
    }
    return ERR_OK;
}

static uint32_t itself(const struct finding *f, struct str name) {
    uint32_t k;
    bool alone;
    for (struct naming_at at = naming_find(&f->names, name); naming_next(&at, &k, &alone);) {
        const struct rollout *r = &f->ask->rollouts->items[k];
        if (r->state == ROLLOUT_SUCCESS && naming_is_itself(r, name)) return k;
    }
    return ROLLOUT_NONE;
}

static enum err add_confirmed(struct finding *f, uint32_t i) {
    for (uint32_t v = 0; v < f->n_said; v++) {
        const struct verdict *said = &f->ask->verdicts[f->said[v]];
        if (!said->confirms) continue;
        uint32_t k = f->ask->incidents[i].elsewhere ? itself(f, said->rollout)
                                                    : naming_first(&f->names, said->rollout, false);
        if (k == ROLLOUT_NONE) continue;
        TRY(add(f, k, i, FAILURE_SAID,
                str_fmt(f->a, "confirmed by %.*s", STR_ARG(said->by.len ? said->by : STR("somebody")))));
    }
    return ERR_OK;
}

// Rule 7 again, of another service.
static enum err add_chosen(struct finding *f, uint32_t i) {
    const struct incident *inc = &f->ask->incidents[i];
    const struct rollout *all = f->ask->rollouts->items;
    uint32_t before = f->out->n;
    if (!inc->says.len) return ERR_OK;
    uint32_t k = naming_first(&f->names, str_fmt(f->a, "%016llx", (unsigned long long)inc->near), true);
    if (k == ROLLOUT_NONE || all[k].id != inc->near) return ERR_OK; // chosen before this was derived anew
    TRY(add(f, k, i, FAILURE_NEAR, inc->says));
    if (f->out->n > before) f->out->links[before].neighbour = true;
    return ERR_OK;
}

// Did a person say that something which is known, and not of this series, caused it?
static bool is_elsewhere(const struct finding *f) {
    for (uint32_t v = 0; v < f->n_said; v++) {
        const struct verdict *said = &f->ask->verdicts[f->said[v]];
        if (said->confirms && !said->of_nothing &&
            naming_first(&f->names, said->rollout, false) == ROLLOUT_NONE)
            return true;
    }
    return false;
}

// Which of an incident's links decide: all of its best rule. That a rollout was near says nothing where a
// cause is known.
static void decide(const struct finding *f, uint32_t from) {
    struct failures *out = f->out;
    enum failure_rule best = FAILURE_RULE_COUNT;
    for (uint32_t i = from; i < out->n; i++)
        if (out->links[i].rule < best) best = out->links[i].rule;
    if (best == FAILURE_NEAR && is_elsewhere(f)) return;
    for (uint32_t i = from; i < out->n; i++) out->links[i].decides = out->links[i].rule == best;
}

static int by_rule(const void *pa, const void *pb) {
    const struct failure_link *a = pa, *b = pb;
    if (a->rule != b->rule) return a->rule < b->rule ? -1 : 1;
    return (a->rollout > b->rollout) - (a->rollout < b->rollout);
}

// --- what is sorted once -----------------------------------------------------------------------------------

static int by_incident(const void *pa, const void *pb, void *ctx) {
    const struct verdict *all = ctx;
    uint32_t a = *(const uint32_t *)pa, b = *(const uint32_t *)pb;
    int c = str_cmp(all[a].incident, all[b].incident);
    return c ? c : (a > b) - (a < b);
}

static enum err sort_verdicts(struct finding *f) {
    uint32_t n = f->ask->n_verdicts;
    f->verdicts = ARENA_ARRAY(f->own, n + 1ull, uint32_t);
    if (!f->verdicts) return ERR_NOMEM;
    for (uint32_t i = 0; i < n; i++) f->verdicts[i] = i;
    if (n) qsort_r(f->verdicts, n, sizeof *f->verdicts, by_incident, (void *)f->ask->verdicts);
    return ERR_OK;
}

// The first impact that names a rollout is its own.
static void give_impact(struct finding *f, uint32_t impact, struct str name) {
    uint32_t k;
    bool alone;
    for (struct naming_at at = naming_find(&f->names, name); naming_next(&at, &k, &alone);)
        if (alone && can_fail(&f->ask->rollouts->items[k]) && f->impact_of[k] == ROLLOUT_NONE)
            f->impact_of[k] = impact;
}

static enum err sort_rollouts(struct finding *f) {
    const struct rollouts *all = f->ask->rollouts;
    f->remedied = ARENA_ARRAY(f->own, all->n + 1ull, uint8_t);
    f->impact_of = ARENA_ARRAY(f->own, all->n + 1ull, uint32_t);
    if (!f->remedied || !f->impact_of) return ERR_NOMEM;
    for (uint32_t k = 0; k < all->n; k++) f->impact_of[k] = ROLLOUT_NONE, f->remedied[k] = 0;
    for (uint32_t i = 0; i < f->ask->n_impacts; i++) {
        give_impact(f, i, f->ask->impacts[i].rollout);
        give_impact(f, i, f->ask->impacts[i].deploy);
    }
    for (uint32_t k = 0; k < all->n; k++) {
        const struct rollout *r = &all->items[k];
        if (f->impact_of[k] != ROLLOUT_NONE)
            TRY(held_add(&f->traced, f->own, r->started, r->finished + FAILURE_WINDOW_NS, k));
        if (r->kind != ROLLOUT_ROLLBACK || r->state != ROLLOUT_SUCCESS || r->undoes == ROLLOUT_NONE) continue;
        const struct rollout *bad = &all->items[r->undoes];
        int64_t until = bad->finished + FAILURE_WINDOW_NS;
        TRY(held_add(&f->undone, f->own, bad->started, until < r->finished ? until : r->finished, k));
    }
    TRY(held_ready(&f->traced, f->own));
    return held_ready(&f->undone, f->own);
}

static enum err sort_turns(struct finding *f) {
    const struct failure_ask *ask = f->ask;
    f->canary_of = ARENA_ARRAY(f->own, ask->n_canaries + 1ull, uint32_t);
    if (!f->canary_of) return ERR_NOMEM;
    for (uint32_t k = 0; k < ask->n_canaries; k++) {
        f->canary_of[k] = rollout_of_canary(f, &ask->canaries[k]);
        TRY(held_add(&f->canaries, f->own, ask->canaries[k].started, ask->canaries[k].ended, k));
    }
    for (uint32_t k = 0; k < ask->n_flags; k++)
        TRY(held_add(&f->turned, f->own, ask->flags[k].changed,
                     ask->flags[k].changed + FAILURE_FLAG_WINDOW_NS, k));
    TRY(held_ready(&f->canaries, f->own));
    return held_ready(&f->turned, f->own);
}

// Most series have nothing that names a rollout: then none is to be found by its names.
static bool asks_by_name(const struct finding *f) {
    const struct failure_ask *ask = f->ask;
    if (ask->n_incidents || ask->n_canaries || ask->n_impacts) return true;
    for (uint32_t i = 0; i < ask->rollouts->n; i++)
        if (ask->rollouts->items[i].lead->fixes.len) return true;
    return false;
}

static enum err sort_all(struct finding *f) {
    if (asks_by_name(f)) TRY(naming_of(f->own, f->ask->rollouts, &f->names));
    TRY(sort_verdicts(f));
    TRY(sort_rollouts(f));
    return sort_turns(f);
}

// --- all rules ---------------------------------------------------------------------------------------------

static enum err find_without_incident(struct finding *f) {
    struct failures *out = f->out;
    for (uint32_t i = 0; i < f->ask->rollouts->n; i++) TRY(add_remedy(f, i));
    for (uint32_t i = 0; i < f->ask->rollouts->n; i++) TRY(add_revert(f, i));
    for (uint32_t k = 0; k < f->ask->n_canaries; k++) TRY(add_canary(f, ROLLOUT_NONE, k));
    TRY(add_impacts(f));
    for (uint32_t i = 0; i < out->n; i++)
        out->links[i].decides = !out->links[i].aborted && decides_alone(f, &out->links[i]);
    if (out->n) qsort(out->links, out->n, sizeof *out->links, by_rule);
    return ERR_OK;
}

static enum err find_of_incident(struct finding *f, uint32_t i) {
    struct failures *out = f->out;
    uint32_t from = f->from = out->n;
    f->n_said = verdicts_on(f, f->ask->incidents[i].key, &f->said);
    TRY(add_confirmed(f, i));
    if (f->ask->incidents[i].elsewhere) {
        TRY(add_chosen(f, i));
        decide(f, from);
        return ERR_OK;
    }
    TRY(add_named(f, i));
    TRY(add_rolled_back(f, i));
    TRY(add_flags(f, i));
    TRY(add_canaries(f, i));
    TRY(add_traced(f, i));
    TRY(add_near(f, i));
    decide(f, from);
    if (out->n > from) qsort(out->links + from, out->n - from, sizeof *out->links, by_rule);
    return ERR_OK;
}

static enum err find_all(struct finding *f) {
    TRY(sort_all(f));
    TRY(find_without_incident(f));
    for (uint32_t i = 0; i < f->ask->n_incidents; i++) TRY(find_of_incident(f, i));
    return ERR_OK;
}

enum err failures_of(struct arena *a, const struct failure_ask *ask, struct failures *out) {
    struct arena own;
    struct finding f = { .a = a, .own = &own, .ask = ask, .out = out };
    *out = (struct failures){ 0 };
    arena_init(&own, a->limit, a->budget);
    enum err e = find_all(&f);
    arena_fini(&own);
    return e;
}
