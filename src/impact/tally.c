// SPDX-License-Identifier: Apache-2.0
#include "impact/tally.h"

enum { SLOT_MINUTES = 15, MINUTES_MAX = 60 * 24 * 16 };
// Of a stratum of n requests about 1 / n is lost for comparing; minutes further apart than this are not
// alike.
enum { STRATUM_REQUESTS = 10, STRATUM_MINUTES = 10 };
// Pods that are few say little about how pods differ: as if so many more had differed as pods usually do, by
// this share of their rates.
#define USUAL_CV 0.1
#define DISPERSION_PRIOR 3.0
#define DIFFER_CONF 0.99

enum err counting_init(struct counting *c, struct arena *a, const struct arms *arms,
                       struct impact_rules rules) {
    uint32_t least = UINT32_MAX, most = 0;
    *c = (struct counting){ .a = a, .arms = arms, .rules = rules, .n_minutes = 1 };
    for (uint32_t i = 0; i < arms->n; i++) {
        uint32_t m = arms->samples[i].minute;
        if (m < least) least = m;
        if (m > most) most = m;
    }
    if (arms->n && most - least >= MINUTES_MAX) return ERR_LIMIT;
    if (arms->n) {
        c->base = least;
        c->n_minutes = most - least + 1;
    }
    c->seen = arena_zalloc(a, c->n_minutes);
    if (!c->seen) return ERR_NOMEM;
    for (uint32_t i = 0; i < arms->n; i++)
        c->seen[arms->samples[i].minute - least] |= (uint8_t)(1 << arms->samples[i].arm);
    return ERR_OK;
}

// --- strata ------------------------------------------------------------------------------------------------

static bool counts(const struct counting *c, const struct arms_sample *s) {
    return c->rules.time_is_arm || c->seen[s->minute - c->base] == 3;
}

static bool is_cold(const struct counting *c, const struct arms_sample *s) {
    return !c->rules.keeps_cold && s->minute - c->arms->first_minute[s->arm][s->pod] < IMPACT_COLD_MINUTES;
}

static bool same_place(const struct arms_sample *a, const struct arms_sample *b) {
    return a->route == b->route && a->caller == b->caller;
}

// The end of the stratum that begins at a sample.
static uint32_t stratum_end(const struct counting *c, uint32_t from, uint32_t to) {
    const struct arms_sample *all = c->arms->samples;
    uint32_t i = from, n = 0;
    for (; i < to && same_place(&all[i], &all[from]); i++) {
        bool is_next = i > from && all[i].minute != all[i - 1].minute && !c->rules.time_is_arm;
        if (is_next && (n >= STRATUM_REQUESTS || all[i].minute - all[from].minute >= STRATUM_MINUTES)) break;
        n += counts(c, &all[i]);
    }
    return i;
}

// --- hits --------------------------------------------------------------------------------------------------

// Does the sample take part in the question?
static bool is_asked(const struct counting *c, enum impact_kind kind, const struct arms_sample *s) {
    if (!counts(c, s)) return false;
    return kind == IMPACT_ERRORS || (c->has_limit[s->route] && !is_cold(c, s));
}

static bool is_hit(const struct counting *c, enum impact_kind kind, const struct arms_sample *s) {
    return kind == IMPACT_ERRORS ? s->error : s->bucket > c->limit[s->route];
}

static enum err tally_init(const struct counting *c, struct tally *t) {
    memset(t, 0, sizeof *t);
    if (!c->rules.time_is_arm) return ERR_OK;
    t->n_slots = c->n_minutes / SLOT_MINUTES + 1;
    for (unsigned arm = 0; arm < ARM_COUNT; arm++) {
        t->slots[arm] = arena_zalloc(c->a, t->n_slots * sizeof(struct weighted_rate));
        if (!t->slots[arm]) return ERR_NOMEM;
    }
    return ERR_OK;
}

static void count(struct weighted_rate *r, double weight, bool hit) {
    r->n += weight;
    if (hit) r->k += weight;
}

static void tally_stratum(const struct counting *c, enum impact_kind kind, struct sample_range r,
                          struct tally *t, struct weighted_stratum *at) {
    for (uint32_t i = r.from; i < r.to; i++) {
        const struct arms_sample *s = &c->arms->samples[i];
        if (!is_asked(c, kind, s)) continue;
        bool hit = is_hit(c, kind, s);
        double weight = (double)s->weight;
        at->size++;
        count(s->arm == ARM_OLD ? &at->old : &at->new, weight, hit);
        weighted_add(&t->of[s->arm], weight, hit);
        count(&t->pods[s->arm][s->pod], weight, hit);
        if (t->n_slots) count(&t->slots[s->arm][(s->minute - c->base) / SLOT_MINUTES], weight, hit);
    }
}

static void divide(struct weighted_rate *r, double by) {
    r->k /= by;
    r->n /= by;
}

// What was weighted says as much as so many requests.
static void divide_by_effect(struct tally *t) {
    double old = weighted_effect(&t->of[ARM_OLD]), new = weighted_effect(&t->of[ARM_NEW]);
    for (uint32_t i = 0; i < t->n; i++) {
        divide(&t->strata[i].old, old);
        divide(&t->strata[i].new, new);
    }
    for (unsigned arm = 0; arm < ARM_COUNT; arm++) {
        double by = arm == ARM_OLD ? old : new;
        for (unsigned p = 0; p < ARMS_PODS_MAX; p++) divide(&t->pods[arm][p], by);
        for (uint32_t i = 0; i < t->n_slots; i++) divide(&t->slots[arm][i], by);
    }
}

enum err tally_range(const struct counting *c, enum impact_kind kind, struct sample_range r,
                     struct tally *out) {
    TRY(tally_init(c, out));
    for (uint32_t i = r.from; i < r.to;) {
        uint32_t end = stratum_end(c, i, r.to);
        struct weighted_stratum *strata =
            arena_grow(c->a, out->strata, out->n, &out->cap, sizeof *out->strata);
        if (!strata) return ERR_NOMEM;
        out->strata = strata;
        strata[out->n] = (struct weighted_stratum){ .size = 0 };
        tally_stratum(c, kind, (struct sample_range){ i, end }, out, &strata[out->n]);
        out->n += strata[out->n].size > 0;
        i = end;
    }
    divide_by_effect(out);
    return ERR_OK;
}

struct weighted_rate tally_total(const struct tally *t, enum arm arm) {
    struct weighted_rate r = weighted_rate_of(&t->of[arm]);
    divide(&r, weighted_effect(&t->of[arm]));
    return r;
}

// --- how units vary ----------------------------------------------------------------------------------------

// How much units vary that differ as little as units always do.
static double usual(const struct tally *t) {
    double hits = 0;
    unsigned n = 0;
    for (unsigned arm = 0; arm < ARM_COUNT; arm++)
        for (unsigned p = 0; p < ARMS_PODS_MAX; p++) {
            hits += t->pods[arm][p].k;
            n += t->pods[arm][p].n > 0;
        }
    return n ? 1 + hits / n * USUAL_CV * USUAL_CV : 1;
}

static struct dispersion moderated(struct dispersion d, double usual) {
    if (d.df <= 0) return (struct dispersion){ 0, 0 };
    struct estimate factor = dispersion_factor(&d, DIFFER_CONF);
    if (factor.bounded && factor.lo > usual) return d; // they surely differ more: nothing softens that
    return (struct dispersion){ d.chi2 + DISPERSION_PRIOR * usual, d.df + DISPERSION_PRIOR };
}

struct dispersion tally_dispersion(const struct tally *t) {
    struct dispersion pods = { 0, 0 }, slots = { 0, 0 };
    for (unsigned arm = 0; arm < ARM_COUNT; arm++) {
        dispersion_add_weighted(&pods, t->pods[arm], ARMS_PODS_MAX);
        dispersion_add_weighted(&slots, t->slots[arm], t->n_slots);
    }
    pods = moderated(pods, usual(t));
    slots = moderated(slots, 1);
    if (slots.df > 0 && (pods.df <= 0 || dispersion_widening(&slots) > dispersion_widening(&pods)))
        return slots;
    return pods;
}

// --- durations ---------------------------------------------------------------------------------------------

struct weighing { // by bucket
    double of[ARM_COUNT][ARMS_BUCKETS];
    double squares[ARM_COUNT];
};

static void weigh(struct weighing *w, const struct arms_sample *s, double weight) {
    w->of[s->arm][s->bucket] += weight;
    w->squares[s->arm] += weight * weight;
}

static void weigh_stratum(const struct counting *c, struct sample_range r, struct weighing *own,
                          struct weighing *alike) {
    double n[ARM_COUNT] = { 0, 0 };
    for (uint32_t i = r.from; i < r.to; i++) {
        const struct arms_sample *s = &c->arms->samples[i];
        if (counts(c, s) && !is_cold(c, s)) n[s->arm] += (double)s->weight;
    }
    double all = n[ARM_OLD] + n[ARM_NEW];
    for (uint32_t i = r.from; i < r.to; i++) {
        const struct arms_sample *s = &c->arms->samples[i];
        if (!counts(c, s) || is_cold(c, s)) continue;
        double other = s->arm == ARM_OLD ? n[ARM_NEW] : n[ARM_OLD];
        weigh(own, s, (double)s->weight);
        if (other > 0) weigh(alike, s, (double)s->weight * other / all);
    }
}

enum err spread_range(const struct counting *c, struct sample_range r, struct spread *out) {
    struct weighing *own = mem_zalloc(sizeof *own), *alike = mem_zalloc(sizeof *alike);
    bool ok = own && alike;
    for (uint32_t i = r.from, end; ok && i < r.to; i = end) {
        end = stratum_end(c, i, r.to);
        weigh_stratum(c, (struct sample_range){ i, end }, own, alike);
    }
    for (unsigned arm = 0; ok && arm < ARM_COUNT; arm++) {
        weighted_counts(own->of[arm], ARMS_BUCKETS, own->squares[arm], out->own[arm]);
        weighted_counts(alike->of[arm], ARMS_BUCKETS, alike->squares[arm], out->alike[arm]);
    }
    mem_free(own);
    mem_free(alike);
    return ok ? ERR_OK : ERR_NOMEM;
}

struct histogram spread_own(const struct counting *c, const struct spread *s, enum arm arm) {
    return (struct histogram){ c->arms->edges, s->own[arm], ARMS_BUCKETS };
}
struct histogram spread_alike(const struct counting *c, const struct spread *s, enum arm arm) {
    return (struct histogram){ c->arms->edges, s->alike[arm], ARMS_BUCKETS };
}
