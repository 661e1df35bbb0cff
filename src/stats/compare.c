// SPDX-License-Identifier: Apache-2.0
#include "stats/compare.h"

#include "stats/order.h"
#include "stats/percentile.h"
#include "stats/special.h"

// --- Mann-Whitney ---------------------------------------------------------------------------------------

// With 25 and 25 values there are C(50, 25) = 1.3e14 arrangements, far below 2^63; other sizes with
// the same product have fewer.
enum { EXACT_PAIRS_MAX = 625 };

// Both samples, seen in ascending order of values.
struct ladder {
    long double n_old, n_new; // seen so far
    long double u, ties;      // ties: the sum of t^3 - t
};

static void ladder_step(struct ladder *l, uint64_t old, uint64_t new) { // of one value, or bucket
    long double t = (long double)old + (long double)new;
    l->u += ((long double)old / 2 + l->n_old) * new;
    l->ties += t * (t * t - 1);
    l->n_old += old;
    l->n_new += new;
}

// ways[v]: the arrangements of n and m values with v pairs in the one order. The generating function is
// the Gaussian binomial coefficient, the product of (1 - x^(n + i)) / (1 - x^i) over i = 1 ... m.
static void count_ways(size_t n, size_t m, int64_t *ways) {
    size_t all = n * m;
    for (size_t v = 0; v <= all; v++) ways[v] = v == 0;
    for (size_t i = 1; i <= m; i++) {
        for (size_t v = all; v >= n + i; v--) ways[v] -= ways[v - (n + i)];
        for (size_t v = i; v <= all; v++) ways[v] += ways[v - i];
    }
}

static void exact_tails(size_t n, size_t m, size_t u, double *p_up, double *p_down) {
    int64_t ways[EXACT_PAIRS_MAX + 1], all = 0, up = 0, down = 0;
    count_ways(n > m ? n : m, n > m ? m : n, ways);
    for (size_t v = 0; v <= n * m; v++) {
        all += ways[v];
        if (v >= u) up += ways[v];
        if (v <= u) down += ways[v];
    }
    *p_up = (double)up / (double)all;
    *p_down = (double)down / (double)all;
}

static struct mann_whitney ladder_finish(const struct ladder *l) {
    if (l->n_old == 0 || l->n_new == 0)
        return (struct mann_whitney){ .n_old = (double)l->n_old, .n_new = (double)l->n_new };
    long double pairs = l->n_old * l->n_new, n = l->n_old + l->n_new;
    double off = (double)(l->u - pairs / 2), far = fmax(fabs(off) - 0.5, 0);
    struct mann_whitney w = { .n_old = (double)l->n_old, .n_new = (double)l->n_new, .u = (double)l->u };
    w.share = (double)(l->u / pairs);
    w.variance = (double)(pairs / 12 * (n + 1 - l->ties / (n * (n - 1))));
    w.test = (struct significance){ true, 0, 1, 1, 1 };
    if (l->ties >= n * (n * n - 1)) { // all equal; rounding could leave a variance
        w.variance = 0;
        return w;
    }
    double deviation = sqrt(w.variance);
    w.test.z = copysign(far, off) / deviation;
    w.exact = l->ties == 0 && pairs <= EXACT_PAIRS_MAX;
    if (w.exact) {
        exact_tails((size_t)l->n_old, (size_t)l->n_new, (size_t)l->u, &w.test.p_up, &w.test.p_down);
    } else {
        w.test.p_up = normal_upper((off - 0.5) / deviation);
        w.test.p_down = normal_upper((-off - 0.5) / deviation);
    }
    w.test.p = fmin(2 * fmin(w.test.p_up, w.test.p_down), 1);
    return w;
}

struct mann_whitney compare_values(double *old, size_t n_old, double *new, size_t n_new) {
    n_old = order_drop_nan(old, n_old);
    n_new = order_drop_nan(new, n_new);
    order_sort_doubles(old, n_old);
    order_sort_doubles(new, n_new);
    struct ladder l = { 0 };
    for (size_t i = 0, j = 0; i < n_old || j < n_new;) {
        double v = j == n_new || (i < n_old && old[i] < new[j]) ? old[i] : new[j];
        size_t from_i = i, from_j = j;
        while (i < n_old && old[i] == v) i++;
        while (j < n_new && new[j] == v) j++;
        ladder_step(&l, i - from_i, j - from_j);
    }
    return ladder_finish(&l);
}

struct mann_whitney compare_buckets(const uint64_t *old, const uint64_t *new, size_t n) {
    struct ladder l = { 0 };
    for (size_t i = 0; i < n; i++) ladder_step(&l, old[i], new[i]);
    return ladder_finish(&l);
}

// --- percentiles ----------------------------------------------------------------------------------------

void compare_percentiles(double *old, size_t n_old, double *new, size_t n_new, const double *p, size_t n_p,
                         double conf, struct estimate *out) {
    struct estimate of_old[PERCENTILES_MAX];
    percentile_doubles(old, n_old, p, n_p, conf, of_old);
    percentile_doubles(new, n_new, p, n_p, conf, out);
    for (size_t i = 0; i < n_p; i++) out[i] = estimate_difference(of_old[i], out[i]);
}

struct estimate compare_histograms(struct histogram old, struct histogram new, double p, double conf) {
    return estimate_difference(histogram_percentile(old, p, conf), histogram_percentile(new, p, conf));
}

// --- many comparisons -----------------------------------------------------------------------------------

static bool is_probability(double p) {
    return p >= 0 && p <= 1;
}

static size_t place_of(const double *sorted, size_t n, double p) { // the first that is not below p
    size_t lo = 0, hi = n;
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        if (sorted[mid] < p)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

// Equal p-values have equal answers: those of the last of them, which the minimum carries to the first.
enum err compare_adjust(struct arena *a, const double *p, size_t n, double *q) {
    double *sorted = ARENA_ARRAY(a, n, double), *adjusted = ARENA_ARRAY(a, n, double);
    if (!sorted || !adjusted) return ERR_NOMEM;
    size_t m = 0;
    for (size_t i = 0; i < n; i++)
        if (is_probability(p[i])) sorted[m++] = p[i] + 0.0; // of the two zeros one
    order_sort_doubles(sorted, m);
    double least = 1;
    for (size_t i = m; i-- > 0;) {
        least = fmin(least, sorted[i] * ((double)m / (double)(i + 1)));
        adjusted[i] = least;
    }
    for (size_t i = 0; i < n; i++) q[i] = is_probability(p[i]) ? adjusted[place_of(sorted, m, p[i])] : NAN;
    return ERR_OK;
}
