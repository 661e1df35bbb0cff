// SPDX-License-Identifier: Apache-2.0
#include "parquet/thrift.h"

void thrift_begin(struct thrift_out *t) {
    ASSERT(t->depth < THRIFT_DEPTH_MAX);
    t->last[t->depth++] = 0;
}

void thrift_end(struct thrift_out *t) {
    ASSERT(t->depth > 0);
    wr_u8(t->buf, THRIFT_STOP);
    t->depth--;
}

static void field(struct thrift_out *t, int16_t id, enum thrift_type type) {
    int16_t *last = &t->last[t->depth - 1];
    ASSERT(id > *last);
    if (id - *last <= 15) {
        wr_u8(t->buf, (uint8_t)((id - *last) << 4 | (int)type));
    } else {
        wr_u8(t->buf, (uint8_t)type);
        wr_zigzag(t->buf, id);
    }
    *last = id;
}

void thrift_struct(struct thrift_out *t, int16_t id) {
    field(t, id, THRIFT_STRUCT);
    thrift_begin(t);
}

void thrift_empty(struct thrift_out *t, int16_t id) {
    thrift_struct(t, id);
    thrift_end(t);
}

void thrift_bool(struct thrift_out *t, int16_t id, bool v) {
    field(t, id, v ? THRIFT_TRUE : THRIFT_FALSE);
}

void thrift_byte(struct thrift_out *t, int16_t id, int8_t v) {
    field(t, id, THRIFT_BYTE);
    wr_u8(t->buf, (uint8_t)v);
}

void thrift_i16(struct thrift_out *t, int16_t id, int16_t v) {
    field(t, id, THRIFT_I16);
    wr_zigzag(t->buf, v);
}

void thrift_i32(struct thrift_out *t, int16_t id, int32_t v) {
    field(t, id, THRIFT_I32);
    wr_zigzag(t->buf, v);
}

void thrift_i64(struct thrift_out *t, int16_t id, int64_t v) {
    field(t, id, THRIFT_I64);
    wr_zigzag(t->buf, v);
}

void thrift_binary(struct thrift_out *t, int16_t id, struct str v) {
    field(t, id, THRIFT_BINARY);
    thrift_item_binary(t, v);
}

void thrift_item_binary(struct thrift_out *t, struct str v) {
    wr_varint(t->buf, v.len);
    buf_str(t->buf, v);
}

void thrift_item_bool(struct thrift_out *t, bool v) {
    wr_u8(t->buf, v ? THRIFT_TRUE : THRIFT_FALSE);
}

void thrift_list(struct thrift_out *t, int16_t id, enum thrift_type element, size_t n) {
    field(t, id, THRIFT_LIST);
    if (n < 15) {
        wr_u8(t->buf, (uint8_t)(n << 4 | (size_t)element));
    } else {
        wr_u8(t->buf, (uint8_t)(0xf0 | (unsigned)element));
        wr_varint(t->buf, n);
    }
}

static void bad(struct reader *r) {
    r->bad = true;
    r->pos = r->end;
}

bool thrift_next(struct reader *r, struct thrift_field *f) {
    uint8_t head = rd_u8(r);
    enum thrift_type type = (enum thrift_type)(head & 15);
    if (r->bad || type == THRIFT_STOP) return false;
    int64_t id = head >> 4 ? f->id + (head >> 4) : rd_zigzag(r);
    if (id < 1 || id > INT16_MAX || type > THRIFT_STRUCT) bad(r);
    if (r->bad) return false;
    *f = (struct thrift_field){ (int16_t)id, type };
    return true;
}

bool thrift_get_bool(struct reader *r, const struct thrift_field *f) {
    if (f->type != THRIFT_TRUE && f->type != THRIFT_FALSE) bad(r);
    return f->type == THRIFT_TRUE;
}

int64_t thrift_get_i64(struct reader *r, const struct thrift_field *f) {
    if (f->type == THRIFT_BYTE) return (int8_t)rd_u8(r);
    if (f->type == THRIFT_I16 || f->type == THRIFT_I32 || f->type == THRIFT_I64) return rd_zigzag(r);
    bad(r);
    return 0;
}

int32_t thrift_get_i32(struct reader *r, const struct thrift_field *f) {
    int64_t v = thrift_get_i64(r, f);
    if (v < INT32_MIN || v > INT32_MAX) {
        bad(r);
        return 0;
    }
    return (int32_t)v;
}

struct str thrift_get_item_binary(struct reader *r) {
    uint64_t n = rd_varint(r);
    if (n > rd_left(r)) {
        bad(r);
        return (struct str){ NULL, 0 };
    }
    return rd_bytes(r, (size_t)n);
}

struct str thrift_get_binary(struct reader *r, const struct thrift_field *f) {
    if (f->type == THRIFT_BINARY) return thrift_get_item_binary(r);
    bad(r);
    return (struct str){ NULL, 0 };
}

bool thrift_get_struct(struct reader *r, const struct thrift_field *f) {
    if (f->type != THRIFT_STRUCT) bad(r);
    return !r->bad;
}

// An empty list may name any type of element.
static uint32_t list_head(struct reader *r, enum thrift_type *element) {
    uint8_t head = rd_u8(r);
    *element = (enum thrift_type)(head & 15);
    uint64_t n = head >> 4;
    if (n == 15) n = rd_varint(r);
    if (n > rd_left(r) || n > UINT32_MAX) bad(r);
    return r->bad ? 0 : (uint32_t)n;
}

uint32_t thrift_get_list(struct reader *r, const struct thrift_field *f, enum thrift_type element) {
    if (f->type != THRIFT_LIST) {
        bad(r);
        return 0;
    }
    enum thrift_type found;
    uint32_t n = list_head(r, &found);
    bool both_bool = (found == THRIFT_TRUE || found == THRIFT_FALSE) && element == THRIFT_TRUE;
    if (n > 0 && found != element && !both_bool) {
        bad(r);
        return 0;
    }
    return n;
}

static void skip(struct reader *r, enum thrift_type type, unsigned depth);

static void skip_list(struct reader *r, unsigned depth) {
    enum thrift_type element;
    uint32_t n = list_head(r, &element);
    // In a list a bool is a byte of its own.
    if (element == THRIFT_TRUE || element == THRIFT_FALSE) element = THRIFT_BYTE;
    for (uint32_t i = 0; i < n && !r->bad; i++) skip(r, element, depth);
}

static void skip_map(struct reader *r, unsigned depth) {
    uint64_t n = rd_varint(r);
    if (n == 0 || r->bad) return;
    uint8_t kinds = rd_u8(r);
    if (n > rd_left(r)) bad(r);
    for (uint64_t i = 0; i < n && !r->bad; i++) {
        enum thrift_type pair[2] = { (enum thrift_type)(kinds >> 4), (enum thrift_type)(kinds & 15) };
        for (int k = 0; k < 2; k++)
            skip(r, pair[k] == THRIFT_TRUE || pair[k] == THRIFT_FALSE ? THRIFT_BYTE : pair[k], depth);
    }
}

static void skip(struct reader *r, enum thrift_type type, unsigned depth) {
    if (depth >= THRIFT_DEPTH_MAX) {
        bad(r);
        return;
    }
    struct thrift_field f = { 0 };
    switch (type) {
    case THRIFT_TRUE:
    case THRIFT_FALSE: break;
    case THRIFT_BYTE: (void)rd_u8(r); break;
    case THRIFT_I16:
    case THRIFT_I32:
    case THRIFT_I64: (void)rd_varint(r); break;
    case THRIFT_DOUBLE: (void)rd_u64le(r); break;
    case THRIFT_BINARY: (void)thrift_get_item_binary(r); break;
    case THRIFT_LIST:
    case THRIFT_SET: skip_list(r, depth + 1); break;
    case THRIFT_MAP: skip_map(r, depth + 1); break;
    case THRIFT_STRUCT:
        while (thrift_next(r, &f)) skip(r, f.type, depth + 1);
        break;
    case THRIFT_STOP:
    default: bad(r);
    }
}

void thrift_skip(struct reader *r, const struct thrift_field *f) {
    skip(r, f->type, 0);
}
