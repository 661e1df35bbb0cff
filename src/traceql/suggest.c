// SPDX-License-Identifier: Apache-2.0
#include "traceql/suggest.h"

enum { QUOTE_MAX = 40, WORD_MAX = 32 };

struct str quote_cut(struct str s) {
    if (s.len <= QUOTE_MAX) return s;
    size_t n = QUOTE_MAX;
    while (n > 0 && ((unsigned char)s.ptr[n] & 0xc0) == 0x80) n--;
    return str_sub(s, 0, n);
}

static char lower(char c) {
    return c >= 'A' && c <= 'Z' ? (char)(c | 32) : c;
}

static unsigned least(unsigned a, unsigned b) {
    return a < b ? a : b;
}

// Edits between a and b, case ignored, a swap of neighbours being one (optimal string alignment).
static unsigned distance(struct str a, struct str b) {
    unsigned rows[3][WORD_MAX + 1];
    for (size_t k = 0; k <= b.len; k++) rows[0][k] = (unsigned)k;
    for (size_t i = 1; i <= a.len; i++) {
        unsigned *now = rows[i % 3], *before = rows[(i + 2) % 3], *two = rows[(i + 1) % 3];
        now[0] = (unsigned)i;
        for (size_t k = 1; k <= b.len; k++) {
            bool same = lower(a.ptr[i - 1]) == lower(b.ptr[k - 1]);
            now[k] = least(least(now[k - 1], before[k]) + 1, before[k - 1] + !same);
            if (i > 1 && k > 1 && lower(a.ptr[i - 1]) == lower(b.ptr[k - 2]) &&
                lower(a.ptr[i - 2]) == lower(b.ptr[k - 1]))
                now[k] = least(now[k], two[k - 2] + 1);
        }
    }
    return rows[a.len % 3][b.len];
}

struct str suggest(struct str s, const char *words) {
    struct str all = str_of(words), word, found = STR("");
    unsigned best = s.len < 6 ? 2 : 3; // the first that is not near any more
    if (s.len == 0 || s.len > WORD_MAX) return found;
    while (all.len) {
        (void)str_cut(all, ' ', &word, &all);
        if (word.len == 0 || word.len > WORD_MAX) continue;
        unsigned d = distance(s, word);
        if (d >= best || d >= word.len) continue;
        best = d;
        found = word;
    }
    return found;
}
