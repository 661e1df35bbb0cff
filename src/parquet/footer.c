// SPDX-License-Identifier: Apache-2.0
// The end of a file: page indexes (first the bounds of all chunks, then the places), the footer, its
// length, the magic.
#include "parquet/footer.h"

#include "parquet/index.h"
#include "parquet/page.h"
#include "parquet/sums.h"
#include "parquet/thrift.h"
#include "parquet/writer.h"

enum err stats_keep(struct pq_writer *w, struct pq_stats *s) {
    if (!s->has_min_max) return ERR_OK;
    s->min = str_dup(&w->arena, s->min);
    s->max = str_dup(&w->arena, s->max);
    return s->min.ptr && s->max.ptr ? ERR_OK : ERR_NOMEM;
}

static void write_logical(struct thrift_out *t, const struct pq_column *c) {
    if (c->logical == PQ_PLAIN_TYPE) return;
    bool wide = c->type == PQ_INT64;
    if (c->logical == PQ_STRING)
        thrift_i32(t, ELEM_CONVERTED, CONVERTED_UTF8);
    else if (c->logical == PQ_SIGNED)
        thrift_i32(t, ELEM_CONVERTED, wide ? CONVERTED_INT_64 : CONVERTED_INT_32);
    else if (c->logical == PQ_UNSIGNED)
        thrift_i32(t, ELEM_CONVERTED, wide ? CONVERTED_UINT_64 : CONVERTED_UINT_32);
    thrift_struct(t, ELEM_LOGICAL);
    if (c->logical == PQ_STRING) {
        thrift_empty(t, LOGICAL_STRING);
    } else if (c->logical == PQ_TIMESTAMP_NS || c->logical == PQ_NAIVE_NS) {
        thrift_struct(t, LOGICAL_TIMESTAMP);
        thrift_bool(t, TIMESTAMP_UTC, c->logical == PQ_TIMESTAMP_NS);
        thrift_struct(t, TIMESTAMP_UNIT);
        thrift_empty(t, UNIT_NANOS);
        thrift_end(t);
        thrift_end(t);
    } else {
        thrift_struct(t, LOGICAL_INTEGER);
        thrift_byte(t, INTEGER_BITS, wide ? 64 : 32);
        thrift_bool(t, INTEGER_SIGNED, c->logical == PQ_SIGNED);
        thrift_end(t);
    }
    thrift_end(t);
}

static void write_schema(struct thrift_out *t, const struct pq_writer *w) {
    thrift_list(t, FILE_SCHEMA, THRIFT_STRUCT, w->n_columns + 1);
    thrift_begin(t);
    thrift_binary(t, ELEM_NAME, STR("schema"));
    thrift_i32(t, ELEM_CHILDREN, (int32_t)w->n_columns);
    thrift_end(t);
    for (size_t i = 0; i < w->n_columns; i++) {
        const struct pq_column *c = &w->columns[i];
        thrift_begin(t);
        thrift_i32(t, ELEM_TYPE, (int32_t)c->type);
        if (c->type == PQ_FIXED) thrift_i32(t, ELEM_LENGTH, (int32_t)c->fixed_len);
        thrift_i32(t, ELEM_REPETITION, c->optional ? REP_OPTIONAL : REP_REQUIRED);
        thrift_binary(t, ELEM_NAME, c->name);
        write_logical(t, c);
        thrift_end(t);
    }
}

static void write_stats(struct thrift_out *t, const struct pq_stats *s) {
    thrift_struct(t, META_STATS);
    if (s->null_count >= 0) thrift_i64(t, STAT_NULLS, s->null_count);
    if (s->distinct_count >= 0) thrift_i64(t, STAT_DISTINCT, s->distinct_count);
    if (s->has_min_max) {
        thrift_binary(t, STAT_MAX, s->max);
        thrift_binary(t, STAT_MIN, s->min);
        thrift_bool(t, STAT_MAX_EXACT, s->exact);
        thrift_bool(t, STAT_MIN_EXACT, s->exact);
    }
    thrift_end(t);
}

static void write_meta(struct thrift_out *t, const struct pq_column *c, const struct chunk_out *k,
                       uint32_t n_rows) {
    thrift_struct(t, CHUNK_META);
    thrift_i32(t, META_TYPE, (int32_t)c->type);
    thrift_list(t, META_ENCODINGS, THRIFT_I32, (size_t)__builtin_popcount(k->encodings));
    for (int e = 0; e < 32; e++)
        if (k->encodings >> e & 1) wr_zigzag(t->buf, e);
    thrift_list(t, META_PATH, THRIFT_BINARY, 1);
    thrift_item_binary(t, c->name);
    thrift_i32(t, META_CODEC, (int32_t)k->codec);
    thrift_i64(t, META_VALUES, n_rows);
    thrift_i64(t, META_PLAIN, (int64_t)k->bytes_plain);
    thrift_i64(t, META_STORED, (int64_t)k->where.len);
    thrift_i64(t, META_DATA_AT, (int64_t)(k->where.off + k->dict.len));
    if (k->dict.len) thrift_i64(t, META_DICT_AT, (int64_t)k->dict.off);
    write_stats(t, &k->stats);
    if (k->bloom.len) {
        thrift_i64(t, META_BLOOM_AT, (int64_t)k->bloom.off);
        thrift_i32(t, META_BLOOM_LEN, (int32_t)k->bloom.len);
    }
    thrift_end(t);
}

static void write_chunk(struct thrift_out *t, const struct pq_column *c, const struct chunk_out *k,
                        uint32_t n_rows) {
    thrift_begin(t);
    thrift_i64(t, CHUNK_OFFSET, 0); // the metadata stands here and nowhere else
    write_meta(t, c, k, n_rows);
    thrift_i64(t, CHUNK_OFFSETS_AT, (int64_t)k->offset_index.off);
    thrift_i32(t, CHUNK_OFFSETS_LEN, (int32_t)k->offset_index.len);
    if (k->column_index.len) {
        thrift_i64(t, CHUNK_BOUNDS_AT, (int64_t)k->column_index.off);
        thrift_i32(t, CHUNK_BOUNDS_LEN, (int32_t)k->column_index.len);
    }
    thrift_end(t);
}

static void write_group(struct thrift_out *t, const struct pq_writer *w, const struct group_out *g,
                        int16_t ordinal) {
    uint64_t plain = 0, stored = 0;
    thrift_begin(t);
    thrift_list(t, GROUP_COLUMNS, THRIFT_STRUCT, w->n_columns);
    for (size_t i = 0; i < w->n_columns; i++) {
        write_chunk(t, &w->columns[i], &g->chunks[i], g->n_rows);
        plain += g->chunks[i].bytes_plain;
        stored += g->chunks[i].where.len;
    }
    thrift_i64(t, GROUP_BYTES, (int64_t)plain);
    thrift_i64(t, GROUP_ROWS, g->n_rows);
    thrift_i64(t, GROUP_OFFSET, (int64_t)g->chunks[0].where.off);
    thrift_i64(t, GROUP_PACKED, (int64_t)stored);
    thrift_i16(t, GROUP_ORDINAL, ordinal);
    thrift_end(t);
}

static void write_kv(struct thrift_out *t, struct str key, struct str value) {
    thrift_begin(t);
    thrift_binary(t, KV_KEY, key);
    thrift_binary(t, KV_VALUE, value);
    thrift_end(t);
}

// *sums_at = where in the footer the text of the checksums begins.
static void write_file(struct thrift_out *t, const struct pq_writer *w, struct str sums, size_t *sums_at) {
    size_t n_kv = 1;
    for (const struct kv_out *kv = w->kv; kv; kv = kv->next) n_kv++;
    thrift_begin(t);
    thrift_i32(t, FILE_VERSION, 2);
    write_schema(t, w);
    thrift_i64(t, FILE_ROWS, (int64_t)w->n_rows);
    thrift_list(t, FILE_GROUPS, THRIFT_STRUCT, w->n_groups);
    int16_t ordinal = 0;
    for (const struct group_out *g = w->groups; g; g = g->next) write_group(t, w, g, ordinal++);
    thrift_list(t, FILE_KV, THRIFT_STRUCT, n_kv);
    for (const struct kv_out *kv = w->kv; kv; kv = kv->next) write_kv(t, kv->key, kv->value);
    write_kv(t, STR(SUMS_KEY), sums);
    *sums_at = t->buf->len - 1 - sums.len; // behind it stands the end of the pair
    thrift_binary(t, FILE_CREATED_BY, w->created_by);
    thrift_list(t, FILE_ORDERS, THRIFT_STRUCT, w->n_columns);
    for (size_t i = 0; i < w->n_columns; i++) {
        thrift_begin(t);
        thrift_empty(t, 1); // the order that the type defines
        thrift_end(t);
    }
    thrift_end(t);
}

// Writes out what has gathered, so that memory does not grow with the number of chunks.
static enum err spill(struct pq_writer *w, size_t above) {
    if (w->out.failed) return ERR_NOMEM;
    if (w->out.len <= above) return ERR_OK;
    TRY(writer_put(w, w->out.ptr, w->out.len));
    buf_reset(&w->out);
    return ERR_OK;
}

enum { SPILL = 1 << 20 };

static enum err write_indexes(struct pq_writer *w) {
    for (struct group_out *g = w->groups; g; g = g->next)
        for (size_t i = 0; i < w->n_columns; i++) {
            struct chunk_out *k = &g->chunks[i];
            k->column_index = (struct pq_range){ w->bytes + w->out.len, k->bounds.len };
            k->sums.column_index = page_crc(0, k->bounds.ptr, k->bounds.len);
            buf_str(&w->out, k->bounds);
            TRY(spill(w, SPILL));
        }
    for (struct group_out *g = w->groups; g; g = g->next)
        for (size_t i = 0; i < w->n_columns; i++) {
            struct chunk_out *k = &g->chunks[i];
            size_t start = w->out.len;
            index_write_pages(&w->out, k->pages, k->n_pages);
            if (w->out.failed) return ERR_NOMEM;
            k->offset_index = (struct pq_range){ w->bytes + start, w->out.len - start };
            k->sums.offset_index = page_crc(0, w->out.ptr + start, w->out.len - start);
            TRY(spill(w, SPILL));
        }
    return spill(w, 0);
}

static void gather_sums(const struct pq_writer *w, struct buf *out) {
    sums_begin(out);
    for (const struct group_out *g = w->groups; g; g = g->next)
        for (size_t i = 0; i < w->n_columns; i++) {
            const struct chunk_out *k = &g->chunks[i];
            sums_add(out, &k->sums, k->bloom.len, k->column_index.len, k->offset_index.len);
        }
}

enum err footer_write(struct pq_writer *w) {
    buf_reset(&w->out);
    TRY(write_indexes(w));
    struct thrift_out t = { .buf = &w->out };
    size_t sums_at;
    gather_sums(w, &w->raw);
    if (w->raw.failed) return ERR_NOMEM;
    write_file(&t, w, buf_view(&w->raw), &sums_at);
    if (w->out.failed || w->out.len > UINT32_MAX) return ERR_NOMEM;
    sums_seal(w->out.ptr, w->out.len, sums_at);
    wr_u32le(&w->out, (uint32_t)w->out.len);
    buf_add(&w->out, PQ_MAGIC, PQ_MAGIC_LEN);
    return spill(w, 0);
}
