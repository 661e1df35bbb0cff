// SPDX-License-Identifier: Apache-2.0
#include "ingest/head_index.h"

void head_knowledge_init(struct head_knowledge *k) {
    *k = (struct head_knowledge){ 0 };
    pthread_mutex_init(&k->lock, NULL);
}

void head_knowledge_fini(struct head_knowledge *k) {
    head_index_release(k->index);
    mem_free(k->shared);
    mem_free(k->checked);
    pthread_mutex_destroy(&k->lock);
}

// --- rows by trace ---------------------------------------------------------------------------------

void head_index_release(struct head_index *x) {
    if (!x || atomic_fetch_sub(&x->refs, 1) != 1) return;
    table_index_fini(&x->rows);
    mem_free(x);
}

static enum err index_new(const struct head *h, uint32_t n, struct head_index **out) {
    struct head_index *x = mem_zalloc(sizeof *x);
    if (!x) return ERR_NOMEM;
    enum err e = table_index_make(&h->table, n, &x->rows);
    if (e != ERR_OK) {
        mem_free(x);
        return e;
    }
    x->refs = 1;
    *out = x;
    return ERR_OK;
}

enum err head_index_take(struct head *h, struct head_index **out) {
    struct head_knowledge *k = &h->knowledge;
    pthread_mutex_lock(&k->lock);
    uint32_t n = span_table_count(&h->table);
    enum err e = ERR_OK;
    if (!k->index || k->index->rows.n_rows != n) {
        struct head_index *x;
        e = index_new(h, n, &x);
        if (e == ERR_OK) {
            head_index_release(k->index);
            k->index = x;
        }
    }
    if (e == ERR_OK) {
        atomic_fetch_add(&k->index->refs, 1);
        *out = k->index;
    }
    pthread_mutex_unlock(&k->lock);
    return e;
}

// --- traces that lie elsewhere too -----------------------------------------------------------------

static enum err room_for(struct head_knowledge *k, uint32_t n_traces) {
    if (n_traces <= k->cap) return ERR_OK;
    uint32_t cap = k->cap ? k->cap : 1024;
    while (cap < n_traces) cap *= 2;
    uint64_t *more = mem_realloc(k->shared, cap / 8);
    if (!more) return ERR_NOMEM;
    memset((char *)more + k->cap / 8, 0, (cap - k->cap) / 8);
    k->shared = more;
    k->cap = cap;
    return ERR_OK;
}

static enum err checked_of(struct head_knowledge *k, const char *block, const struct head *head,
                           struct head_checked **out) {
    for (uint32_t i = 0; i < k->n_checked; i++)
        if (k->checked[i].head == head && strcmp(k->checked[i].block, block) == 0) {
            *out = &k->checked[i];
            return ERR_OK;
        }
    struct head_checked *more = mem_grow(k->checked, k->n_checked, &k->cap_checked, sizeof *more);
    if (!more) return ERR_NOMEM;
    k->checked = more;
    struct head_checked *c = &k->checked[k->n_checked++];
    *c = (struct head_checked){ .head = head };
    memcpy(c->block, block, strlen(block) + 1);
    *out = c;
    return ERR_OK;
}

static void mark(struct head_knowledge *k, uint32_t trace) {
    k->shared[trace / 64] |= 1ull << (trace % 64);
}

static bool is_one_of(const struct head_checked *c, struct head *const *older, uint32_t n_older,
                      struct block *const *blocks, uint32_t n_blocks) {
    for (uint32_t i = 0; c->head && i < n_older; i++)
        if (older[i] == c->head) return true;
    for (uint32_t i = 0; !c->head && i < n_blocks; i++)
        if (strcmp(block_meta(blocks[i])->id, c->block) == 0) return true;
    return false;
}

// What is gone need not be remembered (its address may be used again); what it held stays marked,
// which does no harm.
static void forget_gone(struct head_knowledge *k, struct head *const *older, uint32_t n_older,
                        struct block *const *blocks, uint32_t n_blocks) {
    uint32_t kept = 0;
    for (uint32_t i = 0; i < k->n_checked; i++)
        if (is_one_of(&k->checked[i], older, n_older, blocks, n_blocks)) k->checked[kept++] = k->checked[i];
    k->n_checked = kept;
}

static enum err check_block(struct head *h, struct block *b, uint32_t n_traces, struct block_scan *s) {
    struct head_knowledge *k = &h->knowledge;
    struct head_checked *c;
    TRY(checked_of(k, block_meta(b)->id, NULL, &c));
    uint32_t n = n_traces - c->upto;
    if (n == 0) return ERR_OK;
    const uint8_t **ids = mem_alloc(n * sizeof *ids);
    bool *held = mem_zalloc(n);
    enum err e = ids && held ? ERR_OK : ERR_NOMEM;
    for (uint32_t i = 0; i < n && e == ERR_OK; i++) ids[i] = span_trace_at(&h->table, c->upto + i)->id;
    if (e == ERR_OK) e = block_hold_many(b, s, ids, n, held);
    for (uint32_t i = 0; i < n && e == ERR_OK; i++)
        if (held[i]) mark(k, c->upto + i);
    if (e == ERR_OK) c->upto = n_traces;
    mem_free(ids);
    mem_free(held);
    return e;
}

static enum err check_head(struct head *h, const struct head *older, uint32_t n_traces) {
    struct head_checked *c;
    TRY(checked_of(&h->knowledge, "", older, &c));
    uint32_t n = span_table_count(&older->table);
    for (uint32_t i = c->upto; i < n_traces; i++)
        if (span_table_find(&older->table, n, span_trace_at(&h->table, i)->id) != SPAN_NONE)
            mark(&h->knowledge, i);
    c->upto = n_traces;
    return ERR_OK;
}

static enum err check_all(struct head *h, struct head *const *older, uint32_t n_older,
                          struct block *const *blocks, uint32_t n_blocks, uint32_t n_traces,
                          struct block_scan *s) {
    TRY(room_for(&h->knowledge, n_traces));
    forget_gone(&h->knowledge, older, n_older, blocks, n_blocks);
    for (uint32_t i = 0; i < n_older; i++) TRY(check_head(h, older[i], n_traces));
    for (uint32_t i = 0; i < n_blocks; i++) TRY(check_block(h, blocks[i], n_traces, s));
    return ERR_OK;
}

enum err head_shared_traces(struct head *h, struct head *const *older, uint32_t n_older,
                            struct block *const *blocks, uint32_t n_blocks, struct block_scan *s,
                            enum err (*each)(void *ctx, const uint8_t id[16]), void *ctx) {
    struct head_knowledge *k = &h->knowledge;
    pthread_mutex_lock(&k->lock);
    uint32_t n_traces = atomic_load_explicit(&h->table.n_traces, memory_order_acquire);
    enum err e = check_all(h, older, n_older, blocks, n_blocks, n_traces, s);
    for (uint32_t w = 0; w < (n_traces + 63) / 64 && e == ERR_OK; w++)
        for (uint64_t word = k->shared[w]; word && e == ERR_OK; word &= word - 1)
            e = each(ctx, span_trace_at(&h->table, w * 64 + (uint32_t)__builtin_ctzll(word))->id);
    pthread_mutex_unlock(&k->lock);
    return e;
}
