// SPDX-License-Identifier: Apache-2.0
#include "vcs/repo_internal.h"

#include <git2.h>

#include "vcs/commit.h"

enum { TAG_BYTES_MAX = 1 << 20, TAG_NESTING_MAX = 8 };

static enum err err_of(int code, int class) {
    if (class == GIT_ERROR_NOMEMORY) return ERR_NOMEM;
    if (code == GIT_ENOTFOUND) return ERR_NOT_FOUND;
    if (code == GIT_EMISMATCH) return ERR_CORRUPT;
    switch (class) {
    case GIT_ERROR_OS: return ERR_IO;
    case GIT_ERROR_ZLIB:
    case GIT_ERROR_ODB:
    case GIT_ERROR_OBJECT:
    case GIT_ERROR_REFERENCE:
    case GIT_ERROR_REPOSITORY:
    case GIT_ERROR_CONFIG: return ERR_CORRUPT;
    default: return ERR_IO;
    }
}

static enum err last_err(int code) {
    const git_error *last = git_error_last();
    return err_of(code, last ? last->klass : GIT_ERROR_NONE);
}

enum err repo_error(struct err_ctx *ctx, int code, const char *doing) {
    const git_error *last = git_error_last();
    const char *text = last && last->message ? last->message : "unknown error of libgit2";
    return err_set(ctx, last_err(code), "%.100s: %.140s", doing, text);
}

static bool kind_of(git_object_t type, enum object_kind *out) {
    switch (type) {
    case GIT_OBJECT_COMMIT: *out = OBJECT_COMMIT; return true;
    case GIT_OBJECT_TREE: *out = OBJECT_TREE; return true;
    case GIT_OBJECT_BLOB: *out = OBJECT_BLOB; return true;
    case GIT_OBJECT_TAG: *out = OBJECT_TAG; return true;
    default: return false;
    }
}

static git_oid oid_of(const struct sha *id) {
    git_oid oid;
    memcpy(oid.id, id->byte, SHA_BYTES);
    return oid;
}

enum err object_stat(struct repo *r, const struct sha *id, enum object_kind *out_kind, uint64_t *out_size) {
    git_oid oid = oid_of(id);
    git_object_t type;
    size_t size;
    int code = git_odb_read_header(&size, &type, r->odb, &oid);
    if (code < 0) return last_err(code);
    if (!kind_of(type, out_kind)) return ERR_CORRUPT;
    *out_size = size;
    return ERR_OK;
}

enum err object_read(struct repo *r, const struct sha *id, size_t max_bytes, struct object *out) {
    git_oid oid = oid_of(id);
    struct object o = { 0 };
    uint64_t size;
    TRY(object_stat(r, id, &o.kind, &size));
    if (size > max_bytes) return ERR_LIMIT;
    int code = git_odb_read(&o.handle, r->odb, &oid);
    if (code < 0) return last_err(code);
    o.data = (struct str){ git_odb_object_data(o.handle), git_odb_object_size(o.handle) };
    if (o.data.len != size || !kind_of(git_odb_object_type(o.handle), &o.kind)) {
        object_drop(&o);
        return ERR_CORRUPT;
    }
    *out = o;
    return ERR_OK;
}

void object_drop(struct object *o) {
    git_odb_object_free(o->handle);
    o->handle = NULL;
}

enum err object_peel(struct repo *r, const struct sha *id, struct sha *out, struct stamp *out_tagged) {
    struct sha at = *id;
    for (int depth = 0; depth <= TAG_NESTING_MAX; depth++) {
        enum object_kind kind;
        struct tag_object tag;
        struct object o;
        uint64_t size;
        TRY(object_stat(r, &at, &kind, &size));
        if (kind == OBJECT_COMMIT) {
            *out = at;
            return ERR_OK;
        }
        if (kind != OBJECT_TAG) return ERR_INVALID;
        TRY(object_read(r, &at, TAG_BYTES_MAX, &o));
        bool ok = tag_parse(o.data, &tag);
        object_drop(&o);
        if (!ok) return ERR_CORRUPT;
        if (out_tagged && depth == 0) *out_tagged = tag.tagged;
        at = tag.target;
    }
    return ERR_LIMIT;
}
