// SPDX-License-Identifier: Apache-2.0
// The numbers that a function measures, by row, straight from the column where the field is one.
#include "exec/metrics_internal.h"

struct numbering {
    const uint64_t *wanted;
    uint64_t *have; // rows that have a number
    int64_t *bits;
    uint8_t *types;
};

static void put(struct numbering *x, uint32_t row, const struct value *v) {
    if (!value_is_number(v->type) || (v->type == VALUE_FLOAT && v->f != v->f)) return;
    bit_set(x->have, row);
    x->types[row] = (uint8_t)v->type;
    memcpy(&x->bits[row], &v->i, sizeof v->i);
}

static struct value value_at(const struct rows_piece *p, uint32_t i) {
    switch (p->vec->form) {
    case VEC_CODES: return p->part->dict[p->vec->codes[i]];
    case VEC_INTS: return (struct value){ .type = p->part->type, .i = p->vec->ints[i] };
    case VEC_FLOATS: return (struct value){ .type = p->part->type, .f = p->vec->floats[i] };
    default: return VALUE_OF_NIL;
    }
}

// One vector of integers over all rows is the answer as it is: durations are.
static bool is_plain(const struct rows *rows, uint32_t i, uint32_t n_rows, struct metric_numbers *out) {
    struct rows_cursor at = { 0 };
    struct rows_piece first, second;
    if (!rows_piece_next(rows, i, &at, &first) || rows_piece_next(rows, i, &at, &second)) return false;
    const struct vec *v = first.vec;
    if (v->form != VEC_INTS || v->rows || first.from != 0 || v->n != n_rows) return false;
    if (!value_is_number(first.part->type)) return false;
    *out = (struct metric_numbers){ .bits = v->ints, .type = first.part->type };
    return true;
}

static void put_pieces(struct numbering *x, const struct rows *rows, uint32_t i) {
    struct rows_cursor at = { 0 };
    for (struct rows_piece p; rows_piece_next(rows, i, &at, &p);) {
        for (uint32_t k = 0; k < p.vec->n; k++) {
            uint32_t row = p.from + (p.vec->rows ? p.vec->rows[k] : k);
            struct value v = value_at(&p, k);
            if (bit_get(x->wanted, row) && !bit_get(x->have, row)) put(x, row, &v);
        }
    }
}

enum err metric_numbers_of(struct rows *rows, uint32_t i, uint64_t *wanted, uint32_t n_rows, struct arena *a,
                           struct metric_numbers *out) {
    TRY(rows_want(rows, i, wanted));
    bool is_column = rows_is_column(rows, i);
    if (is_column && is_plain(rows, i, n_rows, out)) return ERR_OK;
    uint32_t words = (n_rows + 63) / 64;
    struct numbering x = { .wanted = wanted,
                           .have = arena_zalloc(a, (words + 1) * sizeof(uint64_t)),
                           .bits = ARENA_ARRAY(a, n_rows + 1ull, int64_t),
                           .types = arena_alloc(a, n_rows + 1ull) };
    if (!x.have || !x.bits || !x.types) return ERR_NOMEM;
    if (is_column) {
        put_pieces(&x, rows, i);
    } else {
        struct metric_run all = { .n = n_rows };
        uint32_t row;
        METRIC_EACH_ROW(&all, wanted, row) {
            struct value v = rows_value(rows, i, row);
            put(&x, row, &v);
        }
    }
    for (uint32_t w = 0; w < words; w++) wanted[w] &= x.have[w];
    *out = (struct metric_numbers){ .bits = x.bits, .types = x.types };
    return ERR_OK;
}
