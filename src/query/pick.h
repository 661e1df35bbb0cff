// SPDX-License-Identifier: Apache-2.0
// A part of a loaded trace: the spans that a filter matches, with as much of the tree around them as is
// asked for. thread: that of the trace.
#pragma once

#include "query/trace.h"
#include "traceql/traceql.h"

struct pick {
    const struct ql_query *query;
    bool ancestors;         // keep those of the matches too
    int64_t match_depth;    // levels of descendants kept below a match; -1 = all
    int64_t ancestor_depth; // levels of ancestors; -1 = all
};

// ERR_INVALID unless the query is a single { … } over spans, without what the trace as a whole is.
NODISCARD enum err pick_check(const struct ql_query *q, struct err_ctx *ctx);
// Leaves in t->rows, in their order, what is picked. The query has been checked. ERR_LIMIT: a regular
// expression took too long. ERR_NOMEM.
NODISCARD enum err pick_run(struct trace *t, const struct pick *p, struct err_ctx *ctx);
