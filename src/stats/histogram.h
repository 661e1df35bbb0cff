// SPDX-License-Identifier: Apache-2.0
// Percentiles of values of which only the counts per bucket are known. thread: any.
#pragma once

#include "stats/interval.h"

// Bucket i of n holds the values in (edges[i], edges[i + 1]]; there are n + 1 edges, which do not fall. The
// first may be -INFINITY and the last INFINITY. Edges in the unit of the values.
struct histogram {
    const double *edges;
    const uint64_t *counts;
    size_t n;
};

// The value below which a share p of all values lies, when those of a bucket are spread evenly over it; in
// a bucket without an end, its finite edge. Undefined for no values, a p outside [0, 1] and a bucket that
// has neither end. Bounds: the order-statistic interval (percentile_ranks), from the lower edge of
// the bucket of its lower rank to the upper edge of that of its upper rank, so that how the values lie
// inside their buckets cannot make it cover less. Time O(n).
struct estimate histogram_percentile(struct histogram h, double p, double conf);
uint64_t histogram_total(struct histogram h);
