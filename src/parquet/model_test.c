// SPDX-License-Identifier: Apache-2.0
#include "parquet/model_test.h"

#include <math.h>

#include "parquet/format.h"

// --- files in memory -----------------------------------------------------------------------------

static enum err sink_write(void *ctx, const void *p, size_t n) {
    struct memory_file *f = ctx;
    if (++f->calls == f->fail_at) return ERR_IO;
    buf_add(&f->bytes, p, n);
    return f->bytes.failed ? ERR_IO : ERR_OK;
}

static enum err source_read(void *ctx, uint64_t off, void *dst, size_t n) {
    struct memory_file *f = ctx;
    if (++f->calls == f->fail_at) return ERR_IO;
    CHECK(off <= f->bytes.len && n <= f->bytes.len - off);
    if (n) memcpy(dst, f->bytes.ptr + off, n);
    return ERR_OK;
}

struct pq_sink memory_sink(struct memory_file *f) {
    return (struct pq_sink){ sink_write, f };
}

struct pq_source memory_source(struct memory_file *f) {
    return (struct pq_source){ source_read, f, f->bytes.len };
}

void memory_file_init(struct memory_file *f) {
    *f = (struct memory_file){ 0 };
    buf_init(&f->bytes, (size_t)1 << 30);
}

void memory_file_fini(struct memory_file *f) {
    buf_fini(&f->bytes);
}

// --- drawing -------------------------------------------------------------------------------------

void model_init(struct model *m) {
    *m = (struct model){ 0 };
    arena_init(&m->arena, (size_t)2 << 30, NULL);
}

void model_fini(struct model *m) {
    arena_fini(&m->arena);
}

static bool has_value(enum model_nulls nulls, uint32_t row) {
    switch (nulls) {
    case NULLS_NONE: return true;
    case NULLS_ALL: return false;
    case NULLS_HALF: return test_below(2);
    case NULLS_FEW: return test_below(50) > 0;
    case NULLS_MOST: return test_below(50) == 0;
    case NULLS_RUNS: return row / 777 % 2;
    case NULLS_COUNT:
    default: return true;
    }
}

static uint64_t draw_number(enum model_kind kind, size_t i) {
    static const uint64_t edges[] = { 0,
                                      1,
                                      UINT64_MAX,
                                      INT64_MAX,
                                      (uint64_t)INT64_MIN,
                                      INT32_MAX,
                                      (uint64_t)INT32_MIN,
                                      (uint64_t)1 << 63,
                                      UINT32_MAX };
    switch (kind) {
    case KIND_EDGES: return edges[test_below(sizeof edges / sizeof *edges)];
    case KIND_FEW: return test_below(20) * 100 + 200;
    case KIND_ASCENDING: return (uint64_t)1700000000000000000 + i * 1000 + test_below(1000);
    case KIND_RANDOM:
    case KIND_LONG:
    case KIND_COUNT:
    default: return test_rand() >> test_below(64);
    }
}

static double draw_double(enum model_kind kind) {
    static const uint64_t edges[] = { 0,
                                      (uint64_t)1 << 63,
                                      0x7ff8000000000000u,
                                      0x7ff8000000000001u,
                                      0xfff8000000000000u,
                                      0x7ff0000000000000u,
                                      0xfff0000000000000u,
                                      1 };
    if (kind == KIND_FEW) return (double)test_below(7) / 4;
    uint64_t bits = kind == KIND_EDGES ? edges[test_below(8)] : test_rand();
    double d;
    memcpy(&d, &bits, sizeof d);
    return d;
}

static struct str draw_bytes(struct model *m, enum model_kind kind, size_t i) {
    static const char *const starts[] = { "", "GET /api/v1/", "ä€\xf0\x9f\x98\x80", "\xff\xff\xff",
                                          "\xed\xa0\x80\xc3" };
    if (kind == KIND_FEW) return str_fmt(&m->arena, "route-%d", (int)test_below(30));
    if (kind == KIND_ASCENDING) return str_fmt(&m->arena, "key-%09zu", i);
    size_t n = kind == KIND_LONG ? test_below(3000) : kind == KIND_EDGES ? test_below(3) : test_below(90);
    struct str start = str_of(starts[test_below(5)]);
    char *p = arena_alloc(&m->arena, start.len + n);
    memcpy(p, start.ptr, start.len);
    for (size_t k = 0; k < n; k++)
        p[start.len + k] = (char)(test_below(8) ? 'a' + test_below(4) : test_rand());
    return (struct str){ p, start.len + n };
}

// A value as the bytes of its PLAIN encoding.
static struct str draw_value(struct model *m, const struct pq_column *c, enum model_kind kind, size_t i) {
    uint64_t number = draw_number(kind, i);
    double d = draw_double(kind);
    switch (c->type) {
    case PQ_BOOLEAN:
        number = kind == KIND_ASCENDING ? i / 100 % 2 : number & 1;
        return str_dup(&m->arena, (struct str){ (const char *)&number, 1 });
    case PQ_INT32: return str_dup(&m->arena, (struct str){ (const char *)&number, 4 });
    case PQ_INT64: return str_dup(&m->arena, (struct str){ (const char *)&number, 8 });
    case PQ_DOUBLE: return str_dup(&m->arena, (struct str){ (const char *)&d, 8 });
    case PQ_FIXED: {
        uint8_t *p = arena_alloc(&m->arena, c->fixed_len);
        for (uint32_t k = 0; k < c->fixed_len; k++)
            p[k] = (uint8_t)(kind == KIND_FEW     ? test_below(2)
                             : kind == KIND_EDGES ? 0xff * test_below(2)
                                                  : test_rand());
        return (struct str){ (const char *)p, c->fixed_len };
    }
    case PQ_BYTE_ARRAY:
    default: return draw_bytes(m, kind, i);
    }
}

// One array of all the values, side by side.
static void *flat(struct model *m, const struct str *bytes, size_t n, size_t width) {
    char *p = arena_alloc(&m->arena, n * width);
    for (size_t i = 0; i < n; i++) memcpy(p + i * width, bytes[i].ptr, width);
    return p;
}

static void set_values(struct model *m, const struct pq_column *c, struct model_chunk *k) {
    size_t n = k->v.n_values;
    switch (c->type) {
    case PQ_BOOLEAN: k->v.bools = flat(m, k->bytes, n, 1); break;
    case PQ_INT32: k->v.i32 = flat(m, k->bytes, n, 4); break;
    case PQ_INT64: k->v.i64 = flat(m, k->bytes, n, 8); break;
    case PQ_DOUBLE: k->v.f64 = flat(m, k->bytes, n, 8); break;
    case PQ_FIXED: k->v.fixed = flat(m, k->bytes, n, c->fixed_len); break;
    case PQ_BYTE_ARRAY:
    default: k->v.strs = k->bytes;
    }
}

// The same as codes: a dictionary of all values in another order, with some that do not occur.
static void set_codes(struct model *m, const struct pq_column *c, struct model_chunk *k, struct str *bytes) {
    size_t n = k->v.n_values, n_dict = n / 3 + 1 + test_below(50);
    if (c->type == PQ_FIXED && c->fixed_len == 1 && n_dict > 256) n_dict = 256;
    struct str *dict = ARENA_ARRAY(&m->arena, n_dict, struct str);
    uint32_t *codes = ARENA_ARRAY(&m->arena, n, uint32_t);
    for (size_t i = 0; i < n_dict; i++) {
        char wide[PQ_FIXED_MAX] = { 0 };
        uint64_t number = (i + 1) * 0x9e3779b97f4a7c15u; // odd: all different in any of its low bytes
        memcpy(wide, &number, sizeof number);
        size_t len = c->type == PQ_INT32 ? 4 : c->type == PQ_INT64 ? 8 : c->fixed_len;
        dict[i] = c->type == PQ_BYTE_ARRAY ? draw_bytes(m, KIND_ASCENDING, i)
                                           : str_dup(&m->arena, (struct str){ wide, len });
    }
    for (size_t i = 0; i < n; i++) {
        codes[i] = (uint32_t)test_below(n_dict);
        bytes[i] = dict[codes[i]];
    }
    k->v.codes = codes;
    k->v.n_dict = n_dict;
    if (c->type == PQ_INT32) k->v.dict_i32 = flat(m, dict, n_dict, 4);
    if (c->type == PQ_INT64) k->v.dict_i64 = flat(m, dict, n_dict, 8);
    if (c->type == PQ_BYTE_ARRAY || c->type == PQ_FIXED) k->v.dict = dict;
}

struct model_chunk model_draw(struct model *m, const struct pq_column *c, uint32_t n_rows,
                              enum model_nulls nulls, enum model_kind kind, bool coded) {
    struct model_chunk k = { 0 };
    uint32_t *rows = ARENA_ARRAY(&m->arena, n_rows, uint32_t);
    size_t n = 0;
    for (uint32_t i = 0; i < n_rows; i++)
        if (!c->optional || has_value(nulls, i)) rows[n++] = i;
    k.v.n_values = n;
    k.v.rows = c->optional && (n < n_rows || test_below(2)) ? rows : NULL;
    struct str *bytes = ARENA_ARRAY(&m->arena, n, struct str);
    k.bytes = bytes;
    if (coded && c->type != PQ_BOOLEAN && c->type != PQ_DOUBLE) {
        set_codes(m, c, &k, bytes);
        return k;
    }
    for (size_t i = 0; i < n; i++) bytes[i] = draw_value(m, c, kind, i);
    set_values(m, c, &k);
    return k;
}

static struct pq_column random_column(struct model *m, size_t i) {
    static const enum pq_type types[] = {
        PQ_BOOLEAN, PQ_INT32, PQ_INT64, PQ_DOUBLE, PQ_BYTE_ARRAY, PQ_FIXED
    };
    struct pq_column c = { .type = types[test_below(6)], .optional = test_below(3) > 0 };
    if (c.type == PQ_FIXED) c.fixed_len = (uint32_t)test_below(20) + 1;
    if (c.type == PQ_BYTE_ARRAY && test_below(2)) c.logical = PQ_STRING;
    if (c.type == PQ_INT32 || c.type == PQ_INT64) c.logical = test_below(2) ? PQ_UNSIGNED : PQ_SIGNED;
    if (c.type == PQ_INT64 && test_below(3) == 0) c.logical = test_below(2) ? PQ_TIMESTAMP_NS : PQ_NAIVE_NS;
    c.name = str_fmt(&m->arena, "span.key-%zu.ä:int", i);
    return c;
}

static struct pq_column_opts random_opts(const struct pq_column *c) {
    struct pq_column_opts o = { .codec = (enum pq_codec)test_below(3), .no_min_max = test_below(6) == 0 };
    o.bloom = c->type != PQ_BOOLEAN && test_below(3) == 0;
    switch (test_below(4)) {
    case 0: o.encoding = c->type == PQ_BOOLEAN ? PQ_ENC_AUTO : PQ_ENC_DICT; break;
    case 1: o.encoding = PQ_ENC_PLAIN; break;
    case 2:
        if (c->type == PQ_INT32 || c->type == PQ_INT64) o.encoding = PQ_ENC_DELTA;
        if (c->type == PQ_BYTE_ARRAY) o.encoding = PQ_ENC_DELTA_LENGTH;
        break;
    default: break;
    }
    return o;
}

static void random_borders(struct model *m, struct model_group *g) {
    uint32_t *borders = ARENA_ARRAY(&m->arena, g->n_rows, uint32_t);
    for (uint32_t row = 1 + (uint32_t)test_below(500); row < g->n_rows; row += 1 + (uint32_t)test_below(500))
        borders[g->n_borders++] = row;
    g->borders = borders;
}

void model_random(struct model *m, uint32_t max_rows) {
    m->n_columns = 1 + test_below(8);
    m->n_groups = 1 + test_below(3);
    m->columns = ARENA_ARRAY(&m->arena, m->n_columns, struct pq_column);
    m->opts = ARENA_ARRAY(&m->arena, m->n_columns, struct pq_column_opts);
    m->groups = ARENA_ARRAY(&m->arena, m->n_groups, struct model_group);
    if (test_below(2)) m->page_rows = 1 + (uint32_t)test_below(2000);
    if (test_below(3) == 0) m->page_bytes = 1 + (uint32_t)test_below(5000);
    if (test_below(3) == 0) m->dict_bytes = 1 + (uint32_t)test_below(5000);
    for (size_t i = 0; i < m->n_columns; i++) {
        m->columns[i] = random_column(m, i);
        m->opts[i] = random_opts(&m->columns[i]);
    }
    for (size_t g = 0; g < m->n_groups; g++) {
        m->groups[g] = (struct model_group){ .n_rows = 1 + (uint32_t)test_below(max_rows) };
        if (test_below(4) == 0) random_borders(m, &m->groups[g]);
        m->groups[g].chunks = ARENA_ARRAY(&m->arena, m->n_columns, struct model_chunk);
        for (size_t i = 0; i < m->n_columns; i++)
            m->groups[g].chunks[i] =
                model_draw(m, &m->columns[i], m->groups[g].n_rows, (enum model_nulls)test_below(NULLS_COUNT),
                           (enum model_kind)test_below(KIND_COUNT), test_below(3) == 0);
    }
}

// --- writing and comparing -----------------------------------------------------------------------

static enum err write_groups(const struct model *m, struct pq_writer *w) {
    for (size_t g = 0; g < m->n_groups; g++) {
        const struct model_group *group = &m->groups[g];
        TRY(pq_row_group_begin(w, group->n_rows, group->borders, group->n_borders));
        for (size_t i = 0; i < m->n_columns; i++)
            if (group->chunks[i].v.n_values > 0) TRY(pq_column_write(w, i, &group->chunks[i].v));
        TRY(pq_row_group_end(w));
    }
    TRY(pq_writer_kv(w, STR("takt.test"), STR("a value\n")));
    return pq_writer_finish(w);
}

enum err model_write(const struct model *m, struct memory_file *f) {
    struct pq_writer_opts o = { .sink = memory_sink(f),
                                .columns = m->columns,
                                .opts = m->opts,
                                .n_columns = m->n_columns,
                                .version = STR("0.0.1"),
                                .page_rows = m->page_rows,
                                .page_bytes = m->page_bytes,
                                .dict_bytes = m->dict_bytes };
    struct pq_writer *w;
    TRY(pq_writer_new(&o, &w));
    enum err e = write_groups(m, w);
    if (!e) CHECK_U64(pq_writer_bytes(w), f->bytes.len);
    pq_writer_free(w);
    return e;
}

bool model_find(const struct model_chunk *k, uint32_t row, size_t *value) {
    *value = row;
    if (!k->v.rows) return row < k->v.n_values;
    size_t lo = 0, hi = k->v.n_values;
    while (lo < hi) {
        size_t mid = (lo + hi) / 2;
        if (k->v.rows[mid] < row)
            lo = mid + 1;
        else
            hi = mid;
    }
    *value = lo;
    return lo < k->v.n_values && k->v.rows[lo] == row;
}

struct str vector_bytes(const struct pq_column *c, const struct pq_vector *v, size_t i) {
    struct pq_vector flat_dict;
    if (v->repr == PQ_CODES) {
        CHECK(v->codes[i] < v->dict->n);
        flat_dict = (struct pq_vector){ .fixed = v->dict->fixed };
        i = v->codes[i];
        v = &flat_dict;
    }
    size_t width = c->type == PQ_BOOLEAN      ? 1
                   : c->type == PQ_INT32      ? 4
                   : c->type == PQ_FIXED      ? c->fixed_len
                   : c->type == PQ_BYTE_ARRAY ? 0
                                              : 8;
    if (width == 0) return v->strs[i];
    return (struct str){ (const char *)v->fixed + i * width, width };
}

// Some of the rows of a vector without gaps, each by itself.
static void compare_picks(struct pq_chunk *c, const struct pq_vector *v, uint32_t from, struct arena *a) {
    uint32_t *rows = ARENA_ARRAY(a, v->n_rows, uint32_t), n = 0;
    uint64_t *out = ARENA_ARRAY(a, v->n_rows, uint64_t), one_of = 1 + test_below(100);
    for (uint32_t i = 0; i < v->n_rows; i++)
        if (test_below(one_of) == 0) rows[n++] = from + i;
    CHECK_OK(pq_chunk_pick(c, rows, n, a, out));
    for (uint32_t i = 0; i < n; i++)
        CHECK(memcmp(&out[i], vector_bytes(c->column, v, rows[i] - from).ptr, 8) == 0);
}

static void compare_range(const struct model_chunk *k, struct pq_chunk *c, uint32_t from, uint32_t to) {
    struct arena a;
    arena_init(&a, (size_t)1 << 30, NULL);
    struct pq_vector v;
    CHECK_OK(pq_chunk_read(c, from, to, &a, &v));
    CHECK_U64(v.n_rows, to - from);
    size_t at = 0;
    for (uint32_t row = from; row < to; row++) {
        size_t want;
        if (!model_find(k, row, &want)) continue;
        CHECK(at < v.n_values);
        CHECK_U64(v.rows ? v.rows[at] : at, row - from);
        CHECK_STR(vector_bytes(c->column, &v, at), k->bytes[want]);
        at++;
    }
    CHECK_U64(at, v.n_values);
    CHECK((v.rows == NULL) == (v.n_values == v.n_rows));
    if (pq_width(c->column) == 8 && !v.rows) compare_picks(c, &v, from, &a);
    arena_fini(&a);
}

void model_compare_chunk(const struct model *m, const struct pq_reader *r, struct pq_decoder *d, size_t group,
                         size_t column, size_t n_ranges) {
    const struct model_chunk *k = &m->groups[group].chunks[column];
    uint32_t n_rows = m->groups[group].n_rows;
    struct arena a;
    arena_init(&a, (size_t)1 << 30, NULL);
    struct pq_chunk c;
    pq_chunk_open(r, group, column, d, &a, &c);
    CHECK_U64(c.n_rows, n_rows);
    compare_range(k, &c, 0, n_rows);
    for (size_t i = 0; i < n_ranges; i++) {
        uint32_t from = (uint32_t)test_below(n_rows + 1);
        uint32_t len = (uint32_t)test_below(test_below(2) ? 20 : n_rows - from + 1);
        compare_range(k, &c, from, len < n_rows - from ? from + len : n_rows);
    }
    arena_fini(&a);
}

void model_compare(const struct model *m, struct memory_file *f) {
    struct err_ctx ctx = { .text = "" };
    struct pq_source s = memory_source(f);
    struct pq_reader *r;
    enum err e = pq_reader_open(&s, &(struct pq_reader_opts){ 0 }, &r, &ctx);
    if (e) printf("# %s\n", ctx.text);
    CHECK_OK(e);
    struct pq_decoder *d = pq_decoder_new(0);
    CHECK(d != NULL);
    CHECK_U64(r->n_columns, m->n_columns);
    CHECK_U64(r->n_groups, m->n_groups);
    for (size_t i = 0; i < m->n_columns; i++) {
        CHECK_U64(pq_reader_column(r, m->columns[i].name), i);
        CHECK(r->columns[i].type == m->columns[i].type && r->columns[i].logical == m->columns[i].logical);
        CHECK(r->columns[i].optional == m->columns[i].optional);
        CHECK_U64(r->columns[i].fixed_len, m->columns[i].fixed_len);
    }
    for (size_t g = 0; g < m->n_groups; g++)
        for (size_t i = 0; i < m->n_columns; i++) model_compare_chunk(m, r, d, g, i, 4);
    pq_decoder_free(d);
    pq_reader_close(r);
}
