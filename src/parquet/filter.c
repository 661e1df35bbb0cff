// SPDX-License-Identifier: Apache-2.0
// The bloom filter of a chunk, sized by the values that are distinct.
#include "parquet/bloom.h"
#include "parquet/page.h"
#include "parquet/writer.h"

// How many of n hashes differ. table has a power of two of slots, twice n at least. Zero marks a
// free slot; a hash of zero counts as one.
static uint64_t count_distinct(const uint64_t *hashes, size_t n, uint64_t *table, size_t slots) {
    uint64_t distinct = 0;
    memset(table, 0, slots * sizeof *table);
    for (size_t i = 0; i < n; i++) {
        uint64_t h = hashes[i] ? hashes[i] : 1;
        size_t at = (size_t)h & (slots - 1);
        while (table[at] && table[at] != h) at = (at + 1) & (slots - 1);
        distinct += table[at] == 0;
        table[at] = h;
    }
    return distinct;
}

void filter_note(struct pq_writer *w, size_t start, struct chunk_out *out) {
    out->bloom = (struct pq_range){ start, w->blooms.len - start };
    out->sums.bloom = page_crc(0, w->blooms.ptr + start, w->blooms.len - start);
}

static enum err write_filter(struct pq_writer *w, const uint64_t *hashes, size_t n, uint64_t distinct,
                             struct chunk_out *out) {
    struct buf *b = &w->blooms;
    size_t start = b->len, size = bloom_size(distinct);
    bloom_head_write(b, size);
    if (!buf_reserve(b, size) || b->failed) return ERR_NOMEM;
    uint8_t *bits = (uint8_t *)b->ptr + b->len;
    memset(bits, 0, size);
    for (size_t i = 0; i < n; i++) bloom_add(bits, size, hashes[i]);
    b->len += size;
    filter_note(w, start, out);
    return ERR_OK;
}

enum err filter_values(struct pq_writer *w, const struct values *v, const uint32_t *which, size_t n,
                       struct chunk_out *out) {
    size_t slots = 16;
    while (slots < n * 2) slots *= 2;
    uint64_t *hashes = scratch_get(&w->hashes, n + slots, sizeof *hashes);
    if (!hashes) return ERR_NOMEM;
    size_t k = 0;
    char tmp[8];
    for (size_t i = 0; i < n; i++) {
        struct str s = values_bytes(v, which ? which[i] : i, tmp);
        uint64_t h = hash_xxh64(s.ptr, s.len);
        if (k == 0 || hashes[k - 1] != h) hashes[k++] = h; // equal values often stand side by side
    }
    return write_filter(w, hashes, k, count_distinct(hashes, k, hashes + n, slots), out);
}

enum err filter_chunk(struct chunk *k) {
    const struct dict *d = &k->w->dict;
    if (k->has_dict) return filter_values(k->w, &d->source, d->used, d->n, k->out);
    return filter_values(k->w, &k->values, NULL, k->shape.n_values, k->out);
}
