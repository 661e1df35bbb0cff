// SPDX-License-Identifier: Apache-2.0
// What queries want to know of a head and is costly to find out: its rows by trace, and which of its
// traces lie elsewhere too. Kept with the head and brought up to date when asked for. thread: any.
#pragma once

#include "block/block.h"
#include "ingest/head.h"
#include "span/table_batch.h"

struct head_index {
    _Atomic uint32_t refs;
    struct table_index rows;
};
// Of the spans that are published now; to be released.
NODISCARD enum err head_index_take(struct head *h, struct head_index **out);
void head_index_release(struct head_index *x); // NULL is fine

// Calls for each trace of the head that one of the blocks or of the older heads holds too; may also
// name traces that a block held which is gone.
NODISCARD enum err head_shared_traces(struct head *h, struct head *const *older, uint32_t n_older,
                                      struct block *const *blocks, uint32_t n_blocks, struct block_scan *s,
                                      enum err (*each)(void *ctx, const uint8_t id[16]), void *ctx);
