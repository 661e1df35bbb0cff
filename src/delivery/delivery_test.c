// SPDX-License-Identifier: Apache-2.0
#include "delivery/delivery.h"

#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/test.h"
#include "delivery/fixture_test.h"

static void take(struct delivery *d, const char *id) {
    char body[400];
    (void)snprintf(body, sizeof body,
                   "{\"specversion\":\"1.0\",\"id\":\"%s\",\"source\":\"t\",\"type\":\"dev.takt.deploy\","
                   "\"data\":{\"id\":\"%s\",\"service\":\"shop\",\"environment\":\"production\","
                   "\"version\":\"%s\",\"state\":\"success\",\"succeeded_at\":\"2026-01-01T00:00:00Z\"}}",
                   id, id, id);
    (void)fixture_take(d, "events", "", str_of(body), 1790000000000000000ll);
}

static int64_t number(struct delivery *d, const char *sql) {
    struct db *db;
    int64_t n;
    CHECK_OK(delivery_reader(d, &db));
    CHECK_OK(db_number(db, sql, &n));
    delivery_reader_done(d, db);
    return n;
}

// As another Takt would find it: facts whose definition is not this one's.
static void forget_definition(const char *dir) {
    struct db *db;
    struct err_ctx ctx = { 0 };
    char path[4096];
    (void)snprintf(path, sizeof path, "%s/facts.db", dir);
    CHECK_OK(db_open(path, DB_WRITE, &db, &ctx));
    CHECK_OK(db_run(db, "UPDATE fact_definition SET hash = 1"));
    db_close(db);
}

static void note_progress(void *ctx, uint64_t done, uint64_t all) {
    (void)done;
    (void)all;
    (void)ctx;
    (void)kill(getpid(), SIGKILL); // within the transaction, all facts thrown away
}

TEST(delivery_facts_of_another_definition_are_made_again) {
    const char *dir = test_dir();
    struct delivery *d = fixture_delivery(dir);
    take(d, "v1");
    take(d, "v2");
    delivery_close(d);
    forget_definition(dir);
    d = fixture_delivery(dir);
    CHECK_U64(number(d, "SELECT count(*) FROM deploy"), 2);
    CHECK_U64(number(d, "SELECT count(*) FROM rollout"), 2);
    delivery_close(d);
}

TEST(delivery_facts_of_an_older_takt_say_what_to_do) {
    const char *dir = test_dir();
    struct delivery *d = fixture_delivery(dir);
    struct db *db;
    struct err_ctx ctx = { 0 };
    char path[4096];
    delivery_close(d);
    (void)snprintf(path, sizeof path, "%s/facts.db", dir);
    CHECK_OK(db_open(path, DB_WRITE, &db, &ctx));
    CHECK_OK(db_run(db, "DROP TABLE near_scope"));
    db_close(db);
    CHECK(delivery_open(&(struct delivery_opts){ .dir = dir, .read_only = true }, &d, &ctx) != ERR_OK);
    CHECK(strstr(ctx.text, "takt reprocess"));
    delivery_close(d);
}

TEST(delivery_killed_while_facts_are_made_again_loses_none) {
    const char *dir = test_dir();
    struct delivery *d = fixture_delivery(dir);
    take(d, "v1");
    take(d, "v2");
    delivery_close(d);
    forget_definition(dir);
    pid_t child = fork();
    if (child == 0) {
        struct delivery *c = fixture_delivery(dir);
        (void)!delivery_reprocess(c, note_progress, NULL);
        _exit(1);
    }
    int status = 0;
    CHECK(waitpid(child, &status, 0) == child && WIFSIGNALED(status));
    d = fixture_delivery(dir);
    CHECK_U64(number(d, "SELECT count(*) FROM deploy"), 2);
    CHECK_U64(number(d, "SELECT count(*) FROM rollout"), 2);
    delivery_close(d);
}
