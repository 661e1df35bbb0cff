// SPDX-License-Identifier: Apache-2.0
// Which interval the rows of a batch belong to. Stretches whose least and greatest start lie in one
// interval need no times; the times of the others are read.
#include "exec/metrics_internal.h"

enum { STRETCH = 4096, OUTSIDE = UINT32_MAX };

struct cutting {
    const struct metric_plan *plan;
    struct batch *batch;
    struct arena *arena;
    uint64_t *wanted;
    struct metric_runs *out;
    uint32_t step;                // the interval of the last time that was looked at,
    uint64_t step_from, step_len; // and its times: neighbours are mostly of the same
};

static uint32_t step_of(struct cutting *c, uint64_t start_ns) {
    const struct metric_plan *p = c->plan;
    if (start_ns - c->step_from < c->step_len) return c->step;
    if (start_ns < p->first_ns || start_ns > p->range.end_ns) return OUTSIDE;
    uint64_t since = start_ns - p->first_ns, left = p->range.end_ns - p->first_ns + 1;
    c->step = p->range.is_instant ? 0 : (uint32_t)(since / p->range.step_ns);
    c->step_from = p->first_ns + (p->range.is_instant ? 0 : c->step * p->range.step_ns);
    c->step_len = left - (c->step_from - p->first_ns);
    if (!p->range.is_instant && c->step_len > p->range.step_ns) c->step_len = p->range.step_ns;
    return c->step;
}

// A run of one interval joins the one before it when that is of the same.
static void add_run(struct cutting *c, struct metric_run run) {
    struct metric_run *last = c->out->n ? &c->out->runs[c->out->n - 1] : NULL;
    if (last && !last->steps && !run.steps && last->step == run.step && last->first + last->n == run.first)
        last->n += run.n;
    else
        c->out->runs[c->out->n++] = run;
}

static enum err read_times(struct cutting *c, struct metric_run *run) {
    const uint64_t *starts;
    TRY(c->batch->ops->starts(c->batch, run->first, run->first + run->n, &starts));
    uint32_t *steps = ARENA_ARRAY(c->arena, run->n, uint32_t), row;
    if (!steps) return ERR_NOMEM;
    METRIC_EACH_ROW(run, c->wanted, row) {
        uint32_t i = row - run->first;
        steps[i] = step_of(c, starts[i]);
        if (steps[i] == OUTSIDE) c->wanted[row / 64] &= ~(1ull << (row % 64));
    }
    run->steps = steps;
    return ERR_OK;
}

static bool is_wanted(const struct cutting *c, const struct metric_run *run) {
    for (uint32_t base = run->first & ~63u; base < run->first + run->n; base += 64)
        if (metric_run_word(run, c->wanted, base)) return true;
    return false;
}

static void drop(struct cutting *c, const struct metric_run *run) {
    for (uint32_t base = run->first & ~63u; base < run->first + run->n; base += 64)
        c->wanted[base / 64] &= ~metric_run_word(run, c->wanted, base);
}

static enum err cut(struct cutting *c, const struct batch_bounds *stretch) {
    struct metric_run run = { .first = stretch->first, .n = stretch->n };
    if (!is_wanted(c, &run)) return ERR_OK;
    if (stretch->has_min_max && stretch->min >= 0) {
        uint64_t min = (uint64_t)stretch->min, max = (uint64_t)stretch->max;
        if (max < c->plan->first_ns || min > c->plan->range.end_ns) {
            drop(c, &run);
            return ERR_OK;
        }
        run.step = step_of(c, min);
        if (run.step != OUTSIDE && run.step == step_of(c, max)) {
            add_run(c, run);
            return ERR_OK;
        }
    }
    TRY(read_times(c, &run));
    add_run(c, run);
    return ERR_OK;
}

enum err metric_runs_make(const struct metric_plan *p, struct batch *b, struct arena *a, uint64_t *wanted,
                          struct metric_runs *out) {
    const struct batch_bounds *bounds;
    uint32_t n;
    TRY(b->ops->start_bounds(b, &bounds, &n));
    uint32_t n_runs = n ? n : (b->n_rows + STRETCH - 1) / STRETCH;
    *out = (struct metric_runs){ ARENA_ARRAY(a, n_runs + 1, struct metric_run), 0 };
    if (!out->runs) return ERR_NOMEM;
    struct cutting c = { .plan = p, .batch = b, .arena = a, .wanted = wanted, .out = out };
    for (uint32_t i = 0; i < n; i++) TRY(cut(&c, &bounds[i]));
    if (n) return ERR_OK;
    for (uint32_t first = 0; first < b->n_rows; first += STRETCH) {
        uint32_t left = b->n_rows - first;
        struct batch_bounds all = { .first = first, .n = left < STRETCH ? left : STRETCH };
        TRY(cut(&c, &all));
    }
    return ERR_OK;
}
