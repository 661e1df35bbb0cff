// SPDX-License-Identifier: Apache-2.0
#include "delivery/neighbours.h"

#include "base/test.h"
#include "delivery/answer.h"
#include "delivery/answer_deploy.h"
#include "delivery/calls.h"
#include "delivery/delivery.h"
#include "delivery/fixture_test.h"

#define MINUTE 60000000000ll
#define DAY (24 * 60 * MINUTE)
#define T0 1767225600000000000ll // 2026-01-01

static void take(struct delivery *d, const char *type, const char *data) {
    static unsigned serial;
    struct buf body;
    buf_init(&body, SIZE_MAX);
    buf_fmt(&body,
            "{\"specversion\":\"1.0\",\"id\":\"%u\",\"source\":\"t\",\"type\":\"dev.takt.%s\",\"data\":{%s}}",
            serial++, type, data);
    struct delivery_taken taken = fixture_take(d, "events", "", buf_view(&body), T0 + 40 * DAY);
    CHECK_U64(taken.unknown + taken.aside, 0);
    buf_fini(&body);
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
    struct delivery *d = fixture_delivery(test_dir());
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
    struct delivery *d = fixture_delivery(test_dir());
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
    struct delivery *d = fixture_delivery(test_dir());
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

// --- calls as events ---------------------------------------------------------------------------------------

struct finding {
    struct arena arena;
    struct neighbours seen;
    struct calls calls;
};
static enum err find(struct db *db, void *ctx) {
    struct finding *f = ctx;
    return calls_find(db, &f->arena, &f->seen, &f->calls);
}
// What a look at traces does with them; the number of calls that were new.
static uint32_t record(struct delivery *d, struct neighbours_seen *seen, uint32_t n, int64_t now) {
    struct finding f = { .seen = { .items = seen, .n = n } };
    arena_init(&f.arena, SIZE_MAX, NULL);
    CHECK_OK(delivery_write(d, find, &f));
    CHECK_OK(calls_tell(d, &f.arena, &f.calls, now));
    uint32_t fresh = f.calls.n;
    arena_fini(&f.arena);
    return fresh;
}

TEST(calls_are_told_once_a_month) {
    struct delivery *d = fixture_delivery(test_dir());
    struct neighbours_seen seen[] = {
        { STR(""), STR("cart"), T0, T0 },
        { STR("shop"), STR("cart"), T0 + 5, T0 + 9 },
        { STR("shop"), STR("cart"), T0 + 31 * DAY, T0 + 31 * DAY },
        { STR("a"), STR("b:c"), T0, T0 },
        { STR("a:b"), STR("c"), T0, T0 },
        { STR("\xff"), STR("cart"), T0, T0 }, // no text
    };
    int64_t now = T0 + 32 * DAY;
    CHECK_U64(record(d, seen, 6, now), 4);
    CHECK_U64(number(d, "SELECT count(*) FROM event WHERE source = 'takt/call' AND type = 'call'"), 4);
    CHECK_U64(number(d, "SELECT count(*) FROM call"), 4);
    CHECK_U64(number(d, "SELECT first_at FROM call WHERE caller = 'shop' AND month_at = 1767225600000000000"),
              T0 + 5);
    seen[1].first++; // as another look, or another start, has it
    CHECK_U64(record(d, seen, 6, now), 0);
    CHECK_U64(number(d, "SELECT count(*) FROM event"), 4);
    CHECK_OK(delivery_reprocess(d, NULL, NULL));
    CHECK_U64(number(d, "SELECT count(*) FROM call"), 4);
    delivery_close(d);
}

TEST(calls_of_a_month_are_bounded) {
    struct delivery *d = fixture_delivery(test_dir());
    enum { MORE = NEIGHBOURS_CALLS_MAX + 5 };
    static struct neighbours_seen all[MORE + 1];
    struct arena a;
    arena_init(&a, SIZE_MAX, NULL);
    for (uint32_t i = 0; i < MORE; i++)
        all[i] = (struct neighbours_seen){ STR("shop"), str_fmt(&a, "s%u", i), T0, T0 };
    all[MORE] = (struct neighbours_seen){ STR("shop"), STR("cart"), T0 + 31 * DAY, T0 + 31 * DAY };
    CHECK_U64(record(d, all, MORE + 1, T0 + 32 * DAY), NEIGHBOURS_CALLS_MAX + 1);
    CHECK_U64(number(d, "SELECT count(*) FROM call"), NEIGHBOURS_CALLS_MAX + 1);
    CHECK_U64(record(d, all, MORE + 1, T0 + 32 * DAY), 0);
    arena_fini(&a);
    delivery_close(d);
}

static void call(struct delivery *d, const char *caller, const char *callee) {
    struct neighbours_seen s = { str_of(caller), str_of(callee), T0, T0 };
    (void)record(d, &s, 1, T0 + 40 * DAY);
}

// An incident of the shop, which calls the cart and is called by the app: of their rollouts the last one.
TEST(incident_without_a_cause_of_its_own_names_the_last_rollout_of_a_neighbour) {
    struct delivery *d = fixture_delivery(test_dir());
    const char *link = "\"rule\":\"near\",\"incident\":\"takt:i1\",\"decides\":true";
    deploy(d, "cart", "2026-01-02T00:00:00Z");
    deploy(d, "app", "2026-01-01T23:00:00Z");
    deploy(d, "other", "2026-01-02T00:30:00Z");
    take(d, "incident",
         "\"id\":\"i1\",\"service\":\"shop\",\"state\":\"triggered\",\"started_at\":"
         "\"2026-01-02T01:00:00Z\"");
    CHECK(!deploy_says(d, "cart", link)); // nobody knows yet who calls whom
    call(d, "shop", "cart");
    call(d, "app", "shop");
    CHECK(deploy_says(d, "cart", link));
    CHECK(deploy_says(d, "cart",
                      "shop calls it, as traces of 2026-01 show; the last rollout among such "
                      "services, 60 min before"));
    CHECK(deploy_says(d, "cart", "\"neighbour\":true"));
    CHECK(!deploy_says(d, "app", link) && !deploy_says(d, "other", link));
    take(d, "verdict", "\"incident\":\"takt:i1\",\"rollout\":\"cart\",\"says\":\"deny\"");
    CHECK(!deploy_says(d, "cart", link) && deploy_says(d, "app", link));
    CHECK_OK(delivery_reprocess(d, NULL, NULL));
    CHECK(!deploy_says(d, "cart", link) && deploy_says(d, "app", link));
    delivery_close(d);
}

// What was known then: the facts up to an event, the calls that were told by then among them.
TEST(facts_of_then_know_the_calls_of_then) {
    struct delivery *d = fixture_delivery(test_dir());
    struct db *then;
    uint64_t since;
    int64_t n;
    struct err_ctx ctx = { 0 };
    deploy(d, "cart", "2026-01-02T00:00:00Z");
    take(d, "incident",
         "\"id\":\"i1\",\"service\":\"shop\",\"state\":\"triggered\",\"started_at\":"
         "\"2026-01-02T01:00:00Z\"");
    int64_t as_of = number(d, "SELECT max(id) FROM event");
    call(d, "shop", "cart");
    CHECK_U64(number(d, "SELECT count(*) FROM rollout WHERE failure = 'near'"), 1);
    CHECK_OK(delivery_then(d, as_of, &since, &then, &ctx));
    CHECK_OK(db_number(then, "SELECT count(*) FROM rollout WHERE failure = 'near'", &n));
    CHECK_U64(n, 0);
    delivery_then_done(d, then);
    CHECK_OK(delivery_then(d, as_of + 1, &since, &then, &ctx));
    CHECK_OK(db_number(then, "SELECT count(*) FROM rollout WHERE failure = 'near'", &n));
    CHECK_U64(n, 1);
    delivery_then_done(d, then);
    delivery_close(d);
}
