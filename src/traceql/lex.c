// SPDX-License-Identifier: Apache-2.0
#include "traceql/lex.h"

#include <stdarg.h>
#include <stdio.h>

#include "traceql/suggest.h"

void lex_fail(struct token *out, uint32_t bad, struct err_ctx *why, const char *fmt, ...) {
    va_list args;
    if (out->kind == TOK_ERROR) return; // the first counts
    out->kind = TOK_ERROR;
    out->bad = bad;
    va_start(args, fmt);
    (void)vsnprintf(why->text, sizeof why->text, fmt, args);
    va_end(args);
}

static struct str rest_of(const struct lexer *l) {
    return str_sub(l->text, l->pos, l->text.len);
}

size_t lex_space(struct str s) {
    if (s.len == 0) return 0;
    unsigned char c = (unsigned char)s.ptr[0];
    if (c < 0x80) return c == ' ' || (c >= 9 && c <= 13);
    static const char *const wide[] = { "\xc2\x85",     "\xc2\xa0",     "\xe1\x9a\x80", "\xe2\x80\xa8",
                                        "\xe2\x80\xa9", "\xe2\x80\xaf", "\xe2\x81\x9f", "\xe3\x80\x80" };
    for (size_t i = 0; i < sizeof wide / sizeof *wide; i++)
        if (str_starts(s, str_of(wide[i]))) return strlen(wide[i]);
    bool en_quad = s.len >= 3 && memcmp(s.ptr, "\xe2\x80", 2) == 0 && (unsigned char)s.ptr[2] >= 0x80 &&
                   (unsigned char)s.ptr[2] <= 0x8a;
    return en_quad ? 3 : 0;
}

// Bytes of the comment at the start of s, 0: none. One without an end goes to the end.
static size_t comment_len(struct str s) {
    if (str_starts(s, STR("//"))) {
        ptrdiff_t end = str_find(s, '\n');
        return end < 0 ? s.len : (size_t)end;
    }
    if (!str_starts(s, STR("/*"))) return 0;
    for (size_t i = 2; i + 1 < s.len; i++)
        if (s.ptr[i] == '*' && s.ptr[i + 1] == '/') return i + 2;
    return s.len;
}

static bool is_open_comment(struct str s) {
    return str_starts(s, STR("/*")) && comment_len(s) == s.len && !(s.len >= 4 && str_ends(s, STR("*/")));
}

// A byte order mark may stand before all else.
static void skip(struct lexer *l, bool comments) {
    if (l->pos == 0 && str_starts(l->text, STR("\xef\xbb\xbf"))) l->pos = 3;
    for (;;) {
        struct str s = rest_of(l);
        size_t n = lex_space(s);
        if (n == 0 && comments && !is_open_comment(s)) n = comment_len(s);
        if (n == 0) return;
        l->pos += (uint32_t)n;
    }
}

char lex_peek(const struct lexer *l) {
    struct lexer copy = *l;
    skip(&copy, true);
    return copy.pos < copy.text.len ? copy.text.ptr[copy.pos] : '\0';
}

// --- fields --------------------------------------------------------------------------------------

bool lex_is_name(struct str rest, size_t *len) {
    if (rest.len == 0 || lex_space(rest)) return false;
    *len = str_utf8_len(rest);
    return *len > 0 && (rest.ptr[0] == '\0' || !strchr("{}()=~!<>&|^,", rest.ptr[0]));
}

// Bytes of the quoted part of a name at s; 0: it has no end.
static size_t quoted_len(struct str s) {
    for (size_t i = 1; i < s.len; i++) {
        if (s.ptr[i] == '"') return i + 1;
        if (s.ptr[i] == '\\' && i + 1 < s.len && (s.ptr[i + 1] == '"' || s.ptr[i + 1] == '\\')) i++;
    }
    return 0;
}

// The name without its quotes, in which \" and \\ are escapes. NULL: no memory.
static struct str unquote(struct arena *a, struct str s) {
    char *to = ARENA_ARRAY(a, s.len + 1, char);
    size_t n = 0;
    bool inside = false;
    if (!to) return (struct str){ 0 };
    for (size_t i = 0; i < s.len; i++) {
        if (s.ptr[i] == '"') {
            inside = !inside;
            continue;
        }
        if (inside && s.ptr[i] == '\\' && i + 1 < s.len && (s.ptr[i + 1] == '"' || s.ptr[i + 1] == '\\')) i++;
        to[n++] = s.ptr[i];
    }
    return (struct str){ to, n };
}

// The name at the lexer's position becomes the field's key.
static bool lex_name(struct lexer *l, struct token *out, struct err_ctx *why) {
    struct str s = rest_of(l), before = str_sub(l->text, out->place.from, l->pos - out->place.from);
    size_t i = 0, part;
    bool quotes = false;
    while (lex_is_name(str_sub(s, i, s.len), &part)) {
        if (s.ptr[i] == '"') {
            quotes = true;
            part = quoted_len(str_sub(s, i, s.len));
        }
        if (part == 0) {
            lex_fail(out, l->pos + (uint32_t)i, why, "this quoted name has no end; a \" is missing");
            out->open = true;
            part = s.len - i;
        }
        i += part;
    }
    if (i == 0) {
        lex_fail(out, l->pos, why, "the name of an attribute is missing after %.*s", STR_ARG(before));
        out->open = true;
    }
    out->field.key = quotes ? unquote(l->arena, str_sub(s, 0, i)) : str_sub(s, 0, i);
    l->pos += (uint32_t)i;
    return out->field.key.ptr != NULL;
}

static bool attribute(struct lexer *l, struct token *out, enum field_scope scope, struct err_ctx *why) {
    out->kind = TOK_FIELD;
    out->field.scope = scope;
    return lex_name(l, out, why);
}

// What follows `parent.`
static bool of_parent(struct lexer *l, struct token *out, struct err_ctx *why) {
    static const enum field_scope refused[] = { FIELD_EVENT, FIELD_LINK, FIELD_INSTRUMENTATION };
    struct str s = rest_of(l);
    out->field.of_parent = true;
    for (size_t i = 0; i < 3; i++) {
        struct str scope = field_scope_name(refused[i]);
        if (!str_starts(s, scope) || s.len == scope.len || s.ptr[scope.len] != '.') continue;
        lex_fail(
            out, l->pos, why,
            "parent. reads attributes of the parent's span and resource, not of its %.*s; for an attribute "
            "with such a name put it in quotes: parent.\"%.*s.…\"",
            STR_ARG(scope), STR_ARG(scope));
    }
    bool span = str_starts(s, STR("span.")), resource = str_starts(s, STR("resource."));
    l->pos += span ? 5 : resource ? 9 : 0;
    enum field_scope scope = span ? FIELD_SPAN : resource ? FIELD_RESOURCE : FIELD_UNSCOPED;
    bool failed = out->kind == TOK_ERROR;
    if (!attribute(l, out, scope, why)) return false;
    if (failed) out->kind = TOK_ERROR;
    return true;
}

static bool word_char(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

static void skip_word(struct lexer *l) {
    while (l->pos < l->text.len && word_char(l->text.ptr[l->pos])) l->pos++;
}

// scope:name
static void scoped_intrinsic(struct lexer *l, struct token *out, struct str scope, struct err_ctx *why) {
    static const char all[] = "span:duration span:name span:status span:statusMessage span:kind span:id "
                              "span:parentID span:childCount span:traceState "
                              "trace:id trace:duration trace:rootName trace:rootService event:name "
                              "event:timeSinceStart link:traceID "
                              "link:spanID instrumentation:name instrumentation:version";
    uint32_t name_at = ++l->pos;
    enum intrinsic i;
    skip_word(l);
    struct str whole = str_sub(l->text, out->place.from, l->pos - out->place.from);
    struct str name = str_sub(l->text, name_at, l->pos - name_at);
    if (name_scoped(whole, &i)) {
        out->kind = TOK_FIELD;
        out->field = field_of_intrinsic(i);
        return;
    }
    struct str meant = suggest(whole, all);
    (void)name_scope(scope, &out->field.scope);
    if (name.len == 0)
        lex_fail(out, name_at, why, "the name of an intrinsic is missing after %.*s:", STR_ARG(scope));
    else if (meant.len)
        lex_fail(out, out->place.from, why, "unknown intrinsic %.*s; probably meant: %.*s",
                 STR_ARG(quote_cut(whole)), STR_ARG(meant));
    else if (str_eq(scope, STR("trace")))
        lex_fail(out, out->place.from, why,
                 "unknown intrinsic %.*s; there are trace:id, trace:duration, trace:rootName and "
                 "trace:rootService",
                 STR_ARG(quote_cut(whole)));
    else
        lex_fail(out, out->place.from, why, "unknown intrinsic %.*s; for an attribute write %.*s.%.*s",
                 STR_ARG(quote_cut(whole)), STR_ARG(scope), STR_ARG(quote_cut(name)));
    out->open = true;
}

static void unknown_scope(struct lexer *l, struct token *out, struct str word, struct err_ctx *why) {
    static const char scopes[] = "span resource event link instrumentation parent trace";
    size_t part;
    char c = l->text.ptr[l->pos];
    while (lex_is_name(rest_of(l), &part)) l->pos += (uint32_t)part;
    struct str meant = suggest(word, scopes),
               whole = str_sub(l->text, out->place.from, l->pos - out->place.from);
    if (str_eq(word, STR("trace")) || str_eq(word, STR("parent")))
        lex_fail(out, out->place.from, why, "%.*s has no %s", STR_ARG(word),
                 c == '.'
                     ? "attributes; there are trace:id, trace:duration, trace:rootName and trace:rootService"
                     : "intrinsics; there are parent.name, parent.span.name and parent.resource.name for "
                       "attributes");
    else if (meant.len)
        lex_fail(out, out->place.from, why, "unknown scope %.*s; probably meant: %.*s%c",
                 STR_ARG(quote_cut(word)), STR_ARG(meant), c);
    else
        lex_fail(out, out->place.from, why,
                 "%.*s has no scope; probably meant: .%.*s, span.%.*s or resource.%.*s",
                 STR_ARG(quote_cut(whole)), STR_ARG(quote_cut(whole)), STR_ARG(quote_cut(whole)),
                 STR_ARG(quote_cut(whole)));
}

static bool word(struct lexer *l, struct token *out, struct err_ctx *why) {
    enum field_scope scope;
    skip_word(l);
    struct str w = str_sub(l->text, out->place.from, l->pos - out->place.from), s = rest_of(l);
    char c = s.len ? s.ptr[0] : '\0', after = s.len > 1 ? s.ptr[1] : ' ';
    bool known = name_scope(w, &scope);
    out->kind = TOK_WORD;
    if (c == '.' && (known || str_eq(w, STR("parent")))) {
        l->pos++;
        return known ? attribute(l, out, scope, why) : of_parent(l, out, why);
    }
    if (c == ':' && (known || str_eq(w, STR("trace"))))
        scoped_intrinsic(l, out, w, why);
    else if ((c == '.' || c == ':') && (word_char(after) || after == '"'))
        unknown_scope(l, out, w, why);
    return true;
}

// --- operators -----------------------------------------------------------------------------------

static const struct {
    const char *text;
    enum tok tok;
} operators[] = {
    // longer ones first
    { "!>>", TOK_NOT_DESCENDANT },
    { "!<<", TOK_NOT_ANCESTOR },
    { "&>>", TOK_BOTH_DESCENDANT },
    { "&<<", TOK_BOTH_ANCESTOR },
    { "&&", TOK_AND },
    { "||", TOK_OR },
    { "!=", TOK_NE },
    { "!~", TOK_NO_MATCH },
    { "!>", TOK_NOT_CHILD },
    { "!<", TOK_NOT_PARENT },
    { "&>", TOK_BOTH_CHILD },
    { "&<", TOK_BOTH_PARENT },
    { "&~", TOK_BOTH_SIBLING },
    { "=~", TOK_MATCH },
    { ">>", TOK_DESCENDANT },
    { "<<", TOK_ANCESTOR },
    { ">=", TOK_GE },
    { "<=", TOK_LE },
    { "{", TOK_BRACE_OPEN },
    { "}", TOK_BRACE_CLOSE },
    { "(", TOK_OPEN },
    { ")", TOK_CLOSE },
    { ",", TOK_COMMA },
    { "|", TOK_PIPE },
    { "!", TOK_NOT },
    { "=", TOK_EQ },
    { "<", TOK_LT },
    { ">", TOK_GT },
    { "+", TOK_ADD },
    { "-", TOK_SUB },
    { "*", TOK_MUL },
    { "/", TOK_DIV },
    { "%", TOK_MOD },
    { "^", TOK_POW },
    { "~", TOK_SIBLING },
};

static size_t operator_len(struct str s, enum tok *out) {
    for (size_t i = 0; i < sizeof operators / sizeof *operators; i++)
        if (str_starts(s, str_of(operators[i].text))) {
            *out = operators[i].tok;
            return strlen(operators[i].text);
        }
    return 0;
}

static void single_quoted(struct lexer *l, struct str s, struct token *out, struct err_ctx *why) {
    ptrdiff_t end = str_find(str_sub(s, 1, s.len), '\'');
    size_t n = end < 0 ? 0 : (size_t)end;
    struct str inside = quote_cut(str_sub(s, 1, n));
    if (end < 0)
        lex_fail(out, l->pos, why, "text is written in double quotes \"…\" or in backquotes, not behind '");
    else
        lex_fail(out, l->pos, why, "text is not written in single quotes; probably meant: \"%.*s\"",
                 STR_ARG(inside));
    out->place.len = end < 0 ? 1 : (uint32_t)end + 2;
    l->pos += out->place.len;
}

// A soft hyphen is seen at the end of a line only.
static bool is_invisible(struct str character) {
    return str_is_unseen(character) || str_eq(character, STR("\u00ad"));
}

// Common slips of the pen, and whatever begins no token.
static void slip(struct lexer *l, struct str s, struct token *out, struct err_ctx *why) {
    size_t n = str_utf8_len(s);
    if (s.ptr[0] == '\'') {
        single_quoted(l, s, out, why);
        return;
    }
    if (str_starts(s, STR("\xe2\x80\x9c")) || str_starts(s, STR("\xe2\x80\x9d")))
        lex_fail(out, l->pos, why, "typographic quotes; text is written in plain double quotes \"…\"");
    else if (s.ptr[0] == '&')
        lex_fail(out, l->pos, why, "a single &; probably meant: &&");
    else if (s.ptr[0] == '\0' || (unsigned char)s.ptr[0] < 0x20)
        lex_fail(out, l->pos, why, "a control character that means nothing here");
    else if (n && is_invisible(str_sub(s, 0, n)))
        lex_fail(out, l->pos, why, "an invisible character (U+%04X) that means nothing here",
                 str_code_point(str_sub(s, 0, n)));
    else
        lex_fail(out, l->pos, why, "the character %.*s means nothing here", (int)(n ? n : 1), s.ptr);
    out->place.len = (uint32_t)(n ? n : 1);
    l->pos += out->place.len;
}

static void operator_or_slip(struct lexer *l, struct str s, struct token *out, struct err_ctx *why) {
    size_t n = operator_len(s, &out->kind);
    static const struct {
        const char *wrong, *right;
    } slips[] = { { "==", "=" },  { "<>", "!=" },  { "=>", ">=" },  { "=<", "<=" },
                  { "~=", "=~" }, { "&&&", "&&" }, { "|||", "||" }, { "!==", "!=" } };
    for (size_t i = 0; i < sizeof slips / sizeof *slips; i++) {
        size_t len = strlen(slips[i].wrong);
        if (len < n || !str_starts(s, str_of(slips[i].wrong))) continue;
        // some are two tokens that stand for other things, but never next to each other
        lex_fail(out, l->pos, why, "there is no operator %s; probably meant: %s", slips[i].wrong,
                 slips[i].right);
        n = len;
    }
    if (n == 0) {
        slip(l, s, out, why);
        return;
    }
    out->place.len = (uint32_t)n;
    l->pos += (uint32_t)n;
}

bool lex_next(struct lexer *l, struct token *out, struct err_ctx *why) {
    skip(l, !l->comments);
    struct str s = rest_of(l);
    char c = s.len ? s.ptr[0] : '\0', after = s.len > 1 ? s.ptr[1] : '\0';
    bool digit = (c >= '0' && c <= '9') || (c == '.' && after >= '0' && after <= '9'), ok = true;
    size_t comment = l->comments ? comment_len(s) : 0;
    *out = (struct token){ .kind = TOK_END, .place = { .from = l->pos } };
    if (s.len == 0) return true;
    if (comment) {
        out->kind = TOK_COMMENT;
        l->pos += (uint32_t)comment;
    } else if (is_open_comment(s)) {
        lex_fail(out, l->pos, why, "this comment has no end; a */ is missing");
        l->pos = (uint32_t)l->text.len;
    } else if (digit) {
        ok = lex_number(l, out, why);
    } else if (c == '.') {
        l->pos++;
        ok = attribute(l, out, FIELD_UNSCOPED, why);
    } else if (c == '"' || c == '`') {
        ok = lex_string(l, out, why);
    } else if (word_char(c)) {
        ok = word(l, out, why);
    } else {
        operator_or_slip(l, s, out, why);
    }
    out->place.len = l->pos - out->place.from;
    return ok;
}
