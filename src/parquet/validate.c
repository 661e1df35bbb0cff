// SPDX-License-Identifier: Apache-2.0
// Checks that all parts of a file say the same: what pages hold against their places, bounds,
// statistics and bloom filters.
#include "parquet/decoder.h"
#include "parquet/stats.h"

static struct str bytes_at(const struct pq_column *c, const struct pq_vector *v, size_t i) {
    size_t width = c->type == PQ_BOOLEAN ? 1 : pq_width(c);
    const uint8_t *base = v->fixed;
    const struct str *strs = v->strs;
    if (v->repr == PQ_CODES) {
        base = v->dict->fixed;
        strs = v->dict->strs;
        i = v->codes[i];
    }
    return width ? (struct str){ (const char *)base + i * width, width } : strs[i];
}

static bool is_nan(const struct pq_column *c, struct str s) {
    double d;
    if (c->type != PQ_DOUBLE) return false;
    memcpy(&d, s.ptr, sizeof d);
    return d != d;
}

static bool within(const struct pq_column *c, struct str s, struct str min, struct str max) {
    return is_nan(c, s) || (stats_cmp(c, min, s) <= 0 && stats_cmp(c, s, max) <= 0);
}

static enum err check_value(struct pq_chunk *c, const struct pq_bounds *b, struct str s) {
    const struct pq_stats *st = &c->meta->stats;
    bool might = true;
    if (st->has_min_max && !within(c->column, s, st->min, st->max))
        return decoder_fail(c, ERR_CORRUPT, "a value outside of the chunk's bounds");
    if (b && !within(c->column, s, b->min, b->max))
        return decoder_fail(c, ERR_CORRUPT, "a value outside of its page's bounds");
    TRY(pq_bloom_might_contain(c, s, &might));
    return might ? ERR_OK : decoder_fail(c, ERR_CORRUPT, "a value that the bloom filter denies");
}

static enum err check_page(struct pq_chunk *c, size_t page, struct arena *a, uint64_t *n_values) {
    const struct pq_page *p = &c->pages[page];
    const struct pq_bounds *b = c->bounds ? &c->bounds[page] : NULL;
    struct pq_vector v;
    TRY(pq_chunk_read(c, p->first_row, p->first_row + p->n_rows, a, &v));
    *n_values += v.n_values;
    if (b && b->all_null != (v.n_values == 0))
        return decoder_fail(c, ERR_CORRUPT, "a page that is all null, or is said to be");
    if (b && b->null_count >= 0 && b->null_count != (int64_t)(p->n_rows - v.n_values))
        return decoder_fail(c, ERR_CORRUPT, "the number of nulls of a page");
    struct str last = { NULL, 0 };
    for (size_t i = 0; i < v.n_values; i++) {
        struct str s = bytes_at(c->column, &v, i);
        if (last.ptr && str_eq(s, last)) continue;
        TRY(check_value(c, b, s));
        last = s;
    }
    return ERR_OK;
}

static enum err check_chunk(struct pq_chunk *c, size_t memory_max) {
    TRY(pq_chunk_pages(c));
    TRY(pq_chunk_bounds(c));
    TRY(pq_chunk_dict(c));
    uint64_t n_values = 0;
    for (size_t i = 0; i < c->n_pages; i++) {
        struct arena a;
        arena_init(&a, memory_max, NULL);
        enum err e = check_page(c, i, &a, &n_values);
        arena_fini(&a);
        TRY(e);
    }
    const struct pq_stats *s = &c->meta->stats;
    if (s->null_count >= 0 && (uint64_t)s->null_count != c->n_rows - n_values)
        return decoder_fail(c, ERR_CORRUPT, "the number of nulls of a chunk");
    return ERR_OK;
}

enum err pq_validate(const struct pq_reader *r, struct pq_decoder *d, size_t memory_max) {
    decoder_begin(d);
    for (size_t g = 0; g < r->n_groups; g++)
        for (size_t i = 0; i < r->n_columns; i++) {
            struct arena a;
            struct pq_chunk c;
            arena_init(&a, memory_max, NULL);
            _Atomic bool bloom_is_whole = false;
            pq_chunk_open(r, g, i, d, &a, &c);
            c.bloom_is_whole = &bloom_is_whole;
            enum err e = check_chunk(&c, memory_max);
            arena_fini(&a);
            TRY(e);
        }
    return ERR_OK;
}
