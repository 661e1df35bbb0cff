// SPDX-License-Identifier: Apache-2.0
// What the footers say of the keys in rests, against what is in them.
#include "block/restkeys.h"

#include "base/test.h"
#include "block/batch.h"
#include "block/merge.h"
#include "block/restkeys_build.h"
#include "block/open.h"
#include "block/sample.h"
#include "span/wire.h"

struct world {
    struct object_store *store;
    struct block_scan scan;
    struct block *in[3], *merged;
    uint32_t n_in;
};

static struct block *opened(struct world *w, const struct block_meta *meta) {
    struct block *b;
    CHECK_OK(block_new(w->store, STR("t"), meta, &b));
    CHECK_OK(block_open(b, &w->scan));
    return b;
}

static void world_init(struct world *w) {
    *w = (struct world){ .n_in = 0 };
    CHECK_OK(object_mem_open(&w->store));
    CHECK_OK(block_scan_init(&w->scan, NULL));
}

static void world_fini(struct world *w) {
    for (uint32_t i = 0; i < w->n_in; i++) block_unref(w->in[i]);
    block_unref(w->merged);
    block_scan_fini(&w->scan);
    w->store->ops->close(w->store);
}

static void add_sample(struct world *w, uint64_t seed) {
    struct span_table t;
    struct block_meta meta;
    char id[] = "01HF7YAT00AAAAAAAAAAAAAAA0";
    span_table_init(&t, SIZE_MAX, NULL);
    CHECK_OK(sample_table(&t, seed, 150));
    id[25] = (char)('1' + w->n_in);
    struct block_write_opts o = { .store = w->store,
                                  .tenant = STR("t"),
                                  .id = id,
                                  .table = &t,
                                  .n_rows = span_table_count(&t),
                                  .received_ns = sample_received,
                                  .received = { SAMPLE_NOW_NS, SAMPLE_NOW_NS },
                                  .version = STR("0.0.0-test") };
    CHECK_OK(block_write(&o, &meta));
    w->in[w->n_in++] = opened(w, &meta);
    span_table_fini(&t);
}

static uint32_t check_rest(struct block *b, enum block_rows rows, uint32_t group, struct str rest) {
    struct reader r = reader_of(rest);
    uint32_t n = 0;
    for (struct pb_field f; pb_next(&r, &f);) {
        struct str key;
        struct str any;
        if (f.number != REST_ATTRIBUTE && f.number != REST_LARGE) continue;
        if (!attr_kv(f.bytes, &key, &any)) continue; // of both, the key is field 1
        CHECK(block_rest_may_hold(b, rows, group, key));
        n++;
    }
    return n;
}

// Every key of every rest may be there; returns how many were seen.
static uint32_t check_block(struct world *w, struct block *b) {
    struct in_file *files[] = { &b->spans, &b->events, &b->links };
    static const size_t columns[] = { SC_REST, EC_REST, LC_REST };
    uint32_t n = 0, wrong = 0;
    for (int rows = 0; rows < 3; rows++)
        for (uint32_t g = 0; files[rows]->pq && g < files[rows]->pq->n_groups; g++) {
            struct pq_vector v;
            const struct str *rests;
            arena_reset(&w->scan.arena);
            CHECK_OK(
                scan_read(files[rows], &w->scan, g, columns[rows], 0, files[rows]->pq->groups[g].n_rows, &v));
            CHECK_OK(vector_strs(&v, &w->scan.arena, &rests));
            for (uint32_t i = 0; i < v.n_values; i++) n += check_rest(b, (enum block_rows)rows, g, rests[i]);
            for (uint32_t i = 0; i < 100; i++) {
                char none[32];
                (void)snprintf(none, sizeof none, "nobody %u", i);
                wrong += block_rest_may_hold(b, (enum block_rows)rows, g, str_of(none));
            }
        }
    CHECK(wrong < 60);
    return n;
}

TEST(rest_keys_are_told_of_cuts_and_merges) {
    for (int i = 0; i < 3; i++) {
        struct world w;
        struct block_meta meta;
        uint32_t n = 0;
        world_init(&w);
        for (int k = 0; k < 3; k++) add_sample(&w, test_rand());
        for (int k = 0; k < 3; k++) n += check_block(&w, w.in[k]);
        CHECK(n > 50);
        struct block_merge_opts o = { .store = w.store,
                                      .tenant = STR("t"),
                                      .id = SAMPLE_ID,
                                      .version = STR("0.0.0-test"),
                                      .inputs = w.in,
                                      .n_inputs = 3 };
        CHECK_OK(block_merge(&o, &meta));
        w.merged = opened(&w, &meta);
        CHECK(check_block(&w, w.merged) > 50);
        block_unref(w.in[0]); // what was written anew is copied now
        w.in[0] = TAKE(w.merged);
        o.id = "01HF7YAT00CCCCCCCCCCCCCCCC";
        o.n_inputs = 1;
        CHECK_OK(block_merge(&o, &meta));
        w.merged = opened(&w, &meta);
        CHECK_U64(check_block(&w, w.merged), check_block(&w, w.in[0]));
        CHECK(block_rest_may_hold(w.merged, BLOCK_ROWS_SPANS, 0, STR("twin")));
        world_fini(&w);
    }
}

// Bytes that asking for an attribute reads.
static uint64_t bytes_for(struct world *w, struct block *b, const struct field *f) {
    struct block_batch batch;
    struct batch_column c;
    uint64_t before = w->scan.bytes_read;
    arena_reset(&w->scan.arena);
    CHECK_OK(block_batch_open_columns(&batch, b, &w->scan, 0));
    CHECK_OK(batch.batch.ops->column(&batch.batch, BATCH_SPANS, f, &c));
    return w->scan.bytes_read - before;
}

TEST(rest_keys_spare_the_reading_of_rests) {
    struct world w;
    uint32_t read = 0;
    world_init(&w);
    add_sample(&w, test_rand());
    struct field twin = { .scope = FIELD_SPAN, .key = STR("twin") };
    CHECK(bytes_for(&w, w.in[0], &twin) > 0);
    for (uint32_t i = 0; i < 100; i++) {
        char key[32];
        (void)snprintf(key, sizeof key, "nobody %u", i);
        struct field f = { .scope = FIELD_SPAN, .key = str_of(key) };
        bool may = block_rest_may_hold(w.in[0], BLOCK_ROWS_SPANS, 0, f.key);
        uint64_t bytes = bytes_for(&w, w.in[0], &f);
        CHECK(may == (bytes > 0));
        read += may;
    }
    CHECK(read < 20);
    world_fini(&w);
}

static enum err write_none(void *ctx, const void *p, size_t n) {
    (void)ctx, (void)p, (void)n;
    return ERR_OK;
}

TEST(rest_keys_beyond_the_limit_say_nothing) {
    static const struct {
        uint32_t n;
        bool too_many;
    } cases[] = { { 0, false }, { 1, false }, { REST_KEYS_MAX, false }, { REST_KEYS_MAX + 1, true } };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct pq_column c = { STR("x"), PQ_INT32, 0, PQ_PLAIN_TYPE, false };
        struct pq_writer_opts o = { .sink = { write_none, NULL }, .columns = &c, .n_columns = 1 };
        struct pq_writer *w;
        struct rest_keys k;
        struct arena a;
        char key[16];
        arena_init(&a, SIZE_MAX, NULL);
        rest_keys_init(&k, &a);
        for (uint32_t n = 0; n < cases[i].n; n++) {
            (void)snprintf(key, sizeof key, "%u", n);
            for (int twice = 0; twice < 2; twice++) rest_keys_add(&k, str_of(key));
        }
        CHECK(k.too_many == cases[i].too_many);
        CHECK_OK(pq_writer_new(&o, &w));
        CHECK_OK(rest_keys_write(&k, w, 0));
        pq_writer_free(w);
        arena_fini(&a);
    }
}

TEST(rest_keys_of_pairs_without_a_key_or_with_several) {
    struct rest_keys k;
    struct arena a;
    arena_init(&a, SIZE_MAX, NULL);
    rest_keys_init(&k, &a);
    rest_keys_of(&k, STR("\x0a\x00")); // an attribute without anything
    rest_keys_of(&k, STR("\x0a\x06\x0a\x01"
                         "a\x0a\x01"
                         "b"));            // two keys
    rest_keys_of(&k, STR("\x12\x01\xff")); // a name
    CHECK_U64(k.n, 3);
    CHECK(!k.too_many);
    rest_keys_of(&k, STR("\x0a\x06\x0a"));
    CHECK(k.too_many); // damage: nothing is said
    arena_fini(&a);
}
