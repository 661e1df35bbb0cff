// SPDX-License-Identifier: Apache-2.0
#include "os/thread.h"

#include <poll.h>

#include "base/test.h"
#include "os/clock.h"
#include "os/random.h"

struct meeting {
    struct mutex lock;
    struct cond changed;
    int turn;
    struct wake wake;
};

// Two threads that take turns under one lock.
static void answer(void *arg) {
    struct meeting *m = arg;
    mutex_lock(&m->lock);
    for (int i = 0; i < 100; i++) {
        while (m->turn != 2 * i + 1) cond_wait(&m->changed, &m->lock);
        m->turn++;
        cond_signal(&m->changed);
    }
    mutex_unlock(&m->lock);
    wake_signal(&m->wake);
}

TEST(thread_turns_and_wake) {
    struct meeting m = { .turn = 0 };
    mutex_init(&m.lock);
    cond_init(&m.changed);
    CHECK_OK(wake_init(&m.wake));
    struct thread t;
    CHECK_OK(thread_start(&t, "a name of more than fifteen bytes", answer, &m));
    mutex_lock(&m.lock);
    for (int i = 0; i < 100; i++) {
        m.turn++;
        cond_broadcast(&m.changed);
        while (m.turn != 2 * i + 2) cond_wait(&m.changed, &m.lock);
    }
    mutex_unlock(&m.lock);
    struct pollfd p = { .fd = m.wake.fd, .events = POLLIN };
    CHECK(poll(&p, 1, 5000) == 1);
    thread_join(&t);
    thread_join(&t); // nothing happens
    wake_signal(&m.wake);
    wake_clear(&m.wake);
    CHECK(poll(&p, 1, 0) == 0);
    wake_fini(&m.wake);
    cond_fini(&m.changed);
    mutex_fini(&m.lock);
    CHECK(thread_cores() >= 1);
}

TEST(thread_wait_ends_with_its_time) {
    struct mutex lock;
    struct cond never;
    mutex_init(&lock);
    cond_init(&never);
    struct clock *c = clock_real();
    uint64_t before = clock_mono_ns(c);
    mutex_lock(&lock);
    while (cond_wait_for(&never, &lock, 2000000)) continue;
    mutex_unlock(&lock);
    CHECK(clock_mono_ns(c) - before >= 2000000);
    CHECK(clock_unix_ns(c) > 1600000000000000000u);
    cond_fini(&never);
    mutex_fini(&lock);
}

TEST(random_bytes_fill_everything) {
    uint8_t a[600] = { 0 }, b[600] = { 0 };
    random_bytes(a, sizeof a);
    random_bytes(b, sizeof b);
    CHECK(memcmp(a, b, sizeof a) != 0);
    CHECK(memcmp(a + 500, b + 500, 100) != 0); // the chance of a false alarm is 2^-800
    CHECK(random_u64() != random_u64());
}

static void be_lowered(void *arg) {
    bool *was = arg;
    was[0] = thread_is_lowered();
    uint64_t before = thread_cpu_ns();
    thread_hurry();
    thread_lower();
    thread_lower(); // nothing happens
    was[1] = thread_is_lowered();
    while (thread_cpu_ns() - before < 1000000) {}
}

TEST(thread_is_lowered_alone) {
    bool was[2];
    struct thread t;
    CHECK_OK(thread_start(&t, "low", be_lowered, was));
    thread_join(&t);
    CHECK(!was[0] && was[1]);
    CHECK(!thread_is_lowered());
}
