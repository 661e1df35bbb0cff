// SPDX-License-Identifier: Apache-2.0
// The bytes of a page: definition levels and values, in the encoding that was chosen for the chunk.
#include "parquet/bitpack.h"
#include "parquet/delta.h"
#include "parquet/rle.h"
#include "parquet/writer.h"

static enum err done(const struct buf *b) {
    return b->failed ? ERR_NOMEM : ERR_OK;
}

static enum err levels_done(struct buf *b, size_t start) {
    if (b->failed) return ERR_NOMEM;
    uint32_t len = (uint32_t)(b->len - start - LEVELS_HEAD);
    memcpy(b->ptr + start, &len, sizeof len);
    return ERR_OK;
}

enum err page_levels(struct chunk *k, const struct page_plan *p) {
    if (!k->column->optional || p->n_rows == 0) return ERR_OK;
    struct buf *out = &k->w->raw;
    size_t start = out->len;
    wr_u32le(out, 0);
    if (p->n_values == 0 || p->n_values == p->n_rows) {
        rle_encode_run(out, p->n_rows, p->n_values > 0, 1);
        return levels_done(out, start);
    }
    size_t words = (p->n_rows + 63) / 64;
    uint64_t *bits = scratch_get(&k->w->bits, words, sizeof *bits);
    if (!bits) return ERR_NOMEM;
    memset(bits, 0, words * sizeof *bits);
    const uint32_t *rows = k->shape.rows + p->first_value;
    for (size_t i = 0; i < p->n_values; i++) {
        uint32_t at = rows[i] - p->first_row;
        bits[at / 64] |= (uint64_t)1 << at % 64;
    }
    rle_encode_bits(out, bits, p->n_rows);
    return levels_done(out, start);
}

// Bounds of a page by the ranks of its entries.
static void rank_minmax(struct chunk *k, struct page_plan *p) {
    const struct dict *d = &k->w->dict;
    const uint32_t *codes = d->codes + p->first_value, *ranks = d->ranks;
    enum stats_order order = stats_order_of(k->column);
    uint32_t lo = UINT32_MAX, hi = 0;
    for (size_t i = 0; i < p->n_values; i++) {
        uint32_t rank = ranks[codes[i]];
        lo = rank < lo ? rank : lo;
        hi = rank > hi ? rank : hi;
    }
    if (p->n_values == 0) return;
    minmax_add(&p->minmax, order, values_at(&d->source, d->used[d->by_rank[lo]]));
    minmax_add(&p->minmax, order, values_at(&d->source, d->used[d->by_rank[hi]]));
}

// The same where sorting would cost more: each entry that occurs is compared, once.
static void stamp_minmax(struct chunk *k, struct page_plan *p, uint32_t number) {
    const struct dict *d = &k->w->dict;
    const uint32_t *codes = d->codes + p->first_value;
    uint32_t *stamps = k->w->stamps.ptr;
    enum stats_order order = stats_order_of(k->column);
    for (size_t i = 0; i < p->n_values; i++) {
        uint32_t code = codes[i];
        if (stamps[code] == number) continue;
        stamps[code] = number;
        minmax_add(&p->minmax, order, values_at(&d->source, d->used[code]));
    }
}

static enum err dict_codes(struct chunk *k, struct page_plan *p, uint32_t number) {
    struct buf *out = &k->w->raw;
    const uint32_t *codes = k->w->dict.codes + p->first_value;
    uint32_t any = 1; // at least one bit wide: some readers do not expect none
    for (size_t i = 0; i < p->n_values; i++) any |= codes[i];
    unsigned width = bit_width(any);
    wr_u8(out, (uint8_t)width);
    rle_encode(out, codes, p->n_values, width);
    if (k->w->dict.ranks)
        rank_minmax(k, p);
    else if (!k->opts->no_min_max)
        stamp_minmax(k, p, number);
    return done(out);
}

static void plain_strs(struct buf *out, const struct str *s, size_t n) {
    size_t bytes = 4 * n;
    for (size_t i = 0; i < n; i++) bytes += s[i].len;
    if (!buf_reserve(out, bytes)) return;
    char *dst = out->ptr + out->len;
    for (size_t i = 0; i < n; i++) {
        uint32_t len = (uint32_t)s[i].len;
        memcpy(dst, &len, 4);
        if (len) memcpy(dst + 4, s[i].ptr, len);
        dst += 4 + len;
    }
    out->len += bytes;
}

static enum err delta_strs(struct chunk *k, const struct str *s, size_t n) {
    struct buf *out = &k->w->raw;
    int32_t *lens = scratch_get(&k->w->bits, n, sizeof *lens);
    if (!lens) return ERR_NOMEM;
    size_t bytes = 0;
    for (size_t i = 0; i < n; i++) {
        lens[i] = (int32_t)s[i].len;
        bytes += s[i].len;
    }
    delta_encode_i32(out, lens, n);
    if (!buf_reserve(out, bytes)) return ERR_NOMEM;
    char *dst = out->ptr + out->len;
    for (size_t i = 0; i < n; i++) {
        if (s[i].len) memcpy(dst, s[i].ptr, s[i].len);
        dst += s[i].len;
    }
    out->len += bytes;
    return done(out);
}

static enum err bools(struct chunk *k, const uint8_t *v, size_t n) {
    struct buf *out = &k->w->raw;
    size_t words = (n + 63) / 64;
    uint64_t *bits = scratch_get(&k->w->bits, words, sizeof *bits);
    if (!bits) return ERR_NOMEM;
    memset(bits, 0, words * sizeof *bits);
    for (size_t i = 0; i < n; i++) bits[i / 64] |= (uint64_t)(v[i] != 0) << i % 64;
    size_t mark = out->len;
    wr_u32le(out, 0);
    rle_encode_bits(out, bits, n);
    if (out->failed) return ERR_NOMEM;
    uint32_t len = (uint32_t)(out->len - mark - 4);
    memcpy(out->ptr + mark, &len, 4);
    return ERR_OK;
}

static void minmax_of(struct chunk *k, struct page_plan *p) {
    const struct values *v = &k->values;
    enum stats_order order = stats_order_of(k->column);
    size_t at = p->first_value, n = p->n_values;
    if (v->i64)
        minmax_i64(&p->minmax, order, v->i64 + at, n);
    else if (v->i32)
        minmax_i32(&p->minmax, order, v->i32 + at, n);
    else if (v->bools)
        minmax_bools(&p->minmax, v->bools + at, n);
    else if (v->fixed)
        minmax_fixed(&p->minmax, v->fixed + at * k->column->fixed_len, n, k->column->fixed_len);
    else
        for (size_t i = at; i < at + n; i++) minmax_add(&p->minmax, order, values_at(v, i));
}

enum err page_values(struct chunk *k, struct page_plan *p, uint32_t number) {
    const struct values *v = &k->values;
    struct buf *out = &k->w->raw;
    size_t at = p->first_value, n = p->n_values;
    p->minmax.any = false;
    if (k->has_dict) return dict_codes(k, p, number);
    if (k->shape.n_values == 0) return ERR_OK; // none in the chunk: PLAIN, of nothing
    // In a page without values too the encoding's header is written: DuckDB wants to see it.
    if (!k->opts->no_min_max) minmax_of(k, p);
    if (v->bools) return bools(k, v->bools + at, n);
    if (k->encoding == FMT_DELTA_LENGTH) return delta_strs(k, v->strs + at, n);
    if (k->encoding == FMT_DELTA && v->i64)
        delta_encode_i64(out, v->i64 + at, n);
    else if (k->encoding == FMT_DELTA)
        delta_encode_i32(out, v->i32 + at, n);
    else if (v->strs)
        plain_strs(out, v->strs + at, n);
    else if (v->i32)
        buf_add(out, v->i32 + at, n * sizeof *v->i32);
    else if (v->i64)
        buf_add(out, v->i64 + at, n * sizeof *v->i64);
    else if (v->f64)
        buf_add(out, v->f64 + at, n * sizeof *v->f64);
    else
        buf_add(out, v->fixed + at * k->column->fixed_len, n * k->column->fixed_len);
    return done(out);
}
