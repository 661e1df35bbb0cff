// SPDX-License-Identifier: Apache-2.0
// Metrics: functions over time, second stages, arithmetic, hints.
#include <math.h>
#include <stdio.h>

#include "traceql/parse.h"

static const char *const functions[] = {
    [QL_RATE] = "rate",
    [QL_COUNT_OVER_TIME] = "count_over_time",
    [QL_MIN_OVER_TIME] = "min_over_time",
    [QL_MAX_OVER_TIME] = "max_over_time",
    [QL_AVG_OVER_TIME] = "avg_over_time",
    [QL_SUM_OVER_TIME] = "sum_over_time",
    [QL_QUANTILE_OVER_TIME] = "quantile_over_time",
    [QL_HISTOGRAM_OVER_TIME] = "histogram_over_time",
    [QL_COMPARE] = "compare",
};

const char *ql_function_text(enum ql_function f) {
    return functions[f];
}

bool parse_at_function(const struct parser *p, enum ql_function *out) {
    for (int f = QL_RATE; f <= QL_COMPARE; f++)
        if (parse_at_word(p, functions[f])) {
            *out = (enum ql_function)f;
            return true;
        }
    return false;
}

static bool opened(struct parser *p, const char *name, const char *example) {
    parse_want(p, QL_WANT_OPEN);
    if (p->err == ERR_OK && !parse_at(p, TOK_OPEN))
        parse_fail(p, p->tok.place, "%s needs parentheses; probably meant: %s%s", name, name, example);
    return parse_expect(p, TOK_OPEN, "(");
}

static bool whole(struct parser *p, const char *what, uint64_t *out) {
    parse_want(p, QL_WANT_NUMBER);
    bool fits = p->tok.kind == TOK_INT;
    if (!fits) parse_expected(p, what);
    *out = fits ? (uint64_t)p->tok.value.i : 0;
    parse_advance(p);
    return p->err == ERR_OK;
}

// --- the functions -----------------------------------------------------------------------------------

static bool argument(struct parser *p, struct ql_metric *m) {
    const char *name = functions[m->function];
    struct ql_place place = p->tok.place;
    if (parse_at(p, TOK_CLOSE)) parse_fail(p, place, "%s() needs what to take it of, such as duration", name);
    char whose[40];
    (void)snprintf(whose, sizeof whose, "%s()", name);
    if (!parse_field(p, &m->of, whose)) return false;
    enum value_type t = field_type(&m->of);
    if (t == VALUE_NIL || value_is_number(t)) return true;
    parse_fail(p, place, "%s() needs numbers, %.*s is %s", name,
               STR_ARG(quote_cut(place_text(p->text, place))), class_text(value_class((int)t)));
    return false;
}

static bool quantiles(struct parser *p, struct ql_metric *m) {
    double *list = NULL;
    uint32_t n = 0;
    if (parse_at(p, TOK_CLOSE))
        parse_fail(p, p->tok.place, "quantile_over_time() needs a quantile too, such as 0.99");
    while (parse_accept(p, TOK_COMMA)) {
        struct ql_place place = p->tok.place;
        parse_want(p, QL_WANT_NUMBER);
        bool is_int = p->tok.kind == TOK_INT;
        if (!is_int && p->tok.kind != TOK_FLOAT) return parse_expected(p, "a quantile from 0 to 1");
        double q = is_int ? (double)p->tok.value.i : p->tok.value.f;
        if (q >= 10 && q <= 100)
            return parse_fail(p, place, "a quantile lies between 0 and 1; probably meant: %g", q / 100);
        if (!(q >= 0 && q <= 1)) return parse_fail(p, place, "a quantile lies between 0 and 1");
        if (n == QL_QUANTILES_MAX) return parse_limit(p, place, "more than %d quantiles", QL_QUANTILES_MAX);
        if (!node_count(p) || !list_room(p, &list, n, sizeof *list)) return false;
        list[n++] = q;
        parse_advance(p);
        parse_want(p, QL_WANT_COMMA);
    }
    m->quantiles = list;
    m->n_quantiles = n;
    if (n == 0) parse_expected(p, ", and a quantile such as 0.99");
    return p->err == ERR_OK;
}

static bool compare(struct parser *p, struct ql_metric *m) {
    struct ql_place place;
    uint64_t top;
    m->top = 10;
    parse_want(p, QL_WANT_FILTER);
    if (!parse_at(p, TOK_BRACE_OPEN))
        return parse_expected(p, "a filter { … } that selects the spans to compare");
    if (!parse_filter(p, &place, &m->selection)) return false;
    parse_want(p, QL_WANT_COMMA);
    if (!parse_accept(p, TOK_COMMA)) return p->err == ERR_OK;
    place = p->tok.place;
    if (!whole(p, "how many values to show of an attribute", &top)) return false;
    if (top < 1 || top > QL_COMPARE_TOP_MAX)
        return parse_fail(p, place, "compare() shows 1 to %d values of an attribute", QL_COMPARE_TOP_MAX);
    m->top = (uint32_t)top;
    parse_want(p, QL_WANT_COMMA);
    if (!parse_accept(p, TOK_COMMA)) return p->err == ERR_OK;
    place = p->tok.place;
    if (!whole(p, "the start of the selection in nanoseconds", &m->from_ns)) return false;
    if (!parse_expect(p, TOK_COMMA, "a comma and the end of the selection in nanoseconds")) return false;
    if (!whole(p, "the end of the selection in nanoseconds", &m->to_ns)) return false;
    if (m->to_ns > m->from_ns) return true;
    return parse_fail(p, place, "the selection must end after it starts");
}

static bool arguments(struct parser *p, struct ql_metric *m) {
    switch (m->function) {
    case QL_RATE:
    case QL_COUNT_OVER_TIME:
        if (p->err == ERR_OK && !parse_at(p, TOK_CLOSE) && !parse_at(p, TOK_END))
            parse_fail(p, p->tok.place, "%s() takes nothing; groups go behind it: %s() by(…)",
                       functions[m->function], functions[m->function]);
        return p->err == ERR_OK;
    case QL_COMPARE: return compare(p, m);
    case QL_QUANTILE_OVER_TIME: return argument(p, m) && quantiles(p, m);
    default: return argument(p, m);
    }
}

static bool by(struct parser *p, struct ql_metric *m) {
    struct field *list = NULL;
    uint32_t n = 0;
    bool few = m->function == QL_QUANTILE_OVER_TIME || m->function == QL_HISTOGRAM_OVER_TIME;
    uint32_t most = few ? QL_BY_MAX - 1 : QL_BY_MAX;
    struct ql_place place = p->tok.place;
    parse_advance(p);
    parse_want(p, QL_WANT_OPEN);
    if (m->function == QL_COMPARE) parse_fail(p, place, "compare() has no by(…); it looks at all attributes");
    if (p->err == ERR_OK && !parse_at(p, TOK_OPEN))
        parse_fail(p, place, "by needs parentheses; probably meant: by(%.*s)",
                   STR_ARG(quote_cut(p->tok.kind == TOK_END ? STR("name") : parse_text(p))));
    if (!parse_expect(p, TOK_OPEN, "(")) return false;
    do {
        place = p->tok.place;
        if (n == most)
            return parse_limit(p, place, "%s() groups by %u fields at most", functions[m->function], most);
        if (!list_room(p, &list, n, sizeof *list) || !parse_field(p, &list[n++], "by()")) return false;
        parse_want(p, QL_WANT_COMMA | QL_WANT_CLOSE);
    } while (parse_accept(p, TOK_COMMA));
    m->by = list;
    m->n_by = n;
    return parse_expect(p, TOK_CLOSE, ", or )");
}

struct ql_metric *parse_function(struct parser *p, const struct line *l) {
    static const char *const examples[] = {
        [QL_RATE] = "()",
        [QL_COUNT_OVER_TIME] = "()",
        [QL_MIN_OVER_TIME] = "(duration)",
        [QL_MAX_OVER_TIME] = "(duration)",
        [QL_AVG_OVER_TIME] = "(duration)",
        [QL_SUM_OVER_TIME] = "(duration)",
        [QL_QUANTILE_OVER_TIME] = "(duration, 0.99)",
        [QL_HISTOGRAM_OVER_TIME] = "(duration)",
        [QL_COMPARE] = "({ status = error })",
    };
    struct ql_metric *m = NODE_NEW(p, struct ql_metric, l->tallest, NULL);
    if (!m) return NULL;
    m->kind = QL_METRIC_FUNCTION;
    (void)parse_at_function(p, &m->function);
    m->pipeline = line_pipeline(p, l);
    m->of.key = STR("");
    parse_advance(p);
    if (!m->pipeline || !opened(p, functions[m->function], examples[m->function]) || !arguments(p, m))
        return NULL;
    parse_want(p, QL_WANT_CLOSE);
    if (!parse_expect(p, TOK_CLOSE, ")")) return NULL;
    parse_want(p, QL_WANT_BY);
    if (parse_at_word(p, "by") && !by(p, m)) return NULL;
    m->place = place_from(p, l->place.from);
    m->text = place_text(p->text, m->place);
    return p->err == ERR_OK ? m : NULL;
}

// --- second stages -----------------------------------------------------------------------------------

// A copy with one more second stage. NULL: it takes none.
static const struct ql_metric *with_second(struct parser *p, const struct ql_metric *m, struct ql_second s) {
    if (p->err != ERR_OK) return NULL;
    if (m->kind == QL_METRIC_FUNCTION && m->function == QL_COMPARE)
        return parse_fail(p, s.place, "compare() takes nothing behind it");
    struct ql_second *list = ARENA_ARRAY(p->arena, m->n_seconds + 1, struct ql_second);
    struct ql_metric *copy = NODE_NEW(p, struct ql_metric, m, NULL);
    if (!list || !copy) return list ? NULL : parse_nomem(p);
    *copy = *m;
    if (m->n_seconds) memcpy(list, m->seconds, m->n_seconds * sizeof *list);
    list[m->n_seconds] = s;
    copy->seconds = list;
    copy->n_seconds = m->n_seconds + 1;
    return copy;
}

const struct ql_metric *metric_keep(struct parser *p, const struct ql_metric *m, enum ql_op op,
                                    struct ql_place at, const struct ql_scalar *than) {
    bool number = than->kind == QL_SCALAR_CONST && value_is_number(than->value.type);
    struct ql_second s = { .kind = QL_KEEP, .op = op, .place = at };
    if (op < QL_EQ || op > QL_GE) return parse_fail(p, at, "a metric is compared with > >= < <= = or !=");
    if (!number) return parse_fail(p, than->place, "a metric is compared with a number or a duration");
    s.place.len = than->place.from + than->place.len - at.from;
    s.value = than->value.type == VALUE_FLOAT ? than->value.f : (double)than->value.i;
    if (than->value.type == VALUE_DURATION) s.value /= 1e9;
    if (!isfinite(s.value)) return parse_fail(p, than->place, "a metric is compared with a finite number");
    return with_second(p, m, s);
}

static const struct ql_metric *keep(struct parser *p, const struct ql_metric *m) {
    struct ql_place at = p->tok.place, place;
    enum ql_op op = op_of(p->tok.kind);
    bool ok;
    parse_advance(p);
    parse_want(p, QL_WANT_NUMBER);
    place = p->tok.place;
    struct value v = parse_literal(p, &ok);
    if (!ok) return parse_expected(p, "a number or a duration");
    place.len = p->end - place.from;
    struct ql_scalar *than = scalar_const(p, v, place);
    return than ? metric_keep(p, m, op, at, than) : NULL;
}

static const struct ql_metric *top(struct parser *p, const struct ql_metric *m, uint32_t from) {
    bool bottom = parse_at_word(p, "bottomk");
    uint64_t k;
    struct ql_place place;
    parse_advance(p);
    if (!opened(p, bottom ? "bottomk" : "topk", "(10)")) return NULL;
    place = p->tok.place;
    if (!whole(p, "how many series to keep", &k)) return NULL;
    if (k < 1 || k > UINT32_MAX)
        return parse_fail(p, place, "%s() keeps 1 series or more", bottom ? "bottomk" : "topk");
    parse_want(p, QL_WANT_CLOSE);
    if (!parse_expect(p, TOK_CLOSE, ")")) return NULL;
    struct ql_second s = { .kind = bottom ? QL_BOTTOMK : QL_TOPK,
                           .k = (uint32_t)k,
                           .place = place_from(p, from) };
    return with_second(p, m, s);
}

const struct ql_metric *metric_seconds(struct parser *p, const struct ql_metric *m) {
    while (m) {
        enum ql_op op = op_of(p->tok.kind);
        uint32_t from = p->tok.place.from;
        parse_want(p, QL_WANT_PIPE | QL_WANT_EQUALITY | QL_WANT_ORDER);
        if (op >= QL_EQ && op <= QL_NO_MATCH) {
            m = keep(p, m);
            continue;
        }
        if (!parse_at(p, TOK_PIPE)) break;
        parse_advance(p);
        parse_want(p, QL_WANT_SECOND);
        bool known = parse_at_word(p, "topk") || parse_at_word(p, "bottomk");
        struct str w = quote_cut(parse_text(p)), meant = suggest(w, "topk bottomk");
        if (!known && p->tok.kind == TOK_WORD && meant.len)
            return parse_fail(p, p->tok.place, "unknown function %.*s; probably meant: %.*s", STR_ARG(w),
                              STR_ARG(meant));
        if (!known && parse_at_word(p, "by"))
            return parse_fail(p, p->tok.place, "by(…) of a metrics function comes without a | before it");
        if (!known)
            return p->tok.kind == TOK_END
                       ? parse_expected(p, "topk() or bottomk()")
                       : parse_fail(p, p->tok.place,
                                    "behind a metrics function come only topk(), bottomk() and "
                                    "comparisons");
        m = top(p, m, from);
    }
    return p->err == ERR_OK ? m : NULL;
}

// --- arithmetic ------------------------------------------------------------------------------------------

static const struct ql_metric *metric_of(struct parser *p, const struct item *i, struct str op) {
    if (i->kind == ITEM_METRIC) {
        if (i->metric->kind == QL_METRIC_FUNCTION && i->metric->function == QL_COMPARE)
            return parse_fail(p, i->place, "compare() takes no part in arithmetic");
        return i->metric;
    }
    const struct ql_scalar *s = i->left;
    bool constant = s->kind == QL_SCALAR_CONST;
    if (!constant || (s->type != VALUE_INT && s->type != VALUE_FLOAT))
        return parse_fail(p, i->place, "%.*s joins metrics with metrics and with numbers; this is %s",
                          STR_ARG(op),
                          !constant                   ? "a value of a search"
                          : s->type == VALUE_DURATION ? "a duration; write it in seconds"
                                                      : class_text(value_class(s->type)));
    struct ql_metric *m = NODE_NEW(p, struct ql_metric, NULL, NULL);
    if (!m) return NULL;
    m->kind = QL_METRIC_CONST;
    m->value = s->type == VALUE_FLOAT ? s->value.f : (double)s->value.i;
    if (!isfinite(m->value)) return parse_fail(p, i->place, "metrics are joined with finite numbers");
    m->place = i->place;
    m->text = place_text(p->text, i->place);
    return m;
}

struct ql_metric *metric_binary(struct parser *p, enum ql_op op, struct ql_place at, const struct item *l,
                                const struct item *r) {
    struct str sign = str_of(ql_op_text(op));
    if (op != QL_ADD && op != QL_SUB && op != QL_MUL && op != QL_DIV)
        return parse_fail(p, at, "metrics have no %s; there are + - * /", ql_op_text(op));
    const struct ql_metric *a = metric_of(p, l, sign), *b = a ? metric_of(p, r, sign) : NULL;
    if (!b) return NULL;
    struct ql_metric *m = NODE_NEW(p, struct ql_metric, a, b);
    if (!m) return NULL;
    m->kind = QL_METRIC_OP;
    m->op = op;
    m->left = a;
    m->right = b;
    m->place = (struct ql_place){ l->place.from, r->place.from + r->place.len - l->place.from };
    m->text = place_text(p->text, m->place);
    return m;
}

// --- hints -------------------------------------------------------------------------------------------------

static enum ql_hint_kind hint_kind(struct str name, const struct value *v) {
    bool is_bool = v->type == VALUE_BOOL, is_int = v->type == VALUE_INT, is_float = v->type == VALUE_FLOAT;
    if (str_eq(name, STR("most_recent")) && is_bool) return QL_HINT_MOST_RECENT;
    if (str_eq(name, STR("exemplars")) && (is_bool || (is_int && v->i >= 0))) return QL_HINT_EXEMPLARS;
    bool share = (is_int && v->i >= 0 && v->i <= 1) || (is_float && v->f >= 0 && v->f <= 1);
    if (str_eq(name, STR("sample")) && (is_bool || share)) return QL_HINT_SAMPLE;
    return QL_HINT_OTHER; // of no use here, or of the wrong type
}

static bool hint(struct parser *p, struct ql_hint *h) {
    bool ok;
    parse_want(p, QL_WANT_HINT);
    if (p->tok.kind != TOK_WORD) return parse_expected(p, "the name of a hint");
    h->name = parse_text(p);
    parse_advance(p);
    parse_want(p, QL_WANT_OP_ASSIGN);
    if (!parse_expect(p, TOK_EQ, "= and the value of the hint")) return false;
    parse_want(p, QL_WANT_VALUE);
    h->value = parse_literal(p, &ok);
    if (!ok) return parse_expected(p, "the value of the hint");
    h->kind = hint_kind(h->name, &h->value);
    return true;
}

bool parse_hints(struct parser *p, struct ql_query *q) {
    struct ql_hint *list = NULL;
    uint32_t n = 0;
    parse_want(p, QL_WANT_WITH);
    if (!parse_at_word(p, "with")) return p->err == ERR_OK;
    parse_advance(p);
    if (!opened(p, "with", "(sample=true)")) return false;
    do {
        if (!node_count(p) || !list_room(p, &list, n, sizeof *list) || !hint(p, &list[n++])) return false;
        parse_want(p, QL_WANT_COMMA | QL_WANT_CLOSE);
    } while (parse_accept(p, TOK_COMMA));
    q->hints = list;
    q->n_hints = n;
    return parse_expect(p, TOK_CLOSE, ", or )");
}
