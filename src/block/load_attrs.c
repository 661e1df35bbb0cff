// SPDX-License-Identifier: Apache-2.0
// Attributes of spans, events and links, out of their columns and their rests.
#include "block/load_internal.h"

#include "block/any.h"
#include "block/columns.h"
#include "span/wire.h"

// --- columns ---------------------------------------------------------------------------------------

// Entries of a dictionary are read once each, and only those that a row has.
static enum err walk_any(struct walk *w, struct arena *a, struct str *out) {
    if (w->v.repr != PQ_CODES) return any_read(w->v.strs[w->at], a, out);
    uint32_t code = w->v.codes[w->at];
    if (!w->any) w->any = arena_zalloc(a, (w->v.dict->n + 1ull) * sizeof *w->any);
    if (!w->any) return ERR_NOMEM;
    if (!w->any[code].ptr) TRY(any_read(w->v.dict->strs[code], a, &w->any[code]));
    *out = w->any[code];
    return ERR_OK;
}

static uint64_t walk_bits(const struct walk *w) {
    bool coded = w->v.repr == PQ_CODES;
    uint32_t i = coded ? w->v.codes[w->at] : w->at;
    uint64_t bits = 0;
    switch (w->type) {
    case ATTR_INT: return (uint64_t)(coded ? w->v.dict->i64[i] : w->v.i64[i]);
    case ATTR_FLOAT: memcpy(&bits, coded ? &w->v.dict->f64[i] : &w->v.f64[i], sizeof bits); return bits;
    case ATTR_BOOL: return w->v.bools[i];
    default: return 0;
    }
}

static bool repr_fits(const struct walk *w) {
    bool coded = w->v.repr == PQ_CODES;
    switch (w->type) {
    case ATTR_INT: return coded || w->v.repr == PQ_I64;
    case ATTR_FLOAT: return coded || w->v.repr == PQ_F64;
    case ATTR_BOOL: return w->v.repr == PQ_BOOLS;
    default: return coded || w->v.repr == PQ_STRS;
    }
}

static bool wants_key(const struct block_wanted *w, enum field_scope scope, struct str key) {
    for (uint32_t i = 0; w && i < w->n; i++) {
        const struct field *f = &w->fields[i];
        if (f->intrinsic == INTRINSIC_NONE && (f->scope == scope || f->scope == FIELD_UNSCOPED) &&
            str_eq(f->key, key))
            return true;
    }
    return !w;
}

bool load_wants_rest(const struct loader *l, enum block_rows rows, enum field_scope scope) {
    for (uint32_t i = 0; l->wanted && i < l->wanted->n; i++) {
        const struct field *f = &l->wanted->fields[i];
        if (f->intrinsic == INTRINSIC_NONE && (f->scope == scope || f->scope == FIELD_UNSCOPED) &&
            block_rest_may_hold(l->b, rows, l->group, f->key))
            return true;
    }
    return !l->wanted;
}

enum err load_attrs(struct loader *l, struct in_file *f, const struct attr_def *defs, uint32_t n,
                    enum field_scope scope, uint32_t from, uint32_t to, struct attr_table *t,
                    struct walks *out) {
    *out = (struct walks){ ARENA_ARRAY(&l->s->arena, n + 1ull, struct walk), 0 };
    if (!out->at) return ERR_NOMEM;
    for (uint32_t i = 0; i < n; i++) {
        struct walk *w = &out->at[out->n];
        *w = (struct walk){ .type = defs[i].type, .name = defs[i].key };
        if (f->pq->groups[l->group].chunks[defs[i].column].stats.null_count == f->pq->groups[l->group].n_rows)
            continue;
        if (!wants_key(l->wanted, scope, defs[i].key)) continue;
        TRY(load_read(l, f, defs[i].column, from, to, &w->v));
        if (w->v.n_values == 0) continue;
        if (!repr_fits(w)) return ERR_CORRUPT;
        TRY(attrs_key(t, w->name, &w->key));
        out->n++;
    }
    return ERR_OK;
}

// --- rows ------------------------------------------------------------------------------------------

static enum err large_kv(struct block *b, struct block_scan *s, struct str msg, struct str *out) {
    struct reader r = reader_of(msg);
    struct pb_field f;
    struct str key = STR(""), hash = STR(""), value;
    struct buf kv;
    while (pb_next(&r, &f)) {
        if (f.number == REST_LARGE_KEY && f.wire == PB_BYTES) key = f.bytes;
        if (f.number == REST_LARGE_HASH && f.wire == PB_BYTES) hash = f.bytes;
    }
    TRY(large_find(b, s, hash, &value));
    buf_init(&kv, SIZE_MAX);
    pb_bytes(&kv, KV_KEY, key);
    pb_bytes(&kv, KV_VALUE, value);
    *out = str_dup(&s->arena, buf_view(&kv));
    buf_fini(&kv);
    return out->ptr ? ERR_OK : ERR_NOMEM;
}

// What the rest of the row holds: attributes join the others, fields of the row stay rest.
static enum err row_rest(struct block *b, struct block_scan *s, struct attr_table *t, struct attr_scratch *r,
                         struct str rest) {
    struct reader rd = reader_of(rest);
    struct pb_field f;
    for (const uint8_t *from = rd.pos; pb_next(&rd, &f); from = rd.pos) {
        struct str kv = f.bytes;
        if (f.number == REST_LARGE && f.wire == PB_BYTES) TRY(large_kv(b, s, f.bytes, &kv));
        if (f.number == REST_ATTRIBUTE || f.number == REST_LARGE)
            TRY(attrs_collect(t, kv, r));
        else
            buf_add(&r->rest, from, (size_t)(rd.pos - from));
    }
    return rd.bad ? ERR_CORRUPT : ERR_OK;
}

enum err load_row_attrs(struct loader *l, struct attr_table *t, struct walks *ws, struct walk *rest,
                        uint32_t row) {
    struct attr_scratch *r = &l->row;
    attrs_begin(t, r);
    for (uint32_t i = 0; i < ws->n; i++) {
        struct walk *w = &ws->at[i];
        if (!walk_to(w, row)) continue;
        struct attr_in in = { .key = w->key, .value = { .type = w->type } };
        if (w->type == ATTR_ANY)
            TRY(walk_any(w, &l->s->arena, &in.value.text));
        else if (w->type == ATTR_STRING)
            in.value.text = walk_text(w);
        else
            in.value.bits = walk_bits(w);
        TRY(attr_scratch_add(r, in));
    }
    return walk_to(rest, row) ? row_rest(l->b, l->s, t, r, walk_text(rest)) : ERR_OK;
}
