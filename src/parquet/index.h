// SPDX-License-Identifier: Apache-2.0
// The page index: OffsetIndex (where pages lie) and ColumnIndex (their bounds).
#pragma once

#include "parquet/format.h"

void index_write_pages(struct buf *out, const struct pq_page *pages, size_t n);
void index_write_bounds(struct buf *out, const struct pq_column *c, const struct pq_bounds *bounds, size_t n);

// Pages in the order of rows, that cover n_rows and lie within `where`. ERR_CORRUPT, ERR_NOMEM.
NODISCARD enum err index_read_pages(struct str data, uint32_t n_rows, struct pq_range where, struct arena *a,
                                    const struct pq_page **out, size_t *out_n);
// n bounds, borrowed from data.
NODISCARD enum err index_read_bounds(struct str data, const struct pq_column *c, size_t n, struct arena *a,
                                     const struct pq_bounds **out);
