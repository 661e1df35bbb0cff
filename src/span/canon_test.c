// SPDX-License-Identifier: Apache-2.0
#include "span/canon.h"

#include "base/pb.h"
#include "base/test.h"
#include "span/lookup.h"
#include "span/wire.h"

// Keys that begin alike, end early, or hold what sorts oddly.
static struct str draw_key(struct arena *a) {
    static const struct str starts[] = { STR(""),         STR("http.request.header.x-"),
                                         STR("http.req"), STR("ab\0\0"),
                                         STR("ab"),       STR("\xff\xff"),
                                         STR("net.") };
    struct buf b;
    buf_init(&b, SIZE_MAX);
    buf_str(&b, starts[test_below(sizeof starts / sizeof *starts)]);
    for (uint64_t n = test_below(4); n; n--)
        buf_char(&b, (char)(test_below(2) ? test_below(3) : test_rand()));
    struct str key = str_dup(a, buf_view(&b));
    buf_fini(&b);
    return key;
}

// Each attribute's value is its number in the order of arrival.
static void check_order(struct str message, size_t n) {
    struct reader r = reader_of(message);
    struct str last = STR("");
    uint64_t last_number = 0;
    size_t seen = 0;
    for (struct pb_field f; pb_next(&r, &f); seen++) {
        struct str key, any;
        CHECK(f.number == RESOURCE_ATTRIBUTE && attr_kv(f.bytes, &key, &any));
        struct attr_value v = attr_value_of(any);
        int c = str_cmp(last, key);
        CHECK(seen == 0 || c < 0 || (c == 0 && last_number < v.bits));
        last = key;
        last_number = v.bits;
    }
    CHECK_U64(seen, n);
}

TEST(canon_attributes_are_sorted_by_key_and_equal_keys_keep_their_order) {
    for (int round = 0; round < 400; round++) {
        struct arena a;
        struct buf raw, out;
        struct str service, message, url;
        arena_init(&a, SIZE_MAX, NULL);
        buf_init(&raw, SIZE_MAX);
        buf_init(&out, SIZE_MAX);
        size_t n = test_below(test_below(2) ? 12 : 120);
        for (size_t i = 0; i < n; i++) {
            struct attr_value v = { .type = ATTR_INT, .bits = i };
            attr_kv_write(&raw, RESOURCE_ATTRIBUTE, draw_key(&a), &v);
        }
        CHECK_OK(canon_resource(buf_view(&raw), STR(""), &a, &out, &service));
        canon_entity_split(buf_view(&out), &message, &url);
        check_order(message, n);
        buf_fini(&raw);
        buf_fini(&out);
        arena_fini(&a);
    }
}

// A key that comes more than once, with values of any kind: its service is what questions say of it.
TEST(canon_the_service_is_that_of_questions) {
    static const struct attr_value kinds[] = { { .type = ATTR_STRING, .text = { "shop", 4 } },
                                               { .type = ATTR_STRING, .text = { "cart", 4 } },
                                               { .type = ATTR_STRING, .text = { "\xff", 1 } },
                                               { .type = ATTR_INT, .bits = 1 },
                                               { .type = ATTR_BOOL, .bits = 1 } };
    for (int round = 0; round < 400; round++) {
        struct arena a;
        struct buf raw, out;
        struct str service;
        arena_init(&a, SIZE_MAX, NULL);
        buf_init(&raw, SIZE_MAX);
        buf_init(&out, SIZE_MAX);
        for (uint64_t i = 0, n = test_below(6); i < n; i++)
            attr_kv_write(&raw, RESOURCE_ATTRIBUTE, test_below(3) ? STR("service.name") : draw_key(&a),
                          &kinds[test_below(sizeof kinds / sizeof *kinds)]);
        CHECK_OK(canon_resource(buf_view(&raw), STR(""), &a, &out, &service));
        struct value v = entity_value(buf_view(&out), false, STR("service.name"));
        CHECK_STR(service, v.type == VALUE_STRING && str_is_utf8(v.s) ? v.s : STR(""));
        buf_fini(&raw);
        buf_fini(&out);
        arena_fini(&a);
    }
}
