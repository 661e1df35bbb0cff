// SPDX-License-Identifier: Apache-2.0
// What all parts of the parser use: tokens, errors with their place, nodes of the tree.
#include <stdarg.h>
#include <stdio.h>

#include "traceql/parse.h"

void parse_locate(struct str text, uint32_t at, struct err_ctx *ctx) {
    ctx->line = 1;
    ctx->column = 1;
    for (uint32_t i = 0; i < at && i < text.len; i++) {
        if (text.ptr[i] == '\n') {
            ctx->line++;
            ctx->column = 1;
        } else if (((unsigned char)text.ptr[i] & 0xc0) != 0x80) {
            ctx->column++;
        }
    }
}

enum err parse_check_text(struct str text, const char *what, struct err_ctx *ctx) {
    size_t at = 0, n;
    *ctx = (struct err_ctx){ .line = 1, .column = 1 };
    if (text.len > QL_TEXT_MAX)
        return err_set(ctx, ERR_LIMIT, "the %s has %zu bytes; at most %d are read", what, text.len,
                       QL_TEXT_MAX);
    if (str_is_utf8(text)) return ERR_OK;
    while ((n = str_utf8_len(str_sub(text, at, text.len))) > 0) at += n;
    parse_locate(text, (uint32_t)at, ctx);
    return err_set(ctx, ERR_INVALID, "the %s is not UTF-8 here", what);
}

static void fail(struct parser *p, enum err e, struct ql_place where, const char *fmt, va_list args) {
    if (p->err != ERR_OK) return;
    p->err = e;
    p->bad = where;
    p->tok.kind = TOK_ERROR; // which ends every loop of the parser
    (void)vsnprintf(p->ctx->text, sizeof p->ctx->text, fmt, args);
    size_t n = strlen(p->ctx->text);
    while (n && !str_is_utf8((struct str){ p->ctx->text, n })) n--; // the cut may go through a character
    p->ctx->text[n] = '\0';
    parse_locate(p->text, where.from, p->ctx);
}

void *parse_fail(struct parser *p, struct ql_place where, const char *fmt, ...) {
    va_list args;
    va_start(args, fmt);
    fail(p, ERR_INVALID, where, fmt, args);
    va_end(args);
    return NULL;
}

void *parse_limit(struct parser *p, struct ql_place where, const char *fmt, ...) {
    va_list args;
    va_start(args, fmt);
    fail(p, ERR_LIMIT, where, fmt, args);
    va_end(args);
    return NULL;
}

void *parse_nomem(struct parser *p) {
    if (p->err == ERR_OK) p->err = ERR_NOMEM;
    p->tok.kind = TOK_ERROR;
    return NULL;
}

const char *token_text(const struct parser *p, char buf[64]) {
    struct str s = parse_text(p), cut = quote_cut(s);
    if (p->tok.kind == TOK_END)
        (void)snprintf(buf, 64, "the end of the query");
    else if (s.len && (s.ptr[0] == '"' || s.ptr[0] == '`'))
        (void)snprintf(buf, 64, "the text %.*s%s", STR_ARG(cut), cut.len < s.len ? "…" : "");
    else
        (void)snprintf(buf, 64, "%.*s%s", STR_ARG(cut), cut.len < s.len ? "…" : "");
    return buf;
}

void *parse_expected(struct parser *p, const char *what) {
    char found[64];
    return parse_fail(p, p->tok.place, "expected %s, found %s", what, token_text(p, found));
}

void parse_advance(struct parser *p) {
    struct err_ctx why = { 0 };
    if (p->err != ERR_OK) return;
    p->end = p->tok.place.from + p->tok.place.len;
    if (!lex_next(&p->lexer, &p->tok, &why))
        parse_nomem(p);
    else if (p->tok.kind == TOK_ERROR) {
        uint32_t end = p->tok.place.from + p->tok.place.len, bad = p->tok.bad;
        parse_fail(p, (struct ql_place){ bad, end > bad ? end - bad : 0 }, "%s", why.text);
    }
}

bool parse_accept(struct parser *p, enum tok kind) {
    if (p->tok.kind != kind) return false;
    parse_advance(p);
    return p->err == ERR_OK;
}

bool parse_expect(struct parser *p, enum tok kind, const char *what) {
    if (p->err != ERR_OK) return false;
    if (p->tok.kind != kind) {
        parse_expected(p, what);
        return false;
    }
    parse_advance(p);
    return p->err == ERR_OK;
}

bool parse_at_word(const struct parser *p, const char *word) {
    return p->tok.kind == TOK_WORD && str_eq(parse_text(p), str_of(word));
}

bool parse_at_call(const struct parser *p, const char *word) {
    return parse_at_word(p, word) && lex_peek(&p->lexer) == '(';
}

bool parse_enter(struct parser *p) {
    if (p->err != ERR_OK) return false;
    if (p->depth >= QL_DEPTH_MAX) {
        parse_limit(p, p->tok.place, "nested more than %d deep", QL_DEPTH_MAX);
        return false;
    }
    p->depth++;
    return true;
}

bool node_count(struct parser *p) {
    if (p->err != ERR_OK) return false;
    if (++p->n_nodes <= QL_NODES_MAX) return true;
    parse_limit(p, p->tok.place, "the query has more than %d expressions, stages and fields", QL_NODES_MAX);
    return false;
}

// A node lies behind 16 bytes that say how high its tree is.
uint32_t node_height(const void *node) {
    uint32_t h = 0;
    if (node) memcpy(&h, (const char *)node - 16, sizeof h);
    return h;
}

void *node_new(struct parser *p, size_t size, const void *left, const void *right) {
    uint32_t l = node_height(left), r = node_height(right), h = (l > r ? l : r) + 1;
    if (!node_count(p)) return NULL;
    if (h > QL_HEIGHT_MAX)
        return parse_limit(p, p->tok.place, "more than %d operators in a chain or inside each other",
                           QL_HEIGHT_MAX);
    char *raw = arena_zalloc(p->arena, size + 16);
    if (!raw) return parse_nomem(p);
    memcpy(raw, &h, sizeof h);
    return raw + 16;
}

bool list_room(struct parser *p, void *list, uint32_t n, size_t size) {
    void *old, *grown;
    if (p->err != ERR_OK) return false;
    memcpy(&old, list, sizeof old);
    if (n != 0 && (n < 4 || (n & (n - 1)) != 0)) return true; // room for 4, 8, 16 …
    grown = arena_array(p->arena, n ? (size_t)n * 2 : 4, size);
    if (!grown) {
        parse_nomem(p);
        return false;
    }
    if (n) memcpy(grown, old, n * size);
    memcpy(list, &grown, sizeof grown);
    return true;
}

void parser_init(struct parser *p, struct arena *a, struct str text, struct err_ctx *ctx) {
    *p = (struct parser){ .arena = a, .text = text, .ctx = ctx };
    p->lexer = (struct lexer){ .arena = a, .text = text };
    *ctx = (struct err_ctx){ 0 };
    parse_advance(p);
}
