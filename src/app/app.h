// SPDX-License-Identifier: Apache-2.0
// The program: commands, their flags, and the wiring of the server. thread: main.
#pragma once

#include "config/config.h"

#ifndef TAKT_VERSION
#define TAKT_VERSION "0.1.0"
#endif
#ifndef TAKT_REVISION
#define TAKT_REVISION ""
#endif

// Exit codes of the command line.
enum { EXIT_DONE = 0, EXIT_FAILED = 1, EXIT_USAGE = 2 };

struct command {
    const char *name;                  // "config check" has two words
    const char *usage;                 // what follows the name
    const char *about;                 // one line
    const char *help;                  // the rest of --help
    int (*run)(int argc, char **argv); // argv[0] is the first word after the name
    bool asks;                         // a server: it takes --server, and --ca for its certificate
};
extern const struct command commands[];
extern const unsigned n_commands;

// The command's own help, as --help prints it.
void print_help(const struct command *c);
// "takt serve: …" and how to get help; returns EXIT_USAGE.
int usage_error(const char *command, const char *fmt, ...) PRINTF_LIKE(2, 3);
int failed(const char *command, const char *fmt, ...) PRINTF_LIKE(2, 3); // EXIT_FAILED
int failed_with(const char *command, struct str why); // the same, of a text with or without its line end

// Flags of a command line. A flag that takes a value may be given as "--x V" or "--x=V".
struct args {
    const char *command;
    int argc;
    char **argv;
    int at;
    const char *value; // of the flag taken last
};
// The next flag, or NULL at the first word that is none (a.at is then there) or at the end.
const char *args_flag(struct args *a);
// The value of the flag at hand; NULL (and a message was printed) when there is none.
const char *args_value(struct args *a, const char *flag);

// Flags that set the configuration: --config F, --data DIR, --http A, --otlp-grpc A, --otlp-http A,
// --set NAME=VALUE.
enum { OVERRIDES_MAX = 64 };
struct config_flags {
    struct config_override overrides[OVERRIDES_MAX];
    size_t n;
    const char *file;
};
// 1: taken, 0: not one of these, -1: wrong (a message was printed).
int config_flag(struct config_flags *f, struct args *a, const char *flag);
void config_flag_add(struct config_flags *f, const char *flag, struct str name, struct str value);
// Loads; on an error prints it and returns false.
bool config_of_flags(const struct config_flags *f, const char *command, struct config *out);

// The running server, for `serve` and `demo`.
struct server;
NODISCARD enum err server_start(const struct config *c, struct server **out, struct err_ctx *ctx);
void server_stop(struct server *s);                  // within two seconds
const char *server_url(const struct server *s);      // of the web app, "" when it is off
const char *server_otlp_url(const struct server *s); // of OTLP over HTTP
const char *server_grpc_url(const struct server *s); // of OTLP over gRPC, grpc://…
struct delivery *server_delivery(const struct server *s);

// Waits for SIGINT or SIGTERM; a second one ends the process at once. timeout_ms 0 = for ever.
void signals_block(void);               // before any thread starts
bool signals_wait(uint32_t timeout_ms); // false: timed out
bool signals_pending(void *unused);     // one has come that nobody waited for yet

// Of the service that the parameters name: versions in traffic that nobody reported in the last 7 days, and
// rollouts that never served. Nothing without a service.
void print_version_notes(const char *server, const char *dir, struct str params);

int run_serve(int argc, char **argv);
int run_demo(int argc, char **argv);
int run_load(int argc, char **argv);
int run_query(int argc, char **argv);
int run_trace(int argc, char **argv);
int run_delete(int argc, char **argv);
int run_event(int argc, char **argv);
int run_import_git(int argc, char **argv);
int run_dora(int argc, char **argv);
int run_deploys(int argc, char **argv);
int run_changed(int argc, char **argv);
int run_profile(int argc, char **argv);
int run_report(int argc, char **argv);
int run_ready(int argc, char **argv);
int run_incident(int argc, char **argv);
int run_impact(int argc, char **argv);
int run_compare(int argc, char **argv);
int run_catalogue(int argc, char **argv);
int run_catalogue_check(int argc, char **argv);
int run_why(int argc, char **argv);
int run_reprocess(int argc, char **argv);
int run_backup(int argc, char **argv);
int run_config_check(int argc, char **argv);
int run_config_print(int argc, char **argv);
int run_block_stat(int argc, char **argv);
