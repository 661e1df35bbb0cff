// SPDX-License-Identifier: Apache-2.0
// What things are called. An environment is one in whatever case a tool writes it: facts have it in lower
// case (ASCII). A service that a tool calls in its own way is known by its own name: table foreign_name,
// which the catalogue fills (delivery/names.h). Claims stay as they were made, so that another map makes
// other facts of them. thread: as the db.
#pragma once

#include "intake/fact.h"

// repo: only of facts of this repository, as host/path; empty: of all.
// environment: of facts that tell none; empty: the name says none. foreign_name_was: before the last change;
// foreign_moved: the names, and the services, that it was about; foreign_due: facts (by their table) that
// wait to be settled by it.
#define NAME_TABLES \
    "DROP TABLE IF EXISTS foreign_name; DROP TABLE IF EXISTS foreign_name_was;" \
    "DROP TABLE IF EXISTS foreign_moved;" \
    "CREATE TABLE foreign_name(name TEXT NOT NULL, repo TEXT NOT NULL, service TEXT NOT NULL," \
    " environment TEXT NOT NULL, PRIMARY KEY(name, repo)) WITHOUT ROWID;" \
    "CREATE TABLE foreign_name_was(name TEXT NOT NULL, repo TEXT NOT NULL, service TEXT NOT NULL," \
    " environment TEXT NOT NULL, PRIMARY KEY(name, repo)) WITHOUT ROWID;" \
    "CREATE TABLE foreign_moved(name TEXT PRIMARY KEY) WITHOUT ROWID;" \
    "DROP TABLE IF EXISTS foreign_due;" \
    "CREATE TABLE foreign_due(\"table\" TEXT NOT NULL, key TEXT NOT NULL, PRIMARY KEY(\"table\", key)) " \
    "WITHOUT ROWID;"

// Service and environment of a folded fact, of whatever kind. New texts lie in the arena.
NODISCARD enum err name_settle(struct db *d, struct arena *a, enum fact_kind k, struct fact *f);
