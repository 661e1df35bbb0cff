// SPDX-License-Identifier: Apache-2.0
// Split traces, joined: where their parts lie is noted while sources are looked at; those that may
// match are then loaded together, with the columns that the question reads, into one table.
// thread: noting by any; the rest by one at a time.
#pragma once

#include "os/thread.h"
#include "query/source.h"

struct split_place { // a part of a split trace
    uint32_t split;  // its number in sources.split
    uint32_t source;
    uint32_t first, n; // of a block: its rows
    uint64_t start_ns; // of the part
    bool in_range;     // a span of it may start in the range; else the filters were not tried
    uint64_t hits;     // bit f: filter f matches a span of it (filters past 63: bit 63), or may
    bool is_told;      // what it adds to the answer is found out already
};

struct split_places {
    struct mutex lock;
    struct split_place *at;
    uint32_t n, cap;
    bool *looked_at; // per source
};
void split_places_init(struct split_places *p);
NODISCARD enum err split_places_begin(struct split_places *p, uint32_t n_sources);
void split_places_fini(struct split_places *p);
// Adds what one source holds. all: nothing else is there, so that it counts as looked at.
NODISCARD enum err split_places_add(struct split_places *p, uint32_t source, const struct split_place *at,
                                    uint32_t n, bool all);

// Looks at split traces, each as a whole: many of them joined in one batch, and those in which two spans
// have one id alone, with all columns, so that equal spans are told from others.
enum { JOINED_TRACES_MAX = 1024 }; // in one batch
struct joining {
    struct view *view;
    const struct query_bounds *bounds;
    struct block_scan *scan; // its arena is reset for each batch
    // doubled: per trace of the batch, those that come again, alone; NULL: none.
    enum err (*each)(void *ctx, struct batch *b, const bool *doubled);
    void *ctx;
    // What became of it:
    uint64_t bytes;       // read for traces alone; others count in the scan
    uint32_t n_left_out;  // traces for which the memory of the bounds was not enough
    uint8_t left_out[16]; // the first of them
};
// All traces with numbers ids[0 … n). wanted: what is read of them; NULL = everything. Errors of `each` end
// it. ERR_CANCELED, ERR_TIMEOUT, ERR_NOMEM, ERR_IO, ERR_CORRUPT.
NODISCARD enum err joining_run(struct joining *j, const struct sources *s, const struct split_places *places,
                               const uint32_t *ids, uint32_t n, const struct block_wanted *wanted);
// One trace with all columns, known or not.
NODISCARD enum err joining_alone(struct joining *j, const uint8_t id[16]);
enum { JOINING_WHY_MAX = 200 };
// Why an answer is partial, where traces were left out.
void joining_why(const struct joining *j, char out[static JOINING_WHY_MAX]);
