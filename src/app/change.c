// SPDX-License-Identifier: Apache-2.0
// takt event, import git, reprocess, backup: what writes facts of delivery, to a server or, while none
// runs, into a data directory.
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "app/plot.h"
#include "app/reading.h"
#include "app/upload.h"
#include "base/json.h"
#include "delivery/delivery.h"
#include "delivery/git.h"
#include "intake/stamp.h"
#include "os/lock.h"
#include "os/random.h"

#define MEMORY_MAX (4ull << 30)

// --- a directory to write into -----------------------------------------------------------------------------

struct writing {
    struct lock *lock;
    struct delivery *delivery;
};

static int writing_open(struct writing *w, const char *command, const char *dir) {
    struct err_ctx ctx = { 0 };
    struct disk *d = disk_real();
    int64_t pid = 0;
    *w = (struct writing){ 0 };
    enum err e = d->ops->mkdir(d, dir);
    if (e == ERR_OK) e = lock_take(dir, &w->lock, &pid);
    if (e == ERR_EXISTS)
        return failed(command,
                      "the data directory %s is in use by process %lld; ask that server: --server %s", dir,
                      (long long)pid, default_server());
    if (e == ERR_OK) e = delivery_open(&(struct delivery_opts){ .dir = dir }, &w->delivery, &ctx);
    return e == ERR_OK ? EXIT_DONE : failed(command, "%s: %s", dir, ctx.text[0] ? ctx.text : err_text(e));
}

static void writing_close(struct writing *w) {
    delivery_close(w->delivery);
    lock_release(w->lock);
}

// --- event -------------------------------------------------------------------------------------------------

struct event {
    const char *server, *dir;
    enum fact_kind kind;
    struct str id, key;
    struct { // --field value
        enum fact_field field;
        struct str value;
    } fields[FACT_FIELDS_MAX];
    unsigned n;
};

static int unknown_kind(const char *word) {
    char names[512] = "";
    enum fact_kind k;
    for (unsigned i = 0; i < FACT_KIND_COUNT; i++) {
        const char *name = fact_table((enum fact_kind)i);
        size_t len = strlen(names);
        if (intake_kind(str_of(name), &k))
            (void)snprintf(names + len, sizeof names - len, "%s%s", len ? ", " : "", name);
    }
    return usage_error("event", "%s%swhat happened? %s", word, *word ? ": " : "", names);
}

// "--started-at" is the column started_at; "--commit" is what people call the sha.
static bool field_of(enum fact_kind k, const char *flag, enum fact_field *out) {
    enum fact_field first;
    unsigned n;
    char name[64];
    (void)snprintf(name, sizeof name, "%s", flag + 2);
    if (strcmp(name, "commit") == 0) (void)snprintf(name, sizeof name, "sha");
    for (char *p = name; *p; p++)
        if (*p == '-') *p = '_';
    fact_fields(k, &first, &n);
    for (unsigned i = 0; i < n; i++)
        if (strcmp(name, fact_field_info((enum fact_field)(first + i))->column) == 0) {
            *out = (enum fact_field)(first + i);
            return true;
        }
    return false;
}

static int unknown_field(const struct event *ev, const char *flag) {
    enum fact_field first;
    unsigned n;
    char names[1024] = "";
    fact_fields(ev->kind, &first, &n);
    for (unsigned i = 0; i < n; i++) {
        size_t len = strlen(names);
        (void)snprintf(names + len, sizeof names - len, " --%s",
                       fact_field_info((enum fact_field)(first + i))->column);
    }
    for (char *p = names; *p; p++)
        if (*p == '_') *p = '-';
    return usage_error("event", "%s is no field of %s; there are --id --key%s", flag, fact_table(ev->kind),
                       names);
}

static int event_flag(struct event *ev, struct args *a, const char *flag) {
    enum fact_field field;
    const char *v = args_value(a, flag);
    if (!v) return EXIT_USAGE;
    if (strcmp(flag, "--server") == 0)
        ev->server = v;
    else if (strcmp(flag, "--data") == 0)
        ev->dir = v;
    else if (strcmp(flag, "--id") == 0)
        ev->id = str_of(v);
    else if (strcmp(flag, "--key") == 0)
        ev->key = str_of(v);
    else if (!field_of(ev->kind, flag, &field) || ev->n == FACT_FIELDS_MAX)
        return unknown_field(ev, flag);
    else {
        ev->fields[ev->n].field = field;
        ev->fields[ev->n++].value = str_of(v);
    }
    return EXIT_DONE;
}

static void put_pair(struct json_writer *w, const char *key, struct str v) {
    jw_key(w, str_of(key));
    jw_str(w, v);
}

static void put_field(struct json_writer *w, const struct event *ev, unsigned i, struct str now) {
    const struct fact_field_info *f = fact_field_info(ev->fields[i].field);
    struct str v = ev->fields[i].value;
    double number;
    jw_key(w, str_of(f->column));
    if (f->type == FACT_TIME && str_eq(v, STR("now")))
        jw_str(w, now);
    else if ((f->type == FACT_INT || f->type == FACT_REAL) && json_f64(v, &number))
        jw_raw(w, v);
    else
        jw_str(w, v);
}

static void put_event(const struct event *ev, struct buf *out) {
    struct json_writer w = json_writer_on(out);
    char stamp[STAMP_TEXT_SIZE];
    int64_t ns = (int64_t)clock_unix_ns(clock_real());
    struct str now = stamp_print(ns - ns % 1000000000, stamp);
    uint8_t random[16];
    char id[33] = "";
    random_bytes(random, sizeof random);
    hex_encode(random, sizeof random, id);
    jw_object(&w);
    put_pair(&w, "specversion", STR("1.0"));
    put_pair(&w, "id", (struct str){ id, 32 });
    put_pair(&w, "source", STR("takt/event"));
    put_pair(&w, "time", now);
    jw_key(&w, STR("type"));
    struct buf type;
    buf_init(&type, 128);
    buf_fmt(&type, "dev.takt.%s", fact_table(ev->kind));
    jw_str(&w, buf_view(&type));
    buf_fini(&type);
    jw_key(&w, STR("data"));
    jw_object(&w);
    if (ev->id.len) put_pair(&w, "id", ev->id);
    if (ev->key.len) put_pair(&w, "key", ev->key);
    for (unsigned i = 0; i < ev->n; i++) put_field(&w, ev, i, now);
    jw_object_end(&w);
    jw_object_end(&w);
}

static int send_into(const char *dir, struct str body) {
    struct intake_header type = { STR("content-type"), STR("application/cloudevents+json") };
    struct intake_request r = { .source = STR("events"),
                                .headers = &type,
                                .n_headers = 1,
                                .body = body,
                                .received = (int64_t)clock_unix_ns(clock_real()) };
    struct writing w;
    struct intake in;
    struct delivery_taken taken;
    struct arena a;
    struct err_ctx ctx = { 0 };
    int result = writing_open(&w, "event", dir);
    arena_init(&a, MEMORY_MAX, NULL);
    enum err e = result == EXIT_DONE ? intake_read(&r, &a, &in, &ctx) : ERR_OK;
    if (result == EXIT_DONE && e == ERR_OK) e = delivery_take(w.delivery, &r, &in, &taken);
    if (e != ERR_OK) result = failed("event", "%s", ctx.text[0] ? ctx.text : err_text(e));
    if (result == EXIT_DONE && in.n && in.events[0].aside.len)
        result = failed("event", "kept, but set aside: %.*s", STR_ARG(in.events[0].aside));
    arena_fini(&a);
    writing_close(&w);
    return result;
}

static int send_event(const struct event *ev) {
    struct buf body, answer;
    buf_init(&body, 1 << 20);
    put_event(ev, &body);
    int result;
    if (ev->dir) {
        result = send_into(ev->dir, buf_view(&body));
    } else {
        result = tell_server("event", ev->server, "/events", "application/cloudevents+json", buf_view(&body),
                             &answer);
        buf_fini(&answer);
    }
    if (result == EXIT_DONE) printf("kept\n");
    buf_fini(&body);
    return result;
}

int run_event(int argc, char **argv) {
    struct args a = { "event", argc, argv, 1, NULL };
    struct event ev = { .server = default_server() };
    if (argc < 1 || !intake_kind(str_of(argv[0]), &ev.kind)) return unknown_kind(argc < 1 ? "" : argv[0]);
    for (const char *flag; (flag = args_flag(&a));) {
        int bad = event_flag(&ev, &a, flag);
        if (bad) return bad;
    }
    if (a.at < argc) return usage_error("event", "\"%s\" is one word too many", argv[a.at]);
    return send_event(&ev);
}

// --- import git --------------------------------------------------------------------------------------------

struct import {
    const char *dir, *server, *path; // server NULL: into the directory
    struct git_ask ask;
    struct git_batch batch;
    struct arena arena;
    uint64_t commits, rollouts;
    struct err_ctx *ctx;
};

static int import_flag(struct import *im, struct args *a, const char *flag) {
    const char *v = args_value(a, flag);
    if (!v) return EXIT_USAGE;
    if (strcmp(flag, "--service") == 0)
        im->ask.service = str_of(v);
    else if (strcmp(flag, "--env") == 0 || strcmp(flag, "--environment") == 0)
        im->ask.environment = str_of(v);
    else if (strcmp(flag, "--tags") == 0)
        im->ask.tags = str_of(v);
    else if (strcmp(flag, "--data") == 0)
        im->dir = v;
    else if (strcmp(flag, "--server") == 0)
        im->server = v;
    else if (strcmp(flag, "--time") == 0 && strcmp(v, "created") == 0)
        im->ask.time = GIT_CREATED;
    else if (strcmp(flag, "--time") == 0 && strcmp(v, "name") == 0)
        im->ask.time = GIT_NAME;
    else if (strcmp(flag, "--time") == 0)
        return usage_error("import git",
                           "--time %s: created is when a tag was made, name the date that it spells", v);
    else
        return usage_error("import git", "unknown flag %s", flag);
    return EXIT_DONE;
}

static int show_patterns(struct import *im) {
    struct git_pattern *patterns;
    uint32_t n, n_tags;
    struct err_ctx ctx = { 0 };
    enum err e = git_patterns(&im->arena, im->path, im->ask.now, &patterns, &n, &n_tags, &ctx);
    if (e != ERR_OK) return failed("import git", "%s", ctx.text[0] ? ctx.text : err_text(e));
    struct str *cells = ARENA_ARRAY(&im->arena, (n + 1) * 4, struct str);
    struct buf out;
    if (!cells) return failed("import git", "out of memory");
    static const char *const heads[] = { "TAGS", "WITH A DATE", "EXAMPLE", "PATTERN" };
    for (unsigned i = 0; i < 4; i++) cells[i] = str_of(heads[i]);
    for (uint32_t i = 0; i < n; i++) {
        struct str *row = cells + 4 * (i + 1);
        row[0] = str_fmt(&im->arena, "%u", patterns[i].n);
        row[1] = str_fmt(&im->arena, "%u", patterns[i].n_dated);
        row[2] = patterns[i].example;
        row[3] = patterns[i].regex;
    }
    buf_init(&out, SIZE_MAX);
    buf_fmt(&out, "%u tag%s in %s\n", n_tags, n_tags == 1 ? "" : "s", im->path);
    if (n) table_print(&(struct table){ cells, n + 1, 4 }, &out);
    if (n)
        buf_fmt(&out,
                "\nTo take those of a pattern as deployments:\n  takt import git %s --service NAME --env "
                "production --tags '%.*s'%s\n",
                im->path, STR_ARG(patterns[0].regex),
                patterns[0].n_dated == patterns[0].n ? " --time name" : "");
    (void)fwrite(out.ptr, 1, out.len, stdout);
    buf_fini(&out);
    return EXIT_DONE;
}

static enum err keep(struct db *db, void *ctx) {
    struct import *im = ctx;
    return git_keep(db, &im->ask, &im->batch, &im->commits, &im->rollouts, im->ctx);
}

static enum err read_history(struct import *im, struct arena *a, struct delivery *d) {
    struct db *reader;
    TRY(delivery_reader(d, &reader));
    im->ask.known = git_is_kept;
    im->ask.ctx = reader;
    enum err e = git_read(a, &im->ask, &im->batch, im->ctx);
    delivery_reader_done(d, reader);
    return e;
}

// Of the batch its numbers stay and its name: what is derived from it needs the memory, too.
static enum err read_and_keep(struct import *im, struct delivery *d, struct err_ctx *ctx) {
    struct arena a;
    im->ctx = ctx;
    arena_init(&a, MEMORY_MAX, NULL);
    enum err e = read_history(im, &a, d);
    if (e == ERR_OK) e = delivery_write(d, keep, im);
    im->batch.identity = str_dup(&im->arena, im->batch.identity);
    im->batch.commits = NULL;
    im->batch.rollouts = NULL;
    arena_fini(&a);
    return e == ERR_OK ? delivery_settle(d) : e;
}

static int import_into_dir(struct import *im) {
    struct writing w;
    struct err_ctx ctx = { 0 };
    int result = writing_open(&w, "import git", im->dir);
    enum err e = result == EXIT_DONE ? read_and_keep(im, w.delivery, &ctx) : ERR_OK;
    writing_close(&w);
    if (result != EXIT_DONE) return result;
    return e == ERR_OK ? EXIT_DONE : failed("import git", "%s", ctx.text[0] ? ctx.text : err_text(e));
}

static int import_into_server(struct import *im) {
    struct upload u = { .server = im->server, .arena = &im->arena, .ask = &im->ask, .batch = &im->batch };
    int result = upload_history(&u);
    im->commits = u.commits;
    im->rollouts = u.rollouts;
    return result;
}

static void say_left_out(uint32_t n, const char *why) {
    if (n) printf("%u matching tag%s left out: %s\n", n, n == 1 ? "" : "s", why);
}

static int import_all(struct import *im) {
    int result = im->server ? import_into_server(im) : import_into_dir(im);
    if (result != EXIT_DONE) return result;
    const struct git_batch *b = &im->batch;
    printf("%.*s: %llu new commit%s, %llu new rollout%s of %u matching tag%s\n", STR_ARG(b->identity),
           (unsigned long long)im->commits, im->commits == 1 ? "" : "s", (unsigned long long)im->rollouts,
           im->rollouts == 1 ? "" : "s", b->n_rollouts, b->n_rollouts == 1 ? "" : "s");
    if (b->n_other) printf("%u other tag%s of %u\n", b->n_other, b->n_other == 1 ? "" : "s", b->n_tags);
    say_left_out(b->n_undated, "no date to be read");
    say_left_out(b->n_no_commit, "of no commit");
    say_left_out(b->n_unreadable, "cannot be read");
    say_left_out(b->n_cut, "too many at once; a narrower --tags takes them");
    if (b->n_missing)
        printf("%u commit%s named by the history and not in it (a shallow clone?)\n", b->n_missing,
               b->n_missing == 1 ? "" : "s");
    return EXIT_DONE;
}

int run_import_git(int argc, char **argv) {
    struct args a = { "import git", argc, argv, 0, NULL };
    struct import im = { .dir = "./takt-data",
                         .ask = { .environment = STR("production"),
                                  .now = (int64_t)clock_unix_ns(clock_real()) } };
    while (a.at < a.argc) {
        const char *flag = args_flag(&a);
        if (!flag && im.path) return usage_error("import git", "\"%s\" is one word too many", a.argv[a.at]);
        if (!flag) {
            im.path = a.argv[a.at++];
            continue;
        }
        int bad = import_flag(&im, &a, flag);
        if (bad) return bad;
    }
    if (!im.path) return usage_error("import git", "the path of a repository is missing");
    if (im.ask.tags.len && !im.ask.service.len)
        return usage_error("import git", "--service is missing: whose deployments are they?");
    im.ask.path = im.path;
    arena_init(&im.arena, MEMORY_MAX, NULL);
    int result = im.ask.tags.len ? import_all(&im) : show_patterns(&im);
    arena_fini(&im.arena);
    return result;
}

// --- reprocess, backup -------------------------------------------------------------------------------------

static void show_events(void *ctx, uint64_t done, uint64_t all) {
    (void)ctx;
    if (isatty(STDERR_FILENO))
        (void)fprintf(stderr, "\r%llu of %llu events", (unsigned long long)done, (unsigned long long)all);
}
static void show_pages(void *ctx, int done, int all) {
    (void)ctx;
    if (isatty(STDERR_FILENO)) (void)fprintf(stderr, "\r%d of %d pages", done, all);
}

// --server URL, --data DIR and, where it is asked for, one word.
static int where_flags(const char *command, int argc, char **argv, const char **server, const char **dir,
                       const char **word) {
    struct args a = { command, argc, argv, 0, NULL };
    while (a.at < a.argc) {
        const char *flag = args_flag(&a);
        if (!flag && (!word || *word))
            return usage_error(command, "\"%s\" is one word too many", a.argv[a.at]);
        if (!flag) {
            *word = a.argv[a.at++];
            continue;
        }
        const char **to = server && strcmp(flag, "--server") == 0 ? server
                          : strcmp(flag, "--data") == 0           ? dir
                                                                  : NULL;
        if (!to) return usage_error(command, "unknown flag %s", flag);
        *to = args_value(&a, flag);
        if (!*to) return EXIT_USAGE;
    }
    return EXIT_DONE;
}

int run_reprocess(int argc, char **argv) {
    const char *server = default_server(), *dir = NULL;
    struct writing w;
    int result = where_flags("reprocess", argc, argv, &server, &dir, NULL);
    if (result != EXIT_DONE) return result;
    if (!dir) {
        struct buf body;
        result =
            tell_server("reprocess", server, "/api/takt/delivery/reprocess", "text/plain", STR(""), &body);
        if (result == EXIT_DONE) printf("%.*s", STR_ARG(buf_view(&body)));
        buf_fini(&body);
        return result;
    }
    result = writing_open(&w, "reprocess", dir);
    if (result == EXIT_DONE) {
        enum err e = delivery_reprocess(w.delivery, show_events, NULL);
        if (e != ERR_OK) result = failed("reprocess", "%s", err_text(e));
    }
    writing_close(&w);
    if (result == EXIT_DONE) printf("all facts were made again from the events\n");
    return result;
}

int run_backup(int argc, char **argv) {
    const char *dir = "./takt-data", *file = NULL;
    struct delivery *d;
    struct err_ctx ctx = { 0 };
    int result = where_flags("backup", argc, argv, NULL, &dir, &file);
    if (result != EXIT_DONE) return result;
    if (!file) return usage_error("backup", "the name of the new file is missing");
    enum err e = delivery_open(&(struct delivery_opts){ .dir = dir, .read_only = true }, &d, &ctx);
    if (e == ERR_OK) e = delivery_backup(d, file, show_pages, NULL);
    delivery_close(d);
    if (e == ERR_EXISTS) return failed("backup", "%s is there already", file);
    if (e != ERR_OK) return failed("backup", "%s", ctx.text[0] ? ctx.text : err_text(e));
    printf("%s holds the facts of %s\n", file, dir);
    return EXIT_DONE;
}
