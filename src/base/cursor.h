// SPDX-License-Identifier: Apache-2.0
// Reading and writing bytes in a defined order. A reader has a sticky error: after the first read
// past the end every read gives zero and `bad` is set, so a decoder is straight-line code that
// checks once. Writers append to a struct buf, whose error sticks as well.
#pragma once

#include "base/str.h"

struct reader {
    const uint8_t *pos, *end;
    bool bad;
};

static inline struct reader reader_of(struct str s) {
    if (!s.ptr) s = STR(""); // arithmetic on NULL is not defined
    return (struct reader){ (const uint8_t *)s.ptr, (const uint8_t *)s.ptr + s.len, false };
}
static inline size_t rd_left(const struct reader *r) {
    return (size_t)(r->end - r->pos);
}
static inline const uint8_t *rd_take_(struct reader *r, size_t n) {
    if (__builtin_expect(rd_left(r) < n, 0)) {
        r->bad = true;
        r->pos = r->end;
        return NULL;
    }
    const uint8_t *p = r->pos;
    r->pos += n;
    return p;
}
static inline uint8_t rd_u8(struct reader *r) {
    const uint8_t *p = rd_take_(r, 1);
    return p ? *p : 0;
}
static inline uint16_t rd_u16le(struct reader *r) {
    const uint8_t *p = rd_take_(r, 2);
    uint16_t v = 0;
    if (p) memcpy(&v, p, 2);
    return v;
}
static inline uint32_t rd_u32le(struct reader *r) {
    const uint8_t *p = rd_take_(r, 4);
    uint32_t v = 0;
    if (p) memcpy(&v, p, 4);
    return v;
}
static inline uint64_t rd_u64le(struct reader *r) {
    const uint8_t *p = rd_take_(r, 8);
    uint64_t v = 0;
    if (p) memcpy(&v, p, 8);
    return v;
}
static inline struct str rd_bytes(struct reader *r, size_t n) {
    const uint8_t *p = rd_take_(r, n);
    return (struct str){ (const char *)p, p ? n : 0 };
}
uint64_t rd_varint_slow_(struct reader *r);
// Base-128 varint of up to 10 bytes (protobuf, Thrift). Longer or cut short: bad.
static inline uint64_t rd_varint(struct reader *r) {
    if (__builtin_expect(r->pos < r->end && *r->pos < 0x80, 1)) return *r->pos++;
    return rd_varint_slow_(r);
}
static inline int64_t rd_zigzag(struct reader *r) {
    uint64_t v = rd_varint(r);
    return (int64_t)(v >> 1) ^ -(int64_t)(v & 1);
}

void wr_u8(struct buf *b, uint8_t v);
void wr_u16le(struct buf *b, uint16_t v);
void wr_u32le(struct buf *b, uint32_t v);
void wr_u64le(struct buf *b, uint64_t v);
void wr_varint_slow_(struct buf *b, uint64_t v);
static inline void wr_varint(struct buf *b, uint64_t v) {
    if (__builtin_expect(v < 0x80, 1))
        buf_char(b, (char)v);
    else
        wr_varint_slow_(b, v);
}
void wr_zigzag(struct buf *b, int64_t v);

static inline size_t varint_size(uint64_t v) {
    return v == 0 ? 1 : (size_t)(63 - __builtin_clzll(v)) / 7 + 1;
}
