// SPDX-License-Identifier: Apache-2.0
#include "base/test.h"

#include <ftw.h>
#include <setjmp.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "base/hash.h"

static struct test *tests;
static jmp_buf leave;
static const char *skip_reason;
static uint64_t seed = 1, state;
static char dir[256];
static void *exact[4096];
static size_t n_exact;

void test_register(struct test *t) {
    struct test **at = &tests;
    while (*at && strcmp((*at)->name, t->name) < 0) at = &(*at)->next;
    t->next = *at;
    *at = t;
}

void test_fail(const char *file, int line, const char *what) {
    printf("# %s:%d: %s\n", file, line, what);
    longjmp(leave, 1);
}

void test_skip(const char *why) {
    skip_reason = why;
    longjmp(leave, 2);
}

void test_u64(uint64_t got, uint64_t want, const char *file, int line, const char *what) {
    if (got == want) return;
    printf("# got %llu, expected %llu\n", (unsigned long long)got, (unsigned long long)want);
    test_fail(file, line, what);
}

// Long texts are shown from a little before their first difference on.
void test_str(struct str got, struct str want, const char *file, int line, const char *what) {
    enum { BEFORE = 120, SHOWN = 400 };
    size_t same = 0;
    if (str_eq(got, want)) return;
    while (same < got.len && same < want.len && got.ptr[same] == want.ptr[same]) same++;
    size_t from = same > BEFORE ? same - BEFORE : 0;
    struct str g = str_sub(got, from, SHOWN), w = str_sub(want, from, SHOWN);
    printf("# first difference at byte %zu\n# got      \"%.*s\"\n# expected \"%.*s\"\n", same, STR_ARG(g),
           STR_ARG(w));
    test_fail(file, line, what);
}

uint64_t test_rand(void) {
    state += 0x9e3779b97f4a7c15u;
    return hash_u64(state);
}

uint64_t test_below(uint64_t n) {
    return test_rand() % n;
}
double test_uniform(void) {
    return ((double)(test_rand() >> 11) + 0.5) * 0x1p-53;
}

const char *test_dir(void) {
    if (dir[0]) return dir;
    const char *base = getenv("TMPDIR");
    (void)snprintf(dir, sizeof dir, "%s/takt-test-XXXXXX", base ? base : "/tmp");
    if (!mkdtemp(dir)) test_fail(__FILE__, __LINE__, "mkdtemp");
    return dir;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw) {
    (void)st, (void)type, (void)ftw;
    return remove(path);
}

struct str test_exact(struct str s) {
    char *p = malloc(s.len ? s.len : 1);
    if (!p || n_exact == sizeof exact / sizeof *exact) test_fail(__FILE__, __LINE__, "test_exact");
    if (s.len) memcpy(p, s.ptr, s.len);
    exact[n_exact++] = p;
    return (struct str){ p, s.len };
}

static bool matches_one(const char *name, const char *pattern) {
    size_t len = strlen(pattern);
    bool prefix = len && pattern[len - 1] == '*';
    return prefix ? strncmp(name, pattern, len - 1) == 0 : strcmp(name, pattern) == 0;
}

// -PATTERN leaves out; without any other pattern all others run.
static bool matches(const char *name, int n_patterns, char **patterns) {
    bool chosen = true;
    for (int i = 0; i < n_patterns; i++)
        if (patterns[i][0] != '-') chosen = false;
    for (int i = 0; i < n_patterns; i++) {
        if (patterns[i][0] == '-' && matches_one(name, patterns[i] + 1)) return false;
        if (patterns[i][0] != '-' && matches_one(name, patterns[i])) chosen = true;
    }
    return chosen;
}

// Runs one test; returns 1 passed, 0 failed, -1 skipped.
static int run_one(struct test *t) {
    state = seed ^ hash_xxh64(t->name, strlen(t->name));
    dir[0] = '\0';
    volatile int how = setjmp(leave);
    if (how == 0) t->run();
    mem_fail_at(0, false);
    while (n_exact) free(exact[--n_exact]);
    if (dir[0] && how != 1) (void)nftw(dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    if (dir[0] && how == 1) printf("# left for a look: %s\n", dir);
    return how == 0 ? 1 : how == 2 ? -1 : 0;
}

int main(int argc, char **argv) {
    setvbuf(stdout, NULL, _IOLBF, 0);
    const char *program = argv[0];
    int n_patterns = 0;
    bool list = false;
    for (int i = 1; i < argc; i++) { // patterns move to the front
        if (strncmp(argv[i], "--", 2) != 0)
            argv[n_patterns++] = argv[i];
        else if (strcmp(argv[i], "--list") == 0)
            list = true;
        else if (strcmp(argv[i], "--seed") == 0 && i + 1 < argc)
            seed = strtoull(argv[++i], NULL, 10);
        else {
            fprintf(stderr, "usage: %s [--list] [--seed N] [[-]NAME|[-]PREFIX*]...\n", program);
            return 2;
        }
    }
    if (getenv("TAKT_TEST_SEED")) seed = strtoull(getenv("TAKT_TEST_SEED"), NULL, 10);
    int n = 0, failed = 0, skipped = 0;
    if (!list) printf("# seed %llu\n", (unsigned long long)seed);
    for (struct test *t = tests; t; t = t->next) {
        if (!matches(t->name, n_patterns, argv)) continue;
        if (list) {
            puts(t->name);
            continue;
        }
        struct timespec a, b;
        clock_gettime(CLOCK_MONOTONIC, &a);
        int result = run_one(t);
        clock_gettime(CLOCK_MONOTONIC, &b);
        long ms = (long)((b.tv_sec - a.tv_sec) * 1000 + (b.tv_nsec - a.tv_nsec) / 1000000);
        n++;
        failed += result == 0;
        skipped += result < 0;
        printf("%s %d - %s # %s%s%ld ms\n", result ? "ok" : "not ok", n, t->name, result < 0 ? "SKIP " : "",
               result < 0 ? skip_reason : "", ms);
    }
    if (!list)
        printf("1..%d\n# passed %d, failed %d, skipped %d\n", n, n - failed - skipped, failed, skipped);
    return failed || n == 0 ? 1 : 0;
}
