// SPDX-License-Identifier: Apache-2.0
#include "block/columns.h"

#include <stdlib.h>

#include "block/any.h"

static const struct str suffixes[ATTR_TYPE_COUNT] = { [ATTR_STRING] = { "", 0 },
                                                      [ATTR_INT] = { ":int", 4 },
                                                      [ATTR_FLOAT] = { ":float", 6 },
                                                      [ATTR_BOOL] = { ":bool", 5 },
                                                      [ATTR_ANY] = { ":any", 4 } };

void column_name_write(struct buf *out, struct str scope, struct str key, enum attr_type type) {
    buf_str(out, scope);
    buf_char(out, '.');
    for (size_t i = 0; i < key.len; i++) {
        char c = key.ptr[i];
        if (c == ':' || c == '%' || c == '\0')
            buf_fmt(out, "%%%02X", (unsigned char)c);
        else
            buf_char(out, c);
    }
    buf_str(out, suffixes[type]);
}

static bool decode_key(struct arena *a, struct str s, struct str *key) {
    char *p = arena_alloc(a, s.len + 1);
    size_t n = 0;
    if (!p) return false;
    for (size_t i = 0; i < s.len; i++) {
        if (s.ptr[i] != '%') {
            p[n++] = s.ptr[i];
            continue;
        }
        if (!hex_decode(str_sub(s, i + 1, 2), p + n, 1)) return false;
        n++;
        i += 2;
    }
    *key = (struct str){ p, n };
    return true;
}

bool column_name_read(struct arena *a, struct str name, struct str scope, struct str *key,
                      enum attr_type *type) {
    if (!str_starts(name, scope) || name.len <= scope.len || name.ptr[scope.len] != '.') return false;
    struct str s = str_sub(name, scope.len + 1, name.len);
    ptrdiff_t colon = str_find(s, ':');
    struct str suffix = colon < 0 ? STR("") : str_sub(s, (size_t)colon, s.len);
    for (int t = 0; t < ATTR_TYPE_COUNT; t++) {
        if (!str_eq(suffix, suffixes[t])) continue;
        *type = (enum attr_type)t;
        return decode_key(a, str_sub(s, 0, s.len - suffix.len), key);
    }
    return false;
}

struct candidate {
    struct str name, folded;
    uint32_t column, n;
    uint32_t rank; // among the names that are kept; RANK_NONE = a newcomer
};
#define RANK_NONE UINT32_MAX

static int by_count(const void *x, const void *y) {
    const struct candidate *a = x, *b = y;
    if (a->rank != b->rank) return a->rank < b->rank ? -1 : 1;
    return a->n != b->n ? (a->n < b->n ? 1 : -1) : str_cmp(a->name, b->name);
}

static int by_name(const void *x, const void *y) {
    return str_cmp(((const struct candidate *)x)->name, ((const struct candidate *)y)->name);
}

static int by_folded(const void *x, const void *y) {
    const struct candidate *a = x, *b = y;
    int c = str_cmp(a->folded, b->folded);
    if (c) return c;
    return a->rank != b->rank ? (a->rank < b->rank ? -1 : 1) : str_cmp(a->name, b->name);
}

struct str column_name_fold(struct arena *a, struct str s) {
    char *p = arena_alloc(a, s.len + 1);
    for (size_t i = 0; p && i < s.len; i++)
        p[i] = s.ptr[i] >= 'A' && s.ptr[i] <= 'Z' ? (char)(s.ptr[i] + 32) : s.ptr[i];
    return (struct str){ p, p ? s.len : 0 };
}

static uint32_t list_candidates(const struct attr_table *t, struct str scope, struct arena *a,
                                struct candidate *out) {
    uint32_t n = 0, n_columns = atomic_load_explicit(&t->n_columns, memory_order_acquire);
    struct buf name;
    buf_init(&name, SIZE_MAX);
    for (uint32_t i = 0; i < n_columns; i++) {
        const struct attr_column *c = attrs_column(t, i);
        if (c->n == 0) continue;
        buf_reset(&name);
        column_name_write(&name, scope, c->key, c->type);
        struct str copy = str_dup(a, buf_view(&name));
        if (name.failed || !copy.ptr) a->failed = true;
        out[n++] = (struct candidate){ copy, column_name_fold(a, copy), i, c->n, RANK_NONE };
    }
    buf_fini(&name);
    return n;
}

static void rank(struct candidate *c, uint32_t n, const struct column_names *kept) {
    for (uint32_t i = 0; i < n; i++)
        for (uint32_t k = 0; k < kept->n && c[i].rank == RANK_NONE; k++)
            if (str_eq(kept->name[k], c[i].name)) c[i].rank = k;
}

// Of names that differ only in case all go but one: that which is kept, else the first.
static uint32_t drop_case_twins(struct candidate *c, uint32_t n) {
    uint32_t kept = 0;
    if (n > 1) qsort(c, n, sizeof *c, by_folded);
    for (uint32_t i = 0; i < n; i++)
        if (kept == 0 || !str_eq(c[kept - 1].folded, c[i].folded)) c[kept++] = c[i];
    return kept;
}

enum err column_choose(const struct attr_table *t, struct str scope, uint32_t most,
                       const struct column_names *kept, struct arena *a, struct column_choice *out) {
    uint32_t all = atomic_load_explicit(&t->n_columns, memory_order_acquire);
    struct candidate *c = ARENA_ARRAY(a, all, struct candidate);
    bool *chosen = arena_zalloc(a, all);
    uint32_t *column = ARENA_ARRAY(a, all, uint32_t);
    struct str *name = ARENA_ARRAY(a, all, struct str);
    enum attr_type *type = ARENA_ARRAY(a, all, enum attr_type);
    const struct str **texts = arena_zalloc(a, all * sizeof *texts);
    if (!c || !chosen || !column || !name || !type || !texts) return ERR_NOMEM;
    uint32_t n = list_candidates(t, scope, a, c);
    if (a->failed) return ERR_NOMEM;
    rank(c, n, kept);
    n = drop_case_twins(c, n);
    if (n > most) {
        qsort(c, n, sizeof *c, by_count);
        n = most;
    }
    if (n > 1) qsort(c, n, sizeof *c, by_name);
    for (uint32_t i = 0; i < n; i++) {
        column[i] = c[i].column;
        name[i] = c[i].name;
        type[i] = attrs_column(t, c[i].column)->type;
        chosen[c[i].column] = true;
        if (type[i] == ATTR_ANY) TRY(any_texts(&attrs_column(t, c[i].column)->dict, a, &texts[c[i].column]));
    }
    *out = (struct column_choice){ n, column, name, type, chosen, texts };
    return ERR_OK;
}

static uint32_t find_name(const struct column_choice *names, struct str name) {
    uint32_t low = 0, high = names->n;
    while (low < high) {
        uint32_t mid = low + (high - low) / 2;
        int c = str_cmp(names->name[mid], name);
        if (c == 0) return mid;
        if (c < 0)
            low = mid + 1;
        else
            high = mid;
    }
    return MAP_NONE;
}

enum err column_bind(const struct attr_table *t, struct str scope, const struct column_choice *names,
                     struct arena *a, struct column_choice *out) {
    uint32_t all = atomic_load_explicit(&t->n_columns, memory_order_acquire), n;
    struct candidate *c = ARENA_ARRAY(a, all + 1ull, struct candidate);
    bool *chosen = arena_zalloc(a, all + 1ull);
    uint32_t *column = ARENA_ARRAY(a, names->n + 1ull, uint32_t);
    const struct str **texts = arena_zalloc(a, (all + 1ull) * sizeof *texts);
    if (!c || !chosen || !column || !texts) return ERR_NOMEM;
    n = list_candidates(t, scope, a, c);
    if (a->failed) return ERR_NOMEM;
    for (uint32_t i = 0; i < names->n; i++) column[i] = MAP_NONE;
    for (uint32_t i = 0; i < n; i++) {
        uint32_t at = find_name(names, c[i].name), of = c[i].column;
        if (at == MAP_NONE) continue;
        column[at] = of;
        chosen[of] = true;
        if (names->type[at] == ATTR_ANY) TRY(any_texts(&attrs_column(t, of)->dict, a, &texts[of]));
    }
    *out = (struct column_choice){ names->n, column, names->name, names->type, chosen, texts };
    return ERR_OK;
}
