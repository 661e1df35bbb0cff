// SPDX-License-Identifier: Apache-2.0
// A question in TraceQL on its way, the same whether it came by HTTP, by gRPC or from the command
// line: what it was read from, what it is asked of, under which limits, and what became of it.
// thread: one at a time.
#pragma once

#include "api/params.h"
#include "ingest/ingest.h"
#include "query/stats.h"
#include "traceql/traceql.h"

struct ask_limits {
    struct clock *clock;
    struct crew *crew;               // helping threads; NULL = none
    uint64_t timeout_ns, memory_max; // 0 = none
    uint64_t trace_bytes_max;        // of a trace that is looked at as a whole; 0 = none
    struct query_memory *memory;     // of all questions; NULL = none
    uint64_t progress_ns;            // between what is told of it on the way
    uint64_t deadline_ns;            // monotonic: the client's own; 0 = none
    bool (*canceled)(void *ctx);     // NULL = never
    void *canceled_ctx;
    // Of the server that is asked; a data directory has none.
    bool knows_load;
    double saturation;     // of ingest, 0 to 1
    uint64_t retention_ns; // 0: for ever
};

enum { ASK_QUERIES_MAX = 4, ASK_NOTE_MAX = 240 };

struct ask {
    struct view *view;
    const struct ask_limits *limits;
    struct params params;
    struct str path;      // decoded, where the question was put
    struct arena arena;   // of the question
    uint64_t deadline_ns; // monotonic; 0 = none
    struct ql_query *queries[ASK_QUERIES_MAX];
    uint32_t n_queries;
    // What is wrong, when something is:
    struct err_ctx ctx;
    struct str text; // the TraceQL that ctx is about
    // What an answer says beside its body; "" = nothing. Printable ASCII, fit for headers.
    char next[64], scan[ASK_NOTE_MAX], partial[ASK_NOTE_MAX];
};

// view and limits outlive the ask. query: as struct params has it.
void ask_init(struct ask *k, struct view *view, const struct ask_limits *limits, struct str query);
void ask_fini(struct ask *k);

// Parses; the query lives as long as the ask. ERR_INVALID, ERR_LIMIT: k->ctx says why.
NODISCARD enum err ask_parse(struct ask *k, struct str text, struct ql_query **out);
// The same, and it must be a search (or metrics).
NODISCARD enum err ask_parse_search(struct ask *k, struct str text, struct ql_query **out);
NODISCARD enum err ask_parse_metrics(struct ask *k, struct str text, struct ql_query **out);
struct query_bounds ask_bounds(const struct ask *k, uint64_t start_ns, uint64_t end_ns);

void ask_note_scan(struct ask *k, const struct query_stats *s);
// Why an answer is partial. ERR_TIMEOUT when the deadline passed and nothing was looked at.
NODISCARD enum err ask_note_partial(struct ask *k, const char *why, const struct query_stats *s);

// For people: the text of k->ctx, the line of the query and a caret under the place.
void ask_explain(const struct ask *k, enum err e, struct buf *out);
// The same reaction everywhere: what a question gets wrong is 400, also its limits.
int ask_status(enum err e);
