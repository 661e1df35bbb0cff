// SPDX-License-Identifier: Apache-2.0
#include "base/json.h"

#include <stdio.h>

#include "base/json_internal.h"

enum { WANT_VALUE, WANT_FIRST_ELEMENT, WANT_KEY, WANT_FIRST_KEY, WANT_SEPARATOR };

void json_init(struct json *j, struct str input, uint32_t max_depth, struct err_ctx *ctx) {
    ASSERT(max_depth <= JSON_DEPTH_MAX);
    if (input.len == 0) input = STR("");
    *j = (struct json){ .start = input.ptr,
                        .pos = input.ptr,
                        .token = input.ptr,
                        .end = input.ptr + input.len,
                        .kind = JSON_END,
                        .want = WANT_VALUE,
                        .max_depth = max_depth,
                        .ctx = ctx };
}

const char *json_kind_text(enum json_kind kind) {
    static const char *const texts[JSON_KIND_COUNT] = {
        [JSON_ERROR] = "an error",   [JSON_END] = "the end of the text",
        [JSON_OBJECT] = "an object", [JSON_OBJECT_END] = "the end of an object",
        [JSON_ARRAY] = "an array",   [JSON_ARRAY_END] = "the end of an array",
        [JSON_KEY] = "a key",        [JSON_STRING] = "a string",
        [JSON_NUMBER] = "a number",  [JSON_TRUE] = "true",
        [JSON_FALSE] = "false",      [JSON_NULL] = "null",
    };
    return texts[kind];
}

// --- errors: the position is counted only when there is one ----------------------------------

static void place(struct json *j, const char *at) {
    const char *line = j->start;
    j->ctx->line = 1;
    for (const char *p; (p = memchr(line, '\n', (size_t)(at - line))) != NULL; line = p + 1) j->ctx->line++;
    j->ctx->column = (uint32_t)(at - line) + 1;
}

static bool first_error(struct json *j, enum err e, const char *at) {
    j->kind = JSON_ERROR;
    if (j->err != ERR_OK) return false;
    j->err = e;
    if (j->ctx->text[0] == '\0') place(j, at);
    return true;
}

enum err json_fail(struct json *j, enum err e, const char *fmt, ...) {
    if (!first_error(j, e, j->token)) return j->err;
    char text[sizeof j->ctx->text];
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    return err_set(j->ctx, e, "%s", text);
}

static enum json_kind fail_at(struct json *j, const char *at, enum err e, const char *what) {
    if (first_error(j, e, at)) (void)err_set(j->ctx, e, "%s", what);
    return JSON_ERROR;
}

static enum json_kind unexpected(struct json *j, const char *at, const char *expected) {
    char text[128];
    unsigned char c = at < j->end ? (unsigned char)*at : 0;
    if (at == j->end)
        (void)snprintf(text, sizeof text, "expected %s, found the end of the text", expected);
    else if (c > 0x20 && c < 0x7f)
        (void)snprintf(text, sizeof text, "expected %s, found '%c'", expected, c);
    else
        (void)snprintf(text, sizeof text, "expected %s, found byte 0x%02x", expected, c);
    return fail_at(j, at, ERR_INVALID, text);
}

// --- tokens ------------------------------------------------------------------------------------

// The next byte that is not white space (0 at the end, which fits nowhere in the grammar either).
static inline unsigned char look(struct json *j) {
    const char *p = j->pos;
    while (p < j->end && (*p == ' ' || *p == '\n' || *p == '\r' || *p == '\t')) p++;
    j->pos = p;
    return p < j->end ? (unsigned char)*p : 0;
}

static inline bool in_object(const struct json *j) {
    uint32_t level = j->depth - 1;
    return j->objects[level / 64] >> (level % 64) & 1;
}

// Four hex digits at p as a UTF-16 unit, or -1.
static int32_t hex_unit(const char *p, const char *end) {
    uint8_t b[2];
    if (end - p < 4 || !hex_decode((struct str){ p, 4 }, b, 2)) return -1;
    return b[0] << 8 | b[1];
}

static bool is_high(int32_t unit) {
    return unit >= 0xd800 && unit <= 0xdbff;
}

static bool is_low(int32_t unit) {
    return unit >= 0xdc00 && unit <= 0xdfff;
}

// Length of the escape at p (its backslash), or 0 when it is none.
static size_t escape_len(const char *p, const char *end) {
    if (end - p < 2) return 0;
    if (p[1] != 'u') return p[1] && strchr("\"\\/bfnrt", p[1]) ? 2 : 0;
    int32_t unit = hex_unit(p + 2, end);
    if (unit < 0 || is_low(unit)) return 0;
    if (!is_high(unit)) return 6;
    bool pair = end - p >= 12 && p[6] == '\\' && p[7] == 'u' && is_low(hex_unit(p + 8, end));
    return pair ? 12 : 0;
}

// The rest of a string from its first character that needs care, at p.
static bool string_rest(struct json *j, const char *p) {
    for (;; p = json_plain_run(p, j->end)) {
        if (p == j->end) return unexpected(j, p, "the end of a string"), false;
        unsigned char c = (unsigned char)*p;
        if (c == '"') break;
        size_t n;
        if (c == '\\') {
            n = escape_len(p, j->end);
            j->escaped = true;
            if (n == 0) return fail_at(j, p, ERR_INVALID, "this is not an escape of JSON"), false;
        } else {
            if (c < 0x20) return unexpected(j, p, "no control character in a string"), false;
            n = str_utf8_len((struct str){ p, (size_t)(j->end - p) });
            if (n == 0) return fail_at(j, p, ERR_INVALID, "this is not UTF-8"), false;
        }
        p += n;
    }
    j->text = (struct str){ j->pos, (size_t)(p - j->pos) };
    j->pos = p + 1;
    return true;
}

// Reads a string whose opening quote is at pos; the caller says what token it is.
static inline bool string(struct json *j) {
    const char *begin = ++j->pos, *p = json_plain_run(begin, j->end);
    j->escaped = false;
    if (__builtin_expect(p == j->end || *p != '"', 0)) return string_rest(j, p);
    j->text = (struct str){ begin, (size_t)(p - begin) };
    j->pos = p + 1;
    return true;
}

static enum json_kind key(struct json *j) {
    if (!string(j)) return JSON_ERROR;
    if (look(j) != ':') return unexpected(j, j->pos, "':'");
    j->pos++;
    j->want = WANT_VALUE;
    return JSON_KEY;
}

static enum json_kind number(struct json *j) {
    size_t left = (size_t)(j->end - j->pos);
    size_t n = json_number_len((struct str){ j->pos, left > JSON_NUMBER_MAX ? JSON_NUMBER_MAX + 1 : left });
    if (n > JSON_NUMBER_MAX) return fail_at(j, j->pos, ERR_LIMIT, "a number of more than 1024 characters");
    char next = n < left ? j->pos[n] : ',';
    bool more = (next >= '0' && next <= '9') || next == '.' || next == 'e' || next == 'E' || next == '-';
    if (n == 0 || more) return fail_at(j, j->pos, ERR_INVALID, "this is not a number of JSON");
    j->text = (struct str){ j->pos, n };
    j->pos += n;
    return JSON_NUMBER;
}

static enum json_kind literal(struct json *j, struct str word, enum json_kind kind) {
    if (!str_starts((struct str){ j->pos, (size_t)(j->end - j->pos) }, word))
        return unexpected(j, j->pos, "a value");
    j->pos += word.len;
    return kind;
}

static enum json_kind open_level(struct json *j, bool object) {
    if (j->depth == j->max_depth)
        return fail_at(j, j->pos, ERR_LIMIT, "arrays and objects nested too deeply");
    uint64_t bit = (uint64_t)1 << (j->depth % 64), *word = &j->objects[j->depth / 64];
    *word = object ? *word | bit : *word & ~bit;
    j->depth++;
    j->pos++;
    j->want = object ? WANT_FIRST_KEY : WANT_FIRST_ELEMENT;
    return object ? JSON_OBJECT : JSON_ARRAY;
}

static enum json_kind close_level(struct json *j) {
    bool object = in_object(j);
    j->depth--;
    j->pos++;
    j->want = WANT_SEPARATOR;
    return object ? JSON_OBJECT_END : JSON_ARRAY_END;
}

static enum json_kind value(struct json *j, unsigned char c) {
    if (c == '{' || c == '[') return open_level(j, c == '{');
    if (c == ']' && j->want == WANT_FIRST_ELEMENT) return close_level(j);
    const char *expected = j->want == WANT_FIRST_ELEMENT ? "a value or ']'" : "a value";
    j->want = WANT_SEPARATOR;
    switch (c) {
    case '"': return string(j) ? JSON_STRING : JSON_ERROR;
    case 't': return literal(j, STR("true"), JSON_TRUE);
    case 'f': return literal(j, STR("false"), JSON_FALSE);
    case 'n': return literal(j, STR("null"), JSON_NULL);
    case '-': return number(j);
    default: return c >= '0' && c <= '9' ? number(j) : unexpected(j, j->pos, expected);
    }
}

static enum json_kind after_value(struct json *j, unsigned char c) {
    if (j->depth == 0) return j->pos == j->end ? JSON_END : unexpected(j, j->pos, "the end of the text");
    bool object = in_object(j);
    if (c == (object ? '}' : ']')) return close_level(j);
    return unexpected(j, j->pos, object ? "',' or '}'" : "',' or ']'");
}

static enum json_kind token(struct json *j) {
    unsigned char c = look(j);
    if (j->want == WANT_SEPARATOR) {
        if (c != ',' || j->depth == 0) return j->token = j->pos, after_value(j, c);
        j->pos++;
        c = look(j);
        j->want = in_object(j) ? WANT_KEY : WANT_VALUE;
    }
    j->token = j->pos;
    if (j->want != WANT_KEY && j->want != WANT_FIRST_KEY) return value(j, c);
    if (c == '"') return key(j);
    if (j->want == WANT_KEY) return unexpected(j, j->pos, "a key");
    return c == '}' ? close_level(j) : unexpected(j, j->pos, "a key or '}'");
}

enum json_kind json_next(struct json *j) {
    if (__builtin_expect(j->err != ERR_OK, 0)) return JSON_ERROR;
    return j->kind = token(j);
}

void json_skip(struct json *j) {
    if (j->kind == JSON_KEY) (void)json_next(j);
    if (j->kind != JSON_OBJECT && j->kind != JSON_ARRAY) return;
    for (uint32_t outer = j->depth - 1; j->depth > outer && json_next(j) != JSON_ERROR;) {}
}

// --- text --------------------------------------------------------------------------------------

static void add_code_point(struct buf *out, uint32_t c) {
    char b[4];
    size_t n = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
    static const unsigned char lead[] = { 0, 0, 0xc0, 0xe0, 0xf0 };
    for (size_t i = n; i-- > 1; c >>= 6) b[i] = (char)(0x80 | (c & 0x3f));
    b[0] = (char)(lead[n] | c);
    buf_add(out, b, n);
}

// Appends what the (valid) escape at p stands for and returns its length.
static size_t resolve(const char *p, const char *end, struct buf *out) {
    static const char from[] = "bfnrt", to[] = "\b\f\n\r\t";
    if (p[1] != 'u') {
        const char *at = strchr(from, p[1]);
        buf_char(out, at ? to[at - from] : p[1]);
        return 2;
    }
    int32_t unit = hex_unit(p + 2, end);
    if (!is_high(unit)) return add_code_point(out, (uint32_t)unit), 6;
    int32_t low = hex_unit(p + 8, end);
    add_code_point(out, 0x10000 + ((uint32_t)(unit - 0xd800) << 10) + (uint32_t)(low - 0xdc00));
    return 12;
}

void json_text(const struct json *j, struct buf *out) {
    if (!j->escaped) {
        buf_str(out, j->text);
        return;
    }
    const char *p = j->text.ptr, *end = p + j->text.len;
    while (p < end) {
        const char *slash = memchr(p, '\\', (size_t)(end - p));
        if (!slash) slash = end;
        buf_add(out, p, (size_t)(slash - p));
        p = slash;
        if (p < end) p += resolve(p, end, out);
    }
}
