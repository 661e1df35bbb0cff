// SPDX-License-Identifier: Apache-2.0
// Row groups from one file to another as they are: pages hold no places, so the bytes of a chunk may
// stand anywhere; only what points to them changes. Of a remapped column the dictionary page is
// written anew and its data pages, which hold codes, are copied like all others.
#include "parquet/decoder.h"
#include "parquet/index.h"
#include "parquet/sums.h"
#include "parquet/writer.h"

enum { PIECE = 256 << 10 };

struct copy {
    struct pq_writer *w;
    const struct pq_reader *r;
    struct pq_decoder *d;
    size_t group;
    struct arena arena; // for one column at a time
};

// Appends a range of the source to the sink.
static enum err copy_bytes(struct copy *k, uint64_t off, uint64_t len) {
    struct buf *out = &k->w->out;
    while (len > 0) {
        size_t n = len < PIECE ? (size_t)len : PIECE;
        buf_reset(out);
        if (!buf_reserve(out, n)) return ERR_NOMEM;
        TRY(k->r->source.read(k->r->source.ctx, off, out->ptr, n));
        TRY(writer_put(k->w, out->ptr, n));
        off += n;
        len -= n;
    }
    return ERR_OK;
}

static enum err copy_bloom(struct copy *k, const struct pq_chunk *c, struct chunk_out *out) {
    struct buf *b = &k->w->blooms;
    size_t start = b->len, n = (size_t)c->meta->bloom.len;
    if (n == 0) return ERR_OK;
    if (!buf_reserve(b, n)) return ERR_NOMEM;
    TRY(k->r->source.read(k->r->source.ctx, c->meta->bloom.off, b->ptr + start, n));
    if (!sums_hold(k->r, (struct str){ b->ptr + start, n }, c->meta->sums.bloom))
        return decoder_fail(c, ERR_CORRUPT, "the checksum of the bloom filter");
    b->len += n;
    filter_note(k->w, start, out);
    return ERR_OK;
}

// A ColumnIndex holds no places either.
static enum err copy_bounds(struct copy *k, const struct pq_chunk *c, struct chunk_out *out) {
    size_t n = (size_t)c->meta->column_index.len;
    if (n == 0) return ERR_OK;
    char *p = arena_alloc(&k->w->arena, n);
    if (!p) return ERR_NOMEM;
    TRY(k->r->source.read(k->r->source.ctx, c->meta->column_index.off, p, n));
    out->bounds = (struct str){ p, n };
    return sums_hold(k->r, out->bounds, c->meta->sums.column_index)
               ? ERR_OK
               : decoder_fail(c, ERR_CORRUPT, "the checksum of the column index");
}

// The places of the pages, each `shift` bytes from where it was.
static enum err keep_pages(struct pq_writer *w, const struct pq_chunk *c, uint64_t shift,
                           struct chunk_out *out) {
    struct pq_page *pages = ARENA_ARRAY(&w->arena, c->n_pages, struct pq_page);
    if (!pages) return ERR_NOMEM;
    for (size_t i = 0; i < c->n_pages; i++) {
        pages[i] = c->pages[i];
        pages[i].offset += shift;
    }
    out->pages = pages;
    out->n_pages = c->n_pages;
    return ERR_OK;
}

static enum err copy_chunk(struct copy *k, struct pq_chunk *c, struct chunk_out *out) {
    struct pq_writer *w = k->w;
    const struct pq_chunk_meta *m = c->meta;
    TRY(pq_chunk_pages(c));
    uint64_t shift = w->bytes - m->pages.off;
    *out = (struct chunk_out){ .where = { w->bytes, m->pages.len },
                               .dict = { m->dict.off + shift, m->dict.len },
                               .stats = m->stats,
                               .bytes_plain = m->bytes_plain,
                               .encodings = m->encodings,
                               .codec = (enum fmt_codec)m->codec };
    TRY(keep_pages(w, c, shift, out));
    TRY(copy_bytes(k, m->pages.off, m->pages.len));
    TRY(copy_bounds(k, c, out));
    TRY(stats_keep(w, &out->stats));
    return copy_bloom(k, c, out);
}

// --- remapping -----------------------------------------------------------------------------------

static enum err read_head(struct pq_chunk *c, uint64_t off, uint64_t len, struct page_head *out) {
    enum { HEAD = 256 };
    struct str raw;
    TRY(chunk_fetch(c, (struct pq_range){ off, len < HEAD ? len : HEAD }, &c->decoder->raw, &raw));
    return page_head_read(raw, out) ? decoder_fail(c, ERR_CORRUPT, "the header of a page") : ERR_OK;
}

// Only a chunk whose pages all hold codes can change its dictionary alone. *dict_plain = what the old
// dictionary page counts in total_uncompressed_size.
static enum err all_coded(struct pq_chunk *c, uint64_t *dict_plain) {
    struct page_head h;
    *dict_plain = 0;
    for (size_t i = 0; i < c->n_pages; i++) {
        TRY(read_head(c, c->pages[i].offset, c->pages[i].size, &h));
        bool coded = h.encoding == FMT_RLE_DICT || h.encoding == FMT_PLAIN_DICT;
        bool empty = h.kind == PAGE_DATA_V2 && h.n_nulls == h.n_values;
        if (!coded && !empty)
            return decoder_fail(c, ERR_INVALID, "not dictionary-coded, so not to be remapped");
    }
    if (!c->dict) return ERR_OK;
    TRY(read_head(c, c->meta->dict.off, c->meta->dict.len, &h));
    *dict_plain = (uint64_t)h.head_bytes + h.bytes_plain;
    return *dict_plain <= c->meta->bytes_plain ? ERR_OK : decoder_fail(c, ERR_CORRUPT, "the size of a chunk");
}

// The new entries, in w->flat.
static enum err map_entries(struct copy *k, struct pq_chunk *c, const struct pq_remap *map,
                            struct values *out) {
    uint32_t n = c->dict->n;
    int32_t *entries = scratch_get(&k->w->flat, n, sizeof *entries);
    if (!entries) return ERR_NOMEM;
    for (uint32_t i = 0; i < n; i++) {
        uint32_t old = (uint32_t)c->dict->i32[i];
        if (old >= map->n_map) return decoder_fail(c, ERR_INVALID, "a value past the map");
        entries[i] = (int32_t)map->map[old];
    }
    *out = (struct values){ .column = c->column, .i32 = entries };
    return ERR_OK;
}

static enum err write_entries(struct copy *k, const struct pq_chunk *c, const struct values *v,
                              struct chunk_out *out) {
    struct pq_writer *w = k->w;
    size_t plain = (size_t)c->dict->n * 4, packed = plain;
    const void *body = v->i32;
    if (out->codec == FMT_ZSTD) {
        TRY(codec_pack(w, v->i32, plain, true, &packed));
        body = w->packed.ptr;
    }
    struct page_head h = { .kind = PAGE_DICT,
                           .bytes_plain = (uint32_t)plain,
                           .bytes_stored = (uint32_t)packed,
                           .n_values = c->dict->n,
                           .has_crc = true,
                           .crc = page_crc(0, body, packed) };
    buf_reset(&w->out);
    page_head_write(&w->out, &h);
    out->bytes_plain += w->out.len + plain;
    buf_add(&w->out, body, packed);
    if (w->out.failed) return ERR_NOMEM;
    out->dict = (struct pq_range){ w->bytes, w->out.len };
    return writer_put(w, w->out.ptr, w->out.len);
}

static enum err keep_bounds(struct pq_writer *w, const struct pq_column *c, const struct pq_bounds *b,
                            size_t n, struct chunk_out *out) {
    buf_reset(&w->out);
    index_write_bounds(&w->out, c, b, n);
    if (w->out.failed) return ERR_NOMEM;
    out->bounds = str_dup(&w->arena, buf_view(&w->out));
    return out->bounds.ptr ? ERR_OK : ERR_NOMEM;
}

// Bounds of the entries for the chunk, and for each of its pages that has a value.
static enum err entry_bounds(struct copy *k, struct pq_chunk *c, const struct values *v,
                             struct chunk_out *out) {
    struct pq_writer *w = k->w;
    struct minmax m = { 0 };
    minmax_i32(&m, stats_order_of(c->column), v->i32, c->dict->n);
    if (!m.any || !c->meta->stats.has_min_max) return ERR_OK;
    struct stats_bound lower, upper;
    stats_lower(c->column, m.min, &lower, &out->stats.exact);
    stats_upper(c->column, m.max, &upper, &out->stats.exact);
    out->stats.has_min_max = true;
    out->stats.min = lower.bytes;
    out->stats.max = upper.bytes;
    TRY(stats_keep(w, &out->stats));
    if (!c->bounds) return ERR_OK;
    struct pq_bounds *b = arena_copy(&k->arena, c->bounds, c->n_pages * sizeof *b);
    if (!b) return ERR_NOMEM;
    for (size_t i = 0; i < c->n_pages; i++) {
        if (b[i].all_null) continue;
        b[i].min = lower.bytes;
        b[i].max = upper.bytes;
    }
    return keep_bounds(w, c->column, b, c->n_pages, out);
}

static enum err remap_chunk(struct copy *k, struct pq_chunk *c, const struct pq_remap *map,
                            struct chunk_out *out) {
    struct pq_writer *w = k->w;
    const struct pq_chunk_meta *m = c->meta;
    struct values entries;
    uint64_t dict_plain;
    TRY(pq_chunk_pages(c));
    TRY(pq_chunk_bounds(c));
    TRY(pq_chunk_dict(c));
    TRY(all_coded(c, &dict_plain));
    if (!c->dict) return copy_chunk(k, c, out); // no values at all
    TRY(map_entries(k, c, map, &entries));
    TRY(dict_from_values(&w->dict, &entries, c->dict->n, UINT64_MAX, false)); // two may have become one
    uint64_t start = w->bytes, data = m->pages.off + m->dict.len;
    *out = (struct chunk_out){
        .stats = { .null_count = m->stats.null_count, .distinct_count = w->dict.n, .exact = true },
        .bytes_plain = m->bytes_plain - dict_plain,
        .encodings = m->encodings,
        .codec = (enum fmt_codec)m->codec
    };
    TRY(write_entries(k, c, &entries, out));
    TRY(keep_pages(w, c, w->bytes - data, out));
    TRY(copy_bytes(k, data, m->pages.len - m->dict.len));
    out->where = (struct pq_range){ start, w->bytes - start };
    TRY(entry_bounds(k, c, &entries, out));
    if (m->bloom.len == 0) return ERR_OK;
    return filter_values(w, &entries, NULL, c->dict->n, out);
}

// --- the row group -------------------------------------------------------------------------------

static const struct pq_remap *remap_of(const struct pq_remap *remaps, size_t n, struct str name) {
    for (size_t i = 0; i < n; i++)
        if (str_eq(remaps[i].column, name)) return &remaps[i];
    return NULL;
}

static bool same_column(const struct pq_column *a, const struct pq_column *b) {
    return a->type == b->type && a->fixed_len == b->fixed_len && a->optional == b->optional &&
           a->logical == b->logical;
}

// Which column of the source each of w is (SIZE_MAX = none); all of the source must be found.
static enum err match(struct copy *k, size_t **out) {
    const struct pq_writer *w = k->w;
    size_t *from = ARENA_ARRAY(&k->arena, w->n_columns, size_t), found = 0;
    if (!from) return ERR_NOMEM;
    for (size_t i = 0; i < w->n_columns; i++) {
        from[i] = pq_reader_column(k->r, w->columns[i].name);
        if (from[i] == SIZE_MAX) continue;
        if (!same_column(&w->columns[i], &k->r->columns[from[i]]))
            return err_set(&k->d->why, ERR_INVALID, "parquet: column %.*s differs in type",
                           STR_ARG(str_sub(w->columns[i].name, 0, 80)));
        found++;
    }
    if (found != k->r->n_columns)
        return err_set(&k->d->why, ERR_INVALID, "parquet: a column of the source is not in the schema");
    *out = from;
    return ERR_OK;
}

static enum err check_codec(const struct pq_chunk *c, struct pq_decoder *d) {
    if (c->meta->codec == FMT_UNCOMPRESSED || c->meta->codec == FMT_ZSTD) return ERR_OK;
    return err_set(&d->why, ERR_UNSUPPORTED, "parquet: codec %s", fmt_codec_name(c->meta->codec));
}

static enum err copy_columns(struct copy *k, const size_t *from, const struct pq_remap *remaps,
                             size_t n_remaps) {
    struct pq_writer *w = k->w;
    for (size_t i = 0; i < w->n_columns; i++) {
        if (from[i] == SIZE_MAX) continue; // filled by the next that is there, or at the end
        TRY(writer_fill(w, i));
        struct arena a;
        struct pq_chunk c;
        arena_init(&a, k->d->memory_max, NULL);
        pq_chunk_open(k->r, k->group, from[i], k->d, &a, &c);
        const struct pq_remap *map = remap_of(remaps, n_remaps, c.column->name);
        bool mappable = !map || c.column->type == PQ_INT32;
        enum err e = mappable ? check_codec(&c, k->d) : ERR_INVALID;
        struct chunk_out *out = &w->group->chunks[i];
        if (!e) e = map ? remap_chunk(k, &c, map, out) : copy_chunk(k, &c, out);
        arena_fini(&a);
        TRY(e);
        w->next_column = i + 1;
    }
    return ERR_OK;
}

enum err pq_copy_row_group(struct pq_writer *w, const struct pq_reader *r, size_t group, struct pq_decoder *d,
                           const struct pq_remap *remaps, size_t n_remaps) {
    ASSERT(group < r->n_groups);
    struct copy k = { .w = w, .r = r, .d = d, .group = group };
    size_t *from = NULL;
    decoder_begin(d);
    TRY(pq_row_group_begin(w, r->groups[group].n_rows, NULL, 0));
    arena_init(&k.arena, d->memory_max, NULL);
    enum err e = match(&k, &from);
    if (!e) e = copy_columns(&k, from, remaps, n_remaps);
    arena_fini(&k.arena);
    return e ? writer_fail(w, e) : pq_row_group_end(w);
}
