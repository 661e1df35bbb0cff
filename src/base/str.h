// SPDX-License-Identifier: Apache-2.0
// Borrowed slices of bytes (struct str) and the growing buffer that owns its bytes (struct buf).
#pragma once

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"

// A slice by value. Not NUL-terminated; the bytes belong to somebody else.
struct str {
    const char *ptr;
    size_t len;
};

#define STR(lit) ((struct str){ "" lit, sizeof(lit) - 1 })
#define STR_ARG(s) (int)(s).len, (s).ptr // for "%.*s"

static inline struct str str_of(const char *z) {
    return (struct str){ z, z ? strlen(z) : 0 };
}
// Are n bytes equal? Those of short texts are compared without a call.
static inline bool bytes_eq(const char *a, const char *b, size_t n) {
    uint64_t x, y, u, v;
    if (n > 16) return memcmp(a, b, n) == 0;
    if (n >= 8) {
        memcpy(&x, a, 8), memcpy(&y, b, 8);
        memcpy(&u, a + n - 8, 8), memcpy(&v, b + n - 8, 8);
        return ((x ^ y) | (u ^ v)) == 0;
    }
    if (n >= 4) {
        uint32_t p, q, r, s;
        memcpy(&p, a, 4), memcpy(&q, b, 4);
        memcpy(&r, a + n - 4, 4), memcpy(&s, b + n - 4, 4);
        return ((p ^ q) | (r ^ s)) == 0;
    }
    return n == 0 || (a[0] == b[0] && a[n / 2] == b[n / 2] && a[n - 1] == b[n - 1]);
}
static inline bool str_eq(struct str a, struct str b) {
    return a.len == b.len && bytes_eq(a.ptr, b.ptr, a.len);
}
static inline struct str str_sub(struct str s, size_t from, size_t len) {
    if (from > s.len) from = s.len;
    if (len > s.len - from) len = s.len - from;
    return (struct str){ from ? s.ptr + from : s.ptr, len }; // NULL + 0 is not defined in C
}
static inline bool str_starts(struct str s, struct str prefix) {
    return s.len >= prefix.len && str_eq(str_sub(s, 0, prefix.len), prefix);
}
static inline bool str_ends(struct str s, struct str tail) {
    return s.len >= tail.len && str_eq(str_sub(s, s.len - tail.len, tail.len), tail);
}
bool str_eq_nocase(struct str a, struct str b); // ASCII only
int str_cmp(struct str a, struct str b);        // byte order; the shorter first
ptrdiff_t str_find(struct str s, char c);       // index, or -1
struct str str_trim(struct str s);              // without spaces and tabs at both ends
struct str str_dup(struct arena *a, struct str s);
struct str str_dup_lower(struct arena *a, struct str s); // ASCII only
char *str_z(struct arena *a, struct str s);              // NUL-terminated copy
struct str str_fmt(struct arena *a, const char *fmt, ...) PRINTF_LIKE(2, 3);
// Cuts s at the first c: *head before it, *tail after it. Without a c: head = s, tail = "", false.
bool str_cut(struct str s, char c, struct str *head, struct str *tail);
bool str_is_utf8(struct str s); // well-formed UTF-8, as Unicode defines it
// ASCII by words; the last one overlaps what was looked at.
static inline bool str_is_ascii(struct str s) {
    uint64_t bits = 0, w = 0;
    if (s.len < 8) {
        for (size_t i = 0; i < s.len; i++) bits |= (unsigned char)s.ptr[i];
        return bits < 0x80;
    }
    for (size_t i = 0; i + 8 <= s.len; i += 8) {
        memcpy(&w, s.ptr + i, 8);
        bits |= w;
    }
    memcpy(&w, s.ptr + s.len - 8, 8);
    return ((bits | w) & 0x8080808080808080u) == 0;
}
// Length of the well-formed UTF-8 sequence at the start of s (not empty), or 0 when there is none.
size_t str_utf8_len(struct str s);
// How many columns a terminal takes for s: two for wide characters (East Asian, emoji), none for marks that
// lie on the one before, one for all else, and for each byte that is no UTF-8.
size_t str_columns(struct str s);
// The number of one sequence of UTF-8.
uint32_t str_code_point(struct str character);
// Shows nothing, or turns the direction of what follows: for people a control character. One sequence of
// UTF-8.
bool str_is_unseen(struct str character);
// Decimal digits only, no sign, no overflow.
NODISCARD bool str_u64(struct str s, uint64_t *out);
NODISCARD bool str_i64(struct str s, int64_t *out); // with an optional '-'

// Lower-case hex of n bytes into out (2n chars, no NUL).
void hex_encode(const void *src, size_t n, char *out);
// Decimal; returns how many digits.
enum { U64_DIGITS = 20 };
size_t u64_print_long_(uint64_t v, char out[static U64_DIGITS]);
static inline size_t u64_print(uint64_t v, char out[static U64_DIGITS]) {
    if (v >= 10) return u64_print_long_(v, out);
    out[0] = (char)('0' + v);
    return 1;
}
// Exactly 2n hex digits (either case) into n bytes; false if any is not one.
NODISCARD bool hex_decode(struct str s, void *out, size_t n);

// A buffer that grows up to a limit. An append that cannot be done sets `failed`, which sticks,
// and leaves the content as it was. thread: one at a time.
struct buf {
    char *ptr;
    size_t len, cap;
    size_t limit;
    bool failed;
    bool pooled; // ptr is of base/pool.h
};

void buf_init(struct buf *b, size_t limit_bytes);
void buf_fini(struct buf *b);
static inline void buf_reset(struct buf *b) {
    b->len = 0;
    b->failed = false;
}
bool buf_reserve_slow_(struct buf *b, size_t extra);
static inline bool buf_reserve(struct buf *b, size_t extra) { // room for `extra` more bytes
    if (__builtin_expect(extra <= b->cap - b->len && !b->failed, 1)) return true;
    return buf_reserve_slow_(b, extra);
}
void buf_add(struct buf *b, const void *src, size_t n);
void buf_str(struct buf *b, struct str s);
void buf_char_slow_(struct buf *b, char c);
static inline void buf_char(struct buf *b, char c) {
    if (__builtin_expect(b->len < b->cap && !b->failed, 1))
        b->ptr[b->len++] = c;
    else
        buf_char_slow_(b, c);
}
void buf_fmt(struct buf *b, const char *fmt, ...) PRINTF_LIKE(2, 3);
void buf_u64(struct buf *b, uint64_t v); // decimal
static inline struct str buf_view(const struct buf *b) {
    return (struct str){ b->ptr, b->len };
}
// Hands the bytes to the caller, who frees them with mem_free; out of the pool: with pool_free. The buffer
// is empty afterwards.
char *buf_take(struct buf *b, size_t *out_len);
// Gives a buffer that has no room yet POOL_BLOCK bytes of base/pool.h; it may grow beyond. false: no memory.
NODISCARD bool buf_pooled(struct buf *b);
