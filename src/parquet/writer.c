// SPDX-License-Identifier: Apache-2.0
#include "parquet/writer.h"

enum { META_MAX = 1 << 30, BUFFER_MAX = 1 << 30 }; // bytes that footer and scratch may take
enum { PAGE_ROWS = 4096, PAGE_BYTES = 1 << 20, DICT_BYTES = 128 << 10, PAGE_BYTES_MAX = 64 << 20 };

enum err writer_fail(struct pq_writer *w, enum err e) {
    if (!w->dead) w->dead = e;
    return e;
}

enum err writer_put(struct pq_writer *w, const void *p, size_t n) {
    if (n == 0) return ERR_OK;
    TRY(w->sink.write(w->sink.ctx, p, n));
    w->bytes += n;
    return ERR_OK;
}

static bool logical_fits(const struct pq_column *c) {
    switch (c->logical) {
    case PQ_PLAIN_TYPE: return true;
    case PQ_STRING: return c->type == PQ_BYTE_ARRAY;
    case PQ_TIMESTAMP_NS:
    case PQ_NAIVE_NS: return c->type == PQ_INT64;
    case PQ_SIGNED:
    case PQ_UNSIGNED: return c->type == PQ_INT32 || c->type == PQ_INT64;
    case PQ_OTHER:
    default: return false;
    }
}

static bool encoding_fits(const struct pq_column *c, const struct pq_column_opts *o) {
    switch (o->encoding) {
    case PQ_ENC_AUTO:
    case PQ_ENC_PLAIN: return true;
    case PQ_ENC_DICT: return c->type != PQ_BOOLEAN;
    case PQ_ENC_DELTA: return c->type == PQ_INT32 || c->type == PQ_INT64;
    case PQ_ENC_DELTA_LENGTH: return c->type == PQ_BYTE_ARRAY;
    default: return false;
    }
}

static bool column_fits(const struct pq_column *c, const struct pq_column_opts *o) {
    bool known = (c->type <= PQ_INT64 || (c->type >= PQ_DOUBLE && c->type <= PQ_FIXED));
    bool fixed = c->type == PQ_FIXED ? c->fixed_len >= 1 && c->fixed_len <= PQ_FIXED_MAX : c->fixed_len == 0;
    bool name = c->name.len >= 1 && c->name.len <= PQ_NAME_MAX && str_is_utf8(c->name) &&
                !memchr(c->name.ptr, 0, c->name.len);
    bool bloom = !o->bloom || c->type != PQ_BOOLEAN;
    return known && fixed && name && bloom && o->codec <= PQ_CODEC_ZSTD && logical_fits(c) &&
           encoding_fits(c, o);
}

static enum err copy_schema(struct pq_writer *w, const struct pq_writer_opts *o) {
    if (o->n_columns == 0 || o->n_columns > PQ_COLUMNS_MAX) return ERR_INVALID;
    w->n_columns = o->n_columns;
    w->columns = arena_copy(&w->arena, o->columns, o->n_columns * sizeof *o->columns);
    w->opts = arena_zalloc(&w->arena, o->n_columns * sizeof *w->opts);
    if (!w->columns || !w->opts) return ERR_NOMEM;
    if (o->opts) memcpy(w->opts, o->opts, o->n_columns * sizeof *w->opts);
    for (size_t i = 0; i < w->n_columns; i++) {
        if (!column_fits(&w->columns[i], &w->opts[i])) return ERR_INVALID;
        w->columns[i].name = str_dup(&w->arena, w->columns[i].name);
    }
    // The form that the format asks for: application, "version", number.
    w->created_by = str_fmt(&w->arena, "takt version %.*s", STR_ARG(o->version));
    return w->arena.failed ? ERR_NOMEM : ERR_OK;
}

static enum err start(struct pq_writer *w, const struct pq_writer_opts *o) {
    arena_init(&w->arena, META_MAX, NULL);
    buf_init(&w->blooms, BUFFER_MAX);
    buf_init(&w->raw, BUFFER_MAX);
    buf_init(&w->out, BUFFER_MAX);
    buf_init(&w->entries, PQ_PAGE_MAX + 1);
    pq_dict_build_init(&w->dict);
    w->sink = o->sink;
    w->kv_end = &w->kv;
    w->groups_end = &w->groups;
    w->page_rows = o->page_rows ? o->page_rows : PAGE_ROWS;
    w->page_bytes = o->page_bytes ? o->page_bytes : PAGE_BYTES;
    w->dict_bytes = o->dict_bytes ? o->dict_bytes : DICT_BYTES;
    if (w->page_bytes > PAGE_BYTES_MAX || w->dict_bytes > PAGE_BYTES_MAX) return ERR_INVALID;
    TRY(copy_schema(w, o));
    return writer_put(w, PQ_MAGIC, PQ_MAGIC_LEN);
}

enum err pq_writer_new(const struct pq_writer_opts *opts, struct pq_writer **out) {
    struct pq_writer *w = mem_zalloc(sizeof *w);
    if (!w) return ERR_NOMEM;
    enum err e = start(w, opts);
    if (e)
        pq_writer_free(w);
    else
        *out = w;
    return e;
}

void pq_writer_free(struct pq_writer *w) {
    if (!w) return;
    struct scratch *all[] = { &w->plans, &w->pages,  &w->bits,   &w->packed,
                              &w->flat,  &w->stamps, &w->bounds, &w->hashes };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) scratch_fini(all[i]);
    buf_fini(&w->blooms);
    buf_fini(&w->raw);
    buf_fini(&w->out);
    buf_fini(&w->entries);
    pq_dict_build_fini(&w->dict);
    ZSTD_freeCCtx(w->zstd);
    arena_fini(&w->arena);
    mem_free(w);
}

uint64_t pq_writer_bytes(const struct pq_writer *w) {
    return w->bytes;
}

static bool borders_fit(uint32_t n_rows, const uint32_t *borders, size_t n) {
    for (size_t i = 0; i < n; i++)
        if (borders[i] >= n_rows || borders[i] <= (i ? borders[i - 1] : 0)) return false;
    return true;
}

enum err pq_row_group_begin(struct pq_writer *w, uint32_t n_rows, const uint32_t *borders, size_t n_borders) {
    if (w->dead) return w->dead;
    if (w->finished || w->group || n_rows > PQ_ROWS_MAX) return writer_fail(w, ERR_INVALID);
    if (!borders_fit(n_rows, borders, n_borders)) return writer_fail(w, ERR_INVALID);
    if (w->n_groups == PQ_ROW_GROUPS_MAX) return writer_fail(w, ERR_LIMIT);
    struct group_out *g = ARENA_NEW(&w->arena, struct group_out);
    if (g) g->chunks = ARENA_ARRAY(&w->arena, w->n_columns, struct chunk_out);
    if (!g || !g->chunks) return writer_fail(w, ERR_NOMEM);
    g->n_rows = n_rows;
    w->group = g;
    w->next_column = 0;
    w->borders = borders;
    w->n_borders = n_borders;
    buf_reset(&w->blooms);
    return ERR_OK;
}

enum err writer_fill(struct pq_writer *w, size_t until) {
    const struct pq_values none = { 0 };
    for (; w->next_column < until; w->next_column++)
        TRY(encode_chunk(w, w->next_column, &none, &w->group->chunks[w->next_column]));
    return ERR_OK;
}

static enum err column_write(struct pq_writer *w, size_t column, const struct pq_values *v) {
    if (!w->group || column < w->next_column || column >= w->n_columns) return ERR_INVALID;
    TRY(writer_fill(w, column));
    TRY(encode_chunk(w, column, v, &w->group->chunks[column]));
    w->next_column++;
    return ERR_OK;
}

enum err pq_column_write(struct pq_writer *w, size_t column, const struct pq_values *v) {
    if (w->dead) return w->dead;
    enum err e = column_write(w, column, v);
    return e ? writer_fail(w, e) : ERR_OK;
}

static enum err group_end(struct pq_writer *w) {
    if (!w->group) return ERR_INVALID;
    TRY(writer_fill(w, w->n_columns));
    for (size_t i = 0; i < w->n_columns; i++)
        if (w->group->chunks[i].bloom.len) w->group->chunks[i].bloom.off += w->bytes;
    TRY(writer_put(w, w->blooms.ptr, w->blooms.len));
    *w->groups_end = w->group;
    w->groups_end = &w->group->next;
    w->n_groups++;
    w->n_rows += w->group->n_rows;
    w->group = NULL;
    return ERR_OK;
}

enum err pq_row_group_end(struct pq_writer *w) {
    if (w->dead) return w->dead;
    enum err e = group_end(w);
    return e ? writer_fail(w, e) : ERR_OK;
}

enum err pq_writer_kv(struct pq_writer *w, struct str key, struct str value) {
    if (w->dead) return w->dead;
    if (w->finished) return writer_fail(w, ERR_INVALID);
    struct kv_out *kv = ARENA_NEW(&w->arena, struct kv_out);
    if (!kv) return writer_fail(w, ERR_NOMEM);
    kv->key = str_dup(&w->arena, key);
    kv->value = str_dup(&w->arena, value);
    if (w->arena.failed) return writer_fail(w, ERR_NOMEM);
    *w->kv_end = kv;
    w->kv_end = &kv->next;
    return ERR_OK;
}

enum err pq_writer_finish(struct pq_writer *w) {
    if (w->dead) return w->dead;
    if (w->finished || w->group) return writer_fail(w, ERR_INVALID);
    w->finished = true;
    enum err e = footer_write(w);
    return e ? writer_fail(w, e) : ERR_OK;
}
