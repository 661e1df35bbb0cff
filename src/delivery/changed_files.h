// SPDX-License-Identifier: Apache-2.0
// The files that differ between a rollout and what ran before it: from a repository on this machine that an
// import named and that has the commits of both, else from what pushes told of the commits that it brought.
// Of a service with paths in the catalogue, only what lies in them. Read when it is asked for: nothing is
// kept. thread: as the db.
#pragma once

#include "delivery/file_parts.h"
#include "facts/db.h"
#include "vcs/patch.h"

struct changed_file {
    struct str path; // bytes as they are in the repository
    enum patch_how how;
    enum file_kind kind;
    uint32_t order;          // as it was found
    struct file_parts parts; // of the first files of configuration and dependencies
};
enum {
    CHANGED_FILES_MAX = PATCH_PATHS_MAX,
    CHANGED_PARTS_FILES_MAX = 20, // whose content is looked at, of those whose format is known
};
enum changed_state {
    CHANGED_UNKNOWN,
    CHANGED_KNOWN,
    CHANGED_CUT, // there are more than these
};
struct changed_files {
    enum changed_state state;
    bool by_pushes;             // else by git
    struct str why;             // of what is unknown or cut
    uint32_t n_commits, n_told; // by pushes: those that the rollout brought, and those with files
    struct changed_file *files; // by kind, then by path
    uint32_t n;
};
// rollout: its id. What cannot be read is not known, and why says so; ERR_NOT_FOUND: no such rollout;
// ERR_NOMEM, errors of the db.
NODISCARD enum err changed_files_read(struct db *db, struct arena *a, int64_t rollout,
                                      struct changed_files *out);
