// SPDX-License-Identifier: Apache-2.0
#include "stats/histogram.h"

#include "stats/percentile.h"

uint64_t histogram_total(struct histogram h) {
    uint64_t n = 0;
    for (size_t i = 0; i < h.n; i++) n += h.counts[i];
    return n;
}

// The bucket of the value with this rank, from 1 to the total.
static size_t bucket_of(struct histogram h, uint64_t rank) {
    size_t i = 0;
    for (; i + 1 < h.n && rank > h.counts[i]; i++) rank -= h.counts[i];
    return i;
}

// The first bucket that has anything and reaches `at` values from the left, and where it stands there.
static double interpolate(struct histogram h, double at) {
    double below = 0;
    size_t i = 0, last = h.n;
    for (; i < h.n; i++) {
        if (h.counts[i] == 0) continue;
        last = i;
        if (below + (double)h.counts[i] >= at) break;
        below += (double)h.counts[i];
    }
    if (i == h.n) i = last; // rounding, at p = 1
    double lo = h.edges[i], hi = h.edges[i + 1];
    if (isinf(lo)) return isinf(hi) ? NAN : hi;
    if (isinf(hi)) return lo;
    double part = fmin((at - below) / (double)h.counts[i], 1);
    return lo + part * (hi - lo);
}

struct estimate histogram_percentile(struct histogram h, double p, double conf) {
    uint64_t n = histogram_total(h);
    if (n == 0 || !(p >= 0 && p <= 1)) return (struct estimate){ 0 };
    struct estimate e = { .value = interpolate(h, p * (double)n) };
    e.defined = !isnan(e.value);
    if (!e.defined) return (struct estimate){ 0 };
    struct ranks r = percentile_ranks(n, p, conf);
    e.bounded = r.defined;
    if (!e.bounded) return e;
    e.lo = h.edges[bucket_of(h, r.lo)];
    e.hi = h.edges[bucket_of(h, r.hi) + 1];
    return e;
}
