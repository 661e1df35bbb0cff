// SPDX-License-Identifier: Apache-2.0
// What measures are asked of: the series and incidents of services and environments, read from the
// facts. thread: as the db.
#pragma once

#include "delivery/measure.h"
#include "facts/db.h"

struct scope {
    struct str service;     // empty: all
    struct str environment; // empty: every one that is production
    struct str change_kind; // empty: "service"
    // Of the catalogue as it stands now; empty and 0: any.
    struct str team, product;
    uint32_t tier; // of the service
};

// A condition on the column `service`, with the values that scope_bind binds: ?7 to ?10.
#define SCOPE_SERVICES \
    "(?7 = '' OR service = ?7) AND ((?8 = '' AND ?9 = '' AND ?10 = 0) OR service IN (SELECT service FROM " \
    "catalogue WHERE (?8 = '' OR team = ?8) AND (?9 = '' OR product = ?9) AND (?10 = 0 OR tier = ?10)))"
// What the catalogue says of the environment of a row, which has a service and an environment; NULL: nothing.
#define SCOPE_TIER(row) "coalesce(" SCOPE_TIER_OF(row ".service", row) ", " SCOPE_TIER_OF("''", row) ")"
#define SCOPE_TIER_OF(service, row) \
    "(SELECT tier FROM catalogue_environment c WHERE c.service = " service " AND c.environment = " row \
    ".environment)"
void scope_bind(struct db_row *r, const struct scope *s);

// Calls for each series, by service and environment, and for each incident, by key. What they point
// to lives until the call returns. The first error of a call ends the reading.
struct scope_visit {
    void *ctx;
    enum err (*series)(void *ctx, const struct series *s);             // may be NULL
    enum err (*incident)(void *ctx, const struct measure_incident *i); // may be NULL
    bool with_commits;
    // Changes, runs, canaries and flags: those that `wants` has bits of (measure.h).
    enum err (*input)(void *ctx, const struct measure_input *in);
    unsigned wants;
    bool with_names; // of changes and runs
};
NODISCARD enum err scope_each(struct db *d, const struct scope *s, const struct scope_visit *visit);
