// SPDX-License-Identifier: Apache-2.0
// Random traces of every odd shape, with few names, keys and values, and random questions that are
// made of the same, so that much of it meets: missing roots and parents, circles, ids that several
// spans have, the same key in several scopes, values of all types.
#pragma once

#include "query/fixture_test.h"

#define ODD_BASE_NS 1700000000000000000ull
enum { ODD_RANGE_S = 60 }; // spans start within it

struct odd_spans { // each a request of its own, so that they can be sent in any company
    struct arena arena;
    struct str *bodies;
    uint32_t n;
};
void odd_spans_make(struct odd_spans *s, uint32_t n_traces);
void odd_spans_fini(struct odd_spans *s);

void odd_search(struct buf *out);  // the text of a query
void odd_metrics(struct buf *out); // most of them can be parsed
// From the language's own generator, over the fields and values of the traces; all can be parsed.
void odd_search_of_language(struct buf *out);
void odd_metrics_of_language(struct buf *out);
