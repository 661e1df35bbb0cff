// SPDX-License-Identifier: Apache-2.0
// Properties over random queries, hostile ones, and the failure of each allocation.
#include "base/test.h"
#include "traceql/analyze.h"
#include "traceql/random.h"
#include "traceql/tree.h"

static struct ql_query *parse_or_fail(struct arena *a, struct str text) {
    struct ql_query *q = NULL;
    struct err_ctx ctx = { 0 };
    if (ql_parse(a, text, &q, &ctx) == ERR_OK) return q;
    printf("# %.*s\n# %u:%u %s\n", STR_ARG(text), ctx.line, ctx.column, ctx.text);
    CHECK(!"it parses");
    return NULL;
}

static void check_round(struct str text) {
    struct arena a;
    struct buf once, twice;
    arena_init(&a, 256 << 20, NULL);
    buf_init(&once, 4 << 20);
    buf_init(&twice, 4 << 20);
    struct ql_query *q = parse_or_fail(&a, test_exact(text));
    ql_print(q, &once);
    struct ql_query *again = parse_or_fail(&a, buf_view(&once));
    ql_print(again, &twice);
    if (!ql_equal(q, again)) printf("# %.*s\n# %.*s\n", STR_ARG(text), STR_ARG(buf_view(&once)));
    CHECK(ql_equal(q, again));
    CHECK_STR(buf_view(&twice), buf_view(&once));
    ql_free(q);
    ql_free(again);
    buf_fini(&once);
    buf_fini(&twice);
    arena_fini(&a);
}

TEST(property_random_queries_print_and_parse_to_the_same) {
    for (int i = 0; i < 1000; i++) {
        struct ql_random_opts o = { .rand = test_rand, .depth_max = 1 + (uint32_t)test_below(6) };
        struct buf text;
        buf_init(&text, 1 << 20);
        if (test_below(2))
            ql_random_search(&o, &text);
        else
            ql_random_metrics(&o, &text);
        CHECK(!text.failed);
        if (text.len <= QL_TEXT_MAX / 8) check_round(buf_view(&text));
        buf_fini(&text);
    }
}

TEST(property_fields_print_and_parse_to_the_same) {
    static const char odd[] = "ab.\"\\ {}()=~!<>&|^,:-+*/%'`\t\n9\x7f";
    for (int i = 0; i < 900; i++) {
        char key[16];
        size_t n = test_below(sizeof key);
        for (size_t k = 0; k < n; k++) key[k] = odd[test_below(sizeof odd - 1)];
        struct field f = { .scope = (enum field_scope)test_below(FIELD_SCOPE_COUNT), .key = { key, n } }, got;
        f.of_parent = f.scope <= FIELD_RESOURCE && test_below(2);
        if (test_below(8) == 0)
            f = (struct field){ .intrinsic = (enum intrinsic)(1 + test_below(INTRINSIC_PARENT - 1)),
                                .key = STR("") };
        struct arena a;
        struct buf text;
        struct err_ctx ctx;
        arena_init(&a, 1 << 20, NULL);
        buf_init(&text, 1 << 10);
        ql_print_field(&f, &text);
        if (ql_parse_field(&a, test_exact(buf_view(&text)), &got, &ctx) != ERR_OK || !field_eq(&f, &got))
            printf("# %.*s\n", STR_ARG(buf_view(&text)));
        CHECK(ctx.text[0] == '\0' && field_eq(&f, &got));
        buf_fini(&text);
        arena_fini(&a);
    }
}

// Text cut, doubled and mixed anywhere: an error with a place, or a query that prints.
TEST(property_damaged_queries_end_in_errors_or_trees) {
    for (int i = 0; i < 800; i++) {
        struct ql_random_opts o = { .rand = test_rand };
        struct buf text, out;
        buf_init(&text, 1 << 20);
        buf_init(&out, 1 << 20);
        ql_random_search(&o, &text);
        for (uint64_t n = 1 + test_below(4); n > 0 && text.len > 0; n--) {
            size_t at = test_below(text.len), to = test_below(text.len);
            text.ptr[at] = text.ptr[to];
            if (test_below(3) == 0) text.len = at;
        }
        struct arena a;
        struct ql_query *q = NULL;
        struct ql_analysis x;
        struct err_ctx ctx = { 0 };
        arena_init(&a, 256 << 20, NULL);
        struct str damaged = test_exact(buf_view(&text));
        enum err e = ql_parse(&a, damaged, &q, &ctx);
        CHECK(e == ERR_OK || (e != ERR_NOMEM && ctx.text[0] && ctx.line > 0 && ctx.column > 0));
        if (e == ERR_OK) ql_print(q, &out);
        ql_explain(damaged, &ctx, &out);
        ql_free(q);
        CHECK_OK(ql_analyze(&a, damaged, (uint32_t)test_below(damaged.len + 1), &x));
        CHECK((e == ERR_OK) == (x.n_diagnostics == 0 || x.diagnostics[0].is_hint));
        CHECK_OK(ql_parse_lenient(&a, damaged, &q));
        ql_free(q);
        arena_fini(&a);
        buf_fini(&text);
        buf_fini(&out);
    }
}

// --- hostile -----------------------------------------------------------------------------------------------

static void repeat(struct buf *out, const char *what, size_t n) {
    for (size_t i = 0; i < n; i++) buf_str(out, str_of(what));
}

static void check_refused(struct buf *text, enum err want, const char *says) {
    struct arena a;
    struct ql_query *q = NULL;
    struct err_ctx ctx = { 0 };
    CHECK(!text->failed);
    arena_init(&a, 256 << 20, NULL);
    enum err e = ql_parse(&a, buf_view(text), &q, &ctx);
    if (e == ERR_OK) ql_free(q);
    if (!strstr(ctx.text, says)) printf("# %.60s: %s\n", text->ptr, ctx.text);
    CHECK(e == want && strstr(ctx.text, says));
    arena_fini(&a);
    buf_reset(text);
}

TEST(hostile_queries_end_in_clear_errors) {
    struct buf t;
    buf_init(&t, 1 << 20);
    static const char *const nests[] = { "{ (", "{ !", "{ -", "(", "{ .a ^ .b ^", "- " };
    for (size_t i = 0; i < 4; i++) {
        buf_str(&t, str_of(nests[i]));
        repeat(&t, nests[i] + (i < 3 ? 2 : 0), 50000);
        check_refused(&t, ERR_LIMIT, "nested more than 200 deep");
    }
    buf_str(&t, STR("{ .a"));
    repeat(&t, " ^ .a", 20000);
    check_refused(&t, ERR_LIMIT, "nested more than 200 deep");
    repeat(&t, "-", 100000);
    check_refused(&t, ERR_LIMIT, "nested more than 200 deep");
    buf_str(&t, STR("{ .a"));
    repeat(&t, " && .a", 1500);
    check_refused(&t, ERR_LIMIT, "more than 1000 operators");
    buf_str(&t, STR("{ }"));
    repeat(&t, " && {}", 1500);
    check_refused(&t, ERR_LIMIT, "more than 1000 operators");
    buf_str(&t, STR("count()"));
    repeat(&t, " + 1.5 - count()", 1500);
    check_refused(&t, ERR_LIMIT, "more than 1000 operators");
    buf_str(&t, STR("{ }"));
    repeat(&t, "|{}", 30000);
    check_refused(&t, ERR_LIMIT, "more than 20000 expressions");
    buf_str(&t, STR("{ } | select(.a"));
    repeat(&t, ",.a", 30000);
    check_refused(&t, ERR_LIMIT, "more than 20000 expressions");
    repeat(&t, " ", QL_TEXT_MAX + 1);
    check_refused(&t, ERR_LIMIT, "131073 bytes");
    repeat(&t, " ", QL_TEXT_MAX);
    check_refused(&t, ERR_INVALID, "the query is empty");
    buf_str(&t, STR("{ .a = \xff }"));
    check_refused(&t, ERR_INVALID, "not UTF-8 here");
    buf_str(&t, STR("{ .a =~ \""));
    repeat(&t, "a", QL_REGEX_MAX + 1);
    buf_str(&t, STR("\" }"));
    check_refused(&t, ERR_LIMIT, "more than 10000 bytes");
    buf_str(&t, STR("{ .a =~ \""));
    repeat(&t, "(", 300);
    buf_str(&t, STR("\" }"));
    check_refused(&t, ERR_INVALID, "nested more than 200 deep");
    buf_str(&t, STR("{ .a =~ \"((((a{1000}){1000}){1000}){1000})\" }"));
    check_refused(&t, ERR_INVALID, "regular expression");
    buf_str(&t, STR("{ \""));
    repeat(&t, "a", 40);
    buf_str(&t, STR("!\" =~ \"(a|a)*c?\" }"));
    check_refused(&t, ERR_LIMIT, "too many steps");
    buf_fini(&t);
}

// Wrapped pipelines do not hide how high the tree is.
TEST(hostile_towers_of_pipelines_are_counted) {
    struct buf t;
    buf_init(&t, 1 << 20);
    repeat(&t, "(", 15);
    buf_str(&t, STR("{}"));
    for (int i = 0; i < 15; i++) {
        repeat(&t, "&&{}", 100);
        buf_str(&t, STR("|count()>1)"));
    }
    check_refused(&t, ERR_LIMIT, "more than 1000 operators");
    buf_fini(&t);
}

TEST(limits_are_met_exactly) {
    struct buf t;
    buf_init(&t, 1 << 20);
    buf_str(&t, STR("{ .a"));
    repeat(&t, " || .a", 999);
    buf_str(&t, STR(" }"));
    t.len -= 2 + 2 * 6; // the filter and its set are on top
    buf_str(&t, STR(" }"));
    check_round(buf_view(&t));
    buf_reset(&t);
    buf_str(&t, STR("{ "));
    repeat(&t, "(", 199);
    buf_str(&t, STR(".a"));
    repeat(&t, ")", 199);
    buf_str(&t, STR(" }"));
    check_round(buf_view(&t));
    buf_fini(&t);
}

// --- faults ------------------------------------------------------------------------------------------------

static enum err scenario(void) {
    static const char text[] = "({ span.\"a b\" = \"x\" && .b =~ \"(a|b)+c\" || parent.c != nil } | by(name) "
                               "| max(duration) > 1s | coalesce()) "
                               ">> { .d =~ \"x|y|z\" && .e =~ \"x.*\" && \"a1\" =~ \"[a-z][0-9]\" } | "
                               "quantile_over_time(duration, 0.5, 0.9) by(.a, .b) > 1 | topk(3) "
                               "with(sample=0.5)";
    struct arena a;
    struct ql_query *q = NULL, *part = NULL;
    struct ql_analysis x;
    struct field f;
    struct err_ctx ctx = { 0 };
    arena_init(&a, 64 << 20, NULL);
    enum err e = ql_parse(&a, str_of(text), &q, &ctx);
    if (e == ERR_OK) e = ql_parse_lenient(&a, STR("{ .a =~ \"a+\" && (.b = `x` && .c = ) && "), &part);
    if (e == ERR_OK) e = ql_analyze(&a, str_of(text), 20, &x);
    if (e == ERR_OK) e = ql_parse_field(&a, STR("span.\"a b\""), &f, &ctx);
    ql_free(q);
    ql_free(part);
    arena_fini(&a);
    return e;
}

TEST(faults_of_memory_are_reported) {
    mem_fail_at(0, false);
    CHECK_OK(scenario());
    uint64_t n = mem_fail_seen(), failed = 0;
    for (uint64_t i = 1; i <= n + 1; i++) {
        mem_fail_at(i, i % 2 == 0);
        enum err e = scenario();
        mem_fail_at(0, false);
        CHECK(e == ERR_OK || e == ERR_NOMEM);
        failed += e == ERR_NOMEM;
    }
    CHECK(failed > n / 2);
}
