// SPDX-License-Identifier: Apache-2.0
// What the tokenizer and the writer of JSON share. Private to base/json*.c.
#pragma once

#include "base/json.h"
#include "base/json_plain.h"

// The first byte in [p, end) that a JSON string cannot hold as it stands or that is not ASCII:
// a quote, a backslash, a control character, 0x80 and above; end when there is none. Sixteen
// bytes at a time, then eight; a borrow can only mark a byte above a true hit, so the lowest mark is always
// right.
static inline const char *json_plain_run(const char *p, const char *end) {
#if defined(__SSE2__)
    // Signed, what is below a space is a control character or not ASCII.
    const __m128i space = _mm_set1_epi8(' '), quotes = _mm_set1_epi8('"'), slashes = _mm_set1_epi8('\\');
    for (; end - p >= 16; p += 16) {
        __m128i v = _mm_loadu_si128((const __m128i *)(const void *)p);
        __m128i hit = _mm_or_si128(_mm_cmpeq_epi8(v, quotes), _mm_cmpeq_epi8(v, slashes));
        int marks = _mm_movemask_epi8(_mm_or_si128(hit, _mm_cmplt_epi8(v, space)));
        if (marks) return p + __builtin_ctz((unsigned)marks);
    }
#endif
    const uint64_t ones = 0x0101010101010101u, highs = 0x8080808080808080u;
    while (end - p >= 8) {
        uint64_t w;
        memcpy(&w, p, 8);
        uint64_t quote = w ^ ones * '"', slash = w ^ ones * '\\';
        uint64_t marks =
            (((quote - ones) & ~quote) | ((slash - ones) & ~slash) | (w - ones * 0x20) | w) & highs;
        if (marks) return p + (__builtin_ctzll(marks) >> 3);
        p += 8;
    }
    while (p < end && json_is_plain(*p)) p++;
    return p;
}

// A number's text as ±mantissa * 10^exponent.
struct json_decimal {
    bool negative, cut; // cut: digits that are not 0 did not fit into the mantissa
    uint64_t mantissa;
    int64_t exponent;
};
