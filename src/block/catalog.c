// SPDX-License-Identifier: Apache-2.0
#include <stdio.h>

#include "base/cursor.h"
#include "block/catalog_internal.h"
#include "os/random.h"

// Numbers count down in the name, so the first name is the newest.
void catalog_prefix(char out[CATALOG_KEY_MAX], struct str tenant) {
    (void)snprintf(out, CATALOG_KEY_MAX, "catalog/%.*s/", STR_ARG(tenant));
}

void catalog_key(char out[CATALOG_KEY_MAX], struct str tenant, uint64_t number) {
    (void)snprintf(out, CATALOG_KEY_MAX, "catalog/%.*s/%020llu", STR_ARG(tenant),
                   (unsigned long long)((1ull << 63) - number));
}

bool catalog_number_of(struct str key, uint64_t *out) {
    uint64_t down;
    if (key.len < 20 || !str_u64(str_sub(key, key.len - 20, 20), &down) || down > 1ull << 63) return false;
    *out = (1ull << 63) - down;
    return true;
}

void list_key(char out[CATALOG_KEY_MAX], struct str tenant, uint64_t number, uint64_t nonce) {
    (void)snprintf(out, CATALOG_KEY_MAX, "lists/%.*s/%020llu-%020llu", STR_ARG(tenant),
                   (unsigned long long)number, (unsigned long long)nonce);
}

static enum err first_key(void *ctx, struct str key, uint64_t size) {
    uint64_t *number = ctx;
    (void)size;
    return catalog_number_of(key, number) ? ERR_CANCELED : ERR_OK; // canceled: the first is enough
}

static enum err load_list(struct object_store *store, struct str tenant, const struct catalog_list *l,
                          struct block_meta *blocks, struct err_ctx *ctx) {
    char key[CATALOG_KEY_MAX];
    uint64_t size = 0;
    list_key(key, tenant, l->number, l->nonce);
    enum err e = store->ops->size(store, str_of(key), &size);
    if (e == ERR_NOT_FOUND || size > CATALOG_BYTES_MAX)
        return err_set(ctx, ERR_CORRUPT, "catalog list %s is missing or far too large", key);
    if (e != ERR_OK) return e;
    char *bytes = mem_alloc(size);
    if (!bytes) return ERR_NOMEM;
    e = store->ops->read(store, str_of(key), 0, bytes, size);
    if (e == ERR_OK) e = list_decode((struct str){ bytes, size }, l, blocks);
    mem_free(bytes);
    if (e == ERR_CORRUPT) return err_set(ctx, e, "catalog list %s is damaged", key);
    return e;
}

static enum err load_lists(struct object_store *store, struct str tenant, struct catalog *c,
                           struct err_ctx *ctx) {
    uint32_t at = 0;
    for (uint32_t i = 0; i < c->n_lists; i++) {
        TRY(load_list(store, tenant, &c->lists[i], &c->blocks[at], ctx));
        at += c->lists[i].n_blocks;
    }
    return ERR_OK;
}

enum err catalog_load(struct object_store *store, struct str tenant, struct arena *a, struct catalog *out,
                      struct err_ctx *ctx) {
    char key[CATALOG_KEY_MAX];
    uint64_t number = 0, size;
    *out = (struct catalog){ 0 };
    catalog_prefix(key, tenant);
    enum err e = store->ops->list(store, str_of(key), STR(""), &number, first_key);
    if (e != ERR_OK && e != ERR_CANCELED) return e;
    if (number == 0) return ERR_OK;
    catalog_key(key, tenant, number);
    TRY(store->ops->size(store, str_of(key), &size));
    if (size > CATALOG_BYTES_MAX)
        return err_set(ctx, ERR_CORRUPT, "catalog snapshot %s is far too large", key);
    char *bytes = arena_alloc(a, size);
    if (!bytes) return ERR_NOMEM;
    TRY(store->ops->read(store, str_of(key), 0, bytes, size));
    e = catalog_decode((struct str){ bytes, size }, a, out);
    if (e == ERR_OK && out->number != number) e = ERR_CORRUPT;
    if (e == ERR_CORRUPT) return err_set(ctx, e, "catalog snapshot %s is damaged", key);
    if (e == ERR_UNSUPPORTED)
        return err_set(ctx, e, "catalog snapshot %s was written by a newer version", key);
    return e == ERR_OK ? load_lists(store, tenant, out, ctx) : e;
}

// What was written for this number, if the commit fails, is dead once the number is taken: no other
// number may name it, or the sweep would have to guess.
static enum err write_list(struct object_store *store, struct str tenant, struct catalog_list *l,
                           const struct block_meta *blocks) {
    char key[CATALOG_KEY_MAX];
    struct buf b;
    l->nonce = random_u64();
    buf_init(&b, CATALOG_BYTES_MAX);
    list_encode(l, blocks, &b);
    list_key(key, tenant, l->number, l->nonce);
    enum err e = b.failed ? ERR_NOMEM : store->ops->put_if_absent(store, str_of(key), buf_view(&b));
    if (e == ERR_OK) l->crc = list_crc(buf_view(&b));
    buf_fini(&b);
    return e;
}

static enum err write_lists(struct object_store *store, struct str tenant, struct catalog *next) {
    uint32_t at = 0;
    for (uint32_t i = 0; i < next->n_lists; i++) {
        struct catalog_list *l = &next->lists[i];
        if (l->number == next->number) TRY(write_list(store, tenant, l, &next->blocks[at]));
        at += l->n_blocks;
    }
    return ERR_OK;
}

enum err catalog_commit(struct object_store *store, struct str tenant, const struct catalog *base,
                        struct catalog *next, struct arena *a) {
    char key[CATALOG_KEY_MAX];
    struct buf b;
    TRY(catalog_plan_lists(base, next, a));
    TRY(write_lists(store, tenant, next));
    buf_init(&b, CATALOG_BYTES_MAX);
    catalog_encode(next, &b);
    catalog_key(key, tenant, next->number);
    enum err e = b.failed ? ERR_LIMIT : store->ops->put_if_absent(store, str_of(key), buf_view(&b));
    buf_fini(&b);
    return e;
}

uint64_t catalog_covered(const struct catalog *c, const char *node) {
    for (uint32_t i = 0; i < c->n_nodes; i++)
        if (strcmp(c->nodes[i].id, node) == 0) return c->nodes[i].covered_seq;
    return 0;
}

void catalog_cover(struct catalog *c, const char *node, uint64_t seq) {
    uint32_t i = 0;
    while (i < c->n_nodes && strcmp(c->nodes[i].id, node) != 0) i++;
    if (i == c->n_nodes) memcpy(c->nodes[c->n_nodes++].id, node, ULID_LEN + 1);
    c->nodes[i].covered_seq = seq;
}
