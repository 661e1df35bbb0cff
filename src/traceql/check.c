// SPDX-License-Identifier: Apache-2.0
// Which operands an operator takes, and what is known of its result.
#include "traceql/parse.h"

enum type_class value_class(int type) {
    switch (type) {
    case VALUE_NIL: return CLASS_NIL;
    case VALUE_BOOL: return CLASS_BOOL;
    case VALUE_INT:
    case VALUE_FLOAT:
    case VALUE_DURATION: return CLASS_NUMBER;
    case VALUE_STATUS: return CLASS_STATUS;
    case VALUE_KIND: return CLASS_KIND;
    case VALUE_STRING: return CLASS_STRING;
    default: return CLASS_ANY;
    }
}

const char *class_text(enum type_class c) {
    static const char *const texts[] = {
        [CLASS_ANY] = "a value of any type", [CLASS_NIL] = "nil",     [CLASS_BOOL] = "true or false",
        [CLASS_NUMBER] = "a number",         [CLASS_STRING] = "text", [CLASS_STATUS] = "a status",
        [CLASS_KIND] = "a span kind"
    };
    return texts[c];
}

enum type_class expr_class(const struct ql_expr *e) {
    if (e->type != QL_UNKNOWN) return value_class(e->type);
    if (e->kind == QL_UNARY && e->op == QL_NEG) return expr_class(e->left);
    if (e->kind != QL_BINARY || !op_counts(e->op)) return CLASS_ANY;
    // A number, if one of the operands surely is one.
    enum type_class l = expr_class(e->left), r = expr_class(e->right);
    return l == CLASS_NUMBER || r == CLASS_NUMBER ? CLASS_NUMBER : CLASS_ANY;
}

static struct str expr_text(struct parser *p, const struct ql_expr *e) {
    return quote_cut(place_text(p->text, e->place));
}

static bool is_nil(const struct ql_expr *e) {
    return e->kind == QL_CONST && e->value.type == VALUE_NIL;
}

bool expr_is_bare_parent(const struct ql_expr *e) {
    return e->kind == QL_FIELD && e->field.intrinsic == INTRINSIC_PARENT;
}

bool expr_reads_span(const struct ql_expr *e) {
    if (!e) return false;
    return e->kind == QL_FIELD ||
           (e->kind != QL_CONST && (expr_reads_span(e->left) || expr_reads_span(e->right)));
}

// `x = nil` on what no span lacks.
static bool check_nil(struct parser *p, enum ql_op op, struct ql_place at, const struct ql_expr *x) {
    if (op != QL_EQ && op != QL_NE) {
        parse_fail(p, at, "nil can only be compared with = and !=, not with %s", ql_op_text(op));
        return false;
    }
    if (op != QL_EQ || x->kind != QL_FIELD || x->field.of_parent) return true;
    bool service = x->field.intrinsic == INTRINSIC_NONE && x->field.scope == FIELD_RESOURCE &&
                   str_eq(x->field.key, STR("service.name"));
    bool intrinsic = x->field.intrinsic != INTRINSIC_NONE && x->field.intrinsic != INTRINSIC_PARENT;
    if (!service && !intrinsic) return true;
    parse_fail(p, x->place, "%.*s is never nil", STR_ARG(expr_text(p, x)));
    return false;
}

static bool status_and_int(const struct ql_expr *a, const struct ql_expr *b) {
    bool whole = b->type == VALUE_INT || (b->type == QL_UNKNOWN && expr_class(b) == CLASS_NUMBER);
    return a->type == VALUE_STATUS && whole;
}

static const char *mixed_advice(const struct ql_expr *l, const struct ql_expr *r) {
    enum type_class a = expr_class(l), b = expr_class(r);
    bool text = r->kind == QL_CONST && r->value.type == VALUE_STRING;
    struct value word;
    if (text && (a == CLASS_STATUS || a == CLASS_KIND || a == CLASS_BOOL) && name_literal(r->value.s, &word))
        return "; probably meant: the word without quotes";
    if (a == CLASS_STATUS) return "; a status is error, ok or unset";
    if (a == CLASS_KIND) return "; a kind is server, client, internal, producer, consumer or unspecified";
    if (a == CLASS_NUMBER && text) return "; probably meant: the number without quotes";
    if (a == CLASS_STRING && (b == CLASS_NUMBER || b == CLASS_STATUS || b == CLASS_KIND))
        return "; probably meant: the value in double quotes";
    return "";
}

static bool check_same(struct parser *p, enum ql_op op, struct ql_place at, const struct ql_expr *l,
                       const struct ql_expr *r) {
    enum type_class a = expr_class(l), b = expr_class(r);
    if (a == CLASS_ANY || b == CLASS_ANY || a == b || status_and_int(l, r) || status_and_int(r, l))
        return true;
    parse_fail(p, at, "%.*s is %s and %.*s is %s, which %s does not compare%s", STR_ARG(expr_text(p, l)),
               class_text(a), STR_ARG(expr_text(p, r)), class_text(b), ql_op_text(op), mixed_advice(l, r));
    return false;
}

static bool check_order(struct parser *p, enum ql_op op, struct ql_place at, const struct ql_expr *e) {
    enum type_class c = expr_class(e);
    if (c == CLASS_ANY || c == CLASS_NUMBER || c == CLASS_STRING) return true;
    parse_fail(p, at, "%.*s is %s; %s compares numbers or text", STR_ARG(expr_text(p, e)), class_text(c),
               ql_op_text(op));
    return false;
}

static bool check_pattern(struct parser *p, enum ql_op op, const struct ql_expr *l, const struct ql_expr *r) {
    enum type_class c = expr_class(l);
    if (r->kind != QL_CONST || r->value.type != VALUE_STRING) {
        parse_fail(p, r->place, "%s needs a regular expression written out in quotes on its right",
                   ql_op_text(op));
        return false;
    }
    if (c == CLASS_ANY || c == CLASS_STRING) return true;
    parse_fail(p, l->place, "%.*s is %s; %s matches text only", STR_ARG(expr_text(p, l)), class_text(c),
               ql_op_text(op));
    return false;
}

static bool check_parent(struct parser *p, enum ql_op op, const struct ql_expr *l, const struct ql_expr *r) {
    bool left = expr_is_bare_parent(l), right = expr_is_bare_parent(r);
    if (!left && !right) return true;
    if ((op == QL_EQ || op == QL_NE) && (left ? is_nil(r) : is_nil(l))) return true;
    parse_fail(
        p, left ? l->place : r->place,
        "parent alone can only be compared with nil; its attributes are parent.span.x, parent.resource.x "
        "and parent.x");
    return false;
}

bool expr_check_compare(struct parser *p, enum ql_op op, struct ql_place at, const struct ql_expr *l,
                        const struct ql_expr *r) {
    if (!check_parent(p, op, l, r)) return false;
    if (op == QL_MATCH || op == QL_NO_MATCH) return check_pattern(p, op, l, r);
    if (is_nil(r)) return check_nil(p, op, at, l);
    if (is_nil(l)) return check_nil(p, op, at, r);
    if (!check_same(p, op, at, l, r)) return false;
    if (op == QL_EQ || op == QL_NE) return true;
    return check_order(p, op, at, l) && check_order(p, op, at, r);
}

// An operand of && || ! must be able to be a bool; of arithmetic, a number.
static bool check_operand(struct parser *p, enum ql_op op, const struct ql_expr *e, enum type_class want) {
    enum type_class c = expr_class(e);
    if (expr_is_bare_parent(e)) return check_parent(p, op, e, e);
    if (c == CLASS_ANY || c == want) return true;
    parse_fail(p, e->place, "%.*s is %s; %s needs %s", STR_ARG(expr_text(p, e)), class_text(c),
               ql_op_text(op), class_text(want));
    return false;
}

bool expr_check_operands(struct parser *p, enum ql_op op, const struct ql_expr *l, const struct ql_expr *r) {
    enum type_class want = op == QL_AND || op == QL_OR || op == QL_NOT ? CLASS_BOOL : CLASS_NUMBER;
    return check_operand(p, op, l, want) && (!r || check_operand(p, op, r, want));
}

bool expr_check_filter(struct parser *p, const struct ql_expr *e) {
    enum type_class c = expr_class(e);
    if (expr_is_bare_parent(e)) return check_parent(p, QL_NO_OP, e, e);
    if (c == CLASS_ANY || c == CLASS_BOOL) return true;
    if (e->kind == QL_FIELD)
        parse_fail(p, e->place, "%.*s is %s; a filter needs a condition, such as %.*s %s",
                   STR_ARG(expr_text(p, e)), class_text(c), STR_ARG(expr_text(p, e)),
                   e->type == VALUE_DURATION ? "> 1s"
                   : c == CLASS_NUMBER       ? "> 1"
                   : c == CLASS_STATUS       ? "= error"
                   : c == CLASS_KIND         ? "= server"
                                             : "= \"…\"");
    else
        parse_fail(p, e->place, "%.*s is %s; a filter needs a condition", STR_ARG(expr_text(p, e)),
                   class_text(c));
    return false;
}
