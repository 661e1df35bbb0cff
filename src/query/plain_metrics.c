// SPDX-License-Identifier: Apache-2.0
// Metrics: every counted span is written down, then the series are made from the list.
#include "query/plain.h"

#include <math.h>
#include <stdlib.h>

enum { NANOSECONDS = 1000000000 };

struct counted { // a span that a function counts
    struct plain_look at;
    struct value by[QL_BY_MAX], of; // compare(): by one
    uint32_t step;
    bool is_selected; // compare()
};

struct work {
    struct arena *arena;
    const struct plain_data *data;
    const struct series_query *q;
    uint32_t n_steps;
    bool is_rough;
};

struct list {
    struct plain_series *at;
    uint32_t n;
    bool is_const; // a number in the place of series
    double number;
};

// --- time ----------------------------------------------------------------------------------------

static uint64_t step_length(const struct work *w) {
    const struct query_bounds *b = &w->q->bounds;
    return w->q->step_ns ? w->q->step_ns : b->end_ns - b->start_ns;
}

// The interval of a start; they are closed on the right. false: it does not count.
static bool step_of(const struct work *w, uint64_t start_ns, uint32_t *out) {
    const struct query_bounds *b = &w->q->bounds;
    bool is_instant = w->q->step_ns == 0;
    if (start_ns > b->end_ns || start_ns < b->start_ns) return false;
    if (start_ns == b->start_ns && !is_instant) return false;
    *out = is_instant ? 0 : (uint32_t)((start_ns - b->start_ns - 1) / w->q->step_ns);
    return true;
}

// --- counted spans -------------------------------------------------------------------------------

static struct counted count_span(const struct plain_look *at, const struct ql_metric *m, uint32_t step) {
    struct counted c = { .at = *at, .step = step, .of = VALUE_OF_NIL };
    bool has_of = m->function >= QL_MIN_OVER_TIME && m->function <= QL_HISTOGRAM_OVER_TIME;
    if (has_of) c.of = plain_field(at, &m->of);
    for (uint32_t i = 0; i < m->n_by; i++) c.by[i] = plain_field(at, &m->by[i]);
    return c;
}

static struct counted *count_spans(struct work *w, const struct ql_metric *m, uint32_t *out_n) {
    struct counted *all = PLAIN_NEW(w->arena, w->data->n_spans, struct counted);
    uint32_t n = 0, step;
    for (uint32_t i = 0; i < w->data->n_traces; i++) {
        const struct plain_trace *t = &w->data->traces[i];
        struct plain_sets sets = plain_run(w->arena, w->data, t, m->pipeline);
        for (uint32_t k = 0; k < sets.n; k++)
            for (uint32_t s = 0; s < t->n; s++) {
                struct plain_look at = { .data = w->data, .trace = t, .span = &w->data->spans[t->first + s] };
                if (!sets.at[k].has[s] || !step_of(w, at.span->start_ns, &step)) continue;
                ASSERT(n < w->data->n_spans); // sets do not overlap
                all[n++] = count_span(&at, m, step);
            }
    }
    *out_n = n;
    return all;
}

static uint32_t n_by; // of the sort at work
static int by_group(const void *x, const void *y) {
    const struct counted *a = x, *b = y;
    int c = 0;
    for (uint32_t i = 0; i < n_by && c == 0; i++) c = plain_order(&a->by[i], &b->by[i]);
    return c;
}

// --- labels --------------------------------------------------------------------------------------

static void add_label(struct plain_series *s, struct str key, struct value v) {
    s->labels[s->n_labels++] = (struct metric_label){ key, v };
}

static struct plain_series new_series(struct work *w) {
    struct plain_series s = { .labels = PLAIN_NEW(w->arena, QL_BY_MAX + 2, struct metric_label),
                              .low = PLAIN_NEW(w->arena, w->n_steps, double),
                              .high = PLAIN_NEW(w->arena, w->n_steps, double) };
    return s;
}

// A series of a group, with the group's labels: those that are there.
static struct plain_series group_series(struct work *w, const struct ql_metric *m, const struct counted *c) {
    struct plain_series s = new_series(w);
    for (uint32_t i = 0; i < m->n_by; i++)
        if (c->by[i].type != VALUE_NIL) add_label(&s, plain_field_text(w->arena, &m->by[i]), c->by[i]);
    return s;
}

static void add_name(struct plain_series *s, struct str name) {
    add_label(s, STR("__name__"), VALUE_OF_STR(name));
}

// What stands for labels where there are none: the function, or "nil" for a group of absent values.
static void add_default(struct work *w, const struct ql_metric *m, struct plain_series *s) {
    if (m->n_by == 0)
        add_name(s, str_of(ql_function_text(m->function)));
    else if (s->n_labels == 0)
        add_label(s, plain_field_text(w->arena, &m->by[0]), VALUE_OF_STR(STR("nil")));
}

static void list_add(struct work *w, struct list *l, struct plain_series s) {
    struct plain_series *more = PLAIN_NEW(w->arena, l->n + 1, struct plain_series);
    if (l->n) memcpy(more, l->at, l->n * sizeof *more);
    more[l->n++] = s;
    l->at = more;
}

// --- functions -----------------------------------------------------------------------------------

// The numbers of a group that fall into a step, ascending; NaN is not one.
static int by_size(const void *x, const void *y) {
    const long double *a = x, *b = y;
    return (*a > *b) - (*a < *b);
}
static long double *numbers(struct work *w, const struct counted *c, uint32_t n, uint32_t step,
                            uint32_t *out_n) {
    long double *out = PLAIN_NEW(w->arena, n, long double);
    *out_n = 0;
    for (uint32_t i = 0; i < n; i++)
        if (c[i].step == step && plain_seconds(&c[i].of, &out[*out_n]) && !isnan(out[*out_n])) ++*out_n;
    qsort(out, *out_n, sizeof *out, by_size);
    return out;
}

static double over_time(enum ql_function f, const long double *v, uint32_t n) {
    __float128 sum = 0;
    for (uint32_t i = 0; i < n; i++) sum += v[i];
    if (n == 0) return NAN;
    if (f == QL_MIN_OVER_TIME) return (double)v[0];
    if (f == QL_MAX_OVER_TIME) return (double)v[n - 1];
    return (double)(f == QL_AVG_OVER_TIME ? sum / n : sum);
}

static void make_counts(struct work *w, const struct ql_metric *m, const struct counted *c, uint32_t n,
                        struct list *out) {
    struct plain_series s = group_series(w, m, c);
    double each = m->function == QL_RATE ? (double)NANOSECONDS / (double)step_length(w) : 1;
    for (uint32_t i = 0; i < n; i++) s.low[c[i].step] += 1;
    for (uint32_t i = 0; i < w->n_steps; i++) s.low[i] = s.high[i] = s.low[i] * each;
    add_default(w, m, &s);
    list_add(w, out, s);
}

static void make_numbers(struct work *w, const struct ql_metric *m, const struct counted *c, uint32_t n,
                         struct list *out) {
    struct plain_series s = group_series(w, m, c);
    for (uint32_t i = 0; i < w->n_steps; i++) {
        uint32_t n_here;
        const long double *v = numbers(w, c, n, i, &n_here);
        s.low[i] = s.high[i] = over_time(m->function, v, n_here);
    }
    add_default(w, m, &s);
    list_add(w, out, s);
}

static void make_quantile(struct work *w, const struct ql_metric *m, double q, const struct counted *c,
                          uint32_t n, struct list *out) {
    struct plain_series s = group_series(w, m, c);
    uint32_t n_here, n_all = 0;
    for (uint32_t i = 0; i < w->n_steps; i++) {
        const long double *v = numbers(w, c, n, i, &n_here);
        n_all += n_here;
        if (n_here == 0) continue;
        double rank = q * (n_here - 1);
        s.low[i] = (double)v[(uint32_t)floor(rank)];
        s.high[i] = (double)v[(uint32_t)ceil(rank)];
        w->is_rough = true;
    }
    add_label(&s, STR("p"), VALUE_OF_FLOAT(q));
    if (n_all) list_add(w, out, s);
}

// The power of two that a number of at least 2 belongs to: the least that is not less.
static bool is_in_bucket(const struct value *v, double bucket) {
    if (!value_is_number(v->type)) return false;
    long double x = v->type == VALUE_FLOAT ? (long double)v->f : (long double)v->i;
    return x >= 2 && x <= bucket && x > bucket / 2;
}

static void make_histogram(struct work *w, const struct ql_metric *m, const struct counted *c, uint32_t n,
                           struct list *out) {
    for (int power = 1; power < 1024; power++)
        for (int is_time = 0; is_time < 2; is_time++) {
            double bucket = ldexp(1, power);
            struct plain_series s = { .n_labels = 0 };
            for (uint32_t i = 0; i < n; i++) {
                if ((c[i].of.type == VALUE_DURATION) != is_time || !is_in_bucket(&c[i].of, bucket)) continue;
                if (!s.labels) s = group_series(w, m, c);
                s.low[c[i].step] = s.high[c[i].step] += 1;
            }
            if (!s.labels) continue;
            add_label(&s, STR("__bucket"), VALUE_OF_FLOAT(is_time ? bucket / NANOSECONDS : bucket));
            list_add(w, out, s);
        }
}

static void make_group(struct work *w, const struct ql_metric *m, const struct counted *c, uint32_t n,
                       struct list *out) {
    switch (m->function) {
    case QL_RATE:
    case QL_COUNT_OVER_TIME: make_counts(w, m, c, n, out); break;
    case QL_QUANTILE_OVER_TIME:
        for (uint32_t i = 0; i < m->n_quantiles; i++) make_quantile(w, m, m->quantiles[i], c, n, out);
        break;
    case QL_HISTOGRAM_OVER_TIME: make_histogram(w, m, c, n, out); break;
    default: make_numbers(w, m, c, n, out); break;
    }
}

// --- compare() -----------------------------------------------------------------------------------

struct fields {
    struct field *at;
    uint32_t n;
};

static void note_field(struct work *w, struct fields *f, struct field field) {
    for (uint32_t i = 0; i < f->n; i++)
        if (field_eq(&f->at[i], &field)) return;
    struct field *more = PLAIN_NEW(w->arena, f->n + 1, struct field);
    if (f->n) memcpy(more, f->at, f->n * sizeof *more);
    more[f->n++] = field;
    f->at = more;
}

static void note_keys(struct work *w, struct fields *f, enum field_scope scope,
                      const struct plain_attrs *attrs) {
    for (uint32_t i = 0; i < attrs->n; i++)
        note_field(w, f, (struct field){ .scope = scope, .key = attrs->at[i].key });
}

// What is compared: words that each span has, and the attributes of the counted ones.
static struct fields compared_fields(struct work *w, const struct counted *c, uint32_t n) {
    static const enum intrinsic words[] = { INTRINSIC_NAME,           INTRINSIC_STATUS,
                                            INTRINSIC_STATUS_MESSAGE, INTRINSIC_KIND,
                                            INTRINSIC_ROOT_NAME,      INTRINSIC_ROOT_SERVICE,
                                            INTRINSIC_SCOPE_NAME,     INTRINSIC_SCOPE_VERSION };
    struct fields f = { .n = 0 };
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        note_field(w, &f, (struct field){ .scope = FIELD_SPAN, .intrinsic = words[i] });
    for (uint32_t i = 0; i < n; i++) {
        note_keys(w, &f, FIELD_SPAN, &c[i].at.span->attrs);
        note_keys(w, &f, FIELD_RESOURCE, &c[i].at.span->resource);
        note_keys(w, &f, FIELD_INSTRUMENTATION, &c[i].at.span->scope);
    }
    return f;
}

static bool is_selected(const struct ql_metric *m, const struct counted *c) {
    uint64_t start = c->at.span->start_ns;
    bool in_time = (m->from_ns == 0 && m->to_ns == 0) || (start >= m->from_ns && start < m->to_ns);
    return in_time && plain_matches(&c->at, m->selection);
}

// How many of the counted fall into each interval, with what they are of.
static void add_compared(struct work *w, const struct field *f, const char *side, struct value v,
                         const struct counted *c, uint32_t n, struct list *out) {
    struct plain_series s = new_series(w);
    add_label(&s, STR("__meta_type"), VALUE_OF_STR(str_of(side)));
    add_label(&s, plain_field_text(w->arena, f), v);
    for (uint32_t i = 0; i < n; i++) s.low[c[i].step] = s.high[c[i].step] += 1;
    list_add(w, out, s);
}

// Of the values, which are sorted, the most frequent ones; of equally frequent ones the first.
static void add_most_frequent(struct work *w, const struct ql_metric *m, const struct field *f,
                              const char *side, const struct counted *c, uint32_t n, struct list *out) {
    bool *is_shown = PLAIN_NEW(w->arena, n, bool); // by the first of a value
    for (uint32_t shown = 0; shown < m->top; shown++) {
        uint32_t best = 0, n_best = 0;
        for (uint32_t i = 0, k; i < n; i = k) {
            for (k = i + 1; k < n && by_group(&c[i], &c[k]) == 0;) k++;
            if (is_shown[i] || k - i <= n_best) continue;
            best = i;
            n_best = k - i;
        }
        if (n_best == 0) return;
        is_shown[best] = true;
        add_compared(w, f, side, c[best].by[0], &c[best], n_best, out);
    }
}

static void compare_field(struct work *w, const struct ql_metric *m, const struct field *f,
                          const struct counted *all, uint32_t n_all, struct list *out) {
    static const char *const sides[] = { "baseline", "selection" }, *const totals[] = { "baseline_total",
                                                                                        "selection_total" };
    for (int side = 0; side < 2; side++) {
        struct counted *c = PLAIN_NEW(w->arena, n_all, struct counted);
        uint32_t n = 0;
        for (uint32_t i = 0; i < n_all; i++) {
            c[n] = all[i];
            c[n].by[0] = plain_field(&c[n].at, f);
            n += c[n].by[0].type != VALUE_NIL && c[n].is_selected == (side == 1);
        }
        if (n == 0) continue;
        qsort(c, n, sizeof *c, by_group);
        add_compared(w, f, totals[side], VALUE_OF_NIL, c, n, out);
        add_most_frequent(w, m, f, sides[side], c, n, out);
    }
}

static struct list run_compare(struct work *w, const struct ql_metric *m, struct counted *all, uint32_t n) {
    struct list out = { .n = 0 };
    struct fields f = compared_fields(w, all, n);
    n_by = 1;
    for (uint32_t i = 0; i < n; i++) all[i].is_selected = is_selected(m, &all[i]);
    for (uint32_t i = 0; i < f.n; i++) compare_field(w, m, &f.at[i], all, n, &out);
    return out;
}

// --- a function ----------------------------------------------------------------------------------

static struct list run_function(struct work *w, const struct ql_metric *m) {
    struct list out = { .n = 0 };
    uint32_t n;
    struct counted *all = count_spans(w, m, &n);
    if (m->function == QL_COMPARE) return run_compare(w, m, all, n);
    n_by = m->n_by;
    if (n > 1) qsort(all, n, sizeof *all, by_group);
    for (uint32_t i = 0, k; i < n; i = k) {
        for (k = i + 1; k < n && by_group(&all[i], &all[k]) == 0;) k++;
        make_group(w, m, &all[i], k - i, &out);
    }
    return out;
}

// --- second stages -------------------------------------------------------------------------------

static bool is_kept(const struct ql_second *s, double v) {
    struct value a = VALUE_OF_FLOAT(v), b = VALUE_OF_FLOAT(s->value);
    return plain_compare(s->op, &a, &b, NULL);
}

static int compare_labels(const struct plain_series *a, const struct plain_series *b) {
    int c = (a->n_labels > b->n_labels) - (a->n_labels < b->n_labels);
    for (uint32_t i = 0; i < a->n_labels && c == 0; i++) {
        c = str_cmp(a->labels[i].key, b->labels[i].key);
        if (c == 0) c = plain_order(&a->labels[i].value, &b->labels[i].value);
    }
    return c;
}
static int by_labels(const void *x, const void *y) {
    return compare_labels(x, y);
}

// Of a step: how many series are better than this one; of equal ones the earlier.
static uint32_t rank_of(const struct list *l, uint32_t at, uint32_t step, bool top, const bool *was) {
    uint32_t better = 0;
    for (uint32_t i = 0; i < l->n; i++) {
        double a = l->at[i].low[step], b = l->at[at].low[step];
        if (i != at && was[i]) better += a == b ? i < at : top ? a > b : a < b;
    }
    return better;
}

static void keep_best(struct work *w, struct list *l, const struct ql_second *s) {
    bool *was = PLAIN_NEW(w->arena, l->n, bool), *keep = PLAIN_NEW(w->arena, l->n, bool);
    qsort(l->at, l->n, sizeof *l->at, by_labels);
    for (uint32_t step = 0; step < w->n_steps; step++) {
        for (uint32_t i = 0; i < l->n; i++) was[i] = !isnan(l->at[i].low[step]);
        for (uint32_t i = 0; i < l->n; i++)
            keep[i] = was[i] && rank_of(l, i, step, s->kind == QL_TOPK, was) < s->k;
        for (uint32_t i = 0; i < l->n; i++)
            if (!keep[i]) l->at[i].low[step] = l->at[i].high[step] = NAN;
    }
}

static void run_second(struct work *w, struct list *l, const struct ql_second *s) {
    if (l->n && s->kind != QL_KEEP) keep_best(w, l, s);
    for (uint32_t i = 0; i < l->n && s->kind == QL_KEEP; i++)
        for (uint32_t k = 0; k < w->n_steps; k++)
            if (!is_kept(s, l->at[i].low[k])) l->at[i].low[k] = l->at[i].high[k] = NAN;
}

// --- arithmetic ----------------------------------------------------------------------------------

static double calculate(enum ql_op op, double a, double b) {
    switch (op) {
    case QL_ADD: return a + b;
    case QL_SUB: return a - b;
    case QL_MUL: return a * b;
    default: return b == 0 ? NAN : a / b;
    }
}

static bool is_unlabelled(const struct plain_series *s) {
    return s->n_labels == 0 || (s->n_labels == 1 && str_eq(s->labels[0].key, STR("__name__")));
}

// NULL stands for the number of its list.
static void join(struct work *w, const struct ql_metric *m, const struct list *l,
                 const struct plain_series *a, const struct list *r, const struct plain_series *b,
                 struct list *out) {
    struct plain_series s = new_series(w);
    const struct plain_series *named = a && !is_unlabelled(a) ? a : b && !is_unlabelled(b) ? b : NULL;
    for (uint32_t i = 0; named && i < named->n_labels; i++) s.labels[s.n_labels++] = named->labels[i];
    if (!named) add_name(&s, str_fmt(w->arena, "(%.*s)", STR_ARG(m->text)));
    for (uint32_t i = 0; i < w->n_steps; i++) {
        s.low[i] = calculate(m->op, a ? a->low[i] : l->number, b ? b->low[i] : r->number);
        s.high[i] = calculate(m->op, a ? a->high[i] : l->number, b ? b->high[i] : r->number);
    }
    list_add(w, out, s);
}

static bool is_one_unlabelled(const struct list *l) {
    return l->n == 1 && is_unlabelled(&l->at[0]);
}

static int by_key(const void *x, const void *y) {
    const struct metric_label *a = x, *b = y;
    int c = str_cmp(a->key, b->key);
    return c ? c : plain_order(&a->value, &b->value);
}

// Labels are a set: by(a, b) goes with by(b, a), and what comes of it has them in the order of their keys.
static void sort_labels(struct list *l) {
    for (uint32_t i = 0; i < l->n; i++)
        if (l->at[i].n_labels > 1) qsort(l->at[i].labels, l->at[i].n_labels, sizeof *l->at[i].labels, by_key);
}

static struct list run_metric(struct work *w, const struct ql_metric *m);

static struct list run_op(struct work *w, const struct ql_metric *m) {
    struct list l = run_metric(w, m->left), r = run_metric(w, m->right), out = { .n = 0 };
    if (l.is_const && r.is_const)
        return (struct list){ .is_const = true, .number = calculate(m->op, l.number, r.number) };
    if (!r.is_const && !is_one_unlabelled(&r) && !is_one_unlabelled(&l)) sort_labels(&l);
    if (!l.is_const && !is_one_unlabelled(&r) && !is_one_unlabelled(&l)) sort_labels(&r);
    for (uint32_t i = 0; i < l.n; i++) {
        if (r.is_const) join(w, m, &l, &l.at[i], &r, NULL, &out);
        for (uint32_t k = 0; k < r.n; k++)
            if (is_one_unlabelled(&l) || is_one_unlabelled(&r) || compare_labels(&l.at[i], &r.at[k]) == 0)
                join(w, m, &l, &l.at[i], &r, &r.at[k], &out);
    }
    for (uint32_t k = 0; k < r.n && l.is_const; k++) join(w, m, &l, NULL, &r, &r.at[k], &out);
    return out;
}

static struct list run_metric(struct work *w, const struct ql_metric *m) {
    struct list l;
    if (m->kind == QL_METRIC_CONST) return (struct list){ .is_const = true, .number = m->value };
    l = m->kind == QL_METRIC_OP ? run_op(w, m) : run_function(w, m);
    for (uint32_t i = 0; i < m->n_seconds; i++) run_second(w, &l, &m->seconds[i]);
    return l;
}

// --- the answer ----------------------------------------------------------------------------------

static bool has_samples(const struct work *w, const struct plain_series *s) {
    for (uint32_t i = 0; i < w->n_steps; i++)
        if (!isnan(s->low[i])) return true;
    return false;
}

void plain_series(const struct plain_data *d, const struct series_query *q, struct plain_metrics *out) {
    *out = (struct plain_metrics){ .n = 0 };
    arena_init(&out->arena, SIZE_MAX, NULL);
    struct work w = { .arena = &out->arena, .data = d, .q = q, .n_steps = 1 };
    uint64_t range = q->bounds.end_ns - q->bounds.start_ns;
    if (q->step_ns) w.n_steps = (uint32_t)((range + q->step_ns - 1) / q->step_ns);
    struct list l = run_metric(&w, q->query->metric);
    out->n_steps = w.n_steps;
    out->is_rough = w.is_rough;
    out->series = PLAIN_NEW(&out->arena, l.n, struct plain_series);
    for (uint32_t i = 0; i < l.n; i++)
        if (has_samples(&w, &l.at[i])) out->series[out->n++] = l.at[i];
    if (out->n > 1) qsort(out->series, out->n, sizeof *out->series, by_labels);
}

void plain_metrics_fini(struct plain_metrics *m) {
    arena_fini(&m->arena);
}
