// SPDX-License-Identifier: Apache-2.0
// Half-written filters: what of them is whole. The text is cut at && and || (outside of parentheses and
// names), each operand is tried alone, and those that are whole conditions are joined again.
#include "traceql/parse.h"
#include "traceql/regex_internal.h"

enum { LENIENT_DEPTH_MAX = 20 }; // of parentheses that are looked into

struct lenient {
    struct arena *arena;
    struct str text;
    struct token *tokens; // of the filter, without its braces
    uint32_t n;
    struct buf *out;
};

static enum err tokens_of(struct lenient *l, bool *usable) {
    struct lexer lexer = { .arena = l->arena, .text = l->text };
    struct err_ctx why;
    struct token t;
    uint32_t cap = 0;
    *usable = false;
    if (!lex_next(&lexer, &t, &why)) return ERR_NOMEM;
    if (t.kind != TOK_BRACE_OPEN) return ERR_OK;
    for (;;) {
        if (!lex_next(&lexer, &t, &why)) return ERR_NOMEM;
        if (t.kind == TOK_END || t.kind == TOK_BRACE_CLOSE) break;
        if (l->n == cap) {
            struct token *grown = ARENA_ARRAY(l->arena, cap ? cap * 2u : 64, struct token);
            if (!grown) return ERR_NOMEM;
            if (cap) memcpy(grown, l->tokens, cap * sizeof *grown);
            cap = cap ? cap * 2 : 64;
            l->tokens = grown;
        }
        l->tokens[l->n++] = t;
    }
    if (t.kind == TOK_BRACE_CLOSE && !lex_next(&lexer, &t, &why)) return ERR_NOMEM;
    *usable = t.kind == TOK_END || t.kind == TOK_PIPE; // a set operator would make it another question
    return ERR_OK;
}

static struct str source(const struct lenient *l, uint32_t from, uint32_t to) {
    struct ql_place a = l->tokens[from].place, b = l->tokens[to - 1].place;
    return str_sub(l->text, a.from, b.from + b.len - a.from);
}

// An attribute alone is the beginning of a condition; that it may be one by itself (true or false) cannot
// be told from it, and few mean that.
static bool is_begun(const struct ql_expr *e) {
    if (e->kind == QL_BINARY && (e->op == QL_AND || e->op == QL_OR))
        return is_begun(e->left) || is_begun(e->right);
    if (e->kind == QL_UNARY && e->left->kind == QL_BINARY) return is_begun(e->left);
    return e->type != VALUE_BOOL;
}

// Whether { text } is a filter, all of whose conditions are whole.
static enum err try_filter(struct arena *a, struct str text, bool *out) {
    struct arena scratch;
    struct err_ctx ctx;
    struct ql_query *q = NULL;
    struct buf query;
    arena_init(&scratch, a->limit, a->budget);
    buf_init(&query, QL_TEXT_MAX);
    buf_str(&query, STR("{ "));
    buf_str(&query, text);
    buf_str(&query, STR("\n}")); // a comment at the end must not hide the brace
    enum err e = query.failed ? ERR_LIMIT : ql_parse(&scratch, buf_view(&query), &q, &ctx);
    const struct ql_stage *stage = e == ERR_OK ? q->pipeline->stages : NULL;
    bool is_filter = stage && stage->kind == QL_STAGE_SPANSET && stage->spanset->kind == QL_FILTER;
    *out = is_filter && !(stage->spanset->filter && is_begun(stage->spanset->filter));
    ql_free(q);
    buf_fini(&query);
    arena_fini(&scratch);
    return e == ERR_NOMEM ? e : ERR_OK;
}

static enum err chain(struct lenient *l, uint32_t from, uint32_t to, int depth, bool *any);

// Appends what is whole of one operand behind `glue`.
static enum err operand(struct lenient *l, uint32_t from, uint32_t to, int depth, struct str glue,
                        bool *any) {
    bool whole, inside = false;
    if (from >= to) return ERR_OK;
    TRY(try_filter(l->arena, source(l, from, to), &whole));
    size_t start = l->out->len;
    buf_str(l->out, *any ? glue : STR(""));
    if (whole) {
        buf_str(l->out, source(l, from, to));
        buf_char(l->out, '\n');
        *any = true;
        return ERR_OK;
    }
    if (l->tokens[from].kind == TOK_OPEN && depth < LENIENT_DEPTH_MAX) {
        bool closed = l->tokens[to - 1].kind == TOK_CLOSE;
        buf_char(l->out, '(');
        TRY(chain(l, from + 1, closed ? to - 1 : to, depth + 1, &inside));
        buf_char(l->out, ')');
    }
    if (inside)
        *any = true;
    else
        l->out->len = start;
    return ERR_OK;
}

static enum err chain(struct lenient *l, uint32_t from, uint32_t to, int depth, bool *any) {
    uint32_t start = from, level = 0;
    struct str glue = STR("");
    for (uint32_t i = from; i <= to; i++) {
        enum tok t = i < to ? l->tokens[i].kind : TOK_AND;
        if (i < to) level += (t == TOK_OPEN) - (uint32_t)(t == TOK_CLOSE && level > 0);
        if (i < to && (level > 0 || (t != TOK_AND && t != TOK_OR))) continue;
        TRY(operand(l, start, i, depth, glue, any));
        start = i + 1;
        glue = t == TOK_AND ? STR("&& ") : STR("|| ");
    }
    return ERR_OK;
}

static enum err rest(struct lenient *l, struct ql_query **out) {
    bool usable, any = false;
    struct err_ctx ctx;
    TRY(tokens_of(l, &usable));
    if (!usable) return ERR_OK;
    buf_str(l->out, STR("{ "));
    TRY(chain(l, 0, l->n, 0, &any));
    buf_str(l->out, STR("}"));
    if (!any) return ERR_OK;
    if (l->out->failed) return ERR_NOMEM;
    enum err e = ql_parse(l->arena, buf_view(l->out), out, &ctx);
    return e == ERR_NOMEM ? e : ERR_OK;
}

enum err ql_parse_lenient(struct arena *a, struct str text, struct ql_query **out) {
    struct buf kept;
    struct ql_query *q = NULL;
    *out = NULL;
    if (text.len > QL_TEXT_MAX || !str_is_utf8(text)) return ERR_OK;
    buf_init(&kept, QL_TEXT_MAX * 2);
    struct lenient l = { .arena = a, .text = text, .out = &kept };
    enum err e = rest(&l, &q);
    buf_fini(&kept);
    if (e == ERR_OK) *out = q;
    return e;
}
