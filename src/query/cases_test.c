// SPDX-License-Identifier: Apache-2.0
// The text cases of TraceQL (tests/cases/traceql/README.md says how they are written) and the
// examples of docs/traceql.md: the plain interpreter must answer what the case says, and the engine
// what the interpreter answers, however the spans lie.
#include "query/case_test.h"
#include "query/plain_test.h"

#define FOLDER "tests/cases/traceql/"
#define TOUR FOLDER "tour.case"
#define DOCS "docs/traceql.md"

enum { LINES_MAX = 64, EVERYTHING = 1000 };

struct example {
    struct str query;
    struct str want[LINES_MAX]; // `= …` without the sign; or one `! …`
    uint32_t n_want, line;
    bool is_error;
};
// How the spans lie: all in a head, all in a block, a block for each trace, a block for each span (the
// last of them in a head), every other span in one block and the rest in another.
enum layout { IN_HEAD, ONE_BLOCK, BY_TRACE, BY_SPAN, IN_TURNS, LAYOUTS };

struct runner {
    const char *path;
    struct arena arena; // of the file
    struct case_data data;
    bool has_data, in_data;
    struct trial trials[LAYOUTS];
    struct plain_data plain;
    struct query_bounds search, range;
    uint64_t step_ns;
    uint32_t spans_per_set;
    uint32_t n_cases, n_wrong;
};

// --- data ----------------------------------------------------------------------------------------

static void data_fini(struct runner *r) {
    if (!r->has_data) return;
    plain_fini(&r->plain);
    for (int how = 0; how < LAYOUTS; how++) trial_fini(&r->trials[how]);
    case_data_fini(&r->data);
    r->has_data = false;
}

static void data_begin(struct runner *r) {
    data_fini(r);
    case_data_init(&r->data);
    r->search = r->range = (struct query_bounds){ 0 };
    r->spans_per_set = EVERYTHING;
    r->has_data = r->in_data = true;
}

static bool is_flushed_after(const struct case_data *d, enum layout how, uint32_t i) {
    bool is_last = i + 1 == d->n;
    if (how == IN_HEAD) return false;
    if (how == ONE_BLOCK) return is_last;
    if (how == IN_TURNS) return i + 2 >= d->n;
    if (how == BY_SPAN) return !is_last;
    return is_last || memcmp(d->spans[i].trace, d->spans[i + 1].trace, 16) != 0;
}

static void lay_out(struct runner *r, enum layout how) {
    struct trial *t = &r->trials[how];
    CHECK_OK(trial_init(t, (struct trial_opts){ .rand = test_rand, .cut_spans = 100000, .mem_store = true }));
    t->opts.merge = false;
    CHECK_OK(trial_open(t));
    uint32_t step = how == IN_TURNS ? 2 : 1;
    for (uint32_t k = 0; k < r->data.n; k++) {
        uint32_t evens = (r->data.n + 1) / 2, i = step == 1 ? k : k < evens ? 2 * k : 2 * (k - evens) + 1;
        const struct case_span *s = &r->data.spans[i];
        CHECK_OK(trial_submit(t, str_sub(buf_view(&r->data.body), s->from, s->to - s->from)));
        if (is_flushed_after(&r->data, how, i)) CHECK_OK(trial_flush(t));
    }
}

static void data_end(struct runner *r) {
    if (!r->in_data) return;
    r->in_data = false;
    case_data_end(&r->data);
    for (int how = 0; how < LAYOUTS; how++) lay_out(r, (enum layout)how);
    plain_init(&r->plain, &r->trials[IN_HEAD].model);
    CHECK_U64(r->plain.n_spans, r->data.n); // or two spans of the notation are equal
}

// --- one example ---------------------------------------------------------------------------------

static void report(struct runner *r, const struct example *x, struct str got) {
    printf("# %s:%u: %.*s\n#   wanted:\n", r->path, x->line, STR_ARG(x->query));
    for (uint32_t i = 0; i < x->n_want; i++) printf("#     %.*s\n", STR_ARG(x->want[i]));
    printf("#   got:\n");
    struct str line;
    while (got.len > 0) {
        (void)str_cut(got, '\n', &line, &got);
        printf("#     %.*s\n", STR_ARG(line));
    }
    r->n_wrong++;
}

static bool is_wanted(const struct example *x, struct str got) {
    struct str line;
    uint32_t i = 0;
    for (; got.len > 0; i++) {
        (void)str_cut(got, '\n', &line, &got);
        if (i == x->n_want || !str_eq(line, x->want[i])) return false;
    }
    return i == x->n_want;
}

static struct str span_name_of(const void *ctx, const uint8_t trace[16], const struct find_span *s) {
    return case_span_name(ctx, trace, s->span_id, s->start_ns);
}

static bool shows_attrs(const struct example *x) {
    for (uint32_t i = 0; i < x->n_want; i++) {
        struct str head, tail;
        (void)str_cut(x->want[i], '}', &head, &tail); // of the first set
        if (str_find(head, '[') >= 0) return true;
    }
    return false;
}

static void hold_find(struct runner *r, struct trial *t, const struct find *f,
                      const struct plain_answer *slow) {
    struct find_result fast;
    struct err_ctx ctx = { 0 };
    struct view *v = ingest_view(t->in);
    enum err e = find_run(v, f, &fast, &ctx);
    if (e != ERR_OK) printf("# %.*s: %s\n", STR_ARG(f->query->text), ctx.text);
    CHECK_OK(e);
    r->n_wrong += !check_find(f->query->text, &fast, slow, 0);
    find_fini(&fast);
    view_unref(v);
}

static void run_search(struct runner *r, const struct example *x, const struct ql_query *q, struct buf *got) {
    struct find f = { .query = q,
                      .bounds = r->search,
                      .limit = EVERYTHING,
                      .errors = true,
                      .spans_per_set = r->spans_per_set };
    struct find_names names = { span_name_of, &r->data, shows_attrs(x) };
    struct plain_answer slow;
    plain_find(&r->plain, &f, &slow);
    print_traces(slow.traces, slow.n, &names, got);
    for (int how = 0; how < LAYOUTS; how++) hold_find(r, &r->trials[how], &f, &slow);
    plain_answer_fini(&slow);
}

static void hold_series(struct runner *r, struct trial *t, const struct series_query *q,
                        const struct plain_metrics *slow) {
    struct series_answer fast;
    struct err_ctx ctx = { 0 };
    struct view *v = ingest_view(t->in);
    enum err e = series_run(v, q, &fast, &ctx);
    if (e != ERR_OK) printf("# %.*s: %s\n", STR_ARG(q->query->text), ctx.text);
    CHECK_OK(e);
    r->n_wrong += !check_series(q->query->text, &fast, slow);
    series_fini(&fast);
    view_unref(v);
}

static void run_metrics(struct runner *r, const struct ql_query *query, struct buf *got) {
    struct series_query q = { .query = query, .bounds = r->range, .step_ns = r->step_ns };
    struct plain_metrics slow;
    CHECK(r->range.end_ns > 0); // the file says `@ range …` before
    plain_series(&r->plain, &q, &slow);
    print_series(&slow, got);
    for (int how = 0; how < LAYOUTS; how++) hold_series(r, &r->trials[how], &q, &slow);
    plain_metrics_fini(&slow);
}

static void print_error(const struct err_ctx *ctx, struct buf *out) {
    if (ctx->line) buf_fmt(out, "%u:%u ", ctx->line, ctx->column);
    buf_fmt(out, "%s\n", ctx->text);
}

static void run_example(struct runner *r, const struct example *x) {
    struct arena a;
    struct buf got;
    struct ql_query *q;
    struct err_ctx ctx = { 0 };
    arena_init(&a, SIZE_MAX, NULL);
    buf_init(&got, SIZE_MAX);
    enum err e = ql_parse(&a, x->query, &q, &ctx);
    if (e != ERR_OK)
        print_error(&ctx, &got);
    else if (q->is_metrics)
        run_metrics(r, q, &got);
    else
        run_search(r, x, q, &got);
    r->n_cases++;
    if ((e != ERR_OK) != x->is_error || !is_wanted(x, buf_view(&got))) report(r, x, buf_view(&got));
    if (e == ERR_OK) ql_free(q);
    buf_fini(&got);
    arena_fini(&a);
}

static void end_example(struct runner *r, struct example *x) {
    if (x->query.len == 0) return;
    if (x->n_want == 0) {
        printf("# %s:%u: no answer is given\n", r->path, x->line);
        r->n_wrong++;
    } else {
        run_example(r, x);
    }
    *x = (struct example){ .line = 0 };
}

// --- settings: `@ …` -----------------------------------------------------------------------------

static uint64_t time_at(struct str *rest) {
    struct str token;
    int64_t ns;
    CHECK(case_token(rest, &token) && case_time(token, &ns));
    return CASE_BASE_NS + (uint64_t)ns;
}

static struct query_bounds bounds_of(struct str *rest) {
    struct query_bounds b = { .start_ns = time_at(rest) };
    b.end_ns = time_at(rest);
    return b;
}

static void take_setting(struct runner *r, struct str rest) {
    struct str word, step, number;
    uint64_t n;
    int64_t step_ns;
    CHECK(case_token(&rest, &word));
    if (str_eq(word, STR("range"))) {
        r->range = bounds_of(&rest);
        CHECK(case_token(&rest, &step) && str_eq(step, STR("step")));
        CHECK(case_token(&rest, &number) && case_time(number, &step_ns));
        r->step_ns = (uint64_t)step_ns;
    } else if (str_eq(word, STR("instant"))) {
        r->range = bounds_of(&rest);
        r->step_ns = 0;
    } else if (str_eq(word, STR("search"))) {
        r->search = str_eq(str_trim(rest), STR("all")) ? (struct query_bounds){ 0 } : bounds_of(&rest);
    } else {
        CHECK(str_eq(word, STR("spss")) && case_token(&rest, &number) && str_u64(number, &n));
        r->spans_per_set = (uint32_t)n;
    }
}

// --- files ---------------------------------------------------------------------------------------

static void runner_init(struct runner *r, const char *path) {
    *r = (struct runner){ .path = path };
    arena_init(&r->arena, SIZE_MAX, NULL);
}

static void runner_fini(struct runner *r) {
    data_fini(r);
    arena_fini(&r->arena);
    printf("# %s: %u cases\n", r->path, r->n_cases);
    CHECK_U64(r->n_wrong, 0);
}

static void add_want(struct example *x, struct str line, bool is_error) {
    CHECK(x->n_want < LINES_MAX);
    x->want[x->n_want++] = str_trim(str_sub(line, 1, line.len));
    x->is_error = is_error;
}

static void take_line(struct runner *r, struct example *x, struct str line, uint32_t number) {
    char c = line.len ? line.ptr[0] : '#';
    if (c == '#') return;
    if (c == ' ' && r->in_data) {
        case_data_line(&r->data, str_sub(line, 2, line.len));
        return;
    }
    if (c == ' ') { // the query goes on
        x->query = str_fmt(&r->arena, "%.*s\n%.*s", STR_ARG(x->query), STR_ARG(str_sub(line, 2, line.len)));
        return;
    }
    if (c == '=' || c == '!') {
        add_want(x, line, c == '!');
        return;
    }
    end_example(r, x);
    if (str_eq(line, STR("data"))) {
        data_begin(r);
        return;
    }
    data_end(r);
    if (c == '@')
        take_setting(r, str_sub(line, 2, line.len));
    else if (c == '?')
        *x = (struct example){ .query = str_sub(line, 2, line.len), .line = number };
    else {
        printf("# %s:%u: %.*s\n", r->path, number, STR_ARG(line));
        test_fail(__FILE__, __LINE__, "a line of no known kind");
    }
}

static void take_file(struct runner *r, const char *path) {
    struct str text = case_read(&r->arena, path), line;
    struct example x = { .line = 0 };
    for (uint32_t number = 1; text.len > 0; number++) {
        (void)str_cut(text, '\n', &line, &text);
        take_line(r, &x, line, number);
    }
    end_example(r, &x);
    data_end(r);
}

static void run_file(const char *path) {
    struct runner r;
    runner_init(&r, path);
    take_file(&r, path);
    runner_fini(&r);
}

TEST(cases_tour) {
    run_file(TOUR);
}
TEST(cases_values) {
    run_file(FOLDER "values.case");
}
TEST(cases_fields) {
    run_file(FOLDER "fields.case");
}
TEST(cases_events) {
    run_file(FOLDER "events.case");
}
TEST(cases_tree) {
    run_file(FOLDER "tree.case");
}
TEST(cases_pipelines) {
    run_file(FOLDER "pipelines.case");
}
TEST(cases_answers) {
    run_file(FOLDER "answers.case");
}
TEST(cases_found) {
    run_file(FOLDER "found.case");
}
TEST(cases_metrics) {
    run_file(FOLDER "metrics.case");
}

// --- the documentation ---------------------------------------------------------------------------

// A block of ```traceql: the query, then comments `// = …` with the answer over the tour's data.
static void take_block_line(struct runner *r, struct example *x, struct str line) {
    struct str comment = str_trim(line);
    if (str_starts(comment, STR("// = ")))
        add_want(x, str_sub(comment, 3, comment.len), false);
    else if (str_starts(comment, STR("// ! ")))
        add_want(x, str_sub(comment, 3, comment.len), true);
    else if (x->query.len == 0)
        x->query = line;
    else
        x->query = str_fmt(&r->arena, "%.*s\n%.*s", STR_ARG(x->query), STR_ARG(line));
}

TEST(cases_of_the_documentation) {
    struct runner r;
    struct example x = { .line = 0 };
    bool inside = false;
    runner_init(&r, TOUR);
    take_file(&r, TOUR);
    r.path = DOCS;
    r.n_cases = 0;
    struct str text = case_read(&r.arena, DOCS), line;
    for (uint32_t number = 1; text.len > 0; number++) {
        (void)str_cut(text, '\n', &line, &text);
        if (inside && !str_starts(line, STR("```"))) take_block_line(&r, &x, line);
        if (!str_starts(line, STR("```"))) continue;
        if (inside) end_example(&r, &x);
        inside = !inside && str_eq(line, STR("```traceql"));
        x.line = number + 1;
    }
    CHECK(r.n_cases > 20);
    runner_fini(&r);
}
