// SPDX-License-Identifier: Apache-2.0
#include "exec/plan_internal.h"

struct maker {
    struct arena *arena;
    struct field_list fields;
    const struct filter **filters;
    uint32_t n_filters, cap_filters;
    uint32_t *values; // fields that by() and aggregates read
    uint32_t n_values, cap_values;
    bool every_trace; // some pipeline in it begins with all spans
};

// --- making ----------------------------------------------------------------------------------------

static enum err make_pipe(struct maker *m, const struct ql_pipeline *p, const struct plan_pipe **out);

static enum err add_values(struct maker *m, const struct expr *e) {
    if (e->left) TRY(add_values(m, e->left));
    if (e->right) TRY(add_values(m, e->right));
    if (e->kind != QL_FIELD) return ERR_OK;
    if (m->n_values == m->cap_values) {
        uint32_t cap = m->cap_values ? m->cap_values * 2 : 4;
        uint32_t *more = ARENA_ARRAY(m->arena, cap, uint32_t);
        if (!more) return ERR_NOMEM;
        if (m->n_values) memcpy(more, m->values, m->n_values * sizeof *more);
        m->values = more;
        m->cap_values = cap;
    }
    m->values[m->n_values++] = e->field;
    return ERR_OK;
}

static enum err make_filter(struct maker *m, const struct ql_expr *e, uint32_t *out) {
    const struct expr *x = NULL;
    struct filter *f;
    if (m->n_filters == m->cap_filters) {
        uint32_t cap = m->cap_filters ? m->cap_filters * 2 : 4;
        const struct filter **more = ARENA_ARRAY(m->arena, cap, const struct filter *);
        if (!more) return ERR_NOMEM;
        if (m->n_filters) memcpy(more, m->filters, m->n_filters * sizeof *more);
        m->filters = more;
        m->cap_filters = cap;
    }
    if (e) TRY(expr_compile(m->arena, e, &m->fields, &x));
    TRY(filter_new(m->arena, x, &f));
    *out = m->n_filters;
    m->filters[m->n_filters++] = f;
    return ERR_OK;
}

static enum err make_set(struct maker *m, const struct ql_spanset *s, const struct plan_set **out) {
    struct plan_set *x = ARENA_NEW(m->arena, struct plan_set);
    if (!x) return ERR_NOMEM;
    *x =
        (struct plan_set){ .kind = s->kind, .relation = s->relation, .negated = s->negated, .both = s->both };
    if (s->kind == QL_FILTER) TRY(make_filter(m, s->filter, &x->filter));
    if (s->left) TRY(make_set(m, s->left, &x->left));
    if (s->right) TRY(make_set(m, s->right, &x->right));
    if (s->kind == QL_WRAPPED) TRY(make_pipe(m, s->pipeline, &x->pipe));
    *out = x;
    return ERR_OK;
}

static enum err make_scalar(struct maker *m, const struct ql_scalar *s, const struct plan_scalar **out) {
    struct plan_scalar *x = ARENA_NEW(m->arena, struct plan_scalar);
    if (!x) return ERR_NOMEM;
    *x = (struct plan_scalar){ .kind = s->kind, .value = s->value, .aggregate = s->aggregate, .op = s->op };
    if (s->kind == QL_SCALAR_PIPELINE) TRY(make_pipe(m, s->pipeline, &x->pipe));
    if (s->of) {
        TRY(expr_compile(m->arena, s->of, &m->fields, &x->of));
        TRY(add_values(m, x->of));
    }
    if (s->left) TRY(make_scalar(m, s->left, &x->left));
    if (s->right) TRY(make_scalar(m, s->right, &x->right));
    *out = x;
    return ERR_OK;
}

static enum err make_stage(struct maker *m, const struct ql_stage *s, struct plan_stage *x) {
    uint32_t ignored;
    *x = (struct plan_stage){ .kind = s->kind, .op = s->op, .label = s->label };
    if (s->spanset) TRY(make_set(m, s->spanset, &x->set));
    if (s->left) TRY(make_scalar(m, s->left, &x->left));
    if (s->right) TRY(make_scalar(m, s->right, &x->right));
    x->shows = s->left && s->left->kind == QL_SCALAR_AGGREGATE;
    if (s->by) {
        TRY(expr_compile(m->arena, s->by, &m->fields, &x->by));
        TRY(add_values(m, x->by));
    }
    for (uint32_t i = 0; i < s->n_fields; i++) TRY(field_list_add(&m->fields, &s->fields[i], &ignored));
    return ERR_OK;
}

static enum err make_pipe(struct maker *m, const struct ql_pipeline *p, const struct plan_pipe **out) {
    struct plan_pipe *x = ARENA_NEW(m->arena, struct plan_pipe);
    struct plan_stage *stages = ARENA_ARRAY(m->arena, p->n_stages + 1ull, struct plan_stage);
    if (!x || !stages) return ERR_NOMEM;
    m->every_trace |= p->n_stages == 0 || p->stages[0].kind != QL_STAGE_SPANSET;
    for (uint32_t i = 0; i < p->n_stages; i++) TRY(make_stage(m, &p->stages[i], &stages[i]));
    *x = (struct plan_pipe){ stages, p->n_stages };
    *out = x;
    return ERR_OK;
}

static bool is_simple(const struct plan_pipe *p) {
    if (p->n == 0 || p->stages[0].kind != QL_STAGE_SPANSET || p->stages[0].set->kind != QL_FILTER)
        return false;
    for (uint32_t i = 1; i < p->n; i++)
        if (p->stages[i].kind != QL_STAGE_SELECT) return false;
    return true;
}

bool plan_reads_whole(const struct field *f) {
    switch (f->intrinsic) {
    case INTRINSIC_TRACE_DURATION:
    case INTRINSIC_ROOT_NAME:
    case INTRINSIC_ROOT_SERVICE:
    case INTRINSIC_CHILD_COUNT:
    case INTRINSIC_NESTED_LEFT:
    case INTRINSIC_NESTED_RIGHT:
    case INTRINSIC_NESTED_PARENT:
    case INTRINSIC_PARENT: return true;
    default: return f->of_parent;
    }
}

enum err plan_new(struct arena *a, const struct ql_pipeline *p, struct plan **out) {
    struct maker m = { .arena = a, .fields = { .arena = a } };
    struct plan *x = ARENA_NEW(a, struct plan);
    if (!x) return ERR_NOMEM;
    TRY(make_pipe(&m, p, &x->pipe));
    x->fields = m.fields.at;
    x->n_fields = m.fields.n;
    x->filters = m.filters;
    x->n_filters = m.n_filters;
    x->is_simple = is_simple(x->pipe);
    x->values = m.values;
    x->n_values = m.n_values;
    for (uint32_t i = 0; i < x->n_fields; i++) {
        enum intrinsic of = x->fields[i].intrinsic;
        x->needs_whole |= plan_reads_whole(&x->fields[i]);
        x->filters_read_traces |= x->needs_whole || of == INTRINSIC_TRACE_ID || of == INTRINSIC_PARENT_ID;
    }
    x->every_trace = m.every_trace;
    *out = x;
    return ERR_OK;
}

// --- running ---------------------------------------------------------------------------------------

enum err plan_filter(const struct plan *p, struct rows *rows, const uint64_t *mask, struct plan_bits *out) {
    struct batch *b = rows->batch;
    size_t size = (bits_words(b->n_rows) + 1) * 8;
    out->of = ARENA_ARRAY(b->arena, p->n_filters + 1ull, uint64_t *);
    out->any = arena_zalloc(b->arena, size);
    if (!out->of || !out->any) return ERR_NOMEM;
    for (uint32_t i = 0; i < p->n_filters; i++) {
        out->of[i] = p->is_simple ? out->any : arena_zalloc(b->arena, size);
        if (!out->of[i]) return ERR_NOMEM;
        TRY(filter_run(p->filters[i], rows, mask, out->of[i]));
        if (!p->is_simple) bits_or(out->any, out->of[i], b->n_rows);
    }
    if (p->every_trace) {
        struct filter *all;
        TRY(filter_new(b->arena, NULL, &all));
        TRY(filter_run(all, rows, mask, out->any));
    }
    for (uint32_t i = 0; i < p->n_values; i++) TRY(rows_want(rows, p->values[i], out->any));
    return ERR_OK;
}

enum err plan_may_touch(const struct plan *p, const struct filter_ask *ask, bool *out) {
    *out = p->every_trace;
    for (uint32_t i = 0; i < p->n_filters && !*out; i++)
        TRY(filter_may_match(p->filters[i], p->fields, ask, out));
    return ERR_OK;
}

static bool pipe_may_match(const struct plan_pipe *p, uint64_t hits);

static bool set_may_match(const struct plan_set *s, uint64_t hits) {
    if (s->kind == QL_FILTER) return hits & plan_filter_bit(s->filter);
    if (s->kind == QL_WRAPPED) return pipe_may_match(s->pipe, hits);
    bool left = set_may_match(s->left, hits), right = set_may_match(s->right, hits);
    if (s->relation == QL_REL_OR) return left || right;
    return right && (left || s->negated);
}

static bool pipe_may_match(const struct plan_pipe *p, uint64_t hits) {
    return p->n == 0 || p->stages[0].kind != QL_STAGE_SPANSET || set_may_match(p->stages[0].set, hits);
}

bool plan_may_match(const struct plan *p, uint64_t hits) {
    return p->needs_whole || pipe_may_match(p->pipe, hits);
}

enum err plan_match(const struct plan *p, struct rows *rows, const struct plan_bits *bits, uint32_t trace,
                    struct arena *scratch, const struct match_set **out, uint32_t *out_n) {
    struct judging j = {
        .plan = p, .rows = rows, .bits = bits, .trace = &rows->batch->traces[trace], .scratch = scratch
    };
    return pipe_run(&j, p->pipe, (struct spans){ NULL, j.trace->n }, out, out_n);
}
