// SPDX-License-Identifier: Apache-2.0
#include "delivery/zone.h"

#include <time.h>

#include "base/test.h"

static struct arena arena;

static void put_be(struct buf *b, uint64_t v, unsigned n) {
    while (n--) buf_char(b, (char)(n < 8 ? v >> (8 * n) : 0));
}

// A file with one type for the past and a footer for all of time.
static enum err parse(int32_t past, const char *footer, struct zone *z) {
    struct buf b;
    buf_init(&b, SIZE_MAX);
    for (unsigned block = 0; block < 2; block++) {
        buf_str(&b, STR("TZif2"));
        for (unsigned i = 0; i < 15; i++) buf_char(&b, 0);
        put_be(&b, 0, 12);
        put_be(&b, block, 4); // transitions: one, long ago
        put_be(&b, 1, 4);
        put_be(&b, 4, 4);
        if (block) put_be(&b, (uint64_t)-4000000000ll, 8);
        if (block) buf_char(&b, 0);
        put_be(&b, (uint32_t)past, 4);
        put_be(&b, 0, 2);
        buf_str(&b, STR("LMT"));
        buf_char(&b, 0);
    }
    buf_fmt(&b, "\n%s\n", footer);
    enum err e = zone_parse(test_exact(buf_view(&b)), &arena, z);
    buf_fini(&b);
    return e;
}

static struct zone zone(const char *footer) {
    struct zone z;
    arena_init(&arena, SIZE_MAX, NULL);
    CHECK_OK(parse(0, footer, &z));
    return z;
}

static int64_t at(const char *text) { // 2026-03-29T01:00:00Z
    struct tm tm = { 0 };
    CHECK(strptime(text, "%Y-%m-%dT%H:%M:%SZ", &tm) != NULL);
    return (int64_t)timegm(&tm);
}

static void starts(const struct zone *z, enum period p, const char *moment, const char *from,
                   const char *to) {
    CHECK(period_start(z, p, at(moment) * 1000000000) == at(from) * 1000000000);
    CHECK(period_next(z, p, at(moment) * 1000000000) == at(to) * 1000000000);
}

TEST(zone_periods_in_utc) {
    struct zone z = { 0 };
    starts(&z, PERIOD_DAY, "2026-02-28T23:59:59Z", "2026-02-28T00:00:00Z", "2026-03-01T00:00:00Z");
    starts(&z, PERIOD_WEEK, "2026-01-01T00:00:00Z", "2025-12-29T00:00:00Z", "2026-01-05T00:00:00Z");
    starts(&z, PERIOD_WEEK, "2026-01-05T00:00:00Z", "2026-01-05T00:00:00Z", "2026-01-12T00:00:00Z");
    starts(&z, PERIOD_WEEK, "2026-01-04T23:59:59Z", "2025-12-29T00:00:00Z", "2026-01-05T00:00:00Z");
    starts(&z, PERIOD_MONTH, "2024-02-29T12:00:00Z", "2024-02-01T00:00:00Z", "2024-03-01T00:00:00Z");
    starts(&z, PERIOD_MONTH, "2026-12-31T12:00:00Z", "2026-12-01T00:00:00Z", "2027-01-01T00:00:00Z");
    starts(&z, PERIOD_QUARTER, "2026-05-31T12:00:00Z", "2026-04-01T00:00:00Z", "2026-07-01T00:00:00Z");
    starts(&z, PERIOD_DAY, "1969-12-31T12:00:00Z", "1969-12-31T00:00:00Z", "1970-01-01T00:00:00Z");
}

// Central Europe: 23 hours on 2026-03-29, 25 on 2026-10-25.
TEST(zone_days_are_as_long_as_they_are) {
    struct zone z = zone("CET-1CEST,M3.5.0,M10.5.0/3");
    starts(&z, PERIOD_DAY, "2026-03-29T12:00:00Z", "2026-03-28T23:00:00Z", "2026-03-29T22:00:00Z");
    starts(&z, PERIOD_DAY, "2026-10-25T12:00:00Z", "2026-10-24T22:00:00Z", "2026-10-25T23:00:00Z");
    starts(&z, PERIOD_DAY, "2026-07-01T21:59:59Z", "2026-06-30T22:00:00Z", "2026-07-01T22:00:00Z");
    starts(&z, PERIOD_WEEK, "2026-03-29T21:59:59Z", "2026-03-22T23:00:00Z", "2026-03-29T22:00:00Z");
    starts(&z, PERIOD_MONTH, "2026-03-15T00:00:00Z", "2026-02-28T23:00:00Z", "2026-03-31T22:00:00Z");
    CHECK(zone_offset(&z, at("2026-03-29T00:59:59Z")) == 3600);
    CHECK(zone_offset(&z, at("2026-03-29T01:00:00Z")) == 7200);
    CHECK(zone_offset(&z, at("2026-10-25T00:59:59Z")) == 7200);
    CHECK(zone_offset(&z, at("2026-10-25T01:00:00Z")) == 3600);
    arena_fini(&arena);
}

// Clocks that jump over midnight (forward on the last Sunday of March at 0:00), and that go back over it
// (on the last Sunday of October at 0:00, to 23:00): the day begins at the jump, and with its first midnight.
TEST(zone_midnight_need_not_exist) {
    struct zone z = zone("EET-2EEST,M3.5.0/0,M10.5.0/0");
    starts(&z, PERIOD_DAY, "2026-03-29T12:00:00Z", "2026-03-28T22:00:00Z", "2026-03-29T21:00:00Z");
    starts(&z, PERIOD_DAY, "2026-10-24T12:00:00Z", "2026-10-23T21:00:00Z", "2026-10-24T22:00:00Z");
    arena_fini(&arena);
    z = zone("AZOT1AZOST,M3.5.0/0,M10.5.0/1"); // 1:00 becomes 0:00: the day begins with the first 0:00
    starts(&z, PERIOD_DAY, "2026-10-25T12:00:00Z", "2026-10-25T00:00:00Z", "2026-10-26T01:00:00Z");
    arena_fini(&arena);
}

TEST(zone_saving_in_the_south_and_by_day_of_the_year) {
    struct zone z = zone("AEST-10AEDT,M10.1.0,M4.1.0/3");
    CHECK(zone_offset(&z, at("2026-01-01T00:00:00Z")) == 11 * 3600);
    CHECK(zone_offset(&z, at("2026-07-01T00:00:00Z")) == 10 * 3600);
    CHECK(zone_offset(&z, at("2026-04-04T15:59:59Z")) == 11 * 3600);
    CHECK(zone_offset(&z, at("2026-04-04T16:00:00Z")) == 10 * 3600);
    arena_fini(&arena);
    z = zone("X5Y,J60/2,300/25:30:01"); // J60 is always March 1; 300 counts from 0, and passes midnight
    CHECK(zone_offset(&z, at("2024-03-01T06:59:59Z")) == -5 * 3600);
    CHECK(zone_offset(&z, at("2024-03-01T07:00:00Z")) == -4 * 3600);
    CHECK(zone_offset(&z, at("2026-10-29T05:30:00Z")) == -4 * 3600);
    CHECK(zone_offset(&z, at("2026-10-29T05:30:01Z")) == -5 * 3600);
    arena_fini(&arena);
}

TEST(zone_refuses_what_is_damaged) {
    static const char *const bad[] = { "CET",
                                       "CET-1CEST",
                                       "CET-1CEST,M3.5.0",
                                       "CET-1CEST,M13.5.0,M10.5.0",
                                       "CET-1CEST,M3.0.0,M10.5.0",
                                       "-1",
                                       "CET-1x!",
                                       "CET-99",
                                       "<+01-1" };
    struct zone z;
    struct err_ctx ctx = { 0 };
    arena_init(&arena, SIZE_MAX, NULL);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) CHECK(parse(0, bad[i], &z) == ERR_CORRUPT);
    CHECK(parse(30 * 3600, "UTC0", &z) == ERR_CORRUPT);
    CHECK_OK(parse(0, "", &z));
    CHECK(zone_parse(STR("TZif2"), &arena, &z) == ERR_CORRUPT);
    CHECK(zone_load(disk_real(), STR("../../../etc/passwd"), &arena, &z, &ctx) == ERR_INVALID);
    CHECK(zone_load(disk_real(), STR("No/Such_Zone"), &arena, &z, &ctx) == ERR_INVALID);
    CHECK_OK(zone_load(disk_real(), STR("UTC"), &arena, &z, &ctx));
    CHECK(zone_offset(&z, 0) == 0);
    arena_fini(&arena);
}
