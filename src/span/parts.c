// SPDX-License-Identifier: Apache-2.0
#include "span/parts.h"

enum value_type value_type_of_attr(enum attr_type t) {
    static const enum value_type types[ATTR_TYPE_COUNT] = { [ATTR_STRING] = VALUE_STRING,
                                                            [ATTR_INT] = VALUE_INT,
                                                            [ATTR_FLOAT] = VALUE_FLOAT,
                                                            [ATTR_BOOL] = VALUE_BOOL,
                                                            [ATTR_ANY] = VALUE_ANY };
    return types[t];
}

enum value_type values_type(const struct value *v, uint32_t n, bool *any) {
    enum value_type type = VALUE_NIL;
    *any = false;
    for (uint32_t i = 0; i < n; i++) {
        if (v[i].type == VALUE_NIL || v[i].type == type) continue;
        if (*any) return VALUE_NIL;
        *any = true;
        type = v[i].type;
    }
    return type;
}

uint32_t rows_find(const uint32_t *rows, uint32_t n, uint32_t x) {
    const uint32_t *p = rows;
    if (n == 0) return 0;
    for (; n > 1; n -= n / 2) p += n / 2 & (0u - (p[n / 2 - 1] < x));
    return (uint32_t)(p - rows) + (*p < x);
}

// --- values that few rows have -------------------------------------------------------------------

enum err few_add(struct few *f, struct arena *a, uint32_t row, struct value v) {
    if (f->n == f->cap) {
        uint32_t cap = f->cap ? f->cap * 2 : 32;
        uint32_t *rows = ARENA_ARRAY(a, cap, uint32_t);
        struct value *values = ARENA_ARRAY(a, cap, struct value);
        if (!rows || !values) return ERR_NOMEM;
        if (f->n) memcpy(rows, f->rows, f->n * sizeof *rows);
        if (f->n) memcpy(values, f->values, f->n * sizeof *values);
        *f = (struct few){ rows, values, f->n, cap };
    }
    f->rows[f->n] = row;
    f->values[f->n++] = v;
    return ERR_OK;
}

enum err few_load(const struct few *f, struct arena *a, uint32_t from, uint32_t to, struct vec *out) {
    uint32_t i = rows_find(f->rows, f->n, from), end = rows_find(f->rows, f->n, to), n = end - i;
    uint32_t *rows = ARENA_ARRAY(a, n + 1ull, uint32_t), *codes = ARENA_ARRAY(a, n + 1ull, uint32_t);
    if (!rows || !codes) return ERR_NOMEM;
    for (uint32_t k = 0; k < n; k++) {
        rows[k] = f->rows[i + k] - from;
        codes[k] = i + k;
    }
    *out = (struct vec){ .form = VEC_CODES, .n = n, .rows = n == to - from ? NULL : rows, .codes = codes };
    return ERR_OK;
}

// --- ids -----------------------------------------------------------------------------------------

struct str *hex_texts(struct arena *a, const uint8_t *ids, uint32_t size, uint32_t n) {
    struct str *out = ARENA_ARRAY(a, n + 1ull, struct str);
    char *text = arena_array(a, n + 1ull, size * 2ull);
    if (!out || !text) return NULL;
    hex_encode(ids, (size_t)n * size, text);
    for (uint32_t i = 0; i < n; i++) out[i] = (struct str){ text + i * 2ull * size, size * 2ull };
    return out;
}

// --- keys ----------------------------------------------------------------------------------------

void key_set_init(struct key_set *s, struct arena *a) {
    *s = (struct key_set){ .arena = a };
    map_init(&s->map, UINT32_MAX);
}

void key_set_fini(struct key_set *s) {
    map_fini(&s->map);
}

static bool key_eq(const void *ctx, uint32_t i, const void *key) {
    const struct key_set *s = ctx;
    return str_eq(s->keys[i], *(const struct str *)key);
}

static uint64_t key_hash(const void *ctx, uint32_t i) {
    const struct key_set *s = ctx;
    return hash_str(s->keys[i]);
}

static enum err key_room(struct key_set *s) {
    if (s->n < s->cap) return ERR_OK;
    uint32_t cap = s->cap ? s->cap * 2 : 64;
    struct str *more = ARENA_ARRAY(s->arena, cap, struct str);
    if (!more) return ERR_NOMEM;
    if (s->n) memcpy(more, s->keys, s->n * sizeof *more);
    s->keys = more;
    s->cap = cap;
    return ERR_OK;
}

void key_set_add(void *set, struct str key) {
    struct key_set *s = set;
    uint64_t hash = hash_str(key);
    if (s->err != ERR_OK || map_get(&s->map, hash, key_eq, s, &key) != MAP_NONE) return;
    s->err = key_room(s);
    if (s->err != ERR_OK) return;
    s->keys[s->n] = key;
    s->err = map_put(&s->map, hash, s->n, key_hash, s);
    if (s->err == ERR_OK) s->n++;
}
