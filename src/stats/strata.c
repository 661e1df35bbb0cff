// SPDX-License-Identifier: Apache-2.0
#include "stats/strata.h"

static bool is_used(const struct stratum *s) {
    return s->old.n > 0 && s->new.n > 0 && s->old.k <= s->old.n && s->new.k <= s->new.n;
}

size_t strata_used(const struct stratum *s, size_t n) {
    size_t used = 0;
    for (size_t i = 0; i < n; i++) used += is_used(&s[i]);
    return used;
}

// What the answers need of all strata; old: k0 of n0, new: k1 of n1, N = n0 + n1.
struct sums {
    size_t used;
    long double off;      // hits of new beyond the expected
    long double variance; // of off, hits and sizes given
    long double weight;   // n0 n1 / N
    long double up, down; // k1 n0 / N and k0 n1 / N; off is up - down
    long double sato_p, sato_q;
    long double ratio; // numerator of the variance of the logarithm of the risk ratio
};

// size: the requests that the stratum was made from, N where nothing is weighted.
static void add_up(struct sums *t, long double k0, long double n0, long double k1, long double n1,
                   long double size) {
    long double all = n0 + n1, k = k0 + k1, f0 = n0 / all, f1 = n1 / all;
    t->used++;
    t->off += k1 * f0 - k0 * f1;
    t->variance += f0 * f1 * k * (all - k) / all * (size / (size - 1));
    t->weight += n0 * f1;
    t->up += k1 * f0;
    t->down += k0 * f1;
    t->sato_p += f1 * f1 * k0 - f0 * f0 * k1 + f0 * f1 * (n0 - n1) / 2;
    t->sato_q += (k1 / all * (n0 - k0) + k0 / all * (n1 - k1)) / 2;
    t->ratio += f0 * f1 * k - k0 / all * k1;
}

static struct sums sum_up(const struct stratum *s, size_t n) {
    struct sums t = { 0 };
    for (size_t i = 0; i < n; i++)
        if (is_used(&s[i]))
            add_up(&t, s[i].old.k, s[i].old.n, s[i].new.k, s[i].new.n,
                   (long double)s[i].old.n + (long double)s[i].new.n);
    return t;
}

static struct significance test_of(const struct sums *t, const struct dispersion *d) {
    if (t->used == 0) return (struct significance){ 0 };
    if (!(t->variance > 0)) return (struct significance){ true, 0, 1, 1, 1 };
    return dispersion_significance(d, (double)(t->off / sqrtl(t->variance)));
}

static struct estimate difference_of(const struct sums *t, const struct dispersion *d, double conf) {
    if (t->used == 0) return (struct estimate){ 0 };
    struct estimate e = { .defined = true, .value = (double)(t->off / t->weight) };
    double critical = dispersion_critical(d, conf);
    long double variance = (e.value * t->sato_p + t->sato_q) / (t->weight * t->weight);
    e.bounded = critical > 0 && t->variance > 0 && variance > 0;
    if (!e.bounded) return e;
    double half = critical * sqrt((double)variance * dispersion_widening(d));
    e.lo = fmax(e.value - half, -1);
    e.hi = fmin(e.value + half, 1);
    return e;
}

static struct estimate ratio_of(const struct sums *t, const struct dispersion *d, double conf) {
    if (t->up + t->down == 0) return (struct estimate){ 0 };
    struct estimate e = { .defined = true, .value = t->down > 0 ? (double)(t->up / t->down) : INFINITY };
    double critical = dispersion_critical(d, conf);
    e.bounded = critical > 0 && t->up > 0 && t->down > 0 && t->variance > 0;
    if (!e.bounded) return e;
    double variance = (double)(t->ratio / (t->up * t->down)) * dispersion_widening(d);
    double factor = exp(critical * sqrt(fmax(variance, 0)));
    e.lo = e.value / factor;
    e.hi = e.value * factor;
    return e;
}

struct significance strata_test(const struct stratum *s, size_t n, const struct dispersion *d) {
    struct sums t = sum_up(s, n);
    return test_of(&t, d);
}

struct estimate strata_difference(const struct stratum *s, size_t n, const struct dispersion *d,
                                  double conf) {
    struct sums t = sum_up(s, n);
    return difference_of(&t, d, conf);
}

struct estimate strata_ratio(const struct stratum *s, size_t n, const struct dispersion *d, double conf) {
    struct sums t = sum_up(s, n);
    return ratio_of(&t, d, conf);
}

// --- weighted ----------------------------------------------------------------------------------------------

static bool is_used_weighted(const struct weighted_stratum *s) {
    return weighted_is_rate(s->old) && weighted_is_rate(s->new) && s->size > 1;
}

struct strata_answer strata_weighted(const struct weighted_stratum *s, size_t n, const struct dispersion *d,
                                     double conf) {
    struct sums t = { 0 };
    for (size_t i = 0; i < n; i++)
        if (is_used_weighted(&s[i])) add_up(&t, s[i].old.k, s[i].old.n, s[i].new.k, s[i].new.n, s[i].size);
    return (struct strata_answer){ .test = test_of(&t, d),
                                   .difference = difference_of(&t, d, conf),
                                   .ratio = ratio_of(&t, d, conf) };
}

struct strata_shift strata_shift(const struct mann_whitney *each, size_t n, const struct dispersion *d) {
    long double off = 0, variance = 0, wins = 0, pairs = 0;
    for (size_t i = 0; i < n; i++) {
        if (!each[i].test.defined) continue;
        long double weight = 1 / ((long double)each[i].n_old + each[i].n_new + 1);
        long double of_each = (long double)each[i].n_old * each[i].n_new;
        off += weight * (each[i].u - of_each / 2);
        variance += weight * weight * each[i].variance;
        wins += weight * each[i].u;
        pairs += weight * of_each;
    }
    if (pairs == 0) return (struct strata_shift){ 0 };
    struct strata_shift shift = { .test = { true, 0, 1, 1, 1 }, .share = (double)(wins / pairs) };
    if (variance > 0) shift.test = dispersion_significance(d, (double)(off / sqrtl(variance)));
    return shift;
}
