// SPDX-License-Identifier: Apache-2.0
// A part of a repository, being derived. Private to flows.c, part_changes.c and part_runs.c.
#pragma once

#include "delivery/flow.h"
#include "facts/db.h"

// Parts in SQL: of a change by its number, of a run by the first digit of its commit.
#define PART_OF_CHANGE "ifnull(number, 0) & 15"
#define PART_OF_SHA(sha) \
    "CASE WHEN " sha " GLOB '[0-9a-f]*' THEN instr('0123456789abcdef', substr(" sha ", 1, 1)) - 1 ELSE 16 " \
    "END"

struct part {
    struct db *db;
    struct arena *a;
    struct str repo;
    int64_t part;
};

void part_bind_repo(struct db_row *r, int at, struct str repo);
NODISCARD enum err part_put(struct part *p, enum flow_kind kind, const struct buf *figures,
                            const struct buf *names);

// Derive it; the buffers are theirs to fill.
NODISCARD enum err part_changes(struct part *p, struct buf *figures, struct buf *names);
NODISCARD enum err part_runs(struct part *p, struct buf *figures, struct buf *names);
