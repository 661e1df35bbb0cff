// SPDX-License-Identifier: Apache-2.0
// takt changed: what is different since what ran before a rollout.
#include "app/app.h"
#include "app/dora.h"
#include "app/plot.h"

enum { FIRST_WIDTH = 11 };

// "  changed  web/go.mod"
static void print_row(const struct doc_node *r, const char *first, const char *then, struct buf *out) {
    size_t from = out->len;
    buf_str(out, STR("  "));
    plot_text(out, node_text(r, first));
    do buf_char(out, ' ');
    while (out->len - from < FIRST_WIDTH);
    plot_text(out, node_text(r, then));
}

// Keys, and dependencies with their versions.
static void print_parts(const struct doc_node *file, struct buf *out) {
    const struct doc_node *parts = node_at(file, "parts");
    if (node_at(file, "parts_why")) {
        buf_str(out, STR("           not compared: "));
        plot_text(out, node_text(file, "parts_why"));
        buf_char(out, '\n');
    }
    for (const struct doc_node *p = parts ? parts->first : NULL; p; p = p->next) {
        buf_str(out, STR("           "));
        print_row(p, "how", "name", out);
        buf_char(out, ' ');
        plot_text(out, node_text(p, "old"));
        if (node_at(p, "old") && node_at(p, "new")) buf_str(out, STR(" to "));
        plot_text(out, node_text(p, "new"));
        buf_char(out, '\n');
    }
    if (parts && parts->n < node_u64(file, "parts_n"))
        buf_fmt(out, "             the first %u of them\n", parts->n);
}

static void print_files(const struct doc_node *files, struct buf *out) {
    const struct doc_node *kinds = node_at(files, "kinds");
    for (const struct doc_node *k = kinds ? kinds->first : NULL; k; k = k->next) {
        const struct doc_node *list = node_at(k, "files");
        buf_fmt(out, "%.*s: %llu file%s\n", STR_ARG(node_text(k, "kind")),
                (unsigned long long)node_u64(k, "n"), node_u64(k, "n") == 1 ? "" : "s");
        for (const struct doc_node *f = list ? list->first : NULL; f; f = f->next) {
            print_row(f, "how", "path", out);
            buf_char(out, '\n');
            print_parts(f, out);
        }
        if (list && list->n < node_u64(k, "n")) buf_fmt(out, "  the first %u of them\n", list->n);
    }
    if (str_eq(node_text(files, "state"), STR("known"))) return;
    buf_str(out, str_eq(node_text(files, "state"), STR("cut")) ? STR("not all files: ")
                                                               : STR("files: not known: "));
    plot_text(out, node_text(files, "why"));
    buf_char(out, '\n');
}

struct list {
    const char *name, *count, *title;
    const char *first, *then, *time;
};
static const struct list lists[] = {
    { "rollouts", "rollouts_n", "other rollouts in between", "change", "version", "finished" },
    { "flags", "flags_n", "flags in between", "action", "flag", "at" },
};

static void print_list(const struct doc_node *answer, const struct list *l, struct buf *out) {
    const struct doc_node *rows = node_at(answer, l->name);
    if (!rows || !rows->n) return;
    buf_fmt(out, "%s\n", l->title);
    for (const struct doc_node *r = rows->first; r; r = r->next) {
        print_row(r, l->first, l->then, out);
        buf_char(out, ' ');
        put_day(out, node_u64(r, l->time));
        buf_char(out, '\n');
    }
    if (rows->n < node_u64(answer, l->count))
        buf_fmt(out, "  the last %u of %llu\n", rows->n, (unsigned long long)node_u64(answer, l->count));
}

static enum err print_changed(struct arena *a, const struct doc_node *answer, struct buf *out) {
    (void)a;
    if (node_at(answer, "before")) {
        buf_str(out, STR("since "));
        plot_text(out, node_text(answer, node_at(answer, "before.version") ? "before.version" : "before.id"));
        buf_str(out, STR(" of "));
        put_day(out, node_u64(answer, "before.finished"));
        buf_str(out, STR(" (UTC)\n"));
    }
    print_files(node_at(answer, "files"), out);
    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++) print_list(answer, &lists[i], out);
    return ERR_OK;
}

int run_changed(int argc, char **argv) {
    struct question q = delivery_question("changed", "delivery/changed", ASK_CHANGED, print_changed);
    q.flags = NULL;
    q.word = "rollout";
    q.missing = "a rollout is missing; `takt deploys --json` shows their ids";
    return question_run(q, argc, argv);
}
