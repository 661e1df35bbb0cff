// SPDX-License-Identifier: Apache-2.0
#include "block/catalog.h"

#include <stdio.h>

#include "base/cursor.h"
#include "base/hash.h"

enum { MAGIC_LEN = 8, VERSION = 1, KEEP_NUMBERS = 100, SNAPSHOT_BYTES_MAX = 16 << 20 };
#define KEEP_NS (24ull * 3600 * 1000000000)
static const char magic[MAGIC_LEN + 1] = "TAKTCATA";

// --- bytes -----------------------------------------------------------------------------------------

static void range_write(struct buf *b, struct time_range r) {
    wr_u64le(b, r.min_ns);
    wr_u64le(b, r.max_ns);
}

static struct time_range range_read(struct reader *r) {
    uint64_t min = rd_u64le(r), max = rd_u64le(r);
    return (struct time_range){ min, max };
}

static void id_read(struct reader *r, char out[ULID_LEN + 1]) {
    struct str s = rd_bytes(r, ULID_LEN);
    if (!r->bad && !ulid_valid(s)) r->bad = true;
    memset(out, 0, ULID_LEN + 1);
    if (!r->bad) memcpy(out, s.ptr, ULID_LEN);
}

void catalog_encode(const struct catalog *c, struct buf *out) {
    size_t start = out->len;
    buf_add(out, magic, MAGIC_LEN);
    wr_u32le(out, VERSION);
    wr_u32le(out, 0); // flags that a reader must understand
    wr_u32le(out, 0); // flags that it may ignore
    wr_u64le(out, c->number);
    wr_u64le(out, c->time_ns);
    wr_u32le(out, c->n_nodes);
    for (uint32_t i = 0; i < c->n_nodes; i++) {
        buf_add(out, c->nodes[i].id, ULID_LEN);
        wr_u64le(out, c->nodes[i].covered_seq);
    }
    wr_u32le(out, c->n_blocks);
    for (uint32_t i = 0; i < c->n_blocks; i++) {
        const struct block_meta *m = &c->blocks[i];
        buf_add(out, m->id, ULID_LEN);
        wr_u8(out, m->level);
        wr_u8(out, m->format);
        wr_u64le(out, m->n_spans);
        wr_u64le(out, m->n_traces);
        wr_u64le(out, m->bytes);
        range_write(out, m->main);
        range_write(out, m->outliers);
        range_write(out, m->received);
    }
    wr_u32le(out, 0); // deletions: none are written by this version
    wr_u32le(out, crc32c(0, out->ptr + start, out->len - start));
}

static void block_read(struct reader *r, struct block_meta *m) {
    id_read(r, m->id);
    m->level = rd_u8(r);
    m->format = rd_u8(r);
    m->n_spans = rd_u64le(r);
    m->n_traces = rd_u64le(r);
    m->bytes = rd_u64le(r);
    m->main = range_read(r);
    m->outliers = range_read(r);
    m->received = range_read(r);
}

enum err catalog_decode(struct str bytes, struct arena *a, struct catalog *out) {
    struct catalog c = { 0 };
    if (bytes.len < 4 || bytes.len > SNAPSHOT_BYTES_MAX) return ERR_CORRUPT;
    struct reader r = reader_of(str_sub(bytes, bytes.len - 4, 4));
    if (rd_u32le(&r) != crc32c(0, bytes.ptr, bytes.len - 4)) return ERR_CORRUPT;
    r = reader_of(str_sub(bytes, 0, bytes.len - 4));
    if (!str_eq(rd_bytes(&r, MAGIC_LEN), (struct str){ magic, MAGIC_LEN })) return ERR_CORRUPT;
    uint32_t version = rd_u32le(&r), must = rd_u32le(&r);
    if (version != VERSION || must != 0) return ERR_UNSUPPORTED;
    (void)rd_u32le(&r);
    c.number = rd_u64le(&r);
    c.time_ns = rd_u64le(&r);
    c.n_nodes = rd_u32le(&r);
    if (c.n_nodes > CATALOG_NODES_MAX) return ERR_CORRUPT;
    c.nodes = ARENA_ARRAY(a, c.n_nodes + 1ull, struct catalog_node);
    if (!c.nodes) return ERR_NOMEM;
    for (uint32_t i = 0; i < c.n_nodes; i++) {
        id_read(&r, c.nodes[i].id);
        c.nodes[i].covered_seq = rd_u64le(&r);
    }
    c.n_blocks = rd_u32le(&r);
    if (c.n_blocks > CATALOG_BLOCKS_MAX) return ERR_CORRUPT;
    c.blocks = ARENA_ARRAY(a, c.n_blocks + 1ull, struct block_meta);
    if (!c.blocks) return ERR_NOMEM;
    for (uint32_t i = 0; i < c.n_blocks; i++) block_read(&r, &c.blocks[i]);
    if (rd_u32le(&r) != 0) return ERR_UNSUPPORTED;
    if (r.bad || rd_left(&r) != 0) return ERR_CORRUPT;
    *out = c;
    return ERR_OK;
}

// --- the store ---------------------------------------------------------------------------------------

enum { KEY_MAX = 256 };

static void prefix_of(char out[KEY_MAX], struct str tenant) {
    (void)snprintf(out, KEY_MAX, "catalog/%.*s/", STR_ARG(tenant));
}

// Numbers count down in the name, so the first name is the newest.
static void key_of(char out[KEY_MAX], struct str tenant, uint64_t number) {
    (void)snprintf(out, KEY_MAX, "catalog/%.*s/%020llu", STR_ARG(tenant),
                   (unsigned long long)((1ull << 63) - number));
}

static bool number_of(struct str key, uint64_t *out) {
    uint64_t down;
    if (key.len < 20 || !str_u64(str_sub(key, key.len - 20, 20), &down) || down > 1ull << 63) return false;
    *out = (1ull << 63) - down;
    return true;
}

static enum err first_key(void *ctx, struct str key, uint64_t size) {
    uint64_t *number = ctx;
    (void)size;
    return number_of(key, number) ? ERR_CANCELED : ERR_OK; // canceled: the first is enough
}

enum err catalog_load(struct object_store *store, struct str tenant, struct arena *a, struct catalog *out,
                      struct err_ctx *ctx) {
    char key[KEY_MAX];
    uint64_t number = 0, size;
    *out = (struct catalog){ 0 };
    prefix_of(key, tenant);
    enum err e = store->ops->list(store, str_of(key), STR(""), &number, first_key);
    if (e != ERR_OK && e != ERR_CANCELED) return e;
    if (number == 0) return ERR_OK;
    key_of(key, tenant, number);
    TRY(store->ops->size(store, str_of(key), &size));
    if (size > SNAPSHOT_BYTES_MAX)
        return err_set(ctx, ERR_CORRUPT, "catalog snapshot %s is far too large", key);
    char *bytes = arena_alloc(a, size);
    if (!bytes) return ERR_NOMEM;
    TRY(store->ops->read(store, str_of(key), 0, bytes, size));
    e = catalog_decode((struct str){ bytes, size }, a, out);
    if (e == ERR_OK && out->number != number) e = ERR_CORRUPT;
    if (e == ERR_CORRUPT) return err_set(ctx, e, "catalog snapshot %s is damaged", key);
    if (e == ERR_UNSUPPORTED)
        return err_set(ctx, e, "catalog snapshot %s was written by a newer version", key);
    return e;
}

enum err catalog_commit(struct object_store *store, struct str tenant, const struct catalog *next) {
    char key[KEY_MAX];
    struct buf b;
    buf_init(&b, SNAPSHOT_BYTES_MAX);
    catalog_encode(next, &b);
    key_of(key, tenant, next->number);
    enum err e = b.failed ? ERR_LIMIT : store->ops->put_if_absent(store, str_of(key), buf_view(&b));
    buf_fini(&b);
    return e;
}

struct cleaning {
    struct object_store *store;
    uint64_t newest, now_ns;
    uint32_t removed;
};

// The time of a snapshot stands in its head; only old numbers are read for it.
static enum err clean_one(void *ctx, struct str key, uint64_t size) {
    struct cleaning *c = ctx;
    uint64_t number;
    char head[MAGIC_LEN + 12 + 16];
    if (!number_of(key, &number) || number + KEEP_NUMBERS > c->newest || size < sizeof head) return ERR_OK;
    TRY(c->store->ops->read(c->store, key, 0, head, sizeof head));
    struct reader r = reader_of((struct str){ head + MAGIC_LEN + 20, 8 });
    if (rd_u64le(&r) + KEEP_NS > c->now_ns) return ERR_OK;
    return c->store->ops->remove(c->store, key);
}

enum err catalog_clean(struct object_store *store, struct str tenant, uint64_t newest, uint64_t now_ns) {
    char prefix[KEY_MAX];
    struct cleaning c = { store, newest, now_ns, 0 };
    prefix_of(prefix, tenant);
    return store->ops->list(store, str_of(prefix), STR(""), &c, clean_one);
}

struct sweep {
    struct object_store *store;
    struct str tenant;
    const struct catalog *live;
    size_t prefix_len;
    char last[ULID_LEN + 1]; // block counted last
    uint32_t n;
};

static bool is_live(const struct catalog *c, struct str id) {
    for (uint32_t i = 0; i < c->n_blocks; i++)
        if (str_eq(str_of(c->blocks[i].id), id)) return true;
    return false;
}

static enum err sweep_one(void *ctx, struct str key, uint64_t size) {
    struct sweep *s = ctx;
    struct str id = str_sub(key, s->prefix_len, ULID_LEN);
    (void)size;
    if (!ulid_valid(id) || is_live(s->live, id)) return ERR_OK;
    if (!str_eq(str_of(s->last), id)) s->n++;
    memcpy(s->last, id.ptr, ULID_LEN);
    return s->store->ops->remove(s->store, key);
}

enum err catalog_sweep(struct object_store *store, struct str tenant, const struct catalog *live,
                       uint32_t *out_n) {
    char prefix[KEY_MAX];
    struct sweep s = { .store = store, .tenant = tenant, .live = live };
    s.prefix_len = (size_t)snprintf(prefix, sizeof prefix, "blocks/%.*s/", STR_ARG(tenant));
    enum err e = store->ops->list(store, str_of(prefix), STR(""), &s, sweep_one);
    *out_n = s.n;
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
