// SPDX-License-Identifier: Apache-2.0
// Single rules of the list of traces, each answered the same from the head and from a block.
#include "query/fixture_test.h"

#define AT TRIAL_NOW_NS

// The number of traces that match, checked against the model as well.
static uint64_t count(struct trial *t, struct search s) {
    struct search_result r;
    struct view *v = ingest_view(t->in);
    if (s.limit == 0) s.limit = 100;
    model_sort(&t->model);
    check_search(v, &t->model, s);
    CHECK_OK(search_run(v, &s, &r));
    uint64_t n = r.total;
    search_fini(&r);
    view_unref(v);
    return n;
}

// Runs `look` with the spans in the head, in a block, and spread over blocks.
static void look_thrice(const struct spec *s, size_t n, void (*look)(struct trial *t)) {
    for (int how = 0; how < 3; how++) {
        struct trial t;
        trial_start(&t, (struct trial_opts){ .cut_spans = 1000, .mem_store = true });
        for (size_t i = 0; i < n; i++) {
            CHECK_OK(submit_specs(&t, &s[i], 1));
            if (how == 2) CHECK_OK(trial_flush(&t));
        }
        if (how == 1) CHECK_OK(trial_flush(&t));
        look(&t);
        trial_fini(&t);
    }
}

static void look_for_services(struct trial *t) {
    CHECK_U64(count(t, (struct search){ .service = STR("a") }), 1);
    CHECK_U64(count(t, (struct search){ .service = STR("b\"a") }), 1);
    CHECK_U64(count(t, (struct search){ .service = STR("{\"a") }), 1);
    CHECK_U64(count(t, (struct search){ .service = STR("x\\") }), 1);
    CHECK_U64(count(t, (struct search){ .service = STR("\"") }), 0);
    CHECK_U64(count(t, (struct search){ .service = STR("A") }), 0);
}
TEST(search_a_service_is_not_the_end_of_another) {
    static const struct spec s[] = {
        { 1, 1, 0, AT, AT + 1, "a", "r", false },    { 2, 1, 0, AT, AT + 1, "b\"a", "r", false },
        { 3, 1, 0, AT, AT + 1, "{\"a", "r", false }, { 4, 1, 0, AT, AT + 1, ",\"a\":[", "r", false },
        { 5, 1, 0, AT, AT + 1, "x\\", "r", false },  { 6, 1, 0, AT, AT + 1, NULL, "r", false }
    };
    look_thrice(s, sizeof s / sizeof *s, look_for_services);
}

static void look_for_ranges(struct trial *t) {
    CHECK_U64(count(t, (struct search){ .start_ns = AT, .end_ns = AT + 100 }), 0);
    CHECK_U64(count(t, (struct search){ .start_ns = AT - 1, .end_ns = AT }), 1);
    CHECK_U64(count(t, (struct search){ .start_ns = AT + 100, .end_ns = AT + 200 }), 1);
    CHECK_U64(count(t, (struct search){ .start_ns = AT + 200, .end_ns = AT + 999 }), 0);
    CHECK_U64(count(t, (struct search){ .start_ns = AT + 1, .end_ns = AT + 199 }), 0); // within, no start
    CHECK_U64(count(t, (struct search){ .start_ns = AT + 999, .end_ns = AT + 1000 }), 2);
}
TEST(search_a_range_holds_the_traces_with_a_span_that_starts_in_it) {
    static const struct spec s[] = { { 1, 1, 0, AT, AT + 5000, "a", "r", false },
                                     { 1, 2, 1, AT + 200, AT + 300, "a", "r", false },
                                     { 1, 3, 1, AT + 1000, AT + 1001, "a", "r", false },
                                     { 2, 1, 0, AT + 1000, AT + 1001, "a", "r", false } };
    look_thrice(s, sizeof s / sizeof *s, look_for_ranges);
}

static void look_for_roots(struct trial *t) {
    CHECK_U64(count(t, (struct search){ .operation = STR("first") }), 1);
    CHECK_U64(count(t, (struct search){ .operation = STR("second") }), 0);
    CHECK_U64(count(t, (struct search){ .operation = STR("child") }), 0);
    CHECK_U64(count(t, (struct search){ .operation = STR("lesser id") }), 1);
    CHECK_U64(count(t, (struct search){ .operation = STR("greater id") }), 0);
}
TEST(search_the_root_is_the_first_span_without_a_parent) {
    static const struct spec s[] = {
        { 1, 1, 9, AT - 50, AT, "a", "child", false },
        { 1, 2, 0, AT + 10, AT + 20, "b", "second", false },
        { 1, 3, 0, AT, AT + 20, "a", "first", false },
        { 2, 0x0200, 0, AT, AT + 1, "a", "lesser id", false }, // by bytes: 00 02 …
        { 2, 0x0101, 0, AT, AT + 1, "a", "greater id", false },
    };
    look_thrice(s, sizeof s / sizeof *s, look_for_roots);
}

static void look_for_odd_times(struct trial *t) {
    CHECK_U64(count(t, (struct search){ .max_duration_ns = 1 }), 4);
    CHECK_U64(count(t, (struct search){ .min_duration_ns = 1 }), 1);
    CHECK_U64(count(t, (struct search){ .start_ns = AT, .end_ns = UINT64_MAX }), 1);
    CHECK_U64(count(t, (struct search){ .start_ns = 0, .end_ns = 1 }), 1); // not the one at 0
    struct view *v = ingest_view(t->in);
    struct search_result r;
    CHECK_OK(search_run(v, &(struct search){ .limit = 10 }, &r));
    CHECK_U64(r.n, 5);
    CHECK_U64(r.traces[0].start_ns, INT64_MAX);
    CHECK_U64(r.traces[4].start_ns, 0);
    search_fini(&r);
    view_unref(v);
    check_traces(t);
}
TEST(search_odd_times_are_kept_as_sent) {
    static const struct spec s[] = { { 1, 1, 0, INT64_MAX, INT64_MAX, "a", "the year 2262", false },
                                     { 2, 1, 0, 0, 0, "a", "never", false },
                                     { 3, 1, 0, 1, 0, "a", "1970", false },
                                     { 4, 1, 0, AT, AT - 1000, "a", "ends before it starts", false },
                                     { 5, 1, 0, AT - 10, AT, "a", "usual", false } };
    look_thrice(s, sizeof s / sizeof *s, look_for_odd_times);
}

static void look_for_errors(struct trial *t) {
    CHECK_U64(count(t, (struct search){ .errors = true }), 1);
    CHECK_U64(count(t, (struct search){ .errors = true, .service = STR("a") }), 1);
    CHECK_U64(count(t, (struct search){ .errors = true, .service = STR("c") }), 0);
}
TEST(search_an_error_of_any_span_is_one_of_the_trace) {
    static const struct spec s[] = { { 1, 1, 0, AT, AT + 1, "a", "r", false },
                                     { 1, 2, 1, AT, AT + 1, "b", "r", true },
                                     { 2, 1, 0, AT, AT + 1, "c", "r", false } };
    look_thrice(s, sizeof s / sizeof *s, look_for_errors);
}

TEST(search_refuses_a_limit_out_of_bounds) {
    struct trial t;
    struct search_result r;
    trial_start(&t, (struct trial_opts){ .mem_store = true });
    struct view *v = ingest_view(t.in);
    CHECK(search_run(v, &(struct search){ .limit = 0 }, &r) == ERR_INVALID);
    CHECK(search_run(v, &(struct search){ .limit = SEARCH_LIMIT_MAX + 1 }, &r) == ERR_INVALID);
    CHECK_OK(search_run(v, &(struct search){ .limit = SEARCH_LIMIT_MAX }, &r));
    CHECK_U64(r.n + r.total, 0);
    search_fini(&r);
    view_unref(v);
    trial_fini(&t);
}
