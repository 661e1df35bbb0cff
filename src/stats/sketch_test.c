// SPDX-License-Identifier: Apache-2.0
#include "stats/sketch.h"

#include <math.h>
#include <stdlib.h>

#include "base/test.h"

static int double_cmp(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double draw_uniform(void) {
    return test_uniform() * 1000;
}
static double draw_exponential(void) {
    return -log(test_uniform()) * 5e7;
}
static double draw_pareto(void) {
    return 1e3 / pow(test_uniform(), 1.5);
}
static double draw_two_signs(void) {
    return (test_uniform() - 0.5) * 8;
}
static double draw_small_ints(void) {
    return (double)test_below(20) - 5;
}
static double draw_one_of_two(void) {
    return test_below(10) ? 2e6 : 9e11;
}
static double draw_any_bits(void) {
    for (;;) {
        uint64_t bits = test_rand();
        double x;
        memcpy(&x, &bits, sizeof x);
        if (isfinite(x)) return x;
    }
}
static double draw_denormal(void) {
    return (double)test_below(5000) * 0x1p-1074;
}

static const struct {
    const char *why;
    double (*draw)(void);
} spreads[] = {
    { "uniform", draw_uniform },      { "exponential", draw_exponential }, { "pareto", draw_pareto },
    { "both signs", draw_two_signs }, { "small ints", draw_small_ints },   { "two values", draw_one_of_two },
    { "any double", draw_any_bits },  { "denormals", draw_denormal },
};
enum { N_SPREADS = sizeof spreads / sizeof *spreads };

// By definition: the least rank whose share reaches q.
static double exact_quantile(const double *sorted, uint32_t n, double q) {
    uint32_t r = 1;
    while (r < n && (double)r / n < q) r++;
    return sorted[r - 1];
}

TEST(sketch_answers_within_one_percent) {
    static const double qs[] = { 0, 0.001, 0.01, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99, 0.999, 1 };
    static double x[5000];
    for (size_t k = 0; k < N_SPREADS; k++) {
        for (uint32_t n = 1; n <= 5000; n = n * 3 + 1) {
            struct arena a;
            arena_init(&a, SIZE_MAX, NULL);
            struct sketch s = { 0 };
            for (uint32_t i = 0; i < n; i++) {
                x[i] = spreads[k].draw();
                CHECK_OK(sketch_add_fast(&a, &s, x[i]));
            }
            qsort(x, n, sizeof *x, double_cmp);
            CHECK_U64(s.n, n);
            for (size_t i = 0; i < sizeof qs / sizeof *qs; i++) {
                double want = exact_quantile(x, n, qs[i]), got = sketch_quantile(&s, qs[i]);
                bool ok = fabs(got - want) <= fabs(want) / 128;
                if (!ok) printf("# %s, %u values, q = %g: %g, not %g\n", spreads[k].why, n, qs[i], got, want);
                CHECK(ok);
            }
            arena_fini(&a);
        }
    }
}

TEST(sketch_quantile_is_the_nearest_rank) {
    struct arena a;
    arena_init(&a, SIZE_MAX, NULL);
    struct sketch s = { 0 };
    CHECK(isnan(sketch_quantile(&s, 0.5)));
    for (int i = 1; i <= 100; i++) CHECK_OK(sketch_add(&a, &s, ldexp(1, i))); // one value in a bucket
    double near = 1 + 1.0 / 128;                                              // a bucket's middle
    CHECK(sketch_quantile(&s, 0) == 2);
    CHECK(sketch_quantile(&s, 1) == ldexp(1, 100));
    CHECK(sketch_quantile(&s, 0.5) == ldexp(near, 50));
    CHECK(sketch_quantile(&s, 0.07) == ldexp(near, 7)); // although 0.07 * 100 > 7
    CHECK(sketch_quantile(&s, 0.07000001) == ldexp(near, 8));
    CHECK(sketch_quantile(&s, 0.29) == ldexp(near, 29));
    CHECK(sketch_quantile(&s, 0.99) == ldexp(near, 99));
    CHECK(isnan(sketch_quantile(&s, -0.1)) && isnan(sketch_quantile(&s, 1.1)) &&
          isnan(sketch_quantile(&s, NAN)));
    arena_fini(&a);
}

TEST(sketch_takes_what_doubles_can_be) {
    struct arena a;
    arena_init(&a, SIZE_MAX, NULL);
    struct sketch s = { 0 };
    static const double in[] = { NAN, INFINITY, -INFINITY, 0.0, -0.0, 0x1p-1074, -0x1.fffffffffffffp1023 };
    for (size_t i = 0; i < sizeof in / sizeof *in; i++) CHECK_OK(sketch_add(&a, &s, in[i]));
    CHECK_U64(s.n, 6); // not NaN
    CHECK_U64(s.zeros, 2);
    CHECK(sketch_quantile(&s, 0) == -INFINITY);
    CHECK(fabs(sketch_quantile(&s, 2 / 6.0) / -0x1.fffffffffffffp1023 - 1) < 0.01);
    CHECK(sketch_quantile(&s, 3 / 6.0) == 0 && sketch_quantile(&s, 4 / 6.0) == 0);
    CHECK(sketch_quantile(&s, 5 / 6.0) == 0x1p-1074);
    CHECK(sketch_quantile(&s, 1) == INFINITY);
    arena_fini(&a);
}

static void fold(void *ctx, double value, uint64_t count) {
    struct buf *b = ctx;
    buf_fmt(b, "%a:%lu ", value, (unsigned long)count);
}
static struct buf bytes_of(const struct sketch *s) {
    struct buf b;
    buf_init(&b, SIZE_MAX);
    buf_fmt(&b, "%lu ", (unsigned long)s->n);
    sketch_each(s, fold, &b);
    return b;
}

// Values are dealt to some sketches, which merge in a random order.
static void merge_at_random(struct arena *a, const double *x, uint32_t n, struct sketch *out) {
    enum { PARTS = 7 };
    struct sketch part[PARTS] = { 0 };
    uint32_t left = 1 + (uint32_t)test_below(PARTS);
    for (uint32_t i = n, at; i > 0; i--) {
        at = (uint32_t)test_below(left);
        CHECK_OK(sketch_add_fast(a, &part[at], x[i - 1]));
    }
    while (left > 1) {
        uint32_t from = (uint32_t)test_below(left), to = (uint32_t)test_below(left);
        if (from == to) continue;
        CHECK_OK(sketch_merge(a, &part[to], &part[from]));
        part[from] = part[--left];
    }
    *out = part[0];
}

TEST(sketch_is_the_same_in_any_order_and_any_split) {
    static double x[700];
    for (int round = 0; round < 60; round++) {
        struct arena a;
        arena_init(&a, SIZE_MAX, NULL);
        uint32_t n = (uint32_t)test_below(700);
        struct sketch s = { 0 }, t;
        for (uint32_t i = 0; i < n; i++) x[i] = spreads[round % N_SPREADS].draw();
        for (uint32_t i = 0; i < n; i++) CHECK_OK(sketch_add(&a, &s, x[i]));
        merge_at_random(&a, x, n, &t);
        struct buf want = bytes_of(&s), got = bytes_of(&t);
        CHECK_STR(buf_view(&got), buf_view(&want));
        buf_fini(&want);
        buf_fini(&got);
        arena_fini(&a);
    }
}

static void count_all(void *ctx, double value, uint64_t count) {
    CHECK(value > 0.99 && value < 1.01);
    *(uint64_t *)ctx += count;
}

// Counts grow digit by digit; doubling reaches 2^40 in a few merges.
TEST(sketch_counts_beyond_a_digit) {
    struct arena a;
    arena_init(&a, SIZE_MAX, NULL);
    struct sketch s = { 0 }, twice = { 0 };
    for (int i = 0; i < 70000; i++) CHECK_OK(sketch_add_fast(&a, &s, 1.0));
    uint64_t n = 70000, seen = 0;
    for (int i = 0; i < 40; i++, n *= 2) {
        twice = s;
        twice.positive.chunks = NULL;
        twice.positive.n = 0;
        twice.n = 0;
        CHECK_OK(sketch_merge(&a, &twice, &s));
        CHECK_OK(sketch_merge(&a, &twice, &s));
        s = twice;
    }
    CHECK_OK(sketch_add(&a, &s, 1.001));
    sketch_each(&s, count_all, &seen);
    CHECK_U64(s.n, n + 1);
    CHECK_U64(seen, n + 1);
    arena_fini(&a);
}

TEST(sketch_fails_without_memory_and_stays_whole) {
    static double x[60];
    for (size_t i = 0; i < 60; i++) x[i] = i % 2 ? draw_any_bits() : -draw_exponential();
    for (uint64_t nth = 1;; nth++) {
        struct arena a;
        arena_init(&a, SIZE_MAX, NULL);
        struct sketch s = { 0 };
        bool failed = false;
        uint64_t ok = 0;
        mem_fail_at(nth, false);
        for (size_t i = 0; i < 60; i++) {
            if (sketch_add_fast(&a, &s, x[i]) == ERR_OK)
                ok++;
            else
                failed = true;
            a.failed = false;
        }
        mem_fail_at(0, false);
        CHECK_U64(s.n, ok);
        for (double q = 0; q <= 1; q += 0.125) CHECK(!isnan(sketch_quantile(&s, q)) || s.n == 0);
        arena_fini(&a);
        if (!failed) break;
        CHECK(nth < 1000);
    }
    struct mem_budget tight = { .limit = 4096 };
    struct arena a;
    arena_init(&a, SIZE_MAX, &tight);
    struct sketch s = { 0 };
    enum err e = ERR_OK;
    for (int i = 0; i < 2000 && e == ERR_OK; i++) e = sketch_add(&a, &s, ldexp(1, i - 1000));
    CHECK_U64(e, ERR_NOMEM);
    arena_fini(&a);
    CHECK_U64(tight.used, 0);
}

static void add_text(void *ctx, double value, uint64_t count) {
    buf_fmt(ctx, "%a:%llu ", value, (unsigned long long)count);
}

static void sketch_text(const struct sketch *s, struct buf *out) {
    buf_reset(out);
    buf_fmt(out, "%llu %a %a ", (unsigned long long)s->n, s->min, s->max);
    sketch_each(s, add_text, out);
}

// Many at once, and merged, past counts of 16 bits too: the same as one by one.
TEST(sketch_many_values_are_as_one_by_one) {
    static double values[70000];
    for (size_t k = 0; k < N_SPREADS; k++) {
        struct arena a;
        struct sketch one = { 0 }, many = { 0 }, part = { 0 };
        struct buf want, got;
        arena_init(&a, SIZE_MAX, NULL);
        buf_init(&want, SIZE_MAX);
        buf_init(&got, SIZE_MAX);
        for (int round = 0; round < 3; round++) {
            size_t n = test_below(2) ? 70000 : test_below(300), cut = test_below(n + 1);
            for (size_t i = 0; i < n; i++) {
                values[i] = test_below(1000) == 0 ? NAN : spreads[k].draw();
                CHECK_OK(sketch_add(&a, &one, values[i]));
            }
            CHECK_OK(sketch_add_many(&a, &many, values, cut));
            part = (struct sketch){ 0 };
            CHECK_OK(sketch_add_many(&a, &part, values + cut, n - cut));
            CHECK_OK(sketch_merge(&a, &many, &part));
        }
        sketch_text(&one, &want);
        sketch_text(&many, &got);
        CHECK_STR(buf_view(&got), buf_view(&want));
        buf_fini(&want);
        buf_fini(&got);
        arena_fini(&a);
    }
}
