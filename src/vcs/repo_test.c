// SPDX-License-Identifier: Apache-2.0
#include "vcs/git_test.h"

#include <unistd.h>

// libgit2 1.5 loses some memory when a repository has extensions (a match that fails is not freed).
#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/lsan_interface.h>
#define LEAKS_BEGIN() __lsan_disable()
#define LEAKS_END() __lsan_enable()
#else
#define LEAKS_BEGIN() ((void)0)
#define LEAKS_END() ((void)0)
#endif

TEST(url_of_one_repository_has_one_spelling) {
    static const struct {
        const char *url, *want, *why; // want NULL: no address of a host
    } cases[] = {
        { "https://github.com/acme/shop", "https://github.com/acme/shop", "as it is" },
        { "https://github.com/acme/shop.git", "https://github.com/acme/shop", ".git" },
        { "https://github.com/acme/shop.git/", "https://github.com/acme/shop", "slash at the end" },
        { "https://GitHub.COM//acme//shop", "https://github.com/acme/shop",
          "host in lower case, single slashes" },
        { "https://user:pa%40ss@github.com/acme/shop", "https://github.com/acme/shop", "no credentials" },
        { "https://x@y:z@github.com/acme/shop", "https://github.com/acme/shop", "the last @ counts" },
        { "https://github.com:443/acme/shop", "https://github.com/acme/shop", "the usual port" },
        { "https://git.acme.io:8443/shop", "https://git.acme.io:8443/shop", "a port of one's own" },
        { "http://git.acme.io/shop", "https://git.acme.io/shop", "http" },
        { "git@github.com:acme/shop.git", "https://github.com/acme/shop", "scp" },
        { "github.com:acme/shop", "https://github.com/acme/shop", "scp without a user" },
        { "git@github.com:/acme/shop.git", "https://github.com/acme/shop", "scp with a root" },
        { "ssh://git@github.com/acme/shop.git", "https://github.com/acme/shop", "ssh" },
        { "ssh://git@bitbucket.acme.io:7999/pay/shop.git", "https://bitbucket.acme.io/pay/shop", "ssh port" },
        { "SSH://git@github.com/acme/Shop", "https://github.com/acme/Shop", "the path is as spelt" },
        { "git://git.kernel.org/pub/linux.git", "https://git.kernel.org/pub/linux", "git" },
        { "git+ssh://git@github.com/acme/shop", "https://github.com/acme/shop", "git+ssh" },
        { "https://[::1]:8443/a/b", "https://[::1]:8443/a/b", "IPv6 and port" },
        { "git@[::1]:a/b.git", "https://[::1]/a/b", "IPv6, scp" },
        { "https://gitlab.com/acme/sub/group/shop.git", "https://gitlab.com/acme/sub/group/shop", "groups" },
        { "/srv/git/shop.git", NULL, "a path" },
        { "../shop", NULL, "a relative path" },
        { "./a:b/c", NULL, "a path with a colon" },
        { "file:///srv/git/shop.git", NULL, "file" },
        { "C:\\git\\shop", NULL, "a drive" },
        { "ext::sh -c evil", NULL, "a command" },
        { "ext::evil", NULL, "a command without spaces" },
        { "https://github.com", NULL, "no path" },
        { "https://github.com/.git", NULL, "nothing but .git" },
        { "https:///acme/shop", NULL, "no host" },
        { "https://git hub.com/a", NULL, "a space" },
        { "https://h\xff.com/a", NULL, "no UTF-8" },
        { "s3://bucket/shop", NULL, "a scheme of somebody else" },
        { "", NULL, "nothing" },
        { "@", NULL, "only @" },
        { ":", NULL, "only a colon" },
        { "[", NULL, "an open bracket" },
    };
    struct arena *a = git_arena();
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct str got = STR("");
        bool ok = repo_url_normalise(a, test_exact(str_of(cases[i].url)), &got);
        if (ok != (cases[i].want != NULL)) printf("# %s: %s\n", cases[i].url, cases[i].why);
        CHECK(ok == (cases[i].want != NULL));
        if (ok) CHECK_STR(got, str_of(cases[i].want));
    }
}

TEST(repo_is_named_by_its_origin_or_its_path) {
    git_sh("git init -q a; git -C a remote add origin git@GitHub.com:acme/shop.git; git init -q --bare b.git;"
           "git clone -q b.git c");
    struct repo *a = git_open("a"), *b = git_open("b.git"), *c = git_open("c");
    CHECK_STR(repo_identity(a), STR("https://github.com/acme/shop"));
    CHECK_STR(repo_path(a), git_out("cd a; pwd -P"));
    CHECK_STR(repo_identity(b), git_out("cd b.git; pwd -P"));
    CHECK_STR(repo_identity(c), git_out("cd c; pwd -P")); // its origin is a folder, which is no address
    CHECK(!repo_is_bare(a) && repo_is_bare(b));
    repo_close(a), repo_close(b), repo_close(c);
}

TEST(repo_opens_from_git_folder_and_work_tree_but_not_from_below) {
    git_sh("git init -q a; cd a; save f 1 first; mkdir sub; git worktree add -q ../w");
    struct repo *r = git_open("a/.git"), *w = git_open("w");
    struct err_ctx ctx = { 0 };
    char path[512];
    CHECK_STR(repo_path(r), git_out("cd a; pwd -P"));
    CHECK(memcmp(&(struct sha){ 0 }, git_sha(w, "HEAD").byte, SHA_BYTES) != 0);
    repo_close(r), repo_close(w);
    (void)snprintf(path, sizeof path, "%s/a/sub", test_dir());
    CHECK(repo_open(path, &ctx, &r) == ERR_NOT_FOUND);
    CHECK(strstr(ctx.text, "a/sub is no git repository") != NULL);
    CHECK(repo_open("/nonexistent", &(struct err_ctx){ 0 }, &r) == ERR_NOT_FOUND);
    repo_close(NULL);
}

TEST(default_branch_is_that_of_origin_then_head) {
    struct str name;
    struct sha tip;
    git_sh("git init -q -b trunk a; cd a; save f 1 first; git checkout -qb topic; save f 2 second;"
           "git checkout -q trunk; cd ..; git clone -q a b; cd b; git checkout -qb mine; save f 3 third;"
           "cd ..; git init -q -b none e; git init -q d; cd d; save f 1 x; git checkout -q --detach");
    struct repo *a = git_open("a"), *b = git_open("b"), *e = git_open("e"), *d = git_open("d");
    CHECK(repo_default_branch(a, &name, &tip));
    CHECK_STR(name, STR("trunk"));
    CHECK(repo_default_branch(b, &name, &tip)); // where "mine" is checked out
    CHECK_STR(name, STR("trunk"));
    CHECK_STR(str_of(sha_text(&tip).z), git_out("cd b; git rev-parse origin/trunk"));
    CHECK(!repo_default_branch(e, &name, &tip)); // no commit yet
    CHECK_STR(name, STR("none"));
    CHECK(!repo_default_branch(d, &name, &tip));
    CHECK_STR(name, STR(""));
    repo_close(a), repo_close(b), repo_close(e), repo_close(d);
}

TEST(tips_are_all_branches_once) {
    git_sh("git init -q a; cd a; save f 1 one; git branch same; git checkout -qb topic; save f 2 two;"
           "git checkout -q main; git update-ref refs/remotes/origin/x topic; git checkout -q --detach;"
           "save f 3 loose; git init -q ../e; git tag blob HEAD:f");
    struct repo *a = git_open("a"), *e = git_open("e");
    struct repo_tips t;
    struct err_ctx ctx = { 0 };
    CHECK_OK(repo_tips(git_arena(), a, &ctx, &t));
    CHECK_U64(t.n, 3); // main and same; topic and origin/x; HEAD
    CHECK_U64(t.n_skipped, 0);
    for (uint32_t i = 1; i < t.n; i++) CHECK(sha_cmp(&t.tips[i - 1], &t.tips[i]) < 0);
    CHECK_OK(repo_tips(git_arena(), e, &ctx, &t));
    CHECK_U64(t.n + t.n_skipped, 0);
    repo_close(a), repo_close(e);
}

TEST(names_resolve_to_commits) {
    git_sh("git init -q a; cd a; save f 1 one; git tag light; git tag -am x note; git tag -am y nested note;"
           "git tag tree HEAD^{tree}; git branch b/c");
    struct repo *r = git_open("a");
    struct str hex = git_out("cd a; git rev-parse HEAD");
    static const char *const names[] = { "main", "light", "note",           "nested",
                                         "HEAD", "b/c",   "refs/heads/b/c", "refs/tags/note" };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        struct sha id = git_sha(r, names[i]);
        CHECK_STR(str_of(sha_text(&id).z), hex);
    }
    struct sha id;
    CHECK_OK(repo_resolve(r, hex, &id));
    CHECK_OK(repo_resolve(r, str_sub(hex, 0, 8), &id));
    CHECK(repo_resolve(r, str_sub(hex, 0, 6), &id) == ERR_NOT_FOUND);
    static const char *const wrong[] = {
        "",         "tree",     "nope",          "HEAD~1",
        ":/one",    "main@{1}", "../../../HEAD", "0000000000000000000000000000000000000000",
        "fffffffff"
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        CHECK(repo_resolve(r, str_of(wrong[i]), &id) == ERR_NOT_FOUND);
    repo_close(r);
}

static enum err open_err(const char *name, struct err_ctx *ctx) {
    char path[512];
    struct repo *r = NULL;
    *ctx = (struct err_ctx){ 0 };
    (void)snprintf(path, sizeof path, "%s/%s", test_dir(), name);
    enum err e = repo_open(path, ctx, &r);
    CHECK(e == ERR_OK || r == NULL);
    repo_close(r);
    return e;
}

TEST(repositories_that_cannot_be_read_say_why) {
    struct err_ctx ctx;
    git_sh(
        "git init -q --object-format=sha256 s; git init -q x; git -C x config core.repositoryformatversion 1;"
        "git -C x config extensions.refstorage reftable;"
        "git init -q p; git -C p config core.repositoryformatversion 1;"
        "git -C p config extensions.partialclone origin;"
        "git init -q v; git -C v config core.repositoryformatversion 99;"
        "git init -q bad; printf '[core\\n' >bad/.git/config; mkdir nothing; : >file");
    LEAKS_BEGIN();
    enum err s = open_err("s", &ctx);
    CHECK(strstr(ctx.text, "only SHA-1 can be read") != NULL);
    enum err x = open_err("x", &ctx);
    CHECK(strstr(ctx.text, "refstorage") != NULL);
    enum err p = open_err("p", &ctx);
    LEAKS_END();
    CHECK(s == ERR_UNSUPPORTED && x == ERR_UNSUPPORTED && p == ERR_OK);
    CHECK(open_err("v", &ctx) != ERR_OK && ctx.text[0]);
    CHECK(open_err("bad", &ctx) == ERR_CORRUPT && ctx.text[0]);
    CHECK(open_err("nothing", &ctx) == ERR_NOT_FOUND);
    CHECK(open_err("file", &ctx) == ERR_NOT_FOUND);
}

TEST(repository_of_another_user_is_refused_with_advice) {
    struct err_ctx ctx;
    if (geteuid() != 0) return; // only root can give a folder away
    git_sh("git init -q a; git init -q --bare b; chown -R 12345 a b");
    CHECK(open_err("a", &ctx) == ERR_INVALID);
    CHECK(strstr(ctx.text, "git config --global --add safe.directory /") != NULL);
    CHECK(open_err("b", &ctx) == ERR_INVALID);
}

TEST(opening_writes_nothing_and_runs_nothing) {
    git_sh("git init -q a; cd a; save f 1 one; for h in post-checkout pre-commit reference-transaction; do\n"
           "printf '#!/bin/sh\\ntouch %s/ran\\n' >.git/hooks/$h; chmod +x .git/hooks/$h; done\n"
           "git config core.fsmonitor 'touch %s/ran'; git config core.pager 'touch %s/ran'\n"
           "git config core.sshCommand 'touch %s/ran'; git config diff.external 'touch %s/ran'\n"
           "cd ..; find a -type f | sort | xargs sha1sum >before; chmod -R a-w a",
           test_dir(), test_dir(), test_dir(), test_dir(), test_dir());
    struct repo *r = git_open("a");
    struct repo_tips t;
    CHECK_OK(repo_tips(git_arena(), r, &(struct err_ctx){ 0 }, &t));
    repo_close(r);
    git_sh("chmod -R u+w a; find a -type f | sort | xargs sha1sum | cmp - before; [ ! -e ran ]");
}

TEST(opening_survives_each_failed_allocation) {
    git_sh("git init -q a; git -C a remote add origin https://github.com/acme/shop; cd a; save f 1 one");
    char path[512];
    struct repo *r = NULL;
    (void)snprintf(path, sizeof path, "%s/a", test_dir());
    enum err e = ERR_NOMEM;
    for (uint64_t n = 1; e != ERR_OK; n++) {
        CHECK(n < 100);
        mem_fail_at(n, false);
        e = repo_open(path, &(struct err_ctx){ 0 }, &r);
        mem_fail_at(0, false);
        CHECK(e == ERR_OK || e == ERR_NOMEM);
    }
    CHECK_STR(repo_identity(r), STR("https://github.com/acme/shop"));
    struct repo_tips t;
    for (e = ERR_NOMEM; e != ERR_OK;) {
        static uint64_t n;
        struct arena *a = git_arena();
        mem_fail_at(++n, false);
        e = repo_tips(a, r, &(struct err_ctx){ 0 }, &t);
        mem_fail_at(0, false);
        CHECK(e == ERR_OK || e == ERR_NOMEM);
    }
    repo_close(r);
}
