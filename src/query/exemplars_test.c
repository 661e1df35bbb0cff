// SPDX-License-Identifier: Apache-2.0
// Exemplars do not depend on how the spans of a trace are spread over blocks and heads.
#include "query/odd_test.h"
#include "query/series.h"

static void write_series(const struct series_answer *r, uint32_t steps, struct buf *out) {
    for (uint32_t i = 0; i < r->n; i++) {
        const struct metric_series *s = &r->series[i];
        for (uint32_t k = 0; k < s->n_labels; k++) {
            buf_fmt(out, "%.*s=", STR_ARG(s->labels[k].key));
            value_text(&s->labels[k].value, out);
            buf_char(out, ' ');
        }
        for (uint32_t k = 0; k < steps; k++) buf_fmt(out, " %.17g", s->samples[k]);
        for (uint32_t k = 0; k < s->n_exemplars; k++) {
            const struct metric_exemplar *e = &s->exemplars[k];
            buf_fmt(out, "\n  %u at %llu: %.17g", e->trace_id[15], (unsigned long long)e->time_ns, e->value);
            for (uint32_t l = 0; l < e->n_labels; l++) {
                buf_char(out, ' ');
                value_text(&e->labels[l].value, out);
            }
        }
        buf_char(out, '\n');
    }
}

static void ask(struct trial *t, const char *text, struct buf *out) {
    const uint64_t step = 20000000000ull;
    struct series_answer r;
    struct ql_query *q;
    struct err_ctx ctx = { 0 };
    struct arena a;
    struct view *v = ingest_view(t->in);
    arena_init(&a, SIZE_MAX, NULL);
    CHECK_OK(ql_parse(&a, str_of(text), &q, &ctx));
    struct series_query s = { .query = q, .step_ns = step, .exemplars = 40 };
    s.bounds.start_ns = ODD_BASE_NS / step * step - step;
    s.bounds.end_ns = s.bounds.start_ns + 5 * step;
    CHECK_OK(series_run(v, &s, &r, &ctx));
    buf_reset(out);
    write_series(&r, 5, out);
    series_fini(&r);
    ql_free(q);
    arena_fini(&a);
    view_unref(v);
}

static void shuffle(struct odd_spans *s) {
    for (uint32_t i = s->n; i > 1; i--) {
        uint32_t k = (uint32_t)test_below(i);
        struct str swap = s->bodies[i - 1];
        s->bodies[i - 1] = s->bodies[k];
        s->bodies[k] = swap;
    }
}

// All in one block, or cut now and then, the rest in the head.
static void fill(struct trial *t, const struct odd_spans *s, bool split) {
    trial_start(t, (struct trial_opts){ .cut_spans = 1000000, .mem_store = true });
    for (uint32_t i = 0; i < s->n; i++) {
        CHECK_OK(trial_send(t->in, s->bodies[i], t->now_ns));
        if (split && test_below(12) == 0) CHECK_OK(trial_flush(t));
    }
    if (!split) CHECK_OK(trial_flush(t));
}

TEST(exemplars_do_not_depend_on_the_split) {
    static const char *const questions[] = { "{ } | rate()",
                                             "{ } | count_over_time() by (name)",
                                             "{ status != error } | histogram_over_time(duration)",
                                             "{ } | quantile_over_time(duration, .5, .9) by (kind)",
                                             "{ } | max_over_time(span.n)",
                                             "{ rootName != nil } | rate() by (resource.service.name)",
                                             "{ } | sum_over_time(duration) by (span.k)" };
    struct buf want, got;
    uint32_t seen = 0;
    buf_init(&want, SIZE_MAX);
    buf_init(&got, SIZE_MAX);
    for (int round = 0; round < 6; round++) {
        struct odd_spans s;
        struct trial whole, split;
        odd_spans_make(&s, 12);
        fill(&whole, &s, false);
        shuffle(&s);
        fill(&split, &s, true);
        for (size_t i = 0; i < sizeof questions / sizeof *questions; i++) {
            ask(&whole, questions[i], &want);
            ask(&split, questions[i], &got);
            if (!str_eq(buf_view(&want), buf_view(&got))) printf("# %s\n", questions[i]);
            CHECK_STR(buf_view(&got), buf_view(&want));
            seen += memmem(want.ptr, want.len, " at ", 4) != NULL;
        }
        trial_fini(&whole);
        trial_fini(&split);
        odd_spans_fini(&s);
    }
    CHECK(seen > 20);
    buf_fini(&want);
    buf_fini(&got);
}
