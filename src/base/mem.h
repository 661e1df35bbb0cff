// SPDX-License-Identifier: Apache-2.0
// The only door to the heap, and the arenas on top of it. thread: any, except where said.
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/err.h"

// NULL when the memory is not to be had; never aborts. n = 0 gives a unique pointer.
void *mem_alloc(size_t n) __attribute__((malloc, alloc_size(1)));
void *mem_zalloc(size_t n) __attribute__((malloc, alloc_size(1)));
void *mem_realloc(void *p, size_t n) __attribute__((alloc_size(2)));
void mem_free(void *p);
// Room for one more of n objects of `size` bytes on the heap: `items` itself, or moved to where there is
// twice the room or more, *cap raised. NULL when there is no memory; items are then as they were.
void *mem_grow(void *items, uint32_t n, uint32_t *cap, size_t size);

// Zeroed memory of its own, at a multiple of 2 MiB and in pages of that size where the system has them.
void *mem_map(size_t n);
void mem_unmap(void *p, size_t n);
// ASan: nobody may touch it; and may again.
void mem_poison(const void *p, size_t n);
void mem_unpoison(const void *p, size_t n);

// Tests only: the n-th allocation from now (1 = the next) and, when `keep`, all after it fail.
// 0 switches this off. mem_fail_seen() is the number of allocations since the last call.
void mem_fail_at(uint64_t n, bool keep);
uint64_t mem_fail_seen(void);

// Brings the line of p into the CPU's cache, as __builtin_prefetch does; but gcc takes a function that does
// nothing else for one without effect, and leaves its calls out.
static inline __attribute__((always_inline)) void mem_fetch(const void *p) {
    __builtin_prefetch(p);
    __asm__ volatile("");
}

// Bytes that a unit of work may hold; units share one by pointing to the same budget.
struct mem_budget {
    _Atomic uint64_t used;
    uint64_t limit; // 0 = unlimited
    // Of a budget that takes from a larger one: raises `reserved` to `need` at least, or answers false.
    // Called by any thread that wants more than that. NULL: none is asked.
    bool (*reserve)(struct mem_budget *b, uint64_t need);
    // Would it, and at once? NULL: yes.
    bool (*has)(struct mem_budget *b, uint64_t need);
    _Atomic uint64_t reserved;
};

// false (and nothing taken) when n more bytes would go past the limit.
NODISCARD bool mem_budget_take(struct mem_budget *b, uint64_t n);
void mem_budget_give(struct mem_budget *b, uint64_t n);
// Could n more bytes be taken, without waiting? Others may be faster.
bool mem_budget_has(struct mem_budget *b, uint64_t n);

// An arena: objects of one lifetime, freed together. Allocation bumps a pointer inside chunks.
// Memory is 16-byte aligned and NOT zeroed. A failed allocation returns NULL and sticks in
// `failed`, so straight-line code may check once at the end. thread: one at a time.
struct arena_chunk;
struct arena {
    char *pos, *end;
    struct arena_chunk *chunks;
    struct arena_chunk *spare; // kept by resets, to be used again
    struct mem_budget *budget; // may be NULL
    size_t used;               // bytes of all chunks, spare ones too
    size_t keep;               // bytes that a reset keeps beside the newest chunk; 0 at first
    size_t limit;              // of `used`; beyond it allocations fail
    bool failed;
    bool pooled; // its chunks come from the pool of idle ones, and go there; set before the first use
};

void arena_init(struct arena *a, size_t limit_bytes, struct mem_budget *budget);
void arena_fini(struct arena *a);
// The pool holds up to 96 MiB of chunks, whose memory the next arena need not fault in again. This gives
// back half of what nobody asked for since the last call.
void arena_pool_trim(void);
void arena_pool_limit(uint64_t bytes); // less than 96 MiB; before any thread uses it
uint64_t arena_pool_bytes(void);
void arena_reset(struct arena *a); // empty again; keeps the newest chunk, and others up to `keep`
// What `from` holds lives on in a; `from` is empty then. Both have the same budget and pool.
void arena_adopt(struct arena *a, struct arena *from);
void *arena_slow_(struct arena *a, size_t n);

static inline void *arena_alloc(struct arena *a, size_t n) {
    size_t need = (n + 15) & ~(size_t)15;
    if (need < n || (size_t)(a->end - a->pos) < need || need == 0) return arena_slow_(a, n);
    void *p = a->pos;
    a->pos += need;
    return p;
}
// Bytes of the chunks but for the room that is left in the newest one.
static inline size_t arena_filled(const struct arena *a) {
    return a->used - (size_t)(a->end - a->pos);
}
static inline void *arena_zalloc(struct arena *a, size_t n) {
    void *p = arena_alloc(a, n);
    return p ? memset(p, 0, n) : NULL;
}
// A copy of n bytes without alignment, so that short strings lie tight.
void *arena_bytes(struct arena *a, const void *src, size_t n);
// An array of n objects of `size` bytes; checks the product.
void *arena_array(struct arena *a, size_t n, size_t size);
void *arena_copy(struct arena *a, const void *src, size_t n);
// Room for one more of n objects of `size` bytes: `items` itself, or a copy with twice the room, *cap
// raised. NULL when there is no memory; items are then as they were.
void *arena_grow(struct arena *a, void *items, uint32_t n, uint32_t *cap, size_t size);
#define ARENA_NEW(a, type) ((type *)arena_zalloc((a), sizeof(type)))
#define ARENA_ARRAY(a, n, type) ((type *)arena_array((a), (n), sizeof(type)))

// Moves ownership out of a variable that a cleanup attribute watches.
#define TAKE(p) \
    ({ \
        __typeof__(p) take_ = (p); \
        (p) = NULL; \
        take_; \
    })
