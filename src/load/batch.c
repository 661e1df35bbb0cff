// SPDX-License-Identifier: Apache-2.0
#include "load/batch.h"

#include "base/pb.h"

enum { GROUPS = SHOP_PODS * SHOP_SCOPES };

void batch_init(struct batch *b, size_t limit_bytes) {
    *b = (struct batch){ 0 };
    buf_init(&b->bytes, limit_bytes);
}

void batch_fini(struct batch *b) {
    buf_fini(&b->bytes);
    mem_free(b->spans);
    *b = (struct batch){ 0 };
}

void batch_reset(struct batch *b) {
    buf_reset(&b->bytes);
    b->n = b->n_sent = 0;
}

struct buf *batch_begin(struct batch *b, uint16_t pod, enum shop_scope scope) {
    struct batch_span *spans = mem_grow(b->spans, b->n, &b->cap, sizeof *spans);
    b->bytes.failed |= !spans;
    if (spans) b->spans = spans;
    if (b->n < b->cap) b->spans[b->n] = (struct batch_span){ b->bytes.len, 0, pod, (uint8_t)scope };
    b->mark = pb_begin(&b->bytes, 2);
    return &b->bytes;
}

enum err batch_end(struct batch *b) {
    pb_end(&b->bytes, b->mark);
    if (b->bytes.failed) return ERR_NOMEM;
    b->spans[b->n].len = (uint32_t)(b->bytes.len - b->spans[b->n].off);
    b->n++;
    return ERR_OK;
}

static unsigned group_of(const struct batch_span *s) {
    return s->pod * SHOP_SCOPES + s->scope;
}

// Writes the spans of one resource, which stand in order[from, to).
static void resource_spans(const struct batch *b, const struct shop *shop, const uint32_t *order, size_t from,
                           size_t to, struct buf *out) {
    const struct batch_span *first = &b->spans[order[from]];
    size_t resource = pb_begin(out, 1), scope = 0;
    pb_bytes(out, 1, shop->services[first->pod / SHOP_VERSIONS].pods[first->pod % SHOP_VERSIONS].resource);
    for (size_t i = from; i < to; i++) {
        const struct batch_span *s = &b->spans[order[i]];
        if (i == from || s->scope != b->spans[order[i - 1]].scope) {
            if (i > from) pb_end(out, scope);
            scope = pb_begin(out, 2);
            pb_bytes(out, 1, shop->scopes[s->scope]);
        }
        buf_add(out, b->bytes.ptr + s->off, s->len);
    }
    pb_end(out, scope);
    pb_end(out, resource);
}

enum err batch_request(struct batch *b, const struct shop *shop, size_t max_spans, struct buf *out,
                       size_t *out_spans) {
    size_t n = b->n - b->n_sent < max_spans ? b->n - b->n_sent : max_spans, base = b->n_sent;
    *out_spans = 0;
    if (n == 0) return ERR_OK;
    uint32_t *order = mem_alloc(n * sizeof *order), start[GROUPS + 1] = { 0 };
    if (!order) return ERR_NOMEM;
    for (size_t i = 0; i < n; i++) start[group_of(&b->spans[base + i]) + 1]++;
    for (size_t g = 0; g < GROUPS; g++) start[g + 1] += start[g];
    for (size_t i = 0; i < n; i++) order[start[group_of(&b->spans[base + i])]++] = (uint32_t)(base + i);
    for (size_t from = 0, to = 1; from < n; from = to++) {
        while (to < n && b->spans[order[to]].pod == b->spans[order[from]].pod) to++;
        resource_spans(b, shop, order, from, to, out);
    }
    mem_free(order);
    if (out->failed) return ERR_LIMIT;
    b->n_sent += (uint32_t)n;
    *out_spans = n;
    return ERR_OK;
}
