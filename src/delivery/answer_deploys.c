// SPDX-License-Identifier: Apache-2.0
#include "delivery/answer_parts.h"

void answer_put_rollout(struct json_writer *w, struct db_row *r) {
    put_id(w, "id", (uint64_t)db_i64(r, 0));
    static const char *const texts[] = { "service", "environment", "change", "version", "digest",
                                         "sha",     "repo",        "ref",    "kind",    "state" };
    for (int i = 0; i < 10; i++) put_text(w, texts[i], db_text(r, i + 1));
    put_u64(w, "targets", (uint64_t)db_i64(r, 11));
    put_u64(w, "done_targets", (uint64_t)db_i64(r, 12));
    put_u64(w, "attempts", (uint64_t)db_i64(r, 13));
    put_time(w, "started", db_i64(r, 14));
    put_time(w, "finished", db_i64(r, 15));
    put_time(w, "recovered", db_i64(r, 16));
    put_text(w, "failure", db_text(r, 17));
    if (!db_is_null(r, 18)) put_id(w, "before", (uint64_t)db_i64(r, 18));
    if (!db_is_null(r, 19)) put_id(w, "undoes", (uint64_t)db_i64(r, 19));
    put_text(w, "commits_state", db_text(r, 20));
    put_u64(w, "commits", (uint64_t)db_i64(r, 21));
    put_u64(w, "changes", (uint64_t)db_i64(r, 22));
    put_text(w, "trigger", db_text(r, 23));
    put_text(w, "actor", db_text(r, 24));
    put_text(w, "url", db_text(r, 25));
}

static enum err deploys_of(struct db *db, const struct answer_ask *ask, struct json_writer *w) {
    struct db_row *r;
    TRY(db_prepare(db,
                   "SELECT " ANSWER_ROLLOUT_COLUMNS " FROM rollout"
                   " WHERE coalesce(finished_at, started_at) >= ?1 AND coalesce(finished_at, started_at) < ?2"
                   " AND ((?4 = '' AND production) OR environment = ?4) AND (?5 = '' OR change_kind = ?5)"
                   " AND " SCOPE_SERVICES " ORDER BY coalesce(finished_at, started_at) DESC, id LIMIT ?6",
                   &r));
    scope_bind(r, &ask->scope);
    db_bind_i64(r, 1, ask->from);
    db_bind_i64(r, 2, ask->to);
    db_bind_text(r, 4, ask->scope.environment.len ? ask->scope.environment : STR(""));
    db_bind_text(r, 5, ask->scope.change_kind.len ? ask->scope.change_kind : STR(""));
    db_bind_i64(r, 6, (int64_t)(ask->limit && ask->limit < ANSWER_ROWS_MAX ? ask->limit : ANSWER_ROWS_MAX));
    jw_object(w);
    jw_key(w, STR("rollouts"));
    jw_array(w);
    for (bool row;;) {
        TRY(db_step(r, &row));
        if (!row) break;
        jw_object(w);
        answer_put_rollout(w, r);
        jw_object_end(w);
    }
    jw_array_end(w);
    jw_object_end(w);
    return ERR_OK;
}

enum err answer_deploys(struct delivery *d, const struct answer_ask *ask, struct json_writer *w,
                        struct err_ctx *ctx) {
    struct db *db;
    TRY(delivery_reader(d, &db));
    enum err e = failed_read(db, deploys_of(db, ask, w), ctx);
    delivery_reader_done(d, db);
    return e;
}
