// SPDX-License-Identifier: Apache-2.0
// The cases of tests/cases/traceql/errors.case: what is refused, with which words and where; and that every
// row of the language has cases.
#include "base/test.h"
#include "traceql/case_file_test.h"
#include "traceql/traceql.h"

static char file[1 << 20];

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
    struct str text = case_file_read("errors", file, sizeof file), query, want;
    uint32_t n = 0;
    for (; case_file_next(&text, '!', &query, &want); n++) check_refused(query, want);
    CHECK(n >= 150);
}

static bool is_of_a_word(char c) {
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '_' ||
           c == ':' || c == '.';
}

// The row stands in the line by itself: a word not within another, an operator between spaces.
static bool has_row(struct str line, struct str row) {
    bool is_word = is_of_a_word(row.ptr[0]), is_open = row.ptr[row.len - 1] == '.'; // `span.`
    for (size_t i = 0; i + row.len <= line.len; i++) {
        char before = i ? line.ptr[i - 1] : ' ', after = i + row.len < line.len ? line.ptr[i + row.len] : ' ';
        if (!str_eq(str_sub(line, i, row.len), row)) continue;
        if (is_word ? !is_of_a_word(before) && (is_open || !is_of_a_word(after))
                    : before == ' ' && after == ' ')
            return true;
    }
    return false;
}

static uint32_t count_rows(struct str text, struct str row, const char *skipped) {
    struct str line;
    uint32_t n = 0;
    while (text.len) {
        (void)str_cut(text, '\n', &line, &text);
        n += line.len && !strchr(skipped, line.ptr[0]) && has_row(line, row);
    }
    return n;
}

// Of each row of the language there is a query wrong in type, one wrong in syntax, and one with its answer.
TEST(traceql_cases_have_every_row) {
    static const char rows[] =
        "span. resource. event. link. instrumentation. parent. parent.span. parent.resource. parent "
        "duration name status statusMessage kind rootName rootServiceName traceDuration nestedSetLeft "
        "nestedSetRight nestedSetParent nil minInt maxInt unspecified internal server client producer "
        "consumer "
        "ok error unset true false && || = != < <= > >= =~ !~ + - * / % ^ >> << ~ !>> !> !<< !< &>> &> &<< "
        "&< "
        "&~ by coalesce select count min max avg sum rate count_over_time min_over_time max_over_time "
        "avg_over_time sum_over_time quantile_over_time histogram_over_time topk bottomk with";
    static const char *const names[] = { "answers",   "events", "fields", "found", "metrics",
                                         "pipelines", "tour",   "tree",   "values" };
    static char all_rows[4000];
    struct str rest, row, refused = case_file_read("errors", file, sizeof file);
    size_t end = refused.len;
    int used = snprintf(all_rows, sizeof all_rows, "%s", rows);
    for (int i = INTRINSIC_NONE + 1; i < INTRINSIC_COUNT; i++)
        used += snprintf(all_rows + used, sizeof all_rows - (size_t)used, " %.*s",
                         STR_ARG(intrinsic_name((enum intrinsic)i)));
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        end += case_file_read(names[i], file + end, sizeof file - end).len;
    struct str answered = { file + refused.len, end - refused.len };
    uint32_t poor = 0;
    for (rest = str_of(all_rows); rest.len;) {
        (void)str_cut(rest, ' ', &row, &rest);
        uint32_t wrong = count_rows(refused, row, "#!"), right = count_rows(answered, row, "#=!@*>d");
        if (wrong < 2 || right < 1) printf("# %.*s: %u refused, %u answered\n", STR_ARG(row), wrong, right);
        poor += wrong < 2 || right < 1;
    }
    CHECK(poor == 0);
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
