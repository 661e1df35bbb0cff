// SPDX-License-Identifier: Apache-2.0
// Names of attribute columns, and the choice of which keys become columns of a block.
// A name is a function of scope, key and type alone: strings bare ("span.http.route"), other types
// with a suffix ("span.http.response.status_code:int", :float, :bool, :any); ':' and '%' in keys
// are percent-encoded. Of keys that are equal but for case one is a column, since SQL engines mix the
// others up silently. The choice is sticky: what was a column in the blocks before stays one.
#pragma once

#include "span/attrs.h"

enum { BLOCK_COLUMNS_MAX = 300 };

void column_name_write(struct buf *out, struct str scope, struct str key, enum attr_type type);
// false when the name is not one of `scope`, or a has failed. key is decoded into a.
NODISCARD bool column_name_read(struct arena *a, struct str name, struct str scope, struct str *key,
                                enum attr_type *type);

// ASCII letters in lower case; ptr = NULL when a has failed.
struct str column_name_fold(struct arena *a, struct str name);

// Which columns of an attribute table become columns of a file, in byte order of their names.
struct column_choice {
    uint32_t n;
    const uint32_t *column; // of the table, per chosen column; MAP_NONE = it has none
    const struct str *name; // of the file's column
    const enum attr_type *type;
    const bool *chosen; // per column of the table
    // Per column of the table: of a chosen one of type ATTR_ANY its texts (see any.h), else NULL.
    const struct str *const *texts;
};
// Names of columns, none equal to another but for case; the first matter most.
struct column_names {
    uint32_t n;
    const struct str *name;
};
// At most `most`: those of `kept` that occur, then those with the most values. All memory is the arena's.
NODISCARD enum err column_choose(const struct attr_table *t, struct str scope, uint32_t most,
                                 const struct column_names *kept, struct arena *a, struct column_choice *out);
// Which columns of the table the columns are that were chosen before: n, name and type of `names`, in byte
// order of the names. What else the table holds is not chosen.
NODISCARD enum err column_bind(const struct attr_table *t, struct str scope,
                               const struct column_choice *names, struct arena *a, struct column_choice *out);
