// SPDX-License-Identifier: Apache-2.0
// A page against all of its hits sorted at once.
#include "query/page.h"

#include <stdlib.h>

#include "base/hash.h"
#include "base/test.h"

enum { HITS = 3000 };

static int compare(const void *x, const void *y) {
    const struct page_hit *a = x, *b = y;
    return page_compare(a->start_ns, a->id, b->start_ns, b->id);
}

// Each run is in order, as the hits of a source are; some start at the same time.
static void make_hits(struct page_hit *at, uint32_t n, uint32_t n_runs) {
    for (uint32_t i = 0; i < n; i++) {
        at[i] = (struct page_hit){ .start_ns = test_below(n), .row = i };
        memcpy(at[i].id, &(uint64_t){ hash_u64(i) }, 8);
    }
    for (uint32_t r = 0; r < n_runs; r++) {
        uint32_t from = n * r / n_runs, to = n * (r + 1) / n_runs;
        if (to > from) qsort(at + from, to - from, sizeof *at, compare);
    }
}

static bool without_memory; // for merging

static void check_page(uint32_t n, uint32_t n_runs, uint32_t limit) {
    static struct page_hit hits[HITS];
    struct page p;
    make_hits(hits, n, n_runs);
    page_init(&p, limit);
    for (uint32_t i = 0; i < n; i++) CHECK_OK(page_add(&p, &hits[i]));
    if (without_memory) mem_fail_at(1, false);
    page_sort(&p);
    mem_fail_at(0, false);
    qsort(hits, n, sizeof *hits, compare);
    CHECK_U64(p.n, n < limit ? n : limit);
    for (uint32_t i = 0; i < p.n; i++) CHECK_U64(p.at[i].row, hits[i].row);
    page_fini(&p);
}

TEST(page_holds_the_best_in_order) {
    for (uint32_t n = 0; n < 40; n++)
        for (uint32_t runs = 1; runs < 10; runs++) check_page(n, runs, 1 + (uint32_t)test_below(50));
    for (uint32_t runs = 1; runs <= HITS; runs *= 3) { // of few runs, and of more than are merged
        check_page(HITS, runs, HITS + 1);
        check_page(HITS, runs, HITS / 2);
    }
    without_memory = true;
    check_page(HITS, 9, HITS + 1);
    without_memory = false;
}
