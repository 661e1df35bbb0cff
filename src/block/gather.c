// SPDX-License-Identifier: Apache-2.0
#include "block/gather.h"

#include <stdlib.h>

#include "base/pb.h"

enum err gather_init(struct gather *g, const uint32_t *place, uint32_t n_rows, struct arena *a) {
    size_t words = (n_rows + 63) / 64;
    *g = (struct gather){ .place = place, .n_rows = n_rows, .arena = a };
    g->bits = arena_zalloc(a, (words + 1) * sizeof *g->bits);
    g->dense = ARENA_ARRAY(a, n_rows + 1ull, uint64_t);
    return g->bits && g->dense ? ERR_OK : ERR_NOMEM;
}

static bool is_wide(enum attr_type t) {
    return t == ATTR_INT || t == ATTR_FLOAT;
}

static bool is_text(enum attr_type t) {
    return t == ATTR_STRING || t == ATTR_ANY;
}

// Which values of a text column a column of the file holds: all, unless some are large (of the type
// ATTR_ANY: have no text).
struct filter {
    const struct dict *dict; // NULL = all of them
    const struct str *texts;
};

static struct filter filter_of(const struct attr_column *c, const struct str *texts) {
    bool all = !is_text(c->type) || (c->type == ATTR_STRING && c->longest <= LARGE_VALUE_BYTES);
    return (struct filter){ all ? NULL : &c->dict, texts };
}

static bool filter_keeps(const struct filter *f, uint32_t id) {
    if (!f->dict) return true;
    return f->texts ? f->texts[id].ptr != NULL : dict_get(f->dict, id).len <= LARGE_VALUE_BYTES;
}

// Scatters n pairs; returns how many fell into the row group. Inlined for each kind of values, of which
// those of four bytes lie closer: all of a row group fit the processor's cache.
static inline __attribute__((always_inline)) uint32_t scatter_some(struct gather *g, const uint32_t *rows,
                                                                   const void *vals, uint32_t n, bool wide,
                                                                   const struct filter *f) {
    uint32_t found = 0;
    for (uint32_t i = 0; i < n; i++) {
        uint32_t p = g->place[rows[i]];
        if (p >= g->n_rows || (f && !filter_keeps(f, ((const uint32_t *)vals)[i]))) continue;
        g->bits[p >> 6] |= 1ull << (p & 63);
        if (wide)
            ((uint64_t *)g->dense)[p] = ((const uint64_t *)vals)[i];
        else
            ((uint32_t *)g->dense)[p] = ((const uint32_t *)vals)[i];
        found++;
    }
    return found;
}

static uint32_t scatter(struct gather *g, const struct segvec *rows, const struct segvec *vals, uint32_t n,
                        bool wide, struct filter filter) {
    uint32_t found = 0;
    for (unsigned seg = 0; segvec_seg_first(seg) < n; seg++) {
        const uint32_t *r = (const uint32_t *)rows->seg[seg];
        uint32_t end = n - segvec_seg_first(seg);
        if (end > segvec_seg_len(seg)) end = segvec_seg_len(seg);
        if (wide)
            found += scatter_some(g, r, vals->seg[seg], end, true, NULL);
        else if (!filter.dict)
            found += scatter_some(g, r, vals->seg[seg], end, false, NULL);
        else
            found += scatter_some(g, r, vals->seg[seg], end, false, &filter);
    }
    return found;
}

// Takes what was scattered in order of position; clears the bits.
static void pack(struct gather *g, uint32_t *rows, uint32_t *v32, uint64_t *v64, uint8_t *v8) {
    uint32_t n = 0;
    for (uint32_t w = 0; w <= g->n_rows / 64; w++) {
        uint64_t bits = g->bits[w];
        g->bits[w] = 0;
        for (; bits; bits &= bits - 1) {
            uint32_t p = w * 64 + (uint32_t)__builtin_ctzll(bits);
            rows[n] = p;
            if (v32) v32[n] = ((const uint32_t *)g->dense)[p];
            if (v64) v64[n] = ((const uint64_t *)g->dense)[p];
            if (v8) v8[n] = (uint8_t)((const uint32_t *)g->dense)[p];
            n++;
        }
    }
}

enum err gather_dict(struct gather *g, const struct dict *d, const struct str **out) {
    struct str *flat = ARENA_ARRAY(g->arena, d->n + 1ull, struct str);
    if (!flat) return ERR_NOMEM;
    for (uint32_t i = 0; i < d->n; i++) flat[i] = dict_get(d, i);
    *out = flat;
    return ERR_OK;
}

// Different values have different texts, so both serve as the dictionary.
static enum err text_values(struct gather *g, const struct attr_column *c, const struct str *texts,
                            uint32_t *codes, struct pq_values *out) {
    if (!c->dict.appending && c->dict.n <= out->n_values * 4 + 64) {
        out->codes = codes;
        out->n_dict = c->dict.n;
        out->dict = texts;
        return texts ? ERR_OK : gather_dict(g, &c->dict, &out->dict);
    }
    struct str *strs = ARENA_ARRAY(g->arena, out->n_values, struct str);
    if (!strs) return ERR_NOMEM;
    for (size_t i = 0; i < out->n_values; i++)
        strs[i] = texts ? texts[codes[i]] : dict_get(&c->dict, codes[i]);
    out->strs = strs;
    return ERR_OK;
}

enum err gather_column(struct gather *g, const struct attr_column *c, const struct str *texts,
                       struct pq_values *out) {
    ASSERT((c->type == ATTR_ANY) == (texts != NULL));
    bool wide = is_wide(c->type), text = is_text(c->type);
    uint32_t n = scatter(g, &c->rows, &c->vals, c->n, wide, filter_of(c, texts));
    uint32_t *rows = ARENA_ARRAY(g->arena, n + 1ull, uint32_t);
    void *vals = ARENA_ARRAY(g->arena, n + 1ull, uint64_t);
    if (!rows || !vals) return ERR_NOMEM;
    pack(g, rows, text ? vals : NULL, wide ? vals : NULL, c->type == ATTR_BOOL ? vals : NULL);
    *out = (struct pq_values){ .rows = rows, .n_values = n };
    if (c->type == ATTR_INT) out->i64 = vals;
    if (c->type == ATTR_FLOAT) out->f64 = vals;
    if (c->type == ATTR_BOOL) out->bools = vals;
    return text ? text_values(g, c, texts, vals, out) : ERR_OK;
}

enum err gather_pairs(struct gather *g, const struct segvec *rows, const struct segvec *vals, uint32_t n,
                      uint32_t **out_rows, uint32_t **out_vals, uint32_t *out_n) {
    *out_n = scatter(g, rows, vals, n, false, (struct filter){ NULL, NULL });
    *out_rows = ARENA_ARRAY(g->arena, *out_n + 1ull, uint32_t);
    *out_vals = ARENA_ARRAY(g->arena, *out_n + 1ull, uint32_t);
    if (!*out_rows || !*out_vals) return ERR_NOMEM;
    pack(g, *out_rows, *out_vals, NULL, NULL);
    return ERR_OK;
}

// --- the rest ------------------------------------------------------------------------------------

struct piece {
    uint32_t place, order;
    size_t off, len; // in the buffer of pieces
};

struct pieces {
    struct piece *at;
    uint32_t n, cap;
    struct arena *arena;
    struct buf bytes;
};

static void piece_add(struct pieces *p, uint32_t place, size_t off) {
    if (p->n == p->cap) {
        uint32_t cap = p->cap ? p->cap * 2 : 64;
        struct piece *more = ARENA_ARRAY(p->arena, cap, struct piece);
        if (!more) return;
        if (p->n) memcpy(more, p->at, p->n * sizeof *more);
        p->at = more;
        p->cap = cap;
    }
    p->at[p->n] = (struct piece){ place, p->n, off, p->bytes.len - off };
    p->n++;
}

static int by_place(const void *x, const void *y) {
    const struct piece *a = x, *b = y;
    if (a->place != b->place) return a->place < b->place ? -1 : 1;
    return (a->order > b->order) - (a->order < b->order);
}

static enum err large_piece(struct pieces *p, const struct attr_column *c, const struct attr_value *v,
                            const struct rest_sink *sink) {
    struct buf any;
    uint8_t hash[16];
    buf_init(&any, SIZE_MAX);
    attr_value_write(&any, v);
    enum err e = any.failed ? ERR_NOMEM : sink->large(sink->ctx, buf_view(&any), hash);
    buf_fini(&any);
    TRY(e);
    size_t mark = pb_begin(&p->bytes, REST_LARGE);
    pb_bytes(&p->bytes, REST_LARGE_KEY, c->key);
    pb_bytes(&p->bytes, REST_LARGE_HASH, (struct str){ (const char *)hash, sizeof hash });
    pb_end(&p->bytes, mark);
    return ERR_OK;
}

// The values of a column that no column of the file holds; filter: what the file's column does hold.
static enum err column_pieces(struct gather *g, struct pieces *p, const struct attr_column *c,
                              const struct filter *filter, const struct rest_sink *sink) {
    for (uint32_t i = 0; i < c->n; i++) {
        uint32_t place = g->place[attr_column_row(c, i)];
        if (place >= g->n_rows) continue;
        struct attr_value v = attr_column_value(c, i);
        bool large = is_text(c->type) && v.text.len > LARGE_VALUE_BYTES;
        if (filter && filter_keeps(filter, (uint32_t)v.bits)) continue;
        size_t off = p->bytes.len;
        if (large)
            TRY(large_piece(p, c, &v, sink));
        else
            attr_kv_write(&p->bytes, REST_ATTRIBUTE, c->key, &v);
        piece_add(p, place, off);
    }
    return ERR_OK;
}

static void own_pieces(struct gather *g, struct pieces *p, const struct attr_table *t,
                       struct rest_keys *keys) {
    uint32_t n = atomic_load_explicit(&t->n_rest, memory_order_acquire);
    for (uint32_t i = 0; i < n; i++) {
        uint32_t place = g->place[SEG_AT(&t->rest_row, i, uint32_t)];
        if (place >= g->n_rows) continue;
        size_t off = p->bytes.len;
        buf_str(&p->bytes, SEG_AT(&t->rest_val, i, struct str));
        rest_keys_of(keys, SEG_AT(&t->rest_val, i, struct str));
        piece_add(p, place, off);
    }
}

// Joins the pieces of a row to one value.
static enum err join_pieces(struct gather *g, struct pieces *p, struct pq_values *out) {
    if (p->n > 1) qsort(p->at, p->n, sizeof *p->at, by_place);
    uint32_t *rows = ARENA_ARRAY(g->arena, p->n + 1ull, uint32_t);
    struct str *strs = ARENA_ARRAY(g->arena, p->n + 1ull, struct str);
    char *bytes = arena_alloc(g->arena, p->bytes.len + 1);
    uint32_t n = 0;
    size_t at = 0;
    if (!rows || !strs || !bytes) return ERR_NOMEM;
    for (uint32_t i = 0; i < p->n; i++) {
        if (n == 0 || rows[n - 1] != p->at[i].place) {
            rows[n] = p->at[i].place;
            strs[n++] = (struct str){ bytes + at, 0 };
        }
        memcpy(bytes + at, p->bytes.ptr + p->at[i].off, p->at[i].len);
        strs[n - 1].len += p->at[i].len;
        at += p->at[i].len;
    }
    *out = (struct pq_values){ .rows = rows, .n_values = n, .strs = strs };
    return ERR_OK;
}

enum err gather_rest(struct gather *g, const struct attr_table *t, const struct column_choice *choice,
                     const struct rest_sink *sink, struct rest_keys *keys, struct pq_values *out) {
    struct pieces p = { .arena = g->arena };
    enum err e = ERR_OK;
    buf_init(&p.bytes, SIZE_MAX);
    own_pieces(g, &p, t, keys);
    for (uint32_t i = 0; i < t->n_columns && e == ERR_OK; i++) {
        const struct attr_column *c = attrs_column(t, i);
        struct filter filter = filter_of(c, choice->texts[i]);
        uint32_t before = p.n;
        if (!choice->chosen[i])
            e = column_pieces(g, &p, c, NULL, sink);
        else if (filter.dict)
            e = column_pieces(g, &p, c, &filter, sink);
        if (p.n > before) rest_keys_add(keys, c->key);
    }
    if (p.bytes.failed || g->arena->failed) e = ERR_NOMEM;
    if (e == ERR_OK) e = join_pieces(g, &p, out);
    buf_fini(&p.bytes);
    return e;
}
