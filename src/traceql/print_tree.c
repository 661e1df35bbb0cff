// SPDX-License-Identifier: Apache-2.0
// Sets, values of sets, pipelines and metrics as text.
#include <math.h>

#include "traceql/parse.h"
#include "traceql/print.h"

// --- sets ------------------------------------------------------------------------------------------------

static const char *relation_text(enum ql_relation r) {
    static const char *const texts[] = {
        [QL_REL_AND] = "&&",      [QL_REL_OR] = "||",    [QL_REL_DESCENDANT] = ">>", [QL_REL_CHILD] = ">",
        [QL_REL_ANCESTOR] = "<<", [QL_REL_PARENT] = "<", [QL_REL_SIBLING] = "~"
    };
    return texts[r];
}

static int relation_level(const struct ql_spanset *s) {
    if (s->kind != QL_RELATION) return 9;
    return s->relation == QL_REL_AND || s->relation == QL_REL_OR ? 1 : 2;
}

static void print_filter(const struct ql_expr *e, struct buf *out) {
    if (!e) {
        buf_str(out, STR("{ }"));
        return;
    }
    buf_str(out, STR("{ "));
    ql_print_expr(e, out);
    buf_str(out, STR(" }"));
}

static void print_spanset(const struct ql_spanset *s, struct buf *out);

static void print_side(const struct ql_spanset *s, bool parentheses, struct buf *out) {
    if (parentheses) buf_char(out, '(');
    print_spanset(s, out);
    if (parentheses) buf_char(out, ')');
}

static void print_spanset(const struct ql_spanset *s, struct buf *out) {
    int level = relation_level(s);
    switch (s->kind) {
    case QL_FILTER: print_filter(s->filter, out); break;
    case QL_WRAPPED:
        buf_char(out, '(');
        print_pipeline(s->pipeline, out);
        buf_char(out, ')');
        break;
    case QL_RELATION:
    default:
        print_side(s->left, relation_level(s->left) < level, out);
        buf_fmt(out, " %s%s ", s->negated ? "!" : s->both ? "&" : "", relation_text(s->relation));
        print_side(s->right, relation_level(s->right) <= level, out);
    }
}

// --- values of sets
// ------------------------------------------------------------------------------------------

static bool is_negative(const struct ql_scalar *s) {
    if (s->kind == QL_SCALAR_OP) return s->op == QL_NEG;
    if (s->kind != QL_SCALAR_CONST) return false;
    if (s->type == VALUE_FLOAT) return signbit(s->value.f) && isfinite(s->value.f);
    return value_is_number((enum value_type)s->type) && s->value.i < 0 && s->value.i != INT64_MIN;
}

static int scalar_level(const struct ql_scalar *s) {
    if (is_negative(s)) return op_level(QL_NEG);
    return s->kind == QL_SCALAR_OP ? op_level(s->op) : 9;
}

static void print_term(const struct ql_scalar *s, bool parentheses, struct buf *out) {
    if (parentheses) buf_char(out, '(');
    print_scalar(s, out);
    if (parentheses) buf_char(out, ')');
}

static void print_calculation(const struct ql_scalar *s, struct buf *out) {
    int level = op_level(s->op);
    bool right_first = s->op == QL_POW;
    if (s->op == QL_NEG) {
        buf_char(out, '-');
        print_term(s->left, scalar_level(s->left) < op_level(QL_MUL) && !is_negative(s->left), out);
        return;
    }
    print_term(s->left, scalar_level(s->left) < level + right_first, out);
    buf_fmt(out, " %s ", ql_op_text(s->op));
    print_term(s->right,
               scalar_level(s->right) < level + !right_first && !(is_negative(s->right) && level <= 3), out);
}

void print_scalar(const struct ql_scalar *s, struct buf *out) {
    static const char *const names[] = {
        [QL_COUNT] = "count", [QL_MIN] = "min", [QL_MAX] = "max", [QL_AVG] = "avg", [QL_SUM] = "sum"
    };
    switch (s->kind) {
    case QL_SCALAR_CONST:
        // No literal of its own: the only word for it is known inside of filters.
        if (s->type == VALUE_INT && s->value.i == INT64_MIN)
            buf_str(out, STR("(-9223372036854775807 - 1)"));
        else
            print_literal(&s->value, out);
        break;
    case QL_SCALAR_AGGREGATE:
        buf_fmt(out, "%s(", names[s->aggregate]);
        if (s->of) ql_print_expr(s->of, out);
        buf_char(out, ')');
        break;
    case QL_SCALAR_PIPELINE:
        buf_char(out, '(');
        print_pipeline(s->pipeline, out);
        buf_str(out, STR(" | "));
        print_scalar(s->left, out);
        buf_char(out, ')');
        break;
    case QL_SCALAR_OP:
    default: print_calculation(s, out);
    }
}

// --- pipelines
// -----------------------------------------------------------------------------------------------

static void print_fields(const struct field *fields, uint32_t n, struct buf *out) {
    for (uint32_t i = 0; i < n; i++) {
        if (i) buf_str(out, STR(", "));
        ql_print_field(&fields[i], out);
    }
}

static void print_stage(const struct ql_stage *s, struct buf *out) {
    switch (s->kind) {
    case QL_STAGE_SPANSET: print_spanset(s->spanset, out); break;
    case QL_STAGE_SCALAR:
        print_scalar(s->left, out);
        buf_fmt(out, " %s ", ql_op_text(s->op));
        print_scalar(s->right, out);
        break;
    case QL_STAGE_BY:
        buf_str(out, STR("by("));
        ql_print_expr(s->by, out);
        buf_char(out, ')');
        break;
    case QL_STAGE_COALESCE: buf_str(out, STR("coalesce()")); break;
    case QL_STAGE_SELECT:
    default:
        buf_str(out, STR("select("));
        print_fields(s->fields, s->n_fields, out);
        buf_char(out, ')');
    }
}

void print_pipeline(const struct ql_pipeline *pl, struct buf *out) {
    for (uint32_t i = 0; i < pl->n_stages; i++) {
        if (i) buf_str(out, STR(" | "));
        print_stage(&pl->stages[i], out);
    }
}

// --- metrics
// -------------------------------------------------------------------------------------------------

static void print_double(double v, struct buf *out) {
    bool whole = v == rint(v) && fabs(v) < 0x1p53 && !(v == 0 && signbit(v));
    struct value n = whole ? VALUE_OF_INT((int64_t)v) : VALUE_OF_FLOAT(v);
    print_literal(&n, out);
}

static void print_comparison(const struct ql_metric *m, struct buf *out) {
    print_filter(m->selection, out);
    if (m->top != 10 || m->to_ns) buf_fmt(out, ", %u", m->top);
    if (m->to_ns) buf_fmt(out, ", %llu, %llu", (unsigned long long)m->from_ns, (unsigned long long)m->to_ns);
}

static void print_function(const struct ql_metric *m, struct buf *out) {
    print_pipeline(m->pipeline, out);
    buf_fmt(out, " | %s(", ql_function_text(m->function));
    if (m->function == QL_COMPARE)
        print_comparison(m, out);
    else if (m->function != QL_RATE && m->function != QL_COUNT_OVER_TIME)
        ql_print_field(&m->of, out);
    for (uint32_t i = 0; i < m->n_quantiles; i++) {
        buf_str(out, STR(", "));
        print_double(m->quantiles[i], out);
    }
    buf_char(out, ')');
    if (!m->n_by) return;
    buf_str(out, STR(" by("));
    print_fields(m->by, m->n_by, out);
    buf_char(out, ')');
}

static void print_operand(const struct ql_metric *m, int level, struct buf *out) {
    bool bare = m->kind == QL_METRIC_CONST
                    ? !signbit(m->value)
                    : m->kind == QL_METRIC_OP && !m->n_seconds && op_level(m->op) >= level;
    if (!bare) buf_char(out, '(');
    print_metric(m, out);
    if (!bare) buf_char(out, ')');
}

static void print_seconds(const struct ql_metric *m, struct buf *out) {
    for (uint32_t i = 0; i < m->n_seconds; i++) {
        const struct ql_second *s = &m->seconds[i];
        if (s->kind == QL_KEEP) {
            buf_fmt(out, " %s ", ql_op_text(s->op));
            print_double(s->value, out);
        } else {
            buf_fmt(out, " | %s(%u)", s->kind == QL_TOPK ? "topk" : "bottomk", s->k);
        }
    }
}

void print_metric(const struct ql_metric *m, struct buf *out) {
    switch (m->kind) {
    case QL_METRIC_FUNCTION: print_function(m, out); break;
    case QL_METRIC_CONST: print_double(m->value, out); break;
    case QL_METRIC_OP:
    default:
        print_operand(m->left, op_level(m->op), out);
        buf_fmt(out, " %s ", ql_op_text(m->op));
        print_operand(m->right, op_level(m->op) + 1, out);
    }
    print_seconds(m, out);
}

// --- the whole
// -----------------------------------------------------------------------------------------------

void ql_print(const struct ql_query *q, struct buf *out) {
    if (q->is_metrics)
        print_metric(q->metric, out);
    else
        print_pipeline(q->pipeline, out);
    for (uint32_t i = 0; i < q->n_hints; i++) {
        buf_str(out, i ? STR(", ") : STR(" with("));
        buf_fmt(out, "%.*s=", STR_ARG(q->hints[i].name));
        print_literal(&q->hints[i].value, out);
    }
    if (q->n_hints) buf_char(out, ')');
}
