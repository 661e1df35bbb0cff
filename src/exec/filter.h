// SPDX-License-Identifier: Apache-2.0
// One filter { … } over a batch, vectorised: predicates are tried on dictionaries first, then on the
// bounds of pages, then on rows, and every step looks only at rows that are still in question. What
// is no comparison of a field with a literal is evaluated row by row, last.
// thread: a filter is immutable and may be shared.
#pragma once

#include "exec/expr.h"

struct filter;

// e NULL: matches every span.
NODISCARD enum err filter_new(struct arena *a, const struct expr *e, struct filter **out);
const struct expr *filter_expr(const struct filter *f); // NULL: there is none
// Makes all that it reads readable at the rows, for evaluation one by one.
NODISCARD enum err filter_want(const struct filter *f, struct rows *rows, const uint64_t *mask);

// Asks, before a batch is opened, whether a field may have a text in one of its rows.
struct filter_ask {
    enum err (*may_hold)(void *ctx, const struct field *f, struct str text, bool *out);
    void *ctx;
};
// *out = false only if the filter surely matches no row of the batch that is asked. fields: those that rows
// are opened with.
NODISCARD enum err filter_may_match(const struct filter *f, const struct field *fields,
                                    const struct filter_ask *ask, bool *out);

// Sets the bits in `out` (all 0, of the batch's rows) of the rows in mask (NULL: all live rows) that
// match. ERR_LIMIT: a regular expression took too long.
NODISCARD enum err filter_run(const struct filter *f, struct rows *rows, const uint64_t *mask, uint64_t *out);
