// SPDX-License-Identifier: Apache-2.0
// The record of delivery: every event that was taken, as it came, for ever; what was refused and
// why; the commits of imported histories. Facts are made from it and from nothing else.
// thread: as the db; writes inside a transaction.
#pragma once

#include "intake/intake.h"

enum { RECORD_REFUSED_KEPT = 1000, RECORD_REFUSED_BODY_MAX = 64 << 10 };

// The raw tables, numbered; to be given to db_migrate.
extern const char *const record_migrations[];
extern const unsigned n_record_migrations;

// Keeps an event. *out_id is 0 when the same was kept before (source, id and body are the same).
// No header is kept: some are secrets.
NODISCARD enum err record_event(struct db *d, const struct intake_request *r, const struct intake_event *e,
                                int64_t *out_id);
// Keeps what was refused: the newest RECORD_REFUSED_KEPT of all.
NODISCARD enum err record_refused(struct db *d, const struct intake_request *r, struct str reason);

// Calls `each` for the events after an id, in the order of their arrival, at most n of them.
// *out_last is the last id (unchanged when there is none). Texts live until `each` returns.
NODISCARD enum err record_each(struct db *d, int64_t after, unsigned n, int64_t *out_last,
                               enum err (*each)(void *ctx, int64_t id, const struct intake_request *r),
                               void *ctx);
