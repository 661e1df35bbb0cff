// SPDX-License-Identifier: Apache-2.0
// Names of attribute columns, and the choice of which keys become columns of a block.
// A name is a function of scope, key and type alone: strings bare ("span.http.route"), other types
// with a suffix ("span.http.response.status_code:int", :float, :bool, :any); ':' and '%' in keys
// are percent-encoded. Of keys that are equal but for case the first in byte order is a column,
// since SQL engines mix the others up silently.
#pragma once

#include "span/attrs.h"

enum { BLOCK_COLUMNS_MAX = 300 };

void column_name_write(struct buf *out, struct str scope, struct str key, enum attr_type type);
// false when the name is not one of `scope`, or a has failed. key is decoded into a.
NODISCARD bool column_name_read(struct arena *a, struct str name, struct str scope, struct str *key,
                                enum attr_type *type);

// Which columns of an attribute table become columns of a file, in byte order of their names.
struct column_choice {
    uint32_t n;
    const uint32_t *column; // of the table, per chosen column
    const struct str *name; // of the file's column
    const enum attr_type *type;
    const bool *chosen; // per column of the table
    // Per column of the table: of a chosen one of type ATTR_ANY its texts (see any.h), else NULL.
    const struct str *const *texts;
};
// At most `most` of those with the most values. All memory is the arena's.
NODISCARD enum err column_choose(const struct attr_table *t, struct str scope, uint32_t most, struct arena *a,
                                 struct column_choice *out);
