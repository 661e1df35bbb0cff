// SPDX-License-Identifier: Apache-2.0
// compare(): how often each value of each attribute occurs among the selected spans and among the
// others. A group is a value of an attribute on one side, or NIL for the spans that have the attribute.
#include "exec/metrics_internal.h"

#include <stdlib.h>

static const enum intrinsic compared[] = {
    INTRINSIC_NAME,      INTRINSIC_STATUS,       INTRINSIC_STATUS_MESSAGE, INTRINSIC_KIND,
    INTRINSIC_ROOT_NAME, INTRINSIC_ROOT_SERVICE, INTRINSIC_SCOPE_NAME,     INTRINSIC_SCOPE_VERSION,
};
static const enum field_scope scopes[] = { FIELD_SPAN, FIELD_RESOURCE, FIELD_INSTRUMENTATION };

// --- attributes of the accumulator -----------------------------------------------------------------

static bool attr_eq(const void *ctx, uint32_t index, const void *key) {
    return field_eq(&((const struct metric_acc *)ctx)->attrs[index].field, key);
}

static uint64_t attr_rehash(const void *ctx, uint32_t index) {
    return field_hash(&((const struct metric_acc *)ctx)->attrs[index].field);
}

enum err metric_compare_attr(struct metric_acc *m, const struct field *f, uint32_t *out) {
    uint64_t hash = field_hash(f);
    *out = map_get(&m->attr_map, hash, attr_eq, m, f);
    if (*out != MAP_NONE) return ERR_OK;
    if (m->n_attrs >= METRIC_COMPARE_ATTRS_MAX) return ERR_LIMIT;
    if (m->n_attrs == m->cap_attrs) {
        uint32_t cap = m->cap_attrs ? m->cap_attrs * 2 : 64;
        struct compare_attr *more = ARENA_ARRAY(&m->arena, cap, struct compare_attr);
        if (!more) return ERR_NOMEM;
        if (m->n_attrs) memcpy(more, m->attrs, m->n_attrs * sizeof *more);
        m->attrs = more;
        m->cap_attrs = cap;
    }
    struct compare_attr *x = &m->attrs[m->n_attrs];
    *x = (struct compare_attr){ .field = *f };
    x->field.key = str_dup(&m->arena, f->key);
    if (m->arena.failed) return ERR_NOMEM;
    TRY(map_put(&m->attr_map, hash, m->n_attrs, attr_rehash, m));
    *out = m->n_attrs++;
    return ERR_OK;
}

enum err metric_compare_group(struct metric_acc *m, const struct value *v, uint32_t mark, uint32_t *out) {
    struct compare_attr *x = &m->attrs[mark / 2];
    uint32_t side = mark % 2;
    if (v->type == VALUE_NIL) return metric_group_find(m, v, mark, true, out);
    *out = MAP_NONE;
    if (x->has_too_many[side]) return ERR_OK;
    TRY(metric_group_find(m, v, mark, false, out));
    if (*out != MAP_NONE) return ERR_OK;
    if (x->n_values[side] >= METRIC_COMPARE_VALUES_MAX) {
        x->has_too_many[side] = true;
        return ERR_OK;
    }
    TRY(metric_group_find(m, v, mark, true, out));
    x->n_values[side]++;
    return ERR_OK;
}

enum err metric_compare_merge(struct metric_acc *m, const struct metric_acc *from, const uint32_t **out) {
    uint32_t *at = ARENA_ARRAY(&m->scratch, from->n_attrs + 1, uint32_t);
    if (!at) return ERR_NOMEM;
    for (uint32_t i = 0; i < from->n_attrs; i++) {
        TRY(metric_compare_attr(m, &from->attrs[i].field, &at[i]));
        for (int side = 0; side < 2; side++)
            m->attrs[at[i]].has_too_many[side] |= from->attrs[i].has_too_many[side];
    }
    *out = at;
    return ERR_OK;
}

// --- a batch ---------------------------------------------------------------------------------------

struct lane { // the cells of one value on one side, of the last two intervals
    struct metric_cell *cell[2];
    uint32_t step[2];
    uint32_t group; // + 1; 0 = not looked up yet
};

struct comparing {
    struct metric_acc *acc;
    struct batch *batch;
    const struct metric_runs *runs;
    const uint64_t *wanted, *chosen; // chosen: the selection
    struct metric_codes codes;       // of the attribute at hand
    uint32_t attr;
    struct lane *lanes;                // code * 2 + side; then the two totals
    struct metric_cell absent, beyond; // stand in where a value is not counted
};

struct keys {
    struct arena *arena;
    struct field *fields;
    uint32_t n, cap;
    enum field_scope scope;
    enum err err;
};

static void key_add(void *ctx, struct str key) {
    struct keys *k = ctx;
    if (k->err) return;
    if (k->n >= METRIC_COMPARE_ATTRS_MAX) {
        k->err = ERR_LIMIT;
        return;
    }
    if (k->n == k->cap) {
        uint32_t cap = k->cap * 2;
        struct field *more = ARENA_ARRAY(k->arena, cap, struct field);
        if (!more) {
            k->err = ERR_NOMEM;
            return;
        }
        memcpy(more, k->fields, k->n * sizeof *more);
        k->fields = more;
        k->cap = cap;
    }
    k->fields[k->n] = (struct field){ .scope = k->scope, .key = str_dup(k->arena, key) };
    k->n++;
    if (k->arena->failed) k->err = ERR_NOMEM;
}

// In the batch's arena, since rows keep them.
static enum err find_fields(struct batch *b, struct keys *out) {
    *out = (struct keys){ .arena = b->arena, .cap = 64 };
    out->fields = ARENA_ARRAY(b->arena, out->cap, struct field);
    if (!out->fields) return ERR_NOMEM;
    for (size_t i = 0; i < sizeof compared / sizeof *compared; i++) {
        bool of_scope = compared[i] == INTRINSIC_SCOPE_NAME || compared[i] == INTRINSIC_SCOPE_VERSION;
        out->fields[out->n++] = (struct field){ .scope = of_scope ? FIELD_INSTRUMENTATION : FIELD_SPAN,
                                                .intrinsic = compared[i] };
    }
    for (size_t i = 0; i < sizeof scopes / sizeof *scopes; i++) {
        out->scope = scopes[i];
        TRY(b->ops->keys(b, scopes[i], key_add, out));
        TRY(out->err);
    }
    return ERR_OK;
}

// The selected spans that start within the selection's time, [from, to).
static enum err choose(struct comparing *c, const uint64_t *selected, uint64_t **out) {
    const struct metric_plan *p = c->acc->plan;
    uint32_t words = (c->batch->n_rows + 63) / 64, row;
    uint64_t *chosen = arena_alloc(&c->acc->scratch, (words + 1) * sizeof *chosen);
    if (!chosen) return ERR_NOMEM;
    for (uint32_t i = 0; i < words; i++) chosen[i] = c->wanted[i] & (selected ? selected[i] : ~0ull);
    for (uint32_t r = 0; r < c->runs->n && (p->from_ns || p->to_ns); r++) {
        const struct metric_run *run = &c->runs->runs[r];
        const uint64_t *starts;
        TRY(c->batch->ops->starts(c->batch, run->first, run->first + run->n, &starts));
        METRIC_EACH_ROW(run, chosen, row) {
            uint64_t start = starts[row - run->first];
            if (start < p->from_ns || start >= p->to_ns) chosen[row / 64] &= ~(1ull << (row % 64));
        }
    }
    *out = chosen;
    return ERR_OK;
}

static __attribute__((noinline)) enum err lane_fill(struct comparing *c, uint32_t at, uint32_t step) {
    struct lane *l = &c->lanes[at];
    uint32_t code = at / 2, group = 0;
    struct value v = code < c->codes.n ? c->codes.values[code] : VALUE_OF_NIL;
    struct metric_cell *cell = &c->absent;
    if (code == c->codes.n || v.type != VALUE_NIL) {
        if (!l->group) {
            TRY(metric_compare_group(c->acc, &v, c->attr * 2 + at % 2, &group));
            if (group != MAP_NONE) l->group = group + 1;
        }
        cell = l->group ? metric_cell_at(c->acc, c->acc->groups[l->group - 1], step) : &c->beyond;
        if (!cell) return ERR_NOMEM;
    }
    l->cell[step & 1] = cell;
    l->step[step & 1] = step;
    return ERR_OK;
}

static inline enum err lane_cell(struct comparing *c, uint32_t at, uint32_t step, struct metric_cell **out) {
    struct lane *l = &c->lanes[at];
    if (__builtin_expect(!l->cell[step & 1] || l->step[step & 1] != step, 0)) TRY(lane_fill(c, at, step));
    *out = l->cell[step & 1];
    return ERR_OK;
}

static enum err count_attr(struct comparing *c) {
    for (uint32_t r = 0; r < c->runs->n; r++) {
        const struct metric_run *run = &c->runs->runs[r];
        uint32_t row, step = run->step;
        TRY(metric_pace_go_on(&c->acc->pace, run->n));
        METRIC_EACH_ROW(run, c->wanted, row) {
            uint32_t side = bit_get(c->chosen, row);
            struct metric_cell *cell, *total;
            if (run->steps) step = run->steps[row - run->first];
            TRY(lane_cell(c, c->codes.of_row[row] * 2 + side, step, &cell));
            cell->count++;
            if (cell == &c->absent) continue;
            TRY(lane_cell(c, c->codes.n * 2 + side, step, &total));
            total->count++;
        }
    }
    return ERR_OK;
}

// Room for what one attribute needs is used again for the next.
static enum err compare_attr(struct comparing *c, struct rows *rows, uint32_t i, const struct field *f,
                             struct arena *a) {
    TRY(metric_codes_of(rows, i, c->wanted, c->batch->n_rows, a, &c->codes));
    if (c->codes.n == 0 || (c->codes.n == 1 && c->codes.values[0].type == VALUE_NIL)) return ERR_OK;
    c->lanes = arena_zalloc(a, (c->codes.n + 1ull) * 2 * sizeof *c->lanes);
    if (!c->lanes) return ERR_NOMEM;
    TRY(metric_compare_attr(c->acc, f, &c->attr));
    return count_attr(c);
}

enum err metric_compare_add(struct metric_acc *m, struct batch *b, const struct metric_runs *runs,
                            const uint64_t *wanted, const uint64_t *selected) {
    struct comparing c = { .acc = m, .batch = b, .runs = runs, .wanted = wanted };
    struct keys found;
    struct rows *rows;
    uint64_t *chosen;
    TRY(choose(&c, selected, &chosen));
    c.chosen = chosen;
    TRY(find_fields(b, &found));
    TRY(rows_new(b, found.fields, found.n, &rows));
    struct arena a;
    enum err e = ERR_OK;
    arena_init(&a, SIZE_MAX, m->scratch.budget);
    for (uint32_t i = 0; i < found.n && e == ERR_OK; i++) {
        e = compare_attr(&c, rows, i, &found.fields[i], &a);
        arena_reset(&a);
    }
    arena_fini(&a);
    return e;
}

// --- the answer ------------------------------------------------------------------------------------

struct ranked {
    const struct metric_group *group;
    uint64_t count;
};

static uint64_t group_count(const struct metric_plan *p, const struct metric_group *g) {
    uint64_t n = 0;
    for (uint32_t step = 0; step < p->steps; step++) {
        const struct metric_cell *c = metric_cell_get(p, g, step);
        n += c ? c->count : 0;
    }
    return n;
}

// By attribute and side; the total first, then the most frequent values, ties by the value.
static int ranked_cmp(const void *a, const void *b) {
    const struct ranked *x = a, *y = b;
    if (x->group->mark != y->group->mark) return x->group->mark < y->group->mark ? -1 : 1;
    bool xt = x->group->by[0].type == VALUE_NIL, yt = y->group->by[0].type == VALUE_NIL;
    if (xt != yt) return xt ? -1 : 1;
    if (x->count != y->count) return x->count > y->count ? -1 : 1;
    return value_order(&x->group->by[0], &y->group->by[0]);
}

static const char *const side_names[2] = { "baseline", "selection" };
static const char *const total_names[2] = { "baseline_total", "selection_total" };

static enum err put_series(struct arena *a, const struct metric_acc *m, const struct metric_group *g,
                           struct metric_series *out) {
    struct metric_label *labels = ARENA_ARRAY(a, 2, struct metric_label);
    double *samples = ARENA_ARRAY(a, m->plan->steps, double);
    struct buf key;
    if (!labels || !samples) return ERR_NOMEM;
    const struct value *v = &g->by[0];
    const char *type = (v->type == VALUE_NIL ? total_names : side_names)[g->mark % 2];
    buf_init(&key, SIZE_MAX);
    ql_print_field(&m->attrs[g->mark / 2].field, &key);
    labels[0] = (struct metric_label){ STR("__meta_type"), VALUE_OF_STR(str_of(type)) };
    labels[1] = (struct metric_label){ str_dup(a, buf_view(&key)), *v };
    bool failed = key.failed;
    buf_fini(&key);
    if (v->type == VALUE_STRING || v->type == VALUE_ANY) labels[1].value.s = str_dup(a, v->s);
    if (failed || a->failed) return ERR_NOMEM;
    for (uint32_t step = 0; step < m->plan->steps; step++) {
        const struct metric_cell *c = metric_cell_get(m->plan, g, step);
        samples[step] = c ? (double)c->count : 0;
    }
    *out = (struct metric_series){ .labels = labels, .n_labels = 2, .samples = samples };
    return ERR_OK;
}

// Stands for the values of an attribute that has too many: made of its total.
static enum err put_error(struct arena *a, const struct metric_acc *m, const struct metric_group *total,
                          struct metric_series *out) {
    struct metric_label *labels = ARENA_ARRAY(a, 3, struct metric_label);
    if (!labels) return ERR_NOMEM;
    TRY(put_series(a, m, total, out));
    labels[0] =
        (struct metric_label){ STR("__meta_type"), VALUE_OF_STR(str_of(side_names[total->mark % 2])) };
    labels[1] = (struct metric_label){ STR("__meta_error"), VALUE_OF_STR(STR("__too_many_values__")) };
    labels[2] = (struct metric_label){ out->labels[1].key, VALUE_OF_NIL };
    out->labels = labels;
    out->n_labels = 3;
    for (uint32_t step = 0; step < m->plan->steps; step++) out->samples[step] = 0;
    return ERR_OK;
}

enum err metric_answer_compare(struct arena *a, const struct metric_acc *m, struct metric_pace *pace,
                               struct metric_answer *out) {
    struct ranked *all = ARENA_ARRAY(a, m->n_groups + 1, struct ranked);
    *out = (struct metric_answer){ .series = ARENA_ARRAY(a, m->n_groups + 2 * m->n_attrs + 1,
                                                         struct metric_series) };
    if (!all || !out->series) return ERR_NOMEM;
    for (uint32_t i = 0; i < m->n_groups; i++) {
        TRY(metric_pace_go_on(pace, m->plan->steps));
        all[i] = (struct ranked){ m->groups[i], group_count(m->plan, m->groups[i]) };
    }
    qsort(all, m->n_groups, sizeof *all, ranked_cmp);
    for (uint32_t i = 0, shown = 0; i < m->n_groups; i++) {
        const struct metric_group *g = all[i].group;
        bool is_total = g->by[0].type == VALUE_NIL;
        bool too_many = m->attrs[g->mark / 2].has_too_many[g->mark % 2];
        if (is_total) shown = 0;
        if (!is_total && (too_many || shown++ >= m->plan->top)) continue;
        TRY(metric_pace_go_on(pace, m->plan->steps));
        TRY(put_series(a, m, g, &out->series[out->n++]));
        if (is_total && too_many) TRY(put_error(a, m, g, &out->series[out->n++]));
    }
    metric_series_sort(out->series, out->n);
    return ERR_OK;
}
