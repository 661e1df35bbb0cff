// SPDX-License-Identifier: Apache-2.0
#include "block/batch_internal.h"
#include "block/cache.h"

// Returns the rows of those pages.
static uint32_t count_pages(struct block_batch *b, const struct pq_chunk *c, const uint32_t *rows,
                            uint32_t n) {
    uint32_t in_pages = 0;
    for (size_t p = 0, i = 0; p < c->n_pages && i < n; p++) {
        uint32_t end = c->pages[p].first_row + c->pages[p].n_rows;
        if (rows[i] < end) {
            b->scan->bytes_read += c->pages[p].size;
            in_pages += c->pages[p].n_rows;
        }
        while (i < n && rows[i] < end) i++;
    }
    b->batch.bytes_read = b->scan->bytes_read - b->bytes_before;
    return in_pages;
}

enum err batch_numbers(struct batch *b, enum batch_number what, const uint32_t *rows, uint32_t n,
                       uint64_t *out) {
    static const enum span_column columns[] = { SC_SPAN_ID, SC_START, SC_DURATION };
    struct block_batch *bb = block_batch_of(b);
    const struct pq_vector *whole;
    struct pq_chunk c;
    TRY(batch_chunk(bb, &bb->block->spans, columns[what], &c));
    if (n && rows[n - 1] >= c.n_rows) return ERR_CORRUPT;
    uint32_t in_pages = count_pages(bb, &c, rows, n);
    TRY(cache_whole(bb->scan, &c, in_pages, &whole));
    if (whole && whole->n_values == c.n_rows && (whole->repr == PQ_I64 || whole->repr == PQ_FIXEDS))
        for (uint32_t i = 0; i < n; i++) memcpy(&out[i], whole->fixed + 8ull * rows[i], 8);
    else
        TRY(pq_chunk_pick(&c, rows, n, b->arena, out));
    for (uint32_t i = 0; i < n && what == BATCH_DURATION; i++)
        if ((int64_t)out[i] < 0) out[i] = 0;
    return ERR_OK;
}
