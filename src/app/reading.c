// SPDX-License-Identifier: Apache-2.0
#include "app/reading.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

#include "http/client.h"

enum { ANSWER_MAX = 1 << 30, ASK_TIMEOUT_MS = 60000, TELL_TIMEOUT_MS = 600000 };

void reading_close(struct reading *r) {
    ingest_close(r->ingest);
    if (r->store) r->store->ops->close(r->store);
}

enum err reading_open(struct reading *r, const char *dir, struct err_ctx *ctx) {
    struct ingest_replay replay;
    struct disk_stat st;
    struct disk *d = disk_real();
    static const char *const own[] = { "wal", "blocks", "catalog", "facts.db" };
    bool is_ours = false;
    char path[PATH_MAX];
    *r = (struct reading){ .store = NULL };
    if (d->ops->stat(d, dir, &st) != ERR_OK || !st.is_dir)
        return err_set(ctx, ERR_NOT_FOUND, "there is no directory %s", dir);
    for (size_t i = 0; i < sizeof own / sizeof *own && !is_ours; i++) {
        (void)snprintf(path, sizeof path, "%s/%s", dir, own[i]);
        is_ours = d->ops->stat(d, path, &st) == ERR_OK;
    }
    if (!is_ours)
        return err_set(ctx, ERR_NOT_FOUND,
                       "%s is no data directory of takt: it holds neither a log nor blocks", dir);
    TRY(object_file_open(d, dir, &r->store));
    (void)snprintf(r->wal_dir, sizeof r->wal_dir, "%s/wal", dir);
    struct ingest_opts o = { .disk = d,
                             .clock = clock_real(),
                             .store = r->store,
                             .wal_dir = r->wal_dir,
                             .tenant = STR("single-tenant"),
                             .version = STR(TAKT_VERSION),
                             .read_only = true,
                             .cut_spans = UINT32_MAX,
                             .cut_bytes = UINT64_MAX / 4 };
    return ingest_open(&o, &r->ingest, &replay, ctx);
}

const char *default_server(void) {
    const char *server = getenv("TAKT_SERVER");
    return server && *server ? server : "http://127.0.0.1:3200";
}

static const char *ca_file; // of --ca

void trust_ca(const char *file) {
    ca_file = file;
}

static const char *trusted_ca(void) {
    const char *file = getenv("TAKT_CA");
    return ca_file ? ca_file : file && *file ? file : NULL;
}

static int talk(const char *command, const char *server, const char *path, struct http_ask *ask,
                struct buf *body) {
    struct http_answer answer;
    struct err_ctx ctx = { 0 };
    struct buf url;
    ask->ca_file = trusted_ca();
    buf_init(body, ANSWER_MAX);
    buf_init(&url, 1 << 20);
    buf_fmt(&url, "%s%s", server, path);
    buf_char(&url, '\0');
    enum err e = url.failed ? err_set(&ctx, ERR_LIMIT, "the question is too long")
                            : http_request(url.ptr, ask, &answer, &ctx);
    buf_fini(&url);
    if (e == ERR_UNSUPPORTED)
        return failed(command, "%s\nA data directory is read without it: --data DIR.", ctx.text);
    if (e == ERR_CORRUPT)
        return failed(
            command,
            "%s\nIf a private authority signed its certificate, name that with --ca FILE, or in $TAKT_CA.",
            ctx.text);
    if (e == ERR_INVALID) return failed(command, "%s", ctx.text);
    if (e != ERR_OK)
        return failed(command,
                      "%s\nIs the server running? Give its address with --server URL, or a data directory "
                      "with --data DIR.",
                      ctx.text);
    *body = answer.body;
    if (answer.status >= 200 && answer.status < 300) return EXIT_DONE;
    return failed_with(command, buf_view(body));
}

int ask_server(const char *command, const char *server, const char *path, struct buf *body) {
    return talk(command, server, path,
                &(struct http_ask){ .timeout_ms = ASK_TIMEOUT_MS, .max_bytes = ANSWER_MAX }, body);
}

int delete_at_server(const char *command, const char *server, const char *path, struct buf *body) {
    return talk(
        command, server, path,
        &(struct http_ask){ .method = "DELETE", .timeout_ms = TELL_TIMEOUT_MS, .max_bytes = ANSWER_MAX },
        body);
}

int tell_server(const char *command, const char *server, const char *path, const char *content_type,
                struct str post, struct buf *body) {
    const char *token = getenv("TAKT_TOKEN");
    return talk(command, server, path,
                &(struct http_ask){ .content_type = content_type,
                                    .bearer = token && *token ? token : NULL,
                                    .post = &post,
                                    .timeout_ms = TELL_TIMEOUT_MS,
                                    .max_bytes = ANSWER_MAX },
                body);
}
