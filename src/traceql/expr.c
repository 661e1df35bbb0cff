// SPDX-License-Identifier: Apache-2.0
// Expressions over one span.
#include <stdio.h>

#include "traceql/parse.h"
#include "traceql/regex_internal.h"

enum ql_op op_of(enum tok t) {
    static const enum ql_op ops[TOK_COUNT] = {
        [TOK_AND] = QL_AND,
        [TOK_OR] = QL_OR,
        [TOK_EQ] = QL_EQ,
        [TOK_NE] = QL_NE,
        [TOK_LT] = QL_LT,
        [TOK_LE] = QL_LE,
        [TOK_GT] = QL_GT,
        [TOK_GE] = QL_GE,
        [TOK_MATCH] = QL_MATCH,
        [TOK_ADD] = QL_ADD,
        [TOK_SUB] = QL_SUB,
        [TOK_MUL] = QL_MUL,
        [TOK_DIV] = QL_DIV,
        [TOK_MOD] = QL_MOD,
        [TOK_POW] = QL_POW,
        [TOK_NOT] = QL_NOT,
        [TOK_NO_MATCH] = QL_NO_MATCH,
    };
    return t == TOK_NOT ? QL_NO_OP : ops[t];
}

int op_level(enum ql_op op) {
    if (op == QL_OR || op == QL_AND) return 1;
    if (op_compares(op)) return 2;
    if (op == QL_ADD || op == QL_SUB || op == QL_NEG || op == QL_NOT) return 3;
    return op == QL_POW ? 5 : 4;
}

static struct ql_place span_of(struct ql_place a, struct ql_place b) {
    return (struct ql_place){ a.from, b.from + b.len - a.from };
}

static struct ql_expr *constant(struct parser *p, struct value v, struct ql_place place) {
    struct ql_expr *e = NODE_NEW(p, struct ql_expr, NULL, NULL);
    if (!e) return NULL;
    e->kind = QL_CONST;
    e->type = (int)v.type;
    e->value = v;
    e->place = place;
    return e;
}

static struct ql_expr *field_node(struct parser *p, struct field f, struct ql_place place) {
    struct ql_expr *e = NODE_NEW(p, struct ql_expr, NULL, NULL);
    if (!e) return NULL;
    enum value_type t = field_type(&f);
    e->kind = QL_FIELD;
    e->type = t == VALUE_NIL ? QL_UNKNOWN : (int)t;
    e->field = f;
    e->place = place;
    return e;
}

// --- constants with each other ---------------------------------------------------------------------

static bool compare_order(enum ql_op op, int order) {
    switch (op) {
    case QL_EQ: return order == 0;
    case QL_NE: return order != 0;
    case QL_LT: return order < 0;
    case QL_LE: return order <= 0;
    case QL_GT: return order > 0;
    default: return order >= 0;
    }
}

static bool compare_constants(enum ql_op op, const struct value *a, const struct value *b) {
    int order;
    bool nil_a = a->type == VALUE_NIL, nil_b = b->type == VALUE_NIL;
    if (nil_a || nil_b) return nil_a != nil_b && op == QL_NE; // nil = nil and nil != nil are both false
    if (a->type == VALUE_STRING) return compare_order(op, str_cmp(a->s, b->s));
    if (!value_is_number(a->type) || !value_is_number(b->type))
        return compare_order(op, (a->i > b->i) - (a->i < b->i)); // bools, words; status and int
    if (value_compare_numbers(a, b, &order)) return compare_order(op, order);
    return op == QL_NE; // NaN
}

// The constant that the operation on two constants gives. false: not now, or an error.
static bool fold(struct parser *p, enum ql_op op, struct ql_place at, const struct ql_expr *l,
                 const struct ql_expr *r, struct value *out) {
    if (l->kind != QL_CONST || r->kind != QL_CONST || op == QL_MATCH || op == QL_NO_MATCH) return false;
    const struct value *a = &l->value, *b = &r->value;
    if (op == QL_AND || op == QL_OR)
        *out = VALUE_OF_BOOL(op == QL_AND ? a->i && b->i : a->i || b->i);
    else if (op_compares(op))
        *out = VALUE_OF_BOOL(compare_constants(op, a, b));
    else if (!fold_arithmetic(op, a, b, out)) {
        if (b->type == VALUE_FLOAT || b->i != 0)
            parse_fail(p, at, "the result of this %s is out of range", ql_op_text(op));
        else
            parse_fail(p, at, "division by zero");
        return false;
    }
    return true;
}

static bool compile(struct parser *p, struct ql_expr *e) {
    struct err_ctx why = { 0 };
    struct ql_regex *r;
    bool matches;
    enum err err = ql_regex_new(e->right->value.s, &r, &why);
    if (err == ERR_NOMEM) parse_nomem(p);
    if (err == ERR_LIMIT) parse_limit(p, e->right->place, "%s", why.text);
    if (err != ERR_OK) {
        parse_fail(p, e->right->place, "in this regular expression, at character %u: %s", why.column,
                   why.text);
        return false;
    }
    r->at = e->right->place.from;
    r->next = p->regexes;
    p->regexes = r;
    e->regex = r;
    if (e->left->kind != QL_CONST) return true;
    err = ql_regex_match(r, e->left->value.s, &matches);
    if (err == ERR_NOMEM) parse_nomem(p);
    if (err != ERR_OK) parse_limit(p, e->right->place, "this regular expression takes too many steps");
    e->kind = QL_CONST;
    e->value = VALUE_OF_BOOL(matches == (e->op == QL_MATCH));
    e->regex = NULL;
    e->left = e->right = NULL;
    e->op = QL_NO_OP;
    return p->err == ERR_OK;
}

struct ql_expr *expr_binary(struct parser *p, enum ql_op op, struct ql_place at, struct ql_expr *l,
                            struct ql_expr *r) {
    struct value v;
    if (!l || !r) return NULL;
    bool fits = op_compares(op) ? expr_check_compare(p, op, at, l, r) : expr_check_operands(p, op, l, r);
    if (!fits) return NULL;
    if (fold(p, op, at, l, r, &v)) return constant(p, v, span_of(l->place, r->place));
    struct ql_expr *e = NODE_NEW(p, struct ql_expr, l, r);
    if (!e) return NULL;
    e->kind = QL_BINARY;
    e->op = op;
    e->type = op_counts(op) ? arithmetic_type(op, l->type, r->type) : VALUE_BOOL;
    e->place = span_of(l->place, r->place);
    e->left = l;
    e->right = r;
    if ((op == QL_MATCH || op == QL_NO_MATCH) && !compile(p, e)) return NULL;
    return e;
}

struct ql_expr *expr_unary(struct parser *p, enum ql_op op, struct ql_place at, struct ql_expr *l) {
    if (!l || !expr_check_operands(p, op, l, NULL)) return NULL;
    struct ql_place place = span_of(at, l->place);
    if (l->kind == QL_CONST)
        return constant(p, op == QL_NOT ? VALUE_OF_BOOL(!l->value.i) : fold_negate(&l->value), place);
    struct ql_expr *e = NODE_NEW(p, struct ql_expr, l, NULL);
    if (!e) return NULL;
    e->kind = QL_UNARY;
    e->op = op;
    e->type = op == QL_NOT ? VALUE_BOOL : l->type;
    e->place = place;
    e->left = l;
    return e;
}

// --- the grammar -------------------------------------------------------------------------------------

static struct ql_expr *binary(struct parser *p, int min_level);

static struct ql_expr *unknown_word(struct parser *p, const struct field *comparing) {
    static const char known[] =
        "duration name status statusMessage kind rootName rootServiceName traceDuration nestedSetLeft "
        "nestedSetRight nestedSetParent parent true false nil ok error unset unspecified internal server "
        "client "
        "producer consumer minInt maxInt";
    struct str w = parse_text(p), cut = quote_cut(w), meant = suggest(w, known);
    bool call = lex_peek(&p->lexer) == '(';
    static const struct {
        const char *word, *meant;
    } others[] = { { "null", "nil" },
                   { "none", "nil" },
                   { "not", "!" },
                   { "childCount", "span:childCount" },
                   { "id", "span:id" },
                   { "spanID", "span:id" },
                   { "parentID", "span:parentID" },
                   { "traceID", "trace:id" },
                   { "rootService", "rootServiceName" },
                   { "service", "resource.service.name" },
                   { "timeSinceStart", "event:timeSinceStart" } };
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        if (str_eq_nocase(w, str_of(others[i].word))) meant = str_of(others[i].meant);
    if (call && parse_at_aggregate(p))
        return parse_fail(p, p->tok.place,
                          "%.*s(…) counts over sets of spans and comes behind a filter: { … } | %.*s(…)",
                          STR_ARG(cut), STR_ARG(cut));
    if (call && meant.len == 0)
        return parse_fail(p, p->tok.place, "there is no function %.*s in a filter", STR_ARG(cut));
    if (meant.len)
        return parse_fail(p, p->tok.place, "unknown word %.*s; probably meant: %.*s", STR_ARG(cut),
                          STR_ARG(meant));
    if (comparing)
        return parse_fail(p, p->tok.place, "unknown word %.*s; text is written in quotes: \"%.*s\"",
                          STR_ARG(cut), STR_ARG(cut));
    return parse_fail(p, p->tok.place,
                      "unknown word %.*s; an attribute is written .%.*s, span.%.*s or resource.%.*s",
                      STR_ARG(cut), STR_ARG(cut), STR_ARG(cut), STR_ARG(cut));
}

static struct ql_expr *word(struct parser *p, const struct field *comparing) {
    struct ql_place place = p->tok.place;
    struct value v;
    enum intrinsic i;
    if (name_literal(parse_text(p), &v)) {
        parse_advance(p);
        return p->err == ERR_OK ? constant(p, v, place) : NULL;
    }
    if (!name_unscoped(parse_text(p), &i)) return unknown_word(p, comparing);
    parse_advance(p);
    return p->err == ERR_OK ? field_node(p, field_of_intrinsic(i), place) : NULL;
}

static struct ql_expr *unary(struct parser *p, enum ql_op op) {
    struct ql_place at = p->tok.place;
    if (!parse_enter(p)) return NULL;
    parse_advance(p);
    struct ql_expr *e = binary(p, op_level(QL_MUL));
    parse_leave(p);
    return expr_unary(p, op, at, e);
}

// Words and signs that other languages have where an operator belongs.
static void foreign_operator(struct parser *p) {
    static const struct {
        const char *word, *meant;
    } words[] = { { "and", "&&" },
                  { "or", "||" },
                  { "is", "=" },
                  { "eq", "=" },
                  { "like", "=~" },
                  { "matches", "=~" },
                  { "contains", "=~ \".*text.*\"" },
                  { "in", "=~ \"a|b\"" },
                  { "mod", "%" },
                  { "not", "!=" } };
    char found[64];
    struct str w = parse_text(p);
    for (size_t i = 0; p->tok.kind == TOK_WORD && i < sizeof words / sizeof *words; i++)
        if (str_eq_nocase(w, str_of(words[i].word)))
            parse_fail(p, p->tok.place, "%.*s is no operator; probably meant: %s", STR_ARG(w),
                       words[i].meant);
    if (p->tok.kind == TOK_SIBLING)
        parse_fail(p, p->tok.place,
                   "~ relates sets of spans: { … } ~ { … }; a regular expression is written =~");
    if (p->tok.kind >= TOK_DESCENDANT && p->tok.kind < TOK_COUNT)
        parse_fail(p, p->tok.place, "%s relates sets of spans: { … } %s { … }; it does not compare values",
                   token_text(p, found), found);
    if (p->tok.kind == TOK_PIPE)
        parse_fail(p, p->tok.place,
                   "a single | inside of a filter; probably meant: ||, or a } is missing before it");
    if (p->tok.kind == TOK_COMMA)
        parse_fail(p, p->tok.place, "a comma joins nothing here; probably meant: &&");
    bool unit = p->tok.kind == TOK_WORD && suggest(w, "ns us ms s m h d w y").len && w.len <= 2;
    if (unit && p->end && p->text.ptr[p->end - 1] >= '0' && p->text.ptr[p->end - 1] <= '9')
        parse_fail(p, p->tok.place, "the unit of a duration follows its number without a space");
    if (p->tok.kind == TOK_FIELD || p->tok.kind == TOK_WORD || p->tok.kind == TOK_OPEN)
        parse_fail(p, p->tok.place, "an operator is missing before %s; probably meant: && %s",
                   token_text(p, found), found);
    if (p->tok.kind == TOK_NOT)
        parse_fail(p, p->tok.place, "! stands before a value, not between two; probably meant: !=");
}

static struct ql_expr *parenthesised(struct parser *p) {
    struct ql_place open = p->tok.place;
    if (!parse_enter(p)) return NULL;
    parse_advance(p);
    struct ql_expr *e = parse_expr(p);
    parse_leave(p);
    if (!e) return NULL;
    parse_want(p, QL_WANT_CLOSE);
    if (p->tok.kind == TOK_END) return parse_fail(p, open, "this ( is never closed; a ) is missing");
    return parse_expect(p, TOK_CLOSE, "an operator or )") ? e : NULL;
}

static struct ql_expr *operand(struct parser *p) {
    const struct field *comparing = p->comparing;
    bool matching = p->matching;
    struct token t = p->tok;
    p->comparing = NULL;
    p->matching = false;
    if (p->tok.kind == TOK_END && p->wanted) {
        parse_want(p, matching ? QL_WANT_VALUE : QL_WANT_FIELD | QL_WANT_VALUE | QL_WANT_OPEN);
        p->wanted->is_pattern = matching;
        p->wanted->has_field = comparing != NULL;
        if (comparing) p->wanted->field = *comparing;
    }
    switch (t.kind) {
    case TOK_NOT: return unary(p, QL_NOT);
    case TOK_SUB: return unary(p, QL_NEG);
    case TOK_OPEN: return parenthesised(p);
    case TOK_WORD: return word(p, comparing);
    case TOK_FIELD: parse_advance(p); return p->err == ERR_OK ? field_node(p, t.field, t.place) : NULL;
    case TOK_INT:
    case TOK_FLOAT:
    case TOK_DURATION:
    case TOK_STRING: parse_advance(p); return p->err == ERR_OK ? constant(p, t.value, t.place) : NULL;
    case TOK_BRACE_OPEN: return parse_fail(p, t.place, "a filter { … } cannot stand inside another");
    default: return parse_expected(p, "an attribute, an intrinsic or a value");
    }
}

static struct ql_expr *binary(struct parser *p, int min_level) {
    struct ql_expr *left = operand(p);
    while (left) {
        parse_want_operators(p, (int)expr_class(left));
        enum ql_op op = op_of(p->tok.kind);
        int level = op_level(op);
        if (op == QL_NO_OP || level < min_level) break;
        struct ql_place at = p->tok.place;
        parse_advance(p);
        if (op_compares(op) && left->kind == QL_FIELD) p->comparing = &left->field;
        p->matching = op == QL_MATCH || op == QL_NO_MATCH;
        bool right_first = op == QL_POW;
        if (right_first && !parse_enter(p)) return NULL;
        struct ql_expr *right = binary(p, right_first ? level : level + 1);
        if (right_first) parse_leave(p);
        left = expr_binary(p, op, at, left, right);
    }
    return left;
}

struct ql_expr *parse_expr(struct parser *p) {
    return binary(p, 1);
}

bool parse_filter(struct parser *p, struct ql_place *place, const struct ql_expr **out) {
    struct ql_place open = p->tok.place;
    *out = NULL;
    if (!parse_expect(p, TOK_BRACE_OPEN, "{") || !parse_enter(p)) return false;
    parse_want(p, QL_WANT_CLOSE_BRACE);
    struct ql_expr *e = NULL;
    if (!parse_at(p, TOK_BRACE_CLOSE)) {
        e = parse_expr(p);
        if (!e) return false;
        parse_want(p, QL_WANT_CLOSE_BRACE);
        if (p->tok.kind != TOK_BRACE_CLOSE) foreign_operator(p);
    }
    parse_leave(p);
    if (p->tok.kind == TOK_END) parse_fail(p, open, "this { is never closed; a } is missing");
    if (p->tok.kind == TOK_CLOSE) parse_fail(p, p->tok.place, "this ) closes nothing");
    if (!parse_expect(p, TOK_BRACE_CLOSE, "an operator or }")) return false;
    *place = place_from(p, open.from);
    if (!e) return true;
    if (!expr_check_filter(p, e)) return false;
    bool all = e->kind == QL_CONST && e->value.i != 0;
    *out = all ? NULL : e;
    return true;
}

bool parse_field(struct parser *p, struct field *out, const char *whose) {
    enum intrinsic i;
    struct value v;
    parse_want(p, QL_WANT_FIELD);
    if (!node_count(p)) return false;
    if (p->tok.kind == TOK_FIELD) {
        *out = p->tok.field;
    } else if (p->tok.kind == TOK_WORD && name_unscoped(parse_text(p), &i)) {
        *out = field_of_intrinsic(i);
        if (i == INTRINSIC_PARENT) {
            parse_fail(p, p->tok.place,
                       "parent alone has no value to take; its attributes are parent.span.x and so on");
            return false;
        }
    } else if (p->tok.kind == TOK_WORD && name_literal(parse_text(p), &v)) {
        parse_fail(p, p->tok.place, "%.*s is a value; an attribute or an intrinsic is expected in %s",
                   STR_ARG(parse_text(p)), whose);
        return false;
    } else if (p->tok.kind == TOK_WORD) {
        unknown_word(p, NULL);
        return false;
    } else {
        char what[100];
        (void)snprintf(what, sizeof what, "an attribute or an intrinsic in %s", whose);
        parse_expected(p, what);
        return false;
    }
    parse_advance(p);
    if (p->err == ERR_OK && op_of(p->tok.kind) != QL_NO_OP)
        parse_fail(p, p->tok.place, "%s takes attributes and intrinsics only, no expressions", whose);
    return p->err == ERR_OK;
}

struct value parse_literal(struct parser *p, bool *ok) {
    bool minus = parse_accept(p, TOK_SUB);
    struct value v = p->tok.value;
    *ok = p->tok.kind == TOK_INT || p->tok.kind == TOK_FLOAT || p->tok.kind == TOK_DURATION ||
          (!minus && p->tok.kind == TOK_STRING) ||
          (p->tok.kind == TOK_WORD && name_literal(parse_text(p), &v));
    if (minus && *ok) *ok = value_is_number(v.type);
    if (*ok) parse_advance(p);
    *ok = *ok && p->err == ERR_OK;
    return minus && *ok ? fold_negate(&v) : v;
}
