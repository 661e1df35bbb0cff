// SPDX-License-Identifier: Apache-2.0
// The set of live blocks of a tenant, as numbered snapshots that are created only if absent:
// whoever creates number N + 1 has committed. A snapshot also says, per node, up to which record
// of its log the blocks hold everything, so that committing a block and advancing the log is one
// act. docs/formats/catalog.md has the bytes. thread: any; a snapshot is immutable once committed.
#pragma once

#include "block/meta.h"
#include "object/object.h"

enum { CATALOG_BLOCKS_MAX = 10000, CATALOG_NODES_MAX = 1000 };

struct catalog_node {
    char id[ULID_LEN + 1];
    uint64_t covered_seq; // records up to here are in blocks
};

struct catalog {
    uint64_t number; // 0 = none was ever committed
    uint64_t time_ns;
    struct catalog_node *nodes;
    uint32_t n_nodes;
    struct block_meta *blocks;
    uint32_t n_blocks;
};

// The newest snapshot; number 0 and no blocks when there is none. Memory is the arena's.
// ERR_CORRUPT when it is damaged (it was committed whole, so this is not a crash's doing), with
// its key in the text; ERR_UNSUPPORTED when a newer version wrote it.
NODISCARD enum err catalog_load(struct object_store *store, struct str tenant, struct arena *a,
                                struct catalog *out, struct err_ctx *ctx);
// Commits `next` as number next->number. ERR_EXISTS: somebody else was first, reread.
NODISCARD enum err catalog_commit(struct object_store *store, struct str tenant, const struct catalog *next);
// Removes snapshots older than the newest 100 that were also committed more than 24 h ago.
NODISCARD enum err catalog_clean(struct object_store *store, struct str tenant, uint64_t newest,
                                 uint64_t now_ns);
// Removes the files of blocks that the snapshot does not name: what a crash left uncommitted. Only
// for a store that no other node writes to. *out_n = blocks removed.
NODISCARD enum err catalog_sweep(struct object_store *store, struct str tenant, const struct catalog *live,
                                 uint32_t *out_n);

uint64_t catalog_covered(const struct catalog *c, const char *node);
// Sets a node's mark, adding the node; the arrays must have room for one more.
void catalog_cover(struct catalog *c, const char *node, uint64_t seq);

// The bytes of a snapshot, and back. For tests and fuzzing too.
void catalog_encode(const struct catalog *c, struct buf *out);
NODISCARD enum err catalog_decode(struct str bytes, struct arena *a, struct catalog *out);
