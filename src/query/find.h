// SPDX-License-Identifier: Apache-2.0
// A search in TraceQL: whole traces, newest first by their start, then by id, exactly, whatever lies
// where. A trace is in the range when one of its spans starts in (start, end]; then all of it is
// judged. thread: any.
#pragma once

#include "ingest/ingest.h"
#include "query/memory.h"
#include "traceql/traceql.h"

enum { SEARCH_LIMIT_MAX = 262144 };

struct find_trace;

struct find {
    const struct ql_query *query; // a search
    struct query_bounds bounds;
    uint32_t limit;         // 1 … SEARCH_LIMIT_MAX
    uint32_t spans_per_set; // 0: traces are shown without sets
    bool count;             // look at everything, so that `total` is exact
    bool errors;            // say of spans whether they are in error
    bool anew;              // everything is filtered; nothing is kept, nor taken from what was
    // The page after this trace.
    bool has_after;
    uint64_t after_start_ns;
    uint8_t after_id[16];
    struct query_teller teller;
    // Called before teller.tell, which is not NULL then, for traces that are sure to be in the answer as
    // they are now; each once. In no order.
    enum err (*found)(void *ctx, const struct find_trace *t);
};

struct trace_summary {
    uint8_t id[16];
    uint64_t start_ns, duration_ns;
    bool has_root;
    struct str root_service, root_name;
    uint32_t spans;
    struct str services; // span/services.h, with its pad
};

struct find_attr {
    struct str key; // as answers name it: attributes without scope, intrinsics by their own name
    struct value value;
};
struct find_span {
    uint64_t span_id;        // the 8 bytes as they are
    struct str name;         // has_name: the query reads it
    bool has_name, is_error; // is_error: of find.errors
    uint64_t start_ns, duration_ns;
    const struct find_attr *attrs; // what the query reads and selects, where the span has it
    uint32_t n_attrs;
};
struct find_set {
    const struct find_attr *attrs; // by(…), count() …
    uint32_t n_attrs;
    uint32_t matched; // spans, before the cut to spans_per_set
    const struct find_span *spans;
    uint32_t n_spans;
};
struct find_trace {
    struct trace_summary summary;
    const struct find_set *sets;
    uint32_t n_sets;
};
struct find_result {
    struct arena arena;      // of the list
    struct arena *arenas;    // of what is in it
    struct block_pins *pins; // per arena: columns that it points into
    uint32_t n_arenas;
    struct find_trace *traces;
    uint32_t n;
    const struct str *columns; // keys of attributes that spans may be shown with, in the order of the text;
    uint32_t n_columns;        // ptr NULL: none
    uint64_t total;            // traces that match, as far as was looked; exact when is_exact
    uint64_t matched_spans;    // the same for spans
    bool is_exact;             // every trace in the range was looked at
    bool has_more;             // there may be a next page
    bool partial;              // deadline or memory ended it
    char why[200];             // then: why
    struct query_stats stats;
    struct query_held held; // by the arenas, of the memory of all questions
};

// ERR_INVALID: the query cannot be run (ctx), ERR_AGAIN: others have all the memory (ctx), ERR_CANCELED,
// ERR_NOMEM, ERR_IO, ERR_CORRUPT, ERR_LIMIT (a regular expression took too long). A passed deadline or a full
// memory gives what was found so far as partial.
NODISCARD enum err find_run(struct view *v, const struct find *f, struct find_result *out,
                            struct err_ctx *ctx);
void find_fini(struct find_result *r);
