// SPDX-License-Identifier: Apache-2.0
// Structural operators by parent links: trees without a root, or with a missing parent, are walked
// like any other. Everything is linear in the spans of the trace.
#include "exec/plan_internal.h"

enum { MARK_A = 1, MARK_B = 2, MARK_OUT = 4, MARK_UP = 8, MARK_YES = 16, MARK_NO = 32 };

struct walk {
    const uint32_t *parent; // by position
    uint8_t *mark;
    uint32_t n;
};

static enum err make_parents(struct judging *j) {
    struct tree *t = &j->rows->tree;
    if (j->parent) return ERR_OK;
    TRY(tree_parents(t));
    uint32_t *parent = ARENA_ARRAY(j->scratch, j->trace->n, uint32_t);
    if (!parent) return ERR_NOMEM;
    for (uint32_t i = 0; i < j->trace->n; i++) {
        uint32_t up = t->parent[judging_row(j, i)];
        parent[i] = up >= BATCH_ORPHAN ? SPANS_NONE : tree_place(t, up) - j->trace->first;
    }
    j->parent = parent;
    return ERR_OK;
}

static void mark(struct walk *w, struct spans s, uint8_t bit) {
    for (uint32_t i = 0; i < s.n; i++) w->mark[spans_at(s, i)] |= bit;
}

// Marks all strict ancestors of the spans with MARK_UP.
static void mark_ancestors(struct walk *w, struct spans of) {
    for (uint32_t i = 0; i < of.n; i++)
        for (uint32_t p = w->parent[spans_at(of, i)]; p != SPANS_NONE && !(w->mark[p] & MARK_UP);
             p = w->parent[p])
            w->mark[p] |= MARK_UP;
}

// Has the span a strict ancestor with the mark? What is found is kept on the way.
static bool has_ancestor(struct walk *w, uint32_t at, uint8_t with) {
    uint32_t top = at;
    bool yes = false;
    while (!(w->mark[top] & (MARK_YES | MARK_NO))) {
        uint32_t p = w->parent[top];
        if (p == SPANS_NONE) break;
        yes = w->mark[p] & with;
        if (yes) break;
        top = p;
    }
    if (w->mark[top] & MARK_YES) yes = true;
    uint8_t found = yes ? MARK_YES : MARK_NO;
    for (uint32_t x = at; !(w->mark[x] & (MARK_YES | MARK_NO)); x = w->parent[x]) {
        w->mark[x] |= found;
        if (x == top) break;
    }
    return yes;
}

static void forget(struct walk *w) {
    for (uint32_t i = 0; i < w->n; i++) w->mark[i] &= (uint8_t) ~(MARK_YES | MARK_NO | MARK_UP);
}

// Spans of one side whose parent is of the other.
static void below(struct walk *w, struct spans children, uint8_t parent_mark) {
    for (uint32_t i = 0; i < children.n; i++) {
        uint32_t at = spans_at(children, i), p = w->parent[at];
        if (p != SPANS_NONE && w->mark[p] & parent_mark) w->mark[at] |= MARK_OUT;
    }
}

// Spans that are the parent of one of the other side.
static void above(struct walk *w, struct spans children, uint8_t parent_mark) {
    for (uint32_t i = 0; i < children.n; i++) {
        uint32_t p = w->parent[spans_at(children, i)];
        if (p != SPANS_NONE && w->mark[p] & parent_mark) w->mark[p] |= MARK_OUT;
    }
}

static void descendants(struct walk *w, struct spans of, uint8_t ancestor_mark) {
    for (uint32_t i = 0; i < of.n; i++) {
        uint32_t at = spans_at(of, i);
        if (has_ancestor(w, at, ancestor_mark)) w->mark[at] |= MARK_OUT;
    }
    forget(w);
}

static void ancestors(struct walk *w, struct spans of, uint8_t mark_wanted) {
    mark_ancestors(w, of);
    for (uint32_t i = 0; i < w->n; i++)
        if (w->mark[i] & MARK_UP && w->mark[i] & mark_wanted) w->mark[i] |= MARK_OUT;
    forget(w);
}

static enum err siblings(struct judging *j, struct walk *w, struct spans from, struct spans of) {
    uint32_t *count = arena_zalloc(j->scratch, w->n * sizeof *count), *last = NULL;
    if (!count || !(last = ARENA_ARRAY(j->scratch, w->n, uint32_t))) return ERR_NOMEM;
    for (uint32_t i = 0; i < from.n; i++) {
        uint32_t at = spans_at(from, i), p = w->parent[at];
        if (p == SPANS_NONE) continue;
        count[p]++;
        last[p] = at;
    }
    for (uint32_t i = 0; i < of.n; i++) {
        uint32_t at = spans_at(of, i), p = w->parent[at];
        if (p == SPANS_NONE || count[p] == 0) continue;
        if (count[p] > 1 || last[p] != at) w->mark[at] |= MARK_OUT;
    }
    return ERR_OK;
}

// Marks the spans of B that match, and with `both` the spans of A that they match with.
static enum err mark_matches(struct judging *j, struct walk *w, const struct plan_set *how, struct spans a,
                             struct spans b) {
    switch (how->relation) {
    case QL_REL_DESCENDANT:
        descendants(w, b, MARK_A);
        if (how->both) ancestors(w, b, MARK_A);
        return ERR_OK;
    case QL_REL_ANCESTOR:
        ancestors(w, a, MARK_B);
        if (how->both) descendants(w, a, MARK_B);
        return ERR_OK;
    case QL_REL_CHILD:
        below(w, b, MARK_A);
        if (how->both) above(w, b, MARK_A);
        return ERR_OK;
    case QL_REL_PARENT:
        above(w, a, MARK_B);
        if (how->both) below(w, a, MARK_B);
        return ERR_OK;
    default: TRY(siblings(j, w, a, b)); return how->both ? siblings(j, w, b, a) : ERR_OK;
    }
}

static enum err collect(struct judging *j, const struct walk *w, uint8_t with, uint8_t without,
                        struct spans *out) {
    uint32_t n = 0, *at;
    for (uint32_t i = 0; i < w->n; i++) n += (w->mark[i] & with) && !(w->mark[i] & without);
    at = ARENA_ARRAY(j->scratch, n + 1ull, uint32_t);
    if (!at) return ERR_NOMEM;
    *out = (struct spans){ at, n };
    for (uint32_t i = 0, k = 0; i < w->n; i++)
        if ((w->mark[i] & with) && !(w->mark[i] & without)) at[k++] = i;
    return ERR_OK;
}

enum err spans_union_all(struct judging *j, const struct spans *sets, uint32_t n, struct spans *out) {
    struct walk w = { .mark = arena_zalloc(j->scratch, j->trace->n + 1ull), .n = j->trace->n };
    if (!w.mark) return ERR_NOMEM;
    for (uint32_t i = 0; i < n; i++) mark(&w, sets[i], MARK_OUT);
    return collect(j, &w, MARK_OUT, 0, out);
}

enum err spans_union(struct judging *j, struct spans a, struct spans b, struct spans *out) {
    return spans_union_all(j, (struct spans[]){ a, b }, 2, out);
}

enum err relation_apply(struct judging *j, const struct plan_set *how, struct spans a, struct spans b,
                        struct spans *out) {
    static const uint32_t nothing[1];
    *out = (struct spans){ nothing, 0 };
    if (b.n == 0 || (a.n == 0 && !how->negated)) return ERR_OK;
    TRY(make_parents(j));
    struct walk w = { j->parent, arena_zalloc(j->scratch, j->trace->n + 1ull), j->trace->n };
    if (!w.mark) return ERR_NOMEM;
    mark(&w, a, MARK_A);
    mark(&w, b, MARK_B);
    TRY(mark_matches(j, &w, how, a, b));
    return how->negated ? collect(j, &w, MARK_B, MARK_OUT, out) : collect(j, &w, MARK_OUT, 0, out);
}
