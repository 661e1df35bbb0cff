// SPDX-License-Identifier: Apache-2.0
// The kernels: Thrift, bit packing, runs, deltas, bloom filters, bounds.
#include "base/hash.h"
#include "base/test.h"
#include "parquet/bitpack.h"
#include "parquet/bloom.h"
#include "parquet/delta.h"
#include "parquet/dict.h"
#include "parquet/index.h"
#include "parquet/rle.h"
#include "parquet/stats.h"
#include "parquet/thrift.h"

// A copy in a heap block of its own with just the slack that the kernels may touch.
static struct str with_slack(struct str s) {
    struct buf b;
    buf_init(&b, 1 << 24);
    buf_str(&b, s);
    for (int i = 0; i < BITPACK_SLACK; i++) buf_char(&b, (char)0xa5);
    struct str exact = test_exact(buf_view(&b));
    buf_fini(&b);
    return str_sub(exact, 0, s.len);
}

static struct buf new_buf(void) {
    struct buf b;
    buf_init(&b, 1 << 26);
    return b;
}

TEST(bitpack_every_width) {
    uint64_t wide[64], wide_back[64];
    uint32_t v[64], back[64];
    uint8_t bytes[64 * 8 + BITPACK_SLACK];
    for (unsigned width = 0; width <= 64; width++) {
        for (int i = 0; i < 64; i++) {
            wide[i] = width ? test_rand() >> (64 - width) : 0;
            v[i] = (uint32_t)wide[i];
        }
        bitpack_u64(bytes, wide, 8, width);
        struct str s = with_slack((struct str){ (const char *)bytes, width * 8 });
        bitunpack_u64(wide_back, (const uint8_t *)s.ptr, 8, width);
        CHECK(memcmp(wide, wide_back, sizeof wide) == 0);
        if (width > 32) continue;
        uint8_t narrow[64 * 4 + BITPACK_SLACK];
        bitpack_u32(narrow, v, 8, width);
        CHECK(memcmp(narrow, bytes, width * 8) == 0);
        bitunpack_u32(back, (const uint8_t *)s.ptr, 8, width); // all at once, and group by group
        CHECK(memcmp(v, back, sizeof v) == 0);
        memset(back, 0xff, sizeof back);
        for (int i = 0; i < 8; i++) bitunpack_u32(back + i * 8, (const uint8_t *)s.ptr + i * width, 1, width);
        CHECK(memcmp(v, back, sizeof v) == 0);
    }
}

TEST(bitpack_example_of_the_format) { // Encodings.md: 0 to 7 in three bits
    const uint32_t v[8] = { 0, 1, 2, 3, 4, 5, 6, 7 };
    uint8_t bytes[3 + BITPACK_SLACK];
    bitpack_u32(bytes, v, 1, 3);
    CHECK(memcmp(bytes, "\x88\xc6\xfa", 3) == 0);
}

// Values of which some are long runs.
static void draw_codes(uint32_t *v, size_t n, unsigned width) {
    uint32_t mask = width == 32 ? UINT32_MAX : ((uint32_t)1 << width) - 1;
    for (size_t i = 0; i < n;) {
        size_t run = test_below(3) == 0 ? test_below(200) : test_below(12) + 1;
        bool same = test_below(2);
        uint32_t value = (uint32_t)test_rand() & mask;
        for (; run && i < n; run--, i++) v[i] = same ? value : (uint32_t)test_rand() & mask;
    }
}

TEST(rle_comes_back_from_anywhere) {
    static uint32_t v[5000], back[5000];
    for (int round = 0; round < 300; round++) {
        unsigned width = 1 + (unsigned)test_below(32);
        size_t n = test_below(round % 2 ? 40 : 5000);
        draw_codes(v, n, width);
        struct buf b = new_buf();
        rle_encode(&b, v, n, width);
        CHECK(!b.failed);
        struct str s = with_slack(buf_view(&b));
        buf_fini(&b);
        struct rle r;
        CHECK(rle_open(&r, s, width));
        for (size_t at = 0; at < n;) {
            size_t step = test_below(n - at) + 1;
            if (test_below(3) == 0) {
                CHECK(rle_skip(&r, step));
            } else {
                CHECK(rle_read(&r, back, step));
                CHECK(memcmp(back, v + at, step * sizeof *v) == 0);
            }
            at += step;
        }
        CHECK(!rle_read(&r, back, 8)); // the last group may be filled up to 7
    }
}

TEST(rle_is_small) {
    static uint32_t v[4096];
    struct buf b = new_buf();
    rle_encode(&b, v, 4096, 10); // one run: length and value
    CHECK_U64(b.len, 4);
    buf_reset(&b);
    for (int i = 0; i < 4096; i++) v[i] = (uint32_t)i & 7;
    rle_encode(&b, v, 4096, 3);
    CHECK_U64(b.len, 4096 * 3 / 8 + 2);
    buf_fini(&b);
}

TEST(rle_bits_are_found) {
    static uint64_t bits[200];
    static uint32_t rows[200 * 64 + 8], expected[200 * 64];
    for (int round = 0; round < 300; round++) {
        size_t n = 1 + test_below(200 * 64), ones = 0;
        memset(bits, 0, sizeof bits);
        for (size_t i = 0; i < n;) {
            uint64_t density = test_below(5);
            for (size_t run = test_below(400) + 1; run && i < n; run--, i++)
                if (density == 4 || (density && test_below(4) < density)) {
                    bits[i / 64] |= (uint64_t)1 << i % 64;
                    expected[ones++] = (uint32_t)i + 7;
                }
        }
        struct buf b = new_buf();
        rle_encode_bits(&b, bits, n);
        struct str s = with_slack(buf_view(&b));
        buf_fini(&b);
        struct rle r;
        CHECK(rle_open(&r, s, 1));
        size_t first = test_below(n + 1), before, found;
        struct rle whole = r;
        CHECK(rle_count_ones(&r, first, &before));
        CHECK(rle_find_ones(&r, n - first, 7 + (uint32_t)first, rows, &found));
        CHECK_U64(before + found, ones);
        CHECK(memcmp(rows, expected + before, found * sizeof *rows) == 0);
        static uint32_t values[200 * 64];
        CHECK(rle_read(&whole, values, n));
        for (size_t i = 0; i < n; i++) CHECK_U64(values[i], bits[i / 64] >> i % 64 & 1);
    }
}

TEST(rle_survives_any_bytes) {
    static uint32_t out[1000];
    size_t ones;
    for (int round = 0; round < 4000; round++) {
        uint8_t bytes[24];
        size_t n = test_below(sizeof bytes);
        for (size_t i = 0; i < n; i++) bytes[i] = (uint8_t)(test_below(3) ? test_below(16) : test_rand());
        struct str s = with_slack((struct str){ (const char *)bytes, n });
        struct rle r;
        unsigned width = (unsigned)test_below(40);
        CHECK(rle_open(&r, s, width) == (width <= 32));
        if (width > 32) continue;
        struct rle copy = r;
        bool read = rle_read(&r, out, 1000);
        CHECK(rle_skip(&copy, 1000) == read);
        if (rle_open(&r, s, 1)) CHECK(rle_count_ones(&r, 500, &ones) ? ones <= 500 : true);
    }
}

// The steps that the processor does at once are those that one value at a time gives.
TEST(delta_steps_of_every_width) {
    int64_t fast[DELTA_STEP];
    uint64_t deltas[DELTA_STEP];
    uint8_t bytes[DELTA_STEP * 8 + BITPACK_SLACK];
    for (unsigned width = 0; width <= 64; width++) {
        for (size_t i = 0; i < sizeof bytes; i++) bytes[i] = (uint8_t)test_rand();
        uint64_t min = test_rand(), first = test_rand(), last = first, sum = first;
        if (!delta_step_fast(bytes, width, min, &last, fast)) continue;
        bitunpack_u64(deltas, bytes, DELTA_STEP / 8, width);
        for (int i = 0; i < DELTA_STEP; i++) CHECK_U64((uint64_t)fast[i], sum += deltas[i] + min);
        CHECK_U64(last, sum);
        CHECK(delta_step_fast(bytes, width, min, &first, NULL));
        CHECK_U64(first, sum);
    }
}

static void delta_round(const int64_t *v, size_t n, bool narrow) {
    static int64_t back[3000];
    static int32_t small[3000];
    struct buf b = new_buf();
    for (size_t i = 0; i < n; i++) small[i] = (int32_t)v[i];
    if (narrow)
        delta_encode_i32(&b, small, n);
    else
        delta_encode_i64(&b, v, n);
    size_t len = b.len;
    buf_str(&b, STR("tail"));
    CHECK(!b.failed);
    struct str s = with_slack(buf_view(&b));
    buf_fini(&b);
    struct delta d;
    CHECK(delta_open(&d, s, n));
    size_t at = n ? test_below(n) : 0;
    CHECK(delta_skip(&d, at));
    while (at < n) {
        size_t step = test_below(n - at) + 1;
        CHECK(delta_read(&d, back, step));
        for (size_t i = 0; i < step; i++)
            CHECK(narrow ? (int32_t)back[i] == small[at + i] : back[i] == v[at + i]);
        at += step;
    }
    CHECK(!delta_read(&d, back, 1));
    CHECK_STR(delta_rest(&d), STR("tail"));
    CHECK(n == 0 || !delta_open(&d, str_sub(s, 0, len), n - 1)); // more than were expected
}

TEST(delta_comes_back_from_anywhere) {
    static int64_t v[3000];
    for (int round = 0; round < 300; round++) {
        size_t n = round < 140 ? (size_t)round : test_below(3000);
        unsigned shift = (unsigned)test_below(64);
        for (size_t i = 0; i < n; i++) switch (round % 3) {
            case 0: v[i] = (int64_t)test_rand(); break;
            case 1: v[i] = (int64_t)(test_rand() >> shift); break;
            default: v[i] = test_below(2) ? INT64_MAX : INT64_MIN;
            }
        delta_round(v, n, round % 2);
    }
}

TEST(delta_refuses_damage) {
    struct delta d;
    int64_t v[300];
    CHECK(!delta_open(&d, STR(""), 10));
    CHECK(!delta_open(&d, STR("\x00\x04\x05\x02"), 10));     // no block
    CHECK(!delta_open(&d, STR("\x80\x01\x00\x05\x02"), 10)); // no miniblocks
    CHECK(!delta_open(&d, STR("\x80\x01\x08\x05\x02"), 10)); // of 16 values
    CHECK(delta_open(&d, with_slack(STR("\x80\x01\x04\x05\x02")), 10));
    CHECK(!delta_read(&d, v, 5)); // no block
    CHECK(delta_open(&d, with_slack(STR("\x80\x01\x04\x05\x02\x00\x41\0\0\0")), 10));
    CHECK(!delta_read(&d, v, 5)); // 65 bits
    CHECK(delta_open(&d, with_slack(STR("\x80\x01\x04\x05\x02\x00\x08\0\0\0abc")), 10));
    CHECK(!delta_read(&d, v, 5)); // the miniblock is cut
}

TEST(thrift_comes_back) {
    struct buf b = new_buf();
    struct thrift_out t = { .buf = &b };
    thrift_begin(&t);
    thrift_bool(&t, 1, true);
    thrift_i32(&t, 2, -5);
    thrift_i64(&t, 30, INT64_MIN); // a long step between ids
    thrift_binary(&t, 31, STR("text"));
    thrift_struct(&t, 32);
    thrift_byte(&t, 1, -8);
    thrift_end(&t);
    thrift_list(&t, 33, THRIFT_I64, 20);
    for (int i = 0; i < 20; i++) wr_zigzag(&b, i);
    thrift_list(&t, 34, THRIFT_TRUE, 2);
    thrift_item_bool(&t, true);
    thrift_item_bool(&t, false);
    thrift_end(&t);
    for (int skip = 0; skip < 2; skip++) {
        struct reader r = reader_of(test_exact(buf_view(&b)));
        struct thrift_field f = { 0 }, inner = { 0 };
        unsigned seen = 0;
        while (thrift_next(&r, &f)) {
            seen++;
            if (skip) {
                thrift_skip(&r, &f);
                continue;
            }
            switch (f.id) {
            case 1: CHECK(thrift_get_bool(&r, &f)); break;
            case 2: CHECK(thrift_get_i32(&r, &f) == -5); break;
            case 30: CHECK(thrift_get_i64(&r, &f) == INT64_MIN); break;
            case 31: CHECK_STR(thrift_get_binary(&r, &f), STR("text")); break;
            case 32:
                CHECK(thrift_get_struct(&r, &f) && thrift_next(&r, &inner));
                CHECK(thrift_get_i32(&r, &inner) == -8 && !thrift_next(&r, &inner));
                break;
            case 33:
                CHECK_U64(thrift_get_list(&r, &f, THRIFT_I64), 20);
                for (int i = 0; i < 20; i++) CHECK(rd_zigzag(&r) == i);
                break;
            default:
                CHECK_U64(thrift_get_list(&r, &f, THRIFT_TRUE), 2);
                CHECK(rd_u8(&r) == THRIFT_TRUE && rd_u8(&r) == THRIFT_FALSE);
            }
        }
        CHECK_U64(seen, 7);
        CHECK(!r.bad && rd_left(&r) == 0);
    }
    buf_fini(&b);
}

TEST(thrift_refuses_damage) {
    const struct {
        const char *why;
        struct str bytes;
    } cases[] = {
        { "no end", STR("\x15\x02") },
        { "a list longer than the input", STR("\x19\xf5\xff\xff\xff\x0f\x00") },
        { "a string longer than the input", STR("\x18\x7f\x61\x00") },
        { "a type that is none", STR("\x1d\x00") },
        { "field 0", STR("\x05\x00\x02\x00") },
        { "too deep", STR("\x1c\x1c\x1c\x1c\x1c\x1c\x1c\x1c\x1c\x1c\x1c\x1c\x1c\x1c\x1c\x1c\x1c\x1c\x1c\x1c"
                          "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0") },
        { "a map longer than the input", STR("\x1b\xff\xff\xff\xff\x07\x55\x00") },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct reader r = reader_of(test_exact(cases[i].bytes));
        struct thrift_field f = { 0 };
        while (thrift_next(&r, &f)) thrift_skip(&r, &f);
        if (!r.bad) printf("# %s\n", cases[i].why);
        CHECK(r.bad);
    }
}

TEST(bloom_tells_the_truth) {
    enum { N = 5000 };
    size_t size = bloom_size(N);
    CHECK(size % BLOOM_BLOCK == 0 && size >= N * 10 / 8 && size <= N * 11 / 8 + BLOOM_BLOCK);
    uint8_t *bits = mem_zalloc(size);
    uint64_t other = 0;
    for (uint64_t i = 0; i < N; i++) bloom_add(bits, size, hash_xxh64(&i, sizeof i));
    for (uint64_t i = 0; i < N; i++) {
        uint64_t h = hash_xxh64(&i, sizeof i);
        CHECK(bloom_test(bits + bloom_block(size, h), h));
    }
    for (uint64_t i = N; i < N + 100000; i++) {
        uint64_t h = hash_xxh64(&i, sizeof i);
        other += bloom_test(bits + bloom_block(size, h), h);
    }
    CHECK(other < 1500); // 1 %
    mem_free(bits);
}

TEST(bloom_header) {
    struct buf b = new_buf();
    size_t size, head;
    bloom_head_write(&b, 1024);
    CHECK_OK(bloom_head_read(test_exact(buf_view(&b)), &size, &head));
    CHECK(size == 1024 && head == b.len);
    for (size_t n = 0; n < b.len; n++)
        CHECK(bloom_head_read(test_exact(str_sub(buf_view(&b), 0, n)), &size, &head) == ERR_CORRUPT);
    b.ptr[b.len - 5] = 0x2c; // another compression
    CHECK(bloom_head_read(buf_view(&b), &size, &head) == ERR_UNSUPPORTED);
    buf_fini(&b);
}

TEST(places_outside_of_the_chunk_are_refused) {
    const struct {
        const char *why;
        struct pq_page pages[2];
        enum err want;
    } cases[] = {
        { "good", { { 100, 50, 0, 0 }, { 150, 50, 10, 0 } }, ERR_OK },
        { "a gap is allowed", { { 100, 40, 0, 0 }, { 150, 50, 10, 0 } }, ERR_OK },
        { "before the chunk", { { 99, 50, 0, 0 }, { 150, 50, 10, 0 } }, ERR_CORRUPT },
        { "past its end", { { 100, 50, 0, 0 }, { 150, 51, 10, 0 } }, ERR_CORRUPT },
        { "far past its end", { { 100, 50, 0, 0 }, { 1000, 50, 10, 0 } }, ERR_CORRUPT },
        { "overlapping", { { 100, 51, 0, 0 }, { 150, 50, 10, 0 } }, ERR_CORRUPT },
        { "empty", { { 100, 0, 0, 0 }, { 150, 50, 10, 0 } }, ERR_CORRUPT },
        { "not from row 0", { { 100, 50, 1, 0 }, { 150, 50, 10, 0 } }, ERR_CORRUPT },
        { "a page without rows", { { 100, 50, 0, 0 }, { 150, 50, 0, 0 } }, ERR_CORRUPT },
        { "past the last row", { { 100, 50, 0, 0 }, { 150, 50, 30, 0 } }, ERR_CORRUPT },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct buf b = new_buf();
        struct arena a;
        const struct pq_page *pages = NULL;
        size_t n = 0;
        arena_init(&a, 1 << 20, NULL);
        index_write_pages(&b, cases[i].pages, 2);
        struct str s = test_exact(buf_view(&b));
        enum err e = index_read_pages(s, 30, (struct pq_range){ 100, 100 }, &a, &pages, &n);
        if (e != cases[i].want) printf("# %s\n", cases[i].why);
        CHECK(e == cases[i].want);
        if (!e) CHECK(n == 2 && pages[0].n_rows == 10 && pages[1].n_rows == 20);
        for (size_t k = 0; !e && k < s.len; k++)
            CHECK(index_read_pages(str_sub(s, 0, k), 30, (struct pq_range){ 100, 100 }, &a, &pages, &n));
        arena_fini(&a);
        buf_fini(&b);
    }
}

static struct str repeat(struct str s, size_t n, struct buf *b) {
    buf_reset(b);
    while (n--) buf_str(b, s);
    return buf_view(b);
}

TEST(bounds_of_long_text) {
    const struct pq_column text = { .type = PQ_BYTE_ARRAY, .logical = PQ_STRING },
                           bytes = { .type = PQ_BYTE_ARRAY };
    struct buf b = new_buf();
    const struct {
        struct str piece;
        const struct pq_column *column;
        bool shorter; // a shorter maximum exists
    } cases[] = {
        { STR("a"), &text, true },
        { STR("ä"), &text, true },
        { STR("\x7f"), &text, true },
        { STR("\xed\x9f\xbf"), &text, true }, // its successor is past the surrogates
        { STR("\xf4\x8f\xbf\xbf"), &text, false },
        { STR("\xff"), &text, false },
        { STR("\xff"), &bytes, false },
        { STR("b\xff"), &bytes, true },
        { STR("日本"), &text, true },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        union stats_value v = { .s = repeat(cases[i].piece, 90, &b) };
        struct stats_bound lo, hi;
        bool exact = true;
        stats_lower(cases[i].column, v, &lo, &exact);
        CHECK(!exact && lo.bytes.len <= STATS_TEXT_MAX && str_cmp(lo.bytes, v.s) < 0);
        exact = true;
        stats_upper(cases[i].column, v, &hi, &exact);
        CHECK(exact == !cases[i].shorter);
        CHECK(str_cmp(hi.bytes, v.s) >= 0);
        if (cases[i].shorter) CHECK(hi.bytes.len <= STATS_TEXT_MAX + 3);
        if (cases[i].shorter && cases[i].column == &text)
            CHECK(str_is_utf8(lo.bytes) && str_is_utf8(hi.bytes));
    }
    buf_fini(&b);
}

TEST(bounds_of_random_text) {
    const struct pq_column text = { .type = PQ_BYTE_ARRAY, .logical = PQ_STRING };
    static const char *const pieces[] = {
        "a", "z", "\x7f", "é", "߿", "ࠀ", "\xed\x9f\xbf", "\xef\xbf\xbf", "\xf4\x8f\xbf\xbf", "\xff"
    };
    struct buf b = new_buf();
    for (int round = 0; round < 3000; round++) {
        buf_reset(&b);
        uint64_t kinds = 9 + test_below(2);
        while (b.len < 55 + test_below(30)) buf_str(&b, str_of(pieces[test_below(kinds)]));
        union stats_value v = { .s = test_exact(buf_view(&b)) };
        struct stats_bound lo, hi;
        bool exact = true;
        stats_lower(&text, v, &lo, &exact);
        stats_upper(&text, v, &hi, &exact);
        CHECK(str_cmp(lo.bytes, v.s) <= 0 && str_cmp(hi.bytes, v.s) >= 0);
        CHECK(exact == (str_eq(lo.bytes, v.s) && str_eq(hi.bytes, v.s)));
        if (str_is_utf8(v.s)) CHECK(str_is_utf8(lo.bytes) && str_is_utf8(hi.bytes));
    }
    buf_fini(&b);
}

TEST(bounds_of_doubles) {
    const struct pq_column c = { .type = PQ_DOUBLE };
    struct minmax m = { 0 };
    const double v[] = { __builtin_nan(""), 0.0, -0.0, __builtin_nan("") };
    minmax_add(&m, STATS_DOUBLE, (union stats_value){ .f = v[0] });
    CHECK(!m.any);
    for (int i = 0; i < 4; i++) minmax_add(&m, STATS_DOUBLE, (union stats_value){ .f = v[i] });
    struct stats_bound lo, hi;
    bool exact = true;
    stats_lower(&c, m.min, &lo, &exact);
    stats_upper(&c, m.max, &hi, &exact);
    CHECK_STR(lo.bytes, ((struct str){ "\0\0\0\0\0\0\0\x80", 8 }));
    CHECK_STR(hi.bytes, ((struct str){ "\0\0\0\0\0\0\0\0", 8 }));
}

// --- dictionaries of numbers ----------------------------------------------------------------------

// What a dictionary of these numbers is: each in the order of its first coming.
static void check_numbering(struct dict *d, const int64_t *v, size_t n, bool wide) {
    const struct pq_column c = { .type = wide ? PQ_INT64 : PQ_INT32 };
    int32_t *narrow = mem_alloc((n + 1) * sizeof *narrow);
    struct values values = { .column = &c, .i64 = wide ? v : NULL, .i32 = wide ? NULL : narrow };
    uint32_t fresh = 0;
    CHECK(narrow != NULL);
    for (size_t i = 0; i < n; i++) narrow[i] = (int32_t)v[i];
    CHECK_OK(dict_from_values(d, &values, n, UINT64_MAX, false));
    CHECK(d->fits);
    for (size_t i = 0; i < n; i++) {
        CHECK(d->codes[i] <= fresh && v[d->used[d->codes[i]]] == v[i]);
        if (d->codes[i] == fresh) CHECK_U64(d->used[fresh++], i);
    }
    CHECK_U64(d->n, fresh);
    CHECK_U64(d->bytes, fresh * (wide ? 8ull : 4ull));
    mem_free(narrow);
}

TEST(dict_numbers_values_near_and_far_alike) {
    enum { N = 3000 };
    static const struct {
        int64_t least;
        uint32_t range;
        bool wide;
    } cases[] = {
        { 0, 1, false },
        { -5, 12, false },
        { INT32_MIN, 4000, false },
        { INT32_MAX - 99, 100, false },
        { 0, 1u << 16, true },
        { -70000, 140000, true },
        { INT64_MIN, 300, true },
        { INT64_MAX - 9, 10, true },
    };
    struct dict d;
    int64_t *v = mem_alloc(N * sizeof *v);
    CHECK(v != NULL);
    pq_dict_build_init(&d);
    for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
        for (size_t i = 0; i < N; i++)
            v[i] = (int64_t)((uint64_t)cases[k].least + test_below(cases[k].range));
        check_numbering(&d, v, N, cases[k].wide);
        check_numbering(&d, v, 1 + test_below(40), cases[k].wide);
    }
    v[7] = INT64_MIN, v[8] = INT64_MAX; // all there is between them
    check_numbering(&d, v, N, true);
    mem_free(v);
    pq_dict_build_fini(&d);
}

// A dictionary that does not fit leaves nothing behind for the next one.
TEST(dict_of_near_numbers_gives_up_and_forgets) {
    enum { N = 6000 };
    const struct pq_column c = { .type = PQ_INT32 };
    int32_t *v = mem_alloc(N * sizeof *v);
    struct dict d;
    CHECK(v != NULL);
    pq_dict_build_init(&d);
    for (int32_t i = 0; i < N; i++) v[i] = i;
    struct values values = { .column = &c, .i32 = v };
    CHECK_OK(dict_from_values(&d, &values, N, UINT64_MAX, true));
    CHECK(!d.fits);
    CHECK_OK(dict_from_values(&d, &values, N, 400, false));
    CHECK(!d.fits);
    for (int32_t i = 0; i < N; i++) v[i] = (i % 3) * 2000;
    CHECK_OK(dict_from_values(&d, &values, N, 400, true));
    CHECK(d.fits && d.n == 3);
    for (uint32_t i = 0; i < N; i++) CHECK_U64(d.codes[i], i % 3);
    mem_free(v);
    pq_dict_build_fini(&d);
}
