// SPDX-License-Identifier: Apache-2.0
// Rule 7 beyond the own service: an incident that nothing else has a cause for is held to be the doing of the
// last successful rollout within FAILURE_WINDOW_NS before it began, among the services that its own calls or
// is called by: the catalogue of today says so, or a call fact of the month in which it began or of the one
// before.
//
// The choice reads rollouts, and links that are no such choices, as they stand when nothing is stale; it
// makes scopes stale, but only such links of theirs change then. So it comes to rest, at what facts and
// catalogue say, whatever came first.
//
// Tables: `near` (what was chosen), `near_stale` (incidents to choose for, and to judge words on: words.h),
// `near_scope` (what that makes stale), `near_was`, `near_decided`, `near_moved` (of the scope at hand);
// view: `neighbour`. thread: as the db; inside a transaction.
#pragma once

#include "facts/db.h"

// For derive_tables. Calls: 1 where the service needs the other one, 0 where the other one needs it.
// month_at: of the call fact; 0: the catalogue says so. To be asked for one service that is bound: so its
// indices are used.
#define NEAR_TABLES \
    "DROP VIEW IF EXISTS neighbour;" \
    "DROP TABLE IF EXISTS near; DROP TABLE IF EXISTS near_stale; DROP TABLE IF EXISTS near_scope;" \
    "DROP TABLE IF EXISTS near_was; DROP TABLE IF EXISTS near_decided; DROP TABLE IF EXISTS near_moved;" \
    "CREATE VIEW neighbour AS SELECT service, needs AS other, 1 AS calls, 0 AS month_at FROM " \
    "catalogue_dependency UNION ALL SELECT needs, service, 0, 0 FROM catalogue_dependency UNION ALL SELECT " \
    "caller, callee, 1, month_at FROM call UNION ALL SELECT callee, caller, 0, month_at FROM call;" \
    "CREATE TABLE near(incident TEXT PRIMARY KEY, rollout INTEGER NOT NULL, service TEXT NOT NULL," \
    " environment TEXT NOT NULL, evidence TEXT NOT NULL) WITHOUT ROWID;" \
    "CREATE INDEX near_of ON near(service, environment);" \
    "CREATE TABLE near_stale(incident TEXT PRIMARY KEY) WITHOUT ROWID;" \
    "CREATE TABLE near_scope(service TEXT NOT NULL, environment TEXT NOT NULL, PRIMARY KEY(service," \
    " environment)) WITHOUT ROWID;" \
    "CREATE TABLE near_was(id INTEGER PRIMARY KEY, finished_at INTEGER, production INTEGER, deploy TEXT);" \
    "CREATE TABLE near_decided(incident TEXT PRIMARY KEY) WITHOUT ROWID;" \
    "CREATE TABLE near_moved(finished_at INTEGER PRIMARY KEY);"

// What has changed: an incident or what people said of it, a call fact that is new, the catalogue's
// dependencies (as against catalogue_dependency_was).
NODISCARD enum err near_note_incident(struct db *d, struct str incident);
NODISCARD enum err near_note_call(struct db *d, struct str caller, struct str callee, int64_t month);
NODISCARD enum err near_note_catalogue(struct db *d);
// Before the rollouts of a service in an environment are derived anew, and afterwards: incidents whose choice
// may be another one now are noted. *out_any: there are neighbours or words of people at all; where not, the
// second is not to be called.
NODISCARD enum err near_before(struct db *d, struct str service, struct str environment, bool *out_any);
NODISCARD enum err near_after(struct db *d, struct str service, struct str environment);
// Chooses for some incidents, when no scope is stale. *out_left: there are more, or scopes are stale now.
NODISCARD enum err near_some(struct db *d, bool *out_left);
NODISCARD enum err near_forget_all(struct db *d);
