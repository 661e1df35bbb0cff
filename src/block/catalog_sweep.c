// SPDX-License-Identifier: Apache-2.0
// What no snapshot needs any more: old snapshots, lists, blocks.
#include <stdio.h>
#include <stdlib.h>

#include "base/cursor.h"
#include "block/catalog_internal.h"

enum { KEEP_NUMBERS = 100 };
#define KEEP_NS (24ull * 3600 * 1000000000)

// --- snapshots -------------------------------------------------------------------------------------

struct cleaning {
    struct object_store *store;
    uint64_t newest, now_ns;
};

// The time of a snapshot stands in its head; only old numbers are read for it.
static enum err clean_one(void *ctx, struct str key, uint64_t size) {
    struct cleaning *c = ctx;
    uint64_t number;
    char head[CATALOG_HEAD];
    if (!catalog_number_of(key, &number) || number + KEEP_NUMBERS > c->newest || size < sizeof head)
        return ERR_OK;
    TRY(c->store->ops->read(c->store, key, 0, head, sizeof head));
    struct reader r = reader_of((struct str){ head + CATALOG_TIME_AT, 8 });
    if (rd_u64le(&r) + KEEP_NS > c->now_ns) return ERR_OK;
    return c->store->ops->remove(c->store, key);
}

enum err catalog_clean(struct object_store *store, struct str tenant, uint64_t newest, uint64_t now_ns) {
    char prefix[CATALOG_KEY_MAX];
    struct cleaning c = { store, newest, now_ns };
    catalog_prefix(prefix, tenant);
    return store->ops->list(store, str_of(prefix), STR(""), &c, clean_one);
}

// --- lists -----------------------------------------------------------------------------------------

// Numbers of snapshots are created only if absent, and a list is named by the snapshot that it was
// written for and by those made from it without a gap. So one that was written for a number that is
// taken, and that no snapshot names now, is never named again.

enum { SUSPECTS_MAX = 100000 }; // in one go

struct suspect {
    uint64_t number, nonce;
    bool is_named;
};

struct list_sweep {
    struct object_store *store;
    uint64_t newest;
    struct buf suspects; // of struct suspect, in the order of their names
};

static struct suspect *suspects_of(const struct list_sweep *s) {
    return (struct suspect *)(void *)s->suspects.ptr;
}
static size_t n_suspects(const struct list_sweep *s) {
    return s->suspects.len / sizeof(struct suspect);
}

static int by_name(const void *x, const void *y) {
    const struct suspect *a = x, *b = y;
    if (a->number != b->number) return a->number < b->number ? -1 : 1;
    return a->nonce < b->nonce ? -1 : a->nonce > b->nonce;
}

static enum err suspect_one(void *ctx, struct str key, uint64_t size) {
    struct list_sweep *s = ctx;
    struct suspect l = { 0 };
    (void)size;
    if (key.len < 41 || !str_u64(str_sub(key, key.len - 41, 20), &l.number) ||
        !str_u64(str_sub(key, key.len - 20, 20), &l.nonce) || l.number > s->newest)
        return ERR_OK;
    if (n_suspects(s) == SUSPECTS_MAX) return ERR_CANCELED; // the rest next time
    buf_add(&s->suspects, &l, sizeof l);
    return s->suspects.failed ? ERR_NOMEM : ERR_OK;
}

static uint32_t clear_named(struct list_sweep *s, const struct catalog *c) {
    uint32_t n = 0;
    for (uint32_t i = 0; i < c->n_lists && s->suspects.len; i++) {
        struct suspect key = { .number = c->lists[i].number, .nonce = c->lists[i].nonce };
        struct suspect *l = bsearch(&key, s->suspects.ptr, n_suspects(s), sizeof key, by_name);
        if (l) l->is_named = true;
        n += l != NULL;
    }
    return n;
}

// A snapshot that cannot be read may name anything: then nothing is removed.
static enum err clear_named_by(void *ctx, struct str key, uint64_t size) {
    struct list_sweep *s = ctx;
    struct catalog c;
    struct arena a;
    char head[CATALOG_HEAD];
    if (size < sizeof head || size > CATALOG_BYTES_MAX) return ERR_CORRUPT;
    TRY(s->store->ops->read(s->store, key, 0, head, sizeof head));
    if (!catalog_names_lists(head)) return ERR_OK;
    arena_init(&a, SIZE_MAX, NULL);
    char *bytes = arena_alloc(&a, size);
    enum err e = bytes ? s->store->ops->read(s->store, key, 0, bytes, size) : ERR_NOMEM;
    if (e == ERR_OK) e = catalog_decode((struct str){ bytes, size }, &a, &c);
    if (e == ERR_OK) (void)clear_named(s, &c);
    arena_fini(&a);
    return e;
}

static enum err remove_dead(struct list_sweep *s, struct str tenant, uint32_t *out_n) {
    for (size_t i = 0; i < n_suspects(s); i++) {
        char key[CATALOG_KEY_MAX];
        const struct suspect *l = &suspects_of(s)[i];
        if (l->is_named) continue;
        list_key(key, tenant, l->number, l->nonce);
        TRY(s->store->ops->remove(s->store, str_of(key)));
        ++*out_n;
    }
    return ERR_OK;
}

enum err catalog_sweep_lists(struct object_store *store, struct str tenant, const struct catalog *newest,
                             uint32_t *out_n) {
    char prefix[CATALOG_KEY_MAX];
    struct list_sweep s = { .store = store, .newest = newest->number };
    *out_n = 0;
    buf_init(&s.suspects, SUSPECTS_MAX * sizeof(struct suspect));
    (void)snprintf(prefix, sizeof prefix, "lists/%.*s/", STR_ARG(tenant));
    enum err e = store->ops->list(store, str_of(prefix), STR(""), &s, suspect_one);
    if (e == ERR_CANCELED) e = ERR_OK;
    if (e == ERR_OK && clear_named(&s, newest) < n_suspects(&s)) { // else the older ones need not be read
        catalog_prefix(prefix, tenant);
        e = store->ops->list(store, str_of(prefix), STR(""), &s, clear_named_by);
        if (e == ERR_OK) e = remove_dead(&s, tenant, out_n);
    }
    buf_fini(&s.suspects);
    return e;
}

// --- blocks ----------------------------------------------------------------------------------------

struct sweep {
    struct object_store *store;
    char (*live)[ULID_LEN + 1]; // sorted
    uint32_t n_live;
    size_t prefix_len;
    char last[ULID_LEN + 1]; // block counted last
    uint32_t n;
};

static int by_id(const void *x, const void *y) {
    return memcmp(x, y, ULID_LEN);
}

static enum err sweep_one(void *ctx, struct str key, uint64_t size) {
    struct sweep *s = ctx;
    struct str id = str_sub(key, s->prefix_len, ULID_LEN);
    (void)size;
    if (!ulid_valid(id)) return ERR_OK;
    if (s->n_live && bsearch(id.ptr, s->live, s->n_live, sizeof *s->live, by_id)) return ERR_OK;
    if (!str_eq(str_of(s->last), id)) s->n++;
    memcpy(s->last, id.ptr, ULID_LEN);
    return s->store->ops->remove(s->store, key);
}

enum err catalog_sweep(struct object_store *store, struct str tenant, const struct catalog *live,
                       uint32_t *out_n) {
    char prefix[CATALOG_KEY_MAX];
    struct sweep s = { .store = store, .n_live = live->n_blocks };
    s.live = mem_alloc((live->n_blocks + 1ull) * sizeof *s.live);
    if (!s.live) return ERR_NOMEM;
    for (uint32_t i = 0; i < s.n_live; i++) memcpy(s.live[i], live->blocks[i].id, sizeof *s.live);
    if (s.n_live > 1) qsort(s.live, s.n_live, sizeof *s.live, by_id);
    s.prefix_len = (size_t)snprintf(prefix, sizeof prefix, "blocks/%.*s/", STR_ARG(tenant));
    enum err e = store->ops->list(store, str_of(prefix), STR(""), &s, sweep_one);
    mem_free(s.live);
    *out_n = s.n;
    return e;
}
