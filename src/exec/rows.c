// SPDX-License-Identifier: Apache-2.0
#include "exec/rows_internal.h"
#include "span/parts.h"

// --- which fields there are ------------------------------------------------------------------------

static bool follows_from_parents(const struct field *f) {
    switch (f->intrinsic) {
    case INTRINSIC_CHILD_COUNT:
    case INTRINSIC_NESTED_LEFT:
    case INTRINSIC_NESTED_RIGHT:
    case INTRINSIC_NESTED_PARENT:
    case INTRINSIC_PARENT_ID:
    case INTRINSIC_PARENT: return true;
    default: return false;
    }
}

static enum batch_table table_of(const struct field *f) {
    return f->scope == FIELD_EVENT ? BATCH_EVENTS : f->scope == FIELD_LINK ? BATCH_LINKS : BATCH_SPANS;
}

static enum err add_subs(struct rows *r, uint32_t i) {
    struct field f = r->fields[i].field;
    uint32_t sub[FIELD_SCOPE_COUNT] = { 0 };
    if (f.of_parent) {
        f.of_parent = false;
        TRY(rows_field_of(r, &f, &sub[0]));
    } else {
        for (int s = FIELD_SPAN; s < FIELD_SCOPE_COUNT; s++) {
            f.scope = (enum field_scope)s;
            TRY(rows_field_of(r, &f, &sub[s]));
        }
    }
    memcpy(r->fields[i].sub, sub, sizeof sub);
    return ERR_OK;
}

static enum err add_field(struct rows *r, const struct field *f) {
    if (r->n == r->cap) {
        uint32_t cap = r->cap ? r->cap * 2 : 16;
        struct rows_field *more = ARENA_ARRAY(r->batch->arena, cap, struct rows_field);
        if (!more) return ERR_NOMEM;
        if (r->n) memcpy(more, r->fields, r->n * sizeof *more);
        r->fields = more;
        r->cap = cap;
    }
    uint32_t i = r->n++;
    struct rows_field *x = &r->fields[i];
    *x = (struct rows_field){ .field = *f, .table = table_of(f) };
    if (follows_from_parents(f))
        x->kind = ROWS_TREE;
    else if (f->of_parent)
        x->kind = ROWS_PARENT;
    else if (f->scope == FIELD_UNSCOPED && f->intrinsic == INTRINSIC_NONE)
        x->kind = ROWS_UNSCOPED;
    return x->kind == ROWS_PARENT || x->kind == ROWS_UNSCOPED ? add_subs(r, i) : ERR_OK;
}

enum err rows_field_of(struct rows *r, const struct field *f, uint32_t *out) {
    for (uint32_t i = 0; i < r->n; i++)
        if (field_eq(&r->fields[i].field, f)) {
            *out = i;
            return ERR_OK;
        }
    uint32_t at = r->n;
    TRY(add_field(r, f));
    *out = at;
    return ERR_OK;
}

enum err rows_new(struct batch *b, const struct field *fields, uint32_t n, struct rows **out) {
    struct rows *r = ARENA_NEW(b->arena, struct rows);
    if (!r) return ERR_NOMEM;
    r->batch = b;
    r->n_table[BATCH_SPANS] = b->n_rows;
    tree_init(&r->tree, b);
    r->cap = n + 16;
    r->fields = ARENA_ARRAY(b->arena, r->cap, struct rows_field);
    if (!r->fields) return ERR_NOMEM;
    // The caller's fields keep their numbers: what they are made of comes after them.
    for (uint32_t i = 0; i < n; i++) {
        r->fields[r->n++] = (struct rows_field){ .field = fields[i], .table = table_of(&fields[i]) };
        if (follows_from_parents(&fields[i]))
            r->fields[i].kind = ROWS_TREE;
        else if (fields[i].of_parent)
            r->fields[i].kind = ROWS_PARENT;
        else if (fields[i].scope == FIELD_UNSCOPED && fields[i].intrinsic == INTRINSIC_NONE)
            r->fields[i].kind = ROWS_UNSCOPED;
    }
    for (uint32_t i = 0; i < n; i++)
        if (r->fields[i].kind == ROWS_PARENT || r->fields[i].kind == ROWS_UNSCOPED) TRY(add_subs(r, i));
    *out = r;
    return ERR_OK;
}

// --- loading ---------------------------------------------------------------------------------------

enum err rows_owners(struct rows *r, enum batch_table t) {
    if (r->has_owners[t] || t == BATCH_SPANS) return ERR_OK;
    TRY(r->batch->ops->owners(r->batch, t, &r->owners[t], &r->n_table[t]));
    r->has_owners[t] = true;
    return ERR_OK;
}

enum err rows_open(struct rows *r, uint32_t i) {
    struct rows_field *f = &r->fields[i];
    struct batch_column column;
    if (f->is_open) return ERR_OK;
    TRY(rows_owners(r, f->table));
    TRY(r->batch->ops->column(r->batch, f->table, &f->field, &column));
    f->parts = arena_zalloc(r->batch->arena, (column.n_parts + 1ull) * sizeof *f->parts);
    if (!f->parts) return ERR_NOMEM;
    for (uint32_t p = 0; p < column.n_parts; p++) f->parts[p].part = &column.parts[p];
    f->n_parts = column.n_parts;
    f->is_open = true;
    return ERR_OK;
}

static enum err load_range(struct rows *r, struct rows_part *p, uint32_t from, uint32_t to) {
    struct rows_range *g = ARENA_NEW(r->batch->arena, struct rows_range);
    if (!g) return ERR_NOMEM;
    *g = (struct rows_range){ .from = from, .to = to, .next = p->ranges };
    TRY(r->batch->ops->load(r->batch, p->part, from, to, &g->vec));
    p->ranges = g;
    for (uint32_t c = from / ROWS_CHUNK; c < (to + ROWS_CHUNK - 1) / ROWS_CHUNK; c++) p->chunk[c] = g;
    return ERR_OK;
}

static bool chunk_wanted(const uint64_t *bitmap, uint32_t c, uint32_t n) {
    uint32_t from = c * ROWS_CHUNK, to = from + ROWS_CHUNK < n ? from + ROWS_CHUNK : n;
    return !bitmap || bits_any_range(bitmap, from, to);
}

// Few wanted chunks are loaded alone, many together with all others: a page of a sparse column may
// hold all rows, and would be unpacked again for each run.
enum err rows_want_part(struct rows *r, uint32_t i, uint32_t part, const uint64_t *bitmap) {
    struct rows_field *f = &r->fields[i];
    struct rows_part *p = &f->parts[part];
    uint32_t n = r->n_table[f->table], n_chunks = (n + ROWS_CHUNK - 1) / ROWS_CHUNK, wanted = 0;
    if (p->whole || n == 0) return ERR_OK;
    if (!p->chunk) p->chunk = arena_zalloc(r->batch->arena, n_chunks * sizeof(struct rows_range *));
    if (!p->chunk) return ERR_NOMEM;
    for (uint32_t c = 0; bitmap && c < n_chunks; c++) wanted += chunk_wanted(bitmap, c, n);
    bool all = !bitmap || p->part->is_at_hand || wanted * 4 > n_chunks;
    for (uint32_t c = 0, end; c < n_chunks; c = end) {
        end = c + 1;
        if (p->chunk[c] || !(all || chunk_wanted(bitmap, c, n))) continue;
        while (end < n_chunks && !p->chunk[end] && (all || chunk_wanted(bitmap, end, n))) end++;
        TRY(load_range(r, p, c * ROWS_CHUNK, end * ROWS_CHUNK < n ? end * ROWS_CHUNK : n));
    }
    p->whole = all;
    return ERR_OK;
}

static enum err want_children(struct rows *r, uint32_t i) {
    for (uint32_t p = 0; p < r->fields[i].n_parts; p++) TRY(rows_want_part(r, i, p, NULL));
    return ERR_OK;
}

static enum err want_column(struct rows *r, uint32_t i, const uint64_t *bitmap) {
    TRY(rows_open(r, i));
    if (r->fields[i].table != BATCH_SPANS) return want_children(r, i);
    for (uint32_t p = 0; p < r->fields[i].n_parts; p++) TRY(rows_want_part(r, i, p, bitmap));
    return ERR_OK;
}

static enum err want_parents(struct rows *r, uint32_t i, const uint64_t *bitmap) {
    uint32_t n = r->batch->n_rows;
    TRY(tree_parents(&r->tree));
    if (!bitmap) return rows_want(r, r->fields[i].sub[0], NULL);
    uint64_t *up = arena_zalloc(r->batch->arena, bits_words(n) * 8);
    if (!up) return ERR_NOMEM;
    for (uint32_t row = bits_next(bitmap, 0, n); row < n; row = bits_next(bitmap, row + 1, n))
        if (r->tree.parent[row] < BATCH_ORPHAN) bit_set(up, r->tree.parent[row]);
    return rows_want(r, r->fields[i].sub[0], up);
}

static enum err want_tree(struct rows *r, uint32_t i) {
    switch (r->fields[i].field.intrinsic) {
    case INTRINSIC_CHILD_COUNT: return tree_child_counts(&r->tree);
    case INTRINSIC_PARENT: return tree_parents(&r->tree);
    case INTRINSIC_PARENT_ID:
        if (r->parent_ids || r->batch->n_rows == 0) return ERR_OK;
        return r->batch->ops->parent_ids(r->batch, 0, r->batch->n_rows, &r->parent_ids);
    default: return tree_nested_sets(&r->tree);
    }
}

enum err rows_want(struct rows *r, uint32_t i, const uint64_t *bitmap) {
    switch (r->fields[i].kind) {
    case ROWS_COLUMN: return want_column(r, i, bitmap);
    case ROWS_PARENT: return want_parents(r, i, bitmap);
    case ROWS_TREE: return want_tree(r, i);
    default:
        for (int s = FIELD_SPAN; s < FIELD_SCOPE_COUNT; s++) TRY(want_column(r, r->fields[i].sub[s], bitmap));
        return ERR_OK;
    }
}

// --- values ----------------------------------------------------------------------------------------

// The index of the value at a row of the range, or UINT32_MAX.
static uint32_t find_value(const struct vec *v, uint32_t row) {
    if (!v->rows) return row < v->n ? row : UINT32_MAX;
    uint32_t at = rows_find(v->rows, v->n, row);
    return at < v->n && v->rows[at] == row ? at : UINT32_MAX;
}

static struct value value_of(const struct batch_part *p, const struct vec *v, uint32_t i) {
    switch (v->form) {
    case VEC_CODES: return p->dict[v->codes[i]];
    case VEC_INTS: return (struct value){ .type = p->type, .i = v->ints[i] };
    case VEC_FLOATS: return (struct value){ .type = p->type, .f = v->floats[i] };
    default: return (struct value){ .type = p->type, .s = v->texts[i] };
    }
}

struct value rows_column_value(const struct rows *r, uint32_t i, uint32_t row) {
    const struct rows_field *f = &r->fields[i];
    for (uint32_t p = 0; p < f->n_parts; p++) {
        const struct rows_range *g = f->parts[p].chunk ? f->parts[p].chunk[row / ROWS_CHUNK] : NULL;
        uint32_t k = g ? find_value(&g->vec, row - g->from) : UINT32_MAX;
        if (k == UINT32_MAX) continue;
        struct value v = value_of(f->parts[p].part, &g->vec, k);
        if (v.type != VALUE_NIL) return v;
    }
    return VALUE_OF_NIL;
}

void rows_children(const struct rows *r, enum batch_table t, uint32_t span, uint32_t *from, uint32_t *to) {
    const uint32_t *owner = r->owners[t];
    uint32_t low = 0, high = r->n_table[t];
    while (low < high) {
        uint32_t mid = low + (high - low) / 2;
        if (owner[mid] < span)
            low = mid + 1;
        else
            high = mid;
    }
    *from = low;
    for (high = r->n_table[t]; low < high;) {
        uint32_t mid = low + (high - low) / 2;
        if (owner[mid] <= span)
            low = mid + 1;
        else
            high = mid;
    }
    *to = low;
}

static struct value first_child(const struct rows *r, uint32_t i, uint32_t row) {
    uint32_t from, to;
    if (r->fields[i].n_parts == 0) return VALUE_OF_NIL;
    rows_children(r, r->fields[i].table, row, &from, &to);
    for (; from < to; from++) {
        struct value v = rows_column_value(r, i, from);
        if (v.type != VALUE_NIL) return v;
    }
    return VALUE_OF_NIL;
}

static struct value column_or_child(const struct rows *r, uint32_t i, uint32_t row) {
    return r->fields[i].table == BATCH_SPANS ? rows_column_value(r, i, row) : first_child(r, i, row);
}

bool rows_resolve(const struct rows *r, uint32_t i, uint32_t row, uint32_t *field, enum batch_table *table,
                  uint32_t *from, uint32_t *to) {
    static const enum field_scope order[] = { FIELD_SPAN, FIELD_RESOURCE, FIELD_EVENT, FIELD_LINK,
                                              FIELD_INSTRUMENTATION };
    for (size_t s = 0; s < sizeof order / sizeof *order; s++) {
        uint32_t sub = r->fields[i].sub[order[s]];
        if (column_or_child(r, sub, row).type == VALUE_NIL) continue;
        *field = sub;
        *table = r->fields[sub].table;
        if (*table != BATCH_SPANS) rows_children(r, *table, row, from, to);
        return true;
    }
    return false;
}

static struct value parent_id(const struct rows *r, uint32_t row) {
    const uint64_t *id = &r->parent_ids[row];
    char *hex = *id ? arena_alloc(r->batch->arena, 16) : NULL; // a failure sticks in the arena
    if (!hex) return VALUE_OF_STR(STR(""));
    hex_encode(id, 8, hex);
    return VALUE_OF_STR(((struct str){ hex, 16 }));
}

static struct value tree_value(const struct rows *r, uint32_t i, uint32_t row) {
    const struct tree *t = &r->tree;
    switch (r->fields[i].field.intrinsic) {
    case INTRINSIC_CHILD_COUNT: return VALUE_OF_INT(t->child_count[row]);
    case INTRINSIC_NESTED_LEFT: return VALUE_OF_INT(t->left[row]);
    case INTRINSIC_NESTED_RIGHT: return VALUE_OF_INT(t->right[row]);
    case INTRINSIC_NESTED_PARENT: return VALUE_OF_INT(t->above[row]);
    case INTRINSIC_PARENT_ID: return parent_id(r, row);
    default: return t->parent[row] < BATCH_ORPHAN ? VALUE_OF_BOOL(true) : VALUE_OF_NIL;
    }
}

struct value rows_value(const struct rows *r, uint32_t i, uint32_t row) {
    uint32_t field, from = 0, to = 0;
    enum batch_table table;
    switch (r->fields[i].kind) {
    case ROWS_COLUMN: return column_or_child(r, i, row);
    case ROWS_TREE: return tree_value(r, i, row);
    case ROWS_PARENT:
        if (r->tree.parent[row] >= BATCH_ORPHAN) return VALUE_OF_NIL;
        return rows_value(r, r->fields[i].sub[0], r->tree.parent[row]);
    default:
        if (!rows_resolve(r, i, row, &field, &table, &from, &to)) return VALUE_OF_NIL;
        return column_or_child(r, field, row);
    }
}

bool rows_codes(const struct rows *r, uint32_t i, const uint32_t **codes, const struct value **dict,
                uint32_t *n_dict) {
    const struct rows_field *f = &r->fields[i];
    if (f->kind != ROWS_COLUMN || f->table != BATCH_SPANS || f->n_parts != 1) return false;
    const struct rows_part *p = &f->parts[0];
    const struct rows_range *g = p->ranges;
    bool whole = g && g->from == 0 && g->to == r->batch->n_rows;
    if (!whole || !p->part->dict || g->vec.form != VEC_CODES || g->vec.rows) return false;
    *codes = g->vec.codes;
    *dict = p->part->dict;
    *n_dict = p->part->n_dict;
    return true;
}

bool rows_is_column(const struct rows *r, uint32_t i) {
    return r->fields[i].kind == ROWS_COLUMN && r->fields[i].table == BATCH_SPANS;
}

bool rows_piece_next(const struct rows *r, uint32_t i, struct rows_cursor *c, struct rows_piece *out) {
    const struct rows_field *f = &r->fields[i];
    const struct rows_range *at = c->at;
    DASSERT(rows_is_column(r, i));
    if (at) c->part += at->next == NULL;
    at = at ? at->next : NULL;
    for (; !at && c->part < f->n_parts; c->part += at == NULL) at = f->parts[c->part].ranges;
    c->at = at;
    if (!at) return false;
    *out = (struct rows_piece){ f->parts[c->part].part, at->from, &at->vec };
    return true;
}

// --- ids and starts --------------------------------------------------------------------------------

static enum err chunk_value(struct rows *r, const uint64_t ***chunks,
                            enum err (*read)(struct batch *, uint32_t, uint32_t, const uint64_t **),
                            uint32_t row, uint64_t *out) {
    uint32_t n = r->batch->n_rows, c = row / ROWS_CHUNK, from = c * ROWS_CHUNK;
    if (!*chunks) *chunks = arena_zalloc(r->batch->arena, (n / ROWS_CHUNK + 1ull) * sizeof **chunks);
    if (!*chunks) return ERR_NOMEM;
    if (!(*chunks)[c])
        TRY(read(r->batch, from, from + ROWS_CHUNK < n ? from + ROWS_CHUNK : n, &(*chunks)[c]));
    *out = (*chunks)[c][row - from];
    return ERR_OK;
}

enum err rows_span_id(struct rows *r, uint32_t row, uint64_t *out) {
    return chunk_value(r, &r->ids, r->batch->ops->span_ids, row, out);
}

enum err rows_start(struct rows *r, uint32_t row, uint64_t *out) {
    return chunk_value(r, &r->starts, r->batch->ops->starts, row, out);
}
