// SPDX-License-Identifier: Apache-2.0
// Inside `query` only: every batch of a view once, in no order, for those who gather things that many
// spans have in common. Without a filter nothing of spans is read. thread: one at a time.
#pragma once

#include "ingest/ingest.h"
#include "query/memory.h"
#include "span/batch.h"
#include "traceql/traceql.h"

struct sweep {
    struct view *view;
    const struct query_bounds *bounds;
    const struct ql_query *filter; // a search, or NULL
    bool needs_traces;             // of the batches, also without a filter
    struct arena *answer;          // fresh; counts against the memory of the bounds
    // Called by one thread at a time. bits: the rows that the filter leaves, at least one; NULL: there is no
    // filter, and then rows of the batch may lie out of the range. is_head: dictionaries may hold what no row
    // has.
    enum err (*each)(void *ctx, struct batch *b, const uint64_t *bits, bool is_head);
    void *ctx;
    // What became of it:
    struct query_stats *stats;
    bool partial;             // deadline or memory ended it
    char *why;                // of at least 200 bytes
    struct query_held held;   // by `answer`, of the memory of all questions: to be released with it
    struct query_share share; // private
};
// Errors of `each` end it. ERR_INVALID: the filter is no search. ERR_AGAIN: others have all the memory.
// ERR_CANCELED, ERR_LIMIT (a regular expression took too long), ERR_NOMEM, ERR_IO, ERR_CORRUPT.
NODISCARD enum err sweep_run(struct sweep *s, struct err_ctx *ctx);
