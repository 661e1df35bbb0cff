// SPDX-License-Identifier: Apache-2.0
// Numbers, durations and strings of a query.
#include "base/json.h"
#include "traceql/lex.h"
#include "traceql/suggest.h"

static bool is_digit(char c) {
    return c >= '0' && c <= '9';
}
static bool is_letter(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}
static char at(struct str s, size_t i) {
    return i < s.len ? s.ptr[i] : '\0';
}

// --- durations -----------------------------------------------------------------------------------

static const struct unit {
    const char *name;
    uint64_t ns;
} units[] = {
    { "ns", 1 },
    { "us", 1000 },
    { "\xc2\xb5s", 1000 }, // the micro sign
    { "\xce\xbcs", 1000 }, // the Greek letter
    { "ms", 1000000 },
    { "s", 1000000000 },
    { "m", 60000000000 },
    { "h", 3600000000000 },
    { "d", 86400000000000 },
    { "w", 604800000000000 },
    { "y", 31536000000000000 },
};

static const struct unit *unit_of(struct str name) {
    for (size_t i = 0; i < sizeof units / sizeof *units; i++)
        if (str_eq(name, str_of(units[i].name))) return &units[i];
    return NULL;
}

static const char *unit_meant(struct str name) {
    static const struct {
        const char *wrong, *right;
    } pairs[] = { { "sec", "s" },          { "secs", "s" },    { "second", "s" }, { "seconds", "s" },
                  { "min", "m" },          { "mins", "m" },    { "minute", "m" }, { "minutes", "m" },
                  { "hr", "h" },           { "hrs", "h" },     { "hour", "h" },   { "hours", "h" },
                  { "msec", "ms" },        { "millis", "ms" }, { "usec", "us" },  { "micros", "us" },
                  { "nanos", "ns" },       { "nsec", "ns" },   { "day", "d" },    { "days", "d" },
                  { "week", "w" },         { "weeks", "w" },   { "year", "y" },   { "years", "y" },
                  { "milliseconds", "ms" } };
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++)
        if (str_eq_nocase(name, str_of(pairs[i].wrong))) return pairs[i].right;
    for (size_t i = 0; i < sizeof units / sizeof *units; i++)
        if (str_eq_nocase(name, str_of(units[i].name))) return units[i].name;
    return NULL;
}

// digits[.digits] times the unit, cut to whole nanoseconds. false: too large.
static bool scaled(struct str number, uint64_t unit, uint64_t *sum) {
    struct str whole, fraction;
    uint64_t w = 0, product;
    (void)str_cut(number, '.', &whole, &fraction);
    if (whole.len && !str_u64(whole, &w)) return false;
    if (__builtin_mul_overflow(w, unit, &product) || __builtin_add_overflow(*sum, product, sum)) return false;
    unsigned __int128 part = 0, scale = 1;
    for (size_t i = 0; i < fraction.len && i < 18; i++, scale *= 10)
        part = part * 10 + (unsigned)(fraction.ptr[i] - '0');
    return !__builtin_add_overflow(*sum, (uint64_t)(part * unit / scale), sum) && *sum <= INT64_MAX;
}

// s begins with a digit or a dot: number and unit, again and again, up to something else.
static void duration(struct lexer *l, struct str s, struct token *out, struct err_ctx *why) {
    uint64_t sum = 0;
    size_t i = 0;
    out->kind = TOK_DURATION;
    while (is_digit(at(s, i)) || (at(s, i) == '.' && is_digit(at(s, i + 1)))) {
        size_t number = i, name;
        while (is_digit(at(s, i)) || at(s, i) == '.') i++;
        name = i;
        while (is_letter(at(s, i)) || (at(s, i) & 0x80)) i++;
        struct str digits = str_sub(s, number, name - number), letters = str_sub(s, name, i - name);
        const struct unit *u = unit_of(letters);
        const char *meant = unit_meant(letters);
        uint32_t bad = l->pos + (uint32_t)name;
        if (str_find(digits, '.') >= 0 &&
            str_find(str_sub(digits, (size_t)str_find(digits, '.') + 1, digits.len), '.') >= 0)
            lex_fail(out, l->pos + (uint32_t)number, why, "%.*s is not a number", STR_ARG(quote_cut(digits)));
        else if (letters.len == 0)
            lex_fail(out, bad, why, "a unit is missing after %.*s in this duration (ns us ms s m h d w y)",
                     STR_ARG(quote_cut(digits)));
        else if (!u && meant)
            lex_fail(out, bad, why, "unknown unit %.*s of a duration; probably meant: %.*s%s",
                     STR_ARG(quote_cut(letters)), STR_ARG(quote_cut(digits)), meant);
        else if (!u)
            lex_fail(out, bad, why, "unknown unit %.*s of a duration; there are ns us ms s m h d w y",
                     STR_ARG(quote_cut(letters)));
        else if (!scaled(digits, u->ns, &sum))
            lex_fail(out, l->pos, why, "this duration is too long; the longest is 2562047h");
    }
    out->place.len = (uint32_t)i;
    l->pos += (uint32_t)i;
    if (out->kind == TOK_DURATION) out->value = (struct value){ .type = VALUE_DURATION, .i = (int64_t)sum };
}

// --- numbers -------------------------------------------------------------------------------------

// The length of digits[.digits][e±digits]; *is_float: there is more than digits.
static size_t number_len(struct str s, bool *is_float) {
    size_t i = 0, k;
    while (is_digit(at(s, i))) i++;
    *is_float = at(s, i) == '.';
    if (*is_float)
        for (i++; is_digit(at(s, i));) i++;
    if ((at(s, i) | 32) != 'e') return i;
    k = i + 1;
    if (at(s, k) == '+' || at(s, k) == '-') k++;
    if (!is_digit(at(s, k))) return i;
    *is_float = true;
    while (is_digit(at(s, k))) k++;
    return k;
}

static bool read_float(struct arena *a, struct str digits, double *out) {
    // JSON wants a digit on both sides of the dot, and no zero in front.
    while (digits.len > 1 && digits.ptr[0] == '0' && is_digit(digits.ptr[1]))
        digits = str_sub(digits, 1, digits.len);
    struct str whole, rest;
    if (!str_cut(digits, '.', &whole, &rest)) return json_f64(digits, out);
    struct str z = str_fmt(a, "%.*s.%s%.*s", whole.len ? (int)whole.len : 1, whole.len ? whole.ptr : "0",
                           is_digit(at(rest, 0)) ? "" : "0", STR_ARG(rest));
    return z.ptr && json_f64(z, out);
}

bool lex_number(struct lexer *l, struct token *out, struct err_ctx *why) {
    struct str s = str_sub(l->text, l->pos, l->text.len), digits;
    bool is_float, unit;
    size_t n = number_len(s, &is_float);
    unit = is_letter(at(s, n)) || (at(s, n) & 0x80) || (at(s, n) == '.' && is_digit(at(s, n + 1)));
    if (n == 1 && s.ptr[0] == '0' && (at(s, 1) | 32) == 'x') {
        while (is_letter(at(s, n)) || is_digit(at(s, n))) n++;
        lex_fail(out, l->pos, why, "numbers are decimal; %.*s is not", STR_ARG(quote_cut(str_sub(s, 0, n))));
    } else if (unit && (at(s, n) != '.' || is_letter(at(s, n)) || is_float)) {
        duration(l, s, out, why);
        return true;
    }
    digits = str_sub(s, 0, n);
    uint64_t u = 0;
    if (out->kind == TOK_ERROR) {
    } else if (is_float) {
        out->kind = TOK_FLOAT;
        out->value = VALUE_OF_FLOAT(0);
        if (n > JSON_NUMBER_MAX || !read_float(l->arena, digits, &out->value.f)) {
            if (l->arena->failed) return false;
            lex_fail(out, l->pos, why, "this number is out of range");
        }
    } else if (!str_u64(digits, &u) || u > INT64_MAX) {
        lex_fail(out, l->pos, why,
                 "this integer is out of range; the largest is 9223372036854775807 (maxInt)");
    } else {
        out->kind = TOK_INT;
        out->value = VALUE_OF_INT((int64_t)u);
    }
    out->place.len = (uint32_t)n;
    l->pos += (uint32_t)n;
    return true;
}

// --- strings -------------------------------------------------------------------------------------

static size_t put_utf8(char *out, uint32_t c) {
    if (c < 0x80) return (size_t)(out[0] = (char)c, 1);
    if (c < 0x800) {
        out[0] = (char)(0xc0 | c >> 6);
        out[1] = (char)(0x80 | (c & 63));
        return 2;
    }
    if (c < 0x10000) {
        out[0] = (char)(0xe0 | c >> 12);
        out[1] = (char)(0x80 | (c >> 6 & 63));
        out[2] = (char)(0x80 | (c & 63));
        return 3;
    }
    out[0] = (char)(0xf0 | c >> 18);
    out[1] = (char)(0x80 | (c >> 12 & 63));
    out[2] = (char)(0x80 | (c >> 6 & 63));
    out[3] = (char)(0x80 | (c & 63));
    return 4;
}

static int hex_digit(char c) {
    if (is_digit(c)) return c - '0';
    char low = (char)(c | 32);
    return low >= 'a' && low <= 'f' ? low - 'a' + 10 : -1;
}

// n digits of a base at s; false: fewer, or others.
static bool digits_of(struct str s, size_t n, int base, uint32_t *out) {
    uint32_t v = 0;
    for (size_t i = 0; i < n; i++) {
        int d = hex_digit(at(s, i));
        if (d < 0 || d >= base) return false;
        v = v * (uint32_t)base + (uint32_t)d;
    }
    *out = v;
    return true;
}

// s is what follows a backslash. The bytes that it stands for, and the bytes of it that were read;
// 0: no such escape.
static size_t escape(struct str s, char out[4], size_t *n_out) {
    static const char from[] = "abfnrtv\\\"", to[] = "\a\b\f\n\r\t\v\\\"";
    uint32_t v;
    char c = at(s, 0);
    const char *simple = c ? strchr(from, c) : NULL;
    *n_out = 1;
    if (simple) {
        out[0] = to[simple - from];
        return 1;
    }
    if (c == 'x' && digits_of(str_sub(s, 1, 2), 2, 16, &v)) {
        out[0] = (char)v;
        return 3;
    }
    if (c >= '0' && c <= '7' && digits_of(s, 3, 8, &v) && v < 256) {
        out[0] = (char)v;
        return 3;
    }
    size_t n = c == 'u' ? 4 : c == 'U' ? 8 : 0;
    if (n == 0 || !digits_of(str_sub(s, 1, n), n, 16, &v)) return 0;
    if (v > 0x10ffff || (v >= 0xd800 && v < 0xe000)) return 0;
    *n_out = put_utf8(out, v);
    return n + 1;
}

// s begins behind the backslash.
static void bad_escape(struct token *out, uint32_t at, struct err_ctx *why, struct str s) {
    struct str c = str_sub(s, 0, str_utf8_len(s));
    if (c.len && strchr("xuU01234567", c.ptr[0]))
        lex_fail(out, at, why,
                 "the escape \\%.*s… names no character; there are \\x41 \\101 \\u00e4 \\U0001f600",
                 STR_ARG(c));
    else if (str_eq(c, STR("'")))
        lex_fail(out, at, why, "a ' in a string needs no backslash");
    else
        lex_fail(out, at, why,
                 "unknown escape \\%.*s in a string; probably meant: \\\\%.*s, or a `string in backquotes`",
                 STR_ARG(c), STR_ARG(c));
}

static void open_string(struct lexer *l, struct token *out, struct err_ctx *why, size_t n) {
    lex_fail(out, l->pos, why, "this string has no end; a %c is missing", l->text.ptr[l->pos]);
    out->open = true;
    out->place.len = (uint32_t)n;
    l->pos += (uint32_t)n;
}

// `…`: as it stands, but without carriage returns.
static bool raw_string(struct lexer *l, struct str s, struct token *out, struct err_ctx *why) {
    ptrdiff_t end = str_find(str_sub(s, 1, s.len), '`');
    if (end < 0) {
        open_string(l, out, why, s.len);
        return true;
    }
    char *to = ARENA_ARRAY(l->arena, (size_t)end + 1, char);
    size_t n = 0;
    if (!to) return false;
    for (ptrdiff_t i = 1; i <= end; i++)
        if (s.ptr[i] != '\r') to[n++] = s.ptr[i];
    out->kind = TOK_STRING;
    out->value = VALUE_OF_STR(((struct str){ to, n }));
    out->place.len = (uint32_t)end + 2;
    l->pos += out->place.len;
    return true;
}

// Where the string at s ends, behind its quote; 0: nowhere in its line.
static size_t string_len(struct str s) {
    for (size_t i = 1; i < s.len && s.ptr[i] != '\n'; i++) {
        if (s.ptr[i] == '"') return i + 1;
        if (s.ptr[i] == '\\') i++;
    }
    return 0;
}

bool lex_string(struct lexer *l, struct token *out, struct err_ctx *why) {
    struct str s = str_sub(l->text, l->pos, l->text.len);
    if (s.ptr[0] == '`') return raw_string(l, s, out, why);
    size_t len = string_len(s), n = 0;
    if (len == 0) {
        ptrdiff_t line = str_find(s, '\n');
        open_string(l, out, why, line < 0 ? s.len : (size_t)line);
        return true;
    }
    char *to = ARENA_ARRAY(l->arena, len, char);
    if (!to) return false;
    out->kind = TOK_STRING;
    for (size_t i = 1; i < len - 1;) {
        size_t n_out = 1, used = 1;
        to[n] = s.ptr[i];
        if (s.ptr[i] == '\\') {
            used = escape(str_sub(s, i + 1, len - 2 - i), to + n, &n_out) + 1;
            if (used == 1) bad_escape(out, l->pos + (uint32_t)i, why, str_sub(s, i + 1, s.len));
        }
        i += used;
        n += n_out;
    }
    if (out->kind == TOK_STRING) out->value = VALUE_OF_STR(((struct str){ to, n }));
    out->place.len = (uint32_t)len;
    l->pos += (uint32_t)len;
    return true;
}
