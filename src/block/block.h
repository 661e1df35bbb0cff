// SPDX-License-Identifier: Apache-2.0
// A block that was written: opened when first asked, shared by any number of queries, and removed
// from the store when it is dead and nobody holds it any more.
// thread: any; what a query needs for itself is in its struct block_scan.
#pragma once

#include "block/meta.h"
#include "object/object.h"
#include "parquet/parquet.h"
#include "span/field.h"
#include "span/table.h"

struct block;

// One reference is the caller's. No I/O. tenant and store outlive the block.
NODISCARD enum err block_new(struct object_store *store, struct str tenant, const struct block_meta *meta,
                             struct block **out);
struct block *block_ref(struct block *b);
void block_unref(struct block *b); // NULL is fine
const struct block_meta *block_meta(const struct block *b);
// No view will name it again: its files go with the last reference.
void block_mark_dead(struct block *b);
// Removes the files of a block, as far as they are there.
void block_remove_files(struct object_store *store, struct str tenant, const char *id);

// What one query holds while it reads blocks. thread: one at a time.
struct block_scan {
    struct pq_decoder *decoder;
    struct arena arena; // of one block; reset by each call below that says so
    uint64_t bytes_read;
    bool uses_cache;             // decoded columns are kept for later scans; set it after init
    struct cached_column **pins; // that this scan was given, until it is reset
    uint32_t n_pins, cap_pins;
};
NODISCARD enum err block_scan_init(struct block_scan *s, struct mem_budget *budget);
void block_scan_reset(struct block_scan *s); // nothing that was read into the arena is used any more
void block_scan_fini(struct block_scan *s);

// Kept columns that an answer points into: they stay until the answer is written.
struct block_pins {
    struct cached_column **at;
    uint32_t n, cap;
};
// Takes over all that the scan was given. ERR_NOMEM: nothing was taken.
NODISCARD enum err block_pins_take(struct block_pins *p, struct block_scan *from);
void block_pins_release(struct block_pins *p); // {0} is fine

// A trace's rows within a row group.
struct block_run {
    uint32_t group, first, n;
};
enum { BLOCK_RUNS_MAX = 64 }; // a trace in more row groups of one block than this: ERR_LIMIT

// Where the trace is; *out_n = 0: not here. Resets the arena.
NODISCARD enum err block_find(struct block *b, struct block_scan *s, const uint8_t id[16],
                              struct block_run *out, uint32_t *out_n);
// The same of n traces at once: `each` is called with the number of an id and one of its runs, row group by
// row group. skip: by row group, those that are not looked into; NULL: none. Resets the arena. An error of
// `each` ends it.
NODISCARD enum err block_find_many(struct block *b, struct block_scan *s, const uint8_t *const *ids,
                                   uint32_t n, const bool *skip,
                                   enum err (*each)(void *ctx, uint32_t id, const struct block_run *run),
                                   void *ctx);
// false only if the trace is surely not here. From memory after the first call.
NODISCARD enum err block_may_hold(struct block *b, struct block_scan *s, const uint8_t id[16], bool *out);
// Sets held[i] for each of n ids that the block surely holds; the others are left as they are.
// Resets the arena.
NODISCARD enum err block_hold_many(struct block *b, struct block_scan *s, const uint8_t *const *ids,
                                   uint32_t n, bool *held);

// Appends rows [first, first + n) of a row group to a table (which is not published). Resets the
// arena. ERR_CORRUPT when the block contradicts itself.
NODISCARD enum err block_load(struct block *b, struct block_scan *s, uint32_t group, uint32_t first,
                              uint32_t n, struct span_table *dst);

// What of its spans is loaded: ids, parents, times, names, status, services, and these fields. Equal spans
// may look equal that are not.
struct block_wanted {
    const struct field *fields;
    uint32_t n;
};
struct block_trace_run { // whose rows are all of one trace
    uint8_t id[16];
    uint32_t first, n;
};
// The same for many traces of a row group at once, columns opened once. Ascending runs are fastest.
NODISCARD enum err block_load_traces(struct block *b, struct block_scan *s, uint32_t group,
                                     const struct block_wanted *wanted, const struct block_trace_run *runs,
                                     uint32_t n, struct span_table *dst);

// Of an opened block.
uint32_t block_n_groups(struct block *b);
uint32_t block_group_rows(struct block *b, uint32_t group);

// When the traces of a row group of an opened block start, and a time at or after the start of their
// last span. false: not known.
bool block_group_times(const struct block *b, uint32_t group, struct time_range *starts,
                       uint64_t *last_start_ns);

// What a search sees of the traces of a row group, without touching spans.
struct block_traces {
    uint32_t n;
    const uint8_t *id; // 16 bytes each
    const int32_t *rows, *errors;
    const int64_t *start_ns, *duration_ns;
    const int64_t *last_ns; // start of the last span, from the trace's start
    // Only when texts are asked for:
    const struct str *root_service, *root_name; // "" and has_root = false: none was seen
    const bool *has_root;
    const struct str *services; // {"name":[spans,errors],…}
};
// Resets the arena, where the arrays are.
NODISCARD enum err block_read_traces(struct block *b, struct block_scan *s, uint32_t group, bool texts,
                                     struct block_traces *out);
// The trace ids of split.parquet: n ids, in the memory of the block; n = 0: none.
NODISCARD enum err block_split(struct block *b, struct block_scan *s, const uint8_t **out_ids,
                               uint32_t *out_n);
// May a field have this text in a row of the row group? *out = false only if surely not. Knows attributes
// and names; from memory after the first call for a column, where there is room. Resets the arena.
NODISCARD enum err block_may_hold_text(struct block *b, struct block_scan *s, uint32_t group,
                                       const struct field *f, struct str text, bool *out);
// What questions decoded stays with the blocks, up to 128 MiB in all; at most this, if it is less. Before
// any thread uses a block.
void block_memo_limit(uint64_t bytes);
struct block_memo_stats {
    uint64_t dicts, traces, filters; // bytes of memory
    uint64_t trace_pages; // large pages (base/slab.h) that traces lie in, with the room between them
};
void block_memo_stats(struct block_memo_stats *out);
// Decoded columns of all blocks take at most so many bytes together; 0, as at first: none are kept. Before
// any thread uses a block.
void block_cache_limit(uint64_t bytes);
struct block_cache_stats {
    uint64_t bytes, limit, hits, misses; // columns of a row group that were there, and that were decoded
    uint64_t pages;                      // large pages that columns lie in, with the room between them
};
void block_cache_stats(struct block_cache_stats *out);
// Opens the files, so that later calls meet no missing ones.
NODISCARD enum err block_open(struct block *b, struct block_scan *s);
