// SPDX-License-Identifier: Apache-2.0
// What the folder's files share of an open repository. The types of libgit2 are only named here.
#pragma once

#include "vcs/repo.h"

struct git_repository;
struct git_odb;
struct git_odb_object;

struct repo {
    struct git_repository *git;
    struct git_odb *odb;
    struct arena arena; // of the texts below
    struct str path, identity, branch;
    struct sha branch_tip;
    bool has_tip, bare, shallow;
};

enum object_kind { OBJECT_COMMIT, OBJECT_TREE, OBJECT_BLOB, OBJECT_TAG };

struct object {
    enum object_kind kind;
    struct str data;
    struct git_odb_object *handle;
};

// Size and kind, without unpacking where the store allows it. Errors as object_read, but for ERR_LIMIT.
NODISCARD enum err object_stat(struct repo *r, const struct sha *id, enum object_kind *out_kind,
                               uint64_t *out_size);
// Reads an object whose name fits its content. ERR_NOT_FOUND, ERR_CORRUPT, ERR_LIMIT (larger than
// max_bytes; not unpacked), ERR_NOMEM, ERR_IO. The caller drops it.
NODISCARD enum err object_read(struct repo *r, const struct sha *id, size_t max_bytes, struct object *out);
void object_drop(struct object *o);

// The error of libgit2's last failed call, with its text.
enum err repo_error(struct err_ctx *ctx, int code, const char *doing);

// UTF-8 for people from bytes of unknown origin: what is not UTF-8 is read as Latin-1 if the commit says
// so, else each bad byte becomes U+FFFD; cut at max_bytes on the border of a character. Sets a->failed when
// memory runs out.
struct str text_of(struct arena *a, struct str bytes, bool latin1, size_t max_bytes);

struct stamp; // vcs/commit.h
// The commit that an object stands for: itself, or through tags. *out_tagged (may be NULL) is written when
// the object is a tag: when it was made. ERR_INVALID: a tree or a file; else as object_read.
NODISCARD enum err object_peel(struct repo *r, const struct sha *id, struct sha *out,
                               struct stamp *out_tagged);
