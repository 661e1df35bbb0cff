// SPDX-License-Identifier: Apache-2.0
#include "vcs/git_test.h"

#include <stdlib.h>

static const char prelude[] =
    "set -e\n"
    "export HOME=$PWD GIT_CONFIG_NOSYSTEM=1 GIT_CONFIG_GLOBAL=/dev/null GIT_TERMINAL_PROMPT=0 "
    "LC_ALL=C.UTF-8\n"
    "export GIT_AUTHOR_NAME='Ada L' GIT_AUTHOR_EMAIL=ada@example.com\n"
    "export GIT_COMMITTER_NAME='Carl M' GIT_COMMITTER_EMAIL=carl@example.com\n"
    "git() { command git -c protocol.file.allow=always -c gc.auto=0 -c init.defaultBranch=main \"$@\"; }\n"
    "at() { export GIT_AUTHOR_DATE=\"@$1 ${2:-+0000}\" GIT_COMMITTER_DATE=\"@$1 ${2:-+0000}\"; }\n"
    "save() { printf '%s\\n' \"$2\" >\"$1\"; git add \"$1\"; git commit -qm \"$3\"; }\n"
    "at 1700000000\n";

static struct arena arena;

struct arena *git_arena(void) {
    arena_fini(&arena);
    arena_init(&arena, (size_t)1 << 30, NULL);
    return &arena;
}

static struct str run(const char *fmt, va_list args) {
    static char out[1 << 16];
    char path[512], command[1200];
    (void)snprintf(path, sizeof path, "%s/.script", test_dir());
    FILE *f = fopen(path, "w");
    CHECK(f != NULL);
    fputs(prelude, f);
    vfprintf(f, fmt, args);
    fclose(f);
    (void)snprintf(command, sizeof command, "cd %s && sh .script 2>.stderr", test_dir());
    FILE *p = popen(command, "r");
    CHECK(p != NULL);
    size_t n = fread(out, 1, sizeof out, p);
    int status = pclose(p);
    if (status != 0) {
        (void)snprintf(command, sizeof command, "sed 's/^/# /' %s/.stderr", test_dir());
        (void)!system(command);
    }
    CHECK(status == 0);
    if (n && out[n - 1] == '\n') n--;
    return test_exact((struct str){ out, n });
}

struct str git_out(const char *fmt, ...) {
    va_list args;
    va_start(args, fmt);
    struct str out = run(fmt, args);
    va_end(args);
    return out;
}

void git_sh(const char *fmt, ...) {
    va_list args;
    va_start(args, fmt);
    (void)run(fmt, args);
    va_end(args);
}

struct repo *git_open(const char *name) {
    struct repo *r;
    struct err_ctx ctx = { 0 };
    char path[512];
    (void)snprintf(path, sizeof path, "%s/%s", test_dir(), name);
    enum err e = repo_open(path, &ctx, &r);
    if (e != ERR_OK) printf("# %s\n", ctx.text);
    CHECK_OK(e);
    return r;
}

struct sha git_sha(struct repo *r, const char *name) {
    struct sha id;
    CHECK_OK(repo_resolve(r, str_of(name), &id));
    return id;
}
