// SPDX-License-Identifier: Apache-2.0
#include "vcs/repo_internal.h"

static bool is_continuation(char c) {
    return ((unsigned char)c & 0xc0) == 0x80;
}

// The longest start of s of at most `max` bytes that ends between two characters; s is UTF-8.
static struct str cut_utf8(struct str s, size_t max) {
    if (s.len <= max) return s;
    while (max > 0 && is_continuation(s.ptr[max])) max--;
    return str_sub(s, 0, max);
}

// One character of bad text as UTF-8 into to[3]; takes n_in bytes of s.
static size_t repair(struct str s, bool latin1, char to[4], size_t *n_in) {
    size_t good = str_utf8_len(s);
    unsigned char c = (unsigned char)s.ptr[0];
    *n_in = 1;
    if (good && (!latin1 || c < 0x80)) {
        memcpy(to, s.ptr, good);
        *n_in = good;
        return good;
    }
    if (latin1) { // U+0080 to U+00FF
        to[0] = (char)(0xc0 | c >> 6);
        to[1] = (char)(0x80 | (c & 0x3f));
        return 2;
    }
    memcpy(to, "\xef\xbf\xbd", 3);
    return 3;
}

struct str text_of(struct arena *a, struct str bytes, bool latin1, size_t max_bytes) {
    if (str_is_utf8(bytes)) return str_dup(a, cut_utf8(bytes, max_bytes));
    size_t room = bytes.len < max_bytes / 3 ? 3 * bytes.len : max_bytes;
    char *to = arena_alloc(a, room);
    size_t n = 0;
    if (!to) return STR("");
    while (bytes.len) {
        char one[4];
        size_t n_in, n_out = repair(bytes, latin1, one, &n_in);
        if (n + n_out > room) break;
        memcpy(to + n, one, n_out);
        n += n_out;
        bytes = str_sub(bytes, n_in, bytes.len);
    }
    return (struct str){ to, n };
}
