// SPDX-License-Identifier: Apache-2.0
// A page of traces: the best `limit` of those that match, newest first by their start, then by id,
// whatever order they are found in. thread: one at a time.
#pragma once

#include "base/mem.h"

struct page_hit {
    uint8_t id[16];
    uint64_t start_ns;
    uint32_t source, group, row; // where it lies, as the finder counts
    void *more;                  // of the finder
};

struct page {
    struct page_hit *at; // once full a heap, the worst on top; sorted by page_sort
    uint32_t n, cap, limit;
    // The page after this trace.
    bool has_after;
    uint64_t after_start_ns;
    uint8_t after_id[16];
};

void page_init(struct page *p, uint32_t limit);
void page_fini(struct page *p);
// < 0: a comes first.
int page_compare(uint64_t start_a, const uint8_t a[16], uint64_t start_b, const uint8_t b[16]);
// Would such a trace get on the page now?
bool page_takes(const struct page *p, uint64_t start_ns, const uint8_t id[16]);
// The same of one that may be on the page already, and is to stay there.
bool page_keeps(const struct page *p, uint64_t start_ns, const uint8_t id[16]);
// Could any trace that starts at or before start_ns?
static inline bool page_takes_as_old_as(const struct page *p, uint64_t start_ns) {
    return p->n < p->limit || start_ns >= p->at[0].start_ns;
}
// What is not, or no longer, on the page is forgotten. ERR_NOMEM.
NODISCARD enum err page_add(struct page *p, const struct page_hit *hit);
NODISCARD enum err page_add_all(struct page *p, const struct page_hit *hits, uint32_t n);
void page_sort(struct page *p); // best first; nothing may be added afterwards
