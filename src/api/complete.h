// SPDX-License-Identifier: Apache-2.0
// Inside `api` only: what may come at the cursor of a half-written query, as words to choose from:
// those of the language, and the names and values that the store has. thread: that of the ask.
#pragma once

#include "api/ask.h"
#include "traceql/analyze.h"

enum { COMPLETION_ITEMS_MAX = 100 };

struct completion_item {
    struct str text;   // to be put in the place of what is typed
    struct str kind;   // attribute, intrinsic, scope, value, function, keyword, operator
    struct str detail; // scope of an attribute, type of a value, what a function does
};
struct completion {
    struct completion_item *items;
    uint32_t n;
};
// Without a cursor: nothing. Time picks where names and values are looked for (0, 0 = all). Memory of
// the ask.
NODISCARD enum err complete(struct ask *k, const struct ql_wanted *w, bool has_cursor, uint64_t start_ns,
                            uint64_t end_ns, struct completion *out);
