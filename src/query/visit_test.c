// SPDX-License-Identifier: Apache-2.0
// Each span once, wherever it lies, with its values; and errors that end a visit.
#include "query/visit.h"

#include "base/pb.h"
#include "query/fixture_test.h"
#include "span/wire.h"

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

struct alone {
    _Atomic bool is_inside;
    uint32_t n;
    struct query_memory *memory;
    uint64_t most; // taken of it
};

static enum err see_alone(void *ctx, const struct visit_span *s) {
    struct alone *x = ctx;
    struct query_memory_stats now;
    CHECK(!atomic_exchange(&x->is_inside, true) && s->values[0].type == VALUE_STRING);
    query_memory_stats(x->memory, &now);
    if (now.bytes > x->most) x->most = now.bytes;
    x->n++;
    x->is_inside = false;
    return ERR_OK;
}

// By one thread at a time, however many make spans ready; what they took is given back.
TEST(visit_by_several_threads_gives_one_by_one) {
    enum { TRACES = 300, PARTS = 4 };
    static const char *const fields[] = { "name" };
    struct trial t;
    struct crew *crew;
    struct alone x = { .n = 0 };
    struct visit_answer answer;
    struct err_ctx ctx = { 0 };
    struct query_memory_stats now;
    trial_start(&t, (struct trial_opts){ .cut_spans = 1000000, .mem_store = true });
    for (uint64_t part = 0; part < PARTS; part++) {
        struct spec s[TRACES];
        for (uint64_t i = 0; i < TRACES; i++)
            s[i] = (struct spec){ i + 1, part / 2 + 1, 0, TRIAL_NOW_NS, TRIAL_NOW_NS + 1, "a", "one", false };
        CHECK_OK(submit_specs(&t, s, TRACES));
        CHECK_OK(trial_flush(&t));
    }
    struct view *v = ingest_view(t.in);
    CHECK_OK(crew_new(2, &crew));
    CHECK_OK(query_memory_new(64 << 20, &x.memory));
    struct visit q = { .filter = STR("{ }"),
                       .fields = fields,
                       .n_fields = 1,
                       .bounds = { .clock = clock_real(), .crew = crew, .memory = x.memory },
                       .each = see_alone,
                       .ctx = &x };
    CHECK_OK(visit_run(v, &q, &answer, &ctx));
    CHECK_U64(x.n, TRACES * PARTS / 2); // half of them were sent twice
    query_memory_stats(x.memory, &now);
    CHECK(now.bytes == 0 && x.most > 0);
    query_memory_free(x.memory);
    crew_free(crew);
    view_unref(v);
    trial_fini(&t);
}

struct together {
    uint8_t last[16];
    uint32_t n, n_traces;
    uint32_t most; // then an error; 0: never
};

static enum err see_together(void *ctx, const struct visit_span *s) {
    struct together *x = ctx;
    x->n_traces += memcmp(x->last, s->trace_id, 16) != 0;
    memcpy(x->last, s->trace_id, 16);
    x->n++;
    return x->n == x->most ? ERR_EXISTS : ERR_OK;
}

// Whoever makes them ready: the spans of a trace come one behind the other, wherever pieces end, and after an
// error none comes.
TEST(visit_by_several_threads_gives_whole_traces) {
    enum { TRACES = 150, SPANS = 7, BLOCKS = 4 };
    static const char *const fields[] = { "name" };
    static const uint32_t mosts[] = { 0, 10 };
    struct trial t;
    struct crew *crew;
    trial_start(&t, (struct trial_opts){ .cut_spans = 1000000, .mem_store = true });
    for (uint64_t block = 0; block <= BLOCKS; block++) { // the last stays in memory
        for (uint64_t i = 0; i < SPANS; i++) {
            struct spec s[TRACES];
            for (uint64_t k = 0; k < TRACES; k++)
                s[k] = (struct spec){ block * TRACES + k + 1, i + 1, 0,     TRIAL_NOW_NS,
                                      TRIAL_NOW_NS + 1,       "a",   "one", false };
            CHECK_OK(submit_specs(&t, s, TRACES));
        }
        if (block < BLOCKS) CHECK_OK(trial_flush(&t));
    }
    struct view *v = ingest_view(t.in);
    CHECK_OK(crew_new(2, &crew));
    for (size_t i = 0; i < sizeof mosts / sizeof *mosts; i++) {
        struct together x = { .most = mosts[i] };
        struct visit_answer answer;
        struct err_ctx ctx = { 0 };
        struct visit q = { .filter = STR("{ }"),
                           .fields = fields,
                           .n_fields = 1,
                           .bounds = { .clock = clock_real(), .crew = crew },
                           .each = see_together,
                           .ctx = &x };
        CHECK(visit_run(v, &q, &answer, &ctx) == (x.most ? ERR_EXISTS : ERR_OK));
        CHECK_U64(x.n, x.most ? x.most : (BLOCKS + 1) * TRACES * SPANS);
        if (!x.most) CHECK_U64(x.n_traces, (BLOCKS + 1) * TRACES);
    }
    crew_free(crew);
    view_unref(v);
    trial_fini(&t);
}

// A span with events: each has a flag, and some a variant.
static void submit_events(struct trial *t, uint64_t trace, const char *const (*events)[2], size_t n) {
    struct spec s = { trace, 1, 0, TRIAL_NOW_NS, TRIAL_NOW_NS + 1, "shop", "op", false };
    uint8_t id[16];
    struct buf b;
    buf_init(&b, SIZE_MAX);
    spec_trace_id(trace, id);
    size_t rs = pb_begin(&b, REQUEST_RESOURCE_SPANS), ss = pb_begin(&b, RS_SCOPE_SPANS);
    size_t span = pb_begin(&b, SS_SPANS);
    pb_bytes(&b, SPAN_TRACE_ID, (struct str){ (const char *)id, 16 });
    pb_bytes(&b, SPAN_TRACE_STATE, STR("ot=th:8"));
    pb_bytes(&b, SPAN_SPAN_ID, (struct str){ (const char *)&s.id, 8 });
    pb_bytes(&b, SPAN_NAME, str_of(s.name));
    pb_fixed64(&b, SPAN_START, s.start_ns);
    pb_fixed64(&b, SPAN_END, s.end_ns);
    for (size_t i = 0; i < n; i++) {
        size_t event = pb_begin(&b, SPAN_EVENT);
        struct attr_value key = { .type = ATTR_STRING, .text = str_of(events[i][0]) },
                          variant = { .type = ATTR_STRING, .text = str_of(events[i][1]) };
        attr_kv_write(&b, EVENT_ATTRIBUTE, STR("key"), &key);
        if (events[i][1]) attr_kv_write(&b, EVENT_ATTRIBUTE, STR("variant"), &variant);
        pb_end(&b, event);
    }
    pb_end(&b, span);
    pb_end(&b, ss);
    pb_end(&b, rs);
    CHECK_OK(trial_submit(t, buf_view(&b)));
    buf_fini(&b);
}

static enum err write_down(void *ctx, const struct visit_span *s) {
    struct buf *out = ctx;
    buf_fmt(out, "%s%d:", s->is_event ? "*" : "", s->trace_id[15]);
    for (int i = 0; i < 4; i++)
        buf_fmt(out, "%.*s,", STR_ARG(s->values[i].type == VALUE_STRING ? s->values[i].s : STR("-")));
    buf_char(out, ' ');
    return ERR_OK;
}

static void visit_events(struct view *v, bool by_event, struct buf *out) {
    static const char *const fields[] = { "name", "event.key", "event.variant", "span:traceState" };
    struct err_ctx ctx = { 0 };
    struct visit_answer answer;
    struct visit q = { .filter = STR("{ }"),
                       .fields = fields,
                       .n_fields = 4,
                       .by_event = by_event,
                       .bounds = { .clock = clock_real(), .start_ns = 1, .end_ns = TRIAL_NOW_NS * 2 },
                       .each = write_down,
                       .ctx = out };
    buf_reset(out);
    CHECK_OK(visit_run(v, &q, &answer, &ctx));
}

TEST(visit_gives_the_events_of_a_span_one_by_one) {
    static const char *const events[][2] = { { "a", NULL }, { "b", "on" }, { "a", "off" } };
    for (int in_a_block = 0; in_a_block < 2; in_a_block++) {
        struct trial t;
        struct buf out;
        buf_init(&out, SIZE_MAX);
        trial_start(&t, (struct trial_opts){ .cut_spans = 1000000, .mem_store = true });
        submit_events(&t, 1, events, 3);
        if (in_a_block) CHECK_OK(trial_flush(&t));
        struct view *v = ingest_view(t.in);
        visit_events(v, false, &out); // the first that has each, of whichever event
        CHECK_STR(buf_view(&out), STR("1:op,a,on,ot=th:8, "));
        visit_events(v, true, &out);
        CHECK_STR(buf_view(&out),
                  STR("1:op,-,-,ot=th:8, *1:op,a,-,ot=th:8, *1:op,b,on,ot=th:8, *1:op,a,off,ot=th:8, "));
        view_unref(v);
        trial_fini(&t);
        trial_start(&t, (struct trial_opts){ .cut_spans = 1000000, .mem_store = true });
        submit_events(&t, 2, NULL, 0); // none at all: once
        v = ingest_view(t.in);
        visit_events(v, true, &out);
        CHECK_STR(buf_view(&out), STR("2:op,-,-,ot=th:8, "));
        view_unref(v);
        trial_fini(&t);
        buf_fini(&out);
    }
}

// Also of more spans than are made ready at once.
TEST(visit_tells_spans_from_their_events) {
    static const char *const events[][2] = { { "a", NULL } };
    struct trial t;
    struct buf out;
    uint32_t spans = 0, of_events = 0;
    buf_init(&out, SIZE_MAX);
    trial_start(&t, (struct trial_opts){ .cut_spans = 1000000, .mem_store = true });
    for (uint64_t trace = 1; trace <= 200; trace++) submit_events(&t, trace, events, 1);
    struct view *v = ingest_view(t.in);
    visit_events(v, true, &out);
    struct str left = buf_view(&out), one;
    for (; str_cut(left, ' ', &one, &left); spans++) of_events += one.ptr[0] == '*';
    CHECK_U64(spans, 400);
    CHECK_U64(of_events, 200);
    view_unref(v);
    trial_fini(&t);
    buf_fini(&out);
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
