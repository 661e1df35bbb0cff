// SPDX-License-Identifier: Apache-2.0
#include "delivery/series.h"

#include "base/test.h"

static int64_t some_time(bool whole) {
    if (test_below(5) == 0) return 0;
    int64_t s = 1700000000 + (int64_t)test_below(100000);
    if (test_below(50) == 0) s = (int64_t)test_below(2) ? INT64_MAX / 1000000000 : -5;
    return s * 1000000000 + (whole ? 0 : (int64_t)test_below(1000000000) * (s > 0 && s < 2000000000));
}

static void random_series(struct arena *a, struct series *s) {
    uint32_t n = (uint32_t)test_below(20), c = 0;
    bool whole = test_below(2);
    struct figure *f = ARENA_ARRAY(a, n + 1, struct figure);
    struct figure_commit *commits = ARENA_ARRAY(a, 200, struct figure_commit);
    memset(f, 0, (n + 1) * sizeof *f);
    memset(commits, 0, 200 * sizeof *commits);
    for (uint32_t i = 0; i < n; i++) {
        f[i] = (struct figure){ .id = test_rand(),
                                .state = (enum rollout_state)test_below(ROLLOUT_STATE_COUNT),
                                .kind = (enum rollout_kind)test_below(ROLLOUT_KIND_COUNT),
                                .commits_state = (enum commits_state)test_below(COMMITS_STATE_COUNT),
                                .failure = (enum failure_rule)test_below(FAILURE_RULE_COUNT),
                                .automation = (enum automation)test_below(4),
                                .retried = test_below(2),
                                .mixed = test_below(2),
                                .reverts = test_below(2),
                                .started = some_time(whole),
                                .first_success = some_time(whole),
                                .finished = some_time(whole),
                                .recovered = some_time(whole),
                                .n_changes = (uint32_t)test_below(300),
                                .undoes = test_below(2) ? ROLLOUT_NONE : (uint32_t)test_below(n),
                                .n_commits = (uint32_t)test_below(10),
                                .first_commit = c };
        for (uint32_t k = 0; k < f[i].n_commits; k++)
            commits[c++] =
                (struct figure_commit){ some_time(whole), some_time(whole), (uint8_t)test_below(32) };
    }
    *s = (struct series){ .figures = f, .n = n, .commits = commits, .n_commits = c };
}

static bool same_figure(const struct figure *a, const struct figure *b) {
    return a->id == b->id && a->state == b->state && a->kind == b->kind &&
           a->commits_state == b->commits_state && a->failure == b->failure &&
           a->automation == b->automation && a->retried == b->retried && a->mixed == b->mixed &&
           a->reverts == b->reverts && a->started == b->started && a->first_success == b->first_success &&
           a->finished == b->finished && a->recovered == b->recovered && a->n_changes == b->n_changes &&
           a->n_commits == b->n_commits && a->first_commit == b->first_commit && a->undoes == b->undoes;
}

TEST(series_comes_back_and_a_cut_one_is_refused) {
    struct arena a;
    arena_init(&a, SIZE_MAX, NULL);
    for (unsigned turn = 0; turn < 200; turn++) {
        struct series s, back = { 0 };
        struct buf b;
        random_series(&a, &s);
        buf_init(&b, SIZE_MAX);
        series_pack(&s, &b);
        CHECK_OK(series_unpack(&a, test_exact(buf_view(&b)), true, &back));
        CHECK(back.n == s.n && back.n_commits == s.n_commits);
        for (uint32_t i = 0; i < s.n; i++) CHECK(same_figure(&s.figures[i], &back.figures[i]));
        for (uint32_t i = 0; i < s.n_commits; i++)
            CHECK(s.commits[i].authored == back.commits[i].authored &&
                  s.commits[i].committed == back.commits[i].committed &&
                  s.commits[i].flags == back.commits[i].flags);
        CHECK(series_unpack(&a, test_exact(str_sub(buf_view(&b), 0, test_below(b.len))), true, &back) !=
              ERR_OK);
        b.ptr[test_below(b.len)] ^= (char)(1 << test_below(8));
        (void)!series_unpack(&a, test_exact(buf_view(&b)), true, &back); // anything, but within its bytes
        buf_fini(&b);
        arena_reset(&a);
    }
    arena_fini(&a);
}
