// SPDX-License-Identifier: Apache-2.0
#include "net/body.h"

void body_init(struct body *b, enum body_mode mode, uint64_t length, uint64_t max) {
    *b = (struct body){ .mode = mode, .max = max };
    if (mode != BODY_LENGTH) return;
    b->known = true;
    b->want = length;
}

void body_fini(struct body *b) {
    mem_free(b->block);
    b->block = NULL;
    b->cap = 0;
}

static size_t body_len(const struct body *b) {
    return b->block ? b->block->len : 0;
}

bool body_grow(struct body *b, struct admission *admission) {
    uint64_t reserved = body_reserved(b) + b->need;
    size_t cap = (size_t)(reserved - BODY_OVERHEAD);
    struct net_body *p = mem_realloc(b->block, sizeof *p + cap + NET_BODY_PADDING);
    if (!p) return false;
    if (!b->block) *p = (struct net_body){ .admission = admission };
    p->reserved = reserved;
    b->block = p;
    b->cap = cap;
    b->need = 0;
    return true;
}

static enum body_next ask(struct body *b, uint64_t cap) {
    b->need = cap + BODY_OVERHEAD - body_reserved(b);
    return BODY_RESERVE;
}

static void append(struct body *b, struct str *in, size_t n) {
    if (n) memcpy(b->block->data + b->block->len, in->ptr, n);
    b->block->len += n;
    *in = str_sub(*in, n, in->len);
}

static enum body_next feed_known(struct body *b, struct str *in) {
    if (b->want > b->max) return BODY_TOO_LARGE;
    if (b->want == 0) return BODY_FULL;
    if (!b->block) return ask(b, b->want);
    size_t left = b->cap - b->block->len, n = in->len < left ? in->len : left;
    append(b, in, n);
    return n == left ? BODY_FULL : BODY_MORE;
}

// Doubling, so that a body of n bytes is moved O(log n) times; mostly by remapping pages.
static enum body_next feed_open(struct body *b, struct str *in) {
    size_t len = body_len(b);
    uint64_t total = (uint64_t)len + in->len;
    if (total > b->max) return BODY_TOO_LARGE;
    if (total > b->cap) {
        uint64_t cap = 2 * (uint64_t)b->cap;
        if (cap < BODY_STEP_MIN) cap = BODY_STEP_MIN;
        if (cap < total) cap = total;
        return ask(b, cap < b->max ? cap : b->max);
    }
    if (in->len) append(b, in, in->len);
    return BODY_MORE;
}

static enum body_next feed_grpc(struct body *b, struct str *in) {
    while (b->n_prefix < GRPC_PREFIX && in->len) {
        b->prefix[b->n_prefix++] = (uint8_t)in->ptr[0];
        *in = str_sub(*in, 1, in->len);
    }
    if (b->n_prefix < GRPC_PREFIX) return BODY_MORE;
    if (!b->known) {
        uint32_t be;
        memcpy(&be, b->prefix + 1, sizeof be);
        b->want = __builtin_bswap32(be);
        b->compressed = b->prefix[0] == 1;
        b->known = true;
    }
    if (b->prefix[0] > 1) return BODY_BAD;
    enum body_next r = feed_known(b, in);
    if (r != BODY_FULL) return r;
    return in->len ? BODY_BAD : BODY_MORE; // a second message: not a unary call
}

enum body_next body_feed(struct body *b, struct str *in) {
    switch (b->mode) {
    case BODY_LENGTH: return feed_known(b, in);
    case BODY_OPEN: return feed_open(b, in);
    case BODY_GRPC: return feed_grpc(b, in);
    default: return in->len ? BODY_BAD : BODY_MORE;
    }
}

static uint64_t trim(struct body *b) {
    uint64_t excess = b->cap - b->block->len;
    if (excess <= BODY_SLACK_MAX) return 0;
    struct net_body *p = mem_realloc(b->block, sizeof *p + b->block->len + NET_BODY_PADDING);
    if (!p) return 0; // it stays as large as it is
    b->block = p;
    b->cap = p->len;
    p->reserved -= excess;
    return excess;
}

enum body_next body_end(struct body *b, uint64_t *out_excess) {
    *out_excess = 0;
    if (b->mode == BODY_GRPC && b->n_prefix < GRPC_PREFIX) return BODY_BAD;
    if (b->known && body_len(b) < b->want) return BODY_BAD;
    if (!b->block) return BODY_MORE;
    *out_excess = trim(b);
    memset(b->block->data + b->block->len, 0, NET_BODY_PADDING);
    return BODY_MORE;
}

uint8_t *body_room(struct body *b, size_t *out_n) {
    ASSERT(b->mode == BODY_LENGTH && b->block);
    *out_n = b->cap - b->block->len;
    return b->block->data + b->block->len;
}

void body_advance(struct body *b, size_t n) {
    ASSERT(n <= b->cap - b->block->len);
    b->block->len += n;
}
