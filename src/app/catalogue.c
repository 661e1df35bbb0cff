// SPDX-License-Identifier: Apache-2.0
// takt catalogue, takt catalogue check; and the file that the server keeps watching.
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/stat.h>

#include "app/catalogue.h"
#include "app/plot.h"
#include "app/dora.h"
#include "base/log.h"
#include "delivery/catalogue_file.h"
#include "os/rounds.h"

enum { LOOK_NS = 1000000000, COLUMNS = 8 };
#define CHECK_MEMORY_MAX (256ull << 20)

// --- the list ----------------------------------------------------------------------------------------------

static struct str joined(struct arena *a, const struct doc_node *list) {
    struct buf b;
    buf_init(&b, 1 << 20);
    for (const struct doc_node *c = list ? list->first : NULL; c; c = c->next) {
        if (b.len) buf_str(&b, STR(", "));
        struct str key = list->kind == JSON_OBJECT ? c->key : c->text;
        plot_text(&b, key);
        if (list->kind == JSON_OBJECT) buf_fmt(&b, " (%.*s)", STR_ARG(c->text));
    }
    struct str s = str_dup(a, buf_view(&b));
    buf_fini(&b);
    return s;
}

static struct str clean(struct arena *a, struct str s) {
    struct buf b;
    buf_init(&b, 64 << 10);
    plot_text(&b, s);
    struct str c = str_dup(a, buf_view(&b));
    buf_fini(&b);
    return c;
}

static void service_row(struct arena *a, const struct doc_node *s, struct str *row) {
    row[0] = clean(a, s->key);
    row[1] = clean(a, node_text(s, "team"));
    row[2] = node_text(s, "tier");
    row[3] = clean(a, node_text(s, "product"));
    row[4] = clean(a, node_text(s, "owner"));
    row[5] = joined(a, node_at(s, "environments"));
    row[6] = joined(a, node_at(s, "repositories"));
}

// What a service needs, by the catalogue and by traces: dependencies come by service.
static struct str needs_of(struct arena *a, const struct doc_node *dependencies, struct str service) {
    struct buf b;
    buf_init(&b, 64 << 10);
    for (const struct doc_node *d = dependencies ? dependencies->first : NULL; d; d = d->next) {
        if (!str_eq(node_text(d, "service"), service)) continue;
        if (b.len) buf_str(&b, STR(", "));
        plot_text(&b, node_text(d, "needs"));
    }
    struct str s = str_dup(a, buf_view(&b));
    buf_fini(&b);
    return s;
}

static void unlisted_row(struct arena *a, const struct doc_node *s, struct str *row) {
    row[0] = clean(a, node_text(s, "service"));
    row[1] = str_fmt(a, "(in %.*s, not listed)", STR_ARG(joined(a, node_at(s, "seen"))));
}

static enum err print_catalogue(struct arena *a, const struct doc_node *answer, struct buf *out) {
    static const char *const heads[COLUMNS] = { "SERVICE", "TEAM",         "TIER",         "PRODUCT",
                                                "OWNER",   "ENVIRONMENTS", "REPOSITORIES", "NEEDS" };
    const struct doc_node *services = node_at(answer, "catalogue.services"),
                          *unlisted = node_at(answer, "unlisted"),
                          *dependencies = node_at(answer, "dependencies");
    uint32_t n = (services ? services->n : 0) + (unlisted ? unlisted->n : 0), at = 1;
    struct str *cells = ARENA_ARRAY(a, (n + 1) * COLUMNS, struct str);
    if (!cells) return ERR_NOMEM;
    memset(cells, 0, (n + 1) * COLUMNS * sizeof *cells);
    for (unsigned i = 0; i < COLUMNS; i++) cells[i] = str_of(heads[i]);
    for (const struct doc_node *s = services ? services->first : NULL; s; s = s->next) {
        cells[COLUMNS * at + COLUMNS - 1] = needs_of(a, dependencies, s->key);
        service_row(a, s, cells + COLUMNS * at++);
    }
    for (const struct doc_node *s = unlisted ? unlisted->first : NULL; s; s = s->next) {
        cells[COLUMNS * at + COLUMNS - 1] = needs_of(a, dependencies, node_text(s, "service"));
        unlisted_row(a, s, cells + COLUMNS * at++);
    }
    if (n) table_print(&(struct table){ cells, n + 1, COLUMNS }, out);
    buf_fmt(out, "%u service%s", n, n == 1 ? "" : "s");
    if (node_text(answer, "file").len)
        buf_fmt(out, "; the catalogue is %.*s", STR_ARG(node_text(answer, "file")));
    if (node_text(answer, "problem").len)
        buf_fmt(out, "\nits last reading failed: %.*s", STR_ARG(node_text(answer, "problem")));
    buf_char(out, '\n');
    return a->failed ? ERR_NOMEM : ERR_OK;
}

int run_catalogue(int argc, char **argv) {
    struct question q = delivery_question("catalogue", "delivery/catalogue", ASK_CATALOGUE, print_catalogue);
    q.flags = NULL;
    return question_run(q, argc, argv);
}

int run_catalogue_check(int argc, char **argv) {
    struct arena a;
    struct catalogue c;
    struct err_ctx ctx = { 0 };
    if (argc > 0 && argv[0][0] == '-') return usage_error("catalogue check", "unknown flag %s", argv[0]);
    if (argc != 1) return usage_error("catalogue check", "expected one FILE");
    arena_init(&a, CHECK_MEMORY_MAX, NULL);
    enum err e = catalogue_file_read(disk_real(), argv[0], &a, &c, &ctx);
    if (e == ERR_OK)
        printf("%s: %u service%s, %u team%s\n", argv[0], c.n_services, c.n_services == 1 ? "" : "s",
               c.n_teams, c.n_teams == 1 ? "" : "s");
    arena_fini(&a);
    return e == ERR_OK ? EXIT_DONE : failed("catalogue check", "%s", ctx.text[0] ? ctx.text : err_text(e));
}

// --- watching the file -------------------------------------------------------------------------------------

struct catalogue_watch {
    struct delivery *delivery;
    const char *path;
    struct stat seen;
    struct rounds rounds;
};

static atomic_bool hang_up;

static void on_hang_up(int sig) {
    (void)sig;
    hang_up = true;
}

static bool has_changed(struct catalogue_watch *w) {
    struct stat now = { 0 };
    (void)stat(w->path, &now); // gone: all zeros, which is a change too
    bool same = now.st_ino == w->seen.st_ino && now.st_size == w->seen.st_size &&
                now.st_mtim.tv_sec == w->seen.st_mtim.tv_sec &&
                now.st_mtim.tv_nsec == w->seen.st_mtim.tv_nsec;
    w->seen = now;
    return !same;
}

static uint64_t look(void *ctx) {
    struct catalogue_watch *w = ctx;
    bool told = atomic_exchange(&hang_up, false), changed = has_changed(w);
    struct err_ctx why = { 0 };
    if (!told && !changed) return LOOK_NS;
    enum err e = catalogue_file_load(w->delivery, disk_real(), w->path, &why);
    if (e == ERR_OK)
        log_info("catalogue.read", KV_Z("file", w->path));
    else
        log_error("catalogue.not_read", KV_Z("why", why.text[0] ? why.text : err_text(e)));
    return LOOK_NS;
}

enum err catalogue_watch_start(struct delivery *d, const char *path, struct catalogue_watch **out,
                               struct err_ctx *ctx) {
    struct catalogue_watch *w = NULL;
    *out = NULL;
    if (*path) {
        w = mem_zalloc(sizeof *w);
        if (!w) return ERR_NOMEM;
        *w = (struct catalogue_watch){ .delivery = d, .path = path };
        (void)has_changed(w); // before it is read: a change from here on is seen
    }
    enum err e = catalogue_file_load(d, disk_real(), path, ctx);
    if (e == ERR_OK && w) {
        (void)signal(SIGHUP, on_hang_up);
        e = rounds_start(&w->rounds, "takt-catalogue", 0, look, w);
    }
    if (e == ERR_OK)
        *out = w;
    else
        catalogue_watch_stop(w);
    return e;
}

void catalogue_watch_stop(struct catalogue_watch *w) {
    if (!w) return;
    rounds_stop(&w->rounds);
    mem_free(w);
}
