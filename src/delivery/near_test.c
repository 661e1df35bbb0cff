// SPDX-License-Identifier: Apache-2.0
// Rule 7 beyond the own service. Minutes count from T0; the window is a day, 1440 of them.
#include "delivery/near.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/test.h"
#include "delivery/catalogue.h"
#include "delivery/catalogue_store.h"
#include "delivery/derive.h"
#include "delivery/fixture_test.h"
#include "delivery/stale.h"
#include "intake/stamp.h"

#define MINUTE 60000000000ll
#define DAY (24 * 60 * MINUTE)
#define T0 (1767225600000000000ll) // 2026-01-01T00:00:00Z

static struct db *db;
static struct arena arena;
static unsigned n_events;

static void begin(void) {
    arena_init(&arena, SIZE_MAX, NULL);
    db = fixture_facts();
}
static void end(void) {
    db_close(db);
    arena_fini(&arena);
}

static void apply(struct claims *c) {
    struct err_ctx ctx = { 0 };
    CHECK_OK(claims_end(c, &ctx));
    CHECK_OK(fact_apply(db, &arena, c, ++n_events, stale_note, db));
}

static void deploy_in(const char *environment, const char *service, const char *key, int64_t at,
                      const char *state) {
    struct claims c;
    int64_t t = T0 + at * MINUTE;
    claims_begin(&c, &arena);
    struct claim *d = claims_add(&c, FACT_DEPLOY, str_of(key), t, 2);
    claim_text(&c, d, DEPLOY_SERVICE, str_of(service));
    claim_text(&c, d, DEPLOY_ENVIRONMENT, str_of(environment));
    claim_text(&c, d, DEPLOY_VERSION, str_of(key));
    claim_text(&c, d, DEPLOY_STATE, str_of(state));
    claim_time(d, DEPLOY_STARTED, t - 5 * MINUTE);
    if (strcmp(state, "success") == 0) claim_time(d, DEPLOY_SUCCEEDED, t);
    claim_time(d, DEPLOY_ENDED, t);
    apply(&c);
}
static void deploy(const char *service, const char *key, int64_t at) {
    deploy_in("production", service, key, at, "success");
}

static void incident_in(const char *environment, const char *service, const char *key, int64_t at,
                        int64_t resolved) {
    struct claims c;
    claims_begin(&c, &arena);
    struct claim *i = claims_add(&c, FACT_INCIDENT, str_of(key), T0 + (resolved ? resolved : at) * MINUTE, 1);
    claim_text(&c, i, INCIDENT_SERVICE, str_of(service));
    claim_text(&c, i, INCIDENT_ENVIRONMENT, str_of(environment));
    claim_time(i, INCIDENT_STARTED, T0 + at * MINUTE);
    if (resolved) claim_time(i, INCIDENT_RESOLVED, T0 + resolved * MINUTE);
    apply(&c);
}
static void incident(const char *service, const char *key, int64_t at, int64_t resolved) {
    incident_in("", service, key, at, resolved);
}

// A denial comes later than a confirmation of the same.
static void verdict(const char *key, const char *rollout, const char *says) {
    struct claims c;
    claims_begin(&c, &arena);
    int64_t t = T0 + (strcmp(says, "deny") == 0);
    struct claim *v = claims_add(&c, FACT_VERDICT, str_fmt(&arena, "%s %s", key, rollout), t, 1);
    claim_text(&c, v, VERDICT_INCIDENT, str_of(key));
    claim_text(&c, v, VERDICT_ROLLOUT, str_of(rollout));
    claim_text(&c, v, VERDICT_SAYS, str_of(says));
    claim_time(v, VERDICT_AT, t);
    apply(&c);
}

static void flag(const char *service, const char *name, int64_t at) {
    struct claims c;
    claims_begin(&c, &arena);
    struct claim *f = claims_add(&c, FACT_FLAG, str_of(name), T0, 1);
    claim_text(&c, f, FLAG_SERVICE, str_of(service));
    claim_text(&c, f, FLAG_NAME, str_of(name));
    claim_text(&c, f, FLAG_ACTION, STR("on"));
    claim_time(f, FLAG_CHANGED, T0 + at * MINUTE);
    apply(&c);
}

static void call(const char *caller, const char *callee, int64_t first) {
    struct claims c;
    claims_begin(&c, &arena);
    struct str key = str_fmt(&arena, "%lld:%s:%s", (long long)stamp_month(first), caller, callee);
    struct claim *s = claims_add(&c, FACT_CALL, key, first, 3);
    claim_text(&c, s, CALL_CALLER, str_of(caller));
    claim_text(&c, s, CALL_CALLEE, str_of(callee));
    claim_time(s, CALL_MONTH, stamp_month(first));
    claim_time(s, CALL_FIRST, first);
    apply(&c);
}

static void list(const char *json) {
    struct catalogue c;
    struct err_ctx ctx = { 0 };
    CHECK_OK(catalogue_read_yaml(str_of(json), "services.yaml", &arena, &c, &ctx));
    CHECK_OK(catalogue_keep(db, &c, STR(""), &ctx));
}

static void settle(void) {
    for (bool left = true; left;) CHECK_OK(derive_some(db, 2, &left));
}

static struct str text_of(const char *sql) {
    struct db_row *r;
    bool row;
    CHECK_OK(db_prepare(db, sql, &r));
    CHECK_OK(db_step(r, &row));
    struct str s = str_dup(&arena, db_text(r, 0));
    if (row) db_reset(r);
    return s;
}

// Of every link between an incident and a rollout "incident rollout", and of what failed "rollout+minutes".
static void says(const char *want) {
    settle();
    CHECK_STR(text_of(
                  "SELECT ifnull(group_concat(l.incident || ' ' || r.deploy || iif(l.neighbour, '', "
                  "' own') || iif(l.decides, '', ' not'), '; '), '') || ' | ' || (SELECT "
                  "ifnull(group_concat(deploy || ifnull('+' || ((recovered_at - finished_at) / 60000000000), "
                  "''), ' '), '') FROM (SELECT * FROM rollout WHERE failure IS NOT NULL AND failure <> '' "
                  "ORDER BY deploy)) FROM (SELECT * FROM link ORDER BY incident, rollout) l JOIN rollout r "
                  "ON r.id = l.rollout WHERE l.incident <> ''"),
              str_of(want));
}

TEST(near_the_last_rollout_of_a_neighbour_decides) {
    begin();
    deploy("cart", "c1", 100);
    deploy("app", "a1", 90);
    deploy("other", "o1", 110);
    incident("shop", "i1", 160, 220);
    says(" | ");
    call("shop", "cart", T0 + DAY);
    call("app", "shop", T0 + DAY);
    says("i1 c1 | c1+120");
    CHECK_STR(
        text_of("SELECT rule || ': ' || evidence FROM link WHERE decides"),
        STR("near: shop calls it, as traces of 2026-01 show; the last rollout among such services, 60 min "
            "before"));
    CHECK_STR(text_of("SELECT failure FROM rollout WHERE deploy = 'c1'"), STR("near"));
    deploy("app", "a2", 130); // late: closer
    says("i1 a2 | a2+90");
    CHECK_STR(
        text_of("SELECT evidence FROM link WHERE decides"),
        STR("shop is called by it, as traces of 2026-01 show; the last rollout among such services, 30 min "
            "before"));
    verdict("i1", "a2", "deny"); // then the next
    says("i1 c1 | c1+120");
    verdict("i1", "c1", "deny");
    says("i1 a1 | a1+130");
    incident("shop", "i1", 160, 300); // it was over later
    says("i1 a1 | a1+210");
    end();
}

TEST(near_an_own_rollout_goes_first_and_takes_back) {
    begin();
    call("shop", "cart", T0 + DAY);
    deploy("cart", "c1", 100);
    incident("shop", "i1", 160, 220);
    says("i1 c1 | c1+120");
    deploy("shop", "s1", 50);
    says("i1 s1 own | s1+170");
    verdict("i1", "s1", "deny");
    says("i1 c1 | c1+120");
    deploy("shop", "s2", 60);
    says("i1 s2 own | s2+160");
    deploy("mail", "s2", 70); // it was another service's
    says("i1 c1 | c1+120");
    flag("shop", "dark", 150);
    says(" | ");
    verdict("i1", "dark", "deny");
    says("i1 c1 | c1+120");
    deploy("mail", "m1", 40);
    verdict("i1", "m1", "confirm"); // a person knows better
    says("i1 m1 own | m1+180");
    verdict("i1", "m1", "deny");
    says("i1 c1 | c1+120");
    end();
}

// A day and a minute is too long; another environment is another one; staging is not production.
TEST(near_within_a_day_and_in_the_environment) {
    begin();
    call("shop", "cart", T0);
    deploy("cart", "c1", 100);
    deploy_in("staging", "cart", "c2", 200, "success");
    deploy_in("production", "cart", "c3", 210, "failure");
    incident("shop", "far", 100 + 24 * 60 + 1, 0);
    incident("shop", "last", 100 + 24 * 60, 0);
    incident("shop", "first", 100, 0);
    incident("shop", "before", 99, 0);
    incident_in("staging", "shop", "staged", 220, 0);
    incident_in("production", "shop", "told", 230, 0);
    incident_in("eu", "shop", "europe", 230, 0);
    says("first c1; last c1; staged c2; told c1 | c1 c2");
    end();
}

// The month of its beginning and the one before; not the one after, nor two months before.
TEST(near_calls_count_in_their_month_and_the_next) {
    int64_t february = T0 + 31 * DAY, minutes = 31 * 24 * 60;
    begin();
    deploy("cart", "c0", -30);
    deploy("cart", "c1", minutes - 10);
    deploy("cart", "c2", minutes + 28 * 24 * 60 + 10);
    deploy("cart", "c3", minutes + (28 + 31) * 24 * 60 + 10);
    incident("shop", "january", minutes - 1, 0);
    incident("shop", "february", minutes, 0);
    incident("shop", "march", minutes + 28 * 24 * 60 + 20, 0);
    incident("shop", "april", minutes + (28 + 31) * 24 * 60 + 20, 0);
    says(" | ");
    call("shop", "cart", february + 20 * DAY);
    says("february c1; march c2 | c1 c2");
    call("shop", "cart", T0 + 31 * DAY - 1);
    says("february c1; january c1; march c2 | c1 c2");
    CHECK_STR(
        text_of("SELECT evidence FROM link WHERE incident = 'march'"),
        STR("shop calls it, as traces of 2026-02 show; the last rollout among such services, 10 min before"));
    end();
}

TEST(near_the_catalogue_says_who_needs_whom) {
    begin();
    deploy("cart", "c1", 100);
    deploy("app", "a1", 110);
    incident("shop", "i1", 160, 220);
    list("{\"services\":{\"shop\":{\"depends_on\":[\"cart\",\"shop\"]}}}");
    says("i1 c1 | c1+120");
    CHECK_STR(
        text_of("SELECT evidence FROM link"),
        STR("shop calls it, as the catalogue says; the last rollout among such services, 60 min before"));
    list("{\"services\":{\"app\":{\"depends_on\":[\"shop\"]}}}");
    says("i1 a1 | a1+110");
    list("{\"services\":{\"app\":{}}}");
    says(" | ");
    end();
}

// Equally close: the same one whatever came first.
TEST(near_ties_do_not_depend_on_what_came_first) {
    char first[8] = "";
    for (unsigned turn = 0; turn < 2; turn++) {
        begin();
        call("shop", "cart", T0);
        call("shop", "mail", T0);
        deploy(turn ? "mail" : "cart", turn ? "m1" : "c1", 100);
        incident("shop", "i1", 160, 220);
        settle();
        deploy(turn ? "cart" : "mail", turn ? "c1" : "m1", 100);
        settle();
        struct str chosen = text_of("SELECT deploy FROM rollout JOIN link ON link.rollout = rollout.id");
        if (turn) CHECK_STR(chosen, str_of(first));
        (void)snprintf(first, sizeof first, "%.*s", STR_ARG(chosen));
        end();
    }
}

TEST(near_a_duplicate_is_no_incident_of_its_own) {
    struct claims c;
    begin();
    call("shop", "cart", T0);
    deploy("cart", "c1", 100);
    incident("shop", "i1", 160, 220);
    says("i1 c1 | c1+120");
    claims_begin(&c, &arena);
    struct claim *i = claims_add(&c, FACT_INCIDENT, STR("i1"), T0, 1);
    claim_text(&c, i, INCIDENT_DUPLICATE_OF, STR("i0"));
    apply(&c);
    says(" | ");
    end();
}

static void pushed(const char *sha) {
    struct claims c;
    claims_begin(&c, &arena);
    struct claim *s = claims_add(&c, FACT_PUSHED, str_of(sha), T0, 1);
    claim_text(&c, s, PUSHED_REPO, STR("repo"));
    claim_text(&c, s, PUSHED_SHA, str_of(sha));
    apply(&c);
}

// What is confirmed is known to somebody: nothing that was merely near decides. A word that names nothing,
// yet or any more, is no cause.
TEST(near_a_word_that_names_nothing_takes_no_link_away) {
    static const char *const words[] = { "dark", "1234567", "0123456789012345678901234567890123456789" };
    for (unsigned i = 0; i < sizeof words / sizeof *words; i++) {
        begin();
        call("front", "shop", T0);
        deploy("shop", "s1", 100);
        incident("shop", "i1", 160, 220);
        incident("front", "i2", 170, 0);
        verdict("i1", words[i], "confirm");
        verdict("i2", words[i], "confirm");
        says("i1 s1 own; i2 s1 | s1+120");
        if (i == 0) flag("mail", words[i], 150 - 24 * 60);
        if (i > 0) pushed(i == 1 ? "1234567890123456789012345678901234567890" : words[i]);
        says("i1 s1 own not | ");
        verdict("i1", words[i], "deny");
        says("i1 s1 own | s1+120");
        end();
    }
}

TEST(near_a_word_loses_its_meaning_with_the_rollout) {
    begin();
    deploy("mail", "m1", 40);
    deploy("shop", "s1", 100);
    incident("shop", "i1", 160, 220);
    settle();
    const char *id = text_of("SELECT printf('%016x', id) || char(0) FROM rollout WHERE service = 'mail'").ptr;
    verdict("i1", id, "confirm");
    settle();
    CHECK_STR(text_of("SELECT failure || deploy FROM rollout WHERE failure <> ''"), STR("saidm1"));
    deploy("cart", "m1", 50); // it was another service's: another rollout
    says("i1 s1 own | s1+120");
    end();
}

// Of a rollout of another service too, by its id or key; of two words the later stands.
TEST(near_a_denied_word_is_none_wherever_the_rollout_is) {
    for (unsigned by_id = 0; by_id < 2; by_id++) {
        begin();
        deploy("mail", "m1", 40);
        incident("shop", "i1", 160, 220);
        settle();
        const char *id = text_of("SELECT printf('%016x', id) || char(0) FROM rollout").ptr;
        verdict("i1", by_id ? id : "m1", "confirm");
        says("i1 m1 own | m1+180");
        verdict("i1", by_id ? "m1" : id, "deny");
        says(" | ");
        end();
    }
}

// --- any order ---------------------------------------------------------------------------------------------

enum { EVENTS = 40, SERVICES = 4, ENOUGH = 8 };
static const char *const services[SERVICES] = { "app", "cart", "mail", "shop" };
static const char *const lists[] = {
    "{\"services\":{\"shop\":{\"depends_on\":[\"cart\"]}}}",
    "{\"services\":{\"app\":{\"depends_on\":[\"shop\",\"mail\"]}}}",
    "{\"services\":{\"app\":{}}}",
};
struct event {
    unsigned kind, of, other, id;
    int64_t at;
};

// Most rollouts are of two services and most incidents of two others, so that those have no rollout of their
// own.
static struct event any_event(void) {
    unsigned kind = (unsigned)test_below(16), of = (unsigned)test_below(SERVICES);
    if (kind < 3) of = (unsigned)(1 + test_below(2));
    if (kind >= 6 && kind < 9) of = (unsigned)(test_below(2) * 3);
    return (struct event){ .kind = kind,
                           .of = of,
                           .other = (unsigned)test_below(SERVICES),
                           .id = (unsigned)test_below(6),
                           // around the end of a month
                           .at = 31 * 24 * 60 - 2000 + (int64_t)test_below(4000) };
}
static void tell(const struct event *e) {
    const char *service = services[e->of], *environment = e->other ? "production" : "";
    const char *rollout = str_fmt(&arena, "d%u-%u%c", e->of, e->id, 0).ptr;
    const char *key = str_fmt(&arena, "i%u%c", e->id, 0).ptr;
    switch (e->kind) {
    case 0:
    case 1:
    case 2:
    case 3: deploy(service, rollout, e->at); break;
    case 4: deploy_in("eu-prod", service, rollout, e->at, "success"); break;
    case 5: deploy_in("production", service, rollout, e->at, "failure"); break;
    case 6:
    case 7:
    case 8: incident_in(environment, service, key, e->at, 0); break;
    case 9: incident_in(environment, service, key, e->at, e->at + 50); break;
    case 10:
        if (e->of != e->other)
            call(service, services[e->other], T0 + (e->id < 3 ? e->id * 30 * DAY : e->at * MINUTE));
        break;
    case 11: call(services[e->of], services[(e->of + 1) % SERVICES], T0 + e->at * MINUTE); break;
    case 12: verdict(key, rollout, "deny"); break;
    case 13: verdict(key, e->other < 2 ? rollout : key, e->other % 2 ? "deny" : "confirm"); break;
    case 14: flag(service, key, e->at); break;
    default: list(lists[e->id % 3]); break;
    }
}

#define ALL \
    "SELECT ifnull((SELECT group_concat(incident || rollout || evidence, ' ') FROM (SELECT * FROM near " \
    "ORDER BY " \
    "1)), '') || ' ' || ifnull((SELECT group_concat(id || kind || state || ifnull(failure, '-') || " \
    "ifnull(recovered_at, '-'), ' ') FROM (SELECT * FROM rollout ORDER BY id)), '') || ' ' || " \
    "ifnull((SELECT " \
    "group_concat(rollout || incident || rule || decides || neighbour || evidence, ' ') FROM (SELECT * " \
    "FROM " \
    "link ORDER BY 1, 2, 3, 6)), '') || ' ' || ifnull((SELECT group_concat(hex(figures), ' ') FROM (SELECT " \
    "* " \
    "FROM series ORDER BY 1, 2, 3)), '')" \
    " || ' ' || ifnull((SELECT group_concat(verdict, ' ') FROM (SELECT * FROM word_of_nothing ORDER BY " \
    "1)), '')"

// Told in a random order, some twice, now and then settled; then all of it derived anew.
static struct buf told(const struct event *events, unsigned final_list) {
    unsigned order[EVENTS];
    struct buf all;
    begin();
    for (unsigned i = 0; i < EVENTS; i++) order[i] = i;
    for (unsigned i = EVENTS; i > 1; i--) {
        unsigned j = (unsigned)test_below(i), t = order[i - 1];
        order[i - 1] = order[j];
        order[j] = t;
    }
    for (unsigned i = 0; i < EVENTS; i++) {
        tell(&events[order[i]]);
        if (test_below(8) == 0) tell(&events[order[test_below(i + 1)]]);
        if (test_below(3) == 0) settle();
    }
    list(lists[final_list]);
    settle();
    buf_init(&all, SIZE_MAX);
    buf_str(&all, text_of(ALL));
    CHECK_OK(stale_note_all(db));
    settle();
    CHECK_STR(text_of(ALL), buf_view(&all));
    return all;
}

TEST(near_does_not_depend_on_the_order_of_events) {
    uint64_t chosen = 0;
    for (unsigned turn = 0; turn < ENOUGH; turn++) {
        struct event events[EVENTS];
        unsigned final_list = (unsigned)test_below(3);
        for (unsigned i = 0; i < EVENTS; i++) events[i] = any_event();
        struct buf want = told(events, final_list);
        chosen += strtoull(text_of("SELECT count(*) FROM near").ptr, NULL, 10);
        end();
        for (unsigned again = 0; again < 2; again++) {
            struct buf got = told(events, final_list);
            CHECK_STR(buf_view(&got), buf_view(&want));
            buf_fini(&got);
            end();
        }
        buf_fini(&want);
    }
    CHECK(chosen > 0); // it was not of nothing
}
