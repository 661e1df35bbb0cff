// SPDX-License-Identifier: Apache-2.0
#include "block/postings.h"

uint64_t postings_bytes(const struct pq_vector *v) {
    return sizeof(struct postings) + (v->dict->n + (uint64_t)v->n_values) * sizeof(uint32_t);
}

// Sorted by counting: how often each entry occurs says where its rows begin, and filling them moves that to
// where they end.
struct postings *postings_make(void *room, const struct pq_vector *v) {
    struct postings *p = room;
    uint32_t n = v->dict->n, *ends = (uint32_t *)(p + 1), *rows = ends + n, sum = 0;
    if (n) memset(ends, 0, n * sizeof *ends);
    for (uint32_t i = 0; i < v->n_values; i++) ends[v->codes[i]]++;
    for (uint32_t code = 0; code < n; code++) {
        uint32_t count = ends[code];
        ends[code] = sum;
        sum += count;
    }
    for (uint32_t i = 0; i < v->n_values; i++) rows[ends[v->codes[i]]++] = v->rows ? v->rows[i] : i;
    *p = (struct postings){ n, ends, rows };
    return p;
}
