// SPDX-License-Identifier: Apache-2.0
// A filter over single spans is run source by source, where a trace of which parts lie in several may hold
// the same span twice; of such traces the spans that were given are remembered.
#include "query/visit.h"

#include "exec/rows.h"
#include "exec/tree.h"
#include "query/source.h"
#include "query/sweep.h"
#include "traceql/traceql.h"

enum { VISIT_SEEN_MAX = 1 << 22 }; // spans of split traces; past them the answer is partial

struct visiting {
    const struct visit *q;
    struct field fields[VISIT_FIELDS_MAX + 1]; // the last: the duration
    const struct split_set *split;
    struct sweep *sweep;
    struct arena arena; // of the keys
    struct query_held held;
    struct map map;
    uint64_t (*seen)[2];
    uint32_t n_seen, cap;
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

// A span of a split trace: was it given before?
static enum err note_seen(struct visiting *v, const uint8_t trace[16], const uint64_t rest[3], bool *out) {
    uint64_t key[2];
    key[0] = hash_bytes(trace, 16) ^ hash_u64(rest[0]);
    key[1] = hash_u64(rest[1]) ^ hash_u64(rest[2] + 1) ^ rest[0];
    *out = map_get(&v->map, key[0], seen_eq, v, key) != MAP_NONE;
    if (*out) return ERR_OK;
    uint64_t(*seen)[2] = arena_grow(&v->arena, v->seen, v->n_seen, &v->cap, sizeof *seen);
    if (!seen) return ERR_NOMEM;
    v->seen = seen;
    memcpy(seen[v->n_seen], key, sizeof key);
    TRY(map_put(&v->map, key[0], v->n_seen, seen_hash, v));
    v->n_seen++;
    return ERR_OK;
}

static bool is_of_event(const struct field *f) {
    return f->scope == FIELD_EVENT && !f->of_parent;
}

static enum err give_events(struct visiting *v, const struct rows *rows, uint32_t row, struct visit_span *s,
                            struct value *values) {
    uint32_t from, to;
    for (uint32_t i = 0; i < v->q->n_fields; i++)
        if (is_of_event(&v->fields[i])) values[i] = VALUE_OF_NIL;
    TRY(v->q->each(v->q->ctx, s));
    rows_children(rows, BATCH_EVENTS, row, &from, &to);
    for (; from < to; from++) {
        for (uint32_t i = 0; i < v->q->n_fields; i++)
            if (is_of_event(&v->fields[i])) values[i] = rows_column_value(rows, i, from);
        TRY(v->q->each(v->q->ctx, s));
    }
    return ERR_OK;
}

static enum err give(struct visiting *v, struct batch *b, struct rows *rows, struct tree *tree,
                     uint32_t row) {
    struct value values[VISIT_FIELDS_MAX + 1];
    struct visit_span s = { .values = values };
    uint32_t n = v->q->n_fields;
    memcpy(s.trace_id, b->traces[tree->trace[row]].id, sizeof s.trace_id);
    TRY(rows_start(rows, row, &s.start_ns));
    for (uint32_t i = 0; i <= n; i++) values[i] = rows_value(rows, i, row);
    if (split_has(v->split, s.trace_id)) {
        uint64_t rest[3] = { 0, s.start_ns, (uint64_t)values[n].i };
        bool again;
        TRY(rows_span_id(rows, row, &rest[0]));
        TRY(note_seen(v, s.trace_id, rest, &again));
        if (again) return ERR_OK;
    }
    return v->q->by_event ? give_events(v, rows, row, &s, values) : v->q->each(v->q->ctx, &s);
}

static enum err visit_batch(void *ctx, struct batch *b, const uint64_t *bits, bool is_head) {
    struct visiting *v = ctx;
    struct rows *rows;
    struct tree tree;
    (void)is_head;
    tree_init(&tree, b);
    TRY(tree_traces(&tree));
    TRY(rows_new(b, v->fields, v->q->n_fields + 1, &rows));
    for (uint32_t i = 0; i <= v->q->n_fields; i++) TRY(rows_want(rows, i, bits));
    if (v->q->by_event) TRY(rows_owners(rows, BATCH_EVENTS));
    for (uint32_t row = bits_next(bits, 0, b->n_rows); row < b->n_rows;
         row = bits_next(bits, row + 1, b->n_rows))
        TRY(give(v, b, rows, &tree, row));
    return ERR_OK;
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
    enum err e = run(v, view, &a, out, ctx);
    map_fini(&v->map);
    arena_fini(&v->arena);
    query_held_release(&v->held);
    arena_fini(&a);
    mem_free(v);
    return e;
}
