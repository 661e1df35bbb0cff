// SPDX-License-Identifier: Apache-2.0
#include "base/document.h"

#include "base/test.h"

struct read {
    struct arena arena;
    struct document d;
    struct err_ctx ctx;
};

static struct doc read_text(struct read *r, struct str text) {
    memset(r, 0, sizeof *r);
    arena_init(&r->arena, SIZE_MAX, NULL);
    CHECK_OK(document_read(test_exact(text), 64, &r->arena, &r->d, &r->ctx));
    return doc_root(&r->d);
}

#define SAMPLE \
    "{\"a\":{\"b.c\":1,\"list\":[{\"x\":\"one\"},{\"x\":\"t\\u00e4o\\n\"}, null],\"none\":null," \
    "\"yes\":true,\"f\":1.5,\"i\":42,\"e\":1e3},\"a2\":\"first\",\"a2\":\"last\"}"

TEST(document_values_by_path) {
    struct read r;
    int64_t i;
    double f;
    struct doc d = read_text(&r, STR(SAMPLE));
    CHECK_STR(doc_text(d, "a.list.0.x"), STR("one"));
    CHECK_STR(doc_text(d, "a.list.1.x"), STR("t\xc3\xa4o\n"));
    CHECK_STR(doc_text(d, "a2"), STR("last"));
    CHECK_STR(doc_id(d, "a.i"), STR("42"));
    CHECK_STR(doc_id(d, "a.e"), STR("1000"));
    CHECK_STR(doc_text(d, "a.none"), STR(""));
    CHECK_STR(doc_text(d, "nothing.at.all"), STR(""));
    CHECK_STR(doc_text(d, "a2.deeper"), STR(""));
    CHECK(!doc_has(d, "a.none") && !doc_has(d, "a.list.2") && !doc_has(d, "a.list.9") && doc_has(d, "a.yes"));
    CHECK(doc_i64(d, "a.i", &i) && i == 42);
    CHECK(doc_f64(d, "a.f", &f) && f == 1.5);
    CHECK(!doc_i64(d, "a.none", &i) && i == 0);
    CHECK(doc_bool(d, "a.yes") && !doc_bool(d, "a.no"));
    CHECK(doc_member(doc_at(d, "a"), STR("b.c")).node != NULL);
    CHECK_STR(doc_at(d, "a.list.0").node->text, STR("{\"x\":\"one\"}"));
    unsigned n = 0;
    for (struct doc c = doc_first(doc_array(d, "a.list")); c.node; c = doc_next(c)) n++;
    CHECK_U64(n, 3);
    CHECK_OK(document_end(&r.d));
    arena_fini(&r.arena);
}

static struct str message(struct read *r) {
    CHECK(document_end(&r->d) == ERR_INVALID);
    arena_fini(&r->arena);
    return str_of(r->ctx.text);
}

TEST(document_says_where_and_what_was_expected) {
    struct read r;
    int64_t i;
    struct doc d = read_text(&r, STR(SAMPLE));
    CHECK_STR(doc_text(d, "a.list.0"), STR(""));
    (void)doc_text(d, "a.i"); // the first error stays
    CHECK_STR(message(&r), STR("a.list.0: expected a string, found an object"));
    d = read_text(&r, STR(SAMPLE));
    CHECK(!doc_i64(doc_at(d, "a.list.1"), "x", &i));
    CHECK_STR(message(&r), STR("a.list.1.x: expected an integer, found a string"));
    d = read_text(&r, STR(SAMPLE));
    CHECK(!doc_bool(d, "a.f"));
    CHECK_STR(message(&r), STR("a.f: expected true or false, found a number"));
    d = read_text(&r, STR(SAMPLE));
    (void)doc_id(d, "a.f");
    CHECK_STR(message(&r), STR("a.f: expected a string or an integer, found a number"));
    d = read_text(&r, STR(SAMPLE));
    CHECK(!doc_object(d, "a.list").node && !doc_array(d, "a").node);
    CHECK_STR(message(&r), STR("a.list: expected an object, found an array"));
    d = read_text(&r, STR("[]"));
    (void)doc_need(d, "id");
    CHECK_STR(message(&r), STR("id: missing or empty"));
    d = read_text(&r, STR("[]"));
    doc_fail(d, "", "not that");
    CHECK_STR(message(&r), STR("the body: not that"));
}

TEST(document_hostile_texts_are_refused) {
    struct arena a;
    struct document d;
    struct buf b;
    static const char *const bad[] = { "",        "{",   "{\"a\":}", "[1,]",  "nul",
                                       "\"\\q\"", "1 2", "\xff",     "{1:2}", "[\"\\ud800\"]" };
    for (unsigned i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct err_ctx ctx = { 0 };
        arena_init(&a, SIZE_MAX, NULL);
        CHECK(document_read(test_exact(str_of(bad[i])), 64, &a, &d, &ctx) == ERR_INVALID);
        CHECK(ctx.text[0] && ctx.line == 1);
        arena_fini(&a);
    }
    struct err_ctx ctx = { 0 };
    buf_init(&b, SIZE_MAX);
    arena_init(&a, SIZE_MAX, NULL);
    for (int i = 0; i < 65; i++) buf_char(&b, '[');
    CHECK(document_read(buf_view(&b), 64, &a, &d, &ctx) == ERR_LIMIT);
    buf_reset(&b);
    buf_char(&b, '[');
    for (int i = 0; i <= DOC_NODES_MAX; i++) buf_str(&b, STR("0,"));
    CHECK(document_read(buf_view(&b), 64, &a, &d, &ctx) == ERR_LIMIT);
    arena_fini(&a);
    buf_fini(&b);
}

TEST(document_without_memory) {
    enum err e = ERR_NOMEM;
    for (uint64_t at = 1; e != ERR_OK; at++) {
        struct arena a;
        struct document d;
        struct err_ctx ctx = { 0 };
        arena_init(&a, SIZE_MAX, NULL);
        mem_fail_at(at, true);
        e = document_read(STR(SAMPLE), 64, &a, &d, &ctx);
        mem_fail_at(0, false);
        CHECK(e == ERR_OK || e == ERR_NOMEM);
        arena_fini(&a);
    }
}
