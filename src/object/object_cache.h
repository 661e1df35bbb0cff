// SPDX-License-Identifier: Apache-2.0
// Inside `object` only: files that stay open between reads, so that a read is one call. A bounded
// number; which of them go is found by a clock. A removed file is closed as soon as nobody reads
// it. thread: any.
#pragma once

#include "os/disk.h"
#include "os/thread.h"

enum { OBJECT_CACHE_FILES = 256 }; // of the 1,024 that a process may usually have open

struct object_cache {
    struct disk *disk;
    const char *dir;   // of all keys
    struct mutex lock; // of all below; not held while the disk works
    uint64_t n_forgotten;
    unsigned hand;
    uint64_t hash[OBJECT_CACHE_FILES]; // of the key; 0 = the slot is free
    struct object_file *file[OBJECT_CACHE_FILES];
};

// dir outlives the cache, and is shorter than DISK_PATH_MAX by more than any key.
void object_cache_init(struct object_cache *c, struct disk *d, const char *dir);
void object_cache_fini(struct object_cache *c); // nobody may be reading

// Exactly n bytes at off; ERR_CORRUPT where there are fewer, or what the disk returns.
NODISCARD enum err object_cache_read(struct object_cache *c, struct str key, uint64_t off, void *dst,
                                     size_t n);
// After the key's file was removed: it may be made anew.
void object_cache_forget(struct object_cache *c, struct str key);
