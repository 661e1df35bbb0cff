// SPDX-License-Identifier: Apache-2.0
// What every question shares: its bounds, and what it looked at. thread: any.
#pragma once

#include "base/str.h"
#include "os/clock.h"
#include "query/crew.h"

struct query_memory;

struct query_bounds {
    uint64_t start_ns, end_ns;   // spans that start in (start, end]; 0, 0 = all time
    struct clock *clock;         // of the deadline
    uint64_t deadline_ns;        // monotonic; 0 = none
    uint64_t memory_max;         // bytes; 0 = none
    struct query_memory *memory; // of all questions together; NULL = no limit of that kind
    bool (*canceled)(void *ctx); // asked now and then, by any thread; NULL = never
    void *canceled_ctx;
    struct crew *crew; // helping threads; NULL = none
};

struct query_stats {
    uint64_t traces, spans, bytes; // looked at; bytes read from blocks
    uint32_t blocks, blocks_total; // read, and in the view
    uint32_t groups, groups_total; // row groups read, and in those blocks
};

// While a question runs, its own thread tells now and then what was looked at so far. An error ends the
// question with it.
struct query_teller {
    enum err (*tell)(void *ctx, const struct query_stats *so_far); // NULL = nobody listens
    void *ctx;
    uint64_t every_ns; // with the clock of the bounds
};
