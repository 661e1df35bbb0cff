// SPDX-License-Identifier: Apache-2.0
#include "intake/stamp.h"

#include "base/test.h"

static const struct {
    const char *text, *want; // want: printed again; NULL: refused
} texts[] = {
    { "2021-04-28T21:50:00Z", "2021-04-28T21:50:00Z" },
    { "2021-04-28t21:50:00z", "2021-04-28T21:50:00Z" },
    { "2021-04-28 21:50:00 UTC", "2021-04-28T21:50:00Z" },
    { "2021-04-28 21:50:00 +0200", "2021-04-28T19:50:00Z" },
    { "2021-04-28 21:50:00 -1200", "2021-04-29T09:50:00Z" },
    { "2021-04-28T21:50:00+14:00", "2021-04-28T07:50:00Z" },
    { "2021-04-28T21:50:00.5+0530", "2021-04-28T16:20:00.500Z" },
    { "2021-04-28T21:50:00.000001Z", "2021-04-28T21:50:00.000001Z" },
    { "2021-04-28T21:50:00.123456789123Z", "2021-04-28T21:50:00.123456789Z" },
    { "2021-04-28", "2021-04-28T00:00:00Z" },
    { "2016-12-31T23:59:60Z", "2017-01-01T00:00:00Z" },
    { "2017-01-01T01:59:60.25+02:00", "2017-01-01T00:00:00.250Z" },
    { "2000-02-29T00:00:00Z", "2000-02-29T00:00:00Z" },
    { "1969-12-31T23:59:59.999Z", "1969-12-31T23:59:59.999Z" },
    { "1678-01-01T00:00:00Z", "1678-01-01T00:00:00Z" },
    { "2261-12-31T23:59:59.999999999Z", "2261-12-31T23:59:59.999999999Z" },
    { "0001-01-01T00:00:00Z", "1970-01-01T00:00:00Z" }, // Go's zero: no time
    { "2016-12-31T22:59:60Z", NULL },
    { "2021-04-28T21:50:00", NULL },
    { "2021-04-28 21:50:00 CEST", NULL },
    { "2021-04-28T21:50Z", NULL },
    { "2021-04-28T21:50:00.Z", NULL },
    { "2021-04-28T21:50:00Z ", NULL },
    { " 2021-04-28T21:50:00Z", NULL },
    { "2021-02-29", NULL },
    { "1900-02-29", NULL },
    { "2021-13-01", NULL },
    { "2021-00-10", NULL },
    { "2021-04-31", NULL },
    { "2021-4-3", NULL },
    { "2021-04-28T24:00:00Z", NULL },
    { "2021-04-28T21:60:00Z", NULL },
    { "2021-04-28T21:50:61Z", NULL },
    { "2021-04-28T21:50:00+24:00", NULL },
    { "2021-04-28T21:50:00+02", NULL },
    { "28.04.2021", NULL },
    { "1619646600", NULL },
    { "", NULL },
};

TEST(stamp_reads_what_tools_write_and_nothing_else) {
    for (unsigned i = 0; i < sizeof texts / sizeof *texts; i++) {
        char out[STAMP_TEXT_SIZE];
        int64_t ns;
        bool ok = stamp_read(test_exact(str_of(texts[i].text)), &ns);
        if (ok != (texts[i].want != NULL)) test_fail(__FILE__, __LINE__, texts[i].text);
        if (ok) CHECK_STR(stamp_print(ns, out), str_of(texts[i].want));
    }
}

TEST(stamp_knows_times_that_it_cannot_tell) {
    int64_t ns;
    CHECK(stamp_read(STR("9999-12-31T23:59:59Z"), &ns) && ns == STAMP_BEYOND);
    CHECK(stamp_read(STR("1066-10-14"), &ns) && ns == STAMP_BEFORE);
    CHECK(stamp_of(INT64_MAX, 1000) == STAMP_BEYOND && stamp_of(INT64_MIN, 1000) == STAMP_BEFORE);
}

TEST(stamp_counts_of_all_units) {
    const int64_t want = 1619646600000000000;
    CHECK(stamp_of(1619646600, 1000000000) == want);
    CHECK(stamp_guess(1619646600) == want);
    CHECK(stamp_guess(1619646600000) == want);
    CHECK(stamp_guess(1619646600000000) == want);
    CHECK(stamp_guess(want) == want);
}

// Every printed time is read again as the same.
TEST(stamp_prints_what_it_reads) {
    for (int i = 0; i < 20000; i++) {
        char out[STAMP_TEXT_SIZE];
        int64_t ns = (int64_t)test_below(9200000000000000000) * (test_below(2) ? 1 : -1), again;
        if (test_below(2)) ns -= ns % 1000000;
        CHECK(stamp_read(stamp_print(ns, out), &again));
        CHECK_U64(again, ns);
    }
}

TEST(stamp_months_begin_at_midnight_of_their_first) {
    static const struct {
        const char *time, *month;
    } cases[] = {
        { "2026-01-01T00:00:00Z", "2026-01-01T00:00:00Z" },
        { "2026-01-31T23:59:59.999999999Z", "2026-01-01T00:00:00Z" },
        { "2024-02-29T12:00:00Z", "2024-02-01T00:00:00Z" },
        { "1969-12-31T23:59:59.5Z", "1969-12-01T00:00:00Z" },
        { "1970-01-01T00:00:00Z", "1970-01-01T00:00:00Z" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[STAMP_TEXT_SIZE];
        int64_t ns;
        CHECK(stamp_read(str_of(cases[i].time), &ns));
        CHECK_STR(stamp_print(stamp_month(ns), text), str_of(cases[i].month));
    }
    CHECK(stamp_month(INT64_MIN) == STAMP_BEFORE);
    CHECK(stamp_month(stamp_month(INT64_MAX)) == stamp_month(INT64_MAX));
}

TEST(stamp_lengths_are_whole_numbers_with_units) {
    static const struct {
        const char *text;
        int64_t ms;
    } good[] = { { "5m", 300000 }, { "1h30m", 5400000 }, { "90s", 90000 },   { "500ms", 500 },
                 { "0s", 0 },      { "1m500ms", 60500 }, { "1d", 86400000 }, { "2w", 1209600000 } };
    static const char *const bad[] = { "",     "5",  "m",   "5 m",  "-5m",
                                       "1.5h", "5y", "5mm", "400d", "99999999999999999999s" };
    int64_t ns = 7;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        CHECK(!stamp_length(test_exact(str_of(bad[i])), &ns));
    CHECK_U64(ns, 7);
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        CHECK(stamp_length(test_exact(str_of(good[i].text)), &ns));
        CHECK_U64(ns, good[i].ms * 1000000);
    }
}
