// SPDX-License-Identifier: Apache-2.0
#include "exec/metrics_adding.h"

enum { BINS = 64 }; // powers that a lane remembers

static enum err group_of(struct adding *w, uint32_t row, uint32_t mark, uint32_t *out) {
    struct value by[QL_BY_MAX];
    for (uint32_t i = 0; i < w->acc->plan->n_by; i++) by[i] = w->by[i].values[w->by[i].of_row[row]];
    return metric_group_find(w->acc, by, mark, true, out);
}

enum err adding_lane_fill(struct adding *w, struct lane *l, uint32_t step, uint32_t row) {
    uint32_t group;
    if (!l->group) {
        TRY(group_of(w, row, 0, &group));
        l->group = group + 1;
    }
    struct metric_cell *c = metric_cell_at(w->acc, w->acc->groups[l->group - 1], step);
    if (!c) return ERR_NOMEM;
    l->cell[step & 1] = c;
    l->step[step & 1] = step;
    return ERR_OK;
}

// The power of two that a value is rounded up to; 0: the value is below 2, or not finite.
static uint32_t power_of(const struct metric_numbers *x, uint32_t row) {
    if (!metric_number_is_float(x, row)) {
        int64_t v = x->bits[row];
        return v < 2 ? 0 : 64 - (uint32_t)__builtin_clzll((uint64_t)v - 1);
    }
    double f = metric_number(x, row);
    if (!(f >= 2) || f > 0x1.fffffffffffffp1023) return 0;
    int64_t bits;
    memcpy(&bits, &f, sizeof bits);
    return (uint32_t)(bits >> 52) - 1023 + ((bits & ((1ll << 52) - 1)) != 0);
}

static enum err bin_cell(struct adding *w, struct lane *l, uint32_t power, uint32_t step, uint32_t row,
                         struct metric_cell **out) {
    uint32_t group;
    if (!l->bins) l->bins = arena_zalloc(&w->acc->scratch, BINS * sizeof *l->bins);
    if (!l->bins) return ERR_NOMEM;
    if (power >= BINS || !l->bins[power]) {
        TRY(group_of(w, row, power, &group));
        if (power < BINS) l->bins[power] = group + 1;
    } else {
        group = l->bins[power] - 1;
    }
    *out = metric_cell_at(w->acc, w->acc->groups[group], step);
    return *out ? ERR_OK : ERR_NOMEM;
}

static ALWAYS_INLINE enum err sum_add(struct adding *w, struct sum_cell *c, uint32_t row) {
    if (metric_number_is_float(&w->numbers, row))
        return exactsum_add(&w->acc->arena, &c->sum, metric_number(&w->numbers, row));
    exactsum_add_int(&c->sum, w->numbers.bits[row]);
    return ERR_OK;
}

static ALWAYS_INLINE enum err cell_add(struct adding *w, enum ql_function f, struct metric_cell *c,
                                       uint32_t row) {
    struct extreme_cell *x = (void *)c;
    double v;
    switch (f) {
    case QL_MIN_OVER_TIME:
        v = metric_number(&w->numbers, row);
        if (c->count == 0 || v < x->extreme) x->extreme = v;
        break;
    case QL_MAX_OVER_TIME:
        v = metric_number(&w->numbers, row);
        if (c->count == 0 || v > x->extreme) x->extreme = v;
        break;
    case QL_SUM_OVER_TIME: TRY(sum_add(w, (struct sum_cell *)c, row)); break;
    case QL_QUANTILE_OVER_TIME:
        TRY(sketch_add_fast(&w->acc->arena, &((struct sketch_cell *)c)->sketch,
                            metric_number(&w->numbers, row)));
        break;
    default: break;
    }
    c->count++;
    return ERR_OK;
}

// f is a constant of the caller: each function has a loop of its own.
static ALWAYS_INLINE enum err loop(struct adding *w, enum ql_function f) {
    for (uint32_t r = 0; r < w->runs.n; r++) {
        const struct metric_run *run = &w->runs.runs[r];
        uint32_t row, step = run->step;
        TRY(metric_pace_go_on(&w->acc->pace, run->n));
        if ((f == QL_COUNT_OVER_TIME || f == QL_QUANTILE_OVER_TIME) && adding_is_dense(w, run)) {
            TRY(adding_dense_run(w, run));
            continue;
        }
        METRIC_EACH_ROW(run, w->wanted, row) {
            struct lane *l = &w->lanes[w->codes.of_row ? w->codes.of_row[row] : 0];
            struct metric_cell *c;
            if (run->steps) step = run->steps[row - run->first];
            if (f == QL_HISTOGRAM_OVER_TIME)
                TRY(bin_cell(w, l, power_of(&w->numbers, row), step, row, &c));
            else
                TRY(lane_cell(w, l, step, row, &c));
            TRY(cell_add(w, f, c, row));
            if (w->cells) w->cells[row] = c;
        }
        if (w->cells) TRY(metric_picks_of_rows(&w->picking, run, w->wanted, w->cells));
    }
    return ERR_OK;
}

// Without by() and within one interval a count is the number of bits.
static enum err count_all(struct adding *w) {
    struct lane *l = &w->lanes[0];
    for (uint32_t r = 0; r < w->runs.n; r++) {
        const struct metric_run *run = &w->runs.runs[r];
        uint32_t row, end = run->first + run->n;
        struct metric_cell *c;
        if (run->steps) {
            METRIC_EACH_ROW(run, w->wanted, row) {
                TRY(lane_cell(w, l, run->steps[row - run->first], row, &c));
                c->count++;
                if (w->cells) w->cells[row] = c;
            }
            if (w->cells) TRY(metric_picks_of_rows(&w->picking, run, w->wanted, w->cells));
            continue;
        }
        uint64_t n = 0;
        for (uint32_t base = run->first & ~63u; base < end; base += 64)
            n += (uint32_t)__builtin_popcountll(metric_run_word(run, w->wanted, base));
        if (n == 0) continue;
        TRY(lane_cell(w, l, run->step, run->first, &c));
        c->count += n;
        if (!w->cells) continue;
        if (w->batch->order)
            for (row = run->first; row < end; row++) w->cells[row] = c;
        struct metric_best best = { 0 };
        struct metric_coded all = { .counts = (uint32_t[]){ 1 }, .n = 1, .cells = &c, .best = &best };
        TRY(metric_picks_of_codes(&w->picking, run, w->wanted, &all));
    }
    return ERR_OK;
}

static enum err run_loop(struct adding *w) {
    switch (w->acc->plan->function) {
    case QL_RATE:
    case QL_COUNT_OVER_TIME: return w->codes.of_row ? loop(w, QL_COUNT_OVER_TIME) : count_all(w);
    case QL_MIN_OVER_TIME: return loop(w, QL_MIN_OVER_TIME);
    case QL_MAX_OVER_TIME: return loop(w, QL_MAX_OVER_TIME);
    case QL_AVG_OVER_TIME:
    case QL_SUM_OVER_TIME: return loop(w, QL_SUM_OVER_TIME);
    case QL_QUANTILE_OVER_TIME: return loop(w, QL_QUANTILE_OVER_TIME);
    default: return loop(w, QL_HISTOGRAM_OVER_TIME);
    }
}

// --- preparing -------------------------------------------------------------------------------------

static bool any_wanted(const uint64_t *wanted, uint32_t words) {
    for (uint32_t i = 0; i < words; i++)
        if (wanted[i]) return true;
    return false;
}

static enum err code_by(struct adding *w) {
    const struct metric_plan *p = w->acc->plan;
    struct arena *a = &w->acc->scratch;
    uint32_t n_rows = w->batch->n_rows;
    w->codes.n = 1;
    for (uint32_t i = 0; i < p->n_by; i++) {
        struct metric_codes joined;
        TRY(metric_codes_of(w->rows, i, w->wanted, n_rows, a, &w->by[i]));
        if (i == 0) {
            w->codes = w->by[0];
            continue;
        }
        TRY(metric_codes_join(&w->codes, &w->by[i], w->wanted, n_rows, a, &joined));
        w->codes = joined;
    }
    w->lanes = arena_zalloc(a, (w->codes.n + 1ull) * sizeof *w->lanes);
    return w->lanes ? ERR_OK : ERR_NOMEM;
}

static void drop_below_two(struct adding *w) {
    struct metric_run all = { .n = w->batch->n_rows };
    uint32_t row;
    METRIC_EACH_ROW(&all, w->wanted, row)
    if (power_of(&w->numbers, row) == 0) w->wanted[row / 64] &= ~(1ull << (row % 64));
}

static enum err add_function(struct adding *w) {
    const struct metric_plan *p = w->acc->plan;
    struct arena *a = &w->acc->scratch;
    uint32_t n_rows = w->batch->n_rows;
    if (p->of) TRY(metric_numbers_of(w->rows, p->of_idx, w->wanted, n_rows, a, &w->numbers));
    if (p->function == QL_HISTOGRAM_OVER_TIME) drop_below_two(w);
    TRY(code_by(w));
    if (p->range.exemplars) {
        w->cells = ARENA_ARRAY(a, n_rows + 1ull, struct metric_cell *);
        if (!w->cells) return ERR_NOMEM;
    }
    TRY(run_loop(w));
    if (!w->cells) return ERR_OK;
    return metric_picks_end(&w->picking, w->rows, w->wanted, w->cells, &w->numbers);
}

enum err metric_add(struct metric_acc *m, struct batch *b, uint32_t number, struct rows *rows,
                    const uint64_t *bitmap, const uint64_t *selected) {
    struct adding w = {
        .acc = m, .batch = b, .rows = rows, .picking = { .acc = m, .batch = b, .number = number }
    };
    uint32_t words = (b->n_rows + 63) / 64;
    arena_reset(&m->scratch);
    w.wanted = arena_alloc(&m->scratch, (words + 1) * sizeof *w.wanted);
    if (!w.wanted) return ERR_NOMEM;
    for (uint32_t i = 0; i < words; i++) w.wanted[i] = bitmap[i] & (b->live ? b->live[i] : ~0ull);
    TRY(metric_runs_make(m->plan, b, &m->scratch, w.wanted, &w.runs));
    if (!any_wanted(w.wanted, words)) return ERR_OK;
    if (m->plan->function == QL_COMPARE) return metric_compare_add(m, b, &w.runs, w.wanted, selected);
    return add_function(&w);
}
