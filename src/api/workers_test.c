// SPDX-License-Identifier: Apache-2.0
#include <time.h>

#include "api/api_internal.h"
#include "base/test.h"
#include "os/clock.h"

enum { JOBS = 60, WAIT_S = 60 };

static _Atomic uint32_t n_run, n_fresh; // fresh: by a thread that was not lowered

static void run_long(struct api *a, struct net_request *rq) {
    (void)a;
    (void)rq;
    n_fresh += !thread_is_lowered();
    thread_lower();
    n_run++;
}

static void wait_for(uint32_t n) {
    uint64_t until = clock_mono_ns(clock_real()) + WAIT_S * 1000000000ull;
    while (n_run < n && clock_mono_ns(clock_real()) < until) {}
    CHECK_U64(n_run, n);
}

// Whoever was lowered by a long query does not run the next one.
TEST(workers_each_query_has_a_fresh_thread_after_a_long_one) {
    struct workers *w;
    n_run = n_fresh = 0;
    CHECK_OK(workers_new(2, JOBS, &w));
    for (uint32_t i = 0; i < JOBS; i++) {
        CHECK_OK(workers_run(w, run_long, NULL, NULL));
        if (i % 7 == 0) wait_for(i + 1);
    }
    wait_for(JOBS);
    CHECK_U64(n_fresh, JOBS);
    workers_free(w);
}

enum { WORKERS = 4 };

static pthread_t by[JOBS];

static void run_noted(struct api *a, struct net_request *rq) {
    (void)a;
    (void)rq;
    by[n_run] = pthread_self();
    n_run++;
}

// One query after the other is run by the same thread, but where it had not come to rest yet.
TEST(workers_the_last_one_at_work_is_called_first) {
    struct workers *w;
    uint32_t n_same = 0;
    n_run = 0;
    CHECK_OK(workers_new(WORKERS, JOBS, &w));
    for (uint32_t i = 0; i < JOBS; i++) {
        CHECK_OK(workers_run(w, run_noted, NULL, NULL));
        wait_for(i + 1);
        (void)nanosleep(&(struct timespec){ .tv_nsec = 2000000 }, NULL);
        if (i) n_same += pthread_equal(by[i], by[i - 1]) != 0;
    }
    workers_free(w);
    CHECK(n_same > JOBS / 2); // in turns it would be none
}

static _Atomic bool may_end;
static _Atomic uint32_t n_long;

static void run_until_told(struct api *a, struct net_request *rq) {
    (void)a;
    (void)rq;
    thread_lower();
    n_long++;
    while (!may_end) (void)nanosleep(&(struct timespec){ .tv_nsec = 1000000 }, NULL);
    n_long--;
}

// Two threads of their own, and four more for what is long.
TEST(workers_small_queries_do_not_wait_for_long_ones) {
    enum { MOST = 6 };
    struct workers *w;
    CHECK_OK(workers_new(2, JOBS, &w));
    for (int round = 0; round < 3; round++) {
        uint64_t until = clock_mono_ns(clock_real()) + WAIT_S * 1000000000ull;
        n_run = 0;
        may_end = false;
        for (uint32_t i = 1; i <= MOST; i++) {
            CHECK_OK(workers_run(w, run_until_told, NULL, NULL));
            while (n_long < i && clock_mono_ns(clock_real()) < until) {}
            CHECK_U64(n_long, i);
            if (i == MOST) break;
            CHECK_OK(workers_run(w, run_long, NULL, NULL));
            wait_for(i);
        }
        CHECK_OK(workers_run(w, run_long, NULL, NULL)); // now all places are taken
        (void)nanosleep(&(struct timespec){ .tv_nsec = 20000000 }, NULL);
        CHECK_U64(n_run, MOST - 1);
        may_end = true;
        wait_for(MOST);
        while (n_long > 0 && clock_mono_ns(clock_real()) < until) {} // all have seen it
    }
    workers_free(w);
}

TEST(workers_a_stop_runs_what_is_queued) {
    for (int round = 0; round < 50; round++) {
        struct workers *w;
        uint32_t n = 1 + (uint32_t)test_below(JOBS);
        n_run = 0;
        CHECK_OK(workers_new(1 + (uint32_t)test_below(3), JOBS, &w));
        for (uint32_t i = 0; i < n; i++) CHECK_OK(workers_run(w, run_long, NULL, NULL));
        workers_stop(w);
        CHECK_U64(n_run, n);
        CHECK(workers_run(w, run_long, NULL, NULL) == ERR_LIMIT);
        workers_free(w);
    }
}

TEST(workers_take_no_more_than_they_may_queue) {
    struct workers *w;
    uint32_t taken = 0;
    n_run = 0;
    CHECK_OK(workers_new(0, 3, &w)); // nobody works
    while (workers_run(w, run_long, NULL, NULL) == ERR_OK) taken++;
    CHECK_U64(taken, 3);
    workers_stop(w);
    CHECK_U64(n_run, 3);
    workers_free(w);
}

// What a question waited for a worker is of its time, however long its client would wait.
TEST(workers_questions_that_wait_have_less_time) {
    static struct api a;
    struct net_request rq = { .arrived_ns = 100 };
    CHECK_U64(limits_of(&a, &rq).deadline_ns, 0);
    a.opts.query_timeout_ns = 30;
    CHECK_U64(limits_of(&a, &rq).deadline_ns, 130);
    rq.deadline_ns = 140;
    CHECK_U64(limits_of(&a, &rq).deadline_ns, 130);
    rq.deadline_ns = 120;
    CHECK_U64(limits_of(&a, &rq).deadline_ns, 120);
    a.opts.query_timeout_ns = 0;
    CHECK_U64(limits_of(&a, &rq).deadline_ns, 120);
}

TEST(workers_damage_is_no_fault_of_the_question) {
    struct ask_limits none = { 0 };
    struct ask k;
    struct buf text;
    ask_init(&k, NULL, &none, STR(""));
    buf_init(&text, 1000);
    ask_explain(&k, ERR_UNSUPPORTED, &text);
    CHECK_STR(buf_view(&text), STR("a block that the question needs is damaged, or of a newer version\n"));
    CHECK(ask_status(ERR_UNSUPPORTED) == 500 && ask_status(ERR_CORRUPT) == 500);
    buf_fini(&text);
    ask_fini(&k);
}

// Others have the memory: that is no fault of the question, which may come again.
TEST(workers_who_finds_no_memory_may_come_again) {
    CHECK(ask_status(ERR_AGAIN) == 429);
    CHECK(grpc_status_of(ERR_AGAIN) == NET_GRPC_RESOURCE_EXHAUSTED);
    CHECK(ask_status(ERR_NOMEM) == 503); // its own is used up
}
