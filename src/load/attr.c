// SPDX-License-Identifier: Apache-2.0
#include "load/attr.h"

#include <stdio.h>

// The KeyValue up to its AnyValue, whose encoding has value_len bytes.
static void head(struct buf *b, uint32_t field, const char *key, size_t value_len) {
    struct str k = str_of(key);
    size_t key_len = 1 + varint_size(k.len) + k.len;
    pb_tag(b, field, PB_BYTES);
    wr_varint(b, key_len + 1 + varint_size(value_len) + value_len);
    pb_bytes(b, 1, k);
    pb_tag(b, 2, PB_BYTES);
    wr_varint(b, value_len);
}

void attr_str(struct buf *b, uint32_t field, const char *key, struct str value) {
    head(b, field, key, 1 + varint_size(value.len) + value.len);
    pb_bytes(b, 1, value);
}

void attr_int(struct buf *b, uint32_t field, const char *key, uint64_t value) {
    head(b, field, key, 1 + varint_size(value));
    pb_tag(b, 3, PB_VARINT);
    wr_varint(b, value);
}

void attr_bool(struct buf *b, uint32_t field, const char *key, bool value) {
    head(b, field, key, 2);
    pb_tag(b, 2, PB_VARINT);
    wr_varint(b, value);
}

void attr_double(struct buf *b, uint32_t field, const char *key, double value) {
    uint64_t bits;
    memcpy(&bits, &value, 8);
    head(b, field, key, 9);
    pb_fixed64(b, 4, bits);
}

void attr_fmt(struct buf *b, uint32_t field, const char *key, const char *fmt, ...) {
    char text[512];
    va_list args;
    va_start(args, fmt);
    int n = vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    ASSERT(n >= 0 && (size_t)n < sizeof text);
    attr_str(b, field, key, (struct str){ text, (size_t)n });
}
