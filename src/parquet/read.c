// SPDX-License-Identifier: Apache-2.0
// Reading a range of rows: which pages, which of their rows have a value, and one vector of it all.
#include "parquet/bitpack.h"
#include "parquet/decoder.h"
#include "parquet/rle.h"

enum {
    FETCH_MAX = 1 << 20,  // pages side by side are read together up to this
    FEW_OF = 8,           // of so many rows of a page one was read: few
    KEPT_MAX = 256 << 10, // bytes of a page that is kept
};

size_t repr_size(const struct pq_column *c, enum pq_repr repr) {
    switch (repr) {
    case PQ_I32:
    case PQ_CODES: return 4;
    case PQ_I64:
    case PQ_F64: return 8;
    case PQ_BOOLS: return 1;
    case PQ_FIXEDS: return c->fixed_len;
    case PQ_STRS:
    default: return sizeof(struct str);
    }
}

enum pq_repr repr_of(const struct pq_column *c) {
    switch (c->type) {
    case PQ_BOOLEAN: return PQ_BOOLS;
    case PQ_INT32: return PQ_I32;
    case PQ_INT64: return PQ_I64;
    case PQ_DOUBLE: return PQ_F64;
    case PQ_FIXED: return PQ_FIXEDS;
    case PQ_BYTE_ARRAY:
    default: return PQ_STRS;
    }
}

// An array of twice what is needed now, or of what the rows to come would need if they were like
// these, whichever is more, but no more than there are rows.
enum err vector_room(struct vector_out *v, size_t n, uint32_t n_rows) {
    if (n <= v->cap - v->n) return ERR_OK;
    uint64_t rest = v->n_rows - v->rows_done;
    uint64_t guess = v->n + (n_rows ? rest * n / n_rows * 9 / 8 + 1 : 0);
    uint64_t most = v->n + rest, cap = v->n + n;
    if (cap < v->n * 2) cap = v->n * 2;
    if (cap < guess) cap = guess;
    if (cap > most) cap = most;
    size_t size = repr_size(v->chunk->column, v->repr);
    void *grown = arena_array(v->arena, (size_t)cap, size);
    if (!grown) return ERR_NOMEM;
    if (v->n) memcpy(grown, v->data, v->n * size);
    v->data = grown;
    v->cap = (size_t)cap;
    return ERR_OK;
}

// Room in the list of rows for n more, and for what find_ones writes past them.
static enum err rows_room(struct vector_out *v, size_t n) {
    enum { PAST = 8 };
    if (v->rows && v->n + n + PAST <= v->rows_cap) return ERR_OK;
    size_t cap = v->n + n > v->rows_cap * 2 ? v->n + n : v->rows_cap * 2;
    if (cap < v->cap) cap = v->cap;
    uint32_t *grown = ARENA_ARRAY(v->arena, cap + PAST, uint32_t);
    if (!grown) return ERR_NOMEM;
    if (v->rows && v->n) memcpy(grown, v->rows, v->n * sizeof *grown);
    if (!v->rows) // until now every row had a value
        for (size_t i = 0; i < v->n; i++) grown[i] = (uint32_t)i;
    v->rows = grown;
    v->rows_cap = cap + PAST;
    return ERR_OK;
}

// Which rows of [from, to) have values, the first of which is value number *skip of the page.
static enum err find_rows(struct vector_out *v, const struct page_view *p, uint32_t from, uint32_t to,
                          size_t *skip, size_t *n) {
    bool v2 = p->head.kind == PAGE_DATA_V2;
    *skip = from;
    *n = to - from;
    bool all = !v->chunk->column->optional || (v2 && p->head.n_nulls == 0);
    struct rle levels;
    if (!all) {
        if (!rle_open(&levels, p->levels, 1) || !rle_count_ones(&levels, from, skip)) goto damaged;
        struct rle ahead = levels;
        if (!rle_count_ones(&ahead, to - from, n)) goto damaged;
    }
    if (*n == to - from && !v->rows) return ERR_OK;
    TRY(rows_room(v, *n));
    if (all)
        for (size_t i = 0; i < *n; i++) v->rows[v->n + i] = v->rows_done + (uint32_t)i;
    else if (!rle_find_ones(&levels, to - from, v->rows_done, v->rows + v->n, n))
        goto damaged;
    return ERR_OK;
damaged:
    return decoder_fail(v->chunk, ERR_CORRUPT, "levels of a page");
}

enum err vector_add(struct vector_out *v, const struct page_view *p, uint32_t from, uint32_t to) {
    size_t skip, n;
    TRY(find_rows(v, p, from, to, &skip, &n));
    if (n > 0) {
        bool coded = p->head.encoding == FMT_RLE_DICT || p->head.encoding == FMT_PLAIN_DICT;
        if (!v->decided) v->repr = coded ? PQ_CODES : repr_of(v->chunk->column);
        v->decided = true;
        TRY(vector_room(v, n, to - from));
        TRY(decode_values(v, p, skip, n));
        v->n += n;
    }
    v->rows_done += to - from;
    return ERR_OK;
}

// The page that holds a row.
static size_t page_of(const struct pq_chunk *c, uint32_t row) {
    size_t lo = 0, hi = c->n_pages;
    while (hi - lo > 1) {
        size_t mid = lo + (hi - lo) / 2;
        if (c->pages[mid].first_row <= row)
            lo = mid;
        else
            hi = mid;
    }
    return lo;
}

// Reads the pages from i on that begin before row `to`, as many as lie side by side; *end = the
// first that was not read.
static enum err fetch_pages(struct pq_chunk *c, size_t i, uint32_t to, size_t *end, struct str *out) {
    struct pq_range range = { c->pages[i].offset, c->pages[i].size };
    size_t k = i + 1;
    for (; k < c->n_pages && c->pages[k].first_row < to; k++) {
        const struct pq_page *p = &c->pages[k];
        if (p->offset != range.off + range.len || range.len + p->size > FETCH_MAX) break;
        range.len += p->size;
    }
    *end = k;
    return chunk_fetch(c, range, &c->decoder->raw, out);
}

// The page stays at hand, unpacked, for who reads a few rows here and a few there.
static enum err keep_page(struct pq_chunk *c, size_t page, const struct page_view *view) {
    size_t levels = view->levels.len, n = view->values.len, need = levels + n + 2 * BITPACK_SLACK;
    if (need > KEPT_MAX) return ERR_OK;
    if (!c->kept && !(c->kept = ARENA_NEW(c->arena, struct kept_page))) return ERR_NOMEM;
    struct kept_page *k = c->kept;
    if (need > k->cap) {
        k->cap = 0;
        k->bytes = arena_alloc(c->arena, need + need / 4);
        if (!k->bytes) return ERR_NOMEM;
        k->cap = need + need / 4;
    }
    char *values = k->bytes + levels + BITPACK_SLACK;
    if (levels) memcpy(k->bytes, view->levels.ptr, levels);
    memset(k->bytes + levels, 0, BITPACK_SLACK);
    if (n) memcpy(values, view->values.ptr, n);
    memset(values + n, 0, BITPACK_SLACK);
    k->page = page;
    k->view = *view;
    k->view.levels.ptr = k->bytes;
    k->view.values.ptr = values;
    return ERR_OK;
}

static enum err add_page(struct vector_out *v, size_t page, const struct page_view *view, uint32_t from,
                         uint32_t to) {
    struct pq_chunk *c = v->chunk;
    const struct pq_page *p = &c->pages[page];
    uint32_t a = from > p->first_row ? from - p->first_row : 0;
    uint32_t b = to - p->first_row < p->n_rows ? to - p->first_row : p->n_rows;
    bool is_kept = c->kept && view == &c->kept->view;
    TRY(vector_add(v, view, a, b));
    return !is_kept && (b - a) * FEW_OF <= p->n_rows ? keep_page(c, page, view) : ERR_OK;
}

static enum err read_pages(struct vector_out *v, uint32_t from, uint32_t to) {
    struct pq_chunk *c = v->chunk;
    for (size_t i = page_of(c, from), end; i < c->n_pages && c->pages[i].first_row < to; i = end) {
        struct str raw;
        if (c->kept && c->kept->cap && c->kept->page == i) {
            TRY(add_page(v, i, &c->kept->view, from, to));
            end = i + 1;
            continue;
        }
        TRY(fetch_pages(c, i, to, &end, &raw));
        for (size_t k = i, at = 0; k < end; at += c->pages[k++].size) {
            const struct pq_page *p = &c->pages[k];
            struct page_view view;
            TRY(page_view(c, str_sub(raw, at, p->size), p->n_rows, &c->decoder->plain, &view));
            if (view.head.kind == PAGE_DICT)
                return decoder_fail(c, ERR_CORRUPT, "a dictionary page amid data");
            TRY(add_page(v, k, &view, from, to));
        }
    }
    return ERR_OK;
}

enum err pq_chunk_read(struct pq_chunk *c, uint32_t from, uint32_t to, struct arena *a,
                       struct pq_vector *out) {
    ASSERT(from <= to && to <= c->n_rows);
    struct vector_out v = { .chunk = c, .arena = a, .n_rows = to - from, .repr = repr_of(c->column) };
    decoder_begin(c->decoder);
    if (from < to) {
        TRY(pq_chunk_pages(c));
        TRY(read_pages(&v, from, to));
    }
    *out = (struct pq_vector){ .n_rows = to - from,
                               .n_values = (uint32_t)v.n,
                               .rows = v.n == to - from ? NULL : v.rows,
                               .repr = v.repr,
                               .dict = v.repr == PQ_CODES ? c->dict : NULL };
    out->fixed = v.data;
    return ERR_OK;
}
