// SPDX-License-Identifier: Apache-2.0
// Any text as YAML: refused with a message and a line, or a tree in which every value has a line and every
// container as many children as it says.
#include "base/yaml.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void look(const struct doc_node *n, const struct doc_node *parent, unsigned *left) {
    uint32_t children = 0;
    ASSERT(n->line && n->parent == parent && n->kind >= JSON_OBJECT && n->kind < JSON_KIND_COUNT);
    if (!*left) return;
    --*left;
    for (const struct doc_node *c = n->first; c; c = c->next, children++) look(c, n, left);
    ASSERT(children == n->n);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct arena a;
    struct document d;
    struct err_ctx ctx = { 0 };
    unsigned left = 10000;
    arena_init(&a, 16 << 20, NULL);
    enum err e = yaml_read((struct str){ (const char *)data, size }, "f", &a, &d, &ctx);
    if (e == ERR_OK)
        look(d.root, NULL, &left);
    else
        ASSERT(e == ERR_NOMEM || (ctx.text[0] && (ctx.line || e == ERR_LIMIT)));
    arena_fini(&a);
    return 0;
}
