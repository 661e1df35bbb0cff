// SPDX-License-Identifier: Apache-2.0
// Second stages, and arithmetic between answers.
#include "exec/metrics_internal.h"

#include <math.h>
#include <stdlib.h>

enum { PACE_CELLS = 4096 }; // between looks at the clock

enum err metric_pace_go_on(struct metric_pace *p, uint64_t n) {
    p->cells += n;
    if (p->cells < PACE_CELLS || !p->caller || !p->caller->check) return ERR_OK;
    p->cells = 0;
    return p->caller->check(p->caller->ctx);
}

struct finishing {
    struct arena *arena;
    struct metric_acc *const *accs;
    uint32_t n_accs, next;
    struct metric_pace pace;
    uint32_t steps;
};

// --- order -----------------------------------------------------------------------------------------

static int label_order(const struct metric_label *a, const struct metric_label *b) {
    int c = str_cmp(a->key, b->key);
    return c ? c : value_order(&a->value, &b->value);
}

static int labels_order(const struct metric_series *a, const struct metric_series *b) {
    if (a->n_labels != b->n_labels) return a->n_labels < b->n_labels ? -1 : 1;
    for (uint32_t i = 0; i < a->n_labels; i++) {
        int c = label_order(&a->labels[i], &b->labels[i]);
        if (c) return c;
    }
    return 0;
}

static int series_cmp(const void *a, const void *b) {
    return labels_order(a, b);
}

void metric_series_sort(struct metric_series *s, uint32_t n) {
    if (n) qsort(s, n, sizeof *s, series_cmp);
}

// Series without a sample go away.
static enum err drop_empty(struct finishing *f, struct metric_answer *x) {
    uint32_t n = 0;
    for (uint32_t i = 0; i < x->n; i++) {
        uint32_t step = 0;
        TRY(metric_pace_go_on(&f->pace, f->steps));
        while (step < f->steps && isnan(x->series[i].samples[step])) step++;
        if (step < f->steps) x->series[n++] = x->series[i];
    }
    x->n = n;
    return ERR_OK;
}

// --- second stages ---------------------------------------------------------------------------------

static bool keeps(enum ql_op op, double x, double than) {
    switch (op) {
    case QL_EQ: return x == than;
    case QL_NE: return x != than;
    case QL_LT: return x < than;
    case QL_LE: return x <= than;
    case QL_GT: return x > than;
    default: return x >= than;
    }
}

struct contender {
    double value;
    uint32_t series;
};

// Greatest first; of equals the earlier series.
static int contender_cmp(const void *a, const void *b) {
    const struct contender *x = a, *y = b;
    if (x->value != y->value) return x->value > y->value ? -1 : 1;
    return (x->series > y->series) - (x->series < y->series);
}

// At each time the k greatest samples stay (least: of the negated).
static enum err keep_best(struct finishing *f, uint32_t k, double sign, struct metric_answer *x) {
    struct contender *all = ARENA_ARRAY(f->arena, x->n + 1ull, struct contender);
    if (!all) return ERR_NOMEM;
    for (uint32_t step = 0; step < f->steps; step++) {
        uint32_t n = 0;
        TRY(metric_pace_go_on(&f->pace, x->n));
        for (uint32_t i = 0; i < x->n; i++)
            if (!isnan(x->series[i].samples[step]))
                all[n++] = (struct contender){ sign * x->series[i].samples[step], i };
        if (n <= k) continue;
        qsort(all, n, sizeof *all, contender_cmp);
        for (uint32_t i = k; i < n; i++) x->series[all[i].series].samples[step] = NAN;
    }
    return ERR_OK;
}

static enum err keep_those(struct finishing *f, const struct ql_second *s, struct metric_answer *x) {
    for (uint32_t i = 0; i < x->n; i++) {
        TRY(metric_pace_go_on(&f->pace, f->steps));
        for (uint32_t step = 0; step < f->steps; step++)
            if (!keeps(s->op, x->series[i].samples[step], s->value)) x->series[i].samples[step] = NAN;
    }
    return ERR_OK;
}

static enum err apply_second(struct finishing *f, const struct ql_second *s, struct metric_answer *x) {
    if (x->is_const) return ERR_OK;
    if (s->kind == QL_KEEP)
        TRY(keep_those(f, s, x));
    else
        TRY(keep_best(f, s->k, s->kind == QL_TOPK ? 1 : -1, x));
    return drop_empty(f, x);
}

// --- arithmetic ------------------------------------------------------------------------------------

static double compute(enum ql_op op, double x, double y) {
    switch (op) {
    case QL_ADD: return x + y;
    case QL_SUB: return x - y;
    case QL_MUL: return x * y;
    default: return y == 0 ? NAN : x / y;
    }
}

// The labels that series are matched by: without __name__, in the order of their keys.
static enum err match_labels(struct arena *a, const struct metric_series *s, struct metric_series *out) {
    struct metric_label *labels = ARENA_ARRAY(a, s->n_labels + 1ull, struct metric_label);
    if (!labels) return ERR_NOMEM;
    uint32_t n = 0;
    for (uint32_t i = 0; i < s->n_labels; i++) {
        if (str_eq(s->labels[i].key, STR("__name__"))) continue;
        uint32_t at = n++;
        for (; at > 0 && label_order(&s->labels[i], &labels[at - 1]) < 0; at--) labels[at] = labels[at - 1];
        labels[at] = s->labels[i];
    }
    *out = *s;
    out->labels = labels;
    out->n_labels = n;
    return ERR_OK;
}

static enum err match_all(struct finishing *f, const struct metric_answer *x, struct metric_series **out) {
    *out = ARENA_ARRAY(f->arena, x->n + 1ull, struct metric_series);
    if (!*out) return ERR_NOMEM;
    for (uint32_t i = 0; i < x->n; i++) {
        TRY(metric_pace_go_on(&f->pace, x->series[i].n_labels));
        TRY(match_labels(f->arena, &x->series[i], &(*out)[i]));
    }
    metric_series_sort(*out, x->n);
    return ERR_OK;
}

static bool is_unlabelled(const struct metric_answer *x) {
    return !x->is_const && x->n == 1 && x->series[0].n_labels == 1 &&
           str_eq(x->series[0].labels[0].key, STR("__name__"));
}

struct combining {
    struct finishing *finishing;
    const struct ql_metric *metric;
    struct metric_answer *out;
};

// A series like `of` with the samples x op y; NULL stands for the constant beside it.
static enum err combine(struct combining *w, const struct metric_series *of, const double *x, double x_const,
                        const double *y, double y_const) {
    struct metric_series *s = &w->out->series[w->out->n];
    struct arena *a = w->finishing->arena;
    uint32_t steps = w->finishing->steps;
    TRY(metric_pace_go_on(&w->finishing->pace, steps));
    *s = *of;
    s->samples = ARENA_ARRAY(a, steps, double);
    if (!s->samples) return ERR_NOMEM;
    for (uint32_t i = 0; i < steps; i++)
        s->samples[i] = compute(w->metric->op, x ? x[i] : x_const, y ? y[i] : y_const);
    bool is_named = s->n_labels == 0 || (s->n_labels == 1 && str_eq(s->labels[0].key, STR("__name__")));
    if (is_named) { // it is called by its text
        struct metric_label *name = ARENA_ARRAY(a, 1, struct metric_label);
        struct str text = str_fmt(a, "(%.*s)", STR_ARG(w->metric->text));
        if (!name || a->failed) return ERR_NOMEM;
        *name = (struct metric_label){ STR("__name__"), VALUE_OF_STR(text) };
        s->labels = name;
        s->n_labels = 1;
    }
    w->out->n++;
    return ERR_OK;
}

// Every series of one side with the other side's only sample, or constant.
static enum err fan_out(struct combining *w, const struct metric_answer *many, const double *one,
                        double constant, bool many_left) {
    for (uint32_t i = 0; i < many->n; i++) {
        const struct metric_series *s = &many->series[i];
        if (many_left)
            TRY(combine(w, s, s->samples, 0, one, constant));
        else
            TRY(combine(w, s, one, constant, s->samples, 0));
    }
    return ERR_OK;
}

static enum err join(struct combining *w, const struct metric_answer *left,
                     const struct metric_answer *right) {
    struct metric_series *l, *r;
    TRY(match_all(w->finishing, left, &l));
    TRY(match_all(w->finishing, right, &r));
    for (uint32_t i = 0, k = 0; i < left->n && k < right->n;) {
        int c = labels_order(&l[i], &r[k]);
        if (c == 0) TRY(combine(w, &l[i], l[i].samples, 0, r[k].samples, 0));
        i += c <= 0;
        k += c >= 0;
    }
    return ERR_OK;
}

static enum err apply_op(struct finishing *f, const struct ql_metric *m, struct metric_answer *left,
                         struct metric_answer *right, struct metric_answer *out) {
    *out = (struct metric_answer){ 0 };
    if (left->is_const && right->is_const) {
        *out = (struct metric_answer){ .is_const = true, .value = compute(m->op, left->value, right->value) };
        return ERR_OK;
    }
    uint64_t room = (uint64_t)left->n + right->n + 1;
    out->series = ARENA_ARRAY(f->arena, room, struct metric_series);
    if (!out->series) return ERR_NOMEM;
    struct combining w = { f, m, out };
    if (right->is_const)
        TRY(fan_out(&w, left, NULL, right->value, true));
    else if (left->is_const)
        TRY(fan_out(&w, right, NULL, left->value, false));
    else if (is_unlabelled(right))
        TRY(fan_out(&w, left, right->series[0].samples, 0, true));
    else if (is_unlabelled(left))
        TRY(fan_out(&w, right, left->series[0].samples, 0, false));
    else
        TRY(join(&w, left, right));
    metric_series_sort(out->series, out->n);
    return ERR_OK;
}

// --- the whole query -------------------------------------------------------------------------------

static enum err eval(struct finishing *f, const struct ql_metric *m, struct metric_answer *out) {
    struct metric_answer left, right;
    switch (m->kind) {
    case QL_METRIC_CONST: *out = (struct metric_answer){ .is_const = true, .value = m->value }; break;
    case QL_METRIC_FUNCTION:
        ASSERT(f->next < f->n_accs);
        TRY(metric_answer_function(f->arena, f->accs[f->next++], &f->pace, out));
        break;
    default:
        TRY(eval(f, m->left, &left));
        TRY(eval(f, m->right, &right));
        TRY(apply_op(f, m, &left, &right, out));
    }
    for (uint32_t i = 0; i < m->n_seconds; i++) TRY(apply_second(f, &m->seconds[i], out));
    return ERR_OK;
}

enum err metric_finish(struct arena *a, const struct ql_metric *m, struct metric_acc *const *accs,
                       uint32_t n_accs, const struct metric_caller *caller, uint32_t max_series,
                       struct metric_series **out, uint32_t *out_n, bool *cut) {
    struct finishing f = { .arena = a, .accs = accs, .n_accs = n_accs, .pace = { .caller = caller } };
    f.steps = n_accs ? accs[0]->plan->steps : 0;
    struct metric_answer x;
    TRY(eval(&f, m, &x));
    ASSERT(f.next == n_accs);
    TRY(drop_empty(&f, &x));
    *cut = max_series && x.n > max_series;
    *out = x.series;
    *out_n = *cut ? max_series : x.n;
    return ERR_OK;
}
