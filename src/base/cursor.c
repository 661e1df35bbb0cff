// SPDX-License-Identifier: Apache-2.0
#include "base/cursor.h"

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "the cursors copy little-endian words");

uint64_t rd_varint_slow_(struct reader *r) {
    const uint8_t *p = r->pos;
    uint64_t v = 0;
    for (unsigned shift = 0; shift < 70 && p < r->end; shift += 7) {
        uint8_t c = *p++;
        if (shift == 63 && c > 1) break; // more than 64 bits
        v |= (uint64_t)(c & 0x7f) << shift;
        if (c >= 0x80) continue;
        r->pos = p;
        return v;
    }
    r->bad = true;
    r->pos = r->end;
    return 0;
}

void wr_u8(struct buf *b, uint8_t v) {
    buf_char(b, (char)v);
}

void wr_u16le(struct buf *b, uint16_t v) {
    buf_add(b, &v, sizeof v);
}

void wr_u32le(struct buf *b, uint32_t v) {
    buf_add(b, &v, sizeof v);
}

void wr_u64le(struct buf *b, uint64_t v) {
    buf_add(b, &v, sizeof v);
}

void wr_varint_slow_(struct buf *b, uint64_t v) {
    uint8_t tmp[10];
    size_t n = 0;
    while (v >= 0x80) {
        tmp[n++] = (uint8_t)(v | 0x80);
        v >>= 7;
    }
    tmp[n++] = (uint8_t)v;
    buf_add(b, tmp, n);
}

void wr_zigzag(struct buf *b, int64_t v) {
    wr_varint(b, ((uint64_t)v << 1) ^ (uint64_t)(v >> 63));
}
