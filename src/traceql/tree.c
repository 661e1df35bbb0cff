// SPDX-License-Identifier: Apache-2.0
#include "traceql/tree.h"

static bool same_value(const struct value *a, const struct value *b) {
    return value_order(a, b) == 0;
}

static bool same_double(double a, double b) {
    struct value x = VALUE_OF_FLOAT(a), y = VALUE_OF_FLOAT(b);
    return same_value(&x, &y);
}

static bool same_expr(const struct ql_expr *a, const struct ql_expr *b) {
    if (!a || !b) return a == b;
    if (a->kind != b->kind || a->op != b->op || a->type != b->type || !a->regex != !b->regex) return false;
    if (a->kind == QL_CONST) return same_value(&a->value, &b->value);
    if (a->kind == QL_FIELD) return field_eq(&a->field, &b->field);
    if (a->regex && !str_eq(ql_regex_pattern(a->regex), ql_regex_pattern(b->regex))) return false;
    return same_expr(a->left, b->left) && same_expr(a->right, b->right);
}

static bool same_pipeline(const struct ql_pipeline *a, const struct ql_pipeline *b);

static bool same_set(const struct ql_spanset *a, const struct ql_spanset *b) {
    if (!a || !b) return a == b;
    if (a->kind != b->kind || a->relation != b->relation || a->negated != b->negated || a->both != b->both)
        return false;
    return same_expr(a->filter, b->filter) && same_set(a->left, b->left) && same_set(a->right, b->right) &&
           same_pipeline(a->pipeline, b->pipeline);
}

static bool same_scalar(const struct ql_scalar *a, const struct ql_scalar *b) {
    if (!a || !b) return a == b;
    if (a->kind != b->kind || a->type != b->type || a->aggregate != b->aggregate || a->op != b->op)
        return false;
    if (a->kind == QL_SCALAR_CONST && !same_value(&a->value, &b->value)) return false;
    return same_expr(a->of, b->of) && same_scalar(a->left, b->left) && same_scalar(a->right, b->right) &&
           same_pipeline(a->pipeline, b->pipeline);
}

static bool same_fields(const struct field *a, uint32_t n_a, const struct field *b, uint32_t n_b) {
    if (n_a != n_b) return false;
    for (uint32_t i = 0; i < n_a; i++)
        if (!field_eq(&a[i], &b[i])) return false;
    return true;
}

static bool same_stage(const struct ql_stage *a, const struct ql_stage *b) {
    if (a->kind != b->kind || a->op != b->op || !str_eq(a->label, b->label)) return false;
    return same_set(a->spanset, b->spanset) && same_scalar(a->left, b->left) &&
           same_scalar(a->right, b->right) && same_expr(a->by, b->by) &&
           same_fields(a->fields, a->n_fields, b->fields, b->n_fields);
}

static bool same_pipeline(const struct ql_pipeline *a, const struct ql_pipeline *b) {
    if (!a || !b) return a == b;
    if (a->n_stages != b->n_stages) return false;
    for (uint32_t i = 0; i < a->n_stages; i++)
        if (!same_stage(&a->stages[i], &b->stages[i])) return false;
    return true;
}

static bool same_seconds(const struct ql_metric *a, const struct ql_metric *b) {
    if (a->n_seconds != b->n_seconds) return false;
    for (uint32_t i = 0; i < a->n_seconds; i++) {
        const struct ql_second *x = &a->seconds[i], *y = &b->seconds[i];
        if (x->kind != y->kind || x->k != y->k || x->op != y->op || !same_double(x->value, y->value))
            return false;
    }
    return true;
}

static bool same_function(const struct ql_metric *a, const struct ql_metric *b) {
    if (a->function != b->function || a->top != b->top || a->from_ns != b->from_ns || a->to_ns != b->to_ns ||
        a->n_quantiles != b->n_quantiles)
        return false;
    for (uint32_t i = 0; i < a->n_quantiles; i++)
        if (!same_double(a->quantiles[i], b->quantiles[i])) return false;
    return field_eq(&a->of, &b->of) && same_fields(a->by, a->n_by, b->by, b->n_by) &&
           same_expr(a->selection, b->selection) && same_pipeline(a->pipeline, b->pipeline);
}

static bool same_metric(const struct ql_metric *a, const struct ql_metric *b) {
    if (!a || !b) return a == b;
    if (a->kind != b->kind || a->op != b->op || !same_double(a->value, b->value) || !same_seconds(a, b))
        return false;
    if (a->kind == QL_METRIC_FUNCTION) return same_function(a, b);
    return same_metric(a->left, b->left) && same_metric(a->right, b->right);
}

bool ql_equal(const struct ql_query *a, const struct ql_query *b) {
    if (a->is_metrics != b->is_metrics || a->n_hints != b->n_hints) return false;
    for (uint32_t i = 0; i < a->n_hints; i++) {
        const struct ql_hint *x = &a->hints[i], *y = &b->hints[i];
        if (x->kind != y->kind || !str_eq(x->name, y->name) || !same_value(&x->value, &y->value))
            return false;
    }
    return same_pipeline(a->pipeline, b->pipeline) && same_metric(a->metric, b->metric);
}
