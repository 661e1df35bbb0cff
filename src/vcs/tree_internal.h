// SPDX-License-Identifier: Apache-2.0
// What differs between two trees, file by file. Bounded: a hostile tree can be small on disk and without
// end when it is walked.
#pragma once

#include "vcs/repo_internal.h"

enum {
    TREE_BYTES_MAX = 256 << 20, // of all tree objects read for one difference
    TREE_VISITS_MAX = 50000,    // tree objects read for one difference
    TREE_DEPTH_MAX = 128,
    TREE_PATH_MAX = 4096,
};

enum { MODE_TYPE = 0170000, MODE_DIR = 0040000, MODE_LINK = 0120000, MODE_SUBMODULE = 0160000 };

struct tree_side {
    uint32_t mode; // 0 = not there
    struct sha id; // of the file's content, or the commit of a submodule
};

// A file, a link or a submodule that is new, gone, or changed in content or mode. The path lives until the
// callback returns. A change between file, link and submodule comes as one gone and one new.
struct tree_change {
    struct str path; // raw bytes
    struct tree_side old, new;
};

// Calls `each` for every difference, in the order of git. old may be NULL: everything is new.
// ERR_LIMIT: over one of the limits above; ERR_NOT_FOUND, ERR_CORRUPT: of a tree; ERR_NOMEM, ERR_IO;
// what `each` returned.
NODISCARD enum err tree_diff(struct repo *r, const struct sha *old, const struct sha *new, void *ctx,
                             enum err (*each)(void *ctx, const struct tree_change *c));
