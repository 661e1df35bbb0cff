// SPDX-License-Identifier: Apache-2.0
// takt delete: takes traces away for good, at a server.
#include <stdio.h>

#include "api/print.h"
#include "app/node.h"
#include "app/reading.h"

#define ANSWER_MEMORY (1ull << 20)

// what: an id, or what is said of everything.
static int delete_path(const char *server, const char *path, const char *what) {
    struct arena a;
    struct buf body;
    const struct doc_node *answer;
    int code = delete_at_server("delete", server, path, &body);
    arena_init(&a, ANSWER_MEMORY, NULL);
    if (code == EXIT_DONE && node_parse(&a, buf_view(&body), &answer) == ERR_OK)
        printf("%s: %llu spans deleted\n", what, (unsigned long long)node_u64(answer, "deletedSpans"));
    arena_fini(&a);
    buf_fini(&body);
    return code;
}

// All of them are tried; one that fails does not keep the others.
static int delete_each(const char *server, int n, char **ids) {
    int code = EXIT_DONE;
    for (int i = 0; i < n; i++) {
        char path[96];
        (void)snprintf(path, sizeof path, "/api/takt/traces/%s", ids[i]);
        int one = delete_path(server, path, ids[i]);
        if (one != EXIT_DONE) {
            (void)fprintf(stderr, "takt delete: %s was not deleted\n", ids[i]);
            code = one;
        }
    }
    return code;
}

int run_delete(int argc, char **argv) {
    struct args a = { "delete", argc, argv, 0, NULL };
    const char *server = default_server();
    bool everything = false;
    int n = 0; // of the ids, which move to the front
    while (a.at < argc) {
        uint8_t bytes[16];
        const char *flag = args_flag(&a);
        if (!flag && !print_parse_trace_id(str_of(argv[a.at]), bytes))
            return usage_error("delete", "\"%s\" is not a trace id: up to 32 hexadecimal digits are expected",
                               argv[a.at]);
        if (!flag)
            argv[n++] = argv[a.at++];
        else if (strcmp(flag, "--everything") == 0)
            everything = true;
        else if (strcmp(flag, "--server") == 0)
            server = args_value(&a, flag);
        else
            return usage_error("delete", "unknown flag %s", flag);
        if (!server) return EXIT_USAGE;
    }
    if (everything == (n > 0)) return usage_error("delete", "give trace ids, or --everything");
    return everything ? delete_path(server, "/api/takt/traces?everything=yes", "all traces")
                      : delete_each(server, n, argv);
}
