// SPDX-License-Identifier: Apache-2.0
// Incidents that were opened again: between the end that was told first and the reopening nobody was
// hurt, so that time is no part of what a restoration took. Table `incident_pause`, read by the
// view `incident_times`. thread: as the db; inside a transaction.
#pragma once

#include "intake/fact.h"

#define PAUSE_TABLES \
    "DROP TABLE IF EXISTS incident_pause; CREATE TABLE incident_pause(key TEXT PRIMARY KEY NOT NULL, ns " \
    "INTEGER NOT NULL) WITHOUT ROWID;"

// An incident's facts changed.
NODISCARD enum err pause_note(struct db *d, struct str incident);
NODISCARD enum err pause_note_all(struct db *d);
