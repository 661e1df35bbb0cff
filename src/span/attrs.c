// SPDX-License-Identifier: Apache-2.0
#include "span/attrs.h"

enum { KEYS_MAX = 1 << 20, SEEKS_MAX = 16 };

void attrs_init(struct attr_table *t, struct arena *a) {
    *t = (struct attr_table){ .arena = a };
    attrs_key_first(t);
    map_init(&t->key_map, KEYS_MAX);
    dict_init(&t->shapes, a);
}

void attrs_fini(struct attr_table *t) {
    for (uint32_t i = 0; i < t->n_columns; i++) dict_fini(&attrs_column(t, i)->dict);
    map_fini(&t->key_map);
    dict_fini(&t->shapes);
}

static struct attr_key *key_at(const struct attr_table *t, uint32_t i) {
    return (struct attr_key *)segvec_at(&t->keys, i, sizeof(struct attr_key));
}

static bool key_eq(const void *ctx, uint32_t index, const void *key) {
    return str_eq(key_at(ctx, index)->name, *(const struct str *)key);
}

static uint64_t key_rehash(const void *ctx, uint32_t index) {
    return hash_str(key_at(ctx, index)->name);
}

static enum err key_new(struct attr_table *t, struct str name, uint64_t hash, struct attr_key **out_key) {
    if (!segvec_room(&t->keys, t->arena, t->n_keys, sizeof(struct attr_key))) return ERR_NOMEM;
    struct attr_key *k = key_at(t, t->n_keys);
    *k = (struct attr_key){ 0 };
    if (name.len) {
        k->name = (struct str){ arena_bytes(t->arena, name.ptr, name.len), name.len };
        if (!k->name.ptr) return ERR_NOMEM;
    }
    TRY(map_put(&t->key_map, hash, t->n_keys, key_rehash, t));
    t->n_keys++;
    *out_key = k;
    return ERR_OK;
}

static enum err key_seek(struct attr_table *t, struct str name, struct attr_key **out_key) {
    uint64_t hash = hash_str(name);
    uint32_t found = map_get(&t->key_map, hash, key_eq, t, &name);
    if (found == MAP_NONE) return key_new(t, name, hash, out_key);
    *out_key = key_at(t, found);
    return ERR_OK;
}

// An SDK sends the same keys in the same order, so the key that followed the previous one last
// time is tried first: a comparison of bytes instead of a hash and a probe.
enum err attrs_key(struct attr_table *t, struct str name, struct attr_key **out_key) {
    struct attr_key *key = t->guess->next_guess;
    if (!key || !str_eq(key->name, name)) TRY(key_seek(t, name, &key));
    t->guess->next_guess = key;
    *out_key = t->guess = key;
    return ERR_OK;
}

// The column of (key, type), made on first use; NULL when there are too many.
static enum err column_of(struct attr_table *t, struct attr_key *k, enum attr_type type,
                          struct attr_column **out) {
    uint32_t n = t->n_columns;
    *out = k->column[type];
    if (__builtin_expect(*out != NULL, 1) || n == ATTR_COLUMNS_MAX) return ERR_OK;
    if (!segvec_room(&t->columns, t->arena, n, sizeof(struct attr_column))) return ERR_NOMEM;
    struct attr_column *c = attrs_column(t, n);
    memset(c, 0, sizeof *c);
    c->key = k->name;
    c->type = type;
    c->number = (uint16_t)n;
    dict_init(&c->dict, t->arena);
    c->dict.text_only = type == ATTR_STRING;
    *out = k->column[type] = c;
    atomic_store_explicit(&t->n_columns, n + 1, memory_order_release);
    return ERR_OK;
}

static bool has_dict(enum attr_type type) {
    return type == ATTR_STRING || type == ATTR_ANY;
}

static enum err column_add(struct attr_column *c, struct arena *a, uint32_t row, const struct attr_value *v,
                           const struct dict_seek *seek) {
    uint32_t n = c->n, id = (uint32_t)v->bits;
    bool wide = c->type == ATTR_INT || c->type == ATTR_FLOAT;
    if (!segvec_room(&c->rows, a, n, sizeof(uint32_t))) return ERR_NOMEM;
    if (!segvec_room(&c->vals, a, n, wide ? sizeof(uint64_t) : sizeof(uint32_t))) return ERR_NOMEM;
    if (has_dict(c->type)) {
        TRY(seek ? dict_put_sought(&c->dict, v->text, seek, &id) : dict_put(&c->dict, v->text, &id));
        if (v->text.len > c->longest) c->longest = v->text.len;
    }
    SEG_PUT(&c->rows, n, uint32_t, row);
    if (wide)
        SEG_PUT(&c->vals, n, uint64_t, v->bits);
    else
        SEG_PUT(&c->vals, n, uint32_t, id);
    atomic_store_explicit(&c->n, n + 1, memory_order_release);
    return ERR_OK;
}

bool attr_kv(struct str kv, struct str *key, struct str *any) {
    struct reader r = reader_of(kv);
    struct pb_field f;
    int n_values = 0;
    if (__builtin_expect(attr_kv_usual(kv, key, any), 1)) return true;
    *key = *any = STR("");
    while (pb_next(&r, &f)) {
        if (f.wire != PB_BYTES) continue;
        if (f.number == KV_KEY) *key = f.bytes;
        if (f.number != KV_VALUE) continue;
        *any = f.bytes;
        n_values++;
    }
    return n_values == 1;
}

// A lone string or integer: nearly all values.
static bool attr_value_usual(struct str any, struct attr_value *v) {
    const uint8_t *p = (const uint8_t *)any.ptr;
    if (any.len < 2) return false;
    if (p[0] == (ANY_STRING << 3 | PB_BYTES) && p[1] < 0x80 && p[1] + 2u == any.len) {
        *v = (struct attr_value){ .type = ATTR_STRING, .text = { any.ptr + 2, any.len - 2 } };
        return true;
    }
    if (p[0] != (ANY_INT << 3 | PB_VARINT)) return false;
    struct reader r = { p + 1, p + any.len, false };
    uint64_t bits = rd_varint(&r);
    if (r.bad || r.pos != r.end) return false;
    *v = (struct attr_value){ .type = ATTR_INT, .bits = bits };
    return true;
}

struct attr_value attr_value_of(struct str any) {
    struct attr_value v;
    struct reader r = reader_of(any);
    struct pb_field f;
    if (__builtin_expect(attr_value_usual(any, &v), 1)) return v;
    v = (struct attr_value){ .type = ATTR_ANY, .text = any };
    while (pb_next(&r, &f)) { // of a oneof the last member counts
        if (f.number == ANY_STRING && f.wire == PB_BYTES)
            v = (struct attr_value){ .type = ATTR_STRING, .text = f.bytes };
        else if (f.number == ANY_INT && f.wire == PB_VARINT)
            v = (struct attr_value){ .type = ATTR_INT, .bits = f.value };
        else if (f.number == ANY_DOUBLE && f.wire == PB_FIXED64)
            v = (struct attr_value){ .type = ATTR_FLOAT, .bits = f.value };
        else if (f.number == ANY_BOOL && f.wire == PB_VARINT)
            v = (struct attr_value){ .type = ATTR_BOOL, .bits = f.value != 0 };
        else if (f.wire == PB_BYTES && f.number >= ANY_ARRAY && f.number <= ANY_BYTES)
            v = (struct attr_value){ .type = ATTR_ANY, .text = any };
    }
    return v;
}

void attr_value_write(struct buf *out, const struct attr_value *v) {
    switch (v->type) {
    case ATTR_STRING: pb_bytes(out, ANY_STRING, v->text); break;
    case ATTR_INT: pb_varint(out, ANY_INT, v->bits); break;
    case ATTR_FLOAT: pb_fixed64(out, ANY_DOUBLE, v->bits); break;
    case ATTR_BOOL: pb_varint(out, ANY_BOOL, v->bits); break;
    case ATTR_ANY:
    default: buf_str(out, v->text);
    }
}

static size_t value_size(const struct attr_value *v) {
    switch (v->type) {
    case ATTR_STRING: return 1 + varint_size(v->text.len) + v->text.len;
    case ATTR_INT:
    case ATTR_BOOL: return 1 + varint_size(v->bits);
    case ATTR_FLOAT: return 1 + sizeof v->bits;
    case ATTR_ANY:
    default: return v->text.len;
    }
}

static char *put_varint(char *p, uint64_t v) {
    for (; v >= 0x80; v >>= 7) *p++ = (char)(v | 0x80);
    *p++ = (char)v;
    return p;
}

// Lengths are known beforehand, so nothing moves and room is made once.
void attr_kv_write(struct buf *out, uint32_t number, struct str key, const struct attr_value *v) {
    enum { HEADS_MAX = 4 * 11 };
    size_t value = value_size(v), size = 1 + varint_size(value) + value;
    size += 1 + varint_size(key.len) + key.len;
    if (!buf_reserve(out, HEADS_MAX + size)) return;
    char *p = put_varint(out->ptr + out->len, (uint64_t)number << 3 | PB_BYTES);
    p = put_varint(p, size);
    *p++ = KV_KEY << 3 | PB_BYTES;
    p = put_varint(p, key.len);
    if (key.len) memcpy(p, key.ptr, key.len);
    p += key.len;
    *p++ = KV_VALUE << 3 | PB_BYTES;
    out->len = (size_t)(put_varint(p, value) - out->ptr);
    attr_value_write(out, v);
}

void attr_scratch_init(struct attr_scratch *s) {
    *s = (struct attr_scratch){ 0 };
    buf_init(&s->rest, SIZE_MAX);
}

void attr_scratch_fini(struct attr_scratch *s) {
    mem_free(s->in);
    buf_fini(&s->rest);
}

static enum err scratch_grow(struct attr_scratch *s) {
    struct attr_in *more = mem_grow(s->in, s->n, &s->cap, sizeof *more);
    if (!more) return ERR_NOMEM;
    s->in = more;
    return ERR_OK;
}

void attrs_begin(struct attr_table *t, struct attr_scratch *s) {
    attrs_key_first(t);
    s->n = 0;
    buf_reset(&s->rest);
}

enum err attr_scratch_add(struct attr_scratch *s, struct attr_in in) {
    if (s->n == s->cap) TRY(scratch_grow(s));
    s->in[s->n++] = in;
    return ERR_OK;
}

enum err attrs_collect(struct attr_table *t, struct str kv, struct attr_scratch *s) {
    struct str key, any;
    if (__builtin_expect(!attr_kv_usual(kv, &key, &any), 0) && !attr_kv(kv, &key, &any)) {
        pb_bytes(&s->rest, REST_ATTRIBUTE, kv);
        return ERR_OK;
    }
    if (__builtin_expect(s->n == s->cap, 0)) TRY(scratch_grow(s));
    struct attr_in *in = &s->in[s->n];
    if (__builtin_expect(!attr_value_usual(any, &in->value), 0)) in->value = attr_value_of(any);
    in->raw = kv;
    TRY(attrs_key(t, key, &in->key));
    s->n++;
    return ERR_OK;
}

// Marks the keys that stand more than once in the row.
static void mark_twins(uint32_t row, const struct attr_in *in, uint32_t n) {
    for (uint32_t i = 0; i < n; i++) {
        struct attr_key *k = in[i].key;
        if (k->row_stamp == row + 1) k->twin_stamp = row + 1;
        k->row_stamp = row + 1;
    }
}

static enum err rest_add(struct attr_table *t, uint32_t row, struct buf *rest) {
    uint32_t n = t->n_rest;
    if (rest->failed || !segvec_room(&t->rest_row, t->arena, n, sizeof(uint32_t)) ||
        !segvec_room(&t->rest_val, t->arena, n, sizeof(struct str)))
        return ERR_NOMEM;
    struct str copy = str_dup(t->arena, buf_view(rest));
    if (!copy.ptr) return ERR_NOMEM;
    SEG_AT(&t->rest_row, n, uint32_t) = row;
    SEG_AT(&t->rest_val, n, struct str) = copy;
    atomic_store_explicit(&t->n_rest, n + 1, memory_order_release);
    return ERR_OK;
}

static void rest_attribute(const struct attr_in *in, struct buf *rest) {
    if (in->raw.ptr)
        pb_bytes(rest, REST_ATTRIBUTE, in->raw);
    else
        attr_kv_write(rest, REST_ATTRIBUTE, in->key->name, &in->value);
}

// Some attributes of the row at hand, whose texts are looked up together: a row spends most of its time
// waiting for the memory of dictionaries, and so waits once instead of for each.
struct seeks {
    uint32_t n;
    struct attr_column *columns[SEEKS_MAX]; // NULL: no text, or the first of its column
    struct dict_seek at[SEEKS_MAX];
};

static void seek_texts(const struct attr_in *in, uint32_t n, struct seeks *s) {
    s->n = n < SEEKS_MAX ? n : SEEKS_MAX;
    for (uint32_t i = 0; i < s->n; i++) {
        s->columns[i] = has_dict(in[i].value.type) ? in[i].key->column[in[i].value.type] : NULL;
        if (s->columns[i]) dict_seek(&s->columns[i]->dict, in[i].value.text, &s->at[i]);
    }
    for (uint32_t i = 0; i < s->n; i++)
        if (s->columns[i]) dict_seek_entry(&s->columns[i]->dict, &s->at[i]);
    for (uint32_t i = 0; i < s->n; i++)
        if (s->columns[i]) dict_seek_bytes(&s->columns[i]->dict, &s->at[i]);
}

// Puts a value into its column. *out NULL: it fits none and belongs to the rest.
static enum err place(struct attr_table *t, uint32_t row, const struct attr_in *in,
                      const struct dict_seek *seek, struct attr_column **out) {
    struct attr_column *c = NULL;
    *out = NULL;
    if (in->key->twin_stamp == row + 1) return ERR_OK;
    TRY(column_of(t, in->key, in->value.type, &c));
    if (!c) return ERR_OK;
    enum err e = column_add(c, t->arena, row, &in->value, seek);
    if (e == ERR_OK) *out = c;
    return e == ERR_INVALID ? ERR_OK : e; // not UTF-8
}

enum err attrs_add(struct attr_table *t, uint32_t row, const struct attr_in *in, uint32_t n,
                   struct buf *rest) {
    uint16_t shape[ATTR_ROW_MAX];
    uint32_t n_shape = 0, shape_id;
    struct seeks seeks;
    mark_twins(row, in, n);
    for (uint32_t i = 0; i < n; i++) {
        struct attr_column *column = NULL;
        uint32_t k = i % SEEKS_MAX;
        if (k == 0) seek_texts(in + i, n - i, &seeks);
        if (n_shape < ATTR_ROW_MAX)
            TRY(place(t, row, &in[i], seeks.columns[k] ? &seeks.at[k] : NULL, &column));
        if (column)
            shape[n_shape++] = column->number;
        else
            rest_attribute(&in[i], rest);
    }
    if (rest->len || rest->failed) TRY(rest_add(t, row, rest));
    if (!segvec_room(&t->shape, t->arena, row, sizeof(uint32_t))) return ERR_NOMEM;
    TRY(dict_put(&t->shapes, (struct str){ (const char *)shape, n_shape * sizeof *shape }, &shape_id));
    SEG_AT(&t->shape, row, uint32_t) = shape_id;
    return ERR_OK;
}

struct attr_value attr_column_value(const struct attr_column *c, uint32_t i) {
    struct attr_value v = { .type = c->type };
    if (c->type == ATTR_INT || c->type == ATTR_FLOAT)
        v.bits = SEG_AT(&c->vals, i, uint64_t);
    else
        v.bits = SEG_AT(&c->vals, i, uint32_t);
    if (c->type == ATTR_STRING || c->type == ATTR_ANY) v.text = dict_get(&c->dict, (uint32_t)v.bits);
    return v;
}

// The rows that have a column are spread about evenly: the search begins where the row should then be,
// and doubles its step. (Guessing again at each step divides too often to be faster.)
uint32_t attr_column_find(const struct attr_column *c, uint32_t n, uint32_t row) {
    enum { FEW = 64, STEP = 64 };
    uint32_t last = n ? attr_column_row(c, n - 1) : 0, step = STEP;
    if (n < FEW || row > last) return segvec_find_u32(&c->rows, n, row);
    uint32_t low = 0, high = n, at = (uint32_t)((uint64_t)row * n / (last + 1ull));
    if (attr_column_row(c, at) < row) {
        low = at + 1;
        for (; step < n - low && attr_column_row(c, low + step) < row; step *= 2) low += step + 1;
        if (step < n - low) high = low + step;
    } else {
        high = at;
        for (; step < high && attr_column_row(c, high - step) >= row; step *= 2) high -= step;
        if (step < high) low = high - step;
    }
    return segvec_find_in(&c->rows, low, high, row);
}

struct str attrs_rest(const struct attr_table *t, uint32_t row) {
    uint32_t n = atomic_load_explicit(&t->n_rest, memory_order_acquire);
    uint32_t i = segvec_find_u32(&t->rest_row, n, row);
    return i < n && SEG_AT(&t->rest_row, i, uint32_t) == row ? SEG_AT(&t->rest_val, i, struct str) : STR("");
}
