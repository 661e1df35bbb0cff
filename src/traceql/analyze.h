// SPDX-License-Identifier: Apache-2.0
// A query as editors see it while it is written: classes of tokens for colours, diagnostics, and what
// may come at the cursor. All of it by the parser, so that it never differs from what is accepted.
// thread: any.
#pragma once

#include "traceql/traceql.h"

enum ql_class {
    QL_CLASS_COMMENT,
    QL_CLASS_KEYWORD,     // true, nil, error, server …
    QL_CLASS_OPERATOR,    //
    QL_CLASS_PUNCTUATION, // braces, parentheses, commas, the pipe
    QL_CLASS_SCOPE,       // `span.` of an attribute
    QL_CLASS_ATTRIBUTE,   // its name
    QL_CLASS_INTRINSIC,   //
    QL_CLASS_STRING,
    QL_CLASS_NUMBER,
    QL_CLASS_DURATION,
    QL_CLASS_FUNCTION, // count, rate, by, select, topk, with …
    QL_CLASS_ERROR,
    QL_CLASS_COUNT
};
struct ql_mark {
    struct ql_place place;
    enum ql_class kind;
};

struct ql_diagnostic {
    struct ql_place place;
    bool is_hint; // correct, but maybe not what was meant
    struct str text;
};

// What may come, as bits.
enum {
    QL_WANT_FIELD = 1 << 0,        // attributes and intrinsics: see scope and prefix
    QL_WANT_VALUE = 1 << 1,        // a literal, of `field` where has_field
    QL_WANT_FILTER = 1 << 2,       // { … } and (
    QL_WANT_STAGE = 1 << 3,        // by, select, coalesce
    QL_WANT_AGGREGATE = 1 << 4,    // count, min, max, avg, sum
    QL_WANT_FUNCTION = 1 << 5,     // rate … compare
    QL_WANT_SECOND = 1 << 6,       // topk, bottomk
    QL_WANT_BY = 1 << 7,           // by( … ) of a metrics function
    QL_WANT_WITH = 1 << 8,         // hints
    QL_WANT_HINT = 1 << 9,         // the name of one
    QL_WANT_PIPE = 1 << 10,        // |
    QL_WANT_CLOSE_BRACE = 1 << 11, // }
    QL_WANT_CLOSE = 1 << 12,       // )
    QL_WANT_OPEN = 1 << 13,        // (
    QL_WANT_COMMA = 1 << 14,       // ,
    QL_WANT_LOGIC = 1 << 15,       // && ||
    QL_WANT_EQUALITY = 1 << 16,    // = !=
    QL_WANT_ORDER = 1 << 17,       // < <= > >=
    QL_WANT_PATTERN = 1 << 18,     // =~ !~
    QL_WANT_ARITHMETIC = 1 << 19,  // + - * / % ^
    QL_WANT_STRUCTURE = 1 << 20,   // >> > << < ~ and their negated and union forms
    QL_WANT_NUMBER = 1 << 21,      // a number that is no field's value: k of topk, a quantile …
    QL_WANT_OP_ASSIGN = 1 << 22,   // = of a hint
};

struct ql_wanted {
    uint32_t what;
    bool has_field;     // VALUE: the other side is this field
    struct field field; //
    bool is_pattern;    // VALUE: as a regular expression
    // The text that is typed already and would be replaced; empty at the cursor where there is none.
    struct ql_place place;
    struct str prefix; // of it, up to the cursor: without scope, quotes and their escapes
    bool has_scope;    // FIELD: `span.` or `.` is typed: attributes of `scope`, or …
    bool is_intrinsic; // … `span:` is typed: intrinsics only, of `intrinsic_scope` ("span", "trace" …)
    enum field_scope scope;
    bool of_parent;
    struct str intrinsic_scope;
    bool in_quotes; // the cursor is inside of quotes (a string's or a name's)
};

struct ql_analysis {
    const struct ql_mark *marks; // in the order of the text, not overlapping
    uint32_t n_marks;
    const struct ql_diagnostic *diagnostics; // an error first
    uint32_t n_diagnostics;
    struct ql_wanted wanted;
};

// Everything of the analysis lives in the arena. A cursor past the end is at the end. Text past
// QL_TEXT_MAX is an error among the diagnostics. ERR_NOMEM.
NODISCARD enum err ql_analyze(struct arena *a, struct str text, uint32_t cursor_byte,
                              struct ql_analysis *out);
