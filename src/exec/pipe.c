// SPDX-License-Identifier: Apache-2.0
// The stages of a pipeline over one whole trace.
#include <stdlib.h>

#include "exec/plan_internal.h"

// A set on its way through the stages.
struct set {
    struct spans spans;
    const struct match_attr *attrs;
    uint32_t n_attrs;
};
struct sets {
    struct set *at;
    uint32_t n;
};

static enum err set_eval(struct judging *j, const struct plan_set *s, struct spans in, struct spans *out);

// --- filters and operators -------------------------------------------------------------------------

static uint32_t count_bits(const struct judging *j, const uint64_t *bits, struct spans in) {
    uint32_t n = 0;
    for (uint32_t i = 0; i < in.n; i++) n += bit_get(bits, judging_row(j, spans_at(in, i)));
    return n;
}

static enum err filter_eval(struct judging *j, uint32_t filter, struct spans in, struct spans *out) {
    const uint64_t *bits = j->bits->of[filter];
    bool in_row = !j->rows->batch->order;
    uint32_t first = j->trace->first, end = first + j->trace->n;
    uint32_t n = in_row && !in.at ? (uint32_t)bits_count_range(bits, first, end) : count_bits(j, bits, in);
    uint32_t *at = ARENA_ARRAY(j->scratch, n + 1ull, uint32_t), k = 0;
    if (!at) return ERR_NOMEM;
    if (in_row && !in.at)
        for (uint32_t row = bits_next(bits, first, end); row < end; row = bits_next(bits, row + 1, end))
            at[k++] = row - first;
    else
        for (uint32_t i = 0; i < in.n; i++)
            if (bit_get(bits, judging_row(j, spans_at(in, i)))) at[k++] = spans_at(in, i);
    *out = (struct spans){ at, n };
    return ERR_OK;
}

static enum err wrapped_eval(struct judging *j, const struct plan_pipe *p, struct spans in,
                             struct spans *out) {
    static const uint32_t nothing[1];
    const struct match_set *sets;
    uint32_t n;
    TRY(pipe_run(j, p, in, &sets, &n));
    *out = (struct spans){ nothing, 0 };
    if (n == 0) return ERR_OK;
    // The check lets only pipelines through that end in one set. Rows back to positions.
    uint32_t *at = ARENA_ARRAY(j->scratch, sets[0].n + 1ull, uint32_t);
    if (!at) return ERR_NOMEM;
    for (uint32_t i = 0; i < sets[0].n; i++)
        at[i] = tree_place(&j->rows->tree, sets[0].rows[i]) - j->trace->first;
    *out = (struct spans){ at, sets[0].n };
    return ERR_OK;
}

static enum err set_eval(struct judging *j, const struct plan_set *s, struct spans in, struct spans *out) {
    static const uint32_t nothing[1];
    struct spans a, b;
    if (s->kind == QL_FILTER) return filter_eval(j, s->filter, in, out);
    if (s->kind == QL_WRAPPED) return wrapped_eval(j, s->pipe, in, out);
    TRY(set_eval(j, s->left, in, &a));
    TRY(set_eval(j, s->right, in, &b));
    if (s->relation > QL_REL_OR) return relation_apply(j, s, a, b, out);
    if (s->relation == QL_REL_AND && (a.n == 0 || b.n == 0)) {
        *out = (struct spans){ nothing, 0 };
        return ERR_OK;
    }
    return spans_union(j, a, b, out);
}

static enum err run_spanset(struct judging *j, const struct plan_stage *s, struct sets *all) {
    uint32_t kept = 0;
    for (uint32_t i = 0; i < all->n; i++) {
        struct set x = all->at[i];
        TRY(set_eval(j, s->set, x.spans, &x.spans));
        if (x.spans.n) all->at[kept++] = x;
    }
    all->n = kept;
    return ERR_OK;
}

// --- by and coalesce -------------------------------------------------------------------------------

struct keyed {
    struct value value;
    uint32_t at;
};

static int by_value(const void *x, const void *y) {
    const struct keyed *a = x, *b = y;
    int c = value_order(&a->value, &b->value);
    return c ? c : (a->at > b->at) - (a->at < b->at);
}

static enum err with_attr(struct judging *j, struct set *x, struct str label, struct value v) {
    struct match_attr *more = ARENA_ARRAY(j->scratch, x->n_attrs + 1ull, struct match_attr);
    if (!more) return ERR_NOMEM;
    if (x->n_attrs) memcpy(more, x->attrs, x->n_attrs * sizeof *more);
    more[x->n_attrs++] = (struct match_attr){ label, v };
    x->attrs = more;
    return ERR_OK;
}

// The groups of one set are appended to out, which has room for one set a span.
static enum err split(struct judging *j, const struct plan_stage *s, const struct set *x, struct sets *out) {
    struct expr_at at = { .rows = j->rows, .event = EXPR_NONE, .link = EXPR_NONE };
    struct keyed *k = ARENA_ARRAY(j->scratch, x->spans.n + 1ull, struct keyed);
    uint32_t *places = ARENA_ARRAY(j->scratch, x->spans.n + 1ull, uint32_t);
    if (!k || !places) return ERR_NOMEM;
    for (uint32_t i = 0; i < x->spans.n; i++) {
        k[i].at = spans_at(x->spans, i);
        at.row = judging_row(j, k[i].at);
        k[i].value = expr_value(s->by, &at);
    }
    if (x->spans.n > 1) qsort(k, x->spans.n, sizeof *k, by_value);
    for (uint32_t i = 0, end; i < x->spans.n; i = end) {
        for (end = i; end < x->spans.n && value_order(&k[i].value, &k[end].value) == 0; end++)
            places[end] = k[end].at;
        struct set *g = &out->at[out->n++];
        *g = *x;
        g->spans = (struct spans){ places + i, end - i };
        TRY(with_attr(j, g, s->label, k[i].value));
    }
    return at.error;
}

static enum err run_by(struct judging *j, const struct plan_stage *s, struct sets *all) {
    struct sets out = { ARENA_ARRAY(j->scratch, j->trace->n + 1ull, struct set), 0 };
    if (!out.at) return ERR_NOMEM;
    for (uint32_t i = 0; i < all->n; i++) TRY(split(j, s, &all->at[i], &out));
    *all = out;
    return ERR_OK;
}

static enum err run_coalesce(struct judging *j, struct sets *all) {
    if (all->n == 0) return ERR_OK;
    struct spans *sets = ARENA_ARRAY(j->scratch, all->n, struct spans);
    struct set one = { .n_attrs = 0 };
    if (!sets) return ERR_NOMEM;
    for (uint32_t i = 0; i < all->n; i++) sets[i] = all->at[i].spans;
    TRY(spans_union_all(j, sets, all->n, &one.spans));
    all->at[0] = one;
    all->n = 1;
    return ERR_OK;
}

// --- scalars ---------------------------------------------------------------------------------------

static enum err scalar_value(struct judging *j, const struct plan_scalar *s, struct spans set,
                             struct value *out);

static enum err pipeline_value(struct judging *j, const struct plan_scalar *s, struct value *out) {
    const struct match_set *sets;
    uint32_t n;
    *out = VALUE_OF_NIL;
    TRY(pipe_run(j, s->pipe, (struct spans){ NULL, j->trace->n }, &sets, &n));
    if (n != 1) return ERR_OK;
    uint32_t *at = ARENA_ARRAY(j->scratch, sets[0].n + 1ull, uint32_t);
    if (!at) return ERR_NOMEM;
    for (uint32_t i = 0; i < sets[0].n; i++)
        at[i] = tree_place(&j->rows->tree, sets[0].rows[i]) - j->trace->first;
    return scalar_value(j, s->left, (struct spans){ at, sets[0].n }, out);
}

static enum err known_value(struct judging *j, const struct plan_scalar *s, struct value *out) {
    for (const struct known_scalar *k = j->known; k; k = k->next)
        if (k->of == s) {
            *out = k->value;
            return ERR_OK;
        }
    struct known_scalar *k = ARENA_NEW(j->scratch, struct known_scalar);
    if (!k) return ERR_NOMEM;
    TRY(pipeline_value(j, s, out));
    *k = (struct known_scalar){ s, *out, j->known };
    j->known = k;
    return ERR_OK;
}

static enum err scalar_value(struct judging *j, const struct plan_scalar *s, struct spans set,
                             struct value *out) {
    struct value a, b;
    switch (s->kind) {
    case QL_SCALAR_CONST: *out = s->value; return ERR_OK;
    case QL_SCALAR_AGGREGATE: return aggregate_value(j, s->aggregate, s->of, set, out);
    case QL_SCALAR_PIPELINE: return known_value(j, s, out);
    default: break;
    }
    TRY(scalar_value(j, s->left, set, &a));
    if (s->op == QL_NEG) {
        struct value zero = VALUE_OF_INT(0);
        *out = expr_arithmetic(QL_SUB, &zero, &a);
        return ERR_OK;
    }
    TRY(scalar_value(j, s->right, set, &b));
    *out = expr_arithmetic(s->op, &a, &b);
    return ERR_OK;
}

static enum err run_scalar(struct judging *j, const struct plan_stage *s, struct sets *all) {
    uint32_t kept = 0;
    enum err error = ERR_OK;
    for (uint32_t i = 0; i < all->n; i++) {
        struct set x = all->at[i];
        struct value a, b;
        TRY(scalar_value(j, s->left, x.spans, &a));
        TRY(scalar_value(j, s->right, x.spans, &b));
        if (!expr_compare(s->op, &a, &b, NULL, &error)) continue;
        if (s->shows) TRY(with_attr(j, &x, s->label, a));
        all->at[kept++] = x;
    }
    all->n = kept;
    return error;
}

// --- all -------------------------------------------------------------------------------------------

static enum err run_stage(struct judging *j, const struct plan_stage *s, struct sets *all) {
    switch (s->kind) {
    case QL_STAGE_SPANSET: return run_spanset(j, s, all);
    case QL_STAGE_SCALAR: return run_scalar(j, s, all);
    case QL_STAGE_BY: return run_by(j, s, all);
    case QL_STAGE_COALESCE: return run_coalesce(j, all);
    default: return ERR_OK; // select() changes what is shown, not what is found
    }
}

enum err pipe_run(struct judging *j, const struct plan_pipe *p, struct spans in, const struct match_set **out,
                  uint32_t *out_n) {
    struct sets all = { ARENA_NEW(j->scratch, struct set), 1 };
    if (!all.at) return ERR_NOMEM;
    all.at[0].spans = in;
    TRY(tree_places(&j->rows->tree));
    for (uint32_t i = 0; i < p->n && all.n; i++) TRY(run_stage(j, &p->stages[i], &all));
    struct match_set *sets = ARENA_ARRAY(j->scratch, all.n + 1ull, struct match_set);
    if (!sets) return ERR_NOMEM;
    for (uint32_t i = 0; i < all.n; i++) {
        struct spans s = all.at[i].spans;
        uint32_t *rows = ARENA_ARRAY(j->scratch, s.n + 1ull, uint32_t);
        if (!rows) return ERR_NOMEM;
        for (uint32_t k = 0; k < s.n; k++) rows[k] = judging_row(j, spans_at(s, k));
        sets[i] = (struct match_set){ all.at[i].attrs, all.at[i].n_attrs, rows, s.n };
    }
    *out = sets;
    *out_n = all.n;
    return ERR_OK;
}
