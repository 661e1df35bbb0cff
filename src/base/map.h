// SPDX-License-Identifier: Apache-2.0
// A hash table from a 64-bit hash to a u32 index. Keys live with the caller, who passes a function
// that compares a candidate index with the key sought. Open addressing, grows by doubling up to a
// limit. thread: one at a time.
#pragma once

#include "base/hash.h"

#define MAP_NONE UINT32_MAX

struct map_slot {
    uint32_t tag;   // upper bits of the hash
    uint32_t index; // MAP_NONE = free
};
struct map {
    struct map_slot *slots;
    uint32_t n_slots; // power of two, or 0
    uint32_t n_used;
    uint32_t limit; // entries
};

typedef bool map_eq(const void *ctx, uint32_t index, const void *key);

void map_init(struct map *m, uint32_t limit_entries);
void map_fini(struct map *m);
void map_reset(struct map *m); // empty, keeps the slots
// The index stored under an equal key, or MAP_NONE.
uint32_t map_get(const struct map *m, uint64_t hash, map_eq *eq, const void *ctx, const void *key);
// The two halves of a look-up that waits for memory: ask for the slot, and later see which index a key
// with this hash mostly has (it is still to be compared), or MAP_NONE.
static inline void map_prefetch(const struct map *m, uint64_t hash) {
    if (m->n_slots) mem_fetch(&m->slots[(uint32_t)hash & (m->n_slots - 1)]);
}
static inline uint32_t map_likely(const struct map *m, uint64_t hash) {
    if (m->n_slots == 0) return MAP_NONE;
    uint32_t mask = m->n_slots - 1, tag = (uint32_t)(hash >> 32), i = (uint32_t)hash & mask;
    while (m->slots[i].index != MAP_NONE && m->slots[i].tag != tag) i = (i + 1) & mask;
    return m->slots[i].index;
}
// Adds an index under a hash; the caller knows that no equal key is there. rehash gives the hash
// of a stored index, for growing. ERR_LIMIT past the limit, ERR_NOMEM.
NODISCARD enum err map_put(struct map *m, uint64_t hash, uint32_t index,
                           uint64_t (*rehash)(const void *ctx, uint32_t index), const void *ctx);
