// SPDX-License-Identifier: Apache-2.0
// The tables of facts in SQL, as fact.def has them, and whether those that are there are these.
#include <stdio.h>

#include "base/hash.h"
#include "intake/fact.h"
#include "intake/name.h"

static const char create_claim[] = "CREATE TABLE IF NOT EXISTS claim(kind INTEGER NOT NULL, key TEXT NOT "
                                   "NULL, time INTEGER NOT NULL, rank INTEGER NOT NULL, "
                                   "hash INTEGER NOT NULL, event INTEGER NOT NULL, body BLOB NOT NULL, "
                                   "PRIMARY KEY(kind, key, time, rank, hash)) WITHOUT ROWID";

static const char *const sql_types[] = {
    [FACT_TEXT] = "TEXT", [FACT_INT] = "INTEGER", [FACT_TIME] = "INTEGER", [FACT_REAL] = "REAL"
};

static void put_table(struct buf *b, enum fact_kind k) {
    enum fact_field first;
    unsigned n;
    fact_fields(k, &first, &n);
    buf_fmt(b, "CREATE TABLE \"%s\"(key TEXT PRIMARY KEY NOT NULL", fact_table(k));
    for (unsigned i = 0; i < n; i++) {
        const struct fact_field_info *f = fact_field_info(first + i);
        buf_fmt(b, ", %s %s", f->column, sql_types[f->type]);
    }
    buf_str(b, STR(") WITHOUT ROWID;"));
}

static const char *const indices[] = {
    "CREATE INDEX deploy_scope ON deploy(service, environment, started_at)",
    "CREATE INDEX deploy_sha ON deploy(sha)",
    "CREATE INDEX deploy_run ON deploy(run)",
    "CREATE INDEX incident_service ON incident(service, environment)",
    "CREATE INDEX change_merge ON change(merge_sha)",
    "CREATE INDEX review_change ON review(change_key)",
    "CREATE INDEX task_run ON task(run)",
    "CREATE INDEX run_sha ON run(repo, sha)",
    "CREATE INDEX verdict_incident ON verdict(incident)",
    "CREATE INDEX verdict_rollout ON verdict(rollout)",
    "CREATE INDEX flag_service ON flag_change(service)",
    "CREATE INDEX canary_service ON canary(service, version)",
    "CREATE INDEX change_repo ON change(repo, number)",
    "CREATE INDEX alert_started ON alert(started_at)",
    "CREATE INDEX test_sha ON test_run(repo, sha)",
    "CREATE INDEX test_of_run ON test_run(run)",
    "CREATE INDEX pushed_repo ON pushed_commit(repo, sha)",
    "CREATE INDEX pushed_sha ON pushed_commit(sha)",
    "CREATE INDEX call_caller ON call(caller, month_at)",
    "CREATE INDEX call_callee ON call(callee, month_at)",
};

// The tables' whole definition as text: what is kept is compared with it.
static void put_definition(struct buf *b, const char *derived) {
    buf_str(b, STR(NAME_TABLES)); // how facts settle
    buf_str(b, str_of(derived));
    for (unsigned k = 0; k < FACT_KIND_COUNT; k++) put_table(b, (enum fact_kind)k);
    for (unsigned i = 0; i < sizeof indices / sizeof *indices; i++) buf_fmt(b, "%s;", indices[i]);
    for (enum fact_field f = 0; f < FACT_FIELD_COUNT; f++)
        buf_char(b, (char)('0' + fact_field_info(f)->merge));
}

static enum err definition_kept(struct db *d, uint64_t *out) {
    struct db_row *r;
    bool row;
    TRY(db_run(d, "CREATE TABLE IF NOT EXISTS fact_definition(hash INTEGER NOT NULL)"));
    TRY(db_prepare(d, "SELECT hash FROM fact_definition", &r));
    TRY(db_step(r, &row));
    *out = row ? (uint64_t)db_i64(r, 0) : 0;
    if (row) db_reset(r);
    return ERR_OK;
}

static enum err make_tables(struct db *d, const char *derived, uint64_t hash) {
    struct buf b;
    struct db_row *r;
    enum err e = ERR_OK;
    buf_init(&b, 1 << 20);
    buf_str(&b, STR("DROP TABLE IF EXISTS claim;"));
    for (unsigned k = 0; k < FACT_KIND_COUNT; k++) {
        buf_fmt(&b, "DROP TABLE IF EXISTS \"%s\";", fact_table((enum fact_kind)k));
        put_table(&b, (enum fact_kind)k);
    }
    for (unsigned i = 0; i < sizeof indices / sizeof *indices; i++) buf_fmt(&b, "%s;", indices[i]);
    buf_fmt(&b, "%s;%s%s;DELETE FROM fact_definition", create_claim, NAME_TABLES, derived);
    buf_char(&b, '\0');
    e = b.failed ? ERR_NOMEM : db_run(d, b.ptr);
    buf_fini(&b);
    TRY(e);
    TRY(db_prepare(d, "INSERT INTO fact_definition VALUES(?)", &r));
    db_bind_i64(r, 1, (int64_t)hash);
    return db_done(r);
}

enum err fact_tables(struct db *d, const char *derived, bool *out_changed) {
    struct buf b;
    uint64_t have;
    buf_init(&b, 1 << 20);
    put_definition(&b, derived);
    uint64_t hash = b.failed ? 0 : hash_xxh64(b.ptr, b.len);
    buf_fini(&b);
    if (!hash) return ERR_NOMEM;
    TRY(definition_kept(d, &have));
    *out_changed = have != hash;
    return *out_changed ? make_tables(d, derived, hash) : ERR_OK;
}

enum err fact_clear(struct db *d) {
    char sql[64];
    for (unsigned k = 0; k < FACT_KIND_COUNT; k++) {
        (void)snprintf(sql, sizeof sql, "DELETE FROM \"%s\"", fact_table((enum fact_kind)k));
        TRY(db_run(d, sql));
    }
    return db_run(d, "DELETE FROM claim");
}
