// SPDX-License-Identifier: Apache-2.0
// The columns of a row group's batch. A column of the file is opened with its dictionary, if it has
// one; then ranges of it are decoded as they are asked for.
#include "block/batch_internal.h"
#include "block/cache.h"

#include "span/lookup.h"
#include "span/parts.h"

static struct source *source_new(struct block_batch *b) {
    return ARENA_NEW(&b->scan->arena, struct source);
}

static enum err one_part(struct block_batch *b, struct batch_part part, struct batch_column *out) {
    struct batch_part *p = arena_copy(&b->scan->arena, &part, sizeof part);
    *out = (struct batch_column){ p, p != NULL };
    return p ? ERR_OK : ERR_NOMEM;
}

// --- bounds --------------------------------------------------------------------------------------

static bool read_int(const struct pq_column *c, struct str plain, int64_t *out) {
    int32_t narrow;
    if (c->type == PQ_INT64 && plain.len == sizeof *out) {
        memcpy(out, plain.ptr, sizeof *out);
        return true;
    }
    if (c->type != PQ_INT32 || plain.len != sizeof narrow) return false;
    memcpy(&narrow, plain.ptr, sizeof narrow);
    *out = narrow;
    return true;
}

enum err batch_page_bounds(struct block_batch *b, struct pq_chunk *c, const struct batch_bounds **out,
                           uint32_t *out_n) {
    *out = NULL;
    *out_n = 0;
    TRY(pq_chunk_bounds(c));
    if (!c->bounds) return ERR_OK;
    struct batch_bounds *all = ARENA_ARRAY(&b->scan->arena, c->n_pages + 1, struct batch_bounds);
    if (!all) return ERR_NOMEM;
    for (size_t i = 0; i < c->n_pages; i++) {
        struct batch_bounds *o = &all[i];
        *o = (struct batch_bounds){ .first = c->pages[i].first_row,
                                    .n = c->pages[i].n_rows,
                                    .none = c->bounds[i].all_null };
        o->has_min_max =
            read_int(c->column, c->bounds[i].min, &o->min) && read_int(c->column, c->bounds[i].max, &o->max);
    }
    *out = all;
    *out_n = (uint32_t)c->n_pages;
    return ERR_OK;
}

static void raise_bounds(struct batch_part *p) {
    struct batch_bounds *all = (struct batch_bounds *)p->bounds; // just made, for us
    for (uint32_t i = 0; i < p->n_bounds; i++) {
        if (all[i].min < 0) all[i].min = 0;
        if (all[i].max < 0) all[i].max = 0;
    }
}

// --- columns of the file -------------------------------------------------------------------------

// The chunk's dictionary as values, with room for `more` behind them.
static enum err chunk_dict(struct block_batch *b, const struct source *s, enum value_type type, uint32_t more,
                           struct value **out, uint32_t *out_n) {
    const struct pq_dict *d = s->chunk.dict;
    *out_n = d->n;
    if (s->kept && more == 0) {
        *out = (struct value *)(uintptr_t)s->kept; // nobody writes to it
        return ERR_OK;
    }
    struct value *dict = ARENA_ARRAY(&b->scan->arena, d->n + more + 1ull, struct value);
    if (!dict) return ERR_NOMEM;
    *out = dict;
    if (!s->kept) return dict_values(s->chunk.column, d, type, &b->scan->arena, dict);
    if (d->n) memcpy(dict, s->kept, d->n * sizeof *dict);
    return ERR_OK;
}

// Opens a column. A dictionary page means that every page is coded: so it was written.
static enum err open_source(struct block_batch *b, struct in_file *f, size_t column, enum value_type type,
                            struct source **out) {
    struct source *s = *out = source_new(b);
    if (!s) return ERR_NOMEM;
    s->load = source_load_chunk;
    s->is_empty = batch_is_empty(b, f, column);
    TRY(batch_chunk(b, f, column, &s->chunk));
    if (!s->is_empty) TRY(memo_dict_keep(f, b->group, column, type, &s->chunk, &s->kept));
    s->coded = s->chunk.dict != NULL;
    return ERR_OK;
}

// The part of a column as it lies in the file.
static enum err file_part(struct block_batch *b, struct in_file *f, size_t column, enum value_type type,
                          struct batch_part *out) {
    struct source *s;
    struct value *dict = NULL;
    TRY(open_source(b, f, column, type, &s));
    *out = (struct batch_part){ .type = type, .source = s };
    s->is_any = type == VALUE_ANY;
    out->is_at_hand = (s->coded || !s->is_any) && cache_is_ready(b->scan, &s->chunk);
    s->has_stats = true;
    if (s->coded)
        TRY(chunk_dict(b, s, type, 0, &dict, &out->n_dict));
    else
        TRY(batch_page_bounds(b, &s->chunk, &out->bounds, &out->n_bounds));
    out->dict = dict;
    return ERR_OK;
}

static enum err file_column(struct block_batch *b, struct in_file *f, size_t column, enum value_type type,
                            struct batch_column *out) {
    struct batch_part p;
    TRY(file_part(b, f, column, type, &p));
    return one_part(b, p, out);
}

static enum err duration_column(struct block_batch *b, struct batch_column *out) {
    struct batch_part p;
    TRY(file_part(b, &b->block->spans, SC_DURATION, VALUE_DURATION, &p));
    struct source *s = p.source;
    const struct pq_stats *stats = &s->chunk.meta->stats;
    int64_t min;
    if (s->coded) return ERR_CORRUPT; // it never is
    s->load = source_load_duration;
    s->not_negative = !stats->has_min_max || !read_int(s->chunk.column, stats->min, &min) || min < 0;
    raise_bounds(&p);
    if (s->not_negative) p.is_at_hand = false;
    return one_part(b, p, out);
}

// Texts that most rows have as "".
static enum err sparse_column(struct block_batch *b, int column, struct batch_column *out) {
    struct source *s;
    struct value *dict = NULL;
    struct batch_part p = { .type = VALUE_STRING };
    TRY(open_source(b, &b->block->spans, column, VALUE_STRING, &s));
    if (s->is_empty) {
        s->coded = true;
        p.n_dict = 0;
        dict = ARENA_NEW(&b->scan->arena, struct value);
        if (!dict) return ERR_NOMEM;
    } else if (s->coded) {
        TRY(chunk_dict(b, s, VALUE_STRING, 1, &dict, &p.n_dict));
    }
    s->load = source_load_filled;
    s->fill = p.n_dict;
    if (dict) dict[p.n_dict++] = VALUE_OF_STR(STR(""));
    p.dict = dict;
    p.source = s;
    return one_part(b, p, out);
}

// --- names ---------------------------------------------------------------------------------------

static enum err odd_names(struct block_batch *b, enum batch_table t, struct few *few) {
    struct memo_table *m;
    TRY(batch_rests(b, t, &m));
    for (uint32_t i = 0; i < m->n_rest; i++) {
        struct str name;
        if (!rest_field(m->rests[i], REST_NAME, &name)) continue;
        TRY(few_add(few, &b->scan->arena, m->rest_rows ? m->rest_rows[i] : i, VALUE_OF_STR(name)));
    }
    return ERR_OK;
}

// A name that is not UTF-8 stands in the rest of a row whose name is "".
static bool has_empty_text(const struct pq_dict *d) {
    for (uint32_t i = 0; i < d->n; i++)
        if (d->strs[i].len == 0) return true;
    return false;
}

static enum err name_column(struct block_batch *b, enum batch_table t, struct batch_column *out) {
    struct source *s;
    struct value *dict = NULL;
    struct batch_part p = { .type = VALUE_STRING };
    TRY(open_source(b, batch_file(b, t), t == BATCH_SPANS ? SC_NAME : (size_t)EC_NAME, VALUE_STRING, &s));
    if (!s->coded || has_empty_text(s->chunk.dict)) TRY(odd_names(b, t, &s->few));
    if (s->few.n > 0) s->load = source_load_names;
    p.is_at_hand = s->few.n == 0 && cache_is_ready(b->scan, &s->chunk);
    if (s->coded) {
        TRY(chunk_dict(b, s, VALUE_STRING, s->few.n, &dict, &p.n_dict));
        s->fill = p.n_dict;
        for (uint32_t i = 0; i < s->few.n; i++) dict[p.n_dict++] = s->few.values[i];
    }
    p.dict = dict;
    p.source = s;
    return one_part(b, p, out);
}

// --- attributes ----------------------------------------------------------------------------------

static enum err rest_part(struct block_batch *b, enum batch_table t, struct str key,
                          struct batch_column *out) {
    struct source *s = source_new(b);
    bool found;
    if (!s) return ERR_NOMEM;
    TRY(batch_rest_part(b, t, key, &out->parts[out->n_parts], &found));
    s->load = source_load_few;
    s->few = *(const struct few *)out->parts[out->n_parts].source;
    out->parts[out->n_parts].source = s;
    out->n_parts += found;
    return ERR_OK;
}

static enum err attr_column(struct block_batch *b, enum batch_table t, struct str key,
                            struct batch_column *out) {
    const struct block *k = b->block;
    const struct attr_def *defs = t == BATCH_SPANS    ? k->span_attrs
                                  : t == BATCH_EVENTS ? k->event_attrs
                                                      : k->link_attrs;
    uint32_t n = t == BATCH_SPANS ? k->n_span_attrs : t == BATCH_EVENTS ? k->n_event_attrs : k->n_link_attrs;
    out->parts = ARENA_ARRAY(&b->scan->arena, ATTR_TYPE_COUNT + 1, struct batch_part);
    if (!out->parts) return ERR_NOMEM;
    for (uint32_t i = 0; i < n; i++) {
        if (!str_eq(defs[i].key, key) || batch_is_empty(b, batch_file(b, t), defs[i].column)) continue;
        if (out->n_parts == ATTR_TYPE_COUNT) return ERR_CORRUPT;
        TRY(file_part(b, batch_file(b, t), defs[i].column, value_type_of_attr(defs[i].type),
                      &out->parts[out->n_parts++]));
    }
    return rest_part(b, t, key, out);
}

// --- resources and scopes ------------------------------------------------------------------------

enum err batch_entities(struct block_batch *b, bool is_scope, struct pq_chunk **out) {
    struct pq_chunk **memo = is_scope ? &b->memo->scope : &b->memo->resource;
    uint32_t n = is_scope ? b->block->n_scopes : b->block->n_resources;
    if (!*memo) {
        struct pq_chunk *c = ARENA_NEW(&b->scan->arena, struct pq_chunk);
        size_t column = is_scope ? SC_SCOPE : SC_RESOURCE;
        const struct value *unused;
        if (!c) return ERR_NOMEM;
        TRY(batch_chunk(b, &b->block->spans, column, c));
        TRY(memo_dict_keep(&b->block->spans, b->group, column, VALUE_INT, c, &unused));
        if (!c->dict) return ERR_CORRUPT;
        for (uint32_t i = 0; i < c->dict->n; i++)
            if ((uint32_t)c->dict->i32[i] >= n) return ERR_CORRUPT;
        *memo = c;
    }
    *out = *memo;
    return ERR_OK;
}

static enum err entity_column(struct block_batch *b, bool is_scope, const struct field *f,
                              struct batch_column *out) {
    struct source *s = source_new(b);
    const struct value *of;
    struct pq_chunk *c;
    bool any;
    if (!s) return ERR_NOMEM;
    TRY(batch_entities(b, is_scope, &c));
    TRY(entity_values(b->block, is_scope, f, &b->scan->arena, &of));
    struct value *dict = ARENA_ARRAY(&b->scan->arena, c->dict->n + 1ull, struct value);
    if (!dict) return ERR_NOMEM;
    for (uint32_t i = 0; i < c->dict->n; i++) dict[i] = of[c->dict->i32[i]];
    *s = (struct source){ .load = source_load_chunk, .chunk = *c, .coded = true };
    struct batch_part p = { .dict = dict, .n_dict = c->dict->n, .source = s };
    p.is_at_hand = cache_is_ready(b->scan, c);
    p.type = values_type(dict, p.n_dict, &any);
    return any ? one_part(b, p, out) : ERR_OK;
}

// --- what a trace says of itself -----------------------------------------------------------------

static enum err trace_ids(struct block_batch *b, struct value *dict) {
    char *hex = arena_array(&b->scan->arena, b->batch.n_traces + 1ull, 32);
    if (!hex) return ERR_NOMEM;
    for (uint32_t i = 0; i < b->batch.n_traces; i++, hex += 32) {
        hex_encode(b->batch.traces[i].id, 16, hex);
        dict[i] = VALUE_OF_STR(((struct str){ hex, 32 }));
    }
    return ERR_OK;
}

static enum err trace_column(struct block_batch *b, enum intrinsic i, struct batch_column *out) {
    uint32_t n = b->batch.n_traces;
    struct value *dict = ARENA_ARRAY(&b->scan->arena, n + 1ull, struct value);
    struct source *s = source_new(b);
    bool any;
    if (!dict || !s) return ERR_NOMEM;
    s->load = source_load_codes;
    TRY(batch_trace_codes(b, &s->codes));
    if (i == INTRINSIC_TRACE_ID) TRY(trace_ids(b, dict));
    if (i == INTRINSIC_ROOT_NAME) TRY(batch_roots(b, TC_ROOT_NAME, dict));
    if (i == INTRINSIC_ROOT_SERVICE) TRY(batch_roots(b, TC_ROOT_SERVICE, dict));
    for (uint32_t k = 0; i == INTRINSIC_TRACE_DURATION && k < n; k++)
        dict[k] = (struct value){ .type = VALUE_DURATION,
                                  .i = (int64_t)(b->batch.traces[k].end_ns - b->batch.traces[k].start_ns) };
    struct batch_part p = { .dict = dict, .n_dict = n, .source = s };
    p.type = values_type(dict, n, &any);
    return any ? one_part(b, p, out) : ERR_OK;
}

// --- the door ------------------------------------------------------------------------------------

static enum err id_column(struct block_batch *b, enum batch_table t, size_t column,
                          struct batch_column *out) {
    struct source *s = source_new(b);
    if (!s) return ERR_NOMEM;
    s->load = source_load_ids;
    TRY(batch_chunk(b, batch_file(b, t), column, &s->chunk));
    return one_part(b, (struct batch_part){ .type = VALUE_STRING, .source = s }, out);
}

static enum err span_column(struct block_batch *b, const struct field *f, struct batch_column *out) {
    struct in_file *spans = &b->block->spans;
    switch (f->intrinsic) {
    case INTRINSIC_DURATION: return duration_column(b, out);
    case INTRINSIC_NAME: return name_column(b, BATCH_SPANS, out);
    case INTRINSIC_STATUS: return file_column(b, spans, SC_STATUS, VALUE_STATUS, out);
    case INTRINSIC_STATUS_MESSAGE: return sparse_column(b, SC_STATUS_MESSAGE, out);
    case INTRINSIC_TRACE_STATE: return sparse_column(b, SC_TRACE_STATE, out);
    case INTRINSIC_KIND: return file_column(b, spans, SC_KIND, VALUE_KIND, out);
    case INTRINSIC_SPAN_ID: return id_column(b, BATCH_SPANS, SC_SPAN_ID, out);
    case INTRINSIC_TRACE_ID:
    case INTRINSIC_TRACE_DURATION:
    case INTRINSIC_ROOT_NAME:
    case INTRINSIC_ROOT_SERVICE: return trace_column(b, f->intrinsic, out);
    case INTRINSIC_SCOPE_NAME:
    case INTRINSIC_SCOPE_VERSION:
        return entity_column(b, true, &(struct field){ .intrinsic = f->intrinsic, .key = STR("") }, out);
    default: return ERR_INVALID;
    }
}

static enum err child_column(struct block_batch *b, enum batch_table t, const struct field *f,
                             struct batch_column *out) {
    struct in_file *events = &b->block->events;
    bool is_event = t == BATCH_EVENTS;
    if (f->intrinsic == INTRINSIC_EVENT_NAME && is_event) return name_column(b, t, out);
    if (f->intrinsic == INTRINSIC_EVENT_TIME && is_event)
        return file_column(b, events, EC_OFFSET, VALUE_DURATION, out);
    if (f->intrinsic == INTRINSIC_LINK_TRACE_ID && !is_event) return id_column(b, t, LC_TRACE_ID, out);
    if (f->intrinsic == INTRINSIC_LINK_SPAN_ID && !is_event) return id_column(b, t, LC_SPAN_ID, out);
    return ERR_INVALID;
}

enum err batch_column_open(struct batch *b, enum batch_table t, const struct field *f,
                           struct batch_column *out) {
    struct block_batch *bb = block_batch_of(b);
    *out = (struct batch_column){ 0 };
    if (bb->memo->table[t].n == 0) return ERR_OK;
    if (f->intrinsic != INTRINSIC_NONE)
        return t == BATCH_SPANS ? span_column(bb, f, out) : child_column(bb, t, f, out);
    if (t != BATCH_SPANS || f->scope == FIELD_SPAN) return attr_column(bb, t, f->key, out);
    ASSERT(f->scope == FIELD_RESOURCE || f->scope == FIELD_INSTRUMENTATION);
    return entity_column(bb, f->scope == FIELD_INSTRUMENTATION, f, out);
}

enum err batch_part_load(struct batch *b, const struct batch_part *p, uint32_t from, uint32_t to,
                         struct vec *out) {
    struct source *s = p->source;
    ASSERT(from <= to);
    return s->load(block_batch_of(b), s, from, to, out);
}

bool batch_part_rows_with(struct batch *b, const struct batch_part *p, uint32_t code,
                          struct batch_rows *out) {
    const struct source *s = p->source;
    if (!p->is_at_hand || !s->coded || s->load != source_load_chunk) return false;
    return cache_rows_with(block_batch_of(b)->scan, &s->chunk, code, out);
}

enum err batch_part_may_hold(struct batch *b, const struct batch_part *p, const struct value *v, bool *out) {
    struct source *s = p->source;
    const struct pq_stats *stats = s->has_stats ? &s->chunk.meta->stats : NULL;
    int64_t min, max;
    (void)b;
    *out = true;
    if (!s->has_stats || s->coded || v->type != p->type) return ERR_OK;
    if (v->type == VALUE_INT && stats->has_min_max && read_int(s->chunk.column, stats->min, &min) &&
        read_int(s->chunk.column, stats->max, &max))
        *out = v->i >= min && v->i <= max;
    if (v->type != VALUE_STRING) return ERR_OK;
    if (stats->has_min_max) *out = str_cmp(v->s, stats->min) >= 0 && str_cmp(v->s, stats->max) <= 0;
    return *out ? pq_bloom_might_contain(&s->chunk, v->s, out) : ERR_OK;
}
