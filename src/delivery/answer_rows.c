// SPDX-License-Identifier: Apache-2.0
#include "delivery/answer_rows.h"

#include <inttypes.h>
#include <stdio.h>

// From its 16 hex digits.
static bool id_of(struct str name, int64_t *out) {
    uint64_t id = 0;
    if (name.len != 16) return false;
    for (size_t i = 0; i < name.len; i++) {
        const char *digit = strchr("0123456789abcdef", name.ptr[i] | 0x20);
        if (!name.ptr[i] || !digit || !*digit) return false;
        id = id << 4 | (uint64_t)(digit - "0123456789abcdef");
    }
    *out = (int64_t)id;
    return true;
}

enum err answer_rollout(struct db *db, struct str name, struct db_row **out, struct err_ctx *ctx) {
    bool row;
    int64_t id = 0;
    bool by_id = id_of(name, &id);
    TRY(db_prepare(db,
                   "SELECT " ANSWER_ROLLOUT_COLUMNS ", deploy FROM rollout"
                   " WHERE CASE WHEN ?1 THEN id = ?2 ELSE deploy = ?3 END LIMIT 1",
                   out));
    db_bind_i64(*out, 1, by_id);
    db_bind_i64(*out, 2, id);
    db_bind_text(*out, 3, name);
    TRY(db_step(*out, &row));
    return row ? ERR_OK : err_set(ctx, ERR_NOT_FOUND, "rollout: none is known by this name");
}

static void put_cell(struct json_writer *w, struct db_row *r, int at, enum answer_cell cell) {
    char id[17];
    switch (cell) {
    case CELL_TEXT: jw_str(w, db_text(r, at)); return;
    case CELL_NUMBER: jw_i64(w, db_i64(r, at)); return;
    case CELL_REAL: jw_f64(w, db_f64(r, at)); return;
    case CELL_TIME: jw_i64_str(w, db_i64(r, at)); return;
    case CELL_TRUE: jw_bool(w, true); return;
    case CELL_ID:
        (void)snprintf(id, sizeof id, "%016" PRIx64, (uint64_t)db_i64(r, at));
        jw_str(w, str_of(id));
    }
}

static bool says(struct db_row *r, int at, enum answer_cell cell) {
    if (db_is_null(r, at)) return false;
    if (cell == CELL_TEXT) return db_text(r, at).len > 0;
    return (cell != CELL_TIME && cell != CELL_TRUE) || db_i64(r, at) != 0;
}

void answer_put_columns(struct json_writer *w, struct db_row *r, const struct answer_column *c) {
    for (int i = 0; c[i].key; i++) {
        if (!says(r, i, c[i].cell)) continue;
        jw_key(w, str_of(c[i].key));
        put_cell(w, r, i, c[i].cell);
    }
}

enum err answer_put_rows(struct json_writer *w, const char *name, struct db_row *r,
                         const struct answer_column *c, enum err (*more)(void *ctx, struct str first),
                         void *ctx) {
    jw_key(w, str_of(name));
    jw_array(w);
    for (bool row;;) {
        TRY(db_step(r, &row));
        if (!row) break;
        jw_object(w);
        answer_put_columns(w, r, c);
        enum err e = more ? more(ctx, db_text(r, 0)) : ERR_OK;
        if (e != ERR_OK) {
            db_reset(r);
            return e;
        }
        jw_object_end(w);
    }
    jw_array_end(w);
    return ERR_OK;
}
