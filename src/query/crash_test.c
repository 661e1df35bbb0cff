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
    crash_loop((struct trial_opts){ .random = { .spans_max = 3 } }, 80, 3, 400);
}

// --- calls that fail -----------------------------------------------------------------------------

// A scenario with everything in it, whose n-th call of the disk fails; then the disk is well again.
static bool fail_nth(uint64_t nth, enum disk_sim_op op, bool keep) {
    struct trial t;
    trial_start(&t, (struct trial_opts){ .random = { .spans_max = 3 }, .cut_spans = 12 });
    disk_sim_arm(t.disk, &(struct disk_sim_fault){ .op = op, .nth = nth, .keep = keep });
    uint64_t before = disk_sim_calls(t.disk, op);
    for (int i = 0; i < 5; i++) submit_one(&t);
    enum err ignored = trial_flush(&t);
    (void)ignored;
    trial_settle(&t);
    bool failed = disk_sim_calls(t.disk, op) - before >= nth;
    disk_sim_arm(t.disk, NULL);
    CHECK(submit_one(&t));
    check_some_traces(&t, 2);
    if (nth % 2) {
        CHECK_OK(trial_crash(&t, test_rand(), nth % 4 == 1));
        reopen(&t);
    }
    CHECK(submit_one(&t));
    CHECK_OK(trial_flush(&t));
    trial_settle(&t);
    check_traces(&t);
    trial_fini(&t);
    return failed;
}

static void fail_every(enum disk_sim_op op, uint64_t step) {
    uint64_t nth = 1;
    while (fail_nth(nth, op, false)) nth += 1 + test_below(step);
    CHECK(nth > 1);
}

TEST(crash_every_write_may_fail) {
    fail_every(DISK_SIM_WRITE, 6);
}
TEST(crash_every_sync_may_fail) {
    fail_every(DISK_SIM_SYNC, 2);
}
TEST(crash_every_sync_of_a_folder_may_fail) {
    fail_every(DISK_SIM_SYNC_DIR, 2);
}
TEST(crash_every_opening_may_fail) {
    fail_every(DISK_SIM_OPEN, 3);
}
TEST(crash_every_link_may_fail) {
    fail_every(DISK_SIM_LINK, 1);
}

// --- single rules --------------------------------------------------------------------------------

static struct spec span_of(uint64_t trace, uint64_t id) {
    return (struct spec){ trace, id, 0, TRIAL_NOW_NS - 1000, TRIAL_NOW_NS, "shop", "GET /", false };
}

TEST(crash_a_failed_sync_shows_nothing_and_harms_nothing_later) {
    struct trial t;
    trial_start(&t, (struct trial_opts){ .cut_spans = 1000 });
    for (uint64_t i = 1; i <= 20; i++) {
        struct spec bad = span_of(1000 + i, 1), good = span_of(i, 1);
        disk_sim_arm(t.disk, &(struct disk_sim_fault){ .op = DISK_SIM_SYNC, .nth = 1 });
        CHECK(submit_specs(&t, &bad, 1) == ERR_IO);
        CHECK_OK(submit_specs(&t, &good, 1));
        CHECK_U64(spans_now(&t, 1000 + i), 0);
        CHECK_U64(spans_now(&t, i), 1);
    }
    CHECK_OK(trial_flush(&t));
    CHECK_U64(spans_now(&t, 1007), 0);
    CHECK_OK(trial_crash(&t, test_rand(), false));
    reopen(&t);
    for (uint64_t i = 1; i <= 20; i++) CHECK_U64(spans_now(&t, i), 1);
    trial_fini(&t);
}

// The answer comes after the sync, never before.
TEST(crash_an_acknowledged_span_survives_a_crash_at_once) {
    for (int i = 0; i < 30; i++) {
        struct trial t;
        trial_start(&t, (struct trial_opts){ .cut_spans = 1000 });
        struct spec s = span_of(7, 1);
        CHECK_OK(submit_specs(&t, &s, 1));
        disk_sim_arm(t.disk, &(struct disk_sim_fault){ .op = DISK_SIM_ANY, .nth = 1, .power_off = true });
        CHECK_OK(trial_crash(&t, test_rand(), false));
        reopen(&t);
        CHECK_U64(spans_now(&t, 7), 1);
        trial_fini(&t);
    }
}

// The snapshot is there, but its writer was told that it failed. Taking its block back would lose
// what the snapshot says is in it.
TEST(crash_an_unclear_commit_keeps_the_block) {
    int unclear = 0;
    for (uint64_t nth = 1; nth <= 24; nth++) {
        struct trial t;
        trial_start(&t, (struct trial_opts){ .cut_spans = 1000 });
        for (uint64_t i = 1; i <= 5; i++) {
            struct spec s = span_of(i, i);
            CHECK_OK(submit_specs(&t, &s, 1));
        }
        // All syncs of folders fail from some moment of the cut on, so that no try resolves it.
        disk_sim_arm(t.disk, &(struct disk_sim_fault){ .op = DISK_SIM_SYNC_DIR, .nth = nth, .keep = true });
        trial_flush_begin(&t);
        struct ingest_stats s;
        do ingest_stats(t.in, &s);
        while (s.cut_failures_total == 0 && s.snapshot == 0);
        unclear += s.cut_failures_total > 0;
        trial_close(&t); // the process dies here
        CHECK_OK(trial_crash(&t, test_rand(), nth % 2));
        disk_sim_arm(t.disk, NULL);
        reopen(&t);
        for (uint64_t i = 1; i <= 5; i++) CHECK_U64(spans_now(&t, i), 1);
        trial_fini(&t);
    }
    CHECK(unclear > 3);
}

TEST(crash_a_full_disk_refuses_and_recovers) {
    struct trial t;
    trial_start(&t, (struct trial_opts){ .random = { .spans_max = 3 }, .cut_spans = 20 });
    submit_random(&t, 10);
    trial_settle(&t);
    for (uint64_t limit = 1 << 10; limit < 4 << 20; limit *= 2) {
        int refused = 0;
        disk_sim_limit(t.disk, limit);
        for (int i = 0; i < 8; i++) refused += !submit_one(&t);
        disk_sim_limit(t.disk, 0);
        trial_settle(&t); // what could not be written is tried again
        CHECK(submit_one(&t));
        CHECK(limit > 4096 || refused == 8);
    }
    CHECK_OK(trial_flush(&t));
    trial_settle(&t);
    check_traces(&t);
    trial_close(&t);
    reopen(&t);
    trial_fini(&t);
}

static bool stop_after(void *left) {
    return (*(uint32_t *)left)-- == 0;
}

// Whoever ends the program does not wait for a long log; what was cut on the way counts.
TEST(crash_an_opening_that_is_stopped_harms_nothing) {
    struct trial t;
    trial_start(&t, (struct trial_opts){ .cut_spans = 1000000 });
    for (uint64_t i = 1; i <= 40; i++) {
        struct spec s = span_of(i, 1);
        CHECK_OK(submit_specs(&t, &s, 1));
    }
    trial_close(&t);
    t.opts.cut_spans = 8;
    for (uint32_t n = 0; n <= 40; n += 10) {
        uint32_t left = n;
        t.opts.should_stop = stop_after;
        t.opts.should_stop_ctx = &left;
        enum err e = trial_open(&t);
        if (e == ERR_OK && n > 0) break; // blocks held the rest
        CHECK(e == ERR_CANCELED && t.replay.spans <= n);
        CHECK(n > 0 || t.replay.spans == 0);
    }
    trial_close(&t);
    t.opts.should_stop = NULL;
    CHECK_OK(trial_open(&t));
    for (uint64_t i = 1; i <= 40; i++) CHECK_U64(spans_now(&t, i), 1);
    trial_fini(&t);
}
