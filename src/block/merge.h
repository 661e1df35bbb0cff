// SPDX-License-Identifier: Apache-2.0
// Merges blocks. Row groups are copied byte for byte (only footers, the references to resources and
// scopes and the small tables are written anew), but for those that merge_plan.h picks: their spans
// are sorted and encoded anew together, so that the traces which they share become whole. Traces
// that still lie in several row groups are listed in split.parquet.
// thread: any.
#pragma once

#include "block/block.h"
#include "block/writer.h"

enum { BLOCK_MERGE_INPUTS_MAX = 64 };

struct block_merge_opts {
    struct object_store *store;
    struct str tenant;
    const char *id; // ULID of the output
    struct str version;
    struct mem_budget *budget;
    // Spans that are written anew are no longer added to those in memory once these take so much; 0 =
    // whatever they take.
    uint64_t encode_bytes;
    struct block *const *inputs;
    uint32_t n_inputs;
    struct block *const *others; // the other live blocks: they may hold traces of the inputs too
    uint32_t n_others;
    // Traces that are left out. Row groups that hold none of them are still copied.
    const uint8_t (*dropped)[16];
    uint32_t n_dropped;
    struct err_ctx *why; // of ERR_UNSUPPORTED, for people; may be NULL
};

// At least one span must be left. ERR_UNSUPPORTED: what is to be copied does not fit one schema (too many
// columns, or keys equal but for case); nothing is left behind then, or on any other error.
NODISCARD enum err block_merge(const struct block_merge_opts *opts, struct block_meta *out);
