// SPDX-License-Identifier: Apache-2.0
#include "base/slab.h"

#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/test.h"

enum { THINGS = 200, STEPS = 4000, MIB = 1 << 20 };

static struct slabs slabs = SLABS_INIT;

struct thing {
    unsigned char *p;
    size_t n;
    unsigned char mark;
};

// The ends of a thing say whose it is: what overlaps would write over them.
static void thing_make(struct thing *t, size_t n, unsigned char of) {
    *t = (struct thing){ slab_alloc(&slabs, n), n, of };
    if (t->p && n) t->p[0] = t->p[n - 1] = of;
}

static void thing_free(struct thing *t) {
    if (t->p && t->n) CHECK(t->p[0] == t->mark && t->p[t->n - 1] == t->mark);
    slab_free(&slabs, t->p, t->n);
    t->p = NULL;
}

TEST(slab_things_lie_side_by_side) {
    static struct thing things[THINGS];
    uint32_t n_refused = 0, n_made = 0;
    slabs_limit(&slabs, 100 * MIB); // four slabs, and what goes beyond
    for (uint32_t i = 0; i < STEPS; i++) {
        struct thing *t = &things[test_below(THINGS)];
        if (t->p) {
            thing_free(t);
            continue;
        }
        thing_make(t, 1 + test_below(test_below(20) ? 2 * MIB : 20 * MIB), (unsigned char)i);
        n_refused += !t->p;
        n_made += t->p != NULL;
        CHECK(slabs_bytes(&slabs) <= 4ull * SLAB_BYTES);
    }
    CHECK(n_refused > 0 && n_made > STEPS / 4);
    for (uint32_t i = 0; i < THINGS; i++) thing_free(&things[i]);
    CHECK_U64(slabs_bytes(&slabs), 0);
}

TEST(slab_room_that_is_free_is_used_again) {
    struct thing a, b, c, whole;
    slabs_limit(&slabs, 1);
    thing_make(&a, SLAB_UNIT + 1, 1);
    thing_make(&b, 1, 2);
    CHECK((size_t)(b.p - a.p) == 2 * SLAB_UNIT); // behind both units of a
    thing_free(&a);
    thing_make(&c, 2 * SLAB_UNIT, 3);
    CHECK(c.p == a.p || c.p + 2 * SLAB_UNIT == b.p);
    thing_make(&whole, SLAB_BYTES, 4);
    CHECK(!whole.p); // there is one slab, and it is in use
    thing_free(&b);
    thing_free(&c);
    thing_make(&whole, SLAB_BYTES, 5);
    CHECK(whole.p && (uintptr_t)whole.p % (2 * MIB) == 0);
    thing_free(&whole);
    thing_make(&whole, SLAB_BYTES + 1ull, 6);
    CHECK(!whole.p);
}

TEST(slab_none_without_memory_or_beyond_the_limit) {
    struct thing t;
    slabs_limit(&slabs, 0);
    thing_make(&t, 1, 1);
    CHECK(!t.p);
    slabs_limit(&slabs, SLAB_BYTES);
    for (uint64_t i = 1; i <= 2; i++) { // of the list, and of the slab
        mem_fail_at(i, false);
        thing_make(&t, 1, 1);
        mem_fail_at(0, false);
        CHECK(!t.p);
    }
    thing_make(&t, 1, 1);
    CHECK(t.p);
    thing_free(&t);
}

// Less than a quarter and a slab beyond what was asked for, whatever the limit.
TEST(slab_memory_is_bounded) {
    for (uint32_t i = 0; i < 20; i++) {
        uint64_t limit = 1 + test_below(200ull * MIB);
        struct thing things[600];
        uint32_t n = 0;
        slabs_limit(&slabs, limit);
        do thing_make(&things[n], 1 + test_below(8 * MIB), (unsigned char)n);
        while (things[n++].p && n < 600);
        CHECK(slabs_bytes(&slabs) < limit + limit / 4 + SLAB_BYTES);
        CHECK(n < 600);
        while (n > 0) thing_free(&things[--n]);
    }
    CHECK_U64(slabs_bytes(&slabs), 0);
}

// What is freed must be of a slab, from its beginning, and in use: else the program ends.
static bool free_ends_the_program(void *p, size_t n) {
    int status;
    (void)fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        (void)close(STDERR_FILENO);
        slab_free(&slabs, p, n);
        _exit(0);
    }
    CHECK(child > 0 && waitpid(child, &status, 0) == child);
    return WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT;
}

TEST(slab_pieces_that_are_none_are_not_freed) {
    struct thing a, b;
    char other[64];
    slabs_limit(&slabs, 64 * MIB);
    thing_make(&a, 3 * SLAB_UNIT, 1);
    thing_make(&b, SLAB_UNIT, 2);
    CHECK(free_ends_the_program(other, 1));
    CHECK(free_ends_the_program(a.p + 1, SLAB_UNIT));
    CHECK(free_ends_the_program(a.p, 5 * SLAB_UNIT)); // more than there is
    thing_free(&b);
    CHECK(free_ends_the_program(a.p + 3 * SLAB_UNIT, SLAB_UNIT)); // was freed
    CHECK(!free_ends_the_program(a.p, 3 * SLAB_UNIT));
    thing_free(&a);
}
