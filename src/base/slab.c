// SPDX-License-Identifier: Apache-2.0
#include "base/slab.h"

static uint32_t units_of(size_t n) {
    return n ? (uint32_t)((n + SLAB_UNIT - 1) / SLAB_UNIT) : 1;
}

static bool is_used(const struct slab *x, uint32_t unit) {
    return x->used[unit / 64] >> (unit % 64) & 1;
}

static void mark(struct slab *x, uint32_t from, uint32_t n, bool used) {
    for (uint32_t i = from; i < from + n; i++) {
        uint64_t bit = 1ull << (i % 64);
        x->used[i / 64] = used ? x->used[i / 64] | bit : x->used[i / 64] & ~bit;
    }
    x->n_free = used ? x->n_free - n : x->n_free + n;
}

// The first of n units side by side that are free; SLAB_UNITS: there are none.
static uint32_t find_units(const struct slab *x, uint32_t n) {
    uint32_t run = 0;
    for (uint32_t i = 0; i < SLAB_UNITS && x->n_free >= n; i++) {
        run = is_used(x, i) ? 0 : run + 1;
        if (run == n) return i + 1 - n;
    }
    return SLAB_UNITS;
}

static struct slab *add_slab(struct slabs *s) {
    if (s->n >= s->most) return NULL;
    struct slab *more = mem_grow(s->at, s->n, &s->cap, sizeof *more);
    if (!more) return NULL;
    s->at = more;
    char *memory = mem_map(SLAB_BYTES);
    if (!memory) return NULL;
    mem_poison(memory, SLAB_BYTES);
    s->at[s->n] = (struct slab){ .memory = memory, .n_free = SLAB_UNITS };
    return &s->at[s->n++];
}

static void *take(struct slab *x, uint32_t unit, size_t n) {
    mark(x, unit, units_of(n), true);
    char *p = x->memory + (size_t)unit * SLAB_UNIT;
    mem_unpoison(p, n);
    return p;
}

void slabs_limit(struct slabs *s, uint64_t bytes) {
    uint64_t most = (bytes + bytes / 4 + SLAB_BYTES - 1) / SLAB_BYTES;
    pthread_mutex_lock(&s->lock);
    s->most = most < UINT32_MAX ? (uint32_t)most : UINT32_MAX;
    pthread_mutex_unlock(&s->lock);
}

void *slab_alloc(struct slabs *s, size_t n) {
    void *p = NULL;
    if (n > SLAB_BYTES) return NULL;
    pthread_mutex_lock(&s->lock);
    s->asked = true;
    for (uint32_t i = 0; i < s->n && !p; i++) {
        uint32_t unit = find_units(&s->at[i], units_of(n));
        if (unit < SLAB_UNITS) p = take(&s->at[i], unit, n);
    }
    struct slab *more = p ? NULL : add_slab(s);
    if (more) p = take(more, 0, n);
    pthread_mutex_unlock(&s->lock);
    return p;
}

// NULL: it is of none of them.
static struct slab *slab_of(const struct slabs *s, const char *p) {
    for (uint32_t i = 0; i < s->n; i++)
        if (p >= s->at[i].memory && p < s->at[i].memory + SLAB_BYTES) return &s->at[i];
    return NULL;
}

bool slabs_hold(struct slabs *s, const void *p) {
    pthread_mutex_lock(&s->lock);
    bool holds = p && slab_of(s, p);
    pthread_mutex_unlock(&s->lock);
    return holds;
}

static void slab_end(struct slabs *s, struct slab *x) {
    mem_unpoison(x->memory, SLAB_BYTES);
    mem_unmap(x->memory, SLAB_BYTES);
    *x = s->at[--s->n];
    if (s->n) return;
    mem_free(TAKE(s->at));
    s->cap = 0;
}

void slab_free(struct slabs *s, void *p, size_t n) {
    char *at = p;
    if (!p) return;
    pthread_mutex_lock(&s->lock);
    struct slab *x = slab_of(s, at);
    ASSERT(x);
    size_t off = (size_t)(at - x->memory);
    uint32_t first = (uint32_t)(off / SLAB_UNIT), units = units_of(n);
    ASSERT(off % SLAB_UNIT == 0 && units <= SLAB_UNITS - first);
    ASSERT(is_used(x, first) && is_used(x, first + units - 1));
    mark(x, first, units, false);
    mem_poison(at, (size_t)units_of(n) * SLAB_UNIT);
    if (x->n_free == SLAB_UNITS && !s->keeps) slab_end(s, x);
    pthread_mutex_unlock(&s->lock);
}

void slabs_trim(struct slabs *s) {
    pthread_mutex_lock(&s->lock);
    for (uint32_t i = s->n; i-- > 0 && !s->asked;)
        if (s->at[i].n_free == SLAB_UNITS) slab_end(s, &s->at[i]);
    s->asked = false;
    pthread_mutex_unlock(&s->lock);
}

uint64_t slabs_bytes(struct slabs *s) {
    pthread_mutex_lock(&s->lock);
    uint64_t bytes = (uint64_t)s->n * SLAB_BYTES;
    pthread_mutex_unlock(&s->lock);
    return bytes;
}
