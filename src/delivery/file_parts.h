// SPDX-License-Identifier: Apache-2.0
// What two versions of a file differ in, by name: keys of configuration (JSON, YAML), whose values may be
// secret and are compared only; dependencies of a manifest (package.json, go.mod, requirements.txt) with
// their versions. A file of another format has no parts; one that cannot be read has none, and
// why says so. Pure. thread: any.
#pragma once

#include "delivery/file_kind.h"
#include "vcs/patch.h"

enum {
    // A file beyond one of these is not read. Together they bound what each takes of the answer's memory.
    FILE_PARTS_BYTES_MAX = 256 << 10,
    FILE_PARTS_MAX = 5000,
    FILE_PARTS_VALUES_MAX = 4 * FILE_PARTS_MAX, // with those that hold others
    FILE_PARTS_DEPTH_MAX = 32,
    FILE_PARTS_NAME_MAX = 500,      // bytes of a key with those above it
    FILE_PARTS_NAMES_MAX = 1 << 20, // bytes of all of them
};

struct file_part {
    struct str name;
    struct str old, new; // versions of a dependency; empty: not told, or not there
    enum patch_how how;
};
struct file_parts {
    struct file_part *items; // by name
    uint32_t n;
    struct str why; // it was not read; empty: it was, or is of another format
};
// Is it of a format that is read?
bool file_parts_known(enum file_kind kind, struct str path);
// old or new is empty where the file was added or removed. Texts may point into them. ERR_NOMEM.
NODISCARD enum err file_parts_of(struct arena *a, enum file_kind kind, struct str path, struct str old,
                                 struct str new, struct file_parts *out);
