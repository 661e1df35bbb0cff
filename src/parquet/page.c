// SPDX-License-Identifier: Apache-2.0
// Our data pages are V2 (levels stay uncompressed, rows and nulls are counted in the header, and a
// page that does not shrink is stored as it is although the chunk has a codec), but V1 where levels
// are compressed with the values.
#include "parquet/page.h"

#include <libdeflate.h>

#include "parquet/thrift.h"

enum { HEAD_KIND = 1, HEAD_PLAIN, HEAD_STORED, HEAD_CRC, HEAD_DATA, HEAD_DICT = 7, HEAD_DATA_V2 };
enum { DICT_N = 1, DICT_ENCODING = 2 };
enum { DATA_N = 1, DATA_ENCODING, DATA_DEF_ENCODING, DATA_REP_ENCODING };
enum { V2_N = 1, V2_NULLS, V2_ROWS, V2_ENCODING, V2_DEF_BYTES, V2_REP_BYTES, V2_COMPRESSED };

uint32_t page_crc(uint32_t crc, const void *p, size_t n) {
    return n ? libdeflate_crc32(crc, p, n) : crc; // NULL would begin anew
}

void page_head_write(struct buf *out, const struct page_head *h) {
    struct thrift_out t = { .buf = out };
    thrift_begin(&t);
    thrift_i32(&t, HEAD_KIND, (int32_t)h->kind);
    thrift_i32(&t, HEAD_PLAIN, (int32_t)h->bytes_plain);
    thrift_i32(&t, HEAD_STORED, (int32_t)h->bytes_stored);
    if (h->has_crc) thrift_i32(&t, HEAD_CRC, (int32_t)h->crc);
    if (h->kind == PAGE_DICT) {
        thrift_struct(&t, HEAD_DICT);
        thrift_i32(&t, DICT_N, (int32_t)h->n_values);
        thrift_i32(&t, DICT_ENCODING, FMT_PLAIN);
    } else if (h->kind == PAGE_DATA) {
        thrift_struct(&t, HEAD_DATA);
        thrift_i32(&t, DATA_N, (int32_t)h->n_values);
        thrift_i32(&t, DATA_ENCODING, (int32_t)h->encoding);
        thrift_i32(&t, DATA_DEF_ENCODING, FMT_RLE);
        thrift_i32(&t, DATA_REP_ENCODING, FMT_RLE);
    } else {
        ASSERT(h->kind == PAGE_DATA_V2);
        thrift_struct(&t, HEAD_DATA_V2);
        thrift_i32(&t, V2_N, (int32_t)h->n_values);
        thrift_i32(&t, V2_NULLS, (int32_t)h->n_nulls);
        thrift_i32(&t, V2_ROWS, (int32_t)h->n_values);
        thrift_i32(&t, V2_ENCODING, (int32_t)h->encoding);
        thrift_i32(&t, V2_DEF_BYTES, (int32_t)h->levels_bytes);
        thrift_i32(&t, V2_REP_BYTES, 0);
        if (!h->compressed) thrift_bool(&t, V2_COMPRESSED, false);
    }
    thrift_end(&t);
    thrift_end(&t);
}

static uint32_t get_size(struct reader *r, const struct thrift_field *f) {
    int32_t v = thrift_get_i32(r, f);
    if (v < 0) r->bad = true;
    return r->bad ? 0 : (uint32_t)v;
}

// Fields that must be there: a header that lost one would be read as if it said 0.
static void want(struct reader *r, uint32_t seen, int last) {
    for (int id = 1; id <= last; id++)
        if (!(seen >> id & 1)) r->bad = true;
}

static inline uint32_t bit_of(const struct thrift_field *f) {
    return f->id > 0 && f->id < 32 ? 1u << f->id : 0;
}

static void read_dict(struct reader *r, struct page_head *h) {
    struct thrift_field f = { 0 };
    uint32_t seen = 0;
    for (; thrift_next(r, &f); seen |= bit_of(&f)) switch (f.id) {
        case DICT_N: h->n_values = get_size(r, &f); break;
        case DICT_ENCODING: h->encoding = get_size(r, &f); break;
        default: thrift_skip(r, &f);
        }
    want(r, seen, DICT_ENCODING);
}

static void read_data(struct reader *r, struct page_head *h, bool *levels_known) {
    struct thrift_field f = { 0 };
    uint32_t seen = 0;
    for (; thrift_next(r, &f); seen |= bit_of(&f)) switch (f.id) {
        case DATA_N: h->n_values = get_size(r, &f); break;
        case DATA_ENCODING: h->encoding = get_size(r, &f); break;
        case DATA_DEF_ENCODING: *levels_known = get_size(r, &f) == FMT_RLE; break;
        default: thrift_skip(r, &f);
        }
    want(r, seen, DATA_REP_ENCODING);
}

static void read_data_v2(struct reader *r, struct page_head *h, uint32_t *n_rows, uint32_t *rep_bytes) {
    struct thrift_field f = { 0 };
    uint32_t seen = 0;
    for (; thrift_next(r, &f); seen |= bit_of(&f)) switch (f.id) {
        case V2_N: h->n_values = get_size(r, &f); break;
        case V2_NULLS: h->n_nulls = get_size(r, &f); break;
        case V2_ROWS: *n_rows = get_size(r, &f); break;
        case V2_ENCODING: h->encoding = get_size(r, &f); break;
        case V2_DEF_BYTES: h->levels_bytes = get_size(r, &f); break;
        case V2_REP_BYTES: *rep_bytes = get_size(r, &f); break;
        case V2_COMPRESSED: h->compressed = thrift_get_bool(r, &f); break;
        default: thrift_skip(r, &f);
        }
    want(r, seen, V2_REP_BYTES);
}

enum err page_head_read(struct str data, struct page_head *out) {
    struct page_head h = { .compressed = true };
    struct reader r = reader_of(str_sub(data, 0, PAGE_HEAD_MAX));
    struct thrift_field f = { 0 };
    bool levels_known = true;
    int detail = 0; // which of the headers inside was there
    uint32_t v2_rows = 0, v2_rep = 0;
    while (thrift_next(&r, &f)) {
        if (f.id == HEAD_DATA || f.id == HEAD_DICT || f.id == HEAD_DATA_V2) {
            detail = thrift_get_struct(&r, &f) ? f.id : 0;
            if (f.id == HEAD_DICT) read_dict(&r, &h);
            if (f.id == HEAD_DATA) read_data(&r, &h, &levels_known);
            if (f.id == HEAD_DATA_V2) read_data_v2(&r, &h, &v2_rows, &v2_rep);
        } else if (f.id == HEAD_KIND) {
            h.kind = (enum page_kind)get_size(&r, &f);
        } else if (f.id == HEAD_PLAIN) {
            h.bytes_plain = get_size(&r, &f);
        } else if (f.id == HEAD_STORED) {
            h.bytes_stored = get_size(&r, &f);
        } else if (f.id == HEAD_CRC) {
            h.crc = (uint32_t)thrift_get_i32(&r, &f);
            h.has_crc = true;
        } else {
            thrift_skip(&r, &f);
        }
    }
    int wanted = h.kind == PAGE_DATA ? HEAD_DATA : h.kind == PAGE_DICT ? HEAD_DICT : HEAD_DATA_V2;
    if (r.bad || h.kind > PAGE_DATA_V2 || h.kind == PAGE_INDEX || detail != wanted) return ERR_CORRUPT;
    if (h.bytes_plain > PQ_PAGE_MAX || h.bytes_stored > PQ_PAGE_MAX) return ERR_CORRUPT;
    if (h.kind == PAGE_DATA_V2) {
        if (v2_rep != 0 || v2_rows != h.n_values || !levels_known) return ERR_UNSUPPORTED;
        if (h.n_nulls > h.n_values || h.levels_bytes > h.bytes_stored || h.levels_bytes > h.bytes_plain)
            return ERR_CORRUPT;
    }
    if (!levels_known) return ERR_UNSUPPORTED;
    h.head_bytes = (uint32_t)(data.len - rd_left(&r));
    if (data.len > PAGE_HEAD_MAX) h.head_bytes -= (uint32_t)(data.len - PAGE_HEAD_MAX);
    *out = h;
    return ERR_OK;
}
