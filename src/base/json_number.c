// SPDX-License-Identifier: Apache-2.0
#include <locale.h>
#include <math.h>
#include <stdlib.h>

#include "base/json_internal.h"

static inline bool is_digit(struct str s, size_t i) {
    return i < s.len && s.ptr[i] >= '0' && s.ptr[i] <= '9';
}

size_t json_number_len(struct str s) {
    size_t i = s.len && s.ptr[0] == '-' ? 1 : 0;
    if (!is_digit(s, i)) return 0;
    if (s.ptr[i++] != '0')
        while (is_digit(s, i)) i++;
    if (i < s.len && s.ptr[i] == '.' && is_digit(s, i + 1))
        for (i += 2; is_digit(s, i);) i++;
    if (i < s.len && (s.ptr[i] | 32) == 'e') {
        size_t k = i + 1;
        if (k < s.len && (s.ptr[k] == '+' || s.ptr[k] == '-')) k++;
        if (is_digit(s, k))
            for (i = k + 1; is_digit(s, i);) i++;
    }
    return i;
}

// s is a number of JSON. Exponents beyond the range of any number here are clamped.
static struct json_decimal decimal(struct str s) {
    enum { EXPONENT_MAX = 1 << 20 };
    struct json_decimal d = { .negative = s.ptr[0] == '-' };
    bool fraction = false, full = false;
    size_t i = d.negative ? 1 : 0;
    for (; i < s.len && (s.ptr[i] | 32) != 'e'; i++) {
        if (s.ptr[i] == '.') {
            fraction = true;
            continue;
        }
        unsigned digit = (unsigned)(s.ptr[i] - '0');
        uint64_t next;
        full = full || __builtin_mul_overflow(d.mantissa, 10u, &next) ||
               __builtin_add_overflow(next, digit, &next);
        if (full)
            d.cut |= digit != 0;
        else
            d.mantissa = next;
        d.exponent += (full ? 1 : 0) - (fraction ? 1 : 0);
    }
    if (i == s.len) return d;
    bool minus = s.ptr[++i] == '-';
    if (minus || s.ptr[i] == '+') i++;
    int64_t e = 0;
    for (; i < s.len; i++)
        if (e < EXPONENT_MAX) e = e * 10 + (s.ptr[i] - '0');
    d.exponent += minus ? -e : e;
    return d;
}

// |value| as an integer. Digits that were cut make a number too large or a fraction: an integer
// below 2^64 has all its digits, but for trailing zeros, in the mantissa.
static bool magnitude(struct json_decimal d, uint64_t *out) {
    uint64_t v = d.mantissa;
    if (d.cut) return false;
    for (; v && d.exponent < 0; d.exponent++, v /= 10)
        if (v % 10) return false;
    for (; v && d.exponent > 0; d.exponent--)
        if (__builtin_mul_overflow(v, 10u, &v)) return false;
    *out = v;
    return true;
}

static bool plain_integer(struct str s) {
    return s.len > 0 && s.len < 20 && s.ptr[0] != '0' && s.ptr[0] != '-';
}

bool json_u64(struct str text, uint64_t *out) {
    if (plain_integer(text) && str_u64(text, out)) return true; // nearly all there is
    uint64_t v;
    if (text.len == 0 || text.len > JSON_NUMBER_MAX || json_number_len(text) != text.len) return false;
    struct json_decimal d = decimal(text);
    if (!magnitude(d, &v) || (d.negative && v != 0)) return false;
    *out = v;
    return true;
}

bool json_i64(struct str text, int64_t *out) {
    uint64_t v;
    if (text.len == 0 || text.len > JSON_NUMBER_MAX || json_number_len(text) != text.len) return false;
    struct json_decimal d = decimal(text);
    if (!magnitude(d, &v) || v > (uint64_t)INT64_MAX + (d.negative ? 1 : 0)) return false;
    *out = d.negative ? (int64_t)(0 - v) : (int64_t)v;
    return true;
}

// strtod reads the decimal point of the current locale; this is always the one of "C".
static double slow_double(struct str text) {
    char z[JSON_NUMBER_MAX + 1];
    memcpy(z, text.ptr, text.len);
    z[text.len] = '\0';
    static _Atomic(locale_t) c_locale;
    locale_t l = c_locale;
    if (!l) c_locale = l = newlocale(LC_ALL_MASK, "C", (locale_t)0); // glibc: a constant, no memory
    return strtod_l(z, NULL, l);
}

bool json_f64(struct str text, double *out) {
    static const double tens[] = { 1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9,  1e10, 1e11,
                                   1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22 };
    if (text.len == 0 || text.len > JSON_NUMBER_MAX || json_number_len(text) != text.len) return false;
    struct json_decimal d = decimal(text);
    double v;
    // Both factors are exact doubles, so the one rounding of the operation is the right one.
    if (!d.cut && d.mantissa <= (uint64_t)1 << 53 && d.exponent >= -22 && d.exponent <= 22) {
        v = (double)d.mantissa;
        v = d.exponent < 0 ? v / tens[-d.exponent] : v * tens[d.exponent];
        if (d.negative) v = -v;
    } else {
        v = slow_double(text);
    }
    if (isinf(v)) return false;
    *out = v;
    return true;
}
