// SPDX-License-Identifier: Apache-2.0
// Whether a row group holds a text is asked of a bloom filter of the column's values: the one of the file, or
// one made of the column's dictionary. Either is read when first asked for, and kept with the block until
// that is freed. Past the limit the filter of the file is read where it lies, and dictionaries are not asked.
#include "block/open.h"
#include "block/restkeys.h"
#include "block/schema.h"
#include "parquet/bloom.h"

enum {
    FILTERS_BYTES_MAX = 32 << 20,   // of all blocks together
    FILTER_ONE_BYTES_MAX = 1 << 20, // a larger one is not kept
};

static struct mem_budget filters_budget = { .limit = FILTERS_BYTES_MAX };

struct kept_filter {
    size_t size;
    uint8_t bits[];
};

void filters_limit(uint64_t bytes) {
    filters_budget.limit = bytes < FILTERS_BYTES_MAX ? bytes : FILTERS_BYTES_MAX;
}

uint64_t filters_bytes(void) {
    return filters_budget.used;
}

void filters_init(struct block *b) {
    arena_init(&b->memo_filters, SIZE_MAX, &filters_budget);
}

void filters_fini(struct block *b) {
    arena_fini(&b->memo_filters);
}

// --- making ----------------------------------------------------------------------------------------

static enum err bits_of_dict(struct pq_chunk *c, struct str *out) {
    TRY(pq_chunk_dict(c));
    if (!c->dict) return ERR_OK;
    size_t size = bloom_size(c->dict->n);
    uint8_t *bits = arena_zalloc(c->arena, size);
    if (!bits) return ERR_NOMEM;
    for (uint32_t i = 0; i < c->dict->n; i++)
        bloom_add(bits, size, hash_xxh64(c->dict->strs[i].ptr, c->dict->strs[i].len));
    *out = (struct str){ (const char *)bits, size };
    return ERR_OK;
}

static const struct kept_filter *keep(struct block *b, struct column_places *p, struct str bits) {
    pthread_mutex_lock(&b->memo_lock);
    const struct kept_filter *k = p->filter;
    if (!k && bits.len > 0 && bits.len <= FILTER_ONE_BYTES_MAX) {
        struct kept_filter *made = arena_alloc(&b->memo_filters, sizeof *made + bits.len);
        if (made) {
            made->size = bits.len;
            memcpy(made->bits, bits.ptr, bits.len);
        }
        k = made;
        atomic_store_explicit(&p->filter, k, memory_order_release);
    }
    if (!k) p->has_no_filter = true;
    pthread_mutex_unlock(&b->memo_lock);
    return k;
}

// *out NULL: none is kept.
static enum err find(struct in_file *f, struct block_scan *s, uint32_t group, size_t column,
                     const struct kept_filter **out) {
    struct column_places *p = &f->places[group * f->pq->n_columns + column];
    struct str bits = STR("");
    struct pq_chunk c;
    *out = atomic_load_explicit(&p->filter, memory_order_acquire);
    if (*out || p->has_no_filter) return ERR_OK;
    block_scan_reset(s);
    TRY(scan_chunk(f, s, group, column, &c));
    if (c.meta->bloom.len <= FILTER_ONE_BYTES_MAX) TRY(pq_bloom_read(&c, &bits));
    if (c.meta->bloom.len == 0) TRY(bits_of_dict(&c, &bits));
    *out = keep(f->block, p, bits);
    return ERR_OK;
}

// --- asking ----------------------------------------------------------------------------------------

static bool is_empty(const struct in_file *f, uint32_t group, size_t column) {
    const struct pq_row_group *g = &f->pq->groups[group];
    return g->chunks[column].stats.null_count == (int64_t)g->n_rows;
}

static bool within_stats(const struct in_file *f, uint32_t group, size_t column, struct str text) {
    const struct pq_stats *stats = &f->pq->groups[group].chunks[column].stats;
    return !stats->has_min_max || (str_cmp(text, stats->min) >= 0 && str_cmp(text, stats->max) <= 0);
}

// Has a column of texts this one?
static enum err column_holds(struct in_file *f, struct block_scan *s, uint32_t group, size_t column,
                             struct str text, bool *out) {
    const struct kept_filter *k;
    struct pq_chunk c;
    *out = !is_empty(f, group, column) && within_stats(f, group, column, text);
    if (!*out) return ERR_OK;
    TRY(find(f, s, group, column, &k));
    if (k) {
        uint64_t hash = hash_xxh64(text.ptr, text.len);
        *out = bloom_test(k->bits + bloom_block(k->size, hash), hash);
        return ERR_OK;
    }
    pq_chunk_open(f->pq, group, column, s->decoder, &s->arena, &c);
    c.bloom_is_whole = &f->places[group * f->pq->n_columns + column].bloom_is_whole;
    return pq_bloom_might_contain(&c, text, out);
}

// A name that is not UTF-8 stands in the rest of a row whose name is "".
static enum err name_holds(struct in_file *f, struct block_scan *s, uint32_t group, size_t column,
                           struct str text, bool *out) {
    *out = false;
    if (!f->pq) return ERR_OK;
    TRY(column_holds(f, s, group, column, text, out));
    return *out ? ERR_OK : column_holds(f, s, group, column, STR(""), out);
}

struct attr_place { // where the attributes of a scope lie
    struct in_file *file;
    const struct attr_def *defs;
    uint32_t n;
    enum block_rows rows;
};

static enum err attr_holds(struct block *b, struct block_scan *s, uint32_t group, const struct attr_place *at,
                           struct str key, struct str text, bool *out) {
    uint32_t hash = attr_def_hash(key);
    *out = block_rest_may_hold(b, at->rows, group, key);
    for (uint32_t i = 0; i < at->n && !*out; i++) {
        const struct attr_def *d = &at->defs[i];
        if (d->hash != hash || !str_eq(d->key, key)) continue;
        if (d->type == ATTR_STRING)
            TRY(column_holds(at->file, s, group, d->column, text, out));
        else
            *out = !is_empty(at->file, group, d->column);
    }
    return ERR_OK;
}

// By the dictionary that says which of them occur, if it is kept.
static enum err entity_holds(struct block *b, struct block_scan *s, uint32_t group, const struct field *f,
                             struct str text, bool *out) {
    bool is_scope = f->scope == FIELD_INSTRUMENTATION || f->intrinsic != INTRINSIC_NONE;
    const struct pq_dict *d = memo_dict_find(&b->spans, group, is_scope ? SC_SCOPE : SC_RESOURCE);
    uint32_t n = is_scope ? b->n_scopes : b->n_resources;
    const struct value *of;
    *out = true;
    if (!d) return ERR_OK;
    block_scan_reset(s);
    TRY(entity_values(b, is_scope, f, &s->arena, &of));
    *out = false;
    for (uint32_t i = 0; i < d->n && !*out; i++) {
        if ((uint32_t)d->i32[i] >= n) return ERR_CORRUPT;
        const struct value *v = &of[d->i32[i]];
        *out = v->type == VALUE_STRING ? str_eq(v->s, text) : v->type != VALUE_NIL;
    }
    return ERR_OK;
}

enum err block_may_hold_text(struct block *b, struct block_scan *s, uint32_t group, const struct field *f,
                             struct str text, bool *out) {
    *out = true;
    TRY(block_open(b, s));
    if (group >= b->spans.pq->n_groups) return ERR_CORRUPT;
    struct attr_place spans = { &b->spans, b->span_attrs, b->n_span_attrs, BLOCK_ROWS_SPANS },
                      events = { &b->events, b->event_attrs, b->n_event_attrs, BLOCK_ROWS_EVENTS },
                      links = { &b->links, b->link_attrs, b->n_link_attrs, BLOCK_ROWS_LINKS };
    switch (f->intrinsic) {
    case INTRINSIC_NAME: return name_holds(&b->spans, s, group, SC_NAME, text, out);
    case INTRINSIC_EVENT_NAME: return name_holds(&b->events, s, group, EC_NAME, text, out);
    case INTRINSIC_SCOPE_NAME:
    case INTRINSIC_SCOPE_VERSION: return entity_holds(b, s, group, f, text, out);
    case INTRINSIC_NONE: break;
    default: return ERR_OK;
    }
    switch (f->scope) {
    case FIELD_SPAN: return attr_holds(b, s, group, &spans, f->key, text, out);
    case FIELD_EVENT: return attr_holds(b, s, group, &events, f->key, text, out);
    case FIELD_LINK: return attr_holds(b, s, group, &links, f->key, text, out);
    case FIELD_RESOURCE:
    case FIELD_INSTRUMENTATION: return entity_holds(b, s, group, f, text, out);
    default: return ERR_OK;
    }
}
