// SPDX-License-Identifier: Apache-2.0
// Framing of bodies (unary gRPC, known and unknown length): the result does not depend on the cuts,
// no more is reserved than asked for, nothing is taken beyond the limit. The first two bytes choose
// the kind, the limit and the cuts.
#include "net/body.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct outcome {
    enum body_next next;
    uint64_t len, sum, reserved;
    bool compressed;
};

static enum body_next feed(struct body *b, struct str *in, uint64_t *reserved) {
    for (;;) {
        enum body_next r = body_feed(b, in);
        if (r != BODY_RESERVE) return r;
        ASSERT(b->need > 0 && b->need <= b->max + BODY_OVERHEAD);
        *reserved += b->need;
        if (!body_grow(b, NULL)) abort();
    }
}

static struct outcome run(enum body_mode mode, uint64_t length, uint64_t max, struct str in, size_t cut) {
    struct outcome o = { .next = BODY_MORE };
    struct body b;
    body_init(&b, mode, length, max);
    size_t left = 0;
    while (in.len && o.next == BODY_MORE) {
        size_t n = in.len < cut ? in.len : cut;
        char *block = malloc(n);
        if (!block) abort();
        memcpy(block, in.ptr, n);
        struct str piece = { block, n };
        in = str_sub(in, n, in.len);
        o.next = feed(&b, &piece, &o.reserved);
        left = piece.len;
        free(block);
    }
    if (o.next == BODY_FULL && in.len + left) o.next = BODY_BAD; // here: more than announced
    if (o.next == BODY_FULL) o.next = BODY_MORE;
    uint64_t excess = 0;
    if (o.next == BODY_MORE) o.next = body_end(&b, &excess);
    if (o.next == BODY_MORE && b.block) {
        o.len = b.block->len;
        ASSERT(o.len <= max && body_reserved(&b) == o.reserved - excess);
        for (size_t i = 0; i < b.block->len + NET_BODY_PADDING; i++) o.sum = o.sum * 31 + b.block->data[i];
        if (mode == BODY_GRPC) ASSERT(o.len == b.want);
    }
    o.compressed = b.compressed;
    if (mode == BODY_OPEN || o.next != BODY_MORE) o.reserved = 0; // depends on the cuts
    body_fini(&b);
    return o;
}

static void texts(struct str s) {
    uint64_t ns;
    struct buf b;
    (void)!grpc_timeout(s, &ns);
    (void)grpc_is_content_type(s);
    buf_init(&b, 4 * s.len + 100);
    grpc_message_encode(&b, s);
    ASSERT(!b.failed && b.len >= s.len);
    for (size_t i = 0; i < b.len; i++) ASSERT(b.ptr[i] >= 0x20 && b.ptr[i] < 0x7f);
    buf_fini(&b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size < 2) return 0;
    struct str in = { (const char *)data + 2, size - 2 };
    enum body_mode mode = (enum body_mode)(BODY_LENGTH + data[0] % 3);
    uint64_t max = (uint64_t)1 << (data[0] >> 2 & 31);
    size_t cut = 1 + data[1];
    struct outcome a = run(mode, in.len, max, in, SIZE_MAX), b = run(mode, in.len, max, in, cut);
    ASSERT(a.next == b.next && a.len == b.len && a.sum == b.sum && a.reserved == b.reserved);
    ASSERT(a.compressed == b.compressed);
    texts(in);
    return 0;
}
