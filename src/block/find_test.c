// SPDX-License-Identifier: Apache-2.0
// Looking for traces in a block, held against a reading of all that its row groups hold.
#include "base/test.h"
#include "block/open.h"
#include "block/sample.h"

enum { N_IDS = 40, N_SPANS = 300, GROUPS_MAX = 16 };

struct world {
    struct object_store *store;
    struct block_scan scan;
    struct block *block;
    uint8_t ids[N_IDS][16]; // those of the block, and others
    const uint8_t *sought[N_IDS];
    uint32_t n;
    bool skip[GROUPS_MAX];
    // How often a run of an id was said: what there is to be, and what was found.
    uint32_t want[N_IDS][GROUPS_MAX], got[N_IDS][GROUPS_MAX];
    struct block_run runs[N_IDS][GROUPS_MAX];
};

static void world_init(struct world *w) {
    struct span_table t;
    struct block_meta meta;
    memset(w, 0, sizeof *w);
    CHECK_OK(object_mem_open(&w->store));
    CHECK_OK(block_scan_init(&w->scan, NULL));
    span_table_init(&t, SIZE_MAX, NULL);
    CHECK_OK(sample_table(&t, test_rand(), N_SPANS));
    CHECK_OK(sample_write(w->store, &t, NULL, &meta));
    CHECK_OK(block_new(w->store, STR("t"), &meta, &w->block));
    CHECK_OK(block_open(w->block, &w->scan));
    CHECK(block_n_groups(w->block) > 1 && block_n_groups(w->block) <= GROUPS_MAX);
    span_table_fini(&t);
    for (uint32_t i = 0; i < N_IDS; i++) {
        if (i < SAMPLE_TRACES)
            sample_trace_id(i, w->ids[i]);
        else
            for (int k = 0; k < 16; k++) w->ids[i][k] = (uint8_t)test_rand();
    }
}

static void world_fini(struct world *w) {
    block_unref(w->block);
    block_scan_fini(&w->scan);
    w->store->ops->close(w->store);
}

// Some of the ids, in no order, and some of the row groups.
static void choose(struct world *w) {
    uint32_t begin = (uint32_t)test_below(N_IDS), one_of = 1 + (uint32_t)test_below(6);
    w->n = 0;
    for (uint32_t i = 0; i < N_IDS; i++)
        if (test_below(one_of) == 0) w->sought[w->n++] = w->ids[(begin + i) % N_IDS];
    for (uint32_t g = 0; g < GROUPS_MAX; g++) w->skip[g] = test_below(3) == 0;
}

static void read_all(struct world *w, bool skipping) {
    memset(w->want, 0, sizeof w->want);
    memset(w->got, 0, sizeof w->got);
    for (uint32_t g = 0; g < block_n_groups(w->block); g++) {
        struct block_traces t;
        uint32_t first = 0;
        CHECK_OK(block_read_traces(w->block, &w->scan, g, false, &t));
        for (uint32_t i = 0; i < t.n; first += (uint32_t)t.rows[i++]) {
            for (uint32_t k = 0; k < w->n; k++) {
                if (memcmp(w->sought[k], t.id + 16ull * i, 16) != 0 || (skipping && w->skip[g])) continue;
                w->want[k][g]++;
                w->runs[k][g] = (struct block_run){ g, first, (uint32_t)t.rows[i] };
            }
        }
    }
}

static enum err note(void *ctx, uint32_t id, const struct block_run *run) {
    struct world *w = ctx;
    w->got[id][run->group]++;
    CHECK(memcmp(run, &w->runs[id][run->group], sizeof *run) == 0);
    return ERR_OK;
}

TEST(find_many_traces_at_once_and_one_by_one) {
    struct world w;
    uint32_t found = 0;
    world_init(&w);
    for (int round = 0; round < 60; round++) {
        bool skipping = round % 2;
        choose(&w);
        read_all(&w, skipping);
        CHECK_OK(block_find_many(w.block, &w.scan, w.sought, w.n, skipping ? w.skip : NULL, note, &w));
        CHECK(memcmp(w.want, w.got, sizeof w.want) == 0);
        read_all(&w, false);
        for (uint32_t k = 0; k < w.n; k++) {
            struct block_run runs[BLOCK_RUNS_MAX];
            uint32_t n, want = 0;
            bool may;
            CHECK_OK(block_find(w.block, &w.scan, w.sought[k], runs, &n));
            for (uint32_t i = 0; i < n; i++) CHECK_OK(note(&w, k, &runs[i]));
            for (uint32_t g = 0; g < GROUPS_MAX; g++) want += w.want[k][g];
            CHECK_U64(n, want);
            CHECK_OK(block_may_hold(w.block, &w.scan, w.sought[k], &may));
            CHECK(may || n == 0);
            found += n;
        }
        CHECK(memcmp(w.want, w.got, sizeof w.want) == 0);
    }
    CHECK(found > 0);
    world_fini(&w);
}

TEST(find_says_which_of_many_are_held) {
    struct world w;
    world_init(&w);
    for (int round = 0; round < 40; round++) {
        bool held[N_IDS] = { false };
        choose(&w);
        read_all(&w, false);
        CHECK_OK(block_hold_many(w.block, &w.scan, w.sought, w.n, held));
        for (uint32_t k = 0; k < w.n; k++) {
            uint32_t want = 0;
            for (uint32_t g = 0; g < GROUPS_MAX; g++) want += w.want[k][g];
            CHECK(held[k] == (want > 0));
        }
    }
    world_fini(&w);
}

static enum err refuse(void *ctx, uint32_t id, const struct block_run *run) {
    (void)ctx;
    (void)id;
    (void)run;
    return ERR_CANCELED;
}

TEST(find_ends_with_the_error_of_the_one_who_is_told) {
    struct world w;
    world_init(&w);
    w.sought[0] = w.ids[0];
    w.n = 1;
    read_all(&w, false);
    bool any = false;
    for (uint32_t g = 0; g < GROUPS_MAX; g++) any |= w.want[0][g] > 0;
    CHECK(block_find_many(w.block, &w.scan, w.sought, 1, NULL, refuse, NULL) ==
          (any ? ERR_CANCELED : ERR_OK));
    world_fini(&w);
}

// --- opening ---------------------------------------------------------------------------------------

struct asking { // for memory, which may have to be waited for
    struct mem_budget budget;
    struct block *block;
    struct block_scan other;
    uint32_t n_asked;
};

static bool nobody_waits(struct mem_budget *b, uint64_t need) {
    struct asking *a = (struct asking *)b;
    CHECK(pthread_mutex_trylock(&a->block->lock) == 0);
    pthread_mutex_unlock(&a->block->lock);
    if (a->n_asked++ == 0) CHECK_OK(block_open(a->block, &a->other)); // and is faster
    b->reserved = need;
    return true;
}

TEST(find_others_open_a_block_while_one_waits_for_memory) {
    struct world w;
    struct asking a = { .budget = { .reserve = nobody_waits } };
    struct block_scan scan;
    world_init(&w);
    CHECK_OK(block_new(w.store, STR("t"), block_meta(w.block), &a.block));
    CHECK_OK(block_scan_init(&a.other, NULL));
    CHECK_OK(block_scan_init(&scan, &a.budget));
    CHECK_OK(block_open(a.block, &scan));
    CHECK(a.n_asked > 0);
    CHECK_U64(a.block->n_resources, w.block->n_resources);
    for (uint32_t i = 0; i < w.block->n_resources; i++)
        CHECK_STR(a.block->resource[i].bytes, w.block->resource[i].bytes);
    block_scan_fini(&scan);
    block_scan_fini(&a.other);
    block_unref(a.block);
    world_fini(&w);
}

// What could not be had is asked for again.
TEST(find_a_block_opens_when_there_is_memory_again) {
    struct world w;
    struct block *b;
    uint64_t n = 1;
    world_init(&w);
    CHECK_OK(block_new(w.store, STR("t"), block_meta(w.block), &b));
    for (enum err e = ERR_NOMEM; e != ERR_OK; n++) {
        struct block_scan scan;
        CHECK_OK(block_scan_init(&scan, NULL));
        mem_fail_at(n, true);
        e = block_open(b, &scan);
        mem_fail_at(0, false);
        CHECK(e == ERR_OK || e == ERR_NOMEM);
        block_scan_fini(&scan);
    }
    CHECK(n > 10);
    CHECK_U64(b->n_resources, w.block->n_resources);
    CHECK_U64(b->n_scopes, w.block->n_scopes);
    CHECK_U64(b->n_split, w.block->n_split);
    block_unref(b);
    world_fini(&w);
}
