// SPDX-License-Identifier: Apache-2.0
// Opening a file: the footer, read whole and checked before any of it is believed. Text and values
// of statistics are slices of its bytes, which stay with the reader.
#include "base/map.h"
#include "parquet/footer.h"
#include "parquet/sums.h"
#include "parquet/thrift.h"
#include "parquet/writer.h"

enum { FOOTER_MAX = 64 << 20, MEMORY_MAX = 256 << 20, TAIL = 32 << 10 };
enum { END_LEN = 4 + PQ_MAGIC_LEN }; // length of the footer, magic

struct own {
    struct pq_reader r; // what callers see
    struct arena arena;
    struct map names;
    struct pq_column *columns;
    struct pq_row_group *groups;
    uint64_t data_end; // where the footer begins
};

struct parse {
    struct reader in;
    struct own *own;
    struct err_ctx *ctx;
};

static enum err damaged(struct parse *p, const char *what) {
    return err_set(p->ctx, ERR_CORRUPT, "parquet: damaged footer: %s", what);
}

// --- schema --------------------------------------------------------------------------------------

struct element {
    struct str name;
    int32_t type, length, repetition, children, converted;
    enum pq_logical logical;
    bool has_logical;
};

static enum pq_logical read_integer(struct reader *r, const struct thrift_field *outer) {
    struct thrift_field f = { 0 };
    bool is_signed = false;
    if (thrift_get_struct(r, outer)) {
        while (thrift_next(r, &f)) {
            if (f.id == INTEGER_SIGNED)
                is_signed = thrift_get_bool(r, &f);
            else
                thrift_skip(r, &f);
        }
    }
    return is_signed ? PQ_SIGNED : PQ_UNSIGNED;
}

static enum pq_logical read_timestamp(struct reader *r, const struct thrift_field *outer) {
    struct thrift_field f = { 0 }, unit = { 0 };
    bool nanos = false, utc = false;
    if (!thrift_get_struct(r, outer)) return PQ_OTHER;
    while (thrift_next(r, &f)) {
        if (f.id == TIMESTAMP_UTC) {
            utc = thrift_get_bool(r, &f);
        } else if (f.id == TIMESTAMP_UNIT && thrift_get_struct(r, &f)) {
            for (unit.id = 0; thrift_next(r, &unit); thrift_skip(r, &unit)) nanos = unit.id == UNIT_NANOS;
        } else {
            thrift_skip(r, &f);
        }
    }
    if (!nanos) return PQ_OTHER;
    return utc ? PQ_TIMESTAMP_NS : PQ_NAIVE_NS;
}

static void read_logical(struct reader *r, const struct thrift_field *outer, struct element *e) {
    struct thrift_field f = { 0 };
    if (!thrift_get_struct(r, outer)) return;
    while (thrift_next(r, &f)) {
        e->has_logical = true;
        e->logical = PQ_OTHER;
        if (f.id == LOGICAL_INTEGER)
            e->logical = read_integer(r, &f);
        else if (f.id == LOGICAL_TIMESTAMP)
            e->logical = read_timestamp(r, &f);
        else {
            if (f.id == LOGICAL_STRING) e->logical = PQ_STRING;
            thrift_skip(r, &f);
        }
    }
}

static struct element read_element(struct reader *r) {
    struct element e = { .name = STR(""), .type = -1, .repetition = REP_REQUIRED, .converted = -1 };
    struct thrift_field f = { 0 };
    while (thrift_next(r, &f)) switch (f.id) {
        case ELEM_TYPE: e.type = thrift_get_i32(r, &f); break;
        case ELEM_LENGTH: e.length = thrift_get_i32(r, &f); break;
        case ELEM_REPETITION: e.repetition = thrift_get_i32(r, &f); break;
        case ELEM_NAME: e.name = thrift_get_binary(r, &f); break;
        case ELEM_CHILDREN: e.children = thrift_get_i32(r, &f); break;
        case ELEM_CONVERTED: e.converted = thrift_get_i32(r, &f); break;
        case ELEM_LOGICAL: read_logical(r, &f, &e); break;
        default: thrift_skip(r, &f);
        }
    return e;
}

static enum pq_logical logical_of(const struct element *e) {
    if (e->has_logical) return e->logical;
    switch (e->converted) {
    case -1: return PQ_PLAIN_TYPE;
    case CONVERTED_UTF8: return PQ_STRING;
    case CONVERTED_UINT_32:
    case CONVERTED_UINT_64: return PQ_UNSIGNED;
    case CONVERTED_INT_32:
    case CONVERTED_INT_64: return PQ_SIGNED;
    default: return PQ_OTHER;
    }
}

static bool type_known(int32_t type) {
    return type == PQ_BOOLEAN || type == PQ_INT32 || type == PQ_INT64 || type == PQ_DOUBLE ||
           type == PQ_BYTE_ARRAY || type == PQ_FIXED;
}

static enum err column_of(struct parse *p, const struct element *e, struct pq_column *out) {
    if (e->children > 0 || e->repetition < REP_REQUIRED || e->repetition > REP_OPTIONAL)
        return err_set(p->ctx, ERR_UNSUPPORTED, "parquet: column %.*s is nested or repeats",
                       STR_ARG(str_sub(e->name, 0, 80)));
    if (!type_known(e->type))
        return err_set(p->ctx, ERR_UNSUPPORTED, "parquet: column %.*s has physical type %d",
                       STR_ARG(str_sub(e->name, 0, 80)), e->type);
    *out = (struct pq_column){ .name = e->name,
                               .type = (enum pq_type)e->type,
                               .logical = logical_of(e),
                               .optional = e->repetition == REP_OPTIONAL };
    bool integer = out->type == PQ_INT32 || out->type == PQ_INT64;
    if ((out->logical == PQ_UNSIGNED || out->logical == PQ_SIGNED) && !integer) out->logical = PQ_OTHER;
    if (out->type == PQ_FIXED) {
        if (e->length < 1 || e->length > PQ_FIXED_MAX) return damaged(p, "length of a fixed type");
        out->fixed_len = (uint32_t)e->length;
    }
    return ERR_OK;
}

static bool same_name(const void *ctx, uint32_t index, const void *key) {
    const struct own *o = ctx;
    return str_eq(o->columns[index].name, *(const struct str *)key);
}

static uint64_t hash_of_name(const void *ctx, uint32_t index) {
    const struct own *o = ctx;
    return hash_str(o->columns[index].name);
}

static enum err read_schema(struct parse *p, const struct thrift_field *f) {
    struct own *o = p->own;
    uint32_t n = thrift_get_list(&p->in, f, THRIFT_STRUCT);
    if (n < 2 || o->columns) return damaged(p, "schema");
    if (n - 1 > PQ_COLUMNS_MAX) return err_set(p->ctx, ERR_LIMIT, "parquet: %u columns", n - 1);
    struct element root = read_element(&p->in);
    if (p->in.bad || root.children < 1) return damaged(p, "schema");
    o->columns = ARENA_ARRAY(&o->arena, n - 1, struct pq_column);
    if (!o->columns) return ERR_NOMEM;
    for (uint32_t i = 0; i < n - 1; i++) {
        struct element e = read_element(&p->in);
        if (p->in.bad) return damaged(p, "schema");
        TRY(column_of(p, &e, &o->columns[i]));
        uint64_t hash = hash_str(e.name);
        if (map_get(&o->names, hash, same_name, o, &e.name) != MAP_NONE)
            return damaged(p, "two columns of one name");
        TRY(map_put(&o->names, hash, i, hash_of_name, o));
    }
    if ((uint32_t)root.children != n - 1) return damaged(p, "schema");
    o->r.n_columns = n - 1;
    return ERR_OK;
}

// --- row groups ----------------------------------------------------------------------------------

struct chunk_in { // as found, unchecked
    int32_t type, codec;
    int64_t n_values, plain, stored, data_at, dict_at;
    struct pq_range bloom, offset_index, column_index;
    struct pq_stats stats;
    bool has_min, has_max;
    uint32_t encodings;
    struct str path;
    uint32_t path_len;
    bool elsewhere; // in another file, or encrypted
};

static void read_stats(struct reader *r, const struct thrift_field *outer, struct chunk_in *k) {
    struct thrift_field f = { 0 };
    bool exact[2] = { true, true };
    if (!thrift_get_struct(r, outer)) return;
    while (thrift_next(r, &f)) switch (f.id) {
        case STAT_NULLS: k->stats.null_count = thrift_get_i64(r, &f); break;
        case STAT_DISTINCT: k->stats.distinct_count = thrift_get_i64(r, &f); break;
        case STAT_MAX:
            k->stats.max = thrift_get_binary(r, &f);
            k->has_max = true;
            break;
        case STAT_MIN:
            k->stats.min = thrift_get_binary(r, &f);
            k->has_min = true;
            break;
        case STAT_MAX_EXACT: exact[0] = thrift_get_bool(r, &f); break;
        case STAT_MIN_EXACT: exact[1] = thrift_get_bool(r, &f); break;
        default: thrift_skip(r, &f);
        }
    k->stats.exact = exact[0] && exact[1];
}

static uint32_t read_encodings(struct reader *r, const struct thrift_field *f) {
    uint32_t set = 0, n = thrift_get_list(r, f, THRIFT_I32);
    for (uint32_t i = 0; i < n && !r->bad; i++) {
        int64_t e = rd_zigzag(r);
        if (e >= 0 && e < 32) set |= 1u << e;
    }
    return set;
}

static void read_path(struct reader *r, const struct thrift_field *f, struct chunk_in *k) {
    k->path_len = thrift_get_list(r, f, THRIFT_BINARY);
    for (uint32_t i = 0; i < k->path_len && !r->bad; i++) k->path = thrift_get_item_binary(r);
}

static uint64_t get_u64(struct reader *r, const struct thrift_field *f) {
    int64_t v = thrift_get_i64(r, f);
    if (v < 0) r->bad = true;
    return v < 0 ? 0 : (uint64_t)v;
}

static void read_meta(struct reader *r, const struct thrift_field *outer, struct chunk_in *k) {
    struct thrift_field f = { 0 };
    if (!thrift_get_struct(r, outer)) return;
    while (thrift_next(r, &f)) switch (f.id) {
        case META_TYPE: k->type = thrift_get_i32(r, &f); break;
        case META_ENCODINGS: k->encodings = read_encodings(r, &f); break;
        case META_PATH: read_path(r, &f, k); break;
        case META_CODEC: k->codec = thrift_get_i32(r, &f); break;
        case META_VALUES: k->n_values = thrift_get_i64(r, &f); break;
        case META_PLAIN: k->plain = thrift_get_i64(r, &f); break;
        case META_STORED: k->stored = thrift_get_i64(r, &f); break;
        case META_DATA_AT: k->data_at = thrift_get_i64(r, &f); break;
        case META_DICT_AT: k->dict_at = thrift_get_i64(r, &f); break;
        case META_STATS: read_stats(r, &f, k); break;
        case META_BLOOM_AT: k->bloom.off = get_u64(r, &f); break;
        case META_BLOOM_LEN: k->bloom.len = get_u64(r, &f); break;
        default: thrift_skip(r, &f);
        }
}

static struct chunk_in read_chunk(struct reader *r) {
    struct chunk_in k = { .type = -1, .codec = -1, .data_at = -1, .stats = { .null_count = -1 } };
    struct thrift_field f = { 0 };
    k.stats.distinct_count = -1;
    while (thrift_next(r, &f)) switch (f.id) {
        case CHUNK_META: read_meta(r, &f, &k); break;
        case CHUNK_OFFSETS_AT: k.offset_index.off = get_u64(r, &f); break;
        case CHUNK_OFFSETS_LEN: k.offset_index.len = get_u64(r, &f); break;
        case CHUNK_BOUNDS_AT: k.column_index.off = get_u64(r, &f); break;
        case CHUNK_BOUNDS_LEN: k.column_index.len = get_u64(r, &f); break;
        case CHUNK_FILE:
        case CHUNK_CRYPTO:
            k.elsewhere = true;
            thrift_skip(r, &f);
            break;
        default: thrift_skip(r, &f);
        }
    return k;
}

static bool inside(const struct own *o, struct pq_range range) {
    return range.len == 0 ||
           (range.off >= PQ_MAGIC_LEN && range.off <= o->data_end && range.len <= o->data_end - range.off);
}

static void check_min_max(const struct pq_column *c, struct chunk_in *k) {
    uint32_t width = c->type == PQ_BOOLEAN ? 1 : c->type == PQ_FIXED ? 0 : pq_width(c);
    bool fits = width == 0 || (k->stats.min.len == width && k->stats.max.len == width);
    k->stats.has_min_max = k->has_min && k->has_max && fits && c->logical != PQ_OTHER;
    if (!k->stats.has_min_max) k->stats.min = k->stats.max = (struct str){ NULL, 0 };
}

static enum err chunk_of(struct parse *p, const struct pq_column *c, struct chunk_in *k,
                         struct pq_chunk_meta *out) {
    if (k->elsewhere)
        return err_set(p->ctx, ERR_UNSUPPORTED, "parquet: a chunk in another file, or encrypted");
    if (k->type != (int32_t)c->type || k->path_len != 1 || !str_eq(k->path, c->name))
        return damaged(p, "a column chunk that does not fit the schema");
    if (k->n_values < 0 || k->codec < 0 || k->plain < 0 || k->stored < 0 || k->data_at < 0 || k->dict_at < 0)
        return damaged(p, "numbers of a column chunk");
    bool dict = k->dict_at > 0 && k->dict_at < k->data_at;
    uint64_t start = (uint64_t)(dict ? k->dict_at : k->data_at);
    check_min_max(c, k);
    *out = (struct pq_chunk_meta){ .stats = k->stats,
                                   .pages = { start, (uint64_t)k->stored },
                                   .bloom = k->bloom,
                                   .offset_index = k->offset_index,
                                   .column_index = k->column_index,
                                   .n_rows = (uint64_t)k->n_values,
                                   .bytes_plain = (uint64_t)k->plain,
                                   .encodings = k->encodings,
                                   .codec = (uint32_t)k->codec };
    if (dict) out->dict = (struct pq_range){ start, (uint64_t)(k->data_at - k->dict_at) };
    const struct own *o = p->own;
    if (!inside(o, out->pages) || !inside(o, out->bloom) || !inside(o, out->offset_index) ||
        !inside(o, out->column_index) || out->dict.len > out->pages.len)
        return damaged(p, "a place outside of the file");
    return ERR_OK;
}

static void widen(struct pq_range *all, struct pq_range r) {
    if (r.len == 0) return;
    uint64_t end = r.off + r.len, all_end = all->off + all->len;
    if (all->len == 0 || r.off < all->off) all->off = r.off;
    all->len = (all_end > end && all_end > all->off ? all_end : end) - all->off;
}

static enum err read_columns(struct parse *p, const struct thrift_field *f, struct pq_row_group *g) {
    struct own *o = p->own;
    if (thrift_get_list(&p->in, f, THRIFT_STRUCT) != o->r.n_columns) return damaged(p, "a row group");
    struct pq_chunk_meta *chunks = ARENA_ARRAY(&o->arena, o->r.n_columns, struct pq_chunk_meta);
    if (!chunks) return ERR_NOMEM;
    for (size_t i = 0; i < o->r.n_columns; i++) {
        struct chunk_in k = read_chunk(&p->in);
        if (p->in.bad) return damaged(p, "a column chunk");
        TRY(chunk_of(p, &o->columns[i], &k, &chunks[i]));
        widen(&o->r.index, chunks[i].offset_index);
        widen(&o->r.index, chunks[i].column_index);
    }
    g->chunks = chunks;
    return ERR_OK;
}

static enum err read_group(struct parse *p, struct pq_row_group *g, uint64_t first_row) {
    int64_t n_rows = -1;
    struct thrift_field f = { 0 };
    *g = (struct pq_row_group){ .first_row = first_row };
    while (thrift_next(&p->in, &f)) {
        if (f.id == GROUP_COLUMNS && !g->chunks)
            TRY(read_columns(p, &f, g));
        else if (f.id == GROUP_ROWS)
            n_rows = thrift_get_i64(&p->in, &f);
        else
            thrift_skip(&p->in, &f);
    }
    if (p->in.bad || !g->chunks || n_rows < 0 || n_rows > PQ_ROWS_MAX) return damaged(p, "a row group");
    for (size_t i = 0; i < p->own->r.n_columns; i++)
        if (g->chunks[i].n_rows != (uint64_t)n_rows || (n_rows && !g->chunks[i].pages.len))
            return damaged(p, "rows of a column chunk");
    g->n_rows = (uint32_t)n_rows;
    return ERR_OK;
}

static enum err read_groups(struct parse *p, const struct thrift_field *f) {
    struct own *o = p->own;
    if (!o->columns || o->groups) return damaged(p, "order of its parts");
    uint32_t n = thrift_get_list(&p->in, f, THRIFT_STRUCT);
    if (n > PQ_ROW_GROUPS_MAX) return err_set(p->ctx, ERR_LIMIT, "parquet: %u row groups", n);
    o->groups = ARENA_ARRAY(&o->arena, n, struct pq_row_group);
    if (!o->groups) return ERR_NOMEM;
    uint64_t rows = 0;
    for (uint32_t i = 0; i < n; i++) {
        TRY(read_group(p, &o->groups[i], rows));
        rows += o->groups[i].n_rows;
    }
    o->r.n_groups = n;
    if (rows != o->r.n_rows) return damaged(p, "number of rows");
    return ERR_OK;
}

static enum err read_kv(struct parse *p, const struct thrift_field *outer) {
    struct own *o = p->own;
    uint32_t n = thrift_get_list(&p->in, outer, THRIFT_STRUCT);
    struct pq_kv *kv = ARENA_ARRAY(&o->arena, n, struct pq_kv);
    if (!kv) return ERR_NOMEM;
    for (uint32_t i = 0; i < n && !p->in.bad; i++) {
        struct thrift_field f = { 0 };
        kv[i] = (struct pq_kv){ STR(""), STR("") };
        while (thrift_next(&p->in, &f)) {
            if (f.id == KV_KEY)
                kv[i].key = thrift_get_binary(&p->in, &f);
            else if (f.id == KV_VALUE)
                kv[i].value = thrift_get_binary(&p->in, &f);
            else
                thrift_skip(&p->in, &f);
        }
    }
    o->r.kv = kv;
    o->r.n_kv = n;
    return ERR_OK;
}

static enum err read_footer(struct parse *p) {
    struct own *o = p->own;
    struct thrift_field f = { 0 };
    while (thrift_next(&p->in, &f)) switch (f.id) {
        case FILE_SCHEMA: TRY(read_schema(p, &f)); break;
        case FILE_ROWS: o->r.n_rows = get_u64(&p->in, &f); break;
        case FILE_GROUPS: TRY(read_groups(p, &f)); break;
        case FILE_KV: TRY(read_kv(p, &f)); break;
        case FILE_CREATED_BY: o->r.created_by = thrift_get_binary(&p->in, &f); break;
        default: thrift_skip(&p->in, &f);
        }
    if (p->in.bad || !o->columns || !o->groups) return damaged(p, "it ends too early");
    o->r.columns = o->columns;
    o->r.groups = o->groups;
    return ERR_OK;
}

// --- checksums -----------------------------------------------------------------------------------

// Another writer may have copied our text with the rest of the pairs.
static bool is_ours(const struct pq_reader *r) {
    return str_starts(r->created_by, STR("takt "));
}

static enum err check_sums(struct parse *p, struct str footer, bool must_have) {
    struct own *o = p->own;
    struct str text;
    if (!pq_reader_kv(&o->r, STR(SUMS_KEY), &text) || !(must_have || is_ours(&o->r)))
        return must_have ? damaged(p, "it lacks its checksum") : ERR_OK;
    if (!sums_fit_footer(footer, text)) return damaged(p, "its checksum");
    if (!sums_read(text, o->groups, o->r.n_groups, o->r.n_columns)) return damaged(p, "checksums in it");
    o->r.has_sums = true;
    return ERR_OK;
}

// --- opening -------------------------------------------------------------------------------------

static enum err no_parquet(struct err_ctx *ctx) {
    return err_set(ctx, ERR_CORRUPT, "parquet: no magic at the end: not a Parquet file, or cut off");
}

// Reads the end of the file, and once more where the footer is longer than hoped.
static enum err load_footer(struct own *o, size_t footer_max, struct err_ctx *ctx, struct str *out) {
    const struct pq_source *s = &o->r.source;
    if (s->size < PQ_MAGIC_LEN + END_LEN) return no_parquet(ctx);
    size_t n = s->size < TAIL ? (size_t)s->size : TAIL;
    char *tail = arena_alloc(&o->arena, n);
    if (!tail) return ERR_NOMEM;
    TRY(s->read(s->ctx, s->size - n, tail, n));
    uint32_t len;
    memcpy(&len, tail + n - END_LEN, 4);
    if (memcmp(tail + n - PQ_MAGIC_LEN, PQ_MAGIC, PQ_MAGIC_LEN) != 0) return no_parquet(ctx);
    if (len > s->size - PQ_MAGIC_LEN - END_LEN)
        return err_set(ctx, ERR_CORRUPT, "parquet: damaged footer: its length");
    if (len > footer_max) return err_set(ctx, ERR_LIMIT, "parquet: a footer of %u bytes", len);
    o->data_end = s->size - END_LEN - len;
    *out = (struct str){ tail + n - END_LEN - len, len };
    if (len + END_LEN <= n) return ERR_OK;
    char *whole = arena_alloc(&o->arena, len);
    if (!whole) return ERR_NOMEM;
    *out = (struct str){ whole, len };
    return s->read(s->ctx, o->data_end, whole, len);
}

enum err pq_reader_open(const struct pq_source *source, const struct pq_reader_opts *opts,
                        struct pq_reader **out, struct err_ctx *ctx) {
    struct own *o = mem_zalloc(sizeof *o);
    if (!o) return ERR_NOMEM;
    arena_init(&o->arena, opts->memory_max ? opts->memory_max : MEMORY_MAX, opts->budget);
    map_init(&o->names, PQ_COLUMNS_MAX);
    o->r.source = *source;
    struct parse p = { .own = o, .ctx = ctx };
    struct str footer = { NULL, 0 };
    enum err e = load_footer(o, opts->footer_max ? opts->footer_max : FOOTER_MAX, ctx, &footer);
    if (!e) {
        p.in = reader_of(footer);
        e = read_footer(&p);
        if (!e) e = check_sums(&p, footer, opts->must_have_sums);
    }
    if (e)
        pq_reader_close(&o->r);
    else
        *out = &o->r;
    return e;
}

void pq_reader_close(struct pq_reader *r) {
    if (!r) return;
    struct own *o = (struct own *)r;
    map_fini(&o->names);
    arena_fini(&o->arena);
    mem_free(o);
}

size_t pq_reader_column(const struct pq_reader *r, struct str name) {
    const struct own *o = (const struct own *)r;
    uint32_t i = map_get(&o->names, hash_str(name), same_name, o, &name);
    return i == MAP_NONE ? SIZE_MAX : i;
}

bool pq_reader_kv(const struct pq_reader *r, struct str key, struct str *out) {
    for (size_t i = 0; i < r->n_kv; i++)
        if (str_eq(r->kv[i].key, key)) {
            *out = r->kv[i].value;
            return true;
        }
    return false;
}
