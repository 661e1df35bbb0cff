// SPDX-License-Identifier: Apache-2.0
#include "stats/dispersion.h"

#include "stats/special.h"

static bool is_unit(struct rate r) {
    return r.n > 0 && r.k <= r.n;
}

struct group { // of units that should have one rate
    double hits, all;
    size_t n;
};

static void note(struct group *g, double k, double n) {
    g->hits += k;
    g->all += n;
    g->n++;
}
static bool says_something(const struct group *g) {
    return g->n >= 2 && g->hits > 0 && g->hits < g->all;
}
static double deviation_of(const struct group *g, double k, double n) {
    double p = g->hits / g->all, off = k - n * p;
    return off * off / (n * p * (1 - p));
}

void dispersion_add(struct dispersion *d, const struct rate *units, size_t n) {
    struct group g = { 0, 0, 0 };
    double chi2 = 0;
    for (size_t i = 0; i < n; i++)
        if (is_unit(units[i])) note(&g, (double)units[i].k, (double)units[i].n);
    if (!says_something(&g)) return;
    for (size_t i = 0; i < n; i++)
        if (is_unit(units[i])) chi2 += deviation_of(&g, (double)units[i].k, (double)units[i].n);
    d->chi2 += chi2;
    d->df += (double)(g.n - 1);
}

void dispersion_add_weighted(struct dispersion *d, const struct weighted_rate *units, size_t n) {
    struct group g = { 0, 0, 0 };
    double chi2 = 0;
    for (size_t i = 0; i < n; i++)
        if (weighted_is_rate(units[i])) note(&g, units[i].k, units[i].n);
    if (!says_something(&g)) return;
    for (size_t i = 0; i < n; i++)
        if (weighted_is_rate(units[i])) chi2 += deviation_of(&g, units[i].k, units[i].n);
    d->chi2 += chi2;
    d->df += (double)(g.n - 1);
}

static double exposure_of(const double *exposure, size_t i) {
    double x = exposure ? exposure[i] : 1;
    return x > 0 && x < INFINITY ? x : 0;
}

void dispersion_add_counts(struct dispersion *d, const uint64_t *k, const double *exposure, size_t n) {
    double hits = 0, all = 0, chi2 = 0;
    size_t n_units = 0;
    for (size_t i = 0; i < n; i++) {
        double size = exposure_of(exposure, i);
        if (size == 0) continue;
        hits += (double)k[i];
        all += size;
        n_units++;
    }
    if (n_units < 2 || hits == 0) return;
    for (size_t i = 0; i < n; i++) {
        double mean = exposure_of(exposure, i) * (hits / all), off = (double)k[i] - mean;
        if (mean > 0) chi2 += off * off / mean;
    }
    d->chi2 += chi2;
    d->df += (double)(n_units - 1);
}

static bool is_known(const struct dispersion *d) {
    return d && d->df > 0;
}
static bool is_conf(double conf) {
    return conf > 0 && conf < 1;
}

struct estimate dispersion_factor(const struct dispersion *d, double conf) {
    if (!is_known(d)) return (struct estimate){ 0 };
    struct estimate e = { .defined = true, .value = d->chi2 / d->df, .bounded = is_conf(conf) };
    if (!e.bounded) return e;
    e.lo = d->chi2 / chi2_quantile((1 + conf) / 2, d->df);
    e.hi = d->chi2 / chi2_quantile((1 - conf) / 2, d->df);
    // With few degrees of freedom and little confidence the mean of chi-square may lie outside.
    e.lo = fmin(e.lo, e.value);
    e.hi = fmax(e.hi, e.value);
    return e;
}

double dispersion_widening(const struct dispersion *d) {
    return is_known(d) ? fmax(d->chi2 / d->df, 1) : 1;
}

double dispersion_critical(const struct dispersion *d, double conf) {
    if (!is_conf(conf)) return 0;
    return is_known(d) ? student_two_sided(conf, d->df) : normal_two_sided(conf);
}

struct significance dispersion_significance(const struct dispersion *d, double z) {
    if (!is_known(d)) return significance_of(z);
    return significance_of_t(z / sqrt(dispersion_widening(d)), d->df);
}

struct significance dispersion_test(const struct dispersion *d, struct rate old, struct rate new) {
    struct significance s = rate_test(old, new);
    if (!s.defined || s.z == 0) return s;
    return dispersion_significance(d, s.z);
}

static struct estimate widened(struct rate r, double widening, double critical) {
    if (!is_unit(r)) return (struct estimate){ 0 };
    return rate_wilson_weighted((double)r.k / widening, (double)r.n / widening, critical);
}

struct estimate dispersion_difference(const struct dispersion *d, struct rate old, struct rate new,
                                      double conf) {
    double widening = dispersion_widening(d), critical = dispersion_critical(d, conf);
    return estimate_difference(widened(old, widening, critical), widened(new, widening, critical));
}
