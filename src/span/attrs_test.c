// SPDX-License-Identifier: Apache-2.0
#include "span/attrs.h"

#include "base/pb.h"
#include "base/test.h"
#include "span/wire.h"

enum { ROWS = 3000 };

struct spread { // which rows have a value
    const char *why;
    bool (*has)(uint32_t row);
};

static bool everywhere(uint32_t row) {
    return row < UINT32_MAX;
}
static bool at_random(uint32_t row) {
    return row % 2 && test_below(3) == 0;
}
static bool seldom(uint32_t row) {
    return row % 997 == 5;
}
static bool at_the_start(uint32_t row) {
    return row < 300;
}
static bool at_the_end(uint32_t row) {
    return row > ROWS - 300;
}
static bool in_two_places(uint32_t row) {
    return row < 200 || row > ROWS - 150;
}

TEST(attr_column_find_finds_the_first_row_from_there_on) {
    static const struct spread spreads[] = {
        { "every row", everywhere },      { "random", at_random },      { "seldom", seldom },
        { "at the start", at_the_start }, { "at the end", at_the_end }, { "two places", in_two_places },
    };
    for (size_t k = 0; k < sizeof spreads / sizeof *spreads; k++) {
        struct arena a;
        struct attr_column c = { .type = ATTR_INT };
        uint32_t n = 0;
        arena_init(&a, SIZE_MAX, NULL);
        for (uint32_t row = 0; row < ROWS; row++) {
            if (!spreads[k].has(row)) continue;
            CHECK(segvec_room(&c.rows, &a, n, sizeof row));
            SEG_AT(&c.rows, n++, uint32_t) = row;
        }
        uint32_t all = n;
        for (int i = 0; i < 40; i++) { // readers see fewer than there are
            for (uint32_t row = 0, want = 0; row <= ROWS; row++) {
                while (want < n && attr_column_row(&c, want) < row) want++;
                uint32_t got = attr_column_find(&c, n, row);
                if (got != want) printf("# %s: row %u of %u\n", spreads[k].why, row, n);
                CHECK_U64(got, want);
            }
            CHECK_U64(attr_column_find(&c, n, UINT32_MAX), n);
            n = (uint32_t)test_below(all + 1);
        }
        arena_fini(&a);
    }
}

static struct attr_value draw_value(struct arena *a) {
    static const size_t lengths[] = { 0,   1,   117, 118, 119, 120, 121, 122,
                                      123, 124, 125, 126, 127, 128, 129, 20000 };
    struct attr_value v = { .type = (enum attr_type)test_below(ATTR_ANY),
                            .bits = test_rand() >> test_below(64) };
    size_t n = lengths[test_below(sizeof lengths / sizeof *lengths)];
    char *p = arena_alloc(a, n + 1);
    memset(p, 'x', n);
    if (v.type == ATTR_STRING) v.text = (struct str){ p, n };
    if (v.type == ATTR_STRING || v.type == ATTR_BOOL) v.bits = v.type == ATTR_BOOL ? v.bits & 1 : 0;
    return v;
}

// Around the lengths at which a length takes another byte.
TEST(attr_kv_write_says_what_attr_kv_reads) {
    for (int i = 0; i < 3000; i++) {
        struct arena a;
        struct buf out;
        struct str key, any;
        struct pb_field f;
        arena_init(&a, SIZE_MAX, NULL);
        buf_init(&out, SIZE_MAX);
        struct attr_value v = draw_value(&a);
        struct str name = { "kkkkkkkkkkkkkkkkkkkkkkkkkkkkkkk", (size_t)test_below(32) };
        uint32_t number = test_below(2) ? SPAN_ATTRIBUTE : 3000;
        attr_kv_write(&out, number, name, &v);
        struct reader r = reader_of(test_exact(buf_view(&out)));
        CHECK(pb_next(&r, &f) && f.number == number && f.wire == PB_BYTES && rd_left(&r) == 0);
        CHECK(attr_kv(f.bytes, &key, &any));
        CHECK_STR(key, name);
        struct attr_value got = attr_value_of(any);
        CHECK(got.type == v.type && got.bits == v.bits);
        CHECK_STR(got.text, v.text);
        buf_fini(&out);
        arena_fini(&a);
    }
}

// Looking up in steps gives the same numbers as at once, also when the dictionary grows or gives up in
// between.
TEST(dict_in_steps_is_the_same_dictionary) {
    enum { PUTS = 30000, TOGETHER = 7 };
    static const uint32_t kinds[] = { 5, 3000, UINT32_MAX }; // how many texts differ; the last: all
    for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++) {
        struct arena a;
        struct dict once, steps;
        arena_init(&a, SIZE_MAX, NULL);
        dict_init(&once, &a);
        dict_init(&steps, &a);
        for (uint32_t i = 0; i < PUTS; i += TOGETHER) {
            struct dict_seek seeks[TOGETHER];
            struct str texts[TOGETHER];
            for (uint32_t j = 0; j < TOGETHER; j++) {
                texts[j] =
                    str_fmt(&a, "text %u", kinds[k] == UINT32_MAX ? i + j : (uint32_t)test_below(kinds[k]));
                dict_seek(&steps, texts[j], &seeks[j]);
            }
            for (uint32_t j = 0; j < TOGETHER; j++) dict_seek_entry(&steps, &seeks[j]);
            for (uint32_t j = 0; j < TOGETHER; j++) dict_seek_bytes(&steps, &seeks[j]);
            for (uint32_t j = 0; j < TOGETHER; j++) {
                uint32_t x, y;
                CHECK_OK(dict_put(&once, texts[j], &x));
                CHECK_OK(dict_put_sought(&steps, texts[j], &seeks[j], &y));
                CHECK_U64(x, y);
                CHECK(str_eq(dict_get(&steps, y), texts[j]));
            }
        }
        CHECK_U64(dict_count(&once), dict_count(&steps));
        CHECK(once.appending == steps.appending);
        CHECK(steps.appending == (kinds[k] == UINT32_MAX));
        dict_fini(&once);
        dict_fini(&steps);
        arena_fini(&a);
    }
}
