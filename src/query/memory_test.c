// SPDX-License-Identifier: Apache-2.0
// Shares of the memory of all questions: never more in all, and nobody waits for ever.
#include "query/memory.h"

#include <time.h>

#include "base/test.h"
#include "os/thread.h"

#define MIB (1ull << 20)

static struct query_memory *memory_of(uint64_t mib) {
    struct query_memory *m;
    CHECK_OK(query_memory_new(mib * MIB, &m));
    return m;
}

static uint64_t taken(struct query_memory *m) {
    struct query_memory_stats s;
    query_memory_stats(m, &s);
    CHECK(s.bytes <= s.limit);
    return s.bytes;
}

static uint64_t n_refused(struct query_memory *m) {
    struct query_memory_stats s;
    query_memory_stats(m, &s);
    return s.refused;
}

TEST(memory_is_taken_by_pieces_and_given_back) {
    struct query_memory *m = memory_of(16);
    struct query_bounds b = { .memory_max = 8 * MIB, .memory = m };
    struct query_share s;
    struct arena a;
    query_share_init(&s, &b);
    arena_init(&a, SIZE_MAX, &s.budget);
    CHECK_U64(taken(m), 0);
    CHECK(arena_alloc(&a, 100));
    CHECK_U64(taken(m), MIB);
    CHECK(arena_alloc(&a, 100)); // of the same piece
    CHECK_U64(taken(m), MIB);
    CHECK(arena_alloc(&a, 3 * MIB));
    CHECK_U64(taken(m), 4 * MIB);
    CHECK(!arena_alloc(&a, 5 * MIB)); // its own limit
    CHECK(!s.is_refused);
    CHECK(query_share_explain(&s, ERR_NOMEM, NULL) == ERR_NOMEM);
    arena_fini(&a);
    CHECK_U64(taken(m), 4 * MIB); // until it ends
    query_share_end(&s, NULL);
    CHECK_U64(taken(m), 0);
    query_memory_free(m);
}

TEST(memory_that_there_is_is_told_without_taking_it) {
    struct query_memory *m = memory_of(16);
    struct query_bounds b = { .memory_max = 15 * MIB, .memory = m };
    struct query_share s, other;
    query_share_init(&s, &b);
    query_share_init(&other, &b);
    CHECK(mem_budget_has(&s.budget, 14 * MIB) && !mem_budget_has(&s.budget, 14 * MIB + 1));
    CHECK(!mem_budget_has(&s.budget, UINT64_MAX));
    CHECK_U64(taken(m), 0);
    CHECK(mem_budget_take(&other.budget, 12 * MIB));
    CHECK(mem_budget_has(&s.budget, 2 * MIB) && !mem_budget_has(&s.budget, 2 * MIB + 1));
    CHECK(mem_budget_take(&s.budget, 10));    // a piece
    CHECK(mem_budget_take(&other.budget, 1)); // and the last one
    CHECK(mem_budget_has(&s.budget, MIB - 10) && !mem_budget_has(&s.budget, MIB));
    CHECK(!s.is_refused && n_refused(m) == 0);
    query_share_end(&s, NULL);
    query_share_end(&other, NULL);
    query_memory_free(m);
}

TEST(memory_of_an_answer_counts_until_it_is_written) {
    struct query_memory *m = memory_of(16);
    struct query_bounds b = { .memory = m };
    struct query_share s;
    struct query_held held = { 0 };
    struct arena a;
    query_share_init(&s, &b);
    arena_init(&a, SIZE_MAX, &s.budget);
    CHECK(arena_alloc(&a, MIB * 3 / 2));
    CHECK(mem_budget_take(&s.budget, 4 * MIB));
    mem_budget_give(&s.budget, 4 * MIB); // what only the question needed
    a.budget = NULL;
    query_share_end(&s, &held);
    CHECK(taken(m) >= MIB * 3 / 2 && taken(m) < 2 * MIB);
    arena_fini(&a);
    query_held_release(&held);
    CHECK_U64(taken(m), 0);
    query_memory_free(m);
}

// Others have all but the last eighth: who grows gets nothing, who begins small does.
TEST(memory_has_a_first_piece_for_each) {
    struct query_memory *m = memory_of(16);
    struct query_bounds b = { .memory = m };
    struct query_share big, small[2], third;
    struct err_ctx why = { 0 };
    query_share_init(&big, &b);
    CHECK(mem_budget_take(&big.budget, query_memory_most(16 * MIB)));
    for (int i = 0; i < 2; i++) {
        query_share_init(&small[i], &b);
        CHECK(mem_budget_take(&small[i].budget, MIB));
    }
    CHECK(!mem_budget_take(&small[0].budget, 1)); // waits in vain
    CHECK(small[0].is_refused);
    CHECK(query_share_explain(&small[0], ERR_NOMEM, &why) == ERR_AGAIN);
    CHECK(strstr(why.text, "query.max_memory_total, 16 MiB") != NULL);
    CHECK(query_share_explain(&small[1], ERR_OK, &why) == ERR_OK);
    query_share_init(&third, &b);
    CHECK(!mem_budget_take(&third.budget, MIB)); // now there is nothing at all
    CHECK_U64(n_refused(m), 2);
    CHECK(!mem_budget_take(&third.budget, MIB)); // who was refused once waits no more
    CHECK_U64(n_refused(m), 2);
    query_share_end(&big, NULL);
    for (int i = 0; i < 2; i++) query_share_end(&small[i], NULL);
    query_share_end(&third, NULL);
    CHECK_U64(taken(m), 0);
    query_memory_free(m);
}

static bool is_gone(void *ctx) {
    ++*(uint32_t *)ctx;
    return true;
}

TEST(memory_is_not_waited_for_when_the_question_is_over) {
    struct query_memory *m = memory_of(16);
    uint32_t n_asked = 0;
    struct query_bounds b = { .memory = m },
                        gone = { .memory = m, .canceled = is_gone, .canceled_ctx = &n_asked };
    struct query_share s, other;
    query_share_init(&s, &b);
    query_share_init(&other, &gone);
    CHECK(mem_budget_take(&s.budget, 14 * MIB));
    CHECK(!mem_budget_take(&other.budget, 8 * MIB));
    CHECK_U64(n_asked, 1);
    query_share_end(&s, NULL);
    query_share_end(&other, NULL);
    query_memory_free(m);
}

// It waits no longer than its deadline, and is told that, not to come again.
TEST(memory_that_a_question_waits_for_past_its_deadline_is_not_refused) {
    struct query_memory *m = memory_of(16);
    struct query_bounds b = { .memory = m }, late = { .memory = m, .clock = clock_real() };
    struct query_share s, other;
    query_share_init(&s, &b);
    query_share_init(&other, &late);
    CHECK(mem_budget_take(&s.budget, 14 * MIB));
    late.deadline_ns = clock_mono_ns(clock_real()) + 20000000;
    CHECK(query_share_cause(&other, ERR_NOMEM) == ERR_NOMEM); // of another kind
    CHECK(!mem_budget_take(&other.budget, 8 * MIB));
    CHECK(!other.is_refused && query_share_cause(&other, ERR_NOMEM) == ERR_TIMEOUT);
    CHECK(query_share_cause(&other, ERR_IO) == ERR_IO);
    CHECK_U64(n_refused(m), 0);
    query_share_end(&s, NULL);
    query_share_end(&other, NULL);
    query_memory_free(m);
}

struct wanting {
    struct query_share *s;
    uint64_t n;
    bool got;
};

static void want(void *ctx) {
    struct wanting *w = ctx;
    w->got = mem_budget_take(&w->s->budget, w->n);
    if (!w->got) query_share_end(w->s, NULL); // as a question that fails does
}

// Two that wait for each other: who came first gets what it wants.
TEST(memory_of_those_that_wait_the_youngest_gives_up) {
    for (int round = 0; round < 10; round++) {
        struct query_memory *m = memory_of(16);
        struct query_bounds b = { .memory = m };
        struct query_share s[2];
        struct wanting w[2];
        struct thread t[2];
        for (int i = 0; i < 2; i++) {
            query_share_init(&s[i], &b);
            CHECK(mem_budget_take(&s[i].budget, 6 * MIB));
            w[i] = (struct wanting){ &s[i], 6 * MIB, false };
        }
        for (int i = 0; i < 2; i++) CHECK_OK(thread_start(&t[i], "want", want, &w[(i + round) % 2]));
        for (int i = 0; i < 2; i++) thread_join(&t[i]);
        CHECK(w[0].got && !w[1].got && s[1].is_refused);
        query_share_end(&s[0], NULL);
        CHECK_U64(taken(m), 0);
        query_memory_free(m);
    }
}

enum { THREADS = 8, ROUNDS = 10, TRIES_MAX = 5000 };

struct crowd {
    struct query_memory *m;
    _Atomic uint64_t held, most; // by what was given out
    _Atomic uint32_t n_served, n_refused;
};

static void note_held(struct crowd *c, uint64_t n) {
    uint64_t now = atomic_fetch_add(&c->held, n) + n, most = c->most;
    while (now > most && !atomic_compare_exchange_weak(&c->most, &most, now)) {}
}

// One question, which grows to more than its part; false: it was told to come again.
static bool ask_once(struct crowd *c) {
    struct query_bounds b = { .memory = c->m };
    struct query_share s;
    uint64_t n = 0;
    query_share_init(&s, &b);
    while (n < 6 * MIB && mem_budget_take(&s.budget, MIB / 2)) {
        note_held(c, MIB / 2);
        n += MIB / 2;
        (void)nanosleep(&(struct timespec){ .tv_nsec = 20000 }, NULL);
    }
    CHECK((n < 6 * MIB) == s.is_refused);
    mem_budget_give(&s.budget, n);
    atomic_fetch_sub(&c->held, n);
    query_share_end(&s, NULL);
    return n == 6 * MIB;
}

// All of them together want several times what there is: who is refused comes again, and gets it in the end.
static void ask(void *ctx) {
    struct crowd *c = ctx;
    for (int round = 0, tries = 0; round < ROUNDS && tries < TRIES_MAX; tries++) {
        bool served = ask_once(c);
        round += served;
        *(served ? &c->n_served : &c->n_refused) += 1;
        if (!served) (void)nanosleep(&(struct timespec){ .tv_nsec = 500000 }, NULL);
    }
}

TEST(memory_never_exceeds_its_limit_and_all_come_to_an_end) {
    struct crowd c = { .m = memory_of(20) };
    struct thread t[THREADS];
    for (int i = 0; i < THREADS; i++) CHECK_OK(thread_start(&t[i], "ask", ask, &c));
    for (int i = 0; i < THREADS; i++) thread_join(&t[i]);
    CHECK_U64(c.n_served, THREADS * ROUNDS);
    CHECK(c.most <= 20 * MIB);
    CHECK_U64(taken(c.m), 0);
    query_memory_free(c.m);
}

struct churn {
    struct query_memory *m;
    _Atomic bool done;
    uint32_t rounds;
};
enum { CHURN_MAX = 4000 };

// Small questions that come and go: each end wakes who waits.
static void come_and_go(void *ctx) {
    struct churn *c = ctx;
    for (; c->rounds < CHURN_MAX && !c->done; c->rounds++) {
        struct query_bounds b = { .memory = c->m };
        struct query_share s;
        query_share_init(&s, &b);
        if (mem_budget_take(&s.budget, 1)) mem_budget_give(&s.budget, 1);
        query_share_end(&s, NULL);
        (void)nanosleep(&(struct timespec){ .tv_nsec = 3000000 }, NULL);
    }
}

TEST(memory_is_not_waited_for_longer_because_others_come_and_go) {
    struct churn c = { .m = memory_of(16) };
    struct query_bounds b = { .memory = c.m };
    struct query_share has, wants;
    struct thread t;
    query_share_init(&has, &b);
    query_share_init(&wants, &b);
    CHECK(mem_budget_take(&has.budget, 13 * MIB));
    CHECK_OK(thread_start(&t, "churn", come_and_go, &c));
    CHECK(!mem_budget_take(&wants.budget, 4 * MIB) && wants.is_refused);
    c.done = true;
    thread_join(&t);
    CHECK(c.rounds < CHURN_MAX); // or it had waited to their end
    mem_budget_give(&has.budget, 13 * MIB);
    query_share_end(&wants, NULL);
    query_share_end(&has, NULL);
    CHECK_U64(taken(c.m), 0);
    query_memory_free(c.m);
}

struct growing { // threads of one question
    struct query_share *s;
    _Atomic uint64_t n;
};

static void grow(void *ctx) {
    struct growing *g = ctx;
    while (mem_budget_take(&g->s->budget, 10000)) g->n += 10000;
}

TEST(memory_of_one_question_is_taken_by_many_threads) {
    struct query_memory *m = memory_of(16);
    struct query_bounds b = { .memory = m, .memory_max = query_memory_most(16 * MIB) };
    struct query_share s;
    struct growing g = { .s = &s };
    struct thread t[4];
    query_share_init(&s, &b);
    for (int i = 0; i < 4; i++) CHECK_OK(thread_start(&t[i], "grow", grow, &g));
    for (int i = 0; i < 4; i++) thread_join(&t[i]);
    CHECK(g.n <= b.memory_max && g.n > b.memory_max - 50000);
    CHECK_U64(s.budget.used, g.n);
    CHECK(!s.is_refused);
    mem_budget_give(&s.budget, g.n);
    query_share_end(&s, NULL);
    CHECK_U64(taken(m), 0);
    query_memory_free(m);
}
