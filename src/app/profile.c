// SPDX-License-Identifier: Apache-2.0
// takt profile, report: what holds the tempo back, and a week at a glance; how checks are printed.
#include "app/profile.h"

#include "app/app.h"
#include "app/plot.h"
#include "app/dora.h"

static void put_text_of(struct buf *out, const struct doc_node *n, const char *key) {
    plot_text(out, node_text(n, key));
}

// One line: the answer, the question, the evidence; what to do, where something is.
static void finding_line(struct buf *out, const struct doc_node *f) {
    buf_fmt(out, "  %-12.*s", STR_ARG(node_text(f, "answer")));
    put_text_of(out, f, "text");
    if (node_text(f, "evidence").len) {
        buf_str(out, STR(": "));
        put_text_of(out, f, "evidence");
    }
    buf_char(out, '\n');
    if (!node_text(f, "step").len) return;
    buf_str(out, STR("              -> "));
    put_text_of(out, f, "step");
    buf_char(out, '\n');
}
static void finding_lines(struct buf *out, const char *head, const struct doc_node *list) {
    if (!list || !list->n) return;
    buf_fmt(out, "\n%s\n", head);
    for (const struct doc_node *f = list->first; f; f = f->next) finding_line(out, f);
}
static void put_span_of_time(struct buf *out, const struct doc_node *answer) {
    put_day(out, node_u64(answer, "from"));
    buf_str(out, STR(" to "));
    put_day(out, node_u64(answer, "to"));
    buf_str(out, STR(" UTC\n"));
}

// --- the profile -------------------------------------------------------------------------------------------

static void put_headline(struct buf *out, const struct doc_node *answer) {
    const struct doc_node *h = node_at(answer, "headline");
    buf_str(out, STR("What holds the tempo back most: "));
    put_text_of(out, h, "text");
    buf_str(out, STR("\n  "));
    put_text_of(out, h, "evidence");
    buf_str(out, STR("\n  -> "));
    put_text_of(out, h, "step");
    buf_char(out, '\n');
}

// The figures of findings, each once.
struct looked_at {
    struct arena *arena;
    struct str *ids;
    uint32_t n, cap;
};
static void look_at(struct looked_at *l, const struct doc_node *findings) {
    for (const struct doc_node *f = findings ? findings->first : NULL; f; f = f->next) {
        const struct doc_node *figures = node_at(f, "figures");
        for (const struct doc_node *id = figures ? figures->first : NULL; id; id = id->next) {
            uint32_t i = 0;
            struct str *more;
            while (i < l->n && !str_eq(l->ids[i], node_text(id, ""))) i++;
            if (i < l->n) continue;
            more = arena_grow(l->arena, l->ids, l->n, &l->cap, sizeof *more);
            if (!more) return;
            l->ids = more;
            l->ids[l->n++] = node_text(id, "");
        }
    }
}
static enum err put_looked_at(struct arena *a, const struct doc_node *answer, struct buf *out) {
    struct looked_at l = { .arena = a };
    const struct doc_node *dimensions = node_at(answer, "dimensions");
    for (const struct doc_node *d = dimensions ? dimensions->first : NULL; d; d = d->next)
        look_at(&l, node_at(d, "steps"));
    look_at(&l, node_at(answer, "rules"));
    look_at(&l, node_at(answer, "modes"));
    buf_str(out, STR("\nThe figures behind it: takt why FIGURE\n"));
    for (uint32_t i = 0; i < l.n; i++) buf_fmt(out, "  %.*s\n", STR_ARG(l.ids[i]));
    return a->failed ? ERR_NOMEM : ERR_OK;
}

// "deploy     1  automated, weekly"; what cannot be known says so, and why.
static void put_level(struct buf *out, const struct doc_node *d) {
    static const char *const levels[] = { "manual, monthly", "automated, weekly", "progressive, daily" };
    bool known = node_at(d, "level") != NULL;
    uint64_t level = node_u64(d, known ? "level" : "at_least"),
             most = node_u64(d, known ? "level" : "at_most");
    buf_fmt(out, "  %-10.*s ", STR_ARG(node_text(d, "name")));
    if (known)
        buf_fmt(out, "%llu  %s\n", (unsigned long long)level, levels[level < 3 ? level : 2]);
    else {
        buf_fmt(out, "?  cannot know which of %llu to %llu: ", (unsigned long long)level,
                (unsigned long long)most);
        put_text_of(out, d, "why");
        buf_char(out, '\n');
    }
}

static enum err print_profile(struct arena *a, const struct doc_node *answer, struct buf *out) {
    const struct doc_node *dimensions = node_at(answer, "dimensions");
    put_span_of_time(out, answer);
    buf_char(out, '\n');
    put_headline(out, answer);
    buf_str(out, STR("\nMaturity\n"));
    for (const struct doc_node *d = dimensions ? dimensions->first : NULL; d; d = d->next) {
        put_level(out, d);
        const struct doc_node *steps = node_at(d, "steps");
        for (const struct doc_node *s = steps ? steps->first : NULL; s; s = s->next) {
            buf_str(out, STR("  "));
            finding_line(out, s);
        }
    }
    finding_lines(out, "Rules, in order (yes: it holds)", node_at(answer, "rules"));
    finding_lines(out, "Failure modes (yes: it shows)", node_at(answer, "modes"));
    return put_looked_at(a, answer, out);
}

// --- checks ------------------------------------------------------------------------------------------------

enum err ready_print(struct arena *a, const struct doc_node *answer, struct buf *out) {
    (void)a;
    put_text_of(out, answer, "service");
    buf_char(out, '\n');
    finding_lines(out, "Before production", node_at(answer, "before"));
    finding_lines(out, "Ready", node_at(answer, "ready"));
    return ERR_OK;
}

static void rollback_print(const struct doc_node *rollback, struct buf *out) {
    if (!rollback) return;
    buf_str(out, STR("  roll back    "));
    if (node_at(rollback, "command"))
        put_text_of(out, rollback, "command");
    else
        put_text_of(out, rollback, "why");
    if (node_at(rollback, "tool"))
        buf_fmt(out, " (as %.*s does; a suggestion)", STR_ARG(node_text(rollback, "tool")));
    buf_char(out, '\n');
}

enum err incident_print(struct arena *a, const struct doc_node *answer, struct buf *out) {
    static const char *const times[] = { "began", "impact", "detected", "acknowledged", "recovered" };
    (void)a;
    put_text_of(out, answer, "incident");
    buf_str(out, STR(": "));
    put_text_of(out, answer, "title");
    buf_fmt(out, " (%.*s)\n", STR_ARG(node_text(answer, "state")));
    for (size_t i = 0; i < sizeof times / sizeof *times; i++) {
        if (!node_at(answer, times[i])) continue;
        buf_fmt(out, "  %-13s", times[i]);
        put_day(out, node_u64(answer, times[i]));
        if (str_eq(str_of(times[i]), STR("impact")))
            buf_fmt(out, " (%.*s)", STR_ARG(node_text(answer, "impact_by")));
        buf_char(out, '\n');
    }
    if (node_at(answer, "rollout")) {
        buf_str(out, STR("  caused by    "));
        put_text_of(out, answer, "cause_service");
        if (node_at(answer, "cause_service")) buf_char(out, ' ');
        put_text_of(out, answer, "version");
        buf_fmt(out, " (rollout %.*s, by %.*s: ", STR_ARG(node_text(answer, "rollout")),
                STR_ARG(node_text(answer, "rule")));
        put_text_of(out, answer, "says");
        buf_str(out, STR(")\n"));
    }
    rollback_print(node_at(answer, "rollback"), out);
    finding_lines(out, "Checks", node_at(answer, "checks"));
    return ERR_OK;
}

// --- the report --------------------------------------------------------------------------------------------

enum { REPORT_COLUMNS = 5 };

static struct str cell(struct arena *a, struct buf *b) {
    struct str s = str_dup(a, buf_view(b));
    buf_reset(b);
    return s;
}
static void report_row(struct arena *a, struct buf *b, const struct doc_node *m, struct str *row) {
    row[0] = node_text(m, "title");
    if (node_at(m, "value")) put_value_of(b, m, "value");
    row[1] = cell(a, b);
    if (node_at(m, "before")) put_value_of(b, m, "before");
    row[2] = cell(a, b);
    row[3] = node_text(m, "n");
    row[4] = node_text(m, "target.verdict");
}
// Measures that have a value now or had one before. *out_n with the heads.
static enum err report_cells(struct arena *a, const struct doc_node *answer, struct str **out,
                             uint32_t *out_n) {
    static const char *const heads[REPORT_COLUMNS] = { "MEASURE", "NOW", "BEFORE", "N", "TARGET" };
    const struct doc_node *measures = node_at(answer, "measures");
    uint32_t n = measures ? measures->n : 0, at = 1;
    struct str *cells = ARENA_ARRAY(a, (n + 1ull) * REPORT_COLUMNS, struct str);
    struct buf b;
    if (!cells) return ERR_NOMEM;
    for (unsigned i = 0; i < REPORT_COLUMNS; i++) cells[i] = str_of(heads[i]);
    buf_init(&b, 64 << 10);
    for (const struct doc_node *m = n ? measures->first : NULL; m; m = m->next)
        if (node_at(m, "value") || node_at(m, "before")) report_row(a, &b, m, cells + REPORT_COLUMNS * at++);
    buf_fini(&b);
    *out = cells;
    *out_n = at;
    return a->failed ? ERR_NOMEM : ERR_OK;
}

static void put_counts(struct buf *out, const struct doc_node *answer) {
    buf_fmt(out, "%llu rollouts, %llu incidents\n", (unsigned long long)node_u64(answer, "rollouts"),
            (unsigned long long)node_u64(answer, "incidents"));
}
static void put_failed_rollout(struct buf *out, const struct doc_node *r) {
    put_text_of(out, r, "service");
    buf_char(out, ' ');
    put_text_of(out, r, "version");
    buf_str(out, STR(", "));
    put_day(out, node_u64(r, "finished"));
    buf_fmt(out, ", by %.*s%s", STR_ARG(node_text(r, "failure")),
            node_at(r, "recovered") ? "" : ", not recovered yet");
}

// Of this window, then of the one before.
static void put_report_figures(struct buf *out, const struct doc_node *answer) {
    put_figures(out, node_at(answer, "measures"), "figure", "value");
    put_figures(out, node_at(answer, "measures"), "before_figure", "before");
}

static enum err print_report(struct arena *a, const struct doc_node *answer, struct buf *out) {
    const struct doc_node *failed = node_at(answer, "failed");
    struct str *cells;
    uint32_t n;
    TRY(report_cells(a, answer, &cells, &n));
    put_span_of_time(out, answer);
    put_counts(out, answer);
    buf_char(out, '\n');
    put_headline(out, answer);
    buf_char(out, '\n');
    if (n > 1) table_print(&(struct table){ cells, n, REPORT_COLUMNS }, out);
    if (failed && failed->n) buf_str(out, STR("\nFailed\n"));
    for (const struct doc_node *r = failed ? failed->first : NULL; r; r = r->next) {
        buf_str(out, STR("  "));
        put_failed_rollout(out, r);
        buf_char(out, '\n');
    }
    buf_str(out, STR("\nThe rows behind a number: takt why FIGURE\n"));
    put_report_figures(out, answer);
    return ERR_OK;
}

static void html_text(struct buf *out, struct str s) {
    for (size_t i = 0; i < s.len; i++) switch (s.ptr[i]) {
        case '<': buf_str(out, STR("&lt;")); break;
        case '>': buf_str(out, STR("&gt;")); break;
        case '&': buf_str(out, STR("&amp;")); break;
        case '"': buf_str(out, STR("&quot;")); break;
        default: buf_char(out, s.ptr[i]);
        }
}
static void html_part(struct buf *out, const char *open, struct buf *text, const char *close) {
    buf_str(out, str_of(open));
    html_text(out, buf_view(text));
    buf_str(out, str_of(close));
    buf_reset(text);
}

static const char html_head[] =
    "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><meta name=\"viewport\" "
    "content=\"width=device-width\">"
    "<title>Delivery report</title><style>body{font:16px/1.5 system-ui,sans-serif;margin:2rem "
    "auto;max-width:50rem;"
    "padding:0 "
    "1rem;color:#1a1a1a;background:#fff}table{border-collapse:collapse;width:100%}th,td{text-align:left;"
    "padding:.3rem .6rem;border-bottom:1px solid "
    "#ccc}@media(prefers-color-scheme:dark){body{color:#eee;background:#161616}"
    "th,td{border-color:#444}}pre{overflow:auto}</style><h1>Delivery report</h1>";

static void html_table(struct buf *out, const struct str *cells, uint32_t n) {
    buf_str(out, STR("<table>"));
    for (uint32_t i = 0; i < n * REPORT_COLUMNS; i++) {
        bool head = i < REPORT_COLUMNS;
        if (i % REPORT_COLUMNS == 0) buf_str(out, STR("<tr>"));
        buf_str(out, head ? STR("<th scope=\"col\">") : STR("<td>"));
        html_text(out, cells[i]);
        buf_str(out, head ? STR("</th>") : STR("</td>"));
        if (i % REPORT_COLUMNS == REPORT_COLUMNS - 1) buf_str(out, STR("</tr>"));
    }
    buf_str(out, STR("</table>"));
}

// A page of its own, without anything from elsewhere.
static enum err print_page(struct arena *a, const struct doc_node *answer, struct buf *out) {
    const struct doc_node *failed = node_at(answer, "failed");
    struct str *cells;
    struct buf text;
    uint32_t n;
    TRY(report_cells(a, answer, &cells, &n));
    buf_init(&text, 1 << 20);
    buf_str(out, str_of(html_head));
    put_span_of_time(&text, answer);
    html_part(out, "<p>", &text, "<br>");
    put_counts(&text, answer);
    html_part(out, "", &text, "</p>");
    put_headline(&text, answer);
    html_part(out, "<p style=\"white-space:pre-line\">", &text, "</p>");
    html_table(out, cells, n);
    if (failed && failed->n) {
        buf_str(out, STR("<h2>Failed</h2><ul>"));
        for (const struct doc_node *r = failed->first; r; r = r->next) {
            put_failed_rollout(&text, r);
            html_part(out, "<li>", &text, "</li>");
        }
        buf_str(out, STR("</ul>"));
    }
    put_report_figures(&text, answer);
    html_part(out, "<details><summary>The rows behind a number: takt why FIGURE</summary><pre>", &text,
              "</pre></details>");
    buf_str(out, STR("</html>\n"));
    buf_fini(&text);
    return out->failed ? ERR_NOMEM : ERR_OK;
}

// --- the commands ------------------------------------------------------------------------------------------

int run_profile(int argc, char **argv) {
    return question_run(delivery_question("profile", "delivery/profile", ASK_PROFILE, print_profile), argc,
                        argv);
}
int run_report(int argc, char **argv) {
    struct question q = delivery_question("report", "delivery/report", ASK_REPORT, print_report);
    q.page = print_page;
    q.window = "7d";
    return question_run(q, argc, argv);
}
