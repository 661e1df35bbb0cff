// SPDX-License-Identifier: Apache-2.0
// Which of a span's events (links) an answer tells of, where a field of theirs is shown: the first that the
// question is about and that has the field, else the first that has it. The question is about those of which
// a condition of a filter holds, not under a `!`; of an unscoped field: a comparison of it with a literal.
// thread: that of the batch.
#pragma once

#include "exec/plan.h"

// May the answer tell something else of field i than rows_value?
bool told_chooses(const struct plan *p, uint32_t i);
// Makes what decides it readable at the rows.
NODISCARD enum err told_want(const struct plan *p, struct rows *rows, const uint64_t *mask);
// Of field i, which is wanted there too. *error: as of expr_at.
struct value told_value(const struct plan *p, const struct rows *rows, uint32_t i, uint32_t row,
                        enum err *error);
