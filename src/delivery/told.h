// SPDX-License-Identifier: Apache-2.0
// The deploys of a service in an environment, as its tools told them. thread: as the db.
#pragma once

#include "delivery/rollout.h"
#include "facts/db.h"

// Of a deploy: a job's span told it, as hook_otlp.c names it.
#define TOLD_BY_TASK(of) of ".key LIKE 'github:%:task:%:deployment'"
// For derive_tables. A deploy of GitHub has an id that only its webhooks tell: where they tell how those of a
// run in an environment ended, what the spans of its jobs tell is the same again.
#define TOLD_VIEW \
    "CREATE VIEW told_deploy AS SELECT * FROM deploy d WHERE NOT (" TOLD_BY_TASK( \
        "d") " AND EXISTS (SELECT " \
             "1 FROM deploy o WHERE o.run = d.run AND o.service = d.service AND ifnull(o.environment, '') " \
             "= " \
             "ifnull(d.environment, '') AND o.key LIKE 'github:%:deployment:%' AND (o.succeeded_at IS NOT " \
             "NULL OR " \
             "o.ended_at IS NOT NULL)));"

struct told_scope {
    struct str service, environment;
};
// By kind of change, then by key. There may be very many: each of their texts is kept once in a row.
struct told {
    struct deploy *deploys;
    struct str *change_kinds; // of each
    uint32_t n;
};
NODISCARD enum err told_read(struct db *d, struct arena *a, const struct told_scope *scope, struct told *out);
