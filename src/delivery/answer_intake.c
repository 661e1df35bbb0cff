// SPDX-License-Identifier: Apache-2.0
#include "delivery/answer_parts.h"
#include "delivery/answer_rows.h"

// --- services ----------------------------------------------------------------------------------------------

static enum err services_of(struct db *db, struct arena *a, const void *ask, struct json_writer *w) {
    (void)a;
    (void)ask;
    static const struct answer_column columns[] = { { "service", CELL_TEXT },    { "environment", CELL_TEXT },
                                                    { "production", CELL_TRUE }, { "rollouts", CELL_NUMBER },
                                                    { "last", CELL_TIME },       { NULL, CELL_TEXT } };
    struct db_row *r;
    TRY(db_prepare(
        db,
        "SELECT service, environment, max(production), count(*), max(coalesce(finished_at, started_at))"
        " FROM rollout GROUP BY service, environment ORDER BY service, environment",
        &r));
    jw_object(w);
    TRY(answer_put_rows(w, "services", r, columns, NULL, NULL));
    jw_object_end(w);
    return ERR_OK;
}

enum err answer_services(struct delivery *d, struct json_writer *w, struct err_ctx *ctx) {
    return answer_read(d, services_of, NULL, w, ctx);
}

// --- what came in ------------------------------------------------------------------------------------------

static enum err put_sources(struct db *db, struct json_writer *w) {
    static const struct answer_column columns[] = { { "source", CELL_TEXT },    { "events", CELL_NUMBER },
                                                    { "unknown", CELL_NUMBER }, { "aside", CELL_NUMBER },
                                                    { "last", CELL_TIME },      { NULL, CELL_TEXT } };
    struct db_row *r;
    TRY(db_prepare(db,
                   "SELECT source, count(*), sum(NOT known), sum(aside IS NOT NULL), max(received_at) FROM "
                   "event GROUP BY source ORDER BY source",
                   &r));
    return answer_put_rows(w, "sources", r, columns, NULL, NULL);
}

static enum err put_refused(struct db *db, struct json_writer *w) {
    static const struct answer_column columns[] = { { "source", CELL_TEXT },
                                                    { "received", CELL_TIME },
                                                    { "reason", CELL_TEXT },
                                                    { "bytes", CELL_NUMBER },
                                                    { NULL, CELL_TEXT } };
    struct db_row *r;
    TRY(db_prepare(db, "SELECT source, received_at, reason, bytes FROM refused ORDER BY id DESC LIMIT 100",
                   &r));
    return answer_put_rows(w, "refused", r, columns, NULL, NULL);
}

// What other tools call services, and the catalogue, where there is one, knows nothing of.
#define FOREIGN \
    "(SELECT service, count(*) AS n FROM (SELECT service FROM deploy UNION ALL SELECT service FROM " \
    "incident " \
    "UNION ALL SELECT service FROM canary UNION ALL SELECT service FROM flag_change UNION ALL SELECT " \
    "service FROM alert) WHERE service <> '' AND EXISTS (SELECT 1 FROM catalogue WHERE service <> '') " \
    "AND service NOT IN (SELECT service FROM catalogue) GROUP BY service)"
static enum err put_foreign(struct db *db, struct json_writer *w) {
    static const struct answer_column columns[] = { { "service", CELL_TEXT },
                                                    { "facts", CELL_NUMBER },
                                                    { NULL, CELL_TEXT } };
    struct db_row *r;
    int64_t all;
    TRY(db_number(db, "SELECT count(*) FROM " FOREIGN, &all));
    put_u64(w, "unmapped_in_all", (uint64_t)all);
    TRY(db_prepare(db, "SELECT service, n FROM " FOREIGN " ORDER BY n DESC, service LIMIT 100", &r));
    return answer_put_rows(w, "unmapped", r, columns, NULL, NULL);
}

// Words of people that name no incident or no cause that is known, and canaries that ended of versions that
// were never rolled out: kept, and linked once what they name comes.
static enum err put_unlinked(struct db *db, struct json_writer *w) {
    static const struct answer_column words[] = {
        { "verdict", CELL_TEXT }, { "incident", CELL_TEXT },         { "rollout", CELL_TEXT },
        { "says", CELL_TEXT },    { "unknown_incident", CELL_TRUE }, { "unknown_rollout", CELL_TRUE },
        { NULL, CELL_TEXT }
    };
    static const struct answer_column canaries[] = { { "canary", CELL_TEXT },
                                                     { "service", CELL_TEXT },
                                                     { "version", CELL_TEXT },
                                                     { "state", CELL_TEXT },
                                                     { NULL, CELL_TEXT } };
    struct db_row *r;
    TRY(db_prepare(
        db,
        "SELECT v.key, v.incident, v.rollout, v.says, i.key IS NULL AND v.incident IS NOT 'traces' AS "
        "no_incident, "
        "w.verdict IS NOT NULL AS no_rollout FROM verdict v LEFT JOIN incident i ON i.key = v.incident LEFT "
        "JOIN "
        "word_of_nothing w ON w.verdict = v.key WHERE no_incident OR no_rollout ORDER BY v.said_at DESC, "
        "v.key LIMIT "
        "100",
        &r));
    TRY(answer_put_rows(w, "unlinked_verdicts", r, words, NULL, NULL));
    TRY(db_prepare(
        db,
        "SELECT c.key, c.service, c.version, c.state FROM canary c WHERE c.state IN ('promoted', "
        "'failed') AND NOT EXISTS (SELECT 1 FROM rollout r WHERE r.service = c.service AND c.version "
        "IN (r.version, r.digest, r.sha)) ORDER BY c.ended_at DESC, c.key LIMIT 100",
        &r));
    return answer_put_rows(w, "unlinked_canaries", r, canaries, NULL, NULL);
}

static enum err intake_of(struct db *db, struct arena *a, const void *ask, struct json_writer *w) {
    (void)a;
    (void)ask;
    jw_object(w);
    int64_t deploys, incidents, refused;
    TRY(db_number(db, "SELECT count(*) FROM deploy WHERE ifnull(service, '') = ''", &deploys));
    TRY(db_number(db, "SELECT count(*) FROM incident WHERE ifnull(service, '') = ''", &incidents));
    TRY(db_number(db, "SELECT seq FROM sqlite_sequence WHERE name = 'refused'", &refused));
    put_u64(w, "deploys_without_service", (uint64_t)deploys);
    put_u64(w, "incidents_without_service", (uint64_t)incidents);
    put_u64(w, "refused_in_all", (uint64_t)refused);
    TRY(put_foreign(db, w));
    TRY(put_unlinked(db, w));
    TRY(put_sources(db, w));
    TRY(put_refused(db, w));
    jw_object_end(w);
    return ERR_OK;
}

enum err answer_intake(struct delivery *d, struct json_writer *w, struct err_ctx *ctx) {
    return answer_read(d, intake_of, NULL, w, ctx);
}
