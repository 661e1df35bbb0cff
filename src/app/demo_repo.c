// SPDX-License-Identifier: Apache-2.0
#include "app/demo_repo.h"

#include <git2.h>
#include <stdio.h>

#include "base/log.h"
#include "load/tell.h"

enum { FILES_MAX = 8 }; // of a commit

void demo_repo_path(const struct demo_repo *d, uint8_t line, char out[DEMO_PATH_MAX]) {
    (void)snprintf(out, DEMO_PATH_MAX, "%s/git/%s", d->dir, ship_service(line));
}

static enum err check(int code) {
    if (code >= 0) return ERR_OK;
    const git_error *why = git_error_last();
    log_warn("demo.repository", KV_Z("why", why ? why->message : "libgit2 does not say"));
    return ERR_IO;
}

static enum err open_repo(const struct demo_repo *d, uint8_t line, git_repository **out) {
    char path[DEMO_PATH_MAX], url[256];
    git_remote *remote = NULL;
    demo_repo_path(d, line, path);
    if (git_repository_open_bare(out, path) == 0) return ERR_OK;
    git_repository_init_options o;
    TRY(check(git_repository_init_options_init(&o, GIT_REPOSITORY_INIT_OPTIONS_VERSION)));
    o.flags = GIT_REPOSITORY_INIT_BARE | GIT_REPOSITORY_INIT_MKPATH;
    o.initial_head = "main";
    TRY(check(git_repository_init_ext(out, path, &o)));
    (void)snprintf(url, sizeof url, "https://github.com/" TELL_ORGANISATION "/%s", ship_service(line));
    enum err e = check(git_remote_create(&remote, *out, "origin", url));
    git_remote_free(remote);
    return e;
}

// What is in a file after commit number n: the text that is given, unless its format says more.
static int make_blob(git_repository *r, const char *path, uint32_t n, const char *text, git_oid *out) {
    char made[256];
    if (str_ends(str_of(path), STR(".yaml")))
        (void)snprintf(made, sizeof made, "timeout_ms: %u\npool:\n  size: %u\n", 1000 + n % 7 * 250,
                       4 + n % 3);
    else if (str_ends(str_of(path), STR("go.mod")))
        (void)snprintf(made, sizeof made,
                       "module shop\n\nrequire (\n\texample.org/kit v1.%u.0\n\texample.org/sql v0.%u.0\n)\n",
                       n, n / 12);
    else
        return git_blob_create_from_buffer(out, r, text, strlen(text));
    return git_blob_create_from_buffer(out, r, made, strlen(made));
}

// The tree before with the commit's files.
static int make_tree(git_repository *r, const struct ship *h, uint32_t i, const char *text, git_tree *before,
                     git_oid *out) {
    struct ship_text paths[FILES_MAX];
    git_tree_update updates[FILES_MAX];
    size_t n = 0;
    int code = 0;
    for (; n < FILES_MAX && code == 0; n++) {
        paths[n] = ship_file(h, i, (unsigned)n);
        if (!paths[n].z[0]) break;
        updates[n] = (git_tree_update){ .action = GIT_TREE_UPDATE_UPSERT,
                                        .filemode = GIT_FILEMODE_BLOB,
                                        .path = paths[n].z };
        code = make_blob(r, paths[n].z, h->first_commit + i, text, &updates[n].id);
    }
    return code == 0 ? git_tree_create_updated(out, r, before, n, updates) : code;
}

static int make_commit(git_repository *r, const struct ship *h, uint32_t i, git_oid *tip, bool has_tip) {
    struct ship_text subject = ship_subject(h, i), person = ship_person(h, 0);
    char mail[128], text[256];
    git_oid tree_id;
    git_tree *tree = NULL, *before = NULL;
    git_commit *parent = NULL;
    git_signature *author = NULL, *committer = NULL;
    (void)snprintf(mail, sizeof mail, "%s@" TELL_ORGANISATION ".example", person.z);
    (void)snprintf(text, sizeof text, "%u: %s\n", h->first_commit + i, subject.z);
    int code = has_tip ? git_commit_lookup(&parent, r, tip) : 0;
    if (code == 0 && has_tip) code = git_commit_tree(&before, parent);
    if (code == 0) code = make_tree(r, h, i, text, before, &tree_id);
    if (code == 0) code = git_tree_lookup(&tree, r, &tree_id);
    if (code == 0) code = git_signature_new(&author, person.z, mail, h->committed[i] / 1000000000, 0);
    if (code == 0) code = git_signature_new(&committer, person.z, mail, h->merged / 1000000000, 0);
    const git_commit *parents[] = { parent };
    if (code == 0)
        code = git_commit_create(tip, r, "refs/heads/main", author, committer, NULL, subject.z, tree, has_tip,
                                 parents);
    git_signature_free(author);
    git_signature_free(committer);
    git_commit_free(parent);
    git_tree_free(tree);
    git_tree_free(before);
    return code;
}

static enum err commit_ship(git_repository *r, struct ship *h) {
    git_oid tip;
    for (uint32_t i = 0; i < h->n_commits; i++) {
        bool has_tip = git_reference_name_to_id(&tip, r, "refs/heads/main") == 0;
        TRY(check(make_commit(r, h, i, &tip, has_tip)));
    }
    (void)git_oid_tostr(h->sha, sizeof h->sha, &tip);
    return ERR_OK;
}

enum err demo_repo_commit(void *repo, struct ship *ships, uint32_t n) {
    const struct demo_repo *d = repo;
    (void)git_libgit2_init();
    enum err e = ERR_OK;
    for (uint8_t line = 0; line < SHIP_LINES && e == ERR_OK; line++) {
        git_repository *r = NULL;
        bool any = false;
        for (uint32_t i = 0; i < n && e == ERR_OK; i++) {
            if (ships[i].line != line) continue;
            if (!any) e = open_repo(d, line, &r);
            any = true;
            if (e == ERR_OK) e = commit_ship(r, &ships[i]);
        }
        git_repository_free(r);
        if (e == ERR_OK && any) e = demo_import(d, line);
    }
    (void)git_libgit2_shutdown();
    return e;
}
