// SPDX-License-Identifier: Apache-2.0
// A table in memory, made at random, that is written, read back and compared. For tests only.
#pragma once

#include "base/test.h"
#include "parquet/parquet.h"

struct model_chunk { // the values of a column in a row group, in the form that is written
    struct pq_values v;
    const struct str *bytes; // each value as bytes of its PLAIN encoding, to compare with
};

struct model_group {
    uint32_t n_rows;
    const uint32_t *borders;
    size_t n_borders;
    struct model_chunk *chunks;
};

struct model {
    struct arena arena;
    struct pq_column *columns;
    struct pq_column_opts *opts;
    size_t n_columns;
    struct model_group *groups;
    size_t n_groups;
    uint32_t page_rows, page_bytes, dict_bytes;
};

enum model_nulls { NULLS_NONE, NULLS_ALL, NULLS_HALF, NULLS_FEW, NULLS_MOST, NULLS_RUNS, NULLS_COUNT };
enum model_kind { // how values are drawn
    KIND_RANDOM,
    KIND_EDGES,
    KIND_FEW,
    KIND_ASCENDING,
    KIND_LONG,
    KIND_COUNT
};

// A file in memory. Writing and reading fail at the fail_at-th call (0 = never).
struct memory_file {
    struct buf bytes;
    uint64_t calls, fail_at;
};
struct pq_sink memory_sink(struct memory_file *f);
struct pq_source memory_source(struct memory_file *f);
void memory_file_init(struct memory_file *f);
void memory_file_fini(struct memory_file *f);

void model_init(struct model *m);
void model_fini(struct model *m);
// The schema is chosen by the caller; this draws a chunk of a column.
struct model_chunk model_draw(struct model *m, const struct pq_column *c, uint32_t n_rows,
                              enum model_nulls nulls, enum model_kind kind, bool coded);
// Any schema, any options, up to max_rows rows in each of up to three row groups.
void model_random(struct model *m, uint32_t max_rows);

enum err model_write(const struct model *m, struct memory_file *f);
// Reads all of a column chunk and compares; then some ranges of it.
void model_compare_chunk(const struct model *m, const struct pq_reader *r, struct pq_decoder *d, size_t group,
                         size_t column, size_t n_ranges);
void model_compare(const struct model *m, struct memory_file *f);
// Value i of a vector as bytes.
struct str vector_bytes(const struct pq_column *c, const struct pq_vector *v, size_t i);
// true when row has a value; *value = which.
bool model_find(const struct model_chunk *k, uint32_t row, size_t *value);
