// SPDX-License-Identifier: Apache-2.0
// Any bytes as the payload of a record of the log: its head, then its body unpacked under a small
// limit. What is read and written again is the same; nothing unpacks past the limit.
#include "ingest/record.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { UNPACKED_MAX = 1 << 16 };

static void unpack(const struct record *r) {
    struct buf out, again;
    struct err_ctx ctx = { 0 };
    buf_init(&out, SIZE_MAX);
    buf_init(&again, SIZE_MAX);
    enum err e = body_unpack(r->packing, r->body, UNPACKED_MAX, &out, &ctx);
    ASSERT(e == ERR_OK || e == ERR_INVALID || e == ERR_LIMIT);
    ASSERT(r->packing == BODY_RAW || out.len <= UNPACKED_MAX);
    ASSERT(e == ERR_OK || ctx.text[0]);
    if (e == ERR_OK && body_pack_lz4(buf_view(&out), &again) == ERR_OK) {
        struct buf back;
        buf_init(&back, SIZE_MAX);
        e = body_unpack(BODY_LZ4, buf_view(&again), out.len, &back, &ctx);
        ASSERT(e == ERR_OK && str_eq(buf_view(&back), buf_view(&out)));
        buf_fini(&back);
    }
    buf_fini(&out);
    buf_fini(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct arena a;
    struct record r;
    struct buf head;
    struct str payload = { (const char *)data, size };
    arena_init(&a, 1 << 24, NULL);
    buf_init(&head, SIZE_MAX);
    if (record_read(payload, &a, &r) == ERR_OK) {
        record_head_write(&r, &head);
        ASSERT(head.len + r.body.len == size && str_starts(payload, buf_view(&head)));
        unpack(&r);
    }
    buf_fini(&head);
    arena_fini(&a);
    return 0;
}
