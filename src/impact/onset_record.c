// SPDX-License-Identifier: Apache-2.0
#include "impact/onset_record.h"

#include "base/json.h"

#define BODY_MAX (64ull << 10)

enum err onset_list_due(struct db *db, struct arena *a, const struct impact_due_ask *ask,
                        struct onset_ask **out, uint32_t *out_n) {
    struct db_row *r;
    *out_n = 0;
    *out = ARENA_ARRAY(a, IMPACT_DUE_MAX, struct onset_ask);
    if (!*out) return ERR_NOMEM;
    TRY(db_prepare(
        db,
        "SELECT i.key, i.service, ifnull(nullif(i.environment, ''), 'production'), i.detected_at "
        "FROM incident "
        "i LEFT JOIN onset o ON o.key = i.key WHERE i.service <> '' AND i.started_at IS NULL AND "
        "i.duplicate_of IS NULL AND i.detected_at > ?1 AND i.detected_at <= ?2 AND NOT "
        "(ifnull(o.final, 0) AND "
        "o.detected_at = i.detected_at) AND (i.detected_at < ?4 OR i.detected_at = ?4 AND i.key > ?5) "
        "ORDER BY i.detected_at DESC, i.key LIMIT ?3",
        &r));
    impact_bind_due(r, ask);
    for (bool row;;) {
        TRY(db_step(r, &row));
        if (!row) break;
        (*out)[(*out_n)++] = (struct onset_ask){ .incident = str_dup(a, db_text(r, 0)),
                                                 .of = { .service = str_dup(a, db_text(r, 1)),
                                                         .environment = str_dup(a, db_text(r, 2)) },
                                                 .detected = db_i64(r, 3),
                                                 .now = ask->now };
    }
    return a->failed ? ERR_NOMEM : ERR_OK;
}

// --- recording ---------------------------------------------------------------------------------------------

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
    bool kept;
    struct arena a;
    struct buf body;
    TRY(impact_is_kept(d, "SELECT state FROM onset WHERE key = ?", ask->incident, found->state, &kept));
    if (kept) return ERR_OK;
    arena_init(&a, 8 * BODY_MAX, NULL);
    buf_init(&body, BODY_MAX);
    struct json_writer w = json_writer_on(&body);
    put_onset(&w, ask, found);
    enum err e = delivery_tell(d, &a, STR("takt/onset"), &body, ask->now);
    buf_fini(&body);
    arena_fini(&a);
    return e;
}
