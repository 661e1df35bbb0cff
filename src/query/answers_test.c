// SPDX-License-Identifier: Apache-2.0
// What is kept of row groups: within its limit, the longest unused goes first; and what is answered from it
// is what is answered without, to the byte, while the store changes.
#include "query/answers.h"

#include "os/thread.h"
#include "query/counted.h"
#include "query/odd_test.h"
#include "query/find.h"
#include "query/series.h"

// --- keeping -----------------------------------------------------------------------------------------

static struct str key_of(uint32_t i, char text[16]) {
    (void)snprintf(text, 16, "key %u", i);
    return str_of(text);
}

static void keep(uint32_t i, size_t size) {
    char bytes[4096];
    char text[16];
    ASSERT(size <= sizeof bytes);
    memset(bytes, (int)i, size);
    answers_keep("a block", key_of(i, text), (struct str){ bytes, size });
}

static bool is_kept(uint32_t i, size_t size) {
    char text[16];
    const struct kept_answer *a = answers_find(key_of(i, text));
    if (!a) return false;
    struct str s = answers_bytes(a);
    CHECK_U64(s.len, size);
    for (size_t k = 0; k < s.len; k++) CHECK(s.ptr[k] == (char)i);
    answers_release(a);
    return true;
}

TEST(answers_within_their_limit_the_longest_unused_goes_first) {
    enum { LIMIT = 16 << 10, SIZE = 1000, MANY = 40 };
    struct answers_stats s;
    answers_limit(LIMIT);
    for (uint32_t i = 0; i < MANY; i++) {
        keep(i, SIZE);
        CHECK(is_kept(0, SIZE)); // used again and again
        answers_stats(&s);
        CHECK(s.bytes <= LIMIT);
    }
    CHECK(s.n > 8 && s.n < LIMIT / SIZE && s.n + s.evictions == MANY);
    for (uint32_t i = 1; i < MANY; i++) CHECK(is_kept(i, SIZE) == (i > s.evictions));
    keep(MANY, LIMIT / ANSWERS_SHARE); // with its key: too large
    CHECK(!is_kept(MANY, 0));
    keep(MANY - 1, 5); // it is there already
    CHECK(is_kept(MANY - 1, SIZE));
    answers_limit(0);
    keep(1, SIZE);
    CHECK(!is_kept(1, SIZE));
    answers_stats(&s);
    CHECK(s.bytes == 0 && s.n == 0);
}

TEST(answers_stay_while_they_are_read) {
    char text[16];
    answers_limit(16 << 10);
    keep(7, 1000);
    const struct kept_answer *a = answers_find(key_of(7, text));
    CHECK(a);
    for (uint32_t i = 100; i < 140; i++) keep(i, 1000);
    CHECK(!is_kept(7, 1000));
    struct str s = answers_bytes(a);
    for (size_t k = 0; k < s.len; k++) CHECK(s.ptr[k] == 7);
    answers_release(a);
    answers_limit(0);
}

static void keep_and_find(void *arg) {
    uint64_t x = *(uint64_t *)arg;
    for (int i = 0; i < 3000; i++) {
        x = hash_u64(x + 1);
        uint32_t k = (uint32_t)(x % 50);
        if (!is_kept(k, 100 + k)) keep(k, 100 + k);
    }
}

TEST(answers_of_many_threads) {
    enum { THREADS = 4 };
    struct thread threads[THREADS];
    uint64_t seeds[THREADS];
    struct answers_stats s;
    answers_limit(8 << 10);
    for (int i = 0; i < THREADS; i++) {
        seeds[i] = test_rand();
        CHECK_OK(thread_start(&threads[i], "answers", keep_and_find, &seeds[i]));
    }
    for (int i = 0; i < THREADS; i++) thread_join(&threads[i]);
    answers_stats(&s);
    CHECK(s.bytes <= 8 << 10 && s.hits > 0 && s.evictions > 0);
    CHECK_U64(s.hits + s.misses, THREADS * 3000ull);
    answers_limit(0);
}

// --- answering -----------------------------------------------------------------------------------------

static void write_series(const struct series_answer *r, uint32_t steps, struct buf *out) {
    buf_fmt(out, "%llu spans of %llu traces\n", (unsigned long long)r->stats.spans,
            (unsigned long long)r->stats.traces);
    for (uint32_t i = 0; i < r->n; i++) {
        const struct metric_series *s = &r->series[i];
        for (uint32_t k = 0; k < s->n_labels; k++) {
            buf_fmt(out, "%.*s=", STR_ARG(s->labels[k].key));
            value_text(&s->labels[k].value, out);
            buf_char(out, ' ');
        }
        for (uint32_t k = 0; k < steps; k++) buf_fmt(out, " %a", s->samples[k]);
        for (uint32_t k = 0; k < s->n_exemplars; k++) {
            const struct metric_exemplar *e = &s->exemplars[k];
            buf_fmt(out, "\n  %u at %llu: %a", e->trace_id[15], (unsigned long long)e->time_ns, e->value);
            for (uint32_t l = 0; l < e->n_labels; l++) {
                buf_char(out, ' ');
                value_text(&e->labels[l].value, out);
            }
        }
        buf_char(out, '\n');
    }
}

static enum err ask(struct view *v, struct series_query q, bool anew, struct buf *out) {
    struct series_answer r;
    struct err_ctx ctx = { 0 };
    uint64_t range = q.bounds.end_ns - q.bounds.start_ns;
    q.anew = anew;
    buf_reset(out);
    enum err e = series_run(v, &q, &r, &ctx);
    if (e != ERR_OK) return e;
    write_series(&r, q.step_ns ? (uint32_t)((range + q.step_ns - 1) / q.step_ns) : 1, out);
    series_fini(&r);
    return ERR_OK;
}

// The same question comes again with another range on the same grid: all there is, a part of it, or instant.
static void move(struct series_query *q, uint64_t grid) {
    static const uint64_t begin = ODD_BASE_NS - 120000000000ull;
    uint64_t steps = 300000000000ull / grid, from = test_below(test_below(3) ? steps / 3 : steps - 1);
    uint64_t to = test_below(3) ? steps - test_below(3) : from + 1 + test_below(steps - from);
    q->bounds.start_ns = begin / grid * grid + from * grid;
    q->bounds.end_ns = begin / grid * grid + (to > from ? to : from + 1) * grid;
    q->step_ns = test_below(4) ? grid : 0;
    q->exemplars = q->step_ns && test_below(2) ? 20 : 0;
}

enum { QUESTIONS = 10, ROUNDS = 7 };

struct questions {
    struct arena arena;
    struct series_query at[QUESTIONS];
    uint64_t grid[QUESTIONS];
    uint32_t n;
};

static void questions_make(struct questions *q) {
    static const uint64_t grids[] = { 5000000000, 7000000000, 60000000000, 1500000000 };
    struct buf text;
    buf_init(&text, 1 << 20);
    *q = (struct questions){ .n = 0 };
    arena_init(&q->arena, SIZE_MAX, NULL);
    while (q->n < QUESTIONS) {
        struct ql_query *parsed;
        struct err_ctx ctx = { 0 };
        buf_reset(&text);
        (q->n % 2 ? odd_metrics : odd_metrics_of_language)(&text);
        if (ql_parse(&q->arena, str_dup(&q->arena, buf_view(&text)), &parsed, &ctx) != ERR_OK) continue;
        q->grid[q->n] = grids[test_below(4)];
        q->at[q->n++] = (struct series_query){ .query = parsed };
    }
    buf_fini(&text);
}

static void questions_fini(struct questions *q) {
    for (uint32_t i = 0; i < q->n; i++) ql_free((struct ql_query *)(uintptr_t)q->at[i].query);
    arena_fini(&q->arena);
}

static void questions_agree(struct trial *t, struct questions *q) {
    struct view *v = ingest_view(t->in);
    struct buf want, got;
    buf_init(&want, SIZE_MAX);
    buf_init(&got, SIZE_MAX);
    for (uint32_t i = 0; i < q->n; i++) {
        move(&q->at[i], q->grid[i]);
        enum err e = ask(v, q->at[i], true, &want);
        for (int again = 0; again < 2; again++) {
            CHECK_U64(ask(v, q->at[i], false, &got), e);
            CHECK_STR(buf_view(&got), buf_view(&want));
            if (!str_eq(buf_view(&got), buf_view(&want)))
                printf("# %.*s, asked %d times\n", STR_ARG(q->at[i].query->text), again + 1);
        }
    }
    buf_fini(&want);
    buf_fini(&got);
    view_unref(v);
}

// --- searches ------------------------------------------------------------------------------------------

static void write_attrs(const struct find_attr *attrs, uint32_t n, struct buf *out) {
    for (uint32_t i = 0; i < n; i++) {
        buf_fmt(out, " %.*s=", STR_ARG(attrs[i].key));
        value_text(&attrs[i].value, out);
    }
}

static void write_set(const struct find_set *s, struct buf *out) {
    buf_fmt(out, "  %u:", s->matched);
    write_attrs(s->attrs, s->n_attrs, out);
    for (uint32_t i = 0; i < s->n_spans; i++) {
        const struct find_span *x = &s->spans[i];
        buf_fmt(out, "\n   %llx %.*s %d %llu %llu", (unsigned long long)x->span_id, STR_ARG(x->name),
                x->is_error, (unsigned long long)x->start_ns, (unsigned long long)x->duration_ns);
        write_attrs(x->attrs, x->n_attrs, out);
    }
    buf_char(out, '\n');
}

// How far a search that does not count looks depends on what it knows of split traces.
static void write_found(const struct find_result *r, struct buf *out) {
    unsigned long long total = r->is_exact ? r->total : 0, spans = r->is_exact ? r->matched_spans : 0;
    buf_fmt(out, "%llu %llu, %d %d %d\n", total, spans, r->is_exact, r->has_more, r->partial);
    for (uint32_t i = 0; i < r->n; i++) {
        const struct find_trace *t = &r->traces[i];
        buf_fmt(out, "%u %llu %llu %u %.*s\n", t->summary.id[15], (unsigned long long)t->summary.start_ns,
                (unsigned long long)t->summary.duration_ns, t->summary.spans, STR_ARG(t->summary.services));
        for (uint32_t k = 0; k < t->n_sets; k++) write_set(&t->sets[k], out);
    }
}

static void find(struct view *v, struct find f, bool anew, struct buf *out) {
    struct find_result r;
    struct err_ctx ctx = { 0 };
    f.anew = anew;
    buf_reset(out);
    CHECK_OK(find_run(v, &f, &r, &ctx));
    write_found(&r, out);
    find_fini(&r);
}

struct searches {
    struct arena arena;
    struct ql_query *at[QUESTIONS];
    uint32_t n;
};

static void searches_make(struct searches *q) {
    struct buf text;
    buf_init(&text, 1 << 20);
    *q = (struct searches){ .n = 0 };
    arena_init(&q->arena, SIZE_MAX, NULL);
    while (q->n < QUESTIONS) {
        struct err_ctx ctx = { 0 };
        buf_reset(&text);
        (q->n % 2 ? odd_search : odd_search_of_language)(&text);
        if (ql_parse(&q->arena, str_dup(&q->arena, buf_view(&text)), &q->at[q->n], &ctx) == ERR_OK) q->n++;
    }
    buf_fini(&text);
}

static void searches_fini(struct searches *q) {
    for (uint32_t i = 0; i < q->n; i++) ql_free(q->at[i]);
    arena_fini(&q->arena);
}

static void searches_agree(struct trial *t, const struct searches *q) {
    struct view *v = ingest_view(t->in);
    struct buf want, got;
    buf_init(&want, SIZE_MAX);
    buf_init(&got, SIZE_MAX);
    for (uint32_t i = 0; i < q->n; i++) {
        struct find f = { .query = q->at[i],
                          .limit = test_below(2) ? 1000 : 1 + (uint32_t)test_below(6),
                          .spans_per_set = (uint32_t)test_below(4),
                          .count = test_below(2),
                          .errors = test_below(2) };
        if (test_below(3) == 0) f.bounds.start_ns = ODD_BASE_NS + test_below(30) * 1000000000;
        if (f.bounds.start_ns) f.bounds.end_ns = f.bounds.start_ns + (1 + test_below(60)) * 1000000000;
        find(v, f, true, &want);
        for (int again = 0; again < 2; again++) {
            find(v, f, false, &got);
            CHECK_STR(buf_view(&got), buf_view(&want));
            if (!str_eq(buf_view(&got), buf_view(&want)))
                printf("# %.*s, asked %d times\n", STR_ARG(f.query->text), again + 1);
        }
    }
    buf_fini(&want);
    buf_fini(&got);
    view_unref(v);
}

static void change(struct trial *t, const struct odd_spans *s) {
    for (uint64_t k = test_below(60); k > 0; k--) CHECK_OK(trial_submit(t, s->bodies[test_below(s->n)]));
    if (test_below(2)) CHECK_OK(trial_flush(t));
    if (test_below(4) == 0) trial_settle(t);
    if (test_below(3) == 0 && t->model.n > 0) {
        uint64_t n;
        uint8_t id[16];
        memcpy(id, t->model.at[test_below(t->model.n)].trace, 16);
        CHECK_OK(trial_delete(t, id, &n));
    }
    if (test_below(8) == 0) {
        trial_close(t);
        CHECK_OK(trial_open(t));
    }
}

// The same row group, asked the same, when other traces of it are split, or are joined.
TEST(answers_of_a_row_group_are_of_its_split_traces) {
    struct trial t;
    struct counted_part parts[2] = { { .trace = 1 }, { .trace = 4 } }, others[2];
    struct query_bounds all = { .end_ns = UINT64_MAX };
    struct buf keys[3];
    trial_start(&t, (struct trial_opts){ .cut_spans = 1000 });
    submit_random(&t, 5);
    CHECK_OK(trial_flush(&t));
    struct view *v = ingest_view(t.in);
    struct source s = { .block = v->blocks[0], .first_ns = 1, .last_ns = 2 };
    for (int i = 0; i < 3; i++) {
        memcpy(others, parts, sizeof parts);
        others[1].trace += i == 1;
        others[1].is_joined = i == 2;
        buf_init(&keys[i], SIZE_MAX);
        counted_key(&keys[i], STR("question"), &all, &s, others, 2);
        CHECK(keys[i].len > 0 && (i == 0 || !str_eq(buf_view(&keys[i]), buf_view(&keys[0]))));
    }
    for (int i = 0; i < 3; i++) buf_fini(&keys[i]);
    view_unref(v);
    trial_fini(&t);
}

// Spans come late and twice, so that traces are split that were not; heads, cuts, merges, deletions,
// restarts.
TEST(answers_are_as_counted_while_the_store_changes) {
    struct answers_stats stats;
    uint64_t hits = 0, evictions = 0;
    for (int world = 0; world < 3; world++) {
        struct odd_spans spans;
        struct questions q;
        struct trial t;
        odd_spans_make(&spans, 30);
        questions_make(&q);
        trial_start(&t, (struct trial_opts){ .cut_spans = 100000, .mem_store = true });
        t.opts.merge = world % 2 == 1; // from the next opening on
        answers_limit(world == 2 ? 16 << 10 : 64 << 20);
        for (int round = 0; round < ROUNDS; round++) {
            change(&t, &spans);
            questions_agree(&t, &q);
            answers_stats(&stats);
            CHECK(stats.bytes <= stats.limit);
        }
        hits += stats.hits;
        evictions += stats.evictions;
        trial_fini(&t);
        questions_fini(&q);
        odd_spans_fini(&spans);
        answers_limit(0);
    }
    printf("# %llu row groups answered from what was kept\n", (unsigned long long)hits);
    CHECK(hits > 300 && evictions > 0);
}

TEST(answers_are_as_found_while_the_store_changes) {
    struct answers_stats stats;
    uint64_t hits = 0;
    for (int world = 0; world < 3; world++) {
        struct odd_spans spans;
        struct searches q;
        struct trial t;
        odd_spans_make(&spans, 30);
        searches_make(&q);
        trial_start(&t, (struct trial_opts){ .cut_spans = 100000, .mem_store = true });
        t.opts.merge = world % 2 == 1; // from the next opening on
        answers_limit(world == 2 ? 4 << 10 : 64 << 20);
        for (int round = 0; round < ROUNDS; round++) {
            change(&t, &spans);
            searches_agree(&t, &q);
        }
        answers_stats(&stats);
        hits += stats.hits;
        trial_fini(&t);
        searches_fini(&q);
        odd_spans_fini(&spans);
        answers_limit(0);
    }
    printf("# %llu row groups filtered by what was kept\n", (unsigned long long)hits);
    CHECK(hits > 40);
}

// A deleted block's answers go with the next question, whoever asks it.
TEST(answers_of_dropped_blocks_go) {
    struct odd_spans spans;
    struct questions q;
    struct trial t;
    struct answers_stats s;
    uint64_t n;
    odd_spans_make(&spans, 20);
    questions_make(&q);
    trial_start(&t, (struct trial_opts){ .cut_spans = 100000, .mem_store = true });
    answers_limit(64 << 20);
    for (uint32_t i = 0; i < spans.n; i++) CHECK_OK(trial_submit(&t, spans.bodies[i]));
    CHECK_OK(trial_flush(&t));
    questions_agree(&t, &q);
    answers_stats(&s);
    CHECK(s.n > 0 && s.bytes > 0);
    CHECK_OK(trial_delete_everything(&t, &n));
    questions_agree(&t, &q);
    answers_stats(&s);
    CHECK(s.n == 0 && s.bytes == 0 && s.evictions == 0);
    trial_fini(&t);
    questions_fini(&q);
    odd_spans_fini(&spans);
    answers_limit(0);
}
