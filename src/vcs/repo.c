// SPDX-License-Identifier: Apache-2.0
#include "vcs/repo_internal.h"

#include <git2.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "os/disk.h"
#include "vcs/commit.h"

enum {
    REPO_ARENA_MAX = 64 << 10,
    PACK_FILES_OPEN_MAX = 128,
    SHORT_SHA_MIN = 7,
};

// libgit2 stays set up until the end of the process: its options are global, and setting them again
// while another thread reads a repository would be a race.
static void library_set_up(void) {
    // Extensions that change nothing for a reader: objects may be missing (they are reported as such),
    // settings per work tree, objects that must not be deleted.
    static const char *extensions[] = { "partialclone", "worktreeconfig", "preciousobjects" };
    if (git_libgit2_init() < 0) return; // repo_open fails then
    git_libgit2_opts(GIT_OPT_SET_EXTENSIONS, extensions, sizeof extensions / sizeof *extensions);
    git_libgit2_opts(GIT_OPT_SET_CACHE_MAX_SIZE, (ssize_t)REPO_CACHE_BYTES_MAX);
    git_libgit2_opts(GIT_OPT_SET_MWINDOW_MAPPED_LIMIT, (size_t)REPO_MAPPED_BYTES_MAX);
    git_libgit2_opts(GIT_OPT_SET_MWINDOW_FILE_LIMIT, (size_t)PACK_FILES_OPEN_MAX);
    git_libgit2_opts(GIT_OPT_ENABLE_STRICT_HASH_VERIFICATION, 1);
}

// libgit2 1.5 says GIT_EOWNER only to users whose settings name some safe.directory; to others it says that
// this setting was not found.
static bool is_owner_error(int code, const char *text) {
    return code == GIT_EOWNER || (code == GIT_ENOTFOUND && strstr(text, "safe.directory"));
}

static enum err open_error(struct err_ctx *ctx, const char *path, int code) {
    const git_error *last = git_error_last();
    const char *text = last && last->message ? last->message : "";
    if (is_owner_error(code, text))
        return err_set(ctx, ERR_INVALID,
                       "%.80s belongs to another user; run takt as that user, or if you trust it: "
                       "git config --global --add safe.directory %.80s",
                       path, path);
    if (code == GIT_ENOTFOUND) return err_set(ctx, ERR_NOT_FOUND, "%.150s is no git repository", path);
    if (strstr(text, "objectformat"))
        return err_set(ctx, ERR_UNSUPPORTED, "%.120s names its objects by SHA-256; only SHA-1 can be read",
                       path);
    if (strstr(text, "extension")) return err_set(ctx, ERR_UNSUPPORTED, "%.100s: %.120s", path, text);
    return repo_error(ctx, code, path);
}

// --- what is asked once ------------------------------------------------------------------------------

static struct str without_slash(struct str path) {
    while (path.len > 1 && path.ptr[path.len - 1] == '/') path.len--;
    return path;
}

// Read as it is written: git_remote_lookup would apply url.*.insteadOf with regular expressions, and loses
// memory for each setting that does not match (libgit2 1.5).
static void identify(struct repo *r) {
    git_config *settings = NULL;
    git_buf url = { 0 };
    r->identity = r->path;
    if (git_repository_config_snapshot(&settings, r->git) == 0 &&
        git_config_get_string_buf(&url, settings, "remote.origin.url") == 0)
        (void)repo_url_normalise(&r->arena, (struct str){ url.ptr, url.size }, &r->identity);
    git_buf_dispose(&url);
    git_config_free(settings);
}

static bool tip_of(struct repo *r, const char *ref, struct sha *out) {
    git_oid id;
    struct sha found;
    if (git_reference_name_to_id(&id, r->git, ref) != 0) return false;
    memcpy(found.byte, id.id, SHA_BYTES);
    return object_peel(r, &found, out, NULL) == ERR_OK;
}

// The target of a symbolic reference without its prefix, if it has that prefix.
static bool points_to(struct repo *r, const char *ref, struct str prefix, struct str *out) {
    git_reference *found = NULL;
    bool yes = false;
    if (git_reference_lookup(&found, r->git, ref) == 0) {
        struct str target = str_of(git_reference_symbolic_target(found));
        yes = str_starts(target, prefix) && target.len > prefix.len;
        if (yes) *out = text_of(&r->arena, str_sub(target, prefix.len, target.len), false, REPO_NAME_MAX);
    }
    git_reference_free(found);
    return yes;
}

static void find_default_branch(struct repo *r) {
    if (points_to(r, "refs/remotes/origin/HEAD", STR("refs/remotes/origin/"), &r->branch))
        r->has_tip = tip_of(r, "refs/remotes/origin/HEAD", &r->branch_tip);
    else if (points_to(r, "HEAD", STR("refs/heads/"), &r->branch))
        r->has_tip = tip_of(r, "HEAD", &r->branch_tip);
}

static enum err check_refs_size(struct repo *r, struct err_ctx *ctx) {
    struct disk *d = disk_real();
    struct disk_stat st;
    const char *common = git_repository_commondir(r->git);
    char *path = str_z(&r->arena, str_fmt(&r->arena, "%s/packed-refs", common ? common : ""));
    if (!path) return ERR_NOMEM;
    if (d->ops->stat(d, path, &st) == ERR_OK && st.size_bytes > REPO_REFS_BYTES_MAX)
        return err_set(ctx, ERR_LIMIT, "%.150s has %llu bytes, at most %d are read", path,
                       (unsigned long long)st.size_bytes, REPO_REFS_BYTES_MAX);
    return ERR_OK;
}

static enum err learn(struct repo *r, struct err_ctx *ctx) {
    const char *work = git_repository_workdir(r->git), *dir = git_repository_path(r->git);
    r->bare = git_repository_is_bare(r->git) == 1;
    r->shallow = git_repository_is_shallow(r->git) == 1;
    r->path = str_dup(&r->arena, without_slash(str_of(work ? work : dir)));
    TRY(check_refs_size(r, ctx));
    identify(r);
    find_default_branch(r);
    return r->arena.failed ? ERR_NOMEM : ERR_OK;
}

// --- open and close ----------------------------------------------------------------------------------

static enum err open_parts(struct repo *r, const char *path, struct err_ctx *ctx) {
    int code = git_repository_open_ext(&r->git, path, GIT_REPOSITORY_OPEN_NO_SEARCH, NULL);
    if (code < 0) return open_error(ctx, path, code);
    code = git_repository_odb(&r->odb, r->git);
    if (code < 0) return repo_error(ctx, code, path);
    return learn(r, ctx);
}

enum err repo_open(const char *path, struct err_ctx *ctx, struct repo **out) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, library_set_up);
    if (strlen(path) >= DISK_PATH_MAX) return err_set(ctx, ERR_INVALID, "the path is too long");
    struct repo *r = mem_zalloc(sizeof *r);
    if (!r) return ERR_NOMEM;
    arena_init(&r->arena, REPO_ARENA_MAX, NULL);
    enum err e = open_parts(r, path, ctx);
    if (e != ERR_OK) {
        repo_close(r);
        return e;
    }
    *out = r;
    return ERR_OK;
}

void repo_close(struct repo *r) {
    if (!r) return;
    git_odb_free(r->odb);
    git_repository_free(r->git);
    arena_fini(&r->arena);
    mem_free(r);
}

struct str repo_identity(const struct repo *r) {
    return r->identity;
}

struct str repo_path(const struct repo *r) {
    return r->path;
}

bool repo_is_bare(const struct repo *r) {
    return r->bare;
}

bool repo_is_shallow(const struct repo *r) {
    return r->shallow;
}

bool repo_default_branch(struct repo *r, struct str *out_name, struct sha *out_tip) {
    *out_name = r->branch;
    if (r->has_tip) *out_tip = r->branch_tip;
    return r->has_tip;
}

// --- tips and names ----------------------------------------------------------------------------------

static int by_sha(const void *a, const void *b) {
    return sha_cmp(a, b);
}

static void add_tip(struct repo *r, const char *ref, struct buf *tips, uint32_t *skipped) {
    struct sha tip;
    if (!tip_of(r, ref, &tip) || tips->len / sizeof tip >= REPO_TIPS_MAX)
        (*skipped)++;
    else
        buf_add(tips, &tip, sizeof tip);
}

// One pass over all names: with a million tags, each pass of libgit2 costs about a second.
static enum err add_branches(struct repo *r, struct buf *tips, uint32_t *skipped, struct err_ctx *ctx) {
    git_reference_iterator *it = NULL;
    const char *name;
    int code = git_reference_iterator_new(&it, r->git);
    if (code < 0) return repo_error(ctx, code, "branches");
    while ((code = git_reference_next_name(&name, it)) == 0) {
        struct str ref = str_of(name);
        if (str_starts(ref, STR("refs/heads/")) || str_starts(ref, STR("refs/remotes/")))
            add_tip(r, name, tips, skipped);
    }
    git_reference_iterator_free(it);
    return code == GIT_ITEROVER ? ERR_OK : repo_error(ctx, code, "branches");
}

static uint32_t unique(struct sha *tips, uint32_t n) {
    uint32_t kept = 0;
    if (n) qsort(tips, n, sizeof *tips, by_sha);
    for (uint32_t i = 0; i < n; i++)
        if (kept == 0 || !sha_eq(&tips[kept - 1], &tips[i])) tips[kept++] = tips[i];
    return kept;
}

static enum err collect_tips(struct repo *r, struct buf *tips, uint32_t *skipped, struct err_ctx *ctx) {
    TRY(add_branches(r, tips, skipped, ctx));
    struct sha head; // an empty repository has a HEAD that names nothing: not a branch that is lost
    if (tip_of(r, "HEAD", &head)) buf_add(tips, &head, sizeof head);
    return tips->failed ? ERR_NOMEM : ERR_OK;
}

enum err repo_tips(struct arena *a, struct repo *r, struct err_ctx *ctx, struct repo_tips *out) {
    struct buf tips;
    uint32_t skipped = 0;
    buf_init(&tips, (REPO_TIPS_MAX + 1) * sizeof(struct sha));
    enum err e = collect_tips(r, &tips, &skipped, ctx);
    struct sha *copy = e == ERR_OK ? arena_copy(a, tips.ptr, tips.len) : NULL;
    if (e == ERR_OK && !copy) e = ERR_NOMEM;
    if (e == ERR_OK)
        *out = (struct repo_tips){ copy, unique(copy, (uint32_t)(tips.len / sizeof *copy)), skipped };
    buf_fini(&tips);
    return e;
}

static bool resolve_ref(struct repo *r, const char *prefix, struct str name, struct sha *out) {
    char ref[REPO_NAME_MAX + 32];
    (void)snprintf(ref, sizeof ref, "%s%.*s", prefix, STR_ARG(name));
    return tip_of(r, ref, out);
}

static bool is_hex(struct str s) {
    for (size_t i = 0; i < s.len; i++)
        if (!strchr("0123456789abcdefABCDEF", s.ptr[i]) || !s.ptr[i]) return false;
    return true;
}

static enum err resolve_sha(struct repo *r, struct str name, struct sha *out) {
    git_oid id;
    git_object *found = NULL;
    struct sha full;
    if (sha_parse(name, &full)) return object_peel(r, &full, out, NULL);
    if (name.len < SHORT_SHA_MIN || name.len > SHA_HEX || !is_hex(name)) return ERR_NOT_FOUND;
    if (git_oid_fromstrn(&id, name.ptr, name.len) < 0) return ERR_NOT_FOUND;
    int code = git_object_lookup_prefix(&found, r->git, &id, name.len, GIT_OBJECT_COMMIT);
    if (code == 0) memcpy(out->byte, git_object_id(found)->id, SHA_BYTES);
    git_object_free(found);
    return code == 0 ? ERR_OK : code == GIT_EAMBIGUOUS ? ERR_INVALID : ERR_NOT_FOUND;
}

enum err repo_resolve(struct repo *r, struct str name, struct sha *out) {
    static const char *const prefixes[] = { "refs/tags/", "refs/heads/", "refs/remotes/" };
    if (name.len == 0 || name.len > REPO_NAME_MAX || memchr(name.ptr, 0, name.len)) return ERR_NOT_FOUND;
    for (size_t i = 0; i < sizeof prefixes / sizeof *prefixes; i++)
        if (resolve_ref(r, prefixes[i], name, out)) return ERR_OK;
    if ((str_starts(name, STR("refs/")) || str_eq(name, STR("HEAD"))) && resolve_ref(r, "", name, out))
        return ERR_OK;
    return resolve_sha(r, name, out);
}
