// SPDX-License-Identifier: Apache-2.0
// Values of every kind through a block: as text in an `:any` column, or in the rest where no text
// gives back the same bytes.
#include "block/any.h"

#include <stdlib.h>

#include "base/pb.h"
#include "base/test.h"
#include "block/block.h"
#include "block/gather.h"
#include "block/open.h"
#include "block/writer.h"
#include "otlp/random.h"
#include "span/canon.h"

static uint64_t received(void *ctx, uint32_t row) {
    (void)row;
    return *(const uint64_t *)ctx;
}

struct world {
    struct span_table in, out;
    struct object_store *store;
    struct block *block;
    struct block_scan scan;
    struct arena arena;
    uint8_t trace_id[16], n_ids;
    uint32_t resource, scope;
    uint64_t now_ns;
};

static void world_init(struct world *w) {
    *w = (struct world){ .now_ns = 1700000000000000000u };
    span_table_init(&w->in, SIZE_MAX, NULL);
    span_table_init(&w->out, SIZE_MAX, NULL);
    arena_init(&w->arena, SIZE_MAX, NULL);
    CHECK_OK(object_mem_open(&w->store));
    CHECK_OK(block_scan_init(&w->scan, NULL));
    CHECK_OK(span_table_resource(&w->in, STR(""), STR(""), &w->resource));
    CHECK_OK(span_table_scope(&w->in, STR(""), &w->scope));
    memcpy(w->trace_id, "any any any any.", 16);
}

static void world_fini(struct world *w) {
    block_unref(w->block);
    block_scan_fini(&w->scan);
    w->store->ops->close(w->store);
    arena_fini(&w->arena);
    span_table_fini(&w->in);
    span_table_fini(&w->out);
}

// A span, an event and a link, each with the attribute "k".
static void add_row(struct world *w, struct str any) {
    struct buf rest;
    struct attr_in in[3] = { 0 };
    struct attr_table *tables[] = { &w->in.attrs, &w->in.events.attrs, &w->in.links.attrs };
    for (int i = 0; i < 3; i++) {
        CHECK_OK(attrs_key(tables[i], STR("k"), &in[i].key));
        in[i].value = attr_value_of(any);
    }
    struct span_in span = { .trace_id = w->trace_id,
                            .span_id = w->in.n + 1,
                            .start_ns = w->now_ns,
                            .end_ns = w->now_ns,
                            .resource = w->resource,
                            .scope = w->scope,
                            .attrs = &in[0],
                            .n_attrs = 1 };
    struct span_event_in event = { .time_ns = w->now_ns, .name = STR("e"), .attrs = &in[1], .n_attrs = 1 };
    struct span_link_in link = { .span_id = 7, .trace_state = STR(""), .attrs = &in[2], .n_attrs = 1 };
    buf_init(&rest, SIZE_MAX);
    CHECK_OK(span_table_add(&w->in, &span, &rest));
    buf_reset(&rest);
    CHECK_OK(span_table_add_event(&w->in, &event, &rest));
    buf_reset(&rest);
    CHECK_OK(span_table_add_link(&w->in, &link, &rest));
    buf_fini(&rest);
    span_table_publish(&w->in);
}

static enum err write_block(struct world *w) {
    struct block_meta meta;
    struct block_write_opts o = { .store = w->store,
                                  .tenant = STR("t"),
                                  .id = "01ARZ3NDEKTSV4RRFFQ69G5FAV",
                                  .table = &w->in,
                                  .n_rows = span_table_count(&w->in),
                                  .received_ns = received,
                                  .received_ctx = &w->now_ns,
                                  .version = STR("test") };
    TRY(block_write(&o, &meta));
    return block_new(w->store, STR("t"), &meta, &w->block);
}

static enum err load_block(struct world *w) {
    TRY(block_open(w->block, &w->scan));
    for (uint32_t g = 0; g < block_n_groups(w->block); g++)
        TRY(block_load(w->block, &w->scan, g, 0, block_group_rows(w->block, g), &w->out));
    span_table_publish(&w->out);
    return ERR_OK;
}

// The rows of a column of a file of one row group that have a value.
static uint32_t column_rows(struct world *w, struct in_file *f, const char *name, const struct str **texts) {
    struct pq_vector v;
    size_t c = pq_reader_column(f->pq, str_of(name));
    CHECK(c != SIZE_MAX);
    CHECK_U64(f->pq->n_groups, 1);
    arena_reset(&w->scan.arena);
    CHECK_OK(scan_read(f, &w->scan, 0, c, 0, f->pq->groups[0].n_rows, &v));
    CHECK_OK(vector_strs(&v, &w->scan.arena, texts));
    return v.n_values;
}

static int by_bytes(const void *a, const void *b) {
    return str_cmp(*(const struct str *)a, *(const struct str *)b);
}

static struct str *canonical(struct world *w, const struct span_table *t) {
    uint32_t n = span_table_count(t);
    struct str *out = ARENA_ARRAY(&w->arena, n + 1ull, struct str);
    CHECK(out);
    for (uint32_t i = 0; i < n; i++) {
        struct buf b;
        buf_init(&b, SIZE_MAX);
        CHECK_OK(canon_span(t, i, &w->arena, &b));
        out[i] = str_dup(&w->arena, buf_view(&b));
        buf_fini(&b);
    }
    qsort(out, n, sizeof *out, by_bytes);
    return out;
}

static void check_same(struct world *w) {
    struct str *a = canonical(w, &w->in), *b = canonical(w, &w->out);
    CHECK_U64(span_table_count(&w->out), span_table_count(&w->in));
    for (uint32_t i = 0; i < span_table_count(&w->in); i++) CHECK(str_eq(a[i], b[i]));
}

static const struct {
    struct str any;
    const char *text; // NULL: none
} kinds[] = {
    { STR(""), "{}" },
    { STR("\x2a\x00"), "{\"arrayValue\":{}}" },
    { STR("\x32\x00"), "{\"kvlistValue\":{}}" },
    { STR("\x3a\x00"), "{\"bytesValue\":\"\"}" },
    { STR("\x3a\x03\x00\x01\xff"), "{\"bytesValue\":\"AAH/\"}" },
    { STR("\x2a\x04\x0a\x02\x18\x01"), "{\"arrayValue\":{\"values\":[{\"intValue\":\"1\"}]}}" },
    { STR("\x2a\x0c\x0a\x00\x0a\x02\x0a\x00\x0a\x04\x0a\x02hi"),
      "{\"arrayValue\":{\"values\":[{},{\"stringValue\":\"\"},{\"stringValue\":\"hi\"}]}}" },
    { STR("\x2a\x0d\x0a\x0b\x18\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01"),
      "{\"arrayValue\":{\"values\":[{\"intValue\":\"-9223372036854775808\"}]}}" },
    { STR("\x2a\x0b\x0a\x09\x21\x00\x00\x00\x00\x00\x00\x00\x80"),
      "{\"arrayValue\":{\"values\":[{\"doubleValue\":-0}]}}" },
    { STR("\x2a\x0b\x0a\x09\x21\x00\x00\x00\x00\x00\x00\xf8\x7f"),
      "{\"arrayValue\":{\"values\":[{\"doubleValue\":\"NaN\"}]}}" },
    { STR("\x2a\x04\x0a\x02\x10\x00"), "{\"arrayValue\":{\"values\":[{\"boolValue\":false}]}}" },
    { STR("\x32\x09\x0a\x07\x0a\x01"
          "a\x12\x02\x10\x01"),
      "{\"kvlistValue\":{\"values\":[{\"key\":\"a\",\"value\":{\"boolValue\":true}}]}}" },
    { STR("\x32\x05\x0a\x03\x0a\x01"
          "a"),
      "{\"kvlistValue\":{\"values\":[{\"key\":\"a\"}]}}" },
    { STR("\x2a\x0b\x0a\x09\x21\x01\x00\x00\x00\x00\x00\xf8\x7f"), NULL }, // payload of a NaN
    { STR("\x2a\x05\x0a\x03\x0a\x01\xff"), NULL },                         // not UTF-8
    { STR("\x2a\x04\x0a\x02\x10\x05"), NULL },                             // a true of 5
    { STR("\x2a\x05\x0a\x03\x18\x81\x00"), NULL },                         // a long way to say 1
    { STR("\x2a\x04\x0a\x02\x70\x01"), NULL },                             // an unknown field
    { STR("\x2a\x00\x2a\x00"), NULL },                                     // in two pieces
    { STR("\x0a\x01x\x2a\x00"), NULL },                                    // two members of the oneof
    { STR("\x2a\x05"), NULL },                                             // damaged
    { STR("\x32\x04\x0a\x02\x0a\x00"), NULL },                             // an empty key, spelled out
};
enum { N_KINDS = sizeof kinds / sizeof *kinds };

TEST(any_texts_are_otlp_json_where_that_gives_back_the_bytes) {
    struct arena a;
    struct dict d;
    const struct str *texts;
    struct str back;
    uint32_t id;
    arena_init(&a, SIZE_MAX, NULL);
    dict_init(&d, &a);
    for (int i = 0; i < N_KINDS; i++) CHECK_OK(dict_put(&d, kinds[i].any, &id));
    CHECK_U64(d.n, N_KINDS);
    CHECK_OK(any_texts(&d, &a, &texts));
    for (int i = 0; i < N_KINDS; i++) {
        CHECK((texts[i].ptr != NULL) == (kinds[i].text != NULL));
        if (!kinds[i].text) continue;
        CHECK_STR(texts[i], str_of(kinds[i].text));
        CHECK_OK(any_read(test_exact(texts[i]), &a, &back));
        CHECK_STR(back, kinds[i].any);
    }
    dict_fini(&d);
    arena_fini(&a);
}

TEST(any_read_refuses_what_is_no_value) {
    static const char *const bad[] = {
        "", "{", "[]", "null", "{} {}", "{\"intValue\":1.5}", "{\"x\":\"\xff\"}"
    };
    struct arena a;
    struct str out;
    arena_init(&a, SIZE_MAX, NULL);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        CHECK(any_read(test_exact(str_of(bad[i])), &a, &out) == ERR_CORRUPT);
    arena_fini(&a);
}

TEST(any_values_of_every_kind_come_back_from_a_block) {
    struct world w;
    const struct str *texts, *rest;
    world_init(&w);
    uint32_t with_text = 0;
    for (int i = 0; i < N_KINDS; i++) {
        with_text += kinds[i].text != NULL;
        if (!kinds[i].text && attr_value_of(kinds[i].any).type != ATTR_ANY) continue;
        add_row(&w, kinds[i].any);
    }
    CHECK_OK(write_block(&w));
    CHECK_OK(load_block(&w));
    check_same(&w);
    struct in_file *files[] = { &w.block->spans, &w.block->events, &w.block->links };
    const char *names[] = { "span.k:any", "event.k:any", "link.k:any" };
    for (int f = 0; f < 3; f++) {
        CHECK_U64(column_rows(&w, files[f], names[f], &texts), with_text);
        for (uint32_t i = 0, k = 0; i < with_text; i++, k++) {
            while (!kinds[k].text) k++;
            CHECK_STR(texts[i], str_of(kinds[k].text));
        }
        CHECK_U64(column_rows(&w, files[f], "rest", &rest), w.in.n - with_text);
    }
    world_fini(&w);
}

// Random values; few different ones, so that the column has a dictionary, and then all different.
static void random_values(uint32_t n_different, uint32_t n) {
    struct world w;
    struct random_otlp g;
    struct buf any;
    world_init(&w);
    random_init(&g, (struct random_opts){ .rand = test_rand, .depth_max = 6, .wild = n_different % 2 });
    struct str *values = ARENA_ARRAY(&w.arena, n_different, struct str);
    for (uint32_t i = 0; i < n_different; i++) {
        buf_init(&any, SIZE_MAX);
        random_message(&g, &otlp_any_value, &any);
        values[i] = str_dup(&w.arena, buf_view(&any));
        buf_fini(&any);
    }
    for (uint32_t i = 0; i < n; i++) {
        struct str v = values[test_below(n_different)];
        add_row(&w, v);
    }
    CHECK_OK(write_block(&w));
    CHECK_OK(load_block(&w));
    check_same(&w);
    random_fini(&g);
    world_fini(&w);
}

TEST(any_values_at_random_come_back_from_a_block) {
    random_values(20, 6000);
    random_values(21, 6000);
    random_values(3000, 3000);
    random_values(3001, 3000);
}

static struct str array_of_bytes(struct arena *a, uint32_t len, char fill) {
    struct buf b;
    char *bytes = arena_alloc(a, len);
    memset(bytes, fill, len);
    buf_init(&b, SIZE_MAX);
    size_t array = pb_begin(&b, 5), value = pb_begin(&b, 1);
    pb_bytes(&b, 1, (struct str){ bytes, len });
    pb_end(&b, value);
    pb_end(&b, array);
    struct str out = str_dup(a, buf_view(&b));
    buf_fini(&b);
    return out;
}

TEST(any_values_too_large_for_a_column_come_back_from_elsewhere) {
    struct world w;
    const struct str *texts;
    world_init(&w);
    add_row(&w, array_of_bytes(&w.arena, LARGE_VALUE_BYTES - 100, 'x')); // fits, as text too
    add_row(&w, array_of_bytes(&w.arena, 20000, '\1'));                  // six times as long as text
    add_row(&w, array_of_bytes(&w.arena, LARGE_VALUE_BYTES + 1, 'x'));   // large by itself
    CHECK_OK(write_block(&w));
    CHECK_OK(load_block(&w));
    check_same(&w);
    CHECK_U64(column_rows(&w, &w.block->spans, "span.k:any", &texts), 1);
    CHECK(w.block->large.pq && w.block->large.pq->n_rows == 1);
    world_fini(&w);
}

TEST(any_values_survive_every_failing_allocation) {
    for (uint64_t nth = 1; nth < 5000; nth++) {
        struct world w;
        world_init(&w);
        for (int i = 0; i < N_KINDS; i++)
            if (attr_value_of(kinds[i].any).type == ATTR_ANY) add_row(&w, kinds[i].any);
        mem_fail_at(nth, false);
        enum err e = write_block(&w);
        if (e == ERR_OK) e = load_block(&w);
        mem_fail_at(0, false);
        CHECK(e == ERR_OK || e == ERR_NOMEM);
        if (e == ERR_OK) check_same(&w);
        world_fini(&w);
        if (e == ERR_OK) return;
    }
    CHECK(!"more allocations than expected");
}
