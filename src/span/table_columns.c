// SPDX-License-Identifier: Apache-2.0
// The columns of a table's batch. Attributes lie as they are wanted: most parts are slices of what is
// there already.
#include "span/lookup.h"
#include "span/parts.h"
#include "span/table_batch_internal.h"
#include "span/wire.h"

// Where a part's values are, and how a range of them is read.
struct source {
    enum err (*load)(struct table_batch *b, const struct source *s, uint32_t from, uint32_t to,
                     struct vec *out);
    const struct attr_column *column; // attributes: n entries of it
    uint32_t n;
    bool coded;
    const struct segvec *vec; // a value in each row
    const uint32_t *codes;    // by row
    struct few few;
    const struct span_sparse *sparse; // codes belong to its entries, code 0 to all other rows
};

static struct source *source_new(struct table_batch *b, struct source s) {
    struct source *copy = ARENA_NEW(b->batch.arena, struct source);
    if (copy) *copy = s;
    return copy;
}

// A column of this one part.
static enum err one_part(struct table_batch *b, struct batch_part part, struct source source,
                         struct batch_column *out) {
    part.source = source_new(b, source);
    struct batch_part *p = ARENA_NEW(b->batch.arena, struct batch_part);
    if (!p || !part.source) return ERR_NOMEM;
    *p = part;
    *out = (struct batch_column){ p, 1 };
    return ERR_OK;
}

// --- loading -------------------------------------------------------------------------------------

static enum err load_few(struct table_batch *b, const struct source *s, uint32_t from, uint32_t to,
                         struct vec *out) {
    return few_load(&s->few, b->batch.arena, from, to, out);
}

static enum err load_codes(struct table_batch *b, const struct source *s, uint32_t from, uint32_t to,
                           struct vec *out) {
    (void)b;
    *out = (struct vec){ .form = VEC_CODES, .n = to - from, .codes = s->codes + from };
    return ERR_OK;
}

static enum err load_u32(struct table_batch *b, const struct source *s, uint32_t from, uint32_t to,
                         struct vec *out) {
    *out = (struct vec){ .form = VEC_CODES,
                         .n = to - from,
                         .codes = table_slice(b, s->vec, from, to, sizeof(uint32_t)) };
    return out->codes ? ERR_OK : ERR_NOMEM;
}

static enum err load_u8(struct table_batch *b, const struct source *s, uint32_t from, uint32_t to,
                        struct vec *out) {
    const uint8_t *bytes = table_slice(b, s->vec, from, to, 1);
    uint32_t *codes = ARENA_ARRAY(b->batch.arena, to - from + 1ull, uint32_t);
    if (!bytes || !codes) return ERR_NOMEM;
    for (uint32_t i = 0; i < to - from; i++) codes[i] = bytes[i];
    *out = (struct vec){ .form = VEC_CODES, .n = to - from, .codes = codes };
    return ERR_OK;
}

static enum err load_sparse(struct table_batch *b, const struct source *s, uint32_t from, uint32_t to,
                            struct vec *out) {
    uint32_t *codes = arena_zalloc(b->batch.arena, (to - from + 1ull) * sizeof *codes);
    if (!codes) return ERR_NOMEM;
    for (uint32_t i = segvec_find_u32(&s->sparse->rows, s->n, from); i < s->n; i++) {
        uint32_t row = SEG_AT(&s->sparse->rows, i, uint32_t);
        if (row >= to) break;
        codes[row - from] = s->codes[i];
    }
    *out = (struct vec){ .form = VEC_CODES, .n = to - from, .codes = codes };
    return ERR_OK;
}

static enum err load_duration(struct table_batch *b, const struct source *s, uint32_t from, uint32_t to,
                              struct vec *out) {
    int64_t *ints = ARENA_ARRAY(b->batch.arena, to - from + 1ull, int64_t);
    const uint64_t *start = table_slice(b, &b->table->start_ns, from, to, sizeof *start);
    const uint64_t *end = table_slice(b, &b->table->end_ns, from, to, sizeof *end);
    (void)s;
    if (!ints || !start || !end) return ERR_NOMEM;
    for (uint32_t i = 0; i < to - from; i++) ints[i] = end[i] > start[i] ? (int64_t)(end[i] - start[i]) : 0;
    *out = (struct vec){ .form = VEC_INTS, .n = to - from, .ints = ints };
    return ERR_OK;
}

static enum err load_event_time(struct table_batch *b, const struct source *s, uint32_t from, uint32_t to,
                                struct vec *out) {
    const struct span_table *t = b->table;
    int64_t *ints = ARENA_ARRAY(b->batch.arena, to - from + 1ull, int64_t);
    (void)s;
    if (!ints) return ERR_NOMEM;
    for (uint32_t i = from; i < to; i++) { // wraps, as in a block
        uint64_t start = SEG_AT(&t->start_ns, SEG_AT(&t->events.span, i, uint32_t), uint64_t);
        ints[i - from] = (int64_t)(SEG_AT(&t->events.time_ns, i, uint64_t) - start);
    }
    *out = (struct vec){ .form = VEC_INTS, .n = to - from, .ints = ints };
    return ERR_OK;
}

static enum err texts_of(struct table_batch *b, const void *ids, uint32_t size, uint32_t n, struct vec *out) {
    if (!ids) return ERR_NOMEM;
    *out = (struct vec){ .form = VEC_TEXTS, .n = n, .texts = hex_texts(b->batch.arena, ids, size, n) };
    return out->texts ? ERR_OK : ERR_NOMEM;
}

static enum err load_ids(struct table_batch *b, const struct source *s, uint32_t from, uint32_t to,
                         struct vec *out) {
    return texts_of(b, table_slice(b, s->vec, from, to, 8), 8, to - from, out);
}

static enum err load_link_traces(struct table_batch *b, const struct source *s, uint32_t from, uint32_t to,
                                 struct vec *out) {
    const struct span_links *l = &b->table->links;
    uint64_t *ids = ARENA_ARRAY(b->batch.arena, (to - from) * 2ull + 1, uint64_t);
    (void)s;
    for (uint32_t i = from; ids && i < to; i++) {
        ids[(i - from) * 2ull] = SEG_AT(&l->trace_hi, i, uint64_t);
        ids[(i - from) * 2ull + 1] = SEG_AT(&l->trace_lo, i, uint64_t);
    }
    return texts_of(b, ids, 16, to - from, out);
}

// --- attributes ----------------------------------------------------------------------------------

static enum err load_entries(struct table_batch *b, const struct source *s, uint32_t from, uint32_t to,
                             struct vec *out) {
    const struct attr_column *c = s->column;
    struct arena *a = b->batch.arena;
    uint32_t i = attr_column_find(c, s->n, from), end = attr_column_find(c, s->n, to), n = end - i;
    bool wide = c->type == ATTR_INT || c->type == ATTR_FLOAT;
    const void *vals = table_slice(b, &c->vals, i, end, wide ? sizeof(uint64_t) : sizeof(uint32_t));
    if (!vals) return ERR_NOMEM;
    *out = (struct vec){ .form = VEC_CODES, .n = n, .codes = vals };
    if (wide) out->form = c->type == ATTR_INT ? VEC_INTS : VEC_FLOATS;
    if (n < to - from) {
        const uint32_t *rows = table_slice(b, &c->rows, i, end, sizeof *rows);
        uint32_t *own = ARENA_ARRAY(a, n + 1ull, uint32_t);
        if (!rows || !own) return ERR_NOMEM;
        for (uint32_t k = 0; k < n; k++) own[k] = rows[k] - from;
        out->rows = own;
    }
    if (wide || s->coded) return ERR_OK;
    struct str *texts = ARENA_ARRAY(a, n + 1ull, struct str);
    if (!texts) return ERR_NOMEM;
    for (uint32_t k = 0; k < n; k++) texts[k] = dict_get(&c->dict, out->codes[k]);
    out->form = VEC_TEXTS;
    out->texts = texts;
    return ERR_OK;
}

static struct value *dict_values(struct arena *a, const struct dict *d, uint32_t n, enum value_type type) {
    struct value *out = ARENA_ARRAY(a, n + 1ull, struct value);
    for (uint32_t i = 0; out && i < n; i++) out[i] = (struct value){ .type = type, .s = dict_get(d, i) };
    return out;
}

// Texts that come again have a dictionary; of those that do not, only the wanted rows are looked at.
static enum err attr_part(struct table_batch *b, const struct attr_column *c, uint32_t n,
                          struct batch_part *out) {
    static const struct value bools[] = { { .type = VALUE_BOOL, .i = 0 }, { .type = VALUE_BOOL, .i = 1 } };
    struct source s = { .load = load_entries, .column = c, .n = n };
    *out = (struct batch_part){ .type = value_type_of_attr(c->type) };
    if (c->type == ATTR_BOOL) {
        s.coded = true;
        out->dict = bools;
        out->n_dict = 2;
    } else if (c->type == ATTR_STRING || c->type == ATTR_ANY) {
        uint32_t n_dict = dict_count(&c->dict);
        s.coded = n_dict <= n / 4 + 256;
        if (s.coded) {
            out->dict = dict_values(b->batch.arena, &c->dict, n_dict, out->type);
            out->n_dict = n_dict;
            if (!out->dict) return ERR_NOMEM;
        }
    }
    out->source = source_new(b, s);
    return out->source ? ERR_OK : ERR_NOMEM;
}

static enum err rest_part(struct table_batch *b, const struct attr_table *t, uint32_t n_rows, struct str key,
                          struct batch_part *out, bool *found) {
    struct source s = { .load = load_few };
    uint32_t n = atomic_load_explicit(&t->n_rest, memory_order_acquire);
    for (uint32_t i = 0; i < n && SEG_AT(&t->rest_row, i, uint32_t) < n_rows; i++) {
        struct rest_hit hit;
        TRY(rest_find(SEG_AT(&t->rest_val, i, struct str), key, &hit));
        if (!hit.found || hit.is_large) continue;
        struct attr_value v = attr_value_of(hit.bytes);
        TRY(few_add(&s.few, b->batch.arena, SEG_AT(&t->rest_row, i, uint32_t), value_of_attr(&v)));
    }
    *out = (struct batch_part){ .dict = s.few.values, .n_dict = s.few.n };
    out->type = values_type(out->dict, out->n_dict, found);
    out->source = source_new(b, s);
    return out->source ? ERR_OK : ERR_NOMEM;
}

static enum err attr_parts(struct table_batch *b, const struct attr_table *t, uint32_t n_rows, struct str key,
                           struct batch_column *out) {
    uint32_t n = atomic_load_explicit(&t->n_columns, memory_order_acquire), n_parts = 0;
    struct batch_part *parts = ARENA_ARRAY(b->batch.arena, ATTR_TYPE_COUNT + 1, struct batch_part);
    bool in_rest;
    if (!parts) return ERR_NOMEM;
    for (uint32_t i = 0; i < n; i++) {
        const struct attr_column *c = attrs_column(t, i);
        if (!str_eq(c->key, key)) continue;
        uint32_t all = atomic_load_explicit(&c->n, memory_order_acquire);
        uint32_t entries = attr_column_find(c, all, n_rows);
        if (entries) TRY(attr_part(b, c, entries, &parts[n_parts++]));
    }
    TRY(rest_part(b, t, n_rows, key, &parts[n_parts], &in_rest));
    *out = (struct batch_column){ parts, n_parts + in_rest };
    return ERR_OK;
}

// --- resources and scopes ------------------------------------------------------------------------

// One dictionary over the numbers of the entities: `name` for an intrinsic, else by key.
static enum err entity_column(struct table_batch *b, bool is_scope, const struct field *f,
                              struct batch_column *out) {
    const struct span_table *t = b->table;
    const struct segvec *v = is_scope ? &t->scopes : &t->resources;
    uint32_t n = atomic_load_explicit(is_scope ? &t->n_scopes : &t->n_resources, memory_order_acquire);
    struct value *dict = ARENA_ARRAY(b->batch.arena, n + 1ull, struct value);
    bool any;
    if (!dict) return ERR_NOMEM;
    for (uint32_t i = 0; i < n; i++) {
        struct str entity = SEG_AT(v, i, struct span_entity).bytes;
        if (f->intrinsic == INTRINSIC_NONE)
            dict[i] = entity_value(entity, is_scope, f->key);
        else
            dict[i] = VALUE_OF_STR(
                scope_text(entity, f->intrinsic == INTRINSIC_SCOPE_NAME ? SCOPE_NAME : SCOPE_VERSION));
    }
    struct batch_part p = { .type = values_type(dict, n, &any), .dict = dict, .n_dict = n };
    *out = (struct batch_column){ 0 };
    if (!any) return ERR_OK;
    struct source s = { .load = load_u32, .vec = is_scope ? &t->scope : &t->resource };
    return one_part(b, p, s, out);
}

// --- intrinsics ----------------------------------------------------------------------------------

// Texts that some rows have, out of a dictionary that others share: a dictionary of those that occur,
// behind `first`. codes: per entry.
struct picked {
    uint32_t *codes;
    struct value *values;
    uint32_t n;
};

static enum err pick_texts(struct table_batch *b, const struct segvec *ids, uint32_t n, bool empty_first,
                           struct picked *out) {
    const struct dict *d = &b->table->texts;
    uint32_t n_dict = dict_count(d);
    uint32_t *code_of = arena_zalloc(b->batch.arena, (n_dict + 1ull) * sizeof *code_of); // code + 1
    *out = (struct picked){ .codes = ARENA_ARRAY(b->batch.arena, n + 1ull, uint32_t),
                            .values =
                                ARENA_ARRAY(b->batch.arena, (n < n_dict ? n : n_dict) + 1ull, struct value) };
    if (!code_of || !out->codes || !out->values) return ERR_NOMEM;
    if (empty_first) out->values[out->n++] = VALUE_OF_STR(STR(""));
    for (uint32_t i = 0; i < n; i++) {
        uint32_t id = SEG_AT(ids, i, uint32_t);
        if (code_of[id] == 0) {
            out->values[out->n++] = VALUE_OF_STR(dict_get(d, id));
            code_of[id] = out->n;
        }
        out->codes[i] = code_of[id] - 1;
    }
    return ERR_OK;
}

// Texts that most rows have as "".
static enum err sparse_column(struct table_batch *b, const struct span_sparse *sparse,
                              struct batch_column *out) {
    struct picked picked;
    uint32_t n = atomic_load_explicit(&sparse->n, memory_order_acquire);
    n = segvec_find_u32(&sparse->rows, n, b->batch.n_rows);
    TRY(pick_texts(b, &sparse->vals, n, true, &picked));
    struct batch_part p = { .type = VALUE_STRING, .dict = picked.values, .n_dict = picked.n };
    struct source s = { .load = load_sparse, .sparse = sparse, .n = n, .codes = picked.codes };
    return one_part(b, p, s, out);
}

// Names that are not UTF-8 stand in the rest of rows whose name is "": they become entries of their
// own. dict has room for one more at each call.
struct odd_names {
    struct table_batch *b;
    const struct attr_table *attrs;
    uint32_t n_rows;
    struct few few;
};

static enum err odd_find(struct odd_names *o) {
    uint32_t n = atomic_load_explicit(&o->attrs->n_rest, memory_order_acquire);
    for (uint32_t i = 0; i < n; i++) {
        uint32_t row = SEG_AT(&o->attrs->rest_row, i, uint32_t);
        struct str name;
        if (row >= o->n_rows) break;
        if (!rest_field(SEG_AT(&o->attrs->rest_val, i, struct str), REST_NAME, &name)) continue;
        TRY(few_add(&o->few, o->b->batch.arena, row, VALUE_OF_STR(name)));
    }
    return ERR_OK;
}

// A column whose rows have these codes but for odd names.
static enum err named_column(struct odd_names *o, const struct value *dict, uint32_t n_dict, uint32_t *codes,
                             struct batch_column *out) {
    struct value *all = ARENA_ARRAY(o->b->batch.arena, n_dict + o->few.n + 1ull, struct value);
    if (!all) return ERR_NOMEM;
    if (n_dict) memcpy(all, dict, n_dict * sizeof *all);
    for (uint32_t i = 0; i < o->few.n; i++) {
        all[n_dict + i] = o->few.values[i];
        codes[o->few.rows[i]] = n_dict + i;
    }
    struct batch_part p = { .type = VALUE_STRING, .dict = all, .n_dict = n_dict + o->few.n };
    return one_part(o->b, p, (struct source){ .load = load_codes, .codes = codes }, out);
}

static enum err name_column(struct table_batch *b, struct batch_column *out) {
    const struct span_table *t = b->table;
    uint32_t n = dict_count(&t->names), n_rows = b->batch.n_rows;
    struct value *dict = dict_values(b->batch.arena, &t->names, n, VALUE_STRING);
    struct odd_names odd = { .b = b, .attrs = &t->attrs, .n_rows = n_rows };
    bool has_empty = false;
    if (!dict) return ERR_NOMEM;
    for (uint32_t i = 0; i < n && !has_empty; i++) has_empty = dict[i].s.len == 0;
    if (has_empty) TRY(odd_find(&odd));
    if (odd.few.n == 0) {
        struct batch_part p = { .type = VALUE_STRING, .dict = dict, .n_dict = n };
        return one_part(b, p, (struct source){ .load = load_u32, .vec = &t->name }, out);
    }
    const uint32_t *names = table_slice(b, &t->name, 0, n_rows, sizeof *names);
    uint32_t *codes = names ? arena_copy(b->batch.arena, names, n_rows * sizeof *codes) : NULL;
    return codes ? named_column(&odd, dict, n, codes, out) : ERR_NOMEM;
}

static enum err event_name_column(struct table_batch *b, uint32_t n, struct batch_column *out) {
    const struct span_events *e = &b->table->events;
    struct odd_names odd = { .b = b, .attrs = &e->attrs, .n_rows = n };
    struct picked picked;
    bool has_empty = false;
    TRY(pick_texts(b, &e->name, n, false, &picked));
    for (uint32_t i = 0; i < picked.n && !has_empty; i++) has_empty = picked.values[i].s.len == 0;
    if (has_empty) TRY(odd_find(&odd));
    return named_column(&odd, picked.values, picked.n, picked.codes, out);
}

// Kind and status: a byte, which is its own code.
static enum err byte_column(struct table_batch *b, const struct segvec *v, enum value_type type,
                            struct batch_column *out) {
    enum { BYTES = 256 };
    struct value *dict = ARENA_ARRAY(b->batch.arena, BYTES, struct value);
    if (!dict) return ERR_NOMEM;
    for (int i = 0; i < BYTES; i++) dict[i] = (struct value){ .type = type, .i = i };
    struct batch_part p = { .type = type, .dict = dict, .n_dict = BYTES };
    return one_part(b, p, (struct source){ .load = load_u8, .vec = v }, out);
}

// What a trace says of itself: an entry for each.
static struct value root_value(struct table_batch *b, const struct batch_trace *tr, enum intrinsic i) {
    uint32_t root = table_root(b, tr);
    if (root == SPAN_NONE) return VALUE_OF_NIL;
    return VALUE_OF_STR(i == INTRINSIC_ROOT_NAME ? span_name(b->table, root) : span_service(b->table, root));
}

static enum err trace_values(struct table_batch *b, enum intrinsic i, struct value *dict) {
    struct batch *x = &b->batch;
    char *hex = i == INTRINSIC_TRACE_ID ? arena_array(x->arena, x->n_traces + 1ull, 32) : NULL;
    if (i == INTRINSIC_TRACE_ID && !hex) return ERR_NOMEM;
    for (uint32_t k = 0; k < x->n_traces; k++) {
        const struct batch_trace *tr = &x->traces[k];
        if (i == INTRINSIC_TRACE_DURATION) {
            dict[k] = (struct value){ .type = VALUE_DURATION, .i = (int64_t)(tr->end_ns - tr->start_ns) };
        } else if (i == INTRINSIC_TRACE_ID) {
            hex_encode(tr->id, 16, hex + k * 32ull);
            dict[k] = VALUE_OF_STR(((struct str){ hex + k * 32ull, 32 }));
        } else {
            dict[k] = root_value(b, tr, i);
        }
    }
    return ERR_OK;
}

static enum err trace_column(struct table_batch *b, enum intrinsic i, struct batch_column *out) {
    struct value *dict = ARENA_ARRAY(b->batch.arena, b->batch.n_traces + 1ull, struct value);
    bool any;
    if (!dict) return ERR_NOMEM;
    TRY(trace_values(b, i, dict));
    struct batch_part p = { .dict = dict, .n_dict = b->batch.n_traces };
    p.type = values_type(dict, p.n_dict, &any);
    *out = (struct batch_column){ 0 };
    if (!any) return ERR_OK;
    return one_part(b, p, (struct source){ .load = load_u32, .vec = &b->table->trace }, out);
}

static enum err span_column(struct table_batch *b, enum intrinsic i, struct batch_column *out) {
    const struct span_table *t = b->table;
    switch (i) {
    case INTRINSIC_DURATION:
        return one_part(b, (struct batch_part){ .type = VALUE_DURATION },
                        (struct source){ .load = load_duration }, out);
    case INTRINSIC_NAME: return name_column(b, out);
    case INTRINSIC_STATUS: return byte_column(b, &t->status, VALUE_STATUS, out);
    case INTRINSIC_STATUS_MESSAGE: return sparse_column(b, &t->status_message, out);
    case INTRINSIC_TRACE_STATE: return sparse_column(b, &t->trace_state, out);
    case INTRINSIC_KIND: return byte_column(b, &t->kind, VALUE_KIND, out);
    case INTRINSIC_SPAN_ID:
        return one_part(b, (struct batch_part){ .type = VALUE_STRING },
                        (struct source){ .load = load_ids, .vec = &t->span_id }, out);
    case INTRINSIC_TRACE_ID:
    case INTRINSIC_TRACE_DURATION:
    case INTRINSIC_ROOT_NAME:
    case INTRINSIC_ROOT_SERVICE: return trace_column(b, i, out);
    case INTRINSIC_SCOPE_NAME:
    case INTRINSIC_SCOPE_VERSION: return entity_column(b, true, &(struct field){ .intrinsic = i }, out);
    default: return ERR_INVALID;
    }
}

static enum err event_column(struct table_batch *b, const struct field *f, uint32_t n,
                             struct batch_column *out) {
    switch (f->intrinsic) {
    case INTRINSIC_NONE: return attr_parts(b, &b->table->events.attrs, n, f->key, out);
    case INTRINSIC_EVENT_NAME: return event_name_column(b, n, out);
    case INTRINSIC_EVENT_TIME:
        return one_part(b, (struct batch_part){ .type = VALUE_DURATION },
                        (struct source){ .load = load_event_time }, out);
    default: return ERR_INVALID;
    }
}

static enum err link_column(struct table_batch *b, const struct field *f, uint32_t n,
                            struct batch_column *out) {
    struct batch_part p = { .type = VALUE_STRING };
    switch (f->intrinsic) {
    case INTRINSIC_NONE: return attr_parts(b, &b->table->links.attrs, n, f->key, out);
    case INTRINSIC_LINK_TRACE_ID: return one_part(b, p, (struct source){ .load = load_link_traces }, out);
    case INTRINSIC_LINK_SPAN_ID:
        return one_part(b, p, (struct source){ .load = load_ids, .vec = &b->table->links.span_id }, out);
    default: return ERR_INVALID;
    }
}

enum err table_column(struct batch *b, enum batch_table table, const struct field *f,
                      struct batch_column *out) {
    struct table_batch *tb = table_batch_of(b);
    struct table_memo *m = table_memo(tb);
    *out = (struct batch_column){ 0 };
    if (!m) return ERR_NOMEM;
    if (table == BATCH_EVENTS) return m->n_events ? event_column(tb, f, m->n_events, out) : ERR_OK;
    if (table == BATCH_LINKS) return m->n_links ? link_column(tb, f, m->n_links, out) : ERR_OK;
    if (f->intrinsic != INTRINSIC_NONE) return span_column(tb, f->intrinsic, out);
    if (f->scope == FIELD_SPAN) return attr_parts(tb, &tb->table->attrs, b->n_rows, f->key, out);
    ASSERT(f->scope == FIELD_RESOURCE || f->scope == FIELD_INSTRUMENTATION);
    return entity_column(tb, f->scope == FIELD_INSTRUMENTATION, f, out);
}

enum err table_load(struct batch *b, const struct batch_part *p, uint32_t from, uint32_t to,
                    struct vec *out) {
    const struct source *s = p->source;
    ASSERT(from <= to);
    return s->load(table_batch_of(b), s, from, to, out);
}

enum err table_may_hold(struct batch *b, const struct batch_part *p, const struct value *v, bool *out) {
    (void)b, (void)p, (void)v;
    *out = true;
    return ERR_OK;
}
