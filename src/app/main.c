// SPDX-License-Identifier: Apache-2.0
#include <stdio.h>

#include "app/app.h"

#define CONFIG_FLAGS_HELP \
    "  --config F           YAML file; none is needed\n" \
    "  --data DIR           where everything is kept (./takt-data)\n" \
    "  --http ADDR          web app and API (127.0.0.1:3200)\n" \
    "  --otlp-grpc ADDR     OTLP over gRPC (127.0.0.1:4317)\n" \
    "  --otlp-http ADDR     OTLP over HTTP (127.0.0.1:4318)\n" \
    "  --set NAME=VALUE     any setting; `takt config print` lists them\n" \
    "An address is HOST:PORT; port 0 takes a free one, \"off\" switches the listener off.\n"

const struct command commands[] = {
    { "serve", "[flags]", "Runs the server.", CONFIG_FLAGS_HELP, run_serve },
    { "demo", "[flags]", "Runs the server with a live, made-up shop, in a directory that is gone afterwards.",
      "  --rate N             spans per second (300)\n"
      "  --duration S         ends by itself after S seconds\n" CONFIG_FLAGS_HELP,
      run_demo },
    { "load", "[flags]", "Sends made-up traces to any OTLP receiver.",
      "  --target URL         http://HOST:4318 (the default: on this machine) or grpc://HOST:4317\n"
      "  --rate N             spans per second (1000); 0 = as fast as they are taken\n"
      "  --duration D         30s, 5m, 1h; without it until Ctrl-C\n"
      "  --seed S             the same seed makes the same traces (1)\n"
      "  --shape S            shop, wide, deep, sparse, orphans, skew\n"
      "  --spans N            one trace of N spans\n",
      run_load },
    { "trace", "ID [flags]", "Prints one trace.",
      "  --json               as OTLP/JSON\n"
      "  --server URL         of a server ($TAKT_SERVER, else http://127.0.0.1:3200)\n"
      "  --data DIR           straight from a data directory; takes no lock, writes nothing\n",
      run_trace },
    { "config check", "[FILE] [flags]", "Says whether a configuration is valid, and where it is not.",
      CONFIG_FLAGS_HELP, run_config_check },
    { "config print", "[FILE] [flags]", "Prints every setting with its meaning and value.",
      "  --markdown           the reference in docs/config.md\n" CONFIG_FLAGS_HELP, run_config_print },
    { "block stat", "[DIR] [--json]", "Bytes of every column of all blocks in a data directory.", "",
      run_block_stat },
};
const unsigned n_commands = sizeof commands / sizeof *commands;

static void print_usage(FILE *to) {
    (void)fprintf(to, "usage: takt COMMAND [flags]\n\nA tracing backend: OTLP in, open Parquet on disk, "
                      "Tempo's API out.\n\n");
    for (unsigned i = 0; i < n_commands; i++)
        (void)fprintf(to, "  %-14s %s\n", commands[i].name, commands[i].about);
    (void)fprintf(to, "\ntakt COMMAND --help tells more. The shortest way to see something: takt demo\n");
}

static bool wants_help(int argc, char **argv) {
    for (int i = 0; i < argc; i++)
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) return true;
    return false;
}

// The command whose one or two words begin the line; *words is how many it took.
static const struct command *find_command(int argc, char **argv, int *words) {
    for (unsigned i = 0; i < n_commands; i++) {
        struct str first, second;
        bool two = str_cut(str_of(commands[i].name), ' ', &first, &second);
        if (!str_eq(first, str_of(argv[1]))) continue;
        if (two && (argc < 3 || !str_eq(second, str_of(argv[2])))) continue;
        *words = two ? 2 : 1;
        return &commands[i];
    }
    return NULL;
}

int main(int argc, char **argv) {
    int words;
    if (argc < 2 || strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 ||
        strcmp(argv[1], "help") == 0) {
        print_usage(argc < 2 ? stderr : stdout);
        return argc < 2 ? EXIT_USAGE : EXIT_DONE;
    }
    if (strcmp(argv[1], "--version") == 0 || strcmp(argv[1], "version") == 0) {
        puts("takt " TAKT_VERSION);
        return EXIT_DONE;
    }
    const struct command *c = find_command(argc, argv, &words);
    if (!c) {
        (void)fprintf(stderr, "takt: there is no command \"%s\"\n\n", argv[1]);
        print_usage(stderr);
        return EXIT_USAGE;
    }
    if (wants_help(argc - 1 - words, argv + 1 + words)) {
        print_help(c);
        return EXIT_DONE;
    }
    return c->run(argc - 1 - words, argv + 1 + words);
}
