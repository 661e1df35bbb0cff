// SPDX-License-Identifier: Apache-2.0
// Services that traces show, and which of them call which: from the spans of a time, read in bounds, and
// kept in facts.db (seen_service, seen_call), so that they outlive the traces. A call is a server or
// consumer span whose parent is a span of another service.
//
// That a call was seen in a month is an event besides (delivery/calls.h): facts need what stays.
// thread: as the db or the view; neighbours_keep inside a transaction.
#pragma once

#include "facts/db.h"
#include "query/visit.h"

enum {
    NEIGHBOURS_SERVICES_MAX = 2000, // kept; what is seen beyond it is left out
    NEIGHBOURS_CALLS_MAX = 10000,
    NEIGHBOURS_SPANS_MAX = 200000, // looked at in one reading: more of the same tell nothing new
    NEIGHBOURS_NAME_MAX = 256,     // bytes of a service's name
    NEIGHBOURS_DAYS = 30,          // what was not seen for longer is forgotten
};

// The tables, and a view that a later migration drops.
#define NEIGHBOURS_TABLES \
    "CREATE TABLE seen_service(service TEXT PRIMARY KEY, first_at INTEGER NOT NULL, last_at INTEGER NOT " \
    "NULL) WITHOUT ROWID;" \
    "CREATE TABLE seen_call(caller TEXT NOT NULL, callee TEXT NOT NULL, first_at INTEGER NOT NULL, last_at " \
    "INTEGER NOT NULL, PRIMARY KEY(caller, callee)) WITHOUT ROWID;" \
    "CREATE INDEX seen_call_callee ON seen_call(callee);" \
    "CREATE VIEW neighbour AS SELECT service, needs AS other, 1 AS calls FROM catalogue_dependency UNION " \
    "SELECT caller, callee, 1 FROM seen_call UNION SELECT needs, service, 0 FROM catalogue_dependency " \
    "UNION SELECT callee, caller, 0 FROM seen_call;"

struct neighbours_seen {
    struct str caller, callee; // caller empty: the service was seen, whoever calls it
    int64_t first, last;       // starts of spans, of one calendar month in UTC
};
struct neighbours {
    struct neighbours_seen *items; // in no order; of each month one
    uint32_t n;
    bool partial; // the limits of the reading ended it
};
// Spans that start in the range of the bounds, whose other limits hold too. Names lie in the arena.
NODISCARD enum err neighbours_read(struct arena *a, struct view *v, const struct query_bounds *bounds,
                                   struct neighbours *out, struct err_ctx *ctx);
NODISCARD enum err neighbours_keep(struct db *d, const struct neighbours *seen, int64_t now);
