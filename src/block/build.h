// SPDX-License-Identifier: Apache-2.0
// Inside `block` only: the state of a block that is being written, shared by the files' builders.
#pragma once

#include "block/file.h"
#include "block/gather.h"
#include "block/marks.h"
#include "block/schema.h"

struct build {
    const struct block_write_opts *opts;
    const struct span_table *t; // what is being written from, and its first n_rows
    uint32_t n_rows;
    struct order order;
    uint32_t *inverse;         // table row -> position in the order, SPAN_NONE = left out
    struct arena arena;        // of the block
    struct arena group_arena;  // of the row group
    struct arena column_arena; // of the column at hand: the next one finds its memory in the cache
    struct out_file spans, traces, events, links;
    bool has_events, has_links;
    struct column_names kept[FILE_COUNT]; // of the blocks before
    struct column_choice span_attrs, event_attrs, link_attrs;
    // values over LARGE_VALUE_BYTES, by hash, each once
    struct large_value {
        uint8_t hash[16];
        struct str bytes;
    } * large;
    uint32_t n_large, cap_large;
    struct rest_sink rest;
    struct time_range main, outliers;
    struct buf marks; // a letter for each row group that was written, see marks.h
};

// The row group at hand.
struct group {
    const struct order_group *order;
    const uint32_t *rows; // of the table, by position
    uint32_t n;
    uint32_t *place; // per table row: position in the group, or >= n
    bool *orphans;   // per run: a parent is not in it
};

NODISCARD enum err spans_open(struct build *b);
NODISCARD enum err spans_group(struct build *b, const struct group *g);
NODISCARD enum err traces_open(struct build *b);
NODISCARD enum err traces_group(struct build *b, const struct group *g);
NODISCARD enum err events_open(struct build *b);
NODISCARD enum err events_group(struct build *b, const struct group *g);
NODISCARD enum err links_open(struct build *b);
NODISCARD enum err links_group(struct build *b, const struct group *g);
// Writes resources.parquet, scopes.parquet and, where there is something, large.parquet and
// split.parquet; adds their sizes to *bytes.
NODISCARD enum err entities_write(struct build *b, uint64_t *bytes);
NODISCARD enum err large_write(struct build *b, uint64_t *bytes);
// n trace ids of 16 bytes; none: no file.
NODISCARD enum err split_write(struct build *b, const uint8_t *ids, uint32_t n, uint64_t *bytes);

void build_init(struct build *b, const struct block_write_opts *opts, struct mem_budget *budget);
void build_fini(struct build *b);
// Opens the four files of row groups, as far as there is something for them.
NODISCARD enum err build_begin(struct build *b);
// Says where the rows of the table are in the order; before the first of these row groups. The memory is
// the arena's.
NODISCARD enum err build_invert(struct build *b, struct arena *a);
// Writes a row group of the order to the four files.
NODISCARD enum err build_group(struct build *b, const struct order_group *og);
// Ends the four files of row groups that were opened, then writes the small ones.
NODISCARD enum err build_finish(struct build *b, const uint8_t *split_ids, uint32_t n_split, uint64_t *bytes);
void build_abort(struct build *b); // closes what is open and removes what is there
// Keeps a value for large.parquet; the same value once.
NODISCARD enum err build_keep_large(void *build, struct str any, uint8_t out_hash[16]);

// Opens a file with its fixed columns, then those of the choice. opts: of the fixed ones.
NODISCARD enum err build_open(struct build *b, struct out_file *f, enum block_file file,
                              const struct pq_column_opts *opts, const struct column_choice *choice);
// Writes the attribute columns from number `first` on.
NODISCARD enum err build_attrs(struct build *b, struct out_file *f, size_t first, struct gather *g,
                               const struct attr_table *attrs, const struct column_choice *choice);
