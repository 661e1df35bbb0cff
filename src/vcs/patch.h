// SPDX-License-Identifier: Apache-2.0
// What a single commit changes, against its first parent (all is new in a commit without parents):
// the patch id, by which a cherry-pick is known for the twin of its original, and the paths.
// Only what is asked for is computed. thread: one at a time for each repository.
#pragma once

#include "vcs/repo.h"

enum {
    PATCH_FILES_MAX = 2000,           // of one patch that gets an id
    PATCH_BLOB_BYTES_MAX = 4 << 20,   // a larger file counts as binary
    PATCH_TOTAL_BYTES_MAX = 64 << 20, // of the files of one patch, before and after
    PATCH_PATHS_MAX = 20000,          // paths named for one commit
};

enum patch_kind {
    PATCH_OK,
    PATCH_MERGE,     // two parents or more: no id
    PATCH_EMPTY,     // changes nothing: no id
    PATCH_TOO_LARGE, // over a limit above, or of the trees: no id
    PATCH_MISSING,   // an object is missing or damaged (shallow or partial clone): no id
};

// The id is that of `git diff-tree -p COMMIT | git patch-id --stable`: SHA-1 of each file's header and lines
// with three lines of context, without white space, line numbers and object names; summed over the files.
// Two things differ from git, both so that different changes get different ids: a binary file counts by its
// content before and after (git leaves it out), and paths count byte by byte (git quotes some). Settings and
// attributes of the repository have no influence.
struct patch {
    enum patch_kind kind;
    struct sha id;               // PATCH_OK
    bool has_binary;             // of its files, one at least was compared as a whole
    uint32_t n_files;            // changed; up to the limit where one was hit
    uint64_t n_added, n_removed; // lines, without binary files
};

// ERR_NOT_FOUND: no such commit here; ERR_CORRUPT: it is damaged; ERR_IO, ERR_NOMEM.
NODISCARD enum err patch_read(struct repo *r, const struct sha *commit, struct err_ctx *ctx,
                              struct patch *out);

enum patch_how { PATCH_CHANGED, PATCH_ADDED, PATCH_REMOVED };
struct patch_file {
    struct str path; // bytes as they are in the repository
    enum patch_how how;
    struct sha old, new; // of the content, for patch_blob; all zero where the file is not there
};
struct patch_files {
    enum patch_kind kind;           // PATCH_OK, _EMPTY, _TOO_LARGE or _MISSING
    const struct patch_file *files; // in git's order; those found before a limit
    uint32_t n;
};
// A merge is compared with its first parent. Errors as patch_read. The files live in a.
NODISCARD enum err patch_files(struct arena *a, struct repo *r, const struct sha *commit, struct err_ctx *ctx,
                               struct patch_files *out);
// What differs between two commits, whichever came first. Errors as patch_read, of either.
NODISCARD enum err patch_between(struct arena *a, struct repo *r, const struct sha *old,
                                 const struct sha *new, struct err_ctx *ctx, struct patch_files *out);
// The content of a file; empty for the sha that is all zero. ERR_INVALID: no file (a submodule); ERR_LIMIT:
// larger than max_bytes; ERR_NOT_FOUND, ERR_CORRUPT, ERR_IO, ERR_NOMEM.
NODISCARD enum err patch_blob(struct arena *a, struct repo *r, const struct sha *id, size_t max_bytes,
                              struct str *out);
