// SPDX-License-Identifier: Apache-2.0
// Deadlines of connections and requests. Each kind has one duration, so a list per kind is sorted
// by itself and everything costs O(1). The owner embeds the timer. thread: the loop's.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum timer_kind {
    TIMER_OFF,
    TIMER_HEADER,
    TIMER_BODY,
    TIMER_ADMIT,
    TIMER_IDLE,
    TIMER_WRITE,
    TIMER_LINGER,
    TIMER_PAUSE,
    TIMER_GRACE,
    TIMER_KIND_COUNT
};

struct timer {
    struct timer *prev, *next;
    uint64_t at_ns;
    enum timer_kind kind;
    void (*fire)(struct timer *t);
};

struct timers {
    struct timer heads[TIMER_KIND_COUNT];
    uint64_t after_ns[TIMER_KIND_COUNT];
};

void timers_init(struct timers *ts); // the durations are 0, to be set by the caller
// Sets or moves the deadline: now + the duration of the kind.
void timer_arm(struct timers *ts, struct timer *t, enum timer_kind kind, uint64_t now_ns);
void timer_disarm(struct timer *t);                  // nothing happens when it is not armed
uint64_t timers_next(const struct timers *ts);       // the earliest deadline; UINT64_MAX = none
void timers_run(struct timers *ts, uint64_t now_ns); // disarms and fires all that are due
