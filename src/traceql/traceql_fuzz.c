// SPDX-License-Identifier: Apache-2.0
// Any text as a query: refused with a place and a message, or printed and parsed again to an equal
// tree. Two bytes in front say where the cursor is for the analysis, which takes any text.
#include "traceql/analyze.h"
#include "traceql/tree.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { TEXT_MAX = 4096 };

static void check_query(struct arena *a, struct str text) {
    struct ql_query *q = NULL, *again = NULL;
    struct err_ctx ctx = { 0 };
    struct buf out;
    buf_init(&out, 4 << 20);
    enum err e = ql_parse(a, text, &q, &ctx);
    if (e != ERR_OK) {
        ASSERT(e != ERR_NOMEM && ctx.text[0] && ctx.line > 0 && ctx.column > 0);
        ql_explain(text, &ctx, &out);
        ASSERT(!out.failed);
        buf_fini(&out);
        return;
    }
    ql_print(q, &out);
    ASSERT(!out.failed);
    if (out.len <= QL_TEXT_MAX) {
        ASSERT(ql_parse(a, buf_view(&out), &again, &ctx) == ERR_OK);
        ASSERT(ql_equal(q, again));
    }
    ql_free(q);
    ql_free(again);
    buf_fini(&out);
}

static void check_analysis(struct arena *a, struct str text, uint32_t cursor) {
    struct ql_analysis x;
    uint32_t end = 0;
    ASSERT(ql_analyze(a, text, cursor, &x) == ERR_OK);
    for (uint32_t i = 0; i < x.n_marks; i++) {
        ASSERT(x.marks[i].place.from >= end && x.marks[i].place.len > 0);
        end = x.marks[i].place.from + x.marks[i].place.len;
    }
    ASSERT(end <= text.len && x.wanted.place.from + x.wanted.place.len <= text.len);
    for (uint32_t i = 0; i < x.n_diagnostics; i++)
        ASSERT(x.diagnostics[i].place.from + x.diagnostics[i].place.len <= text.len);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct arena a;
    struct ql_query *q = NULL;
    struct field f, again;
    struct err_ctx ctx;
    struct buf out;
    if (size < 2 || size > TEXT_MAX) return 0;
    uint32_t cursor = (uint32_t)data[0] << 8 | data[1];
    struct str text = { (const char *)data + 2, size - 2 };
    arena_init(&a, 512 << 20, NULL);
    buf_init(&out, 1 << 20);
    check_query(&a, text);
    check_analysis(&a, text, text.len ? cursor % (uint32_t)(text.len + 1) : 0);
    ASSERT(ql_parse_lenient(&a, text, &q) == ERR_OK);
    ql_free(q);
    if (ql_parse_field(&a, text, &f, &ctx) == ERR_OK) {
        ql_print_field(&f, &out);
        ASSERT(ql_parse_field(&a, buf_view(&out), &again, &ctx) == ERR_OK && field_eq(&f, &again));
    }
    buf_fini(&out);
    arena_fini(&a);
    return 0;
}
