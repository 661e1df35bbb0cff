// SPDX-License-Identifier: Apache-2.0
#include "query/layout.h"

#include <stdlib.h>

#include "query/answers.h"
#include "span/services.h"

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
        block_scan_reset(scan);
        TRY(block_split(v->blocks[b], scan, &ids, &n)); // opens it; they are in the memory of the block
        for (uint32_t i = 0; i < n; i++) TRY(split_set_add(&l->split, ids + 16ull * i));
    }
    if (!l->budget) return ERR_OK;
    uint64_t map_bytes = l->split.map.n_slots * (uint64_t)sizeof *l->split.map.slots;
    if (!mem_budget_take(l->budget, map_bytes)) return ERR_NOMEM;
    l->map_bytes = map_bytes;
    l->wholes = arena_zalloc(&l->arena, (l->split.n + 1ull) * sizeof *l->wholes);
    return l->wholes ? ERR_OK : ERR_NOMEM;
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

// --- wholes ----------------------------------------------------------------------------------------

// A whole and its texts are one piece of memory.
static size_t whole_bytes(const struct whole *w) {
    const struct trace_summary *s = &w->summary;
    return sizeof *w + s->root_service.len + s->root_name.len + s->services.len + SERVICES_PAD;
}

static struct str move_text(char **to, struct str text) {
    char *at = *to;
    if (text.len) memcpy(at, text.ptr, text.len);
    *to += text.len;
    return (struct str){ at, text.len };
}

static struct whole *whole_copy(const struct whole *w) {
    struct whole *copy = mem_alloc(whole_bytes(w));
    if (!copy) return NULL;
    *copy = *w;
    char *to = (char *)(copy + 1);
    copy->summary.root_service = move_text(&to, w->summary.root_service);
    copy->summary.root_name = move_text(&to, w->summary.root_name);
    copy->summary.services = move_text(&to, w->summary.services);
    memset(to, 0, SERVICES_PAD);
    return copy;
}

static void forget_wholes(struct layout *l) {
    for (uint32_t i = 0; l->wholes && i < l->split.n; i++) {
        const struct whole *w = atomic_load_explicit(&l->wholes[i], memory_order_relaxed);
        if (!w) continue;
        mem_budget_give(l->budget, whole_bytes(w));
        mem_free((void *)(uintptr_t)w);
    }
}

const struct whole *layout_whole(const struct layout *l, uint32_t split) {
    if (!l->wholes || split >= l->split.n) return NULL;
    return atomic_load_explicit(&l->wholes[split], memory_order_acquire);
}

bool layout_keeps_wholes(const struct layout *l) {
    return l->wholes && l->budget->used + sizeof(struct whole) <= l->budget->limit;
}

void layout_keep_whole(const struct layout *l, uint32_t split, const struct whole *w) {
    const struct whole *none = NULL;
    uint64_t bytes = whole_bytes(w);
    if (layout_whole(l, split) || !mem_budget_take(l->budget, bytes)) return;
    struct whole *copy = whole_copy(w);
    if (copy && atomic_compare_exchange_strong(&l->wholes[split], &none, copy)) return;
    mem_free(copy);
    mem_budget_give(l->budget, bytes);
}

// --- making and freeing ----------------------------------------------------------------------------

static void layout_free(struct view_kept *k) {
    struct layout *l = (struct layout *)k;
    forget_wholes(l);
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
