// SPDX-License-Identifier: Apache-2.0
// Texts copied into JSON as they stand, by writers that make the room themselves; in the open, since a long
// answer is millions of these calls. thread: any.
#pragma once

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

#include "base/str.h"

static inline bool json_is_plain(char c) {
    return (unsigned char)c >= 0x20 && (unsigned char)c < 0x80 && c != '"' && c != '\\';
}

#if defined(__SSE2__)
// Which of 16 bytes need care, as bits. Signed, what is below a space is a control character or not ASCII.
static inline unsigned json_marks_(__m128i v) {
    __m128i hit = _mm_or_si128(_mm_cmpeq_epi8(v, _mm_set1_epi8('"')), _mm_cmpeq_epi8(v, _mm_set1_epi8('\\')));
    return (unsigned)_mm_movemask_epi8(_mm_or_si128(hit, _mm_cmplt_epi8(v, _mm_set1_epi8(' '))));
}

static inline __m128i json_copy_16_(char *to, const char *from) {
    __m128i v = _mm_loadu_si128((const __m128i *)(const void *)from);
    _mm_storeu_si128((__m128i *)(void *)to, v);
    return v;
}

static inline bool json_words_plain_(uint64_t a, uint64_t b) {
    return !json_marks_(_mm_set_epi64x((long long)b, (long long)a));
}

// Copies what is looked at, words that overlap at the end instead of single bytes. false: something needs
// care.
static inline bool json_copy_(char *to, const char *p, size_t n) {
    if (n >= 16) {
        __m128i last = json_copy_16_(to + n - 16, p + n - 16);
        for (size_t i = 0; i + 16 < n; i += 16)
            if (json_marks_(json_copy_16_(to + i, p + i))) return false;
        return !json_marks_(last);
    }
    if (n >= 8) {
        uint64_t head, tail;
        memcpy(&head, p, 8), memcpy(&tail, p + n - 8, 8);
        memcpy(to, &head, 8), memcpy(to + n - 8, &tail, 8);
        return json_words_plain_(head, tail);
    }
    if (n >= 4) {
        uint32_t head, tail;
        memcpy(&head, p, 4), memcpy(&tail, p + n - 4, 4);
        memcpy(to, &head, 4), memcpy(to + n - 4, &tail, 4);
        uint64_t both = head | (uint64_t)tail << 32;
        return json_words_plain_(both, both);
    }
    for (size_t i = 0; i < n; i++) {
        to[i] = p[i];
        if (!json_is_plain(p[i])) return false;
    }
    return true;
}
#else
static inline bool json_copy_(char *to, const char *p, size_t n) {
    (void)to, (void)p, (void)n;
    return false;
}
#endif

// Copies up to the first character that needs care, which must come; returns how many. Up to 16 bytes more
// are read and written.
static inline size_t json_copy_plain(char *to, const char *from) {
    size_t n = 0;
#if defined(__SSE2__)
    for (;; n += 16) {
        unsigned marks = json_marks_(json_copy_16_(to + n, from + n));
        if (marks) return n + (unsigned)__builtin_ctz(marks);
    }
#else
    for (; json_is_plain(from[n]); n++) to[n] = from[n];
    return n;
#endif
}

// The text with its quotes; returns its end. Writes no further than s.len + 2 bytes. NULL: something in it
// must be escaped, and nothing of what was written counts.
static inline char *json_quote_plain(char *to, struct str s) {
    *to++ = '"';
    if (!json_copy_(to, s.ptr, s.len)) return NULL;
    to[s.len] = '"';
    return to + s.len + 1;
}
