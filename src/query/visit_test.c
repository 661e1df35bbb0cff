// SPDX-License-Identifier: Apache-2.0
// Each span once, wherever it lies, with its values; and errors that end a visit.
#include "query/visit.h"

#include "query/fixture_test.h"

struct seen {
    uint32_t n, errors;
    uint64_t ms;
    enum err end;
    uint8_t traces[64];
};

static enum err see(void *ctx, const struct visit_span *s) {
    struct seen *x = ctx;
    x->n++;
    x->errors += s->values[1].type == VALUE_STATUS && s->values[1].i == 2;
    x->ms += (uint64_t)s->values[2].i / 1000000;
    CHECK(s->values[0].type == VALUE_STRING && str_starts(s->values[0].s, STR("op")));
    CHECK(s->start_ns >= TRIAL_NOW_NS);
    x->traces[s->trace_id[15] % 64]++;
    return x->end;
}

static enum err visit(struct view *v, const char *filter, struct seen *out, struct visit_answer *answer) {
    static const char *const fields[] = { "name", "status", "duration" };
    struct err_ctx ctx = { 0 };
    struct visit q = { .filter = str_of(filter),
                       .fields = fields,
                       .n_fields = 3,
                       .bounds = { .clock = clock_real(), .start_ns = 1, .end_ns = TRIAL_NOW_NS * 2 },
                       .each = see,
                       .ctx = out };
    return visit_run(v, &q, answer, &ctx);
}

// Two traces; the second is sent again into another block, with one span more.
static void fill(struct trial *t) {
    uint64_t at = TRIAL_NOW_NS;
    struct spec first[] = { { 1, 1, 0, at, at + 5000000, "shop", "op a", false },
                            { 1, 2, 1, at + 1, at + 3000001, "cart", "op b", true } };
    struct spec second[] = { { 2, 1, 0, at, at + 7000000, "shop", "op a", true },
                             { 2, 2, 1, at + 1, at + 2000001, "shop", "op b", false } };
    trial_start(t, (struct trial_opts){ .cut_spans = 1000000, .mem_store = true });
    CHECK_OK(submit_specs(t, first, 2));
    CHECK_OK(submit_specs(t, second, 1));
    CHECK_OK(trial_flush(t));
    CHECK_OK(submit_specs(t, second, 2));
}

TEST(visit_gives_each_span_once) {
    struct trial t;
    struct visit_answer answer;
    fill(&t);
    struct view *v = ingest_view(t.in);
    struct seen shop = { 0 }, failing = { 0 }, roots = { 0 }, none = { 0 }, one = { .end = ERR_EXISTS };
    CHECK_OK(visit(v, "{ resource.service.name = \"shop\" }", &shop, &answer));
    CHECK(!answer.partial);
    CHECK_U64(shop.n, 3);
    CHECK_U64(shop.ms, 5 + 7 + 2);
    CHECK(shop.traces[1] == 1 && shop.traces[2] == 2);
    CHECK_OK(visit(v, "{ status = error }", &failing, &answer));
    CHECK(failing.n == 2 && failing.errors == 2);
    CHECK_OK(visit(v, "{ resource.service.name = \"cart\" } << { span:parentID = \"\" }", &roots, &answer));
    CHECK(roots.n == 1 && roots.traces[1] == 1);
    CHECK_OK(visit(v, "{ resource.service.name = \"nobody\" }", &none, &answer));
    CHECK_U64(none.n, 0);
    CHECK(visit(v, "{ }", &one, &answer) == ERR_EXISTS);
    CHECK_U64(one.n, 1);
    CHECK(visit(v, "{ oops", &none, &answer) == ERR_INVALID);
    view_unref(v);
    trial_fini(&t);
}

TEST(visit_quotes_what_is_in_a_name) {
    static const char *const names[] = { "", "shop", "a\"b\\c", "new\nline", "`tick`" };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        struct arena a;
        struct buf b;
        struct ql_query *q;
        struct err_ctx ctx = { 0 };
        arena_init(&a, SIZE_MAX, NULL);
        buf_init(&b, SIZE_MAX);
        buf_str(&b, STR("{ name = "));
        visit_quote(&b, str_of(names[i]));
        buf_str(&b, STR(" }"));
        CHECK_OK(ql_parse(&a, buf_view(&b), &q, &ctx));
        CHECK_STR(q->pipeline->stages[0].spanset->filter->right->value.s, str_of(names[i]));
        ql_free(q);
        buf_fini(&b);
        arena_fini(&a);
    }
}

TEST(visit_survives_a_lack_of_memory) {
    struct trial t;
    fill(&t);
    struct view *v = ingest_view(t.in);
    for (uint64_t at = 1; at < 400; at += 1 + at / 20) {
        struct visit_answer answer;
        struct seen x = { 0 };
        mem_fail_at(at, true);
        enum err e = visit(v, "{ }", &x, &answer);
        mem_fail_at(0, false);
        CHECK(e == ERR_OK || e == ERR_NOMEM);
        CHECK(e != ERR_OK || x.n == 4 || answer.partial);
    }
    view_unref(v);
    trial_fini(&t);
}
