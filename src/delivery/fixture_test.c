// SPDX-License-Identifier: Apache-2.0
#include "delivery/fixture_test.h"

#include "base/test.h"
#include "delivery/derive.h"
#include "delivery/record.h"
#include "delivery/stale.h"

struct db *fixture_facts(void) {
    struct err_ctx ctx = { 0 };
    struct db *db;
    bool changed;
    CHECK_OK(db_open(NULL, DB_MEMORY, &db, &ctx));
    CHECK_OK(db_migrate(db, record_migrations, n_record_migrations, &ctx));
    CHECK_OK(fact_tables(db, derive_tables, &changed));
    return db;
}

enum err fixture_note(void *db, const struct fact_change *c) {
    return stale_note(db, c);
}
