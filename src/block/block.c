// SPDX-License-Identifier: Apache-2.0
#include "block/open.h"

#include "block/cache.h"
#include "block/columns.h"
#include "block/schema.h"
#include "span/lookup.h"

enum { OPEN_BYTES_MAX = 512 << 20 };

// --- life ----------------------------------------------------------------------------------------

enum err block_new(struct object_store *store, struct str tenant, const struct block_meta *meta,
                   struct block **out) {
    struct block *b = mem_zalloc(sizeof *b);
    if (!b) return ERR_NOMEM;
    b->store = store;
    b->tenant = tenant;
    b->meta = *meta;
    b->refs = 1;
    pthread_mutex_init(&b->lock, NULL);
    arena_init(&b->arena, OPEN_BYTES_MAX, NULL);
    arena_init(&b->tables, OPEN_BYTES_MAX, NULL);
    places_init(b);
    memo_init(b);
    filters_init(b);
    *out = b;
    return ERR_OK;
}

struct block *block_ref(struct block *b) {
    atomic_fetch_add(&b->refs, 1);
    return b;
}

static enum err remove_one(void *ctx, struct str key, uint64_t size) {
    struct object_store *s = ctx;
    (void)size;
    return s->ops->remove(s, key);
}

void block_remove_files(struct object_store *store, struct str tenant, const char *id) {
    char prefix[BLOCK_KEY_MAX];
    block_prefix(prefix, tenant, id);
    // What cannot be removed now is found, uncommitted, at the next start.
    enum err ignored = store->ops->list(store, str_of(prefix), STR(""), store, remove_one);
    (void)ignored;
}

static void close_files(struct block *b) {
    struct in_file *files[] = { &b->spans,     &b->traces, &b->events, &b->links,
                                &b->resources, &b->scopes, &b->large,  &b->split };
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        cache_drop(files[i]);
        pq_reader_close(TAKE(files[i]->pq));
    }
}

void block_unref(struct block *b) {
    if (!b || atomic_fetch_sub(&b->refs, 1) != 1) return;
    close_files(b);
    if (b->dead) block_remove_files(b->store, b->tenant, b->meta.id);
    arena_fini(&b->arena);
    arena_fini(&b->tables);
    places_fini(b);
    filters_fini(b);
    memo_fini(b);
    pthread_mutex_destroy(&b->lock);
    mem_free(b);
}

const struct block_meta *block_meta(const struct block *b) {
    return &b->meta;
}

void block_mark_dead(struct block *b) {
    b->dead = true;
}

// --- opening ---------------------------------------------------------------------------------------

static enum err file_read(void *ctx, uint64_t off, void *dst, size_t n) {
    struct in_file *f = ctx;
    return f->block->store->ops->read(f->block->store, str_of(f->key), off, dst, n);
}

static enum err file_open(struct block *b, struct in_file *f, enum block_file file, bool may_lack) {
    struct pq_source source = { file_read, f, 0 };
    struct err_ctx ctx = { 0 };
    f->block = b;
    block_key(f->key, b->tenant, b->meta.id, block_schemas[file].name);
    enum err e = b->store->ops->size(b->store, str_of(f->key), &source.size);
    if (e == ERR_NOT_FOUND && may_lack) return ERR_OK;
    TRY(e);
    struct pq_reader_opts opts = { .must_have_sums = b->meta.format >= BLOCK_FORMAT_SUMS };
    TRY(pq_reader_open(&source, &opts, &f->pq, &ctx));
    if (!schema_fits(file, f->pq)) return ERR_CORRUPT;
    f->places = arena_zalloc(&b->arena, (f->pq->n_groups * f->pq->n_columns + 1) * sizeof *f->places);
    return f->places ? ERR_OK : ERR_NOMEM;
}

static enum err attr_defs(struct block *b, struct in_file *f, size_t n_fixed, struct str scope,
                          struct attr_def **out, uint32_t *out_n) {
    *out_n = 0;
    if (!f->pq) return ERR_OK;
    if (f->pq->n_columns < n_fixed) return ERR_CORRUPT;
    *out = ARENA_ARRAY(&b->arena, f->pq->n_columns, struct attr_def);
    if (!*out) return ERR_NOMEM;
    for (size_t i = n_fixed; i < f->pq->n_columns; i++) {
        struct attr_def *d = &(*out)[(*out_n)++];
        d->column = i;
        if (!column_name_read(&b->arena, f->pq->columns[i].name, scope, &d->key, &d->type))
            return b->arena.failed ? ERR_NOMEM : ERR_CORRUPT;
        d->hash = attr_def_hash(d->key);
        if (f->pq->columns[i].type != attr_column_def(STR(""), d->type).type) return ERR_CORRUPT;
    }
    return ERR_OK;
}

static struct str service_of(struct str resource) {
    struct value v = entity_value(resource, false, STR("service.name"));
    return v.type == VALUE_STRING && str_is_utf8(v.s) ? v.s : STR("");
}

static enum err load_bloom(struct block *b, struct block_scan *s, size_t group, struct bloom_bits *out) {
    struct pq_chunk c;
    struct str bits;
    pq_chunk_open(b->traces.pq, group, TC_TRACE_ID, s->decoder, &b->arena, &c);
    TRY(pq_bloom_read(&c, &bits));
    if (bits.len) *out = (struct bloom_bits){ (const uint8_t *)bits.ptr, bits.len };
    return ERR_OK;
}

static enum err check_shape(const struct block *b) {
    const struct pq_reader *s = b->spans.pq, *t = b->traces.pq;
    if (t->n_groups != s->n_groups) return ERR_CORRUPT;
    if (b->events.pq && b->events.pq->n_groups != s->n_groups) return ERR_CORRUPT;
    return b->links.pq && b->links.pq->n_groups != s->n_groups ? ERR_CORRUPT : ERR_OK;
}

static enum err open_files(struct block *b, struct block_scan *s) {
    if (b->meta.format < BLOCK_FORMAT_FIRST || b->meta.format > BLOCK_FORMAT) return ERR_UNSUPPORTED;
    TRY(file_open(b, &b->spans, FILE_SPANS, false));
    TRY(file_open(b, &b->traces, FILE_TRACES, false));
    TRY(file_open(b, &b->events, FILE_EVENTS, true));
    TRY(file_open(b, &b->links, FILE_LINKS, true));
    TRY(file_open(b, &b->resources, FILE_RESOURCES, false));
    TRY(file_open(b, &b->scopes, FILE_SCOPES, false));
    TRY(file_open(b, &b->large, FILE_LARGE, true));
    TRY(file_open(b, &b->split, FILE_SPLIT, true));
    TRY(check_shape(b));
    struct in_file *rows[] = { &b->spans, &b->events, &b->links };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) TRY(rest_keys_find(&b->arena, rows[i]));
    TRY(attr_defs(b, &b->spans, SC_COUNT, STR("span"), &b->span_attrs, &b->n_span_attrs));
    TRY(attr_defs(b, &b->events, EC_COUNT, STR("event"), &b->event_attrs, &b->n_event_attrs));
    TRY(attr_defs(b, &b->links, LC_COUNT, STR("link"), &b->link_attrs, &b->n_link_attrs));
    b->blooms = arena_zalloc(&b->arena, (b->traces.pq->n_groups + 1) * sizeof *b->blooms);
    b->group_traces = arena_zalloc(&b->arena, (b->traces.pq->n_groups + 1) * sizeof *b->group_traces);
    if (!b->blooms || !b->group_traces) return ERR_NOMEM;
    for (size_t g = 0; g < b->traces.pq->n_groups; g++) TRY(load_bloom(b, s, g, &b->blooms[g]));
    return ERR_OK;
}

// As if never tried where it fails, so that a passing trouble passes.
static enum err have_files(struct block *b, struct block_scan *s) {
    pthread_mutex_lock(&b->lock);
    enum err e = b->has_files ? ERR_OK : open_files(b, s);
    b->has_files = e == ERR_OK;
    if (!b->has_files) {
        close_files(b);
        arena_fini(&b->arena);
        arena_init(&b->arena, OPEN_BYTES_MAX, NULL);
    }
    pthread_mutex_unlock(&b->lock);
    return e;
}

// What of the files is kept in memory, as a scan has read it.
struct tables {
    struct texts {
        const struct str *at;
        uint32_t n;
    } resources, scopes;
    const uint8_t *split_ids;
    uint32_t n_split;
};

static enum err read_texts_of(struct in_file *f, struct block_scan *s, struct texts *out) {
    struct pq_vector v;
    const struct str *bytes;
    if (f->pq->n_rows > RESOURCES_MAX) return ERR_CORRUPT;
    struct str *all = ARENA_ARRAY(&s->arena, f->pq->n_rows + 1, struct str);
    if (!all) return ERR_NOMEM;
    *out = (struct texts){ all, 0 };
    for (size_t g = 0; g < f->pq->n_groups; g++) {
        TRY(scan_read(f, s, g, NC_OTLP, 0, f->pq->groups[g].n_rows, &v));
        TRY(vector_strs(&v, &s->arena, &bytes));
        if (v.n_values) memcpy(all + out->n, bytes, v.n_values * sizeof *bytes);
        out->n += v.n_values;
    }
    return ERR_OK;
}

static enum err read_split(struct block *b, struct block_scan *s, struct tables *out) {
    struct pq_vector v;
    if (!b->split.pq || b->split.pq->n_groups == 0) return ERR_OK;
    if (b->split.pq->n_groups != 1) return ERR_CORRUPT;
    TRY(scan_read(&b->split, s, 0, 0, 0, b->split.pq->groups[0].n_rows, &v));
    TRY(vector_fixed(&v, &s->arena, 16, &out->split_ids));
    out->n_split = v.n_values;
    return ERR_OK;
}

static enum err keep_texts(struct arena *a, const struct texts *t, bool services, struct span_entity **out) {
    *out = ARENA_ARRAY(a, t->n + 1ull, struct span_entity);
    if (!*out) return ERR_NOMEM;
    for (uint32_t i = 0; i < t->n; i++) {
        struct str copy = str_dup(a, t->at[i]);
        if (!copy.ptr) return ERR_NOMEM;
        (*out)[i] = (struct span_entity){ copy, services ? service_of(copy) : STR("") };
    }
    return ERR_OK;
}

static enum err keep_tables(struct block *b, const struct tables *t) {
    TRY(keep_texts(&b->tables, &t->resources, true, &b->resource));
    TRY(keep_texts(&b->tables, &t->scopes, false, &b->scope));
    b->split_ids = t->n_split ? arena_copy(&b->tables, t->split_ids, t->n_split * 16ull) : NULL;
    if (t->n_split && !b->split_ids) return ERR_NOMEM;
    b->n_resources = t->resources.n;
    b->n_scopes = t->scopes.n;
    b->n_split = t->n_split;
    return ERR_OK;
}

// Another thread may have been faster.
static enum err have_tables(struct block *b, const struct tables *t) {
    pthread_mutex_lock(&b->lock);
    enum err e = b->is_open ? ERR_OK : keep_tables(b, t);
    if (e != ERR_OK) {
        arena_fini(&b->tables);
        arena_init(&b->tables, OPEN_BYTES_MAX, NULL);
    }
    atomic_store_explicit(&b->is_open, e == ERR_OK, memory_order_release);
    pthread_mutex_unlock(&b->lock);
    return e;
}

// The scan's memory may be waited for, and is taken while nobody waits for this thread.
enum err block_open(struct block *b, struct block_scan *s) {
    struct tables t = { .n_split = 0 };
    if (atomic_load_explicit(&b->is_open, memory_order_acquire)) return ERR_OK;
    TRY(have_files(b, s));
    TRY(read_texts_of(&b->resources, s, &t.resources));
    TRY(read_texts_of(&b->scopes, s, &t.scopes));
    TRY(read_split(b, s, &t));
    return have_tables(b, &t);
}

// --- traces ------------------------------------------------------------------------------------------

uint32_t block_n_groups(struct block *b) {
    return (uint32_t)b->spans.pq->n_groups;
}

uint32_t block_group_rows(struct block *b, uint32_t group) {
    return b->spans.pq->groups[group].n_rows;
}

enum err block_split(struct block *b, struct block_scan *s, const uint8_t **out_ids, uint32_t *out_n) {
    TRY(block_open(b, s));
    *out_ids = b->split_ids;
    *out_n = b->n_split;
    return ERR_OK;
}

// Spreads the values of an optional text column over all rows; has[i] = false where there is none.
static enum err spread_text(struct block *b, struct block_scan *s, uint32_t g, size_t column, uint32_t n,
                            const struct str **out, bool *has) {
    struct pq_vector v;
    const struct str *strs;
    struct str *flat = ARENA_ARRAY(&s->arena, n + 1ull, struct str);
    if (!flat) return ERR_NOMEM;
    TRY(scan_read(&b->traces, s, g, column, 0, n, &v));
    TRY(vector_strs(&v, &s->arena, &strs));
    for (uint32_t i = 0; i < n; i++) {
        flat[i] = STR("");
        has[i] = false;
    }
    for (uint32_t i = 0; i < v.n_values; i++) {
        uint32_t row = v.rows ? v.rows[i] : i;
        flat[row] = strs[i];
        has[row] = true;
    }
    *out = flat;
    return ERR_OK;
}

static enum err read_texts(struct block *b, struct block_scan *s, uint32_t g, struct block_traces *out) {
    struct pq_vector v;
    bool *has = ARENA_ARRAY(&s->arena, out->n + 1ull, bool);
    if (!has) return ERR_NOMEM;
    TRY(spread_text(b, s, g, TC_ROOT_SERVICE, out->n, &out->root_service, has));
    TRY(spread_text(b, s, g, TC_ROOT_NAME, out->n, &out->root_name, has));
    out->has_root = has;
    TRY(scan_read(&b->traces, s, g, TC_SERVICES, 0, out->n, &v));
    return vector_strs(&v, &s->arena, &out->services);
}

static enum err read_i32(struct block *b, struct block_scan *s, uint32_t g, size_t column, uint32_t n,
                         const int32_t **out) {
    struct pq_vector v;
    TRY(scan_read(&b->traces, s, g, column, 0, n, &v));
    return vector_i32(&v, &s->arena, out);
}

static enum err read_i64(struct block *b, struct block_scan *s, uint32_t g, size_t column, uint32_t n,
                         const int64_t **out) {
    struct pq_vector v;
    TRY(scan_read(&b->traces, s, g, column, 0, n, &v));
    return vector_i64(&v, &s->arena, out);
}

enum err block_read_traces(struct block *b, struct block_scan *s, uint32_t g, bool texts,
                           struct block_traces *out) {
    struct pq_vector v;
    TRY(block_open(b, s));
    if (g >= b->traces.pq->n_groups) return ERR_CORRUPT;
    block_scan_reset(s);
    uint32_t n = b->traces.pq->groups[g].n_rows;
    *out = (struct block_traces){ .n = n };
    TRY(scan_read(&b->traces, s, g, TC_TRACE_ID, 0, n, &v));
    TRY(vector_fixed(&v, &s->arena, 16, &out->id));
    TRY(read_i32(b, s, g, TC_ROWS, n, &out->rows));
    TRY(read_i32(b, s, g, TC_ERRORS, n, &out->errors));
    TRY(read_i64(b, s, g, TC_START, n, &out->start_ns));
    TRY(read_i64(b, s, g, TC_DURATION, n, &out->duration_ns));
    TRY(read_i64(b, s, g, TC_LAST, n, &out->last_ns));
    return texts ? read_texts(b, s, g, out) : ERR_OK;
}
