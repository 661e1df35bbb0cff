// SPDX-License-Identifier: Apache-2.0
// The list of traces: newest first by their start, then by id, exactly, whatever lies where. It is
// answered from the heads and from traces.parquet; only the traces of the page are looked at whole.
// A trace is in the range when one of its spans starts in (start, end]. thread: any.
#pragma once

#include "query/trace.h"

struct search {
    uint64_t start_ns, end_ns;                 // 0, 0 = all time
    uint64_t min_duration_ns, max_duration_ns; // of the trace; max 0 = none
    struct str service;                        // any span's; "" = all
    struct str operation;                      // the root's name; "" = all
    bool errors;                               // only traces with an error
    uint32_t limit;                            // 1 … SEARCH_LIMIT_MAX
    // The page after this trace (its start and id), for has_after.
    bool has_after;
    uint64_t after_start_ns;
    uint8_t after_id[16];
};
enum { SEARCH_LIMIT_MAX = 262144 };

struct trace_service {
    struct str name;
    uint32_t spans, errors;
};

struct trace_summary {
    uint8_t id[16];
    uint64_t start_ns, duration_ns;
    bool has_root;
    struct str root_service, root_name;
    uint32_t spans, errors;
    struct trace_service *services; // sorted by name
    uint32_t n_services;
};

struct search_result {
    struct arena arena; // of everything below
    struct trace_summary *traces;
    uint32_t n;
    uint64_t total;     // that match, over all pages
    uint64_t inspected; // traces looked at
    uint64_t bytes_read;
    uint32_t blocks_read, blocks_total;
};

NODISCARD enum err search_run(struct view *v, const struct search *s, struct search_result *out);
void search_fini(struct search_result *r);

// The summary of a whole trace. Memory of the arena and of the trace.
NODISCARD enum err trace_summarise(struct trace *t, struct arena *a, struct trace_summary *out);
