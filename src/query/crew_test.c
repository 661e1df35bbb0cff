// SPDX-License-Identifier: Apache-2.0
#include "query/crew.h"

#include "base/test.h"
#include "os/clock.h"
#include "os/thread.h"

enum { HELPERS = 3, PIECES = 2000, WAIT_S = 60 };

static uint64_t now_ns(void) {
    return clock_mono_ns(clock_real());
}

static void spend(uint64_t ns) {
    uint64_t began = thread_cpu_ns();
    while (thread_cpu_ns() - began < ns) {}
}

// --- pieces ----------------------------------------------------------------------------------------

struct pieces {
    _Atomic uint32_t next, in[HELPERS + 1], wrong;
    uint8_t done[PIECES];
};

static bool do_piece(void *ctx, uint32_t worker) {
    struct pieces *p = ctx;
    p->wrong += worker > HELPERS || atomic_fetch_add(&p->in[worker], 1) != 0;
    uint32_t i = atomic_fetch_add(&p->next, 1);
    if (i < PIECES) p->done[i]++;
    spend(20000);
    atomic_fetch_sub(&p->in[worker], 1);
    return i < PIECES;
}

struct asker {
    struct crew *crew;
    struct pieces pieces;
    struct thread thread;
};

static void ask(void *arg) {
    struct asker *a = arg;
    crew_run(a->crew, do_piece, &a->pieces);
}

// Some become long on the way.
TEST(crew_does_each_piece_once_under_a_number_of_its_own) {
    static struct asker askers[4];
    struct crew *c;
    memset(askers, 0, sizeof askers);
    CHECK_OK(crew_new(HELPERS, &c));
    CHECK(crew_size(c) == HELPERS);
    for (int i = 0; i < 4; i++) {
        askers[i].crew = c;
        CHECK_OK(thread_start(&askers[i].thread, "asker", ask, &askers[i]));
    }
    for (int i = 0; i < 4; i++) {
        thread_join(&askers[i].thread);
        CHECK_U64(askers[i].pieces.wrong, 0);
        for (uint32_t k = 0; k < PIECES; k++) CHECK(askers[i].pieces.done[k] == 1);
    }
    crew_free(c);
}

// --- long ones -------------------------------------------------------------------------------------

struct endless { // until it was helped by those that go last, and what else is asked for came
    uint64_t until_ns;
    _Atomic uint32_t by_last, by_others;
    _Atomic bool go_on;
};

static bool go_on(void *ctx, uint32_t worker) {
    struct endless *e = ctx;
    if (worker > 0 && thread_is_lowered()) e->by_last++;
    if (worker > 0 && !thread_is_lowered()) e->by_others++;
    spend(200000);
    return now_ns() < e->until_ns && (e->go_on || e->by_last == 0);
}

struct runner {
    struct crew *crew;
    struct endless endless;
    struct thread thread;
    bool was_lowered;
};

static void run(void *arg) {
    struct runner *r = arg;
    crew_run(r->crew, go_on, &r->endless);
    r->was_lowered = thread_is_lowered();
}

TEST(crew_long_ones_are_helped_by_those_that_go_last) {
    for (int lowers = 0; lowers < 2; lowers++) {
        struct runner r = { .endless = { .until_ns = now_ns() + WAIT_S * 1000000000ull } };
        CHECK_OK(crew_new(1, &r.crew));
        if (lowers) crew_lower_callers(r.crew);
        CHECK_OK(thread_start(&r.thread, "long", run, &r));
        thread_join(&r.thread);
        CHECK(r.endless.by_last > 0);
        CHECK(r.was_lowered == (lowers == 1));
        crew_free(r.crew);
    }
}

static bool wait_for_help(void *ctx, uint32_t worker) {
    struct endless *e = ctx;
    if (worker > 0) e->by_others++;
    if (worker > 0 && thread_is_lowered()) e->by_last++;
    return now_ns() < e->until_ns && e->by_others == 0; // waits, rather than works: it is not long
}

TEST(crew_a_small_one_is_helped_while_a_long_one_goes_on) {
    uint64_t until_ns = now_ns() + WAIT_S * 1000000000ull;
    struct runner r = { .endless = { .until_ns = until_ns, .go_on = true } };
    CHECK_OK(crew_new(1, &r.crew));
    CHECK_OK(thread_start(&r.thread, "long", run, &r));
    while (r.endless.by_last == 0 && now_ns() < until_ns) {}
    for (int i = 0; i < 20; i++) {
        struct endless small = { .until_ns = until_ns };
        crew_run(r.crew, wait_for_help, &small);
        CHECK(small.by_others > 0);
    }
    r.endless.go_on = false;
    thread_join(&r.thread);
    crew_free(r.crew);
}

TEST(crew_alone) {
    static struct pieces p;
    struct crew *c;
    memset(&p, 0, sizeof p);
    crew_run(NULL, do_piece, &p);
    CHECK_U64(p.next, PIECES + 1);
    memset(&p, 0, sizeof p);
    CHECK_OK(crew_new(0, &c));
    CHECK_U64(crew_size(c), 0);
    crew_run(c, do_piece, &p);
    CHECK_U64(p.next, PIECES + 1);
    crew_free(c);
    crew_free(NULL);
}
