// SPDX-License-Identifier: Apache-2.0
// Random questions about random traces: the engine answers what the plain interpreter answers, in
// whatever way the spans lie in heads and blocks, all at once and page by page.
#include "query/cohorts.h"
#include "query/odd_test.h"
#include "query/plain_test.h"

enum { TRACES = 25, QUERIES = 100, WORLDS = 2, EVERYTHING = 1000, PAGE = 3, PAGES_MORE = 30, SHOWN = 3 };
enum { MANY_TRACES = 800, FEW_QUERIES = 60 }; // several chunks of rows

// --- the same spans in several layouts -----------------------------------------------------------

enum layout { IN_HEAD, ONE_BLOCK, MANY_BLOCKS, MERGED, SPREAD, LAYOUTS };

// What is sent to a store, in order.
struct piece {
    uint32_t span;
    bool ends_request, is_flushed;
};
struct recipe {
    struct piece *at;
    uint32_t n;
};

struct world {
    struct odd_spans spans;
    struct trial trials[LAYOUTS];
    struct view *views[LAYOUTS];
    struct recipe recipes[LAYOUTS];
    struct plain_data plain;
    uint32_t n_asked, n_refused, n_empty; // questions
    uint32_t n_wrong;                     // answers
};

// In random order (of many spans trace by trace, so that few traces are split) and company; `twice`: some are
// sent again. Flushed now and then, with `flush`.
static struct recipe random_recipe(uint32_t n_spans, bool twice, bool flush) {
    bool many = n_spans > TRACES * 100;
    struct recipe r = { .at = mem_alloc((2ull * n_spans + 1) * sizeof *r.at) };
    CHECK(r.at);
    for (uint32_t i = 0; i < n_spans; i++) {
        uint32_t k = many ? i : (uint32_t)test_below(r.n + 1ull);
        r.at[r.n] = r.at[k];
        r.at[k] = (struct piece){ .span = i };
        r.n++;
    }
    for (uint32_t i = 0; i < n_spans && twice; i++)
        if (test_below(many ? 200 : 3) == 0)
            r.at[r.n++] = (struct piece){ .span = (uint32_t)test_below(n_spans) };
    for (uint32_t i = 0; i < r.n; i++) {
        r.at[i].ends_request = test_below(8) == 0;
        r.at[i].is_flushed = flush && test_below(n_spans) < 4;
    }
    return r;
}

static void follow(struct trial *t, const struct recipe *r, const struct odd_spans *s) {
    struct buf body;
    buf_init(&body, SIZE_MAX);
    for (uint32_t i = 0; i < r->n; i++) {
        const struct piece *p = &r->at[i];
        buf_str(&body, s->bodies[p->span]);
        if (!p->ends_request && !p->is_flushed && i + 1 < r->n) continue;
        CHECK_OK(trial_submit(t, buf_view(&body)));
        buf_reset(&body);
        if (p->is_flushed) CHECK_OK(trial_flush(t));
    }
    buf_fini(&body);
}

static void start(struct trial *t, bool merge) {
    CHECK_OK(trial_init(t, (struct trial_opts){ .rand = test_rand, .cut_spans = 100000, .mem_store = true }));
    t->opts.merge = merge;
    CHECK_OK(trial_open(t));
}

static void lay_out(struct world *w, enum layout how) {
    struct recipe *r = &w->recipes[how];
    start(&w->trials[how], how == MERGED);
    *r = random_recipe(w->spans.n, how == SPREAD || how == MERGED, how >= MANY_BLOCKS);
    if (how != IN_HEAD && how != SPREAD) r->at[r->n - 1].is_flushed = true;
    follow(&w->trials[how], r, &w->spans);
    trial_settle(&w->trials[how]);
    w->views[how] = ingest_view(w->trials[how].in);
}

static void world_init(struct world *w, uint32_t n_traces) {
    *w = (struct world){ .n_asked = 0 };
    odd_spans_make(&w->spans, n_traces);
    for (int how = 0; how < LAYOUTS; how++) lay_out(w, (enum layout)how);
    plain_init(&w->plain, &w->trials[IN_HEAD].model);
}

static void world_fini(struct world *w) {
    plain_fini(&w->plain);
    for (int how = 0; how < LAYOUTS; how++) {
        view_unref(w->views[how]);
        trial_fini(&w->trials[how]);
        mem_free(w->recipes[how].at);
    }
    odd_spans_fini(&w->spans);
    printf("# %u questions, %u refused, %u without an answer\n", w->n_asked, w->n_refused, w->n_empty);
    CHECK_U64(w->n_wrong, 0);
    CHECK(w->n_refused * 4 < w->n_asked);
    CHECK(w->n_empty * 10 < w->n_asked * 9); // of the language's own, three in four are empty
}

// --- searches ------------------------------------------------------------------------------------

static uint64_t some_time(void) {
    return ODD_BASE_NS + test_below(ODD_RANGE_S + 2) * 1000000000 - 1000000000;
}

static struct query_bounds some_range(void) {
    uint64_t a = some_time(), b = some_time();
    if (a == b) b++;
    return (struct query_bounds){ .start_ns = a < b ? a : b, .end_ns = a < b ? b : a };
}

static void run_find(struct view *v, const struct find *f, struct find_result *out) {
    struct err_ctx ctx = { 0 };
    enum err e = find_run(v, f, out, &ctx);
    if (e != ERR_OK) printf("# %.*s: %s: %s\n", STR_ARG(f->query->text), err_text(e), ctx.text);
    CHECK_OK(e);
}

// Page by page; false: some page differs.
static bool pages_agree(struct view *v, struct find f, const struct plain_answer *slow) {
    bool same = true;
    f.limit = PAGE + slow->n / PAGES_MORE;
    for (uint32_t seen = 0; seen < slow->n && same;) {
        struct find_result r;
        run_find(v, &f, &r);
        same = check_find(f.query->text, &r, slow, seen) &&
               r.n == (slow->n - seen < f.limit ? slow->n - seen : f.limit);
        seen += r.n;
        f.has_after = true;
        if (same) f.after_start_ns = r.traces[r.n - 1].summary.start_ns;
        if (same) memcpy(f.after_id, r.traces[r.n - 1].summary.id, 16);
        find_fini(&r);
    }
    return same;
}

static bool layout_agrees(struct view *v, const struct find *f, const struct plain_answer *slow) {
    struct find_result r;
    run_find(v, f, &r);
    bool same = check_find(f->query->text, &r, slow, 0);
    if (same && r.is_exact) same = r.total == slow->n && r.matched_spans == slow->matched_spans;
    CHECK(r.is_exact || !f->count);
    find_fini(&r);
    return same;
}

// --- the least that still differs ----------------------------------------------------------------

// quiet: whether as many traces and spans match, no more.
static bool recipe_agrees(const struct world *w, const struct recipe *r, const struct find *f, bool quiet) {
    struct trial t;
    struct plain_data data;
    struct plain_answer slow;
    struct find_result fast;
    start(&t, false);
    follow(&t, r, &w->spans);
    struct view *v = ingest_view(t.in);
    plain_init(&data, &t.model);
    plain_find(&data, f, &slow);
    run_find(v, f, &fast);
    bool same = quiet ? traces_agree(fast.traces, fast.n, slow.traces, slow.n)
                      : check_find(f->query->text, &fast, &slow, 0);
    if (!quiet) print_spans(&data);
    find_fini(&fast);
    plain_answer_fini(&slow);
    plain_fini(&data);
    view_unref(v);
    trial_fini(&t);
    return same;
}

// Without the n pieces from `from`; a flush stays.
static struct recipe shorten(const struct recipe *r, uint32_t from, uint32_t n) {
    struct recipe out = { .at = mem_alloc((r->n + 1ull) * sizeof *out.at) };
    CHECK(out.at);
    for (uint32_t i = 0; i < r->n; i++) {
        if (i < from || i >= from + n)
            out.at[out.n++] = r->at[i];
        else if (r->at[i].is_flushed && out.n)
            out.at[out.n - 1].is_flushed = true;
    }
    return out;
}

// Shows the fewest spans over which the answers differ still, in the notation of the text cases.
static void show_least(const struct world *w, enum layout how, const struct find *f) {
    struct recipe least = shorten(&w->recipes[how], 0, 0);
    bool differs = how != MERGED && !recipe_agrees(w, &least, f, true);
    for (uint32_t step = least.n / 2; step > 0 && differs; step /= 2)
        for (uint32_t i = 0; i + step <= least.n && least.n > step;) {
            struct recipe r = shorten(&least, i, step);
            if (recipe_agrees(w, &r, f, true)) {
                i += step;
                mem_free(r.at);
            } else {
                mem_free(least.at);
                least = r;
            }
        }
    if (differs) {
        printf("# range (%lld, %lld] s; a block ends behind:", (long long)(f->bounds.start_ns / 1000000000),
               (long long)(f->bounds.end_ns / 1000000000));
        for (uint32_t i = 0; i < least.n; i++) printf(" %u%s", i, least.at[i].is_flushed ? "|" : "");
        printf("\n");
        CHECK(!recipe_agrees(w, &least, f, false));
    } else {
        printf("# layout %d; it cannot be made smaller\n", how);
    }
    mem_free(least.at);
}

// The traces that a search finds, in two cohorts.
static bool cohorts_agree(struct world *w, const struct find *f) {
    struct cohorts_query q = { .query = f->query, .bounds = f->bounds, .limit = COHORT_TRACES_MAX };
    bool same = true;
    if (test_below(2)) q.selection.min_ns = test_below(3) * 500000000;
    if (test_below(2)) q.selection.max_ns = q.selection.min_ns + test_below(2000000000);
    if (test_below(2)) q.selection.from_ns = some_time();
    if (q.selection.from_ns)
        q.selection.to_ns = q.selection.from_ns + test_below(ODD_RANGE_S) * 1000000000 + 1;
    for (int how = 0; how < LAYOUTS && same; how++) same = check_cohorts(w->views[how], &w->plain, &q);
    return same;
}

static void ask_search(struct world *w, const struct ql_query *q) {
    struct find f = { .query = q,
                      .limit = EVERYTHING,
                      .errors = true,
                      .spans_per_set = 1 + (uint32_t)test_below(4),
                      .count = test_below(2) };
    struct plain_answer slow;
    if (test_below(3) == 0) f.bounds = some_range();
    plain_find(&w->plain, &f, &slow);
    w->n_empty += slow.n == 0;
    bool same = true;
    for (int how = 0; how < LAYOUTS && same; how++) {
        same = layout_agrees(w->views[how], &f, &slow);
        if (!same && w->n_wrong < SHOWN) show_least(w, (enum layout)how, &f);
    }
    if (same && test_below(3) == 0) same = pages_agree(w->views[test_below(LAYOUTS)], f, &slow);
    if (same && test_below(4) == 0) same = cohorts_agree(w, &f);
    w->n_wrong += !same;
    plain_answer_fini(&slow);
}

// --- metrics -------------------------------------------------------------------------------------

static bool series_agree_in(struct view *v, const struct series_query *q, const struct plain_metrics *slow) {
    struct series_answer r;
    struct err_ctx ctx = { 0 };
    enum err e = series_run(v, q, &r, &ctx);
    if (e != ERR_OK) printf("# %.*s: %s: %s\n", STR_ARG(q->query->text), err_text(e), ctx.text);
    CHECK_OK(e);
    // What is made of quantiles that are 1 % off can be anything.
    bool vague = slow->is_rough && (q->query->metric->kind == QL_METRIC_OP || q->query->metric->n_seconds);
    bool same = vague || check_series(q->query->text, &r, slow);
    series_fini(&r);
    return same;
}

static void ask_metrics(struct world *w, const struct ql_query *q) {
    static const uint64_t steps[] = { 0, 5000000000, 7000000000, 60000000000, 1500000000 };
    struct series_query sq = { .query = q,
                               .bounds = some_range(),
                               .step_ns = steps[test_below(sizeof steps / sizeof *steps)] };
    struct plain_metrics slow;
    plain_series(&w->plain, &sq, &slow);
    w->n_empty += slow.n == 0;
    bool same = true;
    for (int how = 0; how < LAYOUTS && same; how++) same = series_agree_in(w->views[how], &sq, &slow);
    w->n_wrong += !same;
    plain_metrics_fini(&slow);
}

// --- tests ---------------------------------------------------------------------------------------

static void ask(struct world *w, struct str text) {
    struct arena a;
    struct ql_query *q;
    struct err_ctx ctx = { 0 };
    arena_init(&a, SIZE_MAX, NULL);
    enum err e = ql_parse(&a, text, &q, &ctx);
    w->n_asked++;
    w->n_refused += e != ERR_OK;
    if (e != ERR_OK) CHECK(e == ERR_INVALID || e == ERR_LIMIT);
    if (e == ERR_OK && q->is_metrics) ask_metrics(w, q);
    if (e == ERR_OK && !q->is_metrics) ask_search(w, q);
    if (e == ERR_OK) ql_free(q);
    arena_fini(&a);
}

static void ask_many(void (*write)(struct buf *out), uint32_t n_traces, uint32_t n_queries) {
    struct world w;
    struct buf text;
    buf_init(&text, 1 << 20);
    world_init(&w, n_traces);
    for (uint32_t i = 0; i < n_queries; i++) {
        buf_reset(&text);
        write(&text);
        ask(&w, test_exact(buf_view(&text)));
    }
    world_fini(&w);
    buf_fini(&text);
}

TEST(oracle_random_searches) {
    for (int i = 0; i < WORLDS; i++) ask_many(odd_search, TRACES, QUERIES);
}
TEST(oracle_random_metrics) {
    for (int i = 0; i < WORLDS; i++) ask_many(odd_metrics, TRACES, QUERIES);
}
TEST(oracle_searches_of_the_language) {
    ask_many(odd_search_of_language, TRACES, QUERIES);
}
TEST(oracle_metrics_of_the_language) {
    ask_many(odd_metrics_of_language, TRACES, QUERIES);
}
TEST(oracle_of_a_larger_world) {
    ask_many(odd_search, MANY_TRACES, FEW_QUERIES);
    ask_many(odd_metrics, MANY_TRACES, FEW_QUERIES);
}
