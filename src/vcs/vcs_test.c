// SPDX-License-Identifier: Apache-2.0
// The folder's parts together, over repositories whose answers are known by hand.
#include "os/thread.h"
#include "vcs/git_test.h"
#include "vcs/history.h"
#include "vcs/patch.h"
#include "vcs/reach.h"
#include "vcs/tags.h"

struct release {
    struct repo *repo;
    struct history history;
    struct graph graph;
    struct reach *reach;
};

static void release_begin(struct release *x, const char *name, const char *tip) {
    struct err_ctx ctx = { 0 };
    x->repo = git_open(name);
    struct sha tips[2] = { git_sha(x->repo, tip), git_sha(x->repo, "main") };
    struct history_in in = { .tips = tips, .n_tips = 2, .now_ns = INT64_MAX };
    CHECK_OK(history_read(git_arena(), x->repo, &in, &ctx, &x->history));
    graph_init(&x->graph);
    CHECK_OK(history_to_graph(&x->history, &x->graph));
    CHECK_OK(reach_new(&x->reach));
}

static void release_end(struct release *x) {
    reach_free(x->reach);
    graph_fini(&x->graph);
    repo_close(x->repo);
}

static struct str subject_of(const struct release *x, uint32_t row) {
    struct sha id = graph_sha(&x->graph, row);
    for (uint32_t i = 0; i < x->history.n; i++)
        if (sha_eq(&x->history.sha[i], &id)) return x->history.subject[i];
    return STR("?");
}

// The subjects of what a rollout of `name` delivers first, in byte order of the list.
static struct str delivered(struct release *x, const char *name) {
    static char text[1024];
    struct reach_set set;
    struct arena a;
    struct graph_view v = graph_view(&x->graph);
    struct sha id = git_sha(x->repo, name);
    size_t n = 0;
    arena_init(&a, 1 << 20, NULL);
    CHECK_OK(reach_add(x->reach, &v, graph_find(&x->graph, &id), true, &a, &set));
    if (set.kind == REACH_BASELINE) n = (size_t)snprintf(text, sizeof text, "(baseline)");
    for (uint32_t i = 0; i < set.n; i++)
        if (!set.commits[i].is_merge)
            n += (size_t)snprintf(text + n, sizeof text - n, "%s%.*s", n ? ", " : "",
                                  STR_ARG(subject_of(x, set.commits[i].row)));
    arena_fini(&a);
    return (struct str){ text, n };
}

//   1.0 ── b1 ── b2 ── fix ── b3      main; 2.0 is b2, 3.0 is b3
//     ╲ fix'                          1.0.1: a pick of fix, cut after 2.0 was out
// By previous..current 1.0.1 → 3.0 would count b1 and b2 a second time.
static const char hotfix[] =
    "git init -q r; cd r; seq 1 60 >f; git add f; git commit -qm b0; git tag 1.0; save a 1 b1; save b 1 b2\n"
    "git tag 2.0; sed -i 's/^50$/fifty/' f; git commit -qam fix; save c 1 b3; git tag 3.0\n"
    "git checkout -qb rel 1.0; git cherry-pick -x main~1 >/dev/null; git tag -am 'hot fix' 1.0.1\n";

TEST(hotfix_from_an_old_release_is_counted_once) {
    struct release x;
    git_sh("%s", hotfix);
    release_begin(&x, "r", "rel");
    CHECK_STR(delivered(&x, "1.0"), STR("(baseline)"));
    CHECK_STR(delivered(&x, "2.0"), STR("b2, b1"));
    CHECK_STR(delivered(&x, "1.0.1"), STR("fix"));
    CHECK_STR(delivered(&x, "3.0"), STR("b3, fix"));
    release_end(&x);
}

TEST(hotfix_and_its_twin_share_a_patch_id) {
    struct release x;
    struct patch p[2];
    int n = 0;
    git_sh("%s", hotfix);
    release_begin(&x, "r", "rel");
    for (uint32_t i = 0; i < x.history.n; i++)
        if (str_eq(x.history.subject[i], STR("fix")))
            CHECK_OK(patch_read(x.repo, &x.history.sha[i], &(struct err_ctx){ 0 }, &p[n++ & 1]));
    CHECK_U64(n, 2);
    CHECK(p[0].kind == PATCH_OK && sha_eq(&p[0].id, &p[1].id));
    release_end(&x);
}

TEST(rollouts_grow_with_a_repository_that_is_read_again) {
    struct release x;
    struct err_ctx ctx = { 0 };
    struct history more;
    git_sh("git init -q r; cd r; save a 1 b0; git tag 1.0; save a 2 b1; git tag 2.0");
    release_begin(&x, "r", "2.0");
    CHECK_STR(delivered(&x, "1.0"), STR("(baseline)"));
    CHECK_STR(delivered(&x, "2.0"), STR("b1"));
    git_sh("cd r; git checkout -qb t 1.0; save t 1 t1; git checkout -q main; save a 3 b2\n"
           "git merge -q --no-ff -m M t; git tag 3.0");
    struct sha tip = git_sha(x.repo, "3.0");
    struct history_in in = { .tips = &tip, .n_tips = 1, .now_ns = INT64_MAX };
    CHECK_OK(history_read(git_arena(), x.repo, &in, &ctx, &more));
    x.history = more;
    CHECK_OK(history_to_graph(&more, &x.graph));
    CHECK_STR(delivered(&x, "3.0"), STR("b2, t1"));
    CHECK_STR(delivered(&x, "1.0"), STR(""));
    release_end(&x);
}

TEST(submodule_is_a_commit_of_another_repository) {
    git_sh("git init -q lib; cd lib; save l 1 lib1; cd ..; git init -q r; cd r; save a 1 b0\n"
           "git submodule --quiet add file://$(cd ../lib; pwd) lib; git commit -qm 'add lib'; git tag added\n"
           "cd lib; save l 2 lib2; cd ..; git commit -qam 'newer lib'; git tag newer");
    struct repo *r = git_open("r"), *sub = git_open("r/lib");
    struct sha id = git_sha(r, "newer");
    struct patch p;
    CHECK_OK(patch_read(r, &id, &(struct err_ctx){ 0 }, &p));
    CHECK(p.kind == PATCH_OK && p.n_files == 1 && p.n_added == 1 && p.n_removed == 1);
    struct history h;
    struct history_in in = { .tips = &id, .n_tips = 1, .now_ns = INT64_MAX };
    CHECK_OK(history_read(git_arena(), r, &in, &(struct err_ctx){ 0 }, &h));
    CHECK(h.n == 3 && h.n_outside == 0); // none of lib's
    CHECK_STR(str_sub(repo_identity(sub), repo_identity(sub).len - 6, 6), STR("/r/lib"));
    repo_close(r), repo_close(sub);
}

static void read_in_thread(void *arg) {
    struct repo **r = arg;
    struct err_ctx ctx = { 0 };
    struct repo_tips tips;
    struct history h;
    struct tags tags;
    struct arena a;
    bool ok = true;
    for (int i = 0; i < 20 && ok; i++) {
        arena_init(&a, 1 << 24, NULL);
        ok = repo_tips(&a, *r, &ctx, &tips) == ERR_OK;
        struct history_in in = { .tips = tips.tips, .n_tips = tips.n, .now_ns = INT64_MAX };
        ok = ok && history_read(&a, *r, &in, &ctx, &h) == ERR_OK && h.n == 4;
        ok = ok && tags_read(&a, *r, &(struct tags_in){ .now_ns = INT64_MAX }, &ctx, &tags) == ERR_OK;
        arena_fini(&a);
    }
    repo_close(*r);
    *r = ok ? NULL : *r;
}

TEST(repositories_are_read_in_parallel) {
    enum { THREADS = 4 };
    struct thread threads[THREADS] = { 0 };
    struct repo *repos[THREADS];
    git_sh("git init -q r; cd r; for i in 1 2 3 4; do save f $i c$i; git tag -am x v$i; done");
    for (int i = 0; i < THREADS; i++) repos[i] = git_open("r");
    for (int i = 0; i < THREADS; i++)
        CHECK_OK(thread_start(&threads[i], "reader", read_in_thread, &repos[i]));
    for (int i = 0; i < THREADS; i++) thread_join(&threads[i]);
    for (int i = 0; i < THREADS; i++) CHECK(repos[i] == NULL);
}
