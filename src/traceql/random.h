// SPDX-License-Identifier: Apache-2.0
// Test-only: nothing that ships may include this.
//
// Random queries, as text, that are always accepted. Built from fields and values of the caller, so
// that they hit data. thread: one at a time.
#pragma once

#include "traceql/traceql.h"

struct ql_random_opts {
    uint64_t (*rand)(void);
    const struct field *fields; // at least one; NULL: some of every kind
    uint32_t n_fields;
    const struct value *values; // constants to compare with; NULL: some of every type
    uint32_t n_values;
    uint32_t depth_max; // of expressions and sets; 0 = 4
    bool no_regex;      //
    bool no_arithmetic; // of spans; aggregates too
};

// Append to out.
void ql_random_filter(const struct ql_random_opts *o, struct buf *out); // { … }
void ql_random_search(const struct ql_random_opts *o, struct buf *out);
void ql_random_metrics(const struct ql_random_opts *o, struct buf *out);
