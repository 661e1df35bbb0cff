// SPDX-License-Identifier: Apache-2.0
// Inside `traceql` only: text → tokens. Names of attributes swallow nearly everything (`.a-.b` is one
// name), so a whole field is one token. thread: one at a time.
#pragma once

#include "traceql/traceql.h"

enum tok {
    TOK_END,
    TOK_ERROR,
    TOK_COMMENT, // only where it is asked for
    TOK_WORD,    // true, name, count …
    TOK_FIELD,   // span.x, .x, span:name, parent.x
    TOK_INT,
    TOK_FLOAT,
    TOK_DURATION,
    TOK_STRING,
    TOK_BRACE_OPEN,
    TOK_BRACE_CLOSE,
    TOK_OPEN,
    TOK_CLOSE,
    TOK_COMMA,
    TOK_PIPE,
    TOK_AND,
    TOK_OR,
    TOK_NOT,
    TOK_EQ,
    TOK_NE,
    TOK_LT, // < and the parent operator
    TOK_LE,
    TOK_GT, // > and the child operator
    TOK_GE,
    TOK_MATCH,
    TOK_NO_MATCH, // !~: no match, and the negated sibling operator
    TOK_ADD,
    TOK_SUB,
    TOK_MUL,
    TOK_DIV,
    TOK_MOD,
    TOK_POW,
    TOK_DESCENDANT, // >>
    TOK_ANCESTOR,   // <<
    TOK_SIBLING,    // ~
    TOK_NOT_DESCENDANT,
    TOK_NOT_ANCESTOR,
    TOK_NOT_CHILD,
    TOK_NOT_PARENT,
    TOK_BOTH_DESCENDANT,
    TOK_BOTH_ANCESTOR,
    TOK_BOTH_CHILD,
    TOK_BOTH_PARENT,
    TOK_BOTH_SIBLING,
    TOK_COUNT
};

struct token {
    enum tok kind;
    struct ql_place place;
    uint32_t bad;       // ERROR: the byte that is wrong
    bool open;          // ERROR: a string without its end, or a field without its name
    struct value value; // INT, FLOAT, DURATION, STRING
    struct field field; // FIELD; of an ERROR that is open: what of it is there
};

struct lexer {
    struct arena *arena;
    struct str text;
    uint32_t pos;
    bool comments; // give them as tokens
};

// The next token; END for ever. Of an ERROR, why->text says what is wrong; the next token follows it.
// false: no memory.
NODISCARD bool lex_next(struct lexer *l, struct token *out, struct err_ctx *why);
// The first character of the next token, 0 at the end.
char lex_peek(const struct lexer *l);

static inline struct str place_text(struct str text, struct ql_place p) {
    return str_sub(text, p.from, p.len);
}
// Bytes of the white space at the start of s, as Unicode defines it; 0: none.
size_t lex_space(struct str s);
// Whether a character may stand in a bare name of an attribute.
bool lex_is_name(struct str rest, size_t *len);

// Literals (literal.c). They begin at the lexer's position, and move it.
bool lex_number(struct lexer *l, struct token *out, struct err_ctx *why);
bool lex_string(struct lexer *l, struct token *out, struct err_ctx *why);
// Makes the token an error at byte `bad`.
void lex_fail(struct token *out, uint32_t bad, struct err_ctx *why, const char *fmt, ...) PRINTF_LIKE(4, 5);

// Names (names.c).
bool name_scope(struct str word, enum field_scope *out);  // span … instrumentation
bool name_unscoped(struct str word, enum intrinsic *out); // name, rootName …, parent
bool name_scoped(struct str word, enum intrinsic *out);   // span:name …
struct str name_of_intrinsic(enum intrinsic i);           // unscoped if there is one
struct field field_of_intrinsic(enum intrinsic i);        //
bool name_literal(struct str word, struct value *out);    // true, nil, error, minInt …
