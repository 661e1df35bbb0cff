// SPDX-License-Identifier: Apache-2.0
#include "delivery/flows.h"

#include "delivery/part.h"
#include "delivery/scoped.h"

#define FLOW_MEMORY_MAX (1ull << 30) // of one part of a repository

// --- what is stale -----------------------------------------------------------------------------------------

static enum err note_change(struct db *d, struct str key) {
    struct db_row *r;
    TRY(db_prepare(d,
                   "INSERT OR IGNORE INTO stale_flow SELECT 0, ifnull(repo, ''), " PART_OF_CHANGE
                   " FROM change WHERE key = ?",
                   &r));
    db_bind_text(r, 1, key);
    return db_done(r);
}

static int64_t part_of_sha(struct str sha) {
    const char *at = sha.len ? memchr("0123456789abcdef", sha.ptr[0], 16) : NULL;
    return at ? strchr("0123456789abcdef", *at) - "0123456789abcdef" : FLOW_PART_OTHER;
}

static enum err note_part(struct db *d, enum flow_kind kind, struct str repo, int64_t part) {
    struct db_row *r;
    TRY(db_prepare(d, "INSERT OR IGNORE INTO stale_flow VALUES(?, ?, ?)", &r));
    db_bind_i64(r, 1, kind);
    db_bind_text(r, 2, repo);
    db_bind_i64(r, 3, part);
    return db_done(r);
}

static enum err note_run(struct db *d, struct str repo, struct str sha) {
    struct db_row *r;
    TRY(note_part(d, FLOW_RUNS, repo, part_of_sha(sha)));
    TRY(db_prepare(
        d,
        "INSERT OR IGNORE INTO stale_flow SELECT 0, ifnull(repo, ''), " PART_OF_CHANGE
        " FROM change WHERE key IN (SELECT change_key FROM change_head WHERE repo = ? AND sha = ?)",
        &r));
    db_bind_text(r, 1, repo);
    db_bind_text(r, 2, sha);
    return db_done(r);
}

static enum err note_of_run(struct db *d, struct str run) { // of a task or a test
    struct db_row *r;
    TRY(db_prepare(d,
                   "INSERT OR IGNORE INTO stale_flow SELECT 1, ifnull(repo, ''), " PART_OF_SHA(
                       "sha") " FROM run WHERE key = ?",
                   &r));
    db_bind_text(r, 1, run);
    return db_done(r);
}

static enum err note_repository(struct db *d, struct str repo) {
    struct db_row *r;
    TRY(db_prepare(
        d, "INSERT OR IGNORE INTO stale_flow SELECT 1, repo, part FROM flow WHERE kind = 1 AND repo = ?",
        &r));
    db_bind_text(r, 1, repo);
    return db_done(r);
}

static enum err note_fact(struct db *d, const struct fact_change *c, const struct fact *f) {
    if (!f->known) return ERR_OK;
    switch (c->kind) {
    case FACT_CHANGE:
        return note_part(d, FLOW_CHANGES, fact_get(f, CHANGE_REPO)->s, fact_get(f, CHANGE_NUMBER)->i & 15);
    case FACT_REVIEW: return note_change(d, fact_get(f, REVIEW_CHANGE)->s);
    case FACT_RUN: return note_run(d, fact_get(f, RUN_REPO)->s, fact_get(f, RUN_SHA)->s);
    case FACT_TASK: return note_of_run(d, fact_get(f, TASK_RUN)->s);
    case FACT_REPOSITORY: return note_repository(d, c->key);
    case FACT_TEST:
        TRY(note_of_run(d, fact_get(f, TEST_RUN)->s));
        return note_part(d, FLOW_RUNS, fact_get(f, TEST_REPO)->s, part_of_sha(fact_get(f, TEST_SHA)->s));
    default: return ERR_OK;
    }
}

enum err flows_note(struct db *d, const struct fact_change *c) {
    TRY(note_fact(d, c, c->before));
    return note_fact(d, c, c->after);
}

enum err flows_note_all(struct db *d) {
    return db_run(
        d, "DELETE FROM flow; DELETE FROM flow_name; DELETE FROM change_head; DELETE FROM rollout_merge;"
           "INSERT OR IGNORE INTO stale_flow SELECT DISTINCT 0, ifnull(repo, ''), " PART_OF_CHANGE
           " FROM change;"
           "INSERT OR IGNORE INTO stale_flow SELECT DISTINCT 1, ifnull(repo, ''), " PART_OF_SHA(
               "sha") " FROM run;"
                      "INSERT OR IGNORE INTO stale_flow SELECT DISTINCT 1, ifnull(repo, "
                      "''), " PART_OF_SHA("sha") " FROM test_run;");
}

#define DELIVERED \
    "SELECT c.sha, r.finished_at FROM rollout r JOIN rollout_commit c ON c.rollout = r.id WHERE r.service " \
    "= ?1 AND r.environment = ?2" \
    " UNION SELECT m.sha, r.finished_at FROM rollout r JOIN rollout_merge m ON m.rollout = r.id WHERE " \
    "r.service = ?1 AND r.environment = ?2"

enum err flows_before(struct db *d, struct str service, struct str environment) {
    static const char *const texts[] = {
        "DELETE FROM delivered_before",
        "INSERT OR IGNORE INTO delivered_before " DELIVERED,
        "DELETE FROM rollout_merge WHERE rollout IN (SELECT id FROM rollout WHERE service = ?1 AND "
        "environment = ?2)",
    };
    return scoped_run(d, texts, sizeof texts / sizeof *texts, service, environment);
}

// What is in one of both and not in the other.
enum err flows_after(struct db *d, struct str service, struct str environment) {
    static const char *const text =
        "WITH now AS (" DELIVERED "), moved AS (SELECT * FROM (SELECT * FROM now EXCEPT SELECT * FROM "
        "delivered_before)"
        " UNION SELECT * FROM (SELECT * FROM delivered_before EXCEPT SELECT * FROM now))"
        " INSERT OR IGNORE INTO stale_flow SELECT 0, ifnull(repo, ''), " PART_OF_CHANGE
        " FROM change WHERE merge_sha IN (SELECT lower(hex(sha)) FROM moved)";
    return scoped_run(d, &text, 1, service, environment);
}

// --- parts ------------------------------------------------------------------------------------------------

void part_bind_repo(struct db_row *r, int at, struct str repo) {
    if (repo.len)
        db_bind_text(r, at, repo);
    else
        db_bind_null(r, at); // IS NULL: of no repository that is known
}

static enum err put_blob(struct part *p, const char *sql, enum flow_kind kind, const struct buf *b) {
    struct db_row *r;
    TRY(db_prepare(p->db, sql, &r));
    db_bind_i64(r, 1, kind);
    db_bind_text(r, 2, p->repo);
    db_bind_i64(r, 3, p->part);
    db_bind_blob(r, 4, buf_view(b));
    return db_done(r);
}

enum err part_put(struct part *p, enum flow_kind kind, const struct buf *figures, const struct buf *names) {
    if (figures->failed || names->failed) return ERR_NOMEM;
    TRY(put_blob(p, "INSERT OR REPLACE INTO flow VALUES(?, ?, ?, ?)", kind, figures));
    return put_blob(p, "INSERT OR REPLACE INTO flow_name VALUES(?, ?, ?, ?)", kind, names);
}

// --- all that is stale -------------------------------------------------------------------------------------

static enum err next_stale(struct part *p, enum flow_kind *kind, bool *found) {
    struct db_row *r;
    TRY(db_prepare(p->db, "SELECT kind, repo, part FROM stale_flow LIMIT 1", &r));
    TRY(db_step(r, found));
    if (!*found) return ERR_OK;
    *kind = (enum flow_kind)db_i64(r, 0);
    p->repo = str_dup(p->a, db_text(r, 1));
    p->part = db_i64(r, 2);
    db_reset(r);
    if (p->a->failed) return ERR_NOMEM;
    TRY(db_prepare(p->db, "DELETE FROM stale_flow WHERE kind = ? AND repo = ? AND part = ?", &r));
    db_bind_i64(r, 1, *kind);
    db_bind_text(r, 2, p->repo);
    db_bind_i64(r, 3, p->part);
    return db_done(r);
}

static enum err derive_part(struct part *p, enum flow_kind kind) {
    struct buf figures, names;
    buf_init(&figures, DB_VALUE_MAX);
    buf_init(&names, DB_VALUE_MAX);
    enum err e = kind == FLOW_CHANGES ? part_changes(p, &figures, &names) : part_runs(p, &figures, &names);
    buf_fini(&figures);
    buf_fini(&names);
    return e;
}

enum err flows_some(struct db *d, unsigned n, bool *out_left) {
    struct arena a;
    enum err e = ERR_OK;
    *out_left = true;
    arena_init(&a, FLOW_MEMORY_MAX, NULL);
    for (unsigned i = 0; i < n && e == ERR_OK && *out_left; i++) {
        struct part p = { .db = d, .a = &a };
        enum flow_kind kind = FLOW_CHANGES;
        e = next_stale(&p, &kind, out_left);
        if (e == ERR_OK && *out_left) e = derive_part(&p, kind);
        arena_reset(&a);
    }
    arena_fini(&a);
    return e;
}
