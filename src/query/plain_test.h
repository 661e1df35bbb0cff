// SPDX-License-Identifier: Apache-2.0
// Holds the answers of the engine to those of the plain interpreter, and prints answers as the text
// cases write them.
#pragma once

#include "base/test.h"
#include "query/plain.h"

// The traces [from, from + fast->n) of the slow answer are the whole of the fast one. false: a
// difference, which was printed with the query.
NODISCARD bool check_find(struct str query, const struct find_result *fast, const struct plain_answer *slow,
                          uint32_t from);
// Series of a fast answer, against the slow one's; without exemplars. Quantiles may be 1 % away.
NODISCARD bool check_series(struct str query, const struct series_answer *fast,
                            const struct plain_metrics *slow);

// One line per trace: `1: {A B} by(name)="x" {C[status=error] +2}`. name: of a span, for people.
struct find_names {
    struct str (*name)(const void *ctx, const uint8_t trace[16], const struct find_span *s);
    const void *ctx;
    bool with_attrs; // of spans
};
void print_traces(const struct find_trace *t, uint32_t n, const struct find_names *names, struct buf *out);
// The same without a word.
bool traces_agree(const struct find_trace *fast, uint32_t n_fast, const struct find_trace *slow,
                  uint32_t n_slow);
// All spans in the notation of the text cases, as comments of the test.
void print_spans(const struct plain_data *d);
// One line per series: `{name="x" p=0.5} 1 - 2`.
void print_series(const struct plain_metrics *m, struct buf *out);

struct cohorts_query;
// Whether each trace is of the cohort that the plain interpreter says, and samples are of them. Not limited.
bool check_cohorts(struct view *v, const struct plain_data *d, const struct cohorts_query *q);
