// SPDX-License-Identifier: Apache-2.0
// Two questions are asked of each route, in one form: how many of its requests are hits? A hit is an error,
// or a request slower than the old arm's 95th percentile.
#include "delivery/impact_judge.h"

#include <math.h>

#include "stats/histogram.h"
#include "stats/strata.h"

enum { SLOT_MINUTES = 15, SLOTS_MAX = 4 * 24 * 16, MINUTES_MAX = 60 * 24 * 16 };
#define NS_PER_MS 1e6
// Pods that are few say little about how pods differ: as if so many more had differed as pods usually do, by
// this share of their rates.
#define USUAL_CV 0.1
#define DISPERSION_PRIOR 3.0
#define DIFFER_CONF 0.99
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

struct tally { // of the hits of one question
    struct stratum *strata;
    uint32_t n, cap;
    struct rate pods[ARM_COUNT][ARMS_PODS_MAX];
    struct rate *slots[ARM_COUNT]; // time_is_arm
};
struct judging {
    struct arena *a;
    const struct arms *arms;
    struct impact_rules rules;
    struct impact_judgement *out;
    uint32_t base, n_minutes;        // of all samples
    uint8_t *seen;                   // by minute: a bit for each arm
    uint16_t limit[ARMS_ROUTES_MAX]; // the bucket of the old 95th percentile; faster or equal is no hit
    bool has_limit[ARMS_ROUTES_MAX];
};
struct range { // of samples
    uint32_t from, to;
};

// --- counting ----------------------------------------------------------------------------------------------

static bool counts(const struct judging *j, const struct arms_sample *s) {
    return j->rules.time_is_arm || j->seen[s->minute - j->base] == 3;
}

static bool is_cold(const struct judging *j, const struct arms_sample *s) {
    return !j->rules.keeps_cold && s->minute - j->arms->first_minute[s->arm][s->pod] < IMPACT_COLD_MINUTES;
}

// Does the sample take part in the question?
static bool is_asked(const struct judging *j, enum impact_kind kind, const struct arms_sample *s) {
    if (!counts(j, s)) return false;
    return kind == IMPACT_ERRORS || (j->has_limit[s->route] && !is_cold(j, s));
}

static bool is_hit(const struct judging *j, enum impact_kind kind, const struct arms_sample *s) {
    return kind == IMPACT_ERRORS ? s->error : s->bucket > j->limit[s->route];
}

static enum err tally_init(const struct judging *j, struct tally *t) {
    memset(t, 0, sizeof *t);
    for (unsigned arm = 0; j->rules.time_is_arm && arm < ARM_COUNT; arm++) {
        t->slots[arm] = arena_zalloc(j->a, (j->n_minutes / SLOT_MINUTES + 1) * sizeof(struct rate));
        if (!t->slots[arm]) return ERR_NOMEM;
    }
    return ERR_OK;
}

static void count(struct rate *r, bool hit) {
    r->n++;
    r->k += hit;
}

static bool same_stratum(const struct judging *j, const struct arms_sample *a, const struct arms_sample *b) {
    return a->route == b->route && (j->rules.time_is_arm || a->minute == b->minute);
}

static enum err tally_range(const struct judging *j, enum impact_kind kind, struct range r, struct tally *t) {
    const struct arms_sample *all = j->arms->samples, *last = NULL;
    for (uint32_t i = r.from; i < r.to; i++) {
        const struct arms_sample *s = &all[i];
        if (!is_asked(j, kind, s)) continue;
        if (!last || !same_stratum(j, last, s)) {
            struct stratum *strata = arena_grow(j->a, t->strata, t->n, &t->cap, sizeof *strata);
            if (!strata) return ERR_NOMEM;
            t->strata = strata;
            strata[t->n++] = (struct stratum){ 0 };
        }
        last = s;
        bool hit = is_hit(j, kind, s);
        struct stratum *at = &t->strata[t->n - 1];
        count(s->arm == ARM_OLD ? &at->old : &at->new, hit);
        count(&t->pods[s->arm][s->pod], hit);
        if (j->rules.time_is_arm) count(&t->slots[s->arm][(s->minute - j->base) / SLOT_MINUTES], hit);
    }
    return ERR_OK;
}

static struct rate total(const struct tally *t, bool new) {
    struct rate r = { 0, 0 };
    for (uint32_t i = 0; i < t->n; i++) {
        const struct rate *x = new ? &t->strata[i].new : &t->strata[i].old;
        r.k += x->k;
        r.n += x->n;
    }
    return r;
}

// How much units vary that differ as little as units always do.
static double usual(const struct tally *t) {
    struct rate all = { 0, 0 };
    unsigned n = 0;
    for (unsigned arm = 0; arm < ARM_COUNT; arm++)
        for (unsigned p = 0; p < ARMS_PODS_MAX; p++) {
            all.k += t->pods[arm][p].k;
            all.n += t->pods[arm][p].n;
            n += t->pods[arm][p].n > 0;
        }
    return n ? 1 + (double)all.k / n * USUAL_CV * USUAL_CV : 1;
}

static struct dispersion moderated(struct dispersion d, double usual) {
    if (d.df <= 0) return (struct dispersion){ 0, 0 };
    struct estimate factor = dispersion_factor(&d, DIFFER_CONF);
    if (factor.bounded && factor.lo > usual) return d; // they surely differ more: nothing softens that
    return (struct dispersion){ d.chi2 + DISPERSION_PRIOR * usual, d.df + DISPERSION_PRIOR };
}

// The larger of what pods and, where time is what is compared, quarters of an hour show.
static struct dispersion dispersion_of(const struct judging *j, const struct tally *t) {
    struct dispersion pods = { 0, 0 }, slots = { 0, 0 };
    for (unsigned arm = 0; arm < ARM_COUNT; arm++) {
        dispersion_add(&pods, t->pods[arm], ARMS_PODS_MAX);
        if (j->rules.time_is_arm) dispersion_add(&slots, t->slots[arm], j->n_minutes / SLOT_MINUTES + 1);
    }
    pods = moderated(pods, usual(t));
    slots = moderated(slots, 1);
    if (slots.df > 0 && (pods.df <= 0 || dispersion_widening(&slots) > dispersion_widening(&pods)))
        return slots;
    return pods;
}

// --- a side ------------------------------------------------------------------------------------------------

static void add_counts(const struct judging *j, struct range r, uint64_t counts_of[ARM_COUNT][ARMS_BUCKETS]) {
    for (uint32_t i = r.from; i < r.to; i++) {
        const struct arms_sample *s = &j->arms->samples[i];
        if (counts(j, s) && !is_cold(j, s)) counts_of[s->arm][s->bucket]++;
    }
}

static struct estimate in_ms(struct estimate e) {
    e.value /= NS_PER_MS;
    e.lo /= NS_PER_MS;
    e.hi /= NS_PER_MS;
    return e;
}

static struct impact_side side_of(const struct judging *j, struct rate errors, struct histogram h) {
    return (struct impact_side){ .requests = errors.n << j->arms->shift,
                                 .errors = errors.k << j->arms->shift,
                                 .error_rate = rate_wilson(errors, IMPACT_CONF),
                                 .p50 = in_ms(histogram_percentile(h, 0.5, IMPACT_CONF)),
                                 .p95 = in_ms(histogram_percentile(h, 0.95, IMPACT_CONF)) };
}

// --- the tests ---------------------------------------------------------------------------------------------

static bool enough(struct rate old, struct rate new) {
    return old.n >= IMPACT_REQUESTS_MIN && new.n >= IMPACT_REQUESTS_MIN;
}

static void test_errors(const struct judging *j, const struct tally *t, struct impact_test *x) {
    struct rate old = total(t, false), new = total(t, true);
    struct dispersion d = dispersion_of(j, t);
    x->p = NAN;
    x->difference = strata_difference(t->strata, t->n, &d, IMPACT_CONF);
    if (!x->difference.bounded) x->difference = rate_difference(old, new, IMPACT_CONF); // no errors at all
    struct estimate ratio = strata_ratio(t->strata, t->n, &d, IMPACT_CONF);
    x->ratio = ratio.defined ? ratio.value : 1;
    x->ratio_lo = ratio.bounded ? ratio.lo : 0;
    x->ratio_hi = ratio.bounded ? ratio.hi : INFINITY;
    if (!enough(old, new) || (old.k < IMPACT_ERRORS_MIN && new.k < IMPACT_ERRORS_MIN)) return;
    struct significance s = strata_test(t->strata, t->n, &d);
    if (s.defined) x->p = s.p_up;
}

static void test_latency(const struct judging *j, const struct tally *t, const struct histogram h[ARM_COUNT],
                         struct impact_test *x) {
    struct rate old = total(t, false), new = total(t, true);
    struct dispersion d = dispersion_of(j, t);
    struct estimate slow = strata_difference(t->strata, t->n, &d, IMPACT_CONF);
    x->p = NAN;
    x->slow_hi = slow.bounded ? slow.hi : 1;
    x->difference = in_ms(compare_histograms(h[ARM_OLD], h[ARM_NEW], 0.95, IMPACT_CONF));
    x->ratio = x->old.p95.defined && x->old.p95.value > 0 ? x->new.p95.value / x->old.p95.value : 1;
    if (!enough(old, new)) return;
    struct significance s = strata_test(t->strata, t->n, &d);
    if (s.defined) x->p = s.p_up;
}

static double least_latency(const struct impact_test *x) {
    double share = IMPACT_LATENCY_SHARE * x->old.p95.value;
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
    if (x->old.requests < IMPACT_REQUESTS_MIN || x->new.requests < IMPACT_REQUESTS_MIN)
        return IMPACT_INSUFFICIENT;
    if (matters(x) && x->q <= IMPACT_CONFIRMED_Q) return IMPACT_CONFIRMED;
    if (matters(x) && x->q <= IMPACT_SUSPECT_Q) return IMPACT_SUSPECT;
    return excludes(x) ? IMPACT_CLEAN : IMPACT_INSUFFICIENT;
}

// --- routes ------------------------------------------------------------------------------------------------

static struct range range_of_route(const struct judging *j, uint32_t from) {
    struct range r = { from, from };
    while (r.to < j->arms->n && j->arms->samples[r.to].route == j->arms->samples[from].route) r.to++;
    return r;
}

// What is slow on this route: by the old arm. false: nothing of it was old, or all is alike.
static void find_limit(struct judging *j, struct range r) {
    uint64_t(*h)[ARMS_BUCKETS] = arena_zalloc(j->a, ARM_COUNT * sizeof *h);
    uint8_t route = j->arms->samples[r.from].route;
    uint64_t all = 0, below = 0;
    if (!h) return; // the arena tells
    add_counts(j, r, h);
    for (uint32_t b = 0; b < ARMS_BUCKETS; b++) all += h[ARM_OLD][b];
    for (uint32_t b = 0; b < ARMS_BUCKETS && all; b++) {
        below += h[ARM_OLD][b];
        if ((double)below < (1 - SLOW_SHARE) * (double)all) continue;
        j->limit[route] = (uint16_t)b;
        j->has_limit[route] = true;
        return;
    }
}

static enum err judge_range(struct judging *j, struct range r, struct str route, bool always) {
    struct tally errors, slow;
    uint64_t(*counts_of)[ARMS_BUCKETS] = arena_zalloc(j->a, ARM_COUNT * sizeof *counts_of);
    if (!counts_of) return ERR_NOMEM;
    TRY(tally_init(j, &errors));
    TRY(tally_init(j, &slow));
    TRY(tally_range(j, IMPACT_ERRORS, r, &errors));
    TRY(tally_range(j, IMPACT_LATENCY, r, &slow));
    struct rate old = total(&errors, false), new = total(&errors, true);
    if (!always && !enough(old, new)) return ERR_OK;
    add_counts(j, r, counts_of);
    struct histogram h[ARM_COUNT] = { { j->arms->edges, counts_of[ARM_OLD], ARMS_BUCKETS },
                                      { j->arms->edges, counts_of[ARM_NEW], ARMS_BUCKETS } };
    struct impact_test *x = &j->out->tests[j->out->n];
    j->out->n += 2;
    x[0] = (struct impact_test){ .route = route,
                                 .kind = IMPACT_ERRORS,
                                 .old = side_of(j, old, h[ARM_OLD]),
                                 .new = side_of(j, new, h[ARM_NEW]) };
    x[1] = x[0];
    x[1].kind = IMPACT_LATENCY;
    test_errors(j, &errors, &x[0]);
    test_latency(j, &slow, h, &x[1]);
    if (always) {
        struct dispersion d = dispersion_of(j, &errors);
        j->out->old = x[0].old;
        j->out->new = x[0].new;
        j->out->widening = dispersion_widening(&d);
    }
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
    double *p = ARENA_ARRAY(j->a, o->n, double);
    if (!p) return ERR_NOMEM;
    for (uint32_t i = 0; i < o->n; i++) p[i] = o->tests[i].p;
    TRY(compare_adjust(j->a, p, o->n, p));
    bool clean = true;
    for (uint32_t i = 0; i < o->n; i++) {
        struct impact_test *x = &o->tests[i];
        x->q = p[i];
        x->verdict = verdict_of(x);
        if (x->verdict >= IMPACT_SUSPECT) take_examples(j->arms, x);
        if (x->verdict >= IMPACT_SUSPECT && x->verdict > o->verdict) o->verdict = x->verdict;
        if (i < 2) clean = clean && x->verdict == IMPACT_CLEAN;
    }
    if (o->verdict == IMPACT_INSUFFICIENT && clean) o->verdict = IMPACT_CLEAN;
    return ERR_OK;
}

static enum err find_minutes(struct judging *j) {
    uint32_t least = UINT32_MAX, most = 0;
    for (uint32_t i = 0; i < j->arms->n; i++) {
        uint32_t m = j->arms->samples[i].minute;
        if (m < least) least = m;
        if (m > most) most = m;
    }
    if (j->arms->n && most - least >= MINUTES_MAX) return ERR_LIMIT;
    j->base = j->arms->n ? least : 0;
    j->n_minutes = j->arms->n ? most - least + 1 : 1;
    j->seen = arena_zalloc(j->a, j->n_minutes);
    if (!j->seen) return ERR_NOMEM;
    for (uint32_t i = 0; i < j->arms->n; i++)
        j->seen[j->arms->samples[i].minute - j->base] |= (uint8_t)(1 << j->arms->samples[i].arm);
    return ERR_OK;
}

enum err impact_judge(struct arena *a, struct arms *arms, struct impact_rules rules,
                      struct impact_judgement *out) {
    struct judging *j = ARENA_NEW(a, struct judging);
    *out = (struct impact_judgement){ .verdict = IMPACT_INSUFFICIENT };
    out->tests = ARENA_ARRAY(a, 2 * (arms->n_routes + 1), struct impact_test);
    if (!j || !out->tests) return ERR_NOMEM;
    *j = (struct judging){ .a = a, .arms = arms, .rules = rules, .out = out };
    arms_sort(arms);
    TRY(find_minutes(j));
    for (struct range r = { 0, 0 }; r.from < arms->n; r.from = r.to) {
        r = range_of_route(j, r.from);
        find_limit(j, r);
    }
    TRY(judge_range(j, (struct range){ 0, arms->n }, STR("*"), true));
    for (struct range r = { 0, 0 }; r.from < arms->n; r.from = r.to) {
        r = range_of_route(j, r.from);
        TRY(judge_range(j, r, arms->routes[arms->samples[r.from].route].name, false));
    }
    out->one_pod = arms->n_pods[ARM_OLD] < 2 || arms->n_pods[ARM_NEW] < 2;
    TRY(conclude(j));
    return a->failed ? ERR_NOMEM : ERR_OK;
}
