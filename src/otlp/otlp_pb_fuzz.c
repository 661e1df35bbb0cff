// SPDX-License-Identifier: Apache-2.0
// Any bytes as an export request: what the check lets through the decoder takes, and what comes out
// of the columns is what the plain decoder reads in the same bytes, but for the refused spans.
#include "otlp/check.h"
#include "otlp/decode.h"
#include "otlp/encode.h"
#include "otlp/plain.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { LIMIT = 64 << 20 };

static bool is_refused(const struct otlp_check *c, uint32_t ordinal) {
    for (uint32_t i = 0; i < c->n_refused; i++)
        if (c->refused[i] == ordinal) return true;
    return false;
}

// The sorted lines of the spans that were not refused. false: nested too deeply for the plain decoder.
static bool lines_of(struct str pb, const struct otlp_check *c, struct arena *a, struct buf *out) {
    struct plain_request q;
    struct buf all;
    uint32_t ordinal = 0;
    if (plain_decode(pb, a, &q) != ERR_OK) return false;
    buf_init(&all, LIMIT);
    for (struct plain_resource_spans *r = q.resources; r; r = r->next)
        for (struct plain_scope_spans *s = r->scopes; s; s = s->next)
            for (struct plain_span *sp = s->spans; sp; sp = sp->next, ordinal++) {
                if (c && is_refused(c, ordinal)) continue;
                ASSERT(plain_span_text(r, s, sp, a, &all) == ERR_OK);
                buf_char(&all, '\n');
            }
    ASSERT(plain_sort(buf_view(&all), false, a, out) == ERR_OK);
    buf_fini(&all);
    return true;
}

static void round_trip(struct str body, const struct otlp_check *c, struct arena *a) {
    struct span_table t;
    struct otlp_decoder *d;
    struct buf pb, want, got;
    uint32_t added;
    span_table_init(&t, SIZE_MAX, NULL);
    buf_init(&pb, LIMIT), buf_init(&want, LIMIT), buf_init(&got, LIMIT);
    ASSERT(otlp_decoder_new(&t, &d) == ERR_OK);
    ASSERT(otlp_decode(d, body, c->refused, c->n_refused, &added) == ERR_OK);
    ASSERT(added == c->n_spans - c->n_refused && t.n == added);
    uint32_t *rows = ARENA_ARRAY(a, added + 1ull, uint32_t);
    for (uint32_t i = 0; i < added; i++) rows[i] = i;
    ASSERT(otlp_encode(&t, rows, added, a, (struct otlp_steps){ 0 }, &pb) == ERR_OK);
    if (lines_of(body, c, a, &want)) {
        ASSERT(lines_of(buf_view(&pb), NULL, a, &got));
        ASSERT(str_eq(buf_view(&want), buf_view(&got)));
    }
    buf_fini(&pb), buf_fini(&want), buf_fini(&got);
    otlp_decoder_free(d);
    span_table_fini(&t);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct str body = { (const char *)data, size };
    struct arena a;
    struct otlp_check c;
    struct err_ctx ctx = { 0 };
    arena_init(&a, SIZE_MAX, NULL);
    enum err e = otlp_check(body, &a, &c, &ctx);
    ASSERT(e == ERR_OK || (e == ERR_INVALID && ctx.text[0]));
    if (e == ERR_OK) round_trip(body, &c, &a);
    arena_fini(&a);
    return 0;
}
