// SPDX-License-Identifier: Apache-2.0
// Two questions are asked of each route, in one form: how many of its requests are hits? A hit is an error,
// or a request slower than the old arm's 95th percentile.
#include "impact/judge.h"

#include <math.h>

#include "impact/tally.h"
#include "stats/special.h"

#define NS_PER_MS 1e6
// Of the practical effect on the 95th percentile, what an estimate must reach: the interval has to allow all.
#define LATENCY_REACHED 0.75
// Where errors are rare, an effect below the points counts if it is beyond doubt this large.
#define ERRORS_RATIO_SURE 1.25
#define SLOW_SHARE 0.05
// Fewer more of them than p95 +20 % makes of durations that spread widely.
#define SLOW_MORE 0.02

static const char *const verdict_texts[] = { "insufficient", "clean", "suspect", "confirmed" };

const char *impact_verdict_text(enum impact_verdict v) {
    return verdict_texts[v];
}
bool impact_verdict_of(struct str text, enum impact_verdict *out) {
    for (unsigned i = 0; i < sizeof verdict_texts / sizeof *verdict_texts; i++)
        if (str_eq(text, str_of(verdict_texts[i]))) {
            *out = (enum impact_verdict)i;
            return true;
        }
    return false;
}

struct judging {
    struct counting counting;
    struct impact_judgement *out;
    struct spread all, route; // of all routes, and of the one that is looked at
};

// --- a side ------------------------------------------------------------------------------------------------

static struct estimate in_ms(struct estimate e) {
    e.value /= NS_PER_MS;
    e.lo /= NS_PER_MS;
    e.hi /= NS_PER_MS;
    return e;
}

static struct estimate wilson(struct weighted_rate r) {
    return rate_wilson_weighted(r.k, r.n, normal_two_sided(IMPACT_CONF));
}

static uint64_t whole(const struct counting *c, double n) {
    return (uint64_t)(n + 0.5) << c->arms->shift;
}

static struct impact_side side_of(const struct counting *c, const struct tally *errors, enum arm arm,
                                  const struct spread *s) {
    struct histogram h = spread_own(c, s, arm);
    const struct weighted_sum *of = &errors->of[arm];
    return (struct impact_side){ .requests = whole(c, of->hits + of->misses),
                                 .errors = whole(c, of->hits),
                                 .effective = whole(c, weighted_effective(of)),
                                 .error_rate = wilson(tally_total(errors, arm)),
                                 .p50 = in_ms(histogram_percentile(h, 0.5, IMPACT_CONF)),
                                 .p95 = in_ms(histogram_percentile(h, 0.95, IMPACT_CONF)) };
}

// --- the tests ---------------------------------------------------------------------------------------------

static bool reaches(double n, int least) {
    return n > least - 0.5;
}

static bool enough(const struct tally *t) {
    return reaches(weighted_effective(&t->of[ARM_OLD]), IMPACT_REQUESTS_MIN) &&
           reaches(weighted_effective(&t->of[ARM_NEW]), IMPACT_REQUESTS_MIN);
}

static bool enough_errors(const struct tally *t) {
    return reaches(weighted_effective_hits(&t->of[ARM_OLD]), IMPACT_ERRORS_MIN) ||
           reaches(weighted_effective_hits(&t->of[ARM_NEW]), IMPACT_ERRORS_MIN);
}

static void test_errors(const struct tally *t, const struct dispersion *d, struct impact_test *x) {
    struct strata_answer s = strata_weighted(t->strata, t->n, d, IMPACT_CONF);
    x->p = NAN;
    x->difference = s.difference;
    if (!x->difference.bounded) // no errors at all
        x->difference = estimate_difference(x->old.error_rate, x->new.error_rate);
    x->ratio = s.ratio.defined ? s.ratio.value : 1;
    x->ratio_lo = s.ratio.bounded ? s.ratio.lo : 0;
    x->ratio_hi = s.ratio.bounded ? s.ratio.hi : INFINITY;
    if (enough(t) && enough_errors(t) && s.test.defined) x->p = s.test.p_up;
}

static void test_latency(const struct counting *c, const struct tally *t, const struct spread *spread,
                         struct impact_test *x) {
    struct dispersion d = tally_dispersion(t);
    struct strata_answer s = strata_weighted(t->strata, t->n, &d, IMPACT_CONF);
    struct histogram old = spread_alike(c, spread, ARM_OLD), new = spread_alike(c, spread, ARM_NEW);
    x->p = NAN;
    x->slow_hi = s.difference.bounded ? s.difference.hi : 1;
    x->difference = in_ms(compare_histograms(old, new, 0.95, IMPACT_CONF));
    x->p95_alike = histogram_percentile(old, 0.95, IMPACT_CONF).value / NS_PER_MS;
    x->ratio = x->p95_alike > 0 ? 1 + x->difference.value / x->p95_alike : 1;
    if (enough(t) && s.test.defined) x->p = s.test.p_up;
}

static double least_latency(const struct impact_test *x) {
    double share = IMPACT_LATENCY_SHARE * x->p95_alike;
    return share > IMPACT_LATENCY_MS ? share : IMPACT_LATENCY_MS;
}

static bool matters(const struct impact_test *x) {
    if (x->kind == IMPACT_ERRORS)
        return x->ratio >= IMPACT_ERRORS_RATIO &&
               (x->difference.value >= IMPACT_ERRORS_POINTS || x->ratio_lo >= ERRORS_RATIO_SURE);
    double least = least_latency(x);
    return x->difference.value >= LATENCY_REACHED * least &&
           (!x->difference.bounded || x->difference.hi >= least);
}

// Is an effect that matters out of the question?
static bool excludes(const struct impact_test *x) {
    if (x->kind == IMPACT_LATENCY) // the second: also where the mix of routes moves the p95 of all
        return (x->difference.bounded && x->difference.hi < least_latency(x)) || x->slow_hi < SLOW_MORE;
    double half = x->old.error_rate.value * (IMPACT_ERRORS_RATIO - 1);
    double least = half > IMPACT_ERRORS_POINTS ? half : IMPACT_ERRORS_POINTS;
    return x->difference.bounded && x->difference.hi < least;
}

static enum impact_verdict verdict_of(const struct impact_test *x) {
    if (x->old.effective < IMPACT_REQUESTS_MIN || x->new.effective < IMPACT_REQUESTS_MIN)
        return IMPACT_INSUFFICIENT;
    if (matters(x) && x->q <= IMPACT_CONFIRMED_Q) return IMPACT_CONFIRMED;
    if (matters(x) && x->q <= IMPACT_SUSPECT_Q) return IMPACT_SUSPECT;
    return excludes(x) ? IMPACT_CLEAN : IMPACT_INSUFFICIENT;
}

// --- routes ------------------------------------------------------------------------------------------------

static struct sample_range range_of_route(const struct arms *arms, uint32_t from) {
    struct sample_range r = { from, from };
    while (r.to < arms->n && arms->samples[r.to].route == arms->samples[from].route) r.to++;
    return r;
}

// What is slow on this route: by the old arm. Without a limit: nothing of it can be compared.
static enum err find_limit(struct judging *j, struct sample_range r) {
    struct counting *c = &j->counting;
    const uint64_t *old = j->route.alike[ARM_OLD];
    uint8_t route = c->arms->samples[r.from].route;
    uint64_t all = 0, below = 0;
    TRY(spread_range(c, r, &j->route));
    for (uint32_t b = 0; b < ARMS_BUCKETS; b++) all += old[b];
    for (uint32_t b = 0; b < ARMS_BUCKETS && all; b++) {
        below += old[b];
        if ((double)below < (1 - SLOW_SHARE) * (double)all) continue;
        c->limit[route] = (uint16_t)b;
        c->has_limit[route] = true;
        return ERR_OK;
    }
    return ERR_OK;
}

// spread: of the range, to be filled.
static enum err judge_range(struct judging *j, struct sample_range r, struct str route,
                            struct spread *spread) {
    const struct counting *c = &j->counting;
    struct tally errors, slow;
    bool all = spread == &j->all;
    TRY(tally_range(c, IMPACT_ERRORS, r, &errors));
    if (!all && !enough(&errors)) return ERR_OK;
    TRY(tally_range(c, IMPACT_LATENCY, r, &slow));
    TRY(spread_range(c, r, spread));
    struct impact_test *x = &j->out->tests[j->out->n];
    struct dispersion d = tally_dispersion(&errors);
    j->out->n += 2;
    x[0] = (struct impact_test){ .route = route,
                                 .kind = IMPACT_ERRORS,
                                 .old = side_of(c, &errors, ARM_OLD, spread),
                                 .new = side_of(c, &errors, ARM_NEW, spread) };
    x[1] = x[0];
    x[1].kind = IMPACT_LATENCY;
    test_errors(&errors, &d, &x[0]);
    test_latency(c, &slow, spread, &x[1]);
    if (!all) return ERR_OK;
    j->out->old = x[0].old;
    j->out->new = x[0].new;
    j->out->widening = dispersion_widening(&d);
    return ERR_OK;
}

static void take_examples(const struct arms *s, struct impact_test *x) {
    bool all = str_eq(x->route, STR("*"));
    for (uint32_t r = 0; r < s->n_routes; r++) {
        const struct arms_examples *e = x->kind == IMPACT_ERRORS ? &s->routes[r].errors : &s->routes[r].slow;
        if (!all && !str_eq(s->routes[r].name, x->route)) continue;
        for (uint32_t i = 0; i < e->n && x->examples.n < ARMS_EXAMPLES; i++)
            x->examples.of[x->examples.n++] = e->of[i];
    }
}

static enum err conclude(struct judging *j) {
    struct impact_judgement *o = j->out;
    double *p = ARENA_ARRAY(j->counting.a, o->n, double);
    if (!p) return ERR_NOMEM;
    for (uint32_t i = 0; i < o->n; i++) p[i] = o->tests[i].p;
    TRY(compare_adjust(j->counting.a, p, o->n, p));
    bool clean = true;
    for (uint32_t i = 0; i < o->n; i++) {
        struct impact_test *x = &o->tests[i];
        x->q = p[i];
        x->verdict = verdict_of(x);
        if (x->verdict >= IMPACT_SUSPECT) take_examples(j->counting.arms, x);
        if (x->verdict >= IMPACT_SUSPECT && x->verdict > o->verdict) o->verdict = x->verdict;
        if (i < 2) clean = clean && x->verdict == IMPACT_CLEAN;
    }
    if (o->verdict == IMPACT_INSUFFICIENT && clean) o->verdict = IMPACT_CLEAN;
    return ERR_OK;
}

static enum err judge_routes(struct judging *j) {
    const struct arms *arms = j->counting.arms;
    for (struct sample_range r = { 0, 0 }; r.from < arms->n; r.from = r.to) {
        r = range_of_route(arms, r.from);
        TRY(find_limit(j, r));
    }
    TRY(judge_range(j, (struct sample_range){ 0, arms->n }, STR("*"), &j->all));
    for (struct sample_range r = { 0, 0 }; r.from < arms->n; r.from = r.to) {
        r = range_of_route(arms, r.from);
        TRY(judge_range(j, r, arms->routes[arms->samples[r.from].route].name, &j->route));
    }
    return ERR_OK;
}

enum err impact_judge(struct arena *a, struct arms *arms, struct impact_rules rules,
                      struct impact_judgement *out) {
    struct judging *j = ARENA_NEW(a, struct judging);
    *out = (struct impact_judgement){ .verdict = IMPACT_INSUFFICIENT };
    out->tests = ARENA_ARRAY(a, 2 * (arms->n_routes + 1), struct impact_test);
    if (!j || !out->tests) return ERR_NOMEM;
    j->out = out;
    TRY(arms_sort(arms));
    TRY(counting_init(&j->counting, a, arms, rules));
    TRY(judge_routes(j));
    out->one_pod = arms->n_pods[ARM_OLD] < 2 || arms->n_pods[ARM_NEW] < 2;
    out->weighted = arms->told.weighted;
    out->n_pooled = arms->n_pooled;
    out->spread = &j->all;
    TRY(conclude(j));
    return a->failed ? ERR_NOMEM : ERR_OK;
}
