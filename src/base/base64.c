// SPDX-License-Identifier: Apache-2.0
#include "base/base64.h"

static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void base64_encode(const void *src, size_t n, char *out) {
    const unsigned char *p = src;
    for (; n >= 3; n -= 3, p += 3, out += 4) {
        uint32_t v = (uint32_t)p[0] << 16 | (uint32_t)p[1] << 8 | p[2];
        for (int i = 0; i < 4; i++) out[i] = digits[v >> (18 - 6 * i) & 63];
    }
    if (n == 0) return;
    uint32_t v = (uint32_t)p[0] << 16 | (n == 2 ? (uint32_t)p[1] << 8 : 0);
    out[0] = digits[v >> 18];
    out[1] = digits[v >> 12 & 63];
    out[2] = '=';
    if (n == 2) out[2] = digits[v >> 6 & 63];
    out[3] = '=';
}

static int value(char c) {
    if (c >= 'A' && c <= 'Z') return c - 'A';
    if (c >= 'a' && c <= 'z') return c - 'a' + 26;
    if (c >= '0' && c <= '9') return c - '0' + 52;
    if (c == '+' || c == '-') return 62;
    return c == '/' || c == '_' ? 63 : -1;
}

enum err base64_decode(struct str s, struct buf *out) {
    if (s.len % 4 == 0 && str_ends(s, STR("="))) s.len -= str_ends(s, STR("==")) ? 2 : 1;
    if (s.len % 4 == 1) return ERR_INVALID;
    if (!buf_reserve(out, s.len)) return ERR_NOMEM;
    size_t before = out->len;
    uint32_t bits = 0;
    for (size_t i = 0; i < s.len; i++) {
        int v = value(s.ptr[i]);
        if (v < 0) {
            out->len = before;
            return ERR_INVALID;
        }
        bits = bits << 6 | (uint32_t)v;
        // A digit after the first of its four completes a byte.
        if (i % 4 != 0) out->ptr[out->len++] = (char)(bits >> (6 - 2 * (i % 4)));
    }
    return ERR_OK;
}
