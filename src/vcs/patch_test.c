// SPDX-License-Identifier: Apache-2.0
#include "vcs/git_test.h"
#include "vcs/patch.h"

static struct patch patch_of(struct repo *r, const char *name) {
    struct patch p;
    struct err_ctx ctx = { 0 };
    struct sha id = git_sha(r, name);
    enum err e = patch_read(r, &id, &ctx, &p);
    if (e != ERR_OK) printf("# %s\n", ctx.text);
    CHECK_OK(e);
    return p;
}

static struct str hex(const struct patch *p) {
    struct sha_text t = sha_text(&p->id);
    return test_exact((struct str){ t.z, SHA_HEX });
}

// Commits of many kinds; the first one has no parent.
static const char many[] =
    "git init -q r; cd r\n"
    "seq 1 40 >a; printf 'x\\ny' >no-newline; git add .; git commit -qm root\n"
    "sed -i 's/^7$/seven/; s/^30$/thirty/' a; git commit -qam 'two hunks'\n"
    "sed -i 's/^8$/eight/' a; git commit -qam 'one hunk'\n"
    "printf 'x\\ny\\n' >no-newline; git commit -qam 'newline at the end'\n"
    "printf 'x\\nz' >no-newline; git commit -qam 'and away'\n"
    "chmod +x a; git commit -qam 'mode only'\n"
    "chmod -x a; echo more >>a; git commit -qam 'mode and text'\n"
    ": >empty; git add empty; git commit -qm 'empty file'\n"
    "git rm -q empty; git commit -qm 'empty file away'\n"
    "git mv a b; git commit -qm 'renamed'\n"
    "mkdir -p d/e; cp b d/e/f; echo g >d-g; git add .; git commit -qm 'folders'\n"
    "git rm -q d/e/f; git commit -qm 'gone'\n"
    "ln -s b link; git add link; git commit -qm 'link'\n"
    "ln -sfn c link; git commit -qam 'link moved'\n"
    "rm link; echo file >link; git commit -qam 'link is a file'\n"
    "rm link; mkdir link; echo x >link/in; git add -A; git commit -qm 'file is a folder'\n"
    "printf 'f() {\\n\\tone\\n}\\n\\ng() {\\n\\ttwo\\n}\\n' >code; git add code; git commit -qm code\n"
    "printf 'f() {\\n\\tone\\n}\\n\\nh() {\\n\\tnew\\n}\\n\\ng() {\\n\\ttwo\\n}\\n' >code; git commit -qam "
    "slide\n"
    "sed -i 's/\\t/    /' code; git commit -qam 'white space'\n"
    "printf 'a b\\r\\nc\\f\\n' >'with space'; git add .; git commit -qm 'odd space'\n"
    "git update-index --add --cacheinfo 160000,1234567890123456789012345678901234567890,sub; git commit -qm "
    "sub\n"
    "git update-index --cacheinfo 160000,abcdefabcdefabcdefabcdefabcdefabcdefabcd,sub; git commit -qm sub2\n"
    "git update-index --force-remove sub; git commit -qm nosub\n"
    "seq 1 3000 | sed 's/$/ line/' >big; git add big; git commit -qm big\n"
    "awk 'NR%7 {print} NR%11==0 {print \"new\" NR}' big >x; mv x big; git commit -qam churn\n";

TEST(patch_ids_are_those_of_git) {
    enum { COMMITS = 25 };
    git_sh("%s", many);
    struct str lines = git_out("cd r; git log --reverse --no-renames -p | git patch-id --stable"), line, want,
               name;
    struct patch p[COMMITS + 1];
    struct repo *r = git_open("r");
    int n = 0;
    while (lines.len && n < COMMITS) {
        (void)str_cut(lines, '\n', &line, &lines);
        CHECK(str_cut(line, ' ', &want, &name) && name.len == SHA_HEX);
        p[++n] = patch_of(r, str_z(git_arena(), name));
        CHECK_U64(p[n].kind, PATCH_OK);
        if (!str_eq(hex(&p[n]), want)) printf("# commit %d\n", n);
        CHECK_STR(hex(&p[n]), want);
        CHECK(!p[n].has_binary);
    }
    CHECK_U64(n, COMMITS);
    CHECK_U64(lines.len, 0);
    CHECK(p[1].n_files == 2 && p[1].n_added == 42 && p[1].n_removed == 0);
    CHECK(p[2].n_files == 1 && p[2].n_added == 2 && p[2].n_removed == 2);      // two hunks
    CHECK(p[10].n_files == 2 && p[10].n_added == 41 && p[10].n_removed == 41); // renamed: gone and new
    repo_close(r);
}

TEST(patch_of_a_cherry_pick_is_that_of_its_original) {
    git_sh("git init -q r; cd r; seq 1 50 >f; git add f; git commit -qm base; git checkout -qb rel\n"
           "git checkout -q main; sed -i '1i start' f; git commit -qam shift; git tag shift\n"
           "sed -i 's/^40$/forty/' f; git commit -qam fix; git tag fix\n"
           "git checkout -q rel; git cherry-pick fix >/dev/null; git tag pick\n"
           "sed -i 's/^41$/forty-one/' f; git commit -qam other; git tag other\n"
           "git checkout -q main; git revert --no-edit HEAD >/dev/null; git tag revert\n"
           "git cherry-pick fix >/dev/null; git tag again");
    struct repo *r = git_open("r");
    struct patch fix = patch_of(r, "fix"), pick = patch_of(r, "pick"), other = patch_of(r, "other");
    struct patch revert = patch_of(r, "revert"), again = patch_of(r, "again");
    CHECK_STR(hex(&pick), hex(&fix));
    CHECK_STR(hex(&again), hex(&fix));
    CHECK(!sha_eq(&other.id, &fix.id) && !sha_eq(&revert.id, &fix.id));
    repo_close(r);
}

TEST(patch_tells_binary_files_apart) {
    git_sh("git init -q r; cd r; printf 'a\\0a' >f; git add f; git commit -qm 1; git branch other\n"
           "printf 'b\\0b' >f; git commit -qam b; git tag b; git checkout -q other\n"
           "printf 'c\\0c' >f; git commit -qam c; git tag c; git checkout -q main~1 2>/dev/null\n"
           "git cherry-pick b >/dev/null; git commit -q --amend -m again; git tag again\n"
           "(head -c 5000000 /dev/zero | tr '\\0' x) >big; git add big; git commit -qm large; git tag large");
    struct repo *r = git_open("r");
    struct patch b = patch_of(r, "b"), c = patch_of(r, "c"), again = patch_of(r, "again"),
                 large = patch_of(r, "large");
    CHECK(b.kind == PATCH_OK && b.has_binary && b.n_added == 0);
    CHECK(!sha_eq(&b.id, &c.id)); // git patch-id says the same of both
    CHECK(sha_eq(&b.id, &again.id));
    CHECK(large.kind == PATCH_OK && large.has_binary);
    repo_close(r);
}

TEST(patch_does_not_look_at_settings_and_attributes) {
    git_sh("git init -q r; cd r; seq 1 9 >f; git add f; git commit -qm 1; echo x >>f; git commit -qam 2");
    struct repo *r = git_open("r");
    struct patch before = patch_of(r, "main");
    repo_close(r);
    git_sh("cd r; echo '* -diff' >.gitattributes; mkdir -p .git/info; echo '* binary' >.git/info/attributes\n"
           "git config diff.context 0; git config diff.algorithm histogram; git config diff.noprefix true");
    r = git_open("r");
    struct patch after = patch_of(r, "main");
    CHECK(sha_eq(&before.id, &after.id));
    repo_close(r);
}

TEST(patch_kinds_without_an_id) {
    git_sh(
        "git init -q r; cd r; save f 1 A; git commit -q --allow-empty -m empty; git tag empty\n"
        "git checkout -qb t HEAD~1; save g 1 T; git checkout -q main; git merge -q --no-ff -m M t; git tag "
        "merge\n"
        "b=$(git rev-parse HEAD:f); seq 1 2001 | awk -v b=$b '{print \"100644 \" b \"\\tmany/\" $1}' | git "
        "update-index --add --index-info; git commit -qm many; git reset -q --hard; git tag many\n"
        "save f 2 B; git tag lost; rm -f .git/objects/$(git rev-parse lost:f | sed 's|..|&/|')\n"
        "cd ..; git clone -q --depth 1 --branch many file://$PWD/r s");
    struct repo *r = git_open("r"), *s = git_open("s");
    CHECK_U64(patch_of(r, "empty").kind, PATCH_EMPTY);
    CHECK_U64(patch_of(r, "merge").kind, PATCH_MERGE);
    CHECK_U64(patch_of(r, "many").kind, PATCH_TOO_LARGE);
    CHECK_U64(patch_of(r, "lost").kind, PATCH_MISSING);
    CHECK_U64(patch_of(s, "many").kind, PATCH_MISSING); // its parent was not cloned
    struct patch p;
    struct err_ctx ctx = { 0 };
    CHECK(patch_read(r, &(struct sha){ { 1 } }, &ctx, &p) == ERR_NOT_FOUND && ctx.text[0]);
    repo_close(r), repo_close(s);
}

static void check_paths(struct repo *r, const char *name, enum patch_kind kind, const char *want) {
    struct patch_files p;
    struct buf got;
    struct sha id = git_sha(r, name);
    CHECK_OK(patch_files(git_arena(), r, &id, &(struct err_ctx){ 0 }, &p));
    CHECK_U64(p.kind, kind);
    buf_init(&got, 1 << 16);
    for (uint32_t i = 0; i < p.n; i++) buf_fmt(&got, "%s%.*s", i ? " " : "", STR_ARG(p.files[i].path));
    struct str text = test_exact(buf_view(&got));
    buf_fini(&got);
    CHECK_STR(text, str_of(want));
}

TEST(patch_paths_are_those_that_a_commit_touches) {
    git_sh("git init -q r; cd r; mkdir -p svc/cart svc/pay lib; for d in svc/cart svc/pay lib; do echo 1 "
           ">$d/a; done\n"
           "git add .; git commit -qm root; git tag root\n"
           "echo 2 >svc/pay/a; echo 1 >svc/pay/b; git rm -qr lib; git add .; git commit -qm x; git tag x\n"
           "git checkout -qb t HEAD~1; echo 3 >svc/cart/a; git commit -qam t; git checkout -q main\n"
           "git merge -q --no-ff -m M t; git tag merge; git commit -q --allow-empty -m e; git tag empty\n"
           "rm svc/pay/b; mkdir svc/pay/b; echo 1 >svc/pay/b/in; echo 1 >svc/pay/b.c; echo >svc/pay/b0\n"
           "git add -A; git commit -qm d; git tag d; rm svc/pay/a; ln -s x svc/pay/a; git commit -qam l; git "
           "tag l");
    struct repo *r = git_open("r");
    check_paths(r, "root", PATCH_OK, "lib/a svc/cart/a svc/pay/a");
    check_paths(r, "x", PATCH_OK, "lib/a svc/pay/a svc/pay/b");
    check_paths(r, "merge", PATCH_OK, "svc/cart/a");
    check_paths(r, "empty", PATCH_EMPTY, "");
    check_paths(r, "d", PATCH_OK, "svc/pay/b svc/pay/b.c svc/pay/b/in svc/pay/b0");
    check_paths(r, "l", PATCH_OK, "svc/pay/a");
    repo_close(r);
}

TEST(patch_between_two_commits_says_how_each_file_changed) {
    git_sh("git init -q r; cd r; mkdir d; echo 1 >a; echo 1 >d/b; echo 1 >c; git add .; git commit -qm 1; "
           "git tag v1\n"
           "echo 2 >a; git commit -qam 2; git rm -q c; echo 1 >d/e; git add .; git commit -qm 3; echo 1 >a\n"
           "rm d/b; ln -s x d/b; git commit -qam 4; git tag v2; git tag v3");
    struct repo *r = git_open("r");
    struct patch_files p;
    struct sha old = git_sha(r, "v1"), new = git_sha(r, "v2"), none = { { 1 } };
    struct err_ctx ctx = { 0 };
    CHECK_OK(patch_between(git_arena(), r, &old, &new, &ctx, &p));
    CHECK_U64(p.n, 3); // a is as it was
    CHECK(p.files[0].how == PATCH_REMOVED && p.files[1].how == PATCH_CHANGED &&
          p.files[2].how == PATCH_ADDED);
    CHECK_STR(p.files[1].path, STR("d/b"));
    struct str text;
    struct patch_file gone = p.files[0], link = p.files[1]; // the arena goes with the next
    CHECK_OK(patch_blob(git_arena(), r, &link.old, 100, &text));
    CHECK_STR(text, STR("1\n"));
    CHECK_OK(patch_blob(git_arena(), r, &link.new, 100, &text));
    CHECK_STR(text, STR("x")); // of the link
    CHECK_OK(patch_blob(git_arena(), r, &gone.new, 100, &text));
    CHECK_U64(text.len, 0); // it is gone
    CHECK(patch_blob(git_arena(), r, &link.old, 1, &text) == ERR_LIMIT);
    CHECK(patch_blob(git_arena(), r, &new, 1000, &text) == ERR_INVALID); // a commit
    CHECK_OK(patch_between(git_arena(), r, &new, &old, &ctx, &p));       // back again
    CHECK(p.n == 3 && p.files[0].how == PATCH_ADDED && p.files[2].how == PATCH_REMOVED);
    CHECK_OK(patch_between(git_arena(), r, &new, &new, &ctx, &p));
    CHECK(p.kind == PATCH_EMPTY && p.n == 0);
    CHECK(patch_between(git_arena(), r, &none, &new, &ctx, &p) == ERR_NOT_FOUND && ctx.text[0]);
    CHECK(patch_between(git_arena(), r, &old, &none, &ctx, &p) == ERR_NOT_FOUND);
    repo_close(r);
}

// Trees of trees of trees, ten times each: 10^9 files from ten small objects. And one that is too deep.
TEST(patch_of_a_tree_without_end_is_too_large) {
    git_sh(
        "git init -q r; cd r; export GIT_INDEX_FILE=$PWD/deep; blob=$(echo x | git hash-object -w --stdin)\n"
        "tens() { for n in 0 1 2 3 4 5 6 7 8 9; do printf \"$1 $2\\t$n\\n\"; done | git mktree; }\n"
        "id=$(tens '100644 blob' $blob); for i in $(seq 1 8); do id=$(tens '040000 tree' $id); done\n"
        "git update-ref refs/heads/bomb $(git commit-tree -m bomb $id)\n"
        "id=$(git mktree </dev/null); for i in $(seq 1 9); do id=$(tens '040000 tree' $id); done\n"
        "git update-ref refs/heads/hollow $(git commit-tree -m hollow $id)\n"
        "git update-index --add --cacheinfo 100644,$blob,$(printf 'd/%%.0s' $(seq 140))f\n"
        "git update-ref refs/heads/deep $(git commit-tree -m deep $(git write-tree))");
    struct repo *r = git_open("r");
    static const char *const names[] = { "bomb", "hollow", "deep" };
    for (int i = 0; i < 3; i++) {
        struct patch_files paths;
        struct sha id = git_sha(r, names[i]);
        CHECK_U64(patch_of(r, names[i]).kind, PATCH_TOO_LARGE);
        CHECK_OK(patch_files(git_arena(), r, &id, &(struct err_ctx){ 0 }, &paths));
        CHECK_U64(paths.kind, PATCH_TOO_LARGE);
        CHECK_U64(paths.n, i == 0 ? PATCH_PATHS_MAX : 0);
    }
    repo_close(r);
}

TEST(patch_survives_each_failed_allocation) {
    git_sh("git init -q r; cd r; seq 1 9 >f; git add f; git commit -qm 1; git tag one; echo x >>f; mkdir d\n"
           "echo 1 >d/g; git add .; git commit -qm 2");
    struct repo *r = git_open("r");
    struct sha id = git_sha(r, "main");
    struct patch p;
    struct patch_files paths;
    enum err e = ERR_NOMEM;
    for (uint64_t n = 1; e != ERR_OK; n++) {
        CHECK(n < 100);
        mem_fail_at(n, false);
        e = patch_read(r, &id, &(struct err_ctx){ 0 }, &p);
        mem_fail_at(0, false);
        CHECK(e == ERR_OK || e == ERR_NOMEM);
    }
    CHECK_U64(p.n_files, 2);
    e = ERR_NOMEM;
    for (uint64_t n = 1; e != ERR_OK; n++) {
        struct arena *a = git_arena();
        CHECK(n < 100);
        mem_fail_at(n, false);
        e = patch_files(a, r, &id, &(struct err_ctx){ 0 }, &paths);
        mem_fail_at(0, false);
        CHECK(e == ERR_OK || e == ERR_NOMEM);
    }
    CHECK_U64(paths.n, 2);
    struct sha first = git_sha(r, "one");
    e = ERR_NOMEM;
    for (uint64_t n = 1; e != ERR_OK; n++) {
        struct arena *a = git_arena();
        CHECK(n < 100);
        mem_fail_at(n, false);
        e = patch_between(a, r, &first, &id, &(struct err_ctx){ 0 }, &paths);
        mem_fail_at(0, false);
        CHECK(e == ERR_OK || e == ERR_NOMEM);
    }
    CHECK_U64(paths.n, 2);
    repo_close(r);
}

// What no git writes, but a repository may hold: the walk ends, and says that it is damaged or what it found.
TEST(patch_of_trees_that_no_git_wrote) {
    static const char *const trees[] = {
        "100644 a",                                        // cut off
        "100644 a\\0abc",                                  // a short sha
        "100644 \\0$B",                                    // no name
        "9 a\\0$B",                                        // no octal number
        "100644a\\0$B",                                    // no space
        "0000000100644 a\\0$B",                            // a long mode
        "0 a\\0$B",                                        // no mode
        "100644 a/b\\0$B",                                 // a path for a name
        "40000 a\\0$B",                                    // a file for a folder
        "100644 b\\0${B}100644 a\\0${B}100644 b\\0${B}",   // no order, and twice
        "40000 a\\0${T}100644 a\\0${B}40000 a\\0${T}",     // file and folder of one name
        "160000 ..\\0${B}120000 .git\\0${B}777777 x\\0$B", // odd names and modes
    };
    git_sh("git init -q r; cd r; save f 1 A; hex() { git rev-parse $1 | sed 's/../\\\\x&/g'; }");
    for (size_t i = 0; i < sizeof trees / sizeof *trees; i++) {
        git_sh("cd r; hex() { git rev-parse $1 | sed 's/../\\\\x&/g'; }; B=$(hex main:f) T=$(hex "
               "'main^{tree}')\n"
               "bash -c \"printf '%s'\" >tree 2>/dev/null; t=$(git hash-object -t tree --literally -w tree)\n"
               "printf \"tree $t\\nparent $(git rev-parse main)\\n\\nx\\n\" >raw\n"
               "git update-ref refs/heads/t%zu $(git hash-object -t commit --literally -w raw)",
               trees[i], i);
    }
    struct repo *r = git_open("r");
    for (size_t i = 0; i < sizeof trees / sizeof *trees; i++) {
        char name[16];
        struct patch_files paths;
        (void)snprintf(name, sizeof name, "t%zu", i);
        struct sha id = git_sha(r, name);
        struct patch p = patch_of(r, name);
        CHECK_OK(patch_files(git_arena(), r, &id, &(struct err_ctx){ 0 }, &paths));
        if (i < 9) CHECK_U64(p.kind, PATCH_MISSING);
        if (i < 8) CHECK(paths.kind == PATCH_MISSING || paths.n <= 2);
        if (i == 9) CHECK(p.kind == PATCH_OK && p.n_files == 4);
    }
    repo_close(r);
}
