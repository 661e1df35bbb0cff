// SPDX-License-Identifier: Apache-2.0
// What a query sees: heads, frozen heads and the blocks of one snapshot, as one immutable object
// taken by one reference. Cut, merge and retention publish a new one; the files of a block stay
// until no view holds it. thread: any.
#pragma once

#include "block/block.h"
#include "block/catalog.h"
#include "ingest/head.h"

// What was found out of a view's blocks and serves every question about it: of `query`, freed with the view.
struct view_kept {
    void (*free)(struct view_kept *k);
};

struct view {
    _Atomic uint32_t refs;
    struct view_kept *_Atomic kept; // NULL = nothing yet
    uint64_t snapshot;              // of the catalog
    struct head **heads;            // the active one first, then the frozen ones, newest first
    uint32_t n_heads;
    struct block **blocks; // newest spans first
    uint32_t n_blocks;
};

// References are taken on all parts. heads[0] is the active one.
NODISCARD enum err view_new(struct head *const *heads, uint32_t n_heads, struct block *const *blocks,
                            uint32_t n_blocks, uint64_t snapshot, struct view **out);
struct view *view_ref(struct view *v);
void view_unref(struct view *v); // NULL is fine
// Keeps it from now on, if nothing is kept yet; false: the caller's it stays.
bool view_keep(struct view *v, struct view_kept *k);
