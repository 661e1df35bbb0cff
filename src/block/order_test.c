// SPDX-License-Identifier: Apache-2.0
// Which spans are one, and the order of all, whatever the order of their coming.
#include "base/test.h"
#include "block/order.h"

#define NOW_NS 1700000000000000000ull

static uint64_t received(void *ctx, uint32_t row) {
    (void)ctx, (void)row;
    return NOW_NS;
}

struct fixture {
    struct span_table t;
    struct arena a;
    struct order order;
};

static void begin(struct fixture *f) {
    uint32_t entity;
    span_table_init(&f->t, SIZE_MAX, NULL);
    arena_init(&f->a, SIZE_MAX, NULL);
    for (uint32_t i = 0; i < 2; i++) {
        char name[] = { (char)('a' + i), 0 };
        CHECK_OK(span_table_resource(&f->t, str_of(name), STR(""), &entity));
        CHECK_OK(span_table_scope(&f->t, str_of(name), &entity));
    }
}

static void end(struct fixture *f) {
    span_table_fini(&f->t);
    arena_fini(&f->a);
}

static void add(struct fixture *f, uint8_t trace, uint64_t id, uint64_t start_ns, uint32_t resource,
                uint32_t scope) {
    uint8_t trace_id[16] = { trace };
    struct buf rest;
    buf_init(&rest, 100);
    struct span_in s = { .trace_id = trace_id,
                         .span_id = id,
                         .start_ns = start_ns,
                         .end_ns = start_ns + 1,
                         .resource = resource,
                         .scope = scope };
    CHECK_OK(span_table_add(&f->t, &s, &rest));
    buf_fini(&rest);
}

static void make(struct fixture *f) {
    span_table_publish(&f->t);
    CHECK_OK(order_make(&f->t, f->t.n, received, NULL, &f->a, &f->order));
}

TEST(order_keeps_equal_spans_once) {
    struct fixture f;
    begin(&f);
    for (int i = 0; i < 3; i++) add(&f, 1, 7, NOW_NS, 0, 0);
    add(&f, 1, 8, NOW_NS, 0, 0);
    add(&f, 1, 7, NOW_NS + 1, 0, 0);
    add(&f, 2, 7, NOW_NS, 0, 0);
    make(&f);
    CHECK_U64(f.order.n_rows, 4);
    CHECK_U64(f.order.n_equal, 2);
    CHECK_U64(f.order.n_runs, 2);
    end(&f);
}

TEST(order_tells_resources_and_scopes_apart) {
    struct fixture f;
    begin(&f);
    for (uint32_t i = 0; i < 8; i++) add(&f, 1, 7, NOW_NS, i & 1, i >> 1 & 1);
    make(&f);
    CHECK_U64(f.order.n_rows, 4);
    CHECK_U64(f.order.n_equal, 4);
    end(&f);
}

// By the start of the trace, then its id; inside by start, then span id; far ones at the end.
TEST(order_is_by_trace_then_by_time) {
    struct fixture f;
    begin(&f);
    add(&f, 9, 3, NOW_NS, 0, 0);
    add(&f, 3, 1, NOW_NS - 5, 0, 0);
    add(&f, 2, 6, NOW_NS - OUTLIER_BEHIND_NS - 1, 0, 0);
    add(&f, 9, 4, NOW_NS - 9, 0, 0);
    add(&f, 1, 5, NOW_NS - 5, 0, 0);
    add(&f, 9, 2, NOW_NS, 0, 0);
    make(&f);
    const uint64_t want[] = { 4, 2, 3, 5, 1, 6 };
    CHECK_U64(f.order.n_rows, 6);
    for (uint32_t i = 0; i < 6; i++) CHECK_U64(SEG_AT(&f.t.span_id, f.order.rows[i], uint64_t), want[i]);
    CHECK_U64(f.order.n_groups, 2);
    CHECK(!f.order.groups[0].is_outlier && f.order.groups[1].is_outlier);
    end(&f);
}
