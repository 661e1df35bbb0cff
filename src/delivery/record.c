// SPDX-License-Identifier: Apache-2.0
#include "delivery/record.h"

#include <openssl/sha.h>

#include "delivery/neighbours.h"

const char *const record_migrations[] = {
    // 1: the record begins
    "CREATE TABLE event(id INTEGER PRIMARY KEY, source TEXT NOT NULL, type TEXT NOT NULL,"
    " digest BLOB NOT NULL UNIQUE, sender_id TEXT NOT NULL, received_at INTEGER NOT NULL, time INTEGER NOT "
    "NULL,"
    " known INTEGER NOT NULL, aside TEXT, body BLOB NOT NULL);"
    "CREATE TABLE refused(id INTEGER PRIMARY KEY AUTOINCREMENT, source TEXT NOT NULL, received_at INTEGER "
    "NOT NULL,"
    " reason TEXT NOT NULL, bytes INTEGER NOT NULL, body BLOB NOT NULL);"
    "CREATE TABLE git_repo(id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, path TEXT NOT NULL, "
    "imported_at INTEGER NOT NULL);"
    "CREATE TABLE git_commit(repo INTEGER NOT NULL, sha BLOB NOT NULL, authored_at INTEGER NOT NULL,"
    " committed_at INTEGER NOT NULL, flags INTEGER NOT NULL, author TEXT NOT NULL, subject TEXT NOT NULL,"
    " parents BLOB NOT NULL, change_number INTEGER, reverts BLOB, picked_from BLOB, patch BLOB, PRIMARY "
    "KEY(repo, sha)) WITHOUT ROWID;"
    "CREATE INDEX git_commit_sha ON git_commit(sha);",
    // 2: the catalogue of services, and the files that commits touch
    "CREATE TABLE catalogue_source(only_one INTEGER PRIMARY KEY CHECK(only_one = 1), file TEXT NOT NULL, "
    "problem TEXT NOT NULL);"
    // `derives`: what decides rollouts and commits, as text; the row of service '' is for all.
    "CREATE TABLE catalogue(service TEXT PRIMARY KEY, owner TEXT, team TEXT, product TEXT, tier INTEGER, "
    "runbook "
    "TEXT, on_call TEXT, derives TEXT NOT NULL) WITHOUT ROWID;"
    "CREATE TABLE catalogue_was(service TEXT PRIMARY KEY, derives TEXT NOT NULL) WITHOUT ROWID;"
    "CREATE VIEW catalogue_changed AS SELECT service FROM (SELECT service, derives FROM catalogue EXCEPT "
    "SELECT "
    "service, derives FROM catalogue_was) UNION SELECT service FROM (SELECT service, derives FROM "
    "catalogue_was "
    "EXCEPT SELECT service, derives FROM catalogue);"
    "CREATE TABLE catalogue_team(team TEXT PRIMARY KEY) WITHOUT ROWID;"
    "CREATE TABLE catalogue_repo(service TEXT NOT NULL, repo TEXT NOT NULL, PRIMARY KEY(service, repo)) "
    "WITHOUT "
    "ROWID;"
    "CREATE TABLE catalogue_path(service TEXT NOT NULL, path TEXT NOT NULL, PRIMARY KEY(service, path)) "
    "WITHOUT "
    "ROWID;"
    "CREATE TABLE catalogue_environment(service TEXT NOT NULL, environment TEXT NOT NULL, tier TEXT NOT "
    "NULL, "
    "PRIMARY KEY(service, environment)) WITHOUT ROWID;"
    "CREATE TABLE catalogue_dependency(service TEXT NOT NULL, needs TEXT NOT NULL, PRIMARY KEY(service, "
    "needs)) "
    "WITHOUT ROWID;"
    "CREATE TABLE catalogue_target(whose TEXT NOT NULL, name TEXT NOT NULL, measure TEXT NOT NULL, value "
    "REAL NOT "
    "NULL, PRIMARY KEY(whose, name, measure)) WITHOUT ROWID;"
    // whole: every path is there. Paths end with a NUL byte each.
    "CREATE TABLE git_path(repo INTEGER NOT NULL, sha BLOB NOT NULL, whole INTEGER NOT NULL, paths BLOB NOT "
    "NULL, PRIMARY KEY(repo, sha)) WITHOUT ROWID;",
    // 3: services that traces show, and who calls whom
    NEIGHBOURS_TABLES,
    // 4: neighbours by month are a derived view; what a new catalogue is compared with
    "DROP VIEW neighbour; CREATE INDEX catalogue_dependency_needs ON catalogue_dependency(needs);"
    "CREATE TABLE catalogue_dependency_was(service TEXT NOT NULL, needs TEXT NOT NULL, PRIMARY KEY(service, "
    "needs)) WITHOUT ROWID;",
    // 5: what other tools call a service; environments in lower case
    "CREATE TABLE catalogue_name(name TEXT PRIMARY KEY, service TEXT NOT NULL, environment TEXT NOT NULL) "
    "WITHOUT ROWID; CREATE INDEX catalogue_name_service ON catalogue_name(service);"
    "UPDATE OR REPLACE catalogue_environment SET environment = lower(environment);",
    // 6: how a service is rolled back
    "ALTER TABLE catalogue ADD COLUMN rollback TEXT;",
};
const unsigned n_record_migrations = sizeof record_migrations / sizeof *record_migrations;

// --- events ------------------------------------------------------------------------------------------------

static void digest_of(const struct intake_request *r, const struct intake_event *e,
                      unsigned char out[SHA256_DIGEST_LENGTH]) {
    unsigned char parts[3][SHA256_DIGEST_LENGTH]; // each of a fixed length: no part runs into the next
    (void)SHA256((const unsigned char *)r->source.ptr, r->source.len, parts[0]);
    (void)SHA256((const unsigned char *)e->id.ptr, e->id.len, parts[1]);
    (void)SHA256((const unsigned char *)e->body.ptr, e->body.len, parts[2]);
    (void)SHA256(parts[0], sizeof parts, out);
}

enum err record_event(struct db *d, const struct intake_request *r, const struct intake_event *e,
                      int64_t *out_id) {
    unsigned char digest[SHA256_DIGEST_LENGTH];
    struct db_row *row;
    *out_id = 0;
    digest_of(r, e, digest);
    TRY(db_prepare(
        d,
        "INSERT OR IGNORE INTO event(source, type, digest, sender_id, received_at, time, known, aside, body)"
        " VALUES(?,?,?,?,?,?,?,?,?)",
        &row));
    db_bind_text(row, 1, r->source);
    db_bind_text(row, 2, e->type);
    db_bind_blob(row, 3, (struct str){ (char *)digest, sizeof digest });
    db_bind_text(row, 4, e->id);
    db_bind_i64(row, 5, r->received);
    db_bind_i64(row, 6, e->time);
    db_bind_i64(row, 7, e->known);
    if (e->aside.len) db_bind_text(row, 8, e->aside);
    db_bind_blob(row, 9, e->body);
    TRY(db_done(row));
    if (db_changes(d)) *out_id = db_last_id(d);
    return ERR_OK;
}

enum err record_refused(struct db *d, const struct intake_request *r, struct str reason) {
    struct db_row *row;
    TRY(db_prepare(d, "INSERT INTO refused(source, received_at, reason, bytes, body) VALUES(?,?,?,?,?)",
                   &row));
    db_bind_text(row, 1, str_sub(r->source, 0, FACT_KEY_MAX));
    db_bind_i64(row, 2, r->received);
    db_bind_text(row, 3, str_sub(reason, 0, FACT_TEXT_MAX));
    db_bind_i64(row, 4, (int64_t)r->body.len);
    db_bind_blob(row, 5, str_sub(r->body, 0, RECORD_REFUSED_BODY_MAX));
    TRY(db_done(row));
    TRY(db_prepare(d, "DELETE FROM refused WHERE id <= ?", &row));
    db_bind_i64(row, 1, db_last_id(d) - RECORD_REFUSED_KEPT);
    return db_done(row);
}

enum err record_each(struct db *d, int64_t after, unsigned n, int64_t *out_last,
                     enum err (*each)(void *ctx, int64_t id, const struct intake_request *r), void *ctx) {
    struct db_row *row;
    TRY(db_prepare(d,
                   "SELECT id, source, received_at, sender_id, type, body FROM event WHERE id > ? AND known"
                   " AND aside IS NULL ORDER BY id LIMIT ?",
                   &row));
    db_bind_i64(row, 1, after);
    db_bind_i64(row, 2, n);
    for (bool is_row;;) {
        TRY(db_step(row, &is_row));
        if (!is_row) return ERR_OK;
        *out_last = db_i64(row, 0);
        struct intake_request r = { .source = db_text(row, 1),
                                    .received = db_i64(row, 2),
                                    .kept_id = db_text(row, 3),
                                    .kept_type = db_text(row, 4),
                                    .body = db_text(row, 5) };
        enum err e = each(ctx, *out_last, &r);
        if (e == ERR_OK) continue;
        db_reset(row);
        return e;
    }
}
