// SPDX-License-Identifier: Apache-2.0
// takt query: a question in TraceQL, put to a server or to a data directory. Both answer in the same
// JSON, from which the table or the plots are printed.
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "api/page.h"
#include "api/series.h"
#include "app/comparison.h"
#include "app/node.h"
#include "app/plot.h"
#include "app/reading.h"
#include "os/thread.h"

enum {
    PLOT_ROWS = 6,
    PLOTTED_MAX = 8, // series in full; more of them get a line each
    MARGIN = 14,     // beside a plot
};

struct asked {
    const char *text, *server, *dir;
    struct str since, from, to, limit, step;
    bool json;
};

struct kind {
    bool is_metrics, is_quantile;
    uint32_t compares; // compare(): how many values of a field; 0: something else
};

// --- what is asked ---------------------------------------------------------------------------------------

static int query_flag(struct asked *q, struct args *a, const char *flag) {
    uint64_t n;
    if (strcmp(flag, "--json") == 0) {
        q->json = true;
        return EXIT_DONE;
    }
    const char *v = args_value(a, flag);
    struct str text = str_of(v);
    if (!v) return EXIT_USAGE;
    if (strcmp(flag, "--server") == 0) {
        q->server = v;
    } else if (strcmp(flag, "--data") == 0) {
        q->dir = v;
    } else if (strcmp(flag, "--since") == 0) {
        if (!parse_duration(text, &n) || n == 0)
            return usage_error("query", "--since %s: try 15m, 1h or 7d", v);
        q->since = text;
    } else if (strcmp(flag, "--from") == 0 || strcmp(flag, "--to") == 0) {
        if (!parse_time(text, &n))
            return usage_error("query", "%s %s: try 2026-01-31T12:00:00Z or unix seconds", flag, v);
        *(strcmp(flag, "--to") == 0 ? &q->to : &q->from) = text;
    } else if (strcmp(flag, "--limit") == 0) {
        if (!str_u64(text, &n) || n == 0) return usage_error("query", "--limit %s is not a number", v);
        q->limit = text;
    } else if (strcmp(flag, "--step") == 0) {
        if (!parse_duration(text, &n) || n == 0) return usage_error("query", "--step %s: try 15s or 5m", v);
        q->step = text;
    } else {
        return usage_error("query", "unknown flag %s", flag);
    }
    return EXIT_DONE;
}

static bool is_flag_of_query(const char *flag) {
    static const char *const known[] = { "--json", "--server", "--data",  "--since",
                                         "--from", "--to",     "--limit", "--step" };
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (strcmp(flag, known[i]) == 0) return true;
    return false;
}

static int read_flags(struct asked *q, struct args *a) {
    while (a->at < a->argc) {
        const char *flag = args_flag(a);
        if (!flag && q->text) return usage_error("query", "\"%s\" is one word too many", a->argv[a->at]);
        if (!flag) {
            q->text = a->argv[a->at++];
            continue;
        }
        if (!is_flag_of_query(flag)) return usage_error("query", "unknown flag %s", flag);
        int bad = query_flag(q, a, flag);
        if (bad) return bad;
    }
    if (!q->text) return usage_error("query", "a query is missing, as in '{ status = error }'");
    if ((q->from.len != 0) != (q->to.len != 0)) return usage_error("query", "--from and --to go together");
    if (q->from.len && q->since.len) return usage_error("query", "--since does not go with --from and --to");
    return EXIT_DONE;
}

// The same for a server and for a directory.
static void make_params(const struct asked *q, bool is_metrics, struct buf *out) {
    params_add(out, STR("q"), str_of(q->text));
    if (q->from.len) {
        params_add(out, STR("start"), q->from);
        params_add(out, STR("end"), q->to);
    } else {
        params_add(out, STR("since"), q->since.len ? q->since : STR("1h"));
    }
    if (!is_metrics && q->limit.len) params_add(out, STR("limit"), q->limit);
    if (is_metrics && q->limit.len) params_add(out, STR("maxSeries"), q->limit);
    if (is_metrics && q->step.len) params_add(out, STR("step"), q->step);
}

// --- who answers -----------------------------------------------------------------------------------------

static enum err answer(struct ask *k, bool is_metrics, struct buf *json) {
    struct json_writer w = json_writer_on(json);
    struct tempo_pieces whole;
    w.nonfinite_string = true;
    if (!is_metrics) return page_search(k, &w);
    tempo_pieces_init(&whole, &tempo_range_response, true);
    enum err e = series_range(k, &whole);
    if (e == ERR_OK) buf_str(json, buf_view(&whole.message.buf));
    tempo_pieces_fini(&whole);
    return e;
}

static int ask_directory(const char *dir, struct str params, bool is_metrics, struct buf *json) {
    struct ask_limits limits = { .clock = clock_real() };
    struct crew *crew = NULL;
    struct reading r;
    struct err_ctx ctx = { 0 };
    struct ask k;
    enum err e = reading_open(&r, dir, &ctx);
    if (e != ERR_OK) {
        reading_close(&r);
        return failed("query", "%s", ctx.text[0] ? ctx.text : err_text(e));
    }
    struct view *v = ingest_view(r.ingest);
    if (crew_new(thread_cores() - 1, &crew) == ERR_OK) limits.crew = crew;
    ask_init(&k, v, &limits, params);
    e = answer(&k, is_metrics, json);
    if (e != ERR_OK) {
        struct buf text;
        buf_init(&text, SIZE_MAX);
        ask_explain(&k, e, &text);
        (void)failed_with("query", buf_view(&text));
        buf_fini(&text);
    }
    ask_fini(&k);
    crew_free(crew);
    view_unref(v);
    reading_close(&r);
    return e == ERR_OK ? EXIT_DONE : EXIT_FAILED;
}

static int ask_anyone(const struct asked *q, bool is_metrics, struct buf *json) {
    struct buf params, path;
    int result;
    buf_init(&params, 1 << 20);
    make_params(q, is_metrics, &params);
    if (q->dir) {
        buf_init(json, SIZE_MAX);
        result = ask_directory(q->dir, buf_view(&params), is_metrics, json);
    } else {
        buf_init(&path, 2 << 20);
        buf_str(&path, is_metrics ? STR("/api/metrics/query_range?") : STR("/api/takt/search?"));
        buf_str(&path, buf_view(&params));
        buf_char(&path, '\0');
        result = ask_server("query", q->server, path.ptr, json);
        buf_fini(&path);
    }
    buf_fini(&params);
    return result;
}

// --- a search as a table ---------------------------------------------------------------------------------

static const struct doc_node *first_of(const struct doc_node *list) {
    return list ? list->first : NULL;
}

struct sheet {
    struct arena *arena;
    struct str columns[64];
    uint32_t n_columns;
    struct str *cells;
    uint32_t n_rows;
};
enum { FIXED = 5 }; // trace, start, duration, root, matched

enum { VALUES_MAX = 8 }; // in a cell

struct cell {
    struct arena *arena;
    struct buf text;
    struct str seen[VALUES_MAX];
    uint32_t n;
    bool has_more;
};

// Lists and the like are the text of their OTLP/JSON.
static void add_value(struct cell *c, const struct doc_node *attribute) {
    struct str v = node_text(attribute, "value");
    const struct doc_node *any;
    bool is_any = str_eq(node_text(attribute, "type"), STR("any"));
    for (uint32_t i = 0; i < c->n; i++)
        if (str_eq(c->seen[i], v)) return;
    c->has_more = c->n == VALUES_MAX;
    if (c->has_more) return;
    c->seen[c->n++] = v;
    if (c->n > 1) buf_str(&c->text, STR(", "));
    if (is_any && node_parse(c->arena, v, &any) == ERR_OK)
        node_print_any(any, &c->text);
    else
        plot_text(&c->text, v);
}

static void add_values(struct cell *c, const struct doc_node *attributes, struct str key) {
    for (const struct doc_node *x = first_of(attributes); x; x = x->next)
        if (str_eq(node_text(x, "key"), key)) add_value(c, x);
}

// The values of a column in the shown spans of a set, each once, and of the set itself.
static struct str column_cell(struct sheet *s, const struct doc_node *set, struct str key) {
    struct cell c = { .arena = s->arena };
    buf_init(&c.text, 64 << 10);
    add_values(&c, node_at(set, "attributes"), key);
    const struct doc_node *spans = node_at(set, "spans");
    for (const struct doc_node *span = first_of(spans); span; span = span->next)
        add_values(&c, node_at(span, "attributes"), key);
    if (c.has_more) buf_str(&c.text, STR(", ..."));
    struct str cell = plot_cell(s->arena, buf_view(&c.text));
    buf_fini(&c.text);
    return cell;
}

static void add_column(struct sheet *s, struct str key) {
    for (uint32_t i = 0; i < s->n_columns; i++)
        if (str_eq(s->columns[i], key)) return;
    if (s->n_columns < sizeof s->columns / sizeof *s->columns) s->columns[s->n_columns++] = key;
}

// What by() and aggregates say comes first, then what the query reads.
static void find_columns(struct sheet *s, const struct doc_node *answer) {
    const struct doc_node *traces = node_at(answer, "traces"), *columns = node_at(answer, "columns");
    for (const struct doc_node *t = first_of(traces); t; t = t->next)
        for (const struct doc_node *set = first_of(node_at(t, "sets")); set; set = set->next)
            for (const struct doc_node *x = first_of(node_at(set, "attributes")); x; x = x->next)
                add_column(s, node_text(x, "key"));
    for (const struct doc_node *c = first_of(columns); c; c = c->next) add_column(s, c->text);
}

static struct str text_cell(struct sheet *s, void (*put)(struct buf *out, uint64_t v), uint64_t v) {
    struct buf b;
    buf_init(&b, 256);
    put(&b, v);
    struct str cell = str_dup(s->arena, buf_view(&b));
    buf_fini(&b);
    return cell;
}

static struct str root_cell(struct sheet *s, const struct doc_node *trace) {
    struct buf b;
    struct str name = node_text(trace, "rootName");
    buf_init(&b, 64 << 10);
    plot_text(&b, node_text(trace, "rootService"));
    if (name.len) buf_str(&b, STR(": "));
    plot_text(&b, name);
    if (b.len == 0) buf_str(&b, STR("(no root)"));
    struct str cell = plot_cell(s->arena, buf_view(&b));
    buf_fini(&b);
    return cell;
}

static void add_row(struct sheet *s, const struct doc_node *trace, const struct doc_node *set) {
    struct str *row = s->cells + (size_t)s->n_rows++ * (FIXED + s->n_columns);
    row[0] = node_text(trace, "traceId");
    row[1] = text_cell(s, plot_time, node_u64(trace, "startUnixNano"));
    row[2] = text_cell(s, plot_duration, node_u64(trace, "durationNano"));
    row[3] = root_cell(s, trace);
    row[4] = node_text(set, "matched");
    for (uint32_t i = 0; i < s->n_columns; i++) row[FIXED + i] = column_cell(s, set, s->columns[i]);
}

static void print_total(const struct doc_node *answer, struct buf *out) {
    const struct doc_node *traces = node_at(answer, "traces");
    uint64_t total = node_u64(answer, "total");
    uint32_t shown = traces ? traces->n : 0;
    bool exact = node_true(answer, "exact");
    buf_fmt(out, "%u trace%s", shown, shown == 1 ? "" : "s");
    if (exact && total > shown) buf_fmt(out, " of %llu", (unsigned long long)total);
    if (!exact && node_text(answer, "cursor").len) buf_str(out, STR("; there are more, see --limit"));
    if (!node_true(answer, "complete")) {
        buf_str(out, STR("; incomplete: "));
        plot_text(out, node_text(answer, "why"));
    }
    buf_char(out, '\n');
}

static enum err print_search(struct arena *a, const struct doc_node *answer, struct buf *out) {
    struct sheet s = { .arena = a };
    static const char *const heads[FIXED] = { "TRACE", "START (UTC)", "DURATION", "ROOT", "SPANS" };
    const struct doc_node *traces = node_at(answer, "traces");
    size_t rows = 1;
    find_columns(&s, answer);
    for (const struct doc_node *t = first_of(traces); t; t = t->next)
        rows += node_at(t, "sets") ? node_at(t, "sets")->n : 0;
    s.cells = ARENA_ARRAY(a, rows * (FIXED + s.n_columns), struct str);
    if (!s.cells) return ERR_NOMEM;
    for (uint32_t i = 0; i < FIXED; i++) s.cells[i] = str_of(heads[i]);
    for (uint32_t i = 0; i < s.n_columns; i++) s.cells[FIXED + i] = plot_cell(a, s.columns[i]);
    s.n_rows = 1;
    for (const struct doc_node *t = first_of(traces); t; t = t->next)
        for (const struct doc_node *set = first_of(node_at(t, "sets")); set; set = set->next)
            add_row(&s, t, set);
    struct table table = { s.cells, s.n_rows, FIXED + s.n_columns };
    if (s.n_rows > 1) table_print(&table, out);
    print_total(answer, out);
    return a->failed ? ERR_NOMEM : ERR_OK;
}

// --- metrics as plots ------------------------------------------------------------------------------------

struct grid { // the times of all series
    uint64_t first_ms, last_ms, step_ms;
    uint32_t n;
};

// Series leave samples out where they have none, so the step is the smallest distance of all.
static struct grid find_grid(const struct doc_node *series) {
    struct grid g = { .first_ms = UINT64_MAX, .step_ms = UINT64_MAX };
    for (const struct doc_node *s = first_of(series); s; s = s->next) {
        const struct doc_node *samples = node_at(s, "samples");
        uint64_t before = 0;
        for (const struct doc_node *x = first_of(samples); x; x = x->next) {
            uint64_t t = node_u64(x, "timestampMs");
            if (t < g.first_ms) g.first_ms = t;
            if (t > g.last_ms) g.last_ms = t;
            if (before && t > before && t - before < g.step_ms) g.step_ms = t - before;
            before = t;
        }
    }
    if (g.step_ms == UINT64_MAX) g.step_ms = 1;
    if (g.first_ms <= g.last_ms) g.n = (uint32_t)((g.last_ms - g.first_ms) / g.step_ms + 1);
    if (g.n > METRIC_STEPS_MAX) g.n = METRIC_STEPS_MAX;
    return g;
}

static void put_labels(struct buf *out, const struct doc_node *series) {
    const struct doc_node *labels = node_at(series, "labels");
    for (const struct doc_node *l = first_of(labels); l; l = l->next) {
        if (l != labels->first) buf_str(out, STR(", "));
        plot_text(out, node_text(l, "key"));
        buf_char(out, '=');
        node_print_any(node_at(l, "value"), out);
    }
}

// An answer leaves a value of 0 out. Of quantiles it has one also where there was no span.
static void fill(const struct doc_node *series, const struct grid *g, bool is_quantile, double *values) {
    const struct doc_node *samples = node_at(series, "samples");
    for (uint32_t i = 0; i < g->n; i++) values[i] = NAN;
    for (const struct doc_node *x = first_of(samples); x; x = x->next) {
        uint64_t at = (node_u64(x, "timestampMs") - g->first_ms) / g->step_ms;
        if (at < g->n && !(is_quantile && !node_at(x, "value"))) values[at] = node_f64(x, "value");
    }
}

static void put_figures(struct buf *out, const double *values, uint32_t n) {
    double least = NAN, most = NAN, sum = 0;
    uint32_t count = 0;
    for (uint32_t i = 0; i < n; i++) {
        if (isnan(values[i])) continue;
        if (!(values[i] >= least)) least = values[i];
        if (!(values[i] <= most)) most = values[i];
        sum += values[i];
        count++;
    }
    buf_str(out, STR("min "));
    plot_number(out, least);
    buf_str(out, STR("  mean "));
    plot_number(out, count ? sum / count : NAN);
    buf_str(out, STR("  max "));
    plot_number(out, most);
}

static enum err print_metrics(struct arena *a, const struct doc_node *series, bool is_quantile,
                              struct buf *out) {
    struct grid g = find_grid(series);
    double *values = ARENA_ARRAY(a, g.n + 1ull, double);
    bool small = series && series->n > PLOTTED_MAX;
    uint32_t columns = plot_columns(), width = columns > MARGIN + 20 ? columns - MARGIN : 20;
    if (!values) return ERR_NOMEM;
    struct plot p = { .values = values,
                      .n = g.n,
                      .width = small                    ? width / 2
                               : width < PLOT_WIDTH_MAX ? width
                                                        : PLOT_WIDTH_MAX,
                      .height = small ? 1 : PLOT_ROWS,
                      .unicode = plot_unicode(),
                      .start_ns = (g.first_ms > g.step_ms ? g.first_ms - g.step_ms : 0) * 1000000,
                      .end_ns = g.last_ms * 1000000 };
    for (const struct doc_node *s = first_of(series); s; s = s->next) {
        fill(s, &g, is_quantile, values);
        put_labels(out, s);
        buf_str(out, STR("   "));
        put_figures(out, values, g.n);
        buf_char(out, '\n');
        plot_draw(&p, out);
        buf_char(out, '\n');
    }
    buf_fmt(out, "%u series", series ? series->n : 0);
    return ERR_OK;
}

static enum err print_series(struct arena *a, const struct doc_node *answer, struct kind kind,
                             struct buf *out) {
    const struct doc_node *series = node_at(answer, "series");
    TRY(kind.compares ? comparison_print(a, series, kind.compares, out)
                      : print_metrics(a, series, kind.is_quantile, out));
    if (node_at(answer, "status")) {
        buf_str(out, STR("; incomplete: "));
        plot_text(out, node_text(answer, "message"));
    }
    buf_char(out, '\n');
    return ERR_OK;
}

// --- the command -----------------------------------------------------------------------------------------

// Does it parse, and what is it? A message was printed when it does not.
static bool check_query(const char *text, struct kind *out) {
    struct err_ctx ctx = { 0 };
    struct ql_query *q;
    struct arena a;
    struct buf why;
    arena_init(&a, SIZE_MAX, NULL);
    enum err e = ql_parse(&a, str_of(text), &q, &ctx);
    if (e == ERR_OK) {
        const struct ql_metric *m = q->metric;
        bool is_function = m && m->kind == QL_METRIC_FUNCTION;
        *out = (struct kind){ .is_metrics = q->is_metrics,
                              .is_quantile = is_function && m->function == QL_QUANTILE_OVER_TIME,
                              .compares = is_function && m->function == QL_COMPARE ? m->top : 0 };
        ql_free(q);
    } else {
        buf_init(&why, 1 << 20);
        ql_explain(str_of(text), &ctx, &why);
        (void)failed_with("query", buf_view(&why));
        buf_fini(&why);
    }
    arena_fini(&a);
    return e == ERR_OK;
}

static int print_answer(struct str json, struct kind kind) {
    const struct doc_node *root;
    struct arena a;
    struct buf out;
    arena_init(&a, SIZE_MAX, NULL);
    buf_init(&out, SIZE_MAX);
    enum err e = node_parse(&a, json, &root);
    if (e == ERR_OK) e = kind.is_metrics ? print_series(&a, root, kind, &out) : print_search(&a, root, &out);
    (void)fwrite(out.ptr, 1, out.len, stdout);
    buf_fini(&out);
    arena_fini(&a);
    return e == ERR_OK ? EXIT_DONE : failed("query", "the answer cannot be read: %s", err_text(e));
}

int run_query(int argc, char **argv) {
    struct args a = { "query", argc, argv, 0, NULL };
    struct asked q = { .server = default_server() };
    struct buf json;
    struct kind kind;
    int bad = read_flags(&q, &a);
    if (bad) return bad;
    if (!check_query(q.text, &kind)) return EXIT_FAILED;
    int result = ask_anyone(&q, kind.is_metrics, &json);
    if (result == EXIT_DONE && q.json) {
        (void)fwrite(json.ptr, 1, json.len, stdout);
        (void)fputc('\n', stdout);
    } else if (result == EXIT_DONE) {
        result = print_answer(buf_view(&json), kind);
    }
    buf_fini(&json);
    return result;
}
