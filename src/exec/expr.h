// SPDX-License-Identifier: Apache-2.0
// Expressions over one span, ready to run: fields have become numbers, literals are in the form in
// which values are stored. The meaning of each operator is in docs/traceql.md. thread: an expr is
// immutable and may be shared.
#pragma once

#include "exec/rows.h"
#include "traceql/traceql.h"

struct expr {
    enum ql_expr_kind kind;
    enum ql_op op;
    const struct expr *left, *right;
    struct value value;
    uint32_t field; // in the list of fields
    const struct ql_regex *regex;
    bool events, links; // something in it is read per event, per link
};

// The fields that a question reads, each once, in the order in which they first occur.
struct field_list {
    struct arena *arena;
    struct field *at;
    uint32_t n, cap;
};
NODISCARD enum err field_list_add(struct field_list *l, const struct field *f, uint32_t *out);

NODISCARD enum err expr_compile(struct arena *a, const struct ql_expr *e, struct field_list *fields,
                                const struct expr **out);

// Where an expression is evaluated. All its fields must be readable there.
struct expr_at {
    const struct rows *rows;
    uint32_t row;
    uint32_t event, link; // child rows at hand; EXPR_NONE = none
    enum err error;       // sticks: a regular expression took too long, or too many pairs were compared
    uint32_t pairs;       // of events and links looked at so far
};
enum { EXPR_PAIRS_MAX = 200 << 20 }; // in one batch; one sender can make a span of any number of events
#define EXPR_PAIRS_TEXT "events or links of one span make too many pairs to be compared" // past it
#define EXPR_NONE UINT32_MAX

struct value expr_value(const struct expr *e, struct expr_at *at);
// The truth of a filter at a row, with the choice of events and links inside.
bool expr_true(const struct expr *e, struct expr_at *at);
// The same of conjuncts that all mention events or links, and must hold of one together: those under `!` too.
bool expr_joint(const struct expr *e, struct expr_at *at);
// The same at the event at hand (the link, where `other` is BATCH_EVENTS), with some of the links (events) or
// none.
bool expr_joint_at(const struct expr *e, enum batch_table other, struct expr_at *at);
// A comparison of two values; regex for MATCH and NO_MATCH.
bool expr_compare(enum ql_op op, const struct value *a, const struct value *b, const struct ql_regex *regex,
                  enum err *error);
struct value expr_arithmetic(enum ql_op op, const struct value *a, const struct value *b);
// Not of something that is true or false anyway (a comparison, && and ||), or that speaks of events or
// links: the plain opposite. Not of a bare value is true only where that is the bool false.
bool expr_is_negation(const struct expr *e);
// The conjunct of the chain that is alone in mentioning events or links, which is judged by itself;
// NULL: there are several, which must hold of one event and one link together.
const struct expr *expr_only_bound(const struct expr *e);
// The operator with its sides exchanged: < becomes >.
enum ql_op expr_mirror(enum ql_op op);
static inline bool expr_is_comparison(enum ql_op op) {
    return op >= QL_EQ && op <= QL_NO_MATCH;
}
// The operands of a chain of `op` (AND or OR), from the left.
NODISCARD enum err expr_operands(struct arena *a, const struct expr *e, enum ql_op op,
                                 const struct expr ***out, uint32_t *out_n);
