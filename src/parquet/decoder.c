// SPDX-License-Identifier: Apache-2.0
#include "parquet/decoder.h"

#include "parquet/bitpack.h"
#include "parquet/rle.h"

enum { MEMORY_DEFAULT = 512 << 20 };

struct pq_decoder *pq_decoder_new(size_t memory_max) {
    struct pq_decoder *d = mem_zalloc(sizeof *d);
    if (!d) return NULL;
    d->memory_max = memory_max ? memory_max : MEMORY_DEFAULT;
    return d;
}

void pq_decoder_free(struct pq_decoder *d) {
    if (!d) return;
    pq_decoder_trim(d, 0);
    ZSTD_freeDCtx(d->zstd);
    mem_free(d);
}

void pq_decoder_trim(struct pq_decoder *d, size_t most) {
    if (d->raw.cap + d->plain.cap + d->codes.cap + d->lens.cap <= most) return;
    scratch_fini(&d->raw);
    scratch_fini(&d->plain);
    scratch_fini(&d->codes);
    scratch_fini(&d->lens);
}

const char *pq_decoder_why(const struct pq_decoder *d) {
    return d->why.text;
}

void *decoder_room(struct pq_decoder *d, struct scratch *s, size_t n, enum err *e) {
    size_t others = d->raw.cap + d->plain.cap + d->codes.cap + d->lens.cap - s->cap;
    *e = ERR_LIMIT;
    if (n > d->memory_max || others > d->memory_max - n) return NULL;
    // A buffer that grows may double; not past the limit.
    if (n + BITPACK_SLACK > s->cap && s->cap * 2 > d->memory_max - others) scratch_fini(s);
    void *p = scratch_get(s, n + BITPACK_SLACK, 1);
    *e = p ? ERR_OK : ERR_NOMEM;
    return p;
}

enum err decoder_fail(const struct pq_chunk *c, enum err e, const char *what) {
    return err_set(&c->decoder->why, e, "parquet: column %.*s: %s", STR_ARG(str_sub(c->column->name, 0, 80)),
                   what);
}

enum err decoder_unsupported(struct pq_chunk *c, const char *what) {
    return err_set(&c->decoder->why, ERR_UNSUPPORTED, "parquet: column %.*s: %s is not supported",
                   STR_ARG(str_sub(c->column->name, 0, 80)), what);
}

enum err chunk_fetch(struct pq_chunk *c, struct pq_range range, struct scratch *space, struct str *out) {
    enum err e;
    size_t n = (size_t)range.len;
    char *p = decoder_room(c->decoder, space, n, &e);
    if (!p) return e;
    memset(p + n, 0, BITPACK_SLACK);
    *out = (struct str){ p, n };
    return c->reader->source.read(c->reader->source.ctx, range.off, p, n);
}

// Unpacks the body of a page (of V2, what follows the levels). No space: it is as it is.
static enum err unpack(struct pq_chunk *c, struct str packed, size_t plain_len, struct scratch *space,
                       struct str *out) {
    struct pq_decoder *d = c->decoder;
    if (c->meta->codec == FMT_UNCOMPRESSED || !space) {
        *out = packed;
        return packed.len == plain_len ? ERR_OK : decoder_fail(c, ERR_CORRUPT, "length of a page");
    }
    if (c->meta->codec != FMT_ZSTD) return decoder_unsupported(c, fmt_codec_name(c->meta->codec));
    enum err e;
    char *p = decoder_room(d, space, plain_len, &e);
    if (!d->zstd) d->zstd = ZSTD_createDCtx();
    if (!p || !d->zstd) return p ? ERR_NOMEM : e;
    size_t got = ZSTD_decompressDCtx(d->zstd, p, plain_len, packed.ptr, packed.len);
    if (ZSTD_isError(got) || got != plain_len) return decoder_fail(c, ERR_CORRUPT, "a page does not unpack");
    memset(p + plain_len, 0, BITPACK_SLACK);
    *out = (struct str){ p, plain_len };
    return ERR_OK;
}

// Levels of a V1 page stand in the body, behind their length.
static enum err split_levels(struct pq_chunk *c, struct page_view *v) {
    if (!c->column->optional) return ERR_OK;
    uint32_t len;
    if (v->values.len < sizeof len) return decoder_fail(c, ERR_CORRUPT, "levels of a page");
    memcpy(&len, v->values.ptr, sizeof len);
    if (len > v->values.len - sizeof len) return decoder_fail(c, ERR_CORRUPT, "levels of a page");
    v->levels = str_sub(v->values, sizeof len, len);
    v->values = str_sub(v->values, sizeof len + len, SIZE_MAX);
    return ERR_OK;
}

// The checksum is of the body; what the header says of it is held to the body and the footer. Levels must
// end with the last row and leave out as many as there are nulls, or values begin elsewhere.
static enum err check_head(const struct pq_chunk *c, const struct page_view *v) {
    const struct page_head *h = &v->head;
    struct rle levels;
    size_t ones;
    if (c->reader->has_sums && (h->encoding >= 32 || !(c->meta->encodings >> h->encoding & 1)))
        return decoder_fail(c, ERR_CORRUPT, "the encoding of a page");
    if (h->kind != PAGE_DATA_V2 || !c->column->optional || h->n_values == 0) return ERR_OK;
    if (v->levels.len == 0 && h->n_nulls == 0 && !c->reader->has_sums) return ERR_OK; // some leave them out
    if (!rle_open(&levels, v->levels, 1) || !rle_count_ones(&levels, h->n_values, &ones) ||
        levels.pos != levels.end || ones != h->n_values - h->n_nulls)
        return decoder_fail(c, ERR_CORRUPT, "levels of a page");
    return ERR_OK;
}

enum err page_view(struct pq_chunk *c, struct str raw, uint32_t n_rows, struct scratch *space,
                   struct page_view *out) {
    struct page_view v = { 0 };
    struct page_head *h = &v.head;
    enum err e = page_head_read(raw, h);
    if (e == ERR_UNSUPPORTED) return decoder_unsupported(c, "the form of a page's levels");
    if (e) return decoder_fail(c, e, "the header of a page");
    if (h->bytes_stored > raw.len - h->head_bytes) return decoder_fail(c, ERR_CORRUPT, "a page's length");
    struct str body = str_sub(raw, h->head_bytes, h->bytes_stored);
    if (h->has_crc && page_crc(0, body.ptr, body.len) != h->crc)
        return decoder_fail(c, ERR_CORRUPT, "the checksum of a page");
    if (h->kind == PAGE_DATA_V2) {
        if (h->levels_bytes && !c->column->optional) return decoder_fail(c, ERR_CORRUPT, "levels of a page");
        v.levels = str_sub(body, 0, h->levels_bytes);
        body = str_sub(body, h->levels_bytes, SIZE_MAX);
        if (!h->compressed || body.len == 0) space = NULL;
        TRY(unpack(c, body, h->bytes_plain - h->levels_bytes, space, &v.values));
    } else {
        TRY(unpack(c, body, h->bytes_plain, space, &v.values));
        if (h->kind == PAGE_DATA) TRY(split_levels(c, &v));
    }
    if (h->kind != PAGE_DICT && h->n_values != n_rows)
        return decoder_fail(c, ERR_CORRUPT, "the number of rows of a page");
    TRY(check_head(c, &v));
    *out = v;
    return ERR_OK;
}
