// SPDX-License-Identifier: Apache-2.0
// Inside `api` only: which spans of a query's range somebody chose, by drawing a box around them: start, end,
// from, to, min and max. thread: one at a time.
#pragma once

#include "api/ask.h"
#include "query/cohorts.h"

struct choice {
    uint64_t start_ns, end_ns; // of all
    struct selection selection;
};
// ERR_INVALID: what is missing or wrong (k->ctx).
NODISCARD enum err choice_read(struct ask *k, struct choice *out);
// The search of q (none: of everything), without its hints, which say nothing about what is chosen from.
// The same of it as text in *text. ERR_INVALID, ERR_LIMIT: k->ctx says why. ERR_NOMEM.
NODISCARD enum err choice_search(struct ask *k, struct ql_query **out, struct str *text);
