// SPDX-License-Identifier: Apache-2.0
// Inside `block` only: one Parquet file of a block on its way out or in.
#pragma once

#include "block/writer.h"
#include "parquet/parquet.h"

struct out_file {
    struct object_writer *object;
    struct object_store *store;
    struct pq_writer *pq;
    uint64_t bytes;
};

// Columns are the fixed ones, then one for each chosen attribute.
NODISCARD enum err out_file_open(struct out_file *f, struct object_store *store, const char *key,
                                 const struct pq_column *columns, const struct pq_column_opts *opts,
                                 size_t n_columns, struct str version);
NODISCARD enum err out_file_finish(struct out_file *f);
void out_file_abort(struct out_file *f); // fine after finish and on a zeroed one

struct pq_column attr_column_def(struct str name, enum attr_type type);
