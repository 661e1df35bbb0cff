// SPDX-License-Identifier: Apache-2.0
#include "stats/order.h"

#include <math.h>
#include <stdbool.h>
#include <string.h>

enum { SMALL = 24, SAMPLE_MAX = 255 };

// Doubles are sorted as the integers that their bits make, see flip().
typedef int64_t __attribute__((may_alias)) any64;

static void insertion_sort(any64 *x, size_t n) {
    for (size_t i = 1; i < n; i++) {
        int64_t v = x[i];
        size_t at = i;
        for (; at > 0 && x[at - 1] > v; at--) x[at] = x[at - 1];
        x[at] = v;
    }
}

static void sift_down(any64 *x, size_t n, size_t at) {
    int64_t v = x[at];
    for (size_t child; (child = 2 * at + 1) < n; at = child) {
        if (child + 1 < n && x[child + 1] > x[child]) child++;
        if (x[child] <= v) break;
        x[at] = x[child];
    }
    x[at] = v;
}

static void heap_sort(any64 *x, size_t n) {
    for (size_t i = n / 2; i-- > 0;) sift_down(x, n, i);
    for (size_t end = n; end-- > 1;) {
        int64_t top = x[0];
        x[0] = x[end];
        x[end] = top;
        sift_down(x, end, 0);
    }
}

// The values below the pivot, or up to it, come first; their number. Every step stores and advances by
// a comparison's 0 or 1, so that there is no branch to predict wrongly.
static size_t partition_below(any64 *x, size_t n, int64_t pivot) {
    size_t m = 0;
    for (size_t i = 0; i < n; i++) {
        int64_t v = x[i];
        x[i] = x[m];
        x[m] = v;
        m += v < pivot;
    }
    return m;
}
static size_t partition_up_to(any64 *x, size_t n, int64_t pivot) {
    size_t m = 0;
    for (size_t i = 0; i < n; i++) {
        int64_t v = x[i];
        x[i] = x[m];
        x[m] = v;
        m += v <= pivot;
    }
    return m;
}

// A value of the array near a rank: from a sorted sample at even steps, each moved within its step by
// a generator that knows only the size, so that regular patterns in the data do not line up with it.
static int64_t pivot_near(const any64 *x, size_t n, size_t rank, bool *is_common) {
    int64_t sample[SAMPLE_MAX];
    size_t n_sample = n < 20000 ? (n < 1000 ? 9 : 31) : SAMPLE_MAX, step = n / n_sample;
    uint64_t state = n * 0x9e3779b97f4a7c15 | 1;
    for (size_t i = 0; i < n_sample; i++) {
        state ^= state << 13, state ^= state >> 7, state ^= state << 17;
        sample[i] = x[i * step + (size_t)(state >> 32) % step];
    }
    insertion_sort(sample, n_sample);
    size_t at = (size_t)((double)rank / (double)n * (double)n_sample);
    if (at >= n_sample) at = n_sample - 1;
    *is_common =
        (at > 0 && sample[at - 1] == sample[at]) || (at + 1 < n_sample && sample[at + 1] == sample[at]);
    return sample[at];
}

// For a single rank a pivot a little beyond it leaves a small part, after Floyd and Rivest (Communications
// of the ACM 18 (1975) 165-172): in turn above and below.
static size_t aim(size_t n, size_t first, size_t last, unsigned rounds) {
    if (first != last || n < 1000) return first + (last - first) / 2;
    size_t margin = n / 16;
    if (rounds % 2) return first + margin < n ? first + margin : n - 1;
    return first > margin ? first - margin : 0;
}

// Ranks count from `base`, the place of x[0] in the whole array.
static void select_ranks(any64 *x, size_t n, const size_t *ranks, size_t n_ranks, size_t base,
                         unsigned rounds) {
    while (n_ranks > 0 && n > 1) {
        if (n <= SMALL) return insertion_sort(x, n);
        if (rounds-- == 0) return heap_sort(x, n);
        size_t first = ranks[0] - base, last = ranks[n_ranks - 1] - base;
        bool is_common;
        int64_t pivot = pivot_near(x, n, aim(n, first, last, rounds), &is_common);
        size_t below = partition_below(x, n, pivot), above = below;
        if (is_common || below == 0) above += partition_up_to(x + below, n - below, pivot);
        size_t left = 0, skip; // ranks in the part below; those of values that are the pivot
        while (left < n_ranks && ranks[left] - base < below) left++;
        for (skip = left; skip < n_ranks && ranks[skip] - base < above;) skip++;
        select_ranks(x, below, ranks, left, base, rounds);
        x += above, n -= above, base += above;
        ranks += skip, n_ranks -= skip;
    }
}

static unsigned rounds_for(size_t n) {
    return n < 2 ? 0 : 4 * (64 - (unsigned)__builtin_clzll(n));
}

void order_select(int64_t *x, size_t n, const size_t *ranks, size_t n_ranks) {
    select_ranks(x, n, ranks, n_ranks, 0, rounds_for(n));
}
void order_select_within_(int64_t *x, size_t n, const size_t *ranks, size_t n_ranks, unsigned rounds) {
    select_ranks(x, n, ranks, n_ranks, 0, rounds);
}

// Quicksort; the larger part waits for its turn in the loop, so that the stack stays small.
static void sort_all(any64 *x, size_t n, unsigned rounds) {
    while (n > SMALL) {
        if (rounds-- == 0) return heap_sort(x, n);
        bool is_common;
        int64_t pivot = pivot_near(x, n, n / 2, &is_common);
        size_t below = partition_below(x, n, pivot), above = below;
        if (is_common || below == 0) above += partition_up_to(x + below, n - below, pivot);
        if (below < n - above) {
            sort_all(x, below, rounds);
            x += above, n -= above;
        } else {
            sort_all(x + above, n - above, rounds);
            n = below;
        }
    }
    insertion_sort(x, n);
}

void order_sort_ints(int64_t *x, size_t n) {
    sort_all(x, n, rounds_for(n));
}

// --- doubles ------------------------------------------------------------------------------------------

// The bits of a double, with those of a negative one's magnitude turned around, are integers in the same
// order. Doing it twice undoes it.
static void flip(double *x, size_t n) {
    any64 *bits = (any64 *)x;
    for (size_t i = 0; i < n; i++) bits[i] ^= (int64_t)((uint64_t)(bits[i] >> 63) >> 1);
}

size_t order_drop_nan(double *x, size_t n) {
    size_t kept = 0;
    for (size_t i = 0; i < n; i++) {
        double v = x[i];
        if (isnan(v)) continue;
        x[i] = x[kept];
        x[kept++] = v;
    }
    return kept;
}

void order_select_doubles(double *x, size_t n, const size_t *ranks, size_t n_ranks) {
    flip(x, n);
    select_ranks((any64 *)x, n, ranks, n_ranks, 0, rounds_for(n));
    flip(x, n);
}

void order_sort_doubles(double *x, size_t n) {
    flip(x, n);
    sort_all((any64 *)x, n, rounds_for(n));
    flip(x, n);
}
