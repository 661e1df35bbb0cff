// SPDX-License-Identifier: Apache-2.0
// Random spans as a table's batch, held against the canonical message of each span; and the row groups
// of their block as batches, held against the batch of a table into which they were loaded.
#include <pthread.h>

#include "block/batch.h"
#include "block/merge.h"
#include "block/oracle_test.h"
#include "block/sample.h"
#include "otlp/check.h"
#include "otlp/decode.h"
#include "otlp/random.h"
#include "span/table_batch.h"

static void random_table(struct span_table *t, int n_requests) {
    struct random_otlp g;
    struct otlp_decoder *d;
    struct arena a;
    arena_init(&a, SIZE_MAX, NULL);
    random_init(&g, (struct random_opts){
                        .rand = test_rand, .duplicate_percent = 10, .wild = true, .bad_utf8 = true });
    CHECK_OK(otlp_decoder_new(t, &d));
    for (int i = 0; i < n_requests; i++) {
        struct buf body;
        struct otlp_check c;
        struct err_ctx ctx = { 0 };
        uint32_t added;
        buf_init(&body, SIZE_MAX);
        random_request(&g, &body);
        CHECK_OK(otlp_check(buf_view(&body), &a, &c, &ctx));
        CHECK_OK(otlp_decode(d, buf_view(&body), c.refused, c.n_refused, &added));
        buf_fini(&body);
    }
    span_table_publish(t);
    otlp_decoder_free(d);
    random_fini(&g);
    arena_fini(&a);
}

static void check_field(struct batch *b, const struct oracle *o, const struct asked *q) {
    const uint32_t *owners;
    uint32_t n = table_rows(b, q->table, &owners), nth = 0;
    const struct value *got = column_values(b, q->table, n, &q->field);
    for (uint32_t i = 0; i < n; i++) {
        bool known;
        nth = owners && i > 0 && owners[i] == owners[i - 1] ? nth + 1 : 0;
        struct value want = oracle_value(o, q->table, owners ? owners[i] : i, nth, &q->field, &known);
        if (known) CHECK(values_same(&got[i], &want));
    }
}

static void check_table(const struct span_table *t) {
    struct arena a, scratch;
    struct table_index x;
    struct table_batch tb;
    struct asked *q;
    arena_init(&a, SIZE_MAX, NULL);
    arena_init(&scratch, SIZE_MAX, NULL);
    CHECK_OK(table_index_make(t, span_table_count(t), &x));
    table_batch_open(&tb, t, &x, &a);
    struct oracle o = { t, &scratch };
    uint32_t n = fields_of(&tb.batch, &q);
    CHECK(n > 30);
    for (uint32_t i = 0; i < n; i++) {
        check_field(&tb.batch, &o, &q[i]);
        arena_reset(&scratch);
    }
    table_index_fini(&x);
    arena_fini(&a);
    arena_fini(&scratch);
}

TEST(batch_of_a_table_says_what_the_spans_say) {
    for (int round = 0; round < 6; round++) {
        struct span_table t;
        span_table_init(&t, SIZE_MAX, NULL);
        if (round % 2)
            CHECK_OK(sample_table(&t, test_rand(), 150));
        else
            random_table(&t, 8);
        check_table(&t);
        span_table_fini(&t);
    }
}

// --- blocks ----------------------------------------------------------------------------------------

// A row group, and the same rows in a table.
struct pair {
    struct object_store *store;
    struct block *block;
    struct block_scan scan;
    struct block_batch bb;
    struct span_table t;
    struct table_index x;
    struct table_batch tb;
    struct arena a;
};

static void pair_open(struct pair *p, const struct span_table *t) {
    struct block_meta meta;
    CHECK_OK(object_mem_open(&p->store));
    CHECK_OK(sample_write(p->store, t, NULL, &meta));
    CHECK_OK(block_new(p->store, STR("t"), &meta, &p->block));
    CHECK_OK(block_scan_init(&p->scan, NULL));
    p->scan.uses_cache = true;
    CHECK_OK(block_open(p->block, &p->scan));
}

// Another block of the same store.
static struct block *block_of(struct pair *p, const struct span_table *t, const char *id) {
    struct block_meta meta;
    struct block *b;
    struct block_write_opts o = { .store = p->store,
                                  .tenant = STR("t"),
                                  .id = id,
                                  .table = t,
                                  .n_rows = span_table_count(t),
                                  .received_ns = sample_received,
                                  .version = STR("0.0.0-test") };
    CHECK_OK(block_write(&o, &meta));
    CHECK_OK(block_new(p->store, STR("t"), &meta, &b));
    return b;
}

// In place of the block: what it becomes when it is merged with another (NULL: alone).
static void pair_merge(struct pair *p, struct block *other) {
    struct block *inputs[] = { p->block, other }, *merged;
    struct block_meta meta;
    struct block_merge_opts o = { .store = p->store,
                                  .tenant = STR("t"),
                                  .id = "01HF7YAT00CCCCCCCCCCCCCCCC",
                                  .version = STR("0.0.0-test"),
                                  .inputs = inputs,
                                  .n_inputs = other ? 2 : 1 };
    CHECK_OK(block_merge(&o, &meta));
    CHECK_OK(block_new(p->store, STR("t"), &meta, &merged));
    block_unref(p->block);
    p->block = merged;
    CHECK_OK(block_open(p->block, &p->scan));
}

static void pair_close(struct pair *p) {
    block_unref(p->block);
    block_scan_fini(&p->scan);
    p->store->ops->close(p->store);
}

static void group_open(struct pair *p, uint32_t group) {
    uint32_t n = block_group_rows(p->block, group);
    span_table_init(&p->t, SIZE_MAX, NULL);
    arena_init(&p->a, SIZE_MAX, NULL);
    CHECK_OK(block_load(p->block, &p->scan, group, 0, n, &p->t));
    span_table_publish(&p->t);
    CHECK_OK(table_index_make(&p->t, n, &p->x));
    table_batch_open(&p->tb, &p->t, &p->x, &p->a);
    block_scan_reset(&p->scan);
    CHECK_OK(block_batch_open(&p->bb, p->block, &p->scan, group));
}

static void group_close(struct pair *p) {
    table_index_fini(&p->x);
    span_table_fini(&p->t);
    arena_fini(&p->a);
}

static void check_traces(struct pair *p) {
    const struct batch *a = &p->bb.batch, *b = &p->tb.batch;
    CHECK_U64(a->n_rows, b->n_rows);
    CHECK_U64(a->n_traces, b->n_traces);
    CHECK(!a->order && !a->live && !b->live); // equal spans are gone
    for (uint32_t i = 0; i < a->n_traces; i++) {
        const struct batch_trace *x = &a->traces[i], *y = &b->traces[i];
        CHECK(memcmp(x->id, y->id, 16) == 0 && x->first == y->first && x->n == y->n);
        CHECK(x->start_ns == y->start_ns && x->end_ns == y->end_ns && x->last_start_ns == y->last_start_ns);
        for (uint32_t k = 0; k < x->n; k++) CHECK_U64(batch_row(b, y, k), batch_row(a, x, k));
    }
}

static void check_summary(const struct batch_summary *x, const struct batch_summary *y) {
    CHECK(x->has_root == y->has_root);
    CHECK_STR(x->root_name, y->root_name);
    CHECK_STR(x->root_service, y->root_service);
    CHECK_STR(x->services, y->services);
}

// Of all traces, of some, and of none.
static void check_summaries(struct pair *p) {
    const struct batch_summary *x, *y;
    struct batch *a = &p->bb.batch, *b = &p->tb.batch;
    uint64_t *some = arena_zalloc(a->arena, a->n_traces / 8 + 16);
    CHECK_OK(a->ops->summaries(a, some, &x));
    for (uint32_t i = 0; i < a->n_traces; i++) some[i / 64] |= (uint64_t)(test_below(3) == 0) << (i % 64);
    CHECK_OK(b->ops->summaries(b, NULL, &y));
    CHECK_OK(a->ops->summaries(a, some, &x));
    for (uint32_t i = 0; i < a->n_traces; i++)
        if (some[i / 64] >> (i % 64) & 1) check_summary(x++, &y[i]);
    CHECK_OK(a->ops->summaries(a, NULL, &x));
    for (uint32_t i = 0; i < a->n_traces; i++) check_summary(&x[i], &y[i]);
}

static void check_rows(struct batch *a, struct batch *b) {
    const uint32_t *parents[2];
    const uint64_t *ids[2], *parent_ids[2], *starts[2];
    struct batch *both[] = { a, b };
    uint32_t from = (uint32_t)test_below(a->n_rows + 1), n = (uint32_t)test_below(a->n_rows - from + 1);
    for (int i = 0; i < 2; i++) {
        CHECK_OK(both[i]->ops->parents(both[i], from, from + n, &parents[i]));
        CHECK_OK(both[i]->ops->span_ids(both[i], from, from + n, &ids[i]));
        CHECK_OK(both[i]->ops->parent_ids(both[i], from, from + n, &parent_ids[i]));
        CHECK_OK(both[i]->ops->starts(both[i], from, from + n, &starts[i]));
    }
    for (uint32_t i = 0; i < n; i++) {
        CHECK_U64(parents[0][i], parents[1][i]);
        CHECK(ids[0][i] == ids[1][i] && parent_ids[0][i] == parent_ids[1][i] && starts[0][i] == starts[1][i]);
    }
}

static void check_numbers(struct batch *a, struct batch *b) {
    struct batch *both[] = { a, b };
    uint32_t *rows = ARENA_ARRAY(a->arena, a->n_rows + 1ull, uint32_t), n = 0;
    uint64_t *out[2], one_of = 1 + test_below(20);
    for (uint32_t i = 0; i < a->n_rows; i++)
        if (test_below(one_of) == 0) rows[n++] = i;
    for (int what = BATCH_SPAN_ID; what <= BATCH_DURATION; what++) {
        for (int i = 0; i < 2; i++) {
            out[i] = ARENA_ARRAY(both[i]->arena, n + 1ull, uint64_t);
            CHECK_OK(both[i]->ops->numbers(both[i], (enum batch_number)what, rows, n, out[i]));
        }
        for (uint32_t i = 0; i < n; i++) CHECK_U64(out[0][i], out[1][i]);
    }
}

static void check_start_bounds(struct batch *b) {
    const struct batch_bounds *s;
    const uint64_t *starts;
    uint32_t n, at = 0;
    CHECK_OK(b->ops->start_bounds(b, &s, &n));
    CHECK_OK(b->ops->starts(b, 0, b->n_rows, &starts));
    CHECK(n > 0);
    for (uint32_t i = 0; i < n; i++) {
        CHECK(s[i].first == at && s[i].n > 0 && s[i].has_min_max && !s[i].none);
        for (; at < s[i].first + s[i].n; at++)
            CHECK((int64_t)starts[at] >= s[i].min && (int64_t)starts[at] <= s[i].max);
    }
    CHECK_U64(at, b->n_rows);
}

static void check_same_column(struct pair *p, const struct asked *q) {
    const uint32_t *owners, *want_owners;
    uint32_t n = table_rows(&p->bb.batch, q->table, &owners);
    CHECK_U64(table_rows(&p->tb.batch, q->table, &want_owners), n);
    for (uint32_t i = 0; owners && i < n; i++) CHECK_U64(owners[i], want_owners[i]);
    const struct value *got = column_values(&p->bb.batch, q->table, n, &q->field);
    const struct value *want = column_values(&p->tb.batch, q->table, n, &q->field);
    for (uint32_t i = 0; i < n; i++) CHECK(values_same(&got[i], &want[i]));
}

static bool nothing_is_kept;

static void check_group(struct pair *p, uint32_t group) {
    struct asked *q, *more;
    group_open(p, group);
    check_traces(p);
    check_summaries(p);
    check_numbers(&p->bb.batch, &p->tb.batch);
    for (int i = 0; i < 4; i++) check_rows(&p->bb.batch, &p->tb.batch);
    check_start_bounds(&p->bb.batch);
    uint32_t n = fields_of(&p->bb.batch, &q);
    CHECK_U64(fields_of(&p->tb.batch, &more), n);
    for (uint32_t i = 0; i < n; i++) check_same_column(p, &q[i]);
    for (uint32_t i = 0; i < n; i++) check_same_column(p, &more[i]);
    CHECK(p->bb.batch.bytes_read > 0);
    group_close(p);
    // Once more, from what was kept of it.
    group_open(p, group);
    CHECK((p->bb.batch.bytes_read == 0) == !nothing_is_kept);
    check_traces(p);
    n = fields_of(&p->bb.batch, &q);
    for (uint32_t i = 0; i < n; i++) check_same_column(p, &q[i]);
    group_close(p);
}

static void check_block(const struct span_table *t) {
    struct pair p;
    pair_open(&p, t);
    for (uint32_t g = 0; g < block_n_groups(p.block); g++) check_group(&p, g);
    pair_close(&p);
}

TEST(batch_of_a_row_group_is_the_same_where_nothing_is_kept) {
    struct span_table t;
    block_memo_limit(0);
    nothing_is_kept = true;
    span_table_init(&t, SIZE_MAX, NULL);
    CHECK_OK(sample_table(&t, test_rand(), 150));
    span_table_publish(&t);
    check_block(&t);
    span_table_fini(&t);
    block_memo_limit(UINT64_MAX);
    nothing_is_kept = false;
}

TEST(batch_of_a_row_group_says_what_its_spans_say) {
    static const uint64_t cached[] = { 0, 20 << 10, 64 << 20 };
    for (int round = 0; round < 6; round++) {
        struct span_table t;
        block_cache_limit(cached[round % 3]);
        span_table_init(&t, SIZE_MAX, NULL);
        if (round % 2)
            CHECK_OK(sample_table(&t, test_rand(), round == 1 ? 9000 : 150));
        else
            random_table(&t, 8);
        check_block(&t);
        span_table_fini(&t);
    }
}

TEST(batch_of_a_merged_row_group_says_what_its_spans_say) {
    struct span_table a, b;
    struct pair p;
    span_table_init(&a, SIZE_MAX, NULL);
    span_table_init(&b, SIZE_MAX, NULL);
    CHECK_OK(sample_table(&a, test_rand(), 100));
    random_table(&b, 4);
    pair_open(&p, &a);
    struct block *other = block_of(&p, &b, "01HF7YAT00BBBBBBBBBBBBBBBB");
    pair_merge(&p, other);
    for (uint32_t g = 0; g < block_n_groups(p.block); g++) check_group(&p, g);
    block_unref(other);
    pair_close(&p);
    span_table_fini(&a);
    span_table_fini(&b);
}

static void *read_block(void *block) {
    struct block_scan s;
    CHECK_OK(block_scan_init(&s, NULL));
    for (uint32_t g = 0; g < block_n_groups(block); g++) {
        struct block_batch bb;
        struct asked *q;
        arena_reset(&s.arena);
        CHECK_OK(block_batch_open(&bb, block, &s, g));
        uint32_t n = fields_of(&bb.batch, &q);
        for (uint32_t i = 0; i < n; i++) {
            struct batch_column c;
            struct vec v;
            CHECK_OK(bb.batch.ops->column(&bb.batch, q[i].table, &q[i].field, &c));
            for (uint32_t p = 0; p < c.n_parts && q[i].table == BATCH_SPANS; p++)
                CHECK_OK(bb.batch.ops->load(&bb.batch, &c.parts[p], 0, bb.batch.n_rows, &v));
        }
    }
    block_scan_fini(&s);
    return NULL;
}

TEST(batch_of_one_block_serves_many_threads) {
    enum { THREADS = 4 };
    pthread_t threads[THREADS];
    struct span_table t;
    struct pair p;
    span_table_init(&t, SIZE_MAX, NULL);
    random_table(&t, 4);
    pair_open(&p, &t);
    for (int i = 0; i < THREADS; i++) CHECK(pthread_create(&threads[i], NULL, read_block, p.block) == 0);
    for (int i = 0; i < THREADS; i++) CHECK(pthread_join(threads[i], NULL) == 0);
    pair_close(&p);
    span_table_fini(&t);
}

// --- what surely does not occur ----------------------------------------------------------------------

enum { UNIQUE = 5000 };

static struct str unique_text(char text[17], uint32_t i) {
    uint64_t h = hash_u64(i);
    hex_encode(&h, sizeof h, text);
    return (struct str){ text, 16 };
}

static void add_unique(struct span_table *t, uint32_t i) {
    char text[17];
    struct buf rest;
    struct attr_in in[2] = { { .value = { .type = ATTR_STRING, .text = unique_text(text, i) } },
                             { .value = { .type = ATTR_INT, .bits = i * 1000003ull % 70001 } } };
    struct span_in span = {
        .span_id = i + 1, .start_ns = SAMPLE_NOW_NS, .end_ns = SAMPLE_NOW_NS, .attrs = in
    };
    uint8_t id[16] = { 1 };
    span.trace_id = id;
    span.n_attrs = 2;
    buf_init(&rest, SIZE_MAX);
    CHECK_OK(attrs_key(&t->attrs, STR("id"), &in[0].key));
    CHECK_OK(attrs_key(&t->attrs, STR("n"), &in[1].key));
    CHECK_OK(span_table_add(t, &span, &rest));
    buf_fini(&rest);
}

static void one_part(struct batch *b, struct str key, struct batch_part *out) {
    struct batch_column c;
    CHECK_OK(b->ops->column(b, BATCH_SPANS, &(struct field){ .scope = FIELD_SPAN, .key = key }, &c));
    CHECK_U64(c.n_parts, 1);
    *out = c.parts[0];
    CHECK(!out->dict);
}

static void check_absent(struct block *k, struct block_scan *s) {
    struct block_batch bb;
    struct batch *b = &bb.batch;
    struct batch_part texts, ints;
    uint32_t n_may = 0;
    char text[17];
    bool may;
    arena_reset(&s->arena);
    CHECK_OK(block_batch_open(&bb, k, s, 0));
    one_part(b, STR("id"), &texts);
    one_part(b, STR("n"), &ints);
    for (uint32_t i = 0; i < 2 * UNIQUE; i++) {
        CHECK_OK(b->ops->may_hold(b, &texts, &VALUE_OF_STR(unique_text(text, i)), &may));
        if (i < UNIQUE) CHECK(may);
        n_may += i >= UNIQUE && may;
    }
    CHECK(n_may < UNIQUE / 20);
    CHECK_OK(b->ops->may_hold(b, &ints, &VALUE_OF_INT(70001), &may));
    CHECK(!may);
    CHECK_OK(b->ops->may_hold(b, &ints, &VALUE_OF_INT(1000003 % 70001), &may));
    CHECK(may && ints.n_bounds > 1);
}

TEST(batch_knows_what_surely_does_not_occur) {
    struct span_table t;
    struct pair p;
    uint32_t id;
    span_table_init(&t, SIZE_MAX, NULL);
    CHECK_OK(span_table_resource(&t, STR(""), STR(""), &id));
    CHECK_OK(span_table_scope(&t, STR(""), &id));
    for (uint32_t i = 0; i < UNIQUE; i++) add_unique(&t, i);
    span_table_publish(&t);
    pair_open(&p, &t);
    check_absent(p.block, &p.scan);
    pair_merge(&p, NULL); // which copies what is known
    check_absent(p.block, &p.scan);
    pair_close(&p);
    span_table_fini(&t);
}
