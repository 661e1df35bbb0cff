// SPDX-License-Identifier: Apache-2.0
// Metrics functions over matched spans: partial results per batch that merge in any order to the
// same answer, then the functions that need all of them, second stages and arithmetic.
// thread: a plan is immutable and may be shared; an accumulator by one at a time.
#pragma once

#include "exec/rows.h"
#include "traceql/traceql.h"

enum {
    METRIC_STEPS_MAX = 10000,     // intervals of a range
    METRIC_SERIES_MAX = 100000,   // of one function, while it runs
    METRIC_EXEMPLARS_MAX = 10000, // in one answer
    // compare(): past these values of an attribute (of baseline or selection) only its totals are
    // answered, with a series that says so; past these attributes nothing is (ERR_LIMIT).
    METRIC_COMPARE_VALUES_MAX = 10000,
    METRIC_COMPARE_ATTRS_MAX = 10000,
};

struct metric_range {
    uint64_t start_ns, end_ns; // spans that start in (start, end] count; is_instant: [start, end]
    uint64_t step_ns;          // intervals end at start + step, start + 2 step … >= end
    bool is_instant;           // one interval
    uint32_t exemplars;        // kept per function
};

struct metric_label {
    struct str key;
    struct value value;
};
struct metric_exemplar {
    uint64_t time_ns;
    double value;
    uint8_t trace_id[16];
    const struct metric_label *labels; // what the query read of the span
    uint32_t n_labels;
};
struct metric_series {
    const struct metric_label *labels;
    uint32_t n_labels;
    double *samples;                         // one per interval; NaN = none
    const struct metric_exemplar *exemplars; // by time, then trace id
    uint32_t n_exemplars;
};

// One QL_METRIC_FUNCTION of a query, ready to count.
struct metric_plan;
// m outlives the plan. ERR_INVALID: an empty range or no step; ERR_LIMIT: past METRIC_STEPS_MAX.
NODISCARD enum err metric_plan_new(struct arena *a, const struct ql_metric *m,
                                   const struct metric_range *range, struct metric_plan **out);
// The fields that metric_add reads: rows are opened with exactly these.
const struct field *metric_plan_fields(const struct metric_plan *p, uint32_t *out_n);
uint32_t metric_plan_steps(const struct metric_plan *p);
uint64_t metric_plan_time(const struct metric_plan *p, uint32_t step); // end of the interval

// What counting and answering need of who asks.
struct metric_caller {
    // The batch of a number that metric_add was given; it lives until the next call. What exemplars show of
    // their spans is read when it is known which of them are answered. NULL: no batch has a number.
    enum err (*open)(void *ctx, uint32_t number, struct batch **out);
    // Asked now and then, where a batch or the answer may take long; an error ends it. NULL: it may take its
    // time.
    enum err (*check)(void *ctx);
    void *ctx;
};
#define METRIC_BATCH_ONCE UINT32_MAX // a batch that cannot be opened again: read while it is there

struct metric_acc;
// budget and caller may be NULL; the caller outlives it.
NODISCARD enum err metric_acc_new(const struct metric_plan *p, struct mem_budget *budget,
                                  const struct metric_caller *caller, struct metric_acc **out);
void metric_acc_free(struct metric_acc *m);
// Counts the spans of the bitmap (those that live and whose start is in the range). The fields are
// asked for here. selected: for compare(), the spans of the bitmap that the selection matches; else NULL.
// number: of the batch, for metric_caller. ERR_LIMIT past METRIC_SERIES_MAX. After an error the accumulator
// is only to be freed; after one of the caller's check it holds what was counted until then.
NODISCARD enum err metric_add(struct metric_acc *m, struct batch *b, uint32_t number, struct rows *rows,
                              const uint64_t *bitmap, const uint64_t *selected);
// Moves what `from` holds into m; `from` is empty afterwards. The order of merges does not matter.
NODISCARD enum err metric_merge(struct metric_acc *m, struct metric_acc *from);

// What m holds, of one batch that can be opened again, as bytes of this process; and back, into an
// accumulator that is empty, whose plan counts the same in intervals of the same grid: of another range,
// which has what was counted within. number: the batch's in the range of that one. ERR_CORRUPT: it does not
// fit.
void metric_pack(const struct metric_acc *m, struct buf *out);
NODISCARD enum err metric_unpack(struct metric_acc *m, struct str packed, uint32_t number);

// The answer of a whole metrics query: m's functions in the order in which they stand in the text
// have the accumulators accs. Series are sorted; all memory is the arena's. caller: NULL is one without
// either. *cut: max_series (0 = none) left some out. After an error as after one of metric_add.
NODISCARD enum err metric_finish(struct arena *a, const struct ql_metric *m, struct metric_acc *const *accs,
                                 uint32_t n_accs, const struct metric_caller *caller, uint32_t max_series,
                                 struct metric_series **out, uint32_t *out_n, bool *cut);
