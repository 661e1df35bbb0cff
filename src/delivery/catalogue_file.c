// SPDX-License-Identifier: Apache-2.0
#include "delivery/catalogue_file.h"

#include "base/yaml.h"

#define MEMORY_MAX (256ull << 20)

static enum err read_text(struct disk *k, const char *path, struct buf *out) {
    struct disk_file *f;
    size_t n = 0;
    TRY(k->ops->open(k, path, DISK_READ, &f));
    enum err e = buf_reserve(out, YAML_BYTES_MAX + 1) ? ERR_OK : ERR_NOMEM;
    if (e == ERR_OK) e = k->ops->read(f, 0, out->ptr, YAML_BYTES_MAX + 1, &n);
    k->ops->close(f);
    out->len = n;
    return e;
}

enum err catalogue_file_read(struct disk *k, const char *path, struct arena *a, struct catalogue *out,
                             struct err_ctx *ctx) {
    struct buf text;
    buf_init(&text, YAML_BYTES_MAX + 1);
    enum err e = read_text(k, path, &text);
    if (e != ERR_OK)
        e = err_set(ctx, e, "the catalogue %s cannot be read: %s", path, err_text(e));
    else
        e = catalogue_read_yaml(buf_view(&text), path, a, out, ctx);
    buf_fini(&text);
    return e;
}

struct keeping {
    const struct catalogue *catalogue;
    struct str file, problem;
    struct err_ctx *ctx;
};
static enum err keep(struct db *db, void *ctx) {
    struct keeping *k = ctx;
    return catalogue_keep(db, k->catalogue, k->file, k->ctx);
}
static enum err release(struct db *db, void *ctx) {
    (void)ctx;
    return catalogue_release(db);
}
static enum err note(struct db *db, void *ctx) {
    struct keeping *k = ctx;
    return catalogue_note_problem(db, k->problem);
}

enum err catalogue_file_load(struct delivery *d, struct disk *k, const char *path, struct err_ctx *ctx) {
    struct arena a;
    struct catalogue c;
    if (!*path) return delivery_write(d, release, NULL);
    arena_init(&a, MEMORY_MAX, NULL);
    struct keeping job = { &c, str_of(path), STR(""), ctx };
    enum err e = catalogue_file_read(k, path, &a, &c, ctx);
    if (e == ERR_OK) {
        e = delivery_write(d, keep, &job);
    } else {
        job.problem = str_of(ctx->text);
        enum err noted = delivery_write(d, note, &job);
        if (noted != ERR_OK) e = noted;
    }
    arena_fini(&a);
    return e;
}
