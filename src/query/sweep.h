// SPDX-License-Identifier: Apache-2.0
// Inside `query` only: every batch of a view once, in no order, for those who gather things that many
// spans have in common. Without a filter nothing of spans is read. thread: one at a time.
#pragma once

#include "ingest/ingest.h"
#include "query/memory.h"
#include "span/batch.h"
#include "traceql/traceql.h"

struct swept {
    struct batch *batch;
    // The rows that the filter leaves, at least one; NULL: there is no filter, and then rows of the batch may
    // lie out of the range.
    const uint64_t *bits;
    bool is_head;         // dictionaries may hold what no row has
    uint32_t worker;      // below sweep_workers: no two calls have the same at once
    struct arena *answer; // of the worker; what it holds lives on in the answer of the sweep
};

struct sweep {
    struct view *view;
    const struct query_bounds *bounds;
    const struct ql_query *filter; // a search, or NULL
    bool needs_traces;             // of the batches, also without a filter
    struct arena *answer;          // fresh; counts against the memory of the bounds
    // Called by several threads at once, so that none waits for memory while others wait for it: each gathers
    // for itself, and `end` joins what they have. Its errors end the sweep.
    enum err (*each)(void *ctx, const struct swept *x);
    enum err (*end)(void *ctx); // once, after all; not when the sweep ends with an error. NULL: nothing
    void *ctx;
    // What became of it:
    struct query_stats *stats;
    bool partial;             // deadline or memory ended it
    char *why;                // of at least 200 bytes
    struct query_held held;   // by `answer`, of the memory of all questions: to be released with it
    struct query_share share; // private
    struct arena *answers;    // private: of the workers
};
uint32_t sweep_workers(const struct query_bounds *b);
// ERR_INVALID: the filter is no search. ERR_AGAIN: others have all the memory. ERR_CANCELED, ERR_LIMIT (a
// regular expression took too long), ERR_NOMEM, ERR_IO, ERR_CORRUPT.
NODISCARD enum err sweep_run(struct sweep *s, struct err_ctx *ctx);
