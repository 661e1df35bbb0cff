// SPDX-License-Identifier: Apache-2.0
// Inside `block` only: where each entry of a dictionary occurs in a column that is kept, so that the rows of
// a rare one are read off instead of looked for. thread: any, when made.
#pragma once

#include "parquet/parquet.h"
#include "span/batch.h"

struct postings {
    uint32_t n;           // entries
    const uint32_t *ends; // of each entry's rows
    const uint32_t *rows; // entry by entry, ascending
};

uint64_t postings_bytes(const struct pq_vector *v); // that postings_make fills
// Of a vector of codes; in room that is aligned as a pointer is.
struct postings *postings_make(void *room, const struct pq_vector *v);
static inline struct batch_rows postings_of(const struct postings *p, uint32_t code) {
    uint32_t from = code ? p->ends[code - 1] : 0;
    return (struct batch_rows){ p->rows + from, p->ends[code] - from };
}
