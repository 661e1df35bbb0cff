// SPDX-License-Identifier: Apache-2.0
// Inside `query` only: which rows of a row group the filters of a search match, as bytes for answers.h. They
// depend on the block alone: not on the range, the page, or what is split. thread: any.
#pragma once

#include "exec/plan.h"
#include "query/source.h"

// What all sources are asked.
void matched_question(struct buf *out, const struct ql_query *q);
// What plan_filter gives for all live rows of the batch, which is of a row group, from what was kept or by
// filtering. question: as above; empty: nothing is kept.
NODISCARD enum err matched_rows(const struct plan *p, struct str question, const struct source *s,
                                struct batch *b, struct rows *rows, struct plan_bits *out);
