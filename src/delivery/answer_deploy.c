// SPDX-License-Identifier: Apache-2.0
#include "delivery/answer_deploy.h"

#include <inttypes.h>
#include <stdio.h>

#include "delivery/answer_parts.h"
#include "delivery/answer_rollback.h"
#include "delivery/answer_rows.h"
#include "delivery/canary.h"

#define DEPLOY_MEMORY_MAX (64ull << 20)

struct telling {
    struct db *db;
    struct arena *a;
    struct json_writer *w;
    // The rollout that is told about; texts in the arena.
    int64_t id, started, finished;
    struct str service, environment, change_kind, version, digest, sha, key;
};

// --- the rollout -------------------------------------------------------------------------------------------

static enum err keep_row(struct telling *t, struct db_row *r) {
    t->id = db_i64(r, 0);
    t->service = str_dup(t->a, db_text(r, 1));
    t->environment = str_dup(t->a, db_text(r, 2));
    t->change_kind = str_dup(t->a, db_text(r, 3));
    t->version = str_dup(t->a, db_text(r, 4));
    t->digest = str_dup(t->a, db_text(r, 5));
    t->sha = str_dup(t->a, db_text(r, 6));
    t->started = db_i64(r, 14);
    t->finished = db_i64(r, 15);
    t->key = str_dup(t->a, db_text(r, ANSWER_ROLLOUT_KEY));
    return t->a->failed ? ERR_NOMEM : ERR_OK;
}

static enum err put_rollout(struct telling *t, struct str name, struct err_ctx *ctx) {
    struct db_row *r;
    TRY(answer_rollout(t->db, name, &r, ctx));
    jw_key(t->w, STR("rollout"));
    jw_object(t->w);
    answer_put_columns(t->w, r, answer_rollout_columns);
    jw_object_end(t->w);
    enum err e = keep_row(t, r);
    db_reset(r);
    return e;
}

static const struct answer_column neighbour_columns[] = { { "id", CELL_ID },         { "version", CELL_TEXT },
                                                          { "sha", CELL_TEXT },      { "digest", CELL_TEXT },
                                                          { "kind", CELL_TEXT },     { "state", CELL_TEXT },
                                                          { "finished", CELL_TIME }, { NULL, CELL_TEXT } };

// The one before and the one after in the same series, whatever became of them.
static enum err put_neighbour(struct telling *t, const char *name, const char *sql) {
    struct db_row *r;
    bool row;
    TRY(db_prepare(t->db, sql, &r));
    db_bind_text(r, 1, t->service);
    db_bind_text(r, 2, t->environment);
    db_bind_text(r, 3, t->change_kind);
    db_bind_i64(r, 4, t->finished ? t->finished : INT64_MAX);
    db_bind_i64(r, 5, t->id);
    TRY(db_step(r, &row));
    if (!row) return ERR_OK;
    jw_key(t->w, str_of(name));
    jw_object(t->w);
    answer_put_columns(t->w, r, neighbour_columns);
    jw_object_end(t->w);
    db_reset(r);
    return ERR_OK;
}

#define NEIGHBOUR \
    "SELECT id, version, lower(sha), digest, kind, state, finished_at FROM rollout WHERE service = ?1"
#define IN_SERIES \
    " AND environment = ?2 AND change_kind = ?3 AND (ifnull(finished_at, 9223372036854775807), id)"

static enum err put_neighbours(struct telling *t) {
    TRY(put_neighbour(t, "previous",
                      NEIGHBOUR IN_SERIES
                      " < (?4, ?5) ORDER BY finished_at IS NULL DESC, finished_at DESC, id DESC LIMIT 1"));
    return put_neighbour(
        t, "next", NEIGHBOUR IN_SERIES " > (?4, ?5) ORDER BY finished_at IS NULL, finished_at, id LIMIT 1");
}

// --- what was done -----------------------------------------------------------------------------------------

// Attempts of the same version (or of the group that the source names) that began while it ran.
#define ATTEMPTS \
    " FROM told_deploy WHERE service = ?1 AND ifnull(environment, '') = ?2 AND ifnull(change_kind, " \
    "'service') = " \
    "?3" \
    " AND coalesce(started_at, succeeded_at, ended_at, 0) BETWEEN ?4 AND ?5" \
    " AND (key = ?6 OR rollout = (SELECT rollout FROM deploy WHERE key = ?6)" \
    " OR coalesce(digest, version, sha, key) = (SELECT coalesce(digest, version, sha, key) FROM deploy " \
    "WHERE key = ?6))"

static void bind_attempts(struct telling *t, struct db_row *r) {
    db_bind_text(r, 1, t->service);
    db_bind_text(r, 2, t->environment);
    db_bind_text(r, 3, t->change_kind);
    db_bind_i64(r, 4, t->started);
    db_bind_i64(r, 5, t->finished ? t->finished : INT64_MAX);
    db_bind_text(r, 6, t->key);
}

static enum err put_attempts(struct telling *t) {
    static const struct answer_column columns[] = {
        { "key", CELL_TEXT },     { "target", CELL_TEXT },    { "state", CELL_TEXT }, { "queued", CELL_TIME },
        { "started", CELL_TIME }, { "succeeded", CELL_TIME }, { "ended", CELL_TIME }, { "actor", CELL_TEXT },
        { "trigger", CELL_TEXT }, { "url", CELL_TEXT },       { NULL, CELL_TEXT }
    };
    struct db_row *r;
    TRY(db_prepare(
        t->db,
        "SELECT key, target, state, queued_at, started_at, succeeded_at, ended_at, actor, trigger_kind, "
        "url" ATTEMPTS " ORDER BY coalesce(started_at, succeeded_at, ended_at), key LIMIT ?7",
        &r));
    bind_attempts(t, r);
    db_bind_i64(r, 7, ANSWER_DEPLOY_ROWS_MAX);
    return answer_put_rows(t->w, "attempts", r, columns, NULL, NULL);
}

static void put_step_text(struct json_writer *w, const char *key, const struct fact_value *v) {
    if (!v->set) return;
    jw_key(w, str_of(key));
    jw_str(w, v->s);
}

static enum err put_step(void *ctx, int64_t time, const struct fact *said) {
    struct telling *t = ctx;
    const struct fact_value *weight = fact_get(said, CANARY_WEIGHT);
    jw_object(t->w);
    jw_key(t->w, STR("time"));
    jw_i64_str(t->w, time);
    put_step_text(t->w, "state", fact_get(said, CANARY_STATE));
    if (weight->set) {
        jw_key(t->w, STR("weight"));
        jw_f64(t->w, weight->f);
    }
    put_step_text(t->w, "reason", fact_get(said, CANARY_REASON));
    jw_object_end(t->w);
    return ERR_OK;
}

static enum err put_steps(void *ctx, struct str key) {
    struct telling *t = ctx;
    jw_key(t->w, STR("steps"));
    jw_array(t->w);
    TRY(fact_history(t->db, t->a, FACT_CANARY, str_dup(t->a, key), put_step, t));
    jw_array_end(t->w);
    return ERR_OK;
}

static enum err put_canaries(struct telling *t) {
    static const struct answer_column columns[] = { { "key", CELL_TEXT },     { "state", CELL_TEXT },
                                                    { "weight", CELL_REAL },  { "most_weight", CELL_REAL },
                                                    { "started", CELL_TIME }, { "ended", CELL_TIME },
                                                    { "reason", CELL_TEXT },  { NULL, CELL_TEXT } };
    struct db_row *r;
    TRY(db_prepare(t->db,
                   "SELECT c.key, c.state, c.weight, c.most_weight, c.started_at, c.ended_at, "
                   "c.reason" CANARIES_OF_ROLLOUT " ORDER BY c.started_at, c.key LIMIT 20",
                   &r));
    db_bind_i64(r, 1, t->id);
    return answer_put_rows(t->w, "canaries", r, columns, put_steps, t);
}

static enum err put_tasks(void *ctx, struct str run) {
    struct telling *t = ctx;
    static const struct answer_column columns[] = { { "name", CELL_TEXT },   { "type", CELL_TEXT },
                                                    { "state", CELL_TEXT },  { "result", CELL_TEXT },
                                                    { "queued", CELL_TIME }, { "started", CELL_TIME },
                                                    { "ended", CELL_TIME },  { "url", CELL_TEXT },
                                                    { NULL, CELL_TEXT } };
    struct db_row *r;
    TRY(db_prepare(
        t->db,
        "SELECT name, type, state, result, queued_at, started_at, ended_at, url FROM task WHERE run = ?1"
        " ORDER BY coalesce(started_at, queued_at, ended_at), key LIMIT ?2",
        &r));
    db_bind_text(r, 1, str_dup(t->a, run));
    db_bind_i64(r, 2, ANSWER_DEPLOY_ROWS_MAX);
    return answer_put_rows(t->w, "tasks", r, columns, NULL, NULL);
}

static enum err put_runs(struct telling *t) {
    static const struct answer_column columns[] = {
        { "key", CELL_TEXT },    { "name", CELL_TEXT },    { "state", CELL_TEXT }, { "result", CELL_TEXT },
        { "queued", CELL_TIME }, { "started", CELL_TIME }, { "ended", CELL_TIME }, { "actor", CELL_TEXT },
        { "trace", CELL_TEXT },  { "url", CELL_TEXT },     { NULL, CELL_TEXT }
    };
    struct db_row *r;
    TRY(db_prepare(
        t->db,
        "SELECT key, name, state, result, queued_at, started_at, ended_at, actor, trace, url FROM \"run\""
        " WHERE key IN (SELECT \"run\"" ATTEMPTS ") ORDER BY coalesce(started_at, queued_at), key LIMIT 20",
        &r));
    bind_attempts(t, r);
    return answer_put_rows(t->w, "runs", r, columns, put_tasks, t);
}

// --- what it brought ---------------------------------------------------------------------------------------

static enum err put_commits(struct telling *t) {
    static const struct answer_column columns[] = { { "sha", CELL_TEXT },       { "author", CELL_TEXT },
                                                    { "subject", CELL_TEXT },   { "authored", CELL_TIME },
                                                    { "committed", CELL_TIME }, { "bot", CELL_TRUE },
                                                    { "twin", CELL_TRUE },      { "revert", CELL_TRUE },
                                                    { NULL, CELL_TEXT } };
    struct db_row *r;
    TRY(db_prepare(
        t->db,
        "SELECT lower(hex(sha)), author, subject, authored_at, committed_at, flags & ?2, flags & ?3, "
        "flags & ?4 FROM rollout_commit WHERE rollout = ?1 ORDER BY committed_at DESC, sha LIMIT ?5",
        &r));
    db_bind_i64(r, 1, t->id);
    db_bind_i64(r, 2, COMMIT_BOT);
    db_bind_i64(r, 3, COMMIT_TWIN);
    db_bind_i64(r, 4, COMMIT_REVERT);
    db_bind_i64(r, 5, ANSWER_DEPLOY_ROWS_MAX);
    return answer_put_rows(t->w, "commits", r, columns, NULL, NULL);
}

// Change requests whose merge or head is one of the commits, or that a commit's message names.
static enum err put_changes(struct telling *t) {
    static const struct answer_column columns[] = { { "key", CELL_TEXT },    { "number", CELL_NUMBER },
                                                    { "title", CELL_TEXT },  { "author", CELL_TEXT },
                                                    { "opened", CELL_TIME }, { "merged", CELL_TIME },
                                                    { "url", CELL_TEXT },    { NULL, CELL_TEXT } };
    struct db_row *r;
    TRY(db_prepare(
        t->db,
        "SELECT key, number, title, author, opened_at, merged_at, url FROM change WHERE"
        " upper(merge_sha) IN (SELECT hex(sha) FROM rollout_commit WHERE rollout = ?1)"
        " OR upper(head_sha) IN (SELECT hex(sha) FROM rollout_commit WHERE rollout = ?1)"
        " OR (repo, number) IN (SELECT p.name, g.change_number FROM rollout_commit c JOIN git_commit g ON "
        "g.sha ="
        " c.sha JOIN git_repo p ON p.id = g.repo WHERE c.rollout = ?1 UNION SELECT replace(p.name, "
        "'https://', ''), "
        "g.change_number FROM rollout_commit c JOIN git_commit g ON g.sha = c.sha JOIN git_repo p ON p.id = "
        "g.repo WHERE c.rollout = ?1 UNION SELECT g.repo, g.change_number FROM rollout_commit c JOIN "
        "pushed_commit g ON g.sha = lower(hex(c.sha)) WHERE c.rollout = ?1) ORDER BY merged_at DESC, key "
        "LIMIT ?2",
        &r));
    db_bind_i64(r, 1, t->id);
    db_bind_i64(r, 2, ANSWER_DEPLOY_ROWS_MAX);
    return answer_put_rows(t->w, "change_requests", r, columns, NULL, NULL);
}

// --- what came of it ---------------------------------------------------------------------------------------

static enum err put_rank_of(void *ctx, struct str rule) {
    struct telling *t = ctx;
    put_rank(t->w, rule);
    return ERR_OK;
}

static enum err put_links(struct telling *t) {
    static const struct answer_column columns[] = { { "rule", CELL_TEXT },       { "incident", CELL_TEXT },
                                                    { "decides", CELL_TRUE },    { "confirmed", CELL_TRUE },
                                                    { "says", CELL_TEXT },       { "title", CELL_TEXT },
                                                    { "severity", CELL_NUMBER }, { "state", CELL_TEXT },
                                                    { "began", CELL_TIME },      { "detected", CELL_TIME },
                                                    { "recovered", CELL_TIME },  { "url", CELL_TEXT },
                                                    { "neighbour", CELL_TRUE },  { NULL, CELL_TEXT } };
    struct db_row *r;
    TRY(db_prepare(
        t->db,
        "SELECT l.rule, l.incident, l.decides, l.confirmed, l.evidence, i.title, i.severity, i.state,"
        " v.began_at, v.detected_at, v.recovered_at, i.url, l.neighbour FROM link l LEFT JOIN incident i ON "
        "i.key = l.incident LEFT JOIN incident_times v ON v.key = l.incident WHERE l.rollout = ?1 ORDER BY 3 "
        "DESC, 2, 1, 5 LIMIT ?2",
        &r));
    db_bind_i64(r, 1, t->id);
    db_bind_i64(r, 2, ANSWER_DEPLOY_ROWS_MAX);
    return answer_put_rows(t->w, "links", r, columns, put_rank_of, t);
}

// What people said of this rollout; a link that was denied is nowhere else.
static enum err put_verdicts(struct telling *t) {
    static const struct answer_column columns[] = { { "incident", CELL_TEXT }, { "says", CELL_TEXT },
                                                    { "by", CELL_TEXT },       { "why", CELL_TEXT },
                                                    { "at", CELL_TIME },       { "title", CELL_TEXT },
                                                    { NULL, CELL_TEXT } };
    struct db_row *r;
    char id[17];
    (void)snprintf(id, sizeof id, "%016" PRIx64, (uint64_t)t->id);
    TRY(db_prepare(
        t->db,
        "SELECT v.incident, v.says, v.said_by, v.why, v.said_at, i.title FROM verdict v JOIN incident i ON"
        " i.key = v.incident WHERE (v.rollout IN (?2, ?3) OR (i.service = ?1 AND v.rollout IN (?4, ?5, ?6))) "
        "AND "
        "v.rollout <> ''"
        " ORDER BY v.said_at DESC, v.key LIMIT ?7",
        &r));
    db_bind_text(r, 1, t->service);
    db_bind_text(r, 2, str_of(id));
    db_bind_text(r, 3, t->key);
    db_bind_text(r, 4, t->version);
    db_bind_text(r, 5, t->digest);
    db_bind_text(r, 6, t->sha);
    db_bind_i64(r, 7, ANSWER_DEPLOY_ROWS_MAX);
    return answer_put_rows(t->w, "verdicts", r, columns, NULL, NULL);
}

static enum err put_rollback(struct telling *t) {
    return answer_put_rollback(t->db, t->a, t->id, t->w);
}

// --- all of it ---------------------------------------------------------------------------------------------

static enum err tell(struct db *db, struct arena *a, const void *ask, struct json_writer *w) {
    static enum err (*const parts[])(struct telling *) = { put_neighbours, put_attempts, put_canaries,
                                                           put_runs,       put_commits,  put_changes,
                                                           put_links,      put_verdicts, put_rollback };
    const struct rollout_ask *of = ask;
    struct telling t = { .db = db, .a = a, .w = w };
    jw_object(w);
    TRY(put_rollout(&t, of->name, of->ctx));
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) TRY(parts[i](&t));
    jw_object_end(w);
    return a->failed ? ERR_NOMEM : ERR_OK;
}

enum err answer_deploy(struct delivery *d, struct str name, struct json_writer *w, struct err_ctx *ctx) {
    return answer_of_rollout(d, DEPLOY_MEMORY_MAX, tell, name, w, ctx);
}
