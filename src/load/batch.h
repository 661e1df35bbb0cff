// SPDX-License-Identifier: Apache-2.0
// Encoded spans that wait to be sent, and the request that they become: grouped by resource, then
// by scope, as an SDK sends them.
#pragma once

#include "load/shop.h"

struct batch_span {
    size_t off;
    uint32_t len;
    uint16_t pod;
    uint8_t scope;
};
struct batch {
    struct buf bytes; // whole `spans` fields of a ScopeSpans
    struct batch_span *spans;
    uint32_t n, cap, n_sent;
    size_t mark;
};

void batch_init(struct batch *b, size_t limit_bytes);
void batch_fini(struct batch *b);
void batch_reset(struct batch *b);
// Begins a span; its fields are appended to the buffer that comes back, then batch_end.
struct buf *batch_begin(struct batch *b, uint16_t pod, enum shop_scope scope);
NODISCARD enum err batch_end(struct batch *b);
// Appends a request of at most max_spans unsent spans to `out` and counts them as sent.
NODISCARD enum err batch_request(struct batch *b, const struct shop *shop, size_t max_spans, struct buf *out,
                                 size_t *out_spans);
