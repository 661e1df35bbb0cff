// SPDX-License-Identifier: Apache-2.0
#include "block/oracle_test.h"

#include "span/canon.h"
#include "span/lookup.h"
#include "span/parts.h"
#include "span/wire.h"

bool values_same(const struct value *a, const struct value *b) {
    if (a->type != b->type) return false;
    if (a->type == VALUE_NIL) return true;
    if (a->type == VALUE_STRING || a->type == VALUE_ANY) return str_eq(a->s, b->s);
    return a->i == b->i; // floats by their bits
}

// --- the oracle ------------------------------------------------------------------------------------

static struct str span_bytes(const struct oracle *o, uint32_t row) {
    struct buf b;
    buf_init(&b, SIZE_MAX);
    CHECK_OK(canon_span(o->table, row, o->arena, &b));
    struct str s = str_dup(o->arena, buf_view(&b));
    buf_fini(&b);
    return s;
}

static struct str field_bytes(struct str message, uint32_t number, uint32_t nth) {
    struct reader r = reader_of(message);
    for (struct pb_field f; pb_next(&r, &f);)
        if (f.number == number && f.wire == PB_BYTES && nth-- == 0) return f.bytes;
    return STR("");
}

static uint64_t field_u64(struct str message, uint32_t number) {
    struct reader r = reader_of(message);
    for (struct pb_field f; pb_next(&r, &f);)
        if (f.number == number && f.wire != PB_BYTES) return f.value;
    return 0;
}

static struct value attribute(struct str message, uint32_t number, struct str key) {
    struct reader r = reader_of(message);
    struct str k, any;
    for (struct pb_field f; pb_next(&r, &f);) {
        if (f.number != number || f.wire != PB_BYTES || !attr_kv(f.bytes, &k, &any) || !str_eq(k, key))
            continue;
        struct attr_value v = attr_value_of(any);
        return value_of_attr(&v);
    }
    return VALUE_OF_NIL;
}

static struct value hex_value(const struct oracle *o, struct str id, uint32_t size) {
    uint8_t zero[16] = { 0 };
    if (id.len == size) memcpy(zero, id.ptr, size);
    return VALUE_OF_STR(*hex_texts(o->arena, zero, size, 1));
}

static struct value duration(uint64_t ns) {
    return (struct value){ .type = VALUE_DURATION, .i = (int64_t)ns };
}

static struct value trace_value(const struct oracle *o, uint32_t span, enum intrinsic i) {
    const struct span_table *t = o->table;
    uint64_t start = UINT64_MAX, end = 0, root_start = UINT64_MAX, root_id = 0;
    uint32_t root = SPAN_NONE, trace = SEG_AT(&t->trace, span, uint32_t);
    for (uint32_t row = 0; row < span_table_count(t); row++) {
        if (SEG_AT(&t->trace, row, uint32_t) != trace) continue;
        uint64_t s = SEG_AT(&t->start_ns, row, uint64_t), e = s + span_duration_ns(t, row);
        uint64_t id = __builtin_bswap64(SEG_AT(&t->span_id, row, uint64_t));
        if (s < start) start = s;
        if (e > end) end = e;
        if (SEG_AT(&t->parent_id, row, uint64_t) != 0) continue;
        if (root != SPAN_NONE && (s > root_start || (s == root_start && id > root_id))) continue;
        if (root != SPAN_NONE && s == root_start && id == root_id) // by canonical bytes
            if (str_cmp(span_bytes(o, row), span_bytes(o, root)) > 0) continue;
        root = row;
        root_start = s;
        root_id = id;
    }
    if (i == INTRINSIC_TRACE_DURATION) return duration(end - start);
    if (root == SPAN_NONE) return VALUE_OF_NIL;
    return VALUE_OF_STR(i == INTRINSIC_ROOT_NAME ? span_name(t, root) : span_service(t, root));
}

static struct value span_value(const struct oracle *o, uint32_t row, const struct field *f, bool *known) {
    const struct span_table *t = o->table;
    struct str m = span_bytes(o, row), rest = attrs_rest(&t->attrs, row), odd, status;
    uint64_t start = field_u64(m, SPAN_START), end = field_u64(m, SPAN_END);
    struct str scope = span_scope_at(t, SEG_AT(&t->scope, row, uint32_t))->bytes;
    status = field_bytes(m, SPAN_STATUS, 0);
    switch (f->intrinsic) {
    case INTRINSIC_NONE: return attribute(m, SPAN_ATTRIBUTE, f->key);
    case INTRINSIC_DURATION: return duration(end > start ? end - start : 0);
    case INTRINSIC_NAME: return VALUE_OF_STR(field_bytes(m, SPAN_NAME, 0));
    case INTRINSIC_STATUS:
        *known = field_u64(status, STATUS_CODE) < 256;
        return (struct value){ .type = VALUE_STATUS, .i = (int64_t)field_u64(status, STATUS_CODE) };
    case INTRINSIC_KIND:
        *known = field_u64(m, SPAN_KIND) < 256;
        return (struct value){ .type = VALUE_KIND, .i = (int64_t)field_u64(m, SPAN_KIND) };
    case INTRINSIC_STATUS_MESSAGE:
        *known = !rest_field(rest, REST_STATUS_MESSAGE, &odd);
        return VALUE_OF_STR(field_bytes(status, STATUS_MESSAGE, 0));
    case INTRINSIC_TRACE_STATE:
        *known = !rest_field(rest, REST_TRACE_STATE, &odd);
        return VALUE_OF_STR(field_bytes(m, SPAN_TRACE_STATE, 0));
    case INTRINSIC_SPAN_ID: return hex_value(o, field_bytes(m, SPAN_SPAN_ID, 0), 8);
    case INTRINSIC_TRACE_ID: return hex_value(o, field_bytes(m, SPAN_TRACE_ID, 0), 16);
    case INTRINSIC_SCOPE_NAME: return VALUE_OF_STR(field_bytes(field_bytes(scope, 1, 0), SCOPE_NAME, 0));
    case INTRINSIC_SCOPE_VERSION:
        return VALUE_OF_STR(field_bytes(field_bytes(scope, 1, 0), SCOPE_VERSION, 0));
    default: return trace_value(o, row, f->intrinsic);
    }
}

static struct value event_value(const struct oracle *o, uint32_t row, uint32_t nth, const struct field *f) {
    struct str span = span_bytes(o, row), m = field_bytes(span, SPAN_EVENT, nth);
    switch (f->intrinsic) {
    case INTRINSIC_NONE: return attribute(m, EVENT_ATTRIBUTE, f->key);
    case INTRINSIC_EVENT_NAME: return VALUE_OF_STR(field_bytes(m, EVENT_NAME, 0));
    default: return duration(field_u64(m, EVENT_TIME) - field_u64(span, SPAN_START));
    }
}

static struct value link_value(const struct oracle *o, uint32_t row, uint32_t nth, const struct field *f) {
    struct str m = field_bytes(span_bytes(o, row), SPAN_LINK, nth);
    switch (f->intrinsic) {
    case INTRINSIC_NONE: return attribute(m, LINK_ATTRIBUTE, f->key);
    case INTRINSIC_LINK_TRACE_ID: return hex_value(o, field_bytes(m, LINK_TRACE_ID, 0), 16);
    default: return hex_value(o, field_bytes(m, LINK_SPAN_ID, 0), 8);
    }
}

struct value oracle_value(const struct oracle *o, enum batch_table table, uint32_t span, uint32_t nth,
                          const struct field *f, bool *known) {
    const struct span_table *t = o->table;
    *known = true;
    if (table == BATCH_EVENTS) return event_value(o, span, nth, f);
    if (table == BATCH_LINKS) return link_value(o, span, nth, f);
    if (f->intrinsic != INTRINSIC_NONE || f->scope == FIELD_SPAN) return span_value(o, span, f, known);
    if (f->scope == FIELD_RESOURCE) {
        struct str e = span_resource_at(t, SEG_AT(&t->resource, span, uint32_t))->bytes;
        return attribute(field_bytes(e, ENTITY_MESSAGE, 0), RESOURCE_ATTRIBUTE, f->key);
    }
    struct str e = span_scope_at(t, SEG_AT(&t->scope, span, uint32_t))->bytes;
    return attribute(field_bytes(e, ENTITY_MESSAGE, 0), SCOPE_ATTRIBUTE, f->key);
}

// --- whole columns ---------------------------------------------------------------------------------

static struct value value_at(const struct batch_part *p, const struct vec *v, uint32_t i) {
    switch (v->form) {
    case VEC_CODES:
        CHECK(v->codes[i] < p->n_dict);
        if (p->type != VALUE_NIL && p->dict[v->codes[i]].type != VALUE_NIL)
            CHECK(p->dict[v->codes[i]].type == p->type);
        return p->dict[v->codes[i]];
    case VEC_INTS: return (struct value){ .type = p->type, .i = v->ints[i] };
    case VEC_FLOATS: return (struct value){ .type = p->type, .f = v->floats[i] };
    case VEC_TEXTS:
    default: return (struct value){ .type = p->type, .s = v->texts[i] };
    }
}

static void check_form(const struct batch_part *p, const struct vec *v, uint32_t n_rows) {
    bool text = p->type == VALUE_STRING || p->type == VALUE_ANY;
    CHECK(p->dict || p->type != VALUE_NIL);
    CHECK((v->form == VEC_CODES) == (p->dict != NULL));
    if (v->form != VEC_CODES) CHECK((v->form == VEC_TEXTS) == text);
    if (v->form != VEC_CODES) CHECK((v->form == VEC_FLOATS) == (p->type == VALUE_FLOAT));
    CHECK(v->n <= n_rows && (v->rows || v->n == n_rows));
    for (uint32_t i = 0; v->rows && i < v->n; i++)
        CHECK(v->rows[i] < n_rows && (i == 0 || v->rows[i] > v->rows[i - 1]));
}

static void load_part(struct batch *b, const struct batch_part *p, uint32_t from, uint32_t to,
                      struct value *out) {
    struct vec v;
    CHECK_OK(b->ops->load(b, p, from, to, &v));
    check_form(p, &v, to - from);
    for (uint32_t i = 0; i < v.n; i++) {
        struct value x = value_at(p, &v, i), *at = &out[v.rows ? v.rows[i] : i];
        if (x.type == VALUE_NIL) continue;
        CHECK(at->type == VALUE_NIL); // in one part only
        *at = x;
    }
}

static void check_bounds(const struct batch_part *p, const struct value *v, uint32_t n_rows) {
    uint32_t at = 0;
    for (uint32_t i = 0; i < p->n_bounds; i++) {
        const struct batch_bounds *s = &p->bounds[i];
        CHECK(s->first == at && s->n > 0 && s->n <= n_rows - at);
        for (at = s->first; at < s->first + s->n; at++) {
            if (v[at].type == VALUE_NIL) continue;
            CHECK(!s->none);
            if (s->has_min_max) CHECK(v[at].i >= s->min && v[at].i <= s->max);
        }
    }
    CHECK(p->n_bounds == 0 || at == n_rows);
}

static void check_may_hold(struct batch *b, const struct batch_part *p, const struct value *v, uint32_t n) {
    bool may;
    for (int k = 0; k < 20 && n > 0; k++) {
        const struct value *x = &v[test_below(n)];
        if (x->type != VALUE_STRING && x->type != VALUE_INT) continue;
        CHECK_OK(b->ops->may_hold(b, p, x, &may));
        CHECK(may);
    }
}

const struct value *column_values(struct batch *b, enum batch_table table, uint32_t n_rows,
                                  const struct field *f) {
    struct batch_column c;
    struct value *all = arena_zalloc(b->arena, (n_rows + 1ull) * sizeof *all);
    struct value *some = arena_zalloc(b->arena, (n_rows + 1ull) * sizeof *some);
    CHECK(all && some);
    CHECK_OK(b->ops->column(b, table, f, &c));
    for (uint32_t p = 0; p < c.n_parts; p++) {
        struct value *alone = arena_zalloc(b->arena, (n_rows + 1ull) * sizeof *alone);
        load_part(b, &c.parts[p], 0, n_rows, all);
        load_part(b, &c.parts[p], 0, n_rows, alone);
        check_bounds(&c.parts[p], alone, n_rows);
        check_may_hold(b, &c.parts[p], alone, n_rows);
    }
    for (int k = 0; k < 3; k++) {
        uint32_t from = (uint32_t)test_below(n_rows + 1), to = from + (uint32_t)test_below(n_rows - from + 1);
        memset(some, 0, (n_rows + 1ull) * sizeof *some);
        for (uint32_t p = 0; p < c.n_parts; p++) load_part(b, &c.parts[p], from, to, some);
        for (uint32_t i = from; i < to; i++) CHECK(values_same(&some[i - from], &all[i]));
    }
    return all;
}

// --- what to ask -----------------------------------------------------------------------------------

struct asking {
    struct asked *at;
    uint32_t n, cap;
    struct arena *arena;
    enum batch_table table;
    enum field_scope scope;
};

static void ask(struct asking *a, enum intrinsic i, struct str key) {
    if (a->n == a->cap) {
        struct asked *more = ARENA_ARRAY(a->arena, a->cap * 2ull + 64, struct asked);
        CHECK(more);
        if (a->n) memcpy(more, a->at, a->n * sizeof *more);
        a->at = more;
        a->cap = a->cap * 2 + 64;
    }
    a->at[a->n++] = (struct asked){ a->table, { .scope = a->scope, .intrinsic = i, .key = key } };
}

static void ask_key(void *ctx, struct str key) {
    ask(ctx, INTRINSIC_NONE, key);
}

uint32_t fields_of(struct batch *b, struct asked **out) {
    static const struct {
        enum field_scope scope;
        enum batch_table table;
    } scopes[] = { { FIELD_SPAN, BATCH_SPANS },
                   { FIELD_RESOURCE, BATCH_SPANS },
                   { FIELD_INSTRUMENTATION, BATCH_SPANS },
                   { FIELD_EVENT, BATCH_EVENTS },
                   { FIELD_LINK, BATCH_LINKS } };
    struct asking a = { .arena = b->arena };
    for (int i = 0; i < 5; i++) {
        a.scope = scopes[i].scope;
        a.table = scopes[i].table;
        CHECK_OK(b->ops->keys(b, a.scope, ask_key, &a));
        ask(&a, INTRINSIC_NONE, STR("no such key"));
    }
    static const struct {
        enum intrinsic i;
        enum batch_table table;
    } intrinsics[] = {
#define X(id, name, type, scope) \
    { INTRINSIC_##id, scope == FIELD_EVENT ? BATCH_EVENTS : scope == FIELD_LINK ? BATCH_LINKS : BATCH_SPANS },
        INTRINSIC_TABLE(X)
#undef X
    };
    for (size_t i = 1; i < sizeof intrinsics / sizeof *intrinsics; i++) {
        enum intrinsic id = intrinsics[i].i;
        if (id == INTRINSIC_PARENT_ID || id == INTRINSIC_CHILD_COUNT || id >= INTRINSIC_NESTED_LEFT) continue;
        a.table = intrinsics[i].table;
        a.scope = FIELD_SPAN;
        ask(&a, id, STR(""));
    }
    *out = a.at;
    return a.n;
}

uint32_t table_rows(struct batch *b, enum batch_table table, const uint32_t **owners) {
    uint32_t n = b->n_rows;
    *owners = NULL;
    if (table != BATCH_SPANS) CHECK_OK(b->ops->owners(b, table, owners, &n));
    return n;
}
