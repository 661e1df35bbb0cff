// SPDX-License-Identifier: Apache-2.0
#include "delivery/answer_parts.h"

// --- services ----------------------------------------------------------------------------------------------

static enum err services_of(struct db *db, struct json_writer *w) {
    struct db_row *r;
    TRY(db_prepare(
        db,
        "SELECT service, environment, max(production), count(*), max(coalesce(finished_at, started_at))"
        " FROM rollout GROUP BY service, environment ORDER BY service, environment",
        &r));
    jw_object(w);
    jw_key(w, STR("services"));
    jw_array(w);
    for (bool row;;) {
        TRY(db_step(r, &row));
        if (!row) break;
        jw_object(w);
        put_text(w, "service", db_text(r, 0));
        put_text(w, "environment", db_text(r, 1));
        put_bool(w, "production", db_i64(r, 2) != 0);
        put_u64(w, "rollouts", (uint64_t)db_i64(r, 3));
        put_time(w, "last", db_i64(r, 4));
        jw_object_end(w);
    }
    jw_array_end(w);
    jw_object_end(w);
    return ERR_OK;
}

enum err answer_services(struct delivery *d, struct json_writer *w, struct err_ctx *ctx) {
    struct db *db;
    TRY(delivery_reader(d, &db));
    enum err e = failed_read(db, services_of(db, w), ctx);
    delivery_reader_done(d, db);
    return e;
}

// --- what came in ------------------------------------------------------------------------------------------

static enum err put_sources(struct db *db, struct json_writer *w) {
    struct db_row *r;
    TRY(db_prepare(db,
                   "SELECT source, count(*), sum(NOT known), sum(aside IS NOT NULL), max(received_at) FROM "
                   "event GROUP BY source ORDER BY source",
                   &r));
    jw_key(w, STR("sources"));
    jw_array(w);
    for (bool row;;) {
        TRY(db_step(r, &row));
        if (!row) break;
        jw_object(w);
        put_text(w, "source", db_text(r, 0));
        put_u64(w, "events", (uint64_t)db_i64(r, 1));
        put_u64(w, "unknown", (uint64_t)db_i64(r, 2));
        put_u64(w, "aside", (uint64_t)db_i64(r, 3));
        put_time(w, "last", db_i64(r, 4));
        jw_object_end(w);
    }
    jw_array_end(w);
    return ERR_OK;
}

static enum err put_refused(struct db *db, struct json_writer *w) {
    struct db_row *r;
    TRY(db_prepare(db, "SELECT source, received_at, reason, bytes FROM refused ORDER BY id DESC LIMIT 100",
                   &r));
    jw_key(w, STR("refused"));
    jw_array(w);
    for (bool row;;) {
        TRY(db_step(r, &row));
        if (!row) break;
        jw_object(w);
        put_text(w, "source", db_text(r, 0));
        put_time(w, "received", db_i64(r, 1));
        put_text(w, "reason", db_text(r, 2));
        put_u64(w, "bytes", (uint64_t)db_i64(r, 3));
        jw_object_end(w);
    }
    jw_array_end(w);
    return ERR_OK;
}

static enum err intake_of(struct db *db, struct json_writer *w) {
    jw_object(w);
    int64_t deploys, incidents, refused;
    TRY(db_number(db, "SELECT count(*) FROM deploy WHERE ifnull(service, '') = ''", &deploys));
    TRY(db_number(db, "SELECT count(*) FROM incident WHERE ifnull(service, '') = ''", &incidents));
    TRY(db_number(db, "SELECT seq FROM sqlite_sequence WHERE name = 'refused'", &refused));
    put_u64(w, "deploys_without_service", (uint64_t)deploys);
    put_u64(w, "incidents_without_service", (uint64_t)incidents);
    put_u64(w, "refused_in_all", (uint64_t)refused);
    TRY(put_sources(db, w));
    TRY(put_refused(db, w));
    jw_object_end(w);
    return ERR_OK;
}

enum err answer_intake(struct delivery *d, struct json_writer *w, struct err_ctx *ctx) {
    struct db *db;
    TRY(delivery_reader(d, &db));
    enum err e = failed_read(db, intake_of(db, w), ctx);
    delivery_reader_done(d, db);
    return e;
}
