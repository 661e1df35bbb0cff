// SPDX-License-Identifier: Apache-2.0
// Incidents of a scope and window, those that are open first, each with what is held to be its cause.
#include "delivery/answer_parts.h"
#include "delivery/environment.h"

enum incident_column {
    KEY,
    SERVICE,
    ENVIRONMENT,
    BEGAN,
    DETECTED,
    ACKNOWLEDGED,
    RECOVERED,
    PAUSED,
    TIER,
    TITLE,
    SEVERITY,
    STATE,
    DETECTED_BY,
    URL,
    DUPLICATE,
    IMPACT,
    IMPACT_BY,
    IMPACT_SAYS,
    TEAMS
};

struct incidents {
    struct db *db;
    const struct answer_ask *ask;
    struct json_writer *w;
    uint64_t limit, all, open, duplicates;
};

#define TIER_OF_T SCOPE_TIER("t")
// What began before the end of the window and was not over before its start.
static const char select_incidents[] =
    "SELECT t.key, ifnull(t.service, ''), t.environment, t.began_at, t.detected_at, t.acknowledged_at,"
    " t.recovered_at, t.paused_ns, " TIER_OF_T ", i.title, i.severity, i.state,"
    " i.detected_by, i.url, t.duplicate, p.impact_at, p.impact_by, p.impact_says, i.team FROM (SELECT * FROM "
    "incident_times WHERE began_at < ?2 AND"
    " (recovered_at IS NULL OR recovered_at >= ?1) AND (?3 = '' OR environment IN ('', ?3)) "
    "AND " SCOPE_SERVICES ") t JOIN incident i ON i.key = t.key JOIN incident_impact p ON p.incident = t.key "
    "ORDER BY t.recovered_at IS NOT NULL,"
    " CASE WHEN t.recovered_at IS NULL THEN ifnull(i.severity, 99) END, t.began_at DESC, t.key";

// The rollout that the best rule names; of several the last.
static const char select_cause[] =
    "SELECT l.rollout, l.rule, l.decides, l.confirmed, l.evidence, r.service, r.version, lower(r.sha), "
    "r.digest,"
    " r.finished_at, (SELECT count(DISTINCT rollout) FROM link WHERE incident = ?1), l.neighbour FROM link l "
    "JOIN rollout r"
    " ON r.id = l.rollout WHERE l.incident = ?1"
    " ORDER BY l.decides DESC, l.confirmed DESC, r.finished_at DESC, l.rollout LIMIT 1";
static const char select_flag[] =
    "SELECT (SELECT f.flag FROM flag_change f WHERE f.key = flag_link.flag), evidence FROM flag_link WHERE "
    "service = ?2 AND incident = ?1 AND decides ORDER BY flag LIMIT 1";

static enum err put_cause(struct incidents *s, struct str key) {
    struct db_row *r;
    bool row;
    TRY(db_prepare(s->db, select_cause, &r));
    db_bind_text(r, 1, key);
    TRY(db_step(r, &row));
    if (!row) return ERR_OK;
    jw_key(s->w, STR("cause"));
    jw_object(s->w);
    put_id(s->w, "rollout", (uint64_t)db_i64(r, 0));
    put_text(s->w, "rule", db_text(r, 1));
    put_rank(s->w, db_text(r, 1));
    put_bool(s->w, "decides", db_i64(r, 2) != 0);
    put_bool(s->w, "confirmed", db_i64(r, 3) != 0);
    put_bool(s->w, "neighbour", db_i64(r, 11) != 0);
    put_text(s->w, "says", db_text(r, 4));
    put_text(s->w, "service", db_text(r, 5));
    put_text(s->w, "version", db_text(r, 6));
    put_text(s->w, "sha", db_text(r, 7));
    put_text(s->w, "digest", db_text(r, 8));
    put_time(s->w, "finished", db_i64(r, 9));
    put_u64(s->w, "candidates", (uint64_t)db_i64(r, 10));
    jw_object_end(s->w);
    db_reset(r);
    return ERR_OK;
}

static enum err put_flag(struct incidents *s, struct str key, struct str service) {
    struct db_row *r;
    bool row;
    TRY(db_prepare(s->db, select_flag, &r));
    db_bind_text(r, 1, key);
    db_bind_text(r, 2, service);
    TRY(db_step(r, &row));
    if (!row) return ERR_OK;
    jw_key(s->w, STR("flag"));
    jw_object(s->w);
    put_text(s->w, "name", db_text(r, 0));
    put_text(s->w, "says", db_text(r, 1));
    jw_object_end(s->w);
    db_reset(r);
    return ERR_OK;
}

static enum err put_incident(struct incidents *s, struct db_row *r) {
    struct json_writer *w = s->w;
    jw_object(w);
    put_text(w, "key", db_text(r, KEY));
    put_text(w, "title", db_text(r, TITLE));
    put_text(w, "service", db_text(r, SERVICE));
    put_text(w, "environment", db_text(r, ENVIRONMENT));
    if (!db_is_null(r, SEVERITY)) put_u64(w, "severity", (uint64_t)db_i64(r, SEVERITY));
    put_text(w, "state", db_text(r, STATE));
    put_time(w, "began", db_i64(r, BEGAN));
    put_time(w, "impact", db_i64(r, IMPACT));
    put_text(w, "impact_by", db_text(r, IMPACT_BY));
    put_text(w, "impact_says", db_text(r, IMPACT_SAYS));
    put_time(w, "detected", db_i64(r, DETECTED));
    put_time(w, "acknowledged", db_i64(r, ACKNOWLEDGED));
    put_time(w, "recovered", db_i64(r, RECOVERED));
    put_time(w, "paused", db_i64(r, PAUSED));
    put_text(w, "detected_by", db_text(r, DETECTED_BY));
    put_text(w, "url", db_text(r, URL));
    put_lines(w, "teams", db_text(r, TEAMS));
    TRY(put_cause(s, db_text(r, KEY)));
    TRY(put_flag(s, db_text(r, KEY), db_text(r, SERVICE)));
    jw_object_end(w);
    return ERR_OK;
}

// An incident whose environment nobody told is one of production.
static bool is_asked_for(const struct incidents *s, struct db_row *r) {
    struct str environment = db_text(r, ENVIRONMENT);
    return s->ask->scope.environment.len || !environment.len ||
           environment_is_production(db_text(r, TIER), environment);
}

static enum err each_incident(void *ctx, struct db_row *r) {
    struct incidents *s = ctx;
    if (!is_asked_for(s, r)) return ERR_OK;
    if (db_i64(r, DUPLICATE)) {
        s->duplicates++;
        return ERR_OK;
    }
    if (db_is_null(r, RECOVERED)) s->open++;
    return s->all++ < s->limit ? put_incident(s, r) : ERR_OK;
}

static enum err incidents_of(struct incidents *s) {
    struct db_row *r;
    const struct answer_ask *ask = s->ask;
    TRY(db_prepare(s->db, select_incidents, &r));
    scope_bind(r, &ask->scope);
    db_bind_i64(r, 1, ask->from);
    db_bind_i64(r, 2, ask->to);
    db_bind_text(r, 3, ask->scope.environment.len ? ask->scope.environment : STR(""));
    jw_object(s->w);
    put_time(s->w, "from", ask->from);
    put_time(s->w, "to", ask->to);
    jw_key(s->w, STR("incidents"));
    jw_array(s->w);
    TRY(db_each(r, each_incident, s));
    jw_array_end(s->w);
    put_u64(s->w, "all", s->all);
    put_u64(s->w, "open", s->open);
    put_u64(s->w, "duplicates", s->duplicates);
    jw_object_end(s->w);
    return ERR_OK;
}

enum err answer_incidents(struct delivery *d, const struct answer_ask *ask, struct json_writer *w,
                          struct err_ctx *ctx) {
    struct incidents s = {
        .ask = ask,
        .w = w,
        .limit = ask->limit && ask->limit < ANSWER_ROWS_MAX ? ask->limit : ANSWER_ROWS_MAX,
    };
    TRY(delivery_reader(d, &s.db));
    enum err e = failed_read(s.db, incidents_of(&s), ctx);
    delivery_reader_done(d, s.db);
    return e;
}
