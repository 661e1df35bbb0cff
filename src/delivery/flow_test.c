// SPDX-License-Identifier: Apache-2.0
#include "delivery/flow.h"

#include "base/test.h"
#include "delivery/measure.h"

#define MINUTE 60000000000ll
#define HOUR (60 * MINUTE)
#define DAY (24 * HOUR)
#define T0 1767225600000000000ll

static struct flow_change changes[16];
static struct flow_run runs[16];
static struct flow flow;
static struct arena arena;

static void begin(void) {
    arena_init(&arena, SIZE_MAX, NULL);
    memset(changes, 0, sizeof changes);
    memset(runs, 0, sizeof runs);
    flow = (struct flow){ .repo = STR("r"), .changes = changes, .runs = runs };
}

static struct measure_result measured(enum measure m, const struct measure_input *in, unsigned n) {
    struct measure_ask ask = { .measure = m, .from = T0, .to = T0 + 100 * DAY, .now = T0 + 100 * DAY };
    struct measuring run;
    struct measure_result r;
    measure_begin(&run, &arena, &ask, NULL, NULL);
    for (unsigned i = 0; i < n; i++) measure_input(&run, &in[i]);
    CHECK_OK(measure_end(&run, &r));
    return r;
}
static struct measure_result run(enum measure m) {
    return measured(m, &(struct measure_input){ .flow = &flow }, 1);
}
static uint64_t left_out(const struct measure_result *r, const char *why) {
    for (unsigned i = 0; i < r->n_left_out; i++)
        if (strstr(r->left_out[i].text, why)) return r->left_out[i].n;
    return 0;
}

static bool in_production(const void *ctx, const struct flow_scope *s) {
    (void)ctx;
    return str_eq(s->environment, STR("production"));
}

TEST(flow_comes_back_and_a_cut_one_is_refused) {
    begin();
    static const struct flow_scope scopes[] = { { STR("a"), STR("production") },
                                                { STR("a"), STR("staging") } };
    static const struct flow_delivery deliveries[] = { { 1, T0 + 2 * HOUR, 7 }, { 0, T0 + 3 * HOUR, 8 } };
    static const uint32_t n[] = { 2, 0 };
    for (unsigned odd = 0; odd < 2; odd++) { // in seconds, then in nanoseconds
        struct buf packed, names;
        struct flow got = { 0 };
        buf_init(&packed, SIZE_MAX);
        buf_init(&names, SIZE_MAX);
        changes[0] = (struct flow_change){ .key = STR("one"),
                                           .first_commit = T0 - HOUR,
                                           .opened = T0 + odd,
                                           .first_review = T0 + MINUTE,
                                           .approved = T0 + 2 * MINUTE,
                                           .merged = T0 + HOUR,
                                           .n_runs = 2,
                                           .ci_ns = MINUTE,
                                           .ci_sum_ns = 2 * MINUTE,
                                           .rounds = 3,
                                           .flags = FLOW_BOT };
        changes[1] = (struct flow_change){ .key = STR("two") };
        struct flow_changes all = { changes, 2, n, deliveries, scopes, 2 };
        flow_pack_changes(&all, &packed, &names);
        struct str bytes = buf_view(&packed);
        CHECK_OK(flow_unpack_changes(&arena, bytes, buf_view(&names), in_production, NULL, &got));
        CHECK(got.n_changes == 2 && str_eq(got.changes[1].key, STR("two")));
        const struct flow_change *c = &got.changes[0];
        CHECK(c->first_commit == T0 - HOUR && c->opened == T0 + odd && c->first_review == T0 + MINUTE);
        CHECK(c->approved == T0 + 2 * MINUTE && c->merged == T0 + HOUR && c->rounds == 3);
        CHECK(c->ci_ns == MINUTE && c->ci_sum_ns == 2 * MINUTE && c->flags == FLOW_BOT);
        CHECK(c->deployed == T0 + 3 * HOUR && c->rollout == 8); // the earlier one was to staging
        for (size_t cut = 0; cut < bytes.len; cut++)
            CHECK(flow_unpack_changes(&arena, str_sub(bytes, 0, cut), STR(""), in_production, NULL, &got) ==
                  ERR_CORRUPT);
        buf_fini(&packed);
        buf_fini(&names);
    }
    struct buf packed, names;
    struct flow got = { 0 };
    buf_init(&packed, SIZE_MAX);
    buf_init(&names, SIZE_MAX);
    runs[0] = (struct flow_run){ STR("x"), T0, T0 + 1, T0 + 2, FLOW_ERROR, FLOW_BRANCH_ANOTHER, true };
    struct flow_group group = { STR("t"), STR("s"), true, 1, 2, 3, T0 };
    flow.n_runs = flow.n_groups = 1;
    flow.groups = &group;
    flow_pack_runs(&flow, &packed, &names);
    CHECK_OK(flow_unpack_runs(&arena, buf_view(&packed), buf_view(&names), &got));
    CHECK(got.runs[0].queued == T0 && got.runs[0].ended == T0 + 2 && got.runs[0].result == FLOW_ERROR);
    CHECK(got.runs[0].branch == FLOW_BRANCH_ANOTHER && got.runs[0].begins);
    CHECK(got.groups[0].is_test && got.groups[0].n_error == 3 && got.groups[0].ended == T0);
    for (size_t cut = 0; cut < packed.len; cut++)
        CHECK(flow_unpack_runs(&arena, str_sub(buf_view(&packed), 0, cut), STR(""), &got) == ERR_CORRUPT);
    buf_fini(&packed);
    buf_fini(&names);
    arena_fini(&arena);
}

static struct flow_change *change(int64_t opened, int64_t merged) {
    struct flow_change *c = &changes[flow.n_changes++];
    c->opened = T0 + opened;
    c->merged = merged ? T0 + merged : 0;
    return c;
}

// Reviewed after an hour, merged after three; merged unseen; a bot's; opened two minutes before its first
// commit (clamped), and an hour before (left out).
TEST(flow_stages_of_changes) {
    begin();
    struct flow_change *c = change(0, 3 * HOUR);
    c->first_commit = T0 - 2 * HOUR;
    c->first_review = T0 + HOUR;
    c->approved = T0 + 2 * HOUR;
    c->deployed = T0 + 5 * HOUR;
    c->rounds = 2;
    change(DAY, DAY + 4 * HOUR);
    change(2 * DAY, 2 * DAY + HOUR)->flags = FLOW_BOT;
    change(3 * DAY, 0)->first_commit = T0 + 3 * DAY + 2 * MINUTE;
    change(4 * DAY, 0)->first_commit = T0 + 4 * DAY + HOUR;
    struct measure_result r = run(MEASURE_CHANGE_LEAD_TIME);
    CHECK(r.n == 1 && r.value.value == 7 * 3600);
    r = run(MEASURE_CODING_TIME);
    CHECK(r.n == 2 && r.clamped == 1 && r.most.value == 2 * 3600);
    CHECK(left_out(&r, "before it begins") == 1 && left_out(&r, "not known") == 1 &&
          left_out(&r, "bot") == 1);
    r = run(MEASURE_PICKUP_TIME);
    CHECK(r.n == 2 && r.value.value == 2.5 * 3600 && left_out(&r, "bot") == 1); // 1 h, and 4 h unseen
    r = run(MEASURE_REVIEW_TIME);
    CHECK(r.n == 1 && r.value.value == 2 * 3600 && left_out(&r, "without a review") == 1);
    r = run(MEASURE_UNREVIEWED_RATE);
    CHECK(r.numerator == 1 && r.denominator == 2);
    CHECK(run(MEASURE_MERGE_WAIT).value.value == 3600 && run(MEASURE_DEPLOY_TIME).value.value == 2 * 3600);
    CHECK(run(MEASURE_REVIEW_ROUNDS).value.value == 2);
    arena_fini(&arena);
}

// Without a service nothing waits; merged before the first rollout is a baseline; before a rollout whose
// commits are not known, nobody knows.
TEST(flow_merged_and_not_deployed) {
    begin();
    change(0, 1 * DAY);                             // before the first rollout
    change(0, 40 * DAY);                            // before one that is not known
    change(0, 90 * DAY);                            // waits, 10 days
    change(0, 95 * DAY)->deployed = T0 + 99 * DAY;  // deployed
    change(0, 98 * DAY)->deployed = T0 + 101 * DAY; // deployed only after the window
    struct measure_result r = run(MEASURE_WAITING_CHANGES);
    CHECK(r.n == 0 && left_out(&r, "no service") == 4);
    flow.n_series = 1;
    flow.first_success = T0 + 2 * DAY;
    flow.unknown_until = T0 + 50 * DAY;
    r = run(MEASURE_WAITING_CHANGES);
    CHECK(r.n == 2 && r.most.value == 10 * 86400 && left_out(&r, "baseline") == 1);
    CHECK(left_out(&r, "rollouts since then") == 1);
    arena_fini(&arena);
}

static void attempt(bool begins, int64_t at, enum flow_result result) {
    runs[flow.n_runs++] = (struct flow_run){ .queued = T0 + at,
                                             .started = T0 + at + MINUTE,
                                             .ended = T0 + at + 3 * MINUTE,
                                             .result = result,
                                             .begins = begins };
}

// At one commit: failed, then good (flaky, one run wasted). At another: good, then failed (flaky, no later
// success). At a third: an error, then good. A fourth: failed twice. A fifth: cancelled only.
TEST(flow_pipelines) {
    begin();
    attempt(true, 0, FLOW_FAILURE);
    attempt(false, HOUR, FLOW_SUCCESS);
    attempt(true, 2 * HOUR, FLOW_SUCCESS);
    attempt(false, 3 * HOUR, FLOW_FAILURE);
    attempt(true, 4 * HOUR, FLOW_ERROR);
    attempt(false, 5 * HOUR, FLOW_SUCCESS);
    attempt(true, 6 * HOUR, FLOW_TIMEOUT);
    attempt(false, 7 * HOUR, FLOW_FAILURE);
    attempt(true, 8 * HOUR, FLOW_OTHER);
    struct measure_result r = run(MEASURE_PIPELINE_SUCCESS_RATE);
    CHECK(r.numerator == 3 && r.denominator == 8 && left_out(&r, "cancelled") == 1);
    r = run(MEASURE_PIPELINE_FINAL_RATE);
    CHECK(r.numerator == 2 && r.denominator == 4);
    r = run(MEASURE_FLAKY_PIPELINE_RATE);
    CHECK(r.numerator == 2 && r.denominator == 3 && left_out(&r, "machinery") == 1);
    r = run(MEASURE_WASTED_RUN_RATE);
    CHECK(r.numerator == 1 && r.denominator == 7 && left_out(&r, "machinery") == 1);
    CHECK(run(MEASURE_QUEUE_TIME).value.value == 60 && run(MEASURE_QUEUE_RATIO).value.value == .5);
    r = run(MEASURE_PIPELINE_DEFAULT_RATE);
    CHECK(r.denominator == 0 && !r.value.defined && left_out(&r, "default branch") == 8);
    runs[0].branch = FLOW_BRANCH_DEFAULT;
    runs[1].branch = FLOW_BRANCH_ANOTHER;
    r = run(MEASURE_PIPELINE_DEFAULT_RATE);
    CHECK(r.numerator == 0 && r.denominator == 1);
    arena_fini(&arena);
}

TEST(flow_canaries_and_flags) {
    begin();
    struct measure_canary canaries[] = { { .state = CANARY_GOOD, .ended = T0, .production = true },
                                         { .state = CANARY_BAD, .ended = T0 + 1, .production = true },
                                         { .state = CANARY_OVERTAKEN, .ended = T0 + 2, .production = true },
                                         { .state = CANARY_BAD, .ended = T0 + 3 },
                                         { .state = CANARY_OPEN, .production = true } };
    struct measure_input in[5] = { 0 };
    for (unsigned i = 0; i < 5; i++) in[i].canary = &canaries[i];
    struct measure_result r = measured(MEASURE_CANARY_FAILURE_RATE, in, 5);
    CHECK(r.numerator == 1 && r.denominator == 2);
    CHECK(left_out(&r, "overtaken") == 1 && left_out(&r, "production") == 1);
    struct measure_flag_change one[] = { { .action = STR("created"), .changed = T0 },
                                         { .action = STR("on"), .changed = T0 + 9 * DAY } };
    struct measure_flag_change two[] = { { .action = STR("off"), .changed = T0 + 10 * DAY } }; // exactly 90 d
    struct measure_flag_change old[] = { { .action = STR("archived"), .changed = T0 } };
    struct measure_flag flags[] = { { .changes = one, .n = 2 },
                                    { .changes = two, .n = 1 },
                                    { .changes = old, .n = 1 } };
    for (unsigned i = 0; i < 3; i++) in[i] = (struct measure_input){ .flag = &flags[i] };
    r = measured(MEASURE_FLAG_FREQUENCY, in, 3);
    CHECK(r.n == 2 && r.value.value == .02 && left_out(&r, "archived") == 2);
    r = measured(MEASURE_STALE_FLAG_RATE, in, 3);
    CHECK(r.numerator == 1 && r.denominator == 2 && left_out(&r, "archived") == 1);
    arena_fini(&arena);
}
