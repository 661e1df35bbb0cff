// SPDX-License-Identifier: Apache-2.0
// Verdicts on rollouts and changes of flags in the record of delivery: an event of Takt's own (source
// "takt"), with the whole report as its body, from which the fact IMPACT is made. So a verdict outlives the
// traces that it was made from. thread: any.
#pragma once

#include "delivery/delivery.h"
#include "impact/impact.h"

enum { IMPACT_DUE_MAX = 256 }; // of a page

// The rollout of an id (16 hex digits) or of the key of a deploy, else the change of a flag of a key, else
// the last change of a flag of that name, as a question. *found: there is one. A rollout of kind flag is
// judged by the flag that its version names: FLAG, or FLAG=VARIANT.
NODISCARD enum err impact_load(struct db *db, struct arena *a, struct str key, int64_t now,
                               struct impact_ask *out, bool *found);
// What spans may call the service, by the catalogue.
NODISCARD enum err impact_read_names(struct db *db, struct arena *a, struct impact_of *of);
NODISCARD enum err impact_find_names(struct delivery *d, struct arena *a, struct impact_of *of);
// The last report that was recorded of it: by the id of a rollout, the key of a deploy or of a change; empty:
// none.
NODISCARD enum err impact_recorded(struct db *db, struct arena *a, struct str key, struct str *out);
// Keeps a report, unless one of the same state was kept before.
NODISCARD enum err impact_record(struct delivery *d, const struct impact_report *r);
// Was the same kept of a key before? select: the state of a key, a text that lives on.
NODISCARD enum err impact_is_kept(struct delivery *d, const char *select, struct str key, struct str state,
                                  bool *out);

// Rollouts, and changes of flags that change what runs, whose traces may still say something: begun `after`
// ns ago or more, of the last three days, without a final verdict; the newest first.
struct impact_due {
    struct str key; // the id of a rollout, the key of a change
    int64_t started;
};
// A page of a list of what is due, which is full when there may be more: what stands behind `past`.
struct impact_place {
    int64_t time; // INT64_MAX: all stands behind it
    struct str key;
};
struct impact_due_ask {
    int64_t now, after;
    struct impact_place past;
};
NODISCARD enum err impact_list_due(struct db *db, struct arena *a, const struct impact_due_ask *ask,
                                   struct impact_due **out, uint32_t *out_n);
// Binds ?1 to ?5 of a list: from, to, how many, and its place.
void impact_bind_due(struct db_row *r, const struct impact_due_ask *ask);
