// SPDX-License-Identifier: Apache-2.0
// The language: what is accepted and how it prints.
#include "base/test.h"
#include "traceql/traceql.h"

static void check_prints(const char *text, const char *want) {
    struct arena a;
    struct ql_query *q = NULL;
    struct err_ctx ctx = { 0 };
    struct buf once, twice;
    arena_init(&a, 64 << 20, NULL);
    buf_init(&once, 1 << 20);
    buf_init(&twice, 1 << 20);
    if (ql_parse(&a, test_exact(str_of(text)), &q, &ctx) != ERR_OK) {
        printf("# %s\n# %u:%u %s\n", text, ctx.line, ctx.column, ctx.text);
        CHECK(!"it parses");
    }
    ql_print(q, &once);
    CHECK_STR(buf_view(&once), str_of(want ? want : text));
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
    static const struct {
        const char *text, *want; // NULL: as it is
    } cases[] = {
        // lexical rules
        { "{}", "{ }" },
        { " { } // behind\n", "{ }" },
        { "\xef\xbb\xbf{ }", "{ }" }, // behind a byte order mark
        { "{ /* a */ .a /* b\n */ = 1 }", "{ .a = 1 }" },
        { "{ .a-.b }", "{ .a-.b }" },
        { "{ .a - .b > 1 }", NULL },
        { "{ .a -1 > 1 }", "{ .a - 1 > 1 }" },
        { "{ span.\"foo bar\" = `raw \\n \"x\"` }", "{ span.\"foo bar\" = \"raw \\\\n \\\"x\\\"\" }" },
        { "{ span.a.\"b c\".d = 1 }", "{ span.\"a.b c.d\" = 1 }" },
        { "{ .\"a\\\"b\\\\c\" = 1 }", NULL },
        { "{ .a\"b\" = 1 }", "{ .ab = 1 }" },
        { "{ .http.url/x:y%z*w+q?'k' = 1 }", NULL },
        { "{ .a = \"tab\\tnew\\nquote\\\"back\\\\ \\x41 \\u00e4 \\101\" }",
          "{ .a = \"tab\\tnew\\nquote\\\"back\\\\ A \xc3\xa4 A\" }" },
        { "{ .a = \"\\xff\" }", NULL },
        { "{ .a = 1.5 }", NULL },
        { "{ .a = 1. }", "{ .a = 1.0 }" },
        { "{ .a = .5 }", "{ .a = 0.5 }" },
        { "{ .a = 1e3 }", "{ .a = 1000.0 }" },
        { "{ .a = 1.5e-7 }", "{ .a = 1.5e-7 }" },
        { "{ .a = 007 }", "{ .a = 7 }" },
        { "{ .a = maxInt && .b = minInt }", "{ .a = 9223372036854775807 && .b = minInt }" },
        { "{ duration > 1h30m }", "{ duration > 1h30m0s }" },
        { "{ duration > 1.5s }", NULL },
        { "{ duration > 1d }", "{ duration > 24h0m0s }" },
        { "{ duration > 1w1y }", "{ duration > 8928h0m0s }" },
        { "{ duration > 100us }", "{ duration > 100\xc2\xb5s }" },
        { "{ duration > 100\xce\xbcs }", "{ duration > 100\xc2\xb5s }" },
        { "{ duration > 5ns }", NULL },
        { "{ duration > -1s }", NULL },
        { "{ .a = true && .b = false }", NULL },
        { "{ status = ok || status = unset || status = error }", NULL },
        { "{ kind = unspecified || kind = internal || kind = server }", NULL },
        { "{ kind = client || kind = producer || kind = consumer }", NULL },
        // scopes and intrinsics
        { "{ .a && span.a && resource.a && event.a && link.a && instrumentation.a }", NULL },
        { "{ parent.a && parent.span.a && parent.resource.a }", NULL },
        { "{ parent = nil || parent != nil }", NULL },
        { "{ parent.\"span.x\" = 1 }", NULL },
        { "{ parent.duration > 1 }", NULL },
        { "{ .span.x = 1 }", NULL },
        { "{ .\"5\" = 1 }", NULL },
        { "{ .\"\" = 1 }", NULL },
        { "{ span:duration > 1s }", "{ duration > 1s }" },
        { "{ span:name = \"x\" && span:status = ok && span:kind = server && span:statusMessage = \"x\" }",
          "{ name = \"x\" && status = ok && kind = server && statusMessage = \"x\" }" },
        { "{ span:id = \"a\" && span:parentID = \"b\" && span:childCount > 2 }", NULL },
        { "{ trace:rootName = \"a\" && trace:rootService = \"b\" && trace:duration > 1s && trace:id = \"c\" "
          "}",
          "{ rootName = \"a\" && rootServiceName = \"b\" && traceDuration > 1s && trace:id = \"c\" }" },
        { "{ event:name = \"a\" && event:timeSinceStart > 1s }", NULL },
        { "{ link:traceID = \"a\" && link:spanID = \"b\" }", NULL },
        { "{ instrumentation:name = \"a\" && instrumentation:version = \"b\" }", NULL },
        { "{ nestedSetLeft > 1 && nestedSetRight < 5 && nestedSetParent < 0 }", NULL },
        // precedence
        { "{ .a || .b && .c }", NULL },
        { "{ .a || (.b && .c) }", NULL },
        { "{ (.a || .b) && .c }", "{ .a || .b && .c }" },
        { "{ .a + .b * .c ^ .d ^ .e > 1 }", NULL },
        { "{ (.a + .b) * .c > 1 }", NULL },
        { "{ (.a ^ .b) ^ .c > 1 }", NULL },
        { "{ .a - (.b - .c) > 1 }", NULL },
        { "{ -.a * .b > 1 }", NULL },
        { "{ (-.a) * .b > 1 }", NULL },
        { "{ -.a + .b > 1 }", NULL },
        { "{ -(.a + .b) > 1 }", NULL },
        { "{ .a * -.b * .c > 1 }", "{ .a * (-.b * .c) > 1 }" },
        { "{ --.a > 1 }", NULL },
        { "{ !.a && .b }", NULL },
        { "{ !.a = .b }", NULL },
        { "{ !(.a = .b) }", NULL },
        { "{ !!.a }", NULL },
        { "{ .a =!.b }", "{ .a = !.b }" },
        { "{ .a = .b = .c }", NULL },
        { "{ .a = (.b = .c) }", NULL },
        { "{ .a = -4 && .b - -4 > 1 && .c * (-4) > 1 }", NULL },
        // folding
        { "{ true }", "{ }" },
        { "{ false }", "{ false }" },
        { "{ .a = 1 + 2 * 3 }", "{ .a = 7 }" },
        { "{ .a = 2 ^ 10 }", "{ .a = 1024 }" },
        { "{ .a = 2 ^ -1 }", "{ .a = 0.5 }" },
        { "{ .a = -2 ^ 2 }", "{ .a = -4 }" },
        { "{ .a = 7 / 2 && .b = -7 / 2 && .c = 7 % 4 }", "{ .a = 3 && .b = -3 && .c = 3 }" },
        { "{ .a = 7 / 2.0 }", "{ .a = 3.5 }" },
        { "{ duration > 1s + 500ms }", "{ duration > 1.5s }" },
        { "{ duration > 1s * 2 }", "{ duration > 2s }" },
        { "{ duration > 1s / 4 }", "{ duration > 250ms }" },
        { "{ .a = 1s / 500ms }", "{ .a = 2.0 }" },
        { "{ .a = 1s % 300ms && .b = 1s % 600000000.0 }", "{ .a = 100ms && .b = 400ms }" },
        { "{ .a = 7 % 4ns && .b = 7.5 % 4ns }", "{ .a = 3 && .b = 3.5 }" },
        { "{ duration > 1s * 1.5 }", "{ duration > 1.5s }" },
        { "{ .a = 1.0 / 0.0 }", "{ .a = (1.0 / 0.0) }" },
        { "{ .a = -1.0 / 0.0 }", "{ .a = (-1.0 / 0.0) }" },
        { "{ .a = 0.0 / 0.0 }", "{ .a = (0.0 / 0.0) }" },
        { "{ .a = maxInt + 1 }", "{ .a = minInt }" },
        { "{ 1 = 1 }", "{ }" },
        { "{ 1 = 1.0 && 1s = 1000000000 }", "{ }" },
        { "{ 1 > 2 }", "{ false }" },
        { "{ \"a\" < \"b\" }", "{ }" },
        { "{ \"abc\" =~ \"a.*\" }", "{ }" },
        { "{ \"abc\" !~ \"a.*\" }", "{ false }" },
        { "{ !true || false && true }", "{ false }" },
        { "{ nil = nil }", "{ false }" },
        { "{ nil != nil }", "{ false }" },
        { "{ 1 != nil }", "{ }" },
        { "{ error = 2 }", "{ }" },
        { "{ .a = 1 && true }", "{ .a = 1 && true }" },
        // types
        { "{ span.net.peer.name = resource.host.name }", NULL },
        { "{ .a + 1 > .b * 2 }", NULL },
        { "{ duration > span.budget }", NULL },
        { "{ duration > 1000000 }", NULL },
        { "{ status = 2 && status != 1 }", NULL },
        { "{ status = .a }", NULL },
        { "{ name < \"m\" && name >= \"c\" }", NULL },
        { "{ name =~ \"GET.*\" && name !~ \"a|b\" }", NULL },
        { "{ .a = nil || nil = .a || .a != nil }", NULL },
        { "{ name != nil && resource.service.name != nil }", NULL },
        { "{ parent.resource.service.name = nil }", NULL },
        { "{ (.a = 1) = true }", "{ .a = 1 = true }" },
        { "{ .a }", NULL },
        { "{ -.a }", NULL },
        { "{ .a + .b }", NULL },
        // pipelines
        { "{ .a } | { .b } | count() > 2", NULL },
        { "{ } | by(resource.service.name) | count() > 1 | coalesce()", NULL },
        { "{ } | by(.a + 1)", NULL },
        { "{ status = error } | select(resource.service.name, span:duration)",
          "{ status = error } | select(resource.service.name, duration)" },
        { "{ } | avg(duration) > 40ms", NULL },
        { "{ } | max(duration) < 1s | sum(duration) > 100ms", NULL },
        { "{ } | min(.a * 2) = 1 | avg(.b) != 2.5", NULL },
        { "count() > 2", NULL },
        { "by(name) | count() > 2", NULL },
        { "select(name) | { .a }", NULL },
        { "{ } | count() + 1 > max(.a) * 2", NULL },
        { "{ } | count() > avg(.a)", NULL },
        { "{ } | 2 < count()", NULL },
        { "{ } | -count() < -2", NULL },
        { "{ } | (count() + 1) * 2 > 3", NULL },
        { "({ .a } | count()) > ({ .b } | count())", NULL },
        { "({ .a } | count()) > 3", NULL },
        { "{ .a } | ({ .b } | count()) > 3 | select(name)", NULL },
        // sets
        { "{ .a } && { .b } || { .c }", NULL },
        { "{ .a } && ({ .b } || { .c })", NULL },
        { "({ .a } && { .b }) || { .c }", "{ .a } && { .b } || { .c }" },
        { "{ .a } >> { .b } && { .c } > { .d }", NULL },
        { "({ .a } && { .b }) >> { .c }", NULL },
        { "{ .a } >> ({ .b } > { .c })", NULL },
        { "{ .a } >> { .b } > { .c } << { .d } < { .e } ~ { .f }", NULL },
        { "{ .a } !>> { .b } !> { .c } !<< { .d } !< { .e } !~ { .f }", NULL },
        { "{ .a } &>> { .b } &> { .c } &<< { .d } &< { .e } &~ { .f }", NULL },
        { "{.a}>>{.b}", "{ .a } >> { .b }" },
        { "({ .a } | count() > 2) >> ({ status = error })", "({ .a } | count() > 2) >> { status = error }" },
        { "({ .a } | by(name) | coalesce()) >> { }", NULL },
        { "({ .a } | count() > 1) | select(name)", "{ .a } | count() > 1 | select(name)" },
        { "(count() > 1) && { .a }", NULL },
        { "{ .a } | ({ .b } | count() > 1)", NULL },
        { "(((({ .a }))))", "{ .a }" },
        // metrics
        { "{ status = error } | rate() by(resource.service.name)", NULL },
        { "{ } | count_over_time()", NULL },
        { "{ } | min_over_time(duration) by(name)", NULL },
        { "{ } | max_over_time(.a) by(name, kind, .a, span.b, resource.c)", NULL },
        { "{ } | avg_over_time(.a)", NULL },
        { "{ } | sum_over_time(.a)", NULL },
        { "{ } | quantile_over_time(duration, 0.5, 0.99, 1, 0) by(span.http.route)", NULL },
        { "{ } | compare({ status = error })", NULL },
        { "{ } | compare({ }, 5)", NULL },
        { "{ } | compare({ .a }, 10, 1, 2)", NULL },
        { "{ } >> { .a } | rate()", NULL },
        { "{ } | by(name) | count() > 2 | rate()", NULL },
        { "{ } | rate() by(name) | topk(10)", NULL },
        { "{ } | rate() by (name) > 5 | bottomk(3) | topk(1) <= 1.5",
          "{ } | rate() by(name) > 5 | bottomk(3) | topk(1) <= 1.5" },
        { "{ } | max_over_time(duration) > 1.5s", "{ } | max_over_time(duration) > 1.5" },
        { "({ } | rate()) > 5", "{ } | rate() > 5" },
        { "({ status = error } | rate()) / ({ } | rate()) * 100", NULL },
        { "({ } | rate()) - (({ } | rate()) - 2)", "({ } | rate()) - (({ } | rate()) - 2)" },
        { "(({ .a } | rate() by(name)) / ({ } | rate() by(name))) | topk(5)",
          "({ .a } | rate() by(name)) / ({ } | rate() by(name)) | topk(5)" },
        { "(({ } | rate() | topk(5)) + 1) > 2 | topk(1)", "({ } | rate() | topk(5)) + 1 > 2 | topk(1)" },
        { "((({ } | rate()) + 1) | topk(2)) * 2", "(({ } | rate()) + 1 | topk(2)) * 2" },
        { "({ } | rate()) * (-2)", NULL },
        { "1 - ({ } | rate())", NULL },
        // hints
        { "{ } | rate() with(sample=true)", NULL },
        { "{ } with (most_recent = true, exemplars=5, sample=0.5)",
          "{ } with(most_recent=true, exemplars=5, sample=0.5)" },
        { "{ } with(x=-1, y=\"z\", z=1s, w=error)", NULL },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) check_prints(cases[i].text, cases[i].want);
}
