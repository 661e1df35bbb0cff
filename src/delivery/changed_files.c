// SPDX-License-Identifier: Apache-2.0
#include "delivery/changed_files.h"

#include <stdlib.h>

#include "delivery/paths.h"

enum { REPOSITORIES_TRIED = 4 };

struct looking {
    struct db *db;
    struct arena *a;
    int64_t rollout;
    struct str service, sha, before_sha;
    bool has_before;
    struct changed_files *out;
    uint32_t cap;
    bool brings_all; // its commits are all that differ, as far as is known: nothing was taken back before it
};

static enum err load(struct looking *l) {
    struct db_row *r;
    bool row;
    TRY(db_prepare(
        l->db,
        "SELECT r.service, r.sha, b.sha, b.id, r.commits, r.commits_state = 'known' AND b.kind <> 'rollback'"
        " FROM rollout r LEFT JOIN rollout b ON b.id = r.before WHERE r.id = ?",
        &r));
    db_bind_i64(r, 1, l->rollout);
    TRY(db_step(r, &row));
    if (!row) return ERR_NOT_FOUND;
    l->service = str_dup(l->a, db_text(r, 0));
    l->sha = str_dup(l->a, db_text(r, 1));
    l->before_sha = str_dup(l->a, db_text(r, 2));
    l->has_before = !db_is_null(r, 3);
    l->out->n_commits = (uint32_t)db_i64(r, 4);
    l->brings_all = db_i64(r, 5) != 0;
    db_reset(r);
    return l->a->failed ? ERR_NOMEM : ERR_OK;
}

static enum err add(struct looking *l, struct str path, enum patch_how how) {
    struct changed_files *to = l->out;
    if (to->n == CHANGED_FILES_MAX) {
        to->state = CHANGED_CUT;
        return ERR_OK;
    }
    struct changed_file *files = arena_grow(l->a, to->files, to->n, &l->cap, sizeof *files);
    if (!files) return ERR_NOMEM;
    to->files = files;
    files[to->n] =
        (struct changed_file){ .path = path, .how = how, .kind = file_kind_of(path), .order = to->n };
    to->n++;
    return ERR_OK;
}

// --- git ---------------------------------------------------------------------------------------------------

static enum err read_parts(struct looking *l, struct repo *repo, const struct patch_file *of,
                           struct changed_file *to, unsigned *left) {
    struct str old, new;
    if (!*left || !file_parts_known(to->kind, to->path)) return ERR_OK;
    (*left)--;
    enum err e = patch_blob(l->a, repo, &of->old, FILE_PARTS_BYTES_MAX, &old);
    if (e == ERR_OK) e = patch_blob(l->a, repo, &of->new, FILE_PARTS_BYTES_MAX, &new);
    if (e == ERR_OK) return file_parts_of(l->a, to->kind, to->path, old, new, &to->parts);
    to->parts.why =
        e == ERR_LIMIT ? str_fmt(l->a, "more than %d bytes", FILE_PARTS_BYTES_MAX) : str_of(err_text(e));
    return e == ERR_NOMEM ? e : ERR_OK;
}

static enum err take_file(struct looking *l, struct repo *repo, const struct patch_file *file,
                          unsigned *left) {
    uint32_t n = l->out->n;
    TRY(add(l, file->path, file->how));
    return l->out->n > n ? read_parts(l, repo, file, &l->out->files[n], left) : ERR_OK;
}

static enum err take_diff(struct looking *l, struct repo *repo, const struct patch_files *found) {
    struct paths *paths;
    unsigned left = CHANGED_PARTS_FILES_MAX;
    struct changed_files *to = l->out;
    TRY(paths_new(l->db, l->service, &paths));
    enum err e = ERR_OK;
    for (uint32_t i = 0; i < found->n && e == ERR_OK; i++)
        if (paths_want(paths, found->files[i].path)) e = take_file(l, repo, &found->files[i], &left);
    paths_free(paths);
    to->state = found->kind == PATCH_TOO_LARGE ? CHANGED_CUT : CHANGED_KNOWN;
    if (to->state == CHANGED_CUT) to->why = STR("the difference is larger than what is looked at");
    return e;
}

// *out_done: the difference was read. A repository that does not hold both, or cannot be read, is passed
// over.
static enum err try_repository(struct looking *l, const char *path, const struct sha *old,
                               const struct sha *new, bool *out_done) {
    struct err_ctx why = { 0 };
    struct repo *repo;
    struct patch_files found;
    *out_done = false;
    enum err e = repo_open(path, &why, &repo);
    if (e != ERR_OK) {
        l->out->why = str_fmt(l->a, "%s", why.text);
        return e == ERR_NOMEM ? e : ERR_OK;
    }
    e = patch_between(l->a, repo, old, new, &why, &found);
    if (e != ERR_OK)
        l->out->why = str_fmt(l->a, "%s", why.text);
    else if (found.kind == PATCH_MISSING)
        l->out->why = STR("the repository lacks some of its files");
    *out_done = e == ERR_OK && found.kind != PATCH_MISSING;
    if (*out_done) e = take_diff(l, repo, &found);
    repo_close(repo);
    return *out_done || e == ERR_NOMEM ? e : ERR_OK;
}

struct places {
    struct arena *a;
    char *of[REPOSITORIES_TRIED];
    unsigned n;
    bool elsewhere; // a history came from another machine
};
static enum err take_place(void *ctx, struct db_row *r) {
    struct places *p = ctx;
    p->elsewhere |= db_text(r, 0).len == 0;
    if (db_text(r, 0).len && p->n < REPOSITORIES_TRIED) p->of[p->n++] = str_z(p->a, db_text(r, 0));
    return p->a->failed ? ERR_NOMEM : ERR_OK;
}

static enum err read_git(struct looking *l, bool *out_done) {
    struct db_row *r;
    struct sha old, new;
    struct places places = { .a = l->a };
    *out_done = false;
    if (!sha_parse(l->sha, &new) || !sha_parse(l->before_sha, &old)) {
        l->out->why = STR("of this rollout and the one before it not both tell a whole commit");
        return ERR_OK;
    }
    if (sha_eq(&old, &new)) { // the same once more
        l->out->state = CHANGED_KNOWN;
        *out_done = true;
        return ERR_OK;
    }
    TRY(db_prepare(l->db,
                   "SELECT r.path FROM git_commit n JOIN git_commit o ON o.repo = n.repo AND o.sha = ?2 JOIN "
                   "git_repo r ON r.id = n.repo WHERE n.sha = ?1 ORDER BY r.id",
                   &r));
    db_bind_blob(r, 1, (struct str){ (const char *)new.byte, SHA_BYTES });
    db_bind_blob(r, 2, (struct str){ (const char *)old.byte, SHA_BYTES });
    TRY(db_each(r, take_place, &places));
    l->out->why = places.elsewhere
                      ? STR("the history was sent by another machine, which tells no files")
                      : STR("no history that was imported has its commit and that of the rollout before");
    for (unsigned i = 0; i < places.n && !*out_done; i++)
        TRY(try_repository(l, places.of[i], &old, &new, out_done));
    return ERR_OK;
}

// --- pushes ------------------------------------------------------------------------------------------------

static enum err take_line(struct looking *l, struct str line) {
    enum patch_how how = str_starts(line, STR("A "))   ? PATCH_ADDED
                         : str_starts(line, STR("D ")) ? PATCH_REMOVED
                                                       : PATCH_CHANGED;
    return line.len > 2 ? add(l, str_dup(l->a, str_sub(line, 2, line.len)), how) : ERR_OK;
}

static enum err take_commit(void *ctx, struct db_row *r) {
    struct looking *l = ctx;
    struct str line, rest = db_text(r, 0);
    int64_t n = 0;
    for (bool more = rest.len > 0; more; n++) {
        more = str_cut(rest, '\n', &line, &rest);
        TRY(take_line(l, line));
    }
    l->out->n_told++;
    if (n < db_i64(r, 1)) l->out->state = CHANGED_CUT;
    return ERR_OK;
}

static int by_path(const void *pa, const void *pb) {
    const struct changed_file *a = pa, *b = pb;
    int c = str_cmp(a->path, b->path);
    return c ? c : (a->order > b->order) - (a->order < b->order);
}

// What came of a file that several commits changed; the oldest comes first.
static void fold(struct changed_files *f) {
    uint32_t n = 0;
    for (uint32_t i = 0, end; i < f->n; i = end) {
        for (end = i + 1; end < f->n && str_eq(f->files[end].path, f->files[i].path);) end++;
        enum patch_how first = f->files[i].how, last = f->files[end - 1].how;
        if (first == PATCH_ADDED && last == PATCH_REMOVED) continue; // came and went
        struct changed_file *to = &f->files[n++];
        *to = f->files[i];
        to->how = last == PATCH_REMOVED ? last : first == PATCH_ADDED ? first : PATCH_CHANGED;
    }
    f->n = n;
}

static enum err leave_others(struct looking *l) {
    struct paths *paths;
    struct changed_files *f = l->out;
    uint32_t n = 0;
    TRY(paths_new(l->db, l->service, &paths));
    for (uint32_t i = 0; i < f->n; i++)
        if (paths_want(paths, f->files[i].path)) f->files[n++] = f->files[i];
    paths_free(paths);
    f->n = n;
    return ERR_OK;
}

static enum err read_pushes(struct looking *l) {
    struct changed_files *to = l->out;
    struct db_row *r;
    TRY(db_prepare(l->db,
                   "SELECT p.files, p.files_all FROM rollout_commit c JOIN pushed_commit p ON p.sha ="
                   " lower(hex(c.sha)) WHERE c.rollout = ? AND p.files_all >= 0 GROUP BY c.sha ORDER BY"
                   " c.committed_at, c.sha",
                   &r));
    db_bind_i64(r, 1, l->rollout);
    to->state = CHANGED_KNOWN;
    TRY(db_each(r, take_commit, l));
    if (!to->n_told) {
        to->state = CHANGED_UNKNOWN;
        return ERR_OK;
    }
    to->by_pushes = true;
    if (to->n_told < to->n_commits) to->state = CHANGED_CUT;
    to->why = to->state == CHANGED_CUT ? STR("pushes did not tell all files of all its commits") : STR("");
    if (!l->brings_all) {
        to->state = CHANGED_CUT;
        to->why = STR("only of commits that went out for the first time");
    }
    if (to->n) qsort(to->files, to->n, sizeof *to->files, by_path);
    fold(to);
    return leave_others(l);
}

// --- all of it ---------------------------------------------------------------------------------------------

static int by_kind(const void *pa, const void *pb) {
    const struct changed_file *a = pa, *b = pb;
    return a->kind != b->kind ? (a->kind > b->kind) - (a->kind < b->kind) : str_cmp(a->path, b->path);
}

enum err changed_files_read(struct db *db, struct arena *a, int64_t rollout, struct changed_files *out) {
    struct looking l = { .db = db, .a = a, .rollout = rollout, .out = out };
    bool done;
    *out = (struct changed_files){ 0 };
    TRY(load(&l));
    if (!l.has_before) {
        out->why = STR("nothing is known to have run before it");
        return ERR_OK;
    }
    TRY(read_git(&l, &done));
    if (done && out->state == CHANGED_KNOWN) out->why = STR("");
    if (!done) TRY(read_pushes(&l));
    if (out->n) qsort(out->files, out->n, sizeof *out->files, by_kind);
    return a->failed ? ERR_NOMEM : ERR_OK;
}
