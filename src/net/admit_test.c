// SPDX-License-Identifier: Apache-2.0
#include "net/admit.h"

#include "base/test.h"
#include "net/timer.h"

struct waiter {
    struct admit_wait w; // first
    int order;
};
static int n_granted;
static void note_grant(struct admit_wait *w) {
    ((struct waiter *)w)->order = ++n_granted;
}

TEST(admit_first_come_first_served) {
    struct mem_budget budget = { .limit = 100 };
    struct admission a;
    struct waiter w[5] = { 0 };
    n_granted = 0;
    for (int i = 0; i < 5; i++) w[i].w.granted = note_grant;
    admission_init(&a, &budget, 3);
    CHECK(admission_take(&a, &w[0].w, 101) == ADMIT_NO); // would wait for ever
    CHECK(admission_take(&a, &w[0].w, 80) == ADMIT_YES);
    CHECK(admission_take(&a, &w[1].w, 60) == ADMIT_WAIT);
    CHECK(admission_take(&a, &w[2].w, 10) == ADMIT_WAIT); // there is room, but it must not overtake
    CHECK(admission_take(&a, &w[3].w, 10) == ADMIT_WAIT);
    CHECK(admission_take(&a, &w[4].w, 1) == ADMIT_NO); // the queue is full
    CHECK_U64(budget.used, 80);
    admission_give(&a, 30); // 50 used: the first needs 60
    CHECK(n_granted == 0);
    admission_cancel(&a, &w[1].w); // and gives up: those behind it fit
    CHECK(w[1].order == 0 && w[2].order == 1 && w[3].order == 2);
    CHECK_U64(budget.used, 70);
    CHECK(a.n_waiting == 0);
    admission_cancel(&a, &w[2].w); // not in the queue: nothing happens
    CHECK(admission_take(&a, &w[1].w, 60) == ADMIT_WAIT);
    mem_budget_give(&budget, 70); // another user of the budget does not tell
    CHECK(w[1].order == 0);
    admission_retry(&a);
    CHECK(w[1].order == 3);
    admission_give(&a, 60);
    CHECK_U64(budget.used, 0);
    admission_fini(&a);
}

// Many threads take and give: nothing is lost, nobody is forgotten, the limit holds.
enum { THREADS = 4, ROUNDS = 300 };
struct crowd {
    struct admission a;
    struct mem_budget budget;
    _Atomic uint64_t peak;
};
struct one {
    struct admit_wait w; // first
    struct crowd *crowd;
    struct mutex lock;
    struct cond changed;
    bool granted;
    uint64_t seed, refused;
};

static void one_granted(struct admit_wait *w) {
    struct one *o = (struct one *)w;
    mutex_lock(&o->lock);
    o->granted = true;
    cond_signal(&o->changed);
    mutex_unlock(&o->lock);
}

static void one_runs(void *arg) {
    struct one *o = arg;
    struct crowd *c = o->crowd;
    for (int i = 0; i < ROUNDS; i++) {
        o->seed = o->seed * 6364136223846793005u + 1442695040888963407u;
        uint64_t need = 1 + (o->seed >> 33) % 60;
        o->granted = false;
        enum admit r = admission_take(&c->a, &o->w, need);
        if (r == ADMIT_WAIT) {
            mutex_lock(&o->lock);
            while (!o->granted) cond_wait(&o->changed, &o->lock);
            mutex_unlock(&o->lock);
        }
        if (r == ADMIT_NO) {
            o->refused++;
            continue;
        }
        uint64_t used = c->budget.used;
        if (used > c->peak) c->peak = used;
        admission_give(&c->a, need);
    }
}

TEST(admit_by_many_threads) {
    struct crowd c = { .budget.limit = 100 };
    struct one ones[THREADS] = { 0 };
    struct thread threads[THREADS];
    admission_init(&c.a, &c.budget, 2);
    for (int i = 0; i < THREADS; i++) {
        ones[i] = (struct one){ .crowd = &c, .seed = test_rand(), .w.granted = one_granted };
        mutex_init(&ones[i].lock);
        cond_init(&ones[i].changed);
        CHECK_OK(thread_start(&threads[i], "admit", one_runs, &ones[i]));
    }
    for (int i = 0; i < THREADS; i++) {
        thread_join(&threads[i]);
        cond_fini(&ones[i].changed);
        mutex_fini(&ones[i].lock);
    }
    CHECK_U64(c.budget.used, 0);
    CHECK(c.a.n_waiting == 0);
    // Others may add and take back while they try; what is held at once stays within the limit.
    CHECK(c.peak <= 100 + THREADS * 60);
    admission_fini(&c.a);
}

static struct timer *fired[8];
static int n_fired;
static void note_fire(struct timer *t) {
    fired[n_fired++] = t;
}

static struct timers *again_in;
static void fire_again(struct timer *t) {
    note_fire(t);
    timer_arm(again_in, t, TIMER_BODY, 100);
}

TEST(timer_fires_in_time_and_once) {
    struct timers ts;
    timers_init(&ts);
    ts.after_ns[TIMER_IDLE] = 100;
    ts.after_ns[TIMER_BODY] = 10;
    struct timer a = { .fire = note_fire }, b = { .fire = note_fire }, c = { .fire = note_fire };
    n_fired = 0;
    CHECK(timers_next(&ts) == UINT64_MAX);
    timer_arm(&ts, &a, TIMER_IDLE, 0);
    timer_arm(&ts, &b, TIMER_BODY, 50);
    timer_arm(&ts, &c, TIMER_IDLE, 30);
    CHECK_U64(timers_next(&ts), 60);
    timers_run(&ts, 59);
    CHECK(n_fired == 0);
    timers_run(&ts, 100);
    CHECK(n_fired == 2 && fired[0] == &b && fired[1] == &a);
    CHECK_U64(timers_next(&ts), 130);
    timer_arm(&ts, &c, TIMER_IDLE, 100); // moved
    timers_run(&ts, 199);
    CHECK(n_fired == 2);
    timer_disarm(&c);
    timer_disarm(&c);
    timers_run(&ts, 1000);
    CHECK(n_fired == 2);
    CHECK(timers_next(&ts) == UINT64_MAX);
}

TEST(timer_that_arms_itself_does_not_spin) {
    struct timers ts;
    timers_init(&ts); // the kind takes no time at all
    struct timer a = { .fire = fire_again };
    again_in = &ts;
    n_fired = 0;
    timer_arm(&ts, &a, TIMER_BODY, 0);
    timers_run(&ts, 100);
    CHECK(n_fired == 1);
    timers_run(&ts, 100);
    CHECK(n_fired == 2);
    timer_disarm(&a);
}
