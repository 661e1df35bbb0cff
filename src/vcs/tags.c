// SPDX-License-Identifier: Apache-2.0
#include "vcs/tags.h"

#include <git2.h>
#include <stdlib.h>

#include "vcs/history.h"
#include "vcs/repo_internal.h"
#include "vcs/tag_shapes.h"

struct tagger {
    struct arena *a;
    struct repo *repo;
    const struct tags_in *in;
    struct err_ctx *ctx;
    struct tag_shapes shapes;
    struct buf list; // of struct tag
    uint32_t max_tags;
    struct tags tags;
};

static enum err committed_at(struct repo *r, const struct sha *commit, struct stamp *out) {
    struct commit c;
    struct object o;
    TRY(object_read(r, commit, HISTORY_COMMIT_BYTES_MAX, &o));
    bool ok = o.kind == OBJECT_COMMIT && commit_parse(o.data, &c);
    object_drop(&o);
    if (!ok) return ERR_CORRUPT;
    *out = c.committer.at;
    return ERR_OK;
}

static enum err read_tag(struct repo *r, const struct sha *target, struct tag *t) {
    struct stamp tagged = { STAMP_UNKNOWN, 0, STAMP_UNREADABLE };
    TRY(object_peel(r, target, &t->commit, &tagged));
    t->is_annotated = !sha_eq(target, &t->commit);
    t->has_tagger = t->is_annotated && !(tagged.flags & STAMP_UNREADABLE);
    t->created_at = tagged;
    return t->has_tagger ? ERR_OK : committed_at(r, &t->commit, &t->created_at);
}

// A tag that cannot be read is counted; only memory and disk end the run.
static enum err add_tag(struct tagger *g, struct str name, const git_reference *ref) {
    const git_oid *id = git_reference_target(ref);
    struct tag t = { .name = name };
    struct sha target;
    if (g->list.len / sizeof t >= g->max_tags) {
        g->tags.n_cut++;
        return ERR_OK;
    }
    if (!id) { // it names another reference: nothing that git makes for a tag
        g->tags.n_unreadable++;
        return ERR_OK;
    }
    memcpy(target.byte, id->id, SHA_BYTES);
    enum err e = read_tag(g->repo, &target, &t);
    if (e == ERR_IO) return repo_error(g->ctx, -1, "a tag");
    if (e == ERR_NOMEM) return e;
    if (e != ERR_OK) {
        (*(e == ERR_INVALID ? &g->tags.n_not_commit : &g->tags.n_unreadable))++;
        return ERR_OK;
    }
    t.created_at = stamp_judge(t.created_at, g->in->now_ns);
    t.has_date = tag_name_date(name, &t.date);
    t.name = str_dup(g->a, name);
    buf_add(&g->list, &t, sizeof t);
    return g->a->failed || g->list.failed ? ERR_NOMEM : ERR_OK;
}

static enum err see(struct tagger *g, const git_reference *ref, struct arena *scratch) {
    struct str prefix = STR("refs/tags/"), full = str_of(git_reference_name(ref));
    arena_reset(scratch);
    struct str name = text_of(scratch, str_sub(full, prefix.len, full.len), false, REPO_NAME_MAX);
    if (scratch->failed) return ERR_NOMEM;
    g->tags.n_names++;
    TRY(tag_shapes_add(&g->shapes, name));
    if (g->in->want && !g->in->want(g->in->ctx, name)) {
        g->tags.n_not_wanted++;
        return ERR_OK;
    }
    return add_tag(g, name, ref);
}

static enum err see_all(struct tagger *g, struct arena *scratch) {
    git_reference_iterator *it = NULL;
    git_reference *ref = NULL;
    enum err e = ERR_OK;
    int code = git_reference_iterator_glob_new(&it, g->repo->git, "refs/tags/*");
    if (code < 0) return repo_error(g->ctx, code, "tags");
    while (e == ERR_OK && (code = git_reference_next(&ref, it)) == 0) {
        e = see(g, ref, scratch);
        git_reference_free(ref);
    }
    git_reference_iterator_free(it);
    if (e == ERR_OK && code != GIT_ITEROVER) e = repo_error(g->ctx, code, "tags");
    return e;
}

static int by_name(const void *a, const void *b) {
    return str_cmp(((const struct tag *)a)->name, ((const struct tag *)b)->name);
}

static enum err collect(struct tagger *g) {
    struct arena scratch;
    arena_init(&scratch, 16 * REPO_NAME_MAX, NULL);
    enum err e = see_all(g, &scratch);
    arena_fini(&scratch);
    TRY(e);
    struct tags *t = &g->tags;
    t->n = (uint32_t)(g->list.len / sizeof *t->tags);
    t->tags = arena_copy(g->a, g->list.ptr, g->list.len);
    if (!t->tags) return ERR_NOMEM;
    if (t->n) qsort(t->tags, t->n, sizeof *t->tags, by_name);
    t->n_shapeless = g->shapes.n_shapeless;
    return tag_shapes_list(&g->shapes, g->a, &t->shapes, &t->n_shapes);
}

enum err tags_read(struct arena *a, struct repo *r, const struct tags_in *in, struct err_ctx *ctx,
                   struct tags *out) {
    struct tagger g = { .a = a, .repo = r, .in = in, .ctx = ctx };
    g.max_tags = in->max_tags && in->max_tags < TAGS_MAX ? in->max_tags : TAGS_MAX;
    tag_shapes_init(&g.shapes);
    buf_init(&g.list, TAGS_MAX * sizeof(struct tag));
    enum err e = collect(&g);
    if (e == ERR_OK) *out = g.tags;
    tag_shapes_fini(&g.shapes);
    buf_fini(&g.list);
    return e;
}
