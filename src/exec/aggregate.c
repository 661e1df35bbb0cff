// SPDX-License-Identifier: Apache-2.0
// count, min, max, avg and sum over a set of spans; sums are exact and rounded once, so that the
// order of the spans does not matter.
#include "exec/plan_internal.h"

#include <math.h>

#include "stats/exactsum.h"

struct adding {
    struct arena *arena;
    uint32_t n, n_floats, n_ints;
    struct exactsum sum;
    struct value least, most;
};

static bool is_nan(const struct value *v) {
    return v->type == VALUE_FLOAT && isnan(v->f);
}

// Whether v, rather than best, is the least (sign 1) or the greatest (-1). What is no number is so only
// where there is nothing else; of equal ones the type decides.
static inline bool is_better(const struct value *v, const struct value *best, int sign) {
    int order;
    if (v->type == best->type && v->type != VALUE_FLOAT) return sign > 0 ? v->i < best->i : v->i > best->i;
    if (!value_compare_numbers(v, best, &order)) return is_nan(best) && !is_nan(v);
    return order == 0 ? v->type < best->type : order * sign < 0;
}

static enum err add_value(struct adding *s, const struct value *v) {
    bool first = s->n++ == 0;
    s->n_floats += v->type == VALUE_FLOAT;
    s->n_ints += v->type == VALUE_INT;
    if (first || is_better(v, &s->least, 1)) s->least = *v;
    if (first || is_better(v, &s->most, -1)) s->most = *v;
    if (v->type == VALUE_FLOAT) return exactsum_add(s->arena, &s->sum, v->f);
    exactsum_add_int(&s->sum, v->i);
    return ERR_OK;
}

static struct value sum_value(const struct adding *s) {
    if (s->n_floats) return VALUE_OF_FLOAT(exactsum_round(&s->sum));
    enum value_type type = s->n_ints == s->n ? VALUE_INT : VALUE_DURATION;
    return (struct value){ .type = type, .i = (int64_t)s->sum.whole };
}

// Of durations a duration, to the nearest ns, ties away from 0.
static struct value mean_value(const struct adding *s) {
    if (s->n_floats || s->n_ints) return VALUE_OF_FLOAT(exactsum_round(&s->sum) / s->n);
    __int128 twice = s->sum.whole * 2, n = s->n;
    return (struct value){ .type = VALUE_DURATION, .i = (int64_t)((twice + (twice < 0 ? -n : n)) / (2 * n)) };
}

enum err aggregate_value(struct judging *j, enum ql_aggregate how, const struct expr *of, struct spans set,
                         struct value *out) {
    struct expr_at at = { .rows = j->rows, .event = EXPR_NONE, .link = EXPR_NONE };
    struct adding s = { .arena = j->scratch };
    *out = VALUE_OF_INT(set.n);
    if (how == QL_COUNT) return ERR_OK;
    for (uint32_t i = 0; i < set.n; i++) {
        at.row = judging_row(j, spans_at(set, i));
        struct value v = expr_value(of, &at);
        if (value_is_number(v.type)) TRY(add_value(&s, &v));
    }
    if (s.n == 0)
        *out = VALUE_OF_NIL;
    else if (how == QL_MIN || how == QL_MAX)
        *out = how == QL_MIN ? s.least : s.most;
    else
        *out = how == QL_SUM ? sum_value(&s) : mean_value(&s);
    return at.error;
}
