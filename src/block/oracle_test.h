// SPDX-License-Identifier: Apache-2.0
// What a batch must say, from the plain canonical message of each span, and a reader of whole batches
// that checks what holds for every batch.
#pragma once

#include "base/test.h"
#include "span/table_batch.h"

// The value of a field in a row of a child table (n-th event or link of the span), or of the span
// itself, from its canonical bytes. known = false: the batch is not held to this one.
struct oracle {
    const struct span_table *table;
    struct arena *arena;
};
struct value oracle_value(const struct oracle *o, enum batch_table table, uint32_t span, uint32_t nth,
                          const struct field *f, bool *known);

// A column by row: NIL where it has no value. Checks forms, bounds, may_hold, and that ranges say the
// same as the whole.
const struct value *column_values(struct batch *b, enum batch_table table, uint32_t n_rows,
                                  const struct field *f);
bool values_same(const struct value *a, const struct value *b);

// Every field that there is to ask of a batch: intrinsics, keys that occur, one that does not.
struct asked {
    enum batch_table table;
    struct field field;
};
uint32_t fields_of(struct batch *b, struct asked **out);
uint32_t table_rows(struct batch *b, enum batch_table table, const uint32_t **owners);
