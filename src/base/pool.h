// SPDX-License-Identifier: Apache-2.0
// Blocks of one size, for what is filled, handed on and soon given back, over and over: they lie side by side
// in pages of 2 MiB and wait for the next one, which need not fault them in again. thread: any.
#pragma once

#include "base/mem.h"

enum { POOL_BLOCK = 128 << 10 };

// What may be kept: one slab (base/slab.h) where it fits; 0, as it is at first: none, blocks are of the heap.
void pool_limit(uint64_t bytes);
void *pool_alloc(void); // POOL_BLOCK bytes: beyond the limit they are of the heap. NULL: no memory
void pool_free(void *p);
// Gives back what nobody asked for since the last call.
void pool_trim(void);
uint64_t pool_bytes(void); // kept, in use or not
