// SPDX-License-Identifier: Apache-2.0
#include <stdio.h>

#include "app/app.h"
#include "app/reading.h"

#define CONFIG_FLAGS_HELP \
    "  --config F           YAML file; none is needed\n" \
    "  --data DIR           where everything is kept (./takt-data)\n" \
    "  --http ADDR          web app and API (127.0.0.1:3200)\n" \
    "  --otlp-grpc ADDR     OTLP over gRPC (127.0.0.1:4317)\n" \
    "  --otlp-http ADDR     OTLP over HTTP (127.0.0.1:4318)\n" \
    "  --set NAME=VALUE     any setting; `takt config print` lists them\n" \
    "An address is HOST:PORT; port 0 takes a free one, \"off\" switches the listener off.\n"

const struct command commands[] = {
    { "serve", "[flags]", "Runs the server.", CONFIG_FLAGS_HELP, run_serve, false },
    { "demo", "[flags]", "Runs the server with a live, made-up shop, in a directory that is gone afterwards.",
      "The shop ships, and its tools tell of it as real ones do (webhooks of GitHub, Argo Rollouts, "
      "PagerDuty\n"
      "and LaunchDarkly, an event of a script, git histories): at the start twelve weeks of six services, "
      "with\n"
      "changes, reviews, pipelines (some flaky), staging and production, canaries, flags, incidents, "
      "rollbacks\n"
      "and fixes. Then a delivery every two and a half minutes, whose version is in the spans. The first is "
      "a\n"
      "bad version of checkout: ten seconds after the start a tenth of its requests meet it and one route\n"
      "fails, after 25 s all; an incident begins at 36 s, and at 54 s the old version is back. What follows\n"
      "is good, slow, or stopped by its canary.\n"
      "  --rate N             spans per second (300)\n"
      "  --duration S         ends by itself after S seconds\n"
      "  --seed N             the same seed makes the same shop and the same story (1)\n"
      "  --no-ships           only traces: every service in three versions, no "
      "deliveries\n" CONFIG_FLAGS_HELP,
      run_demo, false },
    { "load", "[flags]", "Sends made-up traces to any OTLP receiver.",
      "  --target URL         http://HOST:4318 (the default: on this machine) or grpc://HOST:4317\n"
      "  --rate N             spans per second (1000); 0 = as fast as they are taken\n"
      "  --duration D         30s, 5m, 1h; without it until Ctrl-C\n"
      "  --seed S             the same seed makes the same traces (1)\n"
      "  --shape S            shop, wide, deep, sparse, orphans, skew\n"
      "  --spans N            one trace of N spans\n"
      "  --ships URL          the open shop ships too, as in the demo but without git histories, and tells "
      "the\n"
      "                       Takt at URL of it (http://127.0.0.1:3200)\n",
      run_load, false },
    { "trace", "ID [flags]", "Prints one trace.",
      "  --json               as OTLP/JSON\n"
      "  --server URL         of a server ($TAKT_SERVER, else http://127.0.0.1:3200)\n"
      "  --data DIR           straight from a data directory; takes no lock, writes nothing\n",
      run_trace, true },
    { "delete", "ID… | --everything [flags]", "Deletes traces for good.",
      "  --everything         all traces that there are\n"
      "  --server URL         of a server ($TAKT_SERVER, else http://127.0.0.1:3200)\n"
      "Returns when no question shows them any more and no restart brings them back. What a sender sends\n"
      "of them later is kept.\n",
      run_delete, true },
    { "query", "'TRACEQL' [flags]", "Searches traces, or draws metrics over them.",
      "  --since D            how far back: 15m, 1h (the default), 7d\n"
      "  --from T --to T      instead: from when to when, 2026-01-31T12:00:00Z or unix seconds\n"
      "  --limit N            traces (20), or series\n"
      "  --step D             of metrics: time between two samples\n"
      "  --json               the answer as it comes\n"
      "  --server URL         of a server ($TAKT_SERVER, else http://127.0.0.1:3200)\n"
      "  --data DIR           straight from a data directory; takes no lock, writes nothing\n"
      "A search prints a line per set of spans; metrics a plot per series, compare() a table. Times are\n"
      "UTC.\n",
      run_query, true },
    { "event", "KIND --FIELD VALUE …", "Sends an event of delivery: a deploy, an incident, …",
      "  KIND                 deploy, incident, change, review, run, task, test_run, artifact, canary,\n"
      "                       flag_change, verdict, alert, repository, pushed_commit\n"
      "  --id ID              the same id is the same thing: a later event says more about it\n"
      "  --key KEY            what another source told of, such as pagerduty:Q1, to say more about it\n"
      "  --FIELD VALUE        its fields, as docs/delivery.md lists them; a time may be \"now\"\n"
      "  --server URL         of a server ($TAKT_SERVER, else http://127.0.0.1:3200); $TAKT_TOKEN is the\n"
      "                       secret of its hook \"events\", when it has one\n"
      "  --data DIR           straight into a data directory that no server uses\n"
      "A deployment that just ended well:\n"
      "  takt event deploy --service shop --environment production --version v42 --commit SHA --state "
      "success\n",
      run_event, true },
    { "import git", "PATH [flags]", "Takes a repository's history, and its tags as deployments.",
      "  --service S          whose deployments the tags are\n"
      "  --env E              where (production)\n"
      "  --tags REGEX         which tags; the expression is searched in their names\n"
      "  --time created|name  when: as the tag was made (its commit, for a light tag), or as its name "
      "spells\n"
      "  --data DIR           into which data directory (./takt-data)\n"
      "  --server URL         to a server that runs, instead; with $TAKT_TOKEN where /events has a secret\n"
      "Without --tags it lists the patterns that tags follow. A second run takes only what is new.\n",
      run_import_git, true },
#define SCOPE_HELP SCOPE_HELP_OF("30d, 90d (the default), 365d")
#define SCOPE_HELP_OF(windows) \
    "  --service S          one service; all without it\n" \
    "  --environment E      one environment; all that are production without it\n" \
    "  --team T, --product P, --tier N   services of the catalogue, together\n" \
    "  --window D           how far back from now: " windows "\n" \
    "  --from T --to T      instead: 2026-01-31, 2026-01-31T12:00:00Z or unix seconds; without the end\n" \
    "  --calendar P         whole periods: day, week, month, quarter; the last one that is over, or those " \
    "that\n" \
    "                       --from, --to and --window touch\n" \
    "  --zone Z             whose days and dates are meant: Europe/Berlin (UTC)\n"
#define CHANGE_HELP "  --change K           another kind of change: config, schema, infrastructure, edge\n"
#define LEVELS_HELP "  --levels YEAR        the levels of a report: 2019, 2021, 2023, 2024\n"
#define HOW_HELP \
    "  --clock C            of lead times: author (the default) or committer\n" CHANGE_HELP \
    "  --flag-age D         how long a flag may stay unchanged: 30d (as the server has it, else 90d)\n" \
    "  --severity N         rollouts failed by incidents of severity N and worse (as the server has it, " \
    "else any)\n" \
    "  --with-rollbacks, --with-redeploys   count these as deployments too\n"
#define WHERE_HELP \
    "  --json               the answer as it comes\n" \
    "  --server URL         of a server ($TAKT_SERVER, else http://127.0.0.1:3200)\n" \
    "  --data DIR           straight from a data directory; takes no lock, writes nothing\n"
    { "dora", "[flags]", "DORA and other measures of delivery, with intervals and what was left out.",
      SCOPE_HELP HOW_HELP
      "  --set S              the measures as fourkeys, devlake-2021 or devlake-2023 has them\n" LEVELS_HELP
          WHERE_HELP,
      run_dora, true },
    { "deploys", "[flags]", "Rollouts, the newest first.",
      SCOPE_HELP CHANGE_HELP
      "  --limit N            rows\n" WHERE_HELP
      "With --service also: versions in traffic that nobody reported, rollouts that never served.\n",
      run_deploys, true },
    { "changed", "ROLLOUT [flags]",
      "What is different since what ran before a rollout: files by kind, configuration, flags.",
      "  ROLLOUT              its id, as `takt deploys --json` shows it, or the key of a deploy\n" WHERE_HELP,
      run_changed, true },
    { "why", "FIGURE [flags]", "A number of `takt dora`, its definition and every row behind it.",
      "  --then               as it was when the figure was printed: of the events that were there by then\n"
      "  --limit N            rows\n" WHERE_HELP,
      run_why, true },
    { "profile", "[flags]",
      "What holds the tempo back most, how mature each dimension is, which failure modes show.",
      SCOPE_HELP HOW_HELP WHERE_HELP, run_profile, true },
    { "report", "[flags]", "A week at a glance: each measure beside the week before, and what failed.",
      SCOPE_HELP_OF("7d (the default), 30d, 90d") HOW_HELP LEVELS_HELP
      "  --html               as a page of its own\n" WHERE_HELP,
      run_report, true },
    { "ready", "SERVICE [flags]", "Is a service ready for production? Answered from data.", WHERE_HELP,
      run_ready, true },
    { "incident", "ID [flags]", "What is known of an incident, and what to look at.",
      "  ID                   its key, or the end of it\n" WHERE_HELP, run_incident, true },
    { "impact", "ROLLOUT [flags]",
      "What a rollout, or a change of a flag, did to errors and latency, from its traces, and the verdict.",
      "  ROLLOUT              its id, as `takt deploys --json` shows it, or the key of a deploy; of a flag "
      "the\n"
      "                       key of a change, or its name, whose last change is meant\n"
      "  --fresh              computed now, not what was recorded\n" WHERE_HELP,
      run_impact, true },
    { "compare", "--service S --baseline V --candidate V --fail-if C [flags]",
      "Compares two versions from their traces, for a pipeline.",
      "  --fail-if C          'errors > +0.5 points', 'errors > +50 %', 'errors > 2 %', 'p99 > +10 %',\n"
      "                       'p95 > +20 ms', 'p50 > 300 ms'; several are allowed\n"
      "  --environment E      of one environment\n"
      "  --since D            how far back: 15m, 1h (the default)\n"
      "  --from T --to T      instead: from when to when, 2026-01-31T12:00:00Z or unix seconds\n" WHERE_HELP
      "Exits with 0 when every condition holds, 2 when one is broken, 4 when too little is known to say, 1 "
      "after\n"
      "an error.\n",
      run_compare, true },
    { "catalogue check", "FILE", "Says whether a catalogue of services is valid, and where it is not.", "",
      run_catalogue_check, false },
    { "catalogue", "[flags]", "Services, their teams, environments and repositories.", WHERE_HELP,
      run_catalogue, true },
    { "reprocess", "[flags]", "Makes all facts of delivery again from the events.",
      "  --server URL         of a server ($TAKT_SERVER, else http://127.0.0.1:3200)\n"
      "  --data DIR           in a data directory that no server uses\n",
      run_reprocess, true },
    { "backup", "FILE [--data DIR]",
      "Copies the facts of delivery into a new file, also while a server runs.", "", run_backup, false },
    { "config check", "[FILE] [flags]", "Says whether a configuration is valid, and where it is not.",
      CONFIG_FLAGS_HELP, run_config_check, false },
    { "config print", "[FILE] [flags]", "Prints every setting with its meaning and value.",
      "  --markdown           the reference in docs/config.md\n" CONFIG_FLAGS_HELP, run_config_print, false },
    { "block stat", "[DIR] [--json]", "Bytes of every column of all blocks in a data directory.", "",
      run_block_stat, false },
};
const unsigned n_commands = sizeof commands / sizeof *commands;

static void print_usage(FILE *to) {
    (void)fprintf(to, "usage: takt COMMAND [flags]\n\nA tracing backend: OTLP in, open Parquet on disk, "
                      "Tempo's API out.\n\n");
    for (unsigned i = 0; i < n_commands; i++)
        (void)fprintf(to, "  %-16s %s\n", commands[i].name, commands[i].about);
    (void)fprintf(to, "\ntakt COMMAND --help tells more. The shortest way to see something: takt demo\n");
}

static bool is_in_group(const struct command *c, const char *word) {
    struct str first, second;
    return str_cut(str_of(c->name), ' ', &first, &second) && str_eq(first, str_of(word));
}

// The commands whose first word it is, as "config"; false: there are none.
static bool print_group(FILE *to, const char *word) {
    bool any = false;
    for (unsigned i = 0; i < n_commands; i++) {
        if (!is_in_group(&commands[i], word)) continue;
        if (!any) (void)fprintf(to, "usage: takt %s COMMAND [flags]\n\n", word);
        (void)fprintf(to, "  %-16s %s\n", commands[i].name, commands[i].about);
        any = true;
    }
    return any;
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

// Takes --ca FILE out of the words of a command that asks a server. false: there is no FILE.
static bool take_ca(const struct command *c, int *argc, char **argv) {
    int n = 0;
    for (int i = 0; i < *argc; i++) {
        bool alone = strcmp(argv[i], "--ca") == 0, joined = strncmp(argv[i], "--ca=", 5) == 0;
        if (alone && i + 1 == *argc) {
            (void)usage_error(c->name, "--ca needs a value");
            return false;
        }
        if (alone || joined)
            trust_ca(alone ? argv[++i] : argv[i] + 5);
        else
            argv[n++] = argv[i];
    }
    *argc = n;
    return true;
}

static int run(int argc, char **argv) {
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
    if (!c && (argc == 2 || wants_help(argc - 2, argv + 2)) &&
        print_group(argc == 2 ? stderr : stdout, argv[1]))
        return argc == 2 ? EXIT_USAGE : EXIT_DONE;
    if (!c) {
        (void)fprintf(stderr, "takt: there is no command \"%s\"\n\n", argv[1]);
        print_usage(stderr);
        return EXIT_USAGE;
    }
    if (wants_help(argc - 1 - words, argv + 1 + words)) {
        print_help(c);
        return EXIT_DONE;
    }
    int n = argc - 1 - words;
    if (c->asks && !take_ca(c, &n, argv + 1 + words)) return EXIT_USAGE;
    return c->run(n, argv + 1 + words);
}

// An answer that did not get out whole, to a full disk say, is no success.
int main(int argc, char **argv) {
    int result = run(argc, argv);
    if (fflush(stdout) == 0 && !ferror(stdout)) return result;
    (void)fprintf(stderr, "takt: the output could not be written\n");
    return result == EXIT_DONE ? EXIT_FAILED : result;
}
