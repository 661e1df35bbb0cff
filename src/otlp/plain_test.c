// SPDX-License-Identifier: Apache-2.0
// The plain decoder against messages written by hand: protobuf's rules for what comes twice.
#include "otlp/plain.h"

#include "base/pb.h"
#include "base/test.h"
#include "otlp/check.h"
#include "otlp/random.h"

// A span with these fields, alone in a request; its canonical line.
static struct str line_of(struct arena *a, struct str resource_spans, struct buf *out) {
    struct buf pb;
    struct plain_request q;
    buf_init(&pb, 1 << 20);
    pb_bytes(&pb, 1, resource_spans);
    struct str exact = test_exact(buf_view(&pb));
    CHECK_OK(plain_decode(exact, a, &q));
    CHECK_OK(plain_canonical(&q, a, out));
    buf_fini(&pb);
    return buf_view(out);
}

#define NO_ATTRS " attrs{} dropped=0"
#define NO_SCOPE " scope( name=\"\" version=\"\"" NO_ATTRS ") schema=\"\""
#define NO_RESOURCE " resource(" NO_ATTRS ") schema=\"\""
#define NOTHING_BEFORE_ATTRS \
    "trace= span= parent= name=\"\" kind=0 start=0 end=0 flags=0 state=\"\" status=0 message=\"\""
#define REST " dropped_events=0 dropped_links=0" NO_SCOPE NO_RESOURCE "\n"

static void check_span(struct str span, const char *want) {
    struct arena a;
    struct buf scope, resource, out;
    arena_init(&a, SIZE_MAX, NULL);
    buf_init(&scope, 1 << 20);
    buf_init(&resource, 1 << 20);
    buf_init(&out, 1 << 20);
    pb_bytes(&scope, 2, span);
    pb_bytes(&resource, 2, buf_view(&scope));
    CHECK_STR(line_of(&a, buf_view(&resource), &out), str_of(want));
    buf_fini(&scope);
    buf_fini(&resource);
    buf_fini(&out);
    arena_fini(&a);
}

TEST(plain_empty_span) {
    check_span(STR(""), NOTHING_BEFORE_ATTRS NO_ATTRS REST);
}

TEST(plain_last_scalar_counts_and_a_wrong_type_is_unknown) {
    struct buf b;
    buf_init(&b, 1000);
    pb_bytes(&b, 5, STR("first"));
    pb_bytes(&b, 5, STR("second"));
    pb_varint(&b, 5, 7);
    pb_varint(&b, 6, 3);
    pb_fixed32(&b, 6, 1);
    pb_fixed64(&b, 7, 11);
    pb_varint(&b, 7, 12);
    pb_fixed32(&b, 16, 5);
    pb_varint(&b, 500, 1);
    check_span(buf_view(&b),
               "trace= span= parent= name=\"second\" kind=3 start=11 end=0 flags=5 state=\"\" status=0 "
               "message=\"\"" NO_ATTRS REST);
    buf_fini(&b);
}

TEST(plain_messages_that_come_twice_are_merged) {
    struct buf b, status;
    buf_init(&b, 1000);
    buf_init(&status, 1000);
    pb_bytes(&status, 2, STR("bad"));
    pb_bytes(&b, 15, buf_view(&status));
    buf_reset(&status);
    pb_varint(&status, 3, 2);
    pb_bytes(&b, 15, buf_view(&status));
    check_span(buf_view(&b),
               "trace= span= parent= name=\"\" kind=0 start=0 end=0 flags=0 state=\"\" status=2 "
               "message=\"bad\"" NO_ATTRS REST);
    buf_fini(&b);
    buf_fini(&status);
}

// An attribute "k" whose AnyValue has these bytes.
static void check_value(struct str value, const char *want) {
    struct buf kv, span;
    char line[4096];
    buf_init(&kv, 1 << 20);
    buf_init(&span, 1 << 20);
    pb_bytes(&kv, 1, STR("k"));
    pb_bytes(&kv, 2, value);
    pb_bytes(&span, 9, buf_view(&kv));
    (void)snprintf(line, sizeof line, NOTHING_BEFORE_ATTRS " attrs{\"k\"=%s} dropped=0" REST, want);
    check_span(buf_view(&span), line);
    buf_fini(&kv);
    buf_fini(&span);
}

TEST(plain_values) {
    check_value(STR(""), "empty");
    check_value(STR("\x0a\x00"), "\"\"");
    check_value(STR("\x0a\x04"
                    "a\n\xff\""),
                "\"a\\x0a\\xff\\x22\"");
    check_value(STR("\x10\x00"), "false");
    check_value(STR("\x10\x05"), "true");
    check_value(STR("\x18\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"), "int -1");
    check_value(STR("\x21\x00\x00\x00\x00\x00\x00\xf8\x3f"), "double 1.5");
    check_value(STR("\x21\x00\x00\x00\x00\x00\x00\x00\x80"), "double -0");
    check_value(STR("\x21\x01\x00\x00\x00\x00\x00\xf8\x7f"), "double nan");
    check_value(STR("\x21\x00\x00\x00\x00\x00\x00\xf0\xff"), "double -inf");
    check_value(STR("\x3a\x02\x00\x01"), "bytes 0001");
    check_value(STR("\x2a\x00"), "[]");
    check_value(STR("\x32\x00"), "{}");
    check_value(STR("\x2a\x06\x0a\x00\x0a\x02\x18\x01"), "[empty int 1]");
    check_value(STR("\x32\x05\x0a\x03\x0a\x01"
                    "a"),
                "{\"a\"=none}");
}

TEST(plain_of_a_oneof_the_last_member_stays) {
    check_value(STR("\x18\x01\x0a\x01x"), "\"x\"");
    check_value(STR("\x0a\x01x\x18\x01"), "int 1");
    check_value(STR("\x2a\x04\x0a\x02\x18\x01\x2a\x04\x0a\x02\x18\x02"), "[int 1 int 2]");   // merged
    check_value(STR("\x2a\x04\x0a\x02\x18\x01\x18\x09\x2a\x04\x0a\x02\x18\x02"), "[int 2]"); // begun anew
    check_value(STR("\x2a\x04\x0a\x02\x18\x01\x32\x00"), "{}");
}

TEST(plain_sorts_attributes_and_keeps_the_rest_in_order) {
    struct buf b, kv;
    buf_init(&b, 1000);
    buf_init(&kv, 1000);
    static const char *const keys[] = { "b", "a", "b", "a" };
    for (uint64_t i = 0; i < 4; i++) {
        buf_reset(&kv);
        pb_bytes(&kv, 1, str_of(keys[i]));
        char value[] = { 0x18, (char)(9 - i) };
        pb_bytes(&kv, 2, (struct str){ value, 2 });
        pb_bytes(&b, 9, buf_view(&kv));
    }
    pb_bytes(&b, 11, STR("\x12\x01z"));
    pb_bytes(&b, 11, STR("\x12\x01y"));
    pb_bytes(&b, 13, STR("\x0a\x01\xab"));
    check_span(buf_view(&b), NOTHING_BEFORE_ATTRS
               " attrs{\"a\"=int 6 \"a\"=int 8 \"b\"=int 7 \"b\"=int 9} dropped=0"
               " event( time=0 name=\"z\"" NO_ATTRS ") event( time=0 name=\"y\"" NO_ATTRS ") dropped_events=0"
               " link( trace=ab span= state=\"\" flags=0" NO_ATTRS ") dropped_links=0" NO_SCOPE NO_RESOURCE
               "\n");
    buf_fini(&b);
    buf_fini(&kv);
}

TEST(plain_scope_and_resource_belong_to_the_span) {
    struct arena a;
    struct buf resource, scope, entity, out;
    arena_init(&a, SIZE_MAX, NULL);
    buf_init(&resource, 1000);
    buf_init(&scope, 1000);
    buf_init(&entity, 1000);
    buf_init(&out, 4000);
    pb_bytes(&scope, 1, STR("\x0a\x01n\x12\x01v"));
    pb_bytes(&scope, 2, STR("")); // two spans
    pb_bytes(&scope, 2, STR("\x0a\x01\x01"));
    pb_bytes(&scope, 3, STR("s"));
    pb_bytes(&entity, 2, STR("t"));
    pb_bytes(&entity, 3, STR("i"));
    pb_bytes(&entity, 3, STR("j"));
    size_t mark = pb_begin(&resource, 1);
    pb_varint(&resource, 2, 4);
    pb_bytes(&resource, 3, buf_view(&entity));
    pb_end(&resource, mark);
    pb_bytes(&resource, 2, buf_view(&scope));
    pb_bytes(&resource, 3, STR("r"));
#define TAIL \
    " parent= name=\"\" kind=0 start=0 end=0 flags=0 state=\"\" status=0 message=\"\"" NO_ATTRS \
    " dropped_events=0 dropped_links=0 scope( name=\"n\" version=\"v\"" NO_ATTRS ") schema=\"s\"" \
    " resource( attrs{} dropped=4 entity( schema=\"\" type=\"t\" ids=[\"i\" \"j\"] descriptions=[]))" \
    " schema=\"r\"\n"
    CHECK_STR(line_of(&a, buf_view(&resource), &out), STR("trace= span=" TAIL "trace=01 span=" TAIL));
    buf_fini(&resource);
    buf_fini(&scope);
    buf_fini(&entity);
    buf_fini(&out);
    arena_fini(&a);
}

TEST(plain_sort_of_lines) {
    struct arena a;
    struct buf out;
    arena_init(&a, SIZE_MAX, NULL);
    buf_init(&out, 100);
    CHECK_OK(plain_sort(STR("b\na\n\nb\n"), false, &a, &out));
    CHECK_STR(buf_view(&out), STR("\na\nb\nb\n"));
    buf_reset(&out);
    CHECK_OK(plain_sort(STR("b\na\n\nb\n"), true, &a, &out));
    CHECK_STR(buf_view(&out), STR("\na\nb\n"));
    buf_reset(&out);
    CHECK_OK(plain_sort(STR(""), true, &a, &out));
    CHECK_STR(buf_view(&out), STR(""));
    buf_fini(&out);
    arena_fini(&a);
}

TEST(plain_depth_has_a_limit) {
    for (int over = 0; over < 2; over++) {
        struct arena a;
        struct buf pb;
        struct plain_request q;
        arena_init(&a, SIZE_MAX, NULL);
        buf_init(&pb, 1 << 20);
        size_t marks[6 + 2 * (PLAIN_DEPTH_MAX + 1)], n = 0;
        static const uint32_t path[] = { 1, 2, 2, 9, 2 };
        for (; n < 5; n++) marks[n] = pb_begin(&pb, path[n]);
        for (int i = 0; i < PLAIN_DEPTH_MAX + over; i++) {
            marks[n++] = pb_begin(&pb, 5);
            marks[n++] = pb_begin(&pb, 1);
        }
        while (n) pb_end(&pb, marks[--n]);
        CHECK(plain_decode(buf_view(&pb), &a, &q) == (over ? ERR_LIMIT : ERR_OK));
        buf_fini(&pb);
        arena_fini(&a);
    }
}

// What the generator promises: it covers the schema, and shares ids between requests.
TEST(random_requests_hold_all_there_is) {
    struct random_otlp g;
    struct arena a;
    struct buf text;
    random_init(&g, (struct random_opts){ .rand = test_rand, .duplicate_percent = 20, .depth_max = 3 });
    arena_init(&a, SIZE_MAX, NULL);
    buf_init(&text, 64 << 20);
    uint32_t n_spans = 0;
    for (int i = 0; i < 100; i++) {
        struct buf pb;
        struct plain_request q;
        buf_init(&pb, 64 << 20);
        random_request(&g, &pb);
        CHECK_OK(plain_decode(test_exact(buf_view(&pb)), &a, &q));
        CHECK_OK(plain_canonical(&q, &a, &text));
        n_spans += q.n_spans;
        buf_fini(&pb);
    }
    static const char *const parts[] = { "=empty",
                                         "=none",
                                         "=true",
                                         "=int -9223372036854775808",
                                         "=double nan",
                                         "=double inf",
                                         "=[",
                                         "={",
                                         "=bytes ",
                                         "\\x00",
                                         "\\xf0\\x9f\\x98\\x80",
                                         " event(",
                                         " link(",
                                         " entity(",
                                         "kind=5",
                                         "status=2",
                                         "parent= ",
                                         "start=1 " };
    buf_char(&text, '\0');
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        if (!strstr(text.ptr, parts[i])) printf("# missing: %s\n", parts[i]);
        CHECK(strstr(text.ptr, parts[i]));
    }
    text.len--;
    struct buf unique;
    buf_init(&unique, 64 << 20);
    CHECK_OK(plain_sort(buf_view(&text), true, &a, &unique));
    size_t n_unique = 0;
    for (size_t i = 0; i < unique.len; i++) n_unique += unique.ptr[i] == '\n';
    printf("# %u spans, %zu different\n", n_spans, n_unique);
    CHECK(n_spans > 300 && n_unique < n_spans && n_unique > n_spans / 3);
    buf_fini(&unique);
    buf_fini(&text);
    arena_fini(&a);
    random_fini(&g);
}

TEST(random_spans_are_refused_only_when_asked_for) {
    static const uint32_t percents[] = { 0, 50, 100 };
    for (size_t i = 0; i < sizeof percents / sizeof *percents; i++) {
        struct random_opts opts = { .rand = test_rand, .wild = i & 1, .depth_max = 32, .large = true };
        opts.invalid_percent = percents[i];
        struct random_otlp g;
        struct arena a;
        uint32_t n_spans = 0, n_refused = 0;
        random_init(&g, opts);
        arena_init(&a, SIZE_MAX, NULL);
        for (int round = 0; round < 30; round++) {
            struct buf pb;
            struct otlp_check c;
            struct err_ctx ctx = { 0 };
            buf_init(&pb, 64 << 20);
            random_request(&g, &pb);
            CHECK_OK(otlp_check(buf_view(&pb), &a, &c, &ctx));
            n_spans += c.n_spans;
            n_refused += c.n_refused;
            buf_fini(&pb);
        }
        CHECK(i == 0 ? n_refused == 0 : n_refused > n_spans / 4);
        CHECK(n_spans > 50);
        arena_fini(&a);
        random_fini(&g);
    }
}
