// SPDX-License-Identifier: Apache-2.0
#include "query/layout.h"

#include <stddef.h>
#include <stdlib.h>

// --- split traces ----------------------------------------------------------------------------------

static bool id_eq(const void *ctx, uint32_t i, const void *key) {
    const struct split_set *s = ctx;
    return memcmp(s->ids[i], key, 16) == 0;
}

static uint64_t id_hash(const void *ctx, uint32_t i) {
    return hash_bytes(((const struct split_set *)ctx)->ids[i], 16);
}

static uint32_t of_base(const struct split_set *s) {
    return s->base ? s->base->n : 0;
}

uint32_t split_find_slow(const struct split_set *s, const uint8_t id[16]) {
    uint32_t at = s->base ? split_find(s->base, id) : MAP_NONE;
    if (at != MAP_NONE || s->n == of_base(s)) return at;
    at = map_get(&s->map, hash_bytes(id, 16), id_eq, s, id);
    return at == MAP_NONE ? MAP_NONE : of_base(s) + at;
}

void split_set_init(struct split_set *s, const struct split_set *base, struct mem_budget *budget) {
    memset(s, 0, offsetof(struct split_set, filter));
    arena_init(&s->arena, SIZE_MAX, budget);
    map_init(&s->map, UINT32_MAX);
    s->base = base;
    s->n = of_base(s);
    if (base)
        memcpy(s->filter, base->filter, sizeof s->filter);
    else
        memset(s->filter, 0, sizeof s->filter);
}

void split_set_fini(struct split_set *s) {
    map_fini(&s->map);
    arena_fini(&s->arena);
}

enum err split_set_add(struct split_set *s, const uint8_t id[16]) {
    uint32_t n = s->n - of_base(s);
    if (split_has(s, id)) return ERR_OK;
    if (n == s->cap) {
        uint8_t(*more)[16] = arena_grow(&s->arena, s->ids, n, &s->cap, 16);
        if (!more) return ERR_NOMEM;
        s->ids = more;
    }
    memcpy(s->ids[n], id, 16);
    TRY(map_put(&s->map, hash_bytes(id, 16), n, id_hash, s));
    s->filter[split_bit(id) / 64] |= 1ull << (split_bit(id) % 64);
    s->n++;
    return ERR_OK;
}

static enum err add_id(void *ctx, const uint8_t id[16]) {
    return split_set_add(ctx, id);
}

// --- the list --------------------------------------------------------------------------------------

static bool overlaps(const struct query_bounds *b, const struct source *s) {
    return (b->start_ns == 0 && b->end_ns == 0) || (s->first_ns <= b->end_ns && s->last_ns > b->start_ns);
}

static enum err add_head(struct sources *all, const struct query_bounds *b, struct head *h) {
    struct source s = { .head = h, .first_ns = UINT64_MAX };
    TRY(head_index_take(h, &s.index));
    const struct table_index *x = &s.index->rows;
    for (uint32_t i = 0; i < x->n_traces; i++) {
        const struct batch_trace *t = &x->traces[i];
        if (t->n == 0) continue;
        if (t->start_ns < s.first_ns) s.first_ns = t->start_ns;
        if (t->start_ns > s.newest_ns) s.newest_ns = t->start_ns;
        if (t->last_start_ns > s.last_ns) s.last_ns = t->last_start_ns;
    }
    if (s.first_ns != UINT64_MAX && overlaps(b, &s)) {
        all->at[all->n++] = s;
        return ERR_OK;
    }
    if (s.first_ns != UINT64_MAX) all->n_left_out++; // else it has no spans
    head_index_release(s.index);
    return ERR_OK;
}

static enum err add_heads(struct sources *all, const struct query_bounds *b, struct view *v) {
    all->at = mem_alloc((v->n_heads + 1ull) * sizeof *all->at);
    if (!all->at) return ERR_NOMEM;
    for (uint32_t i = 0; i < v->n_heads; i++) TRY(add_head(all, b, v->heads[i]));
    return ERR_OK;
}

static bool block_overlaps(const struct query_bounds *b, const struct block_meta *m) {
    if (b->start_ns == 0 && b->end_ns == 0) return true;
    return (m->main.min_ns <= b->end_ns && m->main.max_ns > b->start_ns) ||
           (m->outliers.min_ns <= b->end_ns && m->outliers.max_ns > b->start_ns);
}

// Behind the heads, in order, those of the blocks that touch the range.
static void add_groups(struct sources *all, const struct query_bounds *b, const bool *touched) {
    const struct layout *l = all->layout;
    for (uint32_t i = 0; i < l->n; i++) {
        if (!touched[l->block[i]]) continue;
        if (overlaps(b, &l->at[i]))
            all->at[all->n++] = l->at[i];
        else
            all->n_left_out++;
    }
}

// Heads are few: each moves to its place among the row groups.
static void sort_heads(struct sources *all, uint32_t n_heads) {
    if (n_heads > 1) qsort(all->at, n_heads, sizeof *all->at, source_newest_first);
    for (uint32_t h = n_heads; h-- > 0;) {
        struct source head = all->at[h];
        uint32_t to = h;
        while (to + 1 < all->n && source_newest_first(&all->at[to + 1], &head) < 0) to++;
        memmove(&all->at[h], &all->at[h + 1], (to - h) * sizeof *all->at);
        all->at[to] = head;
    }
}

static enum err add_blocks(struct sources *all, const struct query_bounds *bounds, struct view *v) {
    uint32_t n_heads = all->n;
    bool *touched = mem_alloc(v->n_blocks + 1ull);
    struct source *at = mem_realloc(all->at, (n_heads + all->layout->n + 1ull) * sizeof *at);
    if (at) all->at = at;
    for (uint32_t i = 0; touched && i < v->n_blocks; i++) {
        touched[i] = block_overlaps(bounds, block_meta(v->blocks[i]));
        all->n_blocks += touched[i];
        all->n_left_out += !touched[i];
    }
    if (at && touched) {
        add_groups(all, bounds, touched);
        sort_heads(all, n_heads);
    }
    mem_free(touched);
    return at && touched ? ERR_OK : ERR_NOMEM;
}

static enum err open_all(struct view *v, const struct query_bounds *bounds, struct block_scan *scan,
                         struct sources *out) {
    // Heads first: of what comes in meanwhile only the split set knows, which does no harm.
    TRY(add_heads(out, bounds, v));
    TRY(layout_take(v, bounds, scan, &out->layout));
    split_set_init(&out->split, &out->layout->split, NULL);
    for (uint32_t i = 0; i < v->n_heads; i++)
        TRY(head_shared_traces(v->heads[i], v->heads + i + 1, v->n_heads - i - 1, v->blocks, v->n_blocks,
                               scan, add_id, &out->split));
    return add_blocks(out, bounds, v);
}

enum err sources_open(struct view *v, const struct query_bounds *bounds, struct sources *out) {
    struct block_scan scan;
    *out = (struct sources){ .n = 0 };
    enum err e = block_scan_init(&scan, NULL);
    if (e == ERR_OK) e = open_all(v, bounds, &scan, out);
    block_scan_fini(&scan);
    if (e != ERR_OK) sources_close(out);
    return e;
}

void sources_close(struct sources *s) {
    for (uint32_t i = 0; i < s->n; i++) head_index_release(s->at[i].index);
    mem_free(s->at);
    split_set_fini(&s->split);
    layout_give(s->layout);
    s->at = NULL;
    s->layout = NULL;
    s->n = 0;
}

// --- reading ---------------------------------------------------------------------------------------

enum err source_batch_init(struct source_batch *b, struct mem_budget *budget) {
    memset(b, 0, sizeof *b);
    TRY(block_scan_init(&b->scan, budget));
    b->scan.uses_cache = true;
    return ERR_OK;
}

void source_batch_fini(struct source_batch *b) {
    block_scan_fini(&b->scan);
}

enum err source_open(const struct source *s, struct source_batch *b, struct batch **out) {
    block_scan_reset(&b->scan);
    if (s->head) {
        table_batch_open(&b->table, &s->head->table, &s->index->rows, &b->scan.arena);
        *out = &b->table.batch;
        return ERR_OK;
    }
    TRY(block_batch_open(&b->block, s->block, &b->scan, s->group));
    *out = &b->block.batch;
    return ERR_OK;
}

enum err source_open_columns(const struct source *s, struct source_batch *b, struct batch **out) {
    if (s->head) return source_open(s, b, out);
    block_scan_reset(&b->scan);
    TRY(block_batch_open_columns(&b->block, s->block, &b->scan, s->group));
    *out = &b->block.batch;
    return ERR_OK;
}

enum err source_add_traces(const struct source *s, struct source_batch *b) {
    return s->head ? ERR_OK : block_batch_add_traces(&b->block);
}

enum in_range range_of(const struct query_bounds *b, uint64_t start, uint64_t last) {
    if (range_has(b, start) || range_has(b, last)) return IN_RANGE;
    return start <= b->start_ns && last > b->end_ns ? MAYBE_IN_RANGE : OUT_OF_RANGE;
}

static void mask_trace(const struct batch *b, const struct batch_trace *t, uint64_t *rows) {
    if (!b->order) bits_set_range(rows, t->first, t->first + t->n);
    for (uint32_t k = 0; b->order && k < t->n; k++) bit_set(rows, b->order[t->first + k]);
}

enum err batch_in_range(struct batch *b, const struct query_bounds *bounds, bool all, const bool **in,
                        const uint64_t **mask, bool *any) {
    *in = NULL;
    *mask = NULL;
    *any = b->n_traces > 0;
    if (all || (bounds->start_ns == 0 && bounds->end_ns == 0)) return ERR_OK;
    bool *is_in = arena_zalloc(b->arena, b->n_traces + 1ull);
    uint64_t *rows = arena_zalloc(b->arena, (bits_words(b->n_rows) + 1) * 8);
    uint32_t n = 0;
    if (!is_in || !rows) return ERR_NOMEM;
    for (uint32_t i = 0; i < b->n_traces; i++) {
        const struct batch_trace *t = &b->traces[i];
        is_in[i] = t->n && range_of(bounds, t->start_ns, t->last_start_ns) != OUT_OF_RANGE;
        n += is_in[i];
        if (is_in[i]) mask_trace(b, t, rows);
    }
    *any = n > 0;
    if (n == b->n_traces && n > 0) return ERR_OK;
    *in = is_in;
    *mask = rows;
    return ERR_OK;
}

enum err bounds_check(const struct query_bounds *b) {
    if (b->canceled && b->canceled(b->canceled_ctx)) return ERR_CANCELED;
    if (b->deadline_ns && clock_mono_ns(b->clock) >= b->deadline_ns) return ERR_TIMEOUT;
    return ERR_OK;
}
