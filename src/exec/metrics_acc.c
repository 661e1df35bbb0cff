// SPDX-License-Identifier: Apache-2.0
#include "exec/metrics_internal.h"

enum { GROUP_CELLS = 64 }; // making a group takes about as long as so many cells

static uint32_t groups_max(const struct metric_plan *p) {
    return p->function == QL_COMPARE ? METRIC_COMPARE_GROUPS_MAX : METRIC_SERIES_MAX;
}

enum err metric_acc_new(const struct metric_plan *p, struct mem_budget *budget,
                        const struct metric_caller *caller, struct metric_acc **out) {
    struct metric_acc *m = mem_zalloc(sizeof *m);
    if (!m) return ERR_NOMEM;
    m->plan = p;
    m->pace.caller = caller;
    arena_init(&m->arena, SIZE_MAX, budget);
    arena_init(&m->scratch, SIZE_MAX, budget);
    m->arena.pooled = m->scratch.pooled = true;
    map_init(&m->map, groups_max(p));
    map_init(&m->attr_map, METRIC_COMPARE_ATTRS_MAX);
    *out = m;
    return ERR_OK;
}

void metric_acc_free(struct metric_acc *m) {
    if (!m) return;
    map_fini(&m->map);
    map_fini(&m->attr_map);
    arena_fini(&m->arena);
    arena_fini(&m->scratch);
    mem_free(m);
}

static void acc_empty(struct metric_acc *m) {
    map_reset(&m->map);
    map_reset(&m->attr_map);
    arena_reset(&m->arena);
    m->groups = NULL;
    m->attrs = NULL;
    m->n_groups = m->cap_groups = m->n_attrs = m->cap_attrs = 0;
}

// --- groups ----------------------------------------------------------------------------------------

uint32_t metric_group_size(const struct metric_plan *p) {
    return p->function == QL_COMPARE ? 1 : p->n_by;
}

struct group_key {
    const struct value *by;
    uint32_t n, mark;
};

static bool group_eq(const void *ctx, uint32_t index, const void *key) {
    const struct metric_acc *m = ctx;
    const struct group_key *k = key;
    const struct metric_group *g = m->groups[index];
    if (g->mark != k->mark) return false;
    for (uint32_t i = 0; i < k->n; i++)
        if (value_order(&g->by[i], &k->by[i]) != 0) return false;
    return true;
}

static uint64_t group_rehash(const void *ctx, uint32_t index) {
    return ((const struct metric_acc *)ctx)->groups[index]->hash;
}

static uint64_t key_hash(const struct group_key *k) {
    uint64_t h = k->mark;
    for (uint32_t i = 0; i < k->n; i++) h = hash_u64(h * 31 + value_hash(&k->by[i]));
    return h;
}

// The same in every process, so that the same exemplars are chosen everywhere.
static uint64_t key_salt(const struct group_key *k) {
    uint64_t h = hash_u64(k->mark + 1);
    for (uint32_t i = 0; i < k->n; i++) {
        const struct value *v = &k->by[i];
        bool is_text = v->type == VALUE_STRING || v->type == VALUE_ANY;
        h = hash_u64(h + (uint64_t)v->type + 1);
        if (v->type != VALUE_NIL)
            h = hash_u64(h ^ (is_text ? hash_xxh64(v->s.ptr, v->s.len) : (uint64_t)v->i));
    }
    return h;
}

static const struct value *copy_values(struct arena *a, const struct value *v, uint32_t n) {
    struct value *to = ARENA_ARRAY(a, n + 1, struct value);
    if (!to) return NULL;
    for (uint32_t i = 0; i < n; i++) {
        to[i] = v[i];
        if (v[i].type == VALUE_STRING || v[i].type == VALUE_ANY) to[i].s = str_dup(a, v[i].s);
    }
    return a->failed ? NULL : to;
}

static enum err groups_room(struct metric_acc *m) {
    if (m->n_groups < m->cap_groups) return ERR_OK;
    uint32_t cap = m->cap_groups ? m->cap_groups * 2 : 16;
    struct metric_group **more = ARENA_ARRAY(&m->arena, cap, struct metric_group *);
    if (!more) return ERR_NOMEM;
    if (m->n_groups) memcpy(more, m->groups, m->n_groups * sizeof *more);
    m->groups = more;
    m->cap_groups = cap;
    return ERR_OK;
}

static enum err group_make(struct metric_acc *m, const struct group_key *k, uint64_t hash, uint32_t *out) {
    if (m->map.n_used >= m->map.limit) return ERR_LIMIT;
    TRY(metric_pace_go_on(&m->pace, GROUP_CELLS)); // a batch may bring a hundred thousand of them
    TRY(groups_room(m));
    struct metric_group *g = ARENA_NEW(&m->arena, struct metric_group);
    uint32_t n_pages = (m->plan->steps + CELLS_PAGE - 1) / CELLS_PAGE;
    if (!g) return ERR_NOMEM;
    g->by = copy_values(&m->arena, k->by, k->n);
    g->pages = arena_zalloc(&m->arena, n_pages * sizeof *g->pages);
    if (!g->by || !g->pages) return ERR_NOMEM;
    g->mark = k->mark;
    g->hash = hash;
    g->salt = key_salt(k);
    m->groups[m->n_groups] = g;
    TRY(map_put(&m->map, hash, m->n_groups, group_rehash, m));
    *out = m->n_groups++;
    return ERR_OK;
}

enum err metric_group_find(struct metric_acc *m, const struct value *by, uint32_t mark, bool make,
                           uint32_t *out) {
    struct group_key k = { by, metric_group_size(m->plan), mark };
    uint64_t hash = key_hash(&k);
    *out = map_get(&m->map, hash, group_eq, m, &k);
    return *out != MAP_NONE || !make ? ERR_OK : group_make(m, &k, hash, out);
}

// --- cells -----------------------------------------------------------------------------------------

static size_t cell_size(enum ql_function f) {
    switch (f) {
    case QL_MIN_OVER_TIME:
    case QL_MAX_OVER_TIME: return sizeof(struct extreme_cell);
    case QL_AVG_OVER_TIME:
    case QL_SUM_OVER_TIME: return sizeof(struct sum_cell);
    case QL_QUANTILE_OVER_TIME: return sizeof(struct sketch_cell);
    default: return sizeof(struct metric_cell);
    }
}

struct metric_cell *metric_cell_at(struct metric_acc *m, struct metric_group *g, uint32_t step) {
    size_t size = cell_size(m->plan->function);
    void **page = &g->pages[step / CELLS_PAGE];
    DASSERT(step < m->plan->steps);
    if (!*page) {
        char *cells = arena_zalloc(&m->arena, CELLS_PAGE * size);
        if (!cells) return NULL;
        for (size_t i = 0; i < CELLS_PAGE; i++)
            ((struct metric_cell *)(void *)(cells + i * size))->salt = g->salt;
        *page = cells;
    }
    return (void *)((char *)*page + step % CELLS_PAGE * size);
}

const struct metric_cell *metric_cell_get(const struct metric_plan *p, const struct metric_group *g,
                                          uint32_t step) {
    const char *page = g->pages[step / CELLS_PAGE];
    if (!page) return NULL;
    const struct metric_cell *c = (const void *)(page + step % CELLS_PAGE * cell_size(p->function));
    return c->count ? c : NULL;
}

// --- merging ---------------------------------------------------------------------------------------

static enum err cell_merge(struct metric_acc *m, struct metric_cell *to, const struct metric_cell *from) {
    struct extreme_cell *x = (void *)to;
    const struct extreme_cell *y = (const void *)from;
    switch (m->plan->function) {
    case QL_MIN_OVER_TIME:
        if (to->count == 0 || y->extreme < x->extreme) x->extreme = y->extreme;
        break;
    case QL_MAX_OVER_TIME:
        if (to->count == 0 || y->extreme > x->extreme) x->extreme = y->extreme;
        break;
    case QL_AVG_OVER_TIME:
    case QL_SUM_OVER_TIME:
        TRY(exactsum_merge(&m->arena, &((struct sum_cell *)to)->sum, &((const struct sum_cell *)from)->sum));
        break;
    case QL_QUANTILE_OVER_TIME:
        TRY(sketch_merge(&m->arena, &((struct sketch_cell *)to)->sketch,
                         &((const struct sketch_cell *)from)->sketch));
        break;
    default: break;
    }
    to->count += from->count;
    return metric_picks_merge(m, to, from);
}

// moves: where `to` has counted nothing, what was found moves as it is.
static enum err page_merge(struct metric_acc *m, struct metric_group *to, const struct metric_group *from,
                           uint32_t page, bool moves) {
    uint32_t first = page * CELLS_PAGE, left = m->plan->steps - first,
             n = left < CELLS_PAGE ? left : CELLS_PAGE;
    bool same_salt = to->salt == from->salt; // else compare() has numbered its attributes otherwise
    moves &= same_salt;
    if (!to->pages[page] && moves) {
        to->pages[page] = from->pages[page];
        return ERR_OK;
    }
    for (uint32_t step = first; step < first + n; step++) {
        const struct metric_cell *c = metric_cell_get(m->plan, from, step);
        if (!c) continue;
        struct metric_cell *t = metric_cell_at(m, to, step);
        if (!t) return ERR_NOMEM;
        if (t->count == 0 && moves)
            memcpy(t, c, cell_size(m->plan->function));
        else
            TRY(cell_merge(m, t, c));
    }
    return ERR_OK;
}

static uint32_t pages_of(const struct metric_acc *m) {
    return (m->plan->steps + CELLS_PAGE - 1) / CELLS_PAGE;
}

static enum err group_merge(struct metric_acc *m, struct metric_group *to, const struct metric_group *from,
                            bool moves) {
    for (uint32_t i = 0; i < pages_of(m); i++)
        if (from->pages[i]) TRY(page_merge(m, to, from, i, moves));
    return ERR_OK;
}

// What moves takes the memory of all of `from` with it: only where at least half of that would be in use.
static enum err pays_to_move(struct metric_acc *m, const struct metric_acc *from, bool *out) {
    uint64_t all = 0, new = 0;
    for (uint32_t i = 0; i < from->n_groups && m->plan->function != QL_COMPARE; i++) {
        const struct metric_group *g = from->groups[i];
        uint32_t at;
        TRY(metric_pace_go_on(&m->pace, pages_of(m)));
        TRY(metric_group_find(m, g->by, g->mark, false, &at));
        for (uint32_t k = 0; k < pages_of(m); k++) {
            all += g->pages[k] != NULL;
            new += g->pages[k] && (at == MAP_NONE || !m->groups[at]->pages[k]);
        }
    }
    *out = all && new *arena_filled(&from->arena) * 2 >= all * from->arena.used;
    return ERR_OK;
}

enum err metric_merge(struct metric_acc *m, struct metric_acc *from) {
    ASSERT(m != from && m->plan == from->plan);
    const uint32_t *marks = NULL;
    bool moves;
    arena_reset(&m->scratch);
    TRY(pays_to_move(m, from, &moves));
    if (m->plan->function == QL_COMPARE) TRY(metric_compare_merge(m, from, &marks));
    for (uint32_t i = 0; i < from->n_groups; i++) {
        const struct metric_group *g = from->groups[i];
        uint32_t mark = marks ? marks[g->mark / 2] * 2 + g->mark % 2 : g->mark, at;
        TRY(metric_pace_go_on(&m->pace, m->plan->steps));
        if (marks) {
            TRY(metric_compare_group(m, &g->by[0], mark, &at));
        } else {
            TRY(metric_group_find(m, g->by, mark, true, &at));
        }
        if (at != MAP_NONE) TRY(group_merge(m, m->groups[at], g, moves));
    }
    if (moves) arena_adopt(&m->arena, &from->arena);
    acc_empty(from);
    return ERR_OK;
}
