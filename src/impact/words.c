// SPDX-License-Identifier: Apache-2.0
// What a report says in sentences.
#include "impact/impact_internal.h"

// From where on a share of failing spans shows that outcomes were sampled differently.
#define UNLIKE_WEIGHTS 1.2

static const char *what_of(const struct computing *c) {
    return c->ask->flag.len ? "variant" : "version";
}

static void explain_weights(struct computing *c) {
    struct impact_lines *l = &c->out->confounders;
    const struct arms_told *t = &c->told;
    uint64_t told = t->hits + t->misses;
    if (!t->weighted) return;
    impact_say(l, str_fmt(c->a,
                          "counts are weighted by what sampling left out (th of the trace state): %llu "
                          "requests stand for %.0f",
                          (unsigned long long)told, t->hits_weight + t->misses_weight));
    if (told < c->compared)
        impact_say(l,
                   str_fmt(c->a, "%llu of %llu requests do not say how they were sampled; each counts once",
                           (unsigned long long)(c->compared - told), (unsigned long long)c->compared));
    double hit = t->hits ? t->hits_weight / (double)t->hits : 0,
           miss = t->misses ? t->misses_weight / (double)t->misses : 0;
    if (hit > 0 && miss > UNLIKE_WEIGHTS * hit)
        impact_say(l, str_fmt(c->a,
                              "failing requests were kept more often than others: one stands for %.1f, "
                              "another for %.1f",
                              hit, miss));
}

// The arms as they are may differ by less than the interval says, or the other way round.
static const char *mix_text(const struct impact_test *x) {
    double apart = x->kind == IMPACT_ERRORS ? x->new.error_rate.value - x->old.error_rate.value
                                            : x->new.p95.value - x->old.p95.value;
    bool inside = !x->difference.bounded || (apart >= x->difference.lo && apart <= x->difference.hi);
    return inside ? "" : ", with one mix of minutes and callers in both";
}

static struct str test_text(struct arena *a, const struct impact_test *x) {
    struct str route = str_eq(x->route, STR("*")) ? STR("all requests") : x->route;
    if (x->kind == IMPACT_ERRORS)
        return str_fmt(
            a, "errors of %.*s: %.2f %% instead of %.2f %% (%+.2f points, 95 %% from %+.2f to %+.2f%s)",
            STR_ARG(route), x->new.error_rate.value *SCALE_POINTS, x->old.error_rate.value * SCALE_POINTS,
            x->difference.value * SCALE_POINTS, x->difference.lo * SCALE_POINTS,
            x->difference.hi * SCALE_POINTS, mix_text(x));
    return str_fmt(a, "p95 of %.*s: %.0f ms instead of %.0f ms (95 %% from %+.0f to %+.0f ms%s)",
                   STR_ARG(route), x->new.p95.value, x->old.p95.value, x->difference.lo, x->difference.hi,
                   mix_text(x));
}

void impact_explain(struct computing *c) {
    struct impact_report *o = c->out;
    const struct impact_judgement *j = &o->judgement;
    const struct impact_test *worst = NULL;
    for (uint32_t i = 0; i < j->n; i++) {
        const struct impact_test *x = &j->tests[i];
        if (x->verdict < IMPACT_SUSPECT) continue;
        impact_say(&o->why, test_text(c->a, x));
        if (!worst || x->verdict > worst->verdict) worst = x;
    }
    if (o->verdict == IMPACT_INSUFFICIENT && j->old.effective < IMPACT_REQUESTS_MIN)
        impact_say(&o->why, str_fmt(c->a, "%llu requests to compare with; %d are needed",
                                    (unsigned long long)j->old.effective, IMPACT_REQUESTS_MIN));
    else if (o->verdict == IMPACT_INSUFFICIENT && j->new.effective < IMPACT_REQUESTS_MIN)
        impact_say(&o->why, str_fmt(c->a, "%llu requests of the new %s; %d are needed",
                                    (unsigned long long)j->new.effective, what_of(c), IMPACT_REQUESTS_MIN));
    else if (o->verdict == IMPACT_INSUFFICIENT && !worst)
        impact_say(&o->why, STR("no difference is sure, and one that would matter is not excluded yet"));
    if (o->verdict == IMPACT_CLEAN)
        impact_say(&o->why,
                   STR("the intervals exclude an effect that would matter: +0.5 points and 1.5 times the "
                       "errors, +20 % and +20 ms of p95"));
    if (j->one_pod && j->new.requests && !c->ask->flag.len) // which instances serve alike
        impact_say(&o->confounders,
                   STR("one instance serves a version, or spans do not tell theirs: what an instance does "
                       "cannot be told from what the version does"));
    if (j->widening > 1.5)
        impact_say(&o->confounders,
                   str_fmt(c->a, "instances of one version differ: variances were multiplied by %.1f",
                           j->widening));
    explain_weights(c);
    if (o->verdict >= IMPACT_SUSPECT && c->told.hits + c->told.misses < c->compared)
        impact_say(
            &o->confounders,
            STR("traces that were sampled by their outcome hold more errors than the truth; the versions "
                "compare when both are sampled alike"));
    if (o->verdict >= IMPACT_SUSPECT && c->ask->flag.len)
        impact_say(&o->confounders,
                   STR("the flag decides who gets which variant: where that is not by chance, "
                       "it may be the users that differ"));
    if (j->n_pooled)
        impact_say(&o->confounders,
                   str_fmt(c->a, "%u callers of routes with more than %d were compared as one", j->n_pooled,
                           ARMS_CALLERS_OF_ROUTE));
    o->evidence = worst ? test_text(c->a, worst) : o->why.n ? o->why.at[0] : STR("");
}
