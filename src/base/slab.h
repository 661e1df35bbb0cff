// SPDX-License-Identifier: Apache-2.0
// Large things that live long and are read here and there: side by side in pages of 2 MiB, where the system
// has them. With pages of 4 KiB finding an address costs more than reading what is there. First fit, in units
// of 64 KiB. thread: any.
#pragma once

#include <pthread.h>

#include "base/mem.h"

enum {
    SLAB_UNIT = 64 << 10,
    SLAB_BYTES = 32 << 20, // of one slab: at most so much at once
    SLAB_UNITS = SLAB_BYTES / SLAB_UNIT,
};

struct slab {
    char *memory;
    uint64_t used[SLAB_UNITS / 64]; // a bit for each unit
    uint32_t n_free;
};

struct slabs {
    pthread_mutex_t lock;
    struct slab *at;
    uint32_t n, cap;
    uint32_t most; // slabs
    bool keeps;    // slabs that are free stay until slabs_trim
    bool asked;    // for a piece, since then
};
#define SLABS_INIT \
    { .lock = PTHREAD_MUTEX_INITIALIZER }

// The bound of the memory: `bytes` and a quarter, for what does not fit side by side, in whole slabs. So it
// is less than bytes * 5 / 4 + SLAB_BYTES, of which callers who count what they keep see at most `bytes`.
void slabs_limit(struct slabs *s, uint64_t bytes);
// NULL: past the limit, n is more than SLAB_BYTES, or there is no memory.
void *slab_alloc(struct slabs *s, size_t n);
// n as it was asked for; what is not a piece of a slab, or was freed before, ends the program.
void slab_free(struct slabs *s, void *p, size_t n);
bool slabs_hold(struct slabs *s, const void *p); // is it a piece of them?
// Of those that keep: gives free slabs back, unless something was asked for since the last call.
void slabs_trim(struct slabs *s);
uint64_t slabs_bytes(struct slabs *s); // of all slabs, used or not
