// SPDX-License-Identifier: Apache-2.0
// Finds the patterns that many names follow, one name at a time. Pure. thread: one at a time.
#pragma once

#include "base/map.h"
#include "vcs/tags.h"

struct tag_shapes {
    struct arena arena; // of keys and examples
    struct buf found;   // of struct shape
    struct map by_key;
    uint32_t n_shapeless;
};

void tag_shapes_init(struct tag_shapes *t);
void tag_shapes_fini(struct tag_shapes *t);
// ERR_NOMEM. What does not fit is counted in n_shapeless.
NODISCARD enum err tag_shapes_add(struct tag_shapes *t, struct str name);
// The patterns, most names first; the collection is used up. They live in a.
NODISCARD enum err tag_shapes_list(struct tag_shapes *t, struct arena *a, struct tag_shape **out,
                                   uint32_t *out_n);
