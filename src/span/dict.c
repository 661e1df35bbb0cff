// SPDX-License-Identifier: Apache-2.0
#include "span/dict.h"

// A dictionary judges itself after this many values; it gives up when most of them were new.
enum { JUDGE_AFTER = 8192, JUDGE_NEW_PERCENT = 80, DICT_MAX = 1 << 28 };

void dict_init(struct dict *d, struct arena *a) {
    *d = (struct dict){ .arena = a };
    map_init(&d->map, DICT_MAX);
}

void dict_fini(struct dict *d) {
    map_fini(&d->map);
}

static bool eq(const void *ctx, uint32_t index, const void *key) {
    return str_eq(dict_get(ctx, index), *(const struct str *)key);
}

static uint64_t rehash(const void *ctx, uint32_t index) {
    return hash_str(dict_get(ctx, index));
}

static uint32_t count(const struct dict *d) {
    return atomic_load_explicit(&d->n, memory_order_relaxed);
}

static void judge(struct dict *d) {
    if (++d->n_lookups < JUDGE_AFTER) return;
    if ((count(d) - d->n_at_judge) * 100ull >= (uint64_t)d->n_lookups * JUDGE_NEW_PERCENT) {
        d->appending = true;
        map_fini(&d->map);
    }
    d->n_lookups = 0;
    d->n_at_judge = count(d);
}

static enum err dict_add(struct dict *d, struct str s, uint64_t hash, uint32_t *out_id) {
    if (d->text_only && !str_is_utf8(s)) return ERR_INVALID;
    uint32_t n = count(d);
    if (n == DICT_MAX) return ERR_LIMIT;
    if (!segvec_room(&d->strs, d->arena, n, sizeof(struct str))) return ERR_NOMEM;
    struct str copy = { NULL, s.len };
    if (s.len > 0) {
        copy.ptr = arena_bytes(d->arena, s.ptr, s.len);
        if (!copy.ptr) return ERR_NOMEM;
    }
    SEG_AT(&d->strs, n, struct str) = copy;
    if (!d->appending) TRY(map_put(&d->map, hash, n, rehash, d));
    atomic_store_explicit(&d->n, n + 1, memory_order_release);
    *out_id = n;
    if (!d->appending) judge(d);
    return ERR_OK;
}

enum err dict_put_sought(struct dict *d, struct str s, const struct dict_seek *seek, uint32_t *out_id) {
    if (d->appending) return dict_add(d, s, 0, out_id);
    uint32_t found = seek->likely;
    if (found == MAP_NONE || !str_eq(dict_get(d, found), s)) found = map_get(&d->map, seek->hash, eq, d, &s);
    if (found == MAP_NONE) return dict_add(d, s, seek->hash, out_id);
    d->n_lookups++;
    *out_id = found;
    return ERR_OK;
}

enum err dict_put(struct dict *d, struct str s, uint32_t *out_id) {
    struct dict_seek seek = { d->appending ? 0 : hash_str(s), MAP_NONE };
    return dict_put_sought(d, s, &seek, out_id);
}
