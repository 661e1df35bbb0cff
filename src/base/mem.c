// SPDX-License-Identifier: Apache-2.0
#include "base/mem.h"

#include <stdlib.h>

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#define POISON(p, n) ASAN_POISON_MEMORY_REGION((p), (n))
#define UNPOISON(p, n) ASAN_UNPOISON_MEMORY_REGION((p), (n))
#define RED_ZONE 16
#else
#define POISON(p, n) ((void)(p), (void)(n))
#define UNPOISON(p, n) ((void)(p), (void)(n))
#define RED_ZONE 0
#endif

static _Atomic uint64_t fail_at; // 0 = off
static _Atomic bool fail_keep;
static _Atomic uint64_t fail_count; // counted only while a test asked for it
static _Atomic bool fail_counting;

void mem_fail_at(uint64_t n, bool keep) {
    fail_at = n;
    fail_keep = keep;
    fail_count = 0;
    fail_counting = true;
}

uint64_t mem_fail_seen(void) {
    return fail_count;
}

static bool must_fail(void) {
    if (!atomic_load_explicit(&fail_counting, memory_order_relaxed)) return false;
    uint64_t nth = atomic_fetch_add(&fail_count, 1) + 1;
    uint64_t at = fail_at;
    return at != 0 && (nth == at || (nth > at && fail_keep));
}

void *mem_alloc(size_t n) {
    return must_fail() ? NULL : malloc(n ? n : 1);
}

void *mem_zalloc(size_t n) {
    return must_fail() ? NULL : calloc(1, n ? n : 1);
}

void *mem_realloc(void *p, size_t n) {
    return must_fail() ? NULL : realloc(p, n ? n : 1);
}

void mem_free(void *p) {
    free(p);
}

bool mem_budget_take(struct mem_budget *b, uint64_t n) {
    uint64_t before = atomic_fetch_add(&b->used, n);
    if (b->limit == 0 || before + n <= b->limit) return true;
    atomic_fetch_sub(&b->used, n);
    return false;
}

void mem_budget_give(struct mem_budget *b, uint64_t n) {
    uint64_t before = atomic_fetch_sub(&b->used, n);
    ASSERT(before >= n);
}

struct arena_chunk {
    struct arena_chunk *next;
    size_t size; // of the whole chunk, this header included
    char data[] __attribute__((aligned(16)));
};

// Chunks grow with the arena so that small lifetimes stay small and large ones cost few calls.
enum { CHUNK_MIN = 4 << 10, CHUNK_MAX = 1 << 20 };

void arena_init(struct arena *a, size_t limit_bytes, struct mem_budget *budget) {
    *a = (struct arena){ .limit = limit_bytes, .budget = budget };
}

static void chunk_free(struct arena *a, struct arena_chunk *c) {
    a->used -= c->size;
    if (a->budget) mem_budget_give(a->budget, c->size);
    UNPOISON(c->data, c->size - sizeof *c);
    mem_free(c);
}

void arena_fini(struct arena *a) {
    while (a->chunks) {
        struct arena_chunk *c = a->chunks;
        a->chunks = c->next;
        chunk_free(a, c);
    }
    a->pos = a->end = NULL;
    a->failed = false;
}

void arena_reset(struct arena *a) {
    struct arena_chunk *keep = a->chunks;
    if (!keep) return;
    while (keep->next) {
        struct arena_chunk *c = keep->next;
        keep->next = c->next;
        chunk_free(a, c);
    }
    a->pos = keep->data;
    a->end = (char *)keep + keep->size;
    POISON(a->pos, (size_t)(a->end - a->pos));
    a->failed = false;
    if (RED_ZONE) a->end = a->pos; // every allocation goes the slow way, to get its red zone
}

// A chunk of `size` bytes, counted everywhere; NULL past a limit.
static struct arena_chunk *chunk_new(struct arena *a, size_t size) {
    if (a->used + size < size || a->used + size > a->limit) return NULL;
    if (a->budget && !mem_budget_take(a->budget, size)) return NULL;
    struct arena_chunk *c = mem_alloc(size);
    if (!c) {
        if (a->budget) mem_budget_give(a->budget, size);
        return NULL;
    }
    c->size = size;
    a->used += size;
    return c;
}

static bool chunk_add(struct arena *a, size_t need) {
    size_t want = a->used < CHUNK_MIN ? CHUNK_MIN : a->used > CHUNK_MAX ? CHUNK_MAX : a->used;
    size_t least = need + sizeof(struct arena_chunk);
    if (least < need) return false;
    struct arena_chunk *c = NULL;
    if (want > least && !RED_ZONE) c = chunk_new(a, want);
    if (!c) c = chunk_new(a, least);
    if (!c) return false;
    c->next = a->chunks;
    a->chunks = c;
    a->pos = c->data;
    a->end = (char *)c + c->size;
    return true;
}

#if RED_ZONE
// Under ASan each object is a chunk of its own: malloc's red zones then guard every one of them.
void *arena_slow_(struct arena *a, size_t n) {
    if (n > SIZE_MAX / 2 || !chunk_add(a, (n + 15) & ~(size_t)15)) {
        a->failed = true;
        return NULL;
    }
    struct arena_chunk *c = a->chunks;
    a->pos = a->end = (char *)c + c->size;
    POISON(c->data + n, c->size - sizeof *c - n);
    return c->data;
}
#else
// A large object gets a chunk of its own behind the current one, whose rest stays in use.
static void *large_alloc(struct arena *a, size_t need) {
    struct arena_chunk *c = chunk_new(a, need + sizeof *c);
    if (!c) {
        a->failed = true;
        return NULL;
    }
    c->next = a->chunks->next;
    a->chunks->next = c;
    return c->data;
}

void *arena_slow_(struct arena *a, size_t n) {
    size_t need = n ? (n + 15) & ~(size_t)15 : 16;
    if (need >= CHUNK_MAX / 8 && need < SIZE_MAX / 2 && a->chunks && (size_t)(a->end - a->pos) < need)
        return large_alloc(a, need);
    if (need < n || ((size_t)(a->end - a->pos) < need && !chunk_add(a, need))) {
        a->failed = true;
        return NULL;
    }
    void *p = a->pos;
    a->pos += need;
    return p;
}
#endif

void *arena_array(struct arena *a, size_t n, size_t size) {
    size_t bytes;
    if (__builtin_mul_overflow(n, size, &bytes)) {
        a->failed = true;
        return NULL;
    }
    return arena_alloc(a, bytes);
}

// Bytes are taken from the end of the chunk, so that they cost no padding; the start stays aligned.
void *arena_bytes(struct arena *a, const void *src, size_t n) {
    if (RED_ZONE || (size_t)(a->end - a->pos) < n) {
        void *p = arena_slow_(a, n);
        return p ? memcpy(p, src, n) : NULL;
    }
    a->end -= n;
    return memcpy(a->end, src, n);
}

void *arena_copy(struct arena *a, const void *src, size_t n) {
    void *p = arena_alloc(a, n);
    if (p && n) memcpy(p, src, n);
    return p;
}
