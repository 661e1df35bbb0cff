// SPDX-License-Identifier: Apache-2.0
// Searches by tags as TraceQL: whatever stands in a tag, the text parses to one filter of its parts.
#include "api/search.h"

#include "base/test.h"
#include "os/clock.h"

static enum err text_of(struct ask *k, struct str tags, uint64_t min_ns, uint64_t max_ns, struct str *out) {
    struct search_ask s = { .min_duration_ns = min_ns,
                            .max_duration_ns = max_ns,
                            .tags = ARENA_ARRAY(&k->arena, SEARCH_TAGS_MAX, struct search_tag) };
    CHECK(s.tags);
    TRY(search_tags_parse(k, tags, &s));
    return search_tags_text(k, &s, out);
}

TEST(tagsearch_says_what_tags_mean) {
    static const struct {
        const char *tags, *text;
        uint64_t min_ns, max_ns;
    } cases[] = {
        { "a=b", "{ .a = \"b\" }", 0, 0 },
        { "a.b-c=b c=d", "{ .a.b-c = \"b\" && .c = \"d\" }", 0, 0 },
        { "a=5", "{ .a = \"5\" || .a = 5 }", 0, 0 },
        { "a=1.5", "{ .a = \"1.5\" || .a = 1.5 }", 0, 0 },
        { "a=true", "{ .a = \"true\" || .a = true }", 0, 0 },
        { "x=y a=5", "{ .x = \"y\" && (.a = \"5\" || .a = 5) }", 0, 0 },
        { "name=\"GET /\" status.code=ok error=true", "{ name = \"GET /\" && status = ok && status = error }",
          0, 0 },
        { "error=false", "{ .error = \"false\" || .error = false }", 0, 0 },
        { "root.name=a root.service.name=b", "{ rootName = \"a\" && rootServiceName = \"b\" }", 0, 0 },
        { "a=\"say \\\"hi\\\" \\\\\"", "{ .a = \"say \\\"hi\\\" \\\\\" }", 0, 0 },
        { "a=\"\"", "{ .a = \"\" }", 0, 0 },
        { "a=}||{true", "{ .a = \"}||{true\" }", 0, 0 },
        { "a=b", "{ .a = \"b\" && traceDuration >= 1s && traceDuration <= 2s }", 1000000000, 2000000000 },
    };
    struct ask_limits limits = { .clock = clock_real() };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct ask k;
        struct str text;
        struct ql_query *q;
        ask_init(&k, NULL, &limits, STR(""));
        CHECK_OK(text_of(&k, test_exact(str_of(cases[i].tags)), cases[i].min_ns, cases[i].max_ns, &text));
        CHECK_STR(text, str_of(cases[i].text));
        CHECK_OK(ask_parse_search(&k, text, &q));
        ask_fini(&k);
    }
}

TEST(tagsearch_any_bytes_make_one_filter) {
    static const char letters[] = "ab=\" {}()|&!~<>.,:'`\\\n\t\xc3\xa9\xe2\x82\xac\xf0\x9d\x84\x9e#/*-+^%";
    struct ask_limits limits = { .clock = clock_real() };
    for (int round = 0; round < 3000; round++) {
        char key[20], value[20];
        struct search_tag t = { { key, 1 + test_below(sizeof key) }, { value, test_below(sizeof value) } };
        struct search_ask s = { .tags = &t, .n_tags = 1 };
        struct ask k;
        struct str text;
        struct ql_query *q;
        for (size_t i = 0; i < sizeof key; i++) {
            key[i] = test_below(40) ? letters[test_below(sizeof letters - 1)] : (char)test_below(256);
            value[i] = test_below(40) ? letters[test_below(sizeof letters - 1)] : (char)test_below(256);
        }
        ask_init(&k, NULL, &limits, STR(""));
        if (search_tags_text(&k, &s, &text) == ERR_OK) {
            CHECK_OK(ask_parse_search(&k, text, &q));
            const struct ql_expr *e = q->pipeline->stages[0].spanset->filter;
            CHECK(q->pipeline->n_stages == 1 && e && e->kind == QL_BINARY);
            while (e->op == QL_OR) e = e->left;
            CHECK(e->op == QL_EQ && e->left->kind == QL_FIELD && e->right->kind == QL_CONST);
            CHECK(e->left->field.intrinsic != INTRINSIC_NONE || str_eq(e->left->field.key, t.key));
            CHECK(e->left->field.intrinsic != INTRINSIC_NONE || str_eq(e->right->value.s, t.value));
        } else {
            CHECK(!str_is_utf8(t.key) || !str_is_utf8(t.value) || str_eq(t.key, STR("status.code")));
        }
        ask_fini(&k);
    }
}

TEST(tagsearch_refuses_what_is_no_list_of_tags) {
    static const char *const bad[] = { "a", "=b", "a=\"b", "a=b c", "status.code=5" };
    struct ask_limits limits = { .clock = clock_real() };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct ask k;
        struct str text;
        ask_init(&k, NULL, &limits, STR(""));
        CHECK(text_of(&k, test_exact(str_of(bad[i])), 0, 0, &text) == ERR_INVALID && k.ctx.text[0]);
        ask_fini(&k);
    }
}
