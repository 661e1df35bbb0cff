// SPDX-License-Identifier: Apache-2.0
// Worked values of the published rules.
#include "delivery/compat.h"

#include <math.h>

#include "base/test.h"

#define MINUTE 60000000000ll
#define HOUR (60 * MINUTE)
#define DAY (24 * HOUR)
#define SUNDAY (1767484800000000000ll) // 2026-01-04T00:00:00Z
#define MONDAY (SUNDAY + DAY)

static struct arena arena;
static struct compat_deploy deploys[64];
static struct compat_change changes[64];
static struct compat_incident incidents[64];
static struct compat_request requests[8];
static struct compat_facts facts;

static void begin(void) {
    arena_init(&arena, SIZE_MAX, NULL);
    facts = (struct compat_facts){
        .deploys = deploys, .changes = changes, .incidents = incidents, .requests = requests, .first_event = 1
    };
}

static void deploy(int64_t at) {
    deploys[facts.n_deploys++] =
        (struct compat_deploy){ STR("d"), STR("shop"), STR("aa"), at - MINUTE, at, true };
}
static void incident(int64_t at, int64_t resolved, const char *cause) {
    incidents[facts.n_incidents++] =
        (struct compat_incident){ STR("i"), STR("shop"), str_of(cause), at, resolved, 0 };
}

static struct compat_result run(enum compat c, int64_t from, int64_t to) {
    struct compat_result r;
    CHECK_OK(compat_run(&arena, c, &facts, from, to, NULL, NULL, &r));
    return r;
}

// Four weeks with so many days of deploys each.
static void weeks(int64_t from, unsigned days) {
    begin();
    for (unsigned week = 0; week < 4; week++)
        for (unsigned day = 0; day < days; day++) {
            deploy(from + (week * 7 + day) * DAY + HOUR);
            deploy(from + (week * 7 + day) * DAY + 2 * HOUR); // the same day: counted once
        }
}

static void frequency(enum compat c, int64_t from, unsigned days, const char *level) {
    weeks(from, days);
    struct compat_result r = run(c, from, from + 27 * DAY); // within January
    CHECK(r.defined && r.value == days && r.n == 8 * days);
    CHECK_STR(str_of(r.level), str_of(level));
    arena_fini(&arena);
}

TEST(compat_frequency_by_days_with_deploys) {
    frequency(COMPAT_FOURKEYS_FREQUENCY, SUNDAY, 4, "daily");
    frequency(COMPAT_FOURKEYS_FREQUENCY, SUNDAY, 3, "daily");
    frequency(COMPAT_FOURKEYS_FREQUENCY, SUNDAY, 2, "weekly");
    frequency(COMPAT_FOURKEYS_FREQUENCY, SUNDAY, 1, "weekly");
    frequency(COMPAT_DEVLAKE23_FREQUENCY, MONDAY, 5, "elite");
    frequency(COMPAT_DEVLAKE23_FREQUENCY, MONDAY, 4, "high");
    frequency(COMPAT_DEVLAKE23_FREQUENCY, MONDAY, 1, "high");
    frequency(COMPAT_DEVLAKE21_FREQUENCY, MONDAY, 4, "high");
}

// One deploy in two months of eight weeks.
TEST(compat_frequency_of_rare_deploys) {
    begin();
    deploy(MONDAY + 9 * DAY);
    CHECK_STR(str_of(run(COMPAT_DEVLAKE23_FREQUENCY, MONDAY, MONDAY + 20 * DAY).level), STR("medium"));
    CHECK_STR(str_of(run(COMPAT_DEVLAKE23_FREQUENCY, MONDAY, MONDAY + 100 * DAY).level), STR("low"));
    CHECK_STR(str_of(run(COMPAT_DEVLAKE21_FREQUENCY, MONDAY, MONDAY + 100 * DAY).level), STR("medium"));
    CHECK_STR(str_of(run(COMPAT_FOURKEYS_FREQUENCY, SUNDAY, SUNDAY + 100 * DAY).level), STR("yearly"));
    facts.first_event = SUNDAY + 20 * DAY; // fourkeys counts days after it only: then there is none
    struct compat_result r = run(COMPAT_FOURKEYS_FREQUENCY, SUNDAY, SUNDAY + 28 * DAY);
    CHECK(r.n == 0 && r.n_left_out == 1 && r.left_out[0].n == 1);
    facts.n_deploys = 0;
    CHECK(!run(COMPAT_DEVLAKE23_FREQUENCY, MONDAY, MONDAY + 20 * DAY).defined);
    arena_fini(&arena);
}

// 25 deploys, 24 of which two incidents name each, and one one: 49 rows over 25 deploys.
TEST(compat_fourkeys_failure_rate_can_exceed_one) {
    static char names[25][3];
    begin();
    for (unsigned i = 0; i < 25; i++) {
        deploy(SUNDAY + i * HOUR);
        names[i][0] = names[i][1] = (char)('a' + i);
        changes[facts.n_changes++] = (struct compat_change){ i, { names[i], 2 }, SUNDAY };
        for (unsigned k = i ? 0 : 1; k < 2; k++) incident(SUNDAY + i * HOUR, 0, names[i]);
    }
    struct compat_result r = run(COMPAT_FOURKEYS_FAILURE_RATE, SUNDAY, SUNDAY + 7 * DAY);
    CHECK(r.value == 1.96 && r.numerator == 49 && r.denominator == 25);
    CHECK_STR(str_of(r.level), STR("46-60 %"));
    arena_fini(&arena);
}

TEST(compat_fourkeys_times_are_whole_and_above_zero) {
    begin();
    deploy(SUNDAY + 10 * HOUR);
    int64_t at[] = { 10 * HOUR - 59000000000, 10 * HOUR - 90000000000, 9 * HOUR, 7 * HOUR, 11 * HOUR };
    for (unsigned i = 0; i < 5; i++)
        changes[facts.n_changes++] = (struct compat_change){ 0, STR("aa"), SUNDAY + at[i] };
    struct compat_result r = run(COMPAT_FOURKEYS_LEAD_TIME, SUNDAY, SUNDAY + DAY); // 1, 60 and 180 minutes
    CHECK(r.n == 3 && r.value == 3600 && r.left_out[0].n == 2);
    CHECK_STR(str_of(r.level), STR("one day"));
    incident(SUNDAY + HOUR, SUNDAY + 3 * HOUR - 1, ""); // 1 h
    incident(SUNDAY + HOUR, SUNDAY + 31 * HOUR, "");    // 30 h
    incident(SUNDAY + HOUR, 0, "");                     // open
    incidents[0].root = SUNDAY + HOUR - 30 * MINUTE;    // earlier than the incident: now 2 h
    r = run(COMPAT_FOURKEYS_RESTORE_TIME, SUNDAY, SUNDAY + DAY);
    CHECK(r.n == 2 && r.value == 16 * 3600 && r.left_out[0].n == 1);
    arena_fini(&arena);
}

// A deploy of long ago gets the incident, two incidents make one failed deploy, and the lower median.
TEST(compat_devlake_links_to_the_last_deploy) {
    begin();
    deploy(MONDAY);
    deploy(MONDAY + 30 * DAY);
    incident(MONDAY + 20 * DAY, MONDAY + 21 * DAY, "");
    incident(MONDAY + 22 * DAY, MONDAY + 22 * DAY + HOUR + 1, "");
    incident(MONDAY, MONDAY + HOUR, ""); // began as the deploy ended: nothing is before it
    struct compat_result r = run(COMPAT_DEVLAKE23_FAILURE_RATE, MONDAY, MONDAY + 40 * DAY);
    CHECK(r.numerator == 1 && r.denominator == 2);
    CHECK_STR(str_of(r.level), STR("low"));
    r = run(COMPAT_DEVLAKE23_RECOVERY_TIME, MONDAY, MONDAY + 40 * DAY);
    CHECK(r.n == 2 && r.value == 21 * 86400 && r.left_out[0].n == 1);
    r = run(COMPAT_DEVLAKE21_RESTORE_TIME, MONDAY, MONDAY + 40 * DAY); // 1 d, 1 h, 1 h: whole minutes
    CHECK(r.n == 3 && r.value == 3600);
    CHECK_STR(str_of(r.level), STR("high"));
    arena_fini(&arena);
}

// Parts rounded up to minutes; a part in the wrong order is 0.
TEST(compat_devlake_cycle_times) {
    begin();
    deploy(MONDAY + 10 * HOUR);
    requests[facts.n_requests++] = (struct compat_request){
        .first_commit = MONDAY, .opened = MONDAY + HOUR + 1, .merged = MONDAY + 2 * HOUR + 1
    }; // 61 + 60 + 480 minutes
    requests[facts.n_requests++] = (struct compat_request){ .first_commit = MONDAY + 5 * HOUR,
                                                            .opened = MONDAY + 4 * HOUR,
                                                            .merged = MONDAY + 6 * HOUR }; // 0 + 120 + 240
    struct compat_result r = run(COMPAT_DEVLAKE23_LEAD_TIME, MONDAY, MONDAY + DAY);
    CHECK(r.n == 2 && r.value == 360 * 60);
    CHECK_STR(str_of(r.level), STR("elite"));
    CHECK_STR(str_of(run(COMPAT_DEVLAKE21_LEAD_TIME, MONDAY, MONDAY + DAY).level), STR("high"));
    arena_fini(&arena);
}
