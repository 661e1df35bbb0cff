// SPDX-License-Identifier: Apache-2.0
#include "app/node.h"

#include "base/test.h"

TEST(node_a_tree_of_what_is_there) {
    struct arena a;
    const struct doc_node *root;
    arena_init(&a, SIZE_MAX, NULL);
    struct str text = test_exact(
        STR("{\"a\":{\"b\":[1,\"t\\u00e9\",true,null,{}]},\"n\":\"12\",\"f\":1.5,\"i\":\"Infinity\"}"));
    CHECK_OK(node_parse(&a, text, &root));
    const struct doc_node *list = node_at(root, "a.b");
    CHECK(list && list->kind == JSON_ARRAY && list->n == 5);
    CHECK_STR(list->first->next->text, STR("té"));
    CHECK(list->first->next->next->kind == JSON_TRUE);
    CHECK_U64(node_u64(root, "n"), 12);
    CHECK(node_f64(root, "f") == 1.5 && node_f64(root, "i") > 1e308);
    CHECK(!node_at(root, "a.c") && !node_at(root, "n.x") && !node_true(root, "a"));
    CHECK_STR(node_text(root, "nothing"), STR(""));
    arena_fini(&a);
}

TEST(node_refuses_what_is_no_json) {
    static const char *const bad[] = { "", "{", "[1,", "{\"a\":}", "1 2", "nul" };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct arena a;
        const struct doc_node *root;
        arena_init(&a, SIZE_MAX, NULL);
        CHECK(node_parse(&a, test_exact(str_of(bad[i])), &root) == ERR_INVALID);
        arena_fini(&a);
    }
}

TEST(node_without_memory) {
    for (uint64_t n = 1, failed = 1; failed; n++) {
        struct arena a;
        const struct doc_node *root;
        arena_init(&a, SIZE_MAX, NULL);
        mem_fail_at(n, true); // an arena tries once more with less
        enum err e = node_parse(&a, STR("{\"a\":[\"x\\n\",2,{\"b\":\"\\u00e9\"}]}"), &root);
        failed = mem_fail_seen() >= n;
        mem_fail_at(0, false);
        CHECK(e == ERR_NOMEM || (!failed && e == ERR_OK));
        arena_fini(&a);
    }
}
