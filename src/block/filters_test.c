// SPDX-License-Identifier: Apache-2.0
// What is said of row groups before they are opened, against what is in them.
#include "base/test.h"
#include "block/batch.h"
#include "block/open.h"
#include "block/oracle_test.h"
#include "block/sample.h"

enum { KEPT_BYTES = 32 << 20 };

struct world {
    struct object_store *store;
    struct block *block;
    struct block_scan asking, reading;
    struct block_batch batch;
};

static void world_init(struct world *w) {
    struct block_meta meta;
    struct span_table t;
    CHECK_OK(object_mem_open(&w->store));
    span_table_init(&t, SIZE_MAX, NULL);
    CHECK_OK(sample_table(&t, test_rand(), 400));
    CHECK_OK(sample_write(w->store, &t, NULL, &meta));
    span_table_fini(&t);
    CHECK_OK(block_new(w->store, STR("t"), &meta, &w->block));
    CHECK_OK(block_scan_init(&w->asking, NULL));
    CHECK_OK(block_scan_init(&w->reading, NULL));
    CHECK_OK(block_open(w->block, &w->reading));
}

static void world_fini(struct world *w) {
    block_scan_fini(&w->asking);
    block_scan_fini(&w->reading);
    block_unref(w->block);
    w->store->ops->close(w->store);
}

static bool may_hold(struct world *w, uint32_t group, const struct field *f, struct str text) {
    bool may;
    CHECK_OK(block_may_hold_text(w->block, &w->asking, group, f, text, &may));
    return may;
}

// Every text of a field may be there. Returns how many there are.
static uint32_t check_field(struct world *w, uint32_t group, const struct asked *q, uint32_t *n_denied) {
    const uint32_t *owners;
    uint32_t n = table_rows(&w->batch.batch, q->table, &owners), texts = 0;
    const struct value *values = column_values(&w->batch.batch, q->table, n, &q->field);
    for (uint32_t i = 0; i < n; i++) {
        if (values[i].type != VALUE_STRING) continue;
        CHECK(may_hold(w, group, &q->field, values[i].s));
        texts++;
    }
    for (uint32_t i = 0; i < 20; i++) {
        char none[32];
        (void)snprintf(none, sizeof none, "nobody %u", i);
        *n_denied += !may_hold(w, group, &q->field, str_of(none));
    }
    return texts;
}

static void check_block(struct world *w, uint32_t least_denied) {
    uint32_t n_texts = 0, n_denied = 0;
    for (uint32_t g = 0; g < block_n_groups(w->block); g++) {
        struct asked *q;
        block_scan_reset(&w->reading);
        CHECK_OK(block_batch_open(&w->batch, w->block, &w->reading, g));
        uint32_t n = fields_of(&w->batch.batch, &q);
        for (uint32_t i = 0; i < n; i++) n_texts += check_field(w, g, &q[i], &n_denied);
    }
    CHECK(n_texts > 1000);
    CHECK(n_denied >= least_denied);
}

TEST(filters_deny_no_text_that_is_there) {
    for (int round = 0; round < 4; round++) {
        struct world w;
        world_init(&w);
        check_block(&w, 100);
        check_block(&w, 100); // from memory
        world_fini(&w);
    }
}

TEST(filters_deny_no_text_when_there_is_no_room_for_them) {
    struct world w;
    filters_limit(1);
    world_init(&w);
    check_block(&w, 0);
    check_block(&w, 0);
    world_fini(&w);
    filters_limit(KEPT_BYTES);
}

// Each allocation fails once; what is asked then is asked again.
TEST(filters_survive_a_lack_of_memory) {
    static const struct field name = { .scope = FIELD_SPAN, .intrinsic = INTRINSIC_NAME };
    bool may;
    for (uint64_t n = 1; n < 200; n++) {
        struct world w;
        world_init(&w);
        (void)mem_fail_seen();
        mem_fail_at(n, false);
        enum err e = block_may_hold_text(w.block, &w.asking, 0, &name, STR("nobody"), &may);
        bool was_last = mem_fail_seen() < n;
        mem_fail_at(0, false);
        CHECK(e == ERR_OK || e == ERR_NOMEM);
        CHECK_OK(block_may_hold_text(w.block, &w.asking, 0, &name, STR("nobody"), &may));
        world_fini(&w);
        if (was_last) return;
    }
    CHECK(!"it ends");
}
