// SPDX-License-Identifier: Apache-2.0
// Any text as a document: refused with a message, or a tree whose every value can be reached and whose
// containers, read again from their own text, have as many children.
#include "base/document.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void values(struct doc d) {
    int64_t i;
    double f;
    (void)doc_text(d, "");
    (void)doc_id(d, "a");
    (void)doc_i64(d, "b", &i);
    (void)doc_f64(d, "0", &f);
    (void)doc_bool(d, "a.b");
}

static void container(struct doc d) {
    struct arena a;
    struct document again;
    struct err_ctx ctx = { 0 };
    arena_init(&a, 16 << 20, NULL);
    if (document_read(d.node->text, 64, &a, &again, &ctx) == ERR_OK) ASSERT(again.root->n == d.node->n);
    arena_fini(&a);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct arena a;
    struct document d;
    struct err_ctx ctx = { 0 };
    unsigned n = 0;
    arena_init(&a, 16 << 20, NULL);
    enum err e = document_read((struct str){ (const char *)data, size }, 64, &a, &d, &ctx);
    if (e != ERR_OK) {
        ASSERT(e == ERR_NOMEM || ctx.text[0]);
    } else {
        values(doc_root(&d));
        for (struct doc c = doc_first(doc_root(&d)); c.node && n < 100; c = doc_next(c), n++) {
            ASSERT(c.node->parent == d.root);
            values(c);
            if (c.node->kind == JSON_OBJECT || c.node->kind == JSON_ARRAY) container(c);
        }
        ASSERT(document_end(&d) == ERR_OK || ctx.text[0] || a.failed);
    }
    arena_fini(&a);
    return 0;
}
