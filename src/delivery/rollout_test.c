// SPDX-License-Identifier: Apache-2.0
#include "delivery/rollout.h"

#include "base/test.h"
#include "delivery/failure.h"

#define HOUR 3600000000000ll
#define MINUTE 60000000000ll

enum { DEPLOYS_MAX = 64 };

static struct arena arena;
static struct deploy list[DEPLOYS_MAX];
static uint32_t n_list;

static void begin(void) {
    arena_init(&arena, SIZE_MAX, NULL);
    n_list = 0;
}
static void end(void) {
    arena_fini(&arena);
}

// An attempt: a version on a target, from a minute, for so many minutes.
static struct deploy *add(const char *version, const char *target, int64_t at, int64_t took,
                          enum deploy_state state) {
    int64_t started = HOUR + at * MINUTE, ended = started + took * MINUTE;
    list[n_list] = (struct deploy){ .key = str_fmt(&arena, "k%02u", n_list),
                                    .version = str_of(version),
                                    .target = str_of(target),
                                    .state = state,
                                    .started = started };
    if (state == DEPLOY_SUCCESS) list[n_list].succeeded = ended;
    if (state != DEPLOY_PENDING && state != DEPLOY_RUNNING) list[n_list].ended = ended;
    return &list[n_list++];
}

// What came of them, as text: "v1:first:success v2:normal:failed …"; in any order of the attempts.
static void says(const char *want) {
    for (unsigned turn = 0; turn < 5; turn++) {
        struct deploy *mixed = ARENA_ARRAY(&arena, DEPLOYS_MAX, struct deploy);
        struct rollouts all;
        struct buf b;
        memcpy(mixed, list, sizeof list);
        for (uint32_t i = n_list; turn && i > 1; i--) {
            uint32_t j = (uint32_t)test_below(i);
            struct deploy t = mixed[i - 1];
            mixed[i - 1] = mixed[j];
            mixed[j] = t;
        }
        CHECK_OK(rollouts_of(&arena, STR("shop/production"), mixed, n_list, &all));
        buf_init(&b, SIZE_MAX);
        for (uint32_t i = 0; i < all.n; i++) {
            const struct rollout *r = &all.items[i];
            buf_fmt(&b, "%s%.*s:%s:%s", i ? " " : "", STR_ARG(deploy_identity(r->lead)),
                    rollout_kind_text(r->kind), rollout_state_text(r->state));
            if (r->targets > 1) buf_fmt(&b, ":%u/%u", r->done_targets, r->targets);
            if (r->undoes != ROLLOUT_NONE)
                buf_fmt(&b, ":-%.*s", STR_ARG(deploy_identity(all.items[r->undoes].lead)));
            if (r->retried) buf_str(&b, STR(":retried"));
        }
        CHECK_STR(buf_view(&b), str_of(want));
        buf_fini(&b);
    }
    end();
}

TEST(rollout_first_is_a_baseline_then_normal) {
    begin();
    add("v1", "", 0, 5, DEPLOY_SUCCESS);
    add("v2", "", 60, 5, DEPLOY_SUCCESS);
    says("v1:first:success v2:normal:success");
}

TEST(rollout_the_same_version_again_is_a_redeploy) {
    begin();
    add("v1", "", 0, 5, DEPLOY_SUCCESS);
    add("v1", "", 60, 5, DEPLOY_SUCCESS);
    add("v1", "", 6000, 5, DEPLOY_SUCCESS);
    says("v1:first:success v1:redeploy:success v1:redeploy:success");
}

TEST(rollout_back_and_forward_again) { // seconds apart
    begin();
    add("v1", "", 0, 5, DEPLOY_SUCCESS);
    add("v2", "", 60, 5, DEPLOY_SUCCESS);
    add("v1", "", 120, 1, DEPLOY_SUCCESS);
    add("v2", "", 122, 1, DEPLOY_SUCCESS);
    says("v1:first:success v2:normal:success v1:rollback:success:-v2 v2:reroll:success");
}

TEST(rollout_over_several_versions_takes_back_the_first_after_the_target) {
    begin();
    add("v1", "", 0, 5, DEPLOY_SUCCESS);
    add("v2", "", 60, 5, DEPLOY_SUCCESS);
    add("v3", "", 120, 5, DEPLOY_SUCCESS);
    add("v1", "", 180, 5, DEPLOY_SUCCESS);
    says("v1:first:success v2:normal:success v3:normal:success v1:rollback:success:-v2");
}

TEST(rollout_a_retry_belongs_to_it) {
    begin();
    add("v1", "", 0, 5, DEPLOY_SUCCESS);
    add("v2", "", 60, 5, DEPLOY_FAILURE);
    add("v2", "", 70, 5, DEPLOY_SUCCESS);
    says("v1:first:success v2:normal:success:retried");
}

TEST(rollout_after_the_gap_is_another) {
    begin();
    add("v1", "", 0, 5, DEPLOY_SUCCESS);
    add("v2", "", 60, 5, DEPLOY_FAILURE);
    add("v2", "", 60 + 361, 5, DEPLOY_SUCCESS);
    says("v1:first:success v2:normal:failed v2:normal:success");
}

TEST(rollout_gap_is_counted_from_the_first_attempt_and_closed) {
    begin();
    add("v1", "eu", 0, 5, DEPLOY_SUCCESS);
    add("v1", "us", 360, 5, DEPLOY_SUCCESS);
    add("v1", "asia", 361, 5, DEPLOY_SUCCESS);
    says("v1:first:success:2/2 v1:redeploy:success");
}

TEST(rollout_over_clusters) {
    begin();
    add("v1", "eu", 0, 5, DEPLOY_SUCCESS);
    add("v1", "us", 10, 5, DEPLOY_SUCCESS);
    add("v2", "eu", 60, 5, DEPLOY_SUCCESS);
    add("v2", "us", 61, 5, DEPLOY_FAILURE);
    add("v3", "eu", 100, 5, DEPLOY_SUCCESS);
    add("v3", "us", 110, 5, DEPLOY_RUNNING);
    says("v1:first:success:2/2 v2:normal:failed:1/2 v3:normal:open:1/2");
}

TEST(rollout_another_version_on_the_target_ends_a_group) {
    begin();
    add("v1", "", 0, 5, DEPLOY_FAILURE);
    add("v2", "", 10, 5, DEPLOY_SUCCESS);
    add("v1", "", 20, 5, DEPLOY_SUCCESS);
    says("v1:normal:failed v2:first:success v1:normal:success");
}

TEST(rollout_a_named_group_holds_longer) {
    begin();
    add("v1", "eu", 0, 5, DEPLOY_SUCCESS)->group = STR("g1");
    add("v1", "us", 2000, 5, DEPLOY_SUCCESS)->group = STR("g1");
    add("v1", "eu", 2010, 5, DEPLOY_SUCCESS)->group = STR("g2");
    says("v1:first:success:2/2 v1:redeploy:success");
}

TEST(rollout_without_a_version_stands_alone) {
    begin();
    add("", "", 0, 5, DEPLOY_SUCCESS);
    add("", "", 1, 5, DEPLOY_SUCCESS);
    says(":first:success :normal:success");
}

TEST(rollout_hotfix_by_name_kind_and_what_it_mends) {
    begin();
    add("v1", "", 0, 5, DEPLOY_SUCCESS);
    add("v1.0.1-hotfix", "", 60, 5, DEPLOY_SUCCESS);
    add("v3", "", 120, 5, DEPLOY_SUCCESS)->ref = STR("Hotfix/login");
    add("v4", "", 180, 5, DEPLOY_SUCCESS)->fixes = STR("v3");
    add("v5", "", 240, 5, DEPLOY_SUCCESS)->kind = STR("hotfix");
    says("v1:first:success v1.0.1-hotfix:hotfix:success v3:hotfix:success v4:hotfix:success "
         "v5:hotfix:success");
}

TEST(rollout_same_second_and_an_end_before_the_start) {
    begin();
    add("v1", "", 0, 0, DEPLOY_SUCCESS);
    add("v2", "", 0, 0, DEPLOY_SUCCESS);
    add("v3", "", 60, -30, DEPLOY_SUCCESS);
    says("v1:first:success v2:normal:success v3:normal:success");
}

TEST(rollout_given_up_is_not_failed) {
    begin();
    add("v1", "", 0, 5, DEPLOY_SUCCESS);
    add("v2", "", 60, 5, DEPLOY_CANCELLED);
    add("v3", "", 120, 5, DEPLOY_PENDING);
    says("v1:first:success v2:normal:cancelled v3:normal:open");
}

TEST(rollout_said_to_be_a_rollback) {
    begin();
    add("v7", "", 0, 5, DEPLOY_SUCCESS);
    add("v8", "", 60, 5, DEPLOY_SUCCESS);
    add("v6", "", 120, 5, DEPLOY_SUCCESS)->kind = STR("rollback"); // of before anything was known
    says("v7:first:success v8:normal:success v6:rollback:success:-v8");
}

// Nothing is lost, ids are unique and stay, finished ones are in order.
TEST(rollout_of_anything) {
    static const char *const versions[] = { "a", "b", "c", "d", "" };
    static const char *const targets[] = { "", "eu", "us" };
    for (unsigned turn = 0; turn < 300; turn++) {
        struct rollouts all;
        uint32_t attempts = 0;
        begin();
        for (uint64_t n = test_below(DEPLOYS_MAX); n; n--)
            add(versions[test_below(5)], targets[test_below(3)], (int64_t)test_below(2000),
                (int64_t)test_below(50), (enum deploy_state)test_below(5));
        CHECK_OK(rollouts_of(&arena, STR("s"), list, n_list, &all));
        for (uint32_t i = 0; i < all.n; i++) {
            const struct rollout *r = &all.items[i];
            attempts += r->attempts;
            CHECK((r->finished == 0) == (r->state == ROLLOUT_OPEN));
            CHECK(r->before == ROLLOUT_NONE ||
                  (r->before < i && all.items[r->before].state == ROLLOUT_SUCCESS));
            if (i && r->finished) CHECK(r->finished >= all.items[i - 1].finished);
            for (uint32_t j = 0; j < i; j++) CHECK(all.items[j].id != r->id);
        }
        CHECK_U64(attempts, n_list);
        end();
    }
}

// Targets that are never seen again, versions that alternate, groups that a source names anew each
// time: what comes does not cost more the more came before.
TEST(rollout_of_very_many) {
    enum { MANY = 100000 };
    begin();
    struct deploy *d = ARENA_ARRAY(&arena, MANY, struct deploy);
    for (int kind = 0; kind < 3; kind++) {
        struct rollouts all;
        for (int i = 0; i < MANY; i++) {
            int64_t at = HOUR + i * 1000000000ll;
            d[i] = (struct deploy){ .key = str_fmt(&arena, "%d", i),
                                    .state = DEPLOY_SUCCESS,
                                    .started = at,
                                    .succeeded = at,
                                    .version = kind == 1 ? (i % 2 ? STR("a") : STR("b"))
                                                         : str_fmt(&arena, "v%d", kind ? i : i / 1000),
                                    .target = kind == 0 ? str_fmt(&arena, "pod %d", i) : STR(""),
                                    .group = kind == 2 ? str_fmt(&arena, "g%d", i) : STR("") };
        }
        CHECK_OK(rollouts_of(&arena, STR("s"), d, MANY, &all));
        CHECK_U64(all.n, kind == 0 ? MANY / 1000 : MANY);
        CHECK(all.items[2].kind == (kind == 1 ? ROLLOUT_ROLLBACK : ROLLOUT_NORMAL));
        if (kind == 1) CHECK_U64(all.items[2].undoes, 1);
    }
    end();
}

// A series may have a million rollouts: what it takes to find them out is given back.
TEST(rollouts_and_failures_hold_no_more_than_they_give) {
    enum { N = 20000 };
    begin();
    struct arena given, links;
    struct deploy *many = ARENA_ARRAY(&arena, N, struct deploy);
    struct rollouts all;
    struct failures found;
    for (uint32_t i = 0; i < N; i++)
        many[i] = (struct deploy){ .key = str_fmt(&arena, "k%05u", i),
                                   .version = str_fmt(&arena, "v%u", i),
                                   .state = DEPLOY_SUCCESS,
                                   .started = HOUR + i * MINUTE,
                                   .succeeded = HOUR + i * MINUTE + 1 };
    arena_init(&given, SIZE_MAX, NULL);
    CHECK_OK(rollouts_of(&given, STR("shop"), many, N, &all));
    CHECK_U64(all.n, N);
    CHECK(given.used < 2 * N * sizeof(struct rollout));
    arena_init(&links, SIZE_MAX, NULL);
    CHECK_OK(failures_of(&links, &(struct failure_ask){ .rollouts = &all }, &found));
    CHECK(found.n == 0 && links.used < 2 * N * 3 * sizeof(uint32_t));
    arena_fini(&links);
    arena_fini(&given);
    end();
}
