// SPDX-License-Identifier: Apache-2.0
// Single values of 8 bytes, taken out of their pages in place: nothing is unpacked for the rows
// between.
#include "parquet/decoder.h"
#include "parquet/delta.h"

// Pages that are wanted and lie side by side are read together, up to this: they are looked at once, and
// should still be in the processor's cache then.
enum { TOGETHER_BYTES = 256 << 10 };

struct picking {
    struct pq_chunk *chunk;
    const uint32_t *rows;
    uint32_t n;
    struct arena *arena;
    uint64_t *out;
};

static enum err damaged(struct pq_chunk *c) {
    return decoder_fail(c, ERR_CORRUPT, "values of a page");
}

// How many of the rows from i on lie before row `to`.
static uint32_t count_before(const struct picking *k, uint32_t i, uint64_t to) {
    uint32_t n = 0;
    while (i + n < k->n && k->rows[i + n] < to) n++;
    return n;
}

static enum err pick_plain(const struct picking *k, const struct page_view *v, uint32_t first, uint32_t i,
                           uint32_t n) {
    for (; n > 0; n--, i++) {
        size_t at = (size_t)(k->rows[i] - first) * 8;
        if (at + 8 > v->values.len) return damaged(k->chunk);
        memcpy(&k->out[i], v->values.ptr + at, 8);
    }
    return ERR_OK;
}

static enum err pick_delta(const struct picking *k, const struct page_view *v, uint32_t first, uint32_t i,
                           uint32_t n) {
    struct delta d;
    int64_t value = 0;
    uint32_t at = first; // the row whose value is next
    if (!delta_open(&d, v->values, v->head.n_values)) return damaged(k->chunk);
    for (; n > 0; n--, i++) {
        if (k->rows[i] >= at && (!delta_skip(&d, k->rows[i] - at) || !delta_read(&d, &value, 1)))
            return damaged(k->chunk);
        at = k->rows[i] + 1;
        k->out[i] = (uint64_t)value;
    }
    return ERR_OK;
}

// Any other encoding: as vectors have it.
static enum err pick_any(const struct picking *k, const struct page_view *v, uint32_t first, uint32_t i,
                         uint32_t n) {
    struct pq_chunk *c = k->chunk;
    uint32_t from = k->rows[i], to = k->rows[i + n - 1] + 1;
    struct vector_out some = {
        .chunk = c, .arena = k->arena, .n_rows = to - from, .repr = repr_of(c->column)
    };
    TRY(vector_add(&some, v, from - first, to - first));
    if (some.n != to - from) return damaged(c);
    for (; n > 0; n--, i++) {
        uint32_t at = k->rows[i] - from;
        const char *values = some.data;
        if (some.repr == PQ_CODES) {
            values = (const char *)c->dict->fixed;
            at = ((const uint32_t *)some.data)[at];
        }
        memcpy(&k->out[i], values + 8ull * at, 8);
    }
    return ERR_OK;
}

static enum err pick_page(const struct picking *k, const struct pq_page *p, struct str raw, uint32_t i,
                          uint32_t n) {
    struct pq_chunk *c = k->chunk;
    struct page_view v;
    TRY(page_view(c, raw, p->n_rows, &c->decoder->plain, &v));
    if (v.head.kind == PAGE_DICT) return decoder_fail(c, ERR_CORRUPT, "a dictionary page amid data");
    bool every = !c->column->optional || (v.head.kind == PAGE_DATA_V2 && v.head.n_nulls == 0);
    if (every && v.head.encoding == FMT_PLAIN) return pick_plain(k, &v, p->first_row, i, n);
    if (every && v.head.encoding == FMT_DELTA && c->column->type == PQ_INT64)
        return pick_delta(k, &v, p->first_row, i, n);
    return pick_any(k, &v, p->first_row, i, n);
}

// The pages from `page` on that hold rows from i on, as many as are read together; *end: the first that
// is not.
static enum err fetch_pages(const struct picking *k, uint32_t i, size_t page, size_t *end, struct str *out) {
    struct pq_chunk *c = k->chunk;
    struct pq_range range = { c->pages[page].offset, c->pages[page].size };
    size_t to = page + 1;
    for (i += count_before(k, i, (uint64_t)c->pages[page].first_row + c->pages[page].n_rows); i < k->n;
         to++) {
        if (to == c->n_pages) break;
        const struct pq_page *p = &c->pages[to];
        uint32_t n = count_before(k, i, (uint64_t)p->first_row + p->n_rows);
        if (n == 0 || p->offset != range.off + range.len || range.len + p->size > TOGETHER_BYTES) break;
        range.len += p->size;
        i += n;
    }
    *end = to;
    return chunk_fetch(c, range, &c->decoder->raw, out);
}

static enum err pick_pages(const struct picking *k) {
    struct pq_chunk *c = k->chunk;
    size_t page = 0;
    for (uint32_t i = 0; i < k->n;) {
        struct str raw;
        size_t end;
        while (page < c->n_pages && c->pages[page].first_row + c->pages[page].n_rows <= k->rows[i]) page++;
        if (page == c->n_pages) return damaged(c);
        TRY(fetch_pages(k, i, page, &end, &raw));
        for (size_t at = 0; page < end; at += c->pages[page++].size) {
            const struct pq_page *p = &c->pages[page];
            uint32_t n = count_before(k, i, (uint64_t)p->first_row + p->n_rows);
            TRY(pick_page(k, p, str_sub(raw, at, p->size), i, n));
            i += n;
        }
    }
    return ERR_OK;
}

enum err pq_chunk_pick(struct pq_chunk *c, const uint32_t *rows, uint32_t n, struct arena *a, uint64_t *out) {
    struct picking k = { .chunk = c, .rows = rows, .n = n, .arena = a, .out = out };
    ASSERT(n == 0 || rows[n - 1] < c->n_rows);
    decoder_begin(c->decoder);
    if (pq_width(c->column) != 8) return decoder_unsupported(c, "picking values that are not of 8 bytes");
    TRY(pq_chunk_pages(c));
    return pick_pages(&k);
}
