// SPDX-License-Identifier: Apache-2.0
// Merges of blocks: what is copied, what is written anew, and that nothing is lost by either.
#include "block/merge.h"

#include <stdlib.h>

#include "base/test.h"
#include "block/merge_plan.h"
#include "block/sample.h"
#include "span/canon.h"

enum { INPUTS_MAX = 6 };

struct world {
    struct object_store *store;
    struct block *in[INPUTS_MAX], *out;
    uint32_t n_in, n_written;
    struct block_meta meta; // of the output
    struct block_scan scan;
    struct span_table sent; // all spans of all inputs
    struct err_ctx why;     // of the last merge
};

static void world_init(struct world *w) {
    *w = (struct world){ .n_in = 0 };
    CHECK_OK(object_mem_open(&w->store));
    CHECK_OK(block_scan_init(&w->scan, NULL));
    span_table_init(&w->sent, SIZE_MAX, NULL);
}

static void world_fini(struct world *w) {
    for (uint32_t i = 0; i < w->n_in; i++) block_unref(w->in[i]);
    block_unref(w->out);
    block_scan_fini(&w->scan);
    span_table_fini(&w->sent);
    w->store->ops->close(w->store);
}

static const char *next_id(struct world *w) {
    static char id[ULID_LEN + 1];
    (void)snprintf(id, sizeof id, "01HF7YAT00AAAAAAAAAAAAAA%02u", w->n_written++);
    return id;
}

static struct block *opened(struct world *w, const struct block_meta *meta) {
    struct block *b;
    CHECK_OK(block_new(w->store, STR("t"), meta, &b));
    CHECK_OK(block_open(b, &w->scan));
    return b;
}

static void load_all(struct world *w, struct block *b, struct span_table *dst) {
    for (uint32_t g = 0; g < block_n_groups(b); g++)
        CHECK_OK(block_load(b, &w->scan, g, 0, block_group_rows(b, g), dst));
    span_table_publish(dst);
}

// Writes the table as the next input.
static void add_input(struct world *w, const struct span_table *t) {
    struct block_meta meta;
    struct block_write_opts o = { .store = w->store,
                                  .tenant = STR("t"),
                                  .id = next_id(w),
                                  .table = t,
                                  .n_rows = span_table_count(t),
                                  .received_ns = sample_received,
                                  .received = { SAMPLE_NOW_NS, SAMPLE_NOW_NS },
                                  .version = STR("0.0.0-test") };
    CHECK_OK(block_write(&o, &meta));
    w->in[w->n_in] = opened(w, &meta);
    load_all(w, w->in[w->n_in++], &w->sent);
}

static enum err merge(struct world *w, uint32_t n_others, uint64_t encode_bytes) {
    struct block_merge_opts o = { .store = w->store,
                                  .tenant = STR("t"),
                                  .id = next_id(w),
                                  .version = STR("0.0.0-test"),
                                  .encode_bytes = encode_bytes,
                                  .inputs = w->in,
                                  .n_inputs = w->n_in - n_others,
                                  .others = w->in + (w->n_in - n_others),
                                  .n_others = n_others,
                                  .why = &w->why };
    w->why = (struct err_ctx){ 0 };
    block_unref(TAKE(w->out));
    TRY(block_merge(&o, &w->meta));
    w->out = opened(w, &w->meta);
    return ERR_OK;
}

static struct str marks_of(const struct world *w) {
    static char marks[64];
    uint32_t n = block_n_groups(w->out);
    CHECK(n < sizeof marks);
    for (uint32_t g = 0; g < n; g++) marks[g] = mark_letter(block_group_mark(w->out, g));
    return (struct str){ marks, n };
}

static uint32_t n_split(struct world *w) {
    const uint8_t *ids;
    uint32_t n;
    CHECK_OK(block_split(w->out, &w->scan, &ids, &n));
    return n;
}

static int by_bytes(const void *a, const void *b) {
    return str_cmp(*(const struct str *)a, *(const struct str *)b);
}

// Every span with what it belongs to, as bytes, sorted, each once.
static struct str *spans_of(const struct span_table *t, struct arena *a, uint32_t *out_n) {
    uint32_t n = span_table_count(t), kept = 0;
    struct str *s = ARENA_ARRAY(a, n + 1ull, struct str);
    CHECK(s);
    for (uint32_t i = 0; i < n; i++) {
        struct buf b;
        buf_init(&b, SIZE_MAX);
        CHECK_OK(canon_span(t, i, a, &b));
        buf_str(&b, span_resource_at(t, SEG_AT(&t->resource, i, uint32_t))->bytes);
        buf_str(&b, span_scope_at(t, SEG_AT(&t->scope, i, uint32_t))->bytes);
        s[i] = str_dup(a, buf_view(&b));
        buf_fini(&b);
    }
    if (n > 1) qsort(s, n, sizeof *s, by_bytes);
    for (uint32_t i = 0; i < n; i++)
        if (kept == 0 || !str_eq(s[kept - 1], s[i])) s[kept++] = s[i];
    *out_n = kept;
    return s;
}

static void check_same_spans(struct world *w) {
    struct span_table got;
    struct arena a;
    uint32_t n, m;
    span_table_init(&got, SIZE_MAX, NULL);
    arena_init(&a, SIZE_MAX, NULL);
    load_all(w, w->out, &got);
    CHECK_U64(w->meta.n_spans, got.n);
    struct str *x = spans_of(&w->sent, &a, &n), *y = spans_of(&got, &a, &m);
    CHECK_U64(m, n);
    for (uint32_t i = 0; i < n; i++) CHECK(str_eq(x[i], y[i]));
    arena_fini(&a);
    span_table_fini(&got);
}

static void add_sample(struct world *w, uint64_t seed, uint32_t n_spans) {
    struct span_table t;
    span_table_init(&t, SIZE_MAX, NULL);
    CHECK_OK(sample_table(&t, seed, n_spans));
    add_input(w, &t);
    span_table_fini(&t);
}

// n_traces traces of `each` spans, the first with the number `first`.
static void add_traces(struct world *w, uint32_t first, uint32_t n_traces, uint32_t each, const char *key,
                       uint64_t start_ns) {
    struct span_table t;
    struct buf rest;
    struct attr_in in = { .value = { .type = ATTR_STRING, .text = STR("v") } };
    uint32_t resource, scope;
    uint8_t id[16] = { 0 };
    span_table_init(&t, SIZE_MAX, NULL);
    buf_init(&rest, SIZE_MAX);
    CHECK_OK(span_table_resource(&t, STR("\x0a\x00"), STR(""), &resource));
    CHECK_OK(span_table_scope(&t, STR("\x0a\x00"), &scope));
    CHECK_OK(attrs_key(&t.attrs, str_of(key), &in.key));
    for (uint32_t i = 0; i < n_traces * each; i++) {
        uint32_t trace = first + i / each;
        memcpy(id, &trace, sizeof trace);
        struct span_in s = { .trace_id = id,
                             .span_id = ((uint64_t)w->n_in << 32) + i + 1,
                             .start_ns = start_ns + i,
                             .end_ns = start_ns + i + 10,
                             .name = STR("op"),
                             .resource = resource,
                             .scope = scope,
                             .attrs = &in,
                             .n_attrs = 1 };
        buf_reset(&rest);
        CHECK_OK(span_table_add(&t, &s, &rest));
    }
    span_table_publish(&t);
    add_input(w, &t);
    buf_fini(&rest);
    span_table_fini(&t);
}

#define NOW (SAMPLE_NOW_NS - 1000000000ull)

TEST(merge_makes_traces_of_small_row_groups_whole) {
    struct world w;
    world_init(&w);
    for (uint32_t i = 0; i < 5; i++) add_traces(&w, 0, 40, 1, "k", NOW + i * 1000);
    CHECK_OK(merge(&w, 0, 0));
    CHECK(str_eq(marks_of(&w), STR("M")));
    CHECK_U64(w.meta.n_traces, 40);
    CHECK_U64(w.meta.n_spans, 200);
    CHECK_U64(w.meta.level, 1);
    CHECK_U64(n_split(&w), 0);
    check_same_spans(&w);
    CHECK_OK(merge(&w, 1, 0)); // a block that is not merged holds them all too
    CHECK_U64(n_split(&w), 40);
    CHECK_U64(w.meta.n_spans, 160);
    world_fini(&w);
}

TEST(merge_keeps_whatever_a_span_has) {
    for (int i = 0; i < 6; i++) {
        struct world w;
        world_init(&w);
        for (uint32_t n = 2 + (uint32_t)test_below(4); n > 0; n--)
            add_sample(&w, test_rand(), 1 + (uint32_t)test_below(120));
        CHECK_OK(merge(&w, 0, test_below(2) ? 1 : 0)); // 1: each row group in a table of its own
        check_same_spans(&w);
        world_fini(&w);
    }
}

TEST(merge_keeps_outliers_apart_and_behind) {
    struct world w;
    world_init(&w);
    for (uint32_t i = 0; i < 3; i++) {
        add_traces(&w, 0, 10, 1, "k", i ? NOW : NOW + 3600 * 1000000000ull);
        CHECK_U64(block_meta(w.in[i])->outliers.min_ns != UINT64_MAX, i == 0);
    }
    CHECK_OK(merge(&w, 0, 0));
    CHECK(str_eq(marks_of(&w), STR("Mo"))); // the outliers have none to go with
    CHECK_U64(n_split(&w), 10);
    CHECK_U64(w.meta.main.max_ns, block_meta(w.in[1])->main.max_ns);
    CHECK_U64(w.meta.outliers.min_ns, block_meta(w.in[0])->outliers.min_ns);
    check_same_spans(&w);
    add_traces(&w, 0, 10, 1, "k", NOW + 7200 * 1000000000ull);
    CHECK_OK(merge(&w, 0, 0));
    CHECK(str_eq(marks_of(&w), STR("MO"))); // now they have
    CHECK_U64(n_split(&w), 10);
    check_same_spans(&w);
    world_fini(&w);
}

TEST(merge_writes_a_row_group_anew_only_once) {
    struct world w;
    world_init(&w);
    add_traces(&w, 0, 20, 1, "k", NOW);
    add_traces(&w, 0, 20, 1, "k", NOW + 100);
    CHECK_OK(merge(&w, 0, 0));
    CHECK(str_eq(marks_of(&w), STR("M")));
    for (uint32_t i = 0; i < w.n_in; i++) block_unref(w.in[i]);
    w.in[0] = block_ref(w.out); // its output meets two more
    w.n_in = 1;
    add_traces(&w, 0, 20, 1, "k", NOW + 200);
    add_traces(&w, 0, 20, 1, "k", NOW + 300);
    CHECK_OK(merge(&w, 0, 0));
    CHECK(str_eq(marks_of(&w), STR("MM")));
    CHECK_U64(w.meta.n_traces, 40);
    CHECK_U64(w.meta.level, 2);
    CHECK_U64(n_split(&w), 20); // between the two
    check_same_spans(&w);
    world_fini(&w);
}

TEST(merge_copies_large_row_groups_with_few_split_traces) {
    enum { EACH = 40, TRACES = 1000 }; // 40,000 rows
    static const struct {
        uint32_t shared;
        const char *marks;
    } cases[] = { { 0, "mm" }, { 40, "mm" }, { 60, "M" } };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct world w;
        world_init(&w);
        add_traces(&w, 0, TRACES, EACH, "k", NOW);
        add_traces(&w, TRACES - cases[i].shared, TRACES, EACH, "k", NOW + 100000);
        CHECK_OK(merge(&w, 0, 0));
        CHECK(str_eq(marks_of(&w), str_of(cases[i].marks)));
        CHECK_U64(n_split(&w), cases[i].marks[0] == 'm' ? cases[i].shared : 0);
        CHECK_U64(w.meta.n_spans, 2 * TRACES * EACH);
        world_fini(&w);
    }
}

TEST(merge_of_keys_equal_but_for_case) {
    struct world w;
    world_init(&w);
    add_traces(&w, 0, 5, 1, "userid", NOW);
    add_traces(&w, 100, 5, 1, "userId", NOW + 100);
    CHECK_OK(merge(&w, 0, 0)); // one of them becomes rest
    CHECK(str_eq(marks_of(&w), STR("M")));
    check_same_spans(&w);
    world_fini(&w);
    world_init(&w);
    add_traces(&w, 0, 1, PLAN_SMALL_ROWS, "userid", NOW);
    add_traces(&w, 100, 1, PLAN_SMALL_ROWS, "userId", NOW + 100);
    CHECK(merge(&w, 0, 0) == ERR_UNSUPPORTED); // to copy both is impossible
    CHECK(strstr(w.why.text, "userId") && strstr(w.why.text, "userid") && strstr(w.why.text, "only in case"));
    world_fini(&w);
}

static enum err count_key(void *ctx, struct str key, uint64_t size) {
    (void)key, (void)size;
    ++*(uint64_t *)ctx;
    return ERR_OK;
}

TEST(merge_every_failing_allocation_leaves_nothing) {
    struct world w;
    uint64_t before = 0;
    bool failed = true;
    world_init(&w);
    add_sample(&w, 1, 12);
    add_sample(&w, 2, 12);
    CHECK_OK(w.store->ops->list(w.store, STR("blocks/"), STR(""), &before, count_key));
    for (uint64_t nth = 1; failed; nth++) {
        struct block_merge_opts o = { .store = w.store,
                                      .tenant = STR("t"),
                                      .id = "01HF7YAT00BBBBBBBBBBBBBBBB",
                                      .version = STR("0.0.0-test"),
                                      .inputs = w.in,
                                      .n_inputs = w.n_in };
        uint64_t keys = 0;
        mem_fail_at(nth, false);
        enum err e = block_merge(&o, &w.meta);
        mem_fail_at(0, false);
        failed = e != ERR_OK;
        CHECK(e == ERR_OK || e == ERR_NOMEM);
        CHECK_OK(w.store->ops->list(w.store, STR("blocks/"), STR(""), &keys, count_key));
        CHECK(!failed || keys == before);
    }
    w.out = opened(&w, &w.meta);
    check_same_spans(&w);
    world_fini(&w);
}
