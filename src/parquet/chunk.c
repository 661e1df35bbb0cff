// SPDX-License-Identifier: Apache-2.0
// A chunk's places, bounds, dictionary and bloom filter, each loaded when first asked for.
#include "parquet/bloom.h"
#include "parquet/decoder.h"
#include "parquet/index.h"
#include "parquet/sums.h"

// Bytes read at once to find a page's header; a longer one is read again.
enum { HEAD_GUESS = 512, BLOOM_HEAD_GUESS = 64 };

void pq_chunk_open(const struct pq_reader *r, size_t group, size_t column, struct pq_decoder *d,
                   struct arena *a, struct pq_chunk *out) {
    ASSERT(group < r->n_groups && column < r->n_columns);
    *out = (struct pq_chunk){ .reader = r,
                              .column = &r->columns[column],
                              .meta = &r->groups[group].chunks[column],
                              .decoder = d,
                              .arena = a,
                              .n_rows = r->groups[group].n_rows };
}

// The header of the page at off, without its body.
static enum err head_at(struct pq_chunk *c, uint64_t off, uint64_t end, struct page_head *out) {
    for (size_t guess = HEAD_GUESS;; guess = PAGE_HEAD_MAX) {
        size_t n = end - off < guess ? (size_t)(end - off) : guess;
        struct str raw;
        TRY(chunk_fetch(c, (struct pq_range){ off, n }, &c->decoder->raw, &raw));
        enum err e = page_head_read(raw, out);
        if (e == ERR_OK) return ERR_OK;
        if (e == ERR_UNSUPPORTED) return decoder_unsupported(c, "the form of a page's levels");
        if (guess == PAGE_HEAD_MAX || n < guess) return decoder_fail(c, e, "the header of a page");
    }
}

struct page_list {
    struct pq_page *pages;
    size_t n, cap;
};

static enum err list_add(struct pq_chunk *c, struct page_list *l, struct pq_page page) {
    if (l->n == l->cap) {
        size_t cap = l->cap ? l->cap * 2 : 16;
        struct pq_page *grown = ARENA_ARRAY(c->arena, cap, struct pq_page);
        if (!grown) return ERR_NOMEM;
        if (l->n) memcpy(grown, l->pages, l->n * sizeof *grown);
        l->pages = grown;
        l->cap = cap;
    }
    l->pages[l->n++] = page;
    return ERR_OK;
}

// Without an OffsetIndex the pages are found one behind the other.
static enum err walk(struct pq_chunk *c, struct page_list *l) {
    uint64_t at = c->meta->pages.off + c->meta->dict.len, end = c->meta->pages.off + c->meta->pages.len;
    uint32_t row = 0;
    while (row < c->n_rows) {
        struct page_head h;
        if (at >= end) return decoder_fail(c, ERR_CORRUPT, "pages end too early");
        TRY(head_at(c, at, end, &h));
        uint64_t size = (uint64_t)h.head_bytes + h.bytes_stored;
        if (h.kind == PAGE_DICT || size > end - at || h.n_values > c->n_rows - row)
            return decoder_fail(c, ERR_CORRUPT, "a page does not fit the chunk");
        if (h.n_values > 0) TRY(list_add(c, l, (struct pq_page){ at, (uint32_t)size, row, h.n_values }));
        row += h.n_values;
        at += size;
    }
    return ERR_OK;
}

enum err pq_chunk_pages(struct pq_chunk *c) {
    if (c->pages || c->n_rows == 0) return ERR_OK;
    decoder_begin(c->decoder);
    const struct pq_range *at = &c->meta->offset_index;
    if (at->len == 0) {
        struct page_list l = { 0 };
        TRY(walk(c, &l));
        c->pages = l.pages;
        c->n_pages = l.n;
        return ERR_OK;
    }
    struct str data;
    TRY(chunk_fetch(c, *at, &c->decoder->raw, &data));
    if (!sums_hold(c->reader, data, c->meta->sums.offset_index))
        return decoder_fail(c, ERR_CORRUPT, "the checksum of the offset index");
    enum err e = index_read_pages(data, c->n_rows, c->meta->pages, c->arena, &c->pages, &c->n_pages);
    return e == ERR_CORRUPT ? decoder_fail(c, e, "the offset index") : e;
}

enum err pq_chunk_bounds(struct pq_chunk *c) {
    const struct pq_range *at = &c->meta->column_index;
    if (c->bounds || at->len == 0 || c->column->logical == PQ_OTHER) return ERR_OK;
    TRY(pq_chunk_pages(c));
    decoder_begin(c->decoder);
    // What it says stays in the arena: bounds borrow from it.
    char *data = arena_alloc(c->arena, (size_t)at->len);
    if (!data) return ERR_NOMEM;
    TRY(c->reader->source.read(c->reader->source.ctx, at->off, data, (size_t)at->len));
    struct str s = { data, (size_t)at->len };
    if (!sums_hold(c->reader, s, c->meta->sums.column_index))
        return decoder_fail(c, ERR_CORRUPT, "the checksum of the column index");
    enum err e = index_read_bounds(s, c->column, c->n_pages, c->arena, &c->bounds);
    return e == ERR_CORRUPT ? decoder_fail(c, e, "the column index") : e;
}

static enum err dict_entries(struct pq_chunk *c, const struct page_view *v, struct pq_dict *d) {
    uint32_t width = pq_width(c->column), n = v->head.n_values;
    if (c->column->type == PQ_BOOLEAN) return decoder_unsupported(c, "a dictionary of booleans");
    if (v->head.encoding != FMT_PLAIN && v->head.encoding != FMT_PLAIN_DICT)
        return decoder_unsupported(c, fmt_encoding_name(v->head.encoding));
    // All of the page and no more: a header that leaves out an entry would hide it.
    if (width && (uint64_t)n * width != v->values.len)
        return decoder_fail(c, ERR_CORRUPT, "the dictionary page");
    if (n > v->values.len / (width ? width : 4)) return decoder_fail(c, ERR_CORRUPT, "the dictionary page");
    d->n = n;
    if (width == 0) {
        struct str *strs = ARENA_ARRAY(c->arena, n, struct str);
        if (!strs) return ERR_NOMEM;
        d->strs = strs;
        return strs_plain(c, v->values, 0, n, true, c->arena, strs);
    }
    d->fixed = arena_copy(c->arena, v->values.ptr, (size_t)n * width);
    return d->fixed ? ERR_OK : ERR_NOMEM;
}

enum err pq_chunk_dict(struct pq_chunk *c) {
    const struct pq_range *at = &c->meta->dict;
    if (c->dict || at->len == 0) return ERR_OK;
    decoder_begin(c->decoder);
    struct str raw;
    struct page_view v;
    // Not in `raw` and `plain`: a page whose codes wait for this may be there.
    TRY(chunk_fetch(c, *at, &c->decoder->codes, &raw));
    TRY(page_view(c, raw, 0, &c->decoder->lens, &v));
    if (v.head.kind != PAGE_DICT) return decoder_fail(c, ERR_CORRUPT, "no dictionary page in its place");
    struct pq_dict *d = ARENA_NEW(c->arena, struct pq_dict);
    if (!d) return ERR_NOMEM;
    TRY(dict_entries(c, &v, d));
    c->dict = d;
    return ERR_OK;
}

enum err pq_bloom_read(struct pq_chunk *c, struct str *out) {
    const struct pq_range *at = &c->meta->bloom;
    size_t size, head;
    *out = STR("");
    if (at->len == 0) return ERR_OK;
    decoder_begin(c->decoder);
    char *bytes = arena_alloc(c->arena, (size_t)at->len);
    if (!bytes) return ERR_NOMEM;
    TRY(c->reader->source.read(c->reader->source.ctx, at->off, bytes, (size_t)at->len));
    if (!sums_hold(c->reader, (struct str){ bytes, (size_t)at->len }, c->meta->sums.bloom))
        return decoder_fail(c, ERR_CORRUPT, "the checksum of the bloom filter");
    enum err e = bloom_head_read((struct str){ bytes, (size_t)at->len }, &size, &head);
    if (e == ERR_UNSUPPORTED) return decoder_unsupported(c, "the kind of bloom filter");
    if (e || size > at->len - head) return decoder_fail(c, ERR_CORRUPT, "the bloom filter");
    *out = (struct str){ bytes + head, size };
    return ERR_OK;
}

// Reads a bloom filter from end to end, for its checksum.
static enum err check_bloom(struct pq_chunk *c) {
    struct str data;
    if (!c->reader->has_sums || (c->bloom_is_whole && *c->bloom_is_whole)) return ERR_OK;
    TRY(chunk_fetch(c, c->meta->bloom, &c->decoder->raw, &data));
    if (!sums_hold(c->reader, data, c->meta->sums.bloom))
        return decoder_fail(c, ERR_CORRUPT, "the checksum of the bloom filter");
    if (c->bloom_is_whole) *c->bloom_is_whole = true;
    return ERR_OK;
}

enum err pq_bloom_might_contain(struct pq_chunk *c, struct str value, bool *out) {
    const struct pq_range *at = &c->meta->bloom;
    *out = true;
    if (at->len == 0) return ERR_OK;
    decoder_begin(c->decoder);
    TRY(check_bloom(c));
    const struct pq_source *s = &c->reader->source;
    uint8_t space[BLOOM_HEAD_GUESS];
    size_t n = at->len < sizeof space ? (size_t)at->len : sizeof space, size, head;
    TRY(s->read(s->ctx, at->off, space, n));
    enum err e = bloom_head_read((struct str){ (const char *)space, n }, &size, &head);
    if (e == ERR_UNSUPPORTED) return decoder_unsupported(c, "the kind of bloom filter");
    if (e || size > at->len - head) return decoder_fail(c, ERR_CORRUPT, "the bloom filter");
    uint64_t hash = hash_xxh64(value.ptr, value.len);
    TRY(s->read(s->ctx, at->off + head + bloom_block(size, hash), space, BLOOM_BLOCK));
    *out = bloom_test(space, hash);
    return ERR_OK;
}
