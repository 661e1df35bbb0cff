// SPDX-License-Identifier: Apache-2.0
#include "delivery/changed_files.h"

#include "base/test.h"
#include "delivery/fixture_test.h"

static struct arena arena;
static struct db *db;

static void begin(void) {
    arena_init(&arena, SIZE_MAX, NULL);
    db = fixture_facts();
}
static void end(void) {
    db_close(db);
    arena_fini(&arena);
}

static void run(const char *sql) {
    CHECK_OK(db_run(db, sql));
}

// A rollout 2 after a rollout 1, of the commits aa… and bb…
static void roll_out(void) {
    run("INSERT INTO rollout(id, service, environment, change_kind, production, sha, kind, state, attempts, "
        "targets, "
        "done_targets, before, commits_state, commits, changes, deploy) VALUES(1, 'shop', 'production', "
        "'service', 1, "
        "printf('%.40c', 'a'), 'first', 'success', 1, 1, 1, NULL, 'baseline', 0, 0, 'a'), (2, 'shop', "
        "'production', "
        "'service', 1, printf('%.40c', 'b'), 'normal', 'success', 1, 1, 1, 1, 'known', 2, 0, 'b')");
}
// The commit of two digits, of the second rollout.
static void bring(const char *sha, const char *files, int all) {
    run(str_z(
        &arena,
        str_fmt(&arena,
                "INSERT INTO rollout_commit VALUES(2, x'%s', 1, %d, 0, '', '');"
                "INSERT INTO pushed_commit(key, repo, sha, files, files_all) VALUES('%s', 'r', '%s', '%s', "
                "%d)",
                sha, (int)sha[1], sha, sha, files, all)));
}

static struct changed_files read_of(int64_t rollout) {
    struct changed_files f;
    CHECK_OK(changed_files_read(db, &arena, rollout, &f));
    return f;
}

static struct str listed(const struct changed_files *f) {
    struct buf b;
    buf_init(&b, 1 << 16);
    for (uint32_t i = 0; i < f->n; i++)
        buf_fmt(&b, "%s%c %.*s", i ? " " : "", "MAD"[f->files[i].how], STR_ARG(f->files[i].path));
    struct str s = str_dup(&arena, buf_view(&b));
    buf_fini(&b);
    return s;
}

TEST(changed_files_are_not_known_where_nothing_tells_them) {
    struct changed_files f;
    begin();
    roll_out();
    f = read_of(1);
    CHECK(f.state == CHANGED_UNKNOWN);
    CHECK_STR(f.why, STR("nothing is known to have run before it"));
    f = read_of(2);
    CHECK(f.state == CHANGED_UNKNOWN && f.n == 0);
    CHECK_STR(f.why, STR("no history that was imported has its commit and that of the rollout before"));
    run("INSERT INTO git_repo VALUES(7, 'r', '', 1); INSERT INTO git_commit(repo, sha, authored_at, "
        "committed_at, flags, "
        "author, subject, parents) SELECT 7, x, 1, 1, 0, '', '', '' FROM (SELECT "
        "x'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa' "
        "AS x UNION SELECT x'bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb')");
    CHECK_STR(read_of(2).why, STR("the history was sent by another machine, which tells no files"));
    run("UPDATE git_repo SET path = '/nowhere'");
    f = read_of(2);
    CHECK(f.state == CHANGED_UNKNOWN && f.why.len > 0);
    run("UPDATE rollout SET sha = 'b'");
    CHECK_STR(read_of(2).why, STR("of this rollout and the one before it not both tell a whole commit"));
    run("UPDATE rollout SET sha = printf('%.40c', 'a')");
    CHECK(read_of(2).state == CHANGED_KNOWN && read_of(2).n == 0); // the same once more
    CHECK(changed_files_read(db, &arena, 3, &f) == ERR_NOT_FOUND);
    end();
}

TEST(changed_files_of_pushes_are_folded_over_their_commits) {
    struct changed_files f;
    begin();
    roll_out();
    bring("01", "A new.c\nA gone.c\nM go.mod\nD back.c\nD old.c\nM both.c", 6);
    f = read_of(2);
    CHECK(f.state == CHANGED_CUT && f.n_told == 1); // of two commits
    bring("02", "M new.c\nD gone.c\nA back.c\nD both.c", 4);
    f = read_of(2);
    CHECK(f.state == CHANGED_KNOWN && f.by_pushes && f.n_told == 2 && f.why.len == 0);
    CHECK_STR(listed(&f), STR("M go.mod M back.c D both.c A new.c D old.c"));
    CHECK(f.files[0].kind == FILE_DEPENDENCY && f.files[1].kind == FILE_CODE);
    run("INSERT INTO catalogue_path VALUES('shop', 'old.c'), ('shop', 'go.mod')");
    f = read_of(2);
    CHECK_STR(listed(&f), STR("M go.mod D old.c"));
    run("UPDATE rollout SET kind = 'rollback' WHERE id = 1"); // what it took back comes again, and is not
                                                              // told
    CHECK(read_of(2).state == CHANGED_CUT && read_of(2).why.len > 0);
    run("UPDATE rollout SET kind = 'first' WHERE id = 1; UPDATE rollout SET commits_state = 'cut' WHERE id = "
        "2");
    CHECK(read_of(2).state == CHANGED_CUT);
    run("UPDATE rollout SET commits_state = 'known'");
    CHECK(read_of(2).state == CHANGED_KNOWN);
    run("UPDATE pushed_commit SET files_all = 5 WHERE sha = '02'");
    CHECK(read_of(2).state == CHANGED_CUT && read_of(2).why.len > 0);
    run("UPDATE pushed_commit SET files = NULL, files_all = 0 WHERE sha = '02'"); // it changed no file
    CHECK(read_of(2).state == CHANGED_KNOWN && read_of(2).n_told == 2);
    run("UPDATE pushed_commit SET files_all = NULL WHERE sha = '02'"); // nobody told
    CHECK(read_of(2).state == CHANGED_CUT && read_of(2).n_told == 1);
    end();
}
