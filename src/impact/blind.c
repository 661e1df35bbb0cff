// SPDX-License-Identifier: Apache-2.0
// What a rollout hid: routes that the old version served, spans within requests. It says nothing about harm,
// so no verdict goes by it.
#include "impact/impact_internal.h"

// Quarters of an hour that are needed before and after a rollout until the absence of a route can tell.
#define IN_TIME_NS (2 * HOUR_NS)
#define INNER_NS HOUR_NS // of each arm, the latest

static int64_t least(int64_t a, int64_t b) {
    return a < b ? a : b;
}

// --- routes ------------------------------------------------------------------------------------------------

static void forget(struct vanished *v, const struct route_counts *n, bool gone) {
    uint32_t kept = 0;
    for (uint32_t i = 0; i < v->n; i++)
        if ((n->of[i] == 0) == gone) v->lost[kept++] = v->lost[i];
    v->n = kept;
}
static struct route_counts counts_of(const struct vanished *v) {
    struct route_counts n = { .n = v->n };
    for (uint32_t i = 0; i < v->n; i++) n.names[i] = v->lost[i].route;
    return n;
}
static void cannot_know(struct computing *c) {
    c->out->vanished.n = c->out->vanished.n_testable = 0;
}

static enum arm any(void *ctx, struct str version, int64_t start) {
    (void)ctx, (void)version, (void)start;
    return ARM_NEW;
}

// What came later than what was compared.
static enum err ask_again(struct computing *c) {
    const struct impact_ask *k = c->ask;
    struct route_counts n = counts_of(&c->out->vanished);
    struct impact_window w = { c->new_seen ? k->started : k->finished,
                               least(k->now, k->started + IMPACT_DAY_NS) };
    struct impact_arm_rule rule = { any, NULL };
    if (c->new_seen) rule = impact_rule_of_new(c);
    TRY(impact_count_routes(c->src, &k->of, w, rule, &n, c->ctx));
    if (n.partial)
        cannot_know(c);
    else
        forget(&c->out->vanished, &n, true);
    return ERR_OK;
}

// After against before: at this time of the day, and of the week, the route must have been served else.
static enum err ask_other_days(struct computing *c) {
    static const int64_t days[] = { 1, 7 };
    unsigned known = 0;
    for (unsigned i = 0; i < 2 && c->out->vanished.n; i++) {
        int64_t by = days[i] * IMPACT_DAY_NS;
        struct route_counts n = counts_of(&c->out->vanished);
        struct impact_window w = { c->after.from - by, c->after.to - by };
        TRY(impact_count_routes(c->src, &c->ask->of, w, (struct impact_arm_rule){ any, NULL }, &n, c->ctx));
        if (n.partial || n.all < IMPACT_REQUESTS_MIN) continue;
        known++;
        forget(&c->out->vanished, &n, false);
    }
    if (!known) cannot_know(c);
    return ERR_OK;
}

static enum err find_routes(struct computing *c) {
    struct vanished *v = &c->out->vanished;
    const struct impact_ask *k = c->ask;
    if (!v->n_testable && c->out->phase == IMPACT_CONCURRENT && k->finished &&
        k->now - k->finished >= IN_TIME_NS)
        TRY(impact_find_lost_in_time(c));
    if (v->n) TRY(ask_again(c));
    return v->n && v->by_quarter ? ask_other_days(c) : ERR_OK;
}

// --- spans within requests ---------------------------------------------------------------------------------

static enum err read_latest(struct computing *c, struct inner *x, struct impact_window w) {
    if (w.from < w.to - INNER_NS) w.from = w.to - INNER_NS;
    return inner_read(x, c->src, &c->ask->of, w, impact_rule_of(c), c->ctx);
}

static enum err read_inner(struct computing *c, struct inner *x) {
    if (c->out->phase == IMPACT_CONCURRENT) return read_latest(c, x, c->window);
    TRY(read_latest(c, x, c->before));
    return read_latest(c, x, c->after);
}

static enum err find_inner(struct computing *c) {
    struct inner x;
    inner_init(&x);
    enum err e = read_inner(c, &x);
    if (e == ERR_OK && !x.partial) c->out->inner = inner_judge(&x);
    inner_fini(&x);
    return e;
}

// --- in words ----------------------------------------------------------------------------------------------

static struct str lost_text(struct arena *a, const struct vanished *v) {
    const struct vanished_route *r = &v->lost[0];
    char hex[32] = "";
    if (r->examples.n) hex_encode(r->examples.of[0].trace_id, 16, hex);
    return str_fmt(a,
                   "%.*s is not served any more (before: %llu requests in %u %s, such as trace %.*s)%s%.*s",
                   STR_ARG(r->route), (unsigned long long)r->requests, r->units,
                   v->by_quarter ? "quarters of an hour" : "minutes", (int)sizeof hex, hex,
                   v->gained.len ? "; new is " : "", STR_ARG(v->gained));
}

static void explain(struct computing *c) {
    struct impact_report *o = c->out;
    struct str more = STR("");
    if (o->vanished.n) o->blind = lost_text(c->a, &o->vanished);
    if (o->vanished.n > 1) more = str_fmt(c->a, "; %u more routes are gone", o->vanished.n - 1);
    if (o->vanished.n) o->blind = str_fmt(c->a, "%.*s%.*s", STR_ARG(o->blind), STR_ARG(more));
    if (o->vanished.n) impact_say(&o->why, o->blind);
    if (!o->inner.lost) return;
    struct str inner = str_fmt(c->a, "a request holds %.3g spans of the service instead of %.3g",
                               o->inner.new, o->inner.old);
    impact_say(&o->why, inner);
    o->blind = o->blind.len ? str_fmt(c->a, "%.*s; %.*s", STR_ARG(o->blind), STR_ARG(inner)) : inner;
}

enum err impact_find_blind(struct computing *c) {
    // A variant may well serve what another does not, and what a rollback takes away is meant to go.
    if (c->ask->flag.len || c->ask->takes_back) {
        cannot_know(c);
        return ERR_OK;
    }
    TRY(find_routes(c));
    if (c->out->phase != IMPACT_NO_PHASE) TRY(find_inner(c));
    explain(c);
    return c->a->failed ? ERR_NOMEM : ERR_OK;
}
