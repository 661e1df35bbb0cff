// SPDX-License-Identifier: Apache-2.0
#include "delivery/answer.h"
#include "delivery/answer_parts.h"
#include "delivery/catalogue_store.h"

// Services that deploy, or had incidents, and are not listed.
static enum err put_unlisted(struct db *db, struct json_writer *w) {
    struct db_row *r;
    TRY(db_prepare(
        db,
        "SELECT service, sum(n) FROM (SELECT service, count(*) AS n FROM deploy WHERE service <> ''"
        " GROUP BY service UNION ALL SELECT service, 0 FROM incident WHERE service <> '' GROUP BY service)"
        " WHERE service NOT IN (SELECT service FROM catalogue) GROUP BY service ORDER BY service",
        &r));
    jw_key(w, STR("unlisted"));
    jw_array(w);
    for (bool row;;) {
        TRY(db_step(r, &row));
        if (!row) break;
        jw_object(w);
        put_text(w, "service", db_text(r, 0));
        put_u64(w, "deploys", (uint64_t)db_i64(r, 1));
        jw_object_end(w);
    }
    jw_array_end(w);
    return ERR_OK;
}

static enum err catalogue_of(struct db *db, struct arena *a, struct json_writer *w) {
    struct catalogue c;
    struct catalogue_source source;
    TRY(catalogue_load(db, a, &c, &source));
    jw_object(w);
    put_text(w, "source", source.file.len ? STR("file") : STR("api"));
    put_text(w, "file", source.file);
    put_text(w, "problem", source.problem);
    jw_key(w, STR("catalogue"));
    catalogue_print(&c, w);
    TRY(put_unlisted(db, w));
    jw_object_end(w);
    return ERR_OK;
}

enum err answer_catalogue(struct delivery *d, struct json_writer *w, struct err_ctx *ctx) {
    struct db *db;
    struct arena a;
    TRY(delivery_reader(d, &db));
    arena_init(&a, ANSWER_MEMORY_MAX, NULL);
    enum err e = failed_read(db, catalogue_of(db, &a, w), ctx);
    arena_fini(&a);
    delivery_reader_done(d, db);
    return e;
}
