// SPDX-License-Identifier: Apache-2.0
// Scalars: aggregates over a set of spans, constants, and arithmetic between them.
#include <stdio.h>

#include "traceql/parse.h"

static const struct {
    const char *name;
    enum ql_aggregate aggregate;
} aggregates[] = {
    { "count", QL_COUNT }, { "min", QL_MIN }, { "max", QL_MAX }, { "avg", QL_AVG }, { "sum", QL_SUM },
};

static bool aggregate_of(struct str word, enum ql_aggregate *out) {
    for (size_t i = 0; i < sizeof aggregates / sizeof *aggregates; i++)
        if (str_eq(word, str_of(aggregates[i].name))) {
            *out = aggregates[i].aggregate;
            return true;
        }
    return false;
}

bool parse_at_aggregate(const struct parser *p) {
    enum ql_aggregate unused;
    return p->tok.kind == TOK_WORD && aggregate_of(parse_text(p), &unused);
}

struct ql_scalar *scalar_const(struct parser *p, struct value v, struct ql_place place) {
    struct ql_scalar *s = NODE_NEW(p, struct ql_scalar, NULL, NULL);
    if (!s) return NULL;
    s->kind = QL_SCALAR_CONST;
    s->type = (int)v.type;
    s->value = v;
    s->place = place;
    return s;
}

static int aggregate_type(enum ql_aggregate a, const struct ql_expr *of) {
    if (a == QL_COUNT) return VALUE_INT;
    return a == QL_AVG && of->type == VALUE_INT ? VALUE_FLOAT : of->type;
}

static bool check_argument(struct parser *p, const char *name, const struct ql_expr *e) {
    enum type_class c = expr_class(e);
    struct str text = quote_cut(place_text(p->text, e->place));
    if (!expr_reads_span(e))
        parse_fail(p, e->place, "%s(%.*s) is the same for all spans; it needs an attribute or an intrinsic",
                   name, STR_ARG(text));
    else if (expr_is_bare_parent(e) || (c != CLASS_ANY && c != CLASS_NUMBER))
        parse_fail(p, e->place, "%s() needs numbers, %.*s is %s", name, STR_ARG(text),
                   expr_is_bare_parent(e) ? "a span" : class_text(c));
    return p->err == ERR_OK;
}

struct ql_scalar *parse_aggregate(struct parser *p) {
    uint32_t from = p->tok.place.from;
    struct ql_expr *of = NULL;
    enum ql_aggregate a = QL_COUNT;
    char name[8];
    (void)aggregate_of(parse_text(p), &a);
    (void)snprintf(name, sizeof name, "%.*s", STR_ARG(parse_text(p)));
    parse_advance(p);
    parse_want(p, QL_WANT_OPEN);
    if (p->err == ERR_OK && !parse_at(p, TOK_OPEN))
        return parse_fail(p, place_from(p, from), "%s needs parentheses; probably meant: %s%s", name, name,
                          a == QL_COUNT ? "()" : "(duration)");
    if (!parse_expect(p, TOK_OPEN, "(") || !parse_enter(p)) return NULL;
    if (a == QL_COUNT) {
        parse_want(p, QL_WANT_CLOSE);
        if (p->err == ERR_OK && !parse_at(p, TOK_CLOSE) && !parse_at(p, TOK_END))
            return parse_fail(p, p->tok.place, "count() takes nothing; it counts the spans of a set");
    } else {
        if (parse_at(p, TOK_CLOSE))
            return parse_fail(p, p->tok.place, "%s() needs what to take it of, such as %s(duration)", name,
                              name);
        of = parse_expr(p);
        if (!of || !check_argument(p, name, of)) return NULL;
        parse_want(p, QL_WANT_CLOSE);
    }
    parse_leave(p);
    if (!parse_expect(p, TOK_CLOSE, of ? "an operator or )" : ")")) return NULL;
    struct ql_scalar *s = NODE_NEW(p, struct ql_scalar, of, NULL);
    if (!s) return NULL;
    s->kind = QL_SCALAR_AGGREGATE;
    s->aggregate = a;
    s->of = of;
    s->type = aggregate_type(a, of);
    s->place = place_from(p, from);
    return s;
}

bool scalar_has_aggregate(const struct ql_scalar *s) {
    if (!s || s->kind == QL_SCALAR_CONST) return false;
    return s->kind != QL_SCALAR_OP || scalar_has_aggregate(s->left) || scalar_has_aggregate(s->right);
}

static bool check_number(struct parser *p, const struct ql_scalar *s, const char *op) {
    enum type_class c = value_class(s->type);
    if (c == CLASS_ANY || c == CLASS_NUMBER) return true;
    parse_fail(p, s->place, "%.*s is %s; %s between aggregates needs numbers",
               STR_ARG(quote_cut(place_text(p->text, s->place))), class_text(c), op);
    return false;
}

static struct ql_place around(struct ql_place a, struct ql_place b) {
    return (struct ql_place){ a.from, b.from + b.len - a.from };
}

struct ql_scalar *scalar_binary(struct parser *p, enum ql_op op, struct ql_place at,
                                const struct ql_scalar *l, const struct ql_scalar *r) {
    struct value v;
    struct ql_place place = around(l->place, r->place);
    if (!check_number(p, l, ql_op_text(op)) || !check_number(p, r, ql_op_text(op))) return NULL;
    if (l->kind == QL_SCALAR_CONST && r->kind == QL_SCALAR_CONST) {
        if (!fold_arithmetic(op, &l->value, &r->value, &v))
            return parse_fail(p, at, "division by zero, or a result out of range");
        return scalar_const(p, v, place);
    }
    struct ql_scalar *s = NODE_NEW(p, struct ql_scalar, l, r);
    if (!s) return NULL;
    s->kind = QL_SCALAR_OP;
    s->op = op;
    s->type = arithmetic_type(op, l->type, r->type);
    s->left = l;
    s->right = r;
    s->place = place;
    return s;
}

struct ql_scalar *scalar_negate(struct parser *p, struct ql_place at, const struct ql_scalar *l) {
    if (!check_number(p, l, "-")) return NULL;
    struct ql_place place = around(at, l->place);
    if (l->kind == QL_SCALAR_CONST) return scalar_const(p, fold_negate(&l->value), place);
    struct ql_scalar *s = NODE_NEW(p, struct ql_scalar, l, NULL);
    if (!s) return NULL;
    s->kind = QL_SCALAR_OP;
    s->op = QL_NEG;
    s->type = l->type;
    s->left = l;
    s->place = place;
    return s;
}
