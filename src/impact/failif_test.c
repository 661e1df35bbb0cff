// SPDX-License-Identifier: Apache-2.0
#include "impact/failif.h"

#include <math.h>

#include "base/test.h"

TEST(failif_reads_what_people_write) {
    static const struct {
        const char *text;
        double percentile;
        enum failif_kind kind;
        double amount;
    } good[] = {
        { "errors > +0.5 points", 0, FAILIF_DIFFERENCE, 0.005 },
        { "errors>+1point", 0, FAILIF_DIFFERENCE, 0.01 },
        { " errors > + 50 % ", 0, FAILIF_RELATIVE, 0.5 },
        { "errors > 2%", 0, FAILIF_ABSOLUTE, 0.02 },
        { "p99 > +10 %", 0.99, FAILIF_RELATIVE, 0.1 },
        { "p99.9 > +20 ms", 0.999, FAILIF_DIFFERENCE, 20 },
        { "p50 > 1.5 s", 0.5, FAILIF_ABSOLUTE, 1500 },
        { "p95 > 300us", 0.95, FAILIF_ABSOLUTE, 0.3 },
    };
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        struct failif f;
        struct err_ctx ctx = { 0 };
        CHECK_OK(failif_parse(test_exact(str_of(good[i].text)), &f, &ctx));
        CHECK(fabs(f.percentile - good[i].percentile) < 1e-12 && f.kind == good[i].kind);
        CHECK(fabs(f.amount - good[i].amount) < 1e-9);
    }
}

TEST(failif_says_what_it_expected) {
    static const char *const bad[][2] = {
        { "", "expected errors, or a percentile" },
        { "latency > 3 s", "expected errors, or a percentile" },
        { "p0 > 3 s", "expected errors, or a percentile" },
        { "p100 > 3 s", "expected errors, or a percentile" },
        { "errors < 3 %", "expected > at character 8, found \"< 3 %\"" },
        { "errors > fast", "expected a number, or + and a number" },
        { "errors > -1 %", "expected a number" },
        { "errors > +1e999 %", "expected a number" },
        { "errors > 0.5 points", "expected %, or a + before the number" },
        { "errors > +5 ms", "expected % or points" },
        { "p95 > 10 %", "expected ms or s, or a + before the number" },
        { "p95 > +10", "expected %, ms or s at its end" },
        { "p95 > +10 % or so", "expected the end at character 13" },
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct failif f;
        struct err_ctx ctx = { 0 };
        CHECK(failif_parse(test_exact(str_of(bad[i][0])), &f, &ctx) == ERR_INVALID);
        CHECK(strstr(ctx.text, bad[i][1]) != NULL);
    }
    struct failif f;
    struct err_ctx ctx = { 0 };
    char text[FAILIF_TEXT_MAX + 1];
    memset(text, ' ', sizeof text);
    CHECK(failif_parse((struct str){ text, sizeof text }, &f, &ctx) == ERR_INVALID);
    CHECK(failif_parse((struct str){ "\xff > 1", 5 }, &f, &ctx) == ERR_INVALID);
}
