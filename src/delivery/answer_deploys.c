// SPDX-License-Identifier: Apache-2.0
#include "delivery/answer_parts.h"
#include "delivery/answer_rows.h"

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

static enum err deploys_of(struct db *db, struct arena *a, const void *ctx, struct json_writer *w) {
    const struct answer_ask *ask = ctx;
    (void)a;
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
    TRY(answer_put_rows(w, "rollouts", r, answer_rollout_columns, NULL, NULL));
    jw_object_end(w);
    return ERR_OK;
}

enum err answer_deploys(struct delivery *d, const struct answer_ask *ask, struct json_writer *w,
                        struct err_ctx *ctx) {
    return answer_read(d, deploys_of, ask, w, ctx);
}
