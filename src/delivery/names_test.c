// SPDX-License-Identifier: Apache-2.0
// Services and environments that tools call in their own way: whatever comes first, the events or the map,
// the facts are the same, and those of a reprocess.
#include "delivery/names.h"

#include <stdio.h>
#include <sys/stat.h>

#include "base/test.h"
#include "delivery/catalogue.h"
#include "delivery/catalogue_store.h"
#include "delivery/delivery.h"
#include "delivery/fixture_test.h"
#include "intake/stamp.h"

#define NOW (20484 * 24 * 3600000000000ll) // 2026-01-31

struct shop {
    struct delivery *d;
    struct arena a;
};

static struct shop shop_open(const char *name) {
    struct shop s = { 0 };
    arena_init(&s.a, SIZE_MAX, NULL);
    char *dir = str_z(&s.a, str_fmt(&s.a, "%s/%s", test_dir(), name));
    CHECK(mkdir(dir, 0700) == 0);
    s.d = fixture_delivery(dir);
    return s;
}
static void shop_close(struct shop *s) {
    delivery_close(s->d);
    arena_fini(&s->a);
}

static void take(struct shop *s, const char *source, const char *event, const char *body) {
    (void)fixture_take(s->d, source, event, str_of(body), NOW);
}

#define TELL(kind, id, time, data) \
    "{\"specversion\":\"1.0\",\"id\":\"" id "\",\"source\":\"t\",\"type\":\"dev.takt." kind \
    "\",\"time\":\"2026-01-30T" time ":00Z\",\"data\":{\"id\":\"" id "\"," data "}}"

static void tell_all(struct shop *s) {
    static const char *const events[] = {
        TELL("deploy", "d1", "10:00",
             "\"service\":\"checkout\",\"environment\":\"PRODUCTION\",\"version\":\"v1\",\"state\":"
             "\"success\""),
        TELL("deploy", "d2", "11:00",
             "\"service\":\"pay-api\",\"environment\":\"production\",\"version\":\"v2\",\"state\":"
             "\"success\""),
        TELL("incident", "i", "11:10", "\"service\":\"Pay (production)\",\"state\":\"triggered\""),
        TELL("canary", "c", "10:50", "\"service\":\"pay-api\",\"version\":\"v2\",\"state\":\"promoted\""),
        TELL("flag_change", "f", "09:00", "\"service\":\"pay-api\",\"flag\":\"x\",\"action\":\"on\""),
        TELL("alert", "a", "11:10", "\"service\":\"Pay (production)\",\"state\":\"firing\""),
        TELL("deploy", "d4", "12:00", "\"service\":\"other\",\"environment\":\"eu\",\"state\":\"success\""),
    };
    for (size_t i = 0; i < sizeof events / sizeof *events; i++) take(s, "events", "", events[i]);
    take(s, "github", "deployment",
         "{\"action\":\"created\",\"deployment\":{\"id\":7,\"sha\":"
         "\"3f1e6a0c9b2d4e5f60718293a4b5c6d7e8f90123\","
         "\"ref\":\"main\",\"task\":\"deploy\",\"environment\":\"Production\",\"created_at\":"
         "\"2026-01-30T11:30:00Z\"},\"repository\":{\"id\":1,\"full_name\":\"acme/payments\"}}");
    take(s, "takt/call", "",
         "[{\"caller\":\"pay-api\",\"callee\":\"other\",\"first\":\"1769770000000000000\"}]");
}

struct job {
    const struct catalogue *catalogue;
    struct err_ctx ctx;
};
static enum err keep(struct db *db, void *ctx) {
    struct job *j = ctx;
    return catalogue_keep(db, j->catalogue, STR(""), &j->ctx);
}
static void list(struct shop *s, const char *yaml) {
    struct catalogue c;
    struct job job = { .catalogue = &c };
    CHECK_OK(catalogue_read_yaml(str_of(yaml), "s.yaml", &s->a, &c, &job.ctx));
    CHECK_OK(delivery_write(s->d, keep, &job));
}

// What is known of each service, and by what the incident is held to be caused.
static struct str said(struct shop *s) {
    static const char *const lists[] = {
        "SELECT service || '/' || ifnull(environment, '') || ' ' || key FROM deploy ORDER BY key",
        "SELECT service || '/' || ifnull(environment, '') || ' ' || key FROM incident ORDER BY key",
        "SELECT service || ' ' || key FROM canary UNION ALL SELECT service || ' ' || key FROM flag_change",
        "SELECT service || '/' || ifnull(environment, '') || ' ' || key FROM alert ORDER BY key",
        "SELECT caller || '>' || callee FROM call",
        "SELECT 'rollout ' || service || '/' || environment || ' ' || production || ' ' || deploy FROM "
        "rollout "
        "ORDER BY service, environment, finished_at, deploy",
        "SELECT 'link ' || r.deploy || ' ' || incident || ' ' || rule || ' ' || decides FROM link JOIN "
        "rollout r "
        "ON r.id = link.rollout ORDER BY 1",
    };
    struct db *db;
    struct buf b;
    buf_init(&b, SIZE_MAX);
    CHECK_OK(delivery_reader(s->d, &db));
    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++) {
        struct db_row *r;
        CHECK_OK(db_prepare(db, lists[i], &r));
        for (bool row;;) {
            CHECK_OK(db_step(r, &row));
            if (!row) break;
            buf_str(&b, db_text(r, 0));
            buf_char(&b, '\n');
        }
    }
    delivery_reader_done(s->d, db);
    struct str all = str_dup(&s->a, buf_view(&b));
    buf_fini(&b);
    return all;
}

static const char catalogue[] = "services:\n"
                                "  checkout:\n"
                                "    repositories: [https://github.com/acme/payments]\n"
                                "    names:\n"
                                "      Pay (production): production\n"
                                "      pay-api:\n"
                                "  other:\n";
static const char mapped[] = "checkout/production github:acme/payments:deployment:7\n"
                             "checkout/production takt:d1\n"
                             "checkout/production takt:d2\n"
                             "other/eu takt:d4\n"
                             "checkout/production takt:i\n"
                             "checkout takt:c\n"
                             "checkout takt:f\n"
                             "checkout/production takt:a\n"
                             "checkout>other\n"
                             "rollout checkout/production 1 github:acme/payments:deployment:7\n"
                             "rollout checkout/production 1 takt:d1\n"
                             "rollout checkout/production 1 takt:d2\n"
                             "rollout other/eu 0 takt:d4\n"
                             "link takt:d2 takt:i near 1\n";

TEST(names_of_other_tools_are_one_service_whatever_came_first) {
    struct shop late = shop_open("late"), early = shop_open("early");
    tell_all(&late);
    struct str before = said(&late);
    list(&late, catalogue);
    CHECK_STR(said(&late), str_of(mapped));
    CHECK_OK(delivery_reprocess(late.d, NULL, NULL));
    CHECK_STR(said(&late), str_of(mapped));
    list(&early, catalogue);
    tell_all(&early);
    CHECK_STR(said(&early), str_of(mapped));
    list(&early, "services:\n  checkout:\n"); // and back
    CHECK_STR(said(&early), before);
    CHECK_OK(delivery_reprocess(early.d, NULL, NULL));
    CHECK_STR(said(&early), before);
    list(&early, "services:\n  till:\n    names: [pay-api, \"Pay (production)\"]\n");
    struct str moved = said(&early);
    CHECK_OK(delivery_reprocess(early.d, NULL, NULL));
    CHECK_STR(said(&early), moved);
    CHECK(memmem(moved.ptr, moved.len, "till/ takt:i\n", 13) &&
          memmem(moved.ptr, moved.len, "till>other", 10));
    shop_close(&early);
    shop_close(&late);
}

TEST(names_of_repositories_join_the_one_service_that_has_it) {
    static const struct {
        const char *yaml, *want, *why;
    } cases[] = {
        { "services:\n  checkout:\n    repositories: [git@github.com:acme/payments.git]\n", "checkout",
          "one" },
        { "services:\n  a:\n    repositories: [github.com/acme/payments]\n  b:\n    repositories: "
          "[https://github.com/acme/payments]\n",
          "payments", "two have it" },
        { "services:\n  a:\n    repositories: [https://github.com/acme/payments]\n  payments:\n", "payments",
          "it is a service itself" },
        { "services:\n  a:\n    repositories: [https://github.com/else/payments]\n", "payments",
          "another one" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char name[8];
        (void)snprintf(name, sizeof name, "%zu", i);
        struct shop s = shop_open(name);
        tell_all(&s);
        list(&s, cases[i].yaml);
        struct str want = str_fmt(&s.a, "%s/production github:", cases[i].want);
        if (!str_starts(said(&s), want)) test_fail(__FILE__, __LINE__, cases[i].why);
        shop_close(&s);
    }
}

TEST(names_of_environments_are_one_in_whatever_case) {
    struct shop s = shop_open("case");
    struct db *db;
    int64_t n;
    tell_all(&s);
    list(&s, "environments:\n  EU: production\nservices:\n  other:\n");
    CHECK_OK(delivery_reader(s.d, &db));
    CHECK_OK(db_number(
        db, "SELECT count(DISTINCT environment) FROM deploy WHERE environment LIKE 'production'", &n));
    CHECK_U64(n, 1);
    CHECK_OK(db_number(db, "SELECT production FROM series WHERE service = 'other'", &n));
    CHECK_U64(n, 1);
    delivery_reader_done(s.d, db);
    shop_close(&s);
}

TEST(names_are_of_fields_that_there_are) {
#define NAMED(KIND, SERVICE, ENVIRONMENT, REPO, table_, column_) \
    CHECK_STR(str_of(fact_table(FACT_##KIND)), str_of(table_)); \
    CHECK_STR(str_of(fact_field_info(SERVICE)->column), str_of(column_)); \
    CHECK(fact_field_info(SERVICE)->kind == FACT_##KIND);
#include "intake/name.def"
}

static uint64_t count(struct db *db, const char *sql) {
    int64_t n;
    CHECK_OK(db_number(db, sql, &n));
    return (uint64_t)n;
}
struct piece {
    bool left;
    uint64_t waiting, moved;
};
static enum err settle_piece(struct db *db, void *ctx) {
    struct piece *p = ctx;
    TRY(names_some(db, 500, &p->left));
    p->waiting = count(db, "SELECT count(*) FROM foreign_due");
    p->moved = count(db, "SELECT count(*) FROM deploy WHERE service = 'shop'");
    return ERR_OK;
}

// Many facts settle in pieces; what ends between two of them goes on, also where it was opened only to be
// read, and under yet another name.
TEST(names_of_many_facts_change_in_pieces) {
    enum { DEPLOYS = 1200 };
    struct shop s = shop_open("many");
    struct buf b;
    buf_init(&b, SIZE_MAX);
    for (unsigned i = 0; i < DEPLOYS; i++)
        buf_fmt(&b,
                "%s{\"specversion\":\"1.0\",\"id\":\"%u\",\"source\":\"t\",\"type\":\"dev.takt.deploy\","
                "\"data\":{"
                "\"id\":\"%u\",\"service\":\"script\",\"environment\":\"production\",\"version\":\"v%u\","
                "\"state\":"
                "\"success\",\"succeeded_at\":%u}}",
                i ? "," : "[", i, i, i, 1767225600 + i);
    buf_char(&b, ']');
    (void)fixture_take(s.d, "events", "", buf_view(&b), NOW);
    buf_fini(&b);
    list(&s, "services:\n  shop:\n    names: [script]\n");
    struct piece p;
    CHECK_OK(delivery_write(s.d, settle_piece, &p));
    CHECK(p.left && p.waiting == DEPLOYS - 500 && p.moved == 500);
    delivery_close(s.d); // as if it had been killed
    struct err_ctx ctx = { 0 };
    char *dir = str_z(&s.a, str_fmt(&s.a, "%s/many", test_dir()));
    struct db *db;
    CHECK_OK(delivery_open(&(struct delivery_opts){ .dir = dir, .read_only = true }, &s.d, &ctx));
    CHECK_OK(delivery_reader(s.d, &db));
    CHECK_U64(count(db, "SELECT count(*) FROM rollout WHERE service = 'shop'"), DEPLOYS);
    delivery_reader_done(s.d, db);
    delivery_close(s.d);
    s.d = fixture_delivery(dir);
    list(&s, "services:\n  till:\n    names: [script]\n");
    CHECK_OK(delivery_write(s.d, settle_piece, &p));
    CHECK_OK(delivery_reader(s.d, &db));
    CHECK_U64(count(db, "SELECT count(*) FROM foreign_due"), 0);
    CHECK_U64(count(db, "SELECT count(*) FROM deploy WHERE service = 'till'"), DEPLOYS);
    CHECK_U64(count(db, "SELECT count(*) FROM rollout WHERE service = 'till'"), DEPLOYS);
    CHECK_U64(count(db, "SELECT count(*) FROM rollout"), DEPLOYS);
    delivery_reader_done(s.d, db);
    shop_close(&s);
}
