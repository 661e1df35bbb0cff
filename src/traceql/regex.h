// SPDX-License-Identifier: Apache-2.0
// Regular expressions: RE2's syntax, fully anchored, dot matches newline; PCRE2 with its compiler
// underneath, under a limit of steps. What RE2 does not have (back-references, look-around, atomic
// groups, possessive repeats, recursion, conditions, callouts) is refused.
#pragma once

#include "base/str.h"

struct ql_regex;

// ERR_INVALID with what is wrong and where in the pattern (ctx->column), ERR_LIMIT, ERR_NOMEM.
NODISCARD enum err ql_regex_new(struct str pattern, struct ql_regex **out, struct err_ctx *ctx);
void ql_regex_free(struct ql_regex *r); // NULL is fine
struct str ql_regex_pattern(const struct ql_regex *r);
// What every text that matches begins with; empty: nothing is known.
struct str ql_regex_prefix(const struct ql_regex *r);

// Whether the whole of s matches. ERR_LIMIT: it took too many steps. Text that is not UTF-8 never
// matches. thread: any number at once, each on memory of its own.
NODISCARD enum err ql_regex_match(const struct ql_regex *r, struct str s, bool *out);
// The same for n texts.
NODISCARD enum err ql_regex_match_many(const struct ql_regex *r, const struct str *texts, uint32_t n,
                                       bool *out);
