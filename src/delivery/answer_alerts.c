// SPDX-License-Identifier: Apache-2.0
// Alerts by team over the last weeks: those that a tool sent, and the incidents that a tool opened by
// itself. An alert that is an incident by rule is one of each, and counted once as an alert.
#include "delivery/answer_parts.h"

#define WEEK "604800000000000"
static const int64_t week_ns = 604800000000000;

// ?2: the end of the last week. The team is the catalogue's, else the one that the alert names.
#define IN_SCOPE "(?3 = '' OR ifnull(environment, '') IN ('', ?3)) AND " SCOPE_SERVICES
#define SINCE " >= ?2 - 5 * " WEEK
#define IN_WEEK(from, to) \
    "sum(is_alert AND began >= ?2 - " from " * " WEEK " AND began < ?2 - " to " * " WEEK ")"
static const char select_teams[] =
    "WITH seen AS (SELECT service, team, started_at AS began, ended_at IS NULL AND ifnull(state, '') <> "
    "'resolved'"
    " AS firing, 1 AS is_alert, EXISTS (SELECT 1 FROM incident i WHERE i.key = alert.key) AS is_incident"
    " FROM alert WHERE started_at" SINCE " AND started_at < ?2 AND " IN_SCOPE
    " UNION ALL SELECT service, NULL, began_at, recovered_at IS NULL AND by_tool, by_tool, 1 FROM (SELECT *,"
    " ifnull((SELECT detected_by FROM incident i WHERE i.key = t.key), 'person') <> 'person' AS by_tool"
    " FROM incident_times t) WHERE NOT duplicate AND began_at" SINCE " AND began_at < ?2 AND " IN_SCOPE
    " AND key NOT IN (SELECT key FROM alert))"
    " SELECT coalesce(c.team, nullif(seen.team, ''), ''), " IN_WEEK("1", "0") ", " IN_WEEK(
        "2", "1") ", " IN_WEEK("3",
                               "2") ", " IN_WEEK("4",
                                                 "3") ", " IN_WEEK("5",
                                                                   "4") ", sum(firing), sum(is_incident AND "
                                                                        "began >= ?2 - " WEEK
                                                                        ") FROM seen LEFT JOIN catalogue c "
                                                                        "ON c.service = seen.service GROUP "
                                                                        "BY 1 ORDER BY 2 DESC, 1";

static enum err put_team(void *ctx, struct db_row *r) {
    struct json_writer *w = ctx;
    jw_object(w);
    put_text(w, "team", db_text(r, 0));
    jw_key(w, STR("weeks"));
    jw_array(w);
    for (int i = 0; i < ANSWER_ALERT_WEEKS; i++) jw_u64(w, (uint64_t)db_i64(r, 1 + i));
    jw_array_end(w);
    put_u64(w, "firing", (uint64_t)db_i64(r, 1 + ANSWER_ALERT_WEEKS));
    put_u64(w, "incidents", (uint64_t)db_i64(r, 2 + ANSWER_ALERT_WEEKS));
    jw_object_end(w);
    return ERR_OK;
}

static enum err alerts_of(struct db *db, struct arena *a, const void *ctx, struct json_writer *w) {
    const struct answer_ask *ask = ctx;
    (void)a;
    struct db_row *r;
    TRY(db_prepare(db, select_teams, &r));
    scope_bind(r, &ask->scope);
    db_bind_i64(r, 2, ask->to);
    db_bind_text(r, 3, ask->scope.environment.len ? ask->scope.environment : STR(""));
    jw_object(w);
    put_time(w, "from", ask->to - ANSWER_ALERT_WEEKS * week_ns);
    put_time(w, "to", ask->to);
    jw_key(w, STR("teams"));
    jw_array(w);
    TRY(db_each(r, put_team, w));
    jw_array_end(w);
    jw_object_end(w);
    return ERR_OK;
}

enum err answer_alerts(struct delivery *d, const struct answer_ask *ask, struct json_writer *w,
                       struct err_ctx *ctx) {
    return answer_read(d, alerts_of, ask, w, ctx);
}
