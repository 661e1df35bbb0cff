// SPDX-License-Identifier: Apache-2.0
#include "block/open.h"

// Rare and large: the table is searched each time.
enum err large_find(struct block *b, struct block_scan *s, struct str hash, struct str *out) {
    struct pq_vector v;
    const uint8_t *hashes;
    const struct str *value;
    if (!b->large.pq || b->large.pq->n_groups != 1 || hash.len != 16) return ERR_CORRUPT;
    uint32_t n = b->large.pq->groups[0].n_rows;
    TRY(scan_read(&b->large, s, 0, 0, 0, n, &v));
    TRY(vector_fixed(&v, &s->arena, 16, &hashes));
    for (uint32_t i = 0; i < n; i++) {
        if (memcmp(hashes + 16ull * i, hash.ptr, 16) != 0) continue;
        TRY(scan_read(&b->large, s, 0, 1, i, i + 1, &v));
        TRY(vector_strs(&v, &s->arena, &value));
        *out = value[0];
        return ERR_OK;
    }
    return ERR_CORRUPT;
}
