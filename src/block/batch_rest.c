// SPDX-License-Identifier: Apache-2.0
// The rests of rows: what fits no column. The column is read once for a batch, and looked through for
// each key that is asked for: few rows have one.
#include "block/batch_internal.h"

#include "block/restkeys.h"
#include "span/lookup.h"
#include "span/parts.h"

static size_t rest_column(enum batch_table t) {
    return t == BATCH_SPANS ? SC_REST : t == BATCH_EVENTS ? (size_t)EC_REST : (size_t)LC_REST;
}

enum err batch_rests(struct block_batch *b, enum batch_table t, struct memo_table **out) {
    struct memo_table *m = *out = &b->memo->table[t];
    struct in_file *f = batch_file(b, t);
    struct pq_vector v;
    if (m->has_rest) return ERR_OK;
    if (m->n > 0 && !batch_is_empty(b, f, rest_column(t))) {
        TRY(batch_read(b, f, rest_column(t), 0, m->n, &v));
        TRY(vector_strs(&v, &b->scan->arena, &m->rests));
        m->rest_rows = v.rows;
        m->n_rest = v.n_values;
    }
    m->has_rest = true;
    return ERR_OK;
}

static enum err hit_value(struct block_batch *b, const struct rest_hit *hit, struct value *out) {
    struct str any = hit->bytes;
    if (hit->is_large) TRY(large_find(b->block, b->scan, hit->bytes, &any));
    struct attr_value v = attr_value_of(any);
    *out = value_of_attr(&v);
    return ERR_OK;
}

static enum block_rows rest_rows(enum batch_table t) {
    return t == BATCH_SPANS ? BLOCK_ROWS_SPANS : t == BATCH_EVENTS ? BLOCK_ROWS_EVENTS : BLOCK_ROWS_LINKS;
}

static enum err find_in_rests(struct block_batch *b, enum batch_table t, struct str key, struct few *out) {
    struct memo_table *m;
    TRY(batch_rests(b, t, &m));
    for (uint32_t i = 0; i < m->n_rest; i++) {
        struct rest_hit hit;
        struct value v;
        TRY(rest_find(m->rests[i], key, &hit));
        if (!hit.found) continue;
        TRY(hit_value(b, &hit, &v));
        TRY(few_add(out, &b->scan->arena, m->rest_rows ? m->rest_rows[i] : i, v));
    }
    return ERR_OK;
}

enum err batch_rest_part(struct block_batch *b, enum batch_table t, struct str key, struct batch_part *out,
                         bool *found) {
    struct few *few = ARENA_NEW(&b->scan->arena, struct few);
    if (!few) return ERR_NOMEM;
    if (block_rest_may_hold(b->block, rest_rows(t), b->group, key)) TRY(find_in_rests(b, t, key, few));
    *out = (struct batch_part){ .dict = few->values, .n_dict = few->n, .source = few };
    out->type = values_type(few->values, few->n, found);
    return ERR_OK;
}
