// SPDX-License-Identifier: Apache-2.0
#include "os/rounds.h"

#include "base/test.h"

#define HOUR_NS (3600 * 1000000000ull)

struct counted {
    struct mutex lock;
    struct cond changed;
    struct rounds rounds;
    uint32_t n;
    uint64_t rest_ns;
    bool saw_stop;
};

static uint64_t count(void *ctx) {
    struct counted *c = ctx;
    mutex_lock(&c->lock);
    c->n++;
    cond_broadcast(&c->changed);
    mutex_unlock(&c->lock);
    return c->rest_ns;
}

static void begin(struct counted *c, uint64_t rest_ns) {
    *c = (struct counted){ .rest_ns = rest_ns };
    mutex_init(&c->lock);
    cond_init(&c->changed);
}
static void wait_for(struct counted *c, uint32_t n) {
    mutex_lock(&c->lock);
    while (c->n < n) cond_wait(&c->changed, &c->lock);
    mutex_unlock(&c->lock);
}
static void end(struct counted *c) {
    rounds_stop(&c->rounds);
    rounds_stop(&c->rounds); // once more is fine
    mutex_fini(&c->lock);
    cond_fini(&c->changed);
}

TEST(rounds_go_on_until_they_are_stopped) {
    struct counted c;
    begin(&c, 1000);
    CHECK_OK(rounds_start(&c.rounds, "count", 0, count, &c));
    wait_for(&c, 5);
    end(&c);
    CHECK(c.n >= 5);
}

TEST(rounds_that_rest_for_an_hour_stop_at_once) {
    struct counted c;
    begin(&c, HOUR_NS);
    CHECK_OK(rounds_start(&c.rounds, "count", 0, count, &c));
    wait_for(&c, 1);
    end(&c);
    CHECK(c.n == 1);
    begin(&c, 0);
    CHECK_OK(rounds_start(&c.rounds, "count", HOUR_NS, count, &c));
    end(&c); // before the first
    CHECK(c.n == 0);
}

static uint64_t see_the_stop(void *ctx) {
    struct counted *c = ctx;
    (void)count(c);
    while (!rounds_stopping(&c->rounds)) sched_yield();
    c->saw_stop = true;
    return 0;
}

TEST(rounds_tell_a_long_round_that_they_stop) {
    struct counted c;
    begin(&c, 0);
    CHECK_OK(rounds_start(&c.rounds, "long", 0, see_the_stop, &c));
    wait_for(&c, 1);
    end(&c);
    CHECK(c.saw_stop && c.n == 1);
}

TEST(rounds_that_were_not_started_need_no_stop) {
    struct counted c;
    begin(&c, 0);
    end(&c);
    CHECK(!rounds_stopping(&c.rounds));
}
