// SPDX-License-Identifier: Apache-2.0
// Which attributes the rests of a row group may hold: a bloom filter of their keys in the footer, so
// that a query for a key need not read the rest where it cannot be. docs/formats/block.md has the form.
// thread: any.
#pragma once

#include "block/block.h"

enum block_rows { BLOCK_ROWS_SPANS, BLOCK_ROWS_EVENTS, BLOCK_ROWS_LINKS };

// false only if no rest of these rows in the row group holds an attribute of this key, of any type; the
// one other place is a column. Of an opened block; from memory.
bool block_rest_may_hold(const struct block *b, enum block_rows rows, uint32_t group, struct str key);
