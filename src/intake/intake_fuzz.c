// SPDX-License-Identifier: Apache-2.0
// Any request to any source: "SOURCE\nHeader: value\n…\n\nbody". Refused with a message, or events whose
// claims are good, and which say as much when they are read again from what is kept.
#include "intake/intake.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { HEADERS = 8, RECEIVED_S = 1781524800 };

static unsigned headers_read(struct str *rest, struct intake_header *headers) {
    struct str line;
    unsigned n = 0;
    while (str_cut(*rest, '\n', &line, rest) && line.len)
        if (n < HEADERS && str_cut(line, ':', &headers[n].name, &headers[n].value)) {
            headers[n].value = str_trim(headers[n].value);
            n++;
        }
    return n;
}

static void read_again(struct arena *a, const struct intake_request *r, const struct intake_event *e) {
    struct intake again;
    struct err_ctx ctx = { 0 };
    struct intake_request kept = {
        .source = r->source, .body = e->body, .received = r->received, .kept_id = e->id, .kept_type = e->type
    };
    if (intake_read(&kept, a, &again, &ctx) != ERR_OK) {
        ASSERT(a->failed);
        return;
    }
    ASSERT(again.n == 1 && again.events->claims.n == e->claims.n && again.events->known == e->known);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct intake_header headers[HEADERS];
    struct str rest = { (const char *)data, size };
    struct intake_request r = { .headers = headers, .received = RECEIVED_S * INT64_C(1000000000) };
    struct intake_secret secret = { STR("secret") };
    struct arena a;
    struct intake in;
    struct err_ctx ctx = { 0 };
    (void)str_cut(rest, '\n', &r.source, &rest);
    (void)str_cut(r.source, '?', &r.source, &r.query);
    r.n_headers = headers_read(&rest, headers);
    r.body = rest;
    arena_init(&a, 64 << 20, NULL);
    (void)!intake_check(&r, &secret, 1, &ctx);
    ctx = (struct err_ctx){ 0 };
    enum err e = intake_read(&r, &a, &in, &ctx);
    ASSERT(e == ERR_OK || e == ERR_NOMEM || ctx.text[0]);
    for (unsigned i = 0; e == ERR_OK && i < in.n; i++) {
        ASSERT(claims_end(&in.events[i].claims, &ctx) == ERR_OK);
        ASSERT(in.events[i].known || in.events[i].claims.n == 0);
        ASSERT(in.events[i].aside.len == 0 || in.events[i].claims.n == 0);
        if (i < 20) read_again(&a, &r, &in.events[i]);
    }
    arena_fini(&a);
    return 0;
}
