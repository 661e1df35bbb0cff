// SPDX-License-Identifier: Apache-2.0
// The files below a directory as keys in byte order, whatever order the folders have.
#pragma once

#include "object/object_internal.h"
#include "os/disk.h"

enum object_walk {
    OBJECT_WALK_KEYS, // files whose path is a key
    OBJECT_WALK_TEMP, // files whose name begins with '~'
};

// Calls each for the files that begin with prefix and come after `after`. What vanishes while the
// walk is under way is passed over.
NODISCARD enum err object_walk(struct disk *d, const char *dir, enum object_walk what, struct str prefix,
                               struct str after, void *ctx,
                               enum err (*each)(void *ctx, struct str key, uint64_t size_bytes));
