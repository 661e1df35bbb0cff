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
