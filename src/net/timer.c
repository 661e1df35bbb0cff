// SPDX-License-Identifier: Apache-2.0
#include "net/timer.h"

void timers_init(struct timers *ts) {
    for (int i = 0; i < TIMER_KIND_COUNT; i++) {
        struct timer *h = &ts->heads[i];
        *h = (struct timer){ .prev = h, .next = h };
        ts->after_ns[i] = 0;
    }
}

void timer_disarm(struct timer *t) {
    if (t->kind == TIMER_OFF) return;
    t->prev->next = t->next;
    t->next->prev = t->prev;
    t->kind = TIMER_OFF;
}

void timer_arm(struct timers *ts, struct timer *t, enum timer_kind kind, uint64_t now_ns) {
    timer_disarm(t);
    struct timer *h = &ts->heads[kind];
    t->kind = kind;
    t->at_ns = now_ns + ts->after_ns[kind];
    t->prev = h->prev;
    t->next = h;
    h->prev->next = t;
    h->prev = t;
}

uint64_t timers_next(const struct timers *ts) {
    uint64_t next = UINT64_MAX;
    for (int i = 1; i < TIMER_KIND_COUNT; i++) {
        const struct timer *first = ts->heads[i].next;
        if (first != &ts->heads[i] && first->at_ns < next) next = first->at_ns;
    }
    return next;
}

// A timer that its own firing arms again lies in the future, unless its kind takes no time at all;
// the end of the list as it was stops that from turning for ever.
void timers_run(struct timers *ts, uint64_t now_ns) {
    for (int i = 1; i < TIMER_KIND_COUNT; i++) {
        struct timer *h = &ts->heads[i];
        const struct timer *last = h->prev;
        bool more = true;
        while (more && h->next != h && h->next->at_ns <= now_ns) {
            struct timer *t = h->next;
            more = t != last;
            timer_disarm(t);
            t->fire(t);
        }
    }
}
