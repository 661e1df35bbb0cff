// SPDX-License-Identifier: Apache-2.0
#include "delivery/fixture_test.h"

#include "base/test.h"
#include "delivery/derive.h"
#include "delivery/record.h"

struct db *fixture_facts(void) {
    struct err_ctx ctx = { 0 };
    struct db *db;
    bool changed;
    CHECK_OK(db_open(NULL, DB_MEMORY, &db, &ctx));
    CHECK_OK(db_migrate(db, record_migrations, n_record_migrations, &ctx));
    CHECK_OK(fact_tables(db, derive_tables, &changed));
    return db;
}

struct delivery *fixture_delivery(const char *dir) {
    struct delivery *d;
    struct err_ctx ctx = { 0 };
    CHECK_OK(delivery_open(&(struct delivery_opts){ .dir = dir }, &d, &ctx));
    return d;
}

struct delivery_taken fixture_take(struct delivery *d, const char *source, const char *github_event,
                                   struct str body, int64_t received) {
    struct arena a;
    struct intake in;
    struct delivery_taken taken;
    struct err_ctx ctx = { 0 };
    bool events = str_eq(str_of(source), STR("events"));
    struct intake_header headers[] = { { STR("content-type"), events ? STR("application/cloudevents+json")
                                                                     : STR("application/json") },
                                       { STR("x-github-event"), str_of(github_event) } };
    struct intake_request r = { .source = str_of(source),
                                .headers = headers,
                                .n_headers = *github_event ? 2 : 1,
                                .body = body,
                                .received = received };
    arena_init(&a, SIZE_MAX, NULL);
    if (intake_read(&r, &a, &in, &ctx) != ERR_OK) test_fail(__FILE__, __LINE__, ctx.text);
    CHECK_OK(delivery_take(d, &r, &in, &taken));
    arena_fini(&a);
    return taken;
}
