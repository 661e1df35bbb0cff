// SPDX-License-Identifier: Apache-2.0
#include "stats/rate.h"

#include "stats/special.h"

static bool is_rate(struct rate r) {
    return r.n > 0 && r.k <= r.n;
}
static bool is_conf(double conf) {
    return conf > 0 && conf < 1;
}
static double share(struct rate r) {
    return (double)r.k / (double)r.n;
}

struct estimate rate_wilson_weighted(double k, double n, double z) {
    if (!(n > 0 && n < INFINITY && k >= 0 && k <= n)) return (struct estimate){ 0 };
    struct estimate e = { .defined = true, .value = k / n, .bounded = z > 0 && z < INFINITY };
    if (!e.bounded) return e;
    double centre = (k + z * z / 2) / (n + z * z);
    double half = z / (n + z * z) * sqrt(k * (n - k) / n + z * z / 4);
    // The ends are exact, and no rounding may push a bound past the value.
    e.lo = k == 0 ? 0 : fmin(centre - half, e.value);
    e.hi = k == n ? 1 : fmax(centre + half, e.value);
    return e;
}

struct estimate rate_wilson(struct rate r, double conf) {
    if (!is_rate(r)) return (struct estimate){ 0 };
    return rate_wilson_weighted((double)r.k, (double)r.n, is_conf(conf) ? normal_two_sided(conf) : 0);
}

struct estimate rate_difference(struct rate old, struct rate new, double conf) {
    return estimate_difference(rate_wilson(old, conf), rate_wilson(new, conf));
}

struct significance rate_test(struct rate old, struct rate new) {
    if (!is_rate(old) || !is_rate(new)) return (struct significance){ 0 };
    double n_old = (double)old.n, n_new = (double)new.n;
    double q = ((double)old.k + (double)new.k) / (n_old + n_new);
    if ((old.k == 0 && new.k == 0) || (old.k == old.n && new.k == new.n))
        return (struct significance){ true, 0, 1, 1, 1 };
    double z = (share(new) - share(old)) / sqrt(q * (1 - q) * (1 / n_old + 1 / n_new));
    return significance_of(z);
}

double rate_least_expected(struct rate old, struct rate new) {
    if (!is_rate(old) || !is_rate(new)) return 0;
    double all = (double)old.n + (double)new.n, k = (double)old.k + (double)new.k;
    return fmin(k, all - k) * (fmin((double)old.n, (double)new.n) / all);
}

// --- the relative risk --------------------------------------------------------------------------------

// The score statistic of "new / old is theta": the rates are the likeliest that have this ratio, the lesser
// root of a quadratic equation (Miettinen and Nurminen's (10)). Falls while theta rises.
static double ratio_score(struct rate old, struct rate new, double theta) {
    double k0 = (double)old.k, n0 = (double)old.n, k1 = (double)new.k, n1 = (double)new.n;
    double a = (n0 + n1) * theta, b = n1 * theta + k1 + n0 + k0 * theta, c = k0 + k1;
    double q0 = 2 * c / (b + sqrt(fmax(b * b - 4 * a * c, 0))), q1 = theta * q0;
    double variance = q1 * (1 - q1) / n1 + theta * theta * q0 * (1 - q0) / n0;
    double distance = k1 / n1 - theta * k0 / n0;
    if (!(variance > 0)) return distance > 0 ? INFINITY : distance < 0 ? -INFINITY : 0;
    return distance / sqrt(variance);
}

// theta whose score is z; by halving the logarithm between bounds that hold any ratio of two counts.
static double ratio_at(struct rate old, struct rate new, double z) {
    double lo = -100, hi = 100;
    for (int i = 0; i < 200 && hi - lo > 1e-15 * fabs(hi); i++) {
        double mid = (lo + hi) / 2;
        *(ratio_score(old, new, exp(mid)) > z ? &lo : &hi) = mid;
    }
    return exp((lo + hi) / 2);
}

struct estimate rate_ratio(struct rate old, struct rate new, double conf) {
    if (!is_rate(old) || !is_rate(new) || (old.k == 0 && new.k == 0)) return (struct estimate){ 0 };
    struct estimate e = { .defined = true, .value = old.k ? share(new) / share(old) : INFINITY };
    e.bounded = is_conf(conf);
    if (!e.bounded) return e;
    double z = normal_two_sided(conf);
    e.lo = new.k == 0 ? 0 : fmin(ratio_at(old, new, z), e.value);
    e.hi = old.k == 0 ? INFINITY : fmax(ratio_at(old, new, -z), e.value);
    return e;
}

// --- counts -------------------------------------------------------------------------------------------

struct estimate rate_poisson(uint64_t k, double exposure, double conf) {
    if (!(exposure > 0 && exposure < INFINITY)) return (struct estimate){ 0 };
    struct estimate e = { .defined = true, .value = (double)k / exposure, .bounded = is_conf(conf) };
    if (!e.bounded) return e;
    double tail = (1 - conf) / 2;
    e.lo = k ? gamma_p_inverse((double)k, tail) / exposure : 0;
    e.hi = gamma_p_inverse((double)k + 1, 1 - tail) / exposure;
    return e;
}
