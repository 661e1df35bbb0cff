// SPDX-License-Identifier: Apache-2.0
// A report as JSON.
#include <math.h>

#include "impact/impact.h"

static void put_text(struct json_writer *w, const char *key, struct str v) {
    jw_key(w, str_of(key));
    jw_str(w, v);
}
static void put_f64(struct json_writer *w, const char *key, double v) {
    if (isnan(v)) return; // not known
    jw_key(w, str_of(key));
    jw_f64(w, v);
}
static void put_u64(struct json_writer *w, const char *key, uint64_t v) {
    jw_key(w, str_of(key));
    jw_u64(w, v);
}
static void put_estimate(struct json_writer *w, const char *key, const struct estimate *e) {
    put_f64(w, key, e->defined ? e->value : NAN);
}
static void put_interval(struct json_writer *w, const struct estimate *e) {
    if (!e->bounded) return;
    jw_key(w, STR("interval"));
    jw_array(w);
    jw_f64(w, e->lo);
    jw_f64(w, e->hi);
    jw_array_end(w);
}
static void put_lines(struct json_writer *w, const char *key, const struct impact_lines *l) {
    jw_key(w, str_of(key));
    jw_array(w);
    for (uint32_t i = 0; i < l->n; i++) jw_str(w, l->at[i]);
    jw_array_end(w);
}
static void put_examples(struct json_writer *w, const struct arms_examples *e) {
    jw_key(w, STR("examples"));
    jw_array(w);
    for (uint32_t i = 0; i < e->n; i++) {
        char hex[32];
        hex_encode(e->of[i].trace_id, 16, hex);
        jw_str(w, (struct str){ hex, sizeof hex });
    }
    jw_array_end(w);
}

void impact_put_side(struct json_writer *w, const struct impact_side *s) {
    put_u64(w, "requests", s->requests);
    put_u64(w, "errors", s->errors);
    if (s->effective != s->requests) put_u64(w, "effective", s->effective);
    put_estimate(w, "errorRate", &s->error_rate);
    put_estimate(w, "p50", &s->p50);
    put_estimate(w, "p95", &s->p95);
}

static void put_side(struct json_writer *w, const char *key, const struct impact_side *s) {
    jw_key(w, str_of(key));
    jw_object(w);
    impact_put_side(w, s);
    jw_object_end(w);
}

void impact_put_tests(struct json_writer *w, const struct impact_judgement *j) {
    jw_key(w, STR("weighted"));
    jw_bool(w, j->weighted);
    jw_key(w, STR("arms"));
    jw_object(w);
    put_side(w, "old", &j->old);
    put_side(w, "new", &j->new);
    jw_object_end(w);
    jw_key(w, STR("routes"));
    jw_array(w);
    for (uint32_t i = 0; i < j->n; i++) {
        const struct impact_test *x = &j->tests[i];
        jw_object(w);
        put_text(w, "route", x->route);
        put_text(w, "test", x->kind == IMPACT_ERRORS ? STR("errors") : STR("latency"));
        put_side(w, "old", &x->old);
        put_side(w, "new", &x->new);
        put_estimate(w, "difference", &x->difference);
        put_interval(w, &x->difference);
        put_f64(w, "p", x->p);
        put_f64(w, "q", x->q);
        put_text(w, "verdict", str_of(impact_verdict_text(x->verdict)));
        put_examples(w, &x->examples);
        jw_object_end(w);
    }
    jw_array_end(w);
}

static void put_new_errors(struct json_writer *w, const struct signatures *s) {
    jw_key(w, STR("newErrors"));
    jw_array(w);
    for (uint32_t i = 0; s && i < s->n; i++) {
        const struct signature_seen *x = &s->items[i];
        if (x->known || s->partial) continue;
        jw_object(w);
        put_text(w, "type", x->type);
        put_text(w, "message", x->message);
        put_text(w, "span", x->span);
        if (x->frame.len) put_text(w, "frame", x->frame);
        put_u64(w, "count", x->count);
        put_examples(w, &x->examples);
        jw_object_end(w);
    }
    jw_array_end(w);
}

static void put_flag(struct json_writer *w, const struct impact_report *r) {
    double all = 0, scale = (double)(1u << r->variants_shift);
    put_text(w, "flag", r->ask->flag);
    put_text(w, "change", r->ask->change);
    for (uint32_t i = 0; i < r->variants->n; i++)
        if (r->variants->items[i].version.len) all += r->variants->items[i].requests;
    jw_key(w, STR("variants"));
    jw_array(w);
    for (uint32_t i = 0; i < r->variants->n; i++) {
        const struct version_seen *v = &r->variants->items[i];
        if (!v->version.len) continue; // of no variant
        jw_object(w);
        put_text(w, "variant", v->version);
        put_u64(w, "requests", (uint64_t)(v->requests * scale + 0.5));
        put_u64(w, "errors", (uint64_t)(v->errors * scale + 0.5));
        put_f64(w, "share", v->requests / all);
        jw_key(w, STR("firstSeen"));
        jw_i64_str(w, v->first);
        jw_key(w, STR("lastSeen"));
        jw_i64_str(w, v->last);
        jw_object_end(w);
    }
    jw_array_end(w);
}

static void put_vanished(struct json_writer *w, const struct vanished *v) {
    jw_key(w, STR("vanished"));
    jw_object(w);
    put_u64(w, "routes", v->n_routes);
    put_u64(w, "testable", v->n_testable);
    jw_key(w, STR("lost"));
    jw_array(w);
    for (uint32_t i = 0; i < v->n; i++) {
        jw_object(w);
        put_text(w, "route", v->lost[i].route);
        put_u64(w, "requests", v->lost[i].requests);
        put_u64(w, v->by_quarter ? "quarters" : "minutes", v->lost[i].units);
        put_f64(w, "p", v->lost[i].p);
        put_examples(w, &v->lost[i].examples);
        jw_object_end(w);
    }
    jw_array_end(w);
    if (v->gained.len) put_text(w, "gained", v->gained);
    jw_object_end(w);
}

static void put_inner(struct json_writer *w, const struct inner_answer *x) {
    if (!x->known) return;
    jw_key(w, STR("spansPerRequest"));
    jw_object(w);
    put_f64(w, "old", x->old);
    put_f64(w, "new", x->new);
    put_u64(w, "requests", (uint64_t)x->requests);
    jw_key(w, STR("lost"));
    jw_bool(w, x->lost);
    jw_object_end(w);
}

static void put_canary(struct json_writer *w, const struct weight_answer *x) {
    if (!x->all) return;
    jw_key(w, STR("canary"));
    jw_object(w);
    put_u64(w, "requests", x->got);
    put_u64(w, "expected", (uint64_t)(x->expected + 0.5));
    put_u64(w, "all", x->all);
    jw_object_end(w);
}

void impact_put(struct json_writer *w, const struct impact_report *r) {
    static const char *const phases[] = { "none", "concurrent", "before-after" };
    const struct impact_ask *k = r->ask;
    jw_object(w);
    put_text(w, "rollout", k->rollout);
    put_text(w, "deploy", k->deploy);
    put_text(w, "service", k->of.service);
    put_text(w, "environment", k->of.environment);
    put_text(w, "version", r->version.len ? r->version : k->version);
    put_text(w, "baseline", r->baseline);
    if (k->flag.len) put_flag(w, r);
    put_text(w, "verdict", str_of(impact_verdict_text(r->verdict)));
    jw_key(w, STR("computedAt"));
    jw_i64_str(w, k->now);
    jw_key(w, STR("final"));
    jw_bool(w, r->final);
    put_text(w, "phase", str_of(phases[r->phase]));
    impact_put_tests(w, &r->judgement);
    put_new_errors(w, r->signatures);
    impact_put_kinds(w, r);
    if (!k->flag.len) put_vanished(w, &r->vanished);
    put_inner(w, &r->inner);
    put_canary(w, &r->weight);
    if (r->blind.len) put_text(w, "blind", r->blind);
    jw_key(w, STR("failedRoots"));
    jw_object(w);
    put_estimate(w, "excess", &r->excess);
    put_interval(w, &r->excess);
    jw_object_end(w);
    jw_key(w, STR("users"));
    jw_object(w);
    put_u64(w, "hit", r->users);
    if (r->judgement.weighted) put_f64(w, "atMost", r->users_most);
    jw_object_end(w);
    put_lines(w, "confounders", &r->confounders);
    put_lines(w, "why", &r->why);
    put_text(w, "state", r->state);
    put_text(w, "evidence", r->evidence);
    jw_object_end(w);
}
