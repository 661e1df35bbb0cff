// SPDX-License-Identifier: Apache-2.0
// Without a filter, blocks are asked for their dictionaries and lists of keys only; rows are read of
// columns that have no dictionary, and of heads, whose dictionaries may hold what no span has any more.
// With a filter, of the rows that it leaves.
#include "query/tags.h"

#include <stdlib.h>

#include "base/map.h"
#include "exec/bits.h"
#include "query/sweep.h"

enum { CHUNK_ROWS = 16384 };

// --- values, each once -------------------------------------------------------------------------------------

struct value_set {
    struct arena *arena; // of the answer
    struct map map;
    struct value *at;
    uint32_t n, cap;
    enum err err; // sticks
};

static uint64_t set_hash(const void *ctx, uint32_t i) {
    const struct value_set *s = ctx;
    return value_hash(&s->at[i]);
}

static bool set_eq(const void *ctx, uint32_t i, const void *key) {
    const struct value_set *s = ctx;
    return value_order(&s->at[i], key) == 0;
}

static enum err set_room(struct value_set *s) {
    if (s->n < s->cap) return ERR_OK;
    uint32_t cap = s->cap ? s->cap * 2 : 256;
    struct value *more = ARENA_ARRAY(s->arena, cap, struct value);
    if (!more) return ERR_NOMEM;
    if (s->n) memcpy(more, s->at, s->n * sizeof *more);
    s->at = more;
    s->cap = cap;
    return ERR_OK;
}

static enum err set_put(struct value_set *s, const struct value *v) {
    uint64_t hash = value_hash(v);
    if (map_get(&s->map, hash, set_eq, s, v) != MAP_NONE) return ERR_OK;
    TRY(set_room(s));
    s->at[s->n] = *v;
    if (v->type == VALUE_STRING) {
        s->at[s->n].s = str_dup(s->arena, v->s);
        if (!s->at[s->n].s.ptr) return ERR_NOMEM;
    }
    TRY(map_put(&s->map, hash, s->n, set_hash, s));
    s->n++;
    return ERR_OK;
}

static void set_element(void *ctx, const struct value *v) {
    struct value_set *s = ctx;
    if (s->err == ERR_OK) s->err = set_put(s, v);
}

// Of an array, its elements: each of them is what a comparison finds.
static enum err set_add(struct value_set *s, const struct value *v) {
    if (v->type == VALUE_NIL) return ERR_OK;
    if (v->type != VALUE_ANY) return set_put(s, v);
    (void)value_array(v->s, set_element, s);
    return s->err;
}

static int by_value(const void *x, const void *y) {
    return value_order(x, y);
}

// --- values of a column ------------------------------------------------------------------------------------

struct reading_part {
    struct batch *batch;
    const struct batch_part *part;
    uint8_t *seen; // of a dictionary: codes whose value was given
    enum err (*each)(void *ctx, const struct value *v);
    void *ctx;
};

static struct value vec_value(const struct batch_part *p, const struct vec *v, uint32_t i) {
    switch (v->form) {
    case VEC_CODES: return p->dict[v->codes[i]];
    case VEC_INTS: return (struct value){ .type = p->type, .i = v->ints[i] };
    case VEC_FLOATS: return VALUE_OF_FLOAT(v->floats[i]);
    case VEC_TEXTS:
    default: return (struct value){ .type = p->type, .s = v->texts[i] };
    }
}

static enum err read_vec(struct reading_part *r, const struct vec *v, uint32_t from, const uint64_t *bits) {
    for (uint32_t i = 0; i < v->n; i++) {
        if (bits && !bit_get(bits, from + (v->rows ? v->rows[i] : i))) continue;
        if (v->form == VEC_CODES) {
            if (r->seen[v->codes[i]]) continue;
            r->seen[v->codes[i]] = 1;
        }
        struct value value = vec_value(r->part, v, i);
        TRY(r->each(r->ctx, &value));
    }
    return ERR_OK;
}

// Of the rows in the bitmap (NULL: all) of n rows, each value of a dictionary once.
static enum err read_rows(struct reading_part *r, uint32_t n, const uint64_t *bits) {
    struct vec v;
    if (r->part->dict) {
        r->seen = arena_zalloc(r->batch->arena, r->part->n_dict + 1ull);
        if (!r->seen) return ERR_NOMEM;
    }
    for (uint32_t from = 0; from < n; from += CHUNK_ROWS) {
        uint32_t to = n - from < CHUNK_ROWS ? n : from + CHUNK_ROWS;
        if (bits && !bits_any_range(bits, from, to)) continue;
        TRY(r->batch->ops->load(r->batch, r->part, from, to, &v));
        TRY(read_vec(r, &v, from, bits));
    }
    return ERR_OK;
}

static enum err read_dictionary(struct reading_part *r) {
    for (uint32_t i = 0; i < r->part->n_dict; i++) TRY(r->each(r->ctx, &r->part->dict[i]));
    return ERR_OK;
}

static enum batch_table table_of(const struct field *f) {
    return f->scope == FIELD_EVENT ? BATCH_EVENTS : f->scope == FIELD_LINK ? BATCH_LINKS : BATCH_SPANS;
}

// The rows of a table of children whose spans are in the bitmap. *bits stays NULL for all.
static enum err rows_of_table(struct batch *b, enum batch_table table, const uint64_t *spans, uint32_t *n,
                              const uint64_t **bits) {
    const uint32_t *owners;
    *n = b->n_rows;
    *bits = spans;
    if (table == BATCH_SPANS) return ERR_OK;
    TRY(b->ops->owners(b, table, &owners, n));
    if (!spans) return ERR_OK;
    uint64_t *own = arena_zalloc(b->arena, bits_words(*n) * sizeof *own + 8);
    if (!own) return ERR_NOMEM;
    for (uint32_t i = 0; i < *n; i++)
        if (bit_get(spans, owners[i])) bit_set(own, i);
    *bits = own;
    return ERR_OK;
}

// Calls back for every value of a field of one scope, some of them more than once.
static enum err read_field(struct batch *b, const struct field *f, const uint64_t *spans, bool is_head,
                           enum err (*each)(void *ctx, const struct value *v), void *ctx) {
    struct batch_column c;
    enum batch_table table = table_of(f);
    const uint64_t *bits;
    uint32_t n;
    TRY(b->ops->column(b, table, f, &c));
    if (c.n_parts == 0) return ERR_OK;
    TRY(rows_of_table(b, table, spans, &n, &bits));
    for (uint32_t i = 0; i < c.n_parts; i++) {
        const struct batch_part *p = &c.parts[i];
        struct reading_part r = { .batch = b, .part = p, .each = each, .ctx = ctx };
        bool byte = p->type == VALUE_STATUS || p->type == VALUE_KIND; // dictionaries of all bytes
        TRY(p->dict && !bits && !is_head && !byte ? read_dictionary(&r) : read_rows(&r, n, bits));
    }
    return ERR_OK;
}

// --- tags_values -------------------------------------------------------------------------------------------

struct values_sweep {
    struct value_set set;
    const struct field *field;
};

static enum err add_value(void *ctx, const struct value *v) {
    return set_add(ctx, v);
}

// An unscoped field: what any scope has under this key.
static enum err values_of_batch(void *ctx, struct batch *b, const uint64_t *bits, bool is_head) {
    struct values_sweep *w = ctx;
    struct field f = *w->field;
    if (f.intrinsic != INTRINSIC_NONE || f.scope != FIELD_UNSCOPED)
        return read_field(b, &f, bits, is_head, add_value, &w->set);
    for (int s = FIELD_SPAN; s < FIELD_SCOPE_COUNT; s++) {
        f.scope = (enum field_scope)s;
        TRY(read_field(b, &f, bits, is_head, add_value, &w->set));
    }
    return ERR_OK;
}

static bool has_column(const struct field *f) {
    switch (f->intrinsic) {
    case INTRINSIC_CHILD_COUNT:
    case INTRINSIC_PARENT_ID:
    case INTRINSIC_NESTED_LEFT:
    case INTRINSIC_NESTED_RIGHT:
    case INTRINSIC_NESTED_PARENT:
    case INTRINSIC_PARENT: return false;
    default: return !f->of_parent;
    }
}

static bool is_of_trace(const struct field *f) {
    return f->intrinsic == INTRINSIC_TRACE_ID || f->intrinsic == INTRINSIC_TRACE_DURATION ||
           f->intrinsic == INTRINSIC_ROOT_NAME || f->intrinsic == INTRINSIC_ROOT_SERVICE;
}

enum err tags_values(struct view *v, const struct field *f, const struct ql_query *filter,
                     const struct query_bounds *bounds, uint32_t limit, struct tag_values *out,
                     struct err_ctx *ctx) {
    struct values_sweep w = { .field = f };
    memset(out, 0, sizeof *out);
    if (!has_column(f)) return err_set(ctx, ERR_INVALID, "the values of this field cannot be listed");
    arena_init(&out->arena, SIZE_MAX, NULL);
    w.set.arena = &out->arena;
    map_init(&w.set.map, UINT32_MAX);
    struct sweep sweep = { .view = v,
                           .bounds = bounds,
                           .filter = filter,
                           .needs_traces = is_of_trace(f),
                           .answer = &out->arena,
                           .each = values_of_batch,
                           .ctx = &w,
                           .stats = &out->stats,
                           .why = out->why };
    enum err e = sweep_run(&sweep, ctx);
    map_fini(&w.set.map);
    if (w.set.n > 1) qsort(w.set.at, w.set.n, sizeof *w.set.at, by_value);
    out->values = w.set.at;
    out->cut = limit && w.set.n > limit;
    out->n = out->cut ? limit : w.set.n;
    out->partial = sweep.partial;
    out->held = sweep.held;
    if (e != ERR_OK) tag_values_fini(out);
    return e;
}

void tag_values_fini(struct tag_values *t) {
    arena_fini(&t->arena);
    query_held_release(&t->held);
}

// --- tags_names --------------------------------------------------------------------------------------------

struct names_sweep {
    uint32_t scopes;
    struct value_set sets[FIELD_SCOPE_COUNT]; // of strings
    // The keys of the scope and the batch at hand.
    struct batch *batch;
    enum field_scope scope;
    const uint64_t *bits;
    bool found;
    enum err err;
};

static enum err note_found(void *ctx, const struct value *v) {
    struct names_sweep *w = ctx;
    if (v->type == VALUE_NIL) return ERR_OK;
    w->found = true;
    return ERR_EXISTS; // enough
}

static void add_key(void *ctx, struct str key) {
    struct names_sweep *w = ctx;
    struct field f = { .scope = w->scope, .key = key };
    struct value v = VALUE_OF_STR(key);
    if (w->err != ERR_OK) return;
    if (w->bits) { // does a matched span have it?
        w->found = false;
        enum err e = read_field(w->batch, &f, w->bits, true, note_found, w);
        if (e != ERR_OK && e != ERR_EXISTS) w->err = e;
        if (!w->found) return;
    }
    if (w->err == ERR_OK) w->err = set_put(&w->sets[w->scope], &v);
}

static enum err names_of_batch(void *ctx, struct batch *b, const uint64_t *bits, bool is_head) {
    struct names_sweep *w = ctx;
    (void)is_head;
    w->batch = b;
    w->bits = bits;
    for (int s = FIELD_SPAN; s < FIELD_SCOPE_COUNT; s++) {
        if (!(w->scopes & 1u << s)) continue;
        w->scope = (enum field_scope)s;
        TRY(b->ops->keys(b, w->scope, add_key, w));
        TRY(w->err);
    }
    return ERR_OK;
}

static enum err take_names(struct value_set *set, uint32_t limit, struct tag_names *out, int scope) {
    struct tag_scope *s = &out->scopes[scope];
    if (set->n > 1) qsort(set->at, set->n, sizeof *set->at, by_value);
    s->scope = (enum field_scope)scope;
    s->n = set->n;
    if (limit && set->n > limit) {
        s->n = limit;
        out->cut = true;
    }
    s->names = ARENA_ARRAY(&out->arena, s->n + 1ull, struct str);
    if (!s->names) return ERR_NOMEM;
    for (uint32_t i = 0; i < s->n; i++) s->names[i] = set->at[i].s;
    return ERR_OK;
}

enum err tags_names(struct view *v, uint32_t scopes, const struct ql_query *filter,
                    const struct query_bounds *bounds, uint32_t limit, struct tag_names *out,
                    struct err_ctx *ctx) {
    struct names_sweep w = { .scopes = scopes };
    memset(out, 0, sizeof *out);
    arena_init(&out->arena, SIZE_MAX, NULL);
    for (int s = 0; s < FIELD_SCOPE_COUNT; s++) {
        w.sets[s].arena = &out->arena;
        map_init(&w.sets[s].map, UINT32_MAX);
    }
    struct sweep sweep = { .view = v,
                           .bounds = bounds,
                           .filter = filter,
                           .answer = &out->arena,
                           .each = names_of_batch,
                           .ctx = &w,
                           .stats = &out->stats,
                           .why = out->why };
    enum err e = scopes ? sweep_run(&sweep, ctx) : ERR_OK;
    for (int s = 0; s < FIELD_SCOPE_COUNT; s++) {
        if (e == ERR_OK) e = take_names(&w.sets[s], limit, out, s);
        map_fini(&w.sets[s].map);
    }
    out->partial = sweep.partial;
    out->held = sweep.held;
    if (e != ERR_OK) tag_names_fini(out);
    return e;
}

void tag_names_fini(struct tag_names *t) {
    arena_fini(&t->arena);
    query_held_release(&t->held);
}
