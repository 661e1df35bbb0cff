// SPDX-License-Identifier: Apache-2.0
#include "app/upload.h"

#include <stdio.h>
#include <stdlib.h>

#include "api/params.h"
#include "app/plot.h"
#include "app/reading.h"
#include "base/document.h"
#include "delivery/git_wire.h"
#include "vcs/sha.h"

#define BODY_MAX (16u << 20)
#define PAGE_MEMORY_MAX (64ull << 20)
enum { EVENTS_SENT_MAX = 500, DEPTH_MAX = 16 };

// What the server has of the repository, by sha; asked for when the first commit is met.
struct known {
    struct upload *upload;
    bool asked;
    int result;
    struct buf shas; // 20 bytes each, ascending
};

static int by_sha(const void *a, const void *b) {
    return memcmp(a, b, SHA_BYTES);
}

static int take_page(struct known *k, struct str json, char next[SHA_HEX + 1]) {
    struct arena a;
    struct document d;
    struct err_ctx ctx = { 0 };
    arena_init(&a, PAGE_MEMORY_MAX, NULL);
    enum err e = document_read(json, DEPTH_MAX, &a, &d, &ctx);
    struct doc root = e == ERR_OK ? doc_root(&d) : (struct doc){ 0 };
    for (struct doc c = e == ERR_OK ? doc_first(doc_array(root, "commits")) : (struct doc){ 0 }; c.node;
         c = doc_next(c)) {
        uint8_t sha[SHA_BYTES];
        if (hex_decode(c.node->text, sha, SHA_BYTES)) buf_add(&k->shas, sha, SHA_BYTES);
    }
    struct str more = e == ERR_OK ? doc_text(root, "next") : STR("");
    (void)snprintf(next, SHA_HEX + 1, "%.*s", STR_ARG(more));
    if (e == ERR_OK) e = document_end(&d);
    if (k->shas.failed) e = ERR_NOMEM;
    arena_fini(&a);
    return e == ERR_OK ? EXIT_DONE
                       : failed("import git", "the server's answer cannot be read: %s", err_text(e));
}

static int ask_known(struct known *k, struct str identity) {
    char next[SHA_HEX + 1] = "";
    int result = EXIT_DONE;
    do {
        struct buf path, body;
        buf_init(&path, 64 << 10);
        buf_str(&path, STR("/api/takt/delivery/history"));
        struct buf query;
        buf_init(&query, 64 << 10);
        params_add(&query, STR("repository"), identity);
        if (next[0]) params_add(&query, STR("after"), str_of(next));
        buf_fmt(&path, "?%.*s", STR_ARG(buf_view(&query)));
        buf_char(&path, '\0');
        result = ask_server("import git", k->upload->server, path.ptr, &body);
        if (result == EXIT_DONE) result = take_page(k, buf_view(&body), next);
        buf_fini(&body);
        buf_fini(&query);
        buf_fini(&path);
    } while (result == EXIT_DONE && next[0]);
    return result;
}

static bool is_known(void *ctx, struct str identity, const uint8_t sha[20]) {
    struct known *k = ctx;
    if (!k->asked) k->result = ask_known(k, identity);
    k->asked = true;
    size_t n = k->shas.len / SHA_BYTES;
    return n && bsearch(sha, k->shas.ptr, n, SHA_BYTES, by_sha) != NULL;
}

// A number of the server's answer.
static int take_count(struct str json, const char *name, int64_t *out) {
    struct arena a;
    struct document d;
    struct err_ctx ctx = { 0 };
    arena_init(&a, 1 << 20, NULL);
    enum err e = document_read(json, DEPTH_MAX, &a, &d, &ctx);
    bool good = e == ERR_OK && doc_i64(doc_root(&d), name, out);
    arena_fini(&a);
    return good ? EXIT_DONE : failed("import git", "the server's answer has no \"%s\"", name);
}

static int send_commits(struct upload *u) {
    int result = EXIT_DONE;
    struct buf body;
    buf_init(&body, BODY_MAX);
    for (uint32_t i = 0; i < u->batch->n && result == EXIT_DONE;) {
        struct buf answer;
        int64_t kept = 0;
        buf_reset(&body);
        i = git_put_commits(&body, u->batch, i);
        if (body.failed) {
            result = failed("import git", "out of memory");
            break;
        }
        result = tell_server("import git", u->server, "/api/takt/delivery/history", "application/json",
                             buf_view(&body), &answer);
        if (result == EXIT_DONE) result = take_count(buf_view(&answer), "new", &kept);
        buf_fini(&answer);
        u->commits += (uint64_t)kept;
    }
    buf_fini(&body);
    return result;
}

static int send_rollouts(struct upload *u) {
    int result = EXIT_DONE;
    struct buf body;
    buf_init(&body, BODY_MAX);
    for (uint32_t i = 0; i < u->batch->n_rollouts && result == EXIT_DONE; i += EVENTS_SENT_MAX) {
        uint32_t left = u->batch->n_rollouts - i, to = i + (left < EVENTS_SENT_MAX ? left : EVENTS_SENT_MAX);
        struct json_writer w = json_writer_on(&body);
        struct buf answer;
        int64_t events = 0, again = 0;
        buf_reset(&body);
        git_put_rollouts(&w, u->arena, u->ask, u->batch, i, to);
        if (body.failed || u->arena->failed) {
            result = failed("import git", "out of memory");
            break;
        }
        result = tell_server("import git", u->server, "/events", "application/cloudevents-batch+json",
                             buf_view(&body), &answer);
        if (result == EXIT_DONE) result = take_count(buf_view(&answer), "events", &events);
        if (result == EXIT_DONE) result = take_count(buf_view(&answer), "known_before", &again);
        buf_fini(&answer);
        u->rollouts += (uint64_t)(events - again);
    }
    buf_fini(&body);
    return result;
}

int upload_history(struct upload *u) {
    struct known k = { .upload = u, .result = EXIT_DONE };
    struct err_ctx ctx = { 0 };
    buf_init(&k.shas, (size_t)SHA_BYTES * (8u << 20));
    u->ask->known = is_known;
    u->ask->ctx = &k;
    enum err e = git_read(u->arena, u->ask, u->batch, &ctx);
    buf_fini(&k.shas);
    if (k.result != EXIT_DONE) return k.result;
    if (e != ERR_OK) return failed("import git", "%s", ctx.text[0] ? ctx.text : err_text(e));
    int result = send_commits(u);
    return result == EXIT_DONE ? send_rollouts(u) : result;
}
