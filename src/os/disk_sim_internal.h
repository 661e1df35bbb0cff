// SPDX-License-Identifier: Apache-2.0
// What disk_sim.c (the calls) and disk_sim_crash.c (what is left of them) share.
#pragma once

#include "base/map.h"
#include "os/disk_sim.h"
#include "os/thread.h"

struct sim_entry {
    const char *name;
    struct sim_node *node;
};

// A change of a file since its last sync.
struct sim_change {
    struct sim_change *next;
    bool is_truncate;
    uint64_t off; // or the new size
    struct str bytes;
};

struct sim_node {
    struct sim_node *next; // of all nodes, in the order they were made
    bool is_dir;
    bool reachable;          // scratch of a crash
    uint32_t n_links;        // live entries that name it
    struct buf live;         // bytes; of a folder: struct sim_entry sorted by name
    struct buf durable;      // the same as of the last sync
    struct sim_change *head; // pending, oldest first
    struct sim_change **tail;
};

// A change of a folder that no sync_dir followed yet.
struct sim_dir_change {
    struct sim_node *dir, *to_dir; // an entry goes from `dir`, comes into `to_dir`; NULL = neither
    const char *name, *to_name;
    struct sim_node *node;
};

struct disk_sim {
    struct disk base;
    struct mutex lock;
    struct arena arena; // nodes, names, pending bytes: until disk_sim_free
    struct map name_map;
    struct buf names; // of const char *, each name once
    struct sim_node *root, *nodes;
    struct buf dir_changes; // of struct sim_dir_change, oldest first
    uint64_t rand;
    uint64_t size_limit;
    uint64_t calls[DISK_SIM_OP_COUNT + 1];
    uint64_t n_open;
    struct disk_sim_fault fault;
    uint64_t fault_seen; // calls that the fault counted
    bool failing;        // the call under way is to fail, or to end in the dark
    bool down;
};

uint64_t sim_rand(struct disk_sim *s);
static inline uint64_t sim_below(struct disk_sim *s, uint64_t n) {
    return sim_rand(s) % n;
}

// buf_reserve without the sticky error: a call that fails leaves the disk as it was.
bool sim_reserve_bytes(struct buf *b, uint64_t extra);

struct sim_entry *sim_find(const struct buf *entries, const char *name);
// Sets or replaces an entry; room must have been reserved. remove: only if it is that node.
void sim_set(struct buf *entries, const char *name, struct sim_node *node);
void sim_remove(struct buf *entries, const char *name, const struct sim_node *node);

// All pending changes of a file reach the disk.
enum err sim_sync_all(struct sim_node *n);
// Some of them do, and the others never will. p of 4 is the share that does.
enum err sim_sync_some(struct disk_sim *s, struct sim_node *n, uint64_t p);
// The changes of one folder become durable.
enum err sim_sync_dir(struct disk_sim *s, struct sim_node *dir);
