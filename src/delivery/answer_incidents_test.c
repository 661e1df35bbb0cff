// SPDX-License-Identifier: Apache-2.0
// Lists of incidents and of alerts by team.
#include "base/test.h"
#include "delivery/answer.h"
#include "delivery/catalogue.h"
#include "delivery/catalogue_store.h"
#include "delivery/fixture_test.h"

#define HOUR 3600000000000ll
#define DAY (24 * HOUR)
#define NOW (20484 * DAY) // 2026-01-31

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

static void take(struct shop *s, const char *source, struct str body) {
    CHECK_U64(fixture_take(s->d, source, "", body, NOW).aside, 0);
}
// time: "30T10:00" of January 2026
static void tell(struct shop *s, const char *kind, const char *time, const char *data) {
    take(s, "events",
         str_fmt(&s->a,
                 "{\"specversion\":\"1.0\",\"id\":\"%u\",\"source\":\"t\",\"type\":\"dev.takt.%s\","
                 "\"time\":\"2026-01-%s:00Z\",\"data\":%s}",
                 ++s->events, kind, time, data));
}
static void alert(struct shop *s, const char *print, const char *start, const char *end, const char *labels) {
    take(s, "alertmanager",
         str_fmt(&s->a,
                 "{\"version\":\"4\",\"alerts\":[{\"status\":\"%s\",\"fingerprint\":\"%s\",\"startsAt\":"
                 "\"2026-01-%s:00Z\",\"endsAt\":\"2026-01-%s:00Z\",\"labels\":{\"alertname\":\"late\",%s}}]}",
                 *end ? "resolved" : "firing", print, start, *end ? end : start, labels));
}

static struct str ask(struct shop *s,
                      enum err (*answer)(struct delivery *, const struct answer_ask *, struct json_writer *,
                                         struct err_ctx *),
                      struct answer_ask question) {
    struct buf b;
    struct err_ctx ctx = { 0 };
    buf_init(&b, 1 << 20);
    struct json_writer w = json_writer_on(&b);
    if (!question.to) question.to = question.now = NOW;
    if (answer(s->d, &question, &w, &ctx) != ERR_OK) test_fail(__FILE__, __LINE__, ctx.text);
    struct str said = str_dup(&s->a, buf_view(&b));
    buf_fini(&b);
    return said;
}
#define INCIDENTS(s, ...) ask(s, answer_incidents, (struct answer_ask){ __VA_ARGS__ })
#define ALERTS(s, ...) ask(s, answer_alerts, (struct answer_ask){ __VA_ARGS__ })

static bool holds(struct str s, const char *part) {
    return memmem(s.ptr, s.len, part, strlen(part)) != NULL;
}
// The keys of the list, as "a b c".
static struct str keys(struct shop *s, struct str answer) {
    struct str key = { 0 }, all = STR("");
    for (;;) {
        const char *at = memmem(answer.ptr, answer.len, "{\"key\":\"takt:", 13);
        if (!at) return all;
        answer = str_sub(answer, (size_t)(at - answer.ptr) + 13, answer.len);
        (void)str_cut(answer, '"', &key, &answer);
        all = str_fmt(&s->a, "%.*s%s%.*s", STR_ARG(all), all.len ? " " : "", STR_ARG(key));
    }
}

static void fill(struct shop *s) {
    tell(s, "deploy", "30T10:00",
         "{\"id\":\"d1\",\"service\":\"shop\",\"environment\":\"production\",\"version\":\"v1\",\"state\":"
         "\"success\",\"started_at\":\"2026-01-30T09:50:00Z\",\"succeeded_at\":\"2026-01-30T10:00:00Z\"}");
    tell(s, "incident", "30T13:00",
         "{\"id\":\"near\",\"service\":\"shop\",\"title\":\"slow\",\"severity\":3,\"state\":\"triggered\","
         "\"started_at\":\"2026-01-30T12:30:00Z\"}");
    tell(s, "incident", "30T12:00",
         "{\"id\":\"worst\",\"service\":\"cart\",\"severity\":1,\"state\":\"triggered\"}");
    tell(s, "incident", "30T12:05",
         "{\"id\":\"again\",\"service\":\"cart\",\"state\":\"triggered\",\"duplicate_of\":\"takt:worst\"}");
    tell(s, "incident", "10T12:00",
         "{\"id\":\"old\",\"service\":\"shop\",\"state\":\"triggered\",\"started_at\":\"2026-01-10T11:00:"
         "00Z\"}");
    tell(s, "incident", "10T13:00", "{\"id\":\"old\",\"state\":\"resolved\"}");
    tell(s, "incident", "29T12:00",
         "{\"id\":\"staged\",\"service\":\"shop\",\"environment\":\"staging\",\"state\":\"triggered\"}");
    tell(s, "incident", "20T12:00",
         "{\"id\":\"over\",\"service\":\"cart\",\"severity\":1,\"state\":\"triggered\"}");
    tell(s, "incident", "21T12:00", "{\"id\":\"over\",\"state\":\"resolved\"}");
}

TEST(incidents_stand_open_first_and_the_worst_on_top) {
    struct shop s = shop_open();
    fill(&s);
    struct str all = INCIDENTS(&s, .from = NOW - 15 * DAY);
    CHECK_STR(keys(&s, all), STR("worst near over"));
    CHECK(holds(all, "\"all\":3,\"open\":2,\"duplicates\":1"));
    CHECK_STR(keys(&s, INCIDENTS(&s, .from = NOW - 30 * DAY)), STR("worst near over old"));
    CHECK_STR(keys(&s, INCIDENTS(&s, .from = NOW - 1)), STR("worst near"));
    shop_close(&s);
}

TEST(incidents_of_a_scope_and_a_limit) {
    struct shop s = shop_open();
    fill(&s);
    CHECK_STR(keys(&s, INCIDENTS(&s, .from = NOW - 30 * DAY, .scope.service = STR("shop"))), STR("near old"));
    CHECK_STR(keys(&s, INCIDENTS(&s, .from = NOW - 30 * DAY, .scope.environment = STR("staging"))),
              STR("worst near staged over old"));
    struct str cut = INCIDENTS(&s, .from = NOW - 30 * DAY, .limit = 1);
    CHECK_STR(keys(&s, cut), STR("worst"));
    CHECK(holds(cut, "\"all\":4,\"open\":2"));
    CHECK_STR(keys(&s, INCIDENTS(&s, .from = NOW - 30 * DAY, .to = NOW - 15 * DAY)), STR("old"));
    shop_close(&s);
}

TEST(an_incident_names_its_cause_with_the_evidence) {
    struct shop s = shop_open();
    fill(&s);
    struct str one = INCIDENTS(&s, .from = NOW - DAY, .scope.service = STR("shop"));
    CHECK(holds(one, "\"severity\":3"));
    CHECK(holds(one, "\"cause\":{\"rollout\":"));
    CHECK(holds(one, "\"rule\":\"near\",\"rank\":7,\"decides\":true,\"says\":"));
    CHECK(holds(one, "\"service\":\"shop\",\"version\":\"v1\""));
    CHECK(holds(one, "\"candidates\":1}"));
    CHECK(!holds(INCIDENTS(&s, .from = NOW - DAY, .scope.service = STR("cart")), "cause"));
    tell(&s, "flag_change", "30T11:55", "{\"service\":\"cart\",\"flag\":\"fast\",\"action\":\"on\"}");
    tell(&s, "deploy", "28T10:00",
         "{\"id\":\"c1\",\"service\":\"cart\",\"environment\":\"production\",\"version\":\"v1\",\"state\":"
         "\"success\"}");
    CHECK(
        holds(INCIDENTS(&s, .from = NOW - DAY, .scope.service = STR("cart")), "\"flag\":{\"name\":\"fast\""));
    shop_close(&s);
}

static enum err keep_catalogue(struct db *db, void *ctx) {
    struct err_ctx why = { 0 };
    return catalogue_keep(db, ctx, STR(""), &why);
}
static void list_services(struct shop *s, const char *yaml) {
    struct catalogue c;
    struct err_ctx ctx = { 0 };
    CHECK_OK(catalogue_read_yaml(str_of(yaml), "services.yaml", &s->a, &c, &ctx));
    CHECK_OK(delivery_write(s->d, keep_catalogue, &c));
}

TEST(alerts_by_team_and_week) {
    struct shop s = shop_open();
    list_services(&s, "{\"services\":{\"shop\":{\"team\":\"web\"}}}");
    alert(&s, "a1", "30T10:00", "", "\"service\":\"shop\",\"team\":\"other\"");
    alert(&s, "a2", "30T10:00", "30T11:00", "\"service\":\"shop\",\"takt_incident\":\"true\"");
    alert(&s, "a3", "20T10:00", "20T11:00", "\"service\":\"shop\"");
    alert(&s, "a4", "30T10:00", "", "\"team\":\"data\"");
    alert(&s, "a5", "30T10:00", "30T10:10", "\"severity\":\"page\"");
    tell(&s, "incident", "29T12:00",
         "{\"id\":\"paged\",\"service\":\"shop\",\"state\":\"triggered\",\"detected_by\":\"pagerduty\"}");
    tell(&s, "incident", "29T13:00",
         "{\"id\":\"seen\",\"service\":\"shop\",\"state\":\"triggered\",\"detected_by\":\"person\"}");
    struct str all = ALERTS(&s, .from = 1);
    CHECK(holds(all, "{\"team\":\"web\",\"weeks\":[3,1,0,0,0],\"firing\":2,\"incidents\":3}"));
    CHECK(holds(all, "{\"team\":\"data\",\"weeks\":[1,0,0,0,0],\"firing\":1,\"incidents\":0}"));
    CHECK(holds(all, "{\"weeks\":[1,0,0,0,0],\"firing\":0,\"incidents\":0}"));
    struct str web = ALERTS(&s, .from = 1, .scope.team = STR("web"));
    CHECK(holds(web, "\"web\"") && !holds(web, "\"data\""));
    CHECK(holds(ALERTS(&s, .from = 1, .to = NOW - 7 * DAY), "{\"team\":\"web\",\"weeks\":[1,0,0,0,0]"));
    shop_close(&s);
}

// How an incident's impact is known to have begun: "BY MINUTE", the minute of 2026-01-30T12.
static struct str impact_of(struct shop *s, const char *id) {
    struct db *db;
    struct db_row *r;
    bool row;
    CHECK_OK(delivery_reader(s->d, &db));
    CHECK_OK(db_prepare(db,
                        "SELECT ifnull(impact_by, '-') || ifnull(strftime(' %H:%M', impact_at / 1000000000, "
                        "'unixepoch'), '') FROM incident_impact WHERE incident = ?",
                        &r));
    struct str key = str_fmt(&s->a, "takt:%s", id);
    db_bind_text(r, 1, key);
    CHECK_OK(db_step(r, &row));
    CHECK(row);
    struct str got = str_dup(&s->a, db_text(r, 0));
    db_reset(r);
    delivery_reader_done(s->d, db);
    return got;
}
static void says_onset(struct shop *s, const char *id, const char *began) {
    take(s, "takt/onset",
         str_fmt(
             &s->a,
             "{\"incident\":\"takt:%s\",\"service\":\"shop\",\"environment\":\"production\",\"detectedAt\":"
             "\"1769774400000000000\",%s\"computedAt\":\"1769778000000000000\",\"final\":false,\"state\":\"%"
             "s%s\","
             "\"evidence\":\"9 %% failed\"}",
             id, began, id, began[0] ? "1" : "0"));
}

TEST(answer_impact_begins_as_told_else_by_traces_alert_and_rollout) {
    struct shop s = shop_open();
    for (int i = 1; i <= 2; i++) {
        char data[400];
        (void)snprintf(
            data, sizeof data,
            "{\"id\":\"d%d\",\"service\":\"shop\",\"environment\":\"production\",\"version\":\"v%d\","
            "\"state\":\"success\",\"started_at\":\"2026-01-30T11:%d0:00Z\",\"succeeded_at\":"
            "\"2026-01-30T11:%d5:00Z\"}",
            i, i, i, i);
        tell(&s, "deploy", i == 1 ? "30T11:15" : "30T11:25", data);
    }
    // Near is not surely to blame; named is; one that had not ended when it was noticed cannot be it.
    tell(&s, "incident", "30T12:00", "{\"id\":\"near\",\"service\":\"shop\",\"state\":\"triggered\"}");
    CHECK_STR(impact_of(&s, "near"), STR("-"));
    tell(&s, "incident", "30T12:00",
         "{\"id\":\"i\",\"service\":\"shop\",\"state\":\"triggered\",\"caused_by\":\"v1\"}");
    CHECK_STR(impact_of(&s, "i"), STR("rollout 11:15"));
    tell(&s, "incident", "30T11:20",
         "{\"id\":\"early\",\"service\":\"shop\",\"state\":\"triggered\",\"caused_by\":\"v2\"}");
    CHECK_STR(impact_of(&s, "early"), STR("-"));
    tell(&s, "incident", "30T12:00", "{\"id\":\"i\",\"condition_at\":\"2026-01-30T11:50:00Z\"}");
    CHECK_STR(impact_of(&s, "i"), STR("alert 11:50"));
    says_onset(&s, "i", "\"beganAt\":\"1769773860000000000\","); // 11:51
    CHECK_STR(impact_of(&s, "i"), STR("traces 11:51"));
    CHECK(holds(INCIDENTS(&s, .from = NOW - 7 * DAY),
                "\"impact_by\":\"traces\",\"impact_says\":\"9 % failed\""));
    tell(&s, "incident", "30T12:00", "{\"id\":\"i\",\"started_at\":\"2026-01-30T11:40:00Z\"}");
    CHECK_STR(impact_of(&s, "i"), STR("told 11:40"));
    CHECK_OK(delivery_reprocess(s.d, NULL, NULL));
    CHECK_STR(impact_of(&s, "i"), STR("told 11:40"));
    shop_close(&s);
}

TEST(answer_impact_of_traces_that_turned_out_to_show_nothing_is_taken_back) {
    struct shop s = shop_open();
    tell(&s, "incident", "30T12:00", "{\"id\":\"i\",\"service\":\"shop\",\"state\":\"triggered\"}");
    says_onset(&s, "i", "\"beganAt\":\"1769773860000000000\",");
    CHECK_STR(impact_of(&s, "i"), STR("traces 11:51"));
    take(&s, "takt/onset",
         STR("{\"incident\":\"takt:i\",\"service\":\"shop\",\"environment\":\"production\",\"detectedAt\":"
             "\"1769774400000000000\",\"computedAt\":\"1769778000000000001\",\"final\":true,\"state\":\"x\","
             "\"evidence\":\"no\"}"));
    CHECK_STR(impact_of(&s, "i"), STR("-"));
    shop_close(&s);
}
