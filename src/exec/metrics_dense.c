// SPDX-License-Identifier: Apache-2.0
// Long runs of one interval. Row by row, each row would wait for the memory of another cell; here rows
// are sorted by code first (by counting), and a cell is gone to once.
#include "exec/metrics_adding.h"

enum { ROWS_PER_CODE = 4 };

bool adding_is_dense(const struct adding *w, const struct metric_run *run) {
    return !run->steps && w->codes.of_row && run->n / ROWS_PER_CODE >= w->codes.n;
}

static enum err dense_room(struct adding *w) {
    struct arena *a = &w->acc->scratch;
    uint32_t n = w->codes.n;
    if (w->coded.counts) return ERR_OK;
    w->coded = (struct metric_coded){ .codes = w->codes.of_row, .n = n };
    w->coded.counts = arena_zalloc(a, (n + 1ull) * sizeof *w->coded.counts);
    w->coded.cells = ARENA_ARRAY(a, n + 1ull, struct metric_cell *);
    w->rows_of = ARENA_ARRAY(a, n + 1ull, uint32_t);
    w->ends = ARENA_ARRAY(a, n + 1ull, uint32_t);
    if (w->cells) w->coded.best = ARENA_ARRAY(a, n + 1ull, struct metric_best);
    if (w->acc->plan->of) w->sorted = ARENA_ARRAY(a, w->batch->n_rows + 1ull, double);
    return a->failed ? ERR_NOMEM : ERR_OK;
}

static void count_codes(struct adding *w, const struct metric_run *run) {
    const uint32_t *codes = w->coded.codes;
    uint32_t *counts = w->coded.counts, *rows_of = w->rows_of, row;
    memset(counts, 0, w->coded.n * sizeof *counts);
    METRIC_EACH_ROW(run, w->wanted, row) {
        counts[codes[row]]++;
        rows_of[codes[row]] = row;
    }
}

static enum err find_cells(struct adding *w, const struct metric_run *run) {
    uint32_t at = 0;
    for (uint32_t i = 0; i < w->coded.n; i++) {
        uint32_t n = w->coded.counts[i];
        w->ends[i] = at;
        if (n == 0) continue;
        TRY(lane_cell(w, &w->lanes[i], run->step, w->rows_of[i], &w->coded.cells[i]));
        w->coded.cells[i]->count += n;
        at += n;
    }
    return ERR_OK;
}

static void sort_numbers(struct adding *w, const struct metric_run *run) {
    const uint32_t *codes = w->coded.codes;
    uint32_t *ends = w->ends, row;
    double *sorted = w->sorted;
    METRIC_EACH_ROW(run, w->wanted, row)
    sorted[ends[codes[row]]++] = metric_number(&w->numbers, row);
}

static enum err add_sketches(struct adding *w) {
    for (uint32_t i = 0; i < w->coded.n; i++) {
        uint32_t n = w->coded.counts[i];
        if (n == 0) continue;
        struct sketch_cell *c = (void *)w->coded.cells[i];
        TRY(sketch_add_many(&w->acc->arena, &c->sketch, w->sorted + (w->ends[i] - n), n));
    }
    return ERR_OK;
}

enum err adding_dense_run(struct adding *w, const struct metric_run *run) {
    uint32_t row;
    TRY(dense_room(w));
    count_codes(w, run);
    TRY(find_cells(w, run));
    if (w->acc->plan->of) {
        sort_numbers(w, run);
        TRY(add_sketches(w));
    }
    if (!w->cells) return ERR_OK;
    if (w->batch->order)
        METRIC_EACH_ROW(run, w->wanted, row) w->cells[row] = w->coded.cells[w->coded.codes[row]];
    return metric_picks_of_codes(&w->picking, run, w->wanted, &w->coded);
}
