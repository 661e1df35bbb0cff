// SPDX-License-Identifier: Apache-2.0
#include "block/batch_internal.h"
#include "block/cache.h"

#include "span/lookup.h"
#include "span/parts.h"

// --- reading -------------------------------------------------------------------------------------

enum err batch_chunk(struct block_batch *b, struct in_file *f, size_t column, struct pq_chunk *out) {
    return scan_chunk(f, b->scan, b->group, column, out);
}

enum err batch_chunk_read(struct block_batch *b, struct pq_chunk *c, uint32_t from, uint32_t to,
                          struct pq_vector *out) {
    TRY(cache_read(b->scan, c, from, to, out));
    b->batch.bytes_read = b->scan->bytes_read - b->bytes_before;
    return ERR_OK;
}

enum err batch_read(struct block_batch *b, struct in_file *f, size_t column, uint32_t from, uint32_t to,
                    struct pq_vector *out) {
    struct pq_chunk c;
    TRY(batch_chunk(b, f, column, &c));
    return batch_chunk_read(b, &c, from, to, out);
}

bool batch_is_empty(const struct block_batch *b, const struct in_file *f, size_t column) {
    const struct pq_row_group *g = &f->pq->groups[b->group];
    return g->chunks[column].stats.null_count == (int64_t)g->n_rows;
}

// --- rows of spans -------------------------------------------------------------------------------

// The number of the trace of a row.
static uint32_t trace_of(const struct batch *b, uint32_t row) {
    uint32_t low = 0, high = b->n_traces;
    while (high - low > 1) {
        uint32_t mid = low + (high - low) / 2;
        if (b->traces[mid].first <= row)
            low = mid;
        else
            high = mid;
    }
    return low;
}

static enum err read_back(struct block_batch *b, uint32_t from, uint32_t to, const int32_t **out) {
    struct pq_vector v;
    TRY(batch_read(b, &b->block->spans, SC_PARENT, from, to, &v));
    return vector_i32(&v, &b->scan->arena, out);
}

// From distances to rows, which must lie in the run of the trace.
static enum err resolve(const struct batch *b, uint32_t from, uint32_t to, const int32_t *back,
                        uint32_t *out) {
    uint32_t trace = trace_of(b, from);
    for (uint32_t row = from; row < to; trace++) {
        const struct batch_trace *tr = &b->traces[trace];
        uint32_t end = tr->first + tr->n < to ? tr->first + tr->n : to, bad = 0;
        for (; row < end; row++) {
            uint32_t at = row - (uint32_t)back[row - from];
            bad |= at - tr->first >= tr->n;
            out[row - from] = back[row - from] ? at : BATCH_ROOT;
        }
        if (bad) return ERR_CORRUPT;
    }
    return ERR_OK;
}

static enum err parents(struct batch *b, uint32_t from, uint32_t to, const uint32_t **out) {
    struct block_batch *bb = block_batch_of(b);
    uint32_t *rows = ARENA_ARRAY(b->arena, to - from + 1ull, uint32_t);
    const int32_t *back;
    struct pq_vector v;
    if (!rows) return ERR_NOMEM;
    *out = rows;
    if (from == to) return ERR_OK;
    TRY(read_back(bb, from, to, &back));
    TRY(resolve(b, from, to, back, rows));
    if (batch_is_empty(bb, &bb->block->spans, SC_PARENT_ID)) return ERR_OK;
    TRY(batch_read(bb, &bb->block->spans, SC_PARENT_ID, from, to, &v));
    for (uint32_t i = 0; i < v.n_values; i++) { // they have one that is not in the run
        uint32_t row = v.rows ? v.rows[i] : i;
        if (rows[row] == BATCH_ROOT) rows[row] = BATCH_ORPHAN;
    }
    return ERR_OK;
}

static enum err span_ids(struct batch *b, uint32_t from, uint32_t to, const uint64_t **out) {
    struct block_batch *bb = block_batch_of(b);
    struct pq_vector v;
    const uint8_t *ids;
    TRY(batch_read(bb, &bb->block->spans, SC_SPAN_ID, from, to, &v));
    TRY(vector_fixed(&v, b->arena, 8, &ids));
    *out = (const uint64_t *)(const void *)ids; // of an arena, so aligned
    return ERR_OK;
}

// Kept beside the row, or that of the row so many back.
static enum err parent_ids(struct batch *b, uint32_t from, uint32_t to, const uint64_t **out) {
    struct block_batch *bb = block_batch_of(b);
    uint64_t *own = ARENA_ARRAY(b->arena, to - from + 1ull, uint64_t);
    const uint32_t *rows;
    const uint64_t *ids;
    struct pq_vector v;
    const uint8_t *fixed;
    if (!own) return ERR_NOMEM;
    *out = own;
    if (from == to) return ERR_OK;
    const struct batch_trace *last = &b->traces[trace_of(b, to - 1)];
    uint32_t low = b->traces[trace_of(b, from)].first;
    TRY(parents(b, from, to, &rows));
    TRY(span_ids(b, low, last->first + last->n, &ids));
    for (uint32_t i = 0; i < to - from; i++) own[i] = rows[i] >= BATCH_ORPHAN ? 0 : ids[rows[i] - low];
    TRY(batch_read(bb, &bb->block->spans, SC_PARENT_ID, from, to, &v));
    TRY(vector_fixed(&v, b->arena, 8, &fixed));
    for (uint32_t i = 0; i < v.n_values; i++) memcpy(&own[v.rows ? v.rows[i] : i], fixed + 8ull * i, 8);
    return ERR_OK;
}

static enum err starts(struct batch *b, uint32_t from, uint32_t to, const uint64_t **out) {
    struct block_batch *bb = block_batch_of(b);
    struct pq_vector v;
    const int64_t *ns;
    TRY(batch_read(bb, &bb->block->spans, SC_START, from, to, &v));
    TRY(vector_i64(&v, b->arena, &ns));
    *out = (const uint64_t *)ns;
    return ERR_OK;
}

static enum err start_bounds(struct batch *b, const struct batch_bounds **out, uint32_t *out_n) {
    struct block_batch *bb = block_batch_of(b);
    struct pq_chunk c;
    TRY(batch_chunk(bb, &bb->block->spans, SC_START, &c));
    return batch_page_bounds(bb, &c, out, out_n);
}

// --- children, keys ------------------------------------------------------------------------------

static enum err owners(struct batch *b, enum batch_table table, const uint32_t **out, uint32_t *out_n) {
    struct block_batch *bb = block_batch_of(b);
    struct memo_table *m = &bb->memo->table[table];
    struct pq_vector v;
    const int32_t *rows;
    ASSERT(table == BATCH_EVENTS || table == BATCH_LINKS);
    if (m->n > 0 && !m->owners) {
        TRY(batch_read(bb, batch_file(bb, table), table == BATCH_EVENTS ? EC_ROW : (size_t)LC_ROW, 0, m->n,
                       &v));
        TRY(vector_i32(&v, b->arena, &rows));
        for (uint32_t i = 0; i < m->n; i++)
            if ((uint32_t)rows[i] >= b->n_rows || (i > 0 && rows[i] < rows[i - 1])) return ERR_CORRUPT;
        m->owners = (const uint32_t *)rows;
    }
    *out = m->owners;
    *out_n = m->n;
    return ERR_OK;
}

static enum err row_keys(struct block_batch *b, enum batch_table t, struct key_set *s) {
    const struct block *k = b->block;
    const struct attr_def *defs = t == BATCH_SPANS    ? k->span_attrs
                                  : t == BATCH_EVENTS ? k->event_attrs
                                                      : k->link_attrs;
    uint32_t n = t == BATCH_SPANS ? k->n_span_attrs : t == BATCH_EVENTS ? k->n_event_attrs : k->n_link_attrs;
    struct memo_table *m;
    if (b->memo->table[t].n == 0) return ERR_OK;
    for (uint32_t i = 0; i < n; i++)
        if (!batch_is_empty(b, batch_file(b, t), defs[i].column)) key_set_add(s, defs[i].key);
    TRY(batch_rests(b, t, &m));
    for (uint32_t i = 0; i < m->n_rest; i++) TRY(rest_keys(m->rests[i], key_set_add, s));
    return s->err;
}

// Of the entities that occur.
static enum err entities_keys(struct block_batch *b, bool is_scope, struct key_set *s) {
    const struct span_entity *e = is_scope ? b->block->scope : b->block->resource;
    struct pq_chunk *c;
    TRY(batch_entities(b, is_scope, &c));
    for (uint32_t i = 0; i < c->dict->n; i++) entity_keys(e[c->dict->i32[i]].bytes, is_scope, key_set_add, s);
    return s->err;
}

static enum err keys_of(struct block_batch *b, enum field_scope scope, struct key_set *s) {
    switch (scope) {
    case FIELD_SPAN: return row_keys(b, BATCH_SPANS, s);
    case FIELD_EVENT: return row_keys(b, BATCH_EVENTS, s);
    case FIELD_LINK: return row_keys(b, BATCH_LINKS, s);
    case FIELD_RESOURCE: return entities_keys(b, false, s);
    case FIELD_INSTRUMENTATION: return entities_keys(b, true, s);
    case FIELD_UNSCOPED:
    case FIELD_SCOPE_COUNT:
    default: return ERR_INVALID;
    }
}

static enum err keys(struct batch *b, enum field_scope scope, void (*each)(void *, struct str), void *ctx) {
    struct key_set s;
    if (b->n_rows == 0) return ERR_OK;
    key_set_init(&s, b->arena);
    enum err e = keys_of(block_batch_of(b), scope, &s);
    for (uint32_t i = 0; e == ERR_OK && i < s.n; i++) each(ctx, s.keys[i]);
    key_set_fini(&s);
    return e;
}

// --- opening -------------------------------------------------------------------------------------

static uint32_t rows_of(const struct in_file *f, uint32_t group) {
    return f->pq ? f->pq->groups[group].n_rows : 0;
}

enum err block_batch_open_columns(struct block_batch *b, struct block *block, struct block_scan *scan,
                                  uint32_t group) {
    static const struct batch_ops ops = { .column = batch_column_open,
                                          .load = batch_part_load,
                                          .rows_with = batch_part_rows_with,
                                          .may_hold = batch_part_may_hold,
                                          .parents = parents,
                                          .span_ids = span_ids,
                                          .parent_ids = parent_ids,
                                          .starts = starts,
                                          .numbers = batch_numbers,
                                          .start_bounds = start_bounds,
                                          .owners = owners,
                                          .summaries = batch_summaries,
                                          .keys = keys };
    *b = (struct block_batch){ .batch = { .ops = &ops, .arena = &scan->arena },
                               .block = block,
                               .scan = scan,
                               .group = group,
                               .bytes_before = scan->bytes_read };
    TRY(block_open(block, scan));
    if (group >= block_n_groups(block)) return ERR_CORRUPT;
    b->memo = ARENA_NEW(&scan->arena, struct batch_memo);
    if (!b->memo) return ERR_NOMEM;
    b->batch.n_rows = b->memo->table[BATCH_SPANS].n = block_group_rows(block, group);
    b->memo->table[BATCH_EVENTS].n = rows_of(&block->events, group);
    b->memo->table[BATCH_LINKS].n = rows_of(&block->links, group);
    return ERR_OK;
}

enum err block_batch_open(struct block_batch *b, struct block *block, struct block_scan *scan,
                          uint32_t group) {
    TRY(block_batch_open_columns(b, block, scan, group));
    return batch_read_traces(b);
}

enum err block_batch_add_traces(struct block_batch *b) {
    return batch_read_traces(b);
}
