// SPDX-License-Identifier: Apache-2.0
// Single fields, and errors for people.
#include "traceql/parse.h"
#include "traceql/regex_internal.h"

enum err ql_parse_field(struct arena *a, struct str text, struct field *out, struct err_ctx *ctx) {
    struct parser p;
    struct field f;
    TRY(parse_check_text(text, "field", ctx));
    text = str_dup(a, text);
    if (!text.ptr) return ERR_NOMEM;
    parser_init(&p, a, text, ctx);
    if (p.err == ERR_OK && parse_field(&p, &f, "the name of a field") && p.tok.kind != TOK_END)
        parse_expected(&p, "the end of the name");
    if (p.err == ERR_OK) *out = f;
    return p.err;
}

void ql_explain_steps(const struct ql_query *q, struct err_ctx *ctx) {
    const struct ql_regex *r = q->regexes;
    while (r && !r->gave_up) r = r->next;
    if (!r || ctx->text[0]) return;
    struct str shown = quote_cut(r->pattern);
    parse_locate(q->text, r->at, ctx);
    err_set(ctx, ERR_LIMIT, "the regular expression \"%.*s%s\" takes too many steps on a text that is stored",
            STR_ARG(shown), shown.len < r->pattern.len ? "…" : "");
}

static struct str line_at(struct str text, uint32_t line) {
    struct str found = STR("");
    for (uint32_t i = 0; i < line && (text.len || i == 0); i++) (void)str_cut(text, '\n', &found, &text);
    return found;
}

void ql_explain(struct str text, const struct err_ctx *ctx, struct buf *out) {
    enum { SHOWN = 100 }; // characters of a long line, with the place among them
    struct str line = line_at(text, ctx->line);
    buf_str(out, str_of(ctx->text));
    if (ctx->line == 0) return;
    uint32_t first = ctx->column > SHOWN ? ctx->column - SHOWN / 2 : 1, column = 0;
    size_t before = 0; // columns of a terminal in front of the caret
    buf_fmt(out, "\nline %u, column %u:\n  ", ctx->line, ctx->column);
    for (size_t i = 0, n; i < line.len && column < first + SHOWN; i += n) {
        n = str_utf8_len(str_sub(line, i, line.len));
        struct str c = str_sub(line, i, n);
        if (n == 0 || str_is_unseen(c)) c = STR(" "); // tabs would move the caret
        if (++column >= first) buf_str(out, c);
        if (column >= first && column < ctx->column) before += str_columns(c);
        if (n == 0) n = 1;
    }
    buf_str(out, STR("\n  "));
    for (size_t i = 0; i < before; i++) buf_char(out, ' ');
    buf_str(out, STR("^\n"));
}
