// SPDX-License-Identifier: Apache-2.0
// Inside `block` only: the attribute columns of the newest blocks, which a new block keeps where their
// keys still occur.
#pragma once

#include "block/block.h"
#include "block/columns.h"
#include "block/schema.h"

// Of a file of opened blocks, the newest first; NULL is passed over. At most BLOCK_COLUMNS_MAX names, no two
// equal but for case. The list is the arena's, the names are the blocks'.
NODISCARD enum err kept_columns(struct block *const *blocks, uint32_t n, enum block_file file,
                                struct arena *a, struct column_names *out);
