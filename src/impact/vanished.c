// SPDX-License-Identifier: Apache-2.0
#include "impact/vanished.h"

#include <math.h>

#include "impact/tally.h"

enum { QUARTER_MINUTES = 15 };

struct pair {
    uint32_t of[ARM_COUNT];
};
struct cluster { // a route's requests of one minute, of its busiest caller there
    uint32_t n;
    uint8_t caller;
    struct pair own;
};
struct searching {
    struct counting c;
    struct vanished *out;
    struct pair *of_caller[ARMS_CALLERS_MAX]; // by minute, of all routes; NULL: it asked for nothing
    struct cluster *clusters;                 // by minute, of the route at hand
    uint8_t *quarters;                        // a bit for each arm in which any route was served
    uint8_t *served;                          // the same of the route at hand
    uint32_t n_quarters, in_old, in_new;      // quarters with requests
    uint32_t most_gained;
};

static enum err begin(struct searching *x, struct impact_rules rules) {
    TRY(counting_init(&x->c, x->c.a, x->c.arms, rules));
    x->n_quarters = x->c.n_minutes / QUARTER_MINUTES + 1;
    x->clusters = ARENA_ARRAY(x->c.a, x->c.n_minutes, struct cluster);
    x->quarters = arena_zalloc(x->c.a, x->n_quarters);
    x->served = arena_zalloc(x->c.a, x->n_quarters);
    if (x->c.a->failed) return ERR_NOMEM;
    for (uint32_t m = 0; m < x->c.n_minutes; m++) x->quarters[m / QUARTER_MINUTES] |= x->c.seen[m];
    for (uint32_t q = 0; q < x->n_quarters; q++) {
        x->in_old += x->quarters[q] >> ARM_OLD & 1;
        x->in_new += x->quarters[q] >> ARM_NEW & 1;
    }
    return ERR_OK;
}

static enum err count_callers(struct searching *x) {
    for (uint32_t i = 0; i < x->c.arms->n; i++) {
        const struct arms_sample *s = &x->c.arms->samples[i];
        if (s->caller == ARMS_CALLER_POOLED) continue;
        struct pair **of = &x->of_caller[s->caller];
        if (!*of) *of = arena_zalloc(x->c.a, x->c.n_minutes * sizeof **of);
        if (!*of) return ERR_NOMEM;
        (*of)[s->minute - x->c.base].of[s->arm]++;
    }
    return ERR_OK;
}

// --- how surprising its absence is, or would be ------------------------------------------------------------

static double by_minutes(const struct searching *x, uint32_t *units) {
    double p = 1;
    for (uint32_t m = 0; m < x->c.n_minutes; m++) {
        const struct cluster *c = &x->clusters[m];
        if (!c->own.of[ARM_OLD]) continue;
        const struct pair *all = &x->of_caller[c->caller][m];
        double old = all->of[ARM_OLD] - c->own.of[ARM_OLD], new = all->of[ARM_NEW] - c->own.of[ARM_NEW];
        p *= fmax(0.5, (old + 1) / (old + new + 1));
        ++*units;
    }
    return p;
}

static double by_quarters(const struct searching *x, uint32_t *units) {
    double p = 1;
    for (uint32_t q = 0; q < x->n_quarters; q++) {
        if (!(x->served[q] & 1 << ARM_OLD)) continue;
        double left = x->in_old > *units ? x->in_old - *units : 0;
        p *= left / fmax(1, left + x->in_new);
        ++*units;
    }
    return p;
}

// --- a route -----------------------------------------------------------------------------------------------

static void see(struct searching *x, uint32_t from, uint32_t to) {
    const struct arms_sample *s = x->c.arms->samples;
    memset(x->clusters, 0, x->c.n_minutes * sizeof *x->clusters);
    memset(x->served, 0, x->n_quarters);
    for (uint32_t i = from, next; i < to; i = next) {
        struct cluster c = { .caller = s[i].caller };
        for (next = i; next < to && s[next].caller == s[i].caller && s[next].minute == s[i].minute; next++) {
            c.n++;
            c.own.of[s[next].arm]++;
            x->served[(s[next].minute - x->c.base) / QUARTER_MINUTES] |= (uint8_t)(1 << s[next].arm);
        }
        struct cluster *best = &x->clusters[s[i].minute - x->c.base];
        if (c.caller != ARMS_CALLER_POOLED && c.n > best->n) *best = c;
    }
}

// One instance of many served it: so does one user who is kept on it, and on its version.
static bool of_one_pod(const struct searching *x, uint32_t from, uint32_t to) {
    const struct arms_sample *s = x->c.arms->samples;
    uint32_t first = UINT32_MAX;
    for (uint32_t i = from; i < to; i++) {
        if (s[i].arm != ARM_OLD) continue;
        if (first == UINT32_MAX) first = s[i].pod;
        if (s[i].pod != first) return false;
    }
    return x->c.arms->n_pods[ARM_OLD] > 1;
}

// The least busy of those that are named makes room.
static void add_lost(struct vanished *o, const struct vanished_route *r) {
    uint32_t at = o->n;
    if (at == VANISHED_MAX && o->lost[at - 1].requests >= r->requests) return;
    if (at == VANISHED_MAX) at--;
    while (at > 0 && o->lost[at - 1].requests < r->requests) {
        o->lost[at] = o->lost[at - 1];
        at--;
    }
    o->lost[at] = *r;
    if (o->n < VANISHED_MAX) o->n++;
}

static void judge_route(struct searching *x, uint32_t from, uint32_t to) {
    const struct arms_route *route = &x->c.arms->routes[x->c.arms->samples[from].route];
    struct vanished_route r = { .route = route->name, .examples = route->old };
    uint32_t of_new = 0;
    for (uint32_t i = from; i < to; i++) of_new += x->c.arms->samples[i].arm == ARM_NEW;
    r.requests = (uint64_t)(to - from - of_new) << x->c.arms->shift;
    if (!r.requests && of_new > x->most_gained) {
        x->most_gained = of_new;
        x->out->gained = r.route;
    }
    bool many_in_one = x->c.arms->samples[from].route == ARMS_ROUTES_MAX - 1; // "other"
    if (!r.requests || many_in_one || of_one_pod(x, from, to)) return;
    see(x, from, to);
    r.p = x->c.rules.time_is_arm ? by_quarters(x, &r.units) : by_minutes(x, &r.units);
    if (r.p * x->out->n_routes > VANISHED_ERROR) return;
    x->out->n_testable++;
    if (!of_new) add_lost(x->out, &r);
}

enum err vanished_find(struct arena *a, const struct arms *arms, struct impact_rules rules,
                       struct vanished *out) {
    struct searching *x = ARENA_NEW(a, struct searching);
    *out = (struct vanished){ .by_quarter = rules.time_is_arm };
    if (!x) return ERR_NOMEM;
    *x = (struct searching){ .c = { .a = a, .arms = arms }, .out = out };
    TRY(begin(x, rules));
    if (!rules.time_is_arm) TRY(count_callers(x));
    for (int turn = 0; turn < 2; turn++) // they are counted before they are judged
        for (uint32_t from = 0, to; from < arms->n; from = to) {
            bool old = false;
            for (to = from; to < arms->n && arms->samples[to].route == arms->samples[from].route; to++)
                old |= arms->samples[to].arm == ARM_OLD;
            if (turn)
                judge_route(x, from, to);
            else
                out->n_routes += old;
        }
    return ERR_OK;
}
