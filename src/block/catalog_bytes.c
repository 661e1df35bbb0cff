// SPDX-License-Identifier: Apache-2.0
#include "base/cursor.h"
#include "base/hash.h"
#include "block/catalog_internal.h"

enum { MAGIC_LEN = 8, VERSION = 1 };
enum { HAS_LISTS = 1 }; // among the flags that a reader must understand
static const char magic[MAGIC_LEN + 1] = "TAKTCATA", list_magic[MAGIC_LEN + 1] = "TAKTLIST";

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

static void block_write_meta(struct buf *out, const struct block_meta *m) {
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

// Cuts the checksum off.
static bool check_crc(struct str *bytes) {
    if (bytes->len < 4) return false;
    struct reader r = reader_of(str_sub(*bytes, bytes->len - 4, 4));
    *bytes = str_sub(*bytes, 0, bytes->len - 4);
    return rd_u32le(&r) == crc32c(0, bytes->ptr, bytes->len);
}

// --- snapshots -------------------------------------------------------------------------------------

static void lists_write(struct buf *out, const struct catalog *c) {
    wr_u32le(out, c->n_lists);
    for (uint32_t i = 0; i < c->n_lists; i++) {
        wr_u64le(out, c->lists[i].number);
        wr_u64le(out, c->lists[i].nonce);
        wr_u32le(out, c->lists[i].n_blocks);
        wr_u32le(out, c->lists[i].crc);
    }
}

static uint32_t n_listed(const struct catalog *c) {
    uint32_t n = 0;
    for (uint32_t i = 0; i < c->n_lists; i++) n += c->lists[i].n_blocks;
    return n;
}

void catalog_encode(const struct catalog *c, struct buf *out) {
    size_t start = out->len;
    uint32_t from = n_listed(c);
    buf_add(out, magic, MAGIC_LEN);
    wr_u32le(out, VERSION);
    wr_u32le(out, c->n_lists ? HAS_LISTS : 0); // flags that a reader must understand
    wr_u32le(out, 0);                          // flags that it may ignore
    wr_u64le(out, c->number);
    wr_u64le(out, c->time_ns);
    wr_u32le(out, c->n_nodes);
    for (uint32_t i = 0; i < c->n_nodes; i++) {
        buf_add(out, c->nodes[i].id, ULID_LEN);
        wr_u64le(out, c->nodes[i].covered_seq);
    }
    if (c->n_lists) lists_write(out, c);
    wr_u32le(out, c->n_blocks - from);
    for (uint32_t i = from; i < c->n_blocks; i++) block_write_meta(out, &c->blocks[i]);
    wr_u32le(out, 0); // deletions: none are written by this version
    wr_u32le(out, crc32c(0, out->ptr + start, out->len - start));
}

static enum err nodes_read(struct reader *r, struct arena *a, struct catalog *c) {
    c->n_nodes = rd_u32le(r);
    if (c->n_nodes > CATALOG_NODES_MAX) return ERR_CORRUPT;
    c->nodes = ARENA_ARRAY(a, c->n_nodes + 1ull, struct catalog_node);
    if (!c->nodes) return ERR_NOMEM;
    for (uint32_t i = 0; i < c->n_nodes; i++) {
        id_read(r, c->nodes[i].id);
        c->nodes[i].covered_seq = rd_u64le(r);
    }
    return ERR_OK;
}

static enum err lists_read(struct reader *r, struct arena *a, struct catalog *c) {
    c->n_lists = rd_u32le(r);
    if (c->n_lists == 0 || c->n_lists > CATALOG_LISTS_MAX) return ERR_CORRUPT;
    c->lists = ARENA_ARRAY(a, c->n_lists, struct catalog_list);
    if (!c->lists) return ERR_NOMEM;
    for (uint32_t i = 0; i < c->n_lists; i++) {
        struct catalog_list *l = &c->lists[i];
        l->number = rd_u64le(r);
        l->nonce = rd_u64le(r);
        l->n_blocks = rd_u32le(r);
        l->crc = rd_u32le(r);
        if (l->n_blocks == 0 || l->n_blocks > CATALOG_LIST_MAX || l->number > c->number) return ERR_CORRUPT;
    }
    return ERR_OK;
}

static enum err blocks_read(struct reader *r, struct arena *a, struct catalog *c) {
    uint32_t from = n_listed(c), n = rd_u32le(r);
    if (from > CATALOG_BLOCKS_MAX || n > CATALOG_BLOCKS_MAX - from) return ERR_CORRUPT;
    c->n_blocks = from + n;
    c->blocks = ARENA_ARRAY(a, c->n_blocks + 1ull, struct block_meta);
    if (!c->blocks) return ERR_NOMEM;
    memset(c->blocks, 0, from * sizeof *c->blocks);
    for (uint32_t i = from; i < c->n_blocks; i++) block_read(r, &c->blocks[i]);
    return ERR_OK;
}

enum err catalog_decode(struct str bytes, struct arena *a, struct catalog *out) {
    struct catalog c = { 0 };
    if (bytes.len > CATALOG_BYTES_MAX || !check_crc(&bytes)) return ERR_CORRUPT;
    struct reader r = reader_of(bytes);
    if (!str_eq(rd_bytes(&r, MAGIC_LEN), (struct str){ magic, MAGIC_LEN })) return ERR_CORRUPT;
    uint32_t version = rd_u32le(&r), must = rd_u32le(&r);
    if (version != VERSION || (must & ~(uint32_t)HAS_LISTS) != 0) return ERR_UNSUPPORTED;
    (void)rd_u32le(&r);
    c.number = rd_u64le(&r);
    c.time_ns = rd_u64le(&r);
    TRY(nodes_read(&r, a, &c));
    if (must & HAS_LISTS) TRY(lists_read(&r, a, &c));
    TRY(blocks_read(&r, a, &c));
    if (rd_u32le(&r) != 0) return ERR_UNSUPPORTED;
    if (r.bad || rd_left(&r) != 0) return ERR_CORRUPT;
    *out = c;
    return ERR_OK;
}

bool catalog_names_lists(const char head[CATALOG_HEAD]) {
    struct reader r = reader_of((struct str){ head + MAGIC_LEN + 4, 4 });
    return (rd_u32le(&r) & HAS_LISTS) != 0;
}

// --- lists -----------------------------------------------------------------------------------------

void list_encode(const struct catalog_list *l, const struct block_meta *blocks, struct buf *out) {
    size_t start = out->len;
    buf_add(out, list_magic, MAGIC_LEN);
    wr_u32le(out, VERSION);
    wr_u32le(out, 0); // flags that a reader must understand
    wr_u32le(out, 0); // flags that it may ignore
    wr_u64le(out, l->number);
    wr_u64le(out, l->nonce);
    wr_u32le(out, l->n_blocks);
    for (uint32_t i = 0; i < l->n_blocks; i++) block_write_meta(out, &blocks[i]);
    wr_u32le(out, crc32c(0, out->ptr + start, out->len - start));
}

uint32_t list_crc(struct str bytes) {
    struct reader r = reader_of(str_sub(bytes, bytes.len - 4, 4));
    return rd_u32le(&r);
}

enum err list_decode(struct str bytes, const struct catalog_list *l, struct block_meta *blocks) {
    if (bytes.len < 4 || list_crc(bytes) != l->crc || !check_crc(&bytes)) return ERR_CORRUPT;
    struct reader r = reader_of(bytes);
    if (!str_eq(rd_bytes(&r, MAGIC_LEN), (struct str){ list_magic, MAGIC_LEN })) return ERR_CORRUPT;
    uint32_t version = rd_u32le(&r), must = rd_u32le(&r);
    if (version != VERSION || must != 0) return ERR_UNSUPPORTED;
    (void)rd_u32le(&r);
    uint64_t number = rd_u64le(&r), nonce = rd_u64le(&r);
    if (number != l->number || nonce != l->nonce || rd_u32le(&r) != l->n_blocks) return ERR_CORRUPT;
    for (uint32_t i = 0; i < l->n_blocks; i++) block_read(&r, &blocks[i]);
    return r.bad || rd_left(&r) != 0 ? ERR_CORRUPT : ERR_OK;
}
