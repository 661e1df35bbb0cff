// SPDX-License-Identifier: Apache-2.0
#include "delivery/alerts.h"

#define WEEK "604800000000000"

// ?2: the end of the last week. The team is the catalogue's, else the one that the alert names.
#define IN_SCOPE "(?3 = '' OR ifnull(environment, '') IN ('', ?3)) AND " SCOPE_SERVICES
#define SINCE " >= ?2 - 5 * " WEEK
#define IN_WEEK(from, to) \
    "sum(is_alert AND began >= ?2 - " from " * " WEEK " AND began < ?2 - " to " * " WEEK ")"
#define WEEKS \
    IN_WEEK("1", "0") \
    ", " IN_WEEK("2", "1") ", " IN_WEEK("3", "2") ", " IN_WEEK("4", "3") ", " IN_WEEK("5", "4")
static const char select_teams[] =
    "WITH seen AS (SELECT service, team, started_at AS began, ended_at IS NULL AND ifnull(state, '') <> "
    "'resolved'"
    " AS firing, 1 AS is_alert, EXISTS (SELECT 1 FROM incident i WHERE i.key = alert.key) AS is_incident"
    " FROM alert WHERE started_at" SINCE " AND started_at < ?2 AND " IN_SCOPE
    " UNION ALL SELECT service, NULL, began_at, recovered_at IS NULL AND by_tool, by_tool, 1 FROM (SELECT *,"
    " ifnull((SELECT detected_by FROM incident i WHERE i.key = t.key), 'person') <> 'person' AS by_tool"
    " FROM incident_times t) WHERE NOT duplicate AND began_at" SINCE " AND began_at < ?2 AND " IN_SCOPE
    " AND key NOT IN (SELECT key FROM alert))"
    " SELECT coalesce(c.team, nullif(seen.team, ''), ''), " WEEKS ", sum(firing), sum(is_incident AND began "
    ">= ?2 - " WEEK ") FROM seen LEFT JOIN catalogue c ON c.service = seen.service GROUP BY 1 ORDER BY 2 "
    "DESC, 1";

struct reading {
    enum err (*each)(void *ctx, const struct alert_team *t);
    void *ctx;
};
static enum err read_team(void *ctx, struct db_row *r) {
    const struct reading *rd = ctx;
    struct alert_team t = { .team = db_text(r, 0),
                            .firing = (uint64_t)db_i64(r, 1 + ALERT_WEEKS),
                            .incidents = (uint64_t)db_i64(r, 2 + ALERT_WEEKS) };
    for (int i = 0; i < ALERT_WEEKS; i++) t.weeks[i] = (uint64_t)db_i64(r, 1 + i);
    return rd->each(rd->ctx, &t);
}

enum err alerts_each(struct db *db, const struct scope *s, int64_t to,
                     enum err (*each)(void *ctx, const struct alert_team *t), void *ctx) {
    struct reading rd = { each, ctx };
    struct db_row *r;
    TRY(db_prepare(db, select_teams, &r));
    scope_bind(r, s);
    db_bind_i64(r, 2, to);
    db_bind_text(r, 3, s->environment.len ? s->environment : STR(""));
    return db_each(r, read_team, &rd);
}
