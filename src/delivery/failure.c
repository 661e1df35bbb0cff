// SPDX-License-Identifier: Apache-2.0
#include "delivery/failure.h"

#include <stdio.h>
#include <stdlib.h>

#include "vcs/sha.h"

enum { SHORT_SHA = 7 };

struct finding {
    struct arena *a;
    const struct failure_ask *ask;
    struct failures *out;
    uint32_t cap;
    uint32_t from; // where the links of the incident at hand begin
};

// --- names -------------------------------------------------------------------------------------------------

static bool is_hex(struct str s) {
    for (size_t i = 0; i < s.len; i++)
        if (!strchr("0123456789abcdefABCDEF", s.ptr[i])) return false;
    return true;
}

bool failure_names(const struct rollout *r, struct str name) {
    const struct deploy *d = r->lead;
    char id[17];
    if (name.len == 0) return false;
    (void)snprintf(id, sizeof id, "%016llx", (unsigned long long)r->id);
    if (str_eq(name, str_of(id)) || str_eq(name, d->key) || str_eq(name, d->group)) return true;
    if (str_eq(name, d->version) || str_eq(name, d->digest)) return true;
    return name.len >= SHORT_SHA && name.len <= d->sha.len && is_hex(name) &&
           str_eq_nocase(str_sub(d->sha, 0, name.len), name);
}

static bool names_it_alone(const struct rollout *r, struct str name) { // and not merely what it shipped
    char id[17];
    (void)snprintf(id, sizeof id, "%016llx", (unsigned long long)r->id);
    return name.len &&
           (str_eq(name, str_of(id)) || str_eq(name, r->lead->key) || str_eq(name, r->lead->group));
}

static int by_sha(const void *key, const void *item) {
    const struct brought *b = item;
    return str_cmp(*(const struct str *)key, b->sha);
}

// The rollout that brought a commit, by its sha in hex or bytes; ROLLOUT_NONE.
static uint32_t brought_by(const struct failure_ask *ask, struct str sha) {
    char bytes[SHA_BYTES];
    if (sha.len == 2 * (size_t)SHA_BYTES) {
        if (!hex_decode(sha, bytes, SHA_BYTES)) return ROLLOUT_NONE;
        sha = (struct str){ bytes, SHA_BYTES };
    }
    if (sha.len != SHA_BYTES || !ask->n_brought) return ROLLOUT_NONE;
    const struct brought *b = bsearch(&sha, ask->brought, ask->n_brought, sizeof *b, by_sha);
    return b ? b->rollout : ROLLOUT_NONE;
}

static bool can_fail(const struct rollout *r) { // it was in production whole
    return r->state == ROLLOUT_SUCCESS;
}

// --- links -------------------------------------------------------------------------------------------------

static const struct verdict *verdict_on(const struct failure_ask *ask, uint32_t incident, uint32_t rollout) {
    for (uint32_t i = 0; incident != ROLLOUT_NONE && i < ask->n_verdicts; i++)
        if (str_eq(ask->verdicts[i].incident, ask->incidents[incident].key) &&
            failure_names(&ask->rollouts->items[rollout], ask->verdicts[i].rollout))
            return &ask->verdicts[i];
    return NULL;
}

// A person on what the traces showed, without an incident.
static const struct verdict *verdict_on_traces(const struct failure_ask *ask, uint32_t rollout) {
    for (uint32_t i = 0; i < ask->n_verdicts; i++)
        if (str_eq(ask->verdicts[i].incident, FAILURE_BY_TRACES) &&
            names_it_alone(&ask->rollouts->items[rollout], ask->verdicts[i].rollout))
            return &ask->verdicts[i];
    return NULL;
}

static enum err add_link(struct finding *f, struct failure_link link) {
    struct failure_link *links = arena_grow(f->a, f->out->links, f->out->n, &f->cap, sizeof *links);
    if (!links) return ERR_NOMEM;
    f->out->links = links;
    f->out->links[f->out->n++] = link;
    return f->a->failed ? ERR_NOMEM : ERR_OK;
}

static bool is_linked(const struct finding *f, uint32_t rollout, uint32_t incident, enum failure_rule rule) {
    for (uint32_t i = f->from; i < f->out->n; i++) {
        const struct failure_link *l = &f->out->links[i];
        if (l->rollout == rollout && l->incident == incident && l->rule == rule) return true;
    }
    return false;
}

static enum err add(struct finding *f, uint32_t rollout, uint32_t incident, enum failure_rule rule,
                    struct str evidence) {
    const struct verdict *v = verdict_on(f->ask, incident, rollout);
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
        return r->before == ROLLOUT_NONE
                   ? ERR_OK
                   : add(f, r->before, ROLLOUT_NONE, FAILURE_REMEDY,
                         str_fmt(f->a, "the next rollout, %.*s, is a hotfix", STR_ARG(name_of(r))));
    for (uint32_t k = i; k-- > 0;)
        if (can_fail(&all->items[k]) && failure_names(&all->items[k], r->lead->fixes))
            return add(f, k, ROLLOUT_NONE, FAILURE_SAID,
                       str_fmt(f->a, "%.*s says that it fixes %.*s", STR_ARG(name_of(r)),
                               STR_ARG(r->lead->fixes)));
    return ERR_OK;
}

static enum err add_reverts(struct finding *f) {
    for (uint32_t i = 0; i < f->ask->n_brought; i++) {
        const struct brought *b = &f->ask->brought[i];
        if (!b->reverts.len) continue;
        uint32_t bad = brought_by(f->ask, b->reverts);
        if (bad == ROLLOUT_NONE || bad >= b->rollout) continue; // never shipped, or shipped together
        TRY(add(f, bad, ROLLOUT_NONE, FAILURE_REMEDY,
                str_fmt(f->a, "%.*s reverts a commit of it",
                        STR_ARG(name_of(&f->ask->rollouts->items[b->rollout])))));
    }
    return ERR_OK;
}

// Rule 6: what the traces of a rollout showed.
static const struct failure_impact *impact_of(const struct failure_ask *ask, uint32_t rollout) {
    const struct rollout *r = &ask->rollouts->items[rollout];
    for (uint32_t i = 0; i < ask->n_impacts && can_fail(r); i++)
        if (names_it_alone(r, ask->impacts[i].rollout) || names_it_alone(r, ask->impacts[i].deploy))
            return &ask->impacts[i];
    return NULL;
}

static enum err add_impacts(struct finding *f) {
    for (uint32_t i = 0; f->ask->n_impacts && i < f->ask->rollouts->n; i++) {
        const struct failure_impact *x = impact_of(f->ask, i);
        const struct verdict *v = x ? verdict_on_traces(f->ask, i) : NULL;
        if (!x || (v && !v->confirms)) continue;
        TRY(add(f, i, ROLLOUT_NONE, FAILURE_TRACES, x->evidence));
        f->out->links[f->out->n - 1].confirmed = v != NULL;
    }
    return ERR_OK;
}

// With an incident that began while it was new, a suspicion is enough.
static enum err add_traced(struct finding *f, uint32_t i) {
    const struct incident *inc = &f->ask->incidents[i];
    for (uint32_t k = 0; f->ask->n_impacts && k < f->ask->rollouts->n; k++) {
        const struct rollout *r = &f->ask->rollouts->items[k];
        const struct failure_impact *x = impact_of(f->ask, k);
        if (!x || inc->began < r->started || inc->began - r->finished > FAILURE_WINDOW_NS) continue;
        TRY(add(f, k, i, FAILURE_TRACES, x->evidence));
    }
    return ERR_OK;
}

static bool decides_alone(const struct failure_ask *ask, const struct failure_link *l) {
    if (l->rule != FAILURE_TRACES || l->confirmed) return true;
    const struct failure_impact *x = impact_of(ask, l->rollout);
    return x && x->confirmed;
}

static enum err add_named(struct finding *f, uint32_t i) {
    const struct incident *inc = &f->ask->incidents[i];
    const struct rollouts *all = f->ask->rollouts;
    if (!inc->caused_by.len) return ERR_OK;
    for (uint32_t k = 0; k < all->n; k++)
        if (can_fail(&all->items[k]) && names_it_alone(&all->items[k], inc->caused_by))
            return add(f, k, i, FAILURE_SAID, STR("the incident names this rollout"));
    for (uint32_t k = 0; k < all->n; k++) // the first success: it brought the version
        if (can_fail(&all->items[k]) && failure_names(&all->items[k], inc->caused_by))
            return add(f, k, i, FAILURE_VERSION,
                       str_fmt(f->a, "the incident names %.*s, which this rollout brought",
                               STR_ARG(inc->caused_by)));
    uint32_t k = brought_by(f->ask, inc->caused_by);
    return k == ROLLOUT_NONE ? ERR_OK
                             : add(f, k, i, FAILURE_VERSION,
                                   str_fmt(f->a, "the incident names commit %.*s, which this rollout brought",
                                           STR_ARG(inc->caused_by)));
}

// Rule 3 with an incident: it began after the bad rollout, and the rollback came in time for it.
static enum err add_rolled_back(struct finding *f, uint32_t i) {
    const struct incident *inc = &f->ask->incidents[i];
    const struct rollouts *all = f->ask->rollouts;
    for (uint32_t k = 0; k < all->n; k++) {
        const struct rollout *r = &all->items[k];
        if (r->kind != ROLLOUT_ROLLBACK || r->state != ROLLOUT_SUCCESS || r->undoes == ROLLOUT_NONE) continue;
        if (inc->began < all->items[r->undoes].started || inc->began > r->finished) continue;
        if (inc->began - all->items[r->undoes].finished > FAILURE_WINDOW_NS) continue;
        TRY(add(f, r->undoes, i, FAILURE_REMEDY,
                str_fmt(f->a, "the incident began after it and before it was rolled back to %.*s",
                        STR_ARG(name_of(r)))));
    }
    return ERR_OK;
}

// --- flags and canaries ------------------------------------------------------------------------------------

static bool denies_flag(const struct failure_ask *ask, uint32_t incident, const struct flag_turn *t) {
    for (uint32_t i = 0; i < ask->n_verdicts; i++) {
        const struct verdict *v = &ask->verdicts[i];
        if (str_eq(v->incident, ask->incidents[incident].key) && !v->confirms &&
            (str_eq(v->rollout, t->name) || str_eq(v->rollout, t->key)))
            return true;
    }
    return false;
}

// Rule 4: the flag that the incident names, or what was turned shortly before it began.
static enum err add_flags(struct finding *f, uint32_t i) {
    const struct incident *inc = &f->ask->incidents[i];
    for (uint32_t k = 0; k < f->ask->n_flags; k++) {
        const struct flag_turn *t = &f->ask->flags[k];
        int64_t before = inc->began - t->changed;
        bool named =
            inc->caused_by.len && (str_eq(inc->caused_by, t->name) || str_eq(inc->caused_by, t->key));
        if (before < 0 || (before > FAILURE_FLAG_WINDOW_NS && !named) || denies_flag(f->ask, i, t)) continue;
        TRY(add_link(f, (struct failure_link){
                            .rollout = ROLLOUT_NONE,
                            .incident = i,
                            .flag = k,
                            .rule = FAILURE_FLAG,
                            .evidence = str_fmt(f->a, "flag %.*s was changed (%.*s) %lld min earlier",
                                                STR_ARG(t->name), STR_ARG(t->action),
                                                (long long)(before / 60000000000ll)) }));
    }
    return ERR_OK;
}

// The last rollout of a canary's version that had begun when the canary ended.
static uint32_t rollout_of_canary(const struct failure_ask *ask, const struct failed_canary *c) {
    uint32_t found = ROLLOUT_NONE;
    for (uint32_t k = 0; k < ask->rollouts->n; k++) {
        const struct rollout *r = &ask->rollouts->items[k];
        if (!failure_names(r, c->version) || r->started > c->ended) continue;
        if (found == ROLLOUT_NONE || r->started > ask->rollouts->items[found].started) found = k;
    }
    return found;
}

// Rule 5, of an incident, or (ROLLOUT_NONE) by itself.
static enum err add_canaries(struct finding *f, uint32_t i) {
    for (uint32_t k = 0; k < f->ask->n_canaries; k++) {
        const struct failed_canary *c = &f->ask->canaries[k];
        uint32_t bad = rollout_of_canary(f->ask, c), before = f->out->n;
        if (bad == ROLLOUT_NONE) continue;
        if (i != ROLLOUT_NONE &&
            (f->ask->incidents[i].began < c->started || f->ask->incidents[i].began > c->ended))
            continue;
        TRY(add(f, bad, i, FAILURE_CANARY,
                str_fmt(f->a, "its canary failed at %.0f %% of the traffic", c->weight)));
        if (f->out->n > before)
            f->out->links[before].aborted =
                c->weight < FAILURE_WHOLE_WEIGHT || !can_fail(&f->ask->rollouts->items[bad]);
    }
    return ERR_OK;
}

// Rule 7: the last success within the window before it began.
static enum err add_near(struct finding *f, uint32_t i) {
    const struct incident *inc = &f->ask->incidents[i];
    const struct rollouts *all = f->ask->rollouts;
    for (uint32_t k = all->n; k-- > 0;) {
        const struct rollout *r = &all->items[k];
        if (!can_fail(r) || r->finished > inc->began) continue;
        int64_t after = inc->began - r->finished;
        if (after > FAILURE_WINDOW_NS) return ERR_OK;
        const struct verdict *v = verdict_on(f->ask, i, k);
        if (v && !v->confirms) continue;
        return add(f, k, i, FAILURE_NEAR,
                   str_fmt(f->a, "the last rollout before it, %lld min earlier",
                           (long long)(after / 60000000000ll)));
    }
    return ERR_OK;
}

static enum err add_confirmed(struct finding *f, uint32_t i) {
    for (uint32_t v = 0; v < f->ask->n_verdicts; v++) {
        const struct verdict *said = &f->ask->verdicts[v];
        if (!said->confirms || !str_eq(said->incident, f->ask->incidents[i].key)) continue;
        for (uint32_t k = 0; k < f->ask->rollouts->n; k++)
            if (can_fail(&f->ask->rollouts->items[k]) &&
                failure_names(&f->ask->rollouts->items[k], said->rollout)) {
                TRY(add(f, k, i, FAILURE_SAID,
                        str_fmt(f->a, "confirmed by %.*s",
                                STR_ARG(said->by.len ? said->by : STR("somebody")))));
                break;
            }
    }
    return ERR_OK;
}

// Which of an incident's links decide: all of its best rule.
static void decide(struct failures *out, uint32_t from) {
    enum failure_rule best = FAILURE_RULE_COUNT;
    for (uint32_t i = from; i < out->n; i++)
        if (out->links[i].rule < best) best = out->links[i].rule;
    for (uint32_t i = from; i < out->n; i++) out->links[i].decides = out->links[i].rule == best;
}

static int by_rule(const void *pa, const void *pb) {
    const struct failure_link *a = pa, *b = pb;
    if (a->rule != b->rule) return a->rule < b->rule ? -1 : 1;
    return (a->rollout > b->rollout) - (a->rollout < b->rollout);
}

enum err failures_of(struct arena *a, const struct failure_ask *ask, struct failures *out) {
    struct finding f = { .a = a, .ask = ask, .out = out };
    *out = (struct failures){ 0 };
    for (uint32_t i = 0; i < ask->rollouts->n; i++) TRY(add_remedy(&f, i));
    TRY(add_reverts(&f));
    TRY(add_canaries(&f, ROLLOUT_NONE));
    TRY(add_impacts(&f));
    for (uint32_t i = 0; i < out->n; i++)
        out->links[i].decides = !out->links[i].aborted && decides_alone(ask, &out->links[i]);
    if (out->n) qsort(out->links, out->n, sizeof *out->links, by_rule);
    for (uint32_t i = 0; i < ask->n_incidents; i++) {
        uint32_t from = f.from = out->n;
        TRY(add_confirmed(&f, i));
        TRY(add_named(&f, i));
        TRY(add_rolled_back(&f, i));
        TRY(add_flags(&f, i));
        TRY(add_canaries(&f, i));
        TRY(add_traced(&f, i));
        TRY(add_near(&f, i));
        decide(out, from);
        if (out->n > from) qsort(out->links + from, out->n - from, sizeof *out->links, by_rule);
    }
    return ERR_OK;
}

static void take_earlier(int64_t *best, int64_t t, int64_t after) {
    if (t && t >= after && (*best == 0 || t < *best)) *best = t;
}

int64_t failure_recovered(const struct failure_ask *ask, const struct failures *f, uint32_t rollout) {
    const struct rollouts *all = ask->rollouts;
    int64_t best = 0, after = all->items[rollout].finished;
    for (uint32_t i = rollout + 1; i < all->n; i++) {
        const struct rollout *r = &all->items[i];
        if (r->state != ROLLOUT_SUCCESS) continue;
        bool fixes =
            r->kind == ROLLOUT_HOTFIX &&
            (r->lead->fixes.len ? failure_names(&all->items[rollout], r->lead->fixes) : r->before == rollout);
        // A rollback past it takes it back too.
        if (fixes || (r->kind == ROLLOUT_ROLLBACK && r->undoes != ROLLOUT_NONE && r->undoes <= rollout))
            take_earlier(&best, r->finished, after);
    }
    for (uint32_t i = 0; i < f->n; i++)
        if (f->links[i].rollout == rollout && f->links[i].decides && f->links[i].incident != ROLLOUT_NONE)
            take_earlier(&best, ask->incidents[f->links[i].incident].recovered, after);
    return best;
}
