// SPDX-License-Identifier: Apache-2.0
// What the tree says, beyond what printing shows.
#include "base/test.h"
#include "traceql/traceql.h"

static struct arena arena;

static struct ql_query *parse(const char *text) {
    struct ql_query *q = NULL;
    struct err_ctx ctx = { 0 };
    arena_init(&arena, 16 << 20, NULL);
    CHECK_OK(ql_parse(&arena, test_exact(str_of(text)), &q, &ctx));
    CHECK(ctx.text[0] == '\0');
    CHECK_STR(q->text, str_of(text));
    return q;
}

static void done(struct ql_query *q) {
    ql_free(q);
    arena_fini(&arena);
}

static struct str at(const struct ql_query *q, struct ql_place p) {
    CHECK(p.from <= q->text.len && p.len <= q->text.len - p.from);
    return str_sub(q->text, p.from, p.len);
}

TEST(tree_of_a_search) {
    struct ql_query *q = parse("{ true } | by(resource.service.name) | { .c || name =~ \"a.\" } | "
                               "avg(duration) > 1s | count() + 1 > 2 | coalesce() | select(.a, span.b)");
    const struct ql_stage *s = q->pipeline->stages;
    CHECK(!q->is_metrics && !q->metric && q->pipeline->n_stages == 7 && q->n_hints == 0 && q->regexes);
    CHECK(s[0].kind == QL_STAGE_SPANSET && s[0].spanset->kind == QL_FILTER && !s[0].spanset->filter);
    CHECK(s[1].kind == QL_STAGE_BY && s[1].by->type == QL_UNKNOWN);
    CHECK_STR(s[1].label, STR("by(resource.service.name)"));
    CHECK_STR(at(q, s[1].place), STR("by(resource.service.name)"));
    done(q);
}

TEST(tree_of_expressions) {
    struct ql_query *q = parse("{ name =~ \"a.\" && .b != 1 + 2 }");
    const struct ql_expr *e = q->pipeline->stages[0].spanset->filter;
    CHECK(e->kind == QL_BINARY && e->op == QL_AND && e->type == VALUE_BOOL);
    CHECK(e->left->op == QL_MATCH && e->left->regex && e->left->left->type == VALUE_STRING);
    CHECK(e->left->left->field.intrinsic == INTRINSIC_NAME && e->left->right->value.type == VALUE_STRING);
    CHECK(e->right->left->type == QL_UNKNOWN && e->right->left->field.intrinsic == INTRINSIC_NONE);
    CHECK_STR(e->right->left->field.key, STR("b"));
    CHECK(e->right->right->kind == QL_CONST && e->right->right->value.i == 3);
    CHECK_STR(at(q, e->right->place), STR(".b != 1 + 2"));
    CHECK_STR(at(q, e->right->right->place), STR("1 + 2"));
    done(q);
}

TEST(tree_of_types) {
    static const struct {
        const char *text;
        int type; // of the left side of the comparison
    } cases[] = {
        { "{ duration = 1 }", VALUE_DURATION },
        { "{ duration * 2 = 1 }", VALUE_DURATION },
        { "{ duration / 2.5 = 1 }", VALUE_DURATION },
        { "{ duration / 1s = 1 }", VALUE_FLOAT },
        { "{ duration * 1s = 1 }", VALUE_FLOAT },
        { "{ duration % 1s = 1 }", VALUE_DURATION },
        { "{ duration ^ 2 = 1 }", VALUE_FLOAT },
        { "{ span:childCount + 1 = 1 }", VALUE_INT },
        { "{ span:childCount / 2 = 1 }", VALUE_INT },
        { "{ span:childCount * 1.5 = 1 }", VALUE_FLOAT },
        { "{ span:childCount ^ 2 = 1 }", QL_UNKNOWN },
        { "{ .a + 1 = 1 }", QL_UNKNOWN },
        { "{ -duration = 1 }", VALUE_DURATION },
        { "{ .a = 1 }", QL_UNKNOWN },
        { "{ status = 1 }", VALUE_STATUS },
        { "{ !.a = true }", VALUE_BOOL },
        { "{ rootName = \"a\" }", VALUE_STRING },
        { "{ 1s - duration = 1 }", VALUE_DURATION },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct ql_query *q = parse(cases[i].text);
        CHECK(q->pipeline->stages[0].spanset->filter->left->type == cases[i].type);
        done(q);
    }
}

TEST(tree_of_scalars) {
    struct ql_query *q =
        parse("{ } | avg(duration) > 1s | avg(span:childCount) > 1 | -max(.a) < 2 | 1 < count()");
    const struct ql_stage *s = q->pipeline->stages;
    CHECK(s[1].left->aggregate == QL_AVG && s[1].left->type == VALUE_DURATION && s[1].op == QL_GT);
    CHECK(s[1].right->kind == QL_SCALAR_CONST && s[1].right->value.i == 1000000000);
    CHECK_STR(s[1].label, STR("avg(duration)"));
    CHECK(s[2].left->type == VALUE_FLOAT);
    CHECK(s[3].left->kind == QL_SCALAR_OP && s[3].left->op == QL_NEG && s[3].left->type == QL_UNKNOWN);
    CHECK(s[3].label.len == 0 && s[4].label.len == 0 && s[4].right->aggregate == QL_COUNT);
    CHECK(s[4].right->type == VALUE_INT && !s[4].right->of);
    done(q);
    q = parse("({ .a } | max(.b)) >= ({ .c } | count() > 1 | count())");
    s = q->pipeline->stages;
    CHECK(q->pipeline->n_stages == 1 && s->kind == QL_STAGE_SCALAR && s->op == QL_GE);
    CHECK(s->left->kind == QL_SCALAR_PIPELINE && s->left->pipeline->n_stages == 1);
    CHECK(s->left->left->aggregate == QL_MAX && s->right->pipeline->n_stages == 2);
    done(q);
}

TEST(tree_of_sets) {
    struct ql_query *q = parse("({ .a } | count() > 1) &>> { .b } !~ { .c }");
    const struct ql_spanset *s = q->pipeline->stages[0].spanset;
    CHECK(s->kind == QL_RELATION && s->relation == QL_REL_SIBLING && s->negated && !s->both);
    CHECK(s->left->relation == QL_REL_DESCENDANT && s->left->both && !s->left->negated);
    CHECK(s->left->left->kind == QL_WRAPPED && s->left->left->pipeline->n_stages == 2);
    CHECK_STR(at(q, s->left->left->place), STR("({ .a } | count() > 1)"));
    done(q);
}

TEST(tree_of_metrics) {
    struct ql_query *q =
        parse("{ .a } | quantile_over_time(duration, 0.5, 1) by(name, .b) > 100ms | topk(3)");
    const struct ql_metric *m = q->metric;
    CHECK(q->is_metrics && !q->pipeline && m->kind == QL_METRIC_FUNCTION);
    CHECK(m->function == QL_QUANTILE_OVER_TIME && m->of.intrinsic == INTRINSIC_DURATION &&
          m->n_quantiles == 2);
    CHECK(m->quantiles[0] == 0.5 && m->quantiles[1] == 1 && m->n_by == 2 && m->n_seconds == 2);
    CHECK(m->seconds[0].kind == QL_KEEP && m->seconds[0].op == QL_GT && m->seconds[0].value == 0.1);
    CHECK(m->seconds[1].kind == QL_TOPK && m->seconds[1].k == 3);
    CHECK_STR(m->text, STR("{ .a } | quantile_over_time(duration, 0.5, 1) by(name, .b)"));
    done(q);
    q = parse("({ } | rate()) / ({ .a } | rate()) * 100 > 5");
    m = q->metric;
    CHECK(m->kind == QL_METRIC_OP && m->op == QL_MUL && m->n_seconds == 1 && m->seconds[0].value == 5);
    CHECK(m->right->kind == QL_METRIC_CONST && m->right->value == 100 && m->left->op == QL_DIV);
    CHECK_STR(m->text, STR("({ } | rate()) / ({ .a } | rate()) * 100"));
    CHECK_STR(m->left->left->text, STR("{ } | rate()"));
    done(q);
    q = parse("{ } | compare({ .a = 1 }, 7, 5, 9)");
    CHECK(q->metric->top == 7 && q->metric->from_ns == 5 && q->metric->to_ns == 9 && q->metric->selection);
    done(q);
    q = parse("{ } | compare({ })");
    CHECK(q->metric->top == 10 && q->metric->to_ns == 0 && !q->metric->selection);
    done(q);
}

TEST(tree_of_hints) {
    struct ql_query *q =
        parse("{ } with(most_recent=true, exemplars=3, exemplars=false, sample=0.1, sample=true, "
              "most_recent=1, exemplars=-1, sample=2, nobody=\"x\")");
    static const enum ql_hint_kind want[] = { QL_HINT_MOST_RECENT, QL_HINT_EXEMPLARS, QL_HINT_EXEMPLARS,
                                              QL_HINT_SAMPLE,      QL_HINT_SAMPLE,    QL_HINT_OTHER,
                                              QL_HINT_OTHER,       QL_HINT_OTHER,     QL_HINT_OTHER };
    CHECK(q->n_hints == 9);
    for (int i = 0; i < 9; i++) CHECK(q->hints[i].kind == want[i]);
    CHECK_STR(q->hints[8].name, STR("nobody"));
    done(q);
}
