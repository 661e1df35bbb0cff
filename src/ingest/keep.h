// SPDX-License-Identifier: Apache-2.0
// Inside `ingest` only: what cutting, merging and retention share. thread: the keeper.
#pragma once

#include "ingest/ingest_internal.h"

void keep_block_id(struct ingest *in, char out[ULID_LEN + 1]);
// Commits a change of the catalog; other writers' commits in between are taken up.
NODISCARD enum err keep_commit(struct ingest *in, const struct catalog_change *change);
// After a commit that failed: does a snapshot name the block all the same, or can that not be known?
// Then its files must stay. Rereads the catalog; show it.
bool keep_may_live(struct ingest *in, const char *id);
// Blocks and view follow the catalog. Holding the lock.
void keep_show(struct ingest *in, const struct catalog_change *change);
// Lets go of a trace: the blocks that hold it are replaced, in one commit. *out_n = spans deleted.
NODISCARD enum err keep_delete(struct ingest *in, const uint8_t id[16], uint64_t *out_n);
// The same for all blocks there are. ERR_NOT_FOUND: none.
NODISCARD enum err keep_delete_everything(struct ingest *in, uint64_t *out_n);
// Commits and shows; else removes the files of what would have been added, unless it may live.
NODISCARD enum err keep_change(struct ingest *in, const struct catalog_change *change, const char *what);
// Merging, retention, disk budget, old snapshots: one step of whatever is due. true: call again.
bool keep_house(struct ingest *in);
