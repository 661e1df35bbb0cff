// SPDX-License-Identifier: Apache-2.0
// vcs_bench REPOSITORY: what it costs to read a history: all of it, once more with everything known but the
// newest ten commits, the tags, a rollout for every tag, patch ids and paths of the newest commits. CPU time
// of one run each, with cold caches of libgit2.
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "vcs/history.h"
#include "vcs/patch.h"
#include "vcs/reach.h"
#include "vcs/tags.h"

enum { PATCHES = 1000, NEW = 10 };

static struct arena arena;
static double began;

static double now_ms(void) {
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static void start(void) {
    began = now_ms();
}

static void report(const char *what, uint64_t n) {
    printf("%-34s %9.1f ms  %8llu\n", what, now_ms() - began, (unsigned long long)n);
}

static void must(enum err e, const struct err_ctx *ctx) {
    if (e == ERR_OK) return;
    fprintf(stderr, "%s: %s\n", err_text(e), ctx->text);
    exit(1);
}

struct known {
    struct graph *graph;
    uint32_t below;
};

static enum err known(void *ctx, const struct sha *id, uint32_t *out_generation) {
    const struct known *k = ctx;
    *out_generation = 0;
    return graph_find(k->graph, id) < k->below ? ERR_OK : ERR_NOT_FOUND;
}

static int by_time(const void *x, const void *y) {
    const struct tag *a = x, *b = y;
    return (a->created_at.ns > b->created_at.ns) - (a->created_at.ns < b->created_at.ns);
}

static void bench_reach(struct graph *g, struct tags *t, struct err_ctx *ctx) {
    struct reach *r;
    struct reach_set set;
    struct graph_view v = graph_view(g);
    uint64_t n = 0;
    if (t->n) qsort(t->tags, t->n, sizeof *t->tags, by_time);
    start();
    must(reach_new(&r), ctx);
    for (uint32_t i = 0; i < t->n; i++) {
        must(reach_add(r, &v, graph_find(g, &t->tags[i].commit), true, &arena, &set), ctx);
        n += set.n_new;
    }
    report("first reached, a rollout per tag", n);
    start();
    reach_rewind(r, t->n / 2);
    for (uint32_t i = t->n / 2; i < t->n; i++)
        must(reach_add(r, &v, graph_find(g, &t->tags[i].commit), true, &arena, &set), ctx);
    report("  half of them once more", t->n - t->n / 2);
    reach_free(r);
}

static void bench_patches(struct repo *r, const struct history *h, struct err_ctx *ctx) {
    uint32_t n = h->n < PATCHES ? h->n : PATCHES;
    struct patch p;
    struct patch_files paths;
    start();
    for (uint32_t i = h->n - n; i < h->n; i++) must(patch_read(r, &h->sha[i], ctx, &p), ctx);
    report("patch ids", n);
    start();
    for (uint32_t i = h->n - n; i < h->n; i++) must(patch_files(&arena, r, &h->sha[i], ctx, &paths), ctx);
    report("paths", n);
}

int main(int argc, char **argv) {
    struct err_ctx ctx = { 0 };
    struct repo *r;
    struct repo_tips tips;
    struct history h, again;
    struct tags tags;
    struct graph g;
    if (argc != 2) return fprintf(stderr, "usage: vcs_bench REPOSITORY\n"), 2;
    arena_init(&arena, SIZE_MAX, NULL);
    start();
    must(repo_open(argv[1], &ctx, &r), &ctx);
    must(repo_tips(&arena, r, &ctx, &tips), &ctx);
    report("open, tips", tips.n);
    struct history_in in = { .tips = tips.tips, .n_tips = tips.n, .now_ns = INT64_MAX };
    start();
    size_t before = arena.used;
    must(history_read(&arena, r, &in, &ctx, &h), &ctx);
    report("history, the first time: commits", h.n);
    printf("%-34s %9.1f MB\n", "  columns", (double)(arena.used - before) / 1e6);
    start();
    graph_init(&g);
    must(history_to_graph(&h, &g), &ctx);
    report("graph of the rows", h.n);
    struct known k = { &g, h.n > NEW ? h.n - NEW : 0 };
    in.known = known;
    in.ctx = &k;
    start();
    must(history_read(&arena, r, &in, &ctx, &again), &ctx);
    report("history, again: new commits", again.n);
    start();
    must(tags_read(&arena, r, &(struct tags_in){ .now_ns = INT64_MAX }, &ctx, &tags), &ctx);
    report("tags", tags.n);
    bench_reach(&g, &tags, &ctx);
    bench_patches(r, &h, &ctx);
    graph_fini(&g);
    repo_close(r);
    arena_fini(&arena);
    return 0;
}
