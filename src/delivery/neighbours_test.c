// SPDX-License-Identifier: Apache-2.0
#include "delivery/neighbours.h"

#include "base/test.h"
#include "delivery/answer.h"
#include "delivery/answer_deploy.h"
#include "delivery/delivery.h"

#define MINUTE 60000000000ll
#define DAY (24 * 60 * MINUTE)
#define T0 1767225600000000000ll // 2026-01-01

static struct delivery *open_here(void) {
    struct delivery *d;
    struct err_ctx ctx = { 0 };
    CHECK_OK(delivery_open(&(struct delivery_opts){ .dir = test_dir() }, &d, &ctx));
    return d;
}

static void take(struct delivery *d, const char *type, const char *data) {
    static unsigned serial;
    struct arena a;
    struct intake in;
    struct delivery_taken taken;
    struct err_ctx ctx = { 0 };
    struct intake_header header = { STR("content-type"), STR("application/cloudevents+json") };
    arena_init(&a, SIZE_MAX, NULL);
    struct intake_request r = { .source = STR("events"),
                                .headers = &header,
                                .n_headers = 1,
                                .body = str_fmt(&a,
                                                "{\"specversion\":\"1.0\",\"id\":\"%u\",\"source\":\"t\","
                                                "\"type\":\"dev.takt.%s\",\"data\":{%s}}",
                                                serial++, type, data),
                                .received = T0 + 40 * DAY };
    CHECK_OK(intake_read(&r, &a, &in, &ctx));
    CHECK_OK(delivery_take(d, &r, &in, &taken));
    CHECK_U64(taken.unknown + taken.aside, 0);
    arena_fini(&a);
}

static void deploy(struct delivery *d, const char *service, const char *time) {
    char data[512];
    (void)snprintf(data, sizeof data,
                   "\"id\":\"%s\",\"key\":\"%s\",\"service\":\"%s\",\"environment\":\"production\","
                   "\"version\":\"v1\",\"state\":\"success\",\"succeeded_at\":\"%s\",\"ended_at\":\"%s\"",
                   service, service, service, time, time);
    take(d, "deploy", data);
}

struct keeping {
    struct neighbours seen;
    int64_t now;
};
static enum err keep(struct db *db, void *ctx) {
    const struct keeping *k = ctx;
    return neighbours_keep(db, &k->seen, k->now);
}
static void see(struct delivery *d, const char *caller, const char *callee, int64_t first, int64_t last) {
    struct neighbours_seen s = { str_of(caller), str_of(callee), first, last };
    CHECK_OK(delivery_write(d, keep, &(struct keeping){ { .items = &s, .n = 1 }, last }));
}

static int64_t number(struct delivery *d, const char *sql) {
    struct db *db;
    int64_t n;
    CHECK_OK(delivery_reader(d, &db));
    CHECK_OK(db_number(db, sql, &n));
    delivery_reader_done(d, db);
    return n;
}

static bool says(const struct buf *b, const char *text) {
    return memmem(b->ptr, b->len, text, strlen(text)) != NULL;
}

static bool deploy_says(struct delivery *d, const char *deploy, const char *text) {
    struct buf b;
    struct err_ctx ctx = { 0 };
    buf_init(&b, SIZE_MAX);
    struct json_writer w = json_writer_on(&b);
    CHECK_OK(answer_deploy(d, str_of(deploy), &w, &ctx));
    bool said = says(&b, text);
    buf_fini(&b);
    return said;
}

TEST(neighbours_keep_the_first_and_the_last_time_and_forget) {
    struct delivery *d = open_here();
    see(d, "", "cart", T0 + DAY, T0 + DAY);
    see(d, "", "cart", T0, T0);
    see(d, "", "cart", T0 + DAY, T0 + DAY + 1); // too little to be written
    CHECK_U64(number(d, "SELECT first_at FROM seen_service"), T0);
    CHECK_U64(number(d, "SELECT last_at FROM seen_service"), T0 + DAY);
    see(d, "", "cart", T0 + 2 * DAY, T0 + 2 * DAY);
    CHECK_U64(number(d, "SELECT last_at FROM seen_service"), T0 + 2 * DAY);
    see(d, "shop", "cart", T0 + 2 * DAY, T0 + 2 * DAY);
    see(d, "", "shop", T0 + 33 * DAY, T0 + 33 * DAY);
    CHECK_U64(number(d, "SELECT count(*) FROM seen_service"), 1);
    CHECK_U64(number(d, "SELECT count(*) FROM seen_call"), 0);
    delivery_close(d);
}

TEST(neighbours_that_are_too_many_are_left_out) {
    struct delivery *d = open_here();
    static struct neighbours_seen all[NEIGHBOURS_SERVICES_MAX + 2];
    struct arena a;
    arena_init(&a, SIZE_MAX, NULL);
    for (uint32_t i = 0; i < sizeof all / sizeof *all; i++)
        all[i] = (struct neighbours_seen){ STR(""), str_fmt(&a, "s%u", i), T0, T0 };
    struct keeping k = { { .items = all, .n = sizeof all / sizeof *all }, T0 };
    CHECK_OK(delivery_write(d, keep, &k));
    CHECK_U64(number(d, "SELECT count(*) FROM seen_service"), NEIGHBOURS_SERVICES_MAX);
    all[0].last = T0 + DAY; // what is kept goes on being seen
    CHECK_OK(delivery_write(d, keep, &k));
    CHECK_U64(number(d, "SELECT last_at FROM seen_service WHERE service = 's0'"), T0 + DAY);
    arena_fini(&a);
    delivery_close(d);
}

TEST(catalogue_says_where_a_service_was_seen_and_what_it_needs) {
    struct delivery *d = open_here();
    struct buf b;
    struct err_ctx ctx = { 0 };
    buf_init(&b, SIZE_MAX);
    struct json_writer w = json_writer_on(&b);
    deploy(d, "cart", "2026-01-02T00:00:00Z");
    see(d, "", "cart", T0, T0);
    see(d, "", "shop", T0, T0);
    see(d, "shop", "cart", T0, T0 + DAY);
    CHECK_OK(answer_catalogue(d, &w, &ctx));
    CHECK(says(&b, "{\"service\":\"cart\",\"deploys\":1,\"seen\":[\"events\",\"traces\"],\"lastInTraces\":"
                   "\"1767225600000000000\"},{\"service\":\"shop\",\"deploys\":0,\"seen\":[\"traces\"]"));
    CHECK(says(&b, "\"dependencies\":[{\"service\":\"shop\",\"needs\":\"cart\",\"inTraces\":true,"
                   "\"firstInTraces\":\"1767225600000000000\",\"lastInTraces\":\"1767312000000000000\"}]"));
    buf_fini(&b);
    delivery_close(d);
}

// An incident of the shop, which calls the cart and is called by the app: of their rollouts the last one.
TEST(incident_without_a_cause_of_its_own_names_the_last_rollout_of_a_neighbour) {
    struct delivery *d = open_here();
    const char *candidate = "\"rule\":\"near\",\"incident\":\"takt:i1\"";
    deploy(d, "cart", "2026-01-02T00:00:00Z");
    deploy(d, "app", "2026-01-01T23:00:00Z");
    deploy(d, "other", "2026-01-02T00:30:00Z");
    take(d, "incident",
         "\"id\":\"i1\",\"service\":\"shop\",\"state\":\"triggered\",\"started_at\":"
         "\"2026-01-02T01:00:00Z\"");
    CHECK(!deploy_says(d, "cart", candidate)); // nobody knows yet who calls whom
    see(d, "shop", "cart", T0, T0);
    see(d, "app", "shop", T0, T0);
    CHECK(deploy_says(d, "cart", candidate));
    CHECK(deploy_says(d, "cart", "shop calls it; the last rollout among such services, 60 min before"));
    CHECK(!deploy_says(d, "app", candidate) && !deploy_says(d, "other", candidate));
    take(d, "verdict", "\"incident\":\"takt:i1\",\"rollout\":\"cart\",\"says\":\"deny\"");
    CHECK(!deploy_says(d, "cart", candidate));
    delivery_close(d);
}

TEST(incident_with_a_cause_of_its_own_or_a_day_later_names_no_neighbour) {
    struct delivery *d = open_here();
    const char *candidate = "\"rule\":\"near\"";
    see(d, "shop", "cart", T0, T0);
    deploy(d, "cart", "2026-01-02T00:00:00Z");
    take(d, "incident",
         "\"id\":\"late\",\"service\":\"shop\",\"state\":\"triggered\",\"started_at\":"
         "\"2026-01-03T00:00:01Z\"");
    CHECK(!deploy_says(d, "cart", candidate));
    take(d, "incident",
         "\"id\":\"i2\",\"service\":\"shop\",\"environment\":\"staging\","
         "\"state\":\"triggered\","
         "\"started_at\":\"2026-01-02T01:00:00Z\"");
    CHECK(!deploy_says(d, "cart", candidate));
    take(d, "incident",
         "\"id\":\"i3\",\"service\":\"shop\",\"state\":\"triggered\",\"started_at\":"
         "\"2026-01-02T01:00:00Z\"");
    CHECK(deploy_says(d, "cart", "takt:i3"));
    deploy(d, "shop", "2026-01-01T12:00:00Z"); // its own rollout within the day stands before
    CHECK(!deploy_says(d, "cart", candidate) && deploy_says(d, "shop", "takt:i3"));
    delivery_close(d);
}
