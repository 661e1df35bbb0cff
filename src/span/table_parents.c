// SPDX-License-Identifier: Apache-2.0
// Which row is the parent of which, inside a trace.
#include "base/hash.h"
#include "span/table_batch_internal.h"

// The ids of a trace: a table of positions in its order + 1, of a power of two > 2n slots.
struct ids {
    const struct span_table *t;
    const uint32_t *order;
    uint64_t *id, *parent; // by position
    uint32_t *slots;
    uint32_t mask;
};

// Of spans with one id the one that ends last stands for it, then the later in the order: never
// the order of arrival.
static bool stands_for(const struct ids *x, uint32_t a, uint32_t b) {
    uint64_t p = SEG_AT(&x->t->end_ns, x->order[a], uint64_t);
    uint64_t q = SEG_AT(&x->t->end_ns, x->order[b], uint64_t);
    return p != q ? p > q : a > b;
}

static void ids_make(struct ids *x, uint32_t n) {
    x->mask = 1;
    while (x->mask < n * 2ull) x->mask *= 2;
    memset(x->slots, 0, x->mask * sizeof *x->slots);
    x->mask--;
    for (uint32_t p = 0; p < n; p++) {
        uint32_t row = x->order[p];
        uint64_t id = x->id[p] = SEG_AT(&x->t->span_id, row, uint64_t);
        x->parent[p] = SEG_AT(&x->t->parent_id, row, uint64_t);
        uint32_t i = (uint32_t)hash_u64(id) & x->mask;
        while (x->slots[i] && x->id[x->slots[i] - 1] != id) i = (i + 1) & x->mask;
        if (!x->slots[i] || stands_for(x, p, x->slots[i] - 1)) x->slots[i] = p + 1;
    }
}

static uint32_t ids_get(const struct ids *x, uint64_t id) {
    uint32_t i = (uint32_t)hash_u64(id) & x->mask;
    while (x->slots[i] && x->id[x->slots[i] - 1] != id) i = (i + 1) & x->mask;
    return x->slots[i] ? x->order[x->slots[i] - 1] : SPAN_NONE;
}

// As in a block, a span that names itself has no parent there.
static void resolve(struct ids *x, uint32_t n, uint32_t *out) {
    for (uint32_t p = 0; p < n; p++) {
        uint32_t row = x->order[p];
        uint64_t id = x->parent[p];
        uint32_t parent = id ? ids_get(x, id) : BATCH_ROOT;
        out[row] = id && (parent == SPAN_NONE || parent == row) ? BATCH_ORPHAN : parent;
    }
}

enum err table_resolve_parents(struct table_batch *b, uint32_t *out) {
    const struct table_index *x = b->index;
    uint32_t most = 0;
    for (uint32_t i = 0; i < x->n_traces; i++)
        if (x->traces[i].n > most) most = x->traces[i].n;
    struct ids ids = { .t = b->table,
                       .id = ARENA_ARRAY(b->batch.arena, most + 1ull, uint64_t),
                       .parent = ARENA_ARRAY(b->batch.arena, most + 1ull, uint64_t),
                       .slots = ARENA_ARRAY(b->batch.arena, most * 4ull + 4, uint32_t) };
    if (!ids.id || !ids.parent || !ids.slots) return ERR_NOMEM;
    if (x->live) // equal spans stand in no order
        for (uint32_t row = 0; row < x->n_rows; row++) out[row] = BATCH_ORPHAN;
    for (uint32_t i = 0; i < x->n_traces; i++) {
        ids.order = x->order + x->traces[i].first;
        ids_make(&ids, x->traces[i].n);
        resolve(&ids, x->traces[i].n, out);
    }
    return ERR_OK;
}
