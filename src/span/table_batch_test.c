// SPDX-License-Identifier: Apache-2.0
// The index of a table's rows, parents and summaries, against plain loops over a small random table
// with few ids, so that everything comes twice.
#include <pthread.h>

#include "base/test.h"
#include "span/canon.h"
#include "span/services.h"
#include "span/table_batch.h"

enum { ROWS_MAX = 400, TRACES = 5 };

static uint8_t *trace_id(uint32_t i) {
    static uint8_t id[16];
    id[0] = (uint8_t)(i + 1);
    return id;
}

static void add_span(struct span_table *t, uint32_t i) {
    static const char *const names[] = { "get", "put", "", "bad \xff" };
    struct buf rest;
    struct attr_in attr = { .value = { .type = ATTR_INT, .bits = test_below(3) } };
    buf_init(&rest, SIZE_MAX);
    CHECK_OK(attrs_key(&t->attrs, STR("n"), &attr.key));
    struct span_in in = { .trace_id = trace_id((uint32_t)test_below(TRACES)),
                          .span_id = (1 + test_below(20)) << 56,
                          .parent_id = test_below(4) ? (1 + test_below(25)) << 56 : 0,
                          .start_ns = 1000 + i / 10 + test_below(3),
                          .end_ns = 1000 + test_below(50),
                          .name = str_of(names[test_below(4)]),
                          .resource = (uint32_t)test_below(3),
                          .status = (uint8_t)test_below(3),
                          .attrs = &attr,
                          .n_attrs = (uint32_t)test_below(2) };
    CHECK_OK(span_table_add(t, &in, &rest));
    if (test_below(3) == 0) {
        struct span_event_in e = { .time_ns = 1000, .name = str_of(names[test_below(4)]) };
        buf_reset(&rest);
        CHECK_OK(span_table_add_event(t, &e, &rest));
    }
    buf_fini(&rest);
}

static void make_table(struct span_table *t, uint32_t n) {
    static const char *const services[] = { "shop", "cart", "shop" };
    uint32_t id;
    span_table_init(t, SIZE_MAX, NULL);
    for (uint32_t i = 0; i < 3; i++) {
        char bytes[] = { (char)('a' + i), 0 };
        CHECK_OK(span_table_resource(t, str_of(bytes), str_of(services[i]), &id));
    }
    CHECK_OK(span_table_scope(t, STR(""), &id));
    for (uint32_t i = 0; i < n; i++) add_span(t, i);
    span_table_publish(t);
}

static struct str canonical(const struct span_table *t, uint32_t row, struct arena *a) {
    struct buf b;
    buf_init(&b, SIZE_MAX);
    CHECK_OK(canon_span(t, row, a, &b));
    struct str s = str_dup(a, buf_view(&b));
    buf_fini(&b);
    return s;
}

// By start, id, bytes, resource; 0 = equal spans.
static int order_of(const struct span_table *t, uint32_t p, uint32_t q, struct arena *a) {
    uint64_t s = SEG_AT(&t->start_ns, p, uint64_t), u = SEG_AT(&t->start_ns, q, uint64_t);
    if (s != u) return s < u ? -1 : 1;
    int c = memcmp(&SEG_AT(&t->span_id, p, uint64_t), &SEG_AT(&t->span_id, q, uint64_t), 8);
    if (c == 0) c = str_cmp(canonical(t, p, a), canonical(t, q, a));
    uint32_t r = SEG_AT(&t->resource, p, uint32_t), v = SEG_AT(&t->resource, q, uint32_t);
    return c ? c : (r > v) - (r < v);
}

static bool is_live(const struct table_index *x, uint32_t row) {
    return !x->live || x->live[row / 64] >> row % 64 & 1;
}

static void check_index(const struct span_table *t, const struct table_index *x, struct arena *a) {
    uint32_t n = 0, n_live = 0;
    for (uint32_t i = 0; i < x->n_traces; i++) {
        const struct batch_trace *tr = &x->traces[i];
        uint64_t start = UINT64_MAX, end = 0, last = 0;
        CHECK_U64(tr->first, n);
        CHECK(memcmp(tr->id, span_trace_at(t, i)->id, 16) == 0);
        for (uint32_t k = 0; k < tr->n; k++) {
            uint32_t row = x->order[tr->first + k];
            CHECK(SEG_AT(&t->trace, row, uint32_t) == i && is_live(x, row));
            if (k > 0) CHECK(order_of(t, x->order[tr->first + k - 1], row, a) < 0);
            uint64_t s = SEG_AT(&t->start_ns, row, uint64_t), e = s + span_duration_ns(t, row);
            if (s < start) start = s;
            if (s > last) last = s;
            if (e > end) end = e;
        }
        n += tr->n;
        if (tr->n == 0) continue;
        CHECK(tr->start_ns == start && tr->end_ns == end && tr->last_start_ns == last);
    }
    for (uint32_t row = 0; row < x->n_rows; row++) {
        bool twin = false; // of one that counts
        n_live += is_live(x, row);
        for (uint32_t k = 0; k < n && !is_live(x, row) && !twin; k++)
            twin = SEG_AT(&t->trace, row, uint32_t) == SEG_AT(&t->trace, x->order[k], uint32_t) &&
                   order_of(t, row, x->order[k], a) == 0;
        CHECK(is_live(x, row) || twin);
    }
    CHECK_U64(n_live, n);
}

static uint32_t parent_of(const struct span_table *t, const struct table_index *x, uint32_t row) {
    uint64_t id = SEG_AT(&t->parent_id, row, uint64_t);
    const struct batch_trace *tr = &x->traces[SEG_AT(&t->trace, row, uint32_t)];
    uint32_t best = BATCH_ORPHAN;
    if (id == 0) return BATCH_ROOT;
    for (uint32_t k = 0; k < tr->n; k++) {
        uint32_t at = x->order[tr->first + k];
        if (SEG_AT(&t->span_id, at, uint64_t) != id) continue;
        if (best == BATCH_ORPHAN || SEG_AT(&t->end_ns, at, uint64_t) >= SEG_AT(&t->end_ns, best, uint64_t))
            best = at;
    }
    return best == row ? BATCH_ORPHAN : best;
}

static void check_rows(struct batch *b, const struct span_table *t, const struct table_index *x) {
    const uint32_t *parents;
    const uint64_t *ids, *parent_ids, *starts;
    uint32_t from = (uint32_t)test_below(b->n_rows + 1);
    uint32_t n = (uint32_t)test_below(b->n_rows - from + 1);
    CHECK_OK(b->ops->parents(b, from, from + n, &parents));
    CHECK_OK(b->ops->span_ids(b, from, from + n, &ids));
    CHECK_OK(b->ops->parent_ids(b, from, from + n, &parent_ids));
    CHECK_OK(b->ops->starts(b, from, from + n, &starts));
    for (uint32_t i = 0; i < n; i++) {
        CHECK(ids[i] == SEG_AT(&t->span_id, from + i, uint64_t));
        CHECK(parent_ids[i] == SEG_AT(&t->parent_id, from + i, uint64_t));
        CHECK(starts[i] == SEG_AT(&t->start_ns, from + i, uint64_t));
        if (is_live(x, from + i)) CHECK_U64(parents[i], parent_of(t, x, from + i));
    }
}

static void check_summaries(struct batch *b, const struct span_table *t, const struct table_index *x) {
    const struct batch_summary *s;
    CHECK_OK(b->ops->summaries(b, NULL, &s));
    for (uint32_t i = 0; i < x->n_traces; i++) {
        uint32_t spans = 0, errors = 0, root = SPAN_NONE;
        for (uint32_t k = 0; k < x->traces[i].n; k++) {
            uint32_t row = x->order[x->traces[i].first + k];
            spans += str_eq(span_service(t, row), STR("shop"));
            errors += str_eq(span_service(t, row), STR("shop")) && SEG_AT(&t->status, row, uint8_t) == 2;
            if (root == SPAN_NONE && SEG_AT(&t->parent_id, row, uint64_t) == 0) root = row;
        }
        CHECK(s[i].has_root == (root != SPAN_NONE));
        if (s[i].has_root) CHECK_STR(s[i].root_name, span_name(t, root));
        if (s[i].has_root) CHECK_STR(s[i].root_service, span_service(t, root));
        struct services list;
        struct service_count c;
        uint32_t n = 0;
        services_begin(&list, s[i].services);
        for (; services_next(&list, &c); n++) {
            bool is_shop = str_eq(c.name, STR("shop"));
            CHECK(n == 0 || is_shop); // sorted: it is the last
            if (is_shop) CHECK(c.spans == spans && c.errors == errors);
        }
        CHECK_OK(services_end(&list));
        CHECK(n <= 2 && (n > 0) == (x->traces[i].n > 0));
    }
}

TEST(table_batch_orders_rows_and_finds_parents) {
    for (int round = 0; round < 30; round++) {
        struct span_table t;
        struct table_index x;
        struct table_batch b;
        struct arena a;
        uint32_t n = 1 + (uint32_t)test_below(ROWS_MAX), covered = n - (uint32_t)test_below(n);
        arena_init(&a, SIZE_MAX, NULL);
        make_table(&t, n);
        CHECK_OK(table_index_make(&t, covered, &x));
        table_batch_open(&b, &t, &x, &a);
        check_index(&t, &x, &a);
        check_rows(&b.batch, &t, &x);
        check_summaries(&b.batch, &t, &x);
        table_index_fini(&x);
        arena_fini(&a);
        span_table_fini(&t);
    }
}

static enum err visit(struct batch *b) {
    static const enum intrinsic all[] = { INTRINSIC_NAME,        INTRINSIC_STATUS_MESSAGE,
                                          INTRINSIC_TRACE_STATE, INTRINSIC_ROOT_NAME,
                                          INTRINSIC_SPAN_ID,     INTRINSIC_DURATION,
                                          INTRINSIC_NONE };
    const uint32_t *rows;
    uint32_t n;
    TRY(b->ops->parents(b, 0, b->n_rows, &rows));
    TRY(b->ops->owners(b, BATCH_EVENTS, &rows, &n));
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        struct field f = { .scope = FIELD_SPAN, .intrinsic = all[i], .key = STR("n") };
        struct batch_column c;
        struct vec v;
        TRY(b->ops->column(b, BATCH_SPANS, &f, &c));
        for (uint32_t p = 0; p < c.n_parts; p++) TRY(b->ops->load(b, &c.parts[p], 0, b->n_rows, &v));
    }
    struct field f = { .scope = FIELD_EVENT, .intrinsic = INTRINSIC_EVENT_NAME };
    struct batch_column c;
    return b->ops->column(b, BATCH_EVENTS, &f, &c);
}

// --- beside a writer -------------------------------------------------------------------------------

static void *write_spans(void *table) {
    struct span_table *t = table;
    for (uint32_t i = 0; i < 20 * ROWS_MAX; i++) {
        add_span(t, i);
        span_table_publish(t);
    }
    return NULL;
}

TEST(table_batch_reads_while_a_writer_adds) {
    struct span_table t;
    pthread_t writer;
    make_table(&t, ROWS_MAX);
    CHECK(pthread_create(&writer, NULL, write_spans, &t) == 0);
    for (int i = 0; i < 10; i++) {
        struct table_index x;
        struct table_batch b;
        struct arena a;
        uint32_t n = span_table_count(&t);
        arena_init(&a, SIZE_MAX, NULL);
        CHECK_OK(table_index_make(&t, n, &x));
        table_batch_open(&b, &t, &x, &a);
        CHECK_U64(b.batch.n_rows, n);
        CHECK_OK(visit(&b.batch));
        table_index_fini(&x);
        arena_fini(&a);
    }
    CHECK(pthread_join(writer, NULL) == 0);
    span_table_fini(&t);
}

TEST(table_batch_survives_every_failing_allocation) {
    struct span_table t;
    make_table(&t, ROWS_MAX);
    enum err e = ERR_NOMEM;
    for (uint64_t nth = 1; e != ERR_OK; nth++) {
        struct table_index x = { 0 };
        struct table_batch b;
        struct arena a;
        CHECK(nth < 10000);
        arena_init(&a, SIZE_MAX, NULL);
        mem_fail_at(nth, false);
        e = table_index_make(&t, ROWS_MAX, &x);
        if (e == ERR_OK) {
            table_batch_open(&b, &t, &x, &a);
            e = visit(&b.batch);
            table_index_fini(&x);
        }
        mem_fail_at(0, false);
        CHECK(e == ERR_OK || e == ERR_NOMEM);
        arena_fini(&a);
    }
    span_table_fini(&t);
}
