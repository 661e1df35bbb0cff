// SPDX-License-Identifier: Apache-2.0
// Inside `block` only: which row groups of the inputs of a merge are copied, and which are written
// anew together. Worth writing anew is one with under PLAN_SMALL_ROWS rows, or of whose traces more
// than 5 % also lie in other row groups of the merge; with it go those that share the most traces with
// it, then small ones. Outliers stay among themselves. A row group that was written anew before, or
// would be so alone, is copied.
#pragma once

#include "block/marks.h"
#include "block/order.h"

enum {
    PLAN_SMALL_ROWS = 32768,
    PLAN_BATCH_ROWS = 2 * BLOCK_GROUP_ROWS, // written anew together; they are in memory at once
    PLAN_CANDIDATES_MAX = 256,              // what a merge has beyond that is copied
};

struct merge_group { // a row group of an input
    uint32_t input, group;
    uint32_t n_rows, n_traces;
    uint32_t n_shared; // traces that also lie where this one could be joined with
    uint64_t start_ns; // the earliest of a span
    struct group_mark mark;
    uint32_t batch; // 0 = copied; else it is written anew with the others of this number
};

struct merge_trace { // a trace in a row group
    uint8_t id[16];
    uint32_t group; // index in groups
};

struct merge_plan {
    struct merge_group *groups; // in the order in which they are written: batches lie together
    uint32_t n_groups;
    struct merge_trace *traces; // by id
    uint32_t n_traces;
};

// The inputs are open. All memory is the arena's; resets that of the scan.
NODISCARD enum err merge_plan_make(struct block *const *inputs, uint32_t n_inputs, struct block_scan *s,
                                   struct arena *a, struct merge_plan *out);
// Takes traces out: the row groups that hold them are written anew, each alone unless it is already.
void merge_plan_drop(struct merge_plan *p, const uint8_t (*ids)[16], uint32_t n);
