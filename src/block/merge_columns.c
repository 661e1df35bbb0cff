// SPDX-License-Identifier: Apache-2.0
#include "block/merge_columns.h"

#include <stdlib.h>

#include "block/open.h"

enum { NAME_SHOWN = 60 };

struct candidate {
    struct str name, folded;
    uint64_t n; // values
    bool must;  // a row group that is copied has it
};

struct list {
    struct candidate *at;
    uint32_t n;
};

static int by_name(const void *x, const void *y) {
    return str_cmp(((const struct candidate *)x)->name, ((const struct candidate *)y)->name);
}

static int by_folded(const void *x, const void *y) {
    const struct candidate *a = x, *b = y;
    int c = str_cmp(a->folded, b->folded);
    if (c) return c;
    return a->must != b->must ? (a->must ? -1 : 1) : by_name(x, y);
}

static int by_worth(const void *x, const void *y) {
    const struct candidate *a = x, *b = y;
    if (a->must != b->must) return a->must ? -1 : 1;
    return a->n != b->n ? (a->n < b->n ? 1 : -1) : by_name(x, y);
}

// The columns of a row group of a file: those of a copied one whether or not they hold anything.
static void add_group(const struct in_file *f, size_t n_fixed, const struct merge_group *g, struct list *l) {
    for (size_t i = n_fixed; f->pq && i < f->pq->n_columns; i++) {
        int64_t nulls = f->pq->groups[g->group].chunks[i].stats.null_count;
        uint64_t n_rows = f->pq->groups[g->group].n_rows, n = nulls < 0 ? n_rows : n_rows - (uint64_t)nulls;
        if (g->batch && n == 0) continue;
        l->at[l->n++] = (struct candidate){ .name = f->pq->columns[i].name, .n = n, .must = g->batch == 0 };
    }
}

static void join_equal(struct list *l) {
    uint32_t n = 0;
    if (l->n > 1) qsort(l->at, l->n, sizeof *l->at, by_name);
    for (uint32_t i = 0; i < l->n; i++) {
        if (n == 0 || !str_eq(l->at[n - 1].name, l->at[i].name)) {
            l->at[n++] = l->at[i];
            continue;
        }
        l->at[n - 1].n += l->at[i].n;
        l->at[n - 1].must |= l->at[i].must;
    }
    l->n = n;
}

// Of names that differ only in case the one that is copied stays, else the first.
static enum err drop_case_twins(struct list *l, struct arena *a, struct err_ctx *why) {
    uint32_t n = 0;
    for (uint32_t i = 0; i < l->n; i++) l->at[i].folded = column_name_fold(a, l->at[i].name);
    if (a->failed) return ERR_NOMEM;
    if (l->n > 1) qsort(l->at, l->n, sizeof *l->at, by_folded);
    for (uint32_t i = 0; i < l->n; i++) {
        bool is_twin = n && str_eq(l->at[n - 1].folded, l->at[i].folded);
        if (is_twin && l->at[i].must)
            return err_set(why, ERR_UNSUPPORTED, "the keys \"%.*s\" and \"%.*s\" differ only in case",
                           STR_ARG(str_sub(l->at[n - 1].name, 0, NAME_SHOWN)),
                           STR_ARG(str_sub(l->at[i].name, 0, NAME_SHOWN)));
        if (!is_twin) l->at[n++] = l->at[i];
    }
    l->n = n;
    return ERR_OK;
}

static enum err choose(struct list *l, struct str scope, struct arena *a, struct column_choice *out,
                       struct err_ctx *why) {
    struct str key;
    join_equal(l);
    TRY(drop_case_twins(l, a, why));
    if (l->n > BLOCK_COLUMNS_MAX) {
        qsort(l->at, l->n, sizeof *l->at, by_worth);
        if (l->at[BLOCK_COLUMNS_MAX].must)
            return err_set(why, ERR_UNSUPPORTED, "together they have more than %d keys of %.*ss",
                           BLOCK_COLUMNS_MAX, STR_ARG(scope));
        l->n = BLOCK_COLUMNS_MAX;
    }
    if (l->n > 1) qsort(l->at, l->n, sizeof *l->at, by_name);
    struct str *name = ARENA_ARRAY(a, l->n + 1ull, struct str);
    enum attr_type *type = ARENA_ARRAY(a, l->n + 1ull, enum attr_type);
    if (!name || !type) return ERR_NOMEM;
    for (uint32_t i = 0; i < l->n; i++) {
        name[i] = l->at[i].name;
        if (!column_name_read(a, name[i], scope, &key, &type[i])) return a->failed ? ERR_NOMEM : ERR_CORRUPT;
    }
    *out = (struct column_choice){ .n = l->n, .name = name, .type = type };
    return ERR_OK;
}

enum err merge_columns_choose(struct merge_columns *c, struct block *const *inputs,
                              const struct merge_plan *p, struct arena *a, struct err_ctx *why) {
    size_t most[3] = { 0 };
    struct list l[3];
    for (uint32_t i = 0; i < p->n_groups; i++) {
        const struct block *in = inputs[p->groups[i].input];
        most[0] += in->n_span_attrs;
        most[1] += in->n_event_attrs;
        most[2] += in->n_link_attrs;
    }
    for (int i = 0; i < 3; i++) {
        l[i] = (struct list){ ARENA_ARRAY(a, most[i] + 1, struct candidate), 0 };
        if (!l[i].at) return ERR_NOMEM;
    }
    for (uint32_t i = 0; i < p->n_groups; i++) {
        const struct merge_group *g = &p->groups[i];
        add_group(&inputs[g->input]->spans, SC_COUNT, g, &l[0]);
        add_group(&inputs[g->input]->events, EC_COUNT, g, &l[1]);
        add_group(&inputs[g->input]->links, LC_COUNT, g, &l[2]);
    }
    TRY(choose(&l[0], STR("span"), a, &c->span, why));
    TRY(choose(&l[1], STR("event"), a, &c->event, why));
    return choose(&l[2], STR("link"), a, &c->link, why);
}

void merge_columns_set(const struct merge_columns *c, struct build *b) {
    b->span_attrs = c->span;
    b->event_attrs = c->event;
    b->link_attrs = c->link;
}

enum err merge_columns_bind(const struct merge_columns *c, struct build *b, struct arena *a) {
    TRY(column_bind(&b->t->attrs, STR("span"), &c->span, a, &b->span_attrs));
    TRY(column_bind(&b->t->events.attrs, STR("event"), &c->event, a, &b->event_attrs));
    return column_bind(&b->t->links.attrs, STR("link"), &c->link, a, &b->link_attrs);
}
