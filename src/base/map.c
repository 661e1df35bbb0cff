// SPDX-License-Identifier: Apache-2.0
#include "base/map.h"

enum { SLOTS_MIN = 16 };

void map_init(struct map *m, uint32_t limit_entries) {
    *m = (struct map){ .limit = limit_entries };
}

void map_fini(struct map *m) {
    mem_free(m->slots);
    *m = (struct map){ .limit = m->limit };
}

void map_reset(struct map *m) {
    if (m->n_slots) memset(m->slots, 0xff, (size_t)m->n_slots * sizeof *m->slots); // MAP_NONE
    m->n_used = 0;
}

uint32_t map_get(const struct map *m, uint64_t hash, map_eq *eq, const void *ctx, const void *key) {
    if (m->n_slots == 0) return MAP_NONE;
    uint32_t mask = m->n_slots - 1, tag = (uint32_t)(hash >> 32);
    for (uint32_t i = (uint32_t)hash & mask;; i = (i + 1) & mask) {
        const struct map_slot *s = &m->slots[i];
        if (s->index == MAP_NONE) return MAP_NONE;
        if (s->tag == tag && eq(ctx, s->index, key)) return s->index;
    }
}

static void place(struct map_slot *slots, uint32_t mask, uint64_t hash, uint32_t index) {
    uint32_t i = (uint32_t)hash & mask;
    while (slots[i].index != MAP_NONE) i = (i + 1) & mask;
    slots[i] = (struct map_slot){ (uint32_t)(hash >> 32), index };
}

enum err map_put(struct map *m, uint64_t hash, uint32_t index,
                 uint64_t (*rehash)(const void *ctx, uint32_t index), const void *ctx) {
    if (m->n_used >= m->limit) return ERR_LIMIT;
    if ((uint64_t)m->n_used * 4 >= (uint64_t)m->n_slots * 3) {
        uint32_t n = m->n_slots ? m->n_slots * 2 : SLOTS_MIN;
        struct map_slot *slots = n ? mem_alloc((size_t)n * sizeof *slots) : NULL;
        if (!slots) return ERR_NOMEM;
        memset(slots, 0xff, (size_t)n * sizeof *slots); // MAP_NONE
        for (uint32_t i = 0; i < m->n_slots; i++) {
            uint32_t old = m->slots[i].index;
            if (old != MAP_NONE) place(slots, n - 1, rehash(ctx, old), old);
        }
        mem_free(m->slots);
        m->slots = slots;
        m->n_slots = n;
    }
    place(m->slots, m->n_slots - 1, hash, index);
    m->n_used++;
    return ERR_OK;
}
