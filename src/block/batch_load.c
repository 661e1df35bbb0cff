// SPDX-License-Identifier: Apache-2.0
// How ranges of a part are read, one function for each kind of source.
#include "block/batch_internal.h"

#include "block/any.h"
#include "span/parts.h"

static enum err widen_i32(struct arena *a, const struct pq_vector *v, struct vec *out) {
    int64_t *ints = ARENA_ARRAY(a, v->n_values + 1ull, int64_t);
    if (!ints) return ERR_NOMEM;
    for (uint32_t i = 0; i < v->n_values; i++) ints[i] = v->i32[i];
    out->ints = ints;
    return ERR_OK;
}

static enum err widen_bools(struct arena *a, const struct pq_vector *v, struct vec *out) {
    int64_t *ints = ARENA_ARRAY(a, v->n_values + 1ull, int64_t);
    if (!ints) return ERR_NOMEM;
    for (uint32_t i = 0; i < v->n_values; i++) ints[i] = v->bools[i];
    out->ints = ints;
    return ERR_OK;
}

static enum err texts_of(struct arena *a, const struct source *s, const struct pq_vector *v,
                         struct vec *out) {
    out->form = VEC_TEXTS;
    out->texts = v->strs;
    if (!s->is_any) return ERR_OK;
    struct str *any = ARENA_ARRAY(a, v->n_values + 1ull, struct str);
    if (!any) return ERR_NOMEM;
    for (uint32_t i = 0; i < v->n_values; i++) TRY(any_read(v->strs[i], a, &any[i]));
    out->texts = any;
    return ERR_OK;
}

static enum err plain_values(struct arena *a, const struct source *s, const struct pq_vector *v,
                             struct vec *out) {
    out->form = VEC_INTS;
    switch (v->repr) {
    case PQ_I64: out->ints = v->i64; return ERR_OK;
    case PQ_I32: return widen_i32(a, v, out);
    case PQ_BOOLS: return widen_bools(a, v, out);
    case PQ_F64:
        out->form = VEC_FLOATS;
        out->floats = v->f64;
        return ERR_OK;
    case PQ_STRS: return texts_of(a, s, v, out);
    case PQ_FIXEDS:
    case PQ_CODES:
    default: return ERR_CORRUPT;
    }
}

enum err source_load_chunk(struct block_batch *b, struct source *s, uint32_t from, uint32_t to,
                           struct vec *out) {
    static const uint32_t no_rows[1];
    struct pq_vector v;
    TRY(batch_chunk_read(b, &s->chunk, from, to, &v));
    *out = (struct vec){ .form = VEC_CODES, .n = v.n_values, .rows = v.rows, .codes = v.codes };
    if (v.n_values == 0 && from < to) out->rows = no_rows;
    if (!s->coded) return plain_values(&b->scan->arena, s, &v, out);
    return v.n_values == 0 || v.repr == PQ_CODES ? ERR_OK : ERR_CORRUPT;
}

enum err source_load_duration(struct block_batch *b, struct source *s, uint32_t from, uint32_t to,
                              struct vec *out) {
    TRY(source_load_chunk(b, s, from, to, out));
    if (out->form != VEC_INTS) return ERR_CORRUPT;
    if (!s->not_negative) return ERR_OK;
    int64_t *ints = arena_copy(&b->scan->arena, out->ints, out->n * sizeof *ints);
    if (!ints) return ERR_NOMEM;
    for (uint32_t i = 0; i < out->n; i++) ints[i] = ints[i] > 0 ? ints[i] : 0;
    out->ints = ints;
    return ERR_OK;
}

enum err source_load_filled(struct block_batch *b, struct source *s, uint32_t from, uint32_t to,
                            struct vec *out) {
    uint32_t n = to - from, *codes = NULL;
    struct arena *a = &b->scan->arena;
    struct vec some = { .n = 0 };
    if (!s->is_empty) TRY(source_load_chunk(b, s, from, to, &some));
    *out = (struct vec){ .form = VEC_CODES, .n = n };
    if (s->coded) {
        out->codes = codes = ARENA_ARRAY(a, n + 1ull, uint32_t);
        for (uint32_t i = 0; codes && i < n; i++) codes[i] = s->fill;
        for (uint32_t i = 0; codes && i < some.n; i++) codes[some.rows ? some.rows[i] : i] = some.codes[i];
        return codes ? ERR_OK : ERR_NOMEM;
    }
    struct str *texts = ARENA_ARRAY(a, n + 1ull, struct str);
    out->form = VEC_TEXTS;
    out->texts = texts;
    for (uint32_t i = 0; texts && i < n; i++) texts[i] = STR("");
    for (uint32_t i = 0; texts && i < some.n; i++) texts[some.rows ? some.rows[i] : i] = some.texts[i];
    return texts ? ERR_OK : ERR_NOMEM;
}

enum err source_load_names(struct block_batch *b, struct source *s, uint32_t from, uint32_t to,
                           struct vec *out) {
    TRY(source_load_chunk(b, s, from, to, out));
    uint32_t *codes = s->coded ? arena_copy(&b->scan->arena, out->codes, out->n * sizeof *codes) : NULL;
    struct str *texts = s->coded ? NULL : arena_copy(&b->scan->arena, out->texts, out->n * sizeof *texts);
    if (!codes && !texts) return ERR_NOMEM;
    if (s->coded)
        out->codes = codes;
    else
        out->texts = texts;
    for (uint32_t i = rows_find(s->few.rows, s->few.n, from); i < s->few.n && s->few.rows[i] < to; i++) {
        if (s->coded)
            codes[s->few.rows[i] - from] = s->fill + i;
        else
            texts[s->few.rows[i] - from] = s->few.values[i].s;
    }
    return ERR_OK;
}

enum err source_load_codes(struct block_batch *b, struct source *s, uint32_t from, uint32_t to,
                           struct vec *out) {
    (void)b;
    *out = (struct vec){ .form = VEC_CODES, .n = to - from, .codes = s->codes + from };
    return ERR_OK;
}

enum err source_load_few(struct block_batch *b, struct source *s, uint32_t from, uint32_t to,
                         struct vec *out) {
    return few_load(&s->few, &b->scan->arena, from, to, out);
}

enum err source_load_ids(struct block_batch *b, struct source *s, uint32_t from, uint32_t to,
                         struct vec *out) {
    uint32_t size = s->chunk.column->fixed_len;
    struct pq_vector v;
    const uint8_t *ids;
    TRY(batch_chunk_read(b, &s->chunk, from, to, &v));
    TRY(vector_fixed(&v, &b->scan->arena, size, &ids));
    *out = (struct vec){ .form = VEC_TEXTS,
                         .n = v.n_values,
                         .texts = hex_texts(&b->scan->arena, ids, size, v.n_values) };
    return out->texts ? ERR_OK : ERR_NOMEM;
}
