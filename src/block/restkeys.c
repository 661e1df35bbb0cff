// SPDX-License-Identifier: Apache-2.0
#include "block/restkeys_build.h"

#include <stdio.h>

#include "block/open.h"
#include "parquet/bloom.h"
#include "span/wire.h"

enum { NAME_MAX_BYTES = 32, HEX_BLOCK = 2 * BLOOM_BLOCK };

static struct str kv_name(char out[NAME_MAX_BYTES], uint32_t group) {
    int n = snprintf(out, NAME_MAX_BYTES, "takt.rest_keys.%u", group);
    return (struct str){ out, (size_t)n };
}

// --- gathering -----------------------------------------------------------------------------------

void rest_keys_init(struct rest_keys *k, struct arena *a) {
    *k = (struct rest_keys){ .arena = a };
}

static uint32_t slot_of(const uint64_t *hashes, uint32_t cap, uint64_t hash) {
    uint32_t i = (uint32_t)hash & (cap - 1);
    while (hashes[i] && hashes[i] != hash) i = (i + 1) & (cap - 1);
    return i;
}

static bool grow(struct rest_keys *k) {
    uint32_t cap = k->cap ? k->cap * 2 : 64;
    uint64_t *more = arena_zalloc(k->arena, cap * sizeof *more);
    if (!more) return false;
    for (uint32_t i = 0; i < k->cap; i++)
        if (k->hashes[i]) more[slot_of(more, cap, k->hashes[i])] = k->hashes[i];
    k->hashes = more;
    k->cap = cap;
    return true;
}

void rest_keys_add(struct rest_keys *k, struct str key) {
    uint64_t hash = hash_xxh64(key.ptr, key.len);
    if (k->too_many) return;
    if (hash == 0) k->has_zero = true;
    if (hash == 0 || (k->cap && k->hashes[slot_of(k->hashes, k->cap, hash)])) return;
    k->too_many = k->n == REST_KEYS_MAX;
    if (k->too_many || (k->n * 2 >= k->cap && !grow(k))) return;
    k->hashes[slot_of(k->hashes, k->cap, hash)] = hash;
    k->n++;
}

// Every key of the pair, should it come several times; "" where there is none.
static void add_pair(struct rest_keys *k, struct str pair, uint32_t key_field) {
    struct reader r = reader_of(pair);
    bool any = false;
    for (struct pb_field f; pb_next(&r, &f);) {
        if (f.number != key_field || f.wire != PB_BYTES) continue;
        rest_keys_add(k, f.bytes);
        any = true;
    }
    if (!any) rest_keys_add(k, STR(""));
    k->too_many |= r.bad;
}

void rest_keys_of(struct rest_keys *k, struct str rest) {
    struct reader r = reader_of(rest);
    for (struct pb_field f; pb_next(&r, &f);) {
        if (f.number == REST_ATTRIBUTE && f.wire == PB_BYTES) add_pair(k, f.bytes, KV_KEY);
        if (f.number == REST_LARGE && f.wire == PB_BYTES) add_pair(k, f.bytes, REST_LARGE_KEY);
    }
    k->too_many |= r.bad;
}

// --- writing -------------------------------------------------------------------------------------

static void make_filter(const struct rest_keys *k, uint8_t *bits, size_t size) {
    memset(bits, 0, size);
    for (uint32_t i = 0; i < k->cap; i++)
        if (k->hashes[i]) bloom_add(bits, size, k->hashes[i]);
    if (k->has_zero) bloom_add(bits, size, 0);
}

enum err rest_keys_write(const struct rest_keys *k, struct pq_writer *w, uint32_t group) {
    char name[NAME_MAX_BYTES];
    uint8_t bits[REST_FILTER_MAX];
    uint32_t n = k->n + k->has_zero;
    size_t size = bloom_size(n);
    char hex[2 * REST_FILTER_MAX];
    if (k->arena->failed) return ERR_NOMEM;
    if (n == 0 && !k->too_many) return pq_writer_kv(w, kv_name(name, group), STR(""));
    if (k->too_many || size > sizeof bits) return pq_writer_kv(w, kv_name(name, group), STR("*"));
    make_filter(k, bits, size);
    hex_encode(bits, size, hex);
    return pq_writer_kv(w, kv_name(name, group), (struct str){ hex, 2 * size });
}

enum err rest_keys_copy(struct pq_writer *w, uint32_t group, const struct pq_reader *from,
                        uint32_t from_group) {
    char name[NAME_MAX_BYTES];
    struct str value = STR("");
    if (from && !pq_reader_kv(from, kv_name(name, from_group), &value)) return ERR_OK;
    return pq_writer_kv(w, kv_name(name, group), value);
}

// --- asking --------------------------------------------------------------------------------------

enum err rest_keys_find(struct arena *a, struct in_file *f) {
    struct str *of = f->pq ? ARENA_ARRAY(a, f->pq->n_groups + 1, struct str) : NULL;
    char name[NAME_MAX_BYTES];
    if (!f->pq) return ERR_OK;
    if (!of) return ERR_NOMEM;
    for (uint32_t g = 0; g < f->pq->n_groups; g++)
        if (!pq_reader_kv(f->pq, kv_name(name, g), &of[g])) of[g] = STR("*");
    f->rest_keys = of;
    return ERR_OK;
}

bool block_rest_may_hold(const struct block *b, enum block_rows rows, uint32_t group, struct str key) {
    const struct in_file *files[] = { &b->spans, &b->events, &b->links };
    uint8_t block[BLOOM_BLOCK];
    if (!files[rows]->pq) return false; // there are no such rows
    struct str hex = files[rows]->rest_keys[group];
    if (hex.len == 0) return false;
    if (hex.len % HEX_BLOCK != 0) return true;
    uint64_t hash = hash_xxh64(key.ptr, key.len);
    size_t at = 2 * bloom_block(hex.len / 2, hash);
    return !hex_decode(str_sub(hex, at, HEX_BLOCK), block, sizeof block) || bloom_test(block, hash);
}
