// SPDX-License-Identifier: Apache-2.0
// A question on the command line: its flags, who is asked (a server, or a data directory), and how the
// answer is printed. Both give the same JSON. thread: main.
#pragma once

#include "app/node.h"
#include "base/json.h"

struct question_flag {
    const char *flag, *param;
    bool is_switch; // takes no value: the parameter is "true"
};
typedef enum err question_print(struct arena *a, const struct doc_node *answer, struct buf *out);

struct question {
    const char *command;
    const char *path;                  // below /api/takt/
    const struct question_flag *flags; // the last one has no name; NULL: only those that all have
    const char *word, *missing; // the parameter that the one word is, and what is said without it; NULL: none
    const char *window;         // of time, unless one is said in any way; NULL: as the server has it
    int what;                   // for of_dir
    enum err (*of_dir)(const struct question *q, struct json_writer *w, struct err_ctx *ctx);
    question_print *people, *page;                 // page: for --html; NULL: there is none
    int (*exit_of)(const struct doc_node *answer); // NULL: EXIT_DONE
    int usage_exit;                                // of a wrong command line; 0: EXIT_USAGE
    void (*after)(const struct question *q);       // prints more, for people; NULL: nothing
    // As the command line said it.
    const char *server, *dir;
    struct buf params;
    bool json, html, named, windowed;
};
int question_run(struct question q, int argc, char **argv); // an exit code
// The answer, from whoever is to be asked. The JSON is the caller's to free, whatever comes back.
int question_ask(const struct question *q, struct buf *json);
