// SPDX-License-Identifier: Apache-2.0
#include "query/layout.h"

#include <stdlib.h>

#include "query/answers.h"

enum { LAYOUT_BYTES_MAX = 32 << 20 }; // of all views: of half a million split traces

static struct mem_budget layouts_budget = { .limit = LAYOUT_BYTES_MAX };

void query_layout_limit(uint64_t bytes) {
    layouts_budget.limit = bytes < LAYOUT_BYTES_MAX ? bytes + 1 : LAYOUT_BYTES_MAX; // 0 would be no limit
}

int source_newest_first(const void *x, const void *y) {
    const struct source *a = x, *b = y;
    if (a->newest_ns != b->newest_ns) return a->newest_ns > b->newest_ns ? -1 : 1;
    if (a->block != b->block) return a->block < b->block ? -1 : 1;
    return (a->group > b->group) - (a->group < b->group);
}

// --- making ----------------------------------------------------------------------------------------

struct placed { // for sorting
    struct source source;
    uint32_t block;
};

static enum err collect_split(struct layout *l, struct view *v, const struct query_bounds *bounds,
                              struct block_scan *scan) {
    for (uint32_t b = 0; b < v->n_blocks; b++) {
        const uint8_t *ids;
        uint32_t n;
        TRY(bounds_check(bounds));
        TRY(block_split(v->blocks[b], scan, &ids, &n)); // opens it
        for (uint32_t i = 0; i < n; i++) TRY(split_set_add(&l->split, ids + 16ull * i));
    }
    if (!l->budget) return ERR_OK;
    uint64_t map_bytes = l->split.map.n_slots * (uint64_t)sizeof *l->split.map.slots;
    if (!mem_budget_take(l->budget, map_bytes)) return ERR_NOMEM;
    l->map_bytes = map_bytes;
    return ERR_OK;
}

static struct placed *add_groups(struct placed *at, struct block *b, uint32_t number) {
    for (uint32_t g = 0; g < block_n_groups(b); g++) {
        struct source s = { .block = b, .group = g, .newest_ns = UINT64_MAX, .last_ns = UINT64_MAX };
        struct time_range starts;
        if (block_group_rows(b, g) == 0) continue;
        if (block_group_times(b, g, &starts, &s.last_ns)) {
            s.first_ns = starts.min_ns;
            s.newest_ns = starts.max_ns;
        }
        *at++ = (struct placed){ s, number };
    }
    return at;
}

static enum err collect_groups(struct layout *l, struct view *v) {
    uint64_t n = 0;
    for (uint32_t b = 0; b < v->n_blocks; b++) n += block_n_groups(v->blocks[b]);
    struct placed *all = mem_alloc((n + 1) * sizeof *all), *end = all;
    l->at = ARENA_ARRAY(&l->arena, n + 1, struct source);
    l->block = ARENA_ARRAY(&l->arena, n + 1, uint32_t);
    bool made = all && l->at && l->block;
    for (uint32_t b = 0; b < v->n_blocks && made; b++) end = add_groups(end, v->blocks[b], b);
    l->n = made ? (uint32_t)(end - all) : 0;
    if (l->n > 1) qsort(all, l->n, sizeof *all, source_newest_first); // by what each begins with
    for (uint32_t i = 0; i < l->n; i++) {
        l->at[i] = all[i].source;
        l->block[i] = all[i].block;
    }
    mem_free(all);
    return made ? ERR_OK : ERR_NOMEM;
}

static void layout_free(struct view_kept *k) {
    struct layout *l = (struct layout *)k;
    if (l->budget) mem_budget_give(l->budget, l->map_bytes);
    split_set_fini(&l->split);
    arena_fini(&l->arena);
    mem_free(l);
}

static enum err layout_new(struct view *v, const struct query_bounds *bounds, struct block_scan *scan,
                           struct mem_budget *budget, struct layout **out) {
    struct layout *l = mem_zalloc(sizeof *l);
    if (!l) return ERR_NOMEM;
    l->kept.free = layout_free;
    l->budget = budget;
    arena_init(&l->arena, SIZE_MAX, budget);
    split_set_init(&l->split, NULL, budget);
    enum err e = collect_split(l, v, bounds, scan);
    if (e == ERR_OK) e = collect_groups(l, v);
    if (e == ERR_OK)
        *out = l;
    else
        layout_free(&l->kept);
    return e;
}

// --- the door --------------------------------------------------------------------------------------

enum err layout_take(struct view *v, const struct query_bounds *bounds, struct block_scan *scan,
                     const struct layout **out) {
    struct view_kept *kept = atomic_load(&v->kept);
    struct layout *l = NULL;
    if (!kept) {
        enum err e = layout_new(v, bounds, scan, &layouts_budget, &l);
        if (e == ERR_NOMEM) e = layout_new(v, bounds, scan, NULL, &l);
        TRY(e);
        answers_sweep(v);                           // the first question of a view: others may have gone
        if (l->budget && !view_keep(v, &l->kept)) { // another thread was faster
            layout_free(&l->kept);
            l = NULL;
        }
        if (!l) kept = atomic_load(&v->kept);
    }
    *out = l ? l : (struct layout *)kept;
    return ERR_OK;
}

void layout_give(const struct layout *l) {
    if (l && !l->budget) layout_free(&((struct layout *)(uintptr_t)l)->kept);
}
