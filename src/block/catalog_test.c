// SPDX-License-Identifier: Apache-2.0
// Snapshots of few and of very many blocks, through commits, losers, crashes and sweeps.
#include "base/hash.h"
#include "base/test.h"
#include "block/catalog_internal.h"
#include "os/disk_sim.h"

#define NOW_NS 1700000000000000000ull
#define TENANT STR("single-tenant")
enum { MANY = 25000 };

static struct block_meta meta_of(uint64_t n) {
    struct block_meta m = {
        .format = BLOCK_FORMAT_FIRST, .level = (uint8_t)(n % 3), .n_spans = n, .n_traces = n / 2
    };
    uint8_t random[10] = { 0 };
    memcpy(random, &n, sizeof n);
    ulid_make(NOW_NS / 1000000 + n, random, m.id);
    m.bytes = n * 41;
    m.main = m.received = (struct time_range){ NOW_NS + n, NOW_NS + 2 * n };
    m.outliers = TIME_RANGE_NONE;
    return m;
}

// One writer: the newest snapshot that it knows.
struct writer {
    struct object_store *store;
    struct arena arena;
    struct catalog now;
};

static void writer_load(struct writer *w) {
    struct err_ctx ctx = { 0 };
    arena_fini(&w->arena);
    arena_init(&w->arena, SIZE_MAX, NULL);
    if (catalog_load(w->store, TENANT, &w->arena, &w->now, &ctx) != ERR_OK) printf("# %s\n", ctx.text);
    CHECK(ctx.text[0] == 0);
}

static void writer_begin(struct writer *w, struct object_store *store) {
    *w = (struct writer){ .store = store };
    arena_init(&w->arena, SIZE_MAX, NULL);
    writer_load(w);
}

// A copy with n_new blocks behind, numbered from `from`, and without those that `gone` names.
static struct catalog changed(const struct writer *w, struct arena *a, uint64_t from, uint32_t n_new,
                              bool (*gone)(uint32_t i)) {
    struct catalog c = { .number = w->now.number + 1, .time_ns = NOW_NS };
    c.nodes = ARENA_ARRAY(a, 1, struct catalog_node);
    c.blocks = ARENA_ARRAY(a, w->now.n_blocks + n_new + 1ull, struct block_meta);
    CHECK(c.nodes && c.blocks);
    for (uint32_t i = 0; i < w->now.n_blocks; i++)
        if (!gone || !gone(i)) c.blocks[c.n_blocks++] = w->now.blocks[i];
    for (uint32_t i = 0; i < n_new; i++) c.blocks[c.n_blocks++] = meta_of(from + i);
    return c;
}

static enum err commit(struct writer *w, uint64_t from, uint32_t n_new, bool (*gone)(uint32_t i)) {
    struct arena a;
    arena_init(&a, SIZE_MAX, NULL);
    struct catalog next = changed(w, &a, from, n_new, gone);
    enum err e = catalog_commit(w->store, TENANT, &w->now, &next, &a);
    if (e != ERR_OK) {
        arena_fini(&a);
        return e;
    }
    arena_fini(&w->arena);
    w->arena = a;
    w->now = next;
    return ERR_OK;
}

static void check_same(const struct catalog *a, const struct catalog *b) {
    CHECK_U64(a->number, b->number);
    CHECK_U64(a->n_blocks, b->n_blocks);
    CHECK_U64(a->n_lists, b->n_lists);
    for (uint32_t i = 0; i < a->n_blocks; i++) {
        CHECK_STR(str_of(a->blocks[i].id), str_of(b->blocks[i].id));
        CHECK(a->blocks[i].bytes == b->blocks[i].bytes && a->blocks[i].level == b->blocks[i].level);
        CHECK(memcmp(&a->blocks[i].received, &b->blocks[i].received, sizeof a->blocks[i].received) == 0);
    }
}

static void check_stored(const struct writer *w) {
    struct writer r;
    writer_begin(&r, w->store);
    check_same(&r.now, &w->now);
    arena_fini(&r.arena);
}

static enum err count_one(void *n, struct str key, uint64_t size) {
    (void)key, (void)size;
    ++*(uint32_t *)n;
    return ERR_OK;
}
static uint32_t count(struct object_store *s, const char *prefix) {
    uint32_t n = 0;
    CHECK_OK(s->ops->list(s, str_of(prefix), STR(""), &n, count_one));
    return n;
}

static uint32_t new_lists(const struct catalog *c) {
    uint32_t n = 0;
    for (uint32_t i = 0; i < c->n_lists; i++) n += c->lists[i].number == c->number;
    return n;
}

static uint32_t gone_from, gone_to, gone_odds;
static bool gone_between(uint32_t i) {
    return i >= gone_from && i < gone_to;
}
static bool gone_at_random(uint32_t i) {
    return i >= gone_from && test_below(gone_odds) == 0;
}
static bool gone_here_and_there(uint32_t i) {
    return i % 3000 == 0;
}

// The bytes of a catalog with few blocks are those of the first version: this hash must not change.
TEST(catalog_few_blocks_are_in_the_snapshot_itself) {
    struct object_store *s;
    struct writer w;
    struct buf b;
    CHECK_OK(object_mem_open(&s));
    writer_begin(&w, s);
    CHECK_OK(commit(&w, 0, 100, NULL));
    buf_init(&b, SIZE_MAX);
    catalog_encode(&w.now, &b);
    CHECK_U64(b.len, 8 + 4 + 4 + 4 + 8 + 8 + 4 + 4 + 100 * 100 + 4 + 4);
    CHECK_U64(hash_xxh64(b.ptr, b.len), 10073528815246563788u);
    CHECK_OK(commit(&w, 100, CATALOG_FLAT_MAX - 100, NULL));
    CHECK_U64(w.now.n_lists, 0);
    check_stored(&w);
    CHECK_U64(count(s, "lists/"), 0);
    CHECK_OK(commit(&w, CATALOG_FLAT_MAX, 1, NULL));
    CHECK(w.now.n_lists > 0 && new_lists(&w.now) == w.now.n_lists);
    check_stored(&w);
    buf_fini(&b);
    arena_fini(&w.arena);
    s->ops->close(s);
}

TEST(catalog_a_commit_writes_only_the_lists_that_change) {
    struct object_store *s;
    struct writer w;
    CHECK_OK(object_mem_open(&s));
    writer_begin(&w, s);
    CHECK_OK(commit(&w, 0, MANY, NULL));
    uint32_t n_lists = w.now.n_lists, written = 0;
    CHECK(n_lists >= MANY / CATALOG_LIST_MAX - 1);
    for (uint64_t i = 0; i < 64; i++) { // cuts: a list now and then
        CHECK_OK(commit(&w, MANY + 32 * i, 32, NULL));
        CHECK(new_lists(&w.now) <= 1);
        written += new_lists(&w.now);
    }
    CHECK_U64(written, 2);
    check_stored(&w);
    for (int i = 0; i < 8; i++) { // merges among the newest
        gone_from = w.now.n_blocks - 80;
        gone_to = gone_from + 64;
        CHECK_OK(commit(&w, 2 * MANY + (uint64_t)i, 1, gone_between));
        CHECK(new_lists(&w.now) <= 2);
    }
    for (int i = 0; i < 12; i++) { // retention
        gone_from = 0, gone_to = 256;
        CHECK_OK(commit(&w, 0, 0, gone_between));
        CHECK(new_lists(&w.now) <= 1);
    }
    check_stored(&w);
    while (w.now.n_blocks > 0) { // and back, until the snapshot names all itself
        gone_from = 0, gone_to = 2500;
        CHECK_OK(commit(&w, 0, 0, gone_between));
        CHECK(w.now.n_lists == 0 || w.now.n_blocks > CATALOG_FLAT_MAX / 2);
        check_stored(&w);
    }
    arena_fini(&w.arena);
    s->ops->close(s);
}

// Any mixture of additions and removals is read back as it was, lists stay few, and no list lives
// that no snapshot names.
TEST(catalog_random_changes_of_very_many_blocks) {
    struct object_store *s;
    struct writer w;
    uint64_t next = MANY;
    CHECK_OK(object_mem_open(&s));
    writer_begin(&w, s);
    CHECK_OK(commit(&w, 0, MANY, NULL));
    for (int i = 0; i < 60; i++) {
        uint32_t n_new = (uint32_t)test_below(test_below(4) ? 3 : 3000), removed;
        gone_from = test_below(2) ? (uint32_t)test_below(w.now.n_blocks + 1) : w.now.n_blocks - 500;
        gone_to = gone_from + (uint32_t)test_below(2000);
        gone_odds = 2 + (uint32_t)test_below(3000);
        CHECK_OK(commit(&w, next, n_new, test_below(2) ? gone_between : gone_at_random));
        next += n_new;
        CHECK(w.now.n_lists <= w.now.n_blocks / (CATALOG_LIST_MAX / 8) + 2);
        if (test_below(4) == 0) check_stored(&w);
        if (test_below(8) == 0) writer_load(&w);
        if (test_below(20) == 0) {
            CHECK_OK(catalog_clean(s, TENANT, w.now.number + 1000, NOW_NS + 25ull * 3600 * 1000000000));
            CHECK_OK(commit(&w, next++, 1, NULL));
            CHECK_OK(catalog_sweep_lists(s, TENANT, &w.now, &removed));
            CHECK_U64(count(s, "lists/"), w.now.n_lists);
            check_stored(&w);
        }
    }
    arena_fini(&w.arena);
    s->ops->close(s);
}

TEST(catalog_more_blocks_than_the_limit_are_refused) {
    struct object_store *s;
    struct writer w;
    CHECK_OK(object_mem_open(&s));
    writer_begin(&w, s);
    CHECK(commit(&w, 0, CATALOG_BLOCKS_MAX + 1, NULL) == ERR_LIMIT);
    CHECK_U64(count(s, ""), 0);
    CHECK_OK(commit(&w, 0, CATALOG_BLOCKS_MAX, NULL));
    check_stored(&w);
    CHECK(commit(&w, CATALOG_BLOCKS_MAX, 1, NULL) == ERR_LIMIT);
    arena_fini(&w.arena);
    s->ops->close(s);
}

// An older snapshot stays readable while it is there: its lists live as long.
TEST(catalog_older_snapshots_keep_their_lists) {
    struct object_store *s;
    struct writer w, old;
    uint32_t removed;
    char key[CATALOG_KEY_MAX];
    CHECK_OK(object_mem_open(&s));
    writer_begin(&w, s);
    CHECK_OK(commit(&w, 0, MANY, NULL));
    writer_begin(&old, s);
    gone_from = 5000, gone_to = 5001;
    CHECK_OK(commit(&w, MANY, 1, gone_between));
    CHECK(new_lists(&w.now) == 1 && count(s, "lists/") == old.now.n_lists + 1);
    CHECK_OK(catalog_sweep_lists(s, TENANT, &w.now, &removed));
    CHECK_U64(removed, 0);
    uint64_t newest = w.now.number;
    catalog_key(key, TENANT, newest);
    CHECK_OK(s->ops->remove(s, str_of(key))); // so that the older one is the newest: it can be loaded
    check_stored(&old);
    arena_fini(&w.arena);
    writer_begin(&w, s);
    CHECK_OK(commit(&w, MANY, 1, gone_between));
    catalog_key(key, TENANT, old.now.number);
    CHECK_OK(s->ops->remove(s, str_of(key)));
    CHECK_OK(catalog_sweep_lists(s, TENANT, &w.now, &removed));
    CHECK(removed == 2); // of the first, and what the removed number 2 had written
    CHECK_U64(count(s, "lists/"), w.now.n_lists);
    check_stored(&w);
    arena_fini(&old.arena);
    arena_fini(&w.arena);
    s->ops->close(s);
}

// Two writers on one base: one commits, the other rereads; what it wrote in vain is swept, what a
// third is still writing is not.
TEST(catalog_the_loser_of_a_race_rereads) {
    struct object_store *s;
    struct writer w[2];
    uint32_t removed;
    uint64_t next = MANY;
    CHECK_OK(object_mem_open(&s));
    writer_begin(&w[0], s);
    CHECK_OK(commit(&w[0], 0, MANY, NULL));
    writer_begin(&w[1], s);
    for (int i = 0; i < 8; i++) {
        struct writer *winner = &w[test_below(2)], *loser = winner == w ? &w[1] : &w[0];
        gone_from = (uint32_t)test_below(20000), gone_to = gone_from + 1;
        CHECK_OK(commit(winner, next++, 1, gone_between));
        gone_from = (uint32_t)test_below(20000), gone_to = gone_from + 1;
        CHECK(commit(loser, next++, 1, gone_between) == ERR_EXISTS);
        // A sweep by one that does not know of the commit keeps what was written for its number.
        CHECK_OK(catalog_sweep_lists(s, TENANT, &loser->now, &removed));
        check_stored(winner);
        writer_load(loser);
        check_same(&loser->now, &winner->now);
    }
    char coming[CATALOG_KEY_MAX]; // its snapshot is not there yet
    list_key(coming, TENANT, w[0].now.number + 1, 7);
    CHECK_OK(s->ops->put_if_absent(s, str_of(coming), STR("x")));
    CHECK_OK(catalog_sweep_lists(s, TENANT, &w[0].now, &removed));
    CHECK(removed > 0 && count(s, coming) == 1);
    check_stored(&w[1]);
    arena_fini(&w[0].arena);
    arena_fini(&w[1].arena);
    s->ops->close(s);
}

// The power goes at any call of a commit, lists and all: the base or the next is there, whole.
TEST(catalog_crash_at_any_moment_of_a_commit) {
    unsigned n_before = 0, n_after = 0;
    bool is_over = false;
    for (uint64_t nth = 1; !is_over; nth++) {
        struct disk *d;
        struct object_store *s;
        struct writer w;
        uint32_t removed;
        CHECK_OK(disk_sim_new(&(struct disk_sim_opts){ .seed = test_rand() }, &d));
        CHECK_OK(object_file_open(d, "/d/store", &s));
        writer_begin(&w, s);
        CHECK_OK(commit(&w, 0, CATALOG_FLAT_MAX + 500, NULL));
        disk_sim_arm(d, &(struct disk_sim_fault){ .op = DISK_SIM_ANY, .nth = nth, .power_off = true });
        enum err e = commit(&w, MANY, 1, gone_here_and_there);
        is_over = !disk_sim_is_down(d);
        arena_fini(&w.arena);
        s->ops->close(s);
        CHECK_OK(disk_sim_crash(d, test_rand()));
        CHECK_OK(object_file_open(d, "/d/store", &s));
        writer_begin(&w, s);
        CHECK(w.now.number == 1 || w.now.number == 2);
        CHECK(e != ERR_OK || w.now.number == 2);
        n_before += w.now.number == 1;
        n_after += w.now.number == 2;
        CHECK_U64(w.now.n_blocks, w.now.number == 1 ? CATALOG_FLAT_MAX + 500 : CATALOG_FLAT_MAX + 501 - 4);
        CHECK_OK(catalog_sweep_lists(s, TENANT, &w.now, &removed));
        check_stored(&w);
        CHECK_OK(commit(&w, MANY + 1, 1, gone_here_and_there));
        check_stored(&w);
        CHECK_OK(catalog_sweep_lists(s, TENANT, &w.now, &removed));
        check_stored(&w);
        arena_fini(&w.arena);
        s->ops->close(s);
        disk_sim_free(d);
    }
    CHECK(n_before > 15 && n_after > 0);
}

// Any byte of a list that is wrong, and a list that is gone, is told by name.
TEST(catalog_a_damaged_list_is_reported) {
    for (int i = 0; i < 6; i++) {
        struct object_store *s;
        struct writer w;
        struct catalog c;
        struct err_ctx ctx = { 0 };
        struct buf b;
        char key[CATALOG_KEY_MAX];
        CHECK_OK(object_mem_open(&s));
        writer_begin(&w, s);
        CHECK_OK(commit(&w, 0, MANY, NULL));
        struct catalog_list *l = &w.now.lists[1];
        list_key(key, TENANT, l->number, l->nonce);
        buf_init(&b, SIZE_MAX);
        list_encode(l, &w.now.blocks[w.now.lists[0].n_blocks], &b);
        b.ptr[test_below(b.len)] ^= (char)(1 + test_below(255));
        CHECK_OK(s->ops->remove(s, str_of(key)));
        if (i) CHECK_OK(s->ops->put_if_absent(s, str_of(key), buf_view(&b)));
        arena_fini(&w.arena);
        arena_init(&w.arena, SIZE_MAX, NULL);
        CHECK(catalog_load(s, TENANT, &w.arena, &c, &ctx) == ERR_CORRUPT);
        CHECK(strstr(ctx.text, key) != NULL);
        buf_fini(&b);
        arena_fini(&w.arena);
        s->ops->close(s);
    }
}

TEST(catalog_any_allocation_of_a_commit_may_fail) {
    struct object_store *s;
    struct writer w;
    CHECK_OK(object_mem_open(&s));
    writer_begin(&w, s);
    CHECK_OK(commit(&w, 0, MANY, NULL));
    for (uint64_t nth = 1;; nth++) {
        struct arena a;
        arena_init(&a, SIZE_MAX, NULL);
        gone_from = 100, gone_to = 4000;
        struct catalog next = changed(&w, &a, MANY, 1, gone_between);
        mem_fail_at(nth, false);
        enum err e = catalog_commit(s, TENANT, &w.now, &next, &a);
        bool failed = mem_fail_seen() >= nth;
        mem_fail_at(0, false);
        arena_fini(&a);
        CHECK((e == ERR_OK) == !failed);
        if (!failed) break;
        check_stored(&w);
    }
    writer_load(&w);
    CHECK_U64(w.now.number, 2);
    arena_fini(&w.arena);
    s->ops->close(s);
}
