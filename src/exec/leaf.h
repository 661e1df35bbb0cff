// SPDX-License-Identifier: Apache-2.0
// A comparison of one field with a literal, over the rows of a batch: dictionaries first, then the
// bounds of pages, then values.
#pragma once

#include "exec/expr.h"

struct leaf {
    uint32_t field;
    enum ql_op op;      // a comparison; the field stands on the left
    struct value value; // NIL: `= nil` or `!= nil`
    const struct ql_regex *regex;
    bool is_bare; // no comparison: the field itself must be true
};

// Sets the bits of out of the rows in mask (both of n rows of the field's table) where it holds.
NODISCARD enum err leaf_run(struct rows *rows, const struct leaf *l, uint32_t n, const uint64_t *mask,
                            uint64_t *out);
// In which order leaves are best asked, as the dictionary or a filter of the column says: LEAF_NEVER: it
// holds at no row; else those with less first.
enum { LEAF_NEVER = 0, LEAF_LAST = 4000 };
NODISCARD enum err leaf_rank(struct rows *rows, const struct leaf *l, uint32_t *out);
