// SPDX-License-Identifier: Apache-2.0
// What is written, as a reader sees it: values, ranges, pages, statistics, filters.
#include "parquet/model_test.h"

#include "parquet/page.h"
#include "parquet/stats.h"

TEST(random_tables_come_back) {
    for (int i = 0; i < 60; i++) {
        struct model m;
        struct memory_file f;
        model_init(&m);
        memory_file_init(&f);
        model_random(&m, i % 10 == 9 ? 12000 : 3000);
        CHECK_OK(model_write(&m, &f));
        model_compare(&m, &f);
        memory_file_fini(&f);
        model_fini(&m);
    }
}

// Every type in every encoding it may have, with every pattern of nulls and kind of values.
TEST(every_encoding_and_null_pattern) {
    static const struct {
        enum pq_type type;
        enum pq_encoding encoding;
    } forms[] = {
        { PQ_BOOLEAN, PQ_ENC_AUTO },
        { PQ_BOOLEAN, PQ_ENC_PLAIN },
        { PQ_INT32, PQ_ENC_AUTO },
        { PQ_INT32, PQ_ENC_DICT },
        { PQ_INT32, PQ_ENC_PLAIN },
        { PQ_INT32, PQ_ENC_DELTA },
        { PQ_INT64, PQ_ENC_AUTO },
        { PQ_INT64, PQ_ENC_DICT },
        { PQ_INT64, PQ_ENC_PLAIN },
        { PQ_INT64, PQ_ENC_DELTA },
        { PQ_DOUBLE, PQ_ENC_AUTO },
        { PQ_DOUBLE, PQ_ENC_DICT },
        { PQ_DOUBLE, PQ_ENC_PLAIN },
        { PQ_BYTE_ARRAY, PQ_ENC_AUTO },
        { PQ_BYTE_ARRAY, PQ_ENC_DICT },
        { PQ_BYTE_ARRAY, PQ_ENC_PLAIN },
        { PQ_BYTE_ARRAY, PQ_ENC_DELTA_LENGTH },
        { PQ_FIXED, PQ_ENC_AUTO },
        { PQ_FIXED, PQ_ENC_DICT },
        { PQ_FIXED, PQ_ENC_PLAIN },
    };
    enum { N = sizeof forms / sizeof *forms };
    for (int nulls = 0; nulls < NULLS_COUNT; nulls++)
        for (int kind = 0; kind < KIND_COUNT; kind++) {
            struct model m;
            struct memory_file f;
            struct pq_column columns[N];
            struct pq_column_opts opts[N];
            struct model_chunk chunks[N];
            struct model_group group = { .n_rows = 900, .chunks = chunks };
            model_init(&m);
            memory_file_init(&f);
            for (size_t i = 0; i < N; i++) {
                columns[i] = (struct pq_column){ .name = str_fmt(&m.arena, "c%zu", i),
                                                 .type = forms[i].type,
                                                 .fixed_len = forms[i].type == PQ_FIXED ? 5 : 0,
                                                 .optional = nulls != NULLS_NONE || kind % 2 };
                opts[i] = (struct pq_column_opts){ .encoding = forms[i].encoding,
                                                   .codec = (enum pq_codec)(i + (size_t)kind) % 3 };
                chunks[i] = model_draw(&m, &columns[i], group.n_rows, (enum model_nulls)nulls,
                                       (enum model_kind)kind, false);
            }
            m.columns = columns;
            m.opts = opts;
            m.n_columns = N;
            m.groups = &group;
            m.n_groups = 1;
            m.page_rows = 300;
            CHECK_OK(model_write(&m, &f));
            model_compare(&m, &f);
            memory_file_fini(&f);
            model_fini(&m);
        }
}

// --- truth of what is said about values ----------------------------------------------------------

static bool is_nan(const struct pq_column *c, struct str s) {
    double d;
    if (c->type != PQ_DOUBLE) return false;
    memcpy(&d, s.ptr, sizeof d);
    return d != d;
}

struct truth { // of some rows of a chunk
    struct str min, max;
    bool any; // that is not NaN
    uint64_t nulls, values;
};

static struct truth truth_of(const struct pq_column *c, const struct model_chunk *k, uint32_t from,
                             uint32_t to) {
    struct truth t = { 0 };
    for (uint32_t row = from; row < to; row++) {
        size_t i;
        if (!model_find(k, row, &i)) {
            t.nulls++;
            continue;
        }
        t.values++;
        struct str s = k->bytes[i];
        if (is_nan(c, s)) continue;
        if (!t.any || stats_cmp(c, s, t.min) < 0) t.min = s;
        if (!t.any || stats_cmp(c, s, t.max) > 0) t.max = s;
        t.any = true;
    }
    return t;
}

// Bounds hold, and are the values themselves unless these are long.
static void check_bounds(const struct pq_column *c, struct truth t, struct str min, struct str max) {
    CHECK(stats_cmp(c, min, t.min) <= 0 && stats_cmp(c, t.max, max) <= 0);
    if (c->type == PQ_BYTE_ARRAY) CHECK(min.len <= STATS_TEXT_MAX);
    if (t.min.len <= STATS_TEXT_MAX) CHECK(stats_cmp(c, min, t.min) == 0);
    if (t.max.len <= STATS_TEXT_MAX) CHECK(stats_cmp(c, max, t.max) == 0);
}

static uint64_t distinct(const struct model_chunk *k) {
    uint64_t n = 0;
    for (size_t i = 0; i < k->v.n_values; i++) {
        bool seen = false;
        for (size_t j = 0; j < i && !seen; j++) seen = str_eq(k->bytes[i], k->bytes[j]);
        n += !seen;
    }
    return n;
}

static void check_chunk_truth(const struct model *m, const struct pq_reader *r, struct pq_decoder *d,
                              size_t g, size_t i) {
    const struct model_chunk *k = &m->groups[g].chunks[i];
    const struct pq_column *column = &m->columns[i];
    struct arena a;
    struct pq_chunk c;
    arena_init(&a, 1 << 28, NULL);
    pq_chunk_open(r, g, i, d, &a, &c);
    struct truth t = truth_of(column, k, 0, c.n_rows);
    const struct pq_stats *s = &c.meta->stats;
    CHECK_U64(s->null_count, t.nulls);
    CHECK(s->has_min_max == (t.any && !m->opts[i].no_min_max));
    if (s->has_min_max) check_bounds(column, t, s->min, s->max);
    if (s->has_min_max && s->exact)
        CHECK(!stats_cmp(column, s->min, t.min) && !stats_cmp(column, s->max, t.max));
    if (s->distinct_count >= 0) CHECK_U64(s->distinct_count, distinct(k));
    if (m->opts[i].encoding == PQ_ENC_DICT && t.values) CHECK(s->distinct_count >= 0);
    CHECK_OK(pq_chunk_pages(&c));
    CHECK_OK(pq_chunk_bounds(&c));
    bool nan_page = false;
    for (size_t p = 0; p < c.n_pages; p++) {
        const struct pq_page *page = &c.pages[p];
        CHECK_U64(page->first_row, p ? c.pages[p - 1].first_row + c.pages[p - 1].n_rows : 0);
        t = truth_of(column, k, page->first_row, page->first_row + page->n_rows);
        nan_page = nan_page || (t.values && !t.any);
        if (!c.bounds) continue;
        CHECK(c.bounds[p].all_null == (t.values == 0));
        CHECK_U64(c.bounds[p].null_count, t.nulls);
        if (t.values) check_bounds(column, t, c.bounds[p].min, c.bounds[p].max);
    }
    CHECK_U64(c.pages[c.n_pages - 1].first_row + c.pages[c.n_pages - 1].n_rows, c.n_rows);
    CHECK((c.bounds == NULL) == (nan_page || m->opts[i].no_min_max));
    CHECK((c.meta->bloom.len > 0) == m->opts[i].bloom);
    for (size_t v = 0; m->opts[i].bloom && v < k->v.n_values; v++) {
        bool might;
        CHECK_OK(pq_bloom_might_contain(&c, k->bytes[v], &might));
        CHECK(might);
    }
    arena_fini(&a);
}

struct opened {
    struct pq_reader *r;
    struct pq_decoder *d;
};

static struct opened open_file(struct memory_file *f) {
    struct opened o = { .d = pq_decoder_new(0) };
    struct err_ctx ctx = { .text = "" };
    struct pq_source s = memory_source(f);
    CHECK_OK(pq_reader_open(&s, &(struct pq_reader_opts){ 0 }, &o.r, &ctx));
    return o;
}

static void close_file(struct opened *o) {
    pq_reader_close(o->r);
    pq_decoder_free(o->d);
}

TEST(statistics_indexes_and_filters_are_true) {
    for (int round = 0; round < 30; round++) {
        struct model m;
        struct memory_file f;
        model_init(&m);
        memory_file_init(&f);
        model_random(&m, 1200);
        CHECK_OK(model_write(&m, &f));
        struct opened o = open_file(&f);
        for (size_t g = 0; g < m.n_groups; g++)
            for (size_t i = 0; i < m.n_columns; i++) check_chunk_truth(&m, o.r, o.d, g, i);
        enum err e = pq_validate(o.r, o.d, 1 << 28);
        if (e) printf("# %s\n", pq_decoder_why(o.d));
        CHECK_OK(e);
        close_file(&o);
        memory_file_fini(&f);
        model_fini(&m);
    }
}

// --- one column, to look at its pages ------------------------------------------------------------

struct one {
    struct model m;
    struct memory_file f;
    struct pq_column column;
    struct pq_column_opts opts;
    struct model_group group;
    struct model_chunk chunk;
    struct opened o;
    struct arena arena;
    struct pq_chunk c;
};

static void one_init(struct one *t, struct pq_column column, uint32_t n_rows) {
    memset(t, 0, sizeof *t);
    model_init(&t->m);
    memory_file_init(&t->f);
    t->column = column;
    t->column.name = STR("c");
    t->group = (struct model_group){ .n_rows = n_rows, .chunks = &t->chunk };
    t->m.columns = &t->column;
    t->m.opts = &t->opts;
    t->m.n_columns = 1;
    t->m.groups = &t->group;
    t->m.n_groups = 1;
    arena_init(&t->arena, 1 << 28, NULL);
}

// Writes t->chunk, compares it, and opens it with its pages.
static void one_open(struct one *t) {
    CHECK_OK(model_write(&t->m, &t->f));
    t->o = open_file(&t->f);
    model_compare_chunk(&t->m, t->o.r, t->o.d, 0, 0, 6);
    pq_chunk_open(t->o.r, 0, 0, t->o.d, &t->arena, &t->c);
    CHECK_OK(pq_chunk_pages(&t->c));
    CHECK_OK(pq_validate(t->o.r, t->o.d, 1 << 28));
}

static void one_fini(struct one *t) {
    arena_fini(&t->arena);
    close_file(&t->o);
    memory_file_fini(&t->f);
    model_fini(&t->m);
}

TEST(pages_end_at_multiples_of_4096_rows) {
    struct one t;
    one_init(&t, (struct pq_column){ .type = PQ_INT64 }, 20000);
    t.chunk = model_draw(&t.m, &t.column, 20000, NULLS_NONE, KIND_ASCENDING, false);
    one_open(&t);
    CHECK_U64(t.c.n_pages, 5);
    for (size_t i = 0; i < 5; i++) CHECK_U64(t.c.pages[i].first_row, i * 4096);
    one_fini(&t);
}

TEST(sparse_columns_pass_over_borders) {
    struct one t;
    one_init(&t, (struct pq_column){ .type = PQ_INT64, .optional = true }, 40000);
    t.chunk = model_draw(&t.m, &t.column, 40000, NULLS_MOST, KIND_RANDOM, false); // 82 values in 4,096 rows
    one_open(&t);
    CHECK_U64(t.c.n_pages, 1);
    one_fini(&t);
    one_init(&t, (struct pq_column){ .type = PQ_INT64, .optional = true }, 40000);
    t.chunk = model_draw(&t.m, &t.column, 40000, NULLS_HALF, KIND_RANDOM, false);
    one_open(&t);
    CHECK_U64(t.c.n_pages, 10);
    one_fini(&t);
}

TEST(pages_end_before_a_mebibyte_of_values) {
    enum { ROWS = 100, LEN = 100000 };
    struct one t;
    static char big[LEN];
    struct str values[ROWS];
    one_init(&t, (struct pq_column){ .type = PQ_BYTE_ARRAY }, ROWS);
    for (size_t i = 0; i < LEN; i++) big[i] = (char)test_rand();
    for (size_t i = 0; i < ROWS; i++) values[i] = (struct str){ big, LEN - i };
    t.opts.encoding = PQ_ENC_PLAIN;
    t.chunk = (struct model_chunk){ .v = { .strs = values, .n_values = ROWS }, .bytes = values };
    one_open(&t);
    CHECK_U64(t.c.n_pages, 10);
    for (size_t i = 0; i + 1 < t.c.n_pages; i++)
        CHECK(t.c.pages[i].n_rows == 10 && t.c.pages[i].size <= 1 << 20);
    one_fini(&t);
}

// Pages side by side are read together, but not more of them than a decoder can hold.
TEST(a_long_chunk_is_read_in_pieces) {
    enum { ROWS = 64, LEN = 128 << 10 };
    struct one t;
    struct str values[ROWS];
    char *big = mem_alloc(LEN);
    one_init(&t, (struct pq_column){ .type = PQ_BYTE_ARRAY }, ROWS);
    for (size_t i = 0; i < LEN; i++) big[i] = (char)test_rand();
    for (size_t i = 0; i < ROWS; i++) values[i] = (struct str){ big, LEN };
    t.opts.encoding = PQ_ENC_PLAIN;
    t.chunk = (struct model_chunk){ .v = { .strs = values, .n_values = ROWS }, .bytes = values };
    one_open(&t);
    struct pq_decoder *d = pq_decoder_new(3 << 20); // of 8 MiB
    model_compare_chunk(&t.m, t.o.r, d, 0, 0, 0);
    pq_decoder_free(d);
    one_fini(&t);
    mem_free(big);
}

TEST(pages_of_nan_have_no_bounds) {
    for (int all = 0; all < 2; all++) {
        enum { ROWS = 9000 };
        struct one t;
        one_init(&t, (struct pq_column){ .type = PQ_DOUBLE }, ROWS);
        double *v = ARENA_ARRAY(&t.m.arena, ROWS, double);
        struct str *bytes = ARENA_ARRAY(&t.m.arena, ROWS, struct str);
        for (int i = 0; i < ROWS; i++) {
            v[i] = all || i < 5000 ? __builtin_nan("") : i;
            bytes[i] = (struct str){ (const char *)&v[i], sizeof *v };
        }
        t.chunk = (struct model_chunk){ .v = { .f64 = v, .n_values = ROWS }, .bytes = bytes };
        one_open(&t);
        const struct pq_stats *s = &t.c.meta->stats;
        CHECK(s->has_min_max == !all);
        double least = 5000;
        if (!all) CHECK_STR(s->min, ((struct str){ (const char *)&least, sizeof least }));
        CHECK_OK(pq_chunk_bounds(&t.c));
        CHECK(t.c.bounds == NULL && t.c.n_pages == 3);
        one_fini(&t);
    }
}

TEST(a_value_larger_than_a_page_has_one_to_itself) {
    enum { LEN = 3 << 20 };
    struct one t;
    char *big = mem_zalloc(LEN);
    struct str values[3] = { STR("a"), { big, LEN }, STR("b") };
    one_init(&t, (struct pq_column){ .type = PQ_BYTE_ARRAY }, 3);
    t.chunk = (struct model_chunk){ .v = { .strs = values, .n_values = 3 }, .bytes = values };
    one_open(&t);
    CHECK_U64(t.c.n_pages, 3);
    one_fini(&t);
    mem_free(big);
}

TEST(forced_borders_are_kept) {
    static const uint32_t borders[] = { 1, 10, 11, 5000 };
    for (int sparse = 0; sparse < 2; sparse++) {
        struct one t;
        one_init(&t, (struct pq_column){ .type = PQ_BYTE_ARRAY, .optional = true }, 9000);
        t.group.borders = borders;
        t.group.n_borders = 4;
        t.chunk = model_draw(&t.m, &t.column, 9000, sparse ? NULLS_MOST : NULLS_NONE, KIND_FEW, false);
        one_open(&t);
        CHECK_U64(t.c.n_pages, 5);
        for (size_t i = 0; i < 4; i++) CHECK_U64(t.c.pages[i + 1].first_row, borders[i]);
        one_fini(&t);
    }
}

TEST(a_column_without_values_costs_a_few_bytes) {
    struct one t;
    one_init(&t, (struct pq_column){ .type = PQ_BYTE_ARRAY, .optional = true }, 131072);
    one_open(&t); // nothing was written to it
    CHECK_U64(t.c.n_pages, 1);
    CHECK(t.c.meta->pages.len < 40);
    CHECK(t.c.meta->stats.null_count == 131072 && t.c.meta->dict.len == 0);
    one_fini(&t);
}

TEST(a_dictionary_is_left_when_it_grows_past_its_page) {
    for (int forced = 0; forced < 2; forced++) {
        enum { ROWS = 40000, ENTRIES = 12000 };
        struct one t;
        one_init(&t, (struct pq_column){ .type = PQ_BYTE_ARRAY }, ROWS);
        struct str *dict = ARENA_ARRAY(&t.m.arena, ENTRIES, struct str),
                   *bytes = ARENA_ARRAY(&t.m.arena, ROWS, struct str);
        uint32_t *codes = ARENA_ARRAY(&t.m.arena, ROWS, uint32_t);
        for (int i = 0; i < ENTRIES; i++) dict[i] = str_fmt(&t.m.arena, "entry-%d", i);
        for (int i = 0; i < ROWS; i++) bytes[i] = dict[codes[i] = (uint32_t)test_below(ENTRIES)];
        t.opts.encoding = forced ? PQ_ENC_DICT : PQ_ENC_AUTO;
        t.chunk.v = (struct pq_values){ .codes = codes, .dict = dict, .n_dict = ENTRIES, .n_values = ROWS };
        t.chunk.bytes = bytes;
        one_open(&t);
        struct pq_vector v;
        CHECK_OK(pq_chunk_read(&t.c, 100, 120, &t.arena, &v));
        CHECK(v.repr == (forced ? PQ_CODES : PQ_STRS));
        CHECK((t.c.meta->dict.len > 0) == forced);
        one_fini(&t);
    }
}

TEST(a_codec_is_used_where_it_pays) {
    static const struct {
        enum model_kind kind;
        enum pq_type type;
        enum pq_codec codec;
        bool packed;
    } cases[] = {
        { KIND_RANDOM, PQ_FIXED, PQ_CODEC_AUTO, false },   { KIND_FEW, PQ_FIXED, PQ_CODEC_AUTO, true },
        { KIND_FEW, PQ_FIXED, PQ_CODEC_NONE, false },      { KIND_RANDOM, PQ_FIXED, PQ_CODEC_ZSTD, true },
        { KIND_LONG, PQ_BYTE_ARRAY, PQ_CODEC_AUTO, true },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct one t;
        one_init(&t,
                 (struct pq_column){ .type = cases[i].type, .fixed_len = cases[i].type == PQ_FIXED ? 16 : 0 },
                 5000);
        t.opts.codec = cases[i].codec;
        t.chunk = model_draw(&t.m, &t.column, 5000, NULLS_NONE, cases[i].kind, false);
        one_open(&t);
        CHECK((t.c.meta->codec != 0) == cases[i].packed);
        CHECK(t.c.meta->pages.len <= t.c.meta->bytes_plain + 100);
        one_fini(&t);
    }
}

// Of a column that one row in fifty has, where those are is nearly all that a page says.
TEST(levels_are_compressed_where_that_pays) {
    static const struct {
        enum model_nulls nulls;
        enum pq_codec codec;
        enum page_kind kind;
    } cases[] = {
        { NULLS_MOST, PQ_CODEC_AUTO, PAGE_DATA },    { NULLS_MOST, PQ_CODEC_NONE, PAGE_DATA_V2 },
        { NULLS_HALF, PQ_CODEC_AUTO, PAGE_DATA_V2 }, { NULLS_HALF, PQ_CODEC_ZSTD, PAGE_DATA },
        { NULLS_NONE, PQ_CODEC_ZSTD, PAGE_DATA_V2 },
    };
    uint64_t bytes[2];
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct one t;
        struct page_head h;
        one_init(&t, (struct pq_column){ .type = PQ_INT64, .optional = cases[i].nulls != NULLS_NONE },
                 100000);
        t.opts = (struct pq_column_opts){ .encoding = PQ_ENC_DELTA, .codec = cases[i].codec };
        t.chunk = model_draw(&t.m, &t.column, 100000, cases[i].nulls, i < 2 ? KIND_FEW : KIND_RANDOM, false);
        one_open(&t);
        CHECK_OK(page_head_read(str_sub(buf_view(&t.f.bytes), t.c.pages[0].offset, SIZE_MAX), &h));
        CHECK_U64(h.kind, cases[i].kind);
        if (i < 2) bytes[i] = t.c.meta->pages.len;
        one_fini(&t);
    }
    CHECK(bytes[0] * 100 < bytes[1] * 85);
}

TEST(a_few_rows_touch_one_page) {
    struct one t;
    one_init(&t, (struct pq_column){ .type = PQ_INT64, .optional = true }, 60000);
    t.opts.encoding = PQ_ENC_DELTA;
    t.chunk = model_draw(&t.m, &t.column, 60000, NULLS_HALF, KIND_RANDOM, false);
    one_open(&t);
    struct pq_vector v;
    t.f.calls = 0;
    CHECK_OK(pq_chunk_read(&t.c, 30000, 30020, &t.arena, &v));
    CHECK_U64(t.f.calls, 1);
    one_fini(&t);
}

TEST(footer_text_is_kept) {
    struct one t;
    struct str value;
    one_init(&t, (struct pq_column){ .type = PQ_BOOLEAN, .optional = true }, 10);
    one_open(&t);
    CHECK(pq_reader_kv(t.o.r, STR("takt.test"), &value));
    CHECK_STR(value, STR("a value\n"));
    CHECK(!pq_reader_kv(t.o.r, STR("takt"), &value));
    CHECK_STR(t.o.r->created_by, STR("takt version 0.0.1"));
    CHECK(pq_reader_column(t.o.r, STR("d")) == SIZE_MAX);
    CHECK(t.o.r->index.len > 0 && t.o.r->index.off + t.o.r->index.len <= t.f.bytes.len);
    one_fini(&t);
}

// --- wrong use -----------------------------------------------------------------------------------

TEST(schemas_that_cannot_be_are_refused) {
    const struct {
        struct pq_column column;
        struct pq_column_opts opts;
    } cases[] = {
        { { .name = STR(""), .type = PQ_INT32 }, { 0 } },
        { { .name = STR("a\0b"), .type = PQ_INT32 }, { 0 } },
        { { .name = STR("\xff"), .type = PQ_INT32 }, { 0 } },
        { { .name = STR("a"), .type = PQ_FIXED }, { 0 } },
        { { .name = STR("a"), .type = PQ_FIXED, .fixed_len = PQ_FIXED_MAX + 1 }, { 0 } },
        { { .name = STR("a"), .type = PQ_INT32, .fixed_len = 4 }, { 0 } },
        { { .name = STR("a"), .type = (enum pq_type)3 }, { 0 } },
        { { .name = STR("a"), .type = PQ_INT32, .logical = PQ_STRING }, { 0 } },
        { { .name = STR("a"), .type = PQ_INT32, .logical = PQ_TIMESTAMP_NS }, { 0 } },
        { { .name = STR("a"), .type = PQ_DOUBLE, .logical = PQ_UNSIGNED }, { 0 } },
        { { .name = STR("a"), .type = PQ_INT64, .logical = PQ_OTHER }, { 0 } },
        { { .name = STR("a"), .type = PQ_BOOLEAN }, { .bloom = true } },
        { { .name = STR("a"), .type = PQ_BOOLEAN }, { .encoding = PQ_ENC_DICT } },
        { { .name = STR("a"), .type = PQ_DOUBLE }, { .encoding = PQ_ENC_DELTA } },
        { { .name = STR("a"), .type = PQ_INT64 }, { .encoding = PQ_ENC_DELTA_LENGTH } },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct memory_file f;
        struct pq_writer *w = NULL;
        memory_file_init(&f);
        struct pq_writer_opts o = {
            .sink = memory_sink(&f), .columns = &cases[i].column, .opts = &cases[i].opts, .n_columns = 1
        };
        enum err e = pq_writer_new(&o, &w);
        if (e != ERR_INVALID) printf("# case %zu\n", i);
        CHECK(e == ERR_INVALID);
        memory_file_fini(&f);
    }
}

// Each of these kills the writer.
TEST(wrong_values_are_refused) {
    const uint32_t rows[] = { 0, 2, 2 }, past[] = { 0, 1, 9 }, codes[] = { 0, 1, 7 };
    const int64_t ints[] = { 1, 2, 3 };
    const int32_t small[] = { 1, 2, 3 };
    const struct str dict[] = { STR("a"), STR("bcd"), STR("e") };
    const struct pq_column columns[] = {
        { .name = STR("a"), .type = PQ_INT64 },
        { .name = STR("b"), .type = PQ_INT64, .optional = true },
        { .name = STR("c"), .type = PQ_FIXED, .fixed_len = 1, .optional = true }
    };
    const struct {
        size_t column;
        struct pq_values v;
    } cases[] = {
        { 0, { .n_values = 0 } },                            // a REQUIRED column without values
        { 0, { .i64 = ints, .n_values = 2 } },               // too few
        { 0, { .i64 = ints, .rows = past, .n_values = 3 } }, // rows of a REQUIRED column
        { 0, { .i32 = small, .n_values = 3 } },              // another type
        { 0, { .i64 = ints, .i32 = small, .n_values = 3 } }, // two forms
        { 0, { .codes = codes, .dict_i64 = ints, .n_dict = 3, .n_values = 3 } }, // a code past the end
        { 1, { .i64 = ints, .n_values = 3 } },                                   // column 0 left out
        { 3, { .i64 = ints, .n_values = 3 } },                                   // no such column
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases + 3; i++) {
        struct memory_file f;
        struct pq_writer *w = NULL;
        memory_file_init(&f);
        struct pq_writer_opts o = { .sink = memory_sink(&f), .columns = columns, .n_columns = 3 };
        CHECK_OK(pq_writer_new(&o, &w));
        CHECK_OK(pq_row_group_begin(w, 3, NULL, 0));
        size_t extra = i - sizeof cases / sizeof *cases;
        enum err e;
        if (i < sizeof cases / sizeof *cases) {
            e = pq_column_write(w, cases[i].column, &cases[i].v);
        } else {
            const struct pq_values good = { .i64 = ints, .n_values = 3 };
            const struct pq_values bad[] = {
                { .i64 = ints, .rows = rows, .n_values = 3 },
                { .i64 = ints, .rows = past, .n_values = 3 },
                { .codes = codes, .dict = dict, .n_dict = 3, .n_values = 2, .rows = past }
            };
            CHECK_OK(pq_column_write(w, 0, &good));
            e = pq_column_write(w, extra == 2 ? 2 : 1, &bad[extra]);
        }
        if (e != ERR_INVALID) printf("# case %zu\n", i);
        CHECK(e == ERR_INVALID);
        CHECK(pq_row_group_end(w) == ERR_INVALID && pq_writer_finish(w) == ERR_INVALID);
        pq_writer_free(w);
        memory_file_fini(&f);
    }
}

TEST(wrong_order_of_calls_is_refused) {
    const struct pq_column column = { .name = STR("a"), .type = PQ_INT64, .optional = true };
    static const uint32_t borders[3][2] = { { 0, 5 }, { 5, 5 }, { 5, 10 } };
    for (int i = 0; i < 8; i++) {
        struct memory_file f;
        struct pq_writer *w = NULL;
        memory_file_init(&f);
        struct pq_writer_opts o = { .sink = memory_sink(&f), .columns = &column, .n_columns = 1 };
        CHECK_OK(pq_writer_new(&o, &w));
        enum err e = ERR_OK;
        switch (i) {
        case 0: e = pq_row_group_end(w); break;
        case 1: e = pq_row_group_begin(w, PQ_ROWS_MAX + 1, NULL, 0); break;
        case 2: e = pq_column_write(w, 0, &(struct pq_values){ 0 }); break;
        case 3:
            CHECK_OK(pq_row_group_begin(w, 1, NULL, 0));
            e = pq_writer_finish(w);
            break;
        case 4:
            CHECK_OK(pq_writer_finish(w));
            e = pq_row_group_begin(w, 1, NULL, 0);
            break;
        default: e = pq_row_group_begin(w, 10, borders[i - 5], 2);
        }
        CHECK(e == ERR_INVALID);
        pq_writer_free(w);
        memory_file_fini(&f);
    }
}

// Row groups of two tables match by number, so one without rows must stand: between others, in a
// copy, and alone.
TEST(a_row_group_without_rows_keeps_its_number) {
    const struct pq_column columns[] = {
        { .name = STR("a"), .type = PQ_INT64 },
        { .name = STR("b"), .type = PQ_BYTE_ARRAY, .logical = PQ_STRING, .optional = true }
    };
    const int64_t ints[] = { 7, 8 };
    const uint32_t sizes[] = { 0, 2, 0 };
    struct memory_file f, copy;
    struct pq_writer *w;
    struct pq_decoder *d = pq_decoder_new(1 << 24);
    memory_file_init(&f), memory_file_init(&copy);
    struct pq_writer_opts o = { .sink = memory_sink(&f), .columns = columns, .n_columns = 2 };
    CHECK_OK(pq_writer_new(&o, &w));
    for (int g = 0; g < 3; g++) {
        CHECK_OK(pq_row_group_begin(w, sizes[g], NULL, 0));
        CHECK_OK(pq_column_write(w, 0, &(struct pq_values){ .n_values = sizes[g], .i64 = ints }));
        CHECK_OK(pq_row_group_end(w));
    }
    CHECK_OK(pq_writer_finish(w));
    pq_writer_free(w);
    for (int round = 0; round < 2; round++) {
        struct pq_source source = memory_source(round ? &copy : &f);
        struct pq_reader_opts ro = { 0 };
        struct err_ctx ctx = { 0 };
        struct pq_reader *r;
        struct pq_chunk c;
        struct pq_vector v;
        struct arena a;
        arena_init(&a, 1 << 20, NULL);
        CHECK_OK(pq_reader_open(&source, &ro, &r, &ctx));
        CHECK_U64(r->n_groups, 3);
        CHECK_OK(pq_validate(r, d, 1 << 24));
        for (size_t g = 0; g < 3; g++) {
            CHECK_U64(r->groups[g].n_rows, sizes[g]);
            pq_chunk_open(r, g, 0, d, &a, &c);
            CHECK_OK(pq_chunk_read(&c, 0, sizes[g], &a, &v));
            CHECK_U64(v.n_values, sizes[g]);
        }
        o.sink = memory_sink(&copy);
        if (round == 0) {
            CHECK_OK(pq_writer_new(&o, &w));
            for (size_t g = 0; g < 3; g++) CHECK_OK(pq_copy_row_group(w, r, g, d, NULL, 0));
            CHECK_OK(pq_writer_finish(w));
            pq_writer_free(w);
        }
        pq_reader_close(r);
        arena_fini(&a);
    }
    pq_decoder_free(d);
    memory_file_fini(&f), memory_file_fini(&copy);
}
