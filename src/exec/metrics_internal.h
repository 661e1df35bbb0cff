// SPDX-License-Identifier: Apache-2.0
// Inside the metrics of `exec` only: what a plan and an accumulator are made of.
//
// An accumulator holds groups (a tuple of by() values, and for some functions a mark), each with one
// cell per interval in pages that are there once a span was counted in them. What a batch adds goes
// rows → runs of one interval → codes of the by() values → lanes, which remember a code's cells.
#pragma once

#include "base/map.h"
#include "exec/metrics.h"
#include "stats/exactsum.h"
#include "stats/sketch.h"

enum {
    CELLS_PAGE = 16,                     // cells of a page
    METRIC_COMPARE_GROUPS_MAX = 1 << 20, // values of all attributes together
    COMPARE_BASELINE = 0,
    COMPARE_SELECTION = 1,
};

struct metric_plan {
    enum ql_function function;
    struct metric_range range;
    uint32_t steps;
    uint64_t first_ns;          // the earliest start that counts
    const struct field *fields; // by(), then `of`, then what exemplars measure
    uint32_t n_fields, n_by;
    const struct field *of;       // NULL: counts
    uint32_t of_idx, measure_idx; // among the fields
    bool in_seconds;              // `of` is a duration
    const double *quantiles;
    uint32_t n_quantiles;
    uint32_t top; // COMPARE, as in struct ql_metric
    uint64_t from_ns, to_ns;
};

// --- what is held ----------------------------------------------------------------------------------

struct metric_pick { // the exemplar of a cell
    uint8_t trace_id[16];
    uint64_t time_ns;
    double value;
    struct value of;     // what the function read; NIL: counts
    uint32_t batch, row; // where it was found; METRIC_BATCH_ONCE: and read
    bool is_new;         // while a batch is being added: it was found there
    // Where a trace lies in several batches, the first row of each is kept; which of them is the first of all
    // shows when they are read.
    struct metric_pick *rival;
    bool has_rival;   // it is read for its id, too
    uint64_t span_id; // in the order of ids
};
struct metric_cell {
    uint64_t count;
    uint64_t salt; // of the group
    uint64_t rank; // of the pick, 0 = none: the greatest stays
    struct metric_pick *pick;
};
struct extreme_cell {
    struct metric_cell base;
    double extreme;
};
struct sum_cell {
    struct metric_cell base;
    struct exactsum sum;
};
struct sketch_cell {
    struct metric_cell base;
    struct sketch sketch;
};

struct metric_group {
    const struct value *by; // plan's n_by; COMPARE: one
    uint32_t mark;          // HISTOGRAM: log2 of the bucket; COMPARE: attribute * 2 + side
    uint64_t hash, salt;
    void **pages;
};
struct compare_attr {
    struct field field;
    uint32_t n_values[2];
    bool has_too_many[2];
};

struct metric_pace { // of work that may take long
    const struct metric_caller *caller;
    uint64_t cells; // done since the caller was asked
};
// Before n more cells of work: asks the caller now and then.
NODISCARD enum err metric_pace_go_on(struct metric_pace *p, uint64_t n);

struct metric_acc {
    const struct metric_plan *plan;
    struct arena arena;   // of groups and cells
    struct arena scratch; // of one call
    struct map map;       // of groups
    struct metric_group **groups;
    uint32_t n_groups, cap_groups;
    struct map attr_map; // COMPARE
    struct compare_attr *attrs;
    uint32_t n_attrs, cap_attrs;
    struct metric_pace pace;
};

// The group with these values, made when it is not there (strings are copied). `make` false:
// MAP_NONE then.
NODISCARD enum err metric_group_find(struct metric_acc *m, const struct value *by, uint32_t mark, bool make,
                                     uint32_t *out);
uint32_t metric_group_size(const struct metric_plan *p); // values of a group
// NULL: no memory.
struct metric_cell *metric_cell_at(struct metric_acc *m, struct metric_group *g, uint32_t step);
// NULL: no span was counted there.
const struct metric_cell *metric_cell_get(const struct metric_plan *p, const struct metric_group *g,
                                          uint32_t step);

// --- adding a batch --------------------------------------------------------------------------------

struct metric_run { // rows [first, first + n) of one interval, or each of its own
    uint32_t first, n;
    uint32_t step;
    const uint32_t *steps; // NULL: all of `step`; else of the wanted rows, counted from `first`
};
struct metric_runs {
    struct metric_run *runs;
    uint32_t n;
};
// Clears the bits of rows that start outside of the range, and cuts the others into runs.
NODISCARD enum err metric_runs_make(const struct metric_plan *p, struct batch *b, struct arena *a,
                                    uint64_t *wanted, struct metric_runs *out);

struct metric_codes {           // of a field, or of a tuple of fields
    const uint32_t *of_row;     // at the wanted rows; NULL: 0 at all
    const struct value *values; // of a field: by code; NIL where there is none
    uint32_t n;
};
NODISCARD enum err metric_codes_of(struct rows *rows, uint32_t i, const uint64_t *wanted, uint32_t n_rows,
                                   struct arena *a, struct metric_codes *out);
// One code for each pair that occurs.
NODISCARD enum err metric_codes_join(const struct metric_codes *x, const struct metric_codes *y,
                                     const uint64_t *wanted, uint32_t n_rows, struct arena *a,
                                     struct metric_codes *out);

struct metric_numbers {   // of a field at the wanted rows
    const int64_t *bits;  // integers, or the bits of a double
    const uint8_t *types; // NULL: all are of `type`
    enum value_type type;
};
// Clears the bits of rows that have no number.
NODISCARD enum err metric_numbers_of(struct rows *rows, uint32_t i, uint64_t *wanted, uint32_t n_rows,
                                     struct arena *a, struct metric_numbers *out);
static inline bool metric_number_is_float(const struct metric_numbers *x, uint32_t row) {
    return (x->types ? x->types[row] : x->type) == VALUE_FLOAT;
}
static inline double metric_number(const struct metric_numbers *x, uint32_t row) {
    double f;
    if (!metric_number_is_float(x, row)) return (double)x->bits[row];
    memcpy(&f, &x->bits[row], sizeof f);
    return f + 0.0; // of the two zeros one
}

// Exemplars of a batch: runs are offered in their order, then it is ended.
struct metric_picking {
    struct metric_acc *acc;
    struct batch *batch;
    uint32_t number; // of the batch
    // Of the picking:
    uint32_t trace; // where the last run ended
    struct metric_pick **found;
    uint32_t n, cap;
};
struct metric_best {
    uint64_t salt, rank;
};
struct metric_coded {      // rows of a run by code
    const uint32_t *codes; // by row; NULL: all are 0
    uint32_t *counts;      // by code, n of them
    uint32_t n;
    struct metric_cell **cells; // of codes that occur
    struct metric_best *best;   // room
};
// Offers the wanted rows of a run to their cells, which are known by code or by row. Where the batch has
// an order, nothing happens before the end, and cells are to be known by row.
NODISCARD enum err metric_picks_of_codes(struct metric_picking *p, const struct metric_run *run,
                                         const uint64_t *wanted, const struct metric_coded *x);
NODISCARD enum err metric_picks_of_rows(struct metric_picking *p, const struct metric_run *run,
                                        const uint64_t *wanted, struct metric_cell *const *cells);
NODISCARD enum err metric_picks_end(struct metric_picking *p, struct rows *rows, const uint64_t *wanted,
                                    struct metric_cell *const *cells, const struct metric_numbers *numbers);
NODISCARD enum err metric_picks_merge(struct metric_acc *m, struct metric_cell *cell,
                                      const struct metric_cell *from);

NODISCARD enum err metric_compare_add(struct metric_acc *m, struct batch *b, const struct metric_runs *runs,
                                      const uint64_t *wanted, const uint64_t *selected);
// The number of an attribute, made when it is not there.
NODISCARD enum err metric_compare_attr(struct metric_acc *m, const struct field *f, uint32_t *out);
// Takes over the attributes of `from`: their numbers in m, in m's scratch.
NODISCARD enum err metric_compare_merge(struct metric_acc *m, const struct metric_acc *from,
                                        const uint32_t **out);
// The group of an attribute's value (NIL: the total); MAP_NONE: the attribute has too many of them.
NODISCARD enum err metric_compare_group(struct metric_acc *m, const struct value *v, uint32_t mark,
                                        uint32_t *out);

// The rows of a run that are wanted: a word of the bitmap without the bits outside of the run.
static inline uint64_t metric_run_word(const struct metric_run *r, const uint64_t *wanted, uint32_t base) {
    uint64_t bits = wanted[base / 64];
    if (base < r->first) bits &= ~0ull << (r->first - base);
    if (base + 64 > r->first + r->n) bits &= ~0ull >> (base + 64 - r->first - r->n);
    return bits;
}
// row is a uint32_t of the caller's.
#define METRIC_EACH_ROW(run, wanted, row) \
    for (uint32_t base_ = (run)->first & ~63u; base_ < (run)->first + (run)->n; base_ += 64) \
        for (uint64_t bits_ = metric_run_word(run, wanted, base_); \
             bits_ && ((row) = base_ + (uint32_t)__builtin_ctzll(bits_), true); bits_ &= bits_ - 1)

// --- answers ---------------------------------------------------------------------------------------

struct metric_answer { // of a part of a metrics query
    bool is_const;
    double value;
    struct metric_series *series; // sorted
    uint32_t n;
};
struct metric_offer { // a pick that may become an exemplar
    struct metric_pick *pick;
    uint64_t rank;
    uint64_t id[2]; // of its trace, as bytes compare
    uint32_t series, step;
};

// The series of a function, sorted, with exemplars.
NODISCARD enum err metric_answer_function(struct arena *a, const struct metric_acc *m,
                                          struct metric_pace *pace, struct metric_answer *out);
NODISCARD enum err metric_answer_compare(struct arena *a, const struct metric_acc *m,
                                         struct metric_pace *pace, struct metric_answer *out);
struct metric_offer metric_offer_of(struct metric_pick *pick, uint64_t rank, uint32_t series, uint32_t step);
// Chooses among the offers, which it sorts: the first *n are taken.
void metric_offers_choose(struct metric_offer *offers, uint32_t *n, uint32_t most);
// Reads what the chosen ones show, where that was not done when they were found.
NODISCARD enum err metric_picks_read(const struct metric_plan *p, const struct metric_caller *caller,
                                     const struct metric_offer *offers, uint32_t n, struct arena *a);

void metric_series_sort(struct metric_series *s, uint32_t n);
