// SPDX-License-Identifier: Apache-2.0
// The power goes, calls fail, the disk is full: what was acknowledged is there exactly once, what
// was not may be missing but is never half there, and the store opens again.
#include "query/fixture_test.h"

static bool submit_one(struct trial *t) {
    struct buf body;
    buf_init(&body, 64 << 20);
    trial_random_body(t, &body);
    enum err e = trial_submit(t, buf_view(&body));
    buf_fini(&body);
    return e == ERR_OK;
}

static enum err note_block(void *ctx, struct str key, uint64_t size) {
    struct trial *t = ctx;
    struct view *v = ingest_view(t->in);
    bool is_live = false;
    (void)size;
    for (uint32_t i = 0; i < v->n_blocks; i++)
        is_live |= str_starts(str_sub(key, sizeof "blocks/single-tenant/" - 1, ULID_LEN),
                              str_of(block_meta(v->blocks[i])->id));
    view_unref(v);
    return is_live ? ERR_OK : ERR_CANCELED;
}

// After an opening nothing lies in the store that no snapshot names.
static void check_swept(struct trial *t) {
    CHECK_OK(t->store->ops->list(t->store, STR("blocks/"), STR(""), t, note_block));
}

static void reopen(struct trial *t) {
    if (trial_open(t) != ERR_OK) printf("# %s\n", t->why.text);
    CHECK(t->in != NULL);
    check_swept(t);
    check_traces(t);
}

static void power_off_at(struct trial *t, uint64_t nth) {
    disk_sim_arm(t->disk, &(struct disk_sim_fault){ .op = DISK_SIM_ANY, .nth = nth, .power_off = true });
}

// Submissions and flushes until the lights go out.
static void work(struct trial *t) {
    for (uint64_t n = 2 + test_below(8); n > 0 && !disk_sim_is_down(t->disk); n--) {
        submit_one(t);
        if (test_below(3) == 0) trial_settle(t);
    }
}

static void crash_loop(struct trial_opts o, int n_seeds, int n_lives, uint64_t ops) {
    for (int seed = 0; seed < n_seeds; seed++) {
        struct trial t;
        o.cut_spans = 5 + (uint32_t)test_below(40);
        trial_start(&t, o);
        for (int life = 0; life < n_lives; life++) {
            power_off_at(&t, 1 + test_below(ops));
            work(&t);
            CHECK_OK(trial_crash(&t, test_rand(), test_below(4) == 0));
            disk_sim_arm(t.disk, NULL);
            reopen(&t);
        }
        trial_fini(&t);
    }
}

TEST(crash_at_any_moment_loses_nothing_acknowledged) {
    crash_loop((struct trial_opts){ .random = { .spans_max = 3 } }, 120, 3, 400);
}
