// SPDX-License-Identifier: Apache-2.0
// The trace that the language's documentation tells about, judged by every operator.
#include "exec/plan.h"

#include "base/test.h"
#include "span/table_batch.h"

struct spec {
    const char *name, *service;
    char parent; // name of the parent; 0 = none
    uint64_t start_ms, duration_ms;
    uint8_t status;
};

static const struct spec worked[] = {
    { "A", "web", 0, 0, 100, 0 },
    { "B", "api", 'A', 10, 60, 2 },
    { "C", "db", 'B', 20, 10, 0 },
    { "D", "api", 'A', 30, 5, 0 },
};

static void add(struct span_table *t, const struct spec *s) {
    struct buf raw, entity, rest;
    uint32_t resource, scope;
    buf_init(&raw, 1000);
    buf_init(&entity, 1000);
    buf_init(&rest, 1000);
    // Entity { message: Resource { attributes: [{ key: service.name, value: { string } }] } }
    struct str service = str_of(s->service);
    buf_fmt(&raw, "%c%c%c%cservice.name%c%c%c%c", 10, (int)(18 + service.len), 10, 12, 18,
            (int)(2 + service.len), 10, (int)service.len);
    buf_str(&raw, service);
    buf_fmt(&entity, "%c%c", 10, (int)raw.len);
    buf_str(&entity, buf_view(&raw));
    CHECK_OK(span_table_resource(t, buf_view(&entity), service, &resource));
    CHECK_OK(span_table_scope(t, STR(""), &scope));
    struct span_in in = { .trace_id = (const uint8_t *)"0123456789abcdef",
                          .span_id = (uint64_t)s->name[0],
                          .parent_id = (uint64_t)s->parent,
                          .start_ns = s->start_ms * 1000000,
                          .end_ns = (s->start_ms + s->duration_ms) * 1000000,
                          .name = str_of(s->name),
                          .trace_state = STR(""),
                          .status_message = STR(""),
                          .resource = resource,
                          .scope = scope,
                          .status = s->status };
    CHECK_OK(span_table_add(t, &in, &rest));
    buf_fini(&raw);
    buf_fini(&entity);
    buf_fini(&rest);
}

// "{A B}[count()=2]{C}": the sets of the only trace, spans by name, attributes behind.
static void judge(struct rows *rows, const struct plan *p, struct arena *scratch, struct buf *out) {
    static const struct field name = { .scope = FIELD_SPAN, .intrinsic = INTRINSIC_NAME };
    struct plan_bits bits;
    const struct match_set *sets;
    uint32_t n, name_field;
    CHECK_OK(plan_filter(p, rows, NULL, &bits));
    CHECK_OK(plan_match(p, rows, &bits, 0, scratch, &sets, &n));
    CHECK_OK(rows_field_of(rows, &name, &name_field));
    CHECK_OK(rows_want(rows, name_field, NULL));
    for (uint32_t i = 0; i < n; i++) {
        buf_char(out, '{');
        for (uint32_t k = 0; k < sets[i].n; k++) {
            if (k) buf_char(out, ' ');
            buf_str(out, rows_value(rows, name_field, sets[i].rows[k]).s);
        }
        buf_char(out, '}');
        for (uint32_t k = 0; k < sets[i].n_attrs; k++) {
            buf_fmt(out, "[%.*s=", STR_ARG(sets[i].attrs[k].label));
            value_text(&sets[i].attrs[k].value, out);
            buf_char(out, ']');
        }
    }
}

static void check(const char *query, const char *want) {
    struct span_table t;
    struct table_index x;
    struct table_batch b;
    struct arena batch, plan_arena, scratch;
    struct ql_query *q;
    struct plan *p;
    struct rows *rows;
    struct err_ctx ctx = { 0 };
    struct buf got;
    buf_init(&got, 10000);
    arena_init(&batch, SIZE_MAX, NULL);
    arena_init(&plan_arena, SIZE_MAX, NULL);
    arena_init(&scratch, SIZE_MAX, NULL);
    span_table_init(&t, SIZE_MAX, NULL);
    for (size_t i = 0; i < sizeof worked / sizeof *worked; i++) add(&t, &worked[i]);
    span_table_publish(&t);
    CHECK_OK(table_index_make(&t, t.n, &x));
    table_batch_open(&b, &t, &x, &batch);
    if (ql_parse(&plan_arena, str_of(query), &q, &ctx) != ERR_OK) {
        printf("# %s: %s\n", query, ctx.text);
        CHECK(!"parses");
    }
    CHECK_OK(plan_new(&plan_arena, q->pipeline, &p));
    CHECK_OK(rows_new(&b.batch, p->fields, p->n_fields, &rows));
    judge(rows, p, &scratch, &got);
    if (!str_eq(buf_view(&got), str_of(want))) printf("# %s\n", query);
    CHECK_STR(buf_view(&got), str_of(want));
    ql_free(q);
    table_index_fini(&x);
    span_table_fini(&t);
    arena_fini(&batch);
    arena_fini(&plan_arena);
    arena_fini(&scratch);
    buf_fini(&got);
}

TEST(plan_pipelines_of_the_worked_examples) {
    check("{}", "{A B C D}");
    check("{ resource.service.name = \"api\" }", "{B D}");
    check("{ resource.service.name = \"api\" } | count() > 1", "{B D}[count()=2]");
    check("{} | by(resource.service.name)",
          "{B D}[by(resource.service.name)=api]{C}[by(resource.service.name)=db]"
          "{A}[by(resource.service.name)=web]");
    check("{} | by(resource.service.name) | count() > 1", "{B D}[by(resource.service.name)=api][count()=2]");
    check("{} | by(resource.service.name) | count() > 1 | coalesce()", "{B D}");
    check("{ status = error } | select(resource.service.name, span:duration)", "{B}");
    check("{} | avg(duration) > 40ms", "{A B C D}[avg(duration)=43.75ms]");
    check("{} | max(duration) < 1s | sum(duration) > 100ms",
          "{A B C D}[max(duration)=100ms][sum(duration)=175ms]");
    check("{ name = \"A\" } | count() > 1", "");
    check("{} | count() > 2 | { name = \"B\" }", "{B}[count()=4]");
    check("({ name = \"A\" } | count()) < ({ resource.service.name = \"api\" } | count())", "{A B C D}");
    check("{} | min(duration) * 2 = 10ms", "{A B C D}");
}

TEST(plan_operators_of_the_worked_examples) {
    check("{name=\"A\"} && {name=\"C\"}", "{A C}");
    check("{name=\"A\"} && {name=\"zzz\"}", "");
    check("{name=\"A\"} || {name=\"zzz\"}", "{A}");
    check("{name=\"A\"} >> {}", "{B C D}");
    check("{name=\"A\"} > {}", "{B D}");
    check("{name=\"C\"} << {}", "{A B}");
    check("{name=\"C\"} < {}", "{B}");
    check("{name=\"B\"} ~ {}", "{D}");
    check("{name=\"B\"} !>> {}", "{A B D}");
    check("{name=\"zzz\"} !>> {}", "{A B C D}");
    check("{name=\"A\"} !> {}", "{A C}");
    check("{name=\"C\"} !<< {}", "{C D}");
    check("{name=\"C\"} !< {}", "{A C D}");
    check("{name=\"B\"} !~ {}", "{A B C}");
    check("{name=\"A\"} &> {status=error}", "{A B}");
    check("{name=\"A\"} &>> {name=\"C\"}", "{A C}");
    check("{name=\"C\"} &<< {name=\"A\"}", "{A C}");
    check("{name=\"C\"} &< {name=\"B\"}", "{B C}");
    check("{name=\"B\"} &~ {name=\"D\"}", "{B D}");
    check("({} | count() > 2) >> ({ status = error })", "{B}");
}

TEST(plan_fields_that_follow_from_the_tree) {
    check("{ nestedSetParent < 0 }", "{A}");
    check("{ nestedSetLeft = 2 && nestedSetRight = 5 }", "{B}");
    check("{ nestedSetParent = 2 }", "{C}");
    check("{ span:childCount = 2 }", "{A}");
    check("{ parent = nil }", "{A}");
    check("{ parent != nil }", "{B C D}");
    check("{ parent.resource.service.name = \"web\" }", "{B D}");
    check("{ rootName = \"A\" && duration < 50ms }", "{C D}");
    check("{ traceDuration >= 100ms && rootServiceName = \"web\" }", "{A B C D}");
    check("{ !(name = \"A\") && !(status = error) }", "{C D}");
    check("{ duration > 5ms * 2 && name =~ \"A|B|D\" }", "{A B}");
    check("{ span:parentID = \"\" }", "{A}");
    check("{ .missing != 1 || status = error }", "{B}");
    check("{ .missing = nil && kind = unspecified }", "{A B C D}");
}

// --- before a batch is opened ------------------------------------------------------------------------

// Knows "there" of every field, and counts what it was asked.
static enum err knows(void *ctx, const struct field *f, struct str text, bool *out) {
    uint32_t *asked = ctx;
    (*asked)++;
    *out = f->scope != FIELD_EVENT ? str_eq(text, STR("there")) : str_eq(text, STR("event"));
    return ERR_OK;
}

static void check_touch(const char *query, bool want) {
    struct arena a;
    struct ql_query *q;
    struct plan *p;
    struct err_ctx ctx = { 0 };
    uint32_t asked = 0;
    bool may;
    arena_init(&a, SIZE_MAX, NULL);
    CHECK_OK(ql_parse(&a, str_of(query), &q, &ctx));
    CHECK_OK(plan_new(&a, q->pipeline, &p));
    CHECK_OK(plan_may_touch(p, &(struct filter_ask){ knows, &asked }, &may));
    if (may != want) printf("# %s\n", query);
    CHECK(may == want);
    ql_free(q);
    arena_fini(&a);
}

TEST(plan_touches_what_may_hold_its_texts) {
    check_touch("{}", true);
    check_touch("{ span.a = \"there\" }", true);
    check_touch("{ span.a = \"gone\" }", false);
    check_touch("{ \"gone\" = span.a }", false);
    check_touch("{ span.a = \"there\" && span.b = \"gone\" }", false);
    check_touch("{ span.a = \"gone\" || span.b = \"there\" }", true);
    check_touch("{ span.a = \"gone\" || span.b = \"gone\" }", false);
    check_touch("{ !(span.a = \"gone\") }", true);
    check_touch("{ span.a != \"gone\" }", true);
    check_touch("{ span.a =~ \"gone\" }", true);
    check_touch("{ span.a = 1 && span.b = true }", true);
    check_touch("{ span.a = \"gone\" && duration > 1s }", false);
    check_touch("{ event.a = \"event\" && event.b = \"event\" }", true);
    check_touch("{ event.a = \"event\" && event.b = \"there\" }", false);
    check_touch("{ .a = \"event\" }", true); // of some scope
    check_touch("{ .a = \"gone\" }", false);
    check_touch("{ parent.span.a = \"gone\" }", true);
    check_touch("{ span.a = \"gone\" } >> { span.a = \"gone\" }", false);
    check_touch("{ span.a = \"gone\" } !>> { span.a = \"there\" }", true);
    check_touch("{ span.a = \"gone\" } | count() > 1", false);
    check_touch("count() > 1", true);
    check_touch("count() > 1 | { span.a = \"gone\" }", true);
    check_touch("{ span.a = span.b }", true);
}
