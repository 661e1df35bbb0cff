// SPDX-License-Identifier: Apache-2.0
#include "exec/leaf.h"

#include "exec/interval.h"
#include "exec/rows_internal.h"

static bool passes(const struct leaf *l, const struct value *v, enum err *error) {
    if (l->value.type == VALUE_NIL) return (v->type == VALUE_NIL) == (l->op == QL_EQ);
    if (l->is_bare && v->type == VALUE_ANY) return false;
    return expr_compare(l->op, v, &l->value, l->regex, error);
}

// --- one part of a column --------------------------------------------------------------------------

struct target {
    struct rows *rows;
    uint32_t field, part;
    uint32_t n; // rows of the table
    const struct leaf *leaf;
};

static const struct rows_part *part_of(const struct target *t) {
    return &t->rows->fields[t->field].parts[t->part];
}

// The few values that have one code, of many: whole stretches have none.
static void mark_one_code(const struct rows_range *g, uint32_t code, uint64_t *out) {
    enum { STRETCH = 1024 };
    const struct vec *v = &g->vec;
    for (uint32_t at = 0; at < v->n; at += STRETCH) {
        uint32_t n = v->n - at < STRETCH ? v->n - at : STRETCH;
        uint64_t hit[STRETCH / 64 + 1] = { 0 };
        bits_codes_equal(hit, NULL, 0, v->codes + at, n, code);
        for (uint32_t i = bits_next(hit, 0, n); i < n; i = bits_next(hit, i + 1, n))
            bit_set(out, g->from + v->rows[at + i]);
    }
}

static void mark_codes(const struct rows_range *g, const struct rows_judged *j, uint32_t n_dict,
                       const uint64_t *mask, uint64_t *out) {
    const struct vec *v = &g->vec;
    if (v->rows && j->n_pass == 1) {
        mark_one_code(g, j->only, out);
    } else if (v->rows) {
        for (uint32_t i = 0; i < v->n; i++)
            if (j->pass[v->codes[i]]) bit_set(out, g->from + v->rows[i]);
    } else if (j->n_pass == 1) {
        bits_codes_equal(out, mask, g->from, v->codes, v->n, j->only);
    } else {
        bits_codes_pass(out, mask, g->from, v->codes, v->n, j->pass, n_dict);
    }
}

static bool same_question(const struct leaf *a, const struct leaf *b) {
    if (a->op != b->op || a->is_bare != b->is_bare || a->regex != b->regex || a->value.type != b->value.type)
        return false;
    bool text = a->value.type == VALUE_STRING || a->value.type == VALUE_ANY;
    return text ? str_eq(a->value.s, b->value.s) : a->value.i == b->value.i; // of floats: the same bits
}

// Mostly the length tells already.
static void find_text(const struct batch_part *p, struct str text, uint8_t *pass, struct rows_judged *out) {
    memset(pass, 0, p->n_dict);
    for (uint32_t i = 0; i < p->n_dict; i++) {
        const struct value *v = &p->dict[i];
        if (v->type != VALUE_STRING || v->s.len != text.len || !str_eq(v->s, text)) continue;
        pass[i] = 1;
        out->n_pass++;
        out->only = i;
    }
}

static enum err judge_entries(const struct leaf *l, const struct batch_part *p, uint8_t *pass,
                              struct rows_judged *out) {
    enum err error = ERR_OK;
    if (l->op == QL_EQ && l->value.type == VALUE_STRING && p->type == VALUE_STRING) {
        find_text(p, l->value.s, pass, out);
        return ERR_OK;
    }
    for (uint32_t i = 0; i < p->n_dict; i++) {
        pass[i] = passes(l, &p->dict[i], &error);
        out->n_pass += pass[i];
        if (pass[i]) out->only = i;
    }
    return error;
}

// Which entries of the dictionary pass: asked before rows are looked at, and again then.
static enum err judge_dict(const struct target *t, const struct rows_judged **out) {
    struct rows_part *part = &t->rows->fields[t->field].parts[t->part];
    for (*out = part->judged; *out; *out = (*out)->next)
        if (same_question((*out)->leaf, t->leaf)) return ERR_OK;
    struct arena *a = t->rows->batch->arena;
    struct rows_judged *j = ARENA_NEW(a, struct rows_judged);
    const struct leaf *leaf = arena_copy(a, t->leaf, sizeof *leaf);
    uint8_t *pass = arena_alloc(a, part->part->n_dict + 1ull);
    if (!j || !leaf || !pass) return ERR_NOMEM;
    *j = (struct rows_judged){ .leaf = leaf, .pass = pass, .next = part->judged };
    TRY(judge_entries(leaf, part->part, pass, j));
    part->judged = j;
    *out = j;
    return ERR_OK;
}

// The rows of the entries that pass, asked for or not, where the batch knows them and they are few. false:
// look at all that are asked for.
static bool mark_known(const struct target *t, const struct rows_judged *j, const uint64_t *mask,
                       uint64_t *out) {
    enum { ENTRIES_MAX = 16, FEW_OF = 4 }; // of so many rows that are asked for one: few
    struct batch *b = t->rows->batch;
    const struct batch_part *part = part_of(t)->part;
    struct batch_rows of[ENTRIES_MAX];
    uint64_t n = 0, few;
    uint32_t k = 0;
    if (!part->is_at_hand || !b->ops->rows_with || j->n_pass > ENTRIES_MAX) return false;
    few = bits_count(mask, t->n) / FEW_OF;
    if ((uint64_t)t->n * j->n_pass / part->n_dict > few) return false; // on the average
    for (uint32_t code = j->n_pass == 1 ? j->only : 0; k < j->n_pass; code++) {
        if (!j->pass[code]) continue;
        if (!b->ops->rows_with(b, part, code, &of[k])) return false;
        n += of[k++].n;
    }
    if (n > few) return false;
    while (k-- > 0)
        for (uint32_t i = 0; i < of[k].n; i++) bit_set(out, of[k].at[i]);
    return true;
}

static enum err run_codes(const struct target *t, const uint64_t *mask, uint64_t *out) {
    const struct rows_judged *j;
    TRY(judge_dict(t, &j));
    if (j->n_pass == 0) return ERR_OK;
    TRY(rows_want_part(t->rows, t->field, t->part, mask));
    if (mark_known(t, j, mask, out)) return ERR_OK;
    for (const struct rows_range *g = part_of(t)->ranges; g; g = g->next)
        mark_codes(g, j, part_of(t)->part->n_dict, mask, out);
    return ERR_OK;
}

// Rows of pages that cannot pass are taken out of the mask.
static enum err prune(const struct target *t, struct interval in, const uint64_t *mask,
                      const uint64_t **out) {
    const struct batch_part *p = part_of(t)->part;
    *out = mask;
    if (!p->bounds || in.inverted) return ERR_OK;
    uint64_t *left = arena_zalloc(t->rows->batch->arena, (bits_words(t->n) + 1) * 8);
    if (!left) return ERR_NOMEM;
    for (uint32_t i = 0; i < p->n_bounds; i++) {
        const struct batch_bounds *b = &p->bounds[i];
        if (b->none || (b->has_min_max && (b->min > in.max || b->max < in.min))) continue;
        bits_set_range(left, b->first, b->first + b->n < t->n ? b->first + b->n : t->n);
    }
    bits_and(left, mask, t->n);
    *out = left;
    return ERR_OK;
}

static void mark_ints(const struct rows_range *g, struct interval in, const uint64_t *mask, uint64_t *out) {
    const struct vec *v = &g->vec;
    if (!v->rows && !in.inverted) {
        bits_ints_between(out, mask, g->from, v->ints, v->n, in.min, in.max);
        return;
    }
    for (uint32_t i = 0; i < v->n; i++)
        if ((v->ints[i] >= in.min && v->ints[i] <= in.max) != in.inverted)
            bit_set(out, g->from + (v->rows ? v->rows[i] : i));
}

static enum err run_ints(const struct target *t, const uint64_t *mask, uint64_t *out) {
    struct interval in = t->leaf->value.type == VALUE_NIL // `!= nil`: whatever it is
                             ? (struct interval){ INT64_MIN, INT64_MAX, false }
                             : interval_of(t->leaf, part_of(t)->part->type);
    if (in.min > in.max && !in.inverted) return ERR_OK;
    TRY(prune(t, in, mask, &mask));
    if (!bits_any(mask, t->n)) return ERR_OK;
    TRY(rows_want_part(t->rows, t->field, t->part, mask));
    for (const struct rows_range *g = part_of(t)->ranges; g; g = g->next) mark_ints(g, in, mask, out);
    return ERR_OK;
}

static enum err mark_values(const struct target *t, const struct rows_range *g, const uint64_t *mask,
                            uint64_t *out) {
    const struct vec *v = &g->vec;
    enum value_type type = part_of(t)->part->type;
    enum err error = ERR_OK;
    for (uint32_t i = 0; i < v->n && error == ERR_OK; i++) {
        uint32_t row = g->from + (v->rows ? v->rows[i] : i);
        if (!bit_get(mask, row)) continue;
        struct value x = { .type = type };
        if (v->form == VEC_FLOATS)
            x.f = v->floats[i];
        else
            x.s = v->texts[i];
        if (passes(t->leaf, &x, &error)) bit_set(out, row);
    }
    return error;
}

static void mark_equal_texts(const struct rows_range *g, struct str want, uint64_t *out) {
    const struct vec *v = &g->vec;
    for (uint32_t i = 0; i < v->n; i++)
        if (v->texts[i].len == want.len && str_eq(v->texts[i], want))
            bit_set(out, g->from + (v->rows ? v->rows[i] : i));
}

enum { MATCHED_TOGETHER = 256 };

// Texts against a regular expression, some together. Wanted are those that match, or those that do not.
struct matching {
    const struct leaf *leaf;
    struct str prefix; // of all that match
    uint64_t tail;     // the last bytes of the prefix, where it has so many
    uint32_t n;
    struct str texts[MATCHED_TOGETHER];
    uint32_t rows[MATCHED_TOGETHER];
};

static enum err match_together(struct matching *m, uint64_t *out) {
    bool yes[MATCHED_TOGETHER];
    TRY(ql_regex_match_many(m->leaf->regex, m->texts, m->n, yes));
    for (uint32_t i = 0; i < m->n; i++)
        if (yes[i] == (m->leaf->op == QL_MATCH)) bit_set(out, m->rows[i]);
    m->n = 0;
    return ERR_OK;
}

// Most texts begin otherwise, and most of those differ in the end of the prefix.
static inline bool begins_otherwise(const struct matching *m, struct str s) {
    uint64_t is;
    if (s.len < m->prefix.len) return true;
    if (m->prefix.len < sizeof is) return false;
    memcpy(&is, s.ptr + m->prefix.len - sizeof is, sizeof is);
    return is != m->tail;
}

static void matching_begin(struct matching *m, const struct leaf *l) {
    m->leaf = l;
    m->n = 0;
    m->prefix = ql_regex_prefix(l->regex);
    if (m->prefix.len >= sizeof m->tail)
        memcpy(&m->tail, m->prefix.ptr + m->prefix.len - sizeof m->tail, sizeof m->tail);
}

static enum err mark_matching(const struct leaf *l, const struct rows_range *g, const uint64_t *mask,
                              uint64_t *out) {
    const struct vec *v = &g->vec;
    bool wants_others = l->op != QL_MATCH;
    struct matching m;
    matching_begin(&m, l);
    for (uint32_t i = 0; i < v->n; i++) {
        uint32_t row = g->from + (v->rows ? v->rows[i] : i);
        if (!wants_others && begins_otherwise(&m, v->texts[i])) continue;
        if (!bit_get(mask, row)) continue;
        m.texts[m.n] = v->texts[i];
        m.rows[m.n++] = row;
        if (m.n == MATCHED_TOGETHER) TRY(match_together(&m, out));
    }
    return match_together(&m, out);
}

static bool may_compare(const struct leaf *l, enum value_type type) {
    if (l->value.type == VALUE_NIL || type == VALUE_ANY) return true;
    if (type == VALUE_STRING)
        return l->value.type == VALUE_STRING || l->op == QL_MATCH || l->op == QL_NO_MATCH;
    return value_is_number(l->value.type);
}

static enum err run_values(const struct target *t, const uint64_t *mask, uint64_t *out) {
    const struct batch_part *p = part_of(t)->part;
    bool equal = t->leaf->op == QL_EQ && p->type == VALUE_STRING && t->leaf->value.type == VALUE_STRING, may;
    if (!may_compare(t->leaf, p->type)) return ERR_OK;
    if (equal) {
        TRY(t->rows->batch->ops->may_hold(t->rows->batch, p, &t->leaf->value, &may));
        if (!may) return ERR_OK;
    }
    TRY(prune(t, (struct interval){ INT64_MIN, INT64_MAX, false }, mask, &mask));
    if (!bits_any(mask, t->n)) return ERR_OK;
    TRY(rows_want_part(t->rows, t->field, t->part, mask));
    bool match = p->type == VALUE_STRING && t->leaf->regex && t->leaf->value.type != VALUE_NIL &&
                 (t->leaf->op == QL_MATCH || t->leaf->op == QL_NO_MATCH);
    for (const struct rows_range *g = part_of(t)->ranges; g; g = g->next) {
        if (equal)
            mark_equal_texts(g, t->leaf->value.s, out);
        else if (match)
            TRY(mark_matching(t->leaf, g, mask, out));
        else
            TRY(mark_values(t, g, mask, out));
    }
    return ERR_OK;
}

static enum err run_part(const struct target *t, const uint64_t *mask, uint64_t *out) {
    const struct batch_part *p = part_of(t)->part;
    if (p->dict) return run_codes(t, mask, out);
    switch (p->type) {
    case VALUE_BOOL:
    case VALUE_INT:
    case VALUE_DURATION:
    case VALUE_STATUS:
    case VALUE_KIND: return run_ints(t, mask, out);
    default: return run_values(t, mask, out);
    }
}

// --- fields ----------------------------------------------------------------------------------------

static enum err bitmap(struct rows *rows, uint32_t n, uint64_t **out) {
    *out = arena_zalloc(rows->batch->arena, (bits_words(n) + 1) * 8);
    return *out ? ERR_OK : ERR_NOMEM;
}

// A comparison, or `!= nil`. The rest of out stays.
static enum err run_column(struct rows *rows, const struct leaf *l, uint32_t n, const uint64_t *mask,
                           uint64_t *out) {
    struct target t = { .rows = rows, .field = l->field, .n = n, .leaf = l };
    TRY(rows_open(rows, l->field));
    for (t.part = 0; t.part < rows->fields[l->field].n_parts; t.part++) TRY(run_part(&t, mask, out));
    bits_and(out, mask, n);
    return ERR_OK;
}

// Of an attribute of events (links) as part of an unscoped one: any value of the span counts.
static enum err run_of_children(struct rows *rows, const struct leaf *l, const uint64_t *mask,
                                uint64_t *out) {
    enum batch_table table = rows->fields[l->field].table;
    uint64_t *all, *hit;
    TRY(rows_open(rows, l->field));
    uint32_t n = rows->n_table[table];
    if (rows->fields[l->field].n_parts == 0 || n == 0) return ERR_OK;
    TRY(bitmap(rows, n, &all));
    TRY(bitmap(rows, n, &hit));
    bits_fill(all, n);
    TRY(run_column(rows, l, n, all, hit));
    for (uint32_t i = bits_next(hit, 0, n); i < n; i = bits_next(hit, i + 1, n))
        if (bit_get(mask, rows->owners[table][i])) bit_set(out, rows->owners[table][i]);
    return ERR_OK;
}

static enum err run_sub(struct rows *rows, const struct leaf *l, uint32_t sub, uint32_t n,
                        const uint64_t *mask, uint64_t *out) {
    struct leaf x = *l;
    x.field = sub;
    if (rows->fields[sub].table != BATCH_SPANS) return run_of_children(rows, &x, mask, out);
    return run_column(rows, &x, n, mask, out);
}

// The first scope that has the key decides; `left` are the rows that no scope has spoken for yet.
static enum err run_unscoped(struct rows *rows, const struct leaf *l, uint32_t n, const uint64_t *mask,
                             uint64_t *out) {
    static const enum field_scope order[] = { FIELD_SPAN, FIELD_RESOURCE, FIELD_EVENT, FIELD_LINK,
                                              FIELD_INSTRUMENTATION };
    struct leaf there = { .op = QL_NE, .value = VALUE_OF_NIL };
    bool nil = l->value.type == VALUE_NIL;
    uint64_t *left, *hit;
    TRY(bitmap(rows, n, &left));
    TRY(bitmap(rows, n, &hit));
    memcpy(left, mask, bits_words(n) * 8);
    for (size_t i = 0; i < sizeof order / sizeof *order; i++) {
        uint32_t sub = rows->fields[l->field].sub[order[i]];
        TRY(rows_open(rows, sub));
        if (rows->fields[sub].n_parts == 0) continue;
        memset(hit, 0, bits_words(n) * 8);
        if (!nil) {
            TRY(run_sub(rows, l, sub, n, left, hit));
            bits_or(out, hit, n);
            memset(hit, 0, bits_words(n) * 8);
        }
        TRY(run_sub(rows, &there, sub, n, left, hit));
        bits_and_not(left, hit, n);
        if (!bits_any(left, n)) break;
    }
    if (!nil) return ERR_OK;
    if (l->op == QL_NE) bits_not(left, n);
    bits_and(left, mask, n);
    bits_or(out, left, n);
    return ERR_OK;
}

static enum err run_parent(struct rows *rows, const struct leaf *l, uint32_t n, const uint64_t *mask,
                           uint64_t *out) {
    uint64_t *up, *hit;
    struct leaf x = *l;
    x.field = rows->fields[l->field].sub[0];
    TRY(tree_parents(&rows->tree));
    TRY(bitmap(rows, n, &up));
    TRY(bitmap(rows, n, &hit));
    const uint32_t *parent = rows->tree.parent;
    for (uint32_t row = bits_next(mask, 0, n); row < n; row = bits_next(mask, row + 1, n))
        if (parent[row] < BATCH_ORPHAN) bit_set(up, parent[row]);
    TRY(leaf_run(rows, &x, n, up, hit));
    bool missing = l->value.type == VALUE_NIL && l->op == QL_EQ; // no parent has nothing
    for (uint32_t row = bits_next(mask, 0, n); row < n; row = bits_next(mask, row + 1, n))
        if (parent[row] < BATCH_ORPHAN ? bit_get(hit, parent[row]) : missing) bit_set(out, row);
    return ERR_OK;
}

static enum err run_by_row(struct rows *rows, const struct leaf *l, uint32_t n, const uint64_t *mask,
                           uint64_t *out) {
    enum err error = ERR_OK;
    TRY(rows_want(rows, l->field, mask));
    for (uint32_t row = bits_next(mask, 0, n); row < n; row = bits_next(mask, row + 1, n)) {
        struct value v = rows_value(rows, l->field, row);
        if (passes(l, &v, &error)) bit_set(out, row);
    }
    return error;
}

// The roots, as nestedSetParent < 0 asks for them: no need to number anything.
static enum err run_roots(struct rows *rows, uint32_t n, const uint64_t *mask, uint64_t *out) {
    TRY(tree_parents(&rows->tree));
    for (uint32_t row = bits_next(mask, 0, n); row < n; row = bits_next(mask, row + 1, n))
        if (rows->tree.parent[row] == BATCH_ROOT) bit_set(out, row);
    return ERR_OK;
}

static bool asks_for_roots(const struct rows *rows, const struct leaf *l) {
    return rows->fields[l->field].field.intrinsic == INTRINSIC_NESTED_PARENT && l->value.type == VALUE_INT &&
           ((l->op == QL_LT && l->value.i == 0) || (l->op == QL_EQ && l->value.i == -1));
}

// Nothing but the absence of a value is left to tell.
static enum err run_absent(struct rows *rows, const struct leaf *l, uint32_t n, const uint64_t *mask,
                           uint64_t *out) {
    struct leaf there = *l;
    uint64_t *hit;
    there.op = QL_NE;
    TRY(bitmap(rows, n, &hit));
    TRY(run_column(rows, &there, n, mask, hit));
    memcpy(out, mask, bits_words(n) * 8);
    bits_and_not(out, hit, n);
    return ERR_OK;
}

enum err leaf_run(struct rows *rows, const struct leaf *l, uint32_t n, const uint64_t *mask, uint64_t *out) {
    if (!bits_any(mask, n)) return ERR_OK;
    switch (rows->fields[l->field].kind) {
    case ROWS_COLUMN:
        if (l->value.type == VALUE_NIL && l->op == QL_EQ) return run_absent(rows, l, n, mask, out);
        return run_column(rows, l, n, mask, out);
    case ROWS_UNSCOPED:
        if (l->is_bare) return run_by_row(rows, l, n, mask, out);
        return run_unscoped(rows, l, n, mask, out);
    case ROWS_PARENT: return run_parent(rows, l, n, mask, out);
    default:
        if (asks_for_roots(rows, l)) return run_roots(rows, n, mask, out);
        return run_by_row(rows, l, n, mask, out);
    }
}

// --- before rows are looked at ---------------------------------------------------------------------

// Ranks: what a dictionary knows comes first, by how much of it passes.
enum { RANK_CODED = 1000, RANK_NUMBERS = 2000, RANK_TEXTS = 3000 };

static enum err part_rank(const struct target *t, uint32_t *out) {
    const struct batch_part *p = part_of(t)->part;
    const struct rows_judged *j;
    bool may = true;
    if (p->dict) {
        TRY(judge_dict(t, &j));
        *out = LEAF_NEVER;
        if (j->n_pass) *out = 1 + (uint32_t)((uint64_t)j->n_pass * (RANK_CODED - 1) / p->n_dict);
        return ERR_OK;
    }
    if (p->type != VALUE_STRING && p->type != VALUE_ANY && p->type != VALUE_FLOAT) {
        struct interval in = interval_of(t->leaf, p->type);
        *out = in.min > in.max && !in.inverted ? LEAF_NEVER : RANK_NUMBERS;
        return ERR_OK;
    }
    bool equal = t->leaf->op == QL_EQ && p->type == t->leaf->value.type && p->type == VALUE_STRING;
    if (equal) TRY(t->rows->batch->ops->may_hold(t->rows->batch, p, &t->leaf->value, &may));
    *out = !may || !may_compare(t->leaf, p->type) ? LEAF_NEVER : equal ? RANK_TEXTS : LEAF_LAST;
    return ERR_OK;
}

static enum err column_rank(struct rows *rows, const struct leaf *l, uint32_t field, uint32_t *out) {
    struct target t = { .rows = rows, .field = field, .leaf = l };
    uint32_t rank;
    TRY(rows_open(rows, field));
    for (t.part = 0; t.part < rows->fields[field].n_parts; t.part++) {
        TRY(part_rank(&t, &rank));
        if (rank > *out) *out = rank;
    }
    return ERR_OK;
}

enum err leaf_rank(struct rows *rows, const struct leaf *l, uint32_t *out) {
    *out = LEAF_LAST;
    if (l->value.type == VALUE_NIL) return ERR_OK;
    if (rows->fields[l->field].kind != ROWS_COLUMN && rows->fields[l->field].kind != ROWS_UNSCOPED)
        return ERR_OK;
    *out = LEAF_NEVER;
    if (rows->fields[l->field].kind == ROWS_COLUMN) return column_rank(rows, l, l->field, out);
    for (int s = FIELD_SPAN; s < FIELD_SCOPE_COUNT; s++)
        TRY(column_rank(rows, l, rows->fields[l->field].sub[s], out));
    return ERR_OK;
}
