// SPDX-License-Identifier: Apache-2.0
#include "query/pick.h"

#include "query/fixture_test.h"

#define AT TRIAL_NOW_NS

// root ─ a ─ b ─ c, root ─ d; x hangs on nothing.
static const struct spec tree[] = {
    { 7, 1, 0, AT, AT + 100, "s", "root", false }, { 7, 2, 1, AT + 1, AT + 90, "s", "a", false },
    { 7, 3, 2, AT + 2, AT + 80, "s", "b", true },  { 7, 4, 3, AT + 3, AT + 70, "s", "c", false },
    { 7, 5, 1, AT + 4, AT + 60, "t", "d", false }, { 7, 6, 99, AT + 5, AT + 50, "t", "x", false },
};

static void check_pick(struct view *v, const char *text, struct pick p, const char *want) {
    struct err_ctx ctx = { 0 };
    struct ql_query *q;
    struct trace t;
    struct arena a;
    struct buf got;
    uint8_t id[16];
    spec_trace_id(7, id);
    arena_init(&a, SIZE_MAX, NULL);
    buf_init(&got, 1000);
    CHECK_OK(ql_parse(&a, str_of(text), &q, &ctx));
    CHECK_OK(pick_check(q, &ctx));
    CHECK_OK(trace_load(v, id, &(struct trace_limits){ 0 }, &t));
    p.query = q;
    CHECK_OK(pick_run(&t, &p, &ctx));
    for (uint32_t i = 0; i < t.n; i++) {
        if (i) buf_char(&got, ' ');
        buf_str(&got, span_name(&t.table, t.rows[i]));
    }
    CHECK_STR(buf_view(&got), str_of(want));
    trace_fini(&t);
    buf_fini(&got);
    ql_free(q);
    arena_fini(&a);
}

TEST(pick_matches_and_what_is_around_them) {
    struct trial t;
    trial_start(&t, (struct trial_opts){ .mem_store = true });
    CHECK_OK(submit_specs(&t, tree, 6));
    for (int flushed = 0; flushed < 2; flushed++) {
        struct view *v = ingest_view(t.in);
        check_pick(v, "{ }", (struct pick){ 0 }, "root a b c d x");
        check_pick(v, "{ name = `b` }", (struct pick){ 0 }, "b");
        check_pick(v, "{ false }",
                   (struct pick){ .ancestors = true, .ancestor_depth = -1, .match_depth = -1 }, "");
        check_pick(v, "{ name = `c` }", (struct pick){ .ancestors = true, .ancestor_depth = -1 },
                   "root a b c");
        check_pick(v, "{ name = `c` }", (struct pick){ .ancestors = true, .ancestor_depth = 1 }, "b c");
        check_pick(v, "{ name = `c` }", (struct pick){ .ancestors = true, .ancestor_depth = 2 }, "a b c");
        check_pick(v, "{ name = `c` || name = `a` }", (struct pick){ .ancestors = true, .ancestor_depth = 1 },
                   "root a b c");
        check_pick(v, "{ name = `c` }", (struct pick){ .ancestors = true }, "c");
        check_pick(v, "{ name = `a` }", (struct pick){ .match_depth = 1 }, "a b");
        check_pick(v, "{ name = `a` }", (struct pick){ .match_depth = -1 }, "a b c");
        check_pick(v, "{ name = `root` }", (struct pick){ .match_depth = 1 }, "root a d");
        check_pick(v, "{ name = `root` || name = `b` }", (struct pick){ .match_depth = 1 }, "root a b c d");
        check_pick(v, "{ status = error }",
                   (struct pick){ .match_depth = 1, .ancestors = true, .ancestor_depth = 1 }, "a b c");
        check_pick(v, "{ resource.service.name = `t` }",
                   (struct pick){ .ancestors = true, .ancestor_depth = -1, .match_depth = -1 }, "root d x");
        check_pick(v, "{ parent.name != nil }", (struct pick){ 0 }, "");
        view_unref(v);
        CHECK_OK(trial_flush(&t));
    }
    trial_fini(&t);
}

TEST(pick_takes_one_filter_about_spans_only) {
    static const char *const bad[] = { "{ } | count() > 1",  "{ } >> { }",
                                       "{ } && { }",         "{ } | rate()",
                                       "{ rootName = `x` }", "{ .a = 1 && traceDuration > 1s }",
                                       "{ trace:id = `1` }", "{ rootServiceName =~ `a` }",
                                       "{ } | select(.a)" };
    struct err_ctx ctx = { 0 };
    struct ql_query *q;
    struct arena a;
    arena_init(&a, SIZE_MAX, NULL);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        CHECK_OK(ql_parse(&a, str_of(bad[i]), &q, &ctx));
        CHECK(pick_check(q, &ctx) == ERR_INVALID);
        ql_free(q);
    }
    arena_fini(&a);
}
