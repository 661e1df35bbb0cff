// SPDX-License-Identifier: Apache-2.0
#include "base/mem.h"

#include <pthread.h>
#include <stdlib.h>
#include <sys/mman.h>

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

// Twice the room, until one more than n fits; 0 past 2^31.
static uint32_t cap_for(uint32_t n, uint32_t cap) {
    do cap = cap ? cap * 2 : 16;
    while (cap && cap <= n);
    return cap;
}

void *mem_grow(void *items, uint32_t n, uint32_t *cap, size_t size) {
    if (n < *cap) return items;
    uint32_t more = cap_for(n, *cap);
    size_t bytes;
    if (!more || __builtin_mul_overflow(more, size, &bytes)) return NULL;
    void *p = mem_realloc(items, bytes);
    if (p) *cap = more;
    return p;
}

bool mem_budget_take(struct mem_budget *b, uint64_t n) {
    uint64_t after = atomic_fetch_add(&b->used, n) + n;
    bool fits = b->limit == 0 || after <= b->limit;
    if (fits && (!b->reserve || after <= b->reserved || b->reserve(b, after))) return true;
    atomic_fetch_sub(&b->used, n);
    return false;
}

bool mem_budget_has(struct mem_budget *b, uint64_t n) {
    uint64_t after = b->used + n;
    if (after < n || (b->limit && after > b->limit)) return false;
    return !b->reserve || !b->has || after <= b->reserved || b->has(b, after);
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

// Chunks grow with the arena so that small lifetimes stay small and large ones cost few calls. The
// chunks of really large ones are mapped, in pages of 2 MiB where the system has them: with those of
// 4 KiB, faulting them in costs more than what is done with the memory. What comes back from the pool
// pays for its pages once, so such arenas are mapped sooner.
enum {
    CHUNK_MIN = 4 << 10,
    CHUNK_MAX = 1 << 20,
    LARGE_MIN = CHUNK_MAX / 8,
    PAGE = 2 << 20,
    MAPPED_CHUNK = 2 * PAGE,
    MAPPED_FROM = 4 * PAGE,
    MAPPED_FROM_POOLED = PAGE,
};

static bool is_mapped(size_t size) {
    return size >= MAPPED_CHUNK && !RED_ZONE;
}

void *mem_map(size_t size) {
    size_t kept = (size + 4095) & ~(size_t)4095; // else the system does not take back what is behind it
    if (must_fail()) return NULL;
    char *p = mmap(NULL, kept + PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED) return NULL;
    size_t before = -(uintptr_t)p & (PAGE - 1);
    if (before) (void)munmap(p, before);
    if (before < PAGE) (void)munmap(p + before + kept, PAGE - before);
    (void)madvise(p + before, kept, MADV_HUGEPAGE); // a wish
    return p + before;
}

void mem_unmap(void *p, size_t size) {
    (void)munmap(p, size);
}

void mem_poison(const void *p, size_t n) {
    POISON(p, n);
}
void mem_unpoison(const void *p, size_t n) {
    UNPOISON(p, n);
}

static void chunk_release(struct arena_chunk *c) {
    if (is_mapped(c->size))
        mem_unmap(c, c->size);
    else
        mem_free(c);
}

// --- the pool of idle chunks -------------------------------------------------------------------------

enum {
    POOL_BYTES_MAX = 96 << 20,
    POOL_CHUNK_MIN = 32 << 10,
    POOL_BINS =
        16, // by the logarithm of the size, from POOL_CHUNK_MIN on; the last one holds all larger ones
    POOL_TRIES = 16, // chunks looked at in a bin
};

static struct {
    pthread_mutex_t lock;
    struct arena_chunk *bins[POOL_BINS];
    uint64_t bytes, least; // since the last trim
    uint64_t limit;
} pool = { .lock = PTHREAD_MUTEX_INITIALIZER, .limit = POOL_BYTES_MAX };

static unsigned bin_of(size_t size) {
    unsigned bin = (unsigned)(63 - __builtin_clzll(size / POOL_CHUNK_MIN));
    return bin < POOL_BINS ? bin : POOL_BINS - 1;
}

// Faults that tests ask for must come again at the same places: then there is no pool, nor is there
// one where ASan is to see what was freed.
static bool pool_takes_part(size_t size) {
    return !RED_ZONE && size >= POOL_CHUNK_MIN && !atomic_load_explicit(&fail_counting, memory_order_relaxed);
}

// The smallest chunk of a bin, of those looked at, that has `size` to `most` bytes.
static struct arena_chunk **bin_find(unsigned bin, size_t size, size_t most) {
    struct arena_chunk **best = NULL, **at = &pool.bins[bin];
    for (int i = 0; *at && i < POOL_TRIES && (!best || (*best)->size > size); i++, at = &(*at)->next)
        if ((*at)->size >= size && (*at)->size <= most && (!best || (*at)->size < (*best)->size)) best = at;
    return best;
}

// A chunk of `size` bytes to twice that; of larger ones, to a little more, since they count as used.
static struct arena_chunk *pool_get(size_t size) {
    struct arena_chunk **at = NULL, *found = NULL;
    size_t most = size > 2 * POOL_CHUNK_MIN ? size + size / 32 : size * 2;
    if (!pool_takes_part(size)) return NULL;
    pthread_mutex_lock(&pool.lock);
    for (unsigned bin = bin_of(size), last = bin_of(most); !at && bin <= last; bin++)
        at = bin_find(bin, size, most);
    if (at) {
        found = *at;
        *at = found->next;
        pool.bytes -= found->size;
        if (pool.bytes < pool.least) pool.least = pool.bytes;
    }
    pthread_mutex_unlock(&pool.lock);
    return found;
}

static bool pool_put(struct arena_chunk *c) {
    if (!pool_takes_part(c->size)) return false;
    pthread_mutex_lock(&pool.lock);
    bool fits = pool.bytes + c->size <= pool.limit;
    if (fits) {
        c->next = pool.bins[bin_of(c->size)];
        pool.bins[bin_of(c->size)] = c;
        pool.bytes += c->size;
    }
    pthread_mutex_unlock(&pool.lock);
    return fits;
}

void arena_pool_limit(uint64_t bytes) {
    pool.limit = bytes < POOL_BYTES_MAX ? bytes : POOL_BYTES_MAX;
}

void arena_pool_trim(void) {
    pthread_mutex_lock(&pool.lock);
    uint64_t most = pool.bytes - pool.least / 2;
    for (unsigned bin = POOL_BINS; bin-- > 0;) {
        while (pool.bins[bin] && pool.bytes > most) {
            struct arena_chunk *c = pool.bins[bin];
            pool.bins[bin] = c->next;
            pool.bytes -= c->size;
            chunk_release(c);
        }
    }
    pool.least = pool.bytes;
    pthread_mutex_unlock(&pool.lock);
}

uint64_t arena_pool_bytes(void) {
    pthread_mutex_lock(&pool.lock);
    uint64_t bytes = pool.bytes;
    pthread_mutex_unlock(&pool.lock);
    return bytes;
}

// --- arenas ------------------------------------------------------------------------------------------

void arena_init(struct arena *a, size_t limit_bytes, struct mem_budget *budget) {
    *a = (struct arena){ .limit = limit_bytes, .budget = budget };
}

static void chunk_free(struct arena *a, struct arena_chunk *c) {
    a->used -= c->size;
    if (a->budget) mem_budget_give(a->budget, c->size);
    UNPOISON(c->data, c->size - sizeof *c);
    if (!a->pooled || !pool_put(c)) chunk_release(c);
}

static void chunks_free(struct arena *a, struct arena_chunk **list) {
    while (*list) {
        struct arena_chunk *c = *list;
        *list = c->next;
        chunk_free(a, c);
    }
}

void arena_fini(struct arena *a) {
    chunks_free(a, &a->chunks);
    chunks_free(a, &a->spare);
    a->pos = a->end = NULL;
    a->failed = false;
}

void arena_reset(struct arena *a) {
    struct arena_chunk *keep = a->chunks;
    a->failed = false;
    if (!keep) return;
    size_t spare = 0;
    for (struct arena_chunk *c = a->spare; c; c = c->next) spare += c->size;
    while (keep->next) {
        struct arena_chunk *c = keep->next;
        keep->next = c->next;
        spare += c->size;
        if (spare > a->keep) {
            spare -= c->size;
            chunk_free(a, c);
        } else {
            c->next = a->spare;
            a->spare = c;
        }
    }
    a->pos = keep->data;
    a->end = (char *)keep + keep->size;
    POISON(a->pos, (size_t)(a->end - a->pos));
    if (RED_ZONE) a->end = a->pos; // every allocation goes the slow way, to get its red zone
}

void arena_adopt(struct arena *a, struct arena *from) {
    ASSERT(a != from && a->budget == from->budget && a->pooled == from->pooled);
    chunks_free(from, &from->spare);
    struct arena_chunk **behind = a->chunks ? &a->chunks->next : &a->chunks; // the newest has the room
    if (!a->chunks) {
        a->pos = from->pos;
        a->end = from->end;
    }
    struct arena_chunk **last = &from->chunks;
    while (*last) last = &(*last)->next;
    *last = *behind;
    *behind = from->chunks;
    a->used += from->used;
    a->failed |= from->failed;
    from->chunks = NULL;
    from->used = 0;
    arena_fini(from);
}

// A spare chunk that is not much larger than what is wanted.
static struct arena_chunk *chunk_again(struct arena *a, size_t size) {
    for (struct arena_chunk **at = &a->spare; *at; at = &(*at)->next) {
        struct arena_chunk *c = *at;
        if (c->size < size || c->size / 2 > size) continue;
        *at = c->next;
        UNPOISON(c->data, c->size - sizeof *c);
        return c;
    }
    return NULL;
}

// Others may want what is spare here.
static bool must_ask(const struct mem_budget *b, size_t size) {
    return b && b->reserve && b->used + size > b->reserved;
}

// Counts `size` more bytes everywhere; false past a limit.
static bool chunk_take(struct arena *a, size_t size) {
    if (a->spare && (a->used + size > a->limit || must_ask(a->budget, size))) chunks_free(a, &a->spare);
    if (a->used + size < size || a->used + size > a->limit) return false;
    if (a->budget && !mem_budget_take(a->budget, size)) {
        if (!a->spare) return false;
        chunks_free(a, &a->spare);
        if (!mem_budget_take(a->budget, size)) return false;
    }
    a->used += size;
    return true;
}

static struct arena_chunk *chunk_idle(struct arena *a, size_t size) {
    struct arena_chunk *c = a->pooled ? pool_get(size) : NULL;
    if (!c || chunk_take(a, c->size)) return c;
    if (!pool_put(c)) chunk_release(c);
    return NULL;
}

// A chunk of `size` bytes or more; NULL past a limit.
static struct arena_chunk *chunk_new(struct arena *a, size_t size) {
    struct arena_chunk *c = chunk_again(a, size);
    if (!c) c = chunk_idle(a, size);
    if (c || !chunk_take(a, size)) return c;
    c = is_mapped(size) ? mem_map(size) : mem_alloc(size);
    if (!c) {
        a->used -= size;
        if (a->budget) mem_budget_give(a->budget, size);
        return NULL;
    }
    c->size = size;
    return c;
}

// The bytes of a chunk for an object that needs `least` of them; whole pages where it is mapped.
static size_t chunk_size(const struct arena *a, size_t least) {
    size_t want = a->used < CHUNK_MIN ? CHUNK_MIN : a->used > CHUNK_MAX ? CHUNK_MAX : a->used;
    bool is_large = least >= LARGE_MIN;
    if (RED_ZONE || (is_large && least < MAPPED_CHUNK && !a->pooled)) return least; // the heap has it warm
    if (a->used + least >= (a->pooled ? MAPPED_FROM_POOLED : MAPPED_FROM))
        return least <= MAPPED_CHUNK ? MAPPED_CHUNK : (least + PAGE - 1) & ~(size_t)(PAGE - 1);
    return want > least && !is_large ? want : least;
}

// A chunk for an object of `need` bytes, which stands at its start. The chunk that then has more room,
// this or the newest, is the one to go on with; the other's rest is left.
static struct arena_chunk *chunk_add(struct arena *a, size_t need) {
    size_t least = need + sizeof(struct arena_chunk), want = chunk_size(a, least);
    struct arena_chunk *c = chunk_new(a, want);
    if (!c && want > least) c = chunk_new(a, least);
    if (!c) return NULL;
    char *rest = c->data + need, *end = (char *)c + c->size;
    if (a->chunks && end - rest < a->end - a->pos) {
        c->next = a->chunks->next;
        a->chunks->next = c;
        return c;
    }
    c->next = a->chunks;
    a->chunks = c;
    a->pos = rest;
    a->end = end;
    return c;
}

// Under ASan each object is a chunk of its own: malloc's red zones then guard every one of them.
void *arena_slow_(struct arena *a, size_t n) {
    size_t need = n ? (n + 15) & ~(size_t)15 : 16;
    if (need >= n && (size_t)(a->end - a->pos) >= need) {
        a->pos += need;
        return a->pos - need;
    }
    struct arena_chunk *c = need < SIZE_MAX / 2 && n < SIZE_MAX / 2 ? chunk_add(a, need) : NULL;
    if (!c) {
        a->failed = true;
        return NULL;
    }
    if (RED_ZONE) a->pos = a->end;
    POISON(c->data + n, c->size - sizeof *c - n);
    return c->data;
}

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

void *arena_grow(struct arena *a, void *items, uint32_t n, uint32_t *cap, size_t size) {
    if (n < *cap) return items;
    uint32_t more = cap_for(n, *cap);
    if (!more) return NULL;
    void *p = arena_array(a, more, size);
    if (!p) return NULL;
    if (n) memcpy(p, items, n * size);
    *cap = more;
    return p;
}
