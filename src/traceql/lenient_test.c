// SPDX-License-Identifier: Apache-2.0
// Queries while they are typed.
#include "base/test.h"
#include "traceql/traceql.h"

static void check_lenient(const char *text, const char *want) {
    struct arena a;
    struct ql_query *q = NULL;
    struct buf out;
    arena_init(&a, 64 << 20, NULL);
    buf_init(&out, 1 << 16);
    CHECK_OK(ql_parse_lenient(&a, test_exact(str_of(text)), &q));
    if (q)
        ql_print(q, &out);
    else
        buf_str(&out, STR("none"));
    if (!str_eq(buf_view(&out), str_of(want))) printf("# %s\n", text);
    CHECK_STR(buf_view(&out), str_of(want));
    ql_free(q);
    buf_fini(&out);
    arena_fini(&a);
}

TEST(lenient_keeps_what_is_whole) {
    static const struct {
        const char *text, *want;
    } cases[] = {
        { "{ .a= && .b=\"x\" }", "{ .b = \"x\" }" },
        { "{ .a = 1 && .b }", "{ .a = 1 }" },
        { "{ .a", "none" },
        { "{ .a }", "none" },
        { "{ (.a) }", "none" },
        { "{ .a + 1 && .b = 1", "{ .b = 1 }" },
        { "{ resource.service.name", "none" },
        { "{ name && kind = server }", "{ kind = server }" },
        { "{ (.a && .b = 1) && .c = 2 }", "{ .b = 1 && .c = 2 }" },
        { "{ !(.a && .b = 1) && .c = 2 }", "{ .c = 2 }" },
        { "{ !.a && .c = 2 }", "{ !.a && .c = 2 }" },
        { "{ .a = true && .c = nil }", "{ .a = true && .c = nil }" },
        { "{ .a = 1 && }", "{ .a = 1 }" },
        { "{ .a = 1 &&", "{ .a = 1 }" },
        { "{ .a = 1", "{ .a = 1 }" },
        { "{ .a = 1 && .b = \"x", "{ .a = 1 }" },
        { "{ .a = 1 && span. && .b = 2 }", "{ .a = 1 && .b = 2 }" },
        { "{ .a = 1 && foo = 3 && .b = 2 }", "{ .a = 1 && .b = 2 }" },
        { "{ .a = 1 && name = 3 }", "{ .a = 1 }" },
        { "{ .a = 1 && .b =~ \"(\" }", "{ .a = 1 }" },
        { "{ .a = 1 || .b = && .c = 2 }", "{ .a = 1 && .c = 2 }" }, // each keeps the operator before it
        { "{ (.a = 1 || .b = ) && .c = 2 }", "{ .a = 1 && .c = 2 }" },
        { "{ (.a = && .b = ) && .c = 2 }", "{ .c = 2 }" },
        { "{ (.a = 1 && (.b = 2 || .c", "{ .a = 1 && .b = 2 }" },
        { "{ .a = 1 && .b = 2 } | rate(", "{ .a = 1 && .b = 2 }" },
        { "{ .a = 1 } | count() > 2", "{ .a = 1 }" },
        { "{ .a = 1 // half\n && .b = 2 // end", "{ .a = 1 && .b = 2 }" },
        { "{ .a = 1 && !(.b = ) }", "{ .a = 1 }" },
        { "{ true && .a= }", "{ }" },
        { "{ }", "none" },
        { "{", "none" },
        { "", "none" },
        { "{ .a = }", "none" },
        { "{ .a = 1 } >> { .b", "none" },
        { "{ .a = 1 } && { .b = 1 }", "none" },
        { "x", "none" },
        { "count() > 1", "none" },
        { "\xff{ .a = 1 }", "none" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) check_lenient(cases[i].text, cases[i].want);
}
