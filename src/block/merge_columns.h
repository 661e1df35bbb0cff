// SPDX-License-Identifier: Apache-2.0
// Inside `block` only: the attribute columns of the output of a merge. Those of what is copied must all
// be there; the others of the inputs follow as long as there is room, by number of values.
#pragma once

#include "block/build.h"
#include "block/merge_plan.h"

struct merge_columns { // n, name and type are set; see column_bind
    struct column_choice span, event, link;
};

// ERR_UNSUPPORTED when what is copied does not fit one schema. The memory is the arena's.
NODISCARD enum err merge_columns_choose(struct merge_columns *c, struct block *const *inputs,
                                        const struct merge_plan *p, struct arena *a, struct err_ctx *why);
// The files are opened with these columns …
void merge_columns_set(const struct merge_columns *c, struct build *b);
// … and filled from the table b->t.
NODISCARD enum err merge_columns_bind(const struct merge_columns *c, struct build *b, struct arena *a);
