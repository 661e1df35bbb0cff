// SPDX-License-Identifier: Apache-2.0
// One column of one row group: choose the encoding, plan the pages, encode them in batches (so that
// memory does not depend on the size of the values), and hand them on.
#include "parquet/bitpack.h"
#include "parquet/delta.h"
#include "parquet/index.h"
#include "parquet/page.h"
#include "parquet/writer.h"

enum { BATCH_BYTES = 4 << 20 }; // encoded pages that wait for the codec

// --- what the caller gave ------------------------------------------------------------------------

static bool has_codes(const struct pq_values *v) {
    return v->codes && (v->dict || v->dict_i32 || v->dict_i64);
}

static bool form_fits(const struct pq_column *c, const struct pq_values *v) {
    int forms = !!v->i32 + !!v->i64 + !!v->f64 + !!v->bools + !!v->fixed + !!v->strs + !!v->codes;
    if (forms != 1) return false;
    switch (c->type) {
    case PQ_BOOLEAN: return v->bools != NULL;
    case PQ_INT32: return v->i32 || (v->codes && v->dict_i32);
    case PQ_INT64: return v->i64 || (v->codes && v->dict_i64);
    case PQ_DOUBLE: return v->f64 != NULL;
    case PQ_BYTE_ARRAY: return v->strs || (v->codes && v->dict);
    case PQ_FIXED: return v->fixed || (v->codes && v->dict);
    default: return false;
    }
}

static bool rows_fit(const struct pq_values *v, uint32_t n_rows) {
    if (!v->rows) return v->n_values == n_rows;
    if (v->n_values > n_rows || v->rows[v->n_values - 1] >= n_rows) return false;
    bool ascending = true;
    for (size_t i = 1; i < v->n_values; i++) ascending &= v->rows[i] > v->rows[i - 1];
    return ascending;
}

static enum err check(const struct chunk *k, const struct pq_values *v) {
    uint32_t n_rows = k->w->group->n_rows;
    if (!k->column->optional && (v->rows || v->n_values != n_rows)) return ERR_INVALID;
    if (v->n_values == 0) return ERR_OK;
    if (!form_fits(k->column, v) || !rows_fit(v, n_rows)) return ERR_INVALID;
    if (v->strs)
        for (size_t i = 0; i < v->n_values; i++)
            if (v->strs[i].len > PQ_VALUE_MAX) return ERR_INVALID;
    return ERR_OK;
}

// --- which encoding ------------------------------------------------------------------------------

static enum fmt_encoding plain_choice(const struct chunk *k) {
    switch (k->opts->encoding) {
    case PQ_ENC_PLAIN: return k->column->type == PQ_BOOLEAN ? FMT_RLE : FMT_PLAIN;
    case PQ_ENC_DELTA: return FMT_DELTA;
    case PQ_ENC_DELTA_LENGTH: return FMT_DELTA_LENGTH;
    case PQ_ENC_AUTO:
    case PQ_ENC_DICT:
    default: break;
    }
    if (k->column->type == PQ_INT32 || k->column->type == PQ_INT64) return FMT_DELTA;
    if (k->column->type == PQ_BYTE_ARRAY) return FMT_DELTA_LENGTH;
    return k->column->type == PQ_BOOLEAN ? FMT_RLE : FMT_PLAIN;
}

// Writes out what codes stand for, where the dictionary is not to be used.
static enum err flatten(struct chunk *k, const struct pq_values *v) {
    size_t n = v->n_values;
    uint32_t width = pq_width(k->column);
    size_t size = k->column->type == PQ_BYTE_ARRAY ? sizeof(struct str) : width;
    char *dst = scratch_get(&k->w->flat, n, size);
    if (!dst) return ERR_NOMEM;
    for (size_t i = 0; i < n; i++) {
        uint32_t code = v->codes[i];
        if (code >= v->n_dict) return ERR_INVALID;
        if (k->column->type == PQ_BYTE_ARRAY) {
            if (v->dict[code].len > PQ_VALUE_MAX) return ERR_INVALID;
            ((struct str *)dst)[i] = v->dict[code];
        } else if (k->column->type == PQ_FIXED) {
            if (v->dict[code].len != width) return ERR_INVALID;
            memcpy(dst + i * width, v->dict[code].ptr, width);
        } else if (k->column->type == PQ_INT64) {
            ((int64_t *)dst)[i] = v->dict_i64[code];
        } else {
            ((int32_t *)dst)[i] = v->dict_i32[code];
        }
    }
    k->values = (struct values){ .column = k->column };
    if (k->column->type == PQ_BYTE_ARRAY) k->values.strs = (const struct str *)dst;
    if (k->column->type == PQ_FIXED) k->values.fixed = (const uint8_t *)dst;
    if (k->column->type == PQ_INT64) k->values.i64 = (const int64_t *)dst;
    if (k->column->type == PQ_INT32) k->values.i32 = (const int32_t *)dst;
    return ERR_OK;
}

// Whether a dictionary that fits is smaller than what else would be done.
static bool dict_pays(struct chunk *k, size_t n) {
    const struct dict *d = &k->w->dict;
    uint64_t codes = (uint64_t)n * bit_width(d->n ? d->n - 1 : 0) / 8;
    if (k->column->type == PQ_BYTE_ARRAY) return (uint64_t)d->n * 4 <= (uint64_t)n * 3;
    if (k->values.i32 || k->values.i64)
        return d->bytes + codes < delta_estimate(k->values.i32, k->values.i64, n);
    return d->bytes + codes < (uint64_t)n * pq_width(k->column);
}

// By value, a dictionary is looked for only where it is likely: repeated numbers and strings. Fixed
// bytes are ids, and so are found together or not at all: the codec does better.
static enum err try_values(struct chunk *k, size_t n) {
    bool forced = k->opts->encoding == PQ_ENC_DICT;
    bool tried = forced || (k->opts->encoding == PQ_ENC_AUTO && !k->values.bools && !k->values.fixed);
    if (!tried) return ERR_OK;
    TRY(dict_from_values(&k->w->dict, &k->values, n, forced ? UINT64_MAX : k->w->dict_bytes, !forced));
    k->has_dict = k->w->dict.fits && (forced || dict_pays(k, n));
    return ERR_OK;
}

static enum err try_codes(struct chunk *k, const struct pq_values *v) {
    struct dict *d = &k->w->dict;
    bool forced = k->opts->encoding == PQ_ENC_DICT;
    if (forced || k->opts->encoding == PQ_ENC_AUTO) {
        TRY(dict_from_codes(d, k->column, v, forced ? UINT64_MAX : k->w->dict_bytes));
        k->has_dict = d->fits && (forced || (uint64_t)d->n * 4 <= (uint64_t)v->n_values * 3);
    }
    return k->has_dict ? ERR_OK : flatten(k, v);
}

// Pages get their bounds from ranks of entries, unless there are too many entries to sort.
static enum err prepare_bounds(struct chunk *k, size_t n_values) {
    struct dict *d = &k->w->dict;
    if (k->opts->no_min_max) return ERR_OK;
    bool sorting_pays = (uint64_t)d->n * bit_width(d->n) <= n_values;
    if (sorting_pays && k->column->type != PQ_DOUBLE) return dict_rank(d);
    uint32_t *stamps = scratch_get(&k->w->stamps, d->n, sizeof *stamps);
    if (!stamps) return ERR_NOMEM;
    memset(stamps, 0, d->n * sizeof *stamps);
    return ERR_OK;
}

static enum err choose(struct chunk *k, const struct pq_values *v) {
    k->values = (struct values){ k->column, v->i32, v->i64, v->f64, v->bools, v->fixed, v->strs };
    k->encoding = plain_choice(k);
    if (v->n_values == 0) {
        k->encoding = FMT_PLAIN;
        return ERR_OK;
    }
    TRY(has_codes(v) ? try_codes(k, v) : try_values(k, v->n_values));
    struct chunk_shape *s = &k->shape;
    if (k->has_dict) {
        k->encoding = FMT_RLE_DICT;
        s->value_bits = bit_width(k->w->dict.n);
        if (k->w->dict.bytes > PQ_PAGE_MAX) return ERR_INVALID;
        return prepare_bounds(k, v->n_values);
    }
    s->value_bits = k->values.bools ? 1 : pq_width(k->column) * 8;
    s->strs = k->values.strs;
    return ERR_OK;
}

// --- to the sink ---------------------------------------------------------------------------------

static enum err add_page(struct chunk *k, struct page_head *h, const char *levels, const char *body,
                         size_t body_len) {
    struct buf *out = &k->w->out;
    size_t start = out->len;
    h->has_crc = true;
    h->crc = page_crc(page_crc(0, levels, h->levels_bytes), body, body_len);
    page_head_write(out, h);
    k->out->bytes_plain += (out->len - start) + h->bytes_plain;
    buf_add(out, levels, h->levels_bytes);
    buf_add(out, body, body_len);
    return out->failed ? ERR_NOMEM : ERR_OK;
}

static enum err add_dict(struct chunk *k) {
    struct pq_writer *w = k->w;
    const struct buf *body = &w->entries;
    bool pack = k->out->codec != FMT_UNCOMPRESSED;
    size_t packed = 0;
    if (pack) TRY(codec_pack(w, body->ptr, body->len, true, &packed));
    struct page_head h = { .kind = PAGE_DICT,
                           .bytes_plain = (uint32_t)body->len,
                           .bytes_stored = (uint32_t)(pack ? packed : body->len),
                           .n_values = w->dict.n };
    TRY(add_page(k, &h, "", pack ? w->packed.ptr : body->ptr, h.bytes_stored));
    k->out->dict = (struct pq_range){ w->bytes, w->out.len };
    return ERR_OK;
}

static enum err add_v1(struct chunk *k, const struct page_plan *p, const char *at) {
    size_t packed, plain = p->levels_len + p->body_len;
    TRY(codec_pack(k->w, at, plain, true, &packed));
    struct page_head h = { .kind = PAGE_DATA,
                           .bytes_plain = (uint32_t)plain,
                           .bytes_stored = (uint32_t)packed,
                           .n_values = p->n_rows,
                           .encoding = k->encoding };
    return add_page(k, &h, "", k->w->packed.ptr, packed);
}

static enum err add_v2(struct chunk *k, const struct page_plan *p, const char *at) {
    struct pq_writer *w = k->w;
    const char *body = at + p->levels_len, *levels = at;
    size_t packed = 0, levels_len = p->levels_len;
    if (levels_len) { // without their length
        levels += LEVELS_HEAD;
        levels_len -= LEVELS_HEAD;
    }
    if (k->pack_pages) TRY(codec_pack(w, body, p->body_len, false, &packed));
    size_t body_len = packed ? packed : p->body_len;
    struct page_head h = { .kind = PAGE_DATA_V2,
                           .bytes_plain = (uint32_t)(levels_len + p->body_len),
                           .bytes_stored = (uint32_t)(levels_len + body_len),
                           .n_values = p->n_rows,
                           .n_nulls = (uint32_t)(p->n_rows - p->n_values),
                           .encoding = k->encoding,
                           .levels_bytes = (uint32_t)levels_len,
                           .compressed = packed > 0 };
    return add_page(k, &h, levels, packed ? w->packed.ptr : body, body_len);
}

static enum err add_data(struct chunk *k, const struct page_plan *p, const char *at, struct pq_page *page) {
    struct pq_writer *w = k->w;
    size_t start = w->out.len;
    TRY(k->pack_levels ? add_v1(k, p, at) : add_v2(k, p, at));
    *page = (struct pq_page){ w->bytes + start, (uint32_t)(w->out.len - start), p->first_row, p->n_rows };
    return ERR_OK;
}

// Hands on the encoded pages [from, to).
static enum err flush(struct chunk *k, size_t from, size_t to) {
    struct pq_writer *w = k->w;
    buf_reset(&w->out);
    if (!k->decided) {
        buf_reset(&w->entries);
        if (k->has_dict) dict_write(&w->dict, &w->entries);
        if (w->entries.failed) return ERR_NOMEM;
        TRY(codec_decide(k, to));
        if (k->has_dict) TRY(add_dict(k));
    }
    const char *at = w->raw.ptr;
    for (size_t i = from; i < to; i++) {
        TRY(add_data(k, &k->plans[i], at, &k->pages[i]));
        at += k->plans[i].levels_len + k->plans[i].body_len;
    }
    buf_reset(&w->raw);
    return writer_put(w, w->out.ptr, w->out.len);
}

static enum err encode_pages(struct chunk *k) {
    struct buf *raw = &k->w->raw;
    size_t from = 0;
    buf_reset(raw);
    for (size_t i = 0; i < k->n_pages; i++) {
        struct page_plan *p = &k->plans[i];
        size_t start = raw->len;
        TRY(page_levels(k, p));
        p->levels_len = raw->len - start;
        TRY(page_values(k, p, (uint32_t)i + 1));
        p->body_len = raw->len - start - p->levels_len;
        if (p->levels_len + p->body_len > PQ_PAGE_MAX) return ERR_INVALID;
        if (raw->len < BATCH_BYTES && i + 1 < k->n_pages) continue;
        TRY(flush(k, from, i + 1));
        from = i + 1;
    }
    return ERR_OK;
}

// --- what is said of it --------------------------------------------------------------------------

static enum err chunk_bounds(struct chunk *k) {
    struct pq_writer *w = k->w;
    struct bounds_space {
        struct stats_bound lower, upper;
    } *space = scratch_get(&w->bounds, k->n_pages, sizeof *space + sizeof(struct pq_bounds));
    if (!space) return ERR_NOMEM;
    struct pq_bounds *bounds = (struct pq_bounds *)(space + k->n_pages);
    bool exact;
    for (size_t i = 0; i < k->n_pages; i++) {
        const struct page_plan *p = &k->plans[i];
        bounds[i] = (struct pq_bounds){ .all_null = p->n_values == 0,
                                        .null_count = p->n_rows - (int64_t)p->n_values };
        if (bounds[i].all_null) continue;
        if (!p->minmax.any) return ERR_OK; // only NaN: such a page has no bounds, so the chunk has none
        stats_lower(k->column, p->minmax.min, &space[i].lower, &exact);
        stats_upper(k->column, p->minmax.max, &space[i].upper, &exact);
        bounds[i].min = space[i].lower.bytes;
        bounds[i].max = space[i].upper.bytes;
    }
    buf_reset(&w->out);
    index_write_bounds(&w->out, k->column, bounds, k->n_pages);
    if (w->out.failed) return ERR_NOMEM;
    k->out->bounds = str_dup(&w->arena, buf_view(&w->out));
    return k->out->bounds.ptr ? ERR_OK : ERR_NOMEM;
}

static enum err chunk_stats(struct chunk *k) {
    enum stats_order order = stats_order_of(k->column);
    struct pq_stats *s = &k->out->stats;
    *s = (struct pq_stats){ .null_count = k->shape.n_rows - (int64_t)k->shape.n_values,
                            .distinct_count = k->has_dict ? (int64_t)k->w->dict.n : -1,
                            .exact = true };
    struct minmax all = { 0 };
    for (size_t i = 0; i < k->n_pages; i++)
        if (k->plans[i].n_values) minmax_merge(&all, order, &k->plans[i].minmax);
    if (!all.any || k->opts->no_min_max) return ERR_OK;
    struct stats_bound lower, upper;
    stats_lower(k->column, all.min, &lower, &s->exact);
    stats_upper(k->column, all.max, &upper, &s->exact);
    s->has_min_max = true;
    s->min = lower.bytes;
    s->max = upper.bytes;
    return stats_keep(k->w, s);
}

static uint32_t encodings_of(const struct chunk *k) {
    uint32_t set = 1u << k->encoding;
    if (k->has_dict) set |= 1u << FMT_PLAIN;
    if (k->column->optional) set |= 1u << FMT_RLE;
    return set;
}

enum err encode_chunk(struct pq_writer *w, size_t column, const struct pq_values *v, struct chunk_out *out) {
    struct chunk k = { .w = w, .column = &w->columns[column], .opts = &w->opts[column], .out = out };
    TRY(check(&k, v));
    if (w->group->n_rows == 0) { // nothing to write, yet the group stands: its number means something
        *out = (struct chunk_out){ .where.off = w->bytes, .encodings = 1u << FMT_PLAIN };
        return ERR_OK;
    }
    k.shape = (struct chunk_shape){ .n_rows = w->group->n_rows, .rows = v->rows, .n_values = v->n_values };
    TRY(choose(&k, v));
    TRY(plan_pages(w, &k.shape, &k.n_pages));
    k.plans = w->plans.ptr;
    k.pages = ARENA_ARRAY(&w->arena, k.n_pages, struct pq_page);
    if (!k.pages) return ERR_NOMEM;
    *out = (struct chunk_out){ .pages = k.pages, .n_pages = k.n_pages, .where.off = w->bytes };
    TRY(encode_pages(&k));
    out->where.len = w->bytes - out->where.off;
    out->encodings = encodings_of(&k);
    TRY(chunk_stats(&k));
    if (!k.opts->no_min_max) TRY(chunk_bounds(&k));
    bool filter = k.opts->bloom || (k.opts->bloom_no_dict && !k.has_dict && k.shape.n_values > 0);
    return filter ? filter_chunk(&k) : ERR_OK;
}
