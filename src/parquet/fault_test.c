// SPDX-License-Identifier: Apache-2.0
// What fails: every allocation, every write, every read; and files that are damaged on purpose.
#include "base/hash.h"
#include "parquet/model_test.h"
#include "parquet/page.h"

enum { BUDGET = 8 << 20, WHY_MAX = 256 };

// Opens a file, reads every chunk whole and in part, validates it and copies it. The first error.
static enum err use_all(struct pq_reader *r, struct pq_decoder *d, struct arena *a) {
    for (size_t g = 0; g < r->n_groups; g++)
        for (size_t i = 0; i < r->n_columns; i++) {
            struct pq_chunk c;
            struct pq_vector v;
            bool might;
            arena_reset(a);
            pq_chunk_open(r, g, i, d, a, &c);
            TRY(pq_chunk_read(&c, c.n_rows / 3, c.n_rows / 2, a, &v));
            TRY(pq_chunk_read(&c, 0, c.n_rows, a, &v));
            TRY(pq_chunk_bounds(&c));
            TRY(pq_bloom_might_contain(&c, STR("12345678"), &might));
        }
    return pq_validate(r, d, BUDGET);
}

static enum err copy_all(struct pq_reader *r, struct pq_decoder *d, struct memory_file *to) {
    struct pq_writer_opts o = { .sink = memory_sink(to), .columns = r->columns, .n_columns = r->n_columns };
    struct pq_writer *w;
    TRY(pq_writer_new(&o, &w));
    enum err e = ERR_OK;
    for (size_t g = 0; g < r->n_groups && !e; g++) e = pq_copy_row_group(w, r, g, d, NULL, 0);
    if (!e) e = pq_writer_finish(w);
    pq_writer_free(w);
    return e;
}

static enum err use_file(struct memory_file *f, struct mem_budget *budget) {
    struct pq_source s = memory_source(f);
    struct err_ctx ctx = { .text = "" };
    struct pq_reader *r = NULL;
    struct memory_file copy;
    struct arena a;
    TRY(pq_reader_open(&s, &(struct pq_reader_opts){ .memory_max = BUDGET, .budget = budget }, &r, &ctx));
    struct pq_decoder *d = pq_decoder_new(BUDGET);
    memory_file_init(&copy);
    arena_init(&a, BUDGET, budget);
    enum err e = d ? use_all(r, d, &a) : ERR_NOMEM;
    if (d) {
        enum err second = copy_all(r, d, &copy);
        if (!e) e = second;
    }
    arena_fini(&a);
    memory_file_fini(&copy);
    pq_decoder_free(d);
    pq_reader_close(r);
    return e;
}

static void small_model(struct model *m) {
    model_init(m);
    model_random(m, 300);
}

// An arena survives a failure by asking for less; whoever says OK then must have done all of it.
TEST(every_allocation_of_a_writer_may_fail) {
    for (int round = 0; round < 4; round++) {
        struct model m;
        struct memory_file f, whole;
        small_model(&m);
        memory_file_init(&whole);
        CHECK_OK(model_write(&m, &whole));
        bool done = false;
        for (uint64_t n = 1; !done; n++) {
            bool keep = test_below(2);
            memory_file_init(&f);
            CHECK(buf_reserve(&f.bytes, 8 << 20)); // the sink itself does not allocate
            mem_fail_at(n, keep);
            enum err e = model_write(&m, &f);
            done = mem_fail_seen() < n;
            mem_fail_at(0, false);
            CHECK(e == ERR_NOMEM || (e == ERR_OK && (done || !keep)));
            if (e == ERR_OK) CHECK_STR(buf_view(&f.bytes), buf_view(&whole.bytes));
            memory_file_fini(&f);
        }
        memory_file_fini(&whole);
        model_fini(&m);
    }
}

TEST(every_allocation_of_a_reader_may_fail) {
    for (int round = 0; round < 3; round++) {
        struct model m;
        struct memory_file f;
        small_model(&m);
        memory_file_init(&f);
        CHECK_OK(model_write(&m, &f));
        bool done = false;
        for (uint64_t n = 1; !done; n += 1 + n / 50) {
            bool keep = test_below(2);
            mem_fail_at(n, keep);
            enum err e = use_file(&f, NULL);
            done = mem_fail_seen() < n;
            mem_fail_at(0, false);
            // ERR_IO: the sink of the copy allocates too.
            CHECK(e == ERR_NOMEM || e == ERR_IO ? !done : e == ERR_OK && (done || !keep));
        }
        memory_file_fini(&f);
        model_fini(&m);
    }
}

TEST(every_write_may_fail) {
    struct model m;
    struct memory_file f;
    small_model(&m);
    memory_file_init(&f);
    CHECK_OK(model_write(&m, &f));
    uint64_t n_calls = f.calls;
    for (uint64_t n = 1; n <= n_calls; n++) {
        buf_reset(&f.bytes);
        f.calls = 0;
        f.fail_at = n;
        CHECK(model_write(&m, &f) == ERR_IO);
        CHECK_U64(f.calls, n); // dead: nothing is written after it
    }
    memory_file_fini(&f);
    model_fini(&m);
}

TEST(every_read_may_fail) {
    struct model m;
    struct memory_file f;
    small_model(&m);
    m.n_groups = 1;
    memory_file_init(&f);
    CHECK_OK(model_write(&m, &f));
    f.calls = 0;
    CHECK_OK(use_file(&f, NULL));
    uint64_t n_calls = f.calls;
    for (uint64_t n = 1; n <= n_calls; n += 1 + n / 20) {
        f.calls = 0;
        f.fail_at = n;
        CHECK(use_file(&f, NULL) == ERR_IO);
    }
    memory_file_fini(&f);
    model_fini(&m);
}

TEST(files_cut_short_are_refused) {
    struct model m;
    struct memory_file f, cut;
    small_model(&m);
    memory_file_init(&f);
    CHECK_OK(model_write(&m, &f));
    for (size_t n = 0; n < f.bytes.len; n += 1 + test_below(1 + f.bytes.len / 500)) {
        memory_file_init(&cut);
        buf_add(&cut.bytes, f.bytes.ptr, n);
        enum err e = use_file(&cut, NULL);
        CHECK(e == ERR_CORRUPT || e == ERR_LIMIT);
        memory_file_fini(&cut);
    }
    memory_file_fini(&f);
    model_fini(&m);
}

// Calls `each` for every page of a file, dictionaries too, that a memory_file holds.
static void each_page(struct memory_file *f, void *ctx,
                      void (*each)(void *ctx, struct pq_chunk *c, uint64_t off, const struct page_head *h)) {
    struct pq_source s = memory_source(f);
    struct err_ctx why = { .text = "" };
    struct pq_reader *r;
    struct pq_decoder *d = pq_decoder_new(BUDGET);
    struct arena a;
    CHECK_OK(pq_reader_open(&s, &(struct pq_reader_opts){ 0 }, &r, &why));
    arena_init(&a, BUDGET, NULL);
    for (size_t i = 0; i < r->n_groups * r->n_columns; i++) {
        struct pq_chunk c;
        pq_chunk_open(r, i / r->n_columns, i % r->n_columns, d, &a, &c);
        CHECK_OK(pq_chunk_pages(&c));
        for (size_t p = 0; p <= c.n_pages; p++) {
            struct page_head h;
            uint64_t off = p < c.n_pages ? c.pages[p].offset : c.meta->dict.off;
            if (p == c.n_pages && c.meta->dict.len == 0) continue;
            CHECK_OK(page_head_read(str_sub(buf_view(&f->bytes), off, SIZE_MAX), &h));
            CHECK(h.has_crc);
            each(ctx, &c, off, &h);
        }
    }
    arena_fini(&a);
    pq_decoder_free(d);
    pq_reader_close(r);
}

// What a chunk holds, as one number; 0 = it cannot be read.
static uint64_t chunk_digest(const struct pq_chunk *of, char *why) {
    struct pq_chunk c = { .reader = of->reader,
                          .column = of->column,
                          .meta = of->meta,
                          .decoder = of->decoder,
                          .n_rows = of->n_rows };
    struct pq_vector v;
    struct arena a;
    uint64_t sum = 1;
    arena_init(&a, BUDGET, NULL);
    c.arena = &a;
    enum err e = pq_chunk_read(&c, 0, c.n_rows, &a, &v);
    for (uint32_t i = 0; !e && i < v.n_values; i++)
        sum = hash_u64(sum + (v.rows ? v.rows[i] : i) + hash_str(vector_bytes(c.column, &v, i)));
    arena_fini(&a);
    (void)snprintf(why, WHY_MAX, "%s", pq_decoder_why(c.decoder));
    return e ? 0 : sum;
}

struct flips {
    struct memory_file *f;
    uint64_t found, unseen; // of the bits of headers: unseen is a wrong value, not one that says the same
};

// A bit of a body is found by its checksum. A header has none, but nothing in it may change values unseen.
static void flip_bits(void *ctx, struct pq_chunk *c, uint64_t off, const struct page_head *h) {
    struct flips *t = ctx;
    char why[WHY_MAX];
    uint64_t want = chunk_digest(c, why);
    CHECK(want != 0);
    for (uint64_t bit = 0; bit < 8ull * (h->head_bytes + h->bytes_stored); bit++) {
        if (bit >= 8ull * h->head_bytes && test_below(4)) continue;
        char *byte = t->f->bytes.ptr + off + bit / 8;
        *byte ^= (char)(1 << bit % 8);
        uint64_t got = chunk_digest(c, why);
        *byte ^= (char)(1 << bit % 8);
        if (bit >= 8ull * h->head_bytes) {
            CHECK_U64(got, 0);
            CHECK(strstr(why, "the checksum of a page") != NULL);
        } else {
            t->found += got == 0;
            t->unseen += got != 0 && got != want;
        }
    }
}

TEST(a_flipped_bit_of_a_page_is_found) {
    struct flips t = { 0 };
    for (int round = 0; round < 8; round++) {
        struct model m;
        struct memory_file f;
        model_init(&m);
        model_random(&m, 40);
        memory_file_init(&f);
        CHECK_OK(model_write(&m, &f));
        t.f = &f;
        each_page(&f, &t, flip_bits);
        memory_file_fini(&f);
        model_fini(&m);
    }
    CHECK(t.found > 1000);
    CHECK_U64(t.unseen, 0);
}

// Gives the checksum another field number, which readers pass over: what lies deeper than the
// checksum is tested too. In place: the field behind it counts on from its number.
static void forget_sum(void *ctx, struct pq_chunk *c, uint64_t off, const struct page_head *h) {
    enum { FIELD_4 = 0x15, FIELD_6 = 0x35, TWO_BACK = 0x20 };
    struct memory_file *f = ctx;
    char *p = f->bytes.ptr + off;
    (void)c, (void)h;
    for (int field = 1; field < 4; field++)
        for (p++; *p++ & 0x80;) {}
    CHECK(*p == FIELD_4);
    *p = FIELD_6;
    for (p++; *p++ & 0x80;) {}
    *p = (char)(*p - TWO_BACK);
}

// Damage must never crash, nor take more memory than allowed.
TEST(damaged_files_do_no_harm) {
    uint64_t refused = 0, rounds = 0;
    for (int round = 0; round < 12; round++) {
        struct model m;
        struct memory_file f, bad;
        small_model(&m);
        memory_file_init(&f);
        CHECK_OK(model_write(&m, &f));
        if (round % 2) each_page(&f, &f, forget_sum);
        char *sums = memmem(f.bytes.ptr, f.bytes.len, "takt.crc", 8);
        if (round % 3) memcpy(sums, "takt.was", 8); // nor is the footer's checksum in the way
        uint32_t footer;
        memcpy(&footer, f.bytes.ptr + f.bytes.len - 8, 4);
        for (int i = 0; i < 60; i++, rounds++) {
            memory_file_init(&bad);
            buf_str(&bad.bytes, buf_view(&f.bytes));
            // Most of it in the footer and the indexes before it.
            size_t tail = test_below(3) ? footer + test_below(2) * 300 : f.bytes.len - 8;
            if (tail > f.bytes.len - 8) tail = f.bytes.len - 8;
            for (uint64_t k = test_below(4) + 1; k; k--) {
                size_t at = f.bytes.len - 8 - 1 - test_below(tail);
                if (test_below(2))
                    bad.bytes.ptr[at] = (char)test_rand();
                else
                    bad.bytes.ptr[at] ^= (char)(1 << test_below(8));
            }
            struct mem_budget budget = { .limit = BUDGET };
            refused += use_file(&bad, &budget) != ERR_OK;
            CHECK_U64(budget.used, 0);
            memory_file_fini(&bad);
        }
        memory_file_fini(&f);
        model_fini(&m);
    }
    CHECK(refused > rounds / 4);
}

// A value changed in place, where no structure breaks, is seen by the validation.
TEST(validation_sees_wrong_values) {
    struct model m;
    struct memory_file f;
    model_init(&m);
    memory_file_init(&f);
    static const int64_t values[] = { 10, 20, 30, 40 };
    const struct pq_column column = { .name = STR("c"), .type = PQ_INT64 };
    const struct pq_column_opts opts = { .encoding = PQ_ENC_PLAIN, .bloom = true };
    struct pq_writer_opts o = { .sink = memory_sink(&f), .columns = &column, .opts = &opts, .n_columns = 1 };
    struct pq_writer *w;
    CHECK_OK(pq_writer_new(&o, &w));
    CHECK_OK(pq_row_group_begin(w, 4, NULL, 0));
    CHECK_OK(pq_column_write(w, 0, &(struct pq_values){ .i64 = values, .n_values = 4 }));
    CHECK_OK(pq_row_group_end(w));
    CHECK_OK(pq_writer_finish(w));
    pq_writer_free(w);
    each_page(&f, &f, forget_sum);
    CHECK_OK(use_file(&f, NULL));
    char *at = memmem(f.bytes.ptr, f.bytes.len, values, sizeof values);
    CHECK(at != NULL);
    at[8] = 50; // past the maximum
    CHECK(use_file(&f, NULL) == ERR_CORRUPT);
    at[8] = 21; // not in the bloom filter
    CHECK(use_file(&f, NULL) == ERR_CORRUPT);
    at[8] = 20;
    CHECK_OK(use_file(&f, NULL));
    memory_file_fini(&f);
    model_fini(&m);
}

TEST(a_footer_past_its_limit_is_refused) {
    struct model m;
    struct memory_file f;
    struct pq_reader *r = NULL;
    struct err_ctx ctx = { .text = "" };
    small_model(&m);
    memory_file_init(&f);
    CHECK_OK(model_write(&m, &f));
    struct pq_source s = memory_source(&f);
    CHECK(pq_reader_open(&s, &(struct pq_reader_opts){ .footer_max = 50 }, &r, &ctx) == ERR_LIMIT);
    CHECK(strstr(ctx.text, "footer") != NULL);
    CHECK(pq_reader_open(&s, &(struct pq_reader_opts){ .memory_max = 100 }, &r, &ctx) == ERR_NOMEM);
    memory_file_fini(&f);
    model_fini(&m);
}

TEST(a_decoder_keeps_to_its_memory) {
    struct model m;
    struct memory_file f;
    model_init(&m);
    memory_file_init(&f);
    enum { ROWS = 65536, LEN = 16 }; // a page of 1 MiB
    struct pq_column column = { .name = STR("c"), .type = PQ_FIXED, .fixed_len = LEN };
    struct model_chunk chunk = { .v = { .fixed = arena_zalloc(&m.arena, ROWS * LEN), .n_values = ROWS } };
    struct model_group group = { .n_rows = ROWS, .chunks = &chunk };
    struct pq_column_opts opts = { 0 };
    m.columns = &column, m.opts = &opts, m.n_columns = 1, m.groups = &group, m.n_groups = 1;
    m.page_rows = ROWS;
    CHECK_OK(model_write(&m, &f)); // shrinks to a few bytes
    CHECK(f.bytes.len < 2000);
    struct pq_source s = memory_source(&f);
    struct err_ctx ctx = { .text = "" };
    struct pq_reader *r;
    struct pq_chunk c;
    struct pq_vector v;
    struct arena a;
    CHECK_OK(pq_reader_open(&s, &(struct pq_reader_opts){ 0 }, &r, &ctx));
    for (size_t limit = 1 << 10; limit <= 4 << 20; limit *= 4) {
        struct pq_decoder *d = pq_decoder_new(limit);
        arena_init(&a, 4 << 20, NULL);
        pq_chunk_open(r, 0, 0, d, &a, &c);
        CHECK(pq_chunk_read(&c, 0, 1, &a, &v) == (limit > 1 << 20 ? ERR_OK : ERR_LIMIT));
        arena_fini(&a);
        pq_decoder_free(d);
    }
    pq_reader_close(r);
    memory_file_fini(&f);
    model_fini(&m);
}
