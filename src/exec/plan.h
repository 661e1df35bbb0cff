// SPDX-License-Identifier: Apache-2.0
// A pipeline of TraceQL, ready to run over batches of whole traces: its filters, the fields that it
// reads, its stages. thread: a plan is immutable and may be shared.
#pragma once

#include "exec/filter.h"

struct plan_pipe;

struct plan {
    const struct field *fields; // that rows are opened with, in the order of the text
    uint32_t n_fields;
    const struct filter *const *filters; // of all { … }, in the order of the text
    uint32_t n_filters;
    const struct plan_pipe *pipe;
    // One filter, and nothing behind it but select(): its bits are the answer.
    bool is_simple;
    // A span's own batch is not enough to judge it: parents, the root, the whole duration are read.
    bool needs_whole;
    // Filters read what a batch knows by its traces (their ids and numbers, parents).
    bool filters_read_traces;
    const uint32_t *values; // fields that stages read of spans (by, aggregates)
    uint32_t n_values;
    // No filter restricts the spans: every trace is judged.
    bool every_trace;
};

NODISCARD enum err plan_new(struct arena *a, const struct ql_pipeline *p, struct plan **out);

// Does the field follow from other spans of the trace than the one at hand?
bool plan_reads_whole(const struct field *f);

// The filters' bits over one batch.
struct plan_bits {
    uint64_t **of; // per filter
    uint64_t *any; // of any filter (all rows where every_trace)
};
// mask: rows to look at; NULL: all live rows.
NODISCARD enum err plan_filter(const struct plan *p, struct rows *rows, const uint64_t *mask,
                               struct plan_bits *out);

// *out = false only if plan_filter surely leaves no bit of the batch that is asked.
NODISCARD enum err plan_may_touch(const struct plan *p, const struct filter_ask *ask, bool *out);

// May a trace match whose spans are matched by the filters in `hits` (bit f; those past 63: bit 63)?
bool plan_may_match(const struct plan *p, uint64_t hits);
static inline uint64_t plan_filter_bit(uint32_t filter) {
    return 1ull << (filter < 63 ? filter : 63);
}

// A set of spans that is left at the end of a pipeline.
struct match_attr {
    struct str label; // "by(name)", "count()"
    struct value value;
};
struct match_set {
    const struct match_attr *attrs;
    uint32_t n_attrs;
    const uint32_t *rows; // in the order of the trace
    uint32_t n;
};

// The sets of one trace (a number of the batch), or n = 0. Memory of scratch, which the caller
// resets between traces; values may point into the batch's arena.
NODISCARD enum err plan_match(const struct plan *p, struct rows *rows, const struct plan_bits *bits,
                              uint32_t trace, struct arena *scratch, const struct match_set **out,
                              uint32_t *out_n);
