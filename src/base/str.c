// SPDX-License-Identifier: Apache-2.0
#include "base/str.h"

#include <stdio.h>

#include "base/pool.h"

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

static char lower(char c) {
    return c >= 'A' && c <= 'Z' ? (char)(c + 32) : c;
}

bool str_eq_nocase(struct str a, struct str b) {
    if (a.len != b.len) return false;
    for (size_t i = 0; i < a.len; i++)
        if (lower(a.ptr[i]) != lower(b.ptr[i])) return false;
    return true;
}

int str_cmp(struct str a, struct str b) {
    size_t n = a.len < b.len ? a.len : b.len;
    int c = n ? memcmp(a.ptr, b.ptr, n) : 0;
    return c ? c : (a.len > b.len) - (a.len < b.len);
}

ptrdiff_t str_find(struct str s, char c) {
    const char *p = s.len ? memchr(s.ptr, c, s.len) : NULL;
    return p ? p - s.ptr : -1;
}

struct str str_trim(struct str s) {
    while (s.len && (*s.ptr == ' ' || *s.ptr == '\t')) s.ptr++, s.len--;
    while (s.len && (s.ptr[s.len - 1] == ' ' || s.ptr[s.len - 1] == '\t')) s.len--;
    return s;
}

struct str str_dup(struct arena *a, struct str s) {
    char *p = arena_copy(a, s.ptr, s.len);
    return (struct str){ p, p ? s.len : 0 };
}

struct str str_dup_lower(struct arena *a, struct str s) {
    char *p = arena_copy(a, s.ptr, s.len);
    for (size_t i = 0; p && i < s.len; i++)
        if (p[i] >= 'A' && p[i] <= 'Z') p[i] = (char)(p[i] - 'A' + 'a');
    return (struct str){ p, p ? s.len : 0 };
}

char *str_z(struct arena *a, struct str s) {
    char *p = arena_alloc(a, s.len + 1);
    if (!p) return NULL;
    if (s.len) memcpy(p, s.ptr, s.len);
    p[s.len] = '\0';
    return p;
}

struct str str_fmt(struct arena *a, const char *fmt, ...) {
    va_list args, again;
    va_start(args, fmt);
    va_copy(again, args);
    int n = vsnprintf(NULL, 0, fmt, args);
    va_end(args);
    char *p = n < 0 ? NULL : arena_alloc(a, (size_t)n + 1);
    if (p) (void)vsnprintf(p, (size_t)n + 1, fmt, again);
    va_end(again);
    return (struct str){ p, p ? (size_t)n : 0 };
}

bool str_cut(struct str s, char c, struct str *head, struct str *tail) {
    ptrdiff_t i = str_find(s, c);
    *head = i < 0 ? s : str_sub(s, 0, (size_t)i);
    *tail = i < 0 ? STR("") : str_sub(s, (size_t)i + 1, s.len);
    return i >= 0;
}

// Unicode 15, table 3-7: no overlong forms, no surrogates, nothing above U+10FFFF.
size_t str_utf8_len(struct str s) {
    const unsigned char *p = (const unsigned char *)s.ptr;
    unsigned char c = p[0];
    if (c < 0x80) return 1;
    if (c < 0xc2 || c > 0xf4) return 0;
    size_t len = c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;
    if (s.len < len) return 0;
    unsigned char low = 0x80, high = 0xbf;
    if (c == 0xe0) low = 0xa0;
    if (c == 0xed) high = 0x9f;
    if (c == 0xf0) low = 0x90;
    if (c == 0xf4) high = 0x8f;
    if (p[1] < low || p[1] > high) return 0;
    for (size_t i = 2; i < len; i++)
        if ((p[i] & 0xc0) != 0x80) return 0;
    return len;
}

bool str_is_utf8(struct str s) {
    if (__builtin_expect(str_is_ascii(s), 1)) return true; // nearly all text there is
    for (size_t i = 0, n; i < s.len; i += n) {
        n = str_utf8_len(str_sub(s, i, s.len));
        if (n == 0) return false;
    }
    return true;
}

// --- characters on a terminal ------------------------------------------------------------------------------

uint32_t str_code_point(struct str character) {
    static const unsigned char first[] = { 0, 0x7f, 0x1f, 0x0f, 0x07 };
    uint32_t c = (unsigned char)character.ptr[0] & first[character.len];
    for (size_t i = 1; i < character.len; i++) c = c << 6 | ((unsigned char)character.ptr[i] & 0x3f);
    return c;
}

struct range {
    uint32_t first, last;
};

static bool is_in(const struct range *ranges, size_t n, uint32_t c) {
    size_t low = 0, high = n;
    while (low < high) {
        size_t mid = (low + high) / 2;
        if (c > ranges[mid].last)
            low = mid + 1;
        else
            high = mid;
    }
    return low < n && c >= ranges[low].first;
}
#define IS_IN(ranges, c) is_in(ranges, sizeof(ranges) / sizeof *(ranges), c)

bool str_is_unseen(struct str character) {
    static const struct range unseen[] = { { 0, 0x1f },        { 0x7f, 0x9f },     { 0x61c, 0x61c },
                                           { 0x200b, 0x200f }, { 0x2028, 0x202e }, { 0x2060, 0x206f },
                                           { 0xfeff, 0xfeff }, { 0xfff9, 0xfffb }, { 0xe0000, 0xe007f } };
    return IS_IN(unseen, str_code_point(character));
}

// Unicode 15, EastAsianWidth W and F, and what stands in general categories Mn and Me of the scripts in use.
static const struct range wide[] = {
    { 0x1100, 0x115f },   { 0x231a, 0x231b },   { 0x23e9, 0x23ec },   { 0x25fd, 0x25fe },
    { 0x2614, 0x2615 },   { 0x2648, 0x2653 },   { 0x26a1, 0x26a1 },   { 0x26bd, 0x26be },
    { 0x26c4, 0x26c5 },   { 0x26ce, 0x26ce },   { 0x26d4, 0x26d4 },   { 0x26ea, 0x26ea },
    { 0x26f2, 0x26f5 },   { 0x26fa, 0x26fd },   { 0x2705, 0x2705 },   { 0x270a, 0x270b },
    { 0x2728, 0x2728 },   { 0x274c, 0x274e },   { 0x2753, 0x2757 },   { 0x2795, 0x2797 },
    { 0x2b1b, 0x2b1c },   { 0x2b50, 0x2b55 },   { 0x2e80, 0x303e },   { 0x3041, 0x4dbf },
    { 0x4e00, 0xa4cf },   { 0xa960, 0xa97c },   { 0xac00, 0xd7a3 },   { 0xf900, 0xfaff },
    { 0xfe10, 0xfe19 },   { 0xfe30, 0xfe6b },   { 0xff01, 0xff60 },   { 0xffe0, 0xffe6 },
    { 0x16fe0, 0x18cff }, { 0x1aff0, 0x1b2fb }, { 0x1f18e, 0x1f19a }, { 0x1f200, 0x1f320 },
    { 0x1f32d, 0x1f64f }, { 0x1f680, 0x1f6ff }, { 0x1f7e0, 0x1f7f0 }, { 0x1f90c, 0x1f9ff },
    { 0x1fa70, 0x1faff }, { 0x20000, 0x3fffd },
};
static const struct range lying_on[] = {
    { 0x300, 0x36f },   { 0x483, 0x489 },   { 0x591, 0x5bd },   { 0x610, 0x61a },     { 0x64b, 0x65f },
    { 0x93c, 0x93c },   { 0x941, 0x948 },   { 0x94d, 0x94d },   { 0xe31, 0xe31 },     { 0xe34, 0xe3a },
    { 0xe47, 0xe4e },   { 0x1ab0, 0x1aff }, { 0x1dc0, 0x1dff }, { 0x20d0, 0x20f0 },   { 0x302a, 0x302d },
    { 0x3099, 0x309a }, { 0xfe00, 0xfe0f }, { 0xfe20, 0xfe2f }, { 0xe0100, 0xe01ef },
};

size_t str_columns(struct str s) {
    size_t columns = 0;
    if (str_is_ascii(s)) return s.len;
    for (size_t i = 0, n; i < s.len; i += n) {
        struct str rest = str_sub(s, i, s.len);
        n = str_utf8_len(rest);
        uint32_t c = n ? str_code_point(str_sub(rest, 0, n)) : 0;
        columns += IS_IN(lying_on, c) ? 0 : IS_IN(wide, c) ? 2 : 1;
        if (n == 0) n = 1;
    }
    return columns;
}

bool str_u64(struct str s, uint64_t *out) {
    uint64_t v = 0;
    if (s.len == 0) return false;
    for (size_t i = 0; i < s.len; i++) {
        unsigned d = (unsigned char)s.ptr[i] - (unsigned)'0';
        if (d > 9 || __builtin_mul_overflow(v, 10u, &v) || __builtin_add_overflow(v, d, &v)) return false;
    }
    *out = v;
    return true;
}

bool str_i64(struct str s, int64_t *out) {
    bool neg = s.len && s.ptr[0] == '-';
    uint64_t v;
    if (!str_u64(neg ? str_sub(s, 1, s.len) : s, &v)) return false;
    if (v > (uint64_t)INT64_MAX + (neg ? 1 : 0)) return false;
    *out = neg ? (int64_t)(0 - v) : (int64_t)v;
    return true;
}

#if defined(__SSE2__)
// The sixteen digits of eight bytes.
static void hex_eight(const unsigned char *p, char *out) {
    __m128i v = _mm_loadl_epi64((const __m128i *)(const void *)p), low = _mm_set1_epi8(0x0f);
    __m128i x = _mm_unpacklo_epi8(_mm_and_si128(_mm_srli_epi16(v, 4), low), _mm_and_si128(v, low));
    __m128i letters = _mm_and_si128(_mm_cmpgt_epi8(x, _mm_set1_epi8(9)), _mm_set1_epi8('a' - '0' - 10));
    _mm_storeu_si128((__m128i *)(void *)out, _mm_add_epi8(_mm_add_epi8(x, _mm_set1_epi8('0')), letters));
}
#endif

void hex_encode(const void *src, size_t n, char *out) {
#define ROW(d) d "0" d "1" d "2" d "3" d "4" d "5" d "6" d "7" d "8" d "9" d "a" d "b" d "c" d "d" d "e" d "f"
    static const char bytes[] = ROW("0") ROW("1") ROW("2") ROW("3") ROW("4") ROW("5") ROW("6") ROW("7")
        ROW("8") ROW("9") ROW("a") ROW("b") ROW("c") ROW("d") ROW("e") ROW("f");
#undef ROW
    const unsigned char *p = src;
    size_t i = 0;
#if defined(__SSE2__)
    for (; n - i >= 8; i += 8) hex_eight(p + i, out + 2 * i);
#endif
    for (; i < n; i++) memcpy(out + 2 * i, bytes + 2u * p[i], 2);
}

// The value of a digit plus one; 0 for what is none. A table, because the digits of an id are random
// and branches on them would be guessed wrong half of the time.
static const uint8_t hex_values[256] = {
    ['0'] = 1,  ['1'] = 2,  ['2'] = 3,  ['3'] = 4,  ['4'] = 5,  ['5'] = 6,  ['6'] = 7,  ['7'] = 8,
    ['8'] = 9,  ['9'] = 10, ['a'] = 11, ['b'] = 12, ['c'] = 13, ['d'] = 14, ['e'] = 15, ['f'] = 16,
    ['A'] = 11, ['B'] = 12, ['C'] = 13, ['D'] = 14, ['E'] = 15, ['F'] = 16,
};

bool hex_decode(struct str s, void *out, size_t n) {
    unsigned char *p = out;
    if (s.len != 2 * n) return false;
    for (size_t i = 0; i < n; i++) {
        unsigned high = hex_values[(unsigned char)s.ptr[2 * i]],
                 low = hex_values[(unsigned char)s.ptr[2 * i + 1]];
        if (high == 0 || low == 0) return false;
        p[i] = (unsigned char)((high - 1) << 4 | (low - 1));
    }
    return true;
}

void buf_init(struct buf *b, size_t limit_bytes) {
    *b = (struct buf){ .limit = limit_bytes };
}

void buf_fini(struct buf *b) {
    if (b->pooled)
        pool_free(b->ptr);
    else
        mem_free(b->ptr);
    *b = (struct buf){ .limit = b->limit };
}

bool buf_reserve_slow_(struct buf *b, size_t extra) {
    if (b->failed) return false;
    size_t need;
    if (__builtin_add_overflow(b->len, extra, &need) || need > b->limit) {
        b->failed = true;
        return false;
    }
    size_t cap = b->cap < 64 ? 64 : b->cap + b->cap / 2;
    if (cap < need) cap = need;
    if (cap > b->limit) cap = b->limit;
    char *p = b->pooled ? mem_alloc(cap) : mem_realloc(b->ptr, cap);
    if (p && b->pooled) {
        memcpy(p, b->ptr, b->len);
        pool_free(b->ptr);
        b->pooled = false;
    }
    if (!p) {
        b->failed = true;
        return false;
    }
    b->ptr = p;
    b->cap = cap;
    return true;
}

void buf_add(struct buf *b, const void *src, size_t n) {
    if (!buf_reserve(b, n)) return;
    if (n) memcpy(b->ptr + b->len, src, n);
    b->len += n;
}

void buf_str(struct buf *b, struct str s) {
    buf_add(b, s.ptr, s.len);
}

void buf_char_slow_(struct buf *b, char c) {
    if (buf_reserve(b, 1)) b->ptr[b->len++] = c;
}

void buf_fmt(struct buf *b, const char *fmt, ...) {
    va_list args;
    va_start(args, fmt);
    va_list again;
    va_copy(again, args);
    int n = vsnprintf(NULL, 0, fmt, args);
    va_end(args);
    if (n >= 0 && buf_reserve(b, (size_t)n + 1)) {
        (void)vsnprintf(b->ptr + b->len, (size_t)n + 1, fmt, again);
        b->len += (size_t)n;
    }
    va_end(again);
}

#define EIGHT_DIGITS 100000000u

// Eight digits at once, the first in the lowest byte: halves of four, then pairs, then single digits, side
// by side in one word.
static inline uint64_t eight_digits(uint32_t v) {
    uint64_t x = v / 10000 | (uint64_t)(v % 10000) << 32;
    uint64_t hundreds = (x * 10486 >> 20) & 0x0000007f0000007fu; // by 100, right below 10000
    x = hundreds | (x - hundreds * 100) << 16;
    uint64_t tens = (x * 103 >> 10) & 0x000f000f000f000fu; // by 10, right below 100
    return tens | (x - tens * 10) << 8;
}

static inline void print_eight(uint32_t v, char out[static 8]) {
    uint64_t x = eight_digits(v) + 0x3030303030303030u;
    memcpy(out, &x, 8);
}

// Without the zeros in front; 0 < v. Writes eight bytes.
static inline size_t print_first(uint32_t v, char out[static 8]) {
    uint64_t x = eight_digits(v);
    unsigned zeros = (unsigned)__builtin_ctzll(x) / 8;
    x = (x + 0x3030303030303030u) >> zeros * 8;
    memcpy(out, &x, 8);
    return 8 - zeros;
}

#if defined(__SSE2__)
// The same steps for two words at once.
static inline void print_sixteen(uint32_t high, uint32_t low, char out[static 16]) {
    __m128i v = _mm_set_epi64x(low, high);
    __m128i halves = _mm_srli_epi64(_mm_mul_epu32(v, _mm_set1_epi64x(3518437209)), 45); // by 10000
    __m128i rest = _mm_sub_epi64(v, _mm_mul_epu32(halves, _mm_set1_epi64x(10000)));
    __m128i x = _mm_or_si128(halves, _mm_slli_epi64(rest, 32));
    __m128i hundreds = _mm_srli_epi16(_mm_mulhi_epu16(x, _mm_set1_epi16(5243)), 3);
    rest = _mm_sub_epi16(x, _mm_mullo_epi16(hundreds, _mm_set1_epi16(100)));
    x = _mm_or_si128(hundreds, _mm_slli_epi32(rest, 16));
    __m128i tens = _mm_mulhi_epu16(x, _mm_set1_epi16(6554));
    rest = _mm_sub_epi16(x, _mm_mullo_epi16(tens, _mm_set1_epi16(10)));
    x = _mm_or_si128(tens, _mm_slli_epi16(rest, 8));
    _mm_storeu_si128((__m128i *)(void *)out, _mm_add_epi8(x, _mm_set1_epi8('0')));
}
#else
static inline void print_sixteen(uint32_t high, uint32_t low, char out[static 16]) {
    print_eight(high, out);
    print_eight(low, out + 8);
}
#endif

size_t u64_print_long_(uint64_t v, char out[static U64_DIGITS]) {
    if (v < EIGHT_DIGITS) return print_first((uint32_t)v, out);
    uint64_t high = v / EIGHT_DIGITS;
    uint32_t low = (uint32_t)(v % EIGHT_DIGITS);
    if (high < EIGHT_DIGITS) {
        size_t n = print_first((uint32_t)high, out);
        print_eight(low, out + n);
        return n + 8;
    }
    size_t n = print_first((uint32_t)(high / EIGHT_DIGITS), out);
    print_sixteen((uint32_t)(high % EIGHT_DIGITS), low, out + n);
    return n + 16;
}

void buf_u64(struct buf *b, uint64_t v) {
    char text[U64_DIGITS];
    buf_add(b, text, u64_print(v, text));
}

bool buf_pooled(struct buf *b) {
    ASSERT(!b->ptr && b->limit >= POOL_BLOCK);
    b->ptr = pool_alloc();
    b->cap = b->ptr ? POOL_BLOCK : 0;
    b->pooled = b->ptr != NULL;
    return b->pooled;
}

char *buf_take(struct buf *b, size_t *out_len) {
    char *p = b->ptr;
    if (out_len) *out_len = b->len;
    *b = (struct buf){ .limit = b->limit };
    return p;
}
