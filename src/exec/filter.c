// SPDX-License-Identifier: Apache-2.0
// A filter becomes a tree of nodes over bitmaps. Conjuncts about events (links) form one node that is
// worked out over the events' own rows and then carried over to their spans, since all of it must hold
// of the same event.
#include "exec/filter.h"

#include <stdlib.h>

#include "exec/leaf.h"
#include "exec/rows_internal.h"

enum node_kind { NODE_TRUE, NODE_FALSE, NODE_AND, NODE_OR, NODE_NOT, NODE_LEAF, NODE_CHILD, NODE_ROW };

struct node {
    enum node_kind kind;
    uint32_t cost; // a rank: what is cheap and tells much comes first
    const struct node **parts;
    uint32_t n;
    struct leaf leaf;
    enum batch_table table;  // CHILD: of parts[0]
    const struct expr *expr; // ROW
    bool joint;              // ROW: of one event and one link
};

struct filter {
    const struct expr *expr;
    const struct node *root;
};

// --- making ----------------------------------------------------------------------------------------

static struct node *node_new(struct arena *a, enum node_kind kind, uint32_t cost) {
    struct node *n = ARENA_NEW(a, struct node);
    if (n) *n = (struct node){ .kind = kind, .cost = cost };
    return n;
}

static bool is_literal(const struct expr *e) {
    return e->kind == QL_CONST;
}

// A comparison of a field with a literal, or a bare field that must be true.
static bool leaf_of(const struct expr *e, struct leaf *out) {
    if (e->kind == QL_FIELD) {
        *out = (struct leaf){ .field = e->field, .op = QL_EQ, .value = VALUE_OF_BOOL(true), .is_bare = true };
        return true;
    }
    if (e->kind != QL_BINARY || !expr_is_comparison(e->op)) return false;
    bool right = e->left->kind == QL_FIELD && is_literal(e->right);
    bool left = e->right->kind == QL_FIELD && is_literal(e->left);
    if (!right && !left) return false;
    if (left && (e->op == QL_MATCH || e->op == QL_NO_MATCH)) return false;
    *out = (struct leaf){ .field = right ? e->left->field : e->right->field,
                          .op = right ? e->op : expr_mirror(e->op),
                          .value = right ? e->right->value : e->left->value,
                          .regex = e->regex };
    return true;
}

static enum err make(struct arena *a, const struct expr *e, bool of_child, const struct node **out);

static enum err make_leaf(struct arena *a, const struct leaf *leaf, const struct node **out) {
    bool regex = leaf->op == QL_MATCH || leaf->op == QL_NO_MATCH;
    struct node *n = node_new(a, NODE_LEAF, regex ? 4 : leaf->op == QL_EQ ? 1 : 2);
    if (!n) return ERR_NOMEM;
    n->leaf = *leaf;
    *out = n;
    return ERR_OK;
}

static enum err make_row(struct arena *a, const struct expr *e, bool joint, const struct node **out) {
    struct node *n = node_new(a, NODE_ROW, 9);
    if (!n) return ERR_NOMEM;
    n->expr = e;
    n->joint = joint;
    *out = n;
    return ERR_OK;
}

static int by_cost(const void *x, const void *y) {
    const struct node *a = *(const struct node *const *)x, *b = *(const struct node *const *)y;
    return (a->cost > b->cost) - (a->cost < b->cost);
}

static enum err make_list(struct arena *a, enum node_kind kind, const struct expr **es, uint32_t n,
                          bool of_child, const struct node **out) {
    struct node *x = node_new(a, kind, 3);
    if (!x || !(x->parts = ARENA_ARRAY(a, n, const struct node *))) return ERR_NOMEM;
    for (uint32_t i = 0; i < n; i++) {
        TRY(make(a, es[i], of_child, &x->parts[i]));
        if (!x->parts[i]) { // not to be had over children
            *out = NULL;
            return ERR_OK;
        }
        if (x->parts[i]->cost > x->cost) x->cost = x->parts[i]->cost;
    }
    x->n = n;
    if (n > 1) qsort(x->parts, n, sizeof *x->parts, by_cost);
    *out = x;
    return ERR_OK;
}

static enum err chain_of(struct arena *a, const struct expr **es, uint32_t n, const struct expr **out) {
    const struct expr *e = es[0];
    for (uint32_t i = 1; i < n; i++) {
        struct expr *x = ARENA_NEW(a, struct expr);
        if (!x) return ERR_NOMEM;
        *x = (struct expr){ .kind = QL_BINARY,
                            .op = QL_AND,
                            .left = e,
                            .right = es[i],
                            .events = e->events || es[i]->events,
                            .links = e->links || es[i]->links };
        e = x;
    }
    *out = e;
    return ERR_OK;
}

// Conjuncts that must hold of one event (or link): over the children's rows where they read nothing
// else, else row by row.
static enum err make_children(struct arena *a, const struct expr **es, uint32_t n, const struct node **out) {
    const struct expr *chain;
    const struct node *inner = NULL;
    TRY(chain_of(a, es, n, &chain));
    if (chain->events != chain->links) TRY(make(a, chain, true, &inner));
    if (!inner) return make_row(a, chain, true, out);
    struct node *x = node_new(a, NODE_CHILD, 3);
    if (!x || !(x->parts = ARENA_ARRAY(a, 1, const struct node *))) return ERR_NOMEM;
    x->table = chain->events ? BATCH_EVENTS : BATCH_LINKS;
    x->parts[0] = inner;
    x->n = 1;
    *out = x;
    return ERR_OK;
}

// Sorts the conjuncts: those of spans alone, of events, of links; one of both binds all children. The
// only one that mentions children is judged by itself.
static enum err make_and(struct arena *a, const struct expr *e, const struct node **out) {
    const struct expr **all, **group[3];
    uint32_t n, n_group[3] = { 0 };
    bool mixed = false, alone = expr_only_bound(e) != NULL;
    TRY(expr_operands(a, e, QL_AND, &all, &n));
    for (int i = 0; i < 3; i++)
        if (!(group[i] = ARENA_ARRAY(a, n, const struct expr *))) return ERR_NOMEM;
    for (uint32_t i = 0; i < n; i++) mixed |= all[i]->events && all[i]->links;
    for (uint32_t i = 0; i < n; i++) {
        int g = alone || (!all[i]->events && !all[i]->links) ? 0 : mixed || all[i]->events ? 1 : 2;
        group[g][n_group[g]++] = all[i];
    }
    struct node *x = node_new(a, NODE_AND, 3);
    if (!x || !(x->parts = ARENA_ARRAY(a, n_group[0] + 2, const struct node *))) return ERR_NOMEM;
    for (uint32_t i = 0; i < n_group[0]; i++) TRY(make(a, group[0][i], false, &x->parts[x->n++]));
    for (int g = 1; g < 3; g++)
        if (n_group[g]) TRY(make_children(a, group[g], n_group[g], &x->parts[x->n++]));
    for (uint32_t i = 0; i < x->n; i++)
        if (x->parts[i]->cost > x->cost) x->cost = x->parts[i]->cost;
    if (x->n > 1) qsort(x->parts, x->n, sizeof *x->parts, by_cost);
    *out = x;
    return ERR_OK;
}

// *out NULL: of_child only, and the expression reads something else than children and literals.
static enum err make(struct arena *a, const struct expr *e, bool of_child, const struct node **out) {
    const struct expr **parts;
    struct leaf leaf;
    uint32_t n;
    *out = NULL;
    if (e->kind == QL_CONST) {
        bool yes = e->value.type == VALUE_BOOL && e->value.i;
        if (of_child && yes) return ERR_OK; // it holds without an event, too
        *out = node_new(a, yes ? NODE_TRUE : NODE_FALSE, 0);
        return *out ? ERR_OK : ERR_NOMEM;
    }
    bool children = e->events || e->links;
    if (of_child && !children) return ERR_OK;
    if (e->kind == QL_BINARY && e->op == QL_OR) {
        TRY(expr_operands(a, e, QL_OR, &parts, &n));
        return make_list(a, NODE_OR, parts, n, of_child, out);
    }
    if (e->kind == QL_BINARY && e->op == QL_AND) {
        if (!of_child) return make_and(a, e, out);
        TRY(expr_operands(a, e, QL_AND, &parts, &n));
        return make_list(a, NODE_AND, parts, n, true, out);
    }
    if (expr_is_negation(e)) {
        parts = ARENA_ARRAY(a, 1, const struct expr *);
        if (!parts) return ERR_NOMEM;
        parts[0] = e->left;
        return make_list(a, NODE_NOT, parts, 1, of_child, out);
    }
    if (children && !of_child) return make_children(a, &e, 1, out);
    if (leaf_of(e, &leaf)) return make_leaf(a, &leaf, out);
    return of_child ? ERR_OK : make_row(a, e, false, out);
}

enum err filter_new(struct arena *a, const struct expr *e, struct filter **out) {
    struct filter *f = ARENA_NEW(a, struct filter);
    if (!f) return ERR_NOMEM;
    f->expr = e;
    if (e) {
        TRY(make(a, e, false, &f->root));
        ASSERT(f->root);
    }
    *out = f;
    return ERR_OK;
}

const struct expr *filter_expr(const struct filter *f) {
    return f->expr;
}

// --- before a batch is opened ------------------------------------------------------------------------

static enum err ask_field(const struct filter_ask *ask, struct field f, struct str text, bool *out) {
    bool unscoped = f.scope == FIELD_UNSCOPED && f.intrinsic == INTRINSIC_NONE;
    *out = true;
    if (f.of_parent) return ERR_OK;
    if (!unscoped) return ask->may_hold(ask->ctx, &f, text, out);
    *out = false;
    for (int s = FIELD_SPAN; s < FIELD_SCOPE_COUNT && !*out; s++) {
        f.scope = (enum field_scope)s;
        TRY(ask->may_hold(ask->ctx, &f, text, out));
    }
    return ERR_OK;
}

// Only equality with a text can be told by what is known of a batch from outside.
static enum err node_may_match(const struct node *n, const struct field *fields, const struct filter_ask *ask,
                               bool *out) {
    const struct leaf *l = &n->leaf;
    bool all = n->kind == NODE_AND || n->kind == NODE_CHILD;
    *out = n->kind != NODE_FALSE;
    if (n->kind == NODE_LEAF && l->op == QL_EQ && l->value.type == VALUE_STRING)
        return ask_field(ask, fields[l->field], l->value.s, out);
    if (!all && n->kind != NODE_OR) return ERR_OK;
    *out = all;
    for (uint32_t i = 0; i < n->n && *out == all; i++) TRY(node_may_match(n->parts[i], fields, ask, out));
    return ERR_OK;
}

enum err filter_may_match(const struct filter *f, const struct field *fields, const struct filter_ask *ask,
                          bool *out) {
    *out = true;
    return f->root ? node_may_match(f->root, fields, ask, out) : ERR_OK;
}

// --- running ---------------------------------------------------------------------------------------

struct run {
    struct rows *rows;
    enum batch_table table;
    uint32_t n; // rows of the table
};

static enum err bitmap(const struct run *r, uint64_t **out) {
    *out = arena_zalloc(r->rows->batch->arena, (bits_words(r->n) + 1) * 8);
    return *out ? ERR_OK : ERR_NOMEM;
}

static enum err run(const struct run *r, const struct node *n, const uint64_t *mask, uint64_t *out);

struct ranked {
    const struct node *node;
    uint32_t rank;
};

static int by_rank(const void *x, const void *y) {
    const struct ranked *a = x, *b = y;
    return (a->rank > b->rank) - (a->rank < b->rank);
}

// In the order of what a batch knows of them. *never: a part surely matches nowhere, which ends the
// conjunction before any row is read.
static enum err rank_parts(const struct run *r, const struct node *n, struct ranked *out, bool *never) {
    *never = false;
    for (uint32_t i = 0; i < n->n && !*never; i++) {
        const struct node *part = n->parts[i];
        out[i] = (struct ranked){ part, part->kind == NODE_FALSE ? LEAF_NEVER : LEAF_LAST };
        if (part->kind == NODE_LEAF) TRY(leaf_rank(r->rows, &part->leaf, &out[i].rank));
        *never = out[i].rank == LEAF_NEVER;
        if (out[i].rank == LEAF_LAST) out[i].rank += part->cost;
    }
    return ERR_OK;
}

static enum err run_and(const struct run *r, const struct node *n, const uint64_t *mask, uint64_t *out) {
    struct ranked *parts = ARENA_ARRAY(r->rows->batch->arena, n->n + 1ull, struct ranked);
    uint64_t *left[2] = { NULL, NULL };
    const uint64_t *now = mask;
    bool never;
    if (!parts) return ERR_NOMEM;
    TRY(rank_parts(r, n, parts, &never));
    if (never) return ERR_OK;
    if (n->n > 1) qsort(parts, n->n, sizeof *parts, by_rank);
    for (uint32_t i = 0; i < n->n; i++) {
        uint64_t **next = i + 1 == n->n ? &out : &left[i % 2];
        if (*next && *next != out) memset(*next, 0, bits_words(r->n) * 8);
        if (!*next) TRY(bitmap(r, next));
        TRY(run(r, parts[i].node, now, *next));
        if (*next != out && !bits_any(*next, r->n)) return ERR_OK;
        now = *next;
    }
    return ERR_OK;
}

static enum err run_or(const struct run *r, const struct node *n, const uint64_t *mask, uint64_t *out) {
    uint64_t *left, *hit;
    TRY(bitmap(r, &left));
    TRY(bitmap(r, &hit));
    memcpy(left, mask, bits_words(r->n) * 8);
    for (uint32_t i = 0; i < n->n; i++) {
        memset(hit, 0, bits_words(r->n) * 8);
        TRY(run(r, n->parts[i], left, hit));
        bits_or(out, hit, r->n);
        bits_and_not(left, hit, r->n);
    }
    return ERR_OK;
}

static enum err run_not(const struct run *r, const struct node *n, const uint64_t *mask, uint64_t *out) {
    uint64_t *hit;
    TRY(bitmap(r, &hit));
    TRY(run(r, n->parts[0], mask, hit));
    memcpy(out, mask, bits_words(r->n) * 8);
    bits_and_not(out, hit, r->n);
    return ERR_OK;
}

static enum err run_child(const struct run *r, const struct node *n, const uint64_t *mask, uint64_t *out) {
    TRY(rows_owners(r->rows, n->table));
    struct run inner = { r->rows, n->table, r->rows->n_table[n->table] };
    const uint32_t *owner = r->rows->owners[n->table];
    uint64_t *all, *hit;
    if (inner.n == 0) return ERR_OK;
    TRY(bitmap(&inner, &all));
    TRY(bitmap(&inner, &hit));
    for (uint32_t i = 0; i < inner.n; i++)
        if (bit_get(mask, owner[i])) bit_set(all, i);
    TRY(run(&inner, n->parts[0], all, hit));
    for (uint32_t i = bits_next(hit, 0, inner.n); i < inner.n; i = bits_next(hit, i + 1, inner.n))
        bit_set(out, owner[i]);
    return ERR_OK;
}

static enum err want_fields(struct rows *rows, const struct expr *e, const uint64_t *mask) {
    if (e->kind == QL_FIELD) TRY(rows_want(rows, e->field, mask));
    if (e->left) TRY(want_fields(rows, e->left, mask));
    return e->right ? want_fields(rows, e->right, mask) : ERR_OK;
}

static enum err want_all(struct rows *rows, const struct expr *e, const uint64_t *mask) {
    if (e->events) TRY(rows_owners(rows, BATCH_EVENTS));
    if (e->links) TRY(rows_owners(rows, BATCH_LINKS));
    return want_fields(rows, e, mask);
}

enum err filter_want(const struct filter *f, struct rows *rows, const uint64_t *mask) {
    return f->expr ? want_all(rows, f->expr, mask) : ERR_OK;
}

static enum err run_row(const struct run *r, const struct node *n, const uint64_t *mask, uint64_t *out) {
    struct expr_at at = { .rows = r->rows, .event = EXPR_NONE, .link = EXPR_NONE };
    if (!bits_any(mask, r->n)) return ERR_OK;
    TRY(want_all(r->rows, n->expr, mask));
    for (uint32_t row = bits_next(mask, 0, r->n); row < r->n; row = bits_next(mask, row + 1, r->n)) {
        at.row = row;
        if (n->joint ? expr_joint(n->expr, &at) : expr_true(n->expr, &at)) bit_set(out, row);
        if (at.error != ERR_OK) return at.error;
    }
    return ERR_OK;
}

// mask has no bits past the table's rows.
static enum err run(const struct run *r, const struct node *n, const uint64_t *mask, uint64_t *out) {
    switch (n->kind) {
    case NODE_TRUE: memcpy(out, mask, bits_words(r->n) * 8); return ERR_OK;
    case NODE_FALSE: return ERR_OK;
    case NODE_AND: return run_and(r, n, mask, out);
    case NODE_OR: return run_or(r, n, mask, out);
    case NODE_NOT: return run_not(r, n, mask, out);
    case NODE_LEAF: return leaf_run(r->rows, &n->leaf, r->n, mask, out);
    case NODE_CHILD: return run_child(r, n, mask, out);
    default: return run_row(r, n, mask, out);
    }
}

enum err filter_run(const struct filter *f, struct rows *rows, const uint64_t *mask, uint64_t *out) {
    struct run r = { rows, BATCH_SPANS, rows->batch->n_rows };
    if (r.n == 0) return ERR_OK;
    if (!mask) {
        uint64_t *all = ARENA_ARRAY(rows->batch->arena, bits_words(r.n) + 1, uint64_t);
        if (!all) return ERR_NOMEM;
        all[bits_words(r.n)] = 0;
        if (rows->batch->live)
            memcpy(all, rows->batch->live, bits_words(r.n) * 8);
        else
            bits_fill(all, r.n);
        mask = all;
    }
    if (f->root) return run(&r, f->root, mask, out);
    memcpy(out, mask, bits_words(r.n) * 8);
    return ERR_OK;
}
