// SPDX-License-Identifier: Apache-2.0
#include "delivery/answer.h"
#include "delivery/answer_parts.h"
#include "delivery/answer_rows.h"
#include "delivery/catalogue_store.h"

enum { BRANCHES_MAX = 5000 };

static void put_seen(struct json_writer *w, bool events, bool traces) {
    jw_key(w, STR("seen"));
    jw_array(w);
    if (events) jw_str(w, STR("events"));
    if (traces) jw_str(w, STR("traces"));
    jw_array_end(w);
}

// Services that events or traces name, and that the catalogue knows under no name.
static enum err put_unlisted(struct db *db, struct json_writer *w) {
    struct db_row *r;
    TRY(db_prepare(
        db,
        "SELECT service, sum(n), max(events), max(traces), max(last_at) FROM (SELECT service, "
        "count(*) AS n, 1 AS events, 0 AS traces, 0 AS last_at FROM deploy WHERE service <> '' GROUP BY "
        "service UNION ALL SELECT service, 0, 1, 0, 0 FROM incident WHERE service <> '' GROUP BY "
        "service UNION ALL SELECT service, 0, 1, 0, 0 FROM canary WHERE service <> '' GROUP BY service UNION "
        "ALL SELECT service, 0, 1, 0, 0 FROM alert WHERE service <> '' GROUP BY service UNION ALL SELECT "
        "service, 0, 1, 0, 0 FROM flag_change WHERE service <> '' GROUP BY service UNION ALL SELECT service, "
        "0, 0, 1, last_at FROM seen_service WHERE service NOT IN (SELECT "
        "name FROM catalogue_name))"
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
        put_seen(w, db_i64(r, 2) != 0, db_i64(r, 3) != 0);
        put_time(w, "lastInTraces", db_i64(r, 4));
        jw_object_end(w);
    }
    jw_array_end(w);
    return ERR_OK;
}

// Who needs whom: what the catalogue says, and what traces show.
static enum err put_dependencies(struct db *db, struct json_writer *w) {
    static const struct answer_column columns[] = {
        { "service", CELL_TEXT },  { "needs", CELL_TEXT },         { "listed", CELL_TRUE },
        { "inTraces", CELL_TRUE }, { "firstInTraces", CELL_TIME }, { "lastInTraces", CELL_TIME },
        { NULL, CELL_TEXT }
    };
    struct db_row *r;
    TRY(db_prepare(
        db,
        "SELECT service, needs, max(listed), max(traces), max(first_at), max(last_at) FROM (SELECT "
        "service, needs, 1 AS listed, 0 AS traces, 0 AS first_at, 0 AS last_at FROM catalogue_dependency "
        "UNION ALL SELECT coalesce(c.service, caller), coalesce(n.service, callee), 0, 1, first_at, last_at "
        "FROM seen_call LEFT JOIN catalogue_name c ON c.name = caller LEFT JOIN catalogue_name n ON n.name = "
        "callee) WHERE service <> needs GROUP BY service, needs ORDER BY service, needs",
        &r));
    return answer_put_rows(w, "dependencies", r, columns, NULL, NULL);
}

// Of the repositories that a service ships, by its deploys or the catalogue, as pushes and other events tell
// it.
static enum err put_branches(struct db *db, struct json_writer *w) {
    static const struct answer_column columns[] = {
        { "service", CELL_TEXT }, { "repository", CELL_TEXT }, { "branch", CELL_TEXT }, { NULL, CELL_TEXT }
    };
    struct db_row *r;
    TRY(db_prepare(
        db,
        "SELECT DISTINCT s.service, s.repo, r.default_branch FROM service_repo s JOIN repository r ON "
        "r.key = s.repo WHERE r.default_branch <> '' ORDER BY s.service, s.repo LIMIT ?",
        &r));
    db_bind_i64(r, 1, BRANCHES_MAX);
    return answer_put_rows(w, "defaultBranches", r, columns, NULL, NULL);
}

static enum err catalogue_of(struct db *db, struct arena *a, const void *ctx, struct json_writer *w) {
    const unsigned *flag_days = ctx;
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
    TRY(put_dependencies(db, w));
    TRY(put_branches(db, w));
    put_u64(w, "flagAgeDays", *flag_days ? *flag_days : MEASURE_FLAG_DAYS);
    jw_object_end(w);
    return ERR_OK;
}

enum err answer_catalogue(struct delivery *d, struct json_writer *w, struct err_ctx *ctx) {
    unsigned flag_days = delivery_flag_days(d);
    return answer_read(d, catalogue_of, &flag_days, w, ctx);
}
