// SPDX-License-Identifier: Apache-2.0
// Rows of SQL as a list of objects in JSON. Inside the answers only.
#pragma once

#include "base/json.h"
#include "facts/db.h"

enum answer_cell { CELL_TEXT, CELL_NUMBER, CELL_REAL, CELL_TIME, CELL_TRUE, CELL_ID };
struct answer_column { // by its place; the last one has no key
    const char *key;
    enum answer_cell cell;
};
// The columns of the row at hand, as members of an open object. What is not known is left out, and so is
// what is not true.
void answer_put_columns(struct json_writer *w, struct db_row *r, const struct answer_column *c);
// The rows of a bound statement as an array. more: adds members to a row's object by its first column; may
// be NULL.
NODISCARD enum err answer_put_rows(struct json_writer *w, const char *name, struct db_row *r,
                                   const struct answer_column *c,
                                   enum err (*more)(void *ctx, struct str first), void *ctx);

// The columns of a rollout in SQL, and as members of its object; answer_deploys.c.
#define ANSWER_ROLLOUT_COLUMNS \
    "id, service, environment, change_kind, version, digest, lower(sha), repo, ref, kind, state, targets," \
    " done_targets, attempts, started_at, finished_at, recovered_at, failure, before, undoes, " \
    "reverts, commits_state," \
    " commits, changes, trigger_kind, actor, url"
extern const struct answer_column answer_rollout_columns[];
// A rollout by its id, or by the key of its first attempt: these columns of it, then that key. ERR_NOT_FOUND,
// with text. The caller resets *out.
enum { ANSWER_ROLLOUT_KEY = 27 };
NODISCARD enum err answer_rollout(struct db *db, struct str name, struct db_row **out, struct err_ctx *ctx);
