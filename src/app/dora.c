// SPDX-License-Identifier: Apache-2.0
// takt dora, deploys, why: questions about delivery, put to a server or to a data directory. Both
// answer in the same JSON, from which the tables are printed.
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "api/world.h"
#include "app/dora.h"
#include "app/plot.h"
#include "app/reading.h"

// --- who answers -------------------------------------------------------------------------------------------

// What the traces beside the facts show. Where there are none, or they cannot be read, that is not known.
static enum err answer_with_traces(const struct question *q, struct delivery *d, const struct params *p,
                                   struct json_writer *w, struct err_ctx *ctx) {
    struct ask_limits limits = { .clock = clock_real() };
    struct world world = { 0 };
    struct err_ctx why = { 0 };
    struct reading r;
    struct ask k;
    if (reading_open(&r, q->dir, &why) != ERR_OK) {
        reading_close(&r);
        return delivery_ask(d, clock_real(), ASK_PROFILE, p, &world, w, ctx);
    }
    struct view *v = ingest_view(r.ingest);
    ask_init(&k, v, &limits, STR(""));
    enum err e = world_read_store(&k, d, &world);
    if (e == ERR_OK) e = delivery_ask(d, clock_real(), ASK_PROFILE, p, &world, w, ctx);
    ask_fini(&k);
    view_unref(v);
    reading_close(&r);
    return e;
}

static enum err answer_of_dir(const struct question *q, struct json_writer *w, struct err_ctx *ctx) {
    struct delivery *d;
    struct arena a;
    struct delivery_opts o = { .dir = q->dir, .read_only = true };
    arena_init(&a, 1 << 20, NULL);
    enum err e = delivery_open(&o, &d, ctx);
    if (e == ERR_NOT_FOUND) {
        *ctx = (struct err_ctx){ 0 };
        (void)err_set(ctx, e, "there are no facts of delivery in %s", q->dir);
    }
    struct params p = { buf_view(&q->params), &a };
    if (e == ERR_OK && q->what == ASK_PROFILE)
        e = answer_with_traces(q, d, &p, w, ctx);
    else if (e == ERR_OK)
        e = delivery_ask(d, clock_real(), (enum delivery_question)q->what, &p, NULL, w, ctx);
    delivery_close(d);
    arena_fini(&a);
    return e;
}

// --- numbers for people ------------------------------------------------------------------------------------

static void put_seconds(struct buf *b, double s) {
    static const struct {
        double seconds;
        const char *unit;
    } units[] = { { 86400, "d" }, { 3600, "h" }, { 60, "min" }, { 1, "s" } };
    for (size_t i = 0; i < sizeof units / sizeof *units; i++)
        if (s >= units[i].seconds || i == 3) {
            buf_fmt(b, "%.*f %s", s / units[i].seconds < 10 ? 1 : 0, s / units[i].seconds, units[i].unit);
            return;
        }
}

// A value of a measure, as people read it; the unit as the answers name it.
static void put_value(struct buf *b, struct str unit, double v) {
    if (str_eq(unit, STR("seconds")))
        put_seconds(b, v);
    else if (str_eq(unit, STR("share")))
        buf_fmt(b, "%.1f %%", v * 100);
    else if (str_eq(unit, STR("per day")))
        buf_fmt(b, "%.2g", v);
    else
        buf_fmt(b, "%.4g", v);
}

void put_value_of(struct buf *b, const struct doc_node *m, const char *key) {
    struct str unit = node_text(m, "unit");
    put_value(b, unit, node_f64(m, key));
    if (str_eq(unit, STR("per day"))) buf_str(b, STR(" / day"));
}

static struct str cell(struct arena *a, struct buf *b) {
    struct str s = str_dup(a, buf_view(b));
    buf_reset(b);
    return s;
}

static void put_both(struct buf *out, struct str unit, const struct doc_node *interval) {
    put_value(out, unit, node_f64(interval->first, ""));
    buf_str(out, STR(" to "));
    put_value(out, unit, node_f64(interval->first->next, ""));
}

void put_day(struct buf *b, uint64_t ns) {
    size_t before = b->len;
    plot_time(b, ns);
    if (b->len >= before + 16) b->len = before + 16; // to the minute
}

// --- dora --------------------------------------------------------------------------------------------------

static struct str level_of(struct arena *a, const struct doc_node *m) {
    struct str best = node_text(m, "level.best"), worst = node_text(m, "level.worst");
    if (node_true(m, "level.insufficient")) return STR("insufficient data");
    if (!str_eq(best, worst)) best = str_fmt(a, "%.*s to %.*s", STR_ARG(best), STR_ARG(worst));
    return node_true(m, "level.between") ? str_fmt(a, "%.*s, between", STR_ARG(best)) : best;
}

enum { DORA_COLUMNS = 7 };

static void dora_row(struct arena *a, struct buf *b, const struct doc_node *m, struct str *row) {
    struct str unit = node_text(m, "unit");
    const struct doc_node *interval = node_at(m, "interval");
    bool known = node_at(m, "value") != NULL;
    buf_str(b, node_text(m, "title"));
    row[0] = cell(a, b);
    if (known) put_value_of(b, m, "value");
    row[1] = known ? cell(a, b) : STR("no data");
    if (interval) put_both(b, unit, interval);
    row[2] = cell(a, b);
    if (node_at(m, "p90")) {
        put_value(b, unit, node_f64(m, "p90"));
        row[3] = cell(a, b);
    } else if (node_at(m, "denominator")) {
        buf_fmt(b, "%llu of %llu", (unsigned long long)node_u64(m, "numerator"),
                (unsigned long long)node_u64(m, "denominator"));
        row[3] = cell(a, b);
    }
    buf_fmt(b, "%llu%s", (unsigned long long)node_u64(m, "n"),
            node_true(m, "small") && known ? " (few)" : "");
    row[4] = cell(a, b);
    row[5] = node_text(m, "target.verdict");
    if (node_at(m, "target.of"))
        row[5] = str_fmt(a, "%.*s (%.*s)", STR_ARG(row[5]), STR_ARG(node_text(m, "target.of")));
    row[6] = level_of(a, m);
}

// "3 rollback, 1 did not end well"
static void put_left_out(struct buf *out, const struct doc_node *m) {
    const struct doc_node *reasons = node_at(m, "left_out");
    for (const struct doc_node *r = reasons ? reasons->first : NULL; r; r = r->next)
        buf_fmt(out, "%s%llu %.*s", r == reasons->first ? "" : ", ", (unsigned long long)node_u64(r, "n"),
                STR_ARG(node_text(r, "why")));
}
static bool has_left_out(const struct doc_node *m) {
    const struct doc_node *reasons = node_at(m, "left_out");
    return reasons && reasons->n;
}

// "3 are younger than a day and may yet be found to have failed"; nothing where there is no such doubt.
static void put_doubts(struct buf *out, const char *before, const struct doc_node *m) {
    uint64_t immature = node_u64(m, "immature"), clamped = node_u64(m, "clamped");
    if (immature)
        buf_fmt(out, "%s%llu younger than a day, may yet be found to have failed\n", before,
                (unsigned long long)immature);
    if (clamped)
        buf_fmt(out, "%s%llu slightly negative, counted as 0\n", before, (unsigned long long)clamped);
}

static void print_left_out(struct arena *a, const struct doc_node *measures, struct buf *out) {
    for (const struct doc_node *m = measures ? measures->first : NULL; m; m = m->next) {
        struct str title = str_fmt(a, "  %.*s: ", STR_ARG(node_text(m, "title")));
        if (has_left_out(m)) {
            buf_fmt(out, "  %.*s left out: ", STR_ARG(node_text(m, "title")));
            put_left_out(out, m);
            buf_char(out, '\n');
        }
        put_doubts(out, title.len ? title.ptr : "", m);
    }
}

void put_figures(struct buf *out, const struct doc_node *measures, const char *key, const char *shown) {
    for (const struct doc_node *m = measures ? measures->first : NULL; m; m = m->next)
        if (node_at(m, shown)) buf_fmt(out, "  %.*s\n", STR_ARG(node_text(m, key)));
}

static enum err print_dora(struct arena *a, const struct doc_node *answer, struct buf *out) {
    static const char *const heads[DORA_COLUMNS] = { "MEASURE", "VALUE (p50)", "95 % INTERVAL", "p90 / COUNT",
                                                     "N",       "TARGET",      "LEVEL" };
    const struct doc_node *measures = node_at(answer, "measures");
    uint32_t n = measures ? measures->n : 0, at = 1;
    struct str *cells = ARENA_ARRAY(a, (n + 1) * DORA_COLUMNS, struct str);
    struct buf b;
    if (!cells) return ERR_NOMEM;
    memset(cells, 0, (n + 1) * DORA_COLUMNS * sizeof *cells);
    for (unsigned i = 0; i < DORA_COLUMNS; i++) cells[i] = str_of(heads[i]);
    buf_init(&b, 64 << 10);
    put_day(&b, node_u64(answer, "from"));
    buf_str(&b, STR(" to "));
    put_day(&b, node_u64(answer, "to"));
    if (node_at(answer, "calendar"))
        buf_fmt(&b, " UTC, by the %.*s in %.*s", STR_ARG(node_text(answer, "calendar")),
                STR_ARG(node_text(answer, "zone")));
    else
        buf_str(&b, STR(" UTC"));
    if (node_true(answer, "partial")) buf_str(&b, STR(", not over yet"));
    if (node_at(answer, "set"))
        buf_fmt(out, "%.*s, as %.*s has it\n\n", STR_ARG(buf_view(&b)), STR_ARG(node_text(answer, "set")));
    else
        buf_fmt(out, "%.*s, %llu service%s and environment%s\n\n", STR_ARG(buf_view(&b)),
                (unsigned long long)node_u64(answer, "series"), node_u64(answer, "series") == 1 ? "" : "s",
                node_u64(answer, "series") == 1 ? "" : "s");
    buf_reset(&b);
    for (const struct doc_node *m = n ? measures->first : NULL; m; m = m->next)
        dora_row(a, &b, m, cells + DORA_COLUMNS * at++);
    buf_fini(&b);
    table_print(&(struct table){ cells, n + 1, DORA_COLUMNS }, out);
    buf_char(out, '\n');
    print_left_out(a, measures, out);
    buf_str(out, STR("\nThe rows behind a number: takt why FIGURE\n"));
    put_figures(out, measures, "figure", "n");
    return a->failed ? ERR_NOMEM : ERR_OK;
}

// --- deploys -----------------------------------------------------------------------------------------------

enum { DEPLOY_COLUMNS = 8 };

static struct str short_name(const struct doc_node *r) {
    struct str v = node_text(r, "version");
    if (!v.len) v = str_sub(node_text(r, "sha"), 0, 12);
    if (!v.len) v = str_sub(node_text(r, "digest"), 0, 19);
    return v;
}

static struct str clean(struct arena *a, struct str s) {
    struct buf b;
    buf_init(&b, 64 << 10);
    plot_text(&b, s);
    struct str c = cell(a, &b);
    buf_fini(&b);
    return c;
}

static enum err print_deploys(struct arena *a, const struct doc_node *answer, struct buf *out) {
    static const char *const heads[DEPLOY_COLUMNS] = {
        "FINISHED (UTC)", "SERVICE", "ENVIRONMENT", "VERSION", "KIND", "STATE", "COMMITS", "FAILURE"
    };
    const struct doc_node *rollouts = node_at(answer, "rollouts");
    uint32_t n = rollouts ? rollouts->n : 0, at = 1;
    struct str *cells = ARENA_ARRAY(a, (n + 1) * DEPLOY_COLUMNS, struct str);
    struct buf b;
    if (!cells) return ERR_NOMEM;
    for (unsigned i = 0; i < DEPLOY_COLUMNS; i++) cells[i] = str_of(heads[i]);
    buf_init(&b, 64 << 10);
    for (const struct doc_node *r = n ? rollouts->first : NULL; r; r = r->next) {
        struct str *row = cells + DEPLOY_COLUMNS * at++, state = node_text(r, "commits_state");
        put_day(&b, node_u64(r, node_at(r, "finished") ? "finished" : "started"));
        row[0] = cell(a, &b);
        row[1] = clean(a, node_text(r, "service"));
        row[2] = clean(a, node_text(r, "environment"));
        row[3] = clean(a, short_name(r));
        row[4] = node_text(r, "kind");
        row[5] = node_text(r, "state");
        row[6] = str_eq(state, STR("known")) || str_eq(state, STR("none")) ? node_text(r, "commits") : state;
        buf_str(&b, node_text(r, "failure"));
        if (node_at(r, "recovered")) {
            buf_str(&b, STR(", recovered after "));
            put_seconds(&b, (double)(node_u64(r, "recovered") - node_u64(r, "finished")) / 1e9);
        }
        row[7] = cell(a, &b);
    }
    buf_fini(&b);
    if (n) table_print(&(struct table){ cells, n + 1, DEPLOY_COLUMNS }, out);
    buf_fmt(out, "%u rollout%s\n", n, n == 1 ? "" : "s");
    return a->failed ? ERR_NOMEM : ERR_OK;
}

// --- why ---------------------------------------------------------------------------------------------------

enum { WHY_COLUMNS = 5 };

// What a row is about: the first of these that it has.
static struct str subject_of(const struct doc_node *r) {
    static const char *const names[] = { "incident", "change", "run",  "task",
                                         "test",     "canary", "flag", "service" };
    struct str found = { 0 };
    for (size_t i = 0; i < sizeof names / sizeof *names && !found.len; i++) found = node_text(r, names[i]);
    return found;
}

static void put_also(struct buf *b, struct str text) {
    if (text.len && b->len) buf_str(b, STR("; "));
    plot_text(b, text);
}

static void why_row(struct arena *a, struct buf *b, const struct doc_node *r, struct str unit,
                    struct str *row) {
    bool counted = node_true(r, "counted");
    row[0] = counted ? node_true(r, "hit") ? STR("yes, hit") : STR("yes") : STR("no");
    // A row of a share that has a value is a time, of the whole that the share is of.
    if (node_at(r, "value"))
        put_value(b, str_eq(unit, STR("share")) ? STR("seconds") : unit, node_f64(r, "value"));
    row[1] = cell(a, b);
    row[2] = clean(a, subject_of(r));
    if (node_at(r, "rollout")) {
        struct str name = short_name(r);
        plot_text(b, name);
        buf_fmt(b, " (%.*s, ", STR_ARG(node_text(r, "kind")));
        put_day(b, node_u64(r, "finished"));
        buf_char(b, ')');
    }
    row[3] = cell(a, b);
    if (node_at(r, "commit")) {
        buf_fmt(b, "%.*s ", STR_ARG(str_sub(node_text(r, "commit.sha"), 0, 9)));
        plot_text(b, str_sub(node_text(r, "commit.subject"), 0, 60));
    }
    static const char *const says[] = { "title", "name", "result", "action" };
    for (size_t i = 0; i < sizeof says / sizeof *says; i++) {
        struct str text = str_sub(node_text(r, says[i]), 0, 60);
        if (text.len && b->len) buf_char(b, ' ');
        plot_text(b, text);
    }
    const struct doc_node *evidence = node_at(r, "evidence");
    if (evidence && evidence->first) put_also(b, node_text(evidence->first, "says"));
    put_also(b, node_text(r, "began_says"));
    put_also(b, node_text(r, "why"));
    row[4] = cell(a, b);
}

// "22.1 % (29 of 131, 95 %: 15.9 % to 30.0 %), 2026-09-01 08:30 to 2026-11-30 08:30 UTC", what was left out.
static void put_figure_line(struct buf *out, const struct doc_node *answer, struct str unit) {
    const struct doc_node *interval = node_at(answer, "interval");
    if (node_at(answer, "value"))
        put_value_of(out, answer, "value");
    else
        buf_str(out, STR("no data"));
    if (node_at(answer, "denominator"))
        buf_fmt(out, " (%llu of %llu", (unsigned long long)node_u64(answer, "numerator"),
                (unsigned long long)node_u64(answer, "denominator"));
    else
        buf_fmt(out, " (n = %llu", (unsigned long long)node_u64(answer, "n"));
    if (interval) {
        buf_str(out, STR(", 95 %: "));
        put_both(out, unit, interval);
    }
    buf_str(out, STR("), "));
    put_day(out, node_u64(answer, "from"));
    buf_str(out, STR(" to "));
    put_day(out, node_u64(answer, "to"));
    buf_str(out, STR(" UTC\n"));
    put_doubts(out, "Of these ", answer);
    if (!has_left_out(answer)) return;
    buf_str(out, STR("Left out: "));
    put_left_out(out, answer);
    buf_char(out, '\n');
}

static enum err print_why(struct arena *a, const struct doc_node *answer, struct buf *out) {
    static const char *const heads[WHY_COLUMNS] = { "COUNTED", "VALUE", "OF", "ROLLOUT", "WHAT" };
    const struct doc_node *rows = node_at(answer, "rows");
    struct str unit = node_text(answer, "unit");
    uint32_t n = rows ? rows->n : 0, at = 1;
    struct str *cells = ARENA_ARRAY(a, (n + 1) * WHY_COLUMNS, struct str);
    struct buf b;
    if (!cells) return ERR_NOMEM;
    for (unsigned i = 0; i < WHY_COLUMNS; i++) cells[i] = str_of(heads[i]);
    buf_init(&b, 64 << 10);
    for (const struct doc_node *r = n ? rows->first : NULL; r; r = r->next)
        why_row(a, &b, r, unit, cells + WHY_COLUMNS * at++);
    buf_fmt(out, "%.*s: ", STR_ARG(node_text(answer, "title")));
    buf_fini(&b);
    put_figure_line(out, answer, unit);
    buf_fmt(out, "%.*s\n\n", STR_ARG(node_text(answer, "definition")));
    if (n) table_print(&(struct table){ cells, n + 1, WHY_COLUMNS }, out);
    uint64_t all = node_u64(answer, "rows_in_all"), since = node_u64(answer, "events_since");
    buf_fmt(out, "%u row%s", n, n == 1 ? "" : "s");
    if (all > n) buf_fmt(out, " of %llu; a larger --limit shows more", (unsigned long long)all);
    if (since)
        buf_fmt(out, "\n%llu event%s came since this figure was printed; the number above is %s",
                (unsigned long long)since, since == 1 ? "" : "s",
                node_true(answer, "then") ? "as it was then" : "today's, --then shows it as it was");
    buf_char(out, '\n');
    return a->failed ? ERR_NOMEM : ERR_OK;
}

// --- the commands ------------------------------------------------------------------------------------------

static const struct question_flag flags_of_scope[] = {
    { "--service", "service", false },
    { "--environment", "environment", false },
    { "--change", "change", false },
    { "--from", "from", false },
    { "--to", "to", false },
    { "--window", "window", false },
    { "--clock", "clock", false },
    { "--levels", "levels", false },
    { "--team", "team", false },
    { "--product", "product", false },
    { "--tier", "tier", false },
    { "--calendar", "calendar", false },
    { "--zone", "zone", false },
    { "--set", "set", false },
    { "--flag-age", "flag_age", false },
    { "--severity", "severity", false },
    { "--limit", "limit", false },
    { "--with-rollbacks", "rollbacks", true },
    { "--with-redeploys", "redeploys", true },
    { 0 },
};

struct question delivery_question(const char *command, const char *path, enum delivery_question what,
                                  question_print *people) {
    return (struct question){ .command = command,
                              .path = path,
                              .flags = flags_of_scope,
                              .what = (int)what,
                              .of_dir = answer_of_dir,
                              .people = people };
}

static void print_notes(const struct question *q) {
    print_version_notes(q->server, q->dir, buf_view(&q->params));
}

int run_dora(int argc, char **argv) {
    return question_run(delivery_question("dora", "delivery/measures", ASK_MEASURES, print_dora), argc, argv);
}
int run_deploys(int argc, char **argv) {
    struct question q = delivery_question("deploys", "delivery/deploys", ASK_DEPLOYS, print_deploys);
    q.after = print_notes;
    return question_run(q, argc, argv);
}
int run_why(int argc, char **argv) {
    static const struct question_flag flags[] = { { "--then", "then", true },
                                                  { "--limit", "limit", false },
                                                  { 0 } };
    struct question q = delivery_question("why", "delivery/why", ASK_WHY, print_why);
    q.flags = flags;
    q.word = "figure";
    q.missing = "a figure is missing; `takt dora` prints those of its numbers";
    return question_run(q, argc, argv);
}
