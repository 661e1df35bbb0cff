// SPDX-License-Identifier: Apache-2.0
// Traces are deleted: every way of reading forgets them at once and for good, wherever their spans
// lay, and keeps all others as they were.
#include "query/fixture_test.h"
#include "query/tags.h"

static void id_of_some(struct trial *t, uint8_t id[16]) {
    memcpy(id, t->model.at[test_below(t->model.n)].trace, 16);
}

static void delete_some(struct trial *t) {
    uint8_t id[16];
    uint64_t n;
    uint32_t first;
    id_of_some(t, id);
    model_sort(&t->model);
    uint32_t want = model_find(&t->model, id, &first);
    CHECK_OK(trial_delete(t, id, &n));
    CHECK(n >= want); // equal spans in two blocks count twice
    CHECK(trial_delete(t, id, &n) == ERR_NOT_FOUND && n == 0);
}

// Heads, blocks, split traces, merges, restarts; deleted traces go on.
TEST(delete_random_traces_at_any_time) {
    for (int seed = 0; seed < 4; seed++) {
        struct trial t;
        trial_start(&t, (struct trial_opts){ .random = { .spans_max = 6 },
                                             .cut_spans = 10 + (uint32_t)test_below(60) });
        for (int i = 0; i < 8; i++) {
            submit_random(&t, 1 + (uint32_t)test_below(6));
            if (test_below(3) == 0) trial_settle(&t);
            for (uint64_t k = test_below(4); k > 0 && t.model.n > 0; k--) delete_some(&t);
            check_some_traces(&t, 5);
            check_searches(&t, 3);
            if (test_below(4) == 0) {
                trial_close(&t);
                CHECK_OK(trial_open(&t));
            }
        }
        trial_settle(&t);
        check_traces(&t);
        check_searches(&t, 20);
        struct ingest_stats s;
        ingest_stats(t.in, &s);
        CHECK(s.deleted_traces_total <= s.deleted_spans_total);
        trial_fini(&t);
    }
}

TEST(delete_all_there_is) {
    struct trial t;
    trial_start(&t, (struct trial_opts){ .random = { .spans_max = 4 }, .cut_spans = 40 });
    submit_random(&t, 10);
    while (t.model.n > 0) delete_some(&t);
    struct ingest_stats s;
    ingest_stats(t.in, &s);
    CHECK(s.block_spans == 0 && s.blocks == 0 && s.head_spans == 0);
    submit_random(&t, 20);
    check_traces(&t);
    check_searches(&t, 5);
    trial_fini(&t);
}

TEST(delete_everything_and_go_on) {
    struct trial t;
    uint64_t n;
    trial_start(&t, (struct trial_opts){ .random = { .spans_max = 4 }, .cut_spans = 40 });
    CHECK(trial_delete_everything(&t, &n) == ERR_NOT_FOUND && n == 0);
    for (int i = 0; i < 3; i++) {
        submit_random(&t, 10);
        uint32_t sent = t.model.n;
        CHECK_OK(trial_delete_everything(&t, &n));
        CHECK(n >= sent);
        struct ingest_stats s;
        ingest_stats(t.in, &s);
        CHECK(s.block_spans == 0 && s.blocks == 0 && s.head_spans == 0);
        check_searches(&t, 5);
        trial_close(&t);
        CHECK_OK(trial_open(&t)); // what the log still has does not come back
        check_searches(&t, 5);
    }
    submit_random(&t, 20);
    check_traces(&t);
    check_searches(&t, 5);
    trial_fini(&t);
}

static struct spec span_of(uint64_t trace, uint64_t id, const char *service, const char *name) {
    return (struct spec){ trace, id, 0, TRIAL_NOW_NS - 1000, TRIAL_NOW_NS, service, name, false };
}

static bool has_value(struct trial *t, struct field f, const char *text) {
    struct view *v = ingest_view(t->in);
    struct tag_values values;
    struct err_ctx ctx = { 0 };
    bool found = false;
    CHECK_OK(tags_values(v, &f, NULL, &(struct query_bounds){ .clock = &t->clock }, 100, &values, &ctx));
    for (uint32_t i = 0; i < values.n; i++) found |= str_eq(values.values[i].s, str_of(text));
    tag_values_fini(&values);
    view_unref(v);
    return found;
}

// What only the deleted trace had is no value of a tag any more.
TEST(delete_takes_values_with_it) {
    struct trial t;
    uint8_t id[16];
    uint64_t n;
    struct field name = { .intrinsic = INTRINSIC_NAME },
                 service = { .scope = FIELD_RESOURCE, .key = STR("service.name") };
    trial_start(&t, (struct trial_opts){ .cut_spans = 1000 });
    struct spec keep = span_of(1, 1, "shop", "GET /"), lose = span_of(2, 2, "secret", "GET /secret");
    CHECK_OK(submit_specs(&t, &keep, 1));
    CHECK_OK(submit_specs(&t, &lose, 1));
    CHECK(has_value(&t, name, "GET /secret") && has_value(&t, service, "secret"));
    spec_trace_id(2, id);
    CHECK_OK(trial_delete(&t, id, &n));
    CHECK_U64(n, 1);
    CHECK(!has_value(&t, name, "GET /secret") && !has_value(&t, service, "secret"));
    CHECK(has_value(&t, name, "GET /") && has_value(&t, service, "shop"));
    // Spans that come later are those of any trace.
    CHECK_OK(submit_specs(&t, &lose, 1));
    CHECK_U64(spans_now(&t, 2), 1);
    trial_fini(&t);
}

// An open view keeps its answer.
TEST(delete_leaves_an_open_view_as_it_is) {
    struct trial t;
    uint8_t id[16];
    uint64_t n;
    trial_start(&t, (struct trial_opts){ .cut_spans = 1000 });
    struct spec spans[] = { span_of(1, 1, "shop", "a"), span_of(2, 2, "shop", "b") };
    CHECK_OK(submit_specs(&t, spans, 2));
    CHECK_OK(trial_flush(&t));
    struct view *v = ingest_view(t.in);
    spec_trace_id(2, id);
    CHECK_OK(trial_delete(&t, id, &n));
    CHECK(spans_of(v, 2) == 1 && spans_now(&t, 2) == 0 && spans_now(&t, 1) == 1);
    view_unref(v);
    trial_fini(&t);
}

// The power goes, or calls fail, at any moment of a deletion: all of the trace or nothing of it is
// there, nothing after an answer, and of the others everything.
static bool delete_with_fault(uint64_t nth, bool power_off) {
    enum { TRACES = 6, PARTS = 3 };
    struct trial t;
    uint8_t id[16];
    uint64_t n;
    trial_start(&t, (struct trial_opts){ .cut_spans = 1000 });
    t.opts.merge = false;
    for (uint64_t part = 0; part < PARTS; part++) {
        for (uint64_t trace = 1; trace <= TRACES; trace++) {
            struct spec s = span_of(trace, 1 + part, "shop", "x");
            CHECK_OK(submit_specs(&t, &s, 1));
        }
        if (part + 1 < PARTS) CHECK_OK(trial_flush(&t));
    }
    spec_trace_id(3, id);
    uint64_t before = disk_sim_calls(t.disk, DISK_SIM_ANY);
    disk_sim_arm(t.disk, &(struct disk_sim_fault){ .op = DISK_SIM_ANY, .nth = nth, .power_off = power_off });
    enum err e = trial_delete(&t, id, &n);
    if (t.in) trial_settle(&t);
    bool reached = disk_sim_calls(t.disk, DISK_SIM_ANY) - before >= nth;
    bool is_down = disk_sim_is_down(t.disk);
    if (!is_down) disk_sim_arm(t.disk, NULL);
    if (t.in && !is_down) CHECK(e != ERR_OK || spans_now(&t, 3) == 0);
    CHECK_OK(trial_crash(&t, test_rand(), test_below(3) == 0));
    disk_sim_arm(t.disk, NULL);
    CHECK_OK(trial_open(&t));
    uint32_t left = spans_now(&t, 3);
    CHECK(left == 0 || (e != ERR_OK && left == PARTS));
    for (uint64_t trace = 1; trace <= TRACES; trace++) CHECK(trace == 3 || spans_now(&t, trace) == PARTS);
    if (left == 0) model_drop(&t.model, id);
    check_searches(&t, 0);
    trial_fini(&t);
    return reached;
}

TEST(delete_crash_at_any_moment) {
    uint64_t nth = 1;
    while (delete_with_fault(nth, true)) nth += 1 + test_below(nth < 60 ? 8 : 40);
    CHECK(nth > 40);
}
TEST(delete_any_call_may_fail) {
    uint64_t nth = 1;
    while (delete_with_fault(nth, false)) nth += 1 + test_below(nth < 60 ? 8 : 40);
    CHECK(nth > 40);
}
