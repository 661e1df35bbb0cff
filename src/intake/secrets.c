// SPDX-License-Identifier: Apache-2.0
#include "intake/secrets.h"

#include <openssl/crypto.h>
#include <stdio.h>

struct source {
    struct str name;
    struct intake_secret secrets[SECRETS_PER_SOURCE];
    unsigned n;
    char *text;
    size_t len;
};
enum { SOURCES_MAX = 64 };
struct secrets {
    struct source sources[SOURCES_MAX];
    unsigned n;
    struct disk *disk;
    struct str dir;
    struct err_ctx *ctx;
};

void secrets_free(struct secrets *s) {
    if (!s) return;
    for (unsigned i = 0; i < s->n; i++) {
        if (s->sources[i].text) OPENSSL_cleanse(s->sources[i].text, s->sources[i].len);
        mem_free(s->sources[i].text);
    }
    mem_free(s);
}

static enum err take_lines(struct source *s, struct err_ctx *ctx) {
    struct str rest = { s->text, s->len }, line;
    while (rest.len) {
        (void)str_cut(rest, '\n', &line, &rest);
        line = str_trim(line);
        if (line.len && line.ptr[line.len - 1] == '\r') line.len--;
        if (!line.len) continue;
        if (s->n == SECRETS_PER_SOURCE)
            return err_set(ctx, ERR_INVALID, "more than %d secrets of the hook \"%.*s\"", SECRETS_PER_SOURCE,
                           STR_ARG(s->name));
        s->secrets[s->n++] = (struct intake_secret){ line };
    }
    return s->n ? ERR_OK
                : err_set(ctx, ERR_INVALID, "the file of secrets of the hook \"%.*s\" is empty",
                          STR_ARG(s->name));
}

static enum err read_file(struct secrets *s, const char *path, struct source *to) {
    const struct disk_ops *ops = s->disk->ops;
    struct disk_stat st;
    struct disk_file *f;
    TRY(ops->stat(s->disk, path, &st));
    if (st.size_bytes > SECRET_FILE_MAX)
        return err_set(s->ctx, ERR_INVALID, "%s is longer than %d bytes", path, SECRET_FILE_MAX);
    to->text = mem_alloc(st.size_bytes + 1);
    if (!to->text) return ERR_NOMEM;
    TRY(ops->open(s->disk, path, DISK_READ, &f));
    enum err e = ops->read(f, 0, to->text, st.size_bytes, &to->len);
    ops->close(f);
    return e;
}

static const char *known_source(const char *name) {
    for (unsigned i = 0; i < n_intake_sources; i++)
        if (strcmp(intake_sources[i], name) == 0) return intake_sources[i];
    return NULL;
}

static enum err take_file(void *ctx, const char *name, bool is_dir) {
    struct secrets *s = ctx;
    char path[DISK_PATH_MAX];
    if (is_dir || name[0] == '.') return ERR_OK; // also the links by which secrets are mounted
    const char *source = known_source(name);
    if (!source)
        return err_set(s->ctx, ERR_INVALID,
                       "%.*s/%s belongs to no hook; files are named like their source: github, gitlab, …",
                       STR_ARG(s->dir), name);
    if (s->n == SOURCES_MAX) return ERR_LIMIT;
    struct source *to = &s->sources[s->n++];
    to->name = str_of(source);
    (void)snprintf(path, sizeof path, "%.*s/%s", STR_ARG(s->dir), name);
    enum err e = read_file(s, path, to);
    if (e != ERR_OK) return err_set(s->ctx, e, "%s cannot be read: %s", path, err_text(e));
    return take_lines(to, s->ctx);
}

enum err secrets_read(struct disk *d, struct str dir, struct secrets **out, struct err_ctx *ctx) {
    char path[DISK_PATH_MAX];
    *out = mem_zalloc(sizeof **out);
    if (!*out) return ERR_NOMEM;
    if (!dir.len) return ERR_OK;
    (*out)->disk = d;
    (*out)->dir = dir;
    (*out)->ctx = ctx;
    (void)snprintf(path, sizeof path, "%.*s", STR_ARG(dir));
    enum err e = d->ops->list(d, path, *out, take_file);
    if (e != ERR_OK) {
        (void)err_set(ctx, e, "the secrets of hooks in %s cannot be read: %s", path, err_text(e));
        secrets_free(TAKE(*out));
    }
    return e;
}

unsigned secrets_of(const struct secrets *s, struct str source, const struct intake_secret **out) {
    for (unsigned i = 0; s && i < s->n; i++)
        if (str_eq(s->sources[i].name, source)) {
            *out = s->sources[i].secrets;
            return s->sources[i].n;
        }
    *out = NULL;
    return 0;
}
