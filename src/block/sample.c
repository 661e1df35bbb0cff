// SPDX-License-Identifier: Apache-2.0
#include "block/sample.h"

#include "base/hash.h"
#include "base/pb.h"
#include "block/batch.h"

struct maker {
    struct span_table *t;
    uint64_t rand;
    struct buf rest, text;
    struct arena ids;
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
    text.text = str_fmt(&m->ids, "r%016llx", (unsigned long long)below(m, UINT64_MAX));
    if (!text.text.ptr) return ERR_NOMEM;
    TRY(add_attr(m, t, "request.id", text)); // in no dictionary: it has a bloom filter
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
    arena_init(&m.ids, SIZE_MAX, NULL);
    enum err e = make(&m, n_spans);
    buf_fini(&m.rest);
    buf_fini(&m.text);
    arena_fini(&m.ids);
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

// --- as batches ------------------------------------------------------------------------------------

struct visit {
    struct batch *b;
    enum batch_table table;
    enum field_scope scope;
    enum err err; // sticks
};

static enum err load_part(struct batch *b, const struct batch_part *p, uint32_t n) {
    struct vec v;
    bool may;
    TRY(b->ops->load(b, p, 0, n, &v));
    for (uint32_t i = 0; v.form == VEC_CODES && i < v.n; i++) ASSERT(v.codes[i] < p->n_dict);
    for (uint32_t i = 0; v.rows && i < v.n; i++) ASSERT(v.rows[i] < n);
    TRY(b->ops->load(b, p, n / 3, n / 2, &v));
    TRY(b->ops->may_hold(b, p, &VALUE_OF_INT(3), &may));
    return b->ops->may_hold(b, p, &VALUE_OF_STR(STR("shop")), &may);
}

static enum err load_field(struct batch *b, enum batch_table table, const struct field *f) {
    struct batch_column c;
    uint32_t n = b->n_rows;
    const uint32_t *owners;
    if (table != BATCH_SPANS) TRY(b->ops->owners(b, table, &owners, &n));
    for (uint32_t i = 0; table != BATCH_SPANS && i < n; i++) ASSERT(owners[i] < b->n_rows);
    TRY(b->ops->column(b, table, f, &c));
    for (uint32_t i = 0; i < c.n_parts; i++) TRY(load_part(b, &c.parts[i], n));
    return ERR_OK;
}

static void load_key(void *ctx, struct str key) {
    struct visit *v = ctx;
    struct field f = { .scope = v->scope, .key = key };
    if (v->err == ERR_OK) v->err = load_field(v->b, v->table, &f);
}

static enum err load_attributes(struct batch *b) {
    static const struct visit all[] = { { .table = BATCH_SPANS, .scope = FIELD_SPAN },
                                        { .table = BATCH_SPANS, .scope = FIELD_RESOURCE },
                                        { .table = BATCH_SPANS, .scope = FIELD_INSTRUMENTATION },
                                        { .table = BATCH_EVENTS, .scope = FIELD_EVENT },
                                        { .table = BATCH_LINKS, .scope = FIELD_LINK } };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        struct visit v = all[i];
        v.b = b;
        TRY(b->ops->keys(b, v.scope, load_key, &v));
        TRY(v.err);
    }
    return ERR_OK;
}

static enum err load_intrinsics(struct batch *b) {
    static const struct {
        enum intrinsic i;
        enum batch_table table;
    } all[] = {
        { INTRINSIC_DURATION, BATCH_SPANS },       { INTRINSIC_NAME, BATCH_SPANS },
        { INTRINSIC_STATUS, BATCH_SPANS },         { INTRINSIC_STATUS_MESSAGE, BATCH_SPANS },
        { INTRINSIC_TRACE_STATE, BATCH_SPANS },    { INTRINSIC_KIND, BATCH_SPANS },
        { INTRINSIC_SPAN_ID, BATCH_SPANS },        { INTRINSIC_TRACE_ID, BATCH_SPANS },
        { INTRINSIC_TRACE_DURATION, BATCH_SPANS }, { INTRINSIC_ROOT_NAME, BATCH_SPANS },
        { INTRINSIC_ROOT_SERVICE, BATCH_SPANS },   { INTRINSIC_EVENT_NAME, BATCH_EVENTS },
        { INTRINSIC_EVENT_TIME, BATCH_EVENTS },    { INTRINSIC_LINK_TRACE_ID, BATCH_LINKS },
        { INTRINSIC_LINK_SPAN_ID, BATCH_LINKS },   { INTRINSIC_SCOPE_NAME, BATCH_SPANS },
        { INTRINSIC_SCOPE_VERSION, BATCH_SPANS },
    };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        TRY(load_field(b, all[i].table, &(struct field){ .scope = FIELD_SPAN, .intrinsic = all[i].i }));
    return ERR_OK;
}

static enum err read_batch(struct block *block, struct block_scan *s, uint32_t group) {
    struct block_batch bb;
    struct batch *b = &bb.batch;
    const struct batch_summary *summaries;
    const struct batch_bounds *bounds;
    const uint32_t *rows;
    const uint64_t *wide;
    uint32_t n;
    arena_reset(&s->arena);
    TRY(block_batch_open(&bb, block, s, group));
    TRY(b->ops->parents(b, 0, b->n_rows, &rows));
    for (uint32_t i = 0; i < b->n_rows; i++) ASSERT(rows[i] < b->n_rows || rows[i] >= BATCH_ORPHAN);
    TRY(b->ops->parent_ids(b, b->n_rows / 2, b->n_rows, &wide));
    TRY(b->ops->span_ids(b, 0, b->n_rows, &wide));
    TRY(b->ops->starts(b, 0, b->n_rows, &wide));
    TRY(b->ops->start_bounds(b, &bounds, &n));
    TRY(b->ops->summaries(b, NULL, &summaries));
    TRY(load_intrinsics(b));
    return load_attributes(b);
}

static enum err read_all(struct block *b, struct block_scan *s, struct span_table *dst) {
    TRY(block_open(b, s));
    TRY(look_up(b, s));
    for (uint32_t g = 0; g < block_n_groups(b); g++) {
        struct block_traces traces;
        uint32_t n = block_group_rows(b, g);
        TRY(block_read_traces(b, s, g, true, &traces));
        if (n > 2) TRY(block_load(b, s, g, n / 2, n / 3, dst)); // a part, before the whole
        TRY(read_batch(b, s, g));
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
