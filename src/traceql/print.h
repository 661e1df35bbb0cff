// SPDX-License-Identifier: Apache-2.0
// Inside `traceql` only: parts of a query as text.
#pragma once

#include "traceql/traceql.h"

void print_scalar(const struct ql_scalar *s, struct buf *out);
// A constant as the language writes it: 1.0 stays a float, text gets its quotes.
void print_literal(const struct value *v, struct buf *out);
void print_pipeline(const struct ql_pipeline *pl, struct buf *out);
void print_metric(const struct ql_metric *m, struct buf *out);
