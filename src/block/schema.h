// SPDX-License-Identifier: Apache-2.0
// Inside `block` only: the fixed columns of the files of a block, as they are written and as what is
// read must have them; attribute columns follow. Indexes are in block/meta.h.
#pragma once

#include "block/meta.h"
#include "parquet/parquet.h"

enum block_file {
    FILE_SPANS,
    FILE_TRACES,
    FILE_EVENTS,
    FILE_LINKS,
    FILE_RESOURCES,
    FILE_SCOPES,
    FILE_LARGE,
    FILE_SPLIT,
    FILE_COUNT
};

struct schema {
    const char *name; // of the file
    const struct pq_column *columns;
    size_t n;
};
extern const struct schema block_schemas[FILE_COUNT];

// Does the file begin with these columns? What reads it then need not ask for types again.
bool schema_fits(enum block_file f, const struct pq_reader *r);
