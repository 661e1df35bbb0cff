// SPDX-License-Identifier: Apache-2.0
// Whether what a person confirmed or denied as the cause of an incident names anything that is known, of
// whatever service: a rollout, a version, a digest, a group, a commit, a flag. A word that names nothing
// takes no link away; the intake counts it.
//
// Tables: `word_of_nothing` (verdicts that name nothing). Read when nothing is stale, as near.h says, whose
// incidents to choose for are those to judge words of. thread: as the db; inside a transaction.
#pragma once

#include "intake/fact.h"

#define WORDS_TABLES \
    "DROP TABLE IF EXISTS word_of_nothing; CREATE TABLE word_of_nothing(verdict TEXT PRIMARY KEY) WITHOUT " \
    "ROWID;"

// Incidents whose words a changed fact may give a meaning, or take it from, are noted (near_stale).
NODISCARD enum err words_note(struct db *d, const struct fact_change *c);
NODISCARD enum err words_note_history(struct db *d); // commits were imported
NODISCARD enum err words_forget_all(struct db *d);
// Judges the words on an incident anew. *out_changed: one means something now and did not, or the other way.
NODISCARD enum err words_judge(struct db *d, struct arena *a, struct str incident, bool *out_changed);
