// SPDX-License-Identifier: Apache-2.0
#include "facts/db.h"

#include <unistd.h>

#include "base/test.h"

static const char *const migrations[] = { "CREATE TABLE t(a INTEGER PRIMARY KEY, b TEXT)",
                                          "ALTER TABLE t ADD COLUMN c BLOB; CREATE INDEX t_b ON t(b)" };

static struct db *open_in(char *path, enum db_mode mode) {
    struct db *d;
    struct err_ctx ctx = { 0 };
    CHECK_OK(db_open(path, mode, &d, &ctx));
    return d;
}
static char *path_in(const char *name) {
    static char path[4096];
    (void)snprintf(path, sizeof path, "%s/%s", test_dir(), name);
    return path;
}

static void put(struct db *d, int64_t a, struct str b) {
    struct db_row *r;
    CHECK_OK(db_prepare(d, "INSERT INTO t(a, b) VALUES(?, ?)", &r));
    db_bind_i64(r, 1, a);
    db_bind_text(r, 2, b);
    CHECK_OK(db_done(r));
}

static int64_t count(struct db *d) {
    struct db_row *r;
    bool row;
    CHECK_OK(db_prepare(d, "SELECT count(*) FROM t", &r));
    CHECK_OK(db_step(r, &row));
    int64_t n = db_i64(r, 0);
    db_reset(r);
    return n;
}

TEST(db_values_come_back) {
    struct err_ctx ctx = { 0 };
    struct db_row *r;
    bool row;
    struct db *d = open_in(path_in("a.db"), DB_WRITE);
    CHECK_OK(db_migrate(d, migrations, 2, &ctx));
    CHECK_OK(db_prepare(d, "INSERT INTO t VALUES(?, ?, ?)", &r));
    db_bind_i64(r, 1, INT64_MIN);
    db_bind_text(r, 2, STR("a \xe2\x82\xac b"));
    db_bind_blob(r, 3, (struct str){ "\0\1\2", 3 });
    CHECK_OK(db_done(r));
    CHECK_OK(db_prepare(d, "SELECT a, b, c, NULL FROM t", &r));
    CHECK_OK(db_step(r, &row));
    CHECK(row && db_i64(r, 0) == INT64_MIN && db_is_null(r, 3));
    CHECK_STR(db_text(r, 1), STR("a \xe2\x82\xac b"));
    CHECK_STR(db_text(r, 2), ((struct str){ "\0\1\2", 3 }));
    CHECK_OK(db_step(r, &row));
    CHECK(!row);
    db_close(d);
}

TEST(db_a_transaction_is_all_or_nothing) {
    struct err_ctx ctx = { 0 };
    struct db *d = open_in(path_in("a.db"), DB_WRITE);
    CHECK_OK(db_migrate(d, migrations, 2, &ctx));
    CHECK_OK(db_begin(d));
    put(d, 1, STR("x"));
    db_rollback(d);
    CHECK_U64(count(d), 0);
    CHECK_OK(db_begin(d));
    put(d, 1, STR("x"));
    CHECK_OK(db_commit(d));
    struct db_row *r;
    CHECK_OK(db_prepare(d, "INSERT INTO t(a) VALUES(1)", &r));
    CHECK(db_done(r) == ERR_EXISTS);
    CHECK_U64(count(d), 1);
    db_close(d);
}

TEST(db_migrations_run_once_and_a_newer_file_is_refused) {
    struct err_ctx ctx = { 0 };
    char *path = path_in("a.db");
    struct db *d = open_in(path, DB_WRITE);
    CHECK_OK(db_migrate(d, migrations, 1, &ctx));
    put(d, 1, STR("kept"));
    db_close(d);
    d = open_in(path, DB_WRITE);
    CHECK_OK(db_migrate(d, migrations, 2, &ctx));
    CHECK_OK(db_migrate(d, migrations, 2, &ctx));
    CHECK_U64(count(d), 1);
    CHECK(db_migrate(d, migrations, 1, &ctx) == ERR_UNSUPPORTED);
    static const char *const bad[] = { "", "", "CREATE TABLE u(a); CREATE nonsense" };
    CHECK(db_migrate(d, bad, 3, &ctx) != ERR_OK); // and nothing of it stays
    CHECK(db_run(d, "SELECT * FROM u") != ERR_OK);
    db_close(d);
}

TEST(db_readers_go_beside_a_writer_and_write_nothing) {
    struct err_ctx ctx = { 0 };
    char *path = path_in("with space?#%.db");
    struct db *d = open_in(path, DB_WRITE), *again;
    CHECK_OK(db_migrate(d, migrations, 2, &ctx));
    put(d, 1, STR("x"));
    CHECK_OK(db_again(d, &again));
    put(d, 2, STR("y"));
    CHECK_U64(count(again), 2);
    struct db_row *r;
    CHECK_OK(db_prepare(again, "DELETE FROM t", &r));
    CHECK(db_done(r) != ERR_OK);
    db_close(again);
    db_close(d);
    d = open_in(path, DB_READ); // nobody writes: no log is made
    CHECK_U64(count(d), 2);
    char log[4200];
    (void)snprintf(log, sizeof log, "%s-wal", path);
    CHECK(access(log, F_OK) != 0);
    db_close(d);
}

TEST(db_says_what_is_wrong_with_a_file) {
    struct err_ctx ctx = { 0 };
    char *path = path_in("bad.db");
    struct db *d;
    CHECK(db_open(path, DB_READ, &d, &ctx) == ERR_NOT_FOUND);
    FILE *f = fopen(path, "w");
    for (int i = 0; i < 2000; i++) (void)fputs("not a data base\n", f);
    (void)fclose(f);
    ctx = (struct err_ctx){ 0 };
    CHECK(db_open(path, DB_WRITE, &d, &ctx) == ERR_CORRUPT);
    CHECK(strstr(ctx.text, "bad.db"));
    CHECK(strstr(ctx.text, "not a database"));
}

TEST(db_check_finds_damage) {
    struct err_ctx ctx = { 0 };
    char path[4096];
    (void)snprintf(path, sizeof path, "%s", path_in("bad.db"));
    struct db *d = open_in(path, DB_WRITE);
    CHECK_OK(db_run(d, "CREATE TABLE t(a INTEGER PRIMARY KEY, c TEXT NOT NULL) WITHOUT ROWID"));
    CHECK_OK(db_run(d, "WITH RECURSIVE i(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM i WHERE n < 2000) "
                       "INSERT INTO t SELECT n, 'some text that fills pages' FROM i"));
    CHECK_OK(db_check(d, &ctx));
    db_close(d);
    FILE *f = fopen(path, "r+");
    (void)fseek(f, -3000, SEEK_END);
    for (int i = 0; i < 2000; i++) (void)fputc(0xff, f);
    (void)fclose(f);
    d = open_in(path, DB_READ);
    CHECK(db_check(d, &ctx) == ERR_CORRUPT);
    db_close(d);
}

TEST(db_backup_is_whole_while_somebody_writes) {
    struct err_ctx ctx = { 0 };
    char path[4096];
    (void)snprintf(path, sizeof path, "%s", path_in("a.db"));
    struct db *d = open_in(path, DB_WRITE), *again;
    CHECK_OK(db_migrate(d, migrations, 2, &ctx));
    CHECK_OK(db_begin(d));
    for (int i = 0; i < 20000; i++)
        put(d, i, STR("some text that fills pages of the file, so that there are many"));
    CHECK_OK(db_commit(d));
    CHECK_OK(db_again(d, &again));
    char *copy = path_in("copy.db");
    CHECK_OK(db_backup(again, copy, NULL, NULL));
    CHECK(db_backup(again, copy, NULL, NULL) == ERR_EXISTS);
    put(d, -1, STR("later"));
    struct db *c = open_in(copy, DB_READ);
    CHECK_U64(count(c), 20000);
    CHECK_OK(db_check(c, &ctx));
    db_close(c);
    db_close(again);
    db_close(d);
}
