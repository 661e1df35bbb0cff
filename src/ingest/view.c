// SPDX-License-Identifier: Apache-2.0
#include "ingest/view.h"

#include <stdlib.h>

static int newest_first(const void *x, const void *y) {
    const struct block_meta *a = block_meta(*(struct block *const *)x),
                            *b = block_meta(*(struct block *const *)y);
    if (a->main.max_ns != b->main.max_ns) return a->main.max_ns < b->main.max_ns ? 1 : -1;
    return strcmp(b->id, a->id);
}

enum err view_new(struct head *const *heads, uint32_t n_heads, struct block *const *blocks, uint32_t n_blocks,
                  uint64_t snapshot, struct view **out) {
    struct view *v = mem_zalloc(sizeof *v);
    if (!v) return ERR_NOMEM;
    v->refs = 1;
    v->snapshot = snapshot;
    v->heads = mem_alloc((n_heads + 1ull) * sizeof *v->heads);
    v->blocks = mem_alloc((n_blocks + 1ull) * sizeof *v->blocks);
    if (!v->heads || !v->blocks) {
        view_unref(v);
        return ERR_NOMEM;
    }
    for (uint32_t i = 0; i < n_heads; i++) v->heads[v->n_heads++] = head_ref(heads[i]);
    for (uint32_t i = 0; i < n_blocks; i++) v->blocks[v->n_blocks++] = block_ref(blocks[i]);
    if (n_blocks > 1) qsort(v->blocks, n_blocks, sizeof *v->blocks, newest_first);
    *out = v;
    return ERR_OK;
}

struct view *view_ref(struct view *v) {
    atomic_fetch_add(&v->refs, 1);
    return v;
}

bool view_keep(struct view *v, struct view_kept *k) {
    struct view_kept *none = NULL;
    return atomic_compare_exchange_strong(&v->kept, &none, k);
}

void view_unref(struct view *v) {
    if (!v || atomic_fetch_sub(&v->refs, 1) != 1) return;
    if (v->kept) v->kept->free(v->kept);
    for (uint32_t i = 0; i < v->n_heads; i++) head_unref(v->heads[i]);
    for (uint32_t i = 0; i < v->n_blocks; i++) block_unref(v->blocks[i]);
    mem_free(v->heads);
    mem_free(v->blocks);
    mem_free(v);
}
