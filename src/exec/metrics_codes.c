// SPDX-License-Identifier: Apache-2.0
// Values of a field as small numbers, so that what follows looks nothing up by row: the column's own
// dictionary where there is one, else the values as they are met.
#include "exec/metrics_internal.h"

enum { TABLE_MAX = 1 << 16 }; // pairs of codes that are looked up in a table

// --- values as they are met ------------------------------------------------------------------------

struct intern {
    struct arena *arena;
    struct value *values; // by code; 0 = NIL
    uint32_t n, cap;
    uint32_t *slots;  // of codes, 0 = free
    uint32_t n_slots; // power of two
};

static bool is_text(const struct value *v) {
    return v->type == VALUE_STRING || v->type == VALUE_ANY;
}

// By their bits: codes may be finer than value_order, which decides when groups are made of them.
static inline uint32_t intern_hash(const struct value *v) {
    return (uint32_t)(is_text(v) ? hash_str(v->s) : hash_u64((uint64_t)v->i + v->type));
}
static inline bool intern_eq(const struct value *a, const struct value *b) {
    return a->type == b->type && (is_text(a) ? str_eq(a->s, b->s) : a->i == b->i);
}

static enum err intern_grow(struct intern *t) {
    uint32_t cap = t->cap ? t->cap * 2 : 64, n_slots = cap * 2;
    struct value *values = ARENA_ARRAY(t->arena, cap, struct value);
    uint32_t *slots = arena_zalloc(t->arena, n_slots * sizeof *slots);
    if (!values || !slots) return ERR_NOMEM;
    if (t->n) memcpy(values, t->values, t->n * sizeof *values);
    if (t->n == 0) values[t->n++] = VALUE_OF_NIL;
    for (uint32_t i = 1; i < t->n; i++) {
        uint32_t at = intern_hash(&values[i]) & (n_slots - 1);
        while (slots[at]) at = (at + 1) & (n_slots - 1);
        slots[at] = i;
    }
    t->values = values;
    t->cap = cap;
    t->slots = slots;
    t->n_slots = n_slots;
    return ERR_OK;
}

// Strings stay where they are: they live as long as the batch.
static inline enum err intern_value(struct intern *t, const struct value *v, uint32_t *code) {
    *code = 0;
    if (v->type == VALUE_NIL) return ERR_OK;
    if (t->n == t->cap) TRY(intern_grow(t));
    uint32_t at = intern_hash(v) & (t->n_slots - 1);
    for (; t->slots[at]; at = (at + 1) & (t->n_slots - 1))
        if (intern_eq(&t->values[t->slots[at]], v)) {
            *code = t->slots[at];
            return ERR_OK;
        }
    *code = t->slots[at] = t->n;
    t->values[t->n++] = *v;
    return ERR_OK;
}

static struct value piece_value(const struct batch_part *p, const struct vec *v, uint32_t i) {
    switch (v->form) {
    case VEC_CODES: return p->dict[v->codes[i]];
    case VEC_INTS: return (struct value){ .type = p->type, .i = v->ints[i] };
    case VEC_FLOATS: return (struct value){ .type = p->type, .f = v->floats[i] };
    default: return (struct value){ .type = p->type, .s = v->texts[i] };
    }
}

struct coding {
    struct intern intern;
    const uint64_t *wanted;
    uint32_t *codes;
    uint32_t *of_dict; // of the part at hand: code + 1 of an entry, 0 = not met yet
};

static enum err code_of_entry(struct coding *c, const struct batch_part *p, uint32_t entry, uint32_t *code) {
    if (!c->of_dict[entry]) {
        TRY(intern_value(&c->intern, &p->dict[entry], code));
        c->of_dict[entry] = *code + 1;
    }
    *code = c->of_dict[entry] - 1;
    return ERR_OK;
}

// A row that has a code already keeps it: of a value that is there twice, the first part's counts.
static enum err code_piece(struct coding *c, const struct rows_piece *x) {
    struct value last = VALUE_OF_NIL;
    uint32_t last_code = 0, code;
    for (uint32_t i = 0; i < x->vec->n; i++) {
        uint32_t row = x->from + (x->vec->rows ? x->vec->rows[i] : i);
        if (!bit_get(c->wanted, row) || c->codes[row]) continue;
        if (x->vec->form == VEC_CODES) {
            TRY(code_of_entry(c, x->part, x->vec->codes[i], &code));
        } else {
            struct value v = piece_value(x->part, x->vec, i);
            if (intern_eq(&v, &last)) {
                code = last_code;
            } else {
                TRY(intern_value(&c->intern, &v, &code));
                last = v;
                last_code = code;
            }
        }
        c->codes[row] = code;
    }
    return ERR_OK;
}

static enum err code_pieces(struct coding *c, const struct rows *rows, uint32_t i) {
    const struct batch_part *part = NULL;
    struct rows_cursor at = { 0 };
    for (struct rows_piece x; rows_piece_next(rows, i, &at, &x);) {
        if (x.part != part && x.part->dict) {
            c->of_dict = arena_zalloc(c->intern.arena, (x.part->n_dict + 1ull) * sizeof *c->of_dict);
            if (!c->of_dict) return ERR_NOMEM;
        }
        part = x.part;
        TRY(code_piece(c, &x));
    }
    return ERR_OK;
}

enum err metric_codes_of(struct rows *rows, uint32_t i, const uint64_t *wanted, uint32_t n_rows,
                         struct arena *a, struct metric_codes *out) {
    TRY(rows_want(rows, i, wanted));
    if (rows_codes(rows, i, &out->of_row, &out->values, &out->n)) return ERR_OK;
    struct coding c = { .intern.arena = a, .wanted = wanted };
    c.codes = arena_zalloc(a, (n_rows + 1ull) * sizeof *c.codes);
    if (!c.codes) return ERR_NOMEM;
    TRY(intern_grow(&c.intern));
    if (rows_is_column(rows, i)) {
        TRY(code_pieces(&c, rows, i));
    } else {
        struct metric_run all = { .n = n_rows };
        uint32_t row;
        METRIC_EACH_ROW(&all, wanted, row) {
            struct value v = rows_value(rows, i, row);
            TRY(intern_value(&c.intern, &v, &c.codes[row]));
        }
    }
    *out = (struct metric_codes){ c.codes, c.intern.values, c.intern.n };
    return ERR_OK;
}

// --- pairs -----------------------------------------------------------------------------------------

struct pairs {
    uint64_t *keys;
    uint32_t *codes;  // code + 1, 0 = free
    uint64_t n_slots; // power of two
    uint32_t n;
};

// Room for one more pair: at most half of the slots are in use.
static enum err pairs_room(struct pairs *p, struct arena *a) {
    if (p->n_slots && p->n < p->n_slots / 2) return ERR_OK;
    struct pairs more = { .n = p->n, .n_slots = p->n_slots ? p->n_slots * 2 : 1024 };
    more.keys = ARENA_ARRAY(a, more.n_slots, uint64_t);
    more.codes = arena_zalloc(a, more.n_slots * sizeof *more.codes);
    if (!more.keys || !more.codes) return ERR_NOMEM;
    for (uint64_t i = 0; i < p->n_slots; i++) {
        if (!p->codes[i]) continue;
        uint64_t at = hash_u64(p->keys[i]) & (more.n_slots - 1);
        while (more.codes[at]) at = (at + 1) & (more.n_slots - 1);
        more.keys[at] = p->keys[i];
        more.codes[at] = p->codes[i];
    }
    *p = more;
    return ERR_OK;
}

struct joining {
    const struct metric_codes *x, *y;
    const uint64_t *wanted;
    struct metric_run rows; // all
    struct arena *arena;
    uint32_t *codes; // out, by row
    uint32_t n;      // out
};

static uint64_t key_of(const struct joining *j, uint32_t row) {
    return (uint64_t)j->x->of_row[row] * j->y->n + j->y->of_row[row];
}

static enum err join_by_table(struct joining *j, uint64_t all) {
    uint32_t *table = arena_zalloc(j->arena, (all + 1) * sizeof *table), n = 0, row;
    if (!table) return ERR_NOMEM;
    METRIC_EACH_ROW(&j->rows, j->wanted, row) {
        uint32_t *at = &table[key_of(j, row)];
        if (!*at) *at = ++n;
        j->codes[row] = *at - 1;
    }
    j->n = n;
    return ERR_OK;
}

static enum err join_by_hash(struct joining *j) {
    struct pairs p = { 0 };
    uint32_t row;
    METRIC_EACH_ROW(&j->rows, j->wanted, row) {
        TRY(pairs_room(&p, j->arena));
        uint64_t key = key_of(j, row), at = hash_u64(key) & (p.n_slots - 1);
        while (p.codes[at] && p.keys[at] != key) at = (at + 1) & (p.n_slots - 1);
        p.keys[at] = key;
        if (!p.codes[at]) p.codes[at] = ++p.n;
        j->codes[row] = p.codes[at] - 1;
    }
    j->n = p.n;
    return ERR_OK;
}

enum err metric_codes_join(const struct metric_codes *x, const struct metric_codes *y, const uint64_t *wanted,
                           uint32_t n_rows, struct arena *a, struct metric_codes *out) {
    struct joining j = { .x = x, .y = y, .wanted = wanted, .rows.n = n_rows, .arena = a };
    uint64_t all = (uint64_t)x->n * y->n;
    j.codes = ARENA_ARRAY(a, n_rows + 1ull, uint32_t);
    if (!j.codes) return ERR_NOMEM;
    TRY(all <= TABLE_MAX ? join_by_table(&j, all) : join_by_hash(&j));
    *out = (struct metric_codes){ j.codes, NULL, j.n };
    return ERR_OK;
}
