// SPDX-License-Identifier: Apache-2.0
#include "delivery/answer_profile.h"

#include "delivery/answer_parts.h"
#include "delivery/answer_rollback.h"
#include "delivery/answer_rows.h"
#include "delivery/profile.h"
#include "delivery/situation.h"

// What a judgement is made from: the window, and the one before it.
struct judging {
    struct db *db;
    struct arena arena;
    const struct answer_ask *ask;
    int64_t as_of;
    uint32_t n_series;
    struct measure_result now[MEASURE_COUNT], before[MEASURE_COUNT];
    struct measure_target targets[MEASURE_COUNT];
    double aims[MEASURE_COUNT]; // the values of these
    struct finding_facts facts;
    const struct world *world;
};

// As long, or of as many periods.
static struct answer_ask window_before(const struct answer_ask *ask) {
    struct answer_ask b = *ask;
    b.from = b.to = ask->from;
    if (!ask->period) b.from -= ask->to - ask->from;
    for (int64_t at = ask->from; ask->period && at < ask->to; at = period_next(&ask->zone, ask->period, at))
        b.from = period_start(&ask->zone, ask->period, b.from - 1);
    return b;
}

static enum err read_targets(struct judging *j) {
    for (unsigned m = 0; m < MEASURE_COUNT; m++) {
        TRY(answer_target(j->db, &j->arena, &j->ask->scope, (enum measure)m, &j->targets[m]));
        j->aims[m] = j->targets[m].value;
    }
    return ERR_OK;
}
static enum err judging_read(struct judging *j) {
    struct answer_ask before = window_before(j->ask);
    uint32_t n_before;
    struct situation_ask s = { j->ask->scope, j->ask->from, j->ask->to, j->ask->now,
                               j->ask->failure_severity };
    TRY(db_number(j->db, "SELECT max(id) FROM event", &j->as_of));
    TRY(answer_results(j->db, &j->arena, j->ask, j->now, &j->n_series));
    TRY(answer_results(j->db, &j->arena, &before, j->before, &n_before));
    TRY(read_targets(j));
    return situation_read(j->db, &j->arena, &s, &j->facts);
}

static void put_figures(struct json_writer *w, const struct judging *j, const struct finding *f) {
    struct buf id;
    buf_init(&id, FIGURE_ID_MAX * 4);
    jw_key(w, STR("figures"));
    jw_array(w);
    for (unsigned i = 0; i < f->n_figures; i++) {
        struct figure_id figure = answer_figure(j->ask, f->figures[i], j->as_of);
        buf_reset(&id);
        figure_print(&figure, &id);
        jw_str(w, buf_view(&id));
    }
    jw_array_end(w);
    buf_fini(&id);
}
static void put_finding(struct json_writer *w, const struct judging *j, const struct finding *f) {
    jw_object(w);
    put_text(w, "name", str_of(f->name));
    put_text(w, "text", str_of(f->text));
    put_text(w, "answer", str_of(finding_answer_text(f->answer)));
    put_text(w, "evidence", f->evidence);
    if (f->step && f->answer == f->due) put_text(w, "step", str_of(f->step));
    put_figures(w, j, f);
    jw_object_end(w);
}
static void put_findings(struct json_writer *w, const char *key, const struct judging *j,
                         const struct finding *f, unsigned n) {
    jw_key(w, str_of(key));
    jw_array(w);
    for (unsigned i = 0; i < n; i++) put_finding(w, j, &f[i]);
    jw_array_end(w);
}
static void put_head(struct json_writer *w, const struct judging *j) {
    struct figure_id window = answer_figure(j->ask, 0, 0);
    put_scope(w, &j->ask->scope);
    put_window(w, &window, j->ask->now);
}

// --- the profile -------------------------------------------------------------------------------------------

struct judged {
    struct finding rules[PROFILE_RULES], modes[PROFILE_MODES];
    struct profile_dimension dimensions[PROFILE_DIMENSIONS];
};

static enum err judge(struct judging *j, struct judged *out) {
    struct finding_case c = { &j->arena, j->now, j->before, &j->facts, j->aims, j->world };
    profile_rules(&c, out->rules);
    profile_ladder(&c, out->dimensions);
    profile_modes(&c, out->modes);
    return j->arena.failed ? ERR_NOMEM : ERR_OK;
}

static void put_dimension(struct json_writer *w, const struct judging *j, const struct profile_dimension *d) {
    jw_object(w);
    put_text(w, "name", str_of(d->name));
    if (d->level == d->most) {
        put_u64(w, "level", d->level);
    } else {
        put_u64(w, "at_least", d->level);
        put_u64(w, "at_most", d->most);
        put_text(w, "why", d->steps[d->level].evidence);
    }
    put_findings(w, "steps", j, d->steps, PROFILE_STEPS);
    jw_object_end(w);
}

static enum err put_profile(struct judging *j, struct json_writer *w) {
    struct judged *t = ARENA_NEW(&j->arena, struct judged);
    if (!t) return ERR_NOMEM;
    TRY(judge(j, t));
    jw_object(w);
    put_head(w, j);
    jw_key(w, STR("headline"));
    put_finding(w, j, &t->rules[profile_headline(t->rules)]);
    jw_key(w, STR("dimensions"));
    jw_array(w);
    for (unsigned i = 0; i < PROFILE_DIMENSIONS; i++) put_dimension(w, j, &t->dimensions[i]);
    jw_array_end(w);
    put_findings(w, "rules", j, t->rules, PROFILE_RULES);
    put_findings(w, "modes", j, t->modes, PROFILE_MODES);
    jw_object_end(w);
    return ERR_OK;
}

// --- the report --------------------------------------------------------------------------------------------

static void put_measure(struct judging *j, enum measure m, struct json_writer *w) {
    struct figure_id f = answer_figure(j->ask, m, j->as_of);
    jw_object(w);
    put_result(w, &f, &j->now[m], &j->targets[m], j->ask->year);
    if (j->before[m].value.defined) {
        struct answer_ask before = window_before(j->ask);
        struct figure_id was = answer_figure(&before, m, j->as_of);
        put_f64(w, "before", j->before[m].value.value);
        put_figure(w, "before_figure", &was);
    }
    jw_object_end(w);
}

enum { REPORT_FAILED_MAX = 20 };
static const char failed_rollouts[] =
    "SELECT " ANSWER_ROLLOUT_COLUMNS " FROM rollout WHERE failure IS NOT NULL AND (?5 = 0 OR severity <= ?5) "
    "AND finished_at >= ?1 AND finished_at < ?2"
    " AND ((?3 = '' AND production) OR environment = ?3) AND " SCOPE_SERVICES
    " ORDER BY finished_at DESC, id LIMIT ?4";

static enum err put_failed(struct judging *j, struct json_writer *w) {
    struct db_row *r;
    TRY(db_prepare(j->db, failed_rollouts, &r));
    scope_bind(r, &j->ask->scope);
    db_bind_i64(r, 1, j->ask->from);
    db_bind_i64(r, 2, j->ask->to);
    db_bind_text(r, 3, j->ask->scope.environment.len ? j->ask->scope.environment : STR(""));
    db_bind_i64(r, 4, REPORT_FAILED_MAX);
    db_bind_i64(r, 5, j->ask->failure_severity);
    return answer_put_rows(w, "failed", r, answer_rollout_columns, NULL, NULL);
}

static enum err put_report(struct judging *j, struct json_writer *w) {
    struct judged *t = ARENA_NEW(&j->arena, struct judged);
    if (!t) return ERR_NOMEM;
    TRY(judge(j, t));
    jw_object(w);
    put_head(w, j);
    put_u64(w, "rollouts", j->facts.rollouts);
    put_u64(w, "incidents", j->facts.incidents);
    jw_key(w, STR("headline"));
    put_finding(w, j, &t->rules[profile_headline(t->rules)]);
    jw_key(w, STR("measures"));
    jw_array(w);
    for (unsigned m = 0; m < MEASURE_COUNT; m++) put_measure(j, (enum measure)m, w);
    jw_array_end(w);
    TRY(put_failed(j, w));
    jw_object_end(w);
    return ERR_OK;
}

static enum err judged_answer(struct delivery *d, const struct answer_ask *ask, const struct world *world,
                              enum err (*put)(struct judging *j, struct json_writer *w),
                              struct json_writer *w, struct err_ctx *ctx) {
    struct judging *j = mem_zalloc(sizeof *j);
    if (!j) return ERR_NOMEM;
    j->ask = ask;
    j->world = world;
    arena_init(&j->arena, ANSWER_MEMORY_MAX, NULL);
    enum err e = delivery_reader(d, &j->db);
    if (e == ERR_OK) {
        e = judging_read(j);
        if (e == ERR_OK) e = put(j, w);
        e = failed_read(j->db, e, ctx);
        delivery_reader_done(d, j->db);
    }
    arena_fini(&j->arena);
    mem_free(j);
    return e;
}

enum err answer_profile(struct delivery *d, const struct answer_ask *ask, const struct world *world,
                        struct json_writer *w, struct err_ctx *ctx) {
    return judged_answer(d, ask, world, put_profile, w, ctx);
}
enum err answer_report(struct delivery *d, const struct answer_ask *ask, struct json_writer *w,
                       struct err_ctx *ctx) {
    static const struct world none; // its headline is a rule's, and rules look at facts alone
    return judged_answer(d, ask, &none, put_report, w, ctx);
}

// --- checks ------------------------------------------------------------------------------------------------

struct checked {
    struct str about; // a service, or an incident
    struct answer_ask ask;
    struct check_world world;
    struct judging judging;
};

// Anybody told of it: the catalogue, an event or a trace.
static enum err need_service(struct db *db, struct str service) {
    struct db_row *r;
    bool found;
    TRY(db_prepare(
        db,
        "SELECT 1 WHERE EXISTS (SELECT 1 FROM catalogue WHERE service = ?1) OR EXISTS (SELECT 1 FROM "
        "deploy WHERE service = ?1) OR EXISTS (SELECT 1 FROM incident WHERE service = ?1) OR EXISTS "
        "(SELECT 1 FROM seen_service WHERE service = ?1) OR EXISTS (SELECT 1 FROM flag_change WHERE "
        "service = ?1) OR EXISTS (SELECT 1 FROM canary WHERE service = ?1)",
        &r));
    db_bind_text(r, 1, service);
    TRY(db_step(r, &found));
    if (found) db_reset(r);
    return found ? ERR_OK : ERR_NOT_FOUND;
}

static enum err put_ready(struct checked *c, struct json_writer *w) {
    struct judging *j = &c->judging;
    struct finding found[CHECKS_READY];
    if (!c->world.trace.len) TRY(need_service(j->db, c->about));
    TRY(answer_results(j->db, &j->arena, &c->ask, j->now, &j->n_series));
    TRY(db_number(j->db, "SELECT max(id) FROM event", &j->as_of));
    c->world.measures = j->now;
    TRY(checks_ready(j->db, &j->arena, c->about, c->ask.now, &c->world, found));
    jw_object(w);
    put_text(w, "service", c->about);
    put_findings(w, "before", j, found, CHECKS_BEFORE);
    put_findings(w, "ready", j, found + CHECKS_BEFORE, CHECKS_READY - CHECKS_BEFORE);
    jw_object_end(w);
    return ERR_OK;
}

static enum err put_incident(struct checked *c, struct json_writer *w) {
    struct judging *j = &c->judging;
    struct check_incident i;
    struct finding found[CHECKS_INCIDENT];
    TRY(checks_incident(j->db, &j->arena, c->about, c->ask.now, &c->world, &i, found));
    jw_object(w);
    put_text(w, "incident", i.key);
    put_text(w, "service", i.service);
    put_text(w, "environment", i.environment);
    put_text(w, "title", i.title);
    put_text(w, "state", i.state);
    put_text(w, "url", i.url);
    put_lines(w, "teams", i.teams);
    put_time(w, "began", i.began);
    put_time(w, "impact", i.impact);
    put_text(w, "impact_by", i.impact_by);
    put_text(w, "impact_says", i.impact_says);
    put_time(w, "detected", i.detected);
    put_time(w, "acknowledged", i.acknowledged);
    put_time(w, "recovered", i.recovered);
    if (i.rollout) put_id(w, "rollout", i.rollout);
    put_text(w, "version", i.version);
    put_text(w, "rule", i.rule);
    put_text(w, "cause_service", i.cause_service);
    put_text(w, "says", i.says);
    if (i.rollout) TRY(answer_put_rollback(j->db, &j->arena, (int64_t)i.rollout, w));
    put_findings(w, "checks", j, found, CHECKS_INCIDENT);
    jw_object_end(w);
    return ERR_OK;
}

static enum err checked_answer(struct delivery *d, struct str about, int64_t now,
                               const struct check_world *world,
                               enum err (*put)(struct checked *c, struct json_writer *w),
                               struct json_writer *w, struct err_ctx *ctx) {
    struct checked *c = mem_zalloc(sizeof *c);
    if (!c) return ERR_NOMEM;
    c->about = about;
    c->world = *world;
    c->ask = (struct answer_ask){ .scope = { .service = about },
                                  .from = now - CHECK_WINDOW_NS,
                                  .to = now,
                                  .now = now,
                                  .failure_severity = delivery_failure_severity(d),
                                  .flag_days = delivery_flag_days(d) };
    c->judging.ask = &c->ask;
    arena_init(&c->judging.arena, ANSWER_MEMORY_MAX, NULL);
    enum err e = delivery_reader(d, &c->judging.db);
    if (e == ERR_OK) {
        e = put(c, w);
        e = e == ERR_NOT_FOUND ? e : failed_read(c->judging.db, e, ctx);
        delivery_reader_done(d, c->judging.db);
    }
    arena_fini(&c->judging.arena);
    mem_free(c);
    return e;
}

enum err answer_ready(struct delivery *d, struct str service, int64_t now, const struct check_world *world,
                      struct json_writer *w, struct err_ctx *ctx) {
    enum err e = checked_answer(d, service, now, world, put_ready, w, ctx);
    struct str shown = str_sub(service, 0, 60);
    return e == ERR_NOT_FOUND ? err_set(ctx, e, "nothing is known of a service \"%.*s\"", STR_ARG(shown)) : e;
}
enum err answer_incident(struct delivery *d, struct str key, int64_t now, const struct check_world *world,
                         struct json_writer *w, struct err_ctx *ctx) {
    enum err e = checked_answer(d, key, now, world, put_incident, w, ctx);
    struct str shown = str_sub(key, 0, 60);
    return e == ERR_NOT_FOUND ? err_set(ctx, e, "there is no incident \"%.*s\"", STR_ARG(shown)) : e;
}
