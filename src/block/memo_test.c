// SPDX-License-Identifier: Apache-2.0
// What is kept of the traces of row groups, small ones on the heap and large ones in slabs.
#include "base/test.h"
#include "block/batch_internal.h"

enum { GROUPS = 3, MANY = 5000 };

static const uint32_t sizes[GROUPS] = { 2, MANY, 0 };

static void make(struct arena *a, uint32_t n, struct batch *out) {
    struct batch_trace *traces = arena_zalloc(a, (n + 1ull) * sizeof *traces);
    uint32_t *firsts = arena_zalloc(a, (n + 1ull) * sizeof *firsts);
    for (uint32_t i = 0; i < n; i++) {
        traces[i] = (struct batch_trace){ .first = 3 * i, .n = 3, .start_ns = test_rand() };
        firsts[i] = 3 * i;
    }
    *out = (struct batch){ .traces = traces, .firsts = firsts, .n_traces = n };
}

static uint64_t bytes_kept(void) {
    struct block_memo_stats s;
    block_memo_stats(&s);
    return s.traces;
}

static uint64_t pages(void) {
    struct block_memo_stats s;
    block_memo_stats(&s);
    return s.trace_pages;
}

static void check_same(const struct batch *a, const struct batch *b) {
    CHECK_U64(a->n_traces, b->n_traces);
    if (a->n_traces == 0) return;
    CHECK(memcmp(a->traces, b->traces, a->n_traces * sizeof *a->traces) == 0);
    CHECK(memcmp(a->firsts, b->firsts, a->n_traces * sizeof *a->firsts) == 0);
}

TEST(memo_gives_traces_back_as_they_were) {
    struct block b = { .refs = 1 };
    const struct kept_traces *_Atomic groups[GROUPS] = { NULL };
    struct batch made[GROUPS], kept;
    struct arena a;
    arena_init(&a, SIZE_MAX, NULL);
    block_memo_limit(UINT64_MAX);
    memo_init(&b);
    b.group_traces = groups;
    for (uint32_t g = 0; g < GROUPS; g++) {
        make(&a, sizes[g], &made[g]);
        CHECK(!memo_traces_find(&b, g, &kept));
        memo_traces_keep(&b, g, &made[g]);
    }
    uint64_t bytes = bytes_kept();
    CHECK(bytes > MANY * sizeof(struct batch_trace));
    CHECK(pages() > bytes && pages() % (2 << 20) == 0); // told as a whole
    memo_traces_keep(&b, 1, &made[0]);                  // there is one already
    CHECK_U64(bytes_kept(), bytes);
    for (uint32_t g = 0; g < GROUPS; g++) {
        CHECK(memo_traces_find(&b, g, &kept));
        check_same(&kept, &made[g]);
    }
    memo_fini(&b);
    CHECK_U64(bytes_kept(), 0);
    CHECK_U64(pages(), 0);
    arena_fini(&a);
}

TEST(memo_past_its_limit_or_memory_keeps_nothing) {
    struct block b = { .refs = 1 };
    const struct kept_traces *_Atomic groups[GROUPS] = { NULL };
    struct batch made, kept;
    struct arena a;
    arena_init(&a, SIZE_MAX, NULL);
    make(&a, MANY, &made);
    memo_init(&b);
    b.group_traces = groups;
    block_memo_limit(4096);
    memo_traces_keep(&b, 0, &made);
    CHECK(!memo_traces_find(&b, 0, &kept) && bytes_kept() == 0);
    block_memo_limit(UINT64_MAX);
    mem_fail_at(1, true);
    memo_traces_keep(&b, 0, &made);
    mem_fail_at(0, false);
    CHECK(!memo_traces_find(&b, 0, &kept) && bytes_kept() == 0);
    memo_traces_keep(&b, 0, &made); // it may be tried again
    CHECK(memo_traces_find(&b, 0, &kept));
    memo_fini(&b);
    CHECK_U64(bytes_kept(), 0);
    arena_fini(&a);
}
