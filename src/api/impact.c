// SPDX-License-Identifier: Apache-2.0
#include "api/impact.h"

#include "api/api_internal.h"
#include "api/delivery.h"
#include "delivery/answer_profile.h"
#include "impact/compare.h"
#include "impact/record.h"
#include "impact/versions.h"

#define HOUR_NS (3600 * 1000000000ull)
#define WEEK_NS (7 * 24 * 3600 * 1000000000ull)
enum { REPORT_MEMORY_MAX = 256 << 20 };

static struct impact_source source_of(const struct ask *k) {
    return (struct impact_source){ k->view, ask_bounds(k, 0, 0) };
}

// --- impact ------------------------------------------------------------------------------------------------

static enum err load(struct ask *k, struct arena *a, struct delivery *d, struct str key, bool fresh,
                     struct str *kept, struct impact_ask *ask) {
    struct db *db;
    bool found;
    *kept = STR("");
    TRY(delivery_reader(d, &db));
    enum err e = fresh ? ERR_OK : impact_recorded(db, a, key, kept);
    if (e == ERR_OK && !kept->len) {
        e = impact_load(db, a, key, (int64_t)clock_unix_ns(k->limits->clock), ask, &found);
        struct str shown = str_sub(key, 0, 60);
        if (e == ERR_OK && !found)
            e = err_set(&k->ctx, ERR_NOT_FOUND, "there is no rollout and no change of a flag \"%.*s\"",
                        STR_ARG(shown));
    }
    if (e == ERR_OK && !kept->len && !fresh && ask->change.len) // asked by the name of a flag
        e = impact_recorded(db, a, ask->change, kept);
    delivery_reader_done(d, db);
    return e;
}

static enum err answer_impact(struct ask *k, struct arena *a, struct delivery *d, struct json_writer *w) {
    struct str key = params_get(&k->params, STR("rollout")), kept;
    struct impact_ask ask;
    struct impact_report report;
    bool fresh = false;
    TRY(params_bool(&k->params, STR("fresh"), &fresh, &k->ctx));
    if (!key.len)
        return err_set(&k->ctx, ERR_INVALID,
                       "rollout: the id of a rollout, the key of a deploy or of a change of a flag, or the "
                       "name of a flag");
    TRY(load(k, a, d, key, fresh, &kept, &ask));
    if (kept.len) {
        jw_raw(w, kept);
        return ERR_OK;
    }
    struct impact_source src = source_of(k);
    TRY(impact_compute(a, &src, &ask, &report, &k->ctx));
    impact_put(w, &report);
    return ERR_OK;
}

// --- versions ----------------------------------------------------------------------------------------------

static enum err window_of(struct ask *k, uint64_t length, struct impact_window *out) {
    uint64_t start, end, now = clock_unix_ns(k->limits->clock);
    TRY(params_range(&k->params, k->limits->clock, &start, &end, &k->ctx));
    if (!end || end > now) end = now + 1000000000;
    if (!start) start = end - length;
    *out = (struct impact_window){ (int64_t)start, (int64_t)end };
    return ERR_OK;
}

static enum err answer_versions(struct ask *k, struct delivery *d, struct json_writer *w) {
    struct impact_of of = { .service = params_get(&k->params, STR("service")),
                            .environment =
                                str_dup_lower(k->params.arena, params_get(&k->params, STR("environment"))) };
    struct impact_window window;
    if (!of.service.len) return err_set(&k->ctx, ERR_INVALID, "service: whose versions");
    TRY(window_of(k, WEEK_NS, &window));
    struct impact_source src = source_of(k);
    return impact_put_versions(d, &src, &of, window, w, &k->ctx);
}

// --- compare -----------------------------------------------------------------------------------------------

static enum err read_conditions(struct ask *k, struct arena *a, struct compare_ask *out) {
    struct failif *all = ARENA_ARRAY(a, FAILIF_MAX, struct failif);
    struct str rest = k->params.query, name, value;
    if (!all) return ERR_NOMEM;
    while (params_next(&k->params, &rest, &name, &value)) {
        if (!str_eq(name, STR("failIf"))) continue;
        if (out->n == FAILIF_MAX)
            return err_set(&k->ctx, ERR_INVALID, "failIf: more than %d conditions", FAILIF_MAX);
        TRY(failif_parse(value, &all[out->n++], &k->ctx));
    }
    out->conditions = all;
    return out->n ? ERR_OK : err_set(&k->ctx, ERR_INVALID, "failIf: a condition, as in errors > +0.5 points");
}

static enum err answer_compare(struct ask *k, struct arena *a, struct delivery *d, struct json_writer *w) {
    struct compare_ask ask = { .of = { .service = params_get(&k->params, STR("service")),
                                       .environment = params_get(&k->params, STR("environment")) },
                               .baseline = params_get(&k->params, STR("baseline")),
                               .candidate = params_get(&k->params, STR("candidate")) };
    struct compare_report *report = ARENA_NEW(a, struct compare_report);
    if (!report) return ERR_NOMEM;
    if (!ask.of.service.len) return err_set(&k->ctx, ERR_INVALID, "service: whose versions");
    if (!ask.baseline.len) return err_set(&k->ctx, ERR_INVALID, "baseline: the version to compare with");
    if (!ask.candidate.len) return err_set(&k->ctx, ERR_INVALID, "candidate: the version to judge");
    TRY(read_conditions(k, a, &ask));
    TRY(window_of(k, HOUR_NS, &ask.window));
    if (d) TRY(impact_find_names(d, a, &ask.of));
    struct impact_source src = source_of(k);
    TRY(compare_compute(a, &src, &ask, report, &k->ctx));
    compare_put(w, report);
    return ERR_OK;
}

// --- checks ------------------------------------------------------------------------------------------------

static struct check_world world_of(const struct ask *k) {
    return (struct check_world){ .knows_load = k->limits->knows_load,
                                 .saturation = k->limits->saturation,
                                 .retention_ns = (int64_t)k->limits->retention_ns };
}

struct first_trace {
    uint8_t id[16];
    bool found;
};
static enum err take_first(void *ctx, const struct visit_span *s) {
    struct first_trace *t = ctx;
    memcpy(t->id, s->trace_id, sizeof t->id);
    t->found = true;
    return ERR_EXISTS; // one is enough
}

// A trace of the service in the last hour.
static enum err find_trace(struct ask *k, struct arena *a, const struct impact_of *of,
                           struct check_world *world) {
    struct first_trace first = { .found = false };
    struct visit_answer answer;
    struct buf filter;
    uint64_t now = clock_unix_ns(k->limits->clock);
    buf_init(&filter, 128 << 10);
    impact_put_service(&filter, "=", of);
    buf_str(&filter, STR(" }"));
    struct visit q = { .filter = buf_view(&filter),
                       .bounds = ask_bounds(k, now - HOUR_NS, now + HOUR_NS),
                       .each = take_first,
                       .ctx = &first };
    enum err e = filter.failed ? ERR_LIMIT : visit_run(k->view, &q, &answer, &k->ctx);
    buf_fini(&filter);
    if (e != ERR_OK && !first.found) return e;
    world->knows_traces = true;
    if (!first.found) return ERR_OK;
    char *hex = arena_alloc(a, 2 * sizeof first.id);
    if (!hex) return ERR_NOMEM;
    hex_encode(first.id, sizeof first.id, hex);
    world->trace = (struct str){ hex, 2 * sizeof first.id };
    return ERR_OK;
}

static enum err answer_checks_of_service(struct ask *k, struct arena *a, struct delivery *d,
                                         struct json_writer *w) {
    struct impact_of of = { .service = params_get(&k->params, STR("service")) };
    struct check_world world = world_of(k);
    if (!of.service.len) return err_set(&k->ctx, ERR_INVALID, "service: which one");
    TRY(impact_find_names(d, a, &of));
    TRY(find_trace(k, a, &of, &world));
    return answer_ready(d, of.service, delivery_now(k->limits->clock), &world, w, &k->ctx);
}

static enum err answer_checks_of_incident(struct ask *k, struct delivery *d, struct json_writer *w) {
    struct str id = params_get(&k->params, STR("id"));
    struct check_world world = world_of(k);
    if (!id.len) return err_set(&k->ctx, ERR_INVALID, "id: of an incident");
    return answer_incident(d, id, delivery_now(k->limits->clock), &world, w, &k->ctx);
}

enum err impact_answer(struct ask *k, struct delivery *d, enum impact_question what, struct json_writer *w) {
    struct arena a;
    arena_init(&a, REPORT_MEMORY_MAX, NULL);
    enum err e = ERR_OK;
    switch (what) {
    case ASK_COMPARE: e = answer_compare(k, &a, d, w); break;
    case ASK_IMPACT: e = answer_impact(k, &a, d, w); break;
    case ASK_VERSIONS: e = answer_versions(k, d, w); break;
    case ASK_READY: e = answer_checks_of_service(k, &a, d, w); break;
    case ASK_INCIDENT: e = answer_checks_of_incident(k, d, w); break;
    }
    arena_fini(&a);
    return e;
}

static void know_load(struct api *a, struct ask_limits *limits) {
    struct ingest_stats s;
    ingest_stats(a->opts.ingest, &s);
    limits->knows_load = true;
    limits->saturation = saturation_of(a, &s);
    limits->retention_ns = a->opts.retention_ns;
}

static void handle(struct api *a, struct net_request *rq, enum impact_question what) {
    struct ask_limits limits = limits_of(a, rq);
    struct ask k;
    struct buf json;
    if (what != ASK_COMPARE && !reply_unless_delivery(a, rq)) return;
    struct view *v = ingest_view(a->opts.ingest);
    know_load(a, &limits);
    ask_init(&k, v, &limits, rq->query);
    buf_init(&json, SIZE_MAX);
    struct json_writer w = json_writer_on(&json);
    enum err e = impact_answer(&k, a->opts.delivery, what, &w);
    if (e == ERR_OK)
        reply_buf(rq, 200, TYPE_JSON, &json);
    else
        reply_failed(a, rq, &k, e);
    buf_fini(&json);
    ask_fini(&k);
    view_unref(v);
}

void takt_impact_handle(struct api *a, struct net_request *rq) {
    handle(a, rq, ASK_IMPACT);
}
void takt_versions_handle(struct api *a, struct net_request *rq) {
    handle(a, rq, ASK_VERSIONS);
}
void takt_ready_handle(struct api *a, struct net_request *rq) {
    handle(a, rq, ASK_READY);
}
void takt_incident_handle(struct api *a, struct net_request *rq) {
    handle(a, rq, ASK_INCIDENT);
}
void takt_compare_handle(struct api *a, struct net_request *rq) {
    handle(a, rq, ASK_COMPARE);
}
