// SPDX-License-Identifier: Apache-2.0
// What goes in comes out: random requests through the check, the decoder and the encoder, held
// against the plain decoder's reading of the same bytes.
#include "base/test.h"
#include "otlp/check.h"
#include "otlp/decode.h"
#include "otlp/encode.h"
#include "otlp/plain.h"
#include "otlp/random.h"

// The lines of all spans but the refused ones.
static void lines_of(struct str pb, const struct otlp_check *c, struct arena *a, struct buf *out) {
    struct plain_request rq;
    struct buf all;
    uint32_t ordinal = 0, refused = 0;
    buf_init(&all, 64 << 20);
    CHECK_OK(plain_decode(pb, a, &rq));
    for (struct plain_resource_spans *r = rq.resources; r; r = r->next)
        for (struct plain_scope_spans *s = r->scopes; s; s = s->next)
            for (struct plain_span *sp = s->spans; sp; sp = sp->next, ordinal++) {
                if (c && refused < c->n_refused && c->refused[refused] == ordinal) {
                    refused++;
                    continue;
                }
                CHECK_OK(plain_span_text(r, s, sp, a, &all));
                buf_char(&all, '\n');
            }
    CHECK_OK(plain_sort(buf_view(&all), false, a, out));
    buf_fini(&all);
}

// JSON piece by piece is the JSON of the whole protobuf.
struct taken {
    struct buf text, *from;
    uint32_t done;
};

static enum err take_text(void *ctx, uint32_t done) {
    struct taken *k = ctx;
    CHECK_U64(done, ++k->done);
    buf_str(&k->text, buf_view(k->from));
    buf_reset(k->from);
    return ERR_OK;
}

static void check_json(const struct span_table *t, const uint32_t *rows, uint32_t n, struct arena *a,
                       struct str pb) {
    const struct otlp_message *m = test_rand() % 2 ? &otlp_traces_data : &otlp_batches;
    enum otlp_flavour flavour = test_rand() % 2 ? OTLP_FLAVOUR_OTLP : OTLP_FLAVOUR_TEMPO;
    struct buf want, piece;
    struct taken got = { .from = &piece };
    struct json_writer w = json_writer_on(&piece);
    buf_init(&want, SIZE_MAX), buf_init(&piece, SIZE_MAX), buf_init(&got.text, SIZE_MAX);
    CHECK_OK(otlp_pb_to_json(m, pb, flavour, &want));
    CHECK_OK(otlp_encode_json(t, rows, n, a, (struct otlp_steps){ take_text, &got }, m, flavour, &w));
    CHECK_U64(got.done, n);
    buf_str(&got.text, buf_view(&piece));
    CHECK_STR(buf_view(&got.text), buf_view(&want));
    buf_fini(&want), buf_fini(&piece), buf_fini(&got.text);
}

static void round_trip(struct random_opts opts, int rounds) {
    struct random_otlp g;
    struct span_table t;
    struct otlp_decoder *d;
    struct arena a;
    opts.rand = test_rand;
    random_init(&g, opts);
    arena_init(&a, SIZE_MAX, NULL);
    span_table_init(&t, SIZE_MAX, NULL);
    CHECK_OK(otlp_decoder_new(&t, &d));
    for (int i = 0; i < rounds; i++) {
        struct buf body, want, got, pb;
        struct otlp_check c;
        struct err_ctx ctx = { 0 };
        uint32_t added, first = t.n;
        buf_init(&body, 64 << 20), buf_init(&want, 64 << 20), buf_init(&got, 64 << 20),
            buf_init(&pb, 64 << 20);
        random_request(&g, &body);
        struct str exact = test_exact(buf_view(&body));
        CHECK_OK(otlp_check(exact, &a, &c, &ctx));
        CHECK_OK(otlp_decode(d, exact, c.refused, c.n_refused, &added));
        CHECK_U64(added, c.n_spans - c.n_refused);
        CHECK_U64(t.n, first + added);
        span_table_publish(&t);
        uint32_t *rows = ARENA_ARRAY(&a, added + 1, uint32_t);
        for (uint32_t k = 0; k < added; k++) rows[k] = first + k;
        CHECK_OK(otlp_encode(&t, rows, added, &a, (struct otlp_steps){ 0 }, &pb));
        check_json(&t, rows, added, &a, buf_view(&pb));
        lines_of(exact, &c, &a, &want);
        lines_of(buf_view(&pb), NULL, &a, &got);
        CHECK_STR(buf_view(&got), buf_view(&want));
        buf_fini(&body), buf_fini(&want), buf_fini(&got), buf_fini(&pb);
        arena_reset(&a);
    }
    otlp_decoder_free(d);
    span_table_fini(&t);
    arena_fini(&a);
    random_fini(&g);
}

TEST(decode_keeps_every_field) {
    round_trip((struct random_opts){ .spans_max = 8 }, 150);
}

TEST(decode_keeps_every_field_of_a_wild_wire) {
    round_trip((struct random_opts){ .wild = true, .bad_utf8 = true, .duplicate_percent = 20 }, 150);
}

TEST(decode_keeps_large_and_deep_values) {
    round_trip((struct random_opts){ .large = true, .depth_max = 32 }, 20);
}

TEST(decode_leaves_out_what_the_check_refused) {
    round_trip((struct random_opts){ .invalid_percent = 30 }, 150);
}

// What a span is sorted in is of that span, however many there are.
TEST(encode_needs_little_beside_the_spans) {
    enum { SPANS = 2000, BYTES_MAX = 512 << 10 };
    struct random_otlp g;
    struct span_table t;
    struct otlp_decoder *d;
    struct arena a, scratch;
    struct mem_budget budget = { .limit = BYTES_MAX };
    struct buf body, out;
    uint32_t rows[SPANS], added;
    random_init(&g, (struct random_opts){ .rand = test_rand, .spans_max = 8 });
    arena_init(&a, SIZE_MAX, NULL), arena_init(&scratch, SIZE_MAX, &budget);
    span_table_init(&t, SIZE_MAX, NULL);
    buf_init(&body, SIZE_MAX), buf_init(&out, SIZE_MAX);
    CHECK_OK(otlp_decoder_new(&t, &d));
    while (t.n < SPANS) {
        struct otlp_check c;
        struct err_ctx ctx = { 0 };
        buf_reset(&body);
        random_request(&g, &body);
        CHECK_OK(otlp_check(buf_view(&body), &a, &c, &ctx));
        CHECK_OK(otlp_decode(d, buf_view(&body), c.refused, c.n_refused, &added));
    }
    span_table_publish(&t);
    for (uint32_t i = 0; i < SPANS; i++) rows[i] = i;
    CHECK_OK(otlp_encode(&t, rows, SPANS, &scratch, (struct otlp_steps){ 0 }, &out));
    struct json_writer w = json_writer_on(&out);
    CHECK_OK(otlp_encode_json(&t, rows, SPANS, &scratch, (struct otlp_steps){ 0 }, &otlp_traces_data,
                              OTLP_FLAVOUR_TEMPO, &w));
    otlp_decoder_free(d);
    span_table_fini(&t);
    arena_fini(&a), arena_fini(&scratch);
    buf_fini(&body), buf_fini(&out);
    random_fini(&g);
}

TEST(decode_survives_every_failing_allocation) {
    struct random_otlp g;
    struct buf body;
    struct arena a;
    random_init(&g, (struct random_opts){ .rand = test_rand, .spans_max = 6 });
    buf_init(&body, 64 << 20);
    arena_init(&a, SIZE_MAX, NULL);
    random_request(&g, &body);
    bool failed = true;
    for (uint64_t nth = 1; failed; nth++) {
        struct span_table t;
        struct otlp_decoder *d = NULL;
        struct otlp_check c;
        struct err_ctx ctx = { 0 };
        uint32_t added;
        mem_fail_at(nth, true);
        span_table_init(&t, SIZE_MAX, NULL);
        enum err e = otlp_decoder_new(&t, &d);
        if (e == ERR_OK) e = otlp_check(buf_view(&body), &a, &c, &ctx);
        if (e == ERR_OK) e = otlp_decode(d, buf_view(&body), c.refused, c.n_refused, &added);
        failed = e != ERR_OK;
        CHECK(e == ERR_OK || e == ERR_NOMEM);
        mem_fail_at(0, false);
        otlp_decoder_free(d);
        span_table_fini(&t);
        arena_reset(&a);
        CHECK(nth < 100000);
    }
    arena_fini(&a);
    buf_fini(&body);
    random_fini(&g);
}

TEST(check_names_its_reasons) {
    static const struct {
        struct str body;
        enum otlp_refuse why;
    } rows[] = {
        { STR("\x0a\x06\x12\x04\x12\x02\x0a\x00"), OTLP_REFUSE_TRACE_ID },
        { STR("\x0a\x18\x12\x16\x12\x14\x0a\x10"
              "0123456789abcdef\x12\x00"),
          OTLP_REFUSE_SPAN_ID },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct arena a;
        struct otlp_check c;
        struct err_ctx ctx = { 0 };
        arena_init(&a, 1 << 20, NULL);
        CHECK_OK(otlp_check(test_exact(rows[i].body), &a, &c, &ctx));
        CHECK_U64(c.n_spans, 1);
        CHECK_U64(c.n_refused, 1);
        CHECK_U64(c.by_reason[rows[i].why], 1);
        CHECK(otlp_check(str_sub(rows[i].body, 0, rows[i].body.len - 1), &a, &c, &ctx) == ERR_INVALID);
        CHECK(ctx.text[0] != '\0');
        arena_fini(&a);
    }
}
