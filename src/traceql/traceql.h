// SPDX-License-Identifier: Apache-2.0
// TraceQL: text → tokens → syntax tree, with the types checked. Never touches data. What the
// language means is in docs/traceql.md.
//
// Everything of a query lives in the arena that it was parsed into, but for the regular
// expressions, which query_free releases. thread: a parsed query is immutable and may be shared.
#pragma once

#include "span/field.h"
#include "traceql/regex.h"

// Limits; past them the text is refused with the limit's name.
enum {
    QL_TEXT_MAX = 128 << 10,
    QL_DEPTH_MAX = 200,    // of nested expressions: parentheses, braces, unary operators
    QL_HEIGHT_MAX = 1000,  // of the tree; each operand of a chain (a && b && c) adds one
    QL_NODES_MAX = 20000,  // expressions, stages and fields of one query
    QL_BY_MAX = 5,         // fields of a metric's by() (4 for quantiles and histograms)
    QL_QUANTILES_MAX = 32, //
    QL_COMPARE_TOP_MAX = 1000,
    QL_REGEX_MAX = 10000, // bytes of a regular expression
};

struct ql_place { // a slice of the text, in bytes
    uint32_t from, len;
};

enum ql_op {
    QL_NO_OP,
    QL_OR,
    QL_AND,
    QL_EQ,
    QL_NE,
    QL_LT,
    QL_LE,
    QL_GT,
    QL_GE,
    QL_MATCH /* =~ */,
    QL_NO_MATCH /* !~ */,
    QL_ADD,
    QL_SUB,
    QL_MUL,
    QL_DIV,
    QL_MOD,
    QL_POW,
    QL_NOT,
    QL_NEG,
    QL_OP_COUNT
};

// --- expressions over one span ---------------------------------------------------------------------

enum ql_expr_kind { QL_CONST, QL_FIELD, QL_UNARY, QL_BINARY };
enum { QL_UNKNOWN = VALUE_TYPE_COUNT }; // a type that only the data knows

struct ql_expr {
    enum ql_expr_kind kind;
    enum ql_op op;                // UNARY: NOT, NEG
    int type;                     // enum value_type, or QL_UNKNOWN
    struct ql_place place;        //
    const struct ql_expr *left;   // UNARY: the operand
    const struct ql_expr *right;  //
    struct value value;           // CONST (folded)
    struct field field;           // FIELD
    const struct ql_regex *regex; // MATCH, NO_MATCH
};

// --- sets of spans of a trace ----------------------------------------------------------------------

enum ql_relation {
    QL_REL_AND,
    QL_REL_OR,
    QL_REL_DESCENDANT /* >> */,
    QL_REL_CHILD /* > */,
    QL_REL_ANCESTOR /* << */,
    QL_REL_PARENT /* < */,
    QL_REL_SIBLING /* ~ */
};
enum ql_spanset_kind { QL_FILTER, QL_RELATION, QL_WRAPPED };

struct ql_spanset {
    enum ql_spanset_kind kind;
    struct ql_place place;
    const struct ql_expr *filter; // FILTER; NULL: {} and {true}. A CONST false is {false}
    enum ql_relation relation;    // RELATION
    bool negated;                 // !>> …
    bool both;                    // &>> …: spans of both sides
    const struct ql_spanset *left, *right;
    const struct ql_pipeline *pipeline; // WRAPPED: ( … | … )
};

enum ql_aggregate { QL_COUNT, QL_MIN, QL_MAX, QL_AVG, QL_SUM };
enum ql_scalar_kind { QL_SCALAR_CONST, QL_SCALAR_AGGREGATE, QL_SCALAR_OP, QL_SCALAR_PIPELINE };

struct ql_scalar {
    enum ql_scalar_kind kind;
    struct ql_place place;
    int type;
    struct value value;          // CONST
    enum ql_aggregate aggregate; // AGGREGATE
    const struct ql_expr *of;    // AGGREGATE but COUNT
    enum ql_op op;               // OP: ADD … POW, NEG (left only)
    const struct ql_scalar *left, *right;
    // PIPELINE: ( {…} | count() ): runs on the whole trace, apart from the sets that came before;
    // the value is that of `left` over its set. No set, or more than one: nil.
    const struct ql_pipeline *pipeline;
};

enum ql_stage_kind { QL_STAGE_SPANSET, QL_STAGE_SCALAR, QL_STAGE_BY, QL_STAGE_COALESCE, QL_STAGE_SELECT };
struct ql_stage {
    enum ql_stage_kind kind;
    struct ql_place place;
    const struct ql_spanset *spanset;     // SPANSET
    const struct ql_scalar *left, *right; // SCALAR: left op right
    enum ql_op op;                        // EQ … GE
    const struct ql_expr *by;             // BY
    const struct field *fields;           // SELECT
    uint32_t n_fields;
    struct str
        label; // BY: "by(…)" ; SCALAR: text of the left side when it is an aggregate, as answers name it
};
struct ql_pipeline {
    const struct ql_stage *stages;
    uint32_t n_stages;
};

// --- metrics ---------------------------------------------------------------------------------------

enum ql_function {
    QL_RATE,
    QL_COUNT_OVER_TIME,
    QL_MIN_OVER_TIME,
    QL_MAX_OVER_TIME,
    QL_AVG_OVER_TIME,
    QL_SUM_OVER_TIME,
    QL_QUANTILE_OVER_TIME,
    QL_HISTOGRAM_OVER_TIME,
    QL_COMPARE
};
enum ql_metric_kind { QL_METRIC_FUNCTION, QL_METRIC_OP, QL_METRIC_CONST };
enum ql_second_kind { QL_TOPK, QL_BOTTOMK, QL_KEEP };
struct ql_second { // a second stage
    enum ql_second_kind kind;
    struct ql_place place;
    uint32_t k;    // TOPK, BOTTOMK
    enum ql_op op; // KEEP: EQ … GE
    double value;  // KEEP; durations in seconds
};
struct ql_metric {
    enum ql_metric_kind kind;
    struct ql_place place;
    struct str text; // as written, without second stages: for __name__ of arithmetic
    // FUNCTION
    const struct ql_pipeline *pipeline;
    enum ql_function function;
    struct field of; // MIN … HISTOGRAM
    const double *quantiles;
    uint32_t n_quantiles;
    const struct field *by;
    uint32_t n_by;
    const struct ql_expr *selection; // COMPARE: the filter; NULL: {}
    uint32_t top;                    // COMPARE: 10 by default
    uint64_t from_ns, to_ns;         // COMPARE: time of the selection, 0 0 = the whole range
    // OP: ADD SUB MUL DIV
    enum ql_op op;
    const struct ql_metric *left, *right;
    double value; // CONST
    const struct ql_second *seconds;
    uint32_t n_seconds;
};

enum ql_hint_kind { QL_HINT_SAMPLE, QL_HINT_EXEMPLARS, QL_HINT_MOST_RECENT, QL_HINT_OTHER };
struct ql_hint {
    enum ql_hint_kind kind; // OTHER: known nowhere here; ignored
    struct str name;
    struct value value;
};

struct ql_query {
    struct str text;
    bool is_metrics;
    const struct ql_pipeline *pipeline; // of a search
    const struct ql_metric *metric;     // of metrics
    const struct ql_hint *hints;
    uint32_t n_hints;
    struct ql_regex *regexes; // of this query, a list
};

// ERR_INVALID with line, column and text: what is wrong, what was found and expected, and, where it
// can be told, what was probably meant. ERR_LIMIT the same, naming the limit. ERR_NOMEM.
NODISCARD enum err ql_parse(struct arena *a, struct str text, struct ql_query **out, struct err_ctx *ctx);
void ql_free(struct ql_query *q); // NULL is fine

// The message with the line it is about and a caret under the place, for people.
void ql_explain(struct str text, const struct err_ctx *ctx, struct buf *out);

// After a run that ended in ERR_LIMIT: which regular expression took too many steps on a text, and where it
// stands. Leaves ctx alone when none did: it was another limit.
void ql_explain_steps(const struct ql_query *q, struct err_ctx *ctx);

// The filter of a half-written query, as far as it is whole: conjuncts that do not parse are left
// out ({ .a= && .b="x" } gives .b="x"). *out NULL: nothing of it can be used, which is no filter.
// A pipeline behind it is ignored.
NODISCARD enum err ql_parse_lenient(struct arena *a, struct str text, struct ql_query **out);

// A field as TraceQL writes it (`resource.service.name`, `.foo`, `span."a b"`, `name`, `event:name`).
NODISCARD enum err ql_parse_field(struct arena *a, struct str text, struct field *out, struct err_ctx *ctx);
// The other way; what it writes parses to the same field. Unscoped spellings of intrinsics where
// there is one (`duration`, `rootName`), as answers name them.
void ql_print_field(const struct field *f, struct buf *out);

// The query in its plain form: parses to an equal tree.
void ql_print(const struct ql_query *q, struct buf *out);
void ql_print_expr(const struct ql_expr *e, struct buf *out);

const char *ql_op_text(enum ql_op op);            // "&&", "=~" …
const char *ql_function_text(enum ql_function f); // "rate" …
