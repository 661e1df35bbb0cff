// SPDX-License-Identifier: Apache-2.0
#include "object/object_walk.h"

#include <stdio.h>
#include <stdlib.h>

enum { FOLDER_BYTES_MAX = 1 << 30 }; // names of one folder

struct walk {
    struct disk *disk;
    const char *dir;
    enum object_walk what;
    struct str prefix, after;
    void *ctx;
    enum err (*each)(void *ctx, struct str key, uint64_t size_bytes);
    char key[OBJECT_KEY_MAX + 2]; // where the walk stands; a folder ends in '/'
    char path[DISK_PATH_MAX];
};

// The names of a folder, those of folders with a '/' at the end: in that form their order is the
// order of the keys ("a-b" comes before "a/b", though "a" comes before "a-b").
struct names {
    struct arena arena;
    struct buf all; // of struct str
};

static enum err add_name(void *ctx, const char *name, bool is_dir) {
    struct names *n = ctx;
    size_t len = strlen(name);
    char *copy = arena_alloc(&n->arena, len + 1);
    if (!copy) return ERR_NOMEM;
    memcpy(copy, name, len);
    if (is_dir) copy[len++] = '/';
    struct str s = { copy, len };
    buf_add(&n->all, &s, sizeof s);
    return n->all.failed ? ERR_NOMEM : ERR_OK;
}

static int compare(const void *a, const void *b) {
    return str_cmp(*(const struct str *)a, *(const struct str *)b);
}

static const char *path_of(struct walk *w, struct str key) {
    int n = snprintf(w->path, sizeof w->path, "%s/%.*s", w->dir, STR_ARG(key));
    ASSERT(n > 0 && (size_t)n < sizeof w->path); // object_file_open left room for any key
    return w->path;
}

static bool is_wanted_folder(const struct walk *w, struct str folder) {
    bool on_the_way = str_starts(folder, w->prefix) || str_starts(w->prefix, folder);
    // All keys in it begin with `folder`: they come before `after` when that already is less.
    return on_the_way && str_cmp(folder, str_sub(w->after, 0, folder.len)) >= 0;
}

static bool is_wanted_file(const struct walk *w, struct str key, struct str name) {
    if (w->what == OBJECT_WALK_TEMP) return name.ptr[0] == '~';
    return object_key_ok(key) && str_starts(key, w->prefix) &&
           (w->after.len == 0 || str_cmp(key, w->after) > 0);
}

static enum err visit(struct walk *w, size_t len);

static enum err visit_entry(struct walk *w, size_t len, struct str name) {
    if (name.len > OBJECT_KEY_MAX - len) return ERR_OK; // none of ours
    memcpy(w->key + len, name.ptr, name.len);
    struct str key = { w->key, len + name.len };
    if (str_ends(name, STR("/"))) return is_wanted_folder(w, key) ? visit(w, key.len) : ERR_OK;
    if (!is_wanted_file(w, key, name)) return ERR_OK;
    struct disk_stat st;
    enum err e = w->disk->ops->stat(w->disk, path_of(w, key), &st);
    if (e == ERR_NOT_FOUND) return ERR_OK;
    return e == ERR_OK ? w->each(w->ctx, key, st.size_bytes) : e;
}

// Visits the folder that the first len bytes of w->key name.
static enum err visit(struct walk *w, size_t len) {
    struct names n;
    arena_init(&n.arena, FOLDER_BYTES_MAX, NULL);
    buf_init(&n.all, FOLDER_BYTES_MAX);
    enum err e = w->disk->ops->list(w->disk, path_of(w, (struct str){ w->key, len }), &n, add_name);
    if (e == ERR_NOT_FOUND) e = ERR_OK;
    struct str *all = (struct str *)(void *)n.all.ptr;
    size_t count = n.all.len / sizeof *all;
    if (e == ERR_OK && count) qsort(all, count, sizeof *all, compare);
    for (size_t i = 0; e == ERR_OK && i < count; i++) e = visit_entry(w, len, all[i]);
    buf_fini(&n.all);
    arena_fini(&n.arena);
    return e;
}

enum err object_walk(struct disk *d, const char *dir, enum object_walk what, struct str prefix,
                     struct str after, void *ctx,
                     enum err (*each)(void *ctx, struct str key, uint64_t size_bytes)) {
    struct walk w = {
        .disk = d, .dir = dir, .what = what, .prefix = prefix, .after = after, .ctx = ctx, .each = each
    };
    size_t len = prefix.len; // the folder that holds all keys of the prefix
    while (len && prefix.ptr[len - 1] != '/') len--;
    if (len) memcpy(w.key, prefix.ptr, len);
    return visit(&w, len);
}
