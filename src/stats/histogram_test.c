// SPDX-License-Identifier: Apache-2.0
#include "stats/histogram.h"

#include "base/test.h"
#include "stats/percentile.h"

TEST(histogram_percentile_spreads_a_bucket_evenly) {
    double edges[] = { 0, 10, 20, 40 };
    uint64_t counts[] = { 4, 0, 4 };
    struct histogram h = { edges, counts, 3 };
    CHECK_U64(histogram_total(h), 8);
    CHECK(histogram_percentile(h, 0, 0.95).value == 0 && histogram_percentile(h, 0.25, 0.95).value == 5);
    CHECK(histogram_percentile(h, 0.5, 0.95).value == 10 && histogram_percentile(h, 0.75, 0.95).value == 30);
    CHECK(histogram_percentile(h, 1, 0.95).value == 40);
    struct estimate e = histogram_percentile(h, 0.5, 0.95); // ranks 1 and 8 of 8
    CHECK(e.bounded && e.lo == 0 && e.hi == 40);
    CHECK(!histogram_percentile(h, 0.9, 0.95).bounded && histogram_percentile(h, 0.9, 0.95).defined);
}

TEST(histogram_percentile_of_nothing_is_undefined) {
    double edges[] = { -INFINITY, INFINITY };
    uint64_t counts[] = { 0 }, some[] = { 9 };
    CHECK(!histogram_percentile((struct histogram){ edges, counts, 1 }, 0.5, 0.95).defined);
    CHECK(!histogram_percentile((struct histogram){ edges, counts, 0 }, 0.5, 0.95).defined);
    CHECK(!histogram_percentile((struct histogram){ edges, some, 1 }, 0.5, 0.95).defined); // anywhere
    CHECK(!histogram_percentile((struct histogram){ edges, some, 1 }, 1.5, 0.95).defined);
    CHECK(!histogram_percentile((struct histogram){ edges, some, 1 }, NAN, 0.95).defined);
}

TEST(histogram_buckets_without_an_end_answer_with_the_other) {
    double edges[] = { -INFINITY, 1, 2, INFINITY };
    uint64_t counts[] = { 50, 1, 50 };
    struct histogram h = { edges, counts, 3 };
    struct estimate e = histogram_percentile(h, 0.9, 0.95);
    CHECK(e.value == 2 && e.bounded && e.lo == 2 && e.hi == INFINITY);
    e = histogram_percentile(h, 0.1, 0.95);
    CHECK(e.value == 1 && e.bounded && e.lo == -INFINITY && e.hi == 1);
}

// Against the values themselves: the answer is in the bucket of the nearest rank, and the bounds enclose
// those of the values.
TEST(histogram_percentile_agrees_with_the_values) {
    enum { N = 500, BUCKETS = 40 };
    for (int round = 0; round < 1000; round++) {
        double x[N], edges[BUCKETS + 1], p = test_uniform();
        uint64_t counts[BUCKETS] = { 0 };
        size_t n = 1 + test_below(N);
        for (int i = 0; i <= BUCKETS; i++) edges[i] = i * 0.25;
        for (size_t i = 0; i < n; i++) {
            x[i] = (1 - test_uniform()) * (round % 2 ? 10 : 3);
            counts[(size_t)ceil(x[i] * 4) - 1]++;
        }
        struct estimate want,
            got = histogram_percentile((struct histogram){ edges, counts, BUCKETS }, p, 0.9);
        percentile_doubles(x, n, &p, 1, 0.9, &want);
        CHECK(got.defined && got.bounded == want.bounded);
        uint64_t rank = (uint64_t)ceil(p * (double)n);
        double nearest = 0, share = (double)(rank ? rank - 1 : 0) / (double)(n > 1 ? n - 1 : 1);
        struct estimate at;
        percentile_doubles(x, n, &share, 1, 0.9, &at);
        nearest = at.value;
        CHECK(fabs(got.value - nearest) <= 0.25 + 1e-9);
        if (!got.bounded) continue;
        CHECK(got.lo <= want.lo && want.lo <= got.lo + 0.25 && got.hi - 0.25 <= want.hi && want.hi <= got.hi);
        CHECK(got.lo <= got.value && got.value <= got.hi);
    }
}
