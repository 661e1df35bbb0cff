// SPDX-License-Identifier: Apache-2.0
// Any text as OTLP/JSON, any bytes as protobuf: what is accepted must go round in both flavours,
// and the plain decoder must see the same spans on the way.
#include "otlp/json.h"
#include "otlp/plain.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { LIMIT = 16 << 20 };

static void canonical(struct str pb, struct buf *out) {
    struct arena a;
    struct plain_request q;
    arena_init(&a, SIZE_MAX, NULL);
    if (plain_decode(pb, &a, &q) == ERR_OK) ASSERT(plain_canonical(&q, &a, out) == ERR_OK);
    arena_fini(&a);
}

// pb came out of JSON, so it is well-formed: print it, read it, print it.
static void round_trip(struct str pb, enum otlp_flavour flavour) {
    const struct otlp_message *m = &otlp_export_request;
    struct err_ctx ctx = { 0 };
    struct buf json, back, again, x, y;
    struct buf *all[] = { &json, &back, &again, &x, &y };
    for (int i = 0; i < 5; i++) buf_init(all[i], LIMIT);
    ASSERT(otlp_pb_to_json(m, pb, flavour, &json) == ERR_OK);
    ASSERT(otlp_message_from_json(m, flavour, buf_view(&json), &back, &ctx) == ERR_OK);
    ASSERT(otlp_pb_to_json(m, buf_view(&back), flavour, &again) == ERR_OK);
    ASSERT(str_eq(buf_view(&json), buf_view(&again)));
    canonical(pb, &x);
    canonical(buf_view(&back), &y);
    ASSERT(str_eq(buf_view(&x), buf_view(&y)));
    for (int i = 0; i < 5; i++) buf_fini(all[i]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct str in = { (const char *)data, size };
    struct err_ctx ctx = { 0 };
    struct buf pb, json;
    uint64_t unknown;
    buf_init(&pb, LIMIT);
    buf_init(&json, LIMIT);
    enum err e = otlp_json_to_pb(in, &pb, &unknown, &ctx);
    if (e == ERR_OK) {
        round_trip(buf_view(&pb), OTLP_FLAVOUR_OTLP);
        round_trip(buf_view(&pb), OTLP_FLAVOUR_TEMPO);
    } else {
        ASSERT(ctx.text[0] && ctx.line > 0 && pb.len == 0);
        e = otlp_pb_to_json(&otlp_export_request, in, OTLP_FLAVOUR_OTLP, &json);
        ctx = (struct err_ctx){ 0 };
        if (e == ERR_OK) e = otlp_json_to_pb(buf_view(&json), &pb, &unknown, &ctx);
        if (e == ERR_OK) round_trip(buf_view(&pb), OTLP_FLAVOUR_OTLP);
        ASSERT(e == ERR_OK || e == ERR_INVALID || e == ERR_LIMIT);
        ASSERT(e != ERR_INVALID || ctx.text[0] == '\0'); // what was printed can be read
    }
    buf_fini(&pb);
    buf_fini(&json);
    return 0;
}
