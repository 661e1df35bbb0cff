// SPDX-License-Identifier: Apache-2.0
// takt impact, compare: what traces say of rollouts and versions, put to a server or to a data directory.
// Both answer in the same JSON, from which the tables are printed.
#include <math.h>
#include <stdio.h>

#include "api/impact.h"
#include "app/plot.h"
#include "app/profile.h"
#include "app/question.h"
#include "app/reading.h"
#include "delivery/delivery.h"

enum { EXIT_BROKEN = 2, EXIT_INCONCLUSIVE = 4, COLUMNS = 6 }; // of compare

static const struct question_flag flags_of_impact[] = { { "--fresh", "fresh", true }, { 0 } };
static const struct question_flag flags_of_compare[] = {
    { "--service", "service", false },
    { "--environment", "environment", false },
    { "--baseline", "baseline", false },
    { "--candidate", "candidate", false },
    { "--fail-if", "failIf", false },
    { "--since", "since", false },
    { "--from", "start", false },
    { "--to", "end", false },
    { 0 },
};

// --- who answers -------------------------------------------------------------------------------------------

static enum err ask_facts(const struct question *q, struct ask *k, struct json_writer *w) {
    struct delivery *d = NULL;
    struct delivery_opts o = { .dir = q->dir, .read_only = true };
    enum err e = q->what == ASK_COMPARE ? ERR_OK : delivery_open(&o, &d, &k->ctx);
    if (e == ERR_NOT_FOUND) {
        k->ctx = (struct err_ctx){ 0 };
        (void)err_set(&k->ctx, e, "there are no facts of delivery in %s", q->dir);
    }
    if (e == ERR_OK) e = impact_answer(k, d, (enum impact_question)q->what, w);
    delivery_close(d);
    return e;
}

static enum err answer_of_dir(const struct question *q, struct json_writer *w, struct err_ctx *ctx) {
    struct ask_limits limits = { .clock = clock_real() };
    struct reading r;
    struct ask k;
    enum err e = reading_open(&r, q->dir, ctx);
    if (e == ERR_OK) {
        struct view *v = ingest_view(r.ingest);
        ask_init(&k, v, &limits, buf_view(&q->params));
        e = ask_facts(q, &k, w);
        *ctx = k.ctx;
        ask_fini(&k);
        view_unref(v);
    }
    reading_close(&r);
    return e;
}

// --- for people --------------------------------------------------------------------------------------------

static struct str cell(struct arena *a, struct buf *b) {
    struct str s = str_dup(a, buf_view(b));
    buf_reset(b);
    return s;
}

static void put_side(struct buf *b, const struct doc_node *at, const char *key, bool share) {
    if (!node_at(at, key) || !node_text(at, key).len) return;
    double v = node_f64(at, key);
    buf_fmt(b, share ? "%.2f %%" : "%.0f ms", share ? v * 100 : v);
}

static void test_row(struct arena *a, struct buf *b, const struct doc_node *r, struct str *row) {
    bool errors = str_eq(node_text(r, "test"), STR("errors"));
    const struct doc_node *interval = node_at(r, "interval");
    plot_text(b, str_eq(node_text(r, "route"), STR("*")) ? STR("all routes") : node_text(r, "route"));
    row[0] = cell(a, b);
    row[1] = errors ? STR("errors") : STR("p95");
    put_side(b, r, errors ? "old.errorRate" : "old.p95", errors);
    row[2] = cell(a, b);
    put_side(b, r, errors ? "new.errorRate" : "new.p95", errors);
    row[3] = cell(a, b);
    if (interval && interval->first) {
        double lo = node_f64(interval->first, ""), hi = node_f64(interval->first->next, "");
        buf_fmt(b, errors ? "%+.2f to %+.2f points" : "%+.0f to %+.0f ms", errors ? lo * 100 : lo,
                errors ? hi * 100 : hi);
    }
    row[4] = cell(a, b);
    row[5] = node_text(r, "verdict");
}

static enum err print_tests(struct arena *a, const struct doc_node *answer, struct buf *out) {
    static const char *const heads[COLUMNS] = { "ROUTE",  "WHAT", "OLD", "NEW", "95 % OF THE DIFFERENCE",
                                                "VERDICT" };
    const struct doc_node *routes = node_at(answer, "routes");
    uint32_t n = routes ? routes->n : 0, at = 1;
    struct str *cells = ARENA_ARRAY(a, (n + 1) * COLUMNS, struct str);
    struct buf b;
    if (!cells) return ERR_NOMEM;
    for (unsigned i = 0; i < COLUMNS; i++) cells[i] = str_of(heads[i]);
    buf_init(&b, 64 << 10);
    for (const struct doc_node *r = n ? routes->first : NULL; r; r = r->next)
        test_row(a, &b, r, cells + COLUMNS * at++);
    buf_fini(&b);
    buf_fmt(out, "%llu requests against %llu\n\n", (unsigned long long)node_u64(answer, "arms.new.requests"),
            (unsigned long long)node_u64(answer, "arms.old.requests"));
    if (n) table_print(&(struct table){ cells, n + 1, COLUMNS }, out);
    return ERR_OK;
}

static void print_lines(const struct doc_node *lines, const char *head, struct buf *out) {
    if (!lines || !lines->n) return;
    buf_fmt(out, "\n%s\n", head);
    for (const struct doc_node *l = lines->first; l; l = l->next) {
        buf_str(out, STR("  "));
        plot_text(out, node_text(l, ""));
        buf_char(out, '\n');
    }
}

static void print_variants(const struct doc_node *variants, struct buf *out) {
    for (const struct doc_node *v = variants ? variants->first : NULL; v; v = v->next) {
        plot_text(out, node_text(v, "variant"));
        buf_fmt(out, ": %.1f %% of the requests, %llu of %llu failed\n", node_f64(v, "share") * 100,
                (unsigned long long)node_u64(v, "errors"), (unsigned long long)node_u64(v, "requests"));
    }
}

// What only one of the two versions has. New errors are printed beside, as the verdict counts them.
static void print_kinds(const struct doc_node *kinds, const char *what, const char *name, struct buf *out) {
    bool errors = strcmp(what, "errors") == 0;
    for (const struct doc_node *k = kinds ? kinds->first : NULL; k; k = k->next) {
        bool gone = str_eq(node_text(k, "state"), STR("gone"));
        if (!gone && (errors || !str_eq(node_text(k, "state"), STR("new")))) continue;
        buf_fmt(out, "%s, %s: ", what, gone ? "gone" : "new");
        plot_text(out, node_text(k, name));
        if (errors) {
            buf_str(out, STR(" in "));
            plot_text(out, node_text(k, "span"));
        }
        buf_fmt(out, ", in %llu traces of the %s version\n",
                (unsigned long long)node_u64(k, gone ? "old" : "new"), gone ? "old" : "new");
    }
}

static enum err print_impact(struct arena *a, const struct doc_node *answer, struct buf *out) {
    plot_text(out, node_text(answer, "service"));
    buf_char(out, ' ');
    if (node_at(answer, "flag")) {
        buf_str(out, STR("flag "));
        plot_text(out, node_text(answer, "flag"));
        buf_str(out, STR(": "));
    }
    plot_text(out, node_text(answer, "version"));
    if (node_text(answer, "baseline").len) {
        buf_str(out, STR(" against "));
        plot_text(out, node_text(answer, "baseline"));
    }
    buf_fmt(out, ": %.*s (%.*s%s)\n", STR_ARG(node_text(answer, "verdict")),
            STR_ARG(node_text(answer, "phase")), node_true(answer, "final") ? ", final" : "");
    print_variants(node_at(answer, "variants"), out);
    TRY(print_tests(a, answer, out));
    const struct doc_node *new = node_at(answer, "newErrors");
    for (const struct doc_node *e = new ? new->first : NULL; e; e = e->next) {
        buf_str(out, STR("new error: "));
        plot_text(out, node_text(e, "type"));
        buf_str(out, STR(" in "));
        plot_text(out, node_text(e, "span"));
        buf_fmt(out, ", %llu times\n", (unsigned long long)node_u64(e, "count"));
    }
    print_kinds(node_at(answer, "errorKinds.kinds"), "errors", "type", out);
    print_kinds(node_at(answer, "calls.kinds"), "calls", "to", out);
    print_lines(node_at(answer, "why"), "Why:", out);
    print_lines(node_at(answer, "confounders"), "To bear in mind:", out);
    return ERR_OK;
}

static enum err print_compare(struct arena *a, const struct doc_node *answer, struct buf *out) {
    const struct doc_node *checks = node_at(answer, "checks");
    for (const struct doc_node *c = checks ? checks->first : NULL; c; c = c->next) {
        bool share = str_eq(node_text(c, "unit"), STR("share"));
        buf_fmt(out, "%-12.*s ", STR_ARG(node_text(c, "result")));
        plot_text(out, node_text(c, "failIf"));
        buf_str(out, STR(": "));
        put_side(out, c, "value", share);
        if (node_text(c, "why").len) buf_fmt(out, " (%.*s)", STR_ARG(node_text(c, "why")));
        buf_char(out, '\n');
    }
    buf_char(out, '\n');
    return print_tests(a, answer, out);
}

// --- versions in traffic -----------------------------------------------------------------------------------

static void print_versions(const struct doc_node *answer, struct buf *out) {
    const struct doc_node *seen = node_at(answer, "versions"), *unserved = node_at(answer, "unserved");
    if (!seen || !seen->n) return; // the service sends no traces
    for (const struct doc_node *v = seen->first; v; v = v->next) {
        if (node_true(v, "reported") || !node_text(v, "version").len) continue;
        buf_str(out, STR("in traffic, but no rollout was reported: "));
        plot_text(out, node_text(v, "version"));
        buf_fmt(out, " (%llu requests)\n", (unsigned long long)node_u64(v, "requests"));
    }
    for (const struct doc_node *u = unserved ? unserved->first : NULL; u; u = u->next) {
        buf_str(out, STR("rolled out, but never seen in traffic: "));
        plot_text(out, node_text(u, "version"));
        buf_char(out, '\n');
    }
}

void print_version_notes(const char *server, const char *dir, struct str params) {
    struct question q = { .command = "deploys",
                          .path = "delivery/versions",
                          .what = ASK_VERSIONS,
                          .of_dir = answer_of_dir,
                          .server = server,
                          .dir = dir };
    struct arena a;
    struct buf json, out;
    const struct doc_node *answer;
    arena_init(&a, SIZE_MAX, NULL);
    buf_init(&q.params, 1 << 20);
    buf_init(&json, SIZE_MAX);
    buf_init(&out, SIZE_MAX);
    struct params given = { params, &a };
    struct str service = params_get(&given, STR("service"));
    params_add(&q.params, STR("service"), service);
    params_add(&q.params, STR("environment"), params_get(&given, STR("environment")));
    if (service.len && question_ask(&q, &json) == EXIT_DONE &&
        node_parse(&a, buf_view(&json), &answer) == ERR_OK)
        print_versions(answer, &out);
    (void)fwrite(out.ptr, 1, out.len, stdout);
    buf_fini(&out);
    buf_fini(&json);
    buf_fini(&q.params);
    arena_fini(&a);
}

// --- the commands ------------------------------------------------------------------------------------------

static int exit_of_compare(const struct doc_node *answer) {
    struct str result = node_text(answer, "result");
    if (str_eq(result, STR("pass"))) return EXIT_DONE;
    return str_eq(result, STR("failed")) ? EXIT_BROKEN : EXIT_INCONCLUSIVE;
}

int run_impact(int argc, char **argv) {
    return question_run(
        (struct question){ .command = "impact",
                           .path = "delivery/impact",
                           .flags = flags_of_impact,
                           .word = "rollout",
                           .missing =
                               "a rollout or a flag is missing; `takt deploys --json` shows the ids of "
                               "rollouts",
                           .what = ASK_IMPACT,
                           .of_dir = answer_of_dir,
                           .people = print_impact },
        argc, argv);
}
int run_ready(int argc, char **argv) {
    return question_run((struct question){ .command = "ready",
                                           .path = "delivery/ready",
                                           .word = "service",
                                           .missing = "a service is missing",
                                           .what = ASK_READY,
                                           .of_dir = answer_of_dir,
                                           .people = ready_print },
                        argc, argv);
}
int run_incident(int argc, char **argv) {
    return question_run((struct question){ .command = "incident",
                                           .path = "delivery/incident",
                                           .word = "id",
                                           .missing = "an incident is missing; `takt why` shows their keys",
                                           .what = ASK_INCIDENT,
                                           .of_dir = answer_of_dir,
                                           .people = incident_print },
                        argc, argv);
}
int run_compare(int argc, char **argv) {
    return question_run((struct question){ .command = "compare",
                                           .path = "compare",
                                           .flags = flags_of_compare,
                                           .what = ASK_COMPARE,
                                           .of_dir = answer_of_dir,
                                           .people = print_compare,
                                           .exit_of = exit_of_compare,
                                           .usage_exit = EXIT_FAILED }, // 2 says that a condition is broken
                        argc, argv);
}
