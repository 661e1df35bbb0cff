// SPDX-License-Identifier: Apache-2.0
// The language: what is accepted and how it prints, with the cases of tests/cases/traceql/prints.case.
#include "base/test.h"
#include "traceql/case_file_test.h"
#include "traceql/traceql.h"

static void check_prints(struct str text, struct str want) {
    struct arena a;
    struct ql_query *q = NULL;
    struct err_ctx ctx = { 0 };
    struct buf once, twice;
    arena_init(&a, 64 << 20, NULL);
    buf_init(&once, 1 << 20);
    buf_init(&twice, 1 << 20);
    if (ql_parse(&a, test_exact(text), &q, &ctx) != ERR_OK) {
        printf("# %.*s\n# %u:%u %s\n", STR_ARG(text), ctx.line, ctx.column, ctx.text);
        CHECK(!"it parses");
    }
    ql_print(q, &once);
    CHECK_STR(buf_view(&once), want);
    ql_free(q);
    CHECK_OK(ql_parse(&a, test_exact(buf_view(&once)), &q, &ctx));
    ql_print(q, &twice);
    CHECK_STR(buf_view(&twice), buf_view(&once));
    ql_free(q);
    buf_fini(&once);
    buf_fini(&twice);
    arena_fini(&a);
}

TEST(traceql_prints_what_it_reads) {
    static char file[64 << 10];
    struct str text = case_file_read("prints", file, sizeof file), query, want;
    uint32_t n = 0;
    for (; case_file_next(&text, '=', &query, &want); n++) check_prints(query, want.len ? want : query);
    CHECK(n >= 175);
    check_prints(STR("\xef\xbb\xbf{ }"), STR("{ }")); // behind a byte order mark
}
