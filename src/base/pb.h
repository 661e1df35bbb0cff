// SPDX-License-Identifier: Apache-2.0
// The protobuf wire format: a cursor over the fields of a message, and writers of fields.
// Source: protobuf.dev, "Encoding". Groups (wire types 3 and 4) are skipped, never produced.
#pragma once

#include "base/cursor.h"

enum pb_wire { PB_VARINT = 0, PB_FIXED64 = 1, PB_BYTES = 2, PB_GROUP = 3, PB_END = 4, PB_FIXED32 = 5 };

struct pb_field {
    uint32_t number;
    enum pb_wire wire;
    uint64_t value;   // varint, fixed64 or fixed32
    struct str bytes; // PB_BYTES: a slice of the input
};

bool pb_next_slow_(struct reader *r, struct pb_field *out);

// Reads the next field. false at the end of the message or on damage (then r->bad is set).
// A group is skipped whole and reported with wire PB_GROUP and no content.
static inline bool pb_next(struct reader *r, struct pb_field *out) {
    const uint8_t *p = r->pos;
    size_t left = (size_t)(r->end - p);
    if (__builtin_expect(left < 2 || p[0] < 8 || p[0] >= 0x80, 0)) return pb_next_slow_(r, out);
    out->number = p[0] >> 3; // a tag of one byte, with what mostly follows it
    out->wire = (enum pb_wire)(p[0] & 7);
    if (out->wire == PB_BYTES) {
        size_t head = 2, n = p[1];
        if (n >= 0x80) {
            if (__builtin_expect(left < 3 || p[2] >= 0x80, 0)) return pb_next_slow_(r, out);
            head = 3;
            n = (n & 0x7f) | (size_t)p[2] << 7;
        }
        if (__builtin_expect(n > left - head, 0)) return pb_next_slow_(r, out);
        out->bytes = (struct str){ (const char *)p + head, n };
        r->pos = p + head + n;
        return true;
    }
    if (out->wire == PB_VARINT && p[1] < 0x80) {
        out->value = p[1];
        r->pos = p + 2;
        return true;
    }
    if (out->wire == PB_FIXED64 && left >= 9) {
        memcpy(&out->value, p + 1, 8);
        r->pos = p + 9;
        return true;
    }
    return pb_next_slow_(r, out);
}

static inline int64_t pb_int64(const struct pb_field *f) {
    return (int64_t)f->value;
}
static inline double pb_double(const struct pb_field *f) {
    double d;
    memcpy(&d, &f->value, sizeof d);
    return d;
}

void pb_tag(struct buf *b, uint32_t number, enum pb_wire wire);
void pb_varint(struct buf *b, uint32_t number, uint64_t v);
void pb_fixed64(struct buf *b, uint32_t number, uint64_t v);
void pb_fixed32(struct buf *b, uint32_t number, uint32_t v);
void pb_bytes(struct buf *b, uint32_t number, struct str s);

// Writes a nested message whose length is not known beforehand: the body is appended between the
// two calls; pb_end puts its length in front (moving the body when the length needs more bytes).
size_t pb_begin(struct buf *b, uint32_t number);
void pb_end(struct buf *b, size_t mark);
