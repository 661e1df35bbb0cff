// SPDX-License-Identifier: Apache-2.0
// Inside `block` only: what the footer of spans.parquet says of its row groups, a letter each:
// `m` main, `o` outliers; upper case: written anew by a merge, which happens to a span only once.
#pragma once

#include "block/block.h"

#define MARKS_KEY "takt.row_groups"

struct group_mark {
    bool is_outlier, is_anew;
};
char mark_letter(struct group_mark m);
// Of an opened block. Where the footer says nothing (an older version wrote it), the times of the row
// group tell whether it holds outliers, and nothing counts as written anew.
struct group_mark block_group_mark(const struct block *b, uint32_t group);
