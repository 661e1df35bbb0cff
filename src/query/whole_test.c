// SPDX-License-Identifier: Apache-2.0
// The main promise: an answer does not depend on how spans are spread over heads, frozen heads and
// blocks, nor on restarts, merges, duplicates and the order of arrival.
#include "query/fixture_test.h"

// One life of a store: random requests, flushes, restarts, each followed by a look at everything.
static void live(struct trial_opts o, int steps) {
    struct trial t;
    trial_start(&t, o);
    for (int i = 0; i < steps; i++) {
        submit_random(&t, 1 + (uint32_t)test_below(6));
        if (test_below(4) == 0) CHECK_OK(trial_flush(&t));
        if (test_below(5) == 0) trial_settle(&t);
        if (test_below(6) == 0) {
            trial_close(&t);
            if (!o.mem_store) CHECK_OK(trial_crash(&t, test_rand(), test_below(2)));
            CHECK_OK(trial_open(&t));
        }
        check_some_traces(&t, 3);
        if (test_below(3) == 0) check_searches(&t, 1);
    }
    CHECK_OK(trial_flush(&t));
    trial_settle(&t);
    check_traces(&t);
    check_searches(&t, 5);
    struct ingest_stats s;
    ingest_stats(t.in, &s);
    CHECK_U64(s.head_spans, 0);
    CHECK_U64(s.cut_failures_total, 0);
    trial_fini(&t);
}

static void lives(struct trial_opts o, int n, int steps) {
    for (int i = 0; i < n; i++) {
        o.cut_spans = 10 + (uint32_t)test_below(150);
        o.mem_store = i % 3 != 0;
        live(o, steps);
    }
}

TEST(whole_answers_do_not_depend_on_where_spans_lie) {
    lives((struct trial_opts){ .random = { .spans_max = 6 } }, 6, 9);
}
TEST(whole_duplicates_are_one_span_everywhere) {
    lives((struct trial_opts){ .random = { .spans_max = 4, .duplicate_percent = 40 } }, 6, 9);
}
TEST(whole_wild_bodies_come_back_as_sent) {
    lives((struct trial_opts){ .random = { .wild = true, .bad_utf8 = true, .invalid_percent = 10 } }, 6, 9);
}
TEST(whole_large_values_come_back_as_sent) {
    lives((struct trial_opts){ .random = { .large = true, .depth_max = 32, .duplicate_percent = 10 } }, 3, 7);
}
