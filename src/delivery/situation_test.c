// SPDX-License-Identifier: Apache-2.0
// What rules and failure modes look at beside measures, counted from events.
#include "delivery/situation.h"

#include "base/test.h"
#include "delivery/fixture_test.h"

#define HOUR (3600 * 1000000000ll)
#define NOW (1767225600000000000ll + 24 * HOUR) // 2026-01-02

static struct delivery *d;
static struct arena arena;

static void begin(void) {
    arena_init(&arena, SIZE_MAX, NULL);
    d = fixture_delivery(test_dir());
}
static void end(void) {
    delivery_close(d);
    arena_fini(&arena);
}

static void take(const char *source, struct str body) {
    struct delivery_taken taken = fixture_take(d, source, "", body, NOW);
    CHECK_U64(taken.unknown + taken.aside, 0);
}
static void tell_of(const char *service, const char *type, struct str data) {
    static unsigned serial;
    take("events",
         str_fmt(&arena,
                 "{\"specversion\":\"1.0\",\"id\":\"%u\",\"source\":\"t\",\"type\":\"dev.takt.%s\",\"data\":{"
                 "\"service\":\"%s\",\"environment\":\"production\",%.*s}}",
                 serial++, type, service, STR_ARG(data)));
}
static void tell(const char *type, struct str data) {
    tell_of("shop", type, data);
}

// A rollout of the version at noon, its canary until one, and what traces showed of both versions.
static void ship(unsigned version, const char *canary, unsigned weight, const char *phase, unsigned old,
                 unsigned new) {
    struct db *db;
    struct db_row *r;
    bool row;
    tell("deploy", str_fmt(&arena,
                           "\"id\":\"d%u\",\"version\":\"v%u\",\"state\":\"success\",\"started_at\":"
                           "\"2026-01-01T12:00:%02uZ\",\"succeeded_at\":\"2026-01-01T13:00:%02uZ\"",
                           version, version, version, version));
    tell("canary", str_fmt(&arena,
                           "\"id\":\"c%u\",\"version\":\"v%u\",\"state\":\"%s\",\"most_weight\":%u,"
                           "\"started_at\":\"2026-01-01T12:00:00Z\",\"ended_at\":\"2026-01-01T13:00:00Z\"",
                           version, version, canary, weight));
    CHECK_OK(delivery_reader(d, &db));
    CHECK_OK(db_prepare(db, "SELECT printf('%016x', id) FROM rollout WHERE version = ?", &r));
    db_bind_text(r, 1, str_fmt(&arena, "v%u", version));
    CHECK_OK(db_step(r, &row));
    CHECK(row);
    struct str id = str_dup(&arena, db_text(r, 0));
    db_reset(r);
    delivery_reader_done(d, db);
    take(
        "takt",
        str_fmt(
            &arena,
            "{\"rollout\":\"%.*s\",\"service\":\"shop\",\"environment\":\"production\",\"verdict\":\"clean\","
            "\"phase\":\"%s\",\"state\":\"%u\",\"arms\":{\"old\":{\"requests\":%u},\"new\":{\"requests\":%u}}"
            "}",
            STR_ARG(id), phase, version, old, new));
}

static struct finding_facts facts_since(int64_t from, int64_t now) {
    struct db *db;
    struct finding_facts f;
    struct situation_ask ask = { .from = from, .to = now, .now = now };
    CHECK_OK(delivery_reader(d, &db));
    CHECK_OK(situation_read(db, &arena, &ask, &f));
    delivery_reader_done(d, db);
    return f;
}

static struct finding_facts facts_at(int64_t now) {
    return facts_since(now - 24 * HOUR, now);
}

static struct finding_name misrouted_at(int64_t now) {
    return facts_at(now).misrouted;
}
static struct finding_name misrouted(void) {
    return misrouted_at(NOW);
}

// A quiet fortnight of Takt's own notes is no gap in the data; one of a source is.
TEST(situation_own_notes_are_no_source) {
    begin();
    for (unsigned i = 0; i < 8; i++) ship(i, "promoted", 10, "concurrent", 100, 900 + i);
    for (unsigned i = 0; i < 30; i++)
        take("takt",
             str_fmt(&arena,
                     "{\"rollout\":\"%016x\",\"service\":\"shop\",\"environment\":\"production\",\"verdict\":"
                     "\"clean\",\"phase\":\"concurrent\",\"state\":\"x\"}",
                     i));
    CHECK_U64(facts_at(NOW + 14 * 24 * HOUR).silent.share.n, 0); // 16 events of a source: no habit yet
    for (unsigned i = 8; i < 11; i++) ship(i, "promoted", 10, "concurrent", 100, 900);
    struct finding_facts f = facts_at(NOW + 14 * 24 * HOUR);
    CHECK(f.silent.share.k == 1 && f.silent.share.n == 1);
    CHECK_STR(f.silent.text, STR("events"));
    end();
}

// v2 had 200 of 1000 requests at 20 %, v3 had 300 of 1000 at 10 %: one of two. Of v4, which was promoted, of
// v5, which was compared before and after, of v6 at 100 % and of v7 without a weight it cannot be told; v8
// had exactly twice its weight.
TEST(situation_canaries_that_got_more_than_their_weight) {
    begin();
    ship(4, "promoted", 10, "concurrent", 100, 900);
    ship(5, "failed", 10, "before-after", 100, 900);
    ship(6, "failed", 100, "concurrent", 100, 900);
    ship(7, "failed", 0, "concurrent", 100, 900);
    CHECK_U64(misrouted().share.n, 0);
    ship(2, "failed", 20, "concurrent", 800, 200);
    CHECK(misrouted().share.k == 0 && misrouted().share.n == 1);
    ship(3, "failed", 10, "concurrent", 700, 300);
    struct finding_name found = misrouted();
    CHECK(found.share.k == 1 && found.share.n == 2);
    CHECK_STR(found.text, STR("shop v3 had 30 % of the requests at a weight of 10 %"));
    ship(8, "failed", 25, "concurrent", 500, 500);
    CHECK(misrouted().share.k == 1 && misrouted().share.n == 3);
    end();
}

// What traces showed of version v after it was rolled out.
static void show(const char *v, const char *what) {
    take("takt",
         str_fmt(&arena,
                 "{\"rollout\":\"%s\",\"service\":\"shop\",\"environment\":\"production\",\"version\":\"%s\","
                 "\"verdict\":\"clean\",\"state\":\"%s\"%s}",
                 v, v, v, what));
}
// Routes or spans that vanished count where they would have been missed.
TEST(situation_rollouts_that_hide_routes_or_spans) {
    begin();
    ship(1, "promoted", 10, "none", 0, 0);
    show("a", "");
    show("b", ",\"vanished\":{\"routes\":3,\"testable\":0,\"lost\":[]}");
    CHECK_U64(facts_at(NOW + 1).vanished.share.n, 0);
    show("c", ",\"vanished\":{\"routes\":3,\"testable\":2,\"lost\":[]}");
    show("d", ",\"spansPerRequest\":{\"old\":4,\"new\":4,\"lost\":false}");
    struct finding_name v = facts_at(NOW + 1).vanished;
    CHECK(v.share.k == 0 && v.share.n == 2);
    show(
        "e",
        ",\"vanished\":{\"routes\":3,\"testable\":2,\"lost\":[{\"route\":\"/p\"}]},\"blind\":\"/p is gone\"");
    show("f", ",\"spansPerRequest\":{\"old\":4,\"new\":1,\"lost\":true},\"blind\":\"fewer spans\"");
    v = facts_at(NOW + 1).vanished;
    CHECK(v.share.k == 2 && v.share.n == 4);
    CHECK_STR(v.text, STR("shop e: /p is gone")); // all of one moment: the first by its key
    end();
}

// By its steps a canary had far too few, too, where enough were to be expected; those say it, also of a
// promoted one, and not the most of the weights.
TEST(situation_canaries_that_got_less_than_their_weight) {
    begin();
    ship(1, "promoted", 50, "none", 0, 0);
    show("a", ",\"canary\":{\"requests\":99,\"expected\":199,\"all\":900}"); // too few to tell
    CHECK_U64(misrouted_at(NOW + 1).share.n, 0);
    show("b", ",\"canary\":{\"requests\":100,\"expected\":200,\"all\":900}");  // just half
    show("c", ",\"canary\":{\"requests\":400,\"expected\":200,\"all\":900}");  // just twice
    show("e", ",\"canary\":{\"requests\":201,\"expected\":100,\"all\":9000}"); // by one point
    struct finding_name m = misrouted_at(NOW + 1);
    CHECK(m.share.k == 0 && m.share.n == 3);
    show("d", ",\"canary\":{\"requests\":99,\"expected\":200,\"all\":900}");
    m = misrouted_at(NOW + 1);
    CHECK(m.share.k == 1 && m.share.n == 4);
    CHECK_STR(m.text, STR("shop d had 99 of 900 requests, its weights said 200"));
    show("f", ",\"canary\":{\"requests\":401,\"expected\":200,\"all\":900}");
    CHECK_U64(misrouted_at(NOW + 1).share.k, 2);
    end();
}

// n rollouts, of which the first `failed` caused an incident.
static void fail(const char *service, unsigned failed, unsigned n) {
    for (unsigned i = 0; i < n; i++)
        tell_of(service, "deploy",
                str_fmt(&arena,
                        "\"id\":\"%s%u\",\"version\":\"v%u\",\"state\":\"success\",\"succeeded_at\":"
                        "\"2026-01-01T12:%02u:00Z\"",
                        service, i, i, i));
    for (unsigned i = 0; i < failed; i++)
        tell_of(service, "incident",
                str_fmt(&arena,
                        "\"id\":\"i%s%u\",\"state\":\"triggered\",\"detected_at\":\"2026-01-01T14:00:00Z\","
                        "\"caused_by\":\"v%u\"",
                        service, i, i));
}

// Two of five are 40 %, perhaps 12 %; sixteen of fifty are surely more than 20 %.
TEST(situation_the_worst_service_is_the_one_that_surely_is) {
    begin();
    fail("few", 2, 5);
    fail("many", 16, 50);
    fail("none", 0, 9);
    struct finding_name found = facts_at(NOW).worst_service;
    CHECK_STR(found.text, STR("many"));
    CHECK(found.share.k == 16 && found.share.n == 50);
    end();
}

// Of which some are open for so long that their nanoseconds together are beyond an int64.
TEST(situation_rollouts_are_summed_over_services) {
    const uint64_t centuries = 200ull * 365 * 24 * 3600, half_a_day = 12 * 3600;
    begin();
    fail("few", 1, 2);
    fail("many", 3, 4);
    struct finding_facts f = facts_since(NOW - 24 * HOUR, NOW + (int64_t)centuries * 1000000000);
    CHECK_STR(f.failed_time.text, STR("many"));
    CHECK_U64(f.failed_time.share.k, 3 * (centuries + half_a_day) - 60 - 120);
    CHECK_U64(f.failed_time.share.n, 4 * (centuries + half_a_day) - 60 - 120);
    CHECK(f.rollouts == 6 && f.services == 2);
    CHECK(f.unowned.k == 2 && f.unowned.n == 2);
    CHECK(f.untagged.k == 0 && f.untagged.n == 6 && f.mixed.n == 6 && f.rollback_errors.n == 0);
    CHECK(!f.worst_service.text.len); // of so few none is the worst
    end();
}

// A rollback after which an incident of what it took back went on for two hours; a source whose run ended
// before it began; a deploy that waited four hours for ann.
TEST(situation_signs_of_failure_modes) {
    begin();
    for (unsigned i = 1; i <= 2; i++)
        tell("deploy",
             str_fmt(&arena,
                     "\"id\":\"d%u\",\"version\":\"v%u\",\"state\":\"success\",\"trigger_kind\":"
                     "\"approved\",\"actor\":\"ann\",\"queued_at\":\"2026-01-01T0%u:00:00Z\",\"started_at\":"
                     "\"2026-01-01T05:0%u:00Z\",\"succeeded_at\":\"2026-01-01T05:1%u:00Z\"",
                     i, i, 3 - i, i, i));
    tell("deploy", STR("\"id\":\"back\",\"version\":\"v1\",\"kind\":\"rollback\",\"state\":\"success\","
                       "\"succeeded_at\":\"2026-01-01T06:00:00Z\""));
    CHECK(facts_at(NOW).rollback_errors.k == 0 && facts_at(NOW).rollback_errors.n == 1);
    CHECK_U64(facts_at(NOW).backwards.share.k, 0);
    tell("incident",
         STR("\"id\":\"i\",\"state\":\"resolved\",\"detected_at\":\"2026-01-01T05:30:00Z\","
             "\"resolved_at\":\"2026-01-01T08:00:00Z\",\"caused_by\":\"v2\",\"detected_by\":\"person\""));
    tell_of("cart", "incident",
            STR("\"id\":\"pd:1\",\"state\":\"resolved\",\"detected_at\":\"2026-01-01T05:00:00Z\","
                "\"resolved_at\":\"2026-01-01T04:00:00Z\""));
    struct finding_facts f = facts_at(NOW);
    CHECK(f.rollback_errors.k == 1 && f.rollback_errors.n == 1);
    CHECK(f.backwards.share.k == 1 && f.backwards.share.n > 1);
    CHECK_STR(f.backwards.text, STR("takt"));
    CHECK(f.unseen.k == 1 && f.elsewhere.k == 0 && f.elsewhere.n == 1);
    CHECK(f.approved_wait.k == 2 && f.approved_wait.n == 2);
    CHECK_STR(f.held, STR("the longest: shop v2, 4.03 h, let go by ann"));
    end();
}

static void page(const char *service, const char *title, const char *at) {
    static unsigned serial;
    tell_of(service, "incident",
            str_fmt(&arena, "\"id\":\"page %u\",\"title\":\"%s\",\"detected_at\":\"%s\"", serial++, title,
                    at));
}

// Again: what its service had under its title up to 30 days before. At the same moment is not before.
TEST(situation_incidents_that_come_again) {
    begin();
    page("shop", "down", "2025-12-02T10:00:00Z");
    page("shop", "slow", "2025-12-02T09:59:59Z");
    CHECK_U64(facts_at(NOW).repeated.n, 0);
    page("shop", "down", "2026-01-01T10:00:00Z"); // 30 days after
    CHECK(facts_at(NOW).repeated.k == 1 && facts_at(NOW).repeated.n == 1);
    page("shop", "slow", "2026-01-01T10:00:00Z"); // a second more than that
    page("cart", "down", "2026-01-01T10:00:00Z");
    page("shop", "twin", "2026-01-01T10:00:00Z");
    page("shop", "twin", "2026-01-01T10:00:00Z");
    page("shop", "", "2026-01-01T11:00:00Z");
    page("shop", "", "2026-01-01T12:00:00Z");
    CHECK(facts_at(NOW).repeated.k == 1 && facts_at(NOW).repeated.n == 7);
    page("shop", "down", "2026-01-01T10:00:01Z");
    CHECK(facts_at(NOW).repeated.k == 2 && facts_at(NOW).repeated.n == 8);
    end();
}
