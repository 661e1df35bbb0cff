// SPDX-License-Identifier: Apache-2.0
#include "span/table_batch_internal.h"

#include "span/lookup.h"
#include "span/parts.h"

struct table_memo *table_memo(struct table_batch *b) {
    const struct span_table *t = b->table;
    struct table_memo *m = b->memo;
    if (m) return m;
    m = ARENA_NEW(b->batch.arena, struct table_memo);
    if (!m) return NULL;
    uint32_t n_events = atomic_load_explicit(&t->events.n, memory_order_acquire);
    uint32_t n_links = atomic_load_explicit(&t->links.n, memory_order_acquire);
    m->n_events = segvec_find_u32(&t->events.span, n_events, b->batch.n_rows);
    m->n_links = segvec_find_u32(&t->links.span, n_links, b->batch.n_rows);
    b->memo = m;
    return m;
}

const void *table_slice(struct table_batch *b, const struct segvec *v, uint32_t from, uint32_t to,
                        size_t size) {
    struct arena *a = b->batch.arena;
    if (from >= to) return arena_array(a, 1, size);
    if (segvec_seg(from) == segvec_seg(to - 1)) return segvec_at(v, from, size);
    char *out = arena_array(a, to - from, size);
    for (uint32_t at = from; out && at < to;) {
        uint32_t end = segvec_seg_first(segvec_seg(at)) + segvec_seg_len(segvec_seg(at));
        if (end > to) end = to;
        memcpy(out + (at - from) * size, segvec_at(v, at, size), (end - at) * size);
        at = end;
    }
    return out;
}

static enum err slice_u64(struct batch *b, const struct segvec *v, uint32_t from, uint32_t to,
                          const uint64_t **out) {
    *out = table_slice(table_batch_of(b), v, from, to, sizeof **out);
    return *out ? ERR_OK : ERR_NOMEM;
}

static enum err span_ids(struct batch *b, uint32_t from, uint32_t to, const uint64_t **out) {
    return slice_u64(b, &table_batch_of(b)->table->span_id, from, to, out);
}

static enum err parent_ids(struct batch *b, uint32_t from, uint32_t to, const uint64_t **out) {
    return slice_u64(b, &table_batch_of(b)->table->parent_id, from, to, out);
}

static enum err starts(struct batch *b, uint32_t from, uint32_t to, const uint64_t **out) {
    return slice_u64(b, &table_batch_of(b)->table->start_ns, from, to, out);
}

static enum err numbers(struct batch *b, enum batch_number what, const uint32_t *rows, uint32_t n,
                        uint64_t *out) {
    const struct span_table *t = table_batch_of(b)->table;
    const struct segvec *v = what == BATCH_SPAN_ID ? &t->span_id : &t->start_ns;
    for (uint32_t i = 0; i < n; i++) out[i] = SEG_AT(v, rows[i], uint64_t);
    for (uint32_t i = 0; i < n && what == BATCH_DURATION; i++) {
        uint64_t end_ns = SEG_AT(&t->end_ns, rows[i], uint64_t);
        out[i] = end_ns > out[i] ? end_ns - out[i] : 0;
    }
    return ERR_OK;
}

static enum err start_bounds(struct batch *b, const struct batch_bounds **out, uint32_t *out_n) {
    (void)b;
    *out = NULL;
    *out_n = 0;
    return ERR_OK;
}

static enum err parents(struct batch *b, uint32_t from, uint32_t to, const uint32_t **out) {
    struct table_memo *m = table_memo(table_batch_of(b));
    (void)to;
    if (!m) return ERR_NOMEM;
    if (!m->parents) {
        uint32_t *all = ARENA_ARRAY(b->arena, b->n_rows + 1ull, uint32_t);
        if (!all) return ERR_NOMEM;
        TRY(table_resolve_parents(table_batch_of(b), all));
        m->parents = all;
    }
    *out = m->parents + from;
    return ERR_OK;
}

static enum err owners(struct batch *b, enum batch_table table, const uint32_t **out, uint32_t *out_n) {
    struct table_batch *tb = table_batch_of(b);
    struct table_memo *m = table_memo(tb);
    const struct segvec *v = table == BATCH_EVENTS ? &tb->table->events.span : &tb->table->links.span;
    ASSERT(table == BATCH_EVENTS || table == BATCH_LINKS);
    if (!m) return ERR_NOMEM;
    *out_n = table == BATCH_EVENTS ? m->n_events : m->n_links;
    if (!m->owners[table]) m->owners[table] = table_slice(tb, v, 0, *out_n, sizeof(uint32_t));
    *out = m->owners[table];
    return *out ? ERR_OK : ERR_NOMEM;
}

static enum err summaries(struct batch *b, const uint64_t *wanted, const struct batch_summary **out) {
    struct batch_summary *all = ARENA_ARRAY(b->arena, b->n_traces + 1ull, struct batch_summary);
    if (!all) return ERR_NOMEM;
    TRY(table_summarise((struct table_batch *)b, wanted, all));
    *out = all;
    return ERR_OK;
}

// --- keys ----------------------------------------------------------------------------------------

static enum err attr_keys(const struct attr_table *t, uint32_t n_rows, struct key_set *s) {
    uint32_t n = atomic_load_explicit(&t->n_columns, memory_order_acquire);
    for (uint32_t i = 0; i < n; i++) {
        const struct attr_column *c = attrs_column(t, i);
        if (atomic_load_explicit(&c->n, memory_order_acquire) == 0 || attr_column_row(c, 0) >= n_rows)
            continue;
        key_set_add(s, c->key);
    }
    n = atomic_load_explicit(&t->n_rest, memory_order_acquire);
    for (uint32_t i = 0; i < n && SEG_AT(&t->rest_row, i, uint32_t) < n_rows; i++)
        TRY(rest_keys(SEG_AT(&t->rest_val, i, struct str), key_set_add, s));
    return s->err;
}

static enum err entities_keys(const struct segvec *v, const _Atomic uint32_t *count, bool is_scope,
                              struct key_set *s) {
    uint32_t n = atomic_load_explicit(count, memory_order_acquire);
    for (uint32_t i = 0; i < n; i++)
        entity_keys(SEG_AT(v, i, struct span_entity).bytes, is_scope, key_set_add, s);
    return s->err;
}

static enum err keys_of(struct table_batch *b, enum field_scope scope, struct key_set *s) {
    const struct span_table *t = b->table;
    struct table_memo *m = table_memo(b);
    if (!m) return ERR_NOMEM;
    switch (scope) {
    case FIELD_SPAN: return attr_keys(&t->attrs, b->batch.n_rows, s);
    case FIELD_EVENT: return attr_keys(&t->events.attrs, m->n_events, s);
    case FIELD_LINK: return attr_keys(&t->links.attrs, m->n_links, s);
    case FIELD_RESOURCE: return entities_keys(&t->resources, &t->n_resources, false, s);
    case FIELD_INSTRUMENTATION: return entities_keys(&t->scopes, &t->n_scopes, true, s);
    case FIELD_UNSCOPED:
    case FIELD_SCOPE_COUNT:
    default: return ERR_INVALID;
    }
}

static enum err keys(struct batch *b, enum field_scope scope, void (*each)(void *, struct str), void *ctx) {
    struct key_set s;
    key_set_init(&s, b->arena);
    enum err e = keys_of(table_batch_of(b), scope, &s);
    for (uint32_t i = 0; e == ERR_OK && i < s.n; i++) each(ctx, s.keys[i]);
    key_set_fini(&s);
    return e;
}

void table_batch_open(struct table_batch *b, const struct span_table *t, const struct table_index *x,
                      struct arena *a) {
    static const struct batch_ops ops = { .column = table_column,
                                          .load = table_load,
                                          .may_hold = table_may_hold,
                                          .parents = parents,
                                          .span_ids = span_ids,
                                          .parent_ids = parent_ids,
                                          .starts = starts,
                                          .numbers = numbers,
                                          .start_bounds = start_bounds,
                                          .owners = owners,
                                          .summaries = summaries,
                                          .keys = keys };
    *b = (struct table_batch){ .batch = { .ops = &ops,
                                          .arena = a,
                                          .n_rows = x->n_rows,
                                          .n_traces = x->n_traces,
                                          .traces = x->traces,
                                          .order = x->order,
                                          .live = x->live },
                               .table = t,
                               .index = x };
}
