// SPDX-License-Identifier: Apache-2.0
// A row group of a block as a batch: columns are opened when they are asked for, and of them only the
// pages of the rows asked for are read and unpacked. thread: one at a time; the block may be shared.
#pragma once

#include "block/block.h"
#include "span/batch.h"

struct block_batch {
    struct batch batch; // the first member
    struct block *block;
    struct block_scan *scan;
    uint32_t group;
    uint64_t bytes_before; // what the scan had read already
    struct batch_memo *memo;
};

// Opens the block if need be, and reads of the row group what batch_trace holds. The block, held by
// the caller, and the scan outlive the batch; its memory is the scan's arena, which the caller resets
// between batches. All calls of the batch give ERR_CORRUPT where the block contradicts itself.
NODISCARD enum err block_batch_open(struct block_batch *b, struct block *block, struct block_scan *scan,
                                    uint32_t group);
// The same without its traces, for those who only want keys, and columns that are not of traces.
NODISCARD enum err block_batch_open_columns(struct block_batch *b, struct block *block,
                                            struct block_scan *scan, uint32_t group);
// Adds the traces to a batch that was opened without.
NODISCARD enum err block_batch_add_traces(struct block_batch *b);
