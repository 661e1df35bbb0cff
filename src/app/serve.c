// SPDX-License-Identifier: Apache-2.0
// takt serve, and how it waits for a signal.
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <time.h>

#include "app/app.h"
#include "base/log.h"

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

bool signals_pending(void *ctx) {
    sigset_t set;
    (void)ctx;
    return sigpending(&set) == 0 && (sigismember(&set, SIGINT) == 1 || sigismember(&set, SIGTERM) == 1);
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
        if (e == ERR_CANCELED) return EXIT_DONE; // the log is as it was
        return failed("serve", "%s", ctx.text[0] ? ctx.text : err_text(e));
    }
    print_addresses(server);
    (void)signals_wait(0);
    server_stop(server);
    config_fini(&config);
    return EXIT_DONE;
}
