// SPDX-License-Identifier: Apache-2.0
// The series of a function from its groups.
#include "exec/metrics_internal.h"

#include <math.h>
#include <stdlib.h>

struct answering {
    struct arena *arena;
    const struct metric_acc *acc;
    const struct metric_plan *plan;
    struct metric_pace *pace;
    struct str *keys; // of the by() fields, then of `of`
    struct metric_series *series;
    double *samples; // of all series
    uint32_t n;
    struct metric_offer *offers;
    uint32_t n_offers;
};

static enum err field_text(struct arena *a, const struct field *f, struct str *out) {
    struct buf b;
    buf_init(&b, SIZE_MAX);
    ql_print_field(f, &b);
    *out = str_dup(a, buf_view(&b));
    bool failed = b.failed || a->failed;
    buf_fini(&b);
    return failed ? ERR_NOMEM : ERR_OK;
}

static struct value copy_value(struct arena *a, const struct value *v) {
    struct value x = *v;
    if (v->type == VALUE_STRING || v->type == VALUE_ANY) x.s = str_dup(a, v->s);
    return x;
}

// --- labels ----------------------------------------------------------------------------------------

// What the span or the group has of the by() fields.
static uint32_t put_by(struct answering *w, const struct metric_group *g, struct metric_label *labels) {
    uint32_t n = 0;
    for (uint32_t i = 0; i < w->plan->n_by; i++)
        if (g->by[i].type != VALUE_NIL)
            labels[n++] = (struct metric_label){ w->keys[i], copy_value(w->arena, &g->by[i]) };
    return n;
}

// `extra`: the label that the function adds, or NULL. A series has at least one label.
static enum err put_labels(struct answering *w, const struct metric_group *g,
                           const struct metric_label *extra, struct metric_series *s) {
    struct metric_label *labels = ARENA_ARRAY(w->arena, w->plan->n_by + 2, struct metric_label);
    if (!labels) return ERR_NOMEM;
    uint32_t n = put_by(w, g, labels);
    if (extra)
        labels[n++] = *extra;
    else if (w->plan->n_by == 0)
        labels[n++] = (struct metric_label){ STR("__name__"),
                                             VALUE_OF_STR(str_of(ql_function_text(w->plan->function))) };
    else if (n == 0)
        labels[n++] = (struct metric_label){ w->keys[0], VALUE_OF_STR(STR("nil")) };
    s->labels = labels;
    s->n_labels = n;
    return w->arena->failed ? ERR_NOMEM : ERR_OK;
}

// --- samples ---------------------------------------------------------------------------------------

static double step_seconds(const struct metric_plan *p) {
    uint64_t ns = p->range.is_instant ? p->range.end_ns - p->range.start_ns : p->range.step_ns;
    return (double)ns / 1e9;
}

static double in_unit(const struct metric_plan *p, double x) {
    return p->in_seconds ? x / 1e9 : x;
}

static double sample_of(const struct metric_plan *p, const struct metric_cell *c, double q) {
    switch (p->function) {
    case QL_RATE: return c ? (double)c->count / step_seconds(p) : 0;
    case QL_MIN_OVER_TIME:
    case QL_MAX_OVER_TIME: return c ? in_unit(p, ((const struct extreme_cell *)c)->extreme) : NAN;
    case QL_SUM_OVER_TIME: return c ? in_unit(p, exactsum_round(&((const struct sum_cell *)c)->sum)) : NAN;
    case QL_AVG_OVER_TIME:
        return c ? in_unit(p, exactsum_round(&((const struct sum_cell *)c)->sum)) / (double)c->count : NAN;
    case QL_QUANTILE_OVER_TIME:
        return c ? in_unit(p, sketch_quantile(&((const struct sketch_cell *)c)->sketch, q)) : 0;
    default: return c ? (double)c->count : 0;
    }
}

static void put_samples(struct answering *w, const struct metric_group *g, double q,
                        struct metric_series *s) {
    double *samples = w->samples + (size_t)w->n * w->plan->steps;
    for (uint32_t step = 0; step < w->plan->steps; step++)
        samples[step] = sample_of(w->plan, metric_cell_get(w->plan, g, step), q);
    s->samples = samples;
}

// --- series of a group -----------------------------------------------------------------------------

static enum err put_series(struct answering *w, const struct metric_group *g,
                           const struct metric_label *extra, double q) {
    struct metric_series *s = &w->series[w->n];
    *s = (struct metric_series){ 0 };
    TRY(put_labels(w, g, extra, s));
    put_samples(w, g, q, s);
    w->n++;
    return ERR_OK;
}

static enum err put_group(struct answering *w, const struct metric_group *g) {
    const struct metric_plan *p = w->plan;
    struct metric_label extra = { STR("p"), VALUE_OF_NIL };
    switch (p->function) {
    case QL_QUANTILE_OVER_TIME:
        for (uint32_t i = 0; i < p->n_quantiles; i++) {
            extra.value = VALUE_OF_FLOAT(p->quantiles[i]);
            TRY(put_series(w, g, &extra, p->quantiles[i]));
        }
        return ERR_OK;
    case QL_HISTOGRAM_OVER_TIME:
        extra.key = STR("__bucket");
        extra.value = VALUE_OF_FLOAT(in_unit(p, ldexp(1, (int)g->mark)));
        return put_series(w, g, &extra, 0);
    default: return put_series(w, g, NULL, 0);
    }
}

// An order that follows from the groups alone, for ties between exemplars. Two groups have the same
// salt by a chance of one in 2^64.
static int group_cmp(const void *a, const void *b) {
    const struct metric_group *x = *(struct metric_group *const *)a, *y = *(struct metric_group *const *)b;
    return (x->salt > y->salt) - (x->salt < y->salt);
}

// --- exemplars -------------------------------------------------------------------------------------

// n: they are only counted.
static enum err offer_group(struct answering *w, const struct metric_group *g, uint32_t number, uint32_t *n) {
    const struct metric_plan *p = w->plan;
    TRY(metric_pace_go_on(w->pace, p->steps));
    for (uint32_t step = 0; step < p->steps; step++) {
        const struct metric_cell *c = metric_cell_get(p, g, step);
        if (!c || !c->pick) continue;
        if (n)
            ++*n;
        else
            w->offers[w->n_offers++] = metric_offer_of(c->pick, c->rank, number, step);
    }
    return ERR_OK;
}

static enum err offer_all(struct answering *w, struct metric_group *const *groups) {
    uint32_t n = 0;
    for (int pass = 0; pass < 2; pass++) {
        if (pass == 1) w->offers = ARENA_ARRAY(w->arena, n + 1ull, struct metric_offer);
        if (pass == 1 && !w->offers) return ERR_NOMEM;
        for (uint32_t i = 0; i < w->acc->n_groups; i++)
            TRY(offer_group(w, groups[i], i, pass == 0 ? &n : NULL));
    }
    return ERR_OK;
}

// Of the quantiles' series the first that reaches the exemplar, else the last.
static uint32_t series_of(const struct answering *w, const struct metric_offer *o) {
    const struct metric_plan *p = w->plan;
    if (p->function != QL_QUANTILE_OVER_TIME) return o->series;
    const struct metric_series *s = &w->series[o->series * p->n_quantiles];
    uint32_t best = 0;
    for (uint32_t i = 1; i < p->n_quantiles; i++) {
        bool reaches = s[i].samples[o->step] >= o->pick->value;
        bool best_reaches = s[best].samples[o->step] >= o->pick->value;
        bool is_lower = p->quantiles[i] < p->quantiles[best];
        if (reaches != best_reaches ? reaches : is_lower == reaches) best = i;
    }
    return o->series * p->n_quantiles + best;
}

static enum err put_exemplar(struct answering *w, const struct metric_offer *o, const struct metric_group *g,
                             struct metric_exemplar *out) {
    const struct metric_plan *p = w->plan;
    struct metric_label *labels = ARENA_ARRAY(w->arena, p->n_by + 1, struct metric_label);
    if (!labels) return ERR_NOMEM;
    uint32_t n = put_by(w, g, labels);
    if (p->of) labels[n++] = (struct metric_label){ w->keys[p->n_by], o->pick->of };
    *out = (struct metric_exemplar){
        .time_ns = o->pick->time_ns, .value = o->pick->value, .labels = labels, .n_labels = n
    };
    memcpy(out->trace_id, o->pick->trace_id, sizeof out->trace_id);
    return w->arena->failed ? ERR_NOMEM : ERR_OK;
}

static int exemplar_cmp(const void *a, const void *b) {
    const struct metric_exemplar *x = a, *y = b;
    if (x->time_ns != y->time_ns) return x->time_ns < y->time_ns ? -1 : 1;
    return memcmp(x->trace_id, y->trace_id, sizeof x->trace_id);
}

static enum err put_exemplars(struct answering *w, struct metric_group *const *groups) {
    uint32_t most = w->plan->range.exemplars;
    if (most > METRIC_EXEMPLARS_MAX) most = METRIC_EXEMPLARS_MAX;
    if (most == 0) return ERR_OK;
    TRY(offer_all(w, groups));
    metric_offers_choose(w->offers, &w->n_offers, most);
    TRY(metric_picks_read(w->plan, w->pace->caller, w->offers, w->n_offers, w->arena));
    uint32_t *first = arena_zalloc(w->arena, (w->n + 1ull) * sizeof *first);
    struct metric_exemplar *all = ARENA_ARRAY(w->arena, w->n_offers + 1ull, struct metric_exemplar);
    if (!first || !all) return ERR_NOMEM;
    for (uint32_t i = 0; i < w->n_offers; i++) w->series[series_of(w, &w->offers[i])].n_exemplars++;
    for (uint32_t i = 0; i < w->n; i++) {
        first[i + 1] = first[i] + w->series[i].n_exemplars;
        w->series[i].exemplars = all + first[i];
    }
    for (uint32_t i = 0; i < w->n_offers; i++) {
        const struct metric_offer *o = &w->offers[i];
        TRY(put_exemplar(w, o, groups[o->series], &all[first[series_of(w, o)]++]));
    }
    for (uint32_t i = 0; i < w->n; i++)
        qsort((struct metric_exemplar *)w->series[i].exemplars, w->series[i].n_exemplars, sizeof *all,
              exemplar_cmp);
    return ERR_OK;
}

enum err metric_answer_function(struct arena *a, const struct metric_acc *m, struct metric_pace *pace,
                                struct metric_answer *out) {
    const struct metric_plan *p = m->plan;
    if (p->function == QL_COMPARE) return metric_answer_compare(a, m, pace, out);
    struct answering w = { .arena = a, .acc = m, .plan = p, .pace = pace };
    uint64_t each = p->function == QL_QUANTILE_OVER_TIME ? p->n_quantiles : 1;
    w.keys = ARENA_ARRAY(a, p->n_by + 1, struct str);
    w.series = ARENA_ARRAY(a, m->n_groups * each + 1, struct metric_series);
    struct metric_group **groups = arena_copy(a, m->groups, m->n_groups * sizeof *groups);
    // All of them at once: where there is no memory for them, that is known before any is written.
    w.samples = ARENA_ARRAY(a, m->n_groups * each * p->steps, double);
    if (!w.keys || !w.series || !w.samples || !groups) return ERR_NOMEM;
    for (uint32_t i = 0; i < p->n_by; i++) TRY(field_text(a, &p->fields[i], &w.keys[i]));
    if (p->of) TRY(field_text(a, p->of, &w.keys[p->n_by]));
    if (m->n_groups) qsort(groups, m->n_groups, sizeof *groups, group_cmp);
    for (uint32_t i = 0; i < m->n_groups; i++) {
        TRY(metric_pace_go_on(pace, each * p->steps));
        TRY(put_group(&w, groups[i]));
    }
    TRY(put_exemplars(&w, groups));
    metric_series_sort(w.series, w.n);
    *out = (struct metric_answer){ .series = w.series, .n = w.n };
    return ERR_OK;
}
