// SPDX-License-Identifier: Apache-2.0
// Inside the metrics of `exec` only: a batch while it is added.
#pragma once

#include "exec/metrics_internal.h"

#define ALWAYS_INLINE inline __attribute__((always_inline))

// The cells of a code. Rows are nearly sorted by time, so that two neighbouring intervals are all
// that is asked for over long stretches.
struct lane {
    struct metric_cell *cell[2]; // by the last bit of the interval
    uint32_t step[2];
    uint32_t group; // + 1; 0 = not looked up yet
    uint32_t *bins; // HISTOGRAM: the same by power
};

struct adding {
    struct metric_acc *acc;
    struct batch *batch;
    struct rows *rows;
    uint64_t *wanted;
    struct metric_runs runs;
    struct metric_codes by[QL_BY_MAX];
    struct metric_codes codes; // of the tuple
    struct lane *lanes;
    struct metric_numbers numbers;
    struct metric_cell **cells; // by row; NULL: no exemplars
    struct metric_picking picking;
    // Of dense runs, by code:
    struct metric_coded coded;
    uint32_t *rows_of; // a row that has it
    uint32_t *ends;    // of its numbers
    double *sorted;    // numbers by code
};

// Looks the cell up; the group by the values that the row has.
enum err adding_lane_fill(struct adding *w, struct lane *l, uint32_t step, uint32_t row);

static ALWAYS_INLINE enum err lane_cell(struct adding *w, struct lane *l, uint32_t step, uint32_t row,
                                        struct metric_cell **out) {
    uint32_t k = step & 1;
    if (__builtin_expect(!l->cell[k] || l->step[k] != step, 0)) TRY(adding_lane_fill(w, l, step, row));
    *out = l->cell[k];
    return ERR_OK;
}

// metrics_dense.c: whether a run is all of one interval and has many more rows than there are codes, and
// adding it (counts and quantiles): first how often each code occurs, then code by code.
bool adding_is_dense(const struct adding *w, const struct metric_run *run);
NODISCARD enum err adding_dense_run(struct adding *w, const struct metric_run *run);
