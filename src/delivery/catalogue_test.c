// SPDX-License-Identifier: Apache-2.0
#include "delivery/catalogue_store.h"

#include "base/test.h"
#include "base/yaml.h"
#include "delivery/derive.h"
#include "delivery/fixture_test.h"

static const char sample[] = "# our services\n"
                             "environments:\n"
                             "  blue: production\n"
                             "teams:\n"
                             "  payments:\n"
                             "    targets: {lead_time: 12h, rework_rate: {at_most: 10%}}\n"
                             "services:\n"
                             "  checkout:\n"
                             "    owner: ann@example.org\n"
                             "    team: payments\n"
                             "    tier: 1\n"
                             "    product: shop\n"
                             "    repositories: [git@github.com:acme/shop.git, /srv/git/tools]\n"
                             "    paths: [./services/checkout/, /libs/pricing]\n"
                             "    environments:\n"
                             "      green: production\n"
                             "      blue: staging\n"
                             "    names: {Pay (production): Production, pay-api: }\n"
                             "    runbook: https://runbooks.example.org/checkout\n"
                             "    rollback: helm rollback {service} -n {environment}\n"
                             "    on_call: \"#payments\"\n"
                             "    depends_on: [ledger]\n"
                             "    targets: {change_failure_rate: 5%, deployment_frequency: 2}\n"
                             "  ledger:\n";

static struct arena arena;
static struct err_ctx ctx;
static struct db *db;

static void begin(void) {
    ctx = (struct err_ctx){ 0 };
    arena_init(&arena, SIZE_MAX, NULL);
    db = fixture_facts();
}
static void end(void) {
    db_close(db);
    arena_fini(&arena);
}

static enum err read_text(const char *text, struct catalogue *c) {
    ctx = (struct err_ctx){ 0 };
    return catalogue_read_yaml(test_exact(str_of(text)), "s.yaml", &arena, c, &ctx);
}

static struct str printed(const struct catalogue *c) {
    struct buf b;
    buf_init(&b, SIZE_MAX);
    struct json_writer w = json_writer_on(&b);
    catalogue_print(c, &w);
    struct str s = str_dup(&arena, buf_view(&b));
    buf_fini(&b);
    return s;
}

static const char as_json[] =
    "{\"services\":{\"checkout\":{\"owner\":\"ann@example.org\",\"team\":\"payments\",\"tier\":1,\"product\":"
    "\"shop\","
    "\"repositories\":[\"/srv/git/tools\",\"https://github.com/acme/shop\"],"
    "\"paths\":[\"libs/pricing\",\"services/checkout\"],"
    "\"environments\":{\"blue\":\"staging\",\"green\":\"production\"},"
    "\"names\":{\"Pay (production)\":\"production\",\"pay-api\":\"\"},"
    "\"runbook\":\"https://runbooks.example.org/"
    "checkout\",\"rollback\":\"helm rollback {service} -n "
    "{environment}\",\"on_call\":\"#payments\",\"depends_on\":[\"ledger\"],"
    "\"targets\":{\"change_failure_rate\":{\"at_most\":0.05},\"deployment_frequency\":{\"at_least\":2}}},"
    "\"ledger\":{}},"
    "\"teams\":{\"payments\":{\"targets\":{\"lead_time\":{\"at_most\":43200},\"rework_rate\":{\"at_most\":0."
    "1}}}},"
    "\"environments\":{\"blue\":\"production\"}}";

// From YAML into the facts, out as JSON, from JSON in again: the same.
TEST(catalogue_goes_round) {
    struct catalogue c, again;
    struct catalogue_source source;
    struct document d;
    begin();
    CHECK_OK(read_text(sample, &c));
    CHECK_OK(catalogue_keep(db, &c, STR("/etc/s.yaml"), &ctx));
    CHECK_OK(catalogue_load(db, &arena, &again, &source));
    CHECK_STR(source.file, STR("/etc/s.yaml"));
    CHECK_STR(printed(&again), str_of(as_json));
    CHECK_OK(document_read(str_of(as_json), 16, &arena, &d, &ctx));
    CHECK_OK(catalogue_read(&d, &c));
    CHECK_STR(printed(&c), str_of(as_json));
    end();
}

TEST(catalogue_refuses_with_the_place) {
    static const struct {
        const char *text, *says;
    } bad[] = {
        { "service: {}\n", "s.yaml:1: service: there is no such key" },
        { "services:\n  shop:\n    owners: ann\n", "s.yaml:3: services.shop.owners: there is no such key" },
        { "services:\n  shop:\n    owner: [ann]\n",
          "s.yaml:3: services.shop.owner: expected a string, found an array" },
        { "services:\n  shop:\n    tier: 0\n",
          "s.yaml:3: services.shop.tier: expected 1 (the most important) to 9" },
        { "services:\n  shop: web\n", "s.yaml:2: services.shop: expected an object, found a string" },
        { "services:\n  shop:\n    names: pay\n",
          "s.yaml:3: services.shop.names: expected a list of names, or names with their environments" },
        { "services:\n  shop:\n    names: [\"\"]\n", "s.yaml:3: services.shop.names.0: missing or empty" },
        { "services:\n  shop:\n    names: [pay]\n  cart:\n    names: {pay: }\n",
          "s.yaml:1: services: \"pay\" is the name of two services" },
        { "services:\n  shop:\n    names: [cart]\n  cart:\n",
          "s.yaml:1: services: \"cart\" is the name of two services" },
        { "services:\n  shop:\n    environments:\n      blue: live\n",
          "s.yaml:4: services.shop.environments.blue: there are production, staging, testing, development "
          "and other" },
        { "services:\n  shop:\n    paths: [\"a/**\"]\n",
          "s.yaml:3: services.shop.paths.0: expected a folder or a file, not a pattern" },
        { "services:\n  shop:\n    rollback: undo {name}\n",
          "s.yaml:3: services.shop.rollback: there is no placeholder {name}; there are {service}, "
          "{environment}, {version}, {previous}, {sha}, {previous_sha}, and {{ stands for a {" },
        { "services:\n  shop:\n    rollback: undo \"'{version}'\"\n",
          "s.yaml:3: services.shop.rollback: a placeholder stands within quotes: Takt quotes its value "
          "itself" },
        { "services:\n  shop:\n    rollback: \"\"\n", "s.yaml:3: services.shop.rollback: it is empty" },
        { "services:\n  shop:\n    targets:\n      speed: 3\n",
          "s.yaml:4: services.shop.targets.speed: there is no such measure" },
        { "services:\n  shop:\n    targets:\n      lead_time: 5%\n",
          "s.yaml:4: services.shop.targets.lead_time: expected a time such as 12h, 30min or 2d" },
        { "services:\n  shop:\n    targets:\n      rework_rate: 5%\n",
          "s.yaml:4: services.shop.targets.rework_rate: say whether it is at_most or at_least" },
        { "teams:\n  a:\n    owner: b\n", "s.yaml:3: teams.a.owner: there is no such key" },
    };
    struct catalogue c;
    begin();
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        CHECK(read_text(bad[i].text, &c) == ERR_INVALID);
        CHECK_STR(str_of(ctx.text), str_of(bad[i].says));
    }
    end();
}

// A file's catalogue is not the API's to change; when the file is gone, it is.
TEST(catalogue_of_a_file_is_the_files) {
    struct catalogue c;
    struct catalogue_service s = { .name = STR("cart") };
    begin();
    CHECK_OK(read_text(sample, &c));
    CHECK_OK(catalogue_keep(db, &c, STR("/etc/s.yaml"), &ctx));
    CHECK(catalogue_keep(db, &c, STR(""), &ctx) == ERR_EXISTS);
    CHECK_STR(str_of(ctx.text), STR("the catalogue is the file /etc/s.yaml; change it there"));
    CHECK(catalogue_keep_service(db, &s, &ctx) == ERR_EXISTS);
    CHECK(catalogue_drop_service(db, STR("ledger"), &ctx) == ERR_EXISTS);
    CHECK_OK(catalogue_release(db));
    CHECK_OK(catalogue_keep_service(db, &s, &ctx));
    CHECK_OK(catalogue_drop_service(db, STR("ledger"), &ctx));
    CHECK(catalogue_drop_service(db, STR("ledger"), &ctx) == ERR_NOT_FOUND);
    CHECK(catalogue_drop_service(db, STR(""), &ctx) == ERR_NOT_FOUND); // the row of all services
    end();
}

static struct str tier(const char *service, const char *environment) {
    struct str t;
    CHECK_OK(catalogue_tier(db, &arena, str_of(service), str_of(environment), &t));
    return t;
}

TEST(catalogue_tiers_of_a_service_stand_above_those_of_all) {
    struct catalogue c;
    begin();
    CHECK_OK(read_text(sample, &c));
    CHECK_OK(catalogue_keep(db, &c, STR(""), &ctx));
    CHECK_STR(tier("checkout", "blue"), STR("staging"));
    CHECK_STR(tier("checkout", "green"), STR("production"));
    CHECK_STR(tier("ledger", "blue"), STR("production"));
    CHECK_STR(tier("ledger", "green"), STR(""));
    end();
}

static double target(const char *service, const char *team, enum measure m) {
    struct str whose;
    double v = 0;
    CHECK_OK(catalogue_target_of(db, &arena, str_of(service), str_of(team), m, &v, &whose));
    CHECK((v != 0) == (whose.len > 0));
    return v;
}

TEST(catalogue_targets_of_a_service_stand_above_those_of_its_team) {
    struct catalogue c;
    begin();
    CHECK_OK(read_text(sample, &c));
    CHECK_OK(catalogue_keep(db, &c, STR(""), &ctx));
    CHECK(target("checkout", "", MEASURE_CHANGE_FAILURE_RATE) == .05);
    CHECK(target("checkout", "", MEASURE_DEPLOYMENT_FREQUENCY) == -2);
    CHECK(target("checkout", "", MEASURE_LEAD_TIME) == 12 * 3600);
    CHECK(target("", "payments", MEASURE_LEAD_TIME) == 12 * 3600);
    CHECK(target("", "payments", MEASURE_CHANGE_FAILURE_RATE) == 0);
    CHECK(target("ledger", "payments", MEASURE_LEAD_TIME) == 0); // the service is asked for, and has no team
    end();
}

static void deploy(const char *service, const char *environment) {
    struct db_row *r;
    CHECK_OK(db_prepare(db, "INSERT INTO deploy(key, service, environment) VALUES(?1 || ?2, ?1, ?2)", &r));
    db_bind_text(r, 1, str_of(service));
    db_bind_text(r, 2, str_of(environment));
    CHECK_OK(db_done(r));
}
static int64_t stale(void) {
    int64_t n;
    CHECK_OK(db_number(db, "SELECT count(*) FROM stale", &n));
    CHECK_OK(db_run(db, "DELETE FROM stale"));
    return n;
}

// Only what decides rollouts makes anything stale, and only of the service that it is about.
TEST(catalogue_makes_stale_what_it_changes) {
    struct catalogue c;
    begin();
    deploy("checkout", "blue");
    deploy("checkout", "green");
    deploy("ledger", "blue");
    CHECK_OK(read_text("services: {checkout: {}, ledger: {}}", &c));
    CHECK_OK(catalogue_keep(db, &c, STR(""), &ctx));
    (void)stale();
    CHECK_OK(read_text("services: {checkout: {owner: ann, tier: 2}, ledger: {}}", &c));
    CHECK_OK(catalogue_keep(db, &c, STR(""), &ctx));
    CHECK_U64((uint64_t)stale(), 0);
    CHECK_OK(read_text("services: {checkout: {environments: {blue: production}}, ledger: {}}", &c));
    CHECK_OK(catalogue_keep(db, &c, STR(""), &ctx));
    CHECK_U64((uint64_t)stale(), 2);
    CHECK_OK(catalogue_drop_service(db, STR("checkout"), &ctx));
    CHECK_U64((uint64_t)stale(), 2);
    CHECK_OK(read_text("services: {ledger: {}}\nenvironments: {blue: production}", &c));
    CHECK_OK(catalogue_keep(db, &c, STR(""), &ctx));
    CHECK_U64((uint64_t)stale(), 3);
    end();
}

TEST(catalogue_without_memory) {
    for (uint64_t n = 1, failed = 1; failed; n++) {
        struct arena a;
        struct catalogue c;
        struct err_ctx why = { 0 };
        arena_init(&a, SIZE_MAX, NULL);
        mem_fail_at(n, true); // an arena tries once more with less
        enum err e = catalogue_read_yaml(str_of(sample), "s.yaml", &a, &c, &why);
        failed = mem_fail_seen() >= n;
        mem_fail_at(0, false);
        CHECK(e == ERR_NOMEM || (!failed && e == ERR_OK));
        arena_fini(&a);
    }
}
