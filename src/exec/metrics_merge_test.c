// SPDX-License-Identifier: Apache-2.0
// Answers depend on the spans alone: not on how they are split, merged, ordered or stored. What fails
// fails cleanly.
#include "exec/metrics_fixture_test.h"

#include <math.h>

#define S SECOND

static const struct metric_range range = {
    .start_ns = 1000 * S, .end_ns = 1100 * S, .step_ns = 3 * S, .exemplars = 12
};
// Intervals that hold whole stretches.
static const struct metric_range wide = {
    .start_ns = 1000 * S, .end_ns = 1100 * S, .step_ns = 50 * S, .exemplars = 12
};
static const struct field by_all[] = { FIELD_OF_SERVICE, FIELD_OF_SIZE, FIELD_OF_NAME };
static const double qs[] = { 0.1, 0.5, 0.99 };
static const struct fake_shape shapes[] = {
    { 0 },
    { .shuffled = true },
    { .stretch = 7 },
    { .stretch = 8, .repeats = true },
    { .stretch = 16, .repeats = true },
    { .shuffled = true, .stretch = 64, .repeats = true },
    { .no_bounds = true, .texts = true },
    { .shuffled = true, .stretch = 64, .texts = true },
};
enum { N_SHAPES = sizeof shapes / sizeof *shapes, N_SPANS = 400 };

static struct value draw_size(void) {
    switch (test_below(6)) {
    case 0: return VALUE_OF_INT((int64_t)test_rand() >> test_below(60));
    case 1: return VALUE_OF_FLOAT(ldexp((double)test_below(1000) - 300, (int)test_below(90) - 45));
    case 2: return VALUE_OF_STR(STR("text"));
    case 3: return VALUE_OF_INT((int64_t)test_below(3));
    case 4: return VALUE_OF_FLOAT(test_below(2) ? 0.0 : -0.0);
    default: return VALUE_OF_NIL;
    }
}

// Traces of some spans, nearly sorted by time, some of them out of the range.
static void draw_spans(struct fake_span *s, uint32_t n) {
    static const char *const names[] = { "x", "y", "z", NULL };
    uint32_t trace = 0;
    for (uint32_t i = 0; i < n; i++) {
        bool is_new = i == 0 || test_below(3) == 0;
        uint64_t base = (990 + (uint64_t)i * 120 / n) * S;
        trace += is_new;
        s[i] = (struct fake_span){ .trace = trace,
                                   .start_ns = base + test_below(5 * S),
                                   .duration_ns = test_rand() >> (24 + test_below(40)),
                                   .service = names[test_below(4)],
                                   .name = names[test_below(3)],
                                   .size = draw_size(),
                                   .route = test_below(2) ? VALUE_OF_BOOL(test_below(2)) : VALUE_OF_NIL };
        if (!is_new && s[i].start_ns < s[i - 1].start_ns) s[i].start_ns = s[i - 1].start_ns;
    }
}

TEST(metric_answers_do_not_depend_on_order_or_split) {
    static struct fake_span spans[N_SPANS];
    for (int f = QL_RATE; f <= QL_COMPARE; f++) {
        for (int round = 0; round < 12; round++) {
            draw_spans(spans, N_SPANS);
            struct ql_metric m = {
                .function = (enum ql_function)f, .quantiles = qs, .n_quantiles = 3, .top = 3
            };
            m.by = by_all;
            m.n_by = f == QL_COMPARE ? 0 : (uint32_t)test_below(4);
            m.of = test_below(2) ? (struct field)FIELD_OF_SIZE : (struct field)FIELD_OF_DURATION;
            struct fake_run r = {
                .range = test_below(2) ? &range : &wide, .spans = spans, .n = N_SPANS, .selected_ns = 1000000
            };
            struct buf want, got;
            buf_init(&want, SIZE_MAX);
            buf_init(&got, SIZE_MAX);
            metric_run_text(&m, &r, &want);
            CHECK(want.len > 50);
            for (int i = 0; i < 4; i++) {
                buf_reset(&got);
                r.parts = 1 + (uint32_t)test_below(7);
                r.shape = shapes[test_below(N_SHAPES)];
                r.again = test_below(3) != 0;
                r.packed = test_below(2) == 0;
                metric_run_text(&m, &r, &got);
                CHECK_STR(buf_view(&got), buf_view(&want));
            }
            buf_fini(&want);
            buf_fini(&got);
        }
    }
}

// Cut short anywhere it is refused, whatever the rest says; whole it is not.
TEST(metric_bytes_cut_short_are_refused) {
    static struct fake_span spans[40];
    draw_spans(spans, 40);
    for (int f = QL_RATE; f <= QL_COMPARE; f++) {
        struct arena a;
        struct buf b;
        struct fake_batch batch;
        struct metric_plan *p;
        struct metric_acc *m;
        struct ql_metric how = {
            .function = (enum ql_function)f, .quantiles = qs, .n_quantiles = 3, .top = 3
        };
        how.of = (struct field)FIELD_OF_SIZE;
        arena_init(&a, SIZE_MAX, NULL);
        buf_init(&b, SIZE_MAX);
        CHECK_OK(metric_plan_new(&a, &how, &range, &p));
        CHECK_OK(metric_acc_new(p, NULL, NULL, &m));
        CHECK_OK(fake_batch_open(&batch, spans, 40, shapes[0]));
        batch.number = 0;
        CHECK_OK(fake_add(m, p, &batch, 1000000));
        metric_pack(m, &b);
        metric_acc_free(m);
        for (size_t n = 0; n <= b.len; n++) {
            char *exact = mem_alloc(n); // so that ASan sees what is read behind it
            CHECK_OK(metric_acc_new(p, NULL, NULL, &m));
            memcpy(exact, b.ptr, n);
            enum err e = metric_unpack(m, (struct str){ exact, n }, 0);
            CHECK(n == b.len ? e == ERR_OK : e == ERR_CORRUPT);
            metric_acc_free(m);
            mem_free(exact);
        }
        fake_batch_close(&batch);
        buf_fini(&b);
        arena_fini(&a);
    }
}

// As many row groups are merged as there are; groups that all of them have take the memory of one.
TEST(metric_merge_holds_no_more_than_the_groups_need) {
    static struct fake_span spans[50];
    struct metric_range alone = range; // equal exemplars would all be kept
    alone.exemplars = 0;
    draw_spans(spans, 50);
    for (int f = QL_RATE; f <= QL_COMPARE; f++) {
        struct mem_budget budget = { .limit = 0 };
        struct arena a;
        struct fake_batch batch;
        struct metric_plan *p;
        struct metric_acc *all, *one;
        struct ql_metric how = {
            .function = (enum ql_function)f, .quantiles = qs, .n_quantiles = 3, .top = 3
        };
        uint64_t before = 0;
        how.of = (struct field)FIELD_OF_SIZE;
        arena_init(&a, SIZE_MAX, NULL);
        CHECK_OK(metric_plan_new(&a, &how, &alone, &p));
        CHECK_OK(metric_acc_new(p, &budget, NULL, &all));
        CHECK_OK(metric_acc_new(p, &budget, NULL, &one));
        CHECK_OK(fake_batch_open(&batch, spans, 50, shapes[0]));
        batch.number = 0;
        for (int i = 0; i < 500; i++) {
            CHECK_OK(fake_add(one, p, &batch, 1000000));
            CHECK_OK(metric_merge(all, one));
            if (i == 20) before = budget.used;
        }
        CHECK(budget.used <= 2 * before);
        metric_acc_free(one);
        metric_acc_free(all);
        fake_batch_close(&batch);
        arena_fini(&a);
    }
}

TEST(metric_merge_leaves_an_empty_accumulator) {
    static struct fake_span spans[50];
    draw_spans(spans, 50);
    struct arena a;
    arena_init(&a, SIZE_MAX, NULL);
    struct ql_metric m = { .function = QL_COUNT_OVER_TIME };
    struct metric_range all = { .end_ns = 10000 * S, .is_instant = true };
    struct metric_plan *p;
    struct metric_acc *x, *y;
    struct metric_series *out;
    struct fake_batch f;
    uint32_t n;
    bool cut;
    CHECK_OK(metric_plan_new(&a, &m, &all, &p));
    CHECK_OK(metric_acc_new(p, NULL, NULL, &x));
    CHECK_OK(metric_acc_new(p, NULL, NULL, &y));
    CHECK_OK(fake_batch_open(&f, spans, 50, shapes[0]));
    for (int i = 0; i < 3; i++) {
        CHECK_OK(fake_add(y, p, &f, 0));
        CHECK_OK(metric_merge(x, y));
    }
    CHECK_OK(metric_merge(x, y)); // empty by now
    CHECK_OK(metric_finish(&a, &m, &x, 1, NULL, 0, &out, &n, &cut));
    CHECK(n == 1 && out[0].samples[0] == 150);
    CHECK_OK(metric_finish(&a, &m, &y, 1, NULL, 0, &out, &n, &cut));
    CHECK_U64(n, 0);
    fake_batch_close(&f);
    metric_acc_free(x);
    metric_acc_free(y);
    metric_acc_free(NULL);
    arena_fini(&a);
}

TEST(metric_series_have_a_limit) {
    enum { N = METRIC_SERIES_MAX + 1 };
    struct fake_span *spans = mem_alloc(N * sizeof *spans);
    CHECK(spans);
    for (uint32_t i = 0; i < N; i++)
        spans[i] = (struct fake_span){ i + 1, S, 1, NULL, NULL, VALUE_OF_INT(i), VALUE_OF_NIL };
    struct arena a;
    arena_init(&a, SIZE_MAX, NULL);
    struct ql_metric m = { .function = QL_RATE, .by = &by_all[1], .n_by = 1 };
    struct metric_range all = { .end_ns = 10 * S, .is_instant = true };
    struct metric_plan *p;
    CHECK_OK(metric_plan_new(&a, &m, &all, &p));
    for (uint32_t over = 0; over < 2; over++) {
        struct metric_acc *x;
        struct fake_batch f;
        CHECK_OK(metric_acc_new(p, NULL, NULL, &x));
        CHECK_OK(fake_batch_open(&f, spans, METRIC_SERIES_MAX + over, shapes[0]));
        CHECK_U64(fake_add(x, p, &f, 0), over ? ERR_LIMIT : ERR_OK);
        fake_batch_close(&f);
        metric_acc_free(x);
    }
    arena_fini(&a);
    mem_free(spans);
}

TEST(metric_memory_is_taken_from_the_budget) {
    static struct fake_span spans[N_SPANS];
    draw_spans(spans, N_SPANS);
    struct arena a;
    arena_init(&a, SIZE_MAX, NULL);
    struct ql_metric m = { .function = QL_QUANTILE_OVER_TIME,
                           .of = FIELD_OF_DURATION,
                           .by = by_all,
                           .n_by = 3,
                           .quantiles = qs,
                           .n_quantiles = 1 };
    struct metric_plan *p;
    CHECK_OK(metric_plan_new(&a, &m, &range, &p));
    for (uint64_t limit = 10000; limit <= 100000000; limit *= 10000) {
        struct mem_budget budget = { .limit = limit };
        struct metric_acc *x;
        struct fake_batch f;
        CHECK_OK(metric_acc_new(p, &budget, NULL, &x));
        CHECK_OK(fake_batch_open(&f, spans, N_SPANS, shapes[0]));
        CHECK_U64(fake_add(x, p, &f, 0), limit == 10000 ? ERR_NOMEM : ERR_OK);
        fake_batch_close(&f);
        metric_acc_free(x);
        CHECK_U64(budget.used, 0);
    }
    arena_fini(&a);
}

TEST(metric_fails_without_memory) {
    static struct fake_span spans[40];
    draw_spans(spans, 40);
    for (int f = QL_RATE; f <= QL_COMPARE; f++) {
        struct ql_metric m = { .function = (enum ql_function)f, .quantiles = qs, .n_quantiles = 3, .top = 3 };
        struct ql_metric half = { .kind = QL_METRIC_OP, .op = QL_ADD, .left = &m, .right = &m };
        struct ql_second top = { .kind = QL_TOPK, .k = 2 };
        m.by = by_all;
        m.n_by = f == QL_COMPARE ? 0 : 3;
        m.of = (struct field)FIELD_OF_SIZE;
        half.seconds = &top;
        half.n_seconds = f != QL_COMPARE;
        half.text = STR("a + a");
        struct fake_run r = { .range = &range, .spans = spans, .n = 40, .selected_ns = 1000000, .parts = 3 };
        enum err e = ERR_NOMEM;
        for (uint64_t nth = 1; e != ERR_OK; nth += 1 + nth / 50) {
            struct buf got;
            buf_init(&got, SIZE_MAX);
            mem_fail_at(nth, false);
            e = metric_run_try(f == QL_COMPARE ? &m : &half, &r, &got);
            mem_fail_at(0, false);
            CHECK(e == ERR_OK || e == ERR_NOMEM);
            buf_fini(&got);
        }
    }
}

// A batch may make very many groups, and so may what is merged.
TEST(metric_counting_ends_as_soon_as_the_caller_says_so) {
    enum { N = 3000, LEAST = N * 64 / 4096 };
    static struct fake_span many[N];
    static const struct field by_size[] = { FIELD_OF_SIZE };
    static const struct metric_range once = { .start_ns = 1000 * S, .end_ns = 1100 * S, .is_instant = true };
    struct ql_metric m = { .function = QL_RATE, .by = by_size, .n_by = 1 };
    struct fake_run r = { .range = &once, .spans = many, .n = N };
    uint32_t looks, before = 0;
    struct buf b;
    for (uint32_t i = 0; i < N; i++)
        many[i] =
            (struct fake_span){ .trace = i + 1, .start_ns = (1001 + i / 40) * S, .size = VALUE_OF_INT(i) };
    r.looks = &looks;
    buf_init(&b, SIZE_MAX);
    for (r.parts = 1; r.parts < 3; r.parts++) {
        r.stop_at = 0;
        metric_run_text(&m, &r, &b);
        CHECK(looks >= LEAST && looks > before); // merging takes more
        before = looks;
        for (r.stop_at = 1; r.stop_at < LEAST; r.stop_at++) {
            CHECK(metric_run_try(&m, &r, &b) == ERR_CANCELED);
            CHECK_U64(looks, r.stop_at);
        }
    }
    buf_fini(&b);
}
