// SPDX-License-Identifier: Apache-2.0
// Values of a page, in any of the encodings that we read, appended to a vector.
#include "parquet/bitpack.h"
#include "parquet/decoder.h"
#include "parquet/delta.h"
#include "parquet/rle.h"

static enum err damaged(struct pq_chunk *c) {
    return decoder_fail(c, ERR_CORRUPT, "values of a page");
}

// --- strings -------------------------------------------------------------------------------------

// Turns n lengths into slices of bytes, which are copied to the arena.
static enum err slice(struct arena *a, const char *bytes, size_t len, size_t n, struct str *out) {
    char *copy = arena_copy(a, bytes, len);
    if (!copy) return ERR_NOMEM;
    for (size_t i = 0; i < n; i++) out[i].ptr = copy + (out[i].ptr - bytes);
    return ERR_OK;
}

enum err strs_plain(struct pq_chunk *c, struct str values, size_t skip, size_t n, bool to_end,
                    struct arena *a, struct str *out) {
    const char *p = values.ptr, *end = p + values.len, *first = p;
    for (size_t i = 0; i < skip + n; i++) {
        uint32_t len;
        if (end - p < (ptrdiff_t)sizeof len) return damaged(c);
        memcpy(&len, p, sizeof len);
        if (i == skip) first = p;
        p += sizeof len;
        if ((size_t)(end - p) < len) return damaged(c);
        if (i >= skip) out[i - skip] = (struct str){ p, len };
        p += len;
    }
    if (to_end && p != end) return damaged(c);
    return n ? slice(a, first, (size_t)(p - first), n, out) : ERR_OK;
}

// All lengths of a page up to skip + n, in d->lens; and what follows them.
static enum err read_lens(struct pq_chunk *c, struct scratch *space, struct str data, uint32_t n_rows,
                          int64_t **lens, size_t *n, struct str *rest) {
    struct delta d;
    enum err e;
    if (!delta_open(&d, data, n_rows)) return damaged(c);
    *n = (size_t)d.total;
    *lens = decoder_room(c->decoder, space, *n * sizeof **lens, &e);
    if (!*lens) return e;
    if (!delta_read(&d, *lens, *n)) return damaged(c);
    for (size_t i = 0; i < *n; i++)
        if ((*lens)[i] < 0 || (*lens)[i] > PQ_PAGE_MAX) return damaged(c);
    *rest = delta_rest(&d);
    return ERR_OK;
}

static enum err strs_delta_length(struct vector_out *v, const struct page_view *p, size_t skip, size_t n) {
    struct pq_chunk *c = v->chunk;
    int64_t *lens;
    size_t total;
    struct str bytes;
    TRY(read_lens(c, &c->decoder->lens, p->values, p->head.n_values, &lens, &total, &bytes));
    if (skip + n > total) return damaged(c);
    uint64_t before = 0, len = 0;
    for (size_t i = 0; i < skip; i++) before += (uint64_t)lens[i];
    for (size_t i = skip; i < skip + n; i++) len += (uint64_t)lens[i];
    if (before + len > bytes.len) return damaged(c);
    const char *at = arena_copy(v->arena, bytes.ptr + before, (size_t)len);
    if (!at) return ERR_NOMEM;
    struct str *out = (struct str *)v->data + v->n;
    for (size_t i = 0; i < n; i++) {
        out[i] = (struct str){ at, (size_t)lens[skip + i] };
        at += lens[skip + i];
    }
    return ERR_OK;
}

// Value i of DELTA_BYTE_ARRAY, to an array of strings or of fixed bytes.
static enum err put_bytes(struct vector_out *v, size_t i, struct str s) {
    if (v->repr == PQ_STRS) {
        struct str *out = (struct str *)v->data + v->n + i;
        *out = str_dup(v->arena, s);
        return out->ptr ? ERR_OK : ERR_NOMEM;
    }
    uint32_t width = v->chunk->column->fixed_len;
    if (s.len != width) return damaged(v->chunk);
    memcpy((char *)v->data + (v->n + i) * width, s.ptr, width);
    return ERR_OK;
}

// Each value is a start of the one before and a suffix of its own: all before it must be built.
static enum err bytes_delta(struct vector_out *v, const struct page_view *p, size_t skip, size_t n) {
    struct pq_chunk *c = v->chunk;
    int64_t *prefixes, *suffixes;
    size_t n_prefixes, n_suffixes;
    struct str rest, bytes;
    TRY(read_lens(c, &c->decoder->lens, p->values, p->head.n_values, &prefixes, &n_prefixes, &rest));
    TRY(read_lens(c, &c->decoder->codes, rest, p->head.n_values, &suffixes, &n_suffixes, &bytes));
    if (n_prefixes != n_suffixes || skip + n > n_prefixes) return damaged(c);
    struct buf last;
    buf_init(&last, PQ_PAGE_MAX);
    enum err e = ERR_OK;
    for (size_t i = 0; i < skip + n && !e; i++) {
        size_t prefix = (size_t)prefixes[i], suffix = (size_t)suffixes[i];
        if (prefix > last.len || suffix > bytes.len) {
            e = damaged(c);
            break;
        }
        last.len = prefix;
        buf_str(&last, str_sub(bytes, 0, suffix));
        bytes = str_sub(bytes, suffix, SIZE_MAX);
        if (last.failed) e = ERR_NOMEM;
        if (!e && i >= skip) e = put_bytes(v, i - skip, buf_view(&last));
    }
    buf_fini(&last);
    return e;
}

// --- codes ---------------------------------------------------------------------------------------

// limit is at most 2^31. The top bit of what is gathered says that a code was too large, or had that
// bit itself. Vectors as the compiler knows them: what it makes of a plain loop is slower than unpacking.
static bool all_below(const uint32_t *codes, size_t n, uint32_t limit) {
    typedef uint32_t lanes __attribute__((vector_size(16)));
    lanes bad[2] = { { 0 }, { 0 } }, next[2];
    uint32_t any = 0;
    size_t i = 0;
    if (n && limit == 0) return false;
    for (; i + 8 <= n; i += 8) {
        memcpy(next, codes + i, sizeof next);
        bad[0] |= (limit - 1 - next[0]) | next[0];
        bad[1] |= (limit - 1 - next[1]) | next[1];
    }
    bad[0] |= bad[1];
    for (int k = 0; k < 4; k++) any |= bad[0][k];
    for (; i < n; i++) any |= (limit - 1 - codes[i]) | codes[i];
    return any >> 31 == 0;
}

static enum err read_codes(struct pq_chunk *c, const struct page_view *p, size_t skip, size_t n,
                           uint32_t *out) {
    TRY(pq_chunk_dict(c));
    if (!c->dict || p->values.len == 0) return damaged(c);
    unsigned width = (uint8_t)p->values.ptr[0];
    struct rle r;
    if (!rle_open(&r, str_sub(p->values, 1, SIZE_MAX), width) || !rle_skip(&r, skip) || !rle_read(&r, out, n))
        return damaged(c);
    // Where every number of that width is an entry, there is nothing to check.
    if ((uint64_t)1 << width <= c->dict->n || all_below(out, n, c->dict->n)) return ERR_OK;
    return decoder_fail(c, ERR_CORRUPT, "a code past the dictionary");
}

static void gather(const struct pq_column *col, const struct pq_dict *d, const uint32_t *codes, size_t n,
                   void *out) {
    size_t size = repr_size(col, repr_of(col));
    if (size == 4)
        for (size_t i = 0; i < n; i++) ((int32_t *)out)[i] = d->i32[codes[i]];
    else if (size == 8)
        for (size_t i = 0; i < n; i++) memcpy((char *)out + i * 8, d->fixed + (size_t)codes[i] * 8, 8);
    else if (col->type == PQ_BYTE_ARRAY)
        for (size_t i = 0; i < n; i++) ((struct str *)out)[i] = d->strs[codes[i]];
    else
        for (size_t i = 0; i < n; i++) memcpy((char *)out + i * size, d->fixed + codes[i] * size, size);
}

static enum err codes_to_values(struct vector_out *v, const struct page_view *p, size_t skip, size_t n) {
    struct pq_chunk *c = v->chunk;
    enum err e;
    TRY(pq_chunk_dict(c)); // it uses the room for codes
    uint32_t *codes = decoder_room(c->decoder, &c->decoder->codes, n * sizeof *codes, &e);
    if (!codes) return e;
    TRY(read_codes(c, p, skip, n, codes));
    gather(c->column, c->dict, codes, n, (char *)v->data + v->n * repr_size(c->column, v->repr));
    return ERR_OK;
}

// A page that is not dictionary-coded follows some that are: the codes so far become values.
static enum err leave_codes(struct vector_out *v) {
    const struct pq_column *col = v->chunk->column;
    enum pq_repr repr = repr_of(col);
    void *values = arena_array(v->arena, v->cap, repr_size(col, repr));
    if (!values) return ERR_NOMEM;
    gather(col, v->chunk->dict, v->data, v->n, values);
    v->data = values;
    v->repr = repr;
    return ERR_OK;
}

// --- the rest ------------------------------------------------------------------------------------

static enum err ints_delta(struct vector_out *v, const struct page_view *p, size_t skip, size_t n) {
    struct delta d;
    if (!delta_open(&d, p->values, p->head.n_values) || !delta_skip(&d, skip)) return damaged(v->chunk);
    if (v->repr == PQ_I64) return delta_read(&d, (int64_t *)v->data + v->n, n) ? ERR_OK : damaged(v->chunk);
    int32_t *out = (int32_t *)v->data + v->n;
    int64_t wide[4 * DELTA_STEP];
    while (n > 0) {
        size_t step = n < 4 * DELTA_STEP ? n : 4 * DELTA_STEP;
        if (!delta_read(&d, wide, step)) return damaged(v->chunk);
        for (size_t i = 0; i < step; i++) out[i] = (int32_t)(uint32_t)(uint64_t)wide[i];
        out += step;
        n -= step;
    }
    return ERR_OK;
}

static enum err bools_rle(struct vector_out *v, const struct page_view *p, size_t skip, size_t n) {
    struct pq_chunk *c = v->chunk;
    uint32_t len;
    struct rle r;
    enum err e;
    if (p->values.len < sizeof len) return damaged(c);
    memcpy(&len, p->values.ptr, sizeof len);
    if (len > p->values.len - sizeof len) return damaged(c);
    uint32_t *bits = decoder_room(c->decoder, &c->decoder->codes, n * sizeof *bits, &e);
    if (!bits) return e;
    if (!rle_open(&r, str_sub(p->values, sizeof len, len), 1) || !rle_skip(&r, skip) ||
        !rle_read(&r, bits, n))
        return damaged(c);
    for (size_t i = 0; i < n; i++) ((uint8_t *)v->data)[v->n + i] = bits[i] & 1;
    return ERR_OK;
}

static enum err plain(struct vector_out *v, const struct page_view *p, size_t skip, size_t n) {
    const struct pq_column *col = v->chunk->column;
    if (col->type == PQ_BYTE_ARRAY)
        return strs_plain(v->chunk, p->values, skip, n, false, v->arena, (struct str *)v->data + v->n);
    if (col->type == PQ_BOOLEAN) {
        if (skip + n > p->values.len * 8) return damaged(v->chunk);
        uint8_t *out = (uint8_t *)v->data + v->n;
        for (size_t i = 0; i < n; i++) out[i] = (uint8_t)p->values.ptr[(skip + i) / 8] >> (skip + i) % 8 & 1;
        return ERR_OK;
    }
    size_t width = pq_width(col);
    if (skip + n > p->values.len / width) return damaged(v->chunk);
    memcpy((char *)v->data + v->n * width, p->values.ptr + skip * width, n * width);
    return ERR_OK;
}

enum err decode_values(struct vector_out *v, const struct page_view *p, size_t skip, size_t n) {
    enum pq_type type = v->chunk->column->type;
    bool ints = type == PQ_INT32 || type == PQ_INT64;
    bool bytes = type == PQ_BYTE_ARRAY || type == PQ_FIXED;
    uint32_t encoding = p->head.encoding;
    if (encoding == FMT_RLE_DICT || encoding == FMT_PLAIN_DICT) {
        if (v->repr == PQ_CODES) return read_codes(v->chunk, p, skip, n, (uint32_t *)v->data + v->n);
        return codes_to_values(v, p, skip, n);
    }
    if (v->repr == PQ_CODES) TRY(leave_codes(v));
    if (encoding == FMT_PLAIN) return plain(v, p, skip, n);
    if (encoding == FMT_DELTA && ints) return ints_delta(v, p, skip, n);
    if (encoding == FMT_DELTA_LENGTH && type == PQ_BYTE_ARRAY) return strs_delta_length(v, p, skip, n);
    if (encoding == FMT_DELTA_BYTES && bytes) return bytes_delta(v, p, skip, n);
    if (encoding == FMT_RLE && type == PQ_BOOLEAN) return bools_rle(v, p, skip, n);
    return decoder_unsupported(v->chunk, fmt_encoding_name(encoding));
}
