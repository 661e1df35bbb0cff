// SPDX-License-Identifier: Apache-2.0
// What most patterns are: texts, and texts with .* between them. They are told without PCRE.
#include "traceql/regex_internal.h"

static bool is_alnum(char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

// The text that a piece of a pattern stands for. false: it is more than text.
static bool literal(struct str s, char *to, size_t *n) {
    *n = 0;
    for (size_t i = 0; i < s.len; i++) {
        char c = s.ptr[i];
        if (c == '\\') {
            c = i + 1 < s.len ? s.ptr[++i] : 'a';
            if (is_alnum(c)) return false;
        } else if (c && strchr(".*+?()[]{}^$|", c)) {
            return false;
        }
        to[(*n)++] = c;
    }
    return true;
}

// (a|b) and (?:a|b) as a|b, where the outer parentheses are the only ones.
static struct str without_group(struct str s) {
    struct str inner = s;
    if (str_starts(s, STR("(?:")) && str_ends(s, STR(")")))
        inner = str_sub(s, 3, s.len - 4);
    else if (str_starts(s, STR("(")) && str_ends(s, STR(")")))
        inner = str_sub(s, 1, s.len - 2);
    for (size_t i = 0; i < inner.len; i++)
        if (inner.ptr[i] == '(' || inner.ptr[i] == ')' || inner.ptr[i] == '?') return s;
    return inner;
}

// By heap: there may be thousands.
static void sort_words(struct str *words, uint32_t n) {
    for (uint32_t end = n, root = n / 2; end > 1;) {
        if (root > 0) {
            root--;
        } else {
            struct str last = words[--end];
            words[end] = words[0];
            words[0] = last;
        }
        for (uint32_t parent = root, child; (child = 2 * parent + 1) < end; parent = child) {
            if (child + 1 < end && str_cmp(words[child], words[child + 1]) < 0) child++;
            if (str_cmp(words[parent], words[child]) >= 0) break;
            struct str t = words[parent];
            words[parent] = words[child];
            words[child] = t;
        }
    }
}

static enum err words_of(struct ql_regex *r, struct str s) {
    uint32_t n = 1, k = 0;
    for (size_t i = 0; i < s.len; i++) n += s.ptr[i] == '|';
    struct str *words = ARENA_ARRAY(&r->arena, n, struct str);
    char *text = ARENA_ARRAY(&r->arena, s.len + 1, char);
    if (!words || !text) return ERR_NOMEM;
    for (struct str rest_of = s, part; k < n; k++) {
        size_t len;
        (void)str_cut(rest_of, '|', &part, &rest_of);
        if (!literal(part, text, &len)) return ERR_OK; // `\|` ends up here too
        words[k] = (struct str){ text, len };
        text += len;
    }
    sort_words(words, n);
    r->words = words;
    r->n_words = n;
    r->form = REGEX_WORDS;
    return ERR_OK;
}

// Texts with .* between them, as a|b without one is: texts[0] begins the whole, the last one ends it.
static enum err pieces_of(struct ql_regex *r, struct str s) {
    uint32_t n = 1, k = 0;
    size_t start = 0, len;
    for (size_t i = 0; i + 1 < s.len; i++) n += s.ptr[i] == '.' && s.ptr[i + 1] == '*';
    struct str *pieces = ARENA_ARRAY(&r->arena, n, struct str);
    char *text = ARENA_ARRAY(&r->arena, s.len + 1, char);
    if (!pieces || !text) return ERR_NOMEM;
    for (size_t i = 0; i <= s.len; i++) {
        bool any = str_starts(str_sub(s, i, 2), STR(".*"));
        if (i < s.len && s.ptr[i] == '\\') i++;
        if (!any && i < s.len) continue;
        if (!literal(str_sub(s, start, i - start), text, &len)) return ERR_OK;
        pieces[k++] = (struct str){ text, len };
        text += len;
        start = i + 2;
        i++;
    }
    r->words = pieces;
    r->n_words = k;
    r->form = REGEX_PIECES;
    return ERR_OK;
}

static bool has_any(struct str s, const char *of) {
    for (size_t i = 0; i < s.len; i++)
        if (s.ptr[i] && strchr(of, s.ptr[i])) return true;
    return false;
}

// A bar outside of all groups. Where it takes more than counting to tell, there may be one.
static bool may_have_branches(struct str s) {
    int depth = 0;
    if (!has_any(s, "|")) return false;
    if (has_any(s, "[\\")) return true;
    for (size_t i = 0; i < s.len; i++) {
        depth += (s.ptr[i] == '(') - (s.ptr[i] == ')');
        if (s.ptr[i] == '|' && depth == 0) return true;
    }
    return false;
}

// The text before the first character that means something. The last character of it is not part of
// it when it may be missing or repeated.
static enum err prefix_of(struct ql_regex *r, struct str s) {
    char *text = ARENA_ARRAY(&r->arena, s.len + 1, char);
    size_t i = 0, n = 0, last = 0;
    if (!text) return ERR_NOMEM;
    if (may_have_branches(s)) return ERR_OK;
    for (; i < s.len; i++) {
        char c = s.ptr[i];
        if (c == '\\') {
            if (i + 1 == s.len || is_alnum(s.ptr[i + 1])) break;
            c = s.ptr[++i];
        } else if (c && strchr(".*+?()[]{}^$|", c)) {
            break;
        }
        if (((unsigned char)c & 0xc0) != 0x80) last = n;
        text[n++] = c;
    }
    if (i < s.len && s.ptr[i] && strchr("*?{", s.ptr[i])) n = last;
    r->prefix = (struct str){ text, n };
    return ERR_OK;
}

static enum err form_of(struct ql_regex *r) {
    for (size_t i = 0; i + 1 < r->pattern.len; i++)
        if (r->pattern.ptr[i] == '.' && r->pattern.ptr[i + 1] == '*') return pieces_of(r, r->pattern);
    return words_of(r, without_group(r->pattern));
}

enum err regex_classify(struct ql_regex *r) {
    r->prefix = STR("");
    TRY(form_of(r));
    return r->form == REGEX_PCRE ? prefix_of(r, r->pattern) : ERR_OK;
}
