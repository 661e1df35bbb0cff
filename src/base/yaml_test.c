// SPDX-License-Identifier: Apache-2.0
#include "base/yaml.h"

#include "base/test.h"

static struct arena arena;
static struct document d;
static struct err_ctx ctx;

static enum err read_text(const char *text) {
    arena_init(&arena, SIZE_MAX, NULL);
    ctx = (struct err_ctx){ 0 };
    enum err e = yaml_read(test_exact(str_of(text)), "x.yaml", &arena, &d, &ctx);
    return e;
}

TEST(yaml_is_a_tree_with_lines) {
    int64_t tier;
    CHECK_OK(
        read_text("# what we run\nservices:\n  shop:\n    tier: 1\n    owner: \"7\"\n    on: [a, 'b: c', 3]\n"
                  "    none: ~\n    empty:\n    yes: true\n"));
    struct doc shop = doc_at(doc_root(&d), "services.shop");
    CHECK(shop.node && shop.node->line == 3 && shop.node->n == 6);
    CHECK(doc_i64(shop, "tier", &tier) && tier == 1);
    CHECK_STR(doc_text(shop, "owner"), STR("7"));
    CHECK_STR(doc_text(shop, "on.1"), STR("b: c"));
    CHECK(!doc_has(shop, "none") && !doc_has(shop, "empty") && doc_bool(shop, "yes"));
    CHECK_OK(document_end(&d));
    (void)doc_text(shop, "tier");
    CHECK(document_end(&d) == ERR_INVALID && ctx.line == 4);
    CHECK_STR(str_of(ctx.text), STR("x.yaml:4: services.shop.tier: expected a string, found a number"));
    arena_fini(&arena);
}

TEST(yaml_of_nothing_is_an_empty_object) {
    static const char *const texts[] = { "", "# only a comment\n", "---\n", "~\n" };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        CHECK_OK(read_text(texts[i]));
        CHECK(d.root->kind == JSON_OBJECT && d.root->n == 0);
        arena_fini(&arena);
    }
}

TEST(yaml_refuses_with_the_line) {
    static const struct {
        const char *text, *says;
    } bad[] = {
        { "a: 1\nb: &x 2\n", "x.yaml:2: anchors (&name) are not allowed" },
        { "a: *x\n", "x.yaml:1: aliases (*name) are not allowed" },
        { "a: !int 2\n", "x.yaml:1: tags (!name) are not allowed" },
        { "a: 1\nb: 2\na: 3\n", "x.yaml:3: the key \"a\" comes twice" },
        { "a: 1\n---\nb: 2\n", "x.yaml:2: expected one document, found a second" },
        { "? [a]\n: 1\n", "x.yaml:1: expected a key" },
        { "a: [1\nb: 2\n", "x.yaml:2: this is not YAML: did not find expected ',' or ']'" },
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        CHECK(read_text(bad[i].text) == ERR_INVALID);
        CHECK_STR(str_of(ctx.text), str_of(bad[i].says));
        arena_fini(&arena);
    }
    struct buf deep;
    buf_init(&deep, SIZE_MAX);
    for (unsigned i = 0; i <= YAML_DEPTH_MAX + 1; i++) buf_char(&deep, '[');
    buf_char(&deep, '\0');
    CHECK(read_text(deep.ptr) == ERR_INVALID && strstr(ctx.text, "nested"));
    arena_fini(&arena);
    buf_fini(&deep);
}

TEST(yaml_without_memory) {
    for (uint64_t n = 1, failed = 1; failed; n++) {
        mem_fail_at(n, true); // an arena tries once more with less
        enum err e = read_text("a: {b: [1, x], c: \"two\"}\n");
        failed = mem_fail_seen() >= n;
        mem_fail_at(0, false);
        CHECK(e == ERR_NOMEM || (!failed && e == ERR_OK));
        arena_fini(&arena);
    }
}
