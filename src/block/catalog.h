// SPDX-License-Identifier: Apache-2.0
// The set of live blocks of a tenant, as numbered snapshots that are created only if absent:
// whoever creates number N + 1 has committed. A snapshot also says, per node, up to which record
// of its log the blocks hold everything, so that committing a block and advancing the log is one
// act. Many blocks are named through lists: immutable objects of about a thousand blocks, of which
// a commit writes only those that change. docs/formats/catalog.md has the bytes. thread: any; a
// snapshot is immutable once committed.
#pragma once

#include "block/meta.h"
#include "object/object.h"

enum {
    CATALOG_BLOCKS_MAX = 100000,
    CATALOG_FLAT_MAX = 10000, // blocks that a snapshot names itself; beyond, it refers to lists
    CATALOG_LIST_MAX = 1024,  // blocks of a list
    CATALOG_LISTS_MAX = 1024,
    CATALOG_NODES_MAX = 1000,
};

struct catalog_node {
    char id[ULID_LEN + 1];
    uint64_t covered_seq; // records up to here are in blocks
};

// Some blocks of a snapshot, in an object of their own.
struct catalog_list {
    uint64_t number; // of the snapshot that it was written for
    uint64_t nonce;  // tells it from what others wrote for the same number
    uint32_t n_blocks, crc;
};

struct catalog {
    uint64_t number; // 0 = none was ever committed
    uint64_t time_ns;
    struct catalog_node *nodes;
    uint32_t n_nodes;
    struct block_meta *blocks; // in the order of their coming
    uint32_t n_blocks;
    // The first blocks, in this order, are named by lists; what is left stands in the snapshot.
    struct catalog_list *lists;
    uint32_t n_lists;
};

// The newest snapshot; number 0 and no blocks when there is none. Memory is the arena's.
// ERR_CORRUPT when it is damaged (it was committed whole, so this is not a crash's doing), with
// its key in the text; ERR_UNSUPPORTED when a newer version wrote it.
NODISCARD enum err catalog_load(struct object_store *store, struct str tenant, struct arena *a,
                                struct catalog *out, struct err_ctx *ctx);
// Commits `next` as number next->number. Its lists are chosen here: those of `base`, the snapshot
// that it was made from, stay where their blocks do; others are written first. They are allocated
// in `a`. ERR_EXISTS: somebody else was first, reread. ERR_LIMIT: too many blocks.
NODISCARD enum err catalog_commit(struct object_store *store, struct str tenant, const struct catalog *base,
                                  struct catalog *next, struct arena *a);
// Removes snapshots older than the newest 100 that were also committed more than 24 h ago.
NODISCARD enum err catalog_clean(struct object_store *store, struct str tenant, uint64_t newest,
                                 uint64_t now_ns);
// Removes the lists that no snapshot names and none will: written for a number that is taken. By
// any node, at any time. *out_n = lists removed.
NODISCARD enum err catalog_sweep_lists(struct object_store *store, struct str tenant,
                                       const struct catalog *newest, uint32_t *out_n);
// Removes the files of blocks that the snapshot does not name: what a crash left uncommitted. Only
// for a store that no other node writes to. *out_n = blocks removed.
NODISCARD enum err catalog_sweep(struct object_store *store, struct str tenant, const struct catalog *live,
                                 uint32_t *out_n);

uint64_t catalog_covered(const struct catalog *c, const char *node);
// Sets a node's mark, adding the node; the arrays must have room for one more.
void catalog_cover(struct catalog *c, const char *node, uint64_t seq);

// The bytes of a snapshot, and back; the blocks of lists are not in them and come back as zeros. For
// tests and fuzzing too.
void catalog_encode(const struct catalog *c, struct buf *out);
NODISCARD enum err catalog_decode(struct str bytes, struct arena *a, struct catalog *out);
