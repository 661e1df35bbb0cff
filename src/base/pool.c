// SPDX-License-Identifier: Apache-2.0
#include "base/pool.h"

#include "base/slab.h"

static struct slabs slabs = { .lock = PTHREAD_MUTEX_INITIALIZER, .keeps = true };

void pool_limit(uint64_t bytes) {
    slabs_limit(&slabs, bytes < SLAB_BYTES ? 0 : 1);
}

void *pool_alloc(void) {
    void *p = slab_alloc(&slabs, POOL_BLOCK);
    return p ? p : mem_alloc(POOL_BLOCK);
}

void pool_free(void *p) {
    if (slabs_hold(&slabs, p))
        slab_free(&slabs, p, POOL_BLOCK);
    else
        mem_free(p);
}

void pool_trim(void) {
    slabs_trim(&slabs);
}

uint64_t pool_bytes(void) {
    return slabs_bytes(&slabs);
}
