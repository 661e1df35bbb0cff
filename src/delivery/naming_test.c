// SPDX-License-Identifier: Apache-2.0
#include "delivery/naming.h"

#include "base/test.h"
#include "delivery/held.h"

// Names that collide: of one rollout a version, of another its group.
static struct str some_name(struct arena *a) {
    static const char *const words[] = { "v1", "v2", "eu", "", "abcdef0", "ABCDEF0123", "sha256:1" };
    if (test_below(3)) return str_of(words[test_below(7)]);
    return str_fmt(a, "abcdef%llx", (unsigned long long)test_below(1 << 12));
}

static struct rollout *some_rollouts(struct arena *a, uint32_t n) {
    struct rollout *r = ARENA_ARRAY(a, n + 1, struct rollout);
    struct deploy *d = ARENA_ARRAY(a, n + 1, struct deploy);
    for (uint32_t i = 0; i < n; i++) {
        d[i] = (struct deploy){ .key = str_fmt(a, "key:%u", (unsigned)test_below(n)),
                                .group = some_name(a),
                                .version = some_name(a),
                                .digest = some_name(a),
                                .sha = str_fmt(a, "%s%06llx", test_below(2) ? "abcdef" : "ABCDEF",
                                               (unsigned long long)test_below(1 << 14)) };
        r[i] = (struct rollout){ .id = test_below(40),
                                 .lead = &d[i],
                                 .state = test_below(3) ? ROLLOUT_SUCCESS : ROLLOUT_FAILED };
    }
    return r;
}

static uint32_t first_by_hand(const struct rollouts *all, struct str name, bool alone) {
    for (uint32_t i = 0; i < all->n; i++)
        if (all->items[i].state == ROLLOUT_SUCCESS &&
            (alone ? naming_is_alone(&all->items[i], name) : naming_is(&all->items[i], name)))
            return i;
    return ROLLOUT_NONE;
}

static void check_found(const struct naming *n, struct str name) {
    bool found[64] = { false }, alone_found[64] = { false }, alone;
    uint32_t k;
    for (struct naming_at at = naming_find(n, name); naming_next(&at, &k, &alone);) {
        found[k] = true;
        alone_found[k] |= alone;
    }
    for (uint32_t i = 0; i < n->all->n; i++) {
        CHECK_U64(found[i], naming_is(&n->all->items[i], name));
        CHECK_U64(alone_found[i], naming_is_alone(&n->all->items[i], name));
    }
    for (unsigned alone_only = 0; alone_only < 2; alone_only++)
        CHECK_U64(naming_first(n, name, alone_only), first_by_hand(n->all, name, alone_only));
}

TEST(naming_finds_what_one_rollout_after_the_other_is_asked) {
    struct arena a;
    arena_init(&a, SIZE_MAX, NULL);
    for (unsigned turn = 0; turn < 100; turn++) {
        uint32_t n = (uint32_t)test_below(40);
        struct rollouts all = { some_rollouts(&a, n), n };
        struct naming names;
        CHECK_OK(naming_of(&a, &all, &names));
        for (unsigned i = 0; i < 30; i++) {
            check_found(&names, some_name(&a));
            check_found(&names, str_fmt(&a, "%016llx", (unsigned long long)test_below(50)));
            check_found(&names, str_fmt(&a, "key:%u", (unsigned)test_below(50)));
        }
        arena_reset(&a);
    }
    arena_fini(&a);
}

TEST(naming_without_memory_is_an_error) {
    struct arena a;
    for (size_t limit = 64; limit < 4096; limit *= 2) {
        struct arena big;
        struct naming names;
        arena_init(&big, SIZE_MAX, NULL);
        struct rollouts all = { some_rollouts(&big, 200), 200 };
        arena_init(&a, limit, NULL);
        CHECK_U64(naming_of(&a, &all, &names), ERR_NOMEM);
        arena_fini(&a);
        arena_fini(&big);
    }
}

TEST(held_finds_every_stretch_that_holds_a_moment) {
    struct arena a;
    arena_init(&a, SIZE_MAX, NULL);
    for (unsigned turn = 0; turn < 200; turn++) {
        struct held_list h = { 0 };
        struct held all[50];
        uint32_t n = (uint32_t)test_below(50);
        for (uint32_t i = 0; i < n; i++) {
            all[i] = (struct held){ .from = (int64_t)test_below(100), .of = i };
            all[i].to = all[i].from + (int64_t)test_below(test_below(10) ? 5 : 100) - 1; // some hold nothing
            CHECK_OK(held_add(&h, &a, all[i].from, all[i].to, i));
        }
        CHECK_OK(held_ready(&h, &a));
        for (int64_t t = -1; t < 210; t++) {
            const uint32_t *found;
            uint32_t want = 0, got = held_at(&h, t, &found);
            for (uint32_t i = 0; i < n; i++) {
                if (t < all[i].from || t > all[i].to) continue;
                CHECK(want < got);
                CHECK_U64(found[want++], i);
            }
            CHECK_U64(got, want);
        }
        arena_reset(&a);
    }
    arena_fini(&a);
}
