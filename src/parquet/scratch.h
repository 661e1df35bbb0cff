// SPDX-License-Identifier: Apache-2.0
// Memory that is reused from one column to the next: an array whose old content is not kept when
// it grows.
#pragma once

#include "base/mem.h"

struct scratch {
    void *ptr;
    size_t cap; // bytes
};

// Room for n objects of `size` bytes; NULL when there is no memory.
static inline void *scratch_get(struct scratch *s, size_t n, size_t size) {
    size_t need;
    if (__builtin_mul_overflow(n, size, &need) || need > SIZE_MAX / 2) return NULL;
    if (need <= s->cap && s->ptr) return s->ptr;
    size_t cap = need < s->cap * 2 ? s->cap * 2 : need < 256 ? 256 : need;
    mem_free(s->ptr);
    s->ptr = mem_alloc(cap);
    s->cap = s->ptr ? cap : 0;
    return s->ptr;
}

static inline void scratch_fini(struct scratch *s) {
    mem_free(s->ptr);
    *s = (struct scratch){ 0 };
}
