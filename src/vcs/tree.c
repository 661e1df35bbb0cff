// SPDX-License-Identifier: Apache-2.0
#include "vcs/tree_internal.h"

struct differ {
    struct repo *repo;
    void *ctx;
    enum err (*each)(void *ctx, const struct tree_change *c);
    struct buf path;
    uint32_t n_visits, depth;
    size_t n_bytes;
};

// The entries of a tree object, one after the other: "MODE NAME\0" and 20 bytes of sha.
struct entry {
    struct str name;
    struct tree_side side; // mode 0: no more entries
};

static bool next_entry(struct str *tree, struct entry *out) {
    struct entry e = { 0 };
    struct str mode, rest;
    *out = e;
    if (tree->len == 0) return true;
    if (!str_cut(*tree, ' ', &mode, &rest) || mode.len == 0 || mode.len > 6) return false;
    for (size_t i = 0; i < mode.len; i++) {
        if (mode.ptr[i] < '0' || mode.ptr[i] > '7') return false;
        e.side.mode = e.side.mode << 3 | (uint32_t)(mode.ptr[i] - '0');
    }
    if (!str_cut(rest, '\0', &e.name, &rest) || e.name.len == 0 || rest.len < SHA_BYTES) return false;
    if (e.side.mode == 0 || str_find(e.name, '/') >= 0) return false;
    memcpy(e.side.id.byte, rest.ptr, SHA_BYTES);
    *tree = str_sub(rest, SHA_BYTES, rest.len);
    *out = e;
    return true;
}

static bool is_dir(const struct tree_side *s) {
    return (s->mode & MODE_TYPE) == MODE_DIR;
}

// Git's order: a folder sorts as if its name ended with a slash. What is at its end comes last.
static int compare(const struct entry *a, const struct entry *b) {
    if (!a->side.mode || !b->side.mode) return !a->side.mode - !b->side.mode;
    size_t n = a->name.len < b->name.len ? a->name.len : b->name.len;
    int c = memcmp(a->name.ptr, b->name.ptr, n);
    if (c) return c;
    int next_a = a->name.len > n ? (unsigned char)a->name.ptr[n] : is_dir(&a->side) ? '/' : 0;
    int next_b = b->name.len > n ? (unsigned char)b->name.ptr[n] : is_dir(&b->side) ? '/' : 0;
    return next_a - next_b;
}

static enum err diff_trees(struct differ *d, const struct tree_side *old, const struct tree_side *new);

static enum err tell(struct differ *d, const struct tree_side *old, const struct tree_side *new) {
    struct tree_change c = { buf_view(&d->path), *old, *new };
    return d->each(d->ctx, &c);
}

// One name, on one side or both (mode 0: not there); with both, both are folders or neither is.
static enum err diff_sides(struct differ *d, const struct tree_side *old, const struct tree_side *new) {
    static const struct tree_side none;
    if (old->mode == new->mode && sha_eq(&old->id, &new->id)) return ERR_OK;
    if (is_dir(old) || is_dir(new)) return diff_trees(d, old, new);
    if (old->mode && new->mode && (old->mode & MODE_TYPE) != (new->mode &MODE_TYPE)) {
        TRY(tell(d, old, &none));
        return tell(d, &none, new);
    }
    return tell(d, old, new);
}

static enum err diff_entries(struct differ *d, struct str name, const struct tree_side *old,
                             const struct tree_side *new) {
    size_t before = d->path.len;
    if (before) buf_char(&d->path, '/');
    buf_str(&d->path, name);
    enum err e = !d->path.failed ? diff_sides(d, old, new)
                                 : (before + name.len + 1 > TREE_PATH_MAX ? ERR_LIMIT : ERR_NOMEM);
    d->path.len = before;
    return e;
}

static enum err merge(struct differ *d, struct str old, struct str new) {
    static const struct tree_side none;
    struct entry a, b;
    if (!next_entry(&old, &a) || !next_entry(&new, &b)) return ERR_CORRUPT;
    while (a.side.mode || b.side.mode) {
        int c = compare(&a, &b);
        TRY(diff_entries(d, c <= 0 ? a.name : b.name, c <= 0 ? &a.side : &none, c >= 0 ? &b.side : &none));
        if (c <= 0 && !next_entry(&old, &a)) return ERR_CORRUPT;
        if (c >= 0 && !next_entry(&new, &b)) return ERR_CORRUPT;
    }
    return ERR_OK;
}

// A side that is not there is the empty tree.
static enum err read_tree(struct differ *d, const struct tree_side *side, struct object *out) {
    *out = (struct object){ .kind = OBJECT_TREE };
    if (!side->mode) return ERR_OK;
    if (++d->n_visits > TREE_VISITS_MAX) return ERR_LIMIT;
    TRY(object_read(d->repo, &side->id, TREE_BYTES_MAX - d->n_bytes, out));
    d->n_bytes += out->data.len;
    if (out->kind == OBJECT_TREE) return ERR_OK;
    object_drop(out);
    return ERR_CORRUPT;
}

static enum err diff_trees(struct differ *d, const struct tree_side *old, const struct tree_side *new) {
    struct object a, b;
    if (d->depth == TREE_DEPTH_MAX) return ERR_LIMIT;
    TRY(read_tree(d, old, &a));
    enum err e = read_tree(d, new, &b);
    if (e == ERR_OK) {
        d->depth++;
        e = merge(d, a.data, b.data);
        d->depth--;
        object_drop(&b);
    }
    object_drop(&a);
    return e;
}

enum err tree_diff(struct repo *r, const struct sha *old, const struct sha *new, void *ctx,
                   enum err (*each)(void *ctx, const struct tree_change *c)) {
    struct differ d = { .repo = r, .ctx = ctx, .each = each };
    struct tree_side a = { old ? MODE_DIR : 0, old ? *old : (struct sha){ { 0 } } }, b = { MODE_DIR, *new };
    if (old && sha_eq(old, new)) return ERR_OK;
    buf_init(&d.path, TREE_PATH_MAX);
    enum err e = diff_trees(&d, &a, &b);
    buf_fini(&d.path);
    return e;
}
