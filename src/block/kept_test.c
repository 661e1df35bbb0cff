// SPDX-License-Identifier: Apache-2.0
// Which keys become columns, from block to block.
#include "block/kept.h"

#include "base/test.h"
#include "block/open.h"
#include "block/sample.h"

struct world {
    struct object_store *store;
    struct block_scan scan;
    struct block *blocks[4]; // the newest first
    uint32_t n;
    // the spans of the next block
    struct span_table table;
    uint32_t resource, scope;
};

static void begin(struct world *w) {
    span_table_init(&w->table, SIZE_MAX, NULL);
    CHECK_OK(span_table_resource(&w->table, STR("\x0a\x00"), STR(""), &w->resource));
    CHECK_OK(span_table_scope(&w->table, STR("\x0a\x00"), &w->scope));
}

// n spans with this attribute.
static void add(struct world *w, const char *key, uint32_t n) {
    struct attr_in in = { .value = { .type = ATTR_STRING, .text = STR("v") } };
    struct buf rest;
    buf_init(&rest, SIZE_MAX);
    for (uint32_t i = 0; i < n; i++) {
        uint8_t id[16] = { 1 };
        CHECK_OK(attrs_key(&w->table.attrs, str_of(key), &in.key));
        struct span_in s = { .trace_id = id,
                             .span_id = w->table.n + 1,
                             .start_ns = SAMPLE_NOW_NS,
                             .end_ns = SAMPLE_NOW_NS,
                             .name = STR("op"),
                             .resource = w->resource,
                             .scope = w->scope,
                             .attrs = &in,
                             .n_attrs = 1 };
        buf_reset(&rest);
        CHECK_OK(span_table_add(&w->table, &s, &rest));
    }
    buf_fini(&rest);
}

// Writes the block; the ones before it are in w.
static void end(struct world *w) {
    struct block_meta meta;
    char id[] = "01HF7YAT00AAAAAAAAAAAAAAA0";
    id[25] = (char)('0' + w->n);
    span_table_publish(&w->table);
    struct block_write_opts o = { .store = w->store,
                                  .tenant = STR("t"),
                                  .id = id,
                                  .table = &w->table,
                                  .n_rows = w->table.n,
                                  .received_ns = sample_received,
                                  .version = STR("0.0.0-test"),
                                  .like = w->blocks,
                                  .n_like = w->n };
    CHECK_OK(block_write(&o, &meta));
    memmove(w->blocks + 1, w->blocks, w->n * sizeof *w->blocks);
    CHECK_OK(block_new(w->store, STR("t"), &meta, &w->blocks[0]));
    w->n++;
    span_table_fini(&w->table);
}

static bool is_column(struct world *w, const char *name) {
    CHECK_OK(block_open(w->blocks[0], &w->scan));
    return pq_reader_column(w->blocks[0]->spans.pq, str_of(name)) != SIZE_MAX;
}

static void world_init(struct world *w) {
    *w = (struct world){ .n = 0 };
    CHECK_OK(object_mem_open(&w->store));
    CHECK_OK(block_scan_init(&w->scan, NULL));
}

static void world_fini(struct world *w) {
    for (uint32_t i = 0; i < w->n; i++) block_unref(w->blocks[i]);
    block_scan_fini(&w->scan);
    w->store->ops->close(w->store);
}

TEST(kept_of_keys_equal_but_for_case_the_column_of_before_stays) {
    struct world w;
    world_init(&w);
    begin(&w);
    add(&w, "userid", 1);
    end(&w);
    for (int i = 0; i < 2; i++) { // alone the first in byte order would be a column, and has more values
        begin(&w);
        add(&w, "userId", 9);
        add(&w, "userid", 1);
        end(&w);
        CHECK(is_column(&w, "span.userid") && !is_column(&w, "span.userId"));
    }
    begin(&w);
    add(&w, "userId", 1); // no twin is in sight
    end(&w);
    CHECK(is_column(&w, "span.userId"));
    world_fini(&w);
}

TEST(kept_newcomers_fill_free_places) {
    struct world w;
    char key[16];
    world_init(&w);
    begin(&w);
    for (int i = 0; i < BLOCK_COLUMNS_MAX; i++) {
        (void)snprintf(key, sizeof key, "k%03d", i);
        add(&w, key, 2);
    }
    add(&w, "late", 1);
    end(&w);
    CHECK(!is_column(&w, "span.late"));
    begin(&w);
    for (int i = 0; i < BLOCK_COLUMNS_MAX; i++) {
        (void)snprintf(key, sizeof key, "k%03d", i);
        add(&w, key, 1);
    }
    add(&w, "late", 5);
    end(&w);
    CHECK(!is_column(&w, "span.late") && is_column(&w, "span.k000"));
    begin(&w);
    for (int i = 1; i < BLOCK_COLUMNS_MAX; i++) {
        (void)snprintf(key, sizeof key, "k%03d", i);
        add(&w, key, 1);
    }
    add(&w, "later", 4);
    add(&w, "late", 5);
    end(&w);
    CHECK(is_column(&w, "span.late") && !is_column(&w, "span.later") && is_column(&w, "span.k001"));
    world_fini(&w);
}

TEST(kept_a_block_that_is_gone_is_passed_over) {
    struct world w;
    world_init(&w);
    begin(&w);
    add(&w, "userid", 1);
    end(&w);
    begin(&w);
    add(&w, "x", 1);
    end(&w);
    block_remove_files(w.store, STR("t"), block_meta(w.blocks[0])->id);
    begin(&w);
    add(&w, "userId", 9);
    add(&w, "userid", 1);
    end(&w);
    CHECK(is_column(&w, "span.userid") && !is_column(&w, "span.userId"));
    world_fini(&w);
}
