// SPDX-License-Identifier: Apache-2.0
#include "stats/percentile.h"

#include "base/err.h"
#include "stats/binomial.h"
#include "stats/order.h"
#include "stats/special.h"

static const uint64_t RANKS_EXACT_MAX = 1 << 30; // beyond: a time of O(sqrt(n)) would be felt

static bool is_share(double p) {
    return p >= 0 && p <= 1;
}

// Without the correction for skewness, which is below z^2 / 6 ranks.
static struct ranks ranks_large(uint64_t n, double p, double conf) {
    double z = normal_two_sided(conf), reach = z * sqrt((double)n * p * (1 - p)) + z * z / 6 + 2;
    double lo = floor((double)n * p - reach), hi = ceil((double)n * p + reach);
    if (!(lo >= 1 && hi <= (double)n)) return (struct ranks){ 0 };
    return (struct ranks){ true, (uint64_t)lo, (uint64_t)hi };
}

struct ranks percentile_ranks(uint64_t n, double p, double conf) {
    if (!(p > 0 && p < 1 && conf > 0 && conf < 1) || n == 0) return (struct ranks){ 0 };
    if (n > RANKS_EXACT_MAX) return ranks_large(n, p, conf);
    uint64_t lo = binomial_quantile((1 - conf) / 2, n, p), hi = binomial_quantile((1 + conf) / 2, n, p) + 1;
    if (lo == 0 || hi > n) return (struct ranks){ 0 };
    return (struct ranks){ true, lo, hi };
}

// --- which places of the sorted array the answers need ------------------------------------------------

enum { PLACES_EACH = 4, PLACES_MAX = PERCENTILES_MAX * PLACES_EACH };

struct places {
    size_t lo, hi;  // the two that a percentile lies between
    double between; // how far from the one to the other, [0, 1)
    struct ranks bounds;
};

static struct places places_of(size_t n, double p, double conf) {
    double h = (double)(n - 1) * p, whole = floor(h);
    size_t lo = (size_t)whole;
    if (lo > n - 1) lo = n - 1; // n above 2^53
    return (struct places){ lo, lo + 1 < n ? lo + 1 : lo, h - whole, percentile_ranks(n, p, conf) };
}

static void put(size_t *places, size_t *n, size_t place) {
    size_t at = (*n)++;
    for (; at > 0 && places[at - 1] > place; at--) places[at] = places[at - 1];
    places[at] = place;
}

// All places, ascending; their number.
static size_t list(const struct places *at, const double *p, size_t n_p, size_t *places) {
    size_t n = 0;
    for (size_t i = 0; i < n_p; i++) {
        if (!is_share(p[i])) continue;
        put(places, &n, at[i].lo);
        put(places, &n, at[i].hi);
        if (!at[i].bounds.defined) continue;
        put(places, &n, at[i].bounds.lo - 1);
        put(places, &n, at[i].bounds.hi - 1);
    }
    return n;
}

static size_t prepare(size_t n, const double *p, size_t n_p, double conf, struct places *at, size_t *places) {
    ASSERT(n_p <= PERCENTILES_MAX);
    for (size_t i = 0; i < n_p && n > 0; i++)
        if (is_share(p[i])) at[i] = places_of(n, p[i], conf);
    return n > 0 ? list(at, p, n_p, places) : 0;
}

// The difference of two doubles of opposite sign may overflow where their weighted sum does not.
static double blend(double lo, double hi, double between) {
    if (between == 0 || lo == hi) return lo;
    double x = lo + between * (hi - lo);
    return isinf(hi - lo) ? lo * (1 - between) + hi * between : x;
}

size_t percentile_doubles(double *x, size_t n, const double *p, size_t n_p, double conf,
                          struct estimate *out) {
    struct places at[PERCENTILES_MAX];
    size_t places[PLACES_MAX];
    n = order_drop_nan(x, n);
    order_select_doubles(x, n, places, prepare(n, p, n_p, conf, at, places));
    for (size_t i = 0; i < n_p; i++) {
        out[i] = (struct estimate){ .defined = n > 0 && is_share(p[i]) };
        if (!out[i].defined) continue;
        out[i].value = blend(x[at[i].lo], x[at[i].hi], at[i].between);
        out[i].bounded = at[i].bounds.defined;
        if (!out[i].bounded) continue;
        out[i].lo = x[at[i].bounds.lo - 1];
        out[i].hi = x[at[i].bounds.hi - 1];
    }
    return n;
}

void percentile_ints(int64_t *x, size_t n, const double *p, size_t n_p, double conf, struct estimate *out) {
    struct places at[PERCENTILES_MAX];
    size_t places[PLACES_MAX];
    order_select(x, n, places, prepare(n, p, n_p, conf, at, places));
    for (size_t i = 0; i < n_p; i++) {
        out[i] = (struct estimate){ .defined = n > 0 && is_share(p[i]) };
        if (!out[i].defined) continue;
        uint64_t gap = (uint64_t)x[at[i].hi] - (uint64_t)x[at[i].lo];
        out[i].value = (double)x[at[i].lo] + at[i].between * (double)gap;
        out[i].bounded = at[i].bounds.defined;
        if (!out[i].bounded) continue;
        out[i].lo = (double)x[at[i].bounds.lo - 1];
        out[i].hi = (double)x[at[i].bounds.hi - 1];
    }
}

bool percentile_lower_median_doubles(double *x, size_t n, double *out) {
    n = order_drop_nan(x, n);
    if (n == 0) return false;
    size_t middle = (n - 1) / 2;
    order_select_doubles(x, n, &middle, 1);
    *out = x[middle];
    return true;
}

bool percentile_lower_median_ints(int64_t *x, size_t n, int64_t *out) {
    if (n == 0) return false;
    size_t middle = (n - 1) / 2;
    order_select(x, n, &middle, 1);
    *out = x[middle];
    return true;
}

// --- means --------------------------------------------------------------------------------------------

struct estimate percentile_mean_ints(const int64_t *x, size_t n) {
    __int128 sum = 0;
    for (size_t i = 0; i < n; i++) sum += x[i];
    if (n == 0) return (struct estimate){ 0 };
    return (struct estimate){ .defined = true, .value = (double)((long double)sum / n) };
}

struct estimate percentile_mean_doubles(const double *x, size_t n) {
    long double sum = 0, lost = 0;
    size_t kept = 0;
    for (size_t i = 0; i < n; i++) {
        if (isnan(x[i])) continue;
        long double v = x[i], next = sum + v;
        lost += fabsl(sum) >= fabsl(v) ? sum - next + v : v - next + sum;
        sum = next;
        kept++;
    }
    if (kept == 0) return (struct estimate){ 0 };
    if (isfinite(sum)) sum += lost;
    return (struct estimate){ .defined = true, .value = (double)(sum / kept) };
}
