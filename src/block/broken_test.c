// SPDX-License-Identifier: Apache-2.0
// A head whose last request broke off for want of memory: its block holds what was published, and
// nothing of the half row behind it.
#include "base/test.h"
#include "block/block.h"
#include "block/writer.h"

enum { REQUEST_SPANS = 16 };

static uint64_t received(void *ctx, uint32_t row) {
    (void)ctx, (void)row;
    return 1700000000000000000ull;
}

static struct attr_in attribute(struct attr_table *t, const char *name, struct str text) {
    struct attr_in in = { .value = { .type = ATTR_STRING, .text = text } };
    CHECK_OK(attrs_key(t, str_of(name), &in.key));
    return in;
}

// A span with an event and a link that have attributes of their own.
static enum err add(struct span_table *t, uint32_t i) {
    uint8_t id[16] = { 1, (uint8_t)(i / 3), (uint8_t)(i / 3 >> 8) };
    char text[400];
    struct buf rest;
    memset(text, 'a' + (int)(i % 26), sizeof text);
    memcpy(text, &i, sizeof i);
    for (size_t k = 0; k < sizeof i; k++) text[k] = (char)('0' + (text[k] & 15));
    struct str s = { text, 20 + test_below(sizeof text - 20) };
    buf_init(&rest, SIZE_MAX);
    struct attr_in a = attribute(&t->attrs, i % 7 ? "usual" : "now and then", s),
                   b = attribute(&t->events.attrs, "of the event", s),
                   c = attribute(&t->links.attrs, "of the link", s);
    struct span_in span = { .trace_id = id,
                            .span_id = i + 1,
                            .start_ns = received(NULL, 0) + i,
                            .end_ns = received(NULL, 0) + i + 5,
                            .name = s,
                            .attrs = &a,
                            .n_attrs = 1 };
    struct span_event_in event = { .name = s, .attrs = &b, .n_attrs = 1 };
    struct span_link_in link = { .span_id = 1, .trace_state = s, .attrs = &c, .n_attrs = 1 };
    enum err e = span_table_add(t, &span, &rest);
    if (e == ERR_OK) e = span_table_add_event(t, &event, &rest);
    if (e == ERR_OK) e = span_table_add_link(t, &link, &rest);
    buf_fini(&rest);
    return e;
}

static void check_block(struct object_store *store, const struct block_meta *meta, uint32_t n) {
    struct block *b;
    struct block_scan s;
    struct span_table got;
    CHECK_OK(block_new(store, STR("t"), meta, &b));
    CHECK_OK(block_scan_init(&s, NULL));
    CHECK_OK(block_open(b, &s));
    span_table_init(&got, SIZE_MAX, NULL);
    for (uint32_t g = 0; g < block_n_groups(b); g++)
        CHECK_OK(block_load(b, &s, g, 0, block_group_rows(b, g), &got));
    CHECK_U64(got.n, n);
    CHECK_U64(got.events.n, n);
    CHECK_U64(got.links.n, n);
    for (uint32_t row = 0; row < n; row++) CHECK(SEG_AT(&got.span_id, row, uint64_t) <= n);
    span_table_fini(&got);
    block_scan_fini(&s);
    block_unref(b);
}

TEST(a_half_row_is_not_written) {
    struct object_store *store;
    CHECK_OK(object_mem_open(&store));
    for (uint32_t i = 0; i < 60; i++) {
        struct span_table t;
        struct block_meta meta;
        uint32_t n = 0, entity;
        span_table_init(&t, 400000 + 2999 * i, NULL);
        CHECK_OK(span_table_resource(&t, STR(""), STR("s"), &entity));
        CHECK_OK(span_table_scope(&t, STR(""), &entity));
        for (uint32_t row = 0; add(&t, row) == ERR_OK; row++) {
            if (row % REQUEST_SPANS != REQUEST_SPANS - 1) continue;
            span_table_publish(&t);
            n = row + 1;
        }
        CHECK(n > 0);
        struct block_write_opts o = { .store = store,
                                      .tenant = STR("t"),
                                      .id = "01M7XBBBT3YRCTSTTFJZQXNMR0",
                                      .table = &t,
                                      .n_rows = n,
                                      .received_ns = received,
                                      .received = { received(NULL, 0), received(NULL, 0) },
                                      .version = STR("test") };
        CHECK_OK(block_write(&o, &meta));
        CHECK_U64(meta.n_spans, n);
        check_block(store, &meta, n);
        block_remove_files(store, STR("t"), meta.id);
        span_table_fini(&t);
    }
    store->ops->close(store);
}
