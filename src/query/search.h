// SPDX-License-Identifier: Apache-2.0
// The list of traces by what it shows of each, as the TraceQL that says the same. thread: any.
#pragma once

#include "base/mem.h"
#include "base/str.h"

struct search {
    uint64_t min_duration_ns, max_duration_ns; // of the trace; max 0 = none
    struct str service;                        // any span's; "" = all
    struct str operation;                      // the root's name; "" = all
    bool errors;                               // only traces with an error
};
// Memory of the arena. ERR_INVALID: a name is not UTF-8, which no name of a span can be. ERR_NOMEM.
NODISCARD enum err search_text(struct arena *a, const struct search *s, struct str *out);
