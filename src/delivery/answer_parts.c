// SPDX-License-Identifier: Apache-2.0
#include "delivery/answer_parts.h"

#include <stdio.h>

#include "delivery/band.h"
#include "delivery/catalogue_store.h"

// --- members -----------------------------------------------------------------------------------------------

void put_text(struct json_writer *w, const char *key, struct str v) {
    if (!v.len) return;
    jw_key(w, str_of(key));
    jw_str(w, v);
}
void put_u64(struct json_writer *w, const char *key, uint64_t v) {
    jw_key(w, str_of(key));
    jw_u64(w, v);
}
void put_f64(struct json_writer *w, const char *key, double v) {
    jw_key(w, str_of(key));
    jw_f64(w, v);
}
void put_bool(struct json_writer *w, const char *key, bool v) {
    if (!v) return;
    jw_key(w, str_of(key));
    jw_bool(w, true);
}
// Nanoseconds as text, as everywhere in our JSON; absent when it is not known.
void put_time(struct json_writer *w, const char *key, int64_t t) {
    if (!t) return;
    jw_key(w, str_of(key));
    jw_i64_str(w, t);
}
void put_lines(struct json_writer *w, const char *key, struct str lines) {
    struct str line;
    if (!lines.len) return;
    jw_key(w, str_of(key));
    jw_array(w);
    for (bool more = true; more;) {
        more = str_cut(lines, '\n', &line, &lines);
        jw_str(w, line);
    }
    jw_array_end(w);
}
void put_id(struct json_writer *w, const char *key, uint64_t id) {
    char text[17];
    (void)snprintf(text, sizeof text, "%016llx", (unsigned long long)id);
    put_text(w, key, str_of(text));
}

void put_rank(struct json_writer *w, struct str rule) {
    for (unsigned i = FAILURE_SAID; i < FAILURE_RULE_COUNT; i++)
        if (str_eq(rule, str_of(failure_rule_text((enum failure_rule)i)))) put_u64(w, "rank", i);
}

void put_scope(struct json_writer *w, const struct scope *s) {
    jw_key(w, STR("scope"));
    jw_object(w);
    put_text(w, "service", s->service);
    put_text(w, "environment", s->environment);
    put_text(w, "change", s->change_kind);
    put_text(w, "team", s->team);
    put_text(w, "product", s->product);
    if (s->tier) put_u64(w, "tier", s->tier);
    jw_object_end(w);
}

void put_window(struct json_writer *w, const struct figure_id *f, int64_t now) {
    put_time(w, "from", f->from);
    put_time(w, "to", f->to);
    put_bool(w, "partial", f->to > now);
    if (!f->period) return;
    put_text(w, "calendar", str_of(period_text(f->period)));
    put_text(w, "zone", f->zone.len ? f->zone : STR("UTC"));
}

void put_figure(struct json_writer *w, const char *key, const struct figure_id *f) {
    struct buf id;
    buf_init(&id, FIGURE_ID_MAX * 4);
    figure_print(f, &id);
    put_text(w, key, buf_view(&id));
    buf_fini(&id);
}

enum err failed_read(struct db *db, enum err e, struct err_ctx *ctx) {
    return e == ERR_OK || ctx->text[0]
               ? e
               : err_set(ctx, e, "the facts cannot be read: %s", e == ERR_IO ? db_error(db) : err_text(e));
}

static enum err read_within(struct delivery *d, uint64_t memory, answer_run *run, const void *ask,
                            struct json_writer *w, struct err_ctx *ctx) {
    struct db *db;
    struct arena a;
    TRY(delivery_reader(d, &db));
    arena_init(&a, memory, NULL);
    enum err e = failed_read(db, run(db, &a, ask, w), ctx);
    arena_fini(&a);
    delivery_reader_done(d, db);
    return e;
}

enum err answer_read(struct delivery *d, answer_run *run, const void *ask, struct json_writer *w,
                     struct err_ctx *ctx) {
    return read_within(d, ANSWER_MEMORY_MAX, run, ask, w, ctx);
}

enum err answer_of_rollout(struct delivery *d, uint64_t memory, answer_run *run, struct str name,
                           struct json_writer *w, struct err_ctx *ctx) {
    if (!name.len) return err_set(ctx, ERR_INVALID, "rollout: the id of a rollout is missing");
    return read_within(d, memory, run, &(struct rollout_ask){ name, ctx }, w, ctx);
}

// --- a figure ----------------------------------------------------------------------------------------------

static const char *const units[] = { [MEASURE_FREQUENCY] = "per day",
                                     [MEASURE_RATE] = "share",
                                     [MEASURE_TIME] = "seconds",
                                     [MEASURE_SIZE] = "number" };

struct figure_id answer_figure(const struct answer_ask *ask, enum measure m, int64_t as_of) {
    return (struct figure_id){ .measure = m,
                               .scope = ask->scope,
                               .from = ask->from,
                               .to = ask->to,
                               .clock = ask->clock,
                               .with_rollbacks = ask->with_rollbacks,
                               .with_redeploys = ask->with_redeploys,
                               .failure_severity = ask->failure_severity,
                               .flag_days = ask->flag_days == MEASURE_FLAG_DAYS ? 0 : ask->flag_days,
                               .as_of = as_of,
                               .at = as_of ? ask->now : 0,
                               .period = ask->period,
                               .zone = ask->zone.name };
}

enum err answer_target(struct db *db, struct arena *a, const struct scope *s, enum measure m,
                       struct measure_target *out) {
    *out = (struct measure_target){ .value = measure_info(m)->target };
    return catalogue_target_of(db, a, s->service, s->team, m, &out->value, &out->whose);
}

static void put_target(struct json_writer *w, const struct measure_target *t,
                       const struct measure_result *r) {
    static const char *const verdicts[] = { "cannot know", "met", "missed" };
    if (t->value == 0) return;
    jw_key(w, STR("target"));
    jw_object(w);
    put_f64(w, t->value < 0 ? "at_least" : "at_most", t->value < 0 ? -t->value : t->value);
    put_text(w, "of", t->whose);
    put_text(w, "verdict", str_of(verdicts[measure_judge(&r->value, r->small, t->value)]));
    jw_object_end(w);
}

static void put_level(struct json_writer *w, unsigned year, enum measure m, const struct measure_result *r) {
    enum band best, worst;
    if (!year || !band_known(year, m)) return;
    band_range(year, m, r, &best, &worst);
    jw_key(w, STR("level"));
    jw_object(w);
    put_u64(w, "year", year);
    put_text(w, "best", str_of(band_text(best)));
    put_text(w, "worst", str_of(band_text(worst)));
    put_bool(w, "between", best != BAND_NONE && band_between(year, m, r->value.value));
    put_bool(w, "insufficient", best == BAND_NONE);
    jw_object_end(w);
}

static void put_estimate(struct json_writer *w, const char *key, const char *interval,
                         const struct estimate *e) {
    if (!e->defined) return;
    put_f64(w, key, e->value);
    if (!interval || !e->bounded) return;
    jw_key(w, str_of(interval));
    jw_array(w);
    jw_f64(w, e->lo);
    jw_f64(w, e->hi);
    jw_array_end(w);
}

static void put_values(struct json_writer *w, const struct measure_result *r) {
    put_estimate(w, "value", "interval", &r->value);
    put_estimate(w, "p75", "p75_interval", &r->p75);
    put_estimate(w, "p90", "p90_interval", &r->p90);
    put_estimate(w, "p95", "p95_interval", &r->p95);
    put_estimate(w, "mean", NULL, &r->mean);
    put_estimate(w, "most", NULL, &r->most);
}

void put_result(struct json_writer *w, const struct figure_id *f, const struct measure_result *r,
                const struct measure_target *target, unsigned year) {
    const struct measure_info *m = measure_info(f->measure);
    put_text(w, "name", str_of(m->name));
    put_text(w, "title", str_of(m->title));
    put_figure(w, "figure", f);
    put_text(w, "unit", str_of(units[m->kind]));
    put_values(w, r);
    put_u64(w, "n", r->n);
    if (m->kind == MEASURE_RATE && f->measure != MEASURE_FAILED_TIME) {
        put_u64(w, "numerator", r->numerator);
        put_u64(w, "denominator", r->denominator);
    }
    put_bool(w, "small", r->small);
    if (r->immature) put_u64(w, "immature", r->immature);
    if (r->clamped) put_u64(w, "clamped", r->clamped);
    put_target(w, target, r);
    put_level(w, year, f->measure, r);
    jw_key(w, STR("left_out"));
    jw_array(w);
    for (unsigned i = 0; i < r->n_left_out; i++) {
        jw_object(w);
        put_text(w, "why", str_of(r->left_out[i].text));
        put_u64(w, "n", r->left_out[i].n);
        jw_object_end(w);
    }
    jw_array_end(w);
}
