// SPDX-License-Identifier: Apache-2.0
// Where the spans of a view lie: heads and row groups of blocks, each a batch, newest first; and the
// set of split traces, whose spans lie in more than one of them.
// thread: sources are made by one thread, then read by any; a source_batch is one thread's.
#pragma once

#include "block/batch.h"
#include "exec/bits.h"
#include "ingest/head_index.h"
#include "ingest/view.h"
#include "query/stats.h"
#include "span/table_batch.h"

struct source {
    struct head *head; // or:
    struct block *block;
    uint32_t group;
    struct head_index *index;     // of the head
    uint64_t first_ns, newest_ns; // earliest and latest start of a trace in it (bounds)
    uint64_t last_ns;             // no span starts later
};

enum { SPLIT_BITS = 1 << 16 };
struct split_set {
    const struct split_set *base; // whose ids come first; NULL: none
    struct arena arena;
    struct map map;
    uint8_t (*ids)[16]; // its own
    uint32_t n;         // those of the base too
    uint32_t cap;
    uint64_t filter[SPLIT_BITS / 64]; // a trace whose bit is clear is not in the set
};

struct sources {
    struct source *at; // latest newest_ns first
    uint32_t n;
    uint32_t n_left_out; // outside of the range
    struct split_set split;
    uint32_t n_blocks;
    const struct layout *layout; // what the view's blocks say, which the above is made of
};

// Sources that may hold spans starting in (start, end] (0, 0: all), and the split traces of the
// whole view. The view outlives them.
NODISCARD enum err sources_open(struct view *v, const struct query_bounds *bounds, struct sources *out);
void sources_close(struct sources *s);
// What is known of the blocks of views takes at most so many bytes, and 32 MiB. Before any question.
void query_layout_limit(uint64_t bytes);

// base: outlives it, and is not added to meanwhile. budget: may be NULL.
void split_set_init(struct split_set *s, const struct split_set *base, struct mem_budget *budget);
void split_set_fini(struct split_set *s);
NODISCARD enum err split_set_add(struct split_set *s, const uint8_t id[16]); // once
static inline const uint8_t *split_id(const struct split_set *s, uint32_t number) {
    uint32_t of_base = s->base ? s->base->n : 0;
    return number < of_base ? s->base->ids[number] : s->ids[number - of_base];
}
// Ids are random bits mostly: a product keeps nearly all others out.
static inline uint32_t split_bit(const uint8_t id[16]) {
    uint64_t x, y;
    memcpy(&x, id, sizeof x);
    memcpy(&y, id + 8, sizeof y);
    return (uint32_t)((x ^ y << 7 ^ y >> 57) * 0x9e3779b97f4a7c15u >> 48);
}
static inline bool split_has_bit(const struct split_set *s, const uint8_t id[16]) {
    uint32_t bit = split_bit(id);
    return s->filter[bit / 64] >> (bit % 64) & 1;
}
// The number of a trace of the set, or MAP_NONE.
uint32_t split_find_slow(const struct split_set *s, const uint8_t id[16]);
static inline uint32_t split_find(const struct split_set *s, const uint8_t id[16]) {
    return split_has_bit(s, id) ? split_find_slow(s, id) : MAP_NONE;
}
static inline bool split_has(const struct split_set *s, const uint8_t id[16]) {
    return split_find(s, id) != MAP_NONE;
}

// What a thread holds to read sources, one after the other.
struct source_batch {
    struct block_scan scan;
    union {
        struct table_batch table;
        struct block_batch block;
    };
};
NODISCARD enum err source_batch_init(struct source_batch *b, struct mem_budget *budget);
void source_batch_fini(struct source_batch *b);
// The batch lives until the next open or fini.
NODISCARD enum err source_open(const struct source *s, struct source_batch *b, struct batch **out);
// The same without the traces of a block; source_add_traces brings them.
NODISCARD enum err source_open_columns(const struct source *s, struct source_batch *b, struct batch **out);
NODISCARD enum err source_add_traces(const struct source *s, struct source_batch *b);

// Does a span of the trace (start to last) start in the range?
enum in_range { OUT_OF_RANGE, IN_RANGE, MAYBE_IN_RANGE };
enum in_range range_of(const struct query_bounds *b, uint64_t start, uint64_t last);
static inline bool range_has(const struct query_bounds *b, uint64_t t) {
    return (b->start_ns == 0 && b->end_ns == 0) || (t > b->start_ns && t <= b->end_ns);
}

// Which traces of the batch have a span in the range, or may have (all: as if all had); *in NULL: all.
// *mask: the rows of those traces; NULL: all rows.
NODISCARD enum err batch_in_range(struct batch *b, const struct query_bounds *bounds, bool all,
                                  const bool **in, const uint64_t **mask, bool *any);

// ERR_CANCELED, ERR_TIMEOUT when it is time to stop.
NODISCARD enum err bounds_check(const struct query_bounds *b);
