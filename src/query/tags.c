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
    struct arena *arena; // of the answer, or of a part of it
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

// text_lasts: as long as the arena does.
static enum err set_put(struct value_set *s, const struct value *v, bool text_lasts) {
    uint64_t hash = value_hash(v);
    if (map_get(&s->map, hash, set_eq, s, v) != MAP_NONE) return ERR_OK;
    TRY(set_room(s));
    s->at[s->n] = *v;
    if (v->type == VALUE_STRING && !text_lasts) {
        s->at[s->n].s = str_dup(s->arena, v->s);
        if (!s->at[s->n].s.ptr) return ERR_NOMEM;
    }
    TRY(map_put(&s->map, hash, s->n, set_hash, s));
    s->n++;
    return ERR_OK;
}

// One for each thread that gathers.
static struct value_set *sets_new(uint32_t n) {
    struct value_set *sets = mem_zalloc(n * sizeof *sets);
    for (uint32_t i = 0; sets && i < n; i++) map_init(&sets[i].map, UINT32_MAX);
    return sets;
}

static void sets_free(struct value_set *sets, uint32_t n) {
    for (uint32_t i = 0; sets && i < n; i++) map_fini(&sets[i].map);
    mem_free(sets);
}

// The first one gets what all n of them have, whose arenas live on in `arena`.
static enum err sets_join(struct value_set *sets, uint32_t n, struct arena *arena) {
    sets->arena = arena;
    for (uint32_t i = 1; i < n; i++)
        for (uint32_t k = 0; k < sets[i].n; k++) TRY(set_put(sets, &sets[i].at[k], true));
    return ERR_OK;
}

static void set_element(void *ctx, const struct value *v) {
    struct value_set *s = ctx;
    if (s->err == ERR_OK) s->err = set_put(s, v, false);
}

// Of an array, its elements: each of them is what a comparison finds.
static enum err set_add(struct value_set *s, const struct value *v) {
    if (v->type == VALUE_NIL) return ERR_OK;
    if (v->type != VALUE_ANY) return set_put(s, v, false);
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
    const struct field *field;
    struct value_set *sets;
    uint32_t n_sets;
    struct arena *answer;
};

static enum err add_value(void *ctx, const struct value *v) {
    return set_add(ctx, v);
}

// An unscoped field: what any scope has under this key.
static enum err values_of_batch(void *ctx, const struct swept *x) {
    const struct values_sweep *w = ctx;
    struct value_set *set = &w->sets[x->worker];
    struct field f = *w->field;
    set->arena = x->answer;
    if (f.intrinsic != INTRINSIC_NONE || f.scope != FIELD_UNSCOPED)
        return read_field(x->batch, &f, x->bits, x->is_head, add_value, set);
    for (int s = FIELD_SPAN; s < FIELD_SCOPE_COUNT; s++) {
        f.scope = (enum field_scope)s;
        TRY(read_field(x->batch, &f, x->bits, x->is_head, add_value, set));
    }
    return ERR_OK;
}

static enum err join_values(void *ctx) {
    const struct values_sweep *w = ctx;
    return sets_join(w->sets, w->n_sets, w->answer);
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

static void give_values(const struct value_set *set, uint32_t limit, struct tag_values *out) {
    if (set->n > 1) qsort(set->at, set->n, sizeof *set->at, by_value);
    out->values = set->at;
    out->cut = limit && set->n > limit;
    out->n = out->cut ? limit : set->n;
}

enum err tags_values(struct view *v, const struct field *f, const struct ql_query *filter,
                     const struct query_bounds *bounds, uint32_t limit, struct tag_values *out,
                     struct err_ctx *ctx) {
    struct values_sweep w = { .field = f, .n_sets = sweep_workers(bounds), .answer = &out->arena };
    memset(out, 0, sizeof *out);
    if (!has_column(f)) return err_set(ctx, ERR_INVALID, "the values of this field cannot be listed");
    arena_init(&out->arena, SIZE_MAX, NULL);
    struct sweep sweep = { .view = v,
                           .bounds = bounds,
                           .filter = filter,
                           .needs_traces = is_of_trace(f),
                           .answer = &out->arena,
                           .each = values_of_batch,
                           .end = join_values,
                           .ctx = &w,
                           .stats = &out->stats,
                           .why = out->why };
    w.sets = sets_new(w.n_sets);
    enum err e = w.sets ? sweep_run(&sweep, ctx) : ERR_NOMEM;
    if (e == ERR_OK) give_values(w.sets, limit, out);
    sets_free(w.sets, w.n_sets);
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
    uint32_t scopes, n_sets;
    struct value_set *sets[FIELD_SCOPE_COUNT]; // of strings
    struct arena *answer;
};

struct naming { // the keys of a scope of a batch
    struct batch *batch;
    enum field_scope scope;
    const uint64_t *bits;
    struct value_set *set;
    bool found;
    enum err err;
};

static enum err note_found(void *ctx, const struct value *v) {
    struct naming *w = ctx;
    if (v->type == VALUE_NIL) return ERR_OK;
    w->found = true;
    return ERR_EXISTS; // enough
}

static void add_key(void *ctx, struct str key) {
    struct naming *w = ctx;
    struct field f = { .scope = w->scope, .key = key };
    struct value v = VALUE_OF_STR(key);
    if (w->err != ERR_OK) return;
    if (w->bits) { // does a matched span have it?
        w->found = false;
        enum err e = read_field(w->batch, &f, w->bits, true, note_found, w);
        if (e != ERR_OK && e != ERR_EXISTS) w->err = e;
        if (!w->found) return;
    }
    if (w->err == ERR_OK) w->err = set_put(w->set, &v, false);
}

static enum err names_of_batch(void *ctx, const struct swept *x) {
    const struct names_sweep *w = ctx;
    for (int s = FIELD_SPAN; s < FIELD_SCOPE_COUNT; s++) {
        if (!(w->scopes & 1u << s)) continue;
        struct naming n = {
            .batch = x->batch, .scope = (enum field_scope)s, .bits = x->bits, .set = &w->sets[s][x->worker]
        };
        n.set->arena = x->answer;
        TRY(x->batch->ops->keys(x->batch, n.scope, add_key, &n));
        TRY(n.err);
    }
    return ERR_OK;
}

static enum err join_names(void *ctx) {
    const struct names_sweep *w = ctx;
    for (int s = 0; s < FIELD_SCOPE_COUNT; s++)
        if (w->scopes & 1u << s) TRY(sets_join(w->sets[s], w->n_sets, w->answer));
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
    struct names_sweep w = { .scopes = scopes, .n_sets = sweep_workers(bounds), .answer = &out->arena };
    memset(out, 0, sizeof *out);
    arena_init(&out->arena, SIZE_MAX, NULL);
    struct sweep sweep = { .view = v,
                           .bounds = bounds,
                           .filter = filter,
                           .answer = &out->arena,
                           .each = names_of_batch,
                           .end = join_names,
                           .ctx = &w,
                           .stats = &out->stats,
                           .why = out->why };
    enum err e = ERR_OK;
    for (int s = 0; s < FIELD_SCOPE_COUNT && e == ERR_OK; s++)
        if (!(w.sets[s] = sets_new(w.n_sets))) e = ERR_NOMEM;
    if (e == ERR_OK && scopes) e = sweep_run(&sweep, ctx);
    for (int s = 0; s < FIELD_SCOPE_COUNT; s++) {
        if (e == ERR_OK) e = take_names(w.sets[s], limit, out, s);
        sets_free(w.sets[s], w.n_sets);
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
