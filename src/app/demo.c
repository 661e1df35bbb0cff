// SPDX-License-Identifier: Apache-2.0
// takt demo: the server with a made-up shop that sends its traces to it, and whose tools tell it what
// the shop ships.
#include <ftw.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "app/app.h"
#include "app/demo_repo.h"
#include "base/log.h"
#include "load/load.h"
#include "os/clock.h"
#include "os/thread.h"

enum { DEMO_RATE = 300 };

struct demo {
    uint64_t seed, rate, seconds;
    bool ships;
    const char *dir;
};

// What runs beside the server, each on a thread of its own.
struct stage {
    struct load_opts load;
    struct story_opts story;
    struct demo_repo repo;
    atomic_bool stop;
    struct thread sender, teller;
};

static void run_shop(void *ctx) {
    struct stage *s = ctx;
    struct load_stats stats;
    struct err_ctx why = { 0 };
    enum err e = load_run(&s->load, &s->stop, &stats, &why);
    if (e != ERR_OK && !s->stop)
        log_warn("demo.shop_stopped", KV_Z("why", why.text[0] ? why.text : err_text(e)));
}

static void run_story(void *ctx) {
    struct stage *s = ctx;
    struct err_ctx why = { 0 };
    enum err e = story_run(&s->story, &s->stop, &why);
    if (e != ERR_OK && !s->stop)
        log_warn("demo.story_stopped", KV_Z("why", why.text[0] ? why.text : err_text(e)));
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw) {
    (void)st, (void)type, (void)ftw;
    return remove(path);
}

static void demo_help(const struct server *s, const struct demo *d) {
    const char *story = d->ships
                            ? "  Ships       twelve weeks of changes, and a bad version of checkout within a "
                              "minute: takt dora --server "
                            : "";
    printf("\n  Takt is running, and a made-up shop sends traces to it.\n\n"
           "  Open        %s\n"
           "%s%s%s"
           "  Send yours  OTEL_EXPORTER_OTLP_ENDPOINT=%s\n"
           "  Data        %s (gone when this ends)\n\n"
           "  Ctrl-C ends it.\n\n",
           server_url(s), story, d->ships ? server_url(s) : "", d->ships ? "\n" : "", server_otlp_url(s),
           d->dir);
    (void)fflush(stdout);
}

static void stage_open(struct stage *stage, const struct demo *d, const struct server *server) {
    uint64_t now_ns = clock_unix_ns(clock_real());
    *stage = (struct stage){ .load = { .gen = { .rate = (double)d->rate,
                                                .seed = d->seed,
                                                .shape = LOAD_SHOP,
                                                .ships_from_ns = d->ships ? now_ns : 0 },
                                       .url = server_otlp_url(server) },
                             .story = { .url = server_url(server),
                                        .seed = d->seed,
                                        .start_ns = now_ns,
                                        .commit = demo_repo_commit,
                                        .ctx = &stage->repo },
                             .repo = { .dir = d->dir, .delivery = server_delivery(server) } };
}

static int demo_run(struct config_flags *flags, const struct demo *d) {
    struct config config;
    struct server *server;
    struct err_ctx ctx = { 0 };
    struct stage stage;
    config_flag_add(flags, "--data", STR("data.dir"), str_of(d->dir));
    if (!config_of_flags(flags, "demo", &config)) return EXIT_FAILED;
    log_level_set(LOG_WARN);
    enum err e = server_start(&config, &server, &ctx);
    if (e != ERR_OK) {
        config_fini(&config);
        return failed("demo", "%s", ctx.text[0] ? ctx.text : err_text(e));
    }
    stage_open(&stage, d, server);
    demo_help(server, d);
    e = thread_start(&stage.sender, "takt-shop", run_shop, &stage);
    if (e == ERR_OK && d->ships) e = thread_start(&stage.teller, "takt-story", run_story, &stage);
    if (e == ERR_OK) (void)signals_wait((uint32_t)(d->seconds * 1000));
    stage.stop = true;
    thread_join(&stage.teller);
    thread_join(&stage.sender);
    server_stop(server);
    config_fini(&config);
    return e == ERR_OK ? EXIT_DONE : failed("demo", "no thread for the shop: %s", err_text(e));
}

// 1: taken, 0: not one of these, -1: wrong (a message was printed).
static int demo_flag(struct demo *d, struct args *a, const char *flag) {
    uint64_t *to = strcmp(flag, "--duration") == 0 ? &d->seconds
                   : strcmp(flag, "--rate") == 0   ? &d->rate
                   : strcmp(flag, "--seed") == 0   ? &d->seed
                                                   : NULL;
    if (strcmp(flag, "--no-ships") == 0) {
        d->ships = false;
        return 1;
    }
    if (!to) return 0;
    const char *v = args_value(a, flag);
    struct str text = str_of(v);
    if (!v) return -1;
    if (to == &d->seconds && str_ends(text, STR("s"))) text.len--;
    if (str_u64(text, to) && d->seconds <= 86400) return 1;
    (void)usage_error("demo", "%s=%s is not a number", flag, v);
    return -1;
}

int run_demo(int argc, char **argv) {
    struct args a = { "demo", argc, argv, 0, NULL };
    struct config_flags flags = { .n = 0 };
    char dir[] = "/tmp/takt-demo-XXXXXX";
    struct demo d = { .seed = 1, .rate = DEMO_RATE, .ships = true, .dir = dir };
    for (const char *flag; (flag = args_flag(&a));) {
        int taken = demo_flag(&d, &a, flag);
        if (taken == 0) taken = config_flag(&flags, &a, flag);
        if (taken < 0) return EXIT_USAGE;
        if (taken == 0) return usage_error("demo", "unknown flag %s", flag);
    }
    if (!mkdtemp(dir)) return failed("demo", "cannot make a directory in /tmp");
    signals_block();
    int result = demo_run(&flags, &d);
    (void)nftw(dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    return result;
}
