// SPDX-License-Identifier: Apache-2.0
#include "app/question.h"

#include <stdio.h>

#include "api/known.h"
#include "app/app.h"
#include "app/reading.h"

// --- what is asked -----------------------------------------------------------------------------------------

// The flag of the question with that name; NULL: it has none.
static const struct question_flag *flag_of(const struct question *q, const char *name) {
    for (const struct question_flag *f = q->flags; f && f->flag; f++)
        if (strcmp(name, f->flag) == 0) return f;
    return NULL;
}

// 1: taken, 0: not one of these, -1: wrong.
static int take_flag(struct question *q, struct args *a, const char *flag) {
    const struct question_flag *own = flag_of(q, flag);
    bool json = strcmp(flag, "--json") == 0, html = q->page && strcmp(flag, "--html") == 0;
    bool server = strcmp(flag, "--server") == 0, data = strcmp(flag, "--data") == 0;
    q->json |= json;
    q->html |= html;
    if (json || html) return 1;
    if (!own && !server && !data) return 0;
    if (own && own->is_switch) {
        params_add(&q->params, str_of(own->param), STR("true"));
        return 1;
    }
    const char *v = args_value(a, flag);
    if (!v) return -1;
    if (own) {
        params_add(&q->params, str_of(own->param), str_of(v));
        q->windowed |= strcmp(own->param, "window") == 0 || strcmp(own->param, "from") == 0 ||
                       strcmp(own->param, "calendar") == 0;
    } else
        *(server ? &q->server : &q->dir) = v;
    return 1;
}

static int read_flags(struct question *q, int argc, char **argv) {
    struct args a = { q->command, argc, argv, 0, NULL };
    while (a.at < a.argc) {
        const char *flag = args_flag(&a);
        int taken = flag ? take_flag(q, &a, flag) : 0;
        if (taken < 0) return EXIT_USAGE;
        if (taken > 0) continue;
        if (flag) return usage_error(q->command, "unknown flag %s", flag);
        if (!q->word || q->named) return usage_error(q->command, "\"%s\" is one word too many", a.argv[a.at]);
        params_add(&q->params, str_of(q->word), str_of(a.argv[a.at++]));
        q->named = true;
    }
    if (q->window && !q->windowed) params_add(&q->params, STR("window"), str_of(q->window));
    return q->word && !q->named ? usage_error(q->command, "%s", q->missing) : EXIT_DONE;
}

// --- who answers -------------------------------------------------------------------------------------------

static int ask_directory(const struct question *q, struct buf *json) {
    struct err_ctx ctx = { 0 };
    struct json_writer w = json_writer_on(json);
    struct arena a;
    arena_init(&a, SIZE_MAX, NULL);
    struct params p = { buf_view(&q->params), &a };
    enum err e = known_check(str_of(q->path), &p, &ctx);
    if (e == ERR_OK) e = q->of_dir(q, &w, &ctx);
    arena_fini(&a);
    return e == ERR_OK ? EXIT_DONE : failed(q->command, "%s", ctx.text[0] ? ctx.text : err_text(e));
}

int question_ask(const struct question *q, struct buf *json) {
    struct buf path;
    buf_init(json, SIZE_MAX);
    if (q->dir) return ask_directory(q, json);
    buf_init(&path, 2 << 20);
    buf_fmt(&path, "/api/takt/%s?", q->path);
    buf_str(&path, buf_view(&q->params));
    buf_char(&path, '\0');
    int result = ask_server(q->command, q->server, path.ptr, json);
    buf_fini(&path);
    return result;
}

// --- how it is printed -------------------------------------------------------------------------------------

static int print(const struct question *q, const struct buf *json) {
    struct arena a;
    struct buf out;
    const struct doc_node *answer;
    arena_init(&a, SIZE_MAX, NULL);
    buf_init(&out, SIZE_MAX);
    enum err e = node_parse(&a, buf_view(json), &answer);
    int result = e == ERR_OK && q->exit_of ? q->exit_of(answer) : EXIT_DONE;
    if (e == ERR_OK && q->json)
        printf("%.*s\n", STR_ARG(buf_view(json)));
    else if (e == ERR_OK)
        e = q->html ? q->page(&a, answer, &out) : q->people(&a, answer, &out);
    (void)fwrite(out.ptr, 1, out.len, stdout);
    buf_fini(&out);
    arena_fini(&a);
    return e == ERR_OK ? result : failed(q->command, "the answer cannot be shown: %s", err_text(e));
}

int question_run(struct question q, int argc, char **argv) {
    struct buf json;
    q.server = default_server();
    buf_init(&q.params, 1 << 20);
    buf_init(&json, SIZE_MAX);
    int result = read_flags(&q, argc, argv);
    if (result == EXIT_USAGE && q.usage_exit) result = q.usage_exit;
    if (result == EXIT_DONE) result = question_ask(&q, &json);
    if (result == EXIT_DONE) {
        result = print(&q, &json);
        if (q.after && !q.json) q.after(&q);
    }
    buf_fini(&json);
    buf_fini(&q.params);
    return result;
}
