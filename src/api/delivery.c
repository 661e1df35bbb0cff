// SPDX-License-Identifier: Apache-2.0
#include "api/delivery.h"

#include "api/api_internal.h"
#include "api/world.h"
#include "delivery/answer_changed.h"
#include "delivery/answer_deploy.h"
#include "delivery/answer_profile.h"
#include "delivery/band.h"
#include "delivery/catalogue.h"

#define DAY_NS (24 * 3600 * 1000000000ull)
#define WINDOW_DEFAULT_NS (90 * DAY_NS)

int64_t delivery_now(struct clock *clock) {
    int64_t now = (int64_t)clock_unix_ns(clock);
    return now - now % 1000000000 + 1000000000;
}

// "2026-01-31": the first moment of that day in the zone.
static bool take_date(struct str v, const struct zone *z, int64_t *out) {
    uint64_t year, month, day;
    if (v.len != strlen("2026-01-31") || v.ptr[4] != '-' || v.ptr[7] != '-') return false;
    if (!str_u64(str_sub(v, 0, 4), &year) || !str_u64(str_sub(v, 5, 2), &month) ||
        !str_u64(str_sub(v, 8, 2), &day))
        return false;
    if (year < 1970 || year > 2200 || !date_exists((uint32_t)year, (uint32_t)month, (uint32_t)day))
        return false;
    *out = zone_day(z, (int)year, (int)month, (int)day);
    return true;
}

static enum err take_time(const struct params *p, const char *name, const struct zone *z, int64_t *out,
                          struct err_ctx *ctx) {
    struct str v = params_get(p, str_of(name));
    uint64_t ns;
    if (!v.len || take_date(v, z, out)) return ERR_OK;
    if (!parse_time(v, &ns) || ns > INT64_MAX)
        return err_set(ctx, ERR_INVALID, "%s: expected 2026-01-31, 2026-01-31T12:00:00Z or unix seconds",
                       name);
    *out = (int64_t)ns;
    return ERR_OK;
}

static enum err take_period(const struct params *p, const char *name, enum period *out, struct err_ctx *ctx) {
    struct str v = params_get(p, str_of(name));
    return !v.len || period_of(v, out)
               ? ERR_OK
               : err_set(ctx, ERR_INVALID, "%s: there are day, week, month and quarter", name);
}

// Whole periods: those that from and to lie in; without them the last one that is over, or as many as
// the window reaches back to.
static void whole_periods(struct answer_ask *ask, bool from_told, bool to_told, bool window_told) {
    const struct zone *z = &ask->zone;
    int64_t from = ask->from;
    if (to_told)
        ask->to = period_next(z, ask->period, ask->to - 1);
    else
        ask->to = from_told ? period_next(z, ask->period, ask->now) : period_start(z, ask->period, ask->now);
    if (!from_told && !window_told) from = ask->to - 1;
    ask->from = period_start(z, ask->period, from < ask->to ? from : ask->to - 1);
}

// Windows are of whole seconds, so that the id of a figure says them exactly.
static enum err take_window(const struct params *p, struct answer_ask *ask, struct err_ctx *ctx) {
    uint64_t window = WINDOW_DEFAULT_NS;
    TRY(params_duration(p, STR("window"), &window, ctx));
    TRY(zone_load(disk_real(), params_get(p, STR("zone")), p->arena, &ask->zone, ctx));
    TRY(take_period(p, "calendar", &ask->period, ctx));
    ask->to = ask->now;
    TRY(take_time(p, "to", &ask->zone, &ask->to, ctx));
    if (window > (uint64_t)ask->to) window = (uint64_t)ask->to;
    ask->from = ask->to - (int64_t)window;
    TRY(take_time(p, "from", &ask->zone, &ask->from, ctx));
    ask->from -= ask->from % 1000000000;
    ask->to -= ask->to % 1000000000;
    if (ask->from >= ask->to) return err_set(ctx, ERR_INVALID, "from: it must lie before to");
    if (ask->period)
        whole_periods(ask, params_get(p, STR("from")).len > 0, params_get(p, STR("to")).len > 0,
                      params_get(p, STR("window")).len > 0);
    return ERR_OK;
}

static enum err take_clock(const struct params *p, struct answer_ask *ask, struct err_ctx *ctx) {
    struct str v = params_get(p, STR("clock"));
    if (!v.len || str_eq(v, STR("author"))) return ERR_OK;
    ask->clock = CLOCK_COMMITTER;
    return str_eq(v, STR("committer")) ? ERR_OK
                                       : err_set(ctx, ERR_INVALID, "clock: there are author and committer");
}

static enum err take_levels(const struct params *p, struct answer_ask *ask, struct err_ctx *ctx) {
    uint64_t year = 0;
    TRY(params_number(p, STR("levels"), 9999, &year, ctx));
    for (unsigned i = 0; i < BAND_YEARS; i++)
        if (year == band_years[i]) ask->year = (unsigned)year;
    return !year || ask->year
               ? ERR_OK
               : err_set(ctx, ERR_INVALID, "levels: the reports of 2019, 2021, 2023 and 2024 name levels");
}

// Of the server, unless it is told.
static enum err take_flag_age(const struct params *p, struct delivery *d, struct answer_ask *ask,
                              struct err_ctx *ctx) {
    uint64_t age = 0;
    ask->flag_days = delivery_flag_days(d);
    if (!params_get(p, STR("flag_age")).len) return ERR_OK;
    TRY(params_duration(p, STR("flag_age"), &age, ctx));
    if (age % DAY_NS || age < DAY_NS || age > FIGURE_FLAG_DAYS_MAX * DAY_NS)
        return err_set(ctx, ERR_INVALID, "flag_age: whole days, from 1d to %dd", FIGURE_FLAG_DAYS_MAX);
    ask->flag_days = (unsigned)(age / DAY_NS);
    return ERR_OK;
}

// Of the server, unless it is told; 0: any.
static enum err take_severity(const struct params *p, struct delivery *d, struct answer_ask *ask,
                              struct err_ctx *ctx) {
    uint64_t severity = delivery_failure_severity(d);
    TRY(params_number(p, STR("severity"), FAILURE_SEVERITY_MAX, &severity, ctx));
    ask->failure_severity = (unsigned)severity;
    return ERR_OK;
}

static enum err take_ask(const struct params *p, struct clock *clock, struct answer_ask *ask,
                         struct err_ctx *ctx) {
    uint64_t tier = 0;
    *ask = (struct answer_ask){ .scope = { .service = params_get(p, STR("service")),
                                           .environment =
                                               str_dup_lower(p->arena, params_get(p, STR("environment"))),
                                           .change_kind = params_get(p, STR("change")),
                                           .team = params_get(p, STR("team")),
                                           .product = params_get(p, STR("product")) },
                                .now = delivery_now(clock) };
    TRY(params_number(p, STR("tier"), CATALOGUE_TIER_MAX, &tier, ctx));
    if (params_get(p, STR("tier")).len && !tier)
        return err_set(ctx, ERR_INVALID, "tier: from 1, the most important, to %d", CATALOGUE_TIER_MAX);
    ask->scope.tier = (uint32_t)tier;
    TRY(take_window(p, ask, ctx));
    TRY(take_clock(p, ask, ctx));
    TRY(take_levels(p, ask, ctx));
    TRY(params_bool(p, STR("rollbacks"), &ask->with_rollbacks, ctx));
    TRY(params_bool(p, STR("redeploys"), &ask->with_redeploys, ctx));
    return params_number(p, STR("limit"), ANSWER_ROWS_MAX, &ask->limit, ctx);
}

static enum err ask_measures(struct delivery *d, const struct answer_ask *ask, const struct params *p,
                             struct json_writer *w, struct err_ctx *ctx) {
    struct str name = params_get(p, STR("set"));
    enum compat_set set = COMPAT_TAKT;
    if (name.len && !compat_set_of(name, &set))
        return err_set(ctx, ERR_INVALID, "set: there are takt, fourkeys, devlake-2021 and devlake-2023");
    return set == COMPAT_TAKT ? answer_measures(d, ask, w, ctx) : answer_compat(d, ask, set, w, ctx);
}

static enum err too_many(struct err_ctx *ctx) {
    return err_set(ctx, ERR_INVALID, "step: more than %d periods; take a longer step or a shorter window",
                   ANSWER_PERIODS_MAX);
}

static enum err add_period(struct answer_period *to, uint32_t *n, int64_t from, int64_t until,
                           struct err_ctx *ctx) {
    if (*n == ANSWER_PERIODS_MAX) return too_many(ctx);
    to[(*n)++] = (struct answer_period){ from, until };
    return ERR_OK;
}

// Periods of the calendar, from the one that holds `from` to the one that holds the end.
static enum err calendar_periods(const struct answer_ask *ask, struct answer_period *to, uint32_t *n,
                                 struct err_ctx *ctx) {
    int64_t at = period_start(&ask->zone, ask->period, ask->from);
    while (at < ask->to) {
        int64_t next = period_next(&ask->zone, ask->period, at);
        TRY(add_period(to, n, at, next, ctx));
        at = next;
    }
    return ERR_OK;
}

// Steps of equal length that end at `to`; the first may begin before `from`.
static enum err rolling_periods(const struct params *p, const struct answer_ask *ask,
                                struct answer_period *to, uint32_t *n, struct err_ctx *ctx) {
    uint64_t step = 0;
    TRY(params_duration(p, STR("step"), &step, ctx));
    if (step < 1000000000 || step % 1000000000 || step > INT64_MAX)
        return err_set(ctx, ERR_INVALID,
                       "step: expected day, week, month, quarter or a duration of whole seconds");
    uint64_t count = ((uint64_t)(ask->to - ask->from) + step - 1) / step;
    if (count > ANSWER_PERIODS_MAX) return too_many(ctx);
    for (uint64_t i = count; i-- > 0;)
        TRY(add_period(to, n, ask->to - (int64_t)(step * (i + 1)), ask->to - (int64_t)(step * i), ctx));
    return ERR_OK;
}

static enum err ask_trend(struct delivery *d, struct answer_ask *ask, const struct params *p,
                          struct json_writer *w, struct err_ctx *ctx) {
    struct answer_period *periods = ARENA_ARRAY(p->arena, ANSWER_PERIODS_MAX, struct answer_period);
    struct str step = params_get(p, STR("step")), name = params_get(p, STR("measure"));
    enum measure m;
    enum compat c = COMPAT_NONE;
    uint32_t n = 0;
    if (!periods) return ERR_NOMEM;
    if (!measure_of(name, &m) && !compat_of(name, &c))
        return err_set(ctx, ERR_INVALID, "measure: there is no \"%.*s\"", STR_ARG(str_sub(name, 0, 64)));
    ask->period = PERIOD_NONE;
    if (!step.len || period_of(step, &ask->period)) {
        if (!step.len) ask->period = PERIOD_WEEK;
        TRY(calendar_periods(ask, periods, &n, ctx));
    } else {
        TRY(rolling_periods(p, ask, periods, &n, ctx));
    }
    ask->from = periods[0].from;
    ask->to = periods[n - 1].to;
    return c == COMPAT_NONE ? answer_trend(d, ask, m, periods, n, w, ctx)
                            : answer_compat_trend(d, ask, c, periods, n, w, ctx);
}

static enum err ask_why(struct delivery *d, struct clock *clock, const struct params *p,
                        struct json_writer *w, struct err_ctx *ctx) {
    struct figure_id f;
    struct answer_why_ask ask = { .figure = &f, .now = delivery_now(clock) };
    TRY(params_number(p, STR("limit"), ANSWER_ROWS_MAX, &ask.limit, ctx));
    TRY(params_bool(p, STR("then"), &ask.then, ctx));
    TRY(figure_parse(p->arena, params_get(p, STR("figure")), &f, ctx));
    return answer_why(d, &ask, w, ctx);
}

enum err delivery_ask(struct delivery *d, struct clock *clock, enum delivery_question what,
                      const struct params *p, const struct world *world, struct json_writer *w,
                      struct err_ctx *ctx) {
    struct answer_ask ask;
    if (what == ASK_WHY) return ask_why(d, clock, p, w, ctx);
    if (what == ASK_DEPLOY) return answer_deploy(d, params_get(p, STR("rollout")), w, ctx);
    if (what == ASK_CHANGED) return answer_changed(d, params_get(p, STR("rollout")), w, ctx);
    if (what == ASK_INTAKE) return answer_intake(d, w, ctx);
    if (what == ASK_CATALOGUE) return answer_catalogue(d, w, ctx);
    if (what == ASK_SERVICES) return answer_services(d, w, ctx);
    if (what == ASK_HISTORY)
        return answer_history(d, params_get(p, STR("repository")), params_get(p, STR("after")), w, ctx);
    TRY(take_ask(p, clock, &ask, ctx));
    TRY(take_flag_age(p, d, &ask, ctx));
    TRY(take_severity(p, d, &ask, ctx));
    if (what == ASK_TREND) return ask_trend(d, &ask, p, w, ctx);
    if (what == ASK_PROFILE) return answer_profile(d, &ask, world, w, ctx);
    if (what == ASK_INCIDENTS) return answer_incidents(d, &ask, w, ctx);
    if (what == ASK_CALENDAR) return answer_calendar(d, &ask, w, ctx);
    if (what == ASK_ALERTS) return answer_alerts(d, &ask, w, ctx);
    if (what == ASK_REPORT) return answer_report(d, &ask, w, ctx);
    return what == ASK_MEASURES ? ask_measures(d, &ask, p, w, ctx) : answer_deploys(d, &ask, w, ctx);
}

static void handle_with(struct api *a, struct net_request *rq, enum delivery_question what,
                        const struct world *world) {
    struct params p = params_of(rq);
    struct err_ctx ctx = { 0 };
    struct buf body;
    buf_init(&body, SIZE_MAX);
    struct json_writer w = json_writer_on(&body);
    enum err e = delivery_ask(a->opts.delivery, a->opts.clock, what, &p, world, &w, &ctx);
    if (e == ERR_OK && body.failed) e = ERR_NOMEM;
    if (e == ERR_OK) {
        reply_buf(rq, 200, TYPE_JSON, &body);
        return;
    }
    buf_fini(&body);
    reply_error(rq, e == ERR_UNSUPPORTED ? 400 : status_of(e), "%s", ctx.text[0] ? ctx.text : err_text(e));
}

static void handle(struct api *a, struct net_request *rq, enum delivery_question what) {
    if (reply_unless_delivery(a, rq)) handle_with(a, rq, what, NULL);
}

void takt_measures_handle(struct api *a, struct net_request *rq) {
    handle(a, rq, ASK_MEASURES);
}
void takt_deploys_handle(struct api *a, struct net_request *rq) {
    handle(a, rq, ASK_DEPLOYS);
}
void takt_deploy_handle(struct api *a, struct net_request *rq) {
    handle(a, rq, ASK_DEPLOY);
}
void takt_changed_handle(struct api *a, struct net_request *rq) {
    handle(a, rq, ASK_CHANGED);
}
void takt_why_handle(struct api *a, struct net_request *rq) {
    handle(a, rq, ASK_WHY);
}
void takt_delivery_services_handle(struct api *a, struct net_request *rq) {
    handle(a, rq, ASK_SERVICES);
}
void takt_trend_handle(struct api *a, struct net_request *rq) {
    handle(a, rq, ASK_TREND);
}
void takt_profile_handle(struct api *a, struct net_request *rq) {
    struct ask_limits limits = limits_of(a, rq);
    struct world world = { 0 };
    struct ask k;
    if (!reply_unless_delivery(a, rq)) return;
    struct view *v = ingest_view(a->opts.ingest);
    ask_init(&k, v, &limits, rq->query);
    if (world_read_store(&k, a->opts.delivery, &world) == ERR_OK) {
        world_read_server(a, &world);
        handle_with(a, rq, ASK_PROFILE, &world);
    } else {
        reply_error(rq, 503, "out of memory");
    }
    ask_fini(&k);
    view_unref(v);
}
void takt_report_handle(struct api *a, struct net_request *rq) {
    handle(a, rq, ASK_REPORT);
}
void takt_incidents_handle(struct api *a, struct net_request *rq) {
    handle(a, rq, ASK_INCIDENTS);
}
void takt_alerts_handle(struct api *a, struct net_request *rq) {
    handle(a, rq, ASK_ALERTS);
}
void takt_calendar_handle(struct api *a, struct net_request *rq) {
    handle(a, rq, ASK_CALENDAR);
}
void takt_catalogue_handle(struct api *a, struct net_request *rq) {
    handle(a, rq, ASK_CATALOGUE);
}
void takt_history_handle(struct api *a, struct net_request *rq) {
    handle(a, rq, ASK_HISTORY);
}
void takt_intake_handle(struct api *a, struct net_request *rq) {
    handle(a, rq, ASK_INTAKE);
}

void takt_reprocess_handle(struct api *a, struct net_request *rq) {
    if (!reply_unless_tool(rq) || !reply_unless_delivery(a, rq)) return;
    enum err e = delivery_reprocess(a->opts.delivery, NULL, NULL);
    if (e == ERR_OK)
        reply_static(rq, 200, TYPE_TEXT, STR("all facts were made again from the events\n"));
    else
        reply_error(rq, status_of(e), "the facts could not be made again: %s", err_text(e));
}
