// SPDX-License-Identifier: Apache-2.0
// Merges blocks by copying their row groups byte for byte: only footers, the references to
// resources and scopes (their dictionary pages) and the small tables are written anew. Row groups
// keep their order; traces that lie in several of them are listed in split.parquet.
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
    struct block *const *inputs;
    uint32_t n_inputs;
    struct block *const *others; // the other live blocks: they may hold traces of the inputs too
    uint32_t n_others;
};

// ERR_UNSUPPORTED: these blocks do not fit one schema (too many columns, or keys equal but for
// case); nothing is left behind then, or on any other error.
NODISCARD enum err block_merge(const struct block_merge_opts *opts, struct block_meta *out);
