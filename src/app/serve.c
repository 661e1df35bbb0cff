// SPDX-License-Identifier: Apache-2.0
// takt serve, and takt demo: the same server with a made-up shop that sends to it.
#include <errno.h>
#include <ftw.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "app/app.h"
#include "base/log.h"
#include "load/load.h"
#include "os/thread.h"

enum { DEMO_RATE = 300 };

// --- signals
// -------------------------------------------------------------------------------------------------

static void stop_signals(sigset_t *set) {
    sigemptyset(set);
    sigaddset(set, SIGINT);
    sigaddset(set, SIGTERM);
}

void signals_block(void) {
    sigset_t set;
    stop_signals(&set);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    signal(SIGPIPE, SIG_IGN);
}

bool signals_wait(uint32_t timeout_ms) {
    sigset_t set;
    struct timespec t = { timeout_ms / 1000, (long)(timeout_ms % 1000) * 1000000 };
    stop_signals(&set);
    int got;
    do got = timeout_ms ? sigtimedwait(&set, NULL, &t) : sigwaitinfo(&set, NULL);
    while (got < 0 && errno == EINTR);
    if (got > 0) pthread_sigmask(SIG_UNBLOCK, &set, NULL); // the next one ends the process
    return got > 0;
}

// --- serve
// ---------------------------------------------------------------------------------------------------

static void print_address(const char *name, const char *url) {
    if (url[0]) (void)fprintf(stderr, "%-9s %s\n", name, url);
}

static void print_addresses(const struct server *s) {
    print_address("http", server_url(s));
    print_address("otlp-grpc", server_grpc_url(s));
    print_address("otlp-http", server_otlp_url(s));
}

int run_serve(int argc, char **argv) {
    struct args a = { "serve", argc, argv, 0, NULL };
    struct config_flags flags = { .n = 0 };
    struct config config;
    struct server *server;
    struct err_ctx ctx = { 0 };
    for (const char *flag; (flag = args_flag(&a));) {
        int taken = config_flag(&flags, &a, flag);
        if (taken < 0) return EXIT_USAGE;
        if (taken == 0) return usage_error("serve", "unknown flag %s", flag);
    }
    if (a.at < argc) return usage_error("serve", "\"%s\" is one word too many", argv[a.at]);
    if (!config_of_flags(&flags, "serve", &config)) return EXIT_FAILED;
    log_level_set((enum log_level)config.log_level);
    signals_block();
    enum err e = server_start(&config, &server, &ctx);
    if (e != ERR_OK) {
        config_fini(&config);
        return failed("serve", "%s", ctx.text[0] ? ctx.text : err_text(e));
    }
    print_addresses(server);
    (void)signals_wait(0);
    server_stop(server);
    config_fini(&config);
    return EXIT_DONE;
}

// --- demo
// ----------------------------------------------------------------------------------------------------

struct shop {
    struct load_opts opts;
    atomic_bool stop;
    struct thread thread;
};

static void run_shop(void *ctx) {
    struct shop *s = ctx;
    struct load_stats stats;
    struct err_ctx why = { 0 };
    enum err e = load_run(&s->opts, &s->stop, &stats, &why);
    if (e != ERR_OK && !s->stop)
        log_warn("demo.shop_stopped", KV_Z("why", why.text[0] ? why.text : err_text(e)));
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw) {
    (void)st, (void)type, (void)ftw;
    return remove(path);
}

static void demo_help(const struct server *s, const char *dir) {
    printf("\n  Takt is running, and a made-up shop sends traces to it.\n\n"
           "  Open        %s\n"
           "  Send yours  OTEL_EXPORTER_OTLP_ENDPOINT=%s\n"
           "  Data        %s (gone when this ends)\n\n"
           "  Ctrl-C ends it.\n\n",
           server_url(s), server_otlp_url(s), dir);
    (void)fflush(stdout);
}

static int demo_run(struct config_flags *flags, uint64_t duration_ms, uint64_t rate, const char *dir) {
    struct config config;
    struct server *server;
    struct err_ctx ctx = { 0 };
    struct shop shop = { .stop = false };
    config_flag_add(flags, "--data", STR("data.dir"), str_of(dir));
    if (!config_of_flags(flags, "demo", &config)) return EXIT_FAILED;
    log_level_set(LOG_WARN);
    enum err e = server_start(&config, &server, &ctx);
    if (e != ERR_OK) {
        config_fini(&config);
        return failed("demo", "%s", ctx.text[0] ? ctx.text : err_text(e));
    }
    shop.opts = (struct load_opts){ .gen = { .rate = (double)rate, .seed = 1, .shape = LOAD_SHOP },
                                    .url = server_otlp_url(server) };
    demo_help(server, dir);
    e = thread_start(&shop.thread, "takt-shop", run_shop, &shop);
    if (e == ERR_OK) (void)signals_wait((uint32_t)duration_ms);
    shop.stop = true;
    thread_join(&shop.thread);
    server_stop(server);
    config_fini(&config);
    return EXIT_DONE;
}

int run_demo(int argc, char **argv) {
    struct args a = { "demo", argc, argv, 0, NULL };
    struct config_flags flags = { .n = 0 };
    uint64_t seconds = 0, rate = DEMO_RATE;
    char dir[] = "/tmp/takt-demo-XXXXXX";
    for (const char *flag; (flag = args_flag(&a));) {
        bool is_duration = strcmp(flag, "--duration") == 0;
        if (is_duration || strcmp(flag, "--rate") == 0) {
            const char *v = args_value(&a, flag);
            struct str text = str_of(v);
            if (!v) return EXIT_USAGE;
            if (is_duration && str_ends(text, STR("s"))) text.len--;
            if (!str_u64(text, is_duration ? &seconds : &rate) || seconds > 86400)
                return usage_error("demo", "%s=%s is not a number", flag, v);
            continue;
        }
        int taken = config_flag(&flags, &a, flag);
        if (taken < 0) return EXIT_USAGE;
        if (taken == 0) return usage_error("demo", "unknown flag %s", flag);
    }
    if (!mkdtemp(dir)) return failed("demo", "cannot make a directory in /tmp");
    signals_block();
    int result = demo_run(&flags, seconds * 1000, rate, dir);
    (void)nftw(dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    return result;
}
