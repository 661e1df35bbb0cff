// SPDX-License-Identifier: Apache-2.0
#include "impact/onset.h"

#include <stdlib.h>

#include "impact/impact.h"
#include "stats/binomial.h"

#define MINUTE_NS 60000000000ll
enum {
    QUARTER = 15,
    MINUTES = (ONSET_WINDOW_NS + ONSET_LATE_NS) / MINUTE_NS + 2,
    QUARTERS = MINUTES / QUARTER + 1
};
enum { NONE = MINUTES };

enum sign { FAILED, SLOW, SIGN_COUNT };
struct counted {
    uint32_t n, hits[SIGN_COUNT];
};
struct finding {
    struct arena *a;
    const struct arms *arms;
    uint32_t base, at; // minutes since 1970: the first; when it was noticed, from the first
    struct counted minutes[MINUTES], quarters[QUARTERS];
    uint32_t (*buckets)[ARMS_BUCKETS]; // of durations, by quarter
    uint16_t limit;                    // requests in buckets above it are slow
    double usual[SIGN_COUNT];          // shares
};

static bool place_of(const struct finding *f, const struct arms_sample *x, uint32_t *out) {
    *out = x->minute - f->base;
    return x->minute >= f->base && *out < MINUTES;
}

// --- what is usual -----------------------------------------------------------------------------------------

static bool is_told(const struct finding *f, uint32_t quarter) { // enough of it, and before it was noticed
    return f->quarters[quarter].n >= ONSET_QUARTER_REQUESTS_MIN && (quarter + 1) * QUARTER <= f->at;
}

static int by_value(const void *pa, const void *pb) {
    double a = *(const double *)pa, b = *(const double *)pb;
    return (a > b) - (a < b);
}

// The lower median over the quarters that are told; false: they are too few.
static bool median(const struct finding *f,
                   double (*value)(const struct finding *f, uint32_t quarter, int of), int of, double *out) {
    double all[QUARTERS];
    uint32_t n = 0;
    for (uint32_t i = 0; i < QUARTERS; i++)
        if (is_told(f, i)) all[n++] = value(f, i, of);
    if (n < ONSET_QUARTERS_MIN) return false;
    qsort(all, n, sizeof *all, by_value);
    *out = all[(n - 1) / 2];
    return true;
}

static double share_of(const struct finding *f, uint32_t quarter, int sign) {
    return (double)f->quarters[quarter].hits[sign] / f->quarters[quarter].n;
}
static double p95_of(const struct finding *f, uint32_t quarter, int unused) {
    uint32_t rank = f->quarters[quarter].n - f->quarters[quarter].n / 20, below = 0, b = 0;
    (void)unused;
    while (b + 1 < ARMS_BUCKETS && (below += f->buckets[quarter][b]) < rank) b++;
    return b;
}

static enum err count_durations(struct finding *f) {
    f->buckets = arena_zalloc(f->a, QUARTERS * sizeof *f->buckets);
    if (!f->buckets) return ERR_NOMEM;
    for (uint32_t i = 0, at; i < f->arms->n; i++) {
        const struct arms_sample *x = &f->arms->samples[i];
        if (!place_of(f, x, &at)) continue;
        f->quarters[at / QUARTER].n++;
        f->buckets[at / QUARTER][x->bucket]++;
    }
    return ERR_OK;
}

// What is slow: more than a usual 95th percentile by an effect that matters.
static bool set_limit(struct finding *f) {
    double bucket;
    if (!median(f, p95_of, 0, &bucket)) return false;
    double ms = f->arms->edges[(uint32_t)bucket + 1] / 1e6, more = ms * (1 + IMPACT_LATENCY_SHARE);
    if (more < ms + IMPACT_LATENCY_MS) more = ms + IMPACT_LATENCY_MS;
    f->limit = (uint16_t)arms_bucket((uint64_t)(more * 1e6));
    return true;
}

static void count_hits(struct finding *f) {
    for (uint32_t i = 0, at; i < f->arms->n; i++) {
        const struct arms_sample *x = &f->arms->samples[i];
        if (!place_of(f, x, &at)) continue;
        f->minutes[at].n++;
        f->minutes[at].hits[FAILED] += x->error;
        f->quarters[at / QUARTER].hits[FAILED] += x->error;
        f->minutes[at].hits[SLOW] += x->bucket > f->limit;
        f->quarters[at / QUARTER].hits[SLOW] += x->bucket > f->limit;
    }
}

// No share is held to be smaller than so many requests can show; a twentieth is slow by definition.
static bool set_usual(struct finding *f, uint64_t requests) {
    double least = 1 / ((double)requests + 1);
    if (!median(f, share_of, FAILED, &f->usual[FAILED]) || !median(f, share_of, SLOW, &f->usual[SLOW]))
        return false;
    if (f->usual[FAILED] < least) f->usual[FAILED] = least;
    if (f->usual[SLOW] < 0.05) f->usual[SLOW] = 0.05;
    return true;
}

// --- bad minutes -------------------------------------------------------------------------------------------

static bool is_bad_by(const struct finding *f, uint32_t minute, enum sign sign) {
    const struct counted *m = &f->minutes[minute];
    if (m->hits[sign] < ONSET_ERRORS_MIN) return false;
    double share = (double)m->hits[sign] / m->n, usual = f->usual[sign];
    return share >= usual * IMPACT_ERRORS_RATIO && share >= usual + IMPACT_ERRORS_POINTS &&
           binomial_upper(m->hits[sign], m->n, usual) < ONSET_P;
}
static bool is_bad(const struct finding *f, uint32_t minute) {
    return is_bad_by(f, minute, FAILED) || is_bad_by(f, minute, SLOW);
}

// The chain of bad minutes that ends when it was noticed, backwards.
static uint32_t first_bad(const struct finding *f, uint32_t *out_n) {
    uint32_t found = NONE, last = f->at + ONSET_LATE_NS / MINUTE_NS;
    *out_n = 0;
    for (uint32_t i = last < MINUTES ? last + 1 : MINUTES; i-- > 0;) {
        if (found == NONE ? i + ONSET_NEAR_MINUTES < f->at : i + ONSET_GAP_MINUTES + 1 < found) break;
        if (!is_bad(f, i)) continue;
        found = i;
        ++*out_n;
    }
    return found;
}

static struct str say(const struct finding *f, uint32_t minute, uint32_t n) {
    const struct counted *m = &f->minutes[minute];
    bool failed = is_bad_by(f, minute, FAILED);
    double share = 100.0 * m->hits[failed ? FAILED : SLOW] / m->n,
           usual = 100 * f->usual[failed ? FAILED : SLOW];
    struct str more = n > 1 ? str_fmt(f->a, ", the first of %u such minutes", n) : STR("");
    if (failed)
        return str_fmt(f->a, "%.1f %% of %u requests failed instead of %.1f %%%.*s", share, m->n, usual,
                       STR_ARG(more));
    return str_fmt(f->a, "%.1f %% of %u requests were slower than %.0f ms instead of at most %.1f %%%.*s",
                   share, m->n, f->arms->edges[f->limit + 1] / 1e6, usual, STR_ARG(more));
}

enum err onset_find(struct arena *a, const struct arms *arms, int64_t detected, struct onset *out) {
    struct finding *f = arena_zalloc(a, sizeof *f);
    uint32_t n;
    *out = (struct onset){ .requests = arms->n, .evidence = STR("too few requests before it was noticed") };
    if (!f) return ERR_NOMEM;
    f->a = a;
    f->arms = arms;
    f->at = ONSET_WINDOW_NS / MINUTE_NS;
    f->base = (uint32_t)(detected / MINUTE_NS) - f->at;
    TRY(count_durations(f));
    if (!set_limit(f)) return ERR_OK;
    count_hits(f);
    if (!set_usual(f, arms->n)) return ERR_OK;
    uint32_t found = first_bad(f, &n);
    out->began = found == NONE ? 0 : ((int64_t)f->base + found) * MINUTE_NS;
    out->evidence =
        found == NONE ? STR("no minute before it was noticed was worse than usual") : say(f, found, n);
    return a->failed ? ERR_NOMEM : ERR_OK;
}

// --- from the traces ---------------------------------------------------------------------------------------

static enum arm all_alike(void *ctx, struct str version, int64_t start) {
    (void)ctx, (void)version, (void)start;
    return ARM_OLD;
}

static enum err read_and_find(struct arena *a, const struct impact_source *src, const struct onset_ask *ask,
                              struct impact_reading *r, struct onset *out, struct err_ctx *ctx) {
    struct impact_window w = { ask->detected - ONSET_WINDOW_NS, ask->detected + ONSET_LATE_NS };
    TRY(impact_read_arms(src, &ask->of, w, (struct impact_arm_rule){ all_alike, NULL }, r, ctx));
    if (r->partial) return err_set(ctx, ERR_TIMEOUT, "%s", r->why);
    return onset_find(a, r->arms, ask->detected, out);
}

enum err onset_compute(struct arena *a, const struct impact_source *src, const struct onset_ask *ask,
                       struct onset *out, struct err_ctx *ctx) {
    struct arms *arms = mem_zalloc(sizeof *arms);
    struct impact_reading r;
    if (!arms) return ERR_NOMEM;
    arms_init(arms);
    impact_reading_init(&r, arms);
    enum err e = read_and_find(a, src, ask, &r, out, ctx);
    impact_reading_fini(&r);
    arms_fini(arms);
    mem_free(arms);
    TRY(e);
    out->final = ask->now >= ask->detected + ONSET_FINAL_NS;
    out->state = str_fmt(a, "%lld-%llu-%lld-%s", (long long)ask->detected, (unsigned long long)out->requests,
                         (long long)out->began, out->final ? "final" : "open");
    return a->failed ? ERR_NOMEM : ERR_OK;
}
