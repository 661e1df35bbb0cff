// SPDX-License-Identifier: Apache-2.0
// Damage of what is no page: bloom filters, page indexes, the footer. None of it passes.
#include "parquet/model_test.h"

struct whole { // a file that is damaged and mended again, and its reader from before
    struct model m;
    struct memory_file f;
    struct pq_reader *r;
    struct pq_decoder *d;
    struct arena a;
};

static void whole_init(struct whole *w) {
    struct err_ctx why = { .text = "" };
    model_init(&w->m);
    model_random(&w->m, 300);
    memory_file_init(&w->f);
    CHECK_OK(model_write(&w->m, &w->f));
    struct pq_source s = memory_source(&w->f);
    CHECK_OK(pq_reader_open(&s, &(struct pq_reader_opts){ .must_have_sums = true }, &w->r, &why));
    CHECK(w->r->has_sums);
    w->d = pq_decoder_new(0);
    arena_init(&w->a, SIZE_MAX, NULL);
}

static void whole_fini(struct whole *w) {
    arena_fini(&w->a);
    pq_decoder_free(w->d);
    pq_reader_close(w->r);
    memory_file_fini(&w->f);
    model_fini(&w->m);
}

static void flip(struct whole *w, uint64_t at, unsigned bit) {
    w->f.bytes.ptr[at] ^= (char)(1u << bit);
}

typedef enum err read_part(struct pq_chunk *c);

static enum err read_bloom(struct pq_chunk *c) {
    struct str bits;
    return pq_bloom_read(c, &bits);
}

static enum err ask_bloom(struct pq_chunk *c) {
    bool might;
    return pq_bloom_might_contain(c, STR("12345678"), &might);
}

// Flips each of some bits of a part of a chunk; reading it must tell, and say where.
static uint32_t check_part(struct whole *w, struct pq_chunk *fresh, struct pq_range at, read_part *read) {
    uint32_t n = 0;
    for (uint64_t k = test_below(3); k < at.len; k += 1 + test_below(1 + at.len / 50)) {
        struct pq_chunk c = *fresh;
        unsigned bit = (unsigned)test_below(8);
        CHECK_OK(read(&c));
        c = *fresh;
        flip(w, at.off + k, bit);
        CHECK(read(&c) == ERR_CORRUPT);
        CHECK(strstr(pq_decoder_why(w->d), "checksum"));
        flip(w, at.off + k, bit);
        arena_reset(&w->a);
        n++;
    }
    return n;
}

TEST(sums_tell_damage_of_filters_and_indexes) {
    uint32_t blooms = 0, places = 0, bounds = 0;
    for (int round = 0; round < 20; round++) {
        struct whole w;
        whole_init(&w);
        for (size_t i = 0; i < w.r->n_groups * w.r->n_columns; i++) {
            struct pq_chunk c;
            pq_chunk_open(w.r, i / w.r->n_columns, i % w.r->n_columns, w.d, &w.a, &c);
            blooms += check_part(&w, &c, c.meta->bloom, read_bloom);
            blooms += check_part(&w, &c, c.meta->bloom, ask_bloom);
            places += check_part(&w, &c, c.meta->offset_index, pq_chunk_pages);
            if (c.meta->column_index.len) bounds += check_part(&w, &c, c.meta->column_index, pq_chunk_bounds);
        }
        whole_fini(&w);
    }
    CHECK(blooms > 100 && places > 100 && bounds > 100);
}

// Once it was found whole, a filter is asked for 32 bytes alone.
TEST(sums_of_a_filter_are_checked_once_for_all_openings) {
    for (int round = 0; round < 20; round++) {
        struct whole w;
        whole_init(&w);
        for (size_t i = 0; i < w.r->n_groups * w.r->n_columns; i++) {
            _Atomic bool is_whole = false;
            struct pq_chunk c;
            pq_chunk_open(w.r, i / w.r->n_columns, i % w.r->n_columns, w.d, &w.a, &c);
            c.bloom_is_whole = &is_whole;
            if (c.meta->bloom.len == 0) continue;
            CHECK_OK(ask_bloom(&c));
            CHECK(is_whole);
            uint64_t before = w.f.calls;
            CHECK_OK(ask_bloom(&c));
            CHECK_U64(w.f.calls - before, 2);
        }
        whole_fini(&w);
    }
}

static enum err open_again(struct whole *w, bool must_have, bool *out_has) {
    struct err_ctx why = { .text = "" };
    struct pq_source s = memory_source(&w->f);
    struct pq_reader *r;
    TRY(pq_reader_open(&s, &(struct pq_reader_opts){ .must_have_sums = must_have }, &r, &why));
    *out_has = r->has_sums;
    pq_reader_close(r);
    return ERR_OK;
}

// The one change that nobody sees is that of a hexadecimal digit to its capital.
static bool is_capital(char was, unsigned bit) {
    return bit == 5 && was >= 'a' && was <= 'f';
}

TEST(sums_tell_damage_of_the_footer) {
    for (int round = 0; round < 20; round++) {
        struct whole w;
        bool has;
        uint32_t len;
        whole_init(&w);
        size_t end = w.f.bytes.len;
        memcpy(&len, w.f.bytes.ptr + end - 8, sizeof len);
        for (size_t at = end - 8 - len; at < end; at += 1 + test_below(5)) {
            unsigned bit = (unsigned)test_below(8);
            if (is_capital(w.f.bytes.ptr[at], bit)) continue;
            flip(&w, at, bit);
            enum err e = open_again(&w, true, &has);
            CHECK(e == ERR_CORRUPT || e == ERR_UNSUPPORTED || e == ERR_LIMIT);
            flip(&w, at, bit);
        }
        CHECK_OK(open_again(&w, true, &has));
        whole_fini(&w);
    }
}

static void replace(struct whole *w, const char *what, const char *with) {
    char *p = memmem(w->f.bytes.ptr, w->f.bytes.len, what, strlen(what));
    CHECK(p != NULL);
    memcpy(p, with, strlen(with));
}

// Files from before, and those of other writers who took our pairs along.
TEST(sums_need_not_be_there) {
    struct whole w;
    bool has = true;
    whole_init(&w);
    replace(&w, "takt.crc", "takt.was");
    CHECK_OK(open_again(&w, false, &has));
    CHECK(!has);
    CHECK(open_again(&w, true, &has) == ERR_CORRUPT);
    replace(&w, "takt.was", "takt.crc");
    replace(&w, "takt version", "duck version");
    CHECK_OK(open_again(&w, false, &has));
    CHECK(!has);
    whole_fini(&w);
}
