// SPDX-License-Identifier: Apache-2.0
// Single rules of the list of traces, each answered the same from the head and from a block.
#include "query/fixture_test.h"
#include "query/layout.h"

#define AT TRIAL_NOW_NS

// The number of traces that match, checked against the model as well.
static uint64_t count_in(struct trial *t, struct listing l) {
    struct find_result r;
    struct view *v = ingest_view(t->in);
    l.limit = 100;
    model_sort(&t->model);
    check_search(v, &t->model, l);
    list_traces(v, &l, NULL, &r);
    uint64_t n = r.total;
    find_fini(&r);
    view_unref(v);
    return n;
}

static uint64_t count(struct trial *t, struct search s) {
    return count_in(t, (struct listing){ .how = s });
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
    CHECK_U64(count_in(t, (struct listing){ .start_ns = AT, .end_ns = AT + 100 }), 0);
    CHECK_U64(count_in(t, (struct listing){ .start_ns = AT - 1, .end_ns = AT }), 1);
    CHECK_U64(count_in(t, (struct listing){ .start_ns = AT + 100, .end_ns = AT + 200 }), 1);
    CHECK_U64(count_in(t, (struct listing){ .start_ns = AT + 200, .end_ns = AT + 999 }), 0);
    CHECK_U64(count_in(t, (struct listing){ .start_ns = AT + 1, .end_ns = AT + 199 }), 0); // within, no start
    CHECK_U64(count_in(t, (struct listing){ .start_ns = AT + 999, .end_ns = AT + 1000 }), 2);
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
    CHECK_U64(count_in(t, (struct listing){ .start_ns = AT, .end_ns = UINT64_MAX }), 1);
    CHECK_U64(count_in(t, (struct listing){ .start_ns = 0, .end_ns = 1 }), 1); // not the one at 0
    struct view *v = ingest_view(t->in);
    struct find_result r;
    list_traces(v, &(struct listing){ .limit = 10 }, NULL, &r);
    CHECK_U64(r.n, 5);
    CHECK_U64(r.traces[0].summary.start_ns, INT64_MAX);
    CHECK_U64(r.traces[4].summary.start_ns, 0);
    find_fini(&r);
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

static enum err run_with_limit(struct view *v, uint32_t limit) {
    struct arena a;
    struct ql_query *q;
    struct find_result r;
    struct err_ctx ctx = { 0 };
    arena_init(&a, SIZE_MAX, NULL);
    CHECK_OK(ql_parse(&a, STR("{ }"), &q, &ctx));
    enum err e = find_run(v, &(struct find){ .query = q, .limit = limit }, &r, &ctx);
    if (e == ERR_OK) {
        CHECK_U64(r.n + r.total, 0);
        find_fini(&r);
    }
    ql_free(q);
    arena_fini(&a);
    return e;
}
TEST(search_refuses_a_limit_out_of_bounds) {
    struct trial t;
    trial_start(&t, (struct trial_opts){ .mem_store = true });
    struct view *v = ingest_view(t.in);
    CHECK(run_with_limit(v, 0) == ERR_INVALID);
    CHECK(run_with_limit(v, SEARCH_LIMIT_MAX + 1) == ERR_INVALID);
    CHECK_OK(run_with_limit(v, SEARCH_LIMIT_MAX));
    view_unref(v);
    trial_fini(&t);
}

TEST(search_the_list_in_the_language) {
    static const struct {
        struct search how;
        const char *text;
    } cases[] = {
        { { .errors = false }, "{ }" },
        { { .errors = true }, "{ status = error }" },
        { { .min_duration_ns = 5 }, "{ traceDuration >= 5ns }" },
        { { .min_duration_ns = 1500000, .max_duration_ns = 2000000000 },
          "{ traceDuration >= 1.5ms && traceDuration <= 2s }" },
        { { .service = { "a\"} || {", 8 } }, "{ resource.service.name = \"a\\\"} || {\" }" },
        { { .operation = { "op", 2 }, .service = { "s", 1 }, .errors = true, .max_duration_ns = 1 },
          "{ rootName = \"op\" && traceDuration <= 1ns } && { resource.service.name = \"s\" } && "
          "{ status = error }" },
    };
    struct arena a;
    struct str text;
    arena_init(&a, SIZE_MAX, NULL);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        CHECK_OK(search_text(&a, &cases[i].how, &text));
        CHECK_STR(text, str_of(cases[i].text));
    }
    CHECK(search_text(&a, &(struct search){ .service = STR("\xff") }, &text) == ERR_INVALID);
    arena_fini(&a);
}

// --- few matches, and what is known of blocks ----------------------------------------------------------

enum { FEW_TRACES = 400 };

// A trace of many in each of three blocks: all split but for every third; few have a rare span, in any of
// their parts, few an error, in any other.
static void submit_few(struct trial *t) {
    static struct spec specs[FEW_TRACES];
    for (uint64_t part = 0; part < 3; part++) {
        size_t n = 0;
        for (uint64_t i = 1; i <= FEW_TRACES; i++) {
            if (i % 3 == 0 && part != i % 2) continue;
            bool rare = i % 67 == 0 && part == i % 3, wrong = i % 29 == 0 && part == (i / 29) % 3;
            struct spec s = { i,    part + 1, 0, AT + i * 100 + part, AT + i * 100 + 9, rare ? "rare" : "a",
                              "op", wrong };
            if (part > 0) s.parent = 1;
            specs[n++] = s;
        }
        CHECK_OK(submit_specs(t, specs, n));
        if (part < 2) CHECK_OK(trial_flush(t));
    }
}

static void look_for_few(struct trial *t) {
    uint64_t n = count(t, (struct search){ .service = STR("rare") });
    CHECK(n >= 3);
    CHECK_U64(count(t, (struct search){ .service = STR("nobody") }), 0);
    CHECK(count(t, (struct search){ .errors = true }) >= 5);
    (void)count(t, (struct search){ .service = STR("rare"), .errors = true });
    CHECK(count_in(t, (struct listing){ .how = { .service = STR("rare") }, .end_ns = AT + 20000 }) < n);
}

TEST(search_few_matches_of_split_traces) {
    for (int how = 0; how < 3; how++) { // the last parts in the head; in a block; without memory for views
        struct trial t;
        trial_start(&t, (struct trial_opts){ .cut_spans = 100000, .mem_store = true });
        if (how == 2) query_layout_limit(0);
        submit_few(&t);
        if (how > 0) CHECK_OK(trial_flush(&t));
        look_for_few(&t);
        trial_fini(&t);
        query_layout_limit(UINT64_MAX - 1);
    }
}

// A page is full, and an older block still holds what belongs on it.
TEST(search_stops_only_where_nothing_older_belongs_on_the_page) {
    static const struct spec blocks[2][4] = {
        { { 11, 1, 0, AT + 100, AT + 101, "a", "r", false },
          { 12, 1, 0, AT + 10, AT + 11, "a", "r", false },
          { 13, 1, 0, AT + 9, AT + 10, "a", "r", false },
          { 14, 1, 0, AT + 8, AT + 9, "a", "r", false } },
        { { 1, 1, 0, AT + 50, AT + 51, "a", "r", false },
          { 2, 1, 0, AT + 10, AT + 11, "a", "r", false }, // of as old ones the lesser id is first
          { 3, 1, 0, AT + 7, AT + 8, "a", "r", false },
          { 4, 1, 0, AT + 6, AT + 7, "a", "r", false } },
    };
    for (int newest = 0; newest < 2; newest++) { // in either order, in blocks and in the head
        struct trial t;
        trial_start(&t, (struct trial_opts){ .cut_spans = 1000, .mem_store = true });
        CHECK_OK(submit_specs(&t, blocks[newest], 4));
        CHECK_OK(trial_flush(&t));
        CHECK_OK(submit_specs(&t, blocks[!newest], 4));
        if (newest) CHECK_OK(trial_flush(&t));
        model_sort(&t.model);
        struct view *v = ingest_view(t.in);
        for (uint32_t limit = 1; limit <= 9; limit++)
            check_search(v, &t.model, (struct listing){ .limit = limit });
        view_unref(v);
        trial_fini(&t);
    }
}

TEST(search_what_is_known_of_the_blocks_of_a_view_is_found_out_once) {
    struct trial t;
    struct sources a, b;
    trial_start(&t, (struct trial_opts){ .cut_spans = 100000, .mem_store = true });
    submit_few(&t);
    struct view *v = ingest_view(t.in);
    CHECK_OK(sources_open(v, &(struct query_bounds){ 0 }, &a));
    CHECK_OK(sources_open(v, &(struct query_bounds){ .start_ns = AT, .end_ns = AT + 5000 }, &b));
    CHECK(a.layout && a.layout == b.layout);
    CHECK(a.n == 3 && a.at[0].head && a.n_left_out == 0); // two blocks, and the head, which is newest
    CHECK(a.split.n > FEW_TRACES / 2 && a.split.n == b.split.n);
    for (uint32_t i = 0; i < a.split.n; i++) CHECK_U64(split_find(&a.split, split_id(&a.split, i)), i);
    sources_close(&a);
    sources_close(&b);
    view_unref(v);
    trial_fini(&t);
}

// Of a store of n blocks that was just opened: what is in memory when all of them are.
static uint64_t bytes_to_open(uint32_t n) {
    struct trial t;
    struct block_scan scan;
    const struct layout *l;
    trial_start(&t, (struct trial_opts){ .cut_spans = 100000, .mem_store = true });
    for (uint32_t i = 0; i < n; i++) {
        struct spec s = { i + 1, 1, 0, AT, AT + 1, "a", "one", false };
        CHECK_OK(submit_specs(&t, &s, 1));
        CHECK_OK(trial_flush(&t));
    }
    trial_close(&t);
    CHECK_OK(trial_open(&t));
    struct view *v = ingest_view(t.in);
    CHECK_OK(block_scan_init(&scan, NULL));
    scan.arena.keep = 0;
    CHECK_OK(layout_take(v, &(struct query_bounds){ 0 }, &scan, &l));
    CHECK(l->n > 0 && l->n <= n); // some may be merged by now
    uint64_t bytes = scan.arena.used;
    layout_give(l);
    block_scan_fini(&scan);
    view_unref(v);
    trial_fini(&t);
    return bytes;
}

TEST(search_blocks_of_a_view_are_opened_one_after_the_other) {
    uint64_t few = bytes_to_open(2);
    CHECK(few > 0 && bytes_to_open(30) < 2 * few);
}
