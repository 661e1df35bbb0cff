// SPDX-License-Identifier: Apache-2.0
// What stands between pipes: sets of spans, values of sets, metrics, and operators between them. They
// share one grammar, since a parenthesis may begin any of them.
#include "traceql/parse.h"

static struct ql_place around(struct ql_place a, struct ql_place b) {
    return (struct ql_place){ a.from, b.from + b.len - a.from };
}

static const char *kind_text(const struct item *i) {
    static const char *const texts[] = { [ITEM_SPANSET] = "a set of spans",
                                         [ITEM_SCALAR] = "a value",
                                         [ITEM_COMPARE] = "a condition on a set",
                                         [ITEM_METRIC] = "a metric" };
    return texts[i->kind];
}

// --- operators between sets --------------------------------------------------------------------------

struct relation {
    enum ql_relation relation;
    bool negated, both;
};

static bool relation_of(enum tok t, struct relation *out) {
    static const struct {
        enum tok tok;
        struct relation relation;
    } all[] = {
        { TOK_AND, { QL_REL_AND, false, false } },
        { TOK_OR, { QL_REL_OR, false, false } },
        { TOK_DESCENDANT, { QL_REL_DESCENDANT, false, false } },
        { TOK_GT, { QL_REL_CHILD, false, false } },
        { TOK_ANCESTOR, { QL_REL_ANCESTOR, false, false } },
        { TOK_LT, { QL_REL_PARENT, false, false } },
        { TOK_SIBLING, { QL_REL_SIBLING, false, false } },
        { TOK_NOT_DESCENDANT, { QL_REL_DESCENDANT, true, false } },
        { TOK_NOT_CHILD, { QL_REL_CHILD, true, false } },
        { TOK_NOT_ANCESTOR, { QL_REL_ANCESTOR, true, false } },
        { TOK_NOT_PARENT, { QL_REL_PARENT, true, false } },
        { TOK_NO_MATCH, { QL_REL_SIBLING, true, false } },
        { TOK_BOTH_DESCENDANT, { QL_REL_DESCENDANT, false, true } },
        { TOK_BOTH_CHILD, { QL_REL_CHILD, false, true } },
        { TOK_BOTH_ANCESTOR, { QL_REL_ANCESTOR, false, true } },
        { TOK_BOTH_PARENT, { QL_REL_PARENT, false, true } },
        { TOK_BOTH_SIBLING, { QL_REL_SIBLING, false, true } },
    };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        if (all[i].tok == t) {
            *out = all[i].relation;
            return true;
        }
    return false;
}

static int level_of(enum tok t) {
    struct relation unused;
    if (t == TOK_AND || t == TOK_OR) return 1;
    if (relation_of(t, &unused)) return 2;
    enum ql_op op = op_of(t);
    return op == QL_NO_OP ? 0 : op_level(op);
}

static bool check_single(struct parser *p, const struct item *i, struct str op) {
    const struct ql_spanset *s = i->spanset;
    if (s->kind != QL_WRAPPED || !pipeline_has_several(s->pipeline)) return true;
    parse_fail(p, i->place,
               "this side of %.*s has several sets of spans after by(); coalesce() makes one of them: … | "
               "coalesce()",
               STR_ARG(op));
    return false;
}

static bool relate(struct parser *p, const struct item *l, const struct token *t, const struct item *r,
                   struct item *out) {
    struct relation rel = { QL_REL_AND, false, false };
    struct str op = place_text(p->text, t->place);
    if (!relation_of(t->kind, &rel)) {
        parse_fail(p, t->place, "%.*s does not join sets of spans; there are && || and >> > << < ~",
                   STR_ARG(op));
        return false;
    }
    if (!check_single(p, l, op) || !check_single(p, r, op)) return false;
    struct ql_spanset *s = NODE_NEW(p, struct ql_spanset, l->spanset, r->spanset);
    if (!s) return false;
    *out = (struct item){ .kind = ITEM_SPANSET, .place = around(l->place, r->place), .spanset = s };
    s->kind = QL_RELATION;
    s->relation = rel.relation;
    s->negated = rel.negated;
    s->both = rel.both;
    s->left = l->spanset;
    s->right = r->spanset;
    s->place = out->place;
    return true;
}

// --- operators between values and metrics ----------------------------------------------------------------

static bool compare(struct parser *p, enum ql_op op, const struct item *l, const struct token *t,
                    const struct item *r, struct item *out) {
    enum type_class a = value_class(l->left->type), b = value_class(r->left->type);
    bool numbers = (a == CLASS_ANY || a == CLASS_NUMBER) && (b == CLASS_ANY || b == CLASS_NUMBER);
    const struct item *odd = a == CLASS_ANY || a == CLASS_NUMBER ? r : l;
    if (!numbers) {
        parse_fail(p, odd->place, "a value of a set is compared with a number or a duration; this is %s",
                   class_text(odd == l ? a : b));
        return false;
    }
    if (!scalar_has_aggregate(l->left) && !scalar_has_aggregate(r->left)) {
        parse_fail(p, t->place,
                   "this compares two constants; one side must be an aggregate, such as count()");
        return false;
    }
    *out = (struct item){
        .kind = ITEM_COMPARE, .place = around(l->place, r->place), .left = l->left, .right = r->left, .op = op
    };
    return true;
}

static bool calculate(struct parser *p, enum ql_op op, const struct item *l, const struct token *t,
                      const struct item *r, struct item *out) {
    struct ql_scalar *s = scalar_binary(p, op, t->place, l->left, r->left);
    *out = (struct item){ .kind = ITEM_SCALAR, .place = around(l->place, r->place), .left = s };
    return s != NULL;
}

static bool with_metric(struct parser *p, enum ql_op op, const struct item *l, const struct token *t,
                        const struct item *r, struct item *out) {
    *out = (struct item){ .kind = ITEM_METRIC, .place = around(l->place, r->place) };
    if (op_counts(op))
        out->metric = metric_binary(p, op, t->place, l, r);
    else if (l->kind == ITEM_METRIC && r->kind == ITEM_SCALAR)
        out->metric = metric_keep(p, l->metric, op, t->place, r->left);
    else
        parse_fail(p, t->place, "%.*s does not join metrics; there are + - * / and comparisons with a number",
                   STR_ARG(place_text(p->text, t->place)));
    return out->metric != NULL;
}

static bool mixed(struct parser *p, const struct item *l, const struct token *t, const struct item *r) {
    struct str op = place_text(p->text, t->place);
    const struct item *c = l->kind == ITEM_COMPARE ? l : r;
    if (c->kind == ITEM_COMPARE && (l->kind == ITEM_SPANSET || r->kind == ITEM_SPANSET))
        parse_fail(
            p, c->place,
            "a condition on a set stands in parentheses beside %.*s, or behind a pipe: … | count() > 1",
            STR_ARG(op));
    else if (c->kind == ITEM_COMPARE)
        parse_fail(p, t->place,
                   "conditions on sets are not joined by %.*s; put each behind a pipe, which is an and",
                   STR_ARG(op));
    else
        parse_fail(p, t->place, "%s %.*s %s: that cannot be", kind_text(l), STR_ARG(op), kind_text(r));
    return false;
}

static bool combine(struct parser *p, const struct item *l, const struct token *t, const struct item *r,
                    struct item *out) {
    enum ql_op op = op_of(t->kind);
    bool metric = l->kind == ITEM_METRIC || r->kind == ITEM_METRIC,
         other = l->kind == ITEM_SCALAR || r->kind == ITEM_SCALAR || l->kind == r->kind;
    if (l->kind == ITEM_SPANSET && r->kind == ITEM_SPANSET) return relate(p, l, t, r, out);
    if (metric && other) return with_metric(p, op, l, t, r, out);
    if (l->kind != ITEM_SCALAR || r->kind != ITEM_SCALAR) return mixed(p, l, t, r);
    if (op_counts(op)) return calculate(p, op, l, t, r, out);
    if (op >= QL_EQ && op <= QL_GE) return compare(p, op, l, t, r, out);
    parse_fail(p, t->place, "%.*s does not join values of sets; there are comparisons and arithmetic",
               STR_ARG(place_text(p->text, t->place)));
    return false;
}

// --- operands ----------------------------------------------------------------------------------------------

// before: the operand on the left, NULL: there is none.
static bool binary(struct parser *p, int min_level, const struct item *before, struct item *out);

static bool filter(struct parser *p, struct item *out) {
    const struct ql_expr *e;
    struct ql_place place;
    if (!parse_filter(p, &place, &e)) return false;
    struct ql_spanset *s = NODE_NEW(p, struct ql_spanset, e, NULL);
    if (!s) return false;
    s->place = place;
    s->filter = e;
    s->kind = QL_FILTER;
    *out = (struct item){ .kind = ITEM_SPANSET, .place = s->place, .spanset = s };
    return true;
}

static bool wrap(struct parser *p, const struct line *l, struct item *out) {
    struct ql_spanset *s = NODE_NEW(p, struct ql_spanset, l->tallest, NULL);
    if (!s) return false;
    s->kind = QL_WRAPPED;
    s->place = out->place;
    s->pipeline = line_pipeline(p, l);
    out->kind = ITEM_SPANSET;
    out->spanset = s;
    return s->pipeline != NULL;
}

static bool wrap_scalar(struct parser *p, const struct line *l, struct item *out) {
    struct ql_scalar *s = NODE_NEW(p, struct ql_scalar, l->scalar, l->tallest);
    if (!s) return false;
    s->kind = QL_SCALAR_PIPELINE;
    s->place = out->place;
    s->type = l->scalar->type;
    s->left = l->scalar;
    s->pipeline = line_pipeline(p, l);
    out->kind = ITEM_SCALAR;
    out->left = s;
    return s->pipeline != NULL;
}

// What the parentheses hold decides what they are.
static bool parenthesised(struct parser *p, struct item *out) {
    struct ql_place open = p->tok.place;
    struct line l;
    if (!parse_enter(p)) return false;
    parse_advance(p);
    if (!parse_line(p, &l)) return false;
    parse_leave(p);
    parse_want(p, QL_WANT_CLOSE);
    if (p->tok.kind == TOK_END) parse_fail(p, open, "this ( is never closed; a ) is missing");
    if (!parse_expect(p, TOK_CLOSE, "an operator, | or )")) return false;
    *out = (struct item){ .place = place_from(p, open.from), .braced = true };
    if (l.metric) {
        out->kind = ITEM_METRIC;
        out->metric = l.metric;
        return true;
    }
    if (l.scalar && l.n) return wrap_scalar(p, &l, out);
    if (l.scalar) {
        out->kind = ITEM_SCALAR;
        out->left = l.scalar;
        return true;
    }
    bool plain = l.n == 1 && l.stages[0].kind == QL_STAGE_SPANSET;
    if (!plain) return wrap(p, &l, out);
    out->kind = ITEM_SPANSET;
    out->spanset = l.stages[0].spanset;
    return true;
}

static bool number(struct parser *p, struct item *out) {
    struct ql_scalar *s = scalar_const(p, p->tok.value, p->tok.place);
    parse_advance(p);
    if (s) *out = (struct item){ .kind = ITEM_SCALAR, .place = s->place, .left = s };
    return s && p->err == ERR_OK;
}

// -m is -1 * m.
static bool negate_metric(struct parser *p, struct ql_place at, struct item *m) {
    struct ql_scalar *minus_one = scalar_const(p, VALUE_OF_INT(-1), at);
    if (!minus_one) return false;
    struct item l = { .kind = ITEM_SCALAR, .place = at, .left = minus_one };
    m->metric = metric_binary(p, QL_MUL, at, &l, m);
    m->place = around(at, m->place);
    m->braced = false;
    return m->metric != NULL;
}

static bool minus(struct parser *p, struct item *out) {
    struct ql_place at = p->tok.place;
    if (!parse_enter(p)) return false;
    parse_advance(p);
    if (!binary(p, op_level(QL_MUL), NULL, out)) return false;
    parse_leave(p);
    if (out->kind == ITEM_METRIC) return negate_metric(p, at, out);
    if (out->kind != ITEM_SCALAR) {
        parse_fail(p, at, "%s has no minus", kind_text(out));
        return false;
    }
    out->left = scalar_negate(p, at, out->left);
    out->place = around(at, out->place);
    return out->left != NULL;
}

static void no_operand(struct parser *p, const struct item *before) {
    struct value v;
    enum intrinsic i;
    enum ql_function f;
    struct str w = quote_cut(parse_text(p));
    bool a_word = p->tok.kind == TOK_WORD;
    if (p->tok.kind == TOK_END && p->n_nodes == 0)
        parse_fail(p, p->tok.place, "the query is empty; { } is every span");
    else if (p->tok.kind == TOK_FIELD || (a_word && name_unscoped(parse_text(p), &i)))
        parse_fail(p, p->tok.place, "%.*s must stand inside of a filter; probably meant: { %.*s … }",
                   STR_ARG(w), STR_ARG(w));
    else if (parse_at_function(p, &f))
        parse_fail(p, p->tok.place, "%s() counts spans of a search before it; probably meant: { } | %s()",
                   ql_function_text(f), ql_function_text(f));
    else if (a_word && name_literal(parse_text(p), &v))
        parse_fail(p, p->tok.place, "%.*s stands only inside of a filter { … }", STR_ARG(w));
    else if (a_word)
        parse_fail(p, p->tok.place, "unknown word %.*s; a filter is written { … }", STR_ARG(w));
    else if (p->tok.kind == TOK_NOT)
        parse_fail(p, p->tok.place,
                   "! stands only inside of a filter; between filters there are !>> !> !<< !< !~");
    else if (before && before->kind != ITEM_SPANSET)
        parse_expected(p, before->kind == ITEM_SCALAR ? "a number, a duration or an aggregate"
                                                      : "a number or a metric");
    else
        parse_expected(p, "a filter { … }");
}

static bool operand(struct parser *p, const struct item *before, struct item *out) {
    parse_want(p, QL_WANT_FILTER | QL_WANT_AGGREGATE);
    switch (p->tok.kind) {
    case TOK_BRACE_OPEN: return filter(p, out);
    case TOK_OPEN: return parenthesised(p, out);
    case TOK_SUB: return minus(p, out);
    case TOK_INT:
    case TOK_FLOAT:
    case TOK_DURATION:
    case TOK_STRING: return number(p, out);
    default: break;
    }
    if (parse_at_aggregate(p)) {
        struct ql_scalar *s = parse_aggregate(p);
        if (s) *out = (struct item){ .kind = ITEM_SCALAR, .place = s->place, .left = s };
        return s != NULL;
    }
    no_operand(p, before);
    return false;
}

static void want_operators(struct parser *p, const struct item *i) {
    if (i->kind == ITEM_SPANSET) parse_want(p, QL_WANT_LOGIC | QL_WANT_STRUCTURE);
    if (i->kind == ITEM_SCALAR || i->kind == ITEM_METRIC)
        parse_want(p, QL_WANT_ARITHMETIC | QL_WANT_EQUALITY | QL_WANT_ORDER);
}

static bool binary(struct parser *p, int min_level, const struct item *before, struct item *out) {
    struct item left, right;
    if (!operand(p, before, &left)) return false;
    for (;;) {
        want_operators(p, &left);
        struct token t = p->tok;
        int level = level_of(t.kind);
        if (level == 0 || level < min_level) break;
        parse_advance(p);
        if (left.kind == ITEM_SCALAR || left.kind == ITEM_METRIC) parse_want(p, QL_WANT_NUMBER);
        bool right_first = t.kind == TOK_POW;
        if (right_first && !parse_enter(p)) return false;
        if (!binary(p, right_first ? level : level + 1, &left, &right)) return false;
        if (right_first) parse_leave(p);
        struct item both;
        if (!combine(p, &left, &t, &right, &both)) return false;
        left = both;
    }
    *out = left;
    return p->err == ERR_OK;
}

bool parse_item(struct parser *p, struct item *out) {
    return binary(p, 1, NULL, out);
}
