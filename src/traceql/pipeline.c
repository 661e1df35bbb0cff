// SPDX-License-Identifier: Apache-2.0
// Stages between pipes, and the query as a whole.
#include "traceql/parse.h"
#include "traceql/print.h"
#include "traceql/regex_internal.h"

static struct str label_of(struct parser *p, void (*print)(const void *what, struct buf *out),
                           const void *what) {
    struct buf text;
    buf_init(&text, QL_TEXT_MAX * 8);
    print(what, &text);
    struct str label = text.failed ? (struct str){ 0 } : str_dup(p->arena, buf_view(&text));
    if (!label.ptr) parse_nomem(p);
    buf_fini(&text);
    return label;
}

static void print_by(const void *e, struct buf *out) {
    buf_str(out, STR("by("));
    ql_print_expr(e, out);
    buf_char(out, ')');
}
static void print_aggregate(const void *s, struct buf *out) {
    print_scalar(s, out);
}

static struct ql_stage *stage_new(struct parser *p, struct line *l, enum ql_stage_kind kind) {
    if (!node_count(p) || !list_room(p, &l->stages, l->n, sizeof *l->stages)) return NULL;
    struct ql_stage *s = &l->stages[l->n++];
    *s = (struct ql_stage){ .kind = kind, .label = STR("") };
    return s;
}

static void grow(struct line *l, const void *node) {
    if (node_height(node) > node_height(l->tallest)) l->tallest = node;
}

// --- by, coalesce, select ----------------------------------------------------------------------------

static bool by(struct parser *p, struct line *l) {
    uint32_t from = p->tok.place.from;
    struct ql_stage *s = stage_new(p, l, QL_STAGE_BY);
    parse_advance(p);
    parse_want(p, QL_WANT_OPEN);
    if (s && p->err == ERR_OK && !parse_at(p, TOK_OPEN))
        parse_fail(p, place_from(p, from), "by needs parentheses; probably meant: by(%.*s)",
                   STR_ARG(quote_cut(p->tok.kind == TOK_END ? STR("name") : parse_text(p))));
    if (!s || !parse_expect(p, TOK_OPEN, "(")) return false;
    if (parse_at(p, TOK_CLOSE)) parse_fail(p, p->tok.place, "by() needs what to group by, such as by(name)");
    struct ql_expr *e = parse_expr(p);
    if (!e) return false;
    if (!expr_reads_span(e) || expr_is_bare_parent(e)) {
        parse_fail(p, e->place,
                   "by(%.*s) would be the same for all spans; it needs an attribute or an intrinsic",
                   STR_ARG(quote_cut(place_text(p->text, e->place))));
        return false;
    }
    parse_want(p, QL_WANT_CLOSE);
    if (parse_at(p, TOK_COMMA))
        parse_fail(p, p->tok.place, "by() takes one expression here; for more write | by(a) | by(b)");
    if (!parse_expect(p, TOK_CLOSE, "an operator or )")) return false;
    s->by = e;
    grow(l, e);
    s->place = place_from(p, from);
    s->label = label_of(p, print_by, e);
    return p->err == ERR_OK;
}

static bool coalesce(struct parser *p, struct line *l) {
    uint32_t from = p->tok.place.from;
    bool first = l->n == 0;
    struct ql_stage *s = stage_new(p, l, QL_STAGE_COALESCE);
    parse_advance(p);
    parse_want(p, QL_WANT_OPEN);
    if (!s || !parse_expect(p, TOK_OPEN, "coalesce()")) return false;
    parse_want(p, QL_WANT_CLOSE);
    if (!parse_expect(p, TOK_CLOSE, "coalesce(), which takes nothing")) return false;
    s->place = place_from(p, from);
    if (first)
        parse_fail(p, s->place, "coalesce() joins sets that were made before it; it cannot come first");
    return p->err == ERR_OK;
}

static bool select_fields(struct parser *p, struct line *l) {
    uint32_t from = p->tok.place.from, n = 0;
    struct field *fields = NULL;
    struct ql_stage *s = stage_new(p, l, QL_STAGE_SELECT);
    parse_advance(p);
    parse_want(p, QL_WANT_OPEN);
    if (!s || !parse_expect(p, TOK_OPEN, "select(…)")) return false;
    do {
        if (!list_room(p, &fields, n, sizeof *fields) || !parse_field(p, &fields[n++], "select()"))
            return false;
        parse_want(p, QL_WANT_COMMA | QL_WANT_CLOSE);
    } while (parse_accept(p, TOK_COMMA));
    if (!parse_expect(p, TOK_CLOSE, ", or )")) return false;
    s->fields = fields;
    s->n_fields = n;
    s->place = place_from(p, from);
    return true;
}

// --- lines -------------------------------------------------------------------------------------------

bool pipeline_has_several(const struct ql_pipeline *pl) {
    bool several = false;
    for (uint32_t i = 0; i < pl->n_stages; i++) {
        const struct ql_stage *s = &pl->stages[i];
        if (s->kind == QL_STAGE_BY) several = true;
        if (s->kind == QL_STAGE_COALESCE) several = false;
    }
    return several;
}

const struct ql_pipeline *line_pipeline(struct parser *p, const struct line *l) {
    struct ql_pipeline *pl = ARENA_NEW(p->arena, struct ql_pipeline);
    if (!pl) return parse_nomem(p);
    pl->stages = l->stages;
    pl->n_stages = l->n;
    return pl;
}

// A pipeline in parentheses that begins a pipeline is its beginning.
static bool splice(struct parser *p, struct line *l, const struct ql_pipeline *inner) {
    for (uint32_t i = 0; i < inner->n_stages; i++) {
        struct ql_stage *s = stage_new(p, l, QL_STAGE_BY);
        if (!s) return false;
        *s = inner->stages[i];
    }
    return true;
}

static bool add_spanset(struct parser *p, struct line *l, const struct item *i) {
    grow(l, i->spanset);
    if (i->spanset->kind == QL_WRAPPED && l->n == 0) return splice(p, l, i->spanset->pipeline);
    if (i->spanset->kind == QL_WRAPPED && pipeline_has_several(i->spanset->pipeline)) {
        parse_fail(p, i->place,
                   "this pipeline makes several sets of spans of one; add | coalesce() to it, or leave "
                   "its parentheses out");
        return false;
    }
    struct ql_stage *s = stage_new(p, l, QL_STAGE_SPANSET);
    if (!s) return false;
    s->spanset = i->spanset;
    s->place = i->place;
    return true;
}

static bool add_compare(struct parser *p, struct line *l, const struct item *i) {
    struct ql_stage *s = stage_new(p, l, QL_STAGE_SCALAR);
    if (!s) return false;
    s->left = i->left;
    s->right = i->right;
    grow(l, i->left);
    grow(l, i->right);
    s->op = i->op;
    s->place = i->place;
    if (i->left->kind == QL_SCALAR_AGGREGATE) s->label = label_of(p, print_aggregate, i->left);
    return p->err == ERR_OK;
}

static bool add_scalar(struct parser *p, struct line *l, const struct item *i) {
    struct str text = quote_cut(place_text(p->text, i->place));
    if (l->n && !scalar_has_aggregate(i->left)) {
        parse_fail(p, i->place, "%.*s alone is no stage; a filter is written { … }", STR_ARG(text));
        return false;
    }
    if (parse_at(p, TOK_PIPE))
        parse_fail(p, i->place, "%.*s must be compared with something; probably meant: %.*s > 1",
                   STR_ARG(text), STR_ARG(text));
    l->scalar = i->left;
    return p->err == ERR_OK;
}

static bool item(struct parser *p, struct line *l) {
    struct item i;
    if (!parse_item(p, &i)) return false;
    switch (i.kind) {
    case ITEM_SPANSET: return add_spanset(p, l, &i);
    case ITEM_COMPARE: return add_compare(p, l, &i);
    case ITEM_SCALAR: return add_scalar(p, l, &i);
    case ITEM_METRIC:
    default: break;
    }
    if (l->n) {
        parse_fail(p, i.place, "metrics between parentheses cannot come behind a pipe");
        return false;
    }
    l->metric = metric_seconds(p, i.metric);
    return l->metric != NULL;
}

static bool unknown_stage(struct parser *p, bool first) {
    static const char stages[] =
        "by select coalesce count min max avg sum rate count_over_time min_over_time "
        "max_over_time avg_over_time sum_over_time quantile_over_time histogram_over_time "
        "compare topk bottomk with";
    struct str w = parse_text(p), cut = quote_cut(w), meant = suggest(w, stages);
    static const struct {
        const char *word, *meant;
    } others[] = { { "groupby", "by" },    { "group", "by" },
                   { "where", "{ … }" },   { "filter", "{ … }" },
                   { "fields", "select" }, { "project", "select" },
                   { "top", "topk" },      { "quantile", "quantile_over_time" },
                   { "limit", "topk" },    { "histogram", "histogram_over_time" } };
    for (size_t k = 0; k < sizeof others / sizeof *others; k++)
        if (str_eq_nocase(w, str_of(others[k].word))) meant = str_of(others[k].meant);
    struct value v;
    enum intrinsic i;
    if (parse_at_word(p, "topk") || parse_at_word(p, "bottomk"))
        parse_fail(p, p->tok.place,
                   "%.*s() comes behind a metrics function: { } | rate() by(name) | %.*s(10)", STR_ARG(cut),
                   STR_ARG(cut));
    else if (parse_at_word(p, "with"))
        parse_fail(p, p->tok.place, "with(…) comes at the end without a pipe before it");
    else if (name_literal(w, &v) || name_unscoped(w, &i))
        return true; // the item says it better
    else if (meant.len)
        parse_fail(p, p->tok.place, "unknown stage %.*s; probably meant: %.*s", STR_ARG(cut), STR_ARG(meant));
    else if (first)
        parse_fail(p, p->tok.place, "unknown word %.*s; a query begins with a filter { … }", STR_ARG(cut));
    else
        parse_fail(p, p->tok.place,
                   "unknown stage %.*s; there are { … }, by, select, coalesce, count, min, max, "
                   "avg, sum and the functions of metrics",
                   STR_ARG(cut));
    return false;
}

static bool stage(struct parser *p, struct line *l) {
    enum ql_function f;
    parse_want(p, QL_WANT_STAGE);
    if (l->n) parse_want(p, QL_WANT_FUNCTION);
    if (parse_at_word(p, "by")) return by(p, l);
    if (parse_at_word(p, "select")) return select_fields(p, l);
    if (parse_at_word(p, "coalesce")) return coalesce(p, l);
    if (l->n && parse_at_function(p, &f)) {
        const struct ql_metric *m = parse_function(p, l);
        if (m) l->metric = metric_seconds(p, m);
        return l->metric != NULL;
    }
    bool nothing = p->tok.kind == TOK_END || p->tok.kind == TOK_PIPE || p->tok.kind == TOK_CLOSE;
    if (l->n && nothing) {
        parse_want(p, QL_WANT_FILTER | QL_WANT_AGGREGATE);
        parse_expected(p, "a stage: { … }, by(…), select(…), count() > 1 or a metrics function");
        return false;
    }
    bool known = p->tok.kind != TOK_WORD || parse_at_aggregate(p) || parse_at_function(p, &f);
    return (known || unknown_stage(p, l->n == 0)) && item(p, l);
}

bool parse_line(struct parser *p, struct line *out) {
    uint32_t from = p->tok.place.from;
    *out = (struct line){ 0 };
    do {
        if (!stage(p, out)) return false;
        out->place = place_from(p, from);
        if (!out->metric && !out->scalar) parse_want(p, QL_WANT_PIPE);
    } while (!out->metric && parse_accept(p, TOK_PIPE));
    return p->err == ERR_OK;
}

// --- the query ---------------------------------------------------------------------------------------

static void behind_the_end(struct parser *p, const struct line *l) {
    char found[64];
    enum ql_function f;
    (void)token_text(p, found);
    bool a_stage = parse_at_word(p, "select") || parse_at_word(p, "coalesce") || parse_at_aggregate(p) ||
                   parse_at_function(p, &f) || parse_at_word(p, "topk") || parse_at_word(p, "bottomk") ||
                   parse_at_word(p, "by");
    bool words = parse_at_word(p, "and") || parse_at_word(p, "AND"),
         ors = parse_at_word(p, "or") || parse_at_word(p, "OR");
    if (p->tok.kind == TOK_BRACE_CLOSE || p->tok.kind == TOK_CLOSE)
        parse_fail(p, p->tok.place, "this %s closes nothing", found);
    else if (p->tok.kind == TOK_BRACE_OPEN || p->tok.kind == TOK_OPEN)
        parse_fail(p, p->tok.place, "an operator is missing before this %s: && || >> > << < ~ or |", found);
    else if (words || ors)
        parse_fail(p, p->tok.place, "%s is no operator; probably meant: %s", found, words ? "&&" : "||");
    else if (a_stage)
        parse_fail(p, p->tok.place, "a | is missing before %s", found);
    else if (l->metric && op_counts(op_of(p->tok.kind)))
        parse_fail(p, p->tok.place, "arithmetic needs metrics in parentheses: ( … | rate() ) %s …", found);
    else if (l->metric && p->tok.kind == TOK_PIPE)
        parse_fail(p, p->tok.place, "behind a metrics function come only topk(), bottomk() and comparisons");
    else
        parse_expected(p, l->metric ? "| topk(), a comparison, with(…) or the end"
                                    : "an operator, a | or the end");
}

struct ql_query *parse_query(struct parser *p) {
    struct line l;
    struct ql_query *q = ARENA_NEW(p->arena, struct ql_query);
    if (!q) return parse_nomem(p);
    if (!parse_line(p, &l)) return NULL;
    if (l.scalar && !scalar_has_aggregate(l.scalar))
        return parse_fail(p, l.scalar->place, "a number alone is no query; a filter is written { … }");
    if (l.scalar) {
        struct str text = quote_cut(place_text(p->text, l.scalar->place));
        return parse_fail(
            p, l.scalar->place,
            "%.*s alone is no answer; compare it, such as %.*s > 1, or count over time with rate()",
            STR_ARG(text), STR_ARG(text));
    }
    if (!parse_hints(p, q)) return NULL;
    if (p->tok.kind != TOK_END) {
        behind_the_end(p, &l);
        return NULL;
    }
    q->text = p->text;
    q->is_metrics = l.metric != NULL;
    q->metric = l.metric;
    if (!l.metric) q->pipeline = line_pipeline(p, &l);
    q->regexes = p->regexes;
    return p->err == ERR_OK ? q : NULL;
}

void regexes_free(struct ql_regex *list) {
    while (list) {
        struct ql_regex *next = list->next;
        ql_regex_free(list);
        list = next;
    }
}

enum err ql_parse(struct arena *a, struct str text, struct ql_query **out, struct err_ctx *ctx) {
    struct parser p;
    TRY(parse_check_text(text, "query", ctx));
    text = str_dup(a, text);
    if (!text.ptr) return ERR_NOMEM;
    parser_init(&p, a, text, ctx);
    struct ql_query *q = p.err == ERR_OK ? parse_query(&p) : NULL;
    if (a->failed) p.err = ERR_NOMEM;
    if (p.err == ERR_OK && q)
        *out = q;
    else
        regexes_free(p.regexes);
    return p.err;
}

void ql_free(struct ql_query *q) {
    if (q) regexes_free(q->regexes);
}
