// SPDX-License-Identifier: Apache-2.0
#include "delivery/answer_deploy.h"

#include "base/test.h"
#include "delivery/fixture_test.h"

struct shop {
    struct delivery *d;
    struct arena a;
    unsigned events;
};

static struct shop shop_open(void) {
    struct shop s = { .d = fixture_delivery(test_dir()) };
    arena_init(&s.a, SIZE_MAX, NULL);
    return s;
}
static void shop_close(struct shop *s) {
    delivery_close(s->d);
    arena_fini(&s->a);
}

// time: of the day, as 10:00
static void tell(struct shop *s, const char *kind, const char *time, const char *data) {
    struct str body =
        str_fmt(&s->a,
                "{\"specversion\":\"1.0\",\"id\":\"%u\",\"source\":\"t\",\"type\":\"dev.takt.%s\","
                "\"time\":\"2026-01-02T%s:00Z\",\"data\":%s}",
                ++s->events, kind, time, data);
    CHECK_U64(fixture_take(s->d, "events", "", body, 1790000000000000000ll).aside, 0);
}

static void deploy(struct shop *s, const char *version, const char *target, const char *time,
                   const char *state) {
    struct str data =
        str_fmt(&s->a,
                "{\"id\":\"%s %s %s\",\"service\":\"shop\",\"environment\":\"production\",\"version\":"
                "\"%s\",\"target\":\"%s\",\"state\":\"%s\",\"run\":\"r %s\",\"started_at\":"
                "\"2026-01-02T%s:00Z\",\"ended_at\":\"2026-01-02T%s:30Z\"}",
                version, target, time, version, target, state, version, time, time);
    tell(s, "deploy", time, str_z(&s->a, data));
}

static struct str ask(struct shop *s, const char *name) {
    struct buf b;
    struct err_ctx ctx = { 0 };
    buf_init(&b, 1 << 20);
    struct json_writer w = json_writer_on(&b);
    CHECK_OK(answer_deploy(s->d, str_of(name), &w, &ctx));
    struct str said = str_dup(&s->a, buf_view(&b));
    buf_fini(&b);
    return said;
}

static bool holds(struct str s, const char *part) {
    return memmem(s.ptr, s.len, part, strlen(part)) != NULL;
}

static void fill(struct shop *s) {
    deploy(s, "v1", "eu", "08:00", "success");
    tell(s, "canary", "09:50",
         "{\"id\":\"c\",\"service\":\"shop\",\"version\":\"v2\",\"state\":\"progressing\",\"weight\":5}");
    tell(s, "canary", "09:55", "{\"id\":\"c\",\"weight\":50}");
    tell(s, "canary", "09:59", "{\"id\":\"c\",\"state\":\"promoted\"}");
    tell(s, "run", "09:00", "{\"key\":\"r v2\",\"name\":\"pipeline\",\"state\":\"done\"}");
    tell(s, "task", "09:10",
         "{\"key\":\"t v2\",\"run\":\"r v2\",\"name\":\"unit tests\",\"state\":\"done\"}");
    deploy(s, "v2", "eu", "10:00", "success");
    deploy(s, "v2", "us", "10:10", "failure");
    deploy(s, "v2", "us", "10:20", "success");
    tell(s, "incident", "10:40",
         "{\"id\":\"i\",\"service\":\"shop\",\"title\":\"shop is down\",\"state\":\"triggered\"}");
    deploy(s, "v1", "eu", "11:00", "success");
}

TEST(answer_deploy_tells_what_is_known_of_a_rollout) {
    struct shop s = shop_open();
    fill(&s);
    struct str said = ask(&s, "takt:v2 eu 10:00");
    CHECK(holds(said, "\"attempts\":3") && holds(said, "\"targets\":2"));
    CHECK(holds(said, "\"attempts\":[{\"key\":\"takt:v2 eu 10:00\"") &&
          holds(said, "\"key\":\"takt:v2 us 10:20\""));
    CHECK(!holds(said, "\"key\":\"takt:v1")); // the attempts of other rollouts are theirs
    CHECK(
        holds(said, "\"steps\":[{\"time\":\"1767347400000000000\",\"state\":\"progressing\",\"weight\":5}"));
    CHECK(holds(said, "\"name\":\"pipeline\"") && holds(said, "\"name\":\"unit tests\""));
    CHECK(holds(said, "\"rule\":\"near\"") && holds(said, "\"title\":\"shop is down\"") &&
          holds(said, "\"rank\":7"));
    CHECK(!holds(ask(&s, "takt:v1 eu 08:00"), "takt:v1 eu 11:00")); // another rollout of the same version
    CHECK(holds(said, "\"previous\":{") && holds(said, "\"next\":{"));
    shop_close(&s);
}

TEST(answer_deploy_keeps_what_a_person_denied) {
    struct shop s = shop_open();
    fill(&s);
    tell(&s, "verdict", "12:00",
         "{\"incident\":\"takt:i\",\"rollout\":\"takt:v2 eu 10:00\",\"says\":\"deny\",\"said_by\":\"ann\"}");
    struct str said = ask(&s, "takt:v2 eu 10:00");
    CHECK(!holds(said, "\"rule\":\"near\""));
    CHECK(holds(said, "\"verdicts\":[{\"incident\":\"takt:i\",\"says\":\"deny\",\"by\":\"ann\""));
    shop_close(&s);
}

static enum err put_history(struct db *db, void *ctx) {
    (void)ctx;
    TRY(db_run(db, "INSERT INTO rollout_commit SELECT id, x'0102', 1, 2, 1, 'ann', 'a commit' FROM rollout"));
    return db_run(db, "INSERT INTO change(key, number, title, merge_sha) VALUES('c', 7, 'a change', '0102'),"
                      " ('d', 8, 'of others', '0103')");
}

TEST(answer_deploy_tells_what_it_brought) {
    struct shop s = shop_open();
    deploy(&s, "v1", "eu", "08:00", "success");
    (void)ask(&s, "takt:v1 eu 08:00"); // settles
    CHECK_OK(delivery_write(s.d, put_history, NULL));
    struct str said = ask(&s, "takt:v1 eu 08:00");
    CHECK(holds(
        said, "\"commits\":[{\"sha\":\"0102\",\"author\":\"ann\",\"subject\":\"a commit\",\"authored\":\"1\","
              "\"committed\":\"2\",\"bot\":true}]"));
    CHECK(holds(said, "\"change_requests\":[{\"key\":\"c\",\"number\":7,\"title\":\"a change\"}]"));
    shop_close(&s);
}

TEST(answer_deploy_of_no_rollout_is_an_error) {
    struct shop s = shop_open();
    fill(&s);
    static const char *const names[] = { "", "none", "0123456789abcdef", "0123456789abcdeg" };
    for (unsigned i = 0; i < 4; i++) {
        struct buf b;
        struct err_ctx ctx = { 0 };
        buf_init(&b, 1 << 20);
        struct json_writer w = json_writer_on(&b);
        CHECK(answer_deploy(s.d, str_of(names[i]), &w, &ctx) == (i ? ERR_NOT_FOUND : ERR_INVALID));
        CHECK(ctx.text[0]);
        buf_fini(&b);
    }
    shop_close(&s);
}
