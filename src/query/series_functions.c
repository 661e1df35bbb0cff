// SPDX-License-Identifier: Apache-2.0
// The metrics functions of a query: a plan each, and what is counted of the spans that it leaves.
#include "exec/expr.h"
#include "query/series_internal.h"

static uint32_t count_functions(const struct ql_metric *m) {
    if (m->kind == QL_METRIC_OP) return count_functions(m->left) + count_functions(m->right);
    return m->kind == QL_METRIC_FUNCTION;
}

static enum err make_function(struct series_count *r, const struct ql_metric *m, struct series_function *f) {
    struct metric_range range = { .start_ns = r->query->bounds.start_ns,
                                  .end_ns = r->query->bounds.end_ns,
                                  .step_ns = r->query->step_ns,
                                  .is_instant = r->query->step_ns == 0,
                                  .exemplars = r->query->exemplars };
    struct plan *plan;
    *f = (struct series_function){ .metric = m, .selection_fields = { .arena = &r->arena } };
    TRY(plan_new(&r->arena, m->pipeline, &plan));
    TRY(metric_plan_new(&r->arena, m, &range, &f->counting));
    f->plan = plan;
    f->fields = metric_plan_fields(f->counting, &f->n_fields);
    f->is_local = plan->is_simple && !plan->needs_whole;
    for (uint32_t i = 0; i < f->n_fields; i++) f->is_local &= !plan_reads_whole(&f->fields[i]);
    if (m->function != QL_COMPARE) return ERR_OK;
    const struct expr *e = NULL;
    struct filter *selection;
    f->is_local = false; // it looks at every attribute, the trace's among them
    if (m->selection) TRY(expr_compile(&r->arena, m->selection, &f->selection_fields, &e));
    TRY(filter_new(&r->arena, e, &selection));
    f->selection = selection;
    return ERR_OK;
}

static enum err make_functions(struct series_count *r, const struct ql_metric *m) {
    if (m->kind == QL_METRIC_OP) {
        TRY(make_functions(r, m->left));
        return make_functions(r, m->right);
    }
    if (m->kind != QL_METRIC_FUNCTION) return ERR_OK;
    struct series_function *f = &r->functions[r->n_functions];
    TRY(make_function(r, m, f));
    if (r->n_functions > 0) f->first_filter = f[-1].first_filter + f[-1].plan->n_filters;
    r->n_functions++;
    return ERR_OK;
}

enum err series_make_functions(struct series_count *r) {
    const struct ql_metric *m = r->query->query->metric;
    r->functions = ARENA_ARRAY(&r->arena, count_functions(m) + 1ull, struct series_function);
    return r->functions ? make_functions(r, m) : ERR_NOMEM;
}
