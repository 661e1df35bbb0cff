// SPDX-License-Identifier: Apache-2.0
// Plain arrays out of the vectors of a Parquet chunk, whatever their encoding was.
#include "block/cache.h"

enum err scan_chunk(struct in_file *f, struct block_scan *s, size_t group, size_t column,
                    struct pq_chunk *out) {
    if (!f->pq || group >= f->pq->n_groups || column >= f->pq->n_columns) return ERR_CORRUPT;
    pq_chunk_open(f->pq, group, column, s->decoder, &s->arena, out);
    out->bloom_is_whole = &f->places[group * f->pq->n_columns + column].bloom_is_whole;
    out->opener = &f->places[group * f->pq->n_columns + column];
    TRY(places_find(f, group, column, out));
    memo_dict_use(f, group, column, out);
    return ERR_OK;
}

enum err scan_read(struct in_file *f, struct block_scan *s, size_t group, size_t column, uint32_t from,
                   uint32_t to, struct pq_vector *out) {
    struct pq_chunk c;
    TRY(scan_chunk(f, s, group, column, &c));
    return cache_read(s, &c, from, to, out);
}

size_t chunk_page_of(const struct pq_chunk *c, uint32_t row) {
    size_t low = 0, high = c->n_pages;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        if (c->pages[mid].first_row + c->pages[mid].n_rows > row)
            high = mid;
        else
            low = mid + 1;
    }
    return low;
}

void scan_count(struct block_scan *s, const struct pq_chunk *c, uint32_t from, uint32_t to) {
    for (size_t i = chunk_page_of(c, from); i < c->n_pages && c->pages[i].first_row < to; i++)
        s->bytes_read += c->pages[i].size;
}

enum err vector_i32(const struct pq_vector *v, struct arena *a, const int32_t **out) {
    if (v->repr == PQ_I32) {
        *out = v->i32;
        return ERR_OK;
    }
    if (v->repr != PQ_CODES) return ERR_CORRUPT;
    int32_t *flat = ARENA_ARRAY(a, v->n_values + 1ull, int32_t);
    if (!flat) return ERR_NOMEM;
    for (uint32_t i = 0; i < v->n_values; i++) flat[i] = v->dict->i32[v->codes[i]];
    *out = flat;
    return ERR_OK;
}

enum err vector_i64(const struct pq_vector *v, struct arena *a, const int64_t **out) {
    if (v->repr == PQ_I64) {
        *out = v->i64;
        return ERR_OK;
    }
    if (v->repr != PQ_CODES) return ERR_CORRUPT;
    int64_t *flat = ARENA_ARRAY(a, v->n_values + 1ull, int64_t);
    if (!flat) return ERR_NOMEM;
    for (uint32_t i = 0; i < v->n_values; i++) flat[i] = v->dict->i64[v->codes[i]];
    *out = flat;
    return ERR_OK;
}

enum err vector_fixed(const struct pq_vector *v, struct arena *a, size_t len, const uint8_t **out) {
    if (v->repr == PQ_FIXEDS) {
        *out = v->fixed;
        return ERR_OK;
    }
    if (v->repr != PQ_CODES) return ERR_CORRUPT;
    uint8_t *flat = arena_array(a, v->n_values + 1ull, len);
    if (!flat) return ERR_NOMEM;
    for (uint32_t i = 0; i < v->n_values; i++)
        memcpy(flat + i * len, v->dict->fixed + v->codes[i] * len, len);
    *out = flat;
    return ERR_OK;
}

enum err vector_strs(const struct pq_vector *v, struct arena *a, const struct str **out) {
    if (v->repr == PQ_STRS) {
        *out = v->strs;
        return ERR_OK;
    }
    if (v->repr != PQ_CODES) return ERR_CORRUPT;
    struct str *flat = ARENA_ARRAY(a, v->n_values + 1ull, struct str);
    if (!flat) return ERR_NOMEM;
    for (uint32_t i = 0; i < v->n_values; i++) flat[i] = v->dict->strs[v->codes[i]];
    *out = flat;
    return ERR_OK;
}
