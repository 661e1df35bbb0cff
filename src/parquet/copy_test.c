// SPDX-License-Identifier: Apache-2.0
// Row groups copied without decoding hold what re-encoding them would.
#include "parquet/model_test.h"

#include "parquet/format.h"

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

static void check_valid(struct memory_file *f) {
    struct opened o = open_file(f);
    enum err e = pq_validate(o.r, o.d, 1 << 28);
    if (e) printf("# %s\n", pq_decoder_why(o.d));
    CHECK_OK(e);
    close_file(&o);
}

// Appends all row groups of `from` to a new file with the given schema.
static enum err copy_all(struct memory_file *from, const struct pq_column *columns, size_t n_columns,
                         const struct pq_remap *remaps, size_t n_remaps, struct memory_file *to) {
    struct opened o = open_file(from);
    struct pq_writer_opts opts = { .sink = memory_sink(to), .columns = columns, .n_columns = n_columns };
    struct pq_writer *w = NULL;
    enum err e = pq_writer_new(&opts, &w);
    for (size_t g = 0; g < o.r->n_groups && !e; g++) e = pq_copy_row_group(w, o.r, g, o.d, remaps, n_remaps);
    if (!e) e = pq_writer_finish(w);
    pq_writer_free(w);
    close_file(&o);
    return e;
}

// The schema of m with other columns before, between and behind its own. place[i] = where column i went.
static struct pq_column *widen(struct model *m, size_t *n, size_t *place) {
    struct pq_column *wide = ARENA_ARRAY(&m->arena, m->n_columns * 2 + 1, struct pq_column);
    *n = 0;
    for (size_t i = 0; i <= m->n_columns; i++) {
        wide[(*n)++] = (struct pq_column){ .name = str_fmt(&m->arena, "new-%zu", i),
                                           .type = i % 2 ? PQ_INT64 : PQ_BYTE_ARRAY,
                                           .optional = true };
        if (i == m->n_columns) break;
        place[i] = *n;
        wide[(*n)++] = m->columns[i];
    }
    return wide;
}

// The model that the copy must equal.
static struct model wide_model(struct model *m, struct pq_column *columns, size_t n, const size_t *place) {
    struct model w = *m;
    w.columns = columns;
    w.n_columns = n;
    w.groups = ARENA_ARRAY(&m->arena, m->n_groups, struct model_group);
    static const uint32_t no_rows[1];
    for (size_t g = 0; g < m->n_groups; g++) {
        w.groups[g] = m->groups[g];
        w.groups[g].chunks = ARENA_ARRAY(&m->arena, n, struct model_chunk);
        for (size_t i = 0; i < n; i++)
            w.groups[g].chunks[i] = (struct model_chunk){ .v = { .rows = no_rows } };
        for (size_t i = 0; i < m->n_columns; i++) w.groups[g].chunks[place[i]] = m->groups[g].chunks[i];
    }
    return w;
}

TEST(copies_equal_what_was_copied) {
    for (int round = 0; round < 30; round++) {
        struct model m;
        struct memory_file f, copy, again;
        model_init(&m);
        memory_file_init(&f);
        memory_file_init(&copy);
        memory_file_init(&again);
        model_random(&m, 2500);
        CHECK_OK(model_write(&m, &f));
        size_t n, place[16];
        struct pq_column *columns = widen(&m, &n, place);
        struct model wide = wide_model(&m, columns, n, place);
        CHECK_OK(copy_all(&f, columns, n, NULL, 0, &copy));
        model_compare(&wide, &copy);
        check_valid(&copy);
        CHECK_OK(copy_all(&copy, columns, n, NULL, 0, &again)); // a copy of a copy is the same file
        CHECK_STR(buf_view(&again.bytes), buf_view(&copy.bytes));
        memory_file_fini(&f);
        memory_file_fini(&copy);
        memory_file_fini(&again);
        model_fini(&m);
    }
}

// Statistics, sizes, filters and indexes of a column survive the copy.
TEST(copies_keep_what_is_said_of_columns) {
    for (int round = 0; round < 10; round++) {
        struct model m;
        struct memory_file f, copy;
        model_init(&m);
        memory_file_init(&f);
        memory_file_init(&copy);
        model_random(&m, 800);
        CHECK_OK(model_write(&m, &f));
        CHECK_OK(copy_all(&f, m.columns, m.n_columns, NULL, 0, &copy));
        struct opened a = open_file(&f), b = open_file(&copy);
        for (size_t g = 0; g < m.n_groups; g++)
            for (size_t i = 0; i < m.n_columns; i++) {
                const struct pq_chunk_meta *x = &a.r->groups[g].chunks[i], *y = &b.r->groups[g].chunks[i];
                CHECK(x->pages.len == y->pages.len && x->dict.len == y->dict.len &&
                      x->bloom.len == y->bloom.len);
                CHECK(x->column_index.len == y->column_index.len && x->bytes_plain == y->bytes_plain);
                CHECK(x->codec == y->codec && x->encodings == y->encodings);
                CHECK(x->stats.has_min_max == y->stats.has_min_max && x->stats.exact == y->stats.exact);
                CHECK(x->stats.null_count == y->stats.null_count);
                CHECK(x->stats.distinct_count == y->stats.distinct_count);
                CHECK_STR(y->stats.min, x->stats.min);
                CHECK_STR(y->stats.max, x->stats.max);
            }
        close_file(&a);
        close_file(&b);
        memory_file_fini(&f);
        memory_file_fini(&copy);
        model_fini(&m);
    }
}

// --- remapping -----------------------------------------------------------------------------------

enum { REF_ROWS = 7000, REFS = 300 };

struct refs { // a file with a column of references and one beside it
    struct model m;
    struct memory_file f;
    struct pq_column columns[2];
    struct pq_column_opts opts[2];
    struct model_group group;
    struct model_chunk chunks[2];
};

static void refs_init(struct refs *t, bool optional, enum pq_codec codec) {
    *t = (struct refs){ 0 };
    model_init(&t->m);
    memory_file_init(&t->f);
    t->columns[0] = (struct pq_column){
        .name = STR("ref"), .type = PQ_INT32, .logical = PQ_UNSIGNED, .optional = optional
    };
    t->columns[1] = (struct pq_column){ .name = STR("text"), .type = PQ_BYTE_ARRAY };
    t->opts[0] = (struct pq_column_opts){ .encoding = PQ_ENC_DICT, .codec = codec, .bloom = true };
    t->group = (struct model_group){ .n_rows = REF_ROWS, .chunks = t->chunks };
    t->chunks[0] = model_draw(&t->m, &t->columns[0], REF_ROWS, NULLS_HALF, KIND_FEW, false);
    t->chunks[1] = model_draw(&t->m, &t->columns[1], REF_ROWS, NULLS_NONE, KIND_FEW, false);
    struct str *bytes = (struct str *)t->chunks[0].bytes;
    int32_t *values = (int32_t *)t->chunks[0].v.i32;
    for (size_t i = 0; i < t->chunks[0].v.n_values; i++) {
        values[i] = (int32_t)(i < REFS ? i : test_below(REFS)); // each occurs
        bytes[i] = (struct str){ (const char *)&values[i], 4 };
    }
    t->m.columns = t->columns;
    t->m.opts = t->opts;
    t->m.n_columns = 2;
    t->m.groups = &t->group;
    t->m.n_groups = 1;
    CHECK_OK(model_write(&t->m, &t->f));
}

static void refs_fini(struct refs *t) {
    memory_file_fini(&t->f);
    model_fini(&t->m);
}

TEST(references_are_remapped) {
    for (int round = 0; round < 12; round++) {
        struct refs t;
        struct memory_file copy;
        uint32_t map[REFS];
        refs_init(&t, round % 2, (enum pq_codec)(round % 3));
        memory_file_init(&copy);
        // Up past 2^31, and some of them to one.
        for (int i = 0; i < REFS; i++)
            map[i] = round % 4 ? (uint32_t)test_rand() | 1u << 31 : (uint32_t)i / 10;
        struct pq_remap remap = { STR("ref"), map, REFS };
        CHECK_OK(copy_all(&t.f, t.columns, 2, &remap, 1, &copy));
        uint32_t least = UINT32_MAX, most = 0;
        int32_t *values = (int32_t *)t.chunks[0].v.i32;
        for (size_t i = 0; i < t.chunks[0].v.n_values; i++) {
            uint32_t v = map[values[i]];
            values[i] = (int32_t)v;
            least = v < least ? v : least;
            most = v > most ? v : most;
        }
        model_compare(&t.m, &copy);
        check_valid(&copy);
        struct opened o = open_file(&copy), old = open_file(&t.f);
        const struct pq_stats *s = &o.r->groups[0].chunks[0].stats;
        CHECK(s->has_min_max && s->exact);
        CHECK_STR(s->min, ((struct str){ (const char *)&least, 4 }));
        CHECK_STR(s->max, ((struct str){ (const char *)&most, 4 }));
        CHECK_U64(s->distinct_count, round % 4 ? REFS : REFS / 10);
        CHECK(o.r->groups[0].chunks[0].column_index.len > 0 && o.r->groups[0].chunks[0].bloom.len > 0);
        // The data pages are the same bytes.
        struct pq_range x = old.r->groups[0].chunks[0].pages, y = o.r->groups[0].chunks[0].pages;
        size_t data = x.len - old.r->groups[0].chunks[0].dict.len;
        CHECK_STR(((struct str){ copy.bytes.ptr + y.off + y.len - data, data }),
                  ((struct str){ t.f.bytes.ptr + x.off + x.len - data, data }));
        close_file(&o);
        close_file(&old);
        memory_file_fini(&copy);
        refs_fini(&t);
    }
}

TEST(sizes_of_a_remapped_column_add_up) {
    struct refs t;
    struct memory_file copy;
    uint32_t map[REFS];
    refs_init(&t, false, PQ_CODEC_NONE);
    memory_file_init(&copy);
    for (uint32_t i = 0; i < REFS; i++) map[i] = REFS - i;
    struct pq_remap remap = { STR("ref"), map, REFS };
    CHECK_OK(copy_all(&t.f, t.columns, 2, &remap, 1, &copy));
    struct opened o = open_file(&copy), old = open_file(&t.f);
    CHECK_U64(o.r->groups[0].chunks[0].bytes_plain, old.r->groups[0].chunks[0].bytes_plain);
    CHECK_U64(o.r->groups[0].chunks[0].pages.len, o.r->groups[0].chunks[0].bytes_plain); // uncompressed
    close_file(&o);
    close_file(&old);
    memory_file_fini(&copy);
    refs_fini(&t);
}

TEST(copies_that_cannot_be_are_refused) {
    struct refs t;
    uint32_t map[REFS] = { 0 };
    refs_init(&t, true, PQ_CODEC_AUTO);
    struct pq_column required[] = { t.columns[0],
                                    t.columns[1],
                                    { .name = STR("missing"), .type = PQ_INT64 } };
    struct pq_column other_type[] = { t.columns[0], t.columns[1] };
    other_type[1].optional = true;
    const struct pq_remap good = { STR("ref"), map, REFS };
    const struct pq_remap cut = { STR("ref"), map, REFS / 2 };
    const struct pq_remap text = { STR("text"), map, REFS };
    const struct {
        const struct pq_column *columns;
        size_t n;
        const struct pq_remap *remap;
        enum err want;
    } cases[] = {
        { t.columns, 2, &good, ERR_OK },      { t.columns, 2, &cut, ERR_INVALID },
        { t.columns, 2, &text, ERR_INVALID }, { t.columns, 1, NULL, ERR_INVALID },
        { other_type, 2, NULL, ERR_INVALID }, { required, 3, NULL, ERR_INVALID },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct memory_file copy;
        memory_file_init(&copy);
        CHECK(copy_all(&t.f, cases[i].columns, cases[i].n, cases[i].remap, cases[i].remap != NULL, &copy) ==
              cases[i].want);
        memory_file_fini(&copy);
    }
    refs_fini(&t);
}

TEST(a_column_without_a_dictionary_is_not_remapped) {
    struct refs t;
    struct memory_file f, copy;
    uint32_t map[REFS] = { 0 };
    const struct pq_remap remap = { STR("ref"), map, REFS };
    refs_init(&t, false, PQ_CODEC_AUTO);
    memory_file_init(&f);
    memory_file_init(&copy);
    t.opts[0].encoding = PQ_ENC_PLAIN;
    CHECK_OK(model_write(&t.m, &f));
    CHECK(copy_all(&f, t.columns, 2, &remap, 1, &copy) == ERR_INVALID);
    memory_file_fini(&f);
    memory_file_fini(&copy);
    refs_fini(&t);
}
