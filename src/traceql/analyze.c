// SPDX-License-Identifier: Apache-2.0
#include "traceql/analyze.h"

#include <stdio.h>

#include "traceql/parse.h"
#include "traceql/regex_internal.h"

struct analysis {
    struct arena *arena;
    struct str text;
    struct ql_mark *marks;
    uint32_t n_marks, cap_marks;
    struct ql_diagnostic *diagnostics;
    uint32_t n_diagnostics, cap_diagnostics;
    bool told_order;
    bool no_memory;
};

// The array with room for one more.
static void *room(struct analysis *x, void *list, uint32_t n, uint32_t *cap, size_t size) {
    if (n < *cap) return list;
    uint32_t grown = *cap ? *cap * 2 : 16;
    void *bigger = arena_array(x->arena, grown, size);
    if (!bigger) {
        x->no_memory = true;
        return NULL;
    }
    if (n) memcpy(bigger, list, n * size);
    *cap = grown;
    return bigger;
}

// --- marks -------------------------------------------------------------------------------------------

static void mark(struct analysis *x, uint32_t from, uint32_t len, enum ql_class kind) {
    if (len == 0) return;
    struct ql_mark *marks = room(x, x->marks, x->n_marks, &x->cap_marks, sizeof *marks);
    if (!marks) return;
    x->marks = marks;
    marks[x->n_marks++] = (struct ql_mark){ { from, len }, kind };
}

// `span.` and the name behind it.
static void mark_field(struct analysis *x, const struct token *t) {
    struct str s = place_text(x->text, t->place);
    uint32_t scope = 0, dots = t->field.of_parent && t->field.scope != FIELD_UNSCOPED ? 2 : 1;
    if (t->field.intrinsic != INTRINSIC_NONE) {
        mark(x, t->place.from, t->place.len, QL_CLASS_INTRINSIC);
        return;
    }
    for (; scope < s.len && dots; scope++) dots -= s.ptr[scope] == '.';
    mark(x, t->place.from, scope, QL_CLASS_SCOPE);
    mark(x, t->place.from + scope, t->place.len - scope, QL_CLASS_ATTRIBUTE);
}

static enum ql_class word_class(const struct analysis *x, const struct lexer *l, const struct token *t) {
    static const char functions[] =
        " by select coalesce count min max avg sum rate count_over_time min_over_time max_over_time "
        "avg_over_time "
        "sum_over_time quantile_over_time histogram_over_time compare topk bottomk with ";
    struct str w = place_text(x->text, t->place);
    struct value v;
    enum intrinsic i;
    char padded[40];
    if (name_literal(w, &v)) return QL_CLASS_KEYWORD;
    if (name_unscoped(w, &i)) return QL_CLASS_INTRINSIC;
    if (w.len > 30) return QL_CLASS_ERROR;
    (void)snprintf(padded, sizeof padded, " %.*s ", STR_ARG(w));
    if (strstr(functions, padded)) return QL_CLASS_FUNCTION;
    return lex_peek(l) == '=' ? QL_CLASS_KEYWORD : QL_CLASS_ERROR; // a hint
}

static void mark_token(struct analysis *x, const struct lexer *l, const struct token *t) {
    enum ql_class kind = QL_CLASS_OPERATOR;
    switch (t->kind) {
    case TOK_FIELD: mark_field(x, t); return;
    case TOK_COMMENT: kind = QL_CLASS_COMMENT; break;
    case TOK_WORD: kind = word_class(x, l, t); break;
    case TOK_INT:
    case TOK_FLOAT: kind = QL_CLASS_NUMBER; break;
    case TOK_DURATION: kind = QL_CLASS_DURATION; break;
    case TOK_STRING: kind = QL_CLASS_STRING; break;
    case TOK_BRACE_OPEN:
    case TOK_BRACE_CLOSE:
    case TOK_OPEN:
    case TOK_CLOSE:
    case TOK_COMMA:
    case TOK_PIPE: kind = QL_CLASS_PUNCTUATION; break;
    case TOK_ERROR: kind = QL_CLASS_ERROR; break;
    default: break;
    }
    mark(x, t->place.from, t->place.len, kind);
}

// --- the cursor ----------------------------------------------------------------------------------------

// A token that is being written where the cursor stands: it is the one to be replaced.
static bool is_typed(const struct token *t, uint32_t cursor) {
    uint32_t end = t->place.from + t->place.len;
    bool touches = cursor > t->place.from && cursor <= end;
    switch (t->kind) {
    case TOK_WORD:
    case TOK_FIELD:
    case TOK_INT:
    case TOK_FLOAT:
    case TOK_DURATION: return touches;
    case TOK_STRING: return cursor > t->place.from && cursor < end;
    case TOK_ERROR: return touches; // unclosed strings, names that only begin, unknown words
    default: return false;
    }
}

// What of a field is typed: its scope, and its name up to the cursor.
static void typed_field(struct arena *a, struct str typed, struct ql_wanted *w) {
    struct str head, name;
    enum field_scope scope;
    ptrdiff_t colon = str_find(typed, ':');
    if (str_starts(typed, STR("parent."))) {
        w->of_parent = w->has_scope = true;
        typed = str_sub(typed, 7, typed.len);
        bool scoped = str_cut(typed, '.', &head, &name) && name_scope(head, &scope);
        w->scope = scoped ? scope : FIELD_UNSCOPED;
        w->prefix = scoped ? name : typed;
    } else if (str_cut(typed, '.', &head, &name) && (head.len == 0 || name_scope(head, &scope))) {
        w->has_scope = true;
        w->scope = head.len ? scope : FIELD_UNSCOPED;
        w->prefix = name;
    } else if (colon >= 0 && str_find(typed, '.') < 0) {
        w->is_intrinsic = true;
        w->intrinsic_scope = str_sub(typed, 0, (size_t)colon);
        w->prefix = str_sub(typed, (size_t)colon + 1, typed.len);
    }
    // Quotes are no part of the name; an open one says that the cursor is inside.
    char *plain = ARENA_ARRAY(a, w->prefix.len + 1, char);
    size_t n = 0;
    for (size_t i = 0; plain && i < w->prefix.len; i++) {
        char c = w->prefix.ptr[i];
        if (w->has_scope && c == '"') {
            w->in_quotes = !w->in_quotes;
            continue;
        }
        if (w->in_quotes && c == '\\' && i + 1 < w->prefix.len) c = w->prefix.ptr[++i];
        plain[n++] = c;
    }
    w->prefix = (struct str){ plain, plain ? n : 0 };
}

// A text as far as it is typed, without the escapes of quotes and backslashes; others stay.
static struct str unescaped(struct arena *a, struct str typed) {
    char *plain = ARENA_ARRAY(a, typed.len + 1, char);
    size_t n = 0;
    for (size_t i = 0; plain && i < typed.len; i++) {
        bool escape = typed.ptr[i] == '\\' && i + 1 < typed.len;
        char next = escape ? typed.ptr[i + 1] : 0;
        if (next == '"' || next == '\\') i++;
        plain[n++] = typed.ptr[i];
    }
    return (struct str){ plain, plain ? n : 0 };
}

// The text that is typed, from the start of its token to the cursor.
static void typed_text(struct analysis *x, const struct token *t, uint32_t cursor, struct ql_wanted *w) {
    struct str typed = str_sub(x->text, t->place.from, cursor - t->place.from);
    w->place = t->place;
    w->prefix = typed;
    if (t->kind == TOK_ERROR && t->open)
        w->place.len = (uint32_t)typed.len; // without its end it may be anything
    if (typed.len && (typed.ptr[0] == '"' || typed.ptr[0] == '`')) {
        bool closed = t->kind == TOK_STRING;
        w->in_quotes = true;
        w->prefix = str_sub(typed, 1, typed.len);
        if (typed.ptr[0] == '"') w->prefix = unescaped(x->arena, w->prefix);
        x->no_memory = x->no_memory || x->arena->failed;
        w->place.from++;
        w->place.len -= closed ? 2u : 1u;
        return;
    }
    typed_field(x->arena, typed, w);
    x->no_memory = x->no_memory || x->arena->failed;
}

// Parses up to where the token at the cursor begins, and sees what the parser would take there.
static void what_may_come(struct analysis *x, struct ql_wanted *w) {
    struct parser p;
    struct err_ctx ctx;
    parser_init(&p, x->arena, str_sub(x->text, 0, w->place.from - (w->in_quotes && !w->has_scope)), &ctx);
    p.wanted = w;
    struct ql_query *q = p.err == ERR_OK ? parse_query(&p) : NULL;
    (void)q;
    regexes_free(p.regexes);
    if (p.err == ERR_NOMEM) x->no_memory = true;
    if (w->in_quotes && !w->has_scope) w->what &= QL_WANT_VALUE;
    if (w->has_scope || w->is_intrinsic) w->what &= QL_WANT_FIELD;
}

// --- diagnostics -----------------------------------------------------------------------------------------

static void diagnose(struct analysis *x, struct ql_place place, bool is_hint, struct str text) {
    struct ql_diagnostic *list = room(x, x->diagnostics, x->n_diagnostics, &x->cap_diagnostics, sizeof *list);
    if (!list || !text.ptr) {
        x->no_memory = true;
        return;
    }
    x->diagnostics = list;
    list[x->n_diagnostics++] = (struct ql_diagnostic){ place, is_hint, text };
}

static struct str place_of(const struct analysis *x, const struct ql_expr *e) {
    return quote_cut(place_text(x->text, e->place));
}

static bool may_lack(const struct ql_expr *e) {
    return e->kind == QL_FIELD && e->field.intrinsic == INTRINSIC_NONE;
}
static bool is_nil(const struct ql_expr *e) {
    return e->kind == QL_CONST && e->value.type == VALUE_NIL;
}

static void hint_comparison(struct analysis *x, const struct ql_expr *e) {
    bool negative = e->op == QL_NE || e->op == QL_NO_MATCH;
    const struct ql_expr *field = may_lack(e->left) ? e->left : e->right;
    if (negative && may_lack(field) && !is_nil(e->left) && !is_nil(e->right)) {
        struct str f = place_of(x, field), whole = place_text(x->text, e->place), shown = quote_cut(whole);
        diagnose(x, e->place, true,
                 str_fmt(x->arena,
                         "spans without %.*s are left out too; to have them write (%.*s || %.*s = nil)",
                         STR_ARG(f), STR_ARG(shown.len < whole.len ? STR("…") : whole), STR_ARG(f)));
    }
    const struct ql_regex *r = e->regex;
    bool plain = r && r->form == REGEX_WORDS && r->n_words == 1 && str_eq(r->words[0], r->pattern);
    if (!plain || r->pattern.len == 0) return;
    bool match = e->op == QL_MATCH;
    diagnose(x, e->right->place, true,
             str_fmt(x->arena,
                     "%s matches the whole value, so this is the same as %s; for a part of it write .*%.*s.*",
                     match ? "=~" : "!~", match ? "=" : "!=", STR_ARG(quote_cut(r->pattern))));
}

// `.a-1` is one name, which is seldom meant.
static void hint_name(struct analysis *x, const struct ql_expr *e) {
    struct str key = e->field.key;
    if (e->field.intrinsic != INTRINSIC_NONE || place_text(x->text, e->place).len <= key.len) return;
    for (size_t i = 1; i + 1 < key.len; i++) {
        char c = key.ptr[i], next = key.ptr[i + 1];
        bool sign = c == '+' || c == '-' || c == '*' || c == '/' || c == '%';
        if (!sign || !(next == '.' || (next >= '0' && next <= '9'))) continue;
        diagnose(x, e->place, true,
                 str_fmt(x->arena, "%.*s is one name; to calculate put spaces around %c",
                         STR_ARG(place_of(x, e)), c));
        return;
    }
}

// The first mark that begins at a byte or behind it.
static uint32_t mark_at(const struct analysis *x, uint32_t byte) {
    uint32_t low = 0, high = x->n_marks;
    while (low < high) {
        uint32_t mid = low + (high - low) / 2;
        if (x->marks[mid].place.from < byte)
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}
static char letter_at(const struct analysis *x, uint32_t mark) {
    return x->marks[mark].kind == QL_CLASS_PUNCTUATION ? x->text.ptr[x->marks[mark].place.from] : ' ';
}

// Of "a || b && c", which the tree does not tell from "(a || b) && c": what is a closed before the &&?
static bool has_parentheses(const struct analysis *x, const struct ql_expr *either, uint32_t end) {
    uint32_t at = mark_at(x, either->right->place.from);
    int depth = 0;
    for (uint32_t i = at; i-- > 0 && letter_at(x, i) == '(';) depth++; // of the right operand's own
    for (; at < x->n_marks && x->marks[at].place.from < end; at++) {
        char c = letter_at(x, at);
        depth += (c == '(') - (c == ')');
        if (depth < 0) return true;
    }
    return false;
}

// Once: who has read it knows.
static void hint_order(struct analysis *x, const struct ql_expr *e) {
    const struct ql_expr *either = e->left;
    bool mixed = e->op == QL_AND && either->kind == QL_BINARY && either->op == QL_OR;
    if (!mixed || x->told_order || has_parentheses(x, either, e->right->place.from)) return;
    x->told_order = true;
    diagnose(
        x, e->place, true,
        STR("&& and || bind alike, from left to right: this is ( … || … ) && …; parentheses say which is "
            "meant"));
}

static void hints_of(struct analysis *x, const struct ql_expr *e) {
    if (!e || e->kind == QL_CONST || x->no_memory) return;
    if (e->kind == QL_FIELD) {
        hint_name(x, e);
        return;
    }
    hints_of(x, e->left);
    hints_of(x, e->right);
    if (e->kind == QL_BINARY && op_compares(e->op)) hint_comparison(x, e);
    if (e->kind == QL_BINARY) hint_order(x, e);
}

static void hints_of_pipeline(struct analysis *x, const struct ql_pipeline *pl);

static void hints_of_set(struct analysis *x, const struct ql_spanset *s) {
    if (!s) return;
    hints_of(x, s->filter);
    hints_of_set(x, s->left);
    hints_of_set(x, s->right);
    hints_of_pipeline(x, s->pipeline);
}

static void hints_of_scalar(struct analysis *x, const struct ql_scalar *s) {
    if (!s) return;
    hints_of(x, s->of);
    hints_of_scalar(x, s->left);
    hints_of_scalar(x, s->right);
    hints_of_pipeline(x, s->pipeline);
}

static void hints_of_pipeline(struct analysis *x, const struct ql_pipeline *pl) {
    for (uint32_t i = 0; pl && i < pl->n_stages; i++) {
        hints_of_set(x, pl->stages[i].spanset);
        hints_of_scalar(x, pl->stages[i].left);
        hints_of_scalar(x, pl->stages[i].right);
        hints_of(x, pl->stages[i].by);
    }
}

static void hints_of_metric(struct analysis *x, const struct ql_metric *m) {
    if (!m) return;
    hints_of_pipeline(x, m->pipeline);
    hints_of(x, m->selection);
    hints_of_metric(x, m->left);
    hints_of_metric(x, m->right);
}

static void diagnose_query(struct analysis *x) {
    struct parser p;
    struct err_ctx ctx;
    parser_init(&p, x->arena, x->text, &ctx);
    struct ql_query *q = p.err == ERR_OK ? parse_query(&p) : NULL;
    if (p.err == ERR_NOMEM || x->arena->failed) {
        x->no_memory = true;
    } else if (p.err != ERR_OK) {
        diagnose(x, p.bad, false, str_dup(x->arena, str_of(ctx.text)));
    } else {
        hints_of_pipeline(x, q->pipeline);
        hints_of_metric(x, q->metric);
    }
    regexes_free(p.regexes);
}

// --- all of it -----------------------------------------------------------------------------------------

static enum err refuse(struct analysis *x, struct str why, struct ql_analysis *out) {
    diagnose(x, (struct ql_place){ 0, (uint32_t)(x->text.len > QL_TEXT_MAX ? QL_TEXT_MAX : x->text.len) },
             false, why);
    *out = (struct ql_analysis){ .diagnostics = x->diagnostics, .n_diagnostics = x->n_diagnostics };
    return x->no_memory ? ERR_NOMEM : ERR_OK;
}

static bool in_comment(const struct token *t, uint32_t cursor, struct str text) {
    uint32_t end = t->place.from + t->place.len;
    bool line = t->kind == TOK_COMMENT && text.ptr[t->place.from + 1] == '/';
    bool closed = t->kind == TOK_COMMENT && !line && t->place.len >= 4 && text.ptr[end - 1] == '/';
    return t->kind == TOK_COMMENT && cursor > t->place.from && (closed ? cursor < end : cursor <= end);
}

enum err ql_analyze(struct arena *a, struct str text, uint32_t cursor, struct ql_analysis *out) {
    struct analysis x = { .arena = a, .text = text };
    struct ql_wanted wanted = { .prefix = STR(""), .intrinsic_scope = STR("") };
    struct err_ctx why;
    struct token t;
    bool silent = false;
    if (text.len > QL_TEXT_MAX)
        return refuse(&x, str_fmt(a, "the query has %zu bytes; at most %d are read", text.len, QL_TEXT_MAX),
                      out);
    if (!str_is_utf8(text)) return refuse(&x, STR("the query is not UTF-8"), out);
    x.text = text = str_dup(a, text);
    if (!text.ptr) return ERR_NOMEM;
    if (cursor > text.len) cursor = (uint32_t)text.len;
    while (cursor < text.len && cursor && ((unsigned char)text.ptr[cursor] & 0xc0) == 0x80) cursor--;
    wanted.place.from = cursor;
    struct lexer l = { .arena = a, .text = text, .comments = true };
    do {
        if (!lex_next(&l, &t, &why)) return ERR_NOMEM;
        if (t.kind != TOK_END) mark_token(&x, &l, &t);
        silent = silent || in_comment(&t, cursor, text);
        if (is_typed(&t, cursor)) typed_text(&x, &t, cursor, &wanted);
    } while (t.kind != TOK_END && !x.no_memory);
    if (!silent && !x.no_memory) what_may_come(&x, &wanted);
    diagnose_query(&x);
    *out = (struct ql_analysis){ x.marks, x.n_marks, x.diagnostics, x.n_diagnostics, wanted };
    return x.no_memory ? ERR_NOMEM : ERR_OK;
}
