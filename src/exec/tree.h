// SPDX-License-Identifier: Apache-2.0
// The trees that the spans of a batch form by their parents, whatever is missing: a span whose
// parent is not there hangs on nothing; walks upward end where they come back to their start.
// Everything is made when first asked for. Memory is the batch's arena's. thread: the batch's.
#pragma once

#include "span/batch.h"

struct tree {
    struct batch *batch;
    const uint32_t *parent;              // by row: row, BATCH_ROOT or BATCH_ORPHAN; NULL = not made
    const uint32_t *place;               // by row: position in `order`; NULL where order is NULL
    const uint32_t *trace;               // by row: its trace
    const uint32_t *child_count;         // by row
    const int32_t *left, *right, *above; // nested sets, by row
};

void tree_init(struct tree *t, struct batch *b);
NODISCARD enum err tree_parents(struct tree *t);
NODISCARD enum err tree_places(struct tree *t); // only where the batch has an order
NODISCARD enum err tree_traces(struct tree *t);
NODISCARD enum err tree_child_counts(struct tree *t);
// Roots in order are numbered from 1, depth first, children in order; 0: not connected to a root.
NODISCARD enum err tree_nested_sets(struct tree *t);

// The position of a row in the batch's order.
static inline uint32_t tree_place(const struct tree *t, uint32_t row) {
    return t->place ? t->place[row] : row;
}
