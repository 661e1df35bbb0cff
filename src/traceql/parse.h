// SPDX-License-Identifier: Apache-2.0
// Inside `traceql` only: the parser, by recursive descent with one token of lookahead. Functions give
// NULL (or false) after an error, which is in the parser and sticks. thread: one at a time.
#pragma once

#include "traceql/analyze.h"
#include "traceql/lex.h"
#include "traceql/suggest.h"

struct parser {
    struct arena *arena;
    struct str text;
    struct lexer lexer;
    struct token tok; // the current one
    uint32_t end;     // of the one before it
    struct err_ctx *ctx;
    enum err err;
    struct ql_place bad; // what the error is about
    uint32_t depth, n_nodes;
    struct ql_regex *regexes;
    struct ql_wanted *wanted;      // when not NULL: gets what may come at the end of the text
    const struct field *comparing; // the field that a value is about to be compared with
    bool matching;                 // … by a regular expression
};

// Reads the first token. The caller frees p->regexes.
void parser_init(struct parser *p, struct arena *a, struct str text, struct err_ctx *ctx);
struct ql_query *parse_query(struct parser *p);
void regexes_free(struct ql_regex *list);

// --- what all of them use (parser.c) ---------------------------------------------------------------

// Line and column of a place, in characters, from 1.
void parse_locate(struct str text, uint32_t at, struct err_ctx *ctx);
// Whether a text (what: "query") can be read at all; where not, ctx has the place.
NODISCARD enum err parse_check_text(struct str text, const char *what, struct err_ctx *ctx);
// Reports an error about a place; the first stays. Returns NULL.
void *parse_fail(struct parser *p, struct ql_place where, const char *fmt, ...) PRINTF_LIKE(3, 4);
void *parse_limit(struct parser *p, struct ql_place where, const char *fmt, ...) PRINTF_LIKE(3, 4);
void *parse_nomem(struct parser *p);
// "expected … but found …" at the current token.
void *parse_expected(struct parser *p, const char *what);
const char *token_text(const struct parser *p, char buf[64]); // the current token, for messages

void parse_advance(struct parser *p);
bool parse_accept(struct parser *p, enum tok kind);
// Takes the token, or fails naming it.
bool parse_expect(struct parser *p, enum tok kind, const char *what);
static inline bool parse_at(const struct parser *p, enum tok kind) {
    return p->tok.kind == kind;
}
bool parse_at_word(const struct parser *p, const char *word);
bool parse_at_call(const struct parser *p, const char *word); // the word, and a parenthesis behind it
static inline struct str parse_text(const struct parser *p) { // of the current token
    return place_text(p->text, p->tok.place);
}
static inline struct ql_place place_from(const struct parser *p, uint32_t from) { // … up to the last token
    return (struct ql_place){ from, p->end > from ? p->end - from : 0 };
}

// One level deeper into parentheses and the like; false: too deep. Every true is undone by parse_leave.
bool parse_enter(struct parser *p);
static inline void parse_leave(struct parser *p) {
    p->depth--;
}

// A node of the tree, zeroed, that knows how high the tree below it is (QL_HEIGHT_MAX).
void *node_new(struct parser *p, size_t size, const void *left, const void *right);
#define NODE_NEW(p, type, left, right) ((type *)node_new((p), sizeof(type), (left), (right)))
uint32_t node_height(const void *node); // 0 of NULL
bool node_count(struct parser *p);      // one more of QL_NODES_MAX

// A growing array in the arena, doubled where it is full.
bool list_room(struct parser *p, void *list, uint32_t n, size_t size);

// At the end of the text: notes what could come there.
static inline void parse_want(struct parser *p, uint32_t what) {
    if (p->wanted && p->tok.kind == TOK_END) p->wanted->what |= what;
}
void parse_want_operators(struct parser *p, int type_class);

// --- expressions (expr.c, check.c, fold.c) -----------------------------------------------------------

struct ql_expr *parse_expr(struct parser *p);
// `{ … }`, from the brace. false: an error. *out NULL: matches everything.
bool parse_filter(struct parser *p, struct ql_place *place, const struct ql_expr **out);
// A field alone, as select() and the metrics take it.
bool parse_field(struct parser *p, struct field *out, const char *whose);
struct value parse_literal(struct parser *p, bool *ok); // a constant, maybe with a minus
bool parse_at_aggregate(const struct parser *p);

// What is known of the type of an expression before it is read.
enum type_class { CLASS_ANY, CLASS_NIL, CLASS_BOOL, CLASS_NUMBER, CLASS_STRING, CLASS_STATUS, CLASS_KIND };
enum type_class expr_class(const struct ql_expr *e);
enum type_class value_class(int type);
const char *class_text(enum type_class c);
// Checks the operands, folds constants and makes the node. NULL: they do not fit.
struct ql_expr *expr_binary(struct parser *p, enum ql_op op, struct ql_place at, struct ql_expr *l,
                            struct ql_expr *r);
struct ql_expr *expr_unary(struct parser *p, enum ql_op op, struct ql_place at, struct ql_expr *e);
bool expr_check_compare(struct parser *p, enum ql_op op, struct ql_place at, const struct ql_expr *l,
                        const struct ql_expr *r);
bool expr_check_operands(struct parser *p, enum ql_op op, const struct ql_expr *l, const struct ql_expr *r);
bool expr_check_filter(struct parser *p, const struct ql_expr *e);
bool expr_reads_span(const struct ql_expr *e);
bool expr_is_bare_parent(const struct ql_expr *e);
// The result of arithmetic on constants; false: it has none (division by zero).
bool fold_arithmetic(enum ql_op op, const struct value *a, const struct value *b, struct value *out);
int arithmetic_type(enum ql_op op, int a, int b);
struct value fold_negate(const struct value *v);

// --- pipelines (pipeline.c, spanset.c, scalar.c) and metrics (metric.c) --------------------------------

// What stands between pipes, before it is known what it is part of.
enum item_kind { ITEM_SPANSET, ITEM_SCALAR, ITEM_COMPARE, ITEM_METRIC };
struct item {
    enum item_kind kind;
    struct ql_place place;
    const struct ql_spanset *spanset;     // SPANSET
    const struct ql_scalar *left, *right; // SCALAR: left; COMPARE: both
    enum ql_op op;                        // COMPARE
    const struct ql_metric *metric;       // METRIC
    bool braced;                          // in parentheses of its own
};
bool parse_item(struct parser *p, struct item *out);

struct line { // a pipeline in work
    struct ql_stage *stages;
    uint32_t n;
    const struct ql_scalar *scalar; // it ends in a value
    const struct ql_metric *metric; // it ends in a metric
    struct ql_place place;
    const void *tallest; // of the nodes below
};
bool parse_line(struct parser *p, struct line *out);
const struct ql_pipeline *line_pipeline(struct parser *p, const struct line *l);
bool pipeline_has_several(const struct ql_pipeline *pl);

struct ql_scalar *parse_aggregate(struct parser *p);
struct ql_scalar *scalar_binary(struct parser *p, enum ql_op op, struct ql_place at,
                                const struct ql_scalar *l, const struct ql_scalar *r);
struct ql_scalar *scalar_negate(struct parser *p, struct ql_place at, const struct ql_scalar *s);
struct ql_scalar *scalar_const(struct parser *p, struct value v, struct ql_place place);
bool scalar_has_aggregate(const struct ql_scalar *s);

bool parse_at_function(const struct parser *p, enum ql_function *out);
struct ql_metric *parse_function(struct parser *p, const struct line *l);
struct ql_metric *metric_binary(struct parser *p, enum ql_op op, struct ql_place at, const struct item *l,
                                const struct item *r);
const struct ql_metric *metric_keep(struct parser *p, const struct ql_metric *m, enum ql_op op,
                                    struct ql_place at, const struct ql_scalar *than);
const struct ql_metric *metric_seconds(struct parser *p, const struct ql_metric *m);
bool parse_hints(struct parser *p, struct ql_query *q);

enum ql_op op_of(enum tok t); // of a binary operator, or NO_OP
static inline bool op_compares(enum ql_op op) {
    return op >= QL_EQ && op <= QL_NO_MATCH;
}
static inline bool op_counts(enum ql_op op) { // arithmetic
    return op >= QL_ADD && op <= QL_POW;
}
int op_level(enum ql_op op); // of binding, 1 the weakest
