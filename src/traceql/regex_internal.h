// SPDX-License-Identifier: Apache-2.0
// Inside `traceql` only: what a regular expression is made of.
#pragma once

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>
#include <stdatomic.h>

#include "traceql/regex.h"

// What most patterns are, and what is told without PCRE.
enum regex_form {
    REGEX_PCRE,
    REGEX_WORDS,  // one of some texts: a, a|b|c
    REGEX_PIECES, // texts with .* between them: a.*, .*a.*b, .*
};
enum { REGEX_POOL = 8 };

struct regex_scratch; // what a match needs for itself

struct ql_regex {
    struct ql_regex *next; // of the query
    struct str pattern;
    enum regex_form form;
    struct str *words; // WORDS: sorted; PIECES: in their order, "" where .* begins or ends the whole
    uint32_t n_words;
    struct str prefix;                                // PCRE: what every match begins with
    pcre2_code *code;                                 // PCRE
    uint32_t at;                                      // where it stands in the query, in bytes
    _Atomic bool gave_up;                             // on a text, after too many steps
    _Atomic(struct regex_scratch *) pool[REGEX_POOL]; // idle ones
    struct arena arena;
};

// Checks RE2's syntax and writes the pattern as PCRE2 understands it in the same way. ERR_INVALID
// with the text and, in ctx->column, the character, from 1. ERR_LIMIT, ERR_NOMEM.
NODISCARD enum err regex_translate(struct str pattern, struct buf *out, struct err_ctx *ctx);
// The form of a valid pattern and its texts. ERR_NOMEM.
NODISCARD enum err regex_classify(struct ql_regex *r);
