// SPDX-License-Identifier: Apache-2.0
#include "delivery/gauges_keeper.h"

#include <math.h>
#include <unistd.h>

#include "base/test.h"
#include "delivery/fixture_test.h"
#include "os/clock.h"

#define MINUTE 60000000000ll
#define DAY (24 * 60 * MINUTE)
#define T0 1767225600000000000ll // 2026-01-01

static void take(struct delivery *d, const char *type, struct str data) {
    static unsigned serial;
    struct buf body;
    buf_init(&body, SIZE_MAX);
    buf_fmt(
        &body,
        "{\"specversion\":\"1.0\",\"id\":\"%u\",\"source\":\"t\",\"type\":\"dev.takt.%s\",\"data\":{%.*s}}",
        serial++, type, STR_ARG(data));
    struct delivery_taken taken = fixture_take(d, "events", "", buf_view(&body), T0 + 40 * DAY);
    CHECK_U64(taken.unknown + taken.aside, 0);
    buf_fini(&body);
}

// A good rollout that ends at this day of January 2026.
static void deploy(struct delivery *d, const char *service, unsigned version, const char *environment,
                   unsigned day) {
    char data[1024];
    int n = snprintf(data, sizeof data,
                     "\"id\":\"%s %s %u\",\"service\":\"%s\",\"environment\":\"%s\",\"version\":\"v%u\","
                     "\"state\":\"success\",\"succeeded_at\":\"2026-01-%02uT00:00:00Z\","
                     "\"ended_at\":\"2026-01-%02uT00:00:00Z\"",
                     service, environment, version, service, environment, version, day, day);
    CHECK(n > 0 && (size_t)n < sizeof data);
    take(d, "deploy", (struct str){ data, (size_t)n });
}

static enum err gauges_of(struct delivery *d, struct arena *a, int64_t now, struct gauges *out) {
    struct db *db;
    TRY(delivery_reader(d, &db));
    enum err e = gauges_read(db, a, now, 0, out);
    delivery_reader_done(d, db);
    return e;
}

static bool near(double a, double b) {
    return fabs(a - b) <= 1e-9 * fabs(b);
}

TEST(gauges_are_the_measures_of_each_service_in_production) {
    struct delivery *d = fixture_delivery(test_dir());
    struct gauges g;
    struct arena a;
    arena_init(&a, SIZE_MAX, NULL);
    for (unsigned v = 1; v <= 4; v++) deploy(d, "shop", v, "production", v * 2);
    deploy(d, "ledger", 1, "production", 3);
    deploy(d, "ledger", 2, "staging", 4);
    deploy(d, "tests", 1, "staging", 5);
    take(d, "incident",
         STR("\"id\":\"i1\",\"service\":\"shop\",\"state\":\"resolved\",\"caused_by\":\"v4\","
             "\"started_at\":\"2026-01-08T01:00:00Z\",\"resolved_at\":\"2026-01-08T03:00:00Z\""));
    CHECK_OK(gauges_of(d, &a, T0 + 9 * DAY, &g));
    CHECK(g.n == 2 && g.left_out == 0 && g.to == T0 + 9 * DAY + 1000000000);
    CHECK_STR(g.services[0].name, STR("ledger"));
    CHECK_U64(g.services[0].deployments, 1);
    CHECK(near(g.services[0].values[GAUGE_FREQUENCY], 1. / 30));
    CHECK(isnan(g.services[0].values[GAUGE_RECOVERY_TIME]) && isnan(g.services[0].values[GAUGE_LEAD_TIME]));
    CHECK(g.services[0].values[GAUGE_FAILURE_RATE] == 0);
    CHECK_STR(g.services[1].name, STR("shop"));
    CHECK(near(g.services[1].values[GAUGE_FREQUENCY], 4. / 30));
    CHECK(near(g.services[1].values[GAUGE_FAILURE_RATE], 1. / 4));
    CHECK(near(g.services[1].values[GAUGE_RECOVERY_TIME], 3 * 3600));
    CHECK_OK(gauges_of(d, &a, T0 + 34 * DAY, &g)); // what ended before the fifth is over
    CHECK(near(g.services[1].values[GAUGE_FREQUENCY], 2. / 30) && g.services[0].deployments == 0);
    CHECK(g.services[0].values[GAUGE_FREQUENCY] == 0 && isnan(g.services[0].values[GAUGE_FAILURE_RATE]));
    arena_fini(&a);
    delivery_close(d);
}

TEST(gauges_of_too_many_services_are_those_that_deploy_the_most) {
    enum { MORE = 5 };
    struct delivery *d = fixture_delivery(test_dir());
    struct gauges g;
    struct arena a;
    char name[GAUGES_NAME_MAX + 2];
    arena_init(&a, SIZE_MAX, NULL);
    for (unsigned i = 0; i < GAUGES_SERVICES_MAX + MORE; i++) {
        (void)snprintf(name, sizeof name, "s%03u", i);
        deploy(d, name, 1, "production", 2);
        if (i >= GAUGES_SERVICES_MAX) deploy(d, name, 2, "production", 3);
    }
    memset(name, 'x', sizeof name - 1);
    name[sizeof name - 1] = '\0';
    deploy(d, name, 1, "production", 2);
    CHECK_OK(gauges_of(d, &a, T0 + 9 * DAY, &g));
    CHECK_U64(g.n, GAUGES_SERVICES_MAX);
    CHECK_U64(g.left_out, MORE + 1);
    CHECK_STR(g.services[0].name, STR("s000")); // of equals the first by name
    CHECK_STR(g.services[GAUGES_SERVICES_MAX - MORE - 1].name, STR("s194"));
    CHECK_STR(g.services[GAUGES_SERVICES_MAX - 1].name, STR("s204"));
    arena_fini(&a);
    delivery_close(d);
}

TEST(gauges_without_memory_are_an_error_and_change_nothing) {
    struct delivery *d = fixture_delivery(test_dir());
    struct gauges g = { .n = 7 };
    struct arena a;
    enum err e = ERR_NOMEM;
    deploy(d, "shop", 1, "production", 2);
    for (uint64_t n = 1; e != ERR_OK && n < 1000; n++) {
        arena_init(&a, SIZE_MAX, NULL);
        mem_fail_at(n, false);
        e = gauges_of(d, &a, T0 + 9 * DAY, &g);
        mem_fail_at(0, false);
        CHECK(e == ERR_OK || (e == ERR_NOMEM && g.n == 7));
        if (e != ERR_OK) arena_fini(&a);
    }
    CHECK(e == ERR_OK && g.n == 1);
    arena_fini(&a);
    delivery_close(d);
}

static void copy_gauges(void *ctx, const struct gauges *g) {
    *(struct gauges *)ctx = *g;
}

static void wait_for(struct gauges_keeper *k, uint32_t n) {
    struct gauges g = { 0 };
    for (unsigned i = 0; i < 6000 && (!g.to || g.n != n); i++) {
        gauges_keeper_see(k, copy_gauges, &g);
        (void)usleep(5000);
    }
    CHECK(g.to && g.n == n);
}

TEST(gauges_are_read_anew_when_facts_change) {
    struct delivery *d = fixture_delivery(test_dir());
    struct gauges_keeper *k;
    deploy(d, "shop", 1, "production", 2);
    CHECK_OK(gauges_keeper_start(&(struct gauges_keeper_opts){ .delivery = d,
                                                               .clock = clock_real(),
                                                               .every_ns = 1000 * DAY, // not by itself
                                                               .soonest_ns = 1000000 },
                                 &k));
    wait_for(k, 1);
    deploy(d, "ledger", 1, "production", 2);
    wait_for(k, 2);
    gauges_keeper_stop(k);
    delivery_close(d);
}
