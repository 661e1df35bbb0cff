// SPDX-License-Identifier: Apache-2.0
#include "exec/metrics_internal.h"

static bool is_count(enum ql_function f) {
    return f == QL_RATE || f == QL_COUNT_OVER_TIME;
}

static enum err range_check(const struct metric_range *r, uint32_t *steps) {
    if (r->end_ns <= r->start_ns) return ERR_INVALID;
    *steps = 1;
    if (r->is_instant) return ERR_OK;
    if (r->step_ns == 0) return ERR_INVALID;
    uint64_t n = (r->end_ns - r->start_ns - 1) / r->step_ns + 1;
    if (n > METRIC_STEPS_MAX) return ERR_LIMIT;
    *steps = (uint32_t)n;
    return ERR_OK;
}

enum err metric_plan_new(struct arena *a, const struct ql_metric *m, const struct metric_range *range,
                         struct metric_plan **out) {
    ASSERT(m->kind == QL_METRIC_FUNCTION && m->n_by <= QL_BY_MAX);
    uint32_t steps, n = 0;
    TRY(range_check(range, &steps));
    struct metric_plan *p = ARENA_NEW(a, struct metric_plan);
    struct field *fields = ARENA_ARRAY(a, m->n_by + 2, struct field);
    if (!p || !fields) return ERR_NOMEM;
    *p = (struct metric_plan){ .function = m->function, .range = *range, .steps = steps, .fields = fields };
    p->first_ns = range->is_instant ? range->start_ns : range->start_ns + 1;
    if (m->function == QL_COMPARE) {
        p->top = m->top;
        p->from_ns = m->from_ns;
        p->to_ns = m->to_ns;
        *out = p;
        return ERR_OK;
    }
    for (; n < m->n_by; n++) fields[n] = m->by[n];
    p->n_by = n;
    p->measure_idx = n;
    if (is_count(m->function)) {
        if (range->exemplars)
            fields[n++] = (struct field){ .scope = FIELD_SPAN, .intrinsic = INTRINSIC_DURATION };
    } else {
        p->of_idx = n;
        fields[n++] = m->of;
        p->of = &fields[p->of_idx];
        p->in_seconds = field_type(&m->of) == VALUE_DURATION;
    }
    p->n_fields = n;
    p->quantiles = m->quantiles;
    p->n_quantiles = m->n_quantiles;
    *out = p;
    return ERR_OK;
}

const struct field *metric_plan_fields(const struct metric_plan *p, uint32_t *out_n) {
    *out_n = p->n_fields;
    return p->fields;
}

uint32_t metric_plan_steps(const struct metric_plan *p) {
    return p->steps;
}

uint64_t metric_plan_time(const struct metric_plan *p, uint32_t step) {
    return p->range.is_instant ? p->range.end_ns : p->range.start_ns + (step + 1ull) * p->range.step_ns;
}
