// SPDX-License-Identifier: Apache-2.0
#include "vcs/patch.h"

#include <git2.h>
#include <openssl/evp.h>
#include <stdio.h>

#include "vcs/commit.h"
#include "vcs/history.h"
#include "vcs/tree_internal.h"

enum {
    CONTEXT_LINES = 3,
    BINARY_SNIFF = 8000, // a NUL in the first so many bytes makes a file binary, as in git
};

// --- the commit and its two trees --------------------------------------------------------------------

struct pair {
    struct sha old, new;
    bool has_old, is_merge;
};

struct head {
    struct sha tree, parent; // the first one, if there is any
    uint32_t n_parents;
};

static enum err read_head(struct repo *r, const struct sha *id, struct head *out) {
    struct object o;
    struct commit c;
    TRY(object_read(r, id, HISTORY_COMMIT_BYTES_MAX, &o));
    bool ok = o.kind == OBJECT_COMMIT && commit_parse(o.data, &c);
    if (ok) *out = (struct head){ .tree = c.tree, .n_parents = c.n_parents };
    if (ok && c.n_parents) out->parent = commit_parent(&c, 0);
    object_drop(&o);
    return ok ? ERR_OK : ERR_CORRUPT;
}

// Is this an answer about the repository, and not a failure to read it?
static bool is_gap(enum err e) {
    return e == ERR_NOT_FOUND || e == ERR_CORRUPT || e == ERR_LIMIT;
}

static enum patch_kind gap_kind(enum err e) {
    return e == ERR_LIMIT ? PATCH_TOO_LARGE : PATCH_MISSING;
}

static enum err refuse_commit(const struct sha *id, enum err e, struct err_ctx *ctx) {
    return err_set(ctx, e == ERR_LIMIT ? ERR_CORRUPT : e, "commit %s: %s", sha_text(id).z, err_text(e));
}

static enum err find_trees(struct repo *r, const struct sha *id, struct err_ctx *ctx, struct pair *out,
                           enum patch_kind *out_kind) {
    struct head commit, parent;
    enum err e = read_head(r, id, &commit);
    if (e != ERR_OK) return refuse_commit(id, e, ctx);
    *out = (struct pair){ .new = commit.tree, .has_old = commit.n_parents, .is_merge = commit.n_parents > 1 };
    *out_kind = PATCH_OK;
    if (!out->has_old) return ERR_OK;
    e = read_head(r, &commit.parent, &parent);
    if (e == ERR_OK) out->old = parent.tree;
    if (e == ERR_IO) return repo_error(ctx, -1, sha_text(id).z);
    if (!is_gap(e)) return e;
    *out_kind = gap_kind(e);
    return ERR_OK;
}

// --- the id ------------------------------------------------------------------------------------------

struct summer {
    struct repo *repo;
    EVP_MD_CTX *sha1;
    struct patch *patch;
    size_t n_bytes;
};

static bool is_space(char c) { // what git takes for it
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

// Everything that goes into the id goes through here: without white space.
static void feed(struct summer *s, struct str text) {
    for (size_t from = 0; from < text.len;) {
        while (from < text.len && is_space(text.ptr[from])) from++;
        size_t to = from;
        while (to < text.len && !is_space(text.ptr[to])) to++;
        EVP_DigestUpdate(s->sha1, text.ptr + from, to - from);
        from = to;
    }
}

static void feed_z(struct summer *s, const char *text) {
    feed(s, str_of(text));
}

static void feed_mode(struct summer *s, const char *what, uint32_t mode) {
    char text[40];
    (void)snprintf(text, sizeof text, "%s%06o", what, mode);
    feed_z(s, text);
}

// Adds one file's hash to the sum, as a little-endian number of 20 bytes; what overflows is lost.
static void finish_file(struct summer *s) {
    unsigned char hash[EVP_MAX_MD_SIZE];
    unsigned carry = 0;
    EVP_DigestFinal_ex(s->sha1, hash, NULL);
    for (size_t i = 0; i < SHA_BYTES; i++) {
        carry += (unsigned)s->patch->id.byte[i] + hash[i];
        s->patch->id.byte[i] = (uint8_t)carry;
        carry >>= 8;
    }
}

static void feed_header(struct summer *s, const struct tree_change *c) {
    feed_z(s, "diff--gita/");
    feed(s, c->path);
    feed_z(s, "b/");
    feed(s, c->path);
    if (!c->old.mode) feed_mode(s, "newfilemode", c->new.mode);
    if (!c->new.mode) feed_mode(s, "deletedfilemode", c->old.mode);
    if (c->old.mode && c->new.mode && c->old.mode != c->new.mode) {
        feed_mode(s, "oldmode", c->old.mode);
        feed_mode(s, "newmode", c->new.mode);
    }
}

static void feed_names(struct summer *s, const struct tree_change *c) {
    feed_z(s, c->old.mode ? "---a/" : "---/dev/null");
    if (c->old.mode) feed(s, c->path);
    feed_z(s, c->new.mode ? "+++b/" : "+++/dev/null");
    if (c->new.mode) feed(s, c->path);
}

static void feed_side_id(struct summer *s, const char *what, const struct tree_side *side) {
    if (!side->mode) return;
    feed_z(s, what);
    feed_z(s, sha_text(&side->id).z);
}

static int feed_line(const git_diff_delta *delta, const git_diff_hunk *hunk, const git_diff_line *line,
                     void *ctx) {
    struct summer *s = ctx;
    (void)delta, (void)hunk;
    if (line->origin != ' ' && line->origin != '+' && line->origin != '-')
        return 0; // "no newline at the end"
    s->patch->n_added += line->origin == '+';
    s->patch->n_removed += line->origin == '-';
    feed(s, (struct str){ &line->origin, 1 });
    feed(s, (struct str){ line->content, line->content_len });
    return 0;
}

static enum err feed_text(struct summer *s, const struct tree_change *c, struct str old, struct str new) {
    git_diff_options o;
    if (git_diff_options_init(&o, GIT_DIFF_OPTIONS_VERSION) < 0) return ERR_NOMEM;
    o.flags = GIT_DIFF_FORCE_TEXT | GIT_DIFF_INDENT_HEURISTIC;
    o.context_lines = CONTEXT_LINES;
    if (old.len == 0 && new.len == 0) return ERR_OK;
    feed_names(s, c);
    int code = git_diff_buffers(old.ptr ? old.ptr : "", old.len, "a", new.ptr ? new.ptr : "", new.len, "a",
                                &o, NULL, NULL, NULL, feed_line, s);
    return code < 0 ? ERR_NOMEM : ERR_OK; // there is no other reason left
}

static bool is_binary(struct str s) {
    return s.len && memchr(s.ptr, 0, s.len < BINARY_SNIFF ? s.len : BINARY_SNIFF);
}

static void feed_binary(struct summer *s, const struct tree_change *c) {
    s->patch->has_binary = true;
    feed_side_id(s, "-binary", &c->old);
    feed_side_id(s, "+binary", &c->new);
}

// A side's content; o->handle stays NULL where there is none. *binary is set when it is too large.
static enum err read_side(struct summer *s, const struct tree_side *side, struct object *o, bool *binary) {
    enum object_kind kind;
    uint64_t size;
    *o = (struct object){ 0 };
    if (!side->mode) return ERR_OK;
    TRY(object_stat(s->repo, &side->id, &kind, &size));
    if (kind != OBJECT_BLOB) return ERR_CORRUPT;
    if (size > PATCH_BLOB_BYTES_MAX) {
        *binary = true;
        return ERR_OK;
    }
    if (size > PATCH_TOTAL_BYTES_MAX - s->n_bytes) return ERR_LIMIT;
    s->n_bytes += size;
    return object_read(s->repo, &side->id, PATCH_BLOB_BYTES_MAX, o);
}

static enum err feed_blobs(struct summer *s, const struct tree_change *c) {
    struct object old = { 0 }, new = { 0 };
    bool binary = false;
    enum err e = read_side(s, &c->old, &old, &binary);
    if (e == ERR_OK) e = read_side(s, &c->new, &new, &binary);
    if (e == ERR_OK && (binary || is_binary(old.data) || is_binary(new.data)))
        feed_binary(s, c);
    else if (e == ERR_OK)
        e = feed_text(s, c, old.data, new.data);
    object_drop(&old);
    object_drop(&new);
    return e;
}

static void feed_submodule(struct summer *s, const struct tree_change *c) {
    feed_names(s, c);
    feed_side_id(s, "-Subprojectcommit", &c->old);
    feed_side_id(s, "+Subprojectcommit", &c->new);
    s->patch->n_removed += c->old.mode != 0;
    s->patch->n_added += c->new.mode != 0;
}

static enum err feed_change(void *ctx, const struct tree_change *c) {
    struct summer *s = ctx;
    uint32_t mode = c->new.mode ? c->new.mode : c->old.mode;
    if (s->patch->n_files == PATCH_FILES_MAX) return ERR_LIMIT;
    s->patch->n_files++;
    if (EVP_DigestInit_ex(s->sha1, EVP_sha1(), NULL) != 1) return ERR_NOMEM;
    feed_header(s, c);
    if ((mode & MODE_TYPE) == MODE_SUBMODULE)
        feed_submodule(s, c);
    else if (!sha_eq(&c->old.id, &c->new.id))
        TRY(feed_blobs(s, c));
    finish_file(s);
    return ERR_OK;
}

enum err patch_read(struct repo *r, const struct sha *commit, struct err_ctx *ctx, struct patch *out) {
    struct patch p = { 0 };
    struct pair pair;
    TRY(find_trees(r, commit, ctx, &pair, &p.kind));
    if (pair.is_merge) p.kind = PATCH_MERGE;
    if (p.kind == PATCH_OK) {
        struct summer s = { .repo = r, .sha1 = EVP_MD_CTX_new(), .patch = &p };
        if (!s.sha1) return ERR_NOMEM;
        enum err e = tree_diff(r, pair.has_old ? &pair.old : NULL, &pair.new, &s, feed_change);
        EVP_MD_CTX_free(s.sha1);
        if (e == ERR_IO) return repo_error(ctx, -1, sha_text(commit).z);
        if (e != ERR_OK && !is_gap(e)) return e;
        p.kind = e != ERR_OK ? gap_kind(e) : p.n_files ? PATCH_OK : PATCH_EMPTY;
        if (e != ERR_OK) p.id = (struct sha){ { 0 } };
    }
    *out = p;
    return ERR_OK;
}

// --- the files ---------------------------------------------------------------------------------------

struct lister {
    struct arena *a;
    struct buf files; // of struct patch_file
};

static enum err list_file(void *ctx, const struct tree_change *c) {
    struct lister *l = ctx;
    size_t n = l->files.len / sizeof(struct patch_file);
    struct patch_file *last = n ? &((struct patch_file *)(void *)l->files.ptr)[n - 1] : NULL;
    if (last && str_eq(last->path, c->path)) { // a file that became a link comes twice
        last->how = PATCH_CHANGED;
        last->new = c->new.id;
        return ERR_OK;
    }
    if (n == PATCH_PATHS_MAX) return ERR_LIMIT;
    struct patch_file file = { { arena_bytes(l->a, c->path.ptr, c->path.len), c->path.len },
                               !c->old.mode   ? PATCH_ADDED
                               : !c->new.mode ? PATCH_REMOVED
                                              : PATCH_CHANGED,
                               c->old.id,
                               c->new.id };
    if (file.path.ptr) buf_add(&l->files, &file, sizeof file);
    return file.path.ptr && !l->files.failed ? ERR_OK : ERR_NOMEM;
}

static enum err list_files(struct arena *a, struct repo *r, const struct pair *pair, enum patch_kind kind,
                           struct err_ctx *ctx, struct patch_files *out) {
    struct patch_files p = { .kind = kind };
    struct lister l = { .a = a };
    buf_init(&l.files, (size_t)PATCH_PATHS_MAX * sizeof(struct patch_file));
    enum err e = kind == PATCH_OK ? tree_diff(r, pair->has_old ? &pair->old : NULL, &pair->new, &l, list_file)
                                  : ERR_OK;
    p.n = (uint32_t)(l.files.len / sizeof(struct patch_file));
    p.files = arena_copy(a, l.files.ptr, l.files.len);
    buf_fini(&l.files);
    if (e == ERR_IO) return repo_error(ctx, -1, "reading what differs");
    if (e != ERR_OK && !is_gap(e)) return e;
    if (!p.files) return ERR_NOMEM;
    if (e != ERR_OK)
        p.kind = gap_kind(e);
    else if (p.kind == PATCH_OK && p.n == 0)
        p.kind = PATCH_EMPTY;
    *out = p;
    return ERR_OK;
}

enum err patch_files(struct arena *a, struct repo *r, const struct sha *commit, struct err_ctx *ctx,
                     struct patch_files *out) {
    struct pair pair;
    enum patch_kind kind;
    TRY(find_trees(r, commit, ctx, &pair, &kind));
    return list_files(a, r, &pair, kind, ctx, out);
}

enum err patch_between(struct arena *a, struct repo *r, const struct sha *old, const struct sha *new,
                       struct err_ctx *ctx, struct patch_files *out) {
    const struct sha *const both[] = { old, new };
    struct head heads[2];
    for (unsigned i = 0; i < 2; i++) {
        enum err e = read_head(r, both[i], &heads[i]);
        if (e != ERR_OK) return refuse_commit(both[i], e, ctx);
    }
    struct pair pair = { .old = heads[0].tree, .new = heads[1].tree, .has_old = true };
    return list_files(a, r, &pair, PATCH_OK, ctx, out);
}

enum err patch_blob(struct arena *a, struct repo *r, const struct sha *id, size_t max_bytes,
                    struct str *out) {
    static const struct sha none;
    struct object o;
    *out = STR("");
    if (sha_eq(id, &none)) return ERR_OK;
    TRY(object_read(r, id, max_bytes, &o));
    enum err e = o.kind == OBJECT_BLOB ? ERR_OK : ERR_INVALID;
    if (e == ERR_OK) *out = str_dup(a, o.data);
    object_drop(&o);
    return e == ERR_OK && a->failed ? ERR_NOMEM : e;
}
