// SPDX-License-Identifier: Apache-2.0
#include "delivery/paths.h"

#include "vcs/patch.h"

enum { WANTED_MAX = 256 };

struct paths {
    struct db *db;
    struct arena kept, arena; // of the paths that are wanted; of the commit at hand
    struct str wanted[WANTED_MAX];
    uint32_t n;
    int64_t repo_id; // of `repo`, which is NULL when it cannot be opened
    struct repo *repo;
};

enum err paths_new(struct db *d, struct str service, struct paths **out) {
    struct db_row *r;
    struct paths *p = mem_zalloc(sizeof *p);
    *out = NULL;
    if (!p) return ERR_NOMEM;
    p->db = d;
    p->repo_id = -1;
    arena_init(&p->kept, 1 << 20, NULL);
    arena_init(&p->arena, 64 << 20, NULL);
    enum err e = db_prepare(d, "SELECT path FROM catalogue_path WHERE service = ? ORDER BY path", &r);
    if (e == ERR_OK) db_bind_text(r, 1, service);
    for (bool row = true; e == ERR_OK && row;) {
        e = db_step(r, &row);
        if (e == ERR_OK && row && p->n < WANTED_MAX) p->wanted[p->n++] = str_dup(&p->kept, db_text(r, 0));
    }
    if (e == ERR_OK && p->kept.failed) e = ERR_NOMEM;
    if (e == ERR_OK && p->n)
        *out = p;
    else
        paths_free(p);
    return e;
}

void paths_free(struct paths *p) {
    if (!p) return;
    if (p->repo) repo_close(p->repo);
    arena_fini(&p->kept);
    arena_fini(&p->arena);
    mem_free(p);
}

// The path itself, or what lies in it.
bool paths_want(const struct paths *p, struct str path) {
    if (!p) return true;
    for (uint32_t i = 0; i < p->n; i++) {
        struct str w = p->wanted[i];
        if (str_starts(path, w) && (path.len == w.len || path.ptr[w.len] == '/')) return true;
    }
    return false;
}

static bool any_wanted(const struct paths *p, struct str all) {
    struct str one;
    while (all.len) {
        (void)str_cut(all, '\0', &one, &all);
        if (paths_want(p, one)) return true;
    }
    return false;
}

static enum err take_repo(struct paths *p, int64_t id) {
    struct err_ctx ctx = { 0 };
    struct db_row *r;
    bool row;
    if (p->repo_id == id) return ERR_OK;
    if (p->repo) repo_close(p->repo);
    p->repo = NULL;
    p->repo_id = id;
    TRY(db_prepare(p->db, "SELECT path FROM git_repo WHERE id = ?", &r));
    db_bind_i64(r, 1, id);
    TRY(db_step(r, &row));
    if (!row) return ERR_OK;
    char *path = str_z(&p->arena, db_text(r, 0));
    db_reset(r);
    if (!path) return ERR_NOMEM;
    enum err e = repo_open(path, &ctx, &p->repo);
    if (e != ERR_OK) p->repo = NULL;
    return e == ERR_NOMEM ? e : ERR_OK;
}

static enum err keep(struct paths *p, int64_t repo, const struct sha *commit, const struct patch_files *found,
                     struct str all) {
    struct db_row *r;
    TRY(db_prepare(p->db, "INSERT OR REPLACE INTO git_path VALUES(?,?,?,?)", &r));
    db_bind_i64(r, 1, repo);
    db_bind_blob(r, 2, (struct str){ (const char *)commit->byte, SHA_BYTES });
    db_bind_i64(r, 3, found->kind != PATCH_TOO_LARGE);
    db_bind_blob(r, 4, all.len ? all : STR(""));
    return db_done(r);
}

static enum err read_paths(struct paths *p, int64_t repo, const struct sha *commit, bool *out) {
    struct err_ctx ctx = { 0 };
    struct patch_files found;
    struct buf all;
    *out = true;
    TRY(take_repo(p, repo));
    if (!p->repo) return ERR_OK;
    enum err e = patch_files(&p->arena, p->repo, commit, &ctx, &found);
    if (e == ERR_NOMEM) return e;
    if (e != ERR_OK || found.kind == PATCH_MISSING) return ERR_OK;
    buf_init(&all, 16 << 20);
    for (uint32_t i = 0; i < found.n; i++) {
        buf_str(&all, found.files[i].path);
        buf_char(&all, '\0');
    }
    *out = found.kind == PATCH_TOO_LARGE || any_wanted(p, buf_view(&all));
    e = all.failed ? ERR_NOMEM : keep(p, repo, commit, &found, buf_view(&all));
    buf_fini(&all);
    return e;
}

enum err paths_touch(struct paths *p, int64_t repo, const struct sha *commit, bool *out) {
    struct db_row *r;
    bool row;
    arena_reset(&p->arena);
    TRY(db_prepare(p->db, "SELECT whole, paths FROM git_path WHERE repo = ? AND sha = ?", &r));
    db_bind_i64(r, 1, repo);
    db_bind_blob(r, 2, (struct str){ (const char *)commit->byte, SHA_BYTES });
    TRY(db_step(r, &row));
    if (!row) return read_paths(p, repo, commit, out);
    *out = !db_i64(r, 0) || any_wanted(p, db_text(r, 1));
    db_reset(r);
    return ERR_OK;
}
