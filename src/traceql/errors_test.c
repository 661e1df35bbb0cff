// SPDX-License-Identifier: Apache-2.0
// The cases of tests/cases/traceql/errors.case: what is refused, with which words and where.
#include "base/test.h"
#include "traceql/traceql.h"

static char file[1 << 20];

static struct str read_cases(void) {
    FILE *f = fopen("tests/cases/traceql/errors.case", "rb"); // from the root of the repository
    CHECK(f);
    size_t n = fread(file, 1, sizeof file, f);
    CHECK(n > 0 && n < sizeof file);
    (void)fclose(f);
    return (struct str){ file, n };
}

static void check_refused(struct str query, struct str want) {
    struct arena a;
    struct ql_query *q;
    struct err_ctx ctx = { 0 };
    char got[400];
    arena_init(&a, 16 << 20, NULL);
    enum err e = ql_parse(&a, test_exact(query), &q, &ctx);
    CHECK(e != ERR_NOMEM);
    (void)snprintf(got, sizeof got, "%u:%u %s", ctx.line, ctx.column, e == ERR_OK ? "accepted" : ctx.text);
    if (!str_eq(str_of(got), want)) printf("# %.*s\n", STR_ARG(query));
    CHECK_STR(str_of(got), want);
    arena_fini(&a);
}

TEST(traceql_errors_say_what_is_wrong_and_where) {
    struct str text = read_cases(), line;
    const char *start = NULL;
    uint32_t n = 0;
    while (text.len) {
        const char *at = text.ptr;
        (void)str_cut(text, '\n', &line, &text);
        if (!start && (line.len == 0 || str_starts(line, STR("# ")))) continue;
        if (!start) start = at;
        if (!str_starts(line, STR("! "))) continue;
        check_refused((struct str){ start, (size_t)(at - start) - 1 }, str_sub(line, 2, line.len));
        start = NULL;
        n++;
    }
    CHECK(!start && n >= 150);
}

static void check_explained(const char *text, const char *want) {
    struct arena a;
    struct ql_query *q;
    struct err_ctx ctx = { 0 };
    struct buf out;
    arena_init(&a, 16 << 20, NULL);
    buf_init(&out, 1 << 16);
    CHECK(ql_parse(&a, str_of(text), &q, &ctx) == ERR_INVALID);
    ql_explain(str_of(text), &ctx, &out);
    CHECK_STR(buf_view(&out), str_of(want));
    buf_fini(&out);
    arena_fini(&a);
}

TEST(traceql_errors_are_shown_with_their_line) {
    check_explained("{ .a = }", "expected an attribute, an intrinsic or a value, found }\n"
                                "line 1, column 8:\n  { .a = }\n         ^\n");
    check_explained("{ .a = \"\xc3\xa4\xc3\xb6\" &&\n\t.b & 1 }",
                    "a single &; probably meant: &&\n"
                    "line 2, column 5:\n   .b & 1 }\n      ^\n");
    check_explained("{ .a = 1 }\n| { name = \"\xc3\xa4\xff\" }",
                    "the query is not UTF-8 here\nline 2, column 14:\n"
                    "  | { name = \"\xc3\xa4 \" }\n               ^\n");
    check_explained("{ name = \"\u65e5e\u0301\u202e\" && }",
                    "expected an attribute, an intrinsic or a value, found }\n"
                    "line 1, column 20:\n  { name = \"\u65e5e\u0301 \" && }\n"
                    "                     ^\n");
    check_explained("", "the query is empty; { } is every span\nline 1, column 1:\n  \n  ^\n");
}
