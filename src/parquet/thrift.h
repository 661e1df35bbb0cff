// SPDX-License-Identifier: Apache-2.0
// Thrift's compact protocol, as far as Parquet's metadata needs it. Source: apache/thrift,
// doc/specs/thrift-compact-protocol.md. Both directions have a sticky error (in the struct buf, and
// in the struct reader).
#pragma once

#include "base/cursor.h"

enum { THRIFT_DEPTH_MAX = 16 };

enum thrift_type {
    THRIFT_STOP = 0,
    THRIFT_TRUE = 1,
    THRIFT_FALSE = 2,
    THRIFT_BYTE = 3,
    THRIFT_I16 = 4,
    THRIFT_I32 = 5,
    THRIFT_I64 = 6,
    THRIFT_DOUBLE = 7,
    THRIFT_BINARY = 8,
    THRIFT_LIST = 9,
    THRIFT_SET = 10,
    THRIFT_MAP = 11,
    THRIFT_STRUCT = 12,
};

// Writing. Field ids ascend within a struct. thrift_end closes what thrift_begin (the top, or an
// element of a list) or thrift_struct opened.
struct thrift_out {
    struct buf *buf;
    unsigned depth;
    int16_t last[THRIFT_DEPTH_MAX]; // id of the last field of each open struct
};

void thrift_begin(struct thrift_out *t);
void thrift_end(struct thrift_out *t);
void thrift_struct(struct thrift_out *t, int16_t id);
void thrift_bool(struct thrift_out *t, int16_t id, bool v);
void thrift_byte(struct thrift_out *t, int16_t id, int8_t v);
void thrift_i16(struct thrift_out *t, int16_t id, int16_t v);
void thrift_i32(struct thrift_out *t, int16_t id, int32_t v);
void thrift_i64(struct thrift_out *t, int16_t id, int64_t v);
void thrift_binary(struct thrift_out *t, int16_t id, struct str v);
void thrift_list(struct thrift_out *t, int16_t id, enum thrift_type element, size_t n);
void thrift_empty(struct thrift_out *t, int16_t id); // a struct without fields
// Elements of lists: numbers by wr_zigzag, structs between thrift_begin and thrift_end.
void thrift_item_binary(struct thrift_out *t, struct str v);
void thrift_item_bool(struct thrift_out *t, bool v);

// Reading: while (thrift_next(r, &f)) switch (f.id) { … default: thrift_skip(r, &f); }
struct thrift_field { // start with all zero
    int16_t id;
    enum thrift_type type;
};

// false at the end of the struct, and on damage (r->bad).
bool thrift_next(struct reader *r, struct thrift_field *f);
// The value of the field just met. Another type, or a number too wide: r->bad.
bool thrift_get_bool(struct reader *r, const struct thrift_field *f);
int32_t thrift_get_i32(struct reader *r, const struct thrift_field *f);
int64_t thrift_get_i64(struct reader *r, const struct thrift_field *f);
struct str thrift_get_binary(struct reader *r, const struct thrift_field *f);
// true when the field is a struct, whose fields come next.
bool thrift_get_struct(struct reader *r, const struct thrift_field *f);
// The number of elements, of which each takes a byte at least; 0 on damage.
uint32_t thrift_get_list(struct reader *r, const struct thrift_field *f, enum thrift_type element);
struct str thrift_get_item_binary(struct reader *r);
void thrift_skip(struct reader *r, const struct thrift_field *f);
