// SPDX-License-Identifier: Apache-2.0
#include "base/json.h"
#include "base/json_plain.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>

#include "base/test.h"

// Copies a text token by token to a writer: the canonical form of the text.
static enum err copy(struct str in, uint32_t depth, struct buf *out, struct err_ctx *ctx) {
    struct json j;
    struct buf text;
    struct json_writer w = json_writer_on(out);
    json_init(&j, in, depth, ctx);
    buf_init(&text, 1 << 20);
    for (enum json_kind k; (k = json_next(&j)) != JSON_END && k != JSON_ERROR;) {
        buf_reset(&text);
        if (k == JSON_KEY || k == JSON_STRING) json_text(&j, &text);
        switch (k) {
        case JSON_OBJECT: jw_object(&w); break;
        case JSON_OBJECT_END: jw_object_end(&w); break;
        case JSON_ARRAY: jw_array(&w); break;
        case JSON_ARRAY_END: jw_array_end(&w); break;
        case JSON_KEY: jw_key(&w, buf_view(&text)); break;
        case JSON_STRING: jw_str(&w, buf_view(&text)); break;
        case JSON_NUMBER: jw_raw(&w, j.text); break;
        case JSON_TRUE: jw_bool(&w, true); break;
        case JSON_FALSE: jw_bool(&w, false); break;
        default: jw_null(&w);
        }
    }
    buf_fini(&text);
    return j.err;
}

static void check_copy(struct str in, struct str want) {
    struct buf out;
    struct err_ctx ctx = { 0 };
    buf_init(&out, 1 << 20);
    enum err e = copy(test_exact(in), 64, &out, &ctx);
    if (e != ERR_OK) printf("# %s at %u:%u in %.*s\n", ctx.text, ctx.line, ctx.column, STR_ARG(in));
    CHECK_OK(e);
    CHECK_STR(buf_view(&out), want);
    buf_fini(&out);
}

TEST(json_accepts_what_the_rfc_allows) {
    static const struct {
        const char *in, *want;
    } rows[] = {
        { "{}", "{}" },
        { "[]", "[]" },
        { " [ 1 , 2 ] ", "[1,2]" },
        { "\t\r\n{\"a\" :\t1}\n", "{\"a\":1}" },
        { "null", "null" },
        { "true", "true" },
        { "false", "false" },
        { "\"\"", "\"\"" },
        { "0", "0" },
        { "-0", "-0" },
        { "-1.5e+10", "-1.5e+10" },
        { "1E400", "1E400" },
        { "[[[]],{\"a\":[{}]}]", "[[[]],{\"a\":[{}]}]" },
        { "{\"a\":1,\"a\":2}", "{\"a\":1,\"a\":2}" },
        { "{\"a\":{\"b\":[true,false,null]},\"c\":\"d\"}", "{\"a\":{\"b\":[true,false,null]},\"c\":\"d\"}" },
        { "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"", "\"\\\"\\\\/\\b\\f\\n\\r\\t\"" },
        { "\"\\u0041\\u00e4\\u20AC\\ud83d\\uDE00\"", "\"A\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80\"" },
        { "\"\\u0000\\u001f\\u007f\"", "\"\\u0000\\u001f\x7f\"" },
        { "\"gr\xc3\xbc\xc3\x9f, \xe2\x82\xac and \xf0\x9f\x98\x80\"",
          "\"gr\xc3\xbc\xc3\x9f, \xe2\x82\xac and \xf0\x9f\x98\x80\"" },
        { "{\"\\u006bey\":0}", "{\"key\":0}" },
        { "\"\xef\xbf\xbf\xf4\x8f\xbf\xbf\"", "\"\xef\xbf\xbf\xf4\x8f\xbf\xbf\"" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        check_copy(str_of(rows[i].in), str_of(rows[i].want));
}

TEST(json_refuses_the_rest_and_says_where) {
    static const struct {
        const char *in;
        uint32_t line, column;
        const char *part; // of the message
    } rows[] = {
        { "", 1, 1, "a value, found the end" },
        { "  \n ", 2, 2, "a value, found the end" },
        { "{", 1, 2, "a key or '}', found the end" },
        { "[", 1, 2, "a value or ']'" },
        { "]", 1, 1, "a value, found ']'" },
        { "[1,]", 1, 4, "a value, found ']'" },
        { "{\"a\":1,}", 1, 8, "a key, found '}'" },
        { "{,}", 1, 2, "a key or '}', found ','" },
        { "{\"a\"}", 1, 5, "':'" },
        { "{\"a\":}", 1, 6, "a value" },
        { "{\"a\" 1}", 1, 6, "':'" },
        { "{a:1}", 1, 2, "a key or '}', found 'a'" },
        { "{'a':1}", 1, 2, "a key" },
        { "{1:1}", 1, 2, "a key" },
        { "[1 2]", 1, 4, "',' or ']'" },
        { "{\"a\":1 \"b\":2}", 1, 8, "',' or '}'" },
        { "{\"a\":1]", 1, 7, "',' or '}', found ']'" },
        { "[1}", 1, 3, "',' or ']'" },
        { "1 2", 1, 3, "the end of the text, found '2'" },
        { "{}{}", 1, 3, "the end of the text" },
        { "{}\n\n x", 3, 2, "the end of the text" },
        { "1,", 1, 2, "the end of the text" },
        { "01", 1, 1, "number" },
        { "-", 1, 1, "number" },
        { "1.", 1, 1, "number" },
        { ".5", 1, 1, "a value" },
        { "+1", 1, 1, "a value" },
        { "1e", 1, 1, "number" },
        { "1e+", 1, 1, "number" },
        { "1.5.2", 1, 1, "number" },
        { "0x10", 1, 2, "the end of the text" },
        { "NaN", 1, 1, "a value" },
        { "-Infinity", 1, 1, "number" },
        { "tru", 1, 1, "a value" },
        { "truex", 1, 5, "the end of the text" },
        { "nul", 1, 1, "a value" },
        { "\"abc", 1, 5, "the end of a string" },
        { "\"a\nb\"", 1, 3, "control" },
        { "\"a\tb\"", 1, 3, "control" },
        { "\"\\x41\"", 1, 2, "escape" },
        { "\"\\u12g4\"", 1, 2, "escape" },
        { "\"\\u12\"", 1, 2, "escape" },
        { "\"\\ud800\"", 1, 2, "escape" },
        { "\"\\ud800\\u0041\"", 1, 2, "escape" },
        { "\"\\ude00\"", 1, 2, "escape" },
        { "\"\\", 1, 2, "escape" },
        { "\"\xc0\x80\"", 1, 2, "UTF-8" },
        { "\"abcdefgh\xed\xa0\x80\"", 1, 10, "UTF-8" },
        { "\"\xf5\x80\x80\x80\"", 1, 2, "UTF-8" },
        { "\"\xe2\x82\"", 1, 2, "UTF-8" },
        { "\xef\xbb\xbf{}", 1, 1, "found byte 0xef" },
        { "[1] // no", 1, 5, "the end of the text" },
        { "{\"a\":1,\n \"b\":x}", 2, 6, "a value, found 'x'" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct buf out;
        struct err_ctx ctx = { 0 };
        buf_init(&out, 1 << 10);
        enum err e = copy(test_exact(str_of(rows[i].in)), 64, &out, &ctx);
        if (e != ERR_INVALID || ctx.line != rows[i].line || ctx.column != rows[i].column ||
            !strstr(ctx.text, rows[i].part))
            printf("# %s -> %s: %s at %u:%u\n", rows[i].in, err_text(e), ctx.text, ctx.line, ctx.column);
        CHECK(e == ERR_INVALID && ctx.line == rows[i].line && ctx.column == rows[i].column);
        CHECK(strstr(ctx.text, rows[i].part));
        buf_fini(&out);
    }
}

TEST(json_refuses_a_nul_outside_and_inside_of_strings) {
    struct err_ctx ctx = { 0 };
    struct buf out;
    buf_init(&out, 1 << 10);
    CHECK(copy(test_exact((struct str){ "[1\0]", 4 }), 8, &out, &ctx) == ERR_INVALID);
    CHECK(copy(test_exact((struct str){ "1\0", 2 }), 8, &out, &ctx) == ERR_INVALID);
    CHECK(copy(test_exact((struct str){ "\0", 1 }), 8, &out, &ctx) == ERR_INVALID);
    CHECK(copy(test_exact((struct str){ "\"\0\"", 3 }), 8, &out, &ctx) == ERR_INVALID);
    CHECK(copy(test_exact((struct str){ "{\0", 2 }), 8, &out, &ctx) == ERR_INVALID);
    CHECK(copy((struct str){ NULL, 0 }, 8, &out, &ctx) == ERR_INVALID);
    buf_fini(&out);
}

TEST(json_depth_has_a_limit) {
    struct buf text, out;
    buf_init(&text, 4096);
    buf_init(&out, 4096);
    for (uint32_t depth = 1; depth <= JSON_DEPTH_MAX; depth += depth < 10 ? 1 : 167) {
        for (uint32_t over = 0; over < 2; over++) {
            buf_reset(&text);
            buf_reset(&out);
            uint32_t n = depth + over;
            for (uint32_t i = 0; i < n; i++) buf_str(&text, i & 1 ? STR("{\"\":") : STR("["));
            buf_char(&text, '0');
            for (uint32_t i = n; i-- > 0;) buf_char(&text, i & 1 ? '}' : ']');
            struct err_ctx ctx = { 0 };
            enum err e = copy(test_exact(buf_view(&text)), depth, &out, &ctx);
            CHECK(e == (over ? ERR_LIMIT : ERR_OK));
            if (!over) CHECK_STR(buf_view(&out), buf_view(&text));
        }
    }
    buf_fini(&text);
    buf_fini(&out);
}

TEST(json_number_length_has_a_limit) {
    char text[JSON_NUMBER_MAX + 1];
    memset(text, '7', sizeof text);
    struct json j;
    struct err_ctx ctx = { 0 };
    json_init(&j, test_exact((struct str){ text, JSON_NUMBER_MAX }), 1, &ctx);
    CHECK(json_next(&j) == JSON_NUMBER && json_next(&j) == JSON_END);
    double v;
    CHECK(!json_f64(j.text, &v)); // 1024 digits are more than a double holds
    json_init(&j, test_exact((struct str){ text, JSON_NUMBER_MAX + 1 }), 1, &ctx);
    CHECK(json_next(&j) == JSON_ERROR && j.err == ERR_LIMIT);
}

TEST(json_errors_and_ends_stick) {
    struct json j;
    struct err_ctx ctx = { 0 };
    json_init(&j, STR("1"), 1, &ctx);
    CHECK(json_next(&j) == JSON_NUMBER);
    CHECK(json_next(&j) == JSON_END && json_next(&j) == JSON_END && j.err == ERR_OK);
    json_init(&j, STR("[\n  12,x]"), 1, &ctx);
    CHECK(json_next(&j) == JSON_ARRAY && json_next(&j) == JSON_NUMBER);
    CHECK(json_fail(&j, ERR_LIMIT, "%d is too much", 12) == ERR_LIMIT);
    CHECK(json_next(&j) == JSON_ERROR && json_next(&j) == JSON_ERROR && j.err == ERR_LIMIT);
    CHECK(json_fail(&j, ERR_INVALID, "later") == ERR_LIMIT);
    CHECK(strcmp(ctx.text, "12 is too much") == 0 && ctx.line == 2 && ctx.column == 3);
}

TEST(json_skip_leaves_the_next_token) {
    struct json j;
    struct err_ctx ctx = { 0 };
    json_init(&j, STR("{\"a\":{\"b\":[1,{}]},\"c\":[[]],\"d\":7,\"e\":1}"), 8, &ctx);
    CHECK(json_next(&j) == JSON_OBJECT && json_next(&j) == JSON_KEY);
    json_skip(&j); // from the key
    CHECK(json_next(&j) == JSON_KEY && str_eq(j.text, STR("c")));
    CHECK(json_next(&j) == JSON_ARRAY);
    json_skip(&j); // from the value
    CHECK(json_next(&j) == JSON_KEY && str_eq(j.text, STR("d")));
    json_skip(&j);
    CHECK(json_next(&j) == JSON_KEY && str_eq(j.text, STR("e")));
    CHECK(json_next(&j) == JSON_NUMBER);
    json_skip(&j); // a scalar has no rest
    CHECK(json_next(&j) == JSON_OBJECT_END && json_next(&j) == JSON_END);
}

TEST(json_strings_are_scanned_alike_at_every_alignment) {
    static const char *const special[] = { "\"", "\\n", "\xc3\xa4", "\x1f", "\xff", "\xe2\x82\xac" };
    for (size_t before = 0; before < 20; before++) {
        for (size_t s = 0; s < sizeof special / sizeof *special; s++) {
            for (size_t after = 0; after < 20; after++) {
                struct buf b;
                buf_init(&b, 256);
                buf_char(&b, '"');
                for (size_t i = 0; i < before; i++) buf_char(&b, "!#[]~ \x7f{"[i % 8]);
                buf_str(&b, str_of(special[s]));
                for (size_t i = 0; i < after; i++) buf_char(&b, 'y');
                buf_char(&b, '"');
                struct json j;
                struct err_ctx ctx = { 0 };
                json_init(&j, test_exact(buf_view(&b)), 1, &ctx);
                bool valid = s == 1 || s == 2 || s == 5;
                enum json_kind k = json_next(&j);
                CHECK(k == (valid || s == 0 ? JSON_STRING : JSON_ERROR));
                if (valid)
                    CHECK(j.text.len == b.len - 2 && j.escaped == (s == 1) && json_next(&j) == JSON_END);
                if (s == 0) CHECK(j.text.len == before && json_next(&j) == JSON_ERROR);
                if (k == JSON_ERROR) CHECK_U64(ctx.column, before + 2);
                buf_fini(&b);
            }
        }
    }
}

TEST(json_integers_are_exact) {
    static const struct {
        const char *text;
        bool is_u64, is_i64;
        uint64_t u64;
        int64_t i64;
    } rows[] = {
        { "0", true, true, 0, 0 },
        { "-0", true, true, 0, 0 },
        { "7", true, true, 7, 7 },
        { "18446744073709551615", true, false, UINT64_MAX, 0 },
        { "18446744073709551616", false, false, 0, 0 },
        { "9223372036854775807", true, true, INT64_MAX, INT64_MAX },
        { "9223372036854775808", true, false, (uint64_t)INT64_MAX + 1, 0 },
        { "-9223372036854775808", false, true, 0, INT64_MIN },
        { "-9223372036854775809", false, false, 0, 0 },
        { "-1", false, true, 0, -1 },
        { "1.0", true, true, 1, 1 },
        { "1.50", false, false, 0, 0 },
        { "15e-1", false, false, 0, 0 },
        { "150e-1", true, true, 15, 15 },
        { "1e3", true, true, 1000, 1000 },
        { "-1.25E2", false, true, 0, -125 },
        { "1e19", true, false, 10000000000000000000u, 0 },
        { "1e20", false, false, 0, 0 },
        { "0e999999999999", true, true, 0, 0 },
        { "1e999999999999", false, false, 0, 0 },
        { "1e-999999999999", false, false, 0, 0 },
        { "1844674407370955161500000000000000000000e-20", true, false, UINT64_MAX, 0 },
        { "18446744073709551615.000000", true, false, UINT64_MAX, 0 },
        { "18446744073709551615.000001", false, false, 0, 0 },
        { "9007199254740993", true, true, 9007199254740993, 9007199254740993 },
        { "", false, false, 0, 0 },
        { " 1", false, false, 0, 0 },
        { "1 ", false, false, 0, 0 },
        { "+1", false, false, 0, 0 },
        { "01", false, false, 0, 0 },
        { "0x1", false, false, 0, 0 },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct str text = test_exact(str_of(rows[i].text));
        uint64_t u = 0;
        int64_t s = 0;
        CHECK(json_u64(text, &u) == rows[i].is_u64);
        CHECK(json_i64(text, &s) == rows[i].is_i64);
        CHECK_U64(u, rows[i].u64);
        CHECK_U64(s, rows[i].i64);
    }
}

TEST(json_doubles_are_the_nearest) {
    static const char *const texts[] = { "0",
                                         "-0",
                                         "0.1",
                                         "1e22",
                                         "1e23",
                                         "9007199254740993",
                                         "5e-324",
                                         "2.4703282292062328e-324",
                                         "1e-400",
                                         "1.7976931348623157e308",
                                         "2.2250738585072011e-308",
                                         "123456789012345678901234567890",
                                         "0.000000000000000000000000000000000000000001",
                                         "8.5e-22" };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        double v = 1;
        CHECK(json_f64(test_exact(str_of(texts[i])), &v));
        double want = strtod(texts[i], NULL);
        CHECK(memcmp(&v, &want, sizeof v) == 0);
    }
    double v;
    CHECK(!json_f64(STR("1e309"), &v) && !json_f64(STR("-1e309"), &v));
    CHECK(!json_f64(STR("inf"), &v) && !json_f64(STR("1.5 "), &v) && !json_f64(STR("0x1p3"), &v));
}

static struct str f64_text(struct buf *b, double v, bool strings) {
    buf_reset(b);
    struct json_writer w = json_writer_on(b);
    w.nonfinite_string = strings;
    jw_f64(&w, v);
    return buf_view(b);
}

TEST(json_doubles_are_written_short) {
    static const struct {
        double v;
        const char *text;
    } rows[] = {
        { 0, "0" },
        { -0.0, "-0" },
        { 1, "1" },
        { -1.5, "-1.5" },
        { 0.1, "0.1" },
        { 0.1 + 0.2, "0.30000000000000004" },
        { 1e15, "1000000000000000" },
        { 1e20, "100000000000000000000" },
        { 1e21, "1e+21" },
        { 1.5e300, "1.5e+300" },
        { 1e-6, "0.000001" },
        { 1e-7, "1e-7" },
        { 1.25e-7, "1.25e-7" },
        { 123456.789, "123456.789" },
        { 0.001234, "0.001234" },
        { 9007199254740993.0, "9007199254740992" },
        { DBL_MAX, "1.7976931348623157e+308" },
        { DBL_MIN, "2.2250738585072014e-308" },
        { 5e-324, "5e-324" },
        { 12345678901234567890.0, "12345678901234567000" },
    };
    struct buf b;
    buf_init(&b, 256);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        CHECK_STR(f64_text(&b, rows[i].v, false), str_of(rows[i].text));
    CHECK_STR(f64_text(&b, NAN, true), STR("\"NaN\""));
    CHECK_STR(f64_text(&b, INFINITY, true), STR("\"Infinity\""));
    CHECK_STR(f64_text(&b, -INFINITY, true), STR("\"-Infinity\""));
    CHECK_STR(f64_text(&b, -INFINITY, false), STR("null"));
    buf_fini(&b);
}

TEST(json_doubles_go_round) {
    struct buf b;
    buf_init(&b, 256);
    for (int i = 0; i < 20000; i++) {
        uint64_t bits = test_rand();
        double v, back;
        if (i & 1)
            memcpy(&v, &bits, sizeof v);
        else
            v = (double)(int64_t)bits / (double)(1 + test_below(1000000));
        if (!isfinite(v)) continue;
        CHECK(json_f64(f64_text(&b, v, false), &back));
        CHECK(memcmp(&v, &back, sizeof v) == 0);
    }
    buf_fini(&b);
}

// The digits before an exponent, without zeros around them.
static void digits_of(struct str text, char out[40]) {
    size_t n = 0;
    for (size_t i = 0; i < text.len && text.ptr[i] != 'e'; i++) {
        bool leads = n == 0 && text.ptr[i] == '0';
        if (text.ptr[i] != '.' && !leads) out[n++] = text.ptr[i];
    }
    while (n > 0 && out[n - 1] == '0') n--;
    out[n] = '\0';
}

// The fewest of 15 digits and more, as printf finds them, whichever way they were found.
TEST(json_doubles_have_the_digits_of_printf) {
    struct buf b;
    buf_init(&b, 256);
    for (int i = 0; i < 40000; i++) {
        double v = (double)(1 + test_below(1ull << (1 + test_below(53)))) / pow(10, (double)test_below(22));
        if (i % 4 == 0) v *= 1 + (double)test_below(3) * 0x1p-52;
        char text[40], want[40], got[40];
        for (int digits = 15; digits <= 17; digits++) {
            (void)snprintf(text, sizeof text, "%.*e", digits - 1, v);
            if (strtod(text, NULL) == v) break;
        }
        digits_of(str_of(text), want);
        digits_of(f64_text(&b, v, false), got);
        CHECK_STR(str_of(got), str_of(want));
    }
    buf_fini(&b);
}

TEST(json_integers_are_written_whole) {
    struct buf b;
    buf_init(&b, 256);
    struct json_writer w = json_writer_on(&b);
    jw_array(&w);
    jw_u64(&w, UINT64_MAX);
    jw_i64(&w, INT64_MIN);
    jw_i64(&w, 0);
    jw_u64_str(&w, UINT64_MAX);
    jw_i64_str(&w, INT64_MIN);
    jw_array_end(&w);
    CHECK_STR(buf_view(&b), STR("[18446744073709551615,-9223372036854775808,0,\"18446744073709551615\","
                                "\"-9223372036854775808\"]"));
    buf_fini(&b);
}

TEST(json_writer_mends_what_is_not_utf8) {
    struct buf b;
    buf_init(&b, 256);
    struct json_writer w = json_writer_on(&b);
    jw_str(&w, test_exact(STR("a\xff"
                              "b\xe2\x82"
                              "c\xf0\x9f\x98\x80\xed\xa0\x80")));
    CHECK_STR(buf_view(&b), STR("\"a\xef\xbf\xbd"
                                "b\xef\xbf\xbd\xef\xbf\xbd"
                                "c\xf0\x9f\x98\x80\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\""));
    buf_fini(&b);
}

static void check_written(const char *text, size_t n, size_t at) {
    struct buf b, want;
    buf_init(&b, 256);
    buf_init(&want, 256);
    struct json_writer w = json_writer_on(&b);
    for (size_t i = 0; i < n; i++) {
        if (i == at && text[i] < ' ')
            buf_fmt(&want, "\\u%04x", (unsigned)text[i]);
        else if (i == at && text[i] != '~')
            buf_fmt(&want, "\\%c", text[i]);
        else
            buf_char(&want, text[i]);
    }
    jw_str(&w, test_exact((struct str){ text, n }));
    CHECK(b.len == want.len + 2 && b.ptr[0] == '"' && b.ptr[b.len - 1] == '"');
    CHECK_STR(str_sub(buf_view(&b), 1, want.len), buf_view(&want));
    buf_fini(&b);
    buf_fini(&want);
}

TEST(json_strings_of_every_length_are_escaped_at_every_place) {
    static const char odd[] = { '"', '\\', 0x1f, '~' };
    char text[40];
    for (size_t n = 0; n < sizeof text; n++)
        for (size_t at = 0; at <= n && at < sizeof text; at++)
            for (size_t o = 0; o < sizeof odd; o++) {
                for (size_t i = 0; i < n; i++) text[i] = (char)('a' + test_below(26));
                text[at] = odd[o]; // past the end: of no effect
                check_written(text, n, at);
            }
}

// Any string of bytes that are UTF-8 comes back as it was.
TEST(json_strings_go_round) {
    static const char *const pieces[] = { "a",
                                          "\"",
                                          "\\",
                                          "/",
                                          "\n",
                                          "\x01",
                                          "\x7f",
                                          "\xc3\xbc",
                                          "\xe2\x82\xac",
                                          "long run of text",
                                          "\xf0\x9f\x98\x80" };
    for (int round = 0; round < 2000; round++) {
        struct buf in, json, out;
        buf_init(&in, 4096);
        buf_init(&json, 1 << 16);
        buf_init(&out, 4096);
        for (uint64_t n = test_below(12); n > 0; n--) {
            if (test_below(12) == 0)
                buf_char(&in, '\0');
            else
                buf_str(&in, str_of(pieces[test_below(sizeof pieces / sizeof *pieces)]));
        }
        struct json_writer w = json_writer_on(&json);
        jw_str(&w, buf_view(&in));
        struct json j;
        struct err_ctx ctx = { 0 };
        struct str exact = test_exact(buf_view(&json));
        json_init(&j, exact, 1, &ctx);
        CHECK(json_next(&j) == JSON_STRING);
        json_text(&j, &out);
        CHECK_STR(buf_view(&out), buf_view(&in));
        CHECK(json_next(&j) == JSON_END);
        buf_fini(&in);
        buf_fini(&json);
        buf_fini(&out);
    }
}

// A second writer, byte by byte. false: the text is not plain.
static bool quote_slowly(struct str s, struct buf *out) {
    static const char special[] = "\"\\\b\f\n\r\t", names[] = "\"\\bfnrt";
    bool plain = true;
    buf_char(out, '"');
    for (size_t i = 0; i < s.len; i++) {
        unsigned char c = (unsigned char)s.ptr[i];
        const char *at = c ? strchr(special, c) : NULL;
        plain &= c >= 0x20 && c < 0x80 && !at;
        if (at)
            buf_fmt(out, "\\%c", names[at - special]);
        else if (c < 0x20)
            buf_fmt(out, "\\u%04x", c);
        else
            buf_char(out, (char)c);
    }
    buf_char(out, '"');
    return plain;
}

static void check_quoting(struct str s) {
    struct buf want, got;
    buf_init(&want, 1000);
    buf_init(&got, 1000);
    bool plain = quote_slowly(s, &want);
    json_quote(&got, s);
    CHECK_STR(buf_view(&got), buf_view(&want));
    char *room = mem_alloc(s.len + 2), *end = json_quote_plain(room, s);
    CHECK((end != NULL) == plain);
    if (end) CHECK_STR(((struct str){ room, (size_t)(end - room) }), buf_view(&want));
    mem_free(room);
    buf_fini(&want);
    buf_fini(&got);
}

TEST(json_strings_are_quoted_as_byte_by_byte) {
    static const char rare[] = "\"\\\n\x01\x1f\x7f\xc3\xbc";
    check_quoting((struct str){ NULL, 0 });
    for (int i = 0; i < 20000; i++) {
        char text[80];
        size_t n = test_below(70);
        for (size_t k = 0; k < n; k++) text[k] = (char)('a' + test_below(26));
        if (n > 1 && test_below(2)) {
            size_t at = test_below(n - 1), which = test_below(7);
            memcpy(text + at, rare + which, which == 6 ? 2 : 1);
        }
        char *exact = mem_alloc(n); // a byte too far is seen
        memcpy(exact, text, n);
        check_quoting((struct str){ exact, n });
        mem_free(exact);
    }
}

TEST(json_writer_stops_at_the_limit_of_its_buffer) {
    for (size_t limit = 0; limit < 24; limit++) {
        struct buf b;
        buf_init(&b, limit);
        struct json_writer w = json_writer_on(&b);
        jw_object(&w);
        jw_key(&w, STR("key"));
        jw_str(&w, STR("gr\xc3\xbc\xc3\x9f\n"));
        jw_object_end(&w);
        CHECK(b.failed == (limit < 18) && b.len <= limit);
        buf_fini(&b);
    }
}
