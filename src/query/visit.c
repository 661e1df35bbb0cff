// SPDX-License-Identifier: Apache-2.0
// A filter over single spans is run source by source, where a trace of which parts lie in several may hold
// the same span twice; of such traces the spans that were given are remembered. Spans are made ready by
// several threads at once, whole traces of them, and given by one at a time, which takes no memory of the
// question then: it may be waited for.
#include "query/visit.h"

#include "exec/rows.h"
#include "exec/tree.h"
#include "os/thread.h"
#include "query/source.h"
#include "query/sweep.h"
#include "traceql/traceql.h"

enum {
    VISIT_SEEN_MAX = 1 << 22, // spans of split traces; past them the answer is partial
    PIECE_ROWS = 64,          // made ready, then given: so many, and the rest of a trace
    SEEN_BYTES = 32,          // of one that is remembered, with the room that the list grows by
};

struct visiting {
    const struct visit *q;
    struct field fields[VISIT_FIELDS_MAX + 1]; // the last: the duration
    const struct split_set *split;
    struct arena arena;     // the answer of the sweep: nothing
    struct query_held held; // what is remembered
    struct mutex lock;      // of giving, and of all below
    struct map map;
    uint64_t (*seen)[2]; // keys
    uint32_t n_seen, cap;
    enum err error; // that ended it
};

void visit_quote(struct buf *out, struct str text) {
    struct value v = VALUE_OF_STR(text);
    struct ql_expr constant = { .kind = QL_CONST, .type = VALUE_STRING, .value = v };
    ql_print_expr(&constant, out);
}

static uint64_t seen_hash(const void *ctx, uint32_t i) {
    return ((const struct visiting *)ctx)->seen[i][0];
}
static bool seen_eq(const void *ctx, uint32_t i, const void *key) {
    return memcmp(((const struct visiting *)ctx)->seen[i], key, 16) == 0;
}

struct ready { // a span, to be given
    uint32_t row;
    bool is_split;
    struct visit_span span;
    struct value values[VISIT_FIELDS_MAX + 1];
    uint64_t key[2]; // of a split trace's
};

// A span of a split trace: was it given before?
static enum err note_seen(struct visiting *v, const uint64_t key[2], bool *out) {
    *out = map_get(&v->map, key[0], seen_eq, v, key) != MAP_NONE;
    if (*out) return ERR_OK;
    uint64_t(*seen)[2] = mem_grow(v->seen, v->n_seen, &v->cap, sizeof *seen);
    if (!seen) return ERR_NOMEM;
    v->seen = seen;
    memcpy(seen[v->n_seen], key, 2 * sizeof *key);
    enum err e = map_put(&v->map, key[0], v->n_seen, seen_hash, v);
    v->n_seen += e == ERR_OK;
    return e == ERR_LIMIT ? ERR_NOMEM : e; // so that the answer is partial
}

static bool is_of_event(const struct field *f) {
    return f->scope == FIELD_EVENT && !f->of_parent;
}

static enum err give_events(const struct visiting *v, const struct rows *rows, struct ready *x) {
    uint32_t from, to;
    for (uint32_t i = 0; i < v->q->n_fields; i++)
        if (is_of_event(&v->fields[i])) x->values[i] = VALUE_OF_NIL;
    TRY(v->q->each(v->q->ctx, &x->span));
    x->span.is_event = true;
    rows_children(rows, BATCH_EVENTS, x->row, &from, &to);
    for (; from < to; from++) {
        for (uint32_t i = 0; i < v->q->n_fields; i++)
            if (is_of_event(&v->fields[i])) x->values[i] = rows_column_value(rows, i, from);
        TRY(v->q->each(v->q->ctx, &x->span));
    }
    return ERR_OK;
}

static enum err make_ready(const struct visiting *v, struct batch *b, struct rows *rows,
                           const struct tree *tree, uint32_t row, struct ready *x) {
    uint32_t n = v->q->n_fields;
    uint64_t id;
    x->row = row;
    x->span.is_event = false;
    memcpy(x->span.trace_id, b->traces[tree->trace[row]].id, sizeof x->span.trace_id);
    TRY(rows_start(rows, row, &x->span.start_ns));
    for (uint32_t i = 0; i <= n; i++) x->values[i] = rows_value(rows, i, row);
    x->is_split = split_has(v->split, x->span.trace_id);
    if (!x->is_split) return ERR_OK;
    TRY(rows_span_id(rows, row, &id));
    x->key[0] = hash_bytes(x->span.trace_id, 16) ^ hash_u64(id);
    x->key[1] = hash_u64(x->span.start_ns) ^ hash_u64((uint64_t)x->values[n].i + 1) ^ id;
    return ERR_OK;
}

static enum err give(struct visiting *v, const struct rows *rows, struct ready *x) {
    bool again = false;
    x->span.values = x->values; // it stays where it is by now
    if (x->is_split) TRY(note_seen(v, x->key, &again));
    if (again) return ERR_OK;
    return v->q->by_event ? give_events(v, rows, x) : v->q->each(v->q->ctx, &x->span);
}

// What may be remembered of them is taken before.
static enum err give_piece(struct visiting *v, const struct rows *rows, struct ready *x, uint32_t n,
                           struct mem_budget *budget) {
    uint32_t n_split = 0, n_new;
    for (uint32_t i = 0; i < n; i++) n_split += x[i].is_split;
    if (n_split && !mem_budget_take(budget, (uint64_t)n_split * SEEN_BYTES)) return ERR_NOMEM;
    mutex_lock(&v->lock);
    n_new = v->n_seen;
    enum err e = v->error;
    for (uint32_t i = 0; i < n && e == ERR_OK; i++) e = give(v, rows, &x[i]);
    v->error = e;
    n_new = v->n_seen - n_new;
    mutex_unlock(&v->lock);
    if (n_split > n_new) mem_budget_give(budget, (uint64_t)(n_split - n_new) * SEEN_BYTES);
    return e;
}

// The spans of a batch that are made ready.
struct piece {
    struct visiting *visiting;
    struct batch *batch;
    struct rows *rows;
    struct tree tree;
    const uint64_t *bits;
    struct mem_budget *budget;
    struct ready *at;
    uint32_t n, cap;
};

// Those of a trace, one behind the other.
static enum err add_trace(struct piece *p, const struct batch_trace *t) {
    for (uint32_t i = 0; i < t->n; i++) {
        uint32_t row = batch_row(p->batch, t, i);
        if (!bit_get(p->bits, row)) continue;
        p->at = arena_grow(p->batch->arena, p->at, p->n, &p->cap, sizeof *p->at);
        if (!p->at) return ERR_NOMEM;
        TRY(make_ready(p->visiting, p->batch, p->rows, &p->tree, row, &p->at[p->n++]));
    }
    return ERR_OK;
}

static enum err visit_batch(void *ctx, const struct swept *x) {
    struct visiting *v = ctx;
    struct batch *b = x->batch;
    struct piece p = { .visiting = v, .batch = b, .bits = x->bits, .budget = x->answer->budget };
    tree_init(&p.tree, b);
    TRY(tree_traces(&p.tree));
    TRY(rows_new(b, v->fields, v->q->n_fields + 1, &p.rows));
    for (uint32_t i = 0; i <= v->q->n_fields; i++) TRY(rows_want(p.rows, i, x->bits));
    if (v->q->by_event) TRY(rows_owners(p.rows, BATCH_EVENTS));
    for (uint32_t i = 0; i < b->n_traces; i++) {
        TRY(add_trace(&p, &b->traces[i]));
        if (p.n < PIECE_ROWS) continue;
        TRY(give_piece(v, p.rows, p.at, p.n, p.budget));
        p.n = 0;
    }
    return give_piece(v, p.rows, p.at, p.n, p.budget);
}

static enum err read_fields(struct visiting *v, struct arena *a, struct err_ctx *ctx) {
    ASSERT(v->q->n_fields <= VISIT_FIELDS_MAX);
    for (uint32_t i = 0; i < v->q->n_fields; i++)
        TRY(ql_parse_field(a, str_of(v->q->fields[i]), &v->fields[i], ctx));
    v->fields[v->q->n_fields] = (struct field){ .scope = FIELD_SPAN, .intrinsic = INTRINSIC_DURATION };
    return ERR_OK;
}

static enum err run(struct visiting *v, struct view *view, struct arena *a, struct visit_answer *out,
                    struct err_ctx *ctx) {
    struct ql_query *filter = NULL;
    struct sources sources = { 0 };
    TRY(read_fields(v, a, ctx));
    TRY(ql_parse(a, v->q->filter, &filter, ctx));
    enum err e = sources_open(view, &v->q->bounds, &sources);
    if (e == ERR_OK) {
        v->split = &sources.split;
        struct sweep sweep = { .view = view,
                               .bounds = &v->q->bounds,
                               .filter = filter,
                               .answer = &v->arena,
                               .each = visit_batch,
                               .ctx = v,
                               .stats = &out->stats,
                               .why = out->why };
        e = sweep_run(&sweep, ctx);
        out->partial = sweep.partial;
        v->held = sweep.held;
        sources_close(&sources);
    }
    ql_free(filter);
    return e;
}

enum err visit_run(struct view *view, const struct visit *q, struct visit_answer *out, struct err_ctx *ctx) {
    struct visiting *v = mem_zalloc(sizeof *v);
    struct arena a;
    *out = (struct visit_answer){ 0 };
    if (!v) return ERR_NOMEM;
    v->q = q;
    arena_init(&a, SIZE_MAX, NULL);
    arena_init(&v->arena, SIZE_MAX, NULL);
    map_init(&v->map, VISIT_SEEN_MAX);
    mutex_init(&v->lock);
    enum err e = run(v, view, &a, out, ctx);
    mutex_fini(&v->lock);
    map_fini(&v->map);
    mem_free(v->seen);
    arena_fini(&v->arena);
    query_held_release(&v->held);
    arena_fini(&a);
    mem_free(v);
    return e;
}
