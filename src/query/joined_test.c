// SPDX-License-Identifier: Apache-2.0
// Traces that lie in several blocks, under a memory that is too little for one of them: the others are
// answered, and the answer says which one is missing.
#include "query/fixture_test.h"
#include "query/series.h"
#include "query/tags.h"

enum { GIANT = 1, FIRST_SMALL = 2, N_SMALL = 6, GIANT_SPANS = 12000, SMALL_SPANS = 3 };
#define MEMORY (2 << 20)
#define MISSING "00000000000000000000000000000001"

static void submit_part(struct trial *t, uint64_t trace, uint64_t n) {
    struct spec *s = mem_alloc(n * sizeof *s);
    CHECK(s);
    for (uint64_t i = 0; i < n; i++)
        s[i] =
            (struct spec){ trace,  i + 1, i ? 1 : 0, TRIAL_NOW_NS + trace * 1000 + i, TRIAL_NOW_NS + 100000,
                           "shop", "op",  false };
    struct buf body;
    buf_init(&body, SIZE_MAX);
    spec_body(s, n, &body);
    CHECK_OK(trial_send(t->in, buf_view(&body), t->now_ns));
    buf_fini(&body);
    mem_free(s);
}

// Every span in two blocks.
static struct view *make_view(struct trial *t) {
    trial_start(t, (struct trial_opts){ .cut_spans = 1000000, .mem_store = true });
    for (int copy = 0; copy < 2; copy++) {
        submit_part(t, GIANT, GIANT_SPANS);
        for (uint64_t i = 0; i < N_SMALL; i++) submit_part(t, FIRST_SMALL + i, SMALL_SPANS);
        CHECK_OK(trial_flush(t));
    }
    return ingest_view(t->in);
}

static struct ql_query *parse(struct arena *a, const char *text) {
    struct ql_query *q;
    struct err_ctx ctx = { 0 };
    arena_init(a, SIZE_MAX, NULL);
    CHECK_OK(ql_parse(a, str_of(text), &q, &ctx));
    return q;
}

static void check_find(struct view *v, const char *text) {
    struct arena a;
    struct err_ctx ctx = { 0 };
    struct find f = { .query = parse(&a, text), .limit = 100, .spans_per_set = 3 };
    for (int small = 0; small < 2; small++) {
        struct find_result r;
        f.bounds.memory_max = small ? MEMORY : 0;
        CHECK_OK(find_run(v, &f, &r, &ctx));
        CHECK_U64(r.n, small ? N_SMALL : N_SMALL + 1);
        CHECK_U64(r.partial, small);
        CHECK(!small || strstr(r.why, MISSING));
        for (uint32_t i = 0; i < N_SMALL; i++) CHECK_U64(r.traces[i].summary.spans, SMALL_SPANS);
        find_fini(&r);
    }
    ql_free((struct ql_query *)f.query);
    arena_fini(&a);
}

TEST(joined_a_search_leaves_out_what_does_not_fit) {
    struct trial t;
    struct view *v = make_view(&t);
    check_find(v, "{ }");
    check_find(v, "{ name = \"op\" }");
    check_find(v, "{ parent = nil } >> { }");
    view_unref(v);
    trial_fini(&t);
}

static void check_series(struct view *v, const char *text) {
    struct arena a;
    struct err_ctx ctx = { 0 };
    struct series_query q = { .query = parse(&a, text),
                              .bounds = { .start_ns = TRIAL_NOW_NS, .end_ns = TRIAL_NOW_NS + 1000000000 } };
    for (int small = 0; small < 2; small++) {
        struct series_answer r;
        q.bounds.memory_max = small ? MEMORY : 0;
        CHECK_OK(series_run(v, &q, &r, &ctx));
        CHECK_U64(r.n, 1);
        CHECK_U64((uint64_t)r.series[0].samples[0], N_SMALL * SMALL_SPANS + (small ? 0 : GIANT_SPANS));
        CHECK_U64(r.partial, small);
        CHECK(!small || strstr(r.why, MISSING));
        series_fini(&r);
    }
    ql_free((struct ql_query *)q.query);
    arena_fini(&a);
}

TEST(joined_metrics_leave_out_what_does_not_fit) {
    struct trial t;
    struct view *v = make_view(&t);
    check_series(v, "{ } | count_over_time()");
    check_series(v, "{ rootName = \"op\" } | count_over_time()");
    check_series(v, "{ } && { name = \"op\" } | count_over_time()");
    view_unref(v);
    trial_fini(&t);
}

TEST(joined_a_filter_leaves_out_what_does_not_fit) {
    struct trial t;
    struct arena a;
    struct err_ctx ctx = { 0 };
    struct view *v = make_view(&t);
    struct ql_query *q = parse(&a, "{ rootName = \"op\" && span:childCount < 5 }");
    struct field name = { .scope = FIELD_SPAN, .intrinsic = INTRINSIC_NAME };
    for (int small = 0; small < 2; small++) {
        struct query_bounds bounds = { .memory_max = small ? MEMORY / 4 : 0 };
        struct tag_values x;
        CHECK_OK(tags_values(v, &name, q, &bounds, 0, &x, &ctx));
        CHECK_U64(x.n, 1);
        CHECK_U64(x.partial, small);
        CHECK(!small || strstr(x.why, MISSING));
        tag_values_fini(&x);
    }
    ql_free(q);
    arena_fini(&a);
    view_unref(v);
    trial_fini(&t);
}
