// SPDX-License-Identifier: Apache-2.0
#include "base/pb.h"

enum { GROUP_DEPTH_MAX = 32 }; // nested groups only exist in hostile input

static void group_skip(struct reader *r, uint32_t number, int depth) {
    while (!r->bad) {
        uint64_t tag = rd_varint(r);
        switch ((enum pb_wire)(tag & 7)) {
        case PB_VARINT: (void)rd_varint(r); break;
        case PB_FIXED64: (void)rd_u64le(r); break;
        case PB_BYTES: (void)rd_bytes(r, rd_varint(r)); break;
        case PB_FIXED32: (void)rd_u32le(r); break;
        case PB_GROUP:
            if (depth == GROUP_DEPTH_MAX)
                r->bad = true;
            else
                group_skip(r, (uint32_t)(tag >> 3), depth + 1);
            break;
        case PB_END:
            if (tag >> 3 != number) r->bad = true;
            return;
        default: r->bad = true;
        }
    }
}

bool pb_next_slow_(struct reader *r, struct pb_field *out) {
    if (r->bad || r->pos == r->end) return false;
    uint64_t tag = rd_varint(r);
    if (tag >> 3 == 0 || tag >> 3 > (1u << 29) - 1) r->bad = true;
    out->number = (uint32_t)(tag >> 3);
    out->wire = (enum pb_wire)(tag & 7);
    switch (out->wire) {
    case PB_VARINT: out->value = rd_varint(r); break;
    case PB_FIXED64: out->value = rd_u64le(r); break;
    case PB_FIXED32: out->value = rd_u32le(r); break;
    case PB_BYTES: {
        uint64_t n = rd_varint(r);
        out->bytes = rd_bytes(r, n);
        break;
    }
    case PB_GROUP: group_skip(r, out->number, 0); break;
    case PB_END:
    default: r->bad = true;
    }
    return !r->bad;
}

void pb_tag(struct buf *b, uint32_t number, enum pb_wire wire) {
    wr_varint(b, (uint64_t)number << 3 | (uint64_t)wire);
}

void pb_varint(struct buf *b, uint32_t number, uint64_t v) {
    pb_tag(b, number, PB_VARINT);
    wr_varint(b, v);
}

void pb_fixed64(struct buf *b, uint32_t number, uint64_t v) {
    pb_tag(b, number, PB_FIXED64);
    wr_u64le(b, v);
}

void pb_fixed32(struct buf *b, uint32_t number, uint32_t v) {
    pb_tag(b, number, PB_FIXED32);
    wr_u32le(b, v);
}

void pb_bytes(struct buf *b, uint32_t number, struct str s) {
    pb_tag(b, number, PB_BYTES);
    wr_varint(b, s.len);
    buf_str(b, s);
}

size_t pb_begin(struct buf *b, uint32_t number) {
    pb_tag(b, number, PB_BYTES);
    buf_char(b, 0); // the usual length takes one byte
    return b->len;
}

void pb_end(struct buf *b, size_t mark) {
    if (b->failed) return;
    size_t len = b->len - mark, extra = varint_size(len) - 1;
    if (extra) {
        if (!buf_reserve(b, extra)) return;
        memmove(b->ptr + mark + extra, b->ptr + mark, len);
        b->len += extra;
    }
    uint8_t *p = (uint8_t *)b->ptr + mark - 1;
    for (; len >= 0x80; len >>= 7) *p++ = (uint8_t)(len | 0x80);
    *p = (uint8_t)len;
}
