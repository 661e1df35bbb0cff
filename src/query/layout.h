// SPDX-License-Identifier: Apache-2.0
// Inside `query` only: what every question about a view wants to know of its blocks, found out by the first
// one and kept with the view: the row groups, newest first, and the split traces. Past the memory for it each
// question finds it out anew. thread: any.
#pragma once

#include "query/find.h"
#include "query/source.h"

// What a split trace is as a whole. No two of its spans have one id, and none lies in a head.
struct whole {
    struct trace_summary summary;
    uint64_t last_start_ns;
};

struct layout {
    struct view_kept kept;
    struct mem_budget *budget; // NULL: of one question alone
    uint64_t map_bytes;        // taken off the budget for the map of split traces
    struct arena arena;
    struct split_set split;              // of the blocks alone
    const struct whole *_Atomic *wholes; // per split trace; NULL: not found out yet
    struct source *at;
    uint32_t *block; // of each source: its number in the view
    uint32_t n;
};

// *out lives as long as the view, and until layout_give. ERR_CANCELED, ERR_TIMEOUT by the bounds.
NODISCARD enum err layout_take(struct view *v, const struct query_bounds *bounds, struct block_scan *scan,
                               const struct layout **out);
void layout_give(const struct layout *l); // NULL is fine

// NULL: not known. It lives as long as the layout.
const struct whole *layout_whole(const struct layout *l, uint32_t split);
// Would one more be kept?
bool layout_keeps_wholes(const struct layout *l);
// Keeps a copy, if there is memory for it and no other thread was faster.
void layout_keep_whole(const struct layout *l, uint32_t split, const struct whole *w);

// Latest newest_ns first.
int source_newest_first(const void *x, const void *y);
