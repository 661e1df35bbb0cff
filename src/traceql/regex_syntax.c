// SPDX-License-Identifier: Apache-2.0
// RE2's syntax, read once from left to right, and written as PCRE2 reads it in the same way. What only
// PCRE2 knows never gets there.
#include <stdio.h>

#include "traceql/regex_internal.h"

enum {
    REPEAT_MAX = 1000, // of x{n,m}
    GROUPS_MAX = 200,  // open at the same time
};

struct syntax {
    struct str s;
    size_t i;
    struct buf *out;
    struct err_ctx *ctx;
    unsigned groups;
    size_t opened[GROUPS_MAX]; // where
    bool repeatable;           // something stands before that may be repeated
    bool repeated;             // and is repeated already
};

static char at(const struct syntax *x, size_t ahead) {
    return x->i + ahead < x->s.len ? x->s.ptr[x->i + ahead] : '\0';
}
static bool left(const struct syntax *x, size_t n) {
    return x->s.len - x->i >= n;
}
static struct str rest(const struct syntax *x) {
    return str_sub(x->s, x->i, x->s.len);
}
static bool is_alnum(char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}
static int hex(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    c = (char)(c | 32);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static enum err wrong(struct syntax *x, size_t where, const char *fmt, ...) PRINTF_LIKE(3, 4);
static enum err wrong(struct syntax *x, size_t where, const char *fmt, ...) {
    va_list args;
    char text[160];
    uint32_t column = 1;
    va_start(args, fmt);
    (void)vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    for (size_t i = 0; i < where && i < x->s.len; i++) column += ((unsigned char)x->s.ptr[i] & 0xc0) != 0x80;
    x->ctx->column = column;
    return err_set(x->ctx, ERR_INVALID, "%s", text);
}

// One character as it is, wherever it comes to stand.
static void put_literal(struct syntax *x, struct str c) {
    if (c.len == 1 && !is_alnum(c.ptr[0]) && (unsigned char)c.ptr[0] > ' ' && c.ptr[0] != '_')
        buf_char(x->out, '\\');
    buf_str(x->out, c);
}

static void put_code(struct syntax *x, uint32_t code) {
    buf_fmt(x->out, "\\x{%x}", code);
}

// --- escapes -------------------------------------------------------------------------------------

// \x41 or \x{10ffff}; i is at the x.
static enum err hex_escape(struct syntax *x) {
    uint32_t v = 0;
    size_t start = x->i - 1, n = 0;
    bool braces = at(x, 1) == '{';
    x->i += braces ? 2 : 1;
    for (; hex(at(x, 0)) >= 0 && v <= 0x10ffff && (braces || n < 2); x->i++, n++)
        v = v * 16 + (uint32_t)hex(at(x, 0));
    if (braces ? n == 0 || at(x, 0) != '}' : n != 2)
        return wrong(x, start, "\\x needs two hexadecimal digits, or some in braces");
    if (braces) x->i++;
    if (v > 0x10ffff || (v >= 0xd800 && v < 0xe000)) return wrong(x, start, "no character has this number");
    put_code(x, v);
    return ERR_OK;
}

// \12 or \123 in octal; \1 would be a back-reference. i is at the first digit.
static enum err octal_escape(struct syntax *x) {
    uint32_t v = 0;
    size_t start = x->i - 1, n = 0;
    bool zero = at(x, 0) == '0';
    if (!zero && (at(x, 0) > '7' || at(x, 1) < '0' || at(x, 1) > '7'))
        return wrong(x, start, "back-references (\\%c) are not supported", at(x, 0));
    for (; n < 3 && at(x, 0) >= '0' && at(x, 0) <= '7'; x->i++, n++) v = v * 8 + (uint32_t)(at(x, 0) - '0');
    put_code(x, v);
    return ERR_OK;
}

// \pN, \p{Greek}, \p{^Greek}; i is at the p.
static enum err property(struct syntax *x) {
    size_t start = x->i - 1;
    bool negated = at(x, 0) == 'P';
    x->i++;
    struct str name = str_sub(x->s, x->i, 1);
    if (at(x, 0) == '{') {
        ptrdiff_t end = str_find(rest(x), '}');
        if (end < 0) return wrong(x, start, "this property has no end; a } is missing");
        name = str_sub(x->s, x->i + 1, (size_t)end - 1);
        x->i += (size_t)end + 1;
    } else if (left(x, 1)) {
        x->i++;
    }
    if (name.len && name.ptr[0] == '^') {
        negated = !negated;
        name = str_sub(name, 1, name.len);
    }
    bool fits =
        name.len > 0 && name.ptr[0] >= 'A' && name.ptr[0] <= 'Z' && (name.len < 3 || name.ptr[0] != 'X');
    for (size_t i = 0; i < name.len; i++) fits = fits && (is_alnum(name.ptr[i]) || name.ptr[i] == '_');
    if (!fits) return wrong(x, start, "unknown property of characters");
    // Longer names are scripts; PCRE2 would take them as script extensions.
    bool script = name.len > 2 && !str_eq(name, STR("Any"));
    buf_fmt(x->out, "\\%c{%s%.*s}", negated ? 'P' : 'p', script ? "sc:" : "", STR_ARG(name));
    return ERR_OK;
}

// \d \s \w and their opposites, which mean ASCII. RE2's \s has no vertical tab.
static bool perl_class(struct syntax *x, char c, bool in_class) {
    static const char *const outside[] = { "[\\t\\n\\f\\r ]", "[^\\t\\n\\f\\r ]" };
    static const char *const inside[] = { "\\t\\n\\f\\r ", "\\S\\x0b" };
    if (c == 's' || c == 'S')
        buf_str(x->out, str_of((in_class ? inside : outside)[c == 'S']));
    else if (c && strchr("dDwW", c))
        buf_fmt(x->out, "\\%c", c);
    else
        return false;
    x->i++;
    return true;
}

static enum err unknown_escape(struct syntax *x, char c) {
    static const struct {
        char c;
        const char *what;
    } others[] = { { 'K', "\\K" },
                   { 'G', "\\G" },
                   { 'R', "\\R" },
                   { 'X', "\\X" },
                   { 'C', "\\C" },
                   { 'Z', "\\Z (write \\z)" },
                   { 'h', "\\h (write [\\t ])" },
                   { 'H', "\\H" },
                   { 'N', "\\N (write [^\\n])" },
                   { 'k', "back-references (\\k)" },
                   { 'g', "back-references (\\g)" },
                   { 'E', "\\E without \\Q" } };
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        if (others[i].c == c) return wrong(x, x->i - 1, "%s is not supported", others[i].what);
    return wrong(x, x->i - 1, "unknown escape \\%.*s", (int)str_utf8_len(rest(x)), x->s.ptr + x->i);
}

// The escape of one character or of a class of them; i is behind the backslash.
static enum err escape(struct syntax *x, bool in_class) {
    static const char from[] = "afnrtv", to[] = "\a\f\n\r\t\v";
    char c = at(x, 0);
    if (!left(x, 1)) return wrong(x, x->i - 1, "a lone \\ at the end");
    if (c == 'x') return hex_escape(x);
    if (c >= '0' && c <= '9') return octal_escape(x);
    if (c == 'p' || c == 'P') return property(x);
    if (perl_class(x, c, in_class)) return ERR_OK;
    const char *simple = c ? strchr(from, c) : NULL;
    if (simple) {
        put_code(x, (uint32_t)to[simple - from]);
    } else if ((unsigned char)c < 0x80 && !is_alnum(c)) {
        put_literal(x, (struct str){ &c, 1 });
    } else {
        return unknown_escape(x, c);
    }
    x->i++;
    return ERR_OK;
}

// \Q…\E: all as it stands.
static void quoted(struct syntax *x) {
    x->i++;
    while (left(x, 1) && !str_starts(rest(x), STR("\\E"))) {
        size_t n = str_utf8_len(rest(x));
        put_literal(x, str_sub(x->s, x->i, n));
        x->i += n;
        x->repeatable = true;
        x->repeated = false;
    }
    if (left(x, 2)) x->i += 2;
}

// --- classes -------------------------------------------------------------------------------------

// [:alpha:] at i. *is_one stays false where it is something else.
static enum err posix_class(struct syntax *x, bool *is_one) {
    static const char names[] =
        " alnum alpha ascii blank cntrl digit graph lower print punct space upper word xdigit ";
    enum { NAME_MAX_BYTES = 6 };
    struct str r = rest(x);
    size_t end = 2;
    *is_one = false;
    if (!str_starts(r, STR("[:"))) return ERR_OK;
    while (end + 1 < r.len && (r.ptr[end] != ':' || r.ptr[end + 1] != ']')) end++;
    if (end + 1 >= r.len) return ERR_OK;
    struct str name = str_sub(r, 2, end - 2);
    if (name.len && name.ptr[0] == '^') name = str_sub(name, 1, name.len);
    char padded[NAME_MAX_BYTES + 3] = "";
    if (name.len && name.len <= NAME_MAX_BYTES)
        (void)snprintf(padded, sizeof padded, " %.*s ", STR_ARG(name));
    if (!padded[0] || !strstr(names, padded)) return wrong(x, x->i, "unknown class of characters [:…:]");
    buf_str(x->out, str_sub(r, 0, end + 2));
    x->i += end + 2;
    *is_one = true;
    return ERR_OK;
}

// The number of the single character at i, for the order of ranges; -1: a class.
static int64_t class_char(const struct syntax *x) {
    struct str r = rest(x);
    if (r.len && r.ptr[0] != '\\') {
        size_t n = str_utf8_len(r);
        uint32_t v = (unsigned char)r.ptr[0];
        if (n > 1) v &= 0xffu >> (n + 1);
        for (size_t i = 1; i < n; i++) v = v << 6 | ((unsigned char)r.ptr[i] & 0x3f);
        return v;
    }
    char c = r.len > 1 ? r.ptr[1] : '\0';
    return c && strchr("dDsSwWpP", c) ? -1 : 0;
}

static enum err class_member(struct syntax *x) {
    if (at(x, 0) == '\\') {
        x->i++;
        return escape(x, true);
    }
    size_t n = str_utf8_len(rest(x));
    put_literal(x, str_sub(x->s, x->i, n));
    x->i += n;
    return ERR_OK;
}

static enum err class_range(struct syntax *x) {
    size_t start = x->i;
    int64_t low = class_char(x), high;
    TRY(class_member(x));
    if (at(x, 0) != '-' || !left(x, 2) || at(x, 1) == ']') return ERR_OK;
    x->i++;
    high = class_char(x);
    if (low < 0 || high < 0) return wrong(x, start, "a range in [ ] goes from one character to another");
    bool both_plain = x->s.ptr[start] != '\\' && at(x, 0) != '\\';
    if (both_plain && low > high) return wrong(x, start, "the range in [ ] is the wrong way round");
    buf_char(x->out, '-');
    return class_member(x);
}

// [ … ]
static enum err bracket(struct syntax *x) {
    size_t start = x->i++;
    bool named;
    buf_char(x->out, '[');
    if (at(x, 0) == '^' && left(x, 1)) {
        buf_char(x->out, '^');
        x->i++;
    }
    for (bool first = true;; first = false) {
        if (!left(x, 1)) return wrong(x, start, "this [ is never closed; a ] is missing");
        if (at(x, 0) == ']' && !first) break;
        TRY(posix_class(x, &named));
        if (!named) TRY(class_range(x));
    }
    buf_char(x->out, ']');
    x->i++;
    x->repeatable = true;
    x->repeated = false;
    return ERR_OK;
}

// --- groups --------------------------------------------------------------------------------------

static enum err group_refused(struct syntax *x, size_t start) {
    static const struct {
        const char *sign, *what;
    } kinds[] = { { "(?=", "look-ahead" },        { "(?!", "look-ahead" },
                  { "(?<=", "look-behind" },      { "(?<!", "look-behind" },
                  { "(?>", "an atomic group" },   { "(?|", "a branch reset" },
                  { "(?#", "a comment" },         { "(?R", "recursion" },
                  { "(?&", "recursion" },         { "(?P>", "recursion" },
                  { "(?P=", "a back-reference" }, { "(?(", "a condition" },
                  { "(?C", "a callout" },         { "(?'", "a group named in quotes" },
                  { "(?+", "recursion" } };
    struct str s = str_sub(x->s, start, x->s.len);
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (str_starts(s, str_of(kinds[i].sign)))
            return wrong(x, start, "%s %s…) is not supported", kinds[i].what, kinds[i].sign);
    bool digit = s.len > 2 && s.ptr[2] >= '0' && s.ptr[2] <= '9';
    return wrong(x, start, digit ? "recursion (?1…) is not supported" : "unknown kind of group (?…");
}

// (?i) (?i:…) (?-s): i is behind the question mark.
static enum err flags(struct syntax *x, size_t start) {
    bool minus = false, any = false;
    buf_str(x->out, STR("(?"));
    for (;; x->i++) {
        char c = at(x, 0);
        if (c == ')' || c == ':') break;
        if (c == '-' && !minus) {
            minus = true;
            any = false;
        } else if (c && strchr("imsU", c)) {
            any = true;
        } else {
            return group_refused(x, start);
        }
        buf_char(x->out, c);
    }
    if (minus && !any) return wrong(x, start, "flags are missing behind the minus");
    bool open = at(x, 0) == ':';
    buf_char(x->out, at(x, 0));
    x->i++;
    if (open) {
        if (x->groups >= GROUPS_MAX) return wrong(x, start, "nested more than %d deep", GROUPS_MAX);
        x->opened[x->groups++] = start;
    }
    x->repeatable = false;
    return ERR_OK;
}

static enum err group_name(struct syntax *x, size_t start) {
    ptrdiff_t end = str_find(rest(x), '>');
    if (end <= 0) return wrong(x, start, "the name of this group has no end");
    for (ptrdiff_t i = 0; i < end; i++)
        if (!is_alnum(at(x, (size_t)i)) && at(x, (size_t)i) != '_')
            return wrong(x, start, "the name of a group has letters, digits and _ only");
    x->i += (size_t)end + 1;
    return ERR_OK;
}

static enum err group(struct syntax *x) {
    size_t start = x->i++;
    struct str r = str_sub(x->s, start, x->s.len);
    bool behind = str_starts(r, STR("(?<=")) || str_starts(r, STR("(?<!"));
    if (str_starts(r, STR("(*"))) return wrong(x, start, "(*…) is not supported");
    if (str_starts(r, STR("(?P<"))) {
        x->i += 3;
        TRY(group_name(x, start));
    } else if (str_starts(r, STR("(?<")) && !behind) {
        x->i += 2;
        TRY(group_name(x, start));
    } else if (at(x, 0) == '?') {
        x->i++;
        return flags(x, start);
    }
    if (x->groups >= GROUPS_MAX) return wrong(x, start, "nested more than %d deep", GROUPS_MAX);
    x->opened[x->groups++] = start;
    buf_str(x->out, STR("(?:")); // nobody asks for what a group matched
    x->repeatable = false;
    return ERR_OK;
}

static enum err group_end(struct syntax *x) {
    if (x->groups == 0) return wrong(x, x->i, "this ) closes nothing");
    x->groups--;
    x->i++;
    buf_char(x->out, ')');
    x->repeatable = true;
    x->repeated = false;
    return ERR_OK;
}

// --- repetition ------------------------------------------------------------------------------------

static bool number(struct syntax *x, size_t *i, unsigned *out) {
    size_t start = *i;
    for (*out = 0; *i < x->s.len && x->s.ptr[*i] >= '0' && x->s.ptr[*i] <= '9'; ++*i)
        if (*out <= REPEAT_MAX) *out = *out * 10 + (unsigned)(x->s.ptr[*i] - '0');
    return *i > start;
}

// {n} {n,} {n,m} at i: their length. 0: this brace is a character like others.
static size_t braces(struct syntax *x, unsigned *low, unsigned *high) {
    size_t i = x->i + 1;
    if (!number(x, &i, low)) return 0;
    *high = *low;
    if (i < x->s.len && x->s.ptr[i] == ',') {
        i++;
        if (!number(x, &i, high)) *high = *low;
    }
    return i < x->s.len && x->s.ptr[i] == '}' ? i + 1 - x->i : 0;
}

static enum err repeat(struct syntax *x, size_t n, unsigned low, unsigned high) {
    struct str sign = str_sub(x->s, x->i, n);
    if (!x->repeatable) return wrong(x, x->i, "nothing stands before %.*s to be repeated", STR_ARG(sign));
    if (x->repeated) return wrong(x, x->i, "%.*s behind another repetition is not supported", STR_ARG(sign));
    if (low > REPEAT_MAX || high > REPEAT_MAX || high < low)
        return wrong(x, x->i, "wrong numbers in %.*s; they go up to %d", STR_ARG(sign), REPEAT_MAX);
    buf_str(x->out, sign);
    x->i += n;
    if (at(x, 0) == '?' && left(x, 1)) { // as few as possible
        buf_char(x->out, '?');
        x->i++;
    }
    x->repeated = true;
    return ERR_OK;
}

// --- all of it -------------------------------------------------------------------------------------

// In a group of its own, since RE2 lets it be repeated.
static void assertion(struct syntax *x, const char *text, size_t n) {
    buf_fmt(x->out, "(?:%s)", text);
    x->i += n;
    x->repeatable = true;
    x->repeated = false;
}

static enum err escaped(struct syntax *x) {
    static const char *const asserts[] = { "\\A", "\\z", "\\b", "\\B" };
    for (size_t i = 0; i < 4; i++)
        if (str_starts(rest(x), str_of(asserts[i]))) {
            assertion(x, asserts[i], 2);
            return ERR_OK;
        }
    x->i++;
    if (at(x, 0) == 'Q') {
        quoted(x);
        return ERR_OK;
    }
    x->repeatable = true;
    x->repeated = false;
    return escape(x, false);
}

static enum err one(struct syntax *x) {
    char c = at(x, 0);
    unsigned low = 0, high = 0;
    size_t n = c == '{' ? braces(x, &low, &high) : 0;
    switch (c) {
    case '\\': return escaped(x);
    case '[': return bracket(x);
    case '(': return group(x);
    case ')': return group_end(x);
    case '*':
    case '+':
    case '?': return repeat(x, 1, 0, 0);
    case '^': assertion(x, "^", 1); return ERR_OK;
    case '$': assertion(x, "$", 1); return ERR_OK;
    case '|':
        buf_char(x->out, '|');
        x->i++;
        x->repeatable = false;
        return ERR_OK;
    default: break;
    }
    if (n) return repeat(x, n, low, high);
    n = str_utf8_len(rest(x));
    if (c == '.')
        buf_char(x->out, '.');
    else
        put_literal(x, str_sub(x->s, x->i, n));
    x->i += n;
    x->repeatable = true;
    x->repeated = false;
    return ERR_OK;
}

enum err regex_translate(struct str pattern, struct buf *out, struct err_ctx *ctx) {
    struct syntax x = { .s = pattern, .out = out, .ctx = ctx };
    if (!str_is_utf8(pattern)) return wrong(&x, 0, "it is not UTF-8");
    buf_str(out, STR("(?:"));
    while (x.i < x.s.len) TRY(one(&x));
    if (x.groups) return wrong(&x, x.opened[x.groups - 1], "this ( is never closed; a ) is missing");
    buf_str(out, STR(")\\z"));
    return out->failed ? ERR_NOMEM : ERR_OK;
}
