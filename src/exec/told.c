// SPDX-License-Identifier: Apache-2.0
#include "exec/told.h"

#include "exec/rows_internal.h"

static bool is_unscoped(const struct field *f) {
    return f->scope == FIELD_UNSCOPED && f->intrinsic == INTRINSIC_NONE;
}

// Does a filter say anything that may choose?
static bool speaks(const struct expr *e, const struct field *f, uint32_t i) {
    if (!e || f->of_parent) return false;
    if (f->scope == FIELD_EVENT) return e->events;
    if (f->scope == FIELD_LINK) return e->links;
    if (!is_unscoped(f)) return false;
    if (e->kind == QL_FIELD) return e->field == i;
    return (e->left && speaks(e->left, f, i)) || (e->right && speaks(e->right, f, i));
}

bool told_chooses(const struct plan *p, uint32_t i) {
    for (uint32_t k = 0; k < p->n_filters; k++)
        if (speaks(filter_expr(p->filters[k]), &p->fields[i], i)) return true;
    return false;
}

enum err told_want(const struct plan *p, struct rows *rows, const uint64_t *mask) {
    for (uint32_t k = 0; k < p->n_filters; k++) TRY(filter_want(p->filters[k], rows, mask));
    return ERR_OK;
}

// --- of events and links -----------------------------------------------------------------------------------

// Is the question about the event (link) at hand?
static bool is_about(const struct expr *e, enum batch_table of, struct expr_at *at) {
    if (!(of == BATCH_EVENTS ? e->events : e->links) || expr_is_negation(e)) return false;
    if (e->kind == QL_BINARY && e->op == QL_OR)
        return is_about(e->left, of, at) || is_about(e->right, of, at);
    const struct expr *only = expr_only_bound(e);
    if (only && only != e) return is_about(only, of, at);
    return expr_joint_at(e, of == BATCH_EVENTS ? BATCH_LINKS : BATCH_EVENTS, at);
}

static bool any_about(const struct plan *p, enum batch_table of, uint32_t child, struct expr_at *at) {
    for (uint32_t k = 0; k < p->n_filters; k++) {
        const struct expr *e = filter_expr(p->filters[k]);
        at->event = of == BATCH_EVENTS ? child : EXPR_NONE;
        at->link = of == BATCH_LINKS ? child : EXPR_NONE;
        if (e && is_about(e, of, at)) return true;
    }
    return false;
}

// --- of unscoped fields ------------------------------------------------------------------------------------

static bool meets(const struct expr *e, uint32_t i, const struct value *v, enum err *error) {
    if (e->kind != QL_BINARY) return false;
    if (e->op == QL_AND || e->op == QL_OR) return meets(e->left, i, v, error) || meets(e->right, i, v, error);
    if (!expr_is_comparison(e->op)) return false;
    if (e->left->kind == QL_FIELD && e->left->field == i && e->right->kind == QL_CONST)
        return expr_compare(e->op, v, &e->right->value, e->regex, error);
    return e->right->kind == QL_FIELD && e->right->field == i && e->left->kind == QL_CONST &&
           expr_compare(e->op, &e->left->value, v, e->regex, error);
}

static bool any_meets(const struct plan *p, uint32_t i, const struct value *v, enum err *error) {
    for (uint32_t k = 0; k < p->n_filters; k++) {
        const struct expr *e = filter_expr(p->filters[k]);
        if (e && meets(e, i, v, error)) return true;
    }
    return false;
}

// --- both --------------------------------------------------------------------------------------------------

struct value told_value(const struct plan *p, const struct rows *rows, uint32_t i, uint32_t row,
                        enum err *error) {
    struct expr_at at = { .rows = rows, .row = row };
    uint32_t field = i, from, to;
    enum batch_table of = rows->fields[i].table;
    bool unscoped = is_unscoped(&p->fields[i]);
    if (!unscoped)
        rows_children(rows, of, row, &from, &to);
    else if (!rows_resolve(rows, i, row, &field, &of, &from, &to) || of == BATCH_SPANS)
        return rows_value(rows, i, row);
    for (uint32_t child = from; child < to && at.error == ERR_OK; child++) {
        struct value v = rows_column_value(rows, field, child);
        if (v.type == VALUE_NIL) continue;
        if (unscoped ? any_meets(p, i, &v, &at.error) : any_about(p, of, child, &at)) return v;
    }
    *error = at.error;
    return rows_value(rows, i, row);
}
