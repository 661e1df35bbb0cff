// SPDX-License-Identifier: Apache-2.0
#include "block/sample.h"

#include "base/hash.h"
#include "base/pb.h"

struct maker {
    struct span_table *t;
    uint64_t rand;
    struct buf rest, text;
    struct attr_in attrs[16];
    uint32_t n_attrs;
};

static uint64_t below(struct maker *m, uint64_t n) {
    m->rand += 0x9e3779b97f4a7c15u;
    return hash_u64(m->rand) % n;
}

void sample_trace_id(uint32_t i, uint8_t out[16]) {
    memset(out, 0, 16);
    out[0] = (uint8_t)(17 * i);
    out[15] = (uint8_t)(i + 1);
}

uint64_t sample_received(void *ctx, uint32_t row) {
    (void)ctx, (void)row;
    return SAMPLE_NOW_NS;
}

static enum err add_attr(struct maker *m, struct attr_table *t, const char *key, struct attr_value v) {
    struct attr_in *in = &m->attrs[m->n_attrs++];
    *in = (struct attr_in){ .value = v };
    return attrs_key(t, str_of(key), &in->key);
}

static enum err make_attrs(struct maker *m, struct attr_table *t) {
    static const char *const words[] = { "GET", "/cart", "", "gr\xc3\xbc\xc3\x9f", "x\xffy", "shop" };
    struct attr_value text = { .type = ATTR_STRING, .text = str_of(words[below(m, 6)]) };
    m->n_attrs = 0;
    buf_reset(&m->rest);
    if (below(m, 2)) TRY(add_attr(m, t, "http.route", text));
    if (below(m, 2)) TRY(add_attr(m, t, "n", (struct attr_value){ .type = ATTR_INT, .bits = below(m, 5) }));
    if (below(m, 3) == 0) TRY(add_attr(m, t, "N", text)); // equal but for case
    if (below(m, 3) == 0)
        TRY(add_attr(m, t, "f", (struct attr_value){ .type = ATTR_FLOAT, .bits = m->rand }));
    if (below(m, 3) == 0)
        TRY(add_attr(m, t, "b", (struct attr_value){ .type = ATTR_BOOL, .bits = below(m, 2) }));
    if (below(m, 3) == 0)
        TRY(add_attr(m, t, "a:b%", (struct attr_value){ .type = ATTR_ANY, .text = STR("\x3a\x01z") }));
    for (uint64_t n = below(m, 8) ? 0 : 2; n > 0; n--) TRY(add_attr(m, t, "twin", text));
    buf_reset(&m->text);
    if (below(m, 60) == 0 && buf_reserve(&m->text, 66000)) {
        memset(m->text.ptr, 'L', 66000);
        m->text.len = 66000;
        text.text = buf_view(&m->text);
        TRY(add_attr(m, t, "large", text));
    }
    return ERR_OK;
}

static enum err add_children(struct maker *m) {
    for (uint64_t n = below(m, 4) ? 0 : 1 + below(m, 2); n > 0; n--) {
        TRY(make_attrs(m, &m->t->events.attrs));
        struct span_event_in e = { .time_ns = below(m, 2) ? SAMPLE_NOW_NS + below(m, 1000) : 0,
                                   .name = below(m, 2) ? STR("exception") : STR("\xff"),
                                   .dropped = (uint32_t)below(m, 2),
                                   .attrs = m->attrs,
                                   .n_attrs = m->n_attrs };
        TRY(span_table_add_event(m->t, &e, &m->rest));
    }
    for (uint64_t n = below(m, 5) ? 0 : 1; n > 0; n--) {
        TRY(make_attrs(m, &m->t->links.attrs));
        struct span_link_in l = { .span_id = below(m, 3),
                                  .trace_state = below(m, 2) ? STR("a=b") : STR(""),
                                  .flags = (uint32_t)below(m, 3),
                                  .attrs = m->attrs,
                                  .n_attrs = m->n_attrs };
        sample_trace_id((uint32_t)below(m, 3), l.trace_id);
        TRY(span_table_add_link(m->t, &l, &m->rest));
    }
    return ERR_OK;
}

static uint64_t start_of(struct maker *m) {
    switch (below(m, 20)) {
    case 0: return 0;
    case 1: return INT64_MAX - below(m, 3);
    default: return SAMPLE_NOW_NS - below(m, 1000000);
    }
}

static enum err add_span(struct maker *m, const uint32_t *resources, uint32_t scope) {
    uint8_t id[16];
    uint64_t start = start_of(m);
    sample_trace_id((uint32_t)below(m, SAMPLE_TRACES), id);
    TRY(make_attrs(m, &m->t->attrs));
    if (below(m, 9) == 0) pb_bytes(&m->rest, 5, STR("odd")); // a parent id of another length
    struct span_in in = { .trace_id = id,
                          .span_id = 1 + below(m, 40),
                          .parent_id = below(m, 2) ? 1 + below(m, 60) : 0,
                          .start_ns = start,
                          .end_ns = start > SAMPLE_NOW_NS ? start : start + below(m, 2000000),
                          .name = below(m, 10) ? STR("op") : STR("bad \xff"),
                          .trace_state = below(m, 6) ? STR("") : STR("k=v"),
                          .status_message = below(m, 6) ? STR("") : STR("failed"),
                          .flags = (uint32_t)below(m, 2),
                          .resource = resources[below(m, 3)],
                          .scope = scope,
                          .dropped_attributes = (uint32_t)(below(m, 9) ? 0 : 3),
                          .dropped_events = (uint32_t)(below(m, 9) ? 0 : 4),
                          .dropped_links = (uint32_t)(below(m, 9) ? 0 : 5),
                          .kind = (uint8_t)below(m, 6),
                          .status = (uint8_t)below(m, 3),
                          .attrs = m->attrs,
                          .n_attrs = m->n_attrs };
    TRY(span_table_add(m->t, &in, &m->rest));
    return add_children(m);
}

static enum err make(struct maker *m, uint32_t n_spans) {
    // Canonical: attribute service.name = "a" or "b"; and a resource without anything.
    static const struct str entities[] = { { "\x0a\x15\x0a\x13\x0a\x0cservice.name\x12\x03\x0a\x01"
                                             "a",
                                             23 },
                                           { "\x0a\x15\x0a\x13\x0a\x0cservice.name\x12\x03\x0a\x01"
                                             "b",
                                             23 },
                                           { "\x0a\x00", 2 } };
    static const struct str services[] = { { "a", 1 }, { "b", 1 }, { "", 0 } };
    uint32_t resources[3], scope;
    for (int i = 0; i < 3; i++) TRY(span_table_resource(m->t, entities[i], services[i], &resources[i]));
    TRY(span_table_scope(m->t, STR("\x0a\x05\x0a\x03lib"), &scope));
    for (uint32_t i = 0; i < n_spans; i++) TRY(add_span(m, resources, scope));
    span_table_publish(m->t);
    return ERR_OK;
}

enum err sample_table(struct span_table *t, uint64_t seed, uint32_t n_spans) {
    struct maker m = { .t = t, .rand = seed };
    buf_init(&m.rest, SIZE_MAX);
    buf_init(&m.text, SIZE_MAX);
    enum err e = make(&m, n_spans);
    buf_fini(&m.rest);
    buf_fini(&m.text);
    return e;
}

enum err sample_write(struct object_store *store, const struct span_table *t, struct mem_budget *budget,
                      struct block_meta *out) {
    bool split[SAMPLE_TRACES] = { true };
    struct block_write_opts o = { .store = store,
                                  .tenant = STR("t"),
                                  .id = SAMPLE_ID,
                                  .table = t,
                                  .n_rows = span_table_count(t),
                                  .received_ns = sample_received,
                                  .received = { SAMPLE_NOW_NS, SAMPLE_NOW_NS },
                                  .is_split = split,
                                  .version = STR("0.0.0-test"),
                                  .budget = budget };
    return block_write(&o, out);
}

static enum err look_up(struct block *b, struct block_scan *s) {
    struct block_run runs[BLOCK_RUNS_MAX];
    const uint8_t *ids[SAMPLE_TRACES], *split;
    uint8_t id[SAMPLE_TRACES][16];
    bool held[SAMPLE_TRACES] = { false }, may;
    uint32_t n;
    for (uint32_t i = 0; i < SAMPLE_TRACES; i++) {
        sample_trace_id(i, id[i]);
        ids[i] = id[i];
        TRY(block_may_hold(b, s, id[i], &may));
        TRY(block_find(b, s, id[i], runs, &n));
    }
    TRY(block_hold_many(b, s, ids, SAMPLE_TRACES, held));
    return block_split(b, s, &split, &n);
}

static enum err read_all(struct block *b, struct block_scan *s, struct span_table *dst) {
    TRY(block_open(b, s));
    TRY(look_up(b, s));
    for (uint32_t g = 0; g < block_n_groups(b); g++) {
        struct block_traces traces;
        uint32_t n = block_group_rows(b, g);
        TRY(block_read_traces(b, s, g, true, &traces));
        if (n > 2) TRY(block_load(b, s, g, n / 2, n / 3, dst)); // a part, before the whole
    }
    return ERR_OK;
}

enum err sample_read(struct object_store *store, const struct block_meta *meta, struct span_table *dst) {
    struct block *b;
    struct block_scan s;
    struct span_table scratch;
    TRY(block_new(store, STR("t"), meta, &b));
    enum err e = block_scan_init(&s, NULL);
    if (e == ERR_OK) {
        span_table_init(&scratch, 256 << 20, NULL);
        e = read_all(b, &s, &scratch);
        span_table_fini(&scratch);
        for (uint32_t g = 0; dst && e == ERR_OK && g < block_n_groups(b); g++)
            e = block_load(b, &s, g, 0, block_group_rows(b, g), dst);
        if (dst) span_table_publish(dst);
        block_scan_fini(&s);
    }
    block_unref(b);
    return e;
}
