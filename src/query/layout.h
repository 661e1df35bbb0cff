// SPDX-License-Identifier: Apache-2.0
// Inside `query` only: what every question about a view wants to know of its blocks, found out by the first
// one and kept with the view: the row groups, newest first, and the split traces. Past the memory for it each
// question finds it out anew. thread: any.
#pragma once

#include "query/source.h"

struct layout {
    struct view_kept kept;
    struct mem_budget *budget; // NULL: of one question alone
    uint64_t map_bytes;        // taken off the budget for the map of split traces
    struct arena arena;
    struct split_set split; // of the blocks alone
    struct source *at;
    uint32_t *block; // of each source: its number in the view
    uint32_t n;
};

// *out lives as long as the view, and until layout_give. ERR_CANCELED, ERR_TIMEOUT by the bounds.
NODISCARD enum err layout_take(struct view *v, const struct query_bounds *bounds, struct block_scan *scan,
                               const struct layout **out);
void layout_give(const struct layout *l); // NULL is fine

// Latest newest_ns first.
int source_newest_first(const void *x, const void *y);
