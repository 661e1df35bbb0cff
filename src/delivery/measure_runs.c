// SPDX-License-Identifier: Apache-2.0
// Pipelines: how often they end well, how long they wait, and how often the same commit gets two
// answers. Runs of one pipeline at one commit lie beside each other, in the order of their time.
#include "delivery/measuring.h"

static bool is_final(enum flow_result r) {
    return r != FLOW_OPEN && r != FLOW_OTHER;
}

static void see_success(struct measuring *r, struct measure_row row, bool default_only) {
    const struct flow_run *x = row.run;
    if (!measuring_in_window(r, x->ended) || x->result == FLOW_OPEN) return;
    if (x->result == FLOW_OTHER)
        measuring_leave_out(r, row, "cancelled or skipped");
    else if (default_only && x->branch == FLOW_BRANCH_UNKNOWN)
        measuring_leave_out(r, row, "the default branch is not known");
    else if (!default_only || x->branch == FLOW_BRANCH_DEFAULT)
        measuring_add_case(r, row, x->result == FLOW_SUCCESS);
}

static void see_queue(struct measuring *r, struct measure_row row) {
    const struct flow_run *x = row.run;
    if (!measuring_in_window(r, x->started)) return;
    if (!x->queued)
        measuring_leave_out(r, row, "it is not known when it was queued");
    else
        measuring_add_time(r, row, x->queued, x->started);
}

static void see_queue_ratio(struct measuring *r, struct measure_row row) {
    const struct flow_run *x = row.run;
    if (!measuring_in_window(r, x->ended) || !is_final(x->result)) return;
    if (!x->queued || !x->started)
        measuring_leave_out(r, row, "it is not known when it was queued and begun");
    else if (x->ended <= x->started || x->started < x->queued)
        measuring_leave_out(r, row, "ends before it begins");
    else
        measuring_add_value(r, row, (double)(x->started - x->queued) / (double)(x->ended - x->started));
}

// --- of one pipeline at one commit -------------------------------------------------------------------------

struct outcome {
    uint32_t last; // with a result; UINT32_MAX: none
    uint32_t n_success, n_failure, n_error;
};

static struct outcome outcome_of(const struct flow_run *runs, uint32_t from, uint32_t to) {
    struct outcome o = { .last = UINT32_MAX };
    for (uint32_t i = from; i < to; i++) {
        if (!is_final(runs[i].result)) continue;
        o.last = i;
        if (runs[i].result == FLOW_SUCCESS)
            o.n_success++;
        else if (runs[i].result == FLOW_ERROR)
            o.n_error++;
        else
            o.n_failure++;
    }
    return o;
}

static struct measure_row row_of(const struct flow *f, uint32_t i) {
    return (
        struct measure_row){ .rollout = ROLLOUT_NONE, .commit = ROLLOUT_NONE, .flow = f, .run = &f->runs[i] };
}

static void see_flaky(struct measuring *r, struct measure_row row, uint64_t n_success, uint64_t n_failure,
                      uint64_t n_error) {
    if (n_success + n_failure + n_error < 2) return;
    if (n_success + n_failure < 2) // an error is of the machinery, and contradicts nothing
        measuring_leave_out(r, row, "fewer than two results that are no error of the machinery");
    else
        measuring_add_case(r, row, n_success && n_failure);
}

static void see_final(struct measuring *r, const struct flow *f, uint32_t from, uint32_t to) {
    struct outcome o = outcome_of(f->runs, from, to);
    if (o.last == UINT32_MAX || !measuring_in_window(r, f->runs[o.last].ended)) return;
    struct measure_row row = row_of(f, o.last);
    if (r->ask.measure == MEASURE_PIPELINE_FINAL_RATE)
        measuring_add_case(r, row, f->runs[o.last].result == FLOW_SUCCESS);
    else
        see_flaky(r, row, o.n_success, o.n_failure, o.n_error);
}

// Failures that a success at the same commit took back later.
static void see_wasted(struct measuring *r, const struct flow *f, uint32_t from, uint32_t to) {
    uint32_t success = from; // behind the last one
    for (uint32_t i = from; i < to; i++)
        if (f->runs[i].result == FLOW_SUCCESS) success = i;
    for (uint32_t i = from; i < to; i++) {
        const struct flow_run *x = &f->runs[i];
        if (!is_final(x->result) || !measuring_in_window(r, x->ended)) continue;
        if (x->result == FLOW_ERROR)
            measuring_leave_out(r, row_of(f, i), "an error of the machinery");
        else
            measuring_add_case(r, row_of(f, i), x->result != FLOW_SUCCESS && i < success);
    }
}

static void see_pipelines(struct measuring *r, const struct flow *f) {
    for (uint32_t from = 0, to; from < f->n_runs; from = to) {
        for (to = from + 1; to < f->n_runs && !f->runs[to].begins;) to++;
        if (r->ask.measure == MEASURE_WASTED_RUN_RATE)
            see_wasted(r, f, from, to);
        else
            see_final(r, f, from, to);
    }
}

static void see_groups(struct measuring *r, const struct flow *f, bool tests) {
    for (uint32_t i = 0; i < f->n_groups; i++) {
        const struct flow_group *g = &f->groups[i];
        struct measure_row row = { .rollout = ROLLOUT_NONE, .commit = ROLLOUT_NONE, .flow = f, .group = g };
        if (g->is_test == tests && measuring_in_window(r, g->ended))
            see_flaky(r, row, g->n_success, g->n_failure, g->n_error);
    }
}

static void see_run(struct measuring *r, struct measure_row row) {
    switch (r->ask.measure) {
    case MEASURE_PIPELINE_SUCCESS_RATE: see_success(r, row, false); break;
    case MEASURE_PIPELINE_DEFAULT_RATE: see_success(r, row, true); break;
    case MEASURE_QUEUE_TIME: see_queue(r, row); break;
    case MEASURE_QUEUE_RATIO: see_queue_ratio(r, row); break;
    default: break;
    }
}

void measuring_runs(struct measuring *r, const struct flow *f) {
    switch (r->ask.measure) {
    case MEASURE_PIPELINE_FINAL_RATE:
    case MEASURE_FLAKY_PIPELINE_RATE:
    case MEASURE_WASTED_RUN_RATE: see_pipelines(r, f); break;
    case MEASURE_FLAKY_TASK_RATE: see_groups(r, f, false); break;
    case MEASURE_FLAKY_TEST_RATE: see_groups(r, f, true); break;
    default:
        for (uint32_t i = 0; i < f->n_runs; i++) see_run(r, row_of(f, i));
    }
}
