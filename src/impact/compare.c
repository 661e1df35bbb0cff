// SPDX-License-Identifier: Apache-2.0
#include "impact/compare.h"

#include <math.h>

#include "impact/tally.h"
#include "stats/compare.h"

#define NS_PER_MS 1e6

const char *compare_result_text(enum compare_result r) {
    static const char *const texts[] = { "pass", "inconclusive", "failed" };
    return texts[r];
}

// --- one condition -----------------------------------------------------------------------------------------

static struct estimate scaled(struct estimate e, double by) {
    e.value *= by;
    e.lo *= by;
    e.hi *= by;
    return e;
}

static struct estimate errors_of(const struct impact_judgement *j, enum failif_kind kind) {
    const struct impact_test *x = &j->tests[0]; // errors of all routes
    if (kind == FAILIF_ABSOLUTE) return j->new.error_rate;
    if (kind == FAILIF_DIFFERENCE) return x->difference;
    struct estimate e = { .defined = isfinite(x->ratio), .value = x->ratio - 1 };
    e.bounded = e.defined && isfinite(x->ratio_hi);
    if (e.bounded) {
        e.lo = x->ratio_lo - 1;
        e.hi = x->ratio_hi - 1;
    }
    return e;
}

static struct histogram histogram_of(const struct arms *arms, const uint64_t counts[ARMS_BUCKETS]) {
    return (struct histogram){ arms->edges, counts, ARMS_BUCKETS };
}

static struct estimate duration_of(const struct arms *arms, const struct spread *s, const struct failif *f) {
    struct histogram old = histogram_of(arms, s->alike[ARM_OLD]), new = histogram_of(arms, s->alike[ARM_NEW]);
    if (f->kind == FAILIF_ABSOLUTE)
        return scaled(histogram_percentile(histogram_of(arms, s->own[ARM_NEW]), f->percentile, IMPACT_CONF),
                      1 / NS_PER_MS);
    struct estimate e = compare_histograms(old, new, f->percentile, IMPACT_CONF);
    if (f->kind == FAILIF_DIFFERENCE) return scaled(e, 1 / NS_PER_MS);
    double before = histogram_percentile(old, f->percentile, IMPACT_CONF).value;
    return before > 0 ? scaled(e, 1 / before) : (struct estimate){ 0 };
}

// An excess counts when it is none of chance: a rise, when its interval is above zero; a level, when its
// interval is above the level.
static void decide(const struct impact_judgement *j, const struct failif *f, struct compare_check *c) {
    const struct estimate *v = &c->value;
    c->result = COMPARE_INCONCLUSIVE;
    if (j->old.effective < IMPACT_REQUESTS_MIN || j->new.effective < IMPACT_REQUESTS_MIN)
        c->why = STR("a version has fewer than 200 requests");
    else if (!v->defined)
        c->why = STR("there is nothing to compare with");
    else if (v->value <= f->amount)
        c->result = COMPARE_PASS;
    else if (v->bounded && v->lo > (f->kind == FAILIF_ABSOLUTE ? f->amount : 0))
        c->result = COMPARE_FAILED;
    else
        c->why = STR("it is more than the condition allows, which may be chance");
}

struct compare_check compare_check(const struct arms *arms, const struct impact_judgement *j,
                                   const struct failif *f) {
    struct compare_check c = { .condition = f };
    c.value = f->percentile == 0 ? errors_of(j, f->kind) : duration_of(arms, j->spread, f);
    decide(j, f, &c);
    return c;
}

// --- all of them -------------------------------------------------------------------------------------------

static enum arm arm_of(void *ctx, struct str version, int64_t start) {
    const struct compare_ask *k = ctx;
    (void)start;
    if (str_eq(version, k->baseline)) return ARM_OLD;
    if (str_eq(version, k->candidate)) return ARM_NEW;
    if (impact_same_version(k->candidate, version)) return ARM_NEW;
    return impact_same_version(k->baseline, version) ? ARM_OLD : ARM_COUNT;
}

static enum err judge_and_check(struct arena *a, struct arms *arms, struct compare_report *out) {
    TRY(impact_judge(a, arms, (struct impact_rules){ .keeps_cold = true }, &out->judgement));
    out->concurrent = out->judgement.old.effective >= IMPACT_REQUESTS_MIN &&
                      out->judgement.new.effective >= IMPACT_REQUESTS_MIN;
    if (!out->concurrent)
        TRY(impact_judge(a, arms, (struct impact_rules){ .time_is_arm = true, .keeps_cold = true },
                         &out->judgement));
    for (uint32_t i = 0; i < out->judgement.n; i++)
        out->judgement.tests[i].route = str_dup(a, out->judgement.tests[i].route);
    for (uint32_t i = 0; i < out->ask->n; i++) {
        struct compare_check *c = &out->checks[i];
        *c = compare_check(arms, &out->judgement, &out->ask->conditions[i]);
        if (c->result > out->result) out->result = c->result;
    }
    return a->failed ? ERR_NOMEM : ERR_OK;
}

enum err compare_compute(struct arena *a, const struct impact_source *src, const struct compare_ask *ask,
                         struct compare_report *out, struct err_ctx *ctx) {
    struct arms *arms = mem_zalloc(sizeof *arms);
    struct impact_reading r;
    ASSERT(ask->n <= FAILIF_MAX);
    *out = (struct compare_report){ .ask = ask };
    if (!arms) return ERR_NOMEM;
    arms_init(arms);
    impact_reading_init(&r, arms);
    enum err e = impact_read_arms(src, &ask->of, ask->window, (struct impact_arm_rule){ arm_of, (void *)ask },
                                  &r, ctx);
    if (e == ERR_OK) e = judge_and_check(a, arms, out);
    if (e == ERR_OK && r.partial) {
        out->partial = str_fmt(a, "%s", r.why);
        if (out->result == COMPARE_PASS) out->result = COMPARE_INCONCLUSIVE;
    }
    impact_reading_fini(&r);
    arms_fini(arms);
    mem_free(arms);
    return e;
}

// --- the answer --------------------------------------------------------------------------------------------

static void put_text(struct json_writer *w, const char *key, struct str v) {
    jw_key(w, str_of(key));
    jw_str(w, v);
}

static void put_check(struct json_writer *w, const struct compare_check *c) {
    const struct failif *f = c->condition;
    jw_object(w);
    put_text(w, "failIf", f->text);
    if (c->value.defined) {
        jw_key(w, STR("value"));
        jw_f64(w, c->value.value);
    }
    if (c->value.bounded) {
        jw_key(w, STR("interval"));
        jw_array(w);
        jw_f64(w, c->value.lo);
        jw_f64(w, c->value.hi);
        jw_array_end(w);
    }
    put_text(w, "unit", f->kind == FAILIF_RELATIVE || f->percentile == 0 ? STR("share") : STR("ms"));
    put_text(w, "result", str_of(compare_result_text(c->result)));
    if (c->why.len) put_text(w, "why", c->why);
    jw_object_end(w);
}

void compare_put(struct json_writer *w, const struct compare_report *r) {
    const struct compare_ask *k = r->ask;
    jw_object(w);
    put_text(w, "service", k->of.service);
    put_text(w, "environment", k->of.environment);
    put_text(w, "baseline", k->baseline);
    put_text(w, "candidate", k->candidate);
    jw_key(w, STR("from"));
    jw_i64_str(w, k->window.from);
    jw_key(w, STR("to"));
    jw_i64_str(w, k->window.to);
    put_text(w, "result", str_of(compare_result_text(r->result)));
    put_text(w, "phase", r->concurrent ? STR("concurrent") : STR("before-after"));
    if (r->partial.len) put_text(w, "partial", r->partial);
    jw_key(w, STR("checks"));
    jw_array(w);
    for (uint32_t i = 0; i < k->n; i++) put_check(w, &r->checks[i]);
    jw_array_end(w);
    impact_put_tests(w, &r->judgement);
    jw_object_end(w);
}
