// SPDX-License-Identifier: Apache-2.0
#include "query/pick.h"

#include "exec/expr.h"
#include "exec/filter.h"
#include "span/table_batch.h"

// --- may it be asked? --------------------------------------------------------------------------------------

static bool is_of_trace(const struct ql_expr *e) {
    if (!e) return false;
    if (e->kind == QL_FIELD) {
        enum intrinsic i = e->field.intrinsic;
        return i == INTRINSIC_TRACE_DURATION || i == INTRINSIC_ROOT_NAME || i == INTRINSIC_ROOT_SERVICE ||
               i == INTRINSIC_TRACE_ID;
    }
    return is_of_trace(e->left) || is_of_trace(e->right);
}

enum err pick_check(const struct ql_query *q, struct err_ctx *ctx) {
    const struct ql_stage *s = q->is_metrics ? NULL : q->pipeline->stages;
    if (!s || q->pipeline->n_stages != 1 || s->kind != QL_STAGE_SPANSET || s->spanset->kind != QL_FILTER)
        return err_set(ctx, ERR_INVALID,
                       "the filter of a trace is one { … }, without a pipeline, structure or metrics");
    if (!is_of_trace(s->spanset->filter)) return ERR_OK;
    return err_set(ctx, ERR_INVALID, "the filter of a trace is about spans, not about the trace");
}

// --- what is picked ----------------------------------------------------------------------------------------

struct picking {
    const struct trace *trace;
    struct batch *batch;
    const uint32_t *parent; // by row of the table
    uint64_t *matched, *kept;
    uint32_t *level, *next_level; // rows
};

static bool has_parent(const struct picking *p, uint32_t row) {
    return p->parent[row] != BATCH_ROOT && p->parent[row] != BATCH_ORPHAN;
}

static void swap_levels(struct picking *p) {
    uint32_t *t = p->level;
    p->level = p->next_level;
    p->next_level = t;
}

static uint32_t first_level(struct picking *p, uint64_t *seen) {
    uint32_t n = 0;
    for (uint32_t i = 0; i < p->trace->n; i++) {
        uint32_t row = p->trace->rows[i];
        if (!bit_get(p->matched, row)) continue;
        bit_set(seen, row);
        p->level[n++] = row;
    }
    return n;
}

// Level by level upward, from all matches at once: each row is met once, by its shortest way.
static enum err keep_ancestors(struct picking *p, struct arena *a, int64_t depth) {
    uint64_t *seen = arena_zalloc(a, bits_words(p->batch->n_rows) * 8 + 8);
    if (!seen) return ERR_NOMEM;
    uint32_t n = first_level(p, seen);
    for (int64_t d = 0; n && (depth < 0 || d < depth); d++) {
        uint32_t n_next = 0;
        for (uint32_t i = 0; i < n; i++) {
            uint32_t row = p->level[i];
            if (!has_parent(p, row) || bit_get(seen, p->parent[row])) continue;
            bit_set(seen, p->parent[row]);
            bit_set(p->kept, p->parent[row]);
            p->next_level[n_next++] = p->parent[row];
        }
        swap_levels(p);
        n = n_next;
    }
    return ERR_OK;
}

// The children of each row: first[row] … first[row + 1] in `child`.
static enum err make_children(const struct picking *p, struct arena *a, uint32_t **first, uint32_t **child) {
    uint32_t n = p->batch->n_rows, *at = ARENA_ARRAY(a, n + 2ull, uint32_t);
    *child = ARENA_ARRAY(a, p->trace->n + 1ull, uint32_t);
    if (!at || !*child) return ERR_NOMEM;
    memset(at, 0, (n + 2ull) * sizeof *at);
    for (uint32_t i = 0; i < p->trace->n; i++)
        if (has_parent(p, p->trace->rows[i])) at[p->parent[p->trace->rows[i]] + 2]++;
    for (uint32_t i = 2; i < n + 2; i++) at[i] += at[i - 1];
    for (uint32_t i = 0; i < p->trace->n; i++)
        if (has_parent(p, p->trace->rows[i]))
            (*child)[at[p->parent[p->trace->rows[i]] + 1]++] = p->trace->rows[i];
    *first = at;
    return ERR_OK;
}

static enum err keep_descendants(struct picking *p, struct arena *a, int64_t depth) {
    uint64_t *seen = arena_zalloc(a, bits_words(p->batch->n_rows) * 8 + 8);
    uint32_t *first, *child;
    if (!seen) return ERR_NOMEM;
    TRY(make_children(p, a, &first, &child));
    uint32_t n = first_level(p, seen);
    for (int64_t d = 0; n && (depth < 0 || d < depth); d++) {
        uint32_t n_next = 0;
        for (uint32_t i = 0; i < n; i++)
            for (uint32_t c = first[p->level[i]]; c < first[p->level[i] + 1]; c++) {
                if (bit_get(seen, child[c])) continue;
                bit_set(seen, child[c]);
                bit_set(p->kept, child[c]);
                p->next_level[n_next++] = child[c];
            }
        swap_levels(p);
        n = n_next;
    }
    return ERR_OK;
}

static enum err match(struct picking *p, const struct ql_expr *filter, struct arena *a) {
    struct field_list fields = { .arena = a };
    const struct expr *e = NULL;
    struct filter *f;
    struct rows *rows;
    if (filter) TRY(expr_compile(a, filter, &fields, &e));
    TRY(filter_new(a, e, &f));
    TRY(rows_new(p->batch, fields.at, fields.n, &rows));
    return filter_run(f, rows, NULL, p->matched);
}

static enum err pick_rows(struct trace *t, const struct pick *pick, struct batch *b, struct arena *a) {
    size_t bytes = bits_words(b->n_rows) * 8 + 8;
    struct picking p = { .trace = t,
                         .batch = b,
                         .matched = arena_zalloc(a, bytes),
                         .kept = arena_zalloc(a, bytes),
                         .level = ARENA_ARRAY(a, b->n_rows + 1ull, uint32_t),
                         .next_level = ARENA_ARRAY(a, b->n_rows + 1ull, uint32_t) };
    if (a->failed) return ERR_NOMEM;
    TRY(match(&p, pick->query->pipeline->stages->spanset->filter, a));
    bits_or(p.kept, p.matched, b->n_rows);
    if (pick->ancestors || pick->match_depth) TRY(b->ops->parents(b, 0, b->n_rows, &p.parent));
    if (pick->ancestors && pick->ancestor_depth) TRY(keep_ancestors(&p, a, pick->ancestor_depth));
    if (pick->match_depth) TRY(keep_descendants(&p, a, pick->match_depth));
    uint32_t n = 0;
    for (uint32_t i = 0; i < t->n; i++)
        if (bit_get(p.kept, t->rows[i])) t->rows[n++] = t->rows[i];
    t->n = n;
    return ERR_OK;
}

enum err pick_run(struct trace *t, const struct pick *pick, struct err_ctx *ctx) {
    struct table_index index;
    struct table_batch batch;
    struct arena a;
    if (t->n == 0) return ERR_OK;
    TRY(table_index_make(&t->table, span_table_count(&t->table), &index));
    arena_init(&a, SIZE_MAX, t->arena.budget);
    table_batch_open(&batch, &t->table, &index, &a);
    enum err e = pick_rows(t, pick, &batch.batch, &a);
    arena_fini(&a);
    table_index_fini(&index);
    if (e != ERR_LIMIT) return e;
    ql_explain_steps(pick->query, ctx);
    return err_set(ctx, e, EXPR_PAIRS_TEXT);
}
