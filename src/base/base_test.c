// SPDX-License-Identifier: Apache-2.0
#include "base/hash.h"
#include "base/map.h"
#include "base/pb.h"
#include "base/test.h"

TEST(arena_gives_aligned_memory_until_its_limit) {
    struct mem_budget budget = { .limit = 1 << 20 };
    struct arena a;
    arena_init(&a, 64 << 10, &budget);
    size_t got = 0;
    for (char *p; (p = arena_alloc(&a, 100)) != NULL; got++) {
        CHECK(((uintptr_t)p & 15) == 0);
        memset(p, 1, 100);
    }
    CHECK(got > 300 && got < 640 && a.failed && a.used <= 64 << 10);
    CHECK_U64(budget.used, a.used);
    arena_fini(&a);
    CHECK_U64(budget.used, 0);
}

TEST(arena_respects_the_shared_budget) {
    struct mem_budget budget = { .limit = 8 << 10 };
    struct arena a;
    arena_init(&a, SIZE_MAX, &budget);
    CHECK(arena_alloc(&a, 4000) != NULL);
    CHECK(arena_alloc(&a, 9000) == NULL);
    arena_fini(&a);
    CHECK_U64(budget.used, 0);
}

TEST(arena_keeps_chunks_only_up_to_what_it_may) {
    struct mem_budget budget = { .limit = 0 };
    struct arena a;
    arena_init(&a, SIZE_MAX, &budget);
    a.keep = 1 << 20;
    for (int round = 0; round < 4; round++) {
        for (int i = 0; i < 64; i++) {
            char *p = arena_alloc(&a, 100000);
            CHECK(p != NULL);
            memset(p, round, 100000);
        }
        CHECK(a.used >= 6400000);
        arena_reset(&a);
        CHECK(a.used <= (3 << 20));
        CHECK_U64(a.used, budget.used);
    }
    arena_fini(&a);
    CHECK_U64(budget.used, 0);
}

TEST(arena_adopts_what_another_holds) {
    for (int round = 0; round < 100; round++) {
        struct mem_budget budget = { .limit = 0 };
        struct arena a, b;
        char *kept[40];
        arena_init(&a, SIZE_MAX, &budget);
        arena_init(&b, SIZE_MAX, &budget);
        uint32_t of_a = (uint32_t)test_below(3) ? 20 : 0, n = of_a + (uint32_t)test_below(20);
        for (uint32_t i = 0; i < n; i++) {
            size_t size = 1 + test_below(3000);
            CHECK((kept[i] = arena_alloc(i < of_a ? &a : &b, size)) != NULL);
            *kept[i] = (char)i;
        }
        uint64_t used = budget.used;
        arena_adopt(&a, &b);
        CHECK_U64(budget.used, used);
        CHECK_U64(a.used, used);
        CHECK(b.used == 0 && !b.chunks);
        for (int i = 0; i < 20; i++) CHECK(arena_zalloc(&a, 500) && arena_zalloc(&b, 500));
        for (uint32_t i = 0; i < n; i++) CHECK(*kept[i] == (char)i);
        arena_fini(&b);
        arena_fini(&a);
        CHECK_U64(budget.used, 0);
    }
}

// Before any test that lets allocations fail, which switches the pool off.
// A head is as large as its chunks, so one that the pool gives is hardly larger than what was asked for.
TEST(arena_pool_gives_what_fits_closely) {
    static const size_t sizes[] = { 700 << 10, 400 << 10, 410 << 10, 640 << 10 };
    enum { SIZES = sizeof sizes / sizeof *sizes };
    struct arena from[SIZES], a;
    for (int i = 0; i < SIZES; i++) {
        arena_init(&from[i], SIZE_MAX, NULL);
        from[i].pooled = true;
        CHECK(arena_alloc(&from[i], sizes[i]) != NULL);
    }
    for (int i = 0; i < SIZES; i++) arena_fini(&from[i]);
    arena_init(&a, SIZE_MAX, NULL);
    a.pooled = true;
    uint64_t before = arena_pool_bytes();
    CHECK(arena_alloc(&a, 400 << 10) != NULL);
    if (before) { // there is a pool
        CHECK(a.used < 405 << 10);
        CHECK_U64(arena_pool_bytes(), before - a.used);
    }
    CHECK(arena_alloc(&a, 500 << 10) != NULL); // neither 640 nor 700 KiB are close
    CHECK(a.used < 910 << 10);
    arena_fini(&a);
    for (int i = 0; i < 40; i++) arena_pool_trim();
}

// Chunks of pooled arenas, and only of those, wait in the pool for the next one, within a limit.
TEST(arena_pool_holds_idle_chunks) {
    struct mem_budget budget = { .limit = 300 << 20 };
    mem_fail_at(0, false); // which may have switched it off for good
    uint64_t before = arena_pool_bytes();
    for (int round = 0; round < 3; round++) {
        struct arena a;
        arena_init(&a, SIZE_MAX, &budget);
        a.pooled = round > 0;
        for (int i = 0; i < 100; i++) {
            char *p = arena_alloc(&a, (1 << 20) + i);
            CHECK(p != NULL);
            memset(p, i, 1 << 20);
        }
        CHECK(budget.used >= 100ull << 20);
        arena_fini(&a);
        CHECK_U64(budget.used, 0);
        CHECK(arena_pool_bytes() <= 96 << 20);
        if (round == 0) CHECK_U64(arena_pool_bytes(), before);
    }
    for (int i = 0; i < 40; i++) arena_pool_trim();
    CHECK(arena_pool_bytes() < 4 << 20);
}

TEST(arena_filled_is_what_was_taken) {
    struct arena a;
    arena_init(&a, 1 << 20, NULL);
    CHECK_U64(arena_filled(&a), 0);
    for (int i = 0; i < 100; i++) {
        size_t before = arena_filled(&a);
        CHECK(arena_alloc(&a, 160) != NULL);
        CHECK(arena_filled(&a) >= before + 160 && arena_filled(&a) <= a.used);
    }
    arena_fini(&a);
}

// Every length up to two words and beyond, and a difference in every place.
TEST(mem_grow_keeps_what_is_there_and_makes_room_for_one_more) {
    uint32_t *at = NULL, cap = 0, moved = 0;
    for (uint32_t n = 0; n < 5000; n++) {
        uint32_t before = cap, *more = mem_grow(at, n, &cap, sizeof *at);
        CHECK(more && cap > n && (n < before ? more == at && cap == before : cap >= 2 * before));
        moved += cap != before;
        at = more;
        at[n] = n;
    }
    for (uint32_t n = 0; n < 5000; n++) CHECK_U64(at[n], n);
    CHECK(moved < 12);
    uint32_t *many = mem_grow(at, 100000, &cap, sizeof *at); // many at once
    CHECK(many && cap > 100000);
    at = many;
    for (uint32_t n = 0; n < 5000; n++) CHECK_U64(at[n], n);
    mem_free(at);
}

TEST(mem_grow_leaves_all_as_it_was_without_memory) {
    uint32_t cap = 0, full = 1u << 31;
    char *at = mem_grow(NULL, 0, &cap, 1);
    CHECK(at && cap > 0);
    memset(at, 7, cap);
    uint32_t before = cap;
    mem_fail_at(1, false);
    CHECK(!mem_grow(at, cap, &cap, 1) && cap == before && at[cap - 1] == 7);
    mem_fail_at(0, false);
    CHECK(!mem_grow(at, UINT32_MAX, &cap, 1) && cap == before);
    CHECK(!mem_grow(at, full, &full, 1) && full == 1u << 31);
    CHECK(!mem_grow(at, cap, &cap, SIZE_MAX / 2) && cap == before);
    mem_free(at);
}

TEST(str_eq_sees_every_byte) {
    enum { MOST = 40 };
    for (size_t n = 0; n <= MOST; n++) {
        char *x = mem_alloc(n), *y = mem_alloc(n); // so that one byte too far is seen
        CHECK(x != NULL && y != NULL);
        for (size_t i = 0; i < n; i++) x[i] = y[i] = (char)test_below(256);
        struct str a = { x, n }, b = { y, n };
        CHECK(str_eq(a, b));
        for (size_t i = 0; i < n; i++) {
            y[i] = (char)(y[i] ^ (1 << test_below(8)));
            CHECK(!str_eq(a, b));
            y[i] = x[i];
        }
        CHECK(n == 0 || !str_eq(a, str_sub(b, 0, n - 1)));
        mem_free(x);
        mem_free(y);
    }
}

// Past some megabytes the chunks are mapped, and so is an object of that size.
TEST(arena_large_ones_are_whole_and_end_in_the_budget) {
    enum { OBJECTS = 300, BYTES = 100000 };
    struct mem_budget budget = { .limit = 200 << 20 };
    struct arena a;
    arena_init(&a, SIZE_MAX, &budget);
    for (int round = 0; round < 2; round++) {
        unsigned char *at[OBJECTS], *one = arena_zalloc(&a, 10 << 20);
        CHECK(one != NULL);
        for (int i = 0; i < OBJECTS; i++) {
            at[i] = arena_alloc(&a, BYTES);
            CHECK(at[i] != NULL);
            memset(at[i], i, BYTES);
        }
        for (int i = 0; i < OBJECTS; i++) CHECK(at[i][0] == i % 256 && at[i][BYTES - 1] == i % 256);
        CHECK(one[0] == 0 && one[(10 << 20) - 1] == 0);
        CHECK(budget.used >= 38 << 20 && budget.used == a.used);
        arena_reset(&a);
    }
    CHECK(arena_alloc(&a, 201 << 20) == NULL);
    arena_fini(&a);
    CHECK_U64(budget.used, 0);
}

#if !defined(__SANITIZE_ADDRESS__) // under which nothing is mapped
static uint64_t address_space(void) {
    unsigned long long pages = 0;
    FILE *f = fopen("/proc/self/statm", "r");
    CHECK(f && fscanf(f, "%llu", &pages) == 1);
    (void)fclose(f);
    return pages * 4096;
}

TEST(arena_gives_back_the_addresses_of_large_ones) {
    uint64_t before = address_space();
    for (int i = 0; i < 300; i++) {
        struct arena a;
        arena_init(&a, SIZE_MAX, NULL);
        a.pooled = i % 3 == 0;
        CHECK(arena_alloc(&a, (5 << 20) + test_below(3 << 20)) != NULL);
        arena_fini(&a);
    }
    CHECK(address_space() < before + (160ull << 20));
}
#endif

// Large objects lie in few chunks, and none on another.
TEST(arena_large_objects_share_chunks) {
    enum { OBJECTS = 60, BYTES = 300 << 10 };
    struct arena a;
    unsigned char *at[OBJECTS];
    arena_init(&a, SIZE_MAX, NULL);
    a.pooled = true;
    for (int i = 0; i < OBJECTS; i++) {
        at[i] = arena_alloc(&a, BYTES);
        CHECK(at[i] && ((uintptr_t)at[i] & 15) == 0);
        memset(at[i], i, BYTES);
        CHECK(arena_bytes(&a, "short", 5) != NULL);
    }
    for (int i = 0; i < OBJECTS; i++) CHECK(at[i][0] == i && at[i][BYTES / 2] == i && at[i][BYTES - 1] == i);
    CHECK(a.used < (size_t)OBJECTS * BYTES * 5 / 4);
    arena_fini(&a);
}

TEST(arena_reset_can_be_used_again) {
    struct arena a;
    arena_init(&a, 1 << 20, NULL);
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < 1000; i++) CHECK(ARENA_NEW(&a, uint64_t) != NULL);
        arena_reset(&a);
    }
    arena_fini(&a);
}

TEST(buf_keeps_its_content_when_an_append_fails) {
    struct buf b;
    buf_init(&b, 8);
    buf_str(&b, STR("abcdef"));
    buf_str(&b, STR("ghi"));
    CHECK(b.failed);
    CHECK_STR(buf_view(&b), STR("abcdef"));
    buf_fini(&b);
}

TEST(str_numbers_stop_at_their_edges) {
    static const struct {
        const char *text;
        bool is_u64, is_i64;
        const char *why;
    } rows[] = {
        { "0", true, true, "zero" },
        { "18446744073709551615", true, false, "the largest u64" },
        { "18446744073709551616", false, false, "one more" },
        { "9223372036854775807", true, true, "the largest i64" },
        { "-9223372036854775808", false, true, "the smallest i64" },
        { "-9223372036854775809", false, false, "one less" },
        { "", false, false, "nothing" },
        { "1 ", false, false, "a space" },
        { "+1", false, false, "a plus" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        uint64_t u;
        int64_t s;
        struct str text = test_exact(str_of(rows[i].text));
        CHECK(str_u64(text, &u) == rows[i].is_u64);
        CHECK(str_i64(text, &s) == rows[i].is_i64);
    }
}

TEST(str_columns_are_those_of_a_terminal) {
    static const struct {
        const char *text;
        size_t columns;
    } cases[] = {
        { "", 0 },
        { "abc", 3 },
        { "gr\u00fc\u00df", 4 },
        { "e\u0301", 1 },
        { "\u65e5\u672c go", 7 },
        { "\uac00", 2 },
        { "\uff21", 2 },
        { "\U0001f600!", 3 },
        { "\xff\xfe", 2 },
        { "\u4e00\u9fff\ua4cf", 6 },
        { "\u0e01\u0e34", 1 },
        { "\u2500", 1 },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        CHECK(str_columns(test_exact(str_of(cases[i].text))) == cases[i].columns);
    static const char *const unseen[] = { "\x1b",   "\x7f",   "\xc2\x85", "\u200b",
                                          "\u202e", "\u2066", "\ufeff",   "\U000e0041" };
    static const char *const seen[] = { " ", "a", "\u00a0", "\u2010", "\u2070", "\U0001f600" };
    for (size_t i = 0; i < sizeof unseen / sizeof *unseen; i++) CHECK(str_is_unseen(str_of(unseen[i])));
    for (size_t i = 0; i < sizeof seen / sizeof *seen; i++) CHECK(!str_is_unseen(str_of(seen[i])));
}

TEST(str_utf8_is_what_unicode_says) {
    CHECK(str_is_utf8(test_exact(STR("plain ascii text, longer than eight bytes"))));
    CHECK(str_is_utf8(test_exact(STR("gr\xc3\xbc\xc3\x9f\xe2\x82\xac\xf0\x9f\x98\x80"))));
    CHECK(!str_is_utf8(test_exact(STR("\xc0\x80"))));         // overlong
    CHECK(!str_is_utf8(test_exact(STR("\xed\xa0\x80"))));     // surrogate
    CHECK(!str_is_utf8(test_exact(STR("\xf4\x90\x80\x80")))); // above U+10FFFF
    CHECK(!str_is_utf8(test_exact(STR("12345678\xe2\x82")))); // cut short
}

TEST(hex_goes_round) {
    uint8_t in[16], out[16];
    char text[32];
    for (size_t i = 0; i < sizeof in; i++) in[i] = (uint8_t)test_rand();
    hex_encode(in, sizeof in, text);
    CHECK(hex_decode((struct str){ text, 32 }, out, 16));
    CHECK(memcmp(in, out, 16) == 0);
    for (size_t n = 0; n < sizeof in; n++) { // eight bytes at a time, and what is left
        char want[32] = { 0 }, got[32] = { 0 };
        for (size_t i = 0; i < n; i++) (void)snprintf(want + 2 * i, 3, "%02x", in[i]);
        hex_encode(in, n, got);
        CHECK(memcmp(want, got, 2 * n) == 0 && got[2 * n] == 0);
    }
    CHECK(!hex_decode(STR("0g"), out, 1));
    CHECK(!hex_decode(STR("0"), out, 1));
}

static void check_digits(uint64_t v) {
    char want[32], got[U64_DIGITS];
    int n = snprintf(want, sizeof want, "%llu", (unsigned long long)v);
    CHECK_STR(((struct str){ got, u64_print(v, got) }), ((struct str){ want, (size_t)n }));
}

TEST(decimal_digits_are_those_of_printf) {
    uint64_t ten = 1;
    for (int i = 0; i < 20; i++, ten *= 10)
        for (uint64_t near = 0; near < 3; near++) check_digits(ten + near - 1);
    check_digits(UINT64_MAX);
    for (uint64_t v = 0; v < 20000; v++) {
        uint64_t eight = v % 10000 * 10000 + v % 7919; // each four digits in both halves
        check_digits(v * 10000 + v % 7919);
        check_digits(30000000000000000 + eight * 100000000 + eight);
    }
    for (int i = 0; i < 20000; i++) check_digits(test_rand() >> test_below(64));
}

TEST(varint_goes_round_and_stops_at_ten_bytes) {
    struct buf b;
    buf_init(&b, 1 << 20);
    uint64_t values[1000];
    for (size_t i = 0; i < 1000; i++) {
        values[i] = test_rand() >> test_below(64);
        wr_varint(&b, values[i]);
        wr_zigzag(&b, (int64_t)values[i]);
    }
    struct reader r = reader_of(buf_view(&b));
    for (size_t i = 0; i < 1000; i++) {
        CHECK_U64(rd_varint(&r), values[i]);
        CHECK_U64((uint64_t)rd_zigzag(&r), values[i]);
    }
    CHECK(!r.bad && rd_left(&r) == 0);
    r = reader_of(test_exact(STR("\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02")));
    CHECK(rd_varint(&r) == 0 && r.bad);
    r = reader_of(test_exact(STR("\x80")));
    CHECK(rd_varint(&r) == 0 && r.bad);
    buf_fini(&b);
}

TEST(pb_nested_lengths_of_every_size) {
    for (size_t n = 0; n < 70000; n = n * 3 + 1) {
        struct buf b;
        buf_init(&b, 1 << 20);
        size_t mark = pb_begin(&b, 3);
        for (size_t i = 0; i < n; i++) buf_char(&b, (char)i);
        pb_end(&b, mark);
        pb_varint(&b, 4, n);
        struct reader r = reader_of(test_exact(buf_view(&b)));
        struct pb_field f;
        CHECK(pb_next(&r, &f) && f.number == 3 && f.wire == PB_BYTES && f.bytes.len == n);
        for (size_t i = 0; i < n; i++) CHECK(f.bytes.ptr[i] == (char)i);
        CHECK(pb_next(&r, &f) && f.number == 4 && f.value == n);
        CHECK(!pb_next(&r, &f) && !r.bad);
        buf_fini(&b);
    }
}

TEST(pb_groups_are_skipped_and_damage_is_seen) {
    struct pb_field f;
    struct reader r = reader_of(test_exact(STR("\x0b\x10\x01\x0c\x10\x07")));
    CHECK(pb_next(&r, &f) && f.wire == PB_GROUP);
    CHECK(pb_next(&r, &f) && f.number == 2 && f.value == 7);
    r = reader_of(test_exact(STR("\x0b\x10\x01")));
    CHECK(!pb_next(&r, &f) && r.bad); // the group never ends
    r = reader_of(test_exact(STR("\x0a\x05"
                                 "abc")));
    CHECK(!pb_next(&r, &f) && r.bad); // bytes longer than the input
    r = reader_of(test_exact(STR("\x00\x01")));
    CHECK(!pb_next(&r, &f) && r.bad); // field number 0
}

TEST(crc32c_known_answers) {
    CHECK_U64(crc32c(0, "123456789", 9), 0xe3069283); // RFC 3720, and every table of check values
    uint8_t zeros[32] = { 0 };
    CHECK_U64(crc32c(0, zeros, 32), 0x8a9136aa); // RFC 3720, B.4
    CHECK_U64(crc32c(crc32c(0, "1234", 4), "56789", 5), 0xe3069283);
}

static bool eq_u64(const void *ctx, uint32_t i, const void *key) {
    return ((const uint64_t *)ctx)[i] == *(const uint64_t *)key;
}
static uint64_t rehash_u64(const void *ctx, uint32_t i) {
    return hash_u64(((const uint64_t *)ctx)[i]);
}

TEST(map_finds_what_was_put) {
    uint64_t keys[5000];
    struct map m;
    map_init(&m, 5000);
    for (uint32_t i = 0; i < 5000; i++) {
        keys[i] = test_rand();
        CHECK(map_get(&m, hash_u64(keys[i]), eq_u64, keys, &keys[i]) == MAP_NONE);
        CHECK_OK(map_put(&m, hash_u64(keys[i]), i, rehash_u64, keys));
    }
    for (uint32_t i = 0; i < 5000; i++) CHECK_U64(map_get(&m, hash_u64(keys[i]), eq_u64, keys, &keys[i]), i);
    CHECK(map_put(&m, 1, 1, rehash_u64, keys) == ERR_LIMIT);
    map_fini(&m);
}

TEST(allocation_failure_leaves_the_map_whole) {
    uint64_t keys[100];
    struct map m;
    map_init(&m, 1000);
    for (uint32_t i = 0; i < 100; i++) {
        keys[i] = i * 7919;
        mem_fail_at(1, false);
        enum err e = map_put(&m, hash_u64(keys[i]), i, rehash_u64, keys);
        mem_fail_at(0, false);
        if (e != ERR_OK) CHECK_OK(map_put(&m, hash_u64(keys[i]), i, rehash_u64, keys));
        for (uint32_t k = 0; k <= i; k++)
            CHECK_U64(map_get(&m, hash_u64(keys[k]), eq_u64, keys, &keys[k]), k);
    }
    map_fini(&m);
}
