// SPDX-License-Identifier: Apache-2.0
// What two versions of a file differ in, by name: keys of configuration (JSON, YAML), whose values may be
// secret and are compared only; dependencies of a manifest (package.json, go.mod, requirements.txt) with
// their versions. A file of another format, or that cannot be read, has no parts. Pure. thread: any.
#pragma once

#include "delivery/file_kind.h"
#include "vcs/patch.h"

enum {
    FILE_PARTS_MAX = 5000,            // of one file; one with more has none
    FILE_PARTS_BYTES_MAX = 256 << 10, // a larger file has none
    FILE_PARTS_DEPTH_MAX = 32,
    FILE_PARTS_NAME_MAX = 500, // bytes of a key with those above it; a file with a longer one has none
};

struct file_part {
    struct str name;
    struct str old, new; // versions of a dependency; empty: not told, or not there
    enum patch_how how;
};
struct file_parts {
    struct file_part *items; // by name
    uint32_t n;
};
// old or new is empty where the file was added or removed. Texts may point into them. ERR_NOMEM.
NODISCARD enum err file_parts_of(struct arena *a, enum file_kind kind, struct str path, struct str old,
                                 struct str new, struct file_parts *out);
