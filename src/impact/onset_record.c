// SPDX-License-Identifier: Apache-2.0
#include "impact/onset_record.h"

#include "base/json.h"
#include "impact/record.h"

#define BODY_MAX (64ull << 10)

enum err onset_list_due(struct db *db, struct arena *a, int64_t now, int64_t after, struct onset_ask **out,
                        uint32_t *out_n) {
    struct db_row *r;
    *out_n = 0;
    *out = ARENA_ARRAY(a, ONSET_DUE_MAX, struct onset_ask);
    if (!*out) return ERR_NOMEM;
    TRY(db_prepare(db,
                   "SELECT i.key, i.service, ifnull(nullif(i.environment, ''), 'production'), i.detected_at "
                   "FROM incident "
                   "i LEFT JOIN onset o ON o.key = i.key WHERE i.service <> '' AND i.started_at IS NULL AND "
                   "i.duplicate_of IS NULL AND i.detected_at > ?1 AND i.detected_at <= ?2 AND NOT "
                   "(ifnull(o.final, 0) AND "
                   "o.detected_at = i.detected_at) ORDER BY i.detected_at DESC, i.key LIMIT ?3",
                   &r));
    db_bind_i64(r, 1, now - 3 * IMPACT_DAY_NS);
    db_bind_i64(r, 2, now - after);
    db_bind_i64(r, 3, ONSET_DUE_MAX);
    for (bool row;;) {
        TRY(db_step(r, &row));
        if (!row) break;
        (*out)[(*out_n)++] = (struct onset_ask){ .incident = str_dup(a, db_text(r, 0)),
                                                 .of = { .service = str_dup(a, db_text(r, 1)),
                                                         .environment = str_dup(a, db_text(r, 2)) },
                                                 .detected = db_i64(r, 3),
                                                 .now = now };
    }
    for (uint32_t i = 0; i < *out_n; i++) TRY(impact_read_names(db, a, &(*out)[i].of));
    return a->failed ? ERR_NOMEM : ERR_OK;
}

// --- recording ---------------------------------------------------------------------------------------------

static enum err read_state(struct db *db, struct str incident, struct str state, bool *out_same) {
    struct db_row *r;
    bool row;
    TRY(db_prepare(db, "SELECT state FROM onset WHERE key = ?", &r));
    db_bind_text(r, 1, incident);
    TRY(db_step(r, &row));
    *out_same = row && str_eq(db_text(r, 0), state);
    if (row) db_reset(r);
    return ERR_OK;
}

static enum err same_as_before(struct delivery *d, const struct onset_ask *ask, const struct onset *found,
                               bool *out) {
    struct db *db;
    TRY(delivery_reader(d, &db));
    enum err e = read_state(db, ask->incident, found->state, out);
    delivery_reader_done(d, db);
    return e;
}

static void put_text(struct json_writer *w, const char *key, struct str v) {
    jw_key(w, str_of(key));
    jw_str(w, v);
}
static void put_time(struct json_writer *w, const char *key, int64_t ns) {
    jw_key(w, str_of(key));
    jw_i64_str(w, ns);
}

static void put_onset(struct json_writer *w, const struct onset_ask *ask, const struct onset *found) {
    jw_object(w);
    put_text(w, "incident", ask->incident);
    put_text(w, "service", ask->of.service);
    put_text(w, "environment", ask->of.environment);
    put_time(w, "detectedAt", ask->detected);
    if (found->began) put_time(w, "beganAt", found->began);
    put_time(w, "computedAt", ask->now);
    jw_key(w, STR("final"));
    jw_bool(w, found->final);
    put_text(w, "state", found->state);
    put_text(w, "evidence", found->evidence);
    jw_object_end(w);
}

enum err onset_record(struct delivery *d, const struct onset_ask *ask, const struct onset *found) {
    bool same;
    struct arena a;
    struct buf body;
    struct intake in;
    struct delivery_taken taken;
    struct err_ctx ctx = { 0 };
    TRY(same_as_before(d, ask, found, &same));
    if (same) return ERR_OK;
    arena_init(&a, 8 * BODY_MAX, NULL);
    buf_init(&body, BODY_MAX);
    struct json_writer w = json_writer_on(&body);
    put_onset(&w, ask, found);
    struct intake_request request = { .source = STR("takt/onset"),
                                      .body = buf_view(&body),
                                      .received = ask->now };
    enum err e = body.failed ? ERR_NOMEM : intake_read(&request, &a, &in, &ctx);
    if (e == ERR_OK) e = delivery_take(d, &request, &in, &taken);
    buf_fini(&body);
    arena_fini(&a);
    return e;
}
