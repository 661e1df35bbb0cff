// SPDX-License-Identifier: Apache-2.0
#include "delivery/answer_parts.h"
#include "delivery/answer_rows.h"
#include "delivery/canary.h"
#include "delivery/series.h"

#include <time.h>

const struct answer_column answer_rollout_columns[] = { { "id", CELL_ID },
                                                        { "service", CELL_TEXT },
                                                        { "environment", CELL_TEXT },
                                                        { "change", CELL_TEXT },
                                                        { "version", CELL_TEXT },
                                                        { "digest", CELL_TEXT },
                                                        { "sha", CELL_TEXT },
                                                        { "repo", CELL_TEXT },
                                                        { "ref", CELL_TEXT },
                                                        { "kind", CELL_TEXT },
                                                        { "state", CELL_TEXT },
                                                        { "targets", CELL_NUMBER },
                                                        { "done_targets", CELL_NUMBER },
                                                        { "attempts", CELL_NUMBER },
                                                        { "started", CELL_TIME },
                                                        { "finished", CELL_TIME },
                                                        { "recovered", CELL_TIME },
                                                        { "failure", CELL_TEXT },
                                                        { "before", CELL_ID },
                                                        { "undoes", CELL_ID },
                                                        { "reverts", CELL_ID },
                                                        { "commits_state", CELL_TEXT },
                                                        { "commits", CELL_NUMBER },
                                                        { "changes", CELL_NUMBER },
                                                        { "trigger", CELL_TEXT },
                                                        { "actor", CELL_TEXT },
                                                        { "url", CELL_TEXT },
                                                        { NULL, CELL_TEXT } };

#define LISTED \
    " FROM rollout WHERE coalesce(finished_at, started_at) >= ?1 AND coalesce(finished_at, started_at) < ?2" \
    " AND ((?4 = '' AND production) OR environment = ?4) AND (?5 = '' OR change_kind = ?5)" \
    " AND " SCOPE_SERVICES

struct listing {
    struct db *db;
    struct json_writer *w;
};

static void bind_listed(struct db_row *r, const struct answer_ask *ask) {
    scope_bind(r, &ask->scope);
    db_bind_i64(r, 1, ask->from);
    db_bind_i64(r, 2, ask->to);
    db_bind_text(r, 4, ask->scope.environment.len ? ask->scope.environment : STR(""));
    db_bind_text(r, 5, ask->scope.change_kind.len ? ask->scope.change_kind : STR(""));
}

// Which commits of a counted rollout have a lead time: those that the measure counts, by the author's clock.
#define LEADS \
    " FROM rollout JOIN rollout_commit ON rollout = id WHERE id = ?1 AND state = 'success'" \
    " AND kind IN ('normal', 'hotfix') AND commits_state IN ('known', 'cut')" \
    " AND flags & ?2 = 0 AND finished_at >= authored_at"

static enum err leads_of(struct listing *l, const char *sql, int64_t id, int64_t skip, int64_t *out,
                         bool *found) {
    struct db_row *r;
    TRY(db_prepare(l->db, sql, &r));
    db_bind_i64(r, 1, id);
    db_bind_i64(r, 2, COMMIT_TWIN | COMMIT_BOT | COMMIT_BAD_AUTHORED);
    db_bind_i64(r, 3, skip);
    TRY(db_step(r, found));
    if (!*found) return ERR_OK;
    *out = db_i64(r, 0);
    db_reset(r);
    return ERR_OK;
}

// The middle one of its commits' lead times; of an even number the shorter of the two.
static enum err put_lead(struct listing *l, int64_t id) {
    int64_t n = 0, lead = 0;
    bool found;
    TRY(leads_of(l, "SELECT count(*)" LEADS " AND ?3 = 0", id, 0, &n, &found));
    if (!n) return ERR_OK;
    TRY(leads_of(l, "SELECT finished_at - authored_at" LEADS " ORDER BY 1 LIMIT 1 OFFSET ?3", id, (n - 1) / 2,
                 &lead, &found));
    if (found) put_time(l->w, "lead_ns", lead);
    return ERR_OK;
}

// The state of its last canary.
static enum err put_canary(struct listing *l, int64_t id) {
    struct db_row *r;
    bool found;
    TRY(db_prepare(
        l->db, "SELECT c.state" CANARIES_OF_ROLLOUT " ORDER BY c.started_at DESC, c.key DESC LIMIT 1", &r));
    db_bind_i64(r, 1, id);
    TRY(db_step(r, &found));
    if (!found) return ERR_OK;
    put_text(l->w, "canary", db_text(r, 0));
    db_reset(r);
    return ERR_OK;
}

static enum err put_more(void *ctx, struct str first) {
    int64_t id;
    if (!str_i64(first, &id)) return ERR_CORRUPT;
    TRY(put_lead(ctx, id));
    return put_canary(ctx, id);
}

static enum err put_all(struct db *db, const struct answer_ask *ask, struct json_writer *w) {
    struct db_row *r;
    bool row;
    TRY(db_prepare(db, "SELECT count(*)" LISTED, &r));
    bind_listed(r, ask);
    TRY(db_step(r, &row));
    jw_key(w, STR("all"));
    jw_u64(w, row ? (uint64_t)db_i64(r, 0) : 0);
    if (row) db_reset(r);
    return ERR_OK;
}

static enum err deploys_of(struct db *db, struct arena *a, const void *ctx, struct json_writer *w) {
    const struct answer_ask *ask = ctx;
    struct listing l = { db, w };
    (void)a;
    struct db_row *r;
    TRY(db_prepare(db,
                   "SELECT " ANSWER_ROLLOUT_COLUMNS LISTED
                   " ORDER BY coalesce(finished_at, started_at) DESC, id LIMIT ?6",
                   &r));
    bind_listed(r, ask);
    db_bind_i64(r, 6, (int64_t)(ask->limit && ask->limit < ANSWER_ROWS_MAX ? ask->limit : ANSWER_ROWS_MAX));
    jw_object(w);
    TRY(answer_put_rows(w, "rollouts", r, answer_rollout_columns, put_more, &l));
    TRY(put_all(db, ask, w));
    jw_object_end(w);
    return ERR_OK;
}

enum err answer_deploys(struct delivery *d, const struct answer_ask *ask, struct json_writer *w,
                        struct err_ctx *ctx) {
    return answer_read(d, deploys_of, ask, w, ctx);
}

// --- by day and hour ---------------------------------------------------------------------------------------

struct hour {       // that ended at least one rollout
    int64_t number; // since 1970, on the clock of the zone
    uint64_t rollouts, failed;
};

static void put_hour(struct json_writer *w, const struct hour *h) {
    time_t day = (time_t)(h->number / 24 * 86400);
    struct tm tm;
    char text[32];
    if (!h->rollouts) return;
    (void)gmtime_r(&day, &tm);
    (void)strftime(text, sizeof text, "%Y-%m-%d", &tm);
    jw_object(w);
    put_text(w, "day", str_of(text));
    jw_key(w, STR("hour"));
    jw_i64(w, h->number % 24);
    put_u64(w, "rollouts", h->rollouts);
    put_u64(w, "failed", h->failed);
    jw_object_end(w);
}

static enum err calendar_of(struct db *db, struct arena *a, const void *ctx, struct json_writer *w) {
    const struct answer_ask *ask = ctx;
    struct figure_id whole = answer_figure(ask, MEASURE_DEPLOYMENT_FREQUENCY, 0);
    struct hour h = { 0 };
    struct db_row *r;
    (void)a;
    TRY(db_prepare(db,
                   "SELECT coalesce(finished_at, started_at) / 1000000000, failure IS NOT NULL OR state = "
                   "'failed'" LISTED " ORDER BY 1",
                   &r));
    bind_listed(r, ask);
    jw_object(w);
    put_window(w, &whole, ask->now);
    jw_key(w, STR("hours"));
    jw_array(w);
    for (bool row;;) {
        TRY(db_step(r, &row));
        if (!row) break;
        int64_t seconds = db_i64(r, 0), number = (seconds + zone_offset(&ask->zone, seconds)) / 3600;
        if (number != h.number) {
            put_hour(w, &h);
            h = (struct hour){ .number = number };
        }
        h.rollouts++;
        h.failed += db_i64(r, 1) != 0;
    }
    put_hour(w, &h);
    jw_array_end(w);
    jw_object_end(w);
    return ERR_OK;
}

enum err answer_calendar(struct delivery *d, const struct answer_ask *ask, struct json_writer *w,
                         struct err_ctx *ctx) {
    return answer_read(d, calendar_of, ask, w, ctx);
}
