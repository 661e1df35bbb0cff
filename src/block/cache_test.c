// SPDX-License-Identifier: Apache-2.0
#include "block/cache.h"

#include "base/test.h"
#include "block/postings.h"
#include "block/sample.h"
#include "os/thread.h"

struct world {
    struct object_store *store;
    struct span_table table;
    struct block_meta meta;
    struct block *block;
    struct block_scan plain, cached; // without the cache and with it
};

static void world_open(struct world *w, uint64_t limit) {
    struct block_cache_stats s;
    block_cache_limit(limit);
    span_table_init(&w->table, SIZE_MAX, NULL);
    CHECK_OK(sample_table(&w->table, test_rand(), 9000));
    span_table_publish(&w->table);
    CHECK_OK(object_mem_open(&w->store));
    CHECK_OK(sample_write(w->store, &w->table, NULL, &w->meta));
    CHECK_OK(block_new(w->store, STR("t"), &w->meta, &w->block));
    CHECK_OK(block_scan_init(&w->plain, NULL));
    CHECK_OK(block_scan_init(&w->cached, NULL));
    w->cached.uses_cache = true;
    CHECK_OK(block_open(w->block, &w->plain));
    block_cache_stats(&s);
    CHECK_U64(s.bytes, 0);
}

static void world_close(struct world *w) {
    struct block_cache_stats s;
    block_unref(w->block);
    block_scan_fini(&w->plain);
    block_scan_fini(&w->cached);
    block_cache_stats(&s);
    CHECK_U64(s.bytes, 0); // it goes with its block and who holds it
    w->store->ops->close(w->store);
    span_table_fini(&w->table);
    block_cache_limit(0);
}

static bool same_bytes(const void *a, const void *b, size_t n) {
    return n == 0 || memcmp(a, b, n) == 0;
}

static void check_texts(const struct str *a, const struct str *b, uint32_t n) {
    for (uint32_t i = 0; i < n; i++) CHECK_STR(a[i], b[i]);
}

static void check_values(const struct pq_column *c, const struct pq_vector *a, const struct pq_vector *b) {
    uint32_t n = a->n_values;
    CHECK(n == 0 || a->repr == b->repr);
    if (n == 0) return;
    if (a->repr == PQ_STRS) {
        check_texts(a->strs, b->strs, n);
        return;
    }
    size_t size = a->repr == PQ_BOOLS                      ? 1
                  : a->repr == PQ_FIXEDS                   ? c->fixed_len
                  : a->repr == PQ_I64 || a->repr == PQ_F64 ? 8
                                                           : 4;
    CHECK(same_bytes(a->fixed, b->fixed, n * size));
    if (a->repr != PQ_CODES) return;
    CHECK_U64(a->dict->n, b->dict->n);
    if (c->type == PQ_BYTE_ARRAY) check_texts(a->dict->strs, b->dict->strs, a->dict->n);
}

static void check_slice(struct world *w, struct in_file *f, size_t g, size_t column) {
    uint32_t n = f->pq->groups[g].n_rows, from = (uint32_t)test_below(n + 1ull),
             to = from + (uint32_t)test_below(n - from + 1ull);
    struct pq_vector a, b;
    if (test_below(3) == 0) {
        from = 0;
        to = n;
    }
    CHECK_OK(scan_read(f, &w->plain, g, column, from, to, &a));
    CHECK_OK(scan_read(f, &w->cached, g, column, from, to, &b));
    CHECK_U64(a.n_rows, b.n_rows);
    CHECK_U64(a.n_values, b.n_values);
    CHECK(a.n_values == 0 || !a.rows == !b.rows);
    if (a.rows && a.n_values) CHECK(same_bytes(a.rows, b.rows, a.n_values * 4ull));
    check_values(&f->pq->columns[column], &a, &b);
}

static void check_file(struct world *w, struct in_file *f) {
    struct block_cache_stats s;
    for (size_t g = 0; f->pq && g < f->pq->n_groups; g++)
        for (size_t column = 0; column < f->pq->n_columns; column++) {
            check_slice(w, f, g, column);
            if (test_below(4) == 0) block_scan_reset(&w->cached);
            block_cache_stats(&s);
            CHECK(s.bytes <= s.limit);
        }
    block_scan_reset(&w->plain);
}

TEST(cache_says_what_the_file_says) {
    static const uint64_t limits[] = { 0, 1, 100 << 10, 400 << 10, 64 << 20 };
    for (size_t i = 0; i < sizeof limits / sizeof *limits; i++) {
        struct world w;
        struct block_cache_stats before, after;
        world_open(&w, limits[i]);
        block_cache_stats(&before);
        for (int round = 0; round < 6; round++) {
            check_file(&w, &w.block->spans);
            check_file(&w, &w.block->traces);
            check_file(&w, &w.block->events);
            check_file(&w, &w.block->links);
        }
        block_cache_stats(&after);
        CHECK((after.bytes > 0) == (limits[i] > 1));
        CHECK((after.hits > before.hits) == (limits[i] > 1));
        world_close(&w);
    }
}

// --- postings ----------------------------------------------------------------------------------------

// An entry's rows are those that have its code.
static void check_entry(const struct pq_vector *v, uint32_t code, const struct batch_rows *rows) {
    uint32_t k = 0;
    for (uint32_t i = 0; i < v->n_values; i++)
        if (v->codes[i] == code) CHECK(k < rows->n && rows->at[k++] == (v->rows ? v->rows[i] : i));
    CHECK_U64(rows->n, k);
}

// Of the first entry.
static bool knows_rows(struct world *w, struct block_scan *s, size_t column) {
    struct pq_chunk c;
    struct pq_vector v;
    struct batch_rows rows;
    bool known = scan_chunk(&w->block->spans, s, 0, column, &c) == ERR_OK &&
                 cache_read(s, &c, 0, c.n_rows, &v) == ERR_OK && v.repr == PQ_CODES &&
                 cache_rows_with(s, &c, 0, &rows);
    if (known) check_entry(&v, 0, &rows);
    return known;
}

// The column with the largest dictionary.
static size_t most_entries(struct world *w) {
    uint32_t most = 0, n = w->block->spans.pq->groups[0].n_rows;
    size_t found = 0;
    for (size_t i = 0; i < w->block->spans.pq->n_columns; i++) {
        struct pq_vector v;
        CHECK_OK(scan_read(&w->block->spans, &w->plain, 0, i, 0, n, &v));
        if (v.n_values == 0 || v.repr != PQ_CODES || v.dict->n <= most) continue;
        most = v.dict->n;
        found = i;
    }
    block_scan_reset(&w->plain);
    CHECK(most > 0);
    return found;
}

// Returns how many entries' rows were known.
static uint32_t check_entries(struct world *w, size_t column) {
    struct in_file *f = &w->block->spans;
    struct pq_vector v;
    struct pq_chunk c;
    struct batch_rows rows;
    struct block_cache_stats s;
    uint32_t known = 0;
    CHECK_OK(scan_chunk(f, &w->cached, 0, column, &c));
    CHECK_OK(cache_read(&w->cached, &c, 0, c.n_rows, &v));
    for (uint32_t code = 0; v.n_values && v.repr == PQ_CODES && code < v.dict->n; code++) {
        if (!cache_rows_with(&w->cached, &c, code, &rows)) continue;
        check_entry(&v, code, &rows);
        known++;
    }
    block_cache_stats(&s);
    CHECK(s.bytes <= s.limit);
    if (test_below(2)) block_scan_reset(&w->cached);
    return known;
}

TEST(cache_says_where_entries_are) {
    static const uint64_t limits[] = { 0, 100 << 10, 400 << 10, 64 << 20 };
    for (size_t i = 0; i < sizeof limits / sizeof *limits; i++) {
        struct world w;
        uint32_t known = 0;
        world_open(&w, limits[i]);
        for (int round = 0; round < 3; round++)
            for (size_t column = 0; column < w.block->spans.pq->n_columns; column++)
                known += check_entries(&w, column);
        if (limits[i] < 400 << 10) CHECK_U64(known, 0);
        if (limits[i] > 400 << 10) CHECK(known > 0);
        world_close(&w);
    }
}

// For where entries are nothing else is dropped, and no more is taken than is free.
TEST(cache_says_where_entries_are_if_there_is_room) {
    struct world w;
    struct block_cache_stats s;
    struct pq_vector v;
    world_open(&w, 4 << 20);
    uint32_t n = w.block->spans.pq->groups[0].n_rows;
    size_t large = most_entries(&w);
    CHECK_OK(scan_read(&w.block->spans, &w.cached, 0, large, 0, n, &v));
    block_cache_stats(&s);
    uint64_t column = s.bytes, more = postings_bytes(&v);
    CHECK(column > 0 && v.repr == PQ_CODES);
    block_cache_limit(column + more - 1);
    for (int i = 0; i < 4; i++) CHECK(!knows_rows(&w, &w.cached, large));
    block_cache_stats(&s);
    CHECK_U64(s.bytes, column);
    block_cache_limit(column + more);
    CHECK(knows_rows(&w, &w.cached, large));
    block_cache_stats(&s);
    CHECK_U64(s.bytes, column + more);
    world_close(&w);
}

// What a scan was given stays until it lets go, though the block and the room are gone.
TEST(cache_keeps_what_is_in_use) {
    struct world w;
    struct pq_vector v, again;
    struct block_cache_stats s;
    world_open(&w, 64 << 20);
    uint32_t n = w.block->spans.pq->groups[0].n_rows;
    CHECK_OK(scan_read(&w.block->spans, &w.cached, 0, SC_START, 0, n, &v));
    CHECK_OK(scan_read(&w.block->spans, &w.plain, 0, SC_START, 0, n, &again));
    block_unref(w.block);
    CHECK(same_bytes(v.i64, again.i64, n * 8ull));
    block_cache_stats(&s);
    CHECK(s.bytes >= n * 8ull);
    block_scan_reset(&w.cached);
    block_cache_stats(&s);
    CHECK_U64(s.bytes, 0);
    w.block = NULL;
    world_close(&w);
}

// So does where its entries are, though their dictionary was the block's.
TEST(cache_keeps_where_entries_are_while_in_use) {
    struct world w;
    struct block_cache_stats s;
    struct batch_rows rows;
    uint32_t known = 0;
    world_open(&w, 64 << 20);
    struct in_file *f = &w.block->spans;
    for (size_t i = 0; i < f->pq->n_columns; i++) {
        struct pq_chunk c;
        struct pq_vector v;
        const struct value *values;
        if (f->pq->columns[i].type != PQ_BYTE_ARRAY) continue;
        CHECK_OK(scan_chunk(f, &w.cached, 0, i, &c));
        CHECK_OK(memo_dict_keep(f, 0, i, VALUE_STRING, &c, &values));
        CHECK_OK(cache_read(&w.cached, &c, 0, c.n_rows, &v));
        for (int k = 0; v.n_values && v.repr == PQ_CODES && k < 3; k++)
            known += cache_rows_with(&w.cached, &c, 0, &rows);
    }
    CHECK(known > 0);
    block_unref(TAKE(w.block));
    block_scan_reset(&w.cached);
    block_cache_stats(&s);
    CHECK_U64(s.bytes, 0);
    world_close(&w);
}

// What pins took over from a scan stays though the scan goes on, the block goes, and room is wanted.
TEST(cache_keeps_what_is_pinned) {
    struct world w;
    struct pq_vector v, again;
    struct block_pins pins = { 0 };
    struct block_cache_stats s;
    world_open(&w, 64 << 20);
    struct in_file *f = &w.block->traces;
    uint32_t n = f->pq->groups[0].n_rows;
    CHECK_OK(scan_read(f, &w.plain, 0, TC_SERVICES, 0, n, &again));
    CHECK_OK(scan_read(f, &w.cached, 0, TC_SERVICES, 0, n, &v));
    CHECK_OK(block_pins_take(&pins, &w.cached));
    block_scan_reset(&w.cached);
    CHECK_OK(scan_read(&w.block->spans, &w.cached, 0, SC_START, 0, 1, &(struct pq_vector){ 0 }));
    mem_fail_at(1, true);
    CHECK(block_pins_take(&pins, &w.cached) == (w.cached.n_pins ? ERR_NOMEM : ERR_OK));
    mem_fail_at(0, false);
    block_scan_reset(&w.cached);
    block_unref(TAKE(w.block));
    for (uint32_t i = 0; i < n; i++) {
        CHECK_STR(v.strs[i], again.strs[i]);
        CHECK(v.strs[i].ptr[v.strs[i].len] == '\0');
    }
    block_cache_stats(&s);
    CHECK(s.bytes > 0);
    block_pins_release(&pins);
    world_close(&w);
}

// A question that has little memory left reads no more than it asks for, and none is missing where there
// is none for a copy.
TEST(cache_does_without_memory) {
    struct world w;
    world_open(&w, 64 << 20);
    for (uint64_t i = 1; i < 40; i++) {
        struct pq_vector v;
        uint32_t n = w.block->spans.pq->groups[0].n_rows;
        mem_fail_at(i, test_below(2));
        enum err e = scan_read(&w.block->spans, &w.cached, 0, test_below(SC_COUNT), 0, n, &v);
        mem_fail_at(0, false);
        CHECK(e == ERR_OK || e == ERR_NOMEM);
        mem_fail_at(1 + i % 3, test_below(2));
        for (int k = 0; k < 3; k++) (void)knows_rows(&w, &w.cached, test_below(SC_COUNT));
        mem_fail_at(0, false);
        block_scan_reset(&w.cached);
        w.cached.arena.failed = false;
    }
    world_close(&w);
}

struct crowded { // others have the rest of the memory
    struct mem_budget budget;
    bool has_much;
};

static bool give_what_is_needed(struct mem_budget *b, uint64_t need) {
    b->reserved = need;
    return true;
}
static bool has_much(struct mem_budget *b, uint64_t need) {
    (void)need;
    return ((struct crowded *)b)->has_much;
}

TEST(cache_reads_no_more_than_is_asked_for_where_others_have_the_memory) {
    struct world w;
    struct crowded c = { .budget = { .reserve = give_what_is_needed, .has = has_much } };
    world_open(&w, 64 << 20);
    for (int much = 0; much < 2; much++) {
        struct block_cache_stats s;
        struct block_scan scan;
        struct pq_vector v;
        uint32_t n = w.block->spans.pq->groups[0].n_rows;
        c.has_much = much;
        CHECK_OK(block_scan_init(&scan, &c.budget));
        scan.uses_cache = true;
        CHECK_OK(scan_read(&w.block->spans, &scan, 0, SC_START, 0, n / 2, &v));
        CHECK_U64(v.n_rows, n / 2);
        block_cache_stats(&s);
        CHECK((s.bytes > 0) == much); // read whole, and kept
        block_scan_fini(&scan);
    }
    world_close(&w);
}

struct many {
    struct world *w;
    struct thread thread;
};

static void read_many(void *ctx) {
    struct many *m = ctx;
    struct in_file *f = &m->w->block->spans;
    struct block_scan s;
    CHECK_OK(block_scan_init(&s, NULL));
    s.uses_cache = true;
    for (uint32_t i = 0; i < 200; i++) {
        struct pq_vector v;
        size_t g = i % f->pq->n_groups, column = (i * 7) % f->pq->n_columns;
        CHECK_OK(scan_read(f, &s, g, column, 0, f->pq->groups[g].n_rows, &v));
        (void)knows_rows(m->w, &s, column);
        if (i % 5 == 0) block_scan_reset(&s);
    }
    block_scan_fini(&s);
}

TEST(cache_is_shared_by_threads) {
    struct world w;
    struct many at[4];
    world_open(&w, 600 << 10);
    for (int i = 0; i < 4; i++) {
        at[i].w = &w;
        CHECK_OK(thread_start(&at[i].thread, "reader", read_many, &at[i]));
    }
    for (int i = 0; i < 4; i++) thread_join(&at[i].thread);
    world_close(&w);
}
