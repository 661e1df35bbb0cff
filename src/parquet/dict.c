// SPDX-License-Identifier: Apache-2.0
#include "parquet/dict.h"

#include "base/cursor.h"

union stats_value values_at(const struct values *v, size_t i) {
    union stats_value out = { 0 };
    if (v->strs)
        out.s = v->strs[i];
    else if (v->fixed)
        out.s = (struct str){ (const char *)v->fixed + i * v->column->fixed_len, v->column->fixed_len };
    else if (v->i64)
        out.i = v->i64[i];
    else if (v->i32)
        out.i = v->column->logical == PQ_UNSIGNED ? (int64_t)(uint32_t)v->i32[i] : v->i32[i];
    else if (v->f64)
        out.f = v->f64[i];
    else
        out.i = v->bools[i] != 0;
    return out;
}

struct str values_bytes(const struct values *v, size_t i, char *tmp) {
    union stats_value x = values_at(v, i);
    if (v->strs || v->fixed) return x.s;
    memcpy(tmp, &x, 8);
    return (struct str){ tmp, v->i32 ? 4 : 8 };
}

void values_write(const struct values *v, size_t i, struct buf *out) {
    char tmp[8];
    struct str s = values_bytes(v, i, tmp);
    if (v->column->type == PQ_BYTE_ARRAY) wr_u32le(out, (uint32_t)s.len);
    buf_str(out, s);
}

void pq_dict_build_init(struct dict *d) {
    *d = (struct dict){ 0 };
    map_init(&d->map, UINT32_MAX - 1);
}

void pq_dict_build_fini(struct dict *d) {
    scratch_fini(&d->codes_mem);
    scratch_fini(&d->used_mem);
    scratch_fini(&d->remap_mem);
    scratch_fini(&d->ranks_mem);
    scratch_fini(&d->keys_mem);
    map_fini(&d->map);
}

// Bytes of entry i of a source in the dictionary page; 0 when it may not be there.
static inline uint64_t entry_bytes(const struct values *v, size_t i) {
    uint32_t width = pq_width(v->column);
    if (!v->strs) return width;
    if (v->column->type == PQ_FIXED) return v->strs[i].len == width ? width : 0;
    return v->strs[i].len <= PQ_VALUE_MAX ? 4 + v->strs[i].len : 0;
}

// The numbers that the caller's codes got; grown with DICT_NONE in what is new.
static uint32_t *remap_of(struct dict *d, size_t n) {
    if (n <= d->n_remap) return d->remap_mem.ptr;
    d->n_remap = 0;
    uint32_t *p = scratch_get(&d->remap_mem, n, sizeof *p);
    if (!p) return NULL;
    d->n_remap = d->remap_mem.cap / sizeof *p;
    memset(p, 0xff, d->n_remap * sizeof *p);
    return p;
}

static bool make_room(struct dict *d, size_t n_values, size_t n_entries) {
    d->codes = scratch_get(&d->codes_mem, n_values, sizeof *d->codes);
    d->used = scratch_get(&d->used_mem, n_entries, sizeof *d->used);
    d->n = 0;
    d->bytes = 0;
    d->fits = true;
    d->ranks = d->by_rank = NULL;
    return d->codes && d->used;
}

// Gives a code of the caller's the next number, if the page has room for its value.
static __attribute__((noinline)) enum err add_entry(struct dict *d, uint32_t code, uint64_t max_bytes) {
    uint64_t bytes = entry_bytes(&d->source, code);
    if (bytes == 0) return ERR_INVALID;
    d->bytes += bytes;
    d->fits = d->bytes <= max_bytes;
    if (!d->fits) return ERR_OK;
    d->used[d->n] = code;
    ((uint32_t *)d->remap_mem.ptr)[code] = d->n++;
    return ERR_OK;
}

enum err dict_from_codes(struct dict *d, const struct pq_column *c, const struct pq_values *v,
                         uint64_t max_bytes) {
    d->source = (struct values){ .column = c, .i32 = v->dict_i32, .i64 = v->dict_i64, .strs = v->dict };
    uint32_t *remap = remap_of(d, v->n_dict);
    size_t entries = v->n_dict < v->n_values ? v->n_dict : v->n_values;
    if (!make_room(d, v->n_values, entries) || !remap) return ERR_NOMEM;
    enum err e = ERR_OK;
    const uint32_t *codes = v->codes;
    const size_t n = v->n_values, n_dict = v->n_dict;
    uint32_t *out = d->codes;
    for (size_t i = 0; i < n; i++) {
        uint32_t code = codes[i];
        if (code >= n_dict) {
            e = ERR_INVALID;
            break;
        }
        if (remap[code] == (uint32_t)DICT_NONE && ((e = add_entry(d, code, max_bytes)) || !d->fits)) break;
        out[i] = remap[code];
    }
    for (uint32_t k = 0; k < d->n; k++) remap[d->used[k]] = (uint32_t)DICT_NONE;
    return e;
}

// --- from values: by hash ------------------------------------------------------------------------

static const uint8_t *flat_base(const struct values *v) {
    return v->i32   ? (const uint8_t *)v->i32
           : v->i64 ? (const uint8_t *)v->i64
           : v->f64 ? (const uint8_t *)v->f64
                    : v->fixed;
}

static uint64_t hash_of(const struct values *v, size_t i) {
    uint32_t width = pq_width(v->column);
    if (v->strs) return hash_str(v->strs[i]);
    const uint8_t *p = flat_base(v) + i * width;
    uint64_t word = 0;
    if (width > 8) return hash_bytes(p, width);
    memcpy(&word, p, width);
    return hash_u64(word ^ 0x9e3779b97f4a7c15u);
}

static uint64_t rehash(const void *ctx, uint32_t index) {
    const struct dict *d = ctx;
    return hash_of(&d->source, d->used[index]);
}

static bool is_equal(const void *ctx, uint32_t index, const void *key) {
    const struct dict *d = ctx;
    size_t i = *(const size_t *)key, k = d->used[index];
    if (d->source.strs) return str_eq(d->source.strs[i], d->source.strs[k]);
    uint32_t width = pq_width(d->source.column);
    const uint8_t *base = flat_base(&d->source);
    if (width == 8) return memcmp(base + i * 8, base + k * 8, 8) == 0;
    return memcmp(base + i * width, base + k * width, width) == 0;
}

// Has value i, which is new, a place? Not when the page is full, nor when half of many values were new.
static bool has_place(struct dict *d, size_t i, uint64_t max_bytes, bool give_up) {
    enum { TRIAL = 2048 };
    d->bytes += entry_bytes(&d->source, i);
    d->fits = d->bytes <= max_bytes && !(give_up && i >= TRIAL && d->n > i / 2);
    return d->fits;
}

static inline uint64_t number_at(const struct values *v, size_t i) {
    return v->i64 ? (uint64_t)v->i64[i] : (uint64_t)(int64_t)v->i32[i];
}

// Whole numbers that lie close together: *out_least, and how many there are from it to the greatest.
// 0: they do not.
static uint32_t range_of(const struct values *v, size_t n, uint64_t *out_least) {
    enum { RANGE_MAX = 1 << 16 };
    struct minmax m = { 0 };
    if (n == 0 || (!v->i64 && !v->i32)) return 0;
    if (v->i64)
        minmax_i64(&m, STATS_SIGNED, v->i64, n);
    else
        minmax_i32(&m, STATS_SIGNED, v->i32, n);
    uint64_t range = (uint64_t)m.max.i - (uint64_t)m.min.i;
    *out_least = (uint64_t)m.min.i;
    return range < RANGE_MAX && range < n * 4 ? (uint32_t)range + 1 : 0;
}

// As by hash, but each number has a place of its own in a table.
static enum err dict_from_range(struct dict *d, size_t n, uint64_t least, uint32_t range, uint64_t max_bytes,
                                bool give_up) {
    const struct values *v = &d->source;
    uint32_t *codes = remap_of(d, range);
    if (!codes) return ERR_NOMEM;
    for (size_t i = 0; i < n; i++) {
        uint64_t at = number_at(v, i) - least;
        if (codes[at] == (uint32_t)DICT_NONE) {
            if (!has_place(d, i, max_bytes, give_up)) break;
            codes[at] = d->n;
            d->used[d->n++] = (uint32_t)i;
        }
        d->codes[i] = codes[at];
    }
    for (uint32_t k = 0; k < d->n; k++) codes[number_at(v, d->used[k]) - least] = (uint32_t)DICT_NONE;
    return ERR_OK;
}

enum err dict_from_values(struct dict *d, const struct values *v, size_t n, uint64_t max_bytes,
                          bool give_up) {
    uint64_t least;
    if (!make_room(d, n, n)) return ERR_NOMEM;
    d->source = *v;
    uint32_t range = range_of(v, n, &least);
    if (range) return dict_from_range(d, n, least, range, max_bytes, give_up);
    map_reset(&d->map);
    for (size_t i = 0; i < n; i++) {
        if (i && is_equal(d, d->codes[i - 1], &i)) { // values often come in runs
            d->codes[i] = d->codes[i - 1];
            continue;
        }
        uint64_t hash = hash_of(v, i);
        uint32_t k = map_get(&d->map, hash, is_equal, d, &i);
        if (k == MAP_NONE) {
            if (!has_place(d, i, max_bytes, give_up)) return ERR_OK;
            k = d->n;
            d->used[d->n++] = (uint32_t)i;
            TRY(map_put(&d->map, hash, k, rehash, d));
        }
        d->codes[i] = k;
    }
    return ERR_OK;
}

// --- order ---------------------------------------------------------------------------------------

struct sort_key {
    uint64_t key; // sorts as the value does, as far as it goes
    uint32_t entry;
};

static inline bool is_after(const struct dict *d, const struct sort_key *a, const struct sort_key *b) {
    if (a->key != b->key) return a->key > b->key;
    if (!d->source.strs && !d->source.fixed) return false;
    union stats_value x = values_at(&d->source, d->used[a->entry]),
                      y = values_at(&d->source, d->used[b->entry]);
    return str_cmp(x.s, y.s) > 0;
}

// Merges the sorted runs [at, mid) and [mid, end) of `from` into `to`.
static void merge(const struct dict *d, const struct sort_key *from, size_t at, size_t mid, size_t end,
                  struct sort_key *to) {
    size_t a = at, b = mid;
    for (size_t i = at; i < end; i++) {
        bool second = a == mid || (b < end && is_after(d, &from[a], &from[b]));
        to[i] = from[second ? b++ : a++];
    }
}

enum err dict_rank(struct dict *d) {
    size_t n = d->n;
    struct sort_key *keys = scratch_get(&d->keys_mem, n * 2, sizeof *keys), *other = keys + n;
    uint32_t *ranks = scratch_get(&d->ranks_mem, n * 2, sizeof *ranks);
    if (!keys || !ranks) return ERR_NOMEM;
    enum stats_order order = stats_order_of(d->source.column);
    for (uint32_t k = 0; k < n; k++)
        keys[k] = (struct sort_key){ stats_key(order, values_at(&d->source, d->used[k])), k };
    for (size_t run = 1; run < n; run *= 2) {
        for (size_t at = 0; at < n; at += run * 2)
            merge(d, keys, at, at + run < n ? at + run : n, at + run * 2 < n ? at + run * 2 : n, other);
        struct sort_key *swap = keys;
        keys = other;
        other = swap;
    }
    d->ranks = ranks;
    d->by_rank = ranks + n;
    for (uint32_t place = 0; place < n; place++) {
        d->by_rank[place] = keys[place].entry;
        ranks[keys[place].entry] = place;
    }
    return ERR_OK;
}

void dict_write(const struct dict *d, struct buf *out) {
    for (uint32_t k = 0; k < d->n; k++) values_write(&d->source, d->used[k], out);
}
