// SPDX-License-Identifier: Apache-2.0
#include "otlp/check.h"

#include "base/pb.h"
#include "base/test.h"

// A request with one span of these ids, after one that is good.
static struct str request_of(struct buf *b, struct str trace_id, struct str span_id) {
    buf_reset(b);
    size_t resource = pb_begin(b, 1), scope = pb_begin(b, 2), good = pb_begin(b, 2);
    pb_bytes(b, 1, STR("0123456789abcdef"));
    pb_bytes(b, 2, STR("01234567"));
    pb_end(b, good);
    size_t span = pb_begin(b, 2);
    pb_bytes(b, 1, trace_id);
    pb_bytes(b, 2, span_id);
    pb_end(b, span);
    pb_end(b, scope);
    pb_end(b, resource);
    return buf_view(b);
}

TEST(check_refuses_ids_of_zeros_and_of_other_lengths) {
    static const struct {
        const char *why;
        struct str trace_id, span_id;
        enum otlp_refuse reason; // OTLP_REFUSE_COUNT: it is good
    } cases[] = {
        { "good", { "0123456789abcdeF", 16 }, { "01234567", 8 }, OTLP_REFUSE_COUNT },
        { "one bit is enough",
          { "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\1", 16 },
          { "\0\0\0\0\0\0\0\1", 8 },
          OTLP_REFUSE_COUNT },
        { "trace id of zeros",
          { "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 16 },
          { "01234567", 8 },
          OTLP_REFUSE_TRACE_ID },
        { "trace id too short", { "0123456789abcde", 15 }, { "01234567", 8 }, OTLP_REFUSE_TRACE_ID },
        { "trace id too long", { "0123456789abcdef0", 17 }, { "01234567", 8 }, OTLP_REFUSE_TRACE_ID },
        { "no trace id", { "", 0 }, { "01234567", 8 }, OTLP_REFUSE_TRACE_ID },
        { "span id of zeros", { "0123456789abcdef", 16 }, { "\0\0\0\0\0\0\0\0", 8 }, OTLP_REFUSE_SPAN_ID },
        { "span id too long", { "0123456789abcdef", 16 }, { "012345678", 9 }, OTLP_REFUSE_SPAN_ID },
        { "no span id", { "0123456789abcdef", 16 }, { "", 0 }, OTLP_REFUSE_SPAN_ID },
    };
    struct buf b;
    struct arena a;
    buf_init(&b, 4096);
    arena_init(&a, 1 << 20, NULL);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct otlp_check check;
        struct err_ctx ctx = { .text = "" };
        struct str body = request_of(&b, cases[i].trace_id, cases[i].span_id);
        printf("# %s\n", cases[i].why);
        CHECK_OK(otlp_check(test_exact(body), &a, &check, &ctx));
        bool good = cases[i].reason == OTLP_REFUSE_COUNT;
        CHECK_U64(check.n_spans, 2);
        CHECK_U64(check.n_refused, good ? 0 : 1);
        if (!good) CHECK_U64(check.refused[0], 1);
        if (!good) CHECK_U64(check.by_reason[cases[i].reason], 1);
    }
    arena_fini(&a);
    buf_fini(&b);
}

// A request with one span that has one attribute of this value, given as the bytes of its AnyValue.
static struct str request_with(struct buf *b, struct str key, struct str any) {
    buf_reset(b);
    size_t resource = pb_begin(b, 1), scope = pb_begin(b, 2), span = pb_begin(b, 2);
    pb_bytes(b, 1, STR("0123456789abcdef"));
    pb_bytes(b, 2, STR("01234567"));
    size_t kv = pb_begin(b, 9);
    pb_bytes(b, 1, key);
    pb_bytes(b, 2, any);
    pb_end(b, kv);
    pb_end(b, span);
    pb_end(b, scope);
    pb_end(b, resource);
    return buf_view(b);
}

TEST(check_sees_every_form_of_a_value) {
    static const struct {
        const char *why;
        struct str any;
        bool bad;
        uint32_t unknown;
    } cases[] = {
        { "a text", { "\x0a\x02xy", 4 }, false, 0 },
        { "an empty text", { "\x0a\x00", 2 }, false, 0 },
        { "a text past the end", { "\x0a\x03xy", 4 }, true, 0 },
        { "a text with its length in two bytes", { "\x0a\x82\x00xy", 5 }, false, 0 },
        { "no value", { "", 0 }, false, 0 },
        { "a tag alone", { "\x18", 1 }, true, 0 },
        { "an integer of one byte", { "\x18\x05", 2 }, false, 0 },
        { "of nine", { "\x18\x80\x80\x80\x80\x80\x80\x80\x80\x01", 10 }, false, 0 },
        { "of nine, the most", { "\x18\xff\xff\xff\xff\xff\xff\xff\xff\x7f", 10 }, false, 0 },
        { "a truth of nine", { "\x10\xff\xff\xff\xff\xff\xff\xff\xff\x7f", 10 }, false, 0 },
        { "of nine that breaks off", { "\x18\xff\xff\xff\xff\xff\xff\xff\xff\xff", 10 }, true, 0 },
        { "of ten, the least", { "\x18\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01", 11 }, false, 0 },
        { "past 64 bits", { "\x18\x80\x80\x80\x80\x80\x80\x80\x80\x80\x02", 11 }, true, 0 },
        { "of eleven", { "\x18\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01", 12 }, true, 0 },
        { "an integer that breaks off", { "\x18\x80\x80", 3 }, true, 0 },
        { "an integer and a field without a name", { "\x18\x05\x40\x01", 4 }, false, 1 },
        { "a truth", { "\x10\x01", 2 }, false, 0 },
        { "a truth of another wire", { "\x15\1\2\3\4", 5 }, false, 1 },
        { "a double", { "\x21\1\2\3\4\5\6\7\x08", 9 }, false, 0 },
        { "a double that breaks off", { "\x21\1\2\3\4\5\6\7", 8 }, true, 0 },
        { "a double and a byte", { "\x21\1\2\3\4\5\6\7\x08\x18", 10 }, true, 0 },
        { "bytes", { "\x3a\x01\xff", 3 }, false, 0 },
        { "a list with a broken text", { "\x2a\x04\x0a\x02\x0a\x05", 6 }, true, 0 },
    };
    struct buf b;
    struct arena a;
    buf_init(&b, 4096);
    arena_init(&a, 1 << 20, NULL);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct otlp_check check;
        struct err_ctx ctx = { .text = "" };
        struct str body = request_with(&b, STR("key"), cases[i].any);
        printf("# %s\n", cases[i].why);
        CHECK_U64(otlp_check(test_exact(body), &a, &check, &ctx), cases[i].bad ? ERR_INVALID : ERR_OK);
        if (!cases[i].bad) CHECK_U64(check.n_unknown, cases[i].unknown);
        if (!cases[i].bad) CHECK_U64(check.n_refused, 0);
    }
    arena_fini(&a);
    buf_fini(&b);
}

TEST(check_refuses_keys_that_are_not_text) {
    static const struct {
        const char *key;
        bool good;
    } cases[] = { { "", true },
                  { "k", true },
                  { "caf\xc3\xa9", true },
                  { "a.longer.k\xc3\xa9y", true },
                  { "\xff", false },
                  { "http.route\xc3", false },
                  { "\x80ttp.route.of.many.bytes", false } };
    struct buf b;
    struct arena a;
    buf_init(&b, 4096);
    arena_init(&a, 1 << 20, NULL);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct otlp_check check;
        struct err_ctx ctx = { .text = "" };
        struct str body = request_with(&b, str_of(cases[i].key), STR("\x18\x05"));
        printf("# %s\n", cases[i].key);
        CHECK_OK(otlp_check(test_exact(body), &a, &check, &ctx));
        CHECK_U64(check.by_reason[OTLP_REFUSE_KEY], cases[i].good ? 0 : 1);
    }
    arena_fini(&a);
    buf_fini(&b);
}
