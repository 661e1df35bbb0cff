// SPDX-License-Identifier: Apache-2.0
#include <math.h>

#include "base/test.h"
#include "span/field.h"
#include "span/wire.h"

static void check_text(struct value v, const char *want) {
    struct buf out;
    buf_init(&out, 1 << 16);
    value_text(&v, &out);
    CHECK_STR(buf_view(&out), str_of(want));
    buf_fini(&out);
}

#define DURATION(x) ((struct value){ .type = VALUE_DURATION, .i = (x) })
#define STATUS(x) ((struct value){ .type = VALUE_STATUS, .i = (x) })
#define KIND(x) ((struct value){ .type = VALUE_KIND, .i = (x) })
#define ANY(x) ((struct value){ .type = VALUE_ANY, .s = (x) })

TEST(value_text_is_what_people_read) {
    check_text(VALUE_OF_NIL, "nil");
    check_text(VALUE_OF_BOOL(true), "true");
    check_text(VALUE_OF_INT(INT64_MIN), "-9223372036854775808");
    check_text(VALUE_OF_FLOAT(0.5), "0.5");
    check_text(VALUE_OF_FLOAT(2), "2");
    check_text(VALUE_OF_FLOAT(-INFINITY), "-Infinity");
    check_text(VALUE_OF_FLOAT(NAN), "NaN");
    check_text(VALUE_OF_STR(STR("a \"b\"")), "a \"b\"");
    check_text(STATUS(2), "error");
    check_text(STATUS(7), "7");
    check_text(KIND(3), "client");
    check_text(KIND(-1), "-1");
}

TEST(value_durations_print_as_go_does) {
    check_text(DURATION(0), "0s");
    check_text(DURATION(999), "999ns");
    check_text(DURATION(1500), "1.5\xc2\xb5s");
    check_text(DURATION(150000000), "150ms");
    check_text(DURATION(1234567), "1.234567ms");
    check_text(DURATION(1500000000), "1.5s");
    check_text(DURATION(60000000000), "1m0s");
    check_text(DURATION(150000000000), "2m30s");
    check_text(DURATION(3600000000001), "1h0m0.000000001s");
    check_text(DURATION(-90000000000), "-1m30s");
    check_text(DURATION(INT64_MIN), "-2562047h47m16.854775808s");
}

TEST(value_order_is_total) {
    const struct value v[] = { VALUE_OF_NIL,
                               VALUE_OF_BOOL(false),
                               VALUE_OF_BOOL(true),
                               VALUE_OF_INT(-1),
                               VALUE_OF_INT(5),
                               VALUE_OF_FLOAT(-INFINITY),
                               VALUE_OF_FLOAT(-0.0),
                               VALUE_OF_FLOAT(0.0),
                               VALUE_OF_FLOAT(5),
                               VALUE_OF_FLOAT(NAN),
                               DURATION(5),
                               STATUS(1),
                               KIND(1),
                               VALUE_OF_STR(STR("")),
                               VALUE_OF_STR(STR("a")),
                               VALUE_OF_STR(STR("b")),
                               ANY(STR("a")) };
    enum { N = sizeof v / sizeof *v };
    for (int i = 0; i < N; i++)
        for (int k = 0; k < N; k++) {
            int order = value_order(&v[i], &v[k]);
            CHECK(order == (i > k) - (i < k));
            if (i == k) CHECK(value_hash(&v[i]) == value_hash(&v[k]));
        }
    struct value other_nan = VALUE_OF_FLOAT(-NAN);
    CHECK(value_order(&v[9], &other_nan) == 0 && value_hash(&v[9]) == value_hash(&other_nan));
}

static void check_numbers(struct value a, struct value b, int want) {
    int got = 9, back = 9;
    CHECK(value_compare_numbers(&a, &b, &got) && got == want);
    CHECK(value_compare_numbers(&b, &a, &back) && back == -want);
}

TEST(value_numbers_compare_exactly) {
    check_numbers(VALUE_OF_INT(1), VALUE_OF_FLOAT(1), 0);
    check_numbers(VALUE_OF_INT(1), VALUE_OF_FLOAT(1.5), -1);
    check_numbers(VALUE_OF_INT(-1), VALUE_OF_FLOAT(-1.5), 1);
    check_numbers(VALUE_OF_INT(9007199254740993), VALUE_OF_FLOAT(9007199254740992.0), 1);
    check_numbers(VALUE_OF_INT(INT64_MAX), VALUE_OF_FLOAT(0x1p63), -1);
    check_numbers(VALUE_OF_INT(INT64_MIN), VALUE_OF_FLOAT(-0x1p63), 0);
    check_numbers(VALUE_OF_INT(INT64_MIN), VALUE_OF_FLOAT(-INFINITY), 1);
    check_numbers(DURATION(1000), VALUE_OF_INT(1000), 0);
    check_numbers(VALUE_OF_FLOAT(0.0), VALUE_OF_FLOAT(-0.0), 0);
    int out;
    struct value nan = VALUE_OF_FLOAT(NAN), one = VALUE_OF_INT(1), text = VALUE_OF_STR(STR("1")),
                 status = STATUS(1);
    CHECK(!value_compare_numbers(&nan, &one, &out) && !value_compare_numbers(&one, &nan, &out));
    CHECK(!value_compare_numbers(&text, &one, &out) && !value_compare_numbers(&one, &status, &out));
}

// Writes [a, b …] of strings and ints: "s" a string, "i" an int, "e" an empty value.
static void put_array(struct buf *out, const char *kinds) {
    size_t array = pb_begin(out, ANY_ARRAY);
    for (const char *k = kinds; *k; k++) {
        size_t element = pb_begin(out, LIST_VALUES);
        if (*k == 's') pb_bytes(out, ANY_STRING, STR("x"));
        if (*k == 'i') pb_varint(out, ANY_INT, 7);
        pb_end(out, element);
    }
    pb_end(out, array);
}

static void count_element(void *ctx, const struct value *v) {
    CHECK(v->type == VALUE_STRING || v->type == VALUE_INT);
    ++*(int *)ctx;
}

static int elements(struct buf *b) {
    int n = 0;
    struct str any = test_exact(buf_view(b));
    return value_array(any, count_element, &n) ? n : -1;
}

TEST(value_arrays_of_one_kind) {
    const struct {
        const char *kinds;
        int n;
    } cases[] = { { "", 0 }, { "s", 1 }, { "sss", 3 }, { "ii", 2 }, { "si", -1 }, { "e", -1 }, { "se", -1 } };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct buf b;
        buf_init(&b, 1 << 10);
        put_array(&b, cases[i].kinds);
        CHECK(elements(&b) == cases[i].n);
        put_array(&b, "s"); // pieces belong together
        CHECK(elements(&b) == (cases[i].n < 0 || cases[i].kinds[0] == 'i' ? -1 : cases[i].n + 1));
        pb_varint(&b, ANY_INT, 1); // not an array after all
        CHECK(elements(&b) == -1);
        buf_fini(&b);
    }
    struct buf b;
    buf_init(&b, 64);
    pb_bytes(&b, ANY_BYTES, STR("x"));
    CHECK(elements(&b) == -1);
    buf_reset(&b);
    CHECK(elements(&b) == -1);
    buf_add(&b, "\x2a\x05", 2); // cut short
    CHECK(elements(&b) == -1);
    buf_fini(&b);
}

TEST(value_any_prints_as_json) {
    struct buf b;
    buf_init(&b, 1 << 12);
    check_text(ANY(STR("")), "{}");
    put_array(&b, "sie");
    check_text(ANY(buf_view(&b)),
               "{\"arrayValue\":{\"values\":[{\"stringValue\":\"x\"},{\"intValue\":\"7\"},{}]}}");
    buf_reset(&b);
    size_t list = pb_begin(&b, ANY_KVLIST);
    size_t pair = pb_begin(&b, LIST_VALUES);
    pb_bytes(&b, KV_KEY, STR("k"));
    size_t value = pb_begin(&b, KV_VALUE);
    pb_bytes(&b, ANY_BYTES, STR("abcd"));
    pb_end(&b, value);
    pb_end(&b, pair);
    pair = pb_begin(&b, LIST_VALUES);
    pb_end(&b, pair);
    pb_end(&b, list);
    check_text(ANY(buf_view(&b)), "{\"kvlistValue\":{\"values\":[{\"key\":\"k\",\"value\":{\"bytesValue\":"
                                  "\"YWJjZA==\"}},{\"key\":\"\"}]}}");
    buf_fini(&b);
}

TEST(field_equality_and_names) {
    struct field a = { .scope = FIELD_SPAN, .key = STR("x") }, b = a;
    CHECK(field_eq(&a, &b) && field_hash(&a) == field_hash(&b) && field_type(&a) == VALUE_NIL);
    b.scope = FIELD_RESOURCE;
    CHECK(!field_eq(&a, &b));
    b = a;
    b.of_parent = true;
    CHECK(!field_eq(&a, &b));
    b = a;
    b.key = STR("y");
    CHECK(!field_eq(&a, &b));
    struct field name = { .intrinsic = INTRINSIC_NAME, .scope = FIELD_SPAN };
    CHECK(!field_eq(&a, &name) && field_type(&name) == VALUE_STRING);
    CHECK_STR(intrinsic_name(INTRINSIC_EVENT_TIME), STR("event:timeSinceStart"));
    CHECK_STR(field_scope_name(FIELD_LINK), STR("link"));
    CHECK_STR(field_scope_name(FIELD_UNSCOPED), STR(""));
}
