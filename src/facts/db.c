// SPDX-License-Identifier: Apache-2.0
#include "facts/db.h"

#include <pthread.h>
#include <sqlite3.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/map.h"

enum { STATEMENTS_MAX = 512, BUSY_MS = 5000, BACKUP_PAGES = 512, CACHE_KIB = 32 << 10 };

struct db_row {
    sqlite3_stmt *s;
    const char *sql;
    struct db *db;
    enum err failed; // of a bind; told by the next step
};
struct db {
    sqlite3 *c;
    struct db_row **rows;
    uint32_t n_rows;
    struct map by_text; // address of the SQL text → row
    char path[4096];
    char said[256]; // of the last error
};

// --- errors ------------------------------------------------------------------------------------------------

static enum err err_of(int code) {
    switch (code & 0xff) {
    case SQLITE_OK:
    case SQLITE_ROW:
    case SQLITE_DONE: return ERR_OK;
    case SQLITE_NOMEM: return ERR_NOMEM;
    case SQLITE_BUSY:
    case SQLITE_LOCKED: return ERR_AGAIN;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB: return ERR_CORRUPT;
    case SQLITE_CONSTRAINT: return ERR_EXISTS;
    case SQLITE_FULL:
    case SQLITE_TOOBIG: return ERR_LIMIT;
    case SQLITE_CANTOPEN: return ERR_NOT_FOUND;
    default: return ERR_IO;
    }
}

const char *db_error(const struct db *d) {
    return d->said;
}

// What SQLite says of an error is gone with the next call, a rollback for example.
static enum err told(struct db *d, int code) {
    enum err e = err_of(code);
    if (e != ERR_OK) (void)snprintf(d->said, sizeof d->said, "%s", sqlite3_errmsg(d->c));
    return e;
}

// --- open --------------------------------------------------------------------------------------------------

static const char settings[] =
    "PRAGMA trusted_schema=OFF; PRAGMA temp_store=MEMORY; PRAGMA mmap_size=268435456;"
    "PRAGMA foreign_keys=OFF;";
static const char settings_writer[] =
    "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA "
    "wal_autocheckpoint=4000; PRAGMA page_size=8192; PRAGMA journal_size_limit=33554432;";

// A reader beside a writer follows its log. Without a log nobody writes, and SQLite must not make
// one: the file is opened as one that does not change.
static int open_reader(const char *path, sqlite3 **out) {
    char log[4104], uri[3 * 4096 + 32] = "file:";
    (void)snprintf(log, sizeof log, "%s-wal", path);
    if (access(log, F_OK) == 0) return sqlite3_open_v2(path, out, SQLITE_OPEN_READONLY, NULL);
    size_t n = strlen(uri);
    for (const char *p = path; *p; p++)
        n +=
            (size_t)snprintf(uri + n, sizeof uri - n, strchr("%?#", *p) ? "%%%02x" : "%c", (unsigned char)*p);
    (void)snprintf(uri + n, sizeof uri - n, "?immutable=1");
    return sqlite3_open_v2(uri, out, SQLITE_OPEN_READONLY | SQLITE_OPEN_URI, NULL);
}

static int open_connection(const char *path, enum db_mode mode, sqlite3 **out) {
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX;
    if (mode == DB_MEMORY) return sqlite3_open_v2(":memory:", out, flags, NULL);
    if (mode == DB_READ) return open_reader(path, out);
    return sqlite3_open_v2(path, out, flags, NULL);
}

static enum err settle(struct db *d, enum db_mode mode) {
    char cache[64];
    sqlite3_extended_result_codes(d->c, 1);
    sqlite3_busy_timeout(d->c, BUSY_MS);
    sqlite3_limit(d->c, SQLITE_LIMIT_LENGTH, DB_VALUE_MAX);
    sqlite3_limit(d->c, SQLITE_LIMIT_ATTACHED, 0);
    sqlite3_db_config(d->c, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    (void)snprintf(cache, sizeof cache, "PRAGMA cache_size=-%d", CACHE_KIB);
    if (mode == DB_WRITE) TRY(db_run(d, settings_writer));
    TRY(db_run(d, cache));
    TRY(db_run(d, settings));
    return db_run(d, "SELECT count(*) FROM sqlite_schema"); // is it a data base at all
}

// SQLite counts every allocation under one lock, for figures that nobody asks for.
static void set_up(void) {
    (void)sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
}

enum err db_open(const char *path, enum db_mode mode, struct db **out, struct err_ctx *ctx) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    (void)pthread_once(&once, set_up);
    struct db *d = mem_zalloc(sizeof *d);
    if (!d) return ERR_NOMEM;
    map_init(&d->by_text, STATEMENTS_MAX);
    (void)snprintf(d->path, sizeof d->path, "%s", path ? path : "");
    int code = open_connection(d->path, mode, &d->c);
    enum err e = code == SQLITE_OK ? settle(d, mode) : err_of(code);
    if (e == ERR_OK) {
        *out = d;
        return ERR_OK;
    }
    e = err_set(ctx, e, "the facts in %s cannot be opened: %s", mode == DB_MEMORY ? "memory" : path,
                d->c ? sqlite3_errmsg(d->c) : sqlite3_errstr(code));
    db_close(d);
    return e;
}

enum err db_again(const struct db *d, struct db **out) {
    struct err_ctx ctx = { 0 };
    return db_open(d->path, DB_READ, out, &ctx);
}

void db_close(struct db *d) {
    if (!d) return;
    for (uint32_t i = 0; i < d->n_rows; i++) {
        sqlite3_finalize(d->rows[i]->s);
        mem_free(d->rows[i]);
    }
    mem_free(d->rows);
    map_fini(&d->by_text);
    sqlite3_close(d->c);
    mem_free(d);
}

// --- transactions ------------------------------------------------------------------------------------------

enum err db_run(struct db *d, const char *sql) {
    return told(d, sqlite3_exec(d->c, sql, NULL, NULL, NULL));
}

enum err db_fold(struct db *d) {
    int code = sqlite3_wal_checkpoint_v2(d->c, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL);
    return code == SQLITE_BUSY || code == SQLITE_LOCKED ? ERR_OK : told(d, code);
}

// One of the few statements that every transaction runs: prepared once, as they take as long to parse
// as a small one takes to run.
static enum err run_kept(struct db *d, const char *sql) {
    struct db_row *r;
    TRY(db_prepare(d, sql, &r));
    return db_done(r);
}

enum err db_begin(struct db *d) {
    return run_kept(d, "BEGIN IMMEDIATE");
}

enum err db_commit(struct db *d) {
    enum err e = run_kept(d, "COMMIT");
    if (e != ERR_OK) db_rollback(d);
    return e;
}

enum err db_save(struct db *d) {
    return run_kept(d, "SAVEPOINT inner");
}

enum err db_save_end(struct db *d, bool keep) {
    enum err undo = keep ? ERR_OK : run_kept(d, "ROLLBACK TO inner");
    enum err end = run_kept(d, "RELEASE inner");
    return undo != ERR_OK ? undo : end;
}

void db_rollback(struct db *d) {
    if (!sqlite3_get_autocommit(d->c)) (void)sqlite3_exec(d->c, "ROLLBACK", NULL, NULL, NULL);
}

static enum err migrate_one(struct db *d, const char *text, unsigned number) {
    char raise[48];
    (void)snprintf(raise, sizeof raise, "PRAGMA user_version=%u", number);
    TRY(db_begin(d));
    enum err e = db_run(d, text);
    if (e == ERR_OK) e = db_run(d, raise);
    if (e == ERR_OK) return db_commit(d);
    db_rollback(d);
    return e;
}

enum err db_migrate(struct db *d, const char *const *texts, unsigned n, struct err_ctx *ctx) {
    int64_t have;
    TRY(db_number(d, "PRAGMA user_version", &have));
    if (have > n)
        return err_set(ctx, ERR_UNSUPPORTED,
                       "the facts in %s are of a newer Takt (their version is %lld, "
                       "this program knows %u)",
                       d->path, (long long)have, n);
    for (unsigned i = (unsigned)have; i < n; i++) {
        enum err e = migrate_one(d, texts[i], i + 1);
        if (e != ERR_OK) return err_set(ctx, e, "migration %u of the facts failed: %s", i + 1, db_error(d));
    }
    return ERR_OK;
}

// --- statements --------------------------------------------------------------------------------------------

static uint64_t hash_address(const char *sql) {
    return hash_u64((uint64_t)(uintptr_t)sql);
}
static bool same_text(const void *ctx, uint32_t i, const void *key) {
    const struct db *d = ctx;
    return d->rows[i]->sql == key;
}
static uint64_t rehash(const void *ctx, uint32_t i) {
    const struct db *d = ctx;
    return hash_address(d->rows[i]->sql);
}

static enum err keep_row(struct db *d, struct db_row *row) {
    if (d->n_rows == STATEMENTS_MAX) return ERR_LIMIT;
    if (!d->rows) d->rows = mem_alloc(STATEMENTS_MAX * sizeof *d->rows);
    if (!d->rows) return ERR_NOMEM;
    d->rows[d->n_rows] = row;
    TRY(map_put(&d->by_text, hash_address(row->sql), d->n_rows, rehash, d));
    d->n_rows++;
    return ERR_OK;
}

enum err db_prepare(struct db *d, const char *sql, struct db_row **out) {
    uint32_t at = map_get(&d->by_text, hash_address(sql), same_text, d, sql);
    if (at != MAP_NONE) {
        *out = d->rows[at];
        db_reset(*out);
        (void)sqlite3_clear_bindings((*out)->s);
        return ERR_OK;
    }
    struct db_row *row = mem_zalloc(sizeof *row);
    if (!row) return ERR_NOMEM;
    *row = (struct db_row){ .sql = sql, .db = d };
    enum err e = told(d, sqlite3_prepare_v3(d->c, sql, -1, SQLITE_PREPARE_PERSISTENT, &row->s, NULL));
    if (e == ERR_OK) e = keep_row(d, row);
    if (e == ERR_OK) {
        *out = row;
        return ERR_OK;
    }
    sqlite3_finalize(row->s);
    mem_free(row);
    return e;
}

static void note(struct db_row *r, int code) {
    if (code != SQLITE_OK && r->failed == ERR_OK) r->failed = err_of(code);
}

void db_bind_i64(struct db_row *r, int at, int64_t v) {
    note(r, sqlite3_bind_int64(r->s, at, v));
}
void db_bind_f64(struct db_row *r, int at, double v) {
    note(r, sqlite3_bind_double(r->s, at, v));
}
void db_bind_text(struct db_row *r, int at, struct str v) {
    note(r, sqlite3_bind_text64(r->s, at, v.ptr ? v.ptr : "", v.len, SQLITE_STATIC, SQLITE_UTF8));
}
void db_bind_blob(struct db_row *r, int at, struct str v) {
    note(r, sqlite3_bind_blob64(r->s, at, v.ptr ? v.ptr : "", v.len, SQLITE_STATIC));
}
void db_bind_null(struct db_row *r, int at) {
    note(r, sqlite3_bind_null(r->s, at));
}

int db_values(struct db_row *r) {
    return sqlite3_bind_parameter_count(r->s);
}

void db_reset(struct db_row *r) {
    (void)sqlite3_reset(r->s);
    r->failed = ERR_OK;
}

enum err db_step(struct db_row *r, bool *out_row) {
    enum err e = r->failed;
    *out_row = false;
    if (e == ERR_OK) {
        int code = sqlite3_step(r->s);
        *out_row = code == SQLITE_ROW;
        e = told(r->db, code);
    }
    if (!*out_row) db_reset(r);
    return e;
}

enum err db_each(struct db_row *r, enum err (*each)(void *ctx, struct db_row *r), void *ctx) {
    for (bool row;;) {
        TRY(db_step(r, &row));
        if (!row) return ERR_OK;
        enum err e = each(ctx, r);
        if (e == ERR_OK) continue;
        db_reset(r);
        return e;
    }
}

enum err db_done(struct db_row *r) {
    bool row;
    TRY(db_step(r, &row));
    if (row) db_reset(r);
    return ERR_OK;
}

enum err db_cache(struct db *d, unsigned mib) {
    char text[64];
    (void)snprintf(text, sizeof text, "PRAGMA cache_size=-%u; PRAGMA shrink_memory",
                   (mib ? mib : CACHE_KIB >> 10) << 10);
    return db_run(d, text);
}

enum err db_number(struct db *d, const char *sql, int64_t *out) {
    struct db_row *r;
    bool row;
    *out = 0;
    TRY(db_prepare(d, sql, &r));
    TRY(db_step(r, &row));
    if (!row) return ERR_OK;
    *out = db_i64(r, 0);
    db_reset(r);
    return ERR_OK;
}

bool db_is_null(struct db_row *r, int at) {
    return sqlite3_column_type(r->s, at) == SQLITE_NULL;
}
int64_t db_i64(struct db_row *r, int at) {
    return sqlite3_column_int64(r->s, at);
}
double db_f64(struct db_row *r, int at) {
    return sqlite3_column_double(r->s, at);
}
struct str db_text(struct db_row *r, int at) {
    const void *p = sqlite3_column_blob(r->s, at);
    return p ? (struct str){ p, (size_t)sqlite3_column_bytes(r->s, at) } : (struct str){ "", 0 };
}
int64_t db_last_id(const struct db *d) {
    return sqlite3_last_insert_rowid(d->c);
}
uint64_t db_changes(const struct db *d) {
    return (uint64_t)sqlite3_changes64(d->c);
}

// --- backup, check -----------------------------------------------------------------------------------------

static enum err copy_pages(sqlite3_backup *b, void (*progress)(void *ctx, int done, int all), void *ctx) {
    for (;;) {
        int code = sqlite3_backup_step(b, BACKUP_PAGES);
        int all = sqlite3_backup_pagecount(b), left = sqlite3_backup_remaining(b);
        if (progress) progress(ctx, all - left, all);
        if (code == SQLITE_DONE) return ERR_OK;
        if (code == SQLITE_BUSY || code == SQLITE_LOCKED)
            (void)sqlite3_sleep(10);
        else if (code != SQLITE_OK)
            return err_of(code);
    }
}

// One read transaction holds the whole copy together: a writer that goes on would start it anew.
static enum err copy_into(struct db *d, sqlite3 *to, void (*progress)(void *ctx, int done, int all),
                          void *ctx) {
    bool own = sqlite3_get_autocommit(d->c) != 0;
    if (own) TRY(db_run(d, "BEGIN; SELECT count(*) FROM sqlite_schema"));
    sqlite3_backup *b = sqlite3_backup_init(to, "main", d->c, "main");
    enum err e = b ? copy_pages(b, progress, ctx) : err_of(sqlite3_errcode(to));
    if (b) (void)sqlite3_backup_finish(b);
    if (own) db_rollback(d);
    return e;
}

enum err db_backup(struct db *d, const char *path, void (*progress)(void *ctx, int done, int all),
                   void *ctx) {
    sqlite3 *to = NULL;
    if (access(path, F_OK) == 0) return ERR_EXISTS;
    int code = sqlite3_open_v2(path, &to, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, NULL);
    enum err e = code == SQLITE_OK ? copy_into(d, to, progress, ctx) : err_of(code);
    sqlite3_close(to);
    if (e != ERR_OK) (void)unlink(path);
    return e;
}

enum err db_to_memory(struct db *d, struct db **out) {
    struct err_ctx ctx = { 0 };
    TRY(db_open(NULL, DB_MEMORY, out, &ctx));
    enum err e = copy_into(d, (*out)->c, NULL, NULL);
    if (e != ERR_OK) db_close(TAKE(*out));
    return e;
}

enum err db_check(struct db *d, struct err_ctx *ctx) {
    struct db_row *r;
    bool row;
    TRY(db_prepare(d, "PRAGMA quick_check(1)", &r));
    TRY(db_step(r, &row));
    struct str said = row ? db_text(r, 0) : STR("no answer");
    enum err e = str_eq(said, STR("ok"))
                     ? ERR_OK
                     : err_set(ctx, ERR_CORRUPT, "the facts are damaged: %.*s", STR_ARG(said));
    db_reset(r);
    return e;
}
