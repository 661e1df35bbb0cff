// SPDX-License-Identifier: Apache-2.0
#include <float.h>
#include <math.h>
#include <stdio.h>

#include "base/json_internal.h"
#include "base/json_plain.h"

static void escape(struct buf *out, unsigned char c) {
    static const char from[] = "\"\\\b\f\n\r\t", to[] = "\"\\bfnrt";
    const char *at = c ? strchr(from, c) : NULL;
    if (at) {
        char two[] = { '\\', to[at - from] };
        buf_add(out, two, 2);
    } else {
        char six[] = "\\u00xx";
        hex_encode(&c, 1, six + 4);
        buf_add(out, six, 6);
    }
}

// The rest [p, end) of a string, from its first character that needs care.
static void quoted_rest(struct buf *out, const char *p, const char *end) {
    while (p < end) {
        const char *stop = json_plain_run(p, end);
        buf_add(out, p, (size_t)(stop - p));
        p = stop;
        if (p == end) break;
        bool ascii = (unsigned char)*p < 0x80;
        size_t n = ascii ? 0 : str_utf8_len((struct str){ p, (size_t)(end - p) });
        if (n)
            buf_add(out, p, n);
        else if (ascii)
            escape(out, (unsigned char)*p);
        else
            buf_str(out, STR("\xef\xbf\xbd"));
        p += n ? n : 1;
    }
    buf_char(out, '"');
}

void json_quote(struct buf *out, struct str s) {
    if (s.len == 0) s = STR(""); // its pointer may be NULL
    if (!buf_reserve(out, s.len + 2)) return;
    char *at = out->ptr + out->len, *plain = json_quote_plain(at, s);
    if (plain) { // nearly always
        out->len += s.len + 2;
        return;
    }
    const char *end = s.ptr + s.len, *stop = json_plain_run(s.ptr, end);
    size_t n = (size_t)(stop - s.ptr);
    at[0] = '"';
    memcpy(at + 1, s.ptr, n);
    out->len += n + 1;
    quoted_rest(out, stop, end);
}

void jw_key(struct json_writer *w, struct str key) {
    jw_separate_(w);
    json_quote(w->out, key);
    buf_char(w->out, ':');
    w->comma = false;
}

void jw_str(struct json_writer *w, struct str s) {
    jw_separate_(w);
    json_quote(w->out, s);
}

void jw_raw(struct json_writer *w, struct str json) {
    jw_separate_(w);
    buf_str(w->out, json);
}

static void add_i64(struct buf *out, int64_t v) {
    if (v < 0) buf_char(out, '-');
    buf_u64(out, v < 0 ? 0 - (uint64_t)v : (uint64_t)v);
}

void jw_u64(struct json_writer *w, uint64_t v) {
    jw_separate_(w);
    buf_u64(w->out, v);
}

void jw_i64(struct json_writer *w, int64_t v) {
    jw_separate_(w);
    add_i64(w->out, v);
}

void jw_u64_str(struct json_writer *w, uint64_t v) {
    char text[U64_DIGITS + 2] = "\"";
    size_t n = u64_print(v, text + 1) + 2;
    text[n - 1] = '"';
    jw_separate_(w);
    if (buf_reserve(w->out, n)) {
        // All of the text where there is room for it: a length that is known copies fastest.
        bool room = w->out->cap - w->out->len >= sizeof text;
        memcpy(w->out->ptr + w->out->len, text, room ? sizeof text : n);
        w->out->len += n;
    }
}

void jw_i64_str(struct json_writer *w, int64_t v) {
    jw_separate_(w);
    buf_char(w->out, '"');
    add_i64(w->out, v);
    buf_char(w->out, '"');
}

void jw_bool(struct json_writer *w, bool v) {
    jw_raw(w, v ? STR("true") : STR("false"));
}

void jw_null(struct json_writer *w) {
    jw_raw(w, STR("null"));
}

// The same, where 15 digits do and doubles alone can tell: the quotient of two that are exact is rounded
// once, as it is when the digits are read.
static bool is_short(double v, char digits[18], int *out_n, int *out_exponent) {
    static const double tens[] = { 1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9,  1e10, 1e11,
                                   1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22 };
    enum { DIGITS = 15, WHOLE_MAX = 15, PLACES_MAX = 22 };
    int places = PLACES_MAX;
    if (!(v >= 1e-7 && v < tens[WHOLE_MAX])) return false;
    while (v * tens[places] >= tens[DIGITS]) places--;
    uint64_t whole = (uint64_t)(v * tens[places] + 0.5);
    if ((double)whole / tens[places] != v) return false;
    while (whole % 10 == 0) {
        whole /= 10;
        places--;
    }
    int n = 0;
    for (uint64_t left = whole; left; left /= 10) n++;
    *out_n = n;
    *out_exponent = n - 1 - places;
    for (; whole; whole /= 10) digits[--n] = (char)('0' + whole % 10);
    return true;
}

// v > 0 as `digits` (17 at most, without trailing zeros) times 10^exponent of the first digit:
// the fewest of 15, 16 or 17 digits that read back as v (1 to 17 where doubles lie less dense). The decimal
// point of the locale, which may be any byte, is dropped.
static int shortest(double v, char digits[18], int *out_exponent) {
    int few;
    if (is_short(v, digits, &few, out_exponent)) return few;
    for (int precision = v < DBL_MIN ? 1 : 15;; precision++) {
        char text[40], again[40];
        (void)snprintf(text, sizeof text, "%.*e", precision - 1, v);
        int n = 0;
        const char *p = text;
        for (; *p != 'e'; p++)
            if (*p >= '0' && *p <= '9' && n < 17) digits[n++] = *p;
        int64_t exponent = 0;
        struct str tail = str_of(p[1] == '+' ? p + 2 : p + 1);
        ASSERT(str_i64(tail, &exponent));
        (void)snprintf(again, sizeof again, "%.*se%d", n, digits, (int)exponent - n + 1);
        double back = 0;
        bool same = json_f64(str_of(again), &back) && back == v;
        if (!same && precision < 17) continue;
        while (n > 1 && digits[n - 1] == '0') n--;
        *out_exponent = (int)exponent;
        return n;
    }
}

static void zeros(struct buf *out, int n) {
    for (; n > 0; n--) buf_char(out, '0');
}

// The layout that Go and JavaScript share: plain from 1e-6 up to 1e21, with an exponent outside.
static void add_positive(struct buf *out, double v) {
    char d[18];
    int e, n = shortest(v, d, &e);
    if (e < -6 || e >= 21) {
        buf_char(out, d[0]);
        if (n > 1) buf_char(out, '.');
        buf_add(out, d + 1, (size_t)n - 1);
        buf_fmt(out, "e%c%d", e < 0 ? '-' : '+', e < 0 ? -e : e);
    } else if (e < 0) {
        buf_str(out, STR("0."));
        zeros(out, -e - 1);
        buf_add(out, d, (size_t)n);
    } else {
        int whole = e + 1 < n ? e + 1 : n;
        buf_add(out, d, (size_t)whole);
        zeros(out, e + 1 - n);
        if (n > whole) buf_char(out, '.');
        buf_add(out, d + whole, (size_t)(n - whole));
    }
}

static void nonfinite(struct json_writer *w, double v) {
    const char *name = isnan(v) ? "NaN" : v < 0 ? "-Infinity" : "Infinity";
    if (w->nonfinite_string)
        jw_str(w, str_of(name));
    else
        jw_null(w);
}

void jw_f64(struct json_writer *w, double v) {
    if (!isfinite(v)) {
        nonfinite(w, v);
        return;
    }
    jw_separate_(w);
    if (signbit(v)) buf_char(w->out, '-');
    v = fabs(v);
    if (v < 9007199254740992.0 && (double)(uint64_t)v == v)
        buf_u64(w->out, (uint64_t)v);
    else
        add_positive(w->out, v);
}
