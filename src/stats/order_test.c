// SPDX-License-Identifier: Apache-2.0
#include "stats/order.h"

#include <math.h>
#include <stdlib.h>

#include "base/mem.h"
#include "base/test.h"

static int cmp(const void *a, const void *b) {
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

// What partitions may trip over, by the index i of n.
static int64_t any(size_t i, size_t n) {
    return (int64_t)(i * 0 + n * 0 + test_rand());
}
static int64_t few(size_t i, size_t n) {
    return (int64_t)(i * 0 + n * 0 + test_below(5));
}
static int64_t same(size_t i, size_t n) {
    return (int64_t)(i * 0 + n * 0 + 7);
}
static int64_t rising(size_t i, size_t n) {
    return (int64_t)(i + n);
}
static int64_t falling(size_t i, size_t n) {
    return (int64_t)(n - i);
}
static int64_t organ_pipe(size_t i, size_t n) {
    return (int64_t)(i < n / 2 ? i : n - i);
}
static int64_t sawtooth(size_t i, size_t n) {
    return (int64_t)(i % (n / 9 + 1));
}
static int64_t one_low(size_t i, size_t n) {
    return i == n / 3 ? INT64_MIN : INT64_MAX;
}
static int64_t lognormal(size_t i, size_t n) {
    return (int64_t)exp((double)(test_below(1000) + i % 3 + n % 2) / 40);
}
static int64_t (*const shapes[])(size_t, size_t) = { any,        few,      same,    rising,   falling,
                                                     organ_pipe, sawtooth, one_low, lognormal };
enum { N_SHAPES = sizeof shapes / sizeof *shapes, RANKS_MAX = 40 };

static size_t draw_ranks(size_t n, size_t *ranks) {
    size_t n_ranks = test_below(RANKS_MAX + 1);
    for (size_t i = 0; i < n_ranks; i++) {
        size_t at = i, r = test_below(4) ? test_below(n) : test_below(2) ? 0 : n - 1;
        for (; at > 0 && ranks[at - 1] > r; at--) ranks[at] = ranks[at - 1];
        ranks[at] = r;
    }
    return n_ranks;
}

static void select_agrees(size_t n, int64_t (*shape)(size_t, size_t), unsigned rounds) {
    int64_t *x = mem_alloc(n * sizeof *x), *sorted = mem_alloc(n * sizeof *x);
    CHECK(x && sorted);
    for (size_t i = 0; i < n; i++) x[i] = sorted[i] = shape(i, n);
    qsort(sorted, n, sizeof *sorted, cmp);
    size_t ranks[RANKS_MAX];
    size_t n_ranks = draw_ranks(n, ranks);
    if (rounds == UINT32_MAX)
        order_select(x, n, ranks, n_ranks);
    else
        order_select_within_(x, n, ranks, n_ranks, rounds);
    for (size_t i = 0; i < n_ranks; i++) {
        CHECK(x[ranks[i]] == sorted[ranks[i]]);
        for (size_t k = 0; k < n; k++) CHECK(k < ranks[i] ? x[k] <= x[ranks[i]] : x[k] >= x[ranks[i]]);
    }
    order_sort_ints(x, n); // nothing was lost, and sorting agrees too
    CHECK(memcmp(x, sorted, n * sizeof *x) == 0);
    mem_free(x);
    mem_free(sorted);
}

TEST(order_select_agrees_with_sorting) {
    for (int round = 0; round < 400; round++)
        select_agrees(1 + test_below(round % 8 ? 300 : 5000), shapes[round % N_SHAPES], UINT32_MAX);
    for (int i = 0; i < N_SHAPES; i++) select_agrees(50000, shapes[i], UINT32_MAX);
}

// Heapsort takes over after any number of rounds, and at once.
TEST(order_select_agrees_when_pivots_are_bad) {
    for (int round = 0; round < 200; round++)
        select_agrees(1 + test_below(2000), shapes[round % N_SHAPES], (unsigned)round % 7);
}

TEST(order_select_of_nothing) {
    size_t rank = 0;
    int64_t one = 5;
    order_select(&one, 0, &rank, 0);
    order_select(&one, 1, &rank, 1);
    order_sort_ints(&one, 0);
    order_sort_ints(&one, 1);
    CHECK(one == 5);
}

TEST(order_of_doubles_is_by_value) {
    enum { N = 3000 };
    static double x[N];
    for (int round = 0; round < 40; round++) {
        size_t n = 1 + test_below(N), n_nan = 0;
        for (size_t i = 0; i < n; i++) {
            uint64_t bits = test_rand();
            if (round % 2) bits = test_below(2) << 63 | test_below(3) << 62 | test_below(9);
            memcpy(&x[i], &bits, sizeof bits);
            if (test_below(50) == 0) x[i] = test_below(2) ? INFINITY : -INFINITY;
            if (test_below(20) == 0) x[i] = NAN;
            n_nan += isnan(x[i]);
        }
        CHECK_U64(order_drop_nan(x, n), n - n_nan);
        for (size_t i = n - n_nan; i < n; i++) CHECK(isnan(x[i]));
        n -= n_nan;
        if (n == 0) continue;
        size_t rank = test_below(n);
        order_select_doubles(x, n, &rank, 1);
        double at = x[rank];
        for (size_t k = 0; k < n; k++) CHECK(k < rank ? x[k] <= at : x[k] >= at);
        order_sort_doubles(x, n);
        CHECK(x[rank] == at);
        for (size_t k = 1; k < n; k++) {
            CHECK(x[k - 1] <= x[k]);
            CHECK(!(x[k - 1] == 0 && x[k] == 0 && !signbit(x[k - 1]) && signbit(x[k])));
        }
    }
}
