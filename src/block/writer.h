// SPDX-License-Identifier: Apache-2.0
// Writes a block: a span table, put in order, becomes Parquet files under
// blocks/<tenant>/<ulid>/ of an object store. All files are durable when block_write returns
// ERR_OK; the block lives once a catalog snapshot names it. thread: any, one block each.
#pragma once

#include "block/meta.h"
#include "block/order.h"
#include "object/object.h"

struct block;

enum { BLOCK_LIKE_MAX = 4 };

struct block_write_opts {
    struct object_store *store;
    struct str tenant;
    const char *id; // ULID
    uint8_t level;
    const struct span_table *table;
    uint32_t n_rows; // of the table
    // When a row was received, for outliers and retention.
    uint64_t (*received_ns)(void *ctx, uint32_t row);
    void *received_ctx;
    struct time_range received;
    // Per trace of the table: does another live block hold spans of it too? NULL = none does.
    const bool *is_split;
    // The newest blocks, the newest first: what is an attribute column in them stays one where the key
    // occurs. No more than BLOCK_LIKE_MAX are looked at; one that cannot be opened is passed over.
    struct block *const *like;
    uint32_t n_like;
    // Told of a trace's rows in each row group, when set: has a span of them an error; are they broken,
    // without a root or with a parent that is not among them?
    void (*on_trace)(void *ctx, uint32_t trace, bool has_error, bool is_broken);
    void *on_trace_ctx;
    struct str version; // of the program, for created_by
    // The memory for building; NULL = unbounded. ERR_NOMEM beyond it.
    struct mem_budget *budget;
};

// On an error nothing of the block is left, as far as the store lets it go.
NODISCARD enum err block_write(const struct block_write_opts *opts, struct block_meta *out);

// The key of a file of a block ("spans", "traces" …), NUL-terminated, into out.
enum { BLOCK_KEY_MAX = 320 };
void block_key(char out[BLOCK_KEY_MAX], struct str tenant, const char *id, const char *file);
// The folder of all its files, with a '/' at the end.
void block_prefix(char out[BLOCK_KEY_MAX], struct str tenant, const char *id);
