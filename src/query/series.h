// SPDX-License-Identifier: Apache-2.0
// TraceQL metrics: series over time, or one value for the whole range. Spans count whose start lies
// in (start, end]; intervals are closed on the right and named by their end. thread: any.
#pragma once

#include "exec/metrics.h"
#include "ingest/ingest.h"
#include "query/memory.h"

struct series_query {
    const struct ql_query *query; // metrics
    struct query_bounds bounds;   // start and end must be given
    uint64_t step_ns;             // 0: one interval, the whole range (instant), closed on both sides
    uint32_t exemplars;           // at most so many in all; 0 = none
    uint32_t max_series;          // 0 = the configured limit
    bool anew;                    // everything is counted; nothing is kept, nor taken from what was
    struct query_teller teller;
};

struct series_answer {
    struct arena arena;
    struct metric_series *series; // by number of labels, then key, then value
    uint32_t n;
    struct query_bounds bounds; // of writing it
    struct query_held held;     // the arena's, of the memory of all questions
    bool partial;
    char why[200];
    struct query_stats stats;
};

// Errors as find_run's. When the time is up, what was counted is answered; for the answer there is a quarter
// of the query's time more, and past that ERR_TIMEOUT.
NODISCARD enum err series_run(struct view *v, const struct series_query *q, struct series_answer *out,
                              struct err_ctx *ctx);
// While the answer is written: ERR_CANCELED, ERR_TIMEOUT. waited_ns: for the reader, which is no time of the
// query.
NODISCARD enum err series_go_on(struct series_answer *r, uint64_t waited_ns, struct err_ctx *ctx);
void series_fini(struct series_answer *r);
